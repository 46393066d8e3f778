package peering

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

// relayHost is a relay on loopback, with a limit for each circuit or none.
func relayHost(tb testing.TB, limit *relayv2.RelayLimit) (host.Host, []string) {
	tb.Helper()
	key, err := NewKey()
	if err != nil {
		tb.Fatal(err)
	}
	n, err := New(Config{Key: key, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		tb.Fatal(err)
	}
	opts, err := Base(n.key, n.listen, 32, 64, nil)
	if err != nil {
		tb.Fatal(err)
	}
	rc := relayv2.DefaultResources()
	rc.Limit, rc.BufferSize = limit, 64<<10
	h, err := libp2p.New(append(opts, libp2p.EnableRelayService(relayv2.WithResources(rc)), libp2p.ForceReachabilityPublic())...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = h.Close() })
	var addrs []string
	for _, a := range h.Addrs() {
		addrs = append(addrs, a.String()+"/p2p/"+h.ID().String())
	}
	return h, addrs
}

// behind makes a pair of nodes that reach each other through the relay only: neither dials
// the other's own addresses before open is called.
func behind(tb testing.TB, relay host.Host, addrs []string) (a, b *tester, open func()) {
	tb.Helper()
	shut := make(chan struct{})
	block := func(c *Config) {
		c.Relays = addrs
		c.dial = func(p peer.ID, to ma.Multiaddr) bool {
			select {
			case <-shut:
				return true
			default:
				return p == relay.ID() || isRelayed(to)
			}
		}
	}
	a, b = start(tb, block), start(tb, block)
	for _, x := range []*tester{a, b} {
		until(tb, "a circuit address", func() bool { return len(x.circuit().Addrs) > 0 })
	}
	return a, b, func() { close(shut) }
}

// circuit is where a node is reached through its relay.
func (x *tester) circuit() identity.PeerAddrs {
	self := x.Self()
	self.Addrs = slices.DeleteFunc(self.Addrs, func(s string) bool { return !isRelayed(ma.StringCast(s)) })
	return self
}

func until(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("no %s", what)
		}
	}
}

// path is how the only session of a node goes.
func (x *tester) path() string {
	for _, p := range x.Peers() {
		return p.Path
	}
	return "none"
}

// TestRelay: a study of 24 MB goes through a relay, and the path says so.
func TestRelay(t *testing.T) {
	t.Parallel()
	r, addrs := relayHost(t, nil)
	a, b, _ := behind(t, r, addrs)
	exchangetest.Befriend(a.local, b.local)
	id := a.local.Found("case", b.local)
	bid, length := a.local.Offer(id, 1, 24<<20)
	b.aim(func() []identity.PeerAddrs { return []identity.PeerAddrs{a.circuit()} })
	b.Renew()
	b.level(id, 1)
	b.fetch(id, bid, length)
	if ps := b.Peers(); len(ps) != 1 || ps[0].Path != "relay" || ps[0].Limited {
		t.Errorf("peers: %+v", ps)
	}
}

// TestLimited: a foreign relay that carries 128 KiB carries entries; images wait for a
// direct path, and come once there is one.
func TestLimited(t *testing.T) {
	t.Parallel()
	r, addrs := relayHost(t, &relayv2.RelayLimit{Duration: 2 * time.Minute, Data: 128 << 10})
	a, b, open := behind(t, r, addrs)
	exchangetest.Befriend(a.local, b.local)
	id := a.local.Found("case", b.local)
	bid, length := a.local.Offer(id, 1, 4<<20)
	at := append(addrsOf(a), a.circuit())
	b.aim(func() []identity.PeerAddrs { return at })
	b.local.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: 3})
	b.Renew()
	b.level(id, 1)
	for range 20 {
		a.local.Say(id, "more")
	}
	b.level(id, 21)
	b.Wanted()
	if ps := b.Peers(); len(ps) != 1 || ps[0].Path != "relay" || !ps[0].Limited {
		t.Errorf("peers: %+v", ps)
	}
	if n := b.local.StoredBytes(); n != 0 {
		t.Errorf("%d bytes of images went through a limited relay", n)
	}
	open()
	poke(b.direct)
	until(t, "blob", func() bool { return b.local.Has(bid) })
	if got := b.path(); got != "lan" {
		t.Errorf("path %q, want lan", got)
	}
}

// TestUpgrade: in the middle of a transfer a direct path opens. What is under way through
// the relay still comes, nothing comes twice, and the path is the direct one.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	r, addrs := relayHost(t, nil)
	a, b, open := behind(t, r, addrs)
	exchangetest.Befriend(a.local, b.local)
	id := a.local.Found("case", b.local)
	const size = 48 << 20
	bid, length := a.local.Offer(id, 1, size)
	at := append(addrsOf(a), a.circuit())
	b.aim(func() []identity.PeerAddrs { return at })
	b.Renew()
	b.level(id, 1)
	b.local.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: 3})
	b.Wanted()
	until(t, "transfer", func() bool { return b.local.StoredBytes() > size/16 })
	if got := b.path(); got != "relay" {
		t.Errorf("path %q, want relay", got)
	}
	open()
	poke(b.direct)
	until(t, "blob", func() bool { return b.local.Has(bid) })
	until(t, "direct path", func() bool { return b.path() == "lan" && a.path() == "lan" })
	if n := b.local.DroppedBy(exchange.Ended); n != 0 {
		t.Errorf("%d ranges under way were lost", n)
	}
	if n := b.local.StoredBytes(); n != int(length) {
		t.Errorf("%d bytes stored of %d", n, length)
	}
}

// TestRelayReturns: a relay that was away is used again once it is back, and the
// addresses say so both times.
func TestRelayReturns(t *testing.T) {
	t.Parallel()
	r, addrs := relayHost(t, nil)
	a := start(t, func(c *Config) { c.Relays = addrs })
	until(t, "a circuit address", func() bool { return len(a.circuit().Addrs) > 0 })
	_ = r.Network().ClosePeer(a.id)
	until(t, "another reservation", func() bool {
		return r.Network().Connectedness(a.id) == network.Connected && len(a.circuit().Addrs) > 0
	})
	_ = r.Close()
	until(t, "the end of the address", func() bool { return len(a.circuit().Addrs) == 0 })
	for _, f := range a.Checks() {
		if f.Name == "relays" && f.OK {
			t.Errorf("check: %+v", f)
		}
	}
}
