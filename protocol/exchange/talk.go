package exchange

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// thread is what a session knows of one thread. Session.tmu guards all but tag.
//
// Both sides announce a root once. Where the two announced roots are equal, both
// copies held the rows that were announced; where not, each sends its rows. From
// then on theirs is known and new entries are pushed.
type thread struct {
	tag    tag
	id     ledger.ThreadID
	known  bool         // id is known: the thread is held here
	shared bool         // the peer may have it
	mine   *[32]byte    // root announced by us
	rows   []ledger.Row // that it is of
	root   *[32]byte    // announced by the peer
	heard  bool         // theirs is worth something
	theirs rowset       // what the peer has
	queued bool         // an entriesJob is waiting
	early  []Have       // what the peer holds of a thread that was not known or shared yet
}

// rootOf is H("rows", rows), FORMATS §8.
func rootOf(rows []ledger.Row) [32]byte {
	if rows == nil {
		rows = []ledger.Row{}
	}
	return wire.Hash("rows", wire.MustMarshal(rows))
}

func sortRows(rows []ledger.Row) {
	slices.SortFunc(rows, compareRows)
}

// tagOf hides a thread's name from a peer that does not know it already.
func (s *Session) tagOf(t ledger.ThreadID) (g tag) {
	h := wire.Hash("session/thread", s.text[:], t[:])
	copy(g[:], h[:])
	return g
}

// talker takes all frames but ranges and the frames about them, one at a time,
// and looks at what changed here.
func (s *Session) talker() {
	for {
		var err error
		select {
		case <-s.done:
			return
		case f, ok := <-s.frames:
			if !ok {
				return
			}
			err = s.take(f)
			f.release()
		case <-s.look:
			if s.proven.Load() {
				err = s.reconsider()
			}
		}
		if err != nil {
			s.quit(err)
			return
		}
	}
}

func (s *Session) take(f frame) error {
	switch f.typ {
	case frameHello:
		return s.takeHello(f.body)
	case frameProve:
		return s.takeProve(f.body)
	case frameJoin:
		return s.takeJoin(f.body)
	case frameAccept:
		return s.takeAccept(f.body)
	case frameRecords:
		return s.takeRecords(f.body)
	case frameThreads, frameRows, frameEntries, frameNeed, frameHave:
		if !s.proven.Load() {
			return ErrUnproven
		}
		return s.takeThread(f)
	default:
		return nil // FORMATS §8: unknown types are skipped
	}
}

func (s *Session) takeThread(f frame) error {
	var err error
	switch f.typ {
	case frameThreads:
		err = s.takeThreads(f.body)
	case frameRows:
		err = s.takeRows(f.body)
	case frameEntries:
		err = s.takeEntries(f.body)
	case frameNeed:
		err = s.takeNeed(f.body)
	default:
		err = s.takeHave(f.body)
	}
	return s.strike(err)
}

// reconsider asks Local again who the peer is and what it may have, and sends
// what follows from it.
func (s *Session) reconsider() error {
	dirty, held, renew := s.takeDirty()
	s.setPeer(s.Peer().Devices)
	peer := s.Peer()
	if !peer.Known {
		s.unshare()
		return nil
	}
	if renew || len(dirty) > 0 {
		if err := s.greet(peer); err != nil {
			return err
		}
		s.greeted.Store(true)
		if err := s.announce(peer); err != nil {
			return err
		}
	}
	for t := range dirty {
		if err := s.push(peer, t); err != nil {
			return err
		}
		delete(held, t)
	}
	for t := range held {
		if err := s.pushHaves(peer, t); err != nil {
			return err
		}
	}
	poke(s.more)
	return nil
}

func (s *Session) takeDirty() (dirty, held map[ledger.ThreadID]struct{}, renew bool) {
	s.dmu.Lock()
	defer s.dmu.Unlock()
	dirty, s.dirty = s.dirty, map[ledger.ThreadID]struct{}{}
	held, s.held = s.held, map[ledger.ThreadID]struct{}{}
	return dirty, held, s.renew.Swap(false)
}

// unshare stops everything with a peer that is not known (any more).
func (s *Session) unshare() {
	s.tmu.Lock()
	defer s.tmu.Unlock()
	for _, t := range s.threads {
		t.shared = false
	}
}

// greet sends the records the peer has not had in this session.
func (s *Session) greet(peer Peer) error {
	var fresh [][]byte
	size := 0
	flush := func() error {
		if len(fresh) == 0 {
			return nil
		}
		out := fresh
		fresh, size = nil, 0
		return s.send(frameRecords, out)
	}
	for _, r := range s.cfg.Local.Greet(peer) {
		id := identity.RecordID(r)
		if _, ok := s.sent[id]; ok || len(r) > recordMax {
			continue
		}
		if len(fresh) == recordsMax || size+len(r) > frameMax/2 {
			if err := flush(); err != nil {
				return err
			}
		}
		s.sent[id] = struct{}{}
		fresh = append(fresh, r)
		size += len(r)
	}
	return flush()
}

// announce tells the peer the roots of the threads shared with it that it was not told yet.
func (s *Session) announce(peer Peer) error {
	shared, withheld := s.cfg.Local.Shared(peer)
	s.tmu.Lock()
	for _, t := range s.threads {
		t.shared = false
	}
	for _, id := range withheld {
		s.hold(id)
	}
	var fresh []*thread
	for _, id := range shared {
		t := s.hold(id)
		if t == nil {
			continue
		}
		t.shared = true
		if t.mine == nil {
			fresh = append(fresh, t)
		}
	}
	s.tmu.Unlock()

	var anns []announcement
	for _, t := range fresh {
		rows := s.cfg.Local.Rows(t.id)
		root := rootOf(rows)
		s.tmu.Lock()
		t.mine, t.rows = &root, rows
		s.tmu.Unlock()
		anns = append(anns, announcement{Tag: t.tag, Root: root})
	}
	if len(anns) > 0 {
		if err := s.send(frameThreads, anns); err != nil {
			return err
		}
	}
	for _, t := range fresh {
		if err := s.compare(t); err != nil {
			return err
		}
		if err := s.sendHaves(peer, t); err != nil {
			return err
		}
		s.tellEarly(peer, t)
	}
	return nil
}

// hold returns the state of a thread that is held here; nil above the limit. Call with tmu.
func (s *Session) hold(id ledger.ThreadID) *thread {
	t, ok := s.byID[id]
	if ok {
		return t
	}
	g := s.tagOf(id)
	t, ok = s.threads[g]
	if !ok {
		if len(s.threads) >= threadsMax {
			return nil
		}
		t = &thread{tag: g}
		s.threads[g] = t
	}
	t.id, t.known = id, true
	s.byID[id] = t
	return t
}

// compare acts on two announced roots once both are there.
func (s *Session) compare(t *thread) error {
	s.tmu.Lock()
	if t.mine == nil || t.root == nil || !t.shared {
		s.tmu.Unlock()
		return nil
	}
	if *t.mine == *t.root {
		both := newRowset(t.rows)
		both.add(t.theirs.rows())
		t.theirs, t.heard, t.rows = both, true, nil
		s.queue(t) // what came since
		s.tmu.Unlock()
		return nil
	}
	id := t.id
	s.tmu.Unlock()
	return s.sendRows(t.tag, s.cfg.Local.Rows(id))
}

func (s *Session) sendRows(g tag, rows []ledger.Row) error {
	if len(rows) > rowsMax {
		rows = rows[:rowsMax] // the peer then sends some of what is here already
	}
	if rows == nil {
		rows = []ledger.Row{}
	}
	return s.send(frameRows, rowsBody{Tag: g, Rows: rows})
}

// queue makes the writer send what the peer lacks. Call with tmu.
func (s *Session) queue(t *thread) {
	if t.shared && t.heard && !t.queued {
		t.queued = true
		s.out.entries(&entriesJob{thread: t})
	}
}

// push sends what is new in a thread.
func (s *Session) push(peer Peer, id ledger.ThreadID) error {
	s.tmu.Lock()
	t, ok := s.byID[id]
	if !ok || !t.shared {
		s.tmu.Unlock()
		return nil
	}
	s.queue(t)
	s.tmu.Unlock()
	return s.sendHaves(peer, t)
}

// pushHaves tells what of a thread's blobs is here, where the peer is told of the thread.
func (s *Session) pushHaves(peer Peer, id ledger.ThreadID) error {
	s.tmu.Lock()
	t, ok := s.byID[id]
	shared := ok && t.shared
	s.tmu.Unlock()
	if !shared {
		return nil
	}
	return s.sendHaves(peer, t)
}

func (s *Session) takeThreads(b []byte) error {
	anns, err := decodeThreads(b)
	if err != nil {
		return err
	}
	for _, a := range anns {
		t, err := s.announced(a)
		if err != nil {
			return err
		}
		s.tmu.Lock()
		known := t.known
		s.tmu.Unlock()
		if !known {
			// FORMATS §8: an unknown tag is answered with empty rows.
			err = s.sendRows(a.Tag, nil)
		} else {
			err = s.compare(t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// announced notes a root of the peer's.
func (s *Session) announced(a announcement) (*thread, error) {
	s.tmu.Lock()
	defer s.tmu.Unlock()
	t, ok := s.threads[a.Tag]
	if !ok {
		if len(s.threads) >= threadsMax || (!s.Peer().Known && s.foreign >= strangerThreads) {
			return nil, errLimit
		}
		s.foreign++
		t = &thread{tag: a.Tag}
		s.threads[a.Tag] = t
	}
	root := a.Root
	t.root = &root
	return t, nil
}

func (s *Session) takeRows(b []byte) error {
	r, err := decodeRows(b)
	if err != nil {
		return err
	}
	s.tmu.Lock()
	defer s.tmu.Unlock()
	t, ok := s.threads[r.Tag]
	if !ok || !t.known {
		return errBody // rows only answer a tag that was announced
	}
	t.theirs, t.heard = newRowset(r.Rows), true
	s.queue(t)
	return nil
}

func (s *Session) takeEntries(b []byte) error {
	e, err := decodeEntries(b)
	if err != nil {
		return err
	}
	peer := s.Peer()
	s.tmu.Lock()
	t, ok := s.threads[e.Tag]
	var id *ledger.ThreadID
	if ok && t.known {
		x := t.id
		id = &x
	}
	s.tmu.Unlock()
	if !ok {
		return errBody // entries only follow rows
	}
	return s.received(peer, t, s.cfg.Local.Receive(peer, id, e.Items))
}

// received acts on what became of entries.
func (s *Session) received(peer Peer, t *thread, got Received) error {
	s.tmu.Lock()
	if got.Known && !t.known {
		if s.tagOf(got.Thread) != t.tag {
			s.tmu.Unlock()
			return errBody // once opened, it must match
		}
		t.id, t.known = got.Thread, true
		s.byID[got.Thread] = t
		s.renew.Store(true)
		poke(s.look)
	}
	if t.theirs == nil {
		t.theirs = rowset{}
	}
	t.theirs.add(got.Rows)
	s.tmu.Unlock()
	if got.Need == nil {
		return nil
	}
	return s.sendNeed(t, *got.Need)
}

func (s *Session) takeHave(b []byte) error {
	h, err := decodeHave(b)
	if err != nil {
		return err
	}
	s.tmu.Lock()
	t, ok := s.threads[h.Tag]
	if !ok {
		s.tmu.Unlock()
		return nil
	}
	have := Have{Manifest: h.Manifest, Bitmap: h.Bitmap, Partial: h.Partial}
	if !t.known || !t.shared {
		// It comes before the entries of a new case do.
		if s.early += len(have.Bitmap) + wantCost; s.early <= earlyMax && len(have.Partial) == 0 {
			t.early = append(t.early, have)
		}
		s.tmu.Unlock()
		return nil
	}
	id := t.id
	s.tmu.Unlock()
	s.cfg.Local.PeerHas(s.Peer(), id, have)
	poke(s.more)
	return nil
}

// tellEarly hands on what the peer said it holds before the thread was shared with it.
func (s *Session) tellEarly(peer Peer, t *thread) {
	s.tmu.Lock()
	early := t.early
	t.early = nil
	s.tmu.Unlock()
	for _, h := range early {
		s.cfg.Local.PeerHas(peer, t.id, h)
	}
}

// haveKey names a study in a thread.
type haveKey struct {
	tag      tag
	manifest blob.ID
}

// sendHaves tells the peer which blobs are here, if that has changed.
func (s *Session) sendHaves(peer Peer, t *thread) error {
	for _, h := range s.cfg.Local.Haves(peer, t.id) {
		body := haveBody{Tag: t.tag, Manifest: h.Manifest, Bitmap: h.Bitmap, Partial: h.Partial}
		if len(body.Bitmap) > bitmapMax || len(body.Partial) > partialsMax {
			continue
		}
		f, err := encodeFrame(frameHave, body)
		if err != nil {
			return err
		}
		k, sum := haveKey{t.tag, h.Manifest}, wire.Hash("have", f)
		if s.haves[k] == sum || len(s.haves) >= havesMax {
			continue
		}
		s.haves[k] = sum
		if err := s.out.talk(f); err != nil {
			return err
		}
	}
	return nil
}
