package object

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study"
)

const (
	sopClass = "1.2.840.10008.5.1.4.1.1.88.59"
	sopUID   = "2.25.5"
)

func sample() Set {
	return Set{
		Str(0x00200011, "IS", IS(-7)),
		Str(0x00080016, "UI", sopClass), Str(0x00080018, "UI", sopUID),
		Str(0x00100010, "PN", "Grün^Åsa=肺"),
		Seq(0x0040A730,
			Set{Seq(0x00081140, sop("1.2.3"), sop("1.2.4")), Str(0x0040A160, "UT", "second\nline")},
			Set{},
			Set{FL(0x00700022, 1.5, -2.25)}),
		Seq(0x00081111),
		SL(0x00700052, -1, 2), US(0x00700020, 2), FD(0x00189073, math.Pi),
		Bytes(0x00282000, "OB", []byte{1, 2, 3}),
	}
}

func sop(uid string) Set { return Set{Str(0x00081155, "UI", uid)} }

func TestWriteRead(t *testing.T) {
	b, err := Write(sample())
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if f.Class != sopClass || f.SOPUID != sopUID || f.Syntax != explicitLE || len(f.Findings) > 0 {
		t.Errorf("%+v", f)
	}
	items := f.Items(0x0040A730)
	if len(items) != 3 || len(items[1]) != 0 || items[0].Text(0x0040A160) != "second\nline" || items[0].Items(0x00081140)[1].UID(0x00081155) != "1.2.4" {
		t.Errorf("items: %+v", items)
	}
	if v := items[2].Numbers(0x00700022); len(v) != 2 || v[1] != -2.25 {
		t.Errorf("floats: %v", v)
	}
	if v := f.Ints(0x00700052); len(v) != 2 || v[0] != -1 {
		t.Errorf("signed: %v", v)
	}
	if v, ok := f.Int(0x00200011); !ok || v != -7 {
		t.Errorf("decimal: %v", v)
	}
	if v, ok := f.Number(0x00189073); !ok || v != math.Pi {
		t.Errorf("double: %v", v)
	}
	if f.Text(0x00100010) != "Grün^Åsa=肺" || f.Text(0x00080005) != "ISO_IR 192" {
		t.Errorf("text: %q", f.Text(0x00100010))
	}
	if e := f.Find(0x00282000); len(e.Value) != 4 {
		t.Errorf("odd bytes are %d long", len(e.Value))
	}
	if f.First(0x00081111) != nil || f.Find(0x00081111) == nil {
		t.Error("an empty sequence is there, without an item")
	}
	again, err := Write(f.Set[1:]) // the character set is Write's
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("writes to other bytes: %v", err)
	}
}

// TestNotWritten: what would say something else than it means.
func TestNotWritten(t *testing.T) {
	for name, e := range map[string]Element{
		"twice":          Str(0x00080016, "UI", sopClass),
		"vr":             Str(0x00080060, "LO", "PR"),
		"unknown tag":    Str(0x00090010, "LO", "private"),
		"long":           Str(0x00080090, "PN", strings.Repeat("x", 70_000)),
		"not utf-8":      Str(0x00100020, "LO", "a\xff"),
		"escape":         Str(0x00100020, "LO", "a\x1b(B"),
		"odd":            {Tag: 0x00100020, VR: "LO", Value: []byte("a")},
		"in an item":     Seq(0x00081111, Set{Str(0x00080060, "LO", "PR")}),
		"forbidden item": Seq(0x00081111, Set{{Tag: 0x00080060, VR: "CS", Value: []byte("x")}}),
	} {
		if _, err := Write(append(sample(), e)); !errors.Is(err, ErrWrite) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Write(Set{Str(0x00080016, "UI", sopClass)}); !errors.Is(err, ErrWrite) {
		t.Errorf("without an instance: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	b, err := Write(sample())
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(b) - 1 {
		if f, err := Read(b[:n]); err == nil && len(f.Set) > len(sample()) {
			t.Fatalf("%d of %d bytes are read as all of it", n, len(b))
		}
	}
	if _, err := Read(make([]byte, FileMax+1)); !errors.Is(err, ErrSize) {
		t.Errorf("too long: %v", err)
	}
}

// PS3.5 §6.2: a decimal string has 16 characters.
func TestDS(t *testing.T) {
	for _, v := range []float64{0, 1, -1024, 0.1, 1.0 / 3, -1.0 / 3e10, 1e300, -math.MaxFloat64, 123456789.123456, 5e-324, 65535.5} {
		s := DS(v)
		back, err := strconv.ParseFloat(s, 64)
		if err != nil || len(s) > 16 || math.Abs(back-v) > 1e-8*math.Abs(v) {
			t.Errorf("%v is %q", v, s)
		}
	}
}

func TestUID(t *testing.T) {
	u := UID([16]byte{0: 0xFF, 15: 0xFF})
	if !study.ValidUID(u) || len(u) > 44 || !strings.HasPrefix(u, "2.25.") {
		t.Errorf("%s", u)
	}
	// RFC 9562 §5.4: the same but for version and variant.
	if u != UID([16]byte{0: 0xFF, 6: 0x40, 8: 0x80, 15: 0xFF}) || u == UID([16]byte{0: 0xFE, 15: 0xFF}) {
		t.Error("version and variant are not set")
	}
}

// TestCorpus reads every document of the corpus, and of all files those that the
// guard passes; what is read is written and read as the same.
func TestCorpus(t *testing.T) {
	dir := corpustest.Dir(t)
	manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	documents, others := 0, 0
	for l := range strings.SplitSeq(string(manifest), "\n") {
		f := strings.Split(l, "\t")
		if len(f) < 17 || f[16] != "ok" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, f[0]))
		if err != nil || len(b) > 1<<20 {
			continue
		}
		o, err := Read(b)
		if err != nil {
			if f[3] == "SR" || f[3] == "PR" {
				t.Errorf("%s: %v", f[0], err)
			}
			continue
		}
		if others++; f[3] == "SR" || f[3] == "PR" {
			documents++
			if o.Class == "" || o.Study == "" || len(o.Set) < 20 {
				t.Errorf("%s: %d elements", f[0], len(o.Set))
			}
		}
	}
	if documents == 0 {
		t.Error("no document was read")
	}
	t.Logf("%d files, of these %d documents", others, documents)
}

func FuzzRead(f *testing.F) {
	b, err := Write(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Read(b)
		if err != nil {
			return
		}
		for _, e := range o.Set {
			o.Numbers(e.Tag)
			o.Texts(e.Tag)
			o.Words(e.Tag)
			o.Items(e.Tag)
		}
		if w, err := Write(o.Set); err == nil {
			if again, err := Read(w); err != nil || again.SOPUID != o.SOPUID {
				t.Fatalf("what was written is not read: %v", err)
			}
		}
	})
}
