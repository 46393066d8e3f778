package consult

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// asker is one question to the rules: may this person post this, as things
// stand?
type asker struct {
	s    *State
	me   Member
	kind ledger.Kind
}

// Authorize says whether a person may post a body now, by the guards of FIELD
// §4.3; an error is a [*Refusal]. Body is a body type of this package or a
// pointer to one. The author's side asks before it signs; Fold gives no effect
// to what other software posts against the rules.
func Authorize(s *State, author identity.PersonID, kind ledger.Kind, body any) error {
	b := pointer(body)
	if b == nil || kind.Chain() != ledger.Content || fmt.Sprintf("%T", b) != fmt.Sprintf("%T", newBody(kind)) {
		return refuse(fmt.Sprintf("this version cannot post an entry of kind %s", kind), "update curbside")
	}
	me, ok := s.Member(author)
	if !ok || me.Rank == ledger.RankNone {
		return refuse("you are not a member of this case", "ask the requester to invite you")
	}
	a := asker{s: s, me: me, kind: kind}
	if me.Rank < ledger.RankNeeded(kind) {
		return refuse(fmt.Sprintf("as %s you may not post %s", me.Role, kind), "ask the requester for another role")
	}
	if err := b.check(); err != nil {
		return a.malformed(b, err)
	}
	return a.ask(b)
}

// pointer makes a body of a value or pointer.
func pointer(v any) body {
	switch b := v.(type) {
	case body:
		return b
	case RequestBody:
		return &b
	case MessageBody:
		return &b
	case EditBody:
		return &b
	case RetractBody:
		return &b
	case GrantBody:
		return &b
	case MarkBody:
		return &b
	case MarkEditBody:
		return &b
	case MarkRemoveBody:
		return &b
	case StatusBody:
		return &b
	case AssignBody:
		return &b
	case ReportBody:
		return &b
	case AddendumBody:
		return &b
	case CriticalBody:
		return &b
	case AcknowledgeBody:
		return &b
	case ReceiptBody:
		return &b
	case DeclineBody:
		return &b
	case AskBody:
		return &b
	case HeldBody:
		return &b
	case TakenBody:
		return &b
	case TriageBody:
		return &b
	case AttemptBody:
		return &b
	case WrongPatientBody:
		return &b
	case OutcomeBody:
		return &b
	case ArchivedBody:
		return &b
	default:
		return nil
	}
}

// malformed puts a broken body in words.
func (a asker) malformed(b body, err error) error {
	switch x := b.(type) {
	case *RequestBody:
		switch {
		case strings.TrimSpace(x.Question) == "":
			return refuse("a request needs a question", "say what you want to know")
		case !consents.has(uint64(x.Consent)):
			return refuse("on what basis the case is shared is not said", "one of treatment, patient, emergency, law, other")
		case !priorities.has(uint64(x.Priority)):
			return refuse("no such priority", "one of stat, urgent, routine")
		}
	case *DeclineBody:
		if !declines.has(uint64(x.Reason)) {
			return refuse("a decline needs a reason", "one of specialty, conflict, unavailable, licence, quality, other")
		}
	}
	switch {
	case errors.Is(err, ErrText):
		return refuse(fmt.Sprintf("the text of this %s is empty or too long", a.kind), fmt.Sprintf("at most %d KiB of text", TextMax>>10))
	case errors.Is(err, ErrMany), errors.Is(err, ErrLen):
		return refuse(fmt.Sprintf("this %s is empty or too large", a.kind), "")
	default:
		return refuse(fmt.Sprintf("this %s is not well formed", a.kind), "")
	}
}

func (a asker) ask(b body) error {
	switch x := b.(type) {
	case *RequestBody:
		return a.request(x)
	case *EditBody:
		return a.edit(x)
	case *RetractBody:
		return a.retract(x)
	case *GrantBody:
		return a.grant(x)
	case *MarkBody:
		return a.mark(x)
	case *MarkEditBody:
		return a.ownMark(x.Mark)
	case *MarkRemoveBody:
		return a.ownMark(x.Mark)
	case *StatusBody:
		return a.status(x)
	case *AssignBody:
		return a.assign(x)
	case *ReportBody:
		return a.report(x)
	case *AddendumBody:
		return a.addendum(x)
	case *CriticalBody:
		return a.critical(x)
	case *AcknowledgeBody:
		return a.acknowledge(x)
	case *DeclineBody:
		return a.decline(x)
	case *AskBody:
		return a.question(x)
	case *TakenBody:
		return a.taken(x)
	case *AttemptBody:
		return a.known(x.Critical, "critical finding", ledger.Critical)
	case *WrongPatientBody:
		return a.granted(x.Lineage)
	case *OutcomeBody:
		return a.atLeast(ledger.RankAdmin, "give the outcome")
	case *MessageBody:
		return a.message(x)
	default: // receipts, held, triage, archived: the rank is all they need
		return nil
	}
}

func (a asker) atLeast(r ledger.Rank, what string) error {
	if a.me.Rank >= r {
		return nil
	}
	who := "the requester may"
	if r == ledger.RankAdmin {
		who = "the requester or a coordinator may"
	}
	return refuse(fmt.Sprintf("only %s %s", who, what), "")
}

// open wants a round that goes on.
func (a asker) open() error {
	if _, ok := a.s.OpenRound(); ok {
		return nil
	}
	if a.s.State == StateDraft {
		return refuse("nothing is asked in this case yet", "")
	}
	return refuse(fmt.Sprintf("the case is %s", a.s.State), "the requester can reopen it")
}

// acting wants an entry of this round, which goes on.
func (a asker) acting(round uint64) error {
	if err := a.open(); err != nil {
		return err
	}
	if round != a.s.Round {
		return refuse(fmt.Sprintf("the case is in round %d", a.s.Round), "look at the case again")
	}
	return nil
}

func (a asker) assigned(what string) error {
	if a.me.Assigned {
		return nil
	}
	return refuse(fmt.Sprintf("you are not assigned to this case, so you may not %s", what), "ask the requester or a coordinator to assign you")
}

// known wants an entry of one of some kinds to be here and in force.
func (a asker) known(id ledger.EntryID, what string, kinds ...ledger.Kind) error {
	if p, ok := a.s.Post(id); ok && slices.Contains(kinds, p.Kind) && p.InForce {
		return nil
	}
	return refuse("no such "+what+" in this case", "")
}

func (a asker) request(b *RequestBody) error {
	if strings.TrimSpace(b.Question) == "" {
		return refuse("a request needs a question", "say what you want to know")
	}
	return a.atLeast(ledger.RankFounder, "ask")
}

func (a asker) message(b *MessageBody) error {
	if strings.TrimSpace(b.Text) == "" && len(b.Attachments) == 0 {
		return refuse("the message is empty", "")
	}
	if b.ReplyTo == nil {
		return nil
	}
	if _, ok := a.s.Post(*b.ReplyTo); !ok {
		return refuse("what this replies to is not in this case", "")
	}
	return nil
}

func (a asker) edit(b *EditBody) error {
	p, ok := a.s.Post(b.Message)
	switch {
	case !ok || p.Kind != ledger.Message:
		return refuse("only messages can be edited", "what is signed is corrected by an addendum")
	case p.Author != a.me.Person:
		return refuse("only its author may edit a message", "")
	case p.Retracted:
		return refuse("the message was retracted", "")
	case strings.TrimSpace(b.Text) == "":
		return refuse("the message is empty", "")
	}
	return nil
}

func (a asker) retract(b *RetractBody) error {
	p, ok := a.s.Post(b.Message)
	own := p.Author == a.me.Person
	switch {
	case !ok || p.Kind != ledger.Message && p.Kind != ledger.Ask:
		return refuse("only messages and questions can be retracted", "what is signed is corrected by an addendum")
	case p.Retracted:
		return refuse("it was retracted before", "")
	case !own && p.Kind == ledger.Ask:
		return refuse("only its author may retract a question", "")
	case !own:
		return a.atLeast(ledger.RankAdmin, "retract what others wrote")
	}
	return nil
}

func (a asker) grant(b *GrantBody) error {
	switch a.s.State {
	case StateClosed, StateWithdrawn:
		return refuse(fmt.Sprintf("the case is %s", a.s.State), "reopen it first")
	case StateQuarantined:
		if a.me.Rank < ledger.RankFounder {
			return refuse("after a wrong patient the requester shares the right study", "")
		}
	}
	for _, g := range a.s.Grants {
		switch {
		case g.Lineage != b.Lineage:
		case g.Author != a.me.Person:
			return refuse("only who shared this study may share a new version of it", "")
		case g.Version >= b.Version:
			return refuse("a version as new as this is shared already", "")
		case g.Quarantined:
			return refuse("this study was reported as the wrong patient's", "share the right study")
		}
	}
	return nil
}

func (a asker) granted(lineage [16]byte) error {
	if slices.ContainsFunc(a.s.Grants, func(g Grant) bool { return g.Lineage == lineage }) {
		return nil
	}
	return refuse("no such study in this case", "")
}

func (a asker) mark(b *MarkBody) error {
	if _, err := DecodeGeometry(b.Geometry); err != nil {
		return refuse("this mark cannot be drawn", "")
	}
	if _, err := DecodeValues(b.Values); err != nil {
		return refuse("the values of this mark are not well formed", "")
	}
	return a.granted(b.Place.Lineage)
}

func (a asker) ownMark(id ledger.EntryID) error {
	for _, m := range a.s.Marks {
		switch {
		case m.Entry != id:
		case m.Author != a.me.Person:
			return refuse("only its author may change a mark", "make one of your own from it")
		case m.Removed:
			return refuse("the mark was removed", "")
		default:
			return nil
		}
	}
	return refuse("no such mark in this case", "")
}

// status holds G2 and G6 to G8.
func (a asker) status(b *StatusBody) error {
	switch b.Stage {
	case StageAccepted:
		return a.accept(b)
	case StageReading:
		if err := first(a.acting(b.Round), a.assigned("read it")); err != nil {
			return err
		}
		if !a.me.Accepted {
			return refuse("you have not accepted this case", "accept it first")
		}
		return nil
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
	if n := len(a.s.OpenCriticals()); n > 0 {
		return refuse("a critical finding is not acknowledged", "acknowledge it first: case acknowledge --critical")
	}
	if a.s.State != StateAnswered && a.s.State != StateAcknowledged {
		return refuse("the case has no final report yet", "withdraw the request instead, or wait for the report")
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
	case StateClosed, StateWithdrawn, StateDeclined, StateQuarantined:
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
	if a.s.State == StateClosed || a.s.State == StateWithdrawn {
		return refuse(fmt.Sprintf("the case is %s", a.s.State), "reopen it first")
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
	doc, err := report.Decode(b.Document)
	switch {
	case err != nil:
		return refuse("the report is not well formed", "")
	case strings.TrimSpace(doc.Text) == "":
		return refuse("the report has no text", "answer the question")
	case doc.Case != a.s.Case || doc.Author != a.me.Person || !matches(doc, &ledger.Entry{Thread: a.s.Case, Person: a.me.Person}, b):
		return refuse("the report is not about this case or not by you", "write it anew")
	}
	return first(a.pinned(b), a.superseding(b))
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
	case !has:
		return nil
	case b.Type != ReportFinal:
		return refuse("you have signed a final report", "add an addendum or replace it")
	case !slices.Contains(b.Supersedes, own.Entry):
		return refuse("you have signed a final report in this round", "replace it or add an addendum")
	}
	return nil
}

// addendum is G4. It is never too late for one.
func (a asker) addendum(b *AddendumBody) error {
	r, ok := a.s.Report(b.Report)
	switch {
	case !ok || r.Of != nil:
		return refuse("no such report in this case", "")
	case r.Author != a.me.Person:
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
		case !mayAnswer(c.Who, a.me.Person, a.me.Rank):
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
	_, signed := a.s.ownFinal(a.me.Person)
	switch {
	case signed:
		return refuse("you have signed a final report", "")
	case a.me.Declined:
		return refuse("you have declined this case", "")
	case b.Reason == DeclineOther && strings.TrimSpace(b.Text) == "":
		return refuse("say why: the reason other needs a text", "use --text")
	}
	return nil
}

func (a asker) question(b *AskBody) error {
	if err := first(a.open(), a.assigned("ask back")); err != nil {
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
	if err := a.atLeast(ledger.RankFounder, "acknowledge a report"); err != nil {
		return err
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
