package exchange

import (
	"bufio"
	"errors"
	"io"
	"sync"
)

// class is a place in the order of what is written, lowest first, strictly:
// FORMATS §8 lets a viewer's range overtake everything but the talk about it.
type class int

const (
	classTalk    class = iota // hello to end, records, threads, rows, need, have, want, cancel, refuse
	classViewer               // ranges of priority 0
	classEntries              // entries
	classRange1               // ranges of priority 1 to 4
	classRange2
	classRange3
	classRange4
	classes
)

func rangeClass(priority uint64) class {
	if priority == 0 {
		return classViewer
	}
	return classRange1 + class(min(priority, 4)) - 1
}

// job is one thing to be written; exactly one field is set.
type job struct {
	frame   []byte       // a frame as it is
	entries *entriesJob  // a thread's entries, a frame at a time
	rng     *wantedRange // a range, read when its turn comes
}

// entriesJob sends entries of a thread. Without items given it works out what
// the peer lacks when its turn comes, so that a hundred changes cost one answer.
type entriesJob struct {
	thread *thread
	begun  bool
	answer bool // to a need
	items  [][]byte
}

type wantedRange struct {
	request   uint64
	want      Want
	cancelled bool
}

// outbox orders what is to be written. The writer alone takes from it.
type outbox struct {
	mu        sync.Mutex // guards all below
	jobs      [classes]fifo
	ranges    map[uint64]*wantedRange // asked by the peer, not written yet
	queued    int                     // ranges in jobs, the cancelled too
	rangeSize int                     // sealed bytes of ranges
	talkSize  int                     // bytes of waiting frames
	answers   int                     // waiting answers to needs
	closing   bool
	last      []byte // the frame written at the end
	ready     chan struct{}
}

type fifo struct {
	jobs []job
	head int
}

func (f *fifo) push(j job) { f.jobs = append(f.jobs, j) }

func (f *fifo) pop() (job, bool) {
	if f.head == len(f.jobs) {
		return job{}, false
	}
	j := f.jobs[f.head]
	f.jobs[f.head] = job{}
	f.head++
	if f.head == len(f.jobs) {
		f.jobs, f.head = f.jobs[:0], 0
	} else if f.head > 1024 && f.head*2 > len(f.jobs) {
		f.jobs = append(f.jobs[:0], f.jobs[f.head:]...)
		f.head = 0
	}
	return j, true
}

func (f *fifo) pushFront(j job) {
	if f.head > 0 {
		f.head--
		f.jobs[f.head] = j
		return
	}
	f.jobs = append([]job{j}, f.jobs...)
}

func newOutbox() *outbox {
	return &outbox{ranges: map[uint64]*wantedRange{}, ready: make(chan struct{}, 1)}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// frameCost is what a waiting frame takes beside its bytes: a refusal has ten.
const frameCost = 96

// errFlood ends a session whose peer asks and does not read.
var errFlood = errors.New("peer does not read its answers")

func (o *outbox) talk(frame []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.talkSize += len(frame) + frameCost; o.talkSize > talkMax {
		return errFlood
	}
	o.jobs[classTalk].push(job{frame: frame})
	poke(o.ready)
	return nil
}

func (o *outbox) entries(e *entriesJob) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.jobs[classEntries].push(job{entries: e})
	poke(o.ready)
}

// answer queues the answer to a need, unless too many wait.
func (o *outbox) answer(e *entriesJob) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.answers >= answersMax {
		return false
	}
	o.answers++
	e.begun, e.answer = true, true
	o.jobs[classEntries].push(job{entries: e})
	poke(o.ready)
	return true
}

// want queues a range for the peer. It reports Busy when the peer asks too much.
func (o *outbox) want(request uint64, w Want) (Reason, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, dup := o.ranges[request]; dup {
		return 0, errBody
	}
	size := w.Bytes()
	if len(o.ranges) >= wantsMax || o.rangeSize+size > wantBytesMax {
		return Busy, nil
	}
	if o.queued++; o.queued > 4*wantsMax {
		return 0, errFlood // wants and cancels, and reads nothing
	}
	r := &wantedRange{request: request, want: w}
	o.ranges[request] = r
	o.rangeSize += size
	o.jobs[rangeClass(uint64(w.Priority))].push(job{rng: r})
	poke(o.ready)
	return 0, nil
}

func (o *outbox) cancel(request uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r, ok := o.ranges[request]; ok {
		r.cancelled = true
		o.forget(r)
	}
}

func (o *outbox) forget(r *wantedRange) {
	if _, ok := o.ranges[r.request]; ok {
		delete(o.ranges, r.request)
		o.rangeSize -= r.want.Bytes()
	}
}

// close makes the writer stop after one last frame, or at once without one.
func (o *outbox) close(last []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closing {
		o.closing, o.last = true, last
		poke(o.ready)
	}
}

// next takes the most urgent job. Without one, it says whether that is for good.
func (o *outbox) next() (j job, ok, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing {
		j = job{frame: o.last}
		o.last = nil
		return j, j.frame != nil, true
	}
	for c := range o.jobs {
		for {
			j, ok := o.jobs[c].pop()
			if !ok {
				break
			}
			if j.frame != nil {
				o.talkSize -= len(j.frame) + frameCost
			}
			if j.rng != nil {
				o.queued--
				if j.rng.cancelled {
					continue
				}
				o.forget(j.rng)
			}
			return j, true, false
		}
	}
	return job{}, false, false
}

// again puts a job with frames left back to the front of its class.
func (o *outbox) again(e *entriesJob) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.jobs[classEntries].pushFront(job{entries: e})
}

// finished makes room for another answer.
func (o *outbox) finished(e *entriesJob) {
	if !e.answer {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers--
}

// idle says that nothing waits to be written.
func (o *outbox) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.jobs {
		if o.jobs[c].head != len(o.jobs[c].jobs) {
			return false
		}
	}
	return true
}

// writer writes one frame at a time until the outbox closes or the stream breaks.
type writer struct {
	s    *Session
	w    *bufio.Writer
	data []byte // a range as Local.Serve reads it
	head []byte
}

// writeBuffer joins small frames; a range goes past it.
const writeBuffer = 64 << 10

func (s *Session) write(stream io.Writer) error {
	w := writer{s: s, w: bufio.NewWriterSize(said{s, stream}, writeBuffer)}
	for {
		j, ok, closed := s.out.next()
		if !ok {
			if err := w.w.Flush(); err != nil || closed {
				return err
			}
			<-s.out.ready
			continue
		}
		if err := w.do(j); err != nil {
			return err
		}
	}
}

// said notes since when the stream has not taken what is written, a piece at a time.
type said struct {
	s *Session
	w io.Writer
}

func (x said) Write(p []byte) (n int, err error) {
	defer x.s.writing.Store(0)
	for n < len(p) && err == nil {
		x.s.writing.Store(x.s.cfg.Clock.Now().UnixNano())
		var k int
		k, err = x.w.Write(p[n:min(len(p), n+writeBuffer)])
		n += k
	}
	return n, err
}

func (w *writer) do(j job) error {
	switch {
	case j.rng != nil:
		return w.serve(j.rng)
	case j.entries != nil:
		return w.entries(j.entries)
	default:
		return w.put(j.frame)
	}
}

func (w *writer) put(parts ...[]byte) error {
	for _, p := range parts {
		w.s.stats.out.add(len(p))
		if _, err := w.w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// serve reads a range and writes it, or refuses.
func (w *writer) serve(r *wantedRange) error {
	peer := w.s.Peer()
	if !peer.Known {
		return w.refuse(r.request, NotAllowed)
	}
	if w.data == nil {
		w.data = make([]byte, leavesMax*leafSize)
	}
	data, proof, err := w.s.cfg.Local.Serve(peer, r.want, w.data)
	switch {
	case errors.Is(err, ErrNotAllowed):
		return w.refuse(r.request, NotAllowed)
	case err != nil || len(data) != r.want.Bytes():
		return w.refuse(r.request, Absent)
	}
	body := rangeBody{
		Request: r.request, Blob: r.want.Blob, Length: r.want.Length,
		First: uint64(r.want.First), Data: data, Proof: proof,
	}
	w.head = appendRangeHead(w.head[:0], &body)
	mid := len(w.head)
	w.head = appendRangeTail(w.head, &body)
	return w.put(w.head[:mid], data, w.head[mid:])
}

func (w *writer) refuse(request uint64, why Reason) error {
	f, err := encodeFrame(frameRefuse, refuseBody{Request: request, Reason: uint64(why)})
	if err != nil {
		return err
	}
	return w.put(f)
}

// entries writes one frame of a job and queues the rest.
func (w *writer) entries(e *entriesJob) error {
	if !e.begun {
		e.begun = true
		e.items = w.s.lacking(e.thread)
	}
	if len(e.items) == 0 {
		w.s.out.finished(e)
		return nil
	}
	n, size := 0, 0
	for n < len(e.items) && n < itemsMax && (n == 0 || size+len(e.items[n]) <= entriesBytes) {
		size += len(e.items[n])
		n++
	}
	body := entriesBody{Tag: e.thread.tag, Items: e.items[:n], More: 1}
	if n < len(e.items) {
		body.More = 2
	}
	f, err := encodeFrame(frameEntries, body)
	if err != nil {
		return err
	}
	if e.items = e.items[n:]; len(e.items) > 0 {
		w.s.out.again(e)
	} else {
		w.s.out.finished(e)
	}
	return w.put(f)
}

// lacking is what the peer's copy of a thread lacks, and from now on has.
func (s *Session) lacking(t *thread) [][]byte {
	s.tmu.Lock()
	t.queued = false
	if !t.shared || !t.heard {
		s.tmu.Unlock()
		return nil
	}
	theirs := t.theirs.rows()
	s.tmu.Unlock()

	rows := s.cfg.Local.Rows(t.id)
	items := s.cfg.Local.Missing(t.id, theirs)

	s.tmu.Lock()
	defer s.tmu.Unlock()
	t.theirs.add(rows)
	return items
}
