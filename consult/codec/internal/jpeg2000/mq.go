package jpeg2000

import "math/bits"

// The arithmetic decoder (§C.3).

// mqState is table C.2.
type mqState struct {
	qe         uint32
	mps, lps   uint8
	switchFlag uint8
}

var mqStates = [47]mqState{
	{0x5601, 1, 1, 1},
	{0x3401, 2, 6, 0},
	{0x1801, 3, 9, 0},
	{0x0AC1, 4, 12, 0},
	{0x0521, 5, 29, 0},
	{0x0221, 38, 33, 0},
	{0x5601, 7, 6, 1},
	{0x5401, 8, 14, 0},
	{0x4801, 9, 14, 0},
	{0x3801, 10, 14, 0},
	{0x3001, 11, 17, 0},
	{0x2401, 12, 18, 0},
	{0x1C01, 13, 20, 0},
	{0x1601, 29, 21, 0},
	{0x5601, 15, 14, 1},
	{0x5401, 16, 14, 0},
	{0x5101, 17, 15, 0},
	{0x4801, 18, 16, 0},
	{0x3801, 19, 17, 0},
	{0x3401, 20, 18, 0},
	{0x3001, 21, 19, 0},
	{0x2801, 22, 19, 0},
	{0x2401, 23, 20, 0},
	{0x2201, 24, 21, 0},
	{0x1C01, 25, 22, 0},
	{0x1801, 26, 23, 0},
	{0x1601, 27, 24, 0},
	{0x1401, 28, 25, 0},
	{0x1201, 29, 26, 0},
	{0x1101, 30, 27, 0},
	{0x0AC1, 31, 28, 0},
	{0x09C1, 32, 29, 0},
	{0x08A1, 33, 30, 0},
	{0x0521, 34, 31, 0},
	{0x0441, 35, 32, 0},
	{0x02A1, 36, 33, 0},
	{0x0221, 37, 34, 0},
	{0x0141, 38, 35, 0},
	{0x0111, 39, 36, 0},
	{0x0085, 40, 37, 0},
	{0x0049, 41, 38, 0},
	{0x0025, 42, 39, 0},
	{0x0015, 43, 40, 0},
	{0x0009, 44, 41, 0},
	{0x0005, 45, 42, 0},
	{0x0001, 45, 43, 0},
	{0x5601, 46, 46, 0},
}

// Contexts (table D.1 to D.5).
const (
	ctxSign    = 9
	ctxRefine  = 14
	ctxRun     = 17
	ctxUniform = 18
)

// mqRow is a row of table C.2 with the more probable symbol: Qe as wide as C,
// and where the symbols lead, the more probable one first.
type mqRow struct {
	qe    int64
	next  [2]*mqRow
	sense uint8
}

var mqRows = func() (t [2][47]mqRow) {
	for sense := range t {
		for i, s := range mqStates {
			next := [2]*mqRow{&t[sense][s.mps], &t[sense^int(s.switchFlag)][s.lps]}
			t[sense][i] = mqRow{int64(s.qe) << mqShift, next, uint8(sense)}
		}
	}
	return t
}()

// mqContext is the state of a context.
type mqContext struct{ *mqRow }

// mq decodes decisions. C and A of §C.3 are c+d and a+d: a more probable symbol
// that needs no renormalisation takes Qe from both, so it is taken from d, which
// is the lesser of C and A - 8000 and tells when that ends. Under the 16 bits of
// Chigh lie ct bits that have been read. The bytes must be followed by two of FF
// (§D.4.1).
type mq struct {
	d, a, c int64
	ct      int
	at      int
	b       []byte
	cx      [32]mqContext // 19, and room for an index without a check
}

const (
	mqShift = 32
	mqHalf  = 0x8000 << mqShift
)

func (m *mq) reset() {
	for i := range m.cx {
		m.cx[i].mqRow = &mqRows[0][0]
	}
	m.cx[0].mqRow, m.cx[ctxRun].mqRow, m.cx[ctxUniform].mqRow = &mqRows[0][4], &mqRows[0][3], &mqRows[0][46]
}

// start is INITDEC (figure C.10): the first byte and seven bits more are Chigh.
func (m *mq) start(b []byte) {
	m.b, m.at, m.ct = b, 0, 0
	m.c = int64(b[0]) << mqShift
	m.fill()
	m.c <<= 7
	m.ct -= 7
	m.a, m.d = mqHalf, 0
}

// fill is BYTEIN (figure C.19) while there is room for a byte.
func (m *mq) fill() {
	for m.ct <= mqShift-8 {
		next := int64(m.b[m.at+1])
		switch {
		case m.b[m.at] != 0xFF:
			m.at++
			m.c += next << (mqShift - 8 - m.ct)
			m.ct += 8
		case next > 0x8F:
			m.c += 0xFF << (mqShift - 8 - m.ct)
			m.ct += 8
		default:
			m.at++
			m.c += next << (mqShift - 7 - m.ct)
			m.ct += 7
		}
	}
}

// decode is figure C.15.
func (m *mq) decode(s *mqContext) uint8 {
	if m.d -= s.qe; m.d >= 0 {
		return s.sense
	}
	return m.exchange(s)
}

// exchange is what follows when the symbol is less probable or A falls below
// 8000 (figures C.16 to C.18), without branches, as which it is cannot be foreseen.
func (m *mq) exchange(s *mqContext) uint8 {
	row := s.mqRow
	a, c := m.a+m.d, m.c+m.d
	lower := c >> 63 // all ones in the lower part, which is of size Qe
	less := uint8((a-row.qe)>>63^lower) & 1
	c += row.qe & lower
	a ^= (a ^ row.qe) & lower
	s.mqRow = row.next[less]
	n := bits.LeadingZeros64(uint64(a)) - (64 - 16 - mqShift)
	if n > m.ct {
		m.c = c
		m.fill()
		c = m.c
	}
	m.ct -= n
	a <<= n & 63
	c <<= n & 63
	d := min(a-mqHalf, c)
	m.d, m.a, m.c = d, a-d, c-d
	return row.sense ^ less
}

// raw reads bits of bypassed passes (§D.6); past the end they are ones.
type raw struct {
	b    []byte
	at   int
	v    byte
	n    int
	last byte
}

func (r *raw) bit() uint8 {
	if r.n == 0 {
		r.n = 8
		if r.last == 0xFF {
			r.n = 7
		}
		r.v = 0xFF
		if r.at < len(r.b) {
			r.v = r.b[r.at]
		}
		r.at++
		r.last = r.v
	}
	r.n--
	return r.v >> r.n & 1
}
