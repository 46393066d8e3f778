package desk

import (
	"cmp"
	"context"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// findCase finds a case of a person by id or prefix.
func (d *Desk) findCase(p *person, said string) (*thread, error) {
	var found []*thread
	for id, t := range d.threads {
		if idMatches(id.String(), said) && t.ledger.Members().Persons != nil && d.inCase(p, t) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return nil, control.Errorf(control.NotFound, "no such case").WithHint("list them with: curbside case list")
	case 1:
		return found[0], nil
	}
	return nil, control.Errorf(control.Refused, "several cases are named so").WithHint("give more of the id")
}

// inCase reports whether a person is or was a member: who was removed keeps what was shared.
func (d *Desk) inCase(p *person, t *thread) bool {
	_, ok := t.ledger.Members().Ranks[p.id]
	return ok
}

func (d *Desk) actingIn(ctx context.Context, said string) (*person, *thread, error) {
	p, err := d.acting(ctx)
	if err != nil {
		return nil, nil, err
	}
	t, err := d.findCase(p, said)
	return p, t, err
}

// CaseList lists a person's cases: critical findings first, then what is due first.
func (d *Desk) CaseList(ctx context.Context, _ control.None) ([]control.Case, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	out, clock := []control.Case{}, d.clock(p)
	for _, t := range d.threads {
		if d.inCase(p, t) && t.fold().Request != nil {
			out = append(out, d.caseRow(p, t, clock))
		}
	}
	slices.SortFunc(out, func(a, b control.Case) int {
		return cmp.Or(
			cmp.Compare(tier(a), tier(b)),
			compareDeadline(nextDue(a), nextDue(b)),
			-cmp.Compare(urgency(a), urgency(b)),
			compareDeadline(a.Deadline, b.Deadline),
			-a.Created.Compare(b.Created),
			strings.Compare(a.Case, b.Case))
	})
	return out, nil
}

// tier orders the worklist: open critical findings, most pressing first and above all others those
// that the reader must acknowledge; then what is open; then the rest.
func tier(c control.Case) int {
	best := 8
	if openState(c.State) {
		best = 7
	}
	for _, x := range c.Criticals {
		if n := x.Category; x.Open && x.ForMe {
			best = min(best, n)
		} else if x.Open {
			best = min(best, 3+n)
		}
	}
	return best
}

func nextDue(c control.Case) *time.Time {
	if len(c.Due) == 0 {
		return nil
	}
	return &c.Due[0].At
}

func urgency(c control.Case) int {
	if !openState(c.State) {
		return 0
	}
	p, _ := consult.ParsePriority(c.Priority)
	return int(p)
}

func compareDeadline(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(*b)
}

func (d *Desk) caseRow(p *person, t *thread, clock consult.Clock) control.Case {
	s := t.fold()
	c := control.Case{
		Case: s.Case.String(), Title: text.Line(s.Title), State: s.State, Flags: []string{},
		Priority: s.Priority, Studies: []control.CaseStudy{}, Stranger: t.stranger,
	}
	c.Flags = append(c.Flags, s.Flags...)
	if s.NeededByMS > 0 {
		at := instant(s.NeededByMS)
		c.Deadline = &at
	}
	due := s.DueAt(clock)
	c.Due, c.Criticals = d.dueRows(s, due), d.criticalRows(p, s, due)
	if slices.ContainsFunc(c.Due, func(x control.Due) bool { return x.Overdue }) {
		c.Flags = append(c.Flags, consult.FlagOverdue)
	}
	if r := s.Request; r != nil {
		c.From, c.Question = d.memberName(r.Author), text.Clean(r.Question)
		c.Created, c.Mine = instant(r.TimeMS), r.Author == p.id
	}
	for _, m := range s.Members {
		if m.Rank > ledger.RankNone {
			c.Members++
		}
	}
	c.Unread = len(consult.Unseen(s, p.id))
	if n := len(s.Reports); n > 0 {
		c.Report = &s.Reports[n-1].Status
	}
	incomplete := false
	for _, g := range s.Grants {
		row := d.caseStudy(p, g)
		if h := d.studyAs(p, g); h != nil && h.manifest != nil && !g.Quarantined && c.Patient+c.PatientName == "" {
			c.Patient = text.Line(strings.TrimLeft(h.manifest.Study.Age, "0") + h.manifest.Study.Sex)
			if who := h.manifest.Study.Patient; who != nil {
				c.PatientName, c.PatientID = text.Line(who.Name), text.Line(who.ID)
			}
		}
		incomplete = incomplete || row.Present < row.Listed
		c.Studies = append(c.Studies, row)
	}
	if incomplete {
		c.Flags = append(c.Flags, consult.FlagIncomplete)
	}
	return c
}

// caseStudy is a study of a case as a person is to see it, with the counts of what was shared.
func (d *Desk) caseStudy(p *person, g consult.Grant) control.CaseStudy {
	row := control.CaseStudy{
		Study: hex.EncodeToString(g.Lineage[:]), Listed: int(g.Instances), Prior: g.Prior,
	}
	h := d.studies.held[holdingKey{g.Lineage, g.Author}]
	if h == nil || h.manifest == nil {
		return row
	}
	row.StudyUID, row.Expected = h.manifest.Study.UID, expected(h.manifest.Complete)
	if o := d.studyAs(p, g); o != nil && o.manifest != nil {
		row.Study, row.StudyUID = o.id(), o.manifest.Study.UID
	}
	if h.manifest.Version < g.Version {
		row.Present = h.present() // the newest manifest is not here yet
		return row
	}
	row.Listed, row.Present = h.listed(), h.present()
	row.Complete = h.manifest.Complete.Whole() && h.absent == 0
	return row
}

func (d *Desk) memberName(id identity.PersonID) string {
	if o := d.personOf(id); o != nil {
		return o.self.Name
	}
	if n := d.nameOf(id); n != "" {
		return n
	}
	return "unknown " + id.String()[:8]
}

// CaseShow shows a case; with Seen it says to the others that a person saw it.
func (d *Desk) CaseShow(ctx context.Context, req control.CaseShowRequest) (control.CaseDetail, error) {
	d.checkMarks(ctx, req.Case)
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return control.CaseDetail{}, err
	}
	out := d.caseDetail(p, t)
	if req.Seen && !t.stranger {
		// What was shown is what is said to be seen, so the receipt comes after.
		if err := d.receipt(t, p, consult.ReceiptRead); err != nil {
			d.log.InfoContext(ctx, "receipt not posted", slog.String("case", out.Case.Case), slog.Any("error", err))
		}
	}
	return out, nil
}

func (d *Desk) caseDetail(p *person, t *thread) control.CaseDetail {
	s := t.fold()
	out := control.CaseDetail{
		Case: d.caseRow(p, t, d.clock(p)), Members: []control.Member{}, Entries: []control.Entry{}, Reports: []control.Report{},
	}
	out.Form = map[string]string{}
	if r := s.Request; r != nil {
		out.Consent = r.Consent.String()
		for k, v := range r.Context.Form {
			out.Form[text.Line(k)] = text.Clean(v)
		}
	}
	for _, m := range s.Members {
		trust := d.trustOf(p, m.Person)
		out.Members = append(out.Members, control.Member{
			Person: m.Person.String(), Name: d.memberName(m.Person), Role: m.Role, Primary: m.Primary,
			Trust: trust, Verified: trust == trustVerified,
			Attestations: d.vouchLines(p, d.vouches.of[m.Person]), Attested: known(m.Attested.String()),
			Delivered: s.DeliveredTo(m.Person) || s.SeenBy(m.Person), Seen: s.SeenBy(m.Person),
		})
	}
	unseen := map[ledger.EntryID]bool{}
	for _, id := range consult.Unseen(s, p.id) {
		unseen[id] = true
	}
	marks := d.marksView(p, t)
	for i := range s.Posts {
		row := d.entryRow(p, s, &s.Posts[i], unseen)
		row.Mark = marks.entry(&s.Posts[i])
		out.Entries = append(out.Entries, row)
	}
	for i := range s.Reports {
		out.Reports = append(out.Reports, d.reportRow(p, &s.Reports[i]))
	}
	return out
}

func (d *Desk) entryRow(p *person, s *consult.State, post *consult.Post, unseen map[ledger.EntryID]bool) control.Entry {
	e := control.Entry{
		Entry: post.Entry.String(), Kind: post.Kind.String(), Author: post.Author.String(),
		AuthorName: d.memberName(post.Author), Time: instant(post.TimeMS),
		Text: text.Clean(post.Text), InForce: post.InForce, Edited: post.Edited, Retracted: post.Retracted,
		Unread: unseen[post.Entry], Mine: post.Author == p.id,
	}
	if post.Unknown {
		e.Text = "needs a newer curbside, or cannot be read"
	}
	if len(post.Persons) > 0 {
		names := make([]string, 0, len(post.Persons))
		for _, id := range post.Persons {
			names = append(names, d.memberName(id))
		}
		e.Text = strings.TrimSpace(e.Text + " " + strings.Join(names, ", "))
	}
	if post.ReplyTo != nil {
		id := post.ReplyTo.String()
		e.ReplyTo = &id
	}
	e.Anchor = d.anchor(p, s, post.Anchor)
	return e
}

// anchor is a place of a case as a person knows it.
func (d *Desk) anchor(p *person, s *consult.State, a *consult.Anchor) *control.Anchor {
	if a == nil {
		return nil
	}
	lineage, uid := d.placeAs(p, a.Lineage, a.SOPUID)
	out := &control.Anchor{Study: hex.EncodeToString(lineage[:]), SOPUID: text.Line(uid), Frame: a.Frame, Points: a.Points}
	for _, g := range s.Grants {
		h := d.studyAs(p, g)
		if g.Lineage != a.Lineage || h == nil || h.manifest == nil {
			continue
		}
		if at := h.places[uid]; at != nil {
			out.SeriesUID = h.manifest.Series[at.series].UID
		}
	}
	return out
}

func (d *Desk) reportRow(p *person, r *consult.Report) control.Report {
	row := control.Report{
		Report: r.Entry.String(), Status: r.Status, Author: r.Author.String(), AuthorName: d.memberName(r.Author),
		SignedAt: instant(r.TimeMS), Text: text.Clean(r.Text), Valid: r.Valid,
		Correction: r.Correction, Stale: r.Stale, Acknowledged: r.Acknowledged, Note: r.Note, NotBlinded: r.NotBlinded, Consensus: r.Consensus,
	}
	row.Exact = row.Text == r.Text
	if r.Of != nil {
		id := r.Of.String()
		row.Of = &id
	}
	if r.SupersededBy != nil {
		id := r.SupersededBy.String()
		row.SupersededBy = &id
	}
	if r.Document != nil {
		row.SignedAt = instant(r.Document.SignedMS)
		row.Images = text.Line(report.ImagesLine(r.Document.Images))
		for _, f := range r.Document.Form {
			if row.Form == nil {
				row.Form = map[string]string{}
			}
			row.Form[text.Line(f.Name)] = text.Clean(f.Value)
		}
	}
	return row
}

// CaseHistory streams every entry as verified, and the hash of the state last.
func (d *Desk) CaseHistory(ctx context.Context, req control.CaseRequest, emit func(control.HistoryEvent) error) error {
	events, err := hold(d, func() ([]control.HistoryEvent, error) { return d.history(ctx, req.Case) })
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := emit(e); err != nil {
			return err
		}
	}
	return nil
}

func (d *Desk) history(ctx context.Context, said string) ([]control.HistoryEvent, error) {
	p, t, err := d.actingIn(ctx, said)
	if err != nil {
		return nil, err
	}
	s := t.fold()
	events := make([]control.HistoryEvent, 0, len(s.Posts)+1)
	for i := range s.Posts {
		row := d.entryRow(p, s, &s.Posts[i], nil)
		events = append(events, control.HistoryEvent{Entry: &row, Lamport: s.Posts[i].Lamport, Device: s.Posts[i].Device.String()})
	}
	n, sum := len(s.Posts), s.Hash()
	hash := hex.EncodeToString(sum[:])
	return append(events, control.HistoryEvent{StateHash: &hash, Entries: &n}), nil
}
