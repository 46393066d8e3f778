package mailbox

import (
	"errors"
	"fmt"
	"io"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

type frameType byte

const (
	frameHello       frameType = 1
	frameWant        frameType = 9
	frameRange       frameType = 10
	frameRefuse      frameType = 12
	frameEnd         frameType = 15
	frameOpen        frameType = 18
	frameDeposit     frameType = 19
	frameCollect     frameType = 20
	frameItems       frameType = 21
	frameAcknowledge frameType = 22
	frameDone        frameType = 23
	frameOffer       frameType = 24
	frameOffered     frameType = 25
	frameFinish      frameType = 26
	frameList        frameType = 27
	frameListed      frameType = 28
	frameForget      frameType = 29
)

type helloBody struct {
	Versions []uint64 `cbor:"1,keyasint"`
	Nonce    [32]byte `cbor:"2,keyasint"`
	Software string   `cbor:"3,keyasint"`
}

type openBody struct {
	Public  [32]byte      `cbor:"1,keyasint"`
	Sigs    identity.Sigs `cbor:"2,keyasint"`
	Deposit wire.Secret   `cbor:"3,keyasint"`
	Request uint64        `cbor:"4,keyasint"`
}

type depositBody struct {
	Box     BoxID    `cbor:"1,keyasint"`
	Item    []byte   `cbor:"2,keyasint"`
	MAC     [16]byte `cbor:"3,keyasint"`
	Request uint64   `cbor:"4,keyasint"`
}

type collectBody struct {
	Public  [32]byte      `cbor:"1,keyasint"`
	Sigs    identity.Sigs `cbor:"2,keyasint"`
	After   uint64        `cbor:"3,keyasint"`
	Request uint64        `cbor:"4,keyasint"`
}

type itemsBody struct {
	Request uint64 `cbor:"1,keyasint"`
	Items   []Item `cbor:"2,keyasint"`
	More    uint64 `cbor:"3,keyasint"` // 1 no, 2 yes
}

type acknowledgeBody struct {
	Cursor  uint64 `cbor:"1,keyasint"`
	Request uint64 `cbor:"2,keyasint"`
}

type doneBody struct {
	Request uint64 `cbor:"1,keyasint"`
	Status  uint64 `cbor:"2,keyasint"`
}

type offerBody struct {
	Box     BoxID    `cbor:"1,keyasint"`
	Blobs   []Blob   `cbor:"2,keyasint"`
	MAC     [16]byte `cbor:"3,keyasint"`
	Request uint64   `cbor:"4,keyasint"`
}

type offeredBody struct {
	Request uint64   `cbor:"1,keyasint"`
	Bitmaps [][]byte `cbor:"2,keyasint"`
}

type requestBody struct {
	Request uint64 `cbor:"1,keyasint"`
}

type listedBody struct {
	Request uint64 `cbor:"1,keyasint"`
	Blobs   []Blob `cbor:"2,keyasint"`
}

type forgetBody struct {
	Request uint64    `cbor:"1,keyasint"`
	Blobs   []blob.ID `cbor:"2,keyasint"`
}

// wantRow, rangeBody and refuseBody are those of protocol/exchange, bytes and all.
type wantRow struct {
	_        struct{} `cbor:",toarray"`
	Request  uint64
	Priority uint64
	Blob     blob.ID
	Length   uint64
	First    uint64
	Leaves   uint64
}

type rangeBody struct {
	Request uint64     `cbor:"1,keyasint"`
	Blob    blob.ID    `cbor:"2,keyasint"`
	Length  uint64     `cbor:"3,keyasint"`
	First   uint64     `cbor:"4,keyasint"`
	Data    []byte     `cbor:"5,keyasint"`
	Proof   [][32]byte `cbor:"6,keyasint"`
}

type refuseBody struct {
	Request uint64 `cbor:"1,keyasint"`
	Reason  uint64 `cbor:"2,keyasint"`
}

type endBody struct {
	Why uint64 `cbor:"1,keyasint"`
}

// Reasons of an end and of a refusal.
const (
	endLevel     = 1
	endError     = 3
	reasonAbsent = 1
)

// Statuses of done, and the errors they are.
var statuses = []error{
	1: nil, 2: ErrAbsent, 3: ErrFull, 4: ErrRefused, 5: ErrNoBlobs, 6: ErrFailed, 7: ErrIncomplete,
}

const statusFailed = 6

func statusOf(err error) uint64 {
	if err == nil {
		return 1
	}
	for i, e := range statuses {
		if e != nil && errors.Is(err, e) {
			return uint64(i)
		}
	}
	return statusFailed
}

func errorOf(status uint64) error {
	if status < 1 || status >= uint64(len(statuses)) {
		return errBody
	}
	return statuses[status]
}

var (
	errBody  = fmt.Errorf("frame body: %w", ErrProtocol)
	errLimit = fmt.Errorf("frame body over a limit: %w", ErrProtocol)
)

// decode reads a frame body: canonical bytes within the limits.
func decode[T any](b []byte, check func(*T) bool) (v T, err error) {
	if err := wire.UnmarshalLimit(b, &v, listMax); err != nil {
		return v, fmt.Errorf("%w: %w", errBody, err)
	}
	if check != nil && !check(&v) {
		return v, errLimit
	}
	return v, nil
}

func checkHello(h *helloBody) bool {
	return len(h.Versions) > 0 && len(h.Versions) <= versionsMax && len(h.Software) <= softwareMax
}

func checkDeposit(d *depositBody) bool { return len(d.Item) > 0 && len(d.Item) <= ItemMax }

func checkItems(x *itemsBody) bool { return x.More == 1 || x.More == 2 }

// checkOffer says whether blobs are few and small enough to be answered.
func checkOffer(o *offerBody) bool { return fits(o.Blobs) }

func fits(blobs []Blob) bool {
	leaves := 0
	for _, b := range blobs {
		if b.Length > BlobMax || blob.CheckLen(b.Length) != nil {
			return false
		}
		leaves += blob.LeafCount(b.Length)
	}
	return len(blobs) > 0 && len(blobs) <= offerBlobs && leaves <= offerLeaves
}

func checkForget(f *forgetBody) bool { return len(f.Blobs) <= listMax }

func checkWants(ws *[]wantRow) bool {
	if len(*ws) > wantsMax {
		return false
	}
	for _, w := range *ws {
		if w.Leaves < 1 || w.Leaves > leavesMax || w.First > offerLeaves || w.Length > BlobMax {
			return false
		}
	}
	return true
}

func checkRange(r *rangeBody) bool {
	return len(r.Data) > 0 && r.First <= offerLeaves && r.Length <= BlobMax
}

// readFrame reads one frame of at most limit bytes.
func readFrame(r io.Reader, limit int) (frameType, []byte, error) {
	t, body, err := wire.ReadFrame(r, limit, func(n int) []byte { return make([]byte, n) })
	if errors.Is(err, wire.ErrFrameEmpty) || errors.Is(err, wire.ErrFrameSize) {
		err = fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return frameType(t), body, err
}
