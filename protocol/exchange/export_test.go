package exchange

import (
	"io"

	"github.com/curbside-p2p/curbside/protocol/identity"
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
