package tui

// list is a window over rows that somebody else has: only visible rows are drawn.
type list struct {
	n, cur, top int
}

func (l *list) set(n int) {
	l.n = n
	l.cur = max(0, min(l.cur, n-1))
}

func (l *list) to(i int) { l.cur = max(0, min(i, l.n-1)) }

// move acts on the ids of the "move" context.
func (l *list) move(id string, h int) bool {
	switch id {
	case "down":
		l.to(l.cur + 1)
	case "up":
		l.to(l.cur - 1)
	case "half-down":
		l.to(l.cur + max(1, h/2))
	case "half-up":
		l.to(l.cur - max(1, h/2))
	case "first":
		l.to(0)
	case "last":
		l.to(l.n - 1)
	default:
		return false
	}
	return true
}

// window keeps the cursor in sight of h rows and says which to draw.
func (l *list) window(h int) (from, to int) {
	h = max(1, h)
	if l.cur < l.top {
		l.top = l.cur
	}
	if l.cur >= l.top+h {
		l.top = l.cur - h + 1
	}
	l.top = max(0, min(l.top, l.n-h))
	return l.top, min(l.n, l.top+h)
}
