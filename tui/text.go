package tui

import (
	"reflect"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/curbside-p2p/curbside/consult/text"
)

// clean makes every string in what v points to showable: it runs where a reply
// enters the model, so that no view can forget it (TERMINAL.md §8).
func clean(v any) { cleanValue(reflect.ValueOf(v)) }

func cleanValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			cleanValue(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				cleanValue(v.Field(i))
			}
		}
	case reflect.Slice:
		switch v.Type().Elem().Kind() {
		case reflect.Uint8, reflect.Uint16, reflect.Float64, reflect.Int:
			return // pixels and numbers
		default:
		}
		for i := range v.Len() {
			cleanValue(v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			cleanValue(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if s, ok := reflect.TypeAssert[string](v.MapIndex(k)); ok && v.Type().Elem().Kind() == reflect.Interface {
				v.SetMapIndex(k, reflect.ValueOf(text.Clean(s)))
			}
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(text.Clean(v.String()))
		}
	default:
	}
}

// fit cuts or fills s to exactly w cells.
func fit(s string, w int) string {
	if w <= 0 {
		return ""
	}
	n := ansi.StringWidth(s)
	switch {
	case n == w:
		return s
	case n < w:
		return s + strings.Repeat(" ", w-n)
	}
	s = ansi.Truncate(s, w, "…")
	if n = ansi.StringWidth(s); n < w { // a wide letter did not fit
		s += strings.Repeat(" ", w-n)
	}
	return s
}

// right is fit, against the right edge.
func right(s string, w int) string {
	if n := ansi.StringWidth(s); n < w {
		return strings.Repeat(" ", w-n) + s
	}
	return fit(s, w)
}

// line is text on one line.
func line(s string) string { return text.Line(s) }

// wrap breaks text into lines of at most w cells.
func wrap(s string, w int) []string {
	if w < 1 {
		return nil
	}
	return strings.Split(ansi.Wrap(s, w, " -/"), "\n")
}

// block makes lines exactly h lines of exactly w cells.
func block(lines []string, w, h int) []string {
	out := make([]string, max(h, 0))
	for i := range out {
		if i < len(lines) {
			out[i] = fit(lines[i], w)
		} else {
			out[i] = strings.Repeat(" ", max(w, 0))
		}
	}
	return out
}

// centre puts lines in the middle of w x h cells.
func centre(lines []string, w, h int) []string {
	top := max(0, (h-len(lines))/2)
	out := make([]string, 0, h)
	for range top {
		out = append(out, "")
	}
	for _, l := range lines {
		out = append(out, strings.Repeat(" ", max(0, (w-ansi.StringWidth(l))/2))+l)
	}
	return block(out, w, h)
}

// beside joins blocks of the same height.
func beside(blocks ...[]string) []string {
	out := make([]string, len(blocks[0]))
	for i := range out {
		var b strings.Builder
		for _, block := range blocks {
			if i < len(block) {
				b.WriteString(block[i])
			}
		}
		out[i] = b.String()
	}
	return out
}

// over lays a block on a screen at x, y.
func over(screen, top []string, x, y int) []string {
	for i, l := range top {
		at := y + i
		if at < 0 || at >= len(screen) {
			continue
		}
		w := ansi.StringWidth(l)
		left := fit(ansi.Truncate(screen[at], x, ""), x)
		screen[at] = left + "\x1b[0m" + l + "\x1b[0m" + ansi.TruncateLeft(screen[at], x+w, "")
	}
	return screen
}

// short is the front of an id, as people say it.
func short(id string) string {
	if len(id) > 6 {
		return strings.ToUpper(id[:6])
	}
	return strings.ToUpper(id)
}

// dateWord is a DICOM date as people write it; anything else stays as it is.
func dateWord(s string) string {
	if len(s) == 8 && strings.Trim(s, "0123456789") == "" {
		return s[:4] + "-" + s[4:6] + "-" + s[6:]
	}
	return line(s)
}

// nameWord is a DICOM person name without its carets (PS3.5 §6.2.1.1).
func nameWord(s string) string {
	family, rest, _ := strings.Cut(line(s), "^")
	rest = strings.TrimSpace(strings.ReplaceAll(strings.TrimRight(rest, "^ "), "^", " "))
	if rest == "" {
		return family
	}
	return family + ", " + rest
}

// studyWord is modality and description, the modality once.
func studyWord(modality, description string) string {
	m, d := line(modality), line(description)
	if strings.HasPrefix(strings.ToUpper(d), strings.ToUpper(m)) {
		return d
	}
	return strings.TrimSpace(m + " " + d)
}
