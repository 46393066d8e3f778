package desk

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/form"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/node/control"
)

// parseForm reads a filled form of a kind; nothing is nil. What is wrong is named by field, without
// what was written there.
func parseForm(said map[string]any, kind form.Kind) (*form.Filled, error) {
	if len(said) == 0 {
		return nil, nil
	}
	if _, named := said["form"]; !named && kind == form.Opinion {
		said = maps.Clone(said)
		said["form"] = "opinion"
	}
	b, err := json.Marshal(said)
	if err != nil {
		return nil, control.Errorf(control.Usage, "the form cannot be read")
	}
	f, err := form.Parse(b)
	if err != nil {
		return nil, control.Errorf(control.Refused, "the form cannot be used: %v", err).WithHint("see its fields: curbside form show NAME")
	}
	if f.Form.Kind != kind {
		return nil, control.Errorf(control.Refused, "%s is a form for an %s", f.Form.Name, f.Form.Kind).WithHint("list them with: curbside form list")
	}
	return f, nil
}

// reportForm reads an opinion form: its fields for the document, sorted, and what it says as text.
func reportForm(said map[string]any) (fields []report.Field, prose string, _ error) {
	f, err := parseForm(said, form.Opinion)
	if err != nil || f == nil {
		return nil, "", err
	}
	return formFields(f.Context()), strings.TrimSpace(f.Render()), nil
}

// formFields are the fields of a form as a document holds them.
func formFields(values map[string]string) []report.Field {
	var out []report.Field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, report.Field{Name: name, Value: values[name]})
	}
	return out
}
