package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// foundPage is the directory: people who want to be found, as they come.
type foundPage struct {
	r      *root
	s      *scope
	search *scope // of the search under way
	asked  control.FindRequest
	rows   []control.Found
	list   list
	busy   bool
	begun  bool
	note   string // how the last search went
	failed string
	h      int
}

func newFound(r *root) *foundPage { return &foundPage{r: r, s: newScope(r.scope.ctx)} }

func (p *foundPage) title() string {
	var words []string
	for _, w := range []string{p.asked.Specialty, p.asked.Language, p.asked.Species} {
		if w != "" {
			words = append(words, w)
		}
	}
	if p.asked.Awake {
		words = append(words, "awake now")
	}
	if len(words) == 0 {
		return "Directory"
	}
	return "Directory: " + line(strings.Join(words, ", "))
}

func (p *foundPage) close()                  { p.s.close() }
func (p *foundPage) typing() bool            { return false }
func (p *foundPage) contexts() []string      { return []string{"directory", "move", "all"} }
func (p *foundPage) resize(_, h int) tea.Cmd { p.h = h; return nil }

// open asks what to look for, and shows meanwhile who is known here.
func (p *foundPage) open() tea.Cmd {
	if p.begun {
		return nil
	}
	p.begun = true
	return tea.Batch(p.find(control.FindRequest{Timeout: -1}), p.ask())
}

func (p *foundPage) ask() tea.Cmd {
	now := "any time"
	if p.asked.Awake {
		now = "awake now"
	}
	return p.r.open(newSheet(p.r, "Look for a specialist", "search", []string{
		"The nodes that are asked see this node's address and the specialty, never a patient or a case.",
	}, []blank{
		{name: "specialty", value: p.asked.Specialty, hint: "such as neuroradiology; empty asks the local network only"},
		{name: "language", value: p.asked.Language, hint: "such as es or pt-br; empty is any"},
		{name: "species", value: p.asked.Species, hint: "such as dog or horse; empty is any, human is people only"},
		{name: "when", options: []string{"any time", "awake now"}, value: now},
	}, func(v map[string]string) tea.Cmd {
		return p.find(control.FindRequest{Specialty: v["specialty"], Language: v["language"], Species: v["species"], Awake: v["when"] == "awake now"})
	}))
}

func (p *foundPage) find(req control.FindRequest) tea.Cmd {
	if p.search != nil {
		p.search.close()
	}
	p.search = newScope(p.s.ctx)
	p.asked, p.rows, p.note, p.failed, p.busy = req, nil, "", "", true
	p.list.set(0)
	req.Updates = true
	return follow(p.search, p.r.client, control.ContactFind, req, p.take, func(err error) tea.Cmd {
		p.busy = false
		if err != nil {
			p.failed = explain(err)
		}
		return nil
	})
}

func (p *foundPage) take(events []control.FindEvent) tea.Cmd {
	var cmds []tea.Cmd
	for _, e := range events {
		switch {
		case e.Notice != "":
			cmds = append(cmds, p.r.say("warn", e.Notice))
		case e.Done != nil:
			p.note = e.Done.Warning
		case e.Found != nil:
			p.put(*e.Found)
		}
	}
	return tea.Batch(cmds...)
}

// put adds somebody, or what is new of them, and keeps the cursor on who it was on: attested ones
// first, then those who take cases now.
func (p *foundPage) put(f control.Found) {
	on := ""
	if p.list.cur < len(p.rows) && p.list.cur > 0 {
		on = p.rows[p.list.cur].Person
	}
	p.rows = slices.DeleteFunc(p.rows, func(o control.Found) bool { return o.Person == f.Person })
	p.rows = append(p.rows, f)
	slices.SortStableFunc(p.rows, func(a, b control.Found) int {
		return cmp.Or(first(a.Vouched, b.Vouched), first(a.Accepting, b.Accepting), strings.Compare(a.Name, b.Name), strings.Compare(a.Person, b.Person))
	})
	p.list.set(len(p.rows))
	if i := slices.IndexFunc(p.rows, func(o control.Found) bool { return o.Person == on }); on != "" && i >= 0 {
		p.list.to(i)
	}
}

func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func (p *foundPage) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case shownMsg:
		return nil
	case mouseMsg:
		if m.kind == "wheel" {
			p.list.move(map[bool]string{true: "up", false: "down"}[m.button == tea.MouseWheelUp], p.h)
		}
	case tea.KeyPressMsg:
		id := action(m.String(), p.contexts()...)
		if p.list.move(id, p.h) {
			return nil
		}
		switch id {
		case "search":
			return p.ask()
		case "retry":
			return p.find(p.asked)
		}
		if p.list.cur < len(p.rows) {
			return p.on(id, p.rows[p.list.cur])
		}
	}
	return nil
}

func (p *foundPage) on(id string, f control.Found) tea.Cmd {
	switch id {
	case "show":
		return p.show(f)
	case "add":
		return p.add(f, nil)
	case "verify":
		return p.add(f, func(c control.Contact) tea.Cmd { return compareWords(p.r, c.Person, c.Name, nil) })
	}
	return nil
}

// add makes a contact of somebody, which is unverified until words or a number say who they are.
func (p *foundPage) add(f control.Found, then func(control.Contact) tea.Cmd) tea.Cmd {
	return act(p.r, control.ContactAdd, control.ContactAddRequest{Person: f.Person}, "", func(c control.Contact) tea.Cmd {
		f.IsContact, f.Trust = true, c.Trust
		p.put(f)
		if then != nil {
			return then(c)
		}
		if c.Warning != "" {
			return p.r.say("warn", line(c.Name)+" is a contact, not verified: v compares words on the phone")
		}
		return p.r.say("good", "✓ "+line(c.Name)+" is a contact")
	})
}

func (p *foundPage) show(f control.Found) tea.Cmd {
	th := p.r.th
	lines := []string{
		th.strong.Render(line(f.Name)) + th.dim.Render(" "+line(f.Kind)+" "+short(f.Person)),
		p.vouchStyle(f).Render(vouchWord(f)), "",
		"specialties  " + line(strings.Join(f.Specialties, ", ")),
		"languages    " + line(orDash(strings.Join(f.Languages, ", "))),
		"species      " + line(orDash(strings.Join(f.Species, ", "))),
		"country      " + line(orDash(sayOf(f.Country))),
		"hours        " + line(orDash(sayOf(f.Hours))),
		"now          " + nowWord(f), "",
		th.title.Render("Their safety number") + th.dim.Render(" – what they must read to you"), "  " + line(f.SafetyNumber), "",
	}
	for _, a := range f.Attestations {
		lines = append(lines, "· "+line(a))
	}
	lines = append(lines, th.dim.Render("What a listing says is what its author says. n makes a contact, v compares words on the phone."))
	return p.r.open(newReader(p.r, line(f.Name), lines))
}

func sayOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (p *foundPage) vouchStyle(f control.Found) lipgloss.Style {
	if f.Vouched || f.Trust == "verified" {
		return p.r.th.good
	}
	return p.r.th.warn
}

// vouchWord says whose word there is for somebody.
func vouchWord(f control.Found) string {
	switch {
	case f.Trust == "verified":
		return "✓ verified"
	case f.Trust == "blocked":
		return "✗ BLOCKED"
	case f.Vouched && len(f.Attestations) > 0:
		return "+ " + line(f.Attestations[0])
	}
	return "? unattested"
}

func nowWord(f control.Found) string {
	switch {
	case f.Accepting:
		return "● awake"
	case f.OpensAt != nil:
		return "○ " + f.OpensAt.Local().Format("Mon 15:04")
	}
	return "○ away"
}

func (p *foundPage) draw(w, h int) []string {
	th := p.r.th
	name, vouch := 22, max(20, min(40, w-60))
	state := fmt.Sprintf(" %d found", len(p.rows))
	if p.busy {
		state += " · asking…"
	}
	out := []string{
		th.dim.Render(fit(state, w)),
		th.dim.Render(fit("  "+fit("NAME", name)+" "+fit("WHO VOUCHES", vouch)+" "+fit("NOW", 11)+" SPECIALTIES, LANGUAGES", w)),
	}
	from, to := p.list.window(h - len(out) - 2)
	for i := from; i < to; i++ {
		f := p.rows[i]
		who := line(f.Name)
		if f.IsContact {
			who = "☆ " + who
		}
		row := fit("  "+fit(who, name)+" "+fit(vouchWord(f), vouch)+" "+fit(nowWord(f), 11)+" "+
			line(strings.Join(f.Specialties, ", ")+" · "+strings.Join(f.Languages, ", ")), w)
		if i == p.list.cur {
			row = th.sel.Render(row)
		}
		out = append(out, row)
	}
	switch {
	case p.failed != "":
		out = append(out, "", th.bad.Render(fit("  "+p.failed+" · ! tries again", w)))
	case len(p.rows) == 0 && !p.busy:
		out = append(out, "", th.dim.Render(fit("  nobody was found · s looks for others · ! asks again", w)))
	}
	if p.note != "" {
		out = append(out, th.warn.Render(fit("  "+p.note, w)))
	}
	return block(out, w, h)
}

// liveGrace is how long a dialog that opens by itself drops keys.
const liveGrace = time.Second

// offers asks whether to compare words with whoever waits for that.
func (r *root) offers(events eventsMsg) tea.Cmd {
	if !slices.ContainsFunc(events, func(e control.Event) bool { return e.Event == "contact" && e.Kind == "live" }) {
		return nil
	}
	return call(r.scope, "offers", r.client, control.ContactLiveOffers, control.None{}, func(list []control.LiveOffer, err error) tea.Cmd {
		if err != nil || len(list) == 0 || r.top() != nil {
			return nil
		}
		o := list[0]
		d := newChoice(r, "Compare four words?", []string{
			line(o.Name) + " wants to make sure with you that nobody is in between. You should be talking to them now, on the phone or face to face.",
			"They are " + line(o.Trust) + " to you. Comparing the words makes them a verified contact.",
		}, []option{
			{"Not now", nil},
			{"Compare", func() tea.Cmd { return compareWords(r, o.Person, o.Name, nil) }},
		})
		d.armed = r.now().Add(liveGrace)
		return r.open(d)
	})
}
