package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Reasons why bytes are not canonical. Each is an ErrCanonical; they exist
// apart so that tests and vectors can tell one fault from another.
var (
	ErrTruncated  = fmt.Errorf("cbor: truncated: %w", ErrCanonical)
	ErrTrailing   = fmt.Errorf("cbor: trailing bytes: %w", ErrCanonical)
	ErrLong       = fmt.Errorf("cbor: not the shortest form: %w", ErrCanonical)
	ErrIndefinite = fmt.Errorf("cbor: indefinite length: %w", ErrCanonical)
	ErrTag        = fmt.Errorf("cbor: tag: %w", ErrCanonical)
	ErrSimple     = fmt.Errorf("cbor: float, null, undefined or simple value: %w", ErrCanonical)
	ErrUTF8       = fmt.Errorf("cbor: text is not UTF-8: %w", ErrCanonical)
	ErrKeyType    = fmt.Errorf("cbor: map key is not an integer: %w", ErrCanonical)
	ErrUnsorted   = fmt.Errorf("cbor: map keys out of order: %w", ErrCanonical)
	ErrDuplicate  = fmt.Errorf("cbor: duplicate map key: %w", ErrCanonical)
	ErrDepth      = fmt.Errorf("cbor: nested too deep: %w", ErrCanonical)
	ErrArray      = fmt.Errorf("cbor: array too long: %w", ErrCanonical)
	ErrMap        = fmt.Errorf("cbor: map too large: %w", ErrCanonical)
	ErrUnknownKey = fmt.Errorf("cbor: unknown key: %w", ErrCanonical)
	ErrShape      = fmt.Errorf("cbor: wrong type: %w", ErrCanonical)
	ErrReencode   = fmt.Errorf("cbor: optional field empty, field missing or wrong length: %w", ErrCanonical)
)

// scan checks that b is exactly one canonical item, without a type in mind and
// without allocating. Recursion is bounded by DepthMax, loops by len(b).
func scan(b []byte, maxArray int) error {
	s := scanner{b: b, maxArray: uint64(max(maxArray, 0))}
	if err := s.item(0); err != nil {
		return err
	}
	if s.at != len(b) {
		return ErrTrailing
	}
	return nil
}

type scanner struct {
	b        []byte
	at       int
	maxArray uint64
}

// Major types, RFC 8949 §3.1.
const (
	majorUint = iota
	majorNint
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

func (s *scanner) item(depth int) error {
	major, n, err := s.head()
	if err != nil {
		return err
	}
	switch major {
	case majorUint, majorNint:
		return nil
	case majorBytes:
		_, err = s.take(n)
		return err
	case majorText:
		text, err := s.take(n)
		if err == nil && !utf8.Valid(text) {
			err = ErrUTF8
		}
		return err
	case majorArray:
		return s.array(n, depth+1)
	case majorMap:
		return s.pairs(n, depth+1)
	case majorTag:
		return ErrTag
	default: // majorSimple; head let only false and true pass
		return nil
	}
}

func (s *scanner) array(n uint64, depth int) error {
	if depth > DepthMax {
		return ErrDepth
	}
	if n > s.maxArray {
		return ErrArray
	}
	for range n {
		if err := s.item(depth); err != nil {
			return err
		}
	}
	return nil
}

// pairs checks RFC 8949 §4.2.1: keys in bytewise order of their encodings.
func (s *scanner) pairs(n uint64, depth int) error {
	if depth > DepthMax {
		return ErrDepth
	}
	if n > MapMax {
		return ErrMap
	}
	var last []byte
	for range n {
		start := s.at
		major, _, err := s.head()
		if err != nil {
			return err
		}
		if major > majorNint {
			return ErrKeyType
		}
		key := s.b[start:s.at]
		if last != nil {
			switch c := bytes.Compare(last, key); {
			case c == 0:
				return ErrDuplicate
			case c > 0:
				return ErrUnsorted
			}
		}
		last = key
		if err := s.item(depth); err != nil {
			return err
		}
	}
	return nil
}

// head reads an initial byte and its argument in shortest form.
func (s *scanner) head() (major byte, n uint64, err error) {
	if s.at >= len(s.b) {
		return 0, 0, ErrTruncated
	}
	major, info := s.b[s.at]>>5, s.b[s.at]&0x1f
	s.at++
	if major == majorSimple {
		if info != 20 && info != 21 { // false, true
			return 0, 0, ErrSimple
		}
		return major, uint64(info), nil
	}
	if info < 24 {
		return major, uint64(info), nil
	}
	if info == 31 {
		return 0, 0, ErrIndefinite
	}
	if info > 27 {
		return 0, 0, ErrShape // reserved, not well-formed
	}
	width := 1 << (info - 24)
	arg, err := s.take(uint64(width))
	if err != nil {
		return 0, 0, err
	}
	n, least := argument(arg)
	if n < least {
		return 0, 0, ErrLong
	}
	return major, n, nil
}

// argument reads a big-endian argument and the least value that needs its width.
func argument(b []byte) (n, least uint64) {
	switch len(b) {
	case 1:
		return uint64(b[0]), 24
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), 1 << 8
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), 1 << 16
	default:
		return binary.BigEndian.Uint64(b), 1 << 32
	}
}

func (s *scanner) take(n uint64) ([]byte, error) {
	if n > uint64(len(s.b)-s.at) {
		return nil, ErrTruncated
	}
	b := s.b[s.at : s.at+int(n)]
	s.at += int(n)
	return b, nil
}
