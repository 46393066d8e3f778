package deid

import (
	"encoding/binary"

	"github.com/curbside-p2p/curbside/consult/study"
)

// implementation is the Implementation Class UID of objects that are written here.
const implementation = "2.25.218467395041763118259843019225317730561"

// meta writes preamble and File Meta anew: nothing of the old ones stays (PS3.10 §7.1).
func (w *rewriter) meta() ([]byte, error) {
	o := w.s.Outline
	sopClass, _ := w.class(o.Raw(0x00080016))
	sop, _ := w.uids(o.Raw(0x00080018))
	cd := coding{}
	ui := func(out []byte, t study.Tag, v string) []byte {
		b := pad(v, 0)
		return append(appendHeader(out, t, [2]byte{'U', 'I'}, len(b), cd), b...)
	}
	group := append(appendHeader(nil, 0x00020001, [2]byte{'O', 'B'}, 2, cd), 0, 1)
	group = ui(group, 0x00020002, trim(sopClass))
	group = ui(group, 0x00020003, trim(sop))
	group = ui(group, 0x00020010, w.out.Syntax)
	group = ui(group, 0x00020012, implementation)
	out := append(make([]byte, 128), "DICM"...)
	out = appendHeader(out, 0x00020000, [2]byte{'U', 'L'}, 4, cd)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(group)))
	return append(out, group...), nil
}

// added are the elements that every share has (PS3.15 §E.1.1, PS3.3 C.7.1.1), and the age.
func (w *rewriter) added(cd coding) []piece {
	text := func(t study.Tag, vr, v string) piece {
		b := pad(v, ' ')
		return piece{t, append(appendHeader(nil, t, [2]byte{vr[0], vr[1]}, len(b), cd), b...), -1}
	}
	out := []piece{
		text(0x00100010, "PN", w.pseudonym),
		text(0x00100020, "LO", w.pseudonym),
		text(0x00120062, "CS", "YES"),
		text(0x00120063, "LO", "curbside PS3.15 "+Edition),
		w.methods(cd),
	}
	if w.c.Options.ModifiedDates {
		out = append(out, text(0x00280303, "CS", "MODIFIED"))
	} else if !w.c.Options.FullDates {
		out = append(out, text(0x00280303, "CS", "REMOVED"))
	} else {
		out = append(out, text(0x00280303, "CS", "UNMODIFIED"))
	}
	if w.native != nil && !w.native.Moved {
		out = append(out, text(0x00280301, "CS", "NO"))
	}
	if w.out.Age != "" {
		out = append(out, text(0x00101010, "AS", w.out.Age))
	}
	return out
}

// methods is the De-identification Method Code Sequence.
func (w *rewriter) methods(cd coding) piece {
	var items []byte
	for _, c := range w.c.Options.codes() {
		var item []byte
		for _, e := range []struct {
			t  study.Tag
			vr [2]byte
			v  string
		}{
			{0x00080100, [2]byte{'S', 'H'}, c.code}, {0x00080102, [2]byte{'S', 'H'}, "DCM"}, {0x00080104, [2]byte{'L', 'O'}, c.meaning},
		} {
			v := e.v
			const longest = 64 // LO: one meaning of CID 7050 is longer
			if len(v) > longest {
				v = v[:longest]
			}
			b := pad(v, ' ')
			item = append(appendHeader(item, e.t, e.vr, len(b), cd), b...)
		}
		items = append(appendTag(items, itemTag, uint32(len(item)), cd), item...)
	}
	return piece{0x00120064, append(appendHeader(nil, 0x00120064, [2]byte{'S', 'Q'}, len(items), cd), items...), -1}
}
