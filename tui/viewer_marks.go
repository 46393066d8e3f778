package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/node/control"
)

// setMarks takes the marks of the case, oldest first: their place is their name, A1, A2 …
func (v *viewer) setMarks(marks []control.Mark) tea.Cmd {
	v.marks = marks
	v.rev++
	if v.chosen != "" && v.mark(v.chosen) == nil {
		v.chosen = ""
	}
	return v.sync()
}

func (v *viewer) mark(entry string) *control.Mark {
	for i := range v.marks {
		if v.marks[i].Entry == entry {
			return &v.marks[i]
		}
	}
	return nil
}

// nameOf is a mark's name in this case.
func (v *viewer) nameOf(entry string) string {
	for i := range v.marks {
		if v.marks[i].Entry == entry {
			return fmt.Sprintf("A%d", i+1)
		}
	}
	return "A?"
}

// seen reports whether a mark is shown: not taken back, not being taken back, its author not hidden.
func (v *viewer) seen(m *control.Mark) bool {
	return !m.Removed && !v.hidden[m.Author] && !v.hidden[m.Entry]
}

// marksOn are the marks of slice i that are shown.
func (v *viewer) marksOn(i int) []control.Mark {
	s := v.slices[i]
	if s.cut != (cut{}) {
		return nil
	}
	var out []control.Mark
	for j := range v.marks {
		m := &v.marks[j]
		if m.Anchor.SOPUID == s.sop && m.Anchor.Frame == s.frame && v.seen(m) {
			out = append(out, *m)
		}
	}
	return out
}

// keyed reports whether somebody marked slice i as a key image.
func (v *viewer) keyed(i int) bool {
	return slices.ContainsFunc(v.marksOn(i), func(m control.Mark) bool { return m.Shape == "key" })
}

// markLabel is a mark's name with the values that this node measures and what it is called.
func (v *viewer) markLabel(m control.Mark) string {
	s := v.markShort(m, 2)
	if l := line(m.Label); l != "" {
		s += " " + strings.TrimRight(fit(l, min(width(l), 24)), " ")
	}
	return s
}

// markShort is what stands beside a mark: little, for it covers the image.
func (v *viewer) markShort(m control.Mark, n int) string {
	s := v.nameOf(m.Entry)
	words := valueWords(shownValues(m))
	if len(words) > 0 {
		s += " " + strings.Join(words[:min(len(words), n)], " ")
	} else if l := line(m.Label); l != "" {
		s += " " + strings.TrimRight(fit(l, min(width(l), 16)), " ")
	}
	if m.Check == control.CheckDiffers {
		s += " DIFFERS"
	}
	return s
}

// shownValues are this node's own, from its own pixels; the author's only where there are none.
func shownValues(m control.Mark) []control.MarkValue {
	if len(m.Own) > 0 {
		return m.Own
	}
	return m.Values
}

// checkWords say what the author's values are worth.
func checkWords(m control.Mark) string {
	switch m.Check {
	case control.CheckDiffers:
		return "differs from author's " + strings.Join(valueWords(m.Values)[:min(1, len(m.Values))], "")
	case control.CheckNot:
		s := "not checked"
		if w := line(m.Why); w != "" {
			s += ": " + w
		}
		return s
	}
	return ""
}

func (v *viewer) actMark(id string) (tea.Cmd, bool) {
	if tool, ok := strings.CutPrefix(id, "draw-with-"); ok {
		return v.drawWith(tool), true
	}
	switch id {
	case "tools":
		return v.chooseTool(), true
	case "anchor":
		return v.anchor(), true
	case "anchor-back":
		return v.unanchor(), true
	case "anchor-done":
		return v.finish(), true
	case "anchor-next":
		return v.regrip(), true
	case "mark-next":
		return v.turnMark(1), true
	case "mark-prev":
		return v.turnMark(-1), true
	case "mark-leave":
		return v.choose(""), true
	case "mark-edit":
		return v.editMark(), true
	case "mark-delete":
		return v.deleteMark(), true
	case "undo":
		return v.undo(), true
	case "authors":
		return v.chooseAuthors(), true
	case "key-image":
		return v.toggleKey(), true
	case "key-next":
		return v.turnKey(1), true
	case "key-prev":
		return v.turnKey(-1), true
	}
	return nil, false
}

func (v *viewer) choose(entry string) tea.Cmd {
	v.chosen = entry
	v.rev++
	return v.sync()
}

// inOrder are the marks of this series that are shown, as they come while scrolling.
func (v *viewer) inOrder() []control.Mark {
	var out []control.Mark
	for i := range v.slices {
		out = append(out, v.marksOn(i)...)
	}
	return out
}

// turnMark goes to the next mark, on whatever slice it is.
func (v *viewer) turnMark(d int) tea.Cmd {
	marks := v.inOrder()
	if len(marks) == 0 {
		return v.r.say("warn", "no marks in this series")
	}
	i := slices.IndexFunc(marks, func(m control.Mark) bool { return m.Entry == v.chosen })
	switch {
	case i >= 0:
		i = (i + d + len(marks)) % len(marks)
	default: // the first one from here on
		at := func(m control.Mark) bool { return v.sliceOf(m) >= v.at }
		if i = slices.IndexFunc(marks, at); i < 0 {
			i = 0
		}
	}
	return v.goMark(marks[i].Entry)
}

// sliceOf is the slice that a mark is on, or -1.
func (v *viewer) sliceOf(m control.Mark) int {
	return slices.IndexFunc(v.slices, func(s slice) bool { return s.sop == m.Anchor.SOPUID && s.frame == m.Anchor.Frame && s.cut == cut{} })
}

func (v *viewer) goMark(entry string) tea.Cmd {
	m := v.mark(entry)
	if m == nil {
		return nil
	}
	v.chosen = entry
	v.rev++
	if i := v.sliceOf(*m); i >= 0 {
		return v.jump(i)
	}
	return v.sync()
}

// toggleKey marks this image as a key image, or takes one's own mark back.
func (v *viewer) toggleKey() tea.Cmd {
	if v.at >= len(v.slices) || v.painted.frame == nil {
		return nil
	}
	for _, m := range v.marksOn(v.at) {
		if m.Shape == "key" && m.Mine {
			v.chosen = m.Entry
			return v.deleteMark()
		}
	}
	centre := [2]float64{float64(v.painted.frame.Cols()) / 2, float64(v.painted.frame.Rows()) / 2}
	tool, ok := annot.FindTool("key")
	if !ok {
		return nil
	}
	v.pen = v.newPen(tool)
	if v.pen == nil {
		return v.r.say("warn", "marks go on images as they were taken")
	}
	v.pen.points = [][2]float64{centre}
	return v.post("", nil)
}

func (v *viewer) turnKey(d int) tea.Cmd {
	n := len(v.slices)
	for k := 1; k <= n; k++ {
		i := ((v.at+d*k)%n + n) % n
		if v.keyed(i) {
			return v.jump(i)
		}
	}
	return v.r.say("warn", "no key images in this series · x marks one")
}

// chooseAuthors hides and shows what each person drew.
func (v *viewer) chooseAuthors() tea.Cmd {
	var items []option
	known := map[string]bool{}
	for _, m := range v.marks {
		if known[m.Author] || m.Removed {
			continue
		}
		known[m.Author] = true
		name, verb := line(m.AuthorName), "hide "
		if m.Mine {
			name = "you"
		}
		if v.hidden[m.Author] {
			verb = "show "
		}
		items = append(items, option{verb + name, func() tea.Cmd {
			v.hidden[m.Author] = !v.hidden[m.Author]
			v.rev++
			return v.sync()
		}})
	}
	if len(items) == 0 {
		return v.r.say("warn", "nobody has marked anything yet")
	}
	return v.r.open(newPicker(v.r, "Marks by author", items))
}

// hiddenCount is how many marks of this slice are hidden: said, so that nobody
// takes an image for unmarked that is not.
func (v *viewer) hiddenCount() int {
	n := 0
	if v.at >= len(v.slices) {
		return 0
	}
	s := v.slices[v.at]
	for i := range v.marks {
		m := &v.marks[i]
		if m.Anchor.SOPUID == s.sop && m.Anchor.Frame == s.frame && !m.Removed && v.hidden[m.Author] {
			n++
		}
	}
	return n
}

// deleteMark hides a mark at once and takes it back in the case when the time
// for undoing has passed: until then nothing has been sent.
func (v *viewer) deleteMark() tea.Cmd {
	m := v.mark(v.chosen)
	if m == nil || !v.seen(m) {
		return nil
	}
	if !m.Mine {
		return v.r.say("warn", "only "+line(m.AuthorName)+" can take this mark back · H hides it")
	}
	name, entry := v.nameOf(m.Entry), m.Entry
	v.hidden[entry], v.chosen = true, ""
	v.undone = append(v.undone, entry)
	v.rev++
	req := control.AnnotateRequest{Case: v.caseID, Remove: entry}
	later := func() tea.Cmd {
		if i := slices.Index(v.undone, entry); i >= 0 {
			v.undone = slices.Delete(v.undone, i, i+1)
			return act(v.r, control.CaseAnnotate, req, name+" taken back", nil)
		}
		return nil
	}
	return tea.Batch(v.r.say("warn", name+" deleted · u brings it back"), v.sync(),
		tea.Tick(undoFor, func(time.Time) tea.Msg { return laterMsg{later} }))
}

// undo takes back the last point, else the last deletion that is not sent yet.
func (v *viewer) undo() tea.Cmd {
	if v.pen != nil {
		return v.unanchor()
	}
	n := len(v.undone)
	if n == 0 {
		return v.r.say("warn", "nothing to undo: what is sent stays")
	}
	entry := v.undone[n-1]
	v.undone = v.undone[:n-1]
	delete(v.hidden, entry)
	return tea.Batch(v.choose(entry), v.r.say("good", v.nameOf(entry)+" is back"))
}
