package consult

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// foldMarks lists annotations in their acting form. Edits and removals count
// from the mark's author only; removal wins; edits that did not know of each
// other are both named, the highest (lamport, EntryID) shows.
func (f *fold) foldMarks() {
	edits, removed := map[ledger.EntryID][]*item{}, map[ledger.EntryID]bool{}
	owns := func(it *item, id ledger.EntryID) bool {
		m := f.find(id)
		return m != nil && m.e.Kind == ledger.Mark && m.e.Person == it.e.Person
	}
	each(f, ledger.MarkEdit, func(it *item, b *MarkEditBody) {
		if owns(it, b.Mark) {
			edits[b.Mark] = append(edits[b.Mark], it)
		}
	})
	each(f, ledger.MarkRemove, func(it *item, b *MarkRemoveBody) {
		removed[b.Mark] = removed[b.Mark] || owns(it, b.Mark)
	})
	each(f, ledger.Mark, func(it *item, b *MarkBody) {
		m := Mark{Entry: it.e.ID, Author: it.e.Person, Place: b.Place, DerivedFrom: b.DerivedFrom, Removed: removed[it.e.ID]}
		geometry, values := b.Geometry, b.Values
		m.Label = b.Label
		for _, x := range maximal(edits[it.e.ID]) {
			e := x.body.(*MarkEditBody)
			m.Edits = append(m.Edits, x.e.ID)
			geometry, values, m.Label = e.Geometry, e.Values, e.Label
		}
		m.Geometry, m.Values = readable(DecodeGeometry(geometry)), readable(DecodeValues(values))
		f.s.Marks = append(f.s.Marks, m)
	})
}

// readable drops what a later version may read.
func readable[T any](v T, err error) T {
	if err != nil {
		var none T
		return none
	}
	return v
}

// anchor returns where a mark lies, its frame counted from 0.
func (m *Mark) anchor() *Anchor {
	a := &Anchor{Lineage: m.Place.Lineage, SOPUID: m.Place.SOPUID, Points: [][2]float64{}}
	if m.Place.Frame > 0 && m.Place.Frame <= framesMax {
		a.Frame = int(m.Place.Frame - 1)
	}
	if m.Geometry != nil {
		a.Points = m.Geometry.Pixels()
	}
	return a
}

// framesMax is DICOM's: Number of Frames is an IS, PS3.5 §6.2.
const framesMax = 1<<31 - 1

// foldCriticals lists critical findings. One is closed by an acknowledgement
// by a person it names, or by an owner if it names nobody.
func (f *fold) foldCriticals() {
	at := map[ledger.EntryID]int{}
	each(f, ledger.Critical, func(it *item, b *CriticalBody) {
		at[it.e.ID] = len(f.s.Criticals)
		f.s.Criticals = append(f.s.Criticals, Critical{
			Entry: it.e.ID, Of: b.Of, Author: it.e.Person, Category: b.Category, Text: b.Text, Who: b.Who, DueMS: b.DueMS, TimeMS: it.e.ClaimedMS,
			List: b.List, FoundMS: b.FoundMS,
		})
	})
	each(f, ledger.Acknowledge, func(it *item, b *AcknowledgeBody) {
		i, ok := at[b.Critical]
		if !ok || f.s.Criticals[i].AcknowledgedBy != nil {
			return
		}
		if c := &f.s.Criticals[i]; mayAnswer(c.Who, f.writingAt(it, c.Who), it.e.Person, f.rankOf(it)) {
			c.AcknowledgedBy = &it.e.ID
		}
	})
	each(f, ledger.Addendum, func(it *item, b *AddendumBody) {
		if i, ok := at[b.Report]; ok && f.s.Criticals[i].Author == it.e.Person {
			f.s.Criticals[i].Error = &it.e.ID
		}
	})
	each(f, ledger.Attempt, func(it *item, b *AttemptBody) {
		if i, ok := at[b.Critical]; ok {
			f.s.Criticals[i].Attempts = append(f.s.Criticals[i].Attempts, it.e.ID)
		}
	})
}

// writingAt leaves those of some persons who could still write as an entry's
// author knew: where nobody named can acknowledge any more, the owners must, or
// the finding stayed open for ever. Who leaves later takes nothing back.
func (f *fold) writingAt(it *item, who []identity.PersonID) []identity.PersonID {
	if len(who) == 0 {
		return nil
	}
	ranks := f.t.MembersAt(it.e).Ranks
	return slices.DeleteFunc(slices.Clone(who), func(p identity.PersonID) bool { return ranks[p] < ledger.RankWriter })
}

// mayAnswer reports whether a person is among those named, or an owner where
// nobody named is able to.
func mayAnswer(named, able []identity.PersonID, p identity.PersonID, rank ledger.Rank) bool {
	return slices.Contains(named, p) || len(able) == 0 && rank == ledger.RankFounder
}

// MustAcknowledge reports whether a critical finding waits for a person.
func (s *State) MustAcknowledge(c Critical, p identity.PersonID) bool {
	m, ok := s.Member(p)
	return ok && c.AcknowledgedBy == nil && m.Rank >= ledger.RankWriter && mayAnswer(c.Who, s.writing(c.Who), p, m.Rank)
}

// OpenCriticals returns the critical findings that nobody has acknowledged.
func (s *State) OpenCriticals() []Critical {
	var out []Critical
	for _, c := range s.Criticals {
		if c.AcknowledgedBy == nil {
			out = append(out, c)
		}
	}
	return out
}

// foldAsks lists questions back. A message that replies by one of those asked,
// or by an owner, answers one; its author takes it back with a retraction.
func (f *fold) foldAsks() {
	answered := map[ledger.EntryID]*ledger.EntryID{}
	each(f, ledger.Message, func(it *item, b *MessageBody) {
		if b.ReplyTo == nil || it.retracted {
			return
		}
		ask := f.find(*b.ReplyTo)
		if ask == nil {
			return
		}
		if a, ok := ask.body.(*AskBody); ok && answered[ask.e.ID] == nil &&
			(f.rankOf(it) == ledger.RankFounder || slices.Contains(a.Who, it.e.Person)) {
			answered[ask.e.ID] = &it.e.ID
		}
	})
	each(f, ledger.Ask, func(it *item, b *AskBody) {
		f.s.Asks = append(f.s.Asks, Ask{
			Entry: it.e.ID, Author: it.e.Person, Who: b.Who, Text: b.Text, TimeMS: it.e.ClaimedMS, Open: answered[it.e.ID] == nil && !it.retracted,
			Answer: answered[it.e.ID],
		})
	})
	f.holdUp()
	each(f, ledger.Outcome, func(it *item, _ *OutcomeBody) { f.s.Outcomes = append(f.s.Outcomes, it.e.ID) })
}

// asking reports whether an open ask by an assignee holds the case up: one that
// no later preliminary report went past.
func (f *fold) asking() bool {
	return slices.ContainsFunc(f.s.Asks, func(a Ask) bool { return a.Open && a.holds && a.past == nil })
}

// holdUp says which questions hold the case up, and until when.
func (f *fold) holdUp() {
	preliminary := f.ofType(ReportOpinion)
	for i := range f.s.Asks {
		a := &f.s.Asks[i]
		it := f.find(a.Entry)
		a.holds = f.wasAssigned(it) && f.roundKnown(it, f.s.Round)
		if n := slices.IndexFunc(preliminary, func(o *opinion) bool { return precedes(it, o.it) }); n >= 0 {
			a.past = &preliminary[n].it.e.ID
		}
	}
}

// foldWrongPatient locks the case until an owner, knowing of it, grants another
// study and an owner or coordinator opens a new round.
func (f *fold) foldWrongPatient() {
	each(f, ledger.WrongPatient, func(it *item, w *WrongPatientBody) {
		after := func(x *item) bool { return precedes(it, x) }
		granted := slices.ContainsFunc(f.of[ledger.Grant], func(g *item) bool {
			return after(g) && f.rankOf(g) == ledger.RankFounder && g.body.(*GrantBody).Lineage != w.Lineage
		})
		reopened := false
		for _, os := range f.openers {
			reopened = reopened || slices.ContainsFunc(os, after)
		}
		f.locked = f.locked || !granted || !reopened
	})
}
