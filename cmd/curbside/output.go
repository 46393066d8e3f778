package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/curbside-p2p/curbside/consult/text"
)

// idShown is how much of an id a list shows; commands take it back.
const idShown = 12

// emit prints one value: as JSON, or with plain.
func (a *app) emit(v any, plain func(*page)) error {
	if a.json {
		return a.line(v)
	}
	p := newPage(a.out)
	plain(p)
	return p.flush()
}

// line prints one JSON value on a line of its own.
func (a *app) line(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(withLists(v))
}

// withLists makes every missing list an empty one: the contract says [] and never null.
func withLists(v any) any {
	if v == nil {
		return v
	}
	c := reflect.New(reflect.TypeOf(v)).Elem()
	c.Set(reflect.ValueOf(v))
	fillLists(c)
	return c.Interface()
}

func fillLists(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fillLists(v.Elem())
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanSet() {
				fillLists(f)
			}
		}
	case reflect.Slice:
		if v.IsNil() && v.CanSet() && v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			fillLists(v.Index(i))
		}
	default:
	}
}

// page is plain output: lines of columns, without decoration. Whatever was written by others
// passes text.Line, so that nothing in it can drive a terminal.
type page struct {
	w   io.Writer
	tab *tabwriter.Writer
	err error
}

func newPage(w io.Writer) *page {
	return &page{w: w, tab: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
}

// row is one line of columns that line up with those above and below.
func (p *page) row(cols ...any) {
	for i, c := range cols {
		if i > 0 {
			p.print("\t")
		}
		p.print(cell(c))
	}
	p.print("\n")
}

// field is a name and a value; an unknown value is a dash.
func (p *page) field(name string, value any) { p.row(name, value) }

// gap ends a block of columns with an empty line.
func (p *page) gap() { p.print("\n") }

// block is a text of several lines, indented.
func (p *page) block(s string) {
	for l := range strings.SplitSeq(strings.TrimRight(text.Clean(s), "\n"), "\n") {
		p.print("    " + l + "\n")
	}
}

func (p *page) print(s string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.tab, s)
	}
}

func (p *page) flush() error {
	if p.err != nil {
		return p.err
	}
	return p.tab.Flush()
}

// cell is a value as a reader wants it; "-" is unknown or empty.
func cell(v any) string {
	s := ""
	switch v := v.(type) {
	case nil:
	case string:
		s = text.Line(v)
	case []string:
		s = text.Line(strings.Join(v, ", "))
	case bool:
		s = "no"
		if v {
			s = "yes"
		}
	case time.Time:
		if !v.IsZero() {
			s = v.UTC().Format(time.RFC3339)
		}
	case *time.Time:
		if v != nil {
			s = v.UTC().Format(time.RFC3339)
		}
	case *string:
		if v != nil {
			s = text.Line(*v)
		}
	case *int:
		if v != nil {
			s = strconv.Itoa(*v)
		}
	case *int64:
		if v != nil {
			s = strconv.FormatInt(*v, 10)
		}
	default:
		s = text.Line(fmt.Sprint(v))
	}
	return cmpOr(strings.TrimSpace(s), "-")
}

// short is an id for a list.
func short(id string) string {
	if len(id) <= idShown {
		return id
	}
	return id[:idShown]
}

// cut shortens a text for a list.
func cut(s string, n int) string {
	s = text.Line(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// size is a number of bytes for people.
func size(n int64) string {
	const unit = 1000
	if n < unit {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, i := float64(n)/unit, 0
	for ; f >= unit && i < 3; i++ {
		f /= unit
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + []string{"kB", "MB", "GB", "TB"}[i]
}

// plural is "1 image", "2 images".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if s, ok := strings.CutSuffix(one, "y"); ok {
		return strconv.Itoa(n) + " " + s + "ies"
	}
	return strconv.Itoa(n) + " " + one + "s"
}
