package exchange

import (
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Peer is the other end of a session as far as it has proven itself.
type Peer struct {
	ID      identity.PeerID
	Devices []identity.DeviceID // whose author keys it holds: proven in this session; do not change
	Known   bool                // Local.Known said yes: a contact's or a case member's device
	Skew    time.Duration       // by how much its clock is ahead of ours, as it says; 0 if it does not
}

// Local is what a session needs of the node it runs in. node/desk implements
// it. Every method is safe for concurrent use, by several sessions at once, and
// none calls back into a session other than through Session.Changed, Wanted and
// Renew, which never block.
//
// A session calls for what FORMATS §8 lets it do; whether a peer may have an
// entry or a blob is decided here, on the local view of membership.
type Local interface {
	// Provers are the devices of the local persons whose author keys are at hand.
	Provers() []*identity.Device
	// Key is the Ed25519 author key of a device whose certificate is held, for
	// contacts and members alike.
	Key(identity.DeviceID) (ed25519 []byte, ok bool)
	// Known says whether one of the devices is a contact's or a case member's,
	// uncut and unrevoked. Without it the peer is served nothing.
	Known([]identity.DeviceID) bool

	// Greet gives the records a known peer should have: the local persons', and
	// those of the members of the threads shared with it. It is asked again after
	// every Changed and Renew; only what is new goes out.
	Greet(Peer) (records [][]byte)
	// Learn takes a peer's records; it verifies them and keeps those of contacts
	// and members. The peer may be a stranger: Peer.Known says so.
	Learn(p Peer, records [][]byte)
	// Join answers an invite's Join (FORMATS §2.1), which comes from a stranger.
	Join(join []byte) (accept []byte, err error)

	// Shared lists the threads in which, in our view, a person of the peer's
	// devices has rank 1 or more; withheld are all other threads held here.
	Shared(Peer) (shared, withheld []ledger.ThreadID)
	// Rows is a thread's version vector; the slice is not changed afterwards.
	Rows(ledger.ThreadID) []ledger.Row
	// Missing gives what a copy with these rows lacks: packets, then control,
	// then content entries, each in causal order.
	Missing(t ledger.ThreadID, theirs []ledger.Row) (items [][]byte)
	// Receive takes packets and envelopes of one thread. It is nil if the thread
	// is unknown so far: then a packet among the items says which it is. What
	// was admitted is durable when Receive returns. From a peer that is not
	// Known it may take a new case, to be kept apart, or nothing.
	Receive(p Peer, t *ledger.ThreadID, items [][]byte) Received
	// Answer gives what a peer's need asks for and it may have.
	Answer(p Peer, t ledger.ThreadID, need ledger.Need) (items [][]byte)

	// Haves says which blobs of the thread's studies are here, durably; nil is a
	// fine answer. PeerHas takes the same from a peer.
	Haves(Peer, ledger.ThreadID) []Have
	PeerHas(Peer, ledger.ThreadID, Have)

	// Wants gives leaf ranges wanted from this peer, best first, within the
	// bounds of Ask, and counts them as in flight until Store or Dropped.
	Wants(Peer, Ask) []Want
	// Unwanted gives the wants that were asked of this peer and came from another
	// since; they are counted as in flight no longer.
	Unwanted(Peer) []Want
	// Store takes a range that verified against Want.Blob, with the hashes of
	// its leaves; where a source stalled, one that was stored already may come
	// again. It may return before the data is durable; it must not keep
	// data. An error ends the session.
	Store(p Peer, w Want, data []byte, leaves [][32]byte) error
	// Dropped takes back wants that will not be answered.
	Dropped(Peer, []Want, Reason)

	// Serve reads a range of a blob granted to a thread of the peer's. The data
	// may lie in buf, which is large enough, and is used before the next call.
	// The errors a session tells apart are ErrAbsent and ErrNotAllowed.
	Serve(p Peer, w Want, buf []byte) (data []byte, proof [][32]byte, err error)
}

// Received is what became of entries.
type Received struct {
	Thread ledger.ThreadID // the thread they belong to, if Known
	Known  bool            // the thread is held (now)
	Rows   []ledger.Row    // the place of every item that opened, admitted now or before
	Need   *ledger.Need    // what is missing before the rest can be admitted, or nil
	Bad    int             // items dropped for good
}

// Ask bounds the wants of one call.
type Ask struct {
	Priority int // no want with a higher number than this
	Count    int // at most so many wants
	Bytes    int // stop after the want that reaches so many sealed bytes
	Leaves   int // at most so many leaves a want, 1 to 16
	Now      time.Time
}

// Want is a leaf range of one blob.
type Want struct {
	Blob     blob.ID
	Length   uint64 // of the sealed blob
	First    int    // leaf
	N        int    // leaves, 1 to 16
	Priority int    // 0 to 4, FORMATS §8
}

// Bytes is the number of sealed bytes in the range.
func (w Want) Bytes() int {
	off, n := blob.LeafSpan(w.Length, w.First)
	if w.N > 1 {
		last, m := blob.LeafSpan(w.Length, w.First+w.N-1)
		n = last + m - off
	}
	return int(n)
}

// Reason says why a want was dropped.
type Reason int

// Why a want came to nothing. Absent, Busy and NotAllowed are the peer's refusals.
const (
	Absent     Reason = 1 // the peer does not have it (yet)
	Busy       Reason = 2 // the peer has too much to do
	NotAllowed Reason = 3
	Corrupt    Reason = 4 // what came did not verify: do not ask this peer for this blob again
	Ended      Reason = 5 // the session is over
)

func (r Reason) String() string {
	switch r {
	case Absent:
		return "absent"
	case Busy:
		return "busy"
	case NotAllowed:
		return "not allowed"
	case Corrupt:
		return "corrupt"
	case Ended:
		return "ended"
	default:
		return "unknown"
	}
}

// Have says which blobs of one study are held: bit 0 the preview, 1+2i the head
// and 2+2i the bulk of instance i in manifest order, most significant bit first.
type Have struct {
	Manifest blob.ID
	Bitmap   []byte
	Partial  []Partial
}

// Partial is one blob of which only some leaves are held.
type Partial struct {
	_      struct{} `cbor:",toarray"`
	Index  uint64   // the blob's bit in Have.Bitmap
	Leaves []byte   // bitmap of leaves
}

// Clock is the time a session goes by.
type Clock interface {
	Now() time.Time
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}
