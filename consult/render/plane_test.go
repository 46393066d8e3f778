package render

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/curbside-p2p/curbside/consult/study"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9*(1+math.Abs(a)) }

// ctPlane is the plane of a 512 × 256 slice, 0.5 mm between columns, 2 between rows.
func ctPlane(t *testing.T) Plane {
	t.Helper()
	p, ok := PlaneOf(study.Slice{
		FrameOfRef: "1.2", Rows: 256, Cols: 512, Spacing: &[2]float64{2, 0.5},
		Orientation: &[6]float64{1, 0, 0, 0, 1, 0}, Position: &[3]float64{-100, -50, 30},
	})
	if !ok {
		t.Fatal("no plane")
	}
	return p
}

// The three conventions of IMAGING.md §6, each by itself.
func TestAnnotationsCountFromTheCorner(t *testing.T) {
	for _, c := range []struct {
		x, y     float64
		col, row int
	}{{0, 0, 0, 0}, {0.5, 0.5, 0, 0}, {0.999, 0.999, 0, 0}, {1, 1, 1, 1}, {511.9, 255.9, 511, 255}} {
		if col, row := Cell(c.x, c.y); col != c.col || row != c.row {
			t.Errorf("(%g, %g) is in pixel %d, %d", c.x, c.y, col, row)
		}
	}
	p := ctPlane(t)
	for _, c := range []struct {
		x, y float64
		on   bool
	}{{0, 0, true}, {512, 256, true}, {-0.01, 5, false}, {512.01, 5, false}, {5, 256.01, false}} {
		if p.Contains(c.x, c.y) != c.on {
			t.Errorf("(%g, %g) on the image: %t", c.x, c.y, !c.on)
		}
	}
}

func TestPositionIsTheCentreOfTheFirstPixel(t *testing.T) {
	p := ctPlane(t)
	for _, c := range []struct {
		x, y float64
		want [3]float64
	}{
		{0.5, 0.5, [3]float64{-100, -50, 30}},
		{0, 0, [3]float64{-100.25, -51, 30}},    // the corner: half a pixel before
		{10.5, 0.5, [3]float64{-95, -50, 30}},   // ten columns
		{0.5, 10.5, [3]float64{-100, -30, 30}},  // ten rows
		{512, 256, [3]float64{155.75, 461, 30}}, // the far corner
	} {
		if got := p.Point(c.x, c.y); got != c.want {
			t.Errorf("(%g, %g): %v, want %v", c.x, c.y, got, c.want)
		}
		s := study.Pixel{Orientation: &[6]float64{1, 0, 0, 0, 1, 0}, Position: &[3]float64{-100, -50, 30}, PixelSpacing: &[2]float64{2, 0.5}}
		if got, ok := PatientPoint(s, c.x, c.y); !ok || got != c.want {
			t.Errorf("PatientPoint(%g, %g): %v, want %v", c.x, c.y, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		q := randomPlane(r)
		x, y, off := 300*r.Float64(), 300*r.Float64(), 20*r.NormFloat64()
		gx, gy, goff := q.Pixel(along(q.Point(x, y), q.Normal(), off))
		if !near(gx, x) || !near(gy, y) || math.Abs(goff-off) > 1e-9 {
			t.Fatalf("(%g, %g, %g) came back as (%g, %g, %g)", x, y, off, gx, gy, goff)
		}
	}
}

func TestDisplayedAreaCountsFromOne(t *testing.T) {
	if col, row := Displayed(0.2, 0.9); col != 1 || row != 1 {
		t.Errorf("the first pixel is %d, %d", col, row)
	}
	if col, row := Displayed(511.5, 255.5); col != 512 || row != 256 {
		t.Errorf("the last pixel is %d, %d", col, row)
	}
	if x, y := FromDisplayed(1, 1); x != 0.5 || y != 0.5 {
		t.Errorf("the centre of pixel 1, 1 is (%g, %g)", x, y)
	}
}

func TestPlaneOfSayNo(t *testing.T) {
	good := study.Slice{Rows: 2, Cols: 2, Spacing: &[2]float64{1, 1}, Orientation: &[6]float64{1, 0, 0, 0, 1, 0}, Position: &[3]float64{}}
	for name, spoil := range map[string]func(s *study.Slice){
		"no position":    func(s *study.Slice) { s.Position = nil },
		"no orientation": func(s *study.Slice) { s.Orientation = nil },
		"no spacing":     func(s *study.Slice) { s.Spacing = nil },
		"zero spacing":   func(s *study.Slice) { s.Spacing = &[2]float64{0, 1} },
		"no size":        func(s *study.Slice) { s.Rows = 0 },
		"zero vectors":   func(s *study.Slice) { s.Orientation = &[6]float64{} },
		"not a number":   func(s *study.Slice) { s.Position = &[3]float64{math.NaN()} },
	} {
		s := good
		spoil(&s)
		if _, ok := PlaneOf(s); ok {
			t.Error(name)
		}
	}
}

func TestNearest(t *testing.T) {
	var planes []Plane
	for i := range 10 {
		p := ctPlane(t)
		p.Origin[2] = 5 * float64(i)
		planes = append(planes, p)
	}
	planes[3].FrameOfRef = "other"
	for _, c := range []struct {
		z, off float64
		i      int
	}{{0, 0, 0}, {11, 1, 2}, {16, -4, 4}, {500, 455, 9}, {-7, -7, 0}} {
		i, off := Nearest(planes, "1.2", [3]float64{3, 4, c.z})
		if i != c.i || off != c.off {
			t.Errorf("z %g: slice %d, %g mm off; want %d, %g", c.z, i, off, c.i, c.off)
		}
	}
	for _, frame := range []string{"", "unknown"} {
		if i, _ := Nearest(planes, frame, [3]float64{}); i != -1 {
			t.Errorf("frame of reference %q: slice %d", frame, i)
		}
	}
}

// randomPlane is any orientation, size and spacing near the origin.
func randomPlane(r *rand.Rand) Plane {
	unit := func() [3]float64 {
		v := [3]float64{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
		return along([3]float64{}, v, 1/math.Sqrt(dot(v, v)))
	}
	row := unit()
	col := cross(row, unit())
	col = along([3]float64{}, col, 1/math.Sqrt(dot(col, col)))
	return Plane{
		FrameOfRef: "1", Row: row, Col: col, DX: 0.3 + r.Float64(), DY: 0.3 + r.Float64(), Rows: 50 + r.IntN(300), Cols: 50 + r.IntN(300),
		Origin: [3]float64{60 * r.NormFloat64(), 60 * r.NormFloat64(), 60 * r.NormFloat64()},
	}
}

func TestLocalizerOfAxialAndSagittal(t *testing.T) {
	axial := ctPlane(t) // x -100…155.5, y -50…460, z 30
	sagittal := Plane{
		FrameOfRef: "1.2", Row: [3]float64{0, 1, 0}, Col: [3]float64{0, 0, -1}, DX: 1, DY: 1, Rows: 100, Cols: 100,
		Origin: [3]float64{-80, 0, 60}, // y 0…99, z 60…-39
	}
	s, ok := Localizer(axial, sagittal)
	// x -80 is column 40.5; y -0.5 to 99.5 are rows 25.25 to 75.25
	if lo, hi := min(s.Y0, s.Y1), max(s.Y0, s.Y1); !ok || !near(s.X0, 40.5) || !near(s.X1, 40.5) || !near(lo, 25.25) || !near(hi, 75.25) {
		t.Errorf("%+v %t", s, ok)
	}
	s, ok = Localizer(sagittal, axial)
	if lo, hi := min(s.X0, s.X1), max(s.X0, s.X1); !ok || !near(s.Y0, 30.5) || !near(lo, 0) || !near(hi, 100) {
		t.Errorf("%+v %t", s, ok)
	}
}

func TestLocalizerSaysNo(t *testing.T) {
	a := ctPlane(t)
	up := a
	up.Origin[2] += 10
	tilted := a // half a degree
	tilted.Col = [3]float64{0, math.Cos(0.0087), math.Sin(0.0087)}
	across := Plane{FrameOfRef: "1.2", Row: [3]float64{0, 1, 0}, Col: [3]float64{0, 0, -1}, DX: 1, DY: 1, Rows: 9, Cols: 9, Origin: [3]float64{0, 0, 33}}
	if _, ok := Localizer(a, across); !ok {
		t.Fatal("they meet")
	}
	far, other, none, beside := across, across, across, across
	far.Origin[2], other.FrameOfRef, none.FrameOfRef, beside.Origin[0] = 300, "1.3", "", 900
	for name, p := range map[string]Plane{"parallel": up, "itself": a, "nearly parallel": tilted, "too far": far, "other frame of reference": other, "none": none, "beside": beside} {
		if s, ok := Localizer(a, p); ok {
			t.Errorf("%s: %+v", name, s)
		}
	}
	a.FrameOfRef = ""
	if _, ok := Localizer(a, none); ok {
		t.Error("two images without a frame of reference have none in common")
	}
}

// Any two planes: the ends are on both images, one of each at an edge, and no
// point of the line beyond them is on both.
func TestLocalizerOfAnyPlanes(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	met := 0
	inside := func(p Plane, pt [3]float64, slack float64) bool {
		x, y, off := p.Pixel(pt)
		return math.Abs(off) < 1e-6 && x >= -slack && y >= -slack && x <= float64(p.Cols)+slack && y <= float64(p.Rows)+slack
	}
	for range 5000 {
		a, b := randomPlane(r), randomPlane(r)
		s, ok := Localizer(a, b)
		_, ok2 := Localizer(b, a)
		if ok != ok2 {
			t.Fatal("one meets the other, and not the other the one")
		}
		if !ok {
			continue
		}
		met++
		p, q := a.Point(s.X0, s.Y0), a.Point(s.X1, s.Y1)
		d := minus3(q, p)
		length := math.Sqrt(dot(d, d))
		for _, e := range [][3]float64{p, q, along(p, d, 0.5)} {
			if !inside(a, e, 1e-6) || !inside(b, e, 1e-6) {
				t.Fatalf("%v is not on both images", e)
			}
		}
		for _, e := range [][3]float64{along(p, d, -0.01/length), along(q, d, 0.01/length)} {
			if inside(a, e, -1e-6) && inside(b, e, -1e-6) {
				t.Fatalf("the line ends too early at %v", e)
			}
		}
	}
	if met < 500 {
		t.Errorf("only %d pairs met", met)
	}
}
