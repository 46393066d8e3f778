package study

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"

	"github.com/suyashkumar/dicom"
)

// The metadata library never sees a file. It gets a view that is written anew
// from the outline: a File Meta with a plain transfer syntax, and of the data
// set the few sequences that are read, in Explicit VR Little Endian, lengths
// explicit and true, values of unknown representation and values over 1 MiB
// left out. What it could be led to allocate is bounded before it runs.

// view writes the wanted sequences; wanted is false if there are none.
func (o *Outline) view(r io.ReaderAt) (b []byte, wanted bool, err error) {
	v := &viewer{o: o, r: r}
	for i := range o.Elements {
		e := &o.Elements[i]
		if e.Depth != 0 || e.VR != [2]byte{'S', 'Q'} {
			continue
		}
		if !sequences[e.Tag] {
			continue
		}
		if o.FlatOnly {
			return nil, true, errView
		}
		wanted = true
		if b, err = v.element(b, i); err != nil {
			return nil, true, err
		}
	}
	return append(viewHead(), b...), wanted, nil
}

var errView = refuse(OverLimit, 0, "nested metadata")

// viewHead is preamble, prefix and File Meta.
func viewHead() []byte {
	out := append(make([]byte, 128), "DICM"...)
	syntax := []byte(dicomUID + "1.2.1\x00")
	out = append(out, 2, 0, 0, 0, 'U', 'L', 4, 0)
	out = binary.LittleEndian.AppendUint32(out, uint32(8+len(syntax)))
	out = append(out, 2, 0, 0x10, 0, 'U', 'I', byte(len(syntax)), 0)
	return append(out, syntax...)
}

type viewer struct {
	o    *Outline
	r    io.ReaderAt
	cost int64
}

// element appends element i and what it holds.
func (v *viewer) element(out []byte, i int) ([]byte, error) {
	e := &v.o.Elements[i]
	if v.cost += libraryElement; v.cost > LibraryMax {
		return nil, errView
	}
	if e.VR == [2]byte{'S', 'Q'} {
		return v.sequence(out, i)
	}
	vr := e.VR
	switch {
	case e.Tag == tagLUTData: // US or OW: a US of 65,536 entries has no room for its length
		vr = [2]byte{'O', 'W'}
	case vr == [2]byte{'U', 'N'}: // PS3.5 §6.2.2 note 2: as in Implicit VR Little Endian
		vr = implicitVR(e.Tag)
	}
	if vr == [2]byte{'U', 'N'} || vr == [2]byte{'S', 'Q'} || e.Length > ValueViewMax || e.Undefined || e.Length%2 != 0 || e.Tag == tagPixelData {
		return out, nil
	}
	if !longVR[string(vr[:])] && e.Length > 0xFFFF {
		return out, nil
	}
	if v.cost += 4 * e.Length; v.cost > LibraryMax {
		return nil, errView
	}
	value := make([]byte, e.Length)
	if n, err := v.r.ReadAt(value, e.Value); int64(n) < e.Length {
		return nil, readErr(err)
	}
	if v.o.Syntax.BigEndian && e.VR != [2]byte{'U', 'N'} {
		littleEndian(value, vr)
	}
	return append(appendHeader(out, e.Tag, vr, len(value)), value...), nil
}

// sequence appends a sequence with explicit lengths, patched when they are known.
func (v *viewer) sequence(out []byte, i int) ([]byte, error) {
	s := &v.o.Elements[i]
	out = appendHeader(out, s.Tag, s.VR, 0)
	from := len(out)
	item := -1
	for j := i + 1; j < len(v.o.Elements) && v.o.Elements[j].Start < s.Value+s.Length; j++ {
		e := &v.o.Elements[j]
		var err error
		switch {
		case e.Tag == tagItem && e.Depth == s.Depth:
			out = patch(out, item)
			out = binary.LittleEndian.AppendUint32(out, uint32(tagItem>>16)|uint32(tagItem&0xFFFF)<<16)
			out = binary.LittleEndian.AppendUint32(out, 0)
			item = len(out)
		case e.Depth == s.Depth+1 && e.Tag != tagItem && (s.Tag != tagShared && s.Tag != tagPerFrame || macros[e.Tag] || slices.Contains(phaseMacros, e.Tag)):
			out, err = v.element(out, j)
		}
		if err != nil {
			return nil, err
		}
	}
	out = patch(out, item)
	return patch(out, from), nil
}

// patch writes the length of what began at from into the four bytes before it.
func patch(out []byte, from int) []byte {
	if from >= 0 {
		binary.LittleEndian.PutUint32(out[from-4:], uint32(len(out)-from))
	}
	return out
}

func appendHeader(out []byte, t Tag, vr [2]byte, n int) []byte {
	out = binary.LittleEndian.AppendUint16(out, t.Group())
	out = binary.LittleEndian.AppendUint16(out, uint16(t))
	out = append(out, vr[0], vr[1])
	if longVR[string(vr[:])] {
		out = append(out, 0, 0)
		return binary.LittleEndian.AppendUint32(out, uint32(n))
	}
	return binary.LittleEndian.AppendUint16(out, uint16(n))
}

// littleEndian swaps the numbers of a big-endian value in place (PS3.5 §7.3).
func littleEndian(b []byte, vr [2]byte) {
	width := 1
	switch string(vr[:]) {
	case "US", "SS", "OW", "AT":
		width = 2
	case "UL", "SL", "FL", "OF", "OL":
		width = 4
	case "FD", "OD", "SV", "UV", "OV":
		width = 8
	}
	for i := 0; i+width <= len(b); i += width {
		for x, y := i, i+width-1; x < y; x, y = x+1, y-1 {
			b[x], b[y] = b[y], b[x]
		}
	}
}

// parseView runs the library; a panic in it is metadata that cannot be read.
func parseView(view []byte) (ds dicom.Dataset, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	ds, err := dicom.Parse(bytes.NewReader(view), int64(len(view)), nil,
		dicom.SkipPixelData(), dicom.AllowUnknownSpecificCharacterSet(), dicom.AllowMismatchPixelDataLength())
	return ds, err == nil
}

// KnownVR is the VR that the dictionary has for a tag, UN for one that it does not know.
func KnownVR(t Tag) string {
	vr := implicitVR(t)
	return string(vr[:])
}
