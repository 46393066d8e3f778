package ledger

import (
	"bytes"
	"crypto/rand"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// saltSize is the length of the random salt before each body: it stops guessing
// short bodies from their hash once they are erased.
const saltSize = 16

const labelEntry = "entry"

type header struct {
	Version   uint64            `cbor:"1,keyasint"`
	Thread    *ThreadID         `cbor:"2,keyasint,omitempty"`
	Device    identity.DeviceID `cbor:"3,keyasint"`
	Chain     Chain             `cbor:"4,keyasint"`
	Seq       uint64            `cbor:"5,keyasint"`
	Prev      *EntryID          `cbor:"6,keyasint,omitempty"`
	Parents   []EntryID         `cbor:"7,keyasint,omitempty"`
	Auth      []EntryID         `cbor:"8,keyasint,omitempty"`
	Epoch     *EpochID          `cbor:"9,keyasint,omitempty"`
	Lamport   uint64            `cbor:"10,keyasint"`
	ClaimedMS int64             `cbor:"11,keyasint"`
	Kind      Kind              `cbor:"12,keyasint"`
	BodyHash  [32]byte          `cbor:"13,keyasint"`
	BodyLen   uint64            `cbor:"14,keyasint"`
}

// record is an entry as it is sealed.
type record struct {
	Header []byte        `cbor:"1,keyasint"`
	Sigs   identity.Sigs `cbor:"2,keyasint"`
	Body   []byte        `cbor:"3,keyasint,omitempty"`
}

// parsed is an entry that is well-formed but not admitted: nothing about its
// author is known yet.
type parsed struct {
	Entry
	control *controlBody // of control entries

	certs []*identity.DeviceCert // verified, of what the entry introduces
	cut   *cut                   // verified, of a revoke
	es    *wire.Secret           // of an epoch, if it came in a packet
}

// parseEntry reads an entry and checks all that can be checked without other
// entries. ErrBody and ErrNoBody are faults of this copy; whatever else is
// wrong is wrong with the entry.
func parseEntry(b []byte) (*parsed, error) {
	if len(b) > EntryMax {
		return nil, wrapped("entry", ErrTooLong)
	}
	var r record
	if err := wire.Unmarshal(b, &r); err != nil {
		return nil, wrapped("entry", err)
	}
	h, err := parseHeader(r.Header)
	if err != nil {
		return nil, wrapped("entry header", err)
	}
	if r.fullLen(h) > EntryMax {
		return nil, wrapped("entry", ErrTooLong)
	}
	p := &parsed{Entry: h.entry(r)}
	if err := p.takeBody(r.Body, h); err != nil {
		return nil, wrapped("entry", err)
	}
	return p, nil
}

// fullLen is the length of the entry with its body, whether or not it is here:
// admission must not depend on that.
func (r record) fullLen(h *header) uint64 {
	bare := uint64(len(wire.MustMarshal(record{Header: r.Header, Sigs: r.Sigs})))
	if h.BodyLen > EntryMax {
		return h.BodyLen
	}
	// key 3, the head of a byte string (RFC 8949 §3.1) and the body
	switch n := h.BodyLen; {
	case n < 24:
		return bare + 1 + 1 + n
	case n < 1<<8:
		return bare + 1 + 2 + n
	case n < 1<<16:
		return bare + 1 + 3 + n
	default:
		return bare + 1 + 5 + n
	}
}

func parseHeader(b []byte) (*header, error) {
	var h header
	if err := wire.Unmarshal(b, &h); err != nil {
		return nil, err
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	return &h, nil
}

func (h *header) check() error {
	switch {
	case h.Version != 1:
		return ErrVersion
	case h.Kind.Chain() == 0:
		return ErrKind
	case h.Chain != h.Kind.Chain():
		return ErrChain
	case h.Seq == 0, h.ClaimedMS < 0, h.BodyLen <= saltSize:
		return ErrField
	case (h.Seq == 1) != (h.Prev == nil):
		return ErrPrev
	case len(h.Parents) > ParentsMax, len(h.Auth) > AuthMax:
		return ErrTooMany
	case !sorted(h.Parents), !sorted(h.Auth):
		return ErrOrder
	case h.Chain == Control && (h.Auth != nil || h.Epoch != nil):
		return ErrAuth
	case h.Chain == Content && (h.Auth == nil || h.Epoch == nil):
		return ErrAuth
	case h.Lamport == 0:
		return ErrLamport
	case h.Kind == Create && (h.Thread != nil || h.Prev != nil || h.Parents != nil):
		return ErrField
	case h.Kind != Create && h.Thread == nil:
		return ErrThread
	}
	return nil
}

func sorted(ids []EntryID) bool {
	return wire.Ascending(ids, func(id *EntryID) []byte { return id[:] })
}

func (h *header) entry(r record) Entry {
	e := Entry{
		ID:     SignedHeader{Header: r.Header, Sigs: r.Sigs}.ID(),
		Device: h.Device, Chain: h.Chain, Seq: h.Seq, Prev: h.Prev, Parents: h.Parents, Auth: h.Auth,
		Lamport: h.Lamport, ClaimedMS: h.ClaimedMS, Kind: h.Kind,
		header: r.Header, sigs: r.Sigs, bodyHash: h.BodyHash, bodyLen: h.BodyLen,
	}
	if h.Thread != nil {
		e.Thread = *h.Thread
	} else {
		e.Thread = ThreadID(e.ID)
	}
	if h.Epoch != nil {
		e.Epoch = *h.Epoch
	}
	return e
}

// takeBody checks a body against the header. Bodies of content are opaque: what
// is wrong inside must not matter, or erasing one would change a verdict.
func (p *parsed) takeBody(body []byte, h *header) error {
	if body == nil {
		if h.Chain == Control {
			return ErrNoBody
		}
		return nil
	}
	if uint64(len(body)) != h.BodyLen || wire.Hash("body", body) != h.BodyHash {
		return ErrBody
	}
	p.salted, p.Body = body, body[saltSize:]
	if h.Chain == Content {
		return nil
	}
	var err error
	p.control, err = parseControl(p)
	return wrapped(p.Kind.String(), err)
}

// encode returns the entry as it is sealed.
func (e *Entry) encode() []byte {
	return wire.MustMarshal(record{Header: e.header, Sigs: e.sigs, Body: e.salted})
}

// Signed returns the signed header, which proves authorship to anyone who has
// the device's certificate.
func (e *Entry) Signed() SignedHeader {
	return SignedHeader{Header: bytes.Clone(e.header), Sigs: slices.Clone(e.sigs)}
}

// refs yields everything an entry rests on.
func (e *Entry) refs(yield func(EntryID) bool) {
	if e.Prev != nil && !yield(*e.Prev) {
		return
	}
	for _, list := range [][]EntryID{e.Parents, e.Auth} {
		for _, id := range list {
			if !yield(id) {
				return
			}
		}
	}
}

// algs are the signatures a kind carries: opinions, reports, corrections and
// acknowledgements must hold against a quantum computer too (FORMATS §4).
func algs(k Kind) []int {
	switch k {
	case Report, Addendum, Acknowledge, Taken:
		return []int{identity.AlgEd25519, identity.AlgMLDSA65}
	default:
		return []int{identity.AlgEd25519}
	}
}

// saltedBody returns a body with a new random salt.
func saltedBody(body any) ([]byte, error) {
	b, err := wire.Marshal(body)
	if err != nil {
		return nil, wrapped("body", err)
	}
	out := make([]byte, saltSize+len(b))
	_, _ = rand.Read(out[:saltSize]) // never fails since Go 1.24
	copy(out[saltSize:], b)
	return out, nil
}

// sign makes an entry of a header and a salted body.
func sign(d *identity.Device, h header, body []byte) (*parsed, error) {
	h.Version, h.Device = 1, d.ID()
	h.BodyHash, h.BodyLen = wire.Hash("body", body), uint64(len(body))
	raw, err := wire.Marshal(h)
	if err != nil {
		return nil, wrapped("entry header", err)
	}
	r := record{Header: raw, Sigs: d.Sign(labelEntry, raw, algs(h.Kind)...), Body: body}
	b, err := wire.Marshal(r)
	if err != nil {
		return nil, wrapped("entry", err)
	}
	return parseEntry(b)
}
