package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Filled is a form with values that its schema allows.
type Filled struct {
	Form   Form
	Values map[string]string // by field name; choices joined by ", ", lists by newlines
}

// FieldError is what is wrong with one field. Neither part repeats a value.
type FieldError struct {
	Field   string // "" for the file as a whole
	Message string
}

// Error puts the field before the message.
func (e FieldError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Errors is what is wrong with a form, by field.
type Errors []FieldError

// Error joins all of them.
func (e Errors) Error() string {
	var all []string
	for _, x := range e {
		all = append(all, x.Error())
	}
	return strings.Join(all, "; ")
}

// AsErrors finds the errors by field in an error.
func AsErrors(err error) (Errors, bool) {
	var e Errors
	ok := errors.As(err, &e)
	return e, ok
}

// general is the form of a file that names none.
const general = "general"

// nameKey is under what a file and a context name the form.
const nameKey = "form"

// Parse reads a filled form; an error is [Errors].
func Parse(file []byte) (*Filled, error) {
	if len(file) > FileMax {
		return nil, Errors{{Message: fmt.Sprintf("a form is at most %d KiB", FileMax>>10)}}
	}
	if !utf8.Valid(file) {
		return nil, Errors{{Message: "is not UTF-8"}}
	}
	said, order, err := object(file)
	if err != nil {
		return nil, err
	}
	name := general
	if raw, ok := said[nameKey]; ok {
		if json.Unmarshal(raw, &name) != nil {
			return nil, Errors{{Field: nameKey, Message: "names a form"}}
		}
	}
	f, ok := Get(name)
	if !ok {
		return nil, Errors{{Field: nameKey, Message: "no such form: one of " + strings.Join(names(Request), ", ")}}
	}
	out := &Filled{Form: f, Values: map[string]string{}}
	var wrong Errors
	for _, key := range order {
		if key == nameKey {
			continue
		}
		if err := out.set(key, said[key]); err != nil {
			wrong = append(wrong, *err)
		}
	}
	if total(out.Values) > ValuesMax {
		wrong = append(wrong, FieldError{Message: fmt.Sprintf("all fields together are at most %d KiB", ValuesMax>>10)})
	}
	if len(wrong) > 0 {
		return nil, wrong[:min(len(wrong), ErrorsMax)]
	}
	return out, nil
}

// names are the names of the forms of a kind.
func names(k Kind) []string {
	var out []string
	for _, f := range loaded().forms {
		if f.Kind == k {
			out = append(out, f.Name)
		}
	}
	return out
}

// object reads a JSON object of which no key comes twice.
func object(file []byte) (map[string]json.RawMessage, []string, error) {
	bad := Errors{{Message: "is not a JSON object of fields"}}
	d := json.NewDecoder(bytes.NewReader(file))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, bad
	}
	said, order := map[string]json.RawMessage{}, []string(nil)
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		var raw json.RawMessage
		if err != nil || !ok || d.Decode(&raw) != nil {
			return nil, nil, bad
		}
		if _, twice := said[key]; twice {
			return nil, nil, Errors{{Message: "has a field twice"}}
		}
		said[key], order = raw, append(order, key)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, bad
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, bad
	}
	return said, order, nil
}

// set gives a field the value of a JSON file.
func (f *Filled) set(name string, raw json.RawMessage) *FieldError {
	field, ok := f.Form.Field(name)
	if !ok {
		return &FieldError{Field: safeName(name), Message: "is not a field of " + f.Form.Name}
	}
	said, err := values(raw)
	if err != nil {
		return &FieldError{Field: name, Message: err.Error()}
	}
	return f.put(field, said)
}

// safeName is the name of an unknown field as far as it looks like a name:
// anything else could be somebody's.
func safeName(name string) string {
	ok := len(name) <= 40 && !strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
	if ok {
		return name
	}
	return "a field"
}

// values reads what JSON can say of a field: text, a number, a truth or a list
// of texts. Null is not given.
func values(raw json.RawMessage) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errors.New("cannot be read")
	}
	switch x := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{x}, nil
	case json.Number:
		return []string{x.String()}, nil
	case bool:
		if x {
			return []string{"yes"}, nil
		}
		return []string{"no"}, nil
	case []any:
		out := []string{}
		for _, e := range x {
			s, ok := e.(string)
			if !ok {
				return nil, errors.New("is a list of texts")
			}
			out = append(out, s)
		}
		return out, nil
	default:
		return nil, errors.New("is a text, a number or a list of texts")
	}
}

// Set gives a field a value as a person writes it: choices with commas, lists
// by lines. An empty value takes it away. An error is [Errors].
func (f *Filled) Set(name, value string) error {
	field, ok := f.Form.Field(name)
	if !ok {
		return Errors{{Field: safeName(name), Message: "is not a field of " + f.Form.Name}}
	}
	if err := f.put(field, []string{value}); err != nil {
		return Errors{*err}
	}
	return nil
}

// New returns a form with nothing filled in.
func New(f Form) *Filled { return &Filled{Form: f, Values: map[string]string{}} }

// put checks what was said and keeps it as it is written.
func (f *Filled) put(field Field, said []string) *FieldError {
	var parts []string
	for _, s := range said {
		if len(s) > ValueMax {
			return &FieldError{Field: field.Name, Message: fmt.Sprintf("is at most %d KiB", ValueMax>>10)}
		}
		parts = append(parts, field.split(s)...)
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return strings.TrimSpace(s) == "" })
	if len(parts) == 0 {
		delete(f.Values, field.Name)
		return nil
	}
	value, err := field.value(parts)
	if err != nil {
		return &FieldError{Field: field.Name, Message: err.Error()}
	}
	if len(value) > ValueMax {
		return &FieldError{Field: field.Name, Message: fmt.Sprintf("is at most %d KiB", ValueMax>>10)}
	}
	f.Values[field.Name] = value
	return nil
}

// split parts what was said in one text.
func (x Field) split(s string) []string {
	switch x.Type {
	case Choices:
		return strings.Split(s, ",")
	case Lines, Differential:
		return strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	default:
		return []string{s}
	}
}

// value checks the parts of a value, of which there is at least one.
func (x Field) value(parts []string) (string, error) {
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	switch x.Type {
	case Lines, Differential, Choices:
	default:
		if len(parts) > 1 {
			return "", errors.New("is one value, not a list")
		}
	}
	switch x.Type {
	case Text:
		return parts[0], nil
	case Lines:
		return list(parts, "\n", plain)
	case Differential:
		return list(parts, "\n", x.confidence)
	case Choices:
		return list(parts, ", ", x.option)
	case Choice:
		return x.option(parts[0])
	case Number, Integer:
		return x.number(parts[0])
	case Date:
		return date(parts[0])
	case Time:
		return instant(parts[0])
	case Age:
		return age(parts[0])
	case OfScheme:
		s, ok := GetScheme(x.Scheme)
		if !ok {
			return "", errors.New("is of an unknown scheme")
		}
		return s.Value(parts[0])
	default:
		return "", errors.New("is of an unknown type")
	}
}

// list checks each part, and wants no more than there is room for.
func list(parts []string, sep string, check func(string) (string, error)) (string, error) {
	if len(parts) > ListMax {
		return "", fmt.Errorf("has at most %d lines", ListMax)
	}
	var out []string
	for _, p := range parts {
		v, err := check(p)
		if err != nil {
			return "", err
		}
		if slices.Contains(out, v) {
			return "", errors.New("says a thing twice")
		}
		out = append(out, v)
	}
	return strings.Join(out, sep), nil
}

// plain is one line. The lines of a list are parted at newlines already, but
// for those within a text of a JSON list.
func plain(s string) (string, error) {
	if strings.ContainsAny(s, "\n\r") {
		return "", errors.New("has one line for each")
	}
	return s, nil
}

// confidence wants "probable: diagnosis" (FIELD §4.10).
func (x Field) confidence(s string) (string, error) {
	word, what, ok := strings.Cut(s, ":")
	option, err := x.option(strings.TrimSpace(word))
	if what = strings.TrimSpace(what); !ok || err != nil || what == "" {
		return "", errors.New("each line is a confidence and a diagnosis, such as \"probable: …\"; the confidence is one of " + strings.Join(x.Options, ", "))
	}
	return option + ": " + what, nil
}

func (x Field) option(s string) (string, error) {
	for _, o := range x.Options {
		if strings.EqualFold(o, s) {
			return o, nil
		}
	}
	return "", errors.New("is one of " + strings.Join(x.Options, ", "))
}

func (x Field) number(s string) (string, error) {
	s = strings.TrimSpace(strings.TrimSuffix(s, x.Unit))
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil, math.IsNaN(n), math.IsInf(n, 0):
		return "", errors.New("is a number")
	case x.Type == Integer && n != math.Trunc(n):
		return "", errors.New("is a whole number")
	case x.Min != nil && n < *x.Min, x.Max != nil && n > *x.Max:
		return "", fmt.Errorf("is from %g to %g", *x.Min, *x.Max)
	}
	return strings.TrimSpace(strconv.FormatFloat(n, 'f', -1, 64) + " " + x.Unit), nil
}

func date(s string) (string, error) {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", errors.New("is a date, YYYY-MM-DD")
	}
	return s, nil
}

// instant keeps the zone in which it was said (FIELD §6, F15).
func instant(s string) (string, error) {
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		return "", errors.New("is a time with its zone, such as 2026-01-31T14:30:00+01:00")
	}
	return s, nil
}

// ageUnits are the units of ages, by how they may be written, and the days of
// one.
var ageUnits = []struct {
	unit    string
	written []string
	days    float64
	most    int
}{
	{"y", []string{"", "y", "yr", "year", "years"}, 365.25, 150},
	{"mo", []string{"m", "mo", "month", "months"}, 365.25 / 12, 1800},
	{"w", []string{"w", "wk", "week", "weeks"}, 7, 7800},
	{"d", []string{"d", "day", "days"}, 1, 55000},
}

// age reads "45", "45 y", "8 mo", "045Y".
func age(s string) (string, error) {
	n, unit, _, ok := parseAge(s)
	if !ok {
		return "", errors.New("is an age, such as 45 y, 8 mo, 3 w or 2 d")
	}
	return fmt.Sprintf("%d %s", n, unit), nil
}

func parseAge(s string) (n int, unit string, days float64, ok bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	n, err := strconv.Atoi(s[:digits])
	if err != nil {
		return 0, "", 0, false
	}
	rest := strings.TrimSpace(s[digits:])
	for _, u := range ageUnits {
		if slices.Contains(u.written, rest) && n <= u.most {
			return n, u.unit, u.days, true
		}
	}
	return 0, "", 0, false
}

func total(values map[string]string) int {
	n := 0
	for k, v := range values {
		n += len(k) + len(v)
	}
	return n
}
