package desk

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// tableLink keeps which patients a person said are one: two ids, the lower first, -> linkRow.
const tableLink = "link"

type linkRow struct {
	_      struct{} `cbor:",toarray"`
	Reason string
	TimeMS int64
}

// linkReasonMax bounds why two patients are one.
const linkReasonMax = 1024

// patient is one patient as the studies here name them: one issuer and identifier, one name, no
// two birth dates. Studies without an identifier are each a patient of their own: a name alone is
// never a match.
type patient struct {
	id        string
	domain    string // the issuer, or whose identifiers these are where none is said
	issuer    string
	number    string // the identifier
	name      string // as the newest study has it
	key       string // of the name
	birth     string
	sex       string
	pseudonym bool
	studies   []*holding
}

// patients groups what a person may see.
func (d *Desk) patients(p *person) []*patient {
	held := make([]*holding, 0, len(d.studies.held))
	for _, h := range d.studies.held {
		if d.visible(p, h) {
			held = append(held, h)
		}
	}
	slices.SortFunc(held, func(a, b *holding) int {
		return cmp.Or(slices.Compare(a.key.lineage[:], b.key.lineage[:]), slices.Compare(a.key.owner[:], b.key.owner[:]))
	})
	var all []*patient
	at := map[string][]*patient{} // by domain, identifier and name
	for _, h := range held {
		one := patientFrom(h)
		place := one.domain + "\x00" + one.number + "\x00" + one.key
		i := slices.IndexFunc(at[place], func(x *patient) bool { return x.birth == one.birth || x.birth == "" || one.birth == "" })
		if i < 0 || one.number == "" {
			at[place] = append(at[place], one)
			all = append(all, one)
			continue
		}
		same := at[place][i]
		if h.manifest.Study.Date > newestStudy([]*patient{same}).manifest.Study.Date {
			same.name = one.name
		}
		same.studies = append(same.studies, h)
		same.birth, same.sex = cmp.Or(same.birth, one.birth), cmp.Or(same.sex, one.sex)
	}
	for place, group := range at {
		for _, x := range group {
			key := place
			switch {
			case x.number == "":
				key += "\x00" + x.studies[0].id()
			case len(group) > 1:
				key += "\x00" + x.birth
			}
			sum := wire.Hash("local/patient", []byte(key))
			x.id = hex.EncodeToString(sum[:16])
		}
	}
	slices.SortFunc(all, func(a, b *patient) int {
		return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.number, b.number), strings.Compare(a.id, b.id))
	})
	return all
}

func patientFrom(h *holding) *patient {
	m := h.manifest
	who := patientOf(h)
	x := &patient{
		domain: "owner:" + h.key.owner.String(), number: strings.TrimSpace(who.ID), name: text.Line(who.Name), key: nameKey(who.Name),
		birth: who.BirthDate, sex: m.Study.Sex, studies: []*holding{h},
	}
	if who.Issuer != "" {
		x.domain, x.issuer = "issuer:"+who.Issuer, text.Line(who.Issuer)
	}
	if m.Mode == study.ModePseudonymised {
		x.pseudonym, x.name, x.number = true, text.Line(m.Study.Pseudonym), m.Study.Pseudonym
		x.domain, x.key = "pseudonym:"+h.key.owner.String(), nameKey(m.Study.Pseudonym)
	}
	return x
}

// doubts finds who may be the same patient: never more than said, with why.
func doubts(all []*patient) map[*patient]map[*patient]string {
	out := map[*patient]map[*patient]string{}
	say := func(a, b *patient, why string) {
		for _, pair := range [][2]*patient{{a, b}, {b, a}} {
			if out[pair[0]] == nil {
				out[pair[0]] = map[*patient]string{}
			}
			out[pair[0]][pair[1]] = why
		}
	}
	byNumber, byName := map[string][]*patient{}, map[string][]*patient{}
	for _, x := range all {
		if x.pseudonym {
			continue // a pseudonym is not to be guessed at
		}
		if x.number != "" {
			for _, y := range byNumber[x.number] {
				if why := numberDoubt(x, y); why != "" {
					say(x, y, why)
				}
			}
			byNumber[x.number] = append(byNumber[x.number], x)
		}
		if x.key != "" && x.birth != "" {
			for _, y := range byName[x.key+"\x00"+x.birth] {
				if x.number != y.number {
					say(x, y, "same name and birth date, another identifier")
				}
			}
			byName[x.key+"\x00"+x.birth] = append(byName[x.key+"\x00"+x.birth], x)
		}
	}
	return out
}

// numberDoubt says why two with one identifier may be the same. Two houses may give the same
// number to different people, so there the name must agree too.
func numberDoubt(x, y *patient) string {
	switch {
	case x.domain == y.domain && x.key != y.key:
		return "same identifier, another name"
	case x.domain == y.domain:
		return "same identifier, another birth date"
	case x.key == y.key && x.key != "":
		return "same identifier and name, another issuer"
	default:
		return ""
	}
}

func linkKey(a, b string) string { return min(a, b) + max(a, b) }

// links reads which patients a person said are one.
func (d *Desk) links(p *person, all []*patient) map[*patient]map[*patient]string {
	byID := map[string]*patient{}
	for _, x := range all {
		byID[x.id] = x
	}
	out := map[*patient]map[*patient]string{}
	_ = p.vault.Each(tableLink, func(key string, value []byte) error { // what cannot be read links nothing
		var row linkRow
		half := len(key) / 2
		a, b := byID[key[:half]], byID[key[half:]]
		if a == nil || b == nil || wire.Unmarshal(value, &row) != nil {
			return nil //nolint:nilerr // what cannot be read links nothing
		}
		for _, pair := range [][2]*patient{{a, b}, {b, a}} {
			if out[pair[0]] == nil {
				out[pair[0]] = map[*patient]string{}
			}
			out[pair[0]][pair[1]] = row.Reason
		}
		return nil
	})
	return out
}

// together are a patient and all that are linked to them, also by way of others.
func together(x *patient, links map[*patient]map[*patient]string) []*patient {
	out := []*patient{x}
	for i := 0; i < len(out); i++ {
		for y := range links[out[i]] {
			if !slices.Contains(out, y) {
				out = append(out, y)
			}
		}
	}
	slices.SortFunc(out[1:], func(a, b *patient) int { return strings.Compare(a.id, b.id) })
	return out
}

// PatientList lists the patients of whom the acting person sees studies.
func (d *Desk) PatientList(ctx context.Context, _ control.None) ([]control.Patient, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	all := d.patients(p)
	doubtful, links := doubts(all), d.links(p, all)
	out := make([]control.Patient, 0, len(all))
	for _, x := range all {
		out = append(out, d.patientRow(p, x, doubtful, links))
	}
	return out, nil
}

func (d *Desk) patientRow(p *person, x *patient, doubtful, links map[*patient]map[*patient]string) control.Patient {
	row := control.Patient{
		Patient: x.id, Name: x.name, PatientID: text.Line(x.number), Issuer: known(x.issuer), BirthDate: known(dateText(x.birth)), Sex: known(text.Line(x.sex)),
		Pseudonym: x.pseudonym, Studies: len(x.studies), Cases: len(d.casesOf(p, x)),
		Doubtful: []control.PatientMatch{}, Linked: []control.PatientMatch{},
	}
	last := ""
	for _, h := range x.studies {
		last = max(last, dateText(h.manifest.Study.Date))
	}
	row.Last = known(last)
	whole := together(x, links)
	for y, why := range doubtful[x] {
		if !slices.Contains(whole, y) {
			row.Doubtful = append(row.Doubtful, patientMatch(y, why))
		}
	}
	for _, y := range whole[1:] {
		why := links[x][y]
		row.Linked = append(row.Linked, patientMatch(y, cmp.Or(why, "by way of another one")))
	}
	slices.SortFunc(row.Doubtful, func(a, b control.PatientMatch) int { return strings.Compare(a.Patient, b.Patient) })
	return row
}

func patientMatch(y *patient, why string) control.PatientMatch {
	return control.PatientMatch{Patient: y.id, Name: y.name, PatientID: text.Line(y.number), BirthDate: known(dateText(y.birth)), Why: text.Line(why)}
}

// known is nil for what is not known.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// dateText turns a DICOM date into YYYY-MM-DD; what is none stays as it is. No zone is applied (F15).
func dateText(da string) string {
	if len(da) != len("20060102") || strings.Trim(da, "0123456789") != "" {
		return text.Line(da)
	}
	return da[:4] + "-" + da[4:6] + "-" + da[6:]
}

// casesOf are a person's cases that hold studies of a patient.
func (d *Desk) casesOf(p *person, x *patient) []*thread {
	var out []*thread
	for _, h := range x.studies {
		for id := range d.casesWith(h) {
			if t := d.threads[id]; t != nil && !slices.Contains(out, t) && d.inCase(p, t) && t.fold().Request != nil {
				out = append(out, t)
			}
		}
	}
	return out
}

// findPatient finds a patient by id, study, or an identifier that only one has.
func (d *Desk) findPatient(p *person, all []*patient, said string) (*patient, *holding, error) {
	var found []*patient
	for _, x := range all {
		if idMatches(x.id, said) || x.number != "" && x.number == said {
			found = append(found, x)
		}
	}
	if len(found) == 0 {
		if h, err := d.findStudy(p, said); err == nil {
			for _, x := range all {
				if slices.Contains(x.studies, h) {
					return x, h, nil
				}
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, nil, control.Errorf(control.NotFound, "no such patient").WithHint("list them with: curbside patient list")
	case 1:
		return found[0], nil, nil
	}
	return nil, nil, control.Errorf(control.Refused, "several patients are named so").WithHint("use the patient's id from: curbside patient list")
}

// PatientShow shows all that is held of a patient on a time line, and what to compare with.
func (d *Desk) PatientShow(ctx context.Context, req control.PatientRequest) (control.PatientDetail, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return control.PatientDetail{}, err
	}
	all := d.patients(p)
	x, h, err := d.findPatient(p, all, req.Patient)
	if err != nil {
		return control.PatientDetail{}, err
	}
	if err := d.recordBefore(p, actionView, "patient", patientBytes(x)); err != nil {
		return control.PatientDetail{}, err
	}
	return d.patientDetail(p, all, x, h), nil
}

func patientBytes(x *patient) []byte {
	b, err := hex.DecodeString(x.id)
	if err != nil {
		return nil // it is made of hex digits
	}
	return b
}

func (d *Desk) patientDetail(p *person, all []*patient, x *patient, h *holding) control.PatientDetail {
	links := d.links(p, all)
	out := control.PatientDetail{Patient: d.patientRow(p, x, doubts(all), links), Timeline: []control.PatientItem{}, Priors: []control.PriorSuggested{}}
	whole := together(x, links)
	shown := map[*thread]bool{}
	for _, y := range whole {
		for _, s := range y.studies {
			out.Timeline = append(out.Timeline, d.studyItem(y, s))
		}
		for _, t := range d.casesOf(p, y) {
			if !shown[t] {
				shown[t] = true
				out.Timeline = append(out.Timeline, d.caseItems(y, t)...)
			}
		}
	}
	slices.SortStableFunc(out.Timeline, func(a, b control.PatientItem) int { return -cmp.Compare(itemDay(a), itemDay(b)) })
	if h == nil {
		h = newestStudy(whole)
	}
	if h != nil {
		id := h.id()
		out.PriorsOf, out.Priors = &id, suggestPriors(whole, h)
	}
	return out
}

// itemDay is what a time line is sorted by: a day for studies, whose time has no zone, an instant for entries.
func itemDay(i control.PatientItem) string {
	switch {
	case i.Time != nil:
		return i.Time.Format(time.RFC3339Nano)
	case i.Date != nil:
		return *i.Date
	default:
		return ""
	}
}

func (d *Desk) studyItem(x *patient, h *holding) control.PatientItem {
	st := h.manifest.Study
	item := control.PatientItem{
		Kind: "study", Date: known(dateText(st.Date)), Title: text.Line(st.Description), Study: h.id(), StudyUID: st.UID,
		Modality: text.Line(strings.Join(st.Modalities, "\\")), BodyPart: text.Line(bodyPart(h)), Patient: x.id,
	}
	for id := range d.casesWith(h) {
		if t := d.threads[id]; t != nil {
			for _, g := range t.fold().Grants {
				item.Quarantined = item.Quarantined || d.studyAs(d.personOf(h.key.owner), g) == h && g.Quarantined
			}
		}
	}
	return item
}

// caseItems are a case, its reports, critical findings and outcomes.
func (d *Desk) caseItems(x *patient, t *thread) []control.PatientItem {
	s := t.fold()
	item := func(kind string, timeMS int64, title string) control.PatientItem {
		at := instant(timeMS)
		return control.PatientItem{Kind: kind, Time: &at, Title: title, Case: s.Case.String(), Patient: x.id}
	}
	first := item("case", s.Request.TimeMS, text.Line(s.Title))
	first.State, first.Author = s.State, d.memberName(s.Request.Author)
	out := []control.PatientItem{first}
	for i := range s.Reports {
		r := &s.Reports[i]
		if !r.Valid {
			continue
		}
		kind := map[string]string{"preliminary": "opinion", "final": "report", "addendum": "addendum"}[r.Status]
		row := item(kind, r.TimeMS, text.Name(text.Line(r.Text), labelMax))
		row.State, row.Entry, row.Author, row.Superseded = r.Status, r.Entry.String(), d.memberName(r.Author), r.SupersededBy != nil
		out = append(out, row)
	}
	for _, c := range s.Criticals {
		row := item("critical", c.TimeMS, text.Name(text.Line(c.Text), labelMax))
		row.Entry, row.Author, row.State = c.Entry.String(), d.memberName(c.Author), "open"
		if c.AcknowledgedBy != nil {
			row.State = "acknowledged"
		}
		out = append(out, row)
	}
	for i := range s.Posts {
		if o := &s.Posts[i]; o.Kind == ledger.Outcome && o.InForce {
			row := item("outcome", o.TimeMS, text.Name(text.Line(o.Text), labelMax))
			row.Entry, row.Author = o.Entry.String(), d.memberName(o.Author)
			out = append(out, row)
		}
	}
	return out
}

// PatientLink says, with a reason, that two patients are one. They are shown together; nothing of
// what was stored changes.
func (d *Desk) PatientLink(ctx context.Context, req control.PatientLinkRequest) (control.PatientDetail, error) {
	reason := strings.TrimSpace(req.Reason)
	if reason == "" || len(reason) > linkReasonMax {
		return control.PatientDetail{}, control.Errorf(control.Usage, "say in a sentence why the two are one patient")
	}
	return d.relink(ctx, req, func(p *person, key string) error {
		return p.vault.Put(tableLink, key, wire.MustMarshal(linkRow{Reason: reason, TimeMS: d.nowMS()}))
	})
}

// PatientUnlink takes a link back.
func (d *Desk) PatientUnlink(ctx context.Context, req control.PatientLinkRequest) (control.PatientDetail, error) {
	return d.relink(ctx, req, func(p *person, key string) error {
		if _, ok := p.vault.Get(tableLink, key); !ok {
			return control.Errorf(control.Refused, "nobody has linked these two").WithHint("see: curbside patient show")
		}
		return p.vault.Delete(tableLink, key)
	})
}

func (d *Desk) relink(ctx context.Context, req control.PatientLinkRequest, change func(p *person, key string) error) (control.PatientDetail, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var none control.PatientDetail
	p, err := d.acting(ctx)
	if err != nil {
		return none, err
	}
	all := d.patients(p)
	a, _, err := d.findPatient(p, all, req.Patient)
	if err != nil {
		return none, err
	}
	b, _, err := d.findPatient(p, all, req.Other)
	if err != nil {
		return none, err
	}
	if a == b {
		return none, control.Errorf(control.Usage, "both are the same patient")
	}
	if err := d.recordBefore(p, actionSettings, "patient", patientBytes(a)); err != nil {
		return none, err
	}
	if err := change(p, linkKey(a.id, b.id)); err != nil {
		if e, ok := errors.AsType[*control.Error](err); ok {
			return none, e
		}
		return none, internal("keep link", err)
	}
	return d.patientDetail(p, all, a, nil), nil
}
