package codec

import (
	"encoding/binary"
	"errors"
)

// Sequential DCT JPEG (ITU-T T.81 Annex F, processes 1, 2 and 4): 8 and 12
// bits, one or three components, any sampling factors that divide the largest,
// interleaved scans or one a component, restart intervals.

// zigzag is figure A.6, by index in zigzag order; 16 entries more for damaged
// runs past the block.
var zigzag = [80]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
	63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
}

// dctCell is how a plane holds samples of 8 and 12 bits.
type dctCell interface{ uint8 | uint16 }

// dctPlane is one component: its samples in whole blocks.
type dctPlane[T dctCell] struct {
	blocksX, blocksY int // that the component has (§A.2.2)
	stride           int
	pix              []T // whole MCUs
	w, h             int // samples (§A.1.1)
	hs, vs           int // how often they are repeated
}

// dctCoder is the state of decoding one frame.
type dctCoder[T dctCell] struct {
	jpegStream
	mcusX, mcusY int
	hmax, vmax   int
	planes       []dctPlane[T]
}

// decodeJPEG decodes baseline (.50) and extended (.51) streams; both occur
// under either syntax.
func decodeJPEG(d FrameDesc, data []byte) (*Native, error) {
	if d.BitsAllocated != 8 && d.BitsAllocated != 16 || d.Samples != 1 && d.Samples != 3 {
		return nil, ErrFrameShape
	}
	f := &dctCoder[uint8]{jpegStream: jpegStream{d: d}}
	err := f.run(data, f, 0xC0, 0xC1)
	if errors.Is(err, errTwelveBits) {
		g := &dctCoder[uint16]{jpegStream: jpegStream{d: d}}
		if err := g.run(data, g, 0xC1); err != nil {
			return nil, err
		}
		return g.result(), nil
	}
	if err != nil {
		return nil, err
	}
	return f.result(), nil
}

// errTwelveBits has a stream of 12 bits decoded again, with wider planes.
var errTwelveBits = errors.New("JPEG of 12 bits")

// frame lays out the planes: memory comes with the first scan.
func (f *dctCoder[T]) frame() error {
	wide := f.precision == 12
	if f.precision != 8 && (!wide || f.sof != 0xC1) {
		return damaged("JPEG precision")
	}
	if _, narrow := any(f).(*dctCoder[uint8]); narrow && wide {
		return errTwelveBits
	}
	for _, c := range f.comps {
		f.hmax, f.vmax = max(f.hmax, c.h), max(f.vmax, c.v)
	}
	f.mcusX, f.mcusY = ceilDiv(f.d.Cols, 8*f.hmax), ceilDiv(f.d.Rows, 8*f.vmax)
	for _, c := range f.comps {
		if f.hmax%c.h != 0 || f.vmax%c.v != 0 || c.quant > 3 {
			return &Unsupported{UID: f.d.Syntax, Name: "JPEG with fractional sampling"}
		}
		p := dctPlane[T]{hs: f.hmax / c.h, vs: f.vmax / c.v, stride: f.mcusX * c.h * 8}
		p.w, p.h = ceilDiv(f.d.Cols, p.hs), ceilDiv(f.d.Rows, p.vs)
		p.blocksX, p.blocksY = ceilDiv(p.w, 8), ceilDiv(p.h, 8)
		f.planes = append(f.planes, p)
	}
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func (f *dctCoder[T]) segment(byte, []byte) error { return nil }

// dctScan is one component within a scan.
type dctScan[T dctCell] struct {
	plane  *dctPlane[T]
	dc, ac *huffTable
	quant  [64]int32 // in zigzag order
	h, v   int       // blocks in an MCU
	pred   int32
}

func (f *dctCoder[T]) scan(s jpegScan, data []byte) (int, bool, error) {
	if s.tail != [3]byte{0, 63, 0} { // table B.3; such files exist, and it changes nothing
		f.warn("JPEG scan header has values of another process")
	}
	list := make([]dctScan[T], len(s.comps))
	blocks := 0
	for i, sc := range s.comps {
		c := f.comps[sc.index]
		dc, ac := sc.tables>>4, sc.tables&15
		if dc > 3 || ac > 3 || f.dc[dc] == nil || f.ac[ac] == nil || f.quant[c.quant] == nil {
			return 0, false, damaged("JPEG scan header")
		}
		list[i] = dctScan[T]{plane: &f.planes[sc.index], dc: f.dc[dc], ac: f.ac[ac], h: c.h, v: c.v}
		for k, q := range f.quant[c.quant] {
			list[i].quant[k] = int32(q)
		}
		blocks += f.mcusX * f.mcusY * c.h * c.v
	}
	// A block takes at least two bits: bound the allocation by the bytes at hand.
	if len(s.comps) == 1 {
		blocks = list[0].plane.blocksX * list[0].plane.blocksY
	}
	if blocks > len(data)*4 {
		return 0, false, damaged("JPEG codestream is short")
	}
	for i := range list {
		p := list[i].plane
		p.pix = make([]T, p.stride*f.mcusY*list[i].v*8)
	}
	if len(list) == 1 { // not interleaved: an MCU is one block (§A.2.2)
		list[0].h, list[0].v = 1, 1
		return f.entropy(list, list[0].plane.blocksX, list[0].plane.blocksY, data)
	}
	return f.entropy(list, f.mcusX, f.mcusY, data)
}

// entropy decodes the MCUs of a scan.
func (f *dctCoder[T]) entropy(list []dctScan[T], mcusX, mcusY int, data []byte) (int, bool, error) {
	r := &bitReader{b: data}
	var block [64]int32
	left, restarts := f.interval, 0
	for my := range mcusY {
		for mx := range mcusX {
			if f.interval > 0 {
				if left == 0 {
					if !r.restart(restarts) {
						return 0, false, damaged("JPEG restart marker")
					}
					left = f.interval
					restarts++
					for i := range list {
						list[i].pred = 0
					}
				}
				left--
			}
			for i := range list {
				if !list[i].mcu(r, &block, mx, my) {
					return 0, false, damaged("JPEG codestream")
				}
			}
		}
		if r.overrun() {
			return 0, false, damaged("JPEG codestream")
		}
	}
	at, exact := r.end()
	return at, exact, nil
}

// mcu decodes the blocks of one component in one MCU.
func (s *dctScan[T]) mcu(r *bitReader, block *[64]int32, mx, my int) bool {
	p := s.plane
	for v := range s.v {
		for h := range s.h {
			last, ok := s.block(r, block)
			if !ok {
				return false
			}
			at := (my*s.v+v)*8*p.stride + (mx*s.h+h)*8
			if last == 0 {
				flat(block[0], p.pix[at:], p.stride)
				block[0] = 0
			} else {
				transform(block, p.pix[at:], p.stride)
				clear(block[:])
			}
		}
	}
	return true
}

// block decodes one block's coefficients (§F.2.2) and dequantises them; last is
// the index of the last that was coded, in zigzag order.
func (s *dctScan[T]) block(r *bitReader, out *[64]int32) (last int, ok bool) {
	n, ok := r.symbol(s.dc)
	if !ok || n > 15 {
		return 0, false
	}
	s.pred += extend(r.bits(uint(n)), int(n))
	if s.pred > 1<<20 || s.pred < -1<<20 {
		return 0, false
	}
	out[0] = s.pred * s.quant[0]
	for k := 1; k < 64; k++ {
		rs, ok := r.symbol(s.ac)
		if !ok {
			return 0, false
		}
		run, size := int(rs>>4), uint(rs&15)
		if size == 0 {
			if run != 15 {
				return last, true // end of block
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return 0, false
		}
		v := int32(r.acc >> (64 - size))
		r.acc <<= size
		r.n -= size
		out[zigzag[k]] = extend(v, int(size)) * s.quant[k]
		last = k
	}
	return last, true
}

// result is the frame at full resolution. The codestream says whether its
// components are RGB; else YCbCr stays YCbCr (YBR_FULL), as coded.
func (f *dctCoder[T]) result() *Native {
	wide := f.d.BitsAllocated == 16
	n := 1
	if wide {
		n = 2
	}
	cells := make([]byte, f.d.cells()*n)
	line := make([]T, f.d.Cols+8)
	for c := range f.planes {
		u := newUpsampler(&f.planes[c])
		for y := range f.d.Rows {
			u.row(line, y)
			row := cells[(y*f.d.Cols*len(f.planes)+c)*n:]
			if wide {
				for x, v := range line[:f.d.Cols] {
					binary.LittleEndian.PutUint16(row[2*x*len(f.planes):], uint16(v))
				}
			} else {
				for x, v := range line[:f.d.Cols] {
					row[x*len(f.planes)] = byte(v)
				}
			}
		}
	}
	out := f.native(cells)
	if len(f.planes) == 3 {
		out.Photometric = f.colours(out)
	}
	return out
}

// colours applies the rules of JFIF and of APP14 (T.872 §6.5.3).
func (f *dctCoder[T]) colours(out *Native) string {
	ids := [3]byte{f.comps[0].id, f.comps[1].id, f.comps[2].id}
	switch {
	case f.jfif || f.adobe > 0:
		if f.d.Photometric == "RGB" {
			out.Warnings = append(out.Warnings, "JPEG says that it is YCbCr; the header says RGB")
		}
		return "YBR_FULL"
	case f.adobe == 0 || ids == [3]byte{'R', 'G', 'B'}:
		return "RGB"
	case f.d.Photometric == "RGB":
		out.Warnings = append(out.Warnings, "JPEG does not say its colours; the header says RGB")
		return "RGB"
	}
	return "YBR_FULL"
}
