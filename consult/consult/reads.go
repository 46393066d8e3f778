package consult

import (
	"fmt"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// The states of a sealed read.
const (
	ReadSealed      = "sealed"
	ReadOpened      = "opened"
	ReadNeverOpened = "sealed, never opened" // though the reads were revealed
	ReadRefused     = "sealed, another document came"
)

// NotBlinded labels a read of a blind reading whose author could have known
// another's.
const NotBlinded = "not blinded"

// Commit is what a sealed read posts of a document and a random salt.
func Commit(salt [32]byte, document wire.Raw) [32]byte {
	return wire.Hash("sealed-read", salt[:], document)
}

// opensWell reports whether a report opens nothing, or a sealed read of its
// author and round with the document that was sealed.
func (f *fold) opensWell(it *item, b *ReportBody) bool {
	if b.Opens == nil {
		return true
	}
	seal := f.find(b.Opens.Sealed)
	if seal == nil || !seal.acts() || !precedes(seal, it) || seal.e.Person != it.e.Person {
		return false
	}
	s, ok := seal.body.(*SealedReadBody)
	return ok && s.Commitment != nil && s.Round == b.Round && *s.Commitment == Commit(b.Opens.Salt, b.Document)
}

func (f *fold) sealOf(x *Opening) *item {
	if x == nil {
		return nil
	}
	return f.find(x.Sealed)
}

// foldReads lists the sealed reads of the acting round by assignees.
func (f *fold) foldReads() {
	seals, reveals := f.sealed()
	opened := map[ledger.EntryID]*opinion{}
	refused := map[ledger.EntryID]bool{}
	shown := []*item{} // where the reads of others can be read
	for _, o := range f.opinions {
		if o.body.Round != f.s.Round || o.doc == nil {
			continue
		}
		shown = append(shown, o.it)
		if x := o.body.Opens; x != nil && o.valid {
			if opened[x.Sealed] == nil {
				opened[x.Sealed] = o
			}
		} else if seal := f.sealOf(x); seal != nil && o.it.acts() && seal.e.Person == o.it.e.Person {
			refused[x.Sealed] = true // by its own author: nobody else can spoil a read
		}
	}
	shown = append(shown, reveals...)
	times := map[identity.PersonID]int{}
	for _, it := range seals {
		times[it.e.Person]++
	}
	f.s.Revealed = len(seals) > 0 && (len(reveals) > 0 || len(opened) > 0 || f.allSealed(times))
	f.s.commitments = map[ledger.EntryID][32]byte{}
	for _, it := range seals {
		f.s.commitments[it.e.ID] = *it.body.(*SealedReadBody).Commitment
		r := Read{Entry: it.e.ID, Author: it.e.Person, TimeMS: it.e.ClaimedMS, Twice: times[it.e.Person] > 1, State: ReadSealed}
		knew := slices.ContainsFunc(shown, func(x *item) bool { return x.e.Person != it.e.Person && precedes(x, it) })
		r.Blinded = !knew && !r.Twice
		switch o := opened[it.e.ID]; {
		case o != nil:
			r.State, r.Report = ReadOpened, &o.it.e.ID
		case refused[it.e.ID]:
			r.State = ReadRefused
		case f.s.Revealed:
			r.State = ReadNeverOpened
		}
		f.s.Reads = append(f.s.Reads, r)
	}
	f.labelReads()
}

// sealed returns the sealed reads of the acting round by who was an assignee,
// and its reveals by owners and coordinators.
func (f *fold) sealed() (seals, reveals []*item) {
	each(f, ledger.SealedRead, func(it *item, b *SealedReadBody) {
		switch {
		case !f.ofRound(it, f.s.Round):
		case b.Commitment == nil && f.rankOf(it) >= ledger.RankAdmin:
			reveals = append(reveals, it)
		case b.Commitment != nil && f.wasAssigned(it):
			seals = append(seals, it)
		}
	})
	return seals, reveals
}

// allSealed reports whether every assignee who has not declined has sealed a
// read, which opens them without a chair.
func (f *fold) allSealed(times map[identity.PersonID]int) bool {
	return !slices.ContainsFunc(f.able(), func(p identity.PersonID) bool { return f.stances[p] != declined && times[p] == 0 })
}

// labelReads marks the reports of a blind reading that were not blinded.
func (f *fold) labelReads() {
	blind := f.s.Blind()
	for i := range f.s.Reports {
		r := &f.s.Reports[i]
		if !blind || r.Of != nil || r.Round != f.s.Round || !r.Counts || f.opinionOf[r.Entry].body.Consensus != nil {
			continue
		}
		r.NotBlinded = !slices.ContainsFunc(f.s.Reads, func(x Read) bool { return x.Blinded && x.Report != nil && *x.Report == r.Entry })
	}
}

// Blind reports whether the acting round is read blind: the request says so, or
// somebody sealed a read.
func (s *State) Blind() bool {
	return len(s.Reads) > 0 || s.Request != nil && s.Request.Context.Form["reading"] == "blind"
}

// Blinded reports whether reads are to be sealed still.
func (s *State) Blinded() bool { return s.Blind() && !s.Revealed }

// foldDrafts lists the consensus drafts of the acting round with their votes.
func (f *fold) foldDrafts() {
	var drafts []*item
	each(f, ledger.Consensus, func(it *item, b *ConsensusBody) {
		if f.ofRound(it, f.s.Round) && (f.mayDraft(it, b) || f.m.broken.anyoneDrafts) {
			drafts = append(drafts, it)
		}
	})
	for i, it := range drafts {
		b := it.body.(*ConsensusBody)
		d := Draft{Entry: it.e.ID, Author: it.e.Person, TimeMS: it.e.ClaimedMS, Text: b.Text, Panel: b.Panel, Quorum: b.Quorum}
		d.Void = i < len(drafts)-1 && !f.m.broken.votesStay
		d.Votes = f.votes(it, b, everything)
		d.Reached = !d.Void && d.reached()
		f.s.Drafts = append(f.s.Drafts, d)
	}
	f.signDrafts(drafts)
}

// mayDraft reports whether a draft counts: by a coordinator of the panel, which
// leaves out only assignees who had declined or could not write.
func (f *fold) mayDraft(it *item, b *ConsensusBody) bool {
	assignees := f.assigneesAt(it)
	if f.rankOf(it) != ledger.RankAdmin || !slices.Contains(b.Panel, it.e.Person) {
		return false
	}
	if slices.ContainsFunc(b.Panel, func(p identity.PersonID) bool { return !slices.Contains(assignees, p) }) {
		return false
	}
	ranks := f.t.MembersAt(it.e).Ranks
	stances := f.stancesBy(b.Round, func(x *item) bool { return precedes(x, it) })
	return !slices.ContainsFunc(assignees, func(p identity.PersonID) bool {
		able := ranks[p] >= ledger.RankWriter && ranks[p] < ledger.RankFounder && stances[p] != declined
		return able && !slices.Contains(b.Panel, p)
	})
}

// votes returns the votes of the panel on a draft, of each the first.
func (f *fold) votes(draft *item, b *ConsensusBody, knew func(*item) bool) []Vote {
	var out []Vote
	each(f, ledger.Vote, func(it *item, v *VoteBody) {
		switch {
		case v.Consensus != draft.e.ID, !slices.Contains(b.Panel, it.e.Person), !precedes(draft, it), !knew(it):
		case slices.ContainsFunc(out, func(x Vote) bool { return x.Author == it.e.Person }):
		default:
			out = append(out, Vote{Entry: it.e.ID, Author: it.e.Person, Choice: v.Choice, Text: v.Text, Name: v.Name, TimeMS: it.e.ClaimedMS})
		}
	})
	return out
}

// reached reports whether enough sign on, the chair among them.
func (d *Draft) reached() bool {
	n, chair := uint64(0), false
	for _, v := range d.Votes {
		if v.Choice.SignsOn() {
			n++
			chair = chair || v.Author == d.Author
		}
	}
	return chair && n >= d.Quorum
}

// signDrafts finds the final reports that sign a draft: by its author, without
// knowing a later one, and in the words that draft and votes make.
func (f *fold) signDrafts(drafts []*item) {
	for i := range f.s.Reports {
		r := &f.s.Reports[i]
		o := f.opinionOf[r.Entry]
		if r.Of != nil || !r.Counts || o.body.Consensus == nil {
			continue
		}
		n := slices.IndexFunc(drafts, func(d *item) bool { return d.e.ID == *o.body.Consensus })
		if n < 0 || drafts[n].e.Person != o.it.e.Person || !precedes(drafts[n], o.it) {
			continue
		}
		if slices.ContainsFunc(drafts[n+1:], func(d *item) bool { return precedes(d, o.it) }) {
			continue
		}
		d := f.s.Drafts[n]
		d.Votes = f.votes(drafts[n], drafts[n].body.(*ConsensusBody), func(v *item) bool { return precedes(v, o.it) })
		if o.doc.Text != ConsensusText(d) {
			continue
		}
		r.Draft, r.Consensus = o.body.Consensus, d.reached()
		f.s.Drafts[n].SignedBy = &r.Entry
	}
}

// DefaultQuorum is more than half of a panel.
func DefaultQuorum(panel int) uint64 { return uint64(panel/2 + 1) }

// ActingDraft returns the draft to vote on.
func (s *State) ActingDraft() (Draft, bool) {
	if len(s.Drafts) == 0 {
		return Draft{}, false
	}
	return s.Drafts[len(s.Drafts)-1], true
}

// ConsensusText is what the chair signs: the draft with everybody's name, and
// reservations and dissent in full. Below the quorum it says that it is none.
// It depends on the draft and its votes alone.
func ConsensusText(d Draft) string {
	var b strings.Builder
	var signed []string
	for _, v := range d.Votes {
		if v.Choice.SignsOn() {
			signed = append(signed, text.Line(v.Name))
		}
	}
	tally := fmt.Sprintf("%d of %d of the panel signed on; quorum %d, the chair included", len(signed), len(d.Panel), d.Quorum)
	switch {
	case d.reached():
		fmt.Fprintf(&b, "Consensus of %s (%s).\n\n%s\n", and(signed), tally, d.Text)
	case len(signed) == 0:
		fmt.Fprintf(&b, "No consensus (%s).\n\nThe draft was:\n\n%s\n", tally, d.Text)
	default:
		fmt.Fprintf(&b, "Opinions of %s. No consensus (%s).\n\n%s\n", and(signed), tally, d.Text)
	}
	for _, x := range []struct {
		choice Choice
		word   string
	}{{VoteAgree, "Remark"}, {VoteReservation, "Reservation"}, {VoteDissent, "Dissent"}, {VoteAbstain, "Abstained"}} {
		for _, v := range d.Votes {
			switch {
			case v.Choice != x.choice:
			case v.Text != "":
				// indented, so that no vote can speak in the name of another
				said := strings.ReplaceAll(text.Clean(v.Text), "\n", "\n  ")
				fmt.Fprintf(&b, "\n%s, %s: %s\n", x.word, text.Line(v.Name), said)
			case v.Choice == VoteAbstain:
				fmt.Fprintf(&b, "\n%s: %s\n", x.word, text.Line(v.Name))
			}
		}
	}
	if n := len(d.Panel) - len(d.Votes); n > 0 {
		fmt.Fprintf(&b, "\n%s of the panel did not vote.\n", count(n, "member", "members"))
	}
	return b.String()
}

func and(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
