package tui

import (
	"context"
	"fmt"
	"image/color"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/tui/raster"
)

// drawable is a frame that a command may draw while the model probes it.
type drawable struct {
	mu sync.Mutex
	f  *render.Frame // guarded by mu
}

func (d *drawable) Rows() int    { return d.f.Rows() }
func (d *drawable) Cols() int    { return d.f.Cols() }
func (d *drawable) Colour() bool { return d.f.Colour() }

func (d *drawable) used(o render.Options) render.Used {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.f.Used(o)
}

func (d *drawable) probe(x, y int) (render.Value, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.f.Probe(x, y)
}

// held is a frame in memory, or why there is none.
type held struct {
	img   control.Image
	frame *drawable
	why   string
	bytes int
	used  int // by the cache's clock
}

// cache keeps frames within a number of bytes; the least recently used go first.
type cache struct {
	by    map[slice]*held
	bytes int
	clock int
}

func (c *cache) get(s slice) *held {
	h := c.by[key(s)]
	if h != nil {
		c.clock++
		h.used = c.clock
	}
	return h
}

func key(s slice) slice { return slice{sop: s.sop, frame: s.frame} }

func (c *cache) put(s slice, h *held) {
	if c.by == nil {
		c.by = map[slice]*held{}
	}
	c.clock++
	h.used = c.clock
	c.by[key(s)] = h
	c.bytes += h.bytes
	for c.bytes > frameCacheBytes && len(c.by) > 1 {
		var oldest slice
		least := c.clock + 1
		for k, h := range c.by {
			if h.used < least {
				oldest, least = k, h.used
			}
		}
		c.bytes -= c.by[oldest].bytes
		delete(c.by, oldest)
	}
}

// dropFailures forgets what was not here, or only as a preview: it may be now.
func (c *cache) dropFailures() {
	for k, h := range c.by {
		if h.frame == nil || h.img.Preview {
			c.bytes -= h.bytes
			delete(c.by, k)
		}
	}
}

func (v *viewer) held() *held {
	if v.at >= len(v.slices) {
		return nil
	}
	return v.cache.get(v.slices[v.at])
}

// load asks for a frame; decoding is the node's, preparing for render is done
// in the command.
func (v *viewer) load(i int) tea.Cmd {
	s := v.slices[i]
	v.loading[i] = true
	req := control.FrameRequest{Study: v.study, SOPUID: s.sop, Frame: s.frame}
	return do(v.s, fmt.Sprint("frame ", i), callMax, func(ctx context.Context) (*held, error) {
		img, err := control.ImageFrame.Call(ctx, v.r.client, req)
		if err != nil {
			return nil, err
		}
		clean(&img)
		return prepare(img), nil
	}, func(h *held, err error) tea.Cmd {
		delete(v.loading, i)
		if err != nil {
			h = &held{why: explain(err)}
		}
		v.cache.put(s, h)
		return v.sync()
	})
}

func prepare(img control.Image) *held {
	h := &held{img: img, why: img.Reason, bytes: 1 << 12}
	if img.Native == nil {
		if h.why == "" {
			h.why = "not here yet"
		}
		return h
	}
	f, err := render.New(img.Native, img.Pixel)
	if err != nil {
		h.why = err.Error()
		return h
	}
	h.frame = &drawable{f: f}
	h.bytes += 2*len(img.Native.Data) + 16<<min(img.Native.BitsAllocated, 16)
	h.img.Native = nil // the frame has its own cells
	return h
}

// drawKey is everything that a picture depends on.
type drawKey struct {
	slice      slice
	at         int
	look       look
	cols, rows int
	backend    backend
	depth      raster.Depth
	cell       [2]int
	bits       int
	probe      [2]int
	marks      string
}

// picture is what goes to the terminal for one frame.
type picture struct {
	key   drawKey
	cells []string // rows of the canvas
	raw   string   // what is sent beside them
	view  raster.View
	frame *drawable
	img   *control.Image
	used  render.Used
	why   string
}

func (v *viewer) wanted() drawKey {
	c := v.canvas()
	k := drawKey{
		slice: key(v.slices[v.at]), at: v.at, look: v.look, cols: c.w, rows: c.h,
		backend: v.r.caps.backend, cell: v.r.caps.cell, bits: 8, probe: [2]int{-1, -1},
	}
	if v.r.caps.colours == colorprofile.ANSI256 {
		k.depth = raster.Grey256
	}
	if v.cine || v.drag != nil {
		k.bits = 6
	}
	if v.tool == "probe" {
		k.probe = v.probe
	}
	k.marks = fmt.Sprint(v.anchors())
	if k.backend == kitty {
		k.cols, k.rows = min(k.cols, raster.PlacementMax), min(k.rows, raster.PlacementMax)
	}
	return k
}

func (v *viewer) anchors() [][2]float64 {
	s := v.slices[v.at]
	return v.marks[fmt.Sprint(s.sop, " ", s.frame)]
}

// sync brings the screen towards what is wanted, one step at a time: load, then
// draw, then look ahead. It is called after every change.
func (v *viewer) sync() tea.Cmd {
	if v.at >= len(v.slices) || v.pane.w < 8 || v.pane.h < 5 || v.s.ctx.Err() != nil {
		return nil
	}
	h := v.held()
	if h == nil {
		if v.loading[v.at] || len(v.loading) >= loadsMax {
			return nil // called again when a load ends
		}
		return v.load(v.at)
	}
	if v.drawing || v.r.caps.backend == sixel && v.r.top() != nil {
		return nil
	}
	k := v.wanted()
	if k == v.painted.key || v.pending != nil && v.pending.key == k {
		return v.prefetch()
	}
	v.drawing = true
	marks := v.anchors()
	slot := v.r.caps.slot
	return do(v.s, "draw", callMax, func(context.Context) (picture, error) {
		return drawPicture(k, h, marks, slot)
	}, func(p picture, err error) tea.Cmd {
		v.drawing = false
		if err != nil {
			p = picture{key: k, why: "cannot draw this frame"}
		}
		return tea.Batch(v.deliver(p), v.sync())
	})
}

// pixels of one cell of the back end's canvas.
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

func drawPicture(k drawKey, h *held, marks [][2]float64, slot raster.Kitty) (picture, error) {
	p := picture{key: k, frame: h.frame, img: &h.img, why: h.why}
	if h.frame == nil || k.backend == noImage {
		return p, nil
	}
	o := render.Options{Invert: k.look.invert, Auto: k.look.auto}
	if k.look.own {
		o.Window = &k.look.win
	}
	h.frame.mu.Lock()
	p.used = h.frame.f.Used(o)
	src := h.frame.f.Draw(o)
	h.frame.mu.Unlock()
	p.view = k.place(h)
	img := raster.Render(src, p.view)
	img = raster.Draw(img, k.points(p.view, marks))
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
		p.cells = slot.Cells(k.cols, k.rows)
		raw, err := slot.Transmit(img, k.cols, k.rows)
		if err != nil {
			return p, err
		}
		p.raw = raw
	case noImage:
	}
	return p, nil
}

// place chooses the view: fit or zoomed, with the pixels' own shape and the
// cells'. Kitty scales by itself, so it gets no more than native resolution.
func (k drawKey) place(h *held) raster.View {
	gx, gy := k.grid()
	w, hh := k.cols*gx, k.rows*gy
	if k.backend == sixel {
		hh = hh / 6 * 6
	}
	aspect := pixelAspect(h.img) * (float64(k.cell[0]) / float64(gx)) / (float64(k.cell[1]) / float64(gy))
	v := raster.Fit(h.frame.Cols(), h.frame.Rows(), w, hh, aspect)
	if k.look.one {
		v = v.Zoom(1 / v.ScaleX)
	} else {
		v = v.Zoom(k.look.zoom)
	}
	if k.backend == kitty && v.ScaleX > 1 {
		shrink := v.ScaleX
		v.W, v.H = max(1, int(float64(v.W)/shrink)), max(1, int(float64(v.H)/shrink))
		v = v.Zoom(1 / shrink)
	}
	v.CX += k.look.dx
	v.CY += k.look.dy
	return v
}

// pixelAspect is a pixel's height over its width: spacing, else the aspect ratio.
func pixelAspect(img control.Image) float64 {
	for _, p := range []*[2]float64{img.Pixel.PixelSpacing, img.Pixel.ImagerSpacing, img.Pixel.AspectRatio} {
		if p != nil && p[0] > 0 && p[1] > 0 {
			return p[0] / p[1]
		}
	}
	return 1
}

var (
	markColour  = color.RGBA{255, 210, 0, 255}
	probeColour = color.RGBA{90, 220, 255, 255}
)

func (k drawKey) points(v raster.View, marks [][2]float64) []raster.Mark {
	var out []raster.Mark
	for _, m := range marks {
		x, y := v.Canvas(m[0], m[1])
		out = append(out, raster.Mark{X: int(x), Y: int(y), Color: markColour})
	}
	if k.probe[0] >= 0 {
		x, y := v.Canvas(float64(k.probe[0])+0.5, float64(k.probe[1])+0.5)
		out = append(out, raster.Mark{X: int(x), Y: int(y), Color: probeColour})
	}
	return out
}

// ackMsg ends the wait for a terminal that does not answer.
type ackMsg struct {
	v    *viewer
	beat int
}

// deliver paints, or keeps the picture until the terminal is ready for it.
func (v *viewer) deliver(p picture) tea.Cmd {
	if v.awaiting {
		v.pending = &p
		return nil
	}
	return v.paint(p)
}

func (v *viewer) paint(p picture) tea.Cmd {
	v.painted, v.pending = p, nil
	v.awaiting, v.sentAt = true, v.r.now()
	v.beat++
	beat := v.beat
	return tea.Sequence(v.send(), tea.RequestCursorPosition, tea.Tick(ackMax, func(time.Time) tea.Msg { return ackMsg{v, beat} }))
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

// acked: the terminal has dealt with the last picture.
func (v *viewer) acked(timeout bool) tea.Cmd {
	if !v.awaiting {
		return nil
	}
	v.awaiting = false
	if !timeout {
		v.latency = v.r.now().Sub(v.sentAt)
	}
	if v.pending != nil {
		return v.paint(*v.pending)
	}
	return v.sync()
}

// prefetch looks ahead in scroll direction, and half as far back.
func (v *viewer) prefetch() tea.Cmd {
	for d := 1; d <= prefetchAhead; d++ {
		for _, i := range []int{v.at + v.dir*d, v.at - v.dir*d} {
			if i < 0 || i >= len(v.slices) || i == v.at-v.dir*d && d > prefetchAhead/2 {
				continue
			}
			if v.loading[i] || v.cache.by[key(v.slices[i])] != nil {
				continue
			}
			if len(v.loading) >= loadsMax-1 {
				return nil // one place stays free for what the reader turns to next
			}
			return tea.Batch(v.load(i), v.prefetch())
		}
	}
	return nil
}
