package desk

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/consult"
)

// line is a line to draw, in pixels of the image; (0.5, 0.5) is the centre of the first one.
type line struct {
	points [][2]float64
	closed bool
	arrow  bool // with a head at its last point
}

// markColour is that of marks on pictures.
var markColour = color.RGBA{255, 210, 0, 255}

// markLines are the marks of a case on one frame. The lock is held.
func (d *Desk) markLines(ctx context.Context, said string, at *located, frame int) ([]line, error) {
	p, t, err := d.actingIn(ctx, said)
	if err != nil {
		return nil, err
	}
	v := d.marksView(p, t)
	var out []line
	for i := range v.s.Marks {
		m := &v.s.Marks[i]
		lineage, uid := d.placeAs(p, m.Place.Lineage, m.Place.SOPUID)
		if m.Removed || lineage != at.h.key.lineage || uid != at.row.UID || m.Place.Frame != uint64(frame)+1 {
			continue
		}
		for _, f := range v.forms(m) {
			if f.geometry == nil {
				continue
			}
			for _, path := range annot.Paths(f.geometry) {
				out = append(out, line{path.Points, path.Closed, f.geometry.Shape == consult.ShapeArrow})
			}
		}
	}
	return out, nil
}

// drawLines draws on a copy in colour; without lines the picture stays what it is.
func drawLines(src image.Image, lines []line) image.Image {
	if len(lines) == 0 {
		return src
	}
	b := src.Bounds()
	out := image.NewRGBA(b)
	draw.Draw(out, b, src, b.Min, draw.Src)
	for _, l := range lines {
		switch n := len(l.points); n {
		case 0:
		case 1:
			cross(out, l.points[0])
		default:
			for i := 1; i < n; i++ {
				segment(out, l.points[i-1], l.points[i])
			}
			if l.closed {
				segment(out, l.points[n-1], l.points[0])
			}
			if l.arrow {
				head(out, l.points[n-2], l.points[n-1])
			}
		}
	}
	return out
}

// arm is how long the arms of crosses and arrow heads are, in pixels.
const arm = 4

func cross(img *image.RGBA, p [2]float64) {
	segment(img, [2]float64{p[0] - arm, p[1]}, [2]float64{p[0] + arm, p[1]})
	segment(img, [2]float64{p[0], p[1] - arm}, [2]float64{p[0], p[1] + arm})
}

func head(img *image.RGBA, from, to [2]float64) {
	angle := math.Atan2(from[1]-to[1], from[0]-to[0])
	for _, turn := range []float64{-0.5, 0.5} {
		s, c := math.Sincos(angle + turn)
		segment(img, to, [2]float64{to[0] + 2*arm*c, to[1] + 2*arm*s})
	}
}

// segment sets the pixels that a line goes through, one for each step along its longer axis. Points
// were checked to lie within the image, or nearly.
func segment(img *image.RGBA, a, b [2]float64) {
	const far = 1 << 17
	for _, v := range []float64{a[0], a[1], b[0], b[1]} {
		if !(v > -far && v < far) {
			return
		}
	}
	n := max(1, int(math.Ceil(max(math.Abs(b[0]-a[0]), math.Abs(b[1]-a[1])))))
	for i := range n + 1 {
		k := float64(i) / float64(n)
		p := image.Pt(int(math.Floor(a[0]+k*(b[0]-a[0]))), int(math.Floor(a[1]+k*(b[1]-a[1]))))
		if p.In(img.Rect) {
			img.SetRGBA(p.X, p.Y, markColour)
		}
	}
}
