package tui

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestTmuxJourney goes from the inbox to a signed report in tmux, waiting for
// words on the screen, never for time.
func TestTmuxJourney(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("SKIP tmux is not installed")
	}
	if testing.Short() {
		t.Skip("SKIP -short")
	}
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			m := startTmux(t, size[0], size[1])
			m.until("7F3AC0")
			m.keys("Enter")
			m.until("not for primary diagnosis · 8-bit", "img 13/24", "▀")
			m.keys("j")
			m.until("img 14/24")
			m.keys("r", "Agreed.", "C-d")
			m.until("✓ posted")
			m.keys("a")
			m.until("Images here")
			m.keys("Enter")
			m.until("accepted")
			m.keys("e")
			m.until("FINAL")
			m.keys("Spiculated nodule, 8 mm.", "C-d")
			m.until("Sign this report?")
			m.hold(2 * armAfter)
			m.keys("sign", "Enter")
			m.until("signed and on its way", "answered")
			m.keys("Tab", "t")
			m.until("signature ✓ valid", "Spiculated nodule, 8 mm.")
			m.keys("q")
			m.until("Inbox")
		})
	}
}

type tmux struct {
	t      *testing.T
	socket string
}

func startTmux(t *testing.T, cols, rows int) *tmux {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := &tmux{t, fmt.Sprintf("curbside-test-%d-%d", os.Getpid(), cols)}
	cmd := "CURBSIDE_TUI_FAKE=1 CURBSIDE_TUI_SMALL=1 COLORTERM=truecolor " + exe
	out, err := m.run("-f", "/dev/null", "new", "-d", "-x", fmt.Sprint(cols), "-y", fmt.Sprint(rows), cmd)
	if err != nil {
		t.Skipf("SKIP tmux does not start here: %v %s", err, out)
	}
	t.Cleanup(func() { _, _ = m.run("kill-server") })
	return m
}

func (m *tmux) run(args ...string) (string, error) {
	cmd := exec.CommandContext(m.t.Context(), "tmux", append([]string{"-u", "-L", m.socket}, args...)...)
	if args[0] == "kill-server" {
		cmd = exec.Command("tmux", "-L", m.socket, "kill-server")
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m *tmux) keys(keys ...string) {
	m.t.Helper()
	for _, k := range keys {
		if out, err := m.run("send-keys", k); err != nil {
			m.t.Fatalf("send %s: %v %s", k, err, out)
		}
	}
}

// hold waits out a dialog that does not listen yet: the one thing that only time ends.
func (m *tmux) hold(d time.Duration) { time.Sleep(d) }

func (m *tmux) until(words ...string) {
	m.t.Helper()
	screen := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		screen, _ = m.run("capture-pane", "-p")
		missing := false
		for _, w := range words {
			missing = missing || !strings.Contains(screen, w)
		}
		if !missing {
			return
		}
	}
	m.t.Fatalf("never saw %q:\n%s", words, screen)
}
