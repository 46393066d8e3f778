package form

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// identity refuses texts of a pseudonymised case that hold the patient's name,
// number or birth date (FIELD §4.9, F11; IMAGING §8.5).
func (l *linter) identity() {
	if !l.f.Pseudonymised {
		return
	}
	n := needlesOf(l.f)
	texts := map[string]string{"question": l.d.Question, "reply_to": l.d.ReplyTo}
	maps.Copy(texts, l.d.Texts)
	if l.d.Form != nil {
		for k, v := range l.d.Form.Values {
			texts[k] = texts[k] + "\n" + v
		}
	}
	for _, field := range slices.Sorted(maps.Keys(texts)) {
		for _, what := range n.in(texts[field]) {
			l.refuse(CodeIdentity, safeName(field), fmt.Sprintf("the text holds the patient's %s, and the case is pseudonymised", what), "leave it out, or send the case identified")
		}
	}
}

// Identity says which of name, number and birth date of a patient a text holds:
// for messages and file names of a pseudonymised case, and for opinions.
func Identity(f Facts, s string) []string { return needlesOf(f).in(s) }

// needles is what must not be in a text.
type needles struct {
	names   [][]string // words in a row
	letters []string   // names in scripts that part no words
	numbers []string   // letters and digits only
	dates   []string   // as they may be written, in lower case
}

func needlesOf(f Facts) *needles {
	n := &needles{}
	released := map[string]bool{}
	for _, w := range f.Released {
		released[plainLetters(w)] = true
	}
	all := []Patient{f.Patient}
	for _, s := range f.Studies {
		all = append(all, s.Patient)
	}
	for _, p := range all {
		for _, name := range append([]string{p.Name}, p.Names...) {
			n.name(name, released)
		}
		for _, id := range append([]string{p.ID}, p.IDs...) {
			if id := alnum(id); len([]rune(id)) >= NeedleMin && !slices.Contains(n.numbers, id) && !released[id] {
				n.numbers = append(n.numbers, id)
			}
		}
		for _, d := range dateForms(p.BirthDate) {
			if !slices.Contains(n.dates, d) {
				n.dates = append(n.dates, d)
			}
		}
	}
	return n
}

// name takes each part of a name (PS3.5 §6.2.1: groups parted by =, components
// by ^) that is long enough.
func (n *needles) name(name string, released map[string]bool) {
	for _, w := range wordsOf(plainLetters(name)) {
		letters := []rune(w)
		wordless := slices.ContainsFunc(letters, func(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai) })
		switch {
		case released[w]:
		case wordless && len(letters) > 1:
			n.letters = append(n.letters, w)
		case !wordless && len(letters) >= NeedleMin:
			n.names = append(n.names, []string{w})
		}
	}
}

// in names what a text holds.
func (n *needles) in(s string) []string {
	var out []string
	plain := plainLetters(s)
	has := wordsOf(plain)
	name := slices.ContainsFunc(n.names, func(w []string) bool { return contains(has, w) }) ||
		slices.ContainsFunc(n.letters, func(w string) bool { return strings.Contains(plain, w) })
	if name {
		out = append(out, "name")
	}
	if runs := alnum(s); slices.ContainsFunc(n.numbers, func(id string) bool { return number(s, runs, id) }) {
		out = append(out, "number")
	}
	if slices.ContainsFunc(n.dates, func(d string) bool { return bounded(plain, d) }) {
		out = append(out, "birth date")
	}
	return out
}

// number reports whether a text holds a number. A short one must stand alone:
// "123" is in any measurement; a long one may be parted as it likes.
func number(s, runs, id string) bool {
	const long = 6
	if len(id) >= long {
		return strings.Contains(runs, id)
	}
	return bounded(strings.ToLower(s), id)
}

// bounded reports whether a text holds a part with no letter or digit beside it.
func bounded(s, part string) bool {
	for from := 0; ; {
		i := strings.Index(s[from:], part)
		if i < 0 {
			return false
		}
		i += from
		before, after := []rune(s[max(0, i-4):i]), []rune(s[i+len(part):min(len(s), i+len(part)+4)])
		if (len(before) == 0 || !wordRune(before[len(before)-1])) && (len(after) == 0 || !wordRune(after[0])) {
			return true
		}
		from = i + 1
	}
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// plainLetters is a text in lower case without diacritics, compatibility forms
// made plain, and without what is not seen.
func plainLetters(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
			return -1
		case r == 'ß':
			return 's'
		case r == 'ø' || r == 'Ø':
			return 'o'
		case r == 'ł' || r == 'Ł':
			return 'l'
		case r == 'đ' || r == 'Đ':
			return 'd'
		default:
			return unicode.ToLower(r)
		}
	}, norm.NFKD.String(s))
}

// alnum is only the letters and digits of a text.
func alnum(s string) string {
	return strings.Map(func(r rune) rune {
		if !wordRune(r) {
			return -1
		}
		return r
	}, plainLetters(s))
}

// dateForms are the common notations of a birth date, in lower case.
func dateForms(s string) []string {
	t, ok := day(s)
	if !ok {
		return nil
	}
	var out []string
	for _, layout := range []string{
		"20060102", "2006-01-02", "2006/01/02", "2006.01.02", "2006-1-2", "2006/1/2",
		"02.01.2006", "2.1.2006", "02/01/2006", "2/1/2006", "02-01-2006", "2-1-2006", "01/02/2006", "1/2/2006", "01-02-2006", "02012006",
		"02.01.06", "2.1.06", "02/01/06", "2/1/06", "01/02/06", "1/2/06",
		"2 January 2006", "2. January 2006", "January 2, 2006", "January 2 2006", "2 Jan 2006", "02 Jan 2006", "Jan 2, 2006", "Jan 2 2006", "02-Jan-2006", "2-Jan-2006",
	} {
		out = append(out, strings.ToLower(t.Format(layout)))
	}
	return out
}
