// Package peering is the libp2p host of a node: it finds peers, keeps a
// connection to each that is wanted and runs one exchange session with it
// (NETWORK.md). Nothing outside this package (and node/relay) knows libp2p.
//
// A peer is wanted while Config.Targets lists it. Whoever else opens an exchange
// stream is heard as well: the session finds out who it is and serves nothing to
// whom the Local does not know.
//
// PeerIDs are raw here, as in cards and invites; Text renders one.
package peering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
)

// Config is what a node is made of.
type Config struct {
	Key       []byte   // from NewKey
	Listen    []string // multiaddrs, or HOST:PORT for TCP and QUIC; none: port 4001 on every address
	LANOnly   bool     // no public address beyond this link is dialled or accepted
	MDNS      bool     // look for peers on the LAN
	NoDHT     bool
	Bootstrap []string // multiaddrs with /p2p/: nodes that know others, of the DHT
	Relays    []string // multiaddrs with /p2p/
	Software  string   // said in hello

	Local exchange.Local
	// Targets are the peers wanted: contacts and case members, with the addresses
	// of their cards. It is called at start and after each Renew.
	Targets func() []identity.PeerAddrs
	// Session, if given, is called when a session with a peer began (true) and when it
	// ended. One that takes another's place begins before the other ends. It must not
	// block.
	Session func(p exchange.Peer, up bool)
	// Directory, if given, keeps the listings of people who want to be found.
	Directory Directory
	// Verify, if given, is called with a stream on which a peer wants to compare live words. It
	// ends the stream before it returns.
	Verify func(ctx context.Context, s Stream, from identity.PeerID)
	// Moved, if given, is called when Self has changed: cards are to be renewed.
	Moved func()
	// Mailboxes, if given, keeps boxes for contacts and members.
	Mailboxes mailbox.Store
	Log       *slog.Logger

	dial func(peer.ID, ma.Multiaddr) bool // if given, says what may be dialled: tests stand behind NAT so
}

// ErrNotRunning says that the node is not started (any more).
var ErrNotRunning = errors.New("node is not running")

// ErrUnreachable says that no peer of an invite could be reached.
var ErrUnreachable = errors.New("peer cannot be reached")

// Node is a host.
type Node struct {
	cfg    Config
	key    crypto.PrivKey
	id     peer.ID
	listen []ma.Multiaddr
	auto   bool // no listen address was given
	boot   []peer.AddrInfo
	relays []peer.AddrInfo
	log    *slog.Logger

	renewed  chan struct{}                  // targets may be others now
	direct   chan struct{}                  // direct paths may be there now
	circuits atomic.Pointer[[]ma.Multiaddr] // addresses at relays

	mu       sync.Mutex // guards all below
	host     host.Host  // nil unless running
	dht      *dht.IpfsDHT
	lister   *lister // nil without a Directory
	ctx      context.Context
	sessions map[*session]struct{}
	live     map[peer.ID]*session // proven, one a peer
	unproven map[peer.ID]int      // inward streams
	joining  map[peer.ID]int      // Joins and verifications under way
	verifies map[peer.ID]int      // verify streams of others
	keepers  map[peer.ID]*keeper
	links    []*link
	lan      lanState
	lanDials chan struct{}  // bounds dials to strangers on the LAN
	work     sync.WaitGroup // sessions and keepers
}

// New makes a node. It listens only once it runs.
func New(cfg Config) (*Node, error) {
	key, err := crypto.UnmarshalPrivateKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("node key: %w", err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("node key: %w", err)
	}
	n := &Node{
		cfg: cfg, key: key, id: id, log: cfg.Log, renewed: make(chan struct{}, 1), direct: make(chan struct{}, 1),
		sessions: map[*session]struct{}{}, live: map[peer.ID]*session{},
		unproven: map[peer.ID]int{}, joining: map[peer.ID]int{}, verifies: map[peer.ID]int{}, keepers: map[peer.ID]*keeper{},
		lanDials: make(chan struct{}, lanDialsMax),
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if n.listen, n.auto, err = listenAddrs(cfg.Listen); err != nil {
		return nil, err
	}
	if n.boot, err = peerAddrs(cfg.Bootstrap, id); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	if n.relays, err = peerAddrs(cfg.Relays, id); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	return n, nil
}

// Run listens, calls ready, and works until ctx is cancelled. It leaves no goroutine
// of its own.
func (n *Node) Run(ctx context.Context, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h, err := n.newHost()
	if err != nil {
		return fmt.Errorf("start libp2p: %w", err)
	}
	n.mu.Lock()
	n.host, n.ctx = h, ctx
	n.mu.Unlock()
	defer n.stop(cancel)

	if err := n.startDHT(ctx, h); err != nil {
		return err
	}
	h.SetStreamHandler(exchange.Protocol, n.accept)
	if n.cfg.Mailboxes != nil {
		m := &Mailboxes{Store: n.cfg.Mailboxes, MayOpen: n.known, Software: n.cfg.Software, Log: n.log}
		defer m.Serve(ctx, h)()
	}
	n.startDirectory(ctx, h)
	n.startVerify(h)
	stopNotify := n.notice(h) //nolint:contextcheck // what it starts lives by Node.ctx, which this is
	defer stopNotify()
	n.work.Go(func() { n.supervise(ctx, h) })
	n.work.Go(func() { n.retargets(ctx) })
	n.keepRelays(ctx, h)
	n.work.Go(func() { n.directLoop(ctx, h) })
	n.Renew()
	if ready != nil {
		ready()
	}
	<-ctx.Done()
	return nil
}

// stop ends what Run started.
func (n *Node) stop(cancel context.CancelFunc) {
	cancel()
	n.mu.Lock()
	h, d := n.host, n.dht
	n.host, n.dht, n.lister, n.links = nil, nil, nil, nil
	n.mu.Unlock()
	h.RemoveStreamHandler(exchange.Protocol)
	h.RemoveStreamHandler(verifyID)
	n.work.Wait()
	if d != nil {
		_ = d.Close()
	}
	_ = h.Close()
}

// running gives the host while there is one.
func (n *Node) running() (host.Host, context.Context, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.host == nil {
		return nil, nil, ErrNotRunning
	}
	return n.host, n.ctx, nil
}

// ID is the node's PeerID as text.
func (n *Node) ID() string { return n.id.String() }

// Self is the node's PeerID with its addresses of the moment, as cards and invites
// carry them.
func (n *Node) Self() identity.PeerAddrs {
	self := identity.PeerAddrs{PeerID: identity.PeerID(n.id)}
	h, _, err := n.running()
	if err != nil {
		return self
	}
	for _, a := range selfAddrs(h) {
		if len(self.Addrs) < identity.AddrsMax {
			self.Addrs = append(self.Addrs, a.String())
		}
	}
	return self
}

// Addrs are the node's addresses of the moment as full multiaddrs.
func (n *Node) Addrs() []string {
	self := n.Self()
	for i, a := range self.Addrs {
		self.Addrs[i] = a + "/p2p/" + n.ID()
	}
	return self.Addrs
}

// Changed, Wanted, Renew and Restart return at once and call nobody back, so locks
// that Local or Targets take may be held.

// Changed tells every session that a thread has new entries, other members or
// more of its blobs.
func (n *Node) Changed(t ledger.ThreadID) {
	n.each(func(s *exchange.Session) { s.Changed(t) })
}

// Held tells every session that more of a thread's blobs are here.
func (n *Node) Held(t ledger.ThreadID) {
	n.each(func(s *exchange.Session) { s.Held(t) })
}

// Wanted tells every session that Local.Wants may have something new.
func (n *Node) Wanted() { n.each((*exchange.Session).Wanted) }

// Renew says that targets, contacts, cards or records changed. Peers out of reach
// are tried again at once. Targets is asked later, by another goroutine.
func (n *Node) Renew() {
	n.each((*exchange.Session).Renew)
	select {
	case n.renewed <- struct{}{}:
	default:
	}
}

// Restart ends all sessions; new ones follow. It is for when the local devices are
// others than before.
func (n *Node) Restart() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.sessions {
		s.cancel()
	}
	for _, k := range n.keepers {
		k.kick()
	}
}

func (n *Node) each(f func(*exchange.Session)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.sessions {
		f(s.exchange)
	}
}

// PeerInfo is a peer with a session.
type PeerInfo struct {
	PeerID  identity.PeerID
	Devices []identity.DeviceID
	Known   bool   // a contact or a case member
	Path    string // direct, relay or lan
	Limited bool   // the path is too narrow for images
	Addr    string
	RTT     time.Duration // 0 if not known
	Skew    time.Duration // by how much its clock is ahead, as it said; 0 if it did not
	Since   time.Time
	Stats   exchange.Stats
}

// Peers lists the peers with a session, in no order.
func (n *Node) Peers() []PeerInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]PeerInfo, 0, len(n.live))
	for _, s := range n.live {
		out = append(out, s.info())
	}
	return out
}
