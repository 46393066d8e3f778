package peering

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	mh "github.com/multiformats/go-multihash"

	"github.com/curbside-p2p/curbside/node/directory"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

// directoryID is what listings are fetched with.
const directoryID = protocol.ID("/curbside/directory/1")

// Directory is what the host asks of whoever keeps the listings.
type Directory interface {
	// Own gives the frames of the persons here who are listed.
	Own() [][]byte
	// Topics are what those are announced under.
	Topics() [][32]byte
	// Pass gives frames of others that an asker does not have.
	Pass(r *directory.Request, most int) [][]byte
	// Known says which listings are held.
	Known() []directory.KnownKey
	// Take verifies a frame that a peer served and keeps it; passed says that it need not be the
	// peer's own. directory.ErrLie says that it does not count.
	Take(frame []byte, from identity.PeerID, passed bool) (*identity.Listing, error)
}

// ErrNoDHT says that there is no DHT to ask: it is switched off, or no node of it is known yet.
var ErrNoDHT = errors.New("no node of the directory is known yet")

// Search says what became of a look-up.
type Search struct {
	Queries   int // nodes of the DHT that were asked for providers, beside those on the way to them
	Providers int // peers that the DHT named
	LAN       int // peers of the LAN that were asked
	Found     int // of both, those that served a listing
	Gone      int // not reached
	Lied      int
}

// lister is a host's part in the directory: it announces, serves, asks and remembers who lied.
type lister struct {
	h    host.Host
	dht  *dht.IpfsDHT // nil without
	dir  Directory
	log  *slog.Logger
	now  func() time.Time
	wake chan struct{}  // topics or addresses changed
	met  chan peer.ID   // peers of the LAN that just came
	slot chan struct{}  // streams served
	work sync.WaitGroup // streams served

	mu       sync.Mutex // guards all below
	liars    map[peer.ID]time.Time
	asked    map[peer.ID]time.Time
	answered map[peer.ID]time.Time
}

func newLister(h host.Host, d *dht.IpfsDHT, dir Directory, log *slog.Logger, now func() time.Time) *lister {
	return &lister{
		h: h, dht: d, dir: dir, log: log, now: now, wake: make(chan struct{}, 1), met: make(chan peer.ID, 256),
		slot: make(chan struct{}, serveStreams), liars: map[peer.ID]time.Time{},
		asked: map[peer.ID]time.Time{}, answered: map[peer.ID]time.Time{},
	}
}

// startDirectory begins to serve and to ask, if there is somebody who keeps listings.
func (n *Node) startDirectory(ctx context.Context, h host.Host) {
	if n.cfg.Directory == nil {
		return
	}
	n.mu.Lock()
	l := newLister(h, n.dht, n.cfg.Directory, n.log, time.Now)
	n.lister = l
	n.mu.Unlock()
	h.SetStreamHandler(directoryID, l.serve)
	n.work.Go(func() { l.run(ctx) })
}

// Relist says that own listings or topics changed: they are announced at once. It never blocks.
func (n *Node) Relist() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lister != nil {
		n.lister.kick()
	}
}

// Find asks the network for listings of a topic, and the LAN for all it holds. What is found goes
// to Directory.Take as it comes. It returns when all were asked, or with ctx.
func (n *Node) Find(ctx context.Context, topics [][32]byte) (Search, error) {
	n.mu.Lock()
	l := n.lister
	n.mu.Unlock()
	if l == nil {
		return Search{}, ErrNotRunning
	}
	return l.find(ctx, topics)
}

func (l *lister) kick() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run announces the own topics and asks the peers of the LAN, until ctx ends.
func (l *lister) run(ctx context.Context) {
	defer l.work.Wait()
	defer l.h.RemoveStreamHandler(directoryID)
	bundle := &network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) { l.connected(c) }}
	l.h.Network().Notify(bundle)
	defer l.h.Network().StopNotify(bundle)
	for _, c := range l.h.Network().Conns() {
		l.connected(c)
	}
	for range asksMax {
		l.work.Go(func() { l.meet(ctx) })
	}
	l.publish(ctx)
}

// connected notes a peer of the LAN. It never blocks.
func (l *lister) connected(c network.Conn) {
	if !onLAN(c.RemoteMultiaddr()) {
		return
	}
	select {
	case l.met <- c.RemotePeer():
	default: // asked at the next find
	}
}

// meet asks those who came for what they hold.
func (l *lister) meet(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-l.met:
			if l.due(l.asked, p) {
				_, err := l.ask(ctx, peer.AddrInfo{ID: p}, directory.Held, nil)
				l.note(p, err)
			}
		}
	}
}

// due says whether a peer's turn has come, and notes it.
func (l *lister) due(of map[peer.ID]time.Time, p peer.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if at, ok := of[p]; ok && now.Sub(at) < passEvery {
		return false
	}
	if len(of) >= passMax {
		maps.DeleteFunc(of, func(_ peer.ID, at time.Time) bool { return now.Sub(at) >= passEvery })
	}
	if len(of) >= passMax {
		return false
	}
	of[p] = now
	return true
}

// publish announces the topics, again before the records are over, and when the network has grown.
func (l *lister) publish(ctx context.Context) {
	failed, reached := 0, 0
	var next time.Time
	for {
		wait := time.Minute
		if topics := l.dir.Topics(); len(topics) > 0 && l.dht != nil {
			size := l.dht.RoutingTable().Size()
			grown := size > 2*reached
			switch {
			case l.now().Before(next) && !grown:
			case l.provide(ctx, topics) == nil:
				failed, reached, next = 0, size, l.now().Add(jitter(provideEvery))
			default:
				failed++
				wait = backoff(failed)
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		case <-l.wake:
			t.Stop()
			failed, next = 0, time.Time{}
		}
	}
}

func (l *lister) provide(ctx context.Context, topics [][32]byte) error {
	if l.dht.RoutingTable().Size() == 0 {
		return ErrNoDHT
	}
	var errs []error
	for _, t := range topics {
		one, cancel := context.WithTimeout(ctx, provideTime)
		errs = append(errs, l.dht.Provide(one, topicCID(t), true))
		cancel()
	}
	err := errors.Join(errs...)
	if err == nil {
		l.log.InfoContext(ctx, "listing announced", slog.Int("topics", len(topics)))
	}
	return err
}

// topicCID is CIDv1 raw of a topic; the DHT is asked for its multihash.
func topicCID(topic [32]byte) cid.Cid {
	sum, err := mh.Sum(topic[:], mh.SHA2_256, -1)
	if err != nil {
		panic("peering: sha2-256: " + err.Error()) // it is always there
	}
	return cid.NewCidV1(cid.Raw, sum)
}

// serve answers a request.
func (l *lister) serve(s network.Stream) {
	select {
	case l.slot <- struct{}{}:
	default:
		_ = s.ResetWithError(codeBusy)
		return
	}
	l.work.Add(1)
	defer func() { <-l.slot; l.work.Done() }()
	if err := l.answer(s); err != nil {
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

func (l *lister) answer(s network.Stream) error {
	if err := s.Scope().ReserveMemory(directoryMemory, network.ReservationPriorityLow); err != nil {
		return err
	}
	stop := time.AfterFunc(serveTime, func() { _ = s.Reset() })
	defer stop.Stop()
	b, err := directory.ReadFrame(s)
	if err != nil {
		return err
	}
	req, err := directory.ParseRequest(b)
	if err != nil {
		return err
	}
	frames := l.dir.Own()
	// What is held of others is for the LAN, where it may be the only way (NETWORK §4.2), and
	// not often: an answer may be megabytes.
	if req.What == directory.Held && onLAN(s.Conn().RemoteMultiaddr()) && l.due(l.answered, s.Conn().RemotePeer()) {
		frames = append(frames, l.dir.Pass(&req, directory.AnswerMax-len(frames))...)
	}
	for _, f := range frames[:min(len(frames), directory.AnswerMax)] {
		if err := directory.WriteFrame(s, f); err != nil {
			return err
		}
	}
	return nil
}

// find looks a topic up. Each provider is nobody until it has served a listing that counts.
func (l *lister) find(ctx context.Context, topics [][32]byte) (Search, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &finding{l: l, ctx: ctx, slots: make(chan struct{}, findDials), seen: map[peer.ID]bool{l.h.ID(): true}}
	for _, c := range l.h.Network().Conns() {
		if onLAN(c.RemoteMultiaddr()) && len(f.seen) <= findProviders {
			f.one(peer.AddrInfo{ID: c.RemotePeer()}, directory.Held, nil)
		}
	}
	var err error
	for _, topic := range topics {
		if l.dht == nil || l.dht.RoutingTable().Size() == 0 {
			err = ErrNoDHT
			break
		}
		asked, perr := l.providers(ctx, topicCID(topic), func(p peer.AddrInfo) { f.one(p, directory.Own, &topic) })
		f.mu.Lock()
		f.out.Queries += asked
		f.mu.Unlock()
		if perr != nil {
			err = perr
		}
	}
	f.work.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.out.LAN > 0 && errors.Is(err, ErrNoDHT) {
		err = nil
	}
	return f.out, errors.Join(err, ctx.Err())
}

// finding is a look-up under way.
type finding struct {
	l     *lister
	ctx   context.Context //nolint:containedctx // it lives as long as find
	slots chan struct{}
	work  sync.WaitGroup
	seen  map[peer.ID]bool

	mu  sync.Mutex // guards out
	out Search
}

// one asks a peer, once, unless it lied lately.
func (f *finding) one(p peer.AddrInfo, what uint64, topic *[32]byte) {
	known := f.seen[p.ID]
	f.seen[p.ID] = true
	if topic != nil {
		f.mu.Lock()
		f.out.Providers++
		f.mu.Unlock()
	}
	if known || f.l.lied(p.ID) {
		return
	}
	select {
	case f.slots <- struct{}{}:
	case <-f.ctx.Done():
		return
	}
	f.work.Go(func() {
		defer func() { <-f.slots }()
		n, err := f.l.ask(f.ctx, p, what, topic)
		f.l.note(p.ID, err)
		f.mu.Lock()
		defer f.mu.Unlock()
		if topic == nil {
			f.out.LAN++
		}
		switch {
		case errors.Is(err, directory.ErrLie):
			f.out.Lied++
		case err != nil:
			f.out.Gone++
		case n > 0:
			f.out.Found++
		}
	})
}

// ask fetches what a peer serves and returns how many listings counted. With a topic the peer was
// named as a provider of it, and one without a listing under it has lied.
func (l *lister) ask(ctx context.Context, p peer.AddrInfo, what uint64, topic *[32]byte) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	ctx = network.WithAllowLimitedConn(ctx, "directory")
	if err := l.h.Connect(ctx, p); err != nil {
		return 0, fmt.Errorf("dial: %w", err)
	}
	s, err := l.h.NewStream(ctx, p.ID, directoryID)
	if err != nil {
		return 0, fmt.Errorf("open stream: %w", err)
	}
	defer s.Reset() //nolint:errcheck // after Close it does nothing
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	req := directory.Request{Version: 1, What: what}
	if what == directory.Held {
		req.Known = l.dir.Known()
	}
	b, err := req.Encode()
	if err != nil {
		return 0, err
	}
	if err := directory.WriteFrame(s, b); err != nil {
		return 0, fmt.Errorf("ask: %w", err)
	}
	if err := s.CloseWrite(); err != nil {
		return 0, fmt.Errorf("ask: %w", err)
	}
	return l.read(s, identity.PeerID(p.ID), what, topic)
}

func (l *lister) read(s io.Reader, from identity.PeerID, what uint64, topic *[32]byte) (n int, err error) {
	about, bad := false, 0
	for range directory.AnswerMax {
		b, err := directory.ReadFrame(s)
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, directory.ErrFrame) {
			return n, fmt.Errorf("%w: %w", directory.ErrLie, err)
		}
		if err != nil {
			return n, fmt.Errorf("read answer: %w", err)
		}
		listing, err := l.dir.Take(b, from, what == directory.Held)
		if err != nil && what == directory.Held && bad < badMax {
			bad++ // who passes something on may only be behind
			continue
		}
		if err != nil {
			return n, err
		}
		n++
		about = about || topic != nil && slices.Contains(listing.Topics(), *topic)
	}
	if topic != nil && n > 0 && !about {
		return n, fmt.Errorf("%w: it is not about what it was announced under", directory.ErrLie)
	}
	return n, nil
}

// note remembers a peer that lied.
func (l *lister) note(p peer.ID, err error) {
	if !errors.Is(err, directory.ErrLie) {
		return
	}
	l.log.Info("directory: a peer's listing does not count", attrPeer(p), attrError(err))
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.liars) >= liarsMax {
		maps.DeleteFunc(l.liars, func(_ peer.ID, at time.Time) bool { return now.Sub(at) >= lieTime })
	}
	if len(l.liars) >= liarsMax {
		for old := range l.liars { // any: a flood of liars is a flood
			delete(l.liars, old)
			break
		}
	}
	l.liars[p] = now
}

func (l *lister) lied(p peer.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.liars[p]
	return ok && l.now().Sub(at) < lieTime
}
