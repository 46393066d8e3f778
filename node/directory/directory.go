// Package directory is what a node knows of people who want to be found: the wire form of a
// listing with what proves it, and the cache of those that were found (NETWORK §4.2; bytes in
// protocol/README.md §2.3).
//
//	frame   = u32 length || CBOR, at most FrameMax
//	Request = { 1: 1, 2: what (1 own, 2 held), ?3: [ [DeviceID[:8], number] ] }
//	Found   = { 1: Listing, 2: [Person, Statement ..., ?Card], ?3: [ [Attest, ?RevList] ], ?4: state }
//
// Nothing here does I/O or reads a clock: the streams are node/peering's, the rows of the cache
// go to a Store. A listing introduces its author and vouches for nothing; whose word counts is
// for the desk to say.
package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// What a request asks for.
const (
	Own  = 1 // the listings of the persons of the node
	Held = 2 // those, and valid ones of others that it holds
)

// What the author of a listing says of now. It counts from the author alone.
const (
	StateAwake = 1 // takes cases now
	StateAway  = 2
)

// ErrLie says that a peer served what it should not have: a listing that does not verify, is not
// its own, is not valid or older than one seen. Nothing more is asked of it for an hour.
var ErrLie = errors.New("listing does not count")

// ErrFrame says that a frame is too long or not what it should be.
var ErrFrame = errors.New("not a frame of the directory")

// KnownKey is the number of a listing that the asker has.
type KnownKey struct {
	_      struct{} `cbor:",toarray"`
	Device [8]byte
	Number uint64
}

// Request is what a node asks of another.
type Request struct {
	Version uint64     `cbor:"1,keyasint"`
	What    uint64     `cbor:"2,keyasint"`
	Known   []KnownKey `cbor:"3,keyasint,omitempty"` // ascending
}

// ParseRequest reads a request.
func ParseRequest(b []byte) (Request, error) {
	var r Request
	if err := wire.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("request: %w", err)
	}
	sorted := slices.IsSortedFunc(r.Known, func(a, b KnownKey) int { return compareKnown(a, b) })
	if r.Version != 1 || r.What != Own && r.What != Held || len(r.Known) > KnownMax || !sorted {
		return r, fmt.Errorf("request: %w", ErrFrame)
	}
	return r, nil
}

// Has reports whether the asker has a listing of the device with that number or a higher one.
func (r *Request) Has(dev identity.DeviceID, number uint64) bool {
	i, ok := slices.BinarySearchFunc(r.Known, KnownKey{Device: [8]byte(dev[:8])}, compareKnown)
	return ok && r.Known[i].Number >= number
}

func compareKnown(a, b KnownKey) int {
	return slices.Compare(a.Device[:], b.Device[:])
}

// Vouch is an attestation with the issuer's newest revocation list, if it is known.
type Vouch struct {
	Attest  []byte
	RevList []byte
}

// MarshalCBOR writes an array of one or two.
func (v Vouch) MarshalCBOR() ([]byte, error) {
	if v.RevList == nil {
		return wire.Marshal([][]byte{v.Attest})
	}
	return wire.Marshal([][]byte{v.Attest, v.RevList})
}

// UnmarshalCBOR reads what MarshalCBOR writes.
func (v *Vouch) UnmarshalCBOR(b []byte) error {
	var a [][]byte
	if err := wire.Unmarshal(b, &a); err != nil {
		return err
	}
	if len(a) != 1 && len(a) != 2 {
		return ErrFrame
	}
	v.Attest = a[0]
	if len(a) == 2 {
		v.RevList = a[1]
	}
	return nil
}

// Found is a listing with what proves it.
type Found struct {
	Listing []byte   `cbor:"1,keyasint"`
	Records [][]byte `cbor:"2,keyasint"` // person, chain, card
	Vouches []Vouch  `cbor:"3,keyasint,omitempty"`
	State   uint64   `cbor:"4,keyasint,omitempty"`
}

// Encode writes a frame's body. What does not fit is left out: attestations, those without a
// list first, then the card. It fails if a listing cannot be served at all.
func (f Found) Encode() ([]byte, error) {
	f.Vouches = slices.Clone(f.Vouches)
	slices.SortStableFunc(f.Vouches, func(a, b Vouch) int { return len(b.RevList) - len(a.RevList) })
	for {
		b, err := wire.Marshal(f)
		switch {
		case err != nil:
			return nil, err
		case len(b) <= FrameMax:
			return b, nil
		case len(f.Vouches) > 0:
			f.Vouches = f.Vouches[:len(f.Vouches)-1]
		default:
			return nil, identity.ErrTooLong
		}
	}
}

// ParseFound reads the form of a frame; Verify proves what is in it.
func ParseFound(b []byte) (Found, error) {
	var f Found
	if len(b) > FrameMax {
		return f, fmt.Errorf("found: %w", ErrFrame)
	}
	if err := wire.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("found: %w", err)
	}
	if len(f.Records) > recordsMax || len(f.Vouches) > vouchesMax || f.State > StateAway {
		return f, fmt.Errorf("found: %w", ErrFrame)
	}
	return f, nil
}

// Verify proves a listing by the records beside it. Attestations are left as they came: their
// issuers' keys are not here.
func (f Found) Verify(nowMS int64) (*identity.Profile, *identity.Listing, error) {
	prof, err := identity.LoadProfile(f.Records)
	if err != nil {
		return nil, nil, err
	}
	if prof.Fork != nil {
		return nil, nil, identity.ErrFork
	}
	l, err := identity.VerifyListing(prof, f.Listing)
	if err != nil {
		return nil, nil, err
	}
	return prof, l, l.Check(nowMS)
}

// WriteFrame writes one frame.
func WriteFrame(w io.Writer, body []byte) error {
	if len(body) > FrameMax {
		return ErrFrame
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

// ReadFrame reads one frame. The end of the stream between frames is io.EOF.
func ReadFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > FrameMax {
		return nil, ErrFrame
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return body, nil
}

// Encode writes a request.
func (r *Request) Encode() ([]byte, error) { return wire.Marshal(r) }
