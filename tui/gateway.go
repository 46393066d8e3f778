package tui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// hospital is the gateway's page: the listeners, what came and what was refused, the destinations
// with a button that tests one.
type hospital struct {
	r      *root
	s      *scope
	got    control.GatewayReport
	known  bool
	tested map[string]tested
	list   list
	note   string
	h      int
}

// tested is what a test of a destination gave.
type tested struct {
	ok      bool
	running bool
	detail  string
	at      time.Time
}

func newHospital(r *root) *hospital {
	return &hospital{r: r, s: newScope(r.scope.ctx), tested: map[string]tested{}, note: "loading…"}
}

func (p *hospital) title() string      { return "Gateway" }
func (p *hospital) close()             { p.s.close() }
func (p *hospital) typing() bool       { return false }
func (p *hospital) contexts() []string { return []string{"gateway", "move", "all"} }
func (p *hospital) forget()            { p.got, p.known = control.GatewayReport{}, false; p.list.set(0) }

func (p *hospital) open() tea.Cmd {
	return call(p.s, "status", p.r.client, control.GatewayStatus, control.None{}, func(got control.GatewayReport, err error) tea.Cmd {
		p.note = ""
		if err != nil {
			p.note = explain(err)
			return nil
		}
		p.got, p.known = got, true
		p.list.set(len(got.Destinations))
		return nil
	})
}

func (p *hospital) resize(_, h int) tea.Cmd { p.h = h; return nil }

func (p *hospital) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case eventsMsg, shownMsg:
		return p.open()
	case tea.KeyPressMsg:
		id := action(m.String(), p.contexts()...)
		if p.list.move(id, p.h) {
			return nil
		}
		switch id {
		case "retry":
			return p.open()
		case "problems":
			return p.r.open(newReader(p.r, "Refused, and what went wrong", p.problems()))
		}
		if p.list.cur < len(p.got.Destinations) {
			return p.on(id, p.got.Destinations[p.list.cur])
		}
	}
	return nil
}

// on acts on the chosen destination.
func (p *hospital) on(id string, d control.Destination) tea.Cmd {
	who := control.DestinationRequest{Name: d.Name}
	switch id {
	case "test":
		p.tested[d.Name] = tested{running: true}
		return call(p.s, "test "+d.Name, p.r.client, control.GatewayEcho, who, func(done control.GatewayDone, err error) tea.Cmd {
			t := tested{ok: err == nil && done.OK, detail: line(done.Detail), at: p.r.now()}
			if err != nil {
				t.detail = explain(err)
			}
			p.tested[d.Name] = t
			return nil
		})
	case "remove":
		return p.r.open(newChoice(p.r, "Forget "+line(d.Name)+"?", []string{"Nothing is sent there or asked there any more. What it has stays there."}, []option{
			{"Cancel", nil}, {"Forget", func() tea.Cmd {
				return act(p.r, control.DestinationRemove, who, "forgotten", func(control.GatewayDone) tea.Cmd { return p.open() })
			}},
		}))
	}
	return nil
}

func (p *hospital) draw(w, h int) []string {
	th := p.r.th
	if !p.known {
		return block(centre([]string{th.dim.Render(p.note)}, w, min(5, h)), w, h)
	}
	var out []string
	for _, s := range slices.Concat(p.dicom(), p.web(), p.watch()) {
		out = append(out, fit(s, w))
	}
	if p.note != "" {
		out = append(out, th.bad.Render(fit(" "+p.note, w)))
	}
	nameW, whereW := 14, max(20, w-56)
	out = append(out, "", th.dim.Render(fit(" "+fit("DESTINATION", nameW)+" "+fit("HOW", 13)+" "+fit("WHERE", whereW)+" TEST", w)))
	if len(p.got.Destinations) == 0 {
		out = append(out, th.dim.Render(fit("  none yet: curbside gateway destination add --help", w)))
	}
	from, to := p.list.window(max(1, h-len(out)))
	for i := from; i < to; i++ {
		d := p.got.Destinations[i]
		where, how := howTo(d)
		row := " " + fit(line(d.Name), nameW) + " " + fit(how, 13) + " " + fit(line(where), whereW) + " " + p.result(d.Name)
		row = fit(row, w)
		if i == p.list.cur {
			row = th.sel.Render(row)
		}
		out = append(out, row)
	}
	return block(out, w, h)
}

// howTo is how and where a destination is reached.
func howTo(d control.Destination) (where, how string) {
	if d.STOW != "" {
		return d.STOW, "DICOMweb"
	}
	how = "DICOM"
	if d.TLS {
		how = "DICOM TLS"
	}
	return fmt.Sprintf("%s@%s:%d", d.AET, d.Host, d.Port), how
}

// result is the last test of a destination.
func (p *hospital) result(name string) string {
	t, ok := p.tested[name]
	switch {
	case !ok:
		return "·"
	case t.running:
		return "… asking"
	case t.ok:
		return "✓ answers " + t.at.Format("15:04")
	}
	return "✗ " + t.detail
}

// field is a line with a heading.
func (p *hospital) field(name, s string) string {
	return " " + p.r.th.title.Render(fit(name, 8)) + " " + s
}

func (p *hospital) dicom() []string {
	th, d := p.r.th, p.got.DICOM
	if d == nil {
		return []string{p.field("DICOM", th.dim.Render("no listener · curbside serve --dicom HOST:PORT"))}
	}
	how := th.warn.Render("cleartext")
	if d.TLS {
		how = "TLS"
	}
	allow := line(strings.Join(d.Allow, ", "))
	if allow == "" {
		allow = "nobody: only C-ECHO is answered"
	}
	counts := fmt.Sprintf("%d received, %d kept apart, %d refused", d.Received, d.Conflict, d.Refused)
	if d.Last != nil {
		counts += ", last " + d.Last.Local().Format("15:04")
	}
	out := []string{
		p.field("DICOM", line(d.AETitle)+" at "+line(d.Listen)+", "+how),
		p.field("", "may store: "+allow),
		p.field("", counts),
		p.field("", fmt.Sprintf("associations: %d rejected, %d ended early", d.Rejected, d.Aborted)),
	}
	for _, e := range d.Errors[:min(2, len(d.Errors))] { // the rest: e
		out = append(out, p.field("", th.bad.Render(line(e))))
	}
	return out
}

func (p *hospital) web() []string {
	th, web := p.r.th, p.got.Web
	if web == nil || web.Listen == nil {
		return []string{p.field("WEB", th.dim.Render("no listener · curbside serve --web HOST:PORT"))}
	}
	out := []string{
		p.field("WEB", line(*web.Listen)),
		p.field("", fmt.Sprintf("%d received, %d refused; %d wrong keys", web.Received, web.Refused, web.Denied)),
	}
	if web.LastError != "" {
		out = append(out, p.field("", th.bad.Render(line(web.LastError))))
	}
	return out
}

func (p *hospital) watch() []string {
	th := p.r.th
	if p.got.Web == nil || p.got.Web.Watch == nil {
		return []string{p.field("WATCH", th.dim.Render("no folder · curbside serve --watch DIR"))}
	}
	w := p.got.Web.Watch
	refused := fmt.Sprintf("%d refused", len(w.Refused))
	if len(w.Refused) > 0 {
		refused = th.warn.Render(refused) + " (e lists them)"
	}
	out := []string{
		p.field("WATCH", line(strings.Join(w.Dirs, ", "))),
		p.field("", fmt.Sprintf("%d taken, %d waiting, ", w.Taken, w.Waiting)+refused),
	}
	if w.Error != "" {
		out = append(out, p.field("", th.bad.Render(line(w.Error))))
	}
	return out
}

// problems are all that was refused and went wrong, newest first where time is known.
func (p *hospital) problems() []string {
	var out []string
	if d := p.got.DICOM; d != nil {
		for _, e := range d.Errors {
			out = append(out, "DICOM  "+line(e))
		}
	}
	if w := p.got.Web; w != nil {
		if w.LastError != "" {
			out = append(out, "WEB    "+line(w.LastError))
		}
		if w.Watch != nil {
			for _, f := range w.Watch.Refused {
				out = append(out, "WATCH  "+line(f.Reason)+"  "+line(f.Path))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.tested)) {
		if t := p.tested[name]; !t.ok && !t.running {
			out = append(out, "TEST   "+line(name)+"  "+t.detail)
		}
	}
	if len(out) == 0 {
		out = []string{"nothing was refused, and nothing went wrong"}
	}
	return out
}

// handOff shows where another viewer finds a case's studies; y copies the address for Weasis.
func handOff(r *root, id string) tea.Cmd {
	return act(r, control.OpenStudies, control.OpenRequest{Case: id}, "", func(o control.Opened) tea.Cmd {
		th := r.th
		d := newReader(r, "Open in another viewer", []string{
			th.title.Render("DICOMweb") + th.dim.Render(" – on this machine, these studies only; y copies it"), "  " + line(o.Root), "",
		})
		d.copies = o.Root
		for _, s := range o.Studies {
			what := "study"
			if s.Prior {
				what = "prior"
			}
			d.lines = append(d.lines, what+" "+line(s.StudyUID)+th.dim.Render(fmt.Sprintf("  %d of %d images", s.Present, s.Listed)))
		}
		for _, w := range o.Warnings {
			d.lines = append(d.lines, th.warn.Render(line(w)))
		}
		d.lines = append(d.lines, "", th.dim.Render("good until "+o.Until.Local().Format("15:04")+", longer while it is used"),
			"start a viewer from a shell: curbside open "+short(id))
		return r.open(d)
	})
}
