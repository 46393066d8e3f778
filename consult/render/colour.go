package render

import (
	"encoding/binary"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// rgb brings colour to interleaved 8-bit RGB.
func (f *Frame) rgb(n *codec.Native) error {
	cells := n.Rows * n.Cols
	if n.Samples != 3 || n.BitsAllocated != 8 && n.BitsAllocated != 16 && n.BitsAllocated != 32 {
		return ErrPhotometric
	}
	width := n.BitsAllocated / 8
	packed := n.Photometric == "YBR_FULL_422" && len(n.Data) < cells*3*width
	need := cells * 3 * width
	if packed {
		need = cells * 2 * width
	}
	if len(n.Data) < need {
		return ErrCells
	}
	data := bytesOf(n.Data[:need], width, f.layout(n))
	if packed {
		data = unpack422(data, n.Rows, n.Cols)
	}
	if n.Photometric != "RGB" {
		data = fromYBR(data)
	}
	f.colour = data
	return nil
}

// bytesOf keeps the top 8 of the stored bits; fewer are spread over 0 to 255.
func bytesOf(data []byte, width int, l layout) []byte {
	if width == 1 && l.bits == 8 {
		return data
	}
	out := make([]byte, len(data)/width)
	top := uint64(1)<<l.bits - 1
	for i := range out {
		var u uint64
		switch width {
		case 1:
			u = uint64(data[i])
		case 2:
			u = uint64(binary.LittleEndian.Uint16(data[2*i:]))
		default:
			u = uint64(binary.LittleEndian.Uint32(data[4*i:]))
		}
		if u = u >> l.shift & top; l.bits < 8 {
			out[i] = byte(u * 255 / top)
		} else {
			out[i] = byte(u >> (l.bits - 8))
		}
	}
	return out
}

// unpack422 gives each pixel of a pair the pair's chroma (PS3.3 C.7.6.3.1.2:
// Y1 Y2 Cb Cr).
func unpack422(data []byte, rows, cols int) []byte {
	out := make([]byte, rows*cols*3)
	for i := range rows * cols {
		pair := data[i/2*4:]
		if len(pair) < 4 {
			break
		}
		out[3*i], out[3*i+1], out[3*i+2] = pair[i%2], pair[2], pair[3]
	}
	return out
}

// fromYBR is the full-range matrix of PS3.3 C.7.6.3.1.2, inverted, in 16.16
// fixed point.
func fromYBR(data []byte) []byte {
	const (
		half = 1 << 15
		crR  = 91881  // 1.402
		cbG  = 22554  // 0.344136
		crG  = 46802  // 0.714136
		cbB  = 116130 // 1.772
	)
	out := make([]byte, len(data))
	for i := 0; i+2 < len(data); i += 3 {
		y, b, r := int(data[i])<<16+half, int(data[i+1])-128, int(data[i+2])-128
		out[i] = clamp((y + crR*r) >> 16)
		out[i+1] = clamp((y - cbG*b - crG*r) >> 16)
		out[i+2] = clamp((y + cbB*b) >> 16)
	}
	return out
}

func clamp(v int) byte { return byte(max(0, min(v, 255))) }

// paletted looks up PALETTE COLOR (PS3.3 C.7.9); there is no window.
func (f *Frame) paletted(n *codec.Native) error {
	p := f.px.Palette
	cells := n.Rows * n.Cols
	if p == nil || n.Samples != 1 || n.BitsAllocated != 8 && n.BitsAllocated != 16 && n.BitsAllocated != 1 {
		return ErrPhotometric
	}
	width := max(1, n.BitsAllocated/8)
	if len(n.Data) < cells*width {
		return ErrCells
	}
	s := newShades(p)
	if s == nil {
		return ErrPhotometric
	}
	l := f.layout(n)
	f.colour = make([]byte, 3*cells)
	for i := range cells {
		c := s.of(cellAt(n, l, width, i))
		f.colour[3*i], f.colour[3*i+1], f.colour[3*i+2] = c[0], c[1], c[2]
	}
	return nil
}

// cellAt is the stored value of a cell of at most 16 bits.
func cellAt(n *codec.Native, l layout, width, i int) int {
	u := uint16(n.Data[i*width])
	if width == 2 {
		u = binary.LittleEndian.Uint16(n.Data[2*i:])
	}
	u = u >> l.shift << (16 - l.bits)
	if n.Signed && l.bits > 1 {
		return int(int16(u)) >> (16 - l.bits)
	}
	return int(u >> (16 - l.bits))
}

// shades are the colours of a palette; below and above it the first and last.
type shades struct {
	first int // the lowest value that any table has an entry for
	lut   [3]*study.LUT
	table [3][]byte
}

// newShades gives nil for a palette with an empty table.
func newShades(p *study.Palette) *shades {
	s := &shades{first: min(p.Red.First, p.Green.First, p.Blue.First), lut: [3]*study.LUT{&p.Red, &p.Green, &p.Blue}}
	for c, l := range s.lut {
		if len(l.Data) == 0 {
			return nil
		}
		s.table[c] = paletteBytes(l)
	}
	return s
}

func (s *shades) of(v int) [3]uint8 {
	var out [3]uint8
	for c, t := range s.table {
		out[c] = t[max(0, min(v-s.lut[c].First, len(t)-1))]
	}
	return out
}

// paletteBytes: of 16-bit entries the high byte is shown; 8-bit entries that
// were written into words without scaling are taken as they are.
func paletteBytes(l *study.LUT) []byte {
	shift := 8
	if l.Bits == 8 {
		shift = 0
	}
	out := make([]byte, len(l.Data))
	for i, v := range l.Data {
		out[i] = byte(min(v>>shift, 255))
	}
	return out
}
