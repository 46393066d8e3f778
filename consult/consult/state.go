package consult

import (
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// State is a case as it stands, folded from the entries of its thread.
type State struct {
	Case       ledger.ThreadID
	Title      string // the first words of the question, showable
	State      string // a State constant
	Flags      []string
	Round      uint64 // from 1; 0 before anything is asked
	Priority   string // of the request, as triaged
	NeededByMS int64
	Request    *Request // the acting one
	Members    []Member // founders first, then in the order they were added
	Assigned   []identity.PersonID
	Grants     []Grant // the acting version of each lineage
	AllGrants  []Grant // every version that counts, whose blobs must be served too
	Posts      []Post  // every entry, in display order
	Reports    []Report
	Marks      []Mark
	Criticals  []Critical
	Asks       []Ask
	Outcomes   []ledger.EntryID
	Times      Times

	// HandingTo are those who were assigned while the one before still has the
	// case, until one of them accepts.
	HandingTo []identity.PersonID

	// Reads are the sealed reads of the acting round, Revealed whether they are
	// to be opened. Drafts are its consensus drafts, the acting one last.
	Reads    []Read
	Revealed bool
	Drafts   []Draft

	WithdrawnAfter bool // withdrawn after an opinion, which stays on record (G7)

	Conflict bool // concurrent assignments, or finals not all acknowledged
	Crossed  bool // a withdrawal or close crossed a final report

	// Delivered and Seen say how far receipts reach: per device that posted
	// them, per device that wrote content, the content seq. Seen counts as
	// delivered too; it is not copied.
	Delivered, Seen map[identity.DeviceID]map[identity.DeviceID]uint64

	receivers   map[identity.DeviceID]identity.PersonID // who posted receipts
	content     []counted                               // what receipts are about
	clinical    string                                  // State without delivered and seen
	entries     []row                                   // what Hash covers of every entry
	commitments map[ledger.EntryID][32]byte             // of the sealed reads
	whole       *State                                  // without roles, if this is with
	steps       steps
	clocks      clocks
}

// Request is the acting request.
type Request struct {
	Entry    ledger.EntryID
	Author   identity.PersonID
	TimeMS   int64
	Question string
	Priority Priority
	Consent  Consent
	Context  Context
}

// Member is one person of a case.
type Member struct {
	Person   identity.PersonID
	Rank     ledger.Rank
	Role     string
	Primary  bool // the acting primary
	Assigned bool
	Accepted bool // in this round
	Declined bool // in this round
	Reading  bool // in this round
	Attested Attested
}

// Grant is one version of a study's lineage in the case.
type Grant struct {
	Lineage     [16]byte
	Entry       ledger.EntryID
	Version     uint64
	Manifest    blob.Ref
	Mode        uint64
	Series      uint64
	Instances   uint64
	Bytes       uint64
	Author      identity.PersonID
	Prior       bool // the request names it as a prior study
	Quarantined bool // said to be of the wrong patient: not to be shown
}

// Anchor is a place on an image. Frames count from 0 here.
type Anchor struct {
	Lineage [16]byte
	SOPUID  string
	Frame   int
	Points  [][2]float64
}

// Post is one entry as a reader meets it. Texts are as their author wrote them,
// not made showable.
type Post struct {
	Entry     ledger.EntryID
	Kind      ledger.Kind
	Author    identity.PersonID
	Device    identity.DeviceID
	Seq       uint64
	TimeMS    int64
	Lamport   uint64
	Text      string
	Persons   []identity.PersonID // whom it is about: assigned, asked, added
	ReplyTo   *ledger.EntryID
	Anchor    *Anchor
	InForce   bool
	Edited    bool
	Retracted bool
	Beyond    bool // by somebody whose attested role may not post it: without effect here
	Unknown   bool // the body cannot be read by this version
}

// Report is one report or addendum.
type Report struct {
	Entry        ledger.EntryID
	Of           *ledger.EntryID // the report that an addendum belongs to
	Status       string          // preliminary, final or addendum
	Author       identity.PersonID
	TimeMS       int64
	Document     *report.Document // nil for addenda and what cannot be read
	Text         string
	Valid        bool // in force, both signatures good, and says what its entry says
	Counts       bool // toward the state: its author was to give it
	Note         bool // by the requester: not an independent opinion
	SupersededBy *ledger.EntryID
	Round        uint64
	Images       []ImageCount
	Stale        bool // images were granted that its author had not seen
	Acknowledged bool
	TakenBy      []ledger.EntryID // what took it or an addendum to it, by who may
	Addenda      []ledger.EntryID
	Significant  bool            // an addendum that changes what should be done
	Correction   bool            // an addendum that corrects
	Beyond       bool            // by somebody whose attested role may not give it
	Opens        *ledger.EntryID // the sealed read that it opens
	NotBlinded   bool            // of a blind reading, and its author could have known another read
	Draft        *ledger.EntryID // the consensus draft that it signs, if it says so truly
	Consensus    bool            // with quorum: else "opinions of"
}

// Mark is an annotation in its acting form.
type Mark struct {
	Entry       ledger.EntryID
	Author      identity.PersonID
	Place       Place
	Geometry    *Geometry // nil if it cannot be read
	Label       string
	Values      Values
	DerivedFrom *ledger.EntryID
	Edits       []ledger.EntryID // the acting ones; several are concurrent
	Removed     bool
}

// Critical is a critical finding.
type Critical struct {
	Entry          ledger.EntryID
	Of             ledger.EntryID
	Author         identity.PersonID
	Category       uint64
	Text           string
	Who            []identity.PersonID
	DueMS          int64
	TimeMS         int64
	List           string          // of findings, with its version
	FoundMS        int64           // when it was identified; 0 if not said
	Error          *ledger.EntryID // its raiser's word that it was one; it stays open
	AcknowledgedBy *ledger.EntryID // nil while open
	Attempts       []ledger.EntryID
}

// Ask is a question back.
type Ask struct {
	Entry  ledger.EntryID
	Author identity.PersonID
	Who    []identity.PersonID
	Text   string
	TimeMS int64
	Open   bool
	Answer *ledger.EntryID // the first reply that counts, or its retraction

	holds bool            // its author's side up: an assignee's, of the acting round
	past  *ledger.EntryID // the first preliminary report that went past it
}

// Read is one sealed read.
type Read struct {
	Entry   ledger.EntryID
	Author  identity.PersonID
	TimeMS  int64
	State   string          // a Read constant
	Report  *ledger.EntryID // that opens it
	Blinded bool
	Twice   bool // its author sealed several, to choose from: not blinded
}

// Draft is a consensus draft with its votes.
type Draft struct {
	Entry    ledger.EntryID
	Author   identity.PersonID
	TimeMS   int64
	Text     string
	Panel    []identity.PersonID
	Quorum   uint64
	Votes    []Vote // those that count, in display order
	Void     bool   // a newer draft took its place
	Reached  bool   // enough sign on, the chair among them
	SignedBy *ledger.EntryID
}

// Vote is one vote.
type Vote struct {
	Entry  ledger.EntryID
	Author identity.PersonID
	Choice Choice
	Text   string
	Name   string
	TimeMS int64
}
