package study

import (
	"fmt"
	"testing"
)

// group is the functional group of one frame: where it lies and which phase it is of.
func groupOf(z int, parts ...[]byte) []byte {
	return it(append([][]byte{
		seq(0x00209113, it(str(0x00200032, "DS", fmt.Sprintf("-10\\-10\\%d", z)))),
	}, parts...)...)
}

// enhanced is one instance of frames, and what all of them share.
func enhanced(t *testing.T, frames ...[]byte) *Instance {
	t.Helper()
	n := len(frames)
	return withShape(t, shape(4, 4, 16, fmt.Sprint(n)), 32*n, str(0x00200052, "UI", "1.2.9\x00"),
		seq(tagShared, it(
			seq(0x00209116, it(str(0x00200037, "DS", "1\\0\\0\\0\\1\\0"))),
			seq(0x00289110, it(str(0x00280030, "DS", "0.7\\0.7"))))),
		seq(tagPerFrame, frames...))
}

func real64(tag Tag, v float64) []byte { return el(tag, "FD", doubles(v)) }

func TestPhasesOfEnhancedObjects(t *testing.T) {
	tests := []struct {
		name  string
		macro func(v int) []byte
		want  string
	}{
		{"echo", func(v int) []byte { return seq(0x00189114, it(real64(0x00189082, float64(10*v)))) }, "echo 10 ms 3 by position | echo 20 ms 3 by position"},
		{"b-value", func(v int) []byte { return seq(0x00189117, it(real64(0x00189087, float64(500*v)))) }, "b 500 3 by position | b 1000 3 by position"},
		{"trigger", func(v int) []byte { return seq(0x00189118, it(real64(0x00209153, float64(42*v)))) }, "trigger 42 ms 3 by position | trigger 84 ms 3 by position"},
		{"time", func(v int) []byte { return seq(0x00209111, it(el(0x00209128, "UL", longs(uint32(v))))) }, "time 1 3 by position | time 2 3 by position"},
		{"acquisition", func(v int) []byte { return seq(0x00209111, it(us(0x00209156, uint16(v)))) }, "acquisition 1 3 by position | acquisition 2 3 by position"},
		{"type", func(v int) []byte {
			return seq(0x00189226, it(str(0x00089007, "CS", fmt.Sprintf("ORIGINAL\\PRIMARY\\T%d\\NONE", v))))
		}, "T1 3 by position | T2 3 by position"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var frames [][]byte
			for _, z := range []int{5, 0, 10} {
				frames = append(frames, groupOf(z, tt.macro(1)), groupOf(z, tt.macro(2)))
			}
			stacks := Stacks(enhanced(t, frames...).Slices())
			if got := summary(stacks); got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
			for k, s := range stacks {
				for i, f := range []int{2, 0, 4} {
					if s.Slices[i].Frame != f+k || s.NotVolume() != "" {
						t.Errorf("stack %d, slice %d is frame %d, %s", k, i, s.Slices[i].Frame, s.NotVolume())
					}
				}
			}
		})
	}
}

// Frames of an enhanced object and single images are slices alike.
func TestEnhancedJoinsSingleImages(t *testing.T) {
	list := enhanced(t, groupOf(0), groupOf(10)).Slices()
	single := with(t, str(0x00200052, "UI", "1.2.9\x00"), str(0x00200032, "DS", "-10\\-10\\5"), str(0x00200037, "DS", "1\\0\\0\\0\\1\\0"), str(0x00280030, "DS", "0.7\\0.7"))
	single.SOPUID = "1.5"
	s := Stacks(append(list, single.Slices()...))
	if len(s) != 1 || s[0].NotVolume() != "" || s[0].Spacing != 5 || s[0].Slices[1].SOPUID != "1.5" {
		t.Errorf("%s", summary(s))
	}
}

func TestPhaseOfSingleImages(t *testing.T) {
	tests := []struct {
		name string
		in   [][]byte
		want Phase
	}{
		{
			"standard",
			[][]byte{str(0x00180081, "DS", "80.5"), str(0x00181060, "DS", "420"), real64(0x00189087, 800), str(0x00200012, "IS", "3"), str(0x00200100, "IS", "7")},
			Phase{Echo: 80.5, Trigger: 420, BValue: 800, Acquisition: 3, Temporal: 7},
		},
		{"type", [][]byte{str(0x00080008, "CS", "ORIGINAL\\PRIMARY\\M\\SE")}, Phase{Kind: "M"}},
		{"Siemens", [][]byte{str(0x00190010, "LO", "SIEMENS MR HEADER"), str(0x0019100C, "IS", "1000")}, Phase{BValue: 1000}},
		{"GE", [][]byte{str(0x00430010, "LO", "GEMS_PARM_01"), str(0x00431039, "IS", "1000000700\\8\\0\\0")}, Phase{BValue: 700}},
		{"private, of somebody else", [][]byte{str(0x00190010, "LO", "OTHER"), str(0x0019100C, "IS", "1000")}, Phase{}},
		{"nonsense", [][]byte{str(0x00180081, "DS", "NaN"), str(0x00181060, "DS", "1e999"), real64(0x00189087, -5)}, Phase{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := with(t, tt.in...).Slices()[0].Phase; got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
