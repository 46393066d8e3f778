package study

import (
	"io"
	"math"
	"strings"

	"github.com/suyashkumar/dicom"
)

// inflated reads a deflated data set for the view: from the start each time a
// reader goes back, which the view does not. Only the head is ever kept.
type inflated struct {
	file       io.ReaderAt
	from, size int64
	data       []byte
	c          *inflateCursor
}

// ReadAt inflates as far as needed, within the bound of a head.
func (z *inflated) ReadAt(b []byte, off int64) (int, error) {
	end := off + int64(len(b))
	if off < 0 || end > HeadMax {
		return 0, io.ErrUnexpectedEOF
	}
	if z.c == nil {
		z.c = newInflateCursor(z.file, z.from, z.size)
	}
	for int64(len(z.data)) < end {
		part, err := z.c.next(int(min(end-int64(len(z.data)), windowLen)))
		if err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		z.data = append(z.data, part...)
	}
	return copy(b, z.data[off:]), nil
}

// stringsOf is a text of several values, nil if absent.
func stringsOf(list []*dicom.Element, t Tag) []string {
	e := elementOf(list, t)
	if e == nil {
		return nil
	}
	values, _ := e.Value.GetValue().([]string)
	return values
}

// stringOf is a short code or label without controls.
func stringOf(list []*dicom.Element, t Tag) string {
	values := stringsOf(list, t)
	if len(values) == 0 {
		return ""
	}
	return printable(values[0])
}

// printable is a short ASCII text; of others the view does not know the character
// set, and they are empty.
func printable(s string) string {
	s = strings.Trim(s, " \x00")
	if len(s) > UIDLenMax {
		return ""
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return ""
		}
	}
	return s
}

// numbersOf are integers: US, SS, UL, SL.
func numbersOf(list []*dicom.Element, t Tag) []int {
	e := elementOf(list, t)
	if e == nil {
		return nil
	}
	values, _ := e.Value.GetValue().([]int)
	return values
}

func numberOf(list []*dicom.Element, t Tag) int {
	if v := numbersOf(list, t); len(v) == 1 {
		return v[0]
	}
	return 0
}

// floatsOf are FD or FL; values that are not finite make all of it absent.
func floatsOf(list []*dicom.Element, t Tag) []float64 {
	e := elementOf(list, t)
	if e == nil {
		return nil
	}
	values, _ := e.Value.GetValue().([]float64)
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	}
	return values
}

func floatOf(list []*dicom.Element, t Tag) (float64, bool) {
	if v := floatsOf(list, t); len(v) == 1 {
		return v[0], true
	}
	return 0, false
}

// lutOf reads a LUT item (PS3.3 C.11.1.1, C.11.2.1.1).
func lutOf(item []*dicom.Element, signed bool) *LUT {
	e, d := elementOf(item, 0x00283002), elementOf(item, tagLUTData)
	if e == nil || d == nil {
		return nil
	}
	desc, _ := e.Value.GetValue().([]int)
	if len(desc) != 3 {
		return nil
	}
	n, first := desc[0]&0xFFFF, desc[1]
	if n == 0 {
		n = LUTEntriesMax
	}
	if signed {
		first = int(int16(first))
	}
	raw, _ := d.Value.GetValue().([]byte)
	data, wide := lutData(raw, n)
	if len(data) < n {
		return nil
	}
	l := &LUT{First: first, Bits: desc[2], Data: data[:n], Explanation: stringOf(item, 0x00283003), Type: stringOf(item, 0x00283004)}
	if !wide {
		l.Bits, l.Repaired = 8, l.Bits != 8
	}
	l.repair()
	return l
}

// lutData: entries are words; bytes packed into words exist.
func lutData(b []byte, n int) (entries []uint16, wide bool) {
	if len(b) >= 2*n {
		out := make([]uint16, n)
		for i := range out {
			out[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
		}
		return out, true
	}
	out := make([]uint16, len(b))
	for i, x := range b {
		out[i] = uint16(x)
	}
	return out, false
}

// regionsOf reads the calibrated regions of ultrasound (PS3.3 C.8.5.5).
func regionsOf(items [][]*dicom.Element) []Region {
	var out []Region
	for _, m := range items {
		dx, okX := floatOf(m, 0x0018602C)
		dy, okY := floatOf(m, 0x0018602E)
		r := Region{
			X0: numberOf(m, 0x00186018), Y0: numberOf(m, 0x0018601A), X1: numberOf(m, 0x0018601C), Y1: numberOf(m, 0x0018601E),
			UnitX: numberOf(m, 0x00186024), UnitY: numberOf(m, 0x00186026), DeltaX: math.Abs(dx), DeltaY: math.Abs(dy),
			Format: numberOf(m, 0x00186012), Type: numberOf(m, 0x00186014),
		}
		if !okX || !okY || r.X1 < r.X0 || r.Y1 < r.Y0 {
			r.UnitX, r.UnitY = 0, 0 // it is there, and measures nothing
		}
		if len(out) < RegionsMax {
			out = append(out, r)
		}
	}
	return out
}

// realWorldOf reads mappings of stored values (PS3.3 C.7.6.16.2.11).
func realWorldOf(items [][]*dicom.Element) []RealWorld {
	var out []RealWorld
	for _, m := range items {
		w, ok := realWorld(m)
		if ok && len(out) < WindowsMax {
			out = append(out, w)
		}
	}
	return out
}

func realWorld(m []*dicom.Element) (RealWorld, bool) {
	w := RealWorld{Label: stringOf(m, 0x00409210)}
	if units := itemsOf(m, 0x004008EA); len(units) > 0 {
		w.Unit = stringOf(units[0], 0x00080100)
	}
	var ok1, ok2 bool
	if first, last := numbersOf(m, 0x00409216), numbersOf(m, 0x00409211); len(first) == 1 && len(last) == 1 {
		w.First, w.Last, ok1, ok2 = float64(first[0]), float64(last[0]), true, true
	} else {
		w.First, ok1 = floatOf(m, 0x00409214)
		w.Last, ok2 = floatOf(m, 0x00409213)
	}
	if !ok1 || !ok2 || w.Last < w.First {
		return w, false
	}
	if table := floatsOf(m, 0x00409212); len(table) > 0 {
		w.Table = table
		return w, float64(len(table)) == w.Last-w.First+1
	}
	w.Slope, ok1 = floatOf(m, 0x00409225)
	w.Intercept, ok2 = floatOf(m, 0x00409224)
	return w, ok1 && ok2
}

// tracer reads the first item of the Radiopharmaceutical Information Sequence.
func (p *PET) tracer(m []*dicom.Element) {
	positive := func(t Tag) float64 {
		if v := decimalsOf(m, t); len(v) == 1 && v[0] > 0 {
			return v[0]
		}
		return 0
	}
	p.Dose, p.HalfLife = positive(0x00181074), positive(0x00181075)
	if p.Injected = stringOf(m, 0x00181078); p.Injected == "" {
		p.Injected = stringOf(m, 0x00181072)
	}
}
