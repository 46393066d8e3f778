package exchange

import (
	"fmt"
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
)

const leafSize = blob.LeafSize

// fetch is what this side wants of the peer. The pump asks ahead of what arrives,
// so that hundreds of blobs cost no round trip each (NETWORK §9).
type fetch struct {
	mu     sync.Mutex // guards all below
	open   map[uint64]*openWant
	next   uint64 // request
	bulk   int    // sealed bytes of open wants of priority 2 to 4
	urgent int    // of priority 0 and 1
	viewer int    // open wants of priority 0
	pace   pace
	quiet  bool // the peer is busy: ask again later

	// Requests that were cancelled: what answers them may be on its way.
	cancelled map[uint64]struct{}
	forget    []uint64 // the same, the oldest first
}

type openWant struct {
	want Want
	sent time.Time
}

func newFetch() *fetch {
	return &fetch{open: map[uint64]*openWant{}, pace: newPace(), cancelled: map[uint64]struct{}{}}
}

// pump asks for more whenever there is room, until the session ends.
func (s *Session) pump() {
	for {
		select {
		case <-s.done:
			return
		case <-s.more:
		}
		for !s.over() && s.askMore() {
		}
	}
}

// askMore sends one frame of wants. It reports whether another may follow.
func (s *Session) askMore() bool {
	peer := s.Peer()
	if !peer.Known || !s.greeted.Load() || s.cfg.Slim || s.drain.Load() != 0 {
		return false
	}
	if err := s.callOff(s.cfg.Local.Unwanted(peer)); err != nil {
		s.quit(err)
		return false
	}
	wants := s.askFor(peer, s.fetch.urgentAsk())
	wants = append(wants, s.askFor(peer, s.fetch.bulkAsk())...)
	if len(wants) == 0 {
		return false
	}
	now := s.cfg.Clock.Now()
	rows, first := s.fetch.add(wants, now)
	if first {
		s.heardAt.Store(now.UnixNano()) // from now on the peer owes something
	}
	f, err := encodeFrame(frameWant, rows)
	if err == nil {
		err = s.out.talk(f)
	}
	if err != nil {
		s.quit(err)
		return false
	}
	s.watch()
	return true
}

// askFor calls Local.Wants and drops what no peer would serve.
func (s *Session) askFor(peer Peer, ask Ask) []Want {
	if ask.Count <= 0 || ask.Bytes <= 0 {
		return nil
	}
	ask.Now = s.cfg.Clock.Now()
	got := s.cfg.Local.Wants(peer, ask)
	good := got[:0:0]
	var bad []Want
	for _, w := range got {
		if w.valid() {
			good = append(good, w)
		} else {
			bad = append(bad, w)
		}
	}
	if len(bad) > 0 {
		s.cfg.Local.Dropped(peer, bad, NotAllowed)
	}
	return good
}

// valid says whether a want is one that FORMATS §8 allows.
func (w Want) valid() bool {
	if _, ok := blob.PlainLen(w.Length); !ok || w.N < 1 || w.N > leavesMax || w.First < 0 || w.Priority < 0 || w.Priority > 4 {
		return false
	}
	return w.First+w.N <= blob.LeafCount(w.Length)
}

// urgentAsk leaves room for what a viewer waits for beyond the window.
func (f *fetch) urgentAsk() Ask {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.quiet {
		return Ask{}
	}
	return Ask{Priority: 1, Count: wantsMax - len(f.open), Bytes: urgentMax - f.urgent, Leaves: f.pace.leaves()}
}

// bulkAsk gives nothing while a viewer waits: NETWORK §9, no new bulk then. It
// waits until an eighth of the window is free, so that wants come many a frame.
func (f *fetch) bulkAsk() Ask {
	f.mu.Lock()
	defer f.mu.Unlock()
	window := f.pace.window()
	free := window - f.bulk
	count := wantsMax - wantsMax/8 - len(f.open)
	if f.quiet || f.viewer > 0 || (f.bulk > 0 && (free < window/8 || count < wantsMax/8)) {
		return Ask{}
	}
	return Ask{Priority: 4, Count: count, Bytes: free, Leaves: f.pace.leaves()}
}

// wantCost is what the shortest want counts: the frames around it take room as well.
const wantCost = 512

func (w Want) cost() int { return max(w.Bytes(), wantCost) }

// trip notes a round trip.
func (f *fetch) trip(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pace.trip(d)
}

func (f *fetch) account(w Want, sign int) {
	if w.Priority <= 1 {
		f.urgent += sign * w.cost()
	} else {
		f.bulk += sign * w.cost()
	}
	if w.Priority == 0 {
		f.viewer += sign
	}
}

// add opens requests and says whether none was open before.
func (f *fetch) add(wants []Want, now time.Time) (rows []wantRow, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.open) == 0 {
		first = true
		f.pace.begin(now)
	}
	rows = make([]wantRow, len(wants))
	for i, w := range wants {
		f.next++
		f.open[f.next] = &openWant{want: w, sent: now}
		f.account(w, 1)
		rows[i] = wantRow{
			Request: f.next, Priority: uint64(w.Priority), Blob: w.Blob,
			Length: w.Length, First: uint64(w.First), Leaves: uint64(w.N),
		}
	}
	return rows, first
}

// callOff cancels wants that came from elsewhere.
func (s *Session) callOff(wants []Want) error {
	if len(wants) == 0 {
		return nil
	}
	if requests := s.fetch.cancel(wants); len(requests) > 0 {
		return s.send(frameCancel, requests)
	}
	return nil
}

// cancel closes the requests for wants and remembers them.
func (f *fetch) cancel(wants []Want) (requests []uint64) {
	type key struct {
		blob  blob.ID
		first int
		n     int
	}
	off := map[key]bool{}
	for _, w := range wants {
		off[key{w.Blob, w.First, w.N}] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for r, o := range f.open {
		if !off[key{o.want.Blob, o.want.First, o.want.N}] {
			continue
		}
		requests = append(requests, r)
		delete(f.open, r)
		f.account(o.want, -1)
		f.cancelled[r] = struct{}{}
		if f.forget = append(f.forget, r); len(f.forget) > cancelledMax {
			delete(f.cancelled, f.forget[0])
			f.forget = f.forget[1:]
		}
	}
	return requests
}

// calledOff says whether an answer is to a request that was cancelled; each has one.
func (f *fetch) calledOff(request uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.cancelled[request]
	delete(f.cancelled, request)
	return ok
}

// close ends a request that was answered.
func (f *fetch) close(request uint64) (w Want, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.open[request]
	if !ok {
		return Want{}, false
	}
	delete(f.open, request)
	f.account(o.want, -1)
	return o.want, true
}

// arrived closes a request that a range answers and learns the path's pace from it.
func (f *fetch) arrived(request uint64, n int, now time.Time) (w Want, known bool) {
	f.mu.Lock()
	if o, ok := f.open[request]; ok {
		f.pace.arrived(n, now, now.Sub(o.sent), len(f.open) == 1)
	}
	f.mu.Unlock()
	return f.close(request)
}

func (f *fetch) wanted() (bytes, count int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bulk + f.urgent, len(f.open)
}

// drain gives up all open wants.
func (f *fetch) drain() []Want {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Want, 0, len(f.open))
	for _, o := range f.open {
		out = append(out, o.want)
	}
	f.open = map[uint64]*openWant{}
	f.bulk, f.urgent, f.viewer = 0, 0, 0
	return out
}

// pending is a range on its way to a verifier.
type pending struct {
	want Want
	body rangeBody
	mem  frame
}

// takeRange hands a range frame to the verifiers. The reader waits if they are behind.
func (s *Session) takeRange(f frame) error {
	body, err := decodeRange(f.body)
	if err != nil {
		f.release()
		return s.strike(err)
	}
	if body.Request == 0 {
		// TODO FORMATS §8: ranges pushed unasked (request 0) are not taken yet.
		f.release()
		return nil
	}
	w, known := s.fetch.arrived(body.Request, len(f.body), s.cfg.Clock.Now())
	poke(s.more)
	if !known {
		f.release()
		if s.fetch.calledOff(body.Request) {
			return nil
		}
		return s.strike(errBody)
	}
	if body.Blob != w.Blob || body.Length != w.Length || body.First != uint64(w.First) || len(body.Data) != w.Bytes() {
		f.release()
		s.cfg.Local.Dropped(s.Peer(), []Want{w}, Corrupt)
		return s.strike(errBody)
	}
	select {
	case s.verify <- pending{want: w, body: body, mem: f}:
	case <-s.done:
		f.release()
		s.cfg.Local.Dropped(s.Peer(), []Want{w}, Ended)
	}
	return nil
}

// verifier checks ranges and stores them until the reader is done.
func (s *Session) verifier() {
	for p := range s.verify {
		if err := s.settle(p); err != nil {
			s.quit(err)
		}
		p.mem.release()
		poke(s.more)
	}
}

func (s *Session) settle(p pending) error {
	w := p.want
	leaves, err := blob.Verify(w.Blob, w.Length, w.First, w.First+w.N, p.body.Data, p.body.Proof)
	if err != nil {
		s.cfg.Local.Dropped(s.Peer(), []Want{w}, Corrupt)
		return s.strike(fmt.Errorf("range does not verify: %w", ErrProtocol))
	}
	if err := s.cfg.Local.Store(s.Peer(), w, p.body.Data, leaves); err != nil {
		s.cfg.Local.Dropped(s.Peer(), []Want{w}, Ended)
		return fmt.Errorf("store range: %w", err)
	}
	return nil
}

// refused ends a want the peer will not answer.
func (s *Session) refused(b []byte) error {
	r, err := decodeRefuse(b)
	if err != nil {
		return s.strike(err)
	}
	w, known := s.fetch.close(r.Request)
	if !known {
		if s.fetch.calledOff(r.Request) {
			return nil
		}
		return s.strike(errBody)
	}
	if Reason(r.Reason) == Busy {
		s.rest()
	}
	s.cfg.Local.Dropped(s.Peer(), []Want{w}, Reason(r.Reason))
	poke(s.more)
	return nil
}

// rest leaves a busy peer alone for a while.
func (s *Session) rest() {
	s.fetch.mu.Lock()
	defer s.fetch.mu.Unlock()
	if s.fetch.quiet {
		return
	}
	s.fetch.quiet = true
	s.after(busyTime, func() {
		s.fetch.mu.Lock()
		s.fetch.quiet = false
		s.fetch.mu.Unlock()
		poke(s.more)
	})
}
