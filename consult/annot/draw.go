package annot

import (
	"math"

	"github.com/curbside-p2p/curbside/consult/consult"
)

// Path is a line to be drawn, in pixels of the image.
type Path struct {
	Points [][2]float64
	Closed bool
}

// ellipseSegments draws an ellipse: less than a tenth of a pixel off for any
// that fits a screen.
const ellipseSegments = 96

// Paths is what a mark looks like: lines, an outline, or single points. The head
// of an arrow is the last point of its path.
func Paths(g *consult.Geometry) []Path {
	p := g.Pixels()
	switch t, _ := ToolOf(g); {
	case g.Shape == consult.ShapeEllipse:
		return []Path{{Points: ellipsePoints(p), Closed: true}}
	case g.Shape == consult.ShapeRectangle, g.Shape == consult.ShapePolygon:
		out := Path{Closed: true}
		for _, q := range outline(g) {
			out.Points = append(out.Points, [2]float64{float64(q.X) / 1000, float64(q.Y) / 1000})
		}
		return []Path{out}
	case t.Construct == Incidence, t.Construct == Tilt:
		m, h := mid(p[0], p[1]), mid(p[2], p[3])
		return []Path{{Points: p[:2]}, {Points: p[2:]}, {Points: [][2]float64{m, h}}}
	case g.Shape == consult.ShapeCobb, g.Shape == consult.ShapeBidirectional:
		return []Path{{Points: p[:2]}, {Points: p[2:]}}
	case t.Construct == HeartScore:
		return []Path{{Points: p[:2]}, {Points: p[2:4]}, {Points: p[4:]}}
	}
	return []Path{{Points: p}}
}

func mid(a, b [2]float64) [2]float64 { return [2]float64{(a[0] + b[0]) / 2, (a[1] + b[1]) / 2} }

func ellipsePoints(p [][2]float64) [][2]float64 {
	c := mid(mid(p[0], p[1]), mid(p[2], p[3]))
	ux, uy, vx, vy := (p[1][0]-p[0][0])/2, (p[1][1]-p[0][1])/2, (p[3][0]-p[2][0])/2, (p[3][1]-p[2][1])/2
	out := make([][2]float64, ellipseSegments)
	for i := range out {
		s, k := math.Sincos(2 * math.Pi * float64(i) / ellipseSegments)
		out[i] = [2]float64{c[0] + k*ux + s*vx, c[1] + k*uy + s*vy}
	}
	return out
}
