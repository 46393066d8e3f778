package annot

import (
	"fmt"
	"math"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
)

// ReadPresentation reads a grayscale or colour softcopy presentation state,
// whoever wrote it. Parts that are not drawn here are left out and said in Findings;
// the object is refused where it is no such state.
func ReadPresentation(file []byte) (*Presentation, error) {
	o, err := object.Read(file)
	if err != nil {
		return nil, fmt.Errorf("presentation state: %w", err)
	}
	if o.Class != ClassGrayscaleState && o.Class != ClassColourState {
		return nil, ErrClass
	}
	r := &stateReader{of: map[string]string{}, out: &Presentation{Class: o.Class, StudyUID: o.Study, Made: madeOf(o), Findings: o.Findings}}
	r.out.Date, r.out.Time = o.Text(0x00700082), o.Text(0x00700083)
	r.out.Creator = text.Line(o.Text(0x00700084))
	r.out.Label, r.out.Description = text.Line(o.Text(0x00700080)), text.Line(o.Text(0x00700081))
	r.series(o.Set)
	if len(r.out.Images) == 0 {
		return nil, fmt.Errorf("presentation state: %w", ErrSource)
	}
	r.transforms(o.Set)
	r.areas(o.Set)
	r.shutter(o.Set)
	r.overlays(o.Set)
	r.annotations(o.Set)
	return r.out, nil
}

func madeOf(o *object.File) Made {
	m := Made{SOPUID: o.SOPUID, SeriesUID: o.Series, Timezone: o.Text(0x00080201)}
	m.SeriesNumber, _ = o.Int(0x00200011)
	m.InstanceNumber, _ = o.Int(0x00200013)
	return m
}

type stateReader struct {
	out    *Presentation
	drawn  int // graphic and text objects
	points int
	of     map[string]string // series by instance
}

func (r *stateReader) find(s string) { r.out.Findings = append(r.out.Findings, s) }

// series reads the images that the state is of (PS3.3 C.11.11).
func (r *stateReader) series(s object.Set) {
	for _, item := range s.Items(0x00081115) {
		uid := item.UID(0x0020000E)
		for _, ref := range refs(item) {
			if len(r.out.Images) >= RefsMax {
				r.find("more images than are read")
				return
			}
			ref.SeriesUID = uid
			r.of[ref.SOPUID] = uid
			r.out.Images = append(r.out.Images, ref)
		}
	}
}

// refs reads a Referenced Image Sequence (0008,1140).
func refs(s object.Set) []Ref {
	var out []Ref
	for _, item := range s.Items(0x00081140) {
		ref := Ref{Class: item.UID(0x00081150), SOPUID: item.UID(0x00081155), Frames: item.Ints(0x00081160)}
		if ref.SOPUID != "" && len(out) < RefsMax {
			out = append(out, ref)
		}
	}
	return out
}

// own are the references of one item. Where it has some, but none that can be
// read, it must not be taken for all images.
func (r *stateReader) own(s object.Set) ([]Ref, bool) {
	out := refs(s)
	for i := range out {
		out[i].SeriesUID = r.of[out[i].SOPUID]
	}
	return out, len(out) > 0 || len(s.Items(0x00081140)) == 0
}

func (r *stateReader) transforms(s object.Set) {
	p := r.out
	if item := s.First(0x00283000); item != nil {
		p.Modality = &Modality{LUT: table(item)}
		if p.Modality.LUT == nil {
			r.find("modality LUT cannot be read")
			p.Modality = nil
		}
	} else if k, ok := s.Number(0x00281053); ok {
		b, _ := s.Number(0x00281052)
		p.Modality = &Modality{Rescale: &render.Rescale{Slope: k, Intercept: b, Type: s.Text(0x00281054)}}
	}
	for _, item := range s.Items(0x00283110) { // Softcopy VOI LUT
		r.window(item)
	}
	p.Shape = s.Text(0x20500020)
	if item := s.First(0x20500010); item != nil {
		if p.LUT = table(item); p.LUT == nil {
			r.find("presentation LUT cannot be read")
		}
	}
	// PS3.3 C.10.6: turned clockwise, then flipped.
	if d, ok := s.Int(0x00700042); ok && d%90 == 0 && d >= 0 {
		p.Turn.Quarters = d / 90 % 4
	}
	p.Turn.Flip = s.Text(0x00700041) == "Y"
}

func (r *stateReader) window(item object.Set) {
	w := Window{Function: item.Text(0x00281056)}
	var ok bool
	if w.Refs, ok = r.own(item); !ok {
		r.find("window of images that cannot be told")
		return
	}
	if l := item.First(0x00283010); l != nil {
		w.LUT = table(l)
	}
	c, k := item.Numbers(0x00281050), item.Numbers(0x00281051)
	if w.LUT == nil && len(c) > 0 && len(k) > 0 && k[0] > 0 {
		w.Window = &study.Window{Centre: c[0], Width: k[0]}
		if names := item.Texts(0x00281055); len(names) > 0 {
			w.Window.Explanation = names[0]
		}
	}
	if w.LUT == nil && w.Window == nil {
		r.find("window cannot be read")
		return
	}
	r.out.Windows = append(r.out.Windows, w)
}

// table reads a LUT item (PS3.3 C.11.1.1): entries, first value, bits.
func table(item object.Set) *study.LUT {
	d := item.Ints(0x00283002)
	if len(d) != 3 {
		return nil
	}
	n := d[0] & 0xFFFF
	if n == 0 {
		n = 1 << 16
	}
	e := item.Find(0x00283006)
	if e == nil || d[2] < 8 || d[2] > 16 {
		return nil
	}
	data := item.Words(0x00283006)
	if len(data) < n && len(e.Value) >= n { // 8-bit entries packed into words
		data = make([]uint16, n)
		for i := range data {
			data[i] = uint16(e.Value[i])
		}
	}
	if len(data) < n {
		return nil
	}
	return &study.LUT{First: d[1], Bits: d[2], Data: data[:n], Explanation: item.Text(0x00283003), Type: item.Text(0x00283004)}
}

func (r *stateReader) areas(s object.Set) {
	for _, item := range s.Items(0x0070005A) {
		a := Area{Area: render.Area{Mode: item.Text(0x00700100)}}
		var ok bool
		a.Refs, ok = r.own(item)
		tl, br := item.Ints(0x00700052), item.Ints(0x00700053)
		if !ok || len(tl) != 2 || len(br) != 2 {
			r.find("displayed area cannot be read")
			continue
		}
		// PS3.3 C.10.4: the corners are named as they are seen, after rotation and flip.
		a.X0, a.X1 = min(tl[0], br[0]), max(tl[0], br[0])
		a.Y0, a.Y1 = min(tl[1], br[1]), max(tl[1], br[1])
		a.Seen = Seen{X: tl[0] > br[0], Y: tl[1] > br[1]}
		if max(-a.X0, a.X1, -a.Y0, a.Y1) > displayMax {
			r.find("displayed area cannot be read")
			continue
		}
		a.Spacing, a.Aspect = pair(item.Numbers(0x00700101)), pair(item.Numbers(0x00700102))
		a.Magnification, _ = item.Number(0x00700103)
		r.out.Areas = append(r.out.Areas, a)
	}
}

func pair(v []float64) *[2]float64 {
	if len(v) != 2 || v[0] <= 0 || v[1] <= 0 {
		return nil
	}
	return &[2]float64{v[0], v[1]}
}

// shutter reads the display shutters (PS3.3 C.7.6.11, C.7.6.15).
func (r *stateReader) shutter(s object.Set) {
	shapes := s.Texts(0x00181600)
	if len(shapes) == 0 {
		return
	}
	value, _ := s.Int(0x00181622)
	sh := &study.Shutter{Value: uint16(value)}
	for _, shape := range shapes {
		switch shape {
		case "RECTANGULAR":
			sh.Rect = edges(s)
		case "CIRCULAR":
			c, radius := s.Ints(0x00181610), s.Ints(0x00181612)
			if len(c) == 2 && len(radius) == 1 && radius[0] > 0 {
				sh.Circle = &[3]int{c[0], c[1], radius[0]}
			}
		case "POLYGONAL":
			v := s.Ints(0x00181620)
			for i := 0; i+1 < min(len(v), 2*GraphicPointsMax); i += 2 {
				sh.Polygon = append(sh.Polygon, [2]int{v[i], v[i+1]})
			}
		case "BITMAP":
			group, _ := s.Int(0x00181623)
			if o := plane(s, group); o != nil {
				r.out.Hide, r.out.HideValue = o, uint16(value)
			}
		}
	}
	if sh.Rect != nil || sh.Circle != nil || len(sh.Polygon) > 2 {
		r.out.Shutter = sh
	} else if r.out.Hide == nil {
		r.find("shutter cannot be read")
	}
}

func edges(s object.Set) *[4]int {
	var out [4]int
	for i, t := range []study.Tag{0x00181602, 0x00181604, 0x00181606, 0x00181608} {
		v, ok := s.Int(t)
		if !ok {
			return nil
		}
		out[i] = v
	}
	return &out
}

// overlays reads planes of the state and which ones of the images are shown
// (PS3.3 C.9.2, C.11.7).
func (r *stateReader) overlays(s object.Set) {
	for group := 0x6000; group <= 0x601E; group += 2 {
		base := study.Tag(group) << 16
		o := Overlay{Layer: s.Text(base | 0x1001)}
		switch p := plane(s, group); {
		case p != nil && r.out.Hide != nil && r.out.Hide.Group == group:
			continue
		case p != nil:
			o.Plane, o.Own = *p, true
		case o.Layer == "":
			continue
		default:
			o.Plane.Group = group
		}
		r.out.Overlays = append(r.out.Overlays, o)
	}
}

// plane reads an overlay of the state; nil if there is none.
func plane(s object.Set, group int) *study.Overlay {
	base := study.Tag(group) << 16
	rows, _ := s.Int(base | 0x0010)
	cols, _ := s.Int(base | 0x0011)
	origin := s.Ints(base | 0x0050)
	e := s.Find(base | 0x3000)
	if e == nil || rows < 1 || cols < 1 || rows > 65535 || cols > 65535 || (rows*cols+7)/8 > len(e.Value) || len(origin) != 2 {
		return nil
	}
	return &study.Overlay{
		Group: group, Rows: rows, Cols: cols, Top: origin[0], Left: origin[1], Type: s.Text(base | 0x0040), Planes: 1, Data: e.Value,
		Label: s.Text(base | 0x1500), Description: s.Text(base | 0x0022),
	}
}

func (r *stateReader) annotations(s object.Set) {
	for _, item := range s.Items(0x00700060) {
		l := Layer{Name: text.Line(item.Text(0x00700002)), Description: text.Line(item.Text(0x00700068))}
		l.Order, _ = item.Int(0x00700062)
		if len(r.out.Layers) < AnnotationsMax {
			r.out.Layers = append(r.out.Layers, l)
		}
	}
	for _, item := range s.Items(0x00700001) {
		a := Annotation{Layer: text.Line(item.Text(0x00700002))}
		var ok bool
		if a.Refs, ok = r.own(item); !ok {
			r.find("annotation of images that cannot be told")
			continue
		}
		for _, g := range item.Items(0x00700009) {
			if x, ok := r.graphic(g); ok {
				a.Graphics = append(a.Graphics, x)
			}
		}
		for _, t := range item.Items(0x00700008) {
			if x, ok := r.text(t); ok {
				a.Texts = append(a.Texts, x)
			}
		}
		if len(item.Items(0x00700209)) > 0 {
			r.find("compound graphics are not drawn")
		}
		if len(a.Graphics)+len(a.Texts) > 0 {
			r.out.Annotations = append(r.out.Annotations, a)
		}
	}
}

// room counts objects and points.
func (r *stateReader) room(points int) bool {
	r.drawn++
	r.points += points
	if r.drawn > AnnotationsMax || points > GraphicPointsMax || r.points > graphicTotalMax {
		if r.drawn < AnnotationsMax+2 {
			r.find("more graphics than are drawn")
		}
		return false
	}
	return true
}

// pointsOf is how many points a graphic type has (PS3.3 C.10.5.1.2).
var pointsOf = map[string][2]int{Point: {1, 1}, Circle: {2, 2}, Ellipse: {4, 4}, Polyline: {2, GraphicPointsMax}, Interpolated: {2, GraphicPointsMax}}

func (r *stateReader) graphic(s object.Set) (Graphic, bool) {
	g := Graphic{Type: s.Text(0x00700023), Filled: s.Text(0x00700024) == "Y"}
	data := s.Numbers(0x00700022)
	n, known := pointsOf[g.Type]
	units, ok := display(s.Text(0x00700005))
	g.Display = units
	if !known || !ok || len(data)%2 != 0 || len(data)/2 < n[0] || len(data)/2 > n[1] || !bounded(data) {
		r.find("graphic cannot be read")
		return g, false
	}
	if !r.room(len(data) / 2) {
		return g, false
	}
	for i := 0; i < len(data); i += 2 {
		g.Points = append(g.Points, [2]float64{data[i], data[i+1]})
	}
	return g, true
}

// display reads annotation units; MATRIX, of whole slides, is not known here.
func display(s string) (is, ok bool) { return s == "DISPLAY", s == "DISPLAY" || s == "PIXEL" }

func bounded(v []float64) bool {
	for _, x := range v {
		if math.Abs(x) > displayMax {
			return false
		}
	}
	return true
}

func (r *stateReader) text(s object.Set) (Text, bool) {
	t := Text{Text: textLines(s.Text(0x00700006)), Justify: s.Text(0x00700012), AnchorVisible: s.Text(0x00700015) == "Y"}
	a, b := s.Numbers(0x00700010), s.Numbers(0x00700011)
	if units, ok := display(s.Text(0x00700003)); ok && len(a) == 2 && len(b) == 2 && bounded(a) && bounded(b) {
		t.BoxDisplay, t.Box = units, &[2][2]float64{{a[0], a[1]}, {b[0], b[1]}}
	}
	c := s.Numbers(0x00700014)
	if units, ok := display(s.Text(0x00700004)); ok && len(c) == 2 && bounded(c) {
		t.AnchorDisplay, t.Anchor = units, &[2]float64{c[0], c[1]}
	}
	if t.Box == nil && t.Anchor == nil {
		r.find("text without a place")
		return t, false
	}
	return t, r.room(1)
}

// textLines is a text with line ends as here, cut to its limit.
func textLines(s string) string { return object.Clip(text.Clean(s), textMax) }
