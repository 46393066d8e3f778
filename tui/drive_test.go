package tui

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/tui/tuitest"
)

// driver runs a model without a program: commands run in goroutines of a
// synctest bubble, so that time passes only when nothing else can happen.
type driver struct {
	t      *testing.T
	model  tea.Model
	r      *root // nil for the wizard
	f      *fake
	msgs   chan tea.Msg
	raw    []string // what went to the terminal beside the view
	clip   []string
	quit   bool
	silent bool // the terminal does not answer cursor reports
}

// drive runs fn in a bubble with a root over the fake.
func drive(t *testing.T, cols, rows int, cfg Config, f *fake, fn func(*driver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f.events = make(chan control.Event, 100) // of this bubble, or it would not count as waiting
		begin := time.Now()
		cfg.Client, cfg.Now = f.client(), func() time.Time { return fakeNow.Add(time.Since(begin)) }
		if cfg.Env == nil {
			cfg.Env = []string{}
		}
		if cfg.Out == nil {
			cfg.Out = new(strings.Builder)
		}
		r, err := newRoot(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.feed = newFeed(cfg.Client)
		go r.feed.run(ctx)
		d := &driver{t: t, model: r, r: r, f: f, msgs: make(chan tea.Msg, 10000)}
		d.run(r.Init())
		d.send(tea.WindowSizeMsg{Width: cols, Height: rows})
		defer func() { cancel(); time.Sleep(time.Minute) }() // ticks that are under way end
		fn(d)
	})
}

func (d *driver) run(cmd tea.Cmd) {
	if cmd != nil {
		go func() { d.deliver(cmd()) }()
	}
}

// deliver flattens batches, and runs sequences in order, as the program does.
func (d *driver) deliver(msg tea.Msg) {
	switch m := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range m {
			d.run(c)
		}
	default:
		if v := reflect.ValueOf(msg); v.Kind() == reflect.Slice && v.Type().Elem() == reflect.TypeFor[tea.Cmd]() {
			for i := range v.Len() {
				if c := v.Index(i).Interface().(tea.Cmd); c != nil {
					d.deliver(c())
				}
			}
			return
		}
		d.msgs <- msg
	}
}

// settle handles messages until nothing happens without time passing.
func (d *driver) settle() {
	for {
		synctest.Wait()
		select {
		case msg := <-d.msgs:
			d.handle(msg)
		default:
			return
		}
	}
}

func (d *driver) handle(msg tea.Msg) {
	switch m := msg.(type) {
	case tea.RawMsg:
		d.raw = append(d.raw, fmt.Sprint(m.Msg))
		return
	case tea.QuitMsg:
		d.quit = true
		return
	}
	switch reflect.TypeOf(msg).Name() {
	case "requestCursorPosMsg":
		if !d.silent {
			d.msgs <- tea.CursorPositionMsg{}
		}
		return
	case "setClipboardMsg":
		d.clip = append(d.clip, fmt.Sprint(msg))
		return
	}
	_, cmd := d.model.Update(msg)
	d.run(cmd)
}

// painting: a picture of cells waits for its frame.
func (d *driver) painting() bool {
	if d.r == nil || d.silent {
		return false
	}
	c, ok := d.r.page().(*casePage)
	return ok && c.gate.busy
}

// framesSettle is enough for a picture in each of two panes, drawn again when its pane has changed.
const framesSettle = 8

func (d *driver) send(msgs ...tea.Msg) {
	for _, m := range msgs {
		d.msgs <- m
		d.settle()
		for range framesSettle {
			if !d.painting() {
				break
			}
			d.pass(frameTime)
		}
	}
}

var codes = map[string]rune{
	"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "space": tea.KeySpace, "up": tea.KeyUp, "down": tea.KeyDown,
	"left": tea.KeyLeft, "right": tea.KeyRight, "backspace": tea.KeyBackspace,
}

func keyMsg(name string) tea.KeyPressMsg {
	if c, ok := codes[name]; ok {
		k := tea.Key{Code: c}
		if name == "space" {
			k.Text = " "
		}
		return tea.KeyPressMsg(k)
	}
	if c, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg(tea.Key{Code: []rune(c)[0], Mod: tea.ModCtrl})
	}
	if name == "shift+tab" {
		return tea.KeyPressMsg(tea.Key{Code: tea.KeyTab, Mod: tea.ModShift})
	}
	return tea.KeyPressMsg(tea.Key{Code: []rune(name)[0], Text: name})
}

// press sends keys by name.
func (d *driver) press(keys ...string) {
	for _, k := range keys {
		d.send(keyMsg(k))
	}
}

// write types a text.
func (d *driver) write(s string) {
	for _, r := range s {
		d.send(keyMsg(map[bool]string{true: "space", false: string(r)}[r == ' ']))
	}
}

func (d *driver) pass(t time.Duration) {
	time.Sleep(t) // in a bubble: at once
	d.settle()
}

// screen is what the view looks like in a terminal, as text.
func (d *driver) screen() string {
	v := d.model.View()
	lines := strings.Split(v.Content, "\n")
	w := 0
	for _, l := range lines {
		w = max(w, width(l))
	}
	s := tuitest.New(tuitest.Options{Cols: max(w, 1), Rows: len(lines), Kitty: true})
	defer s.Close()
	for y, l := range lines {
		fmt.Fprintf(s, "\x1b[%d;1H%s\x1b[0m", y+1, l)
	}
	return s.Text()
}

func (d *driver) sees(words ...string) {
	d.t.Helper()
	s := d.screen()
	for _, w := range words {
		if !strings.Contains(s, w) {
			d.t.Fatalf("the screen does not show %q:\n%s", w, s)
		}
	}
}

func (d *driver) seesNot(words ...string) {
	d.t.Helper()
	s := d.screen()
	for _, w := range words {
		if strings.Contains(s, w) {
			d.t.Fatalf("the screen shows %q:\n%s", w, s)
		}
	}
}

// did asserts what was asked of the node.
func (d *driver) did(want string) {
	d.t.Helper()
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	for _, l := range d.f.log {
		if strings.HasPrefix(l, want) {
			return
		}
	}
	d.t.Fatalf("the node was not asked for %q, but for %q", want, d.f.log)
}
