package desk

import (
	"fmt"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/deid"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// A pseudonymous share is a study of its own: a lineage and UIDs that only its case has, heads
// without identity, the same sealed pixels. Its owner keeps what it was made of, and sees the
// original wherever the case speaks of the share.

// tableShare keeps them in the vault of the owner: lineage within the case -> shareRow.
const tableShare = "share"

// shareRow is one study as one case has it.
type shareRow struct {
	Format  uint64          `cbor:"1,keyasint"` // 1
	Thread  ledger.ThreadID `cbor:"2,keyasint"`
	HS      wire.Secret     `cbor:"3,keyasint"` // HS', of its heads
	Link    deid.Link       `cbor:"4,keyasint"`
	Shared  sharedRow       `cbor:"5,keyasint"`
	Choices []choiceRow     `cbor:"6,keyasint,omitempty"`
	Left    []string        `cbor:"7,keyasint,omitempty"` // original UIDs of what does not go
}

// choiceRow is what a person decided about an instance, by its original UID.
type choiceRow struct {
	UID     string      `cbor:"1,keyasint"`
	Decided uint64      `cbor:"2,keyasint"`
	Rects   []deid.Rect `cbor:"3,keyasint,omitempty"`
}

// share is a pseudonymous share of this node.
type share struct {
	p        *person
	key      holdingKey // as the case names it
	original holdingKey
	row      *shareRow
	manifest *study.Manifest // while it is made: what is granted
}

func newShare(p *person, lineage [16]byte, row *shareRow) *share {
	return &share{p: p, key: holdingKey{lineage, p.id}, original: holdingKey{row.Link.Original, p.id}, row: row}
}

// loadShares reads the shares of the vaults.
func (d *Desk) loadShares() error {
	for _, p := range d.persons {
		err := p.vault.Each(tableShare, func(key string, value []byte) error {
			var row shareRow
			if err := wire.UnmarshalLimit(value, &row, 4*study.InstancesMax); err != nil || len(key) != 16 {
				return fmt.Errorf("read share row: %w", err)
			}
			s := newShare(p, [16]byte([]byte(key)), &row)
			d.shares[s.key] = s
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// studyAs is the study of a grant as a person is to see it: its owner sees the original of what
// was shared under a pseudonym, while it is here. The lock is held.
func (d *Desk) studyAs(p *person, g consult.Grant) *holding {
	if s := d.shareFor(p, g.Lineage, g.Author); s != nil {
		if h := d.studies.held[s.original]; h != nil {
			return h
		}
	}
	return d.studies.held[holdingKey{g.Lineage, g.Author}]
}

// shareFor is the share that a person made under a lineage; nil for anything else.
func (d *Desk) shareFor(p *person, lineage [16]byte, author identity.PersonID) *share {
	if p == nil || p.id != author {
		return nil
	}
	return d.shares[holdingKey{lineage, author}]
}

// placeAs is a place of a case as a person knows it: lineage and SOP Instance UID of the original
// for who owns it.
func (d *Desk) placeAs(p *person, lineage [16]byte, uid string) ([16]byte, string) {
	s := d.shareFor(p, lineage, p.id)
	if s == nil || d.studies.held[s.original] == nil {
		return lineage, uid
	}
	if original, ok := s.row.Link.OriginalUID(uid); ok {
		uid = original
	}
	return s.original.lineage, uid
}

// linkOf gives what restores identity for a study of a case: the Link, and the original study
// with its manifest. ok is false where the study was not shared under a pseudonym by p. The lock
// is held.
func (d *Desk) linkOf(p *person, lineage [16]byte) (link *deid.Link, original *holding, ok bool) {
	s := d.shareFor(p, lineage, p.id)
	if s == nil {
		return nil, nil, false
	}
	return &s.row.Link, d.studies.held[s.original], true
}

// originalOf is the instance of the original that an instance of a share was made of; the same
// instance where it is no share of p's; nil where the original is not here any more. The lock is
// held.
func (d *Desk) originalOf(p *person, at *located) *located {
	link, h, ok := d.linkOf(p, at.h.key.lineage)
	if !ok || at.h.key.owner != p.id {
		return at
	}
	if h == nil || h.manifest == nil {
		return nil
	}
	uid, ok := link.OriginalUID(at.row.UID)
	if !ok || h.places[uid] == nil {
		return nil
	}
	return h.locate(p, h.places[uid])
}

// casesWith are the cases that a study was shared to, under whatever name. The lock is held.
func (d *Desk) casesWith(h *holding) map[ledger.ThreadID]bool {
	out := map[ledger.ThreadID]bool{}
	for id := range h.threads {
		out[id] = true
	}
	for _, s := range d.shares {
		if s.original == h.key && d.threads[s.row.Thread] != nil {
			out[s.row.Thread] = true
		}
	}
	return out
}
