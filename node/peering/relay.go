package peering

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/curbside-p2p/curbside/protocol/exchange"
)

// A node keeps a reservation at each relay it is told of, whatever it believes of its own
// reachability: a path through a relay is worth one idle connection. libp2p's autorelay
// would keep none once it believes itself public, and announces none at all of a relay on
// a private network, which a hospital's is.

// link is the reservation at one relay.
type link struct {
	info peer.AddrInfo
	wake chan struct{}
	up   bool   // Node.mu guards it
	why  string // the last failure; likewise
}

// keepRelays starts a goroutine for each relay.
func (n *Node) keepRelays(ctx context.Context, h host.Host) {
	for _, i := range n.relays {
		l := &link{info: i, wake: make(chan struct{}, 1), why: "not reached yet"}
		n.mu.Lock()
		n.links = append(n.links, l)
		n.mu.Unlock()
		h.ConnManager().Protect(i.ID, keepTag)
		n.work.Go(func() { n.hold(ctx, h, l) })
	}
}

// hold makes a reservation and renews it before it ends. A relay forgets it with the
// connection, so a lost one wakes the loop.
func (n *Node) hold(ctx context.Context, h host.Host, l *link) {
	failed := 0
	for ctx.Err() == nil {
		wait, err := reserve(ctx, h, l.info)
		if err != nil {
			failed++
			wait = min(backoff(failed), relayBackoffMax)
			n.log.DebugContext(ctx, "no reservation", attrPeer(l.info.ID), attrError(err))
		} else {
			failed = 0
		}
		n.reserved(l, err)
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-l.wake:
		}
		t.Stop()
	}
}

// reserve asks a relay for a reservation and says when to renew it.
func reserve(ctx context.Context, h host.Host, i peer.AddrInfo) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if sw, ok := h.Network().(backoffs); ok {
		sw.Backoff().Clear(i.ID)
	}
	if err := h.Connect(ctx, i); err != nil {
		return 0, err
	}
	r, err := client.Reserve(ctx, h, i)
	if err != nil {
		return 0, err
	}
	return max(time.Until(r.Expiration)/2, time.Minute), nil
}

// reserved notes how a try went, and tells when the node's addresses change by it.
func (n *Node) reserved(l *link, err error) {
	n.mu.Lock()
	was := l.up
	l.up, l.why = err == nil, ""
	if err != nil {
		l.why = reserveText(err)
	}
	n.mu.Unlock()
	if was != (err == nil) {
		n.log.Info("relay", attrPeer(l.info.ID), slog.Bool("reserved", err == nil))
		n.announceRelays()
	}
}

// reserveText says what a user can do something about.
func reserveText(err error) string {
	if re, ok := errors.AsType[client.ReservationError](err); ok {
		return "the relay refused: " + re.Status.String()
	}
	return "the relay does not answer"
}

// announceRelays makes the circuit addresses of the moment those that announce adds.
func (n *Node) announceRelays() {
	n.mu.Lock()
	var as []ma.Multiaddr
	for _, l := range n.links {
		if l.up {
			as = append(as, circuits(l.info)...)
		}
	}
	n.mu.Unlock()
	n.circuits.Store(&as)
	if n.cfg.Moved != nil {
		n.cfg.Moved()
	}
}

// circuits are the addresses of whoever has a reservation at a relay.
func circuits(relay peer.AddrInfo) []ma.Multiaddr {
	tail := ma.StringCast("/p2p/" + relay.ID.String() + "/p2p-circuit")
	var out []ma.Multiaddr
	for _, a := range relay.Addrs[:min(len(relay.Addrs), circuitAddrsMax)] {
		out = append(out, a.Encapsulate(tail))
	}
	return out
}

// announced is announce with the addresses at relays behind the others.
func (n *Node) announced(as []ma.Multiaddr) []ma.Multiaddr {
	out := announce(slices.DeleteFunc(slices.Clone(as), isRelayed))
	if c := n.circuits.Load(); c != nil {
		out = append(out, *c...)
	}
	return out
}

// lostRelay wakes the link of a relay whose connection ended. Call with mu.
func (n *Node) lostRelay(p peer.ID) {
	for _, l := range n.links {
		if l.info.ID == p && l.up {
			poke(l.wake)
		}
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// directLoop looks now and then for a better path to peers reached through a relay:
// a relay is never the end of the search (NETWORK §6).
func (n *Node) directLoop(ctx context.Context, h host.Host) {
	tick := time.NewTicker(directEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-n.direct:
		}
		for _, to := range n.relayed() {
			n.tryDirect(ctx, h, to)
		}
	}
}

// relayed lists the peers with a session through a relay, and where they may be otherwise.
func (n *Node) relayed() []peer.AddrInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []peer.AddrInfo
	for id, s := range n.live {
		if !isRelayed(s.conn.RemoteMultiaddr()) {
			continue
		}
		to := peer.AddrInfo{ID: id}
		if k, ok := n.keepers[id]; ok {
			to.Addrs = slices.Clone(k.addrs)
		}
		out = append(out, to)
	}
	return out
}

// tryDirect dials a peer past the relay. A connection that comes of it is noticed like any.
func (n *Node) tryDirect(ctx context.Context, h host.Host, to peer.AddrInfo) {
	ctx, cancel := context.WithTimeout(network.WithForceDirectDial(ctx, "direct"), dialTime)
	defer cancel()
	if sw, ok := h.Network().(backoffs); ok {
		sw.Backoff().Clear(to.ID)
	}
	to.Addrs = slices.DeleteFunc(to.Addrs, isRelayed)
	if err := h.Connect(ctx, to); err != nil {
		n.log.DebugContext(ctx, "no direct path", attrPeer(to.ID), attrError(err))
	}
}

// better begins a session on a direct connection to a peer whose session goes through a
// relay. The node with the higher PeerID waits, so that one of the two begins it. Call
// with mu.
func (n *Node) better(c network.Conn) {
	p := c.RemotePeer()
	if s := n.live[p]; n.host == nil || s == nil || isRelayed(c.RemoteMultiaddr()) || !isRelayed(s.conn.RemoteMultiaddr()) {
		return
	}
	h, ctx := n.host, n.ctx
	n.work.Go(func() {
		if n.id > p {
			pause(ctx, upgradeYield)
		}
		if s := n.with(p); s == nil || !isRelayed(s.conn.RemoteMultiaddr()) {
			return
		}
		open, cancel := context.WithTimeout(network.WithNoDial(ctx, "direct"), dialTime)
		defer cancel()
		s, err := h.NewStream(open, p, exchange.Protocol)
		if err != nil {
			return // the session through the relay goes on
		}
		n.logEnd(ctx, p, n.run(ctx, s, true))
	})
}

// supersedes says whether a session takes another's place because its path is better;
// both ends see the same.
func (s *session) supersedes(old *session) bool {
	return isRelayed(old.conn.RemoteMultiaddr()) && !isRelayed(s.conn.RemoteMultiaddr())
}
