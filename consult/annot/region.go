package annot

import (
	"math"
	"math/bits"
	"slices"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/render"
)

// uptake begins the names of standardised uptake values. Their factor needs weight
// and dose, which a pseudonymous share may lack.
const uptake = "suv"

var channels = [3]string{"red", "green", "blue"}

// region is the statistics of the pixels whose centre lies inside (even-odd),
// padding left out and counted, and the exact area of the outline.
func (r *ruler) region() ([]Measured, error) {
	stats, padding := r.collect()
	if stats[0].n == 0 {
		return nil, nil
	}
	var out []Measured
	n := stats[0].n
	add := func(name, unit string, v float64) {
		out = append(out, Measured{Name: name, Value: v, Unit: unit, N: n})
	}
	for i := range stats {
		s, suffix := &stats[i], ""
		if r.f.Colour() {
			suffix = " " + channels[i]
		}
		add("mean"+suffix, r.f.Unit(), s.mean)
		add("sd"+suffix, r.f.Unit(), math.Sqrt(s.m2/float64(s.n)))
		add("min"+suffix, r.f.Unit(), s.low)
		add("max"+suffix, r.f.Unit(), s.high)
	}
	if k, err := render.Uptake(r.f.Pixel()); err == nil && !r.f.Colour() {
		add(uptake+" mean", "SUV", k*stats[0].mean)
		add(uptake+" max", "SUV", k*stats[0].high)
	}
	if !r.s.None {
		out = append(out, r.areaOf(n))
	}
	add("n", "", float64(n))
	if padding > 0 {
		add("padding", "", float64(padding))
	}
	return out, nil
}

func (r *ruler) areaOf(n int) Measured {
	m := r.len("area", r.area())
	if r.s.MM {
		m.Value *= r.s.DX * r.s.DY
	}
	m.Unit, m.N = m.Unit+"2", n
	return m
}

// statistic gathers mean and spread in one pass (Welford), which loses nothing
// where values are large and alike.
type statistic struct {
	n         int
	mean, m2  float64
	low, high float64
}

func (s *statistic) add(v float64) {
	if s.n == 0 {
		s.low, s.high = v, v
	}
	s.n++
	d := v - s.mean
	s.mean += d / float64(s.n)
	s.m2 += d * (v - s.mean)
	s.low, s.high = min(s.low, v), max(s.high, v)
}

func (r *ruler) collect() (stats []statistic, padding int) {
	stats = make([]statistic, 1)
	if r.f.Colour() {
		stats = make([]statistic, len(channels))
	}
	add := func(x, y int) {
		v, ok := r.f.Value(x, y)
		switch {
		case !ok:
		case v.Padding:
			padding++
		case v.Colour:
			for i := range stats {
				stats[i].add(float64(v.RGB[i]))
			}
		default:
			stats[0].add(v.Value)
		}
	}
	if r.g.Shape == consult.ShapeEllipse {
		r.ellipse(add)
	} else {
		r.polygon(add)
	}
	return stats, padding
}

func centre(i int) int64 { return int64(i)*1000 + 500 }

// outline is the closed outline of a rectangle or polygon.
func outline(g *consult.Geometry) []consult.GeometryPoint {
	if g.Shape != consult.ShapeRectangle {
		return g.Points
	}
	a, b := g.Points[0], g.Points[1]
	return []consult.GeometryPoint{a, {X: b.X, Y: a.Y}, b, {X: a.X, Y: b.Y}}
}

// polygon visits the pixels whose centre lies inside, by the even-odd rule, row by
// row. All of it is in whole thousandths of a pixel, so exact: a centre on a left or
// upper edge is in, one on a right or lower edge is out, and regions that share
// an edge share no pixel.
func (r *ruler) polygon(visit func(x, y int)) {
	p := outline(r.g)
	box := r.box(p)
	var ends []int
	for y := box[1]; y < box[3]; y++ {
		ends = crossings(ends[:0], p, centre(y))
		slices.Sort(ends)
		for i := 0; i+1 < len(ends); i += 2 {
			for x := max(0, ends[i]); x < min(ends[i+1], r.f.Cols()); x++ {
				visit(x, y)
			}
		}
	}
}

// crossings appends, for each edge that crosses the row of centres at y, how many
// pixel centres of the row lie left of it.
func crossings(out []int, p []consult.GeometryPoint, y int64) []int {
	for i := range p {
		a, b := p[i], p[(i+1)%len(p)]
		if (a.Y <= y) == (b.Y <= y) {
			continue
		}
		if a.Y > b.Y {
			a, b = b, a
		}
		// The edge is at a.X + (y-a.Y)(b.X-a.X)/h; centres are at 1000 n + 500.
		h := b.Y - a.Y
		out = append(out, int(ceilDiv((a.X-500)*h+(y-a.Y)*(b.X-a.X), 1000*h)))
	}
	return out
}

// ceilDiv is a/b rounded up, b > 0.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}

// box are the pixels that an outline can hold.
func (r *ruler) box(p []consult.GeometryPoint) [4]int {
	x0, y0, x1, y1 := p[0].X, p[0].Y, p[0].X, p[0].Y
	for _, q := range p {
		x0, y0, x1, y1 = min(x0, q.X), min(y0, q.Y), max(x1, q.X), max(y1, q.Y)
	}
	return r.clip(x0, y0, x1, y1)
}

func (r *ruler) clip(x0, y0, x1, y1 int64) [4]int {
	const unit = 1000
	return [4]int{
		int(max(0, x0/unit-1)), int(max(0, y0/unit-1)), int(min(int64(r.f.Cols()), x1/unit+1)), int(min(int64(r.f.Rows()), y1/unit+1)),
	}
}

// ellipse visits the pixels whose centre is c + a u + b v with a² + b² < 1, u and v
// being the half axes. All is multiplied by the determinant of u and v, and in 128 bits.
func (r *ruler) ellipse(visit func(x, y int)) {
	p := r.g.Points
	// Twice the centre and the whole axes: whole numbers.
	cx, cy := (p[0].X+p[1].X+p[2].X+p[3].X)/2, (p[0].Y+p[1].Y+p[2].Y+p[3].Y)/2
	ux, uy, vx, vy := p[1].X-p[0].X, p[1].Y-p[0].Y, p[3].X-p[2].X, p[3].Y-p[2].Y
	det := abs(ux*vy - uy*vx)
	hx, hy := (abs(ux)+abs(vx))/2+1, (abs(uy)+abs(vy))/2+1
	box := r.clip(cx/2-hx, cy/2-hy, cx/2+hx, cy/2+hy)
	for y := box[1]; y < box[3]; y++ {
		for x := box[0]; x < box[2]; x++ {
			dx, dy := 2*centre(x)-cx, 2*centre(y)-cy
			if squares(uint64(abs(dx*vy-dy*vx)), uint64(abs(dx*uy-dy*ux)), uint64(det)) {
				visit(x, y)
			}
		}
	}
}

// squares reports a² + b² < c².
func squares(a, b, c uint64) bool {
	ah, al := bits.Mul64(a, a)
	bh, bl := bits.Mul64(b, b)
	ch, cl := bits.Mul64(c, c)
	sl, carry := bits.Add64(al, bl, 0)
	sh, over := bits.Add64(ah, bh, carry)
	return over == 0 && (sh < ch || sh == ch && sl < cl)
}

func abs(v int64) int64 { return max(v, -v) }

// area of the outline in pixels, exact for the points as stored.
func (r *ruler) area() float64 {
	p := r.g.Points
	if r.g.Shape == consult.ShapeEllipse {
		ux, uy, vx, vy := p[1].X-p[0].X, p[1].Y-p[0].Y, p[3].X-p[2].X, p[3].Y-p[2].Y
		return math.Pi / 4 * float64(abs(ux*vy-uy*vx)) / 1e6
	}
	return shoelace(outline(r.g))
}

// shoelace is the area of a simple polygon, summed in 128 bits.
func shoelace(p []consult.GeometryPoint) float64 {
	var high int64
	var low, carry uint64
	for i := range p {
		a, b := p[i], p[(i+1)%len(p)]
		term := (a.X-p[0].X)*(b.Y-p[0].Y) - (b.X-p[0].X)*(a.Y-p[0].Y)
		low, carry = bits.Add64(low, uint64(term), 0)
		high += term>>63 + int64(carry)
	}
	if high < 0 {
		low, carry = bits.Add64(^low, 1, 0)
		high = ^high + int64(carry)
	}
	return (float64(high)*(1<<64) + float64(low)) / 2 / 1e6
}
