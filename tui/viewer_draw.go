package tui

import (
	"fmt"
	"strings"

	"github.com/curbside-p2p/curbside/consult/render"
)

const permanent = "not for primary diagnosis · 8-bit"

// draw is the pane: a line with series and marks, the picture with its letters,
// the permanent tag, the readouts.
func (v *viewer) draw(on bool) []string {
	w, h := v.pane.w, v.pane.h
	th := v.r.th
	edges := v.edges()
	out := make([]string, 0, h)
	out = append(out, v.topLine(w, edges.Top, on))
	out = append(out, v.pictureLines(edges)...)
	left := th.dim.Render(fit(permanent, min(w, len([]rune(permanent)))))
	out = append(out, v.middle(left, edges.Bottom, th.warn.Render(v.toolWord()), w))
	out = append(out, th.text.Render(fit(v.status(), w)))
	return out
}

// middle puts a letter in the middle of a line between two texts, where it has room.
func (v *viewer) middle(left, letter, rightText string, w int) string {
	mid := w / 2
	if letter != "" && width(left) < mid && width(rightText) < w-mid-len(letter)-1 {
		s := fit(left, mid) + v.r.th.accent.Render(letter)
		return s + right(rightText, w-width(s))
	}
	if letter != "" {
		left += " " + v.r.th.accent.Render("▾"+letter)
	}
	gap := w - width(left) - width(rightText)
	if gap < 1 {
		return fit(left, w)
	}
	return left + strings.Repeat(" ", gap) + rightText
}

func (v *viewer) topLine(w int, letter string, on bool) string {
	th := v.r.th
	marks := th.warn.Render(strings.Join(v.tags(), " · "))
	room := max(8, w-width(marks)-2-len(letter)-6)
	name := fit(v.title, min(width(v.title), room)) // names are shortened, marks never
	style := th.dim
	if on {
		style = th.title
	}
	return fit(v.middle(style.Render(name), letter, marks, w), w)
}

// tags are the marks that must stay visible where true (TERMINAL.md §6).
func (v *viewer) tags() []string {
	var out []string
	p := v.painted
	if p.img != nil && p.img.Preview {
		out = append(out, "PREVIEW")
	}
	if p.img != nil && p.img.Pixel.Lossy {
		s := "LOSSY"
		if r := line(p.img.Pixel.LossyRatio); r != "" {
			s += " " + fit(r, min(width(r), 6)) + ":1"
		}
		out = append(out, s)
	}
	if p.frame != nil {
		for _, warn := range p.frame.f.Warnings() {
			if !strings.HasPrefix(warn, "lossy compression") { // said above, shorter
				out = append(out, line(warn))
			}
		}
	}
	if v.look.invert {
		out = append(out, "INVERTED")
	}
	total := v.series.Instances
	if e := v.series.Expected; e != nil && *e > total {
		total = *e
	}
	if v.series.SeriesUID != "" && v.series.Present < total {
		out = append(out, fmt.Sprintf("series %d of %d", v.series.Present, total))
	}
	if v.series.SeriesUID != "" && v.series.Expected == nil {
		out = append(out, "number of images unknown") // FORMATS §3.5: every screen that shows it says so
	}
	return out
}

func (v *viewer) edges() render.Edges {
	if v.painted.img == nil || v.painted.frame == nil {
		return render.Edges{}
	}
	return render.Orientation(v.painted.img.Pixel)
}

// pictureLines are the canvas rows with the letters at the sides. Image cells
// are joined as they are: their width is known and no style touches them.
func (v *viewer) pictureLines(e render.Edges) []string {
	c := v.canvas()
	th := v.r.th
	cells := v.painted.cells
	words := v.insteadOf()
	if words != nil {
		cells = centre(words, c.w, c.h)
	}
	blank := strings.Repeat(" ", c.w)
	out := make([]string, c.h)
	for y := range out {
		l, r := "  ", "  "
		if y == c.h/2 && words == nil {
			l, r = th.accent.Render(fit(e.Left, 2)), th.accent.Render(right(e.Right, 2))
		}
		row := blank
		switch {
		case words != nil:
			row = cells[y]
		case y < len(cells) && v.painted.key.cols == c.w:
			row = cells[y]
		case y < len(cells) && v.painted.key.cols < c.w && v.painted.key.backend == kitty:
			row = cells[y] + strings.Repeat(" ", c.w-v.painted.key.cols)
		}
		out[y] = l + row + r
	}
	return out
}

// insteadOf is what stands where no picture can.
func (v *viewer) insteadOf() []string {
	th := v.r.th
	w := max(10, v.pane.w-8)
	switch {
	case v.note != "":
		return centred(th.dim.Render, v.note, w)
	case v.r.caps.backend == noImage:
		return centred(th.dim.Render, "images are off (--graphics=off)", w)
	case v.painted.key.slice.sop == "":
		return centred(th.dim.Render, "loading…", w)
	case v.painted.frame == nil:
		why := v.painted.why
		if i := v.painted.key.at; i < len(v.slices) && v.slices[i].reason != "" {
			why = v.slices[i].reason
		}
		return centred(th.warn.Render, "cannot display: "+line(why), w)
	}
	return nil
}

func centred(style func(...string) string, s string, w int) []string {
	lines := wrap(s, w)
	for i := range lines {
		lines[i] = style(lines[i])
	}
	return lines
}

func (v *viewer) toolWord() string {
	switch v.tool {
	case "window":
		return "WINDOW: arrows, drag"
	case "pan":
		return "PAN: arrows"
	case "probe":
		return "PROBE: arrows"
	}
	if v.cine {
		return fmt.Sprintf("▸ %d fps", v.fps)
	}
	return ""
}

// status speaks of the picture that is painted; a slice that is still coming is
// named beside it.
func (v *viewer) status() string {
	if len(v.slices) == 0 {
		return ""
	}
	p := v.painted
	at := v.at
	if p.key.slice.sop != "" {
		at = p.key.at
	}
	parts := []string{fmt.Sprintf("img %d/%d", at+1, len(v.slices))}
	if at != v.at {
		parts[0] += fmt.Sprintf(" → %d …", v.at+1)
	}
	if p.frame != nil {
		parts = append(parts, v.windowWord(), v.zoomWord())
		if s := v.probeWord(); s != "" {
			parts = append(parts, s)
		}
		parts = append(parts, v.spacingWord())
	}
	parts = append(parts, p.key.backend.String())
	if v.latency > 0 && v.cine {
		parts = append(parts, fmt.Sprintf("ack %d ms", v.latency.Milliseconds()))
	}
	return strings.Join(parts, " · ")
}

func (v *viewer) windowWord() string {
	p := v.painted
	if p.frame.Colour() {
		return "colour"
	}
	s := fmt.Sprintf("W%.4g L%.4g", p.used.Width, p.used.Centre)
	switch {
	case p.key.look.name != "":
		s = p.key.look.name + " " + s
	case p.used.Source == render.FromAuto:
		s = "auto " + s
	case p.used.Source == render.FromLUT:
		s = "LUT"
	}
	return s
}

// zoomWord is screen pixels a source pixel.
func (v *viewer) zoomWord() string {
	p := v.painted
	if p.view.W == 0 {
		return ""
	}
	scale := p.view.ScaleX * float64(p.key.cols*p.key.cell[0]) / float64(p.view.W)
	return fmt.Sprintf("%.2gx", scale)
}

// probeWord reads native data under the pointer, or under the tool.
func (v *viewer) probeWord() string {
	p := v.painted
	var x, y int
	switch {
	case v.tool == "probe":
		x, y = v.probe[0], v.probe[1]
	case v.hover[0] >= 0 && p.key.cols > 0 && p.key.rows > 0:
		sx, sy := p.view.Source((float64(v.hover[0])+0.5)*float64(p.view.W)/float64(p.key.cols), (float64(v.hover[1])+0.5)*float64(p.view.H)/float64(p.key.rows))
		if sx < 0 || sy < 0 {
			return ""
		}
		x, y = int(sx), int(sy)
	default:
		return ""
	}
	val, ok := p.frame.probe(x, y)
	switch {
	case !ok:
		return ""
	case val.Colour:
		return fmt.Sprintf("%d,%d RGB %d %d %d", x, y, val.RGB[0], val.RGB[1], val.RGB[2])
	case val.Padding:
		return fmt.Sprintf("%d,%d padding", x, y)
	case val.Unit != "":
		return fmt.Sprintf("%d,%d %s %.4g", x, y, val.Unit, val.Value)
	}
	return fmt.Sprintf("%d,%d = %.5g", x, y, val.Value)
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
