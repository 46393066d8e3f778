//go:build !linux

package peering

import manet "github.com/multiformats/go-multiaddr/net"

// tune does nothing: here the system's congestion control is used.
func tune(manet.Conn) {}
