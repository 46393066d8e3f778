package tui

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/node/control"
)

// pen is a mark that is being drawn, or one whose points are being moved.
type pen struct {
	tool   annot.Tool
	slice  slice
	points [][2]float64
	at     [2]float64 // the cross-hair
	edit   string     // the entry whose points are moved
	grip   int        // the point that moves, when editing
	free   bool       // the mouse is drawing an outline
	sent   bool       // on its way to the case
}

// all are the points with the cross-hair as the next one.
func (p *pen) all() [][2]float64 {
	if p.edit != "" {
		out := slices.Clone(p.points)
		if p.grip < len(out) && !p.sent {
			out[p.grip] = p.at
		}
		return out
	}
	if p.sent || len(p.points) >= p.tool.Max {
		return p.points
	}
	return append(slices.Clone(p.points), p.at)
}

// sketch is what is drawn while points are missing.
func (p *pen) sketch(points [][2]float64) []annot.Path {
	if p.tool.Shape != consult.ShapeCobb && p.tool.Shape != consult.ShapeBidirectional {
		return []annot.Path{{Points: points}}
	}
	var out []annot.Path
	for i := 0; i < len(points); i += 2 {
		out = append(out, annot.Path{Points: points[i:min(i+2, len(points))]})
	}
	return out
}

// prompt says which point is next, and of how many.
func (p *pen) prompt() string {
	if p.edit != "" {
		return fmt.Sprintf("MOVE %s %d/%d", strings.ToUpper(p.tool.Title), p.grip+1, len(p.points))
	}
	n := len(p.points)
	s := strings.ToUpper(p.tool.Title)
	if p.tool.Max <= len(p.tool.Prompts) || p.tool.Max <= 6 {
		s += fmt.Sprintf(" %d/%d", min(n+1, p.tool.Max), p.tool.Max)
	} else {
		s += fmt.Sprintf(" %d", n+1)
	}
	if len(p.tool.Prompts) > 0 {
		s += " " + p.tool.Prompts[min(n, len(p.tool.Prompts)-1)]
	}
	return s
}

// newPen starts on the slice that is shown; nil where marks cannot be made.
func (v *viewer) newPen(tool annot.Tool) *pen {
	p := &v.painted
	if p.frame == nil || v.at >= len(v.slices) || p.key.slice != key(v.slices[v.at]) || p.key.slice.cut != (cut{}) {
		return nil
	}
	if tool.Shape == consult.ShapeEllipse {
		tool.Max = 2 // two corners of its box; turned ones come from elsewhere
	}
	x, y := p.source(float64(p.view.W)/2, float64(p.view.H)/2)
	at := p.hold([2]float64{math.Floor(x) + 0.5, math.Floor(y) + 0.5})
	if m, ok := v.pointed(); ok {
		at = m
	}
	return &pen{tool: tool, slice: p.key.slice, at: at}
}

// draw takes a drawing tool in hand.
func (v *viewer) drawWith(name string) tea.Cmd {
	tool, ok := annot.FindTool(name)
	if !ok {
		return v.r.say("warn", "no such tool")
	}
	switch {
	case v.caseID == "":
		return v.r.say("warn", "marks belong to a case")
	case v.painted.img != nil && v.painted.img.Preview:
		return v.r.say("warn", "this is a preview: marks go on the image itself, which is on its way")
	}
	v.tool, v.cine, v.chosen = "", false, ""
	v.pen = v.newPen(tool)
	if v.pen == nil {
		return v.r.say("warn", "marks go on images as they were taken")
	}
	return v.sync()
}

// chooseTool lists all tools, to be narrowed by typing.
func (v *viewer) chooseTool() tea.Cmd {
	var items []option
	for _, t := range annot.Tools() {
		label := t.Title
		if t.Specialty != "" {
			label += " · " + t.Specialty
		}
		items = append(items, option{label, func() tea.Cmd { return v.drawWith(t.Name) }})
	}
	return v.r.open(newPicker(v.r, "Measure or mark", items))
}

// penTo moves the cross-hair to the pointer; an outline drawn with the button
// held takes the way.
func (v *viewer) penTo() {
	at, ok := v.pointed()
	if !ok || v.pen.sent {
		return
	}
	p := v.pen
	p.at = at
	if p.free && v.drag != nil && len(p.points) > 0 && len(p.points) < p.tool.Max {
		if last := p.points[len(p.points)-1]; math.Hypot(at[0]-last[0], at[1]-last[1]) >= freeStep {
			p.points = append(p.points, at)
		}
	}
}

// clicked anchors with the mouse, takes hold of the nearest point of a mark that
// is edited, or chooses the mark that is near.
func (v *viewer) clicked() tea.Cmd {
	at, ok := v.pointed()
	if !ok {
		return nil
	}
	p := v.pen
	switch {
	case p == nil && v.tool == "probe":
		v.probe = at
	case p == nil:
		if m := v.near(at); m != nil {
			return v.choose(m.Entry)
		}
		if v.chosen != "" {
			return v.choose("")
		}
	case p.edit != "":
		p.points[p.grip] = p.at
		p.grip = nearest(p.points, at)
		p.at = at
	default:
		p.at = at
		if p.tool.Shape == consult.ShapePolygon || p.tool.Shape == consult.ShapePolyline {
			p.free = true
		}
		return v.anchor()
	}
	return v.sync()
}

// released ends a drag: of a two-point tool it is the second point, of an outline its end.
func (v *viewer) released(mouseMsg) tea.Cmd {
	at, ok := v.pointed()
	p := v.pen
	if !ok || p.sent || p.edit != "" || len(p.points) == 0 {
		return v.sync()
	}
	last := p.points[len(p.points)-1]
	far := math.Hypot(at[0]-last[0], at[1]-last[1])
	switch {
	case p.free && len(p.points) > freePoints:
		return v.finish()
	case p.free:
		p.free = false
	case far > clickSlack:
		p.at = at
		return v.anchor()
	}
	return v.sync()
}

func nearest(points [][2]float64, at [2]float64) int {
	best, least := 0, math.Inf(1)
	for i, q := range points {
		if d := math.Hypot(q[0]-at[0], q[1]-at[1]); d < least {
			best, least = i, d
		}
	}
	return best
}

// near is the mark with a point within a hand's breadth of the pointer.
func (v *viewer) near(at [2]float64) *control.Mark {
	reach := 12 / max(v.painted.view.ScaleX, 0.01)
	var best *control.Mark
	for _, m := range v.marksOn(v.at) {
		for _, q := range m.Anchor.Points {
			if d := math.Hypot(q[0]-at[0], q[1]-at[1]); d < reach {
				best, reach = v.mark(m.Entry), d
			}
		}
	}
	return best
}

// anchor fixes the point under the cross-hair. The last one ends the mark; of an
// outline, one that is put twice.
func (v *viewer) anchor() tea.Cmd {
	p := v.pen
	if p == nil || p.sent {
		return nil
	}
	if p.edit != "" {
		return v.finish()
	}
	n := len(p.points)
	if n > 0 && p.points[n-1] == p.at {
		if n >= p.tool.Min && p.tool.Max > p.tool.Min {
			return v.finish()
		}
		return v.r.say("warn", "that is the point before: move the cross-hair")
	}
	p.points = append(p.points, p.at)
	if len(p.points) >= p.tool.Max {
		return v.finish()
	}
	return v.sync()
}

func (v *viewer) unanchor() tea.Cmd {
	if p := v.pen; p != nil && p.edit == "" && len(p.points) > 0 {
		p.points = p.points[:len(p.points)-1]
	}
	return v.sync()
}

// regrip takes hold of the next point of a mark that is edited.
func (v *viewer) regrip() tea.Cmd {
	if p := v.pen; p != nil && p.edit != "" {
		p.points[p.grip] = p.at
		p.grip = (p.grip + 1) % len(p.points)
		p.at = p.points[p.grip]
	}
	return v.sync()
}

// finish asks for the label and puts the mark into the case.
func (v *viewer) finish() tea.Cmd {
	p := v.pen
	if p == nil || p.sent {
		return nil
	}
	if p.edit != "" {
		p.points[p.grip] = p.at
	}
	if len(p.points) < p.tool.Min {
		return v.r.say("warn", fmt.Sprintf("%s needs %d points", p.tool.Title, p.tool.Min))
	}
	if _, err := annot.New(p.tool, p.points, v.painted.frame.Rows(), v.painted.frame.Cols()); err != nil {
		return v.r.say("warn", "this cannot be measured: "+err.Error())
	}
	p.sent = true
	if p.edit != "" {
		return v.post("", nil)
	}
	if p.tool.Construct == annot.Scale {
		return v.askLength(p)
	}
	return tea.Batch(v.askLabel(p, nil), v.sync())
}

func (v *viewer) askLabel(p *pen, value *float64) tea.Cmd {
	text := []string{"A label, or nothing."}
	if p.tool.Shape == consult.ShapeText {
		text = []string{"The text."}
	}
	if words := v.painted.live; len(words) > 0 {
		text = append([]string{strings.Join(words, " · ")}, text...)
	}
	d := newPrompt(v.r, p.tool.Title, text, false, func(s string) tea.Cmd {
		if strings.TrimSpace(s) == "" && p.tool.Shape == consult.ShapeText {
			v.pen = nil
			return v.sync()
		}
		return v.post(strings.TrimSpace(s), value)
	})
	d.left = func() tea.Cmd { v.pen = nil; return v.sync() }
	return v.r.open(d)
}

// askLength: of a calibration the reader says how long the line truly is.
func (v *viewer) askLength(p *pen) tea.Cmd {
	d := newPrompt(v.r, p.tool.Title, []string{"The true length of this line, in mm."}, false, func(s string) tea.Cmd {
		mm, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "mm")), 64)
		if err != nil || !(mm > 0) || mm > 10_000 {
			v.pen = nil
			return tea.Batch(v.sync(), v.r.say("warn", "a length is a number of millimetres"))
		}
		return v.askLabel(p, &mm)
	})
	d.left = func() tea.Cmd { v.pen = nil; return v.sync() }
	return v.r.open(d)
}

// post posts the mark. It stays on the screen until the case has it.
func (v *viewer) post(label string, value *float64) tea.Cmd {
	p := v.pen
	p.sent = true
	req := control.AnnotateRequest{Case: v.caseID, Points: p.points, Value: value}
	done := "marked"
	if p.edit != "" {
		req.Edit, done = p.edit, "moved"
	} else {
		req.Study, req.SOPUID, req.Frame, req.Type = v.of.study, p.slice.sop, p.slice.frame, p.tool.Name
		req.Text = &label
	}
	return tea.Batch(v.sync(), actOr(v.r, control.CaseAnnotate, req, done, func(a control.Annotated) tea.Cmd {
		if v.pen == p {
			v.pen = nil
		}
		if p.tool.Shape != consult.ShapeKey {
			v.chosen = a.Entry
			if p.edit != "" {
				v.chosen = p.edit
			}
		}
		v.rev++
		var cmds []tea.Cmd
		for _, w := range a.Warnings {
			cmds = append(cmds, v.r.say("warn", w))
		}
		return tea.Batch(append(cmds, v.sync())...)
	}, func() tea.Cmd {
		if v.pen == p {
			p.sent = false // the points are not lost
		}
		return v.sync()
	}))
}

// editMark takes the points of the chosen mark in hand.
func (v *viewer) editMark() tea.Cmd {
	m := v.mark(v.chosen)
	if m == nil {
		return nil
	}
	if !m.Mine {
		return v.r.say("warn", "only "+line(m.AuthorName)+" can move this mark")
	}
	tool, ok := annot.FindTool(m.Tool)
	if !ok {
		return v.r.say("warn", "this mark was made with a tool of a later version")
	}
	p := v.newPen(tool)
	if p == nil || v.sliceOf(*m) != v.at {
		return v.r.say("warn", "its image is not on the screen yet")
	}
	p.edit, p.points = m.Entry, slices.Clone(m.Anchor.Points)
	p.tool.Max = max(tool.Max, len(p.points))
	p.at = p.points[0]
	v.pen, v.tool = p, ""
	return v.sync()
}
