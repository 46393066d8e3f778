package consult

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// asker is one question to the rules: may this person post this, as things
// stand?
type asker struct {
	s    *State
	me   Member
	kind ledger.Kind
	lax  lax
}

// lax leaves guards out, for tests to prove that they would notice.
type lax struct{ rank, role, owner, assigned, own, round, open, critical, newest, once, hash, panel bool }

// Authorize says whether a person may post a body now, by the guards of FIELD
// §4.3; an error is a [*Refusal]. Body is a body type of this package or a
// pointer to one. The author's side asks before it signs; Fold gives no effect
// to what other software posts against the rules.
func Authorize(s *State, author identity.PersonID, kind ledger.Kind, body any) error {
	return authorize(s, author, kind, body, lax{})
}

func authorize(s *State, author identity.PersonID, kind ledger.Kind, body any, without lax) error {
	b := pointer(body)
	if b == nil || kind.Chain() != ledger.Content || reflect.TypeOf(b) != reflect.TypeOf(newBody(kind)) {
		return refuse(fmt.Sprintf("this version cannot post an entry of kind %s", kind), "update curbside")
	}
	me, ok := s.Member(author)
	if !ok || me.Rank == ledger.RankNone {
		return refuse("you are not a member of this case", "ask the requester to invite you")
	}
	a := asker{s: s, me: me, kind: kind, lax: without}
	if me.Rank < ledger.RankNeeded(kind) && !a.lax.rank {
		return refuse(fmt.Sprintf("as %s you may not post %s", me.Role, kind), "ask the requester for another role")
	}
	if err := a.role(b); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return a.malformed(b, err)
	}
	return a.ask(b)
}

// pointer makes a body of a body type or of a pointer to one, nil of all else.
func pointer(v any) body {
	r := reflect.ValueOf(v)
	if b, ok := v.(body); ok && (r.Kind() != reflect.Pointer || !r.IsNil()) {
		return b
	}
	if !r.IsValid() || r.Kind() != reflect.Struct {
		return nil
	}
	p := reflect.New(r.Type())
	p.Elem().Set(r)
	b, _ := reflect.TypeAssert[body](p)
	return b
}

// role holds people to what they are attested as (FIELD §4.1).
func (a asker) role(b body) error {
	if !a.me.Attested.limits(a.kind, b) || a.lax.role {
		return nil
	}
	switch r, ok := b.(*ReportBody); {
	case ok && a.me.Attested == AttestedTrainee && r.Type == ReportFinal:
		return refuse("as trainee you may not sign a final report", "give a preliminary opinion; your attending signs the final one")
	case a.me.Attested == AttestedTrainee && a.kind == ledger.Critical:
		return refuse("as trainee you may not post critical", "tell your attending at once, who reports it")
	default:
		return refuse(fmt.Sprintf("as %s you may not post %s", a.me.Attested, a.kind), "ask a clinician of this case")
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
	case *VoteBody:
		if x.Choice == VoteReservation || x.Choice == VoteDissent {
			return refuse("a reservation or dissent says why, in at most 2 KiB", "use --text")
		}
	case *ConsensusBody:
		if len(x.Panel) > 0 && (x.Quorum == 0 || x.Quorum > uint64(len(x.Panel))) {
			return refuse("the quorum is more than nobody and at most the panel", "")
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
		return a.wrongPatient(x)
	case *OutcomeBody:
		return first(a.atLeast(ledger.RankAdmin, "give the outcome"), a.begun())
	case *TriageBody:
		return a.open()
	case *SealedReadBody:
		return a.seal(x)
	case *VoteBody:
		return a.vote(x)
	case *ConsensusBody:
		return a.draft(x)
	case *MessageBody:
		return a.message(x)
	default: // receipts, held, archived: the rank is all they need
		return nil
	}
}

func (a asker) atLeast(r ledger.Rank, what string) error {
	if a.me.Rank >= r || a.lax.owner {
		return nil
	}
	who := "the requester may"
	if r == ledger.RankAdmin {
		who = "the requester or a coordinator may"
	}
	return refuse(fmt.Sprintf("only %s %s", who, what), "")
}

// begun wants something to be asked.
func (a asker) begun() error {
	if a.s.State == StateDraft {
		return refuse("nothing is asked in this case yet", "")
	}
	return nil
}

// open wants a round that goes on.
func (a asker) open() error {
	if _, ok := a.s.OpenRound(); ok || a.lax.open {
		return nil
	}
	if err := a.begun(); err != nil {
		return err
	}
	if a.s.State == StateQuarantined {
		return refuse("the case is quarantined: wrong patient", "the requester shares the right study and reopens it")
	}
	return refuse(fmt.Sprintf("the case is %s", a.s.State), "the requester can reopen it")
}

// acting wants an entry of this round, which goes on.
func (a asker) acting(round uint64) error {
	if err := a.open(); err != nil {
		return err
	}
	if round != a.s.Round && !a.lax.round {
		return refuse(fmt.Sprintf("the case is in round %d", a.s.Round), "look at the case again")
	}
	return nil
}

func (a asker) assigned(what string) error {
	if a.me.Assigned || a.lax.assigned {
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
	case p.Author != a.me.Person && !a.lax.own:
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

// grant is for the requester's side (FIELD §4.3, row 20): a founder, or a sender
// who is a writer and is not asked.
func (a asker) grant(b *GrantBody) error {
	if a.me.Rank < ledger.RankFounder && (a.me.Rank > ledger.RankWriter || a.me.Assigned) {
		return refuse("attaching studies is for the requester's side", "describe it in a message, or ask the requester")
	}
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

func (a asker) wrongPatient(b *WrongPatientBody) error {
	if err := first(a.begun(), a.granted(b.Lineage)); err != nil {
		return err
	}
	if slices.ContainsFunc(a.s.Grants, func(g Grant) bool { return g.Lineage == b.Lineage && g.Quarantined }) {
		return refuse("this study was reported as the wrong patient's", "")
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
	if a.me.Assigned && a.s.Blinded() {
		return refuse("the case is read blind, so marks stay with you until the reads are opened", "seal your read first")
	}
	return a.granted(b.Place.Lineage)
}

func (a asker) ownMark(id ledger.EntryID) error {
	for _, m := range a.s.Marks {
		switch {
		case m.Entry != id:
		case m.Author != a.me.Person && !a.lax.own:
			return refuse("only its author may change a mark", "make one of your own from it")
		case m.Removed:
			return refuse("the mark was removed", "")
		default:
			return nil
		}
	}
	return refuse("no such mark in this case", "")
}
