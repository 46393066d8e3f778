package study

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Tag is a DICOM attribute tag, group in the high half.
type Tag uint32

func (t Tag) String() string { return fmt.Sprintf("(%04X,%04X)", uint16(t>>16), uint16(t)) }

// Group is the high half.
func (t Tag) Group() uint16 { return uint16(t >> 16) }

// Element is one data element, or one item of a sequence, where it lies. Offsets
// are in the file, or in the inflated data set. What is nested follows its
// sequence and item in file order and lies within their values.
type Element struct {
	Tag       Tag
	VR        [2]byte
	Depth     uint8 // 0 at the top level; an item has that of its sequence
	Undefined bool  // undefined length
	Start     int64 // of the tag
	Value     int64 // of the first value byte
	Length    int64 // of the value, delimiters included
}

// Fragment is one item of encapsulated pixel data, offsets within the bulk.
type Fragment struct{ Off, Len int64 }

// Outline is what the guard learnt of a file without looking at text.
type Outline struct {
	Size      int64
	Syntax    Syntax
	MetaEnd   int64
	Elements  []Element // of the data set, in file order, nested ones included
	MetaClass string    // Media Storage SOP Class
	Inflated  int64     // length of the inflated data set; 0 if not deflated
	Pixel     *Element  // top-level pixel element
	Pixels    int       // how many there are
	Offsets   []byte    // Basic Offset Table of the pixel element
	Fragments []Fragment
	Facts     Pixel // shape of the pixels, checked against their length
	Findings  []string
	// FlatOnly: nested sequences would cost the metadata library too much.
	FlatOnly bool

	values map[Tag]span
	arena  []byte
}

// span is a captured top-level value.
type span struct {
	vr       [2]byte
	from, to int
}

func (o *Outline) find(s string) {
	if len(o.Findings) < FindingsMax {
		o.Findings = append(o.Findings, s)
	}
}

// value is the raw value of a top-level element, nil if absent.
func (o *Outline) value(t Tag) []byte {
	if s, ok := o.values[t]; ok {
		return o.arena[s.from:s.to:s.to]
	}
	return nil
}

// ascii is a value as it is, without padding.
func (o *Outline) ascii(t Tag) string {
	return strings.Trim(string(o.value(t)), " \x00")
}

// uid is the value of a UI attribute: padding is one NUL, spaces are seen.
func (o *Outline) uid(t Tag) string { return strings.TrimRight(string(o.value(t)), " \x00") }

func (o *Outline) order() binary.ByteOrder {
	if o.Syntax.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// ushort is the value of a US attribute of one value.
func (o *Outline) ushort(t Tag) (v int, present, ok bool) {
	s, present := o.values[t]
	if !present {
		return 0, false, true
	}
	b := o.arena[s.from:s.to]
	if len(b) == 0 {
		return 0, false, true
	}
	vr := string(s.vr[:])
	if len(b) != 2 || vr != "US" && vr != "UN" && vr != "SS" {
		return 0, true, false
	}
	return int(o.order().Uint16(b)), true, true
}

// Raw is the value of a top-level element as it is, nil if it is absent or was not kept.
func (o *Outline) Raw(t Tag) []byte { return o.value(t) }

// Inflate gives the data set of a deflated file.
func (o *Outline) Inflate(file io.ReaderAt) ([]byte, error) {
	c := newInflateCursor(file, o.MetaEnd, o.Size)
	b, err := c.next(int(o.Inflated))
	if err != nil {
		return nil, readErr(err)
	}
	return b, nil
}
