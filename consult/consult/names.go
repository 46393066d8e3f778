package consult

// Stage is a stage of a round, kind 40. A final report counts as stage 4.
type Stage uint64

// The stages.
const (
	StageAsked     Stage = 1
	StageAccepted  Stage = 2
	StageReading   Stage = 3
	StageClosed    Stage = 5
	StageWithdrawn Stage = 6
)

// Types of reports, addenda and receipts.
const (
	ReportOpinion      = 1
	ReportFinal        = 2
	AddendumAddition   = 1
	AddendumCorrection = 2
	ReceiptDelivered   = 1
	ReceiptRead        = 2
)

// The states of a case, FIELD §4.3.
const (
	StateDraft        = "draft" // nothing is asked yet, as far as is known here
	StateAsked        = "asked"
	StateDelivered    = "delivered"
	StateSeen         = "seen"
	StateAccepted     = "accepted"
	StateDeclined     = "declined"
	StateReading      = "reading"
	StateQuestion     = "question"
	StatePreliminary  = "preliminary"
	StateAnswered     = "answered"
	StateAcknowledged = "acknowledged"
	StateClosed       = "closed"
	StateWithdrawn    = "withdrawn"
	StateQuarantined  = "quarantined"
)

// The flags that stand beside a state. Fold sets stale, critical, amended,
// conflict and crossed; overdue needs a clock and incomplete the manifests.
const (
	FlagOverdue    = "overdue"
	FlagStale      = "stale"
	FlagIncomplete = "incomplete"
	FlagCritical   = "critical"
	FlagAmended    = "amended"
	FlagConflict   = "conflict"
	FlagCrossed    = "crossed"
)

// The roles of members.
const (
	RoleRequester   = "requester"
	RoleCoordinator = "coordinator"
	RoleConsultant  = "consultant"
	RoleObserver    = "observer"
	RoleRemoved     = "removed"
)

// The statuses of reports.
const (
	StatusPreliminary = "preliminary"
	StatusFinal       = "final"
	StatusAddendum    = "addendum"
)

// Priority is how soon an answer is needed.
type Priority uint64

// The priorities of kind 32.
const (
	PriorityRoutine Priority = 1
	PriorityUrgent  Priority = 2
	PriorityStat    Priority = 3
)

var priorities = names{1: "routine", 2: "urgent", 3: "stat"}

// String names the priority as scripts do.
func (p Priority) String() string { return priorities.of(uint64(p)) }

// ParsePriority reads a name.
func ParsePriority(s string) (Priority, bool) { n, ok := priorities.parse(s); return Priority(n), ok }

// Consent is on what basis the case is shared.
type Consent uint64

// The consent bases of kind 32.
const (
	ConsentTreatment Consent = 1
	ConsentPatient   Consent = 2
	ConsentEmergency Consent = 3
	ConsentLaw       Consent = 4
	ConsentOther     Consent = 5 // said in the context
)

var consents = names{1: "treatment", 2: "patient", 3: "emergency", 4: "law", 5: "other"}

// String names the basis as scripts do.
func (c Consent) String() string { return consents.of(uint64(c)) }

// ParseConsent reads a name.
func ParseConsent(s string) (Consent, bool) { n, ok := consents.parse(s); return Consent(n), ok }

// Choice is what a vote says.
type Choice uint64

// The choices of kind 55.
const (
	VoteAgree       Choice = 1
	VoteReservation Choice = 2 // agrees, with a reservation in the text
	VoteDissent     Choice = 3 // why is in the text
	VoteAbstain     Choice = 4 // conflict of interest
)

var choices = names{1: "agree", 2: "reservation", 3: "dissent", 4: "abstain"}

// String names the choice as scripts do.
func (c Choice) String() string { return choices.of(uint64(c)) }

// ParseChoice reads a name.
func ParseChoice(s string) (Choice, bool) { n, ok := choices.parse(s); return Choice(n), ok }

// SignsOn reports whether the choice carries a consensus.
func (c Choice) SignsOn() bool { return c == VoteAgree || c == VoteReservation }

// Decline is why an assignee declines.
type Decline uint64

// The reasons of kind 47.
const (
	DeclineSpecialty   Decline = 1
	DeclineConflict    Decline = 2 // of interest
	DeclineUnavailable Decline = 3
	DeclineLicence     Decline = 4
	DeclineQuality     Decline = 5
	DeclineOther       Decline = 6
)

var declines = names{1: "specialty", 2: "conflict", 3: "unavailable", 4: "licence", 5: "quality", 6: "other"}

// String names the reason as scripts do.
func (d Decline) String() string { return declines.of(uint64(d)) }

// ParseDecline reads a name.
func ParseDecline(s string) (Decline, bool) { n, ok := declines.parse(s); return Decline(n), ok }

// names are the words of the scripting contract for numbers of the format.
type names map[uint64]string

func (n names) of(v uint64) string {
	if s, ok := n[v]; ok {
		return s
	}
	return "unknown"
}

func (n names) has(v uint64) bool { _, ok := n[v]; return ok }

func (n names) parse(s string) (uint64, bool) {
	for v, name := range n {
		if name == s {
			return v, true
		}
	}
	return 0, false
}
