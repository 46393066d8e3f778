package peering

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
)

// TestBreak: the connection is cut again and again while a study is under way; all of
// it arrives, no verified leaf is fetched twice, and what is said meanwhile arrives too.
func TestBreak(t *testing.T) {
	t.Parallel()
	a, b := start(t, nil), start(t, nil)
	exchangetest.Befriend(a.local, b.local)
	id := a.local.Found("case", b.local)
	a.meet(b)
	b.meet(a)
	b.level(id, 1)
	const blobs, cuts = 120, 3
	got := make(chan blob.ID, blobs)
	var whole atomic.Int32
	b.local.OnStore = func(x blob.ID) {
		if n := whole.Add(1); n%(blobs/(cuts+1)) == 0 && n < blobs {
			h, _, err := b.running()
			if err == nil {
				go func() { _ = h.Network().ClosePeer(a.id) }()
			}
		}
		got <- x
	}
	total := 0
	for i := range blobs {
		bid, length := a.local.Offer(id, uint32(i), 200_000)
		b.local.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: 3})
		total += int(length)
	}
	b.Wanted()
	for range blobs {
		wait(t, "blob", got)
		if whole.Load()%7 == 0 {
			a.local.Say(id, "meanwhile")
		}
	}
	b.level(id, a.local.Count(id))
	if n := b.local.StoredBytes(); n != total {
		t.Errorf("stored %d bytes of %d", n, total)
	}
}

// TestUnprovenStreams: a peer may not hold more than a few streams without a proof.
func TestUnprovenStreams(t *testing.T) {
	t.Parallel()
	a, b := start(t, nil), start(t, nil)
	h, ctx, err := b.running()
	if err != nil {
		t.Fatal(err)
	}
	var streams []network.Stream
	for range unprovenPeer {
		s, err := open(ctx, h, targets(addrsOf(a), b.id)[0])
		if err != nil {
			t.Fatal(err)
		}
		hello := make([]byte, 8)
		if _, err := s.Write([]byte{0, 0}); err != nil { // a negotiation is only over with the first bytes
			t.Fatal(err)
		}
		if _, err := s.Read(hello); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	s, err := open(ctx, h, targets(addrsOf(a), b.id)[0])
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.Write([]byte{0, 0})
	if _, err := s.Read(make([]byte, 8)); err == nil {
		t.Error("one stream too many was served")
	}
	for _, s := range streams {
		_ = s.Reset()
	}
}

// TestOneAddress: fourteen workstations share one address that is not loopback, which
// the default limits of libp2p exempt: with those exactly eight would connect.
func TestOneAddress(t *testing.T) {
	t.Parallel()
	ip := outsideAddr()
	if ip == "" {
		t.Skip("SKIP no address but loopback: limits per address are not tested")
	}
	listen := func(c *Config) { c.Listen = []string{net.JoinHostPort(ip, "0")} }
	hub := start(t, listen)
	const stations = 14
	for range stations {
		x := start(t, listen)
		exchangetest.Befriend(hub.local, x.local)
		x.meet(hub)
	}
	for range stations {
		wait(t, "session", hub.up)
	}
}

// outsideAddr is an IPv4 address of this host that others could reach.
func outsideAddr() string {
	for _, p := range interfacePrefixesOf() {
		if a := p.Addr(); a.Is4() && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			return a.String()
		}
	}
	return ""
}

func interfacePrefixesOf() []netip.Prefix {
	as, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Prefix
	for _, a := range as {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p)
		}
	}
	return out
}
