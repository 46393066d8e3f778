package exchange

import (
	"encoding/binary"
	"io"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// What the external tests need to know.
const (
	UnprovenMax  = unprovenMax
	UnprovenTime = unprovenTime
	SilentTime   = silentTime
	ReadBuffer   = readBuffer
)

// ErrFrameSize is a frame longer than allowed.
var ErrFrameSize = errFrameSize

// Greet speaks a peer's side of the handshake by hand: hello, and the proof of a
// device. It returns the transcript; what the session writes must be read elsewhere.
func Greet(stream io.ReadWriter, cfg Config, d *identity.Device) ([32]byte, error) {
	nonce := [32]byte{42}
	f, err := encodeFrame(frameHello, hello{Versions: versions, Nonce: nonce})
	if err != nil {
		return nonce, err
	}
	if _, err := stream.Write(f); err != nil {
		return nonce, err
	}
	r, err := readFrame(stream, frameMax)
	if err != nil {
		return nonce, err
	}
	h, err := decodeHello(r.body)
	if err != nil {
		return nonce, err
	}
	text := transcript(cfg, nonce, h.Nonce)
	role := byte(2)
	if cfg.Initiator {
		role = 1
	}
	f, err = encodeFrame(frameProve, []proof{{Device: d.ID(), Sigs: d.Sign("session", append(text[:], role), identity.AlgEd25519)}})
	if err != nil {
		return nonce, err
	}
	_, err = stream.Write(f)
	return text, err
}

// Samples are frames of every type, encoded.
func Samples() [][]byte {
	var out [][]byte
	for _, s := range samples() {
		b, err := encodeAny(s.typ, s.body)
		if err != nil {
			panic(err)
		}
		out = append(out, b)
	}
	return out
}

// EncodeRange is a range frame.
func EncodeRange(request uint64, w Want, data []byte, proof [][32]byte) []byte {
	b, err := encodeAny(frameRange, rangeBody{Request: request, Blob: w.Blob, Length: w.Length, First: uint64(w.First), Data: data, Proof: proof})
	if err != nil {
		panic(err)
	}
	return b
}

// FrameEntries is the type of a frame of entries.
const FrameEntries = uint8(frameEntries)

// FrameNeed is the type of a need.
const FrameNeed = uint8(frameNeed)

// ReadRaw reads one frame as it is.
func ReadRaw(r io.Reader) (typ uint8, raw []byte, err error) {
	f, err := readFrame(r, frameMax)
	if err != nil {
		return 0, nil, err
	}
	defer f.release()
	raw = binary.BigEndian.AppendUint32(nil, uint32(len(f.body)+1))
	return uint8(f.typ), append(append(raw, byte(f.typ)), f.body...), nil
}

// What a hostile peer of the tests speaks with.
type (
	WantRow      = wantRow
	RowsBody     = rowsBody
	EntriesBody  = entriesBody
	HaveBody     = haveBody
	NeedBody     = needBody
	Announcement = announcement
)

// Types of frames.
const (
	FrameThreads = uint8(frameThreads)
	FrameRows    = uint8(frameRows)
	FrameHave    = uint8(frameHave)
	FrameWant    = uint8(frameWant)
	FrameRange   = uint8(frameRange)
	FrameCancel  = uint8(frameCancel)
	FrameMax     = frameMax
	HeardMax     = heardMax
)

// Encode is a frame.
func Encode(t uint8, body any) []byte {
	b, err := encodeFrame(frameType(t), body)
	if err != nil {
		panic(err)
	}
	return b
}

// TagOf names a thread in a session.
func TagOf(text [32]byte, t ledger.ThreadID) [16]byte {
	h := wire.Hash("session/thread", text[:], t[:])
	return [16]byte(h[:16])
}
