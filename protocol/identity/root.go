package identity

import (
	"fmt"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Root holds a person's root keys. It is made, used and forgotten; it is never
// in the everyday vault. It prints as "[secret]".
type Root struct {
	keys func() *keys
	id   PersonID
}

// NewRoot makes a new person.
func NewRoot() *Root { return RootFromSeed(wire.NewSecret()) }

// RootFromSeed makes the root of a seed R.
func RootFromSeed(seed [32]byte) *Root {
	r := &Root{keys: newKeys(seed,
		wire.KDF32(seed, "person/ed25519", nil),
		wire.KDF32(seed, "person/mldsa65", nil),
	)}
	r.id = r.Person().ID()
	return r
}

// RootFromWords makes the root of the 24 words that Words returned.
func RootFromWords(words []string) (*Root, error) {
	seed, err := seedFromWords(words)
	if err != nil {
		return nil, err
	}
	return RootFromSeed(seed), nil
}

// Words returns the seed as 24 words of the BIP-39 English list.
func (r *Root) Words() []string { return seedWords(r.keys().seed) }

// Person returns the public half.
func (r *Root) Person() Person {
	return Person{Version: 1, Ed25519: r.keys().public.Ed25519, MLDSA65: slices.Clone(r.keys().public.MLDSA65)}
}

// ID names the person.
func (r *Root) ID() PersonID { return r.id }

// Derive derives another secret of the person, as a backup's identity is.
func (r *Root) Derive(label string) wire.Secret { return wire.KDF32(r.keys().seed, label, nil) }

// Format prints "[secret]" for every verb.
func (r *Root) Format(f fmt.State, verb rune) { wire.Secret{}.Format(f, verb) }

// CertifyDevice signs a device into the chain. Serial and prev are what
// Profile.Next returns, 1 and nil for a new person.
func (r *Root) CertifyDevice(pub DevicePublic, label string, serial uint64, prev *[32]byte, nowMS int64) ([]byte, error) {
	return r.statement(KindCert, certBody{Ed25519: pub.Ed25519, MLDSA65: pub.MLDSA65, Label: label}, serial, prev, nowMS)
}

// RevokeDevice signs a device out of the chain, for good.
func (r *Root) RevokeDevice(device DeviceID, reason Reason, serial uint64, prev *[32]byte, nowMS int64) ([]byte, error) {
	return r.statement(KindRevoke, revokeBody{Device: device, Reason: reason}, serial, prev, nowMS)
}

func (r *Root) statement(kind StatementKind, body any, serial uint64, prev *[32]byte, nowMS int64) ([]byte, error) {
	raw, err := wire.Marshal(body)
	if err != nil {
		return nil, err
	}
	s := statement{Version: 1, Kind: kind, Person: r.id, Serial: serial, Prev: prev, IssuedMS: nowMS, Body: raw}
	if err := s.check(); err != nil {
		return nil, err
	}
	return r.keys().record(labelStatement, s)
}

// Cut signs where the genuine entries of a lost device end in a thread. Control
// and content are the last genuine entries of its chains, nil if it has none.
// Serial rises with each cut of one device and thread; the highest counts.
func (r *Root) Cut(device DeviceID, thread [32]byte, serial uint64, control, content *Point, nowMS int64) ([]byte, error) {
	c := DeviceCut{
		Version: 1, Person: r.id, Device: device, Thread: thread, Serial: serial,
		Control: control, Content: content, IssuedMS: nowMS,
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return r.keys().record(labelCut, c)
}

// Attest signs that a clinic knows a person. Serial is new for each attestation
// of this issuer.
func (r *Root) Attest(subject PersonID, serial uint64, nowMS, fromMS, untilMS int64, claims Claims) ([]byte, error) {
	a := Attest{
		Version: 1, Issuer: r.id, Subject: subject, Serial: serial, IssuedMS: nowMS,
		FromMS: fromMS, UntilMS: untilMS, Claims: claims,
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	return r.keys().record(labelAttest, a)
}

// RevList signs the list of attestations that no longer count.
func (r *Root) RevList(number uint64, nowMS, nextMS int64, revoked []Revoked) ([]byte, error) {
	l := RevList{Version: 1, Issuer: r.id, Number: number, IssuedMS: nowMS, NextMS: nextMS, Revoked: revoked}
	if err := l.check(); err != nil {
		return nil, err
	}
	return r.keys().record(labelRevList, l)
}
