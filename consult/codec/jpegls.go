package codec

import (
	"bytes"
	"encoding/binary"
)

// JPEG-LS (ITU-T T.87), lossless and near-lossless: parameters and scans.
// Mapping tables and colour transforms outside the standard are refused.

// lsCoder is the state of decoding one frame.
type lsCoder struct {
	jpegStream
	preset [5]int // MAXVAL, T1, T2, T3, RESET; 0 is the default
	cells  []uint16
}

func decodeJPEGLS(d FrameDesc, data []byte) (*Native, error) {
	if d.BitsAllocated != 8 && d.BitsAllocated != 16 {
		return nil, ErrFrameShape
	}
	f := &lsCoder{jpegStream: jpegStream{d: d}}
	if err := f.run(data, f, 0xF7); err != nil {
		return nil, err
	}
	return f.native(narrow(f.cells, d.BitsAllocated)), nil
}

// narrow writes cells as wide as they are allocated.
func narrow(cells []uint16, bits int) []byte {
	out := make([]byte, len(cells)*bits/8)
	if bits == 8 {
		for i, v := range cells {
			out[i] = byte(v)
		}
		return out
	}
	for i, v := range cells {
		binary.LittleEndian.PutUint16(out[2*i:], v)
	}
	return out
}

func (f *lsCoder) frame() error {
	if f.subsampled() {
		return &Unsupported{UID: f.d.Syntax, Name: "JPEG-LS with subsampling"}
	}
	return nil
}

func (f *lsCoder) segment(marker byte, seg []byte) error {
	switch {
	case marker == 0xF8: // LSE, §C.2.4.1
		return f.parameters(seg)
	case marker == 0xE8 && bytes.HasPrefix(seg, []byte("mrfx")) && len(seg) > 4 && seg[4] != 0:
		return &Unsupported{UID: f.d.Syntax, Name: "JPEG-LS with a colour transform outside the standard"}
	}
	return nil
}

// parameters reads preset coding parameters (T.87 §C.2.4.1.1); other LSE types
// are mapping tables and sizes beyond 65,535.
func (f *lsCoder) parameters(seg []byte) error {
	if len(seg) < 1 || seg[0] == 0 {
		return damaged("JPEG-LS parameters")
	}
	switch {
	case seg[0] == 2 || seg[0] == 3:
		return f.mapped()
	case seg[0] != 1:
		return &Unsupported{UID: f.d.Syntax, Name: "JPEG-LS with extended parameters"}
	case len(seg) != 11:
		return damaged("JPEG-LS parameters")
	}
	for i := range f.preset {
		f.preset[i] = int(binary.BigEndian.Uint16(seg[1+2*i:]))
	}
	return nil
}

func (f *lsCoder) mapped() error {
	return &Unsupported{UID: f.d.Syntax, Name: "JPEG-LS with a mapping table"}
}

// scan decodes components from a scan (T.87 §C.2.3): Ss is NEAR, Se the
// interleave mode.
func (f *lsCoder) scan(h jpegScan, data []byte) (int, bool, error) {
	for _, c := range h.comps {
		if c.tables != 0 {
			return 0, false, f.mapped()
		}
	}
	n, near, interleave := len(h.comps), int(h.tail[0]), int(h.tail[1])
	if h.tail[2] != 0 || interleave > 2 || interleave == 0 && n > 1 {
		return 0, false, damaged("JPEG-LS scan header")
	}
	p, ok := newLSParams(f.precision, near, f.preset)
	if !ok {
		return 0, false, damaged("JPEG-LS parameters")
	}
	// A run of a line takes at least a few bits: bound the allocation.
	if len(data)*8 < f.d.Rows*n/2 {
		return 0, false, damaged("JPEG-LS codestream is short")
	}
	if f.cells == nil {
		f.cells = make([]uint16, f.d.cells())
	}
	every, ok := f.restartLines(data)
	if !ok {
		return 0, false, damaged("JPEG-LS restart markers")
	}
	s := newLSScan(p, data, f.d.Cols, n)
	for y := range f.d.Rows {
		if every > 0 && y > 0 && y%every == 0 {
			if !s.restart(y/every - 1) {
				return 0, false, damaged("JPEG-LS restart marker")
			}
		}
		s.turn()
		if n > 1 && interleave == 2 {
			s.sampleLine()
		} else {
			for c := range n {
				s.line(c)
			}
		}
		if s.bad || s.r.overrun() {
			return 0, false, damaged("JPEG-LS codestream")
		}
		for k, c := range h.comps {
			s.store(f.cells[y*f.d.Cols*f.d.Samples+c.index:], k, f.d.Samples)
		}
	}
	at, exact := s.r.end()
	return at, exact, nil
}

// restartLines is the restart interval in lines. T.87 counts minimum coded
// units, which some take for lines and some for samples: the markers of the
// scan tell which.
func (f *lsCoder) restartLines(data []byte) (int, bool) {
	if f.interval == 0 {
		return 0, true
	}
	markers := 0
	for at := 0; at+1 < len(data); at++ {
		if data[at] == 0xFF && data[at+1] >= 0x80 {
			if data[at+1]&0xF8 != 0xD0 {
				break
			}
			markers++
		}
	}
	if every := f.interval; ceilDiv(f.d.Rows, every)-1 == markers {
		return every, true
	}
	if every := f.interval / f.d.Cols; f.interval%f.d.Cols == 0 && ceilDiv(f.d.Rows, every)-1 == markers {
		return every, true
	}
	return 0, false
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
