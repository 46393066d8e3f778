package consult

import (
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// play is the case a guard is asked about.
type play struct {
	*world
	anna, ben, cleo, dora, otto *actor
}

func newPlay(t *testing.T) play {
	t.Helper()
	w, anna, ben, cleo, dora, otto := asked(t, true)
	return play{w, anna, ben, cleo, dora, otto}
}

// guard is one clause: who asks for what, after what, and the words they get;
// none means that it is allowed.
type guard struct {
	name    string
	prepare func(p play) (who *actor, kind ledger.Kind, body any)
	want    string
}

func testGuards(t *testing.T, guards []guard) {
	t.Helper()
	for _, g := range guards {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			p := newPlay(t)
			who, kind, body := g.prepare(p)
			p.level()
			err := who.may(kind, body)
			switch r, ok := AsRefusal(err); {
			case g.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case g.want != "" && (!ok || !strings.Contains(r.Message, g.want)):
				t.Errorf("got %v, want %q", err, g.want)
			}
		})
	}
}

// sender is a writer who is not asked: a technologist.
func (p play) sender() *actor {
	p.Helper()
	emil := p.person("emil")
	p.anna.invite(emil, ledger.RankWriter)
	return emil
}

func status(round uint64, s Stage) StatusBody { return StatusBody{Round: round, Stage: s} }

var goodRequest = RequestBody{Question: "Is it?", Priority: PriorityRoutine, Consent: ConsentPatient}

func TestGuardSend(t *testing.T) {
	request := func(change func(*RequestBody)) func(play) (*actor, ledger.Kind, any) {
		return func(p play) (*actor, ledger.Kind, any) {
			b := goodRequest
			change(&b)
			return p.anna, ledger.Request, b
		}
	}
	testGuards(t, []guard{
		{"passes", request(func(*RequestBody) {}), ""},
		{"no question", request(func(b *RequestBody) { b.Question = "" }), "needs a question"},
		{"blank question", request(func(b *RequestBody) { b.Question = " \n" }), "needs a question"},
		{"long question", request(func(b *RequestBody) { b.Question = strings.Repeat("x", TextMax+1) }), "too long"},
		{"no consent", request(func(b *RequestBody) { b.Consent = 0 }), "basis"},
		{"no priority", request(func(b *RequestBody) { b.Priority = 4 }), "priority"},
		{"consultant", func(p play) (*actor, ledger.Kind, any) { return p.ben, ledger.Request, goodRequest }, "only the requester"},
		{"observer", func(p play) (*actor, ledger.Kind, any) { return p.otto, ledger.Request, goodRequest }, "as observer"},
		{"stranger", func(p play) (*actor, ledger.Kind, any) {
			emil := p.person("emil")
			emil.t = p.anna.t
			return emil, ledger.Request, goodRequest
		}, "not a member"},
		{"removed", func(p play) (*actor, ledger.Kind, any) {
			p.anna.invite(p.ben, ledger.RankNone)
			return p.ben, ledger.Message, MessageBody{Text: "x"}
		}, "not a member"},
		{"wrong body", func(p play) (*actor, ledger.Kind, any) { return p.anna, ledger.Message, goodRequest }, "cannot post"},
		{"control kind", func(p play) (*actor, ledger.Kind, any) { return p.anna, ledger.Role, goodRequest }, "cannot post"},
		{"kind to come", func(p play) (*actor, ledger.Kind, any) { return p.anna, 99, MessageBody{Text: "x"} }, "cannot post"},
		{"no body", func(p play) (*actor, ledger.Kind, any) { return p.anna, ledger.Message, (*MessageBody)(nil) }, "cannot post"},
		{"grant", func(p play) (*actor, ledger.Kind, any) { return p.anna, ledger.Grant, grantBody(1, 2) }, ""},
		{"grant of an old version", func(p play) (*actor, ledger.Kind, any) { return p.anna, ledger.Grant, grantBody(1, 1) }, "as new as this"},
		{"grant of another's study", func(p play) (*actor, ledger.Kind, any) { return p.sender(), ledger.Grant, grantBody(1, 2) }, "only who shared"},
		{"grant by a sender", func(p play) (*actor, ledger.Kind, any) { return p.sender(), ledger.Grant, grantBody(2, 1) }, ""},
		{"grant by an assignee", func(p play) (*actor, ledger.Kind, any) { return p.ben, ledger.Grant, grantBody(2, 1) }, "requester's side"},
		{"grant by a coordinator", func(p play) (*actor, ledger.Kind, any) { return p.dora, ledger.Grant, grantBody(2, 1) }, "requester's side"},
		{"grant after the end", func(p play) (*actor, ledger.Kind, any) {
			p.anna.stage(1, StageWithdrawn)
			return p.anna, ledger.Grant, grantBody(1, 2)
		}, "withdrawn"},
		{"grant of a wrong patient", func(p play) (*actor, ledger.Kind, any) {
			p.ben.post(ledger.WrongPatient, WrongPatientBody{Lineage: [16]byte{1}, Text: "x"})
			return p.anna, ledger.Grant, grantBody(1, 2)
		}, "wrong patient"},
		{"grant by another after a wrong patient", func(p play) (*actor, ledger.Kind, any) {
			p.ben.post(ledger.WrongPatient, WrongPatientBody{Lineage: [16]byte{1}, Text: "x"})
			return p.sender(), ledger.Grant, grantBody(2, 1)
		}, "the requester shares"},
		{"assign", func(p play) (*actor, ledger.Kind, any) {
			return p.dora, ledger.Assign, AssignBody{Persons: []identity.PersonID{p.cleo.id()}}
		}, ""},
		{"assign nobody", func(p play) (*actor, ledger.Kind, any) { return p.dora, ledger.Assign, AssignBody{} }, "empty"},
		{"assign an observer", func(p play) (*actor, ledger.Kind, any) {
			return p.dora, ledger.Assign, AssignBody{Persons: []identity.PersonID{p.otto.id()}}
		}, "no consultant"},
		{"assign the requester", func(p play) (*actor, ledger.Kind, any) {
			return p.dora, ledger.Assign, AssignBody{Persons: []identity.PersonID{p.anna.id()}}
		}, "own case"},
		{"assign after the end", func(p play) (*actor, ledger.Kind, any) {
			p.anna.stage(1, StageWithdrawn)
			return p.dora, ledger.Assign, AssignBody{Persons: []identity.PersonID{p.cleo.id()}}
		}, "withdrawn"},
		{"assign by somebody not assigned", func(p play) (*actor, ledger.Kind, any) {
			p.anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{p.cleo.id()}})
			return p.ben, ledger.Assign, AssignBody{Persons: []identity.PersonID{p.ben.id()}}
		}, "only the requester or a coordinator"},
	})
}

func TestGuardAccept(t *testing.T) {
	testGuards(t, []guard{
		{"passes", func(p play) (*actor, ledger.Kind, any) { return p.ben, ledger.Status, status(1, StageAccepted) }, ""},
		{"not assigned", func(p play) (*actor, ledger.Kind, any) { return p.dora, ledger.Status, status(1, StageAccepted) }, "not assigned"},
		{"twice", func(p play) (*actor, ledger.Kind, any) {
			p.ben.stage(1, StageAccepted)
			return p.ben, ledger.Status, status(1, StageAccepted)
		}, "have accepted"},
		{"after declining", func(p play) (*actor, ledger.Kind, any) {
			p.ben.post(ledger.Decline, DeclineBody{Round: 1, Reason: DeclineQuality})
			return p.ben, ledger.Status, status(1, StageAccepted)
		}, ""},
		{"another round", func(p play) (*actor, ledger.Kind, any) { return p.ben, ledger.Status, status(2, StageAccepted) }, "in round 1"},
		{"withdrawn", func(p play) (*actor, ledger.Kind, any) {
			p.anna.stage(1, StageWithdrawn)
			return p.ben, ledger.Status, status(1, StageAccepted)
		}, "withdrawn"},
		{"answered", func(p play) (*actor, ledger.Kind, any) {
			p.cleo.final("no")
			return p.ben, ledger.Status, status(1, StageAccepted)
		}, "answered"},
		{"no such stage", func(p play) (*actor, ledger.Kind, any) { return p.ben, ledger.Status, status(1, 4) }, "not well formed"},
		{"read", func(p play) (*actor, ledger.Kind, any) {
			p.ben.stage(1, StageAccepted)
			return p.ben, ledger.Status, status(1, StageReading)
		}, ""},
		{"read unaccepted", func(p play) (*actor, ledger.Kind, any) { return p.ben, ledger.Status, status(1, StageReading) }, "not accepted"},
		{"decline", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Decline, DeclineBody{Round: 1, Reason: DeclineLicence}
		}, ""},
		{"decline without a reason", func(p play) (*actor, ledger.Kind, any) { return p.ben, ledger.Decline, DeclineBody{Round: 1} }, "needs a reason"},
		{"decline for another reason untold", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Decline, DeclineBody{Round: 1, Reason: DeclineOther}
		}, "say why"},
		{"decline unassigned", func(p play) (*actor, ledger.Kind, any) {
			return p.dora, ledger.Decline, DeclineBody{Round: 1, Reason: DeclineLicence}
		}, "not assigned"},
		{"decline twice", func(p play) (*actor, ledger.Kind, any) {
			p.ben.post(ledger.Decline, DeclineBody{Round: 1, Reason: DeclineQuality})
			return p.ben, ledger.Decline, DeclineBody{Round: 1, Reason: DeclineLicence}
		}, "have declined"},
		{"decline after signing", func(p play) (*actor, ledger.Kind, any) {
			p.ben.final("no")
			return p.ben, ledger.Decline, DeclineBody{Round: 1, Reason: DeclineLicence}
		}, "have signed"},
		{"ask back", func(p play) (*actor, ledger.Kind, any) {
			p.ben.stage(1, StageAccepted)
			return p.ben, ledger.Ask, AskBody{Text: "side?", Who: []identity.PersonID{p.anna.id()}}
		}, ""},
		{"ask before accepting", func(p play) (*actor, ledger.Kind, any) { return p.ben, ledger.Ask, AskBody{Text: "side?"} }, "not accepted"},
		{"ask who cannot answer", func(p play) (*actor, ledger.Kind, any) {
			p.ben.stage(1, StageAccepted)
			return p.ben, ledger.Ask, AskBody{Text: "side?", Who: []identity.PersonID{p.otto.id()}}
		}, "cannot write"},
	})
}

func TestGuardSign(t *testing.T) {
	signed := func(who func(p play) *actor, status uint64, change func(*ReportBody)) func(play) (*actor, ledger.Kind, any) {
		return func(p play) (*actor, ledger.Kind, any) {
			a := who(p)
			b := a.sign(status, "No.")
			change(b)
			return a, ledger.Report, b
		}
	}
	ben := func(p play) *actor { return p.ben }
	same := func(*ReportBody) {}
	document := func(change func(*report.Document)) func(*ReportBody) {
		return func(b *ReportBody) {
			d, err := report.Decode(b.Document)
			if err == nil {
				change(d)
				b.Document, err = report.Encode(d)
			}
			if err != nil {
				panic(err)
			}
		}
	}
	testGuards(t, []guard{
		{"final", signed(ben, report.Final, same), ""},
		{"preliminary", signed(ben, report.Preliminary, same), ""},
		{"final by a coordinator", signed(func(p play) *actor { return p.dora }, report.Final, same), "not assigned"},
		{"preliminary by a coordinator", signed(func(p play) *actor { return p.dora }, report.Preliminary, same), "not assigned"},
		{"by the requester", signed(func(p play) *actor { return p.anna }, report.Final, same), "requester cannot sign"},
		{"by an observer", signed(func(p play) *actor { return p.otto }, report.Final, same), "as observer"},
		{"blank", signed(ben, report.Final, document(func(d *report.Document) { d.Text = " \n" })), "has no text"},
		{"garbage", signed(ben, report.Final, func(b *ReportBody) { b.Document = wire.Raw{0xf6} }), "not well formed"},
		{"another case", signed(ben, report.Final, document(func(d *report.Document) { d.Case = ledger.ThreadID{} })), "not about this case"},
		{"another author", signed(ben, report.Final, document(func(d *report.Document) { d.Author = identity.PersonID{} })), "not by you"},
		{"other images", signed(ben, report.Final, func(b *ReportBody) { b.Images[0].Seen = 1 }), "not about this case"},
		{"images not pinned", signed(ben, report.Final, func(b *ReportBody) {
			document(func(d *report.Document) { d.Images = nil })(b)
			b.Images = nil
		}), "what images"},
		{"another manifest pinned", signed(ben, report.Final, func(b *ReportBody) {
			document(func(d *report.Document) { d.Images[0].Manifest = blob.ID{9} })(b)
			b.Images[0].Manifest = blob.ID{9}
		}), "what images"},
		{"another round", signed(ben, report.Final, func(b *ReportBody) {
			document(func(d *report.Document) { d.Round = 2 })(b)
			b.Round = 2
		}), "in round 1"},
		{"withdrawn", func(p play) (*actor, ledger.Kind, any) {
			b := p.ben.sign(report.Final, "No.")
			p.anna.stage(1, StageWithdrawn)
			return p.ben, ledger.Report, b
		}, "withdrawn"},
		{"wrong patient", func(p play) (*actor, ledger.Kind, any) {
			b := p.ben.sign(report.Final, "No.")
			p.cleo.post(ledger.WrongPatient, WrongPatientBody{Lineage: [16]byte{1}, Text: "x"})
			return p.ben, ledger.Report, b
		}, "quarantined"},
		{"an older version pinned", func(p play) (*actor, ledger.Kind, any) {
			b := p.ben.sign(report.Final, "No.")
			p.anna.post(ledger.Grant, grantBody(1, 2))
			return p.ben, ledger.Report, b
		}, ""},
		{"second final", func(p play) (*actor, ledger.Kind, any) {
			p.ben.final("No.")
			return p.ben, ledger.Report, p.ben.sign(report.Final, "Yes.")
		}, "have signed"},
		{"superseding", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Report, p.ben.sign(report.Final, "Yes.", p.ben.final("No."))
		}, ""},
		{"superseding another's", func(p play) (*actor, ledger.Kind, any) {
			r := p.cleo.final("No.")
			return p.ben, ledger.Report, p.ben.sign(report.Final, "Yes.", r)
		}, "only its author"},
		{"preliminary after final", func(p play) (*actor, ledger.Kind, any) {
			p.ben.final("No.")
			return p.ben, ledger.Report, p.ben.sign(report.Preliminary, "Yes.")
		}, "have signed"},
		{"preliminary for final", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Report, p.ben.sign(report.Preliminary, "Yes.", p.ben.final("No."))
		}, "cannot replace"},
		{"final of another consultant", func(p play) (*actor, ledger.Kind, any) {
			p.ben.final("No.")
			return p.cleo, ledger.Report, p.cleo.sign(report.Final, "Yes.")
		}, ""},
	})
}

func TestGuardAmend(t *testing.T) {
	add := func(who func(p play) *actor, text string, typ uint64) func(play) (*actor, ledger.Kind, any) {
		return func(p play) (*actor, ledger.Kind, any) {
			return who(p), ledger.Addendum, AddendumBody{Report: p.ben.final("No."), Type: typ, Text: text}
		}
	}
	ben := func(p play) *actor { return p.ben }
	testGuards(t, []guard{
		{"passes", add(ben, "also", AddendumAddition), ""},
		{"by another", add(func(p play) *actor { return p.cleo }, "also", AddendumAddition), "only its author"},
		{"empty", add(ben, "", AddendumAddition), "empty"},
		{"blank", add(ben, " ", AddendumAddition), "empty"},
		{"no kind", add(ben, "also", 0), "not well formed"},
		{"of nothing", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Addendum, AddendumBody{Type: 1, Text: "also"}
		}, "no such report"},
		{"after closing", func(p play) (*actor, ledger.Kind, any) {
			r := p.ben.final("No.")
			p.level()
			p.anna.post(ledger.Taken, TakenBody{Report: r})
			p.anna.stage(1, StageClosed)
			return p.ben, ledger.Addendum, AddendumBody{Report: r, Type: AddendumCorrection, Text: "also"}
		}, ""},
		{"edit", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Edit, EditBody{Message: p.ben.post(ledger.Message, MessageBody{Text: "x"}), Text: "y"}
		}, ""},
		{"edit another's", func(p play) (*actor, ledger.Kind, any) {
			return p.anna, ledger.Edit, EditBody{Message: p.ben.post(ledger.Message, MessageBody{Text: "x"}), Text: "y"}
		}, "only its author"},
		{"edit a report", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Edit, EditBody{Message: p.ben.final("No."), Text: "y"}
		}, "only messages"},
		{"edit what was retracted", func(p play) (*actor, ledger.Kind, any) {
			m := p.ben.post(ledger.Message, MessageBody{Text: "x"})
			p.ben.post(ledger.Retract, RetractBody{Message: m})
			return p.ben, ledger.Edit, EditBody{Message: m, Text: "y"}
		}, "retracted"},
		{"retract a report", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Retract, RetractBody{Message: p.ben.final("No.")}
		}, "only messages"},
		{"retract by a coordinator", func(p play) (*actor, ledger.Kind, any) {
			return p.dora, ledger.Retract, RetractBody{Message: p.ben.post(ledger.Message, MessageBody{Text: "x"})}
		}, ""},
		{"retract by another", func(p play) (*actor, ledger.Kind, any) {
			return p.cleo, ledger.Retract, RetractBody{Message: p.ben.post(ledger.Message, MessageBody{Text: "x"})}
		}, "only the requester or a coordinator"},
	})
}

func TestGuardAcknowledge(t *testing.T) {
	testGuards(t, []guard{
		{"passes", func(p play) (*actor, ledger.Kind, any) {
			return p.anna, ledger.Taken, TakenBody{Report: p.ben.final("No."), Action: "tell the patient"}
		}, ""},
		{"by a coordinator", func(p play) (*actor, ledger.Kind, any) {
			return p.dora, ledger.Taken, TakenBody{Report: p.ben.final("No.")}
		}, "only the requester"},
		{"older than the addendum", func(p play) (*actor, ledger.Kind, any) {
			r := p.ben.final("No.")
			p.ben.post(ledger.Addendum, AddendumBody{Report: r, Type: 1, Text: "also"})
			return p.anna, ledger.Taken, TakenBody{Report: r}
		}, "newer version"},
		{"the addendum", func(p play) (*actor, ledger.Kind, any) {
			r := p.ben.final("No.")
			return p.anna, ledger.Taken, TakenBody{Report: p.ben.post(ledger.Addendum, AddendumBody{Report: r, Type: 1, Text: "also"})}
		}, ""},
		{"superseded", func(p play) (*actor, ledger.Kind, any) {
			r := p.ben.final("No.")
			p.ben.final("Yes.", r)
			return p.anna, ledger.Taken, TakenBody{Report: r}
		}, "newer version"},
		{"preliminary", func(p play) (*actor, ledger.Kind, any) {
			return p.anna, ledger.Taken, TakenBody{Report: p.ben.opine("No.")}
		}, "preliminary"},
		{"twice", func(p play) (*actor, ledger.Kind, any) {
			r := p.ben.final("No.")
			p.level()
			p.anna.post(ledger.Taken, TakenBody{Report: r})
			return p.anna, ledger.Taken, TakenBody{Report: r}
		}, "is acknowledged"},
		{"nothing", func(p play) (*actor, ledger.Kind, any) { return p.anna, ledger.Taken, TakenBody{} }, "no such report"},
		{"critical", func(p play) (*actor, ledger.Kind, any) {
			return p.anna, ledger.Acknowledge, AcknowledgeBody{Critical: p.criticalFinding(), ReadBack: "6 cm", Action: "surgery"}
		}, ""},
		{"critical without a read-back", func(p play) (*actor, ledger.Kind, any) {
			return p.anna, ledger.Acknowledge, AcknowledgeBody{Critical: p.criticalFinding(), ReadBack: " ", Action: "surgery"}
		}, "in your own words"},
		{"critical by another", func(p play) (*actor, ledger.Kind, any) {
			return p.cleo, ledger.Acknowledge, AcknowledgeBody{Critical: p.criticalFinding(), ReadBack: "6 cm", Action: "surgery"}
		}, "somebody else"},
		{"critical of nothing", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Critical, CriticalBody{Category: 1, Text: "x"}
		}, "no such report or mark"},
		{"attempt", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Attempt, AttemptBody{Critical: p.criticalFinding(), Method: "phone", Whom: "Dr. A", Result: "no answer"}
		}, ""},
		{"attempt at nothing", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Attempt, AttemptBody{Method: "phone", Whom: "Dr. A", Result: "no answer"}
		}, "no such critical"},
	})
}

func (p play) criticalFinding() ledger.EntryID {
	p.Helper()
	r := p.ben.final("aneurysm")
	return p.ben.post(ledger.Critical, CriticalBody{Of: r, Category: 1, Text: "6 cm"})
}

func TestGuardEnd(t *testing.T) {
	answered := func(p play) {
		r := p.ben.final("No.")
		p.level()
		p.anna.post(ledger.Taken, TakenBody{Report: r})
	}
	end := func(who func(p play) *actor, prepare func(p play), b StatusBody) func(play) (*actor, ledger.Kind, any) {
		return func(p play) (*actor, ledger.Kind, any) {
			prepare(p)
			return who(p), ledger.Status, b
		}
	}
	anna, ben := func(p play) *actor { return p.anna }, func(p play) *actor { return p.ben }
	nothing := func(play) {}
	testGuards(t, []guard{
		{"close", end(anna, answered, status(1, StageClosed)), ""},
		{"close as a consultant", end(ben, answered, status(1, StageClosed)), "only the requester or a coordinator"},
		{"close unanswered", end(anna, nothing, status(1, StageClosed)), "no final report"},
		{"close with an open critical finding", end(anna, func(p play) { p.criticalFinding() }, status(1, StageClosed)), "critical finding"},
		{"close another round", end(anna, answered, status(2, StageClosed)), "in round 1"},
		{"withdraw", end(anna, nothing, status(1, StageWithdrawn)), ""},
		{"withdraw as a consultant", end(ben, nothing, status(1, StageWithdrawn)), "only the requester or a coordinator"},
		{"withdraw answered", end(anna, answered, status(1, StageWithdrawn)), "is answered"},
		{"withdraw twice", end(anna, func(p play) { p.anna.stage(1, StageWithdrawn) }, status(1, StageWithdrawn)), "withdrawn"},
		{"reopen", end(anna, func(p play) { p.anna.stage(1, StageWithdrawn) }, status(2, StageAsked)), ""},
		{"reopen as a consultant", end(ben, func(p play) { p.anna.stage(1, StageWithdrawn) }, status(2, StageAsked)), "only the requester or a coordinator"},
		{"reopen an open case", end(anna, nothing, status(2, StageAsked)), "is open"},
		{"reopen two rounds on", end(anna, func(p play) { p.anna.stage(1, StageWithdrawn) }, status(3, StageAsked)), "next round is 2"},
		{"outcome", func(p play) (*actor, ledger.Kind, any) {
			return p.anna, ledger.Outcome, OutcomeBody{Result: "benign", Source: 1, Date: "2026-02-01"}
		}, ""},
		{"outcome by a consultant", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Outcome, OutcomeBody{Result: "benign", Source: 1}
		}, "only the requester or a coordinator"},
		{"triage below coordinator", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Triage, TriageBody{Priority: PriorityStat, Reason: "x"}
		}, "as consultant"},
		{"observer's receipt", func(p play) (*actor, ledger.Kind, any) {
			return p.otto, ledger.Receipt, ReceiptBody{Type: 1, Seen: []SeenRow{{Seq: 1}}}
		}, ""},
		{"observer's message", func(p play) (*actor, ledger.Kind, any) { return p.otto, ledger.Message, MessageBody{Text: "x"} }, "as observer"},
		{"empty message", func(p play) (*actor, ledger.Kind, any) { return p.ben, ledger.Message, MessageBody{Text: " "} }, "empty"},
		{"reply to nothing", func(p play) (*actor, ledger.Kind, any) {
			return p.ben, ledger.Message, MessageBody{Text: "x", ReplyTo: &ledger.EntryID{1}}
		}, "not in this case"},
	})
}
