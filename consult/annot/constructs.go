package annot

import "math"

// Constructs of several parts. Images stand upright in them: the second row is
// below the first one in the patient, as in standing radiographs.

// hips is from the middle of the sacral endplate (points 0, 1) to the middle
// between the femoral heads (points 2, 3).
func (r *ruler) hips() vector { return r.between(r.middle(0, 1), r.middle(2, 3)) }

// incidence: between the perpendicular of the sacral endplate in its middle and the
// line from there to the hip axis (Legaye 1998). Tilt and slope come with it.
func (r *ruler) incidence() ([]Measured, error) {
	a, err := acute(r.line(0), r.hips())
	if err != nil {
		return nil, err
	}
	t, err := r.tilt()
	if err != nil {
		return nil, err
	}
	s, err := r.slope()
	if err != nil {
		return nil, err
	}
	return []Measured{r.deg("angle", math.Pi/2-a), r.deg("tilt", t), r.deg("slope", s)}, nil
}

// tilt: between the vertical and the line from the middle of the endplate to the
// hip axis, positive where that lies to the anterior.
func (r *ruler) tilt() (float64, error) {
	h, anterior := r.hips(), r.line(0).x
	if h.length() == 0 || anterior == 0 {
		return 0, ErrDegenerate
	}
	return math.Atan2(h.x*sign(anterior), math.Abs(h.y)), nil
}

// slope: between the endplate and the horizontal, positive where its anterior end
// is the lower one.
func (r *ruler) slope() (float64, error) {
	l := r.line(0)
	if l.length() == 0 {
		return 0, ErrDegenerate
	}
	return math.Atan2(l.y, math.Abs(l.x)), nil
}

func sign(v float64) float64 { return math.Copysign(1, v) }

// centreEdge: between the perpendicular of the line through both femoral heads and
// the line from the head's centre to the edge of the roof (Wiberg 1939); negative
// where the edge is medial of the centre.
func (r *ruler) centreEdge() ([]Measured, error) {
	edge, other := r.between(r.p[1], r.p[0]), r.between(r.p[1], r.p[2])
	if edge.length() == 0 || other.length() == 0 {
		return nil, ErrDegenerate
	}
	return r.one(math.Atan2(-edge.dot(other), math.Abs(edge.cross(other))), nil)
}

// heartScore: long and short axis of the heart in vertebrae, counted from the
// cranial edge of T4 along the edges given (Buchanan, Bücheler 1995). Past the
// last edge, vertebrae are as long as the mean of those given.
func (r *ruler) heartScore() ([]Measured, error) {
	var edges []float64
	sum := 0.0
	for i := 4; i+1 < len(r.p); i++ {
		l := r.line(i).length()
		if l == 0 {
			return nil, ErrDegenerate
		}
		edges = append(edges, l)
		sum += l
	}
	if sum == 0 {
		return nil, ErrDegenerate
	}
	count := func(l float64) float64 {
		n := 0.0
		for _, e := range edges {
			if l <= e {
				return n + l/e
			}
			l, n = l-e, n+1
		}
		return n + l/(sum/float64(len(edges)))
	}
	long, short := count(r.line(0).length()), count(r.line(2).length())
	return []Measured{r.pure("score", "", long+short), r.pure("long", "", long), r.pure("short", "", short)}, nil
}
