// Package form is the forms of requests and opinions (FIELD §4.9, §4.10) and
// the scoring schemes they use, as data: schemas/*.json, one table of forms
// that [List] and [Get] read, each with its version.
//
//	requests.json  { version, groups: { name: [Field] }, forms: [{ name, title, specialty, groups, fields, last }] }
//	opinions.json  the same
//	schemes.json   { version, schemes: [{ name, title, edition, values | pattern | min..max }] }
//	words.json     what Lint knows of sides, organs and parts that come in pairs
//
// A filled form is flat JSON, a value by field name, with the form's name under
// "form": {"form": "chest", "type": "diagnosis", "history": "cough for 3 weeks"}.
// [Parse] refuses what a schema does not allow, by field; a field that is not
// given is no error: [Filled.Missing] lists those that the interface insists
// on. No form holds words that a reader could take for a doctor's: there are no
// defaults and no phrases (FIELD §6, F28), and schemes hold categories, never
// what to do about them.
//
// [Lint] looks at a request before it goes. There is no I/O and no clock here.
// Within a version of a file, names of forms, fields and schemes stay and
// options are only added.
//
// Fuzz: go test -fuzz FuzzParse ./consult/form; go test -fuzz FuzzLint ./consult/form
package form

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Kind is what a form is for.
type Kind string

// The kinds of forms.
const (
	Request Kind = "request"
	Opinion Kind = "opinion"
)

// The types of fields.
const (
	Text         = "text"
	Lines        = "list"         // one line each, numbered when shown
	Differential = "differential" // lines of "confidence: diagnosis"
	Choice       = "choice"       // one of the options
	Choices      = "choices"      // some of the options
	Number       = "number"
	Integer      = "integer"
	Date         = "date" // YYYY-MM-DD
	Time         = "time" // RFC 3339
	Age          = "age"  // a number with y, mo, w or d
	OfScheme     = "scheme"
)

// Where fields are kept that are shown with a form but do not belong to its
// values: in the request entry, in its grants, or counted by the software.
const (
	HeldRequest = "request"
	HeldStudies = "studies"
	HeldImages  = "images"
)

// Form is one form.
type Form struct {
	Name      string // such as "chest"
	Title     string
	Specialty string
	Kind      Kind
	Version   int
	Animal    bool // for animals only
	Paired    bool // its parts come in pairs: a side is wanted
	Fields    []Field
}

// Field is one field of a form.
type Field struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Section    string   `json:"section"`
	Type       string   `json:"type"`
	Required   bool     `json:"required"`    // the interface insists on it (★)
	RequiredIf string   `json:"required_if"` // "field", "field=value" or "paired"
	Options    []string `json:"options"`
	Scheme     string   `json:"scheme"`
	Unit       string   `json:"unit"`
	Min        *float64 `json:"min"`
	Max        *float64 `json:"max"`
	Held       string   `json:"held"` // where it is kept, if not in the form
	Tag        string   `json:"tag"`  // the DICOM attribute that says it
}

type formFile struct {
	Version int                `json:"version"`
	Groups  map[string][]Field `json:"groups"`
	Forms   []formEntry        `json:"forms"`
}

type formEntry struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	Specialty string   `json:"specialty"`
	Animal    bool     `json:"animal"`
	Paired    bool     `json:"paired"`
	Groups    []string `json:"groups"`
	Fields    []Field  `json:"fields"`
	Last      []string `json:"last"` // groups after the fields
}

//go:embed schemas/*.json
var schemas embed.FS

// table is everything that is embedded.
type table struct {
	forms   []Form
	schemes []Scheme
	words   words
}

var loaded = sync.OnceValue(func() table {
	var t table
	for _, f := range []struct {
		file string
		kind Kind
	}{{"requests", Request}, {"opinions", Opinion}} {
		var file formFile
		read(f.file, &file)
		for _, e := range file.Forms {
			t.forms = append(t.forms, assemble(e, file, f.kind))
		}
	}
	var s schemeFile
	read("schemes", &s)
	for _, e := range s.Schemes {
		e.Version = s.Version
		t.schemes = append(t.schemes, e.prepared())
	}
	read("words", &t.words)
	return t
})

// read decodes an embedded file, which a test has proven to be good.
func read(name string, v any) {
	b, err := schemas.ReadFile("schemas/" + name + ".json")
	if err == nil {
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.DisallowUnknownFields()
		err = d.Decode(v)
	}
	if err != nil {
		panic(fmt.Sprintf("form: embedded %s: %v", name, err))
	}
}

// assemble puts the fields of a form together. A field of its own replaces one
// of a group with the same name, in its place.
func assemble(e formEntry, file formFile, kind Kind) Form {
	f := Form{Name: e.Name, Title: e.Title, Specialty: e.Specialty, Kind: kind, Version: file.Version, Animal: e.Animal, Paired: e.Paired}
	add := func(fields []Field) {
		for _, x := range fields {
			if i := slices.IndexFunc(f.Fields, func(y Field) bool { return y.Name == x.Name }); i >= 0 {
				f.Fields[i] = x
				continue
			}
			f.Fields = append(f.Fields, x)
		}
	}
	for _, g := range e.Groups {
		add(file.Groups[g])
	}
	add(e.Fields)
	for _, g := range e.Last {
		add(file.Groups[g])
	}
	return f
}

// List returns all forms, requests first.
func List() []Form { return slices.Clone(loaded().forms) }

// Get returns the form of a name.
func Get(name string) (Form, bool) {
	for _, f := range loaded().forms {
		if f.Name == name {
			return f, true
		}
	}
	return Form{}, false
}

// Field returns a field of a name.
func (f Form) Field(name string) (Field, bool) {
	for _, x := range f.Fields {
		if x.Name == name {
			return x, true
		}
	}
	return Field{}, false
}
