package form

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Draft is a request before it goes.
type Draft struct {
	Question string
	Priority string // routine, urgent or stat
	Consent  string // the basis; "" if none is said
	ReplyTo  string
	Form     *Filled           // may be nil
	Texts    map[string]string // what else goes with it, by what it is: "message", "file name"
}

// Facts is what is known of what a request sends, and to whom.
type Facts struct {
	Pseudonymised bool
	ModeChosen    bool   // identified or pseudonymised was chosen, by a person or a setting
	Today         string // YYYY-MM-DD where the requester is
	Patient       Patient
	Studies       []Study
	Recipients    []Recipient
	// Released are words that a person has looked at and let pass although
	// they are a part of the patient's name or number, such as "hand".
	Released []string
}

// Patient is whom a study says it is of, as DICOM writes it.
type Patient struct {
	Name      string   // (0010,0010), and (0010,1001) in Names
	Names     []string // other names; an animal's owner
	ID        string   // (0010,0020)
	IDs       []string // other numbers: accession, insurance
	BirthDate string   // (0010,0030), YYYYMMDD or YYYY-MM-DD
	Sex       string   // (0010,0040): M, F, O
	Species   string   // (0010,2201)
}

// Study is one attached study.
type Study struct {
	Prior        bool
	Date         string   // YYYYMMDD or YYYY-MM-DD
	Lateralities []string // (0020,0060) and (0020,0062) of its series and images
	Texts        []string // study, series and protocol descriptions, body parts
	Patient      Patient
	Listed, Here uint64 // instances that the manifest lists, and those whose blobs are here
	Incomplete   bool   // the source did not send all, or left gaps
	Risky        uint64 // frames that nobody has looked at and released (IMAGING §8.4)
}

// Recipient is somebody the request goes to.
type Recipient struct {
	Trust  int // as the user's software counts it: more is better
	Wanted int // what this request asks for (FORMATS §2.1)
}

// Finding is one thing that Lint found. Message is safe to show, and repeats
// nothing of what it found.
type Finding struct {
	Refuse  bool // the request must not go; else a warning
	Code    string
	Field   string // of the form, "question", or a name of Texts; may be empty
	Message string
	Hint    string
}

// The codes of findings.
const (
	CodeQuestion   = "question"         // none, or a short one
	CodeConsent    = "consent"          // no basis
	CodeMode       = "identification"   // not chosen
	CodeRecipient  = "recipient"        // nobody, or not trusted enough
	CodeStudies    = "studies"          // none, or not all here
	CodeRisky      = "risky-frames"     // not released
	CodePatients   = "patients"         // several in one case
	CodeKinds      = "kinds"            // human and animal in one case
	CodeIdentity   = "identity-in-text" // in a pseudonymised case
	CodeSideTag    = "side-tag"         // words against laterality attributes
	CodeSideText   = "side-text"        // words against series text
	CodeSides      = "sides"            // words against words
	CodeAge        = "age"
	CodeSex        = "sex"
	CodeFuture     = "future-date"
	CodeSpecies    = "species"
	CodeOld        = "older-than-symptom"
	CodeIncomplete = "incomplete"
	CodeMissing    = "missing" // a field that is insisted on
)

// Refused returns the findings for which a request must not go.
func Refused(findings []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return !f.Refuse })
}

// linter collects findings.
type linter struct {
	d     Draft
	f     Facts
	found []Finding
}

func (l *linter) refuse(code, field, message, hint string) {
	l.found = append(l.found, Finding{Refuse: true, Code: code, Field: field, Message: message, Hint: hint})
}

func (l *linter) warn(code, field, message, hint string) {
	l.found = append(l.found, Finding{Code: code, Field: field, Message: message, Hint: hint})
}

// Lint looks at a request before it goes: what G1 refuses (FIELD §4.3), and
// what §4.9 warns of. Refusals come first.
func Lint(d Draft, f Facts) []Finding {
	l := &linter{d: d, f: f}
	l.send()
	l.patients()
	l.identity()
	l.question()
	l.sides()
	l.person()
	l.dates()
	l.missing()
	slices.SortStableFunc(l.found, func(a, b Finding) int {
		switch {
		case a.Refuse == b.Refuse:
			return 0
		case a.Refuse:
			return -1
		default:
			return 1
		}
	})
	return l.found
}

func (l *linter) value(name string) string {
	if l.d.Form == nil {
		return ""
	}
	return l.d.Form.Values[name]
}

// send is G1 but for the patients.
func (l *linter) send() {
	if strings.TrimSpace(l.d.Question) == "" {
		l.refuse(CodeQuestion, "question", "a request needs a question", "say what you want to know")
	}
	if l.d.Consent == "" {
		l.refuse(CodeConsent, "consent", "on what basis the case is shared is not said", "one of treatment, patient, emergency, law, other")
	}
	if !l.f.ModeChosen {
		l.refuse(CodeMode, "identification", "whether the case goes identified or pseudonymised is not chosen", "choose one")
	}
	if len(l.f.Recipients) == 0 {
		l.refuse(CodeRecipient, "", "a request needs a recipient", "say who is asked")
	}
	if slices.ContainsFunc(l.f.Recipients, func(r Recipient) bool { return r.Trust < r.Wanted }) {
		l.refuse(CodeRecipient, "", "a recipient is not verified as this request needs", "compare numbers or words with them first")
	}
	if len(l.f.Studies) == 0 {
		l.refuse(CodeStudies, "studies", "a request needs a study", "attach one")
	}
	for i, s := range l.f.Studies {
		switch {
		case s.Here < s.Listed:
			l.refuse(CodeStudies, "studies", fmt.Sprintf("of study %d only %d of %d images are here", i+1, s.Here, s.Listed), "wait until it has arrived, or import it again")
		case s.Incomplete:
			l.warn(CodeIncomplete, "studies", fmt.Sprintf("study %d is not complete", i+1), "say in the question what is missing")
		}
		if s.Risky > 0 {
			l.refuse(CodeRisky, "studies", fmt.Sprintf("nobody has looked at %d images of study %d that may show who the patient is", s.Risky, i+1), "look at them and release or blacken them")
		}
	}
}

// patients holds one patient, and one kind, per case (FIELD §6, F1 and F20).
func (l *linter) patients() {
	all := []Patient{}
	if !l.f.Patient.empty() {
		all = append(all, l.f.Patient)
	}
	for _, s := range l.f.Studies {
		if !s.Patient.empty() {
			all = append(all, s.Patient)
		}
	}
	animals := 0
	for _, p := range all {
		if p.Species != "" {
			animals++
		}
	}
	if animals > 0 && animals < len(all) {
		l.refuse(CodeKinds, "studies", "a case holds a human or an animal, not both", "make a case for each")
	}
	for _, what := range differing(all) {
		l.refuse(CodePatients, "studies", "the studies differ in the patient's "+what, "make a case for each patient")
	}
	form := l.d.Form
	switch {
	case form == nil:
	case animals > 0 && !form.Form.Animal:
		l.warn(CodeSpecies, "species", "the study is of an animal, and the form says no species", "use the form veterinary")
	case animals == 0 && len(all) > 0 && form.Form.Animal:
		l.warn(CodeSpecies, "species", "the form is for an animal, and the study names no species", "")
	}
	if form != nil && form.Form.Animal && form.Values["species"] == "" {
		l.warn(CodeSpecies, "species", "the species is not said", "")
	}
}

func (p Patient) empty() bool {
	return p.Name == "" && p.ID == "" && p.BirthDate == "" && p.Sex == "" && p.Species == "" && len(p.Names) == 0 && len(p.IDs) == 0
}

// differing names in what patients differ; what one leaves out differs from
// nothing.
func differing(all []Patient) []string {
	var out []string
	for _, x := range []struct {
		what string
		of   func(p Patient) string
	}{
		{"name", func(p Patient) string { return strings.Join(wordsOf(plainLetters(p.Name)), " ") }},
		{"number", func(p Patient) string { return strings.ToLower(strings.TrimSpace(p.ID)) }},
		{"birth date", func(p Patient) string { return digits(p.BirthDate) }},
		{"sex", func(p Patient) string { return strings.ToUpper(strings.TrimSpace(p.Sex)) }},
		{"species", func(p Patient) string { return strings.ToLower(strings.TrimSpace(p.Species)) }},
	} {
		first := ""
		for _, p := range all {
			v := x.of(p)
			if first == "" {
				first = v
			}
			if v != "" && v != first {
				out = append(out, x.what)
				break
			}
		}
	}
	return out
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func (l *linter) question() {
	if q := strings.TrimSpace(l.d.Question); q != "" && utf8.RuneCountInString(q) < QuestionMin {
		l.warn(CodeQuestion, "question", "the question is short", "say what is to be decided")
	}
}

// sides compares words with laterality attributes and series text (F13).
func (l *linter) sides() {
	ql, qr := sides(l.d.Question)
	side := l.value("side")
	if ql != qr && (side == "left" && qr || side == "right" && ql) {
		l.warn(CodeSides, "side", "the question names the other side", "")
	}
	if side != "left" && side != "right" {
		if ql == qr { // neither, or both
			return
		}
		side = map[bool]string{true: "left", false: "right"}[ql]
	}
	tag, words := false, false
	for _, s := range l.f.Studies {
		if s.Prior {
			continue
		}
		tag = tag || against(side, s.Lateralities)
		tl, tr := sides(strings.Join(s.Texts, "\n"))
		words = words || tl != tr && (side == "left") == tr
	}
	if tag {
		l.warn(CodeSideTag, "side", "the images are marked as of the other side", "look at the laterality of the series")
	}
	if words {
		l.warn(CodeSideText, "side", "the names of the series say the other side", "look at the series")
	}
}

// against reports whether laterality attributes name only the other side.
func against(side string, tags []string) bool {
	var left, right bool
	for _, t := range tags {
		switch strings.ToUpper(strings.TrimSpace(t)) {
		case "L":
			left = true
		case "R":
			right = true
		case "B":
			left, right = true, true
		}
	}
	return left != right && (side == "left") == right
}

// patient is whom the case is of, as far as the studies tell.
func (l *linter) patient() Patient {
	p := l.f.Patient
	for _, s := range l.f.Studies {
		p.BirthDate, p.Sex = first(p.BirthDate, s.Patient.BirthDate), first(p.Sex, s.Patient.Sex)
	}
	return p
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// person compares age with birth date and organ with sex.
func (l *linter) person() {
	p := l.patient()
	born, ok := day(p.BirthDate)
	today, ok2 := day(l.f.Today)
	if n, _, days, said := parseAge(l.value("age")); said && ok && ok2 {
		have := today.Sub(born).Hours() / 24
		if want := float64(n) * days; have < want-days/10 || have >= want+2*days {
			l.warn(CodeAge, "age", "the age does not fit the birth date", "")
		}
	}
	sex, w := strings.ToLower(l.value("sex")), loaded().words
	switch said := strings.ToUpper(p.Sex); {
	case said == "M" && sex == "female", said == "F" && sex == "male":
		l.warn(CodeSex, "sex", "the sex is not the one that the images name", "")
	case sex == "" && said == "M":
		sex = "male"
	case sex == "" && said == "F":
		sex = "female"
	}
	organs := strings.Join([]string{l.d.Question, l.value("body_part"), l.value("organ")}, "\n")
	if sex == "male" && anyWord(organs, w.Female) || sex == "female" && anyWord(organs, w.Male) {
		l.warn(CodeSex, "body_part", "the organ does not fit the sex", "")
	}
}

// day reads a date of DICOM or of a form.
func day(s string) (time.Time, bool) {
	for _, layout := range []string{"20060102", time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC), true
		}
	}
	return time.Time{}, false
}

// dates warns of the future, and of studies older than the symptom. A day more
// is let pass: it is tomorrow somewhere.
func (l *linter) dates() {
	today, ok := day(l.f.Today)
	if !ok {
		return
	}
	future := func(t time.Time) bool { return t.After(today.AddDate(0, 0, 1)) }
	for _, x := range l.fields() {
		if t, ok := day(l.value(x.Name)); ok && (x.Type == Date || x.Type == Time) && x.Held == "" && future(t) {
			l.warn(CodeFuture, x.Name, "the date is in the future", "")
		}
	}
	if t, ok := day(l.patient().BirthDate); ok && future(t) {
		l.warn(CodeFuture, "", "the birth date is in the future", "")
	}
	onset, said := day(first(l.value("onset"), l.value("onset_time")))
	for i, s := range l.f.Studies {
		t, ok := day(s.Date)
		switch {
		case !ok:
		case future(t):
			l.warn(CodeFuture, "studies", fmt.Sprintf("the date of study %d is in the future", i+1), "")
		case said && !s.Prior && t.Before(onset):
			l.warn(CodeOld, "studies", fmt.Sprintf("study %d is older than the symptom", i+1), "name it as a prior if it is one")
		}
	}
}

func (l *linter) fields() []Field {
	if l.d.Form == nil {
		return nil
	}
	return l.d.Form.Form.Fields
}

// missing warns of what the interface insists on. Who sends without an
// interface has it recorded as not given.
func (l *linter) missing() {
	if l.d.Form == nil {
		return
	}
	form := *l.d.Form
	if l.d.Priority != "" {
		form.Values = map[string]string{"priority": l.d.Priority}
		for k, v := range l.d.Form.Values {
			if k != "priority" {
				form.Values[k] = v
			}
		}
	}
	for _, x := range form.Missing() {
		l.warn(CodeMissing, x.Name, "not given: "+x.Title, "")
	}
	if l.d.ReplyTo == "" {
		l.warn(CodeMissing, "reply_to", "not given: call back, with hours and zone", "")
	}
}
