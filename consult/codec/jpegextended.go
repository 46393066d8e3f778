package codec

import (
	"encoding/binary"
	"math"
)

// JPEG extended sequential (ITU-T T.81, process 4): 12-bit grey. Files of 8 bits
// under this transfer syntax are those of decodeJPEG; 12-bit colour is refused.

// extendedFrame is the state of decoding one frame.
type extendedFrame struct {
	d        FrameDesc
	quant    [4]*[64]float64 // in zigzag order
	dc, ac   [4]huffTable
	interval int
	table    byte // quantisation table of the component
	cells    []uint16
}

// zigzag is figure A.6.
var zigzag = [64]int{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// cosines is C(u)/2 * cos((2x+1)uπ/16) by x and u (§A.3.3).
var cosines = func() (t [8][8]float64) {
	for x := range 8 {
		for u := range 8 {
			t[x][u] = math.Cos(float64((2*x+1)*u)*math.Pi/16) / 2
			if u == 0 {
				t[x][u] = math.Sqrt2 / 4
			}
		}
	}
	return t
}()

func decodeJPEGExtended(d FrameDesc, data []byte) (*Native, error) {
	sof, err := scanJPEG(data)
	if err != nil {
		return nil, err
	}
	if sof.precision == 8 {
		return decodeJPEG(d, data)
	}
	if sof.precision != 12 || d.BitsAllocated != 16 || d.Samples != 1 || sof.components != 1 {
		return nil, damaged("JPEG has other samples than declared")
	}
	if sof.rows != d.Rows || sof.cols != d.Cols {
		return nil, damaged("JPEG is not of the declared size")
	}
	f := &extendedFrame{d: d}
	if err := f.run(data); err != nil {
		return nil, err
	}
	if f.cells == nil {
		return nil, damaged("JPEG without a scan")
	}
	return d.frame(narrow(f.cells, 16)), nil
}

// run walks the markers to EOI; scanJPEG has seen those before the scan.
func (f *extendedFrame) run(data []byte) error {
	for at := 2; at+1 < len(data); {
		if data[at] != 0xFF {
			return damaged("JPEG marker")
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
			break
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
		if !f.segment(marker, seg) {
			return damaged("JPEG segment")
		}
	}
	return damaged("JPEG without an end marker")
}

func (f *extendedFrame) segment(marker byte, seg []byte) bool {
	switch marker {
	case 0xC0, 0xC1:
		if len(seg) != 9 {
			return false
		}
		f.table = seg[8]
	case 0xC4:
		return f.huffman(seg)
	case 0xDB:
		return f.quantisation(seg)
	case 0xDD:
		if len(seg) != 2 {
			return false
		}
		f.interval = int(binary.BigEndian.Uint16(seg))
	}
	return true
}

// huffman reads DHT (T.81 §B.2.4.2).
func (f *extendedFrame) huffman(seg []byte) bool {
	for len(seg) >= 17 {
		class, id, total := seg[0]>>4, seg[0]&15, 0
		for _, n := range seg[1:17] {
			total += int(n)
		}
		if class > 1 || id > 3 || total > 256 || len(seg) < 17+total {
			return false
		}
		t, ok := newHuffTable(seg[1:17], seg[17:17+total])
		if !ok {
			return false
		}
		if class == 0 {
			f.dc[id] = t
		} else {
			f.ac[id] = t
		}
		seg = seg[17+total:]
	}
	return len(seg) == 0
}

// quantisation reads DQT (§B.2.4.1).
func (f *extendedFrame) quantisation(seg []byte) bool {
	for len(seg) > 0 {
		wide, id := int(seg[0]>>4), seg[0]&15
		if wide > 1 || id > 3 || len(seg) < 1+64*(1+wide) {
			return false
		}
		q := new([64]float64)
		for i := range q {
			if wide == 1 {
				q[i] = float64(binary.BigEndian.Uint16(seg[1+2*i:]))
			} else {
				q[i] = float64(seg[1+i])
			}
		}
		f.quant[id] = q
		seg = seg[1+64*(1+wide):]
	}
	return true
}

// scan decodes the blocks of the one component.
func (f *extendedFrame) scan(seg, data []byte) (int, error) {
	if len(seg) != 6 || seg[0] != 1 || seg[2]>>4 > 3 || seg[2]&15 > 3 || f.table > 3 || f.quant[f.table] == nil || f.cells != nil {
		return 0, damaged("JPEG scan header")
	}
	dc, ac := &f.dc[seg[2]>>4], &f.ac[seg[2]&15]
	wide, high := (f.d.Cols+7)/8, (f.d.Rows+7)/8
	if !dc.ok || !ac.ok || len(data)*8 < wide*high {
		return 0, damaged("JPEG scan")
	}
	f.cells = make([]uint16, f.d.cells())
	r := &bitReader{b: data}
	var pred int32
	restarts := 0
	for i := range wide * high {
		if f.interval > 0 && i > 0 && i%f.interval == 0 {
			if !r.restart(restarts) {
				return 0, damaged("JPEG restart marker")
			}
			restarts++
			pred = 0
		}
		var block [64]float64
		if !f.block(r, dc, ac, &pred, &block) || r.overrun() {
			return 0, damaged("JPEG codestream")
		}
		f.place(&block, i%wide*8, i/wide*8)
	}
	return r.at, nil
}

// extend is §F.2.2.1.
func extend(v int32, n byte) int32 {
	if n > 0 && v < 1<<(n-1) {
		v -= 1<<n - 1
	}
	return v
}

// block decodes one block's coefficients (§F.2.2) and dequantises them.
func (f *extendedFrame) block(r *bitReader, dc, ac *huffTable, pred *int32, out *[64]float64) bool {
	q := f.quant[f.table]
	n, ok := r.symbol(dc)
	if !ok || n > 15 {
		return false
	}
	*pred += extend(r.bits(int(n)), n)
	if *pred > 1<<20 || *pred < -1<<20 {
		return false
	}
	out[0] = float64(*pred) * q[0]
	for k := 1; k < 64; k++ {
		rs, ok := r.symbol(ac)
		if !ok {
			return false
		}
		run, size := int(rs>>4), rs&15
		if size == 0 {
			if run != 15 {
				return true // end of block
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return false
		}
		out[zigzag[k]] = float64(extend(r.bits(int(size)), size)) * q[k]
	}
	return true
}

// place undoes the transform and writes the block's cells.
func (f *extendedFrame) place(block *[64]float64, x0, y0 int) {
	var rows [64]float64 // rows transformed
	for v := range 8 {
		for x := range 8 {
			var s float64
			for u := range 8 {
				s += cosines[x][u] * block[8*v+u]
			}
			rows[8*v+x] = s
		}
	}
	for y := range min(8, f.d.Rows-y0) {
		for x := range min(8, f.d.Cols-x0) {
			var s float64
			for v := range 8 {
				s += cosines[y][v] * rows[8*v+x]
			}
			f.cells[(y0+y)*f.d.Cols+x0+x] = uint16(max(0, min(math.Round(s)+2048, 4095)))
		}
	}
}
