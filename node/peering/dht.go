package peering

import (
	"context"
	"fmt"
	"slices"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	"github.com/libp2p/go-libp2p-kbucket/peerdiversity"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// dhtPrefix makes /curbside/kad/1.0.0: a network of its own, never the public one.
const dhtPrefix = "/curbside"

// startDHT joins the private DHT: a hint, never the only way, and asked for PeerIDs of known
// contacts and for topics of the directory only (NETWORK §4.1). It comes to life with the first
// connection to a node that is in it, a bootstrap node's or any contact's.
func (n *Node) startDHT(ctx context.Context, h host.Host) error {
	for _, i := range n.boot {
		h.ConnManager().Protect(i.ID, keepTag)
		n.work.Go(func() { n.anchor(ctx, h, i) })
	}
	if n.cfg.NoDHT {
		return nil
	}
	mode := dht.ModeAutoServer
	if n.cfg.LANOnly {
		mode = dht.ModeServer // a client until reachable from outside would be one for ever
	}
	d, err := newDHT(h, mode, newMeter(time.Now), filter, func() []peer.AddrInfo { return n.boot })
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.dht = d
	n.mu.Unlock()
	if err := d.Bootstrap(ctx); err != nil {
		return fmt.Errorf("start dht: %w", err)
	}
	return nil
}

// ServeDHT makes a host that everybody reaches a node of the DHT, with the bounds that any
// node has. Keep says which addresses it may learn and dial.
func ServeDHT(h host.Host, boot []peer.AddrInfo, keep func([]ma.Multiaddr) []ma.Multiaddr) (*dht.IpfsDHT, error) {
	return newDHT(h, dht.ModeServer, newMeter(time.Now), keep, func() []peer.AddrInfo { return boot })
}

// newDHT configures the DHT of NETWORK §4.1. Provider records are in memory: they live for hours
// and their authors renew them. No values: nothing republishes them.
func newDHT(h host.Host, mode dht.ModeOpt, m *meter, keep func([]ma.Multiaddr) []ma.Multiaddr, boot func() []peer.AddrInfo, more ...dht.Option) (*dht.IpfsDHT, error) {
	d, err := dht.New(h, append([]dht.Option{
		dht.ProtocolPrefix(dhtPrefix), dht.Mode(mode), dht.DisableValues(),
		dht.ProviderManagerOpts(records.ProvideValidity(provideValid), records.ProviderAddrTTL(provideAddrs)),
		dht.BootstrapPeersFunc(boot), dht.AddressFilter(keep),
		dht.RoutingTablePeerDiversityFilter(diverse{dht.NewRTPeerDiversityFilter(h, diversePerBucket, diversePerTable), h}),
		dht.OnRequestHook(m.hook),
	}, more...)...)
	if err != nil {
		return nil, fmt.Errorf("start dht: %w", err)
	}
	return d, nil
}

// diverse keeps one network of the internet from filling the routing table. On a LAN all peers
// share one, and there it must not count (NETWORK §4.1).
type diverse struct {
	peerdiversity.PeerIPGroupFilter
	h host.Host
}

func (d diverse) Allow(g peerdiversity.PeerGroupInfo) bool {
	lan := slices.ContainsFunc(d.h.Network().ConnsToPeer(g.Id), func(c network.Conn) bool { return onLAN(c.RemoteMultiaddr()) })
	return lan || d.PeerIPGroupFilter.Allow(g)
}

// filter keeps of strangers' addresses those that can be reached from here.
func filter(as []ma.Multiaddr) []ma.Multiaddr {
	return slices.DeleteFunc(slices.Clone(as), func(a ma.Multiaddr) bool { return !reachable(a) })
}

// anchor keeps a connection to a bootstrap node.
func (n *Node) anchor(ctx context.Context, h host.Host, i peer.AddrInfo) {
	failed := 0
	for ctx.Err() == nil {
		wait := backoffMax
		if h.Network().Connectedness(i.ID) != network.Connected {
			dial, cancel := context.WithTimeout(ctx, dialTime)
			if sw, ok := h.Network().(backoffs); ok {
				sw.Backoff().Clear(i.ID)
			}
			err := h.Connect(dial, i)
			cancel()
			if err != nil {
				failed++
				wait = backoff(failed)
				n.log.DebugContext(ctx, "bootstrap node not reached", attrPeer(i.ID), attrError(err))
			} else {
				failed = 0
			}
		}
		if failed == 0 {
			wait = anchorEvery
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// hook counts what strangers want kept: kad-dht has no cap of its own. A record beyond a bound is
// refused by taking the key out of the message, which its handler answers with a reset.
func (m *meter) hook(_ context.Context, s network.Stream, req *pb.Message) {
	if req.GetType() != pb.Message_ADD_PROVIDER {
		return
	}
	p := s.Conn().RemotePeer()
	if !m.allow(string(req.GetKey()), p, subnetOf(s.Conn().RemoteMultiaddr())) {
		req.Key = nil
		return
	}
	own := slices.DeleteFunc(req.GetProviderPeers(), func(i *pb.Message_Peer) bool { return peer.ID(i.GetId()) != p })
	for _, i := range own {
		i.Addrs = i.GetAddrs()[:min(len(i.GetAddrs()), foundMax)]
	}
	req.ProviderPeers = own[:min(len(own), 1)]
}
