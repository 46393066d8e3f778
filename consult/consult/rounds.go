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
	each(f, ledger.Assign, func(it *item, _ *AssignBody) {
		if f.rankOf(it) >= ledger.RankAdmin || slices.Contains(f.assigneesAt(it), it.e.Person) {
			f.assigns = append(f.assigns, it)
		}
	})
	f.acting = maximal(f.assigns)
	f.s.Assigned = f.named(f.acting)
	for _, it := range f.acting {
		f.s.Conflict = f.s.Conflict || !slices.Equal(persons(it), persons(f.acting[0]))
	}
}

func persons(assign *item) []identity.PersonID { return assign.body.(*AssignBody).Persons }

// named returns everybody that some assignments name. The highest (lamport,
// EntryID) comes first, as its first person is the primary.
func (f *fold) named(assigns []*item) []identity.PersonID {
	var out []identity.PersonID
	for _, it := range slices.Backward(assigns) {
		for _, p := range persons(it) {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// assigneesAt returns who was assigned as far as an entry's author knew.
func (f *fold) assigneesAt(it *item) []identity.PersonID {
	var known []*item
	for _, a := range f.assigns {
		if precedes(a, it) {
			known = append(known, a)
		}
	}
	return f.named(maximal(known))
}

// wasAssigned reports whether an entry's author was an assignee then. The
// requester never is.
func (f *fold) wasAssigned(it *item) bool {
	return f.rankOf(it) < ledger.RankFounder && slices.Contains(f.assigneesAt(it), it.e.Person)
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

// foldStances goes through accepts, declines and reports in the acting round by
// who was an assignee then, in display order. A report implies acceptance.
func (f *fold) foldStances() {
	f.stances = map[identity.PersonID]stance{}
	for _, it := range f.items {
		if !it.force || it.body == nil || !f.ofRound(it) {
			continue
		}
		p := it.e.Person
		switch b := it.body.(type) {
		case *StatusBody:
			if !f.wasAssigned(it) {
				continue
			}
			if b.Stage == StageAccepted {
				f.stances[p] = max(f.stances[p], accepted)
			}
			if b.Stage == StageReading {
				f.stances[p] = reading
			}
		case *ReportBody:
			if f.opinionOf[it.e.ID].counts {
				f.stances[p] = max(f.stances[p], accepted)
			}
		case *DeclineBody:
			if f.wasAssigned(it) {
				f.stances[p] = declined
			}
		}
	}
}

// ofRound reports whether an entry speaks for the acting round.
func (f *fold) ofRound(it *item) bool {
	var round uint64
	switch b := it.body.(type) {
	case *StatusBody:
		round = b.Round
	case *ReportBody:
		round = b.Round
	case *DeclineBody:
		round = b.Round
	default:
		return false
	}
	return round == f.s.Round && f.roundKnown(it, round)
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
