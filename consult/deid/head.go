package deid

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Source is a head with what the guard learnt of it.
type Source struct {
	Head    []byte
	Off     int64 // where the bulk goes
	BulkLen int64
	Outline *study.Outline
}

// Open guards a head. Bulk is read only where an encapsulated one has fragment headers.
func Open(head []byte, off int64, bulk io.ReaderAt, bulkLen int64) (*Source, error) {
	o, err := study.GuardJoined(head, off, bulk, bulkLen)
	if err != nil {
		return nil, err
	}
	return &Source{Head: head, Off: off, BulkLen: bulkLen, Outline: o}, nil
}

// Native says that the pixels were replaced by native ones, as a blackened image has them.
type Native struct {
	Bytes         int64 // of the new bulk
	Samples       int
	Photometric   string
	BitsAllocated int
	Encapsulated  bool // they were before: the transfer syntax changes
	// Moved: the pixels are what they were, and their fragments lie elsewhere.
	Moved bool
}

// Change is what was done to an attribute, and how often.
type Change struct {
	Tag    study.Tag
	Action string
	Count  int
}

// Head is a head without identity.
type Head struct {
	Bytes   []byte
	Off     int64 // where the bulk goes
	Syntax  string
	UIDs    map[string]string // original -> surrogate
	Changes []Change          // what went or changed, then what stays
	Removed []study.Tag       // of the Link
	Age     string            // of the patient, as the head says it now
}

// Refusals of a head. They leave an instance out; a reader decides by them.
var (
	ErrDeflated = errors.New("a deflated data set must be inflated first")
	ErrPixels   = errors.New("pixels lie where they cannot be shared apart")
)

// Head rewrites a head at token level: what is kept is copied byte for byte in its place, what is
// changed is encoded anew, sequences get explicit lengths. key tells the patient apart.
func (c *Case) Head(s *Source, key string, native *Native) (*Head, error) {
	o := s.Outline
	if o.Syntax.Deflated {
		return nil, ErrDeflated
	}
	if o.Pixels > 1 || o.Pixel != nil && (o.Pixel.Value != s.Off || o.Pixel.Length != s.BulkLen) || o.Pixel == nil && s.BulkLen != 0 {
		return nil, ErrPixels
	}
	if native != nil && native.Encapsulated && o.Syntax.Implicit {
		return nil, fmt.Errorf("%w: encapsulated under implicit headers", ErrPixels)
	}
	w := &rewriter{
		c: c, s: s, native: native, tally: map[Change]int{}, shiftDays: c.Shift(), pseudonym: c.Pseudonym(key),
		out: &Head{UIDs: map[string]string{}, Off: -1, Syntax: o.Syntax.UID},
	}
	if native != nil && native.Encapsulated {
		w.out.Syntax = explicitLE
	}
	w.out.Age = w.age()
	body, err := w.dataset()
	if err != nil {
		return nil, err
	}
	meta, err := w.meta()
	if err != nil {
		return nil, err
	}
	w.out.Bytes = append(meta, body...)
	if w.out.Off >= 0 {
		w.out.Off += int64(len(meta))
	} else {
		w.out.Off = 0
	}
	w.finish()
	return w.out, nil
}

const explicitLE = "1.2.840.10008.1.2.1"

type rewriter struct {
	c         *Case
	s         *Source
	native    *Native
	out       *Head
	tally     map[Change]int
	shiftDays int
	pseudonym string
}

// how elements are encoded at one place.
type coding struct{ implicit, big bool }

func (c coding) order() binary.ByteOrder {
	if c.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// piece is an element of the new data set.
type piece struct {
	tag   study.Tag
	bytes []byte
	pixel int // where the bulk goes in bytes; -1 for others
}

// at gives the bytes of the head at an offset of the whole file.
func (w *rewriter) at(from, to int64) []byte {
	if from >= w.s.Off+w.s.BulkLen && w.s.BulkLen > 0 {
		from, to = from-w.s.BulkLen, to-w.s.BulkLen
	}
	if from < 0 || to < from || to > int64(len(w.s.Head)) {
		return nil
	}
	return w.s.Head[from:to:to]
}

func (w *rewriter) value(e *study.Element) []byte { return w.at(e.Value, e.Value+e.Length) }

// dataset rewrites the top level and adds what every share says of itself.
func (w *rewriter) dataset() ([]byte, error) {
	o := w.s.Outline
	cd := coding{implicit: o.Syntax.Implicit, big: o.Syntax.BigEndian}
	pieces := w.set(0, len(o.Elements), 0, cd)
	for _, add := range w.added(cd) {
		pieces = slices.DeleteFunc(pieces, func(p piece) bool { return p.tag == add.tag })
		i := slices.IndexFunc(pieces, func(p piece) bool { return p.tag > add.tag })
		if i < 0 {
			i = len(pieces)
		}
		pieces = slices.Insert(pieces, i, add)
	}
	var out []byte
	for _, p := range pieces {
		if p.pixel >= 0 {
			w.out.Off = int64(len(out) + p.pixel)
		}
		out = append(out, p.bytes...)
	}
	if w.s.Outline.Pixel != nil && w.out.Off < 0 {
		return nil, ErrPixels
	}
	return out, nil
}

// set rewrites the elements [from,to) that have this depth.
func (w *rewriter) set(from, to int, depth uint8, cd coding) []piece {
	elements := w.s.Outline.Elements
	scope := w.scope(from, to, depth)
	var out []piece
	for i := from; i < to; {
		e := &elements[i]
		next := i + 1
		for next < to && elements[next].Depth > depth || next < to && elements[next].Tag == itemTag && elements[next].Depth == depth {
			next++
		}
		if e.Depth == depth && e.Tag != itemTag {
			if p, ok := w.element(i, next, depth, cd, scope); ok {
				out = append(out, p)
			}
		}
		i = next
	}
	return out
}

const itemTag study.Tag = 0xFFFEE000

// element rewrites element i, whose nested ones end before next.
func (w *rewriter) element(i, next int, depth uint8, cd coding, sc scope) (piece, bool) {
	e := &w.s.Outline.Elements[i]
	if p := w.s.Outline.Pixel; depth == 0 && p != nil && e.Start == p.Start {
		return w.pixel(e, cd), true
	}
	if next > i+1 || e.VR == [2]byte{'S', 'Q'} {
		return w.sequence(i, next, depth, cd, sc)
	}
	a := w.action(e, sc)
	if w.c.spare != nil && w.c.spare(e.Tag, string(e.VR[:])) {
		a = verbose
	}
	old := w.value(e)
	if a == remove {
		w.note(e.Tag, a)
		return piece{}, false
	}
	vr := w.vr(e)
	value, did := w.revalue(a, e.Tag, vr, old, sc, cd)
	w.note(e.Tag, did)
	if did == remove {
		return piece{}, false
	}
	if did == keep || did == verbose {
		return piece{e.Tag, w.at(e.Start, e.Value+e.Length), -1}, true
	}
	return piece{e.Tag, append(appendHeader(nil, e.Tag, e.VR, len(value), cd), value...), -1}, true
}

// vr is what the bytes of an element are: what arrives as UN is what the dictionary says.
func (w *rewriter) vr(e *study.Element) string {
	vr := string(e.VR[:])
	if vr == "UN" {
		if vrs := known(e.Tag); len(vrs) > 0 {
			return vrs[0]
		}
	}
	return vr
}

// pixel keeps the header of the pixels, unless they were replaced.
func (w *rewriter) pixel(e *study.Element, cd coding) piece {
	w.note(e.Tag, keep)
	if w.native == nil || w.native.Moved {
		b := w.at(e.Start, e.Value)
		return piece{e.Tag, b, len(b)}
	}
	vr := e.VR
	if w.native.BitsAllocated > 8 {
		vr = [2]byte{'O', 'W'}
	}
	b := appendHeader(nil, e.Tag, vr, int(w.native.Bytes), cd)
	return piece{e.Tag, b, len(b)}
}

// sequence rewrites the items of a sequence, or leaves it out or empty.
func (w *rewriter) sequence(i, next int, depth uint8, cd coding, sc scope) (piece, bool) {
	e := &w.s.Outline.Elements[i]
	a := w.action(e, sc)
	if a == remove {
		w.note(e.Tag, a)
		return piece{}, false
	}
	inner := cd
	if e.VR == [2]byte{'U', 'N'} && e.Undefined {
		inner = coding{implicit: true} // PS3.5 §6.2.2 note 2
	}
	var items []byte
	if a == enter || a == keep || a == verbose || a == clean {
		w.note(e.Tag, keep)
		items = w.items(i+1, next, depth, inner)
	} else {
		w.note(e.Tag, empty)
	}
	if e.VR == [2]byte{'U', 'N'} && e.Undefined {
		b := appendHeader(nil, e.Tag, e.VR, 0, cd)
		copy(b[len(b)-4:], []byte{0xFF, 0xFF, 0xFF, 0xFF}) // undefined length
		b = append(b, items...)
		return piece{e.Tag, appendTag(b, 0xFFFEE0DD, 0, inner), -1}, true
	}
	return piece{e.Tag, append(appendHeader(nil, e.Tag, e.VR, len(items), cd), items...), -1}, true
}

func (w *rewriter) items(from, to int, depth uint8, cd coding) []byte {
	elements := w.s.Outline.Elements
	var out []byte
	for i := from; i < to; {
		end := i + 1
		for end < to && (elements[end].Tag != itemTag || elements[end].Depth != depth) {
			end++
		}
		var item []byte
		for _, p := range w.set(i+1, end, depth+1, cd) {
			item = append(item, p.bytes...)
		}
		out = append(appendTag(out, itemTag, uint32(len(item)), cd), item...)
		i = end
	}
	return out
}

// appendHeader writes tag, VR and length as they stand at this place (PS3.5 §7.1).
func appendHeader(out []byte, t study.Tag, vr [2]byte, n int, cd coding) []byte {
	if cd.implicit {
		return appendTag(out, t, uint32(n), cd)
	}
	order := cd.order()
	out = appendGroup(out, t, order)
	out = append(out, vr[0], vr[1])
	if shortVR(vr) {
		return appendUint16(out, uint16(n), order)
	}
	return appendUint32(append(out, 0, 0), uint32(n), order)
}

func appendTag(out []byte, t study.Tag, n uint32, cd coding) []byte {
	return appendUint32(appendGroup(out, t, cd.order()), n, cd.order())
}

func appendGroup(out []byte, t study.Tag, order binary.ByteOrder) []byte {
	return appendUint16(appendUint16(out, t.Group(), order), uint16(t), order)
}

func appendUint16(out []byte, v uint16, order binary.ByteOrder) []byte {
	var b [2]byte
	order.PutUint16(b[:], v)
	return append(out, b[:]...)
}

func appendUint32(out []byte, v uint32, order binary.ByteOrder) []byte {
	var b [4]byte
	order.PutUint32(b[:], v)
	return append(out, b[:]...)
}

func shortVR(vr [2]byte) bool {
	switch string(vr[:]) {
	case "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US":
		return true
	}
	return false
}

// note counts what was done with an attribute.
func (w *rewriter) note(t study.Tag, a action) {
	if uint16(t) == 0 {
		return
	}
	if t.Group()%2 == 1 {
		t = study.Tag(uint32(t.Group()) << 16) // one line for each private group
	}
	w.tally[Change{Tag: t, Action: actionNames[a]}]++
}

// finish lists what was done: first what went, then what stays.
func (w *rewriter) finish() {
	for k, n := range w.tally {
		k.Count = n
		w.out.Changes = append(w.out.Changes, k)
		if k.Action != actionNames[keep] {
			w.out.Removed = append(w.out.Removed, k.Tag)
		}
	}
	slices.SortFunc(w.out.Changes, func(a, b Change) int {
		stay := func(c Change) int {
			if c.Action == actionNames[keep] {
				return 1
			}
			return 0
		}
		if d := stay(a) - stay(b); d != 0 {
			return d
		}
		if a.Tag != b.Tag {
			return int(int64(a.Tag) - int64(b.Tag))
		}
		return cmp.Compare(a.Action, b.Action)
	})
	slices.Sort(w.out.Removed)
	w.out.Removed = slices.Compact(w.out.Removed)
}
