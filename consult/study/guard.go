package study

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/suyashkumar/dicom/pkg/tag"
)

// Tags the guard knows.
const (
	tagPixelData   Tag = 0x7FE00010
	tagFloatPixel  Tag = 0x7FE00008
	tagDoublePixel Tag = 0x7FE00009
	tagExtOffsets  Tag = 0x7FE00001
	tagExtLengths  Tag = 0x7FE00002
	tagItem        Tag = 0xFFFEE000
	tagItemEnd     Tag = 0xFFFEE00D
	tagSeqEnd      Tag = 0xFFFEE0DD

	undefined = 0xFFFFFFFF
)

// longVR have a 32-bit length after two reserved bytes (PS3.5 §7.1.2).
var longVR = map[string]bool{
	"OB": true, "OD": true, "OF": true, "OL": true, "OV": true, "OW": true, "SQ": true, "SV": true,
	"UC": true, "UN": true, "UR": true, "UT": true, "UV": true,
}

var shortVR = map[string]bool{
	"AE": true, "AS": true, "AT": true, "CS": true, "DA": true, "DS": true, "DT": true, "FL": true, "FD": true,
	"IS": true, "LO": true, "LT": true, "PN": true, "SH": true, "SL": true, "SS": true, "ST": true, "TM": true,
	"UI": true, "UL": true, "US": true,
}

// Guard tokenizes a file and checks every bound of IMAGING.md §1.2. It looks at
// element headers, skips values, and keeps short top-level ones. It returns an
// Outline or a *Refusal.
func Guard(r io.ReaderAt, size int64) (*Outline, error) {
	g := newGuard(size)
	if err := g.run(r, size); err != nil {
		return nil, err
	}
	return g.out, nil
}

// GuardJoined is Guard of head[:off] || bulk || head[off:], as ParseJoined is of ParseAt.
func GuardJoined(head []byte, off int64, bulk io.ReaderAt, bulkLen int64) (*Outline, error) {
	if off < 0 || off > int64(len(head)) || bulkLen < 0 {
		return nil, refuse(Damaged, 0, "bulk offset beyond the head")
	}
	j := &joined{head: head, off: off, bulk: bulk, bulkLen: bulkLen}
	return Guard(j, int64(len(head))+bulkLen)
}

func newGuard(size int64) *guard {
	return &guard{out: &Outline{Size: size, values: map[Tag]span{}}}
}

func (g *guard) run(r io.ReaderAt, size int64) error {
	c := newFileCursor(r, size)
	if err := g.meta(c); err != nil {
		return err
	}
	g.c = c
	if g.out.Syntax.Deflated {
		g.c = newInflateCursor(r, c.pos(), size)
	}
	g.sniff(r, c.pos())
	if err := g.dataset(); err != nil {
		return err
	}
	return g.finish()
}

// sniff finds a data set without VRs under an explicit syntax, as some writers
// of compressed files leave it: where the first element has no letters for a VR.
func (g *guard) sniff(r io.ReaderAt, at int64) {
	s := &g.out.Syntax
	if s.Implicit || s.BigEndian || s.Deflated {
		return
	}
	var b [8]byte
	if n, _ := r.ReadAt(b[:], at); n == len(b) && b[0] == 8 && b[1] == 0 && (b[4] < 'A' || b[4] > 'Z') && (b[5] < 'A' || b[5] > 'Z') {
		s.Implicit = true
		g.out.find("data set is implicit under an explicit transfer syntax")
	}
}

// level is an open item, sequence or the data set itself.
type level struct {
	seq      bool
	implicit bool
	big      bool
	open     bool  // ends with a delimiter
	end      int64 // else; -1 at the top level while it is unknown
	lim      int64 // innermost known end
	count    int   // elements or items
	elem     int   // index of the sequence's or item's element
	last     Tag
}

type guard struct {
	c        cursor
	out      *Outline
	stack    []level
	elements int
	head     int64 // value bytes outside of pixels
	document bool
	library  int64
}

// fail turns a cursor's error into a refusal.
func (g *guard) fail(c cursor, err error, what string) error {
	at := c.pos()
	switch {
	case errors.Is(err, errEnd):
		return refuse(Truncated, at, "file ends within "+what)
	case errors.Is(err, errInflated):
		return refuse(OverLimit, at, "inflated data set")
	case errors.Is(err, errInflate):
		return refuse(Damaged, at, "deflate stream")
	}
	return refuse(Unreadable, at, "read error")
}

// meta reads preamble, prefix and File Meta, always Explicit VR Little Endian
// (PS3.10 §7.1). A wrong group length does not matter: the group ends where
// its tags end.
func (g *guard) meta(c *fileCursor) error {
	if c.size == 0 {
		return refuse(Empty, 0, "no bytes")
	}
	b, err := c.next(132)
	if err != nil || string(b[128:]) != "DICM" {
		return refuse(NotDICOM, 0, "no DICM prefix")
	}
	var syntax string
	for range SetElementsMax {
		if c.size-c.pos() < 8 {
			break
		}
		b, err := c.next(8)
		if err != nil {
			return g.fail(c, err, "file meta")
		}
		if binary.LittleEndian.Uint16(b) != 2 {
			c.at -= 8
			break
		}
		t := Tag(2<<16 | uint32(binary.LittleEndian.Uint16(b[2:])))
		value, err := metaValue(c, b)
		if err != nil {
			return g.fail(c, err, "file meta")
		}
		switch t {
		case 0x00020010:
			syntax = trimUID(value)
		case 0x00020002:
			g.out.MetaClass = trimUID(value)
		}
	}
	g.out.MetaEnd = c.pos()
	if syntax == "" {
		return refuse(NotDICOM, c.pos(), "no transfer syntax")
	}
	s, ok := SyntaxOf(syntax)
	if !ok {
		name := "transfer syntax is not a uid"
		if ValidUID(syntax) {
			name = "transfer syntax " + syntax
		}
		return refuse(UnknownSyntax, c.pos(), name)
	}
	g.out.Syntax = s
	return nil
}

// metaValue reads the value of a meta element: short ones only, others are skipped.
func metaValue(c *fileCursor, b []byte) ([]byte, error) {
	n := int64(binary.LittleEndian.Uint16(b[6:]))
	if longVR[string(b[4:6])] {
		l, err := c.next(4)
		if err != nil {
			return nil, err
		}
		n = int64(binary.LittleEndian.Uint32(l))
	}
	if n > 1024 {
		return nil, c.skip(n)
	}
	return c.next(int(n))
}

func trimUID(b []byte) string {
	for len(b) > 0 && (b[len(b)-1] == 0 || b[len(b)-1] == ' ') {
		b = b[:len(b)-1]
	}
	return string(b)
}

// dataset is the main loop: one element, item or delimiter a turn.
func (g *guard) dataset() error {
	s := g.out.Syntax
	top := level{implicit: s.Implicit, big: s.BigEndian, end: g.c.end(), lim: g.c.end()}
	g.stack = append(make([]level, 0, 8), top)
	for {
		l := &g.stack[len(g.stack)-1]
		if !l.open && l.end < 0 {
			l.end = g.c.end()
		}
		if !l.open && g.c.pos() == l.end {
			if len(g.stack) == 1 {
				return nil
			}
			g.pop()
			continue
		}
		if err := g.token(l); err != nil {
			return err
		}
	}
}

// pop closes a level and settles the length of its element.
func (g *guard) pop() {
	l := g.stack[len(g.stack)-1]
	g.stack = g.stack[:len(g.stack)-1]
	e := &g.out.Elements[l.elem]
	e.Length = g.c.pos() - e.Value
}

func (l *level) order() binary.ByteOrder {
	if l.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// room checks n against the enclosing item, sequence and file.
func (g *guard) room(l *level, n int64, what string) error {
	if l.lim >= 0 && n > l.lim-g.c.pos() {
		if l.lim == g.c.end() {
			return refuse(Truncated, g.c.pos(), what+" is longer than the file")
		}
		return refuse(Damaged, g.c.pos(), what+" is longer than what encloses it")
	}
	return nil
}

func (g *guard) token(l *level) error {
	if err := g.room(l, 8, "element header"); err != nil {
		return err
	}
	start := g.c.pos()
	b, err := g.c.next(8)
	if err != nil {
		return g.fail(g.c, err, "element header")
	}
	order := l.order()
	t := Tag(uint32(order.Uint16(b))<<16 | uint32(order.Uint16(b[2:])))
	if t.Group() == 0xFFFE {
		return g.delimiter(l, t, order.Uint32(b[4:]), start)
	}
	if l.seq {
		return refuse(Damaged, start, "sequence holds something other than items")
	}
	return g.element(l, t, b, start)
}

// delimiter handles item and delimitation tags (PS3.5 §7.5).
func (g *guard) delimiter(l *level, t Tag, n uint32, start int64) error {
	switch {
	case t == tagSeqEnd && l.seq && l.open, t == tagItemEnd && !l.seq && l.open:
		if n != 0 {
			g.out.find("delimiter with a length")
		}
		g.pop()
		return nil
	case t == tagItem && l.seq:
		return g.item(l, n, start)
	}
	return refuse(Damaged, start, "item or delimiter out of place")
}

func (g *guard) item(l *level, n uint32, start int64) error {
	if l.count++; l.count > ItemsMax {
		return refuse(OverLimit, start, "items in a sequence")
	}
	g.library += libraryElement
	next := level{implicit: l.implicit, big: l.big, open: n == undefined, lim: l.lim, elem: len(g.out.Elements)}
	if !next.open {
		if err := g.room(l, int64(n), "item"); err != nil {
			return err
		}
		next.end = g.c.pos() + int64(n)
		next.lim = next.end
	}
	g.out.Elements = append(g.out.Elements, Element{
		Tag: tagItem, Depth: uint8(len(g.stack)/2 - 1), Undefined: next.open, Start: start, Value: g.c.pos(),
	})
	g.stack = append(g.stack, next)
	return nil
}

// element reads the rest of a header and decides what the value is.
func (g *guard) element(l *level, t Tag, b []byte, start int64) error {
	if err := g.count(l, t, start); err != nil {
		return err
	}
	e := Element{Tag: t, Depth: uint8(len(g.stack) / 2), Start: start}
	var n uint32
	if l.implicit {
		n = l.order().Uint32(b[4:])
		e.VR = implicitVR(t)
	} else {
		e.VR = [2]byte{b[4], b[5]}
		short := uint32(l.order().Uint16(b[6:]))
		var err error
		if n, err = g.explicitLength(l, &e, short); err != nil {
			return err
		}
	}
	e.Value, e.Undefined = g.c.pos(), n == undefined
	if e.Undefined {
		return g.openValue(l, e)
	}
	if err := g.room(l, int64(n), "value"); err != nil {
		return err
	}
	e.Length = int64(n)
	if e.VR == [2]byte{'S', 'Q'} {
		return g.sequence(l, e, false)
	}
	return g.plain(l, e)
}

// explicitLength reads a 32-bit length where the VR has one. A VR that is not
// known is taken as UN, whose length has 32 bits (PS3.5 §7.1.2).
func (g *guard) explicitLength(l *level, e *Element, short uint32) (uint32, error) {
	if shortVR[string(e.VR[:])] {
		return short, nil
	}
	if !longVR[string(e.VR[:])] {
		g.out.find("unknown value representation")
		e.VR = [2]byte{'U', 'N'}
	}
	if err := g.room(l, 4, "element header"); err != nil {
		return 0, err
	}
	b, err := g.c.next(4)
	if err != nil {
		return 0, g.fail(g.c, err, "element header")
	}
	return l.order().Uint32(b), nil
}

// count checks groups, order and numbers of elements.
func (g *guard) count(l *level, t Tag, start int64) error {
	switch group := t.Group(); {
	// PS3.5 §7.8.1 and PS3.10 §7: these groups have no place in a data set.
	case group <= 3 || group == 5 || group == 7 || group == 0xFFFF:
		return refuse(Damaged, start, "element of a forbidden group")
	case g.elements >= ElementsMax:
		return refuse(OverLimit, start, "elements in an instance")
	case l.count >= SetElementsMax:
		return refuse(OverLimit, start, "elements in a data set")
	}
	g.elements++
	l.count++
	g.library += libraryElement
	if t <= l.last {
		g.out.find("tags out of order or twice")
	}
	l.last = t
	return nil
}

// implicitVR is what the dictionary says; private and unknown tags are UN.
func implicitVR(t Tag) [2]byte {
	info, err := tag.Find(tag.Tag{Group: t.Group(), Element: uint16(t)})
	if err != nil || len(info.VRs) == 0 || len(info.VRs[0]) != 2 {
		return [2]byte{'U', 'N'}
	}
	return [2]byte{info.VRs[0][0], info.VRs[0][1]}
}

// openValue handles undefined lengths, legal for SQ, UN and encapsulated
// pixels alone (PS3.5 §7.1.2).
func (g *guard) openValue(l *level, e Element) error {
	vr := string(e.VR[:])
	switch {
	case e.Tag == tagPixelData && g.out.Syntax.Encapsulated && (vr == "OB" || vr == "OW"):
		return g.fragments(l, e)
	case e.Tag == tagPixelData:
		return refuse(Damaged, e.Start, "encapsulated pixels in a native transfer syntax")
	case vr == "SQ" || vr == "UN" || l.implicit:
		return g.sequence(l, e, true)
	}
	return refuse(Damaged, e.Start, "undefined length where none is allowed")
}

func (g *guard) sequence(l *level, e Element, open bool) error {
	if len(g.stack)/2 >= DepthMax {
		return refuse(OverLimit, e.Start, "nested sequences")
	}
	next := level{seq: true, implicit: l.implicit, big: l.big, open: open, lim: l.lim, elem: len(g.out.Elements)}
	if open && e.VR == [2]byte{'U', 'N'} {
		next.implicit, next.big = true, false // PS3.5 §6.2.2 note 2
	}
	if !open {
		next.end = e.Value + e.Length
		next.lim = next.end
	}
	g.out.Elements = append(g.out.Elements, e)
	g.stack = append(g.stack, next)
	return nil
}
