package tui

import (
	"strings"

	"charm.land/lipgloss/v2"
	"rsc.io/qr"
)

// The light border around a code: the standard asks for four modules, most readers are content
// with two where the window is narrow.
const qrQuiet, qrQuietNarrow = 4, 2

// QR draws a text as a QR code of half blocks, two modules a line, light ones full: for light text
// on a dark ground, or with colours that say so. It is nil for what is too long, or wider than w columns.
func QR(text string, w int) []string {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil
	}
	quiet := qrQuiet
	if code.Size+2*quiet > w {
		quiet = qrQuietNarrow
	}
	if code.Size+2*quiet > w {
		return nil
	}
	light := func(x, y int) bool { return !code.Black(x, y) } // beyond the code all is light
	var out []string
	for y := -quiet; y < code.Size+quiet; y += 2 {
		var b strings.Builder
		for x := -quiet; x < code.Size+quiet; x++ {
			b.WriteString(halfBlock(light(x, y), y+1 >= code.Size+quiet || light(x, y+1)))
		}
		out = append(out, b.String())
	}
	return out
}

func halfBlock(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}

// qrLines are a QR code for a dialog, or why there is none.
func qrLines(r *root, text string) []string {
	w, _ := r.body()
	code := QR(text, min(w-4, readerMax)-4)
	if code == nil {
		return []string{"", r.th.dim.Render("a wider window shows it as a QR code")}
	}
	style := lipgloss.NewStyle().Foreground(lipgloss.Color("#ffffff")).Background(lipgloss.Color("#000000"))
	if r.th.name == "none" {
		style = lipgloss.NewStyle()
	}
	out := []string{""}
	for _, l := range code {
		out = append(out, style.Render(l))
	}
	return append(out, "")
}
