package tui

import (
	"image"
	"math"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/tui/raster"
)

// drawKey is everything that a picture depends on.
type drawKey struct {
	slice      slice
	at         int
	look       look
	cols, rows int
	backend    backend
	depth      raster.Depth
	plain      bool // without colours
	cell       [2]int
	bits       int
	scene      string // what is drawn over it
}

// picture is what goes to the terminal for one frame.
type picture struct {
	key   drawKey
	cells []string // rows of the canvas
	raw   string   // what is sent beside them
	view  raster.View
	fit   float64 // scale of the view that fits
	frame *drawable
	img   *control.Image
	used  render.Used
	live  []string // values of the mark that is being drawn
	why   string
}

func (p *picture) size() int {
	n := 1<<10 + len(p.raw)
	if p.key.backend == kitty {
		return n // the cells are shared
	}
	for _, c := range p.cells {
		n += len(c)
	}
	return n
}

// source is the source point under a point of the canvas.
func (p *picture) source(x, y float64) (sx, sy float64) {
	x, y = p.view.Source(x, y)
	return p.key.look.turn.Source(x, y, float64(p.frame.Cols()), float64(p.frame.Rows()))
}

// canvas is where a source point lies on the canvas.
func (p *picture) canvas(at [2]float64) [2]float64 {
	x, y := p.key.look.turn.Point(at[0], at[1], float64(p.frame.Cols()), float64(p.frame.Rows()))
	x, y = p.view.Canvas(x, y)
	return [2]float64{x, y}
}

// hold keeps a source point within the image.
func (p *picture) hold(at [2]float64) [2]float64 {
	return [2]float64{
		min(max(at[0], 0), float64(p.frame.Cols())), min(max(at[1], 0), float64(p.frame.Rows())),
	}
}

// wanted is the key of the picture of slice i as things are now.
func (v *viewer) wanted(i int) drawKey {
	c := v.canvas()
	k := drawKey{
		slice: key(v.slices[i]), at: i, look: v.look, cols: c.w, rows: c.h,
		backend: v.r.caps.backend, cell: v.r.caps.cell, bits: 8, plain: v.r.caps.noColour,
	}
	if v.r.caps.colours == colorprofile.ANSI256 {
		k.depth = raster.Grey256
	}
	if moving := v.cine || v.drag != nil; moving && (k.backend == half || k.backend == sextant) {
		k.bits = 6
	}
	k.scene = v.sceneKey(i)
	if k.backend == kitty {
		k.cols, k.rows = min(k.cols, raster.PlacementMax), min(k.rows, raster.PlacementMax)
	}
	return k
}

// grid is the pixels of one cell of the back end's canvas.
func (k drawKey) grid() (x, y int) {
	switch k.backend {
	case half:
		return 1, 2
	case sextant:
		return 2, 3
	case sixel, kitty:
		return k.cell[0], k.cell[1]
	case noImage, ramp:
	}
	return 1, 1
}

func drawPicture(k drawKey, h *held, sc scene) (picture, error) {
	p := picture{key: k, frame: h.frame, img: &h.img, why: h.why}
	if h.frame == nil {
		return p, nil
	}
	o := k.options(sc)
	if k.backend == noImage {
		p.used = h.frame.used(o)
		return p, nil
	}
	h.frame.mu.Lock()
	p.used = h.frame.f.Used(o)
	src := k.look.turn.Image(h.frame.f.Draw(o))
	p.live = sc.measure(h.frame.f)
	h.frame.mu.Unlock()
	p.view, p.fit = k.place(h, !sc.empty())
	img := raster.Render(src, p.view)
	over, words := p.overlay(sc)
	if sc.loupe {
		img = p.magnify(img, src, sc.probe)
	}
	if k.backend == sixel {
		over.Texts = p.texts(words)
		words = nil
	}
	img = raster.Draw(img, over)
	cells := raster.CellOptions{Depth: k.depth, Bits: k.bits}
	switch k.backend {
	case half:
		p.cells = raster.Half(img, cells)
	case sextant:
		p.cells = raster.Sextant(img, cells)
	case ramp:
		p.cells = raster.Ramp(img)
	case sixel:
		p.raw = raster.Sixel(img)
	case kitty:
		p.cells = sc.slot.Cells(k.cols, k.rows)
		raw, err := sc.slot.Transmit(img, k.cols, k.rows)
		if err != nil {
			return p, err
		}
		p.raw = raw
	case noImage:
	}
	p.cells = overWords(p.cells, words, &p)
	return p, nil
}

// options are what the look asks of render.
func (k drawKey) options(sc scene) render.Options {
	o := render.Options{
		Invert: k.look.invert, Auto: k.look.auto, Choice: k.look.choice,
		HideOverlays: k.look.bare, LiftShutter: k.look.unshutter, State: sc.state,
	}
	if k.look.own {
		o.Window = &k.look.win
	}
	return o
}

// place chooses the view: fit or zoomed, with the pixels' own shape and the
// cells'. Kitty scales by itself, so it gets no more than native resolution,
// unless lines are drawn: those must be fine however coarse the pixels are.
func (k drawKey) place(h *held, fine bool) (view raster.View, fit float64) {
	gx, gy := k.grid()
	w, hh := k.cols*gx, k.rows*gy
	if k.backend == sixel {
		hh = hh / 6 * 6
	}
	cols, rows := h.frame.Cols(), h.frame.Rows()
	aspect := render.Aspect(h.img.Pixel)
	if k.look.turn.Swaps() {
		cols, rows, aspect = rows, cols, 1/aspect
	}
	aspect *= (float64(k.cell[0]) / float64(gx)) / (float64(k.cell[1]) / float64(gy))
	v := raster.Fit(cols, rows, w, hh, aspect)
	fit = v.ScaleX
	if k.look.one {
		v = v.Zoom(1 / v.ScaleX)
	} else {
		v = v.Zoom(k.look.zoom)
	}
	if k.backend == kitty && v.ScaleX > 1 {
		shrink := v.ScaleX
		if fine { // up to what the screen shows, within reason
			shrink = min(shrink, max(1, float64(max(v.W, v.H))/fineSide))
		}
		v.W, v.H = max(1, int(float64(v.W)/shrink)), max(1, int(float64(v.H)/shrink))
		v = v.Zoom(1 / shrink)
	}
	v.CX += k.look.dx
	v.CY += k.look.dy
	return v, fit
}

// gate lets one picture at a time to the terminal: the next goes when it has
// answered for the last. The panes of a page share one.
type gate struct {
	busy bool
	beat int // of the answer awaited, so that an old deadline does not end a new wait
	sent time.Time
	last *viewer
}

// ackMsg ends the wait for a terminal that does not answer.
type ackMsg struct {
	g    *gate
	beat int
}

// deliver paints, or keeps the picture until the terminal is ready for it.
func (v *viewer) deliver(p picture) tea.Cmd {
	if v.gate.busy {
		v.pending = &p
		return nil
	}
	return v.paint(p)
}

func (v *viewer) paint(p picture) tea.Cmd {
	v.painted, v.pending = p, nil
	v.shown++
	more := v.room()
	g := v.gate
	g.busy, g.sent, g.last = true, v.r.now(), v
	g.beat++
	beat := g.beat
	ask := tea.Sequence(v.send(), tea.RequestCursorPosition)
	if p.raw == "" { // cells go out with the next frame of the program, and the question after them
		ask = tea.Sequence(tea.Tick(frameTime, func(time.Time) tea.Msg { return nil }), tea.RequestCursorPosition)
	}
	cmds := []tea.Cmd{
		ask,
		tea.Tick(ackMax, func(time.Time) tea.Msg { return ackMsg{g, beat} }),
	}
	if more {
		cmds = append(cmds, v.sync())
	}
	return tea.Batch(cmds...)
}

// send transmits the painted picture, for the back ends that have something beside cells.
func (v *viewer) send() tea.Cmd {
	if v.painted.raw == "" {
		return nil
	}
	v.r.caps.sent = true
	if v.painted.key.backend == sixel {
		c := v.canvas()
		return tea.Raw(moveTo(c.x, c.y+1, v.painted.raw))
	}
	return tea.Raw(v.painted.raw)
}

// acked: the terminal has dealt with the last picture. The pane that waits
// longest is next.
func (g *gate) acked(now time.Time, timeout bool, panes []*viewer) tea.Cmd {
	if !g.busy {
		return nil
	}
	g.busy = false
	if !timeout && g.last != nil {
		g.last.latency = now.Sub(g.sent)
	}
	for _, first := range []bool{true, false} {
		for _, v := range panes {
			if v.pending != nil && (v != g.last) == first {
				return v.paint(*v.pending)
			}
		}
	}
	var cmds []tea.Cmd
	for _, v := range panes {
		cmds = append(cmds, v.roll(), v.sync())
	}
	return tea.Batch(cmds...)
}

// magnify lays a lens over the picture at a source point.
func (p *picture) magnify(img, src image.Image, at [2]float64) image.Image {
	side := int(float64(min(p.view.W, p.view.H)) * lensPart)
	if side < 4 {
		return img
	}
	x, y := p.key.look.turn.Point(at[0], at[1], float64(p.frame.Cols()), float64(p.frame.Rows()))
	lens := p.view
	lens.W, lens.H, lens.CX, lens.CY = side, side, x, y
	lens = lens.Zoom(max(lensTimes, lensTimes/p.view.ScaleX/2))
	cx, cy := p.view.Canvas(x, y)
	left := min(max(int(math.Round(cx))-side/2, 1), max(1, p.view.W-side-1))
	top := min(max(int(math.Round(cy))-side/2, 1), max(1, p.view.H-side-1))
	return raster.Paste(img, raster.Render(src, lens), image.Pt(left, top), raster.InkLine)
}
