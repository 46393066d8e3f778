package exchange

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Plan decides which ranges are wanted from whom: Local.Wants, Dropped and the
// bookkeeping of Store, for any number of peers at once. It holds what is missing
// and what is under way, and nothing of it on disk: the leaf bitmaps there are the
// truth (NETWORK §9, resume). It is safe for concurrent use.
type Plan struct {
	mu    sync.Mutex             // guards all below
	items map[blob.ID][]*planned // one for each length that was said; nearly always one
	order [priorities][]*planned // reading order within a priority
	gone  [priorities]int        // items in order that are done
	seq   uint64
	stale bool // order must be sorted again

	// What sharing out goes by, see swarm.go.
	crowds map[ledger.ThreadID]crowd
	live   map[identity.PeerID]*live
	began  map[blob.ID]time.Time // studies, since when they are fetched
	losers map[identity.PeerID][]Want
	waits  bool
}

const priorities = 5

// Goal is a blob to be fetched.
type Goal struct {
	Thread   ledger.ThreadID // whose members may be asked
	Blob     blob.ID
	Length   uint64 // sealed
	Priority int    // 0 to 4
	Order    uint64 // reading order within a priority; equal ones as they were added
	Has      []bool // leaves here already; nil: none

	// Of a blob that a manifest lists: where, for haves to be understood.
	Manifest blob.ID
	Bit      int // in the have of the manifest
	Of       int // blobs that the manifest lists; 0: none lists this one
}

type planned struct {
	Goal
	seq     uint64
	threads []ledger.ThreadID
	places  []place
	state   []leafState
	next    int // no leaf before it is missing
	open    int // leaves not stored yet
	asks    []asked
	gone    bool // done, or moved to another priority
	absent  map[identity.PeerID]Reason
}

// asked is a range under way.
type asked struct {
	first, n int
	peer     identity.PeerID
	at       time.Time
}

type leafState uint8

const (
	leafMissing leafState = iota
	leafAsked
	leafStored
)

// NewPlan makes an empty plan.
func NewPlan() *Plan {
	return &Plan{
		items: map[blob.ID][]*planned{}, crowds: map[ledger.ThreadID]crowd{}, live: map[identity.PeerID]*live{},
		began: map[blob.ID]time.Time{}, losers: map[identity.PeerID][]Want{},
	}
}

// Add wants a blob. One that is wanted already keeps the more urgent priority and
// may be asked of the members of both threads. A length is only what a manifest says
// until a range verifies: goals with other lengths of one blob stand side by side, so
// that a false one keeps nobody from the true one. It reports whether anything is
// missing of it.
func (p *Plan) Add(g Goal) bool {
	n := blob.LeafCount(g.Length)
	if g.Priority < 0 || g.Priority >= priorities || n < 1 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if it := p.find(g.Blob, g.Length); it != nil {
		if !slices.Contains(it.threads, g.Thread) {
			it.threads = append(it.threads, g.Thread)
		}
		it.list(g)
		p.raise(it, g.Priority)
		return true
	}
	p.seq++
	it := &planned{Goal: g, seq: p.seq, threads: []ledger.ThreadID{g.Thread}, state: make([]leafState, n), open: n}
	for i := range min(n, len(g.Has)) {
		if g.Has[i] {
			it.state[i] = leafStored
			it.open--
		}
	}
	it.Has = nil
	it.list(g)
	if it.open == 0 {
		return false
	}
	p.items[g.Blob] = append(p.items[g.Blob], it)
	p.insert(it)
	return true
}

// list notes that a manifest lists the blob.
func (it *planned) list(g Goal) {
	pl := place{manifest: g.Manifest, bit: g.Bit, of: g.Of}
	if g.Of > 0 && g.Bit >= 0 && !slices.Contains(it.places, pl) {
		it.places = append(it.places, pl)
	}
}

// find gives the goal of a blob with a length, nil if there is none.
func (p *Plan) find(id blob.ID, length uint64) *planned {
	for _, it := range p.items[id] {
		if it.Length == length {
			return it
		}
	}
	return nil
}

func (p *Plan) insert(it *planned) {
	list := p.order[it.Priority]
	if n := len(list); n > 0 && compare(list[n-1], it) > 0 {
		p.stale = true
	}
	p.order[it.Priority] = append(list, it)
}

func compare(a, b *planned) int {
	return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.seq, b.seq))
}

// Raise makes a blob more urgent, for a viewer that waits for it.
func (p *Plan) Raise(id blob.ID, priority int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, it := range slices.Clone(p.items[id]) {
		if priority >= 0 {
			p.raise(it, priority)
		}
	}
}

func (p *Plan) raise(it *planned, priority int) {
	if priority >= it.Priority {
		return
	}
	moved := *it
	it.gone = true
	p.gone[it.Priority]++
	moved.Priority = priority
	p.items[it.Blob][slices.Index(p.items[it.Blob], it)] = &moved
	p.insert(&moved)
}

// Remove gives a blob up. Ranges under way are stored or dropped as they come.
func (p *Plan) Remove(id blob.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(id)
}

func (p *Plan) remove(id blob.ID) {
	for _, it := range p.items[id] {
		it.gone = true
		p.gone[it.Priority]++
	}
	delete(p.items, id)
}

// Wants is Local.Wants: what to ask of a peer that may be asked for the blobs of
// the threads that may reports.
func (p *Plan) Wants(peer Peer, may func(ledger.ThreadID) bool, ask Ask) []Want {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sort()
	a := &asking{p: p, peer: peer, live: p.live[peer.ID], ask: ask, may: remember(may), shares: map[place]*share{}}
	if a.live != nil {
		a.live.asked = true
	}
	for pr := 0; pr <= min(ask.Priority, priorities-1); pr++ {
		for _, it := range p.order[pr] {
			if !a.consider(it) {
				break
			}
		}
		if a.full() {
			return a.out
		}
	}
	a.help()
	if len(a.out) == 0 {
		return p.late(peer, a.may, ask)
	}
	if a.live != nil {
		a.live.idle = time.Time{}
	}
	return a.out
}

// remember asks once for each thread: a study has hundreds of blobs.
func remember(may func(ledger.ThreadID) bool) func(ledger.ThreadID) bool {
	asked := map[ledger.ThreadID]bool{}
	return func(t ledger.ThreadID) bool {
		yes, ok := asked[t]
		if !ok {
			yes = may(t)
			asked[t] = yes
		}
		return yes
	}
}

// late gives ranges that were asked of other peers a while ago and did not come: a
// source that stalls must not hold up the end of a study.
func (p *Plan) late(peer Peer, may func(ledger.ThreadID) bool, ask Ask) []Want {
	var out []Want
	bytes := 0
	for pr := 0; pr <= min(ask.Priority, priorities-1); pr++ {
		for _, it := range p.order[pr] {
			if it.gone || it.absent[peer.ID] != 0 || !it.stale(peer.ID, ask.Now) || !slices.ContainsFunc(it.threads, may) || p.live[peer.ID].holdsOf(it) == lacks {
				continue
			}
			for _, a := range it.asks {
				if len(out) >= ask.Count || bytes >= ask.Bytes {
					return out
				}
				if ask.Now.Sub(a.at) < stallTime || it.asking(peer.ID, a.first) {
					continue
				}
				w := Want{Blob: it.Blob, Length: it.Length, First: a.first, N: a.n, Priority: it.Priority}
				it.asks = append(it.asks, asked{w.First, w.N, peer.ID, ask.Now})
				out = append(out, w)
				bytes += w.cost()
			}
		}
	}
	return out
}

// stale says whether something asked of others is late.
func (it *planned) stale(self identity.PeerID, now time.Time) bool {
	return slices.ContainsFunc(it.asks, func(a asked) bool { return a.peer != self && now.Sub(a.at) >= stallTime })
}

// asking says whether a range that starts there is under way from a peer.
func (it *planned) asking(peer identity.PeerID, first int) bool {
	return slices.ContainsFunc(it.asks, func(a asked) bool { return a.peer == peer && a.first == first })
}

// asksFor says whether a leaf is under way from anybody.
func (it *planned) asksFor(leaf int) bool {
	return slices.ContainsFunc(it.asks, func(a asked) bool { return a.first <= leaf && leaf < a.first+a.n })
}

// sort puts the lists in order and now and then leaves out what is done.
func (p *Plan) sort() {
	for i := range p.order {
		if p.stale || p.gone[i]*2 > len(p.order[i]) {
			p.order[i] = slices.DeleteFunc(p.order[i], func(it *planned) bool { return it.gone })
			p.gone[i] = 0
		}
		if p.stale {
			slices.SortFunc(p.order[i], compare)
		}
	}
	p.stale = false
}

// take marks the next run of missing leaves as asked for.
func (it *planned) take(leaves int) (Want, bool) {
	for it.next < len(it.state) && it.state[it.next] != leafMissing {
		it.next++
	}
	first := it.next
	n := 0
	for n < leaves && first+n < len(it.state) && it.state[first+n] == leafMissing {
		it.state[first+n] = leafAsked
		n++
	}
	it.next += n
	return Want{Blob: it.Blob, Length: it.Length, First: first, N: n, Priority: it.Priority}, n > 0
}

// Stored notes a range that Local.Store kept, from a peer or, with none, from elsewhere.
// It reports whether the blob is whole now; the plan then forgets it.
func (p *Plan) Stored(from identity.PeerID, w Want) (whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	it := p.find(w.Blob, w.Length)
	if it == nil {
		return false
	}
	it.asks = slices.DeleteFunc(it.asks, func(a asked) bool {
		done := a.first >= w.First && a.first+a.n <= w.First+w.N
		if done && a.peer != from {
			p.lose(it, a)
		}
		return done
	})
	for i := w.First; i < w.First+w.N && i < len(it.state); i++ {
		if it.state[i] != leafStored {
			it.state[i] = leafStored
			it.open--
		}
	}
	if it.open > 0 {
		return false
	}
	p.remove(w.Blob)
	return true
}

// Lacks says whether leaves that came unasked, in a bundle, are wanted, and how much.
func (p *Plan) Lacks(w Want) (priority int, lacks bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	it := p.find(w.Blob, w.Length)
	if it == nil || w.First < 0 || w.N < 1 || w.First+w.N > len(it.state) {
		return 0, false
	}
	return it.Priority, slices.ContainsFunc(it.state[w.First:w.First+w.N], func(s leafState) bool { return s != leafStored })
}

// Dropped is Local.Dropped: the ranges are missing again. A peer that does not
// have, may not give or spoiled a blob is not asked for it again until Again.
func (p *Plan) Dropped(peer Peer, wants []Want, why Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range wants {
		it := p.find(w.Blob, w.Length)
		if it == nil {
			continue
		}
		it.asks = slices.DeleteFunc(it.asks, func(a asked) bool { return a.peer == peer.ID && a.first == w.First && a.n == w.N })
		for i := w.First; i < w.First+w.N && i < len(it.state); i++ {
			if it.state[i] == leafAsked && !it.asksFor(i) {
				it.state[i] = leafMissing
				it.next = min(it.next, i)
			}
		}
		if why == Absent || why == NotAllowed || why == Corrupt {
			if it.absent == nil {
				it.absent = map[identity.PeerID]Reason{}
			}
			it.absent[peer.ID] = max(it.absent[peer.ID], why)
		}
	}
}

// Again lets a peer be asked again for what it did not have or might not give: it
// says it has more now, or a new session began. What it spoiled stays with others.
func (p *Plan) Again(peer identity.PeerID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, its := range p.items {
		for _, it := range its {
			if r := it.absent[peer]; r == Absent || r == NotAllowed {
				delete(it.absent, peer)
			}
		}
	}
}

// Progress says how many leaves of a wanted blob are stored; of several lengths, of the one that is furthest.
func (p *Plan) Progress(id blob.ID) (have, total int, wanted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, it := range p.items[id] {
		if n := len(it.state) - it.open; !wanted || n > have {
			have, total = n, len(it.state)
		}
		wanted = true
	}
	return have, total, wanted
}

// Len is the number of blobs wanted.
func (p *Plan) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.items)
}
