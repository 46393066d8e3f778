package tui

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"

	"github.com/curbside-p2p/curbside/tui/raster"
)

// backend is how images are shown, best last.
type backend int

const (
	noImage backend = iota
	ramp            // characters, where there are no colours
	half
	sextant
	sixel
	kitty
)

func (b backend) String() string {
	return [...]string{"none", "ramp", "half block", "sextant", "sixel", "kitty"}[b]
}

// caps is what this terminal can do. Nothing is guessed from TERM: it is asked,
// in one round trip that the answer to DA1 ends, or a second (TERMINAL.md §3).
type caps struct {
	want     string // Config.Graphics
	noColour bool
	tmux     bool
	passes   bool   // tmux passes pictures through
	version  string // XTVERSION, or what tmux says of its client
	answered bool   // kitty's a=q
	attrs    []int  // DA1
	settled  bool
	colours  colorprofile.Profile
	cell     [2]int // pixels
	tty      *os.File
	slot     raster.Kitty
	backend  backend
	sent     bool // a picture may be in the terminal
	pixels   bool // the mouse speaks in pixels
}

func newCaps(cfg Config) (caps, error) {
	c := caps{want: cfg.Graphics, colours: colorprofile.TrueColor, cell: [2]int{8, 16}, backend: half}
	if c.want == "" {
		c.want = "auto"
	}
	if !slices.Contains([]string{"auto", "kitty", "sixel", "sextant", "half", "off"}, c.want) {
		return c, ErrGraphics
	}
	for _, e := range cfg.Env {
		k, v, _ := strings.Cut(e, "=")
		c.noColour = c.noColour || k == "NO_COLOR" && v != ""
		c.tmux = c.tmux || k == "TMUX" && v != ""
	}
	c.tty, _ = cfg.Out.(*os.File)
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	c.slot = raster.Kitty{ID: binary.BigEndian.Uint32(id[:])&0xffffff | 0x10000, Tmux: c.tmux}
	c.resized()
	c.decide()
	return c, nil
}

type detectMsg struct{} // the deadline

// detect sends every question at once; DA1 is last and everything answers it.
func (c *caps) detect() tea.Cmd {
	ask := c.slot.Query() + "\x1b[>q" + "\x1b[14t\x1b[16t" + "\x1b[?1016$p" + "\x1b[c"
	cmds := []tea.Cmd{tea.Raw(ask), tea.Tick(detectMax, func(time.Time) tea.Msg { return detectMsg{} })}
	if c.tmux {
		cmds = append(cmds, askTmux)
	}
	return tea.Batch(cmds...)
}

// tmuxMsg is what tmux says of the terminal that it runs in.
type tmuxMsg struct {
	client string
	passes bool
}

func askTmux() tea.Msg {
	ctx, cancel := context.WithTimeout(context.Background(), detectMax)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "tmux", "display", "-p", "#{client_termtype}").Output()
	pass, _ := exec.CommandContext(ctx, "tmux", "show", "-Apv", "allow-passthrough").Output()
	return tmuxMsg{client: strings.TrimSpace(string(out)), passes: strings.TrimSpace(string(pass)) != "off" && len(pass) > 0}
}

// answer takes one reply of the terminal; false when msg is none.
func (c *caps) answer(msg tea.Msg, r *root) (tea.Cmd, bool) {
	before := [3]int{int(c.backend), c.cell[0], c.cell[1]}
	switch m := msg.(type) {
	case uv.KittyGraphicsEvent:
		if m.Options.ID == int(c.slot.ID) && string(m.Payload) == "OK" {
			c.answered = true
		}
	case tea.TerminalVersionMsg:
		if !c.tmux {
			c.version = m.Name
			clean(&c.version)
		}
	case tmuxMsg:
		clean(&m.client)
		c.version, c.passes = m.client, m.passes
	case uv.PixelSizeEvent:
		if r.w > 0 && r.h > 0 {
			c.setCell(m.Width/r.w, m.Height/r.h)
		}
	case uv.CellSizeEvent:
		c.setCell(m.Width, m.Height)
	case uv.PrimaryDeviceAttributesEvent:
		c.attrs, c.settled = m, true
	case tea.ModeReportMsg:
		if m.Mode.Mode() == mousePixels && (m.Value == ansi.ModeReset || m.Value == ansi.ModeSet) && !c.tmux {
			c.pixels = true
			return c.pixelMouse(), true
		}
		return nil, true
	case detectMsg:
		c.settled = true
	default:
		return nil, false
	}
	c.decide()
	if before != [3]int{int(c.backend), c.cell[0], c.cell[1]} {
		return r.page().update(shownMsg{}), true
	}
	return nil, true
}

func (c *caps) profile(m tea.ColorProfileMsg, r *root) tea.Cmd {
	c.colours = m.Profile
	if m.Profile <= colorprofile.ASCII {
		c.noColour = true
		r.th = themeOf("none")
	}
	c.decide()
	return r.page().update(shownMsg{})
}

// setCell takes a size that a cell can have.
func (c *caps) setCell(w, h int) {
	if w >= 3 && h >= 5 && w <= 100 && h <= 200 {
		c.cell = [2]int{w, h}
	}
}

// resized reads the pixels of the window: xterm does not answer CSI 14 t.
func (c *caps) resized() tea.Cmd {
	if c.tty == nil {
		return nil
	}
	if s, err := pty.GetsizeFull(c.tty); err == nil && s.X > 0 && s.Y > 0 && s.Cols > 0 && s.Rows > 0 {
		c.setCell(int(s.X/s.Cols), int(s.Y/s.Rows))
	}
	return nil
}

// decide chooses the back end from what is known so far.
func (c *caps) decide() {
	switch {
	case c.want == "off":
		c.backend = noImage
	case c.noColour:
		c.backend = ramp
	case c.want == "kitty":
		c.backend = kitty
	case c.want == "sixel":
		c.backend = sixel
	case c.want == "sextant":
		c.backend = sextant
	case c.want == "half":
		c.backend = half
	case c.colours < colorprofile.ANSI256:
		c.backend = ramp
	case c.answered && placeholders(c.version) && c.colours == colorprofile.TrueColor && (!c.tmux || c.passes):
		c.backend = kitty
	case slices.Contains(c.attrs, 4) && !c.tmux:
		c.backend = sixel
	case c.colours == colorprofile.TrueColor && drawsSextants(c.version):
		c.backend = sextant
	default:
		c.backend = half
	}
}

// placeholders: an OK to a=q is not enough. Konsole and WezTerm answer it
// without having placeholders, kitty has them since 0.28.
func placeholders(version string) bool {
	name, major, minor := parseVersion(version)
	switch name {
	case "kitty":
		return major > 0 || minor >= 28
	case "ghostty", "rio":
		return true
	}
	return false
}

// drawsSextants: these draw legacy-computing glyphs themselves, whatever the font.
func drawsSextants(version string) bool {
	name, _, _ := parseVersion(version)
	return slices.Contains([]string{"kitty", "ghostty", "rio", "foot", "wezterm", "contour", "konsole"}, name)
}

// parseVersion reads an XTVERSION reply: "kitty(0.41.1)", "ghostty 1.1.3", "XTerm(379)".
func parseVersion(s string) (name string, major, minor int) {
	end := strings.IndexFunc(s, func(r rune) bool { return r == '(' || r == ' ' })
	if end < 0 {
		return strings.ToLower(s), 0, 0
	}
	name = strings.ToLower(s[:end])
	rest := strings.TrimLeft(s[end:], "( v")
	a, rest, _ := strings.Cut(rest, ".")
	b, _, _ := strings.Cut(rest, ".")
	digits := func(s string) int {
		if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
			s = s[:i]
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0
		}
		return n
	}
	return name, digits(a), digits(b)
}

// mousePixels is the mode in which the mouse speaks in pixels (SGR-Pixels).
const mousePixels = 1016

// pixelMouse asks for pixels where the terminal has them. The renderer writes
// mode 1006 whenever it sets the mouse up, so this comes after, and again.
func (c *caps) pixelMouse() tea.Cmd {
	if !c.pixels {
		return nil
	}
	return tea.Raw("\x1b[?1016h")
}

type repaintMsg struct{}

// repaint has sixels sent again after the next frame, over which they lie.
func (c *caps) repaint() tea.Cmd {
	if c.backend != sixel {
		return nil
	}
	return tea.Tick(sixelSettle, func(time.Time) tea.Msg { return repaintMsg{} })
}

// farewell takes the pictures out of the terminal.
func (r *root) farewell() string {
	if !r.caps.sent {
		return ""
	}
	r.caps.sent = false
	return r.caps.slot.Delete() + r.caps.second().Delete()
}

// second is the slot of the other pane.
func (c *caps) second() raster.Kitty {
	k := c.slot
	k.ID ^= 1
	return k
}

// describe is for a person who wonders why images look as they do.
func (c *caps) describe() []string {
	yes := map[bool]string{true: "yes", false: "no"}
	lines := []string{
		"images:      " + c.backend.String() + " (--graphics=" + c.want + ")",
		"terminal:    " + c.version,
		"cell:        " + fmt.Sprintf("%d × %d pixels", c.cell[0], c.cell[1]),
		"colours:     " + c.colours.String(),
		"kitty:       answers " + yes[c.answered] + ", placeholders " + yes[placeholders(c.version)],
		"sixel:       " + yes[slices.Contains(c.attrs, 4)],
	}
	if c.tmux {
		lines = append(lines, "tmux:        passes pictures through: "+yes[c.passes])
		if !c.passes {
			lines = append(lines, "             for real images: tmux set -g allow-passthrough on")
		}
	}
	return lines
}

// moveTo is a picture at a cell of the screen that leaves the cursor where it was.
func moveTo(x, y int, picture string) string {
	return ansi.SaveCursor + ansi.CursorPosition(x+1, y+1) + picture + ansi.RestoreCursor
}
