package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// wordsDialog compares four words with somebody who sees the same dialog now.
type wordsDialog struct {
	r       *root
	s       *scope
	name    string
	session string
	words   []string
	cur     int // of: cancel, they differ, they are the same
	sent    bool
	closed  bool
	then    func() tea.Cmd
}

var wordsChoices = []string{"Cancel", "They do NOT match: block", "They match: verify"}

// compareWords opens the dialog, which waits for the other person.
func compareWords(r *root, person, name string, then func() tea.Cmd) tea.Cmd {
	d := &wordsDialog{r: r, s: newScope(r.scope.ctx), name: line(name), then: then}
	return tea.Batch(r.open(d), follow(d.s, r.client, control.ContactLive, control.LiveRequest{Contact: person}, d.take, d.end))
}

func (d *wordsDialog) done() bool         { return d.closed }
func (d *wordsDialog) contexts() []string { return []string{"dialog"} }

func (d *wordsDialog) take(events []control.LiveEvent) tea.Cmd {
	for _, e := range events {
		switch e.State {
		case "words":
			d.words, d.session = e.Words, e.Session
			if e.Name != "" {
				d.name = line(e.Name)
			}
		case "done":
			d.leave()
			cmds := []tea.Cmd{d.r.say("good", "✓ "+d.name+" is verified")}
			if d.then != nil {
				cmds = append(cmds, d.then())
			}
			return tea.Batch(cmds...)
		}
	}
	return nil
}

func (d *wordsDialog) end(err error) tea.Cmd {
	d.leave()
	if err != nil {
		return d.r.say("bad", explain(err))
	}
	return nil
}

func (d *wordsDialog) leave() {
	d.closed = true
	d.s.close()
}

func (d *wordsDialog) update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return nil
	}
	switch key := k.String(); {
	case key == "esc":
		d.leave()
	case d.words == nil || d.sent:
		return nil
	case key == "up" || key == "k" || key == "shift+tab":
		d.cur = (d.cur + len(wordsChoices) - 1) % len(wordsChoices)
	case key == "down" || key == "j" || key == "tab":
		d.cur = (d.cur + 1) % len(wordsChoices)
	case key == "enter" && d.cur == 0:
		d.leave()
	case key == "enter":
		d.sent = true
		answer := control.LiveAnswer{Session: d.session, Same: d.cur == 2}
		return call(d.s, "answer", d.r.client, control.ContactLiveAnswer, answer, func(control.Contact, error) tea.Cmd {
			return nil // the stream says what came of it
		})
	}
	return nil
}

func (d *wordsDialog) draw(w, _ int) []string {
	th := d.r.th
	bw := min(w-4, 76)
	var lines []string
	say := func(s string) { lines = append(lines, wrap(" "+s, bw-4)...) }
	if d.words == nil {
		say("Waiting for " + d.name + " to do the same now: they verify you with four live words in their contacts, or are asked by their screen.")
		lines = append(lines, "", th.dim.Render(" esc: call it off"))
		return th.box("Verify "+d.name, lines, bw, len(lines)+2, true)
	}
	say("Read these aloud with " + d.name + ", on the phone or face to face; both must see the same:")
	lines = append(lines, "", "   "+th.strong.Render(strings.Join(d.words, "   ")), "")
	for i, c := range wordsChoices {
		if i == d.cur {
			lines = append(lines, th.sel.Render(fit(" ▸ "+c, bw-2)))
		} else {
			lines = append(lines, "   "+c)
		}
	}
	if d.sent {
		lines = append(lines, th.dim.Render(" waiting for what "+d.name+" says…"))
	}
	return th.box("Verify "+d.name, lines, bw, len(lines)+2, true)
}
