package deid

import (
	"cmp"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Link gives the owner of a study its identity back: what a case calls it, and what it
// is. It is kept sealed in the vault and never leaves it. Without it, what a reader
// wrote can be read, and not filed.
type Link struct {
	Format    uint64      `cbor:"1,keyasint"` // 1
	Edition   string      `cbor:"2,keyasint"` // of the table
	Profile   string      `cbor:"3,keyasint"`
	Key       wire.Secret `cbor:"4,keyasint"` // LK
	Days      int64       `cbor:"5,keyasint"` // by which dates were moved
	Pseudonym string      `cbor:"6,keyasint"`
	Original  [16]byte    `cbor:"7,keyasint"` // lineage of the study as it was imported
	Patient   LinkPatient `cbor:"8,keyasint"`
	// UIDs are all that were mapped in heads, by surrogate.
	UIDs []LinkUID `cbor:"9,keyasint"`
	// Heads say what was taken out of heads, by tag.
	Heads []LinkHead `cbor:"10,keyasint,omitempty"`
}

// LinkPatient is the patient as the originals name them.
type LinkPatient struct {
	Name      string `cbor:"1,keyasint,omitempty"`
	ID        string `cbor:"2,keyasint,omitempty"`
	Issuer    string `cbor:"3,keyasint,omitempty"`
	BirthDate string `cbor:"4,keyasint,omitempty"`
	Sex       string `cbor:"5,keyasint,omitempty"`
	Accession string `cbor:"6,keyasint,omitempty"`
}

// LinkUID is one mapped UID.
type LinkUID struct {
	_         struct{} `cbor:",toarray"`
	Surrogate string
	Original  string
}

// LinkHead is what went from heads, and from which, by their original UIDs: most heads of a study
// lose the same.
type LinkHead struct {
	_    struct{} `cbor:",toarray"`
	Tags []uint32
	UIDs []string
}

// Add takes mapped UIDs in. The order is kept, each UID is there once.
func (l *Link) Add(uids map[string]string) {
	for original, surrogate := range uids {
		l.UIDs = append(l.UIDs, LinkUID{Surrogate: surrogate, Original: original})
	}
	slices.SortFunc(l.UIDs, func(a, b LinkUID) int { return cmp.Compare(a.Surrogate, b.Surrogate) })
	l.UIDs = slices.CompactFunc(l.UIDs, func(a, b LinkUID) bool { return a.Surrogate == b.Surrogate })
}

// OriginalUID is what a surrogate stands for. Registered UIDs stand for themselves.
func (l *Link) OriginalUID(surrogate string) (string, bool) {
	if Registered(surrogate) {
		return surrogate, true
	}
	i, ok := slices.BinarySearchFunc(l.UIDs, surrogate, func(u LinkUID, s string) int { return cmp.Compare(u.Surrogate, s) })
	if !ok {
		return "", false
	}
	return l.UIDs[i].Original, true
}

// SurrogateUID is what a case calls an original UID.
func (l *Link) SurrogateUID(original string) string { return (&Case{Key: l.Key}).UID(original) }
