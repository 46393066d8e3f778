package render

import (
	"image"
	"math"
	"slices"

	"github.com/curbside-p2p/curbside/consult/study"
)

// inverted: MONOCHROME1 without a shape, or the shape INVERSE: one inversion
// (PS3.3 C.7.6.3.1.2, C.11.6.1.1). A presentation LUT gives P-values, and so does
// a presentation state, whatever the photometric interpretation.
func (f *Frame) inverted(o Options) bool {
	var inverse bool
	switch {
	case o.State != nil:
		inverse = o.State.Shape == "INVERSE"
	case usable(f.px.PresentLUT):
	default:
		inverse = f.px.Shape == "INVERSE" || f.px.Shape == "" && f.photometric == "MONOCHROME1"
	}
	return inverse != o.Invert
}

// Draw gives an *image.Gray, or an *image.RGBA for colour. Padding is black. The
// picture lies as stored; see Present.
func (f *Frame) Draw(o Options) image.Image {
	var out image.Image
	switch {
	case f.colour != nil:
		out = f.drawColour(o)
	case f.palette != nil:
		out = f.drawSupplemental(o)
	case f.wide != nil:
		out = f.drawWide(o)
	default:
		out = f.drawCells(o)
	}
	f.shut(out, o)
	f.overlay(out, o)
	return out
}

// Present is Draw as a presentation state wants it seen: cut to the displayed
// area, then turned by its own turn. Without a state it is Draw.
func (f *Frame) Present(o Options) image.Image {
	out := f.Draw(o)
	if o.State == nil {
		return out
	}
	if a := o.State.Area; a != nil {
		x0, x1 := min(a.X0, a.X1)-1, max(a.X0, a.X1)
		y0, y1 := min(a.Y0, a.Y1)-1, max(a.Y0, a.Y1)
		out = cut(out, image.Rect(x0, y0, x1, y1).Intersect(out.Bounds()))
	}
	return o.State.Turn.Image(out)
}

// cut copies a part to an image that begins at 0, 0. An empty part is no part.
func cut(src image.Image, r image.Rectangle) image.Image {
	if r.Empty() || r == src.Bounds() {
		return src
	}
	switch src := src.(type) {
	case *image.Gray:
		out := image.NewGray(image.Rect(0, 0, r.Dx(), r.Dy()))
		for y := range r.Dy() {
			copy(out.Pix[y*out.Stride:][:r.Dx()], src.Pix[src.PixOffset(r.Min.X, r.Min.Y+y):])
		}
		return out
	case *image.RGBA:
		out := image.NewRGBA(image.Rect(0, 0, r.Dx(), r.Dy()))
		for y := range r.Dy() {
			copy(out.Pix[y*out.Stride:][:4*r.Dx()], src.Pix[src.PixOffset(r.Min.X, r.Min.Y+y):])
		}
		return out
	}
	return src
}

func (f *Frame) drawCells(o Options) image.Image {
	out := image.NewGray(image.Rect(0, 0, f.cols, f.rows))
	lut := f.greys(o)
	pix := out.Pix[:len(f.cells)]
	for i, c := range f.cells {
		pix[i] = lut[c]
	}
	return out
}

// greys is the grey of every cell; of all 65,536, so that loops check nothing.
func (f *Frame) greys(o Options) *[1 << 16]uint8 {
	table := new([1 << 16]uint8)
	shade := f.shader(o)
	for i, v := range f.values(o.State) {
		if f.padding == nil || !f.padding[i] {
			table[i] = shade(v)
		}
	}
	return table
}

func (f *Frame) drawWide(o Options) image.Image {
	out := image.NewGray(image.Rect(0, 0, f.cols, f.rows))
	shade, value := f.shader(o), f.transform(o.State)
	for i, v := range f.wide {
		if f.blank == nil || !f.blank[i] {
			out.Pix[i] = shade(value(v))
		}
	}
	return out
}

// shader maps modality values to grey.
func (f *Frame) shader(o Options) func(float64) uint8 {
	used, voi := f.choose(o)
	invert, present := f.inverted(o), f.px.PresentLUT
	if o.State != nil {
		present = o.State.PresentationLUT
	}
	level := func(v float64) float64 { return Level(v, used.Window, used.Function) }
	if voi != nil {
		top := white(voi)
		level = func(v float64) float64 { return min(1, lookup(voi, v)/top) }
	}
	if usable(present) {
		before, last, top := level, float64(len(present.Data)-1), white(present)
		level = func(v float64) float64 { // PS3.3 C.11.4: its input is the VOI output, over its entries
			return min(1, float64(present.Data[int(math.Round(before(v)*last))])/top)
		}
	}
	return func(v float64) uint8 {
		y := level(v)
		if invert {
			y = 1 - y
		}
		return uint8(math.Round(255 * y))
	}
}

// white is the entry of a LUT that stands for white: the highest of its bits. A
// table that was not checked when it was read is taken by its maximum.
func white(l *study.LUT) float64 {
	top := float64(slices.Max(l.Data))
	if l.Bits >= 8 && l.Bits <= 16 {
		top = max(top, float64(int(1)<<l.Bits-1))
	}
	return max(1, top)
}

// drawColour: a window is an explicit tool for brightness, over 0 to 255.
func (f *Frame) drawColour(o Options) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, f.cols, f.rows))
	var table [256]uint8
	for i := range table {
		v := uint8(i)
		if o.Window != nil && sane(*o.Window, function(o.Function)) {
			v = uint8(math.Round(255 * Level(float64(i), *o.Window, function(o.Function))))
		}
		if o.Invert {
			v = 255 - v
		}
		table[i] = v
	}
	for i, j := 0, 0; i+2 < len(f.colour); i, j = i+3, j+4 {
		p := out.Pix[j : j+4 : j+4]
		p[0], p[1], p[2], p[3] = table[f.colour[i]], table[f.colour[i+1]], table[f.colour[i+2]], 255
	}
	return out
}

// drawSupplemental: cells from the palette's first value on have its colours,
// those below a grey by the window (PS3.3 C.7.6.19).
func (f *Frame) drawSupplemental(o Options) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, f.cols, f.rows))
	greys := f.greys(o)
	for i, c := range f.cells {
		p := out.Pix[4*i : 4*i+4 : 4*i+4]
		g := greys[c]
		rgb := [3]uint8{g, g, g}
		if v := int(c) - f.offset; v >= f.palette.first {
			rgb = f.palette.of(v)
		}
		p[0], p[1], p[2], p[3] = rgb[0], rgb[1], rgb[2], 255
	}
	return out
}

// Preview is the frame drawn with at most side pixels on the long side, by box
// averages. It is for previews alone and must be marked so.
func (f *Frame) Preview(o Options, side int) image.Image {
	return shrink(f.Draw(o), min(side, study.PreviewSideMax))
}
