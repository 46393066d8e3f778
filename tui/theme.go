package tui

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// theme is how things look. The image pane is never themed.
type theme struct {
	name string

	text, dim, accent, strong      lipgloss.Style
	bar, barOn, sel, selOff        lipgloss.Style
	warn, bad, good, key           lipgloss.Style
	border, borderOn, title, quote lipgloss.Style
}

// themeOf chooses: light or dark by the terminal's background, none with NO_COLOR.
func themeOf(name string) theme {
	s := lipgloss.NewStyle
	c := lipgloss.Color
	switch name {
	case "light":
		return theme{
			name: name, text: s(), dim: s().Foreground(c("#5f6670")), accent: s().Foreground(c("#005faf")), strong: s().Bold(true),
			bar: s().Background(c("#dfe5ee")).Foreground(c("#1c2430")), barOn: s().Background(c("#005faf")).Foreground(c("#ffffff")).Bold(true),
			sel: s().Background(c("#bcd9ff")).Foreground(c("#0c1a2a")), selOff: s().Background(c("#e8ecf2")).Foreground(c("#0c1a2a")),
			warn: s().Foreground(c("#8a5a00")).Bold(true), bad: s().Foreground(c("#b00020")).Bold(true), good: s().Foreground(c("#1b7a2f")),
			key: s().Foreground(c("#005faf")).Bold(true), border: s().Foreground(c("#a0a8b4")), borderOn: s().Foreground(c("#005faf")),
			title: s().Foreground(c("#005faf")).Bold(true), quote: s().Foreground(c("#444b55")),
		}
	case "none":
		return theme{
			name: name, text: s(), dim: s().Faint(true), accent: s().Bold(true), strong: s().Bold(true),
			bar: s().Reverse(true), barOn: s().Bold(true), sel: s().Reverse(true), selOff: s().Underline(true),
			warn: s().Bold(true), bad: s().Bold(true), good: s(), key: s().Bold(true), border: s().Faint(true), borderOn: s().Bold(true),
			title: s().Bold(true), quote: s(),
		}
	}
	return theme{
		name: "dark", text: s(), dim: s().Foreground(c("#8a919e")), accent: s().Foreground(c("#6cb6ff")), strong: s().Bold(true),
		bar: s().Background(c("#1e2733")).Foreground(c("#cdd6e0")), barOn: s().Background(c("#2f6db3")).Foreground(c("#ffffff")).Bold(true),
		sel: s().Background(c("#24507f")).Foreground(c("#ffffff")), selOff: s().Background(c("#222c38")).Foreground(c("#cdd6e0")),
		warn: s().Foreground(c("#e5c07b")).Bold(true), bad: s().Foreground(c("#ff7b72")).Bold(true), good: s().Foreground(c("#7ee787")),
		key: s().Foreground(c("#6cb6ff")).Bold(true), border: s().Foreground(c("#3d4957")), borderOn: s().Foreground(c("#6cb6ff")),
		title: s().Foreground(c("#6cb6ff")).Bold(true), quote: s().Foreground(c("#aab4c0")),
	}
}

// box draws a frame of w x h cells around lines.
func (t theme) box(title string, lines []string, w, h int, on bool) []string {
	style := t.border
	if on {
		style = t.borderOn
	}
	iw := max(0, w-2)
	head := "─" + strings.Repeat("─", max(0, iw-1))
	if title != "" {
		title = fit(title, min(len([]rune(title)), max(0, iw-4)))
		head = style.Render("─ ") + t.title.Render(title) + style.Render(" "+strings.Repeat("─", max(0, iw-3-width(title))))
	} else {
		head = style.Render(head)
	}
	out := make([]string, 0, h)
	out = append(out, style.Render("╭")+fit(head, iw)+style.Render("╮"))
	for _, l := range block(lines, iw, max(0, h-2)) {
		out = append(out, style.Render("│")+l+style.Render("│"))
	}
	return append(out, style.Render("╰"+strings.Repeat("─", iw)+"╯"))
}

func width(s string) int { return lipgloss.Width(s) }
