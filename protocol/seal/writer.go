package seal

import (
	"crypto/rand"
	"errors"
	"io"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Writer seals a stream, a chunk at a time: what Seal makes of the same bytes, for
// content that does not fit into memory. Without Close what it wrote is cut, and
// opens nowhere.
type Writer struct {
	c      *chunks
	dst    io.Writer
	next   uint64
	plain  []byte
	sealed []byte
	err    error
}

var errClosed = errors.New("seal is closed")

// NewWriter writes the header, with a random salt.
func NewWriter(key wire.Secret, context string, dst io.Writer) (*Writer, error) {
	var salt [saltSize]byte
	_, _ = rand.Read(salt[:]) // never fails since Go 1.24
	c, commitment := derive(key, context, salt[:])
	if _, err := dst.Write(append(salt[:], commitment[:]...)); err != nil {
		return nil, err
	}
	return &Writer{c: c, dst: dst, plain: make([]byte, 0, chunkSize), sealed: make([]byte, 0, sealedChunk)}, nil
}

// Write seals the chunks that p fills.
func (w *Writer) Write(p []byte) (n int, err error) {
	for n < len(p) && w.err == nil {
		k := min(chunkSize-len(w.plain), len(p)-n)
		w.plain = append(w.plain, p[n:n+k]...)
		n += k
		if len(w.plain) == chunkSize {
			w.flush()
		}
	}
	return n, w.err
}

func (w *Writer) flush() {
	w.sealed = w.c.seal(w.sealed[:0], w.next, w.plain)
	w.next++
	w.plain = w.plain[:0]
	_, w.err = w.dst.Write(w.sealed)
}

// Close seals the last chunk, which is always shorter than the others. It does not
// close what is written to.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if w.flush(); w.err != nil {
		return w.err
	}
	w.err = errClosed
	return nil
}
