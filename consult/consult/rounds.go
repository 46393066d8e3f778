package consult

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

func compareEntries(a, b *ledger.Entry) int {
	return cmp.Or(cmp.Compare(a.Lamport, b.Lamport), bytes.Compare(a.ID[:], b.ID[:]))
}

// foldAssigns takes the assignments by owners and coordinators, and those by
// which an assignee hands the case over.
func (f *fold) foldAssigns() {
	for _, it := range f.items {
		switch b := it.body.(type) {
		case *StatusBody:
			if it.acts() && (b.Stage == StageAccepted || b.Stage == StageReading) {
				f.voices = append(f.voices, it)
			}
		case *ReportBody, *DeclineBody:
			if it.acts() {
				f.voices = append(f.voices, it)
			}
		}
	}
	each(f, ledger.Assign, func(it *item, _ *AssignBody) {
		if f.rankOf(it) >= ledger.RankAdmin || slices.Contains(f.assigneesAt(it), it.e.Person) {
			f.assigns = append(f.assigns, it)
		}
	})
	f.acting = maximal(f.assigns)
	f.s.Assigned = f.holders(f.acting, f.stancesBy(f.s.Round, everything))
	named := f.named(f.acting)
	if len(f.s.Assigned) > 0 && len(named) > 0 && f.s.Assigned[0] != named[0] {
		f.s.HandingTo = named
	}
	for _, it := range f.acting {
		f.s.Conflict = f.s.Conflict || !slices.Equal(persons(it), persons(f.acting[0]))
	}
}

func persons(assign *item) []identity.PersonID { return assign.body.(*AssignBody).Persons }

// named returns everybody that some assignments name. The highest (lamport,
// EntryID) comes first, as its first person is the primary.
func (f *fold) named(assigns []*item) []identity.PersonID {
	var out []identity.PersonID
	if f.m.broken.arrival {
		assigns = slices.SortedFunc(slices.Values(assigns), func(a, b *item) int { return a.k.place - b.k.place })
	}
	for _, it := range slices.Backward(assigns) {
		for _, p := range persons(it) {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// holders returns who is assigned by some assignments that do not know of each
// other: those named, and until one of them accepts, before them those who had
// the case and had accepted it (FIELD §6, F16).
func (f *fold) holders(assigns []*item, stances map[identity.PersonID]stance) []identity.PersonID {
	named := f.named(assigns)
	if len(assigns) == 0 || f.m.broken.handsOver {
		return named
	}
	has := func(p identity.PersonID) bool { return stances[p] >= accepted }
	if slices.ContainsFunc(named, has) {
		return named
	}
	var before []*item
	for _, x := range f.assigns {
		if !slices.Contains(assigns, x) && slices.ContainsFunc(assigns, func(y *item) bool { return precedes(x, y) }) {
			before = append(before, x)
		}
	}
	var out []identity.PersonID
	for _, p := range f.holders(maximal(before), stances) {
		if has(p) {
			out = append(out, p)
		}
	}
	return append(out, named...)
}

// assigneesAt returns who was assigned as far as an entry's author knew.
func (f *fold) assigneesAt(it *item) []identity.PersonID {
	if it.assignees != nil {
		return *it.assignees
	}
	knew := func(x *item) bool { return precedes(x, it) }
	var known []*item
	for _, a := range f.assigns {
		if knew(a) {
			known = append(known, a)
		}
	}
	out := f.holders(maximal(known), f.stancesBy(f.roundAt(it), knew))
	it.assignees = &out
	return out
}

// wasAssigned reports whether an entry's author was an assignee then. The
// requester never is.
func (f *fold) wasAssigned(it *item) bool {
	return f.rankOf(it) < ledger.RankFounder && slices.Contains(f.assigneesAt(it), it.e.Person)
}

// roundAt is the round that went on as far as an entry's author knew.
func (f *fold) roundAt(it *item) uint64 {
	round := min(f.s.Round, 1)
	for n := range f.openers {
		if n > round && f.roundKnown(it, n) {
			round = n
		}
	}
	return round
}

// foldRounds finds the round. A round is opened by an owner or coordinator who
// knew the round before, so that nobody jumps ahead.
func (f *fold) foldRounds() {
	if f.request == nil {
		return
	}
	f.s.Round = 1
	each(f, ledger.Status, func(it *item, b *StatusBody) {
		if b.Stage != StageAsked || b.Round < 2 || f.rankOf(it) < ledger.RankAdmin || !f.roundKnown(it, b.Round-1) {
			return
		}
		f.openers[b.Round] = append(f.openers[b.Round], it)
		f.s.Round = max(f.s.Round, b.Round)
	})
}

// roundKnown reports whether an entry's author knew that a round had begun.
func (f *fold) roundKnown(it *item, round uint64) bool {
	return round == 1 || slices.ContainsFunc(f.openers[round], func(o *item) bool { return precedes(o, it) })
}

// staged returns the statuses of the acting round at a stage that only owners
// and coordinators may set.
func (f *fold) staged(stage Stage) []*item {
	var out []*item
	each(f, ledger.Status, func(it *item, b *StatusBody) {
		may := f.rankOf(it) >= ledger.RankAdmin || f.m.broken.anyoneCloses
		if may && b.Stage == stage && b.Round == f.s.Round && f.roundKnown(it, b.Round) {
			out = append(out, it)
		}
	})
	return out
}

// stance is what an assignee said last in the acting round.
type stance uint8

const (
	silent stance = iota
	declined
	accepted
	reading
)

// foldStances takes what assignees said last in the acting round.
func (f *fold) foldStances() {
	f.stances = f.stancesBy(f.s.Round, everything)
}

func everything(*item) bool { return true }

// stancesBy goes through accepts, declines and reports in a round by who was an
// assignee then, in display order. A report implies acceptance.
func (f *fold) stancesBy(round uint64, knew func(*item) bool) map[identity.PersonID]stance {
	out := map[identity.PersonID]stance{}
	for _, it := range f.voices {
		if !knew(it) || !f.ofRound(it, round) {
			continue
		}
		p := it.e.Person
		switch b := it.body.(type) {
		case *StatusBody:
			if !f.wasAssigned(it) {
				continue
			}
			if b.Stage == StageAccepted {
				out[p] = max(out[p], accepted)
			}
			if b.Stage == StageReading {
				out[p] = reading
			}
		case *ReportBody:
			if f.opinion(it, b).counts && f.wasAssigned(it) {
				out[p] = max(out[p], accepted)
			}
		case *DeclineBody:
			if f.wasAssigned(it) {
				out[p] = declined
			}
		}
	}
	return out
}

// ofRound reports whether an entry speaks for a round.
func (f *fold) ofRound(it *item, round uint64) bool {
	var of uint64
	switch b := it.body.(type) {
	case *StatusBody:
		of = b.Round
	case *ReportBody:
		of = b.Round
	case *DeclineBody:
		of = b.Round
	case *SealedReadBody:
		of = b.Round
	case *ConsensusBody:
		of = b.Round
	default:
		return false
	}
	return of == round && f.roundKnown(it, round)
}

// able returns the assignees who can act: members who may write, but for the
// requester, whose opinion in their own case is a note.
func (f *fold) able() []identity.PersonID {
	var out []identity.PersonID
	for _, p := range f.s.Assigned {
		if r := f.ranks[p]; r >= ledger.RankWriter && r < ledger.RankFounder {
			out = append(out, p)
		}
	}
	return out
}
