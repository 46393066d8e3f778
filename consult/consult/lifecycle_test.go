package consult

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// lifecycle is FIELD §4.3 with the roles of §4.1, by hand: for each action who
// may do it, in which states, what the case is then, and with what words
// everybody else is refused. Of an action the first line that fits counts; a
// role or state "*" is any. "ok" alone leaves the state as it is. Every state,
// role and action must meet a line, and every line must be met.
//
// The cast: anna is the requester (founder), emil the sender (writer, attested
// as technologist), dora a coordinator, chad the chair (coordinator, assigned),
// ben the primary, cleo a second consultant, tina a trainee who may write, otto
// an observer. In accepted and later, ben has accepted; cleo and chad have not.
const lifecycle = `
request          # row 1; later ones replace the question
  observer                     | *                                          | as observer you may not post request
  trainee                      | *                                          | as trainee you may not post request
  requester                    | draft delivered seen                       | ok asked
  requester                    | *                                          | ok
  *                            | *                                          | only the requester may ask

attach           # rows 19, 20: founder, sender
  observer                     | *                                          | as observer you may not post grant
  trainee                      | *                                          | as trainee you may not post grant
  primary consultant           | draft                                      | ok
  coordinator chair primary consultant | *                                  | attaching studies is for the requester's side
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  sender                       | quarantined                                | after a wrong patient the requester shares the right study
  *                            | *                                          | ok

assign           # row 7: founder, admin; an assignee hands over; who has accepted has it until the accept (F16)
  observer                     | *                                          | as observer you may not post assign
  trainee                      | *                                          | as trainee you may not post assign
  sender                       | *                                          | only the requester or a coordinator may assign
  primary consultant           | draft                                      | only the requester or a coordinator may assign
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  *                            | delivered seen declined                    | ok asked
  *                            | *                                          | ok

accept           # row 5: an assignee; signing implies it
  observer                     | *                                          | as observer you may not post status
  trainee                      | *                                          | as trainee you may not post status
  sender                       | *                                          | as technologist you may not post status
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  requester coordinator        | *                                          | you are not assigned to this case, so you may not accept it
  primary                      | accepted reading question preliminary answered acknowledged | you have accepted this case
  *                            | answered acknowledged                      | the case is answered
  *                            | asked delivered seen declined              | ok accepted
  *                            | *                                          | ok

reading          # row 8: the primary, who has accepted
  observer                     | *                                          | as observer you may not post status
  trainee                      | *                                          | as trainee you may not post status
  sender                       | *                                          | as technologist you may not post status
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  requester coordinator        | *                                          | you are not assigned to this case, so you may not read it
  primary                      | accepted                                   | ok reading
  primary                      | question preliminary                       | ok
  primary                      | reading                                    | you are reading this case
  primary                      | answered acknowledged                      | the case is answered
  *                            | *                                          | you have not accepted this case

decline          # row 6: an assignee who is not reading yet
  observer                     | *                                          | as observer you may not post decline
  trainee                      | *                                          | as trainee you may not post decline
  sender                       | *                                          | as technologist you may not post decline
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  requester coordinator        | *                                          | you are not assigned to this case, so you may not decline it
  *                            | declined                                   | you have declined this case
  primary                      | reading                                    | you are reading this case, so it is too late to decline
  primary                      | preliminary                                | you have given an opinion, so it is too late to decline
  primary                      | answered acknowledged                      | you have signed a final report
  *                            | answered acknowledged                      | the case is answered
  primary                      | accepted question                          | ok asked
  *                            | *                                          | ok

ask              # row 9: an assignee who has accepted
  observer                     | *                                          | as observer you may not post ask
  trainee                      | *                                          | as trainee you may not post ask
  sender                       | *                                          | as technologist you may not post ask
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  requester coordinator        | *                                          | you are not assigned to this case, so you may not ask back
  *                            | answered acknowledged                      | the case is answered
  primary                      | accepted reading question preliminary      | ok question
  *                            | *                                          | you have not accepted this case

reply            # row 10: the requester's side; others may write all the same
  observer                     | *                                          | as observer you may not post message
  requester                    | question                                   | ok accepted
  *                            | *                                          | ok

preliminary      # row 11: an assignee, a trainee who may write
  observer                     | *                                          | as observer you may not post report
  sender                       | *                                          | as technologist you may not post report
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  requester                    | *                                          | the requester cannot sign an opinion in their own case
  coordinator                  | *                                          | you are not assigned to this case, so you may not sign a report
  primary consultant chair     | declined                                   | you have declined this case
  primary                      | answered acknowledged                      | you have signed a final report
  *                            | answered acknowledged                      | the case is answered
  *                            | *                                          | ok preliminary

final            # row 12: an assignee; a second one beside the first is their own
  observer                     | *                                          | as observer you may not post report
  sender                       | *                                          | as technologist you may not post report
  trainee                      | *                                          | as trainee you may not sign a final report
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  requester                    | *                                          | the requester cannot sign an opinion in their own case
  coordinator                  | *                                          | you are not assigned to this case, so you may not sign a report
  *                            | declined                                   | you have declined this case
  primary                      | answered acknowledged                      | you have signed a final report in this round
  *                            | *                                          | ok answered

supersede        # row 13: a final's own author
  observer                     | *                                          | as observer you may not post report
  sender                       | *                                          | as technologist you may not post report
  trainee                      | *                                          | as trainee you may not sign a final report
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  requester                    | *                                          | the requester cannot sign an opinion in their own case
  coordinator                  | *                                          | you are not assigned to this case, so you may not sign a report
  *                            | declined                                   | you have declined this case
  primary                      | preliminary                                | ok answered
  primary                      | answered acknowledged                      | ok answered +amended
  *                            | preliminary answered acknowledged          | only its author may replace a report
  *                            | *                                          | what this report replaces is not a report of this case

addend           # row 13: a report's own author; it is never too late
  observer                     | *                                          | as observer you may not post addendum
  sender                       | *                                          | as technologist you may not post addendum
  *                            | draft asked delivered seen accepted declined reading question withdrawn quarantined | no such report in this case
  primary                      | answered acknowledged                      | ok answered +amended
  primary                      | closed                                     | ok closed +amended
  primary                      | preliminary                                | ok
  *                            | *                                          | only its author may add to a report

take             # row 14: a founder, or a delegate; of a final
  observer                     | *                                          | as observer you may not post taken
  sender                       | *                                          | as technologist you may not post taken
  trainee                      | *                                          | as trainee you may not post taken
  coordinator chair primary consultant | *                                  | only the requester, or who they named for it, may acknowledge a report
  *                            | draft asked delivered seen accepted declined reading question withdrawn quarantined | no such report in this case
  *                            | preliminary                                | a preliminary report is not acknowledged
  *                            | acknowledged closed                        | it is acknowledged
  *                            | answered                                   | ok acknowledged

close            # row 15: founder, admin; from answered it goes with taking, which is the requester's
  observer                     | *                                          | as observer you may not post status
  trainee                      | *                                          | as trainee you may not post status
  sender                       | *                                          | as technologist you may not post status
  primary consultant           | *                                          | only the requester or a coordinator may close the case
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  coordinator chair            | answered                                   | the requester has not acknowledged the report
  *                            | answered acknowledged                      | ok closed
  *                            | *                                          | the case has no final report yet

withdraw         # row 16: founder, admin, before a final
  observer                     | *                                          | as observer you may not post status
  trainee                      | *                                          | as trainee you may not post status
  sender                       | *                                          | as technologist you may not post status
  primary consultant           | *                                          | only the requester or a coordinator may withdraw the request
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  *                            | answered acknowledged                      | the case is answered, so it cannot be withdrawn
  *                            | *                                          | ok withdrawn

reopen           # row 17: founder, admin; row 19: founder
  observer                     | *                                          | as observer you may not post status
  trainee                      | *                                          | as trainee you may not post status
  sender                       | *                                          | as technologist you may not post status
  primary consultant           | *                                          | only the requester or a coordinator may reopen the case
  *                            | draft                                      | nothing is asked in this case yet
  coordinator chair            | quarantined                                | only the requester may reopen the case after a wrong patient
  *                            | quarantined                                | ok
  *                            | closed withdrawn declined                  | ok asked
  *                            | *                                          | the case is open

triage           # §4.1: the coordinator, with a reason
  requester coordinator chair  | draft                                      | nothing is asked in this case yet
  requester coordinator chair  | closed                                     | the case is closed
  requester coordinator chair  | withdrawn                                  | the case is withdrawn
  requester coordinator chair  | quarantined                                | the case is quarantined
  requester coordinator chair  | *                                          | ok
  observer                     | *                                          | as observer you may not post triage
  *                            | *                                          | as consultant you may not post triage

critical         # §4.6: consultant or above, in any state
  observer                     | *                                          | as observer you may not post critical
  sender                       | *                                          | as technologist you may not post critical
  trainee                      | *                                          | as trainee you may not post critical
  *                            | draft                                      | no such report or mark in this case
  *                            | *                                          | ok +critical

wrong-patient    # row 18: any writer or above
  observer                     | *                                          | as observer you may not post wrong-patient
  *                            | draft                                      | nothing is asked in this case yet
  *                            | quarantined                                | this study was reported as the wrong patient's
  *                            | *                                          | ok quarantined

outcome          # §4.1: the requester's side
  observer                     | *                                          | as observer you may not post outcome
  trainee                      | *                                          | as trainee you may not post outcome
  sender                       | *                                          | as technologist you may not post outcome
  primary consultant           | *                                          | only the requester or a coordinator may give the outcome
  *                            | draft                                      | nothing is asked in this case yet
  *                            | *                                          | ok

mark             # writers
  observer                     | *                                          | as observer you may not post mark
  sender                       | *                                          | as technologist you may not post mark
  *                            | draft                                      | no such study in this case
  *                            | *                                          | ok

seal             # §4.8: an assignee, once, before there is an answer
  observer                     | *                                          | as observer you may not post sealed-read
  sender                       | *                                          | as technologist you may not post sealed-read
  trainee                      | *                                          | as trainee you may not post sealed-read
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  requester coordinator        | *                                          | you are not assigned to this case, so you may not seal a read
  *                            | answered acknowledged                      | the case is answered
  *                            | declined                                   | you have declined this case
  primary                      | preliminary                                | you have given an opinion in this round
  *                            | *                                          | ok

reveal           # §4.8: the chair
  observer                     | *                                          | as observer you may not post sealed-read
  sender                       | *                                          | as technologist you may not post sealed-read
  trainee                      | *                                          | as trainee you may not post sealed-read
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  primary consultant           | *                                          | only the requester or a coordinator may have the reads opened
  *                            | *                                          | nobody has sealed a read

draft            # §4.8: the chair
  observer                     | *                                          | as observer you may not post consensus
  sender                       | *                                          | as technologist you may not post consensus
  trainee                      | *                                          | as trainee you may not post consensus
  *                            | draft                                      | nothing is asked in this case yet
  *                            | closed                                     | the case is closed
  *                            | withdrawn                                  | the case is withdrawn
  *                            | quarantined                                | the case is quarantined
  requester primary consultant | *                                          | only the chair, a coordinator, may draft a consensus
  coordinator                  | *                                          | you are not assigned to this case, so you may not draft a consensus
  chair                        | declined                                   | somebody of the panel is not assigned to this case
  chair                        | *                                          | ok

receipt          # everybody, observers too
  *                            | *                                          | ok
`

// rule is a line of lifecycle.
type rule struct {
	action        string
	roles, states []string
	want          string
	met           []string // states
}

func readLifecycle(t *testing.T) (rules []*rule, actions []string) {
	t.Helper()
	action := ""
	for line := range strings.SplitSeq(lifecycle, "\n") {
		switch parts := strings.Split(line, "|"); {
		case strings.TrimSpace(line) == "":
		case len(parts) == 3:
			rules = append(rules, &rule{action: action, roles: strings.Fields(parts[0]), states: strings.Fields(parts[1]), want: strings.TrimSpace(parts[2])})
		default:
			action, _, _ = strings.Cut(line, " ")
			actions = append(actions, action)
		}
	}
	return rules, actions
}

var lifecycleStates = []string{
	StateDraft, StateAsked, StateDelivered, StateSeen, StateAccepted, StateDeclined, StateReading, StateQuestion, StatePreliminary, StateAnswered,
	StateAcknowledged, StateClosed, StateWithdrawn, StateQuarantined,
}

var lifecycleRoles = []string{"requester", "sender", "coordinator", "chair", "primary", "consultant", "trainee", "observer"}

// stage is a case in some state, with its cast by role and what is in it.
type stageCase struct {
	*world
	cast        map[string]*actor
	mark, ask   ledger.EntryID
	report      ledger.EntryID
	state       *State
	memory      *Memory
	attestation map[identity.PersonID]Attested
}

// stageIn plays a case into a state.
func stageIn(t testing.TB, state string) *stageCase {
	t.Helper()
	w, anna, ben, cleo, dora, otto := newWorld(t, true)
	emil, tina, chad := w.person("emil"), w.person("tina"), w.person("chad")
	anna.invite(emil, ledger.RankWriter)
	anna.invite(tina, ledger.RankWriter)
	anna.invite(chad, ledger.RankAdmin)
	c := &stageCase{world: w, cast: map[string]*actor{
		"requester": anna, "sender": emil, "coordinator": dora, "chair": chad, "primary": ben, "consultant": cleo, "trainee": tina, "observer": otto,
	}, attestation: map[identity.PersonID]Attested{emil.id(): AttestedTechnologist, tina.id(): AttestedTrainee}}
	c.memory = &Memory{Roles: func(p identity.PersonID) Attested { return c.attestation[p] }}
	if state != StateDraft {
		anna.post(ledger.Request, goodRequest)
		anna.post(ledger.Grant, grantBody(1, 1))
		anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{ben.id(), cleo.id(), chad.id()}})
		c.mark = cleo.post(ledger.Mark, markBody(3))
	}
	c.play(state)
	c.state = c.memory.Fold(anna.t)
	if c.state.State != state {
		t.Fatalf("the stage is %s, not %s", c.state.State, state)
	}
	return c
}

func (c *stageCase) play(state string) {
	anna, ben, cleo, chad := c.cast["requester"], c.cast["primary"], c.cast["consultant"], c.cast["chair"]
	switch state {
	case StateDelivered:
		ben.receipt(ReceiptDelivered)
	case StateSeen:
		ben.receipt(ReceiptRead)
	case StateDeclined:
		for _, a := range []*actor{ben, cleo, chad} {
			a.post(ledger.Decline, DeclineBody{Round: 1, Reason: DeclineUnavailable})
		}
	case StateAccepted, StateReading, StateQuestion, StatePreliminary, StateAnswered, StateAcknowledged, StateClosed:
		ben.stage(1, StageAccepted)
	case StateWithdrawn:
		anna.stage(1, StageWithdrawn)
	case StateQuarantined:
		cleo.post(ledger.WrongPatient, WrongPatientBody{Lineage: [16]byte{1}, Text: "another birth date"})
	}
	switch state {
	case StateReading:
		ben.stage(1, StageReading)
	case StateQuestion:
		c.ask = ben.post(ledger.Ask, AskBody{Text: "Which side?"})
	case StatePreliminary:
		c.report = ben.opine("Probably benign.")
	case StateAnswered, StateAcknowledged, StateClosed:
		c.report = ben.final("Benign.")
	}
	if state == StateAcknowledged || state == StateClosed {
		anna.post(ledger.Taken, TakenBody{Report: c.report})
	}
	if state == StateClosed {
		anna.stage(1, StageClosed)
	}
}

// body is what somebody would post for an action.
func (c *stageCase) body(t *testing.T, action string, a *actor) (ledger.Kind, any) {
	t.Helper()
	round := max(c.state.Round, 1)
	switch action {
	case "request":
		return ledger.Request, goodRequest
	case "attach":
		return ledger.Grant, grantBody(2, 1)
	case "assign":
		tina := c.cast["trainee"]
		return ledger.Assign, AssignBody{Persons: []identity.PersonID{tina.id()}}
	case "accept":
		return ledger.Status, status(round, StageAccepted)
	case "reading":
		return ledger.Status, status(round, StageReading)
	case "close":
		return ledger.Status, status(round, StageClosed)
	case "withdraw":
		return ledger.Status, status(round, StageWithdrawn)
	case "reopen":
		return ledger.Status, status(round+1, StageAsked)
	case "decline":
		return ledger.Decline, DeclineBody{Round: round, Reason: DeclineQuality}
	case "ask":
		return ledger.Ask, AskBody{Text: "Since when?"}
	case "reply":
		if c.ask != (ledger.EntryID{}) {
			return ledger.Message, MessageBody{Text: "left", ReplyTo: &c.ask}
		}
		return ledger.Message, MessageBody{Text: "left"}
	case "preliminary":
		return ledger.Report, a.sign(report.Preliminary, "Probably.")
	case "final":
		return ledger.Report, a.sign(report.Final, "Yes.")
	case "supersede":
		return ledger.Report, a.sign(report.Final, "No.", c.report)
	case "addend":
		return ledger.Addendum, AddendumBody{Report: c.report, Type: AddendumAddition, Text: "also"}
	case "take":
		return ledger.Taken, TakenBody{Report: c.report}
	case "triage":
		return ledger.Triage, TriageBody{Priority: PriorityStat, Reason: "worse"}
	case "critical":
		return ledger.Critical, CriticalBody{Of: c.mark, Category: 1, Text: "bleeding"}
	case "wrong-patient":
		return ledger.WrongPatient, WrongPatientBody{Lineage: [16]byte{1}, Text: "not he"}
	case "outcome":
		return ledger.Outcome, OutcomeBody{Result: "benign", Source: 1}
	case "mark":
		return ledger.Mark, markBody(5)
	case "seal":
		return ledger.SealedRead, SealedReadBody{Round: round, Commitment: &[32]byte{1}}
	case "reveal":
		return ledger.SealedRead, SealedReadBody{Round: round}
	case "draft":
		panel := c.state.Panel()
		if len(panel) == 0 {
			panel = []identity.PersonID{a.id()}
		}
		return ledger.Consensus, ConsensusBody{Round: round, Text: "Benign.", Panel: panel, Quorum: 1}
	case "receipt":
		return ledger.Receipt, ReceiptBody{Type: ReceiptRead, Seen: []SeenRow{{Device: a.local.Device.ID(), Seq: 1}}}
	default:
		t.Fatalf("no action %s", action)
		return 0, nil
	}
}

// TestLifecycle asks for every action of every role in every state, and posts
// what is allowed, of each line and state by one role.
func TestLifecycle(t *testing.T) {
	rules, actions := readLifecycle(t)
	cells := 0
	for _, state := range lifecycleStates {
		c := stageIn(t, state)
		for _, role := range lifecycleRoles {
			for _, action := range actions {
				cells++
				a := c.cast[role]
				kind, body := c.body(t, action, a)
				err := Authorize(c.state, a.id(), kind, body)
				r := ruleFor(rules, action, role, state)
				if r == nil {
					t.Errorf("%s, %s, %s: no line", action, role, state)
					continue
				}
				first := !slices.Contains(r.met, state)
				r.met = append(r.met, state)
				refusal, refused := AsRefusal(err)
				switch ok := strings.HasPrefix(r.want, "ok"); {
				case ok && err != nil:
					t.Errorf("%s, %s, %s: refused as %q", action, role, state, err)
				case !ok && !refused:
					t.Errorf("%s, %s, %s: allowed, want %q", action, role, state, r.want)
				case !ok && !strings.HasPrefix(refusal.Message, r.want):
					t.Errorf("%s, %s, %s: %q, want %q", action, role, state, refusal.Message, r.want)
				case ok && first:
					c.becomes(t, fmt.Sprintf("%s, %s, %s", action, role, state), a, kind, body, r.want)
				}
			}
		}
	}
	for _, r := range rules {
		if len(r.met) == 0 {
			t.Errorf("%s: nothing meets the line %v %v", r.action, r.roles, r.states)
		}
	}
	t.Logf("%d cells, %d lines", cells, len(rules))
}

func ruleFor(rules []*rule, action, role, state string) *rule {
	fits := func(list []string, x string) bool { return list[0] == "*" || slices.Contains(list, x) }
	i := slices.IndexFunc(rules, func(r *rule) bool { return r.action == action && fits(r.roles, role) && fits(r.states, state) })
	if i < 0 {
		return nil
	}
	return rules[i]
}

// becomes posts on a copy of the case, and looks at state and flags then.
func (c *stageCase) becomes(t *testing.T, cell string, a *actor, kind ledger.Kind, body any, want string) {
	t.Helper()
	copied := ledger.NewThread(c.id)
	for _, it := range a.t.Missing(nil) {
		if _, err := copied.Receive(it.Sealed, []ledger.Local{a.local}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := copied.Append(a.local, kind, body, c.tick(), c.world); err != nil {
		t.Fatalf("%s: %v", cell, err)
	}
	s := (&Memory{Roles: c.memory.Roles}).Fold(copied)
	state, flag, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(want, "ok")), "+")
	if state = strings.TrimSpace(state); state == "" {
		state = c.state.State
	}
	if s.State != state || flag != "" && !slices.Contains(s.Flags, flag) {
		t.Errorf("%s: the case is %s %v then, want %s %s", cell, s.State, s.Flags, state, flag)
	}
}
