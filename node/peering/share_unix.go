//go:build unix

package peering

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// shareAddr lets several nodes on a machine hear beacons: each socket gets its copy of a
// multicast or a broadcast.
func shareAddr(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = errors.Join(
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	})
	return errors.Join(set, err)
}
