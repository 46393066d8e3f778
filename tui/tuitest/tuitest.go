// Package tuitest is a terminal for tests: bytes in, a grid of cells out, as text or as a picture.
//
//	program's output → Screen.Write → x/vt → Text, Rows, Image
//	                                 APC    → kitty pictures, painted where placeholder cells name them
//	                                 queries → Replies, to be copied to the program's input
//
// Two things about x/vt are handled here: it answers queries into a pipe that somebody must read,
// and it splits a grapheme cluster at the end of a Write, so bytes after the last escape or newline
// are held back until more arrive or [Screen.Settle] is called.
package tuitest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"io"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// Options describe the terminal.
type Options struct {
	Cols, Rows int
	Kitty      bool // answers as kitty 0.41 does, and shows pictures
	Sixel      bool // lists sixel in its attributes, and shows them
	Light      bool // says that its background is white
}

// The size of a cell in pixels: of the pictures, and what the terminal says.
const (
	CellW = 9
	CellH = 18
)

// Screen is one emulated terminal. It is safe for concurrent use.
type Screen struct {
	mu      sync.Mutex
	vt      *vt.Emulator
	opt     Options
	held    []byte
	replies *pipe
	kitty   kittyStore
	sixels  []placed
	// Titles, Modes and Clipboard are what the program asked of the terminal.
	titles    []string
	modes     map[string]bool
	clipboard int
	bells     int
	wrote     int
}

// placed is a sixel picture at a cell.
type placed struct {
	x, y int
	img  image.Image
}

// New makes a screen.
func New(o Options) *Screen {
	s := &Screen{vt: vt.NewEmulator(o.Cols, o.Rows), opt: o, replies: newPipe(), modes: map[string]bool{}}
	s.vt.SetCallbacks(vt.Callbacks{
		Title:       func(t string) { s.titles = append(s.titles, t) },
		IconName:    func(t string) { s.titles = append(s.titles, "icon "+t) },
		Bell:        func() { s.bells++ },
		EnableMode:  func(m ansi.Mode) { s.modes[fmt.Sprintf("%T%d", m, m.Mode())] = true },
		DisableMode: func(m ansi.Mode) { delete(s.modes, fmt.Sprintf("%T%d", m, m.Mode())) },
	})
	s.handlers()
	go func() { _, _ = io.Copy(s.replies, s.vt) }() // ends when the emulator is closed
	return s
}

func (s *Screen) handlers() {
	s.vt.RegisterApcHandler(s.apc)
	s.vt.RegisterOscHandler(52, func([]byte) bool { s.clipboard++; return true })
	s.vt.RegisterOscHandler(11, func(data []byte) bool {
		if !bytes.HasSuffix(data, []byte("?")) {
			return false
		}
		c := "1010/1010/1010"
		if s.opt.Light {
			c = "ffff/ffff/ffff"
		}
		s.answer("\x1b]11;rgb:" + c + "\x1b\\")
		return true
	})
	s.vt.RegisterCsiHandler(ansi.Command('>', 0, 'q'), func(ansi.Params) bool {
		name := "tuitest(1)"
		if s.opt.Kitty {
			name = "kitty(0.41.1)"
		}
		s.answer("\x1bP>|" + name + "\x1b\\")
		return true
	})
	s.vt.RegisterCsiHandler('t', func(p ansi.Params) bool {
		switch n, _, _ := p.Param(0, 0); n {
		case 14:
			s.answer(fmt.Sprintf("\x1b[4;%d;%dt", s.opt.Rows*CellH, s.opt.Cols*CellW))
		case 16:
			s.answer(fmt.Sprintf("\x1b[6;%d;%dt", CellH, CellW))
		}
		return true
	})
	if s.opt.Sixel {
		s.vt.RegisterCsiHandler('J', func(p ansi.Params) bool {
			if n, _, _ := p.Param(0, 0); n != 1 {
				s.sixels = nil
			}
			return false // the cells are the emulator's
		})
		s.vt.RegisterCsiHandler('c', func(ansi.Params) bool { s.answer("\x1b[?62;4;22c"); return true })
		s.vt.RegisterDcsHandler('q', func(_ ansi.Params, data []byte) bool {
			at := s.vt.CursorPosition()
			s.sixels = append(s.sixels, placed{at.X, at.Y, decodeSixel(data)})
			if len(s.sixels) > sixelsMax {
				s.sixels = s.sixels[1:]
			}
			return true
		})
	}
}

// sixelsMax: older pictures have been drawn over.
const sixelsMax = 4

func (s *Screen) answer(text string) { _, _ = s.replies.Write([]byte(text)) }

// Write is the program's output.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote += len(p)
	s.held = append(s.held, p...)
	if i := bytes.LastIndexAny(s.held, "\x1b\n"); i > 0 {
		_, _ = s.vt.Write(s.held[:i])
		s.held = append(s.held[:0], s.held[i:]...)
	}
	return len(p), nil
}

// Settle writes what was held back.
func (s *Screen) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
}

func (s *Screen) settle() {
	_, _ = s.vt.Write(s.held)
	s.held = s.held[:0]
}

// Wrote counts the bytes so far.
func (s *Screen) Wrote() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrote
}

// Replies is what the terminal answers; it ends at Close.
func (s *Screen) Replies() io.Reader { return s.replies }

// Close ends the emulator and Replies.
func (s *Screen) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies.close()
	if p, ok := s.vt.InputPipe().(*io.PipeWriter); ok {
		return p.CloseWithError(io.EOF) // Emulator.Close would race with the Read of its own pipe
	}
	return s.vt.Close()
}

// Resize changes the size.
func (s *Screen) Resize(cols, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.Cols, s.opt.Rows = cols, rows
	s.vt.Resize(cols, rows)
}

// Text is the screen as lines without trailing blanks.
func (s *Screen) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	var b strings.Builder
	for y := range s.opt.Rows {
		var line strings.Builder
		for x := 0; x < s.opt.Cols; {
			c := s.vt.CellAt(x, y)
			if c == nil || c.Width == 0 && c.Content == "" {
				line.WriteByte(' ')
				x++
				continue
			}
			if c.Content == "" {
				line.WriteByte(' ')
			} else if strings.HasPrefix(c.Content, string(rune(0x10EEEE))) {
				line.WriteByte('%') // an image cell
			} else {
				line.WriteString(c.Content)
			}
			x += max(1, c.Width)
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// Coloured reports whether any cell has a colour.
func (s *Screen) Coloured() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	for y := range s.opt.Rows {
		for x := range s.opt.Cols {
			if c := s.vt.CellAt(x, y); c != nil && (c.Style.Fg != nil || c.Style.Bg != nil) {
				return true
			}
		}
	}
	return false
}

// State is what a program can change of a terminal beside its cells: for tests
// that nothing displayed does.
type State struct {
	Titles    []string
	Modes     []string
	Clipboard int
	Bells     int
	Pictures  int
	Alt       bool
}

// State returns what was asked of the terminal so far.
func (s *Screen) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	st := State{Titles: s.titles, Clipboard: s.clipboard, Bells: s.bells, Pictures: len(s.kitty.images) + len(s.sixels), Alt: s.vt.IsAltScreen()}
	for m := range s.modes {
		st.Modes = append(st.Modes, m)
	}
	return st
}

// Picture returns a kitty picture that the terminal holds.
func (s *Screen) Picture(id uint32) image.Image {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kitty.images[id]
}

var (
	darkBack, darkFore   = color.RGBA{0x10, 0x10, 0x10, 255}, color.RGBA{0xd0, 0xd0, 0xd0, 255}
	lightBack, lightFore = color.RGBA{255, 255, 255, 255}, color.RGBA{0x20, 0x20, 0x20, 255}
)

// pipe is a buffer that a reader waits on and a writer never does.
type pipe struct {
	mu   sync.Mutex
	cond *sync.Cond
	buf  bytes.Buffer
	done bool
}

func newPipe() *pipe {
	p := new(pipe)
	p.cond = sync.NewCond(&p.mu)
	return p
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cond.Broadcast()
	return p.buf.Write(b)
}

func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.buf.Len() == 0 {
		if p.done {
			return 0, io.EOF
		}
		p.cond.Wait()
	}
	return p.buf.Read(b)
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	p.cond.Broadcast()
}
