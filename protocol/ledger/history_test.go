package ledger

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// event is a control entry of a made-up history, in small numbers. Person p
// owns devices 2p and 2p+1; founders are 0 and sometimes 1.
type event struct {
	id, person, device, seq int
	prev                    int // -1 none
	parents                 []int
	kind                    Kind
	target                  int // person of a role
	rank                    Rank
	founders                []int
	tdev                    int         // device of a revoke or admit
	serial                  int         // of a revoke
	cseq, cid               int         // control cut, and the event there or -1
	xseq                    int         // content cut of a revoke or admit
	cut                     map[int]int // content cuts of a role by device
}

// history is a causally closed set of events, in an order they could be
// written in.
type history struct {
	events []*event
	past   []map[int]bool
	last   map[int]int // device to its newest event
	r      *rand.Rand
	people int
}

func newHistory(seed uint64) *history {
	h := &history{last: map[int]int{}, r: rand.New(rand.NewPCG(seed, 1))}
	founders := []int{0}
	if h.r.IntN(4) == 0 {
		founders = append(founders, 1)
	}
	h.people = len(founders) + 2 + h.r.IntN(3)
	h.add(&event{kind: Create, founders: founders, target: -1}, nil)
	return h
}

// add appends an event to its device's chain, on top of parents.
func (h *history) add(e *event, parents []int) *event {
	prev, had := h.last[e.device]
	e.prev, e.seq = -1, 1
	if had {
		e.prev, e.seq = prev, h.events[prev].seq+1
	}
	h.last[e.device] = len(h.events)
	return h.put(e, parents)
}

// fork appends an event that reuses the number of an earlier one.
func (h *history) fork(e *event, at *event) *event {
	e.prev, e.seq = at.prev, at.seq
	return h.put(e, at.parents)
}

func (h *history) put(e *event, parents []int) *event {
	e.id, e.parents = len(h.events), slices.Clone(parents)
	past := map[int]bool{}
	for _, p := range append(slices.Clone(parents), e.prev) {
		if p >= 0 {
			past[p] = true
			for q := range h.past[p] {
				past[q] = true
			}
		}
	}
	h.events, h.past = append(h.events, e), append(h.past, past)
	return e
}

func (h *history) heads() (out []int) {
	for id := range h.events {
		if !slices.ContainsFunc(h.past, func(p map[int]bool) bool { return p[id] }) {
			out = append(out, id)
		}
	}
	return out
}

// grow adds random events: roles, admits, revokes, forks, on random parents, so
// that most are concurrent with something and many are backdated.
func (h *history) grow(steps int) {
	for i := range steps {
		dev := h.r.IntN(2 * h.people)
		e := &event{person: dev / 2, device: dev, target: -1}
		switch h.r.IntN(12) {
		default:
			h.makeRole(e)
		case 9:
			e.kind, e.tdev, e.xseq = Admit, h.r.IntN(2*h.people), 1+h.r.IntN(9)
		case 10:
			h.makeRevoke(e, i)
		case 11:
			at := h.events[h.r.IntN(len(h.events))]
			if at.kind != Create {
				e.person, e.device = at.person, at.device
				h.makeRole(e)
				h.fork(e, at)
			}
			continue
		}
		h.add(e, h.someParents())
	}
}

func (h *history) someParents() []int {
	parents := []int{}
	for range 1 + h.r.IntN(3) {
		p := h.r.IntN(len(h.events))
		if h.r.IntN(2) == 0 { // rather something recent
			p = len(h.events) - 1 - h.r.IntN(min(4, len(h.events)))
		}
		if !slices.Contains(parents, p) {
			parents = append(parents, p)
		}
	}
	return parents
}

func (h *history) makeRole(e *event) {
	e.kind, e.target, e.rank = Role, h.r.IntN(h.people), Rank(h.r.IntN(5))
	if h.r.IntN(3) == 0 {
		e.target = e.person // leaving, or trying to rise
	}
	e.cut = map[int]int{2 * e.target: h.r.IntN(9), 2*e.target + 1: h.r.IntN(9)}
}

func (h *history) makeRevoke(e *event, i int) {
	e.kind, e.tdev, e.serial, e.cseq, e.cid, e.xseq = Revoke, h.r.IntN(2*h.people), 1+i/4, h.r.IntN(4), -1, h.r.IntN(9)
	for _, o := range h.events {
		if o.device == e.tdev && o.seq == e.cseq {
			e.cid = o.id
		}
	}
	if e.tdev == 0 && e.cseq == 0 { // a root would not cut its create away
		e.cseq, e.cid = 1, 0
	}
}

func personOf(p int) identity.PersonID { return identity.PersonID{0: byte(p + 1)} }
func deviceOf(d int) identity.DeviceID { return identity.DeviceID{0: byte(d + 1)} }

func idOf(n int) EntryID {
	return wire.Hash("test/id", binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// graph gives the events to a graph in an order drawn from a seed; 0 is the
// order they were written in.
func (h *history) graph(seed uint64, rules rules) *graph {
	g := newGraph()
	g.rules = rules
	order := h.events
	if seed != 0 {
		r := rand.New(rand.NewPCG(seed, 2))
		order = slices.Clone(order[1:])
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		order = append([]*event{h.events[0]}, order...)
	}
	for len(order) > 0 {
		var later []*event
		for _, e := range order {
			if !h.give(g, e) {
				later = append(later, e)
			}
		}
		order = later
	}
	return g
}

func (h *history) give(g *graph, e *event) bool {
	a := act{id: idOf(e.id), author: owner{deviceOf(e.device), personOf(e.person)}, seq: uint64(e.seq), prev: -1, kind: e.kind, rank: e.rank}
	for id := range h.past[e.id] {
		place, ok := g.place[idOf(id)]
		if !ok {
			return false
		}
		a.past = a.past.add(place)
	}
	if e.prev >= 0 {
		a.prev = g.place[idOf(e.prev)]
	}
	switch e.kind {
	case Create:
		for _, f := range e.founders {
			a.founders = append(a.founders, personOf(f))
			a.intro = append(a.intro, devicesOf(f)...)
		}
	case Role:
		a.target, a.intro = personOf(e.target), devicesOf(e.target)
		for d, seq := range e.cut {
			a.cuts = append(a.cuts, ContentCut{Device: deviceOf(d), Seq: uint64(seq)})
		}
	case Admit:
		a.cuts = []ContentCut{{Device: deviceOf(e.tdev), Seq: uint64(e.xseq)}}
	case Revoke:
		a.cut = e.makeCut()
	default:
	}
	g.add(a)
	return true
}

func devicesOf(p int) []owner {
	return []owner{{deviceOf(2 * p), personOf(p)}, {deviceOf(2*p + 1), personOf(p)}}
}

// ownerOf is the person of a device; devices from 50 on are spare ones.
func ownerOf(d int) int {
	switch {
	case d >= 100:
		return 0
	case d >= 50:
		return d - 50
	default:
		return d / 2
	}
}

func (e *event) makeCut() *cut {
	c := identity.DeviceCut{Person: personOf(ownerOf(e.tdev)), Device: deviceOf(e.tdev), Serial: uint64(e.serial)}
	if e.cseq > 0 {
		c.Control = &identity.Point{Seq: uint64(e.cseq), Entry: idOf(-1)}
		if e.cid >= 0 {
			c.Control.Entry = idOf(e.cid)
		}
	}
	if e.xseq > 0 {
		c.Content = &identity.Point{Seq: uint64(e.xseq)}
	}
	return &cut{DeviceCut: &c, record: idOf(e.id)}
}

// probe is a content entry: what is its verdict?
type probe struct {
	person, device, seq int
	auth                []int
}

func (h *history) probe() probe {
	d := h.r.IntN(2 * h.people)
	return probe{d / 2, d, 1 + h.r.IntN(9), h.someParents()}
}

// judge returns authorized and in force.
func (h *history) judge(g *graph, p probe) (bool, bool) {
	var past set
	for _, id := range p.auth {
		place := g.place[idOf(id)]
		past = past.join(g.acts[place].past).add(place)
	}
	x := post{author: owner{deviceOf(p.device), personOf(p.person)}, need: RankWriter, past: past}
	ok := g.view(past).authorized(x)
	return ok, ok && g.inForce(g.view(firstN(len(g.acts))), x, func(seq uint64, _ EntryID) bool { return uint64(p.seq) <= seq })
}
