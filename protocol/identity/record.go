package identity

import "fmt"

// Record is a parsed record of any kind; exactly one pointer is set. It is not
// verified: its signatures need the signer's keys, which Profile.Add and the
// Verify functions bring.
type Record struct {
	Bytes     []byte
	Person    *Person
	Statement *Statement
	Card      *Card
	Attest    *Attest
	RevList   *RevList
	Cut       *DeviceCut
}

// ParseRecord tells by their form what bytes are. The forms exclude each other,
// as fields of one number have different types.
func ParseRecord(b []byte) (Record, error) {
	r := Record{Bytes: b}
	if len(b) > 0 && b[0]>>5 == 5 { // a map; all others are arrays
		p, err := ParsePerson(b)
		if err != nil {
			return Record{}, err
		}
		r.Person = &p
		return r, nil
	}
	s, err := open(b)
	if err != nil {
		return Record{}, fmt.Errorf("record: %w", err)
	}
	if err := r.sniff(s); err != nil {
		return Record{}, fmt.Errorf("record: %w", err)
	}
	return r, nil
}

func (r *Record) sniff(s signed) error {
	var (
		st statement
		c  Card
		a  Attest
		l  RevList
		d  DeviceCut
	)
	var err error
	switch {
	case decode(s.Payload, &st) == nil:
		r.Statement, err = parseStatement(s, r.Bytes)
	case decode(s.Payload, &c) == nil:
		r.Card, err = &c, c.check()
	case decode(s.Payload, &a) == nil:
		r.Attest, err = &a, a.check()
	case decode(s.Payload, &l) == nil:
		r.RevList, err = &l, l.check()
	case decode(s.Payload, &d) == nil:
		r.Cut, err = &d, d.check()
	default:
		err = ErrRecord
	}
	return err
}
