package consult

import (
	"fmt"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// status holds G2 and G6 to G8.
func (a asker) status(b *StatusBody) error {
	switch b.Stage {
	case StageAccepted:
		return a.accept(b)
	case StageReading:
		if err := first(a.acting(b.Round), a.assigned("read it")); err != nil {
			return err
		}
		switch {
		case !a.me.Accepted:
			return refuse("you have not accepted this case", "accept it first")
		case !a.me.Primary:
			return refuse("only the primary consultant says that the case is being read", "")
		case a.me.Reading:
			return refuse("you are reading this case", "")
		}
		return a.unanswered()
	case StageClosed:
		return a.closing(b)
	case StageWithdrawn:
		return a.withdraw(b)
	default:
		return a.reopen(b)
	}
}

func (a asker) accept(b *StatusBody) error {
	if err := first(a.acting(b.Round), a.assigned("accept it")); err != nil {
		return err
	}
	if a.me.Accepted {
		return refuse("you have accepted this case", "")
	}
	return a.unanswered()
}

// unanswered wants a round without a final report.
func (a asker) unanswered() error {
	if a.s.State == StateAnswered || a.s.State == StateAcknowledged {
		return refuse("the case is answered", "")
	}
	return nil
}

// closing is G6. Closing from answered goes with taking the report, which the
// caller posts before it.
func (a asker) closing(b *StatusBody) error {
	if err := first(a.atLeast(ledger.RankAdmin, "close the case"), a.acting(b.Round)); err != nil {
		return err
	}
	if n := len(a.s.OpenCriticals()); n > 0 && !a.lax.critical {
		return refuse("a critical finding is not acknowledged", "acknowledge it first: case acknowledge --critical")
	}
	if a.s.State != StateAnswered && a.s.State != StateAcknowledged {
		return refuse("the case has no final report yet", "withdraw the request instead, or wait for the report")
	}
	if a.s.State == StateAnswered && !a.mayTake() {
		return refuse("the requester has not acknowledged the report", "they acknowledge it, or close the case themselves")
	}
	return nil
}

// withdraw is G7: beforehand; one that crosses a report leaves it in force.
func (a asker) withdraw(b *StatusBody) error {
	if err := first(a.atLeast(ledger.RankAdmin, "withdraw the request"), a.acting(b.Round)); err != nil {
		return err
	}
	if a.s.State == StateAnswered || a.s.State == StateAcknowledged {
		return refuse("the case is answered, so it cannot be withdrawn", "acknowledge the report and close the case")
	}
	return nil
}

// reopen is G8, and the new round after a wrong patient.
func (a asker) reopen(b *StatusBody) error {
	if err := a.atLeast(ledger.RankAdmin, "reopen the case"); err != nil {
		return err
	}
	switch a.s.State {
	case StateClosed, StateWithdrawn, StateDeclined:
	case StateQuarantined:
		if a.me.Rank < ledger.RankFounder {
			return refuse("only the requester may reopen the case after a wrong patient", "")
		}
	case StateDraft:
		return a.begun()
	default:
		return refuse("the case is open", "")
	}
	if b.Round != a.s.Round+1 {
		return refuse(fmt.Sprintf("the next round is %d", a.s.Round+1), "look at the case again")
	}
	return nil
}

func (a asker) assign(b *AssignBody) error {
	if !a.me.Assigned {
		if err := a.atLeast(ledger.RankAdmin, "assign"); err != nil {
			return err
		}
	}
	switch a.s.State {
	case StateClosed, StateWithdrawn:
		return refuse(fmt.Sprintf("the case is %s", a.s.State), "reopen it first")
	case StateQuarantined:
		return a.open()
	}
	for _, p := range b.Persons {
		m, ok := a.s.Member(p)
		switch {
		case !ok || m.Rank < ledger.RankWriter:
			return refuse("somebody assigned is no consultant of this case", "invite them first")
		case m.Rank == ledger.RankFounder:
			return refuse("the requester cannot answer their own case", "")
		}
	}
	return nil
}

// report is G3.
func (a asker) report(b *ReportBody) error {
	if err := a.acting(b.Round); err != nil {
		return err
	}
	if a.me.Rank == ledger.RankFounder {
		return refuse("the requester cannot sign an opinion in their own case", "post a message instead")
	}
	if (b.Type == ReportFinal || a.me.Rank > ledger.RankWriter) && !a.correcting(b) {
		if err := a.assigned("sign a report"); err != nil {
			return err
		}
	}
	if a.me.Declined && b.Opens == nil {
		return refuse("you have declined this case", "accept it first")
	}
	doc, err := report.Decode(b.Document)
	switch {
	case err != nil:
		return refuse("the report is not well formed", "")
	case strings.TrimSpace(doc.Text) == "":
		return refuse("the report has no text", "answer the question")
	case doc.Case != a.s.Case || doc.Author != a.me.Person || !matches(doc, &ledger.Entry{Thread: a.s.Case, Person: a.me.Person}, b):
		return refuse("the report is not about this case or not by you", "write it anew")
	}
	if b.Opens != nil { // it says what was sealed, images and all
		return a.opening(b)
	}
	if err := first(a.blinded(b), a.pinned(b), a.superseding(b), a.signing(b, doc)); err != nil || b.Type == ReportFinal {
		return err
	}
	return a.unanswered()
}

// correcting reports whether a report replaces one of the same kind by its
// author, who need not be assigned any more.
func (a asker) correcting(b *ReportBody) bool {
	return slices.ContainsFunc(b.Supersedes, func(id ledger.EntryID) bool {
		r, ok := a.s.Report(id)
		final := b.Type == ReportFinal
		return ok && r.Author == a.me.Person && r.Valid && r.Counts && (r.Status == StatusFinal) == final
	})
}

// pinned wants a version of every study in the case to be named.
func (a asker) pinned(b *ReportBody) error {
	for _, g := range a.s.Grants {
		if g.Quarantined {
			continue
		}
		known := func(id blob.ID) bool {
			return slices.ContainsFunc(a.s.AllGrants, func(x Grant) bool { return x.Lineage == g.Lineage && x.Manifest.ID == id })
		}
		if !slices.ContainsFunc(b.Images, func(i ImageCount) bool { return known(i.Manifest) }) {
			return refuse("the report does not say what images of a study there were", "write it anew")
		}
	}
	return nil
}

func (a asker) superseding(b *ReportBody) error {
	for _, id := range b.Supersedes {
		r, ok := a.s.Report(id)
		switch {
		case !ok || r.Of != nil || !r.Valid:
			return refuse("what this report replaces is not a report of this case", "")
		case r.Author != a.me.Person:
			return refuse("only its author may replace a report", "sign one of your own")
		case r.Status == StatusFinal && b.Type != ReportFinal:
			return refuse("a preliminary report cannot replace a final one", "")
		}
	}
	own, has := a.s.ownFinal(a.me.Person)
	switch {
	case !has, a.lax.once:
		return nil
	case b.Type != ReportFinal:
		return refuse("you have signed a final report", "add an addendum or replace it")
	case !slices.Contains(b.Supersedes, own.Entry):
		return refuse("you have signed a final report in this round", "replace it or add an addendum")
	}
	return nil
}

// mayTake reports whether somebody acknowledges reports: a requester, or a
// delegate that the request names, who is no technologist.
func (a asker) mayTake() bool {
	named := a.s.Request != nil && slices.Contains(a.s.Request.Context.Delegates, a.me.Person)
	return (a.me.Rank == ledger.RankFounder || named) && !a.me.Attested.limits(ledger.Taken, nil)
}

// gave reports whether a person gave an opinion in the acting round.
func (s *State) gave(p identity.PersonID) bool {
	return slices.ContainsFunc(s.Reports, func(r Report) bool { return r.Author == p && r.Of == nil && r.Counts && r.Round == s.Round })
}

// writing leaves those who may still write in the case.
func (s *State) writing(who []identity.PersonID) []identity.PersonID {
	return slices.DeleteFunc(slices.Clone(who), func(p identity.PersonID) bool {
		m, ok := s.Member(p)
		return !ok || m.Rank < ledger.RankWriter
	})
}

// addendum is G4. It is never too late for one.
func (a asker) addendum(b *AddendumBody) error {
	if i := slices.IndexFunc(a.s.Criticals, func(c Critical) bool { return c.Entry == b.Report }); i >= 0 {
		if a.s.Criticals[i].Author != a.me.Person {
			return refuse("only its raiser may say that a critical finding was an error", "post a message instead")
		}
		return nil
	}
	r, ok := a.s.Report(b.Report)
	switch {
	case !ok || r.Of != nil:
		return refuse("no such report in this case", "")
	case r.Author != a.me.Person && !a.lax.own:
		return refuse("only its author may add to a report", "post a message instead")
	case !r.Valid:
		return refuse("the report is not in force", "")
	case strings.TrimSpace(b.Text) == "":
		return refuse("the addendum is empty", "")
	}
	return nil
}

func (a asker) critical(b *CriticalBody) error {
	if err := a.known(b.Of, "report or mark", ledger.Report, ledger.Addendum, ledger.Mark); err != nil {
		return err
	}
	for _, p := range b.Who {
		if m, ok := a.s.Member(p); !ok || m.Rank < ledger.RankWriter {
			return refuse("somebody who must acknowledge cannot write in this case", "")
		}
	}
	return nil
}

func (a asker) acknowledge(b *AcknowledgeBody) error {
	for _, c := range a.s.Criticals {
		switch {
		case c.Entry != b.Critical:
		case c.AcknowledgedBy != nil:
			return refuse("the critical finding is acknowledged", "")
		case !mayAnswer(c.Who, a.s.writing(c.Who), a.me.Person, a.me.Rank):
			return refuse("this critical finding is for somebody else to acknowledge", "")
		case strings.TrimSpace(b.ReadBack) == "" || strings.TrimSpace(b.Action) == "":
			return refuse("read the finding back in your own words and say what you do", "")
		default:
			return nil
		}
	}
	return refuse("no such critical finding in this case", "")
}

func (a asker) decline(b *DeclineBody) error {
	if err := first(a.acting(b.Round), a.assigned("decline it")); err != nil {
		return err
	}
	switch _, signed := a.s.ownFinal(a.me.Person); {
	case signed:
		return refuse("you have signed a final report", "")
	case a.me.Declined:
		return refuse("you have declined this case", "")
	case a.me.Reading:
		return refuse("you are reading this case, so it is too late to decline", "hand it over: case assign")
	case a.s.gave(a.me.Person):
		return refuse("you have given an opinion, so it is too late to decline", "hand it over: case assign")
	case a.unanswered() != nil:
		return a.unanswered()
	case b.Reason == DeclineOther && strings.TrimSpace(b.Text) == "":
		return refuse("say why: the reason other needs a text", "use --text")
	}
	return nil
}

func (a asker) question(b *AskBody) error {
	if err := first(a.open(), a.assigned("ask back"), a.unanswered()); err != nil {
		return err
	}
	if !a.me.Accepted {
		return refuse("you have not accepted this case", "accept it first")
	}
	for _, p := range b.Who {
		if m, ok := a.s.Member(p); !ok || m.Rank < ledger.RankWriter {
			return refuse("somebody who is asked cannot write in this case", "")
		}
	}
	return nil
}

// taken is G5.
func (a asker) taken(b *TakenBody) error {
	if !a.mayTake() && !a.lax.owner {
		return refuse("only the requester, or who they named for it, may acknowledge a report", "")
	}
	r, ok := a.s.Report(b.Report)
	if !ok || !r.Valid {
		return refuse("no such report in this case", "")
	}
	whole := r
	if r.Of != nil {
		whole, _ = a.s.Report(*r.Of)
	}
	next := a.s.toTake(whole)
	switch {
	case a.lax.newest:
	case whole.SupersededBy != nil:
		return refuse("a newer version exists", "look at the newest report: "+whole.SupersededBy.String()[:8])
	case whole.Status != StatusFinal:
		return refuse("a preliminary report is not acknowledged", "wait for the final one")
	case next.Entry != b.Report:
		return refuse("a newer version exists", "look at the newest addendum: "+next.Entry.String()[:8])
	case next.Acknowledged:
		return refuse("it is acknowledged", "")
	}
	return nil
}
