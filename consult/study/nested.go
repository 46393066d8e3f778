package study

import (
	"io"
	"slices"
	"strings"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// Sequences that rendering and measuring need; the metadata library reads them.
const (
	tagSpeciesCode  Tag = 0x00102202
	tagRegions      Tag = 0x00186011
	tagModalityLUT  Tag = 0x00283000
	tagVOILUT       Tag = 0x00283010
	tagRealWorld    Tag = 0x00409096
	tagTracer       Tag = 0x00540016
	tagPresentation Tag = 0x20500010
	tagShared       Tag = 0x52009229
	tagPerFrame     Tag = 0x52009230

	tagLUTData Tag = 0x00283006
)

// sequences of the top level that are read.
var sequences = map[Tag]bool{
	tagSpeciesCode: true, tagRegions: true, tagModalityLUT: true, tagVOILUT: true, tagRealWorld: true,
	tagTracer: true, tagPresentation: true, tagShared: true, tagPerFrame: true,
}

// macros of functional groups that are read (PS3.3 C.7.6.16.2).
var macros = map[Tag]bool{
	0x00289110:   true, // Pixel Measures
	0x00209111:   true, // Frame Content
	0x00209113:   true, // Plane Position
	0x00209116:   true, // Plane Orientation
	0x00209071:   true, // Frame Anatomy
	0x00189472:   true, // Frame Display Shutter
	0x00289443:   true, // Frame Pixel Data Properties
	0x00289132:   true, // Frame VOI LUT
	0x00289145:   true, // Pixel Value Transformation
	tagRealWorld: true, // Real World Value Mapping
}

// readNested fills in what sequences say about the pixels. Whatever goes wrong
// in the library leaves the top level as it is, with a finding.
func (in *Instance) readNested(o *Outline, r io.ReaderAt) {
	if o.Syntax.Deflated {
		r = &inflated{file: r, from: o.MetaEnd, size: o.Size}
	}
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
	in.readTables(o, ds.Elements)
	p := &in.Pixel
	p.Regions = regionsOf(itemsOf(ds.Elements, tagRegions))
	p.RealWorld = realWorldOf(itemsOf(ds.Elements, tagRealWorld))
	if items := itemsOf(ds.Elements, tagTracer); len(items) > 0 && p.PET != nil {
		p.PET.tracer(items[0])
	}
	if items := itemsOf(ds.Elements, tagSpeciesCode); len(items) > 0 && in.Patient.Species == "" && !p.Quadruped {
		p.Animal = o.code(0x00102210) == "" && !human[stringOf(items[0], 0x00080100)]
	}
	in.readGroups(o, ds.Elements)
}

// human as SNOMED CT and SNOMED RT code it (PS3.16 CID 7454).
var human = map[string]bool{"337915000": true, "L-85B00": true, "": true}

// readTables reads the LUTs of modality, VOI and presentation.
func (in *Instance) readTables(o *Outline, elements []*dicom.Element) {
	p := &in.Pixel
	one := func(t Tag, signed bool) *LUT {
		items := itemsOf(elements, t)
		if len(items) == 0 {
			return nil
		}
		l := lutOf(items[0], signed)
		if l == nil {
			o.find("lookup table is damaged and left out")
		}
		return l
	}
	p.ModalityLUT = one(tagModalityLUT, p.Signed)
	p.PresentLUT = one(tagPresentation, false) // PS3.3 C.11.4.1: the first mapped value is 0
	p.VOILUTs = lutsOf(itemsOf(elements, tagVOILUT), p.ModalityLUT == nil && (p.Signed || p.Intercept < 0))
}

// lutsOf reads the items of a VOI LUT Sequence.
func lutsOf(items [][]*dicom.Element, signed bool) []LUT {
	var out []LUT
	for _, item := range items {
		if l := lutOf(item, signed); l != nil && len(out) < WindowsMax {
			out = append(out, *l)
		}
	}
	return out
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
		all.read(shared[0], p.Signed)
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
		p.PerFrame[i].read(item, p.Signed)
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

// read takes a functional group.
func (f *FramePixel) read(group []*dicom.Element, signed bool) {
	f.Phase = phaseOf(group)
	for _, m := range itemsOf(group, 0x00289110) {
		f.PixelSpacing = spacing(decimalsOf(m, 0x00280030))
		if t := decimalsOf(m, 0x00180050); len(t) == 1 && t[0] > 0 {
			f.Thickness = t[0]
		}
	}
	for _, m := range itemsOf(group, 0x00209113) {
		f.Position = position(decimalsOf(m, 0x00200032))
	}
	for _, m := range itemsOf(group, 0x00209116) {
		f.Orientation = orientation(decimalsOf(m, 0x00200037))
	}
	for _, m := range itemsOf(group, 0x00289145) {
		s, i := decimalsOf(m, 0x00281053), decimalsOf(m, 0x00281052)
		if len(s) == 1 && len(i) == 1 {
			f.Slope, f.Intercept, f.RescaleType = &s[0], &i[0], stringOf(m, 0x00281054)
		}
	}
	for _, m := range itemsOf(group, 0x00289132) {
		f.readVOI(m, signed || f.Intercept != nil && *f.Intercept < 0)
	}
	for _, m := range itemsOf(group, 0x00289443) { // PS3.3 C.8.19.6.3, of enhanced XA and XRF
		f.ImagerSpacing = spacing(decimalsOf(m, 0x00181164))
	}
	for _, m := range itemsOf(group, 0x00189472) {
		f.Shutter = shutterItem(m)
	}
	for _, m := range itemsOf(group, 0x00209071) {
		f.Laterality = stringOf(m, 0x00209072)
	}
	for _, m := range itemsOf(group, 0x00209111) {
		f.Content = contentOf(m)
	}
	f.RealWorld = realWorldOf(itemsOf(group, tagRealWorld))
}

func (f *FramePixel) readVOI(m []*dicom.Element, signed bool) {
	centres, widths := stringsOf(m, 0x00281050), stringsOf(m, 0x00281051)
	names := slices.Clone(stringsOf(m, 0x00281055))
	for i := range names {
		names[i] = printable(names[i])
	}
	f.Windows = windows(decimalsOf(m, 0x00281050), decimalsOf(m, 0x00281051), names)
	f.BadWindow = lost(f.Windows, strings.Join(centres, "\\"), strings.Join(widths, "\\"))
	f.VOIFunction = stringOf(m, 0x00281056)
	f.VOILUTs = lutsOf(itemsOf(m, tagVOILUT), signed)
}

func contentOf(m []*dicom.Element) *FrameContent {
	return &FrameContent{
		Dimensions: numbersOf(m, 0x00209157), Stack: stringOf(m, 0x00209056), InStack: numberOf(m, 0x00209057),
		Temporal: numberOf(m, 0x00209128), Acquired: stringOf(m, 0x00189074),
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
