package render

import (
	"encoding/binary"
	"image"
	"math"
	"slices"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// planes takes the overlays of the frame, those in the unused bits of its cells
// cut out.
func (f *Frame) planes(n *codec.Native) {
	for _, o := range f.px.Overlays {
		if o.Embedded {
			o.Data = embedded(n, o.Bit)
		}
		if len(o.Data) > 0 && o.Rows > 0 && o.Cols > 0 {
			f.overlays = append(f.overlays, o)
		}
	}
}

func embedded(n *codec.Native, bit int) []byte {
	cells := n.Rows * n.Cols
	width := n.BitsAllocated / 8
	if n.Samples != 1 || width != 1 && width != 2 || len(n.Data) < cells*width || bit < 0 || bit >= 8*width {
		return nil
	}
	out := make([]byte, (cells+7)/8)
	for i := range cells {
		c := uint16(n.Data[i*width])
		if width == 2 {
			c = binary.LittleEndian.Uint16(n.Data[2*i:])
		}
		out[i/8] |= byte(c>>bit&1) << (i % 8)
	}
	return out
}

// Overlays are those of the frame: graphics are drawn, regions of interest (type
// R) are not, and are there to be measured.
func (f *Frame) Overlays() []study.Overlay { return f.overlays }

// overlay draws graphics in white. A presentation state draws its own, and of
// the image's those that it activates (PS3.3 C.11.7).
func (f *Frame) overlay(out image.Image, o Options) {
	if o.HideOverlays {
		return
	}
	for i := range f.overlays {
		ov := &f.overlays[i]
		if o.State == nil && ov.Type != "R" || o.State != nil && slices.Contains(o.State.Activated, ov.Group) {
			paint(out, ov, math.MaxUint8)
		}
	}
	if o.State != nil {
		for i := range o.State.Overlays {
			paint(out, &o.State.Overlays[i], math.MaxUint8)
		}
	}
}

// paint sets the pixels of an overlay; what lies outside of the image is not seen.
func paint(out image.Image, ov *study.Overlay, v uint8) {
	set := setter(out, v)
	total := min(len(ov.Data)*8, ov.Rows*ov.Cols)
	b := out.Bounds()
	for i := 0; i < total; {
		if i%8 == 0 && ov.Data[i/8] == 0 {
			i += 8
			continue
		}
		if ov.Data[i/8]>>(i%8)&1 == 1 {
			x, y := i%ov.Cols+ov.Left-1, i/ov.Cols+ov.Top-1
			if x >= 0 && y >= 0 && x < b.Dx() && y < b.Dy() {
				set(x, y)
			}
		}
		i++
	}
}

func setter(out image.Image, v uint8) func(x, y int) {
	switch out := out.(type) {
	case *image.Gray:
		return func(x, y int) { out.Pix[y*out.Stride+x] = v }
	case *image.RGBA:
		return func(x, y int) {
			p := out.Pix[y*out.Stride+4*x:]
			p[0], p[1], p[2], p[3] = v, v, v, 255
		}
	}
	return func(int, int) {}
}
