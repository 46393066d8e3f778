package desk

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/curbside-p2p/curbside/consult/form"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// fieldSamePatient of a request's form says why studies whose patients differ are in one case.
const fieldSamePatient = "same-patient"

// requestBefore finds the case that the caller's key made before. It is done if there is one.
func (d *Desk) requestBefore(plan *newCase, req control.NewCase) (done bool, _ error) {
	if req.Key == "" {
		return false, nil
	}
	plan.key, req.Key, req.Check = req.Key, "", false
	plan.digest = onceDigest("request", req)
	row, was, err := d.onceBefore(plan.p, plan.key, plan.digest)
	if err != nil || !was {
		return false, err
	}
	t := d.threads[row.Thread]
	if row.Seq != 0 || t == nil || t.ledger.Members().Ranks[plan.p.id] == ledger.RankNone {
		return false, nil // the command died before the case was there
	}
	plan.was = row.Thread.String()
	return true, nil
}

// onePatient refuses studies whose patients differ in identifier, name, birth date or sex, unless
// a person typed the identifier of the one that differs, with a reason (F1). What differs is named,
// not shown: a message is no place for it.
func (plan *newCase) onePatient(typed *control.OtherPatient) error {
	whose := plan.holdings[0]
	var differ []string
	var other *holding
	for _, h := range plan.holdings[1:] {
		if fields := patientDiffers(whose, h); len(fields) > 0 && other == nil {
			differ, other = fields, h
		}
	}
	if other == nil {
		return nil
	}
	if typed == nil {
		return control.Errorf(control.Refused, "the studies are of different patients: they differ in %s", strings.Join(differ, ", ")).
			WithHint("one case is about one patient; where it is the same one (compare: study list) repeat with --same-patient ID --reason WHY, ID being the patient id of the study that differs")
	}
	if strings.TrimSpace(typed.Reason) == "" {
		return control.Errorf(control.Usage, "say why the studies are of one patient")
	}
	if id := patientOf(other).ID; strings.TrimSpace(typed.ID) != id || id == "" {
		return control.Errorf(control.Refused, "what was typed is not the patient id of the study that differs").
			WithHint("look at it again: curbside study show")
	}
	plan.differs = fmt.Sprintf("the studies differ in %s: %s", strings.Join(differ, ", "), text.Line(typed.Reason))
	plan.warnings = append(plan.warnings, "studies of differing patients go into one case, as was confirmed; the recipients read why")
	return nil
}

func patientOf(h *holding) study.ManifestPatient {
	if h.manifest == nil || h.manifest.Study.Patient == nil {
		return study.ManifestPatient{}
	}
	return *h.manifest.Study.Patient
}

// patientDiffers names what two studies say differently of their patient. A value that one does
// not have is no difference, but for the identifier.
func patientDiffers(a, b *holding) []string {
	x, y := patientOf(a), patientOf(b)
	var out []string
	if a.row.Patient != b.row.Patient {
		out = append(out, "identifier")
	}
	if n, m := nameKey(x.Name), nameKey(y.Name); n != m && n != "" && m != "" {
		out = append(out, "name")
	}
	if x.BirthDate != y.BirthDate && x.BirthDate != "" && y.BirthDate != "" {
		out = append(out, "birth date")
	}
	if n, m := a.manifest.Study.Sex, b.manifest.Study.Sex; n != m && n != "" && m != "" && n != "O" && m != "O" {
		out = append(out, "sex")
	}
	return out
}

// nameKey compares person names: case, spaces and empty components mean nothing (PS3.5 §6.2.1.1).
func nameKey(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToUpper(name), func(r rune) bool { return r == '^' || r == '=' || unicode.IsSpace(r) }), "^")
}

// lint refuses what a request must not hold, and warns of what a person should see before it goes.
func (d *Desk) lint(plan *newCase, req control.NewCase) error {
	warn := func(format string, args ...any) { plan.warnings = append(plan.warnings, fmt.Sprintf(format, args...)) }
	var missing []string
	for _, f := range form.Lint(plan.draft(), d.facts(plan)) {
		switch {
		case f.Code == form.CodePatients: // onePatient has asked a person
		case f.Refuse:
			return control.Errorf(control.Refused, "%s", f.Message).WithHint("%s", f.Hint)
		case f.Code == form.CodeMissing:
			missing = append(missing, strings.TrimPrefix(f.Message, "not given: "))
		default:
			warn("%s", f.Message)
		}
	}
	if len(missing) > 0 {
		warn("the form does not say: %s; the recipients read \"%s\"", strings.Join(missing, ", "), form.NotGiven)
	}
	if req.Deadline != nil && !req.Deadline.After(d.now()) {
		warn("the deadline is over")
	}
	for _, h := range plan.holdings {
		for _, s := range lintStudy(h) {
			warn("%s", s)
		}
	}
	for _, id := range plan.to {
		d.lintRecipient(plan, id, warn)
	}
	return nil
}

func (plan *newCase) draft() form.Draft {
	return form.Draft{
		Question: plan.body.Question, Priority: plan.body.Priority.String(), Consent: plan.body.Consent.String(),
		ReplyTo: plan.replyTo, Form: plan.form,
	}
}

// facts is what is known of what a request sends.
func (d *Desk) facts(plan *newCase) form.Facts {
	f := form.Facts{ModeChosen: true, Pseudonymised: plan.cast != nil, Today: d.now().Format(time.DateOnly)}
	for i, h := range plan.holdings {
		who, st := patientOf(h), h.manifest.Study
		x := form.Study{
			Prior: i >= len(plan.holdings)-plan.priors, Date: st.Date, Texts: []string{st.Description, st.BodyPart},
			Patient: form.Patient{Name: who.Name, ID: who.ID, BirthDate: who.BirthDate, Sex: st.Sex},
			Listed:  uint64(max(h.listed(), 0)), Here: uint64(max(h.present(), 0)),
		}
		for k := range h.manifest.Series {
			x.Texts = append(x.Texts, h.manifest.Series[k].Description, h.manifest.Series[k].BodyPart)
		}
		f.Studies = append(f.Studies, x)
	}
	for range plan.to { // recipients has refused whom nothing may be sent to
		f.Recipients = append(f.Recipients, form.Recipient{})
	}
	return f
}

// lintStudy names what is known to be missing of a study, by series number.
func lintStudy(h *holding) []string {
	var out []string
	for i := range h.manifest.Series {
		s := &h.manifest.Series[i]
		numbers := map[int64]bool{}
		low, high := int64(0), int64(0)
		for k := range s.Instances {
			n := s.Instances[k].Number
			if len(numbers) == 0 {
				low, high = n, n
			}
			low, high, numbers[n] = min(low, n), max(high, n), true
		}
		gaps := high - low + 1 - int64(len(numbers))
		if len(numbers) == len(s.Instances) && len(numbers) > 1 && gaps > 0 && gaps <= int64(len(numbers)) {
			out = append(out, fmt.Sprintf("series %d may be incomplete: %d image numbers between %d and %d are missing", s.Number, gaps, low, high))
		}
	}
	if n := expected(h.manifest.Complete); n != nil && *n > h.listed() {
		out = append(out, fmt.Sprintf("a study is incomplete: %d of %d images", h.listed(), *n))
	}
	return out
}

// lintRecipient says who is not verified, has a namesake, or does not take cases in time (F17, FIELD §4.5).
func (d *Desk) lintRecipient(plan *newCase, id identity.PersonID, warn func(string, ...any)) {
	name := d.memberName(id)
	if trust := d.trustOf(plan.p, id); trust != trustVerified {
		warn("%s is %s, not verified: compare the safety number before you rely on who reads this", name, trust)
	}
	if d.namesake(plan.p, id) {
		warn("another contact has a name like %s: make sure that this is the right one, %s", name, id.String()[:shortID])
	}
	now := d.now()
	at, ok := openFrom(d.hoursOf(id), now)
	target := time.Duration(d.targets()[plan.body.Priority].Accepted) * time.Millisecond
	switch {
	case !ok:
		warn("%s is not accepting cases", name)
	case at.After(now.Add(target)):
		warn("%s is outside their hours until %s, after the %s within which a %s case should be accepted (%s)",
			name, at.UTC().Format(time.RFC3339), target, plan.body.Priority, hoursText(d.hoursOf(id)))
	case at.After(now):
		warn("%s is outside their hours until %s (%s)", name, at.UTC().Format(time.RFC3339), hoursText(d.hoursOf(id)))
	}
}

// namesake reports whether another contact's name reads alike.
func (d *Desk) namesake(p *person, id identity.PersonID) bool {
	own := nameKey(d.nameOf(id))
	found := false
	_ = p.vault.Each(tableContact, func(key string, _ []byte) error { // only a warning depends on it
		other := identity.PersonID([]byte(key))
		found = found || other != id && own != "" && alike(own, nameKey(d.nameOf(other)))
		return nil
	})
	return found
}

// alike reports whether two names differ in at most one letter.
func alike(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(y)-len(x) > 1 || len(x) < 4 {
		return slices.Equal(x, y)
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	if len(x) == len(y) {
		return i == len(x) || slices.Equal(x[i+1:], y[i+1:])
	}
	return slices.Equal(x[i:], y[i+1:])
}
