package consult

import (
	"fmt"
	"strings"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// title makes a line of the first words of a question.
func title(question string) string {
	words := strings.Fields(text.Line(question))
	if len(words) <= TitleWords {
		return text.Name(strings.Join(words, " "), TitleMax)
	}
	return text.Name(strings.Join(words[:TitleWords], " ")+" …", TitleMax)
}

// foldPosts lists every entry with what a reader should read.
func (f *fold) foldPosts() {
	marks := map[ledger.EntryID]*Mark{}
	for i := range f.s.Marks {
		marks[f.s.Marks[i].Entry] = &f.s.Marks[i]
	}
	f.s.Posts = make([]Post, 0, len(f.items))
	for _, it := range f.items {
		e := it.e
		p := Post{
			Entry: e.ID, Kind: e.Kind, Author: e.Person, Device: e.Device, Seq: e.Seq, TimeMS: e.ClaimedMS, Lamport: e.Lamport,
			InForce: it.force, Retracted: it.retracted, Unknown: it.unknown, Beyond: it.limited,
		}
		if m := marks[e.ID]; m != nil {
			p.Anchor, p.Edited, p.Retracted = m.anchor(), len(m.Edits) > 0, m.Removed
			p.Text = m.Label
		} else {
			f.describe(it, &p)
		}
		if p.ReplyTo != nil && p.Anchor == nil {
			if m := marks[*p.ReplyTo]; m != nil {
				p.Anchor = m.anchor()
			}
		}
		f.s.Posts = append(f.s.Posts, p)
	}
}

// unknownText stands for a body that this version cannot read.
const unknownText = "Needs a newer curbside."

// describe fills in what is to be read. A retracted text is not shown.
func (f *fold) describe(it *item, p *Post) {
	switch {
	case it.e.Chain == ledger.Control:
		p.Text, p.Persons = control(it.e)
		return
	case it.unknown:
		p.Text = unknownText
		return
	case it.body == nil || it.retracted:
		return
	}
	switch b := it.body.(type) {
	case *MessageBody:
		p.Text, p.ReplyTo = b.Text, b.ReplyTo
		if it.edited != nil {
			p.Text, p.Edited = it.edited.body.(*EditBody).Text, true
		}
	case *EditBody:
		p.Text, p.ReplyTo = f.unlessRetracted(b.Message, b.Text), &b.Message
	case *RetractBody:
		p.Text, p.ReplyTo = b.Reason, &b.Message
	case *MarkBody:
		p.Text = b.Label // not in force: no mark
	case *MarkEditBody:
		p.Text, p.ReplyTo = b.Label, &b.Mark
	case *MarkRemoveBody:
		p.Text, p.ReplyTo = "Removed a mark.", &b.Mark
	case *ReportBody:
		if o := f.opinionOf[it.e.ID]; o.doc != nil {
			p.Text = o.doc.Text
		} else {
			p.Text, p.Unknown = unknownText, true
		}
	case *AddendumBody:
		p.Text, p.ReplyTo = b.Text, &b.Report
	case *CriticalBody:
		p.Text, p.ReplyTo, p.Persons = b.Text, &b.Of, b.Who
	case *AcknowledgeBody:
		p.Text, p.ReplyTo = lines("Read back: "+b.ReadBack, "Action: "+b.Action), &b.Critical
	case *AskBody:
		p.Text, p.Persons = b.Text, b.Who
	case *TakenBody:
		p.Text, p.ReplyTo = lines("Acknowledged the report.", b.Action), &b.Report
	case *VoteBody:
		p.Text, p.ReplyTo = lines(fmt.Sprintf("Voted: %s.", choiceWords[b.Choice]), b.Text), &b.Consensus
	case *ConsensusBody:
		p.Text, p.Persons = b.Text, b.Panel
	case *AttemptBody:
		p.Text, p.ReplyTo = fmt.Sprintf("Tried to reach %s by %s: %s", b.Whom, b.Method, b.Result), &b.Critical
	case *AssignBody:
		p.Text, p.Persons = fmt.Sprintf("Assigned %s.", count(len(b.Persons), "person", "persons")), b.Persons
	default:
		p.Text = sentence(b)
	}
}

func (f *fold) unlessRetracted(message ledger.EntryID, s string) string {
	if m := f.find(message); m != nil && m.retracted {
		return ""
	}
	return s
}

// sentence says in words what has little text of its own.
func sentence(body any) string {
	switch b := body.(type) {
	case *RequestBody:
		return b.Question
	case *GrantBody:
		return fmt.Sprintf("Shared a study: %s in %s (version %d).", count(int(min(b.Counts.Instances, 1<<31)), "image", "images"),
			count(int(min(b.Counts.Series, 1<<31)), "series", "series"), b.Version)
	case *StatusBody:
		return statusText(b)
	case *DeclineBody:
		return lines(fmt.Sprintf("Declined: %s.", declineWords[b.Reason]), b.Text)
	case *ReceiptBody:
		if b.Type == ReceiptRead {
			return "Seen."
		}
		return "Delivered."
	case *HeldBody:
		return fmt.Sprintf("Holds %d of %d images, %d verified.", b.Present, b.Expected, b.Verified)
	case *TriageBody:
		return fmt.Sprintf("Set the priority to %s: %s", b.Priority, b.Reason)
	case *WrongPatientBody:
		return "Wrong patient, do not use: " + b.Text
	case *SealedReadBody:
		if b.Commitment == nil {
			return "Asked for the reads to be opened."
		}
		return "Sealed a read."
	case *OutcomeBody:
		return lines(b.Result, b.Date)
	case *ArchivedBody:
		return fmt.Sprintf("Archived %s to %s.", count(len(b.Objects), "object", "objects"), b.To)
	default:
		return ""
	}
}

var choiceWords = map[Choice]string{
	VoteAgree: "agrees", VoteReservation: "agrees with a reservation", VoteDissent: "dissents", VoteAbstain: "abstains",
}

var declineWords = map[Decline]string{
	DeclineSpecialty: "another specialty is needed", DeclineConflict: "conflict of interest", DeclineUnavailable: "not available",
	DeclineLicence: "not licensed for this", DeclineQuality: "the images do not allow an answer", DeclineOther: "another reason",
}

func statusText(b *StatusBody) string {
	switch b.Stage {
	case StageAsked:
		return lines(fmt.Sprintf("Reopened the case, round %d.", b.Round), b.Why)
	case StageAccepted:
		return "Accepted the case."
	case StageReading:
		return "Is reading."
	case StageClosed:
		return lines("Closed the case.", b.Why)
	case StageWithdrawn:
		return lines("Withdrew the request.", b.Why)
	default:
		return ""
	}
}

// control says what a control entry does, and to whom.
func control(e *ledger.Entry) (string, []identity.PersonID) {
	switch e.Kind {
	case ledger.Create:
		return "Started the case.", nil
	case ledger.Role:
		b := roleBody(e)
		if b == nil {
			return "", nil
		}
		return roleText(e, b), []identity.PersonID{b.Person}
	case ledger.Device:
		return "Added a device.", nil
	case ledger.Revoke:
		return "Revoked a device.", nil
	case ledger.Epoch:
		return "Made new keys.", nil
	case ledger.Admit:
		return "Admitted entries that were quarantined.", nil
	case ledger.Fork:
		return "Reported a device with two histories.", nil
	default:
		return "", nil
	}
}

func roleText(e *ledger.Entry, b *ledger.RoleBody) string {
	switch {
	case b.Rank == ledger.RankNone && b.Person == e.Person:
		return "Left the case."
	case b.Rank == ledger.RankNone:
		return "Removed a member."
	default:
		return fmt.Sprintf("Made a member %s.", RoleName(b.Rank))
	}
}

// roleBody reads the body of a role entry, nil if it is none.
func roleBody(e *ledger.Entry) *ledger.RoleBody {
	if e.Kind != ledger.Role {
		return nil
	}
	b := &ledger.RoleBody{}
	if err := wire.Unmarshal(e.Body, b); err != nil {
		return nil // the ledger has read it before
	}
	return b
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func lines(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "\n")
}
