package tui

import (
	"fmt"
	"strings"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/tui/raster"
)

// scene is what is drawn over a frame, in the frame's own coordinates.
type scene struct {
	slot   raster.Kitty
	shapes []shape
	probe  [2]float64
	cross  bool // of the probe, or of the pen
	loupe  bool
	pen    *consult.Geometry // measured while it is drawn
	state  *render.Presentation
}

// shape is one mark, or a line of reference.
type shape struct {
	paths  []annot.Path
	tip    bool
	ring   bool // a single point
	bare   bool // a label alone
	pen    bool // being drawn: its label is what it measures
	dashed bool
	ink    raster.Ink
	label  string
	short  string       // instead, where a label would hide the image
	grips  [][2]float64 // points that can be moved
}

func (sc *scene) empty() bool { return len(sc.shapes) == 0 && !sc.cross }

// sceneKey tells scenes of slice i apart; scenes without anything have none, so
// that their pictures outlive every change of marks elsewhere.
func (v *viewer) sceneKey(i int) string {
	var b strings.Builder
	if n := v.marksOn(i); len(n) > 0 {
		fmt.Fprintf(&b, "m%d %s;", v.rev, v.chosen)
	}
	if v.pen != nil && v.pen.slice == key(v.slices[i]) {
		fmt.Fprintf(&b, "p%s %v %v %d;", v.pen.tool.Name, v.pen.points, v.pen.at, v.pen.grip)
	}
	if v.tool == "probe" || v.loupe {
		fmt.Fprintf(&b, "c%v %v %v;", v.probe, v.loupe, v.tool)
	}
	for _, l := range v.references(i) {
		fmt.Fprintf(&b, "r%.1f %s;", l.paths[0].Points, l.label)
	}
	return b.String()
}

func (v *viewer) scene(i int) scene {
	sc := scene{slot: v.slot, probe: v.probe, cross: v.tool == "probe", loupe: v.loupe}
	if p, _ := v.stateOf(i); p != nil {
		sc.state = p.State
	}
	sc.shapes = v.stateShapes(i)
	sc.shapes = append(sc.shapes, v.references(i)...)
	for _, m := range v.marksOn(i) {
		if v.pen != nil && v.pen.edit == m.Entry {
			continue // it is drawn as it is being moved
		}
		if s, ok := v.shapeOf(m); ok {
			sc.shapes = append(sc.shapes, s)
		}
	}
	if p := v.pen; p != nil && p.slice == key(v.slices[i]) {
		v.scenePen(&sc, p)
	}
	return sc
}

func (v *viewer) scenePen(sc *scene, p *pen) {
	points := p.all()
	s := shape{ink: raster.InkTool, pen: true, tip: p.tool.Shape == consult.ShapeArrow, grips: points}
	sc.probe, sc.cross = p.at, !p.sent
	g, err := annot.New(p.tool, points, v.painted.frame.Rows(), v.painted.frame.Cols())
	if err == nil {
		s.paths = annot.Paths(g)
		sc.pen = g
	} else if len(points) > 1 {
		s.paths = p.sketch(points)
	}
	sc.shapes = append(sc.shapes, s)
}

// shapeOf is how a mark is drawn: own ink for the chosen one, never without its
// name, so that colour alone says nothing.
func (v *viewer) shapeOf(m control.Mark) (shape, bool) {
	kind, ok := consult.ParseShape(m.Shape)
	if !ok || kind == consult.ShapeKey {
		return shape{}, false
	}
	g, err := consult.NewGeometry(kind, m.Anchor.Points)
	if err != nil {
		return shape{}, false
	}
	if m.Tool != m.Shape {
		g.Tool = m.Tool
	}
	s := shape{paths: annot.Paths(g), ink: raster.InkMark, tip: kind == consult.ShapeArrow, label: v.markShort(m, 1), short: v.nameOf(m.Entry)}
	s.ring = len(m.Anchor.Points) == 1
	if m.Entry == v.chosen {
		s.ink, s.label, s.short = raster.InkTool, "▸"+v.markLabel(m), "▸"+v.nameOf(m.Entry)
		s.grips = m.Anchor.Points
	}
	return s, true
}

// measure gives the values of the mark that is being drawn, from native data.
func (sc *scene) measure(f *render.Frame) []string {
	if sc.pen == nil {
		return nil
	}
	m, err := annot.Measure(sc.pen, f)
	if err != nil {
		return nil
	}
	return measuredWords(m)
}

// word is a text over the picture.
type word struct {
	at  [2]float64 // canvas
	s   string
	ink raster.Ink
}

// overlay turns a scene into strokes on the canvas, and the words beside them.
func (p *picture) overlay(sc scene) (raster.Overlay, []word) {
	var o raster.Overlay
	var words []word
	for _, s := range sc.shapes {
		var end [2]float64
		for _, path := range s.paths {
			points := make([][2]float64, len(path.Points))
			for i, at := range path.Points {
				points[i] = p.canvas(at)
				if i == 0 || points[i][0] > end[0] {
					end = points[i]
				}
			}
			if s.bare {
				continue
			}
			if len(points) == 1 || s.ring {
				o.Marks = append(o.Marks, raster.Mark{X: int(points[0][0]), Y: int(points[0][1]), Ink: s.ink})
				continue
			}
			o.Strokes = append(o.Strokes, raster.Stroke{Points: points, Closed: path.Closed, Tip: s.tip, Dashed: s.dashed, Ink: s.ink})
		}
		for _, at := range s.grips {
			if p.key.backend != kitty && p.key.backend != sixel {
				break // a pixel of these is larger than a square around a point
			}
			o.Strokes = append(o.Strokes, grip(p.canvas(at), s.ink, gripSize))
		}
		if s.pen && len(p.live) > 0 {
			s.label = p.live[0]
		}
		if s.short != "" && p.key.cols < colsLabels {
			s.label = s.short
		}
		if s.label != "" && len(s.paths) > 0 {
			words = append(words, word{end, s.label, s.ink})
		}
	}
	if sc.cross {
		o.Strokes = append(o.Strokes, p.crosshair(p.canvas(sc.probe))...)
	}
	return o, words
}

// gripSize is half the side of the square around a point that can be moved.
const gripSize = 4

func grip(at [2]float64, ink raster.Ink, r float64) raster.Stroke {
	x, y := at[0], at[1]
	return raster.Stroke{Points: [][2]float64{{x - r, y - r}, {x + r, y - r}, {x + r, y + r}, {x - r, y + r}}, Closed: true, Ink: ink}
}

// crosshair is open in its middle, so that it does not hide what it is at.
func (p *picture) crosshair(at [2]float64) []raster.Stroke {
	long := max(4, float64(min(p.view.W, p.view.H))/16)
	gap := max(2, long/4)
	x, y := at[0], at[1]
	var out []raster.Stroke
	for _, d := range [4][2]float64{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
		out = append(out, raster.Stroke{Points: [][2]float64{{x + d[0]*gap, y + d[1]*gap}, {x + d[0]*long, y + d[1]*long}}, Ink: raster.InkTool})
	}
	return out
}

// texts are words drawn in pixels, for sixel.
func (p *picture) texts(words []word) []raster.Text {
	var out []raster.Text
	for _, w := range words {
		tw, th := raster.TextSize(w.s)
		x := min(max(int(w.at[0])+6, 0), max(0, p.view.W-tw))
		y := min(max(int(w.at[1])-th/2, 0), max(0, p.view.H-th))
		out = append(out, raster.Text{X: x, Y: y, S: strings.ReplaceAll(w.s, "▸", ">"), Ink: w.ink})
	}
	return out
}
