package study

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// axial makes slices 2.5 mm apart whose numbers run against their positions.
func axial(n int) []Slice {
	var out []Slice
	for i := range n {
		out = append(out, Slice{
			SOPUID: fmt.Sprintf("1.%03d", i), Number: new(int64(n - i)), FrameOfRef: "1.9", Rows: 512, Cols: 512,
			Orientation: &[6]float64{1, 0, 0, 0, 1, 0}, Position: &[3]float64{-180, -180, 2.5 * float64(i)},
			Spacing: &[2]float64{0.7, 0.7},
		})
	}
	return out
}

// changed changes each slice.
func changed(list []Slice, change func(i int, s *Slice)) []Slice {
	for i := range list {
		change(i, &list[i])
	}
	return list
}

// again is the same slices under other UIDs and numbers.
func again(list []Slice, prefix string, change func(s *Slice)) []Slice {
	out := slices.Clone(list)
	for i := range out {
		out[i].SOPUID = prefix + out[i].SOPUID
		out[i].Number = new(*out[i].Number + 1000)
		change(&out[i])
	}
	return out
}

func uids(list []Slice) string {
	var out []string
	for _, s := range list {
		out = append(out, s.SOPUID)
	}
	return strings.Join(out, " ")
}

// summary tells order, size and marks of each stack.
func summary(stacks []Stack) string {
	var out []string
	for _, s := range stacks {
		line := fmt.Sprintf("%s %d by %s", s.Label, len(s.Slices), s.Order)
		for _, n := range s.Notes() {
			line += "; " + n
		}
		out = append(out, strings.TrimSpace(line))
	}
	return strings.Join(out, " | ")
}

func TestStacks(t *testing.T) {
	tilted := func(s *Slice, degrees float64) {
		s.Position[1] += math.Tan(degrees*math.Pi/180) * s.Position[2]
	}
	tests := []struct {
		name string
		list []Slice
		want string
	}{
		{"plain", axial(20), "20 by position"},
		{"one slice", axial(1), "1 by position"},
		{"a slice is missing", slices.Delete(axial(8), 3, 4), "7 by position; slices are missing"},
		{"uneven steps", changed(axial(9), func(i int, s *Slice) { s.Position[2] += 0.2 * float64(i%2) }), "9 by position; irregular slice spacing"},
		{"four per cent off", changed(axial(9), func(i int, s *Slice) { s.Position[2] += 0.05 * float64(i%2) }), "9 by position"},
		{"one image twice", append(axial(5), again(axial(1), "2.", func(*Slice) {})...), "6 by position; 1 images share a position"},
		{"gantry", changed(axial(11), func(_ int, s *Slice) { tilted(s, 12) }), "11 by position; gantry tilt 12.0°"},
		{"one slice moved", changed(axial(11), func(i int, s *Slice) {
			if i == 4 {
				s.Position[0] += 3
			}
		}), "11 by position; slices are shifted by up to 3.0 mm"},
		{"no position", changed(axial(3), func(_ int, s *Slice) { s.Position = nil }), "3 by instance numbers; order from instance numbers"},
		{"one position lost", changed(axial(4), func(i int, s *Slice) {
			if i == 2 {
				s.Position = nil
			}
		}), "4 by instance numbers; order from instance numbers"},
		{"one orientation lost", changed(axial(4), func(i int, s *Slice) {
			if i == 2 {
				s.Orientation = nil
			}
		}), "4 by instance numbers; order from instance numbers"},
		{
			"three planes", slices.Concat(axial(3),
				again(axial(3), "2.", func(s *Slice) { s.Orientation = &[6]float64{1, 0, 0, 0, 0, -1} }),
				again(axial(3), "3.", func(s *Slice) { s.Orientation = &[6]float64{0, 1, 0, 0, 0, -1} })),
			"axial 3 by position | coronal 3 by position | sagittal 3 by position",
		},
		{"orientation within 0.01", changed(axial(4), func(i int, s *Slice) {
			a := 0.008 * float64(i%2)
			s.Orientation = &[6]float64{math.Cos(a), math.Sin(a), 0, -math.Sin(a), math.Cos(a), 0}
		}), "4 by position"},
		{
			"two frames of reference", append(axial(3), again(axial(3), "2.", func(s *Slice) { s.FrameOfRef = "1.8" })...),
			"part 1 3 by position | part 2 3 by position",
		},
		{
			"a scout of another size", append(axial(3), Slice{SOPUID: "9", Number: new(int64(99)), Rows: 100, Cols: 888}),
			"axial, 512×512 3 by position | no position, 888×100 1 by instance numbers",
		},
		{
			"two echoes", append(changed(axial(3), func(_ int, s *Slice) { s.Echo = 12 }), again(axial(3), "2.", func(s *Slice) { s.Echo = 80.5 })...),
			"echo 12 ms 3 by position | echo 80.5 ms 3 by position",
		},
		{"diffusion", append(axial(3), again(axial(3), "2.", func(s *Slice) { s.BValue = 1000 })...), "b 0 3 by position | b 1000 3 by position"},
		{
			"times", append(changed(axial(3), func(_ int, s *Slice) { s.Temporal = 1 }), again(axial(3), "2.", func(s *Slice) { s.Temporal = 2 })...),
			"time 1 3 by position | time 2 3 by position",
		},
		{
			"magnitude and phase", append(changed(axial(3), func(_ int, s *Slice) { s.Kind = "M" }), again(axial(3), "2.", func(s *Slice) { s.Kind = "P" })...),
			"M 3 by position | P 3 by position",
		},
		{
			"two acquisitions", append(changed(axial(3), func(_ int, s *Slice) { s.Acquisition = 1 }), again(axial(3), "2.", func(s *Slice) { s.Acquisition = 2 })...),
			"acquisition 1 3 by position | acquisition 2 3 by position",
		},
		{"arterial and venous, moved", append(changed(axial(5), func(_ int, s *Slice) { s.Acquisition = 1 }), again(axial(5), "2.", func(s *Slice) {
			s.Acquisition, s.Position = 2, &[3]float64{-180, -180, s.Position[2] + 0.7}
		})...), "acquisition 1 5 by position | acquisition 2 5 by position"},
		{"an acquisition a slice", changed(axial(6), func(i int, s *Slice) { s.Acquisition = int64(i + 1) }), "6 by position"},
		{"an acquisition four slices", changed(axial(24), func(i int, s *Slice) { s.Acquisition = int64(i / 4) }), "24 by position"},
		{"interleaved acquisitions", changed(axial(12), func(i int, s *Slice) { s.Acquisition = int64(i % 2) }), "12 by position"},
		{
			"cine of one slice", changed(axial(30), func(i int, s *Slice) { s.Position[2], s.Trigger = 0, 40*float64(i) }),
			"30 by position",
		},
		{"cine, other heart rate at each slice", changed(axial(12), func(i int, s *Slice) {
			s.Position[2], s.Trigger = float64(8*(i/4)), float64(i%4)*(40+float64(i/4))
		}), "trigger 126 ms 3 by position | trigger 84 ms 3 by position | trigger 42 ms 3 by position | part 4 3 by position"},
		{
			"directions of diffusion", slices.Concat(axial(3), again(axial(3), "2.", func(*Slice) {}), again(axial(3), "3.", func(*Slice) {})),
			"part 1 3 by position | part 2 3 by position | part 3 3 by position",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stacks := Stacks(tt.list)
			if got := summary(stacks); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			for seed := range uint64(10) {
				list := slices.Clone(tt.list)
				rand.New(rand.NewPCG(seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				if !reflect.DeepEqual(Stacks(list), stacks) {
					t.Fatalf("seed %d: the order depends on that of the argument", seed)
				}
			}
		})
	}
}

func TestStackOrder(t *testing.T) {
	list := axial(20)
	want := uids(list)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		numbers := r.Perm(len(list))
		got := Stacks(changed(axial(20), func(i int, s *Slice) { s.Number = new(int64(numbers[i] / 2)) })) // shuffled, each twice
		if len(got) != 1 || uids(got[0].Slices) != want || got[0].Spacing != 2.5 || got[0].NotVolume() != "" {
			t.Fatalf("seed %d: %s", seed, summary(got))
		}
	}
	flipped := Stacks(changed(axial(4), func(_ int, s *Slice) { s.Orientation = &[6]float64{1, 0, 0, 0, -1, 0} }))
	if got := uids(flipped[0].Slices); got != "1.003 1.002 1.001 1.000" {
		t.Errorf("against the axis: %s", got)
	}
	byNumber := Stacks(changed(axial(3), func(_ int, s *Slice) { s.Position = nil }))
	if got := uids(byNumber[0].Slices); got != "1.002 1.001 1.000" {
		t.Errorf("by number: %s", got)
	}
	twins := Stacks(append(axial(2), again(axial(2), "2.", func(s *Slice) { s.Position = &[3]float64{-180, -180, 0}; s.Time = "1" })...))
	if got := uids(twins[0].Slices); got != "1.000 2.1.000 2.1.001 1.001" && got != "1.000 2.1.001 2.1.000 1.001" {
		t.Errorf("ties: %s", got)
	}
	cine := Stacks(changed(axial(12), func(i int, s *Slice) { s.SOPUID, s.Frame, s.Number, s.Position = "1", i, nil, nil }))
	if n := cine[0].Notes(); len(n) != 0 {
		t.Errorf("frames of one instance have their own order: %v", n)
	}
	frames := changed(axial(12), func(i int, s *Slice) { s.SOPUID, s.Frame, s.Number, s.Position = "1", i, nil, nil })
	for i, s := range Stacks(frames)[0].Slices {
		if s.Frame != i {
			t.Fatalf("frame %d at place %d", s.Frame, i)
		}
	}
}

// One normal serves a stack: with each slice's own, far from the origin, a
// hundredth of orientation would move a slice past its neighbours.
func TestOneNormal(t *testing.T) {
	list := changed(axial(10), func(i int, s *Slice) {
		a := 0.005 * float64(i%2)
		s.Orientation = &[6]float64{1, 0, 0, 0, math.Cos(a), math.Sin(a)}
		s.Position[1] = -900
	})
	if got := Stacks(list); len(got) != 1 || uids(got[0].Slices) != uids(list) {
		t.Errorf("%s: %s", summary(got), uids(got[0].Slices))
	}
}

func TestNotVolume(t *testing.T) {
	for want, list := range map[string][]Slice{
		"":                           axial(5),
		"positions are not known":    changed(axial(5), func(_ int, s *Slice) { s.Orientation = nil }),
		"a single position":          axial(1),
		"pixel spacing is not known": changed(axial(5), func(_ int, s *Slice) { s.Spacing = nil }),
		"slices are missing":         slices.Delete(axial(5), 2, 3),
		"irregular slice spacing":    changed(axial(5), func(i int, s *Slice) { s.Position[2] += 0.3 * float64(i%2) }),
		"pixel spacing differs": changed(axial(5), func(i int, s *Slice) {
			if i == 3 {
				s.Spacing = &[2]float64{0.7, 0.8}
			}
		}),
	} {
		s := Stacks(list)[0]
		if got := s.NotVolume(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
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

// FuzzStacks: whatever the numbers, no slice is lost and all that is said is finite.
func FuzzStacks(f *testing.F) {
	f.Add(uint64(1), 2.5, 0.0, 1.0, 0.0, uint8(9))
	f.Add(uint64(2), math.NaN(), math.Inf(1), 0.0, 1e308, uint8(20))
	f.Add(uint64(3), 0.0, math.Copysign(0, -1), -1.0, 5e-324, uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, a, b, c, d float64, n uint8) {
		r := rand.New(rand.NewPCG(seed, 0))
		pick := func() float64 { return []float64{a, b, c, d, 0, 1, -1, a * float64(r.IntN(5))}[r.IntN(8)] }
		var list []Slice
		for i := range int(n) {
			s := Slice{SOPUID: fmt.Sprint(i), Rows: r.IntN(2), Phase: Phase{Trigger: pick(), Echo: pick(), BValue: pick(), Acquisition: int64(r.IntN(3))}}
			if r.IntN(9) > 0 {
				s.Orientation = &[6]float64{1, 0, 0, 0, 1, 0}
				if r.IntN(3) == 0 {
					s.Orientation = &[6]float64{pick(), pick(), pick(), pick(), pick(), pick()}
				}
			}
			if r.IntN(9) > 0 {
				s.Position = &[3]float64{pick(), pick(), pick()}
			}
			if r.IntN(9) > 0 {
				s.Spacing = &[2]float64{pick(), pick()}
			}
			list = append(list, s)
		}
		seen := map[string]bool{}
		stacks := Stacks(list)
		for _, s := range stacks {
			for _, x := range s.Slices {
				seen[x.SOPUID] = true
			}
			for _, v := range []float64{s.Spacing, s.Tilt, s.Shift} {
				if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
					t.Fatalf("%+v", s)
				}
			}
			_ = s.Notes()
		}
		if len(seen) != len(list) {
			t.Fatalf("%d of %d slices", len(seen), len(list))
		}
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if other := Stacks(list); summary(other) != summary(stacks) {
			t.Fatal("the order depends on that of the argument")
		}
	})
}

// Hostile series of the largest size end soon.
func TestStacksOfHostileSeries(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP -short: 100,000 slices")
	}
	r := rand.New(rand.NewPCG(1, 1))
	var list []Slice
	for i := range InstancesMax {
		a := r.Float64() * 2 * math.Pi
		b := r.Float64()
		list = append(list, Slice{
			SOPUID: fmt.Sprint(i), Phase: Phase{Trigger: float64(i / 2), Acquisition: int64(i / 3)},
			Orientation: &[6]float64{math.Cos(a), math.Sin(a), 0, -math.Sin(a) * b, math.Cos(a) * b, math.Sqrt(1 - b*b)},
			Position:    &[3]float64{r.Float64(), r.Float64(), r.Float64()},
		})
	}
	start := time.Now()
	if n := len(Stacks(list)); n < orientationsMax {
		t.Errorf("%d stacks", n)
	}
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("took %s", d)
	}
}
