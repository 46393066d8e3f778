package annot

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study"
)

func selection(t testing.TB) (*study.Instance, *KeyObjects) {
	_, of := ctStudy(t)
	multi := *of[2]
	multi.Pixel.Frames, multi.SeriesUID, multi.SOPClass = 20, "1.2.3.4", "1.2.840.10008.5.1.4.1.1.2.1"
	k := Keys([]Marked{
		{Image: of[0], Frame: 1, Label: "Knoten, 肺"}, {Image: &multi, Frame: 7}, {Image: &multi, Frame: 3, Label: "und hier"}, {Image: of[0], Frame: 1},
	})[0]
	k.Made, k.Title = made(4), Titles()[0]
	return of[0], k
}

func TestKeyObjectsRoundTrip(t *testing.T) {
	of, k := selection(t)
	if len(k.Images) != 2 || !reflect.DeepEqual(k.Images[1].Frames, []int{3, 7}) || k.Description != "Knoten, 肺\nund hier" {
		t.Fatalf("%+v", k)
	}
	for _, title := range Titles() {
		k.Title = title
		b, err := WriteKeyObjects(k, of)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadKeyObjects(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, k) {
			t.Errorf("got %+v\nwant %+v", got, k)
		}
	}
	if len(Keys(nil)) != 0 {
		t.Error("a selection of nothing")
	}
}

func TestKeyObjectsOutside(t *testing.T) {
	of, k := selection(t)
	b, err := WriteKeyObjects(k, of)
	if err != nil {
		t.Fatal(err)
	}
	file := save(t, "kos.dcm", b)
	t.Run("dciodvfy", func(t *testing.T) { tool(t, "dciodvfy"); valid(t, file) })
	t.Run("dsrdump", func(t *testing.T) {
		tool(t, "dsrdump")
		if out := run(t, "dsrdump", file); !strings.Contains(out, "Of Interest") || !strings.Contains(out, "und hier") || strings.Count(out, "contains IMAGE:=(") != 2 || strings.Contains(out, "\nE:") {
			t.Errorf("%s", out)
		}
	})
	t.Run("pydicom", func(t *testing.T) {
		if out := pydicom(t, file); !strings.Contains(out, ClassKeyObjects) {
			t.Errorf("%s", out)
		}
	})
}

// TestCorpus reads what others wrote, or says that it is something else.
func TestCorpus(t *testing.T) {
	dir := corpustest.Dir(t)
	manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	states, others := 0, 0
	for l := range strings.SplitSeq(string(manifest), "\n") {
		f := strings.Split(l, "\t")
		if len(f) < 17 || f[3] != "PR" && f[3] != "KO" && f[3] != "SR" || f[16] != "ok" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, f[0]))
		if err != nil {
			t.Fatal(err)
		}
		p, err := ReadPresentation(b)
		_, keyErr := ReadKeyObjects(b)
		switch {
		case f[3] == "PR":
			states++
			if err != nil || len(p.Images) == 0 || len(p.Findings) > 0 {
				t.Errorf("%s: %+v, %v", f[0], p, err)
			}
		case !errors.Is(err, ErrClass) || !errors.Is(keyErr, ErrClass):
			t.Errorf("%s: %v, %v", f[0], err, keyErr)
		default:
			others++
		}
	}
	if states == 0 || others == 0 {
		t.Errorf("%d states and %d documents", states, others)
	}
	t.Logf("%d presentation states read, %d documents refused by class", states, others)
}

// TestForeignState: every part of the states that dcmtk's tools made.
func TestForeignState(t *testing.T) {
	dir := corpustest.Dir(t)
	read := func(name string) *Presentation {
		b, err := os.ReadFile(filepath.Join(dir, "derived", name))
		if err != nil {
			t.Fatal(err)
		}
		p, err := ReadPresentation(b)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := read("gsps_voilut.dcm")
	d := p.Drawing(p.Images[0].SOPUID, 1, 512, 512)
	if len(d.Texts) != 1 || d.Texts[0].Text != "nodule?\nsecond line" || *d.Texts[0].Anchor != [2]float64{256, 256} || d.Texts[0].At != [2]float64{100, 100} {
		t.Errorf("texts: %+v", d.Texts)
	}
	if len(d.Paths) != 5 || !d.Paths[0].Closed || len(d.Paths[0].Points) != 3 {
		t.Errorf("%d paths: %+v", len(d.Paths), d.Paths[0])
	}
	if r := p.Render(p.Images[0].SOPUID, 1); r == nil || r.Area == nil {
		t.Errorf("%+v", r)
	}
	o := read("gsps_overlay.dcm")
	r := o.Render(o.Images[0].SOPUID, 1)
	if len(r.Overlays) != 2 || len(r.Activated) != 2 || r.Overlays[0].Group != 0x6004 || r.Overlays[0].Rows != 512 {
		t.Errorf("overlays: %d of the state, %v of the image", len(r.Overlays), r.Activated)
	}
}

func FuzzReadKeyObjects(f *testing.F) {
	of, k := selection(f)
	b, err := WriteKeyObjects(k, of)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := ReadKeyObjects(b); err == nil && len(k.Images) == 0 {
			t.Fatal("a selection of nothing")
		}
	})
}
