package consult

import (
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// The safety rules of FIELD §6 as far as the record of a case can hold them;
// each is named after its number. F5 and F15 are in alarm_test and clock_test,
// F1, F11, F17, F20, F23 and F28 in consult/form too.

// TestF01WrongPatient: locked on every node that hears it, opinions and all,
// until an owner shares another study and opens a new round.
func TestF01WrongPatient(t *testing.T) {
	w, anna, ben, cleo, _, otto := asked(t, false)
	ben.final("Benign.")
	cleo.post(ledger.WrongPatient, WrongPatientBody{Lineage: [16]byte{1}, Text: "another birth date"}) // crosses
	w.want(StateQuarantined)
	for _, a := range []*actor{anna, ben, otto} {
		if s := a.fold(); !s.Grants[0].Quarantined || !s.AllGrants[0].Quarantined {
			t.Errorf("%s may show the pixels", a.name)
		}
	}
	allowed(t, anna.may(ledger.Grant, grantBody(1, 2)), "wrong patient")
	allowed(t, ben.may(ledger.Report, ben.sign(2, "x")), "quarantined")
	anna.stage(2, StageAsked)
	w.want(StateQuarantined)
	anna.post(ledger.Grant, grantBody(2, 1))
	w.want(StateAsked)
	anna.post(ledger.Grant, grantBody(1, 3)) // the wrong one again
	if s := anna.fold(); !s.Grants[0].Quarantined {
		t.Error("a new version unlocks the wrong patient")
	}
}

// TestF02CurrentAndPrior: each study has its role, and the opinion pins what it
// is about.
func TestF02CurrentAndPrior(t *testing.T) {
	_, anna, ben, _, _, _ := asked(t, true)
	ctx, err := Context{Priors: [][16]byte{{2}}}.Encode()
	anna.w.must(err)
	b := goodRequest
	b.Context = ctx
	anna.post(ledger.Request, b)
	anna.post(ledger.Grant, grantBody(2, 1))
	if g := anna.fold().Grants; g[0].Prior || !g[1].Prior {
		t.Error("current and prior are not told apart")
	}
	r := ben.sign(report.Final, "No.")
	r.Images = r.Images[:1]
	allowed(t, ben.may(ledger.Report, r), "not about this case")
}

// TestF03PartShownAsWhole: what is not known to be whole is never stored as that.
func TestF03PartShownAsWhole(t *testing.T) {
	_, anna, ben, _, _, _ := asked(t, true)
	doc := &report.Document{
		Format: report.Format, Text: "No.", Status: report.Final, Case: anna.w.id, Round: 1, Name: "Ben", Author: ben.id(), SignedMS: 1,
		Images: []report.Image{{Manifest: grantBody(1, 1).Manifest.ID, Version: 1, Label: "CT", Listed: 60, Seen: 54}},
	}
	b, err := NewReport(doc, nil, nil)
	anna.w.must(err)
	ben.post(ledger.Report, b)
	got, _ := anna.fold().Newest()
	if i := got.Images[0]; i.Seen != 54 || i.Expected != nil {
		t.Errorf("pinned %+v", i)
	}
	if s := report.Text(got.Document, report.Later{}); !strings.Contains(s, "54 of 60") || !strings.Contains(s, "INCOMPLETE") {
		t.Errorf("shown as whole:\n%s", s)
	}
	lie := *b
	lie.Images = []ImageCount{{Manifest: doc.Images[0].Manifest, Version: 1, Seen: 60}}
	if r, _ := anna.fold().Report(ben.post(ledger.Report, &lie)); r.Valid {
		t.Error("an entry that says more than its document is valid")
	}
	for _, h := range []HeldBody{{Version: 1, Present: 61, Expected: 60}, {Version: 1, Present: 50, Expected: 60, Verified: 51}} {
		if err := Authorize(anna.fold(), ben.id(), ledger.Held, h); err == nil {
			t.Errorf("%+v may be posted", h)
		}
	}
}

// TestF04LateImages: an opinion before late images is stale until its author
// settles it.
func TestF04LateImages(t *testing.T) {
	w, anna, ben, cleo, _, _ := asked(t, false)
	r := ben.final("No.")
	anna.post(ledger.Grant, grantBody(1, 2)) // crosses
	w.want(StateAnswered, FlagStale)
	cleo.post(ledger.Addendum, AddendumBody{Report: r, Type: AddendumAddition, Text: "unchanged"}) // not hers to say
	w.want(StateAnswered, FlagStale)
	ben.post(ledger.Addendum, AddendumBody{Report: r, Type: AddendumAddition, Text: "unchanged"})
	w.want(StateAnswered, FlagAmended)
	anna.post(ledger.Grant, grantBody(2, 1)) // another study
	w.want(StateAnswered, FlagAmended, FlagStale)
}

// TestF06StaleOpinion: after an addendum the old version cannot be acknowledged,
// and what was acknowledged is open again.
func TestF06StaleOpinion(t *testing.T) {
	w, anna, ben, _, _, _ := asked(t, false)
	r := ben.final("Benign.")
	w.level()
	anna.post(ledger.Taken, TakenBody{Report: r})
	w.want(StateAcknowledged)
	a := ben.post(ledger.Addendum, AddendumBody{Report: r, Type: AddendumCorrection, Text: "malignant", Significant: 1})
	w.want(StateAnswered, FlagAmended)
	allowed(t, anna.may(ledger.Taken, TakenBody{Report: r}), "newer version")
	if x, _ := anna.fold().Report(a); !x.Significant || !x.Correction {
		t.Errorf("addendum %+v", x)
	}
	if n, _ := anna.fold().Newest(); n.Entry != a {
		t.Error("the newest is not what is to be acknowledged")
	}
	n := ben.final("Malignant.", r)
	w.level()
	allowed(t, anna.may(ledger.Taken, TakenBody{Report: a}), "newer version")
	anna.post(ledger.Taken, TakenBody{Report: n})
	w.want(StateAcknowledged, FlagAmended)
}

// TestF07Preliminary: never taken for final, by nobody's action.
func TestF07Preliminary(t *testing.T) {
	w, anna, ben, _, _, _ := asked(t, false)
	r := ben.opine("Probably benign.")
	w.want(StatePreliminary)
	allowed(t, anna.may(ledger.Taken, TakenBody{Report: r}), "preliminary")
	allowed(t, anna.may(ledger.Status, status(1, StageClosed)), "no final report")
	anna.post(ledger.Taken, TakenBody{Report: r})
	anna.stage(1, StageReading)
	w.want(StatePreliminary)
	x, _ := anna.fold().Report(r)
	if x.Status != StatusPreliminary || !strings.Contains(report.Text(x.Document, report.Later{}), "PRELIMINARY") {
		t.Errorf("status %s", x.Status)
	}
	if _, ok := anna.fold().Newest(); ok {
		t.Error("a preliminary opinion is to be acknowledged")
	}
}

// TestF08SilentNonDelivery: delivered is the recipient's word alone, and its
// clock runs on the requester's node until then.
func TestF08SilentNonDelivery(t *testing.T) {
	p := newPlay(t)
	p.otto.receipt(ReceiptRead) // somebody has it, but not who is asked
	s := p.anna.fold()
	if s.State != StateAsked {
		t.Fatalf("state %s", s.State)
	}
	late := s.Alarms(Clock{NowMS: s.Times.AskedMS + day + minute})
	if !slices.ContainsFunc(late, func(a Alarm) bool {
		return a.What == DueDelivered && slices.Contains(a.For, p.anna.id()) && a.Has(ActOffer)
	}) {
		t.Errorf("the requester is not told: %s", p.said(late))
	}
	p.ben.receipt(ReceiptDelivered)
	s = p.anna.fold()
	if s.State != StateDelivered || s.SeenBy(p.ben.id()) {
		t.Error("delivered is not delivered, or is seen")
	}
}

// TestF09LossyInValues: how a value was measured goes with it, and a mark's
// place names the very pixels.
func TestF09LossyInValues(t *testing.T) {
	if (Values{{Name: "length", Thousandths: 1, Unit: "mm", Calibration: strings.Repeat("x", NameMax+1)}}).check() == nil {
		t.Error("no limit")
	}
	_, anna, ben, _, _, _ := asked(t, true)
	b := markBody(1)
	raw, err := Values{{Name: "length", Thousandths: 12_000, Unit: "mm", Calibration: "pixel spacing, lossy"}}.Encode()
	anna.w.must(err)
	b.Values, b.Place.SHA256 = raw, [32]byte{1}
	ben.post(ledger.Mark, b)
	if m := anna.fold().Marks[0]; m.Values[0].Calibration != "pixel spacing, lossy" || m.Place.SHA256 != [32]byte{1} {
		t.Errorf("mark %+v", m)
	}
}

// TestF16HandOver: one acting primary; the first still has the case until the
// accept, also across a partition; a case with none is an orphan and alarms.
func TestF16HandOver(t *testing.T) {
	w, anna, ben, cleo, _, _ := asked(t, false)
	emil := w.person("emil")
	anna.invite(emil, ledger.RankWriter)
	w.level()
	primary := func() string {
		t.Helper()
		w.level()
		var out []string
		for _, m := range anna.fold().Members {
			if m.Primary {
				for _, a := range w.all {
					if a.id() == m.Person {
						out = append(out, a.name)
					}
				}
			}
		}
		return strings.Join(out, " ")
	}
	ben.stage(1, StageAccepted)
	w.level()
	ben.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{emil.id()}})
	if got := primary(); got != "ben" {
		t.Fatalf("before the accept: %s", got)
	}
	s := anna.fold()
	if !slices.Equal(s.HandingTo, []identity.PersonID{emil.id()}) || s.State != StateAccepted || s.Orphan() {
		t.Errorf("handing to %v in %s", short(s.HandingTo), s.State)
	}
	if m, _ := s.Member(cleo.id()); m.Assigned {
		t.Error("cleo, who had not accepted, is still assigned")
	}
	d := slices.IndexFunc(s.DueAt(Clock{NowMS: w.nowMS}), func(d Due) bool { return d.What == DueHandOver })
	if d < 0 {
		t.Error("nobody waits for the accept")
	}
	if m := (&Memory{broken: broken{handsOver: true}}).Fold(anna.t); len(m.Assigned) != 1 {
		t.Error("without the rule nobody would notice")
	}
	allowed(t, ben.may(ledger.Report, ben.sign(2, "No.")), "")
	allowed(t, emil.may(ledger.Status, status(1, StageAccepted)), "")
	emil.stage(1, StageAccepted)
	signed := ben.final("No.") // crosses the accept: ben had the case as he knew
	if got := primary(); got != "emil" {
		t.Errorf("after the accept: %s", got)
	}
	if r, _ := anna.fold().Report(signed); !r.Counts {
		t.Error("what ben signed before he heard of the accept does not count")
	}
	allowed(t, ben.may(ledger.Status, status(1, StageReading)), "not assigned")
	w.want(StateAnswered)

	// an orphan: all decline, or who has it is removed
	_, anna, ben, cleo, dora, _ := asked(t, true)
	ben.post(ledger.Decline, DeclineBody{Round: 1, Reason: DeclineUnavailable})
	if anna.fold().Orphan() {
		t.Error("cleo still has it")
	}
	anna.invite(cleo, ledger.RankNone)
	s = anna.fold()
	if !s.Orphan() || !slices.ContainsFunc(s.Alarms(Clock{NowMS: 1}), func(a Alarm) bool { return a.What == DueOrphan && slices.Equal(a.For, []identity.PersonID{anna.id()}) }) {
		t.Error("nobody has the case, and its requester is not told")
	}
	dora.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{dora.id()}})
	if anna.fold().Orphan() {
		t.Error("dora has it")
	}
}

// TestF17Impersonation: a document by another hand, or of another case, is
// shown as not valid, and a stranger posts nothing.
func TestF17Impersonation(t *testing.T) {
	w, anna, ben, cleo, _, _ := asked(t, false)
	stolen := ben.sign(2, "Benign.")
	id := cleo.post(ledger.Report, stolen)
	w.level()
	if r, _ := anna.fold().Report(id); r.Valid || r.Counts {
		t.Error("cleo speaks as ben")
	}
	allowed(t, cleo.may(ledger.Report, stolen), "not by you")
	stranger := w.person("emil")
	if err := Authorize(anna.fold(), stranger.id(), ledger.Message, MessageBody{Text: "x"}); err == nil {
		t.Error("a stranger may post")
	}
}

// TestF19ExMember: what the removed post after it has no effect, and what goes
// on is not delivered to them.
func TestF19ExMember(t *testing.T) {
	w, anna, ben, cleo, _, _ := asked(t, false)
	ben.stage(1, StageAccepted)
	w.level()
	anna.invite(ben, ledger.RankNone)
	anna.post(ledger.Message, MessageBody{Text: "without ben"})
	w.give(anna, cleo)
	for _, it := range anna.t.Missing(ben.t.Rows()) {
		if _, err := ben.t.Receive(it.Sealed, []ledger.Local{ben.local}); err != nil {
			t.Fatal(err)
		}
	}
	if slices.ContainsFunc(ben.fold().Posts, func(p Post) bool { return p.Text == "without ben" }) {
		t.Error("the removed reads what came after")
	}
	w.give(ben, anna)
	if s := anna.fold(); s.DeliveredTo(ben.id()) || s.State != StateAsked {
		t.Errorf("state %s", s.State)
	}
	allowed(t, ben.may(ledger.Message, MessageBody{Text: "x"}), "not a member")
}

// TestF21Trainee: a trainee's final is refused by the author's node, and has no
// effect on a node that knows the attestation, whatever other software posts;
// all nodes have one hash all the same.
func TestF21Trainee(t *testing.T) {
	w, anna, ben, cleo, _, _ := asked(t, false)
	roles := func(p identity.PersonID) Attested {
		if p == ben.id() {
			return AttestedAs(identity.RoleClinician, identity.RoleTrainee)
		}
		return AttestedNone
	}
	m := &Memory{Roles: roles}
	s := m.Fold(ben.t)
	allowed(t, Authorize(s, ben.id(), ledger.Report, ben.sign(2, "No.")), "as trainee you may not sign a final report")
	allowed(t, Authorize(s, ben.id(), ledger.Report, ben.sign(1, "No.")), "")
	allowed(t, Authorize(s, ben.id(), ledger.Status, status(1, StageAccepted)), "as trainee")
	id := ben.final("No.")
	ben.stage(1, StageAccepted)
	w.level()
	s = (&Memory{Roles: roles}).Fold(anna.t)
	r, _ := s.Report(id)
	if s.State != StateAsked || r.Counts || !r.Beyond || !post(t, s, id).Beyond {
		t.Errorf("%s, report %+v", s.State, r)
	}
	if x, ok := s.Newest(); ok && x.Counts {
		t.Error("to be acknowledged")
	}
	unknowing := cleo.fold()
	if unknowing.State != StateAnswered || unknowing.Hash() != s.Hash() {
		t.Error("what a node knows of attestations changes the hash")
	}
	d, err := report.Decode(cleo.sign(2, "I agree.").Document)
	w.must(err)
	d.DraftedBy = "Ben, trainee"
	b, err := NewReport(d, nil, nil)
	w.must(err)
	c := cleo.post(ledger.Report, b)
	w.level()
	s = (&Memory{Roles: roles}).Fold(anna.t)
	if r, _ := s.Report(c); s.State != StateAnswered || !r.Counts || r.Document.DraftedBy == "" {
		t.Errorf("the co-signed final in %s: %+v", s.State, r)
	}
}

// TestF22WrongCase: a document names case, round, question and author; one that
// names another is refused and has no effect.
func TestF22WrongCase(t *testing.T) {
	_, anna, ben, _, _, _ := asked(t, true)
	for _, change := range []func(d *report.Document){
		func(d *report.Document) { d.Case[0]++ },
		func(d *report.Document) { d.Author = anna.id() },
		func(d *report.Document) { d.Round++ },
		func(d *report.Document) { d.Images[0].Manifest[0]++ },
	} {
		b := ben.sign(report.Final, "No.")
		d, err := report.Decode(b.Document)
		anna.w.must(err)
		change(d)
		b.Document, err = report.Encode(d)
		anna.w.must(err)
		allowed(t, ben.may(ledger.Report, b), "not about this case")
		if r, _ := anna.fold().Report(ben.post(ledger.Report, b)); r.Valid || r.Counts {
			t.Error("a document of another case counts")
		}
	}
}

// TestF26NoticeNamesNothing: what names a case in a notice holds no word of it. String
// is what a log or notice may print.
func TestF26NoticeNamesNothing(t *testing.T) {
	_, anna, _, _, _, _ := asked(t, true)
	s := anna.fold()
	if got := s.String(); got != "case "+s.Case.String() || strings.Contains(got, "nodule") {
		t.Errorf("says %q", got)
	}
	for _, a := range s.Alarms(Clock{NowMS: s.Times.AskedMS + 10*day}) {
		if strings.Contains(a.What+strings.Join(a.Acts, ""), "nodule") {
			t.Errorf("alarm %+v", a)
		}
	}
	err := Authorize(s, anna.id(), ledger.Message, MessageBody{Text: strings.Repeat("Jane Doe ", TextMax)})
	if err == nil || strings.Contains(err.Error(), "Jane") {
		t.Errorf("a refusal repeats the text: %v", err)
	}
}

// TestDelegate: who a request names for it may take reports; nobody else may.
func TestDelegate(t *testing.T) {
	_, anna, ben, _, dora, _ := asked(t, true)
	r := ben.final("No.")
	allowed(t, dora.may(ledger.Taken, TakenBody{Report: r}), "only the requester")
	ctx, err := Context{Delegates: []identity.PersonID{dora.id()}}.Encode()
	anna.w.must(err)
	b := goodRequest
	b.Context = ctx
	anna.post(ledger.Request, b)
	allowed(t, dora.may(ledger.Taken, TakenBody{Report: r}), "")
	dora.post(ledger.Taken, TakenBody{Report: r})
	anna.w.want(StateAcknowledged)
	allowed(t, dora.may(ledger.Status, status(1, StageClosed)), "")
}

// TestWithdrawnAfter: a withdrawal after an opinion changes nothing about it (G7).
func TestWithdrawnAfter(t *testing.T) {
	_, anna, ben, _, _, _ := asked(t, true)
	ben.opine("Probably.")
	allowed(t, anna.may(ledger.Status, status(1, StageWithdrawn)), "")
	anna.stage(1, StageWithdrawn)
	if s := anna.fold(); s.State != StateWithdrawn || !s.WithdrawnAfter || !s.Reports[0].Valid {
		t.Errorf("%s, after an opinion %v", s.State, s.WithdrawnAfter)
	}
	_, anna, ben, _, _, _ = asked(t, true)
	r := ben.final("No.")
	anna.stage(1, StageWithdrawn) // by other software
	s := anna.fold()
	if s.State != StateWithdrawn || !s.WithdrawnAfter || !slices.ContainsFunc(s.DueAt(Clock{NowMS: anna.w.nowMS}), func(d Due) bool { return d.What == DueAcknowledged }) {
		t.Errorf("%s: the report does not want acknowledging", s.State)
	}
	allowed(t, anna.may(ledger.Taken, TakenBody{Report: r}), "")
}
