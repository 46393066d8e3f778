package tui

import (
	"math"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/render"
)

// contexts of keys, innermost first; the page adds its own and "image".
func (v *viewer) contexts() []string {
	switch {
	case v.pen != nil:
		return []string{"draw", "tool"}
	case v.tool == "window":
		return []string{"windowing", "tool"}
	case v.tool != "" || v.loupe:
		return []string{"tool"}
	case v.chosen != "":
		return []string{"chosen"}
	}
	return nil
}

// act does what a key of the image or of a tool says.
func (v *viewer) act(id string) (tea.Cmd, bool) {
	if cmd, ok := v.actScroll(id); ok {
		return cmd, true
	}
	if cmd, ok := v.actTool(id); ok {
		return cmd, true
	}
	if cmd, ok := v.actMark(id); ok {
		return cmd, true
	}
	if v.actLook(id) {
		return v.sync(), true
	}
	return nil, false
}

func (v *viewer) actScroll(id string) (tea.Cmd, bool) {
	switch id {
	case "slice-next":
		return v.step(1), true
	case "slice-prev":
		return v.step(-1), true
	case "slice-next5":
		return v.step(5), true
	case "slice-prev5":
		return v.step(-5), true
	case "slice-first":
		return v.step(-len(v.slices)), true
	case "slice-last":
		return v.step(len(v.slices)), true
	case "slice-number":
		return v.askSlice(), true
	case "cine":
		return v.play(), true
	case "slower":
		v.faster(-2)
		return nil, true
	case "faster":
		v.faster(2)
		return nil, true
	}
	return nil, false
}

// actLook changes how the frames are shown.
func (v *viewer) actLook(id string) bool {
	l := &v.look
	switch id {
	case "invert":
		l.invert = !l.invert
	case "zoom-in":
		v.zoomBy(1.25)
	case "zoom-out":
		v.zoomBy(1 / 1.25)
	case "zoom-fit":
		l.one = !l.one && l.zoom == 1 && l.dx == 0 && l.dy == 0
		l.zoom, l.dx, l.dy = 1, 0, 0
	case "flip":
		l.turn = l.turn.Horizontal()
		l.dx = -l.dx
	case "rotate":
		l.turn = l.turn.Right()
		l.dx, l.dy = -l.dy, l.dx
	case "overlays":
		l.bare = !l.bare
	case "shutter":
		l.unshutter = !l.unshutter
	case "reset":
		v.look = look{zoom: 1}
	default:
		return false
	}
	return true
}

// zoomBy leaves one to one behind at the scale that it had.
func (v *viewer) zoomBy(by float64) {
	l := &v.look
	if l.one {
		if s := v.painted.fit; s > 0 {
			l.zoom = 1 / s
		}
		l.one = false
	}
	l.zoom = min(zoomMax, max(zoomMin, l.zoom*by))
}

func (v *viewer) actTool(id string) (tea.Cmd, bool) {
	switch {
	case id == "window" || id == "pan" || id == "probe":
		v.setTool(id)
	case id == "magnifier":
		v.loupe = !v.loupe
		v.aim()
	case id == "tool-drop":
		return v.drop(), true
	case id == "window-type":
		return v.askWindow(), true
	case id == "windows":
		return v.chooseWindow(), true
	case strings.HasPrefix(id, "preset-"):
		return v.preset(strings.TrimPrefix(id, "preset-")), true
	case strings.HasPrefix(id, "tool-"):
		v.nudge(strings.TrimPrefix(id, "tool-"))
	default:
		return nil, false
	}
	return v.sync(), true
}

// drop puts away what is innermost: points, the drawing, the tool.
func (v *viewer) drop() tea.Cmd {
	switch {
	case v.pen != nil:
		v.pen = nil
	case v.tool != "":
		v.tool = ""
	default:
		v.loupe = false
	}
	v.head, v.foot = 1, 2
	return v.sync()
}

func (v *viewer) setTool(id string) {
	v.pen = nil
	if v.tool == id {
		v.tool = ""
		return
	}
	v.tool = id
	if id == "probe" {
		v.aim()
	}
}

// aim puts the cross-hair in the middle of what is seen, if it is not in the image.
func (v *viewer) aim() {
	p := &v.painted
	if p.frame == nil {
		return
	}
	x, y := p.source(float64(p.view.W)/2, float64(p.view.H)/2)
	v.probe = p.hold([2]float64{math.Floor(x) + 0.5, math.Floor(y) + 0.5})
}

// nudge moves what the tool moves: along the screen, however the image is turned.
func (v *viewer) nudge(where string) {
	n := 1.0
	if s, ok := strings.CutSuffix(where, "10"); ok {
		n, where = 10, s
	}
	d := map[string][2]float64{"left": {-n, 0}, "right": {n, 0}, "up": {0, -n}, "down": {0, n}}[where]
	switch {
	case v.pen != nil:
		v.pen.at = v.moved(v.pen.at, d)
	case v.tool == "window":
		v.rewindow(v.look, d[0], -d[1])
	case v.tool == "pan":
		step := 8 / max(v.look.zoom, 0.25)
		v.look.dx += d[0] * step
		v.look.dy += d[1] * step
	default:
		v.probe = v.moved(v.probe, d)
	}
}

// moved is a source point moved by pixels as seen.
func (v *viewer) moved(at, d [2]float64) [2]float64 {
	p := &v.painted
	if p.frame == nil {
		return at
	}
	w, h := float64(p.frame.Cols()), float64(p.frame.Rows())
	x, y := v.look.turn.Point(at[0], at[1], w, h)
	x, y = v.look.turn.Source(x+d[0], y+d[1], w, h)
	return p.hold([2]float64{x, y})
}

// rewindow widens and moves the window in steps of a twentieth of its width.
func (v *viewer) rewindow(from look, wider, higher float64) {
	f := v.painted.frame
	if f == nil || f.Colour() {
		return
	}
	w := from.win
	if !from.own {
		w = f.used(render.Options{Auto: from.auto, Choice: from.choice}).Window
	}
	step := max(w.Width/20, 0.5)
	w.Width = math.Round(max(1, w.Width+wider*step))
	w.Centre = math.Round(w.Centre + higher*step)
	w.Explanation = ""
	v.look.win, v.look.own, v.look.auto, v.look.name = w, true, false, ""
}

// mouse: wheel scrolls, right drag pans, left drag in window mode windows,
// middle drag zooms, the pointer probes, and with a drawing tool it draws.
func (v *viewer) mouse(m mouseMsg) tea.Cmd {
	c := v.canvas()
	inside := c.has(m.x, m.y)
	switch m.kind {
	case "wheel":
		if !v.pane.has(m.x, m.y) {
			return nil
		}
		if m.button == tea.MouseWheelUp {
			return v.step(-1)
		}
		return v.step(1)
	case "click":
		if !inside {
			return nil
		}
		v.hover = [2]float64{m.fx - float64(c.x), m.fy - float64(c.y)}
		v.drag = &drag{button: m.button, fx: m.fx, fy: m.fy, look: v.look}
		if m.button == tea.MouseLeft && v.tool != "window" {
			return v.clicked()
		}
	case "release":
		v.drag = nil
		if v.pen != nil && inside {
			return v.released(m)
		}
		return v.sync()
	case "move":
		v.hover = [2]float64{-1, -1}
		if inside {
			v.hover = [2]float64{m.fx - float64(c.x), m.fy - float64(c.y)}
		}
		return v.dragTo(m)
	}
	return nil
}

func (v *viewer) dragTo(m mouseMsg) tea.Cmd {
	if v.pen != nil && v.hover[0] >= 0 {
		v.penTo()
		return v.sync()
	}
	if v.drag == nil {
		if v.loupe && v.hover[0] >= 0 {
			if at, ok := v.pointed(); ok {
				v.probe = at
			}
			return v.sync()
		}
		return nil
	}
	dx, dy := m.fx-v.drag.fx, m.fy-v.drag.fy
	switch {
	case v.drag.button == tea.MouseLeft && v.tool == "window":
		v.rewindow(v.drag.look, dx, -dy*2)
	case v.drag.button == tea.MouseRight && v.painted.frame != nil:
		p := &v.painted
		v.look.dx = v.drag.look.dx - dx*float64(p.view.W)/float64(p.key.cols)/p.view.ScaleX
		v.look.dy = v.drag.look.dy - dy*float64(p.view.H)/float64(p.key.rows)/p.view.ScaleY
	case v.drag.button == tea.MouseMiddle:
		v.look = v.drag.look
		v.zoomBy(math.Pow(1.08, -dy))
	default:
		return nil
	}
	return v.sync()
}

// pointed is the source point under the mouse; false outside the image.
func (v *viewer) pointed() ([2]float64, bool) {
	p := &v.painted
	if v.hover[0] < 0 || p.frame == nil || p.key.cols == 0 || p.key.rows == 0 {
		return [2]float64{}, false
	}
	x, y := p.source(v.hover[0]*float64(p.view.W)/float64(p.key.cols), v.hover[1]*float64(p.view.H)/float64(p.key.rows))
	if x < 0 || y < 0 || x >= float64(p.frame.Cols()) || y >= float64(p.frame.Rows()) {
		return [2]float64{}, false
	}
	return [2]float64{x, y}, true
}
