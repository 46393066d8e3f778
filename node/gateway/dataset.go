package gateway

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// Data sets of queries and of storage commitment: short, without pixels.

// encode writes a data set in one of the syntaxes that are negotiated for it.
func encode(s object.Set, syntax string) []byte {
	s = slices.Clone(s)
	slices.SortStableFunc(s, func(a, b object.Element) int { return cmp.Compare(a.Tag, b.Tag) })
	var out []byte
	for i := range s {
		out = appendElement(out, &s[i], syntax == dimse.ExplicitLE)
	}
	return out
}

func appendElement(b []byte, e *object.Element, explicit bool) []byte {
	v := e.Value
	for _, item := range e.Items {
		syntax := dimse.ImplicitLE
		if explicit {
			syntax = dimse.ExplicitLE
		}
		inner := encode(item, syntax)
		v = append(v, 0xFE, 0xFF, 0x00, 0xE0)
		v = binary.LittleEndian.AppendUint32(v, uint32(len(inner)))
		v = append(v, inner...)
	}
	b = binary.LittleEndian.AppendUint16(b, e.Tag.Group())
	b = binary.LittleEndian.AppendUint16(b, uint16(e.Tag))
	switch {
	case !explicit:
		b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
	case e.VR == "SQ":
		b = append(b, 'S', 'Q', 0, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
	default:
		b = append(b, e.VR...)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
	}
	return append(b, v...)
}

// decode reads a data set of a peer: through the guard, as any file.
func decode(b []byte, syntax string) (object.Set, error) {
	file := dimse.Meta(dimse.StudyFind, "1.2", syntax, "")
	f, err := object.Read(append(file, b...))
	if err != nil {
		return nil, err
	}
	return f.Set, nil
}

// str is an element of text.
func str(t study.Tag, vr, v string) object.Element { return object.Str(t, vr, v) }
