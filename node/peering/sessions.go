package peering

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

// clock is the time as it is.
type clock struct{}

func (clock) Now() time.Time { return time.Now() }

func (clock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// session is an exchange on one stream. Node.mu guards what is below the blank line.
type session struct {
	exchange *exchange.Session
	peer     peer.ID
	conn     network.Conn
	cancel   context.CancelFunc
	done     chan struct{} // closed when it is over
	inbound  bool

	text    [32]byte // T
	since   time.Time
	proven  bool
	counted bool // in Node.unproven
}

// errDuplicate ends the one of two sessions of a pair that both sides drop.
var errDuplicate = errors.New("another session with the same peer")

// errNoStream says that a peer was reached and opened no stream.
var errNoStream = errors.New("open stream")

// codeBusy is what a peer sees that opened too many streams.
const codeBusy network.StreamErrorCode = 0x1001

// accept takes a stream a peer opened.
func (n *Node) accept(s network.Stream) {
	ctx, ok := n.admit(s)
	if !ok {
		_ = s.ResetWithError(codeBusy)
		return
	}
	defer n.work.Done()
	n.log.DebugContext(ctx, "session accepted", attrPeer(s.Conn().RemotePeer()))
	n.logEnd(ctx, s.Conn().RemotePeer(), n.run(ctx, s, false))
}

// admit counts a stream of a peer that has proven nothing yet.
func (n *Node) admit(s network.Stream) (context.Context, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.host == nil {
		return nil, false
	}
	total := 0
	for _, c := range n.unproven {
		total += c
	}
	p := s.Conn().RemotePeer()
	// Contacts and members do not queue behind strangers (NETWORK §8).
	_, wanted := n.keepers[p]
	if total >= unprovenIn && !wanted || n.unproven[p] >= unprovenPeer {
		return nil, false
	}
	n.unproven[p]++
	n.work.Add(1)
	return n.ctx, true
}

// release undoes admit. Call with mu.
func (n *Node) release(s *session) {
	if !s.counted {
		return
	}
	s.counted = false
	if n.unproven[s.peer]--; n.unproven[s.peer] <= 0 {
		delete(n.unproven, s.peer)
	}
}

// run speaks the exchange on a stream until it ends.
func (n *Node) run(ctx context.Context, st network.Stream, initiator bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &session{
		peer: st.Conn().RemotePeer(), conn: st.Conn(), cancel: cancel,
		done: make(chan struct{}), inbound: !initiator, counted: !initiator,
	}
	defer close(s.done)
	s.exchange = exchange.New(exchange.Config{
		Initiator: initiator, Self: identity.PeerID(n.id), Peer: identity.PeerID(s.peer),
		Local: n.cfg.Local, Clock: clock{}, Software: n.cfg.Software,
		Proven:  func(_ exchange.Peer, text [32]byte) error { return n.prove(s, text) },
		Stalled: n.Wanted, Slim: st.Conn().Stat().Limited,
	})
	n.mu.Lock()
	n.sessions[s] = struct{}{}
	n.mu.Unlock()
	defer n.ended(s)
	if err := st.Scope().SetService(serviceName); err != nil {
		_ = st.Reset()
		return fmt.Errorf("resources: %w", err)
	}
	if err := st.Scope().ReserveMemory(sessionMemory, network.ReservationPriorityHigh); err != nil {
		_ = st.Reset()
		return fmt.Errorf("resources: %w", err)
	}
	return s.exchange.Run(ctx, stream{st})
}

// stream resets when closing does not help.
type stream struct{ network.Stream }

// Abort ends a stream whose peer does not take what is written.
func (s stream) Abort() { _ = s.Reset() }

var _ io.ReadWriteCloser = stream{}

// prove makes a session the one with its peer, or ends it, or the other. Of two that
// began at once both sides drop the same, as both know both transcripts. A little
// later the first one stays: the other was under way already. One that has lasted a
// while is one the peer has lost, or it would not have opened another.
func (n *Node) prove(s *session, text [32]byte) error {
	n.mu.Lock()
	n.release(s)
	now := time.Now()
	if old := n.live[s.peer]; old != nil {
		age := now.Sub(old.since)
		if s.supersedes(old) {
			old.exchange.Drain()
		} else if age < freshTime && (age > onceTime || bytes.Compare(old.text[:], text[:]) < 0) {
			n.mu.Unlock()
			return errDuplicate
		} else {
			old.cancel()
		}
	}
	s.text, s.since, s.proven = text, now, true
	n.live[s.peer] = s
	n.mu.Unlock()
	n.log.Info("peer connected", attrPeer(s.peer), slog.String("path", pathOf(s.conn.RemoteMultiaddr())))
	if n.cfg.Session != nil {
		n.cfg.Session(s.exchange.Peer(), true)
	}
	return nil
}

// ended forgets a session.
func (n *Node) ended(s *session) {
	n.mu.Lock()
	n.release(s)
	delete(n.sessions, s)
	began := s.proven
	if n.live[s.peer] == s {
		delete(n.live, s.peer)
	}
	if k, ok := n.keepers[s.peer]; ok && s.inbound {
		k.kick() // one of its own it sees end
	}
	n.mu.Unlock()
	if began && n.cfg.Session != nil {
		n.cfg.Session(s.exchange.Peer(), false)
	}
}

func attrPeer(p peer.ID) slog.Attr { return slog.String("peer", p.String()) }

func attrError(err error) slog.Attr { return slog.String("error", err.Error()) }

func (n *Node) logEnd(ctx context.Context, p peer.ID, err error) {
	switch {
	case err == nil || errors.Is(err, errDuplicate):
		n.log.DebugContext(ctx, "session ended", attrPeer(p))
	case errors.Is(err, exchange.ErrProtocol):
		n.log.WarnContext(ctx, "session ended", attrPeer(p), attrError(err))
	default:
		n.log.InfoContext(ctx, "session ended", attrPeer(p), attrError(err))
	}
}

// with gives the session with a peer, if there is one.
func (n *Node) with(p peer.ID) *session {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.live[p]
}

// info describes a session. Call with mu.
func (s *session) info() PeerInfo {
	p, st := s.exchange.Peer(), s.exchange.Stats()
	a := s.conn.RemoteMultiaddr()
	return PeerInfo{
		PeerID: identity.PeerID(s.peer), Devices: p.Devices, Known: p.Known,
		Path: pathOf(a), Limited: s.conn.Stat().Limited, Addr: a.String(), RTT: st.RTT, Skew: p.Skew, Since: s.since, Stats: st,
	}
}

// open gets an exchange stream to a peer.
func open(ctx context.Context, h host.Host, to peer.AddrInfo) (network.Stream, error) {
	return openStream(ctx, h, to, exchange.Protocol)
}

// openStream gets a stream to a peer on whatever connection there is or can be made.
func openStream(ctx context.Context, h host.Host, to peer.AddrInfo, id protocol.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	ctx = network.WithAllowLimitedConn(ctx, "exchange")
	h.Peerstore().AddAddrs(to.ID, to.Addrs, peerstore.TempAddrTTL)
	if sw, ok := h.Network().(backoffs); ok {
		sw.Backoff().Clear(to.ID) // the keeper has a backoff of its own
	}
	if err := h.Connect(ctx, peer.AddrInfo{ID: to.ID}); err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	s, err := h.NewStream(ctx, to.ID, id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoStream, err)
	}
	return s, nil
}

// Join sends an invite's Join to all the peers at once and returns the first Accept.
// It gives up when ctx ends: ErrUnreachable, or exchange.ErrRefused if one answered no.
func (n *Node) Join(ctx context.Context, peers []identity.PeerAddrs, join []byte) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		accept []byte
		err    error
	}
	infos := targets(peers, n.id)
	answers := make(chan answer, len(infos))
	n.mu.Lock()
	h := n.host
	if h == nil {
		n.mu.Unlock()
		return nil, ErrNotRunning
	}
	for _, to := range infos {
		n.work.Go(func() {
			accept, err := n.joinOne(ctx, h, to, join)
			answers <- answer{accept, err}
		})
	}
	n.mu.Unlock()
	failed := ErrUnreachable
	for range infos {
		a := <-answers
		if a.err == nil {
			return a.accept, nil // cancel ends the others
		}
		if errors.Is(a.err, exchange.ErrRefused) {
			failed = exchange.ErrRefused
		}
	}
	return nil, failed
}

func (n *Node) joinOne(ctx context.Context, h host.Host, to peer.AddrInfo, join []byte) ([]byte, error) {
	defer n.seek(to.ID)()
	s, err := open(ctx, h, to)
	if err != nil {
		return nil, err
	}
	return exchange.Join(ctx, stream{s}, exchange.Config{
		Initiator: true, Self: identity.PeerID(n.id), Peer: identity.PeerID(to.ID),
		Local: n.cfg.Local, Clock: clock{}, Software: n.cfg.Software,
	}, join)
}
