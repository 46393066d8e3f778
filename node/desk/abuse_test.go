package desk

import (
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// theater is a case on one node: a clinic asks a reader, who has signed a final report.
type theater struct {
	*Desk
	clinic, reader *control.Client
	id, report     string
}

func play(t *testing.T) theater {
	t.Helper()
	d := openDesk(t, t.TempDir())
	study := importAll(t, d, write(t, smallCT(2).Files)).Studies[0].Study
	if _, err := d.PersonAdd(t.Context(), control.PersonAddRequest{Name: "Reader", NoPassphrase: true}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	d.Register(mux)
	x := theater{Desk: d, clinic: control.InProcess(mux), reader: control.InProcess(mux)}
	x.clinic.As, x.reader.As = "Dr Test", "Reader"
	ref, err := control.Request.Call(t.Context(), x.clinic, control.NewCase{Studies: []string{study}, To: []string{"Reader"}, Question: "Any fracture there?", Identified: true})
	if err != nil {
		t.Fatal(err)
	}
	x.id = ref.Case
	if _, err := control.CaseReport.Call(t.Context(), x.reader, control.CaseReportRequest{Case: x.id, Text: "No fracture."}); err != nil {
		t.Fatal(err)
	}
	signed, err := control.CaseSign.Call(t.Context(), x.reader, control.CaseRequest{Case: x.id})
	if err != nil {
		t.Fatal(err)
	}
	x.report = signed.Report
	return x
}

// hostile posts what other software might, whatever Authorize says.
func (x theater) hostile(t *testing.T, by string, kind ledger.Kind, body any) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	id, _ := ledger.ParseThreadID(x.id)
	th := x.threads[id]
	for _, p := range x.persons {
		if p.self.Name != by {
			continue
		}
		if _, err := x.post(th, func() ([]ledger.Item, error) { return th.ledger.Append(p.local(), kind, body, x.nowMS(), x) }); err != nil {
			t.Fatal(err)
		}
	}
}

func (x theater) printed() *report.Dossier {
	x.mu.Lock()
	defer x.mu.Unlock()
	id, _ := ledger.ParseThreadID(x.id)
	return x.dossier(nil, x.threads[id])
}

// TestWrongPatientLeaves: once a study is reported as the wrong patient's nothing names that patient
// as the case's, and what was said of it leaves as void.
func TestWrongPatientLeaves(t *testing.T) {
	x := play(t)
	if d := x.printed(); d.Patient.Name == "" || len(d.Reports) != 1 || d.Reports[0].Later.WrongPatient {
		t.Fatalf("before: %+v", d)
	}
	if _, err := control.CaseQuarantine.Call(t.Context(), x.reader, control.CaseQuarantineRequest{Case: x.id, Text: "another name on the film"}); err != nil {
		t.Fatal(err)
	}
	rows, err := control.CaseList.Call(t.Context(), x.reader, control.None{})
	if err != nil || len(rows) != 1 || rows[0].PatientName+rows[0].PatientID+rows[0].Patient != "" {
		t.Errorf("the list names the wrong patient: %v %+v", err, rows)
	}
	d := x.printed()
	if d.Patient != (report.Patient{}) || !d.Studies[0].Quarantined || !d.Reports[0].Later.WrongPatient {
		t.Errorf("printed: %+v", d)
	}
	if s := printed(d); !strings.Contains(s, "WRONG PATIENT: do not use") {
		t.Error(s)
	}
	b, err := report.FHIR(d, nil)
	if err != nil || strings.Contains(string(b), `"final"`) || strings.Contains(string(b), "ImagingStudy") || !strings.Contains(string(b), "entered-in-error") {
		t.Errorf("FHIR: %v\n%s", err, b)
	}
}

// TestTimesOfOthers: a time that no answer can hold hides no case.
func TestTimesOfOthers(t *testing.T) {
	x := play(t)
	of, _ := ledger.ParseEntryID(x.report)
	x.hostile(t, "Reader", ledger.Critical, consult.CriticalBody{Of: of, Category: 1, Text: "x", DueMS: math.MaxInt64, FoundMS: math.MaxInt64})
	if rows, err := control.CaseList.Call(t.Context(), x.clinic, control.None{}); err != nil || len(rows) != 1 {
		t.Errorf("list: %v, %d cases", err, len(rows))
	}
	if c, err := control.CaseShow.Call(t.Context(), x.clinic, control.CaseShowRequest{Case: x.id}); err != nil || len(c.Criticals) != 1 {
		t.Errorf("show: %v", err)
	}
}

// TestPrintedAcknowledgement: who may not take a report is not printed as who did.
func TestPrintedAcknowledgement(t *testing.T) {
	x := play(t)
	of, _ := ledger.ParseEntryID(x.report)
	if _, err := control.CaseAcknowledge.Call(t.Context(), x.clinic, control.CaseAcknowledgeRequest{Case: x.id, Action: "home"}); err != nil {
		t.Fatal(err)
	}
	x.hostile(t, "Reader", ledger.Taken, consult.TakenBody{Report: of, Action: "surgery"})
	if a := x.printed().Reports[0].Acknowledged; a == nil || a.By != "Dr Test" || a.Action != "home" {
		t.Errorf("printed: %+v", a)
	}
}

// TestAgreementOfNonsense: a number that no answer can hold hides no agreement.
func TestAgreementOfNonsense(t *testing.T) {
	item := control.ItemAgreed{Values: []control.ItemSaid{{Person: identity.PersonID{}.String(), Value: "NaN"}, {Value: "+Inf"}}}
	count(&item)
	if item.Spread != nil {
		t.Errorf("%+v", item.Spread)
	}
}
