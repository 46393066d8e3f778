package peering

import (
	"context"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/curbside-p2p/curbside/protocol/identity"
)

// verifyID is what live words are agreed on with.
const verifyID = protocol.ID("/curbside/verify/1")

// Stream is a stream to a peer, for dialogues that are not this package's.
type Stream interface {
	io.ReadWriteCloser
	Reset() error
	SetDeadline(time.Time) error
}

func (n *Node) startVerify(h host.Host) {
	if n.cfg.Verify != nil {
		h.SetStreamHandler(verifyID, n.acceptVerify)
	}
}

// acceptVerify takes a stream on which somebody wants to compare live words: a person has to be
// asked, so there are few.
func (n *Node) acceptVerify(s network.Stream) {
	p := s.Conn().RemotePeer()
	n.mu.Lock()
	if n.host == nil || n.verifies[p] > 0 || len(n.verifies) >= verifiesMax {
		n.mu.Unlock()
		_ = s.ResetWithError(codeBusy)
		return
	}
	n.verifies[p]++
	ctx := n.ctx
	n.work.Add(1)
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.verifies, p)
		n.mu.Unlock()
		n.work.Done()
	}()
	n.dialogue(ctx, s, func(ctx context.Context, s Stream) { n.cfg.Verify(ctx, s, identity.PeerID(p)) })
}

// OpenVerify opens such a stream to the first of the peers that answers and runs f on it.
func (n *Node) OpenVerify(ctx context.Context, peers []identity.PeerAddrs, f func(ctx context.Context, s Stream)) error {
	n.mu.Lock()
	h, d := n.host, n.dht
	if h == nil {
		n.mu.Unlock()
		return ErrNotRunning
	}
	n.work.Add(1)
	n.mu.Unlock()
	defer n.work.Done()
	for _, to := range targets(peers, n.id) {
		s, err := n.streamTo(ctx, h, to, verifyID)
		if err != nil && d != nil && ctx.Err() == nil {
			find, cancel := context.WithTimeout(ctx, findTime)
			if at, ferr := d.FindPeer(find, to.ID); ferr == nil {
				s, err = n.streamTo(ctx, h, at, verifyID)
			}
			cancel()
		}
		if err == nil {
			n.dialogue(ctx, s, f)
			return nil
		}
	}
	return ErrUnreachable
}

// seek lets a peer that is no target be dialled wherever it says it is, until found is called.
func (n *Node) seek(p peer.ID) (found func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.joining[p]++
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.joining[p]--; n.joining[p] <= 0 {
			delete(n.joining, p)
		}
	}
}

// streamTo opens a stream to somebody that a person here wants to reach.
func (n *Node) streamTo(ctx context.Context, h host.Host, to peer.AddrInfo, id protocol.ID) (network.Stream, error) {
	defer n.seek(to.ID)()
	return openStream(ctx, h, to, id)
}

// dialogue runs f on a stream that ends with ctx and with the node.
func (n *Node) dialogue(ctx context.Context, s network.Stream, f func(context.Context, Stream)) {
	n.mu.Lock()
	own := n.ctx
	n.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(own, cancel)() //nolint:contextcheck // the node may end before who asked
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if s.Scope().ReserveMemory(directoryMemory, network.ReservationPriorityMedium) != nil {
		_ = s.Reset()
		return
	}
	f(ctx, s)
}
