package codec

import "encoding/binary"

// Codec 2, the arithmetic of FORMATS.md §3.2. Rows are widened to uint16 cells
// once, so that the inner loops are free of byte order and sign.

// med is the median edge detector (ITU-T T.87 §A.3.1): the median of a, b and
// a+b-c.
func med(a, b, c int32) int32 {
	return max(min(a, b), min(max(a, b), a+b-c))
}

// forward writes the residual planes of one unit into dst, which is as long.
func forward(dst, unit []byte, l Layout) {
	rowCells := l.Cols * l.Samples
	cur, prev := make([]uint16, rowCells), make([]uint16, rowCells)
	cells := len(unit) / l.Bytes
	for y := range l.Rows {
		loadRow(cur, unit[y*rowCells*l.Bytes:], l)
		lo := dst[y*rowCells : (y+1)*rowCells]
		if l.Bytes == 1 {
			residual8(lo, cur, prev, l.Samples, y == 0)
		} else {
			hi := dst[cells+y*rowCells : cells+(y+1)*rowCells]
			residual16(lo, hi, cur, prev, l.Samples, y == 0)
		}
		cur, prev = prev, cur
	}
}

// inverse rebuilds a unit from its residual planes.
func inverse(unit, planes []byte, l Layout) {
	rowCells := l.Cols * l.Samples
	cur, prev := make([]uint16, rowCells), make([]uint16, rowCells)
	cells := len(unit) / l.Bytes
	for y := range l.Rows {
		lo := planes[y*rowCells : (y+1)*rowCells]
		if l.Bytes == 1 {
			restore8(cur, prev, lo, l.Samples, y == 0)
		} else {
			hi := planes[cells+y*rowCells : cells+(y+1)*rowCells]
			restore16(cur, prev, lo, hi, l.Samples, y == 0)
		}
		storeRow(unit[y*rowCells*l.Bytes:], cur, l)
		cur, prev = prev, cur
	}
}

// loadRow reads one row as unsigned cells; signed ones get their top bit flipped.
func loadRow(row []uint16, b []byte, l Layout) {
	switch {
	case l.Bytes == 1:
		flip := flipOf(l, 0x80)
		b = b[:len(row)]
		for i, v := range b {
			row[i] = uint16(v) ^ flip
		}
	case l.BigEndian:
		flip := flipOf(l, 0x8000)
		b = b[:2*len(row)]
		for i := range row {
			row[i] = binary.BigEndian.Uint16(b[2*i:]) ^ flip
		}
	default:
		flip := flipOf(l, 0x8000)
		b = b[:2*len(row)]
		for i := range row {
			row[i] = binary.LittleEndian.Uint16(b[2*i:]) ^ flip
		}
	}
}

// storeRow is the inverse of loadRow.
func storeRow(b []byte, row []uint16, l Layout) {
	switch {
	case l.Bytes == 1:
		flip := flipOf(l, 0x80)
		b = b[:len(row)]
		for i, v := range row {
			b[i] = byte(v ^ flip)
		}
	case l.BigEndian:
		flip := flipOf(l, 0x8000)
		b = b[:2*len(row)]
		for i, v := range row {
			binary.BigEndian.PutUint16(b[2*i:], v^flip)
		}
	default:
		flip := flipOf(l, 0x8000)
		b = b[:2*len(row)]
		for i, v := range row {
			binary.LittleEndian.PutUint16(b[2*i:], v^flip)
		}
	}
}

func flipOf(l Layout, top uint16) uint16 {
	if l.Signed {
		return top
	}
	return 0
}

// residual16 writes the zigzag residuals of a row to the two planes. The first
// pixel of the first row is predicted by 0, of later rows by the one above.
func residual16(lo, hi []byte, cur, prev []uint16, s int, first bool) {
	n := len(cur)
	lo, hi, prev = lo[:n], hi[:n], prev[:n]
	put := func(i int, p uint16) {
		r := cur[i] - p
		z := r<<1 ^ uint16(int16(r)>>15)
		lo[i], hi[i] = byte(z), byte(z>>8)
	}
	for i := range min(s, n) {
		put(i, above(prev, i, first))
	}
	if first {
		for i := s; i < n; i++ {
			put(i, cur[i-s])
		}
		return
	}
	left, upleft := cur[:n-s], prev[:n-s]
	cur, prev, lo, hi = cur[s:], prev[s:], lo[s:], hi[s:]
	cur, prev, lo, hi = cur[:len(left)], prev[:len(left)], lo[:len(left)], hi[:len(left)]
	upleft = upleft[:len(left)]
	for i, a := range left {
		p := med(int32(a), int32(prev[i]), int32(upleft[i]))
		r := cur[i] - uint16(p)
		z := r<<1 ^ uint16(int16(r)>>15)
		lo[i], hi[i] = byte(z), byte(z>>8)
	}
}

// residual8 is residual16 for 8-bit cells.
func residual8(lo []byte, cur, prev []uint16, s int, first bool) {
	n := len(cur)
	lo, prev = lo[:n], prev[:n]
	put := func(i int, p uint16) {
		r := byte(cur[i] - p)
		lo[i] = r<<1 ^ byte(int8(r)>>7)
	}
	for i := range min(s, n) {
		put(i, above(prev, i, first))
	}
	for i := s; i < n; i++ {
		if first {
			put(i, cur[i-s])
			continue
		}
		put(i, uint16(med(int32(cur[i-s]), int32(prev[i]), int32(prev[i-s]))))
	}
}

// restore16 rebuilds a row of 16-bit cells.
func restore16(cur, prev []uint16, lo, hi []byte, s int, first bool) {
	n := len(cur)
	lo, hi, prev = lo[:n], hi[:n], prev[:n]
	residual := func(i int) uint16 {
		z := uint16(lo[i]) | uint16(hi[i])<<8
		return z>>1 ^ -(z & 1)
	}
	for i := range min(s, n) {
		cur[i] = above(prev, i, first) + residual(i)
	}
	switch {
	case first:
		for i := s; i < n; i++ {
			cur[i] = cur[i-s] + residual(i)
		}
	case s == 1:
		restoreGrey(cur, prev, lo, hi)
	default:
		for i := s; i < n; i++ {
			cur[i] = uint16(med(int32(cur[i-s]), int32(prev[i]), int32(prev[i-s]))) + residual(i)
		}
	}
}

// restoreGrey is the hot loop of decoding. Every cell waits for the one before, so what does not
// depend on it is worked out aside: with d = b-c, med(a,b,c) is max(a+min(d,0), min(b, a+max(d,0))),
// and the residual is added inside.
func restoreGrey(cur, prev []uint16, lo, hi []byte) {
	a, c := int32(cur[0]), int32(prev[0])
	prev = prev[:len(cur)]
	lo, hi = lo[:len(cur)], hi[:len(cur)]
	for i := 1; i < len(cur); i++ {
		b := int32(prev[i])
		z := uint32(lo[i]) | uint32(hi[i])<<8
		r := int32(z>>1 ^ -(z & 1))
		d := b - c
		down := d & (d >> 31)
		low, high := down+r, d-down+r
		a = int32(uint16(max(a+low, min(b+r, a+high))))
		c = b
		cur[i] = uint16(a)
	}
}

// restore8 rebuilds a row of 8-bit cells.
func restore8(cur, prev []uint16, lo []byte, s int, first bool) {
	n := len(cur)
	lo, prev = lo[:n], prev[:n]
	residual := func(i int) uint16 { return uint16(lo[i]>>1 ^ -(lo[i] & 1)) }
	for i := range min(s, n) {
		cur[i] = uint16(byte(above(prev, i, first) + residual(i)))
	}
	for i := s; i < n; i++ {
		if first {
			cur[i] = uint16(byte(cur[i-s] + residual(i)))
			continue
		}
		p := uint16(med(int32(cur[i-s]), int32(prev[i]), int32(prev[i-s])))
		cur[i] = uint16(byte(p + residual(i)))
	}
}

// above predicts the first pixel of a row.
func above(prev []uint16, i int, first bool) uint16 {
	if first {
		return 0
	}
	return prev[i]
}
