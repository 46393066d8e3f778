package peering

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

// The hostile peers of NETWORK §8: each attack is a test. What all have in common is siege: while
// the attack is on, an honest peer that comes only then is served; afterwards nothing is left of it.

// heapMax is what an attack may make a node hold beyond what it held before, goroutinesLeft how
// many goroutines may be left of it.
const (
	heapMax        = 96 << 20
	goroutinesLeft = 40
)

// siege runs an attack on a node; attack returns what ends it.
func siege(t *testing.T, attack func(t *testing.T, x *tester) (end func())) {
	t.Helper()
	x := start(t, nil)
	friend := exchangetest.New(t)
	id := x.local.Found("case", friend)
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	honestID, err := PeerOf(key)
	if err != nil {
		t.Fatal(err)
	}
	x.aim(func() []identity.PeerAddrs { return []identity.PeerAddrs{{PeerID: honestID}} }) // a contact
	x.Renew()
	eventually(t, "the contact is wanted", func() bool { return x.wants(peer.ID(honestID)) })
	goroutines, heap := runtime.NumGoroutine(), heapNow()
	end := attack(t, x)
	honest := startWith(t, friend, key, nil)
	exchangetest.Befriend(x.local, friend)
	bid, length := x.local.Offer(id, 1, 2<<20)
	honest.meet(x)
	honest.level(id, 1)
	honest.fetch(id, bid, length)
	honest.local.Say(id, "still here?")
	x.level(id, 2)
	if used := heapNow() - heap; used > heapMax {
		t.Errorf("the attack costs %d MiB", used>>20)
	}
	stat := limitsOf(t, x)
	t.Logf("under attack: %d connections, %d streams, %d MiB reserved, %d goroutines, heap %d MiB",
		stat.NumConnsInbound, stat.NumStreamsInbound, stat.Memory>>20, runtime.NumGoroutine(), heapNow()>>20)
	end()
	honest.stop()
	eventually(t, "goroutines of the attack end", func() bool { return runtime.NumGoroutine() <= goroutines+goroutinesLeft })
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.unproven) > unprovenIn {
		t.Errorf("%d peers are counted as unproven", len(x.unproven))
	}
}

func heapNow() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

func limitsOf(t *testing.T, x *tester) network.ScopeStat {
	t.Helper()
	h, _, err := x.running()
	if err != nil {
		t.Fatal(err)
	}
	var stat network.ScopeStat
	_ = h.Network().ResourceManager().ViewSystem(func(s network.ResourceScope) error {
		stat = s.Stat()
		return nil
	})
	return stat
}

// eventually waits for something nobody reports.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not so: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// attacker is a host of libp2p that keeps no rules.
func attacker(t *testing.T) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport), libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableMetrics(), libp2p.DisableRelay(), libp2p.DisableIdentifyAddressDiscovery())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// reach connects an attacker to a node.
func reach(t *testing.T, h host.Host, x *tester) error {
	t.Helper()
	i := peer.AddrInfo{ID: x.id}
	for _, s := range x.Self().Addrs {
		i.Addrs = append(i.Addrs, ma.StringCast(s))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return h.Connect(ctx, i)
}

// raw opens an exchange stream.
func raw(t *testing.T, h host.Host, x *tester) (network.Stream, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return h.NewStream(ctx, x.id, exchange.Protocol)
}

func tcpAddr(t *testing.T, x *tester) string {
	t.Helper()
	for _, s := range x.Self().Addrs {
		if p := strings.Split(s, "/"); len(p) == 5 && p[3] == "tcp" {
			return net.JoinHostPort(p[2], p[4])
		}
	}
	t.Fatal("no TCP address")
	return ""
}

// flood keeps n connections of TCP open, as speak leaves them.
func flood(t *testing.T, x *tester, n int, speak func(net.Conn)) (end func()) {
	t.Helper()
	at := tcpAddr(t, x)
	var conns []net.Conn
	for range n {
		c, err := net.Dial("tcp", at)
		if err != nil {
			continue // refused: that is one answer to a flood
		}
		speak(c)
		conns = append(conns, c)
	}
	return func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}
}

// TestHostileDials: connections that never say anything.
func TestHostileDials(t *testing.T) {
	siege(t, func(t *testing.T, x *tester) func() { return flood(t, x, 400, func(net.Conn) {}) })
}

// TestHostileHandshakes: connections that begin a handshake and stop in the middle of it.
func TestHostileHandshakes(t *testing.T) {
	siege(t, func(t *testing.T, x *tester) func() {
		return flood(t, x, 400, func(c net.Conn) {
			_, _ = c.Write([]byte("\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n\x16\x03\x01\x7f\xff\x01"))
		})
	})
}

// TestHostilePackets: noise for the QUIC listener. It takes the five seconds that a handshake may.
func TestHostilePackets(t *testing.T) {
	if os.Getenv("CURBSIDE_HEAVY") == "" {
		t.Skip("SKIP CURBSIDE_HEAVY is not set: QUIC noise is not tested")
	}
	siege(t, func(t *testing.T, x *tester) func() {
		for _, s := range x.Self().Addrs {
			p := strings.Split(s, "/")
			if p[3] != "udp" {
				continue
			}
			c, err := net.Dial("udp", net.JoinHostPort(p[2], p[4]))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3000 {
				b := make([]byte, 1200)
				b[0], b[4], b[5] = 0xc0, 1, 8 // an Initial packet of version 1, to whomever
				binary.BigEndian.PutUint32(b[6:], uint32(i))
				_, _ = c.Write(b)
			}
			_ = c.Close()
		}
		return func() {}
	})
}

// TestHostileChurn: many PeerIDs come and go.
func TestHostileChurn(t *testing.T) {
	siege(t, func(t *testing.T, x *tester) func() {
		var up []host.Host
		for i := range 60 {
			h := attacker(t)
			if reach(t, h, x) == nil {
				if s, err := raw(t, h, x); err == nil {
					_, _ = s.Write([]byte{0})
				}
			}
			if i%2 == 0 {
				_ = h.Close()
			} else {
				up = append(up, h)
			}
		}
		return func() {
			for _, h := range up {
				_ = h.Close()
			}
		}
	})
}

// TestHostileStreams: streams of several peers that prove nothing and are held open; beyond the
// few that are heard all are reset.
func TestHostileStreams(t *testing.T) {
	siege(t, func(t *testing.T, x *tester) func() {
		var hosts []host.Host
		refused := 0
		for range 8 {
			h := attacker(t)
			hosts = append(hosts, h)
			if err := reach(t, h, x); err != nil {
				t.Fatal(err)
			}
			for range 100 {
				s, err := raw(t, h, x)
				if err != nil {
					refused++
					continue
				}
				_, _ = s.Write([]byte{0, 0}) // the beginning of a length
			}
		}
		x.mu.Lock()
		held := 0
		for _, n := range x.unproven {
			held += n
		}
		x.mu.Unlock()
		t.Logf("%d streams are heard, %d were refused at once", held, refused)
		if held > unprovenIn {
			t.Errorf("%d unproven streams are heard", held)
		}
		return func() {
			for _, h := range hosts {
				_ = h.Close()
			}
		}
	})
}

// TestHostileFrames: frames that say they are longer than any may be, and ones that are almost
// that long and never end: no memory is taken on their word.
func TestHostileFrames(t *testing.T) {
	siege(t, func(t *testing.T, x *tester) func() {
		h := attacker(t)
		if err := reach(t, h, x); err != nil {
			t.Fatal(err)
		}
		for _, length := range []uint32{1<<32 - 1, 1 << 30, 1<<20 + 64<<10 + 1} {
			s, err := raw(t, h, x)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = s.Write(binary.BigEndian.AppendUint32(nil, length))
			_ = s.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, s); err != nil && strings.Contains(err.Error(), "deadline") {
				t.Errorf("a frame of %d bytes is waited for", length)
			}
		}
		for range unprovenPeer {
			if s, err := raw(t, h, x); err == nil {
				_, _ = s.Write(append(binary.BigEndian.AppendUint32(nil, 1<<20), 1))
			}
		}
		return func() { _ = h.Close() }
	})
}

// slow is a stream whose reader has gone to sleep.
type slow struct {
	stream
	left atomic.Int64
	wake chan struct{}
}

func (s *slow) Read(p []byte) (int, error) {
	if s.left.Load() <= 0 {
		<-s.wake
		return 0, io.EOF
	}
	n, err := s.stream.Read(p)
	s.left.Add(int64(-n))
	return n, err
}

// TestHostileReader: contacts that ask for everything and read nothing. Each costs a window, and
// whoever reads is served.
func TestHostileReader(t *testing.T) {
	siege(t, func(t *testing.T, x *tester) func() {
		ctx, cancel := context.WithCancel(t.Context())
		var ended []chan struct{}
		wake := make(chan struct{})
		var hosts []host.Host
		var evils []*exchangetest.Local
		for range 6 {
			evils = append(evils, exchangetest.New(t))
			exchangetest.Befriend(x.local, evils[len(evils)-1])
		}
		id := x.local.Found("evil", evils...)
		for k := range 24 {
			bid, length := x.local.Offer(id, uint32(k), 1<<20)
			for _, evil := range evils {
				evil.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: 3})
			}
		}
		for _, evil := range evils {
			h := attacker(t)
			hosts = append(hosts, h)
			if err := reach(t, h, x); err != nil {
				t.Fatal(err)
			}
			s, err := raw(t, h, x)
			if err != nil {
				t.Fatal(err)
			}
			lazy := &slow{stream: stream{s}, wake: wake}
			lazy.left.Store(256 << 10)
			done := make(chan struct{})
			ended = append(ended, done)
			go func() {
				defer close(done)
				_ = exchange.New(exchange.Config{
					Initiator: true, Self: identity.PeerID(h.ID()), Peer: identity.PeerID(x.id), Local: evil, Clock: clock{}, Software: "evil",
				}).Run(ctx, lazy)
			}()
		}
		for range 6 {
			wait(t, "session", x.up)
		}
		return func() {
			cancel()
			close(wake)
			for _, d := range ended {
				wait(t, "end of a session", d)
			}
			for _, h := range hosts {
				_ = h.Close()
			}
		}
	})
}
