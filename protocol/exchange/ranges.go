package exchange

import (
	"encoding/binary"

	"github.com/curbside-p2p/curbside/protocol/blob"
)

// rangeBody is the body of a range frame:
//
//	{1: request, 2: BlobID, 3: length, 4: first leaf, 5: bytes, 6: [hash] proof}
//
// It is written and read by hand, since a decoder that copies and encodes again
// would cost more than verifying the data does. A fuzz test holds it to what
// package wire would do.
type rangeBody struct {
	Request uint64
	Blob    blob.ID
	Length  uint64
	First   uint64
	Data    []byte // lies in the frame
	Proof   [][32]byte
}

// appendRangeHead writes the frame up to the data, appendRangeTail the rest.
func appendRangeHead(b []byte, r *rangeBody) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, byte(frameRange), 0xa6) // map of 6, RFC 8949 §3.1
	b = appendUint(append(b, 1), 0, r.Request)
	b = append(append(b, 2, 0x58, 32), r.Blob[:]...)
	b = appendUint(append(b, 3), 0, r.Length)
	b = appendUint(append(b, 4), 0, r.First)
	b = appendUint(append(b, 5), 2, uint64(len(r.Data)))
	n := len(b) - start - 4 + len(r.Data) + rangeTailLen(r)
	binary.BigEndian.PutUint32(b[start:], uint32(n))
	return b
}

func rangeTailLen(r *rangeBody) int {
	n := len(r.Proof)
	return 1 + len(appendUint(nil, 4, uint64(n))) + n*34
}

func appendRangeTail(b []byte, r *rangeBody) []byte {
	b = appendUint(append(b, 6), 4, uint64(len(r.Proof)))
	for i := range r.Proof {
		b = append(append(b, 0x58, 32), r.Proof[i][:]...)
	}
	return b
}

// appendUint writes the head of an item: major type and argument in shortest form.
func appendUint(b []byte, major byte, v uint64) []byte {
	m := major << 5
	switch {
	case v < 24:
		return append(b, m|byte(v))
	case v < 1<<8:
		return append(b, m|24, byte(v))
	case v < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, m|25), uint16(v))
	case v < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, m|26), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, m|27), v)
	}
}

// scanner reads canonical CBOR; the first fault sticks.
type scanner struct {
	b   []byte
	bad bool
}

func (s *scanner) take(n uint64) []byte {
	if s.bad || n > uint64(len(s.b)) {
		s.bad = true
		return nil
	}
	out := s.b[:n]
	s.b = s.b[n:]
	return out
}

// expect reads one byte that must be c.
func (s *scanner) expect(c byte) {
	if b := s.take(1); !s.bad && b[0] != c {
		s.bad = true
	}
}

// head reads an item's head of the given major type; RFC 8949 §4.2.1: shortest form only.
func (s *scanner) head(major byte) uint64 {
	b := s.take(1)
	if s.bad || b[0]>>5 != major {
		s.bad = true
		return 0
	}
	low := b[0] & 31
	if low < 24 {
		return uint64(low)
	}
	if low > 27 {
		s.bad = true
		return 0
	}
	size := uint64(1) << (low - 24)
	var v uint64
	for _, c := range s.take(size) {
		v = v<<8 | uint64(c)
	}
	// The argument must not have fitted the next smaller form.
	if shortest := [4]uint64{24, 1 << 8, 1 << 16, 1 << 32}; v < shortest[low-24] {
		s.bad = true
	}
	return v
}

func (s *scanner) hash() (h [32]byte) {
	if s.head(2) != 32 {
		s.bad = true
	}
	copy(h[:], s.take(32))
	return h
}

// decodeRange reads the body of a range frame. Data stays in b.
func decodeRange(b []byte) (rangeBody, error) {
	var r rangeBody
	s := scanner{b: b}
	s.expect(0xa6)
	s.expect(1)
	r.Request = s.head(0)
	s.expect(2)
	r.Blob = s.hash()
	s.expect(3)
	r.Length = s.head(0)
	s.expect(4)
	r.First = s.head(0)
	s.expect(5)
	r.Data = s.take(s.head(2))
	s.expect(6)
	n := s.head(4)
	if s.bad || n > proofMax || n*34 != uint64(len(s.b)) {
		return rangeBody{}, errBody
	}
	r.Proof = make([][32]byte, n)
	for i := range r.Proof {
		r.Proof[i] = s.hash()
	}
	if s.bad {
		return rangeBody{}, errBody
	}
	return r, nil
}
