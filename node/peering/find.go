package peering

import (
	"context"
	"fmt"
	"net"
	"net/netip"
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
	n *Node
	h host.Host
}

// HandlePeerFound keeps the addresses of a peer on the LAN and wakes its keeper.
func (f found) HandlePeerFound(i peer.AddrInfo) {
	if i.ID != f.n.id && len(i.Addrs) > 0 {
		f.n.lanFound(f.h, i)
	}
}

// minds says whether a peer on the LAN would be dialled: one that is wanted, or any where the DHT
// or the directory has a use for it.
func (n *Node) minds(id peer.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.keepers[id]
	return ok || n.dht != nil || n.lister != nil
}

// lanFound takes the addresses of a peer on the LAN, as mDNS or a beacon says.
func (n *Node) lanFound(h host.Host, i peer.AddrInfo) {
	h.Peerstore().AddAddrs(i.ID, i.Addrs[:min(len(i.Addrs), foundMax)], mdnsAddrTime)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.host == nil {
		return
	}
	if k, ok := n.keepers[i.ID]; ok {
		k.kick()
	} else if (n.dht != nil || n.lister != nil) && len(n.lanDials) < cap(n.lanDials) {
		// A connection is all that the DHT and the directory need to come to life on a LAN.
		ctx := n.ctx
		n.lanDials <- struct{}{}
		n.work.Go(func() {
			defer func() { <-n.lanDials }()
			ctx, cancel := context.WithTimeout(ctx, dialTime)
			defer cancel()
			_ = h.Connect(ctx, peer.AddrInfo{ID: i.ID})
		})
	}
}

// lanHost is the host as mDNS announces it: the service takes interface addresses
// past the AddrsFactory, loopback among them, and others would dial themselves.
type lanHost struct{ host.Host }

func (h lanHost) Network() network.Network { return lanNetwork{h.Host.Network()} }

type lanNetwork struct{ network.Network }

// InterfaceListenAddresses are the addresses of this moment: libp2p's own list is up to a minute
// old, and mDNS freezes what it gets.
func (n lanNetwork) InterfaceListenAddresses() ([]ma.Multiaddr, error) {
	return announce(freshAddrs(n.ListenAddresses())), nil
}

// freshAddrs are the addresses that listeners have now.
func freshAddrs(listen []ma.Multiaddr) []ma.Multiaddr {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var out []ma.Multiaddr
	for i := range ifs {
		if ifs[i].Flags&net.FlagUp != 0 {
			out = append(out, addrsAt(listen, prefixesOf(&ifs[i]))...)
		}
	}
	return out
}

// discovery is what looks for peers on the LAN. The goroutine of supervise has it.
type discovery struct {
	n      *Node
	h      host.Host
	mdns   mdns.Service
	beacon *beacon
}

// start begins anew on the interfaces there are now.
func (d *discovery) start(ctx context.Context) {
	d.stop()
	d.startMDNS(ctx)
	if d.beacon != nil {
		d.beacon.again()
		return
	}
	d.startBeacon(ctx)
}

// mend starts what did not start before, such as for want of a network.
func (d *discovery) mend(ctx context.Context) {
	if d.mdns == nil {
		d.startMDNS(ctx)
	}
	if d.beacon == nil {
		d.startBeacon(ctx)
	}
}

// off says that nobody on the LAN is to be looked for, or could be.
func (d *discovery) off() bool {
	return !d.n.cfg.MDNS || !slices.ContainsFunc(d.h.Network().ListenAddresses(), func(a ma.Multiaddr) bool {
		ip, err := manet.ToIP(a) // a place at a relay is no address of the LAN
		return err == nil && !ip.IsLoopback()
	})
}

const onlyLoopback = "only loopback is listened on"

func (d *discovery) startMDNS(ctx context.Context) {
	if d.off() {
		d.n.setLAN(func(l *lanState) { l.mdns = onlyLoopback })
		return
	}
	s := mdns.NewMdnsService(lanHost{d.h}, serviceMDNS, found{d.n, d.h})
	if err := s.Start(); err != nil {
		d.n.log.DebugContext(ctx, "mdns not started", attrError(err))
		_ = s.Close()
		d.n.setLAN(func(l *lanState) { l.mdns = "no network interface carries multicast" })
		return
	}
	d.mdns = s
	d.n.setLAN(func(l *lanState) { l.mdns = "" })
}

func (d *discovery) startBeacon(ctx context.Context) {
	if d.off() {
		d.n.setLAN(func(l *lanState) { l.beacon = onlyLoopback })
		return
	}
	b, err := d.n.newBeacon(ctx, d.h)
	if err != nil {
		d.n.log.DebugContext(ctx, "beacon not started", attrError(err))
		d.n.setLAN(func(l *lanState) { l.beacon = "its port is taken by another program" })
		return
	}
	d.beacon = b
	d.n.setLAN(func(l *lanState) { l.beacon = "" })
}

// stop ends mDNS; the beacon ends with the node.
func (d *discovery) stop() {
	if d.mdns != nil {
		_ = d.mdns.Close()
		d.mdns = nil
	}
}

// supervise keeps discovery on the interfaces there are now: libp2p's mDNS freezes its
// records at start, and fails for good if it starts without a network (NETWORK §5).
func (n *Node) supervise(ctx context.Context, h host.Host) {
	d := &discovery{n: n, h: h}
	defer d.stop()
	before := networks()
	d.start(ctx)
	moved, stop := n.moves(h)
	defer stop()
	said := 0
	tick, say := time.NewTicker(mdnsEvery), time.NewTimer(beaconSoon[0])
	defer tick.Stop()
	defer say.Stop()
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
		case <-say.C:
			if d.beacon != nil {
				d.beacon.send()
			}
			said++
			say.Reset(beaconWait(said))
		case <-tick.C:
			now := networks()
			if slices.Equal(before, now) {
				d.mend(ctx)
				continue
			}
			before = now
			n.log.InfoContext(ctx, "network changed")
			d.start(ctx)
			said = 0
			say.Reset(beaconWait(said))
			n.dropStale()
			n.kickAll()
			if n.cfg.Moved != nil {
				n.cfg.Moved()
			}
		}
	}
}

// beaconWait is how long after so many beacons the next one goes: a few in a row after a start or a
// change, as packets get lost and others may not have begun to listen.
func beaconWait(said int) time.Duration {
	if said < len(beaconSoon) {
		return beaconSoon[said]
	}
	return jitter(beaconEvery)
}

// lanState says why a way to find peers on the LAN does not work; empty if it does.
type lanState struct{ mdns, beacon string }

func (n *Node) setLAN(set func(*lanState)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	set(&n.lan)
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

// dropStale closes connections from addresses this host no longer has: nothing comes
// of waiting for them.
func (n *Node) dropStale() {
	own := ownAddrs()
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.sessions {
		if !isRelayed(s.conn.RemoteMultiaddr()) && !within(s.conn.LocalMultiaddr(), own) {
			s.cancel()
			n.work.Go(func() { _ = s.conn.Close() })
		}
	}
}

// ownAddrs are this host's addresses, each as the network of itself alone.
func ownAddrs() []netip.Prefix {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var out []netip.Prefix
	for i := range ifs {
		if ifs[i].Flags&net.FlagUp == 0 {
			continue
		}
		for _, p := range prefixesOf(&ifs[i]) {
			out = append(out, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
		}
	}
	return out
}

// networks lists the addresses of all interfaces and whether a cable is in, to see a change.
func networks() []string {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var out []string
	for i := range ifs {
		if ifs[i].Flags&net.FlagUp == 0 {
			continue
		}
		for _, p := range prefixesOf(&ifs[i]) {
			out = append(out, fmt.Sprintf("%s %s %v", ifs[i].Name, p, ifs[i].Flags&net.FlagRunning != 0))
		}
	}
	slices.Sort(out)
	return out
}
