package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"

	"github.com/curbside-p2p/curbside/node/control"
)

func TestFromInboxToSignedReport(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.sees("7F3AC0", "CT chest ?nodule", "⇣25/26", "● online 3 peers")
		d.press("enter")
		d.sees("img 13/24", "not for primary diagnosis", "Margins look spiculated")
		d.press("r")
		d.write("I agree")
		d.press("ctrl+d")
		d.did("reply I agree")
		d.sees("I agree")
		d.press("a", "enter")
		d.did("accept 7f3ac0de11")
		d.press("e")
		d.write("Spiculated nodule")
		d.press("ctrl+d")
		d.did("draft final Spiculated nodule")
		d.sees("Sign this report?", "58F", "25/26")
		d.write("sign") // still in the grace period: dead keys
		d.press("enter")
		d.sees("Sign this report?")
		d.pass(time.Second)
		d.write("sign")
		d.press("enter")
		d.did("sign final")
		d.press("tab", "t")
		d.sees("FINAL", "signature ✓ valid")
		d.press("C", "down", "enter")
		d.did("close 7f3ac0de11")
	})
}

func TestSigningWantsThePassphrase(t *testing.T) {
	f := newFake()
	f.me.MustConfirm, f.pass = true, "correct horse"
	f.drafts["7f3ac0de11"] = control.Draft{Text: "Nodule.", Status: "preliminary"}
	drive(t, 120, 40, Config{}, f, func(d *driver) {
		d.press("enter", "S")
		d.sees("Your passphrase signs it", "PRELIMINARY")
		d.pass(time.Second)
		d.write("wrong")
		d.seesNot("wrong")
		d.press("enter")
		d.sees("✗ wrong passphrase")
		d.press("S")
		d.pass(time.Second)
		d.write("correct horse")
		d.press("enter")
		d.did("sign preliminary")
	})
}

func TestDecline(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		d.press("D", "enter") // Cancel is the default
		d.press("D", "down", "enter")
		d.write("not mine")
		d.press("enter")
		d.did("decline specialty not mine")
		if n := len(d.f.log); n != 1 {
			t.Fatalf("asked %d times: %q", n, d.f.log)
		}
	})
}

func TestRequest(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		d.press("n", "enter") // the study under the cursor
		d.sees("carry the patient's name")
		d.press("down", "enter")
		d.press("ctrl+d")
		d.sees("needs a question")
		d.write("Malignant?")
		d.press("ctrl+t", "ctrl+d", "space", "enter")
		d.sees("You will disclose", "26 images", "Dr Amara Okafor", "cannot be recalled")
		d.press("enter")
		d.write("okafor")
		d.press("enter")
		d.sees("type okafor") // typed while the dialog was not armed
		d.pass(time.Second)
		d.write("nobody")
		d.press("enter")
		d.sees("type okafor")
		for range 6 {
			d.press("backspace")
		}
		d.write("Okafor")
		d.press("enter")
		d.did("request [5fd0a1] to [bb22cc] identified true urgent: Malignant?")
	})
}

// TestRequestUnderPseudonym: nothing goes on before a person has decided about each doubt.
func TestRequestUnderPseudonym(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		d.press("n", "enter", "enter")
		d.sees("2 must be looked at", "44000001", "an encapsulated", "(0010,0010)")
		d.press("ctrl+d")
		d.sees("decide about each first")
		d.press("b")
		d.write("0,0,64,x")
		d.press("enter")
		d.sees("x,y,width,height")
		d.press("b")
		d.write("0,0,64,8")
		d.press("enter")
		d.sees("1 must be looked at")
		d.press("down", "b")
		d.sees("only images can be blackened")
		d.press("x")
		d.sees("Nothing is left to decide")
		d.press("ctrl+d")
		d.write("Malignant?")
		d.press("ctrl+d", "space", "enter")
		d.sees("25 images under a pseudonym", "1 blackened", "1 left out")
		d.press("enter")
		d.pass(time.Second)
		d.write("okafor")
		d.press("enter")
		d.did("request [5fd0a1] to [bb22cc] identified false routine: Malignant? release [] blacken [{1.2.3.44000001 0 0 64 8}] leave out [1.2.3.44000002]")
	})
}

func TestContacts(t *testing.T) {
	drive(t, 120, 40, Config{}, newFake(), func(d *driver) {
		d.press("3")
		d.sees("✓ verified", "by invite, not verified", "waiting for them")
		d.press("n")
		d.send(tea.PasteMsg{Content: "curbside:i/XYZ\x1b]0;x\x07"})
		d.press("enter")
		d.did("add curbside:i/XYZ")
		d.press("j", "v")
		d.sees("Four live words")
		d.press("enter")
		d.seesNot("11111 22222") // what must be read aloud is never shown first
		d.write("12345 67890")
		d.press("enter")
		d.did("verify cc33dd 12345 67890")
		d.press("m")
		d.sees("amber piano", "curbside:i/AAAABBBB")
		d.press("y", "esc")
		if len(d.clip) != 1 {
			t.Fatal("y did not copy")
		}
		d.press("/")
		d.write("puno")
		d.press("enter")
		d.seesNot("Amara")
		d.press("esc")
		d.sees("Amara")
	})
}

func TestFilter(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		d.press("/")
		d.write("brain q") // q is a letter here
		d.sees("nothing matches")
		d.press("backspace", "backspace", "enter")
		d.sees("MR brain")
		d.seesNot("CT chest")
		d.press("esc")
		d.sees("CT chest")
		if d.quit {
			t.Fatal("esc quits")
		}
	})
}

func TestEventsReload(t *testing.T) {
	drive(t, 120, 40, Config{}, newFake(), func(d *driver) {
		d.press("enter")
		d.f.mu.Lock()
		c, _ := d.f.find("7f3ac0de11")
		c.Entries = append(c.Entries, control.Entry{Entry: "e4", Kind: "message", AuthorName: "Dr X", Text: "news from afar", InForce: true, Time: fakeNow})
		shown := d.f.calls["case/show"]
		d.f.mu.Unlock()
		for range 500 {
			d.f.events <- control.Event{Event: "entry", Case: "7f3ac0de11"}
		}
		d.pass(time.Second)
		d.sees("news from afar")
		d.f.mu.Lock()
		defer d.f.mu.Unlock()
		if n := d.f.calls["case/show"] - shown; n > 20 {
			t.Fatalf("500 events made %d calls", n)
		}
	})
}

func (d *driver) viewer() *viewer { return d.r.page().(*casePage).view }

func TestViewer(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter")
		v := d.viewer()
		d.press("j")
		d.sees("img 14/24")
		d.press("G")
		d.sees("img 24/24")
		d.press("g", "1")
		d.sees("img 1/24", "lung W1500 L-600")
		d.press("4")
		d.sees("brain W80 L40")
		d.press("7")
		d.sees("full W")
		d.press("0", "w", "right", "up")
		d.sees("W1575 L-521", "WINDOW")
		d.press("esc", "i")
		d.sees("INVERTED")
		d.press("+", "z")
		if v.look.zoom != 1 {
			t.Error("z does not fit")
		}
		d.press("v", "right")
		d.sees("HU", "PROBE")
		d.press("esc", "f")
		d.seesNot("THREAD")
		d.press("esc")
		d.sees("THREAD")
		if d.quit || len(d.r.pages) != 1 {
			t.Fatal("esc left the case")
		}
	})
}

func TestProbeReadsNativeValues(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter")
		v := d.viewer()
		want, ok := v.painted.frame.probe(64, 64)
		if !ok {
			t.Fatal("no value")
		}
		v.tool, v.probe = "probe", [2]float64{64.5, 64.5}
		d.sees(fmt.Sprintf("64,64 HU %.4g", want.Value))
		d.press("2") // another window changes nothing of the value
		d.sees(fmt.Sprintf("64,64 HU %.4g", want.Value))
	})
}

func TestMouse(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter")
		v := d.viewer()
		c := v.canvas()
		x, y := c.x+c.w/2, c.y+1+c.h/2
		d.send(tea.MouseWheelMsg{X: x, Y: y, Button: tea.MouseWheelDown})
		d.sees("img 14/24")
		d.press("w")
		d.send(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft}, tea.MouseMotionMsg{X: x + 2, Y: y, Button: tea.MouseLeft})
		d.sees("W1650")
		if v.painted.key.bits != 6 {
			t.Error("a drag should draw with 6 bits")
		}
		d.send(tea.MouseReleaseMsg{X: x + 2, Y: y, Button: tea.MouseLeft})
		if v.painted.key.bits != 8 {
			t.Error("at rest 8 bits")
		}
		d.press("esc")
		d.send(tea.MouseMotionMsg{X: x, Y: y})
		d.sees("HU")
		d.send(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseRight}, tea.MouseMotionMsg{X: x + 5, Y: y, Button: tea.MouseRight})
		if v.look.dx >= 0 {
			t.Error("right drag does not pan")
		}
	})
}

// TestNothingQueues: until the terminal answers for a picture, only the newest
// one waits.
func TestNothingQueues(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "kitty"}, newFake(), func(d *driver) {
		d.press("enter")
		d.pass(2 * time.Second)
		d.silent = true
		sent := pictures(d)
		for range 8 {
			d.press("j")
		}
		if n := pictures(d) - sent; n != 1 {
			t.Fatalf("%d pictures went out without an answer", n)
		}
		d.pass(2 * ackMax) // the answer never comes
		d.sees("img 21/24")
		if n := pictures(d) - sent; n > 3 {
			t.Fatalf("%d pictures for a jump of eight", n)
		}
	})
}

func pictures(d *driver) int {
	n := 0
	for _, r := range d.raw {
		n += strings.Count(r, "a=T")
	}
	return n
}

func TestPictureLeavesTheTerminal(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "kitty"}, newFake(), func(d *driver) {
		d.press("enter")
		if pictures(d) == 0 {
			t.Fatal("no picture was sent")
		}
		if !strings.Contains(d.r.farewell(), "a=d,d=I") {
			t.Fatal("the picture stays")
		}
	})
}

func TestUndecoded(t *testing.T) {
	drive(t, 80, 24, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter", "shift+tab", "k", "enter")
		d.sees("cannot display: not here yet", "INCOMPLETE 1 of 2")
		d.press("k")
		d.sees("this version cannot display JPEG")
	})
}

func TestLock(t *testing.T) {
	f := newFake()
	f.me.MustConfirm, f.pass = true, "secret pass"
	drive(t, 120, 40, Config{Graphics: "kitty"}, f, func(d *driver) {
		d.press("enter", "L")
		d.did("lock")
		d.sees("locked")
		d.seesNot("7F3AC0", "Okafor", "Lind")
		if !slices.ContainsFunc(d.raw, func(s string) bool { return strings.Contains(s, "a=d") }) {
			t.Error("the picture stays in the terminal")
		}
		d.write("nope")
		d.press("enter")
		d.sees("wrong passphrase")
		d.write("secret pass")
		d.press("enter")
		d.sees("7F3AC0")
		d.pass(idleLock + 2*time.Second)
		d.sees("locked")
	})
}

func TestSmallWindow(t *testing.T) {
	drive(t, 79, 24, Config{}, newFake(), func(d *driver) {
		d.sees("80 × 24")
		d.send(tea.WindowSizeMsg{Width: 80, Height: 24})
		d.sees("7F3AC0")
		d.press("enter")
		for _, s := range [][2]int{{200, 60}, {81, 25}, {40, 10}, {120, 40}} {
			d.send(tea.WindowSizeMsg{Width: s[0], Height: s[1]})
			exact(t, d, s[0], s[1])
		}
		d.sees("img 13/24")
	})
}

func TestNodeGone(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		d.r.client = control.Dial("/nonexistent/socket")
		d.run(d.r.refresh())
		d.settle()
		d.sees("✗ node unreachable")
	})
}

func noWork(context.Context) (struct{}, error) { return struct{}{}, nil }

func TestStaleRepliesAreDropped(t *testing.T) {
	drive(t, 80, 24, Config{}, newFake(), func(d *driver) {
		s := newScope(d.r.scope.ctx)
		seen := ""
		first := do(s, "x", time.Second, noWork, func(struct{}, error) tea.Cmd { seen += "first"; return nil })
		second := do(s, "x", time.Second, noWork, func(struct{}, error) tea.Cmd { seen += "second"; return nil })
		d.send(second(), first())
		if seen != "second" {
			t.Fatalf("seen %q", seen)
		}
		third := do(s, "x", time.Second, noWork, func(struct{}, error) tea.Cmd { seen += "third"; return nil })
		s.close()
		d.send(third())
		if seen != "second" {
			t.Fatalf("after close: %q", seen)
		}
	})
}

func TestDetection(t *testing.T) {
	da1 := func(n ...int) tea.Msg { return uv.PrimaryDeviceAttributesEvent(n) }
	ok := func(c *caps) tea.Msg {
		e := uv.KittyGraphicsEvent{Payload: []byte("OK")}
		e.Options.ID = int(c.slot.ID)
		return e
	}
	for _, tc := range []struct {
		name    string
		version string
		kitty   bool
		da1     []int
		want    backend
	}{
		{"kitty", "kitty(0.41.1)", true, []int{62}, kitty},
		{"old kitty prints boxes", "kitty(0.26.5)", true, []int{62}, sextant},
		{"konsole answers OK without placeholders", "Konsole 24.02", true, []int{62, 4}, sixel},
		{"wezterm", "WezTerm 20240203", true, []int{65, 4}, sixel},
		{"ghostty", "ghostty 1.1.3", true, []int{62}, kitty},
		{"foot", "foot(1.16.2)", false, []int{62, 4}, sixel},
		{"xterm vt340", "XTerm(379)", false, []int{63, 4}, sixel},
		{"xterm", "XTerm(379)", false, []int{64}, half},
		{"nothing answers", "", false, nil, half},
	} {
		t.Run(tc.name, func(t *testing.T) {
			drive(t, 80, 24, Config{}, newFakeOnce(), func(d *driver) {
				c := &d.r.caps
				if tc.kitty {
					d.send(ok(c))
				}
				d.send(tea.TerminalVersionMsg{Name: tc.version}, da1(tc.da1...))
				if c.backend != tc.want {
					t.Fatalf("got %v, want %v", c.backend, tc.want)
				}
			})
		})
	}
	drive(t, 80, 24, Config{}, newFakeOnce(), func(d *driver) {
		d.send(tea.ColorProfileMsg{Profile: colorprofile.ANSI})
		if d.r.caps.backend != ramp {
			t.Fatal("16 colours cannot show an image")
		}
	})
	if _, err := newRoot(t.Context(), Config{Graphics: "ascii"}); !errors.Is(err, ErrGraphics) {
		t.Fatalf("got %v", err)
	}
}

func TestWizardFlow(t *testing.T) {
	w, err := newWizard(t.Context(), Config{Create: fakeCreate})
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, model: w, msgs: make(chan tea.Msg, 100)}
	step := func(keys ...string) {
		for _, k := range keys {
			_, cmd := w.Update(keyMsg(k))
			if cmd != nil {
				if msg := cmd(); msg != nil {
					w.Update(msg)
				}
			}
		}
	}
	w.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	step("enter")
	d.sees("a name, as colleagues know you")
	step("A", "d", "a", "enter", "enter", "enter")
	step("s", "h", "o", "r", "t", "enter")
	d.sees("at least 8")
	step(strings.Split("long enough", "")[:4]...)
	step("enter")
	d.sees("The same again")
	step("x", "enter")
	d.sees("not the same")
	step(strings.Split("password", "")...)
	step("enter")
	step(strings.Split("password", "")...)
	step("enter")
	d.sees("recovery words", "24 accident")
	step("enter", "z", "enter")
	d.sees("not that one")
	for w.step == "back" {
		w.in.Reset()
		step(strings.Split(w.added.Words[w.asked[w.nth]], "")...)
		step("enter")
	}
	d.sees("your keys are made")
	if w.req.Passphrase != nil {
		t.Error("the passphrase is kept")
	}
}
