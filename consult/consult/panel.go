package consult

import (
	"slices"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// seal guards sealed reads, and the reveal by a chair (FIELD §4.8).
func (a asker) seal(b *SealedReadBody) error {
	if err := a.acting(b.Round); err != nil {
		return err
	}
	if b.Commitment == nil {
		if err := a.atLeast(ledger.RankAdmin, "have the reads opened"); err != nil {
			return err
		}
		if a.s.Revealed {
			return refuse("the reads are opened already", "")
		}
		if len(a.s.Reads) == 0 {
			return refuse("nobody has sealed a read", "")
		}
		return nil
	}
	if err := first(a.assigned("seal a read"), a.unanswered()); err != nil {
		return err
	}
	_, has := a.s.sealedBy(a.me.Person)
	switch {
	case a.me.Declined:
		return refuse("you have declined this case", "accept it first")
	case has && !a.lax.once:
		return refuse("you have sealed a read, which nobody can change", "")
	case a.s.Revealed:
		return refuse("the reads are opened already", "give your opinion, which is labelled as not blinded")
	case a.s.gave(a.me.Person):
		return refuse("you have given an opinion in this round", "")
	}
	return nil
}

// sealedBy returns the sealed read of a person in the acting round.
func (s *State) sealedBy(p identity.PersonID) (Read, bool) {
	i := slices.IndexFunc(s.Reads, func(r Read) bool { return r.Author == p })
	if i < 0 {
		return Read{}, false
	}
	return s.Reads[i], true
}

// blinded refuses opinions that others would read before they sealed theirs.
func (a asker) blinded(b *ReportBody) error {
	if !a.s.Blinded() || b.Consensus != nil {
		return nil
	}
	if _, has := a.s.sealedBy(a.me.Person); has {
		return refuse("you have sealed a read, which is opened with the others'", "")
	}
	return refuse("the case is read blind, so your opinion stays sealed until all are in", "seal it: case seal")
}

// opening wants a sealed read of one's own, its turn, and its very document.
func (a asker) opening(b *ReportBody) error {
	i := slices.IndexFunc(a.s.Reads, func(r Read) bool { return r.Entry == b.Opens.Sealed && r.Author == a.me.Person })
	switch {
	case i < 0:
		return refuse("you have sealed no such read in this round", "")
	case a.s.Reads[i].State == ReadOpened:
		return refuse("your read is opened", "")
	case !a.s.Revealed:
		return refuse("the reads are not to be opened yet", "wait until all have sealed theirs, or for the chair")
	}
	commitment, ok := a.s.commitments[b.Opens.Sealed]
	if !ok || !a.lax.hash && commitment != Commit(b.Opens.Salt, b.Document) {
		return refuse("this is not the document that you sealed", "open the very one, with its salt")
	}
	return nil
}

// draft guards consensus drafts: by a chair, a coordinator who is of the panel.
func (a asker) draft(b *ConsensusBody) error {
	if err := a.acting(b.Round); err != nil {
		return err
	}
	if a.me.Rank != ledger.RankAdmin {
		return refuse("only the chair, a coordinator, may draft a consensus", "")
	}
	if err := a.assigned("draft a consensus"); err != nil {
		return err
	}
	if a.s.Blinded() {
		return refuse("the reads are not opened yet", "have them opened first: case reveal")
	}
	panel := a.s.Panel()
	if a.lax.panel {
		return nil
	}
	for _, p := range b.Panel {
		if !slices.Contains(panel, p) {
			return refuse("somebody of the panel is not assigned to this case", "assign them first")
		}
	}
	if len(b.Panel) != len(panel) {
		return refuse("the panel leaves somebody out who is assigned and has not declined", "nobody is left out")
	}
	return nil
}

// Panel returns who is assigned, may write and has not declined: those who read
// and vote.
func (s *State) Panel() []identity.PersonID {
	var out []identity.PersonID
	for _, p := range s.Assigned {
		if m, ok := s.Member(p); ok && m.Assigned && !m.Declined {
			out = append(out, p)
		}
	}
	return out
}

// vote guards votes: once each, of the panel, on the acting draft.
func (a asker) vote(b *VoteBody) error {
	if err := a.open(); err != nil {
		return err
	}
	i := slices.IndexFunc(a.s.Drafts, func(d Draft) bool { return d.Entry == b.Consensus })
	if i < 0 {
		return refuse("no such consensus draft in this case", "")
	}
	d := a.s.Drafts[i]
	switch {
	case d.Void:
		return refuse("the draft has changed since", "look at the new one")
	case !slices.Contains(d.Panel, a.me.Person):
		return refuse("you are not of the panel", "")
	case !a.lax.once && slices.ContainsFunc(d.Votes, func(v Vote) bool { return v.Author == a.me.Person }):
		return refuse("you have voted on this draft", "the chair can draft anew, which voids all votes")
	case d.SignedBy != nil:
		return refuse("the consensus is signed", "give an opinion of your own")
	}
	return nil
}

// signing wants a report that names a draft to say what draft and votes make.
func (a asker) signing(b *ReportBody, doc *report.Document) error {
	if b.Consensus == nil {
		return nil
	}
	i := slices.IndexFunc(a.s.Drafts, func(d Draft) bool { return d.Entry == *b.Consensus })
	switch {
	case i < 0:
		return refuse("no such consensus draft in this case", "")
	case a.s.Drafts[i].Void:
		return refuse("the draft has changed since", "sign the new one")
	case a.s.Drafts[i].Author != a.me.Person:
		return refuse("only the chair who drafted it may sign a consensus", "")
	case doc.Text != ConsensusText(a.s.Drafts[i]):
		return refuse("the document is not what the draft and its votes say", "write it anew")
	}
	return nil
}
