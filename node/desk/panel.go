package desk

import (
	"context"
	"log/slog"
	"slices"
	"strconv"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/form"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// tableSealed keeps a read that was sealed until it is opened: ThreadID -> sealedRow. It is kept
// before its hash goes out, so that what was sealed can always be opened.
const tableSealed = "sealed"

type sealedRow struct {
	_      struct{} `cbor:",toarray"`
	Salt   [32]byte
	Report wire.Raw // the ReportBody without its opening
}

// CaseSeal seals one's read of a blind reading: its author confirms it now, and nobody can read or
// change it until the reads are opened; then each node opens its own (FIELD §4.8).
func (d *Desk) CaseSeal(ctx context.Context, req control.CaseReportRequest) (control.EntryRef, error) {
	req.Status = consult.StatusPreliminary
	p, t, row, err := d.confirmedDraft(ctx, req)
	if err != nil {
		return control.EntryRef{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.maySend(p, t); err != nil {
		return control.EntryRef{}, err
	}
	body, err := d.reportBody(t, p, row)
	if err != nil {
		return control.EntryRef{}, err
	}
	salt := [32]byte(wire.NewSecret())
	commitment := consult.Commit(salt, body.Document)
	sealed := &consult.SealedReadBody{Round: body.Round, Commitment: &commitment}
	if err := consult.Authorize(t.fold(), p.id, ledger.SealedRead, sealed); err != nil {
		return control.EntryRef{}, refusal(err) // also a second one, whose document would take the place of the first
	}
	id := t.ledger.ID()
	value := wire.MustMarshal(sealedRow{Salt: salt, Report: wire.MustMarshal(body)})
	if err := p.vault.Batch([]vault.Row{{Table: tableSealed, Key: string(id[:]), Value: value, Case: id}}); err != nil {
		return control.EntryRef{}, internal("keep sealed read", err)
	}
	ref, err := d.actOn(t, p, ledger.SealedRead, sealed)
	if err != nil {
		return control.EntryRef{}, err
	}
	d.openReads(ctx, t)
	ref.Warnings = d.imageWarnings(t)
	return ref, nil
}

// confirmedDraft is a draft that its author has confirmed with the passphrase.
func (d *Desk) confirmedDraft(ctx context.Context, req control.CaseReportRequest) (*person, *thread, draftRow, error) {
	var row draftRow
	cited, err := d.cite(ctx, req.Case, req.Text)
	if err != nil {
		return nil, nil, row, err
	}
	req.Text = cited
	d.mu.Lock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err == nil {
		row, err = newDraft(p, t, req)
	}
	d.mu.Unlock()
	if err != nil {
		return nil, nil, row, err
	}
	if err := filledIn(row); err != nil {
		return nil, nil, row, err
	}
	return p, t, row, d.confirm(ctx, p)
}

// CaseReveal has the reads opened that are sealed so far.
func (d *Desk) CaseReveal(ctx context.Context, req control.CaseRequest) (control.EntryRef, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return control.EntryRef{}, err
	}
	ref, err := d.actOn(t, p, ledger.SealedRead, &consult.SealedReadBody{Round: t.fold().Round})
	if err == nil {
		d.openReads(ctx, t)
	}
	return ref, err
}

// openReads posts the reads of the persons here once it is their turn. The lock is held.
func (d *Desk) openReads(ctx context.Context, t *thread) {
	for _, p := range d.persons {
		if err := d.openRead(t, p); err != nil {
			d.log.WarnContext(ctx, "sealed read not opened", slog.String("case", t.ledger.ID().String()), slog.Any("error", err))
		}
	}
}

func (d *Desk) openRead(t *thread, p *person) error {
	s, id := t.fold(), t.ledger.ID()
	if !s.Revealed {
		return nil
	}
	value, ok := p.vault.Get(tableSealed, string(id[:]))
	if !ok {
		return nil
	}
	var row sealedRow
	if err := wire.Unmarshal(value, &row); err != nil {
		return internal("read sealed read", err)
	}
	body := &consult.ReportBody{}
	if err := wire.Unmarshal(row.Report, body); err != nil {
		return internal("read sealed read", err)
	}
	for _, r := range s.Reads {
		if r.Author != p.id || r.State == consult.ReadOpened || body.Round != s.Round {
			continue
		}
		body.Opens = &consult.Opening{Sealed: r.Entry, Salt: row.Salt}
		if _, err := d.append(t, p, ledger.Report, body); err != nil {
			return err
		}
		return p.vault.Delete(tableSealed, string(id[:]))
	}
	return nil
}

// CaseConsensus drafts what the panel votes on.
func (d *Desk) CaseConsensus(ctx context.Context, req control.CaseConsensusRequest) (control.EntryRef, error) {
	return d.act(ctx, req.Case, ledger.Consensus, func(_ *person, t *thread) (any, error) {
		s := t.fold()
		b := &consult.ConsensusBody{Round: s.Round, Text: req.Text, Panel: s.Panel(), Quorum: uint64(max(req.Quorum, 0))}
		if b.Quorum == 0 {
			b.Quorum = consult.DefaultQuorum(len(b.Panel))
		}
		if b.Quorum > uint64(len(b.Panel)) {
			return nil, control.Errorf(control.Usage, "the panel has %d members, so the quorum is at most that", len(b.Panel))
		}
		return b, nil
	})
}

// CaseVote votes on a consensus draft.
func (d *Desk) CaseVote(ctx context.Context, req control.CaseVoteRequest) (control.EntryRef, error) {
	choice, ok := consult.ParseChoice(req.Choice)
	if !ok {
		return control.EntryRef{}, control.Errorf(control.Usage, "choice is agree, reservation, dissent or abstain")
	}
	return d.act(ctx, req.Case, ledger.Vote, func(p *person, t *thread) (any, error) {
		b := &consult.VoteBody{Choice: choice, Text: req.Text, Name: p.self.Name}
		if req.Consensus != "" {
			var err error
			b.Consensus, err = findEntry(t, req.Consensus)
			return b, err
		}
		draft, ok := t.fold().ActingDraft()
		if !ok {
			return nil, control.Errorf(control.Refused, "there is no consensus draft to vote on").WithHint("the chair makes one: curbside case consensus")
		}
		b.Consensus = draft.Entry
		return b, nil
	})
}

// consensusDraft is the report that signs the acting consensus draft, with the votes so far.
func consensusDraft(t *thread) (draftRow, error) {
	draft, ok := t.fold().ActingDraft()
	if !ok {
		return draftRow{}, control.Errorf(control.Refused, "there is no consensus draft to sign").WithHint("make one: curbside case consensus CASE --text TEXT")
	}
	return draftRow{Text: consult.ConsensusText(draft), Status: consult.StatusFinal, Consensus: draft.Entry}, nil
}

// sameConsensus refuses to sign a consensus other than the one that its chair has looked at.
func sameConsensus(t *thread, row draftRow) error {
	now, err := consensusDraft(t)
	if err != nil {
		return err
	}
	if now.Consensus != row.Consensus || now.Text != row.Text {
		return control.Errorf(control.Refused, "draft or votes have changed since the report was saved").
			WithHint("look at it again: curbside case report CASE --consensus")
	}
	return nil
}

// CaseAgreement says who reads what.
func (d *Desk) CaseAgreement(ctx context.Context, req control.CaseRequest) (control.Agreement, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return control.Agreement{}, err
	}
	return d.agreement(t.fold()), nil
}

func (d *Desk) agreement(s *consult.State) control.Agreement {
	out := control.Agreement{Blind: s.Blind(), Revealed: s.Revealed, Reads: []control.PanelRead{}, Items: []control.ItemAgreed{}}
	people := s.Panel()
	for _, r := range s.Reads {
		if !slices.Contains(people, r.Author) {
			people = append(people, r.Author)
		}
	}
	forms := map[identity.PersonID]map[string]string{}
	for _, id := range people {
		row := control.PanelRead{Person: id.String(), Name: d.memberName(id)}
		for _, r := range s.Reads {
			if r.Author == id {
				row.State, row.Blinded = r.State, r.Blinded
			}
		}
		if r, ok := readOf(s, id); ok {
			entry := r.Entry.String()
			row.Report, row.Text, forms[id] = &entry, text.Clean(r.Text), fieldsOf(r.Document)
		}
		out.Reads = append(out.Reads, row)
	}
	out.Items = d.itemsAgreed(people, forms)
	if draft, ok := s.ActingDraft(); ok {
		out.Consensus = d.consensusRow(draft)
	}
	return out
}

// readOf is a person's own opinion in the acting round: the read that they opened, or their newest
// report that is not a consensus.
func readOf(s *consult.State, id identity.PersonID) (consult.Report, bool) {
	for _, r := range s.Reads {
		if r.Author == id && r.Report != nil {
			return s.Report(*r.Report)
		}
	}
	for _, r := range slices.Backward(s.Reports) {
		if r.Author == id && r.Of == nil && r.Valid && r.Round == s.Round && r.Draft == nil {
			return r, true
		}
	}
	return consult.Report{}, false
}

func fieldsOf(doc *report.Document) map[string]string {
	out := map[string]string{}
	if doc != nil {
		for _, f := range doc.Form {
			out[f.Name] = f.Value
		}
	}
	return out
}

// itemsAgreed compares the fields that are chosen or counted, where at least two readers say something.
func (d *Desk) itemsAgreed(people []identity.PersonID, forms map[identity.PersonID]map[string]string) []control.ItemAgreed {
	out := []control.ItemAgreed{}
	at := map[string]int{}
	for _, id := range people {
		filled := form.FromContext(forms[id])
		for _, f := range filled.Form.Fields {
			v := filled.Values[f.Name]
			if v == "" || !slices.Contains([]string{form.Choice, form.Choices, form.Number, form.Integer, form.OfScheme}, f.Type) {
				continue
			}
			if _, ok := at[f.Name]; !ok {
				at[f.Name] = len(out)
				out = append(out, control.ItemAgreed{Field: f.Name, Title: f.Title})
			}
			item := &out[at[f.Name]]
			item.Values = append(item.Values, control.ItemSaid{Person: id.String(), Name: d.memberName(id), Value: text.Line(v)})
		}
	}
	out = slices.DeleteFunc(out, func(i control.ItemAgreed) bool { return len(i.Values) < 2 })
	for i := range out {
		count(&out[i])
	}
	return out
}

func count(item *control.ItemAgreed) {
	times := map[string]int{}
	var numbers []float64
	for _, v := range item.Values {
		times[v.Value]++
		item.Agree = max(item.Agree, times[v.Value])
		if n, err := strconv.ParseFloat(v.Value, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	item.Of = len(item.Values)
	if s := form.SpreadOf(numbers); s.N == item.Of {
		item.Spread = &control.NumberRange{Median: s.Median, Min: s.Min, Max: s.Max}
	}
}

func (d *Desk) consensusRow(x consult.Draft) *control.ConsensusDraft {
	out := &control.ConsensusDraft{
		Entry: x.Entry.String(), Author: d.memberName(x.Author), Text: text.Clean(x.Text), Panel: []string{}, Quorum: int(x.Quorum),
		Reached: x.Reached, Votes: []control.PanelVote{},
	}
	for _, id := range x.Panel {
		out.Panel = append(out.Panel, d.memberName(id))
	}
	for _, v := range x.Votes {
		out.Votes = append(out.Votes, control.PanelVote{
			Person: v.Author.String(), Name: d.memberName(v.Author), Choice: v.Choice.String(), Text: text.Clean(v.Text), Time: instant(v.TimeMS),
		})
	}
	if x.SignedBy != nil {
		id := x.SignedBy.String()
		out.SignedBy = &id
	}
	return out
}
