package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// panel lists the marks of the series: what each measures here, who made it,
// what its author measured where that differs.
func (v *viewer) drawPanel(w, h int) []string {
	th := v.r.th
	marks := v.inOrder()
	head := fmt.Sprintf("MARKS %d", len(marks))
	out := []string{fit(th.title.Render(head), max(0, w-8)) + th.dim.Render(right("m hides", 8))}
	var lines []string
	from, to := 0, 0
	for _, m := range marks {
		start := len(lines)
		lines = append(lines, v.panelEntry(m, w)...)
		if m.Entry == v.chosen {
			from, to = start, len(lines)
		}
	}
	if len(marks) == 0 {
		lines = []string{"", th.dim.Render(" none in this series"), th.dim.Render(" T chooses a tool")}
	}
	if n := v.hiddenAll(); n > 0 {
		out = append(out, th.warn.Render(fmt.Sprintf("%d hidden · H shows", n)))
	}
	room := max(1, h-len(out))
	top := max(0, min(from, len(lines)-room))
	if to > top+room {
		top = to - room
	}
	return block(append(out, lines[top:]...), w, h)
}

func (v *viewer) panelEntry(m control.Mark, w int) []string {
	th := v.r.th
	i := v.sliceOf(m)
	head := fmt.Sprintf("%s %s", v.nameOf(m.Entry), line(m.Tool))
	at := fmt.Sprintf("img %d", i+1)
	style := th.accent
	glyph := " "
	if m.Entry == v.chosen {
		style, glyph = th.sel, "▸"
	}
	lines := []string{style.Render(fit(glyph+fit(head, max(1, w-width(at)-2))+" "+at, w))}
	if words := valueWords(shownValues(m)); len(words) > 0 {
		for _, l := range wrap(strings.Join(words, " · "), max(4, w-3)) {
			lines = append(lines, "   "+l)
		}
	}
	if c := calibrationWord(shownValues(m)); c != "" {
		for _, l := range wrap(c, max(4, w-3)) {
			lines = append(lines, "   "+th.warn.Render(l))
		}
	}
	if c := checkWords(m); c != "" {
		for _, l := range wrap(c, max(4, w-3)) {
			lines = append(lines, "   "+th.warn.Render(l))
		}
	}
	who := line(m.AuthorName)
	if m.Mine {
		who = "you"
	}
	if l := line(m.Label); l != "" {
		who += ": " + l
	}
	if m.Replies > 0 {
		who += fmt.Sprintf(" · %d %s", m.Replies, map[bool]string{true: "reply", false: "replies"}[m.Replies == 1])
	}
	if len(m.Edits) > 1 {
		who += " · edited twice at once"
	}
	return append(lines, "   "+th.dim.Render(fit(who, max(1, w-3))), "")
}

// hiddenAll is how many marks of the series are hidden.
func (v *viewer) hiddenAll() int {
	n := 0
	for i := range v.marks {
		if m := &v.marks[i]; !m.Removed && v.hidden[m.Author] && v.sliceOf(*m) >= 0 {
			n++
		}
	}
	return n
}

// loadMarks reads the marks of the case with what this node measures.
func (c *casePage) loadMarks() tea.Cmd {
	return call(c.s, "marks", c.r.client, control.MarkList, control.MarkListRequest{Case: c.id}, func(marks []control.Mark, err error) tea.Cmd {
		if err != nil {
			return nil // those that are shown stay
		}
		cmds := []tea.Cmd{}
		for _, v := range c.panesShown() {
			v.caseID = c.id
			cmds = append(cmds, v.setMarks(marks))
		}
		return tea.Batch(cmds...)
	})
}
