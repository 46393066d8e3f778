// Package identity says who is who: persons, their devices, what devices say of
// themselves, who vouches for whom, and how two people make sure.
//
// A person is the hash of a root key pair, Ed25519 and ML-DSA-65, whose seed is
// 24 words on paper. The root certifies devices in a chain of statements;
// devices sign cards (addresses, KEM key, name); clinics attest persons. A
// Profile gathers the verified records of one person. Trust is decided
// elsewhere; here is only what signatures and chains prove.
//
//	Person    = { 1: 1, 2: x32 ed25519, 3: bstr 1952 mldsa65 }            PersonID = H("person", ed25519 || mldsa65)
//	Signed    = [ bstr P, [ [alg, sig] ... ] ]  over "curbside/v1/sig/" || label || 0x00 || P     RecordID = H("record", Signed)
//	Statement, Card, Attest, RevList, DeviceCut: Signed records, their P in the file of that name
//	DeviceID  = H("device", PersonID || ed25519 || mldsa65)
//	Invite    = "curbside:i/" || base64url { 1: 1, 2: PersonID, 3: x32 secret, 4: expires_ms, ?5: [[PeerID, [multiaddr]]] }
//
// Nothing here reads a clock, a network or a disk; times are arguments in
// milliseconds since 1970 UTC. The formats are version 1 and do not change.
package identity

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// PersonID names a person by their root keys. A new key is a new person.
type PersonID [32]byte

// DeviceID names a device of a person by its author keys.
type DeviceID [32]byte

// String returns the ID in lower case hex.
func (id PersonID) String() string { return hex.EncodeToString(id[:]) }

// String returns the ID in lower case hex.
func (id DeviceID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns the ID in lower case hex.
func (id PersonID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText returns the ID in lower case hex.
func (id DeviceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (id *PersonID) UnmarshalText(b []byte) error { return parseHex((*[32]byte)(id), string(b)) }

// UnmarshalText reads what MarshalText writes.
func (id *DeviceID) UnmarshalText(b []byte) error { return parseHex((*[32]byte)(id), string(b)) }

// ParsePersonID reads 64 lower case hex digits.
func ParsePersonID(s string) (id PersonID, err error) {
	err = parseHex((*[32]byte)(&id), s)
	return id, err
}

// ParseDeviceID reads 64 lower case hex digits.
func ParseDeviceID(s string) (id DeviceID, err error) {
	err = parseHex((*[32]byte)(&id), s)
	return id, err
}

func parseHex(id *[32]byte, s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) || hex.EncodeToString(b) != s {
		return errors.New("id is not 64 lower case hex digits")
	}
	copy(id[:], b)
	return nil
}

// Person is the public half of a root, as it travels.
type Person struct {
	Version uint64   `cbor:"1,keyasint"`
	Ed25519 [32]byte `cbor:"2,keyasint"`
	MLDSA65 []byte   `cbor:"3,keyasint"`
}

// ID names the person.
func (p Person) ID() PersonID { return PersonID(wire.Hash("person", p.Ed25519[:], p.MLDSA65)) }

// Encode returns the person's record.
func (p Person) Encode() []byte { return wire.MustMarshal(p) }

// Check reports whether version and keys are well-formed.
func (p Person) Check() error {
	if p.Version != 1 {
		return ErrVersion
	}
	return checkKeys(p.Ed25519[:], p.MLDSA65)
}

// Verify checks signatures of the root, exactly the wanted algs.
func (p Person) Verify(label string, msg []byte, sigs Sigs, want ...int) error {
	return VerifySigs(label, msg, sigs, p.Ed25519[:], p.MLDSA65, want...)
}

// ParsePerson reads a person's record and checks its keys.
func ParsePerson(b []byte) (Person, error) {
	var p Person
	if err := decode(b, &p); err != nil {
		return Person{}, fmt.Errorf("person: %w", err)
	}
	if err := p.Check(); err != nil {
		return Person{}, fmt.Errorf("person: %w", err)
	}
	return p, nil
}

// DevicePublic is the public half of a device's author keys.
type DevicePublic struct {
	Ed25519 [32]byte
	MLDSA65 []byte
}

// ID names the device of a person.
func (d DevicePublic) ID(person PersonID) DeviceID {
	return DeviceID(wire.Hash("device", person[:], d.Ed25519[:], d.MLDSA65))
}

func decode(b []byte, v any) error {
	if len(b) > RecordMax {
		return ErrTooLong
	}
	return wire.Unmarshal(b, v)
}
