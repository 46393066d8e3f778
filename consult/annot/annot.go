// Package annot measures and marks images, and writes and reads the DICOM
// objects that carry marks: presentation states and key object selections. It
// writes measurements as structured reports.
//
// A mark is a [consult.Geometry], drawn with a [Tool]: [New] makes one from
// points, [Measure] measures it on a [render.Frame], [Values] and [Differs] are
// what is stored and how an author's numbers are compared with one's own.
//
// Points are in pixels, x to the right and y down, (0,0) the top left corner of
// the top left pixel, whose centre is (0.5, 0.5): as in the PIXEL units of
// presentation states (PS3.3 C.10.5) and in SCOORD (C.18.6). The Displayed Area of a
// presentation state counts pixels from 1, and Image Position (Patient) is the
// centre of the first pixel; both are converted where they are read and written.
//
// Measurements are made from the stored 16-bit cells, never from what a window
// shows. A length is in mm only where render.Calibrate says so, and carries its
// label; else it is in px and "uncalibrated". There are no reference ranges here.
//
// Nothing in here reads a clock or draws randomness: both are arguments.
package annot

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/render"
)

// Why a mark is refused.
var (
	// ErrTool: the tool is not known here; an author's values stay unchecked.
	ErrTool = errors.New("tool is not known")
	// ErrPoints: too few or too many points for the tool.
	ErrPoints = errors.New("wrong number of points")
	// ErrOutside: a point is outside the image or not a number.
	ErrOutside = errors.New("point outside the image")
	// ErrDegenerate: the points measure nothing, as they coincide.
	ErrDegenerate = errors.New("points coincide, there is nothing to measure")
	// ErrAxes: four points that are not the ends of the axes of an ellipse.
	ErrAxes = errors.New("the axes of the ellipse do not cross in their middles at a right angle")
)

// New makes the geometry of a mark on an image of rows × cols pixels. A
// rectangle is taken from two opposite corners, an ellipse from two corners of
// its box or from the four ends of its axes.
func New(t Tool, points [][2]float64, rows, cols int) (*consult.Geometry, error) {
	if !t.accepts(len(points)) {
		return nil, fmt.Errorf("%s takes %s, not %d: %w", t.Name, t.takes(), len(points), ErrPoints)
	}
	for i, p := range points {
		if !inside(p, rows, cols) {
			return nil, fmt.Errorf("point %d: %w", i+1, ErrOutside)
		}
	}
	shape := t.Shape
	switch {
	case shape == consult.ShapeEllipse:
		var err error
		if points, err = axes(points); err != nil {
			return nil, err
		}
	case t.Construct == LegLength && len(points) == 4:
		shape = consult.ShapeBidirectional
	}
	g, err := consult.NewGeometry(shape, points)
	if err != nil {
		return nil, err
	}
	if !t.plain() {
		g.Tool = t.Name
	}
	return g, nil
}

func inside(p [2]float64, rows, cols int) bool {
	return p[0] >= 0 && p[1] >= 0 && p[0] <= float64(cols) && p[1] <= float64(rows) // false for NaN
}

// axes are the four ends of the axes of an ellipse, those of an axis together.
func axes(p [][2]float64) ([][2]float64, error) {
	if len(p) == 2 {
		cx, cy := (p[0][0]+p[1][0])/2, (p[0][1]+p[1][1])/2
		return [][2]float64{{p[0][0], cy}, {p[1][0], cy}, {cx, p[0][1]}, {cx, p[1][1]}}, nil
	}
	if len(p) != 4 {
		return nil, ErrPoints
	}
	for _, order := range [][4]int{{0, 1, 2, 3}, {0, 2, 1, 3}} { // by axis, or around
		a := [][2]float64{p[order[0]], p[order[1]], p[order[2]], p[order[3]]}
		if crossing(a) {
			return a, nil
		}
	}
	return nil, ErrAxes
}

// crossing reports whether two axes halve each other, within a pixel, at a
// right angle, within a degree or a pixel.
func crossing(a [][2]float64) bool {
	ux, uy := a[1][0]-a[0][0], a[1][1]-a[0][1]
	vx, vy := a[3][0]-a[2][0], a[3][1]-a[2][1]
	mx, my := (a[0][0]+a[1][0]-a[2][0]-a[3][0])/2, (a[0][1]+a[1][1]-a[2][1]-a[3][1])/2
	lu, lv := math.Hypot(ux, uy), math.Hypot(vx, vy)
	if math.Hypot(mx, my) > 1 {
		return false
	}
	off := math.Abs(ux*vx + uy*vy)
	return off <= lu*lv*math.Sin(math.Pi/180) || off <= min(lu, lv)*2
}

// ToolOf is the tool that a geometry was drawn with.
func ToolOf(g *consult.Geometry) (Tool, bool) {
	name := g.Tool
	if name == "" {
		name = g.Shape.String()
	}
	t, ok := FindTool(name)
	if !ok || len(g.Points) < t.Min && g.Shape != consult.ShapeEllipse || len(g.Points) > t.Max || !t.drawnAs(g.Shape) {
		return Tool{}, false
	}
	return t, true
}

// Measured is one number that a mark measures. The first of a mark is its
// main one.
type Measured struct {
	Name        string  `json:"name"` // "length", "angle", "mean" …
	Value       float64 `json:"value"`
	Unit        string  `json:"unit"`                  // mm, px, mm2, px2, deg, HU; empty for counts, ratios and plain values
	Calibration string  `json:"calibration,omitempty"` // what a length means: "pixel spacing", "uncalibrated" …
	N           int     `json:"n,omitempty"`           // pixels of a region
}

// Measure measures a mark on the frame that it lies on. Marks that measure
// nothing, and regions that hold no pixel, give no number.
func Measure(g *consult.Geometry, f *render.Frame) ([]Measured, error) {
	return MeasureWith(g, f, SpacingOf(f, g.Pixels()...))
}

// MeasureWith is Measure with a user's calibration.
func MeasureWith(g *consult.Geometry, f *render.Frame, s Spacing) ([]Measured, error) {
	t, ok := ToolOf(g)
	if !ok {
		return nil, ErrTool
	}
	points := g.Pixels()
	for _, p := range points {
		if !inside(p, f.Rows(), f.Cols()) {
			return nil, ErrOutside
		}
	}
	if s.None && !t.ofPixels() {
		return nil, nil
	}
	m, err := measures[t.Construct](&ruler{g: g, p: points, f: f, s: s})
	if err != nil {
		return nil, err
	}
	for _, x := range m {
		if math.IsNaN(x.Value) || math.IsInf(x.Value, 0) {
			return nil, ErrDegenerate
		}
	}
	return m, nil
}

// Values are the measured numbers as a mark carries them, in thousandths.
func Values(m []Measured) consult.Values {
	var out consult.Values
	for _, x := range m {
		v := math.Round(x.Value * 1000)
		if !(math.Abs(v) < 1<<53) {
			continue // beyond what a float64 counts exactly: nothing an image measures
		}
		out = append(out, consult.Value{Name: x.Name, Thousandths: int64(v), Unit: x.Unit, Calibration: x.Calibration})
	}
	return out
}

// Differs reports whether an author's values are not one's own: by more than
// the larger of 0.5 % and 0.05, in another unit, or with another calibration
// (IMAGING.md §6). The true length of a calibration mark is the author's to say.
func Differs(author consult.Values, own []Measured) bool {
	for _, a := range author {
		if a.Name == trueLength {
			continue
		}
		if !matches(a, own) {
			return true
		}
	}
	return false
}

// rounding is what a value in thousandths is off by, and a float64 in the last places.
const rounding = 0.0005 + 1e-9

func matches(a consult.Value, own []Measured) bool {
	v := float64(a.Thousandths) / 1000
	for _, o := range own {
		if o.Name == a.Name {
			return o.Unit == a.Unit && o.Calibration == a.Calibration && math.Abs(v-o.Value) <= max(0.005*math.Abs(o.Value), 0.05)+rounding
		}
	}
	return strings.HasPrefix(a.Name, uptake) // not computable here, nor denied
}
