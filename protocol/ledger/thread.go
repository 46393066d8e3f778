package ledger

import (
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Local is one local person's device with its KEM keys, the newest first.
type Local struct {
	Device *identity.Device
	KEMs   []*seal.KEM
}

// Cards finds the newest verified card of a device, nil if there is none.
type Cards interface {
	Card(identity.DeviceID) *identity.Card
}

// Item is a sealed entry: what the journal keeps and the wire carries.
type Item struct {
	Entry  EntryID
	Sealed []byte
}

// Entry is an admitted entry. It is not to be changed.
type Entry struct {
	ID        EntryID
	Thread    ThreadID
	Device    identity.DeviceID
	Person    identity.PersonID
	Chain     Chain
	Seq       uint64
	Prev      *EntryID
	Parents   []EntryID
	Auth      []EntryID
	Epoch     EpochID // of content; the epoch that an Epoch entry makes is its own
	Lamport   uint64
	ClaimedMS int64
	Kind      Kind
	Body      []byte // CBOR of the kind without the salt; nil if erased
}

// Admitted is an entry that just became part of the thread.
type Admitted struct {
	*Entry
	Item Item
}

// Result says what came of a received item.
type Result struct {
	// Admitted holds the entry and what had waited for it, in causal order.
	// An entry already admitted appears again when its missing body came.
	Admitted []Admitted
	// Duplicate says that the item brought nothing new.
	Duplicate bool
	// Waiting says that parents or a secret are missing; see Need.
	Waiting bool
	// Need is what to ask peers for, nil if nothing is missing.
	Need *Need
	// Reports tell of members who lied: secrets that contradict their
	// commitment, entries refused after having waited.
	Reports []error
}

// Members is who belongs, resolved over all control entries.
type Members struct {
	Ranks    map[identity.PersonID]Rank              // everybody ever named; RankNone for the removed
	Devices  map[identity.DeviceID]identity.PersonID // the device set
	Persons  map[identity.PersonID]identity.Person   // records of everybody introduced
	Certs    map[identity.DeviceID]*identity.DeviceCert
	Founders []identity.PersonID
	Cuts     map[identity.DeviceID]*identity.DeviceCut
	Forked   map[identity.DeviceID]bool // devices caught with two entries of one number
}

// Row is the head of one chain: the version vector of a thread.
type Row struct {
	_      struct{} `cbor:",toarray"`
	Device [16]byte
	Chain  Chain
	Seq    uint64
	Entry  [8]byte
}

// Need is what a thread lacks to go on, FORMATS §8 type 7 without its tag.
type Need struct {
	Entries []EntryID
	Chains  []ChainNeed
	Seals   []SealNeed
}

// ChainNeed asks for a device's chain from a number on.
type ChainNeed struct {
	_      struct{} `cbor:",toarray"`
	Device identity.DeviceID
	Chain  Chain
	From   uint64
}

// SealNeed asks for a packet sealed to a key.
type SealNeed struct {
	_     struct{} `cbor:",toarray"`
	Epoch EpochID
	Key   [32]byte
}

// Thread is a replica of a thread in memory. It is not safe for concurrent use.
type Thread struct {
	id ThreadID
}

var errSoon = fmt.Errorf("ledger: not written yet")

// NewThread makes an empty replica.
func NewThread(id ThreadID) *Thread { return &Thread{id: id} }

// ID names the thread.
func (t *Thread) ID() ThreadID { return t.id }

// Found starts a thread: its create entry and first epoch.
func Found(author Local, founders []identity.Person, certs [][]byte, nowMS int64, cards Cards) (*Thread, []Item, error) {
	return nil, nil, errSoon
}

// OpenPacket tells which thread a packet is of that is sealed to a local device.
func OpenPacket(sealed []byte, locals []Local) (ThreadID, error) { return ThreadID{}, errSoon }

// Restore gives back the secrets a thread had, before its items are received again.
func (t *Thread) Restore(secrets map[EpochID]wire.Secret) {}

// Secrets returns the secrets of all admitted epochs.
func (t *Thread) Secrets() map[EpochID]wire.Secret { return nil }

// Receive takes a packet or an envelope.
func (t *Thread) Receive(sealed []byte, locals []Local) (Result, error) { return Result{}, errSoon }

// Entries returns all admitted entries in display order, (lamport, EntryID).
func (t *Thread) Entries() []*Entry { return nil }

// Entry returns an admitted entry, nil if it is not here.
func (t *Thread) Entry(id EntryID) *Entry { return nil }

// Has reports whether an entry is admitted.
func (t *Thread) Has(id EntryID) bool { return false }

// Members resolves all control entries.
func (t *Thread) Members() *Members { return nil }

// InForce reports whether an admitted entry counts; else it is quarantined.
func (t *Thread) InForce(e *Entry) bool { return false }

// Precedes reports whether content entry a is in the causal past of b.
func (t *Thread) Precedes(a, b EntryID) bool { return false }

// Append writes a content entry, with a new epoch before it if one is due.
func (t *Thread) Append(author Local, kind Kind, body any, nowMS int64, cards Cards) ([]Item, error) {
	return nil, errSoon
}

// Role sets a person's rank and makes a new epoch.
func (t *Thread) Role(author Local, body RoleBody, nowMS int64, cards Cards) ([]Item, error) {
	return nil, errSoon
}

// AddDevices introduces devices of members and makes a new epoch.
func (t *Thread) AddDevices(author Local, certs [][]byte, nowMS int64, cards Cards) ([]Item, error) {
	return nil, errSoon
}

// Revoke carries a root's cut of a device and makes a new epoch.
func (t *Thread) Revoke(author Local, cut, revoke []byte, nowMS int64, cards Cards) ([]Item, error) {
	return nil, errSoon
}

// Admit raises a content cut.
func (t *Thread) Admit(author Local, body AdmitBody, nowMS int64, cards Cards) ([]Item, error) {
	return nil, errSoon
}

// ReportFork posts proof that a device forked its chain.
func (t *Thread) ReportFork(author Local, a, b EntryID, nowMS int64, cards Cards) ([]Item, error) {
	return nil, errSoon
}

// Erase forgets the body of a content entry and returns the item that replaces the old one.
func (t *Thread) Erase(id EntryID) (Item, error) { return Item{}, errSoon }

// Rows returns the heads of all chains, sorted.
func (t *Thread) Rows() []Row { return nil }

// Root is the hash of Rows; equal roots mean equal sets.
func (t *Thread) Root() [32]byte { return [32]byte{} }

// Missing returns what a peer with these rows lacks: packets, control, content, each in causal order.
func (t *Thread) Missing(theirs []Row) []Item { return nil }

// ByID returns the items of entries.
func (t *Thread) ByID(ids []EntryID) []Item { return nil }

// From returns a device's chain from a number on, with all branches.
func (t *Thread) From(device identity.DeviceID, chain Chain, seq uint64) []Item { return nil }

// Need returns what is missing, nil if nothing is.
func (t *Thread) Need() *Need { return nil }

// Answer returns the items that a peer needs, as far as they are here and may be sent.
func (t *Thread) Answer(n Need, cards Cards) []Item { return nil }

// Reseal makes a new packet of an epoch for one device of the device set (R3).
func (t *Thread) Reseal(epoch EpochID, device identity.DeviceID, card *identity.Card) (Item, error) {
	return Item{}, errSoon
}
