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
	foot string // a shorter word, for the bottom line; empty when not shown there
}

// keymap is every key of the interface. Contexts are asked innermost first.
var keymap = []binding{
	{"list", "enter", []string{"enter"}, "open", "open"},
	{"list", "filter", []string{"/"}, "filter", "filter"},
	{"list", "views", []string{"v"}, "views: critical, overdue, your own…", "views"},
	{"list", "sort", []string{"s"}, "change the order", ""},

	{"inbox", "accept", []string{"a"}, "accept", "accept"},
	{"inbox", "decline", []string{"D"}, "decline…", "decline…"},
	{"inbox", "new", []string{"n"}, "new request", "new"},
	{"inbox", "report", []string{"e"}, "report", ""},

	{"studies", "new", []string{"n"}, "request an opinion on this study", "new"},

	{"contacts", "show", []string{"enter"}, "details", "details"},
	{"contacts", "add", []string{"n"}, "add by link", "add"},
	{"contacts", "mine", []string{"m"}, "my invite and numbers", "me"},
	{"contacts", "verify", []string{"v"}, "verify…", "verify…"},
	{"contacts", "remove", []string{"X"}, "remove…", ""},
	{"contacts", "find", []string{"s"}, "look for a specialist in the directory", "find"},
	{"contacts", "filter", []string{"/"}, "filter", "filter"},

	{"directory", "search", []string{"s"}, "look for others…", "search"},
	{"directory", "show", []string{"enter"}, "details", "details"},
	{"directory", "add", []string{"n"}, "make a contact, unverified at first", "add"},
	{"directory", "verify", []string{"v"}, "make a contact and compare four words…", "verify…"},

	{"patients", "enter", []string{"enter"}, "time line", "open"},
	{"patient", "enter", []string{"enter"}, "open the case; of a study, ask about it", "open"},
	{"patient", "link", []string{"+"}, "the same as somebody else…", "link…"},
	{"patient", "unlink", []string{"-"}, "not the same…", ""},

	{"gateway", "test", []string{"t", "enter"}, "test: does it answer? (C-ECHO)", "test"},
	{"gateway", "problems", []string{"e"}, "what was refused, and last errors", "errors"},
	{"gateway", "remove", []string{"X"}, "forget the destination…", ""},

	{"transfers", "retry", []string{"!"}, "look again", "again"},
	{"transfers", "bundle", []string{"b"}, "read a bundle from a stick…", "bundle…"},

	{"case", "pane", []string{"tab"}, "next pane", "pane"},
	{"case", "pane-back", []string{"shift+tab"}, "previous pane", ""},
	{"case", "left", []string{"h", "left"}, "pane to the left", ""},
	{"case", "right", []string{"l", "right"}, "pane to the right", ""},
	{"case", "full", []string{"f"}, "full screen image", "full"},
	{"case", "reply", []string{"r"}, "reply", "reply"},
	{"case", "accept", []string{"a"}, "accept", "accept"},
	{"case", "report", []string{"e"}, "report", "report"},
	{"case", "sign", []string{"S"}, "sign…", "sign…"},
	{"case", "decline", []string{"D"}, "decline…", ""},
	{"case", "invite", []string{"I"}, "invite…", ""},
	{"case", "acts", []string{"b"}, "everything that can be done in the case…", "acts…"},
	{"case", "close", []string{"C"}, "close the case…", ""},
	{"case", "hand-off", []string{"Y"}, "open in another viewer", ""},
	{"case", "copy", []string{"y"}, "copy the case's id", ""},

	{"series", "enter", []string{"enter"}, "show", "open"},
	{"thread", "enter", []string{"enter"}, "go to its image", "open"},
	{"thread", "reports", []string{"t"}, "thread or reports", "reports"},

	{"image", "slice-next", []string{"j", "down"}, "next slice", "slice"},
	{"image", "slice-prev", []string{"k", "up"}, "previous slice", ""},
	{"image", "slice-next5", []string{"J", "pgdown", "ctrl+d"}, "five on", ""},
	{"image", "slice-prev5", []string{"K", "pgup", "ctrl+u"}, "five back", ""},
	{"image", "slice-first", []string{"g", "home"}, "first slice", ""},
	{"image", "slice-last", []string{"G", "end"}, "last slice", ""},
	{"image", "cine", []string{"space"}, "play, stop", ""},
	{"image", "slower", []string{"["}, "slower", ""},
	{"image", "faster", []string{"]"}, "faster", ""},
	{"image", "slice-number", []string{"#"}, "go to an image by number", ""},
	{"image", "preset-1", []string{"1"}, "window: lung", ""},
	{"image", "preset-2", []string{"2"}, "window: bone", ""},
	{"image", "preset-3", []string{"3"}, "window: soft tissue", ""},
	{"image", "preset-4", []string{"4"}, "window: brain", ""},
	{"image", "preset-5", []string{"5"}, "window: liver", ""},
	{"image", "preset-6", []string{"6"}, "window: angio", ""},
	{"image", "preset-7", []string{"7"}, "window: full range", ""},
	{"image", "preset-8", []string{"8"}, "window: stroke", ""},
	{"image", "preset-9", []string{"9"}, "window: subdural", ""},
	{"image", "preset-0", []string{"0"}, "window: as the file says", ""},
	{"image", "window", []string{"w"}, "window mode: arrows or drag, enter types", "window"},
	{"image", "windows", []string{"W"}, "windows of the file, and all presets…", ""},
	{"image", "tools", []string{"T"}, "measure or mark: all tools…", "tools"},
	{"image", "draw-with-length", []string{"d"}, "distance", ""},
	{"image", "draw-with-angle", []string{"A"}, "angle", ""},
	{"image", "draw-with-ellipse", []string{"o"}, "region of interest", ""},
	{"image", "draw-with-arrow", []string{"p"}, "arrow", ""},
	{"image", "draw-with-text", []string{"t"}, "text", ""},
	{"image", "probe", []string{"v"}, "probe: arrows move it", ""},
	{"image", "magnifier", []string{"M"}, "magnifier", ""},
	{"image", "pan", []string{"P"}, "pan mode: arrows", ""},
	{"image", "invert", []string{"i"}, "invert", ""},
	{"image", "flip", []string{"F"}, "flip left to right", ""},
	{"image", "rotate", []string{"R"}, "turn by a quarter", ""},
	{"image", "zoom-in", []string{"+", "="}, "zoom in", ""},
	{"image", "zoom-out", []string{"-"}, "zoom out", ""},
	{"image", "zoom-fit", []string{"z"}, "fit, or one to one", "fit"},
	{"image", "reset", []string{"Z"}, "show it as at first", ""},
	{"image", "overlays", []string{"O"}, "overlays of the file", ""},
	{"image", "shutter", []string{"U"}, "lift the shutter", ""},
	{"image", "presentation", []string{"B"}, "presentation states…", ""},
	{"image", "compare", []string{"c"}, "compare two, or one again", "compare"},
	{"image", "volume", []string{"V"}, "MPR, MIP…", "MPR"},
	{"image", "mark-next", []string{"."}, "next mark", "marks"},
	{"image", "mark-prev", []string{","}, "previous mark", ""},
	{"image", "marks", []string{"m"}, "list of marks", ""},
	{"image", "authors", []string{"H"}, "hide and show marks by author…", ""},
	{"image", "undo", []string{"u"}, "undo what is not sent", ""},
	{"image", "key-image", []string{"x"}, "mark as a key image, or not", ""},
	{"image", "key-next", []string{"n"}, "next key image", ""},
	{"image", "key-prev", []string{"N"}, "previous key image", ""},

	{"panes", "other-pane", []string{"tab", "shift+tab"}, "the other image", "other"},
	{"panes", "link", []string{"s"}, "scroll together, or not", "link"},

	{"chosen", "mark-thread", []string{"enter"}, "what was said of it", "thread"},
	{"chosen", "mark-reply", []string{"r"}, "reply on it", "reply"},
	{"chosen", "mark-edit", []string{"E"}, "move its points", "move"},
	{"chosen", "mark-delete", []string{"X"}, "take it back", "delete"},
	{"chosen", "mark-leave", []string{"esc"}, "let go of it", "leave"},

	{"draw", "anchor", []string{"enter"}, "put the point here", "anchor"},
	{"draw", "anchor-back", []string{"backspace", "u"}, "take the last point back", "back"},
	{"draw", "anchor-done", []string{"c"}, "done: no more points", "done"},
	{"draw", "anchor-next", []string{"tab"}, "move the next point", ""},
	{"draw", "tool-drop", []string{"esc"}, "drop it", "drop"},

	{"windowing", "window-type", []string{"enter"}, "type centre/width", "type"},

	{"tool", "tool-left", []string{"left", "h"}, "left", ""},
	{"tool", "tool-right", []string{"right", "l"}, "right", ""},
	{"tool", "tool-up", []string{"up", "k"}, "up", ""},
	{"tool", "tool-down", []string{"down", "j"}, "down", ""},
	{"tool", "tool-left10", []string{"shift+left", "H"}, "ten left", ""},
	{"tool", "tool-right10", []string{"shift+right", "L"}, "ten right", ""},
	{"tool", "tool-up10", []string{"shift+up", "K"}, "ten up", ""},
	{"tool", "tool-down10", []string{"shift+down", "J"}, "ten down", ""},
	{"tool", "tool-drop", []string{"esc"}, "drop the tool", "drop the tool"},

	{"studies", "filter", []string{"/"}, "filter", "filter"},
	{"audit", "filter", []string{"/"}, "filter", "filter"},
	{"filtered", "filter-clear", []string{"esc"}, "clear the filter", "clear"},

	{"full", "full-off", []string{"esc", "q"}, "back to the case", "back"},
	{"full", "flip", []string{"f"}, "flip left to right", ""},
	{"full", "tools", []string{"a"}, "measure or mark: all tools…", ""},
	{"full", "series-choose", []string{"S"}, "another series…", "series"},

	{"dialog", "dialog-ok", []string{"enter"}, "go on", "go on"},
	{"dialog", "dialog-close", []string{"esc"}, "cancel", "cancel"},
	{"sheet", "sheet-next", []string{"tab", "down"}, "next field", "next"},
	{"sheet", "sheet-prev", []string{"shift+tab", "up"}, "field before", ""},
	{"sheet", "sheet-enter", []string{"enter"}, "next field; after the last: do it", ""},
	{"sheet", "sheet-send", []string{"ctrl+d", "alt+enter"}, "do it", "do it"},
	{"sheet", "sheet-leave", []string{"esc"}, "cancel", "cancel"},
	{"compose", "compose-send", []string{"ctrl+d", "alt+enter"}, "send", "send"},
	{"compose", "compose-keep", []string{"esc"}, "keep for later", "keep for later"},
	{"progress", "dialog-close", []string{"esc"}, "call it off", "call it off"},
	{"reader", "reader-close", []string{"esc", "q", "enter"}, "close", "close"},
	{"reader", "reader-scroll", []string{"j", "k", "down", "up"}, "scroll", "k scroll"},
	{"reader", "reader-copy", []string{"y"}, "copy", "copy"},

	{"report", "editor", []string{"ctrl+e"}, "$EDITOR", "$EDITOR"},
	{"report", "done", []string{"ctrl+d", "alt+enter"}, "sign…", "sign…"},
	{"report", "form", []string{"ctrl+f"}, "fill in an opinion form…", "form"},
	{"report", "template", []string{"ctrl+p"}, "start from a template…", "template"},
	{"report", "kind", []string{"ctrl+t"}, "final, preliminary", "final/preliminary"},
	{"report", "back", []string{"esc"}, "save the draft, back", "save, back"},

	{"question", "next", []string{"ctrl+d", "alt+enter"}, "next step", "next"},
	{"question", "form", []string{"ctrl+f"}, "fill in the form of a specialty…", "form"},
	{"question", "priority", []string{"ctrl+t"}, "priority", "priority"},
	{"deid", "release", []string{"r"}, "release: it was looked at", "release"},
	{"deid", "blacken", []string{"b"}, "blacken a rectangle…", "blacken"},
	{"deid", "leave-out", []string{"x"}, "leave out", "leave out"},
	{"deid", "release-all", []string{"R"}, "release all that is undecided", "all"},
	{"deid", "go", []string{"enter"}, "next step", "next"},
	{"picking", "go", []string{"enter"}, "next step", "next"},
	{"picking", "pick", []string{"space", "x"}, "choose", "choose"},
	{"request", "next", []string{"ctrl+d", "alt+enter"}, "next step", ""},
	{"request", "prev", []string{"esc"}, "step back", "back"},

	{"move", "down", []string{"j", "down"}, "down", ""},
	{"move", "up", []string{"k", "up"}, "up", ""},
	{"move", "half-down", []string{"ctrl+d", "pgdown"}, "half a page down", ""},
	{"move", "half-up", []string{"ctrl+u", "pgup"}, "half a page up", ""},
	{"move", "first", []string{"g", "home"}, "first", ""},
	{"move", "last", []string{"G", "end"}, "last", ""},

	{"tabs", "tab-1", []string{"1"}, "inbox", ""},
	{"tabs", "tab-2", []string{"2"}, "sent", ""},
	{"tabs", "tab-3", []string{"3"}, "contacts", ""},
	{"tabs", "tab-4", []string{"4"}, "network", ""},
	{"tabs", "tab-5", []string{"5"}, "audit", ""},
	{"tabs", "tab-6", []string{"6"}, "studies", ""},
	{"tabs", "tab-next", []string{"tab", "l", "right"}, "next tab", ""},
	{"tabs", "tab-prev", []string{"shift+tab", "h", "left"}, "previous tab", ""},

	{"all", "back", []string{"esc"}, "back", ""},
	{"all", "quit", []string{"q"}, "close the page, quit", ""},
	{"all", "retry", []string{"!"}, "try again", ""},
	{"all", "palette", []string{":"}, "commands", "commands"},
	{"all", "jump", []string{"ctrl+k"}, "jump to a case", ""},
	{"all", "lock", []string{"L"}, "lock", ""},
	{"all", "redraw", []string{"ctrl+l"}, "draw again", ""},
	{"all", "help", []string{"?"}, "help here", "help"},
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
		if b.foot == "" || b.id == "help" {
			continue
		}
		p := t.bar.Render(" ") + t.keyOnBar(b.keys[0]) + t.bar.Render(" "+b.foot+" ")
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
