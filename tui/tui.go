// Package tui is the terminal interface: one Bubble Tea program and a client of node/control.
//
// (charm.land/bubbletea/v2 is github.com/charmbracelet/bubbletea, whose go.mod has that name since v2.)
//
//	root        the only tea.Model: routing, focus, overlays, toasts, terminal detection
//	screen      worklist, case, report, request, contacts, transfers, audit, studies, wizard
//	overlay     dialogs, help, palette: they get messages first
//	viewer      the image pane: frames from control → consult/render → tui/raster
//
// Rules that hold everywhere here:
//
//   - Update and draw do no I/O; every call to the node is a command of a [scope], and closing a
//     screen ends its scope. Replies carry a generation; stale ones are dropped unseen.
//   - Every string of every reply passes consult/text before any screen sees it ([clean]).
//   - draw(w, h) gives exactly h lines of exactly w cells. Image cells are cached strings that no
//     style touches.
//   - Nothing is shown by colour alone, and every glyph is one cell wide.
//
// Picture bytes and image cells come from tui/raster; only this package talks to the terminal.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// Config is what the interface needs.
type Config struct {
	Client   *control.Client
	Graphics string // auto (or empty), kitty, sixel, sextant, half or off
	Case     string // open this case first
	In       io.Reader
	Out      io.Writer
	Env      []string // os.Environ when nil

	// Create makes the first person; only [Wizard] uses it.
	Create func(context.Context, control.PersonAddRequest) (control.PersonAdded, error)
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// ErrGraphics says that Config.Graphics is none of the words it may be.
var ErrGraphics = errors.New("graphics must be auto, kitty, sixel, sextant, half or off")

// Run shows the interface until the user quits or ctx ends.
func Run(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := newRoot(ctx, cfg)
	if err != nil {
		return err
	}
	feed := newFeed(cfg.Client)
	done := make(chan struct{})
	go func() { defer close(done); feed.run(ctx) }()
	r.feed = feed
	_, err = r.program(ctx, cfg).Run()
	cancel()
	<-done
	if out := cfg.Out; out != nil {
		if r.caps.pixels {
			_, _ = io.WriteString(out, "\x1b[?1016l") // the renderer resets 1006 only
		}
		_, _ = io.WriteString(out, r.farewell()) // pictures must not stay in the terminal, also after a panic
	}
	if err != nil && !errors.Is(err, tea.ErrProgramKilled) && !errors.Is(err, tea.ErrInterrupted) {
		return fmt.Errorf("run the interface: %w", err)
	}
	return nil
}

func (cfg *Config) defaults() {
	if cfg.In == nil {
		cfg.In = os.Stdin
	}
	if cfg.Out == nil {
		cfg.Out = os.Stdout
	}
	if cfg.Env == nil {
		cfg.Env = os.Environ()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
}

func options(ctx context.Context, cfg Config) []tea.ProgramOption {
	return []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithInput(cfg.In), tea.WithOutput(cfg.Out), tea.WithEnvironment(cfg.Env),
	}
}

func (r *root) program(ctx context.Context, cfg Config) *tea.Program {
	cfg.defaults()
	return tea.NewProgram(r, options(ctx, cfg)...)
}
