package tui

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/curbside-p2p/curbside/tui/tuitest"
)

// TestProgram runs the whole program in a pseudo-terminal that answers as kitty
// does, and looks at what it leaves behind.
func TestProgram(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Skipf("SKIP no pseudo-terminal here: %v", err)
	}
	defer master.Close()
	if err := pty.Setsize(slave, &pty.Winsize{Cols: 120, Rows: 40, X: 120 * tuitest.CellW, Y: 40 * tuitest.CellH}); err != nil {
		t.Fatal(err)
	}
	s := tuitest.New(tuitest.Options{Cols: 120, Rows: 40, Kitty: true})
	defer s.Close()
	changed := make(chan struct{}, 1)
	go func() { _, _ = io.Copy(io.MultiWriter(s, notify(changed)), master) }()
	go func() { _, _ = io.Copy(master, s.Replies()) }()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(context.Background(), Config{Client: newFake().client(), In: slave, Out: slave, Env: []string{"TERM=xterm-256color", "COLORTERM=truecolor"}})
	}()
	deadline := time.After(30 * time.Second)
	until := func(what string, ok func() bool) {
		t.Helper()
		for !ok() {
			select {
			case <-changed:
			case <-time.After(100 * time.Millisecond): // what is held back shows only when asked for
			case <-deadline:
				t.Fatalf("never %s:\n%s", what, s.Text())
			}
		}
	}
	shows := func(w string) func() bool { return func() bool { return strings.Contains(s.Text(), w) } }
	key := func(k string) { _, _ = io.WriteString(master, tuitest.Key(k)) }

	until("the inbox", shows("7F3AC0"))
	key("enter")
	until("the image", func() bool { return s.State().Pictures == 1 && strings.Contains(s.Text(), "%%%%%%") })
	until("settled", shows("kitty"))
	key("j")
	until("the next slice", shows("img 14/24"))
	key("?")
	until("help", shows("Keys here"))
	if st := s.State(); !st.Alt || st.Clipboard != 0 || st.Bells != 0 || !onlyOurs(st.Titles) {
		t.Errorf("state is %+v", st)
	}
	key("esc")
	until("no help", func() bool { return !strings.Contains(s.Text(), "Keys here") })
	key("q")
	until("the inbox again", shows("by due"))
	key("q")
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-deadline:
		t.Fatalf("did not end:\n%s", s.Text())
	}
	until("clean", func() bool { st := s.State(); return !st.Alt && st.Pictures == 0 })
	_ = slave.Close()
	if _, err := os.Stat("report.md"); err == nil {
		t.Error("a file was left")
	}
}

func onlyOurs(titles []string) bool {
	for _, t := range titles {
		if strings.TrimPrefix(t, "icon ") != "curbside" {
			return false
		}
	}
	return true
}

type notify chan struct{}

func (n notify) Write(p []byte) (int, error) {
	select {
	case n <- struct{}{}:
	default:
	}
	return len(p), nil
}
