// Package relay is a host that carries for others and can read nothing of it: circuit
// relay, bootstrap node of the DHT, and mailbox (NETWORK §6, FORMATS §8).
//
// What it sees is which PeerIDs reserve, connect, deposit and collect, from which
// addresses, when and how many bytes. It holds no key that opens anything, and the
// packages it is made of know nothing of cases or images: cmd/curbside/arch_test.go
// holds that.
//
//	Allow   who may hold a reservation and own a mailbox; others may only reach those
//	Budget  bytes a day for each peer, through circuits and mailbox alike
//
// It dials nobody on private networks, so that nobody uses it to look around in one.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
)

// Config is what a relay is made of.
type Config struct {
	Key       []byte   // from peering.NewKey
	Listen    []string // multiaddrs, or HOST:PORT for TCP and QUIC; none: port 4001 on every address
	Bootstrap []string // other nodes of the DHT
	Allow     []string // PeerIDs; none: everybody
	// Private lets it dial private addresses: for a relay inside a closed network.
	Private bool
	NoDHT   bool
	// Budget is how many bytes one peer may move in 24 hours; 0 is no bound.
	Budget int64
	// Mailbox keeps boxes for who may hold a reservation; nil: none.
	Mailbox mailbox.Store
	// Sweep, if given, is called every hour: it drops what has waited too long.
	Sweep func()
	// Rate is how many bytes a second one peer may move through its mailbox sessions; 0 is no bound.
	Rate int64
	Log  *slog.Logger
	Now  func() time.Time // time.Now if nil

	// Through, if given, is put between the host and what serves on it: the test that dumps
	// all a relay sees stands there.
	Through func(host.Host) host.Host
}

// Node is a relay.
type Node struct {
	cfg    Config
	key    crypto.PrivKey
	id     peer.ID
	listen []ma.Multiaddr
	boot   []peer.AddrInfo
	gate   *gate
	log    *slog.Logger
}

// ErrPeerID says that a name in Config.Allow is no PeerID.
var ErrPeerID = errors.New("not a peer id")

// New makes a relay. It listens only once it runs.
func New(cfg Config) (*Node, error) {
	key, err := crypto.UnmarshalPrivateKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("node key: %w", err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("node key: %w", err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	n := &Node{cfg: cfg, key: key, id: id, log: cfg.Log}
	if n.listen, err = peering.ParseListen(cfg.Listen); err != nil {
		return nil, err
	}
	if n.boot, err = peering.ParsePeers(cfg.Bootstrap, id); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	allow := map[peer.ID]bool{}
	for _, s := range cfg.Allow {
		p, err := peer.Decode(s)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", s, ErrPeerID)
		}
		allow[p] = true
	}
	n.gate = newGate(allow, cfg)
	return n, nil
}

// ID is the relay's PeerID as text.
func (n *Node) ID() string { return n.id.String() }

// Run listens, calls ready with the relay's addresses, and works until ctx ends.
func (n *Node) Run(ctx context.Context, ready func(addrs []string)) error {
	h, err := n.newHost()
	if err != nil {
		return fmt.Errorf("start libp2p: %w", err)
	}
	defer func() { _ = h.Close() }()
	if n.cfg.Through != nil {
		h = n.cfg.Through(h)
	}
	circuits, err := relayv2.New(h, relayv2.WithResources(resources()), relayv2.WithACL(n.gate),
		relayv2.WithReservationAddressFilter(func(ma.Multiaddr) bool { return true }))
	if err != nil {
		return fmt.Errorf("start relay: %w", err)
	}
	defer func() { _ = circuits.Close() }()
	d, err := n.startDHT(ctx, h)
	if err != nil {
		return err
	}
	if d != nil {
		defer func() { _ = d.Close() }()
	}
	n.gate.onOver(func(p peer.ID) {
		n.log.WarnContext(ctx, "peer is over its budget", slog.String("peer", p.String()))
		go func() { _ = h.Network().ClosePeer(p) }() // it ends by itself; closing the host does not wait for it
	})
	n.watch(h)
	if n.cfg.Mailbox != nil {
		r := newRates(n.cfg.Rate, n.cfg.Now)
		m := &peering.Mailboxes{
			Store: n.cfg.Mailbox, MayOpen: func(p identity.PeerID) bool { return n.gate.member(peer.ID(p)) },
			Spend: r.spend, Software: "curbside-relay", Log: n.log,
		}
		defer m.Serve(ctx, h)()
	}
	if ready != nil {
		ready(n.addrs(h))
	}
	n.sweep(ctx)
	return nil
}

// sweep calls Config.Sweep now and then until ctx ends.
func (n *Node) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if n.cfg.Sweep != nil {
				n.cfg.Sweep()
			}
		}
	}
}

// addrs are the relay's addresses as others write them.
func (n *Node) addrs(h host.Host) []string {
	var out []string
	for _, a := range h.Addrs() {
		out = append(out, a.String()+"/p2p/"+n.ID())
	}
	return out
}

func (n *Node) newHost() (host.Host, error) {
	opts, err := peering.Base(n.key, n.listen, connsLow, connsHigh, limits)
	if err != nil {
		return nil, err
	}
	return libp2p.New(append(opts,
		libp2p.ConnectionGater(n.gate), libp2p.BandwidthReporter(n.gate),
		libp2p.ForceReachabilityPublic(), libp2p.EnableAutoNATv2(),
	)...)
}

// resources are what NETWORK §6 says a relay for studies needs.
func resources() relayv2.Resources {
	rc := relayv2.DefaultResources()
	rc.Limit = nil // a study is larger than any circuit limit; the budget bounds a peer
	rc.BufferSize = bufferSize
	rc.MaxReservations = reservationsMax
	rc.MaxCircuits = circuitsMax
	rc.MaxReservationsPerIP = reservationsIP
	rc.MaxReservationsPerASN = reservationsMax
	return rc
}

// limits makes room for the circuits that the resources above allow.
func limits(l *rcmgr.ScalingLimitConfig) {
	all := rcmgr.BaseLimit{
		StreamsInbound: 8 * reservationsMax, StreamsOutbound: 8 * reservationsMax, Streams: 16 * reservationsMax, Memory: relayMemory,
	}
	one := rcmgr.BaseLimit{
		StreamsInbound: 2 * circuitsMax, StreamsOutbound: 2 * circuitsMax, Streams: 4 * circuitsMax, Memory: relayMemoryPeer,
	}
	l.AddServiceLimit(relayv2.ServiceName, all, rcmgr.BaseLimitIncrease{})
	l.AddServicePeerLimit(relayv2.ServiceName, one, rcmgr.BaseLimitIncrease{})
	l.AddProtocolLimit(circuit.ProtoIDv2Hop, all, rcmgr.BaseLimitIncrease{})
	l.AddProtocolLimit(circuit.ProtoIDv2Stop, all, rcmgr.BaseLimitIncrease{})
	l.AddProtocolPeerLimit(circuit.ProtoIDv2Hop, one, rcmgr.BaseLimitIncrease{})
	l.AddProtocolPeerLimit(circuit.ProtoIDv2Stop, one, rcmgr.BaseLimitIncrease{})
}

// startDHT makes the relay a node of the private DHT that others begin at.
func (n *Node) startDHT(ctx context.Context, h host.Host) (*dht.IpfsDHT, error) {
	if n.cfg.NoDHT {
		return nil, nil //nolint:nilnil // none was wanted
	}
	d, err := peering.ServeDHT(h, n.boot, n.gate.filter)
	if err != nil {
		return nil, err
	}
	if err := d.Bootstrap(ctx); err != nil {
		return nil, fmt.Errorf("start dht: %w", err)
	}
	return d, nil
}
