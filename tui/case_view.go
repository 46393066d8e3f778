package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// image is the pane that keys go to.
func (c *casePage) image() *viewer {
	if c.two != nil && c.right {
		return c.two
	}
	return c.view
}

// panesShown are the image panes, from left to right.
func (c *casePage) panesShown() []*viewer {
	if c.two != nil {
		return []*viewer{c.view, c.two}
	}
	return []*viewer{c.view}
}

// newPane makes an image pane of this page.
func (c *casePage) newPane(second bool) *viewer {
	slot := c.r.caps.slot
	if second {
		slot = c.r.caps.second()
	}
	v := newViewer(c.r, &c.gate, slot)
	v.peers, v.linked = c.panesShown, func() link { return c.tie }
	v.caseID = c.id
	return v
}

// originOf is whose images a row of the series list holds.
func (c *casePage) originOf(studyID string) origin {
	o := origin{study: studyID}
	d, ok := c.studies[studyID]
	if !ok {
		return o
	}
	o.studyUID, o.date, o.desc = d.StudyUID, dateWord(d.Date), line(d.Description)
	var who []string
	for _, s := range []string{nameWord(d.PatientName), line(d.PatientID), strings.TrimSpace(line(d.Age) + " " + line(d.Sex))} {
		if s != "" {
			who = append(who, s)
		}
	}
	if len(who) == 0 && c.d.Patient != "" {
		who = []string{line(c.d.Patient)}
	}
	o.patient = strings.Join(who, " ")
	for _, st := range c.d.Studies {
		if st.Study == studyID {
			o.prior = st.Prior
		}
	}
	return o
}

// compare puts a second pane beside the first: the newest prior of the same
// modality and part at first, else the next series.
func (c *casePage) compare() tea.Cmd {
	if c.two != nil {
		c.two.close()
		c.two, c.right, c.tie = nil, false, link{}
		return tea.Batch(c.resize(c.w, c.h), tea.ClearScreen)
	}
	i := c.comparable()
	if i < 0 {
		return c.r.say("warn", "nothing to compare with: one series is here")
	}
	c.two = c.newPane(true)
	c.two.marks, c.two.rev = c.view.marks, 1
	c.two.hidden = c.view.hidden
	c.full, c.focus, c.right = true, "image", true
	row := c.series[i]
	cmds := []tea.Cmd{c.resize(c.w, c.h), c.view.loadSlices(), c.two.show(c.originOf(row.study), row.se, "", 0), tea.ClearScreen}
	return tea.Batch(cmds...)
}

// comparable is the row to begin comparing with, or -1.
func (c *casePage) comparable() int {
	score := func(row seriesRow) int {
		if row.head != "" || row.se.SeriesUID == c.view.series.SeriesUID && row.study == c.view.of.study || row.se.Present == 0 {
			return -1
		}
		n := 0
		if c.originOf(row.study).prior {
			n += 4
		}
		if row.se.Modality == c.view.series.Modality {
			n += 2
		}
		if row.se.BodyPart == c.view.series.BodyPart {
			n++
		}
		return n
	}
	best, most := -1, -1
	for i, row := range c.series {
		if s := score(row); s > most {
			best, most = i, s
		}
	}
	return best
}

// chooseSeries puts another series into the pane that keys go to.
func (c *casePage) chooseSeries() tea.Cmd {
	var items []option
	head := ""
	for i, row := range c.series {
		if row.head != "" {
			head = row.head
			continue
		}
		items = append(items, option{head + " · " + seriesName(row.se), func() tea.Cmd { return c.showSeries(i, "", 0) }})
	}
	return c.r.open(newPicker(c.r, "Series", items))
}

// divide lays the image panes, and the list of marks beside them, out in a rectangle.
func (c *casePage) divide(image rect) tea.Cmd {
	c.panel = rect{}
	if c.full && c.listsMarks(image.w) {
		w := min(max(26, image.w/5), 44)
		c.panel = rect{image.x + image.w - w, image.y, w, image.h}
		image.w -= w + 1
	}
	if c.two == nil {
		return c.view.resize(image)
	}
	left, rest := image, image
	left.w = (image.w - 1) / 2
	rest.x, rest.w = image.x+left.w+1, image.w-left.w-1
	return tea.Batch(c.view.resize(left), c.two.resize(rest))
}

// listsMarks: the list of marks comes by itself where there is room for it.
func (c *casePage) listsMarks(w int) bool {
	if c.marks == "" {
		return w >= map[bool]int{false: colsWide, true: 180}[c.two != nil]
	}
	return c.marks == "on"
}

// drawImages are the image panes of the page.
func (c *casePage) drawImages(on bool) []string {
	bar := func(h int) []string {
		out := make([]string, h)
		for i := range out {
			out[i] = c.r.th.border.Render("│")
		}
		return out
	}
	out := c.view.draw(on && c.image() == c.view)
	if c.two != nil {
		out = beside(out, bar(len(out)), c.two.draw(on && c.image() == c.two))
	}
	if c.panel.w > 0 {
		out = beside(out, bar(len(out)), c.image().drawPanel(c.panel.w, c.panel.h))
	}
	return out
}

// viewAct are the keys of the image that concern the page.
func (c *casePage) viewAct(id string) (tea.Cmd, bool) {
	v := c.image()
	switch id {
	case "compare":
		return c.compare(), true
	case "link":
		return c.swapLink(), true
	case "other-pane":
		c.right = !c.right
		return nil, true
	case "series-choose":
		return c.chooseSeries(), true
	case "volume":
		return v.chooseVolume(), true
	case "presentation":
		return v.chooseState(), true
	case "marks":
		on := c.full && c.panel.w > 0
		c.marks = map[bool]string{true: "off", false: "on"}[on]
		c.full = true
		return tea.Batch(c.resize(c.w, c.h), tea.ClearScreen), true
	case "mark-thread":
		return c.toThread(v.chosen), true
	case "mark-reply":
		return c.replyTo(v), true
	}
	return nil, false
}

// toThread goes from a mark to what was said of it.
func (c *casePage) toThread(entry string) tea.Cmd {
	i := slices.IndexFunc(c.thread.entries, func(e control.Entry) bool { return e.Entry == entry })
	if i < 0 {
		return c.r.say("warn", "nothing of this mark is in the thread yet")
	}
	c.thread.reports, c.thread.cur, c.thread.follow = false, i, true
	c.focus, c.full = "thread", false
	return tea.Batch(c.r.wipe(), c.resize(c.w, c.h), tea.ClearScreen)
}

// replyTo writes into the thread of a mark.
func (c *casePage) replyTo(v *viewer) tea.Cmd {
	entry := v.chosen
	return c.r.open(newComposer(c.r, "Reply on "+v.nameOf(entry), c.draft, func(text string) tea.Cmd {
		return act(c.r, control.CaseReply, control.CaseReplyRequest{Case: c.id, Text: text, Anchor: entry}, "posted on "+v.nameOf(entry), nil)
	}, func(s string) { c.draft = s }))
}

// viewMessage is what the terminal and the clock say to the image panes.
func (c *casePage) viewMessage(msg tea.Msg) (tea.Cmd, bool) {
	switch m := msg.(type) {
	case repaintMsg:
		if c.narrow() && c.focus == "thread" {
			return nil, true
		}
		var cmds []tea.Cmd
		for _, v := range c.panesShown() {
			cmds = append(cmds, v.send())
		}
		return tea.Batch(cmds...), true
	case tea.CursorPositionMsg:
		return c.gate.acked(c.r.now(), false, c.panesShown()), true
	case ackMsg:
		if m.g == &c.gate && m.beat == c.gate.beat {
			return c.gate.acked(c.r.now(), true, c.panesShown()), true
		}
		return nil, true
	case cineMsg:
		for _, v := range c.panesShown() {
			if m.v == v {
				return v.onCine(m), true
			}
		}
		return nil, true
	}
	return nil, false
}

// paneAt is the image pane under a cell.
func (c *casePage) paneAt(x, y int) *viewer {
	for _, v := range c.panesShown() {
		if v.pane.has(x, y) {
			return v
		}
	}
	return nil
}
