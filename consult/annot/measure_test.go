package annot

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
)

// signed is 16-bit signed CT: HU = stored - 1024.
func signed() study.Pixel {
	return study.Pixel{
		Photometric: "MONOCHROME2", Modality: "CT", BitsAllocated: 16, BitsStored: 16, HighBit: 15, Signed: true,
		Samples: 1, Frames: 1, Slope: 1, Intercept: -1024, PixelSpacing: &[2]float64{0.5, 0.25},
	}
}

func frame(t testing.TB, px study.Pixel, rows, cols int, cell func(x, y int) int) *render.Frame {
	t.Helper()
	n := &codec.Native{Rows: rows, Cols: cols, Samples: px.Samples, BitsAllocated: px.BitsAllocated, Signed: px.Signed, Photometric: px.Photometric}
	for i := range rows * cols {
		v := cell(i%cols, i/cols)
		switch {
		case px.Samples == 3:
			n.Data = append(n.Data, byte(v), byte(v>>8), byte(v>>16))
		case px.BitsAllocated == 8:
			n.Data = append(n.Data, byte(v))
		default:
			n.Data = binary.LittleEndian.AppendUint16(n.Data, uint16(int16(v)))
		}
	}
	f, err := render.New(n, px)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func flat(t testing.TB, px study.Pixel, rows, cols int) *render.Frame {
	return frame(t, px, rows, cols, func(int, int) int { return 0 })
}

// square has square pixels of 1 mm, so that what is drawn is what is measured.
func square(t testing.TB) *render.Frame {
	px := signed()
	px.PixelSpacing = &[2]float64{1, 1}
	return flat(t, px, 500, 500)
}

func draw(t testing.TB, f *render.Frame, tool string, points ...[2]float64) *consult.Geometry {
	t.Helper()
	x, ok := FindTool(tool)
	if !ok {
		t.Fatalf("no tool %s", tool)
	}
	g, err := New(x, points, f.Rows(), f.Cols())
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return g
}

func measure(t testing.TB, f *render.Frame, tool string, points ...[2]float64) []Measured {
	t.Helper()
	m, err := Measure(draw(t, f, tool, points...), f)
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return m
}

func named(t testing.TB, m []Measured, name string) Measured {
	t.Helper()
	for _, x := range m {
		if x.Name == name {
			return x
		}
	}
	t.Fatalf("no %s in %+v", name, m)
	return Measured{}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-3*max(1, math.Abs(b)) }

// polar is a point at an angle in degrees, counter-clockwise as seen, from c.
func polar(c [2]float64, r, degrees float64) [2]float64 {
	s, k := math.Sincos(degrees * math.Pi / 180)
	return [2]float64{c[0] + r*k, c[1] - r*s}
}

// TestConstructs draws each construct at an angle or length known by how it is drawn.
func TestConstructs(t *testing.T) {
	f := square(t)
	c, d := [2]float64{250, 250}, [2]float64{150, 150}
	along := func(from [2]float64, degrees float64) [2][2]float64 {
		return [2][2]float64{polar(from, 20, degrees+180), polar(from, 60, degrees)}
	}
	two := func(a, b [2][2]float64) [][2]float64 { return [][2]float64{a[0], a[1], b[0], b[1]} }
	for _, x := range []struct {
		tool, name string
		points     [][2]float64
		want       float64
		unit       string
	}{
		{"length", "length", [][2]float64{{10, 10}, {13, 14}}, 5, "mm"},
		{"polyline", "length", [][2]float64{{10, 10}, {13, 14}, {13, 24}}, 15, "mm"},
		{"angle", "angle", [][2]float64{polar(c, 80, 10), c, polar(c, 50, 153)}, 143, "deg"},
		{"angle", "angle", [][2]float64{polar(c, 80, 0), c, polar(c, 50, 180)}, 180, "deg"},
		{"cobb", "angle", two(along(c, 10), along(d, 47)), 37, "deg"},
		{"cobb", "angle", two(along(c, 10), along(d, 47+180)), 37, "deg"},
		{"cobb", "angle", two(along(c, 0), along(d, 137)), 43, "deg"},
		{"bidirectional", "long", [][2]float64{{10, 10}, {10, 30}, {5, 20}, {12, 20}}, 20, "mm"},
		{"bidirectional", "short", [][2]float64{{10, 10}, {10, 30}, {5, 20}, {12, 20}}, 7, "mm"},
		{"hallux-valgus", "angle", two(along(c, 92), along(d, 62)), 30, "deg"},
		{"intermetatarsal", "angle", two(along(c, 92), along(d, 81)), 11, "deg"},
		{"dmaa", "angle", two(along(c, 5), along(d, 85)), 10, "deg"},
		{"calcaneal-pitch", "angle", two(along(c, 21), along(d, 0)), 21, "deg"},
		{"meary", "angle", two(along(c, -20), along(d, -24)), 4, "deg"},
		{"kite", "angle", two(along(c, 60), along(d, 95)), 35, "deg"},
		{"bohler", "angle", [][2]float64{polar(c, 50, 180), c, polar(c, 60, 30)}, 30, "deg"},
		{"gissane", "angle", [][2]float64{polar(c, 50, 150), c, polar(c, 60, 25)}, 125, "deg"},
		{"hka", "angle", [][2]float64{polar(c, 200, 90), c, polar(c, 200, -86)}, 176, "deg"},
		{"hka", "deviation", [][2]float64{polar(c, 200, 90), c, polar(c, 200, -86)}, 4, "deg"},
		{"leg-length", "length", [][2]float64{{100, 10}, {100, 410}}, 400, "mm"},
		{"leg-length", "difference", [][2]float64{{100, 10}, {100, 410}, {300, 10}, {300, 398}}, 12, "mm"},
		{"q-angle", "angle", [][2]float64{polar(c, 200, 105), c, polar(c, 60, -90)}, 15, "deg"},
		{"centre-edge", "angle", [][2]float64{polar(c, 40, 60), c, {100, 250}}, 30, "deg"},
		{"centre-edge", "angle", [][2]float64{polar(c, 40, 100), c, {100, 250}}, -10, "deg"},
		{"insall-salvati", "ratio", [][2]float64{{50, 100}, {50, 148}, {50, 60}, {50, 100}}, 1.2, ""},
		{"cup-to-disc", "ratio", [][2]float64{{50, 80}, {50, 110}, {50, 60}, {50, 120}}, 0.5, ""},
		{"sacral-slope", "angle", [][2]float64{c, polar(c, 40, -41)}, 41, "deg"},
		{"sacral-slope", "angle", [][2]float64{c, polar(c, 40, -139)}, 41, "deg"}, // facing left
		{"lumbar-lordosis", "angle", two(along(c, 20), along(d, -75)), 95, "deg"},
		{"norberg", "angle", [][2]float64{polar(c, 90, 180), c, polar(c, 30, 73)}, 107, "deg"},
		{"tibial-plateau", "angle", two(along(c, -90), along(d, 24)), 24, "deg"},
		// vertebrae of 10 mm: long 55 mm, short 42 mm.
		{"vhs", "score", [][2]float64{{100, 100}, {155, 100}, {120, 80}, {120, 122}, {100, 50}, {110, 50}}, 9.7, ""},
		// edges at 0, 10, 22, 30: 25 mm is 2 + 3/8; 40 mm is 3 + 10/10.
		{"vhs", "short", [][2]float64{{100, 100}, {140, 100}, {120, 80}, {120, 105}, {100, 50}, {110, 50}, {122, 50}, {130, 50}}, 2.375, ""},
		{"vhs", "long", [][2]float64{{100, 100}, {140, 100}, {120, 80}, {120, 105}, {100, 50}, {110, 50}, {122, 50}, {130, 50}}, 4, ""},
		{"calibration", "length", [][2]float64{{0, 0}, {0, 7}}, 7, "mm"},
	} {
		got := named(t, measure(t, f, x.tool, x.points...), x.name)
		if !near(got.Value, x.want) || got.Unit != x.unit {
			t.Errorf("%s: %s = %v %s, want %v %s", x.tool, x.name, got.Value, got.Unit, x.want, x.unit)
		}
	}
	for _, tool := range []string{"arrow", "text", "key"} {
		x, _ := FindTool(tool)
		if m := measure(t, f, tool, make([][2]float64, x.Min)...); len(m) > 0 {
			t.Errorf("%s measures %+v", tool, m)
		}
	}
}

// TestSpinopelvic: incidence is tilt plus slope, whichever way the patient looks.
func TestSpinopelvic(t *testing.T) {
	f := square(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		tilt, slope, facing := r.Float64()*40-10, 10+r.Float64()*50, 1.0
		if r.IntN(2) == 0 {
			facing = -1
		}
		at := func(p [2]float64) [2]float64 { return [2]float64{250 + facing*p[0], 200 + p[1]} }
		s, k := math.Sincos(slope * math.Pi / 180)
		h := polar([2]float64{}, 100, tilt-90) // the hip axis, below and forward
		m := measure(t, f, "pelvic-incidence", at([2]float64{-20 * k, -20 * s}), at([2]float64{20 * k, 20 * s}), at([2]float64{h[0] - 5, h[1]}), at([2]float64{h[0] + 5, h[1]}))
		for name, want := range map[string]float64{"angle": tilt + slope, "tilt": tilt, "slope": slope} {
			if got := named(t, m, name); math.Abs(got.Value-want) > 0.01 {
				t.Fatalf("%s = %v, want %v (facing %v)", name, got.Value, want, facing)
			}
		}
		if got := measure(t, f, "pelvic-tilt", at([2]float64{-20 * k, -20 * s}), at([2]float64{20 * k, 20 * s}), at(h), at(h)); math.Abs(got[0].Value-tilt) > 0.01 {
			t.Fatalf("tilt %v, want %v", got, tilt)
		}
	}
}

// IMAGING.md §5.5: a length in mm has its label, others are px and say so.
func TestUnits(t *testing.T) {
	at := func(change func(*study.Pixel)) *render.Frame {
		px := signed()
		px.PixelSpacing, px.Modality = nil, "CR"
		change(&px)
		return flat(t, px, 100, 100)
	}
	for name, c := range map[string]struct {
		f           *render.Frame
		tool        string
		points      [][2]float64
		value       float64
		unit, label string
	}{
		"unequal":            {flat(t, signed(), 100, 100), "length", [][2]float64{{0, 0}, {40, 0}}, 10, "mm", "pixel spacing"},
		"unequal rows":       {flat(t, signed(), 100, 100), "length", [][2]float64{{0, 0}, {0, 40}}, 20, "mm", "pixel spacing"},
		"unequal angle":      {flat(t, signed(), 100, 100), "angle", [][2]float64{{40, 0}, {0, 0}, {40, 20}}, 45, "deg", ""},
		"nothing":            {at(func(*study.Pixel) {}), "length", [][2]float64{{0, 0}, {3, 4}}, 5, "px", "uncalibrated"},
		"nothing, angle":     {at(func(*study.Pixel) {}), "angle", [][2]float64{{9, 0}, {0, 0}, {9, 9}}, 45, "deg", "uncalibrated"},
		"nothing, ratio":     {at(func(*study.Pixel) {}), "cup-to-disc", [][2]float64{{9, 0}, {0, 0}, {0, 0}, {0, 18}}, 0.5, "", "uncalibrated"},
		"aspect, angle":      {at(func(p *study.Pixel) { p.AspectRatio = &[2]float64{2, 1} }), "angle", [][2]float64{{20, 0}, {0, 0}, {20, 10}}, 45, "deg", ""},
		"detector":           {at(func(p *study.Pixel) { p.ImagerSpacing = &[2]float64{0.1, 0.1} }), "length", [][2]float64{{0, 0}, {50, 0}}, 5, "mm", "at detector, magnification not corrected"},
		"fiducial":           {at(func(p *study.Pixel) { p.PixelSpacing, p.Calibration = &[2]float64{0.2, 0.2}, "FIDUCIAL" }), "length", [][2]float64{{0, 0}, {50, 0}}, 10, "mm", "calibrated: fiducial"},
		"ultrasound, none":   {at(func(p *study.Pixel) { p.Modality = "US" }), "length", [][2]float64{{0, 0}, {50, 0}}, 50, "px", "uncalibrated"},
		"ultrasound, region": {at(regions), "length", [][2]float64{{0, 0}, {0, 50}}, 100, "mm", "ultrasound region"},
		"colour in region":   {at(regions), "length", [][2]float64{{1, 1}, {25, 1}}, 24, "mm", "ultrasound region"},
	} {
		m := measure(t, c.f, c.tool, c.points...)
		if len(m) == 0 || !near(m[0].Value, c.value) || m[0].Unit != c.unit || m[0].Calibration != c.label {
			t.Errorf("%s: %+v, want %v %s %q", name, m, c.value, c.unit, c.label)
		}
	}
}

// regions: a picture with colour flow on it above, a trace below.
func regions(p *study.Pixel) {
	p.Modality = "US"
	p.Regions = []study.Region{
		{X0: 0, Y0: 0, X1: 99, Y1: 49, UnitX: study.RegionCM, UnitY: study.RegionCM, DeltaX: 0.1, DeltaY: 0.2},
		{X0: 20, Y0: 0, X1: 40, Y1: 20, UnitX: study.RegionCM, UnitY: study.RegionCM, DeltaX: 0.1, DeltaY: 0.2, Type: 2},
		{X0: 0, Y0: 60, X1: 99, Y1: 99, UnitX: 4, UnitY: 7, DeltaX: 0.01, DeltaY: 1},
	}
}

// PS3.3 C.8.5.5: nothing spatial across regions or where an axis is time.
func TestUltrasoundWithout(t *testing.T) {
	px := signed()
	px.PixelSpacing = nil
	regions(&px)
	f := flat(t, px, 100, 100)
	for name, points := range map[string][][2]float64{
		"across": {{10, 10}, {10, 80}}, "into nothing": {{10, 10}, {10, 55}}, "time": {{10, 70}, {50, 80}},
	} {
		if m := measure(t, f, "length", points...); len(m) > 0 {
			t.Errorf("%s: %+v", name, m)
		}
		for _, x := range measure(t, f, "rectangle", points...) {
			if x.Name == "area" {
				t.Errorf("%s: %+v", name, x)
			}
		}
	}
}

func TestCalibration(t *testing.T) {
	px := signed()
	px.Modality, px.PixelSpacing = "CR", nil
	f := flat(t, px, 200, 200)
	mark := draw(t, f, "calibration", [2]float64{10, 10}, [2]float64{110, 10})
	v, err := Calibration(mark, f, 25.4, "Dr. Ada")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if v, err = consult.DecodeValues(raw); err != nil {
		t.Fatal(err)
	}
	s, ok := Calibrated(mark, v, f, "Dr. Ada")
	if !ok {
		t.Fatal("not calibrated")
	}
	m, err := MeasureWith(draw(t, f, "length", [2]float64{0, 0}, [2]float64{0, 50}), f, s)
	if err != nil || !near(m[0].Value, 12.7) || m[0].Unit != "mm" || m[0].Calibration != "calibrated by Dr. Ada" {
		t.Errorf("%+v, %v", m, err)
	}
	if own, _ := Measure(mark, f); Differs(v, own) {
		t.Error("the mark differs from itself")
	}
	for _, mm := range []float64{0, -1, math.NaN(), math.Inf(1), 1e9} {
		if _, err := Calibration(mark, f, mm, ""); err == nil {
			t.Errorf("%v mm are a true length", mm)
		}
	}
	if _, ok := Calibrated(draw(t, f, "length", [2]float64{}, [2]float64{1, 1}), v, f, ""); ok {
		t.Error("a plain length calibrates")
	}
}

func TestDiffers(t *testing.T) {
	own := []Measured{{Name: "length", Value: 100, Unit: "mm", Calibration: "pixel spacing"}, {Name: "angle", Value: 1, Unit: "deg"}}
	value := func(name string, v float64, unit, label string) consult.Values {
		return Values([]Measured{{Name: name, Value: v, Unit: unit, Calibration: label}})
	}
	for name, c := range map[string]struct {
		v    consult.Values
		want bool
	}{
		"none": {nil, false}, "all": {Values(own), false},
		"0.5 %":         {value("length", 100.5, "mm", "pixel spacing"), false},
		"over 0.5 %":    {value("length", 100.502, "mm", "pixel spacing"), true},
		"0.05":          {value("angle", 1.05, "deg", ""), false},
		"over 0.05":     {value("angle", 1.052, "deg", ""), true},
		"unit":          {value("length", 100, "px", "pixel spacing"), true},
		"calibration":   {value("length", 100, "mm", "calibrated: fiducial"), true},
		"something":     {value("area", 1, "mm2", ""), true},
		"stated length": {value(trueLength, 1, "mm", "calibrated by X"), false},
	} {
		if got := Differs(c.v, own); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRefused(t *testing.T) {
	f := square(t)
	for name, c := range map[string]struct {
		tool   string
		points [][2]float64
		want   error
	}{
		"few":            {"length", [][2]float64{{1, 1}}, ErrPoints},
		"many":           {"angle", make([][2]float64, 4), ErrPoints},
		"ten thousand":   {"polygon", make([][2]float64, 10_001), ErrPoints},
		"outside":        {"length", [][2]float64{{1, 1}, {500.001, 2}}, ErrOutside},
		"negative":       {"point", [][2]float64{{-0.001, 2}}, ErrOutside},
		"nan":            {"point", [][2]float64{{math.NaN(), 2}}, ErrOutside},
		"infinite":       {"point", [][2]float64{{1, math.Inf(1)}}, ErrOutside},
		"axes":           {"ellipse", [][2]float64{{10, 10}, {30, 10}, {10, 10}, {10, 30}}, ErrAxes},
		"skew axes":      {"ellipse", [][2]float64{{10, 20}, {30, 20}, {10, 10}, {30, 30}}, ErrAxes},
		"leg and a half": {"leg-length", [][2]float64{{10, 20}, {30, 20}, {10, 10}}, ErrPoints},
		"three axes":     {"ellipse", [][2]float64{{10, 20}, {30, 20}, {10, 10}}, ErrPoints},
	} {
		x, _ := FindTool(c.tool)
		if _, err := New(x, c.points, f.Rows(), f.Cols()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	g := func(shape consult.Shape, tool string, points ...[2]float64) *consult.Geometry {
		g, err := consult.NewGeometry(shape, points)
		if err != nil {
			t.Fatal(err)
		}
		g.Tool = tool
		return g
	}
	for name, c := range map[string]struct {
		g    *consult.Geometry
		want error
	}{
		"another image":  {g(consult.ShapeDistance, "", [2]float64{0, 0}, [2]float64{501, 0}), ErrOutside},
		"unknown tool":   {g(consult.ShapeDistance, "tomorrow", [2]float64{0, 0}, [2]float64{1, 0}), ErrTool},
		"tool and shape": {g(consult.ShapeDistance, "hallux-valgus", [2]float64{0, 0}, [2]float64{1, 0}), ErrTool},
		"no angle":       {g(consult.ShapeAngle, "", [2]float64{0, 0}, [2]float64{0, 0}, [2]float64{1, 0}), ErrDegenerate},
		"short score":    {g(consult.ShapePolyline, "vertebral-heart-score", [2]float64{0, 0}, [2]float64{1, 0}), ErrTool},
	} {
		if m, err := Measure(c.g, f); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// TestCorners: (0,0) is the corner of the first pixel, (0.5,0.5) its centre, and
// patient coordinates are of the centre.
func TestCorners(t *testing.T) {
	px := signed()
	px.Orientation, px.Position = &[6]float64{1, 0, 0, 0, 1, 0}, &[3]float64{-10, -20, 30}
	f := frame(t, px, 4, 4, func(x, y int) int { return 1024 + x + 10*y })
	for p, want := range map[[2]float64]float64{{0, 0}: 0, {0.5, 0.5}: 0, {0.999, 0}: 0, {1, 0}: 1, {2.5, 3.5}: 32, {4, 4}: 33} {
		if got := measure(t, f, "point", p)[0]; got.Value != want || got.Unit != "HU" {
			t.Errorf("%v: %+v, want %v", p, got, want)
		}
	}
	for p, want := range map[[2]float64][3]float64{{0.5, 0.5}: {-10, -20, 30}, {0, 0}: {-10.125, -20.25, 30}, {2.5, 1.5}: {-9.5, -19.5, 30}} {
		if got, ok := render.PatientPoint(px, p[0], p[1]); !ok || got != want {
			t.Errorf("%v in the patient: %v, want %v", p, got, want)
		}
	}
}

// TestTools: the table is whole.
func TestTools(t *testing.T) {
	seen := map[string]bool{}
	for _, x := range Tools() {
		if measures[x.Construct] == nil || x.Title == "" || x.Min < 1 || x.Max < x.Min || len(x.Prompts) == 0 || len(x.Prompts) > x.Max {
			t.Errorf("%s: %+v", x.Name, x)
		}
		if x.Max < 10 && len(x.Prompts) != x.Max && x.Shape != consult.ShapeEllipse {
			t.Errorf("%s: %d prompts for %d points", x.Name, len(x.Prompts), x.Max)
		}
		for _, name := range append([]string{x.Name}, x.Aliases...) {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
			if y, ok := FindTool(name); !ok || y.Name != x.Name {
				t.Errorf("%s finds %s", name, y.Name)
			}
		}
	}
	for s := consult.ShapePoint; s <= consult.ShapeKey; s++ {
		if x, ok := FindTool(s.String()); !ok || x.Shape != s || !x.plain() {
			t.Errorf("shape %s has no tool", s)
		}
	}
	for name, want := range map[string]string{"Distance": "length", "ROI": "rectangle", "hallux valgus": "hallux-valgus", "Freehand ": "polygon", "leg_length": "leg-length"} {
		if x, _ := FindTool(name); x.Name != want {
			t.Errorf("%q finds %q", name, x.Name)
		}
	}
}
