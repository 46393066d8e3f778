package render

import (
	"math"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Plane is where an image lies in the patient: one value for a slice of a
// series, a frame of an enhanced object and a reformatted image (IMAGING.md
// §5.2). Millimetres in patient axes: x to the left, y to the back, z to the head.
type Plane struct {
	FrameOfRef string     `json:"frame_of_reference,omitempty"`
	Origin     [3]float64 `json:"origin"` // centre of the first pixel: Image Position (Patient)
	Row        [3]float64 `json:"row"`    // unit, the way x grows
	Col        [3]float64 `json:"col"`    // unit, the way y grows
	DX         float64    `json:"dx"`     // between columns
	DY         float64    `json:"dy"`     // between rows
	Rows       int        `json:"rows"`
	Cols       int        `json:"cols"`
}

// PlaneOf gives the plane of a slice; ok is false where position, orientation
// or spacing is missing.
func PlaneOf(s study.Slice) (p Plane, ok bool) {
	n, ok := s.Normal()
	if !ok || s.Position == nil || s.Spacing == nil || s.Rows < 1 || s.Cols < 1 {
		return p, false
	}
	o := s.Orientation
	p = Plane{
		FrameOfRef: s.FrameOfRef, Origin: *s.Position, DX: s.Spacing[1], DY: s.Spacing[0], Rows: s.Rows, Cols: s.Cols,
		Row: [3]float64{o[0], o[1], o[2]}, Col: [3]float64{o[3], o[4], o[5]},
	}
	return p, finite(p.Origin) && finite(n) && p.DX > 0 && p.DY > 0 && !math.IsInf(p.DX, 0) && !math.IsInf(p.DY, 0)
}

// Normal is row × column, the way slices are ordered.
func (p Plane) Normal() [3]float64 { return cross(p.Row, p.Col) }

// Point is where (x, y) lies in the patient. x and y are as in annotations:
// (0, 0) is the corner of the first pixel, (0.5, 0.5) its centre, which is
// Origin (IMAGING.md §6).
func (p Plane) Point(x, y float64) [3]float64 {
	return along(along(p.Origin, p.Row, p.DX*(x-0.5)), p.Col, p.DY*(y-0.5))
}

// Pixel is the inverse of Point: the foot of a patient point on the plane, as in
// annotations, and how far the point lies off the plane, along the normal.
func (p Plane) Pixel(pt [3]float64) (x, y, off float64) {
	d := minus3(pt, p.Origin)
	return dot(d, p.Row)/p.DX + 0.5, dot(d, p.Col)/p.DY + 0.5, dot(d, p.Normal())
}

// Contains reports whether (x, y) is on the image.
func (p Plane) Contains(x, y float64) bool {
	return x >= 0 && y >= 0 && x <= float64(p.Cols) && y <= float64(p.Rows)
}

// Cell is the pixel that holds (x, y) of annotations, column and row from 0: what
// Frame.Probe takes.
func Cell(x, y float64) (col, row int) { return int(math.Floor(x)), int(math.Floor(y)) }

// Displayed is the pixel that holds (x, y) of annotations as presentation states
// count pixels of a displayed area: from 1 (PS3.3 C.10.4).
func Displayed(x, y float64) (col, row int) {
	col, row = Cell(x, y)
	return col + 1, row + 1
}

// FromDisplayed is the centre of such a pixel, as in annotations.
func FromDisplayed(col, row int) (x, y float64) { return float64(col) - 0.5, float64(row) - 0.5 }

// Nearest gives the plane that a patient point is nearest to, for linked
// scrolling, and its distance in mm; -1 if there is none in that Frame of
// Reference. Of equals the first counts.
func Nearest(planes []Plane, frameOfRef string, pt [3]float64) (i int, off float64) {
	i, off = -1, math.Inf(1)
	if frameOfRef == "" {
		return i, off
	}
	for k, p := range planes {
		if p.FrameOfRef != frameOfRef {
			continue
		}
		if _, _, d := p.Pixel(pt); math.Abs(d) < math.Abs(off) {
			i, off = k, d
		}
	}
	return i, off
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func minus3(a, b [3]float64) [3]float64 { return [3]float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

// along is p + d v.
func along(p, v [3]float64, d float64) [3]float64 {
	return [3]float64{p[0] + d*v[0], p[1] + d*v[1], p[2] + d*v[2]}
}

func finite(v [3]float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
