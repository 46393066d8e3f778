package study

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// A set decodes the bytes of one character set.
type set func(b []byte) (string, bool)

// singleByte are ISO 8859 sets in G1 by their number (PS3.3 C.12.1.1.2), with
// the escape that invokes them.
var singleByte = map[string]encoding.Encoding{
	"100": charmap.ISO8859_1, "101": charmap.ISO8859_2, "109": charmap.ISO8859_3, "110": charmap.ISO8859_4,
	"144": charmap.ISO8859_5, "127": charmap.ISO8859_6, "126": charmap.ISO8859_7, "138": charmap.ISO8859_8,
	"148": charmap.ISO8859_9, "203": charmap.ISO8859_15, "166": charmap.Windows874,
}

// escapes switch sets within a value (PS3.5 §6.1.2.5.4).
var escapes = []struct {
	seq  string
	term string
}{
	{"\x1b(B", "6"},
	{"\x1b(J", "13"},
	{"\x1b)I", "13"},
	{"\x1b-A", "100"},
	{"\x1b-B", "101"},
	{"\x1b-C", "109"},
	{"\x1b-D", "110"},
	{"\x1b-L", "144"},
	{"\x1b-G", "127"},
	{"\x1b-F", "126"},
	{"\x1b-H", "138"},
	{"\x1b-M", "148"},
	{"\x1b-b", "203"},
	{"\x1b-T", "166"},
	{"\x1b$B", "87"},
	{"\x1b$@", "87"},
	{"\x1b$(D", "159"},
	{"\x1b$)C", "149"},
	{"\x1b$)A", "58"},
}

// texts decodes the texts of one data set.
type texts struct {
	o       *Outline
	first   string // term of value 1
	whole   set    // a multi-byte set that does not combine with escapes
	known   bool
	damaged bool
}

func newTexts(o *Outline) *texts {
	tx := &texts{o: o, known: true}
	first, _, _ := strings.Cut(o.ascii(0x00080005), "\\")
	tx.choose(strings.TrimSpace(first))
	return tx
}

// choose sets the initial character set.
func (tx *texts) choose(name string) {
	term := strings.TrimPrefix(strings.TrimPrefix(name, "ISO_IR "), "ISO 2022 IR ")
	switch {
	case name == "" || term == "6":
		tx.first = "6"
	case name == "ISO_IR 192":
		tx.whole = func(b []byte) (string, bool) { return strings.ToValidUTF8(string(b), "\uFFFD"), utf8.Valid(b) }
	case name == "GB18030":
		tx.whole = decoder(simplifiedchinese.GB18030)
	case name == "GBK":
		tx.whole = decoder(simplifiedchinese.GBK)
	case term == "13" || term == "87" || term == "159" || term == "149" || term == "58" || singleByte[term] != nil:
		tx.first = term
	default:
		tx.known, tx.damaged = false, true
	}
}

func decoder(e encoding.Encoding) set {
	return func(b []byte) (string, bool) {
		s, err := e.NewDecoder().Bytes(b)
		if err != nil {
			return strings.Repeat("\uFFFD", len(b)), false
		}
		return string(s), !strings.ContainsRune(string(s), utf8.RuneError)
	}
}

// text is one value of a top-level attribute, all of it.
func (tx *texts) text(t Tag) string {
	return strings.Trim(tx.decode(tx.o.value(t)), " \x00")
}

// name is a PN for display: trailing = and ^ are dropped.
func (tx *texts) name(t Tag) string {
	groups := strings.Split(tx.text(t), "=")
	for i, g := range groups {
		groups[i] = strings.TrimRight(g, "^ ")
	}
	return strings.TrimRight(strings.Join(groups, "="), "=")
}

// list splits after decoding: in GBK and Shift-JIS a trail byte may be 0x5C.
func (tx *texts) list(t Tag) []string {
	if s := tx.text(t); s != "" {
		return strings.SplitN(s, "\\", WindowsMax)
	}
	return nil
}

func (tx *texts) decode(b []byte) string {
	b = b[:min(len(b), TextMax)]
	if ascii(b) {
		return string(b)
	}
	s, ok := tx.decodeSet(b)
	tx.damaged = tx.damaged || !ok
	return s
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || c == 0x1b {
			return false
		}
	}
	return true
}

func (tx *texts) decodeSet(b []byte) (string, bool) {
	switch {
	case tx.whole != nil:
		return tx.whole(b)
	case !tx.known:
		return replaceHigh(b), false
	case tx.first == "6" && !strings.Contains(string(b), "\x1b"):
		tx.o.find("character set not declared")
		if utf8.Valid(b) {
			return string(b), true
		}
		return decoder(charmap.ISO8859_1)(b)
	}
	return tx.decode2022(b)
}

func replaceHigh(b []byte) string {
	var out strings.Builder
	for _, c := range b {
		if c >= 0x80 {
			out.WriteRune(utf8.RuneError)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// decode2022 follows escapes; the initial set comes back after delimiters and
// line ends (PS3.5 §6.1.2.5.3).
func (tx *texts) decode2022(b []byte) (string, bool) {
	var out strings.Builder
	ok := true
	term, from := tx.first, 0
	flush := func(to int) {
		s, good := decodeTerm(term, b[from:to])
		out.WriteString(s)
		ok = ok && good
	}
	for i := 0; i < len(b); {
		if b[i] == 0x1b {
			flush(i)
			seq, next := escapeAt(b[i:])
			if next == "" {
				out.WriteRune(utf8.RuneError)
				ok = false
				i++
			} else {
				term = g1Kept(term, next)
				i += len(seq)
			}
			from = i
			continue
		}
		if term != tx.first && resets(b[i], term) {
			flush(i)
			term, from = tx.first, i
		}
		i += width(term, b[i:])
	}
	flush(len(b))
	return out.String(), ok
}

// width of the next character: delimiters are not looked for inside two bytes.
func width(term string, b []byte) int {
	two := term == "87" || term == "159" || (term == "149" || term == "58") && b[0] >= 0x80
	if two && len(b) > 1 && b[0] != '\r' && b[0] != '\n' {
		return 2
	}
	return 1
}

func resets(c byte, term string) bool {
	switch c {
	case '\r', '\n', '\f', '\t':
		return true
	case '\\', '^', '=':
		return term != "87" && term != "159"
	}
	return false
}

// g1Kept: an escape to ASCII in G0 leaves a G1 set where it is.
func g1Kept(term, next string) string {
	if next == "6" && (singleByte[term] != nil || term == "149" || term == "58") {
		return term
	}
	return next
}

func escapeAt(b []byte) (seq, term string) {
	for _, e := range escapes {
		if strings.HasPrefix(string(b[:min(len(b), 4)]), e.seq) {
			return e.seq, e.term
		}
	}
	return "", ""
}

// decodeTerm decodes a run in one set.
func decodeTerm(term string, b []byte) (string, bool) {
	if len(b) == 0 {
		return "", true
	}
	switch term {
	case "6":
		return replaceHigh(b), ascii(b)
	case "13":
		return decodeJISX0201(b), true
	case "87":
		return decodeISO2022JP("\x1b$B", b)
	case "159":
		return decodeISO2022JP("\x1b$(D", b)
	case "149":
		return decoder(korean.EUCKR)(b)
	case "58":
		return decoder(simplifiedchinese.GBK)(b)
	}
	return decoder(singleByte[term])(b)
}

// decodeJISX0201: half-width katakana in G1, 0x5C is the yen sign.
func decodeJISX0201(b []byte) string {
	var out strings.Builder
	for _, c := range b {
		switch {
		case c == '\\':
			out.WriteRune('¥')
		case c == '~':
			out.WriteRune('‾')
		case c >= 0xA1 && c <= 0xDF:
			out.WriteRune(rune(c) - 0xA1 + 0xFF61)
		case c >= 0x80:
			out.WriteRune(utf8.RuneError)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

func decodeISO2022JP(escape string, b []byte) (string, bool) {
	if escape == "\x1b$(D" { // JIS X 0212 is code set 3 of EUC-JP
		var euc []byte
		for i := 0; i+1 < len(b); i += 2 {
			euc = append(euc, 0x8F, b[i]|0x80, b[i+1]|0x80)
		}
		return decoder(japanese.EUCJP)(euc)
	}
	euc := make([]byte, 0, len(b))
	for _, c := range b {
		euc = append(euc, c|0x80)
	}
	return decoder(japanese.EUCJP)(euc)
}
