package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// ErrStale says that a listing is not valid now: over, not begun, or lasting
// longer than any may. Whoever holds one forgets it.
var ErrStale = errors.New("listing is not valid now")

// Listing is what its author wants strangers to know, in their own words: it
// introduces and vouches for nothing. It is found through the topics of its
// specialties and fetched from its author.
type Listing struct {
	Version     uint64      `cbor:"1,keyasint"`
	Device      DeviceID    `cbor:"2,keyasint"`
	Number      uint64      `cbor:"3,keyasint"`
	FromMS      int64       `cbor:"4,keyasint"`
	UntilMS     int64       `cbor:"5,keyasint"`
	Name        string      `cbor:"6,keyasint"`
	Specialties []string    `cbor:"7,keyasint"` // codes, sorted
	Languages   []string    `cbor:"8,keyasint"` // tags, sorted
	Species     []string    `cbor:"9,keyasint,omitempty"`
	Hours       *Hours      `cbor:"10,keyasint,omitempty"`
	Addrs       []PeerAddrs `cbor:"11,keyasint"`
	Kind        uint64      `cbor:"12,keyasint,omitempty"` // as on a card
	Country     string      `cbor:"13,keyasint,omitempty"` // ISO 3166-1, two capitals
}

// Topics are the keys under which the listing is announced, each once.
func (l *Listing) Topics() [][32]byte {
	var out [][32]byte
	for _, s := range l.Specialties {
		out = append(out, Topic(s, ""))
		for _, tag := range l.Languages {
			out = append(out, Topic(s, tag))
		}
	}
	return out
}

// Topic is the key of a specialty, or of a specialty and a language. Nothing
// else ever is one: every other wish is looked at by the asker.
func Topic(specialty, language string) [32]byte {
	s := "specialty=" + specialty
	if language != "" {
		s += "&language=" + language
	}
	return wire.Hash("directory/topic", []byte(s))
}

// Names reports whether the listing says that its author is at a peer.
func (l *Listing) Names(p PeerID) bool {
	return slices.ContainsFunc(l.Addrs, func(a PeerAddrs) bool { return a.PeerID == p })
}

// Check reports whether the listing is valid at a time. Clocks differ, so it may
// begin a little ahead.
func (l *Listing) Check(nowMS int64) error {
	if nowMS >= l.UntilMS || l.FromMS > nowMS+listingAheadMS {
		return ErrStale
	}
	return nil
}

func (l *Listing) check() error {
	switch {
	case l.Version != 1:
		return ErrVersion
	case l.Number == 0 || l.FromMS < 0 || l.UntilMS <= l.FromMS || l.UntilMS-l.FromMS > ListingMaxMS:
		return ErrField
	case l.Name == "" || l.Kind != 0 && l.Kind != RoleClinician && l.Kind != RoleClinic:
		return ErrField
	case len(l.Name) > NameMax || len(l.Species) > CodesMax:
		return ErrTooLong
	case len(l.Specialties) == 0 || l.Languages == nil || len(l.Addrs) == 0:
		return ErrField
	case len(l.Specialties)*(1+len(l.Languages)) > TopicsMax:
		return ErrTooLong
	case l.Country != "" && !isCountry(l.Country):
		return ErrField
	}
	for _, codes := range [][]string{l.Specialties, l.Languages, l.Species} {
		if err := checkCodes(codes); err != nil {
			return err
		}
	}
	for _, a := range l.Addrs {
		if a.PeerID == "" {
			return ErrField
		}
	}
	if err := checkPeers(l.Addrs); err != nil {
		return err
	}
	return l.Hours.check()
}

// IsCode reports whether a text may stand in a listing and thus in a topic:
// small letters and digits, with dots and dashes between them.
func IsCode(s string) bool {
	if s == "" || len(s) > CodeMax || strings.Trim(s, ".-") != s {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-'
	})
}

func checkCodes(codes []string) error {
	for i, c := range codes {
		if !IsCode(c) || i > 0 && codes[i-1] >= c {
			return ErrField
		}
	}
	return nil
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// SignListing signs a listing of the device. It sets version and device, and
// leaves out addresses beyond the limits.
func (d *Device) SignListing(l Listing) ([]byte, error) {
	l.Version, l.Device, l.Addrs = 1, d.id, fitPeers(l.Addrs)
	if l.Languages == nil {
		l.Languages = []string{}
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	b, err := d.keys().record(labelListing, l)
	if err == nil && len(b) > ListingMax {
		return nil, ErrTooLong
	}
	return b, err
}

// VerifyListing reads a listing of one of a person's devices. Whether it is
// valid now is for Check to say, and whether who served it may for Names.
func VerifyListing(p *Profile, b []byte) (*Listing, error) {
	if len(b) > ListingMax {
		return nil, fmt.Errorf("listing: %w", ErrTooLong)
	}
	s, err := open(b)
	if err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	var l Listing
	if err := decode(s.Payload, &l); err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	cert := p.Devices[l.Device]
	switch {
	case cert == nil:
		return nil, fmt.Errorf("listing: %w", ErrUnknownDevice)
	case cert.Revoked != 0:
		return nil, fmt.Errorf("listing: %w", ErrRevoked)
	}
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	if err := cert.Verify(labelListing, s.Payload, s.Sigs, AlgEd25519, AlgMLDSA65); err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	return &l, nil
}

// ReadListing reads a listing that was verified before, without its keys.
func ReadListing(b []byte) (*Listing, error) {
	s, err := open(b)
	if err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	var l Listing
	if err := decode(s.Payload, &l); err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	return &l, l.check()
}
