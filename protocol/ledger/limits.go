package ledger

import (
	"errors"
	"fmt"
)

// Limits of FORMATS §12. What exceeds one is refused with ErrTooLong or
// ErrTooMany; the text beside it names which.
const (
	// EntryMax is the longest entry with its body, erased or not: a report of
	// fifteen pages, and what an envelope must hold in memory.
	EntryMax = 64 << 10
	// PacketMax is the longest packet, to fit a mailbox item.
	PacketMax = 192 << 10
	// EnvelopeMax is the longest envelope: a padded entry in its box.
	EnvelopeMax = EntryMax + 8<<10
	// SealsMax bounds the seals of a packet, one for each device of a thread.
	SealsMax = 128
	// ParentsMax bounds parents; more heads than that are rare and merge later.
	ParentsMax = 16
	// AuthMax bounds auth heads.
	AuthMax = 16
	// FoundersMax bounds founders, who can never be removed.
	FoundersMax = 4
	// PersonsMax bounds the members of a thread.
	PersonsMax = 64
	// DevicesMax bounds the device set, and so the seals of an epoch.
	DevicesMax = 128
	// CutsMax bounds the content cuts of a role entry: each device of a person
	// with two branches of a fork fits.
	CutsMax = 256
	// OrphansMax bounds entries that wait for parents: 1,000 for each of eight
	// peers. More are dropped; exchange asks again.
	OrphansMax = 8000
	// WaitingMaxBytes bounds the memory of everything that waits.
	WaitingMaxBytes = 64 << 20
	// LockedMax bounds items that no known secret opens.
	LockedMax = 8000
	// LockedPacketsMax bounds the packets among them, as each new local key is
	// tried on all their seals.
	LockedPacketsMax = 512
	// SecretsMax bounds secrets of epochs that are not admitted (yet).
	SecretsMax = 1024
	// CandidatesMax bounds unconfirmed secrets of one epoch: more than one
	// means that somebody lied about it, and many lies must not displace the
	// truth.
	CandidatesMax = 64
	// RefusedMax bounds what is remembered of refused items and entries. It
	// only saves work; both are cheap to forget.
	RefusedMax = 4096
	// NeedMax bounds each list of a Need, wire's bound on arrays.
	NeedMax = 4096
	// EpochEntriesMax is after how many content entries a writer starts a new
	// epoch (R5).
	EpochEntriesMax = 1000
	// EpochAgeMaxMS is after how long a writer starts a new epoch (R5), 30 days.
	EpochAgeMaxMS = 30 * 24 * 60 * 60 * 1000
	// rowsPerChain shows a fork; with 128 devices of two chains it makes the 512
	// rows that an exchange may have.
	rowsPerChain = 2
	// viewsMax bounds the cache of resolved sets.
	viewsMax = 1024
)

// Why an entry, packet or envelope is refused. Each is apart from the others
// so that tests, vectors and reports can name the rule; callers drop the item
// whatever the reason.
var (
	ErrTooLong      = errors.New("longer than its limit")
	ErrTooMany      = errors.New("more than its limit")
	ErrVersion      = errors.New("unknown version")
	ErrField        = errors.New("field out of range")
	ErrKind         = errors.New("no such control kind")
	ErrThread       = errors.New("entry of another thread")
	ErrChain        = errors.New("entry on the wrong chain")
	ErrPrev         = errors.New("prev is not the entry before on this chain")
	ErrParent       = errors.New("parent is not an entry of the same chain kind")
	ErrAuth         = errors.New("auth heads are missing, unwanted or not control entries")
	ErrAuthBack     = errors.New("auth heads go back behind prev or parents")
	ErrLamport      = errors.New("lamport is not one more than what the entry rests on")
	ErrOrder        = errors.New("list is not sorted or has duplicates")
	ErrBody         = errors.New("body does not match the header")
	ErrNoBody       = errors.New("control entry without its body")
	ErrDevice       = errors.New("author device is not introduced in the entry's past")
	ErrUnauthorized = errors.New("author may not do this")
	ErrPerson       = errors.New("person is not introduced in the entry's past")
	ErrSuite        = errors.New("thread of an unknown suite")
	ErrFork         = errors.New("not proof of a fork")
	ErrEpoch        = errors.New("epoch is not in the entry's past or has other devices")
	ErrEpochHeads   = errors.New("epoch names other control heads than its entry")
	ErrEpochDevices = errors.New("epoch does not list exactly the device set")
	ErrEpochParents = errors.New("epoch's parents are not epochs of its past")
	ErrBack         = errors.New("secrets of parent epochs do not match")
	ErrCommit       = errors.New("epoch secret does not match its commitment")
	ErrPacket       = errors.New("packet is malformed or does not open")
	ErrEnvelope     = errors.New("envelope is malformed or does not open")
	ErrPadding      = errors.New("padding is wrong")
	ErrRefused      = errors.New("rests on a refused entry")
)

// Why something could not be done here and now.
var (
	// ErrSeal says that no local key opens any seal of a packet. The caller
	// may ask for a new packet (R3).
	ErrSeal = errors.New("no local key opens the packet")
	// ErrFull says that too much is waiting for parents or secrets already.
	ErrFull = errors.New("too many entries wait")
	// ErrNoEpoch says that a new epoch is needed first, and the author may
	// not make one.
	ErrNoEpoch = errors.New("no epoch fits the members; a writer must make one first")
	// ErrNotMember says that the author has no say in the thread.
	ErrNotMember = errors.New("not a member of this thread")
	// ErrForked says that the author's own chain has two branches: this device
	// must stop signing.
	ErrForked = errors.New("this device's chain is forked; a new device is needed")
	// ErrUnknown says that an entry or epoch is not here.
	ErrUnknown = errors.New("not here")
)

// wrapped is one layer of context around an error of this package.
func wrapped(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
