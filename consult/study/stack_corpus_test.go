package study

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/corpustest"
)

// corpusSeries reads every file of the corpus that can be read, by series.
func corpusSeries(t *testing.T, dir string) map[string][]*Instance {
	t.Helper()
	out := map[string][]*Instance{}
	seen := map[string]bool{}
	for _, row := range corpustest.Rows(t, filepath.Join(dir, "MANIFEST.tsv")) {
		name := row["file"]
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			continue
		}
		in, err := Parse(readCorpus(t, dir, name))
		if err != nil || in.Pixel.Rows == 0 || seen[in.SOPUID] {
			continue
		}
		seen[in.SOPUID] = true
		out[in.SeriesUID] = append(out[in.SeriesUID], in)
	}
	return out
}

// TestStacksOfCorpus tells what geometry real series have; -v prints a line for each stack.
// Nothing is lost, and no file is a volume that a second look at its positions denies.
func TestStacksOfCorpus(t *testing.T) {
	series := corpusSeries(t, corpustest.Dir(t))
	kinds := map[string]int{}
	frames := 0
	for _, uid := range slices.Sorted(maps.Keys(series)) {
		var list []Slice
		for _, in := range series[uid] {
			list = append(list, in.Slices()...)
		}
		total := 0
		for _, s := range Stacks(list) {
			total += len(s.Slices)
			kind := kindOf(&s)
			kinds[kind]++
			if len(s.Slices) > 1 {
				in := series[uid][0]
				t.Logf("%-3s %4d slices %4d×%-4d %-28s %5.2f mm  %-24s %s", in.Modality, len(s.Slices), in.Pixel.Cols, in.Pixel.Rows,
					kind, s.Spacing, strings.Join(s.Notes(), ", "), s.Label)
			}
			if s.NotVolume() == "" {
				regular(t, &s)
			}
		}
		frames += total
		if total != len(list) {
			t.Errorf("%d of %d slices", total, len(list))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%4d stacks: %s", kinds[k], k)
	}
	t.Logf("%d series, %d frames", len(series), frames)
}

func kindOf(s *Stack) string {
	switch {
	case len(s.Slices) == 1 && s.Order == ByPosition:
		return "one slice with a place"
	case len(s.Slices) == 1:
		return "one image without a place"
	case s.Order == ByNumber:
		return "several, by instance numbers"
	case s.Spacing == 0:
		return "several at one place"
	case s.NotVolume() == "":
		return "regular volume"
	case s.Tilt > 0:
		return "tilted"
	case s.Gaps || s.Irregular:
		return "irregular or with gaps"
	}
	return "other: " + s.NotVolume()
}

// regular steps from slice to slice, by vectors and not by depth.
func regular(t *testing.T, s *Stack) {
	t.Helper()
	n := len(s.Slices) - 1
	a, b := s.Slices[0].Position, s.Slices[n].Position
	for i := range s.Slices {
		off := 0.0
		for k := range 3 {
			want := a[k] + (b[k]-a[k])*float64(i)/float64(n)
			off = max(off, want-s.Slices[i].Position[k], s.Slices[i].Position[k]-want)
		}
		if off > 0.5*s.Spacing {
			t.Errorf("slice %d of a regular volume of %s is %.2f mm off its place", i, fmt.Sprint(n+1), off)
		}
	}
}
