package tui

import (
	"context"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/tui/raster"
)

// rect is a part of a page, in cells.
type rect struct{ x, y, w, h int }

func (r rect) has(x, y int) bool { return x >= r.x && y >= r.y && x < r.x+r.w && y < r.y+r.h }

// slice is one frame of a series in reading order, or one plane of a volume.
type slice struct {
	sop     string
	frame   int
	present bool
	reason  string // why it cannot be displayed, when that is known before it is asked for
	cut     cut    // of a volume; zero for a frame of a file
}

// look is how frames of a series are shown.
type look struct {
	win       study.Window // the user's, when own
	own       bool
	choice    int    // which window of the file
	name      string // of the preset
	auto      bool
	invert    bool
	zoom      float64 // times fit
	one       bool    // one canvas pixel a source pixel
	dx, dy    float64 // pan, pixels of the turned source from the middle
	turn      render.Turn
	bare      bool   // overlays of the file are hidden
	unshutter bool   // what a shutter hides is shown
	state     string // presentation state that is applied
}

// origin is whose images these are: shown in the pane at all times.
type origin struct {
	study, studyUID string
	patient         string // name or pseudonym, id, age and sex
	date            string
	desc            string
	prior           bool
}

// viewer is one image pane. Frames are loaded and drawn by commands, one
// drawing at a time and always the newest wish; a picture is painted when the
// terminal has answered for the one before. So nothing queues, and a slow slice
// never paints over a newer one.
type viewer struct {
	r      *root
	s      *scope
	gate   *gate // shared by the panes of a page
	slot   raster.Kitty
	of     origin
	series control.Series
	slices []slice
	note   string // instead of an image: loading, failed, empty
	at     int    // the slice that is wanted
	dir    int
	look   look
	pane   rect // on the page
	tool   string
	probe  [2]float64 // source point, in the probe and magnifier tools
	hover  [2]float64 // cells of the canvas under the mouse; -1 none
	drag   *drag
	loupe  bool
	head   int // rows above and below the canvas: as many as what must be said needs
	foot   int

	marks   []control.Mark // of the case
	pen     *pen           // a mark that is being drawn or moved
	chosen  string         // the mark under the cursor, by entry
	hidden  map[string]bool
	undone  []string // deleted, not yet taken back in the case
	rev     int      // of marks, hidden and chosen
	caseID  string
	peers   func() []*viewer // the panes of the page, in order
	linked  func() link
	volume  *volume
	placed  map[slice]render.Plane
	told    map[slice][]string // what is said of the stack that an image is of
	placing bool
	asked   bool                                   // where the slices lie, since the series came or grew
	states  map[stateKey]*control.PresentationInfo // nil: the image is not the state's concern

	cache    cache
	pictures gallery
	loading  map[int]context.CancelFunc
	drawing  bool
	ahead    bool // a picture is being drawn in advance
	painted  picture
	pending  *picture
	latency  time.Duration
	cine     bool
	fps      int
	since    time.Time // of the cine
	from     int       // its first slice
	stepped  time.Time // the last scrolling
	shown    int       // pictures painted, for measuring
}

type drag struct {
	button tea.MouseButton
	fx, fy float64
	look   look
}

func newViewer(r *root, g *gate, slot raster.Kitty) *viewer {
	v := &viewer{r: r, gate: g, slot: slot, fps: 12, hover: [2]float64{-1, -1}, note: "no series chosen", hidden: map[string]bool{}, peers: func() []*viewer { return nil }, linked: func() link { return link{} }}
	v.reset()
	return v
}

func (v *viewer) reset() {
	if v.s != nil {
		v.s.close()
	}
	v.s = newScope(v.r.scope.ctx)
	v.cache, v.loading, v.pictures = cache{}, map[int]context.CancelFunc{}, gallery{}
	v.slices, v.at, v.dir, v.tool, v.cine, v.pen, v.loupe = nil, 0, 1, "", false, nil, false
	v.look, v.head, v.foot = look{zoom: 1}, 1, 2
	v.volume, v.placed, v.told, v.placing, v.asked = nil, nil, nil, false, false
	v.states = map[stateKey]*control.PresentationInfo{}
	v.drawing, v.ahead, v.pending, v.painted = false, false, nil, picture{}
}

// close ends the calls and takes the picture out of memory.
func (v *viewer) close() {
	v.s.close()
	v.cache, v.pictures, v.volume = cache{}, gallery{}, nil
	v.painted, v.pending = picture{}, nil
}

// show starts a series, at a frame of it when sop is given.
func (v *viewer) show(of origin, se control.Series, sop string, frame int) tea.Cmd {
	if v.of.study == of.study && v.series.SeriesUID == se.SeriesUID && len(v.slices) > 0 && v.volume == nil {
		v.of, v.series = of, se
		return v.find(sop, frame)
	}
	v.reset()
	v.of, v.series, v.note = of, se, "loading…"
	return call(v.s, "series", v.r.client, control.SeriesShow, control.SeriesRequest{Study: of.study, SeriesUID: se.SeriesUID}, func(rows []control.InstanceRow, err error) tea.Cmd {
		if err != nil {
			v.note = "cannot list this series: " + explain(err)
			return nil
		}
		v.list(rows)
		if sop == "" {
			v.at = len(v.slices) / 2 // the middle says more than the first
			return tea.Batch(v.sync(), v.placeIfPaired())
		}
		return tea.Batch(v.find(sop, frame), v.placeIfPaired())
	})
}

// placeIfPaired: where slices lie is asked for when another pane wants to know.
func (v *viewer) placeIfPaired() tea.Cmd {
	if len(v.peers()) < 2 {
		return nil
	}
	return v.loadSlices()
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
	if v.series.SeriesUID != se.SeriesUID || v.of.study == "" || v.volume != nil {
		return nil
	}
	more := se.Present != v.series.Present || len(v.slices) == 0
	v.series = se
	if !more {
		return nil
	}
	return call(v.s, "series", v.r.client, control.SeriesShow, control.SeriesRequest{Study: v.of.study, SeriesUID: se.SeriesUID}, func(rows []control.InstanceRow, err error) tea.Cmd {
		if err != nil {
			return nil // the frames that are shown stay
		}
		here := slice{}
		if v.at < len(v.slices) {
			here = v.slices[v.at]
		}
		v.list(rows)
		v.cache.dropFailures()
		v.placed, v.asked = nil, false
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
	if pane != v.pane {
		v.head, v.foot = 1, 2
	}
	v.pane = pane
	v.hover = [2]float64{-1, -1}
	v.room()
	return v.sync()
}

// canvas is the part of the pane that holds the picture: two cells at the
// sides for the letters, above and below the lines that draw needs.
func (v *viewer) canvas() rect {
	head, foot := v.rows()
	return rect{v.pane.x + 2, v.pane.y + head, max(1, v.pane.w-4), max(1, v.pane.h-head-foot)}
}

// step scrolls; panes that are linked follow.
func (v *viewer) step(d int) tea.Cmd {
	if len(v.slices) == 0 {
		return nil
	}
	if d != 0 {
		v.dir = 1
		if d < 0 {
			v.dir = -1
		}
	}
	return v.jump(v.at + d)
}

func (v *viewer) jump(to int) tea.Cmd {
	v.at = max(0, min(to, len(v.slices)-1))
	if v.cine {
		v.since, v.from = v.r.now(), v.at
	}
	return v.lead()
}

// lead shows the slice that is wanted, here and in the panes that follow.
func (v *viewer) lead() tea.Cmd {
	v.calm()
	v.stepped = v.r.now()
	cmds := []tea.Cmd{v.sync()}
	for _, p := range v.peers() {
		if p != v {
			cmds = append(cmds, p.follow(v))
		}
	}
	return tea.Batch(cmds...)
}

// askSlice jumps to a number that is typed.
func (v *viewer) askSlice() tea.Cmd {
	n := len(v.slices)
	if n == 0 {
		return nil
	}
	return v.r.open(newPrompt(v.r, "Go to image", []string{fmt.Sprintf("1 to %d", n)}, false, func(s string) tea.Cmd {
		var to int
		if _, err := fmt.Sscan(s, &to); err != nil || to < 1 || to > n {
			return v.r.say("warn", fmt.Sprintf("an image has a number from 1 to %d", n))
		}
		return v.jump(to - 1)
	}))
}

type cineMsg struct{ v *viewer }

func (v *viewer) play() tea.Cmd {
	v.cine = !v.cine
	v.since, v.from = v.r.now(), v.at
	return tea.Batch(v.cineTick(), v.sync())
}

func (v *viewer) faster(d int) {
	v.fps = max(1, min(60, v.fps+d))
	v.since, v.from = v.r.now(), v.at
}

func (v *viewer) cineTick() tea.Cmd {
	if !v.cine {
		return nil
	}
	return tea.Tick(time.Second/time.Duration(v.fps), func(time.Time) tea.Msg { return cineMsg{v} })
}

// onCine looks at the clock again after a while.
func (v *viewer) onCine(m cineMsg) tea.Cmd {
	if m.v != v || !v.cine {
		return nil
	}
	return tea.Batch(v.cineTick(), v.roll())
}

// roll turns to the frame that the clock says, if the last one is on the
// screen: frames are dropped, never queued, and the speed stays true.
func (v *viewer) roll() tea.Cmd {
	if !v.cine || len(v.slices) == 0 || v.gate.busy || v.drawing {
		return nil
	}
	steps := int(v.r.now().Sub(v.since).Seconds()*float64(v.fps) + 0.5)
	to := (v.from + max(1, steps)) % len(v.slices)
	if to == v.at {
		return nil
	}
	v.at, v.dir = to, 1
	return v.lead()
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
