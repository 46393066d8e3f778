package consult

import (
	"fmt"
	"math"
	"strings"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

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
	ShapeKey           Shape = 12 // a key image: the point of interest
)

var shapes = names{
	1: "point", 2: "distance", 3: "angle", 4: "cobb", 5: "rectangle", 6: "ellipse", 7: "polyline", 8: "polygon", 9: "arrow", 10: "bidirectional", 11: "text", 12: "key",
}

// shapePoints is how many points a shape has, at least and at most.
var shapePoints = map[Shape][2]int{
	ShapePoint: {1, 1}, ShapeDistance: {2, 2}, ShapeAngle: {3, 3}, ShapeCobb: {4, 4}, ShapeRectangle: {2, 2}, ShapeEllipse: {4, 4},
	ShapePolyline: {2, PointsMax}, ShapePolygon: {3, PointsMax}, ShapeArrow: {2, 2}, ShapeBidirectional: {4, 4}, ShapeText: {1, 1}, ShapeKey: {1, 1},
}

// String names the shape as scripts do.
func (s Shape) String() string { return shapes.of(uint64(s)) }

// ParseShape reads a name.
func ParseShape(s string) (Shape, bool) { n, ok := shapes.parse(s); return Shape(n), ok }

// Geometry is the shape of a mark, field 2 of kinds 37 and 38:
//
//	Geometry = { 1: shape, 2: [+ [x, y]], ?3: tool }     in thousandths of a pixel, (0,0) the top left corner of the image, for CBOR here has no floats
//
// Tool names what the shape is drawn for, such as "hallux-valgus"; without it the
// shape is the tool. Package annot knows the tools.
type Geometry struct {
	Shape  Shape           `cbor:"1,keyasint"`
	Points []GeometryPoint `cbor:"2,keyasint"`
	Tool   string          `cbor:"3,keyasint,omitempty"`
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
	if !toolName(g.Tool) {
		return fmt.Errorf("geometry: %w", ErrText)
	}
	for _, p := range g.Points {
		if max(p.X, -p.X, p.Y, -p.Y) > coordinateMax || p.X < -coordinateMax || p.Y < -coordinateMax {
			return fmt.Errorf("geometry: %w", ErrField)
		}
	}
	return nil
}

// toolName accepts no tool, and names in lower case letters, digits and dashes.
func toolName(s string) bool {
	return len(s) <= ToolMax && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
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
