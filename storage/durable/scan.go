package durable

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// scan reads the whole file. Afterwards l.size is where the next frame goes.
func (l *Log) scan(each func([]byte) error) (LogState, error) {
	info, err := l.f.Stat()
	if err != nil {
		return LogState{}, err
	}
	return l.scanTo(info.Size(), each)
}

// errFrame says that no good frame is at a place.
var errFrame = errors.New("bad frame")

func (l *Log) scanTo(end int64, each func([]byte) error) (LogState, error) {
	var state LogState
	if err := l.readHead(&state); err != nil {
		return state, err
	}
	s := scanner{l: l, end: end}
	s.seek(framesAt)
	for s.off < end {
		payload, err := s.next()
		if errors.Is(err, errFrame) {
			good, err := l.resync(s.off, end)
			if err != nil {
				return state, err
			}
			if good < 0 {
				state.Torn = Gap{Off: s.off, Len: end - s.off}
				break
			}
			state.Lost = append(state.Lost, Gap{Off: s.off, Len: good - s.off})
			s.seek(good)
			continue
		}
		if err != nil {
			return state, err
		}
		state.Frames++
		state.Bytes += int64(frameHead + len(payload))
		if err := each(payload); err != nil {
			return state, err
		}
	}
	l.size = s.off
	return state, nil
}

// scanner reads frames one after the other.
type scanner struct {
	l   *Log
	r   *bufio.Reader
	off int64 // of the next frame
	end int64
	buf []byte
}

func (s *scanner) seek(off int64) {
	s.off = off
	src := io.NewSectionReader(s.l.f, off, s.end-off)
	if s.r == nil {
		s.r = bufio.NewReaderSize(src, 256<<10)
	} else {
		s.r.Reset(src)
	}
}

// next returns the frame at s.off and steps over it, or errFrame and stays.
func (s *scanner) next() ([]byte, error) {
	var head [frameHead]byte
	if err := s.fill(head[:]); err != nil {
		return nil, err
	}
	n, ok := s.l.goodHead(head[:], s.off, s.end)
	if !ok {
		return nil, errFrame
	}
	if cap(s.buf) < n {
		s.buf = make([]byte, n)
	}
	s.buf = s.buf[:n]
	if err := s.fill(s.buf); err != nil {
		return nil, err
	}
	if s.l.sum(s.buf) != binary.BigEndian.Uint32(head[8:]) {
		return nil, errFrame
	}
	s.off += int64(frameHead + n)
	return s.buf, nil
}

func (s *scanner) fill(b []byte) error {
	_, err := io.ReadFull(s.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errFrame
	}
	return err
}

// goodHead reports whether a frame that ends before end may start at off.
func (l *Log) goodHead(head []byte, off, end int64) (n int, ok bool) {
	u := binary.BigEndian.Uint32(head)
	if int64(u) > int64(l.spec.FrameMax) || off+frameHead+int64(u) > end {
		return 0, false
	}
	return int(u), l.headSum(off, head[:4]) == binary.BigEndian.Uint32(head[4:])
}

// resync searches the first good frame after a bad one at off; -1 if there is none.
func (l *Log) resync(off, end int64) (int64, error) {
	for start := off + 1; start < end; start += resyncSpan {
		window := make([]byte, min(end-start, resyncSpan+frameHead-1))
		if n, err := l.f.ReadAt(window, start); n < len(window) {
			return -1, err
		}
		at, err := l.findFrame(window, start, end)
		if at >= 0 || err != nil {
			return at, err
		}
	}
	return -1, nil
}

// findFrame searches a good frame whose head lies in a window of the file.
func (l *Log) findFrame(window []byte, start, end int64) (int64, error) {
	for i := 0; i+frameHead <= len(window); i++ {
		at := start + int64(i)
		n, ok := l.goodHead(window[i:], at, end)
		if !ok {
			continue
		}
		payload := make([]byte, n)
		if _, err := l.f.ReadAt(payload, at+frameHead); err != nil && n > 0 {
			return -1, err
		}
		if l.sum(payload) == binary.BigEndian.Uint32(window[i+8:]) {
			return at, nil
		}
	}
	return -1, nil
}
