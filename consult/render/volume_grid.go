package render

import (
	"encoding/binary"
	"math"
)

// Cells without a value: outside of the volume, or pixel padding. The lowest
// value stands for them, so that no projection of maxima takes them.
const (
	noCell = math.MinInt16
	noWide = -math.MaxFloat32
)

// grid is cells in three dimensions, the first index running fastest: 16-bit
// stored values where all slices have one rescale, else modality values.
type grid struct {
	n     [3]int
	short []int16
	wide  []float32
	holes bool // there are cells without a value
}

func (g *grid) bytes() int { return 2*len(g.short) + 4*len(g.wide) }

// affine leads from pixels to indices: at + x dx + y dy.
type affine struct{ at, dx, dy [3]float64 }

var nan = float32(math.NaN())

// sample interpolates rows × cols values; NaN where there is none.
func (g *grid) sample(a affine, rows, cols int) []float32 {
	out := make([]float32, rows*cols)
	for y := range rows {
		row := out[y*cols : (y+1)*cols]
		var at [3]float64
		for k := range at {
			at[k] = a.at[k] + float64(y)*a.dy[k]
		}
		if g.wide != nil {
			sampleRow(row, g.wide, g.n, at, a.dx, g.holes, noWide)
		} else {
			sampleRow(row, g.short, g.n, at, a.dx, g.holes, noCell)
		}
	}
	return out
}

// corner is one index between two cells: the lower one, the way to the other
// (0 at the far edge) and the fraction.
type corner struct {
	i, next  int
	fraction float64
}

// between finds the cells around f; up to half a cell beyond the outermost
// centres the outermost cell counts. A little more is forgiven to rounding.
func between(f float64, n, stride int) (c corner, ok bool) {
	if !(f >= -0.5-1e-6 && f <= float64(n)-0.5+1e-6) {
		return c, false
	}
	f = max(0, min(f, float64(n-1)))
	i := int(f)
	c = corner{i: i * stride, fraction: f - float64(i)}
	if c.fraction > 0 {
		c.next = stride
	}
	return c, true
}

func sampleRow[T int16 | float32](row []float32, cells []T, n [3]int, at, dx [3]float64, holes bool, none T) {
	a, ok0 := between(at[0], n[0], 1)
	b, ok1 := between(at[1], n[1], n[0])
	c, ok2 := between(at[2], n[2], n[0]*n[1])
	for x := range row {
		fx := float64(x)
		if dx[0] != 0 { // of indices that lie along the patient's axes only one changes
			a, ok0 = between(at[0]+fx*dx[0], n[0], 1)
		}
		if dx[1] != 0 {
			b, ok1 = between(at[1]+fx*dx[1], n[1], n[0])
		}
		if dx[2] != 0 {
			c, ok2 = between(at[2]+fx*dx[2], n[2], n[0]*n[1])
		}
		if !ok0 || !ok1 || !ok2 {
			row[x] = nan
			continue
		}
		i := a.i + b.i + c.i
		v := [8]T{
			cells[i], cells[i+a.next], cells[i+b.next], cells[i+a.next+b.next],
			cells[i+c.next], cells[i+a.next+c.next], cells[i+b.next+c.next], cells[i+a.next+b.next+c.next],
		}
		if holes && hole(&v, none) {
			row[x] = nearestCell(&v, a.fraction, b.fraction, c.fraction, none)
			continue
		}
		y0 := lerp(lerp(float64(v[0]), float64(v[1]), a.fraction), lerp(float64(v[2]), float64(v[3]), a.fraction), b.fraction)
		y1 := lerp(lerp(float64(v[4]), float64(v[5]), a.fraction), lerp(float64(v[6]), float64(v[7]), a.fraction), b.fraction)
		row[x] = float32(lerp(y0, y1, c.fraction))
	}
}

func lerp(a, b, t float64) float64 { return a + (b-a)*t }

func hole[T int16 | float32](v *[8]T, none T) bool {
	for _, c := range v {
		if c == none {
			return true
		}
	}
	return false
}

// nearestCell is used beside padding: its value must not mix with those of the
// image.
func nearestCell[T int16 | float32](v *[8]T, a, b, c float64, none T) float32 {
	i := 0
	if a >= 0.5 {
		i++
	}
	if b >= 0.5 {
		i += 2
	}
	if c >= 0.5 {
		i += 4
	}
	if v[i] == none {
		return nan
	}
	return float32(v[i])
}

// encode writes values as cells of a frame, little endian.
func (g *grid) encode(values []float32) []byte {
	if g.wide != nil {
		out := make([]byte, 4*len(values))
		for i, v := range values {
			if v != v {
				v = noWide
			}
			binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(v))
		}
		return out
	}
	out := make([]byte, 2*len(values))
	for i, v := range values {
		c := int32(noCell)
		if v == v {
			c = int32(v+(1<<16)+0.5) - 1<<16 // rounds, of any sign
		}
		binary.LittleEndian.PutUint16(out[2*i:], uint16(c))
	}
	return out
}
