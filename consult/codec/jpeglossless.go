package codec

import (
	"encoding/binary"
	"slices"
)

// JPEG lossless (ITU-T T.81 Annex H): Huffman-coded differences to one of
// seven predictors, 2 to 16 bits, point transform, restart intervals.

// losslessFrame is the state of decoding one frame.
type losslessFrame struct {
	d          FrameDesc
	precision  int
	ids        []byte
	tables     [4]huffTable
	interval   int
	cells      []uint16 // interleaved
	done       []bool   // components decoded
	selections byte     // predictor of the last scan
}

func decodeJPEGLossless(d FrameDesc, data []byte) (*Native, error) {
	if d.BitsAllocated != 8 && d.BitsAllocated != 16 {
		return nil, ErrFrameShape
	}
	f := &losslessFrame{d: d}
	if err := f.run(data); err != nil {
		return nil, err
	}
	if f.cells == nil || slices.Contains(f.done, false) {
		return nil, damaged("JPEG lossless component is missing")
	}
	out := d.frame(narrow(f.cells, d.BitsAllocated))
	if d.Syntax == JPEGLosslessSV1 && f.selections != 1 {
		out.Warnings = append(out.Warnings, "JPEG lossless predictor is not the one the transfer syntax declares")
	}
	return out, nil
}

// run walks the markers to EOI.
func (f *losslessFrame) run(data []byte) error {
	if len(data) < 4 || data[0] != 0xFF || data[1] != 0xD8 {
		return damaged("no JPEG start marker")
	}
	for at := 2; at+1 < len(data); {
		if data[at] != 0xFF {
			return damaged("JPEG marker")
		}
		marker := data[at+1]
		switch marker {
		case 0xFF:
			at++
			continue
		case 0xD9: // EOI
			return nil
		}
		if at+4 > len(data) {
			break
		}
		n := int(binary.BigEndian.Uint16(data[at+2:]))
		if n < 2 || at+2+n > len(data) {
			return damaged("JPEG segment is longer than the frame")
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
	return damaged("JPEG without an end marker")
}

func (f *losslessFrame) segment(marker byte, seg []byte) error {
	switch {
	case marker == 0xC3: // SOF3
		return f.header(seg)
	case marker == 0xC4: // DHT
		return f.huffman(seg)
	case marker == 0xDD: // DRI
		if len(seg) != 2 {
			return damaged("JPEG restart interval")
		}
		f.interval = int(binary.BigEndian.Uint16(seg))
	case marker >= 0xC0 && marker <= 0xCF && marker != 0xC8 && marker != 0xCC:
		return damaged("JPEG process is not lossless")
	}
	return nil
}

// header reads the frame header (T.81 §B.2.2); sampling factors are all equal.
func (f *losslessFrame) header(seg []byte) error {
	if len(seg) < 6 || len(seg) != 6+3*int(seg[5]) || f.ids != nil {
		return damaged("JPEG frame header")
	}
	f.precision = int(seg[0])
	rows, cols := int(binary.BigEndian.Uint16(seg[1:])), int(binary.BigEndian.Uint16(seg[3:]))
	if rows != f.d.Rows || cols != f.d.Cols || int(seg[5]) != f.d.Samples {
		return damaged("JPEG is not of the declared size")
	}
	if f.precision < 2 || f.precision > f.d.BitsAllocated {
		return damaged("JPEG has other samples than declared")
	}
	for i := range int(seg[5]) {
		if seg[7+3*i] != seg[7] {
			return damaged("JPEG lossless with subsampling")
		}
		f.ids = append(f.ids, seg[6+3*i])
	}
	f.done = make([]bool, len(f.ids))
	return nil
}

// huffman reads DHT (T.81 §B.2.4.2).
func (f *losslessFrame) huffman(seg []byte) error {
	for len(seg) >= 17 {
		class, id := seg[0]>>4, seg[0]&15
		total := 0
		for _, n := range seg[1:17] {
			total += int(n)
		}
		if class != 0 || id > 3 || total > 256 || len(seg) < 17+total {
			return damaged("JPEG Huffman table")
		}
		t, ok := newHuffTable(seg[1:17], seg[17:17+total])
		if !ok {
			return damaged("JPEG Huffman table")
		}
		f.tables[id] = t
		seg = seg[17+total:]
	}
	if len(seg) != 0 {
		return damaged("JPEG Huffman table")
	}
	return nil
}

// scanComponent is one component of a scan.
type scanComponent struct {
	index int
	table *huffTable
}

// scan reads a scan header (T.81 §B.2.3) and its entropy-coded data; it returns
// how many bytes of data it took.
func (f *losslessFrame) scan(seg, data []byte) (int, error) {
	if f.ids == nil || len(seg) < 1 || len(seg) != 4+2*int(seg[0]) {
		return 0, damaged("JPEG scan header")
	}
	var list []scanComponent
	for i := range int(seg[0]) {
		index := -1
		for k, id := range f.ids {
			if id == seg[1+2*i] && !f.done[k] {
				index = k
				break
			}
		}
		table := seg[2+2*i] >> 4
		if index < 0 || table > 3 || !f.tables[table].ok {
			return 0, damaged("JPEG scan header")
		}
		f.done[index] = true
		list = append(list, scanComponent{index, &f.tables[table]})
	}
	tail := seg[1+2*int(seg[0]):]
	selection, transform := tail[0], int(tail[2]&15)
	if selection < 1 || selection > 7 || transform >= f.precision {
		return 0, damaged("JPEG lossless predictor")
	}
	f.selections = selection
	// A sample takes at least one bit: bound the allocation by the bytes at hand.
	if f.cells == nil {
		if len(data)*8 < f.d.Rows*f.d.Cols {
			return 0, damaged("JPEG codestream is short")
		}
		f.cells = make([]uint16, f.d.cells())
	}
	return f.entropy(list, data, selection, transform)
}

// entropy decodes the rows. A restart interval is a whole number of rows
// (T.81 §H.1.1); prediction begins anew after each.
func (f *losslessFrame) entropy(list []scanComponent, data []byte, selection byte, transform int) (int, error) {
	cols := f.d.Cols
	if f.interval%cols != 0 {
		return 0, damaged("JPEG restart interval")
	}
	every := f.interval / cols
	r := &bitReader{b: data}
	restarts := 0
	first := true
	for y := range f.d.Rows {
		if every > 0 && y > 0 && y%every == 0 {
			if !r.restart(restarts) {
				return 0, damaged("JPEG restart marker")
			}
			restarts++
			first = true
		}
		if !f.row(r, list, y, first, selection, transform) || r.overrun() {
			return 0, damaged("JPEG codestream")
		}
		first = false
	}
	if transform > 0 {
		for _, c := range list {
			for i := c.index; i < len(f.cells); i += f.d.Samples {
				f.cells[i] <<= transform
			}
		}
	}
	return r.at, nil
}

func (f *losslessFrame) row(r *bitReader, list []scanComponent, y int, first bool, selection byte, transform int) bool {
	s := f.d.Samples
	stride := f.d.Cols * s
	cur := f.cells[y*stride : (y+1)*stride]
	prev := cur
	if y > 0 {
		prev = f.cells[(y-1)*stride : y*stride]
	}
	start := uint16(1) << (f.precision - transform - 1)
	if len(list) == 1 && s == 1 {
		return greyRow(r, list[0].table, cur, prev, first, selection, start)
	}
	for x := range f.d.Cols {
		for _, c := range list {
			i := x*s + c.index
			diff, ok := difference(r, c.table)
			if !ok {
				return false
			}
			var p uint16
			switch {
			case x > 0 && first:
				p = cur[i-s]
			case x > 0:
				p = predict(selection, int32(cur[i-s]), int32(prev[i]), int32(prev[i-s]))
			case first:
				p = start
			default:
				p = prev[i]
			}
			cur[i] = p + diff
		}
	}
	return true
}

// greyRow is the hot loop: one component.
func greyRow(r *bitReader, t *huffTable, cur, prev []uint16, first bool, selection byte, start uint16) bool {
	p := start
	if !first {
		p = prev[0]
	}
	if first {
		selection = 1 // T.81 §H.1.2.1: the first line is predicted from the left
	}
	prev = prev[:len(cur)]
	for x := range cur {
		diff, ok := difference(r, t)
		if !ok {
			return false
		}
		v := p + diff
		cur[x] = v
		if selection == 1 {
			p = v
		} else if x+1 < len(cur) {
			p = predict(selection, int32(v), int32(prev[x+1]), int32(prev[x]))
		}
	}
	return true
}

// difference decodes one difference (T.81 §H.1.2.2): category, then bits;
// category 16 is 32,768 without bits.
func difference(r *bitReader, t *huffTable) (uint16, bool) {
	ssss, ok := r.symbol(t)
	if !ok || ssss > 16 {
		return 0, false
	}
	if ssss == 0 {
		return 0, true
	}
	if ssss == 16 {
		return 32768, true
	}
	v := r.bits(int(ssss))
	if v < 1<<(ssss-1) { // §F.2.2.1 EXTEND
		v -= 1<<ssss - 1
	}
	return uint16(v), true
}

// predict is table H.1: a left, b above, c above left.
func predict(selection byte, a, b, c int32) uint16 {
	switch selection {
	case 1:
		return uint16(a)
	case 2:
		return uint16(b)
	case 3:
		return uint16(c)
	case 4:
		return uint16(a + b - c)
	case 5:
		return uint16(a + (b-c)>>1)
	case 6:
		return uint16(b + (a-c)>>1)
	}
	return uint16((a + b) >> 1)
}
