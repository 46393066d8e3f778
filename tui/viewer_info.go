package tui

import (
	"fmt"
	"math"
	"strings"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/node/control"
)

const permanent = "not for primary diagnosis · 8-bit"

// nameMin is the room that names keep beside the marks, where the pane is wide enough.
const nameMin = 36

// tags are the marks that must stay visible where true (TERMINAL.md §6, IMAGING.md §5.8).
func (v *viewer) tags() []string {
	var out []string
	p := v.painted
	say := func(is bool, s string) {
		if is {
			out = append(out, s)
		}
	}
	l := p.key.look
	say(l.turn.Flip, "FLIPPED")
	say(l.turn.Quarters%4 != 0, fmt.Sprintf("TURNED %d°", clockwise(l.turn)))
	say(l.invert, "INVERTED")
	if p.img != nil && p.frame != nil {
		out = append(out, v.imageTags()...)
	}
	if v.at < len(v.slices) {
		for _, m := range v.marksOn(v.at) {
			say(m.Check == control.CheckDiffers, v.nameOf(m.Entry)+" differs from author's")
		}
	}
	say(v.linkWord() != "", v.linkWord())
	say(v.at < len(v.slices) && v.keyed(v.at), "KEY IMAGE")
	if n := v.hiddenCount(); n > 0 {
		say(true, fmt.Sprintf("%d %s hidden", n, plural(n, "mark")))
	}
	return append(out, v.seriesTags()...)
}

// clockwise is how far what is seen is turned: after the flip, as a reader thinks of it.
func clockwise(t render.Turn) int {
	q := t.Quarters % 4
	if t.Flip {
		q = (4 - q) % 4
	}
	return q * 90
}

func (v *viewer) imageTags() []string {
	var out []string
	p := v.painted
	px := &p.img.Pixel
	if p.img.Preview {
		out = append(out, "PREVIEW")
	}
	if px.Lossy {
		s := "LOSSY"
		if r := line(px.LossyRatio); r != "" {
			s += " " + fit(r, min(width(r), 6)) + ":1"
		}
		out = append(out, s)
	}
	for _, warn := range p.frame.f.Warnings() {
		if !strings.HasPrefix(warn, "lossy") {
			out = append(out, line(warn))
		}
	}
	if s := line(px.Laterality); s != "" {
		out = append(out, "side "+s)
	}
	if p.key.look.bare && len(p.frame.f.Overlays()) > 0 {
		out = append(out, "overlays hidden")
	}
	if px.Shutter != nil {
		if p.key.look.unshutter {
			out = append(out, "shutter lifted")
		} else {
			out = append(out, "shutter")
		}
	}
	return append(out, v.stateTags()...)
}

func (v *viewer) seriesTags() []string {
	var out []string
	if v.series.SeriesUID == "" {
		return nil
	}
	total := v.series.Instances
	if e := v.series.Expected; e != nil && *e > total {
		total = *e
	}
	if v.series.Present < total {
		out = append(out, fmt.Sprintf("INCOMPLETE %d of %d", v.series.Present, total))
	}
	if v.series.Expected == nil {
		out = append(out, "number of images unknown") // FORMATS §3.5: every screen that shows it says so
	}
	if v.at < len(v.slices) && v.volume == nil {
		out = append(out, v.told[key(v.slices[v.at])]...)
	}
	return out
}

func (v *viewer) toolWord() string {
	switch {
	case v.pen != nil:
		s := v.pen.prompt()
		if w := v.painted.live; len(w) > 0 {
			s = strings.Join(w[:min(len(w), 3)], " ") + " · " + s
		}
		if v.pen.sent {
			return "sending…"
		}
		return s
	case v.tool == "window":
		return "WINDOW: arrows, drag"
	case v.tool == "pan":
		return "PAN: arrows"
	case v.loupe:
		return fmt.Sprintf("MAGNIFIER ×%.0f: arrows", lensTimes)
	case v.tool == "probe":
		return "PROBE: arrows"
	case v.cine:
		return fmt.Sprintf("▸ %d fps", v.fps)
	case v.chosen != "":
		return v.chosenWord()
	}
	return v.pointWord()
}

// pointWord is what is under the pointer, as much of it as there is room for.
func (v *viewer) pointWord() string {
	at, ok := v.pointed()
	if !ok {
		return ""
	}
	room := v.pane.w - width(permanent) - 8
	parts := v.probeParts(at)
	for len(parts) > 1 && width(strings.Join(parts, " · ")) > room {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(parts, " · ")
}

// chosenWord speaks of the mark that is chosen.
func (v *viewer) chosenWord() string {
	m := v.mark(v.chosen)
	if m == nil {
		return ""
	}
	who := line(m.AuthorName)
	if m.Mine {
		who = "you"
	}
	s := v.markLabel(*m) + " · " + who
	switch {
	case m.Check == control.CheckDiffers && len(m.Values) > 0:
		s += " · author's " + valueWords(m.Values)[0]
	case checkWords(*m) != "":
		s += " · " + checkWords(*m)
	}
	if c := calibrationWord(shownValues(*m)); c != "" {
		s += " · " + c
	}
	return s
}

// statusLines speak of the picture that is painted: what must be said takes the
// lines that it needs, the rest what room is left.
func (v *viewer) statusLines(w int) []string {
	must, may := v.statusParts()
	var lines []string
	cur := ""
	for _, p := range must {
		if p == "" {
			continue
		}
		for width(p) > w {
			p = fit(p, w)
		}
		switch {
		case cur == "":
			cur = p
		case width(cur)+3+width(p) > w:
			lines, cur = append(lines, cur), p
		default:
			cur += " · " + p
		}
	}
	for _, p := range may {
		if p != "" && width(cur)+3+width(p) <= w {
			cur += " · " + p
		}
	}
	return append(lines, cur)
}

func (v *viewer) statusParts() (must, may []string) {
	if len(v.slices) == 0 {
		return nil, nil
	}
	p := &v.painted
	at := v.at
	if i := p.key.at; i < len(v.slices) && p.key.slice == key(v.slices[i]) {
		at = i
	}
	img := fmt.Sprintf("img %d/%d", at+1, len(v.slices))
	if v.volume != nil {
		img = fmt.Sprintf("%s %d/%d", v.volume.word(), at+1, len(v.slices))
	}
	if e := v.series.Expected; e != nil && v.volume == nil && *e > v.series.Instances {
		img += fmt.Sprintf(" of expected %d", *e)
	}
	must = append(must, img)
	if p.frame != nil {
		must = append(must, v.windowWord(), v.zoomWord(), v.spacingWord())
		if v.tool == "probe" || v.loupe {
			must = append(must, v.probeParts(v.probe)...)
		}
	}
	if at != v.at {
		may = append(may, fmt.Sprintf("→ %d …", v.at+1))
	}
	if v.latency > 0 && v.cine {
		may = append(may, fmt.Sprintf("ack %d ms", v.latency.Milliseconds()))
	}
	return must, append(may, p.key.backend.String())
}

func (vol *volume) word() string {
	switch {
	case vol.thick >= mipAll:
		return "MIP " + vol.axis.String()
	case vol.thick > 0:
		return fmt.Sprintf("MIP %s ×%d", vol.axis, vol.thick)
	}
	return "MPR " + vol.axis.String()
}

func (v *viewer) windowWord() string {
	p := &v.painted
	if p.frame.Colour() {
		return "colour"
	}
	s := fmt.Sprintf("W%.4g L%.4g", p.used.Width, p.used.Centre)
	switch {
	case p.key.look.name != "":
		s = line(p.key.look.name) + " " + s
	case p.used.Source == render.FromAuto:
		s = "auto " + s
	case p.used.Source == render.FromLUT:
		s = "LUT"
	}
	return s
}

// zoomWord is screen pixels a source pixel, and whether that fits.
func (v *viewer) zoomWord() string {
	p := &v.painted
	if p.view.W == 0 {
		return ""
	}
	scale := p.view.ScaleX * float64(p.key.cols*p.key.cell[0]) / float64(p.view.W)
	s := fmt.Sprintf("%.2gx", scale)
	if l := p.key.look; !l.one && l.zoom == 1 {
		s = "fit " + s
	}
	return s
}

// probeParts read native data at a source point: the value, where in the
// patient that is, what is stored.
func (v *viewer) probeParts(at [2]float64) []string {
	p := &v.painted
	if p.frame == nil {
		return nil
	}
	x, y := int(math.Floor(min(at[0], float64(p.frame.Cols())-0.5))), int(math.Floor(min(at[1], float64(p.frame.Rows())-0.5)))
	val, ok := p.frame.probe(x, y)
	if !ok {
		return nil
	}
	s := fmt.Sprintf("%d,%d ", x, y)
	switch {
	case val.Colour:
		s += fmt.Sprintf("RGB %d %d %d", val.RGB[0], val.RGB[1], val.RGB[2])
	case val.Padding:
		s += "padding"
	case val.Unit != "":
		s += fmt.Sprintf("%s %.4g", val.Unit, val.Value)
	default:
		s += fmt.Sprintf("= %.5g", val.Value)
	}
	if val.SUV != nil {
		s += fmt.Sprintf(" SUV %.3g", *val.SUV)
	}
	parts := []string{s}
	if mm := val.Patient; mm != nil {
		parts = append(parts, fmt.Sprintf("%.1f %.1f %.1f mm", mm[0], mm[1], mm[2]))
	}
	if !val.Colour && (val.Padding || val.Stored != val.Value) {
		parts = append(parts, fmt.Sprintf("stored %.6g", val.Stored))
	}
	return parts
}

func (v *viewer) spacingWord() string {
	c := render.Calibrate(v.painted.img.Pixel)
	switch {
	case !c.OK:
		return c.Label
	case c.DX == c.DY:
		return fmt.Sprintf("%.3g %s", c.DX, c.Label)
	}
	return fmt.Sprintf("%.3g×%.3g %s", c.DX, c.DY, c.Label)
}
