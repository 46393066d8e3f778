package exchange

import (
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// chainKey names one chain of one device.
type chainKey struct {
	device [16]byte
	chain  ledger.Chain
}

// rowset is what is believed of a peer's copy of a thread: the heads of its
// chains. A mistake costs a duplicate, never an entry: its rows at the start of a
// session and its needs put it right.
type rowset map[chainKey][]ledger.Row

func newRowset(rows []ledger.Row) rowset {
	s := make(rowset, len(rows))
	for _, r := range rows {
		k := chainKey{r.Device, r.Chain}
		s[k] = append(s[k], r)
	}
	return s
}

// add merges rows. A chain with one head moves forward; one that forked collects its heads.
func (s rowset) add(rows []ledger.Row) {
	for _, r := range rows {
		k := chainKey{r.Device, r.Chain}
		old := s[k]
		switch {
		case len(old) == 1 && old[0].Seq < r.Seq:
			s[k] = []ledger.Row{r}
		case len(old) == 1 && old[0].Seq > r.Seq:
		case !contains(old, r) && len(old) < rowsMax:
			s[k] = append(old, r)
		}
	}
}

func contains(rows []ledger.Row, r ledger.Row) bool {
	for _, o := range rows {
		if o.Entry == r.Entry {
			return true
		}
	}
	return false
}

func (s rowset) rows() []ledger.Row {
	out := make([]ledger.Row, 0, len(s))
	for _, rs := range s {
		out = append(out, rs...)
	}
	sortRows(out)
	return out
}
