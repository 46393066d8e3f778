package peering

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// serviceMDNS is what curbside nodes look for on a LAN.
const serviceMDNS = "_curbside._udp"

// found takes what mDNS finds. It never blocks, and comes again for each restart of a peer.
type found struct {
	n   *Node
	h   host.Host
	ctx context.Context //nolint:containedctx // zeroconf's callback has none
}

// HandlePeerFound keeps the addresses of a peer on the LAN and wakes its keeper.
func (f found) HandlePeerFound(i peer.AddrInfo) {
	if i.ID == f.n.id || len(i.Addrs) == 0 {
		return
	}
	f.h.Peerstore().AddAddrs(i.ID, i.Addrs[:min(len(i.Addrs), foundMax)], mdnsAddrTime)
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	if f.n.host == nil {
		return
	}
	if k, ok := f.n.keepers[i.ID]; ok {
		k.kick()
	} else if (f.n.dht != nil || f.n.lister != nil) && len(f.n.lanDials) < cap(f.n.lanDials) {
		// A connection is all that the DHT and the directory need to come to life on a LAN.
		f.n.lanDials <- struct{}{}
		f.n.work.Go(func() {
			defer func() { <-f.n.lanDials }()
			ctx, cancel := context.WithTimeout(f.ctx, dialTime)
			defer cancel()
			_ = f.h.Connect(ctx, peer.AddrInfo{ID: i.ID})
		})
	}
}

// lanHost is the host as mDNS announces it: the service takes interface addresses
// past the AddrsFactory, loopback among them, and others would dial themselves.
type lanHost struct{ host.Host }

func (h lanHost) Network() network.Network { return lanNetwork{h.Host.Network()} }

type lanNetwork struct{ network.Network }

func (n lanNetwork) InterfaceListenAddresses() ([]ma.Multiaddr, error) {
	as, err := n.Network.InterfaceListenAddresses()
	return announce(as), err
}

// supervise keeps mDNS on the interfaces there are now: libp2p's service freezes its
// records at start, and fails for good if it starts without a network (NETWORK §5).
func (n *Node) supervise(ctx context.Context, h host.Host) {
	var service mdns.Service
	closeService := func() {
		if service != nil {
			_ = service.Close()
			service = nil
		}
	}
	defer closeService()
	start := func() {
		closeService()
		n.lanState("only loopback is listened on")
		if !n.cfg.MDNS || !slices.ContainsFunc(h.Network().ListenAddresses(), func(a ma.Multiaddr) bool { return !manet.IsIPLoopback(a) }) {
			return
		}
		s := mdns.NewMdnsService(lanHost{h}, serviceMDNS, found{n, h, ctx})
		if err := s.Start(); err != nil {
			n.log.DebugContext(ctx, "mdns not started", attrError(err))
			_ = s.Close()
			n.lanState("no network interface carries multicast")
			return
		}
		n.lanState("")
		service = s
	}
	before := networks()
	start()
	again := time.NewTimer(mdnsAgain)
	again.Stop() // armed by a change
	defer again.Stop()
	moved, stop := n.moves(h)
	defer stop()
	tick := time.NewTicker(mdnsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-moved:
			if !ok {
				moved = nil
			} else if n.cfg.Moved != nil {
				n.cfg.Moved()
			}
		case <-again.C:
			start()
		case <-tick.C:
			now := networks()
			if slices.Equal(before, now) {
				if service == nil {
					start() // there was no network to start on
				}
				continue
			}
			before = now
			n.log.InfoContext(ctx, "network changed")
			start()
			again.Reset(mdnsAgain)
			n.dropStale()
			n.kickAll()
		}
	}
}

// moves tells when the node's addresses change.
func (n *Node) moves(h host.Host) (<-chan any, func()) {
	sub, err := h.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
	if err != nil {
		n.log.Warn("addresses are not watched", attrError(err))
		return nil, func() {}
	}
	return sub.Out(), func() { _ = sub.Close() }
}

func (n *Node) lanState(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lan = s
}

// dropStale closes connections from addresses this host no longer has: nothing comes
// of waiting for them.
func (n *Node) dropStale() {
	nets := interfacePrefixes(func(string) bool { return true })
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.sessions {
		if !isRelayed(s.conn.RemoteMultiaddr()) && !within(s.conn.LocalMultiaddr(), nets) {
			s.cancel()
			n.work.Go(func() { _ = s.conn.Close() })
		}
	}
}

// networks lists the addresses of all interfaces, to see a change.
func networks() []string {
	var out []string
	for _, p := range interfacePrefixes(func(string) bool { return true }) {
		out = append(out, p.String())
	}
	slices.Sort(out)
	return out
}
