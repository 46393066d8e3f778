package object

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/curbside-p2p/curbside/consult/study"
)

const tagPixels study.Tag = 0x7FE00010

// Pixels are those of an image that is authored here.
type Pixels struct {
	// Syntax of encapsulated frames; empty for native ones.
	Syntax string
	// Native are cells as they stand in the value, little-endian.
	Native []byte
	// Frames are encapsulated, one fragment each.
	Frames [][]byte
}

// WriteImage is [Write] of an image: the set describes the pixels and does not hold them.
func WriteImage(s Set, px Pixels) ([]byte, error) {
	s = sorted(append(Set{Str(tagCharset, "CS", charset)}, s...))
	class, sop := s.UID(0x00080016), s.UID(0x00080018)
	bits, ok := s.Int(0x00280100)
	if class == "" || sop == "" || !ok || s.Find(tagPixels) != nil {
		return nil, fmt.Errorf("class, instance or pixels: %w", ErrWrite)
	}
	if err := check(s); err != nil {
		return nil, err
	}
	syntax := explicitLE
	if px.Syntax != "" {
		syntax = px.Syntax
	}
	out := appendSet(head(class, sop, syntax), s)
	if px.Syntax != "" {
		out = appendFragments(out, px.Frames)
	} else {
		out = appendNative(out, px.Native, bits)
	}
	return out, readsBack(out, s)
}

// readsBack compares all but the pixels with what was meant. The guard has found the pixels to be
// as many as the set says.
func readsBack(file []byte, s Set) error {
	o, err := study.Guard(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return fmt.Errorf("reading it back: %w: %w", ErrWrite, err)
	}
	r := &reader{o: o, data: file, blind: true}
	back := r.set(0, int64(len(file)), 0, "")
	if len(back) == 0 || back[len(back)-1].Tag != tagPixels || !equal(back[:len(back)-1], s) || len(o.Findings) > 0 {
		return fmt.Errorf("it reads back as something else: %w", ErrWrite)
	}
	return nil
}

func appendNative(out, cells []byte, bits int) []byte {
	vr := "OB"
	if bits > 8 {
		vr = "OW" // PS3.5 §A.2
	}
	out = append(append(appendTag(out, tagPixels), vr...), 0, 0)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(cells)+len(cells)%2))
	out = append(out, cells...)
	return append(out, make([]byte, len(cells)%2)...)
}

// appendFragments writes an offset table and a fragment a frame (PS3.5 §A.4).
func appendFragments(out []byte, frames [][]byte) []byte {
	const undefined = 0xFFFFFFFF
	out = append(append(appendTag(out, tagPixels), "OB"...), 0, 0)
	out = binary.LittleEndian.AppendUint32(out, undefined)
	out = binary.LittleEndian.AppendUint32(appendTag(out, tagItem), uint32(4*len(frames)))
	at := 0
	for _, f := range frames {
		out = binary.LittleEndian.AppendUint32(out, uint32(at))
		at += 8 + len(f) + len(f)%2
	}
	for _, f := range frames {
		out = binary.LittleEndian.AppendUint32(appendTag(out, tagItem), uint32(len(f)+len(f)%2))
		out = append(out, f...)
		out = append(out, make([]byte, len(f)%2)...) // fragments are even
	}
	out = appendTag(out, 0xFFFEE0DD)
	return binary.LittleEndian.AppendUint32(out, 0)
}
