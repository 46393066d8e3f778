package study

import (
	"math"
	"math/bits"
)

// palette reads the three tables of PALETTE COLOR (PS3.3 C.7.9).
func (o *Outline) palette() *Palette {
	var out Palette
	tables := []*LUT{&out.Red, &out.Green, &out.Blue}
	for i, to := range tables {
		lut, ok := o.table(o.value(Tag(0x00281101+i)), o.value(Tag(0x00281201+i)), o.value(Tag(0x00281221+i)))
		if !ok {
			o.find("palette is missing or short")
			return nil
		}
		*to = lut
	}
	repairPalette(tables)
	return &out
}

// table reads a descriptor (entries, first, bits) and its data.
func (o *Outline) table(desc, data, segmented []byte) (LUT, bool) {
	if len(desc) != 6 {
		return LUT{}, false
	}
	order := o.order()
	n, first, bits := int(order.Uint16(desc)), int(order.Uint16(desc[2:])), int(order.Uint16(desc[4:]))
	if n == 0 {
		n = LUTEntriesMax
	}
	if o.Facts.Signed {
		first = int(int16(first))
	}
	var entries []uint16
	switch {
	case len(segmented) > 0 && len(data) == 0:
		// PS3.3 C.7.9.2: opcodes, lengths and entries are as wide as the descriptor says.
		in := o.words(segmented)
		if bits == 8 {
			in = o.octets(segmented)
		}
		entries = expand(in, n, bits == 8)
	case len(data) >= 2*n:
		entries = o.words(data)[:n]
	case len(data) >= n:
		// PS3.5 §8.1.1: 8-bit entries are packed into words.
		entries, bits = o.octets(data)[:n], 8
	}
	return LUT{First: first, Bits: bits, Data: entries}, len(entries) == n
}

func (o *Outline) words(b []byte) []uint16 {
	out := make([]uint16, len(b)/2)
	for i := range out {
		out[i] = o.order().Uint16(b[2*i:])
	}
	return out
}

// octets are bytes in words: in big endian the second comes first.
func (o *Outline) octets(b []byte) []uint16 {
	out := make([]uint16, len(b))
	for i := range out {
		j := i
		if o.Syntax.BigEndian && i^1 < len(b) {
			j = i ^ 1
		}
		out[i] = uint16(b[j])
	}
	return out
}

// Segments of a segmented table (PS3.3 C.7.9.2).
const (
	segmentDiscrete = 0
	segmentLinear   = 1
	segmentIndirect = 2
)

// expander expands a segmented table to n entries.
type expander struct {
	in    []uint16
	out   []uint16
	n     int
	bytes bool // opcodes, lengths and entries are bytes
	steps int  // segments met: empty ones add nothing and still cost
}

// expand gives nil unless the segments make at least n entries.
func expand(in []uint16, n int, octets bool) []uint16 {
	e := &expander{in: in, out: make([]uint16, 0, n), n: n, bytes: octets}
	if !e.run(0, math.MaxInt, false) || len(e.out) < n {
		return nil
	}
	return e.out[:n]
}

// run expands count segments from at; indirect ones do not nest.
func (e *expander) run(at, count int, nested bool) bool {
	for ; count > 0 && at+1 < len(e.in) && len(e.out) < e.n; count-- {
		if e.steps++; e.steps > LUTEntriesMax {
			return false
		}
		length := int(e.in[at+1])
		next, ok := at, false
		switch e.in[at] {
		case segmentDiscrete:
			next, ok = e.discrete(at+2, length)
		case segmentLinear:
			next, ok = e.linear(at+2, length)
		case segmentIndirect:
			var from int
			from, next, ok = e.target(at + 2)
			ok = ok && !nested && e.run(from, length, true)
		}
		if !ok {
			return false
		}
		at = next
	}
	return true
}

func (e *expander) discrete(at, length int) (int, bool) {
	if at+length > len(e.in) {
		return 0, false
	}
	e.out = append(e.out, e.in[at:at+length]...)
	return at + length, true
}

// linear goes from the last entry, which it does not repeat, to its own value.
func (e *expander) linear(at, length int) (int, bool) {
	if at >= len(e.in) || len(e.out) == 0 {
		return 0, false
	}
	from, to := float64(e.out[len(e.out)-1]), float64(e.in[at])
	for i := 1; i <= length; i++ {
		e.out = append(e.out, uint16(math.Round(from+(to-from)*float64(i)/float64(length))))
	}
	return at + 1, true
}

// target reads the byte offset of an indirect segment, least significant part first.
func (e *expander) target(at int) (from, next int, ok bool) {
	if e.bytes {
		if at+4 > len(e.in) {
			return 0, 0, false
		}
		from = int(e.in[at]) | int(e.in[at+1])<<8 | int(e.in[at+2])<<16 | int(e.in[at+3])<<24
		return from, at + 4, from < len(e.in)
	}
	if at+2 > len(e.in) {
		return 0, 0, false
	}
	from = int(e.in[at]) | int(e.in[at+1])<<16
	return from / 2, at + 2, from%2 == 0 && from/2 < len(e.in)
}

// repair finds what bits an entry really has where the descriptor cannot be
// right: outside 8 to 16, less than the data need, or 16 for bytes in words.
func (l *LUT) repair() {
	top := uint16(0)
	for _, v := range l.Data {
		top = max(top, v)
	}
	need := max(8, bits.Len16(top))
	if l.Bits < 8 || l.Bits > 16 || l.Bits < need || l.Bits == 16 && need == 8 {
		l.Bits, l.Repaired = need, true
	}
}

// repairPalette does so for three tables at once: one colour may be dark alone.
func repairPalette(tables []*LUT) {
	top := uint16(0)
	for _, l := range tables {
		for _, v := range l.Data {
			top = max(top, v)
		}
	}
	for _, l := range tables {
		switch {
		case l.Bits == 16 && top > 0 && top < 256:
			l.Bits, l.Repaired = 8, true
		case l.Bits != 16 && top >= 256:
			l.Bits, l.Repaired = 16, true
		case l.Bits != 8 && l.Bits != 16:
			l.Bits, l.Repaired = 8, true
		}
	}
}
