package identity

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// LinkPrefix starts every invite link.
const LinkPrefix = "curbside:i/"

const tagSize = 16

var (
	// ErrLink says that text is no invite link; the user mistyped or cut it.
	ErrLink = errors.New("not an invite link")
	// ErrExpired says that an invite is over, or lasts longer than any may.
	ErrExpired = errors.New("invite is not valid now")
	// ErrJoin says that a Join or Accept does not open under an invite.
	ErrJoin = errors.New("answer does not belong to this invite")
)

// Invite is what one person hands another to get to know each other. Its
// secret authenticates both ways and is used once. Its link is the secret.
type Invite struct {
	Version   uint64      `cbor:"1,keyasint"`
	Person    PersonID    `cbor:"2,keyasint"`
	Secret    wire.Secret `cbor:"3,keyasint"`
	ExpiresMS int64       `cbor:"4,keyasint"`
	Peers     []PeerAddrs `cbor:"5,keyasint,omitempty"`
	// Boxes take a Join for a person who is away; their mailboxes are among Peers.
	Boxes []Box `cbor:"6,keyasint,omitempty"`
}

// NewInvite makes an invite by a person that lasts 7 days from now. It leaves
// out addresses beyond the limits.
func NewInvite(person PersonID, peers []PeerAddrs, nowMS int64) Invite {
	return Invite{Version: 1, Person: person, Secret: wire.NewSecret(), ExpiresMS: nowMS + InviteMaxMS, Peers: fitPeers(peers)}
}

// Encode returns the invite's bytes.
func (i Invite) Encode() []byte { return wire.MustMarshal(i) }

// Link returns the invite as text.
func (i Invite) Link() string {
	return LinkPrefix + base64.RawURLEncoding.EncodeToString(i.Encode())
}

// ParseInvite reads a link. Whether it is valid now is for Check to say.
func ParseInvite(link string) (Invite, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(link), LinkPrefix)
	if !ok || len(text) > LinkMax {
		return Invite{}, ErrLink
	}
	// The decoder skips line breaks, which would give one invite many links.
	if strings.ContainsAny(text, "\r\n") {
		return Invite{}, ErrLink
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Invite{}, ErrLink
	}
	return DecodeInvite(b)
}

// DecodeInvite reads what Encode wrote.
func DecodeInvite(b []byte) (Invite, error) {
	var i Invite
	if err := decode(b, &i); err != nil {
		return Invite{}, fmt.Errorf("%w: %w", ErrLink, err)
	}
	if i.Version != 1 {
		return Invite{}, fmt.Errorf("%w: %w", ErrLink, ErrVersion)
	}
	if i.ExpiresMS < 0 {
		return Invite{}, fmt.Errorf("%w: %w", ErrLink, ErrField)
	}
	if err := errors.Join(checkPeers(i.Peers), checkBoxes(i.Boxes)); err != nil {
		return Invite{}, fmt.Errorf("%w: %w", ErrLink, err)
	}
	return i, nil
}

// Check reports whether the invite is valid at a time. An hour of skew is
// allowed at the far end.
func (i Invite) Check(nowMS int64) error {
	const skewMS = 60 * 60 * 1000
	if nowMS >= i.ExpiresMS || i.ExpiresMS-nowMS > InviteMaxMS+skewMS {
		return ErrExpired
	}
	return nil
}

// Tag is how the inviter recognises a Join without trying all invites.
func (i Invite) Tag() [tagSize]byte {
	return [tagSize]byte(wire.KDF(i.Secret, "invite/tag", nil, tagSize))
}

// JoinTag reads the tag of a Join; zero if it is too short to be one.
func JoinTag(join []byte) (tag [tagSize]byte) {
	if len(join) > tagSize {
		copy(tag[:], join)
	}
	return tag
}

// JoinID names a Join. The first that opens uses the invite up; another one
// with the same tag raises an alarm.
func JoinID(join []byte) [32]byte { return wire.Hash("join", join) }

// card3 is what both sides send: [Person, [Statement], Card].
type card3 struct {
	_          struct{} `cbor:",toarray"`
	Person     wire.Raw
	Statements []wire.Raw
	Card       wire.Raw
}

// Join answers an invite with the joiner's records: person, chain and one card,
// as Profile.Records returns them for a person with one device.
func (i Invite) Join(records [][]byte) ([]byte, error) {
	p, err := pack(records)
	if err != nil {
		return nil, err
	}
	tag := i.Tag()
	return append(tag[:], seal.Seal(i.joinKey(), i.joinContext(), p)...), nil
}

// OpenJoin opens and checks a Join. ErrJoin says that it was not made with this
// invite; other errors that its maker's records are bad.
func OpenJoin(i Invite, join []byte) (*Profile, error) {
	if len(join) > JoinMax {
		return nil, ErrTooLong
	}
	if len(join) <= tagSize || JoinTag(join) != i.Tag() {
		return nil, ErrJoin
	}
	p, err := seal.Open(i.joinKey(), i.joinContext(), join[tagSize:])
	if err != nil {
		return nil, ErrJoin
	}
	return unpack(p)
}

// Accept answers a Join with the inviter's records.
func Accept(i Invite, join []byte, records [][]byte) ([]byte, error) {
	p, err := pack(records)
	if err != nil {
		return nil, err
	}
	return seal.Seal(i.acceptKey(), acceptContext(join), p), nil
}

// OpenAccept opens and checks the answer to one's own Join. It must be from the
// person who was in the invite.
func OpenAccept(i Invite, join, accept []byte) (*Profile, error) {
	if len(accept) > JoinMax {
		return nil, ErrTooLong
	}
	b, err := seal.Open(i.acceptKey(), acceptContext(join), accept)
	if err != nil {
		return nil, ErrJoin
	}
	p, err := unpack(b)
	if err != nil {
		return nil, err
	}
	if p.ID != i.Person {
		return nil, ErrWrongPerson
	}
	return p, nil
}

func (i Invite) joinKey() wire.Secret   { return wire.KDF32(i.Secret, "invite/join", nil) }
func (i Invite) acceptKey() wire.Secret { return wire.KDF32(i.Secret, "invite/accept", nil) }

func (i Invite) joinContext() string {
	h := wire.Hash("invite", i.Encode())
	return "join\x00" + string(h[:])
}

func acceptContext(join []byte) string {
	h := JoinID(join)
	return "accept\x00" + string(h[:])
}

// pack finds person, statements and the card in a list of records, and checks
// them as the other side will.
func pack(records [][]byte) ([]byte, error) {
	out := card3{Statements: []wire.Raw{}}
	for _, b := range records {
		r, err := ParseRecord(b)
		switch {
		case err != nil:
			return nil, err
		case r.Person != nil:
			out.Person = b
		case r.Statement != nil:
			out.Statements = append(out.Statements, b)
		case r.Card != nil:
			out.Card = b
		}
	}
	if out.Person == nil || out.Card == nil {
		return nil, fmt.Errorf("person and card are needed: %w", ErrRecord)
	}
	b, err := wire.Marshal(out)
	if err != nil {
		return nil, err
	}
	if len(b)+1024 > JoinMax {
		return nil, ErrTooLong
	}
	_, err = unpack(b)
	return b, err
}

func unpack(b []byte) (*Profile, error) {
	var in card3
	if err := wire.Unmarshal(b, &in); err != nil {
		return nil, err
	}
	if len(in.Statements) > StatementsMax {
		return nil, ErrTooLong
	}
	p, err := NewProfile(in.Person)
	if err != nil {
		return nil, err
	}
	for i, s := range in.Statements {
		if err := p.AddStatement(s); err != nil {
			return nil, err
		}
		if len(p.Statements) != i+1 {
			return nil, fmt.Errorf("statement repeated: %w", ErrRecord)
		}
	}
	if _, err := p.AddCard(in.Card); err != nil {
		return nil, err
	}
	return p, nil
}
