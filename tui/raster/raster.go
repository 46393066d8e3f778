// Package raster turns an 8-bit image into what a terminal can show.
//
//	Fit, Render      source → canvas of the pane's pixels: zoom and pan, box average down, bilinear up
//	Draw, Paste      canvas → canvas with lines, marks and texts in four inks, with a magnified part
//	Half, Sextant    canvas → rows of cells: text with SGR colours, 1x2 and 2x3 pixels a cell
//	Kitty            canvas → transmission (inline PNG) and rows of placeholder cells
//	Sixel            canvas → one DCS string
//
// Everything is a function of its arguments: no I/O, no terminal state, no Bubble Tea. Window and
// level belong to consult/render; this package sees *image.Gray, or any other image as colour.
// Patient data leaves it only inline, never by file or shared memory.
package raster

import (
	"image"
	"math"
)

// View places a source on a canvas.
type View struct {
	W, H           int     // canvas, pixels
	ScaleX, ScaleY float64 // canvas pixels per source pixel
	CX, CY         float64 // source point at the centre of the canvas; (0,0) is the top-left corner
}

// Fit is the view that shows all of a source of cols x rows pixels. aspect is
// the height of a source pixel divided by its width.
func Fit(cols, rows, w, h int, aspect float64) View {
	if cols < 1 || rows < 1 || w < 1 || h < 1 {
		return View{W: max(w, 0), H: max(h, 0), ScaleX: 1, ScaleY: 1}
	}
	if !(aspect > aspectMin && aspect < aspectMax) {
		aspect = 1
	}
	s := min(float64(w)/float64(cols), float64(h)/(float64(rows)*aspect))
	return View{W: w, H: h, ScaleX: s, ScaleY: s * aspect, CX: float64(cols) / 2, CY: float64(rows) / 2}
}

// Zoom multiplies the scale.
func (v View) Zoom(by float64) View {
	v.ScaleX *= by
	v.ScaleY *= by
	return v
}

// Source is the source point under a canvas point.
func (v View) Source(x, y float64) (sx, sy float64) {
	return v.CX + (x-float64(v.W)/2)/v.ScaleX, v.CY + (y-float64(v.H)/2)/v.ScaleY
}

// Canvas is where a source point lies on the canvas.
func (v View) Canvas(sx, sy float64) (x, y float64) {
	return float64(v.W)/2 + (sx-v.CX)*v.ScaleX, float64(v.H)/2 + (sy-v.CY)*v.ScaleY
}

// Used is the part of the canvas that the source covers.
func (v View) Used(cols, rows int) image.Rectangle {
	x0, y0 := v.Canvas(0, 0)
	x1, y1 := v.Canvas(float64(cols), float64(rows))
	r := image.Rect(int(math.Floor(x0+0.5)), int(math.Floor(y0+0.5)), int(math.Floor(x1+0.5)), int(math.Floor(y1+0.5)))
	return r.Intersect(image.Rect(0, 0, v.W, v.H))
}

// pix is an image as the encoders read it: grey, or interleaved RGB.
type pix struct {
	w, h   int
	stride int
	grey   []byte
	rgb    []byte
}

func of(img image.Image) pix {
	b := img.Bounds()
	p := pix{w: b.Dx(), h: b.Dy()}
	if g, ok := img.(*image.Gray); ok && p.w > 0 && p.h > 0 {
		p.stride = g.Stride
		p.grey = g.Pix[g.PixOffset(b.Min.X, b.Min.Y):]
		if p.stride != p.w { // of a part: pack it, so that index = y*w + x
			tight := make([]byte, p.w*p.h)
			for y := range p.h {
				copy(tight[y*p.w:(y+1)*p.w], p.grey[y*p.stride:])
			}
			p.grey, p.stride = tight, p.w
		}
		return p
	}
	p.rgb = make([]byte, 3*p.w*p.h)
	if m, ok := img.(*image.Paletted); ok {
		p.paletted(m)
		return p
	}
	if m, ok := img.(*image.RGBA); ok {
		for y := range p.h {
			row := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range p.w {
				copy(p.rgb[3*(y*p.w+x):3*(y*p.w+x)+3], row[4*x:4*x+3])
			}
		}
		return p
	}
	for y := range p.h {
		for x := range p.w {
			r, g, bl, _ := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
			i := 3 * (y*p.w + x)
			p.rgb[i], p.rgb[i+1], p.rgb[i+2] = byte(r>>8), byte(g>>8), byte(bl>>8)
		}
	}
	return p
}

// paletted looks every pixel up once.
func (p pix) paletted(m *image.Paletted) {
	var table [256][3]byte
	for i, c := range m.Palette[:min(len(m.Palette), 256)] {
		r, g, b, _ := c.RGBA()
		table[i] = [3]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)}
	}
	for y := range p.h {
		row := m.Pix[m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y+y):]
		for x := range p.w {
			c := &table[row[x]]
			q := p.rgb[3*(y*p.w+x):]
			q[0], q[1], q[2] = c[0], c[1], c[2]
		}
	}
}

func (p pix) at(i int) (r, g, b byte) {
	if p.grey != nil {
		v := p.grey[i]
		return v, v, v
	}
	return p.rgb[3*i], p.rgb[3*i+1], p.rgb[3*i+2]
}
