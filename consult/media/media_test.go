package media

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

// medium is two studies of one patient, with a report in one of them, as files by their paths.
func medium(t testing.TB) ([]Entry, map[string][]byte) {
	t.Helper()
	var entries []Entry
	all := map[string][]byte{}
	add := func(b []byte, set bool) {
		in, err := study.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		e := Entry{In: in}
		if set {
			f, err := object.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			e.Set = f.Set
		}
		entries = append(entries, e)
		all[in.SOPUID] = b
	}
	for seed := range uint64(2) {
		s := phantom.CT(phantom.Options{Seed: seed, Slices: 3, Side: 32, PatientName: "Núñez^Ana", PatientID: "P1", StudyDate: "2026030" + string(rune('1'+seed))})
		for _, b := range s.Files {
			add(b, false)
		}
	}
	head := &object.Report{
		Made: object.Made{SOPUID: "2.25.5", SeriesUID: "2.25.6", SeriesNumber: 9101, InstanceNumber: 1, Date: "20260303", Time: "101500"},
		Of:   entries[0].In, Author: "Dr A",
	}
	doc := &report.Document{Text: "ok", Status: report.Final, Name: "Dr A", Round: 1}
	b, err := report.Structured(head, &report.Signed{Document: doc}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	add(b, true)
	if err := Arrange(entries); err != nil {
		t.Fatal(err)
	}
	return entries, all
}

func TestDirectory(t *testing.T) {
	entries, _ := medium(t)
	b, findings, err := Directory(entries, "2.25.99")
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	ids, err := study.ReadDICOMDIR(b)
	if err != nil || len(ids) != len(entries) || ids[0] != "IMAGES/ST000001/SE000001/IM000001" {
		t.Fatalf("%v %v", err, ids)
	}
	if last := strings.Join(entries[6].FileID(), "/"); last != "IMAGES/ST000002/SE000001/IM000003" {
		t.Error(last)
	}
	walkRecords(t, b, entries)
	again, _, _ := Directory(entries, "2.25.99")
	if !bytes.Equal(b, again) {
		t.Error("the same medium has another directory")
	}
}

// walkRecords follows the offsets as a viewer does: each record is met once, each under its parent.
func walkRecords(t *testing.T, b []byte, entries []Entry) {
	t.Helper()
	f, err := object.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	o, _ := study.Guard(bytes.NewReader(b), int64(len(b)))
	at := map[int]object.Set{}
	items := f.Items(0x00041220)
	n := 0
	for _, e := range o.Elements {
		if e.Tag == 0xFFFEE000 && e.Depth == 0 {
			at[int(e.Start)] = items[n]
			n++
		}
	}
	levels := []string{"PATIENT", "STUDY", "SERIES", "IMAGE"}
	met := 0
	var walk func(start, level int)
	walk = func(start, level int) {
		for start != 0 {
			r := at[start]
			if r == nil {
				t.Fatalf("no record at %d", start)
			}
			met++
			if kind := r.Text(0x00041430); kind != levels[level] && kind != "SR DOCUMENT" {
				t.Errorf("%s at level %d", kind, level)
			}
			if lower, _ := r.Int(0x00041420); lower != 0 {
				walk(lower, level+1)
			}
			start, _ = r.Int(0x00041400)
		}
	}
	first, _ := f.Int(0x00041200)
	walk(first, 0)
	if met != len(items) || len(items) != 1+2+3+len(entries) {
		t.Errorf("%d of %d records are met", met, len(items))
	}
}

func TestOtherPatient(t *testing.T) {
	entries, _ := medium(t)
	in := *entries[0].In
	in.Patient.ID, in.StudyUID = "P2", "2.25.3"
	if err := Arrange(append(entries, Entry{In: &in})); !errors.Is(err, ErrPatients) {
		t.Errorf("two patients on one medium: %v", err)
	}
}

// TestMediumOutside: dcmtk reads the directory, dciodvfy finds no error, and dcmtk's own maker of
// directories accepts the files where they are.
func TestMediumOutside(t *testing.T) {
	for _, tool := range []string{"dcmdump", "dciodvfy", "dcmmkdir"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	dir := t.TempDir()
	entries, all := medium(t)
	for i := range entries {
		path := filepath.Join(append([]string{dir}, entries[i].FileID()...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, all[entries[i].In.SOPUID], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, _, err := Directory(entries, "2.25.99")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, DirectoryName)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "dcmdump", path).CombinedOutput(); err != nil || strings.Count(string(out), "DirectoryRecordType") != 1+2+3+7 {
		t.Errorf("dcmdump: %v\n%s", err, out)
	}
	out, _ := exec.CommandContext(t.Context(), "dciodvfy", path).CombinedOutput()
	for l := range strings.Lines(string(out)) {
		if strings.HasPrefix(l, "Error") {
			t.Errorf("dciodvfy: %s", l)
		}
	}
	made := exec.CommandContext(t.Context(), "dcmmkdir", "+D", filepath.Join(t.TempDir(), "DICOMDIR"), "+r", "+id", dir, "-Pgp", "IMAGES")
	if out, err := made.CombinedOutput(); err != nil {
		t.Errorf("dcmmkdir refuses the files: %v\n%s", err, out)
	}
}
