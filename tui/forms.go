package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/form"
)

// pickForm asks which form, and for its fields. What was filled in already is kept.
func pickForm(r *root, kind form.Kind, was *form.Filled, then func(*form.Filled) tea.Cmd) tea.Cmd {
	if was != nil {
		return r.open(newFormSheet(r, was.Form, was.Values, then))
	}
	var items []option
	for _, f := range form.List() {
		if f.Kind == kind {
			items = append(items, option{f.Name + " · " + f.Title + " · " + f.Specialty, func() tea.Cmd { return r.open(newFormSheet(r, f, nil, then)) }})
		}
	}
	return r.open(newPicker(r, "Which form?", items))
}

// newFormSheet asks for the fields of a form. A star stands before what a request should not go
// without; the node says what is still missing, and nothing is filled in beforehand.
func newFormSheet(r *root, f form.Form, values map[string]string, then func(*form.Filled) tea.Cmd) *sheet {
	var blanks []blank
	field := map[string]form.Field{}
	for _, x := range f.Fields {
		if x.Held != "" {
			continue
		}
		name := x.Title
		if x.Required || x.RequiredIf != "" {
			name = "★ " + name
		}
		field[name] = x
		b := blank{name: name, hint: fieldHint(x), value: strings.ReplaceAll(values[x.Name], "\n", "; ")}
		if x.Type == form.Choice {
			b.options = append([]string{form.NotGiven}, x.Options...)
			if b.value == "" {
				b.value = form.NotGiven
			}
		}
		blanks = append(blanks, b)
	}
	fill := func(v map[string]string) (filled *form.Filled, bad, wrong string) {
		filled = form.New(f)
		for _, b := range blanks {
			x, said := field[b.name], v[b.name]
			if said == "" || said == form.NotGiven {
				continue
			}
			if x.Type == form.Lines || x.Type == form.Differential {
				said = strings.Join(slices.DeleteFunc(strings.Split(strings.ReplaceAll(said, "; ", ";"), ";"), func(s string) bool { return strings.TrimSpace(s) == "" }), "\n")
			}
			if err := filled.Set(x.Name, said); err != nil {
				return filled, b.name, line(err.Error())
			}
		}
		return filled, "", ""
	}
	d := newSheet(r, f.Title, "keep", nil, blanks, func(v map[string]string) tea.Cmd {
		filled, _, _ := fill(v)
		return then(filled)
	})
	d.check = func(v map[string]string) (string, string) {
		_, bad, wrong := fill(v)
		return bad, wrong
	}
	return d
}

// fieldHint says what a field takes.
func fieldHint(x form.Field) string {
	var parts []string
	if x.Section != "" {
		parts = append(parts, x.Section)
	}
	switch x.Type {
	case form.Choices:
		parts = append(parts, "some of: "+strings.Join(x.Options, ", "))
	case form.Lines:
		parts = append(parts, "several with ; between")
	case form.Differential:
		parts = append(parts, "confidence: diagnosis; several with ; between")
	case form.Date:
		parts = append(parts, "YYYY-MM-DD")
	case form.Age:
		parts = append(parts, "a number with y, mo, w or d")
	case form.Number, form.Integer:
		s := "a number"
		if x.Unit != "" {
			s += " in " + x.Unit
		}
		parts = append(parts, s)
	case form.OfScheme:
		if s, ok := form.GetScheme(x.Scheme); ok {
			parts = append(parts, schemeHint(s))
		}
	}
	return strings.Join(parts, " · ")
}

func schemeHint(s form.Scheme) string {
	all := s.Title + " " + s.Edition
	switch c := s.Categories(); {
	case len(c) > 0:
		return all + ": " + strings.Join(c, ", ")
	case s.Example != "":
		return all + ", such as " + s.Example
	}
	return all
}

// formValues is a form as the node takes it; nil is none.
func formValues(f *form.Filled) map[string]any {
	if f == nil {
		return nil
	}
	out := map[string]any{"form": f.Form.Name}
	for k, v := range f.Values {
		out[k] = v
	}
	return out
}

// formOf reads a form back from a draft.
func formOf(values map[string]string) *form.Filled {
	if len(values) == 0 {
		return nil
	}
	return form.FromContext(values)
}

// formWord says what a form has, and what is still wanted.
func formWord(f *form.Filled) string {
	if f == nil {
		return "none"
	}
	s := fmt.Sprintf("%s, %d fields", f.Form.Title, len(f.Values))
	var missing []string
	for _, x := range f.Missing() {
		if x.Held == "" {
			missing = append(missing, x.Title)
		}
	}
	if len(missing) > 0 {
		s += " · ★ missing: " + strings.Join(missing, ", ")
	}
	return s
}
