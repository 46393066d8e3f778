package seal

import (
	"errors"
	"fmt"
	"io"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Reader reads the plaintext of sealed bytes at any place, opening only the
// chunks it touches. It is an io.ReaderAt and safe for concurrent use if its
// source is. Nothing it returns is unauthenticated.
type Reader struct {
	c    *chunks
	src  io.ReaderAt
	size int64
}

// NewReader checks the header and, to know that the length is genuine, the
// last chunk.
func NewReader(key wire.Secret, context string, src io.ReaderAt, sealedLen int64) (*Reader, error) {
	r, err := newReader(key, context, src, sealedLen)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, sealedChunk)
	if _, err := r.chunk(buf[:0], buf, r.size/chunkSize); err != nil {
		return nil, err
	}
	return r, nil
}

// newReader is for lengths that the context vouches for.
func newReader(key wire.Secret, context string, src io.ReaderAt, sealedLen int64) (*Reader, error) {
	size, ok := blob.PlainLen(uint64(max(sealedLen, 0)))
	if !ok || size > blob.LenMax {
		return nil, ErrOpen
	}
	var header [headerSize]byte
	if err := readFull(src, header[:], 0); err != nil {
		return nil, err
	}
	c, err := opener(key, context, header[:])
	if err != nil {
		return nil, err
	}
	return &Reader{c: c, src: src, size: int64(size)}, nil
}

// Size is the length of the plaintext.
func (r *Reader) Size() int64 { return r.size }

// ReadAt fills p from the plaintext at off. It returns io.EOF if fewer bytes
// are left.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("read at a negative offset")
	}
	if off >= r.size {
		return 0, io.EOF
	}
	var short error
	if int64(len(p)) > r.size-off {
		p, short = p[:r.size-off], io.EOF
	}
	buf := make([]byte, sealedChunk)
	n := 0
	for n < len(p) {
		m, err := r.part(p[n:], buf, off+int64(n))
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, short
}

// part reads from the one chunk that off lies in; whole chunks go straight to p.
func (r *Reader) part(p, buf []byte, off int64) (int, error) {
	i, skip := off/chunkSize, int(off%chunkSize)
	if skip == 0 && len(p) >= chunkSize {
		_, err := r.chunk(p[:0:chunkSize], buf, i)
		return chunkSize, err
	}
	plain, err := r.chunk(buf[:0], buf, i) // in place
	if err != nil {
		return 0, err
	}
	return copy(p, plain[skip:]), nil
}

func (r *Reader) chunk(dst, buf []byte, i int64) ([]byte, error) {
	n := min(chunkSize, r.size-i*chunkSize) + tagSize
	if err := readFull(r.src, buf[:n], headerSize+i*sealedChunk); err != nil {
		return nil, err
	}
	return r.c.open(dst, uint64(i), buf[:n])
}

// readFull tells a source that is too short (corrupt) from one that fails.
func readFull(src io.ReaderAt, p []byte, off int64) error {
	n, err := src.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("sealed bytes end at %d: %w", off+int64(n), ErrOpen)
	}
	return fmt.Errorf("read sealed bytes: %w", err)
}
