package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

func TestPassphrase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "p")
	u := Unlock{Passphrase: []byte("one two three"), MemoryKiB: memoryMinKiB}
	v, err := Create(dir, u, Body{})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Confirm(Unlock{Passphrase: []byte("one two four")}); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if err := v.Confirm(Unlock{}); !errors.Is(err, ErrUnlock) {
		t.Errorf("no passphrase: %v", err)
	}
	if err := v.Confirm(Unlock{KeyFile: "/nowhere"}); !errors.Is(err, ErrUnlock) {
		t.Errorf("no such slot: %v", err)
	}
	if err := v.Put("t", "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	cred := Unlock{KeyFile: filepath.Join(t.TempDir(), "credential")}
	if err := v.Rekey(cred); err != nil { // changes how it is unlocked
		t.Fatal(err)
	}
	_ = v.Close()
	if v.Body().CardNumber != 0 || !errors.Is(v.Put("t", "k", nil), ErrClosed) || !errors.Is(v.Confirm(cred), ErrClosed) {
		t.Error("a closed vault answers")
	}
	if _, err := Open(dir, u); !errors.Is(err, ErrUnlock) {
		t.Errorf("the old passphrase: %v", err)
	}
	v, err = Open(dir, cred)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	if got, ok := v.Get("t", "k"); !ok || string(got) != "v" {
		t.Errorf("row %q %v", got, ok)
	}
	if types, err := Slots(dir); err != nil || len(types) != 1 || types[0] != SlotCredential {
		t.Errorf("slots %v %v", types, err)
	}
	if _, err := Create(dir, cred, Body{}); !errors.Is(err, ErrExists) {
		t.Errorf("create over a vault: %v", err)
	}
	if _, err := Open(t.TempDir(), cred); !errors.Is(err, ErrNone) {
		t.Errorf("no vault: %v", err)
	}
}

func TestWritersLimits(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]Unlock{
		"cheap":    {Passphrase: []byte("x"), MemoryKiB: memoryMinKiB - 1},
		"huge":     {Passphrase: []byte("x"), MemoryKiB: memoryMaxKiB + 1},
		"empty":    {MemoryKiB: memoryMinKiB},
		"not text": {Passphrase: []byte{0xff}, MemoryKiB: memoryMinKiB},
		"endless":  {Passphrase: make([]byte, passphraseMax+1), MemoryKiB: memoryMinKiB},
	} {
		if _, err := Create(filepath.Join(t.TempDir(), "p"), u, Body{}); !errors.Is(err, ErrCost) && !errors.Is(err, ErrText) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyFileRules(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "credential")
	for name, f := range map[string]struct {
		size int
		mode os.FileMode
	}{"short": {31, 0o600}, "long": {33, 0o600}, "readable": {32, 0o640}} {
		_ = os.Remove(path)
		if err := os.WriteFile(path, make([]byte, f.size), f.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Create(filepath.Join(t.TempDir(), "p"), Unlock{KeyFile: path}, Body{}); !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTwoSlots(t *testing.T) {
	t.Parallel()
	dir, u := fixture(t, 1)
	v := openAt(t, dir, u)
	second := Unlock{KeyFile: filepath.Join(t.TempDir(), "second")}
	if err := v.Rekey(u, second); err != nil {
		t.Fatal(err)
	}
	if err := v.Rekey(); !errors.Is(err, ErrSlots) {
		t.Errorf("new key with one of two slots: %v", err)
	}
	_ = v.Close()
	for _, u := range []Unlock{u, second} {
		v := openAt(t, dir, u)
		if count(t, v) != 1 {
			t.Error("rows are lost")
		}
		_ = v.Close()
	}
}

// After a case is shredded its old rows open with nothing that is left, nor does
// an old vault's master key open the new rows.
func TestShred(t *testing.T) {
	t.Parallel()
	dir, u := fixture(t, 1)
	v := openAt(t, dir, u)
	id := [32]byte{7}
	if err := v.Batch([]Row{{Table: "case", Key: "secret", Value: []byte("x"), Case: id}}); err != nil {
		t.Fatal(err)
	}
	oldMK := v.mk
	if err := v.Shred(id); err != nil {
		t.Fatal(err)
	}
	if v.mk.Equal(oldMK) {
		t.Error("master key is the old one")
	}
	if _, ok := v.Get("case", "secret"); ok || count(t, v) != 1 || len(v.Body().CaseKeys) != 0 {
		t.Error("not shredded")
	}
	f, err := readFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openBody(oldMK, f.Box); !errors.Is(err, ErrDamaged) {
		t.Errorf("the old master key opens the new vault: %v", err)
	}
	key, err := v.CaseKey(id)
	if err != nil || key == (wire.Secret{}) {
		t.Error("a shredded case gets no new key", err)
	}
}

func FuzzFile(f *testing.F) {
	s, _, err := newSlot(Unlock{KeyFile: seedKey(f)}, wire.Secret{})
	if err != nil {
		f.Fatal(err)
	}
	seed, err := vaultFile{Version: 1, Slots: []slot{s}, Box: make([]byte, 40)}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := decodeFile(b)
		if err != nil {
			return
		}
		again, err := file.encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Error("does not encode to itself", err)
		}
		for _, s := range file.Slots {
			_, _ = s.open(wire.Secret{})
		}
	})
}

func seedKey(f *testing.F) string {
	f.Helper()
	path := filepath.Join(f.TempDir(), "credential")
	if err := os.WriteFile(path, make([]byte, 32), 0o600); err != nil {
		f.Fatal(err)
	}
	return path
}

func FuzzBody(f *testing.F) {
	p, err := encodeBody(Body{CardNumber: 1, Heads: []Head{{Seq: 1}}}, make([]byte, 12))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeBody(b)
		if err != nil {
			return
		}
		if again, err := encodeBody(s.Body, s.Rows); err != nil || !bytes.Equal(again, b) {
			t.Error("does not encode to itself", err)
		}
	})
}

func FuzzRows(f *testing.F) {
	p := wire.MustMarshal([]record{{Table: []byte("t"), Key: []byte("k"), Box: make([]byte, 30)}, {Table: []byte("t"), Key: []byte("k"), Case: make([]byte, 32)}})
	f.Add(p)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = openFrame(wire.Secret{}, make([]byte, 12), b)
		batch, err := decodeBatch(b)
		if err != nil {
			return
		}
		if again, err := wire.Marshal(batch); err != nil || !bytes.Equal(again, b) {
			t.Error("does not encode to itself", err)
		}
		l := &rowLog{rows: map[string]map[string]value{}}
		for _, r := range batch {
			_ = l.applyRow(r, &Body{}, wire.Secret{})
		}
	})
}

func BenchmarkBatch(b *testing.B) {
	home := b.TempDir()
	v, err := Create(filepath.Join(home, "p"), Unlock{KeyFile: filepath.Join(home, "credential")}, Body{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	rows := make([]Row, 600)
	for i := range rows {
		rows[i] = Row{Table: "study", Key: string(rune('a' + i)), Value: make([]byte, 100)}
	}
	b.SetBytes(600 * 100)
	n := 0
	for b.Loop() {
		n++
		for i := range rows {
			rows[i].Value[0], rows[i].Value[1] = byte(n), byte(n>>8)
		}
		if err := v.Batch(rows); err != nil {
			b.Fatal(err)
		}
	}
}
