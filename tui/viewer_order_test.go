package tui

import (
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/consult/study"
)

// phantomSeries is the series that the fake shows first.
func phantomSeries(f *fake) string { return f.studies[0].SeriesList[1].SeriesUID }

// A gap is said beside every image of the series, also at 80 × 24.
func TestGapIsSaid(t *testing.T) {
	for _, size := range [][2]int{{120, 40}, {80, 24}} {
		f := newFake()
		uid := phantomSeries(f)
		f.series[uid] = slices.Delete(slices.Clone(f.series[uid]), 5, 6)
		drive(t, size[0], size[1], Config{Graphics: "half"}, f, func(d *driver) {
			d.press("enter", "f")
			d.sees("slices are missing")
			d.press("g", "1")
			d.sees("img 1/23", "slices are missing")
		})
	}
	drive(t, 120, 40, Config{Graphics: "half"}, newFake(), func(d *driver) {
		d.press("enter", "f")
		d.seesNot("slices are missing", "instance numbers", "stack 1")
	})
}

// Frames that lie otherwise than they are stored are brought into reading order,
// and the one on the screen stays there.
func TestFramesAreReordered(t *testing.T) {
	f := newFake()
	drive(t, 120, 40, Config{Graphics: "half"}, f, func(d *driver) {
		d.press("enter")
		v := d.viewer()
		slices.Reverse(v.slices)
		v.at = 3
		here := key(v.slices[3])
		var all []study.Slice
		for _, sop := range f.of(phantomSeries(f)) {
			all = append(all, f.files[sop].Slices()...)
		}
		d.run(v.reorder(all[1:])) // one is not known yet
		d.settle()
		if v.at != 3 || key(v.slices[3]) != here {
			t.Error("an order that is not known whole was taken")
		}
		d.run(v.reorder(all))
		d.settle()
		if v.at != len(all)-4 || key(v.slices[v.at]) != here {
			t.Errorf("image %d is on the screen", v.at)
		}
		for i, s := range all {
			if v.slices[i].sop != s.SOPUID {
				t.Fatalf("slice %d is out of order", i)
			}
		}
		d.sees("img 21/24")
	})
}

func TestStackWords(t *testing.T) {
	f := newFake()
	var all []study.Slice
	for i, sop := range f.of(phantomSeries(f)) {
		s := f.files[sop].Slices()[0]
		s.Echo = float64(10 + 60*(i%2))
		all = append(all, s)
		s.SOPUID, s.Echo = s.SOPUID+".1", 80-s.Echo
		all = append(all, s)
	}
	told := stackWords(all)
	for _, s := range all {
		want := "stack 1 of 2: echo 10 ms"
		if s.Echo == 70 {
			want = "stack 2 of 2: echo 70 ms"
		}
		if got := told[slice{sop: s.SOPUID}]; !slices.Equal(got, []string{want}) {
			t.Fatalf("echo %g: %v", s.Echo, got)
		}
	}
}
