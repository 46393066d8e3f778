package jpeg2000

// The bit-streams of the high-throughput coder (T.814 §7.1).

// htMEL decodes events from adaptive run lengths (§7.3.3): most significant bits
// first; after FF a byte has seven. Past the end it reads ones.
type htMEL struct {
	b   []byte
	at  int
	v   byte
	n   int
	k   int
	run int  // of zeros
	one bool // follows
}

var melExponents = [13]int{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5}

// newMEL: the last half byte is of another stream, and counts as ones.
func newMEL(data []byte, suffix int) htMEL {
	b := append([]byte(nil), data[len(data)-suffix:len(data)-1]...)
	b[len(b)-1] |= 0xF
	return htMEL{b: b}
}

func (m *htMEL) bit() int {
	if m.n == 0 {
		m.n = 8
		if m.v == 0xFF {
			m.n = 7
		}
		m.v = 0xFF
		if m.at < len(m.b) {
			m.v = m.b[m.at]
			m.at++
		}
	}
	m.n--
	return int(m.v>>m.n) & 1
}

func (m *htMEL) event() int {
	if m.run == 0 && !m.one {
		e := melExponents[m.k]
		if m.bit() == 1 {
			m.run = 1 << e
			m.k = min(m.k+1, 12)
		} else {
			for range e {
				m.run = m.run<<1 | m.bit()
			}
			m.one = true
			m.k = max(m.k-1, 0)
		}
	}
	if m.run > 0 {
		m.run--
		return 0
	}
	m.one = false
	return 1
}

// htForward reads least significant bits first; after FF a byte has seven. Past
// the end it reads pad.
type htForward struct {
	b   []byte
	at  int
	acc uint64
	n   uint
	ff  bool
	pad byte
}

// peek is the next 32 bits at least.
func (r *htForward) peek() uint64 {
	for r.n <= 48 {
		v := r.pad
		if r.at < len(r.b) {
			v = r.b[r.at]
			r.at++
		}
		if r.ff {
			r.acc |= uint64(v&0x7F) << r.n
			r.n += 7
		} else {
			r.acc |= uint64(v) << r.n
			r.n += 8
		}
		r.ff = v == 0xFF
	}
	return r.acc
}

func (r *htForward) skip(n uint) {
	r.acc >>= n
	r.n -= n
}

func (r *htForward) take(n uint) uint32 {
	v := uint32(r.peek()) & (1<<n - 1)
	r.skip(n)
	return v
}

// htBackward reads from the end, least significant bits first; after a byte over
// 8F one of 7F has seven. Past the beginning it reads zeros.
type htBackward struct {
	b   []byte // what is left
	acc uint64
	n   uint
	big bool // the last byte was over 8F
}

// newVLC: the first byte has its upper half here.
func newVLC(data []byte, suffix int) htBackward {
	half := data[len(data)-2]
	r := htBackward{b: data[len(data)-suffix : len(data)-2], acc: uint64(half >> 4), n: 4, big: half|15 > 0x8F}
	if r.acc&7 == 7 {
		r.acc, r.n = 7, 3
	}
	return r
}

func (r *htBackward) peek() uint64 {
	for r.n <= 48 {
		v := byte(0)
		if n := len(r.b); n > 0 {
			v = r.b[n-1]
			r.b = r.b[:n-1]
		}
		if r.big && v&0x7F == 0x7F {
			r.acc |= uint64(v&0x7F) << r.n
			r.n += 7
		} else {
			r.acc |= uint64(v) << r.n
			r.n += 8
		}
		r.big = v > 0x8F
	}
	return r.acc
}

func (r *htBackward) skip(n uint) {
	r.acc >>= n
	r.n -= n
}

func (r *htBackward) take(n uint) uint32 {
	v := uint32(r.peek()) & (1<<n - 1)
	r.skip(n)
	return v
}
