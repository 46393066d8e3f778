package control

import "time"

// The clinical acts of a case (FIELD §4). Each posts an entry; fields are named after those of
// its body.
var (
	// CaseAsk asks back; the case waits for an answer.
	CaseAsk = Op[CaseAskRequest, EntryRef]("case/ask")
	// CaseWithdraw takes the request back; CaseReopen opens a new round.
	CaseWithdraw = Op[CaseTextRequest, EntryRef]("case/withdraw")
	CaseReopen   = Op[CaseTextRequest, EntryRef]("case/reopen")
	// CaseReading says that one has begun to read.
	CaseReading = Op[CaseRequest, EntryRef]("case/reading")
	// CaseAcknowledge takes note of the newest report, or of a critical finding.
	CaseAcknowledge = Op[CaseAcknowledgeRequest, EntryRef]("case/acknowledge")
	CaseCritical    = Op[CaseCriticalRequest, EntryRef]("case/critical")
	CaseAttempt     = Op[CaseAttemptRequest, EntryRef]("case/attempt")
	CaseTriage      = Op[CaseTriageRequest, EntryRef]("case/triage")
	CaseOutcome     = Op[CaseOutcomeRequest, EntryRef]("case/outcome")
	// CaseQuarantine says that a study is another patient's: nobody shows it any more.
	CaseQuarantine = Op[CaseQuarantineRequest, EntryRef]("case/quarantine")
	// CaseSeal seals one's read of a blind reading: only its hash goes out. CaseReveal has the reads
	// opened, by a chair; each node then opens its own.
	CaseSeal   = Op[CaseReportRequest, EntryRef]("case/seal")
	CaseReveal = Op[CaseRequest, EntryRef]("case/reveal")
	// CaseConsensus drafts what the panel votes on; a changed draft voids the votes.
	CaseConsensus = Op[CaseConsensusRequest, EntryRef]("case/consensus")
	CaseVote      = Op[CaseVoteRequest, EntryRef]("case/vote")
	// CaseAgreement says who reads what in the case.
	CaseAgreement = Op[CaseRequest, Agreement]("case/agreement")
	// CaseAttach shares one more study in a case.
	CaseAttach = Op[CaseAttachRequest, EntryRef]("case/attach")
	// CaseAssign says who is to answer, the primary first; an assignee hands over by it.
	CaseAssign = Op[CaseAssignRequest, EntryRef]("case/assign")
)

// CaseAskRequest asks back: the owners, or those named.
type CaseAskRequest struct {
	Case string   `json:"case"`
	To   []string `json:"to,omitempty"`
	Text string   `json:"text"`
}

// CaseTextRequest is an act that may be explained: the text goes along as a message.
type CaseTextRequest struct {
	Case string `json:"case"`
	Text string `json:"text,omitempty"`
}

// CaseAcknowledgeRequest takes note: of a critical finding where one is named, else of a report,
// the newest unless one is named.
type CaseAcknowledgeRequest struct {
	Case     string `json:"case"`
	Report   string `json:"report,omitempty"`
	Action   string `json:"action,omitempty"`
	Critical string `json:"critical,omitempty"`
	ReadBack string `json:"read_back,omitempty"`
}

// CaseCriticalRequest reports a critical finding.
type CaseCriticalRequest struct {
	Case     string     `json:"case"`
	Of       string     `json:"of,omitempty"` // a report or mark; one's own newest report if not said
	Category int        `json:"category"`     // the tier, 1 to 3
	Text     string     `json:"text"`
	Who      []string   `json:"who,omitempty"` // who must acknowledge, any of them; the requester if not said
	Due      *time.Time `json:"due,omitempty"`
}

// CaseAttemptRequest records an attempt to reach somebody about a critical finding.
type CaseAttemptRequest struct {
	Case     string `json:"case"`
	Critical string `json:"critical,omitempty"` // the only open one if not said
	Method   string `json:"method"`
	Whom     string `json:"whom"`
	Result   string `json:"result"`
}

// CaseTriageRequest sets the priority.
type CaseTriageRequest struct {
	Case     string `json:"case"`
	Priority string `json:"priority"`
	Reason   string `json:"reason"`
}

// CaseOutcomeRequest says what became of the patient.
type CaseOutcomeRequest struct {
	Case   string `json:"case"`
	Result string `json:"result"`
	Source string `json:"source"`         // pathology, surgery, follow-up, other
	Date   string `json:"date,omitempty"` // YYYY-MM-DD
}

// CaseQuarantineRequest names a study of the case that is another patient's.
type CaseQuarantineRequest struct {
	Case  string `json:"case"`
	Study string `json:"study,omitempty"` // the only one if not said
	Text  string `json:"text"`
}

// CaseAssignRequest names members, the primary first.
type CaseAssignRequest struct {
	Case string   `json:"case"`
	To   []string `json:"to"`
}

// The on-call roster of the acting person: who is asked next when nobody accepts in time.
var (
	RosterSet  = Op[RosterRequest, []RosterEntry]("roster/set")
	RosterList = Op[None, []RosterEntry]("roster/list")
)

// RosterRequest replaces the roster; without members there is none.
type RosterRequest struct {
	Members []RosterMember `json:"members"`
}

// RosterMember is a contact with hours, those of their card if not said.
type RosterMember struct {
	Contact string `json:"contact"`
	Hours   string `json:"hours,omitempty"`
}

// RosterEntry is one person of the roster, in order.
type RosterEntry struct {
	Person    string     `json:"person"`
	Name      string     `json:"name"`
	Trust     string     `json:"trust"`
	Hours     *string    `json:"hours"`     // null where nobody has said
	Accepting bool       `json:"accepting"` // takes cases now, as far as is known
	OpensAt   *time.Time `json:"opens_at"`  // when they take cases next; null if not known or never
}

// Due is a step that a case waits for.
type Due struct {
	What    string    `json:"what"` // delivered, accepted, reply, preliminary, final, acknowledged, needed, critical
	Entry   *string   `json:"entry"`
	From    time.Time `json:"from"`
	At      time.Time `json:"at"`
	Share   float64   `json:"share"` // of the time that has passed
	Overdue bool      `json:"overdue"`
	// Hint says of what is overdue how far it got and what to try; null otherwise.
	Hint *string `json:"hint"`
}

// Critical is a critical finding with who told whom when (FIELD §4.6).
type Critical struct {
	Entry      string     `json:"entry"`
	Of         string     `json:"of"`
	Author     string     `json:"author"`
	AuthorName string     `json:"author_name"`
	Category   int        `json:"category"`
	Text       string     `json:"text"`
	Time       time.Time  `json:"time"`
	Who        []string   `json:"who"` // names of who must acknowledge
	Due        *time.Time `json:"due"`
	Open       bool       `json:"open"`
	ForMe      bool       `json:"for_me"` // the acting person may acknowledge it
	Attempts   []Attempt  `json:"attempts"`
	// Acknowledged is who read it back, and when; null while it is open.
	Acknowledged *Acknowledged `json:"acknowledged"`
}

// Attempt is a try to reach somebody.
type Attempt struct {
	Entry string    `json:"entry"`
	By    string    `json:"by"`
	Time  time.Time `json:"time"`
	Text  string    `json:"text"`
}

// Acknowledged is the end of a critical finding.
type Acknowledged struct {
	Entry  string    `json:"entry"`
	By     string    `json:"by"`
	ByName string    `json:"by_name"`
	Time   time.Time `json:"time"`
	Text   string    `json:"text"`
}

// OtherPatient is what a person typed to say that studies whose patients differ are of one.
type OtherPatient struct {
	ID     string `json:"id"` // the patient id of the study that differs
	Reason string `json:"reason"`
}

// CaseConsensusRequest drafts a consensus.
type CaseConsensusRequest struct {
	Case   string `json:"case"`
	Text   string `json:"text"`
	Quorum int    `json:"quorum,omitempty"` // more than half of the panel if not said
}

// CaseVoteRequest votes on a consensus draft.
type CaseVoteRequest struct {
	Case      string `json:"case"`
	Consensus string `json:"consensus,omitempty"` // the acting draft if not said
	Choice    string `json:"choice"`              // agree, reservation, dissent, abstain
	Text      string `json:"text,omitempty"`
}

// Agreement is who reads what in a case, its reads, and the consensus.
type Agreement struct {
	Blind    bool         `json:"blind"`
	Revealed bool         `json:"revealed"`
	Reads    []PanelRead  `json:"reads"`
	Items    []ItemAgreed `json:"items"` // fields of opinion forms that several filled in
	// Consensus is the acting draft with its votes, null before there is one.
	Consensus *ConsensusDraft `json:"consensus"`
}

// PanelRead is one member of the panel with what they read.
type PanelRead struct {
	Person  string  `json:"person"`
	Name    string  `json:"name"`
	State   string  `json:"state"`   // "", sealed, opened; sealed, never opened; …
	Blinded bool    `json:"blinded"` // could not know another's read
	Report  *string `json:"report"`  // the newest that counts, once it can be read
	Text    string  `json:"text"`
}

// ItemAgreed is raw agreement on one field: the largest part of the readers who say the same.
// Within one case nothing more can be said (FIELD §4.8).
type ItemAgreed struct {
	Field  string       `json:"field"`
	Title  string       `json:"title"`
	Values []ItemSaid   `json:"values"`
	Agree  int          `json:"agree"` // how many say the commonest value
	Of     int          `json:"of"`
	Spread *NumberRange `json:"spread"` // of numbers
}

// ItemSaid is what one reader says.
type ItemSaid struct {
	Person string `json:"person"`
	Name   string `json:"name"`
	Value  string `json:"value"`
}

// NumberRange is the median and range of numbers.
type NumberRange struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// ConsensusDraft is what the panel votes on.
type ConsensusDraft struct {
	Entry    string      `json:"entry"`
	Author   string      `json:"author"`
	Text     string      `json:"text"`
	Panel    []string    `json:"panel"` // names
	Quorum   int         `json:"quorum"`
	Reached  bool        `json:"reached"`
	Votes    []PanelVote `json:"votes"`
	SignedBy *string     `json:"signed_by"` // the report that signs it
}

// PanelVote is one vote.
type PanelVote struct {
	Person string    `json:"person"`
	Name   string    `json:"name"`
	Choice string    `json:"choice"`
	Text   string    `json:"text"`
	Time   time.Time `json:"time"`
}

// CaseAttachRequest names an own study.
type CaseAttachRequest struct {
	Case         string        `json:"case"`
	Study        string        `json:"study"`
	OtherPatient *OtherPatient `json:"other_patient,omitempty"`
	Choices
}
