package desk

import (
	"reflect"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/form"
	"github.com/curbside-p2p/curbside/node/control"
)

// What a case under a pseudonym must not be told in words either (FIELD §6, F11): whoever shared
// the study knows the name, and is stopped before an entry is signed.

// nameless refuses texts that hold the name, a number or the birth date of a patient whose study p
// shared with a case under a pseudonym. The lock is held.
func (d *Desk) nameless(p *person, t *thread, texts ...string) error {
	var f form.Facts
	for _, s := range d.shares {
		if s.p == p && s.row.Thread == t.ledger.ID() {
			who := s.row.Link.Patient
			one := form.Patient{Name: who.Name, ID: who.ID, BirthDate: who.BirthDate}
			if who.Accession != "" {
				one.IDs = []string{who.Accession}
			}
			f.Studies = append(f.Studies, form.Study{Patient: one})
		}
	}
	if len(f.Studies) == 0 {
		return nil
	}
	for _, text := range texts {
		if what := form.Identity(f, text); len(what) > 0 {
			return control.Errorf(control.Refused, "the text holds the patient's %s, and the case knows the patient by a pseudonym", strings.Join(what, " and ")).
				WithHint("leave it out; the pseudonym is in: curbside case show")
		}
	}
	return nil
}

// textsOf are the texts of a body, however deep.
func textsOf(body any) []string {
	var out []string
	var walk func(v reflect.Value, depth int)
	walk = func(v reflect.Value, depth int) {
		const depthMax = 8 // bodies nest three deep
		if depth > depthMax {
			return
		}
		switch v.Kind() {
		case reflect.String:
			if v.Len() > 0 {
				out = append(out, v.String())
			}
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem(), depth+1)
			}
		case reflect.Struct:
			for _, field := range v.Fields() {
				walk(field, depth+1)
			}
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				return
			}
			for i := range v.Len() {
				walk(v.Index(i), depth+1)
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(v.MapIndex(k), depth+1)
			}
		default:
		}
	}
	walk(reflect.ValueOf(body), 0)
	return slices.Compact(out)
}

// texts of a draft are what its author wrote.
func (row *draftRow) texts() []string {
	out := []string{row.Text}
	for _, f := range row.Form {
		out = append(out, f.Value)
	}
	return out
}
