package desk

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
)

// shelf is an archive in memory. It refuses the classes in bad, and all once down.
type shelf struct {
	down    error
	bad     string
	commits bool
	calls   [][]string
	held    map[string][]byte
}

func (s *shelf) File(_ context.Context, _ string, files []ArchiveFile) ([]ArchiveResult, error) {
	var call []string
	var out []ArchiveResult
	for _, f := range files {
		call = append(call, f.SOPUID)
		if s.down != nil {
			continue
		}
		r := ArchiveResult{SOPUID: f.SOPUID, Stored: f.SOPClass != s.bad, Committed: s.commits && f.SOPClass != s.bad, Detail: "stored"}
		if r.Stored {
			s.held[f.SOPUID] = f.Bytes
		}
		out = append(out, r)
	}
	s.calls = append(s.calls, call)
	return out, s.down
}

// signedCase is a clinic's case that a reader on the same desk measured and signed.
func signedCase(t *testing.T) (d *Desk, clinic, reader *control.Client, id string) {
	t.Helper()
	d = openDesk(t, t.TempDir())
	if _, err := d.PersonAdd(t.Context(), control.PersonAddRequest{Name: "Reader", NoPassphrase: true}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	d.Register(mux)
	clinic, reader = control.InProcess(mux), control.InProcess(mux)
	clinic.As, reader.As = "Dr Test", "Reader"
	of := ""
	ct := smallCT(2)
	err := control.Import.Call(t.Context(), clinic, control.ImportRequest{Paths: []string{write(t, ct.Files)}}, func(e control.ImportEvent) error {
		if e.Result != nil {
			of = e.Result.Studies[0].Study
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	in, err := study.Parse(ct.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	sop := in.SOPUID
	ref, err := control.Request.Call(t.Context(), clinic, control.NewCase{Studies: []string{of}, To: []string{"Reader"}, Question: "Any fracture there?", Identified: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := control.CaseAnnotate.Call(t.Context(), reader, control.AnnotateRequest{Case: ref.Case, SOPUID: sop, Type: "length", Points: [][2]float64{{1, 1}, {9, 9}}}); err != nil {
		t.Fatal(err)
	}
	sign(t, reader, control.CaseReportRequest{Case: ref.Case, Text: "No fracture."})
	return d, clinic, reader, ref.Case
}

func sign(t *testing.T, reader *control.Client, req control.CaseReportRequest) {
	t.Helper()
	if _, err := control.CaseReport.Call(t.Context(), reader, req); err != nil {
		t.Fatal(err)
	}
	if _, err := control.CaseSign.Call(t.Context(), reader, control.CaseRequest{Case: req.Case}); err != nil {
		t.Fatal(err)
	}
}

// TestArchiveHalfDone: what did not come through is sent again alone, under the same names, and the
// case records the archive once, when all of it is there.
func TestArchiveHalfDone(t *testing.T) {
	d, clinic, _, id := signedCase(t)
	s := &shelf{held: map[string][]byte{}, down: control.Errorf(control.Refused, "nobody answers")}
	d.AttachArchive(s)
	req := control.CaseArchiveRequest{Case: id, To: "pacs"}
	if _, err := control.CaseArchive.Call(t.Context(), clinic, req); err == nil {
		t.Fatal("nobody answered")
	}
	s.down, s.bad = nil, object.ClassPDF
	half, err := control.CaseArchive.Call(t.Context(), clinic, req)
	if err != nil || half.Entry != nil || half.Committed || len(half.Archived) != 4 {
		t.Fatalf("%v %+v", err, half)
	}
	s.bad = ""
	whole, err := control.CaseArchive.Call(t.Context(), clinic, req)
	if err != nil || whole.Entry == nil || len(s.held) != 4 {
		t.Fatalf("%v %+v", err, whole)
	}
	if len(s.calls) != 3 || len(s.calls[1]) != 4 || len(s.calls[2]) != 1 || !slices.Equal(s.calls[0], s.calls[1]) {
		t.Errorf("sent: %v", s.calls)
	}
	for i, o := range whole.Archived {
		if !o.OK || o.SOPUID != half.Archived[i].SOPUID {
			t.Errorf("%+v, before %+v", o, half.Archived[i])
		}
	}
	s.commits = true
	again, err := control.CaseArchive.Call(t.Context(), clinic, req)
	if err != nil || !again.Committed || *again.Entry == *whole.Entry || len(s.calls[3]) != 4 {
		t.Errorf("that it is committed now is news: %v %+v", err, again)
	}
	third, err := control.CaseArchive.Call(t.Context(), clinic, req)
	if err != nil || *third.Entry != *again.Entry {
		t.Errorf("that it still is, is none: %v %+v", err, third)
	}
}

// TestArchiveVersions: a report that replaces another names it; what was not signed is not filed; the
// words of a preliminary report say so.
func TestArchiveVersions(t *testing.T) {
	d, clinic, reader, id := signedCase(t)
	s := &shelf{held: map[string][]byte{}}
	d.AttachArchive(s)
	archive := func() *object.File {
		t.Helper()
		out, err := control.CaseArchive.Call(t.Context(), clinic, control.CaseArchiveRequest{Case: id, To: "pacs", Language: "es"})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(out.Archived, func(o control.ArchivedObject) bool { return o.What == "report" })
		f, err := object.Read(s.held[out.Archived[i].SOPUID])
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first := archive()
	if first.Text(0x0040A493) != "VERIFIED" || first.Find(0x0040A360) != nil || first.Items(0x0040A730)[0].First(0x0040A168).Text(0x00080100) != "es" {
		t.Error("verified, without a predecessor, in Spanish")
	}
	sign(t, reader, control.CaseReportRequest{Case: id, Text: "A fracture after all."})
	second := archive()
	if x := second.First(0x0040A360).First(0x00081115).First(0x00081199).UID(0x00081155); x != first.SOPUID {
		t.Errorf("the predecessor is %q, not %q", x, first.SOPUID)
	}
	if second.Series != first.Series || second.Study != first.Study {
		t.Error("a correction stands beside what it corrects")
	}
}

// TestArchiveRefuses: nothing is filed of a case with another patient's study, without an image of
// the study, or without anything that was said.
func TestArchiveRefuses(t *testing.T) {
	d, clinic, _, id := signedCase(t)
	s := &shelf{held: map[string][]byte{}}
	d.AttachArchive(s)
	if _, err := control.CaseArchive.Call(t.Context(), clinic, control.CaseArchiveRequest{Case: id, To: "first"}); err != nil {
		t.Fatal(err)
	}
	s.calls, s.down = nil, errors.New("must not be called")
	if _, err := control.CaseArchive.Call(t.Context(), clinic, control.CaseArchiveRequest{Case: id}); control.AsError(err).Code != control.Usage {
		t.Errorf("no destination: %v", err)
	}
	if _, err := control.CaseQuarantine.Call(t.Context(), clinic, control.CaseQuarantineRequest{Case: id, Text: "another name on the film"}); err != nil {
		t.Fatal(err)
	}
	_, err := control.CaseArchive.Call(t.Context(), clinic, control.CaseArchiveRequest{Case: id, To: "pacs"})
	if err == nil || !strings.Contains(err.Error(), "wrong patient") || len(s.calls) > 0 {
		t.Errorf("%v, %d calls", err, len(s.calls))
	}
	// Where it was filed before, what is there is rejected.
	s.down = nil
	filed := len(s.held)
	out, err := control.CaseArchive.Call(t.Context(), clinic, control.CaseArchiveRequest{Case: id, To: "first"})
	if err != nil || len(out.Archived) != 1 || out.Archived[0].What != "rejection note" || !out.Archived[0].OK {
		t.Fatalf("%v %+v", err, out)
	}
	o, err := object.Read(s.held[out.Archived[0].SOPUID])
	if err != nil || o.First(0x0040A043).Text(0x00080100) != "113037" {
		t.Fatalf("%v", err)
	}
	rejected := 0
	for _, item := range o.Items(0x0040A730) {
		if uid := item.First(0x00081199).UID(0x00081155); uid != "" && s.held[uid] != nil && item.Text(0x0040A040) == "COMPOSITE" {
			rejected++
		}
	}
	if rejected != filed {
		t.Errorf("%d of %d objects are rejected", rejected, filed)
	}
	if _, err := exec.LookPath("dciodvfy"); err == nil {
		path := filepath.Join(t.TempDir(), "note.dcm")
		if err := os.WriteFile(path, s.held[out.Archived[0].SOPUID], 0o600); err != nil {
			t.Fatal(err)
		}
		words, _ := exec.CommandContext(t.Context(), "dciodvfy", path).CombinedOutput()
		if strings.Contains(string(words), "Error") {
			t.Errorf("dciodvfy: %s", words)
		}
	}
}

// TestCapture: what is said of pictures is needed, read, and joined with a study of the same patient
// alone.
func TestCapture(t *testing.T) {
	d := openDesk(t, t.TempDir())
	path := filepath.Join(t.TempDir(), "letter.pdf")
	if err := os.WriteFile(path, []byte("%PDF-1.4\n%%EOF"), 0o600); err != nil {
		t.Fatal(err)
	}
	take := func(c *control.Capture) (res *control.ImportResult, err error) {
		err = d.Import(t.Context(), control.ImportRequest{Paths: []string{path}, Capture: c}, func(e control.ImportEvent) error {
			res = e.Result
			return nil
		})
		return res, err
	}
	res, err := take(nil)
	if err != nil || len(res.Refused) != 1 || res.Refused[0].Reason != study.NotDICOM || !strings.Contains(res.Refused[0].Detail, "PDF") {
		t.Errorf("%v %+v", err, res)
	}
	for name, c := range map[string]*control.Capture{
		"nobody":      {},
		"no id":       {PatientName: "A"},
		"laterality":  {PatientName: "A", PatientID: "1", Laterality: "up"},
		"orientation": {PatientName: "A", PatientID: "1", Orientation: "H"},
		"date":        {PatientName: "A", PatientID: "1", Date: "02.03.2026"},
		"breed":       {PatientName: "A", PatientID: "1", Breed: "Beagle"},
		"two sizes":   {PatientName: "A", PatientID: "1", DPI: 300, PixelSpacing: "0.1"},
		"no study":    {Study: "abcdef"},
	} {
		if _, err := take(c); err == nil {
			t.Errorf("%s is not refused", name)
		}
	}
	if len(d.studies.held) != 0 {
		t.Error("something was taken in")
	}
	if res, err = take(&control.Capture{PatientName: "A^B", PatientID: "1"}); err != nil || res.Studies[0].New != 1 || !slices.Contains(res.Warnings, noDate) {
		t.Fatalf("%v %+v", err, res)
	}
	of := res.Studies[0].Study
	if _, err := take(&control.Capture{Study: of, PatientID: "2"}); err == nil {
		t.Error("another patient's letter joins the study")
	}
	if res, err = take(&control.Capture{Study: of, PatientID: "1"}); err != nil || res.Studies[0].Study != of || res.Studies[0].Instances != 2 || res.Studies[0].Series != 2 {
		t.Errorf("%v %+v", err, res)
	}
}
