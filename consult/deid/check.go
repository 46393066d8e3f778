package deid

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Needles are what of an original must not be found in what is shared of it: values of elements
// that were acted on. They are gathered from the original by what an element is, not by the rule
// that was applied, so that a rule that is wrong is noticed.
type Needles struct {
	words  map[string]bool // folded; looked for where words end
	names  map[string]bool // of the patient: also where they are common words
	raw    [][]byte        // as they may stand in any bytes: eight or more, in several codings
	tokens map[string]bool // numbers of three to five digits, alone
	stays  map[string]bool // values that stay by a rule that knows them: the same elsewhere is no needle
}

// Hit says that something of the original is left. It names the place, never the value.
type Hit struct {
	Tag  study.Tag
	Rule string
	// Common: the needle is a common word as well; a person may say that it is no name here.
	Common bool
}

func (h *Hit) Error() string { return fmt.Sprintf("%s: %s", h.Tag, h.Rule) }

// NeedlesOf gathers the needles of an original.
func NeedlesOf(s *Source, o Options) *Needles {
	n := &Needles{words: map[string]bool{}, names: map[string]bool{}, tokens: map[string]bool{}}
	raw := map[string]bool{}
	w := &rewriter{c: &Case{Options: o}, s: s}
	n.stays = n.kept(w)
	method := false
	for i := range s.Outline.Elements {
		e := &s.Outline.Elements[i]
		method = e.Tag == methodTag || method && (e.Depth > 0 || e.Tag == itemTag)
		if e.Tag == itemTag || len(n.words) > needlesMax || shaped(e.Tag) || method {
			continue
		}
		n.element(w, e, raw)
	}
	n.fileMeta(s, raw)
	for v := range raw {
		n.raw = append(n.raw, codings(v)...)
	}
	slices.SortFunc(n.raw, bytes.Compare)
	return n
}

// kept are the values that stay by a rule that knows them: the same value elsewhere is no needle.
func (n *Needles) kept(w *rewriter) map[string]bool {
	out := map[string]bool{}
	for i := range w.s.Outline.Elements {
		e := &w.s.Outline.Elements[i]
		if e.Tag == itemTag || e.Length > needleLenMax || e.Tag.Group()%2 == 1 {
			continue
		}
		vr := w.vr(e)
		if by := texts[e.Tag]; by != nil || vr == "CS" {
			for v := range strings.SplitSeq(trim(w.value(e)), "\\") {
				if by != nil && by(v) == v || by == nil && codedText(v) {
					out[fold(v)] = true
				}
			}
		}
	}
	return out
}

// identity are the attributes whose values are needles also where they are words that are known.
var identity = map[study.Tag]bool{0x00100010: true, 0x00100020: true, 0x00101001: true, 0x00101005: true, 0x00101060: true, 0x00101002: true, 0x00102297: true, 0x00080090: true, 0x00081070: true}

func (n *Needles) element(w *rewriter, e *study.Element, raw map[string]bool) {
	vr := w.vr(e)
	private := e.Tag.Group()%2 == 1
	if vr == "SQ" || e.Length > 4*needleLenMax && !private || e.Length > binaryMax {
		if r := byTag[e.Tag]; r == nil || vr == "SQ" {
			return
		}
	}
	b := w.value(e)
	if len(b) > 4*needleLenMax {
		b = b[:4*needleLenMax]
	}
	switch vr {
	case "UI":
		n.uids(b, raw)
		return
	case "DA":
		n.date(w, trim(b), raw)
		return
	case "PN", "LO", "SH", "LT", "ST", "UT", "UC", "UR", "AE", "CS", "AS":
	case "UN":
		if !printable(b) || len(b) > needleLenMax {
			return
		}
	case "OB", "OW":
		if r := byTag[e.Tag]; r == nil || !printable(b) {
			return
		}
	default:
		return
	}
	n.text(w, e, vr, string(b), raw)
}

// text takes a text value as needles, if the profile would act on it.
func (n *Needles) text(w *rewriter, e *study.Element, vr, value string, raw map[string]bool) {
	r := byTag[e.Tag]
	strict := vr == "PN" || identity[e.Tag] || r != nil && strings.Trim(w.c.Options.options(r), ".") == ""
	if !strict && e.Tag.Group()%2 == 0 && vr == "CS" {
		return // codes: the rule is the check
	}
	if e.Tag.Group()%2 == 0 && w.c.Options.decide(e.Tag, string(e.VR[:])) == verbose {
		return // a person chose that it stays, or has read it
	}
	for _, v := range strings.FieldsFunc(strings.Trim(value, " \x00"), func(r rune) bool { return r == '\\' || r == '\n' || r == '\r' }) {
		if by := texts[e.Tag]; by != nil && !strict && by(v) == v {
			continue // it stays, by a rule that knows it
		}
		whole := fold(v)
		if vr == "PN" || identity[e.Tag] {
			for _, part := range strings.FieldsFunc(whole, func(r rune) bool { return !letterOrDigit(r) }) {
				n.add(part, e.Tag == 0x00100010 || e.Tag == 0x00101001 || e.Tag == 0x00101005, raw)
			}
		}
		if strict || !n.stays[whole] {
			n.add(whole, false, raw)
		}
		if !strict { // of a description, the words that are not known
			_, dropped := cleanText(v)
			for _, d := range dropped {
				if !n.stays[fold(d)] && e.Tag.Group()%2 == 0 {
					n.add(fold(d), false, raw)
				}
			}
		}
	}
}

// options are what the chosen options say of a row.
func (o Options) options(r *row) string {
	out := []byte("....")
	for i, x := range []struct {
		on  bool
		opt int
	}{{o.Device, optDevice}, {o.Institution, optInstitution}, {o.Characteristics, optCharacteristics}, {o.Descriptors, optDescriptors}} {
		if x.on {
			out[i] = r.options[x.opt]
		}
	}
	return string(out)
}

// nobody are words that stand where a name should.
var nobody = map[string]bool{"test": true, "patient": true, "phantom": true, "unknown": true, "anonymized": true, "default": true, "none": true}

// within reports whether a value is a part of one that stays by a rule that knows it.
func (n *Needles) within(v string) bool {
	for k := range n.stays {
		if strings.Contains(k, v) {
			return true
		}
	}
	return false
}

const needleMin = 3

func (n *Needles) add(v string, name bool, raw map[string]bool) {
	v = strings.TrimSpace(v)
	if len([]rune(v)) < needleMin {
		return
	}
	if common(v) {
		if name && !nobody[v] {
			n.names[v] = true
		}
		return
	}
	if digits(v) && strings.Contains(v, ".") {
		return // a measurement
	}
	if digits(v) && len(v) < 6 {
		n.tokens[v] = true
		return
	}
	n.words[v] = true
	if len(v) >= 8 && !n.within(v) {
		raw[v] = true
	}
}

// common reports whether all of a text is in the vocabulary.
func common(v string) bool {
	if digits(v) {
		return false
	}
	_, dropped := cleanText(v)
	return len(dropped) == 0
}

func (n *Needles) uids(b []byte, raw map[string]bool) {
	for v := range strings.SplitSeq(trim(b), "\\") {
		if study.ValidUID(v) && !Registered(v) && !class(v) && len(v) >= 8 {
			raw[v] = true
		}
	}
}

// date takes the notations of a date, unless dates stay.
func (n *Needles) date(w *rewriter, v string, raw map[string]bool) {
	if w.c.Options.FullDates || !dateShape.MatchString(v) {
		return
	}
	v = strings.ReplaceAll(v, ".", "")
	y, m, d := v[:4], v[4:6], v[6:]
	for _, s := range []string{v, y + "-" + m + "-" + d, d + "." + m + "." + y, d + "/" + m + "/" + y, m + "/" + d + "/" + y} {
		n.words[s] = true
	}
	_ = raw
}

func (n *Needles) fileMeta(s *Source, raw map[string]bool) {
	end := min(s.Outline.MetaEnd, int64(len(s.Head)))
	if pre := bytes.Trim(s.Head[:min(128, end)], "\x00 "); len(pre) >= 8 && printable(pre) {
		raw[fold(string(pre))] = true
	}
	for at := int64(132); at+8 <= end; { // AE titles and private information
		b := s.Head[at:]
		vr, length, value := string(b[4:6]), int64(b[6])|int64(b[7])<<8, int64(8)
		if vr == "OB" || vr == "UN" || vr == "UT" {
			if len(b) < 12 {
				return
			}
			length, value = int64(b[8])|int64(b[9])<<8|int64(b[10])<<16|int64(b[11])<<24, 12
		}
		if length < 0 || at+value+length > end {
			return
		}
		if v := trim(b[value : value+length]); (vr == "AE" || vr == "OB") && printable([]byte(v)) {
			n.add(fold(v), false, raw)
		}
		at += value + length
	}
}

func printable(b []byte) bool {
	b = bytes.Trim(b, "\x00 ")
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7F {
			return false
		}
	}
	return len(b) > 0
}

// fold makes a text comparable: lower case, no diacritics, single spaces.
func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Mn, unicode.Cf) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(strings.ToValidUTF8(s, "?")))
	return strings.Join(strings.Fields(s), " ")
}

// codings are the ways in which a long needle may stand in bytes, folded to lower case.
func codings(v string) [][]byte {
	out := [][]byte{[]byte(v)}
	for _, big := range []bool{false, true} {
		var b []byte
		for _, u := range utf16.Encode([]rune(v)) {
			if big {
				b = append(b, byte(u>>8), byte(u))
			} else {
				b = append(b, byte(u), byte(u>>8))
			}
		}
		out = append(out, b)
	}
	if e := url.QueryEscape(v); e != v {
		out = append(out, []byte(strings.ToLower(e)))
	}
	for skip := range 3 { // base64 in its three alignments
		enc := base64.StdEncoding.EncodeToString(append(make([]byte, skip), v...))
		from, to := (skip*8+5)/6, len(enc)-4
		if to-from >= 8 {
			out = append(out, []byte(strings.ToLower(enc[from:to])))
		}
	}
	return out
}

// Check looks for the needles in a head that is to be shared. It reads it as a stranger would:
// guarded anew, each element's text, and all bytes.
func (n *Needles) Check(s *Source) *Hit {
	method := false
	all := bytes.ToLower(s.Head)
	for i := range s.Outline.Elements {
		e := &s.Outline.Elements[i]
		method = e.Tag == methodTag || method && (e.Depth > 0 || e.Tag == itemTag)
		if e.Depth == 0 && (ours[e.Tag] || e.Tag == methodTag) && e.Value+e.Length <= int64(len(all)) { // before the pixels
			clear(all[e.Value : e.Value+e.Length])
		}
		if e.Tag == itemTag || ours[e.Tag] || shaped(e.Tag) || method {
			continue
		}
		w := &rewriter{c: &Case{}, s: s}
		vr := w.vr(e)
		switch vr {
		case "SQ", "DA", "DT", "TM", "UI", "US", "SS", "UL", "SL", "FL", "FD", "AT", "SV", "UV":
			continue
		}
		if e.Length > binaryMax || s.Outline.Pixel != nil && e.Start == s.Outline.Pixel.Start {
			continue
		}
		if h := n.in(e.Tag, vr, w.value(e)); h != nil {
			return h
		}
	}
	for _, r := range n.raw {
		if i := bytes.Index(all, r); i >= 0 {
			return &Hit{Tag: 0, Rule: fmt.Sprintf("a value of the original is in the head, at byte %d", i)}
		}
	}
	return nil
}

// shaped are values whose shape leaves no room: an age, a time zone, the reservation of a private
// block, which stays for creators of the safe list alone.
func shaped(t study.Tag) bool {
	return t == 0x00101010 || t == 0x00080201 || t == 0x00080005 || privateCreator(t)
}

// methodTag is the De-identification Method Code Sequence: of public codes, and written anew.
const methodTag study.Tag = 0x00120064

// ours are what every share has of its own.
var ours = map[study.Tag]bool{0x00120063: true, 0x00100010: true, 0x00100020: true}

func (n *Needles) in(t study.Tag, vr string, value []byte) *Hit {
	if vr[0] == 'O' || vr == "UN" {
		return nil // all bytes are searched for long ones
	}
	text := fold(strings.Trim(string(value), " \x00"))
	if text == "" {
		return nil
	}
	number := vr == "IS" || vr == "DS"
	for v := range strings.SplitSeq(text, "\\") {
		v = strings.TrimSpace(v)
		if !number && n.tokens[v] {
			return &Hit{Tag: t, Rule: "a number of the original is left"}
		}
		if n.words[v] && !number {
			return &Hit{Tag: t, Rule: "a value of the original is left"}
		}
	}
	if number || vr == "CS" && !hasLetters(text) {
		return nil
	}
	padded := " " + strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !letterOrDigit(r) }), " ") + " "
	for w := range n.words {
		if h := strings.Join(strings.FieldsFunc(w, func(r rune) bool { return !letterOrDigit(r) }), " "); len(h) >= needleMin && strings.Contains(padded, " "+h+" ") {
			return &Hit{Tag: t, Rule: "a word of the original is left"}
		}
	}
	if vr == "CS" || t == 0x00080104 { // defined terms, and meanings of public codes
		return nil
	}
	for w := range n.names {
		if strings.Contains(padded, " "+w+" ") {
			return &Hit{Tag: t, Rule: "a common word that is in the patient's name is left", Common: true}
		}
	}
	return nil
}

func hasLetters(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }

func letterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
