package annot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
)

// WritePresentation writes a state in the study of the instance, which is one of
// its images.
func WritePresentation(p *Presentation, of *study.Instance) ([]byte, error) {
	if of.StudyUID != p.StudyUID || len(p.Images) == 0 || p.Class != ClassGrayscaleState && p.Class != ClassColourState {
		return nil, fmt.Errorf("presentation state: %w", ErrSource)
	}
	s := object.Modules(of, p.Made, p.Class, "PR")
	s = append(s,
		object.Str(0x00200060, "CS", ""), // of the images, not of the state
		object.Seq(0x00081115, seriesItems(p.Images)...),
		object.Str(0x00700080, "CS", p.Label),
		object.Str(0x00700081, "LO", object.Line(p.Description, 64)),
		object.Str(0x00700082, "DA", p.Date),
		object.Str(0x00700083, "TM", p.Time),
		object.Str(0x00700084, "PN", object.Person(p.Creator)),
		object.Seq(0x0070005A, areaItems(p.Areas)...),
	)
	if p.Class == ClassColourState {
		s = append(s, object.Bytes(0x00282000, "OB", inputProfile()), object.Str(0x00282002, "CS", "SRGB"))
	} else {
		s = append(s, grayscale(p)...)
	}
	if !p.Turn.None() {
		flip := "N"
		if p.Turn.Flip {
			flip = "Y"
		}
		s = append(s, object.US(0x00700042, 90*p.Turn.Quarters), object.Str(0x00700041, "CS", flip))
	}
	if len(p.Annotations) > 0 {
		s = append(s, object.Seq(0x00700001, annotationItems(p.Annotations)...), object.Seq(0x00700060, layerItems(p.Layers)...))
	}
	if p.Shutter != nil {
		s = append(s, shutterSet(p.Shutter)...)
	}
	out, err := object.Write(s)
	if err != nil {
		return nil, fmt.Errorf("presentation state: %w", err)
	}
	return out, nil
}

// seriesItems are those of the Referenced Series Sequence.
func seriesItems(images []Ref) []object.Set {
	uids, of := object.BySeries(images)
	var out []object.Set
	for _, uid := range uids {
		out = append(out, object.Set{object.Str(0x0020000E, "UI", uid), object.Seq(0x00081140, object.SOPs(of[uid])...)})
	}
	return out
}

// grayscale are the transforms that only grey images have.
func grayscale(p *Presentation) object.Set {
	var s object.Set
	if m := p.Modality; m != nil && m.LUT != nil {
		kind := m.LUT.Type
		if kind == "" {
			kind = "US" // PS3.3 C.11.1.1.2: unspecified
		}
		s = append(s, object.Seq(0x00283000, append(tableSet(m.LUT), object.Str(0x00283004, "LO", kind))))
	} else if m != nil && m.Rescale != nil {
		kind := m.Rescale.Type
		if kind == "" {
			kind = "US"
		}
		s = append(s,
			object.Str(0x00281052, "DS", object.DS(m.Rescale.Intercept)),
			object.Str(0x00281053, "DS", object.DS(m.Rescale.Slope)),
			object.Str(0x00281054, "LO", kind))
	}
	var voi []object.Set
	for _, w := range p.Windows {
		voi = append(voi, windowSet(w))
	}
	if len(voi) > 0 {
		s = append(s, object.Seq(0x00283110, voi...))
	}
	if p.LUT != nil {
		return append(s, object.Seq(0x20500010, tableSet(p.LUT)))
	}
	shape := p.Shape
	if shape == "" {
		shape = "IDENTITY"
	}
	return append(s, object.Str(0x20500020, "CS", shape))
}

func tableSet(l *study.LUT) object.Set {
	d := object.US(0x00283002, len(l.Data)&0xFFFF, l.First&0xFFFF, l.Bits)
	if l.First < 0 {
		d.VR = "SS" // the number of entries is read as unsigned all the same
	}
	var data object.Element
	for _, v := range l.Data {
		data.Value = append(data.Value, byte(v), byte(v>>8))
	}
	data.Tag, data.VR = 0x00283006, "OW" // US would end at 65,534 bytes
	s := object.Set{d, data}
	if l.Explanation != "" {
		s = append(s, object.Str(0x00283003, "LO", object.Line(l.Explanation, 64)))
	}
	return s
}

func windowSet(w Window) object.Set {
	var s object.Set
	if len(w.Refs) > 0 {
		s = append(s, object.Seq(0x00081140, object.SOPs(w.Refs)...))
	}
	if w.LUT != nil {
		return append(s, object.Seq(0x00283010, tableSet(w.LUT)))
	}
	s = append(s, object.Str(0x00281050, "DS", object.DS(w.Window.Centre)), object.Str(0x00281051, "DS", object.DS(w.Window.Width)))
	if w.Window.Explanation != "" {
		s = append(s, object.Str(0x00281055, "LO", object.Line(w.Window.Explanation, 64)))
	}
	if w.Function != "" && w.Function != "LINEAR" {
		s = append(s, object.Str(0x00281056, "CS", w.Function))
	}
	return s
}

func areaItems(areas []Area) []object.Set {
	var out []object.Set
	for _, a := range areas {
		s := object.Set{
			object.SL(0x00700052, a.corner(false)...), object.SL(0x00700053, a.corner(true)...),
			object.Str(0x00700100, "CS", a.Mode),
		}
		if len(a.Refs) > 0 {
			s = append(s, object.Seq(0x00081140, object.SOPs(a.Refs)...))
		}
		switch {
		case a.Spacing != nil:
			s = append(s, object.Str(0x00700101, "DS", object.DS(a.Spacing[0]), object.DS(a.Spacing[1])))
		case a.Aspect != nil:
			s = append(s, object.Str(0x00700102, "IS", ratio(*a.Aspect)...))
		default:
			s = append(s, object.Str(0x00700102, "IS", "1", "1"))
		}
		if a.Magnification > 0 {
			s = append(s, object.FL(0x00700103, a.Magnification))
		}
		out = append(out, s)
	}
	return out
}

// corner is the column and row of the pixel at the upper left, or lower right, of
// what is seen (PS3.3 C.10.4). The state's turn is in Seen.
func (a *Area) corner(lower bool) []int {
	left, top := a.Seen.X, a.Seen.Y
	if lower {
		left, top = !left, !top
	}
	out := []int{a.X0, a.Y0}
	if left {
		out[0] = a.X1
	}
	if top {
		out[1] = a.Y1
	}
	return out
}

// ratio writes an aspect as two whole numbers.
func ratio(a [2]float64) []string {
	const parts = 10_000
	if a[0] == float64(int(a[0])) && a[1] == float64(int(a[1])) && max(a[0], a[1]) < 1<<31 {
		return []string{object.IS(int(a[0])), object.IS(int(a[1]))}
	}
	return []string{object.IS(int(a[0]/a[1]*parts + 0.5)), object.IS(parts)}
}

func annotationItems(list []Annotation) []object.Set {
	var out []object.Set
	for _, a := range list {
		s := object.Set{object.Str(0x00700002, "CS", a.Layer)}
		if len(a.Refs) > 0 {
			s = append(s, object.Seq(0x00081140, object.SOPs(a.Refs)...))
		}
		var texts, graphics []object.Set
		for _, t := range a.Texts {
			texts = append(texts, textSet(t))
		}
		for _, g := range a.Graphics {
			graphics = append(graphics, graphicSet(g))
		}
		if len(texts) > 0 {
			s = append(s, object.Seq(0x00700008, texts...))
		}
		if len(graphics) > 0 {
			s = append(s, object.Seq(0x00700009, graphics...))
		}
		out = append(out, s)
	}
	return out
}

func units(display bool) string {
	if display {
		return "DISPLAY"
	}
	return "PIXEL"
}

func graphicSet(g Graphic) object.Set {
	s := object.Set{
		object.Str(0x00700005, "CS", units(g.Display)), object.US(0x00700020, 2), object.US(0x00700021, len(g.Points)),
		object.FL(0x00700022, flatten(g.Points...)...), object.Str(0x00700023, "CS", g.Type),
	}
	n := len(g.Points)
	if closed := g.Type == Circle || g.Type == Ellipse || n > 2 && g.Points[0] == g.Points[n-1]; closed {
		filled := "N"
		if g.Filled {
			filled = "Y"
		}
		s = append(s, object.Str(0x00700024, "CS", filled))
	}
	return s
}

func flatten(points ...[2]float64) []float64 {
	var out []float64
	for _, p := range points {
		out = append(out, p[0], p[1])
	}
	return out
}

func textSet(t Text) object.Set {
	s := object.Set{object.Str(0x00700006, "ST", strings.ReplaceAll(textLines(t.Text), "\n", "\r\n"))}
	if t.Box != nil {
		justify := t.Justify
		if justify == "" {
			justify = "LEFT"
		}
		s = append(s,
			object.Str(0x00700003, "CS", units(t.BoxDisplay)), object.FL(0x00700010, t.Box[0][0], t.Box[0][1]),
			object.FL(0x00700011, t.Box[1][0], t.Box[1][1]), object.Str(0x00700012, "CS", justify))
	}
	if t.Anchor != nil {
		visible := "N"
		if t.AnchorVisible {
			visible = "Y"
		}
		s = append(s, object.Str(0x00700004, "CS", units(t.AnchorDisplay)), object.FL(0x00700014, t.Anchor[0], t.Anchor[1]), object.Str(0x00700015, "CS", visible))
	}
	return s
}

func layerItems(layers []Layer) []object.Set {
	var out []object.Set
	for _, l := range layers {
		s := object.Set{object.Str(0x00700002, "CS", l.Name), object.Str(0x00700062, "IS", object.IS(l.Order))}
		if l.Description != "" {
			s = append(s, object.Str(0x00700068, "LO", object.Line(l.Description, 64)))
		}
		out = append(out, s)
	}
	return out
}

func shutterSet(sh *study.Shutter) object.Set {
	var shapes []string
	s := object.Set{object.US(0x00181622, int(sh.Value))}
	if sh.Rect != nil {
		shapes = append(shapes, "RECTANGULAR")
		for i, t := range []study.Tag{0x00181602, 0x00181604, 0x00181606, 0x00181608} {
			s = append(s, object.Str(t, "IS", object.IS(sh.Rect[i])))
		}
	}
	if sh.Circle != nil {
		shapes = append(shapes, "CIRCULAR")
		s = append(s, object.Str(0x00181610, "IS", object.IS(sh.Circle[0]), object.IS(sh.Circle[1])), object.Str(0x00181612, "IS", object.IS(sh.Circle[2])))
	}
	if len(sh.Polygon) > 0 {
		shapes = append(shapes, "POLYGONAL")
		var v []string
		for _, p := range sh.Polygon {
			v = append(v, object.IS(p[0]), object.IS(p[1]))
		}
		s = append(s, object.Str(0x00181620, "IS", v...))
	}
	return append(s, object.Str(0x00181600, "CS", slices.Clip(shapes)...))
}
