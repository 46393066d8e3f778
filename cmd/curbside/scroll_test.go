package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/tui/tuitest"
)

var scrollSlices = flag.Int("slices", 0, "slices of 512 x 512 of the series that TestScroll opens and scrolls through")

// TestScroll opens a large series from a node's own storage and scrolls through all of it, in the real
// interface in a terminal of 200 x 60, and says how long the first image took and how much memory
// there was:
//
//	go test ./cmd/curbside -run TestScroll -v -slices 1000
func TestScroll(t *testing.T) {
	n := *scrollSlices
	if n == 0 {
		t.Skip("SKIP without -slices: a thousand slices take minutes to make and to import")
	}
	clinic, reader := newProcess(t, "clinic"), newProcess(t, "reader")
	meet(t, clinic, reader)
	dir := t.TempDir()
	if _, err := phantom.Each(phantom.Options{Seed: 1, Slices: n}, func(i int, file []byte) error {
		return os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.dcm", i)), file, 0o600)
	}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	res := importFiles(clinic, []string{dir})
	t.Logf("imported %d slices in %v", n, time.Since(start).Round(time.Second))
	to := ask(clinic, control.ContactList, control.None{})[0].Person
	ask(clinic, control.Request, control.NewCase{Studies: []string{res.Studies[0].Study}, To: []string{to}, Identified: true, Question: "Nodule?"})
	reader.kill() // nobody fetches while we measure
	clinic.kill()
	clinic.start() // nothing of the import is in memory any more

	w := openScreen(t, clinic.home, 200, 60)
	w.wait("Inbox")
	w.press("2")
	w.wait("Nodule")
	start = time.Now()
	w.press("enter")
	w.until("the first image", func() bool { return w.screen.State().Pictures > 0 })
	first := time.Since(start)
	w.wait(fmt.Sprintf("/%d", n))
	w.press("f")
	w.press("g")
	w.wait(fmt.Sprintf("img 1/%d", n))
	start = time.Now()
	for range n - 1 {
		w.press("j")
		time.Sleep(15 * time.Millisecond)
	}
	w.wait(fmt.Sprintf("img %d/%d", n, n))
	memory := func(what string) {
		tui, node := peakMemory(w.cmd.Process.Pid), peakMemory(clinic.cmd.Process.Pid)
		t.Logf("%s in %v; peak memory: interface %d MB, node %d MB", what, time.Since(start).Round(time.Second), tui>>20, node>>20)
		if tui+node > 400<<20 {
			t.Errorf("%d MB is more than 400", (tui+node)>>20)
		}
	}
	t.Logf("first image after %v", first.Round(time.Millisecond))
	memory("scrolled through")
	start = time.Now()
	w.press("V")
	w.wait("MPR coronal")
	for _, c := range "coronal" {
		w.press(string(c))
	}
	w.press("enter")
	w.until("the volume", func() bool { return strings.Contains(w.screen.Text(), "reformatted") })
	memory("volume loaded")
	start = time.Now()
	w.press("g")
	for range 200 {
		w.press("j")
		time.Sleep(15 * time.Millisecond)
	}
	w.wait("MPR coronal 201/")
	memory("200 coronal reformats looked at")
}

// emulated is the interface in an emulated terminal that shows pictures.
type emulated struct {
	t      *testing.T
	screen *tuitest.Screen
	tty    *os.File
	cmd    *exec.Cmd
}

func openScreen(t *testing.T, home string, cols, rows int) *emulated {
	t.Helper()
	w := &emulated{t: t, screen: tuitest.New(tuitest.Options{Cols: cols, Rows: rows, Kitty: true})}
	w.cmd = exec.CommandContext(t.Context(), "curbside", "--home", home, "tui")
	w.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor", "TMUX=")
	tty, err := pty.StartWithSize(w.cmd, &pty.Winsize{
		Cols: uint16(cols), Rows: uint16(rows), X: uint16(cols * tuitest.CellW), Y: uint16(rows * tuitest.CellH),
	})
	if err != nil {
		t.Skipf("SKIP no pseudo-terminal here: %v", err)
	}
	w.tty = tty
	go func() { _, _ = io.Copy(w.screen, tty) }()
	go func() { _, _ = io.Copy(tty, w.screen.Replies()) }()
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait()
		_ = tty.Close()
		_ = w.screen.Close()
	})
	return w
}

func (w *emulated) press(k string) {
	w.t.Helper()
	if _, err := io.WriteString(w.tty, tuitest.Key(k)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *emulated) wait(text string) {
	w.t.Helper()
	w.until(text, func() bool { return strings.Contains(w.screen.Text(), text) })
}

func (w *emulated) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("never %s:\n%s", what, w.screen.Text())
		}
	}
}
