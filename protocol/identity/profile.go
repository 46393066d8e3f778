package identity

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Profile gathers the verified records of one person: the chain of statements,
// the devices it names, and the newest card of each. Everything in it has been
// checked. It is not safe for concurrent use.
type Profile struct {
	Person     Person
	ID         PersonID
	Devices    map[DeviceID]*DeviceCert
	Statements [][]byte // the chain, serial 1 first
	Cards      map[DeviceID]*Card
	CardBytes  map[DeviceID][]byte
	// Fork is a statement that contradicts the chain, nil if none came: another
	// one with a serial that is taken, or one that continues another chain. It
	// is proof against the root; sending to the person is blocked.
	Fork []byte
	// CardFork holds for a device a card that contradicts the newest one.
	CardFork map[DeviceID][]byte

	payloads [][]byte // of Statements
	revoked  map[DeviceID]Reason
}

// NewProfile starts with a person's record.
func NewProfile(person []byte) (*Profile, error) {
	p, err := ParsePerson(person)
	if err != nil {
		return nil, err
	}
	return &Profile{
		Person: p, ID: p.ID(),
		Devices: map[DeviceID]*DeviceCert{}, Cards: map[DeviceID]*Card{}, CardBytes: map[DeviceID][]byte{},
		CardFork: map[DeviceID][]byte{}, revoked: map[DeviceID]Reason{},
	}, nil
}

// LoadProfile builds a profile from what Records returned, the person first.
// Proof of forks is taken in as such.
func LoadProfile(records [][]byte) (*Profile, error) {
	if len(records) == 0 {
		return nil, ErrRecord
	}
	p, err := NewProfile(records[0])
	if err != nil {
		return nil, err
	}
	for _, r := range records[1:] {
		if _, err := p.Add(r); err != nil && !errors.Is(err, ErrFork) {
			return nil, err
		}
	}
	return p, nil
}

// Add takes a person's own record, statement or card and reports whether the
// profile changed.
func (p *Profile) Add(b []byte) (changed bool, err error) {
	r, err := ParseRecord(b)
	if err != nil {
		return false, err
	}
	switch {
	case r.Person != nil && r.Person.ID() != p.ID:
		return false, ErrWrongPerson
	case r.Person != nil:
		return false, nil
	case r.Statement != nil:
		n := len(p.Statements)
		err := p.AddStatement(b)
		return len(p.Statements) > n, err
	case r.Card != nil:
		return p.AddCard(b)
	}
	return false, ErrRecord
}

// AddStatement takes the next statement of the chain. A known one is no error;
// ErrGap asks for those before it; ErrFork (and ErrPrev, which is one) is kept as
// proof.
func (p *Profile) AddStatement(b []byte) error {
	for _, known := range p.Statements {
		if bytes.Equal(known, b) {
			return nil
		}
	}
	b = slices.Clone(b) // the certificate keeps it too
	s, err := VerifyStatement(p.Person, b)
	if err != nil {
		return err
	}
	next, prev := p.Next()
	switch {
	case s.Serial > next:
		return fmt.Errorf("statement %d after %d: %w", s.Serial, next-1, ErrGap)
	case s.Serial < next:
		return p.contradict(s, b)
	case next > StatementsMax:
		return ErrTooLong
	case prev != nil && *prev != *s.Prev: // check saw to it that Prev is there
		p.keepFork(b)
		return fmt.Errorf("statement %d: %w: %w", s.Serial, ErrPrev, ErrFork)
	}
	p.Statements = append(p.Statements, b)
	p.payloads = append(p.payloads, s.payload)
	p.apply(s)
	return nil
}

// contradict keeps a second statement with a serial that is taken, unless only
// its signatures differ.
func (p *Profile) contradict(s *Statement, b []byte) error {
	if bytes.Equal(p.payloads[s.Serial-1], s.payload) {
		return nil
	}
	p.keepFork(b)
	return fmt.Errorf("statement %d: %w", s.Serial, ErrFork)
}

// keepFork keeps a statement the root has signed that has no place in the chain.
func (p *Profile) keepFork(b []byte) {
	if p.Fork == nil {
		p.Fork = b
	}
}

// apply changes the devices. A revoked device never comes back, even if
// certified again or only later, and its cards are gone.
func (p *Profile) apply(s *Statement) {
	if s.Revoke != nil {
		p.revoked[s.Revoke.Device] = s.Revoke.Reason
		if c := p.Devices[s.Revoke.Device]; c != nil {
			c.Revoked = s.Revoke.Reason
		}
		for _, of := range []map[DeviceID][]byte{p.CardBytes, p.CardFork} {
			delete(of, s.Revoke.Device)
		}
		delete(p.Cards, s.Revoke.Device)
		return
	}
	c := *s.Cert
	if p.Devices[c.ID] == nil {
		c.Revoked = p.revoked[c.ID]
		p.Devices[c.ID] = &c
	}
}

// Next returns serial and prev for the next statement.
func (p *Profile) Next() (serial uint64, prev *[32]byte) {
	n := len(p.Statements)
	if n == 0 {
		return 1, nil
	}
	id := RecordID(p.Statements[n-1])
	return uint64(n) + 1, &id
}

// AddCard takes a card of one of the person's devices. The highest number
// counts, so an older card changes nothing.
func (p *Profile) AddCard(b []byte) (changed bool, err error) {
	s, err := open(b)
	if err != nil {
		return false, fmt.Errorf("card: %w", err)
	}
	var c Card
	if err := decode(s.Payload, &c); err != nil {
		return false, fmt.Errorf("card: %w", err)
	}
	cert, last := p.Devices[c.Device], p.Cards[c.Device]
	switch {
	case cert == nil:
		return false, fmt.Errorf("card: %w", ErrUnknownDevice)
	case bytes.Equal(p.CardBytes[c.Device], b):
		return false, nil
	case cert.Revoked != 0:
		return false, fmt.Errorf("card: %w", ErrRevoked)
	case last != nil && c.Number < last.Number:
		return false, nil
	}
	card, err := verifyCard(s, cert)
	if err != nil {
		return false, err
	}
	if last != nil && c.Number == last.Number {
		return false, p.contradictCard(s, b, c.Device)
	}
	p.Cards[c.Device], p.CardBytes[c.Device] = card, slices.Clone(b)
	delete(p.CardFork, c.Device)
	return true, nil
}

func (p *Profile) contradictCard(s signed, b []byte, device DeviceID) error {
	known, err := open(p.CardBytes[device])
	if err == nil && bytes.Equal(known.Payload, s.Payload) {
		return nil
	}
	if p.CardFork[device] == nil {
		p.CardFork[device] = slices.Clone(b)
	}
	return fmt.Errorf("card: %w", ErrFork)
}

// Records returns all records in an order in which they verify: person, chain,
// proof of a fork, cards.
func (p *Profile) Records() [][]byte {
	out := append([][]byte{p.Person.Encode()}, p.Statements...)
	if p.Fork != nil {
		out = append(out, p.Fork)
	}
	for _, id := range p.sortedDevices() {
		if b := p.CardBytes[id]; b != nil {
			out = append(out, b)
		}
		if b := p.CardFork[id]; b != nil {
			out = append(out, b)
		}
	}
	return out
}

func (p *Profile) sortedDevices() []DeviceID {
	return slices.SortedFunc(maps.Keys(p.Devices), func(a, b DeviceID) int { return bytes.Compare(a[:], b[:]) })
}
