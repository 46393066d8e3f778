package tui

import (
	"context"
	"flag"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	tea "charm.land/bubbletea/v2"
)

var update = flag.Bool("update", false, "write the golden files anew")

// screens are reached from the inbox by keys.
var screens = map[string][]string{
	"inbox":          nil,
	"inbox-filter":   {"/", "b", "r", "a", "i", "n"},
	"sent":           {"2"},
	"contacts":       {"3"},
	"transfers":      {"4"},
	"audit":          {"5"},
	"studies":        {"6"},
	"case":           {"enter"},
	"case-thread":    {"enter", "tab"},
	"case-reports":   {"j", "enter", "tab", "t"},
	"case-full":      {"enter", "f"},
	"case-mark":      {"enter", "f", ".", "."},
	"case-draw":      {"enter", "f", "d", "enter", "L"},
	"case-tools":     {"enter", "T"},
	"case-flipped":   {"enter", "f", "f", "R"},
	"case-window":    {"enter", "w", "right", "up"},
	"case-undecoded": {"enter", "shift+tab", "k"},
	"reply":          {"enter", "r", "y", "e", "s"},
	"report":         {"enter", "e", "N", "o", "d", "u", "l", "e"},
	"sign":           {"enter", "e", "N", "o", "d", "u", "l", "e", "ctrl+d"},
	"decline":        {"D"},
	"request":        {"n"},
	"request-deid":   {"n", "space", "enter", "enter"},
	"request-review": {"n", "space", "enter", "j", "enter", "W", "h", "y", "?", "ctrl+d", "space", "enter"},
	"help":           {"enter", "?"},
	"palette":        {":"},
	"me":             {"3", "m"},
	"verify":         {"3", "v"},
	"directory":      {"3", "s", "n", "e", "u", "r", "o", "ctrl+d"},
	"words":          {"3", "v", "j", "enter"},
	"acts":           {"enter", "b"},
	"opinion-form":   {"enter", "e", "ctrl+f", "enter"},
	"critical":       {"enter", "b", "c", "r", "i", "t", "enter"},
	"patients":       {":", "p", "a", "t", "i", "enter"},
	"patient":        {":", "p", "a", "t", "i", "enter", "enter"},
}

var sizes = [][2]int{{80, 24}, {120, 40}, {200, 60}}

func background(theme string) tea.Msg {
	if theme == "light" {
		return tea.BackgroundColorMsg{Color: color.White}
	}
	return tea.BackgroundColorMsg{Color: color.Black}
}

func TestScreens(t *testing.T) {
	f := newFake() // read only by these
	themes := []string{"dark", "light", "none"}
	if testing.Short() {
		themes = themes[2:] // what differs is colours
	}
	for name, keys := range screens {
		for _, size := range sizes {
			for _, theme := range themes {
				id := fmt.Sprintf("%s-%dx%d-%s", name, size[0], size[1], theme)
				t.Run(id, func(t *testing.T) {
					cfg := Config{Graphics: "kitty"}
					if theme == "none" {
						cfg = Config{Graphics: "off", Env: []string{"NO_COLOR=1"}}
					}
					f.drafts = map[string]draftT{}
					drive(t, size[0], size[1], cfg, f, func(d *driver) {
						d.send(background(theme))
						d.press(keys...)
						exact(t, d, size[0], size[1])
						golden(t, id, d.screen())
					})
				})
			}
		}
	}
}

// exact: a page is as many lines as the screen has, none wider.
func exact(t *testing.T, d *driver, cols, rows int) {
	t.Helper()
	lines := strings.Split(d.r.View().Content, "\n")
	if len(lines) != rows {
		t.Errorf("%d lines, want %d", len(lines), rows)
	}
	for y, l := range lines {
		if w := width(l); w != cols {
			t.Errorf("line %d is %d cells wide, want %d: %q", y, w, cols, l)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./tui -update writes it anew):\n%s", file, got)
	}
}

func TestWizardScreens(t *testing.T) {
	for step, keys := range map[string][]string{
		"name": nil, "kind": {"A", "d", "a", "enter"}, "secret": {"A", "d", "a", "enter", "enter"},
		"words": {"A", "d", "a", "enter", "enter", "j", "enter"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, err := newWizard(context.Background(), Config{Create: fakeCreate})
			if err != nil {
				t.Fatal(err)
			}
			d := &driver{t: t, model: w, msgs: make(chan tea.Msg, 1000)}
			d.send(tea.WindowSizeMsg{Width: 80, Height: 24})
			d.press(keys...)
			golden(t, "wizard-"+step+"-80x24", d.screen())
			w.s.close()
		})
	}
}

func TestNoColourHasNone(t *testing.T) {
	for name, keys := range screens {
		drive(t, 80, 24, Config{Env: []string{"NO_COLOR=1"}}, newFakeOnce(), func(d *driver) {
			d.press(keys...)
			for l := range strings.SplitSeq(d.r.View().Content, "\n") {
				for _, seq := range []string{"[38;", "[48;", ";38;", ";48;", "[30m", "[31m", "[90m"} {
					if strings.Contains(l, "\x1b"+seq) || strings.HasPrefix(seq, ";") && strings.Contains(l, seq) {
						t.Fatalf("%s has a colour: %q", name, l)
					}
				}
			}
		})
	}
}
