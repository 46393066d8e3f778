package codec

// The entropy coding of ITU-T T.81: Huffman tables (Annex C, F.2.2.3) and a bit
// reader that undoes byte stuffing (§F.1.2.3) and stops at markers.

// huffFast is how many bits the first lookup resolves.
const huffFast = 9

// huffTable decodes one DHT table.
type huffTable struct {
	ok     bool
	fast   [1 << huffFast]uint16 // length<<8 | value; 0 when the code is longer
	max    [18]int32             // largest code of each length, -1 if none
	offset [18]int32             // value index - first code
	values []byte
}

// newHuffTable builds a table from BITS and HUFFVAL (T.81 §C.2).
func newHuffTable(counts, values []byte) (huffTable, bool) {
	t := huffTable{values: values}
	code, k := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		n := int32(counts[length-1])
		t.offset[length] = k - code
		for range n {
			if code >= 1<<length {
				return t, false // more codes than the length has
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
	t.max[17] = 1 << 30
	t.ok = true
	return t, true
}

// bitReader reads entropy-coded bits; past a marker or the end it gives zeros
// and counts them, so that the hot loop has one check per code.
type bitReader struct {
	b    []byte
	at   int
	acc  uint64
	n    int // bits in acc
	over int // zero bits invented
}

func (r *bitReader) fill() {
	for r.n <= 48 {
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
		r.acc = r.acc<<8 | uint64(v)
		r.n += 8
	}
}

// symbol decodes one Huffman code; false if there is no such code.
func (r *bitReader) symbol(t *huffTable) (byte, bool) {
	if r.n < 32 {
		r.fill()
	}
	if e := t.fast[r.acc>>(r.n-huffFast)&(1<<huffFast-1)]; e != 0 {
		r.n -= int(e >> 8)
		return byte(e), true
	}
	for length := huffFast + 1; length <= 16; length++ {
		code := int32(r.acc >> (r.n - length) & (1<<length - 1))
		if code <= t.max[length] {
			r.n -= length
			i := code + t.offset[length]
			if i < 0 || int(i) >= len(t.values) {
				return 0, false
			}
			return t.values[i], true
		}
	}
	return 0, false
}

// bits reads n raw bits, at most 16, after a symbol.
func (r *bitReader) bits(n int) int32 {
	r.n -= n
	return int32(r.acc >> r.n & (1<<n - 1))
}

// overrun reports whether bits were used that the stream does not have.
func (r *bitReader) overrun() bool { return r.over > r.n }

// restart drops the bits left and steps over an RSTn marker (T.81 §F.1.1.5).
func (r *bitReader) restart(k int) bool {
	if r.overrun() {
		return false
	}
	r.acc, r.n, r.over = 0, 0, 0
	if r.at+1 >= len(r.b) || r.b[r.at] != 0xFF || r.b[r.at+1] != byte(0xD0+k%8) {
		return false
	}
	r.at += 2
	return true
}
