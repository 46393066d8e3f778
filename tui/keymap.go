package tui

import (
	"slices"
	"strings"
)

// binding is one row of the key table. Screens act on id; help and the bottom
// line are generated from the rest.
type binding struct {
	in   string // context
	id   string
	keys []string
	help string
	foot bool // shown on the bottom line
}

// keymap is every key of the interface. Contexts are asked innermost first.
var keymap = []binding{
	{"list", "enter", []string{"enter"}, "open", true},
	{"list", "filter", []string{"/"}, "filter", true},
	{"list", "sort", []string{"s"}, "change the order", false},

	{"inbox", "accept", []string{"a"}, "accept", true},
	{"inbox", "decline", []string{"D"}, "decline…", true},
	{"inbox", "new", []string{"n"}, "new request", true},
	{"inbox", "report", []string{"e"}, "report", false},

	{"studies", "new", []string{"n"}, "request an opinion on this study", true},

	{"contacts", "show", []string{"enter"}, "details", true},
	{"contacts", "add", []string{"n"}, "add by link", true},
	{"contacts", "mine", []string{"m"}, "my invite and numbers", true},
	{"contacts", "verify", []string{"v"}, "verify…", true},
	{"contacts", "remove", []string{"X"}, "remove…", false},
	{"contacts", "filter", []string{"/"}, "filter", true},

	{"transfers", "retry", []string{"!"}, "look again", true},

	{"case", "pane", []string{"tab"}, "next pane", true},
	{"case", "pane-back", []string{"shift+tab"}, "previous pane", false},
	{"case", "left", []string{"h", "left"}, "pane to the left", false},
	{"case", "right", []string{"l", "right"}, "pane to the right", false},
	{"case", "full", []string{"f"}, "full screen image", true},
	{"case", "reply", []string{"r"}, "reply", true},
	{"case", "accept", []string{"a"}, "accept", true},
	{"case", "report", []string{"e"}, "report", true},
	{"case", "sign", []string{"S"}, "sign…", true},
	{"case", "decline", []string{"D"}, "decline…", false},
	{"case", "invite", []string{"I"}, "invite…", false},
	{"case", "close", []string{"C"}, "close the case…", false},
	{"case", "copy", []string{"y"}, "copy the case's id", false},

	{"series", "enter", []string{"enter"}, "show", true},
	{"thread", "enter", []string{"enter"}, "go to its image", true},
	{"thread", "reports", []string{"t"}, "thread or reports", true},

	{"image", "slice-next", []string{"j", "down"}, "next slice", true},
	{"image", "slice-prev", []string{"k", "up"}, "previous slice", false},
	{"image", "slice-next5", []string{"J", "pgdown", "ctrl+d"}, "five on", false},
	{"image", "slice-prev5", []string{"K", "pgup", "ctrl+u"}, "five back", false},
	{"image", "slice-first", []string{"g", "home"}, "first slice", false},
	{"image", "slice-last", []string{"G", "end"}, "last slice", false},
	{"image", "cine", []string{"space"}, "play, stop", false},
	{"image", "slower", []string{"["}, "slower", false},
	{"image", "faster", []string{"]"}, "faster", false},
	{"image", "preset-1", []string{"1"}, "window: lung", false},
	{"image", "preset-2", []string{"2"}, "window: bone", false},
	{"image", "preset-3", []string{"3"}, "window: soft tissue", false},
	{"image", "preset-4", []string{"4"}, "window: brain", false},
	{"image", "preset-5", []string{"5"}, "window: liver", false},
	{"image", "preset-6", []string{"6"}, "window: angio", false},
	{"image", "preset-7", []string{"7"}, "window: full range", false},
	{"image", "preset-0", []string{"0"}, "window: as the file says", false},
	{"image", "window", []string{"w"}, "window mode: arrows or drag", true},
	{"image", "pan", []string{"p"}, "pan mode: arrows", false},
	{"image", "probe", []string{"v"}, "probe: arrows move it", false},
	{"image", "invert", []string{"i"}, "invert", false},
	{"image", "zoom-in", []string{"+", "="}, "zoom in", true},
	{"image", "zoom-out", []string{"-"}, "zoom out", false},
	{"image", "zoom-fit", []string{"z"}, "fit, or one to one", true},

	{"tool", "tool-left", []string{"left", "h"}, "left", false},
	{"tool", "tool-right", []string{"right", "l"}, "right", false},
	{"tool", "tool-up", []string{"up", "k"}, "up", false},
	{"tool", "tool-down", []string{"down", "j"}, "down", false},
	{"tool", "tool-left10", []string{"shift+left", "H"}, "ten left", false},
	{"tool", "tool-right10", []string{"shift+right", "L"}, "ten right", false},
	{"tool", "tool-up10", []string{"shift+up", "K"}, "ten up", false},
	{"tool", "tool-down10", []string{"shift+down", "J"}, "ten down", false},
	{"tool", "tool-drop", []string{"esc", "w", "p", "v"}, "drop the tool", true},

	{"filtered", "filter-clear", []string{"esc"}, "clear the filter", true},

	{"full", "full-off", []string{"esc", "f", "q"}, "back to the case", true},

	{"dialog", "dialog-close", []string{"esc"}, "close", true},
	{"dialog", "dialog-ok", []string{"enter"}, "go on", true},

	{"report", "editor", []string{"ctrl+e"}, "$EDITOR", true},
	{"report", "done", []string{"ctrl+d", "alt+enter"}, "sign…", true},
	{"report", "kind", []string{"ctrl+t"}, "final, preliminary", true},
	{"report", "back", []string{"esc"}, "save the draft, back", true},

	{"request", "next", []string{"ctrl+d", "alt+enter"}, "next step", true},
	{"request", "pick", []string{"space", "x"}, "choose", true},
	{"request", "prev", []string{"esc"}, "step back", true},
	{"request", "priority", []string{"ctrl+t"}, "priority", true},

	{"move", "down", []string{"j", "down"}, "down", false},
	{"move", "up", []string{"k", "up"}, "up", false},
	{"move", "half-down", []string{"ctrl+d", "pgdown"}, "half a page down", false},
	{"move", "half-up", []string{"ctrl+u", "pgup"}, "half a page up", false},
	{"move", "first", []string{"g", "home"}, "first", false},
	{"move", "last", []string{"G", "end"}, "last", false},

	{"tabs", "tab-1", []string{"1"}, "inbox", false},
	{"tabs", "tab-2", []string{"2"}, "sent", false},
	{"tabs", "tab-3", []string{"3"}, "contacts", false},
	{"tabs", "tab-4", []string{"4"}, "transfers", false},
	{"tabs", "tab-5", []string{"5"}, "audit", false},
	{"tabs", "tab-6", []string{"6"}, "studies", false},
	{"tabs", "tab-next", []string{"tab", "l", "right"}, "next tab", false},
	{"tabs", "tab-prev", []string{"shift+tab", "h", "left"}, "previous tab", false},

	{"all", "back", []string{"esc"}, "back", false},
	{"all", "quit", []string{"q"}, "close the page, quit", false},
	{"all", "retry", []string{"!"}, "try again", false},
	{"all", "palette", []string{":"}, "commands", true},
	{"all", "jump", []string{"ctrl+k"}, "jump to a case", false},
	{"all", "lock", []string{"L"}, "lock", false},
	{"all", "redraw", []string{"ctrl+l"}, "draw again", false},
	{"all", "help", []string{"?"}, "help here", true},
}

// action finds what a key does in the contexts, innermost first.
func action(key string, contexts ...string) string {
	for _, c := range contexts {
		for _, b := range keymap {
			if b.in == c && slices.Contains(b.keys, key) {
				return b.id
			}
		}
	}
	return ""
}

// bindings are the rows that hold in the contexts: an outer one whose keys are
// all taken by an inner one is left out.
func bindings(contexts ...string) []binding {
	var out []binding
	taken := map[string]bool{}
	for _, c := range contexts {
		var here []string
		for _, b := range keymap {
			if b.in != c {
				continue
			}
			free := slices.DeleteFunc(slices.Clone(b.keys), func(k string) bool { return taken[k] })
			if len(free) == 0 {
				continue
			}
			b.keys = free
			out = append(out, b)
			here = append(here, free...)
		}
		for _, k := range here {
			taken[k] = true
		}
	}
	return out
}

// footer is the bottom line: the next useful keys, as many as fit, help always.
func (t theme) footer(w int, contexts ...string) string {
	var parts []string
	used := 0
	help := t.bar.Render(" ") + t.keyOnBar("?") + t.bar.Render(" help ")
	room := w - width(help)
	for _, b := range bindings(contexts...) {
		if !b.foot || b.id == "help" {
			continue
		}
		p := t.bar.Render(" ") + t.keyOnBar(b.keys[0]) + t.bar.Render(" "+b.help+" ")
		if used += width(p); used > room {
			break
		}
		parts = append(parts, p)
	}
	left := strings.Join(parts, "")
	return left + t.bar.Render(strings.Repeat(" ", max(0, room-width(left)))) + help
}

func (t theme) keyOnBar(k string) string {
	if t.name == "none" {
		return t.bar.Bold(true).Render(k)
	}
	return t.bar.Bold(true).Foreground(t.key.GetForeground()).Render(k)
}
