package peering

import (
	"context"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/tcpreuse"
	manet "github.com/multiformats/go-multiaddr/net"
)

// upgrader sets socket options before a connection is secured, for dialled and
// accepted ones alike (NETWORK §3.3). tcp.WithDialerForAddr would stop dialling from
// the listening port, which hole punching needs.
type upgrader struct {
	transport.Upgrader
}

func (u upgrader) Upgrade(ctx context.Context, t transport.Transport, c manet.Conn, d network.Direction, p peer.ID, s network.ConnManagementScope) (transport.CapableConn, error) {
	tune(c)
	return u.Upgrader.Upgrade(ctx, t, c, d, p, s)
}

func (u upgrader) GateMaListener(l manet.Listener) transport.GatedMaListener {
	return u.Upgrader.GateMaListener(listener{l})
}

type listener struct{ manet.Listener }

func (l listener) Accept() (manet.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		tune(c)
	}
	return c, err
}

// newTCP is the TCP transport with sockets tuned.
func newTCP(up transport.Upgrader, rm network.ResourceManager, shared *tcpreuse.ConnMgr) (*tcp.TcpTransport, error) {
	return tcp.NewTCPTransport(upgrader{up}, rm, shared)
}
