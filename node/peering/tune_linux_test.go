package peering

import (
	"syscall"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/sys/unix"
)

// TestTune: the options take on dialled and accepted sockets; bbr only where the
// system allows it.
func TestTune(t *testing.T) {
	raw, err := manet.Listen(ma.StringCast("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		t.Fatal(err)
	}
	l := listener{raw}
	defer func() { _ = l.Close() }()
	accepted := make(chan manet.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			c = nil
		}
		accepted <- c
	}()
	d, err := manet.Dial(l.Multiaddr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	tune(d)
	c := <-accepted
	if c == nil {
		t.Fatal("not accepted")
	}
	defer func() { _ = c.Close() }()
	for name, conn := range map[string]manet.Conn{"dialled": d, "accepted": c} {
		if got := unsent(t, conn); got != unsentMax {
			t.Errorf("%s: TCP_NOTSENT_LOWAT %d", name, got)
		}
		t.Logf("%s: %s", name, congestion(conn))
	}
}

func unsent(t *testing.T, c manet.Conn) int {
	t.Helper()
	sc, ok := c.(syscall.Conn)
	if !ok {
		t.Fatalf("%T has no descriptor", c)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	_ = raw.Control(func(fd uintptr) {
		n, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
