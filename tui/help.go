package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// newHelp is generated from the key table, for the contexts that hold here.
func newHelp(r *root, contexts []string) overlay {
	names := map[string]string{
		"list": "List", "inbox": "Cases", "studies": "Studies", "contacts": "Contacts", "directory": "Directory", "transfers": "Network", "case": "Case",
		"series": "Series", "thread": "Thread", "image": "Image", "full": "Full screen", "tool": "Tool", "windowing": "Window", "draw": "Draw", "chosen": "Mark", "panes": "Two panes", "report": "Report", "request": "Request",
		"move": "Move", "tabs": "Tabs", "all": "Everywhere",
	}
	var lines []string
	in := ""
	for _, b := range bindings(contexts...) {
		if b.in != in {
			if in != "" {
				lines = append(lines, "")
			}
			lines = append(lines, r.th.title.Render(names[b.in]))
			in = b.in
		}
		lines = append(lines, r.th.key.Render(fit("  "+strings.Join(b.keys, " "), 24))+" "+b.help)
	}
	lines = append(lines, "", r.th.dim.Render("ctrl+c twice always quits · not for primary diagnosis"))
	return newReader(r, "Keys here", lines)
}

// palette finds commands and cases by what is typed.
type palette struct {
	prompt
	heading string
	items   []option
	cur     int
}

// newPicker is a palette of its own items: a list that what is typed narrows.
func newPicker(r *root, heading string, items []option) *palette {
	p := &palette{prompt: prompt{r: r, in: newInput(r.th)}, heading: heading, items: items}
	p.in.CharLimit = filterMax
	return p
}

func newPalette(r *root, casesOnly bool) *palette {
	p := newPicker(r, "Go to, or do", nil)
	if !casesOnly {
		for i, s := range r.tabs {
			name, _, _ := strings.Cut(s.title(), " (")
			p.items = append(p.items, option{"go to " + strings.ToLower(name), func() tea.Cmd { return r.home(i) }})
		}
		p.items = append(p.items,
			option{"go to patients", func() tea.Cmd { return r.push(newPatients(r)) }},
			option{"go to directory: look for a specialist", func() tea.Cmd { return r.push(newFound(r)) }},
			option{"go to gateway", func() tea.Cmd { return r.push(newHospital(r)) }},
			option{"roster: who is asked next", r.roster},
			option{"new request", func() tea.Cmd { return r.push(newRequest(r, "")) }},
			option{"lock", r.lock},
			option{"what happened (log)", func() tea.Cmd { return r.open(newReader(r, "Log", slices.Clone(r.log))) }},
			option{"terminal: what it can show", func() tea.Cmd { return r.open(newReader(r, "Terminal", r.caps.describe())) }},
			option{"theme: dark", func() tea.Cmd { r.th = themeOf("dark"); return nil }},
			option{"theme: light", func() tea.Cmd { r.th = themeOf("light"); return nil }},
			option{"theme: no colour", func() tea.Cmd { r.th = themeOf("none"); return nil }},
			option{"doctor: check this node", r.doctor},
			option{"quit", func() tea.Cmd { return tea.Quit }},
		)
	}
	for _, c := range r.tabs[0].(*worklist).all {
		p.items = append(p.items, option{"case " + short(c.Case) + " " + line(c.Title), func() tea.Cmd { return r.push(newCase(r, c.Case)) }})
	}
	return p
}

// home closes every page and shows a tab.
func (r *root) home(tab int) tea.Cmd {
	for len(r.pages) > 0 {
		r.pages[len(r.pages)-1].close()
		r.pages = r.pages[:len(r.pages)-1]
	}
	return r.show(tab)
}

func (r *root) doctor() tea.Cmd {
	return act(r, control.Doctor, control.None{}, "", func(d control.DoctorReport) tea.Cmd {
		var lines []string
		for _, c := range d.Checks {
			mark := r.th.good.Render("✓ ")
			if !c.OK {
				mark = r.th.bad.Render("✗ ")
			}
			lines = append(lines, mark+line(c.Name)+" "+r.th.dim.Render(line(c.Detail)))
			if c.Hint != nil && !c.OK {
				lines = append(lines, "    "+line(*c.Hint))
			}
		}
		return r.open(newReader(r, "Doctor", lines))
	})
}

// found are the items whose words hold every word typed, in any order.
func (p *palette) found() []option {
	words := strings.Fields(strings.ToLower(p.in.Value()))
	var out []option
	for _, it := range p.items {
		label := strings.ToLower(it.label)
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(label, w) }) {
			out = append(out, it)
		}
	}
	return out
}

func (p *palette) update(msg tea.Msg) tea.Cmd {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		switch k.String() {
		case "esc":
			p.closed = true
			return nil
		case "down", "ctrl+n", "tab":
			p.cur++
			return nil
		case "up", "ctrl+p", "shift+tab":
			p.cur = max(0, p.cur-1)
			return nil
		case "enter":
			p.closed = true
			if f := p.found(); len(f) > 0 && f[min(p.cur, len(f)-1)].run != nil {
				return f[min(p.cur, len(f)-1)].run()
			}
			return nil
		}
		p.cur = 0
	}
	var cmd tea.Cmd
	p.in, cmd = p.in.Update(msg)
	return cmd
}

func (p *palette) draw(w, h int) []string {
	bw, bh := min(w-4, 64), min(h-2, 16)
	p.in.SetWidth(bw - 8)
	lines := []string{" " + p.in.View(), ""}
	found := p.found()
	l := list{n: len(found)}
	l.to(p.cur)
	from, to := l.window(bh - 4)
	for i := from; i < to; i++ {
		if i == l.cur {
			lines = append(lines, p.r.th.sel.Render(fit(" ▸ "+found[i].label, bw-2)))
		} else {
			lines = append(lines, "   "+found[i].label)
		}
	}
	if len(found) == 0 {
		lines = append(lines, p.r.th.dim.Render("   nothing by that name"))
	}
	return p.r.th.box(p.heading, lines, bw, bh, true)
}
