package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
)

// blank is one field of a sheet: a line of text, or one of a few options.
type blank struct {
	name    string
	hint    string   // stands below while the field has the keys
	must    bool     // not to be left empty
	options []string // empty: text
	value   string   // of options, or what the text begins with
	in      textinput.Model
}

func (b *blank) text() string {
	if len(b.options) > 0 {
		return b.value
	}
	return strings.TrimSpace(b.in.Value())
}

// sheet asks for several things at once. It sends nothing before each field that must have a value has
// one, and the last key is never a letter.
type sheet struct {
	r      *root
	title  string
	text   []string // what it does, and to whom
	blanks []blank
	cur    int
	verb   string
	run    func(values map[string]string) tea.Cmd
	// check, where there is one, says what is wrong before run, and in which field.
	check  func(values map[string]string) (field, wrong string)
	note   string
	closed bool
}

func newSheet(r *root, title, verb string, text []string, blanks []blank, run func(map[string]string) tea.Cmd) *sheet {
	d := &sheet{r: r, title: title, verb: verb, text: text, blanks: blanks, run: run}
	for i := range d.blanks {
		b := &d.blanks[i]
		if len(b.options) > 0 {
			if b.value == "" {
				b.value = b.options[0]
			}
			continue
		}
		b.in = newInput(r.th)
		b.in.CharLimit = textMax
		b.in.SetValue(b.value)
		if i > 0 {
			b.in.Blur()
		}
	}
	return d
}

func (d *sheet) done() bool         { return d.closed }
func (d *sheet) contexts() []string { return []string{"sheet"} }

func (d *sheet) update(msg tea.Msg) tea.Cmd {
	b := &d.blanks[d.cur]
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return d.pass(b, msg)
	}
	choosing := len(b.options) > 0
	switch action(k.String(), "sheet") {
	case "sheet-leave":
		d.closed = true
		return nil
	case "sheet-send":
		return d.send()
	case "sheet-next":
		d.move(1)
		return nil
	case "sheet-prev":
		d.move(-1)
		return nil
	case "sheet-enter":
		if d.cur == len(d.blanks)-1 {
			return d.send()
		}
		d.move(1)
		return nil
	}
	if choosing {
		i := slices.Index(b.options, b.value)
		switch k.String() {
		case "right", "l", "space":
			b.value = b.options[(i+1)%len(b.options)]
		case "left", "h":
			b.value = b.options[(i+len(b.options)-1)%len(b.options)]
		}
		return nil
	}
	return d.pass(b, msg)
}

func (d *sheet) pass(b *blank, msg tea.Msg) tea.Cmd {
	if len(b.options) > 0 {
		return nil
	}
	var cmd tea.Cmd
	b.in, cmd = b.in.Update(msg)
	return cmd
}

func (d *sheet) move(by int) {
	d.note = ""
	if b := &d.blanks[d.cur]; len(b.options) == 0 {
		b.in.Blur()
	}
	d.cur = (d.cur + by + len(d.blanks)) % len(d.blanks)
	if b := &d.blanks[d.cur]; len(b.options) == 0 {
		b.in.Focus()
	}
}

func (d *sheet) send() tea.Cmd {
	values := map[string]string{}
	for i := range d.blanks {
		b := &d.blanks[i]
		if b.must && b.text() == "" {
			d.move(i - d.cur)
			d.note = b.name + " is needed"
			return nil
		}
		values[b.name] = b.text()
	}
	if d.check != nil {
		if field, wrong := d.check(values); wrong != "" {
			if i := slices.IndexFunc(d.blanks, func(b blank) bool { return b.name == field }); i >= 0 {
				d.move(i - d.cur)
			}
			d.note = wrong
			return nil
		}
	}
	d.closed = true
	return d.run(values)
}

func (d *sheet) draw(w, h int) []string {
	th := d.r.th
	bw := min(w-4, 78)
	var lines []string
	for _, t := range d.text {
		lines = append(lines, wrap(t, bw-4)...)
	}
	lines = append(block(lines, bw-4, min(len(lines), max(1, h-6-2*len(d.blanks)))), "")
	label := 0
	for _, b := range d.blanks {
		label = min(max(label, width(b.name)+1), bw/2)
	}
	var rows []string
	at := 0 // the line of the field that has the keys
	for i := range d.blanks {
		if i == d.cur {
			at = len(rows)
		}
		rows = append(rows, d.row(i, bw, label)...)
	}
	// What does not fit scrolls with the field that has the keys.
	room := max(3, h-len(lines)-4)
	if len(rows) > room {
		from := max(0, min(at-room/2, len(rows)-room))
		rows = rows[from : from+room]
	}
	lines = append(lines, rows...)
	foot := th.dim.Render("tab next · ctrl+d " + d.verb + " · esc cancel")
	if d.note != "" {
		foot = th.warn.Render(d.note)
	}
	lines = append(lines, "", foot)
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	return th.box(d.title, lines, bw, min(len(lines)+2, h), true)
}

// row is a field with its value, and its hint while it has the keys.
func (d *sheet) row(i, bw, label int) []string {
	th := d.r.th
	b := &d.blanks[i]
	name := fit(b.name, label)
	if i == d.cur {
		name = th.title.Render(name)
	}
	var value string
	if len(b.options) > 0 {
		value = fit("◂ "+b.value+" ▸", min(width(b.value)+4, bw-label-6))
		if i == d.cur {
			value = th.sel.Render(value)
		}
	} else {
		b.in.SetWidth(bw - label - 8)
		value = b.in.View()
	}
	out := []string{name + " " + value}
	if i == d.cur && b.hint != "" {
		for _, l := range wrap(b.hint, bw-label-6) {
			out = append(out, strings.Repeat(" ", label+1)+th.dim.Render(l))
		}
	}
	return out
}
