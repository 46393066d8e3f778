// Command shot runs a program in an emulated terminal, presses keys and takes a picture.
//
//	go run ./tui/tuitest/shot -cols 120 -rows 40 -keys 'j j enter ?' -o out.png -- ./curbside tui
//
// Keys are separated by blanks: names as in Bubble Tea ("enter", "ctrl+d"), text to type with _ for
// a blank, "wait:2s" to let time pass, "until:words_to_see", "shot:FILE" for a picture in between. Each
// key waits until the program has been quiet for a moment.
package main

import (
	"context"
	"flag"
	"fmt"
	"image/png"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/creack/pty"

	"github.com/curbside-p2p/curbside/tui/tuitest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

const (
	quiet    = 250 * time.Millisecond
	quietMax = 5 * time.Second
	untilMax = 60 * time.Second
)

func run() error {
	var o tuitest.Options
	flag.IntVar(&o.Cols, "cols", 120, "columns")
	flag.IntVar(&o.Rows, "rows", 40, "rows")
	term := flag.String("term", "kitty", "what the terminal answers: kitty, sixel or plain")
	flag.BoolVar(&o.Light, "light", false, "a white background")
	keys := flag.String("keys", "", "keys to press, separated by blanks")
	out := flag.String("o", "", "PNG to write")
	text := flag.Bool("text", false, "print the screen as text")
	flag.Parse()
	if flag.NArg() == 0 {
		return fmt.Errorf("no command: shot [flags] -- CMD")
	}
	o.Kitty, o.Sixel = *term == "kitty", *term == "sixel"
	s := tuitest.New(o)
	defer s.Close()
	cmd := exec.CommandContext(context.Background(), flag.Arg(0), flag.Args()[1:]...) //nolint:gosec // running what it is told to is its purpose
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{
		Cols: uint16(o.Cols), Rows: uint16(o.Rows), X: uint16(o.Cols * tuitest.CellW), Y: uint16(o.Rows * tuitest.CellH),
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", flag.Arg(0), err)
	}
	defer tty.Close()
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(s, tty); close(ended) }()
	go func() { _, _ = io.Copy(tty, s.Replies()) }()
	for end := time.Now().Add(untilMax); s.Wrote() == 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	press(s, tty, *keys)
	settle(s)
	if *text {
		_, _ = io.WriteString(os.Stdout, s.Text())
	}
	err = nil
	if *out != "" {
		err = save(s, *out)
	}
	_ = cmd.Process.Kill()
	<-ended
	_ = cmd.Wait()
	return err
}

func press(s *tuitest.Screen, tty io.Writer, keys string) {
	for k := range strings.FieldsSeq(keys) {
		settle(s)
		switch verb, arg, _ := strings.Cut(k, ":"); {
		case verb == "wait" && arg != "":
			d, _ := time.ParseDuration(arg)
			time.Sleep(d)
		case verb == "until" && arg != "":
			for end := time.Now().Add(untilMax); time.Now().Before(end) && !strings.Contains(s.Text(), strings.ReplaceAll(arg, "_", " ")); {
				time.Sleep(50 * time.Millisecond)
			}
		case verb == "shot" && arg != "":
			if err := save(s, arg); err != nil {
				fmt.Fprintln(os.Stderr, "error:", err)
			}
		default:
			_, _ = io.WriteString(tty, tuitest.Key(k))
		}
	}
}

// settle waits until the program has written nothing for a while.
func settle(s *tuitest.Screen) {
	last, since, start := s.Wrote(), time.Now(), time.Now()
	for time.Since(since) < quiet && time.Since(start) < quietMax {
		time.Sleep(20 * time.Millisecond)
		if n := s.Wrote(); n != last {
			last, since = n, time.Now()
		}
	}
}

func save(s *tuitest.Screen, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := png.Encode(f, s.Image()); err != nil {
		_ = f.Close()
		return fmt.Errorf("write %s: %w", file, err)
	}
	return f.Close()
}
