package codec

import "encoding/binary"

// The entropy coding of ITU-T T.81: Huffman tables (Annex C, F.2.2.3) and a bit
// reader that undoes byte stuffing (§F.1.2.3) and stops at markers.

const (
	// huffFast is how many bits the first lookup of a symbol resolves.
	huffFast = 9
	// diffFast is how many bits the lookup of a whole difference resolves:
	// code and additional bits of nearly all in real images.
	diffFast = 11
)

// huffTable decodes one DHT table.
type huffTable struct {
	fast   [1 << huffFast]uint16 // length<<8 | value; 0 when the code is longer
	max    [18]int32             // largest code of each length, -1 if none
	offset [18]int32             // value index - first code
	values []byte
	diffs  *[1 << diffFast]uint32 // difference<<16 | length; 0 when it is longer
}

// newHuffTable builds a table from BITS and HUFFVAL (T.81 §C.2).
func newHuffTable(counts, values []byte) (*huffTable, bool) {
	t := &huffTable{values: values}
	code, k := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		n := int32(counts[length-1])
		t.offset[length] = k - code
		for range n {
			if code >= 1<<length {
				return nil, false // more codes than the length has
			}
			if length <= huffFast {
				entry := uint16(length)<<8 | uint16(values[k])
				from := int(code) << (huffFast - length)
				for j := range 1 << (huffFast - length) {
					t.fast[from+j] = entry
				}
			}
			code++
			k++
		}
		t.max[length] = code - 1
		if n == 0 {
			t.max[length] = -1
		}
		code <<= 1
	}
	return t, true
}

// prepare builds the lookup of whole differences (T.81 §H.1.2.2), for tables
// that a lossless scan uses.
func (t *huffTable) prepare() {
	if t.diffs != nil {
		return
	}
	t.diffs = new([1 << diffFast]uint32)
	for i := range t.diffs {
		e := t.fast[i>>(diffFast-huffFast)]
		length, ssss := int(e>>8), int(e&0xFF)
		if length == 0 || ssss > 15 || length+ssss > diffFast {
			continue
		}
		bits := int32(i) >> (diffFast - length - ssss) & (1<<ssss - 1)
		t.diffs[i] = uint32(uint16(extend(bits, ssss)))<<16 | uint32(length+ssss)
	}
}

// extend is §F.2.2.1.
func extend(v int32, n int) int32 {
	if n > 0 && v < 1<<(n-1) {
		v -= 1<<n - 1
	}
	return v
}

// bitReader reads entropy-coded bits; past a marker or the end it gives zeros
// and counts them, so that the hot loops need no check.
type bitReader struct {
	b    []byte
	at   int
	acc  uint64 // the next bits, from the top; below the first n they are bits that come again
	n    uint   // bits in acc
	over uint   // zero bits invented
}

// anyFF reports whether a byte of x is FF, which needs a look at the next one.
func anyFF(x uint64) bool { return (^x-0x0101010101010101)&x&0x8080808080808080 != 0 }

// fill has at least 56 bits in acc.
func (r *bitReader) fill() {
	if r.at+8 <= len(r.b) {
		x := binary.BigEndian.Uint64(r.b[r.at:])
		if !anyFF(x) {
			r.acc |= x >> (r.n & 63)
			k := (63 - r.n) >> 3
			r.at += int(k)
			r.n += 8 * k
			return
		}
	}
	r.fillSlowly()
}

func (r *bitReader) fillSlowly() {
	for r.n <= 56 {
		var v byte
		switch {
		case r.at >= len(r.b):
			r.over += 8
		case r.b[r.at] != 0xFF:
			v = r.b[r.at]
			r.at++
		case r.at+1 < len(r.b) && r.b[r.at+1] == 0: // a stuffed FF
			v = 0xFF
			r.at += 2
		default: // a marker
			r.over += 8
		}
		r.acc |= uint64(v) << (56 - r.n)
		r.n += 8
	}
}

// symbol decodes one Huffman code; false if there is no such code. At least 16
// bits are left for what follows it.
func (r *bitReader) symbol(t *huffTable) (byte, bool) {
	if r.n < 32 {
		r.fill()
	}
	if e := t.fast[r.acc>>(64-huffFast)]; e != 0 {
		r.acc <<= e >> 8 & 15
		r.n -= uint(e >> 8)
		return byte(e), true
	}
	return r.longSymbol(t)
}

func (r *bitReader) longSymbol(t *huffTable) (byte, bool) {
	for length := uint(huffFast + 1); length <= 16; length++ {
		code := int32(r.acc >> (64 - length))
		if code > t.max[length] {
			continue
		}
		r.acc <<= length
		r.n -= length
		i := code + t.offset[length]
		if i < 0 || int(i) >= len(t.values) {
			return 0, false
		}
		return t.values[i], true
	}
	return 0, false
}

// bits reads n raw bits, at most 16, after a symbol.
func (r *bitReader) bits(n uint) int32 {
	v := r.acc >> 1 >> (63 - n&63)
	r.acc <<= n & 63
	r.n -= n
	return int32(v)
}

// differences decodes len(dst) differences of a lossless scan, its tables used
// in turn (T.81 §H.1.2.2): category, then bits; category 16 is 32,768 without.
func (r *bitReader) differences(dst []uint16, tables []*huffTable) bool {
	acc, n, k := r.acc, r.n, 0
	t := tables[0]
	for i := range dst {
		if n < 32 {
			r.acc, r.n = acc, n
			r.fill()
			acc, n = r.acc, r.n
		}
		if e := t.diffs[acc>>(64-diffFast)]; e != 0 {
			acc <<= e & 63
			n -= uint(e & 63)
			dst[i] = uint16(e >> 16)
		} else {
			r.acc, r.n = acc, n
			v, ok := r.difference(t)
			if !ok {
				return false
			}
			acc, n, dst[i] = r.acc, r.n, v
		}
		if len(tables) > 1 {
			if k++; k == len(tables) {
				k = 0
			}
			t = tables[k]
		}
	}
	r.acc, r.n = acc, n
	return true
}

func (r *bitReader) difference(t *huffTable) (uint16, bool) {
	ssss, ok := r.symbol(t)
	if !ok || ssss > 16 {
		return 0, false
	}
	if ssss == 16 {
		return 32768, true
	}
	return uint16(extend(r.bits(uint(ssss)), int(ssss))), true
}

// overrun reports whether bits were used that the stream does not have.
func (r *bitReader) overrun() bool { return r.over > r.n }

// end is where the marker after the coded data begins; false when whole bytes
// before it were not used.
func (r *bitReader) end() (at int, exact bool) {
	return nextMarker(r.b, r.at), r.n < r.over+8 && (r.at >= len(r.b) || r.b[r.at] == 0xFF)
}

// nextMarker finds the next FF that neither a stuffed zero nor another FF follows.
func nextMarker(b []byte, at int) int {
	for ; at+1 < len(b); at++ {
		if b[at] == 0xFF && b[at+1] != 0 && b[at+1] != 0xFF {
			return at
		}
	}
	return len(b)
}

// restart drops the bits left and steps over an RSTn marker (T.81 §F.1.1.5).
func (r *bitReader) restart(k int) bool {
	at, exact := r.end()
	if r.overrun() || !exact || at+1 >= len(r.b) || r.b[at+1] != byte(0xD0+k%8) {
		return false
	}
	r.acc, r.n, r.over = 0, 0, 0
	r.at = at + 2
	return true
}
