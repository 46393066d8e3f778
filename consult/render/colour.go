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
	data := bytesOf(n.Data[:need], width, f.px.BitsStored)
	if packed {
		data = unpack422(data, n.Rows, n.Cols)
	}
	if n.Photometric != "RGB" {
		data = fromYBR(data)
	}
	f.colour = data
	return nil
}

// bytesOf keeps the top 8 of the stored bits.
func bytesOf(data []byte, width, stored int) []byte {
	if width == 1 {
		return data
	}
	shift := max(0, min(stored, 8*width)-8)
	out := make([]byte, len(data)/width)
	for i := range out {
		if width == 2 {
			out[i] = byte(binary.LittleEndian.Uint16(data[2*i:]) >> shift)
		} else {
			out[i] = byte(binary.LittleEndian.Uint32(data[4*i:]) >> shift)
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
	if p == nil || n.Samples != 1 || n.BitsAllocated != 8 && n.BitsAllocated != 16 {
		return ErrPhotometric
	}
	width := n.BitsAllocated / 8
	if len(n.Data) < cells*width {
		return ErrCells
	}
	f.colour = make([]byte, 3*cells)
	for c, l := range []*study.LUT{&p.Red, &p.Green, &p.Blue} {
		if len(l.Data) == 0 {
			return ErrPhotometric
		}
		table := paletteBytes(l)
		for i := range cells {
			f.colour[3*i+c] = table[max(0, min(f.index(n, i)-l.First, len(table)-1))]
		}
	}
	return nil
}

// index is the stored value of a palette pixel.
func (f *Frame) index(n *codec.Native, i int) int {
	bits := f.px.BitsStored
	if n.BitsAllocated == 8 {
		v := int(n.Data[i]) & (1<<min(max(bits, 1), 8) - 1)
		if n.Signed {
			return int(int8(n.Data[i]))
		}
		return v
	}
	u := binary.LittleEndian.Uint16(n.Data[2*i:])
	if n.Signed {
		return int(int16(u))
	}
	return int(u) & (1<<min(max(bits, 1), 16) - 1)
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
		out[i] = byte(v >> shift)
	}
	return out
}
