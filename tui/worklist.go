package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// worklist is the inbox, or what one has sent.
type worklist struct {
	r      *root
	s      *scope
	sent   bool
	all    []control.Case // as the node gave them
	rows   []control.Case // of this tab, filtered and sorted
	list   list
	order  int
	filter textinput.Model
	typed  bool // the filter has the keys
	note   string
	h      int
}

// due is as the node sorts: critical findings, then what is to be done next.
var orders = []string{"due", "newest", "unread"}

func newWorklist(r *root, sent bool) *worklist {
	w := &worklist{r: r, s: newScope(r.scope.ctx), sent: sent, filter: newInput(r.th), note: "loading…"}
	w.filter.Prompt = "/"
	w.filter.CharLimit = filterMax
	return w
}

func (w *worklist) title() string {
	name := "Inbox"
	if w.sent {
		name = "Sent"
	}
	n := 0
	for _, c := range w.all {
		if c.Mine == w.sent && c.Unread > 0 {
			n++
		}
	}
	if n > 0 {
		return fmt.Sprintf("%s (%d)", name, n)
	}
	return name
}

func (w *worklist) close()       { w.s.close() }
func (w *worklist) typing() bool { return w.typed }
func (w *worklist) forget()      { w.all, w.rows = nil, nil; w.list.set(0) }
func (w *worklist) contexts() []string {
	c := []string{"list", "inbox", "move", "tabs", "all"}
	if w.filter.Value() != "" {
		c = append([]string{"filtered"}, c...)
	}
	return c
}

func (w *worklist) open() tea.Cmd {
	return call(w.s, "list", w.r.client, control.CaseList, control.None{}, func(cases []control.Case, err error) tea.Cmd {
		if err != nil {
			w.note = explain(err)
			return nil
		}
		w.note = ""
		for _, t := range w.r.tabs[:2] { // one answer serves both tabs
			t.(*worklist).take(cases)
		}
		return nil
	})
}

func (w *worklist) take(cases []control.Case) {
	w.all, w.note = cases, ""
	w.arrange()
}

// arrange filters and sorts; the cursor stays on its case.
func (w *worklist) arrange() {
	cur := w.current().Case
	words := strings.Fields(strings.ToLower(w.filter.Value()))
	w.rows = w.rows[:0]
	for _, c := range w.all {
		if c.Mine != w.sent {
			continue
		}
		hay := strings.ToLower(strings.Join([]string{c.Case, c.Title, c.From, c.State, c.Priority, c.Patient, c.PatientName, c.PatientID, c.Question, strings.Join(c.Flags, " ")}, " "))
		if c.Unread > 0 {
			hay += " unread"
		}
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(hay, word) }) {
			w.rows = append(w.rows, c)
		}
	}
	slices.SortStableFunc(w.rows, func(a, b control.Case) int {
		switch orders[w.order] {
		case "newest":
			return b.Created.Compare(a.Created)
		case "unread":
			return cmp.Or(cmp.Compare(b.Unread, a.Unread), b.Created.Compare(a.Created))
		}
		return 0
	})
	w.list.set(len(w.rows))
	for i, c := range w.rows {
		if c.Case == cur {
			w.list.cur = i
		}
	}
}

func (w *worklist) current() control.Case {
	if w.list.cur < len(w.rows) {
		return w.rows[w.list.cur]
	}
	return control.Case{}
}

func (w *worklist) resize(_, h int) tea.Cmd { w.h = h; return nil }

func (w *worklist) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case eventsMsg, shownMsg:
		return w.open()
	case mouseMsg:
		return w.mouse(m)
	case tea.KeyPressMsg:
		if w.typed {
			return w.typeFilter(m)
		}
		return w.key(m.String())
	}
	if w.typed {
		var cmd tea.Cmd
		w.filter, cmd = w.filter.Update(msg)
		w.arrange()
		return cmd
	}
	return nil
}

func (w *worklist) typeFilter(m tea.KeyPressMsg) tea.Cmd {
	switch m.String() {
	case "esc":
		w.filter.Reset()
		w.typed = false
	case "enter":
		w.typed = false
	case "down", "up":
		w.list.move(m.String(), w.h)
		return nil
	default:
		var cmd tea.Cmd
		w.filter, cmd = w.filter.Update(m)
		w.arrange()
		return cmd
	}
	w.arrange()
	return nil
}

func (w *worklist) key(key string) tea.Cmd {
	id := action(key, w.contexts()...)
	if w.list.move(id, w.rowsHigh()) {
		return nil
	}
	switch id {
	case "filter":
		w.typed = true
		return nil
	case "filter-clear":
		w.filter.Reset()
		w.arrange()
		return nil
	case "views":
		return w.chooseView()
	case "sort":
		w.order = (w.order + 1) % len(orders)
		w.arrange()
		return nil
	case "new":
		return w.r.push(newRequest(w.r, ""))
	case "retry":
		return w.open()
	}
	c := w.current()
	if c.Case == "" {
		return nil
	}
	switch id {
	case "enter":
		return w.r.push(newCase(w.r, c.Case))
	case "accept":
		return acceptCase(w.r, c.Case, c.Studies)
	case "decline":
		return declineCase(w.r, c.Case)
	case "report":
		return w.r.push(newReport(w.r, c.Case, nil))
	}
	return nil
}

func (w *worklist) mouse(m mouseMsg) tea.Cmd {
	switch m.kind {
	case "wheel":
		w.list.move(map[bool]string{true: "up", false: "down"}[m.button == tea.MouseWheelUp], w.h)
	case "click":
		from, to := w.list.window(w.rowsHigh())
		i := from + m.y - 2
		if m.y < 2 || i >= to {
			return nil
		}
		if i == w.list.cur {
			return w.r.push(newCase(w.r, w.current().Case))
		}
		w.list.to(i)
	}
	return nil
}

const previewHigh = 7

func (w *worklist) rowsHigh() int { return max(1, w.h-2-previewHigh) }

func (w *worklist) draw(width, h int) []string {
	th := w.r.th
	out := make([]string, 0, h)
	out = append(out, w.headLine(width), th.dim.Render(fit(w.columns(width, "", "AGE", "CASE", "STUDY", "FROM", "STATE", "IMAGES", "NEW"), width)))
	rows := max(1, h-2-previewHigh)
	from, to := w.list.window(rows)
	for i := from; i < to; i++ {
		out = append(out, w.row(w.rows[i], width, i == w.list.cur))
	}
	if len(w.rows) == 0 {
		out = append(out, centre([]string{th.dim.Render(w.empty())}, width, min(rows, 5))...)
	}
	out = block0(out, 2+rows)
	for i := range out {
		if out[i] == "" {
			out[i] = strings.Repeat(" ", width)
		}
	}
	return append(out, w.preview(width)...)
}

func (w *worklist) empty() string {
	switch {
	case w.note != "":
		return w.note
	case w.filter.Value() != "":
		return "nothing matches · esc clears the filter"
	case w.sent:
		return "nothing sent yet · n asks for a second opinion"
	}
	return "no cases yet · n asks for a second opinion · 3 contacts"
}

func (w *worklist) headLine(width int) string {
	th := w.r.th
	total := 0
	for _, c := range w.all {
		if c.Mine == w.sent {
			total++
		}
	}
	rightText := th.dim.Render(fmt.Sprintf("%d of %d · by %s (s) ", len(w.rows), total, orders[w.order]))
	left := th.dim.Render(" / to filter")
	if w.typed || w.filter.Value() != "" {
		w.filter.SetWidth(max(10, width/2))
		left = " " + w.filter.View()
	}
	left = fit(left, max(0, width-lipWidth(rightText)))
	return left + rightText
}

func lipWidth(s string) int { return width(s) }

// columns lays out one row; what does not fit gives way from the right of the title first.
func (w *worklist) columns(width int, mark, age, id, study, from, state, images, fresh string) string {
	fromW, stateW, imgW := 16, 16, 9
	if width >= colsWide {
		fromW, stateW, imgW = 24, 18, 12
	}
	fixed := 4 + 5 + 8 + fromW + 1 + stateW + 1 + imgW + 1 + 3
	studyW := max(8, width-fixed-2)
	return " " + fit(mark, 3) + right(age, 4) + " " + fit(id, 7) + " " + fit(study, studyW) + " " + fit(from, fromW) + " " + fit(state, stateW) + " " + right(images, imgW) + " " + right(fresh, 3)
}

func (w *worklist) row(c control.Case, width int, on bool) string {
	mark := map[string]string{"stat": "!!", "urgent": "!"}[c.Priority]
	title := line(c.Title)
	if c.Patient != "" {
		title += " · " + line(c.Patient)
	}
	fresh := ""
	if c.Unread > 0 {
		fresh = fmt.Sprint(c.Unread)
	}
	from := line(c.From)
	if c.Stranger {
		from = "? " + from
	}
	s := w.columns(width, mark, age(w.r.now().Sub(c.Created)), short(c.Case), title, from, stateWord(c), imagesWord(c.Studies), fresh)
	switch {
	case on:
		return w.r.th.sel.Render(fit("▸"+strings.TrimPrefix(s, " "), width))
	case slices.Contains(c.Flags, "overdue") || slices.Contains(c.Flags, "critical"):
		return w.r.th.bad.Render(fit(s, width))
	case c.Unread > 0:
		return w.r.th.strong.Render(fit(s, width))
	case slices.Contains([]string{"closed", "withdrawn", "declined", "acknowledged"}, c.State):
		return w.r.th.dim.Render(fit(s, width))
	}
	return fit(s, width)
}

var stateGlyphs = map[string]string{
	"draft": "·", "asked": "○", "delivered": "○", "seen": "◐", "accepted": "◐", "reading": "◐", "question": "?", "preliminary": "◐",
	"answered": "●", "acknowledged": "✓", "closed": "✓", "withdrawn": "✗", "declined": "✗", "quarantined": "!",
}

// stateWord is glyph and word, with the flags that change what to do.
func stateWord(c control.Case) string {
	g := stateGlyphs[c.State]
	if g == "" {
		g = "·"
	}
	var s strings.Builder
	s.WriteString(g + " " + line(c.State))
	for _, f := range c.Flags {
		s.WriteString(" " + line(f))
	}
	return s.String()
}

// imagesWord is n of m, always.
func imagesWord(studies []control.CaseStudy) string {
	here, all, known := 0, 0, len(studies) > 0
	for _, st := range studies {
		here += st.Present
		n := st.Listed
		if st.Expected != nil {
			n = max(n, *st.Expected)
		}
		all += n
		known = known && st.Complete
	}
	s := fmt.Sprintf("%d/%d", here, all)
	switch {
	case all == 0:
		return "–"
	case here < all:
		return "⇣" + s
	case known:
		return "✓" + s
	}
	return s
}

func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d < 365*24*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return "old"
}

func (w *worklist) preview(width int) []string {
	th := w.r.th
	c := w.current()
	if c.Case == "" {
		return th.box("", nil, width, previewHigh, false)
	}
	lines := wrap(line(c.Question), width-4)
	if len(lines) > 3 {
		lines = append(lines[:2], fit(lines[2]+"…", width-4))
	}
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	for len(lines) < 3 {
		lines = append(lines, "")
	}
	facts := []string{fmt.Sprintf("%d %s", len(c.Studies), map[bool]string{true: "study", false: "studies"}[len(c.Studies) == 1]), imagesWord(c.Studies) + " images", fmt.Sprintf("%d members", c.Members), line(c.Priority)}
	if due := dueWord(c, w.r.now()); due != "" {
		facts = append(facts, due)
	}
	if c.Report != nil {
		facts = append(facts, "report: "+line(*c.Report))
	}
	who := "from " + line(c.From)
	if c.Stranger {
		who += th.warn.Render(" – not a contact of yours")
	}
	for _, x := range c.Criticals {
		if x.Open {
			who = th.bad.Render(fit("! CRITICAL, not read back: "+line(x.Text), width-4))
		}
	}
	lines = append(lines, " "+th.dim.Render(strings.Join(facts, " · ")), " "+who)
	return th.box(short(c.Case)+" "+line(c.Title), lines, width, previewHigh, false)
}

// dueWord is what the case waits for next, in the reader's zone.
func dueWord(c control.Case, now time.Time) string {
	if len(c.Due) == 0 {
		if c.Deadline == nil {
			return ""
		}
		return "due " + c.Deadline.Local().Format("02 Jan 15:04 MST")
	}
	d := c.Due[0]
	s := line(d.What) + " due " + d.At.Local().Format("02 Jan 15:04 MST")
	if late := now.Sub(d.At); late > 0 {
		s += ", OVERDUE by " + age(late)
	}
	return s
}

// acceptCase says what of the images is here before the word is given (FIELD §4.3, G2).
func acceptCase(r *root, id string, studies []control.CaseStudy) tea.Cmd {
	text := []string{"Images here: " + imagesWord(studies) + "."}
	if strings.HasPrefix(imagesWord(studies), "⇣") {
		text = append(text, "They are still arriving; accepting now is fine.")
	}
	return r.open(newChoice(r, "Accept "+short(id)+"?", text, []option{
		{"Accept", func() tea.Cmd {
			return act(r, control.CaseAccept, control.CaseRequest{Case: id}, "accepted "+short(id), nil)
		}},
		{"Cancel", nil},
	}))
}

// reasons a case can be declined for: SCRIPTING.
var reasons = []option{{label: "specialty"}, {label: "conflict"}, {label: "unavailable"}, {label: "licence"}, {label: "quality"}, {label: "other"}}

func declineCase(r *root, id string) tea.Cmd {
	opts := []option{{"Cancel", nil}}
	for _, reason := range reasons {
		opts = append(opts, option{map[string]string{
			"specialty": "not my specialty", "conflict": "conflict of interest", "unavailable": "not available",
			"licence": "no licence for it", "quality": "images not good enough", "other": "other",
		}[reason.label], func() tea.Cmd {
			return r.open(newPrompt(r, "Decline "+short(id), []string{"Reason: " + reason.label + ". A word for the asking side, or nothing:"}, false, func(text string) tea.Cmd {
				return act(r, control.CaseDecline, control.CaseDeclineRequest{Case: id, Reason: reason.label, Text: strings.TrimSpace(text)}, "declined "+short(id), nil)
			}))
		}})
	}
	return r.open(newChoice(r, "Decline "+short(id)+"?", []string{"The asking side is told the reason. It cannot be taken back."}, opts))
}
