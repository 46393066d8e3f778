package codec

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// header is the fixed part of a packed bulk.
type header struct {
	codec  byte
	layout Layout
	units  uint32
	unit   uint64
	tail   uint64
}

// plain is the same units without prediction.
func (h header) plain() header {
	h.codec = 1
	return h
}

func (h header) append(out []byte) []byte {
	var flags, bytes, samples byte
	var rows, cols uint32
	if h.codec == 2 {
		bytes, samples = byte(h.layout.Bytes), byte(h.layout.Samples)
		rows, cols = uint32(h.layout.Rows), uint32(h.layout.Cols)
		if h.layout.Signed {
			flags |= 1
		}
		if h.layout.BigEndian && h.layout.Bytes == 2 {
			flags |= 2
		}
	}
	out = append(out, h.codec, bytes, samples, flags)
	out = binary.BigEndian.AppendUint32(out, rows)
	out = binary.BigEndian.AppendUint32(out, cols)
	out = binary.BigEndian.AppendUint32(out, h.units)
	out = binary.BigEndian.AppendUint64(out, h.unit)
	return binary.BigEndian.AppendUint64(out, h.tail)
}

// parseHeader reads the fixed part and checks it in itself.
func parseHeader(b []byte) (header, error) {
	h := header{codec: b[0]}
	rows, cols := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	h.units = binary.BigEndian.Uint32(b[12:])
	h.unit, h.tail = binary.BigEndian.Uint64(b[16:]), binary.BigEndian.Uint64(b[24:])
	if h.units > UnitsMax || h.unit > UnitMax || h.tail > BulkMax {
		return h, ErrLimit
	}
	switch h.codec {
	case 1:
		if b[1]|b[2]|b[3] != 0 || rows|cols != 0 || h.unit == 0 && h.units > 0 {
			return h, ErrHeader
		}
		return h, nil
	case 2:
	default:
		return h, &UnknownCodecError{Codec: h.codec}
	}
	l := Layout{Bytes: int(b[1]), Samples: int(b[2]), Signed: b[3]&1 != 0, BigEndian: b[3]&2 != 0}
	if b[3] > 3 || l.Bytes != 1 && l.Bytes != 2 || l.Samples < 1 || l.Samples > 4 || l.Bytes == 1 && l.BigEndian {
		return h, ErrHeader
	}
	over, cells := bits.Mul64(uint64(rows), uint64(cols))
	if over != 0 || cells == 0 || cells > UnitMax || cells*uint64(l.Samples)*uint64(l.Bytes) != h.unit {
		return h, ErrHeader
	}
	l.Rows, l.Cols, l.Unit = int(rows), int(cols), int64(h.unit)
	h.layout = l
	return h, nil
}

// Packed is a stored bulk that is opened by unit. ReadAt reads the bulk as it
// was before packing and opens only the units it touches; the last one is
// kept. It is not safe for concurrent use.
type Packed struct {
	src    io.ReaderAt
	h      header
	sizes  []uint32
	starts []int64 // of every unit's frame in src
	size   int64   // of the bulk
	stored int64

	last     int
	lastUnit []byte
}

// Open reads the header of a stored bulk of size bytes; want is the length of
// the bulk that the manifest names.
func Open(codec byte, src io.ReaderAt, size int64, want uint64) (*Packed, error) {
	if want > BulkMax || size < 0 {
		return nil, ErrLimit
	}
	if codec == 0 {
		if uint64(size) != want {
			return nil, ErrWantLength
		}
		return &Packed{src: src, size: size, stored: size, last: -1}, nil
	}
	return open(codec, src, size, want)
}

func open(codec byte, src io.ReaderAt, size int64, want uint64) (*Packed, error) {
	if codec > 2 {
		return nil, &UnknownCodecError{Codec: codec}
	}
	if size < headerLen {
		return nil, ErrHeader
	}
	var fixed [headerLen]byte
	if err := readFull(src, fixed[:], 0); err != nil {
		return nil, err
	}
	h, err := parseHeader(fixed[:])
	if err != nil {
		return nil, err
	}
	if h.codec != codec {
		return nil, ErrHeader
	}
	if uint64(h.units)*h.unit+h.tail != want { // 2^20 * 2^31 + 2^36: no overflow
		return nil, ErrWantLength
	}
	if int64(h.units)*4 > size-headerLen {
		return nil, ErrSizes
	}
	p := &Packed{src: src, h: h, size: int64(want), stored: size, last: -1}
	return p, p.readSizes()
}

func (p *Packed) readSizes() error {
	table := make([]byte, 4*p.h.units)
	if err := readFull(p.src, table, headerLen); err != nil {
		return err
	}
	at := int64(headerLen) + int64(len(table))
	p.sizes, p.starts = make([]uint32, p.h.units), make([]int64, p.h.units)
	for i := range p.sizes {
		p.sizes[i], p.starts[i] = binary.BigEndian.Uint32(table[4*i:]), at
		at += int64(p.sizes[i])
	}
	switch end := at + int64(p.h.tail); {
	case end > p.stored:
		return ErrSizes
	case end < p.stored:
		return ErrTrailing
	}
	return nil
}

// Units is how many units the bulk has; 0 for codec 0.
func (p *Packed) Units() int { return int(p.h.units) }

// Size is the length of the bulk.
func (p *Packed) Size() int64 { return p.size }

func (p *Packed) offset(i int) int64 { return p.starts[i] }

// Unit opens unit i alone.
func (p *Packed) Unit(i int) ([]byte, error) {
	if i < 0 || i >= len(p.sizes) {
		return nil, fmt.Errorf("unit %d of %d: %w", i, len(p.sizes), ErrSizes)
	}
	if i == p.last {
		return p.lastUnit, nil
	}
	frame := make([]byte, p.sizes[i])
	if err := readFull(p.src, frame, p.starts[i]); err != nil {
		return nil, err
	}
	if err := checkFrame(frame, p.h.unit); err != nil {
		return nil, err
	}
	out := make([]byte, p.h.unit)
	if err := p.h.unpackUnit(out, frame); err != nil {
		return nil, err
	}
	p.last, p.lastUnit = i, out
	return out, nil
}

// unitInto opens unit i without keeping it, so that units may be opened at once.
func (p *Packed) unitInto(out []byte, i int) error {
	frame, done := borrow(int(p.sizes[i]))
	defer done()
	if err := readFull(p.src, frame, p.starts[i]); err != nil {
		return err
	}
	return p.h.unpackUnit(out, frame)
}

func (h header) unpackUnit(out, frame []byte) error {
	if h.codec == 1 {
		return decompress(out, frame)
	}
	planes, done := borrow(len(out))
	defer done()
	if err := decompress(planes, frame); err != nil {
		return err
	}
	inverse(out, planes, h.layout)
	return nil
}

// ReadAt reads the unpacked bulk.
func (p *Packed) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, ErrSizes
	}
	n := 0
	for n < len(b) {
		at := off + int64(n)
		if at >= p.size {
			return n, io.EOF
		}
		m, err := p.readSome(b[n:], at)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// readSome reads from one unit, the tail or a bulk that is not packed.
func (p *Packed) readSome(b []byte, at int64) (int, error) {
	packed := int64(p.h.units) * int64(p.h.unit)
	if at >= packed {
		b = b[:min(int64(len(b)), p.size-at)]
		return len(b), readFull(p.src, b, p.stored-(p.size-at))
	}
	i := at / int64(p.h.unit)
	unit, err := p.Unit(int(i))
	if err != nil {
		return 0, err
	}
	return copy(b, unit[at-i*int64(p.h.unit):]), nil
}

// byteReader is bytes.Reader without its state: safe for concurrent use.
type byteReader []byte

func (r byteReader) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(r)) {
		return 0, io.EOF
	}
	n := copy(b, r[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func readFull(src io.ReaderAt, b []byte, off int64) error {
	n, err := src.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read packed bulk: %w", err)
}
