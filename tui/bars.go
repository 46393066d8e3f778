package tui

import (
	"fmt"
	"strings"
)

// lines is the whole screen: bar, page, keys; overlays and toasts above.
func (r *root) lines() []string {
	if r.w < colsMin || r.h < rowsMin {
		return r.tooSmall()
	}
	if _, locked := r.top().(*locker); locked {
		return r.top().draw(r.w, r.h)
	}
	w, h := r.body()
	contexts := r.page().contexts()
	if o := r.top(); o != nil {
		contexts = o.contexts()
	}
	out := make([]string, 0, r.h)
	out = append(out, r.bar())
	out = append(out, block0(r.page().draw(w, h), h)...)
	out = append(out, r.th.footer(r.w, contexts...))
	for _, o := range r.overlays {
		box := o.draw(w, h)
		if len(box) > 0 {
			out = over(out, box, max(0, (r.w-width(box[0]))/2), max(1, (r.h-len(box))/2))
		}
	}
	return r.overToasts(out)
}

// block0 holds a page to h lines without measuring image cells.
func block0(lines []string, h int) []string {
	if len(lines) > h {
		return lines[:h]
	}
	for len(lines) < h {
		lines = append(lines, "")
	}
	return lines
}

func (r *root) overToasts(out []string) []string {
	y := r.h - 1 // over the keys: what a picture says of itself stays in sight
	skip := 0
	if c, image := r.page().(*casePage); image {
		_, skip = c.view.rows()
	}
	for i := len(r.toasts) - 1; i >= 0 && y > 1; i-- {
		t := r.toasts[i]
		style := r.th.bar
		text := " " + fit(t.text, min(width(t.text), r.w-4)) + " "
		switch t.style {
		case "bad":
			style = r.th.bad.Reverse(true)
		case "warn":
			style = r.th.warn.Reverse(true)
		case "good":
			style = r.th.good.Reverse(true)
		}
		out = over(out, []string{style.Render(text)}, r.w-width(text)-1, y)
		y -= 1 + skip
		skip = 0
	}
	return out
}

func (r *root) tooSmall() []string {
	return centre([]string{
		"curbside needs a window of", fmt.Sprintf("%d × %d cells.", colsMin, rowsMin), "", fmt.Sprintf("This one has %d × %d.", r.w, r.h), "q quits",
	}, r.w, r.h)
}

// bar is the top line: where we are, and the network, always.
func (r *root) bar() string {
	net := r.network()
	left := r.tabsLine(r.w - width(net) - 1)
	if len(r.pages) > 0 {
		left = r.th.barOn.Render(" ‹ ") + r.th.bar.Bold(true).Render(" "+fit(r.page().title(), max(0, r.w-width(net)-6))+" ")
	}
	return left + r.th.bar.Render(strings.Repeat(" ", max(0, r.w-width(left)-width(net)))) + net
}

func (r *root) tabsLine(room int) string {
	for _, brand := range []string{" CURBSIDE ", ""} {
		var line strings.Builder
		line.WriteString(r.th.bar.Bold(true).Render(brand))
		for i, s := range r.tabs {
			style := r.th.bar
			if i == r.tab {
				style = r.th.barOn
			}
			gap := " "
			if brand == "" {
				gap = ""
			}
			line.WriteString(style.Render(fmt.Sprintf("%s%d %s ", gap, i+1, s.title())))
		}
		if width(line.String()) <= room || brand == "" {
			return fit(line.String(), min(width(line.String()), room))
		}
	}
	return ""
}

// network is glyph and words: never colour alone.
func (r *root) network() string {
	var s string
	style := r.th.bar
	switch {
	case r.offline != "":
		s = "✗ node unreachable"
	case !r.known:
		s = "· connecting"
	case r.me.Peers > 0:
		s = fmt.Sprintf("● online %d %s", r.me.Peers, plural(r.me.Peers, "peer"))
	case !r.me.Running:
		s = "○ offline"
	default:
		s = "○ no peers"
	}
	if r.me.Queued > 0 {
		s += fmt.Sprintf(" · queue %d", r.me.Queued)
	}
	if r.me.Transfers > 0 {
		s += fmt.Sprintf(" ⇅%d", r.me.Transfers)
	}
	if r.running > 0 {
		s += " …"
	}
	if r.w >= colsWide && r.me.Name != "" {
		s = fit(r.me.Name, min(24, width(r.me.Name))) + " │ " + s
	}
	return style.Render(s + " ")
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
