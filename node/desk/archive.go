package desk

import (
	"context"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/storage/audit"
)

// Archive is where objects are filed: the hospital side of the node, which attaches it.
type Archive interface {
	// File sends objects to a destination and says of each what became of it. An error says that
	// not all could be tried.
	File(ctx context.Context, to string, files []ArchiveFile) ([]ArchiveResult, error)
}

// ArchiveFile is one object, a Part 10 file.
type ArchiveFile struct {
	SOPClass, SOPUID, StudyUID string
	Bytes                      []byte
}

// ArchiveResult is what became of one object.
type ArchiveResult struct {
	SOPUID    string
	Stored    bool
	Committed bool // the destination took over its keeping
	Detail    string
}

// AttachArchive gives the desk the hospital side.
func (d *Desk) AttachArchive(a Archive) { d.archive = a }

// gathered is what a case has for an archive.
type gathered struct {
	p       *person
	id      ledger.ThreadID
	book    filedRow
	at      *located // an image of the study that reports are filed with; nil if none is here
	reports []signedOf
	dossier *report.Dossier
}

// gather takes from a case what is to be filed. The lock is held.
func (d *Desk) gather(ctx context.Context, said string, whole bool) (*gathered, error) {
	p, t, err := d.actingIn(ctx, said)
	if err != nil {
		return nil, err
	}
	s := t.fold()
	if s.State == consult.StateQuarantined {
		return nil, control.Errorf(control.Refused, "the study of this case was reported as the wrong patient's: nothing of it is filed")
	}
	g := &gathered{p: p, id: t.ledger.ID(), dossier: d.dossier(p, t)}
	if g.book, err = p.filedOf(g.id); err != nil {
		return nil, internal("file case", err)
	}
	g.reports = d.reportsToFile(t, s)
	g.dossier.AtMS = newestOf(g.dossier)
	g.at, err = d.studyToFile(p, s, whole)
	return g, err
}

// studyToFile is the study that is asked about, as its owner knows it: a report is filed with the
// first that is no prior.
func (d *Desk) studyToFile(p *person, s *consult.State, whole bool) (*located, error) {
	for _, prior := range []bool{false, true} {
		for _, g := range s.Grants {
			if g.Quarantined || g.Prior != prior {
				continue
			}
			h := d.studyAs(p, g)
			if h == nil || h.manifest == nil {
				continue
			}
			if whole && h.manifest.Mode == study.ModePseudonymised {
				return nil, control.Errorf(control.Refused, "the study was shared under a pseudonym, and what restores its identity is not here").
					WithHint("only the clinic that sent it can file what was made of it")
			}
			for i := range h.manifest.Series {
				for k := range h.manifest.Series[i].Instances {
					if row := &h.manifest.Series[i].Instances[k]; d.here(row) {
						return h.locate(p, h.places[row.UID]), nil
					}
				}
			}
		}
	}
	if whole {
		return nil, control.Errorf(control.Refused, "no image of the study is here, so that nobody could say whose report it is").WithHint("import the study again")
	}
	return nil, nil //nolint:nilnil // no study is here, and none is needed for what is
}

// reportsToFile are the reports in force that no newer one replaces: the finals, and preliminary ones
// where there is no final.
func (d *Desk) reportsToFile(t *thread, s *consult.State) []signedOf {
	var finals, others []signedOf
	for i := range s.Reports {
		r := &s.Reports[i]
		if r.Document == nil || !r.Valid || !r.Counts || r.SupersededBy != nil {
			continue
		}
		x := signedOf{Signed: d.dossierReport(t, s, r), root: rootOf(s, r), checked: r.Valid, timeMS: r.Document.SignedMS}
		x.Acknowledged = nil // of the case, not of the document
		for _, a := range x.Later.Addenda {
			x.timeMS = max(x.timeMS, a.SignedMS)
		}
		if x.Document.Status == report.Final {
			finals = append(finals, x)
		} else {
			others = append(others, x)
		}
	}
	if len(finals) == 0 {
		return others
	}
	return finals
}

// rootOf follows a report to the first one that it replaces.
func rootOf(s *consult.State, r *consult.Report) ledger.EntryID {
	id := r.Entry
	for range len(s.Reports) {
		i := slices.IndexFunc(s.Reports, func(x consult.Report) bool { return x.SupersededBy != nil && *x.SupersededBy == id })
		if i < 0 {
			break
		}
		id = s.Reports[i].Entry
	}
	return id
}

// newestOf is when the newest thing that a paper prints was said: a paper is dated by what it says,
// so that the same case prints the same paper.
func newestOf(x *report.Dossier) int64 {
	newest := int64(0)
	for i := range x.Reports {
		r := &x.Reports[i]
		newest = max(newest, r.Document.SignedMS)
		for _, a := range r.Later.Addenda {
			newest = max(newest, a.SignedMS)
		}
		if r.Acknowledged != nil {
			newest = max(newest, r.Acknowledged.AtMS)
		}
	}
	for _, c := range x.Criticals {
		newest = max(newest, c.RaisedMS)
		if c.Acknowledged != nil {
			newest = max(newest, c.Acknowledged.AtMS)
		}
	}
	return newest
}

// CaseArchive files what was made in a case with the study that it is about, under the names of the
// original patient and study. What went through before is not sent again, unless all did.
func (d *Desk) CaseArchive(ctx context.Context, req control.CaseArchiveRequest) (control.CaseArchived, error) {
	out := control.CaseArchived{Archived: []control.ArchivedObject{}}
	if d.archive == nil {
		return out, control.Errorf(control.NotFound, "this node has no destinations").WithHint("see: curbside gateway destination add --help")
	}
	if strings.TrimSpace(req.To) == "" {
		return out, control.Errorf(control.Usage, "a destination is missing")
	}
	if err := d.mayArchive(ctx, req.Case); err != nil {
		return out, err
	}
	d.filing.Lock() // two at once would name the same object twice
	defer d.filing.Unlock()
	wrong, err := hold(d, func() (*toReject, error) { return d.rejecting(ctx, req) })
	if err != nil {
		return out, err
	}
	if wrong != nil {
		f, err := d.prepareRejection(ctx, req.To, wrong)
		if err != nil {
			return out, err
		}
		out.Warnings = f.warnings
		return d.send(ctx, req.To, f, &wrong.gathered, out)
	}
	f, g, err := d.prepareFiling(ctx, req.Case, req.Language, true)
	if err != nil {
		return out, err
	}
	out.Warnings = f.warnings
	if len(g.reports) == 0 {
		out.Warnings = append(out.Warnings, "no signed report is in it yet")
	}
	return d.send(ctx, req.To, f, g, out)
}

// mayArchive refuses before anything is sent what could not be recorded afterwards.
func (d *Desk) mayArchive(ctx context.Context, said string) error {
	_, err := hold(d, func() (control.None, error) {
		p, t, err := d.actingIn(ctx, said)
		if err == nil && t.ledger.Members().Ranks[p.id] < ledger.RankNeeded(ledger.Archived) {
			err = control.Errorf(control.Refused, "your role in this case does not allow to archive it")
		}
		return control.None{}, err
	})
	return err
}

// send files objects, keeps what came through, and records it in the case once all did.
func (d *Desk) send(ctx context.Context, to string, f *filing, g *gathered, out control.CaseArchived) (control.CaseArchived, error) {
	if err := d.recordBefore(g.p, audit.Archive, "case", g.id[:]); err != nil {
		return out, err
	}
	sent := f.book.sentTo(to)
	before := slices.Clone(sent.Stored)
	all := !slices.ContainsFunc(f.files, func(x filedFile) bool { return !slices.Contains(before, x.SOPUID) })
	var files []ArchiveFile
	for _, x := range f.files {
		if all || !slices.Contains(before, x.SOPUID) {
			files = append(files, ArchiveFile{SOPClass: x.Class, SOPUID: x.SOPUID, StudyUID: x.StudyUID, Bytes: x.b})
		}
	}
	results, failed := d.archive.File(ctx, to, files)
	for _, r := range results {
		sent.note(r)
	}
	if _, err := hold(d, func() (control.None, error) { return control.None{}, g.p.keepFiled(g.id, &f.book) }); err != nil {
		return out, err
	}
	out.Committed = true
	stored := true
	for _, x := range f.files {
		o := control.ArchivedObject{SOPUID: x.SOPUID, Class: x.Class, What: x.what, OK: slices.Contains(sent.Stored, x.SOPUID), Detail: "stored before"}
		if i := slices.IndexFunc(results, func(r ArchiveResult) bool { return r.SOPUID == x.SOPUID }); i >= 0 {
			o.OK, o.Detail = results[i].Stored, results[i].Detail
		} else if !o.OK {
			o.Detail = "not tried"
		}
		stored = stored && o.OK
		out.Committed = out.Committed && slices.Contains(sent.Committed, x.SOPUID)
		out.Archived = append(out.Archived, o)
	}
	switch {
	case failed != nil && len(results) == 0:
		return out, failed
	case !stored:
		out.Committed = false
		return out, nil
	}
	if !out.Committed {
		out.Warnings = append(out.Warnings, "stored, not committed: the destination did not take over the keeping of it")
	}
	entry, err := d.recordArchived(ctx, g, to, out)
	out.Entry = entry
	return out, err
}

// note keeps what became of one object.
func (s *filedSent) note(r ArchiveResult) {
	if r.Stored && !slices.Contains(s.Stored, r.SOPUID) {
		s.Stored = append(s.Stored, r.SOPUID)
	}
	if r.Committed && !slices.Contains(s.Committed, r.SOPUID) {
		s.Committed = append(s.Committed, r.SOPUID)
	}
}

// recordArchived posts what was filed, once.
func (d *Desk) recordArchived(ctx context.Context, g *gathered, to string, out control.CaseArchived) (*string, error) {
	body := consult.ArchivedBody{To: to, Committed: 1}
	if out.Committed {
		body.Committed = 2
	}
	for _, o := range out.Archived {
		if len(body.Objects) == consult.ArchivedMax {
			break
		}
		body.Objects = append(body.Objects, consult.ArchivedObject{SOPUID: o.SOPUID, Class: o.Class, Stored: 2})
	}
	return hold(d, func() (*string, error) {
		p, t, err := d.actingIn(ctx, g.id.String())
		if err != nil {
			return nil, err
		}
		if id, ok := archivedAs(t, p, &body); ok {
			return &id, nil
		}
		ref, err := d.actOn(t, p, ledger.Archived, body)
		return &ref.Entry, err
	})
}

// archivedAs finds an entry that says the same already.
func archivedAs(t *thread, p *person, body *consult.ArchivedBody) (string, bool) {
	s := t.fold()
	for i := range s.Posts {
		post := &s.Posts[i]
		if post.Kind != ledger.Archived || post.Author != p.id || !post.InForce {
			continue
		}
		if b, ok := bodyOf(t, post.Entry).(*consult.ArchivedBody); ok && b.To == body.To && b.Committed >= body.Committed && slices.Equal(b.Objects, body.Objects) {
			return post.Entry.String(), true
		}
	}
	return "", false
}
