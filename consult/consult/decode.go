package consult

import (
	"fmt"
	"strings"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// body is what every body type can do.
type body interface{ check() error }

// newBody returns an empty body of a kind, nil for kinds that this version does
// not read.
func newBody(k ledger.Kind) body {
	switch k {
	case ledger.Request:
		return &RequestBody{}
	case ledger.Message:
		return &MessageBody{}
	case ledger.Edit:
		return &EditBody{}
	case ledger.Retract:
		return &RetractBody{}
	case ledger.Grant:
		return &GrantBody{}
	case ledger.Mark:
		return &MarkBody{}
	case ledger.MarkEdit:
		return &MarkEditBody{}
	case ledger.MarkRemove:
		return &MarkRemoveBody{}
	case ledger.Status:
		return &StatusBody{}
	case ledger.Assign:
		return &AssignBody{}
	case ledger.Report:
		return &ReportBody{}
	case ledger.Addendum:
		return &AddendumBody{}
	case ledger.Critical:
		return &CriticalBody{}
	case ledger.Acknowledge:
		return &AcknowledgeBody{}
	case ledger.Receipt:
		return &ReceiptBody{}
	case ledger.Decline:
		return &DeclineBody{}
	case ledger.Ask:
		return &AskBody{}
	case ledger.Held:
		return &HeldBody{}
	case ledger.Taken:
		return &TakenBody{}
	case ledger.Triage:
		return &TriageBody{}
	case ledger.Attempt:
		return &AttemptBody{}
	case ledger.WrongPatient:
		return &WrongPatientBody{}
	case ledger.SealedRead:
		return &SealedReadBody{}
	case ledger.Vote:
		return &VoteBody{}
	case ledger.Consensus:
		return &ConsensusBody{}
	case ledger.Outcome:
		return &OutcomeBody{}
	case ledger.Archived:
		return &ArchivedBody{}
	default:
		return nil
	}
}

// Decode reads the body of a content entry; the result is a pointer to the
// body type of its kind.
func Decode(k ledger.Kind, b []byte) (any, error) {
	v := newBody(k)
	if v == nil {
		return nil, fmt.Errorf("kind %d: %w", uint64(k), ErrKind)
	}
	if err := wire.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	if err := v.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	return v, nil
}

func needText(s string, limit int) error {
	if s == "" || len(s) > limit {
		return ErrText
	}
	return nil
}

func mayText(s string, limit int) error {
	if len(s) > limit {
		return ErrText
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// when returns err if the condition holds.
func when(wrong bool, err error) error {
	if wrong {
		return err
	}
	return nil
}

func roundOK(n uint64) error { return when(n == 0 || n > RoundMax, ErrField) }

// personsOK wants at most PersonsMax persons, each once.
func personsOK(ps []identity.PersonID) error {
	seen := map[identity.PersonID]bool{}
	for _, p := range ps {
		if seen[p] {
			return ErrMany
		}
		seen[p] = true
	}
	return when(len(ps) > PersonsMax, ErrMany)
}

func (b *RequestBody) check() error {
	_, err := DecodeContext(b.Context)
	return first(needText(b.Question, TextMax), when(!priorities.has(uint64(b.Priority)), ErrField),
		when(!consents.has(uint64(b.Consent)), ErrField), when(b.NeededByMS < 0, ErrField), err)
}

func (b *MessageBody) check() error {
	if len(b.Attachments) > AttachmentsMax {
		return ErrMany
	}
	for _, a := range b.Attachments {
		if err := first(a.Ref.Check(), needText(a.Type, NameMax), mayText(a.Name, NameMax)); err != nil {
			return err
		}
	}
	if len(b.Attachments) > 0 {
		return mayText(b.Text, TextMax)
	}
	return needText(b.Text, TextMax)
}

func (b *EditBody) check() error    { return needText(b.Text, TextMax) }
func (b *RetractBody) check() error { return mayText(b.Reason, TextMax) }

func (b *GrantBody) check() error {
	return first(when(b.Version == 0, ErrField), when(b.Mode != 1 && b.Mode != 2, ErrField), b.Manifest.Check())
}

func (b *MarkBody) check() error {
	return first(needText(b.Place.SOPUID, NameMax), when(b.Place.Frame == 0, ErrField), mayText(b.Label, TextMax), shapeOK(b.Geometry, b.Values))
}

func (b *MarkEditBody) check() error {
	return first(mayText(b.Label, TextMax), shapeOK(b.Geometry, b.Values))
}

func (b *MarkRemoveBody) check() error { return nil }

// shapeOK checks sizes only: a geometry that a later version draws is kept.
func shapeOK(geometry, values wire.Raw) error {
	return when(len(geometry) == 0 || len(geometry) > GeometryMax || len(values) > GeometryMax, ErrLen)
}

func (b *StatusBody) check() error {
	switch b.Stage {
	case StageAsked, StageAccepted, StageReading, StageClosed, StageWithdrawn:
		return first(roundOK(b.Round), mayText(b.Why, TextMax))
	default:
		return ErrField
	}
}

func (b *AssignBody) check() error {
	return first(when(len(b.Persons) == 0, ErrMany), personsOK(b.Persons))
}

func (b *ReportBody) check() error {
	if b.Type != ReportOpinion && b.Type != ReportFinal {
		return ErrField
	}
	if len(b.Images) > ImagesMax || len(b.Supersedes) > SupersedesMax || len(b.Attests) > AttestsMax {
		return ErrMany
	}
	for _, i := range b.Images {
		if i.Version == 0 {
			return ErrField
		}
	}
	if b.Blob != nil {
		if err := b.Blob.Check(); err != nil {
			return err
		}
	}
	return first(roundOK(b.Round), when(len(b.Document) == 0, ErrLen), when(b.Consensus != nil && b.Type != ReportFinal, ErrField))
}

func (b *AddendumBody) check() error {
	return first(when(b.Type != AddendumAddition && b.Type != AddendumCorrection, ErrField), needText(b.Text, TextMax), when(b.Significant > 1, ErrField))
}

func (b *CriticalBody) check() error {
	return first(when(b.Category == 0 || b.Category > 3, ErrField), needText(b.Text, TextMax), personsOK(b.Who),
		when(b.DueMS < 0 || b.FoundMS < 0, ErrField), mayText(b.List, NameMax))
}

func (b *AcknowledgeBody) check() error {
	return first(needText(b.ReadBack, TextMax), needText(b.Action, TextMax))
}

func (b *ReceiptBody) check() error {
	if b.Type != ReceiptDelivered && b.Type != ReceiptRead {
		return ErrField
	}
	if len(b.Seen) == 0 || len(b.Seen) > ReceiptRowsMax || !wire.Ascending(b.Seen, func(r *SeenRow) []byte { return r.Device[:] }) {
		return ErrMany
	}
	for _, r := range b.Seen {
		if r.Seq == 0 {
			return ErrField
		}
	}
	return nil
}

func (b *DeclineBody) check() error {
	return first(roundOK(b.Round), when(!declines.has(uint64(b.Reason)), ErrField), mayText(b.Text, TextMax))
}

func (b *AskBody) check() error { return first(personsOK(b.Who), needText(b.Text, TextMax)) }

func (b *HeldBody) check() error {
	return first(when(b.Version == 0, ErrField), when(b.Verified > b.Present || b.Present > b.Expected, ErrField))
}

func (b *TakenBody) check() error { return mayText(b.Action, TextMax) }

func (b *TriageBody) check() error {
	return first(when(!priorities.has(uint64(b.Priority)), ErrField), needText(b.Reason, TextMax))
}

func (b *AttemptBody) check() error {
	return first(needText(b.Method, NameMax), needText(b.Whom, NameMax), needText(b.Result, TextMax))
}

func (b *WrongPatientBody) check() error { return needText(b.Text, TextMax) }

func (b *SealedReadBody) check() error { return roundOK(b.Round) }

func (b *VoteBody) check() error {
	if (b.Choice == VoteReservation || b.Choice == VoteDissent) && strings.TrimSpace(b.Text) == "" {
		return ErrText
	}
	return first(when(!choices.has(uint64(b.Choice)), ErrField), mayText(b.Text, VoteMax), needText(b.Name, NameMax))
}

func (b *ConsensusBody) check() error {
	return first(roundOK(b.Round), needText(b.Text, DraftMax), when(len(b.Panel) == 0, ErrMany), personsOK(b.Panel),
		when(b.Quorum == 0 || b.Quorum > uint64(len(b.Panel)), ErrField))
}

func (b *OutcomeBody) check() error {
	return first(needText(b.Result, TextMax), when(b.Source == 0 || b.Source > 4, ErrField), dateOK(b.Date))
}

// dateOK wants YYYY-MM-DD in digits, or nothing.
func dateOK(s string) error {
	if s == "" {
		return nil
	}
	if len(s) != len("2026-01-31") {
		return ErrField
	}
	for i, c := range []byte(s) {
		if dash := i == 4 || i == 7; dash != (c == '-') || !dash && (c < '0' || c > '9') {
			return ErrField
		}
	}
	return nil
}

func (b *ArchivedBody) check() error {
	if len(b.Objects) > ArchivedMax {
		return ErrMany
	}
	for _, o := range b.Objects {
		if err := first(needText(o.SOPUID, NameMax), needText(o.Class, NameMax), when(o.Stored != 1 && o.Stored != 2, ErrField)); err != nil {
			return err
		}
	}
	return first(needText(b.To, NameMax), when(b.Committed != 1 && b.Committed != 2, ErrField))
}

// imageKnown and imageUnknown are the two forms of an ImageCount.
type imageKnown struct {
	_        struct{} `cbor:",toarray"`
	Manifest [32]byte
	Version  uint64
	Seen     uint64
	Expected uint64
}

type imageUnknown struct {
	_        struct{} `cbor:",toarray"`
	Manifest [32]byte
	Version  uint64
	Seen     uint64
}

// MarshalCBOR writes three or four fields.
func (c ImageCount) MarshalCBOR() ([]byte, error) {
	if c.Expected == nil {
		return wire.Marshal(imageUnknown{Manifest: c.Manifest, Version: c.Version, Seen: c.Seen})
	}
	return wire.Marshal(imageKnown{Manifest: c.Manifest, Version: c.Version, Seen: c.Seen, Expected: *c.Expected})
}

// UnmarshalCBOR reads three or four fields.
func (c *ImageCount) UnmarshalCBOR(b []byte) error {
	const arrayOf4 = 0x84 // RFC 8949 §3.1: major type 4 with four items
	if len(b) > 0 && b[0] == arrayOf4 {
		var k imageKnown
		if err := wire.Unmarshal(b, &k); err != nil {
			return err
		}
		*c = ImageCount{Manifest: k.Manifest, Version: k.Version, Seen: k.Seen, Expected: &k.Expected}
		return nil
	}
	var u imageUnknown
	if err := wire.Unmarshal(b, &u); err != nil {
		return err
	}
	*c = ImageCount{Manifest: u.Manifest, Version: u.Version, Seen: u.Seen}
	return nil
}
