package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A frame is how messages follow one another on a stream:
//
//	u32 length || u8 type || CBOR body      length covers type and body

var (
	// ErrFrameSize says that a frame is longer than allowed.
	ErrFrameSize = errors.New("frame longer than allowed")
	// ErrFrameEmpty says that a frame has no type.
	ErrFrameEmpty = errors.New("frame without a type")
)

// frameHead is length and type.
const frameHead = 5

// EncodeFrame builds a frame whose type and body take at most limit bytes.
func EncodeFrame(t byte, body any, limit int) ([]byte, error) {
	b, err := Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode frame %d: %w", t, err)
	}
	if len(b)+1 > limit {
		return nil, fmt.Errorf("encode frame %d: %w", t, ErrFrameSize)
	}
	f := make([]byte, frameHead, frameHead+len(b))
	binary.BigEndian.PutUint32(f, uint32(len(b)+1))
	f[4] = t
	return append(f, b...), nil
}

// ReadFrame reads a frame whose type and body take at most limit bytes; that is checked
// before buffer is asked for room for the body. io.EOF is the end of the stream between
// frames.
func ReadFrame(r io.Reader, limit int, buffer func(n int) []byte) (t byte, body []byte, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:4]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n == 0 {
		return 0, nil, ErrFrameEmpty
	}
	if uint64(n) > uint64(limit) {
		return 0, nil, ErrFrameSize
	}
	if _, err := io.ReadFull(r, head[4:]); err != nil {
		return 0, nil, unexpected(err)
	}
	body = buffer(int(n) - 1)
	_, err = io.ReadFull(r, body)
	return head[4], body, unexpected(err)
}

// unexpected makes the end of a stream inside a frame tell itself apart from one between frames.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
