package tui

import (
	"fmt"
	"math"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/tui/raster"
)

// link is how two panes scroll together: by position within one Frame of
// Reference, else by the offset that the reader set by linking them where they
// are (IMAGING.md §5.7).
type link struct {
	on     bool
	byPos  bool
	offset float64 // mm along the normal, or slices, that the second pane is ahead
	mm     bool
}

// linkNow links two panes as they stand.
func linkNow(a, b *viewer) link {
	l := link{on: true}
	pa, ok1 := a.planeOf(a.at)
	pb, ok2 := b.planeOf(b.at)
	switch {
	case ok1 && ok2 && pa.FrameOfRef != "" && pa.FrameOfRef == pb.FrameOfRef:
		l.byPos = true
	case ok1 && ok2 && alike(pa, pb):
		l.mm, l.offset = true, depth(pa, pb)-depth(pa, pa)
	default:
		l.offset = float64(b.at - a.at)
	}
	return l
}

// alike: the same direction within a few degrees, so that distances along it compare.
func alike(a, b render.Plane) bool {
	n, m := a.Normal(), b.Normal()
	return math.Abs(n[0]*m[0]+n[1]*m[1]+n[2]*m[2]) > 0.99
}

// depth is how far b lies along the normal of a.
func depth(a, b render.Plane) float64 {
	n := a.Normal()
	return n[0]*b.Origin[0] + n[1]*b.Origin[1] + n[2]*b.Origin[2]
}

// word is the mark of a link: it never goes without saying.
func (l link) word() string {
	switch {
	case !l.on:
		return ""
	case l.byPos:
		return "LINKED"
	case l.mm:
		return fmt.Sprintf("LINKED %+.1f mm", l.offset)
	}
	return fmt.Sprintf("LINKED %+.0f images", l.offset)
}

// follow turns this pane to what matches the leading one, if they are linked.
func (v *viewer) follow(lead *viewer) tea.Cmd {
	l := v.linked()
	if !l.on || len(v.slices) == 0 {
		return v.sync() // the line of reference has moved
	}
	to := v.at
	second := v.peers()[0] != v
	p, ok := lead.planeOf(lead.at)
	switch {
	case l.byPos && ok:
		to = v.nearestTo(p.FrameOfRef, p.Point(float64(p.Cols)/2, float64(p.Rows)/2))
	case l.mm && ok:
		off := l.offset
		if !second {
			off = -off
		}
		to = v.nearestDepth(p, depth(p, p)+off)
	case !l.byPos && !l.mm:
		off := int(l.offset)
		if !second {
			off = -off
		}
		to = lead.at + off
	}
	if to < 0 {
		return v.sync()
	}
	v.dir = lead.dir
	v.at = max(0, min(to, len(v.slices)-1))
	v.calm()
	return v.sync()
}

// nearestTo is the slice that a patient point is nearest to; -1 if that is not known.
func (v *viewer) nearestTo(frameOfRef string, pt [3]float64) int {
	planes := make([]render.Plane, len(v.slices))
	for i := range planes {
		if p, ok := v.planeOf(i); ok { // else it has no Frame of Reference
			planes[i] = p
		}
	}
	best, _ := render.Nearest(planes, frameOfRef, pt)
	return best
}

func (v *viewer) nearestDepth(along render.Plane, at float64) int {
	best, least := -1, math.Inf(1)
	for i := range v.slices {
		if p, ok := v.planeOf(i); ok {
			if d := math.Abs(depth(along, p) - at); d < least {
				best, least = i, d
			}
		}
	}
	return best
}

// relay has lines of reference drawn anew.
func (v *viewer) relay() { v.rev++ }

// references are the lines in which the other pane's images cut slice i: the
// current one, and dashed the first and the last.
func (v *viewer) references(i int) []shape {
	on, ok := v.planeOf(i)
	if !ok {
		return nil
	}
	var out []shape
	for _, o := range v.peers() {
		if o == v || len(o.slices) == 0 {
			continue
		}
		for _, k := range []int{0, len(o.slices) - 1, o.at} {
			p, ok := o.planeOf(k)
			if !ok || k != o.at && len(o.slices) < 3 {
				continue
			}
			s, ok := render.Localizer(on, p)
			if !ok {
				continue
			}
			l := shape{
				paths: []annot.Path{{Points: [][2]float64{{s.X0, s.Y0}, {s.X1, s.Y1}}}},
				ink:   raster.InkLine, dashed: k != o.at,
			}
			if k == o.at {
				l.label = fmt.Sprint(o.at + 1)
			}
			out = append(out, l)
		}
	}
	return out
}

// linkWord is what the pane says of its link.
func (v *viewer) linkWord() string {
	if len(v.peers()) < 2 {
		return ""
	}
	return v.linked().word()
}

// swapLink links or unlinks the panes.
func (c *casePage) swapLink() tea.Cmd {
	if c.two == nil {
		return c.r.say("warn", "one image only: c compares two")
	}
	if c.tie.on {
		c.tie = link{}
		return tea.Batch(c.view.sync(), c.r.say("good", "scrolling each by itself"))
	}
	c.tie = linkNow(c.view, c.two)
	return tea.Batch(c.image().lead(), c.r.say("good", "scrolling together: "+c.tie.word()))
}
