package tui

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// ErrStopped says that the user left the wizard before there was a person.
var ErrStopped = errors.New("stopped: nobody was made")

// Wizard makes the first person of a home: name, kind, passphrase or none, then
// Config.Create, then the recovery words, shown once and asked back. It needs
// no node and no Client.
//
// A person that was made is returned also when the user left while the words
// were asked back; the error is then nil, as the person exists.
func Wizard(ctx context.Context, cfg Config) (control.PersonAdded, error) {
	cfg.defaults()
	w, err := newWizard(ctx, cfg)
	if err != nil {
		return control.PersonAdded{}, err
	}
	_, err = tea.NewProgram(w, options(ctx, cfg)...).Run()
	if w.added.Person.Person != "" {
		return w.added, nil
	}
	if err != nil && !errors.Is(err, tea.ErrInterrupted) && !errors.Is(err, tea.ErrProgramKilled) {
		return control.PersonAdded{}, fmt.Errorf("run the wizard: %w", err)
	}
	return control.PersonAdded{}, ErrStopped
}

// wizard is its own tea.Model: there is no node to be a client of yet.
type wizard struct {
	cfg   Config
	s     *scope
	th    theme
	w, h  int
	step  string // name, kind, secret, pass, again, making, words, back, done
	in    textinput.Model
	cur   int
	req   control.PersonAddRequest
	added control.PersonAdded
	asked []int // which words are asked back
	nth   int
	note  string
	plain bool
}

func newWizard(ctx context.Context, cfg Config) (*wizard, error) {
	if cfg.Create == nil {
		return nil, errors.New("the wizard has no way to make a person")
	}
	w := &wizard{cfg: cfg, s: newScope(ctx), th: themeOf("dark"), step: "name"}
	for _, e := range cfg.Env {
		if k, v, _ := strings.Cut(e, "="); k == "NO_COLOR" && v != "" {
			w.plain, w.th = true, themeOf("none")
		}
	}
	w.in = newInput(w.th)
	return w, nil
}

func (w *wizard) Init() tea.Cmd { return tea.RequestBackgroundColor }

func (w *wizard) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case reply:
		if m.stale() {
			return w, nil
		}
		return w, m.run()
	case tea.WindowSizeMsg:
		w.w, w.h = m.Width, m.Height
	case tea.BackgroundColorMsg:
		if !w.plain {
			w.th = themeOf(map[bool]string{true: "dark", false: "light"}[m.IsDark()])
		}
	case tea.KeyPressMsg:
		return w, w.key(m)
	case tea.PasteMsg:
		m.Content = cleanPaste(m.Content)
		var cmd tea.Cmd
		w.in, cmd = w.in.Update(m)
		return w, cmd
	}
	return w, nil
}

// choices of the steps that are not typed.
func (w *wizard) choices() []string {
	switch w.step {
	case "kind":
		return []string{"clinician – one person", "clinic – a practice or department"}
	case "secret":
		return []string{"a passphrase – asked at start and for each signature", "none – anybody who can use this account can sign as you"}
	}
	return nil
}

func (w *wizard) key(m tea.KeyPressMsg) tea.Cmd {
	key := m.String()
	if key == "ctrl+c" {
		return tea.Quit
	}
	if c := w.choices(); c != nil {
		switch key {
		case "up", "k", "down", "j", "tab":
			w.cur = 1 - w.cur
		case "esc":
			w.back()
		case "enter":
			return w.next()
		}
		return nil
	}
	switch key {
	case "enter":
		return w.next()
	case "esc":
		w.back()
		return nil
	}
	if w.step == "making" || w.step == "words" || w.step == "done" {
		return nil
	}
	var cmd tea.Cmd
	w.in, cmd = w.in.Update(m)
	return cmd
}

func (w *wizard) back() {
	w.note = ""
	switch w.step {
	case "kind":
		w.set("name")
		w.in.SetValue(w.req.Name)
	case "secret":
		w.set("kind")
	case "pass", "again":
		w.set("secret")
	case "back":
		w.set("words")
	}
}

func (w *wizard) set(step string) {
	w.step, w.cur, w.note = step, 0, ""
	w.in.Reset()
	w.in.EchoMode = textinput.EchoNormal
	if step == "pass" || step == "again" {
		w.in.EchoMode = textinput.EchoPassword
	}
}

// passMin is short enough to be kept and long enough for Argon2 to matter.
const passMin = 8

func (w *wizard) next() tea.Cmd {
	text := w.in.Value()
	switch w.step {
	case "name":
		if text = strings.TrimSpace(line(text)); text == "" {
			w.note = "a name, as colleagues know you"
			return nil
		}
		w.req.Name = text
		w.set("kind")
	case "kind":
		w.req.Kind = []string{"clinician", "clinic"}[w.cur]
		w.set("secret")
	case "secret":
		if w.req.NoPassphrase = w.cur == 1; w.req.NoPassphrase {
			return w.create()
		}
		w.set("pass")
	case "pass":
		if len([]rune(text)) < passMin {
			w.note = fmt.Sprintf("at least %d characters", passMin)
			return nil
		}
		w.req.Passphrase = []byte(text)
		w.set("again")
	case "again":
		if text != string(w.req.Passphrase) {
			w.set("pass")
			w.note = "these were not the same; once more"
			return nil
		}
		return w.create()
	case "words":
		w.asked = somePlaces(len(w.added.Words), 3)
		w.nth = 0
		w.set("back")
	case "back":
		return w.check(text)
	case "done":
		return tea.Quit
	}
	return nil
}

// check compares one word that is asked back.
func (w *wizard) check(text string) tea.Cmd {
	if len(w.asked) > 0 && !strings.EqualFold(strings.TrimSpace(text), w.added.Words[w.asked[w.nth]]) {
		w.note = "not that one · esc shows them again"
		return nil
	}
	w.in.Reset()
	w.note = ""
	if w.nth++; w.nth >= len(w.asked) {
		w.set("done")
	}
	return nil
}

// somePlaces are k different numbers below n, in order.
func somePlaces(n, k int) []int {
	var out []int
	for len(out) < min(n, k) {
		i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
		if err != nil {
			return []int{0}
		}
		if !slices.Contains(out, int(i.Int64())) {
			out = append(out, int(i.Int64()))
		}
	}
	slices.Sort(out)
	return out
}

func (w *wizard) create() tea.Cmd {
	req := w.req
	w.set("making")
	return do(w.s, "create", signMax, func(ctx context.Context) (control.PersonAdded, error) {
		return w.cfg.Create(ctx, req)
	}, func(added control.PersonAdded, err error) tea.Cmd {
		clear(w.req.Passphrase)
		w.req.Passphrase = nil
		if err != nil {
			w.set("secret")
			w.note = explain(err)
			return nil
		}
		w.added = added
		w.set("words")
		return nil
	})
}

func (w *wizard) View() tea.View {
	v := tea.NewView(strings.Join(w.lines(), "\n"))
	v.AltScreen = true
	v.WindowTitle = "curbside"
	return v
}

func (w *wizard) lines() []string {
	if w.w < 40 || w.h < 12 {
		return centre([]string{"make this window larger"}, w.w, w.h)
	}
	bw := min(w.w-4, 76)
	titles := map[string]string{
		"name": "Who are you?", "kind": "What are you here?", "secret": "What protects your key?", "pass": "A passphrase", "again": "The same again",
		"making": "Making your keys", "words": "Your recovery words", "back": "Which words were they?", "done": "Ready",
	}
	var lines []string
	for _, l := range w.text() {
		lines = append(lines, wrap(l, bw-4)...)
	}
	for i, c := range w.choices() {
		if i == w.cur {
			lines = append(lines, w.th.sel.Render(fit("▸ "+c, bw-4)))
		} else {
			lines = append(lines, "  "+c)
		}
	}
	switch w.step {
	case "name", "pass", "again", "back":
		w.in.SetWidth(bw - 8)
		lines = append(lines, w.in.View())
	}
	lines = append(lines, "", w.th.warn.Render(line(w.note)), w.th.dim.Render("enter: go on · esc: back · ctrl+c: stop"))
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	box := w.th.box(titles[w.step], lines, bw, len(lines)+2, true)
	return centre(append([]string{w.th.title.Render("curbside"), ""}, box...), w.w, w.h)
}

func (w *wizard) text() []string {
	switch w.step {
	case "name":
		return []string{"The name that colleagues see: Dr Ada Lind, or Clinic Puno Radiology.", ""}
	case "kind":
		return []string{w.req.Name, ""}
	case "secret":
		return []string{"Everything on this machine is encrypted with your key. What opens it?", ""}
	case "pass":
		return []string{"Nobody can reset it. Without it and without the recovery words, your cases are lost.", ""}
	case "making":
		return []string{"one moment…"}
	case "words":
		out := []string{"Write these on paper, in this order. They are shown once, and are the only way back after this machine is lost.", ""}
		words := w.added.Words
		for i := 0; i < len(words); i += 4 {
			var row strings.Builder
			for j := i; j < min(i+4, len(words)); j++ {
				fmt.Fprintf(&row, "%2d %-12s", j+1, line(words[j]))
			}
			out = append(out, row.String())
		}
		return append(out, "", "enter when they are written down.")
	case "back":
		if w.nth < len(w.asked) {
			return []string{fmt.Sprintf("Word %d, from your paper:", w.asked[w.nth]+1), ""}
		}
	case "done":
		return []string{line(w.added.Name) + ", your keys are made.", "", "Next: bring a study (curbside import FOLDER), or add a colleague: page 3, then n.", ""}
	}
	return nil
}
