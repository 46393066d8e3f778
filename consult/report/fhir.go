package report

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Code systems of the exported resources.
const (
	systemLOINC    = "http://loinc.org"
	systemDCM      = "http://dicom.nema.org/resources/ontology/DCM"
	systemUID      = "urn:dicom:uid"
	systemURI      = "urn:ietf:rfc:3986"
	systemEntry    = "urn:curbside:entry"
	systemPerson   = "urn:curbside:person"
	systemIdentity = "http://terminology.hl7.org/CodeSystem/v2-0203"
	animal         = "http://hl7.org/fhir/StructureDefinition/patient-animal"
)

type resource map[string]any

// FHIR is a dossier as an R4 Bundle of type collection: Patient, Practitioner and Organization,
// ServiceRequest, Task, ImagingStudy, DiagnosticReport with the printed report and the PDF inside
// (FIELD §4.11). Ids are made from the case's, so that a second export names the same resources.
func FHIR(d *Dossier, pdf []byte) ([]byte, error) {
	b := &bundle{d: d, seen: map[string]bool{}}
	patient := b.patient()
	studies := b.studies(patient)
	asked := b.request(patient, studies)
	for i := range d.Reports {
		b.report(&d.Reports[i], patient, asked, studies, pdf)
	}
	out, err := json.MarshalIndent(resource{
		"resourceType": "Bundle", "type": "collection", "timestamp": instantFHIR(d.AtMS),
		"identifier": resource{"system": systemEntry, "value": d.Case.String()},
		"entry":      b.entries,
	}, "", "  ")
	return append(out, '\n'), err
}

type bundle struct {
	d       *Dossier
	entries []resource
	seen    map[string]bool
}

// add puts a resource in under a name that is unique within the case, and returns a reference.
func (b *bundle) add(name string, r resource) resource {
	id := b.uuid(name)
	if !b.seen[id] {
		b.seen[id] = true
		b.entries = append(b.entries, resource{"fullUrl": "urn:uuid:" + id, "resource": r})
	}
	return resource{"reference": "urn:uuid:" + id}
}

// uuid is a version 8 UUID (RFC 9562 §5.8) of a name within the case.
func (b *bundle) uuid(name string) string {
	h := sha256.Sum256(append(slices.Clone(b.d.Case[:]), name...))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

func (b *bundle) patient() resource {
	p := &b.d.Patient
	r := resource{"resourceType": "Patient"}
	if p.ID != "" {
		id := resource{"value": p.ID, "type": coding(systemIdentity, "MR", "Medical record number")}
		if p.Issuer != "" {
			id["assigner"] = resource{"display": p.Issuer}
		}
		r["identifier"] = []resource{id}
	}
	if p.Name != "" {
		r["name"] = []resource{nameFHIR(p)}
	}
	switch p.Sex {
	case "M":
		r["gender"] = "male"
	case "F":
		r["gender"] = "female"
	case "O":
		r["gender"] = "other"
	default:
		r["gender"] = "unknown"
	}
	if t, err := time.Parse("20060102", p.BirthDate); err == nil {
		r["birthDate"] = t.Format(time.DateOnly)
	}
	if p.Species != "" {
		r["extension"] = []resource{{"url": animal, "extension": []resource{{"url": "species", "valueCodeableConcept": resource{"text": p.Species}}}}}
	}
	return b.add("patient", r)
}

// nameFHIR is a DICOM person name: family^given^middle^prefix^suffix (PS3.5 §6.2.1).
func nameFHIR(p *Patient) resource {
	if p.Pseudonymous {
		return resource{"use": "anonymous", "text": p.Name}
	}
	group, _, _ := strings.Cut(p.Name, "=")
	parts := strings.Split(group, "^")
	n := resource{"text": strings.Join(strings.Fields(strings.ReplaceAll(group, "^", " ")), " ")}
	at := func(i int) string {
		if i < len(parts) {
			return strings.TrimSpace(parts[i])
		}
		return ""
	}
	if s := at(0); s != "" {
		n["family"] = s
	}
	var given []string
	for i := 1; i <= 2; i++ {
		given = append(given, strings.Fields(at(i))...)
	}
	if len(given) > 0 {
		n["given"] = given
	}
	if s := at(3); s != "" {
		n["prefix"] = []string{s}
	}
	if s := at(4); s != "" {
		n["suffix"] = []string{s}
	}
	return n
}

func (b *bundle) person(p Person) resource {
	id := []resource{{"system": systemPerson, "value": p.ID.String()}}
	if p.Clinic {
		r := resource{"resourceType": "Organization", "identifier": id}
		if p.Name != "" {
			r["name"] = p.Name
		}
		return b.add("person "+p.ID.String(), r)
	}
	r := resource{"resourceType": "Practitioner", "identifier": id}
	if p.Name != "" {
		r["name"] = []resource{{"text": p.Name}}
	}
	return b.add("person "+p.ID.String(), r)
}

func (b *bundle) studies(patient resource) []resource {
	refs := []resource{}
	for _, s := range b.d.Studies {
		if s.Quarantined {
			continue // not of this patient
		}
		r := resource{
			"resourceType": "ImagingStudy", "status": "available", "subject": patient,
			"identifier":     identifiers(s),
			"numberOfSeries": len(s.Series), "numberOfInstances": s.Listed,
		}
		if s.Description != "" {
			r["description"] = s.Description
		}
		if t := dateFHIR(s.Date); t != "" {
			r["started"] = t
		}
		if s.Prior {
			r["note"] = []resource{{"text": "prior study, sent for comparison"}}
		}
		series := []resource{}
		for _, e := range s.Series {
			series = append(series, seriesFHIR(e))
		}
		if len(series) > 0 {
			r["series"] = series
		}
		refs = append(refs, b.add("study "+s.UID, r))
	}
	return refs
}

func identifiers(s Study) []resource {
	out := []resource{{"system": systemUID, "value": "urn:oid:" + s.UID}}
	if s.Accession != "" {
		out = append(out, resource{"value": s.Accession, "type": coding(systemIdentity, "ACSN", "Accession ID")})
	}
	return out
}

func seriesFHIR(e Series) resource {
	modality := e.Modality
	if modality == "" {
		modality = "OT"
	}
	r := resource{"uid": e.UID, "modality": resource{"system": systemDCM, "code": modality}, "numberOfInstances": len(e.Instances)}
	if e.Number > 0 && e.Number < 1<<31 {
		r["number"] = e.Number
	}
	if e.Description != "" {
		r["description"] = e.Description
	}
	if e.BodyPart != "" {
		r["bodySite"] = resource{"display": e.BodyPart}
	}
	instances := []resource{}
	for _, i := range e.Instances {
		one := resource{"uid": i.UID, "sopClass": resource{"system": systemURI, "code": "urn:oid:" + i.SOPClass}}
		if i.Number > 0 && i.Number < 1<<31 {
			one["number"] = i.Number
		}
		instances = append(instances, one)
	}
	if len(instances) > 0 {
		r["instance"] = instances
	}
	return r
}

func (b *bundle) request(patient resource, studies []resource) []resource {
	r := b.d.Request
	if r == nil {
		return nil
	}
	task, service := taskStatus(b.d.State), "active"
	switch task {
	case "completed":
		service = "completed"
	case "rejected", "cancelled":
		service = "revoked"
	case "entered-in-error":
		service = "entered-in-error"
	}
	order := resource{
		"resourceType": "ServiceRequest", "status": service, "intent": "order", "subject": patient,
		"identifier": []resource{{"system": systemEntry, "value": r.Entry.String()}},
		"code":       resource{"text": "second opinion on imaging"},
		"priority":   priorityFHIR(r.Priority), "requester": b.person(r.Author),
		"reasonCode": []resource{{"text": r.Question}},
	}
	if r.AskedMS > 0 {
		order["authoredOn"] = instantFHIR(r.AskedMS)
	}
	if len(studies) > 0 {
		order["supportingInfo"] = studies
	}
	ref := b.add("request", order)
	t := resource{
		"resourceType": "Task", "status": task, "intent": "order", "for": patient, "focus": ref, "priority": priorityFHIR(r.Priority),
		"requester": b.person(r.Author), "description": "second opinion: case " + b.d.State,
		"businessStatus": resource{"text": b.d.State},
	}
	if r.NeededByMS > 0 {
		t["restriction"] = resource{"period": resource{"end": instantFHIR(r.NeededByMS)}}
	}
	b.add("task", t)
	return []resource{ref}
}

// taskStatus maps a state as FIELD §4.11 does.
func taskStatus(state string) string {
	switch state {
	case "draft":
		return "draft"
	case "delivered", "seen":
		return "received"
	case "accepted", "reading", "preliminary":
		return "in-progress"
	case "question":
		return "on-hold"
	case "answered", "acknowledged", "closed":
		return "completed"
	case "quarantined":
		return "entered-in-error"
	case "declined":
		return "rejected"
	case "withdrawn":
		return "cancelled"
	default:
		return "requested"
	}
}

func priorityFHIR(p string) string {
	if p == "stat" || p == "urgent" {
		return p
	}
	return "routine"
}

func (b *bundle) report(s *Signed, patient resource, asked, studies []resource, pdf []byte) {
	r := resource{
		"resourceType": "DiagnosticReport", "status": b.reportStatus(s), "subject": patient,
		"identifier":    []resource{{"system": systemEntry, "value": s.Entry.String()}},
		"code":          coding(systemLOINC, "18748-4", "Diagnostic imaging study"),
		"category":      []resource{coding("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology")},
		"issued":        instantFHIR(s.Document.SignedMS),
		"performer":     []resource{b.person(s.Author)},
		"conclusion":    s.Document.Text,
		"presentedForm": []resource{attachment("text/plain; charset=utf-8", []byte(Text(s.Document, s.Later)), s.Document.SignedMS)},
	}
	if len(pdf) > 0 {
		r["presentedForm"] = append(r["presentedForm"].([]resource), attachment("application/pdf", pdf, b.d.AtMS))
	}
	if len(asked) > 0 {
		r["basedOn"] = asked
	}
	if len(studies) > 0 {
		r["imagingStudy"] = studies
	}
	b.add("report "+s.Entry.String(), r)
}

func (b *bundle) reportStatus(s *Signed) string {
	corrected, appended := false, false
	for _, a := range s.Later.Addenda {
		corrected, appended = corrected || a.Correction, appended || !a.Correction
	}
	replaces := slices.ContainsFunc(b.d.Reports, func(o Signed) bool {
		return o.SupersededBy != nil && *o.SupersededBy == s.Entry && o.Document.Status == Final
	})
	switch {
	case s.Later.NotInForce, s.Later.WrongPatient, b.d.State == "quarantined":
		return "entered-in-error"
	case s.Later.NotAsked, s.Later.Note:
		return "unknown" // it is none of the case's reports; the printed text says so
	case s.Later.Superseded && s.Document.Status == Final:
		return "cancelled"
	case s.Document.Status == Preliminary:
		return "preliminary"
	case corrected:
		return "corrected"
	case appended:
		return "appended"
	case replaces:
		return "amended"
	default:
		return "final"
	}
}

func attachment(kind string, b []byte, ms int64) resource {
	return resource{"contentType": kind, "data": base64.StdEncoding.EncodeToString(b), "creation": instantFHIR(ms)}
}

func coding(system, code, display string) resource {
	return resource{"coding": []resource{{"system": system, "code": code, "display": display}}, "text": display}
}

func instantFHIR(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

func dateFHIR(da string) string {
	t, err := time.Parse("20060102", da)
	if err != nil {
		return ""
	}
	return t.Format(time.DateOnly)
}
