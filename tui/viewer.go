package tui

import (
	"fmt"
	"math"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
)

// rect is a part of a page, in cells.
type rect struct{ x, y, w, h int }

func (r rect) has(x, y int) bool { return x >= r.x && y >= r.y && x < r.x+r.w && y < r.y+r.h }

// slice is one frame of a series in reading order.
type slice struct {
	sop     string
	frame   int
	present bool
	reason  string // why it cannot be displayed, when that is known before it is asked for
}

// look is how frames of a series are shown.
type look struct {
	win    study.Window // the user's, when own
	own    bool
	name   string // of the preset
	auto   bool
	invert bool
	zoom   float64 // times fit
	one    bool    // one canvas pixel a source pixel
	dx, dy float64 // pan, source pixels from the middle
}

// viewer is the image pane. Frames are loaded and drawn by commands, one
// drawing at a time and always the newest wish; a picture is painted when the
// terminal has answered for the one before. So nothing queues, and a slow slice
// never paints over a newer one.
type viewer struct {
	r      *root
	s      *scope
	study  string
	series control.Series
	title  string
	slices []slice
	note   string // instead of an image: loading, failed, empty
	at     int    // the slice that is wanted
	dir    int
	look   look
	pane   rect // on the page
	tool   string
	probe  [2]int // source pixel, in the probe tool
	hover  [2]int // cell of the pane's canvas under the mouse; -1 none
	drag   *drag
	marks  map[string][][2]float64 // anchors of the thread, by sop and frame

	cache    cache
	loading  map[int]bool
	drawing  bool
	painted  picture
	pending  *picture
	awaiting bool // the terminal's answer for painted
	sentAt   time.Time
	latency  time.Duration
	beat     int // of the answer awaited, so that an old deadline does not end a new wait
	cine     bool
	fps      int
}

type drag struct {
	button tea.MouseButton
	x, y   int
	look   look
}

func newViewer(r *root) *viewer {
	v := &viewer{r: r, fps: 10, hover: [2]int{-1, -1}, note: "no series chosen"}
	v.reset()
	return v
}

func (v *viewer) reset() {
	if v.s != nil {
		v.s.close()
	}
	v.s = newScope(v.r.scope.ctx)
	v.cache, v.loading = cache{}, map[int]bool{}
	v.slices, v.at, v.dir, v.tool, v.cine = nil, 0, 1, "", false
	v.look = look{zoom: 1}
	v.drawing, v.pending, v.painted = false, nil, picture{}
}

// close ends the calls and takes the picture out of the terminal.
func (v *viewer) close() {
	v.s.close()
	v.cache = cache{}
	v.painted, v.pending = picture{}, nil
}

// show starts a series, at a frame of it when sop is given.
func (v *viewer) show(studyID string, se control.Series, sop string, frame int) tea.Cmd {
	if v.study == studyID && v.series.SeriesUID == se.SeriesUID && len(v.slices) > 0 {
		v.series = se
		return v.find(sop, frame)
	}
	v.reset()
	v.study, v.series, v.note = studyID, se, "loading…"
	v.title = seriesName(se)
	return call(v.s, "series", v.r.client, control.SeriesShow, control.SeriesRequest{Study: studyID, SeriesUID: se.SeriesUID}, func(rows []control.InstanceRow, err error) tea.Cmd {
		if err != nil {
			v.note = "cannot list this series: " + explain(err)
			return nil
		}
		v.list(rows)
		if sop == "" {
			v.at = len(v.slices) / 2 // the middle says more than the first
			return v.sync()
		}
		return v.find(sop, frame)
	})
}

func (v *viewer) list(rows []control.InstanceRow) {
	v.slices = v.slices[:0]
	for _, in := range rows {
		for k := range max(1, in.Frames) {
			if len(v.slices) >= slicesMax {
				break
			}
			s := slice{sop: in.SOPUID, frame: k, present: in.Present}
			if !in.Displayable && in.Reason != "" {
				s.reason = in.Reason
			}
			v.slices = append(v.slices, s)
		}
	}
	v.note = ""
	if len(v.slices) == 0 {
		v.note = "nothing of this series is here yet"
	}
	v.at = max(0, min(v.at, len(v.slices)-1))
}

// refresh reads the list of instances again: more have arrived.
func (v *viewer) refresh(se control.Series) tea.Cmd {
	if v.series.SeriesUID != se.SeriesUID || v.study == "" {
		return nil
	}
	v.series = se
	return call(v.s, "series", v.r.client, control.SeriesShow, control.SeriesRequest{Study: v.study, SeriesUID: se.SeriesUID}, func(rows []control.InstanceRow, err error) tea.Cmd {
		if err != nil {
			return nil // the frames that are shown stay
		}
		here := slice{}
		if v.at < len(v.slices) {
			here = v.slices[v.at]
		}
		v.list(rows)
		v.cache.dropFailures()
		return v.find(here.sop, here.frame)
	})
}

func (v *viewer) find(sop string, frame int) tea.Cmd {
	for i, s := range v.slices {
		if s.sop == sop && (s.frame == frame || frame < 0) {
			v.at = i
			break
		}
	}
	return v.sync()
}

func (v *viewer) resize(pane rect) tea.Cmd {
	v.pane = pane
	v.hover = [2]int{-1, -1}
	return v.sync()
}

// canvas is the part of the pane that holds the picture: two cells at the
// sides for the letters, a line above, two below.
func (v *viewer) canvas() rect {
	return rect{v.pane.x + 2, v.pane.y + 1, max(1, v.pane.w-4), max(1, v.pane.h-3)}
}

func (v *viewer) contexts() []string {
	if v.tool != "" {
		return []string{"tool", "image"}
	}
	return []string{"image"}
}

// act does what a key of the image or tool context says.
func (v *viewer) act(id string) (tea.Cmd, bool) {
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
	case "cine":
		v.cine = !v.cine
		return tea.Batch(v.cineTick(), v.sync()), true
	case "slower":
		v.fps = max(1, v.fps-2)
		return nil, true
	case "faster":
		v.fps = min(60, v.fps+2)
		return nil, true
	case "invert":
		v.look.invert = !v.look.invert
	case "window", "pan", "probe":
		v.setTool(id)
	case "tool-drop":
		v.tool = ""
	case "zoom-in":
		v.look.zoom, v.look.one = min(v.look.zoom*1.25, 32), false
	case "zoom-out":
		v.look.zoom, v.look.one = max(v.look.zoom/1.25, 0.25), false
	case "zoom-fit":
		v.look.one = !v.look.one && v.look.zoom == 1 && v.look.dx == 0 && v.look.dy == 0
		v.look.zoom, v.look.dx, v.look.dy = 1, 0, 0
	default:
		switch {
		case len(id) == len("preset-1") && id[:7] == "preset-":
			return v.preset(id[7:]), true
		case len(id) > 5 && id[:5] == "tool-":
			v.nudge(id[5:])
		default:
			return nil, false
		}
	}
	return v.sync(), true
}

func (v *viewer) step(d int) tea.Cmd {
	if len(v.slices) == 0 {
		return nil
	}
	to := max(0, min(v.at+d, len(v.slices)-1))
	if d != 0 {
		v.dir = d / int(math.Abs(float64(d)))
	}
	v.at = to
	return v.sync()
}

// presetNames by key; render has the numbers.
var presetNames = map[string]string{"1": "lung", "2": "bone", "3": "mediastinum", "4": "brain", "5": "liver", "6": "CTA"}

func (v *viewer) preset(key string) tea.Cmd {
	switch key {
	case "0":
		v.look.own, v.look.auto, v.look.name, v.look.invert = false, false, "", false
		return v.sync()
	case "7":
		v.look.own, v.look.auto, v.look.name = false, true, "full"
		return v.sync()
	}
	name := presetNames[key]
	w, ok := render.PresetWindow(name)
	if h := v.held(); !ok || h == nil || h.frame == nil || h.img.Pixel.Modality != "CT" {
		return v.r.say("warn", "presets are for CT: 7 full range, 0 as the file says")
	}
	v.look.win, v.look.own, v.look.auto, v.look.name = w, true, false, name
	return v.sync()
}

func (v *viewer) setTool(id string) {
	if v.tool == id {
		v.tool = ""
		return
	}
	v.tool = id
	if id == "probe" && v.painted.frame != nil {
		v.probe = [2]int{int(v.painted.view.CX), int(v.painted.view.CY)}
	}
}

// nudge moves what the tool moves.
func (v *viewer) nudge(where string) {
	n := 1.0
	if l := len(where); l > 2 && where[l-2:] == "10" {
		n, where = 10, where[:l-2]
	}
	d := map[string][2]float64{"left": {-1, 0}, "right": {1, 0}, "up": {0, -1}, "down": {0, 1}}[where]
	switch v.tool {
	case "window":
		v.rewindow(v.look, d[0]*n, -d[1]*n)
	case "pan":
		step := 8 / max(v.look.zoom, 0.25)
		v.look.dx += d[0] * n * step
		v.look.dy += d[1] * n * step
	case "probe":
		if f := v.painted.frame; f != nil {
			v.probe[0] = max(0, min(v.probe[0]+int(d[0]*n), f.Cols()-1))
			v.probe[1] = max(0, min(v.probe[1]+int(d[1]*n), f.Rows()-1))
		}
	}
}

// rewindow widens and moves the window in steps of a twentieth of its width.
func (v *viewer) rewindow(from look, wider, higher float64) {
	f := v.painted.frame
	if f == nil || f.Colour() {
		return
	}
	w := from.win
	if !from.own {
		w = f.used(render.Options{Auto: from.auto}).Window
	}
	step := max(w.Width/20, 0.5)
	w.Width = math.Round(max(1, w.Width+wider*step))
	w.Centre = math.Round(w.Centre + higher*step)
	w.Explanation = ""
	v.look.win, v.look.own, v.look.auto, v.look.name = w, true, false, ""
}

// mouse: wheel scrolls, right drag pans, left drag in window mode windows,
// middle drag zooms, and the pointer probes.
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
		if inside {
			v.drag = &drag{button: m.button, x: m.x, y: m.y, look: v.look}
		}
	case "release":
		v.drag = nil
		return v.sync()
	case "move":
		v.hover = [2]int{-1, -1}
		if inside {
			v.hover = [2]int{m.x - c.x, m.y - c.y}
		}
		if v.drag == nil {
			return nil
		}
		return v.dragTo(m)
	}
	return nil
}

func (v *viewer) dragTo(m mouseMsg) tea.Cmd {
	dx, dy := float64(m.x-v.drag.x), float64(m.y-v.drag.y)
	switch {
	case v.drag.button == tea.MouseLeft && v.tool == "window":
		v.rewindow(v.drag.look, dx, -dy*2)
	case v.drag.button == tea.MouseRight && v.painted.frame != nil:
		p := &v.painted
		v.look.dx = v.drag.look.dx - dx*float64(p.view.W)/float64(p.key.cols)/p.view.ScaleX
		v.look.dy = v.drag.look.dy - dy*float64(p.view.H)/float64(p.key.rows)/p.view.ScaleY
	case v.drag.button == tea.MouseMiddle:
		v.look.zoom, v.look.one = min(32, max(0.25, v.drag.look.zoom*math.Pow(1.08, -dy))), false
	default:
		return nil
	}
	return v.sync()
}

type cineMsg struct{ v *viewer }

func (v *viewer) cineTick() tea.Cmd {
	if !v.cine {
		return nil
	}
	return tea.Tick(time.Second/time.Duration(v.fps), func(time.Time) tea.Msg { return cineMsg{v} })
}

// onCine shows the next frame if the last one is on the screen: frames are
// dropped, never queued.
func (v *viewer) onCine(m cineMsg) tea.Cmd {
	if m.v != v || !v.cine || len(v.slices) == 0 {
		return nil
	}
	cmd := v.cineTick()
	if v.awaiting || v.drawing {
		return cmd
	}
	v.at = (v.at + 1) % len(v.slices)
	v.dir = 1
	return tea.Batch(cmd, v.sync())
}

func seriesName(se control.Series) string {
	s := ""
	if se.Number != nil {
		s = fmt.Sprintf("%d ", *se.Number)
	}
	name := line(se.Description)
	if name == "" {
		name = line(se.Modality + " " + se.BodyPart)
	}
	return s + name
}
