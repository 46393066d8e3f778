package render

import (
	"image"
	"slices"

	"github.com/curbside-p2p/curbside/consult/study"
)

// shut hides what is outside of the shutter (PS3.3 C.7.6.11): of the state if
// there is one, else of the image.
func (f *Frame) shut(out image.Image, o Options) {
	if o.LiftShutter {
		return
	}
	s := f.shutterOf(o)
	if s != nil {
		mask := f.hidden
		if mask == nil || s != f.px.Shutter {
			mask = outside(s, f.rows, f.cols, Aspect(f.px))
		}
		if s == f.px.Shutter {
			f.hidden = mask
		}
		set := setter(out, uint8(s.Value>>8))
		for i, h := range mask {
			if h {
				set(i%f.cols, i/f.cols)
			}
		}
	}
	if o.State != nil && o.State.Hide != nil { // PS3.3 C.7.6.15: a bitmap's set bits hide
		paint(out, o.State.Hide, uint8(o.State.HideValue>>8))
	}
}

func (f *Frame) shutterOf(o Options) *study.Shutter {
	if o.State != nil {
		return o.State.Shutter
	}
	return f.px.Shutter
}

// outside marks what a shutter hides. Positions are those of pixels, from 1; the
// radius counts pixels along a row, so that unequal pixels make it an ellipse.
func outside(s *study.Shutter, rows, cols int, aspect float64) []bool {
	out := make([]bool, rows*cols)
	for y := range rows {
		line := out[y*cols : (y+1)*cols]
		if r := s.Rect; r != nil {
			for x := range line {
				line[x] = x+1 < r[0] || x+1 > r[1] || y+1 < r[2] || y+1 > r[3]
			}
		}
		if c := s.Circle; c != nil {
			dy, radius := float64(y+1-c[0])*aspect, float64(c[2])
			for x := range line {
				dx := float64(x + 1 - c[1])
				line[x] = line[x] || dx*dx+dy*dy > radius*radius
			}
		}
		if len(s.Polygon) > 2 {
			hideOutside(line, s.Polygon, float64(y+1))
		}
	}
	return out
}

// hideOutside hides what of row y is outside of a polygon, even-odd.
func hideOutside(line []bool, polygon [][2]int, y float64) {
	var cross []float64
	for i, a := range polygon {
		b := polygon[(i+1)%len(polygon)]
		y0, x0, y1, x1 := float64(a[0]), float64(a[1]), float64(b[0]), float64(b[1])
		if (y0 <= y) != (y1 <= y) {
			cross = append(cross, x0+(y-y0)/(y1-y0)*(x1-x0))
		}
	}
	slices.Sort(cross)
	k := 0
	for x := range line {
		for k < len(cross) && cross[k] <= float64(x+1) {
			k++
		}
		line[x] = line[x] || k%2 == 0
	}
}
