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

// table is a page that is a list of rows read by one call.
type table[T any] struct {
	r     *root
	s     *scope
	name  string
	op    control.Op[control.None, []T]
	all   []T
	rows  []T // those that match the filter
	list  list
	find  textinput.Model
	typed bool
	note  string
	empty string
	in    []string // contexts before the common ones
	head  func(w int) string
	cells func(T, int) string
	on    func(id string, cur *T) tea.Cmd
	above func(w int) []string // lines before the list
	h     int
}

func (t *table[T]) title() string { return t.name }
func (t *table[T]) close()        { t.s.close() }
func (t *table[T]) typing() bool  { return t.typed }
func (t *table[T]) forget()       { t.all, t.rows = nil, nil; t.list.set(0) }
func (t *table[T]) contexts() []string {
	c := append(append([]string{}, t.in...), "move", "tabs", "all")
	if t.find.Value() != "" {
		c = append([]string{"filtered"}, c...)
	}
	return c
}
func (t *table[T]) resize(_, h int) tea.Cmd { t.h = h; return nil }

func (t *table[T]) open() tea.Cmd {
	return call(t.s, "list", t.r.client, t.op, control.None{}, func(rows []T, err error) tea.Cmd {
		t.note = ""
		if err != nil {
			t.note = explain(err)
			return nil
		}
		t.all = rows
		t.arrange()
		return nil
	})
}

// arrange keeps the rows whose cells hold every word of the filter.
func (t *table[T]) arrange() {
	words := strings.Fields(strings.ToLower(t.find.Value()))
	t.rows = t.rows[:0]
	for _, row := range t.all {
		hay := ""
		if len(words) > 0 {
			hay = strings.ToLower(t.cells(row, 400))
		}
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(hay, w) }) {
			t.rows = append(t.rows, row)
		}
	}
	t.list.set(len(t.rows))
}

func (t *table[T]) typeFilter(m tea.KeyPressMsg) tea.Cmd {
	var cmd tea.Cmd
	switch m.String() {
	case "esc":
		t.find.Reset()
		t.typed = false
	case "enter":
		t.typed = false
	default:
		t.find, cmd = t.find.Update(m)
	}
	t.arrange()
	return cmd
}

func (t *table[T]) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case eventsMsg, shownMsg:
		return t.open()
	case mouseMsg:
		if m.kind == "wheel" {
			t.list.move(map[bool]string{true: "up", false: "down"}[m.button == tea.MouseWheelUp], t.h)
		}
	case tea.KeyPressMsg:
		if t.typed {
			return t.typeFilter(m)
		}
		id := action(m.String(), t.contexts()...)
		if t.list.move(id, t.h) {
			return nil
		}
		switch id {
		case "retry":
			return t.open()
		case "filter":
			t.find = newInput(t.r.th)
			t.find.Prompt, t.find.CharLimit = "/", filterMax
			t.typed = true
			return nil
		case "filter-clear":
			t.find.Reset()
			t.arrange()
			return nil
		}
		var cur *T
		if t.list.cur < len(t.rows) {
			cur = &t.rows[t.list.cur]
		}
		if t.on != nil {
			return t.on(id, cur)
		}
	}
	return nil
}

func (t *table[T]) draw(w, h int) []string {
	th := t.r.th
	var out []string
	if t.above != nil {
		out = append(out, t.above(w)...)
	}
	if t.typed || t.find.Value() != "" {
		t.find.SetWidth(max(10, w/2))
		out = append(out, " "+t.find.View()+th.dim.Render(fmt.Sprintf("  %d of %d", len(t.rows), len(t.all))))
	}
	out = append(out, th.dim.Render(fit(t.head(w), w)))
	from, to := t.list.window(h - len(out) - 1)
	for i := from; i < to; i++ {
		row := fit(t.cells(t.rows[i], w), w)
		if i == t.list.cur {
			row = th.sel.Render(row)
		}
		out = append(out, row)
	}
	switch {
	case t.note != "":
		out = append(out, "", th.bad.Render(fit("  "+t.note+" · ! tries again", w)))
	case len(t.rows) == 0 && len(t.all) > 0:
		out = append(out, "", th.dim.Render(fit("  nothing matches · esc clears the filter", w)))
	case len(t.rows) == 0:
		out = append(out, "", th.dim.Render(fit("  "+t.empty, w)))
	}
	return block(out, w, h)
}

// trustWord is glyph and words for what is believed of a contact.
func trustWord(c control.Contact) string {
	switch c.Trust {
	case "verified":
		s := "✓ verified"
		if c.VerifiedHow != nil {
			s += " " + line(*c.VerifiedHow)
		}
		return s
	case "vouched":
		return "+ vouched for"
	case "invited":
		return "? by invite, not verified"
	case "blocked":
		return "✗ BLOCKED"
	case "pending":
		return "… waiting for them"
	}
	return "? " + line(c.Trust)
}

func newContacts(r *root) screen {
	t := &table[control.Contact]{
		r: r, s: newScope(r.scope.ctx), name: "Contacts", op: control.ContactList, in: []string{"contacts"},
		empty: "no contacts yet · n adds one by link · s finds a specialist · m shows the link that you give to others",
	}
	t.head = func(w int) string {
		return "  " + fit("NAME", 28) + " " + fit("TRUST", 28) + " " + fit("", 9) + " SPECIALTIES"
	}
	t.cells = func(c control.Contact, w int) string {
		name, online := line(c.Name), "○"
		if name == "" {
			name = "(" + short(c.Person) + ")"
		}
		if c.Online {
			online = "● online"
		}
		return "  " + fit(name, 28) + " " + fit(trustWord(c), 28) + " " + fit(online, 9) + " " + line(c.Kind+" "+strings.Join(c.Specialties, ", "))
	}
	t.on = func(id string, cur *control.Contact) tea.Cmd {
		switch id {
		case "add":
			return addContact(r, t.open)
		case "mine":
			return myCard(r)
		case "find":
			return r.push(newFound(r))
		}
		if cur == nil {
			return nil
		}
		switch id {
		case "show":
			return showContact(r, *cur)
		case "verify":
			return verifyContact(r, *cur, t.open)
		case "remove":
			who := control.ContactRequest{Contact: cur.Person}
			return r.open(newChoice(r, "Remove "+line(cur.Name)+"?", []string{"They get nothing new from you. Cases that you share stay as they are."}, []option{
				{"Cancel", nil}, {"Remove", func() tea.Cmd {
					return act(r, control.ContactRemove, who, "removed", func(control.Contact) tea.Cmd { return t.open() })
				}},
			}))
		}
		return nil
	}
	return t
}

func addContact(r *root, then func() tea.Cmd) tea.Cmd {
	return r.open(newPrompt(r, "Add a contact", []string{"Paste the link that they gave you (curbside:…)."}, false, func(link string) tea.Cmd {
		link = strings.TrimSpace(link)
		if link == "" {
			return nil
		}
		return act(r, control.ContactAdd, control.ContactAddRequest{Link: link, Timeout: 10 * time.Second}, "", func(c control.Contact) tea.Cmd {
			say := "✓ " + line(c.Name) + " is a contact: compare safety numbers with v"
			style := "good"
			if c.Trust == "pending" {
				say, style = "not reached yet; tried again until the invite expires", "warn"
			}
			if c.Warning != "" {
				say, style = c.Warning, "warn"
			}
			return tea.Batch(r.say(style, say), then())
		})
	}))
}

// myCard shows one's own half: the link to give away, the numbers to read aloud.
func myCard(r *root) tea.Cmd {
	return act(r, control.GetCard, control.CardRequest{}, "", func(c control.Card) tea.Cmd {
		th := r.th
		lines := []string{
			th.strong.Render(line(c.Name)) + th.dim.Render(" "+line(c.Kind)+" "+short(c.Person)), "",
			th.title.Render("Your safety number") + th.dim.Render(" – read it to them on the phone"), "  " + line(c.SafetyNumber), "",
			th.title.Render("or your words"), "  " + line(strings.Join(c.Words, " ")), "",
		}
		d := newReader(r, "This is you", nil)
		if c.Invite != nil {
			lines = append(lines, th.title.Render("Your invite")+th.dim.Render(" – for one person; y copies it"), line(*c.Invite))
			d.copies = *c.Invite
			lines = append(lines, qrLines(r, *c.Invite)...)
		}
		for _, a := range c.Addresses {
			lines = append(lines, th.dim.Render("  "+line(a)))
		}
		d.lines = lines
		return r.open(d)
	})
}

func showContact(r *root, c control.Contact) tea.Cmd {
	return act(r, control.ContactShow, control.ContactRequest{Contact: c.Person}, "", func(c control.Contact) tea.Cmd {
		th := r.th
		d := newReader(r, line(c.Name), []string{
			th.strong.Render(trustWord(c)), line(c.Kind) + " · " + line(strings.Join(c.Specialties, ", ")), "",
			th.title.Render("Their safety number") + th.dim.Render(" – what they must read to you"), "  " + line(c.SafetyNumber), "",
			th.dim.Render("id " + line(c.Person) + " · y copies it"),
		})
		for _, a := range c.Attestations {
			d.lines = append(d.lines, "· "+line(a))
		}
		d.copies = c.Person
		return r.open(d)
	})
}

// verifyContact asks what the other read aloud; it is never shown first, so
// that nobody only looks and says yes.
func verifyContact(r *root, c control.Contact, then func() tea.Cmd) tea.Cmd {
	return r.open(newChoice(r, "Verify "+line(c.Name), []string{"Call them on a number that you know."}, []option{
		{"Number or nine words, that they read to you", func() tea.Cmd { return verifyByNumber(r, c, then) }},
		{"Four live words: both at the screen now, with running nodes", func() tea.Cmd { return compareWords(r, c.Person, c.Name, then) }},
	}))
}

func verifyByNumber(r *root, c control.Contact, then func() tea.Cmd) tea.Cmd {
	return r.open(newPrompt(r, "Verify "+line(c.Name), []string{
		"Call them on a number that you know. They open their contacts page and press m.",
		"Type the number or the nine words that they read to you:",
	}, false, func(said string) tea.Cmd {
		said = strings.TrimSpace(said)
		if said == "" {
			return nil
		}
		req := control.ContactVerifyRequest{Contact: c.Person, Words: said}
		if strings.ContainsAny(said, "0123456789") {
			req = control.ContactVerifyRequest{Contact: c.Person, Number: said}
		}
		return act(r, control.ContactVerify, req, line(c.Name)+" is verified", func(control.Contact) tea.Cmd { return then() })
	}))
}

func newStudies(r *root) screen {
	t := &table[control.Study]{
		r: r, s: newScope(r.scope.ctx), name: "Studies", op: control.StudyList, in: []string{"studies"},
		empty: "no studies here · curbside import FOLDER brings some",
	}
	t.head = func(w int) string {
		return "  " + fit("PATIENT", 24) + " " + fit("DATE", 10) + " " + fit("STUDY", max(10, w-72)) + " " + right("IMAGES", 11) + " " + right("SIZE", 9) + "  ORIGIN"
	}
	t.cells = func(s control.Study, w int) string {
		n := fmt.Sprintf("%d/%d", s.Present, max(s.Instances, deref(s.Expected)))
		if s.Complete {
			n = "✓" + n
		}
		return "  " + fit(nameWord(s.PatientName), 24) + " " + fit(dateWord(s.Date), 10) + " " + fit(studyWord(s.Modality, s.Description), max(10, w-72)) + " " + right(n, 11) + " " + right(size(s.Bytes), 9) + "  " + line(s.Origin)
	}
	t.on = func(id string, cur *control.Study) tea.Cmd {
		if id == "new" && cur != nil {
			return r.push(newRequest(r, cur.Study))
		}
		return nil
	}
	return t
}

func deref(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func newAudit(r *root) screen {
	t := &table[control.AuditRecord]{
		r: r, s: newScope(r.scope.ctx), name: "Audit", op: control.AuditList, in: []string{"audit"}, empty: "nothing recorded yet",
	}
	t.head = func(int) string {
		return "  " + fit("TIME", 19) + " " + fit("ACTION", 22) + " " + fit("OBJECT", 24) + " OUTCOME"
	}
	t.cells = func(a control.AuditRecord, _ int) string {
		return "  " + a.Time.Local().Format("2006-01-02 15:04:05") + " " + fit(line(a.Action), 22) + " " + fit(line(a.Object), 24) + " " + line(a.Outcome)
	}
	return t
}

// newTransfers is the network page: who is reached how or why not, and below it what is on its way.
func newTransfers(r *root) screen {
	t := &table[control.Transfer]{
		r: r, s: newScope(r.scope.ctx), name: "Network", op: control.TransferList, in: []string{"transfers"}, empty: "nothing on its way",
	}
	p := &transfers{table: t}
	t.head = func(int) string { return "    " + fit("CASE", 7) + " " + fit("PEER", 22) + " TRANSFER" }
	t.cells = func(x control.Transfer, w int) string {
		arrow := "⇣"
		if x.Direction == "send" {
			arrow = "⇡"
		}
		part := 0.0
		if x.BytesTotal > 0 {
			part = min(1, max(0, float64(x.BytesDone)/float64(x.BytesTotal)))
		}
		bar := strings.Repeat("█", int(part*20)) + strings.Repeat("░", 20-int(part*20))
		s := "  " + arrow + " " + fit(short(x.Case), 7) + " " + fit(line(cmp.Or(x.Name, p.peerName(x.Peer)))+others(x), 22) + " " + bar + fmt.Sprintf(" %3.0f%% of %s", part*100, size(x.BytesTotal))
		if x.Rate > 0 {
			s += fmt.Sprintf(" · %s/s", size(int64(x.Rate)))
			if left := float64(x.BytesTotal-x.BytesDone) / x.Rate; left < 86400 {
				s += fmt.Sprintf(" · %s", time.Duration(left*float64(time.Second)).Round(time.Second))
			}
		}
		return s + " · " + line(x.State)
	}
	t.above = p.peersLines
	return p
}

// others says from how many more members a study comes.
func others(x control.Transfer) string {
	if n := len(x.Sources); n > 1 {
		return fmt.Sprintf(" +%d", n-1)
	}
	return ""
}

type transfers struct {
	*table[control.Transfer]
	peers []control.Peer
}

func (p *transfers) open() tea.Cmd {
	return tea.Batch(p.table.open(), call(p.s, "peers", p.r.client, control.PeerList, control.None{}, func(peers []control.Peer, err error) tea.Cmd {
		if err == nil {
			p.peers = peers
		}
		return nil
	}))
}

func (p *transfers) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case eventsMsg, shownMsg:
		return p.open()
	case tea.KeyPressMsg:
		if p.typed {
			break
		}
		switch action(m.String(), p.contexts()...) {
		case "retry":
			return p.open()
		case "bundle":
			return readStick(p.r)
		}
	}
	return p.table.update(msg)
}

func (p *transfers) peerName(id string) string {
	for _, x := range p.peers {
		if (x.Peer == id || x.Person == id) && x.Name != "" {
			return x.Name
		}
	}
	return id
}

func (p *transfers) peersLines(w int) []string {
	th := p.r.th
	lines := []string{th.title.Render(fmt.Sprintf(" PEERS %d", len(p.peers)))}
	for i, x := range p.peers {
		if i == 6 {
			lines = append(lines, th.dim.Render(fmt.Sprintf("   and %d more", len(p.peers)-6)))
			break
		}
		s := "  " + map[bool]string{true: "○ ", false: "● "}[x.Path == "none"] + fit(line(orName(x)), 24) + " " + fit(line(x.Path), 8)
		if x.RTTMS != nil {
			s += fmt.Sprintf(" %4.0f ms", *x.RTTMS)
		}
		if x.Since != nil {
			s += " since " + x.Since.Local().Format("15:04")
		}
		lines = append(lines, fit(s, w))
		if x.Why != "" {
			why := line(x.Why)
			if x.Next != nil {
				why += " · next try " + x.Next.Local().Format("15:04:05")
			}
			lines = append(lines, th.dim.Render(fit("      "+why, w)))
		}
	}
	if len(p.peers) == 0 {
		lines = append(lines, th.dim.Render("   nobody connected · what is to be sent waits for them"))
	}
	lines = append(lines, "", th.title.Render(" TRANSFERS"))
	if i := p.list.cur; i < len(p.rows) && p.rows[i].Hint != "" {
		lines = append(lines, th.dim.Render(fit("   to do: "+line(p.rows[i].Hint), w)))
	}
	return lines
}

func orName(x control.Peer) string {
	if x.Name != "" {
		return x.Name
	}
	return x.Peer
}
