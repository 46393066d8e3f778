package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
)

// terminal is a tmux server with one window, driven as a user would.
type terminal struct {
	t      *testing.T
	socket string
}

func newTerminal(t *testing.T, cols, rows int, home string) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("SKIP tmux not installed: the interface is not driven in a terminal")
	}
	self, err := exec.LookPath("curbside")
	if err != nil {
		t.Skip("SKIP: the test binary is not in PATH as curbside")
	}
	w := &terminal{t, filepath.Join(t.TempDir(), "s")}
	w.tmux("new-session", "-d", "-x", fmt.Sprint(cols), "-y", fmt.Sprint(rows),
		"env", "TERM=xterm-256color", "COLORTERM=truecolor", self, "--home", home, "tui", "--graphics", "half")
	t.Cleanup(func() { w.tmux("kill-server") })
	return w
}

func (w *terminal) tmux(args ...string) string {
	w.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", w.socket, "-f", os.DevNull}, args...)...).CombinedOutput()
	if err != nil && args[0] != "kill-server" {
		w.t.Fatalf("tmux %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// wait waits for a text on the screen.
func (w *terminal) wait(text string) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	screen := ""
	for time.Now().Before(deadline) {
		if screen = w.tmux("capture-pane", "-p"); strings.Contains(screen, text) {
			return
		}
		time.Sleep(50 * time.Millisecond) // tmux has no event for what a screen shows
	}
	w.t.Fatalf("%q never came; the screen:\n%s", text, screen)
}

func (w *terminal) keys(keys ...string) { w.tmux(append([]string{"send-keys"}, keys...)...) }

func (w *terminal) typed(text string) { w.tmux("send-keys", "-l", text) }

// TestJourney is a whole second opinion in the interface alone, in real terminals of three sizes, over
// real nodes: the clinic asks through the wizard and its review, the reader accepts, replies, reports
// and signs, and the clinic acknowledges.
func TestJourney(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("drives a terminal")
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("SKIP tmux not installed: the interface is not driven in a terminal")
	}
	clinic, reader := newProcess(t, "clinic"), newProcess(t, "reader")
	meet(t, clinic, reader)
	dir := t.TempDir()
	for i, f := range phantom.CT(phantom.Options{Seed: 1, Slices: 8, Side: 128}).Files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.dcm", i)), f, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	importFiles(clinic, []string{dir})
	to := ask(clinic, control.ContactList, control.None{})[0]
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			asking := newTerminal(t, size[0], size[1], clinic.home)
			asking.request(to.Name)
			id := newest(t, clinic)
			ask(reader, control.CaseWait, control.CaseWaitRequest{Case: id, For: "complete", Timeout: 20 * time.Second})
			newTerminal(t, size[0], size[1], reader.home).answer()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			c, err := control.CaseWait.Call(ctx, clinic.client, control.CaseWaitRequest{Case: id, For: "report"})
			if err != nil {
				t.Fatal(err)
			}
			if r := c.Reports[0]; !r.Valid || !strings.Contains(r.Text, "CT in 3 months") {
				t.Errorf("the clinic got %q, valid %v", r.Text, r.Valid)
			}
			asking.wait("● answ") // the end of a title gives way at 80 columns
			asking.keys("b")
			asking.wait("acknowledge the report")
			asking.typed("acknowledge")
			asking.keys("Enter")
			asking.wait("what will be done")
			asking.wait("CT in 3 months") // what is acknowledged stands there
			asking.typed("CT booked")
			asking.keys("Enter")
			asking.wait("acknowledged")
			ask(clinic, control.CaseWait, control.CaseWaitRequest{Case: id, For: "state:acknowledged", Timeout: 20 * time.Second})
			ask(clinic, control.CaseClose, control.CaseRequest{Case: id})
		})
	}
}

// newest is the case that was asked last.
func newest(t *testing.T, p *process) string {
	t.Helper()
	var found control.Case
	for _, c := range ask(p, control.CaseList, control.None{}) {
		if c.Mine && c.Created.After(found.Created) {
			found = c
		}
	}
	if found.Case == "" {
		t.Fatal("no case was made")
	}
	return found.Case
}

// request goes through the wizard; its review can be left, and what it sends wants the name typed.
func (w *terminal) request(to string) {
	w.t.Helper()
	w.wait("Inbox")
	w.keys("n")
	w.wait("Which study?")
	w.wait("CT chest") // the list is here
	w.keys("Space", "Enter")
	w.wait("carry the patient's name")
	w.keys("Down", "Enter")
	w.wait("What do you want to know?")
	w.typed("Nodule in the right lung, malignant?")
	w.keys("C-d")
	w.wait("Whom?")
	w.keys("Space", "Enter")
	w.wait("You will disclose")
	w.keys("Enter")
	w.wait("Send?")
	w.keys("Escape") // not yet
	w.wait("You will disclose")
	w.keys("Enter")
	w.wait("Send?")
	time.Sleep(time.Second) // a dialog swallows keys before it arms (TERMINAL §9)
	words := strings.Fields(strings.ToLower(to))
	w.typed(words[len(words)-1])
	w.keys("Enter")
	w.wait("sent: it goes")
}

// answer takes the case that is on top of the inbox to a signed report.
func (w *terminal) answer() {
	w.t.Helper()
	w.wait("delivered")
	w.keys("Enter")
	w.wait("img ")
	w.keys("a")
	w.wait("Accept")
	time.Sleep(time.Second)
	w.keys("Enter")
	w.wait("accepted")
	w.keys("r")
	w.wait("send")
	w.typed("Solid, round.")
	w.keys("C-d")
	w.wait("posted")
	w.keys("e")
	w.wait("FINAL")
	w.typed("Solid nodule. CT in 3 months.")
	w.keys("C-d")
	w.wait("Sign this report?")
	time.Sleep(time.Second)
	w.typed("sign")
	w.keys("Enter")
	w.wait("signed")
}
