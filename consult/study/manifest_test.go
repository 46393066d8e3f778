package study

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/vectors again")

func ref(n byte, length uint64) blob.Ref {
	return blob.Ref{ID: blob.ID{n}, Len: length, Key: wire.Secret{n, 1}}
}

func row(uid string, n byte) ManifestInstance {
	b := ref(n+100, 300)
	return ManifestInstance{
		UID: uid, SOPClass: "1.2.840.10008.5.1.4.1.1.2", TransferSyntax: "1.2.840.10008.1.2.1", Number: int64(n),
		Rows: 16, Cols: 16, Frames: 1, Head: HeadRef{Ref: ref(n, 1000)}, Off: 900, Bulk: BulkRef{Ref: &b},
		Codec: 2, BulkLen: 512, SHA256: [32]byte{n}, FileSize: 1512,
	}
}

// identified is a sound mode 1 manifest with two series.
func identified() *Manifest {
	deflated := row("1.2.3.1.3", 3)
	deflated.TransferSyntax, deflated.Bulk, deflated.Codec, deflated.BulkLen = "1.2.840.10008.1.2.1.99", BulkRef{}, 0, 0
	deflated.FileSize, deflated.Flags = 1000, FlagNotSplit
	sliced := row("1.2.3.1.2", 2)
	sliced.Head = HeadRef{Ref: ref(9, 5000), Pack: true, Offset: 7, Length: 1000}
	return &Manifest{
		Format: 1, Lineage: [16]byte{1}, Version: 1, Mode: ModeIdentified, CreatedMS: 1_700_000_000_000,
		Study: ManifestStudy{
			UID: "1.2.3", Date: "20260302", Description: "CT chest", Modalities: []string{"CT"}, Accession: "A1",
			Patient: &ManifestPatient{Name: "Phantom^Ada", ID: "P1", BirthDate: "19700101"},
		},
		Series: []ManifestSeries{
			{
				UID: "1.2.3.1", Modality: "CT", Number: 1, Complete: Complete{Listed: 3, Expected: 3, Basis: BasisSource, State: StateComplete},
				Instances: []ManifestInstance{row("1.2.3.1.1", 1), sliced, deflated},
			},
			{
				UID: "1.2.3.2", Modality: "CT", Number: 2, Complete: Complete{Listed: 1, Basis: BasisNone, State: StateOpen},
				Instances: []ManifestInstance{row("1.2.3.2.1", 4)},
			},
		},
		Complete: Complete{Listed: 4, ExpectedSeries: 2, Basis: BasisNone, State: StateOpen},
	}
}

// pseudonymised is a sound mode 2 manifest.
func pseudonymised() *Manifest {
	r := row("2.25.3", 1)
	return &Manifest{
		Format: 1, Lineage: [16]byte{2}, Version: 1, Mode: ModePseudonymised, CreatedMS: 1_700_000_000_000,
		Study: ManifestStudy{UID: "2.25.1", Date: "20200302", Pseudonym: "CB-7F3K", Age: "056Y", Sex: "F"},
		Series: []ManifestSeries{{
			UID: "2.25.2", Modality: "CT", Complete: Complete{Listed: 1, Expected: 2, Basis: BasisPerson, State: StateClosedIncomplete},
			Instances: []ManifestInstance{r},
		}},
		Complete: Complete{Listed: 1, Expected: 2, Basis: BasisPerson, State: StateClosedIncomplete},
		Deid:     &Deid{Profile: "basic", Options: []string{"113107"}, Pixels: 2, Dates: 2},
	}
}

// version3 is the third version of a lineage.
func version3() *Manifest {
	m := identified()
	id := blob.ID{7}
	m.Version, m.Previous = 3, &id
	p := ref(50, 4000)
	m.Preview = &p
	return m
}

// broken lists one way to break each rule.
var broken = []struct {
	name string
	err  error
	edit func(m *Manifest)
}{
	{"format", ErrManifestFormat, func(m *Manifest) { m.Format = 2 }},
	{"lineage", ErrManifestLineage, func(m *Manifest) { m.Lineage = [16]byte{} }},
	{"version-zero", ErrManifestVersion, func(m *Manifest) { m.Version = 0 }},
	{"previous-missing", ErrManifestPrevious, func(m *Manifest) { m.Version = 2 }},
	{"previous-of-first", ErrManifestPrevious, func(m *Manifest) { m.Previous = &blob.ID{1} }},
	{"created", ErrManifestCreated, func(m *Manifest) { m.CreatedMS = -1 }},
	{"preview-long", ErrManifestPreview, func(m *Manifest) { r := ref(1, PreviewLenMax+1); m.Preview = &r }},
	{"mode", ErrManifestMode, func(m *Manifest) { m.Mode = 3 }},
	{"deid-in-identified", ErrManifestDeid, func(m *Manifest) { m.Deid = pseudonymised().Deid }},
	{"pseudonym-in-identified", ErrManifestPseudonym, func(m *Manifest) { m.Study.Pseudonym = "X" }},
	{"deid-missing", ErrManifestDeid, func(m *Manifest) { *m = *pseudonymised(); m.Deid = nil }},
	{"deid-pixels", ErrManifestDeid, func(m *Manifest) { *m = *pseudonymised(); m.Deid.Pixels = 4 }},
	{"patient-in-pseudonymised", ErrManifestIdentity, func(m *Manifest) {
		*m = *pseudonymised()
		m.Study.Patient = &ManifestPatient{Name: "N"}
	}},
	{"accession-in-pseudonymised", ErrManifestIdentity, func(m *Manifest) { *m = *pseudonymised(); m.Study.Accession = "A" }},
	{"original-uid-in-pseudonymised", ErrManifestSurrogate, func(m *Manifest) { *m = *pseudonymised(); m.Series[0].Instances[0].UID = "1.2.3" }},
	{"study-uid", ErrManifestUID, func(m *Manifest) { m.Study.UID = "1..2" }},
	{"series-uid", ErrManifestUID, func(m *Manifest) { m.Series[0].UID = "a" }},
	{"instance-uid", ErrManifestUID, func(m *Manifest) { m.Series[0].Instances[0].UID = "" }},
	{"sop-class", ErrManifestUID, func(m *Manifest) { m.Series[0].Instances[0].SOPClass = "CT" }},
	{"syntax", ErrManifestUID, func(m *Manifest) { m.Series[0].Instances[0].TransferSyntax = "JPEG" }},
	{"text", ErrManifestText, func(m *Manifest) { m.Study.Description = strings.Repeat("x", ManifestTextMax+1) }},
	{"series-text", ErrManifestText, func(m *Manifest) { m.Series[0].Description = strings.Repeat("x", ManifestTextMax+1) }},
	{"no-series", ErrManifestNoSeries, func(m *Manifest) { m.Series = []ManifestSeries{} }},
	{"no-instances", ErrManifestNoInstance, func(m *Manifest) { m.Series[0].Instances = []ManifestInstance{} }},
	{"series-twice", ErrManifestDuplicate, func(m *Manifest) { m.Series[1].UID = m.Series[0].UID }},
	{"instance-twice", ErrManifestDuplicate, func(m *Manifest) { m.Series[1].Instances[0].UID = m.Series[0].Instances[0].UID }},
	{"series-listed", ErrManifestListed, func(m *Manifest) { m.Series[1].Complete.Listed = 2 }},
	{"study-listed", ErrManifestListed, func(m *Manifest) { m.Complete.Listed = 3 }},
	{"basis", ErrManifestBasis, func(m *Manifest) { m.Complete.Basis = 5 }},
	{"state", ErrManifestState, func(m *Manifest) { m.Complete.State = 0 }},
	{"complete-without-basis", ErrManifestComplete, func(m *Manifest) { m.Series[0].Complete.Basis = BasisNone }},
	{"complete-not-expected", ErrManifestComplete, func(m *Manifest) { m.Series[0].Complete.Expected = 4 }},
	{"head-long", ErrManifestHead, func(m *Manifest) { m.Series[0].Instances[0].Head.Ref.Len = HeadLenMax + 1 }},
	{"head-slice-long", ErrManifestSlice, func(m *Manifest) { m.Series[0].Instances[1].Head.Length = HeadLenMax + 1 }},
	{"off", ErrManifestOff, func(m *Manifest) { m.Series[0].Instances[0].Off = 1001 }},
	{"bulk-length-without-bulk", ErrManifestBulk, func(m *Manifest) { m.Series[0].Instances[2].BulkLen = 1 }},
	{"bulk-empty", ErrManifestBulk, func(m *Manifest) { m.Series[0].Instances[0].BulkLen = 0 }},
	{"bulk-stored-length", ErrManifestBulk, func(m *Manifest) { m.Series[0].Instances[0].Codec = 0 }},
	{"bulk-long", ErrManifestBlob, func(m *Manifest) { m.Series[0].Instances[0].Bulk.Ref.Len = blob.LenMax + 1 }},
	{"codec-on-encapsulated", ErrManifestCodec, func(m *Manifest) { m.Series[0].Instances[0].TransferSyntax = "1.2.840.10008.1.2.4.90" }},
	{"file-size", ErrManifestFileSize, func(m *Manifest) { m.Series[0].Instances[0].FileSize++ }},
	{"rows", ErrManifestShape, func(m *Manifest) { m.Series[0].Instances[0].Rows = 65536 }},
	{"frames", ErrManifestShape, func(m *Manifest) { m.Series[0].Instances[0].Frames = FramesMax + 1 }},
	{"flags", ErrManifestFlags, func(m *Manifest) { m.Series[0].Instances[0].Flags = 16 }},
	{"not-split-with-bulk", ErrManifestFlags, func(m *Manifest) { m.Series[0].Instances[0].Flags = FlagNotSplit }},
}

func TestManifestRules(t *testing.T) {
	for _, c := range broken {
		m := identified()
		c.edit(m)
		if err := m.Check(); !errors.Is(err, c.err) || !errors.Is(err, ErrManifest) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.err)
		}
		if _, err := m.Encode(); !errors.Is(err, c.err) {
			t.Errorf("%s: encoded: %v", c.name, err)
		}
	}
	for name, m := range sound() {
		if err := m.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func sound() map[string]*Manifest {
	return map[string]*Manifest{"identified": identified(), "pseudonymised": pseudonymised(), "version3": version3()}
}

// vector is a file of testdata/vectors: headers, an empty line, hex.
func vector(expect, comment string, body []byte) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "expect: %s\ncomment: %s\n\n", expect, comment)
	for s := hex.EncodeToString(body); s != ""; {
		n := min(len(s), 100)
		fmt.Fprintln(&out, s[:n])
		s = s[n:]
	}
	return out.Bytes()
}

func readVector(t *testing.T, path string) (expect string, body []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, hexBody, _ := strings.Cut(string(b), "\n\n")
	for line := range strings.Lines(head) {
		if v, ok := strings.CutPrefix(line, "expect: "); ok {
			expect = strings.TrimSpace(v)
		}
	}
	body, err = hex.DecodeString(strings.Join(strings.Fields(hexBody), ""))
	if err != nil {
		t.Fatal(err)
	}
	return expect, body
}

const vectors = "testdata/vectors/manifest"

// The vectors are written with: go test ./consult/study -run Vectors -rewrite.
func TestManifestVectors(t *testing.T) {
	if *rewrite {
		writeVectors(t)
	}
	errs := map[string]error{"form": ErrManifestForm}
	for _, c := range broken {
		errs[c.name] = c.err
	}
	files, err := filepath.Glob(vectors + "/*.txt")
	if err != nil || len(files) < len(broken) {
		t.Fatalf("%d vectors: %v", len(files), err)
	}
	for _, path := range files {
		expect, body := readVector(t, path)
		m, err := DecodeManifest(body)
		if expect != "ok" {
			if errs[expect] == nil || !errors.Is(err, errs[expect]) {
				t.Errorf("%s: got %v, want %s", path, err, expect)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if again, err := m.Encode(); err != nil || !bytes.Equal(again, body) {
			t.Errorf("%s: does not encode to itself: %v", path, err)
		}
	}
}

func writeVectors(t *testing.T) {
	t.Helper()
	write := func(name, expect, comment string, body []byte) {
		if err := os.WriteFile(filepath.Join(vectors, name+".txt"), vector(expect, comment, body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(vectors, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, m := range sound() {
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		write("ok-"+name, "ok", "a sound manifest", b)
	}
	for _, c := range broken {
		if c.name == "head-long" || c.name == "text" || c.name == "series-text" {
			continue // the same as others, only longer
		}
		m := identified()
		c.edit(m)
		b, err := wire.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		write(c.name, c.name, strings.TrimPrefix(c.err.Error(), ErrManifest.Error()+": "), b)
	}
	b, _ := identified().Encode()
	for i, name := range []string{"trailing-byte", "cut"} {
		write("form-"+name, "form", "not a manifest: "+name, [][]byte{append(bytes.Clone(b), 0), b[:len(b)-1]}[i])
	}
}

func TestExtend(t *testing.T) {
	m := identified()
	late := identified()
	late.Series = []ManifestSeries{
		{
			UID: "1.2.3.2", Modality: "CT", Complete: Complete{Listed: 2, Expected: 2, Basis: BasisSource, State: StateComplete},
			Instances: []ManifestInstance{row("1.2.3.2.1", 4), row("1.2.3.2.2", 5)},
		},
		{
			UID: "1.2.3.3", Modality: "SR", Complete: Complete{Listed: 1, Basis: BasisNone, State: StateOpen},
			Instances: []ManifestInstance{row("1.2.3.3.1", 6)},
		},
	}
	id := blob.ID{5}
	next, err := m.Extend(id, late)
	if err != nil {
		t.Fatal(err)
	}
	if next.Version != 2 || len(next.Series) != 3 || next.Complete.Listed != 6 || !next.Series[1].Complete.Whole() {
		t.Errorf("got version %d, %d series, %+v", next.Version, len(next.Series), next.Series[1].Complete)
	}
	if err := m.CheckNext(id, next); err != nil {
		t.Error(err)
	}
	if err := m.CheckNext(blob.ID{6}, next); !errors.Is(err, ErrManifestPrevious) {
		t.Errorf("other previous: %v", err)
	}
	dropped := *next
	dropped.Series = next.Series[1:]
	if err := m.CheckNext(id, &dropped); !errors.Is(err, ErrManifestRowDropped) {
		t.Errorf("row dropped: %v", err)
	}
	same := *next
	same.Version = 1
	if err := m.CheckNext(id, &same); !errors.Is(err, ErrManifestNotNext) {
		t.Errorf("version not raised: %v", err)
	}
	late.Series[0].Instances[0].SHA256[0]++
	if _, err := m.Extend(id, late); !errors.Is(err, ErrManifestRowChanged) {
		t.Errorf("row changed: %v", err)
	}
	late.Series[0].Instances[0].SHA256[0]--
	late.Series[0].Instances[0].Flags = FlagWithdrawn
	if next, err = m.Extend(id, late); err != nil || next.Series[1].Instances[0].Flags != FlagWithdrawn {
		t.Errorf("withdrawn: %v", err)
	}
}

// An incomplete series is never complete: each condition alone breaks it.
func TestWhole(t *testing.T) {
	whole := Complete{Listed: 3, Expected: 3, Basis: BasisSource, State: StateComplete}
	if !whole.Whole() {
		t.Error("a whole series is not whole")
	}
	for _, edit := range []func(*Complete){
		func(c *Complete) { c.Listed = 2 }, func(c *Complete) { c.Basis = BasisNone },
		func(c *Complete) { c.State = StateOpen }, func(c *Complete) { c.State = StateClosedIncomplete },
	} {
		c := whole
		edit(&c)
		if c.Whole() {
			t.Errorf("%+v is whole", c)
		}
	}
}

func TestPreview(t *testing.T) {
	m := identified()
	p := &Preview{Format: 1, Images: []PreviewImage{{Series: 1, Format: PreviewPNG, Width: 128, Height: 90, Bytes: []byte{1}}}}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodePreview(b, m); err != nil || len(got.Images) != 1 {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err  error
		edit func(*Preview)
	}{
		"format":       {ErrPreviewFormat, func(p *Preview) { p.Format = 2 }},
		"image format": {ErrPreviewFormat, func(p *Preview) { p.Images[0].Format = 3 }},
		"large":        {ErrPreviewLarge, func(p *Preview) { p.Images[0].Width = 129 }},
		"empty":        {ErrPreviewEmpty, func(p *Preview) { p.Images[0].Bytes = []byte{} }},
		"no series":    {ErrPreviewIndex, func(p *Preview) { p.Images[0].Series = 2 }},
		"no instance":  {ErrPreviewIndex, func(p *Preview) { p.Images[0].Instance = 1 }},
		"no frame":     {ErrPreviewIndex, func(p *Preview) { p.Images[0].Frame = 1 }},
	} {
		q := Preview{Format: 1, Images: []PreviewImage{p.Images[0]}}
		c.edit(&q)
		b, err := wire.Marshal(&q)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodePreview(b, m); !errors.Is(err, c.err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := DecodePreview(make([]byte, PreviewLenMax+1), nil); !errors.Is(err, ErrPreviewSize) {
		t.Errorf("size: %v", err)
	}
	if _, err := DecodePreview([]byte{0xa1}, nil); !errors.Is(err, ErrPreviewForm) {
		t.Errorf("form: %v", err)
	}
}

func FuzzManifest(f *testing.F) {
	for _, m := range sound() {
		b, _ := m.Encode()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeManifest(b)
		if err != nil {
			return
		}
		if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted, but encodes otherwise: %v", err)
		}
	})
}
