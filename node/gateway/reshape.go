package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

var errSyntax = errors.New(hintSyntax)

// reshape gives the data set of a file in one of the plain syntaxes, where that loses nothing.
func reshape(file []byte, from, to string, decode bool) ([]byte, error) {
	s, known := study.SyntaxOf(from)
	switch {
	case !known:
		return nil, errSyntax
	case s.Encapsulated:
		if !decode {
			return nil, errSyntax
		}
		native, err := nativeFile(file)
		if err != nil {
			return nil, err
		}
		file = native
		if to == dimse.ExplicitLE {
			return file[dimse.DataSet(file):], nil
		}
	case from == to:
		return file[dimse.DataSet(file):], nil
	case from != dimse.ExplicitLE || to != dimse.ImplicitLE:
		// Implicit VR is for every peer to take (PS3.5 §10.1): other ways are not needed.
		return nil, errSyntax
	}
	return implicit(file)
}

// implicit writes the data set of an Explicit VR Little Endian file without its VRs. Values stay as
// they are; sequences get undefined lengths.
func implicit(file []byte) ([]byte, error) {
	o, err := study.Guard(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	return appendImplicit(make([]byte, 0, len(file)), file, o)
}

// appendImplicit walks the outline; ends are those of the sequences and items that are open.
func appendImplicit(out, file []byte, o *study.Outline) ([]byte, error) {
	type open struct {
		end  int64
		item bool
	}
	var stack []open
	raw := int64(0) // end of a value that was copied whole
	closeUntil := func(at int64) {
		for len(stack) > 0 && at >= stack[len(stack)-1].end {
			end := uint16(0xE0DD)
			if stack[len(stack)-1].item {
				end = 0xE00D
			}
			out = binary.LittleEndian.AppendUint16(out, 0xFFFE)
			out = binary.LittleEndian.AppendUint16(out, end)
			out = append(out, 0, 0, 0, 0)
			stack = stack[:len(stack)-1]
		}
	}
	for i := range o.Elements {
		e := &o.Elements[i]
		if e.Tag.Group() == 2 || e.Start < raw {
			continue
		}
		closeUntil(e.Start)
		out = binary.LittleEndian.AppendUint16(out, e.Tag.Group())
		out = binary.LittleEndian.AppendUint16(out, uint16(e.Tag))
		// An UN of undefined length is a sequence in Implicit VR already (PS3.5 §6.2.2).
		nests := e.Tag == 0xFFFEE000 || string(e.VR[:]) == "SQ" || string(e.VR[:]) == "UN" && e.Undefined
		if nests {
			out = append(out, 0xFF, 0xFF, 0xFF, 0xFF)
			stack = append(stack, open{end: e.Value + e.Length, item: e.Tag == 0xFFFEE000})
			continue
		}
		if e.Value+e.Length > int64(len(file)) {
			return nil, errSyntax
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(e.Length))
		out = append(out, file[e.Value:e.Value+e.Length]...)
		raw = e.Value + e.Length
	}
	closeUntil(int64(len(file)))
	return out, nil
}
