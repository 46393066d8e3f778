package study

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// axial makes slices whose numbers run against their positions.
func axial(n int) []*Instance {
	var out []*Instance
	for i := range n {
		in := &Instance{SOPUID: fmt.Sprintf("1.%d", i), Number: new(int64(n - i))}
		in.Pixel.Orientation = &[6]float64{1, 0, 0, 0, 1, 0}
		in.Pixel.Position = &[3]float64{0, 0, 2.5 * float64(i)}
		out = append(out, in)
	}
	return out
}

func uids(list []*Instance) (s string) {
	for _, in := range list {
		s += in.SOPUID + " "
	}
	return s
}

func TestSortByPosition(t *testing.T) {
	want := uids(axial(20))
	for seed := range uint64(20) {
		list := axial(20)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		got := Sort(list)
		if len(got) != 1 || uids(got[0].Instances) != want || got[0].Order != ByPosition || got[0].Spacing != 2.5 || got[0].Irregular || got[0].Gaps {
			t.Fatalf("seed %d: %d stacks, %+v", seed, len(got), got[0])
		}
	}
}

func TestSortFallsBackToNumbers(t *testing.T) {
	list := axial(3)
	list[1].Pixel.Position = nil
	got := Sort(list)
	if got[0].Order != ByNumber || uids(got[0].Instances) != "1.2 1.1 1.0 " {
		t.Errorf("got %s by %s", uids(got[0].Instances), got[0].Order)
	}
}

func TestSortFindsGaps(t *testing.T) {
	list := axial(6)
	list = append(list[:2], list[3:]...)
	if s := Sort(list)[0]; !s.Gaps || !s.Irregular {
		t.Errorf("a missing slice is not seen: %+v", s)
	}
}

func TestSortPartsMixtures(t *testing.T) {
	list := append(axial(4), axial(4)...)
	for i := range 4 {
		list[4+i].SOPUID += ".2"
		list[4+i].TemporalPosition = new(int64(2))
	}
	scout := &Instance{SOPUID: "1.99", Number: new(int64(1))}
	if got := Sort(append(list, scout)); len(got) != 3 {
		t.Errorf("%d stacks, want 3", len(got))
	}
}

func TestCompareSeries(t *testing.T) {
	a := &Instance{SeriesNumber: new(int64(2))}
	b := &Instance{SeriesNumber: new(int64(10))}
	c := &Instance{SeriesUID: "1"}
	if CompareSeries(a, b) >= 0 || CompareSeries(b, c) >= 0 {
		t.Error("series are not ordered by number, those without last")
	}
}
