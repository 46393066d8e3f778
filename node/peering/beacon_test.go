package peering

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func addrList(t testing.TB, s string) []ma.Multiaddr {
	t.Helper()
	var out []ma.Multiaddr
	for x := range strings.FieldsSeq(s) {
		out = append(out, ma.StringCast(x))
	}
	return out
}

// TestBeacon: what was said is heard, is never longer than it may be, and a flipped bit anywhere
// makes it nothing.
func TestBeacon(t *testing.T) {
	t.Parallel()
	x := newNode(t)
	as := addrList(t, "/ip4/10.0.0.1/tcp/4001 /ip4/10.0.0.1/udp/4001/quic-v1 /ip6/fd00::1/tcp/4001")
	p, err := encodeBeacon(x.key, x.id, 7, as)
	if err != nil {
		t.Fatal(err)
	}
	b, check, err := openBeacon(p)
	if err != nil || check() != nil || peer.ID(b.PeerID) != x.id || b.Number != 7 || len(b.addrs()) != 3 {
		t.Fatalf("%+v, %v", b, err)
	}
	for i := range p {
		q := bytes.Clone(p)
		q[i] ^= 1
		if _, check, err := openBeacon(q); err == nil && check() == nil {
			t.Errorf("byte %d may be another", i)
		}
	}
	for range 100 {
		as = append(as, as...)
		if len(as) > 1000 {
			break
		}
	}
	if p, err = encodeBeacon(x.key, x.id, 8, as); err != nil || len(p) > beaconMax {
		t.Errorf("%d bytes, %v", len(p), err)
	}
}

// TestBeaconAddrs: a beacon leads to the LAN only, whatever it says.
func TestBeaconAddrs(t *testing.T) {
	t.Parallel()
	x := newNode(t)
	p, err := encodeBeacon(x.key, x.id, 1, addrList(t, "/ip4/8.8.8.8/tcp/53 /ip4/127.0.0.1/tcp/22 /ip4/10.9.8.7/tcp/4001"))
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := openBeacon(p)
	if as := b.addrs(); err != nil || len(as) != 1 || as[0].String() != "/ip4/10.9.8.7/tcp/4001" {
		t.Errorf("%v, %v", as, err)
	}
}

// TestHearing: of a flood a few are looked at, a copy never twice, and a clock put back is forgiven.
func TestHearing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := hearing{last: map[peer.ID]lastBeacon{}, at: now}
	handled := 0
	for i := range 10_000 {
		if r.allow(now.Add(time.Duration(i) * time.Millisecond)) {
			handled++
		}
	}
	if handled < 9*beaconRate || handled > 11*beaconRate {
		t.Errorf("%d of 10,000 in ten seconds were handled", handled)
	}
	r.note("a", 5, now)
	for _, tc := range []struct {
		number uint64
		after  time.Duration
		want   bool
	}{{5, 0, false}, {4, time.Second, false}, {6, time.Second, true}, {1, beaconForget + time.Second, true}} {
		if got := r.fresh("a", tc.number, now.Add(tc.after)); got != tc.want {
			t.Errorf("number %d after %v: %v", tc.number, tc.after, got)
		}
	}
	for i := range targetsMax + 10 {
		r.note(peer.ID(rune(i)), 1, now)
	}
	if len(r.last) > targetsMax {
		t.Errorf("%d peers are remembered", len(r.last))
	}
}

func TestBroadcast(t *testing.T) {
	for in, want := range map[string]string{
		"10.88.0.3/24": "10.88.0.255", "10.1.2.3/8": "10.255.255.255", "192.168.1.130/25": "192.168.1.255",
		"10.0.0.1/32": "", "fd00::1/64": "", "172.16.5.1/20": "172.16.15.255",
	} {
		got, ok := broadcastOf(netip.MustParsePrefix(in))
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func TestAddrsAt(t *testing.T) {
	listen := addrList(t, "/ip4/0.0.0.0/tcp/4001 /ip6/::/udp/4001/quic-v1 /ip4/10.0.0.2/tcp/7")
	var ps []netip.Prefix
	for _, s := range []string{"10.0.0.1/24", "10.0.0.2/24", "fe80::1/64", "fd00::1/64"} {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	var got []string
	for _, a := range addrsAt(listen, ps) {
		got = append(got, a.String())
	}
	if s := strings.Join(got, " "); s != "/ip4/10.0.0.1/tcp/4001 /ip4/10.0.0.2/tcp/4001 /ip4/10.0.0.2/tcp/7 /ip6/fd00::1/udp/4001/quic-v1" {
		t.Errorf("got %s", s)
	}
}

func FuzzBeacon(f *testing.F) {
	x := newNode(f)
	p, err := encodeBeacon(x.key, x.id, 1, addrList(f, "/ip4/10.0.0.1/tcp/4001"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Fuzz(func(_ *testing.T, p []byte) {
		if b, check, err := openBeacon(p); err == nil {
			_ = check()
			_ = b.addrs()
		}
	})
}

// newNode is one that does not run.
func newNode(tb testing.TB) *Node {
	tb.Helper()
	key, err := NewKey()
	if err != nil {
		tb.Fatal(err)
	}
	n, err := New(Config{Key: key, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}
