package object

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"unicode/utf8"

	"github.com/suyashkumar/dicom/pkg/tag"

	"github.com/curbside-p2p/curbside/consult/study"
)

const (
	explicitLE = "1.2.840.10008.1.2.1"
	// Implementation is the project's fixed Implementation Class UID.
	Implementation = "2.25.258934790531245670213455627310475930912"
	version        = "CURBSIDE_1"
	charset        = "ISO_IR 192"
	classDirectory = "1.2.840.10008.1.3.10"
)

// UID is `2.25.` and the decimal of a version 4 UUID of random bytes (PS3.5 §B.2).
func UID(random [16]byte) string {
	random[6], random[8] = random[6]&0x0f|0x40, random[8]&0x3f|0x80 // RFC 9562 §5.4
	return "2.25." + new(big.Int).SetBytes(random[:]).String()
}

// Write makes a file of a data set, which has its SOP Class and Instance UID. It
// sets the character set, sorts, and compares what [Read] makes of the file with
// what was meant.
func Write(s Set) ([]byte, error) {
	s = sorted(append(Set{Str(tagCharset, "CS", charset)}, s...))
	return write(s, s.UID(0x00080016), s.UID(0x00080018))
}

// WriteDirectory is Write of the directory of a medium, which has neither class nor
// instance: uid names the file-set, and each record says its character set (PS3.3 F.3).
func WriteDirectory(s Set, uid string) ([]byte, error) {
	return write(sorted(s), classDirectory, uid)
}

func write(s Set, class, sop string) ([]byte, error) {
	if class == "" || sop == "" {
		return nil, fmt.Errorf("class or instance: %w", ErrWrite)
	}
	if err := check(s); err != nil {
		return nil, err
	}
	out := appendSet(head(class, sop, explicitLE), s)
	back, err := Read(out)
	if err != nil {
		return nil, fmt.Errorf("reading it back: %w: %w", ErrWrite, err)
	}
	if !equal(back.Set, s) || len(back.Findings) > 0 {
		return nil, fmt.Errorf("it reads back as something else: %w", ErrWrite)
	}
	return out, nil
}

// head is preamble, prefix and File Meta (PS3.10 §7.1).
func head(class, sop, syntax string) []byte {
	meta := appendSet(nil, Set{
		{Tag: 0x00020001, VR: "OB", Value: []byte{0, 1}},
		Str(0x00020002, "UI", class), Str(0x00020003, "UI", sop), Str(0x00020010, "UI", syntax),
		Str(0x00020012, "UI", Implementation), Str(0x00020013, "SH", version),
	})
	out := append(make([]byte, 128), "DICM"...)
	out = appendSet(out, Set{UL(0x00020000, len(meta))})
	return append(out, meta...)
}

// sorted is a copy in order of tags, in every item.
func sorted(s Set) Set {
	s = slices.Clone(s)
	slices.SortStableFunc(s, func(a, b Element) int { return cmp.Compare(a.Tag, b.Tag) })
	for i := range s {
		if s[i].VR != "SQ" {
			continue
		}
		items := make([]Set, len(s[i].Items))
		for j, item := range s[i].Items {
			items[j] = sorted(item)
		}
		s[i].Items = items
	}
	return s
}

// longVR have a 32-bit length (PS3.5 §7.1.2).
var longVR = map[string]bool{"OB": true, "OD": true, "OF": true, "OL": true, "OW": true, "SQ": true, "UC": true, "UN": true, "UR": true, "UT": true}

// check finds what would make a file that says something else: a tag twice, a VR
// that is not the attribute's, a value too long for its VR, text that is not UTF-8.
func check(s Set) error {
	for i := range s {
		e := &s[i]
		wrong := func(what string) error { return fmt.Errorf("%s: %s: %w", e.Tag, what, ErrWrite) }
		switch {
		case i > 0 && s[i-1].Tag == e.Tag:
			return wrong("twice")
		case !allowed(e):
			return wrong("value representation")
		case len(e.Value)%2 != 0, !longVR[e.VR] && len(e.Value) > 0xFFFE:
			return wrong("length")
		case textVR[e.VR] && (!utf8.Valid(e.Value) || bytes.IndexByte(e.Value, 0x1b) >= 0):
			return wrong("text")
		}
		for _, item := range e.Items {
			if err := check(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// allowed compares the VR with the dictionary's.
func allowed(e *Element) bool {
	t := tag.Tag{Group: e.Tag.Group(), Element: uint16(e.Tag)}
	if g := t.Group; g > 0x6000 && g <= 0x601E && g%2 == 0 { // overlays repeat
		t.Group = 0x6000
	}
	info, err := tag.Find(t)
	return err == nil && slices.Contains(info.VRs, e.VR)
}

func appendSet(out []byte, s Set) []byte {
	for i := range s {
		e := &s[i]
		value := e.Value
		if e.VR == "SQ" {
			value = nil
			for _, item := range e.Items {
				b := appendSet(nil, item)
				value = appendTag(value, tagItem)
				value = binary.LittleEndian.AppendUint32(value, uint32(len(b)))
				value = append(value, b...)
			}
		}
		out = append(appendTag(out, e.Tag), e.VR...)
		if longVR[e.VR] {
			out = binary.LittleEndian.AppendUint32(append(out, 0, 0), uint32(len(value)))
		} else {
			out = binary.LittleEndian.AppendUint16(out, uint16(len(value)))
		}
		out = append(out, value...)
	}
	return out
}

func appendTag(out []byte, t study.Tag) []byte {
	out = binary.LittleEndian.AppendUint16(out, t.Group())
	return binary.LittleEndian.AppendUint16(out, uint16(t))
}

func equal(a, b Set) bool {
	return slices.EqualFunc(a, b, func(x, y Element) bool {
		return x.Tag == y.Tag && x.VR == y.VR && bytes.Equal(x.Value, y.Value) && slices.EqualFunc(x.Items, y.Items, equal)
	})
}
