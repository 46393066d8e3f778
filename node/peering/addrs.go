package peering

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// defaultPort is where a node listens unless told otherwise, NETWORK §2.
const defaultPort = 4001

// errListen names a listen address nobody can listen on.
var errListen = errors.New("neither a multiaddr nor HOST:PORT")

// listenAddrs reads listen addresses; auto says that none was given.
func listenAddrs(given []string) (addrs []ma.Multiaddr, auto bool, err error) {
	if len(given) == 0 {
		return portAddrs(defaultPort), true, nil
	}
	for _, g := range given {
		as, err := listenAddr(g)
		if err != nil {
			return nil, false, fmt.Errorf("listen on %q: %w", g, err)
		}
		addrs = append(addrs, as...)
	}
	return addrs, false, nil
}

// portAddrs is a port on every address, TCP and QUIC.
func portAddrs(port int) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, ip := range []string{"/ip4/0.0.0.0", "/ip6/::"} {
		out = append(out,
			ma.StringCast(fmt.Sprintf("%s/tcp/%d", ip, port)),
			ma.StringCast(fmt.Sprintf("%s/udp/%d/quic-v1", ip, port)))
	}
	return out
}

func listenAddr(s string) ([]ma.Multiaddr, error) {
	if strings.HasPrefix(s, "/") {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, errListen
		}
		return []ma.Multiaddr{a}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return nil, errListen
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, errListen
	}
	if host == "" {
		return portAddrs(int(n)), nil
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, errListen
	}
	base := "/ip4/"
	if ip.Is6() {
		base = "/ip6/"
	}
	base += ip.String()
	return []ma.Multiaddr{
		ma.StringCast(fmt.Sprintf("%s/tcp/%d", base, n)),
		ma.StringCast(fmt.Sprintf("%s/udp/%d/quic-v1", base, n)),
	}, nil
}

// ParseListen reads listen addresses, multiaddrs or HOST:PORT for TCP and QUIC; none is
// port 4001 everywhere.
func ParseListen(given []string) ([]ma.Multiaddr, error) {
	addrs, _, err := listenAddrs(given)
	return addrs, err
}

// ParsePeers reads multiaddrs that end in /p2p/; those of self are left out.
func ParsePeers(given []string, self peer.ID) ([]peer.AddrInfo, error) { return peerAddrs(given, self) }

// peerAddrs reads multiaddrs that end in /p2p/; one's own is left out.
func peerAddrs(given []string, self peer.ID) ([]peer.AddrInfo, error) {
	var as []ma.Multiaddr
	for _, g := range given {
		a, err := ma.NewMultiaddr(g)
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", g, err)
		}
		as = append(as, a)
	}
	infos, err := peer.AddrInfosFromP2pAddrs(as...)
	if err != nil {
		return nil, fmt.Errorf("addresses need a /p2p/ part: %w", err)
	}
	return slices.DeleteFunc(infos, func(i peer.AddrInfo) bool { return i.ID == self }), nil
}

// portFree says whether nobody listens on a TCP port. libp2p listens with
// SO_REUSEPORT, so two nodes on one machine would both get it, and half of each
// other's connections.
func portFree(a ma.Multiaddr) bool {
	nw, addr, err := manet.DialArgs(a)
	if err != nil || !strings.HasPrefix(nw, "tcp") || strings.HasSuffix(addr, ":0") {
		return true
	}
	l, err := net.Listen(nw, addr) //nolint:noctx // it listens for no time at all
	if err != nil {
		return !isInUse(err)
	}
	_ = l.Close()
	return true
}

// announce is what cards, mDNS and identify say of our addresses, NETWORK §4.4:
// never loopback, unless there is nothing else; no link-local; no container bridges,
// unless there is nothing else.
func announce(as []ma.Multiaddr) []ma.Multiaddr {
	bridges := bridgePrefixes()
	loop := slices.DeleteFunc(slices.Clone(as), func(a ma.Multiaddr) bool { return !manet.IsIPLoopback(a) })
	rest := slices.DeleteFunc(slices.Clone(as), func(a ma.Multiaddr) bool {
		return manet.IsIPLoopback(a) || manet.IsIP6LinkLocal(a) || manet.IsIPUnspecified(a)
	})
	if len(rest) == 0 {
		return loop
	}
	outside := slices.DeleteFunc(slices.Clone(rest), func(a ma.Multiaddr) bool { return within(a, bridges) })
	if len(outside) == 0 {
		return rest
	}
	return outside
}

// selfAddrs are a host's own addresses. libp2p's list of those of interfaces is up to a minute old;
// what it adds, a relay's or a router's, is kept.
func selfAddrs(h host.Host) []ma.Multiaddr {
	now := announce(freshAddrs(h.Network().ListenAddresses()))
	for _, a := range h.Addrs() {
		if (isRelayed(a) || manet.IsPublicAddr(a)) && !slices.ContainsFunc(now, a.Equal) {
			now = append(now, a)
		}
	}
	return now
}

// bridgeNames start the names of interfaces that lead to containers and virtual
// machines on this host only.
var bridgeNames = []string{"docker", "br-", "virbr", "podman", "cni", "veth", "vmnet", "lxc"}

func isBridge(name string) bool {
	return slices.ContainsFunc(bridgeNames, func(b string) bool { return strings.HasPrefix(name, b) })
}

func bridgePrefixes() []netip.Prefix { return interfacePrefixes(isBridge) }

// interfacePrefixes lists the networks of the interfaces that are up.
func interfacePrefixes(take func(name string) bool) []netip.Prefix {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var out []netip.Prefix
	for _, i := range ifs {
		if i.Flags&net.FlagUp == 0 || !take(i.Name) {
			continue
		}
		as, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range as {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				out = append(out, p.Masked())
			}
		}
	}
	return out
}

func within(a ma.Multiaddr, ps []netip.Prefix) bool {
	ip, err := manet.ToIP(a)
	if err != nil {
		return false
	}
	addr, ok := netip.AddrFromSlice(ip)
	return ok && slices.ContainsFunc(ps, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
}

// reachable says whether an address that strangers told us is worth a packet: a
// private one only if an interface of ours lies in its network. Dialling leaked
// private addresses looks like a port scan (NETWORK §4.4).
func reachable(a ma.Multiaddr) bool {
	if isRelayed(a) || !manet.IsPrivateAddr(a) {
		return true
	}
	return onLink(a)
}

func isRelayed(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

func isQUIC(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_QUIC_V1)
	return err == nil
}

// onLAN says whether an address is of this host, a private network or the same link:
// some hospitals have public addresses inside.
func onLAN(a ma.Multiaddr) bool {
	if isRelayed(a) {
		return false
	}
	return manet.IsPrivateAddr(a) || manet.IsIPLoopback(a) || manet.IsIP6LinkLocal(a) || onLink(a)
}

// onLink says whether an interface of ours lies in an address's network.
func onLink(a ma.Multiaddr) bool { return within(a, links.now()) }

// links are the networks of the interfaces, asked of the system once a second: the DHT weighs
// hundreds of addresses a look-up.
var links linkCache

type linkCache struct {
	mu sync.Mutex // guards all below
	at time.Time
	ps []netip.Prefix
}

func (l *linkCache) now() []netip.Prefix {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.at) > time.Second {
		l.ps, l.at = interfacePrefixes(func(string) bool { return true }), now
	}
	return l.ps
}

// rank orders dials, NETWORK §3.4: TCP first, since a core moves two to four times
// as much over it, QUIC a little later, relays last.
func rank(as []ma.Multiaddr) []network.AddrDelay {
	out := make([]network.AddrDelay, 0, len(as))
	direct := slices.ContainsFunc(as, func(a ma.Multiaddr) bool { return !isRelayed(a) })
	for _, a := range as {
		d := network.AddrDelay{Addr: a}
		switch {
		case isRelayed(a) && direct:
			d.Delay = relayDelay
		case isQUIC(a) && onLAN(a):
			d.Delay = quicDelayLAN
		case isQUIC(a):
			d.Delay = quicDelay
		}
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(x, y network.AddrDelay) int { return cmp.Compare(x.Delay, y.Delay) })
	return out
}

// gate keeps --lan-only on the LAN and strangers' private addresses undialled. It
// never gates peers: who is served is the exchange's to say.
type gate struct {
	lanOnly bool
	wanted  func(peer.ID) bool
	dial    func(peer.ID, ma.Multiaddr) bool // or nil
}

func (g gate) InterceptPeerDial(peer.ID) bool { return true }

func (g gate) InterceptAddrDial(p peer.ID, a ma.Multiaddr) bool {
	if g.lanOnly && !onLAN(a) || g.dial != nil && !g.dial(p, a) {
		return false
	}
	return g.wanted(p) || reachable(a)
}

func (g gate) InterceptAccept(c network.ConnMultiaddrs) bool {
	return !g.lanOnly || onLAN(c.RemoteMultiaddr())
}

func (g gate) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool { return true }

func (g gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// pathOf names how a connection reaches its peer.
func pathOf(a ma.Multiaddr) string {
	switch {
	case isRelayed(a):
		return "relay"
	case onLAN(a):
		return "lan"
	default:
		return "direct"
	}
}

// jitter spreads a wait over a quarter of it either way.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2)) //nolint:gosec // nobody gains by guessing it
}
