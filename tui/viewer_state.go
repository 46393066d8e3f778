package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/tui/raster"
)

// stateKey is a presentation state on one image: what it means may differ from image to image.
type stateKey struct {
	state string
	slice slice
}

// chooseState lists the presentation states that concern this image.
func (v *viewer) chooseState() tea.Cmd {
	if v.at >= len(v.slices) || v.volume != nil {
		return v.r.say("warn", "presentation states are for images as they were taken")
	}
	at := key(v.slices[v.at])
	return v.askStates(at, func(list []control.PresentationInfo, err error) tea.Cmd {
		if err != nil {
			return v.r.say("bad", "✗ "+explain(err))
		}
		items := []option{{"as the file says", func() tea.Cmd {
			v.look = look{zoom: 1}
			return v.sync()
		}}}
		for _, p := range list {
			if p.Kind == "presentation" {
				items = append(items, v.stateOption(p, at))
			}
		}
		if len(items) == 1 {
			return v.r.say("warn", "no presentation states for this image")
		}
		return v.r.open(newPicker(v.r, "Presentation", items))
	})
}

func (v *viewer) stateOption(p control.PresentationInfo, at slice) option {
	label := strings.TrimSpace(line(p.Label) + " " + line(p.Description))
	if c := line(p.Creator); c != "" {
		label += " · " + nameWord(c)
	}
	if p.Reason != "" || p.State == nil {
		return option{label + " · not to be had: " + line(p.Reason), nil}
	}
	return option{label, func() tea.Cmd {
		v.states[stateKey{p.SOPUID, at}] = &p
		v.look = look{zoom: 1, state: p.SOPUID, turn: p.State.Turn}
		v.frameArea(p.State)
		return v.sync()
	}}
}

func (v *viewer) askStates(at slice, then func([]control.PresentationInfo, error) tea.Cmd) tea.Cmd {
	req := control.PresentationListRequest{Study: v.of.study, SOPUID: at.sop, Frame: at.frame}
	return call(v.s, "states "+at.sop, v.r.client, control.PresentationList, req, then)
}

// stateOf is the applied state on slice i; known is false while it is being asked for.
func (v *viewer) stateOf(i int) (p *control.PresentationInfo, known bool) {
	if v.look.state == "" || v.slices[i].cut.on {
		return nil, true
	}
	p, known = v.states[stateKey{v.look.state, key(v.slices[i])}]
	return p, known
}

// needState asks what the applied state means on the slice that is wanted: no
// picture is drawn without knowing.
func (v *viewer) needState() (cmd tea.Cmd, wait bool) {
	if _, known := v.stateOf(v.at); known {
		return nil, false
	}
	at, state := key(v.slices[v.at]), v.look.state
	return v.askStates(at, func(list []control.PresentationInfo, _ error) tea.Cmd {
		v.states[stateKey{state, at}] = nil // unless it is among them, this image is not its concern
		for _, p := range list {
			if p.SOPUID == state && p.State != nil {
				v.states[stateKey{state, at}] = &p
			}
		}
		return v.sync()
	}), true
}

// frameArea zooms to the displayed area (PS3.3 C.10.4): all of it is seen, as
// large as the pane allows.
func (v *viewer) frameArea(st *render.Presentation) {
	f := v.painted.frame
	if st.Area == nil || f == nil {
		return
	}
	w, h := float64(f.Cols()), float64(f.Rows())
	x0, y0 := st.Turn.Point(float64(min(st.Area.X0, st.Area.X1)-1), float64(min(st.Area.Y0, st.Area.Y1)-1), w, h)
	x1, y1 := st.Turn.Point(float64(max(st.Area.X0, st.Area.X1)), float64(max(st.Area.Y0, st.Area.Y1)), w, h)
	aspect := render.Aspect(v.painted.img.Pixel)
	if st.Turn.Swaps() {
		w, h, aspect = h, w, 1/aspect
	}
	aw, ah := max(x0, x1)-min(x0, x1), max(y0, y1)-min(y0, y1)
	if !(aw > 0 && ah > 0) {
		return
	}
	c := v.canvas()
	pw, ph := float64(c.w*v.r.caps.cell[0]), float64(c.h*v.r.caps.cell[1])
	fit := min(pw/w, ph/(h*aspect))
	v.look.zoom = min(zoomMax, max(zoomMin, min(pw/aw, ph/(ah*aspect))/fit))
	v.look.dx, v.look.dy = (x0+x1-w)/2, (y0+y1-h)/2
}

// stateShapes are the lines and texts of the applied state.
func (v *viewer) stateShapes(i int) []shape {
	p, _ := v.stateOf(i)
	if p == nil {
		return nil
	}
	var out []shape
	for _, l := range p.Paths {
		out = append(out, shape{paths: []annot.Path{{Points: l.Points, Closed: l.Closed}}, ink: raster.InkOther})
	}
	for _, t := range p.Texts {
		out = append(out, shape{paths: []annot.Path{{Points: [][2]float64{t.At}}}, ink: raster.InkOther, label: line(t.Text), bare: true})
	}
	return out
}

// stateTags say that a state is applied, whose it is, and what of it is not.
func (v *viewer) stateTags() []string {
	i := v.painted.key.at
	if v.painted.key.look.state == "" || i >= len(v.slices) {
		return nil
	}
	p, known := v.stateOf(i)
	switch {
	case !known:
		return nil
	case p == nil:
		return []string{"not in the presentation state"}
	}
	out := []string{"presentation " + strings.TrimRight(fit(line(p.Label), min(width(line(p.Label)), 16)), " ")}
	for _, f := range p.Findings {
		out = append(out, line(f))
	}
	return out
}
