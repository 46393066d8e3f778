package form

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/consult/text"
)

// NotGiven stands where a field that is insisted on was left out.
const NotGiven = "not given"

// Section is a part of a form as it is read.
type Section struct {
	Title string
	Rows  []Row
}

// Row is a field of a section. Value is showable, and may have lines.
type Row struct {
	Name  string
	Title string
	Value string
	Given bool
}

// Missing returns the fields that the interface insists on and that are not
// given. Those kept elsewhere are for others to ask.
func (f *Filled) Missing() []Field {
	var out []Field
	for _, x := range f.Form.Fields {
		if x.Held == "" && f.Values[x.Name] == "" && f.wants(x) {
			out = append(out, x)
		}
	}
	return out
}

// wants reports whether a field is insisted on, as the others stand.
func (f *Filled) wants(x Field) bool {
	if x.Required {
		return true
	}
	switch name, value, is := strings.Cut(x.RequiredIf, "="); {
	case x.RequiredIf == "":
		return false
	case x.RequiredIf == "paired":
		return f.Form.Paired || anyWord(f.Values["body_part"], loaded().words.Paired)
	case is:
		return f.Values[name] == value
	default:
		return f.Values[name] != ""
	}
}

// Context returns the values that belong to the form, for field 4 of a context
// or field 12 of a document, with the form's name and version under "form".
func (f *Filled) Context() map[string]string {
	out := map[string]string{nameKey: fmt.Sprintf("%s/%d", f.Form.Name, f.Form.Version)}
	for _, x := range f.Form.Fields {
		if v := f.Values[x.Name]; v != "" && x.Held == "" {
			out[x.Name] = v
		}
	}
	return out
}

// Held returns the values that are kept outside the form, by field name: what a
// file says for the request itself.
func (f *Filled) Held() map[string]string {
	out := map[string]string{}
	for _, x := range f.Form.Fields {
		if v := f.Values[x.Name]; v != "" && x.Held != "" {
			out[x.Name] = v
		}
	}
	return out
}

// FromContext reads the values back that Context gave, also those of a form or
// field that this version does not know: it never fails, for what was sent is
// to be shown.
func FromContext(values map[string]string) *Filled {
	name, version, _ := strings.Cut(values[nameKey], "/")
	f, ok := Get(name)
	if !ok {
		f, _ = Get(general)
		f.Name, f.Title = general, "Form"
	}
	if n, err := strconv.Atoi(version); err == nil && n > 0 {
		f.Version = n
	}
	out := New(f)
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if k == nameKey || values[k] == "" {
			continue
		}
		if _, known := f.Field(k); !known {
			out.Form.Fields = append(slices.Clip(out.Form.Fields), Field{Name: k, Title: k, Section: "Other", Type: Text})
		}
		out.Values[k] = values[k]
	}
	return out
}

// Sections returns the form as it is read: what is given, and what should be.
func (f *Filled) Sections() []Section {
	var out []Section
	for _, x := range f.Form.Fields {
		v := f.Values[x.Name]
		if v == "" && (x.Held != "" || !f.wants(x)) {
			continue
		}
		i := slices.IndexFunc(out, func(s Section) bool { return s.Title == x.Section })
		if i < 0 {
			i, out = len(out), append(out, Section{Title: x.Section})
		}
		out[i].Rows = append(out[i].Rows, Row{Name: x.Name, Title: x.Title, Value: x.shown(v), Given: v != ""})
	}
	return out
}

// shown is a value as a person reads it, a category with its name.
func (x Field) shown(v string) string {
	switch {
	case v == "":
		return NotGiven
	case x.Type == Lines:
		var lines []string
		for line := range strings.SplitSeq(v, "\n") {
			lines = append(lines, fmt.Sprintf("%d. %s", len(lines)+1, text.Line(line)))
		}
		return strings.Join(lines, "\n")
	case x.Type == OfScheme:
		s, ok := GetScheme(x.Scheme)
		if called := s.Called(v); ok && called != "" {
			return fmt.Sprintf("%s (%s; %s)", text.Line(v), called, s.Edition)
		} else if ok && s.Edition != "" {
			return fmt.Sprintf("%s (%s)", text.Line(v), s.Edition)
		}
		return text.Line(v)
	default:
		return text.Clean(v)
	}
}

// Render returns the form as text sections, for the document that is signed and
// for terminals:
//
//	Clinical
//	  History, with duration: cough for 3 weeks
func (f *Filled) Render() string {
	var b strings.Builder
	for i, s := range f.Sections() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintln(&b, s.Title)
		for _, r := range s.Rows {
			if !strings.Contains(r.Value, "\n") {
				fmt.Fprintf(&b, "  %s: %s\n", r.Title, r.Value)
				continue
			}
			fmt.Fprintf(&b, "  %s:\n", r.Title)
			for line := range strings.SplitSeq(r.Value, "\n") {
				fmt.Fprintln(&b, strings.TrimRight("    "+line, " "))
			}
		}
	}
	return b.String()
}
