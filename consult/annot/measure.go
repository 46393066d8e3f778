package annot

import (
	"math"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
)

// Spacing is what a pixel measures.
type Spacing struct {
	MM    bool    // lengths are in mm, else in px
	DX    float64 // of a column; where MM is false only its ratio to DY means something
	DY    float64 // of a row
	Label string  // beside every length and area
	// Aspect: the ratio of DX and DY is known, so that angles are true.
	Aspect bool
	// None: the pixels are not a picture of space, or of two (regions of an
	// ultrasound image): no length, area or angle.
	None bool
}

const (
	uncalibrated = "uncalibrated"
	pixelSpacing = "pixel spacing" // the image's own, with nothing to add
)

// SpacingOf is what the image says of itself, where the points are.
func SpacingOf(f *render.Frame, points ...[2]float64) Spacing {
	px := f.Pixel()
	if c := render.Calibrate(px, points...); c.OK {
		return Spacing{MM: true, DX: c.DX, DY: c.DY, Label: label(c.Label), Aspect: true}
	}
	if px.Modality == "US" && touches(px.Regions, points) {
		// PS3.3 C.8.5.5: across regions, or where an axis is time or velocity.
		return Spacing{DX: 1, DY: 1, Label: uncalibrated, None: true}
	}
	s := Spacing{DX: 1, DY: 1, Label: uncalibrated}
	if a := aspect(px); a != nil {
		s.DX, s.DY, s.Aspect = a[1]/a[0], 1, true
	}
	return s
}

// touches reports whether a point lies in a region of an ultrasound image.
func touches(regions []study.Region, points [][2]float64) bool {
	for i := range regions {
		r := &regions[i]
		for _, p := range points {
			if p[0] >= float64(r.X0) && p[0] <= float64(r.X1+1) && p[1] >= float64(r.Y0) && p[1] <= float64(r.Y1+1) {
				return true
			}
		}
	}
	return false
}

// label is without the unit, which a value has of its own.
func label(s string) string {
	s = strings.Trim(strings.TrimPrefix(s, "mm"), " ,")
	if s == "" {
		return pixelSpacing
	}
	return s
}

// aspect is height and width of a pixel in any unit, nil if it is not known.
func aspect(px study.Pixel) *[2]float64 {
	for _, a := range []*[2]float64{px.PixelSpacing, px.ImagerSpacing, px.NominalSpacing, px.AspectRatio} {
		if a != nil {
			return a
		}
	}
	return nil
}

// trueLength is the value of a calibration mark that its author states.
const trueLength = "true length"

// Calibration is the values of a calibration mark: what its two points measure in
// the image, and the length that by says they have.
func Calibration(g *consult.Geometry, f *render.Frame, mm float64, by string) (consult.Values, error) {
	if _, ok := scale(g, f, mm); !ok {
		return nil, ErrDegenerate
	}
	m, err := Measure(g, f)
	if err != nil {
		return nil, err
	}
	v := Values([]Measured{{Name: trueLength, Value: mm, Unit: "mm", Calibration: stated(by)}})
	return append(v, Values(m)...), nil
}

// stated names who says so; a name is cut to what a value may hold.
func stated(by string) string {
	const nameMax = 200
	if len(by) > nameMax {
		by = strings.ToValidUTF8(by[:nameMax], "")
	}
	return calibratedBy + by
}

// calibratedBy begins the label of what rests on a calibration mark.
const calibratedBy = "calibrated by "

// ByHand reports whether values rest on a calibration mark.
func ByHand(v consult.Values) bool {
	return slices.ContainsFunc(v, func(x consult.Value) bool { return strings.HasPrefix(x.Calibration, calibratedBy) })
}

// TrueLength is what the author of a calibration says its two points measure, in mm; nil if the
// values are of no calibration.
func TrueLength(v consult.Values) *float64 {
	for _, x := range v {
		if x.Name == trueLength && x.Unit == "mm" {
			mm := float64(x.Thousandths) / 1000
			return &mm
		}
	}
	return nil
}

// Calibrated is the spacing that a calibration mark gives to its image. by is
// the name of the mark's author as the reader knows it.
func Calibrated(g *consult.Geometry, v consult.Values, f *render.Frame, by string) (Spacing, bool) {
	if t, ok := ToolOf(g); !ok || t.Construct != Scale {
		return Spacing{}, false
	}
	mm := TrueLength(v)
	if mm == nil {
		return Spacing{}, false
	}
	s, ok := scale(g, f, *mm)
	s.Label = stated(by)
	return s, ok
}

// scale makes two points mm apart, with the aspect that the image has.
func scale(g *consult.Geometry, f *render.Frame, mm float64) (Spacing, bool) {
	p := g.Pixels()
	s := SpacingOf(f, p...)
	if len(p) != 2 || s.None || !(mm > 0 && mm <= trueLengthMax) {
		return Spacing{}, false
	}
	k := mm / math.Hypot((p[1][0]-p[0][0])*s.DX, (p[1][1]-p[0][1])*s.DY)
	s.MM, s.DX, s.DY = true, s.DX*k, s.DY*k
	return s, s.DX > 0 && s.DY > 0 && max(s.DX, s.DY) <= spacingMax
}

// ruler measures the points of one mark.
type ruler struct {
	g *consult.Geometry
	p [][2]float64
	f *render.Frame
	s Spacing
}

// vector is a direction in mm, or in px of equal sides.
type vector struct{ x, y float64 }

func (v vector) dot(w vector) float64   { return v.x*w.x + v.y*w.y }
func (v vector) cross(w vector) float64 { return v.x*w.y - v.y*w.x }
func (v vector) length() float64        { return math.Hypot(v.x, v.y) }

func (r *ruler) between(a, b [2]float64) vector {
	return vector{(b[0] - a[0]) * r.s.DX, (b[1] - a[1]) * r.s.DY}
}

// line is the vector from point i to the next.
func (r *ruler) line(i int) vector { return r.between(r.p[i], r.p[i+1]) }

func (r *ruler) middle(i, j int) [2]float64 {
	return [2]float64{(r.p[i][0] + r.p[j][0]) / 2, (r.p[i][1] + r.p[j][1]) / 2}
}

func (r *ruler) len(name string, v float64) Measured {
	unit := "px"
	if r.s.MM {
		unit = "mm"
	}
	return Measured{Name: name, Value: v, Unit: unit, Calibration: r.s.Label}
}

// pure is an angle or a ratio: true wherever pixels have a known aspect.
func (r *ruler) pure(name, unit string, v float64) Measured {
	m := Measured{Name: name, Value: v, Unit: unit}
	if !r.s.Aspect {
		m.Calibration = uncalibrated
	}
	return m
}

func (r *ruler) deg(name string, radians float64) Measured {
	return r.pure(name, "deg", radians*180/math.Pi)
}

// angle between two directions, 0 to π: exact also near 0 and π.
func angle(v, w vector) (float64, error) {
	if v.length() == 0 || w.length() == 0 {
		return 0, ErrDegenerate
	}
	return math.Atan2(math.Abs(v.cross(w)), v.dot(w)), nil
}

// acute is the angle between two lines, 0 to π/2.
func acute(v, w vector) (float64, error) {
	a, err := angle(v, w)
	return min(a, math.Pi-a), err
}

// measures is how each construct is measured.
var measures = map[Construct]func(*ruler) ([]Measured, error){
	Nothing:    func(*ruler) ([]Measured, error) { return nil, nil },
	Probe:      (*ruler).probe,
	Length:     (*ruler).lengthAlong,
	Scale:      (*ruler).lengthAlong,
	Region:     (*ruler).region,
	Two:        (*ruler).two,
	Ratio:      (*ruler).ratio,
	LegLength:  (*ruler).legs,
	Angle:      func(r *ruler) ([]Measured, error) { return r.one(r.vertex()) },
	Supplement: func(r *ruler) ([]Measured, error) { a, err := r.vertex(); return r.one(math.Pi-a, err) },
	Axis:       (*ruler).axis,
	Lines:      func(r *ruler) ([]Measured, error) { return r.one(acute(r.line(0), r.line(2))) },
	Directed:   func(r *ruler) ([]Measured, error) { return r.one(angle(r.line(0), r.line(2))) },
	Perpendicular: func(r *ruler) ([]Measured, error) {
		a, err := acute(r.line(0), r.line(2))
		return r.one(math.Pi/2-a, err)
	},
	Incidence:  (*ruler).incidence,
	Tilt:       func(r *ruler) ([]Measured, error) { return r.one(r.tilt()) },
	Slope:      func(r *ruler) ([]Measured, error) { return r.one(r.slope()) },
	CentreEdge: (*ruler).centreEdge,
	HeartScore: (*ruler).heartScore,
}

func (r *ruler) one(radians float64, err error) ([]Measured, error) {
	if err != nil {
		return nil, err
	}
	return []Measured{r.deg("angle", radians)}, nil
}

func (r *ruler) probe() ([]Measured, error) {
	// A point on the far edge of the image belongs to its last pixel.
	x, y := min(int(r.p[0][0]), r.f.Cols()-1), min(int(r.p[0][1]), r.f.Rows()-1)
	v, ok := r.f.Value(x, y)
	switch {
	case !ok:
		return nil, ErrOutside
	case v.Padding:
		return nil, nil
	case v.Colour:
		var out []Measured
		for i, name := range channels {
			out = append(out, Measured{Name: name, Value: float64(v.RGB[i]), N: 1})
		}
		return out, nil
	}
	out := []Measured{{Name: "value", Value: v.Value, Unit: v.Unit, N: 1}}
	if k, err := render.Uptake(r.f.Pixel()); err == nil {
		out = append(out, Measured{Name: uptake, Value: k * v.Value, Unit: "SUV", N: 1})
	}
	return out, nil
}

func (r *ruler) lengthAlong() ([]Measured, error) {
	sum := 0.0
	for i := range len(r.p) - 1 {
		sum += r.line(i).length()
	}
	return []Measured{r.len("length", sum)}, nil
}

func (r *ruler) two() ([]Measured, error) {
	a, b := r.line(0).length(), r.line(2).length()
	return []Measured{r.len("long", max(a, b)), r.len("short", min(a, b))}, nil
}

func (r *ruler) ratio() ([]Measured, error) {
	a, b := r.line(0).length(), r.line(2).length()
	if b == 0 {
		return nil, ErrDegenerate
	}
	return []Measured{r.pure("ratio", "", a/b)}, nil
}

func (r *ruler) legs() ([]Measured, error) {
	if len(r.p) == 2 {
		return r.lengthAlong()
	}
	if len(r.p) != 4 {
		return nil, ErrPoints
	}
	a, b := r.line(0).length(), r.line(2).length()
	return []Measured{r.len("first", a), r.len("second", b), r.len("difference", a-b)}, nil
}

// vertex is the angle at the second of three points.
func (r *ruler) vertex() (float64, error) {
	return angle(r.between(r.p[1], r.p[0]), r.between(r.p[1], r.p[2]))
}

func (r *ruler) axis() ([]Measured, error) {
	a, err := r.vertex()
	if err != nil {
		return nil, err
	}
	return []Measured{r.deg("angle", a), r.deg("deviation", math.Pi-a)}, nil
}
