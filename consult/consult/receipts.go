package consult

import (
	"bytes"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// counted is a content entry that receipts are about.
type counted struct {
	entry  ledger.EntryID
	device identity.DeviceID
	person identity.PersonID
	seq    uint64
}

// counts reports whether receipts are about a kind. They are not about what
// nodes post by themselves, so that a quiet case falls silent.
func counts(k ledger.Kind) bool {
	return k.Chain() == ledger.Content && k != ledger.Receipt && k != ledger.Held
}

// foldReceipts takes the maximum per device and type.
func (f *fold) foldReceipts() {
	s := f.s
	s.Delivered, s.Seen = map[identity.DeviceID]map[identity.DeviceID]uint64{}, map[identity.DeviceID]map[identity.DeviceID]uint64{}
	s.receivers = map[identity.DeviceID]identity.PersonID{}
	s.content = make([]counted, 0, len(f.items))
	for _, it := range f.items {
		if it.force && counts(it.e.Kind) {
			s.content = append(s.content, counted{it.e.ID, it.e.Device, it.e.Person, it.e.Seq})
		}
	}
	each(f, ledger.Receipt, func(it *item, b *ReceiptBody) {
		into := s.Delivered
		if b.Type == ReceiptRead {
			into = s.Seen
		}
		d := it.e.Device
		if into[d] == nil {
			into[d] = map[identity.DeviceID]uint64{}
		}
		for _, r := range b.Seen {
			into[d][r.Device] = max(into[d][r.Device], r.Seq)
		}
		s.receivers[d] = it.e.Person
	})
}

// reach is how far receipts of all devices of a person go on a device's chain.
func (s *State) reach(p identity.PersonID, on identity.DeviceID, read bool) uint64 {
	var n uint64
	for d, person := range s.receivers {
		if person != p {
			continue
		}
		n = max(n, s.Seen[d][on])
		if !read {
			n = max(n, s.Delivered[d][on])
		}
	}
	return n
}

// DeliveredTo reports whether devices of the person stored all content that is
// not the person's own. What was read was delivered.
func (s *State) DeliveredTo(p identity.PersonID) bool { return s.covers(p, false) }

// SeenBy reports whether the person saw all content that is not their own.
func (s *State) SeenBy(p identity.PersonID) bool { return s.covers(p, true) }

func (s *State) covers(p identity.PersonID, read bool) bool {
	for on, seq := range s.heads(p) {
		if s.reach(p, on, read) < seq {
			return false
		}
	}
	return true
}

// heads returns, per device, the last content that is not a person's own.
func (s *State) heads(p identity.PersonID) map[identity.DeviceID]uint64 {
	out := map[identity.DeviceID]uint64{}
	for _, c := range s.content {
		if c.person != p {
			out[c.device] = max(out[c.device], c.seq)
		}
	}
	return out
}

// got reports whether receipts of a person cover an entry.
func (s *State) got(p identity.PersonID, it *item, read bool) bool {
	return p == it.e.Person || s.reach(p, it.e.Device, read) >= it.e.Seq
}

// Unseen returns the content that the person has not seen, in display order.
func Unseen(s *State, p identity.PersonID) []ledger.EntryID {
	reach := map[identity.DeviceID]uint64{}
	for on := range s.heads(p) {
		reach[on] = s.reach(p, on, true)
	}
	var out []ledger.EntryID
	for _, c := range s.content {
		if c.person != p && c.seq > reach[c.device] {
			out = append(out, c.entry)
		}
	}
	return out
}

// NewReceipt returns the receipt of a type that a device of a person should
// post now, with the rows that moved since its last one. It is false when there
// is nothing new.
func NewReceipt(s *State, t *ledger.Thread, device identity.DeviceID, typ uint64) (*ReceiptBody, bool) {
	person, ok := t.Members().Devices[device]
	if !ok {
		return nil, false
	}
	b := &ReceiptBody{Type: typ}
	for on, seq := range s.heads(person) {
		had := s.Seen[device][on]
		if typ == ReceiptDelivered {
			had = max(had, s.Delivered[device][on])
		}
		if seq > had {
			b.Seen = append(b.Seen, SeenRow{Device: on, Seq: seq})
		}
	}
	if len(b.Seen) == 0 {
		return nil, false
	}
	slices.SortFunc(b.Seen, func(x, y SeenRow) int { return bytes.Compare(x.Device[:], y.Device[:]) })
	b.Seen = b.Seen[:min(len(b.Seen), ReceiptRowsMax)]
	return b, true
}
