package render

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// acquisition is a series of an analytic patient: slices along row × col.
type acquisition struct {
	row, col [3]float64
	origin   [3]float64 // centre of the first pixel of the first slice
	n        [3]int     // columns, rows, slices
	step     [3]float64 // mm
	value    func(pt [3]float64) float64
	bits     int // stored, in 16 allocated (8 in 8)
	signed   bool
	pixel    func(slice int, px *study.Pixel)
}

func (a acquisition) at(x, y, z int) [3]float64 {
	p := along(along(a.origin, a.row, float64(x)*a.step[0]), a.col, float64(y)*a.step[1])
	return along(p, cross(a.row, a.col), float64(z)*a.step[2])
}

func (a acquisition) slice(z int) study.Slice {
	p := a.at(0, 0, z)
	return study.Slice{
		SOPUID: fmt.Sprint("1.", 1000+z), FrameOfRef: "1.2.3", Rows: a.n[1], Cols: a.n[0], Position: &p,
		Orientation: &[6]float64{a.row[0], a.row[1], a.row[2], a.col[0], a.col[1], a.col[2]},
		Spacing:     &[2]float64{a.step[1], a.step[0]},
	}
}

func (a acquisition) stack() study.Stack {
	var list []study.Slice
	for z := range a.n[2] {
		list = append(list, a.slice(z))
	}
	return study.Stacks(list)[0]
}

func (a acquisition) load(z int) (*codec.Native, study.Pixel, error) {
	s := a.slice(z)
	bits := a.bits
	if bits == 0 {
		bits = 16
	}
	allocated := (bits + 7) / 8 * 8
	px := study.Pixel{
		Rows: a.n[1], Cols: a.n[0], Frames: 1, Samples: 1, BitsAllocated: allocated, BitsStored: bits, HighBit: bits - 1,
		Signed: a.signed || a.bits == 0, Photometric: "MONOCHROME2", Modality: "CT", Slope: 1, Orientation: s.Orientation,
		Position: s.Position, PixelSpacing: s.Spacing, FrameOfRef: s.FrameOfRef,
	}
	if a.pixel != nil {
		a.pixel(z, &px)
	}
	var data []byte
	for y := range a.n[1] {
		for x := range a.n[0] {
			v := int(math.Round((a.value(a.at(x, y, z)) - px.Intercept) / px.Slope))
			if allocated == 8 {
				data = append(data, byte(v))
			} else {
				data = binary.LittleEndian.AppendUint16(data, uint16(v))
			}
		}
	}
	return &codec.Native{
		Rows: a.n[1], Cols: a.n[0], Samples: 1, BitsAllocated: allocated, Signed: px.Signed, Photometric: px.Photometric, Data: data,
	}, px, nil
}

// side starts goroutines, as callers do.
func side(n int, do func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

func (a acquisition) volume(t testing.TB) *Volume {
	t.Helper()
	v, err := NewVolume(a.stack(), a.load, side)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func frameOf(t testing.TB, r Reformat) *Frame {
	t.Helper()
	f, err := r.Frame()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// each calls do for every pixel of every image of an axis with its place and value.
func eachPixel(t testing.TB, v *Volume, a Axis, do func(i, x, y int, pt [3]float64, got Value)) {
	t.Helper()
	for i := range v.Count(a) {
		r := v.Slice(a, i)
		f := frameOf(t, r)
		for y := range f.Rows() {
			for x := range f.Cols() {
				got, _ := f.Probe(x, y)
				do(i, x, y, r.Plane.Point(float64(x)+0.5, float64(y)+0.5), got)
			}
		}
	}
}

var (
	axialRow, axialCol = [3]float64{1, 0, 0}, [3]float64{0, 1, 0}
	axes               = []Axis{Axial, Coronal, Sagittal}
)

// A linear gradient is interpolated without error: what remains is the rounding
// to whole cells.
func TestReformatOfGradient(t *testing.T) {
	gradient := func(p [3]float64) float64 { return 4*p[0] - 6*p[1] + 2*p[2] + 100 }
	for name, a := range map[string]acquisition{
		"axial":         {row: axialRow, col: axialCol, n: [3]int{21, 17, 9}, step: [3]float64{0.5, 0.5, 1.5}, origin: [3]float64{-5, 3, 40}},
		"coronal":       {row: axialRow, col: [3]float64{0, 0, -1}, n: [3]int{12, 20, 15}, step: [3]float64{1, 0.5, 2.5}, origin: [3]float64{7, -3, 12}},
		"sagittal back": {row: [3]float64{0, -1, 0}, col: [3]float64{0, 0, 1}, n: [3]int{12, 14, 7}, step: [3]float64{1, 1, 3}},
		"unsigned":      {row: axialRow, col: axialCol, n: [3]int{10, 10, 8}, step: [3]float64{1, 1, 2}, origin: [3]float64{50, 1, 9}, bits: 16, signed: false},
		"8 bit":         {row: axialRow, col: axialCol, n: [3]int{10, 10, 8}, step: [3]float64{1, 1, 2}, origin: [3]float64{1, 1, 1}, bits: 8},
		"12 bit, HU": {
			row: axialRow, col: axialCol, n: [3]int{10, 10, 8}, step: [3]float64{1, 1, 2}, bits: 12,
			pixel: func(_ int, px *study.Pixel) { px.Slope, px.Intercept = 2, -1024 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			a.value = gradient
			v := a.volume(t)
			slope := 1.0
			if a.bits == 12 {
				slope = 2
			}
			for _, axis := range axes {
				worst, n := 0.0, 0
				eachPixel(t, v, axis, func(_, _, _ int, pt [3]float64, got Value) {
					n++
					if got.Padding {
						t.Fatalf("%s: padding inside", axis)
					}
					worst = max(worst, math.Abs(got.Value-gradient(pt)))
				})
				if worst > 0.5*slope+1e-6 || n == 0 {
					t.Errorf("%s: off by %g in %d pixels", axis, worst, n)
				}
			}
		})
	}
}

// A gradient in an oblique stack: the reformats are of the patient's axes.
func TestReformatOfOblique(t *testing.T) {
	gradient := func(p [3]float64) float64 { return 400*p[0] - 60*p[1] + 200*p[2] }
	c, s := math.Cos(0.4), math.Sin(0.4)
	a := acquisition{
		row: [3]float64{c, s, 0}, col: [3]float64{-s * c, c * c, s}, n: [3]int{30, 30, 20}, step: [3]float64{1, 1, 1.5}, value: gradient,
	}
	v := a.volume(t)
	for _, axis := range axes {
		worst, inside, outside := 0.0, 0, 0
		eachPixel(t, v, axis, func(_, _, _ int, pt [3]float64, got Value) {
			if got.Padding {
				outside++
				return
			}
			// beyond the outermost centres the outermost cell counts, half a cell far
			d, in := minus3(pt, a.origin), true
			for k, e := range v.axis {
				at := dot(d, e) / v.step[k]
				in = in && at >= 0 && at <= float64(a.n[k]-1)
			}
			if in {
				inside++
				worst = max(worst, math.Abs(got.Value-gradient(pt)))
			}
		})
		// cells are rounded once in the slices, once in the result
		if worst > 1+1e-6 || inside < 5000 || outside < 5000 {
			t.Errorf("%s: off by %g; %d inside, %d outside", axis, worst, inside, outside)
		}
	}
}

// A sphere and a tilted plane, against direct computation: nothing differs
// further from the edge than a voxel.
func TestReformatOfShapes(t *testing.T) {
	shapes := map[string]func(p [3]float64) float64{ // signed distance to the edge
		"sphere": func(p [3]float64) float64 {
			d := minus3(p, [3]float64{3, -2, 21})
			return 14 - math.Sqrt(dot(d, d))
		},
		"tilted plane": func(p [3]float64) float64 { return (2*p[0] + p[1] - 2*p[2] + 40) / 3 },
	}
	for name, distance := range shapes {
		t.Run(name, func(t *testing.T) {
			a := acquisition{
				row: axialRow, col: axialCol, n: [3]int{50, 50, 17}, step: [3]float64{0.9, 0.9, 2.5}, origin: [3]float64{-22, -22, 0},
				value: func(p [3]float64) float64 {
					if distance(p) > 0 {
						return 1000
					}
					return -1000
				},
			}
			v := a.volume(t)
			for _, axis := range axes {
				wrong, inside := 0.0, 0
				eachPixel(t, v, axis, func(_, _, _ int, pt [3]float64, got Value) {
					d := distance(pt)
					if d > 0 {
						inside++
					}
					if (got.Value > 0) != (d > 0) {
						wrong = max(wrong, math.Abs(d))
					}
				})
				if wrong > 2.5 || inside == 0 {
					t.Errorf("%s: an edge is off by %.2f mm, a voxel is 2.5", axis, wrong)
				}
			}
		})
	}
}

// All 24 ways in which a patient can lie along the axes of the images give the
// same pictures of the patient, cell for cell, with the right letters.
func TestReformatOfAllOrientations(t *testing.T) {
	// an asymmetric patient in a box of whole millimetres
	const spacing = 2
	low, n := [3]float64{-10, 6, 100}, [3]int{8, 10, 12}
	value := func(p [3]float64) float64 {
		return 7*p[0]*p[0] - 3*p[0]*p[1] + 11*p[2] + math.Abs(p[1]-14)
	}
	want := map[string]string{}
	letters := map[Axis]Edges{
		Axial:    {Left: "R", Right: "L", Top: "A", Bottom: "P"},
		Coronal:  {Left: "R", Right: "L", Top: "H", Bottom: "F"},
		Sagittal: {Left: "A", Right: "P", Top: "H", Bottom: "F"},
	}
	count := 0
	for r := range 6 {
		for c := range 6 {
			if r/2 == c/2 {
				continue
			}
			count++
			a := acquisition{step: [3]float64{spacing, spacing, spacing}, value: value}
			a.row[r/2], a.col[c/2] = float64(1-r%2*2), float64(1-c%2*2)
			normal := cross(a.row, a.col)
			a.origin = low
			for k, e := range [3][3]float64{a.row, a.col, normal} {
				for i := range 3 {
					switch {
					case e[i] > 0:
						a.n[k] = n[i]
					case e[i] < 0: // it runs down from the far side
						a.n[k], a.origin[i] = n[i], low[i]+float64(n[i]-1)*spacing
					}
				}
			}
			v := a.volume(t)
			for _, axis := range axes {
				if got := v.Count(axis); got != n[[]int{2, 1, 0}[axis]] {
					t.Fatalf("%v × %v: %d %s images", a.row, a.col, got, axis)
				}
				for i := range v.Count(axis) {
					for _, kind := range []Kind{Maximum, Minimum, Average} {
						got := v.MIP(axis, kind, i, i+2)
						same(t, want, fmt.Sprint(axis, i, kind), got)
					}
					got := v.Slice(axis, i)
					same(t, want, fmt.Sprint(axis, i), got)
					if e := Orientation(got.Pixel); e != letters[axis] {
						t.Fatalf("%v × %v: letters %+v", a.row, a.col, e)
					}
				}
				eachPixel(t, v, axis, func(_, _, _ int, pt [3]float64, got Value) {
					if got.Value != math.Round(value(pt)) {
						t.Fatalf("%v × %v, %s at %v: %g, want %g", a.row, a.col, axis, pt, got.Value, value(pt))
					}
				})
			}
		}
	}
	if count != 24 {
		t.Errorf("%d orientations", count)
	}
}

func same(t *testing.T, want map[string]string, name string, got Reformat) {
	t.Helper()
	if want[name] == "" {
		want[name] = string(got.Native.Data)
	}
	if want[name] != string(got.Native.Data) {
		t.Fatalf("%s differs", name)
	}
}

func TestReformatSaysWhatItIs(t *testing.T) {
	a := acquisition{row: axialRow, col: axialCol, n: [3]int{20, 16, 10}, step: [3]float64{0.5, 0.5, 2}, value: func(p [3]float64) float64 { return p[2] }}
	a.pixel = func(z int, px *study.Pixel) { px.Lossy = z == 7 }
	v := a.volume(t)
	r := v.Slice(Coronal, 3)
	if c := Calibrate(r.Pixel); !c.OK || c.DX != 0.5 || c.DY != 0.5 || !strings.Contains(c.Label, "reformatted") {
		t.Errorf("%+v", c)
	}
	if r.Plane.Cols != 20 || r.Plane.Rows != 37 || v.Count(Coronal) != 16 || v.Count(Axial) != 10 || v.Count(Sagittal) != 20 {
		t.Errorf("%+v", r.Plane)
	}
	if w := strings.Join(frameOf(t, r).Warnings(), "; "); !strings.Contains(w, "reformatted") || !strings.Contains(w, "lossy") {
		t.Errorf("warnings: %s", w)
	}
	m := v.MIP(Sagittal, Maximum, 4, 9)
	if w := strings.Join(frameOf(t, m).Warnings(), "; "); !strings.Contains(w, "maximum intensity projection of 3 mm") {
		t.Errorf("warnings: %s", w)
	}
	if m.Pixel.Position != nil || m.Pixel.Orientation == nil {
		t.Error("a projection has letters, and no depth")
	}
	for _, axis := range axes {
		for i := range v.Count(axis) {
			p := v.Plane(axis, float64(i))
			if got := v.Index(axis, p.Point(1, 1)); got != i {
				t.Errorf("%s %d: index %d", axis, i, got)
			}
		}
	}
}

func TestVolumeRefuses(t *testing.T) {
	base := acquisition{row: axialRow, col: axialCol, n: [3]int{8, 8, 6}, step: [3]float64{1, 1, 2}, value: func([3]float64) float64 { return 0 }}
	gone := errors.New("this image has not arrived yet")
	change := func(f func(s *study.Slice)) study.Stack {
		var list []study.Slice
		for z := range base.n[2] {
			s := base.slice(z)
			f(&s)
			list = append(list, s)
		}
		return study.Stacks(list)[0]
	}
	loads := func(f func(z int, n *codec.Native)) Load {
		return func(z int) (*codec.Native, study.Pixel, error) {
			n, px, err := base.load(z)
			f(z, n)
			return n, px, err
		}
	}
	tests := []struct {
		want  string
		stack study.Stack
		load  Load
	}{
		{"gantry tilt", change(func(s *study.Slice) { s.Position[1] += 0.3 * s.Position[2] }), base.load},
		{"slices are missing", change(func(s *study.Slice) {
			if s.Position[2] > 4 {
				s.Position[2] += 2
			}
		}), base.load},
		{"irregular", change(func(s *study.Slice) { s.Position[2] += 0.02 * s.Position[2] * s.Position[2] }), base.load},
		{"positions are not known", change(func(s *study.Slice) { s.Position = nil }), base.load},
		{"different sizes", base.stack(), loads(func(z int, n *codec.Native) { n.Rows -= z / 4 })},
		{"colour", base.stack(), loads(func(_ int, n *codec.Native) { n.Samples, n.Photometric = 3, "RGB" })},
		{"slice 3 is damaged", base.stack(), loads(func(z int, n *codec.Native) { n.Partial = z == 2 })},
		{"fewer cells", base.stack(), loads(func(z int, n *codec.Native) { n.Data = n.Data[:60] })},
		{"slice 5: this image has not arrived yet", base.stack(), func(z int) (*codec.Native, study.Pixel, error) {
			if z == 4 {
				return nil, study.Pixel{}, gone
			}
			return base.load(z)
		}},
	}
	for _, tt := range tests {
		for _, each := range []codec.Each{nil, side} {
			_, err := NewVolume(tt.stack, tt.load, each)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		}
	}
}

func TestVolumeIsReducedToFit(t *testing.T) {
	value := func(p [3]float64) float64 { return 8*p[0] + 16*p[1] + p[2] }
	a := acquisition{row: axialRow, col: axialCol, n: [3]int{33, 16, 6}, step: [3]float64{1, 1, 2}, value: value}
	v, err := newVolume(a.stack(), a.load, nil, 2*33*16*6/3)
	if err != nil {
		t.Fatal(err)
	}
	if v.grid.n != [3]int{16, 8, 6} || v.Bytes() != 2*16*8*6 || !strings.Contains(strings.Join(v.Notes(), ""), "reduced to 1/2") {
		t.Errorf("%v: %v", v.grid.n, v.Notes())
	}
	eachPixel(t, v, Axial, func(_, _, _ int, pt [3]float64, got Value) {
		if math.Abs(got.Value-value(pt)) > 0.5 {
			t.Fatalf("at %v: %g, want %g", pt, got.Value, value(pt))
		}
	})
	if _, err := newVolume(a.stack(), a.load, nil, 40); !errors.Is(err, ErrNotVolume) || !strings.Contains(err.Error(), "exceed") {
		t.Errorf("got %v", err)
	}
}

// Slices of a rescale each, as PET has them, and floating point cells.
func TestVolumeOfManyRescales(t *testing.T) {
	value := func(p [3]float64) float64 { return 50 + 3*p[0] + p[1]*p[1] + 20*p[2] }
	a := acquisition{row: axialRow, col: axialCol, n: [3]int{12, 10, 9}, step: [3]float64{1, 1, 1}, value: value}
	a.pixel = func(z int, px *study.Pixel) { px.Slope, px.Modality, px.Windows = 0.01*float64(z+1), "PT", nil }
	v := a.volume(t)
	if v.grid.wide == nil {
		t.Fatal("rescales differ, and cells are stored values")
	}
	for _, axis := range axes {
		eachPixel(t, v, axis, func(_, _, _ int, pt [3]float64, got Value) {
			if step := 0.01 * (pt[2] + 1); math.Abs(got.Value-value(pt)) > step/2+1e-4 {
				t.Fatalf("%s at %v: %g, want %g", axis, pt, got.Value, value(pt))
			}
		})
	}
	top := frameOf(t, v.MIP(Axial, Maximum, 0, 8))
	if got, _ := top.Probe(11, 9); math.Abs(got.Value-value([3]float64{11, 9, 8})) > 0.05 {
		t.Errorf("maximum %g", got.Value)
	}
}

// Padding mixes with nothing.
func TestVolumeKeepsPaddingApart(t *testing.T) {
	hole := func(p [3]float64) bool { return p[0] < 3 && p[1] > 5 }
	a := acquisition{row: axialRow, col: axialCol, n: [3]int{10, 10, 5}, step: [3]float64{1, 1, 2.5}, value: func(p [3]float64) float64 {
		if hole(p) {
			return -2000
		}
		return 40
	}}
	a.pixel = func(_ int, px *study.Pixel) { px.Padding = &study.Padding{Low: -2000, High: -2000} }
	v := a.volume(t)
	for _, axis := range axes {
		blank := 0
		eachPixel(t, v, axis, func(_, _, _ int, pt [3]float64, got Value) {
			if got.Padding {
				blank++
			} else if got.Value != 40 {
				t.Fatalf("%s at %v: %g", axis, pt, got.Value)
			}
		})
		if blank == 0 {
			t.Errorf("%s: no padding", axis)
		}
	}
	for kind := Maximum; kind <= Average; kind++ {
		f := frameOf(t, v.MIP(Coronal, kind, 0, 9))
		if got, _ := f.Probe(0, 0); got.Padding || got.Value != 40 {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

// benchmarkVolume is 512 × 512 × 300 cells of noise: 150 MB.
func benchmarkVolume() *Volume {
	n := [3]int{512, 512, 300}
	v := &Volume{
		px:   study.Pixel{Slope: 1, Signed: true, BitsAllocated: 16, BitsStored: 16, HighBit: 15, Photometric: "MONOCHROME2", Modality: "CT", Samples: 1, Frames: 1},
		axis: [3][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, step: [3]float64{0.7, 0.7, 1}, grid: grid{n: n, short: make([]int16, n[0]*n[1]*n[2])},
	}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range v.grid.short {
		v.grid.short[i] = int16(r.Uint32() >> 20)
	}
	return v
}

func BenchmarkReformat(b *testing.B) {
	v := benchmarkVolume()
	for _, a := range axes {
		b.Run(a.String(), func(b *testing.B) {
			p := v.Plane(a, 0)
			b.SetBytes(int64(2 * p.Rows * p.Cols))
			i := 0
			for b.Loop() {
				v.Slice(a, i*37%v.Count(a))
				i++
			}
		})
	}
}

func BenchmarkProjection(b *testing.B) {
	v := benchmarkVolume()
	for _, a := range axes {
		for kind := Maximum; kind <= Average; kind++ {
			b.Run(a.String()+"/"+kind.String(), func(b *testing.B) {
				b.SetBytes(int64(v.Bytes()))
				for b.Loop() {
					v.MIP(a, kind, 0, v.Count(a)-1)
				}
			})
		}
	}
}

// BenchmarkNewVolume loads 1,000 slices of 512 × 512, the largest series that a
// viewer is measured by, and tells how much memory that takes at its height.
func BenchmarkNewVolume(b *testing.B) {
	a := acquisition{row: axialRow, col: axialCol, n: [3]int{512, 512, 1000}, step: [3]float64{0.7, 0.7, 0.5}}
	stack := a.stack()
	px := study.Pixel{BitsAllocated: 16, BitsStored: 12, HighBit: 11, Photometric: "MONOCHROME2", Slope: 1, Intercept: -1024, Modality: "CT"}
	load := func(int) (*codec.Native, study.Pixel, error) {
		return &codec.Native{Rows: 512, Cols: 512, Samples: 1, BitsAllocated: 16, Photometric: "MONOCHROME2", Data: make([]byte, 2*512*512)}, px, nil
	}
	b.SetBytes(2 * 512 * 512 * 1000)
	for b.Loop() {
		v, err := NewVolume(stack, load, nil)
		if err != nil {
			b.Fatal(err)
		}
		for i := range 100 {
			v.Slice(Coronal, i)
		}
		b.ReportMetric(float64(v.Bytes())/1e6, "MB-kept")
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/1e6, "MB-from-system")
}
