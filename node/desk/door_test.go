package desk

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
)

func TestTake(t *testing.T) {
	t.Parallel()
	d := openDesk(t, t.TempDir())
	ct := smallCT(8)
	dir := write(t, ct.Files)
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(paths) != 8 {
		t.Fatal(paths, err)
	}
	var wg sync.WaitGroup
	got := make([]Taken, len(paths))
	for i, p := range paths {
		wg.Go(func() {
			var err error
			if got[i], err = d.Take(t.Context(), p, "test"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, g := range got {
		if g.Status != TakenNew || g.Study != got[0].Study {
			t.Errorf("%+v", g)
		}
	}
	if s := only(t, d); s.Instances != 8 || s.Origin != "dicom" {
		t.Errorf("%+v", s)
	}
	if g, err := d.Take(t.Context(), paths[3], ""); err != nil || g.Status != TakenDuplicate {
		t.Errorf("again: %+v %v", g, err)
	}
	// Another file of the same name is kept apart, once.
	twin := filepath.Join(t.TempDir(), "twin")
	b := append([]byte(nil), ct.Files[3]...)
	b[len(b)-1] ^= 1
	if err := os.WriteFile(twin, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if g, err := d.Take(t.Context(), twin, ""); err != nil || g.Status != TakenConflict {
			t.Errorf("twin: %+v %v", g, err)
		}
	}
	if err := os.WriteFile(twin, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if g, err := d.Take(t.Context(), twin, ""); err != nil || g.Status != TakenRefused || g.Reason == "" {
		t.Errorf("nonsense: %+v %v", g, err)
	}
	if v, err := d.StudyVerify(t.Context(), control.StudyVerifyRequest{}); err != nil || v.CheckedInstances != 9 || len(v.Damaged) != 0 {
		t.Errorf("%+v %v", v, err)
	}
}

// TestSettle has a study come to rest, and a late image reopen it.
func TestSettle(t *testing.T) {
	t.Parallel()
	d := openDesk(t, t.TempDir())
	now := time.Now()
	d.now = func() time.Time { return now }
	ct := smallCT(2)
	dir := write(t, ct.Files)
	paths, _ := filepath.Glob(filepath.Join(dir, "*"))
	take := func(p string) {
		t.Helper()
		if g, err := d.Take(t.Context(), p, ""); err != nil || g.Status == TakenRefused {
			t.Fatalf("%+v %v", g, err)
		}
	}
	verbs := func() (out []string) {
		d.door.settle()
		for {
			select {
			case n := <-d.notes:
				out = append(out, n.verb)
			default:
				return out
			}
		}
	}
	take(paths[0])
	if v := verbs(); len(v) != 0 || !only(t, d).Arriving {
		t.Errorf("at once: %v, arriving %v", v, only(t, d).Arriving)
	}
	now = now.Add(SettleAfter)
	if v := verbs(); !slices.Equal(v, []string{noticeSettled}) || only(t, d).Arriving {
		t.Errorf("quiet: %v, arriving %v", v, only(t, d).Arriving)
	}
	take(paths[0]) // known already: nothing new came
	if v := verbs(); len(v) != 0 {
		t.Errorf("a duplicate: %v", v)
	}
	take(paths[1])
	if v := verbs(); !slices.Equal(v, []string{noticeReopened}) || !only(t, d).Arriving {
		t.Errorf("late: %v", v)
	}
}
