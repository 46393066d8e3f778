package form

import (
	"math"
	"strings"
	"testing"
)

func near(x, want, by float64) bool { return math.Abs(x-want) <= by }

func TestCohen(t *testing.T) {
	k, low, high := Cohen([][]int{{20, 5}, {10, 15}}, false)
	if !near(k, 0.40, 1e-9) {
		t.Errorf("kappa %v, want 0.40", k)
	}
	// computed apart by the formula of Fleiss, Cohen and Everitt 1969: SE 0.12700
	if !near(low, 0.15109, 0.0001) || !near(high, 0.64891, 0.0001) {
		t.Errorf("interval %v to %v", low, high)
	}
	if k, _, _ = Cohen([][]int{{50, 0}, {0, 0}}, false); !math.IsNaN(k) {
		t.Errorf("chance agreement 1: kappa %v, want none", k)
	}
	if k, _, _ = Cohen([][]int{{10, 0}, {0, 10}}, false); k != 1 {
		t.Errorf("all agree: %v", k)
	}
	if k, _, _ = Cohen(nil, false); !math.IsNaN(k) {
		t.Errorf("nothing: %v", k)
	}
	// with two categories weights change nothing; with three, near is better than far
	if k, _, _ = Cohen([][]int{{20, 5}, {10, 15}}, true); !near(k, 0.40, 1e-9) {
		t.Errorf("weighted 2x2: %v", k)
	}
	near1, _, _ := Cohen([][]int{{8, 2, 0}, {2, 8, 2}, {0, 2, 8}}, true)
	far, _, _ := Cohen([][]int{{8, 0, 2}, {2, 8, 2}, {2, 0, 8}}, true)
	if near1 <= far {
		t.Errorf("near %v, far %v", near1, far)
	}
}

// fleissClassic is the example of 10 subjects, 14 raters and 5 categories.
var fleissClassic = [][]int{
	{0, 0, 0, 0, 14},
	{0, 2, 6, 4, 2},
	{0, 0, 3, 5, 6},
	{0, 3, 9, 2, 0},
	{2, 2, 8, 1, 1},
	{7, 7, 0, 0, 0},
	{3, 2, 6, 3, 0},
	{2, 5, 3, 2, 2},
	{6, 5, 2, 1, 0},
	{0, 2, 2, 3, 7},
}

func TestFleiss(t *testing.T) {
	k, low, high := Fleiss(fleissClassic, false)
	if !near(k, 0.210, 0.0005) {
		t.Errorf("kappa %v, want 0.210", k)
	}
	if low >= k || high <= k || math.IsNaN(low) {
		t.Errorf("interval %v to %v", low, high)
	}
	if k, _, _ = Fleiss([][]int{{3, 0}, {3, 0}}, false); !math.IsNaN(k) {
		t.Errorf("chance agreement 1: %v", k)
	}
	if k, _, _ = Fleiss(nil, false); !math.IsNaN(k) {
		t.Errorf("nothing: %v", k)
	}
}

func TestAgree(t *testing.T) {
	categories := []string{"1", "2", "3"}
	rate := func(n int, pairs ...[]string) (out [][]string) {
		for i := range n {
			out = append(out, pairs[i%len(pairs)])
		}
		return out
	}
	for _, tt := range []struct {
		name    string
		items   [][]string
		ordered bool
		want    string
	}{
		{"nothing", nil, false, "agreement –, n 0"},
		{"one reader", rate(40, []string{"1"}), false, "agreement –, n 0"},
		{"within a case", rate(2, []string{"1", "1", "2"}), false, "raw agreement 33 %, n 2, 3 readers"},
		{"too few", rate(29, []string{"1", "1"}, []string{"2", "1"}), false, "raw agreement 52 %, n 29, 2 readers"},
		{"two readers", rate(40, []string{"1", "1"}, []string{"2", "2"}, []string{"1", "2"}, []string{"3", "3"}), false, "Cohen's kappa 0.64 (95 % interval"},
		{"undefined", rate(30, []string{"2", "2"}), false, "Cohen's kappa – (95 % interval – to –), raw agreement 100 %, n 30, 2 readers"},
		{"three readers", rate(30, []string{"1", "1", "1"}, []string{"2", "2", "3"}), true, "Fleiss' kappa, quadratic weights 0."},
		{"left out", append(rate(30, []string{"1", "1"}, []string{"2", "2"}), []string{"1", ""}, []string{"9", "1"}), false, "n 30, 2 readers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Agree(tt.items, categories, tt.ordered).String(); !strings.Contains(got, tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   string
	}{
		{nil, "–"},
		{[]float64{math.NaN()}, "–"},
		{[]float64{7}, "median 7, range 7 to 7, n 1"},
		{[]float64{12, 8, 10, 9}, "median 9.5, range 8 to 12, n 4"},
	} {
		if got := SpreadOf(tt.values).String(); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}
