package consult

import (
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

// DeliveredTo reports whether a device of the person stored all content that
// is not the person's own.
func (s *State) DeliveredTo(p identity.PersonID) bool { return false }

// SeenBy reports whether the person saw all content that is not their own.
func (s *State) SeenBy(p identity.PersonID) bool { return false }

// Unseen returns the content that the person has not seen, in display order.
func Unseen(s *State, p identity.PersonID) []ledger.EntryID { return nil }

// NewReceipt returns the receipt of a type that a device should post now. It
// is false when there is nothing new: receipts cover no receipts, so that a
// quiet case falls silent.
func NewReceipt(s *State, t *ledger.Thread, device identity.DeviceID, typ uint64) (*ReceiptBody, bool) {
	return nil, false
}
