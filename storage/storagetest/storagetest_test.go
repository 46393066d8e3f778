package storagetest_test

import (
	"path/filepath"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/index"
	"github.com/curbside-p2p/curbside/storage/storagetest"
	"github.com/curbside-p2p/curbside/storage/vault"
)

func TestVault(t *testing.T) {
	t.Parallel()
	storagetest.TestRows(t, func(t *testing.T) (storagetest.Rows, func() storagetest.Rows) {
		t.Helper()
		dir := t.TempDir()
		u := vault.Unlock{KeyFile: filepath.Join(dir, "credential")}
		v, err := vault.Create(filepath.Join(dir, "p"), u, vault.Body{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = v.Close() })
		return v, func() storagetest.Rows {
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			if v, err = vault.Open(filepath.Join(dir, "p"), u); err != nil {
				t.Fatal(err)
			}
			if d := v.Damage(); len(d) > 0 {
				t.Fatal(d)
			}
			storagetest.Private(t, dir)
			return v
		}
	})
}

// rows lets an index pass the suite; its own signatures tell of damage.
type rows struct {
	t *testing.T
	*index.Index
}

func (r rows) Get(table, key string) ([]byte, bool) {
	v, ok, err := r.Index.Get(table, key)
	if err != nil {
		r.t.Error(err)
	}
	return v, ok
}

func (r rows) Each(table string, f func(string, []byte) error) error {
	return r.Index.Each(table, "", f)
}

func TestIndex(t *testing.T) {
	t.Parallel()
	storagetest.TestRows(t, func(t *testing.T) (storagetest.Rows, func() storagetest.Rows) {
		t.Helper()
		dir, key := filepath.Join(t.TempDir(), "index"), wire.NewSecret()
		ix, err := index.Open(dir, key)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ix.Close() })
		return rows{t, ix}, func() storagetest.Rows {
			if err := ix.Close(); err != nil {
				t.Fatal(err)
			}
			if ix, err = index.Open(dir, key); err != nil || ix.Fresh() {
				t.Fatal("index was not kept", err)
			}
			return rows{t, ix}
		}
	})
}
