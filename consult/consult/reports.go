package consult

import (
	"slices"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// opinion is a report with what came of it.
type opinion struct {
	it      *item
	body    *ReportBody
	doc     *report.Document
	valid   bool // says what its entry says
	counts  bool // toward the state: its author was to give it
	by      *opinion
	addenda []*item
	taken   []*item
}

func (o *opinion) final() bool { return o.body.Type == ReportFinal }

// current reports whether no newer report of its author replaces it.
func (o *opinion) current() bool { return o.by == nil }

// foldReports reads reports, addenda and what was taken, and lists them.
func (f *fold) foldReports() {
	byID := f.opinionOf
	for _, it := range f.items {
		if b, ok := it.body.(*ReportBody); ok {
			f.opinions = append(f.opinions, f.opinion(it, b))
		}
	}
	f.supersede()
	addenda := f.addenda()
	each(f, ledger.Taken, func(it *item, b *TakenBody) {
		o := byID[b.Report]
		if a := f.find(b.Report); o == nil && a != nil {
			if of, ok := a.body.(*AddendumBody); ok {
				o = byID[of.Report]
			}
		}
		if o != nil && (f.mayTake(it) || f.m.broken.anyoneTakes) {
			o.taken = append(o.taken, it)
		}
	})
	f.listReports(addenda)
}

// mayTake reports whether an entry's author may take reports: an owner, or a
// delegate that a request names as the author knew.
func (f *fold) mayTake(it *item) bool {
	if f.rankOf(it) == ledger.RankFounder {
		return true
	}
	return slices.ContainsFunc(f.of[ledger.Request], func(r *item) bool {
		ctx, err := DecodeContext(r.body.(*RequestBody).Context)
		return err == nil && precedes(r, it) && f.rankOf(r) == ledger.RankFounder && slices.Contains(ctx.Delegates, it.e.Person)
	})
}

// opinion reads a report, once.
func (f *fold) opinion(it *item, b *ReportBody) *opinion {
	if o := f.opinionOf[it.e.ID]; o != nil {
		return o
	}
	o := &opinion{it: it, body: b}
	f.opinionOf[it.e.ID] = o
	doc, err := report.Decode(b.Document)
	if err != nil {
		return o
	}
	o.doc, o.valid = doc, it.force && matches(doc, it.e, b) && (f.opensWell(it, b) || f.m.broken.anyHash)
	rank := f.rankOf(it)
	switch {
	case !o.valid || it.limited || rank == ledger.RankFounder || !f.roundKnown(it, b.Round):
	case o.final():
		o.counts = f.wasAssigned(it) || f.m.broken.anyoneAnswers
	default: // a trainee who may write gives preliminary opinions too
		o.counts = rank == ledger.RankWriter || f.wasAssigned(it)
	}
	return o
}

// matches reports whether a document is about the entry that carries it: a
// document copied from another case, or by another hand, is not.
func matches(d *report.Document, e *ledger.Entry, b *ReportBody) bool {
	return d.Case == e.Thread && d.Author == e.Person && d.Round == b.Round && d.Status == b.Type &&
		slices.EqualFunc(d.Images, b.Images, func(x report.Image, y ImageCount) bool {
			return x.Manifest == y.Manifest && x.Version == y.Version && x.Seen == y.Seen && equal(x.Expected, y.Expected)
		})
}

func equal(a, b *uint64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// supersede links a report to the newest report of the same author that names
// it. A preliminary one never replaces a final, and what does not count never
// replaces what does; but a correction counts if what it corrects did, also
// when its author is no longer assigned.
func (f *fold) supersede() {
	for _, o := range f.opinions {
		var olds []*opinion
		for _, id := range o.body.Supersedes {
			old := f.opinionOf[id]
			if o.valid && old != nil && old.it.e.Person == o.it.e.Person && old.body.Type <= o.body.Type && precedes(old.it, o.it) {
				olds = append(olds, old)
				o.counts = o.counts || old.counts && !o.it.limited && old.body.Type == o.body.Type && f.roundKnown(o.it, o.body.Round)
			}
		}
		for _, old := range olds {
			if o.counts || !old.counts {
				old.by = o
			}
		}
	}
}

// last follows a report to the one that replaces it in the end.
func (o *opinion) last() *opinion {
	for o.by != nil {
		o = o.by
	}
	return o
}

// addenda hangs addenda on the reports of their own authors, and returns all
// that can be read.
func (f *fold) addenda() []*item {
	var all []*item
	for _, it := range f.items {
		b, ok := it.body.(*AddendumBody)
		if !ok {
			continue
		}
		if of := f.find(b.Report); of != nil && of.e.Kind == ledger.Critical {
			continue
		}
		all = append(all, it)
		if o := f.opinionOf[b.Report]; it.acts() && o != nil && o.it.e.Person == it.e.Person {
			o.addenda = append(o.addenda, it)
		}
	}
	return all
}

// acknowledged reports whether owners have taken each version of a report. Who
// takes a version takes what it rests on; an addendum that crossed it is not
// taken.
func (f *fold) acknowledged(o *opinion) bool {
	for _, v := range append([]*item{o.it}, o.addenda...) {
		if !f.versionTaken(o, v) {
			return false
		}
	}
	return true
}

func (f *fold) versionTaken(o *opinion, v *item) bool {
	return slices.ContainsFunc(o.taken, func(taken *item) bool {
		named := f.find(taken.body.(*TakenBody).Report)
		return named == v || precedes(v, named)
	})
}

// finals returns the reports that answer the acting round.
func (f *fold) finals() []*opinion { return f.ofType(ReportFinal) }

func (f *fold) ofType(typ uint64) []*opinion {
	var out []*opinion
	for _, o := range f.opinions {
		if o.counts && o.body.Type == typ && o.body.Round == f.s.Round {
			out = append(out, o)
		}
	}
	return out
}

// stale reports whether images count now that the author had not seen: neither
// pinned nor known when the report or its newest addendum was written.
func (f *fold) stale(o *opinion) bool {
	for _, g := range f.s.Grants {
		if g.Quarantined || pins(o.body.Images, g.Manifest.ID) {
			continue
		}
		granted := f.find(g.Entry)
		knew := func(v *item) bool { return precedes(granted, v) }
		if older := f.pinsOlder(o, g); older && !slices.ContainsFunc(o.addenda, knew) {
			return true
		}
		if !knew(o.it) && !slices.ContainsFunc(o.addenda, knew) {
			return true
		}
	}
	return false
}

func pins(images []ImageCount, id blob.ID) bool {
	return slices.ContainsFunc(images, func(i ImageCount) bool { return i.Manifest == id })
}

// pinsOlder reports whether a report pins an earlier version of a grant.
func (f *fold) pinsOlder(o *opinion, g Grant) bool {
	return slices.ContainsFunc(f.s.AllGrants, func(x Grant) bool {
		return x.Lineage == g.Lineage && x.Version < g.Version && pins(o.body.Images, x.Manifest.ID)
	})
}

func (f *fold) listReports(addenda []*item) {
	var rows []*item
	for _, o := range f.opinions {
		rows = append(rows, o.it)
	}
	rows = append(rows, addenda...)
	slices.SortFunc(rows, inDisplayOrder)
	for _, it := range rows {
		if o := f.opinionOf[it.e.ID]; o != nil {
			f.s.Reports = append(f.s.Reports, f.reportRow(o))
			continue
		}
		b := it.body.(*AddendumBody)
		r := Report{Entry: it.e.ID, Of: &b.Report, Status: StatusAddendum, Author: it.e.Person, TimeMS: it.e.ClaimedMS, Text: b.Text, Significant: b.Significant == 1, Correction: b.Type == AddendumCorrection, Beyond: it.limited}
		if o := f.opinionOf[b.Report]; o != nil {
			r.Valid = slices.Contains(o.addenda, it) && o.valid
			r.Round, r.Note = o.body.Round, f.rankOf(o.it) == ledger.RankFounder
			r.Acknowledged = r.Valid && f.versionTaken(o, it)
		}
		f.s.Reports = append(f.s.Reports, r)
	}
}

func (f *fold) reportRow(o *opinion) Report {
	e := o.it.e
	r := Report{
		Entry: e.ID, Status: StatusPreliminary, Author: e.Person, TimeMS: e.ClaimedMS, Document: o.doc, Valid: o.valid, Counts: o.counts,
		Note: f.rankOf(o.it) == ledger.RankFounder, Round: o.body.Round, Images: o.body.Images, Stale: f.stale(o), Acknowledged: f.acknowledged(o),
	}
	r.Beyond = o.it.limited
	if o.body.Opens != nil && o.valid {
		r.Opens = &o.body.Opens.Sealed
	}
	if o.final() {
		r.Status = StatusFinal
	}
	if o.doc != nil {
		r.Text = o.doc.Text
	}
	if o.by != nil {
		r.SupersededBy = &o.by.it.e.ID
	}
	for _, a := range o.addenda {
		r.Addenda = append(r.Addenda, a.e.ID)
	}
	for _, it := range o.taken {
		r.TakenBy = append(r.TakenBy, it.e.ID)
	}
	return r
}

// NewReport makes the body that carries a document. What it pins is what the
// document lists.
func NewReport(d *report.Document, supersedes []ledger.EntryID, attests [][32]byte) (*ReportBody, error) {
	raw, err := report.Encode(d)
	if err != nil {
		return nil, err
	}
	b := &ReportBody{Type: d.Status, Round: d.Round, Document: raw, Supersedes: supersedes, Attests: attests}
	for _, i := range d.Images {
		b.Images = append(b.Images, ImageCount{Manifest: i.Manifest, Version: i.Version, Seen: i.Seen, Expected: i.Expected})
	}
	return b, nil
}

// Newest returns the version of a final report that an owner should take next:
// of the reports not acknowledged yet the newest, of that its last addendum if
// there is one. It is false if there is no final report that counts.
func (s *State) Newest() (Report, bool) {
	var found *Report
	for i := range s.Reports {
		r := &s.Reports[i]
		if r.Status == StatusFinal && r.Valid && r.Counts && r.SupersededBy == nil && (found == nil || found.Acknowledged || !r.Acknowledged) {
			found = r
		}
	}
	if found == nil {
		return Report{}, false
	}
	return s.toTake(*found), true
}

// toTake returns the version of a report that is to be acknowledged next: the
// last one that is not, or the last one.
func (s *State) toTake(whole Report) Report {
	last := whole
	for _, id := range slices.Backward(whole.Addenda) {
		r, _ := s.Report(id)
		if !r.Acknowledged {
			return r
		}
		if last.Of == nil {
			last = r
		}
	}
	if !whole.Acknowledged {
		return whole
	}
	return last
}

// ownFinal returns the final report that a person gave in the acting round.
func (s *State) ownFinal(p identity.PersonID) (Report, bool) {
	for _, r := range s.Reports {
		if r.Author == p && r.Status == StatusFinal && r.Valid && r.SupersededBy == nil && r.Round == s.Round {
			return r, true
		}
	}
	return Report{}, false
}
