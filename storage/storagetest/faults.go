// Package storagetest proves that what the stores acknowledge survives.
//
// It has faults (a disk that is full after some bytes, an fsync that fails, a
// crash at each fsync, a flipped byte) and suites that every store of a kind
// passes. A crash is a copy of the folder in the moment before an fsync, in two
// versions between which the truth lies: all that was written is there, and only
// what was synced is there. A store must open both with everything it had
// acknowledged.
package storagetest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/curbside-p2p/curbside/storage/durable"
)

// ErrFull is what a full disk answers.
var ErrFull = errors.New("no space left on the test's disk")

// ErrSync is what a failing fsync answers.
var ErrSync = errors.New("the test's fsync fails")

// Faults is a disk that can be made to fail. The zero value works.
type Faults struct {
	mu    sync.Mutex
	full  bool
	room  int
	syncs int // good syncs before one fails; below 0: none does
	armed bool
}

// Full lets room more bytes be written; the write that exceeds it is cut there.
func (f *Faults) Full(room int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full, f.room = true, room
}

// FailSync lets the sync after n good ones fail, once.
func (f *Faults) FailSync(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.syncs = true, n
}

// Heal makes the disk work again.
func (f *Faults) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full, f.armed = false, false
}

// Disk is the disk to open a store on.
func (f *Faults) Disk() *durable.Disk {
	return &durable.Disk{Write: f.write, Sync: f.sync}
}

func (f *Faults) write(_ string, n int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.full || n <= f.room {
		f.room -= n
		return n, nil
	}
	allowed := f.room
	f.room = 0
	return allowed, ErrFull
}

func (f *Faults) sync(string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return nil
	}
	if f.syncs--; f.syncs < 0 {
		f.armed = false
		return ErrSync
	}
	return nil
}

// Crash is a folder as a power cut left it.
type Crash struct {
	Dir    string
	Strict bool // only what was synced is there
	Acked  int  // what the store had acknowledged by then
}

// Crashes runs work on a disk in dir and returns two crashes for every fsync
// that happens meanwhile. Work counts up acked after each acknowledgement.
func Crashes(t *testing.T, dir string, work func(disk *durable.Disk, acked *int)) []Crash {
	t.Helper()
	r := &recorder{t: t, dir: dir}
	work(&durable.Disk{Sync: r.sync}, &r.acked)
	r.snapshot()
	return r.out
}

type recorder struct {
	t     *testing.T
	dir   string
	mu    sync.Mutex
	acked int
	out   []Crash
	files []synced
}

// synced is what of a file is on the medium. Files keep their identity when they
// are renamed.
type synced struct {
	info fs.FileInfo
	data []byte
}

func (r *recorder) sync(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.snapshot()
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for i := range r.files {
		if os.SameFile(r.files[i].info, info) {
			r.files[i].data = data
			return nil
		}
	}
	r.files = append(r.files, synced{info: info, data: data})
	return nil
}

func (r *recorder) snapshot() {
	for _, strict := range []bool{false, true} {
		to := r.t.TempDir()
		if err := r.copy(to, strict); err != nil {
			r.t.Fatal(err)
		}
		r.out = append(r.out, Crash{Dir: to, Strict: strict, Acked: r.acked})
	}
}

func (r *recorder) copy(to string, strict bool) error {
	return filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), durable.DirMode)
		}
		var data []byte
		if strict {
			data, err = r.onMedium(path)
		} else {
			data, err = os.ReadFile(path) //nolint:gosec // G122: the test's own folder
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, durable.FileMode)
	})
}

func (r *recorder) onMedium(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	for i := range r.files {
		if os.SameFile(r.files[i].info, info) {
			return r.files[i].data, nil
		}
	}
	return nil, nil
}

// Flip inverts a bit of a file.
func Flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// Cut shortens a file by n bytes.
func Cut(t *testing.T, path string, n int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, max(info.Size()-n, 0)); err != nil {
		t.Fatal(err)
	}
}

// Copy copies a folder, so that a test can do harm to it.
func Copy(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// Private fails the test if anything in dir can be reached by others.
func Private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && path != dir {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// FastDir is a folder for many small tests that need no real disk, in memory
// where the system has such a place: a fuzz target would wait for fsync alone.
func FastDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "curbside") //nolint:usetesting // TempDir cannot be elsewhere
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
