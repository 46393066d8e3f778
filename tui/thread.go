package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/node/control"
)

// thread is the pane with what was said, or with the reports.
type thread struct {
	c       *casePage
	entries []control.Entry
	cur     int
	top     int // first line shown; -1 keeps the end in sight
	follow  bool
	reports bool
}

// spoken are the kinds that a reader sees in the thread; the others change states.
var spoken = map[string]string{
	"request": "asks", "message": "", "mark": "marked", "report": "report", "addendum": "addendum", "decline": "declined", "status": "",
	"critical": "CRITICAL", "ask": "asks back", "acknowledge": "acknowledged", "taken": "took the report", "assign": "", "wrong-patient": "WRONG PATIENT",
	"outcome": "outcome", "consensus": "consensus", "vote": "voted",
}

func (t *thread) take() {
	end := t.cur >= len(t.entries)-1
	t.entries = t.entries[:0]
	for _, e := range t.c.d.Entries {
		if _, ok := spoken[e.Kind]; ok && (e.Text != "" || e.Kind != "assign" && e.Kind != "status") {
			t.entries = append(t.entries, e)
		}
	}
	if end {
		t.cur = max(0, len(t.entries)-1)
		t.follow = true
	}
	t.cur = min(t.cur, max(0, len(t.entries)-1))
}

func (t *thread) anchor() *control.Anchor {
	if t.reports || t.cur >= len(t.entries) {
		return nil
	}
	return t.entries[t.cur].Anchor
}

func (t *thread) scroll(d int) {
	t.follow = false
	t.top = max(0, t.top+d)
}

func (t *thread) key(id string) bool {
	n := len(t.entries)
	if t.reports {
		switch id {
		case "down":
			t.scroll(1)
		case "up":
			t.scroll(-1)
		case "half-down":
			t.scroll(10)
		case "half-up":
			t.scroll(-10)
		case "first":
			t.top = 0
		case "last":
			t.top = 1 << 20
		case "reports":
			t.reports, t.follow = false, true
		default:
			return false
		}
		return true
	}
	l := list{n: n, cur: t.cur}
	switch {
	case l.move(id, 10):
		t.cur, t.follow = l.cur, true
	case id == "reports":
		t.reports, t.top = true, 0
	default:
		return false
	}
	return true
}

func (t *thread) draw(full, h int) []string {
	th := t.c.r.th
	w := full - 1 // a blank at the right edge
	on := t.c.focus == "thread"
	style := th.dim
	if on {
		style = th.title
	}
	head := fmt.Sprintf("THREAD %d", len(t.entries))
	other := fmt.Sprintf("t reports %d", len(t.c.d.Reports))
	if t.reports {
		head, other = fmt.Sprintf("REPORTS %d", len(t.c.d.Reports)), "t thread"
	}
	out := []string{fit(style.Render(head), max(0, w-width(other))) + th.dim.Render(other)}
	foot := []string{th.border.Render(strings.Repeat("─", w))}
	for _, l := range wrap(t.c.members(), w) {
		foot = append(foot, th.dim.Render(l))
	}
	if len(foot) > 4 {
		foot = append(foot[:3], fit(foot[3], w-1)+"…")
	}
	room := max(1, h-1-len(foot))
	var lines []string
	from, to := 0, 0
	if t.reports {
		lines = t.reportLines(w)
	} else {
		lines, from, to = t.entryLines(w, on)
	}
	if len(lines) == 0 {
		lines = []string{"", th.dim.Render(" nothing yet · r writes a reply")}
	}
	t.place(len(lines), room, from, to)
	out = append(out, block(lines[min(t.top, len(lines)):], w, room)...)
	return block(append(out, block(foot, w, len(foot))...), full, h)
}

// place keeps the chosen entry in sight, unless the reader has scrolled away.
func (t *thread) place(n, room, from, to int) {
	if t.follow && !t.reports {
		if to > t.top+room {
			t.top = to - room
		}
		if from < t.top {
			t.top = from
		}
	}
	t.top = max(0, min(t.top, n-room))
}

func (t *thread) entryLines(w int, on bool) (lines []string, from, to int) {
	th := t.c.r.th
	for i, e := range t.entries {
		start := len(lines)
		who := line(e.AuthorName)
		if e.Mine {
			who = "you"
		}
		head := who
		if v := spoken[e.Kind]; v != "" {
			head += " " + v
		}
		when := e.Time.Local().Format("02 Jan 15:04")
		flags := ""
		if e.Unread {
			flags += " new"
		}
		if e.Edited {
			flags += " edited"
		}
		if !e.InForce {
			flags += " NOT IN FORCE"
		}
		if e.Anchor != nil {
			flags += " ▣ image"
		}
		hs := th.accent
		if i == t.cur && on {
			hs = th.sel
		}
		lines = append(lines, hs.Render(fit(fit(head+flags, max(1, w-width(when)-1))+" "+when, w)))
		text := e.Text
		if e.Retracted {
			text = "(taken back)"
		}
		for _, l := range wrap(text, max(4, w-2)) {
			if l != "" || text != "" {
				lines = append(lines, " "+l)
			}
		}
		lines = append(lines, "")
		if i == t.cur {
			from, to = start, len(lines)
		}
	}
	return lines, from, to
}

func (t *thread) reportLines(w int) []string {
	th := t.c.r.th
	var lines []string
	for _, rep := range slices.Backward(t.c.d.Reports) {

		status := strings.ToUpper(line(rep.Status))
		if rep.SupersededBy != nil {
			status += " – SUPERSEDED"
		}
		sig := th.good.Render("signature ✓ valid")
		if !rep.Valid {
			sig = th.bad.Render("signature ✗ NOT VALID")
		}
		lines = append(lines, th.strong.Render(status), line(rep.AuthorName)+" · "+rep.SignedAt.Local().Format("2 Jan 2006 15:04"), sig)
		if rep.Images != "" {
			lines = append(lines, th.dim.Render(line(rep.Images)))
		}
		lines = append(lines, "")
		for _, l := range wrap(rep.Text, max(4, w-1)) {
			lines = append(lines, " "+l)
		}
		lines = append(lines, "", th.border.Render(strings.Repeat("─", w)))
	}
	return lines
}
