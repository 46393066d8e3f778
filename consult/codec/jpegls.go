package codec

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// JPEG-LS (ITU-T T.87), lossless and near-lossless: markers and parameters.
// Mapping tables, restart intervals and colour transforms outside the standard
// are refused.

// lsFrame is the state of decoding one frame.
type lsFrame struct {
	d         FrameDesc
	precision int
	ids       []byte
	done      []bool
	preset    [5]int // MAXVAL, T1, T2, T3, RESET; 0 is the default
	cells     []uint16
}

func decodeJPEGLS(d FrameDesc, data []byte) (*Native, error) {
	if d.BitsAllocated != 8 && d.BitsAllocated != 16 {
		return nil, ErrFrameShape
	}
	f := &lsFrame{d: d}
	if err := f.run(data); err != nil {
		return nil, err
	}
	if f.cells == nil || slices.Contains(f.done, false) {
		return nil, damaged("JPEG-LS component is missing")
	}
	return d.frame(narrow(f.cells, d.BitsAllocated)), nil
}

// narrow writes cells as wide as they are allocated.
func narrow(cells []uint16, bits int) []byte {
	out := make([]byte, len(cells)*bits/8)
	for i, v := range cells {
		if bits == 8 {
			out[i] = byte(v)
		} else {
			binary.LittleEndian.PutUint16(out[2*i:], v)
		}
	}
	return out
}

func (f *lsFrame) run(data []byte) error {
	if len(data) < 4 || data[0] != 0xFF || data[1] != 0xD8 {
		return damaged("no JPEG start marker")
	}
	for at := 2; at+1 < len(data); {
		if data[at] != 0xFF {
			return damaged("JPEG-LS marker")
		}
		marker := data[at+1]
		switch marker {
		case 0xFF:
			at++
			continue
		case 0xD9:
			return nil
		}
		if at+4 > len(data) {
			break
		}
		n := int(binary.BigEndian.Uint16(data[at+2:]))
		if n < 2 || at+2+n > len(data) {
			return damaged("JPEG-LS segment is longer than the frame")
		}
		seg := data[at+4 : at+2+n]
		at += 2 + n
		if marker == 0xDA {
			used, err := f.scan(seg, data[at:])
			if err != nil {
				return err
			}
			at += used
			continue
		}
		if err := f.segment(marker, seg); err != nil {
			return err
		}
	}
	return damaged("JPEG-LS without an end marker")
}

func (f *lsFrame) segment(marker byte, seg []byte) error {
	switch {
	case marker == 0xF7: // SOF55, T.87 §C.2.2
		return f.header(seg)
	case marker == 0xF8: // LSE, §C.2.4.1
		return f.parameters(seg)
	case marker == 0xDD && !bytes.Equal(seg, make([]byte, len(seg))):
		return damaged("JPEG-LS with restart intervals")
	case marker == 0xE8 && bytes.HasPrefix(seg, []byte("mrfx")) && len(seg) > 4 && seg[4] != 0:
		return damaged("JPEG-LS with a colour transform")
	case marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
		return damaged("JPEG process is not JPEG-LS")
	}
	return nil
}

func (f *lsFrame) header(seg []byte) error {
	if len(seg) < 6 || len(seg) != 6+3*int(seg[5]) || f.ids != nil {
		return damaged("JPEG-LS frame header")
	}
	f.precision = int(seg[0])
	rows, cols := int(binary.BigEndian.Uint16(seg[1:])), int(binary.BigEndian.Uint16(seg[3:]))
	if rows != f.d.Rows || cols != f.d.Cols || int(seg[5]) != f.d.Samples {
		return damaged("JPEG-LS is not of the declared size")
	}
	if f.precision < 2 || f.precision > f.d.BitsAllocated {
		return damaged("JPEG-LS has other samples than declared")
	}
	for i := range int(seg[5]) {
		if seg[7+3*i] != 0x11 {
			return damaged("JPEG-LS with subsampling")
		}
		f.ids = append(f.ids, seg[6+3*i])
	}
	f.done = make([]bool, len(f.ids))
	return nil
}

// parameters reads preset coding parameters; other LSE types are mapping
// tables and sizes beyond 65,535.
func (f *lsFrame) parameters(seg []byte) error {
	if len(seg) < 1 || seg[0] != 1 {
		return damaged("JPEG-LS with a mapping table")
	}
	if len(seg) != 11 {
		return damaged("JPEG-LS parameters")
	}
	for i := range f.preset {
		f.preset[i] = int(binary.BigEndian.Uint16(seg[1+2*i:]))
	}
	return nil
}

// scan reads a scan header (T.87 §C.2.3) and decodes its components.
func (f *lsFrame) scan(seg, data []byte) (int, error) {
	if f.ids == nil || len(seg) < 1 || len(seg) != 4+2*int(seg[0]) || seg[0] == 0 {
		return 0, damaged("JPEG-LS scan header")
	}
	var list []int
	for i := range int(seg[0]) {
		index := bytes.IndexByte(f.ids, seg[1+2*i])
		if index < 0 || f.done[index] {
			return 0, damaged("JPEG-LS scan header")
		}
		if seg[2+2*i] != 0 {
			return 0, damaged("JPEG-LS with a mapping table")
		}
		f.done[index] = true
		list = append(list, index)
	}
	tail := seg[1+2*int(seg[0]):]
	near, interleave := int(tail[0]), int(tail[1])
	if tail[2] != 0 || interleave > 2 || (interleave == 0) != (len(list) == 1) && len(list) > 1 {
		return 0, damaged("JPEG-LS scan header")
	}
	p, ok := newLSParams(f.precision, near, f.preset)
	if !ok {
		return 0, damaged("JPEG-LS parameters")
	}
	// A run of a line takes at least a few bits: bound the allocation.
	if len(data)*8 < f.d.Rows*len(list)/2 {
		return 0, damaged("JPEG-LS codestream is short")
	}
	if f.cells == nil {
		f.cells = make([]uint16, f.d.cells())
	}
	s := newLSScan(p, data, f.d.Cols, len(list))
	for y := range f.d.Rows {
		s.turn()
		if len(list) > 1 && interleave == 2 {
			s.sampleLine()
		} else {
			for c := range list {
				s.line(c)
			}
		}
		if s.bad || s.r.overrun() {
			return 0, damaged("JPEG-LS codestream")
		}
		s.store(f.cells[y*f.d.Cols*f.d.Samples:], list, f.d.Samples)
	}
	return s.r.end(), nil
}

// lsParams are the coding parameters of a scan (T.87 §A.2, §C.2.4.1.1.1).
type lsParams struct {
	max, near, t1, t2, t3, reset int
	span                         int // 2*near + 1
	rng, qbpp, limit             int
	quantised                    []int8 // of differences from -max to max
}

func newLSParams(precision, near int, preset [5]int) (*lsParams, bool) {
	p := &lsParams{max: 1<<precision - 1, near: near, reset: 64, span: 2*near + 1}
	if preset[0] != 0 {
		if preset[0] > p.max {
			return nil, false
		}
		p.max = preset[0]
	}
	if near > min(255, p.max/2) {
		return nil, false
	}
	p.thresholds()
	for i, to := range []*int{&p.t1, &p.t2, &p.t3, &p.reset} {
		if preset[i+1] != 0 {
			*to = preset[i+1]
		}
	}
	if p.t1 < near+1 || p.t2 < p.t1 || p.t3 < p.t2 || p.t3 > p.max || p.reset < 3 {
		return nil, false
	}
	p.rng = (p.max+2*near)/p.span + 1
	for 1<<p.qbpp < p.rng {
		p.qbpp++
	}
	bpp := 2
	for 1<<bpp < p.max+1 {
		bpp++
	}
	p.limit = 2 * (bpp + max(8, bpp))
	p.quantised = make([]int8, 2*p.max+1)
	for i := range p.quantised {
		p.quantised[i] = p.quantise(i - p.max)
	}
	return p, true
}

func (p *lsParams) thresholds() {
	clamp := func(i, j int) int {
		if i > p.max || i < j {
			return j
		}
		return i
	}
	if p.max >= 128 {
		factor := (min(p.max, 4095) + 128) / 256
		p.t1 = clamp(factor+2+3*p.near, p.near+1)
		p.t2 = clamp(factor*4+3+5*p.near, p.t1)
		p.t3 = clamp(factor*17+4+7*p.near, p.t2)
		return
	}
	factor := 256 / (p.max + 1)
	p.t1 = clamp(max(2, 3/factor+3*p.near), p.near+1)
	p.t2 = clamp(max(3, 7/factor+5*p.near), p.t1)
	p.t3 = clamp(max(4, 21/factor+7*p.near), p.t2)
}

// quantise is code segment A.4.
func (p *lsParams) quantise(d int) int8 {
	switch {
	case d <= -p.t3:
		return -4
	case d <= -p.t2:
		return -3
	case d <= -p.t1:
		return -2
	case d < -p.near:
		return -1
	case d <= p.near:
		return 0
	case d < p.t1:
		return 1
	case d < p.t2:
		return 2
	case d < p.t3:
		return 3
	}
	return 4
}
