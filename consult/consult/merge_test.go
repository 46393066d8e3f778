package consult

import (
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

func post(t *testing.T, s *State, id ledger.EntryID) Post {
	t.Helper()
	p, ok := s.Post(id)
	if !ok {
		t.Fatal("no such post")
	}
	return p
}

func TestMessageMerges(t *testing.T) {
	w, anna, ben, cleo, dora, _ := asked(t, false)
	m := ben.post(ledger.Message, MessageBody{Text: "one"})
	w.level()
	ben.post(ledger.Edit, EditBody{Message: m, Text: "two"})
	cleo.post(ledger.Edit, EditBody{Message: m, Text: "not hers"})
	w.level()
	if p := post(t, anna.fold(), m); p.Text != "two" || !p.Edited || p.Retracted {
		t.Errorf("after the edit: %+v", p)
	}
	cleo.post(ledger.Retract, RetractBody{Message: m, Reason: "not hers either"})
	w.level()
	if p := post(t, anna.fold(), m); p.Retracted {
		t.Error("retracted by another consultant")
	}
	before := anna.fold().Hash()
	ben.post(ledger.Edit, EditBody{Message: m, Text: "three"}) // crosses
	dora.post(ledger.Retract, RetractBody{Message: m, Reason: "names the patient"})
	w.level()
	s := anna.fold()
	if p := post(t, s, m); p.Text != "" || p.Edited || !p.Retracted {
		t.Errorf("after the retraction: %+v", p)
	}
	for _, p := range s.Posts {
		if p.Kind == ledger.Edit && p.ReplyTo != nil && *p.ReplyTo == m && p.Text != "" && p.Author == ben.id() {
			t.Errorf("an edit of a retracted message shows %q", p.Text)
		}
	}
	if s.Hash() == before {
		t.Error("the hash does not know of the retraction")
	}
	// who erased what was retracted and who did not see one state
	for _, p := range s.Posts {
		if p.Entry == m || p.Kind == ledger.Edit {
			if _, err := anna.t.Erase(p.Entry); err != nil {
				t.Fatal(err)
			}
		}
	}
	if anna.fold().Hash() != ben.fold().Hash() {
		t.Error("erasing changes the hash")
	}
}

func TestMarkMerges(t *testing.T) {
	w, anna, ben, cleo, _, _ := asked(t, false)
	m := ben.post(ledger.Mark, markBody(1))
	w.level()
	edit := func(by *actor, x float64) ledger.EntryID {
		b := markBody(x)
		return by.post(ledger.MarkEdit, MarkEditBody{Mark: m, Geometry: b.Geometry, Label: "edited"})
	}
	edit(cleo, 5)
	reply := anna.post(ledger.Message, MessageBody{Text: "this one?", ReplyTo: &m})
	w.level()
	s := anna.fold()
	if p := post(t, s, m); p.Edited || p.Anchor == nil || p.Anchor.Points[0] != [2]float64{1, 2} || p.Anchor.Frame != 0 || p.Text != "nodule" {
		t.Errorf("edited by another: %+v %+v", p, p.Anchor)
	}
	if p := post(t, s, reply); p.Anchor == nil || p.Anchor.SOPUID != "1.2.3" {
		t.Error("a reply to a mark has no anchor")
	}
	x := edit(ben, 7)
	w.level()
	if p := post(t, anna.fold(), m); !p.Edited || p.Anchor.Points[0][0] != 7 || p.Text != "edited" {
		t.Errorf("not edited by its author: %+v", p)
	}
	if mark := anna.fold().Marks[0]; !slices.Equal(mark.Edits, []ledger.EntryID{x}) {
		t.Errorf("acting edits: %v", mark.Edits)
	}
	ben.post(ledger.MarkRemove, MarkRemoveBody{Mark: m})
	w.level()
	if !anna.fold().Marks[0].Removed || !post(t, ben.fold(), m).Retracted {
		t.Error("not removed")
	}
}

// TestMarkEditsAtOnce makes two edits of one author that do not know of each
// other, which takes two devices.
func TestMarkEditsAtOnce(t *testing.T) {
	a, b, c := &item{k: &known{place: 0}}, &item{k: &known{place: 1}}, &item{k: &known{place: 2}}
	a.k.upTo = past(nil).with(0)
	b.k.upTo = a.k.upTo.with(1)
	c.k.upTo = a.k.upTo.with(2)
	if got := maximal([]*item{a, b, c}); !slices.Equal(got, []*item{b, c}) {
		t.Errorf("%d maximal, want the two that came after the first", len(got))
	}
	if !concurrent(b, c) || concurrent(a, b) || !precedes(a, c) || precedes(c, a) {
		t.Error("who came before whom is wrong")
	}
	if got := b.k.upTo.join(c.k.upTo); !got.has(0) || !got.has(1) || !got.has(2) || got.has(64) {
		t.Error("a union lacks something")
	}
}

func TestGrants(t *testing.T) {
	w, anna, ben, _, _, _ := asked(t, false)
	ctx, err := Context{Priors: [][16]byte{{2}}, Form: map[string]string{"side": "left"}, ReplyTo: "555"}.Encode()
	w.must(err)
	anna.post(ledger.Request, RequestBody{Question: "And the\nprior?", Priority: PriorityStat, Consent: ConsentOther, Context: ctx, NeededByMS: 5})
	anna.post(ledger.Grant, grantBody(2, 1))
	anna.post(ledger.Grant, grantBody(1, 3))
	anna.post(ledger.Grant, grantBody(1, 2)) // late, and not acting
	w.level()
	ben.post(ledger.Grant, grantBody(1, 9)) // not his to replace
	ben.post(ledger.Grant, grantBody(3, 1))
	w.level()
	s := ben.fold()
	var got []uint64
	for _, g := range s.Grants {
		got = append(got, uint64(g.Lineage[0])*10+g.Version)
	}
	if !slices.Equal(got, []uint64{13, 21, 31}) || len(s.AllGrants) != 5 {
		t.Errorf("grants %v, %d in all", got, len(s.AllGrants))
	}
	if s.Grants[0].Prior || !s.Grants[1].Prior {
		t.Error("priors are not told apart")
	}
	if s.Title != "And the prior?" || s.Priority != "stat" || s.NeededByMS != 5 || s.Request.Context.Form["side"] != "left" {
		t.Errorf("request: %q %s %d %+v", s.Title, s.Priority, s.NeededByMS, s.Request)
	}
}

// TestLineageTakenOver has a writer grant an owner's lineage, pretending to
// have seen less than the owner had.
func TestLineageTakenOver(t *testing.T) {
	w, anna, ben, _, _, _ := newWorld(t, false)
	anna.post(ledger.Request, goodRequest)
	anna.post(ledger.Message, MessageBody{Text: "one moment"})
	g := anna.post(ledger.Grant, grantBody(1, 1))
	ben.post(ledger.Grant, grantBody(1, 99))
	w.level()
	if s := anna.fold(); len(s.Grants) != 1 || s.Grants[0].Entry != g {
		t.Error("the owner's study was replaced")
	}
}

func TestReceipts(t *testing.T) {
	w, anna, ben, cleo, _, otto := asked(t, false)
	s := anna.fold()
	if s.DeliveredTo(ben.id()) || s.SeenBy(ben.id()) || !s.DeliveredTo(anna.id()) {
		t.Error("before any receipt")
	}
	if n := len(Unseen(ben.fold(), ben.id())); n != 3 {
		t.Errorf("%d unseen, want request, grant and assignment", n)
	}
	if !ben.receipt(ReceiptDelivered) || ben.receipt(ReceiptDelivered) {
		t.Error("want one receipt, then silence")
	}
	w.level()
	s = anna.fold()
	if !s.DeliveredTo(ben.id()) || s.SeenBy(ben.id()) || s.DeliveredTo(cleo.id()) {
		t.Error("after ben's delivery")
	}
	ben.receipt(ReceiptRead)
	w.level()
	if s = anna.fold(); !s.SeenBy(ben.id()) || s.State != StateSeen || len(Unseen(s, ben.id())) != 0 {
		t.Error("after ben read")
	}
	otto.receipt(ReceiptRead)
	anna.post(ledger.Message, MessageBody{Text: "one more"})
	w.level()
	if s = anna.fold(); s.DeliveredTo(ben.id()) || s.SeenBy(ben.id()) || s.State != StateSeen {
		t.Error("after one more message")
	}
	quiet(w)
	if !anna.fold().SeenBy(otto.id()) {
		t.Error("an observer's receipts do not count for the observer")
	}
	if _, ok := NewReceipt(anna.fold(), anna.t, identity.DeviceID{1}, ReceiptRead); ok {
		t.Error("a receipt for a stranger's device")
	}
}

func TestPosts(t *testing.T) {
	w, anna, ben, cleo, dora, _ := asked(t, false)
	anna.post(99, MessageBody{Text: "from the future"})
	anna.post(ledger.Status, MessageBody{Text: "not a status"})
	r := ben.final("Benign.")
	for _, p := range []struct {
		by   *actor
		kind ledger.Kind
		body any
		want string
	}{
		{ben, ledger.Decline, DeclineBody{Round: 1, Reason: DeclineQuality, Text: "motion"}, "Declined: the images do not allow an answer.\nmotion"},
		{ben, ledger.Status, StatusBody{Round: 1, Stage: StageReading}, "Is reading."},
		{dora, ledger.Triage, TriageBody{Priority: PriorityUrgent, Reason: "fever"}, "Set the priority to urgent: fever"},
		{ben, ledger.Outcome, OutcomeBody{Result: "benign", Source: 1, Date: "2026-02-01"}, "benign\n2026-02-01"},
		{cleo, ledger.Held, HeldBody{Version: 1, Present: 3, Expected: 4, Verified: 3}, "Holds 3 of 4 images, 3 verified."},
		{cleo, ledger.Archived, ArchivedBody{To: "PACS", Committed: 1, Objects: []ArchivedObject{{SOPUID: "1", Class: "2", Stored: 2}}}, "Archived 1 object to PACS."},
	} {
		id := p.by.post(p.kind, p.body)
		if got := post(t, p.by.fold(), id); got.Text != p.want || got.Kind != p.kind || got.Author != p.by.id() || got.Unknown {
			t.Errorf("%s: %q", p.kind, got.Text)
		}
	}
	w.level()
	s := anna.fold()
	if len(s.Posts) != len(anna.t.Entries()) {
		t.Error("not every entry is shown")
	}
	unknown := 0
	for i, p := range s.Posts {
		if p.Unknown {
			unknown++
			if p.Text != unknownText {
				t.Errorf("unknown entry shows %q", p.Text)
			}
		}
		if p.Kind == ledger.Role && len(p.Persons) != 1 || p.Kind == ledger.Assign && len(p.Persons) != 2 {
			t.Error("who a post is about is not told")
		}
		if i > 0 && s.Posts[i-1].Lamport > p.Lamport {
			t.Error("not in display order")
		}
	}
	if unknown != 2 {
		t.Errorf("%d unknown entries, want 2", unknown)
	}
	if p := post(t, s, r); p.Text != "Benign." {
		t.Errorf("report shows %q", p.Text)
	}
}

func TestRemovedMember(t *testing.T) {
	w, anna, ben, _, _, _ := asked(t, false)
	anna.invite(ben, ledger.RankNone)
	late := ben.final("Too late.") // ben has not heard of it
	w.give(ben, anna)
	s := anna.fold()
	if s.State != StateAsked {
		t.Errorf("state %s", s.State)
	}
	r, ok := s.Report(late)
	if p := post(t, s, late); !ok || r.Valid || p.InForce {
		t.Error("a report after removal is in force")
	}
	m, _ := s.Member(ben.id())
	if m.Role != RoleRemoved || m.Assigned || m.Primary {
		t.Errorf("member %+v", m)
	}
	if s.DeliveredTo(ben.id()) {
		t.Error("delivered to the removed")
	}
}

// TestForeignDocument carries a document of another case, and one by another
// hand: shown, but not valid.
func TestForeignDocument(t *testing.T) {
	w, anna, ben, cleo, _, _ := asked(t, false)
	b := ben.sign(2, "Benign.")
	id := cleo.post(ledger.Report, b)
	w.level()
	if r, _ := anna.fold().Report(id); r.Valid || anna.fold().State != StateAsked {
		t.Error("cleo signed ben's words")
	}
}

func TestTitle(t *testing.T) {
	for _, tt := range []struct{ question, want string }{
		{"Is it?", "Is it?"},
		{" Is\n\tit\x1b[2J? ", "Is it[2J?"},
		{"one two three four five six seven eight nine ten eleven", "one two three four five six seven eight nine ten …"},
		{strings.Repeat("x", 200), strings.Repeat("x", TitleMax-1) + "…"},
	} {
		if got := title(tt.question); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
