package ledger

import (
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// suite1 is the only set of control kinds and rules there is.
const suite1 = 1

// CreateBody starts a thread. Its author is a device of the first founder.
type CreateBody struct {
	Suite    uint64            `cbor:"1,keyasint"`
	Nonce    [16]byte          `cbor:"2,keyasint"`
	Founders []identity.Person `cbor:"3,keyasint"`
	Certs    []wire.Raw        `cbor:"4,keyasint"`
}

// RoleBody sets a person's rank. Record and Certs are needed when the person
// is first added; Cut says what was seen of a person whose rank is lowered.
type RoleBody struct {
	Person identity.PersonID `cbor:"1,keyasint"`
	Rank   Rank              `cbor:"2,keyasint"`
	Record *identity.Person  `cbor:"3,keyasint,omitempty"`
	Certs  []wire.Raw        `cbor:"4,keyasint,omitempty"`
	Cut    []ContentCut      `cbor:"5,keyasint,omitempty"`
}

// ContentCut says up to where a device's content counts.
type ContentCut struct {
	_      struct{} `cbor:",toarray"`
	Device identity.DeviceID
	Seq    uint64
	Entry  EntryID
}

// DeviceBody introduces devices of members.
type DeviceBody struct {
	Certs []wire.Raw `cbor:"1,keyasint"`
}

// RevokeBody carries a root's word that a device no longer counts: a DeviceCut
// and a DeviceRevoke record.
type RevokeBody struct {
	Cut    wire.Raw `cbor:"1,keyasint"`
	Revoke wire.Raw `cbor:"2,keyasint"`
}

// AdmitBody raises a content cut.
type AdmitBody struct {
	Device identity.DeviceID `cbor:"1,keyasint"`
	Seq    uint64            `cbor:"2,keyasint"`
	Entry  EntryID           `cbor:"3,keyasint"`
}

// ForkBody proves that a device signed two entries with one number.
type ForkBody struct {
	A SignedHeader `cbor:"1,keyasint"`
	B SignedHeader `cbor:"2,keyasint"`
}

// SignedHeader is an entry without its body; EntryID is its hash.
type SignedHeader struct {
	_      struct{} `cbor:",toarray"`
	Header []byte
	Sigs   identity.Sigs
}

// ID names the entry.
func (s SignedHeader) ID() EntryID { return EntryID(wire.Hash("entry", wire.MustMarshal(s))) }
