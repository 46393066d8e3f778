package tui

import (
	"strings"

	"github.com/curbside-p2p/curbside/consult/render"
)

// draw is the pane: who and what with the marks of the picture, the picture
// with its letters, the permanent tag with the tool, the readouts.
func (v *viewer) draw(on bool) []string {
	w, h := v.pane.w, v.pane.h
	th := v.r.th
	edges := v.edges()
	out := make([]string, 0, h)
	head, foot := v.rows()
	out = append(out, v.topLines(w, head, edges.Top, on)...)
	out = append(out, v.pictureLines(edges)...)
	out = append(out, v.tagLine(w, edges.Bottom))
	for _, l := range block(v.statusLines(w), w, foot-1) {
		out = append(out, th.text.Render(l))
	}
	return out
}

// room sees to it that what must be said has rows; true when the canvas has changed.
func (v *viewer) room() bool {
	head, foot := v.head, v.foot
	v.head = max(v.head, len(v.markLines(v.pane.w, len(v.edges().Top))))
	v.foot = max(v.foot, 1+len(v.statusLines(v.pane.w)))
	return head != v.head || foot != v.foot
}

// rows above and below the canvas: the same in all panes of a page, so that
// images stand side by side.
func (v *viewer) rows() (head, foot int) {
	head, foot = v.head, v.foot
	for _, p := range v.peers() {
		head, foot = max(head, p.head), max(foot, p.foot)
	}
	return head, foot
}

// markLines are the marks, as many lines as they need: none is ever cut. The
// first leaves room for a name.
func (v *viewer) markLines(w, letter int) []string {
	var lines []string
	cur := ""
	room := w - nameRoom(w) - letter - 3
	for _, t := range v.tags() {
		switch {
		case cur == "":
			cur = t
		case width(cur)+3+width(t) > room:
			lines = append(lines, cur)
			cur, room = t, w
		default:
			cur += " · " + t
		}
		for width(cur) > w { // one mark longer than the pane: broken, not cut
			parts := wrap(cur, w)
			lines, cur = append(lines, parts[:len(parts)-1]...), parts[len(parts)-1]
		}
	}
	if cur != "" {
		lines = append(lines, cur)
	}
	if len(lines) > 0 && width(lines[0]) > w-nameRoom(w)-letter-3 {
		lines = append([]string{""}, lines...)
	}
	return append(lines, "")[:max(1, len(lines))]
}

// nameRoom is the room that names keep beside the marks.
func nameRoom(w int) int { return min(nameMin, w*2/3) }

// topLines are the names at the left, shortened where they must be, and the marks.
func (v *viewer) topLines(w, n int, letter string, on bool) []string {
	th := v.r.th
	style := th.dim
	if on {
		style = th.title
	}
	marks := v.markLines(w, len(letter))
	out := make([]string, 0, n)
	first := th.warn.Render(marks[0])
	name := v.nameLine(w - width(marks[0]) - len(letter) - 3)
	out = append(out, fit(v.middle(style.Render(name), letter, first, w), w))
	for _, m := range marks[1:] {
		out = append(out, th.warn.Render(right(m, w)))
	}
	return block(out, w, n)
}

// nameLine is patient, study and series in the room there is: each gives way in turn, the
// series last.
func (v *viewer) nameLine(room int) string {
	if room < 4 {
		return ""
	}
	o := v.of
	parts := []string{o.patient, o.date, seriesName(v.series)}
	if o.prior {
		parts[1] = "PRIOR " + parts[1]
	}
	join := func() string {
		var s []string
		for _, p := range parts {
			if p != "" {
				s = append(s, p)
			}
		}
		return strings.Join(s, " · ")
	}
	for _, step := range [][2]int{{0, 10}, {2, 8}, {0, 4}, {2, 4}, {1, 10}} {
		over := width(join()) - room
		if over <= 0 {
			break
		}
		i := step[0]
		keep := max(step[1], width(parts[i])-over)
		parts[i] = strings.TrimRight(fit(parts[i], min(width(parts[i]), keep)), " ")
	}
	s := join()
	return strings.TrimRight(fit(s, min(width(s), room)), " ")
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

// tagLine has what is always true of a picture in a terminal, and the tool.
func (v *viewer) tagLine(w int, letter string) string {
	th := v.r.th
	tag := permanent
	left := th.dim.Render(fit(tag, min(w, width(tag))))
	room := w - width(tag) - len(letter) - 4
	tool := v.toolWord()
	return v.middle(left, letter, th.warn.Render(fit(tool, min(width(tool), max(0, room)))), w)
}

func (v *viewer) edges() render.Edges {
	if v.painted.img == nil || v.painted.frame == nil {
		return render.Edges{}
	}
	return v.painted.key.look.turn.Edges(render.Orientation(v.painted.img.Pixel))
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
	case v.painted.key.slice == slice{}:
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
