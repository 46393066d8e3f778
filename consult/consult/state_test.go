package consult

import (
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// TestTransitions goes through the rows of FIELD §4.3, and the crossings.
func TestTransitions(t *testing.T) {
	type cast struct {
		*world
		anna, ben, cleo, dora, otto *actor
	}
	for _, tt := range []struct {
		name string
		play func(c cast)
	}{
		{"asked", func(c cast) { c.want(StateAsked) }},
		{"delivered", func(c cast) {
			c.ben.receipt(ReceiptDelivered)
			c.want(StateDelivered)
		}},
		{"an observer's receipt delivers nothing", func(c cast) {
			c.otto.receipt(ReceiptRead)
			c.dora.receipt(ReceiptRead)
			c.want(StateAsked)
		}},
		{"seen", func(c cast) {
			c.cleo.receipt(ReceiptRead)
			c.want(StateSeen)
		}},
		{"accepted", func(c cast) {
			c.ben.stage(1, StageAccepted)
			c.want(StateAccepted)
		}},
		{"accepted by two at once", func(c cast) {
			c.ben.stage(1, StageAccepted)
			c.cleo.stage(1, StageAccepted)
			c.want(StateAccepted)
			for _, m := range c.anna.fold().Members {
				if want := m.Person == c.ben.id() || m.Person == c.cleo.id(); m.Accepted != want {
					c.Errorf("%s accepted %v", m.Role, m.Accepted)
				}
			}
		}},
		{"an accept by somebody not assigned is nothing", func(c cast) {
			c.dora.stage(1, StageAccepted)
			c.want(StateAsked)
		}},
		{"an accept of a round to come is nothing", func(c cast) {
			c.ben.stage(7, StageAccepted)
			c.want(StateAsked)
		}},
		{"declined by one of two", func(c cast) {
			c.ben.post(ledger.Decline, DeclineBody{Round: 1, Reason: DeclineSpecialty})
			c.want(StateAsked)
			if m, _ := c.anna.fold().Member(c.cleo.id()); !m.Primary {
				c.Error("cleo is not primary after ben declined")
			}
		}},
		{"declined by all", func(c cast) {
			c.ben.post(ledger.Decline, DeclineBody{Round: 1, Reason: DeclineSpecialty})
			c.cleo.post(ledger.Decline, DeclineBody{Round: 1, Reason: DeclineUnavailable})
			c.want(StateDeclined)
			c.ben.stage(1, StageAccepted) // replaces his decline
			c.want(StateAccepted)
			c.ben.post(ledger.Decline, DeclineBody{Round: 1, Reason: DeclineUnavailable})
			c.want(StateDeclined)
			c.anna.stage(2, StageAsked)
			c.want(StateAsked)
		}},
		{"declined, then another assigned", func(c cast) {
			c.ben.post(ledger.Decline, DeclineBody{Round: 1, Reason: DeclineSpecialty})
			c.cleo.post(ledger.Decline, DeclineBody{Round: 1, Reason: DeclineUnavailable})
			c.level()
			emil := c.person("emil")
			c.anna.invite(emil, ledger.RankWriter)
			c.anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{c.ben.id(), emil.id()}})
			c.want(StateAsked)
		}},
		{"reading", func(c cast) {
			c.ben.stage(1, StageAccepted)
			c.ben.stage(1, StageReading)
			c.want(StateReading)
		}},
		{"question and reply", func(c cast) {
			c.ben.stage(1, StageAccepted)
			ask := c.ben.post(ledger.Ask, AskBody{Text: "Which side?"})
			c.want(StateQuestion)
			c.cleo.post(ledger.Message, MessageBody{Text: "left?", ReplyTo: &ask})
			c.want(StateQuestion)
			c.anna.post(ledger.Message, MessageBody{Text: "left", ReplyTo: &ask})
			c.want(StateAccepted)
		}},
		{"question taken back", func(c cast) {
			c.ben.stage(1, StageAccepted)
			ask := c.ben.post(ledger.Ask, AskBody{Text: "Which side?"})
			c.ben.post(ledger.Retract, RetractBody{Message: ask})
			c.want(StateAccepted)
		}},
		{"preliminary past a question", func(c cast) {
			c.ben.stage(1, StageAccepted)
			c.ben.post(ledger.Ask, AskBody{Text: "Which side?"})
			c.ben.opine("probably benign")
			c.want(StatePreliminary)
			c.ben.post(ledger.Ask, AskBody{Text: "Really?"})
			c.want(StateQuestion)
		}},
		{"final implies acceptance", func(c cast) {
			c.ben.final("benign")
			c.want(StateAnswered)
			if m, _ := c.anna.fold().Member(c.ben.id()); !m.Accepted {
				c.Error("ben has not accepted")
			}
		}},
		{"final by somebody not assigned", func(c cast) {
			c.dora.final("benign")
			c.want(StateAsked)
			if r := c.anna.fold().Reports; len(r) != 1 || !r[0].Valid {
				c.Error("it is shown all the same")
			}
		}},
		{"requester's note", func(c cast) {
			c.anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{c.anna.id()}})
			c.anna.final("benign")
			c.want(StateAsked)
			if r := c.anna.fold().Reports; !r[0].Note {
				c.Error("not shown as the requester's note")
			}
		}},
		{"acknowledged", func(c cast) {
			r := c.ben.final("benign")
			c.level()
			c.dora.post(ledger.Taken, TakenBody{Report: r})
			c.want(StateAnswered) // a coordinator is not the requester
			c.anna.post(ledger.Taken, TakenBody{Report: r})
			c.want(StateAcknowledged)
		}},
		{"addendum reopens acknowledgement", func(c cast) {
			r := c.ben.final("benign")
			c.level()
			c.anna.post(ledger.Taken, TakenBody{Report: r})
			c.level()
			a := c.ben.post(ledger.Addendum, AddendumBody{Report: r, Type: AddendumCorrection, Text: "left, not right"})
			c.want(StateAnswered, FlagAmended)
			c.anna.post(ledger.Taken, TakenBody{Report: a})
			c.want(StateAcknowledged, FlagAmended)
		}},
		{"addendum crosses taken", func(c cast) {
			r := c.ben.final("benign")
			c.level()
			c.anna.post(ledger.Taken, TakenBody{Report: r})
			c.ben.post(ledger.Addendum, AddendumBody{Report: r, Type: AddendumAddition, Text: "also"})
			c.want(StateAnswered, FlagAmended)
		}},
		{"addendum by another hand", func(c cast) {
			r := c.ben.final("benign")
			c.level()
			c.cleo.post(ledger.Addendum, AddendumBody{Report: r, Type: AddendumAddition, Text: "malignant"})
			c.want(StateAnswered)
		}},
		{"superseding report", func(c cast) {
			r := c.ben.final("benign")
			c.level()
			c.anna.post(ledger.Taken, TakenBody{Report: r})
			c.level()
			c.ben.final("malignant", r)
			c.want(StateAnswered, FlagAmended)
		}},
		{"superseding another's report does nothing", func(c cast) {
			r := c.ben.final("benign")
			c.level()
			c.cleo.final("malignant", r)
			c.want(StateAnswered)
			if x, _ := c.anna.fold().Report(r); x.SupersededBy != nil {
				c.Error("superseded by another person")
			}
		}},
		{"correction by an author no longer assigned", func(c cast) {
			r := c.ben.final("benign")
			c.level()
			c.anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{c.cleo.id()}})
			c.level()
			if err := c.ben.may(ledger.Report, c.ben.sign(2, "malignant")); err == nil {
				c.Error("ben may sign anew")
			}
			if err := c.ben.may(ledger.Report, c.ben.sign(2, "malignant", r)); err != nil {
				c.Errorf("ben may not correct: %v", err)
			}
			n := c.ben.final("malignant", r)
			c.want(StateAnswered, FlagAmended)
			c.anna.post(ledger.Taken, TakenBody{Report: r}) // the old one
			c.want(StateAnswered, FlagAmended)
			c.anna.post(ledger.Taken, TakenBody{Report: n})
			c.want(StateAcknowledged, FlagAmended)
		}},
		{"two finals at once", func(c cast) {
			x, y := c.ben.final("benign"), c.cleo.final("malignant")
			c.want(StateAnswered, FlagConflict)
			c.anna.post(ledger.Taken, TakenBody{Report: x})
			c.want(StateAnswered, FlagConflict)
			c.anna.post(ledger.Taken, TakenBody{Report: y})
			c.want(StateAcknowledged)
		}},
		{"closed", func(c cast) {
			r := c.ben.final("benign")
			c.level()
			c.anna.post(ledger.Taken, TakenBody{Report: r})
			c.ben.stage(1, StageClosed) // not his to close
			c.want(StateAcknowledged)
			c.anna.stage(1, StageClosed)
			c.want(StateClosed)
			c.anna.stage(2, StageAsked)
			c.want(StateAsked)
			c.anna.stage(1, StageClosed)
			c.want(StateAsked)
		}},
		{"withdrawn and reopened", func(c cast) {
			c.anna.stage(1, StageWithdrawn)
			c.want(StateWithdrawn)
			c.dora.stage(2, StageAsked)
			c.want(StateAsked)
			if c.anna.fold().Round != 2 {
				c.Error("round is not 2")
			}
		}},
		{"nobody jumps rounds", func(c cast) {
			c.dora.stage(1000, StageAsked)
			c.ben.stage(2, StageAsked)
			c.want(StateAsked)
			if c.anna.fold().Round != 1 {
				c.Error("round is not 1")
			}
		}},
		{"withdrawal crosses a final", func(c cast) {
			c.anna.stage(1, StageWithdrawn)
			c.ben.final("benign")
			c.want(StateAnswered, FlagCrossed)
		}},
		{"withdrawal after a final", func(c cast) {
			c.ben.final("benign")
			c.level()
			c.anna.stage(1, StageWithdrawn)
			c.want(StateWithdrawn)
		}},
		{"new round crosses a final", func(c cast) {
			c.anna.stage(1, StageWithdrawn)
			c.anna.stage(2, StageAsked)
			c.ben.final("benign")
			c.want(StateAsked, FlagCrossed)
		}},
		{"critical", func(c cast) {
			r := c.ben.final("aneurysm")
			k := c.ben.post(ledger.Critical, CriticalBody{Of: r, Category: 1, Text: "6 cm"})
			c.want(StateAnswered, FlagCritical)
			c.dora.post(ledger.Acknowledge, AcknowledgeBody{Critical: k, ReadBack: "x", Action: "y"})
			c.want(StateAnswered, FlagCritical)
			c.anna.post(ledger.Acknowledge, AcknowledgeBody{Critical: k, ReadBack: "6 cm aneurysm", Action: "vascular surgery now"})
			c.want(StateAnswered)
		}},
		{"critical for a named person", func(c cast) {
			r := c.ben.final("aneurysm")
			k := c.ben.post(ledger.Critical, CriticalBody{Of: r, Category: 1, Text: "6 cm", Who: []identity.PersonID{c.dora.id()}})
			c.level()
			c.anna.post(ledger.Acknowledge, AcknowledgeBody{Critical: k, ReadBack: "x", Action: "y"})
			c.want(StateAnswered, FlagCritical)
			c.dora.post(ledger.Acknowledge, AcknowledgeBody{Critical: k, ReadBack: "x", Action: "y"})
			c.want(StateAnswered)
		}},
		{"stale", func(c cast) {
			r := c.ben.final("benign")
			c.level()
			c.anna.post(ledger.Grant, grantBody(1, 2))
			c.want(StateAnswered, FlagStale)
			c.ben.post(ledger.Addendum, AddendumBody{Report: r, Type: AddendumAddition, Text: "unchanged by the late images"})
			c.want(StateAnswered, FlagAmended)
		}},
		{"wrong patient", func(c cast) {
			c.cleo.post(ledger.WrongPatient, WrongPatientBody{Lineage: [16]byte{1}, Text: "another birth date"})
			c.want(StateQuarantined)
			if !c.ben.fold().Grants[0].Quarantined {
				c.Error("the study is not locked")
			}
			c.anna.stage(2, StageAsked)
			c.want(StateQuarantined)
			c.anna.post(ledger.Grant, grantBody(2, 1))
			c.want(StateAsked)
			if g := c.ben.fold().Grants; !g[0].Quarantined || g[1].Quarantined {
				c.Error("the wrong study is locked")
			}
		}},
		{"assignments at once", func(c cast) {
			c.anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{c.ben.id()}})
			c.dora.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{c.cleo.id()}})
			c.want(StateAsked, FlagConflict)
			c.anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{c.cleo.id()}})
			c.want(StateAsked)
			if m, _ := c.anna.fold().Member(c.cleo.id()); !m.Primary {
				c.Error("cleo is not primary")
			}
		}},
		{"hand-over by an assignee", func(c cast) {
			c.ben.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{c.cleo.id()}})
			c.level()
			c.ben.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{c.ben.id()}}) // no longer his
			c.ben.stage(1, StageAccepted)
			c.want(StateAsked)
		}},
		{"triage at once", func(c cast) {
			c.dora.post(ledger.Triage, TriageBody{Priority: PriorityStat, Reason: "worse"})
			c.anna.post(ledger.Triage, TriageBody{Priority: PriorityUrgent, Reason: "worse"})
			c.want(StateAsked)
			if p := c.anna.fold().Priority; p != "stat" {
				c.Errorf("priority %s, want the higher one", p)
			}
			c.anna.post(ledger.Triage, TriageBody{Priority: PriorityRoutine, Reason: "seen both"})
			c.want(StateAsked)
			if p := c.anna.fold().Priority; p != "routine" {
				c.Errorf("priority %s, want what was said last", p)
			}
		}},
		{"removed assignee", func(c cast) {
			c.ben.stage(1, StageAccepted)
			c.level()
			c.anna.invite(c.ben, ledger.RankNone)
			c.want(StateAsked)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, anna, ben, cleo, dora, otto := asked(t, false)
			tt.play(cast{w, anna, ben, cleo, dora, otto})
		})
	}
}
