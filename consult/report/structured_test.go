package report_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/consult/study"
)

const classCT = "1.2.840.10008.5.1.4.1.1.2"

// head is what a report about the phantom says of itself.
func head() *object.Report {
	return &object.Report{
		Made: object.Made{SOPUID: "2.25.500", SeriesUID: "2.25.501", SeriesNumber: 9101, InstanceNumber: 1, Date: "20260303", Time: "101500", Timezone: "+0000"},
		Of: &study.Instance{
			StudyUID: "2.25.7", StudyID: "S-1", StudyDate: "20260131", StudyTime: "101500", Accession: "ACC1", Referrer: "Ref^Erring",
			Patient: study.Patient{Name: "Quispe^Rosa María^^Sra", ID: "P-77", Issuer: "PUNO", BirthDate: "19680229", Sex: "F"},
		},
		Author: "Dr A. Okafor", Organization: "Thorax Unit",
		Verified:     &object.Verified{Name: "Dr A. Okafor", Organization: "curbside 02000000", DateTime: "20260303101500+0000"},
		Evidence:     []object.Ref{{SeriesUID: "2.25.8", Class: classCT, SOPUID: "2.25.9"}, {SeriesUID: "2.25.8", Class: classCT, SOPUID: "2.25.10"}},
		Other:        []object.StudyRefs{{StudyUID: "2.25.70", Refs: []object.Ref{{SeriesUID: "2.25.71", Class: classCT, SOPUID: "2.25.72"}}}},
		Predecessors: []object.StudyRefs{{StudyUID: "2.25.7", Refs: []object.Ref{{SeriesUID: "2.25.501", Class: object.ClassEnhancedSR, SOPUID: "2.25.499"}}}},
		Description:  "Second opinion", Language: "en",
	}
}

func structured(t *testing.T) []byte {
	t.Helper()
	d := dossier()
	b, err := report.Structured(head(), &d.Reports[1], d.Request, []object.Ref{{SeriesUID: "2.25.8", Class: classCT, SOPUID: "2.25.9"}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTID2000 checks the rows of PS3.16 TID 2000 and TID 2002 that must be there, and that nothing
// else is.
func TestTID2000(t *testing.T) {
	o, err := object.Read(structured(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range checkTID2000(o.Set) {
		t.Error(p)
	}
	if o.Text(0x00100010) != "Quispe^Rosa María^^Sra" || o.Text(0x00080050) != "ACC1" || o.Text(0x00080090) != "Ref^Erring" || o.Study != "2.25.7" {
		t.Error("patient and study are not the original's")
	}
	if o.Text(0x0040A491) != "COMPLETE" || o.Text(0x0040A493) != "VERIFIED" || o.First(0x0040A073).Text(0x0040A075) != "Dr A. Okafor" || o.Text(0x0040A496) != "FINAL" {
		t.Error("flags")
	}
	if o.First(0x0040A360).First(0x00081115).First(0x00081199).UID(0x00081155) != "2.25.499" || o.First(0x0040A370).Text(0x00080050) != "ACC1" {
		t.Error("predecessor or request")
	}
	text := ""
	walk(o.Set, func(s object.Set) { text += s.Text(0x0040A160) + "\n" })
	for _, want := range []string{"8.2 mm (A1: series 2, image 52) solid nodule, right upper lobe.\r\nЛёгкое", "smoker", "60 of 60 images", "left, not right", "category: 4A", report.Footer, "CORRECTED"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in it", want)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("control characters")
	}
	// Each rule of the checker finds its own fault.
	for name, spoil := range map[string]func(object.Set){
		"title":    func(s object.Set) { s.Find(0x0040A043).Items = []object.Set{object.DCM("121070", "Findings")} },
		"language": func(s object.Set) { c := s.Find(0x0040A730); c.Items = c.Items[1:] },
		"observer": func(s object.Set) { c := s.Find(0x0040A730); c.Items = append(c.Items[:2:2], c.Items[3:]...) },
		"heading": func(s object.Set) {
			s.Items(0x0040A730)[4].Find(0x0040A043).Items = []object.Set{object.DCM("121071", "Finding")}
		},
		"element": func(s object.Set) {
			s.Items(0x0040A730)[4].Items(0x0040A730)[0].Find(0x0040A043).Items = []object.Set{object.DCM("121070", "Findings")}
		},
		"evidence": func(s object.Set) { s.Find(0x0040A375).Items[0].Find(0x00081115).Items = nil },
		"template": func(s object.Set) { s.Find(0x0040A504).Items = nil },
	} {
		bad, err := object.Read(structured(t))
		if err != nil {
			t.Fatal(err)
		}
		spoil(bad.Set)
		if len(checkTID2000(bad.Set)) == 0 {
			t.Errorf("%s: the checker finds nothing", name)
		}
	}
}

func walk(s object.Set, f func(object.Set)) {
	for _, item := range s.Items(0x0040A730) {
		f(item)
		walk(item, f)
	}
}

func codeOf(s object.Set) string {
	c := s.First(0x0040A043)
	return c.Text(0x00080100) + " " + c.Text(0x00080102)
}

// checkTID2000 is the template as rules.
func checkTID2000(s object.Set) (problems []string) {
	bad := func(p string) { problems = append(problems, p) }
	if s.Text(0x0040A040) != "CONTAINER" || codeOf(s) != "18748-4 LN" { // row 1, BCID 7000
		bad("row 1: title")
	}
	if x := s.First(0x0040A504); x.Text(0x00080105) != "DCMR" || x.Text(0x0040DB00) != "2000" {
		bad("template identification")
	}
	headings := map[string]bool{"121060": true, "121062": true, "121064": true, "121070": true, "121072": true, "121074": true, "121076": true, "121078": true}
	elements := map[string]bool{"121060": true, "121062": true, "121065": true, "121071": true, "121073": true, "121075": true, "121077": true}
	languages, observers, names := 0, 0, 0
	named := map[string]bool{}
	for _, series := range s.First(0x0040A375).Items(0x00081115) {
		for _, r := range series.Items(0x00081199) {
			named[r.UID(0x00081155)] = true
		}
	}
	for _, item := range s.Items(0x0040A730) {
		relation, kind, code := item.Text(0x0040A010), item.Text(0x0040A040), item.First(0x0040A043).Text(0x00080100)
		switch {
		case relation == "HAS CONCEPT MOD" && kind == "CODE" && code == "121049" && item.First(0x0040A168).Text(0x00080102) == "RFC5646": // row 5, TID 1204 row 1
			languages++
		case relation == "HAS OBS CONTEXT" && kind == "CODE" && code == "121005": // row 7, TID 1002 row 1
			observers++
		case relation == "HAS OBS CONTEXT" && kind == "PNAME" && code == "121008" && item.Text(0x0040A123) != "": // TID 1003 row 1
			names++
		case relation == "HAS OBS CONTEXT" && kind == "TEXT" && code == "121009": // TID 1003 row 2
		case relation == "CONTAINS" && kind == "CONTAINER" && headings[code]: // row 8, BCID 7001
			problems = append(problems, checkNarrative(item, elements, named)...)
		default:
			bad("not of the template: " + relation + " " + kind + " " + code)
		}
	}
	if languages != 1 || observers != 1 || names != 1 {
		bad("rows 5 and 7: language, observer type and name, each once")
	}
	return problems
}

// checkNarrative is TID 2002: texts of CID 7002, images of TID 2001 row 1, each of which is evidence.
func checkNarrative(section object.Set, elements, named map[string]bool) (problems []string) {
	purposes := map[string]bool{"121079": true, "121080": true, "121112": true, "121200": true} // BCID 7003
	for _, item := range section.Items(0x0040A730) {
		kind, code := item.Text(0x0040A040), item.First(0x0040A043).Text(0x00080100)
		switch {
		case item.Text(0x0040A010) != "CONTAINS":
			problems = append(problems, "TID 2002: relation")
		case kind == "TEXT" && elements[code] && item.Text(0x0040A160) != "":
		case kind == "IMAGE" && purposes[code]:
			if uid := item.First(0x00081199).UID(0x00081155); !named[uid] {
				problems = append(problems, "an image is not among the evidence")
			}
		default:
			problems = append(problems, "TID 2002: "+kind+" "+code)
		}
	}
	return problems
}

// TestStructuredUnverified: without a checked signature it says so, and names nobody as verifying.
func TestStructuredUnverified(t *testing.T) {
	h := head()
	h.Verified, h.Preliminary, h.Predecessors = nil, true, nil
	d := dossier()
	b, err := report.Structured(h, &d.Reports[0], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := object.Read(b)
	if err != nil || o.Text(0x0040A493) != "UNVERIFIED" || o.Find(0x0040A073) != nil || o.Text(0x0040A496) != "PRELIMINARY" || o.Find(0x0040A360) != nil {
		t.Errorf("%v", err)
	}
	for _, p := range checkTID2000(o.Set) {
		t.Error(p)
	}
}

func encapsulated(t *testing.T) []byte {
	t.Helper()
	pdf, err := report.PDF(dossier())
	if err != nil {
		t.Fatal(err)
	}
	h := head()
	h.SOPUID, h.SeriesUID = "2.25.510", "2.25.511"
	b, err := report.Encapsulated(h, pdf, h.Evidence[:1])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEncapsulated(t *testing.T) {
	a, b := encapsulated(t), encapsulated(t)
	if !bytes.Equal(a, b) {
		t.Error("the same report gives other bytes")
	}
	o, err := object.Read(a)
	if err != nil {
		t.Fatal(err)
	}
	if o.Class != object.ClassPDF || o.Text(0x00280301) != "YES" || o.Text(0x00420012) != "application/pdf" || codeOf(o.Set) != "18748-4 LN" || strings.Contains(o.Text(0x00420010), "Quispe") {
		t.Errorf("%+v", o)
	}
	if pdf := o.Find(0x00420011).Value; !bytes.HasPrefix(pdf, []byte("%PDF-")) || bytes.Contains(pdf, []byte("/JavaScript")) || bytes.Contains(pdf, []byte("/URI")) {
		t.Error("no PDF, or an active one")
	}
}

// TestDocumentsValid: dciodvfy finds no error, dsrdump and pydicom read them.
func TestDocumentsValid(t *testing.T) {
	dir := t.TempDir()
	h := head()
	h.Verified, h.Other, h.Predecessors, h.Evidence, h.Of.Accession, h.Organization = nil, nil, nil, nil, "", ""
	d := dossier()
	bare, err := report.Structured(h, &d.Reports[0], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"sr": structured(t), "bare": bare, "pdf": encapsulated(t)} {
		path := filepath.Join(dir, name+".dcm")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		reads(t, path, name != "pdf")
	}
	walks(t, dir)
}

// walks reads every element of the files in a folder with pydicom.
func walks(t *testing.T, dir string) {
	t.Helper()
	const program = `
import sys, glob, pydicom
for f in glob.glob(sys.argv[1] + "/*.dcm"):
    d = pydicom.dcmread(f)
    n = []
    d.walk(lambda ds, e: n.append(str(e.value)))
    assert len(n) > 30 and str(d.PatientName) == "Quispe^Rosa María^^Sra", f
print("read")
`
	const python = "/usr/bin/python3"
	if exec.CommandContext(t.Context(), python, "-c", "import pydicom").Run() != nil {
		t.Skip("pydicom is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", program, dir).CombinedOutput(); err != nil || !strings.Contains(string(out), "read") {
		t.Errorf("pydicom: %v\n%s", err, out)
	}
}

// reads runs the tools that are here over a file.
func reads(t *testing.T, path string, sr bool) {
	t.Helper()
	if _, err := exec.LookPath("dciodvfy"); err != nil {
		t.Skip("dciodvfy is not installed")
	}
	out, _ := exec.CommandContext(t.Context(), "dciodvfy", path).CombinedOutput() // its status says nothing
	for l := range strings.Lines(string(out)) {
		if strings.HasPrefix(l, "Error") {
			t.Errorf("%s: %s", filepath.Base(path), l)
		}
	}
	if _, err := exec.LookPath("dsrdump"); err != nil || !sr {
		return
	}
	if out, err := exec.CommandContext(t.Context(), "dsrdump", path).CombinedOutput(); err != nil {
		t.Errorf("dsrdump %s: %v\n%s", filepath.Base(path), err, out)
	}
}
