package exchange

import (
	"math/bits"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Who holds what, and who of several takers asks a source for what (NETWORK §9).
//
// A peer's haves say which blobs of a study it holds. Where several members fetch one
// study at once, each is to leave its source once, for the source's uplink is what is
// scarce. So they share it out without a word: blob k of the study is for taker k mod n
// to ask of the source, takers being all who are connected and lacked something when they
// came, in the order of their DeviceIDs; the others get it from that taker once it has it. All are
// near reading order all the time, and the uplink carries nothing twice. Views differ
// for moments, as when somebody comes or goes; that costs a few ranges twice.
//
// A taker that makes no progress loses its share, and one that has run out of its own
// within the window, while others are behind, helps them from the far end.

// place is where a study's manifest lists a blob.
type place struct {
	manifest blob.ID
	bit      int // in a have
	of       int // blobs that the manifest lists
}

// crowd is who belongs to a thread.
type crowd struct {
	own []identity.DeviceID
	all []identity.DeviceID // sorted
}

// live is a peer with a session.
type live struct {
	devices []identity.DeviceID
	since   time.Time
	haves   map[blob.ID]*stock
	bytes   int       // of bitmaps
	idle    time.Time // since when there was nothing of our own share to ask of it
	asked   bool      // its session asks: it carries blobs
}

// stock is a have: what a peer holds of a study.
type stock struct {
	bits []byte
	n    int       // of them set
	n0   int       // in the first have
	at   time.Time // when there were more than before
}

func (h *stock) has(bit int) bool {
	return bit/8 < len(h.bits) && h.bits[bit/8]&(0x80>>(bit%8)) != 0
}

// Members says which devices are in a thread, and which of them are of this node. Without it
// nothing is shared out.
func (p *Plan) Members(t ledger.ThreadID, own, all []identity.DeviceID) {
	all = slices.Clone(all)
	slices.SortFunc(all, compareDevices)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crowds[t] = crowd{own: slices.Clone(own), all: all}
}

func compareDevices(a, b identity.DeviceID) int { return slices.Compare(a[:], b[:]) }

// Up says that a session with a peer began.
func (p *Plan) Up(peer Peer, now time.Time) {
	p.mu.Lock()
	if l := p.live[peer.ID]; l != nil {
		l.devices = peer.Devices
	} else {
		p.live[peer.ID] = &live{devices: peer.Devices, since: now, haves: map[blob.ID]*stock{}}
	}
	p.mu.Unlock()
	p.Again(peer.ID)
}

// Down says that there is none with it any more.
func (p *Plan) Down(peer identity.PeerID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.live, peer)
	delete(p.losers, peer)
}

// Heard takes a have. Of a peer that names more studies than anybody has, the first ones count.
func (p *Plan) Heard(peer Peer, h Have, now time.Time) {
	p.mu.Lock()
	l := p.live[peer.ID]
	if l == nil {
		l = &live{devices: peer.Devices, since: now, haves: map[blob.ID]*stock{}}
		p.live[peer.ID] = l
	}
	old := l.haves[h.Manifest]
	grows := len(h.Bitmap)
	if old != nil {
		grows -= len(old.bits)
	}
	if l.bytes+grows <= heardMax && (old != nil || len(l.haves) < havesMax) {
		l.bytes += grows
		next := &stock{bits: slices.Clone(h.Bitmap), at: now}
		for _, b := range h.Bitmap {
			next.n += bits.OnesCount8(b)
		}
		next.n0 = next.n
		if old != nil {
			next.n0 = old.n0
		}
		if old != nil && next.n <= old.n {
			next.at = old.at
		}
		l.haves[h.Manifest] = next
	}
	p.mu.Unlock()
	p.Again(peer.ID)
}

// HeldBy says how many blobs of a study a peer said it holds.
func (p *Plan) HeldBy(peer identity.PeerID, manifest blob.ID) (n int, said bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.live[peer]; l != nil && l.haves[manifest] != nil {
		return l.haves[manifest].n, true
	}
	return 0, false
}

// holding is what is known of a peer and a blob.
type holding int

const (
	unknown holding = iota
	holds
	lacks
)

// holdsOf says whether a peer holds a wanted blob. Who announces a study has its manifest.
func (l *live) holdsOf(it *planned) holding {
	if l == nil {
		return unknown
	}
	out := unknown
	if l.haves[it.Blob] != nil {
		return holds
	}
	for _, pl := range it.places {
		switch h := l.haves[pl.manifest]; {
		case h == nil:
		case h.has(pl.bit):
			return holds
		default:
			out = lacks
		}
	}
	return out
}

// anyHolds says whether somebody with a session, other than a peer, is known to hold a blob and may be asked for it.
func (p *Plan) anyHolds(it *planned, but identity.PeerID) bool {
	for id, l := range p.live {
		if id != but && l.asked && it.absent[id] == 0 && l.holdsOf(it) == holds {
			return true
		}
	}
	return false
}

// share is how a study is shared out at the moment.
type share struct {
	takers []identity.DeviceID
	own    []identity.DeviceID
	away   map[identity.DeviceID]bool // takers without a session: they may be about to come
	full   map[identity.PeerID]bool   // sources: peers that held all of it when they came
}

// owner says whose it is to ask a source for a blob.
func (s *share) owner(pl place) identity.DeviceID {
	return s.takers[max(pl.bit-1, 0)/2%len(s.takers)]
}

func (s *share) mine(d identity.DeviceID) bool { return slices.Contains(s.own, d) }

// turn is the place of this node among the takers.
func (s *share) turn() int {
	return max(slices.IndexFunc(s.takers, s.mine), 0)
}

// shareOf works out how a study is shared out; nil if it is not, as there is one taker.
func (p *Plan) shareOf(t ledger.ThreadID, pl place, now time.Time) *share {
	c, ok := p.crowds[t]
	if !ok || len(c.own) == 0 {
		return nil
	}
	began, ok := p.began[pl.manifest]
	if !ok {
		began = now
		p.began[pl.manifest] = now
	}
	byDevice := map[identity.DeviceID]*live{}
	s := &share{own: c.own, away: map[identity.DeviceID]bool{}, full: map[identity.PeerID]bool{}}
	for id, l := range p.live {
		if h := l.haves[pl.manifest]; h != nil && h.n0 >= pl.of {
			s.full[id] = true
		}
		for _, d := range l.devices {
			byDevice[d] = l
		}
	}
	for _, d := range c.all {
		switch l := byDevice[d]; {
		case s.mine(d):
			s.takers = append(s.takers, d)
		case l == nil:
			if now.Sub(began) < graceTime {
				s.away[d] = true
				s.takers = append(s.takers, d)
			}
		case l.takes(pl, began, now):
			s.takers = append(s.takers, d)
		}
	}
	if len(s.takers) < 2 {
		return nil
	}
	return s
}

// takes says whether a peer lacked something of a study when it came, and gets on. Who has got all
// of it stays a taker, so that the others' shares stay what they are.
func (l *live) takes(pl place, began, now time.Time) bool {
	last := began
	if l.since.After(last) {
		last = l.since
	}
	if h := l.haves[pl.manifest]; h != nil {
		if h.n >= pl.of {
			return h.n0 < pl.of
		}
		if h.at.After(last) {
			last = h.at
		}
	}
	return now.Sub(last) < progressTime
}

// asking is one call of Wants at work.
type asking struct {
	p      *Plan
	peer   Peer
	live   *live
	ask    Ask
	may    func(ledger.ThreadID) bool
	shares map[place]*share
	out    []Want
	bytes  int
	passed int        // sealed bytes of blobs passed, where a source is shared
	others []*planned // left to other takers
	told   *share     // that they are shared by
}

func (a *asking) full() bool { return len(a.out) >= a.ask.Count || a.bytes >= a.ask.Bytes }

// may asks the members of a thread only.
func (a *asking) mayAsk(it *planned) bool {
	return !it.gone && it.absent[a.peer.ID] == 0 && slices.ContainsFunc(it.threads, a.may)
}

// share is how the study of a blob is shared out, nil if it is not.
func (a *asking) share(it *planned) (*share, place) {
	if len(it.places) == 0 {
		return nil, place{}
	}
	pl := it.places[0]
	key := place{manifest: pl.manifest, of: pl.of}
	s, ok := a.shares[key]
	if !ok {
		s = a.p.shareOf(it.threads[0], pl, a.ask.Now)
		a.shares[key] = s
	}
	return s, pl
}

// want asks for as much of a blob as there is room for.
func (a *asking) want(it *planned) {
	for !a.full() {
		w, ok := it.take(min(max(a.ask.Leaves, 1), leavesMax))
		if !ok {
			return
		}
		a.put(it, w)
	}
}

func (a *asking) put(it *planned, w Want) {
	it.asks = append(it.asks, asked{w.First, w.N, a.peer.ID, a.ask.Now})
	a.out = append(a.out, w)
	a.bytes += w.cost()
}

// consider asks the peer for a blob if it is the one to ask. It reports whether to look further.
func (a *asking) consider(it *planned) bool {
	if !a.mayAsk(it) {
		return true
	}
	state := a.live.holdsOf(it)
	if state == lacks || state == unknown && a.p.anyHolds(it, a.peer.ID) {
		return true
	}
	if it.Priority == 0 {
		a.want(it) // a viewer waits
		return !a.full()
	}
	s, pl := a.share(it)
	if s == nil || state == holds && !s.full[a.peer.ID] {
		a.want(it) // nobody to share with, or from one who takes as well
		return !a.full()
	}
	if it.next >= len(it.state) {
		return true // under way
	}
	if a.passed += int(min(it.Length, shareWindow)); a.passed > shareWindow {
		return false
	}
	switch {
	case !s.mine(s.owner(pl)):
		if !a.p.anyHolds(it, a.peer.ID) {
			a.others, a.told = append(a.others, it), s
		}
	case !a.p.takerHolds(it, s):
		a.want(it)
	}
	return !a.full()
}

// takerHolds says whether a taker holds a blob already: its uplink is not what is scarce.
func (p *Plan) takerHolds(it *planned, s *share) bool {
	for id, l := range p.live {
		if !s.full[id] && l.asked && it.absent[id] == 0 && l.holdsOf(it) == holds {
			return true
		}
	}
	return false
}

// help asks for what is left to others: to those who are not there yet at once, to those who are
// behind once there has been nothing else to do for a while, from the far end.
func (a *asking) help() {
	if len(a.others) == 0 || a.live == nil {
		return
	}
	a.p.waits = true
	s, n := a.told, len(a.others)
	start := n * s.turn() / len(s.takers)
	for i := range a.others {
		it := a.others[(start+i)%n]
		if s.away[s.owner(it.places[0])] {
			a.want(it)
		}
		if a.full() {
			return
		}
	}
	if len(a.out) > 0 || a.ask.Priority < priorities-1 {
		return
	}
	switch {
	case a.p.asksOf(a.peer.ID):
		a.live.idle = time.Time{}
	case a.live.idle.IsZero():
		a.live.idle = a.ask.Now
	case a.ask.Now.Sub(a.live.idle) >= helpTime:
		a.ask.Bytes = min(a.ask.Bytes, windowMin)
		for i := range a.others {
			a.want(a.others[(2*n-1-start-i)%n])
			if a.full() {
				return
			}
		}
	}
}

// asksOf says whether anything is under way from a peer.
func (p *Plan) asksOf(peer identity.PeerID) bool {
	for _, its := range p.items {
		for _, it := range its {
			if slices.ContainsFunc(it.asks, func(a asked) bool { return a.peer == peer }) {
				return true
			}
		}
	}
	return false
}

// Waits says that something is left to others for now: Wants is to be asked again in a while.
func (p *Plan) Waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.waits
	p.waits = false
	return w
}

// Unwanted is Local.Unwanted: ranges asked of a peer that came from another meanwhile.
func (p *Plan) Unwanted(peer identity.PeerID) []Want {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.losers[peer]
	delete(p.losers, peer)
	return out
}

// lose notes that a range came from one peer and is under way from another.
func (p *Plan) lose(it *planned, a asked) {
	p.waits = true
	if l := p.losers[a.peer]; len(l) < wantsMax {
		p.losers[a.peer] = append(l, Want{Blob: it.Blob, Length: it.Length, First: a.first, N: a.n, Priority: it.Priority})
	}
}
