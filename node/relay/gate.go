package relay

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// gate says who may do what: it is the relay's ACL, its connection gater and the counter
// of what each peer moves. Nothing of it blocks.
type gate struct {
	allow   map[peer.ID]bool // empty: everybody
	private bool
	budget  int64
	now     func() time.Time

	mu    sync.Mutex // guards all below
	used  map[peer.ID]int64
	since time.Time // of the span
	over  func(peer.ID)
}

func newGate(allow map[peer.ID]bool, cfg Config) *gate {
	return &gate{
		allow: allow, private: cfg.Private, budget: cfg.Budget, now: cfg.Now,
		used: map[peer.ID]int64{}, since: cfg.Now(),
	}
}

// onOver sets what is told of a peer that has used up its budget.
func (g *gate) onOver(f func(peer.ID)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = f
}

// member says whether a peer may hold a reservation and own a mailbox.
func (g *gate) member(p peer.ID) bool { return len(g.allow) == 0 || g.allow[p] }

// AllowReserve is the relay's ACL for reservations.
func (g *gate) AllowReserve(p peer.ID, _ ma.Multiaddr) bool { return g.member(p) && !g.spent(p) }

// AllowConnect lets anybody within their budget reach who has a reservation.
func (g *gate) AllowConnect(src peer.ID, _ ma.Multiaddr, _ peer.ID) bool { return !g.spent(src) }

// spent says whether a peer has used up its budget.
func (g *gate) spent(p peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn()
	return g.budget > 0 && g.used[p] >= g.budget
}

// turn begins a new span. Call with mu.
func (g *gate) turn() {
	if now := g.now(); now.Sub(g.since) >= budgetSpan {
		clear(g.used)
		g.since = now
	}
}

func (g *gate) count(p peer.ID, n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.used[p]; !known && len(g.used) >= peersCounted {
		g.forget()
	}
	before := g.used[p]
	g.used[p] = before + n
	if g.budget > 0 && before < g.budget && before+n >= g.budget {
		if g.turn(); g.used[p] >= g.budget && g.over != nil {
			g.over(p)
		}
	}
}

// forget drops the half of the peers that used least: strangers with new keys must not
// fill the memory, nor wash away what a heavy user has used.
func (g *gate) forget() {
	all := make([]int64, 0, len(g.used))
	for _, n := range g.used {
		all = append(all, n)
	}
	slices.Sort(all)
	median := all[len(all)/2]
	for p, n := range g.used {
		if n <= median {
			delete(g.used, p)
		}
	}
}

// filter keeps of the DHT's addresses those that may be dialled.
func (g *gate) filter(as []ma.Multiaddr) []ma.Multiaddr {
	return slices.DeleteFunc(slices.Clone(as), func(a ma.Multiaddr) bool { return !g.dialable(a) })
}

func (g *gate) dialable(a ma.Multiaddr) bool { return g.private || manet.IsPublicAddr(a) }

// InterceptPeerDial lets the DHT dial who has budget.
func (g *gate) InterceptPeerDial(p peer.ID) bool { return !g.spent(p) }

// InterceptAddrDial keeps the relay off private networks: what peers say of their
// addresses must not make it knock in the house it stands in.
func (g *gate) InterceptAddrDial(_ peer.ID, a ma.Multiaddr) bool { return g.dialable(a) }

// InterceptAccept takes everybody; the resource manager bounds addresses.
func (g *gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured keeps out who has used up the budget.
func (g *gate) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return !g.spent(p)
}

// InterceptUpgraded takes everybody.
func (g *gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// The methods below make gate the host's bandwidth reporter: it counts what peers move.

// LogSentMessage counts for nobody.
func (g *gate) LogSentMessage(int64) {}

// LogRecvMessage counts for nobody.
func (g *gate) LogRecvMessage(int64) {}

// LogSentMessageStream counts what a peer was sent.
func (g *gate) LogSentMessageStream(n int64, _ protocol.ID, p peer.ID) { g.count(p, n) }

// LogRecvMessageStream counts what a peer sent.
func (g *gate) LogRecvMessageStream(n int64, _ protocol.ID, p peer.ID) { g.count(p, n) }

// GetBandwidthForPeer says what a peer moved in this span, both ways together.
func (g *gate) GetBandwidthForPeer(p peer.ID) metrics.Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return metrics.Stats{TotalIn: g.used[p]}
}

// GetBandwidthForProtocol is not counted.
func (g *gate) GetBandwidthForProtocol(protocol.ID) metrics.Stats { return metrics.Stats{} }

// GetBandwidthTotals is not counted.
func (g *gate) GetBandwidthTotals() metrics.Stats { return metrics.Stats{} }

// GetBandwidthByPeer is not listed.
func (g *gate) GetBandwidthByPeer() map[peer.ID]metrics.Stats { return nil }

// GetBandwidthByProtocol is not counted.
func (g *gate) GetBandwidthByProtocol() map[protocol.ID]metrics.Stats { return nil }

// Reset does nothing: budgets turn by the clock alone.
func (g *gate) Reset() {}

// TrimIdle does nothing: forget bounds the table.
func (g *gate) TrimIdle(time.Time) {}

// watch logs who comes and goes, by PeerID alone.
func (n *Node) watch(h host.Host) {
	h.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) {
			n.log.Debug("peer connected", slog.String("peer", c.RemotePeer().String()))
		},
		DisconnectedF: func(_ network.Network, c network.Conn) {
			n.log.Debug("peer disconnected", slog.String("peer", c.RemotePeer().String()))
		},
	})
}
