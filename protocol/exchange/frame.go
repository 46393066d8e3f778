package exchange

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// frameType is the u8 after a frame's length, FORMATS §8.
type frameType uint8

const (
	frameHello   frameType = 1
	frameProve   frameType = 2
	frameRecords frameType = 3
	frameThreads frameType = 4
	frameRows    frameType = 5
	frameEntries frameType = 6
	frameNeed    frameType = 7
	frameHave    frameType = 8
	frameWant    frameType = 9
	frameRange   frameType = 10
	frameCancel  frameType = 11
	frameRefuse  frameType = 12
	frameEnd     frameType = 15
	frameJoin    frameType = 16
	frameAccept  frameType = 17
	framePart    frameType = 18 // in bundles only
)

// Errors of frames. Each is a protocol error.
var (
	errFrameSize  = fmt.Errorf("frame longer than allowed: %w", ErrProtocol)
	errFrameEmpty = fmt.Errorf("frame without a type: %w", ErrProtocol)
	errBody       = fmt.Errorf("frame body: %w", ErrProtocol)
	errLimit      = fmt.Errorf("frame body over a limit: %w", ErrProtocol)
)

type tag [16]byte

type hello struct {
	Versions []uint64 `cbor:"1,keyasint"`
	Nonce    [32]byte `cbor:"2,keyasint"`
	Software string   `cbor:"3,keyasint"`
	NowMS    uint64   `cbor:"4,keyasint,omitempty"` // what the sender's clock says
}

type proof struct {
	_      struct{} `cbor:",toarray"`
	Device identity.DeviceID
	Sigs   identity.Sigs
}

type announcement struct {
	_    struct{} `cbor:",toarray"`
	Tag  tag
	Root [32]byte
}

type rowsBody struct {
	Tag  tag          `cbor:"1,keyasint"`
	Rows []ledger.Row `cbor:"2,keyasint"`
}

type entriesBody struct {
	Tag   tag      `cbor:"1,keyasint"`
	Items [][]byte `cbor:"2,keyasint"`
	More  uint64   `cbor:"3,keyasint"` // 1 no, 2 yes
}

type haveBody struct {
	Tag      tag       `cbor:"1,keyasint"`
	Manifest blob.ID   `cbor:"2,keyasint"`
	Bitmap   []byte    `cbor:"3,keyasint"`
	Partial  []Partial `cbor:"4,keyasint,omitempty"`
}

type wantRow struct {
	_        struct{} `cbor:",toarray"`
	Request  uint64
	Priority uint64
	Blob     blob.ID
	Length   uint64
	First    uint64
	Leaves   uint64
}

type refuseBody struct {
	Request uint64 `cbor:"1,keyasint"`
	Reason  uint64 `cbor:"2,keyasint"`
}

type endBody struct {
	Why uint64 `cbor:"1,keyasint"`
}

// Reasons of an end.
const (
	endLevel = 1
	endBack  = 2
	endError = 3
)

// encodeFrame builds a whole frame.
func encodeFrame(t frameType, body any) ([]byte, error) {
	f, err := wire.EncodeFrame(byte(t), body, frameMax)
	if errors.Is(err, wire.ErrFrameSize) {
		return nil, fmt.Errorf("encode frame %d: %w", t, errFrameSize)
	}
	return f, err
}

// frame is one frame read; release gives its memory back.
type frame struct {
	typ  frameType
	body []byte
	pool *[]byte
}

func (f *frame) release() {
	if f.pool != nil {
		framePool.Put(f.pool)
		f.pool, f.body = nil, nil
	}
}

// framePool keeps buffers of the largest size: ranges come at hundreds a second.
var framePool = sync.Pool{New: func() any {
	b := make([]byte, frameMax)
	return &b
}}

// pooledFrom is the size from which a frame's buffer comes from the pool.
const pooledFrom = 32 << 10

// readFrame reads one frame of at most limit bytes after the length field.
func readFrame(r io.Reader, limit int) (frame, error) {
	var f frame
	t, body, err := wire.ReadFrame(r, limit, func(n int) []byte {
		if n < pooledFrom {
			return make([]byte, n)
		}
		f.pool = framePool.Get().(*[]byte)
		return (*f.pool)[:n]
	})
	f.typ, f.body = frameType(t), body
	if err == nil {
		return f, nil
	}
	f.release()
	switch {
	case errors.Is(err, wire.ErrFrameEmpty):
		return frame{}, errFrameEmpty
	case errors.Is(err, wire.ErrFrameSize):
		return frame{}, errFrameSize
	}
	return frame{}, err
}
