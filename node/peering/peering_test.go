package peering

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// patience bounds every wait for an event.
const patience = 30 * time.Second

// tester is a running node with a Local in memory.
type tester struct {
	*Node
	t     testing.TB
	local *exchangetest.Local
	up    chan exchange.Peer
	down  chan exchange.Peer
	told  chan ledger.ThreadID
	want  atomic.Pointer[func() []identity.PeerAddrs]
	stop  func()
}

// start runs a node on loopback. listen defaults to TCP and QUIC on any port.
func start(tb testing.TB, change func(*Config)) *tester {
	tb.Helper()
	key, err := NewKey()
	if err != nil {
		tb.Fatal(err)
	}
	return startWith(tb, exchangetest.New(tb), key, change)
}

func startWith(tb testing.TB, local *exchangetest.Local, key []byte, change func(*Config)) *tester {
	tb.Helper()
	x := &tester{
		t: tb, local: local, up: make(chan exchange.Peer, 64), down: make(chan exchange.Peer, 64),
		told: make(chan ledger.ThreadID, 1024),
	}
	cfg := Config{
		Key: key, Listen: []string{"127.0.0.1:0"}, Local: local, NoDHT: true, Software: "test", Log: slog.New(slog.DiscardHandler),
		Targets: func() []identity.PeerAddrs {
			if f := x.want.Load(); f != nil {
				return (*f)()
			}
			return nil
		},
		Session: func(p exchange.Peer, up bool) {
			if up {
				x.up <- p
			} else {
				x.down <- p
			}
		},
	}
	if change != nil {
		change(&cfg)
	}
	n, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	x.Node = n
	local.OnChange = func(id ledger.ThreadID) {
		n.Changed(id)
		x.told <- id
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- n.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		tb.Fatal(err)
	}
	stopped := false
	x.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				tb.Errorf("run: %v", err)
			}
		case <-time.After(patience):
			tb.Fatal("node does not stop")
		}
	}
	tb.Cleanup(x.stop)
	return x
}

// aim sets what Targets answers.
func (x *tester) aim(f func() []identity.PeerAddrs) { x.want.Store(&f) }

// meet makes the other's node a target.
func (x *tester) meet(others ...*tester) {
	var ts []identity.PeerAddrs
	for _, o := range others {
		ts = append(ts, o.Self())
	}
	x.aim(func() []identity.PeerAddrs { return ts })
	x.Renew()
}

func wait[T any](tb testing.TB, what string, c <-chan T) T {
	tb.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		tb.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// level waits until a thread has so many items.
func (x *tester) level(id ledger.ThreadID, n int) {
	x.t.Helper()
	for x.local.Count(id) < n {
		wait(x.t, "entries", x.told)
	}
}

// fetch waits for a blob.
func (x *tester) fetch(id ledger.ThreadID, bid blob.ID, length uint64) {
	x.t.Helper()
	got := make(chan blob.ID, 16)
	x.local.OnStore = func(b blob.ID) { got <- b }
	x.local.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: 3})
	x.Wanted()
	wait(x.t, "blob", got)
}

func TestTransports(t *testing.T) {
	t.Parallel()
	for _, tr := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"} {
		t.Run(strings.Split(tr, "/")[3], func(t *testing.T) {
			t.Parallel()
			a := start(t, func(c *Config) { c.Listen = []string{tr} })
			b := start(t, func(c *Config) { c.Listen = []string{tr} })
			exchangetest.Befriend(a.local, b.local)
			id := a.local.Found("case", b.local)
			b.meet(a)
			b.level(id, 1)
			b.local.Say(id, "answer")
			a.level(id, 2)
			bid, length := a.local.Offer(id, 1, 3<<20)
			b.fetch(id, bid, length)
			ps := a.Peers()
			if len(ps) != 1 || ps[0].Path != "lan" || !ps[0].Known || len(ps[0].Devices) != 1 || ps[0].PeerID != identity.PeerID(b.id) {
				t.Errorf("peers: %+v", ps)
			}
			if want := strings.Split(tr, "/")[3]; !strings.Contains(ps[0].Addr, "/"+want+"/") {
				t.Errorf("connected over %s", ps[0].Addr)
			}
		})
	}
}

// TestTCPFirst: with both at hand, TCP is what is used on a LAN.
func TestTCPFirst(t *testing.T) {
	t.Parallel()
	a, b := start(t, nil), start(t, nil)
	exchangetest.Befriend(a.local, b.local)
	b.meet(a)
	wait(t, "session", b.up)
	if ps := b.Peers(); len(ps) != 1 || !strings.Contains(ps[0].Addr, "/tcp/") {
		t.Errorf("peers: %+v", ps)
	}
}

// TestOneSession: two nodes that dial each other at once end up with one session.
func TestOneSession(t *testing.T) {
	t.Parallel()
	a, b := start(t, nil), start(t, nil)
	exchangetest.Befriend(a.local, b.local)
	id := a.local.Found("case", b.local)
	a.meet(b)
	b.meet(a)
	b.level(id, 1)
	for range 5 {
		a.Renew()
		b.Renew()
		a.local.Say(id, "more")
	}
	b.level(id, 6)
	if len(a.Peers()) != 1 || len(b.Peers()) != 1 {
		t.Errorf("sessions: %d and %d", len(a.Peers()), len(b.Peers()))
	}
}

// TestRenewUnderLock: Renew may be called with a lock held that Targets takes.
func TestRenewUnderLock(t *testing.T) {
	t.Parallel()
	a, b := start(t, nil), start(t, nil)
	exchangetest.Befriend(a.local, b.local)
	var mu sync.Mutex
	self := a.Self()
	b.aim(func() []identity.PeerAddrs {
		mu.Lock()
		defer mu.Unlock()
		return []identity.PeerAddrs{self}
	})
	mu.Lock()
	b.Renew()
	b.Wanted()
	b.Restart()
	b.Changed(ledger.ThreadID{})
	mu.Unlock()
	wait(t, "session", b.up)
	// Every beginning has its end.
	b.Restart()
	wait(t, "end", b.down)
	wait(t, "session", b.up)
	b.stop()
	wait(t, "end", b.down)
	if len(b.up) != len(b.down) {
		t.Errorf("%d beginnings and %d ends are left", len(b.up), len(b.down))
	}
}

// TestReturn: a case for a peer that is away goes when it returns, from another port.
func TestReturn(t *testing.T) {
	t.Parallel()
	a := start(t, nil)
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	local := exchangetest.New(t)
	b := startWith(t, local, key, nil)
	exchangetest.Befriend(a.local, b.local)
	id := a.local.Found("case", b.local)
	a.meet(b)
	b.level(id, 1)
	b.stop()
	wait(t, "end", a.down)
	a.local.Say(id, "while you were out")
	b = startWith(t, local, key, nil)
	b.meet(a)
	b.level(id, 2)
}

// TestStranger: a node that knows address, thread and blob but is no member gets neither.
func TestStranger(t *testing.T) {
	t.Parallel()
	a, c := start(t, nil), start(t, nil)
	member := exchangetest.New(t)
	id := a.local.Found("case", member)
	bid, length := a.local.Offer(id, 1, 1000)
	c.local.Meet(a.local)
	c.local.Claim(id, a.local, c.local)
	c.local.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length})
	c.meet(a)
	wait(t, "session", c.up)
	a.local.Say(id, "more")
	wait(t, "session", a.up)
	c.stop()
	if c.local.Count(id) != 0 || c.local.StoredBytes() != 0 || c.local.Learned() != 0 {
		t.Errorf("the stranger got %d entries, %d bytes, %d records", c.local.Count(id), c.local.StoredBytes(), c.local.Learned())
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	a, b := start(t, nil), start(t, nil)
	a.local.Invites["please"] = "welcome"
	for _, f := range append(a.Checks(), SystemChecks()...) {
		if !f.OK || f.Detail == "" {
			t.Errorf("check: %+v", f)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	nobody := identity.PeerAddrs{PeerID: identity.PeerID(mustPeer(t)), Addrs: []string{"/ip4/127.0.0.1/tcp/1"}}
	got, err := b.Join(ctx, []identity.PeerAddrs{nobody, a.Self()}, []byte("please"))
	if err != nil || string(got) != "welcome" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := b.Join(ctx, []identity.PeerAddrs{a.Self()}, []byte("let me in")); !errors.Is(err, exchange.ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	if _, err := b.Join(ctx, []identity.PeerAddrs{nobody}, []byte("please")); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
	b.stop()
	if _, err := b.Join(ctx, []identity.PeerAddrs{a.Self()}, []byte("please")); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v, want ErrNotRunning", err)
	}
}

func addrsOf(x *tester) []identity.PeerAddrs { return []identity.PeerAddrs{x.Self()} }

func mustPeer(t *testing.T) peer.ID {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	id, err := PeerOf(key)
	if err != nil {
		t.Fatal(err)
	}
	return peer.ID(id)
}

// TestDHT: two nodes that know only each other's PeerID find each other through a
// third, and with --no-dht there is no DHT.
func TestDHT(t *testing.T) {
	t.Parallel()
	lan := func(boot ...string) func(*Config) {
		return func(c *Config) { c.NoDHT, c.LANOnly, c.Bootstrap = false, true, boot }
	}
	if start(t, nil).dht != nil {
		t.Error("a DHT started with --no-dht")
	}
	root := start(t, lan())
	a := start(t, lan(root.Addrs()...))
	b := start(t, lan(root.Addrs()...))
	exchangetest.Befriend(a.local, b.local)
	id := a.local.Found("case", b.local)
	b.aim(func() []identity.PeerAddrs { return []identity.PeerAddrs{{PeerID: identity.PeerID(a.id)}} })
	b.Renew()
	b.level(id, 1)
}

// TestMDNS: two nodes on a LAN find each other with nothing but PeerIDs.
func TestMDNS(t *testing.T) {
	if !multicast(t) {
		t.Skip("SKIP no multicast here: mDNS is not tested")
	}
	on := func(c *Config) { c.MDNS, c.LANOnly, c.Listen = true, true, []string{"0.0.0.0:0"} }
	a, b := start(t, on), start(t, on)
	exchangetest.Befriend(a.local, b.local)
	id := a.local.Found("case", b.local)
	b.aim(func() []identity.PeerAddrs { return []identity.PeerAddrs{{PeerID: identity.PeerID(a.id)}} })
	b.Renew()
	b.level(id, 1)
	h, _, err := b.running()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range h.Peerstore().Addrs(a.id) {
		if strings.HasPrefix(x.String(), "/ip4/127.") || strings.HasPrefix(x.String(), "/ip6/::1/") {
			t.Errorf("loopback was announced: %s", x)
		}
	}
}

// multicast says whether a packet to the mDNS group comes back to this host.
func multicast(t *testing.T) bool {
	t.Helper()
	ifs, err := net.Interfaces()
	if err != nil {
		return false
	}
	for _, i := range ifs {
		if i.Flags&(net.FlagUp|net.FlagMulticast|net.FlagLoopback) != net.FlagUp|net.FlagMulticast {
			continue
		}
		group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5399}
		c, err := net.ListenMulticastUDP("udp4", &i, group)
		if err != nil {
			continue
		}
		defer func() { _ = c.Close() }()
		s, err := net.DialUDP("udp4", nil, group)
		if err != nil {
			continue
		}
		_, _ = s.Write([]byte("curbside"))
		_ = s.Close()
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if _, _, err := c.ReadFrom(make([]byte, 64)); err == nil {
			return true
		}
	}
	return false
}

func TestKeys(t *testing.T) {
	t.Parallel()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	id, err := PeerOf(key)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParsePeer(Text(id))
	if err != nil || back != id {
		t.Errorf("got %v, %v", back, err)
	}
	if _, err := ParsePeer("nobody"); err == nil {
		t.Error("nobody is a PeerID")
	}
	if _, err := New(Config{Key: []byte("junk")}); err == nil {
		t.Error("junk is a key")
	}
}
