package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// patients lists the patients of the studies here; enter shows one on a time line.
type patients struct {
	r    *root
	s    *scope
	rows []control.Patient
	list list
	note string
	h    int
}

func newPatients(r *root) *patients {
	return &patients{r: r, s: newScope(r.scope.ctx), note: "loading…"}
}

func (p *patients) title() string      { return "Patients" }
func (p *patients) close()             { p.s.close() }
func (p *patients) typing() bool       { return false }
func (p *patients) contexts() []string { return []string{"patients", "move", "all"} }
func (p *patients) forget()            { p.rows = nil; p.list.set(0) }

func (p *patients) open() tea.Cmd {
	return call(p.s, "list", p.r.client, control.PatientList, control.None{}, func(rows []control.Patient, err error) tea.Cmd {
		p.note = ""
		if err != nil {
			p.note = explain(err)
			return nil
		}
		p.rows = rows
		p.list.set(len(rows))
		return nil
	})
}

func (p *patients) resize(_, h int) tea.Cmd { p.h = h; return nil }

func (p *patients) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case eventsMsg, shownMsg:
		return p.open()
	case tea.KeyPressMsg:
		id := action(m.String(), p.contexts()...)
		if p.list.move(id, p.h-1) || p.list.cur >= len(p.rows) {
			return nil
		}
		if id == "enter" {
			return p.r.push(newPatient(p.r, p.rows[p.list.cur].Patient))
		}
	}
	return nil
}

func (p *patients) draw(w, h int) []string {
	th := p.r.th
	nameW := max(16, w-62)
	lines := []string{th.dim.Render(fit(" "+fit("PATIENT", nameW)+" "+fit("ID", 18)+" "+fit("BORN", 11)+fit("SEX", 5)+fit("STUDIES", 9)+fit("CASES", 6), w))}
	from, to := p.list.window(h - 1)
	for i := from; i < to; i++ {
		x := p.rows[i]
		name := line(x.Name)
		if x.Pseudonym {
			name += " (pseudonym)"
		}
		if len(x.Doubtful) > 0 {
			name = "? " + name // somebody else may be the same
		}
		s := " " + fit(name, nameW) + " " + fit(line(x.PatientID), 18) + " " + fit(line(said(x.BirthDate)), 11) + fit(line(said(x.Sex)), 5) + fit(fmt.Sprint(x.Studies), 9) + fit(fmt.Sprint(x.Cases), 6)
		if i == p.list.cur {
			s = th.sel.Render(fit(s, w))
		}
		lines = append(lines, s)
	}
	if len(p.rows) == 0 {
		note := p.note
		if note == "" {
			note = "no studies yet: curbside import FOLDER"
		}
		lines = append(lines, centre([]string{th.dim.Render(note)}, w, min(5, h-1))...)
	}
	return block(lines, w, h)
}

func said(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// patient is one patient on a time line.
type patient struct {
	r    *root
	s    *scope
	id   string
	d    control.PatientDetail
	list list
	note string
	h    int
}

func newPatient(r *root, id string) *patient {
	return &patient{r: r, s: newScope(r.scope.ctx), id: id, note: "loading…"}
}

func (p *patient) title() string {
	if p.d.Patient.Patient == "" {
		return "Patient"
	}
	parts := []string{"Patient", line(p.d.Name), line(p.d.PatientID), line(said(p.d.BirthDate)), line(said(p.d.Sex))}
	return strings.Join(parts, " · ")
}
func (p *patient) close()             { p.s.close() }
func (p *patient) typing() bool       { return false }
func (p *patient) contexts() []string { return []string{"patient", "move", "all"} }

func (p *patient) open() tea.Cmd {
	return call(p.s, "show", p.r.client, control.PatientShow, control.PatientRequest{Patient: p.id}, func(d control.PatientDetail, err error) tea.Cmd {
		p.note = ""
		if err != nil {
			p.note = explain(err)
			return nil
		}
		p.d = d
		p.list.set(len(d.Timeline))
		return nil
	})
}

func (p *patient) resize(_, h int) tea.Cmd { p.h = h; return nil }

func (p *patient) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case eventsMsg, shownMsg:
		return p.open()
	case tea.KeyPressMsg:
		id := action(m.String(), p.contexts()...)
		if p.list.move(id, p.h-3) {
			return nil
		}
		switch id {
		case "enter":
			if p.list.cur >= len(p.d.Timeline) {
				return nil
			}
			if x := p.d.Timeline[p.list.cur]; x.Case != "" {
				return p.r.push(newCase(p.r, x.Case))
			} else if x.Study != "" {
				return p.r.push(newRequest(p.r, x.Study))
			}
		case "link":
			return p.link()
		case "unlink":
			return p.unlink()
		}
	}
	return nil
}

// link says that another patient is this one, after both stood side by side. Nothing is merged.
func (p *patient) link() tea.Cmd {
	if len(p.d.Doubtful) == 0 {
		return p.r.say("warn", "nobody here looks like the same patient")
	}
	names, ids := matches(p.d.Doubtful)
	return p.r.open(newSheet(p.r, "The same patient?", "link", []string{
		line(p.d.Name) + " · " + line(p.d.PatientID) + " · " + line(said(p.d.BirthDate)), "They are shown together from then on, and never merged; it can be taken back.",
	}, []blank{{name: "with", options: names}, {name: "how you know", must: true}}, func(v map[string]string) tea.Cmd {
		return act(p.r, control.PatientLink, control.PatientLinkRequest{Patient: p.id, Other: ids[v["with"]], Reason: v["how you know"]}, "shown together", nil)
	}))
}

func (p *patient) unlink() tea.Cmd {
	if len(p.d.Linked) == 0 {
		return p.r.say("warn", "nobody is linked to this patient")
	}
	names, ids := matches(p.d.Linked)
	return p.r.open(newSheet(p.r, "Not the same patient", "take it back", nil, []blank{{name: "who", options: names}}, func(v map[string]string) tea.Cmd {
		return act(p.r, control.PatientUnlink, control.PatientLinkRequest{Patient: p.id, Other: ids[v["who"]]}, "apart again", nil)
	}))
}

func matches(all []control.PatientMatch) (names []string, ids map[string]string) {
	ids = map[string]string{}
	for _, m := range all {
		name := line(m.Name) + " · " + line(m.PatientID) + " · " + line(said(m.BirthDate))
		names, ids[name] = append(names, name), m.Patient
	}
	return names, ids
}

func (p *patient) draw(w, h int) []string {
	th := p.r.th
	if p.note != "" {
		return centre([]string{th.dim.Render(p.note)}, w, h)
	}
	lines := []string{th.dim.Render(fit(fmt.Sprintf(" %d studies · %d cases · newest first · enter opens", p.d.Studies, p.d.Cases), w))}
	for _, m := range p.d.Doubtful {
		lines = append(lines, th.warn.Render(fit(" ? maybe the same: "+line(m.Name)+" "+line(m.PatientID)+" ("+line(m.Why)+") · + links", w)))
	}
	for _, m := range p.d.Linked {
		lines = append(lines, th.dim.Render(fit(" = shown together: "+line(m.Name)+" "+line(m.PatientID)+" · - takes it back", w)))
	}
	if len(p.d.Priors) > 0 {
		var names []string
		for _, x := range p.d.Priors {
			s := line(said(x.Date)) + " " + line(x.Modality) + " " + line(x.BodyPart)
			if len(x.Why) > 0 {
				s += " (" + line(strings.Join(x.Why, ", ")) + ")"
			}
			names = append(names, s)
		}
		lines = append(lines, fit(" priors: "+strings.Join(names, " · "), w))
	}
	from, to := p.list.window(max(1, h-len(lines)))
	for i := from; i < to; i++ {
		x := p.d.Timeline[i]
		day := line(said(x.Date))
		if x.Time != nil {
			day = x.Time.Local().Format("2006-01-02")
		}
		s := " " + fit(day, 11) + fit(x.Kind, 9) + " "
		switch {
		case x.Quarantined:
			s += "! WRONG PATIENT "
		case x.Superseded:
			s += "(superseded) "
		}
		s += line(x.Title)
		for _, more := range []string{x.State, x.Author} {
			if more != "" {
				s += " · " + line(more)
			}
		}
		s = fit(s, w)
		if i == p.list.cur {
			s = th.sel.Render(s)
		}
		lines = append(lines, s)
	}
	return block(lines, w, h)
}
