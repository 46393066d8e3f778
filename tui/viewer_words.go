package tui

import (
	"fmt"
	"math"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/tui/raster"
)

// overWords writes words into rows of cells, each where its mark is, moved down
// a row where another one stands. It runs in the command that draws.
func overWords(cells []string, words []word, p *picture) []string {
	if len(words) == 0 || len(cells) == 0 {
		return cells
	}
	out := append([]string(nil), cells...)
	k := p.key
	gx, gy := float64(p.view.W)/float64(k.cols), float64(p.view.H)/float64(k.rows) // canvas pixels of a cell
	taken := map[int][][2]int{}
	for _, w := range words {
		s := ansi.Truncate(w.s, k.cols, "…")
		n := ansi.StringWidth(s)
		x := min(max(int(w.at[0]/gx)+1, 0), max(0, k.cols-n))
		y := min(max(int(w.at[1]/gy), 0), len(out)-1)
		for try := 0; try < 4 && y < len(out)-1 && overlaps(taken[y], x-1, x+n+1); try++ {
			y++
		}
		taken[y] = append(taken[y], [2]int{x, x + n})
		out[y] = fit(ansi.Truncate(out[y], x, ""), x) + k.inkOn(w.ink) + s + "\x1b[0m" + ansi.TruncateLeft(out[y], x+n, "")
	}
	return out
}

func overlaps(spans [][2]int, a, b int) bool {
	for _, s := range spans {
		if a < s[1] && s[0] < b {
			return true
		}
	}
	return false
}

// inkOn is an ink on black, as cells say it.
func (k drawKey) inkOn(ink raster.Ink) string {
	switch {
	case k.plain:
		return "\x1b[0;7m"
	case k.depth == raster.Grey256:
		return "\x1b[0;38;5;" + [...]string{"220", "81", "209", "120"}[min(ink, 3)] + ";48;5;16m"
	}
	c := ink.Color()
	return fmt.Sprintf("\x1b[0;38;2;%d;%d;%d;48;2;0;0;0m", c.R, c.G, c.B)
}

// number is a value as people read it: millimetres and degrees to a tenth.
func number(v float64, unit string) string {
	switch unit {
	case "mm", "deg", "px", "mm2", "px2":
		return fmt.Sprintf("%.1f", v)
	case "HU":
		return trimmed(fmt.Sprintf("%.1f", v))
	case "":
		if v == math.Trunc(v) && math.Abs(v) < 1e7 {
			return fmt.Sprintf("%.0f", v)
		}
		return fmt.Sprintf("%.3g", v)
	}
	return fmt.Sprintf("%.4g", v)
}

// whole values need no tenth.
func trimmed(s string) string { return strings.TrimSuffix(s, ".0") }

func unitWord(u string) string {
	switch u {
	case "deg":
		return "°"
	case "mm2":
		return " mm²"
	case "px2":
		return " px²"
	case "":
		return ""
	}
	return " " + u
}

// valueWords are values in short: the main one bare, the others with their names.
func valueWords(values []control.MarkValue) []string {
	out := make([]string, 0, len(values))
	for i, v := range values {
		s := number(v.Value, v.Unit) + unitWord(line(v.Unit))
		if i > 0 || len(values) > 3 {
			s = shortName(line(v.Name)) + " " + s
		}
		out = append(out, s)
	}
	return out
}

func shortName(s string) string {
	if n, ok := map[string]string{"mean": "mean", "sd": "SD", "minimum": "min", "maximum": "max", "count": "n"}[s]; ok {
		return n
	}
	return s
}

func measuredWords(m []annot.Measured) []string {
	values := make([]control.MarkValue, len(m))
	for i, x := range m {
		values[i] = control.MarkValue{Name: x.Name, Value: x.Value, Unit: x.Unit, Calibration: x.Calibration}
	}
	return valueWords(values)
}

// uncalibratedWord says what a length is worth, where it is not plain mm.
func calibrationWord(values []control.MarkValue) string {
	for _, v := range values {
		if c := line(v.Calibration); c != "" && c != "pixel spacing" {
			return c
		}
	}
	return ""
}
