package consult

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// weighs reports whether the rules ask what came before what for a kind.
// Messages, marks and receipts are many and need no such answer.
func weighs(k ledger.Kind) bool {
	switch k {
	case ledger.Request, ledger.Grant, ledger.MarkEdit, ledger.Status, ledger.Assign, ledger.Report, ledger.Addendum,
		ledger.Ask, ledger.Taken, ledger.Triage, ledger.WrongPatient:
		return true
	default:
		return false
	}
}

// past is a set of weighing entries by their place. It is shared between
// entries and not to be changed.
type past []uint64

func (p past) has(i int) bool { return i>>6 < len(p) && p[i>>6]&(1<<(i&63)) != 0 }

// with returns p with one more, in memory of its own.
func (p past) with(i int) past {
	out := make(past, max(len(p), i>>6+1))
	copy(out, p)
	out[i>>6] |= 1 << (i & 63)
	return out
}

// join returns the union of both.
func (p past) join(o past) past {
	if o.within(p) {
		return p
	}
	if p.within(o) {
		return o
	}
	out := make(past, max(len(p), len(o)))
	copy(out, p)
	for i, w := range o {
		out[i] |= w
	}
	return out
}

func (p past) within(o past) bool {
	for i, w := range p {
		if w != 0 && (i >= len(o) || w&^o[i] != 0) {
			return false
		}
	}
	return true
}

// history knows, for all content entries, which weighing entries came before.
type history struct {
	place map[ledger.EntryID]int
	upTo  map[ledger.EntryID]past // the entry itself included
}

// newHistory walks entries in display order, in which what an entry rests on
// comes before it.
func newHistory(entries []*ledger.Entry) *history {
	h := &history{place: map[ledger.EntryID]int{}, upTo: make(map[ledger.EntryID]past, len(entries))}
	for _, e := range entries {
		if e.Chain != ledger.Content {
			continue
		}
		p := h.before(e)
		if weighs(e.Kind) {
			n := len(h.place)
			h.place[e.ID] = n
			p = p.with(n)
		}
		h.upTo[e.ID] = p
	}
	return h
}

func (h *history) before(e *ledger.Entry) past {
	var p past
	if e.Prev != nil {
		p = h.upTo[*e.Prev]
	}
	for _, id := range e.Parents {
		p = p.join(h.upTo[id])
	}
	return p
}

// precedes reports whether a weighing entry is in the past of another entry.
func (h *history) precedes(a, b *item) bool {
	n, ok := h.place[a.e.ID]
	return ok && a != b && h.upTo[b.e.ID].has(n)
}

// concurrent reports whether neither of two weighing entries knew of the other.
func (h *history) concurrent(a, b *item) bool {
	return a != b && !h.precedes(a, b) && !h.precedes(b, a)
}

// maximal returns those of some weighing entries, given in display order, that
// no other of them comes after; in display order too.
func (h *history) maximal(items []*item) []*item {
	var out []*item
	for _, x := range slices.Backward(items) {
		if !slices.ContainsFunc(out, func(y *item) bool { return h.precedes(x, y) }) {
			out = append(out, x)
		}
	}
	slices.Reverse(out)
	return out
}
