package exchange

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Config is what a session is made of.
type Config struct {
	Initiator bool            // opened the stream
	Self      identity.PeerID // own
	Peer      identity.PeerID // the one the transport proved
	Local     Local
	Clock     Clock
	Software  string // sent in hello
	// Proven, if given, is called once when the peer has proven a device, before
	// anything is served, with the hash T of the session that both sides know.
	// An error ends the session: peering drops duplicates so.
	Proven func(p Peer, transcript [32]byte) error
	// Slim keeps bulk off the stream: the path carries entries only.
	Slim bool
	// Stalled, if given, is called now and then while the peer owes ranges and
	// sends nothing: others may be asked for them, if somebody calls Wanted.
	Stalled func()
}

// Session is one conversation with one peer. Six goroutines share it while Run
// runs: the reader, the talker, the writer, the pump and two verifiers.
type Session struct {
	cfg   Config
	out   *outbox
	fetch *fetch
	stats struct{ in, out meter }

	greeting greeting // the reader's until proven, then the talker's
	text     [32]byte // T, set by hello
	join     []byte   // a Join this session was made for
	accept   []byte   // the answer to it
	answered bool     // it came; an empty one is a no
	joined   bool     // the peer sent a Join

	pmu  sync.Mutex // guards peer
	peer Peer

	tmu     sync.Mutex // guards all to the next blank line
	threads map[tag]*thread
	byID    map[ledger.ThreadID]*thread
	foreign int // threads that only the peer announced
	early   int // bytes of haves that wait for their thread

	sent  map[[32]byte]struct{} // records; the talker's
	haves map[haveKey][32]byte  // the talker's
	asked map[[48]byte]int      // the talker's

	dmu   sync.Mutex // guards dirty and held
	dirty map[ledger.ThreadID]struct{}
	held  map[ledger.ThreadID]struct{} // more of their blobs are here
	renew atomic.Bool

	frames chan frame    // reader to talker
	verify chan pending  // reader to verifiers
	look   chan struct{} // the talker has something to reconsider
	more   chan struct{} // the pump may ask for more
	done   chan struct{} // closed when the session ends

	proven  atomic.Bool
	greeted atomic.Bool // records went out: the peer can check our proof now
	errors  atomic.Int32
	heardAt atomic.Int64 // UnixNano of the last bytes
	writing atomic.Int64 // UnixNano since when the writer has waited for the stream, 0 if not
	watched atomic.Bool  // the watch is on
	drain   atomic.Int64 // UnixNano since when nothing new is wanted, 0 if not

	emu    sync.Mutex // guards err, ended, timers
	err    error
	ended  bool
	timers map[int]func() bool // that have not fired
	timer  int
}

// errEnded is an end in order.
var errEnded = errors.New("session ended")

// framesAhead is how many frames may wait for the talker, rangesAhead for the verifiers.
const (
	framesAhead = 8
	rangesAhead = 2
	verifiers   = 2
)

// New makes a session. It does nothing before Run.
func New(cfg Config) *Session {
	s := &Session{
		cfg: cfg, out: newOutbox(), fetch: newFetch(),
		greeting: greeting{profiles: map[identity.PersonID]*identity.Profile{}},
		peer:     Peer{ID: cfg.Peer},
		threads:  map[tag]*thread{}, byID: map[ledger.ThreadID]*thread{},
		sent: map[[32]byte]struct{}{}, haves: map[haveKey][32]byte{}, asked: map[[48]byte]int{},
		dirty: map[ledger.ThreadID]struct{}{}, held: map[ledger.ThreadID]struct{}{},
		frames: make(chan frame, framesAhead), verify: make(chan pending, rangesAhead),
		timers: map[int]func() bool{},
		look:   make(chan struct{}, 1), more: make(chan struct{}, 1), done: make(chan struct{}),
	}
	s.stats.in.clock, s.stats.out.clock = cfg.Clock, cfg.Clock
	return s
}

// Run speaks on the stream until the peer ends it, ctx is cancelled or something
// breaks, and closes it. It returns nil when either side ended in order.
func (s *Session) Run(ctx context.Context, stream io.ReadWriteCloser) error {
	stop := context.AfterFunc(ctx, func() { s.quit(errEnded) })
	defer stop()
	closing := sync.OnceFunc(func() { _ = stream.Close() })
	written := make(chan struct{})
	if s.join == nil {
		s.after(unprovenTime, func() {
			if !s.proven.Load() {
				s.quit(ErrUnproven)
			}
		})
	}

	var talk, work sync.WaitGroup
	work.Go(func() {
		// The writer writes the end, then closes: that ends the reader as well.
		if err := s.write(stream); err != nil {
			s.quit(fmt.Errorf("%w: write: %w", ErrBroken, err))
		}
		closing()
		close(written)
	})
	work.Go(func() {
		<-s.done
		stop := s.cfg.Clock.AfterFunc(endTime, func() { abort(stream) }) // the end may not get out
		<-written
		stop()
	})
	work.Go(s.pump)
	for range verifiers {
		work.Go(s.verifier)
	}
	talk.Go(s.talker)

	err := s.sayHello()
	if err == nil {
		err = s.read(stream)
	}
	s.quit(err)
	close(s.frames)
	close(s.verify)
	talk.Wait()
	work.Wait()
	s.giveBack()
	return s.result()
}

// abort breaks a stream that closing would not: libp2p's wait for what was written.
func abort(stream io.Closer) {
	if a, ok := stream.(interface{ Abort() }); ok {
		a.Abort()
		return
	}
	_ = stream.Close()
}

// quit ends the session with the first error it gets.
func (s *Session) quit(err error) {
	s.emu.Lock()
	defer s.emu.Unlock()
	if s.ended {
		return
	}
	s.ended, s.err = true, err
	for _, stop := range s.timers {
		stop()
	}
	close(s.done)
	s.out.close(s.farewell(err))
}

// farewell is the last frame; none on a stream that broke.
func (s *Session) farewell(err error) []byte {
	why := uint64(endBack)
	switch {
	case errors.Is(err, ErrBroken):
		return nil
	case errors.Is(err, ErrProtocol):
		why = endError
	}
	f, err := encodeFrame(frameEnd, endBody{Why: why})
	if err != nil {
		return nil
	}
	return f
}

func (s *Session) result() error {
	s.emu.Lock()
	defer s.emu.Unlock()
	if errors.Is(s.err, errEnded) {
		return nil
	}
	return s.err
}

// giveBack returns what was wanted and not answered.
func (s *Session) giveBack() {
	if ws := s.fetch.drain(); len(ws) > 0 {
		s.cfg.Local.Dropped(s.Peer(), ws, Ended)
	}
	for f := range s.frames {
		f.release()
	}
}

// after runs f unless the session ends before.
func (s *Session) after(d time.Duration, f func()) {
	s.emu.Lock()
	defer s.emu.Unlock()
	if s.ended {
		return
	}
	s.timer++
	id := s.timer
	s.timers[id] = s.cfg.Clock.AfterFunc(d, func() {
		s.emu.Lock()
		delete(s.timers, id)
		s.emu.Unlock()
		f()
	})
}

// strike counts a protocol error; the third ends the session. Other errors end it at once.
func (s *Session) strike(err error) error {
	if err == nil || !errors.Is(err, ErrProtocol) {
		return err
	}
	if s.errors.Add(1) < errorsMax {
		return nil
	}
	return err
}

func (s *Session) send(t frameType, body any) error {
	f, err := encodeFrame(t, body)
	if err != nil {
		return err
	}
	s.watch()
	return s.out.talk(f)
}

// readBuffer gathers small frames; a range is read past it.
const readBuffer = 64 << 10

// read takes frames until the stream or the session ends.
func (s *Session) read(stream io.Reader) error {
	r := bufio.NewReaderSize(heard{s, stream}, readBuffer)
	budget := unprovenMax
	brought := 0
	for {
		limit := frameMax
		if !s.proven.Load() {
			limit = min(limit, budget)
		}
		f, err := readFrame(r, limit)
		if err != nil {
			return broken(err)
		}
		if s.over() {
			f.release() // until the stream closes, so that the peer's end gets out
			continue
		}
		size := len(f.body) + 5
		s.stats.in.add(size)
		if !s.proven.Load() {
			if budget -= size; budget <= 0 {
				f.release()
				return ErrUnproven
			}
		} else if !s.Peer().Known {
			if brought += size; brought > strangerMax {
				f.release()
				return errLimit
			}
		}
		if err := s.dispatch(f); err != nil {
			return err
		}
	}
}

// heard notes when bytes come: a frame may take its time on a slow path.
type heard struct {
	s *Session
	r io.Reader
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if n > 0 {
		h.s.heardAt.Store(h.s.cfg.Clock.Now().UnixNano())
	}
	return n, err
}

func (s *Session) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// broken tells a stream that broke from a peer that broke the rules.
func broken(err error) error {
	if errors.Is(err, ErrProtocol) {
		return err
	}
	return fmt.Errorf("%w: read: %w", ErrBroken, err)
}

// dispatch hands a frame to whom it is for. Before the proof that is the reader itself.
func (s *Session) dispatch(f frame) error {
	if f.typ == frameEnd {
		defer f.release()
		return s.takeEnd(f.body)
	}
	if !s.proven.Load() {
		defer f.release()
		switch f.typ {
		case frameWant, frameRange, frameCancel, frameRefuse:
			return ErrUnproven
		default:
			return s.take(f)
		}
	}
	switch f.typ {
	case frameRange:
		return s.takeRange(f)
	case frameWant:
		defer f.release()
		return s.takeWant(f.body)
	case frameCancel:
		defer f.release()
		return s.takeCancel(f.body)
	case frameRefuse:
		defer f.release()
		return s.refused(f.body)
	default:
		select {
		case s.frames <- f:
		case <-s.done:
			f.release()
		}
		return nil
	}
}

func (s *Session) takeEnd(b []byte) error {
	e, err := decodeEnd(b)
	if err != nil {
		return err
	}
	if e.Why == endError {
		return fmt.Errorf("peer says: %w", ErrProtocol)
	}
	return errEnded
}

// takeWant queues ranges the peer asks for.
func (s *Session) takeWant(b []byte) error {
	rows, err := decodeWants(b)
	if err != nil {
		return s.strike(err)
	}
	for _, r := range rows {
		w := Want{Blob: r.Blob, Length: r.Length, Priority: int(min(r.Priority, 1<<10)), First: int(min(r.First, 1<<40)), N: int(min(r.Leaves, 1<<10))}
		if r.Request == 0 || !w.valid() {
			if err := s.strike(errBody); err != nil {
				return err
			}
			continue
		}
		why, err := s.out.want(r.Request, w)
		if err != nil {
			return s.strike(err)
		}
		if why != 0 {
			if err := s.send(frameRefuse, refuseBody{Request: r.Request, Reason: uint64(why)}); err != nil {
				return err
			}
		}
	}
	s.watch()
	return nil
}

func (s *Session) takeCancel(b []byte) error {
	requests, err := decodeCancel(b)
	if err != nil {
		return s.strike(err)
	}
	for _, r := range requests {
		s.out.cancel(r)
	}
	return nil
}

// watch looks after a peer that owes something, until nothing is owed: silence
// then costs nothing.
func (s *Session) watch() {
	if s.watched.Swap(true) {
		return
	}
	s.heardAt.CompareAndSwap(0, s.cfg.Clock.Now().UnixNano())
	s.after(stallTime, s.checkSilence)
}

func (s *Session) checkSilence() {
	now := s.cfg.Clock.Now().UnixNano()
	_, open := s.fetch.wanted()
	begun := s.writing.Load()
	switch {
	case begun != 0 && now-begun > int64(silentTime):
		s.quit(fmt.Errorf("%w: write", ErrSilent))
		return
	case open > 0 && now-s.heardAt.Load() > int64(silentTime):
		s.quit(fmt.Errorf("%w: wants unanswered", ErrSilent))
		return
	}
	if open > 0 && now-s.heardAt.Load() >= int64(stallTime) && s.cfg.Stalled != nil {
		s.cfg.Stalled()
	}
	s.watched.Store(false)
	if open > 0 || begun != 0 || !s.out.idle() {
		s.watch()
	}
}

// Changed says that a thread has new entries, other members or more of its blobs.
// It never blocks.
func (s *Session) Changed(t ledger.ThreadID) {
	s.dmu.Lock()
	s.dirty[t] = struct{}{}
	s.dmu.Unlock()
	poke(s.look)
}

// Held says that more of a thread's blobs are here, and nothing else is new. It never
// blocks.
func (s *Session) Held(t ledger.ThreadID) {
	s.dmu.Lock()
	s.held[t] = struct{}{}
	s.dmu.Unlock()
	poke(s.look)
}

// Wanted says that Local.Wants may have something new. It never blocks.
func (s *Session) Wanted() { poke(s.more) }

// Renew says that contacts, cards or other records changed. It never blocks.
func (s *Session) Renew() {
	s.renew.Store(true)
	poke(s.look)
}

// Drain wants nothing new of the peer and ends the session once what is under way, both
// ways, has come: another session with the peer has begun on a better path. It never blocks.
func (s *Session) Drain() {
	if s.drain.CompareAndSwap(0, s.cfg.Clock.Now().UnixNano()) {
		s.after(drainStep, s.drained)
	}
}

// drained ends the session if nothing is under way, or too long.
func (s *Session) drained() {
	_, open := s.fetch.wanted()
	if open == 0 && s.out.idle() || s.cfg.Clock.Now().UnixNano()-s.drain.Load() >= int64(drainTime) {
		s.quit(errEnded)
		return
	}
	s.after(drainStep, s.drained)
}

// Peer is the other side as proven so far.
func (s *Session) Peer() Peer {
	s.pmu.Lock()
	defer s.pmu.Unlock()
	p := s.peer
	p.Devices = slices.Clip(p.Devices)
	return p
}

// Stats can be called at any time.
func (s *Session) Stats() Stats {
	var st Stats
	st.In, st.InRate = s.stats.in.read()
	st.Out, st.OutRate = s.stats.out.read()
	st.Wanted, _ = s.fetch.wanted()
	s.fetch.mu.Lock()
	defer s.fetch.mu.Unlock()
	st.RTT = s.fetch.pace.rtt
	return st
}
