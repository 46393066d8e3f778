package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
)

// cut is one image computed from a volume: a plane of an axis, or a projection
// of some of them. The zero value is none.
type cut struct {
	on    bool
	axis  render.Axis
	i     int
	thick int // images joined into a projection; 0 for a plane
}

// volume is a regular stack of the series, in memory.
type volume struct {
	vol   *render.Volume
	axis  render.Axis
	thick int
	// what the pane showed before
	slices []slice
	at     int
	look   look
}

// loadSlices reads where the images of the series lie, for linked scrolling and
// lines of reference. Frames do not wait for it.
func (v *viewer) loadSlices() tea.Cmd {
	if v.placed != nil || v.placing || v.of.study == "" || v.volume != nil {
		return nil
	}
	v.placing, v.asked = true, true
	return call(v.s, "slices", v.r.client, control.SeriesSlices, control.SeriesRequest{Study: v.of.study, SeriesUID: v.series.SeriesUID}, func(all []study.Slice, err error) tea.Cmd {
		v.placing = false
		if err != nil {
			return nil // no lines, then: nothing is guessed
		}
		v.placed = make(map[slice]render.Plane, len(all))
		for _, s := range all {
			if p, ok := render.PlaneOf(s); ok {
				v.placed[slice{sop: s.SOPUID, frame: s.Frame}] = p
			}
		}
		v.told = stackWords(all)
		cmds := []tea.Cmd{v.reorder(all)}
		for _, p := range v.peers() {
			p.relay()
			cmds = append(cmds, p.sync())
		}
		return tea.Batch(cmds...)
	})
}

// reorder brings frames into reading order: those of an enhanced object need not
// be stored so. Until all are known the order stays.
func (v *viewer) reorder(all []study.Slice) tea.Cmd {
	rank := make(map[slice]int, len(all))
	for i, s := range all {
		rank[slice{sop: s.SOPUID, frame: s.Frame}] = i
	}
	compare := func(a, b slice) int { return cmp.Compare(rank[key(a)], rank[key(b)]) }
	known := func(s slice) bool { _, ok := rank[key(s)]; return ok }
	if v.volume != nil || v.at >= len(v.slices) || slices.IsSortedFunc(v.slices, compare) ||
		slices.ContainsFunc(v.slices, func(s slice) bool { return !known(s) }) {
		return v.sync()
	}
	here := key(v.slices[v.at])
	for _, cancel := range v.loading {
		cancel()
	}
	v.loading, v.pictures = map[int]context.CancelFunc{}, gallery{}
	slices.SortStableFunc(v.slices, compare)
	return v.find(here.sop, here.frame)
}

// stackWords are the marks of each stack, and of several which one it is: how
// slices are ordered and where some are missing must be seen beside each of them.
func stackWords(all []study.Slice) map[slice][]string {
	out := map[slice][]string{}
	stacks := study.Stacks(all)
	for i := range stacks {
		words := stacks[i].Notes()
		if l := line(stacks[i].Label); l != "" {
			words = append(words, fmt.Sprintf("stack %d of %d: %s", i+1, len(stacks), l))
		}
		for _, s := range stacks[i].Slices {
			out[slice{sop: s.SOPUID, frame: s.Frame}] = words
		}
	}
	return out
}

// planeOf is where slice i lies, if that is known.
func (v *viewer) planeOf(i int) (render.Plane, bool) {
	if i < 0 || i >= len(v.slices) {
		return render.Plane{}, false
	}
	s := v.slices[i]
	if s.cut.on && v.volume != nil {
		return v.volume.vol.Plane(s.cut.axis, float64(s.cut.i)), s.cut.thick == 0
	}
	p, ok := v.placed[key(s)]
	return p, ok
}

// chooseVolume offers what can be computed of the series.
func (v *viewer) chooseVolume() tea.Cmd {
	if len(v.slices) == 0 {
		return nil
	}
	var items []option
	if v.volume != nil {
		items = append(items, option{"images as they were taken", v.leaveVolume})
	}
	add := func(label string, axis render.Axis, thick int) {
		items = append(items, option{label, func() tea.Cmd { return v.enterVolume(axis, thick) }})
	}
	for _, a := range []render.Axis{render.Axial, render.Coronal, render.Sagittal} {
		add("MPR "+a.String(), a, 0)
	}
	for _, a := range []render.Axis{render.Axial, render.Coronal, render.Sagittal} {
		add(fmt.Sprintf("MIP %s, %d images thick", a, slabThick), a, slabThick)
		add("MIP "+a.String()+", all", a, mipAll)
	}
	return v.r.open(newPicker(v.r, "Reformat", items))
}

const (
	slabThick = 8
	mipAll    = 1 << 20
)

// enterVolume shows a plane or a projection, after loading the whole stack the first time.
func (v *viewer) enterVolume(axis render.Axis, thick int) tea.Cmd {
	if v.volume != nil {
		v.showCuts(axis, thick, v.middle3())
		return v.sync()
	}
	v.cache.trim(cutCacheBytes) // the volume needs the room
	d := &progress{r: v.r, title: "Loading the volume", total: len(v.slices)}
	wanted, cancel := context.WithCancel(v.s.ctx)
	d.cancel = cancel
	req := control.SeriesRequest{Study: v.of.study, SeriesUID: v.series.SeriesUID}
	here := key(v.slices[v.at])
	build := do(v.s, "volume", volumeMax, func(ctx context.Context) (*render.Volume, error) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		defer context.AfterFunc(wanted, stop)()
		return buildVolume(ctx, v.r.client, req, here, d)
	}, func(vol *render.Volume, err error) tea.Cmd {
		cancel()
		gone := d.closed
		d.closed = true
		v.r.closeDone()
		switch {
		case gone || errors.Is(err, context.Canceled):
			return tea.Batch(v.r.wipe(), v.r.say("warn", "loading the volume was called off"), v.sync())
		case err != nil:
			return tea.Batch(v.r.wipe(), v.r.say("bad", "✗ "+line(err.Error())), v.sync())
		}
		centre, ok := v.planeOf(v.at)
		v.volume = &volume{vol: vol, slices: v.slices, at: v.at, look: v.look}
		v.look.turn, v.look.dx, v.look.dy, v.look.state = render.Turn{}, 0, 0, ""
		var at [3]float64
		if ok {
			at = centre.Point(float64(centre.Cols)/2, float64(centre.Rows)/2)
		} else {
			mid := vol.Plane(render.Axial, float64(vol.Count(render.Axial)/2))
			at = mid.Point(float64(mid.Cols)/2, float64(mid.Rows)/2)
		}
		v.showCuts(axis, thick, at)
		return tea.Batch(v.r.wipe(), v.lead())
	})
	return tea.Batch(v.r.open(d), build)
}

// buildVolume loads the stack that holds an image, slice by slice.
func buildVolume(ctx context.Context, c *control.Client, req control.SeriesRequest, here slice, d *progress) (*render.Volume, error) {
	all, err := control.SeriesSlices.Call(ctx, c, req)
	if err != nil {
		return nil, err
	}
	stacks := study.Stacks(all)
	i := slices.IndexFunc(stacks, func(st study.Stack) bool {
		return slices.ContainsFunc(st.Slices, func(s study.Slice) bool { return s.SOPUID == here.sop && s.Frame == here.frame })
	})
	if i < 0 {
		return nil, errors.New("where these images lie is not known")
	}
	st := stacks[i]
	d.set(0, len(st.Slices))
	debug.FreeOSMemory() // a volume is one piece: what scrolling left free is in many, and would stay beside it
	return render.NewVolume(st, func(i int) (*codec.Native, study.Pixel, error) {
		img, err := control.ImageFrame.Call(ctx, c, control.FrameRequest{Study: req.Study, SOPUID: st.Slices[i].SOPUID, Frame: st.Slices[i].Frame})
		if err != nil {
			return nil, study.Pixel{}, err
		}
		if img.Native == nil || img.Preview {
			return nil, study.Pixel{}, errors.New("not all images of the stack are here yet")
		}
		d.add()
		return img.Native, img.Pixel, nil
	}, several)
}

// several runs do for each of n, volumeLoads at a time.
func several(n int, do func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, volumeLoads) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// middle3 is the point in the patient that the pane shows in its middle.
func (v *viewer) middle3() [3]float64 {
	p, _ := v.planeOf(v.at)
	return p.Point(float64(p.Cols)/2, float64(p.Rows)/2)
}

// showCuts makes the images of an axis the slices of the pane.
func (v *viewer) showCuts(axis render.Axis, thick int, at [3]float64) {
	vol := v.volume
	vol.axis, vol.thick = axis, thick
	n := vol.vol.Count(axis)
	v.slices = nil
	steps := n
	if thick >= n {
		steps = 1
	}
	for i := range steps {
		v.slices = append(v.slices, slice{present: true, cut: cut{on: true, axis: axis, i: i, thick: min(thick, n)}})
	}
	v.at = 0
	if steps > 1 {
		v.at = vol.vol.Index(axis, at)
	}
	v.cine, v.pen, v.tool, v.chosen = false, nil, "", ""
	v.look.dx, v.look.dy, v.look.turn = 0, 0, render.Turn{}
	v.pictures = gallery{}
}

// leaveVolume goes back to the images as they were taken.
func (v *viewer) leaveVolume() tea.Cmd {
	if v.volume == nil {
		return nil
	}
	vol := v.volume
	v.volume = nil
	v.slices, v.at = vol.slices, vol.at
	v.look.turn, v.look.dx, v.look.dy = vol.look.turn, vol.look.dx, vol.look.dy
	v.pictures = gallery{}
	return v.lead()
}

// reformat computes an image of the volume.
func (v *viewer) reformat(i int) tea.Cmd {
	s, vol := v.slices[i], v.volume
	wanted, cancel := context.WithCancel(v.s.ctx)
	v.loading[i] = cancel
	sopClass := v.series.Modality
	return do(v.s, fmt.Sprint("frame ", i), callMax, func(context.Context) (*held, error) {
		if wanted.Err() != nil || vol == nil {
			return nil, context.Canceled
		}
		var r render.Reformat
		if s.cut.thick > 0 {
			from := s.cut.i - s.cut.thick/2
			r = vol.vol.MIP(s.cut.axis, render.Maximum, from, from+s.cut.thick-1)
		} else {
			r = vol.vol.Slice(s.cut.axis, s.cut.i)
		}
		if r.Pixel.Modality == "" {
			r.Pixel.Modality = sopClass
		}
		return prepare(control.Image{Native: r.Native, Pixel: r.Pixel}), nil
	}, func(h *held, err error) tea.Cmd { return v.loaded(i, s, h, err) })
}

// progress is a dialog that counts, and calls off.
type progress struct {
	r      *root
	title  string
	cancel context.CancelFunc
	closed bool

	mu    sync.Mutex
	n     int // guarded by mu
	total int // guarded by mu
}

func (d *progress) set(n, total int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n, d.total = n, total
}

func (d *progress) add() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
}

func (d *progress) done() bool         { return d.closed }
func (d *progress) contexts() []string { return []string{"progress"} }

func (d *progress) update(msg tea.Msg) tea.Cmd {
	if k, ok := msg.(tea.KeyPressMsg); ok && k.String() == "esc" {
		d.closed = true
		d.cancel()
	}
	return nil
}

func (d *progress) draw(w, _ int) []string {
	d.mu.Lock()
	n, total := d.n, max(d.total, 1)
	d.mu.Unlock()
	bw := min(w-4, 56)
	room := bw - 6
	full := min(room, room*n/total)
	bar := strings.Repeat("█", full) + strings.Repeat("░", room-full)
	lines := []string{"", "  " + bar, "", fmt.Sprintf("  %d of %d images · esc calls it off", n, total), ""}
	return d.r.th.box(d.title, lines, bw, len(lines)+2, true)
}
