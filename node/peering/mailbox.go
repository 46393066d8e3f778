package peering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
)

// mailboxService is what the resource manager knows mailboxes by.
const mailboxService = "curbside.mailbox"

// mailboxLimits bounds the streams and the memory of mailbox sessions.
func mailboxLimits(l *rcmgr.ScalingLimitConfig) {
	all := rcmgr.BaseLimit{StreamsInbound: mailIn, StreamsOutbound: mailIn, Streams: 2 * mailIn, Memory: 2 * mailIn * mailMemory}
	one := rcmgr.BaseLimit{StreamsInbound: mailPeer, StreamsOutbound: mailPeer, Streams: 2 * mailPeer, Memory: 2 * mailPeer * mailMemory}
	l.AddProtocolLimit(mailbox.Protocol, all, rcmgr.BaseLimitIncrease{})
	l.AddProtocolPeerLimit(mailbox.Protocol, one, rcmgr.BaseLimitIncrease{})
	l.AddServiceLimit(mailboxService, all, rcmgr.BaseLimitIncrease{})
	l.AddServicePeerLimit(mailboxService, one, rcmgr.BaseLimitIncrease{})
}

// Mailboxes serves boxes to others: a relay's part, or a node's for its contacts.
type Mailboxes struct {
	Store    mailbox.Store
	MayOpen  func(identity.PeerID) bool // who may have boxes here
	Spend    func(p identity.PeerID, bytes int) time.Duration
	Software string
	Log      *slog.Logger
}

// Serve answers mailbox streams until stop, which waits for those under way.
func (m *Mailboxes) Serve(ctx context.Context, h host.Host) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex // guards ended and the beginning of work
	var work sync.WaitGroup
	ended := false
	h.SetStreamHandler(mailbox.Protocol, func(s network.Stream) {
		mu.Lock()
		if ended {
			mu.Unlock()
			_ = s.ResetWithError(codeBusy)
			return
		}
		work.Add(1)
		mu.Unlock()
		defer work.Done()
		m.serve(ctx, h, s)
	})
	return func() {
		h.RemoveStreamHandler(mailbox.Protocol)
		mu.Lock()
		ended = true
		mu.Unlock()
		cancel()
		work.Wait()
	}
}

func (m *Mailboxes) serve(ctx context.Context, h host.Host, s network.Stream) {
	from := s.Conn().RemotePeer()
	if err := account(s); err != nil {
		_ = s.ResetWithError(codeBusy)
		return
	}
	p := identity.PeerID(from)
	cfg := mailbox.Config{
		Ends:  mailbox.Ends{Client: p, Mailbox: identity.PeerID(h.ID())},
		Store: m.Store, Clock: clock{}, Software: m.Software, MayOpen: m.MayOpen(p),
	}
	if m.Spend != nil {
		cfg.Spend = func(n int) time.Duration { return m.Spend(p, n) }
	}
	if err := mailbox.Serve(ctx, stream{s}, cfg); err != nil {
		m.Log.InfoContext(ctx, "mailbox session ended", attrPeer(from), attrError(err))
	}
}

// account makes the resource manager know a mailbox stream.
func account(s network.Stream) error {
	if err := s.Scope().SetService(mailboxService); err != nil {
		return fmt.Errorf("resources: %w", err)
	}
	if err := s.Scope().ReserveMemory(mailMemory, network.ReservationPriorityMedium); err != nil {
		return fmt.Errorf("resources: %w", err)
	}
	return nil
}

// Mailbox runs f on a session with the mailbox at a node. ErrUnreachable says that the node
// is away, or has no mailbox.
func (n *Node) Mailbox(ctx context.Context, at identity.PeerAddrs, f func(*mailbox.Client) error) error {
	n.mu.Lock()
	h := n.host
	if h == nil {
		n.mu.Unlock()
		return ErrNotRunning
	}
	own := n.ctx
	n.work.Add(1)
	n.mu.Unlock()
	defer n.work.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(own, cancel)() //nolint:contextcheck // it ends with the node as well
	to := targets([]identity.PeerAddrs{at}, n.id)
	if len(to) == 0 {
		return ErrUnreachable
	}
	s, err := n.streamTo(ctx, h, to[0], mailbox.Protocol)
	if err != nil {
		return errors.Join(ErrUnreachable, err)
	}
	if err := account(s); err != nil {
		_ = s.Reset()
		return err
	}
	ends := mailbox.Ends{Client: identity.PeerID(n.id), Mailbox: at.PeerID}
	c, err := mailbox.Dial(ctx, stream{s}, ends, clock{}, n.cfg.Software)
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.Close())
}

// Relays are the relays of the configuration, as PeerIDs and addresses.
func (n *Node) Relays() []identity.PeerAddrs {
	out := make([]identity.PeerAddrs, 0, len(n.relays))
	for _, i := range n.relays {
		out = append(out, addrsOfInfo(i))
	}
	return out
}

// ParseMailboxes reads multiaddrs that end in /p2p/ of nodes that keep mailboxes.
func ParseMailboxes(given []string) ([]identity.PeerAddrs, error) {
	infos, err := peerAddrs(given, "")
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	out := make([]identity.PeerAddrs, 0, len(infos))
	for _, i := range infos {
		out = append(out, addrsOfInfo(i))
	}
	return out, nil
}

func addrsOfInfo(i peer.AddrInfo) identity.PeerAddrs {
	p := identity.PeerAddrs{PeerID: identity.PeerID(i.ID)}
	for _, a := range i.Addrs {
		p.Addrs = append(p.Addrs, a.String())
	}
	return p
}

// known says whether a session with a peer proved a contact's or a member's device.
func (n *Node) known(p identity.PeerID) bool {
	s := n.with(peer.ID(p))
	return s != nil && s.exchange.Peer().Known
}
