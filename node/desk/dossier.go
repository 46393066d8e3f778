package desk

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// dossier is a case as reports of it are printed. Call with mu.
func (d *Desk) dossier(p *person, t *thread) *report.Dossier {
	s := t.fold()
	out := &report.Dossier{Case: s.Case, StateHash: s.Hash(), State: s.State, Flags: s.Flags, AtMS: d.nowMS()}
	if r := s.Request; r != nil {
		out.Request = &report.Request{
			Entry: r.Entry, Author: d.dossierPerson(r.Author), Question: r.Question, Priority: s.Priority, Consent: r.Consent.String(),
			AskedMS: r.TimeMS, NeededByMS: s.NeededByMS,
		}
		for name, value := range r.Context.Form {
			out.Request.RequestForm = append(out.Request.RequestForm, report.Field{Name: name, Value: value})
		}
		slices.SortFunc(out.Request.RequestForm, func(a, b report.Field) int { return strings.Compare(a.Name, b.Name) })
	}
	for _, g := range s.Grants {
		d.dossierStudy(p, out, g)
	}
	for i := range s.Reports {
		if r := &s.Reports[i]; r.Document != nil {
			out.Reports = append(out.Reports, d.dossierReport(t, s, r))
		}
	}
	for i := range s.Criticals {
		out.Criticals = append(out.Criticals, d.dossierCritical(s, &s.Criticals[i]))
	}
	for _, id := range s.Outcomes {
		if p, ok := s.Post(id); ok {
			out.Outcomes = append(out.Outcomes, p.Text)
		}
	}
	return out
}

func (d *Desk) dossierPerson(id identity.PersonID) report.Person {
	p := report.Person{ID: id, Name: d.memberName(id)}
	if o := d.personOf(id); o != nil {
		p.Clinic = o.self.Kind == identity.RoleClinic
	} else if c := d.cardOf(id); c != nil {
		p.Clinic = c.Kind == identity.RoleClinic
	}
	return p
}

func (d *Desk) dossierStudy(p *person, out *report.Dossier, g consult.Grant) {
	row := d.caseStudy(p, g)
	h := d.studyAs(p, g)
	if h == nil || h.manifest == nil {
		return // only its counts are known, and the reports state them
	}
	m := &h.manifest.Study
	st := report.Study{
		UID: m.UID, Date: m.Date, Time: m.Time, Description: m.Description, Accession: m.Accession, Prior: g.Prior,
		Listed: row.Listed, Present: row.Present, Expected: row.Expected, Quarantined: g.Quarantined,
	}
	for i := range h.manifest.Series {
		e := &h.manifest.Series[i]
		se := report.Series{UID: e.UID, Number: e.Number, Modality: e.Modality, Description: e.Description, BodyPart: e.BodyPart}
		for k := range e.Instances {
			se.Instances = append(se.Instances, report.Instance{UID: e.Instances[k].UID, SOPClass: e.Instances[k].SOPClass, Number: e.Instances[k].Number})
		}
		st.Series = append(st.Series, se)
	}
	out.Studies = append(out.Studies, st)
	if out.Patient != (report.Patient{}) || g.Quarantined {
		return // one patient a case (FIELD §6, F1), and not the wrong one
	}
	out.Patient = report.Patient{Sex: m.Sex, Age: m.Age}
	if who := m.Patient; who != nil {
		out.Patient.Name, out.Patient.ID, out.Patient.Issuer, out.Patient.BirthDate = who.Name, who.ID, who.Issuer, who.BirthDate
	} else {
		out.Patient.Pseudonymous, out.Patient.Name, out.Patient.ID = true, m.Pseudonym, m.Pseudonym
	}
}

func (d *Desk) dossierReport(t *thread, s *consult.State, r *consult.Report) report.Signed {
	out := report.Signed{
		Entry: r.Entry, Document: r.Document, SupersededBy: r.SupersededBy, Author: d.dossierPerson(r.Author),
		Later: report.Later{
			Superseded: r.SupersededBy != nil, Stale: r.Stale, NotInForce: !r.Valid, Note: r.Note, NotAsked: !r.Counts && !r.Note,
			WrongPatient: s.State == consult.StateQuarantined || pinsQuarantined(s, r),
		},
	}
	if b, ok := bodyOf(t, r.Entry).(*consult.ReportBody); ok {
		out.Raw = b.Document
	}
	for _, id := range r.Addenda {
		if a, ok := s.Report(id); ok && a.Valid {
			out.Later.Addenda = append(out.Later.Addenda, report.Addendum{Correction: d.corrects(t, id), Text: a.Text, SignedMS: a.TimeMS})
		}
	}
	if n := len(r.TakenBy); n > 0 && r.Acknowledged {
		if p, ok := s.Post(r.TakenBy[n-1]); ok {
			out.Acknowledged = &report.Acknowledgement{By: d.memberName(p.Author), AtMS: p.TimeMS, Action: d.action(t, p.Entry)}
		}
	}
	return out
}

// pinsQuarantined reports whether a report rests on images of another patient.
func pinsQuarantined(s *consult.State, r *consult.Report) bool {
	return slices.ContainsFunc(s.AllGrants, func(g consult.Grant) bool {
		return g.Quarantined && slices.ContainsFunc(r.Images, func(i consult.ImageCount) bool { return i.Manifest == g.Manifest.ID })
	})
}

func (d *Desk) corrects(t *thread, id ledger.EntryID) bool {
	b, _ := bodyOf(t, id).(*consult.AddendumBody)
	return b != nil && b.Type == consult.AddendumCorrection
}

func (d *Desk) action(t *thread, id ledger.EntryID) string {
	if b, ok := bodyOf(t, id).(*consult.TakenBody); ok {
		return b.Action
	}
	return ""
}

// bodyOf reads the body of an entry, nil if it cannot be read.
func bodyOf(t *thread, id ledger.EntryID) any {
	e := t.ledger.Entry(id)
	if e == nil {
		return nil
	}
	body, err := consult.Decode(e.Kind, e.Body)
	if err != nil {
		return nil
	}
	return body
}

func (d *Desk) dossierCritical(s *consult.State, c *consult.Critical) report.Critical {
	r, _ := s.CriticalRecord(c.Entry)
	out := report.Critical{
		Text: r.Finding, List: r.List, Tier: r.Tier, FoundMS: r.FoundMS, RaisedBy: d.memberName(r.ToldBy), RaisedMS: c.TimeMS, ReadBack: r.ReadBack, Error: r.Error,
	}
	for _, id := range r.Told {
		out.For = append(out.For, d.memberName(id))
	}
	for _, id := range c.Attempts {
		if p, ok := s.Post(id); ok {
			out.Told = append(out.Told, p.Text+" ("+d.memberName(p.Author)+")")
		}
	}
	if r.ReceivedBy != nil {
		out.Acknowledged = &report.Acknowledgement{By: d.memberName(*r.ReceivedBy), AtMS: r.ReceivedMS}
	}
	return out
}

// papers writes a dossier to files in a folder: json, fhir or pdf. FHIR has the PDF inside.
func papers(dossier *report.Dossier, format, dir string) ([]string, error) {
	var b []byte
	var err error
	name := dossier.Case.String()[:16]
	switch format {
	case "json":
		b, err = report.JSON(dossier)
		name += ".json"
	case formatPDF:
		b, err = report.PDF(dossier)
		name += ".pdf"
	case formatFHIR:
		var pdf []byte
		if pdf, err = report.PDF(dossier); err == nil {
			b, err = report.FHIR(dossier, pdf)
		}
		name += ".fhir.json"
	case "text":
		b = []byte(printed(dossier))
		name += ".txt"
	default:
		return nil, control.Errorf(control.Usage, "format is dicom, pdf, json, fhir or text")
	}
	if err != nil {
		return nil, internal("print case", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, control.Errorf(control.Refused, "cannot make the folder: %v", err)
	}
	file := filepath.Join(dir, name)
	if err := replaceFile(file, b); err != nil {
		return nil, control.Errorf(control.Refused, "cannot write: %v", err)
	}
	return []string{file}, nil
}

// printed is every report as text, the newest first, so that no older one is read without it.
func printed(dossier *report.Dossier) string {
	var b strings.Builder
	for i := len(dossier.Reports) - 1; i >= 0; i-- {
		r := &dossier.Reports[i]
		b.WriteString(report.Text(r.Document, r.Later))
		if i > 0 {
			b.WriteString("\n" + strings.Repeat("=", 60) + "\n\n")
		}
	}
	if len(dossier.Reports) == 0 {
		b.WriteString("no report yet\n")
	}
	return b.String()
}
