package annot

import (
	"slices"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
)

// SOP classes that are written and read here.
const (
	ClassGrayscaleState = "1.2.840.10008.5.1.4.1.1.11.1"
	ClassColourState    = "1.2.840.10008.5.1.4.1.1.11.2"
	ClassKeyObjects     = "1.2.840.10008.5.1.4.1.1.88.59"
)

// Ref names an image, or frames of one.
type Ref = object.Ref

// covers reports whether a list of references holds the frame, from 1. None at all
// stand for every image of the state (PS3.3 C.10.5).
func covers(refs []Ref, sop string, frame int) bool {
	if len(refs) == 0 {
		return true
	}
	return slices.ContainsFunc(refs, func(r Ref) bool {
		return r.SOPUID == sop && (len(r.Frames) == 0 || slices.Contains(r.Frames, frame))
	})
}

// Made is what an object says of its making.
type Made = object.Made

// Presentation is a presentation state (PS3.3 A.33.1, A.33.2).
type Presentation struct {
	Class    string
	StudyUID string
	Made
	Label       string // CS
	Description string

	Images      []Ref
	Modality    *Modality
	Windows     []Window
	Areas       []Area
	Turn        render.Turn
	Annotations []Annotation
	Layers      []Layer
	Shutter     *study.Shutter
	Hide        *study.Overlay // bitmap shutter
	HideValue   uint16
	Overlays    []Overlay
	Shape       string // IDENTITY or INVERSE
	LUT         *study.LUT

	// Findings are what the state has and is not read here, without values.
	Findings []string
}

// Modality is the modality transform of all images: a table, or a rescale.
type Modality struct {
	LUT     *study.LUT
	Rescale *render.Rescale
}

// Window is a VOI window or table for some images.
type Window struct {
	Refs     []Ref
	Window   *study.Window
	Function string
	LUT      *study.LUT
}

// Area is the displayed area of some images. Its corners are pixels from 1.
type Area struct {
	Refs []Ref
	render.Area
	Seen Seen
}

// Seen tells which corner of a stored area is seen at the upper left: X where it is
// a right one, Y where it is a lower one.
type Seen struct{ X, Y bool }

// Annotation is what is drawn on some images.
type Annotation struct {
	Refs     []Ref
	Layer    string
	Graphics []Graphic
	Texts    []Text
}

// Graphic types (PS3.3 C.10.5.1.2).
const (
	Point        = "POINT"
	Polyline     = "POLYLINE"
	Interpolated = "INTERPOLATED"
	Circle       = "CIRCLE"
	Ellipse      = "ELLIPSE"
)

// Graphic is one graphic object. Its points are in pixels of the image, or with
// Display in parts of the displayed area.
type Graphic struct {
	Type    string
	Points  [][2]float64
	Display bool
	Filled  bool
}

// Text is one text object, in a box or at an anchor.
type Text struct {
	Text          string
	Box           *[2][2]float64 // its corners
	BoxDisplay    bool           // in parts of the displayed area
	Justify       string         // LEFT, RIGHT, CENTER
	Anchor        *[2]float64
	AnchorDisplay bool
	AnchorVisible bool // a line leads to it
}

// Layer is a graphic layer; the lowest order is drawn first.
type Layer struct {
	Name        string
	Order       int
	Description string
}

// Overlay is a plane of the state, or where Own is false one of the images,
// that a layer shows.
type Overlay struct {
	Plane study.Overlay
	Own   bool
	Layer string
}

// Touches reports whether the state is of this frame, counted from 1.
func (p *Presentation) Touches(sop string, frame int) bool {
	return len(p.Images) > 0 && covers(p.Images, sop, frame)
}

// Render is what the state means to drawing a frame, counted from 1; nil if it
// is not one of its own.
func (p *Presentation) Render(sop string, frame int) *render.Presentation {
	if !p.Touches(sop, frame) {
		return nil
	}
	out := &render.Presentation{Shape: p.Shape, PresentationLUT: p.LUT, Turn: p.Turn, Shutter: p.Shutter, Hide: p.Hide, HideValue: p.HideValue}
	if p.Modality != nil {
		out.ModalityLUT, out.Rescale = p.Modality.LUT, p.Modality.Rescale
	}
	for _, w := range p.Windows {
		if covers(w.Refs, sop, frame) {
			out.Window, out.Function, out.VOILUT = w.Window, w.Function, w.LUT
			break
		}
	}
	if a := p.area(sop, frame); a != nil {
		out.Area = a
	}
	for _, o := range p.Overlays {
		switch {
		case !o.Own:
			out.Activated = append(out.Activated, o.Plane.Group)
		case o.Layer != "":
			out.Overlays = append(out.Overlays, o.Plane)
		}
	}
	return out
}

func (p *Presentation) area(sop string, frame int) *render.Area {
	for i := range p.Areas {
		if covers(p.Areas[i].Refs, sop, frame) {
			return &p.Areas[i].Area
		}
	}
	return nil
}

// Drawing is what a state draws on one frame, in pixels of the image as stored.
type Drawing struct {
	Paths []Path
	Texts []Label
}

// Label is a text at a point of the image, and where a line leads from it.
type Label struct {
	Text   string
	At     [2]float64
	Anchor *[2]float64
}

// Drawing turns the annotations of a frame of rows × cols pixels, counted from 1,
// into lines and labels, those of lower layers first.
func (p *Presentation) Drawing(sop string, frame, rows, cols int) Drawing {
	var out Drawing
	if !p.Touches(sop, frame) {
		return out
	}
	at := p.placer(sop, frame, rows, cols)
	list := slices.Clone(p.Annotations)
	slices.SortStableFunc(list, func(a, b Annotation) int { return p.order(a.Layer) - p.order(b.Layer) })
	for _, a := range list {
		if !covers(a.Refs, sop, frame) {
			continue
		}
		for i := range a.Graphics {
			out.Paths = append(out.Paths, a.Graphics[i].path(at))
		}
		for i := range a.Texts {
			out.Texts = append(out.Texts, a.Texts[i].label(at))
		}
	}
	return out
}

func (p *Presentation) order(layer string) int {
	for _, l := range p.Layers {
		if l.Name == layer {
			return l.Order
		}
	}
	return 0
}

// placer maps points of an annotation to pixels of the image. In DISPLAY units
// (0,0) and (1,1) are the corners of the displayed area as it is seen, so after
// rotation and flip (PS3.3 C.10.5.1.1).
func (p *Presentation) placer(sop string, frame, rows, cols int) func(q [2]float64, display bool) [2]float64 {
	x0, y0, w, h := 0.0, 0.0, float64(cols), float64(rows)
	if a := p.area(sop, frame); a != nil {
		// Corners count pixels from 1, both within: the first one's left edge is at 0.
		x0, y0, w, h = float64(a.X0-1), float64(a.Y0-1), float64(a.X1-a.X0+1), float64(a.Y1-a.Y0+1)
	}
	seenW, seenH := w, h
	if p.Turn.Swaps() {
		seenW, seenH = h, w
	}
	return func(q [2]float64, display bool) [2]float64 {
		if !display {
			return q
		}
		x, y := p.Turn.Source(q[0]*seenW, q[1]*seenH, w, h)
		return [2]float64{x0 + x, y0 + y}
	}
}

func (g *Graphic) path(at func([2]float64, bool) [2]float64) Path {
	points := make([][2]float64, len(g.Points))
	for i, q := range g.Points {
		points[i] = at(q, g.Display)
	}
	switch g.Type {
	case Circle:
		c, q := points[0], points[1]
		dx, dy := q[0]-c[0], q[1]-c[1]
		return Path{Closed: true, Points: ellipsePoints([][2]float64{{c[0] - dx, c[1] - dy}, q, {c[0] + dy, c[1] - dx}, {c[0] - dy, c[1] + dx}})}
	case Ellipse:
		return Path{Closed: true, Points: ellipsePoints(points)}
	}
	closed := len(points) > 3 && points[0] == points[len(points)-1]
	if closed {
		points = points[:len(points)-1]
	}
	if g.Type == Interpolated {
		points = spline(points, closed)
	}
	return Path{Points: points, Closed: closed}
}

// label places a text at the upper left corner of its box, as seen in the image as
// stored, or at its anchor.
func (t *Text) label(at func([2]float64, bool) [2]float64) Label {
	out := Label{Text: t.Text}
	if t.Anchor != nil {
		a := at(*t.Anchor, t.AnchorDisplay)
		out.At = a
		if t.Box != nil && t.AnchorVisible {
			out.Anchor = &a
		}
	}
	if t.Box != nil {
		out.At = at(t.Box[0], t.BoxDisplay)
	}
	return out
}

// splineSteps is how many lines are drawn for one piece of a curve.
const splineSteps = 8

// spline is a smooth curve through the points (Catmull, Rom 1974); how the points
// of INTERPOLATED are joined is the reader's choice (PS3.3 C.10.5.1.2).
func spline(p [][2]float64, closed bool) [][2]float64 {
	n := len(p)
	if n < 3 || n > splinePointsMax {
		return p
	}
	at := func(i int) [2]float64 {
		if closed {
			return p[(i+n)%n]
		}
		return p[max(0, min(i, n-1))]
	}
	pieces := n - 1
	if closed {
		pieces = n
	}
	out := make([][2]float64, 0, pieces*splineSteps+1)
	for i := range pieces {
		a, b, c, d := at(i-1), at(i), at(i+1), at(i+2)
		for s := range splineSteps {
			t := float64(s) / splineSteps
			var q [2]float64
			for k := range q {
				q[k] = 0.5 * (2*b[k] + (c[k]-a[k])*t + (2*a[k]-5*b[k]+4*c[k]-d[k])*t*t + (3*b[k]-a[k]-3*c[k]+d[k])*t*t*t)
			}
			out = append(out, q)
		}
	}
	if !closed {
		out = append(out, p[n-1])
	}
	return out
}
