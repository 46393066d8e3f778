package consult

import (
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// RequestBody is kind 32: what is asked.
type RequestBody struct {
	Question   string   `cbor:"1,keyasint"`
	Priority   Priority `cbor:"2,keyasint"`
	NeededByMS int64    `cbor:"3,keyasint,omitempty"`
	Context    wire.Raw `cbor:"4,keyasint,omitempty"` // a [Context]
	Consent    Consent  `cbor:"5,keyasint"`
}

// Attachment is a document blob of a message with its media type and file name.
type Attachment struct {
	_    struct{} `cbor:",toarray"`
	Ref  blob.Ref
	Type string
	Name string
}

// MessageBody is kind 33.
type MessageBody struct {
	Text        string          `cbor:"1,keyasint"`
	ReplyTo     *ledger.EntryID `cbor:"2,keyasint,omitempty"` // a message, mark, ask or report
	Attachments []Attachment    `cbor:"3,keyasint,omitempty"`
}

// EditBody is kind 34: a new text of one's own message.
type EditBody struct {
	Message ledger.EntryID `cbor:"1,keyasint"`
	Text    string         `cbor:"2,keyasint"`
}

// RetractBody is kind 35: a message, or an ask by its author, is taken back.
type RetractBody struct {
	Message ledger.EntryID `cbor:"1,keyasint"`
	Reason  string         `cbor:"2,keyasint"`
}

// Counts is how much a grant opens, to be shown before the manifest is here.
type Counts struct {
	_         struct{} `cbor:",toarray"`
	Series    uint64
	Instances uint64
	Bytes     uint64
}

// GrantBody is kind 36: the key of a manifest.
type GrantBody struct {
	Lineage    [16]byte        `cbor:"1,keyasint"`
	Version    uint64          `cbor:"2,keyasint"`
	Manifest   blob.Ref        `cbor:"3,keyasint"`
	Mode       uint64          `cbor:"4,keyasint"` // as the manifest's: 1 identified, 2 pseudonymised
	Counts     Counts          `cbor:"5,keyasint"`
	Supersedes *ledger.EntryID `cbor:"6,keyasint,omitempty"` // the grant of the version before
}

// Place is where a mark lies. Frames count from 1 in entries.
type Place struct {
	_       struct{} `cbor:",toarray"`
	Lineage [16]byte
	SOPUID  string
	Frame   uint64
	SHA256  [32]byte // of the unpacked bulk
}

// MarkBody is kind 37: an annotation.
type MarkBody struct {
	Place       Place           `cbor:"1,keyasint"`
	Geometry    wire.Raw        `cbor:"2,keyasint"` // a [Geometry]
	Label       string          `cbor:"3,keyasint,omitempty"`
	Values      wire.Raw        `cbor:"4,keyasint,omitempty"` // a [Values]
	DerivedFrom *ledger.EntryID `cbor:"5,keyasint,omitempty"`
}

// MarkEditBody is kind 38.
type MarkEditBody struct {
	Mark     ledger.EntryID `cbor:"1,keyasint"`
	Geometry wire.Raw       `cbor:"2,keyasint"`
	Label    string         `cbor:"3,keyasint,omitempty"`
	Values   wire.Raw       `cbor:"4,keyasint,omitempty"`
}

// MarkRemoveBody is kind 39.
type MarkRemoveBody struct {
	Mark ledger.EntryID `cbor:"1,keyasint"`
}

// StatusBody is kind 40. A new round begins with StageAsked.
type StatusBody struct {
	Round uint64 `cbor:"1,keyasint"`
	Stage Stage  `cbor:"2,keyasint"`
	Why   string `cbor:"3,keyasint,omitempty"` // of a new round or a withdrawal; what closing leaves open
}

// AssignBody is kind 41: who is to answer, the primary first.
type AssignBody struct {
	Persons []identity.PersonID `cbor:"1,keyasint"`
}

// ImageCount is what a signer had of one manifest.
type ImageCount struct {
	Manifest blob.ID
	Version  uint64
	Seen     uint64  // instances that were here and verified
	Expected *uint64 // absent if nobody knows how many there should be
}

// ReportBody is kind 42: a preliminary opinion (type 1) or a final report (2).
type ReportBody struct {
	Type       uint64           `cbor:"1,keyasint"`
	Round      uint64           `cbor:"2,keyasint"`
	Document   wire.Raw         `cbor:"3,keyasint"` // a report.Document
	Blob       *blob.Ref        `cbor:"4,keyasint,omitempty"`
	Images     []ImageCount     `cbor:"5,keyasint"`
	Supersedes []ledger.EntryID `cbor:"6,keyasint,omitempty"`
	Attests    [][32]byte       `cbor:"7,keyasint,omitempty"`
	Opens      *Opening         `cbor:"8,keyasint,omitempty"`
	Consensus  *ledger.EntryID  `cbor:"9,keyasint,omitempty"` // the draft that a final report signs
}

// Opening is how a report opens a sealed read.
type Opening struct {
	_      struct{} `cbor:",toarray"`
	Sealed ledger.EntryID
	Salt   [32]byte
}

// AddendumBody is kind 43: an addition (type 1) or a correction (2) of a
// report, or the word of a raiser that a critical finding was an error.
type AddendumBody struct {
	Report      ledger.EntryID `cbor:"1,keyasint"`
	Type        uint64         `cbor:"2,keyasint"`
	Text        string         `cbor:"3,keyasint"`
	Significant uint64         `cbor:"4,keyasint,omitempty"` // 1 if it changes what should be done
}

// CriticalBody is kind 44: a finding that somebody must acknowledge. Category
// is the tier, 1 to 3.
type CriticalBody struct {
	Of       ledger.EntryID      `cbor:"1,keyasint"` // a report or mark
	Category uint64              `cbor:"2,keyasint"`
	Text     string              `cbor:"3,keyasint"`
	Who      []identity.PersonID `cbor:"4,keyasint,omitempty"`
	DueMS    int64               `cbor:"5,keyasint,omitempty"`
	List     string              `cbor:"6,keyasint,omitempty"` // the list of findings and its version
	FoundMS  int64               `cbor:"7,keyasint,omitempty"` // when it was identified
}

// AcknowledgeBody is kind 45: a critical finding was understood.
type AcknowledgeBody struct {
	Critical ledger.EntryID `cbor:"1,keyasint"`
	ReadBack string         `cbor:"2,keyasint"`
	Action   string         `cbor:"3,keyasint"`
}

// SeenRow is how far a receipt reaches on one device's content chain.
type SeenRow struct {
	_      struct{} `cbor:",toarray"`
	Device identity.DeviceID
	Seq    uint64
}

// ReceiptBody is kind 46. Rows not named keep what earlier receipts said.
type ReceiptBody struct {
	Type uint64    `cbor:"1,keyasint"` // [ReceiptDelivered] or [ReceiptRead]
	Seen []SeenRow `cbor:"2,keyasint"`
}

// DeclineBody is kind 47.
type DeclineBody struct {
	Round  uint64  `cbor:"1,keyasint"`
	Reason Decline `cbor:"2,keyasint"`
	Text   string  `cbor:"3,keyasint,omitempty"`
}

// AskBody is kind 48: a question back. A message by one of those asked, or by
// an owner, that replies to it answers it.
type AskBody struct {
	Who  []identity.PersonID `cbor:"1,keyasint,omitempty"` // absent: the owners
	Text string              `cbor:"2,keyasint"`
}

// HeldBody is kind 49: the receiver's word on what it holds of a grant.
type HeldBody struct {
	Lineage  [16]byte `cbor:"1,keyasint"`
	Version  uint64   `cbor:"2,keyasint"`
	Present  uint64   `cbor:"3,keyasint"`
	Expected uint64   `cbor:"4,keyasint"` // what the manifest lists
	Verified uint64   `cbor:"5,keyasint"`
}

// TakenBody is kind 50: a report, or an addendum to it, was taken note of.
type TakenBody struct {
	Report ledger.EntryID `cbor:"1,keyasint"`
	Action string         `cbor:"2,keyasint,omitempty"` // what will be done
}

// TriageBody is kind 51.
type TriageBody struct {
	Priority Priority `cbor:"1,keyasint"`
	Reason   string   `cbor:"2,keyasint"`
}

// AttemptBody is kind 52: an attempt to reach somebody about a critical finding.
type AttemptBody struct {
	Critical ledger.EntryID `cbor:"1,keyasint"`
	Method   string         `cbor:"2,keyasint"`
	Whom     string         `cbor:"3,keyasint"`
	Result   string         `cbor:"4,keyasint"`
}

// WrongPatientBody is kind 53: a granted study is not the patient's.
type WrongPatientBody struct {
	Lineage [16]byte `cbor:"1,keyasint"`
	Text    string   `cbor:"2,keyasint"`
}

// SealedReadBody is kind 54: a read whose document nobody can see or change
// until it is opened. Without a commitment it is the reveal.
type SealedReadBody struct {
	Round      uint64    `cbor:"1,keyasint"`
	Commitment *[32]byte `cbor:"2,keyasint,omitempty"` // see [Commit]
}

// VoteBody is kind 55.
type VoteBody struct {
	Consensus ledger.EntryID `cbor:"1,keyasint"`
	Choice    Choice         `cbor:"2,keyasint"`
	Text      string         `cbor:"3,keyasint,omitempty"`
	Name      string         `cbor:"4,keyasint"` // of the voter, as the consensus prints it
}

// ConsensusBody is kind 56: a draft that the panel votes on.
type ConsensusBody struct {
	Round  uint64              `cbor:"1,keyasint"`
	Text   string              `cbor:"2,keyasint"`
	Panel  []identity.PersonID `cbor:"3,keyasint"`
	Quorum uint64              `cbor:"4,keyasint"` // how many must sign on, the chair among them
}

// OutcomeBody is kind 57: what became of it.
type OutcomeBody struct {
	Result string `cbor:"1,keyasint"`
	Source uint64 `cbor:"2,keyasint"`           // 1 pathology, 2 surgery, 3 follow-up, 4 other
	Date   string `cbor:"3,keyasint,omitempty"` // YYYY-MM-DD
}

// ArchivedObject is one object that went to an archive.
type ArchivedObject struct {
	_      struct{} `cbor:",toarray"`
	SOPUID string
	Class  string
	Stored uint64 // 1 no, 2 yes
}

// ArchivedBody is kind 58.
type ArchivedBody struct {
	To        string           `cbor:"1,keyasint"`
	Objects   []ArchivedObject `cbor:"2,keyasint"`
	Committed uint64           `cbor:"3,keyasint"` // 1 no, 2 the archive confirmed
}
