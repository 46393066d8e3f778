package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/form"
	"github.com/curbside-p2p/curbside/node/control"
)

// requestPage asks for a second opinion, in five steps; nothing leaves before
// the last, which says to whom, what, and that it cannot be recalled.
type requestPage struct {
	r        *root
	s        *scope
	step     int
	studies  []control.Study
	contacts []control.Contact
	chosen   map[string]bool // studies
	to       []string        // contacts, in order: the first is the primary
	list     list
	question textarea.Model
	priority string
	ident    bool
	cast     *disclosure  // under a pseudonym: what goes and what stays
	form     *form.Filled // nil: none chosen
	checked  []string     // what the node says of the request before it goes
	note     string
	invite   string // a case: then this page only adds people to it
	w, h     int
}

var steps = []string{"Study", "De-identify", "Question", "Who", "Review"}

func newRequest(r *root, study string) *requestPage {
	p := &requestPage{r: r, s: newScope(r.scope.ctx), chosen: map[string]bool{}, question: newArea(r.th), priority: "routine", note: "loading…"}
	if study != "" {
		p.chosen[study] = true
		p.step = 1
	}
	return p
}

// newInvite picks people to add to a case.
func newInvite(r *root, caseID string) *requestPage {
	p := newRequest(r, "")
	p.invite, p.step = caseID, 3
	return p
}

func (p *requestPage) title() string {
	if p.invite != "" {
		return "Invite to " + short(p.invite)
	}
	var s strings.Builder
	s.WriteString("New request")
	for i, name := range steps {
		switch {
		case i == p.step:
			fmt.Fprintf(&s, "  [%d %s]", i+1, name)
		case p.r.w >= 100:
			fmt.Fprintf(&s, "  (%d %s)", i+1, name)
		}
	}
	return s.String()
}

func (p *requestPage) close()       { p.s.close() }
func (p *requestPage) typing() bool { return true } // it has its own keys for moving
func (p *requestPage) contexts() []string {
	if p.step == 2 {
		return []string{"question", "request"}
	}
	if p.step == 1 && p.cast != nil {
		return []string{"deid", "request", "move"}
	}
	return []string{"picking", "request", "move"}
}

func (p *requestPage) open() tea.Cmd {
	return tea.Batch(
		call(p.s, "studies", p.r.client, control.StudyList, control.None{}, func(s []control.Study, err error) tea.Cmd {
			p.note = ""
			if err != nil {
				p.note = explain(err)
			}
			p.studies = s
			p.count()
			return nil
		}),
		call(p.s, "contacts", p.r.client, control.ContactList, control.None{}, func(c []control.Contact, err error) tea.Cmd {
			if err != nil {
				p.note = explain(err)
			}
			p.contacts = slices.DeleteFunc(c, func(c control.Contact) bool { return c.Trust == "pending" || c.Trust == "blocked" })
			p.count()
			return nil
		}))
}

func (p *requestPage) count() {
	switch p.step {
	case 0:
		p.list.set(len(p.studies))
	case 3:
		p.list.set(len(p.contacts))
	default:
		p.list.set(2)
	}
}

func (p *requestPage) resize(w, h int) tea.Cmd {
	p.w, p.h = w, h
	p.question.SetWidth(max(10, w-4))
	p.question.SetHeight(max(3, h-9))
	return nil
}

func (p *requestPage) update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		if _, paste := msg.(tea.PasteMsg); paste && p.step == 2 {
			var cmd tea.Cmd
			p.question, cmd = p.question.Update(msg)
			return cmd
		}
		return nil
	}
	key := k.String()
	switch id := action(key, p.contexts()...); {
	case id == "prev":
		return p.back()
	case id == "next":
		return p.forward()
	case id == "form" && p.step == 2:
		return p.chooseForm()
	case id == "priority" && p.step == 2:
		all := []string{"routine", "urgent", "stat"}
		p.priority = all[(slices.Index(all, p.priority)+1)%3]
		return nil
	case p.step == 2:
		var cmd tea.Cmd
		p.question, cmd = p.question.Update(k)
		return cmd
	case p.step == 1 && p.cast != nil && id != "go" && id != "pick":
		p.note = ""
		return p.cast.act(id, p.h)
	case id == "go":
		if p.step == 0 || p.step == 3 && len(p.to) == 0 {
			p.pick(true)
		}
		return p.forward()
	case id == "pick":
		p.pick(false)
		return nil
	default:
		p.list.move(id, p.h)
	}
	return nil
}

// pick chooses what is under the cursor, or takes it back.
func (p *requestPage) pick(only bool) {
	switch {
	case p.step == 0 && p.list.cur < len(p.studies):
		id := p.studies[p.list.cur].Study
		if only && len(p.chosen) > 0 {
			return
		}
		if p.chosen[id] = !p.chosen[id]; !p.chosen[id] {
			delete(p.chosen, id)
		}
	case p.step == 3 && p.list.cur < len(p.contacts):
		id := p.contacts[p.list.cur].Person
		if i := slices.Index(p.to, id); i >= 0 {
			p.to = slices.Delete(p.to, i, i+1)
		} else {
			p.to = append(p.to, id)
		}
	case p.step == 1:
		p.ident = p.list.cur == 1
	}
}

func (p *requestPage) back() tea.Cmd {
	if p.step == 0 || p.invite != "" {
		return p.r.pop()
	}
	if p.step == 1 && p.cast != nil {
		p.cast, p.note = nil, ""
		return nil
	}
	p.step--
	p.note = ""
	p.list.cur = 0
	p.count()
	return nil
}

func (p *requestPage) forward() tea.Cmd {
	p.note = ""
	switch p.step {
	case 0:
		if len(p.chosen) == 0 {
			p.note = "choose a study: space"
			return nil
		}
	case 1:
		if p.cast == nil {
			if p.ident = p.list.cur == 1; !p.ident {
				p.cast = newDisclosure(p)
				return p.cast.load()
			}
			break
		}
		if !p.cast.ready || p.cast.open() > 0 {
			p.note = "decide about each first: r release, b blacken, x leave out"
			return nil
		}
	case 2:
		if strings.TrimSpace(p.question.Value()) == "" {
			p.note = "a request needs a question"
			return nil
		}
	case 3:
		if len(p.to) == 0 {
			p.note = "choose at least one colleague: space"
			return nil
		}
		if p.invite != "" {
			return p.sendInvite()
		}
	case 4:
		return p.confirm()
	}
	p.step++
	p.list = list{}
	if p.step == 1 {
		p.list.n, p.list.cur = 2, 0
	}
	p.count()
	if p.step == 4 {
		return p.look()
	}
	return nil
}

// chooseForm fills in the form of a specialty.
func (p *requestPage) chooseForm() tea.Cmd {
	return pickForm(p.r, form.Request, p.form, func(f *form.Filled) tea.Cmd {
		p.form = f
		return nil
	})
}

// look asks the node what it would warn of, or refuse, before anything leaves.
func (p *requestPage) look() tea.Cmd {
	p.checked = []string{"checking…"}
	req := p.request()
	req.Check = true
	return do(p.s, "check", castMax, func(ctx context.Context) (control.CaseRef, error) {
		ref, err := control.Request.Call(ctx, p.r.client, req)
		clean(&ref)
		return ref, err
	}, func(ref control.CaseRef, err error) tea.Cmd {
		p.checked = ref.Warnings
		if err != nil {
			p.checked = []string{explain(err)}
		}
		return nil
	})
}

func (p *requestPage) request() control.NewCase {
	req := control.NewCase{To: p.to, Question: strings.TrimSpace(p.question.Value()), Priority: p.priority, Identified: p.ident, Form: formValues(p.form)}
	if p.cast != nil {
		req.Choices = p.cast.choices()
	}
	for _, s := range p.studies {
		if p.chosen[s.Study] {
			req.Studies = append(req.Studies, s.Study)
		}
	}
	return req
}

func (p *requestPage) sendInvite() tea.Cmd {
	var names []string
	for _, id := range p.to {
		names = append(names, line(p.contact(id).Name))
	}
	dlg := newPrompt(p.r, "Add to "+short(p.invite)+"?", []string{
		"New members read everything in this case, also what was written before: " + strings.Join(names, ", ") + ".",
		"What they have received cannot be recalled.",
	}, false, func(string) tea.Cmd {
		return act(p.r, control.CaseInvite, control.CaseInviteRequest{Case: p.invite, To: p.to}, "added", func(control.EntryRef) tea.Cmd { return p.r.pop() })
	})
	dlg.must, dlg.armed = p.handle(), p.r.now().Add(armAfter)
	return p.r.open(dlg)
}

func (p *requestPage) contact(id string) control.Contact {
	for _, c := range p.contacts {
		if c.Person == id {
			return c
		}
	}
	return control.Contact{}
}

// handle is what must be typed to send: the first recipient's name, as a word.
func (p *requestPage) handle() string {
	words := strings.FieldsFunc(strings.ToLower(line(p.contact(p.to[0]).Name)), func(r rune) bool { return r == ' ' || r == ',' })
	for _, word := range slices.Backward(words) {
		if len([]rune(word)) > 2 {
			return word
		}
	}
	return "send"
}

// confirm is the disclosure review's last word (TERMINAL.md §11).
func (p *requestPage) confirm() tea.Cmd {
	dlg := newPrompt(p.r, "Send?", []string{"This cannot be recalled after delivery."}, false, func(string) tea.Cmd {
		return act(p.r, control.Request, p.request(), "sent: it goes as soon as they can be reached", func(ref control.CaseRef) tea.Cmd {
			for _, w := range ref.Warnings {
				_ = p.r.say("warn", w)
			}
			if n := len(p.r.pages); n > 0 && p.r.pages[n-1] == screen(p) {
				_ = p.r.pop()
				p.r.tab = 1
				return tea.Batch(p.r.push(newCase(p.r, ref.Case)))
			}
			return nil
		})
	})
	dlg.must, dlg.armed = p.handle(), p.r.now().Add(armAfter)
	return p.r.open(dlg)
}

func (p *requestPage) draw(w, h int) []string {
	th := p.r.th
	lines := []string{""}
	switch p.step {
	case 0:
		lines = append(lines, th.title.Render(" Which study? ")+th.dim.Render("space chooses several, enter goes on"), "")
		lines = append(lines, p.studyRows(w, h-5)...)
	case 1:
		if p.cast != nil {
			lines = append(lines, p.cast.draw(w, h-2)...)
			break
		}
		lines = append(lines, p.identityRows(w)...)
	case 2:
		lines = append(lines, th.title.Render(" What do you want to know? ")+th.dim.Render("one question, with what is known of the patient"), "")
		for l := range strings.SplitSeq(p.question.View(), "\n") {
			lines = append(lines, "  "+l)
		}
		lines = append(block0(lines, h-4), " Form: "+formWord(p.form)+th.dim.Render("  ctrl+f fills one in"),
			" Priority: "+th.warn.Render(p.priority)+th.dim.Render("  ctrl+t changes it · ctrl+d goes on"))
	case 3:
		lines = append(lines, th.title.Render(" Whom? ")+th.dim.Render("space chooses; the first is the primary consultant"), "")
		lines = append(lines, p.contactRows(w, h-5)...)
	case 4:
		lines = append(lines, p.review(w)...)
	}
	lines = block(lines, w, h-1)
	return append(lines, th.warn.Render(fit(" "+p.note, w)))
}

func (p *requestPage) studyRows(w, h int) []string {
	var lines []string
	from, to := p.list.window(h)
	for i := from; i < to; i++ {
		s := p.studies[i]
		box := "[ ]"
		if p.chosen[s.Study] {
			box = "[x]"
		}
		lines = append(lines, p.cursor(i, fit(" "+box+" "+fit(nameWord(s.PatientName), 24)+" "+fit(dateWord(s.Date), 10)+" "+fit(studyWord(s.Modality, s.Description), max(10, w-70))+" "+right(fmt.Sprintf("%d images", s.Instances), 12)+" "+right(size(s.Bytes), 9), w)))
	}
	if len(p.studies) == 0 && p.note == "" {
		lines = append(lines, p.r.th.dim.Render("  no studies here · curbside import FOLDER brings some"))
	}
	return lines
}

func (p *requestPage) cursor(i int, row string) string {
	if i == p.list.cur {
		return p.r.th.sel.Render(row)
	}
	return row
}

func (p *requestPage) identityRows(w int) []string {
	th := p.r.th
	lines := []string{th.title.Render(" The images carry the patient's name."), ""}
	for _, l := range wrap("Under a pseudonym the name, the numbers and the scanner's identifiers stay here, and dates are moved. What your colleagues mark and write comes back to your own images. The pixels, their number and their size stay visible, and who has the identified study as well sees that it is the same.", w-4) {
		lines = append(lines, "  "+l)
	}
	lines = append(lines, "", p.cursor(0, fit("  Send it under a pseudonym; first look at what goes and what stays", w)), p.cursor(1, fit("  Send it identified, as it is; I have a basis for that (treatment)", w)))
	return lines
}

func (p *requestPage) contactRows(w, h int) []string {
	var lines []string
	from, to := p.list.window(h)
	for i := from; i < to; i++ {
		c := p.contacts[i]
		box := "[ ]"
		if n := slices.Index(p.to, c.Person); n >= 0 {
			box = fmt.Sprintf("[%d]", n+1)
		}
		lines = append(lines, p.cursor(i, fit(" "+box+" "+fit(line(c.Name), 28)+" "+fit(trustWord(c), 26)+" "+fit(line(strings.Join(c.Specialties, ", ")), max(0, w-64)), w)))
	}
	if len(p.contacts) == 0 {
		lines = append(lines, p.r.th.dim.Render("  no contacts yet · add one on the contacts page (3), with n"))
	}
	return lines
}

// review is who, what, until when: before anything leaves.
func (p *requestPage) review(w int) []string {
	th := p.r.th
	images, bytes := 0, int64(0)
	var what []string
	for _, s := range p.studies {
		if p.chosen[s.Study] {
			images += s.Instances
			bytes += s.Bytes
			what = append(what, "  "+fit(nameWord(s.PatientName), 24)+" "+dateWord(s.Date)+" "+studyWord(s.Modality, s.Description)+fmt.Sprintf(" · %d images", s.Instances))
		}
	}
	lines := []string{th.title.Render(" You will disclose"), fmt.Sprintf("  %d images (%s), %s", images, size(bytes), th.bad.Render("with the patient's name and everything else in them"))}
	if p.cast != nil {
		lines[1] = "  " + p.cast.words() + " (" + size(bytes) + "), names and numbers removed, dates moved"
	}
	lines = append(lines, what...)
	lines = append(lines, "", th.title.Render(" to"))
	for i, id := range p.to {
		c := p.contact(id)
		role := "consultant"
		if i == 0 {
			role = "primary consultant"
		}
		lines = append(lines, "  "+fit(line(c.Name), 28)+" "+fit(trustWord(c), 26)+" "+role)
		if !c.Verified {
			lines = append(lines, "    "+th.warn.Render("not verified: their safety number was never compared (contacts, v)"))
		}
	}
	lines = append(lines, "", th.title.Render(" question")+th.dim.Render(" · "+p.priority))
	for _, l := range wrap(strings.TrimSpace(p.question.Value()), w-4) {
		lines = append(lines, "  "+l)
	}
	if p.form != nil {
		lines = append(lines, "  form: "+formWord(p.form))
	}
	for _, c := range p.checked {
		for _, l := range wrap("! "+c, w-4) {
			lines = append(lines, "  "+th.warn.Render(l))
		}
	}
	return append(lines, "", th.warn.Render(" It cannot be recalled after delivery."), th.dim.Render(" enter or ctrl+d: type the name and send · esc: change something"))
}

// size is bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.0f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.0f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
