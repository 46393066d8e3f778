package annot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study"
)

// TestCorpusImages: whatever a hospital wrote into its images, marks on them become
// objects that are written, valid, and read back.
func TestCorpusImages(t *testing.T) {
	dir := corpustest.Dir(t)
	var names []string
	for _, folder := range []string{"MANIFEST.tsv", "charset"} {
		if folder != "MANIFEST.tsv" {
			list, _ := filepath.Glob(filepath.Join(dir, folder, "*.dcm"))
			names = append(names, list...)
			continue
		}
		manifest, err := os.ReadFile(filepath.Join(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.SplitSeq(string(manifest), "\n") {
			if f := strings.Split(l, "\t"); len(f) > 16 && f[16] == "ok" {
				names = append(names, filepath.Join(dir, f[0]))
			}
		}
	}
	length, _ := FindTool("length")
	done := 0
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil || len(b) > 4<<20 {
			continue
		}
		in, err := study.Parse(b)
		if err != nil || in.Pixel.Rows == 0 {
			continue
		}
		g, err := New(length, [][2]float64{{0, 0}, {1, 1}}, in.Pixel.Rows, in.Pixel.Cols)
		if err != nil {
			t.Fatal(err)
		}
		marks := []Marked{{Image: in, Frame: in.Pixel.Frames, Geometry: g, Label: "x", Author: "Ada"}}
		p, k := Compose(marks, nil)[0], Keys(marks)[0]
		p.Made, k.Made, k.Title = made(1), made(2), Titles()[0]
		state, err := WritePresentation(p, in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		keys, err := WriteKeyObjects(k, in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if back, err := ReadPresentation(state); err != nil || len(back.Drawing(in.SOPUID, in.Pixel.Frames, in.Pixel.Rows, in.Pixel.Cols).Paths) != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if back, err := ReadKeyObjects(keys); err != nil || len(back.Images) != 1 {
			t.Errorf("%s: %v", name, err)
		}
		done++
	}
	if done < 100 {
		t.Errorf("only %d images", done)
	}
	t.Logf("%d images", done)
}
