package identity

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// PeerID is the libp2p identity of a node, its raw bytes in a string as libp2p
// keeps it. CBOR writes it as a byte string.
type PeerID string

// MarshalCBOR writes a byte string.
func (p PeerID) MarshalCBOR() ([]byte, error) { return wire.Marshal([]byte(p)) }

// UnmarshalCBOR reads a byte string.
func (p *PeerID) UnmarshalCBOR(b []byte) error {
	var raw []byte
	if err := wire.Unmarshal(b, &raw); err != nil {
		return err
	}
	*p = PeerID(raw)
	return nil
}

// PeerAddrs is where a node may be reached: multiaddrs in text form.
type PeerAddrs struct {
	_      struct{} `cbor:",toarray"`
	PeerID PeerID
	Addrs  []string
}

// Box is a mailbox of a device.
type Box struct {
	_       struct{} `cbor:",toarray"`
	PeerID  PeerID
	ID      [16]byte
	Deposit wire.Secret
}

// The kinds a card may claim, as Claims.Role.
const (
	RoleClinician    = 1
	RoleTechnologist = 2
	RoleCoordinator  = 3
	RoleClinic       = 4
	RoleTrainee      = 5
)

// Card is what a device says of itself. From Name on it is self-claimed and
// proves nothing.
type Card struct {
	Version     uint64      `cbor:"1,keyasint"`
	Device      DeviceID    `cbor:"2,keyasint"`
	Number      uint64      `cbor:"3,keyasint"`
	IssuedMS    int64       `cbor:"4,keyasint"`
	KEM         []byte      `cbor:"5,keyasint"`
	Addrs       []PeerAddrs `cbor:"6,keyasint,omitempty"`
	Boxes       []Box       `cbor:"7,keyasint,omitempty"`
	Name        string      `cbor:"8,keyasint,omitempty"`
	Kind        uint64      `cbor:"9,keyasint,omitempty"`
	Specialties []string    `cbor:"10,keyasint,omitempty"`
	Languages   []string    `cbor:"11,keyasint,omitempty"`
	Hours       *Hours      `cbor:"12,keyasint,omitempty"`
}

// Hours says when someone can be reached, in their time zone.
type Hours struct {
	_    struct{} `cbor:",toarray"`
	Zone string   // IANA name
	Open []Span   // sorted
}

// Span is a part of a weekday, 1 Monday to 7, in minutes since midnight.
type Span struct {
	_       struct{} `cbor:",toarray"`
	Weekday uint64
	From    uint64
	To      uint64
}

// KeyID names the card's KEM key.
func (c *Card) KeyID() [32]byte { return seal.KeyID(c.KEM) }

func (c *Card) check() error {
	switch {
	case c.Version != 1:
		return ErrVersion
	case c.Number == 0 || c.IssuedMS < 0:
		return ErrField
	case c.Kind != 0 && c.Kind != RoleClinician && c.Kind != RoleClinic:
		return ErrField
	}
	if err := checkTexts(slices.Concat([]string{c.Name}, c.Specialties, c.Languages)); err != nil {
		return err
	}
	if err := errors.Join(checkBoxes(c.Boxes), checkPeers(c.Addrs)); err != nil {
		return err
	}
	if err := c.Hours.check(); err != nil {
		return err
	}
	return seal.CheckPublic(c.KEM)
}

// fitPeers leaves out what limits do not allow, so that a node with many
// addresses can still sign its card.
func fitPeers(peers []PeerAddrs) []PeerAddrs {
	var out []PeerAddrs
	for _, p := range peers {
		if len(p.PeerID) > PeerIDMax || len(out) == PeersMax {
			continue
		}
		fit := PeerAddrs{PeerID: p.PeerID}
		for _, a := range p.Addrs {
			if len(a) <= AddrMax && utf8.ValidString(a) && len(fit.Addrs) < AddrsMax {
				fit.Addrs = append(fit.Addrs, a)
			}
		}
		out = append(out, fit)
	}
	return out
}

func checkBoxes(boxes []Box) error {
	if len(boxes) > PeersMax {
		return ErrTooLong
	}
	for _, b := range boxes {
		if len(b.PeerID) > PeerIDMax {
			return ErrTooLong
		}
	}
	return nil
}

func checkPeers(peers []PeerAddrs) error {
	if len(peers) > PeersMax {
		return ErrTooLong
	}
	for _, p := range peers {
		if len(p.PeerID) > PeerIDMax || len(p.Addrs) > AddrsMax {
			return ErrTooLong
		}
		for _, a := range p.Addrs {
			if len(a) > AddrMax {
				return ErrTooLong
			}
		}
	}
	return nil
}

func checkTexts(texts []string) error {
	for _, t := range texts {
		if len(t) > TextMax {
			return ErrTooLong
		}
	}
	return nil
}

// minutesADay is 24 hours.
const minutesADay = 24 * 60

func (h *Hours) check() error {
	if h == nil {
		return nil
	}
	if h.Zone == "" || len(h.Zone) > 64 {
		return ErrField
	}
	for i, s := range h.Open {
		if s.Weekday < 1 || s.Weekday > 7 || s.From >= s.To || s.To > minutesADay {
			return ErrField
		}
		if i > 0 && !h.Open[i-1].before(s) {
			return ErrField
		}
	}
	return nil
}

// before is the order of the encodings: integers of one field compare as
// numbers, for a longer head starts with a larger byte.
func (s Span) before(o Span) bool {
	if s.Weekday != o.Weekday {
		return s.Weekday < o.Weekday
	}
	if s.From != o.From {
		return s.From < o.From
	}
	return s.To < o.To
}

// verifyCard reads a card and checks that the device signed it.
func verifyCard(s signed, cert *DeviceCert) (*Card, error) {
	c, err := parseCard(s)
	if err != nil {
		return nil, err
	}
	if err := cert.Verify(labelCard, s.Payload, s.Sigs, AlgEd25519, AlgMLDSA65); err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	return c, nil
}

func parseCard(s signed) (*Card, error) {
	var c Card
	if err := decode(s.Payload, &c); err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	return &c, nil
}
