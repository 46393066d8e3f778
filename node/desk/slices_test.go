package desk

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
)

// twoPhases is a CT in one series: two acquisitions of the same places, whose instance numbers run
// through both, place by place. The UIDs come back in the order they are to be read.
func twoPhases(t *testing.T, n int) (files [][]byte, series string, want []string) {
	t.Helper()
	ct := smallCT(n)
	for phase := range 2 {
		for i, f := range ct.Files {
			sop := ct.SOPUIDs[i]
			other := sop[:len(sop)-1] + fmt.Sprint((int(sop[len(sop)-1]-'0')+1+phase)%10)
			f = bytes.ReplaceAll(f, []byte(sop), []byte(other))
			// Acquisition Number and Instance Number, both of one character and a space
			f = element(t, f, 0x0012, fmt.Sprint(phase+1))
			f = element(t, f, 0x0013, fmt.Sprint((n-i)*2+phase))
			files, want = append(files, f), append(want, other)
		}
	}
	return files, ct.SeriesUID, want
}

// element replaces the value of an IS of group 0020.
func element(t *testing.T, f []byte, number uint16, value string) []byte {
	t.Helper()
	head := []byte{0x20, 0x00, byte(number), byte(number >> 8), 'I', 'S'}
	at := bytes.Index(f, head)
	if at < 0 {
		t.Fatal("no such element")
	}
	if len(value)%2 != 0 {
		value += " "
	}
	old := int(f[at+6])
	out := slices.Clone(f[:at+6])
	out = append(out, byte(len(value)), 0)
	out = append(out, value...)
	return append(out, f[at+8+old:]...)
}

// Reading order is by geometry, phase after phase, whatever the numbers say and in however many
// imports the files came.
func TestSeriesOfTwoPhases(t *testing.T) {
	home := t.TempDir()
	files, series, want := twoPhases(t, 12)
	req := control.SeriesRequest{SeriesUID: series}
	t.Run("import", func(t *testing.T) {
		d := openDesk(t, home)
		importAll(t, d, write(t, slices.Concat(files[:3], files[12:16])))
		st := only(t, d)
		got, err := d.SeriesSlices(t.Context(), control.SeriesRequest{Study: st.Study, SeriesUID: series})
		if stacks := study.Stacks(got); err != nil || len(stacks) != 2 || stacks[1].Slices[0].Position == nil {
			t.Fatalf("%+v: %v", got, err)
		}
	})
	d := openDesk(t, home) // what was kept of the first is read back
	importAll(t, d, write(t, slices.Concat(files[16:], files[3:12])))
	req.Study = only(t, d).Study
	rows, err := d.SeriesShow(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, r.SOPUID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("reading order\ngot  %v\nwant %v", got, want)
	}
	placed, err := d.SeriesSlices(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range placed {
		if i >= len(want) || s.SOPUID != want[i] {
			t.Fatalf("slice %d is not in the order of the list", i)
		}
	}
	for i, s := range study.Stacks(placed) {
		if s.Label != fmt.Sprintf("acquisition %d", i+1) || s.NotVolume() != "" || len(s.Notes()) != 0 || s.Spacing != 2.5 {
			t.Errorf("stack %q: %v, %q, %g mm", s.Label, s.Notes(), s.NotVolume(), s.Spacing)
		}
	}
}

// A slice that is missing is said, and no volume is made over the gap.
func TestSlicesSayGaps(t *testing.T) {
	d := openDesk(t, t.TempDir())
	ct := smallCT(9)
	importAll(t, d, write(t, slices.Delete(slices.Clone(ct.Files), 4, 5)))
	got, err := d.SeriesSlices(t.Context(), control.SeriesRequest{Study: only(t, d).Study, SeriesUID: ct.SeriesUID})
	stacks := study.Stacks(got)
	if err != nil || len(stacks) != 1 || !slices.Equal(stacks[0].Notes(), []string{"slices are missing"}) || stacks[0].NotVolume() == "" {
		t.Errorf("%+v: %v", stacks, err)
	}
	_, err = d.SeriesSlices(t.Context(), control.SeriesRequest{Study: only(t, d).Study, SeriesUID: "1.2"})
	if control.AsError(err).Code != control.NotFound {
		t.Errorf("unknown series: %v", err)
	}
}

// BenchmarkSlices places a series of 1,000 slices for linked scrolling.
func BenchmarkSlices(b *testing.B) {
	d := openDesk(b, b.TempDir())
	dir := b.TempDir()
	ct := phantom.CT(phantom.Options{Seed: 1, Slices: 1000, Side: 16})
	for i, f := range ct.Files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.dcm", i)), f, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if err := d.Import(b.Context(), control.ImportRequest{Paths: []string{dir}}, func(control.ImportEvent) error { return nil }); err != nil {
		b.Fatal(err)
	}
	list, err := d.StudyList(b.Context(), control.None{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d.placed = placedSeries{}
		got, err := d.SeriesSlices(b.Context(), control.SeriesRequest{Study: list[0].Study, SeriesUID: ct.SeriesUID})
		if err != nil || len(got) != 1000 {
			b.Fatal(err)
		}
	}
}
