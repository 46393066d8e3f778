package render

import (
	"encoding/binary"
	"math"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// layout is how a stored value lies in its cell. PS3.5 §8.1.1: the stored bits
// end at High Bit; what is above or below is not pixel.
type layout struct {
	bits  int
	shift int
}

func (f *Frame) layout(n *codec.Native) layout {
	bits := f.px.BitsStored
	if bits < 1 || bits > n.BitsAllocated {
		bits = n.BitsAllocated
	}
	l := layout{bits: bits}
	if f.px.HighBit >= bits-1 {
		l.shift = max(0, min(f.px.HighBit+1-bits, n.BitsAllocated-bits))
	}
	return l
}

// grey reads stored values. Up to 16 bits allocated they index tables.
func (f *Frame) grey(n *codec.Native) error {
	cells := n.Rows * n.Cols
	width := max(1, n.BitsAllocated/8)
	switch {
	case n.Samples != 1:
		return ErrPhotometric
	case width != 1 && width != 2 && width != 4 && width != 8:
		return ErrPhotometric
	case len(n.Data) < cells*width:
		return ErrCells
	}
	l := f.layout(n)
	if f.px.Float || width > 2 {
		f.readWide(n, l, cells)
		return nil
	}
	mask := uint16(1<<l.bits - 1)
	flip := uint16(0)
	if n.Signed && l.bits > 1 {
		f.offset = 1 << (l.bits - 1)
		flip = uint16(f.offset) // two's complement + offset = top bit flipped
	}
	f.cells = make([]uint16, cells)
	top := uint16(0)
	if width == 1 {
		for i, v := range n.Data[:cells] {
			c := uint16(v)>>l.shift&mask ^ flip
			f.cells[i], top = c, max(top, c)
		}
	} else {
		data := n.Data[:2*cells]
		for i := range f.cells {
			c := binary.LittleEndian.Uint16(data[2*i:])>>l.shift&mask ^ flip
			f.cells[i], top = c, max(top, c)
		}
	}
	f.last = int(top)
	f.tables()
	return nil
}

// tables precomputes modality values and padding by cell, as far as cells occur.
func (f *Frame) tables() {
	n := f.last + 1
	f.modality = make([]float64, n)
	for i := range f.modality {
		f.modality[i] = f.modal(float64(i - f.offset))
	}
	if p := f.px.Padding; p != nil {
		f.padding = make([]bool, n)
		for i := max(0, p.Low+f.offset); i <= min(n-1, p.High+f.offset); i++ {
			f.padding[i] = true
		}
	}
	if f.px.Supplemental && f.px.Palette != nil {
		f.palette = newShades(f.px.Palette)
	}
}

// transform is the modality transform (PS3.3 C.11.1), LUT or rescale, exclusive:
// that of a presentation state, else that of the image.
func (f *Frame) transform(s *Presentation) func(float64) float64 {
	table, slope, intercept := f.px.ModalityLUT, f.px.Slope, f.px.Intercept
	switch {
	case s == nil:
	case s.ModalityLUT != nil:
		table = s.ModalityLUT
	case s.Rescale != nil:
		table, slope, intercept = nil, s.Rescale.Slope, s.Rescale.Intercept
	}
	if table != nil && len(table.Data) > 0 {
		return func(stored float64) float64 { return lookup(table, stored) }
	}
	return func(stored float64) float64 { return stored*slope + intercept }
}

func lookup(l *study.LUT, v float64) float64 {
	i := math.Round(v) - float64(l.First)
	return float64(l.Data[int(max(0, min(i, float64(len(l.Data)-1))))])
}

// values are the modality values by cell under a presentation state.
func (f *Frame) values(s *Presentation) []float64 {
	if s == nil || s.ModalityLUT == nil && s.Rescale == nil {
		return f.modality
	}
	out, value := make([]float64, len(f.modality)), f.transform(s)
	for i := range out {
		out[i] = value(float64(i - f.offset))
	}
	return out
}

// readWide reads cells over 16 bits and floats. What is no number, or padding,
// is background.
func (f *Frame) readWide(n *codec.Native, l layout, cells int) {
	f.wide = make([]float64, cells)
	for i := range f.wide {
		v := wideCell(n, l, i, f.px.Float)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			f.setBlank(i)
			continue
		}
		f.wide[i] = v
		if p := f.px.FloatPadding; p != nil && f.px.Float && v >= p[0] && v <= p[1] {
			f.setBlank(i)
		}
		if p := f.px.Padding; p != nil && !f.px.Float && v >= float64(p.Low) && v <= float64(p.High) {
			f.setBlank(i)
		}
	}
}

func (f *Frame) setBlank(i int) {
	if f.blank == nil {
		f.blank = make([]bool, len(f.wide))
	}
	f.blank[i] = true
}

func wideCell(n *codec.Native, l layout, i int, float bool) float64 {
	var u uint64
	switch n.BitsAllocated / 8 {
	case 8:
		u = binary.LittleEndian.Uint64(n.Data[8*i:])
		if float {
			return math.Float64frombits(u)
		}
	case 4:
		u = uint64(binary.LittleEndian.Uint32(n.Data[4*i:]))
		if float {
			return float64(math.Float32frombits(uint32(u)))
		}
	default:
		return math.NaN() // floats of another width do not exist
	}
	u = u >> l.shift << (64 - l.bits) // the stored bits at the top: the sign with them
	if n.Signed {
		return float64(int64(u) >> (64 - l.bits))
	}
	return float64(u >> (64 - l.bits))
}
