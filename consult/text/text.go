// Package text makes foreign text showable: messages, names, DICOM strings,
// file names, peers' versions. [Clean] is a pure function that every such text
// passes when it enters a model, so that no view can forget it (TERMINAL.md §8).
//
// What it returns is valid UTF-8, holds no control, bidi or invisible
// characters that could forge a terminal's or a reader's view, and is cleaned
// already: Clean(Clean(s)) == Clean(s).
//
// Fuzz: go test -fuzz FuzzClean ./consult/text
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what is shown at once.
const (
	// BytesMax is a text field of an entry (FORMATS.md §12).
	BytesMax = 32 << 10
	// LinesMax: an entry of 32 KiB of newlines would push all else off the screen.
	LinesMax = 1000
	// MarksMax combining marks on one letter: scripts need up to four.
	MarksMax = 4
	// cut ends a text that was longer.
	cut = '…'
)

// Clean makes s showable; lines stay lines.
func Clean(s string) string {
	var out strings.Builder
	out.Grow(min(len(s), BytesMax))
	lines, marks := 1, 0
	for i, r := range s {
		switch r {
		case utf8.RuneError:
			r = unicode.ReplacementChar // invalid bytes, one each
		case '\t':
			r = ' '
		case '\r':
			if strings.HasPrefix(s[i:], "\r\n") {
				continue
			}
			r = '\n'
		}
		if hidden(r) {
			continue
		}
		if unicode.In(r, unicode.Mn, unicode.Me) {
			if marks++; marks > MarksMax {
				continue
			}
		} else {
			marks = 0
		}
		if r == '\n' {
			lines++
		}
		if lines > LinesMax || out.Len()+utf8.RuneLen(r) > BytesMax-utf8.RuneLen(cut) {
			return finish(out.String())
		}
		out.WriteRune(r)
	}
	return out.String()
}

// finish marks the cut, on the last line that is kept.
func finish(s string) string { return strings.TrimSuffix(s, "\n") + string(cut) }

// Line is Clean on one line: newlines become spaces.
func Line(s string) string {
	return strings.ReplaceAll(Clean(s), "\n", " ")
}

// Name is Line for names and descriptions, at most n characters.
func Name(s string, n int) string {
	s = Line(s)
	if utf8.RuneCountInString(s) <= n || n < 1 {
		return s
	}
	return string([]rune(s)[:n-1]) + string(cut)
}

// hidden characters are dropped: controls but newline (C0, DEL, C1), line and
// paragraph separators, bidi controls, invisible format characters, Unicode
// tags, variation of what is an image in kitty (U+10EEEE), surrogates,
// noncharacters and private use.
func hidden(r rune) bool {
	switch {
	case r == '\n':
		return false
	case r < 0x20, r >= 0x7f && r <= 0x9f:
		return true
	case r == 0x200c || r == 0x200d: // joiners: needed to write Persian, Hindi and emoji
		return false
	case r == 0x2028, r == 0x2029:
		return true
	case r >= 0xe0000 && r <= 0xe0fff: // tags, and variation selectors beside them
		return true
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0: // look like nothing
		return true
	case r&0xfffe == 0xfffe, r >= 0xfdd0 && r <= 0xfdef:
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Bidi_Control)
}
