package gateway

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// taken is an import that keeps what it was given and refuses what its name says.
type taken struct {
	calls [][]string
	fail  error
}

func (k *taken) take(_ context.Context, paths []string) ([]Refusal, error) {
	if k.fail != nil {
		return nil, k.fail
	}
	k.calls = append(k.calls, slices.Clone(paths))
	var out []Refusal
	for _, p := range paths {
		switch {
		case strings.Contains(p, "bad"):
			out = append(out, Refusal{Path: p, Reason: "not-dicom"})
		case strings.Contains(p, "twin"):
			out = append(out, Refusal{Path: p, Reason: "conflict"})
		case strings.HasSuffix(p, ".zip"):
			out = append(out, Refusal{Path: p + "!readme.txt", Reason: "not-dicom"})
		}
	}
	return out, nil
}

func (k *taken) names() []string {
	var out []string
	for _, c := range k.calls {
		for _, p := range c {
			out = append(out, filepath.Base(p))
		}
	}
	slices.Sort(out)
	k.calls = nil
	return out
}

// watching is a watch whose clock the test moves.
type watching struct {
	*Watch

	t   *testing.T
	dir string
	now time.Time
	got *taken
	cfg WatchConfig
}

func watchIn(t *testing.T, done string) *watching {
	t.Helper()
	w := &watching{t: t, dir: t.TempDir(), now: time.Unix(1_700_000_000, 0), got: &taken{}}
	w.cfg = WatchConfig{
		Dirs: []string{w.dir}, Done: done, State: filepath.Join(t.TempDir(), "web", "watched"), Import: w.got.take,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now },
	}
	w.restart()
	return w
}

func (w *watching) restart() {
	w.t.Helper()
	var err error
	if w.Watch, err = NewWatch(w.cfg); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watching) write(name, text string) {
	w.t.Helper()
	p := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// after moves the clock and looks.
func (w *watching) after(d time.Duration) []string {
	w.t.Helper()
	w.now = w.now.Add(d)
	w.look(w.t.Context())
	return w.got.names()
}

func (w *watching) want(when string, got []string, want ...string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: took %q, want %q", when, got, want)
	}
}

// TestWatch: files that settled are taken once, also over a restart; what grows waits; what changes
// is taken again; what was refused is listed once and tried again when it changes.
func TestWatch(t *testing.T) {
	t.Parallel()
	w := watchIn(t, "")
	w.write("a/one.dcm", "1")
	w.write("bad.txt", "x")
	w.write("twin.dcm", "x")
	w.write("all.zip", "PK")
	w.write("half.dcm.part", "x")
	w.write(".hidden", "x")
	w.write(".git/config", "x")
	w.want("at first", w.after(0))
	w.write("a/one.dcm", "12")
	w.want("too soon", w.after(watchSettle-time.Second))
	w.want("settled, one grew", w.after(time.Second), "all.zip", "bad.txt", "twin.dcm")
	w.want("the grown one", w.after(watchSettle), "one.dcm")
	w.want("nothing new", w.after(time.Hour))
	s := w.Status()
	if len(s.Refused) != 3 || s.Taken != 3 || s.Waiting != 0 || s.Fault != "" {
		t.Errorf("%+v", s)
	}
	if b, err := os.ReadFile(w.cfg.State); err != nil || strings.Contains(string(b), "one.dcm") || strings.Contains(string(b), "bad.txt") {
		t.Errorf("the memory names files: %s %v", b, err)
	}

	w.restart()
	w.want("restart", w.after(0))
	w.want("restart, settled: only to list it", w.after(watchSettle), "bad.txt")
	w.want("listed", w.after(watchSettle))
	w.write("bad.txt", "mended")
	w.after(0)
	w.want("changed", w.after(watchSettle), "bad.txt")

	if err := os.Remove(filepath.Join(w.dir, "a", "one.dcm")); err != nil {
		t.Fatal(err)
	}
	w.after(0)
	w.write("a/one.dcm", "12")
	w.after(0)
	w.want("gone and back", w.after(watchSettle), "one.dcm")
}

// TestWatchDamagedMemory: what cannot be read is forgotten; importing again adds nothing.
func TestWatchDamagedMemory(t *testing.T) {
	t.Parallel()
	w := watchIn(t, "")
	w.write("one.dcm", "1")
	w.after(0)
	w.want("settled", w.after(watchSettle), "one.dcm")
	if err := os.WriteFile(w.cfg.State, []byte(`{"key":"00`), 0o600); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.after(0)
	w.want("again", w.after(watchSettle), "one.dcm")
}

// TestWatchMedium: a medium is taken whole, by its directory, once all of it has settled.
func TestWatchMedium(t *testing.T) {
	t.Parallel()
	w := watchIn(t, "")
	w.write("cd/DICOMDIR", "x")
	w.write("cd/IMG/1", "1")
	w.write("other.dcm", "1")
	w.after(0)
	w.now = w.now.Add(watchSettle)
	w.write("cd/IMG/2", "2") // still being copied
	w.want("one is missing", w.after(0), "other.dcm")
	w.want("all there", w.after(watchSettle), "DICOMDIR")
	w.want("once", w.after(watchSettle))
	w.write("cd/IMG/3", "3")
	w.after(0)
	w.want("one more", w.after(watchSettle), "3")
}

// TestWatchDone: what was taken is moved away under its own path, and no file there is replaced.
func TestWatchDone(t *testing.T) {
	t.Parallel()
	done := filepath.Join(t.TempDir(), "done")
	w := watchIn(t, done)
	for range 2 {
		w.write("a/one.dcm", "1")
		w.write("bad.txt", "1")
		w.after(0)
		w.now = w.now.Add(time.Minute)
		if err := os.Chtimes(filepath.Join(w.dir, "a", "one.dcm"), w.now, w.now); err != nil {
			t.Fatal(err)
		}
		w.after(0)
		w.after(watchSettle)
	}
	for name, there := range map[string]bool{"a/one.dcm": true, "a/one.dcm.1": true, "bad.txt": false} {
		if _, err := os.Stat(filepath.Join(done, name)); (err == nil) != there {
			t.Errorf("%s in the other folder: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir, "bad.txt")); err != nil {
		t.Errorf("what was refused is gone: %v", err)
	}
	if _, err := NewWatch(WatchConfig{Dirs: []string{done}, Done: done}); err == nil {
		t.Error("a folder moves into itself")
	}
}

// TestWatchFault: while nothing can be taken nothing is forgotten, and a folder that is away for a
// while does not make its files new.
func TestWatchFault(t *testing.T) {
	t.Parallel()
	w := watchIn(t, "")
	w.write("one.dcm", "1")
	w.after(0)
	w.got.fail = errors.New("the vault is locked")
	w.after(watchSettle)
	if s := w.Status(); !strings.Contains(s.Fault, "locked") || s.Taken != 0 {
		t.Errorf("%+v", s)
	}
	w.got.fail = nil
	w.want("unlocked", w.after(0), "one.dcm")
	if s := w.Status(); s.Fault != "" || s.Taken != 1 {
		t.Errorf("%+v", s)
	}
	away := w.dir + "-away"
	if err := os.Rename(w.dir, away); err != nil {
		t.Fatal(err)
	}
	w.after(0)
	if s := w.Status(); s.Fault == "" || s.Taken != 1 {
		t.Errorf("away: %+v", s)
	}
	if err := os.Rename(away, w.dir); err != nil {
		t.Fatal(err)
	}
	w.want("back", w.after(time.Hour))
	w.want("back, settled", w.after(time.Hour))
}
