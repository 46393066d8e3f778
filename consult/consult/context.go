package consult

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Context is what a request says beside the question, field 4 of kind 32:
//
//	Context = { 1: 1, ?2: [lineage 16] sorted, ?3: reply-to, ?4: [[field, value]] sorted, ?5: consent in words }
//
// Priors are the lineages sent for comparison only. Form is the request form by
// field name.
type Context struct {
	Priors      [][16]byte
	ReplyTo     string // call-back contact with its hours and zone
	Form        map[string]string
	ConsentNote string
}

type contextBody struct {
	Format      uint64      `cbor:"1,keyasint"`
	Priors      [][16]byte  `cbor:"2,keyasint,omitempty"`
	ReplyTo     string      `cbor:"3,keyasint,omitempty"`
	Form        []formField `cbor:"4,keyasint,omitempty"`
	ConsentNote string      `cbor:"5,keyasint,omitempty"`
}

type formField struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value string
}

// Empty reports whether there is nothing to say.
func (c Context) Empty() bool {
	return len(c.Priors) == 0 && c.ReplyTo == "" && len(c.Form) == 0 && c.ConsentNote == ""
}

// Encode returns the context for a RequestBody: nil if it is empty, which
// leaves the field out.
func (c Context) Encode() (wire.Raw, error) {
	if c.Empty() {
		return nil, nil
	}
	b := contextBody{Format: 1, Priors: slices.Clone(c.Priors), ReplyTo: c.ReplyTo, ConsentNote: c.ConsentNote}
	slices.SortFunc(b.Priors, func(x, y [16]byte) int { return bytes.Compare(x[:], y[:]) })
	b.Priors = slices.Compact(b.Priors)
	for _, name := range slices.Sorted(maps.Keys(c.Form)) {
		b.Form = append(b.Form, formField{Name: name, Value: c.Form[name]})
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("context: %w", err)
	}
	return wire.Marshal(b)
}

// DecodeContext reads what Encode writes; nothing is an empty context.
func DecodeContext(raw wire.Raw) (Context, error) {
	if len(raw) == 0 {
		return Context{}, nil
	}
	var b contextBody
	if err := wire.Unmarshal(raw, &b); err != nil {
		return Context{}, fmt.Errorf("context: %w", err)
	}
	if err := b.check(); err != nil {
		return Context{}, fmt.Errorf("context: %w", err)
	}
	c := Context{Priors: b.Priors, ReplyTo: b.ReplyTo, ConsentNote: b.ConsentNote}
	if len(b.Form) > 0 {
		c.Form = map[string]string{}
	}
	for _, f := range b.Form {
		c.Form[f.Name] = f.Value
	}
	return c, nil
}

func (b *contextBody) check() error {
	switch {
	case b.Format != 1:
		return ErrField
	case len(b.Priors) > PriorsMax, len(b.Form) > FormMax:
		return ErrMany
	case !wire.Ascending(b.Priors, func(x *[16]byte) []byte { return x[:] }):
		return ErrMany
	case len(b.ReplyTo) > TextMax, len(b.ConsentNote) > TextMax:
		return ErrText
	}
	for i, f := range b.Form {
		if f.Name == "" || len(f.Name) > NameMax || len(f.Value) > TextMax {
			return ErrText
		}
		if i > 0 && cmp.Compare(b.Form[i-1].Name, f.Name) >= 0 {
			return ErrMany
		}
	}
	return nil
}

// Shape is what a geometry draws.
type Shape uint64

// The shapes of marks.
const (
	ShapePoint         Shape = 1
	ShapeDistance      Shape = 2 // two points
	ShapeAngle         Shape = 3 // three points, the vertex second
	ShapeCobb          Shape = 4 // two lines of two points
	ShapeRectangle     Shape = 5 // two corners
	ShapeEllipse       Shape = 6 // the ends of both axes, four points
	ShapePolyline      Shape = 7
	ShapePolygon       Shape = 8 // closed
	ShapeArrow         Shape = 9 // from tail to tip
	ShapeBidirectional Shape = 10
	ShapeText          Shape = 11 // where the label stands
)

var shapes = names{
	1: "point", 2: "distance", 3: "angle", 4: "cobb", 5: "rectangle", 6: "ellipse", 7: "polyline", 8: "polygon", 9: "arrow", 10: "bidirectional", 11: "text",
}

// shapePoints is how many points a shape has, at least and at most.
var shapePoints = map[Shape][2]int{
	ShapePoint: {1, 1}, ShapeDistance: {2, 2}, ShapeAngle: {3, 3}, ShapeCobb: {4, 4}, ShapeRectangle: {2, 2}, ShapeEllipse: {4, 4},
	ShapePolyline: {2, PointsMax}, ShapePolygon: {3, PointsMax}, ShapeArrow: {2, 2}, ShapeBidirectional: {4, 4}, ShapeText: {1, 1},
}

// String names the shape as scripts do.
func (s Shape) String() string { return shapes.of(uint64(s)) }

// ParseShape reads a name.
func ParseShape(s string) (Shape, bool) { n, ok := shapes.parse(s); return Shape(n), ok }

// Geometry is the shape of a mark, field 2 of kinds 37 and 38:
//
//	Geometry = { 1: shape, 2: [+ [x, y]] }     in thousandths of a pixel, (0,0) the top left corner of the image, for CBOR here has no floats
type Geometry struct {
	Shape  Shape           `cbor:"1,keyasint"`
	Points []GeometryPoint `cbor:"2,keyasint"`
}

// GeometryPoint is one point in thousandths of a pixel.
type GeometryPoint struct {
	_    struct{} `cbor:",toarray"`
	X, Y int64
}

// pixelUnits is how many units of a GeometryPoint a pixel has.
const pixelUnits = 1000

// NewGeometry makes a geometry from pixel coordinates.
func NewGeometry(shape Shape, points [][2]float64) (*Geometry, error) {
	g := &Geometry{Shape: shape}
	for _, p := range points {
		x, y := math.Round(p[0]*pixelUnits), math.Round(p[1]*pixelUnits)
		if !(math.Abs(x) <= coordinateMax && math.Abs(y) <= coordinateMax) {
			return nil, fmt.Errorf("geometry: %w", ErrField)
		}
		g.Points = append(g.Points, GeometryPoint{X: int64(x), Y: int64(y)})
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	return g, nil
}

// coordinateMax is beyond any image, and exact in a float64.
const coordinateMax = 1 << 40

// Pixels returns the points in pixels.
func (g *Geometry) Pixels() [][2]float64 {
	out := make([][2]float64, 0, len(g.Points))
	for _, p := range g.Points {
		out = append(out, [2]float64{float64(p.X) / pixelUnits, float64(p.Y) / pixelUnits})
	}
	return out
}

// Encode returns the geometry for a body.
func (g *Geometry) Encode() (wire.Raw, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	return wire.Marshal(g)
}

// DecodeGeometry reads what Encode writes.
func DecodeGeometry(raw wire.Raw) (*Geometry, error) {
	if len(raw) > GeometryMax {
		return nil, fmt.Errorf("geometry: %w", ErrLen)
	}
	g := &Geometry{}
	if err := wire.Unmarshal(raw, g); err != nil {
		return nil, fmt.Errorf("geometry: %w", err)
	}
	return g, g.check()
}

func (g *Geometry) check() error {
	n, ok := shapePoints[g.Shape]
	if !ok {
		return fmt.Errorf("geometry: %w", ErrField)
	}
	if len(g.Points) < n[0] || len(g.Points) > n[1] {
		return fmt.Errorf("geometry: %w", ErrMany)
	}
	for _, p := range g.Points {
		if max(p.X, -p.X, p.Y, -p.Y) > coordinateMax || p.X < -coordinateMax || p.Y < -coordinateMax {
			return fmt.Errorf("geometry: %w", ErrField)
		}
	}
	return nil
}

// Values is what a mark measures, field 4 of kinds 37 and 38:
//
//	Values = [+ [name, value in thousandths, unit, calibration]]
type Values []Value

// Value is one measured value. Calibration says where the unit comes from.
type Value struct {
	_           struct{} `cbor:",toarray"`
	Name        string   // such as "length", "mean"
	Thousandths int64
	Unit        string // such as "mm", "px", "HU"
	Calibration string
}

// Encode returns the values for a body, nil if there are none.
func (v Values) Encode() (wire.Raw, error) {
	if len(v) == 0 {
		return nil, nil
	}
	if err := v.check(); err != nil {
		return nil, err
	}
	return wire.Marshal([]Value(v))
}

// DecodeValues reads what Encode writes; nothing is no values.
func DecodeValues(raw wire.Raw) (Values, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if len(raw) > GeometryMax {
		return nil, fmt.Errorf("values: %w", ErrLen)
	}
	var v []Value
	if err := wire.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	return v, Values(v).check()
}

// valuesMax bounds the values of one mark.
const valuesMax = 64

func (v Values) check() error {
	if len(v) == 0 || len(v) > valuesMax {
		return fmt.Errorf("values: %w", ErrMany)
	}
	for _, x := range v {
		if x.Name == "" || len(x.Name) > NameMax || len(x.Unit) > NameMax || len(x.Calibration) > NameMax {
			return fmt.Errorf("values: %w", ErrText)
		}
	}
	return nil
}
