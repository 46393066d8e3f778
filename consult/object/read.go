package object

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
)

const (
	tagCharset study.Tag = 0x00080005
	tagItem    study.Tag = 0xFFFEE000
)

// File is a data set and what its file says of it.
type File struct {
	Set
	Class  string // SOP Class UID
	SOPUID string
	Study  string
	Series string
	Syntax string // transfer syntax that it came in
	// Findings are oddities, without values.
	Findings []string
}

// Read reads a file that is not an image. The guard's refusals come back as they are.
func Read(file []byte) (*File, error) {
	if len(file) > FileMax {
		return nil, ErrSize
	}
	o, err := study.Guard(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	data := file
	if o.Syntax.Deflated {
		if o.Inflated > FileMax {
			return nil, ErrSize
		}
		data = make([]byte, o.Inflated)
		if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(file[o.MetaEnd:])), data); err != nil {
			return nil, fmt.Errorf("inflate: %w", err)
		}
	}
	r := &reader{o: o, data: data}
	return r.file(int64(len(data))), nil
}

// ReadJoined is Read of head[:off] || bulk || head[off:], an image: of its pixel element the set
// has tag and VR, and no value. Bulk is read only where an encapsulated one has fragment headers.
func ReadJoined(head []byte, off int64, bulk io.ReaderAt, bulkLen int64) (*File, error) {
	if bulkLen == 0 {
		return Read(head)
	}
	if len(head) > FileMax {
		return nil, ErrSize
	}
	o, err := study.GuardJoined(head, off, bulk, bulkLen)
	if err != nil {
		return nil, err
	}
	r := &reader{o: o, data: head, bulk: [2]int64{off, off + bulkLen}}
	return r.file(int64(len(head)) + bulkLen), nil
}

func (r *reader) file(end int64) *File {
	f := &File{Set: r.set(0, end, 0, ""), Syntax: r.o.Syntax.UID, Findings: r.o.Findings}
	if r.damaged {
		f.Findings = append(f.Findings, "text cannot be decoded")
	}
	f.Class, f.SOPUID = f.UID(0x00080016), f.UID(0x00080018)
	f.Study, f.Series = f.UID(0x0020000D), f.UID(0x0020000E)
	return f
}

// reader makes the tree of the guard's outline, which has checked every length.
type reader struct {
	o       *study.Outline
	data    []byte   // without the bulk
	bulk    [2]int64 // where that would be
	damaged bool
	blind   bool // leaves the pixels of the data set out
}

// set reads the elements from index i on that lie before end at this depth.
func (r *reader) set(i int, end int64, depth uint8, charset string) Set {
	var out Set
	for ; i < len(r.o.Elements) && r.o.Elements[i].Start < end; i++ {
		e := &r.o.Elements[i]
		if e.Depth != depth || e.Tag == tagItem || len(out) > 0 && out[len(out)-1].Tag == e.Tag {
			continue // of what is nested, or the second of two
		}
		x := Element{Tag: e.Tag, VR: string(e.VR[:])}
		if vr := study.KnownVR(e.Tag); x.VR == "UN" && vr != "SQ" { // PS3.5 §6.2.2: what is known is read as it is known
			x.VR = vr
		}
		if r.blind && e.Tag == tagPixels && depth == 0 {
			return append(out, x) // the last
		}
		if items, ok := r.items(i, charset); ok {
			x.VR, x.Items = "SQ", items
		} else {
			x.Value = r.value(e, x.VR, charset)
		}
		if e.Tag == tagCharset {
			charset = strings.Trim(string(x.Value), " \x00")
		}
		out = append(out, x)
	}
	return out
}

// items are those of a sequence, or of an UN that holds one (PS3.5 §6.2.2).
func (r *reader) items(i int, charset string) ([]Set, bool) {
	s := &r.o.Elements[i]
	var out []Set
	end := s.Value + s.Length
	for j := i + 1; j < len(r.o.Elements) && r.o.Elements[j].Start < end; j++ {
		e := &r.o.Elements[j]
		if e.Tag == tagItem && e.Depth == s.Depth {
			out = append(out, r.set(j+1, e.Value+e.Length, s.Depth+1, charset))
		}
	}
	return out, s.VR == [2]byte{'S', 'Q'} || len(out) > 0
}

// textVR are decoded by the character set.
var textVR = map[string]bool{"LO": true, "LT": true, "PN": true, "SH": true, "ST": true, "UC": true, "UT": true}

func (r *reader) value(e *study.Element, vr, charset string) []byte {
	at := e.Value
	if at >= r.bulk[1] {
		at -= r.bulk[1] - r.bulk[0]
	} else if at+e.Length > r.bulk[0] && r.bulk[1] > 0 {
		return nil // the bulk itself
	}
	if at < 0 || e.Length < 0 || at+e.Length > int64(len(r.data)) {
		return nil
	}
	b := r.data[at : at+e.Length]
	switch {
	case textVR[vr]:
		s, ok := study.DecodeText(charset, b[:min(len(b), TextValueMax)])
		r.damaged = r.damaged || !ok
		return []byte(s)
	case r.o.Syntax.BigEndian && string(e.VR[:]) != "UN":
		return swapped(b, vr)
	}
	return bytes.Clone(b)
}

// swapped turns big-endian numbers around.
func swapped(b []byte, vr string) []byte {
	out := bytes.Clone(b)
	width, _ := number(vr)
	for i := 0; width > 1 && i+width <= len(out); i += width {
		for x, y := i, i+width-1; x < y; x, y = x+1, y-1 {
			out[x], out[y] = out[y], out[x]
		}
	}
	return out
}
