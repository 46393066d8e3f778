package peering

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// dialTCP connects to a node below libp2p.
func dialTCP(t *testing.T, x *tester) net.Conn {
	t.Helper()
	for _, s := range x.Self().Addrs {
		a := ma.StringCast(s)
		if _, err := a.ValueForProtocol(ma.P_TCP); err != nil {
			continue
		}
		nw, addr, err := manet.DialArgs(a)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial(nw, addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	t.Fatal("no TCP address")
	return nil
}

// propose asks for a protocol as multistream-select does and returns the answer.
func propose(t *testing.T, c net.Conn, protocol string) string {
	t.Helper()
	send := func(s string) {
		b := binary.AppendUvarint(nil, uint64(len(s)+1))
		if _, err := c.Write(append(append(b, s...), '\n')); err != nil {
			t.Fatal(err)
		}
	}
	r := bufio.NewReaderSize(oneByte{c}, 16) // must not read into what follows
	recv := func() string {
		n, err := binary.ReadUvarint(r)
		if err != nil || n > 1024 {
			t.Fatal(n, err)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(b), "\n")
	}
	send("/multistream/1.0.0")
	send(protocol)
	if got := recv(); got != "/multistream/1.0.0" {
		t.Fatalf("multistream: %q", got)
	}
	return recv()
}

// oneByte reads no more than asked.
type oneByte struct{ io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

// TestNoNoise: FORMATS §2.1, the transport is TLS 1.3 with X25519MLKEM768, and Noise,
// whose recorded sessions a quantum computer would open, is not there to be chosen.
func TestNoNoise(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	for _, p := range []string{"/noise", "/plaintext/2.0.0", "/secio/1.0.0"} {
		if got := propose(t, dialTCP(t, x), p); got != "na" {
			t.Errorf("%s: %q", p, got)
		}
	}
	c := dialTCP(t, x)
	if got := propose(t, c, libp2ptls.ID); got != libp2ptls.ID {
		t.Fatalf("tls: %q", got)
	}
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	k, err := crypto.UnmarshalPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	id, err := libp2ptls.NewIdentity(k)
	if err != nil {
		t.Fatal(err)
	}
	cfg, _ := id.ConfigForPeer(x.id)
	conn := tls.Client(c, cfg)
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	st := conn.ConnectionState()
	if st.CurveID != tls.X25519MLKEM768 || st.Version != tls.VersionTLS13 {
		t.Errorf("negotiated %v, version %x", st.CurveID, st.Version)
	}
	_ = conn.Close()
}

// TestProtocols: a node offers the exchange and what libp2p needs, no ping and no metrics.
func TestProtocols(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	h, _, err := x.running()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range h.Mux().Protocols() {
		if s := string(p); strings.Contains(s, "ping") || strings.Contains(s, "kad") || strings.Contains(s, "noise") {
			t.Errorf("offers %s", s)
		}
	}
}

func TestListenAddrs(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want string
	}{
		{"127.0.0.1:4001", "/ip4/127.0.0.1/tcp/4001 /ip4/127.0.0.1/udp/4001/quic-v1"},
		{"localhost:0", "/ip4/127.0.0.1/tcp/0 /ip4/127.0.0.1/udp/0/quic-v1"},
		{"[::1]:7", "/ip6/::1/tcp/7 /ip6/::1/udp/7/quic-v1"},
		{":9", "/ip4/0.0.0.0/tcp/9 /ip4/0.0.0.0/udp/9/quic-v1 /ip6/::/tcp/9 /ip6/::/udp/9/quic-v1"},
		{"/ip4/10.77.0.1/tcp/4001", "/ip4/10.77.0.1/tcp/4001"},
		{"example.org:1", ""},
		{"127.0.0.1:99999", ""},
		{"127.0.0.1", ""},
		{"/nothing/1", ""},
	} {
		as, _, err := listenAddrs([]string{tc.in})
		var got []string
		for _, a := range as {
			got = append(got, a.String())
		}
		if s := strings.Join(got, " "); s != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: got %q, %v", tc.in, s, err)
		}
	}
}

func TestAnnounce(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1"},
		{"/ip4/127.0.0.1/tcp/1 /ip4/203.0.113.7/tcp/1 /ip6/fe80::1/tcp/1", "/ip4/203.0.113.7/tcp/1"},
		{"/ip6/::1/udp/1/quic-v1 /ip4/192.168.1.2/tcp/1", "/ip4/192.168.1.2/tcp/1"},
	} {
		var as []ma.Multiaddr
		for s := range strings.FieldsSeq(tc.in) {
			as = append(as, ma.StringCast(s))
		}
		var got []string
		for _, a := range announce(as) {
			got = append(got, a.String())
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s: got %s", tc.in, s)
		}
	}
}

func TestRank(t *testing.T) {
	var as []ma.Multiaddr
	for _, s := range []string{
		"/ip4/198.51.100.1/tcp/1/p2p/12D3KooWGRUaGFUDLwqeVnFBgbC5mJCxgUXHKu8nkrmrNM1a9Afv/p2p-circuit",
		"/ip4/203.0.113.7/udp/1/quic-v1", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/10.0.0.1/tcp/1", "/ip4/203.0.113.7/tcp/1",
	} {
		as = append(as, ma.StringCast(s))
	}
	var got []string
	for _, d := range rank(as) {
		kind := "tcp"
		if isQUIC(d.Addr) {
			kind = "quic"
		}
		if isRelayed(d.Addr) {
			kind = "relay"
		}
		got = append(got, fmt.Sprint(kind, " ", d.Delay))
	}
	if s := strings.Join(got, ", "); s != "tcp 0s, tcp 0s, quic 100ms, quic 250ms, relay 500ms" {
		t.Errorf("got %s", s)
	}
}

func TestGate(t *testing.T) {
	lan := gate{lanOnly: true, wanted: func(id peer.ID) bool { return id == "friend" }}
	open := gate{wanted: lan.wanted}
	public, far := ma.StringCast("/ip4/203.0.113.7/tcp/1"), ma.StringCast("/ip4/10.254.253.252/tcp/1")
	relayed := ma.StringCast("/ip4/10.0.0.1/tcp/1/p2p/12D3KooWGRUaGFUDLwqeVnFBgbC5mJCxgUXHKu8nkrmrNM1a9Afv/p2p-circuit")
	for _, tc := range []struct {
		name string
		g    gate
		p    peer.ID
		a    ma.Multiaddr
		want bool
	}{
		{"lan only, public", lan, "friend", public, false},
		{"lan only, private", lan, "friend", far, true},
		{"lan only, a relay on the LAN", lan, "friend", relayed, false},
		{"public", open, "stranger", public, true},
		{"a stranger's private address elsewhere", open, "stranger", far, false},
		{"a friend's private address elsewhere", open, "friend", far, true},
	} {
		if got := tc.g.InterceptAddrDial(tc.p, tc.a); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}

// TestPortTaken: a second node on a machine takes another port, one that was
// told its port says so.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Config{Key: key, Listen: []string{l.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}
