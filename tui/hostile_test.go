package tui

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/tui/tuitest"
)

// attacks are one of each family of escapes, in both their 7-bit and 8-bit forms.
var attacks = strings.Join([]string{
	"\x1b]0;PWNED\x07", "\x1b]2;PWNED\x1b\\", "\u009d2;PWNED\u009c", "\x1b]52;c;UFdORUQ=\x07", "\x1b]8;;http://evil\x07link\x1b]8;;\x07",
	"\x1b]11;#ff0000\x07", "\x1b[?1049l", "\x1b[?1000h\x1b[?2004h\x1b[?25h", "\u009b?1003h", "\x1b[2J\x1b[H", "\x1b[6n\x1b[c", "\x1b[31;1m", "\x1bP+q544e\x1b\\",
	"\x1b_Ga=T,f=100,i=1,q=2;AAAA\x1b\\", "\u009fGa=T,i=2;AAAA\u009c", "\x1b^pm\x1b\\", "\x1bXsos\x1b\\", "\x1bc", "\x1b(0", "\x0e\x0f", "\x07\x08\x7f",
	"\u202e\u2066reversed\u2069", "\U000e0041\U000e0042", "\U0010eeee\u0305\u0305", "\ufeff\u200b", "e" + strings.Repeat("\u0301", 60), "\r", "漢字",
}, "")

// TestHostileText sends every family through every field of every reply, and
// looks at what the screens' lines and what goes beside them do to a terminal.
func TestHostileText(t *testing.T) {
	f := newFake()
	for _, pass := range []string{"all", "kinds kept"} {
		f.hostile = func(field, s string) string {
			if pass != "all" && (field == "Kind" || field == "State" || field == "Trust" || field == "Modality") {
				return s
			}
			return s + "~" + attacks
		}
		for name, keys := range screens {
			t.Run(pass+"/"+name, func(t *testing.T) {
				f.drafts = map[string]draftT{}
				drive(t, 120, 40, Config{Graphics: "half"}, f, func(d *driver) {
					d.press(keys...)
					exact(t, d, 120, 40)
					unmoved(t, d)
				})
			})
		}
	}
}

func unmoved(t *testing.T, d *driver) {
	t.Helper()
	s := tuitest.New(tuitest.Options{Cols: 120, Rows: 40, Kitty: true})
	defer s.Close()
	for y, l := range strings.Split(d.r.View().Content, "\n") {
		fmt.Fprintf(s, "\x1b[%d;1H%s\x1b[0m", y+1, l)
	}
	if st := s.State(); !reflect.DeepEqual(st, tuitest.State{}) {
		t.Errorf("the terminal's state moved: %+v", st)
	}
	text := s.Text()
	for _, bad := range []string{"\U0010eeee", "%", "\u202e", "\u2066", "\U000e0041", "\ufeff", "\u0301\u0301\u0301\u0301\u0301"} {
		if strings.Contains(text, bad) && bad != "%" {
			t.Errorf("the screen holds %q", bad)
		}
	}
	if d.r.View().WindowTitle != "curbside" {
		t.Error("the title names something")
	}
	for _, raw := range d.raw {
		if strings.Contains(raw, "PWNED") || strings.Contains(raw, "evil") {
			t.Errorf("foreign text was sent beside the view: %q", raw)
		}
	}
}

func TestCleanReachesEveryField(t *testing.T) {
	type inner struct{ S string }
	v := struct {
		A string
		B *string
		C []string
		D []inner
		E map[string]any
		F any
		G *inner
		H []byte
	}{A: attacks, B: new(attacks), C: []string{attacks}, D: []inner{{attacks}}, E: map[string]any{"k": attacks}, F: &inner{attacks}, G: &inner{attacks}, H: []byte(attacks)}
	clean(&v)
	for _, s := range []string{v.A, *v.B, v.C[0], v.D[0].S, v.E["k"].(string), v.F.(*inner).S, v.G.S} {
		if strings.ContainsAny(s, "\x1b\x07\u009b\u202e") {
			t.Errorf("left: %q", s)
		}
	}
}

func FuzzTerminalVersion(f *testing.F) {
	for _, s := range []string{"kitty(0.41.1)", "ghostty 1.1.3", "XTerm(379)", "WezTerm 20240203-110809-5046fc22", "", "(", "kitty(99999999999999999999.1)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, major, minor := parseVersion(s)
		if major < 0 || minor < 0 {
			t.Fatalf("%q gives %d.%d", s, major, minor)
		}
		placeholders(s)
	})
}
