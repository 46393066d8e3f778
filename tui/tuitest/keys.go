package tuitest

import "strings"

var named = map[string]string{
	"enter": "\r", "esc": "\x1b", "tab": "\t", "shift+tab": "\x1b[Z", "space": " ", "backspace": "\x7f",
	"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
	"pgup": "\x1b[5~", "pgdown": "\x1b[6~", "delete": "\x1b[3~",
}

// Key is the bytes of a key as in Bubble Tea's names: "enter", "ctrl+d", "j".
// Anything else is typed as it stands, with _ for a blank.
func Key(name string) string {
	if s, ok := named[name]; ok {
		return s
	}
	if c, ok := strings.CutPrefix(name, "ctrl+"); ok && len(c) == 1 {
		return string(rune(c[0] & 31))
	}
	if c, ok := strings.CutPrefix(name, "alt+"); ok {
		return "\x1b" + c
	}
	if len([]rune(name)) == 1 {
		return name
	}
	return strings.ReplaceAll(name, "_", " ")
}
