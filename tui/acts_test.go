package tui

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/node/control"
)

// clinical is the part of the fake that the acts, patients and roster call.
func (f *fake) clinical(mux *http.ServeMux) {
	f.bundles(mux)
	ref := func(s string) (control.EntryRef, error) {
		f.did(s)
		return control.EntryRef{Entry: "e20"}, nil
	}
	handle(f, mux, control.CaseAsk, func(_ context.Context, r control.CaseAskRequest) (control.EntryRef, error) {
		return ref(fmt.Sprint("ask ", r.To, " ", r.Text))
	})
	handle(f, mux, control.CaseCritical, func(_ context.Context, r control.CaseCriticalRequest) (control.EntryRef, error) {
		return ref(fmt.Sprint("critical ", r.Category, " ", r.Who, " ", r.Text))
	})
	handle(f, mux, control.CaseAcknowledge, func(_ context.Context, r control.CaseAcknowledgeRequest) (control.EntryRef, error) {
		return ref("acknowledge " + r.Critical + " " + r.ReadBack + " " + r.Action)
	})
	handle(f, mux, control.CaseRemove, func(_ context.Context, r control.CaseMemberRequest) (control.EntryRef, error) {
		return ref("remove " + r.Member)
	})
	handle(f, mux, control.CaseWithdraw, func(_ context.Context, r control.CaseTextRequest) (control.EntryRef, error) {
		return ref("withdraw " + r.Text)
	})
	handle(f, mux, control.ConfigGet, func(context.Context, control.ConfigRequest) (map[string]any, error) {
		return map[string]any{"views": f.views}, nil
	})
	handle(f, mux, control.ConfigSet, func(_ context.Context, r control.ConfigRequest) (map[string]any, error) {
		f.views = strings.Split(r.Value, ",")
		f.did("config " + r.Key + " " + r.Value)
		return map[string]any{"views": f.views}, nil
	})
	handle(f, mux, control.CaseAgreement, func(context.Context, control.CaseRequest) (control.Agreement, error) { return f.agreed, nil })
	handle(f, mux, control.CaseVote, func(_ context.Context, r control.CaseVoteRequest) (control.EntryRef, error) {
		return ref("vote " + r.Consensus + " " + r.Choice + " " + r.Text)
	})
	handle(f, mux, control.PatientList, func(context.Context, control.None) ([]control.Patient, error) {
		return []control.Patient{f.patient()}, nil
	})
	handle(f, mux, control.PatientShow, func(context.Context, control.PatientRequest) (control.PatientDetail, error) {
		return control.PatientDetail{Patient: f.patient(), Timeline: []control.PatientItem{
			{Kind: "report", Time: new(fakeNow), Title: "Spiculated nodule", State: "final", Author: "Dr Ada Lind", Case: "7f3ac0de11"},
			{Kind: "report", Time: new(fakeNow), Title: "Probably benign", State: "preliminary", Author: "Dr Ada Lind", Case: "7f3ac0de11", Superseded: true},
			{Kind: "study", Date: new("2026-03-01"), Title: "CT chest", Study: f.studies[0].Study.Study},
		}, Priors: []control.PriorSuggested{{Date: new("2025-03-10"), Modality: "CT", BodyPart: "CHEST", Why: []string{"same body part"}}}}, nil
	})
	handle(f, mux, control.PatientLink, func(_ context.Context, r control.PatientLinkRequest) (control.PatientDetail, error) {
		f.did("link " + r.Patient + " " + r.Other + " " + r.Reason)
		return control.PatientDetail{Patient: f.patient()}, nil
	})
	handle(f, mux, control.RosterList, func(context.Context, control.None) ([]control.RosterEntry, error) {
		return []control.RosterEntry{{Person: "bb22cc", Name: "Dr Amara Okafor", Trust: "verified", Hours: new("Mon-Fri 08:00-17:00 Africa/Lagos"), Accepting: true}}, nil
	})
	handle(f, mux, control.RosterSet, func(_ context.Context, r control.RosterRequest) ([]control.RosterEntry, error) {
		f.did(fmt.Sprint("roster ", r.Members))
		return nil, nil
	})
}

func (f *fake) patient() control.Patient {
	return control.Patient{
		Patient: "pt1", Name: "Phantom^Rosa", PatientID: "P-77", BirthDate: new("1968-02-29"), Sex: new("F"), Studies: 2, Cases: 1,
		Doubtful: []control.PatientMatch{{Patient: "pt2", Name: "Phantom^Roza", PatientID: "77", BirthDate: new("1968-02-29"), Why: "name and birth date alike"}},
	}
}

// TestCriticalFinding: it asks for what it needs, repeats whose case it is, and can be left.
func TestCriticalFinding(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		d.press("enter", "b")
		d.write("critical")
		d.press("enter")
		d.sees("Critical finding", "CT chest ?nodule", "cannot be taken back")
		d.press("ctrl+d")
		d.sees("finding is needed")
		d.press("esc", "b")
		d.write("critical")
		d.press("enter")
		d.write("pneumothorax")
		d.press("tab", "right", "tab", "right", "ctrl+d")
		d.did("critical 2 [bb22cc] pneumothorax")
		if len(d.f.log) != 1 {
			t.Errorf("did %q", d.f.log)
		}
	})
}

// TestReadBack: an open finding for this person stands first among the acts, and in the list.
func TestReadBack(t *testing.T) {
	f := newFake()
	f.cases[0].Criticals = []control.Critical{{Entry: "k1", Text: "tension pneumothorax", Category: 1, AuthorName: "Dr Amara Okafor", Time: fakeNow, Open: true, ForMe: true}}
	drive(t, 80, 24, Config{}, f, func(d *driver) {
		d.sees("CRITICAL, not read back: tension pneumothorax")
		d.press("enter", "b", "enter")
		d.sees("in your own words", "tension pneumothorax")
		d.write("air in the chest")
		d.press("enter")
		d.write("drain now")
		d.press("enter")
		d.did("acknowledge k1 air in the chest drain now")
	})
}

// TestRemoveMember wants a typed word after the grace period.
func TestRemoveMember(t *testing.T) {
	drive(t, 120, 40, Config{}, newFake(), func(d *driver) {
		d.press("enter", "b")
		d.write("remove")
		d.press("enter")
		d.sees("What was delivered to them", "Dr Amara Okafor")
		d.press("right", "ctrl+d")
		d.write("remove") // in flight: nothing
		d.pass(armAfter)
		d.press("enter")
		d.write("remove")
		d.press("enter")
		d.did("remove cc33dd")
	})
}

func TestPatientTimeLine(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		d.press(":")
		d.write("patients")
		d.press("enter")
		d.sees("? Phantom^Rosa")
		d.press("enter")
		d.sees("Spiculated nodule · final", "(superseded) Probably benign", "maybe the same", "priors: 2025-03-10 CT CHEST")
		d.press("+")
		d.press("tab")
		d.write("asked the patient")
		d.press("enter")
		d.did("link pt1 pt2 asked the patient")
		d.press("enter")
		d.sees("CT chest ?nodule")
	})
}

func TestRoster(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		d.press(":")
		d.write("roster")
		d.press("enter")
		d.sees("takes cases now", "Africa/")
		d.press("down", "enter")
		d.write(", Dr Bengt Okafor")
		d.press("enter")
		d.did("roster [{Dr Amara Okafor } {Dr Bengt Okafor }]")
	})
}

// TestRequestForm: the form of a specialty goes with the request, what it does not allow is named, and the
// review says what the node warns of.
func TestRequestForm(t *testing.T) {
	f := newFake()
	f.warnings = []string{"the question is short"}
	drive(t, 80, 24, Config{}, f, func(d *driver) {
		d.press("n", "enter", "down", "enter")
		d.write("Malignant?")
		d.press("ctrl+f")
		d.write("chest")
		d.press("enter")
		d.sees("★")
		d.press("ctrl+d")
		d.sees("★ missing")
		d.press("ctrl+d", "space", "enter")
		d.sees("the question is short", "form:")
	})
}

func TestOpinionForm(t *testing.T) {
	drive(t, 120, 40, Config{}, newFake(), func(d *driver) {
		d.press("enter", "e", "ctrl+f", "enter")
		d.write("Benign.")
		d.press("ctrl+d")
		d.sees("form:", "Benign.")
	})
}

func TestAgreement(t *testing.T) {
	f := newFake()
	f.agreed = control.Agreement{
		Reads:     []control.PanelRead{{Name: "Dr Ada Lind", State: "sealed"}, {Name: "Dr Bengt Okafor", Text: "Benign.", Report: new("r1")}},
		Items:     []control.ItemAgreed{{Title: "BI-RADS", Agree: 2, Of: 3, Values: []control.ItemSaid{{Name: "Dr Ada Lind", Value: "4A"}}}},
		Consensus: &control.ConsensusDraft{Entry: "k9", Author: "Dr Bengt Okafor", Text: "Biopsy.", Panel: []string{"a", "b", "c"}, Quorum: 2},
		Revealed:  true,
	}
	drive(t, 80, 24, Config{}, f, func(d *driver) {
		d.press("enter", "b")
		d.write("agreement")
		d.press("enter")
		d.sees("2 of 3 say the same", "not blinded", "quorum 2 of 3", "no consensus")
		d.press("esc", "b")
		d.write("vote on")
		d.press("enter")
		d.sees("Biopsy.")
		d.press("right", "right", "tab")
		d.write("wait and see")
		d.press("enter")
		d.did("vote k9 dissent wait and see")
	})
}

// TestViews: a filter is kept as a view, and chosen again.
func TestViews(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		d.press("v")
		d.write("unread")
		d.press("enter")
		d.sees("1 of 3")
		d.press("v")
		d.write("keep this")
		d.press("enter")
		d.write("fresh")
		d.press("enter")
		d.did("config views fresh=unread")
		d.press("esc")
		d.sees("3 of 3")
		d.press("v", "enter")
		d.sees("1 of 3")
	})
}

// TestNotices: who is told is told once, and the window's title counts cases and names nobody.
func TestNotices(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		d.send(eventsMsg{{Event: "notice", Case: "7f3ac0de11", Kind: "critical", Person: "aa11"}, {Event: "notice", Case: "91c0aa0000", Kind: "report", Person: "somebody else"}})
		d.sees("7F3AC0: critical")
		d.seesNot("91C0AA: report")
		if got := d.r.View().WindowTitle; got != "curbside (1)" {
			t.Errorf("title %q", got)
		}
		d.press("enter")
		if got := d.r.View().WindowTitle; got != "curbside" {
			t.Errorf("title %q after the case was looked at", got)
		}
	})
}
