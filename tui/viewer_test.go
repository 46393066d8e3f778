package tui

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
)

// unmarked is a fake whose case has no marks.
func unmarked() *fake {
	f := newFake()
	f.marks = nil
	return f
}

func TestDistanceByKeyboardAlone(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "kitty"}, unmarked(), func(d *driver) {
		d.press("enter", "f", "d")
		d.sees("LENGTH 1/2 start")
		d.press("enter", "right", "right", "right", "L", "J")
		d.sees("LENGTH 2/2 end", "46.1 mm") // 13 × 10 pixels of 2.81 mm
		d.press("left", "right", "enter")
		d.sees("A label, or nothing")
		d.write("index lesion")
		d.press("enter")
		d.did("annotate length [[64.5 64.5] [77.5 74.5]] index lesion")
		d.sees("A1", "index lesion", "MARKS 1")
		if d.viewer().pen != nil {
			t.Error("the drawing stays after it was sent")
		}
	})
}

func TestDrawingIsDropped(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, unmarked(), func(d *driver) {
		d.press("enter", "d", "enter", "right", "u")
		d.sees("LENGTH 1/2")
		d.press("enter", "esc")
		d.seesNot("LENGTH")
		d.press("d", "enter", "right", "enter")
		d.sees("A label, or nothing")
		d.press("esc")
		d.seesNot("LENGTH")
		if len(d.f.log) > 0 {
			t.Errorf("sent %q", d.f.log)
		}
	})
}

func TestNamedConstructsPromptInOrder(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, unmarked(), func(d *driver) {
		d.press("enter", "f", "T")
		d.write("hallux")
		d.sees("Hallux valgus angle")
		d.press("enter")
		d.sees("1/4 first metatarsal axis, proximal")
		d.press("enter", "J", "enter")
		d.sees("3/4 proximal phalanx axis, proximal")
		d.press("L", "enter", "J", "right", "enter", "enter")
		d.did("annotate hallux-valgus")
		d.sees("hallux-valgus")
	})
}

func TestOutlineAndRegionByMouse(t *testing.T) {
	drive(t, 200, 60, Config{Graphics: "half"}, unmarked(), func(d *driver) {
		d.press("enter", "f", "o")
		v := d.viewer()
		c := v.canvas()
		x, y := c.x+c.w/2, c.y+1+c.h/2
		d.send(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft})
		d.send(tea.MouseMotionMsg{X: x + 10, Y: y + 5, Button: tea.MouseLeft})
		d.sees("mean ")
		d.send(tea.MouseReleaseMsg{X: x + 10, Y: y + 5, Button: tea.MouseLeft})
		d.sees("Ellipse")
		d.press("enter")
		d.did("annotate ellipse")
		d.press("T")
		d.write("freehand")
		d.press("enter")
		d.send(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft})
		for i := range 24 {
			a := float64(i) / 24 * 2 * math.Pi
			d.send(tea.MouseMotionMsg{X: x + int(12*math.Cos(a)) - 12, Y: y + int(6*math.Sin(a)), Button: tea.MouseLeft})
		}
		d.send(tea.MouseReleaseMsg{X: x - 1, Y: y, Button: tea.MouseLeft})
		d.sees("Freehand")
		d.press("enter")
		d.did("annotate polygon")
	})
}

// TestPixelMouse: where the terminal speaks in pixels a point is anchored to the
// pixel, elsewhere to the middle of the cell.
func TestPixelMouse(t *testing.T) {
	for _, exact := range []bool{true, false} {
		drive(t, 120, 40, Config{Graphics: "kitty"}, unmarked(), func(d *driver) {
			if exact {
				d.send(tea.ModeReportMsg{Mode: ansi.DECMode(1016), Value: ansi.ModeReset})
				if got := strings.Join(d.raw, ""); !strings.Contains(got, "\x1b[?1016h") {
					t.Fatal("pixels are not asked for")
				}
			}
			d.press("enter", "f", "d")
			v := d.viewer()
			c, cell := v.canvas(), d.r.caps.cell
			want := [2]float64{30.5, 40.25}
			at := v.painted.canvas(want)
			fx := float64(c.x) + at[0]*float64(v.painted.key.cols)/float64(v.painted.view.W)
			fy := float64(c.y+1) + at[1]*float64(v.painted.key.rows)/float64(v.painted.view.H)
			m := tea.MouseClickMsg{X: int(fx), Y: int(fy), Button: tea.MouseLeft}
			if exact {
				m.X, m.Y = int(fx*float64(cell[0])), int(fy*float64(cell[1]))
			}
			d.send(m)
			if len(v.pen.points) != 1 {
				t.Fatal("no point")
			}
			off := math.Hypot(v.pen.points[0][0]-want[0], v.pen.points[0][1]-want[1])
			perCell := float64(v.painted.frame.Cols()) / 60
			if exact && off > 0.3 || !exact && off > perCell {
				t.Errorf("exact %v: %.2f pixels off", exact, off)
			}
		})
	}
}

func TestMarksAndTheirThread(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter", "f")
		d.sees("MARKS 4", "differs from author's", "A2 differs")
		d.press(".")
		d.sees("▸A1 point")
		d.press("enter")
		d.sees("THREAD", "this one")
		if c := d.r.pages[0].(*casePage); c.focus != "thread" || c.thread.entries[c.thread.cur].Entry != "e2" {
			t.Fatal("not at the mark's message")
		}
		d.press("enter") // and back
		if v := d.viewer(); v.chosen != "e2" || d.r.pages[0].(*casePage).focus != "image" {
			t.Fatalf("not back at the mark: %q", v.chosen)
		}
		d.press("r")
		d.write("agreed")
		d.press("ctrl+d")
		d.did("reply agreed")
		d.press("E")
		d.sees("only Dr Amara Okafor can move")
		d.press("X")
		d.sees("only Dr Amara Okafor can take this mark back")
	})
}

func TestMoveAndDeleteOnesOwn(t *testing.T) {
	f := newFake()
	f.marks[1].Mine = true
	drive(t, 120, 40, Config{Graphics: "half"}, f, func(d *driver) {
		d.press("enter", "f", ".", ".", "E")
		d.sees("MOVE LENGTH 1/2")
		before := d.viewer().pen.points[1]
		d.press("tab", "right", "down", "enter")
		d.did(fmt.Sprintf("move m2 [[44 64] [%v %v]]", before[0]+1, before[1]+1))
		d.press("X")
		d.sees("A2 deleted · u brings it back", "MARKS 3")
		d.press("u")
		d.sees("MARKS 4")
		d.pass(2 * undoFor)
		for _, l := range d.f.log {
			if strings.HasPrefix(l, "remove") {
				t.Fatal("removed after all")
			}
		}
		d.press("X", "esc") // also when the page is left
		d.pass(2 * undoFor)
		d.did("remove m2")
	})
}

func TestAuthorsAreHidden(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter", "f", "H", "enter")
		d.sees("2 marks hidden", "MARKS 1", "3 hidden")
		d.press("H")
		d.sees("show Dr Amara Okafor")
		d.press("enter")
		d.sees("MARKS 4")
	})
}

func TestFlipAndTurnTakeTheLettersAlong(t *testing.T) {
	drive(t, 80, 24, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter", "f")
		v := d.viewer()
		if e := v.edges(); e != (render.Edges{Left: "R", Right: "L", Top: "A", Bottom: "P"}) {
			t.Fatalf("begins with %+v", e)
		}
		d.press("f")
		d.sees("FLIPPED")
		if e := v.edges(); e.Left != "L" || e.Top != "A" {
			t.Errorf("flipped: %+v", e)
		}
		d.press("R")
		d.sees("FLIPPED", "TURNED")
		if e := v.edges(); e.Top != "L" || e.Right != "A" {
			t.Errorf("flipped and turned: %+v", e)
		}
		at := [2]float64{10, 20} // what is seen and what is stored stay one
		p := v.painted.canvas(at)
		x, y := v.painted.source(p[0], p[1])
		if math.Hypot(x-at[0], y-at[1]) > 1e-6 {
			t.Errorf("%v came back as %v %v", at, x, y)
		}
		d.press("Z")
		d.seesNot("FLIPPED", "TURNED")
	})
}

func TestKeyImages(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter", "f", "n")
		d.sees("img 15/24", "KEY IMAGE")
		d.press("j", "x")
		d.did("annotate key")
		d.sees("img 16/24", "KEY IMAGE")
		d.press("N")
		d.sees("img 15/24")
		d.press("n", "x")
		d.seesNot("KEY IMAGE")
	})
}

func TestCompareWithAPrior(t *testing.T) {
	f := newFake()
	f.addPrior()
	drive(t, 200, 60, Config{Graphics: "half"}, f, func(d *driver) {
		d.press("enter", "c")
		d.sees("PRIOR 2025-03-10", "img 13/24", "img 9/16")
		d.press("j")
		d.sees("img 13/24", "img 10/16")
		d.press("s")
		d.sees("LINKED +")
		d.press("j", "j")
		d.sees("img 15/24", "img 12/16")
		d.press("tab", "k")
		d.sees("img 14/24", "img 11/16")
		d.press("s", "j")
		d.sees("img 15/24", "img 11/16")
		d.pass(2 * toastFor)
		d.seesNot("LINKED")
		d.press("c")
		d.seesNot("PRIOR 2025-03-10 · 3")
	})
}

// TestOneFrameOfReference: within one, panes are linked by position without
// anybody setting an offset, and each shows where the other cuts it.
func TestOneFrameOfReference(t *testing.T) {
	f := newFake()
	f.addPrior()
	drive(t, 200, 60, Config{Graphics: "half"}, f, func(d *driver) {
		d.press("enter", "c", "S")
		d.write("lung")
		d.press("enter", "V")
		d.write("coronal")
		d.press("enter")
		d.sees("MPR coronal", "reformatted")
		c := d.r.pages[0].(*casePage)
		lines := c.view.references(c.view.at)
		if len(lines) == 0 {
			t.Fatal("no line of reference")
		}
		cur := lines[len(lines)-1].paths[0].Points
		if math.Abs(cur[0][1]-cur[1][1]) > 1e-6 || math.Abs(cur[0][1]-float64(c.two.at)-0.5) > 0.51 {
			t.Errorf("coronal image %d of 128 cuts at %v", c.two.at, cur)
		}
		d.press("V")
		d.write("as they")
		d.press("enter", "s")
		d.sees("LINKED")
		d.seesNot("LINKED +")
		d.press("g")
		d.sees("img 1/24")
		if c.view.at != 0 || c.two.at != 0 {
			t.Errorf("at %d and %d", c.view.at, c.two.at)
		}
	})
}

func TestReformat(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter", "f", "V")
		d.write("sagittal all")
		d.press("enter")
		d.sees("MIP sagittal", "projection")
		d.press("V")
		d.write("MPR axial")
		d.press("enter")
		d.sees("MPR axial", "/24", "reformatted")
		d.press("d")
		d.sees("marks go on images as they were taken")
		d.press("V")
		d.write("taken")
		d.press("enter")
		d.sees("img 13/24")
		d.seesNot("reformatted")
	})
}

func TestNoVolumeSaysWhy(t *testing.T) {
	f := newFake()
	f.gap = true
	drive(t, 120, 40, Config{Graphics: "half"}, f, func(d *driver) {
		d.press("enter", "V", "enter")
		d.sees("not a regular volume", "missing")
	})
}

// TestVolumeIsCalledOff: while it loads there is a count, keys are not blocked,
// and esc ends the call that is under way.
func TestVolumeIsCalledOff(t *testing.T) {
	f := newFake()
	drive(t, 120, 40, Config{Graphics: "half"}, f, func(d *driver) {
		d.press("enter")
		f.hold = make(chan struct{})
		d.press("V", "enter")
		f.hold <- struct{}{}
		f.hold <- struct{}{}
		d.settle()
		d.sees("Loading the volume", "2 of 24 images")
		d.press("esc")
		d.sees("called off", "img 13/24")
		if n := f.off.Load(); n < 1 {
			t.Errorf("%d calls were called off", n)
		}
		close(f.hold)
		d.press("j")
		d.sees("img 14/24")
	})
}

func TestTypedWindow(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter", "w", "enter")
		d.write("40/400")
		d.press("enter")
		d.sees("W400 L40")
		d.press("enter")
		d.write("bone head")
		d.press("enter")
		d.sees("W2800 L600")
		d.press("enter")
		d.write("1/0")
		d.press("enter")
		d.sees("a window is centre/width", "W2800 L600")
		d.press("esc", "8")
		d.sees("stroke W35 L35")
		d.press("W")
		d.write("liver")
		d.press("enter")
		d.sees("liver W150 L90")
		d.press("#")
		d.write("20")
		d.press("enter")
		d.sees("img 20/24")
	})
	for in, want := range map[string]study.Window{"40/400": {Centre: 40, Width: 400}, "W400 L-40": {Centre: -40, Width: 400}, "c40 w80": {Centre: 40, Width: 80}} {
		if got, ok := parseWindow(in); !ok || got != want {
			t.Errorf("%q is %+v %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "40", "a/b", "40/0", "40/-1", "NaN/400", "1/Inf", "1/2/3"} {
		if got, ok := parseWindow(in); ok {
			t.Errorf("%q is taken as %+v", in, got)
		}
	}
}

func TestPresentationState(t *testing.T) {
	f := newFake()
	f.states = []control.PresentationInfo{
		{SOPUID: "1.2.3", Kind: "presentation", Label: "BONE", Creator: "Okafor^A", State: &render.Presentation{
			Window: &study.Window{Centre: 300, Width: 1500}, Turn: render.Turn{Flip: true}, Area: &render.Area{X0: 33, Y0: 33, X1: 96, Y1: 96},
		}, Paths: []control.StatePath{{Points: [][2]float64{{40, 40}, {80, 80}}}}, Findings: []string{"ICC profile not applied"}},
		{SOPUID: "1.2.4", Kind: "presentation", Label: "BROKEN", Reason: "cannot be read"},
	}
	drive(t, 120, 40, Config{Graphics: "half"}, f, func(d *driver) {
		d.press("enter", "f", "B")
		d.sees("BONE", "BROKEN", "cannot be read")
		d.press("down", "enter")
		d.sees("FLIPPED", "presentation BONE", "ICC profile not applied", "W1500 L300")
		if z := d.viewer().look.zoom; math.Abs(z-2) > 0.4 {
			t.Errorf("half of the image is shown at %.2f times fit", z)
		}
		d.press("j")
		d.sees("img 14/24", "W1500 L300")
		d.press("B", "enter")
		d.seesNot("FLIPPED", "presentation")
	})
}

// TestMarksOfAPictureAreNeverCut: whatever is true of a picture is said in full,
// at the smallest size, in the case page and in full screen.
func TestMarksOfAPictureAreNeverCut(t *testing.T) {
	for _, keys := range [][]string{{"enter"}, {"enter", "f"}, {"enter", "f", "m"}} {
		drive(t, 80, 24, Config{Graphics: "half"}, newFake(), func(d *driver) {
			d.f.studies[0].SeriesList[1].Expected = new(30)
			d.press(keys...)
			v := d.viewer()
			v.painted.img.Preview = true
			v.painted.img.Pixel.Lossy, v.painted.img.Pixel.LossyRatio, v.painted.img.Pixel.Laterality = true, "12.5", "L"
			d.press("i", "F", "R")
			exact(t, d, 80, 24)
			d.sees("PREVIEW", "LOSSY 12.5:1", "FLIPPED", "TURNED 90°", "INVERTED", "side L", "A2 differs", "author's", "INCOMPLETE 24", "of 30",
				permanent, "img 13/24 of expected 30", "W1500 L-600", "mm", "2026-03-02")
			for _, tag := range v.tags() {
				for w := range strings.FieldsSeq(tag) {
					d.sees(w)
				}
			}
		})
	}
}

func TestLoadsAreCalledOff(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter")
		v := d.viewer()
		off := false
		v.loading[2] = func() { off = true }
		v.at = 23
		v.calm()
		if !off {
			t.Error("a frame far away is still being loaded")
		}
	})
}

func TestCachesAreBounded(t *testing.T) {
	var c cache
	for i := range 500 {
		c.put(slice{sop: fmt.Sprint(i)}, &held{bytes: 1 << 20})
	}
	if c.bytes > frameCacheBytes || len(c.by) != frameCacheBytes>>20 {
		t.Errorf("%d bytes in %d frames", c.bytes, len(c.by))
	}
	var g gallery
	for i := range 500 {
		g.put(picture{key: drawKey{at: i}, frame: &drawable{}, raw: strings.Repeat("x", 1<<20)})
	}
	if g.bytes > pictureCacheBytes || len(g.by) > pictureCacheBytes>>20 {
		t.Errorf("%d bytes in %d pictures", g.bytes, len(g.by))
	}
}

func TestMagnifierAndProbe(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "kitty"}, newFake(), func(d *driver) {
		d.press("enter", "f", "v", "right", "J")
		d.sees("PROBE", "HU", "stored", "mm", "65,74")
		before := pictures(d)
		d.press("esc", "M", "right")
		d.sees("MAGNIFIER")
		if pictures(d) <= before {
			t.Error("the lens was not drawn")
		}
		d.press("esc")
		d.seesNot("MAGNIFIER")
	})
}

// TestCineKeepsItsSpeed: frames are dropped by the clock, not the speed.
func TestCineKeepsItsSpeed(t *testing.T) {
	drive(t, 120, 40, Config{Graphics: "kitty"}, newFake(), func(d *driver) {
		d.press("enter", "g")
		d.pass(3 * time.Second)
		d.press("space")
		start := d.viewer().at
		d.pass(1500 * time.Millisecond)
		if got := d.viewer().at - start; got < 17 || got > 19 { // 12 a second
			t.Errorf("%d frames in a second and a half", got)
		}
		d.press("space")
	})
}
