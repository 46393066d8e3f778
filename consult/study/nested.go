package study

import (
	"io"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// Sequences that rendering and measuring need; the metadata library reads them.
const (
	tagModalityLUT Tag = 0x00283000
	tagVOILUT      Tag = 0x00283010
	tagShared      Tag = 0x52009229
	tagPerFrame    Tag = 0x52009230
)

// macros of functional groups that are read (PS3.3 C.7.6.16.2).
var macros = map[Tag]bool{
	0x00289110: true, // Pixel Measures
	0x00209113: true, // Plane Position
	0x00209116: true, // Plane Orientation
	0x00289132: true, // Frame VOI LUT
	0x00289145: true, // Pixel Value Transformation
}

// readNested fills in what sequences say about the pixels. Whatever goes wrong
// in the library leaves the top level as it is, with a finding.
func (in *Instance) readNested(o *Outline, r io.ReaderAt) {
	view, wanted, err := o.view(r)
	if !wanted || err != nil {
		if err != nil {
			o.find("nested metadata is not readable")
		}
		return
	}
	ds, ok := parseView(view)
	if !ok {
		o.find("nested metadata is not readable")
		return
	}
	p := &in.Pixel
	if items := itemsOf(ds.Elements, tagModalityLUT); len(items) > 0 {
		p.ModalityLUT = lutOf(items[0], p.Signed)
	}
	for _, item := range itemsOf(ds.Elements, tagVOILUT) {
		if l := lutOf(item, p.Signed || p.Intercept < 0); l != nil && len(p.VOILUTs) < WindowsMax {
			p.VOILUTs = append(p.VOILUTs, *l)
		}
	}
	in.readGroups(o, ds.Elements)
}

// readGroups resolves per frame: the frame's own group, else the shared one.
func (in *Instance) readGroups(o *Outline, elements []*dicom.Element) {
	p := &in.Pixel
	shared, perFrame := itemsOf(elements, tagShared), itemsOf(elements, tagPerFrame)
	if len(shared) == 0 && len(perFrame) == 0 {
		return
	}
	var all FramePixel
	if len(shared) > 0 {
		all.read(shared[0])
		p.take(&all)
	}
	if len(perFrame) == 0 {
		return
	}
	if len(perFrame) != p.Frames {
		o.find("number of functional groups is not the number of frames")
		return
	}
	p.PerFrame = make([]FramePixel, len(perFrame))
	for i, item := range perFrame {
		p.PerFrame[i].read(item)
	}
	p.first(&p.PerFrame[0])
}

// first gives a whole instance the geometry of its first frame, where it has none.
func (p *Pixel) first(f *FramePixel) {
	if p.PixelSpacing == nil && f.PixelSpacing != nil {
		p.PixelSpacing, p.Measured = f.PixelSpacing, true
	}
	if p.Orientation == nil {
		p.Orientation = f.Orientation
	}
	if p.Position == nil {
		p.Position = f.Position
	}
	if p.Laterality == "" {
		p.Laterality = f.Laterality
	}
}

func (f *FramePixel) read(group []*dicom.Element) {
	for _, m := range itemsOf(group, 0x00289110) {
		f.PixelSpacing = spacing(decimalsOf(m, 0x00280030))
	}
	for _, m := range itemsOf(group, 0x00209113) {
		f.Position = position(decimalsOf(m, 0x00200032))
	}
	for _, m := range itemsOf(group, 0x00209116) {
		f.Orientation = orientation(decimalsOf(m, 0x00200037))
	}
	for _, m := range itemsOf(group, 0x00289132) {
		f.Windows = windows(decimalsOf(m, 0x00281050), decimalsOf(m, 0x00281051), nil)
	}
	for _, m := range itemsOf(group, 0x00289145) {
		s, i := decimalsOf(m, 0x00281053), decimalsOf(m, 0x00281052)
		if len(s) == 1 && len(i) == 1 {
			f.Slope, f.Intercept = &s[0], &i[0]
		}
	}
}

func libraryTag(t Tag) tag.Tag { return tag.Tag{Group: t.Group(), Element: uint16(t)} }

func elementOf(list []*dicom.Element, t Tag) *dicom.Element {
	for _, e := range list {
		if e != nil && e.Value != nil && e.Tag == libraryTag(t) {
			return e
		}
	}
	return nil
}

func itemsOf(list []*dicom.Element, t Tag) [][]*dicom.Element {
	e := elementOf(list, t)
	if e == nil {
		return nil
	}
	items, _ := e.Value.GetValue().([]*dicom.SequenceItemValue)
	out := make([][]*dicom.Element, 0, len(items))
	for _, item := range items {
		if elements, ok := item.GetValue().([]*dicom.Element); ok {
			out = append(out, elements)
		}
	}
	return out
}

func decimalsOf(list []*dicom.Element, t Tag) []float64 {
	e := elementOf(list, t)
	if e == nil {
		return nil
	}
	values, _ := e.Value.GetValue().([]string)
	var out []float64
	for _, s := range values {
		v := parseDecimals(s)
		if len(v) != 1 {
			return nil
		}
		out = append(out, v[0])
	}
	return out
}

// lutOf reads a LUT item (PS3.3 C.11.1.1, C.11.2.1.1).
func lutOf(item []*dicom.Element, signed bool) *LUT {
	e, d := elementOf(item, 0x00283002), elementOf(item, 0x00283006)
	if e == nil || d == nil {
		return nil
	}
	desc, _ := e.Value.GetValue().([]int)
	if len(desc) != 3 {
		return nil
	}
	n, first := desc[0]&0xFFFF, desc[1]
	if n == 0 {
		n = 65536
	}
	if signed {
		first = int(int16(first))
	}
	data := lutData(d.Value.GetValue(), n)
	if len(data) < n {
		return nil
	}
	return &LUT{First: first, Bits: desc[2], Data: data[:n]}
}

// lutData: entries are words; 8-bit entries packed into words exist.
func lutData(v any, n int) []uint16 {
	switch v := v.(type) {
	case []int:
		out := make([]uint16, len(v))
		for i, x := range v {
			out[i] = uint16(x)
		}
		return out
	case []byte:
		if len(v) >= 2*n {
			out := make([]uint16, len(v)/2)
			for i := range out {
				out[i] = uint16(v[2*i]) | uint16(v[2*i+1])<<8
			}
			return out
		}
		out := make([]uint16, len(v))
		for i, x := range v {
			out[i] = uint16(x)
		}
		return out
	}
	return nil
}
