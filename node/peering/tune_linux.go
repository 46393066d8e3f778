package peering

import (
	"syscall"

	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/sys/unix"
)

// unsentMax is TCP_NOTSENT_LOWAT: what the kernel takes beyond what is in flight. An
// urgent range waits behind it (NETWORK §9).
const unsentMax = 128 << 10

// tune asks for bbr, which carries sixty times what cubic does at 1 % loss, and keeps
// the send queue short. A refusal is normal: many systems allow only reno and cubic.
func tune(c manet.Conn) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "bbr")
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMax)
	})
}

// congestion names the congestion control of a connection.
func congestion(c manet.Conn) string {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return ""
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return ""
	}
	var name string
	_ = raw.Control(func(fd uintptr) {
		name, _ = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	})
	return name
}
