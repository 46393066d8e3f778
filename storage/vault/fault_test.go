package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/durable"
	"github.com/curbside-p2p/curbside/storage/storagetest"
)

// fixture is a vault with n rows in table "t", closed.
func fixture(t *testing.T, n int) (dir string, u Unlock) {
	t.Helper()
	home := t.TempDir()
	u = Unlock{KeyFile: filepath.Join(home, "credential")}
	dir = filepath.Join(home, "p")
	v, err := Create(dir, u, Body{Device: wire.NewSecret(), CardNumber: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := v.Put("t", fmt.Sprint(i), fmt.Appendf(nil, "value %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, u
}

func openAt(t *testing.T, dir string, u Unlock) *Vault {
	t.Helper()
	v, err := Open(dir, u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func count(t *testing.T, v *Vault) int {
	t.Helper()
	n := 0
	err := v.Each("t", func(key string, value []byte) error {
		n++
		if string(value) != "value "+key {
			t.Errorf("row %s holds %q", key, value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A flipped bit anywhere in the vault is noticed: it does not open.
func TestFlippedVault(t *testing.T) {
	t.Parallel()
	dir, u := fixture(t, 0)
	path := filepath.Join(dir, "vault")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := Open(dir, u)
		if err == nil {
			_ = v.Close()
			t.Fatalf("byte %d: opened", at)
		}
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrPassphrase) && !errors.Is(err, ErrUnlock) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}

// A flipped bit in the rows costs at most one batch and is told.
func TestFlippedRows(t *testing.T) {
	t.Parallel()
	dir, u := fixture(t, 3)
	path := filepath.Join(dir, "rows")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 5 {
		b := bytes.Clone(whole)
		b[at] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		v := openAt(t, dir, u)
		if n := count(t, v); n < 2 {
			t.Fatalf("byte %d: %d rows left", at, n)
		}
		if len(v.Damage()) == 0 {
			t.Fatalf("byte %d: not noticed", at)
		}
		_ = v.Close()
	}
}

// Whoever can compute checksums still cannot remove, repeat or move a batch.
func TestForgedRows(t *testing.T) {
	t.Parallel()
	dir, u := fixture(t, 3)
	v := openAt(t, dir, u)
	var frames [][]byte
	if _, err := v.rows.log.Each(func(b []byte) error { frames = append(frames, bytes.Clone(b)); return nil }); err != nil {
		t.Fatal(err)
	}
	_ = v.Close()
	for name, order := range map[string][]int{"removed": {0, 2}, "swapped": {1, 0, 2}, "repeated": {0, 1, 2, 1}} {
		forged := storagetest.Copy(t, dir)
		log, _, err := (*durable.Disk)(nil).OpenLog(filepath.Join(forged, "rows"), rowSpec(), func([]byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		_ = log.Close()
		if err := os.Truncate(filepath.Join(forged, "rows"), 64); err != nil {
			t.Fatal(err)
		}
		log, _, err = (*durable.Disk)(nil).OpenLog(filepath.Join(forged, "rows"), rowSpec(), func([]byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range order {
			if err := log.Append(frames[i]); err != nil {
				t.Fatal(err)
			}
		}
		_ = log.Close()
		v := openAt(t, forged, u)
		if len(v.Damage()) == 0 {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// Rows of another vault, or of an older state of this one, are told.
func TestOtherRows(t *testing.T) {
	t.Parallel()
	dir, u := fixture(t, 3)
	old := storagetest.Copy(t, dir)
	v := openAt(t, dir, u)
	if err := v.Compact(); err != nil {
		t.Fatal(err)
	}
	if err := v.Put("t", "3", []byte("value 3")); err != nil {
		t.Fatal(err)
	}
	_ = v.Close()
	if v := openAt(t, dir, u); count(t, v) != 4 || len(v.Damage()) != 0 {
		t.Fatal("compacted rows differ", v.Damage())
	}
	if err := os.Rename(filepath.Join(old, "rows"), filepath.Join(dir, "rows")); err != nil {
		t.Fatal(err)
	}
	if v := openAt(t, dir, u); len(v.Damage()) == 0 {
		t.Error("older rows are not noticed")
	} else {
		_ = v.Close()
	}
	if err := os.Remove(filepath.Join(dir, "rows")); err != nil {
		t.Fatal(err)
	}
	if v := openAt(t, dir, u); len(v.Damage()) == 0 || v.Body().CardNumber != 3 {
		t.Error("missing rows are not noticed")
	}
}

// Nothing acknowledged is lost in a crash at any fsync, through batches, body
// updates, compaction and new keys.
func TestCrashes(t *testing.T) {
	t.Parallel()
	dir, u := fixture(t, 2)
	crashes := storagetest.Crashes(t, filepath.Dir(dir), func(disk *durable.Disk, acked *int) {
		touch(t, disk, filepath.Dir(dir))
		v, err := OpenOn(disk, dir, u)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = v.Close() }()
		row := func(i int) func() error {
			return func() error { return v.Put("t", fmt.Sprint(i), fmt.Appendf(nil, "value %d", i)) }
		}
		*acked = 2
		for _, step := range []func() error{
			row(2), v.Compact, row(3), func() error { return v.Rekey() }, row(4),
			func() error { return v.Update(func(b *Body) { b.CardNumber = 4 }) }, row(5),
		} {
			before := len(v.rows.rows["t"])
			if err := step(); err != nil {
				t.Error(err)
			}
			if len(v.rows.rows["t"]) > before {
				*acked++
			}
		}
	})
	for i, c := range crashes {
		if c.Acked == 0 {
			continue // before everything was known to be on the medium
		}
		v, err := Open(filepath.Join(c.Dir, "p"), Unlock{KeyFile: filepath.Join(c.Dir, "credential")})
		if err != nil {
			t.Errorf("crash %d (%+v): %v", i, c, err)
			continue
		}
		if n := count(t, v); n < c.Acked {
			t.Errorf("crash %d (%+v): %d rows", i, c, n)
		}
		for _, d := range v.Damage() {
			if d.What != Torn {
				t.Errorf("crash %d (%+v): %v", i, c, d.What)
			}
		}
		if err := v.Put("t", "9", []byte("value 9")); err != nil {
			t.Error(err)
		}
		_ = v.Close()
	}
}

// touch syncs all files there are, so that a crash keeps them.
func touch(t *testing.T, disk *durable.Disk, home string) {
	t.Helper()
	for _, name := range []string{"credential", "p/vault", "p/rows"} {
		f, err := disk.Open(filepath.Join(home, name), os.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir, u := fixture(t, 2)
	var faults storagetest.Faults
	v, err := OpenOn(faults.Disk(), dir, u)
	if err != nil {
		t.Fatal(err)
	}
	for room := range 8 {
		for name, f := range map[string]func() error{
			"put":     func() error { return v.Put("t", "2", []byte("value 2")) },
			"update":  func() error { return v.Update(func(b *Body) { b.CardNumber = 9 }) },
			"compact": v.Compact,
			"rekey":   func() error { return v.Rekey() },
			"case":    func() error { return v.Batch([]Row{{Table: "c", Key: "k", Case: [32]byte{byte(room + 1)}}}) },
		} {
			faults.Full(room * 12)
			if err := f(); !errors.Is(err, storagetest.ErrFull) {
				t.Errorf("%s with room for %d: %v", name, room*12, err)
			}
			faults.Heal()
			if v.Body().CardNumber != 3 || count(t, v) != 2 {
				t.Errorf("%s: a change that failed has happened", name)
			}
		}
	}
	if err := v.Put("t", "2", []byte("value 2")); err != nil {
		t.Fatal(err)
	}
	_ = v.Close()
	if v := openAt(t, dir, u); count(t, v) != 3 || len(v.Damage()) != 0 {
		t.Error("after the disk had room again:", v.Damage())
	}
}

// A sync that fails anywhere in a new key leaves a vault that opens with all rows.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	for n := range 10 {
		dir, u := fixture(t, 2)
		var faults storagetest.Faults
		v, err := OpenOn(faults.Disk(), dir, u)
		if err != nil {
			t.Fatal(err)
		}
		faults.FailSync(n)
		_ = v.Rekey()
		faults.Heal()
		err = v.Put("t", "2", []byte("value 2"))
		if err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		want := 3
		if err != nil {
			want = 2 // it locked itself, as it could not know what is on disk
		}
		_ = v.Close()
		if v := openAt(t, dir, u); count(t, v) != want || len(v.Damage()) != 0 {
			t.Errorf("sync %d: %d rows, %v", n, count(t, v), v.Damage())
		}
	}
}

func TestCompactsItself(t *testing.T) {
	t.Parallel()
	dir, u := fixture(t, 2)
	v := openAt(t, dir, u)
	big := make([]byte, 300<<10)
	for i := range 12 {
		big[0] = byte(i)
		if err := v.Put("big", "k", big); err != nil {
			t.Fatal(err)
		}
	}
	if size := v.rows.log.Size(); size > 2<<20 {
		t.Errorf("log has %d bytes for 300 KiB", size)
	}
	if count(t, v) != 2 {
		t.Error("rows were lost")
	}
	storagetest.Private(t, dir)
}

// No value, table or key can be read on disk.
func TestNothingInClear(t *testing.T) {
	t.Parallel()
	dir, u := fixture(t, 0)
	v := openAt(t, dir, u)
	for _, row := range []Row{
		{Table: "canary-table", Key: "canary-key", Value: []byte("canary-value")},
		{Table: "canary-table", Key: "canary-key2", Value: []byte("canary-value"), Case: [32]byte{1}},
	} {
		if err := v.Batch([]Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Update(func(b *Body) { b.Settings = []byte("canary-settings") }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vault", "rows"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("canary")) {
			t.Errorf("%s shows what it holds", name)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %v", v, v.Body(), v.Body(), u); bytes.Contains([]byte(s), []byte("canary")) {
		t.Error("printing shows what the vault holds")
	}
}
