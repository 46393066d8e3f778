package study

import (
	"testing"
	"unicode/utf8"
)

func textsOf(charset string) *texts {
	o := &Outline{values: map[Tag]span{}}
	o.arena = []byte(charset)
	o.values[0x00080005] = span{to: len(charset)}
	return newTexts(o)
}

// The examples of PS3.5 annexes H, I, J and K, and the traps of IMAGING.md §1.6.
func TestCharsets(t *testing.T) {
	for _, c := range []struct {
		name, charset, in, want string
		damaged                 bool
	}{
		{"ascii", "", "Doe^J", "Doe^J", false},
		{"undeclared utf-8", "", "J\xc3\xa9r", "Jér", false},
		{"undeclared latin-1", "", "J\xe9r", "Jér", false},
		{"latin-1", "ISO_IR 100", "Buc^J\xe9r\xf4me", "Buc^Jérôme", false},
		{"latin-5", "ISO_IR 148", "\xd0\xfd", "Ğı", false},
		{"latin-9", "ISO_IR 203", "\xa4", "€", false},
		{"cyrillic", "ISO_IR 144", "\xbb\xee\xdace\xdc\xd1yp\xd3", "Люкceмбypг", false},
		{"arabic", "ISO_IR 127", "\xe2\xc8\xc7\xe6\xea", "قباني", false},
		{"greek", "ISO_IR 126", "\xc4\xe9\xef\xed", "Διον", false},
		{"hebrew", "ISO_IR 138", "\xf9\xf8\xe5\xef", "שרון", false},
		{"thai", "ISO_IR 166", "\xa1\xd2", "กา", false},
		{"utf-8", "ISO_IR 192", "王^小東", "王^小東", false},
		{"broken utf-8", "ISO_IR 192", "a\xffb", "a\uFFFDb", true},
		{"gb18030", "GB18030", "\xcd\xf5^\xd0\xa1\xb6\xab", "王^小东", false},
		{"gbk trail byte 5c", "GBK", "\x81\x5c", "乗", false},
		{"half-width katakana", "ISO_IR 13", "\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ", false},
		{"yen is no backslash", "ISO_IR 13", "a\\b", "a\\b", false}, // ASCII alone is not looked at
		{"h31", "\\ISO 2022 IR 87", "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada^Tarou=山田^太郎", false},
		{"h32", "ISO 2022 IR 13\\ISO 2022 IR 87", "\xd4\xcf=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J", "ﾔﾏ=山田^太郎", false},
		{"jis x 0212", "\\ISO 2022 IR 159", "\x1b$(D\x30\x21\x1b(B", "丂", false},
		{"korean", "\\ISO 2022 IR 149", "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Hong^Gildong=洪^吉洞", false},
		{"chinese 2022", "\\ISO 2022 IR 58", "Zhang=\x1b$)A\xd5\xc5", "Zhang=张", false},
		{"open escape", "\\ISO 2022 IR 87", "\x1b$B;3ED", "山田", false},
		{"unknown escape", "ISO 2022 IR 100", "a\x1bZb", "a\uFFFDZb", true},
		{"unknown set", "KLINGON", "D\xe9e", "D\uFFFDe", true},
		{"two sets", "ISO 2022 IR 100\\ISO 2022 IR 144", "\xe9\x1b-L\xd4\x1b-A\xe9", "éдé", false},
	} {
		tx := textsOf(c.charset)
		if got := tx.decode([]byte(c.in)); got != c.want || tx.damaged != c.damaged {
			t.Errorf("%s: got %q damaged %v, want %q %v", c.name, got, tx.damaged, c.want, c.damaged)
		}
	}
}

func FuzzCharset(f *testing.F) {
	for _, charset := range []string{"", "ISO_IR 192", "GB18030", "ISO_IR 13", "\\ISO 2022 IR 87", "\\ISO 2022 IR 149", "X"} {
		f.Add(charset, []byte("a\x1b$B;3ED\x1b(B^\xe9\x1b$)C\xfb\xf3"))
	}
	f.Fuzz(func(t *testing.T, charset string, b []byte) {
		if got := textsOf(charset).decode(b); !utf8.ValidString(got) {
			t.Fatalf("invalid UTF-8: %q", got)
		}
	})
}
