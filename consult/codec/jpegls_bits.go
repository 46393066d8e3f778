package codec

import (
	"encoding/binary"
	"math/bits"
)

// lsReader reads the bits of JPEG-LS; after a byte of FF the next has seven
// (T.87 §A.1). Past a marker or the end it gives zeros and counts them.
type lsReader struct {
	b    []byte
	at   int
	acc  uint64 // the next bits, from the top; below the first n they are bits that come again
	n    uint   // bits in acc
	over uint   // zero bits invented
	ff   bool   // the last byte was FF
}

// fill has at least 56 bits in acc.
func (r *lsReader) fill() {
	if r.at+8 <= len(r.b) && !r.ff {
		x := binary.BigEndian.Uint64(r.b[r.at:])
		if !anyFF(x) {
			r.acc |= x >> (r.n & 63)
			k := (63 - r.n) >> 3
			r.at += int(k)
			r.n += 8 * k
			return
		}
	}
	for r.n <= 56 {
		if r.at >= len(r.b) || r.b[r.at] == 0xFF && (r.at+1 >= len(r.b) || r.b[r.at+1] >= 0x80) {
			r.n += 8 // the end, or a marker
			r.over += 8
			continue
		}
		v := r.b[r.at]
		r.at++
		if r.ff {
			r.acc |= uint64(v&0x7F) << (57 - r.n)
			r.n += 7
		} else {
			r.acc |= uint64(v) << (56 - r.n)
			r.n += 8
		}
		r.ff = v == 0xFF
	}
}

// bits reads n bits, at most 32.
func (r *lsReader) bits(n uint) int32 {
	if r.n < n {
		r.fill()
	}
	v := r.acc >> 1 >> (63 - n&63)
	r.acc <<= n & 63
	r.n -= n
	return int32(v)
}

// golomb decodes a limited-length Golomb code (§A.5.3).
func (r *lsReader) golomb(k uint, limit, qbpp int) int32 {
	if r.n < 48 {
		r.fill()
	}
	zeros := uint(bits.LeadingZeros64(r.acc))
	if used := zeros + 1 + k; used <= r.n && int(zeros) < limit-qbpp-1 {
		tail := r.acc << ((zeros + 1) & 63)
		r.n -= used
		r.acc = r.acc << (zeros & 63) << (k + 1)
		return int32(zeros<<(k&31)) | int32(tail>>1>>((63-k)&63))
	}
	return r.longGolomb(k, limit, qbpp)
}

// longGolomb: the code does not lie in acc as a whole, or has the most zeros.
func (r *lsReader) longGolomb(k uint, limit, qbpp int) int32 {
	most := limit - qbpp - 1
	zeros := 0
	for {
		if r.n < 32 {
			r.fill()
		}
		lead := min(uint(bits.LeadingZeros64(r.acc)), r.n)
		zeros += int(lead)
		r.acc <<= lead
		r.n -= lead
		if zeros > most+32 {
			return 1 << 20 // more zeros than any code has
		}
		if r.n > 0 {
			r.acc <<= 1 // the one
			r.n--
			break
		}
	}
	if zeros < most {
		return int32(zeros<<k) | r.bits(k)
	}
	return r.bits(uint(qbpp)) + 1
}

// overrun reports whether bits were used that the stream does not have.
func (r *lsReader) overrun() bool { return r.over > r.n }

// end is where the marker after the coded data begins; false when whole bytes
// before it were not used. A byte after FF may be one of padding.
func (r *lsReader) end() (at int, exact bool) {
	at = len(r.b)
	for i := r.at; i+1 < len(r.b); i++ {
		if r.b[i] == 0xFF && r.b[i+1] >= 0x80 && r.b[i+1] != 0xFF {
			at = i
			break
		}
	}
	return at, r.n < r.over+16 && (at-r.at <= 1 || r.b[r.at] == 0xFF)
}

// restart drops the bits left and steps over an RSTn marker.
func (r *lsReader) restart(k int) bool {
	at, exact := r.end()
	if r.overrun() || !exact || at+1 >= len(r.b) || r.b[at+1] != byte(0xD0+k%8) {
		return false
	}
	r.acc, r.n, r.over, r.ff = 0, 0, 0, false
	r.at = at + 2
	return true
}
