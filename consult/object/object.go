// Package object reads and writes whole DICOM data sets: presentation states, key
// object selections, structured reports, documents, media directories. Images are
// not read by it, as their bytes are kept as they come; [WriteImage] writes those
// that are made here.
//
// A data set is a tree of values, whatever the file was written in: numbers are
// little-endian, text is UTF-8, sequences have items. [Read] makes one of a file
// that passed study.Guard; [Write] makes a Part 10 file of one, Explicit VR Little
// Endian, sorted, lengths even and explicit, and reads it back before it leaves.
package object

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Set is a data set or an item of a sequence, its tags ascending.
type Set []Element

// Element is one attribute.
type Element struct {
	Tag   study.Tag
	VR    string
	Value []byte
	Items []Set // of SQ
}

// Find returns the attribute, nil if there is none.
func (s Set) Find(t study.Tag) *Element {
	for i := range s {
		if s[i].Tag == t {
			return &s[i]
		}
	}
	return nil
}

// Text is a value without padding, all of it.
func (s Set) Text(t study.Tag) string {
	if e := s.Find(t); e != nil {
		return strings.Trim(string(e.Value), " \x00")
	}
	return ""
}

// Texts are the values of an attribute, without padding.
func (s Set) Texts(t study.Tag) []string {
	v := s.Text(t)
	if v == "" {
		return nil
	}
	out := strings.Split(v, "\\")
	for i := range out {
		out[i] = strings.Trim(out[i], " \x00")
	}
	return out
}

// UID is a value of VR UI, empty if it is no UID.
func (s Set) UID(t study.Tag) string {
	if v := s.Text(t); study.ValidUID(v) {
		return v
	}
	return ""
}

// Items are those of a sequence.
func (s Set) Items(t study.Tag) []Set {
	if e := s.Find(t); e != nil {
		return e.Items
	}
	return nil
}

// First is the first item of a sequence, nil if there is none.
func (s Set) First(t study.Tag) Set {
	if items := s.Items(t); len(items) > 0 {
		return items[0]
	}
	return nil
}

// Numbers are the values of a numeric attribute, binary or text; nil if any of
// them is not a finite number.
func (s Set) Numbers(t study.Tag) []float64 {
	e := s.Find(t)
	if e == nil {
		return nil
	}
	width, read := number(e.VR)
	if width == 0 {
		return decimals(s.Texts(t))
	}
	var out []float64
	for i := 0; i+width <= len(e.Value); i += width {
		v := read(e.Value[i:])
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		out = append(out, v)
	}
	return out
}

// Number is an attribute of one number.
func (s Set) Number(t study.Tag) (float64, bool) {
	if v := s.Numbers(t); len(v) == 1 {
		return v[0], true
	}
	return 0, false
}

// Ints are the values of an attribute of whole numbers below 2^31.
func (s Set) Ints(t study.Tag) []int {
	var out []int
	for _, x := range s.Numbers(t) {
		if x != math.Trunc(x) || math.Abs(x) > math.MaxInt32 {
			return nil
		}
		out = append(out, int(x))
	}
	return out
}

// Int is an attribute of one whole number.
func (s Set) Int(t study.Tag) (int, bool) {
	if v := s.Ints(t); len(v) == 1 {
		return v[0], true
	}
	return 0, false
}

// Words are the 16-bit cells of a value.
func (s Set) Words(t study.Tag) []uint16 {
	e := s.Find(t)
	if e == nil {
		return nil
	}
	out := make([]uint16, len(e.Value)/2)
	for i := range out {
		out[i] = binary.LittleEndian.Uint16(e.Value[2*i:])
	}
	return out
}

func decimals(texts []string) []float64 {
	var out []float64
	for _, s := range texts {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		out = append(out, v)
	}
	return out
}

// number is how wide a binary number is and how it reads; width 0 for others.
func number(vr string) (width int, read func([]byte) float64) {
	le := binary.LittleEndian
	switch vr {
	case "US", "OW":
		return 2, func(b []byte) float64 { return float64(le.Uint16(b)) }
	case "SS":
		return 2, func(b []byte) float64 { return float64(int16(le.Uint16(b))) }
	case "UL", "OL":
		return 4, func(b []byte) float64 { return float64(le.Uint32(b)) }
	case "SL":
		return 4, func(b []byte) float64 { return float64(int32(le.Uint32(b))) }
	case "FL", "OF":
		return 4, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }
	case "FD", "OD":
		return 8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) }
	}
	return 0, nil
}

// Str is an attribute of text values, padded as its VR is.
func Str(t study.Tag, vr string, values ...string) Element {
	b := []byte(strings.Join(values, "\\"))
	if len(b)%2 != 0 {
		if vr == "UI" {
			b = append(b, 0) // PS3.5 §6.2
		} else {
			b = append(b, ' ')
		}
	}
	return Element{Tag: t, VR: vr, Value: b}
}

// US is an attribute of unsigned shorts.
func US(t study.Tag, values ...int) Element {
	e := Element{Tag: t, VR: "US"}
	for _, v := range values {
		e.Value = binary.LittleEndian.AppendUint16(e.Value, uint16(v))
	}
	return e
}

// SL is an attribute of signed longs.
func SL(t study.Tag, values ...int) Element {
	e := Element{Tag: t, VR: "SL"}
	for _, v := range values {
		e.Value = binary.LittleEndian.AppendUint32(e.Value, uint32(int32(v)))
	}
	return e
}

// UL is an attribute of unsigned longs.
func UL(t study.Tag, values ...int) Element {
	e := SL(t, values...)
	e.VR = "UL"
	return e
}

// FL is an attribute of floats.
func FL(t study.Tag, values ...float64) Element {
	e := Element{Tag: t, VR: "FL"}
	for _, v := range values {
		e.Value = binary.LittleEndian.AppendUint32(e.Value, math.Float32bits(float32(v)))
	}
	return e
}

// FD is an attribute of doubles.
func FD(t study.Tag, values ...float64) Element {
	e := Element{Tag: t, VR: "FD"}
	for _, v := range values {
		e.Value = binary.LittleEndian.AppendUint64(e.Value, math.Float64bits(v))
	}
	return e
}

// Bytes is an attribute of OB or OW, padded with a zero.
func Bytes(t study.Tag, vr string, b []byte) Element {
	b = slices.Clone(b)
	if len(b)%2 != 0 {
		b = append(b, 0)
	}
	return Element{Tag: t, VR: vr, Value: b}
}

// Seq is a sequence.
func Seq(t study.Tag, items ...Set) Element { return Element{Tag: t, VR: "SQ", Items: items} }

// Code is a coded concept (PS3.3 §8).
func Code(value, scheme, meaning string) Set {
	return Set{Str(0x00080100, "SH", value), Str(0x00080102, "SH", scheme), Str(0x00080104, "LO", meaning)}
}

// IS writes whole numbers as text.
func IS(v int) string { return strconv.Itoa(v) }

// DS writes a number in the 16 characters of a decimal string (PS3.5 §6.2).
func DS(v float64) string {
	const width = 16
	for digits := 17; digits > 1; digits-- {
		if s := strconv.FormatFloat(v, 'g', digits, 64); len(s) <= width {
			return strings.Replace(s, "e+", "e", 1)
		}
	}
	return "0"
}
