package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/storagetest"
)

func open(t *testing.T, dir string, key wire.Secret) *Index {
	t.Helper()
	ix, err := Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ix.Close() })
	return ix
}

func fill(t *testing.T, ix *Index, n int) {
	t.Helper()
	rows := make([]Row, n)
	for i := range rows {
		rows[i] = Row{Table: "work", Key: fmt.Sprintf("%05d", i), Value: fmt.Appendf(nil, "value %d", i)}
	}
	if err := ix.Batch(rows); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dir, key := filepath.Join(t.TempDir(), "index"), wire.NewSecret()
	ix := open(t, dir, key)
	if !ix.Fresh() {
		t.Error("a new index is not fresh")
	}
	fill(t, ix, 100)
	if err := ix.Put("other", "k", nil); err != nil {
		t.Fatal(err)
	}
	if err := ix.Delete("work", "00003"); err != nil {
		t.Fatal(err)
	}
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
	storagetest.Private(t, dir)
	ix = open(t, dir, key)
	if ix.Fresh() {
		t.Fatal("index was not kept")
	}
	n := 0
	if err := ix.Each("work", "0000", func(string, []byte) error { n++; return nil }); err != nil || n != 9 {
		t.Errorf("got %d rows, %v, want 9", n, err)
	}
	if v, ok, err := ix.Get("work", "00042"); !ok || err != nil || string(v) != "value 42" {
		t.Errorf("got %q %v %v", v, ok, err)
	}
	if _, ok, err := ix.Get("work", "00003"); ok || err != nil {
		t.Errorf("deleted row: %v %v", ok, err)
	}
	if n, err := ix.Check(); n != 100 || err != nil {
		t.Errorf("check: %d %v", n, err)
	}
}

// A database that is not as Close left it is never used.
func TestNotAsLeft(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, dir string){
		"unclean": func(t *testing.T, dir string) { t.Helper(); remove(t, filepath.Join(dir, "clean")) },
		"flipped": func(t *testing.T, dir string) { t.Helper(); flip(t, largest(t, dir)) },
		"lost":    func(t *testing.T, dir string) { t.Helper(); remove(t, filepath.Join(dir, "db", "MANIFEST")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, key := filepath.Join(t.TempDir(), "index"), wire.NewSecret()
			ix := open(t, dir, key)
			fill(t, ix, 10)
			if err := ix.Close(); err != nil {
				t.Fatal(err)
			}
			harm(t, dir)
			ix = open(t, dir, key)
			if !ix.Fresh() {
				t.Error("damaged index was used")
			}
			if n, err := ix.Check(); n != 0 || err != nil {
				t.Errorf("got %d rows, %v", n, err)
			}
			fill(t, ix, 3)
		})
	}
}

func TestOtherKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "index")
	ix := open(t, dir, wire.NewSecret())
	fill(t, ix, 10)
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
	if ix = open(t, dir, wire.NewSecret()); !ix.Fresh() {
		t.Error("index opened with another key")
	}
}

// A row whose value does not open empties the index while it runs.
func TestDamagedRow(t *testing.T) {
	t.Parallel()
	ix := open(t, filepath.Join(t.TempDir(), "index"), wire.NewSecret())
	fill(t, ix, 10)
	key := ix.key
	ix.key = wire.NewSecret() // as if every byte had changed
	if _, _, err := ix.Get("work", "00001"); !errors.Is(err, ErrRebuild) {
		t.Fatalf("got %v, want ErrRebuild", err)
	}
	ix.key = key
	if n, err := ix.Check(); n != 0 || err != nil {
		t.Errorf("after the wipe: %d rows, %v", n, err)
	}
	fill(t, ix, 10)
}

func TestPanicIsCaught(t *testing.T) {
	t.Parallel()
	ix := open(t, filepath.Join(t.TempDir(), "index"), wire.NewSecret())
	fill(t, ix, 10)
	err := ix.do(func(*badger.DB) error { panic("as badger does on a broken table") })
	if !errors.Is(err, ErrRebuild) {
		t.Fatalf("got %v, want ErrRebuild", err)
	}
	if n, err := ix.Check(); n != 0 || err != nil {
		t.Errorf("after the wipe: %d rows, %v", n, err)
	}
	fill(t, ix, 10)
}

func TestClosed(t *testing.T) {
	t.Parallel()
	ix := open(t, filepath.Join(t.TempDir(), "index"), wire.NewSecret())
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ix.Put("a", "b", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := ix.Wipe(); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ix := open(t, filepath.Join(t.TempDir(), "index"), wire.NewSecret())
	fill(t, ix, 20_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	got := int64(after.HeapInuse) - int64(before.HeapInuse)
	t.Logf("heap in use grew by %d MB", got>>20)
	if got > 64<<20 {
		t.Errorf("index uses %d MB", got>>20)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func largest(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "db", "*.sst"))
	if err != nil || len(files) == 0 {
		t.Fatal("no table", err)
	}
	return files[0]
}

func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
