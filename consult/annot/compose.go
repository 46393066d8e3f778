package annot

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
)

// Marked is a mark as it goes into a presentation state.
type Marked struct {
	Image    *study.Instance
	Frame    int // from 1
	Geometry *consult.Geometry
	Label    string
	Values   consult.Values
	Author   string // a layer for each
}

// View is how an image was shown: it may stand without any mark.
type View struct {
	Image    *study.Instance
	Frame    int           // from 1; 0: all
	Window   *study.Window // nil: as the file says
	Function string
	Turn     render.Turn
}

// Compose makes presentation states of marks and views: one for each series and,
// as these hold for a whole state, each way of turning cells into values and each
// turn. Made is left to be filled in.
func Compose(marks []Marked, views []View) []*Presentation {
	c := &composer{at: map[string]*Presentation{}, shown: map[string]View{}}
	for _, v := range views {
		c.shown[frameKey(v.Image, v.Frame)] = v
	}
	for _, m := range marks {
		if m.Image != nil && m.Geometry != nil && m.Frame > 0 {
			c.mark(m)
		}
	}
	for _, v := range views {
		if v.Image != nil {
			c.image(v.Image, v.Frame)
		}
	}
	return c.out
}

type composer struct {
	out   []*Presentation
	at    map[string]*Presentation
	shown map[string]View
}

func frameKey(in *study.Instance, frame int) string {
	if in == nil {
		return ""
	}
	if in.Pixel.Frames <= 1 {
		frame = 1
	}
	return in.SOPUID + "/" + strconv.Itoa(frame)
}

// view is how a frame was shown, else how its image was.
func (c *composer) view(in *study.Instance, frame int) View {
	for _, f := range []int{frame, 0} {
		if v, ok := c.shown[frameKey(in, f)]; ok {
			return v
		}
	}
	return View{}
}

func refOf(in *study.Instance, frame int) Ref {
	r := Ref{SeriesUID: in.SeriesUID, Class: in.SOPClass, SOPUID: in.SOPUID}
	if in.Pixel.Frames > 1 && frame > 0 {
		r.Frames = []int{frame}
	}
	return r
}

func colour(px *study.Pixel) bool { return !strings.HasPrefix(px.Photometric, "MONOCHROME") }

// image puts a frame, or all of an image with frame 0, into the state that holds it.
func (c *composer) image(in *study.Instance, frame int) *Presentation {
	px := in.Pixel.Frame(max(0, frame-1))
	v := c.view(in, frame)
	m := modality(&px)
	key := fmt.Sprint(in.SeriesUID, colour(&px), shape(&px), v.Turn, m.key())
	p := c.at[key]
	if p == nil {
		p = &Presentation{Class: ClassGrayscaleState, StudyUID: in.StudyUID, Label: "MARKS", Turn: v.Turn, Modality: m, Shape: shape(&px), LUT: px.PresentLUT}
		if colour(&px) {
			p.Class, p.Modality, p.Shape, p.LUT = ClassColourState, nil, "", nil
		}
		c.at[key] = p
		c.out = append(c.out, p)
	}
	ref := refOf(in, frame)
	if !add(&p.Images, ref) {
		return p
	}
	p.show(ref, &px, v)
	return p
}

// add joins a reference to those there are; false if they held it already.
func add(refs *[]Ref, r Ref) bool {
	for i := range *refs {
		x := &(*refs)[i]
		if x.SOPUID != r.SOPUID {
			continue
		}
		if len(x.Frames) == 0 || len(r.Frames) > 0 && slices.Contains(x.Frames, r.Frames[0]) {
			return false
		}
		if len(r.Frames) == 0 {
			x.Frames = nil // all of them from now on
			return true
		}
		x.Frames = append(slices.Clip(x.Frames), r.Frames...)
		slices.Sort(x.Frames)
		return true
	}
	*refs = append(*refs, r)
	return true
}

// show gives an image its area and, if it is grey, its window: where a state has
// none for an image, the whole range of values is shown (PS3.4 §N.2.1.2).
func (p *Presentation) show(ref Ref, px *study.Pixel, v View) {
	a := Area{Area: render.Area{X0: 1, Y0: 1, X1: px.Cols, Y1: px.Rows, Mode: "SCALE TO FIT"}, Seen: upperLeft(p.Turn)}
	switch {
	case px.PixelSpacing != nil:
		a.Spacing = px.PixelSpacing
	case px.ImagerSpacing != nil:
		a.Spacing = px.ImagerSpacing
	case px.AspectRatio != nil:
		a.Aspect = px.AspectRatio
	default:
		a.Aspect = &[2]float64{render.Aspect(*px), 1}
	}
	i := slices.IndexFunc(p.Areas, func(b Area) bool {
		return b.X1 == a.X1 && b.Y1 == a.Y1 && same2(a.Spacing, b.Spacing) && same2(a.Aspect, b.Aspect)
	})
	if i < 0 {
		i, p.Areas = len(p.Areas), append(p.Areas, a)
	}
	add(&p.Areas[i].Refs, ref)
	if p.Class == ClassColourState {
		return
	}
	w := Window{Window: v.Window, Function: v.Function}
	switch {
	case w.Window != nil:
	case len(px.Windows) > 0:
		w.Window, w.Function = &px.Windows[0], px.VOIFunction
	case len(px.VOILUTs) > 0:
		w.LUT = &px.VOILUTs[0]
	default:
		return
	}
	i = slices.IndexFunc(p.Windows, func(b Window) bool {
		return w.LUT == nil && b.LUT == nil && *b.Window == *w.Window && b.Function == w.Function
	})
	if i < 0 {
		i, p.Windows = len(p.Windows), append(p.Windows, w)
	}
	add(&p.Windows[i].Refs, ref)
}

func same2(a, b *[2]float64) bool { return a == b || a != nil && b != nil && *a == *b }

// upperLeft tells which corner of the stored image is seen at the upper left.
func upperLeft(t render.Turn) Seen {
	x, y := t.Source(0.25, 0.25, 1, 1)
	return Seen{X: x > 0.5, Y: y > 0.5}
}

// modality is the transform of an image that its state has to repeat (PS3.4
// §N.2.1.1: the image's own is not used).
func modality(px *study.Pixel) *Modality {
	switch {
	case colour(px):
		return nil
	case px.ModalityLUT != nil:
		return &Modality{LUT: px.ModalityLUT}
	case px.Slope == 0, px.Slope == 1 && px.Intercept == 0 && px.RescaleType == "":
		return nil
	}
	r := &render.Rescale{Slope: px.Slope, Intercept: px.Intercept, Type: px.RescaleType}
	if r.Type == "" && px.Modality == "CT" {
		r.Type = "HU" // PS3.3 C.8.2.1: a CT has Hounsfield units unless it says otherwise
	}
	return &Modality{Rescale: r}
}

func (m *Modality) key() string {
	switch {
	case m == nil:
		return ""
	case m.LUT != nil:
		return fmt.Sprint(m.LUT.First, m.LUT.Bits, m.LUT.Data)
	}
	return fmt.Sprint(*m.Rescale)
}

// shape of the presentation LUT: MONOCHROME1 is inverted by it (PS3.3 C.11.6.1.2).
func shape(px *study.Pixel) string {
	if px.Shape == "INVERSE" || px.Shape == "" && px.Photometric == "MONOCHROME1" {
		return "INVERSE"
	}
	return "IDENTITY"
}

// mark draws a mark on its author's layer.
func (c *composer) mark(m Marked) {
	p := c.image(m.Image, m.Frame)
	ref, layer := refOf(m.Image, m.Frame), p.layer(m.Author)
	i := slices.IndexFunc(p.Annotations, func(a Annotation) bool {
		return a.Layer == layer && len(a.Refs) == 1 && a.Refs[0].SOPUID == ref.SOPUID && slices.Equal(a.Refs[0].Frames, ref.Frames)
	})
	if i < 0 {
		i, p.Annotations = len(p.Annotations), append(p.Annotations, Annotation{Refs: []Ref{ref}, Layer: layer})
	}
	a := &p.Annotations[i]
	a.Graphics = append(a.Graphics, Graphics(m.Geometry)...)
	if t := caption(m); t != "" {
		a.Texts = append(a.Texts, placed(t, m.Geometry, m.Image.Pixel.Rows, m.Image.Pixel.Cols))
	}
}

// layer is the one of an author. Names are CS; the description says whose it is.
func (p *Presentation) layer(author string) string {
	for _, l := range p.Layers {
		if l.Description == object.Line(author, 64) {
			return l.Name
		}
	}
	n := len(p.Layers) + 1
	p.Layers = append(p.Layers, Layer{Name: "CURBSIDE_" + strconv.Itoa(n), Order: n, Description: object.Line(author, 64)})
	return p.Layers[n-1].Name
}

// Graphics are the graphic objects that draw a mark.
func Graphics(g *consult.Geometry) []Graphic {
	p := g.Pixels()
	switch g.Shape {
	case consult.ShapeText:
		return nil
	case consult.ShapePoint, consult.ShapeKey:
		return []Graphic{{Type: Point, Points: p}}
	case consult.ShapeEllipse:
		return []Graphic{ellipseGraphic(p)}
	case consult.ShapeArrow:
		return arrow(p[0], p[1])
	default:
		var out []Graphic
		for _, path := range Paths(g) {
			points := path.Points
			if path.Closed {
				points = append(slices.Clip(points), points[0])
			}
			out = append(out, Graphic{Type: Polyline, Points: points})
		}
		return out
	}
}

// ellipseGraphic has the major axis first (PS3.3 C.10.5.1.2).
func ellipseGraphic(p [][2]float64) Graphic {
	a, b := math.Hypot(p[1][0]-p[0][0], p[1][1]-p[0][1]), math.Hypot(p[3][0]-p[2][0], p[3][1]-p[2][1])
	switch {
	case a == b:
		return Graphic{Type: Circle, Points: [][2]float64{mid(p[0], p[1]), p[1]}}
	case a < b:
		p = [][2]float64{p[2], p[3], p[0], p[1]}
	}
	return Graphic{Type: Ellipse, Points: p}
}

// arrow is a shaft and two barbs at its head.
func arrow(tail, head [2]float64) []Graphic {
	dx, dy := tail[0]-head[0], tail[1]-head[1]
	l := math.Hypot(dx, dy)
	if l == 0 {
		return []Graphic{{Type: Point, Points: [][2]float64{head}}}
	}
	const spread, barbMin, barbMax = math.Pi / 7, 4, 20
	k := min(barbMax, max(barbMin, l/4), l) / l
	barb := func(angle float64) [2]float64 {
		s, c := math.Sincos(angle)
		return [2]float64{head[0] + k*(dx*c-dy*s), head[1] + k*(dx*s+dy*c)}
	}
	return []Graphic{
		{Type: Polyline, Points: [][2]float64{tail, head}},
		{Type: Polyline, Points: [][2]float64{barb(spread), head, barb(-spread)}},
	}
}

// caption is label and values of a mark. Values travel as text.
func caption(m Marked) string {
	var parts []string
	if m.Label != "" {
		parts = append(parts, m.Label)
	} else if t, ok := ToolOf(m.Geometry); ok && !t.plain() {
		parts = append(parts, t.Title)
	} else if ok && m.Geometry.Shape == consult.ShapeKey {
		parts = append(parts, t.Title)
	}
	for _, v := range m.Values {
		parts = append(parts, valueText(v))
	}
	return strings.Join(parts, "\n")
}

// valueText is a value with its unit and what the unit rests on.
func valueText(v consult.Value) string {
	decimals := 1
	if v.Unit == "" {
		decimals = 2
		if v.Thousandths%1000 == 0 {
			decimals = 0
		}
	}
	unit := strings.NewReplacer("mm2", "mm²", "px2", "px²").Replace(v.Unit)
	if unit == "deg" {
		unit = "°"
	} else if unit != "" {
		unit = " " + unit
	}
	s := v.Name + " " + strconv.FormatFloat(float64(v.Thousandths)/1000, 'f', decimals, 64) + unit
	if v.Calibration != "" && v.Calibration != pixelSpacing {
		s += " (" + v.Calibration + ")"
	}
	return s
}

// placed puts a text beside its mark: in a box to the right of it, or to the left
// where the image ends; text marks have theirs at their point. A line leads from
// the box to the mark.
func placed(t string, g *consult.Geometry, rows, cols int) Text {
	p := g.Pixels()
	longest, count := 0, 0
	for l := range strings.SplitSeq(t, "\n") {
		longest, count = max(longest, len([]rune(l))), count+1
	}
	scale := max(1, float64(min(rows, cols))/512)
	w, h := 8*scale*float64(longest), 14*scale*float64(count)
	at := p[0]
	for _, q := range p {
		if q[0] > at[0] {
			at = q // the rightmost point
		}
	}
	x, y := at[0]+8*scale, at[1]
	if x+w > float64(cols) {
		x = max(0, float64(cols)-w)
	}
	if y+h > float64(rows) {
		y = max(0, float64(rows)-h)
	}
	out := Text{Text: t, Box: &[2][2]float64{{x, y}, {min(x+w, float64(cols)), min(y+h, float64(rows))}}, Justify: "LEFT", Anchor: &at}
	out.AnchorVisible = g.Shape != consult.ShapeText
	return out
}
