package raster

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Ink is a colour of what is drawn over an image. There are four, so that a
// grey picture with drawings still fits a palette of 252 greys and them.
type Ink uint8

// The inks.
const (
	InkMark  Ink = iota // what people marked
	InkTool             // what the reader is drawing or has chosen
	InkLine             // reference lines, the frame of the magnifier
	InkOther            // overlays of the file
)

const inks, paletteGreys = 4, 252

var inkColours = [inks]color.RGBA{{255, 210, 0, 255}, {90, 220, 255, 255}, {255, 120, 60, 255}, {120, 255, 120, 255}}

// Color is the ink as a colour.
func (k Ink) Color() color.RGBA { return inkColours[min(k, inks-1)] }

// Overlay is drawn over an image, in canvas coordinates.
type Overlay struct {
	Strokes []Stroke
	Marks   []Mark
	Texts   []Text
}

// Empty reports whether there is nothing to draw.
func (o Overlay) Empty() bool { return len(o.Strokes)+len(o.Marks)+len(o.Texts) == 0 }

// Stroke is a line through points.
type Stroke struct {
	Points [][2]float64
	Closed bool
	Tip    bool // an arrow head at the last point
	Dashed bool
	Ink    Ink
}

// Mark is a small cross with a ring at a canvas point.
type Mark struct {
	X, Y int
	Ink  Ink
}

// Text is a line in a small fixed font with its top-left corner at a canvas
// point, on black: for back ends whose cells cannot carry text.
type Text struct {
	X, Y int
	S    string
	Ink  Ink
}

// Draw returns a copy of img with the overlay on it, grey images in a palette;
// img itself without any.
func Draw(img image.Image, o Overlay) image.Image {
	if o.Empty() {
		return img
	}
	c := canvasOf(img)
	for _, s := range o.Strokes {
		c.stroke(s)
	}
	for _, m := range o.Marks {
		c.mark(m)
	}
	for _, t := range o.Texts {
		c.text(t)
	}
	return c.img()
}

// canvas is what is drawn on: a palette, or true colour.
type canvas struct {
	w, h int
	pal  *image.Paletted
	rgba *image.RGBA
	fat  bool // two pixels a line
}

// fatFrom: on canvases of at least this many pixels a side a line of one pixel is a hair.
const fatFrom = 600

func canvasOf(img image.Image) *canvas {
	p := of(img)
	c := &canvas{w: p.w, h: p.h, fat: min(p.w, p.h) >= fatFrom}
	if p.grey != nil {
		c.pal = image.NewPaletted(image.Rect(0, 0, p.w, p.h), palette)
		for i, v := range p.grey[:p.w*p.h] {
			c.pal.Pix[i] = greyIndex[v]
		}
		return c
	}
	c.rgba = image.NewRGBA(image.Rect(0, 0, p.w, p.h))
	for i := range p.w * p.h {
		q := c.rgba.Pix[4*i:]
		q[0], q[1], q[2], q[3] = p.rgb[3*i], p.rgb[3*i+1], p.rgb[3*i+2], 255
	}
	return c
}

func (c *canvas) img() image.Image {
	if c.pal != nil {
		return c.pal
	}
	return c.rgba
}

var (
	palette   = makePalette()
	greyIndex = makeGreyIndex()
)

func makePalette() color.Palette {
	p := make(color.Palette, 0, 256)
	for i := range paletteGreys {
		v := uint8((i*255 + paletteGreys/2 - 1) / (paletteGreys - 1))
		p = append(p, color.RGBA{v, v, v, 255})
	}
	for _, k := range inkColours {
		p = append(p, k)
	}
	return p
}

func makeGreyIndex() (t [256]uint8) {
	for v := range t {
		t[v] = uint8((v*(paletteGreys-1) + 127) / 255)
	}
	return t
}

func (c *canvas) set(x, y int, k Ink) {
	if x < 0 || y < 0 || x >= c.w || y >= c.h {
		return
	}
	k = min(k, inks-1)
	if c.pal != nil {
		c.pal.Pix[y*c.w+x] = paletteGreys + uint8(k)
		return
	}
	c.rgba.SetRGBA(x, y, inkColours[k])
}

func (c *canvas) stroke(s Stroke) {
	n := len(s.Points)
	for i := 1; i < n; i++ {
		c.line(s.Points[i-1], s.Points[i], s)
	}
	if s.Closed && n > 2 {
		c.line(s.Points[n-1], s.Points[0], s)
	}
	if s.Tip && n > 1 {
		c.tip(s.Points[n-2], s.Points[n-1], s)
	}
}

// tip draws two short lines back from the end of an arrow.
func (c *canvas) tip(from, to [2]float64, s Stroke) {
	dx, dy := from[0]-to[0], from[1]-to[1]
	length := math.Hypot(dx, dy)
	if !(length > 0) {
		return
	}
	side := min(length/2, max(3, float64(min(c.w, c.h))/40))
	for _, turn := range []float64{0.45, -0.45} {
		sin, cos := math.Sincos(turn)
		x, y := (dx*cos-dy*sin)/length*side, (dx*sin+dy*cos)/length*side
		c.line(to, [2]float64{to[0] + x, to[1] + y}, Stroke{Ink: s.Ink})
	}
}

func (c *canvas) line(a, b [2]float64, s Stroke) {
	a, b, ok := clip(a, b, float64(c.w), float64(c.h))
	if !ok {
		return
	}
	steps := int(max(math.Abs(b[0]-a[0]), math.Abs(b[1]-a[1]))) + 1
	for i := range steps + 1 {
		if s.Dashed && i/4%2 == 1 {
			continue
		}
		t := float64(i) / float64(steps)
		x, y := int(math.Floor(a[0]+t*(b[0]-a[0]))), int(math.Floor(a[1]+t*(b[1]-a[1])))
		c.set(x, y, s.Ink)
		if c.fat {
			c.set(x+1, y, s.Ink)
			c.set(x, y+1, s.Ink)
		}
	}
}

// clip holds a line to the canvas (Liang and Barsky), so that one that goes far
// out of a zoomed view costs no more than what is seen of it.
func clip(a, b [2]float64, w, h float64) (p, q [2]float64, ok bool) {
	dx, dy := b[0]-a[0], b[1]-a[1]
	if !finite(a[0], a[1], b[0], b[1], dx, dy) {
		return a, b, false
	}
	t0, t1 := 0.0, 1.0
	for _, e := range [4][2]float64{{-dx, a[0]}, {dx, w - a[0]}, {-dy, a[1]}, {dy, h - a[1]}} {
		switch {
		case e[0] == 0 && e[1] < 0:
			return a, b, false
		case e[0] < 0:
			t0 = max(t0, e[1]/e[0])
		case e[0] > 0:
			t1 = min(t1, e[1]/e[0])
		}
	}
	if t0 > t1 {
		return a, b, false
	}
	return [2]float64{a[0] + t0*dx, a[1] + t0*dy}, [2]float64{a[0] + t1*dx, a[1] + t1*dy}, true
}

func finite(v ...float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

func (c *canvas) mark(m Mark) {
	ring := min(max(3, min(c.w, c.h)/24), ringMax)
	for a := range 64 {
		if ring < smallRing { // on coarse canvases a ring would hide what it marks
			break
		}
		s, cos := math.Sincos(float64(a) * math.Pi / 32)
		c.set(m.X+int(math.Round(cos*float64(ring))), m.Y+int(math.Round(s*float64(ring))), m.Ink)
	}
	for d := ring / 2; d < ring; d++ {
		for _, q := range [4][2]int{{d, 0}, {-d, 0}, {0, d}, {0, -d}} {
			c.set(m.X+q[0], m.Y+q[1], m.Ink)
		}
	}
}

// TextSize is the size of a text in pixels.
func TextSize(s string) (w, h int) {
	n := 0
	for range s {
		n++
	}
	return n*basicfont.Face7x13.Advance + 2, basicfont.Face7x13.Height + 2
}

func (c *canvas) text(t Text) {
	w, h := TextSize(t.S)
	for y := t.Y; y < t.Y+h; y++ {
		for x := t.X; x < t.X+w; x++ {
			if x < 0 || y < 0 || x >= c.w || y >= c.h {
				continue
			}
			if c.pal != nil {
				c.pal.Pix[y*c.w+x] = 0
			} else {
				c.rgba.SetRGBA(x, y, color.RGBA{A: 255})
			}
		}
	}
	mask := image.NewAlpha(image.Rect(0, 0, w, h))
	d := font.Drawer{Dst: mask, Src: image.Opaque, Face: basicfont.Face7x13, Dot: fixed.P(1, basicfont.Face7x13.Ascent+1)}
	d.DrawString(t.S)
	for y := range h {
		for x := range w {
			if mask.Pix[y*mask.Stride+x] > 127 {
				c.set(t.X+x, t.Y+y, t.Ink)
			}
		}
	}
}

// Paste puts a part over an image at a point, with a frame around it; both grey,
// or it becomes colour.
func Paste(img, part image.Image, at image.Point, ink Ink) image.Image {
	c := canvasOf(img)
	p := of(part)
	for y := range p.h {
		for x := range p.w {
			cx, cy := at.X+x, at.Y+y
			if cx < 0 || cy < 0 || cx >= c.w || cy >= c.h {
				continue
			}
			r, g, b := p.at(y*p.w + x)
			if c.pal != nil {
				c.pal.Pix[cy*c.w+cx] = greyIndex[r]
			} else {
				c.rgba.SetRGBA(cx, cy, color.RGBA{r, g, b, 255})
			}
		}
	}
	x0, y0, x1, y1 := float64(at.X)-1, float64(at.Y)-1, float64(at.X+p.w), float64(at.Y+p.h)
	c.stroke(Stroke{Points: [][2]float64{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}, Closed: true, Ink: ink})
	return c.img()
}
