package vault

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	u := Unlock{KeyFile: filepath.Join(dir, "credential")}
	body := Body{Device: wire.NewSecret(), KEMs: []KEM{{Seed: wire.NewSecret(), CreatedMS: 5}}, CardNumber: 7}
	v, err := Create(filepath.Join(dir, "p"), u, body)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Batch([]Row{{Table: "a", Key: "1", Value: []byte("x")}, {Table: "a", Key: "2", Case: [32]byte{1}, Value: []byte("y")}}); err != nil {
		t.Fatal(err)
	}
	if err := v.Rekey(); err != nil {
		t.Fatal(err)
	}
	if err := v.Put("b", "k", nil); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v, err = Open(filepath.Join(dir, "p"), u)
	if err != nil {
		t.Fatal(err)
	}
	if d := v.Damage(); len(d) > 0 {
		t.Fatal(d)
	}
	if got := v.Body(); !got.Device.Equal(body.Device) || got.KEMs[0] != body.KEMs[0] || len(got.CaseKeys) != 1 {
		t.Fatal("body differs")
	}
	for _, k := range []string{"1", "2"} {
		if got, ok := v.Get("a", k); !ok || len(got) != 1 {
			t.Fatalf("row %s: %q", k, got)
		}
	}
	if err := v.Shred([32]byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, ok := v.Get("a", "2"); ok {
		t.Fatal("shredded row is there")
	}
	if err := v.Confirm(u); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.Confirm(Unlock{KeyFile: other}); !errors.Is(err, ErrPassphrase) {
		t.Fatal(err)
	}
	if d, err := v.Check(); err != nil || len(d) > 0 {
		t.Fatal(d, err)
	}
}
