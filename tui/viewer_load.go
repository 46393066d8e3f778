package tui

import (
	"context"
	"errors"
	"fmt"
	"sync"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/node/control"
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

func key(s slice) slice { return slice{sop: s.sop, frame: s.frame, cut: s.cut} }

func (c *cache) put(s slice, h *held) {
	if c.by == nil {
		c.by = map[slice]*held{}
	}
	if old := c.by[key(s)]; old != nil {
		c.bytes -= old.bytes
	}
	c.clock++
	h.used = c.clock
	c.by[key(s)] = h
	c.bytes += h.bytes
	limit := frameCacheBytes
	if s.cut.on {
		limit = cutCacheBytes
	}
	c.trim(limit)
}

// trim drops the least recently used until few enough bytes are left.
func (c *cache) trim(limit int) {
	for c.bytes > limit && len(c.by) > 1 {
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
	if s.cut != (cut{}) {
		return v.reformat(i)
	}
	wanted, cancel := context.WithCancel(v.s.ctx)
	v.loading[i] = cancel
	req := control.FrameRequest{Study: v.of.study, SOPUID: s.sop, Frame: s.frame}
	return do(v.s, fmt.Sprint("frame ", i), callMax, func(ctx context.Context) (*held, error) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		defer context.AfterFunc(wanted, stop)()
		img, err := control.ImageFrame.Call(ctx, v.r.client, req)
		if err != nil {
			if wanted.Err() != nil {
				return nil, context.Canceled
			}
			return nil, err
		}
		clean(&img)
		return prepare(img), nil
	}, func(h *held, err error) tea.Cmd { return v.loaded(i, s, h, err) })
}

// loaded keeps a frame. One that was called off in flight is asked for again if
// the reader has come back to it.
func (v *viewer) loaded(i int, s slice, h *held, err error) tea.Cmd {
	if cancel := v.loading[i]; cancel != nil {
		cancel()
	}
	delete(v.loading, i)
	if errors.Is(err, context.Canceled) {
		return v.sync()
	}
	if err != nil {
		h = &held{why: explain(err), bytes: 1 << 10}
	}
	v.cache.put(s, h)
	if v.asked { // after the first picture: it does not wait for this
		return v.sync()
	}
	return tea.Batch(v.sync(), v.loadSlices())
}

// calm calls off what is being loaded far from where the reader is.
func (v *viewer) calm() {
	for i, cancel := range v.loading {
		if i < v.at-2*prefetchAhead || i > v.at+2*prefetchAhead {
			cancel()
		}
	}
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

// sync brings the screen towards what is wanted, one step at a time: load, then
// draw, then look ahead. It is called after every change.
func (v *viewer) sync() tea.Cmd {
	if v.at >= len(v.slices) || v.pane.w < 8 || v.pane.h < 5 || v.s.ctx.Err() != nil {
		return nil
	}
	v.room()
	h := v.held()
	if h == nil {
		if v.loading[v.at] != nil || len(v.loading) >= loadsMax {
			return nil // called again when a load ends
		}
		return tea.Batch(v.load(v.at), v.prefetch())
	}
	if cmd, wait := v.needState(); wait {
		return cmd
	}
	k := v.wanted(v.at)
	if k == v.painted.key || v.pending != nil && v.pending.key == k {
		return tea.Batch(v.prefetch(), v.drawAhead())
	}
	if v.r.caps.backend == sixel && v.r.top() != nil {
		return nil
	}
	if p, ok := v.pictures.get(k); ok {
		return tea.Batch(v.deliver(p), v.prefetch(), v.drawAhead())
	}
	if v.drawing {
		return nil
	}
	v.drawing = true
	sc := v.scene(v.at)
	return do(v.s, "draw", callMax, func(context.Context) (picture, error) {
		return drawPicture(k, h, sc)
	}, func(p picture, err error) tea.Cmd {
		v.drawing = false
		if err != nil {
			p = picture{key: k, why: "cannot draw this frame"}
		}
		v.pictures.put(p)
		return tea.Batch(v.deliver(p), v.sync())
	})
}

// prefetch looks ahead in scroll direction, and half as far back.
func (v *viewer) prefetch() tea.Cmd {
	var cmds []tea.Cmd
	for d := 1; d <= prefetchAhead; d++ {
		for _, i := range []int{v.at + v.dir*d, v.at - v.dir*d} {
			i = v.around(i)
			if i < 0 || i >= len(v.slices) || i == v.at-v.dir*d && d > prefetchAhead/2 {
				continue
			}
			if v.loading[i] != nil || v.cache.by[key(v.slices[i])] != nil {
				continue
			}
			if len(v.loading) >= loadsMax-1 {
				return tea.Batch(cmds...) // one place stays free for what the reader turns to next
			}
			cmds = append(cmds, v.load(i))
		}
	}
	return tea.Batch(cmds...)
}

// around: a cine begins again at its end.
func (v *viewer) around(i int) int {
	if v.cine && i >= len(v.slices) {
		return i - len(v.slices)
	}
	return i
}

// drawAhead draws the next pictures while the reader scrolls, so that a key only
// has to send one.
func (v *viewer) drawAhead() tea.Cmd {
	if v.ahead || v.drag != nil || v.pen != nil || !v.cine && v.r.now().Sub(v.stepped) > aheadFor {
		return nil
	}
	for d := 1; d <= prefetchAhead; d++ {
		i := v.around(v.at + v.dir*d)
		if i < 0 || i >= len(v.slices) {
			return nil
		}
		h := v.cache.by[key(v.slices[i])]
		if _, known := v.stateOf(i); h == nil || h.frame == nil || !known {
			continue
		}
		k := v.wanted(i)
		if v.pictures.has(k) {
			continue
		}
		v.ahead = true
		sc := v.scene(i)
		return do(v.s, "ahead", callMax, func(context.Context) (picture, error) {
			return drawPicture(k, h, sc)
		}, func(p picture, err error) tea.Cmd {
			v.ahead = false
			if err != nil {
				return nil
			}
			v.pictures.put(p)
			return tea.Batch(v.sync(), v.drawAhead())
		})
	}
	return nil
}

// gallery keeps what was drawn, within a number of bytes.
type gallery struct {
	by    map[drawKey]*drawn
	bytes int
	clock int
}

type drawn struct {
	p    picture
	used int
}

func (c *gallery) has(k drawKey) bool { return c.by[k] != nil }

func (c *gallery) get(k drawKey) (picture, bool) {
	d := c.by[k]
	if d == nil {
		return picture{}, false
	}
	c.clock++
	d.used = c.clock
	return d.p, true
}

func (c *gallery) put(p picture) {
	if p.frame == nil {
		return
	}
	if c.by == nil {
		c.by = map[drawKey]*drawn{}
	}
	if old := c.by[p.key]; old != nil {
		c.bytes -= old.p.size()
	}
	c.clock++
	c.by[p.key] = &drawn{p, c.clock}
	c.bytes += p.size()
	for c.bytes > pictureCacheBytes && len(c.by) > 1 {
		var oldest drawKey
		least := c.clock + 1
		for k, d := range c.by {
			if d.used < least {
				oldest, least = k, d.used
			}
		}
		c.bytes -= c.by[oldest].p.size()
		delete(c.by, oldest)
	}
}
