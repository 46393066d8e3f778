package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// casePage is one case: series, image, thread and reports.
type casePage struct {
	r     *root
	s     *scope
	id    string
	d     control.CaseDetail
	note  string
	first bool // nothing loaded yet

	series  []seriesRow
	list    list
	thread  thread
	view    *viewer
	two     *viewer // beside it, when comparing
	right   bool    // keys go to two
	tie     link
	gate    gate
	panel   rect   // the list of marks
	marks   string // on or off, when the reader said so
	focus   string // series, image or thread
	full    bool
	draft   string // a reply that was not sent
	w, h    int
	studies map[string]control.StudyDetail
}

// seriesRow is a series, or the heading of its study.
type seriesRow struct {
	study string
	head  string
	se    control.Series
}

func newCase(r *root, id string) *casePage {
	c := &casePage{r: r, s: newScope(r.scope.ctx), id: id, note: "loading…", first: true, focus: "image", studies: map[string]control.StudyDetail{}}
	c.thread.c = c
	c.view = c.newPane(false)
	return c
}

func (c *casePage) title() string {
	if c.d.Case.Case == "" {
		return short(c.id)
	}
	s := short(c.d.Case.Case) + " " + line(c.d.Title)
	if c.d.Patient != "" {
		s += " · " + line(c.d.Patient)
	}
	s += " · " + stateWord(c.d.Case)
	if c.d.Deadline != nil {
		s += " · due " + c.d.Deadline.Local().Format("02 Jan 15:04")
	}
	return s
}

func (c *casePage) close() {
	c.s.close()
	for _, v := range c.panesShown() {
		v.close()
	}
}

func (c *casePage) typing() bool { return false }

func (c *casePage) contexts() []string {
	inner := c.image().contexts()
	if c.two != nil {
		inner = append(inner, "panes")
	}
	switch {
	case c.full:
		return append(inner, "full", "image", "all")
	case c.focus == "image":
		return append(inner, "image", "case", "all")
	case c.focus == "series":
		return []string{"series", "move", "case", "all"}
	}
	return []string{"thread", "move", "case", "all"}
}

func (c *casePage) open() tea.Cmd { return c.load(true) }

// load reads the case. A person looks at it, so a read receipt goes out once, on opening.
func (c *casePage) load(seen bool) tea.Cmd {
	return call(c.s, "case", c.r.client, control.CaseShow, control.CaseShowRequest{Case: c.id, Seen: seen}, func(d control.CaseDetail, err error) tea.Cmd {
		if err != nil {
			c.note = explain(err)
			return nil
		}
		c.d, c.note, c.id = d, "", d.Case.Case
		delete(c.r.news, c.id)
		c.thread.take()
		cmds := []tea.Cmd{c.loadMarks()}
		for _, st := range d.Studies {
			cmds = append(cmds, c.loadStudy(st.Study))
		}
		return tea.Batch(cmds...)
	})
}

func (c *casePage) loadStudy(id string) tea.Cmd {
	if id == "" {
		return nil
	}
	return call(c.s, "study "+id, c.r.client, control.StudyShow, control.StudyRequest{Study: id}, func(d control.StudyDetail, err error) tea.Cmd {
		if err != nil {
			return nil // still on its way: the row says how many images are here
		}
		c.studies[id] = d
		c.listSeries()
		if c.first && c.current() {
			c.first = false
			return c.begin()
		}
		var cmds []tea.Cmd
		for _, v := range c.panesShown() {
			for _, s := range d.SeriesList {
				if s.SeriesUID == v.series.SeriesUID && v.of.study == id {
					cmds = append(cmds, v.refresh(s))
				}
			}
		}
		return tea.Batch(cmds...)
	})
}

// current: the studies that the question is about are listed; priors may come later.
func (c *casePage) current() bool {
	for _, st := range c.d.Studies {
		if _, ok := c.studies[st.Study]; !ok && !st.Prior {
			return false
		}
	}
	return len(c.series) > 0
}

// begin shows the first image that somebody spoke of, else the middle of the best series.
func (c *casePage) begin() tea.Cmd {
	for _, e := range c.d.Entries {
		for i, row := range c.series {
			if a := e.Anchor; a != nil && row.head == "" && row.se.SeriesUID == a.SeriesUID && !e.Retracted {
				return c.showSeries(i, a.SOPUID, a.Frame)
			}
		}
	}
	return c.showSeries(c.best(), "", 0)
}

// best is the series to begin with: the one with most images, not of a prior.
func (c *casePage) best() int {
	best, most := 0, -1
	for i, row := range c.series {
		n := row.se.Instances
		if c.originOf(row.study).prior {
			n = 0
		}
		if row.head == "" && n > most {
			best, most = i, n
		}
	}
	c.list.to(best)
	return best
}

func (c *casePage) listSeries() {
	c.series = c.series[:0]
	for _, prior := range []bool{false, true} {
		for _, st := range c.d.Studies {
			d, ok := c.studies[st.Study]
			if st.Prior != prior || !ok {
				continue
			}
			head := dateWord(d.Date) + " " + line(d.Modality)
			if prior {
				head = "PRIOR " + head
			}
			c.series = append(c.series, seriesRow{study: st.Study, head: head})
			for _, se := range d.SeriesList {
				c.series = append(c.series, seriesRow{study: st.Study, se: se})
			}
		}
	}
	c.list.set(len(c.series))
}

func (c *casePage) showSeries(i int, sop string, frame int) tea.Cmd {
	if i < 0 || i >= len(c.series) || c.series[i].head != "" {
		return nil
	}
	c.list.to(i)
	return c.image().show(c.originOf(c.series[i].study), c.series[i].se, sop, frame)
}

// panes divides the page (TERMINAL.md §2.10): below 110 columns the thread
// takes the place of the image.
func (c *casePage) panes() (series, image, right rect) {
	w, h := c.w, c.h
	switch {
	case c.full:
		return rect{}, rect{0, 0, w, h}, rect{}
	case w < colsWide:
		sw := 19
		return rect{0, 0, sw, h}, rect{sw + 1, 0, w - sw - 1, h}, rect{sw + 1, 0, w - sw - 1, h}
	}
	sw, tw := 24, min(max(36, w/4), 56)
	return rect{0, 0, sw, h}, rect{sw + 1, 0, w - sw - tw - 2, h}, rect{w - tw, 0, tw, h}
}

func (c *casePage) narrow() bool { return c.w < colsWide && !c.full }

func (c *casePage) resize(w, h int) tea.Cmd {
	c.w, c.h = w, h
	_, image, _ := c.panes()
	return tea.Batch(c.divide(image), c.r.caps.repaint())
}

func (c *casePage) update(msg tea.Msg) tea.Cmd {
	if cmd, ok := c.viewMessage(msg); ok {
		return cmd
	}
	switch m := msg.(type) {
	case eventsMsg:
		for _, e := range m {
			if e.Case == "" && e.Event != "peer" && e.Event != "status" || e.Case == c.id {
				return c.load(false)
			}
		}
	case shownMsg:
		return tea.Batch(c.resize(c.w, c.h), c.r.caps.repaint())
	case mouseMsg:
		return c.mouse(m)
	case tea.KeyPressMsg:
		return c.key(m.String())
	}
	return nil
}

func (c *casePage) mouse(m mouseMsg) tea.Cmd {
	series, image, threadPane := c.panes()
	showsImage := !c.narrow() || c.focus != "thread"
	switch {
	case showsImage && (image.has(m.x, m.y) || m.kind != "click" && m.kind != "wheel"):
		if v := c.paneAt(m.x, m.y); v != nil && (m.kind == "click" || m.kind == "wheel") {
			c.right = v == c.two
		}
		if m.kind == "click" {
			c.focus = "image"
		}
		return c.image().mouse(m)
	case series.has(m.x, m.y) && m.kind == "click":
		c.focus = "series"
		from, _ := c.list.window(series.h - 1)
		return c.showSeries(from+m.y-1, "", 0)
	case threadPane.has(m.x, m.y):
		if m.kind == "click" {
			c.focus = "thread"
		}
		if m.kind == "wheel" {
			c.thread.scroll(map[bool]int{true: -3, false: 3}[m.button == tea.MouseWheelUp])
		}
	}
	return nil
}

func (c *casePage) key(key string) tea.Cmd {
	id := action(key, c.contexts()...)
	if c.focus == "image" || c.full {
		if cmd, ok := c.viewAct(id); ok {
			return cmd
		}
		if cmd, ok := c.image().act(id); ok {
			return cmd
		}
	}
	if c.focus == "series" && c.list.move(id, c.h) {
		return c.skipHeads(id)
	}
	if c.focus == "thread" && c.thread.key(id) {
		return nil
	}
	switch id {
	case "full", "full-off":
		c.full = id == "full"
		c.focus = "image"
		if !c.full && c.two != nil {
			return c.compare() // back to one
		}
		return tea.Batch(c.resize(c.w, c.h), tea.ClearScreen)
	case "pane", "right":
		return c.turn(1)
	case "pane-back", "left":
		return c.turn(-1)
	case "enter":
		if c.focus == "series" {
			c.focus = "image"
			return tea.Batch(c.showSeries(c.list.cur, "", 0), c.resize(c.w, c.h))
		}
		return c.follow()
	}
	return c.do(id)
}

var paneOrder = []string{"series", "image", "thread"}

func (c *casePage) turn(d int) tea.Cmd {
	i := slices.Index(paneOrder, c.focus)
	c.focus = paneOrder[(i+d+len(paneOrder))%len(paneOrder)]
	return tea.Batch(c.r.wipe(), c.resize(c.w, c.h))
}

func (c *casePage) skipHeads(id string) tea.Cmd {
	if c.list.cur < len(c.series) && c.series[c.list.cur].head != "" {
		if id == "up" || id == "half-up" || id == "first" {
			if c.list.cur > 0 {
				c.list.cur--
			} else {
				c.list.cur++
			}
		} else {
			c.list.cur++
		}
		c.list.to(c.list.cur)
	}
	return c.showSeries(c.list.cur, "", 0)
}

// follow goes to the image that the thread's entry speaks of.
func (c *casePage) follow() tea.Cmd {
	a := c.thread.anchor()
	if a == nil {
		return nil
	}
	for i, row := range c.series {
		if row.head == "" && row.se.SeriesUID == a.SeriesUID {
			c.focus, c.right = "image", false
			if e := c.thread.entries[c.thread.cur]; c.view.mark(e.Entry) != nil {
				c.view.chosen = e.Entry
				c.view.rev++
			}
			return tea.Batch(c.showSeries(i, a.SOPUID, a.Frame), c.resize(c.w, c.h))
		}
	}
	return c.r.say("warn", "that image is not here yet")
}

// do runs the case's actions.
func (c *casePage) do(id string) tea.Cmd {
	if c.d.Case.Case == "" {
		return nil
	}
	ref := control.CaseRequest{Case: c.id}
	switch id {
	case "reply":
		return c.r.open(newComposer(c.r, "Reply in "+short(c.id), c.draft, func(text string) tea.Cmd {
			return act(c.r, control.CaseReply, control.CaseReplyRequest{Case: c.id, Text: text}, "posted", nil)
		}, func(s string) { c.draft = s }))
	case "accept":
		return acceptCase(c.r, c.id, c.d.Studies)
	case "decline":
		return declineCase(c.r, c.id)
	case "report":
		return c.r.push(newReport(c.r, c.id, c))
	case "sign":
		return signCase(c.r, c.d)
	case "invite":
		return c.r.push(newInvite(c.r, c.id))
	case "acts":
		return c.acts()
	case "close":
		text := []string{"The case is closed for all its members. It can be opened again while it is kept."}
		if c.d.Report == nil {
			text = append(text, "There is no report yet.")
		}
		return c.r.open(newChoice(c.r, "Close "+short(c.id)+"?", text, []option{{"Cancel", nil}, {"Close the case", func() tea.Cmd {
			return act(c.r, control.CaseClose, ref, "closed "+short(c.id), nil)
		}}}))
	case "hand-off":
		return handOff(c.r, c.id)
	case "copy":
		return tea.Batch(tea.SetClipboard(c.id), c.r.say("good", "copied the case's id"))
	case "retry":
		for _, v := range c.panesShown() {
			v.cache.dropFailures()
		}
		return c.load(false)
	}
	return nil
}

func (c *casePage) draw(w, h int) []string {
	series, _, threadPane := c.panes()
	if c.note != "" && c.d.Case.Case == "" {
		return centre([]string{c.r.th.dim.Render(c.note), "", c.r.th.dim.Render("! try again · esc back")}, w, h)
	}
	if c.full {
		return c.drawImages(true)
	}
	bar := make([]string, h)
	for i := range bar {
		bar[i] = c.r.th.border.Render("│")
	}
	left := c.drawSeries(series)
	if c.narrow() {
		if c.focus == "thread" {
			return beside(left, bar, c.thread.draw(threadPane.w, threadPane.h))
		}
		return beside(left, bar, c.drawImages(c.focus == "image"))
	}
	return beside(left, bar, c.drawImages(c.focus == "image"), bar, c.thread.draw(threadPane.w, threadPane.h))
}

func (c *casePage) drawSeries(p rect) []string {
	th := c.r.th
	style := th.dim
	if c.focus == "series" {
		style = th.title
	}
	lines := []string{style.Render("SERIES")}
	from, to := c.list.window(p.h - 1)
	for i := from; i < to; i++ {
		row := c.series[i]
		if row.head != "" {
			lines = append(lines, th.dim.Render(fit(row.head, p.w)))
			continue
		}
		count := fmt.Sprint(row.se.Instances)
		if row.se.Expected == nil {
			count += "/?" // nobody said how many there should be
		}
		if row.se.Present < row.se.Instances {
			count = fmt.Sprintf("⇣%d/%d", row.se.Present, row.se.Instances)
		}
		mark := " "
		if row.se.SeriesUID == c.view.series.SeriesUID {
			mark = "▸"
		}
		if c.two != nil && row.se.SeriesUID == c.two.series.SeriesUID {
			mark = "▹"
		}
		s := fit(mark+seriesName(row.se), p.w-width(count)-1) + " " + count
		switch {
		case i == c.list.cur && c.focus == "series":
			s = th.sel.Render(s)
		case mark == "▸":
			s = th.selOff.Render(s)
		}
		lines = append(lines, s)
	}
	if len(c.series) == 0 {
		lines = append(lines, th.dim.Render(" images are"), th.dim.Render(" on their way"))
		for _, st := range c.d.Studies {
			lines = append(lines, th.dim.Render(fmt.Sprintf(" %d of %d here", st.Present, st.Listed)))
		}
	}
	return block(lines, p.w, p.h)
}

// members are the people of the case, in words.
func (c *casePage) members() string {
	var names []string
	for _, m := range c.d.Members {
		s := line(m.Name)
		if m.Verified {
			s += " ✓"
		} else if m.Person != c.r.me.Person {
			s += " ?"
		}
		names = append(names, s)
	}
	return strings.Join(names, ", ")
}
