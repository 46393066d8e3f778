package control

import (
	"time"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// None is the request of a use case that needs nothing said.
type None struct{}

// Persons and contacts.
var (
	// PersonAdd makes a person on this node: the first one of a home is curbside init.
	PersonAdd = Op[PersonAddRequest, PersonAdded]("person/add")
	// PersonList lists the persons of this node.
	PersonList = Op[None, []Person]("person/list")
	// Unlock opens the vault of the acting person.
	Unlock = Op[UnlockRequest, Status]("unlock")
	// Lock refuses every command of the acting person until Unlock; the node goes on receiving.
	Lock = Op[None, Status]("lock")
	// GetStatus says what the node is and whether it is locked: what the status bar shows.
	GetStatus = Op[None, Status]("status")
	// GetCard is curbside id.
	GetCard = Op[CardRequest, Card]("id")

	ContactAdd    = Op[ContactAddRequest, Contact]("contact/add")
	ContactList   = Op[None, []Contact]("contact/list")
	ContactShow   = Op[ContactRequest, Contact]("contact/show")
	ContactVerify = Op[ContactVerifyRequest, Contact]("contact/verify")
	ContactRemove = Op[ContactRequest, Contact]("contact/remove")
)

// Studies.
var (
	// Import streams progress; its last event carries the result.
	Import      = Stream[ImportRequest, ImportEvent]("import")
	StudyList   = Op[None, []Study]("study/list")
	StudyShow   = Op[StudyRequest, StudyDetail]("study/show")
	StudyVerify = Op[StudyVerifyRequest, StudyVerified]("study/verify")
	StudyExport = Op[StudyExportRequest, StudyExported]("study/export")
	StudyRemove = Op[StudyRequest, StudyRemoved]("study/remove")
	// SeriesShow lists the instances of a series in reading order.
	SeriesShow = Op[SeriesRequest, []InstanceRow]("study/series")
)

// Cases.
var (
	Request    = Op[NewCase, CaseRef]("request")
	CaseList   = Op[None, []Case]("case/list")
	CaseShow   = Op[CaseShowRequest, CaseDetail]("case/show")
	CaseWatch  = Stream[CaseWatchRequest, Event]("case/watch")
	CaseWait   = Op[CaseWaitRequest, CaseDetail]("case/wait")
	CaseReply  = Op[CaseReplyRequest, EntryRef]("case/reply")
	CaseReport = Op[CaseReportRequest, ReportRef]("case/report")
	// CaseDraft reads the local draft of a report back, for the editor.
	CaseDraft   = Op[CaseRequest, Draft]("case/draft")
	CaseSign    = Op[CaseRequest, ReportRef]("case/sign")
	CaseOpine   = Op[CaseReportRequest, EntryRef]("case/opine")
	CaseAccept  = Op[CaseRequest, EntryRef]("case/accept")
	CaseDecline = Op[CaseDeclineRequest, EntryRef]("case/decline")
	CaseInvite  = Op[CaseInviteRequest, EntryRef]("case/invite")
	CaseRemove  = Op[CaseMemberRequest, EntryRef]("case/remove")
	CaseClose   = Op[CaseRequest, EntryRef]("case/close")
	// CaseHistory streams every entry as verified; the last event carries the state hash.
	CaseHistory = Stream[CaseRequest, HistoryEvent]("case/history")
)

// The node.
var (
	PeerList     = Op[None, []Peer]("peers")
	TransferList = Op[None, []Transfer]("transfers")
	Doctor       = Op[None, DoctorReport]("doctor")
	ConfigGet    = Op[ConfigRequest, map[string]any]("config/get")
	ConfigSet    = Op[ConfigRequest, map[string]any]("config/set")
	AuditList    = Op[None, []AuditRecord]("audit/list")
	AuditVerify  = Op[None, AuditReport]("audit/verify")
	// Events streams what changes on the node, coalesced by the reader: see [Event].
	Events = Stream[None, Event]("events")
	// PixelFrame is curbside pixel: a frame's samples as coded.
	PixelFrame = Op[FrameRequest, Pixels]("pixel")
	// ImageFrame is what the image pane draws from: the native frame and what render needs of its head.
	ImageFrame = Op[FrameRequest, Image]("study/frame")
)

// PersonAddRequest asks for a new person.
type PersonAddRequest struct {
	Name         string   `json:"name"`
	Kind         string   `json:"kind"` // clinic or clinician; clinician when empty
	Specialties  []string `json:"specialties,omitempty"`
	Passphrase   []byte   `json:"passphrase,omitempty"`
	NoPassphrase bool     `json:"no_passphrase,omitempty"` // keep the key in HOME/credential
}

// Person is one person of this node.
type Person struct {
	Person string `json:"person"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Home   string `json:"home"`
}

// PersonAdded is a new person with the recovery words, which are never shown again.
type PersonAdded struct {
	Person
	Words []string `json:"words"`
}

// UnlockRequest carries the passphrase.
type UnlockRequest struct {
	Passphrase []byte `json:"passphrase"`
}

// Status is what an interface shows about the node at all times.
type Status struct {
	Person    string `json:"person"`
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	Locked    bool   `json:"locked"`
	Running   bool   `json:"running"` // a node serves; false for a command in process
	Peers     int    `json:"peers"`
	Transfers int    `json:"transfers"`
	Queued    int    `json:"queued"` // cases with something that no peer has taken yet
	// MustConfirm: signing wants the passphrase at that moment.
	MustConfirm bool `json:"must_confirm"`
}

// CardRequest asks for one's own card.
type CardRequest struct {
	NoInvite bool `json:"no_invite,omitempty"`
}

// Card is what a person tells others about themselves.
type Card struct {
	Person       string   `json:"person"`
	Name         string   `json:"name"`
	Kind         string   `json:"kind"`
	Specialties  []string `json:"specialties"`
	SafetyNumber string   `json:"safety_number"`
	Words        []string `json:"words"`
	Addresses    []string `json:"addresses"`
	Invite       *string  `json:"invite"`
}

// ContactAddRequest adds a contact by link, Join file or Accept file, or somebody of the directory
// or of a waiting case by their id: unverified until words or number say otherwise.
type ContactAddRequest struct {
	Person  string        `json:"person,omitempty"`
	Link    string        `json:"link,omitempty"`
	File    []byte        `json:"file,omitempty"` // a Join or an Accept
	ToFile  bool          `json:"to_file,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"`
}

// Contact is what this node knows and believes about a person.
type Contact struct {
	Person       string   `json:"person"`
	Name         string   `json:"name"`
	Kind         string   `json:"kind"`
	Specialties  []string `json:"specialties"`
	Trust        string   `json:"trust"`
	Verified     bool     `json:"verified"`
	VerifiedHow  *string  `json:"verified_how"`
	Online       bool     `json:"online"`
	Attestations []string `json:"attestations"` // who vouches, for what
	Pinned       bool     `json:"pinned"`       // their own attestations count here
	SafetyNumber string   `json:"safety_number"`
	// Hours is when they take cases, as their card says: null where it does not. Accepting says
	// whether they do now, as far as is known; OpensAt when they do next.
	Hours     *string    `json:"hours"`
	Accepting bool       `json:"accepting"`
	OpensAt   *time.Time `json:"opens_at"`
	// File is the Join or Accept to carry back, where one was asked for.
	File []byte `json:"file,omitempty"`
	// Warning is talk for stderr: what did not happen yet.
	Warning string `json:"warning,omitempty"`
}

// ContactRequest names a contact by id, prefix or unique name.
type ContactRequest struct {
	Contact string `json:"contact"`
}

// ContactVerifyRequest compares what was read on the phone with what is known.
type ContactVerifyRequest struct {
	Contact string `json:"contact"`
	Number  string `json:"number,omitempty"`
	Words   string `json:"words,omitempty"`
}

// ImportRequest names absolute paths of files, folders, DICOMDIRs and zip archives.
type ImportRequest struct {
	Paths []string `json:"paths"`
	// Capture makes instances of the pictures and documents among them; nil refuses these.
	Capture *Capture `json:"capture,omitempty"`
}

// ImportEvent is progress, or (once, last) the result.
type ImportEvent struct {
	Files     int           `json:"files"`       // files seen so far
	Done      int           `json:"done"`        // files finished so far
	Bytes     int64         `json:"bytes"`       // bytes finished so far
	TotalSeen bool          `json:"total_seen"`  // Files and TotalBytes will not grow any more
	BytesSeen int64         `json:"bytes_total"` // bytes seen so far
	Result    *ImportResult `json:"result,omitempty"`
}

// ImportResult is what an import did.
type ImportResult struct {
	Studies []ImportedStudy `json:"studies"`
	Refused []RefusedFile   `json:"refused"`
	Read    int             `json:"read"` // files that were only read: DICOMDIRs
	Seconds float64         `json:"seconds"`
	// Warnings say what is not in the instances that were made of pictures.
	Warnings []string `json:"warnings,omitempty"`
}

// ImportedStudy is one study that an import touched.
type ImportedStudy struct {
	Study     string `json:"study"`
	StudyUID  string `json:"study_uid"`
	Modality  string `json:"modality"`
	Series    int    `json:"series"`
	Instances int    `json:"instances"` // what the study now holds
	Bytes     int64  `json:"bytes"`
	New       int    `json:"new"`
	Duplicate int    `json:"duplicate"`
}

// RefusedFile is one file that was not taken, and why.
type RefusedFile struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// Study is one study on this node.
type Study struct {
	Study       string `json:"study"`
	StudyUID    string `json:"study_uid"`
	PatientName string `json:"patient_name"`
	PatientID   string `json:"patient_id"`
	Modality    string `json:"modality"`
	Description string `json:"description"`
	Date        string `json:"date"`
	Series      int    `json:"series"`
	Instances   int    `json:"instances"`
	Expected    *int   `json:"expected"`
	Complete    bool   `json:"complete"`
	Bytes       int64  `json:"bytes"`
	StoredBytes int64  `json:"stored_bytes"`
	Origin      string `json:"origin"`
	// Arriving: it comes from the hospital, and has not been quiet for long enough to count as whole.
	Arriving bool   `json:"arriving,omitempty"`
	Mode     string `json:"mode"`
	Present  int    `json:"present"` // instances here and verified
	Age      string `json:"age"`
	Sex      string `json:"sex"`
}

// StudyDetail is a study with its series.
type StudyDetail struct {
	Study
	ManifestVersion int      `json:"manifest_version"`
	Basis           string   `json:"basis"`
	SeriesList      []Series `json:"series_list"`
	// Presentations are the presentation states and key-object selections in the study.
	Presentations []PresentationInfo `json:"presentations"`
}

// Series is one series of a study.
type Series struct {
	SeriesUID   string `json:"series_uid"`
	Number      *int64 `json:"number"`
	Modality    string `json:"modality"`
	Description string `json:"description"`
	BodyPart    string `json:"body_part"`
	Instances   int    `json:"instances"`
	Expected    *int   `json:"expected"`
	Complete    bool   `json:"complete"`
	Present     int    `json:"present"`
}

// StudyRequest names a study by id, prefix or Study Instance UID.
type StudyRequest struct {
	Study string `json:"study"`
}

// SeriesRequest names a series of a study.
type SeriesRequest struct {
	Study     string `json:"study"`
	SeriesUID string `json:"series_uid"`
}

// InstanceRow is one instance in reading order.
type InstanceRow struct {
	SOPUID      string `json:"sop_uid"`
	Number      int64  `json:"number"`
	Rows        int    `json:"rows"`
	Cols        int    `json:"cols"`
	Frames      int    `json:"frames"`
	Present     bool   `json:"present"`
	Displayable bool   `json:"displayable"`
	Reason      string `json:"reason,omitempty"` // why it cannot be displayed
}

// StudyVerifyRequest verifies one study, or all.
type StudyVerifyRequest struct {
	Study string `json:"study,omitempty"`
}

// StudyVerified is what verifying every byte found.
type StudyVerified struct {
	CheckedBytes     int64             `json:"checked_bytes"`
	CheckedInstances int               `json:"checked_instances"`
	Damaged          []DamagedInstance `json:"damaged"`
}

// DamagedInstance is an instance whose bytes are not what they were.
type DamagedInstance struct {
	Study  string `json:"study"`
	SOPUID string `json:"sop_uid"`
	Reason string `json:"reason"`
}

// StudyExportRequest names the folder to write to, an absolute path.
type StudyExportRequest struct {
	Study string `json:"study"`
	Out   string `json:"out"`
}

// StudyExported counts what an export wrote.
type StudyExported struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	// Missing counts instances that are not here yet.
	Missing int `json:"missing"`
}

// StudyRemoved counts what went.
type StudyRemoved struct {
	Instances int   `json:"instances"`
	Bytes     int64 `json:"bytes"`
}

// NewCase is a request for a second opinion.
type NewCase struct {
	Studies    []string       `json:"studies"`
	Priors     []string       `json:"priors,omitempty"`
	To         []string       `json:"to"`
	Question   string         `json:"question"`
	Priority   string         `json:"priority,omitempty"`
	Identified bool           `json:"identified,omitempty"`
	Deadline   *time.Time     `json:"deadline,omitempty"`
	Consent    string         `json:"consent,omitempty"`
	Form       map[string]any `json:"form,omitempty"`
	// Key is the caller's name for this request: a repeat with the same key returns the case there is.
	Key string `json:"key,omitempty"`
	// Check only says what would be warned of, and refuses what would be refused.
	Check bool `json:"check,omitempty"`
	// OtherPatient confirms, by the patient id typed again, that a study of a differing patient
	// belongs in the case, with the reason (F1).
	OtherPatient *OtherPatient `json:"other_patient,omitempty"`
	// Profile of de-identification, for a request that is not identified; none is the default one.
	Profile string `json:"profile,omitempty"`
	// Draft is a drafted request that this one sends: its study, and what is not said here.
	Draft string `json:"draft,omitempty"`
	Choices
}

// CaseRef names a case.
type CaseRef struct {
	Case     string   `json:"case"`
	Warnings []string `json:"warnings,omitempty"`
}

// CaseRequest names a case by id or prefix.
type CaseRequest struct {
	Case string `json:"case"`
}

// Case is a row of the worklist.
type Case struct {
	Case     string     `json:"case"`
	Title    string     `json:"title"`
	State    string     `json:"state"`
	Flags    []string   `json:"flags"`
	Priority string     `json:"priority"`
	Deadline *time.Time `json:"deadline"`
	From     string     `json:"from"`
	Members  int        `json:"members"`
	Unread   int        `json:"unread"`
	// Due is what the case waits for, the next first; Criticals are its findings that somebody must
	// acknowledge, or has.
	Due       []Due       `json:"due"`
	Criticals []Critical  `json:"criticals"`
	Report    *string     `json:"report"`
	Studies   []CaseStudy `json:"studies"`
	// Created is the claimed time of the request; Mine says whether this person asked.
	Created  time.Time `json:"created"`
	Mine     bool      `json:"mine"`
	Stranger bool      `json:"stranger"` // brought by somebody who is no contact
	Question string    `json:"question"`
	// Patient is a line such as "58F" from the newest manifest, empty when not known.
	Patient string `json:"patient"`
	// PatientName and PatientID identify the patient where the case does, for what asks to confirm
	// two identifiers.
	PatientName string `json:"patient_name"`
	PatientID   string `json:"patient_id"`
}

// CaseStudy is one study of a case as this node holds it.
type CaseStudy struct {
	Study    string `json:"study"`
	StudyUID string `json:"study_uid"`
	Present  int    `json:"present"`
	Listed   int    `json:"listed"`
	Expected *int   `json:"expected"`
	Complete bool   `json:"complete"`
	Prior    bool   `json:"prior"`
}

// CaseDetail is a case with its people, entries and reports. It shadows Case.Members.
type CaseDetail struct {
	Case
	Consent string            `json:"consent"` // the basis of sharing
	Form    map[string]string `json:"form"`    // the request form, by field
	Members []Member          `json:"members"`
	Entries []Entry           `json:"entries"`
	Reports []Report          `json:"reports"`
}

// Member is one person of a case.
type Member struct {
	Person   string `json:"person"`
	Name     string `json:"name"`
	Role     string `json:"role"`
	Primary  bool   `json:"primary"`
	Trust    string `json:"trust"`
	Verified bool   `json:"verified"`
	// Attestations are who vouches for them, for what; Attested is the role that limits them here.
	Attestations []string `json:"attestations"`
	Attested     *string  `json:"attested"`
	// When the newest content reached this member's device, and when a person saw it.
	Delivered bool `json:"delivered"`
	Seen      bool `json:"seen"`
}

// Entry is one entry of a case.
type Entry struct {
	Entry      string     `json:"entry"`
	Kind       string     `json:"kind"`
	Author     string     `json:"author"`
	AuthorName string     `json:"author_name"`
	Time       time.Time  `json:"time"`
	Text       string     `json:"text"`
	Anchor     *Anchor    `json:"anchor"`
	Mark       *EntryMark `json:"mark,omitempty"` // of a mark, and of an edit of one
	ReplyTo    *string    `json:"reply_to"`
	InForce    bool       `json:"in_force"`
	Edited     bool       `json:"edited"`
	Retracted  bool       `json:"retracted"`
	Unread     bool       `json:"unread"`
	Mine       bool       `json:"mine"`
}

// Anchor is a place on an image. Frames count from 0.
type Anchor struct {
	Study     string       `json:"study"`
	SeriesUID string       `json:"series_uid"`
	SOPUID    string       `json:"sop_uid"`
	Frame     int          `json:"frame"`
	Points    [][2]float64 `json:"points"`
}

// Report is one signed report of a case.
type Report struct {
	Report       string    `json:"report"`
	Status       string    `json:"status"` // preliminary, final or addendum
	Author       string    `json:"author"`
	AuthorName   string    `json:"author_name"`
	SignedAt     time.Time `json:"signed_at"`
	Text         string    `json:"text"`
	Valid        bool      `json:"valid"`
	SupersededBy *string   `json:"superseded_by"`
	// Images says what the signer had: "60 of 60 images", "number of images unknown".
	Images string `json:"images"`
	// Exact: Text is what the signature covers, to the letter. It is not where characters that could
	// drive a terminal were left out.
	Exact bool `json:"exact"`
	// Of is the report that an addendum belongs to; Correction: it corrects, it does not only add.
	Of         *string `json:"of"`
	Correction bool    `json:"correction"`
	// Stale: images were added that its author had not seen.
	Stale        bool `json:"stale"`
	Acknowledged bool `json:"acknowledged"` // by the requester
	Note         bool `json:"note"`         // the requester's own: no independent opinion
	NotBlinded   bool `json:"not_blinded"`  // of a blind reading, and its author could have known another's
	Consensus    bool `json:"consensus"`    // of a panel, with its quorum
	// Form is the opinion form, by field.
	Form map[string]string `json:"form,omitempty"`
}

// CaseShowRequest asks for a case; Seen posts a read receipt.
type CaseShowRequest struct {
	Case string `json:"case"`
	Seen bool   `json:"seen,omitempty"`
}

// CaseWatchRequest watches one case, or all.
type CaseWatchRequest struct {
	Case string `json:"case,omitempty"`
}

// CaseWaitRequest waits for something to be true of a case.
type CaseWaitRequest struct {
	Case    string        `json:"case"`
	For     string        `json:"for"` // arrived, complete, entry:KIND, report, state:S
	Timeout time.Duration `json:"timeout,omitempty"`
}

// CaseReplyRequest posts a message.
type CaseReplyRequest struct {
	Case   string `json:"case"`
	Text   string `json:"text"`
	Anchor string `json:"anchor,omitempty"` // the entry of a mark or message
	// Key is the caller's name for this message: a repeat with the same key, after a crash perhaps,
	// posts nothing new and returns the entry that there is.
	Key string `json:"key,omitempty"`
}

// CaseReportRequest saves a draft, or (opine) posts a preliminary opinion at once.
type CaseReportRequest struct {
	Case   string `json:"case"`
	Text   string `json:"text"`
	Status string `json:"status,omitempty"` // preliminary, final or addendum
	Of     string `json:"of,omitempty"`     // the report an addendum belongs to
	// Correction: an addendum that corrects the report.
	Correction bool `json:"correction,omitempty"`
	// Consensus: the report signs the acting consensus draft with its votes, in their very words.
	Consensus bool `json:"consensus,omitempty"`
	// Form is a filled opinion form; where there is no text, what it says is the text.
	Form map[string]any `json:"form,omitempty"`
}

// ReportRef names a draft or a report.
type ReportRef struct {
	Report   string   `json:"report"`
	Status   string   `json:"status"`
	Warnings []string `json:"warnings,omitempty"`
}

// Draft is the local, unsigned draft of a report.
type Draft struct {
	Text       string `json:"text"`
	Status     string `json:"status"`
	Of         string `json:"of"`
	Correction bool   `json:"correction,omitempty"`
	// Form is the opinion form, by field; nil where the draft is text alone.
	Form map[string]string `json:"form"`
}

// EntryRef names the entry that an action made.
type EntryRef struct {
	Entry    string   `json:"entry"`
	Warnings []string `json:"warnings,omitempty"`
}

// CaseDeclineRequest declines a case.
type CaseDeclineRequest struct {
	Case   string `json:"case"`
	Reason string `json:"reason"`
	Text   string `json:"text,omitempty"`
}

// CaseInviteRequest adds people to a case.
type CaseInviteRequest struct {
	Case string   `json:"case"`
	To   []string `json:"to"`
	Role string   `json:"role,omitempty"`
}

// CaseMemberRequest names a member of a case.
type CaseMemberRequest struct {
	Case   string `json:"case"`
	Member string `json:"member"`
}

// HistoryEvent is one entry as verified, or (last) the state of the whole.
type HistoryEvent struct {
	*Entry
	Lamport   uint64  `json:"lamport,omitempty"`
	Device    string  `json:"device,omitempty"`
	StateHash *string `json:"state_hash,omitempty"`
	Entries   *int    `json:"entries,omitempty"`
}

// Peer is one node that is connected or looked for.
type Peer struct {
	Person string     `json:"person"`
	Name   string     `json:"name"`
	Peer   string     `json:"peer"`
	Path   string     `json:"path"`
	RTTMS  *float64   `json:"rtt_ms"`
	Since  *time.Time `json:"since"`
	Addr   string     `json:"addr,omitempty"`    // of the connection
	SkewMS *int64     `json:"skew_ms,omitempty"` // by how much their clock is ahead
	Why    string     `json:"why,omitempty"`     // nobody is connected
	Next   *time.Time `json:"next,omitempty"`    // try
}

// Transfer is one study on its way.
type Transfer struct {
	Case       string  `json:"case"`
	Study      string  `json:"study"`
	Direction  string  `json:"direction"` // send or receive
	Peer       string  `json:"peer"`
	BytesDone  int64   `json:"bytes_done"`
	BytesTotal int64   `json:"bytes_total"`
	Rate       float64 `json:"rate"` // bytes per second
	State      string  `json:"state"`
	Name       string  `json:"name,omitempty"` // of who is to get it
	Hint       string  `json:"hint,omitempty"` // what to do about one that does not move
	// Sources are the members it comes from, the fastest first: that one is Peer.
	Sources []TransferSource `json:"sources"`
}

// TransferSource is a member that a study comes from.
type TransferSource struct {
	Peer    string  `json:"peer"`
	Name    string  `json:"name"`
	Path    string  `json:"path"`
	Rate    float64 `json:"rate"`
	Spoiled int     `json:"spoiled"` // ranges of this session that did not verify
}

// DoctorReport is the health of a node.
type DoctorReport struct {
	Checks []Check `json:"checks"`
}

// Check is one thing that doctor looked at.
type Check struct {
	Name   string  `json:"name"`
	OK     bool    `json:"ok"`
	Detail string  `json:"detail"`
	Hint   *string `json:"hint"`
}

// ConfigRequest names a setting and, to set it, its value.
type ConfigRequest struct {
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"`
}

// AuditRecord is one line of the audit log.
type AuditRecord struct {
	Time    time.Time `json:"time"`
	Person  string    `json:"person"`
	Action  string    `json:"action"`
	Object  string    `json:"object"`
	Outcome string    `json:"outcome"`
}

// AuditReport is what verifying the audit log found.
type AuditReport struct {
	Records     int  `json:"records"`
	Checkpoints int  `json:"checkpoints"`
	Witnessed   int  `json:"witnessed"`
	OK          bool `json:"ok"`
}

// Event tells an interface what changed, never what it says: ids, kinds and counts only.
type Event struct {
	Event string `json:"event"` // entry, case, study, transfer, peer, contact, status, notice
	Case  string `json:"case,omitempty"`
	Study string `json:"study,omitempty"`
	Entry string `json:"entry,omitempty"`
	// Kind is an entry's kind, or what a notice says: asked, report, critical, overdue-accepted and such.
	Kind string `json:"kind,omitempty"`
	// Person is who is told by a notice.
	Person string    `json:"person,omitempty"`
	Time   time.Time `json:"time"`
}

// FrameRequest names a frame; without Study all studies are searched. Frames count from 0.
type FrameRequest struct {
	Study  string `json:"study,omitempty"`
	SOPUID string `json:"sop_uid"`
	Frame  int    `json:"frame"`
}

// Pixels are a frame's samples as coded: little-endian, interleaved.
type Pixels struct {
	Rows          int    `json:"rows"`
	Cols          int    `json:"cols"`
	Samples       int    `json:"samples"`
	BitsAllocated int    `json:"bits_allocated"`
	Signed        bool   `json:"signed"`
	Photometric   string `json:"photometric"`
	Data          []byte `json:"data,omitempty"`
}

// Image is one frame for consult/render, which windows it in the interface: native cells cross
// once. A frame that is not to be had is a reply with a Reason, not a failure.
type Image struct {
	SOPUID string `json:"sop_uid"`
	Frame  int    `json:"frame"`
	// Native is nil where there is nothing to show.
	Native *codec.Native `json:"native,omitempty"`
	// Pixel is what holds for this frame: study.Pixel.Frame(k).
	Pixel study.Pixel `json:"pixel"`
	// Preview: Native holds the 8-bit preview of the manifest, the real frame is not here yet.
	Preview bool `json:"preview,omitempty"`
	// Reason says why Native is nil, or what is wrong with it: "this version cannot display …", "not here yet".
	Reason string `json:"reason,omitempty"`
}
