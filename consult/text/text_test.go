package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":             {"Müller^Zoë 李", "Müller^Zoë 李"},
		"lines stay":        {"a\nb", "a\nb"},
		"crlf":              {"a\r\nb", "a\nb"},
		"lone cr":           {"a\rb", "a\nb"},
		"tab":               {"a\tb", "a b"},
		"csi":               {"\x1b[2Jx", "[2Jx"},
		"c1 csi":            {"\u009b2Jx", "2Jx"},
		"raw c1 byte":       {"\x9b2J", "\uFFFD2J"},
		"osc title":         {"\x1b]0;t\x07x", "]0;tx"},
		"apc":               {"\x1b_Gf=100\x1b\\x", "_Gf=100\\x"},
		"invalid utf-8":     {"a\xffb", "a\uFFFDb"},
		"surrogate":         {"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},
		"nul and del":       {"a\x00\x7fb", "ab"},
		"backspace":         {"abc\b\b\bx", "abcx"},
		"bidi":              {"a\u202egnp.exe\u2066b\u061c", "agnp.exeb"},
		"tags":              {"a\U000E0041b", "ab"},
		"bom":               {"\uFEFFa", "a"},
		"kitty cell":        {"\U0010EEEEa", "a"},
		"zero width":        {"pay\u200bpal", "paypal"},
		"joiner stays":      {"👩‍⚕", "👩‍⚕"},
		"line separator":    {"a\u2028b", "ab"},
		"four marks stay":   {"e\u0301\u0302\u0303\u0304", "e\u0301\u0302\u0303\u0304"},
		"hundred marks cut": {"e" + strings.Repeat("\u0301", 100) + "x", "e\u0301\u0301\u0301\u0301x"},
		"filler":            {"\u3164x", "x"},
	} {
		if got := Clean(c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	if got := Clean(strings.Repeat("x", 2*BytesMax)); len(got) > BytesMax || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes, end %q", len(got), got[len(got)-4:])
	}
	if got := Clean(strings.Repeat("a\n", 2*LinesMax)); strings.Count(got, "\n") >= LinesMax {
		t.Errorf("%d lines", strings.Count(got, "\n"))
	}
	if got := Line("a\nb"); got != "a b" {
		t.Errorf("line: %q", got)
	}
	if got := Name("abcdef", 4); got != "abc…" {
		t.Errorf("name: %q", got)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "\x1b[31m", "a\u0301\u0301", "\u202e", "\xff", "\r\n", strings.Repeat("a\n", 1200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) || len(got) > BytesMax {
			t.Fatalf("invalid or long: %q", got)
		}
		for _, r := range got {
			if r != '\n' && (unicode.IsControl(r) || hidden(r)) {
				t.Fatalf("%U is left", r)
			}
		}
		if again := Clean(got); again != got {
			t.Fatalf("not stable: %q, then %q", got, again)
		}
		if strings.Contains(Line(s), "\n") {
			t.Fatal("a line has lines")
		}
	})
}
