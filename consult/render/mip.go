package render

import (
	"fmt"
	"math"
)

// Kind is how a projection joins the cells along a ray.
type Kind int

// Kinds of projection.
const (
	Maximum Kind = iota
	Minimum
	Average
)

func (k Kind) String() string {
	return [...]string{"maximum", "minimum", "average"}[max(0, min(int(k), 2))]
}

// MIP projects the images from … to (both included, from 0) of an axis into
// one. A projection has no depth: its Pixel and Plane have no position, so that
// nothing looks up a point of it in the patient.
//
// On a grid that lies along the patient's axes the cells themselves are joined,
// and the result is brought to isotropic pixels; on an oblique one the
// reformatted images are.
func (v *Volume) MIP(a Axis, kind Kind, from, to int) Reformat {
	last := v.Count(a) - 1
	from, to = max(0, min(from, last)), max(0, min(to, last))
	if from > to {
		from, to = to, from
	}
	p := v.Plane(a, float64(from+to)/2)
	_, _, normal := a.basis()
	k, against := v.nearest(normal)
	var values []float32
	if v.aligned() {
		if against {
			from, to = last-to, last-from
		}
		flat := *v
		flat.grid = v.project(k, kind, from, to)
		flat.origin = along(v.origin, v.axis[k], v.step[k]*float64(from+to)/2)
		values = flat.grid.sample(flat.affine(p), p.Rows, p.Cols)
	} else {
		values = v.joinSlices(a, kind, from, to)
	}
	thick := float64(to-from+1) * v.step[k]
	r := v.image(p, values, fmt.Sprintf("%s intensity projection of %.4g mm", kind, thick))
	r.Plane.FrameOfRef, r.Pixel.FrameOfRef, r.Pixel.Position, r.Pixel.SliceThickness = "", "", nil, thick
	return r
}

// aligned reports whether the grid lies along the patient's axes, a thousandth
// of a radian forgiven.
func (v *Volume) aligned() bool {
	for _, e := range v.axis {
		if max(math.Abs(e[0]), math.Abs(e[1]), math.Abs(e[2])) < 1-5e-7 {
			return false
		}
	}
	return true
}

// joinSlices projects reformatted images.
func (v *Volume) joinSlices(a Axis, kind Kind, from, to int) []float32 {
	p := v.Plane(a, 0)
	images := make([][]float32, to-from+1)
	const batch = 16 // images at a time in memory
	acc := newJoiner(kind, p.Rows*p.Cols)
	for first := 0; first < len(images); first += batch {
		n := min(batch, len(images)-first)
		run(v.each, n, func(i int) {
			q := v.Plane(a, float64(from+first+i))
			images[first+i] = v.grid.sample(v.affine(q), q.Rows, q.Cols)
		})
		for i := first; i < first+n; i++ {
			for j, c := range images[i] {
				if c == c {
					acc.add(j, float64(c))
				}
			}
			images[i] = nil
		}
	}
	out := make([]float32, p.Rows*p.Cols)
	for j := range out {
		out[j] = nan
		if c, ok := acc.value(j); ok {
			out[j] = float32(c)
		}
	}
	return out
}

// joiner joins values by place.
type joiner struct {
	kind  Kind
	total []float64
	count []int32
}

func newJoiner(kind Kind, n int) *joiner {
	return &joiner{kind: kind, total: make([]float64, n), count: make([]int32, n)}
}

func (p *joiner) add(i int, v float64) {
	switch {
	case p.count[i] == 0:
		p.total[i] = v
	case p.kind == Maximum:
		p.total[i] = max(p.total[i], v)
	case p.kind == Minimum:
		p.total[i] = min(p.total[i], v)
	default:
		p.total[i] += v
	}
	p.count[i]++
}

func (p *joiner) value(i int) (float64, bool) {
	if p.kind == Average && p.count[i] > 0 {
		return p.total[i] / float64(p.count[i]), true
	}
	return p.total[i], p.count[i] > 0
}

// project joins the cells from … to along index k; of the result n[k] is 1.
func (v *Volume) project(k int, kind Kind, from, to int) grid {
	g := &v.grid
	out := grid{n: g.n, holes: g.holes}
	out.n[k] = 1
	if g.wide != nil {
		out.wide = projectCells(v, g.wide, k, kind, from, to, noWide)
	} else {
		out.short = projectCells(v, g.short, k, kind, from, to, noCell)
	}
	return out
}

// projectCells walks the cells in the order they lie in. The work is parted so
// that no two parts write one cell: by slices, or by rows where slices are joined.
func projectCells[T int16 | float32](v *Volume, cells []T, k int, kind Kind, from, to int, none T) []T {
	n := v.grid.n
	m := n
	m[k] = 1
	out := make([]T, m[0]*m[1]*m[2])
	low, high := [3]int{}, [3]int{n[0] - 1, n[1] - 1, n[2] - 1}
	low[k], high[k] = from, to
	parted := 2 // the index by which the work is parted
	if k == 2 {
		parted = 1
	}
	run(v.each, n[parted], func(i int) {
		lo, hi := low, high
		lo[parted], hi[parted] = i, i
		switch {
		case kind == Average:
			average(out, cells, n, m, k, lo, hi, none)
		case k == 0:
			alongRows(out, cells, n, m, lo, hi, kind, none)
		default:
			acrossRows(out, cells, n, m, k, lo, hi, kind, none)
		}
	})
	return out
}

// rowOf is where a row of cells begins in a grid whose index may be flat.
func rowOf(n [3]int, y, z int) int { return n[0] * (min(y, n[1]-1) + n[1]*min(z, n[2]-1)) }

// alongRows: each row becomes one cell.
func alongRows[T int16 | float32](out, cells []T, n, m, lo, hi [3]int, kind Kind, none T) {
	for z := lo[2]; z <= hi[2]; z++ {
		for y := lo[1]; y <= hi[1]; y++ {
			at := rowOf(n, y, z)
			best, row := none, cells[at+lo[0]:at+hi[0]+1]
			if kind == Maximum { // the lowest value is none
				for _, c := range row {
					best = max(best, c)
				}
			} else {
				for _, c := range row {
					if c != none && (best == none || c < best) {
						best = c
					}
				}
			}
			out[rowOf(m, y, z)] = best
		}
	}
}

// acrossRows: rows are joined cell by cell.
func acrossRows[T int16 | float32](out, cells []T, n, m [3]int, k int, lo, hi [3]int, kind Kind, none T) {
	for z := lo[2]; z <= hi[2]; z++ {
		for y := lo[1]; y <= hi[1]; y++ {
			src := cells[rowOf(n, y, z):][:n[0]]
			dst := out[rowOf(m, y, z):][:n[0]]
			switch {
			case k == 1 && y == lo[1] || k == 2 && z == lo[2]: // the first of a ray
				copy(dst, src)
			case kind == Maximum: // the lowest value is none
				for i, c := range src {
					dst[i] = max(dst[i], c)
				}
			default:
				for i, c := range src {
					if c != none && (dst[i] == none || c < dst[i]) {
						dst[i] = c
					}
				}
			}
		}
	}
}

// average is rounded for whole cells.
func average[T int16 | float32](out, cells []T, n, m [3]int, k int, lo, hi [3]int, none T) {
	width := m[0]
	sum, count := make([]float64, width), make([]int32, width)
	flush := func(at int) {
		for i := range width {
			c := none
			if count[i] > 0 {
				mean := sum[i] / float64(count[i])
				if none == noCell {
					mean = math.Round(mean)
				}
				c = T(mean)
			}
			out[at+i], sum[i], count[i] = c, 0, 0
		}
	}
	for z := lo[2]; z <= hi[2]; z++ {
		for y := lo[1]; y <= hi[1]; y++ {
			row := cells[rowOf(n, y, z):][lo[0] : hi[0]+1]
			if k == 0 {
				total, valid := 0.0, int32(0)
				for _, c := range row {
					if c != none {
						total, valid = total+float64(c), valid+1
					}
				}
				sum[0], count[0] = total, valid
				flush(rowOf(m, y, z))
				continue
			}
			for i, c := range row {
				if c != none {
					sum[i], count[i] = sum[i]+float64(c), count[i]+1
				}
			}
		}
		if k == 1 {
			flush(rowOf(m, 0, z))
		}
	}
	if k == 2 {
		flush(rowOf(m, lo[1], 0))
	}
}
