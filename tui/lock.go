package tui

import (
	"strings"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// locker hides everything until the node accepts the passphrase.
type locker struct {
	r      *root
	in     textinput.Model
	note   string
	closed bool
	busy   bool
}

// lock asks the node to forget the keys, and hides what is shown.
func (r *root) lock() tea.Cmd {
	if !r.me.MustConfirm {
		return r.say("warn", "this person has no passphrase: there is nothing to lock with")
	}
	return tea.Batch(r.lockScreen(), act(r, control.Lock, control.None{}, "", func(st control.Status) tea.Cmd {
		r.me = st
		return nil
	}))
}

// lockScreen drops what was decrypted: pages, frames and the terminal's pictures.
func (r *root) lockScreen() tea.Cmd {
	if _, on := r.top().(*locker); on {
		return nil
	}
	for _, p := range r.pages {
		p.close()
	}
	r.pages, r.overlays, r.toasts, r.log = nil, nil, nil, nil
	for _, t := range r.tabs {
		if f, ok := t.(interface{ forget() }); ok {
			f.forget()
		}
	}
	l := &locker{r: r, in: newInput(r.th)}
	l.in.EchoMode = textinput.EchoPassword
	r.overlays = append(r.overlays, l)
	return tea.Sequence(tea.Raw(r.farewell()), tea.ClearScreen)
}

func (l *locker) done() bool         { return l.closed }
func (l *locker) contexts() []string { return []string{"dialog"} }

func (l *locker) update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	if ok && k.String() == "enter" && !l.busy && l.in.Value() != "" {
		l.busy, l.note = true, "opening…"
		pass := []byte(l.in.Value())
		l.in.Reset()
		r := l.r
		return call(r.scope, "unlock", r.client, control.Unlock, control.UnlockRequest{Passphrase: pass}, func(st control.Status, err error) tea.Cmd {
			clear(pass)
			l.busy, l.note = false, ""
			if err != nil {
				l.note = explain(err)
				return nil
			}
			r.me, r.known = st, true
			r.overlays = nil
			cmds := []tea.Cmd{r.page().open(), r.refresh()}
			if r.first != "" {
				cmds = append(cmds, r.push(newCase(r, r.first)))
				r.first = ""
			}
			return tea.Batch(cmds...)
		})
	}
	var cmd tea.Cmd
	l.in, cmd = l.in.Update(msg)
	return cmd
}

// draw shows the time and nothing else: no name, no case.
func (l *locker) draw(w, h int) []string {
	l.in.SetWidth(30)
	return centre([]string{
		l.r.now().Format("15:04"), "", "locked", "", strings.TrimRight(l.in.View(), " "), "", l.r.th.dim.Render(line(l.note)),
	}, w, h)
}
