package peering

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

// keepTag marks connections the connection manager must not close.
const keepTag = "curbside"

// backoffs is what a swarm has and network.Network does not say.
type backoffs interface{ Backoff() *swarm.DialBackoff }

// keeper keeps a session with one target: it dials, runs the session, and dials
// again, at once when a session broke and with growing waits after failures, until
// a sign of life cuts the wait short.
type keeper struct {
	n      *Node
	id     peer.ID
	cancel context.CancelFunc
	wake   chan struct{}

	// Node.mu guards the rest.
	addrs []ma.Multiaddr // of cards and invites
	good  ma.Multiaddr   // where the last session was that this side dialled; nil before one
	why   string         // the last try came to nothing
	tried time.Time      // when that was
	next  time.Time      // when the next one is
}

func (k *keeper) kick() { poke(k.wake) }

// targets reads what cards and invites say of peers; addresses that are no
// multiaddrs are left out.
func targets(ps []identity.PeerAddrs, self peer.ID) []peer.AddrInfo {
	var out []peer.AddrInfo
	at := map[peer.ID]int{}
	for _, p := range ps {
		id := peer.ID(p.PeerID)
		if id.Validate() != nil || id == self || len(out) >= targetsMax {
			continue
		}
		i, ok := at[id]
		if !ok {
			i = len(out)
			at[id] = i
			out = append(out, peer.AddrInfo{ID: id})
		}
		for _, s := range p.Addrs {
			if a, err := ma.NewMultiaddr(s); err == nil && len(out[i].Addrs) < identity.AddrsMax {
				out[i].Addrs = append(out[i].Addrs, a)
			}
		}
	}
	return out
}

// retargets asks for the targets whenever they may have changed.
func (n *Node) retargets(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.renewed:
			n.retarget() //nolint:contextcheck // keepers live by Node.ctx, which this is
		}
	}
}

// retarget starts keepers for new targets and stops those of former ones.
func (n *Node) retarget() {
	if n.cfg.Targets == nil {
		return
	}
	want := targets(n.cfg.Targets(), n.id)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.host == nil {
		return
	}
	keep := make(map[peer.ID]bool, len(want))
	for _, t := range want {
		keep[t.ID] = true
		k, ok := n.keepers[t.ID]
		if !ok {
			k = n.keep(t.ID)
		}
		k.addrs = t.Addrs
		k.kick()
	}
	for id, k := range n.keepers {
		if !keep[id] {
			k.cancel()
			delete(n.keepers, id)
			n.host.ConnManager().Unprotect(id, keepTag)
		}
	}
}

// keep starts a keeper. Call with mu.
func (n *Node) keep(id peer.ID) *keeper {
	ctx, cancel := context.WithCancel(n.ctx)
	k := &keeper{n: n, id: id, cancel: cancel, wake: make(chan struct{}, 1)}
	n.keepers[id] = k
	n.host.ConnManager().Protect(id, keepTag)
	h := n.host
	n.work.Go(func() {
		defer cancel()
		k.loop(ctx, h)
	})
	return k
}

func (k *keeper) loop(ctx context.Context, h host.Host) {
	if k.n.id > k.id {
		// Both sides often start at once, as mDNS shows each to the other: one yields.
		pause(ctx, yieldTime)
	}
	failed, brief := 0, 0
	for ctx.Err() == nil {
		if s := k.n.with(k.id); s != nil {
			select {
			case <-ctx.Done():
				return
			case <-s.done:
			}
			failed = 0
			// The other side may be dialling too.
			pause(ctx, jitter(yieldTime))
			continue
		}
		lasted, broke := k.try(ctx, h)
		if lasted >= goodTime {
			brief = 0
		}
		if broke && brief < briefMax {
			// It was up and broke: dial again at once. One that the peer ended has time.
			brief++
			failed = 0
			pause(ctx, jitter(yieldTime))
			continue
		}
		if k.n.with(k.id) != nil {
			continue // the peer's own session took over
		}
		failed++
		d := backoff(failed)
		k.n.mu.Lock()
		k.next = time.Now().Add(d)
		k.n.mu.Unlock()
		k.wait(ctx, d)
	}
}

// backoff grows from a second to minutes; jitter keeps a ward from dialling in step.
func backoff(failed int) time.Duration {
	d := backoffMin << min(failed-1, 16)
	return jitter(min(d, backoffMax))
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// wait waits for the backoff or a sign of life, and for a moment at least.
func (k *keeper) wait(ctx context.Context, d time.Duration) {
	pause(ctx, min(d, backoffMin/2))
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-k.wake:
	}
}

// try reaches the peer and runs a session with it. It returns how long that lasted,
// and whether it broke, as opposed to being ended.
func (k *keeper) try(ctx context.Context, h host.Host) (lasted time.Duration, broke bool) {
	k.n.mu.Lock()
	to := peer.AddrInfo{ID: k.id, Addrs: slices.Clone(k.addrs)}
	if k.good != nil && !slices.ContainsFunc(to.Addrs, k.good.Equal) {
		to.Addrs = append(to.Addrs, k.good)
	}
	d := k.n.dht
	k.n.mu.Unlock()
	s, err := open(ctx, h, to)
	first := err
	if err != nil && d != nil && ctx.Err() == nil {
		s, err = k.find(ctx, h, d)
	}
	if err != nil {
		k.note(whyNot(first, len(h.Peerstore().Addrs(k.id)), k.n.cfg.LANOnly), nil)
		k.n.log.DebugContext(ctx, "peer not reached", attrPeer(k.id), attrError(err))
		if h.Network().Connectedness(k.id) == network.Connected && k.n.with(k.id) == nil && ctx.Err() == nil {
			_ = h.Network().ClosePeer(k.id) // a connection that gives no stream is dead
		}
		return 0, false
	}
	if k.n.with(k.id) != nil {
		_ = s.Reset() // the peer was quicker
		return 0, false
	}
	begun := time.Now()
	k.note("their node ended the session", s.Conn().RemoteMultiaddr())
	err = k.n.run(ctx, s, true)
	k.n.logEnd(ctx, k.id, err)
	return time.Since(begun), errors.Is(err, exchange.ErrBroken) || errors.Is(err, exchange.ErrSilent)
}

// finder is the part of the DHT that is used: the addresses of a peer known by its ID.
type finder interface {
	FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error)
}

func (k *keeper) find(ctx context.Context, h host.Host, d finder) (network.Stream, error) {
	find, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	to, err := d.FindPeer(find, k.id)
	if err != nil {
		return nil, err
	}
	return open(ctx, h, to)
}

// notice wakes the keeper of a peer that connects.
func (n *Node) notice(h host.Host) (stop func()) {
	b := &network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if k, ok := n.keepers[c.RemotePeer()]; ok {
			k.kick()
		}
		n.better(c)
	}, DisconnectedF: func(_ network.Network, c network.Conn) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.lostRelay(c.RemotePeer())
	}}
	h.Network().Notify(b)
	return func() { h.Network().StopNotify(b) }
}

// kickAll tries all peers out of reach again: the network has changed.
func (n *Node) kickAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range n.keepers {
		k.kick()
	}
	for _, l := range n.links {
		poke(l.wake)
	}
	poke(n.direct)
}

var _ exchange.Clock = clock{}
