package render

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/curbside-p2p/curbside/consult/study"
)

// noise is a patient of random whole numbers, a place having always the same.
func noise(low, high int) func([3]float64) float64 {
	return func(p [3]float64) float64 {
		r := rand.New(rand.NewPCG(math.Float64bits(math.Round(p[0]*8)), math.Float64bits(math.Round(p[1]*8))^math.Float64bits(math.Round(p[2]*8))<<7))
		return float64(low + r.IntN(high-low+1))
	}
}

// brute joins the values of a ray one by one.
func brute(kind Kind, values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	out, sum := values[0], 0.0
	for _, v := range values {
		sum += v
		if kind == Maximum && v > out || kind == Minimum && v < out {
			out = v
		}
	}
	if kind == Average {
		return math.Round(sum / float64(len(values))), true
	}
	return out, true
}

// Projections equal the value computed ray by ray from the patient, exactly, in
// every kind, axis and slab, beside padding, and however the slices lie.
func TestProjectionEqualsBruteForce(t *testing.T) {
	const pad = -999
	value := noise(-1001, 1200)
	for name, a := range map[string]acquisition{
		"axial":           {row: axialRow, col: axialCol, n: [3]int{13, 11, 9}, step: [3]float64{1, 1, 1}, origin: [3]float64{-6, 2, 50}},
		"sagittal, thick": {row: [3]float64{0, 1, 0}, col: [3]float64{0, 0, -1}, n: [3]int{11, 13, 7}, step: [3]float64{1, 1, 3}, origin: [3]float64{9, 2, 50}},
		"coronal, back":   {row: [3]float64{-1, 0, 0}, col: [3]float64{0, 0, 1}, n: [3]int{9, 13, 8}, step: [3]float64{2, 2, 2}},
	} {
		for _, padded := range []bool{false, true} {
			t.Run(fmt.Sprint(name, padded), func(t *testing.T) {
				a.value = value
				a.pixel = func(_ int, px *study.Pixel) {
					if padded { // a third of all cells
						px.Padding = &study.Padding{Low: pad, High: pad + 700}
					}
				}
				v := a.volume(t)
				for _, axis := range axes {
					last := v.Count(axis) - 1
					for kind := Maximum; kind <= Average; kind++ {
						for _, slab := range [][2]int{{0, last}, {2, 4}, {3, 3}, {last - 1, last}} {
							checkProjection(t, v, axis, kind, slab, func(x float64) bool { return padded && x >= pad && x <= pad+700 }, value)
						}
					}
				}
			})
		}
	}
}

// checkProjection compares where a pixel lies on a row of the grid: between rows
// the projection is interpolated.
func checkProjection(t *testing.T, v *Volume, axis Axis, kind Kind, slab [2]int, blank func(float64) bool, value func([3]float64) float64) {
	t.Helper()
	r := v.MIP(axis, kind, slab[0], slab[1])
	f := frameOf(t, r)
	checked := 0
	for y := range f.Rows() {
		for x := range f.Cols() {
			var ray []float64
			on := true
			for i := slab[0]; i <= slab[1]; i++ {
				pt := v.Plane(axis, float64(i)).Point(float64(x)+0.5, float64(y)+0.5)
				d := minus3(pt, v.origin)
				for k, e := range v.axis {
					at := dot(d, e) / v.step[k]
					on = on && math.Abs(at-math.Round(at)) < 1e-9
				}
				if c := value(pt); !blank(c) {
					ray = append(ray, c)
				}
			}
			if !on {
				continue
			}
			checked++
			got, _ := f.Probe(x, y)
			want, ok := brute(kind, ray)
			if got.Padding == ok || ok && got.Value != want {
				t.Fatalf("%s %s %v at %d, %d: got %+v, want %g %t", axis, kind, slab, x, y, got, want, ok)
			}
		}
	}
	if checked < 50 {
		t.Fatalf("only %d pixels checked", checked)
	}
}

// An oblique volume is projected along the patient's axes: of its reformats.
func TestProjectionOfOblique(t *testing.T) {
	c, s := math.Cos(0.3), math.Sin(0.3)
	a := acquisition{row: [3]float64{c, s, 0}, col: [3]float64{-s, c, 0}, n: [3]int{14, 12, 20}, step: [3]float64{1, 1, 1}, value: noise(-50, 50)}
	v := a.volume(t)
	for _, axis := range axes {
		for kind := Maximum; kind <= Average; kind++ {
			from, to := 2, v.Count(axis)-2
			got := frameOf(t, v.MIP(axis, kind, from, to))
			var images []*Frame
			for i := from; i <= to; i++ {
				images = append(images, frameOf(t, v.Slice(axis, i)))
			}
			for y := range got.Rows() {
				for x := range got.Cols() {
					var ray []float64
					for _, f := range images {
						if p, _ := f.Probe(x, y); !p.Padding {
							ray = append(ray, p.Value)
						}
					}
					want, ok := brute(kind, ray)
					p, _ := got.Probe(x, y)
					// the images were rounded before they were averaged
					if p.Padding == ok || ok && math.Abs(p.Value-want) > 1 || ok && kind != Average && p.Value != want {
						t.Fatalf("%s %s at %d, %d: %+v, want %g %t", axis, kind, x, y, p, want, ok)
					}
				}
			}
		}
	}
}
