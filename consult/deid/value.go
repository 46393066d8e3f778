package deid

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/study"
)

// scope is what a data set or item says of itself, and some rules ask.
type scope struct {
	creators map[study.Tag]string // of private blocks that hold something safe
	public   bool                 // the codes here are of a public scheme
	top      bool
}

func (w *rewriter) scope(from, to int, depth uint8) scope {
	sc := scope{creators: map[study.Tag]string{}, top: depth == 0}
	elements := w.s.Outline.Elements
	for i := from; i < to; i++ {
		e := &elements[i]
		if e.Depth != depth || e.Tag == itemTag {
			continue
		}
		switch {
		case e.Tag == 0x00080102:
			sc.public = schemes[strings.ToUpper(trim(w.value(e)))]
		case privateCreator(e.Tag):
			sc.creators[e.Tag] = trim(w.value(e))
		}
	}
	return sc
}

func trim(b []byte) string { return strings.Trim(string(b), " \x00") }

// action is the rule for an element in its place.
func (w *rewriter) action(e *study.Element, sc scope) action {
	if e.Tag.Group()%2 == 1 {
		return sc.private(e)
	}
	if w.native != nil && sc.top && (e.Tag == 0x7FE00001 || e.Tag == 0x7FE00002) {
		return remove // there are no fragments any more
	}
	return w.c.Options.decide(e.Tag, string(e.VR[:]))
}

// revalue gives the new value of an element, and what was really done.
func (w *rewriter) revalue(a action, t study.Tag, vr string, old []byte, sc scope, cd coding) ([]byte, action) {
	switch a {
	case keep:
		return w.kept(t, vr, old, sc, cd)
	case verbose:
		return old, verbose
	case remap:
		return w.uids(old)
	case shift:
		return w.dates(old, vr)
	case clean:
		return cleaned(vr, old)
	case dummy:
		return w.dummy(t, vr, old)
	case remove, empty, enter:
	}
	if t == 0x00100010 || t == 0x00100020 {
		return pad(w.pseudonym, ' '), dummy
	}
	return nil, empty
}

// kept keeps a value if it is what its VR says.
func (w *rewriter) kept(t study.Tag, vr string, old []byte, sc scope, cd coding) ([]byte, action) {
	if t == 0x00101010 { // Patient's Age
		return pad(w.out.Age, ' '), dummy
	}
	if v, ok := w.pixelAttribute(t, cd); ok {
		return v, dummy
	}
	if t.Group()%2 == 1 {
		return privateValue(t, vr, old)
	}
	if classes[t] {
		return w.class(old)
	}
	if t == 0x00080008 && w.native != nil && !w.native.Moved { // PS3.3 C.7.6.1.1.2: the pixels are not the original ones
		return derived(old)
	}
	switch vr {
	case "IS", "DS":
		return each(old, number)
	case "AS":
		return each(old, ageShape.MatchString)
	case "CS":
		return each(old, func(s string) bool { return codedValue(t, s) })
	case "TM":
		return each(old, timeShape.MatchString)
	case "DA":
		return each(old, dateShape.MatchString)
	case "DT":
		return each(old, dateTimeShape.MatchString)
	case "UI":
		return w.uids(old)
	case "LO", "SH", "LT", "ST", "UT", "UC":
		return text(t, vr, old, sc)
	case "AT", "US", "SS", "UL", "SL", "FL", "FD", "SV", "UV", "OB", "OW", "OF", "OD", "OL", "OV":
		return old, keep
	}
	return nil, remove
}

var (
	ageShape      = regexp.MustCompile(`^[0-9]{3}[DWMY]$`)
	timeShape     = regexp.MustCompile(`^[0-9:.]{0,16}$`)
	dateShape     = regexp.MustCompile(`^[0-9]{4}\.?[0-9]{2}\.?[0-9]{2}$`)
	dateTimeShape = regexp.MustCompile(`^[0-9]{4}[0-9]{0,10}(?:\.[0-9]{1,6})?(?:[+-][0-9]{4})?$`)
	zoneShape     = regexp.MustCompile(`^[+-][0-9]{4}$`)
	charsetShape  = regexp.MustCompile(`^(?:ISO[_-]IR ?[0-9]{1,3}|ISO 2022 IR [0-9]{1,3}|GB18030|GBK)$`)
	numberShape   = regexp.MustCompile(`^[-+]?[0-9.]{1,16}(?:[eE][-+]?[0-9]{1,3})?$`)
)

func number(s string) bool { return numberShape.MatchString(s) }

func codedValue(t study.Tag, s string) bool {
	if t == 0x00080005 {
		return charsetShape.MatchString(s)
	}
	if t == 0x00041500 {
		return false
	}
	return codedText(s)
}

// each keeps the values of an element that fit, and empties the others in their places.
func each(old []byte, fits func(string) bool) ([]byte, action) {
	values := strings.Split(strings.TrimRight(string(old), "\x00"), "\\")
	all := true
	for i, v := range values {
		if t := strings.TrimSpace(v); t != "" && !fits(t) {
			values[i], all = "", false
		}
	}
	if all {
		return old, keep
	}
	return join(values), clean
}

// join writes values; where none is left the value is empty.
func join(values []string) []byte {
	for _, v := range values {
		if v != "" {
			return pad(strings.Join(values, "\\"), ' ')
		}
	}
	return nil
}

// pad makes a value of even length (PS3.5 §6.2).
func pad(s string, with byte) []byte {
	b := []byte(s)
	if len(b)%2 == 1 {
		b = append(b, with)
	}
	return b
}

// text keeps a text of the keep-list, by the way that list gives.
func text(t study.Tag, vr string, old []byte, sc scope) ([]byte, action) {
	if t == 0x00080201 {
		return each(old, zoneShape.MatchString)
	}
	if t == 0x00080100 && !sc.public {
		if len(old) == 0 {
			return old, keep
		}
		return nil, empty
	}
	by := texts[t]
	if by == nil { // retained by an option, and not on the list
		return cleaned(vr, old)
	}
	return values(vr, old, by)
}

// cleaned keeps known words of each value.
func cleaned(vr string, old []byte) ([]byte, action) {
	switch vr {
	case "LO", "SH", "LT", "ST", "UT", "UC", "PN":
		return values(vr, old, words)
	case "CS":
		return each(old, codedText)
	case "IS", "DS":
		return each(old, number)
	case "US", "SS", "UL", "SL", "FL", "FD":
		return old, keep
	}
	return nil, empty
}

// values applies a way of cleaning to each value; long texts are one.
func values(vr string, old []byte, by func(string) string) ([]byte, action) {
	if len(old) > textMax {
		return nil, empty
	}
	s := strings.TrimRight(string(old), " \x00")
	if s == "" {
		return old, keep
	}
	list := []string{s}
	if vr == "LO" || vr == "SH" || vr == "UC" {
		list = strings.Split(s, "\\")
	}
	same := true
	for i, v := range list {
		c := by(v)
		same = same && c == v
		list[i] = c
	}
	if same {
		return old, keep
	}
	return join(list), clean
}

// uids maps each UID of a value.
func (w *rewriter) uids(old []byte) ([]byte, action) {
	s := strings.TrimRight(string(old), " \x00")
	if s == "" {
		return old, keep
	}
	list := strings.Split(s, "\\")
	changed := false
	for i, v := range list {
		v = strings.TrimSpace(v)
		switch {
		case v == "" || Registered(v) && study.ValidUID(v):
		case !study.ValidUID(v):
			list[i], changed = "", true
		default:
			list[i], changed = w.c.UID(v), true
			w.out.UIDs[v] = list[i]
		}
	}
	if !changed {
		return old, keep
	}
	return pad(strings.Join(list, "\\"), 0), remap
}

// dates moves each date of a value. What is no date goes.
func (w *rewriter) dates(old []byte, vr string) ([]byte, action) {
	s := strings.Trim(string(old), " \x00")
	if s == "" {
		return old, keep
	}
	list := strings.Split(s, "\\")
	for i, v := range list {
		list[i] = move(strings.TrimSpace(v), vr, w.shiftDays)
	}
	return join(list), shift
}

// move adds days to a date. What cannot be moved is empty.
func move(s, vr string, days int) string {
	if vr == "DA" {
		s = strings.ReplaceAll(s, ".", "") // ACR-NEMA 2.0: 1997.04.24
	}
	if len(s) < 8 || vr == "DA" && len(s) != 8 || vr == "DT" && !dateTimeShape.MatchString(s) {
		return "" // a year or a month alone cannot be moved by days
	}
	t, err := time.Parse("20060102", s[:8])
	if err != nil {
		return ""
	}
	t = t.AddDate(0, 0, days)
	if t.Year() < 1 {
		return ""
	}
	return t.Format("20060102") + s[8:]
}

// dummy is a fixed value of the VR, so that a type 1 attribute stays valid.
func (w *rewriter) dummy(t study.Tag, vr string, old []byte) ([]byte, action) {
	if t == 0x00100020 || t == 0x00100010 {
		return pad(w.pseudonym, ' '), dummy
	}
	switch vr {
	case "DA":
		return []byte("19000101"), dummy
	case "DT":
		return []byte("19000101000000"), dummy
	case "TM":
		return []byte("000000"), dummy
	case "IS", "DS":
		return []byte("0 "), dummy
	case "UI":
		return w.uids(old)
	case "LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "CS":
		return pad("REMOVED", ' '), dummy
	}
	return nil, empty
}

// age is the patient's age in the head: by the dates if they are there, and nobody is known by
// being very old.
func (w *rewriter) age() string {
	if !w.c.Options.Characteristics {
		return ""
	}
	o := w.s.Outline
	said := trim(o.Raw(0x00101010))
	if !ageShape.MatchString(said) {
		said = ""
	}
	born, err1 := time.Parse("20060102", trim(o.Raw(0x00100030)))
	at, err2 := time.Parse("20060102", trim(o.Raw(0x00080020)))
	if err1 == nil && err2 == nil && !born.After(at) {
		said = ageAt(born, at)
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(said, "Y")); err == nil && n >= ageMax {
		return "090Y"
	}
	return said
}

// ageMax: from here on an age is that of few, and all of them are said to have it.
const ageMax = 90

// ageAt is an age as PS3.5 §6.2 writes it, in the unit that says most with three digits.
func ageAt(born, at time.Time) string {
	days := int(at.Sub(born).Hours() / 24)
	months := (at.Year()-born.Year())*12 + int(at.Month()) - int(born.Month())
	if at.Day() < born.Day() {
		months--
	}
	switch {
	case days < 28:
		return fmt.Sprintf("%03dD", days)
	case months < 6:
		return fmt.Sprintf("%03dW", days/7)
	case months < 24:
		return fmt.Sprintf("%03dM", months)
	case months/12 > 999:
		return ""
	}
	return fmt.Sprintf("%03dY", months/12)
}

// pixelAttribute describes pixels that were replaced.
func (w *rewriter) pixelAttribute(t study.Tag, cd coding) ([]byte, bool) {
	if w.native == nil || !w.native.Encapsulated {
		return nil, false
	}
	us := func(n int) []byte { return appendUint16(nil, uint16(n), cd.order()) }
	switch t {
	case 0x00280004:
		return pad(w.native.Photometric, ' '), true
	case 0x00280006:
		return us(0), true
	}
	return nil, false
}

// classes name classes, syntaxes and coding schemes: they say what something is, not whose.
var classes = map[study.Tag]bool{
	0x00080016: true, 0x0008001A: true, 0x0008001B: true, 0x0008010C: true, 0x0008115A: true, 0x00081150: true, 0x00083002: true,
}

// roots of makers of equipment, under which their own classes are.
var roots = []string{"1.2.840.113619.", "1.3.12.2.1107.", "1.3.46.670589.", "1.2.392.200036.", "1.2.392.200046.", "1.2.276.0.7230010.", "1.2.826.0.1.3680043."}

// class reports whether a UID may name a class.
func class(uid string) bool {
	const longest = 40 // classes are short; what a maker's equipment makes up is long
	return Registered(uid) || len(uid) <= longest && slices.ContainsFunc(roots, func(r string) bool { return strings.HasPrefix(uid, r) })
}

func (w *rewriter) class(old []byte) ([]byte, action) {
	for v := range strings.SplitSeq(trim(old), "\\") {
		if !class(v) || !study.ValidUID(v) {
			return w.uids(old)
		}
	}
	return old, keep
}

// privateValue keeps a safe private value if it is numbers, or its block's creator.
func privateValue(t study.Tag, vr string, old []byte) ([]byte, action) {
	if privateCreator(t) || vr == "FD" || vr == "FL" {
		return old, keep
	}
	for v := range strings.SplitSeq(trim(old), "\\") {
		if v = strings.TrimSpace(v); v != "" && !number(v) {
			return nil, remove
		}
	}
	return old, keep
}

// derived says that pixels were changed.
func derived(old []byte) ([]byte, action) {
	list := strings.Split(trim(old), "\\")
	for i, v := range list {
		if !codedText(v) {
			list[i] = ""
		}
	}
	list[0] = "DERIVED"
	return pad(strings.Join(list, "\\"), ' '), dummy
}
