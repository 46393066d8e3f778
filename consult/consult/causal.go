package consult

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// weighs reports whether the rules ask what came before what for a kind.
// Messages, marks and receipts are many and need no such answer.
func weighs(k ledger.Kind) bool {
	switch k {
	case ledger.Request, ledger.Grant, ledger.MarkEdit, ledger.Status, ledger.Assign, ledger.Report, ledger.Addendum,
		ledger.Ask, ledger.Taken, ledger.Triage, ledger.WrongPatient, ledger.Decline, ledger.SealedRead, ledger.Vote, ledger.Consensus:
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

// known is what never changes of an entry, whatever else arrives.
type known struct {
	body    any // pointer to its body type; nil if it cannot be read
	decoded bool
	unknown bool
	rank    ledger.Rank // of its author, as its author knew
	ranked  bool
	place   int  // among the weighing entries, -1 if it is none
	upTo    past // the weighing entries it rests on, itself included
	it      *item
}

// Memory remembers what never changes of the entries of one thread, to fold it
// again in a fraction of the time. It is not safe for concurrent use.
type Memory struct {
	of     map[ledger.EntryID]*known
	places int
	broken broken

	// Roles says what the attestations known here limit a person to. If it is
	// set, entries beyond a role have no effect on the state, but for its hash.
	Roles func(identity.PersonID) Attested
}

// broken leaves rules out, for tests to prove that they would notice.
type broken struct {
	anyoneCloses, anyoneEdits, anyoneAnswers, anyoneTakes, anyoneDrafts bool
	anyHash, handsOver, votesStay, arrival                              bool
}

// learn returns what is known of an entry. Entries come in display order, in
// which what an entry rests on comes before it.
func (m *Memory) learn(e *ledger.Entry) *known {
	k := m.of[e.ID]
	if k == nil {
		k = &known{place: -1}
		if e.Chain == ledger.Content {
			m.rest(e, k)
		}
		m.of[e.ID] = k
	}
	if !k.decoded && e.Body != nil && e.Chain == ledger.Content {
		body, err := Decode(e.Kind, e.Body)
		if k.decoded, k.unknown = true, err != nil; err == nil {
			k.body = body
		}
	}
	return k
}

func (m *Memory) rest(e *ledger.Entry, k *known) {
	if e.Prev != nil {
		k.upTo = m.of[*e.Prev].upTo
	}
	for _, id := range e.Parents {
		k.upTo = k.upTo.join(m.of[id].upTo)
	}
	if weighs(e.Kind) {
		k.place = m.places
		m.places++
		k.upTo = k.upTo.with(k.place)
	}
}

// precedes reports whether a weighing entry is in the past of another entry.
func precedes(a, b *item) bool { return a != b && a.k.place >= 0 && b.k.upTo.has(a.k.place) }

// concurrent reports whether neither of two weighing entries knew of the other.
func concurrent(a, b *item) bool { return a != b && !precedes(a, b) && !precedes(b, a) }

// maximal returns those of some weighing entries, given in display order, that
// no other of them comes after; in display order too.
func maximal(items []*item) []*item {
	var out []*item
	for _, x := range slices.Backward(items) {
		if !slices.ContainsFunc(out, func(y *item) bool { return precedes(x, y) }) {
			out = append(out, x)
		}
	}
	slices.Reverse(out)
	return out
}
