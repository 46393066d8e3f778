package report

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"image"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Dossier is a case as it leaves curbside: what [JSON], [PDF] and [FHIR] print.
// It is filled by who holds the case; the exports add nothing to it. Times are
// milliseconds since 1970 UTC, as their authors claimed them; 0 is unknown.
type Dossier struct {
	Case      ledger.ThreadID
	StateHash [32]byte // of the case when it was exported (FORMATS §7)
	State     string   // FIELD §4.3
	Flags     []string
	Patient   Patient
	Request   *Request
	Studies   []Study
	Reports   []Signed // oldest first
	Criticals []Critical
	Outcomes  []string
	Images    []Picture // key images, in the order they are to be printed
	AtMS      int64     // when it was exported
}

// Patient is who the case is about, as far as the case says.
type Patient struct {
	Pseudonymous bool // Name and ID are a pseudonym; nothing else identifies
	Name         string
	ID           string
	Issuer       string
	BirthDate    string // DA as written
	Sex          string // DICOM's M, F, O
	Age          string // AS as written
	Species      string
}

// Request is the question.
type Request struct {
	Entry       ledger.EntryID
	Author      Person
	Question    string
	Priority    string
	Consent     string
	AskedMS     int64
	NeededByMS  int64
	RequestForm []Field
}

// Person is somebody who wrote in the case.
type Person struct {
	ID     identity.PersonID
	Name   string
	Clinic bool
}

// Study is a study of the case.
type Study struct {
	UID         string
	Date, Time  string // DA and TM as written
	Description string
	Accession   string
	Prior       bool
	Quarantined bool // reported as another patient's
	Series      []Series
	Listed      int
	Present     int
	Expected    *int
}

// Series is a series of a study.
type Series struct {
	UID         string
	Number      int64
	Modality    string
	Description string
	BodyPart    string
	Instances   []Instance
}

// Instance is one object.
type Instance struct {
	UID      string
	SOPClass string
	Number   int64
}

// Signed is a signed report with what was said of it later.
type Signed struct {
	Entry        ledger.EntryID
	Document     *Document
	Raw          []byte // the canonical bytes that the signature covers
	Later        Later
	SupersededBy *ledger.EntryID
	Acknowledged *Acknowledgement
	Author       Person
}

// Acknowledgement is who took a report, and what they do.
type Acknowledgement struct {
	By     string
	AtMS   int64
	Action string
}

// Critical is a critical finding with its record (FIELD §4.6).
type Critical struct {
	Text         string
	List         string // of findings, with its version; empty if not said
	Tier         uint64
	FoundMS      int64 // when it was identified
	RaisedBy     string
	RaisedMS     int64
	For          []string // who must acknowledge
	Told         []string // every attempt: method, to whom, result
	Acknowledged *Acknowledgement
	ReadBack     string
	Error        bool // its raiser says so
}

// Picture is a key image as rendered, with its caption.
type Picture struct {
	Image   image.Image
	Caption string // where it is from and what is marked on it
	SOPUID  string
	Frame   int
}

// JSON is the dossier as one value, for programs of others. Documents are in it twice: as
// fields, and as the signed bytes.
func JSON(d *Dossier) ([]byte, error) {
	type object map[string]any
	out := object{
		"format": "curbside case 1", "case": d.Case.String(), "state_hash": hex.EncodeToString(d.StateHash[:]), "state": d.State,
		"flags": list(d.Flags), "exported_at": rfc3339(d.AtMS), "notice": Footer,
		"patient": object{
			"pseudonymous": d.Patient.Pseudonymous, "name": null(d.Patient.Name), "id": null(d.Patient.ID), "issuer": null(d.Patient.Issuer),
			"birth_date": null(d.Patient.BirthDate), "sex": null(d.Patient.Sex), "age": null(d.Patient.Age), "species": null(d.Patient.Species),
		},
		"request": nil, "outcomes": list(d.Outcomes),
	}
	if r := d.Request; r != nil {
		form := object{}
		for _, f := range r.RequestForm {
			form[f.Name] = f.Value
		}
		out["request"] = object{
			"entry": r.Entry.String(), "author": r.Author.ID.String(), "author_name": r.Author.Name, "question": r.Question,
			"priority": r.Priority, "consent": null(r.Consent), "time": rfc3339(r.AskedMS), "deadline": rfc3339(r.NeededByMS), "form": form,
		}
	}
	studies := []object{}
	for _, s := range d.Studies {
		series := []object{}
		for _, e := range s.Series {
			uids := []string{}
			for _, i := range e.Instances {
				uids = append(uids, i.UID)
			}
			series = append(series, object{"series_uid": e.UID, "number": e.Number, "modality": e.Modality, "description": e.Description, "instances": uids})
		}
		studies = append(studies, object{
			"study_uid": s.UID, "date": null(s.Date), "description": s.Description, "accession": null(s.Accession), "prior": s.Prior, "quarantined": s.Quarantined,
			"listed": s.Listed, "present": s.Present, "expected": s.Expected, "series": series,
		})
	}
	out["studies"] = studies
	reports := []object{}
	for i := range d.Reports {
		r := &d.Reports[i]
		row := object{
			"report": r.Entry.String(), "status": statusOf(r.Document), "author": r.Author.ID.String(), "author_name": r.Author.Name,
			"signed_at": rfc3339(r.Document.SignedMS), "text": r.Document.Text, "printed": Text(r.Document, r.Later),
			"document": base64.StdEncoding.EncodeToString(r.Raw), "stale": r.Later.Stale, "in_force": !r.Later.NotInForce,
			"wrong_patient": r.Later.WrongPatient, "counts": !r.Later.NotAsked && !r.Later.Note, "note": r.Later.Note,
			"superseded_by": nil, "acknowledged": acknowledged(r.Acknowledged),
		}
		if r.SupersededBy != nil {
			row["superseded_by"] = r.SupersededBy.String()
		}
		addenda := []object{}
		for _, a := range r.Later.Addenda {
			addenda = append(addenda, object{"correction": a.Correction, "text": a.Text, "signed_at": rfc3339(a.SignedMS)})
		}
		row["addenda"] = addenda
		reports = append(reports, row)
	}
	out["reports"] = reports
	criticals := []object{}
	for _, c := range d.Criticals {
		criticals = append(criticals, object{
			"text": c.Text, "tier": c.Tier, "raised_by": c.RaisedBy, "raised_at": rfc3339(c.RaisedMS), "told": list(c.Told),
			"list": null(c.List), "error": c.Error, "found_at": rfc3339(c.FoundMS), "for": list(c.For),
			"acknowledged": acknowledged(c.Acknowledged), "read_back": null(c.ReadBack),
		})
	}
	out["criticals"] = criticals
	images := []object{}
	for _, p := range d.Images {
		images = append(images, object{"sop_uid": p.SOPUID, "frame": p.Frame, "caption": p.Caption})
	}
	out["key_images"] = images
	b, err := json.MarshalIndent(out, "", "  ")
	return append(b, '\n'), err
}

func acknowledged(a *Acknowledgement) any {
	if a == nil {
		return nil
	}
	return map[string]any{"by": a.By, "at": rfc3339(a.AtMS), "action": null(a.Action)}
}

func statusOf(d *Document) string {
	if d.Status == Preliminary {
		return "preliminary"
	}
	return "final"
}

func list(s []string) []string { return append([]string{}, s...) }

// null is what is unknown (SCRIPTING, manners).
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func rfc3339(ms int64) any {
	if ms == 0 {
		return nil
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

// Strip identifies the patient in one line, on every page: name or pseudonym, id, birth date or age, sex
// or species (FIELD §7).
func (p *Patient) Strip() string {
	var parts []string
	add := func(s string) {
		if s = text.Line(s); s != "" {
			parts = append(parts, s)
		}
	}
	name := strings.Join(strings.Fields(strings.ReplaceAll(p.Name, "^", " ")), " ")
	if p.Pseudonymous {
		name = "pseudonym " + name
	}
	add(name)
	if p.ID != "" && p.ID != p.Name {
		add("ID " + p.ID)
	}
	switch {
	case p.BirthDate != "":
		add("born " + p.BirthDate)
	case p.Age != "":
		add("age " + p.Age)
	}
	add(p.Sex)
	add(p.Species)
	if len(parts) == 0 {
		return "patient not named"
	}
	return strings.Join(parts, " · ")
}
