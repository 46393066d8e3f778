package tui

import (
	"strings"
	"time"

	"charm.land/bubbles/v2/textarea"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// option is one button; a nil action only closes.
type option struct {
	label string
	run   func() tea.Cmd
}

// choice asks to pick one of a few. The first option is the default: Cancel,
// where something cannot be undone.
type choice struct {
	r      *root
	title  string
	text   []string
	opts   []option
	cur    int
	closed bool
	armed  time.Time // keys before it are dropped
}

func newChoice(r *root, title string, text []string, opts []option) *choice {
	return &choice{r: r, title: title, text: text, opts: opts}
}

func (d *choice) done() bool         { return d.closed }
func (d *choice) contexts() []string { return []string{"dialog"} }

func (d *choice) update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok || d.r.now().Before(d.armed) {
		return nil
	}
	switch k.String() {
	case "esc", "q":
		d.closed = true
	case "up", "k", "left", "h", "shift+tab":
		d.cur = (d.cur + len(d.opts) - 1) % len(d.opts)
	case "down", "j", "right", "l", "tab":
		d.cur = (d.cur + 1) % len(d.opts)
	case "enter":
		d.closed = true
		if run := d.opts[d.cur].run; run != nil {
			return run()
		}
	}
	return nil
}

func (d *choice) draw(w, _ int) []string {
	bw := min(w-4, 72)
	var lines []string
	for _, t := range d.text {
		lines = append(lines, wrap(" "+t, bw-4)...)
	}
	lines = append(lines, "")
	for i, o := range d.opts {
		if i == d.cur {
			lines = append(lines, d.r.th.sel.Render(fit(" ▸ "+o.label, bw-2)))
		} else {
			lines = append(lines, "   "+o.label)
		}
	}
	return d.r.th.box(d.title, lines, bw, len(lines)+2, true)
}

// prompt asks for one line.
type prompt struct {
	r      *root
	title  string
	text   []string
	in     textinput.Model
	must   string // what must be typed, exactly
	run    func(string) tea.Cmd
	left   func() tea.Cmd // when it is left by esc
	closed bool
	armed  time.Time
	wide   int
}

func newPrompt(r *root, title string, text []string, secret bool, run func(string) tea.Cmd) *prompt {
	d := &prompt{r: r, title: title, text: text, run: run, in: newInput(r.th)}
	if secret {
		d.in.EchoMode = textinput.EchoPassword
	}
	return d
}

func newInput(th theme) textinput.Model {
	in := textinput.New()
	in.Prompt = "› "
	in.CharLimit = lineMax
	st := textinput.DefaultStyles(th.name != "light")
	st.Cursor.Blink = false
	if th.name == "none" {
		st.Focused, st.Blurred, st.Cursor.Color = textinput.StyleState{}, textinput.StyleState{}, nil
	}
	in.SetStyles(st)
	in.Focus()
	return in
}

func (d *prompt) done() bool         { return d.closed }
func (d *prompt) contexts() []string { return []string{"dialog"} }

func (d *prompt) update(msg tea.Msg) tea.Cmd {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		if d.r.now().Before(d.armed) {
			return nil
		}
		switch k.String() {
		case "esc":
			d.closed = true
			if d.left != nil {
				return d.left()
			}
			return nil
		case "enter":
			v := d.in.Value()
			if d.must != "" && !strings.EqualFold(strings.TrimSpace(v), d.must) {
				return nil
			}
			d.closed = true
			d.in.Reset()
			return d.run(v)
		}
	}
	var cmd tea.Cmd
	d.in, cmd = d.in.Update(msg)
	return cmd
}

func (d *prompt) draw(w, h int) []string {
	bw := min(w-4, max(72, d.wide))
	var lines []string
	for _, t := range d.text {
		lines = append(lines, wrap(t, bw-4)...)
	}
	lines = block(lines, bw-4, min(len(lines), h-6))
	d.in.SetWidth(bw - 8)
	lines = append(lines, "", d.in.View())
	switch {
	case d.must == "":
		lines = append(lines, d.r.th.dim.Render("enter: go on · esc: cancel"))
	case strings.EqualFold(strings.TrimSpace(d.in.Value()), d.must):
		lines = append(lines, d.r.th.warn.Render("enter: do it")+d.r.th.dim.Render(" · esc: cancel"))
	default:
		lines = append(lines, d.r.th.dim.Render("type "+d.must+" to go on · esc: cancel"))
	}
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	return d.r.th.box(d.title, lines, bw, len(lines)+2, true)
}

// composer is a text of several lines.
type composer struct {
	r      *root
	title  string
	area   textarea.Model
	send   func(string) tea.Cmd
	keep   func(string) // the unsent text, when the dialog is left
	closed bool
}

func newComposer(r *root, title, text string, send func(string) tea.Cmd, keep func(string)) *composer {
	d := &composer{r: r, title: title, area: newArea(r.th), send: send, keep: keep}
	d.area.SetValue(text)
	return d
}

// newArea is a text area without blinking, and without a way to the clipboard of the terminal.
func newArea(th theme) textarea.Model {
	a := textarea.New()
	a.ShowLineNumbers = false
	a.Prompt = ""
	a.CharLimit = textMax
	a.MaxHeight = 0
	a.KeyMap.CopySelection.SetEnabled(false)
	a.KeyMap.LineEnd.SetKeys("end")
	a.KeyMap.DeleteCharacterForward.SetKeys("delete")
	a.KeyMap.TransposeCharacterBackward.SetEnabled(false)
	st := textarea.DefaultStyles(th.name != "light")
	st.Cursor.Blink = false
	plain := lipgloss.NewStyle()
	st.Focused.CursorLine, st.Focused.Base, st.Focused.Text = plain, plain, plain
	if th.name == "none" {
		st.Focused, st.Blurred, st.Cursor.Color = textarea.StyleState{}, textarea.StyleState{}, nil
	}
	a.SetStyles(st)
	a.Focus()
	return a
}

func (d *composer) done() bool         { return d.closed }
func (d *composer) contexts() []string { return []string{"compose"} }

func (d *composer) update(msg tea.Msg) tea.Cmd {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		switch k.String() {
		case "esc":
			d.closed = true
			d.keep(d.area.Value())
			return nil
		case "ctrl+d", "alt+enter":
			text := strings.TrimSpace(d.area.Value())
			if text == "" {
				return nil
			}
			d.closed = true
			d.keep("")
			return d.send(text)
		}
	}
	var cmd tea.Cmd
	d.area, cmd = d.area.Update(msg)
	return cmd
}

func (d *composer) draw(w, h int) []string {
	bw, bh := min(w-4, 84), min(h-2, 16)
	d.area.SetWidth(bw - 4)
	d.area.SetHeight(bh - 3)
	lines := strings.Split(d.area.View(), "\n")
	lines = block(lines, bw-4, bh-3)
	lines = append(lines, d.r.th.dim.Render("ctrl+d or alt+enter: send · esc: keep for later"))
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	return d.r.th.box(d.title, lines, bw, bh, true)
}

// page is read-only text in a box: help, details, cards.
type reader struct {
	r      *root
	title  string
	lines  []string
	top    int
	closed bool
	copies string // what y copies: an id or one's own invite, nothing else
}

func newReader(r *root, title string, lines []string) *reader {
	return &reader{r: r, title: title, lines: lines}
}

func (d *reader) done() bool         { return d.closed }
func (d *reader) contexts() []string { return []string{"reader"} }

func (d *reader) update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return nil
	}
	switch k.String() {
	case "esc", "q", "enter", "?":
		d.closed = true
	case "j", "down":
		d.top = min(d.top+1, max(0, len(d.lines)-3))
	case "k", "up":
		d.top = max(0, d.top-1)
	case "pgdown", "ctrl+d", "space":
		d.top = min(d.top+10, max(0, len(d.lines)-3))
	case "pgup", "ctrl+u":
		d.top = max(0, d.top-10)
	case "y":
		if d.copies != "" {
			return tea.Batch(tea.SetClipboard(d.copies), d.r.say("good", "copied"))
		}
	}
	return nil
}

func (d *reader) draw(w, h int) []string {
	bw := min(w-4, readerMax)
	var lines []string
	for _, l := range d.lines {
		lines = append(lines, wrap(l, bw-4)...)
	}
	bh := min(len(lines)+2, h-2)
	top := max(0, min(d.top, len(lines)-(bh-2)))
	lines = lines[top:]
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	return d.r.th.box(d.title, lines, bw, bh, true)
}
