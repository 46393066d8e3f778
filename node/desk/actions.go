package desk

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// draftRow is the local draft of a report: one per person and case.
type draftRow struct {
	Text   string         `cbor:"1,keyasint"`
	Status string         `cbor:"2,keyasint"`
	Of     ledger.EntryID `cbor:"3,keyasint"` // of an addendum; zero otherwise
	// Correction: the addendum corrects, it does not only add.
	Correction bool           `cbor:"4,keyasint,omitempty"`
	Form       []report.Field `cbor:"5,keyasint,omitempty"` // the opinion form, by field
	Consensus  ledger.EntryID `cbor:"6,keyasint"`           // the draft that it signs; zero otherwise
}

// act posts one content entry in a case.
func (d *Desk) act(ctx context.Context, said string, kind ledger.Kind, body func(p *person, t *thread) (any, error)) (control.EntryRef, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, said)
	if err != nil {
		return control.EntryRef{}, err
	}
	b, err := body(p, t)
	if err != nil {
		return control.EntryRef{}, err
	}
	return d.actOn(t, p, kind, b)
}

func (d *Desk) actOn(t *thread, p *person, kind ledger.Kind, body any) (control.EntryRef, error) {
	id, err := d.append(t, p, kind, body)
	if err != nil {
		return control.EntryRef{}, err
	}
	return control.EntryRef{Entry: id.String()}, nil
}

// maySend refuses what would go to a blocked contact (FORMATS §2.1, key change), or to a device
// that its person has revoked and that is not cut here yet (§2).
func (d *Desk) maySend(p *person, t *thread) error {
	for dev := range t.ledger.Members().Devices {
		if d.revoked(dev) {
			return control.Errorf(control.Refused, "a member of this case has revoked a device that is still in it, so nothing is sent there").
				WithHint("it goes on once their node has been in touch, or you remove them from the case")
		}
	}
	for id, rank := range t.ledger.Members().Ranks {
		if rank > ledger.RankNone && id != p.id && d.trustOf(p, id) == trustBlocked {
			return control.Errorf(control.Refused, "a member of this case is blocked, so nothing is sent there").
				WithHint("verify them again (contact verify), or remove them from the case")
		}
	}
	return nil
}

// mayGrant refuses to show images to a member who is not trusted enough (FORMATS §2.1).
func (d *Desk) mayGrant(p *person, t *thread) error {
	for id, rank := range t.ledger.Members().Ranks {
		if trust := d.trustOf(p, id); rank > ledger.RankNone && id != p.id && rankOfTrust(trust) < rankOfTrust(d.trustMin()) {
			return control.Errorf(control.Refused, "a member of this case is %s to you, so no images are sent there", trust).
				WithHint("make a contact of them first: curbside contact add LINK")
		}
	}
	return nil
}

// CaseReply posts a message; with a key only once, however often it is asked.
func (d *Desk) CaseReply(ctx context.Context, req control.CaseReplyRequest) (control.EntryRef, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return control.EntryRef{}, err
	}
	body := consult.MessageBody{Text: req.Text}
	if req.Anchor != "" {
		id, err := findEntry(t, req.Anchor)
		if err != nil {
			return control.EntryRef{}, err
		}
		body.ReplyTo = &id
	}
	if req.Key == "" {
		return d.actOn(t, p, ledger.Message, body)
	}
	key := req.Key
	req.Key, req.Case = "", t.ledger.ID().String()
	return d.replyOnce(p, t, key, onceDigest("reply", req), body)
}

func findEntry(t *thread, said string) (ledger.EntryID, error) {
	var found []ledger.EntryID
	for _, e := range t.ledger.Entries() {
		if idMatches(e.ID.String(), said) {
			found = append(found, e.ID)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return ledger.EntryID{}, control.Errorf(control.NotFound, "no single entry of this case is named so").WithHint("list them with: curbside case show")
}

// CaseAccept accepts the acting round.
func (d *Desk) CaseAccept(ctx context.Context, req control.CaseRequest) (control.EntryRef, error) {
	return d.status(ctx, req, consult.StageAccepted)
}

// CaseClose closes the case. Closing takes note of the report first (FIELD §4.3, G6).
func (d *Desk) CaseClose(ctx context.Context, req control.CaseRequest) (control.EntryRef, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return control.EntryRef{}, err
	}
	body := consult.StatusBody{Round: t.fold().Round, Stage: consult.StageClosed}
	if err := d.maySend(p, t); err != nil {
		return control.EntryRef{}, err
	}
	if err := consult.Authorize(t.fold(), p.id, ledger.Status, body); err != nil {
		return control.EntryRef{}, refusal(err)
	}
	for t.ledger.Members().Ranks[p.id] == ledger.RankFounder {
		r, ok := t.fold().Newest()
		if !ok || r.Acknowledged {
			break
		}
		if _, err := d.append(t, p, ledger.Taken, consult.TakenBody{Report: r.Entry}); err != nil {
			return control.EntryRef{}, err
		}
	}
	return d.actOn(t, p, ledger.Status, body)
}

func (d *Desk) status(ctx context.Context, req control.CaseRequest, stage consult.Stage) (control.EntryRef, error) {
	return d.act(ctx, req.Case, ledger.Status, func(_ *person, t *thread) (any, error) {
		return consult.StatusBody{Round: t.fold().Round, Stage: stage}, nil
	})
}

// CaseDecline declines the acting round.
func (d *Desk) CaseDecline(ctx context.Context, req control.CaseDeclineRequest) (control.EntryRef, error) {
	reason, ok := consult.ParseDecline(req.Reason)
	if !ok {
		return control.EntryRef{}, control.Errorf(control.Usage, "reason is specialty, conflict, unavailable, licence, quality or other")
	}
	return d.act(ctx, req.Case, ledger.Decline, func(_ *person, t *thread) (any, error) {
		return consult.DeclineBody{Round: t.fold().Round, Reason: reason, Text: req.Text}, nil
	})
}

var roleRanks = map[string]ledger.Rank{
	"": ledger.RankWriter, consult.RoleConsultant: ledger.RankWriter,
	consult.RoleCoordinator: ledger.RankAdmin, consult.RoleObserver: ledger.RankReader,
}

// CaseInvite adds people to a case; a consultant is also assigned, last.
func (d *Desk) CaseInvite(ctx context.Context, req control.CaseInviteRequest) (control.EntryRef, error) {
	var none control.EntryRef
	rank, ok := roleRanks[req.Role]
	if !ok {
		return none, control.Errorf(control.Usage, "role is coordinator, consultant or observer")
	}
	if len(req.To) == 0 {
		return none, control.Errorf(control.Usage, "say whom to invite with --to")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return none, err
	}
	if err := d.maySend(p, t); err != nil {
		return none, err
	}
	var ids []identity.PersonID
	for _, said := range req.To {
		id, err := d.findContact(p, said)
		if err != nil {
			return none, err
		}
		if err := d.mayReceive(p, id); err != nil {
			return none, err
		}
		if t.ledger.Members().Ranks[id] >= rank {
			return none, control.Errorf(control.Refused, "already a member of this case")
		}
		ids = append(ids, id)
	}
	var last ledger.EntryID
	for _, id := range ids {
		if err := d.recordBefore(p, actionRole, "person", id[:]); err != nil {
			return none, err
		}
		items, err := d.post(t, func() ([]ledger.Item, error) { return d.addMember(t, p, id, rank) })
		if err != nil {
			return none, ledgerError(err)
		}
		last = entryOfKind(t, items, ledger.Role)
	}
	if rank == ledger.RankWriter {
		persons := slices.Clone(t.fold().Assigned)
		for _, id := range ids {
			if !slices.Contains(persons, id) {
				persons = append(persons, id)
			}
		}
		if _, err := d.append(t, p, ledger.Assign, consult.AssignBody{Persons: persons}); err != nil {
			return none, err
		}
	}
	d.tell(func(n Network) { n.Renew() })
	return control.EntryRef{Entry: last.String()}, nil
}

func entryOfKind(t *thread, items []ledger.Item, kind ledger.Kind) ledger.EntryID {
	for _, it := range items {
		if e := t.ledger.Entry(it.Entry); e != nil && e.Kind == kind {
			return it.Entry
		}
	}
	return ledger.EntryID{}
}

// CaseRemove removes a member. The new epoch that it makes is closed to them.
func (d *Desk) CaseRemove(ctx context.Context, req control.CaseMemberRequest) (control.EntryRef, error) {
	var none control.EntryRef
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return none, err
	}
	id, err := d.findMember(p, t, req.Member)
	if err != nil {
		return none, err
	}
	if err := d.recordBefore(p, actionRole, "person", id[:]); err != nil {
		return none, err
	}
	items, err := d.post(t, func() ([]ledger.Item, error) {
		return t.ledger.Role(p.local(), ledger.RoleBody{Person: id, Rank: ledger.RankNone}, d.nowMS(), d)
	})
	if err != nil {
		return none, ledgerError(err)
	}
	d.tell(func(n Network) { n.Renew() })
	return control.EntryRef{Entry: entryOfKind(t, items, ledger.Role).String()}, nil
}

func (d *Desk) findMember(p *person, t *thread, said string) (identity.PersonID, error) {
	var found []identity.PersonID
	for id, rank := range t.ledger.Members().Ranks {
		if rank > ledger.RankNone && (idMatches(id.String(), said) || d.memberName(id) == said) {
			found = append(found, id)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return identity.PersonID{}, control.Errorf(control.NotFound, "no single member of this case is named so").WithHint("list them with: curbside case show")
}

// CaseReport saves the local draft of a report.
func (d *Desk) CaseReport(ctx context.Context, req control.CaseReportRequest) (control.ReportRef, error) {
	cited, err := d.cite(ctx, req.Case, req.Text)
	if err != nil {
		return control.ReportRef{}, err
	}
	req.Text = cited
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return control.ReportRef{}, err
	}
	row, err := newDraft(p, t, req)
	if err != nil {
		return control.ReportRef{}, err
	}
	if t.ledger.Members().Ranks[p.id] < ledger.RankWriter {
		return control.ReportRef{}, control.Errorf(control.Refused, "your role in this case does not allow that")
	}
	id := t.ledger.ID()
	err = p.vault.Batch([]vault.Row{{Table: tableDraft, Key: string(id[:]), Value: wire.MustMarshal(row), Case: id}})
	if err != nil {
		return control.ReportRef{}, internal("keep draft", err)
	}
	out := control.ReportRef{Report: "draft-" + id.String()[:16], Status: row.Status, Warnings: d.imageWarnings(t)}
	if n := len(report.Prompts(row.Text)); n > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d prompts of the template are not filled in: it cannot be signed so", n))
	}
	return out, nil
}

// promptShown is how much of a prompt an error repeats.
const promptShown = 60

func newDraft(p *person, t *thread, req control.CaseReportRequest) (draftRow, error) {
	if req.Consensus {
		if req.Text != "" || req.Form != nil || req.Of != "" {
			return draftRow{}, control.Errorf(control.Usage, "a consensus says what the draft and its votes say, and nothing else")
		}
		return consensusDraft(t)
	}
	req.Text = text.Clean(req.Text) // what is signed is what is shown, to the letter
	row := draftRow{Text: req.Text, Status: req.Status}
	fields, prose, err := reportForm(req.Form)
	if err != nil {
		return row, err
	}
	if row.Form = fields; strings.TrimSpace(req.Text) == "" {
		req.Text, row.Text = prose, prose
	}
	if strings.TrimSpace(req.Text) == "" {
		return row, control.Errorf(control.Refused, "the report is empty")
	}
	switch req.Status {
	case "":
		row.Status = consult.StatusFinal
	case consult.StatusFinal, consult.StatusPreliminary:
	case consult.StatusAddendum:
		id, err := addendumOf(p, t, req.Of)
		if err != nil {
			return row, err
		}
		if row.Of, row.Correction = id, req.Correction; row.Form != nil {
			return row, control.Errorf(control.Usage, "an addendum is text, not a form")
		}
	default:
		return row, control.Errorf(control.Usage, "status is preliminary, final or addendum")
	}
	return row, nil
}

// addendumOf finds the report that an addendum belongs to: the one that is named, else one's own newest.
func addendumOf(p *person, t *thread, said string) (ledger.EntryID, error) {
	if said != "" {
		id, err := findEntry(t, said)
		if err != nil {
			return id, control.Errorf(control.Refused, "no such report in this case").WithHint("list them with: curbside case show")
		}
		return id, nil
	}
	all := t.fold().Reports
	for i := len(all) - 1; i >= 0; i-- {
		if r := &all[i]; r.Author == p.id && r.Of == nil && r.Valid && r.SupersededBy == nil {
			return r.Entry, nil
		}
	}
	return ledger.EntryID{}, control.Errorf(control.Refused, "you have no report in this case to add to").WithHint("name it with --of REPORT")
}

// CaseDraft reads the draft back.
func (d *Desk) CaseDraft(ctx context.Context, req control.CaseRequest) (control.Draft, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return control.Draft{}, err
	}
	row, ok := d.draft(p, t)
	if !ok {
		return control.Draft{}, nil
	}
	out := control.Draft{Text: text.Clean(row.Text), Status: row.Status}
	if row.Of != (ledger.EntryID{}) {
		out.Of, out.Correction = row.Of.String(), row.Correction
	}
	for _, f := range row.Form {
		if out.Form == nil {
			out.Form = map[string]string{}
		}
		out.Form[f.Name] = text.Clean(f.Value)
	}
	return out, nil
}

func (d *Desk) draft(p *person, t *thread) (draftRow, bool) {
	id := t.ledger.ID()
	var row draftRow
	value, ok := p.vault.Get(tableDraft, string(id[:]))
	if !ok || wire.Unmarshal(value, &row) != nil {
		return row, false
	}
	return row, true
}

// CaseSign signs the draft and posts it.
func (d *Desk) CaseSign(ctx context.Context, req control.CaseRequest) (control.ReportRef, error) {
	d.mu.Lock()
	p, t, err := d.actingIn(ctx, req.Case)
	d.mu.Unlock()
	if err != nil {
		return control.ReportRef{}, err
	}
	if err := d.confirm(ctx, p); err != nil { // about a second of Argon2: not under the lock
		return control.ReportRef{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	row, ok := d.draft(p, t)
	if !ok {
		return control.ReportRef{}, control.Errorf(control.Refused, "there is no draft to sign").
			WithHint("write one first: curbside case report CASE --text-file FILE")
	}
	out, err := d.sign(t, p, row)
	if err != nil {
		return control.ReportRef{}, err
	}
	id := t.ledger.ID()
	if err := p.vault.Delete(tableDraft, string(id[:])); err != nil {
		d.log.WarnContext(ctx, "draft not removed after signing", slog.Any("error", err))
	}
	return out, nil
}

// CaseOpine posts a signed preliminary opinion in one step.
func (d *Desk) CaseOpine(ctx context.Context, req control.CaseReportRequest) (control.EntryRef, error) {
	req.Status = consult.StatusPreliminary
	p, t, row, err := d.confirmedDraft(ctx, req)
	if err != nil {
		return control.EntryRef{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ref, err := d.sign(t, p, row)
	return control.EntryRef{Entry: ref.Report, Warnings: ref.Warnings}, err
}

// filledIn refuses a draft in which prompts of its template are left (FIELD §6, F28).
func filledIn(row draftRow) error {
	if open := report.Prompts(row.Text); len(open) > 0 {
		return control.Errorf(control.Refused, "the template is not filled in: %s", text.Name(open[0], promptShown)).
			WithHint("replace or delete each prompt in double square brackets; %d are left", len(open))
	}
	return nil
}

// sign posts a draft as a report or addendum. Signing implies accepting.
func (d *Desk) sign(t *thread, p *person, row draftRow) (control.ReportRef, error) {
	if err := d.maySend(p, t); err != nil {
		return control.ReportRef{}, err
	}
	if err := filledIn(row); err != nil {
		return control.ReportRef{}, err
	}
	if err := d.nameless(p, t, row.texts()...); err != nil {
		return control.ReportRef{}, err
	}
	if row.Status == consult.StatusAddendum {
		body := consult.AddendumBody{Report: row.Of, Type: consult.AddendumAddition, Text: row.Text}
		if row.Correction {
			body.Type = consult.AddendumCorrection
		}
		ref, err := d.actOn(t, p, ledger.Addendum, body)
		return control.ReportRef{Report: ref.Entry, Status: row.Status}, err
	}
	if row.Consensus != (ledger.EntryID{}) {
		if err := sameConsensus(t, row); err != nil {
			return control.ReportRef{}, err
		}
	}
	body, err := d.reportBody(t, p, row)
	if err != nil {
		return control.ReportRef{}, err
	}
	ref, err := d.actOn(t, p, ledger.Report, body)
	if err != nil {
		return control.ReportRef{}, err
	}
	return control.ReportRef{Report: ref.Entry, Status: row.Status, Warnings: d.imageWarnings(t)}, nil
}

func (d *Desk) reportBody(t *thread, p *person, row draftRow) (consult.ReportBody, error) {
	s := t.fold()
	body := consult.ReportBody{Type: consult.ReportFinal, Round: s.Round}
	doc := &report.Document{
		Format: report.Format, Text: row.Text, Status: report.Final, Case: s.Case, Round: s.Round,
		Name: p.self.Name, Author: p.id, Credentials: strings.Join(p.self.Specialties, ", "), SignedMS: d.nowMS(),
		Form: row.Form,
	}
	if row.Status == consult.StatusPreliminary {
		body.Type, doc.Status = consult.ReportOpinion, report.Preliminary
	}
	if s.Request != nil {
		doc.Question = report.Excerpt(s.Request.Question)
	}
	for _, g := range s.Grants {
		if g.Quarantined {
			continue // nobody reads another patient's images for this one
		}
		img, count := d.imagesOf(g)
		doc.Images = append(doc.Images, img)
		body.Images = append(body.Images, count)
	}
	consensus := row.Consensus != (ledger.EntryID{})
	if consensus {
		body.Consensus = &row.Consensus
	}
	for _, r := range s.Reports {
		// One's own earlier reports of the same round are replaced by the new one; what the chair read
		// is not replaced by what the panel says.
		if r.Author == p.id && r.Of == nil && r.SupersededBy == nil && r.Valid && r.Round == s.Round &&
			(r.Status == consult.StatusPreliminary && !consensus || row.Status == consult.StatusFinal && r.Status == consult.StatusFinal) {
			body.Supersedes = append(body.Supersedes, r.Entry)
		}
	}
	slices.SortFunc(body.Supersedes, func(a, b ledger.EntryID) int { return slices.Compare(a[:], b[:]) })
	raw, err := report.Encode(doc)
	if err != nil {
		return body, control.Errorf(control.Refused, "the report cannot be signed: %v", err).WithHint("texts may have 32 KiB")
	}
	body.Document = raw
	return body, nil
}

// imagesOf records what the signer had of a study.
func (d *Desk) imagesOf(g consult.Grant) (report.Image, consult.ImageCount) {
	row := d.caseStudy(nil, g)
	count := consult.ImageCount{Manifest: g.Manifest.ID, Version: g.Version, Seen: uint64(max(row.Present, 0))}
	img := report.Image{
		Manifest: g.Manifest.ID, Version: g.Version, Label: "study", Listed: uint64(max(row.Listed, 0)), Seen: count.Seen,
	}
	if g.Prior {
		img.Prior = 1
	}
	if row.Expected != nil {
		n := uint64(*row.Expected)
		img.Expected, count.Expected = &n, &n
	}
	if h := d.studies.held[holdingKey{g.Lineage, g.Author}]; h != nil && h.manifest != nil {
		st := h.manifest.Study
		label := text.Line(strings.TrimSpace(strings.Join(st.Modalities, "/") + " " + st.Description))
		if st.Date != "" {
			label += ", " + text.Line(st.Date)
		}
		if label != "" {
			img.Label = text.Name(label, labelMax)
		}
	}
	return img, count
}

const labelMax = 200

// imageWarnings says where the signer did not have, or cannot know, every image.
func (d *Desk) imageWarnings(t *thread) []string {
	var out []string
	for _, g := range t.fold().Grants {
		row := d.caseStudy(nil, g)
		switch {
		case row.Present < row.Listed:
			out = append(out, "not all images are here: the report will say so")
		case row.Expected == nil:
			out = append(out, "the number of images is unknown: the report will say so")
		}
	}
	return slices.Compact(out)
}
