package annot

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

func made(n byte) Made {
	return Made{
		SOPUID: object.UID([16]byte{n, 1}), SeriesUID: object.UID([16]byte{n, 2}), SeriesNumber: 9001, InstanceNumber: 1,
		Date: "20260304", Time: "101112", Timezone: "+0100", Creator: "Müller^Ada",
	}
}

func parse(t testing.TB, file []byte) *study.Instance {
	t.Helper()
	in, err := study.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// ctStudy are three slices of the phantom.
func ctStudy(t testing.TB) (files [][]byte, of []*study.Instance) {
	s := phantom.CT(phantom.Options{Seed: 3, Slices: 3, Side: 128, PatientName: "Grün^Åsa", Accession: "A\u00e91"})
	for _, f := range s.Files {
		of = append(of, parse(t, f))
	}
	return s.Files, of
}

// everything is a mark of every tool on the first image, texts and values with it.
func everything(t testing.TB, f *render.Frame, in *study.Instance) []Marked {
	var out []Marked
	for i, x := range Tools() {
		p := make([][2]float64, x.Min)
		for j := range p {
			a := float64(j)*2.1 + float64(i)
			p[j] = [2]float64{64 + 50*math.Cos(a), 64 + 40*math.Sin(a)}
		}
		g := draw(t, f, x.Name, p...)
		m, err := Measure(g, f)
		if err != nil {
			t.Fatalf("%s: %v", x.Name, err)
		}
		out = append(out, Marked{Image: in, Frame: 1, Geometry: g, Values: Values(m), Author: []string{"Dr. Ada", "Dr. Bo"}[i%2]})
	}
	out[0].Label = "Knoten rechts, 肺\nzweite Zeile \\ mit Strich"
	return out
}

func composed(t testing.TB) (files [][]byte, of []*study.Instance, p *Presentation) {
	files, of = ctStudy(t)
	marks := everything(t, phantomFrame(t, files[0]), of[0])
	marks = append(marks, Marked{Image: of[1], Frame: 1, Geometry: marks[1].Geometry, Label: "again", Author: "Dr. Ada"})
	list := Compose(marks, []View{{Image: of[1], Window: &study.Window{Centre: -600, Width: 1500}}})
	if len(list) != 1 {
		t.Fatalf("%d states of one series", len(list))
	}
	list[0].Made = made(1)
	return files, of, list[0]
}

func write(t testing.TB, p *Presentation, of *study.Instance) []byte {
	t.Helper()
	b, err := WritePresentation(p, of)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// alike compares states, coordinates as floats keep them.
func alike(t *testing.T, got, want *Presentation) {
	t.Helper()
	a, b := *got, *want
	if len(a.Findings) > 0 {
		t.Errorf("findings: %v", a.Findings)
	}
	for _, p := range []*Presentation{&a, &b} {
		p.Annotations = slices.Clone(p.Annotations)
		for i := range p.Annotations {
			x := &p.Annotations[i]
			x.Texts, x.Graphics = slices.Clone(x.Texts), slices.Clone(x.Graphics)
			for j := range x.Texts {
				y := &x.Texts[j]
				y.Box = &[2][2]float64{single(y.Box[0]), single(y.Box[1])}
				c := single(*y.Anchor)
				y.Anchor = &c
			}
			for j := range x.Graphics {
				y := &x.Graphics[j]
				y.Points = slices.Clone(y.Points)
				for k := range y.Points {
					y.Points[k] = single(y.Points[k])
				}
			}
		}
	}
	if reflect.DeepEqual(a, b) {
		return
	}
	x, y := fmt.Sprint(asJSON(t, a)), fmt.Sprint(asJSON(t, b))
	i := 0
	for i < min(len(x), len(y)) && x[i] == y[i] {
		i++
	}
	t.Errorf("reads back as something else at\n %.200s\nwhich is to be\n %.200s", x[max(0, i-40):], y[max(0, i-40):])
}

func asJSON(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func single(p [2]float64) [2]float64 {
	return [2]float64{float64(float32(p[0])), float64(float32(p[1]))}
}

func TestPresentationRoundTrip(t *testing.T) {
	_, of, p := composed(t)
	got, err := ReadPresentation(write(t, p, of[0]))
	if err != nil {
		t.Fatal(err)
	}
	alike(t, got, p)
	if r := got.Render(of[1].SOPUID, 1); r == nil || r.Window == nil || r.Window.Centre != -600 || r.Rescale == nil || r.Rescale.Intercept != -1024 || r.Shape != "IDENTITY" {
		t.Errorf("second image: %+v", r)
	}
	if r := got.Render(of[2].SOPUID, 1); r != nil {
		t.Errorf("an image that is not of the state: %+v", r)
	}
	d := got.Drawing(of[1].SOPUID, 1, 128, 128)
	if len(d.Paths) != 1 || len(d.Texts) != 1 || d.Texts[0].Text != "again" {
		t.Errorf("drawn on the second image: %+v", d)
	}
}

// TestPresentationGroups: a state has one modality transform, one turn, one class.
func TestPresentationGroups(t *testing.T) {
	_, of := ctStudy(t)
	f := square(t)
	g := draw(t, f, "length", [2]float64{1, 1}, [2]float64{9, 9})
	pet, mono1, rgb, other := *of[0], *of[0], *of[0], *of[0]
	pet.SOPUID, pet.Pixel.Slope = "1.2.1", 3.5
	mono1.SOPUID, mono1.Pixel.Photometric = "1.2.2", "MONOCHROME1"
	rgb.SOPUID, rgb.Pixel.Photometric, rgb.Pixel.Samples = "1.2.3", "RGB", 3
	other.SOPUID, other.SeriesUID = "1.2.4", "1.2.5"
	var marks []Marked
	for _, in := range []*study.Instance{of[0], of[1], &pet, &mono1, &rgb, &other} {
		marks = append(marks, Marked{Image: in, Frame: 1, Geometry: g})
	}
	list := Compose(marks, []View{{Image: of[2], Turn: render.Turn{Quarters: 1}}})
	if len(list) != 6 || len(list[0].Images) != 2 || list[2].Shape != "INVERSE" || list[3].Class != ClassColourState {
		t.Errorf("%d states: %+v", len(list), list)
	}
	for i, p := range list {
		p.Made = made(byte(i))
		got, err := ReadPresentation(write(t, p, of[0]))
		if err != nil {
			t.Fatal(err)
		}
		alike(t, got, p)
	}
}

func TestMultiFrameRefs(t *testing.T) {
	_, of := ctStudy(t)
	multi := *of[0]
	multi.Pixel.Frames = 10
	g := draw(t, square(t), "length", [2]float64{1, 1}, [2]float64{9, 9})
	p := Compose([]Marked{{Image: &multi, Frame: 7, Geometry: g}, {Image: &multi, Frame: 3, Geometry: g}}, nil)[0]
	p.Made = made(1)
	got, err := ReadPresentation(write(t, p, &multi))
	if err != nil {
		t.Fatal(err)
	}
	alike(t, got, p)
	for frame, want := range map[int]int{1: 0, 3: 1, 7: 1, 8: 0} {
		if d := got.Drawing(multi.SOPUID, frame, 128, 128); len(d.Paths) != want {
			t.Errorf("frame %d: %d paths", frame, len(d.Paths))
		}
	}
}

// TestWholeAfterFrames: a view of all frames after a mark on one leaves no frame
// without its window and area.
func TestWholeAfterFrames(t *testing.T) {
	_, of := ctStudy(t)
	multi := *of[0]
	multi.Pixel.Frames = 10
	g := draw(t, square(t), "length", [2]float64{1, 1}, [2]float64{9, 9})
	p := Compose([]Marked{{Image: &multi, Frame: 7, Geometry: g}}, []View{{Image: &multi}})[0]
	for _, frame := range []int{1, 7, 10} {
		if r := p.Render(multi.SOPUID, frame); r == nil || r.Window == nil || r.Area == nil {
			t.Errorf("frame %d: %+v", frame, r)
		}
	}
	if len(p.Images) != 1 || len(p.Images[0].Frames) != 0 || len(p.Annotations) != 1 {
		t.Errorf("%+v", p)
	}
}

// TestConventions: pixels of a presentation state count from the corner as marks do,
// its displayed area counts pixels from 1, and DISPLAY units are of what is seen.
func TestConventions(t *testing.T) {
	_, of := ctStudy(t)
	g := draw(t, square(t), "point", [2]float64{0.5, 0.5})
	p := Compose([]Marked{{Image: of[0], Frame: 1, Geometry: g}}, nil)[0]
	p.Made = made(1)
	o, err := object.Read(write(t, p, of[0]))
	if err != nil {
		t.Fatal(err)
	}
	area, annotation := o.First(0x0070005A), o.First(0x00700001)
	if tl, br := area.Ints(0x00700052), area.Ints(0x00700053); !slices.Equal(tl, []int{1, 1}) || !slices.Equal(br, []int{128, 128}) {
		t.Errorf("displayed area %v to %v", tl, br)
	}
	if d := annotation.First(0x00700009).Numbers(0x00700022); !slices.Equal(d, []float64{0.5, 0.5}) {
		t.Errorf("centre of the first pixel: %v", d)
	}
	for name, c := range map[string]struct {
		turn   render.Turn
		corner []int      // of the displayed area at the upper left
		at     [2]float64 // where (0.25, 0) of an area of columns 11 to 50 and rows 21 to 40 is in the image
	}{
		"as stored":     {render.Turn{}, []int{11, 21}, [2]float64{20, 20}},
		"quarter":       {render.Turn{Quarters: 1}, []int{11, 40}, [2]float64{10, 35}},
		"half":          {render.Turn{Quarters: 2}, []int{50, 40}, [2]float64{40, 40}},
		"three":         {render.Turn{Quarters: 3}, []int{50, 21}, [2]float64{50, 25}},
		"flip":          {render.Turn{Flip: true}, []int{50, 21}, [2]float64{40, 20}},
		"quarter, flip": {render.Turn{Quarters: 1, Flip: true}, []int{11, 21}, [2]float64{10, 25}},
	} {
		q := *p
		q.Turn = c.turn
		q.Areas = []Area{{Area: render.Area{X0: 11, Y0: 21, X1: 50, Y1: 40, Mode: "SCALE TO FIT", Aspect: &[2]float64{1, 1}}, Seen: upperLeft(c.turn)}}
		q.Annotations = []Annotation{{Layer: q.Layers[0].Name, Graphics: []Graphic{{Type: Point, Points: [][2]float64{{0.25, 0}}, Display: true}}}}
		file := write(t, &q, of[0])
		o, err := object.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if tl := o.First(0x0070005A).Ints(0x00700052); !slices.Equal(tl, c.corner) {
			t.Errorf("%s: upper left is %v, want %v", name, tl, c.corner)
		}
		got, err := ReadPresentation(file)
		if err != nil {
			t.Fatal(err)
		}
		alike(t, got, &q)
		if d := got.Drawing(of[0].SOPUID, 1, 128, 128); d.Paths[0].Points[0] != c.at {
			t.Errorf("%s: drawn at %v, want %v", name, d.Paths[0].Points[0], c.at)
		}
	}
}

// TestGraphicTypes are drawn as PS3.3 C.10.5.1.2 says.
func TestGraphicTypes(t *testing.T) {
	at := func(q [2]float64, _ bool) [2]float64 { return q }
	circle := Graphic{Type: Circle, Points: [][2]float64{{50, 50}, {60, 50}}}
	for _, q := range circle.path(at).Points {
		if math.Abs(math.Hypot(q[0]-50, q[1]-50)-10) > 1e-9 {
			t.Fatalf("%v is not on the circle", q)
		}
	}
	ellipse := Graphic{Type: Ellipse, Points: [][2]float64{{30, 50}, {70, 50}, {50, 40}, {50, 60}}}
	for _, q := range ellipse.path(at).Points {
		if math.Abs((q[0]-50)*(q[0]-50)/400+(q[1]-50)*(q[1]-50)/100-1) > 1e-9 {
			t.Fatalf("%v is not on the ellipse", q)
		}
	}
	square := [][2]float64{{0, 0}, {9, 0}, {9, 9}, {0, 9}, {0, 0}}
	if p := (&Graphic{Type: Polyline, Points: square}).path(at); !p.Closed || len(p.Points) != 4 {
		t.Errorf("closed polyline: %+v", p)
	}
	curve := (&Graphic{Type: Interpolated, Points: [][2]float64{{0, 0}, {10, 5}, {20, 0}, {30, 5}}}).path(at)
	for i, q := range [][2]float64{{0, 0}, {10, 5}, {20, 0}, {30, 5}} {
		if curve.Points[i*splineSteps] != q {
			t.Errorf("the curve misses %v", q)
		}
	}
}

// TestRefusesOthers: an image and a broken state are no presentation state.
func TestRefusesOthers(t *testing.T) {
	files, of, p := composed(t)
	if _, err := ReadPresentation(files[0]); !errors.Is(err, ErrClass) {
		t.Errorf("an image: %v", err)
	}
	b := write(t, p, of[0])
	if _, err := ReadPresentation(b[:len(b)-100]); err == nil {
		t.Error("a cut state is read")
	}
	p.Images = nil
	if _, err := WritePresentation(p, of[0]); !errors.Is(err, ErrSource) {
		t.Errorf("a state of no image: %v", err)
	}
}

func tool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed: not checked against it", name)
	}
}

func save(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// valid runs dciodvfy, whose exit status says nothing.
func valid(t *testing.T, file string) {
	t.Helper()
	out, _ := exec.CommandContext(t.Context(), "dciodvfy", file).CombinedOutput()
	for l := range strings.SplitSeq(string(out), "\n") {
		if strings.HasPrefix(l, "Error") {
			t.Errorf("dciodvfy: %s", l)
		}
	}
	if len(out) == 0 {
		t.Error("dciodvfy says nothing")
	}
}

// ramp is a table of n entries.
func ramp(n, step int) []uint16 {
	out := make([]uint16, n)
	for i := range out {
		out[i] = uint16(i * step)
	}
	return out
}

// states are one of each kind, with everything in it.
func states(t testing.TB) (image []byte, of *study.Instance, out map[string][]byte) {
	files, all, p := composed(t)
	out = map[string][]byte{"grey": write(t, p, all[0])}
	turned := *p
	turned.Turn = render.Turn{Quarters: 3, Flip: true}
	turned.Areas = slices.Clone(p.Areas)
	for i := range turned.Areas {
		turned.Areas[i].Seen = upperLeft(turned.Turn)
	}
	turned.Shutter = &study.Shutter{Rect: &[4]int{10, 100, 10, 110}, Circle: &[3]int{64, 64, 50}, Polygon: [][2]int{{1, 1}, {1, 100}, {100, 50}}}
	turned.Modality = &Modality{LUT: &study.LUT{First: 0, Bits: 16, Data: ramp(4096, 16), Type: "HU"}}
	turned.Windows = []Window{{LUT: &study.LUT{First: 0, Bits: 16, Data: ramp(65536, 1)}}}
	out["turned"] = write(t, &turned, all[0])
	animal, rgb := *all[0], *all[0]
	animal.Patient.Species, animal.Patient.Breed, animal.Patient.Responsible, animal.Patient.Role = "Canis familiaris", "Beagle", "Smith^Jo", "OWNER"
	p.Shape = "INVERSE"
	out["animal"] = write(t, p, &animal)
	rgb.Pixel.Photometric, rgb.SOPClass = "RGB", "1.2.840.10008.5.1.4.1.1.7"
	c := Compose([]Marked{{Image: &rgb, Frame: 1, Geometry: draw(t, square(t), "ellipse", [2]float64{3, 3}, [2]float64{30, 50}), Label: "x"}}, nil)[0]
	c.Made = made(8)
	out["colour"] = write(t, c, &rgb)
	return files[0], all[0], out
}

func TestStatesAreValid(t *testing.T) {
	tool(t, "dciodvfy")
	_, _, list := states(t)
	for name, b := range list {
		t.Run(name, func(t *testing.T) { valid(t, save(t, name+".dcm", b)) })
	}
}

func TestStatesInDcmtk(t *testing.T) {
	tool(t, "dcmp2pgm")
	image, _, list := states(t)
	im := save(t, "image.dcm", image)
	for name, b := range list {
		file := save(t, name+".dcm", b)
		if out := run(t, "dcmdump", file); strings.Contains(out, "E:") || strings.Contains(out, "W:") {
			t.Errorf("%s: dcmdump: %s", name, out)
		}
		if name == "colour" {
			continue // dcmtk's tool is for grey
		}
		pgm := filepath.Join(t.TempDir(), "out.pgm")
		if out := run(t, "dcmp2pgm", "-p", file, im, pgm); strings.Contains(out, "E:") {
			t.Errorf("%s: %s", name, out)
		}
		if b, err := os.ReadFile(pgm); err != nil || len(b) < 128*128/2 {
			t.Errorf("%s: picture of %d bytes, %v", name, len(b), err)
		}
	}
}

// pydicomWalk reads a file strictly and touches every value.
const pydicomWalk = `
import sys, pydicom
pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE
for f in sys.argv[1:]:
    d = pydicom.dcmread(f, force=False)
    n = []
    d.walk(lambda ds, e: n.append(str(e.value)))
    print(d.file_meta.MediaStorageSOPClassUID, d.SOPInstanceUID, d.PatientName, len(n))
`

func pydicom(t testing.TB, files ...string) string {
	t.Helper()
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-c", "import pydicom").Run(); err != nil {
		t.Skip("pydicom is not installed: not checked against it")
	}
	return run(t, python, append([]string{"-c", pydicomWalk}, files...)...)
}

func TestStatesInPydicom(t *testing.T) {
	_, _, list := states(t)
	var files []string
	for name, b := range list {
		files = append(files, save(t, name+".dcm", b))
	}
	if out := pydicom(t, files...); strings.Count(out, "Grün^Åsa") != len(files) {
		t.Errorf("%s", out)
	}
}

func FuzzReadPresentation(f *testing.F) {
	// Small seeds, for minimizing is what takes long.
	_, of := ctStudy(f)
	for i, tool := range []string{"ellipse", "arrow", "text"} {
		t, _ := FindTool(tool)
		g, err := New(t, [][2]float64{{3, 3}, {30, 50}}[:t.Min], 128, 128)
		if err != nil {
			f.Fatal(err)
		}
		p := Compose([]Marked{{Image: of[0], Frame: 1, Geometry: g, Label: "x"}}, []View{{Image: of[0], Turn: render.Turn{Quarters: i}}})[0]
		p.Made = made(1)
		f.Add(write(f, p, of[0]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ReadPresentation(b)
		if err != nil {
			return
		}
		for _, r := range p.Images {
			p.Render(r.SOPUID, 1)
			for _, q := range p.Drawing(r.SOPUID, 1, 100, 100).Paths {
				if len(q.Points) == 0 {
					t.Fatal("an empty path")
				}
			}
		}
	})
}
