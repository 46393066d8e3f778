package identity

import (
	"fmt"
	"slices"
)

// Claims is what a clinic vouches for.
type Claims struct {
	Name             string   `cbor:"1,keyasint"`
	Role             uint64   `cbor:"2,keyasint"`
	LicenceAuthority string   `cbor:"3,keyasint,omitempty"`
	LicenceNumber    string   `cbor:"4,keyasint,omitempty"`
	Specialties      []string `cbor:"5,keyasint,omitempty"`
	Organisation     string   `cbor:"6,keyasint,omitempty"`
}

// Attest is a clinic's word for a person.
type Attest struct {
	Version  uint64   `cbor:"1,keyasint"`
	Issuer   PersonID `cbor:"2,keyasint"`
	Subject  PersonID `cbor:"3,keyasint"`
	Serial   uint64   `cbor:"4,keyasint"`
	IssuedMS int64    `cbor:"5,keyasint"`
	FromMS   int64    `cbor:"6,keyasint"`
	UntilMS  int64    `cbor:"7,keyasint"`
	Claims   Claims   `cbor:"8,keyasint"`
}

func (a *Attest) check() error {
	switch {
	case a.Version != 1:
		return ErrVersion
	case a.Serial == 0 || a.IssuedMS < 0 || a.FromMS < 0 || a.UntilMS <= a.FromMS:
		return ErrField
	case a.Claims.Name == "" || a.Claims.Role < RoleClinician || a.Claims.Role > RoleTrainee:
		return ErrField
	}
	c := a.Claims
	return checkTexts(slices.Concat([]string{c.Name, c.LicenceAuthority, c.LicenceNumber, c.Organisation}, c.Specialties))
}

// VerifyAttest reads an attestation signed by an issuer's root.
func VerifyAttest(issuer Person, b []byte) (*Attest, error) {
	var a Attest
	err := verifyRecord(b, &a, labelAttest, func() (Person, error) {
		if a.Issuer != issuer.ID() {
			return Person{}, ErrWrongPerson
		}
		return issuer, a.check()
	})
	if err != nil {
		return nil, fmt.Errorf("attestation: %w", err)
	}
	return &a, nil
}

// Revoked is one attestation that no longer counts.
type Revoked struct {
	_      struct{} `cbor:",toarray"`
	Serial uint64
	WhenMS int64
	Reason uint64
}

// RevList is an issuer's list of attestations that no longer count.
type RevList struct {
	Version  uint64    `cbor:"1,keyasint"`
	Issuer   PersonID  `cbor:"2,keyasint"`
	Number   uint64    `cbor:"3,keyasint"`
	IssuedMS int64     `cbor:"4,keyasint"`
	NextMS   int64     `cbor:"5,keyasint"`
	Revoked  []Revoked `cbor:"6,keyasint,omitempty"`
}

func (l *RevList) check() error {
	switch {
	case l.Version != 1:
		return ErrVersion
	case l.Number == 0 || l.IssuedMS < 0 || l.NextMS < l.IssuedMS:
		return ErrField
	case len(l.Revoked) > RevokedMax:
		return ErrTooLong
	}
	return nil
}

// Has reports whether the list revokes a serial.
func (l *RevList) Has(serial uint64) bool {
	for _, r := range l.Revoked {
		if r.Serial == serial {
			return true
		}
	}
	return false
}

// VerifyRevList reads a revocation list signed by an issuer's root.
func VerifyRevList(issuer Person, b []byte) (*RevList, error) {
	var l RevList
	err := verifyRecord(b, &l, labelRevList, func() (Person, error) {
		if l.Issuer != issuer.ID() {
			return Person{}, ErrWrongPerson
		}
		return issuer, l.check()
	})
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	return &l, nil
}

// Standing says whether an attestation counts, given that its issuer is pinned.
type Standing int

// The standings of an attestation. Stale counts, but "could not be checked
// since" the list's NextMS must be said.
const (
	NotYet Standing = iota + 1
	Valid
	Stale
	Expired
	Withdrawn
)

// String names the standing.
func (s Standing) String() string {
	switch s {
	case NotYet:
		return "not yet valid"
	case Valid:
		return "valid"
	case Stale:
		return "could not be checked lately"
	case Expired:
		return "expired"
	case Withdrawn:
		return "withdrawn"
	default:
		return "unknown"
	}
}

// Standing judges an attestation at a time by the issuer's newest list, nil if
// none is known.
func (a *Attest) Standing(list *RevList, nowMS int64) Standing {
	switch {
	case list != nil && list.Issuer == a.Issuer && list.Has(a.Serial):
		return Withdrawn
	case nowMS < a.FromMS:
		return NotYet
	case nowMS >= a.UntilMS:
		return Expired
	case list == nil || list.Issuer != a.Issuer || nowMS >= list.NextMS:
		return Stale
	default:
		return Valid
	}
}
