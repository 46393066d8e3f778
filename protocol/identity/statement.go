package identity

import (
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// The labels that records are signed under.
const (
	labelStatement = "statement"
	labelCut       = "device-cut"
	labelCard      = "card"
	labelAttest    = "attest"
	labelRevList   = "revlist"
	labelListing   = "listing"
)

// StatementKind says what a statement does.
type StatementKind uint64

// The kinds of statements.
const (
	KindCert   StatementKind = 1
	KindRevoke StatementKind = 2
)

// Reason says why a device was revoked.
type Reason uint64

// The reasons to revoke a device.
const (
	Retired     Reason = 1
	Lost        Reason = 2
	Compromised Reason = 3
	Forked      Reason = 4
)

// String names the reason.
func (r Reason) String() string {
	switch r {
	case Retired:
		return "retired"
	case Lost:
		return "lost"
	case Compromised:
		return "compromised"
	case Forked:
		return "forked"
	default:
		return "unknown"
	}
}

// statement is P of Statement = Signed("statement", P).
type statement struct {
	Version  uint64        `cbor:"1,keyasint"`
	Kind     StatementKind `cbor:"2,keyasint"`
	Person   PersonID      `cbor:"3,keyasint"`
	Serial   uint64        `cbor:"4,keyasint"`
	Prev     *[32]byte     `cbor:"5,keyasint,omitempty"`
	IssuedMS int64         `cbor:"6,keyasint"`
	Body     wire.Raw      `cbor:"7,keyasint"`
}

type certBody struct {
	Ed25519 [32]byte `cbor:"1,keyasint"`
	MLDSA65 []byte   `cbor:"2,keyasint"`
	Label   string   `cbor:"3,keyasint,omitempty"`
}

type revokeBody struct {
	Device DeviceID `cbor:"1,keyasint"`
	Reason Reason   `cbor:"2,keyasint"`
}

func (s statement) check() error {
	switch {
	case s.Version != 1:
		return ErrVersion
	case s.Serial == 0 || s.Serial > StatementsMax:
		return fmt.Errorf("serial %d: %w", s.Serial, ErrTooLong)
	case (s.Serial == 1) != (s.Prev == nil):
		return ErrPrev
	case s.IssuedMS < 0:
		return ErrField
	}
	return nil
}

// DeviceCert is a statement that certifies a device.
type DeviceCert struct {
	ID       DeviceID
	Person   PersonID
	Public   DevicePublic
	Label    string
	Serial   uint64
	IssuedMS int64
	Bytes    []byte // the signed record
	Revoked  Reason // 0 while the device is good; set by a Profile only
}

// Verify checks signatures of the device, exactly the wanted algs.
func (c *DeviceCert) Verify(label string, msg []byte, sigs Sigs, want ...int) error {
	return VerifySigs(label, msg, sigs, c.Public.Ed25519[:], c.Public.MLDSA65, want...)
}

// DeviceRevoke is a statement that revokes a device.
type DeviceRevoke struct {
	Person   PersonID
	Device   DeviceID
	Reason   Reason
	Serial   uint64
	IssuedMS int64
	Bytes    []byte // the signed record
}

// Statement is a parsed statement; exactly one of Cert and Revoke is set.
type Statement struct {
	Person PersonID
	Serial uint64
	Prev   *[32]byte
	Cert   *DeviceCert
	Revoke *DeviceRevoke

	payload []byte
	sigs    Sigs
}

// parseStatement reads a statement without checking its signatures.
func parseStatement(s signed, b []byte) (*Statement, error) {
	var p statement
	if err := decode(s.Payload, &p); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	out := &Statement{Person: p.Person, Serial: p.Serial, Prev: p.Prev, payload: s.Payload, sigs: s.Sigs}
	switch p.Kind {
	case KindCert:
		var body certBody
		if err := decode(p.Body, &body); err != nil {
			return nil, err
		}
		if len(body.Label) > TextMax {
			return nil, ErrTooLong
		}
		if err := checkKeys(body.Ed25519[:], body.MLDSA65); err != nil {
			return nil, err
		}
		pub := DevicePublic{Ed25519: body.Ed25519, MLDSA65: body.MLDSA65}
		out.Cert = &DeviceCert{
			ID: pub.ID(p.Person), Person: p.Person, Public: pub, Label: body.Label,
			Serial: p.Serial, IssuedMS: p.IssuedMS, Bytes: b,
		}
	case KindRevoke:
		var body revokeBody
		if err := decode(p.Body, &body); err != nil {
			return nil, err
		}
		if body.Reason < Retired || body.Reason > Forked {
			return nil, ErrField
		}
		out.Revoke = &DeviceRevoke{
			Person: p.Person, Device: body.Device, Reason: body.Reason,
			Serial: p.Serial, IssuedMS: p.IssuedMS, Bytes: b,
		}
	default:
		return nil, ErrField
	}
	return out, nil
}

// VerifyStatement reads a statement of a person and checks its signatures, not
// its place in the chain; a Profile does that.
func VerifyStatement(person Person, b []byte) (*Statement, error) {
	s, err := open(b)
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	out, err := parseStatement(s, b)
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	if out.Person != person.ID() {
		return nil, fmt.Errorf("statement: %w", ErrWrongPerson)
	}
	if err := person.Verify(labelStatement, out.payload, out.sigs, AlgEd25519, AlgMLDSA65); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	return out, nil
}

// VerifyCert reads the certificate of a person's device and checks its
// signatures.
func VerifyCert(person Person, b []byte) (*DeviceCert, error) {
	s, err := VerifyStatement(person, b)
	if err != nil {
		return nil, err
	}
	if s.Cert == nil {
		return nil, fmt.Errorf("certificate: %w", ErrRecord)
	}
	return s.Cert, nil
}

// VerifyRevoke reads the revocation of a person's device and checks its
// signatures.
func VerifyRevoke(person Person, b []byte) (*DeviceRevoke, error) {
	s, err := VerifyStatement(person, b)
	if err != nil {
		return nil, err
	}
	if s.Revoke == nil {
		return nil, fmt.Errorf("revocation: %w", ErrRecord)
	}
	return s.Revoke, nil
}

// Point names an entry of a device's chain.
type Point struct {
	_     struct{} `cbor:",toarray"`
	Seq   uint64
	Entry [32]byte
}

// DeviceCut says where the genuine entries of a device end in a thread.
type DeviceCut struct {
	Version  uint64   `cbor:"1,keyasint"`
	Person   PersonID `cbor:"2,keyasint"`
	Device   DeviceID `cbor:"3,keyasint"`
	Thread   [32]byte `cbor:"4,keyasint"`
	Serial   uint64   `cbor:"5,keyasint"`
	Control  *Point   `cbor:"6,keyasint,omitempty"`
	Content  *Point   `cbor:"7,keyasint,omitempty"`
	IssuedMS int64    `cbor:"8,keyasint"`
}

func (c DeviceCut) check() error {
	switch {
	case c.Version != 1:
		return ErrVersion
	case c.Serial == 0 || c.IssuedMS < 0:
		return ErrField
	case c.Control != nil && c.Control.Seq == 0, c.Content != nil && c.Content.Seq == 0:
		return ErrField
	}
	return nil
}

// VerifyCut reads a cut signed by a person's root.
func VerifyCut(person Person, b []byte) (*DeviceCut, error) {
	var c DeviceCut
	err := verifyRecord(b, &c, labelCut, func() (Person, error) {
		if c.Person != person.ID() {
			return Person{}, ErrWrongPerson
		}
		return person, c.check()
	})
	if err != nil {
		return nil, fmt.Errorf("device cut: %w", err)
	}
	return &c, nil
}

// open splits a signed record without checking anything but its form.
func open(b []byte) (signed, error) {
	var s signed
	if err := decode(b, &s); err != nil {
		return signed{}, err
	}
	return s, nil
}

// verifyRecord reads a record into p, asks by whom it must be signed, and
// checks both signatures.
func verifyRecord(b []byte, p any, label string, signer func() (Person, error)) error {
	s, err := open(b)
	if err != nil {
		return err
	}
	if err := decode(s.Payload, p); err != nil {
		return err
	}
	person, err := signer()
	if err != nil {
		return err
	}
	return person.Verify(label, s.Payload, s.Sigs, AlgEd25519, AlgMLDSA65)
}
