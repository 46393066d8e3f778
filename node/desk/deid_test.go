package desk

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
)

// clinicAndReader are two persons of one node, so that what one may see and the other may not is
// decided by who they are alone.
func clinicAndReader(t *testing.T, d *Desk) (clinic, reader *control.Client) {
	t.Helper()
	if len(d.persons) == 1 {
		if _, err := d.PersonAdd(t.Context(), control.PersonAddRequest{Name: "Reader", NoPassphrase: true}); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	d.Register(mux)
	clinic, reader = control.InProcess(mux), control.InProcess(mux)
	clinic.As, reader.As = "Dr Test", "Reader"
	return clinic, reader
}

func importAs(t *testing.T, c *control.Client, files [][]byte) *control.ImportResult {
	t.Helper()
	var res *control.ImportResult
	err := control.Import.Call(t.Context(), c, control.ImportRequest{Paths: []string{write(t, files)}}, func(e control.ImportEvent) error {
		if e.Result != nil {
			res = e.Result
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func must[Req, Res any](t *testing.T, op control.Op[Req, Res], c *control.Client, req Req) Res {
	t.Helper()
	res, err := op.Call(t.Context(), c, req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

const (
	secretName = "Zuñigarova^Quillabamba"
	secretID   = "MRN-7788-4411"
)

func secretCT(slices int, date string) phantom.Study {
	return phantom.CT(phantom.Options{
		Seed: uint64(len(date)) + uint64(date[7]), Slices: slices, Side: 64, PatientName: secretName, PatientID: secretID, BirthDate: "19470317", Sex: "F",
		StudyDate: date, Accession: "ACC99887766", Institution: "Hospital Quillabamba", Description: "CT chest Zuñigarova",
	})
}

// secrets are what must not be found where a reader can look.
func secrets() []string {
	return []string{"zuñigarova", "quillabamba", "zu\xf1igarova", "mrn-7788", "acc99887766", "19470317", "7788-4411"}
}

func findSecret(b []byte) string {
	lower := strings.ToLower(string(b))
	for _, s := range secrets() {
		if strings.Contains(lower, s) {
			return s
		}
	}
	return ""
}

// openable is all that a member of a case can open: manifests, heads, previews, and the entries.
func openable(t *testing.T, d *Desk, id string) (manifests []*study.Manifest, all [][]byte) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	thread, err := ledger.ParseThreadID(id)
	if err != nil {
		t.Fatal(err)
	}
	th := d.threads[thread]
	for _, e := range entriesOf(th.ledger) {
		if x := th.ledger.Entry(e); x != nil {
			all = append(all, x.Body)
		}
	}
	for _, g := range th.fold().AllGrants {
		m, err := d.readManifest(g)
		if err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, m)
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
		if m.Preview != nil {
			p, err := d.openBlob(*m.Preview, seal.Preview)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
		for i := range m.Series {
			for k := range m.Series[i].Instances {
				file, err := d.rebuild(&m.Series[i].Instances[k])
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, file)
			}
		}
	}
	return manifests, all
}

// TestPseudonymousCase: nothing that a reader can open names the patient, the pixels are the sealed
// blobs of the import, priors keep their order, and the owner goes on seeing originals, also after
// a restart and when images come late.
func TestPseudonymousCase(t *testing.T) {
	home := t.TempDir()
	d, closeDesk := openDeskOnce(t, home)
	clinic, reader := clinicAndReader(t, d)
	now, old := secretCT(4, "20260302"), secretCT(3, "20250105")
	files := append(slices.Clone(now.Files[:3]), old.Files...)
	res := importAs(t, clinic, files)
	if len(res.Studies) != 2 {
		t.Fatalf("%+v", res)
	}
	ids := map[string]string{}
	for _, s := range must(t, control.StudyList, clinic, control.None{}) {
		ids[s.Date] = s.Study
	}
	for _, f := range files {
		if findSecret(f) == "" {
			t.Fatal("the originals have no secret")
		}
	}
	ref := must(t, control.Request, clinic, control.NewCase{
		Studies: []string{ids["20260302"]}, Priors: []string{ids["20250105"]}, To: []string{"Reader"}, Question: "Has it grown since the prior?",
	})
	manifests, all := openable(t, d, ref.Case)
	for _, b := range all {
		if s := findSecret(b); s != "" {
			t.Errorf("a member of the case can read %q", s)
		}
		for _, f := range files {
			in, _ := study.Parse(f)
			if bytes.Contains(b, []byte(in.SOPUID)) || bytes.Contains(b, []byte(in.StudyUID)) {
				t.Errorf("a member of the case can read an original uid")
			}
		}
	}
	samePixels(t, d, manifests)
	checkPriors(t, must(t, control.StudyList, reader, control.None{}))
	checkOwner(t, clinic, ref.Case, ids["20260302"])

	// Late images go under the same pseudonym, as a new version.
	importAs(t, clinic, now.Files[3:])
	deadline := time.Now().Add(20 * time.Second)
	for listed := 0; listed != 4; {
		for _, s := range must(t, control.CaseShow, reader, control.CaseShowRequest{Case: ref.Case}).Studies {
			if !s.Prior {
				listed = s.Listed
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("late images did not come: %d", listed)
		}
		time.Sleep(10 * time.Millisecond)
	}
	manifests, all = openable(t, d, ref.Case)
	for _, b := range all {
		if s := findSecret(b); s != "" {
			t.Errorf("after late images a member can read %q", s)
		}
	}
	samePixels(t, d, manifests)
	closeDesk()
	d, closeDesk = openDeskOnce(t, home)
	defer closeDesk()
	clinic, _ = clinicAndReader(t, d)
	checkOwner(t, clinic, ref.Case, ids["20260302"])
}

// samePixels: each bulk of a share is the very blob of the import, and its head is not.
func samePixels(t *testing.T, d *Desk, manifests []*study.Manifest) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	own := map[any]bool{}
	for _, h := range d.studies.held {
		if h.row == nil {
			continue
		}
		for i := range h.manifest.Series {
			for k := range h.manifest.Series[i].Instances {
				for _, id := range blobsOf(&h.manifest.Series[i].Instances[k]) {
					own[id] = true
				}
			}
		}
	}
	for _, m := range manifests {
		if m.Mode != study.ModePseudonymised || m.Study.Patient != nil {
			t.Errorf("mode %d", m.Mode)
		}
		for i := range m.Series {
			for k := range m.Series[i].Instances {
				row := &m.Series[i].Instances[k]
				if own[row.Head.Ref.ID] || !own[row.Bulk.Ref.ID] || row.Flags&study.FlagRedacted != 0 {
					t.Error("the pixels are not the sealed blobs of the import, or the head is")
				}
			}
		}
	}
}

// checkPriors: one pseudonym, and the interval between the studies.
func checkPriors(t *testing.T, list []control.Study) {
	t.Helper()
	if len(list) != 2 || list[0].PatientName != list[1].PatientName || !strings.HasPrefix(list[0].PatientName, "CB-") || list[0].PatientID != "" {
		t.Fatalf("%+v", list)
	}
	a, err1 := time.Parse("20060102", list[0].Date)
	b, err2 := time.Parse("20060102", list[1].Date)
	want := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	if err1 != nil || err2 != nil || a.Sub(b) != want.Sub(time.Date(2025, 1, 5, 0, 0, 0, 0, time.UTC)) || a.Equal(want) || a.Weekday() != want.Weekday() {
		t.Errorf("dates %s and %s", list[0].Date, list[1].Date)
	}
}

// checkOwner: the owner reads their patient's name and sees their own study.
func checkOwner(t *testing.T, clinic *control.Client, id, study string) {
	t.Helper()
	c := must(t, control.CaseShow, clinic, control.CaseShowRequest{Case: id})
	if c.PatientName != secretName || c.Studies[0].Study != study {
		t.Errorf("%+v", c.Case)
	}
	for _, s := range must(t, control.StudyList, clinic, control.None{}) {
		if s.Mode != "identified" {
			t.Errorf("the owner is shown a share: %+v", s)
		}
	}
}

// TestDecisions: what may have text in its pixels, and what people wrote, waits for a person.
func TestDecisions(t *testing.T) {
	d := openDesk(t, t.TempDir())
	clinic, reader := clinicAndReader(t, d)
	// The modality of a CT in code becomes one that burns text in.
	var files [][]byte
	for _, f := range secretCT(3, "20260302").Files {
		files = append(files, bytes.Replace(f, []byte("CS\x02\x00CT"), []byte("CS\x02\x00US"), 1))
	}
	res := importAs(t, clinic, files)
	id := res.Studies[0].Study
	p := must(t, control.DeidPreview, clinic, control.DeidRequest{Study: id})
	if len(p.Risky) != 3 || p.Ready != 0 || len(p.Excluded) != 0 {
		t.Fatalf("%+v", p)
	}
	if b, _ := json.Marshal(p); findSecret(b) != "" {
		t.Error("the preview says a value")
	}
	one, two, three := p.Risky[0].SOPUID, p.Risky[1].SOPUID, p.Risky[2].SOPUID
	req := control.NewCase{Studies: []string{id}, To: []string{"Reader"}, Question: "Is this a thrombus there?", Choices: control.Choices{
		Release: []string{one}, Blacken: []control.Blacken{{SOPUID: two, X: 4, Y: 2, W: 20, H: 8}},
	}}
	_, err := control.Request.Call(t.Context(), clinic, req)
	if e := control.AsError(err); e == nil || e.Code != control.Refused || !strings.Contains(e.Message, three) || !strings.Contains(e.Hint, "--leave-out") {
		t.Fatalf("%v", err)
	}
	if list := must(t, control.CaseList, clinic, control.None{}); len(list) != 0 {
		t.Fatal("a refused request left a case behind")
	}
	req.LeaveOut = []string{three}
	ref := must(t, control.Request, clinic, req)
	s := must(t, control.CaseShow, reader, control.CaseShowRequest{Case: ref.Case}).Studies[0]
	if s.Listed != 2 || s.Expected == nil || *s.Expected != 3 || s.Complete {
		t.Errorf("what is left out does not count as missing: %+v", s)
	}
	manifests, _ := openable(t, d, ref.Case)
	if manifests[0].Deid.Pixels != study.PixelsRedacted {
		t.Errorf("%+v", manifests[0].Deid)
	}
	checkBlack(t, d, clinic, reader, id, s.Study, two, manifests[0])
}

// checkBlack: the rectangle is black in what the reader has, and nowhere else is anything changed.
func checkBlack(t *testing.T, d *Desk, clinic, reader *control.Client, own, shared, uid string, m *study.Manifest) {
	t.Helper()
	redacted := 0
	for i := range m.Series {
		for k := range m.Series[i].Instances {
			row := &m.Series[i].Instances[k]
			if row.Flags&study.FlagRedacted == 0 {
				continue
			}
			redacted++
			was := must(t, control.PixelFrame, clinic, control.FrameRequest{Study: own, SOPUID: uid})
			is := must(t, control.PixelFrame, reader, control.FrameRequest{Study: shared, SOPUID: row.UID})
			for y := range is.Rows {
				for x := range is.Cols {
					at := 2 * (y*is.Cols + x)
					same := bytes.Equal(was.Data[at:at+2], is.Data[at:at+2])
					inside := x >= 4 && x < 24 && y >= 2 && y < 10
					if !inside && !same {
						t.Fatalf("a pixel at %d,%d changed", x, y)
					}
					if inside && !bytes.Equal(is.Data[at:at+2], is.Data[2*(2*is.Cols+4):][:2]) {
						t.Fatalf("the pixel at %d,%d is not black", x, y)
					}
				}
			}
			head, err := d.head(row)
			if err != nil || !bytes.Contains(head, []byte("DERIVED")) {
				t.Errorf("the head does not say that the pixels are derived (%v)", err)
			}
		}
	}
	if redacted != 1 {
		t.Errorf("%d images are redacted", redacted)
	}
}
