package consult

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// core is what Hash covers:
//
//	state = { 1: 1, 2: ThreadID, 3: state, ?4: [flag], 5: round, 6: priority, 7: needed_by_ms, ?8: request, 9: [[PersonID, rank, bits]] sorted,
//	          ?10: [PersonID] assigned, 11: x32 grants, 12: x32 reports, 13: x32 marks, 14: x32 criticals and asks, 15: x32 entries, ?16: x32 sealed reads and drafts }
//
// The digests are SHA-256 over the CBOR of the rows of the lists, so that no
// length of a case breaks a limit. An EntryID commits to all that its author
// wrote; the state adds what became of it. State is the one without receipts.
type core struct {
	Format   uint64              `cbor:"1,keyasint"`
	Case     ledger.ThreadID     `cbor:"2,keyasint"`
	State    string              `cbor:"3,keyasint"`
	Flags    []string            `cbor:"4,keyasint,omitempty"`
	Round    uint64              `cbor:"5,keyasint"`
	Priority uint64              `cbor:"6,keyasint"`
	NeededBy int64               `cbor:"7,keyasint"`
	Request  *ledger.EntryID     `cbor:"8,keyasint,omitempty"`
	Members  []memberRow         `cbor:"9,keyasint"`
	Assigned []identity.PersonID `cbor:"10,keyasint,omitempty"`
	Grants   [32]byte            `cbor:"11,keyasint"`
	Reports  [32]byte            `cbor:"12,keyasint"`
	Marks    [32]byte            `cbor:"13,keyasint"`
	Open     [32]byte            `cbor:"14,keyasint"`
	Entries  [32]byte            `cbor:"15,keyasint"`
	Group    *[32]byte           `cbor:"16,keyasint,omitempty"`
}

// memberRow has bits 1 primary, 2 assigned, 4 accepted, 8 declined.
type memberRow struct {
	_      struct{} `cbor:",toarray"`
	Person identity.PersonID
	Rank   uint64
	Bits   uint64
}

// row is a line of a digest: an entry, a number or bits, entries that act on it.
type row struct {
	_     struct{} `cbor:",toarray"`
	Entry ledger.EntryID
	Bits  uint64
	Acts  []ledger.EntryID
}

// Hash is H("state", CBOR(state)) of what people did and said, FORMATS §7. What
// nodes post by themselves, receipts and held, does not enter it, and neither
// do the states delivered and seen, which come of receipts.
func (s *State) Hash() [32]byte { return wire.Hash("state", wire.MustMarshal(s.core())) }

func (s *State) core() core {
	if s.whole != nil {
		return s.whole.core()
	}
	priority, _ := ParsePriority(s.Priority)
	c := core{
		Format: 1, Case: s.Case, State: s.clinical, Flags: s.Flags, Round: s.Round, Priority: uint64(priority), NeededBy: s.NeededByMS,
		Assigned: s.Assigned, Entries: digest(s.entries, func(r row) row { return r }),
	}
	if s.Request != nil {
		c.Request = &s.Request.Entry
	}
	for _, m := range s.Members {
		c.Members = append(c.Members, memberRow{Person: m.Person, Rank: uint64(m.Rank), Bits: bits(m.Primary, m.Assigned, m.Accepted, m.Declined)})
	}
	slices.SortFunc(c.Members, func(x, y memberRow) int { return bytes.Compare(x.Person[:], y.Person[:]) })
	c.Grants = digest(s.Grants, func(g Grant) row { return row{Entry: g.Entry, Bits: bits(g.Prior, g.Quarantined)} })
	c.Reports = digest(s.Reports, func(r Report) row {
		return row{Entry: r.Entry, Bits: bits(r.Valid, r.Note, r.Stale, r.Acknowledged, r.Counts), Acts: acts(r.SupersededBy)}
	})
	c.Marks = digest(s.Marks, func(m Mark) row { return row{Entry: m.Entry, Bits: bits(m.Removed), Acts: m.Edits} })
	c.Open = digest(slices.Concat(s.criticalRows(), s.askRows()), func(r row) row { return r })
	if rows := s.groupRows(); len(rows) > 0 {
		d := digest(rows, func(r row) row { return r })
		c.Group = &d
	}
	return c
}

func (s *State) criticalRows() []row {
	var out []row
	for _, c := range s.Criticals {
		out = append(out, row{Entry: c.Entry, Acts: acts(c.AcknowledgedBy)})
	}
	return out
}

func (s *State) groupRows() []row {
	var out []row
	for _, r := range s.Reads {
		out = append(out, row{Entry: r.Entry, Bits: bits(r.Blinded, r.Twice), Acts: acts(r.Report)})
	}
	for _, d := range s.Drafts {
		r := row{Entry: d.Entry, Bits: bits(d.Reached)}
		for _, v := range d.Votes {
			r.Acts = append(r.Acts, v.Entry)
		}
		out = append(out, r)
	}
	return out
}

func (s *State) askRows() []row {
	var out []row
	for _, a := range s.Asks {
		out = append(out, row{Entry: a.Entry, Bits: bits(a.Open)})
	}
	return out
}

// entryRows covers every content entry that people made, in force or not.
func (f *fold) entryRows() []row {
	rows := make([]row, 0, len(f.items))
	for _, it := range f.items {
		if !counts(it.e.Kind) {
			continue
		}
		r := row{Entry: it.e.ID, Bits: bits(it.force, it.retracted)}
		if it.edited != nil && !it.retracted {
			r.Acts = []ledger.EntryID{it.edited.e.ID}
		}
		rows = append(rows, r)
	}
	return rows
}

func digest[T any](list []T, line func(T) row) [32]byte {
	h := sha256.New()
	for _, x := range list {
		h.Write(wire.MustMarshal(line(x)))
	}
	return [32]byte(h.Sum(nil))
}

func acts(id *ledger.EntryID) []ledger.EntryID {
	if id == nil {
		return nil
	}
	return []ledger.EntryID{*id}
}

func bits(set ...bool) (n uint64) {
	for i, b := range set {
		if b {
			n |= 1 << i
		}
	}
	return n
}
