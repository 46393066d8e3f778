package peering

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/curbside-p2p/curbside/protocol/exchange"
)

// serviceName is what the resource manager knows the exchange by.
const serviceName = "curbside.exchange"

// errInUse says that an address is taken, most likely by another node.
var (
	errBeyondLAN = errors.New("beyond the LAN")
	errInUse     = errors.New("address is in use")
)

// newHost makes the host of NETWORK §2.
func (n *Node) newHost() (host.Host, error) {
	listen, err := n.freeAddrs()
	if err != nil {
		return nil, err
	}
	var guard []func(network.ResourceManager) network.ResourceManager
	if n.cfg.LANOnly {
		guard = append(guard, func(rm network.ResourceManager) network.ResourceManager { return lanManager{rm} })
	}
	opts, err := Base(n.key, listen, connsLow, connsHigh, nil, guard...)
	if err != nil {
		return nil, err
	}
	opts = append(opts,
		libp2p.ConnectionGater(gate{lanOnly: n.cfg.LANOnly, wanted: n.wants, dial: n.cfg.dial}),
		libp2p.AddrsFactory(n.announced), libp2p.SwarmOpts(swarm.WithDialRanker(rank)))
	return libp2p.New(append(opts, n.reach(listen)...)...)
}

// Base is what every host of curbside is made of, a relay's too: transports with tuned
// sockets, TLS alone, windows and limits. The connection manager trims from high to low;
// more, if given, adds limits of further services; guards stand before the resource manager.
func Base(key crypto.PrivKey, listen []ma.Multiaddr, low, high int, more func(*rcmgr.ScalingLimitConfig), guards ...func(network.ResourceManager) network.ResourceManager) ([]libp2p.Option, error) {
	rm, err := resourceManager(more)
	if err != nil {
		return nil, err
	}
	for _, g := range guards {
		rm = g(rm)
	}
	cm, err := connmgr.NewConnManager(low, high, connmgr.WithGracePeriod(connsGrace))
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}
	mux := *yamux.DefaultTransport // a copy: DefaultTransport is global
	mux.InitialStreamWindowSize = streamWindow
	mux.ConnectionWriteTimeout = connWriteTime
	return []libp2p.Option{
		libp2p.Identity(key), libp2p.ListenAddrs(listen...),
		libp2p.Transport(newTCP),
		libp2p.Transport(libp2pquic.NewTransport),
		// No Noise: X25519 only, and recorded sessions must stay closed (FORMATS §2).
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Muxer(yamux.ID, &mux),
		libp2p.ResourceManager(rm), libp2p.ConnectionManager(cm),
		libp2p.UserAgent("curbside"), libp2p.ProtocolVersion("curbside/1"),
		libp2p.DisableMetrics(), libp2p.Ping(false),
	}, nil
}

// lanManager refuses connections from and to beyond the LAN before a handshake: the gate is asked
// about an accepted QUIC connection only after one, which tells who is here.
type lanManager struct{ network.ResourceManager }

func (m lanManager) OpenConnection(d network.Direction, usefd bool, at ma.Multiaddr) (network.ConnManagementScope, error) {
	if !onLAN(at) {
		return nil, errBeyondLAN
	}
	return m.ResourceManager.OpenConnection(d, usefd, at)
}

// reach is what takes a node beyond its LAN; nothing of it waits for an answer at start.
func (n *Node) reach(listen []ma.Multiaddr) []libp2p.Option {
	if n.cfg.LANOnly {
		return []libp2p.Option{libp2p.DisableRelay()}
	}
	if !slices.ContainsFunc(listen, func(a ma.Multiaddr) bool { return !manet.IsIPLoopback(a) }) {
		return nil // there is no way out of loopback
	}
	return []libp2p.Option{libp2p.EnableHolePunching(), libp2p.EnableAutoNATv2(), libp2p.NATPortMap()}
}

// freeAddrs is where to listen: as told, or where the default port is taken on any
// port, so that a second node on a machine just works.
func (n *Node) freeAddrs() ([]ma.Multiaddr, error) {
	for _, a := range n.listen {
		if portFree(a) {
			continue
		}
		if n.auto {
			n.log.Warn("default port is taken, using another", slog.Int("port", defaultPort))
			return portAddrs(0), nil
		}
		return nil, fmt.Errorf("listen on %s: %w", a, errInUse)
	}
	return n.listen, nil
}

// lan4 and lan6 are where new connections come as often as they like, and loopback, whose
// exemption setting these replaces. Of IPv6 all of a LAN is one prefix, and bounded as one; of
// IPv4 each address is, as anywhere.
var (
	lan4 = []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}
	lan6 = []string{"::1/128", "fc00::/7", "fe80::/10"}
)

func resourceManager(more func(*rcmgr.ScalingLimitConfig)) (network.ResourceManager, error) {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	all := rcmgr.BaseLimit{StreamsInbound: streamsIn, StreamsOutbound: streamsIn, Streams: 2 * streamsIn, Memory: exchangeMemory}
	one := rcmgr.BaseLimit{
		StreamsInbound: streamsPeer, StreamsOutbound: streamsPeer, Streams: 2 * streamsPeer,
		Memory: 2 * streamsPeer * sessionMemory,
	}
	limits.AddProtocolLimit(exchange.Protocol, all, rcmgr.BaseLimitIncrease{})
	limits.AddProtocolPeerLimit(exchange.Protocol, one, rcmgr.BaseLimitIncrease{})
	limits.AddServiceLimit(serviceName, all, rcmgr.BaseLimitIncrease{})
	limits.AddServicePeerLimit(serviceName, one, rcmgr.BaseLimitIncrease{})
	// Handshakes that somebody leaves half open last for seconds each, and the defaults let one
	// address fill the places of all (see hostile_test.go).
	limits.TransientBaseLimit.ConnsInbound, limits.TransientBaseLimit.Conns = handshakesIn, handshakesIn+connsPerLAN
	limits.SystemBaseLimit.ConnsInbound, limits.SystemBaseLimit.Conns = connsIn, connsIn+connsPerLAN
	mailboxLimits(&limits)
	if more != nil {
		more(&limits)
	}

	var p4, p6 []rcmgr.NetworkPrefixLimit
	var free []rate.PrefixLimit
	for _, s := range lan4 {
		p := netip.MustParsePrefix(s)
		if p.Addr().IsLoopback() {
			p4 = append(p4, rcmgr.NetworkPrefixLimit{Network: p, ConnCount: connsPerLAN})
		}
		free = append(free, rate.PrefixLimit{Prefix: p})
	}
	for _, s := range lan6 {
		p := netip.MustParsePrefix(s)
		p6 = append(p6, rcmgr.NetworkPrefixLimit{Network: p, ConnCount: connsPerLAN})
		free = append(free, rate.PrefixLimit{Prefix: p})
	}
	limit := rate.Limit{RPS: connRate, Burst: connBurst}
	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.AutoScale()),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsPerAddr}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsPerAddr}, {PrefixLength: 48, ConnCount: connsPerSite}}),
		rcmgr.WithNetworkPrefixLimit(p4, p6),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: free,
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: limit}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: limit}},
				GracePeriod:      time.Minute,
			},
		}),
		rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, fmt.Errorf("resource manager: %w", err)
	}
	return rm, nil
}

// wants says whether a peer is one of ours to dial wherever it says it is.
func (n *Node) wants(p peer.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.keepers[p]; ok || n.joining[p] > 0 {
		return true
	}
	return slices.ContainsFunc(n.boot, func(i peer.AddrInfo) bool { return i.ID == p }) ||
		slices.ContainsFunc(n.relays, func(i peer.AddrInfo) bool { return i.ID == p })
}
