package study

import (
	"bytes"
	"encoding/binary"
)

// plain skips a value, or keeps it when it is short and at the top level.
func (g *guard) plain(_ *level, e Element) error {
	top := e.Depth == 0 && len(g.stack) == 1
	if e.Length%2 != 0 {
		g.out.find("odd value length")
	}
	pixel := top && isPixel(e.Tag)
	if pixel && g.out.Syntax.Encapsulated {
		return refuse(Damaged, e.Start, "native pixels in an encapsulated transfer syntax")
	}
	g.out.Elements = append(g.out.Elements, e)
	if pixel {
		g.setPixel(e)
		return g.skip(e.Length, "pixels")
	}
	if err := g.weigh(e); err != nil {
		return err
	}
	if !top || !captured(e) || len(g.out.arena) > captureMax {
		return g.skip(e.Length, "value")
	}
	return g.capture(e)
}

// captureMax bounds what the guard keeps of one file.
const captureMax = 64 << 20

// captured values are those of known attributes, short enough for a view; the
// extended offset table is longer.
func captured(e Element) bool {
	if e.Tag == tagExtOffsets || e.Tag == tagExtLengths {
		return e.Length <= 8*FramesMax
	}
	if overlayGroup(e.Tag.Group()) {
		return e.Length <= OverlayMax
	}
	return e.Length <= ValueViewMax && (e.Tag.Group()%2 == 0 || phasePrivate(e.Tag)) && e.Tag.Group() < 0x5400 && e.Tag.Group() != 0x0004
}

func (g *guard) skip(n int64, what string) error {
	if err := g.c.skip(n); err != nil {
		return g.fail(g.c, err, what)
	}
	return nil
}

// weigh sums what is not pixels, and what the library would be asked for.
func (g *guard) weigh(e Element) error {
	g.head += e.Length
	if e.Length <= ValueViewMax {
		g.library += 4 * e.Length
	}
	switch e.Tag {
	case 0x00420011, 0x54001010, 0x56000010, 0x56000020: // document, waveform, spectroscopy
		g.document = true
	}
	limit := int64(HeadMax)
	if g.document {
		limit = HeadDocumentMax
	}
	if g.head > limit {
		return refuse(OverLimit, e.Start, "data outside the pixels")
	}
	return nil
}

// capture keeps a top-level value. The first of duplicates counts; two that
// differ where they decide whose image it is, or what its size is, are refused.
func (g *guard) capture(e Element) error {
	b, err := g.c.next(int(e.Length))
	if err != nil {
		return g.fail(g.c, err, "value")
	}
	if s, twice := g.out.values[e.Tag]; twice {
		if !bytes.Equal(b, g.out.arena[s.from:s.to]) && decisive(e.Tag) {
			return refuse(Damaged, e.Start, e.Tag.String()+" twice with different values")
		}
		return nil
	}
	from := len(g.out.arena)
	g.out.arena = append(g.out.arena, b...)
	g.out.values[e.Tag] = span{vr: e.VR, from: from, to: len(g.out.arena)}
	return nil
}

// decisive attributes say whose image it is and how its pixels lie.
func decisive(t Tag) bool {
	switch t {
	case 0x00080005, tagSOPClass, tagSOPInstance, tagStudyUID, tagSeriesUID, tagPatientName, tagPatientID, tagIssuer, tagBirthDate:
		return true
	}
	return t.Group() == 0x0028 && t < 0x00280110
}

func isPixel(t Tag) bool { return t == tagPixelData || t == tagFloatPixel || t == tagDoublePixel }

func (g *guard) setPixel(e Element) {
	if g.out.Pixels++; g.out.Pixels == 1 {
		g.out.Pixel = &e
	}
}

// fragments walks encapsulated pixels (PS3.5 §A.4): an offset table, then
// fragments, then a sequence delimiter; every one a defined length.
func (g *guard) fragments(l *level, e Element) error {
	top := len(g.stack) == 1
	most := FragmentsExtra
	if frames, ok := g.out.frameCount(); ok {
		most += FragmentsPerFrame * frames
	}
	var list []Fragment
	var offsets []byte
	for i := 0; ; i++ {
		if i > most {
			return refuse(OverLimit, g.c.pos(), "fragments")
		}
		at := g.c.pos()
		b, err := g.c.next(8)
		if err != nil {
			return g.fail(g.c, err, "fragments")
		}
		t := Tag(uint32(binary.LittleEndian.Uint16(b))<<16 | uint32(binary.LittleEndian.Uint16(b[2:])))
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		if t == tagSeqEnd {
			break
		}
		if t != tagItem || n == undefined {
			return refuse(Damaged, at, "something other than a fragment among fragments")
		}
		if err := g.room(l, n, "fragment"); err != nil {
			return err
		}
		if i == 0 {
			if offsets, err = g.offsetTable(n); err != nil {
				return err
			}
			continue
		}
		if top {
			list = append(list, Fragment{Off: g.c.pos() - e.Value, Len: n})
		} else {
			g.head += n
		}
		if err := g.skip(n, "fragment"); err != nil {
			return err
		}
	}
	e.Length = g.c.pos() - e.Value
	g.out.Elements = append(g.out.Elements, e)
	if top {
		g.out.Fragments, g.out.Offsets = list, offsets
		g.setPixel(e)
	}
	return nil
}

// offsetTable keeps a Basic Offset Table of sane size.
func (g *guard) offsetTable(n int64) ([]byte, error) {
	if n > 4*FramesMax {
		return nil, g.skip(n, "offset table")
	}
	b, err := g.c.next(int(n))
	if err != nil {
		return nil, g.fail(g.c, err, "offset table")
	}
	return append([]byte(nil), b...), nil
}

// finish checks what can only be known at the end.
func (g *guard) finish() error {
	o := g.out
	if o.Syntax.Deflated {
		o.Inflated = g.c.pos()
	}
	if g.library > LibraryMax {
		o.FlatOnly = true
		o.find("too large for nested metadata")
	}
	return o.checkPixels(g.c.pos())
}
