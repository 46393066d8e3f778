package annot

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
)

// TestStatesDrawnAsByDcmtk: a state that was written here, read here and drawn by
// package render is the picture that dcmtk makes of it, to a grey level.
func TestStatesDrawnAsByDcmtk(t *testing.T) {
	tool(t, "dcmp2pgm")
	files, of := ctStudy(t)
	f := phantomFrame(t, files[0])
	im := save(t, "image.dcm", files[0])
	g := draw(t, f, "length", [2]float64{3, 3}, [2]float64{30, 50})
	inverted := *of[0]
	inverted.Pixel.Shape = "INVERSE"
	for name, v := range map[string]View{
		"file":     {Image: of[0]},
		"window":   {Image: of[0], Window: &study.Window{Centre: -600, Width: 1500}},
		"quarter":  {Image: of[0], Turn: render.Turn{Quarters: 1}},
		"flipped":  {Image: of[0], Turn: render.Turn{Quarters: 3, Flip: true}},
		"inverted": {Image: &inverted},
	} {
		p := Compose([]Marked{{Image: v.Image, Frame: 1, Geometry: g}}, []View{v})[0]
		p.Made = made(1)
		b := write(t, p, of[0])
		back, err := ReadPresentation(b)
		if err != nil {
			t.Fatal(err)
		}
		state := back.Render(of[0].SOPUID, 1)
		got := state.Turn.Image(f.Draw(render.Options{State: state})).(*image.Gray)
		pgm := filepath.Join(t.TempDir(), "out.pgm")
		run(t, "dcmp2pgm", "-p", save(t, "state.dcm", b), im, pgm)
		want := readPGM(t, pgm)
		if len(want) != len(got.Pix) {
			t.Errorf("%s: %d pixels, dcmtk has %d", name, len(got.Pix), len(want))
			continue
		}
		worst := 0
		for i := range want {
			worst = max(worst, int(want[i])-int(got.Pix[i]), int(got.Pix[i])-int(want[i]))
		}
		if worst > 1 {
			t.Errorf("%s: up to %d grey levels off", name, worst)
		}
	}
}

func readPGM(t *testing.T, path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kind string
	var w, h, most int
	lines := bytes.SplitN(b, []byte("\n"), 5)
	head := bytes.Join(lines[:len(lines)-1], []byte("\n"))
	if i := bytes.IndexByte(head, '#'); i >= 0 {
		head = append(head[:i:i], head[i+bytes.IndexByte(head[i:], '\n'):]...)
	}
	if _, err := fmt.Sscan(string(head), &kind, &w, &h, &most); err != nil || kind != "P5" || most != 255 {
		t.Fatalf("pgm %q: %v", head, err)
	}
	return b[len(b)-w*h:]
}
