package study

import (
	"bufio"
	"compress/flate"
	"errors"
	"io"
)

// cursor reads foreign bytes forward. What next returns is valid until the
// next call.
type cursor interface {
	next(n int) ([]byte, error)
	skip(n int64) error
	pos() int64
	end() int64 // -1 while it is not known
}

// errEnd: the bytes end before what was asked for.
var errEnd = errors.New("end of data")

// windowLen: headers of real images are 2 to 10 KB, values that matter are short.
const windowLen = 8 << 10

// fileCursor reads an io.ReaderAt through a window.
type fileCursor struct {
	r    io.ReaderAt
	size int64
	at   int64
	buf  []byte // the window
	off  int64  // where it begins
	big  []byte // for values longer than the window
}

func newFileCursor(r io.ReaderAt, size int64) *fileCursor {
	return &fileCursor{r: r, size: size, buf: make([]byte, 0, windowLen)}
}

func (c *fileCursor) pos() int64 { return c.at }
func (c *fileCursor) end() int64 { return c.size }

func (c *fileCursor) skip(n int64) error {
	if n < 0 || n > c.size-c.at {
		return errEnd
	}
	c.at += n
	return nil
}

func (c *fileCursor) next(n int) ([]byte, error) {
	if int64(n) > c.size-c.at {
		return nil, errEnd
	}
	if n > windowLen {
		if cap(c.big) < n {
			c.big = make([]byte, n)
		}
		return c.take(c.big[:n], n)
	}
	if i := c.at - c.off; i >= 0 && i+int64(n) <= int64(len(c.buf)) {
		c.at += int64(n)
		return c.buf[i : i+int64(n)], nil
	}
	c.off = c.at
	want := int(min(windowLen, c.size-c.at))
	b, got, err := c.fill(c.buf[:want], n)
	c.buf = b[:got]
	if err != nil {
		return nil, err
	}
	c.at += int64(n)
	return c.buf[:n], nil
}

func (c *fileCursor) take(b []byte, n int) ([]byte, error) {
	b, _, err := c.fill(b, n)
	c.at += int64(n)
	return b, err
}

// fill reads at least n bytes into b; a reader may stop short at a seam.
func (c *fileCursor) fill(b []byte, n int) ([]byte, int, error) {
	got := 0
	for got < n {
		m, err := c.r.ReadAt(b[got:], c.at+int64(got))
		got += m
		if m == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = errEnd
			}
			return b, got, err
		}
	}
	return b, got, nil
}

// inflateCursor reads a deflated data set (PS3.5 §A.5) as it inflates, so that
// a bomb costs time in proportion to its bound and no memory.
type inflateCursor struct {
	r     *bufio.Reader
	at    int64
	limit int64
	known int64
	buf   []byte
}

func newInflateCursor(r io.ReaderAt, from, size int64) *inflateCursor {
	in := size - from
	limit := int64(InflatedMax)
	if in < InflatedMax/InflateRatio {
		limit = in * InflateRatio
	}
	z := flate.NewReader(bufio.NewReaderSize(io.NewSectionReader(r, from, in), windowLen))
	return &inflateCursor{r: bufio.NewReaderSize(z, windowLen), limit: limit, known: -1}
}

func (c *inflateCursor) pos() int64 { return c.at }

func (c *inflateCursor) end() int64 {
	if c.known < 0 {
		if _, err := c.r.Peek(1); err == io.EOF {
			c.known = c.at
		}
	}
	return c.known
}

func (c *inflateCursor) skip(n int64) error {
	if n < 0 || n > c.limit-c.at {
		return errInflated
	}
	m, err := io.CopyN(io.Discard, c.r, n)
	c.at += m
	return inflateErr(err)
}

func (c *inflateCursor) next(n int) ([]byte, error) {
	if int64(n) > c.limit-c.at {
		return nil, errInflated
	}
	if cap(c.buf) < n {
		c.buf = make([]byte, max(n, 64))
	}
	m, err := io.ReadFull(c.r, c.buf[:n])
	c.at += int64(m)
	return c.buf[:n], inflateErr(err)
}

var (
	errInflated = errors.New("inflated data over the limit")
	errInflate  = errors.New("deflate stream is damaged")
)

func inflateErr(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return errEnd
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errEnd
	}
	return errInflate
}
