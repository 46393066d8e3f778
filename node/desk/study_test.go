package desk

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/storage"
)

// openDesk opens a desk with one person over a home, until the test ends.
func openDesk(t testing.TB, home string) *Desk {
	t.Helper()
	d, closeDesk := openDeskOnce(t, home)
	t.Cleanup(closeDesk)
	return d
}

// openDeskOnce is openDesk for a test that opens a home again.
func openDeskOnce(t testing.TB, home string) (d *Desk, closeDesk func()) {
	t.Helper()
	dir, err := storage.Open(home)
	if err != nil {
		t.Fatal(err)
	}
	d, err = Open(t.Context(), Config{
		Dir: dir, Now: time.Now, Log: slog.New(slog.DiscardHandler), Setting: func(key string) string { return map[string]string{"consent": "treatment"}[key] },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.persons) == 0 {
		if _, err := d.PersonAdd(t.Context(), control.PersonAddRequest{Name: "Dr Test", NoPassphrase: true}); err != nil {
			t.Fatal(err)
		}
	}
	return d, func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	}
}

func importAll(t *testing.T, d *Desk, paths ...string) *control.ImportResult {
	t.Helper()
	var res *control.ImportResult
	err := d.Import(t.Context(), control.ImportRequest{Paths: paths}, func(e control.ImportEvent) error {
		res = e.Result
		return nil
	})
	if err != nil || res == nil {
		t.Fatalf("import: %v", err)
	}
	return res
}

func smallCT(slices int) phantom.Study {
	return phantom.CT(phantom.Options{Seed: 3, Slices: slices, Side: 64, PatientName: "Doe^Jane", PatientID: "P1"})
}

// write puts files into a new folder, named so that their order by name is not that of the series.
func write(t *testing.T, files [][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for i, f := range files {
		name := fmt.Sprintf("%c%d.dcm", 'a'+rune(i*7%26), i)
		if err := os.WriteFile(filepath.Join(dir, name), f, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func only(t *testing.T, d *Desk) control.Study {
	t.Helper()
	list, err := d.StudyList(t.Context(), control.None{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d studies, want 1: %v", len(list), err)
	}
	return list[0]
}

func TestImportTwiceAddsNothing(t *testing.T) {
	d := openDesk(t, t.TempDir())
	ct := smallCT(9)
	dir := write(t, ct.Files)
	first := importAll(t, d, dir)
	if s := first.Studies[0]; s.New != 9 || s.Duplicate != 0 || s.Instances != 9 {
		t.Errorf("first import: %+v", s)
	}
	before, _ := d.blobs.Usage()
	again := importAll(t, d, dir)
	if s := again.Studies[0]; s.New != 0 || s.Duplicate != 9 || s.Instances != 9 {
		t.Errorf("second import: %+v", s)
	}
	if after, _ := d.blobs.Usage(); after != before {
		t.Errorf("the second import stored something: %+v, before %+v", after, before)
	}
}

func TestSeriesIsInReadingOrder(t *testing.T) {
	d := openDesk(t, t.TempDir())
	ct := smallCT(12)
	importAll(t, d, write(t, ct.Files))
	st := only(t, d)
	rows, err := d.SeriesShow(t.Context(), control.SeriesRequest{Study: st.Study, SeriesUID: ct.SeriesUID})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, r.SOPUID)
	}
	back := slices.Clone(ct.SOPUIDs)
	slices.Reverse(back)
	if !slices.Equal(got, ct.SOPUIDs) && !slices.Equal(got, back) {
		t.Error("instances are not in the order of their planes")
	}
}

// twin is the same instance with one pixel changed.
func twin(f []byte, n int) []byte {
	b := bytes.Clone(f)
	b[len(b)-n] ^= 1
	return b
}

func TestConflictIsKeptApart(t *testing.T) {
	home := t.TempDir()
	ct := smallCT(2)
	dir := write(t, ct.Files)
	out := filepath.Join(t.TempDir(), "out")
	t.Run("import", func(t *testing.T) {
		d := openDesk(t, home)
		importAll(t, d, dir)
		twins := write(t, [][]byte{twin(ct.Files[0], 100), twin(ct.Files[0], 102)})
		for range 2 { // the second time adds nothing
			res := importAll(t, d, twins)
			if len(res.Refused) != 2 || res.Refused[0].Reason != "conflict" {
				t.Fatalf("refused: %+v", res.Refused)
			}
		}
		if st := only(t, d); st.Instances != 2 {
			t.Errorf("%d instances, want the 2 that came first", st.Instances)
		}
	})
	d := openDesk(t, home)
	if _, err := d.StudyExport(t.Context(), control.StudyExportRequest{Study: only(t, d).Study, Out: out}); err != nil {
		t.Fatal(err)
	}
	uid := ct.SOPUIDs[0]
	want := map[string][32]byte{
		uid + ".dcm":            sha256.Sum256(ct.Files[0]),
		ct.SOPUIDs[1] + ".dcm":  sha256.Sum256(ct.Files[1]),
		uid + ".conflict-1.dcm": sha256.Sum256(twin(ct.Files[0], 100)),
		uid + ".conflict-2.dcm": sha256.Sum256(twin(ct.Files[0], 102)),
	}
	got := map[[32]byte]bool{}
	for name := range want {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		got[sha256.Sum256(b)] = true
	}
	for name, sum := range want {
		if !got[sum] {
			t.Errorf("%s did not come back byte for byte", name)
		}
	}
}

func TestTwoPatientsUnderOneStudyUIDStayApart(t *testing.T) {
	d := openDesk(t, t.TempDir())
	a, b := smallCT(2), smallCT(3)
	other := [][]byte{bytes.ReplaceAll(b.Files[2], []byte("P1"), []byte("P2"))}
	importAll(t, d, write(t, a.Files), write(t, other))
	list, err := d.StudyList(t.Context(), control.None{})
	if err != nil || len(list) != 2 {
		t.Fatalf("%d studies, want 2: %v", len(list), err)
	}
	if _, err := d.StudyShow(t.Context(), control.StudyRequest{Study: list[0].StudyUID}); control.AsError(err).Code != control.Refused {
		t.Errorf("a Study Instance UID that two studies have named one: %v", err)
	}
}

func TestImportArchiveAndMedia(t *testing.T) {
	d := openDesk(t, t.TempDir())
	ct := smallCT(3)
	name := filepath.Join(t.TempDir(), "study.zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for i, b := range ct.Files {
		w, _ := z.Create(fmt.Sprintf("../../IMAGES/%d", i))
		_, _ = w.Write(b)
	}
	w, _ := z.Create("readme.txt")
	_, _ = w.Write([]byte("not an image"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	res := importAll(t, d, name)
	if len(res.Studies) != 1 || res.Studies[0].New != 3 || len(res.Refused) != 1 {
		t.Errorf("%+v", res)
	}
	if r := res.Refused[0]; r.Reason != "not-dicom" || !strings.HasSuffix(r.Path, "!readme.txt") {
		t.Errorf("%+v", r)
	}
}

func TestDamageIsFoundAndNeverExported(t *testing.T) {
	d := openDesk(t, t.TempDir())
	ct := smallCT(2)
	importAll(t, d, write(t, ct.Files))
	st := only(t, d)
	var victim string
	_ = filepath.WalkDir(d.dir.Blobs(), func(p string, e os.DirEntry, _ error) error {
		if !e.IsDir() && filepath.Ext(p) == "" && victim == "" {
			victim = p
		}
		return nil
	})
	b, err := os.ReadFile(victim)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0x40
	if err := os.WriteFile(victim, b, 0o600); err != nil {
		t.Fatal(err)
	}
	rep, err := d.StudyVerify(t.Context(), control.StudyVerifyRequest{})
	if err != nil || len(rep.Damaged) != 1 || rep.CheckedInstances != 1 {
		t.Errorf("%+v, %v", rep, err)
	}
	if _, err := d.StudyExport(t.Context(), control.StudyExportRequest{Study: st.Study, Out: t.TempDir()}); err == nil {
		t.Error("a damaged instance was exported")
	}
}

func TestIndexMayBeDeleted(t *testing.T) {
	home := t.TempDir()
	ct := smallCT(2)
	t.Run("import", func(t *testing.T) {
		importAll(t, openDesk(t, home), write(t, ct.Files))
	})
	if err := os.RemoveAll(filepath.Join(home, "index")); err != nil {
		t.Fatal(err)
	}
	d := openDesk(t, home)
	px, err := d.PixelFrame(t.Context(), control.FrameRequest{SOPUID: ct.SOPUIDs[1]})
	if err != nil || px.Rows != 64 || len(px.Data) != 64*64*2 {
		t.Errorf("%dx%d, %d bytes: %v", px.Rows, px.Cols, len(px.Data), err)
	}
}

func TestCancelledImportKeepsWhatItFinished(t *testing.T) {
	d := openDesk(t, t.TempDir())
	ct := smallCT(6)
	dir := write(t, ct.Files)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := d.Import(ctx, control.ImportRequest{Paths: []string{dir}}, func(control.ImportEvent) error { return nil })
	if err == nil {
		t.Fatal("a cancelled import says that it is done")
	}
	if s := importAll(t, d, dir).Studies[0]; s.Instances != 6 {
		t.Errorf("%+v", s)
	}
}

func TestIdentifiedTakesNoChoices(t *testing.T) {
	d := openDesk(t, t.TempDir())
	_, err := d.Request(t.Context(), control.NewCase{
		Studies: []string{"abcd"}, To: []string{"x"}, Question: "?", Identified: true, Choices: control.Choices{Release: []string{"all"}},
	})
	if e := control.AsError(err); e.Code != control.Usage || !strings.Contains(e.Hint, "--identified") {
		t.Errorf("%v, hint %q", e, e.Hint)
	}
}
