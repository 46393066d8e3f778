package vault

import (
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Body is what the vault itself holds: private keys, what proves them, and what
// opens everything else. The person's root R is not in it (FORMATS §2).
type Body struct {
	// Device is D, the seed of the device author keys.
	Device wire.Secret `cbor:"1,keyasint"`
	// KEMs are the live KEM seeds, oldest first.
	KEMs []KEM `cbor:"2,keyasint,omitempty"`
	// Person is the person record, CBOR.
	Person []byte `cbor:"3,keyasint,omitempty"`
	// Statements are the person's own, in order of serial.
	Statements [][]byte `cbor:"4,keyasint,omitempty"`
	// CardNumber is that of the last own card.
	CardNumber uint64 `cbor:"5,keyasint,omitempty"`
	// Card is the last own card.
	Card []byte `cbor:"6,keyasint,omitempty"`
	// Pinned are the issuers whose attestations count here.
	Pinned [][32]byte `cbor:"7,keyasint,omitempty"`
	// CaseKeys seal the rows of cases, so that a case can be shredded.
	CaseKeys []CaseKey `cbor:"8,keyasint,omitempty"`
	// IndexKey encrypts the index.
	IndexKey wire.Secret `cbor:"9,keyasint"`
	// Backup is the recipient of backups.
	Backup []byte `cbor:"10,keyasint,omitempty"`
	// Heads are the last own entries, against rollback.
	Heads []Head `cbor:"11,keyasint,omitempty"`
	// Audit is the last own audit checkpoint, against rollback.
	Audit []byte `cbor:"12,keyasint,omitempty"`
	// Settings that must be trusted, by the program's own encoding.
	Settings []byte `cbor:"13,keyasint,omitempty"`
}

// KEM is the seed of one device KEM key.
type KEM struct {
	_         struct{} `cbor:",toarray"`
	Seed      wire.Secret
	CreatedMS int64
}

// CaseKey is the key of one case's rows.
type CaseKey struct {
	_    struct{} `cbor:",toarray"`
	Case [32]byte
	Key  wire.Secret
}

// Head is the last entry that this device made in a chain.
type Head struct {
	_      struct{} `cbor:",toarray"`
	Thread [32]byte
	Chain  uint64
	Seq    uint64
	Entry  [32]byte
}

// Format keeps a printed body from showing anything.
func (Body) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[vault body]")) }

// stored is a body as it is sealed, with the log of rows that belongs to it.
type stored struct {
	Body Body   `cbor:"1,keyasint"`
	Rows []byte `cbor:"2,keyasint"`
}

func encodeBody(b Body, rows []byte) ([]byte, error) {
	p, err := wire.Marshal(stored{Body: b, Rows: rows})
	if err != nil {
		return nil, fmt.Errorf("encode vault body: %w", err)
	}
	if len(p) > fileMax/2 {
		return nil, fmt.Errorf("vault body of %d bytes: %w", len(p), ErrTooLong)
	}
	return p, nil
}

func decodeBody(p []byte) (stored, error) {
	var s stored
	if err := wire.UnmarshalLimit(p, &s, arrayMax); err != nil {
		return stored{}, fmt.Errorf("decode vault body: %w: %w", ErrDamaged, err)
	}
	return s, nil
}

// clone is a deep copy: bodies go in and out by value.
func (b Body) clone() (Body, error) {
	p, err := encodeBody(b, nil)
	if err != nil {
		return Body{}, err
	}
	s, err := decodeBody(p)
	return s.Body, err
}

// caseKey finds the key of a case.
func (b Body) caseKey(id [32]byte) (wire.Secret, bool) {
	for _, k := range b.CaseKeys {
		if k.Case == id {
			return k.Key, true
		}
	}
	return wire.Secret{}, false
}
