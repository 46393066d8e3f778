package tui

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/form"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/node/control"
)

// reportPage writes the local draft of a report; beside it stands what was said.
type reportPage struct {
	r      *root
	s      *scope
	id     string
	area   textarea.Model
	status string // final, preliminary or addendum
	of     string
	// correction: the addendum corrects its report.
	correction bool
	note       string
	saved      string // the text as the node has it
	form       *form.Filled
	d          control.CaseDetail
	ready      bool
	w, h       int
}

func newReport(r *root, id string, from *casePage) *reportPage {
	p := &reportPage{r: r, s: newScope(r.scope.ctx), id: id, area: newArea(r.th), status: "final", note: "loading the draft…"}
	if from != nil {
		p.d = from.d
	}
	return p
}

func (p *reportPage) title() string { return "Report · " + short(p.id) + " " + line(p.d.Title) }
func (p *reportPage) close() {
	p.s.close()
	p.area.Reset()
}
func (p *reportPage) typing() bool       { return true }
func (p *reportPage) contexts() []string { return []string{"report"} }

func (p *reportPage) open() tea.Cmd {
	show := call(p.s, "case", p.r.client, control.CaseShow, control.CaseShowRequest{Case: p.id}, func(d control.CaseDetail, err error) tea.Cmd {
		if err == nil {
			p.d = d
		}
		return nil
	})
	draft := call(p.s, "draft", p.r.client, control.CaseDraft, control.CaseRequest{Case: p.id}, func(d control.Draft, err error) tea.Cmd {
		p.note, p.ready = "", true
		if err != nil && control.AsError(err).Code != control.NotFound {
			p.note = explain(err)
		}
		if d.Text != "" && p.area.Value() == "" {
			p.area.SetValue(d.Text)
			p.saved = d.Text
			p.note = "draft from before"
		}
		if d.Status != "" {
			p.status, p.of, p.correction, p.form = d.Status, d.Of, d.Correction, formOf(d.Form)
		}
		return nil
	})
	return tea.Batch(show, draft)
}

func (p *reportPage) resize(w, h int) tea.Cmd {
	p.w, p.h = w, h
	p.area.SetWidth(p.textWidth())
	p.area.SetHeight(max(3, h-3))
	return nil
}

func (p *reportPage) textWidth() int {
	if p.w >= colsWide {
		return p.w - p.w/3 - 3
	}
	return p.w - 2
}

func (p *reportPage) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case eventsMsg, shownMsg, mouseMsg:
		return nil
	case editedMsg:
		if m.p != p {
			return nil
		}
		if m.err != nil {
			return p.r.say("bad", "✗ "+m.err.Error())
		}
		clean(&m.text)
		p.area.SetValue(m.text)
		return p.save(nil)
	case tea.KeyPressMsg:
		switch action(m.String(), "report") {
		case "editor":
			return p.editor()
		case "done":
			return p.save(func() tea.Cmd { return p.sign() })
		case "form":
			return p.chooseForm()
		case "template":
			return p.template()
		case "kind":
			p.status = map[string]string{"final": "preliminary", "preliminary": "final"}[p.status]
			if p.status == "" {
				p.status = "final"
			}
			return nil
		case "back":
			p.area.Blur()
			return p.save(p.r.pop)
		}
	}
	if !p.ready {
		return nil
	}
	var cmd tea.Cmd
	p.area, cmd = p.area.Update(msg)
	return cmd
}

// chooseForm fills in an opinion form; what it says is signed with the report.
func (p *reportPage) chooseForm() tea.Cmd {
	return pickForm(p.r, form.Opinion, p.form, func(f *form.Filled) tea.Cmd {
		p.form = f
		if strings.TrimSpace(p.area.Value()) == "" {
			p.area.SetValue(f.Values["answer"])
		}
		p.note = "form: " + formWord(f)
		return nil
	})
}

// template starts the report from one, below what is written already.
func (p *reportPage) template() tea.Cmd {
	var items []option
	for _, t := range report.Templates() {
		items = append(items, option{t.Name + " · " + t.Title, func() tea.Cmd {
			text := strings.TrimSpace(p.area.Value())
			if text != "" {
				text += "\n\n"
			}
			p.area.SetValue(text + t.Text)
			p.note = "replace each [[prompt]]; {{A1}} cites a mark"
			return nil
		}})
	}
	return p.r.open(newPicker(p.r, "Start from a template", items))
}

// save keeps the draft at the node; then goes on, also with nothing to save.
func (p *reportPage) save(then func() tea.Cmd) tea.Cmd {
	text := strings.TrimSpace(p.area.Value())
	if text == "" || !p.ready {
		if then != nil && p.saved == "" && text == "" {
			p.note = "nothing written"
			if p.area.Focused() { // ctrl+d on an empty page signs nothing
				return nil
			}
		}
		if then != nil && !p.area.Focused() {
			return then()
		}
		return nil
	}
	p.note = "saving…"
	req := control.CaseReportRequest{Case: p.id, Text: text, Status: p.status, Of: p.of, Correction: p.correction, Form: formValues(p.form)}
	return call(p.s, "save", p.r.client, control.CaseReport, req, func(ref control.ReportRef, err error) tea.Cmd {
		p.area.Focus()
		if err != nil {
			p.note = "not saved: " + explain(err)
			return p.r.say("bad", "✗ draft not saved: "+explain(err))
		}
		p.saved = text
		if strings.Contains(text, "{{") {
			return p.cited(then)
		}
		p.note = "draft saved " + p.r.now().Format("15:04")
		for _, w := range ref.Warnings {
			p.note += " · " + line(w)
		}
		if then != nil {
			return then()
		}
		return nil
	})
}

// cited reads the draft back: what it cites stands in it now, and that is what is signed.
func (p *reportPage) cited(then func() tea.Cmd) tea.Cmd {
	return call(p.s, "cited", p.r.client, control.CaseDraft, control.CaseRequest{Case: p.id}, func(d control.Draft, err error) tea.Cmd {
		if err != nil {
			p.note = explain(err)
			return nil
		}
		p.area.SetValue(d.Text)
		p.saved = d.Text
		p.note = "draft saved " + p.r.now().Format("15:04") + ", marks filled in"
		if then != nil {
			return then()
		}
		return nil
	})
}

func (p *reportPage) sign() tea.Cmd {
	p.d.Case.Case = p.id
	return signDraft(p.r, p.d, p.status, p.saved, func() tea.Cmd {
		if n := len(p.r.pages); n > 0 && p.r.pages[n-1] == screen(p) {
			return p.r.pop()
		}
		return nil
	})
}

// editedMsg is a text that comes back from $EDITOR.
type editedMsg struct {
	p    *reportPage
	text string
	err  error
}

// editor opens $EDITOR on a private file, which is removed afterwards.
func (p *reportPage) editor() tea.Cmd {
	name := ""
	for _, e := range p.r.env {
		k, v, _ := strings.Cut(e, "=")
		if (k == "VISUAL" || k == "EDITOR" && name == "") && v != "" {
			name = v
		}
	}
	if name == "" {
		return p.r.say("warn", "EDITOR is not set")
	}
	dir, err := os.MkdirTemp("", "curbside-") // 0700
	if err != nil {
		return p.r.say("bad", "✗ no place for a temporary file")
	}
	file := filepath.Join(dir, "report.md")
	if err := os.WriteFile(file, []byte(p.area.Value()), 0o600); err != nil {
		_ = os.RemoveAll(dir)
		return p.r.say("bad", "✗ cannot write a temporary file")
	}
	args := append(strings.Fields(name), file)
	cmd := exec.CommandContext(p.s.ctx, args[0], args[1:]...) //nolint:gosec // the user's own EDITOR
	return tea.ExecProcess(cmd, func(err error) tea.Msg {
		defer func() { _ = os.RemoveAll(dir) }()
		if err != nil {
			return editedMsg{p: p, err: fmt.Errorf("the editor ended with an error")}
		}
		b, err := os.ReadFile(file)
		return editedMsg{p: p, text: string(b), err: err}
	})
}

func (p *reportPage) draw(w, h int) []string {
	th := p.r.th
	tw := p.textWidth()
	head := th.warn.Render(strings.ToUpper(p.status)) + th.dim.Render(" (ctrl+t changes) · "+imagesWord(p.d.Studies)+" images here")
	left := []string{head}
	left = append(left, strings.Split(p.area.View(), "\n")...)
	left = block(left, tw, h-1)
	left = append(left, th.dim.Render(fit(p.note, tw)))
	for i := range left {
		left[i] = " " + left[i]
	}
	if w < colsWide {
		return block0w(left, w, h)
	}
	side := w - tw - 2
	return beside(block(left, tw+1, h), vline(th, h), p.evidence(side, h))
}

func vline(th theme, h int) []string {
	out := make([]string, h)
	for i := range out {
		out[i] = th.border.Render("│")
	}
	return out
}

func block0w(lines []string, w, h int) []string { return block(lines, w, h) }

// evidence is the question and what was said, to write from.
func (p *reportPage) evidence(w, h int) []string {
	th := p.r.th
	lines := []string{th.title.Render(" QUESTION")}
	for _, l := range wrap(line(p.d.Question), w-2) {
		lines = append(lines, " "+l)
	}
	lines = append(lines, "", th.title.Render(" SAID"))
	for _, e := range slices.Backward(p.d.Entries) {

		if e.Text == "" || e.Kind == "request" || e.Retracted {
			continue
		}
		lines = append(lines, th.accent.Render(" "+line(e.AuthorName))+th.dim.Render(" "+e.Time.Local().Format("15:04")))
		for _, l := range wrap(e.Text, w-3) {
			lines = append(lines, "  "+l)
		}
	}
	return block(lines, w, h)
}

// signCase signs the draft that the node keeps.
func signCase(r *root, d control.CaseDetail) tea.Cmd {
	return do(r.scope, "draft for signing", callMax, func(ctx context.Context) (control.Draft, error) {
		dr, err := control.CaseDraft.Call(ctx, r.client, control.CaseRequest{Case: d.Case.Case})
		clean(&dr)
		return dr, err
	}, func(dr control.Draft, err error) tea.Cmd {
		if err != nil && control.AsError(err).Code != control.NotFound {
			return r.say("bad", "✗ "+explain(err))
		}
		if dr.Text == "" {
			return r.say("warn", "there is no draft: e writes a report")
		}
		return signDraft(r, d, dr.Status, dr.Text, nil)
	})
}

// signDraft repeats whom and what it is about, and asks for the word or the
// passphrase (FIELD §4.3, G3).
func signDraft(r *root, d control.CaseDetail, status, text string, then func() tea.Cmd) tea.Cmd {
	if status == "" {
		status = "final"
	}
	th := r.th
	lines := []string{
		th.strong.Render("Patient  ") + orDash(join(line(d.PatientName), line(d.PatientID), line(d.Patient))) + " · " + line(d.Title),
		th.strong.Render("Question ") + line(d.Question),
		th.strong.Render("Images   ") + imagesWord(d.Studies) + " here · read on a terminal, not for primary diagnosis",
		th.strong.Render("Report   ") + th.warn.Render(strings.ToUpper(status)) + fmt.Sprintf(", %d %s:", strings.Count(text, "\n")+1, plural(strings.Count(text, "\n")+1, "line")),
		"",
	}
	for l := range strings.SplitSeq(text, "\n") {
		if len(lines) > 14 {
			lines = append(lines, th.dim.Render("  …"))
			break
		}
		lines = append(lines, "  "+l)
	}
	lines = append(lines, "", "A signature cannot be taken back; a signed report is corrected by an addendum.")
	secret := r.me.MustConfirm
	if secret {
		lines = append(lines, "Your passphrase signs it.")
	}
	dlg := newPrompt(r, "Sign this report?", lines, secret, func(typed string) tea.Cmd {
		c := *r.client
		if secret {
			c.Passphrase = []byte(typed)
		}
		return actAs(r, &c, control.CaseSign, control.CaseRequest{Case: d.Case.Case}, "signed and on its way", func(ref control.ReportRef) tea.Cmd {
			for _, w := range ref.Warnings {
				_ = r.say("warn", w)
			}
			if then != nil {
				return then()
			}
			return nil
		})
	})
	dlg.wide = 84
	dlg.armed = r.now().Add(armAfter)
	if !secret {
		dlg.must = "sign"
	}
	return r.open(dlg)
}

// join sets what is there of several facts side by side.
func join(facts ...string) string {
	return strings.Join(slices.DeleteFunc(facts, func(s string) bool { return s == "" }), " · ")
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
