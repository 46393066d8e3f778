package render

import "math"

// Segment is a line on an image, in the coordinates of annotations.
type Segment struct {
	X0 float64 `json:"x0"`
	Y0 float64 `json:"y0"`
	X1 float64 `json:"x1"`
	Y1 float64 `json:"y1"`
}

// parallelSine: planes within a degree of each other meet nowhere that helps.
const parallelSine = 0.0175

// Localizer is the line in which the image other cuts the image on, as long as
// both images reach. ok is false where the Frames of Reference are not one,
// where the planes are parallel, and where the images do not meet.
func Localizer(on, other Plane) (s Segment, ok bool) {
	if on.FrameOfRef == "" || on.FrameOfRef != other.FrameOfRef {
		return s, false
	}
	n, m := on.Normal(), other.Normal()
	dir := cross(n, m)
	sine := math.Sqrt(dot(dir, dir))
	if !(sine > parallelSine) {
		return s, false
	}
	for i := range dir {
		dir[i] /= sine
	}
	// The point of both planes that is nearest to on's origin: there the other
	// plane is d away along its normal, and going t within on gains t sine of it.
	d := dot(minus3(other.Origin, on.Origin), m)
	at := along(on.Origin, cross(dir, n), d/sine)
	t0, t1 := math.Inf(-1), math.Inf(1)
	for _, p := range []Plane{on, other} {
		x, y, _ := p.Pixel(at)
		t0, t1 = clip(t0, t1, x, dot(dir, p.Row)/p.DX, float64(p.Cols))
		t0, t1 = clip(t0, t1, y, dot(dir, p.Col)/p.DY, float64(p.Rows))
	}
	if !(t0 < t1) || math.IsInf(t0, 0) || math.IsInf(t1, 0) {
		return s, false
	}
	s.X0, s.Y0, _ = on.Pixel(along(at, dir, t0))
	s.X1, s.Y1, _ = on.Pixel(along(at, dir, t1))
	return s, true
}

// clip keeps the part of t0…t1 where 0 ≤ x + t slope ≤ high.
func clip(t0, t1, x, slope, high float64) (a, b float64) {
	if math.Abs(slope) < 1e-12 {
		if x < 0 || x > high {
			return 1, 0
		}
		return t0, t1
	}
	a, b = -x/slope, (high-x)/slope
	return max(t0, min(a, b)), min(t1, max(a, b))
}
