package tui

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// screen is one page. Only the root is a tea.Model.
type screen interface {
	title() string
	// open starts loading; it is called once.
	open() tea.Cmd
	// update gets keys, mouse events relative to the page, eventsMsg and pastes.
	update(tea.Msg) tea.Cmd
	// resize says what room there is, before the first draw and after each change.
	resize(w, h int) tea.Cmd
	draw(w, h int) []string
	contexts() []string
	// typing: letters belong to a text field now.
	typing() bool
	close()
}

// overlay is a dialog above the page: it gets messages first.
type overlay interface {
	update(tea.Msg) tea.Cmd
	draw(w, h int) []string
	contexts() []string
	done() bool
}

type root struct {
	client *control.Client
	scope  *scope // of the program: actions live on when their screen closes
	now    func() time.Time
	th     theme
	caps   caps
	env    []string
	feed   *feed

	w, h     int
	tabs     []screen
	tab      int
	pages    []screen // above the tabs
	overlays []overlay
	toasts   []toast
	log      []string
	running  int // calls of the user's actions on their way

	news     map[string]bool // cases of notices that were not looked at
	me       control.Status
	known    bool   // me has been read
	offline  string // why the node cannot be reached
	first    string // Config.Case, opened after the first answer
	lastKey  time.Time
	quitting time.Time // of the first ctrl+c
}

type toast struct {
	text  string
	style string
	until time.Time
}

func newRoot(ctx context.Context, cfg Config) (*root, error) {
	cfg.defaults()
	r := &root{client: cfg.Client, scope: newScope(ctx), now: cfg.Now, env: cfg.Env, first: cfg.Case, th: themeOf("dark"), news: map[string]bool{}}
	var err error
	if r.caps, err = newCaps(cfg); err != nil {
		return nil, err
	}
	if r.caps.noColour {
		r.th = themeOf("none")
	}
	r.lastKey = r.now()
	r.tabs = []screen{
		newWorklist(r, false), newWorklist(r, true), newContacts(r), newTransfers(r), newAudit(r), newStudies(r), //nolint:contextcheck // calls take the context of their scope
	}
	return r, nil
}

// Init asks the terminal what it can do, and the node who we are.
func (r *root) Init() tea.Cmd {
	cmds := []tea.Cmd{r.caps.detect(), tea.RequestBackgroundColor, r.refresh(), r.page().open(), tick()}
	if r.feed != nil {
		cmds = append(cmds, r.feed.next(r.scope.ctx))
	}
	return tea.Batch(cmds...)
}

type tickMsg struct{}

// tick is the slow clock: ages, toasts, idling.
func tick() tea.Cmd { return tea.Tick(time.Second, func(time.Time) tea.Msg { return tickMsg{} }) }

func (r *root) page() screen {
	if n := len(r.pages); n > 0 {
		return r.pages[n-1]
	}
	return r.tabs[r.tab]
}

func (r *root) top() overlay {
	if n := len(r.overlays); n > 0 {
		return r.overlays[n-1]
	}
	return nil
}

// refresh reads the status that the bar shows.
func (r *root) refresh() tea.Cmd {
	return call(r.scope, "status", r.client, control.GetStatus, control.None{}, func(st control.Status, err error) tea.Cmd {
		if err != nil {
			r.offline = explain(err)
			return nil
		}
		r.offline = ""
		first := !r.known
		r.me, r.known = st, true
		if st.Locked {
			return r.lockScreen()
		}
		if first && r.first != "" {
			return r.push(newCase(r, r.first))
		}
		return nil
	})
}

// push opens a page above the others.
func (r *root) push(s screen) tea.Cmd {
	r.pages = append(r.pages, s)
	return tea.Batch(r.wipe(), s.resize(r.body()), s.open(), r.caps.repaint())
}

// wipe has the whole screen drawn again where pixels would stay under blanks:
// the renderer does not write cells that were blank before.
func (r *root) wipe() tea.Cmd {
	if r.caps.backend != sixel || !r.caps.sent {
		return nil
	}
	return tea.ClearScreen
}

// pop closes the uppermost page.
func (r *root) pop() tea.Cmd {
	if n := len(r.pages); n > 0 {
		r.pages[n-1].close()
		r.pages = r.pages[:n-1]
	}
	return tea.Batch(r.wipe(), r.page().resize(r.body()), r.page().update(shownMsg{}))
}

// shownMsg tells a page that it is the uppermost again.
type shownMsg struct{}

func (r *root) show(i int) tea.Cmd {
	if i < 0 || i >= len(r.tabs) {
		return nil
	}
	r.tab = i
	return tea.Batch(r.tabs[i].resize(r.body()), r.tabs[i].open())
}

func (r *root) open(o overlay) tea.Cmd {
	r.overlays = append(r.overlays, o)
	return r.wipe()
}

// say shows a toast and keeps it in the log.
func (r *root) say(style, text string) tea.Cmd {
	if n := len(r.toasts); n > 0 && r.toasts[n-1].text == line(text) {
		r.toasts = r.toasts[:n-1] // said again, not twice
	}
	r.toasts = append(r.toasts, toast{text: line(text), style: style, until: r.now().Add(toastFor)})
	r.log = append(r.log, text)
	if len(r.log) > logMax {
		r.log = r.log[1:]
	}
	return nil
}

// act runs something that the user asked for: counted in the bar, and told at its end.
func act[Req, Res any](r *root, op control.Op[Req, Res], req Req, done string, then func(Res) tea.Cmd) tea.Cmd {
	return actAs(r, r.client, op, req, done, then)
}

func actAs[Req, Res any](r *root, c *control.Client, op control.Op[Req, Res], req Req, done string, then func(Res) tea.Cmd) tea.Cmd {
	return actWith(r, c, op, req, done, then, nil)
}

// actOr is act with something to do when it fails.
func actOr[Req, Res any](r *root, op control.Op[Req, Res], req Req, done string, then func(Res) tea.Cmd, failed func() tea.Cmd) tea.Cmd {
	return actWith(r, r.client, op, req, done, then, failed)
}

func actWith[Req, Res any](r *root, c *control.Client, op control.Op[Req, Res], req Req, done string, then func(Res) tea.Cmd, failed func() tea.Cmd) tea.Cmd {
	r.running++
	topic := "act " + string(op) + " " + r.now().String() // each its own: a second one does not silence the first
	return do(r.scope, topic, signMax, func(ctx context.Context) (Res, error) {
		res, err := op.Call(ctx, c, req)
		clean(&res)
		return res, err
	}, func(res Res, err error) tea.Cmd {
		r.running--
		delete(r.scope.gen, topic)
		if err != nil {
			cmd := r.say("bad", "✗ "+explain(err))
			if failed != nil {
				cmd = tea.Batch(cmd, failed())
			}
			return cmd
		}
		var cmds []tea.Cmd
		if done != "" {
			cmds = append(cmds, r.say("good", "✓ "+done))
		}
		if then != nil {
			cmds = append(cmds, then(res))
		}
		return tea.Batch(append(cmds, r.page().update(eventsMsg{{Event: "case"}}))...)
	})
}

// Update routes: replies to who asked, keys to the overlay, then the program, then the page.
func (r *root) Update(msg tea.Msg) (tea.Model, tea.Cmd) { return r, r.update(msg) }

func (r *root) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case reply:
		if m.stale() {
			return nil
		}
		return m.run()
	case tea.WindowSizeMsg:
		r.w, r.h = m.Width, m.Height
		return tea.Batch(r.caps.resized(), r.page().resize(r.body()))
	case tickMsg:
		return tea.Batch(r.onTick(), tick())
	case eventsMsg:
		return tea.Batch(r.onEvents(m), r.feed.next(r.scope.ctx))
	case tea.KeyPressMsg:
		r.lastKey = r.now()
		return r.onKey(m)
	case tea.PasteMsg:
		m.Content = cleanPaste(m.Content)
		return r.forward(m)
	case tea.BackgroundColorMsg:
		if !r.caps.noColour {
			r.th = themeOf(map[bool]string{true: "dark", false: "light"}[m.IsDark()])
		}
		return nil
	case tea.ColorProfileMsg:
		return r.caps.profile(m, r)
	case tea.MouseMsg:
		r.lastKey = r.now()
		return r.onMouse(m)
	case tea.ResumeMsg:
		return tea.Batch(r.caps.pixelMouse(), r.caps.repaint())
	case laterMsg:
		return m.run()
	case tea.CursorPositionMsg, ackMsg, cineMsg, repaintMsg: // of the page's pictures, also under a dialog
		return r.page().update(msg)
	}
	if cmd, ok := r.caps.answer(msg, r); ok {
		return cmd
	}
	return r.forward(msg)
}

// closeDone removes overlays that ended by themselves.
func (r *root) closeDone() {
	r.overlays = slices.DeleteFunc(r.overlays, overlay.done)
}

// forward hands a message to the overlay, else to the page.
func (r *root) forward(msg tea.Msg) tea.Cmd {
	if o := r.top(); o != nil {
		cmd := o.update(msg)
		if o.done() {
			if i := slices.Index(r.overlays, o); i >= 0 {
				r.overlays = slices.Delete(r.overlays, i, i+1)
			}
			cmd = tea.Batch(cmd, r.wipe(), r.page().update(shownMsg{}))
		}
		return cmd
	}
	return r.page().update(msg)
}

// laterMsg is something that was put off; it is done also when its page is closed.
type laterMsg struct{ run func() tea.Cmd }

func (r *root) onTick() tea.Cmd {
	now := r.now()
	shown := len(r.toasts)
	r.toasts = slices.DeleteFunc(r.toasts, func(t toast) bool { return now.After(t.until) })
	if r.known && !r.me.Locked && r.me.MustConfirm && now.Sub(r.lastKey) > idleLock {
		r.lastKey = now
		return r.lock()
	}
	if r.offline != "" {
		return r.refresh()
	}
	if shown > len(r.toasts) {
		return r.caps.repaint()
	}
	return nil
}

func (r *root) onEvents(events eventsMsg) tea.Cmd {
	cmds := []tea.Cmd{r.refresh(), r.notice(events), r.offers(events)}
	for _, s := range slices.Concat(r.tabs[r.tab:r.tab+1], r.pages) {
		cmds = append(cmds, s.update(events))
	}
	return tea.Batch(cmds...)
}

func (r *root) onKey(m tea.KeyPressMsg) tea.Cmd {
	key := m.String()
	if key == "ctrl+c" {
		if r.now().Sub(r.quitting) < 2*time.Second {
			return tea.Quit
		}
		r.quitting = r.now()
		return r.say("warn", "ctrl+c again quits")
	}
	if r.top() != nil || r.page().typing() {
		return r.forward(m)
	}
	contexts := r.page().contexts()
	switch id := action(key, contexts...); id {
	case "help":
		return r.open(newHelp(r, contexts))
	case "palette":
		return r.open(newPalette(r, false))
	case "jump":
		return r.open(newPalette(r, true))
	case "lock":
		return r.lock()
	case "redraw":
		return tea.Batch(tea.ClearScreen, r.caps.repaint(), r.page().update(shownMsg{}))
	case "tab-next":
		return r.show((r.tab + 1) % len(r.tabs))
	case "tab-prev":
		return r.show((r.tab + len(r.tabs) - 1) % len(r.tabs))
	case "back":
		return r.back(false)
	case "quit":
		return r.back(true)
	case "tab-1", "tab-2", "tab-3", "tab-4", "tab-5", "tab-6":
		return r.show(int(id[4] - '1'))
	}
	return r.page().update(m)
}

// back is what esc and q do on a page: up one; q on a tab quits, after a question where work is running.
func (r *root) back(quit bool) tea.Cmd {
	if len(r.pages) > 0 {
		return r.pop()
	}
	if !quit {
		return nil
	}
	if r.running > 0 || r.me.Transfers > 0 {
		return r.open(newChoice(r, "Quit?", []string{"Transfers go on in the node. What you asked for may still be on its way."},
			[]option{{"Stay", nil}, {"Quit", func() tea.Cmd { return tea.Quit }}}))
	}
	return tea.Quit
}

// mouseMsg is a mouse event with the page's top-left corner as origin.
type mouseMsg struct {
	kind   string  // click, release, move, wheel
	x, y   int     // cell
	fx, fy float64 // the same as precisely as the terminal says: within the cell, or its centre
	button tea.MouseButton
	mod    tea.KeyMod
}

func (r *root) onMouse(m tea.MouseMsg) tea.Cmd {
	if r.top() != nil {
		return nil
	}
	e := m.Mouse()
	out := mouseMsg{x: e.X, y: e.Y - 1, fx: float64(e.X) + 0.5, fy: float64(e.Y) - 0.5, button: e.Button, mod: e.Mod}
	if r.caps.pixels { // all coordinates are pixels then; only the viewer wants to know
		out.fx, out.fy = (float64(e.X)+0.5)/float64(r.caps.cell[0]), (float64(e.Y)+0.5)/float64(r.caps.cell[1])-1
		out.x, out.y = int(math.Floor(out.fx)), int(math.Floor(out.fy))
	}
	switch m.(type) {
	case tea.MouseClickMsg:
		out.kind = "click"
	case tea.MouseReleaseMsg:
		out.kind = "release"
	case tea.MouseWheelMsg:
		out.kind = "wheel"
	default:
		out.kind = "move"
	}
	return r.page().update(out)
}

func cleanPaste(s string) string {
	clean(&s)
	return s
}

// body is the room between the bars.
func (r *root) body() (w, h int) { return max(r.w, 0), max(r.h-2, 0) }

// View draws everything; it reads only.
func (r *root) View() tea.View {
	v := tea.NewView(strings.Join(r.lines(), "\n"))
	v.AltScreen = true
	v.WindowTitle = r.windowTitle()
	v.MouseMode = tea.MouseModeAllMotion
	v.ReportFocus = true
	return v
}
