package report_test

import (
	"bytes"
	"encoding/json"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// dossier is a case with everything in it: superseded and corrected reports, an open critical, key
// images, a hostile name and letters that the fonts lack.
func dossier() *report.Dossier {
	clinic := report.Person{ID: identity.PersonID{1}, Name: "Clinic Puno", Clinic: true}
	reader := report.Person{ID: identity.PersonID{2}, Name: "Dr A. Okafor"}
	expected := uint64(60)
	doc := func(status uint64, text string, ms int64) *report.Document {
		return &report.Document{
			Format: report.Format, Text: text, Status: status, Case: ledger.ThreadID{7}, Round: 1, Question: "Nodule?", Name: reader.Name,
			Author: reader.ID, Credentials: "thoracic", SignedMS: ms,
			Images: []report.Image{{Version: 1, Label: "CT chest, 20260131", Listed: 60, Seen: 60, Expected: &expected}},
			Form:   []report.Field{{Name: "category", Value: "4A"}},
		}
	}
	old, final := doc(report.Preliminary, "Probably benign.", 1_790_000_000_000), doc(report.Final, "8.2 mm (A1: series 2, image 52) solid nodule, right upper lobe.\nЛёгкое, φ, 肺", 1_790_000_100_000)
	return &report.Dossier{
		Case: ledger.ThreadID{7}, StateHash: [32]byte{9}, State: "answered", Flags: []string{"amended"}, AtMS: 1_790_000_200_000,
		Patient: report.Patient{Name: "Quispe^Rosa María^^Sra", ID: "P-77", Issuer: "PUNO", BirthDate: "19680229", Sex: "F"},
		Request: &report.Request{
			Entry: ledger.EntryID{1}, Author: clinic, Question: "Nodule? \x1b[2Jcleared", Priority: "urgent", Consent: "treatment",
			AskedMS: 1_789_999_000_000, NeededByMS: 1_790_009_000_000, RequestForm: []report.Field{{Name: "history", Value: "smoker"}},
		},
		Studies: []report.Study{{
			UID: "2.25.7", Date: "20260131", Time: "101500", Description: "CT chest", Accession: "ACC1", Listed: 60, Present: 60,
			Series: []report.Series{{UID: "2.25.8", Number: 2, Modality: "CT", Description: "Ax 1.0", BodyPart: "CHEST", Instances: []report.Instance{{UID: "2.25.9", SOPClass: "1.2.840.10008.5.1.4.1.1.2", Number: 1}}}},
		}, {UID: "2.25.70", Prior: true}},
		Reports: []report.Signed{
			{Entry: ledger.EntryID{3}, Document: old, Raw: []byte{1}, Later: report.Later{Superseded: true}, SupersededBy: &ledger.EntryID{4}, Author: reader},
			{
				Entry: ledger.EntryID{4}, Document: final, Raw: []byte{2}, Author: reader,
				Later:        report.Later{Addenda: []report.Addendum{{Correction: true, Text: "left, not right", SignedMS: 1_790_000_150_000}}},
				Acknowledged: &report.Acknowledgement{By: "Clinic Puno", AtMS: 1_790_000_160_000, Action: "biopsy"},
			},
		},
		Criticals: []report.Critical{{Text: "Pneumothorax", Tier: 1, FoundMS: 1_790_000_090_000, RaisedBy: reader.Name, RaisedMS: 1_790_000_100_000, For: []string{"Clinic Puno"}, Told: []string{"phone, ward: no answer"}}},
		Outcomes:  []string{"adenocarcinoma"},
		Images:    []report.Picture{{Image: image.NewGray(image.Rect(0, 0, 64, 32)), Caption: "A1 8.2 mm, series 2, image 52", SOPUID: "2.25.9"}},
	}
}

// TestFHIRSchema: the bundle validates against the JSON schema of FHIR R4, for every state and
// every kind of patient, and the schema does refuse what is wrong.
func TestFHIRSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/fhir/r4.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(b []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	empty := &report.Dossier{State: "draft"}
	animal := dossier()
	animal.Patient = report.Patient{Pseudonymous: true, Name: "CB-7F3K", ID: "CB-7F3K", Age: "004Y", Species: "Canis lupus"}
	all := []*report.Dossier{dossier(), empty, animal}
	for _, state := range []string{"asked", "delivered", "seen", "accepted", "declined", "reading", "question", "preliminary", "answered", "acknowledged", "closed", "withdrawn", "quarantined"} {
		d := dossier()
		d.State = state
		all = append(all, d)
	}
	for _, d := range all {
		b, err := report.FHIR(d, []byte("%PDF-"))
		if err != nil {
			t.Fatal(err)
		}
		if err := check(b); err != nil {
			t.Errorf("%s: %v", d.State, err)
		}
	}
	b, _ := report.FHIR(dossier(), nil)
	for old, wrong := range map[string]string{`"corrected"`: `"finished"`, `"family"`: `"surname"`, `"1968-02-29"`: `"29.2.1968"`} {
		if !bytes.Contains(b, []byte(old)) {
			t.Fatalf("no %s in the bundle", old)
		}
		if check(bytes.ReplaceAll(b, []byte(old), []byte(wrong))) == nil {
			t.Errorf("%s for %s validates", wrong, old)
		}
	}
}

// TestFHIRStatus is the table of FIELD §4.11.
func TestFHIRStatus(t *testing.T) {
	d := dossier()
	got := func() (task string, reports []string) {
		b, err := report.FHIR(d, nil)
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Entry []struct {
				Resource struct {
					ResourceType string `json:"resourceType"`
					Status       string `json:"status"`
				} `json:"resource"`
			} `json:"entry"`
		}
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		for _, e := range v.Entry {
			switch e.Resource.ResourceType {
			case "Task":
				task = e.Resource.Status
			case "DiagnosticReport":
				reports = append(reports, e.Resource.Status)
			}
		}
		return task, reports
	}
	for state, want := range map[string]string{
		"draft": "draft", "asked": "requested", "delivered": "received", "seen": "received", "accepted": "in-progress", "reading": "in-progress",
		"question": "on-hold", "preliminary": "in-progress", "answered": "completed", "acknowledged": "completed", "closed": "completed",
		"quarantined": "entered-in-error", "declined": "rejected", "withdrawn": "cancelled",
	} {
		d.State = state
		if task, _ := got(); task != want {
			t.Errorf("%s: task %s, want %s", state, task, want)
		}
	}
	d.State = "answered"
	status := func(want ...string) {
		t.Helper()
		if _, r := got(); strings.Join(r, " ") != strings.Join(want, " ") {
			t.Errorf("reports %v, want %v", r, want)
		}
	}
	status("preliminary", "corrected")
	d.Reports[1].Later.Addenda[0].Correction = false
	status("preliminary", "appended")
	d.Reports[1].Later.Addenda = nil
	status("preliminary", "final")
	d.Reports[0].Document.Status = report.Final
	status("cancelled", "amended")
	d.Reports[1].Later.NotInForce = true
	status("cancelled", "entered-in-error")
}

// TestPDF: the same dossier gives the same bytes, and pdftotext finds every section, the newest
// report first, the marks of what is superseded and open, and the letters that the fonts lack by their code points.
func TestPDF(t *testing.T) {
	a, err := report.PDF(dossier())
	if err != nil {
		t.Fatal(err)
	}
	b, err := report.PDF(dossier())
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("not the same bytes: %v", err)
	}
	if bytes.Contains(a, []byte("/JavaScript")) || bytes.Contains(a, []byte("/URI")) || bytes.Contains(a, []byte("Quispe")) {
		t.Error("active content, or a name outside the text")
	}
	if _, err := report.PDF(&report.Dossier{}); err != nil {
		t.Errorf("an empty case: %v", err)
	}
	tool, err := exec.LookPath("pdftotext")
	if err != nil {
		t.Skip("SKIP pdftotext absent: the text of the PDF is not checked")
	}
	file := filepath.Join(t.TempDir(), "r.pdf")
	if err := os.WriteFile(file, a, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), tool, "-layout", file, "-").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := string(out)
	last := -1
	for _, want := range []string{
		"Quispe Rosa María Sra · ID P-77 · born 19680229 · F", "FINAL REPORT", "CORRECTED", "Question", "Nodule?", "asked by Clinic Puno", "history", "Answer",
		"8.2 mm (A1: series 2, image 52)", "Лёгкое, φ, [U+80BA]", "category", "Images reviewed", "60 of 60 images", "Correction", "left, not right",
		"CRITICAL FINDING, tier 1", "for Clinic Puno", "phone, ward: no answer", "acknowledged: not yet", "Signature", "Dr A. Okafor", "Acknowledged", "biopsy", "report 04000000", report.Footer,
		"PRELIMINARY OPINION, not a final report", "SUPERSEDED", "Probably benign.", "report 03000000", "Key images", "A1 8.2 mm",
	} {
		at := strings.Index(s[last+1:], want)
		if at < 0 {
			t.Errorf("%q is missing, or not in its place", want)
			continue
		}
		last += 1 + at
	}
	if strings.Contains(s, "\x1b") {
		t.Error("an escape came through")
	}
}

func TestJSON(t *testing.T) {
	b, err := report.JSON(dossier())
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Case    string `json:"case"`
		Reports []struct {
			Status       string  `json:"status"`
			SupersededBy *string `json:"superseded_by"`
			Document     []byte  `json:"document"`
		} `json:"reports"`
		Request struct {
			Deadline string `json:"deadline"`
		} `json:"request"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Reports) != 2 || v.Reports[0].SupersededBy == nil || v.Reports[1].Status != "final" || !bytes.Equal(v.Reports[1].Document, []byte{2}) ||
		v.Request.Deadline != "2026-09-21T16:43:20Z" {
		t.Errorf("%+v", v)
	}
	if _, err := report.JSON(&report.Dossier{}); err != nil {
		t.Error(err)
	}
}

// TestF28Templates: a template holds no finding, and what its author left open is found.
func TestF28Templates(t *testing.T) {
	all := report.Templates()
	if len(all) < 9 {
		t.Fatalf("%d templates", len(all))
	}
	for _, tpl := range all {
		if tpl.Title == "" || tpl.Specialty == "" || len(report.Prompts(tpl.Text)) < 6 {
			t.Errorf("%s: %q, %q, %d prompts", tpl.Name, tpl.Title, tpl.Specialty, len(report.Prompts(tpl.Text)))
		}
		for line := range strings.Lines(tpl.Text) {
			// Every line is a heading, a prompt, or "Name: prompt".
			if strings.Contains(line, "[[") && !strings.HasPrefix(line, "[[") && !strings.Contains(line, ": [[") {
				t.Errorf("%s: text before a prompt: %q", tpl.Name, line)
			}
			if strings.HasSuffix(strings.TrimSpace(line), ".") {
				t.Errorf("%s: a sentence: %q", tpl.Name, line)
			}
		}
		for _, section := range []string{"Answer to the question", "Impression", "Recommendation", "Limits"} {
			if !strings.Contains(tpl.Text, section+"\n") {
				t.Errorf("%s: no %s", tpl.Name, section)
			}
		}
		if _, err := report.Expand(tpl.Text, nil); err != nil {
			t.Errorf("%s: %v", tpl.Name, err)
		}
		if got, ok := report.FindTemplate(strings.ToUpper(tpl.Name)); !ok || got != tpl {
			t.Errorf("%s is not found", tpl.Name)
		}
	}
	if p := report.Prompts("Size 8 mm. [[margins]] and [[more\nlines]]"); len(p) != 2 {
		t.Errorf("prompts %q", p)
	}
}

func TestExpand(t *testing.T) {
	all := []report.Evidence{{Label: "A1", Value: "8.2 mm", Where: "series 2, image 52"}, {Label: "A2", Where: "series 2, image 71"}, {Label: "A11", Value: "38 HU"}}
	for in, want := range map[string]string{
		"plain": "plain", "size {{A1}}, see {{ a2 }}": "size 8.2 mm (A1: series 2, image 52), see (A2: series 2, image 71)", "{{A11}}{{A1}}": "38 HU (A11)8.2 mm (A1: series 2, image 52)",
	} {
		if got, err := report.Expand(in, all); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"{{A3}}", "{{A1}} and {{A9}}", "{{}}", "{{A1", "{{size}}", "{{A1}} {{x}}"} {
		if got, err := report.Expand(in, all); err == nil {
			t.Errorf("%q: %q", in, got)
		}
	}
}
