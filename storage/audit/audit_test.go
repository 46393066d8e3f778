package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func open(t *testing.T, dir string, key []byte) *Log {
	t.Helper()
	l, err := Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func record(i int) Record {
	return Record{
		TimeMS: int64(i), Action: View, ObjectType: "study", Object: fmt.Sprint(i), Outcome: Done,
		Person: bytes.Repeat([]byte{1}, 32), Reason: "asked",
	}
}

func add(t *testing.T, l *Log, n int) {
	t.Helper()
	for range n {
		if _, err := l.Append(record(int(l.Len()))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	dir, key := filepath.Join(t.TempDir(), "audit"), NewKey()
	l := open(t, dir, key)
	add(t, l, 5)
	first, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if i, err := l.Append(record(5), record(6)); err != nil || i != 5 {
		t.Fatal(i, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = open(t, dir, key)
	if l.Len() != 7 {
		t.Fatalf("%d records after opening again", l.Len())
	}
	older, err := ParseCheckpoint(first, l.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	newer, err := ParseCheckpoint(l.Latest(), l.PublicKey())
	if err != nil || newer.Size != 7 {
		t.Fatal(newer, err)
	}
	proof, err := l.ProveConsistency(5, 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckConsistency(older, newer, proof); err != nil {
		t.Error(err)
	}
	bad := newer
	bad.Root[0] ^= 1
	if err := CheckConsistency(older, bad, proof); !errors.Is(err, ErrInconsistent) {
		t.Errorf("another history: %v", err)
	}
	n := 0
	err = l.List(2, func(e Entry) error {
		n++
		inclusion, err := l.ProveRecord(7, e.Index)
		if err != nil {
			return err
		}
		if e.Record.Object != fmt.Sprint(e.Index) {
			t.Errorf("record %d is about %q", e.Index, e.Record.Object)
		}
		return tlog.CheckRecord(inclusion, 7, newer.Root, e.Index, tlog.RecordHash(e.Leaf))
	})
	if err != nil || n != 5 {
		t.Errorf("list: %d, %v", n, err)
	}
	if r, err := l.Verify(); err != nil || r.Records != 7 || r.Checkpoints != 2 {
		t.Errorf("verify: %+v, %v", r, err)
	}
}

func TestErase(t *testing.T) {
	t.Parallel()
	dir, key := filepath.Join(t.TempDir(), "audit"), NewKey()
	l := open(t, dir, key)
	add(t, l, 4)
	before, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Erase(2); err != nil {
		t.Fatal(err)
	}
	add(t, l, 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, key)
	if r, err := l.Verify(); err != nil || r.Erased != 1 || r.Records != 5 {
		t.Errorf("verify: %+v, %v", r, err)
	}
	older, err := ParseCheckpoint(before, l.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	newer, _ := ParseCheckpoint(l.Latest(), l.PublicKey())
	proof, err := l.ProveConsistency(4, 5)
	if err != nil || CheckConsistency(older, newer, proof) != nil {
		t.Errorf("erasing changed the tree: %v", err)
	}
}

// Whatever byte of the records is altered, it does not go unnoticed, and what
// was recorded before the newest checkpoint cannot be taken back.
func TestDamage(t *testing.T) {
	t.Parallel()
	dir, key := filepath.Join(t.TempDir(), "audit"), NewKey()
	l := open(t, dir, key)
	add(t, l, 6)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "records"))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 7 {
		b := bytes.Clone(whole)
		b[at] ^= 0x40
		noticed(t, dir, key, b, fmt.Sprintf("byte %d flipped", at), at < 64)
	}
	for _, cut := range []int{1, 40, len(whole) / 2} {
		noticed(t, dir, key, whole[:len(whole)-cut], fmt.Sprintf("%d bytes cut", cut), false)
	}
}

func noticed(t *testing.T, dir string, key, records []byte, what string, head bool) {
	t.Helper()
	copyDir := filepath.Join(t.TempDir(), "audit")
	if err := os.CopyFS(copyDir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copyDir, "records"), records, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(copyDir, key)
	if err != nil {
		return
	}
	defer func() { _ = l.Close() }()
	r, err := l.Verify()
	if err == nil && len(r.Lost) == 0 && !head { // one bad head of two is repaired
		t.Errorf("%s: not noticed", what)
	}
	if l.Len() != 6 {
		t.Errorf("%s: %d records, tree has changed", what, l.Len())
	}
}

// Records rewritten by somebody who knows the format do not fit the checkpoint.
func TestRewritten(t *testing.T) {
	t.Parallel()
	dir, key := filepath.Join(t.TempDir(), "audit"), NewKey()
	l := open(t, dir, key)
	add(t, l, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "audit")
	l = open(t, other, key)
	add(t, l, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(other, "records"), filepath.Join(dir, "records")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, key); !errors.Is(err, ErrInconsistent) {
		t.Fatalf("got %v, want ErrInconsistent", err)
	}
	if err := SetAside(dir, "damaged-1"); err != nil {
		t.Fatal(err)
	}
	if l := open(t, dir, key); l.Len() != 0 {
		t.Error("set aside, yet not empty")
	}
}

func TestCosign(t *testing.T) {
	t.Parallel()
	l := open(t, filepath.Join(t.TempDir(), "a"), NewKey())
	peer := open(t, filepath.Join(t.TempDir(), "b"), NewKey())
	add(t, l, 3)
	signed, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCheckpoint(signed, l.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	line := Cosign(peer.WitnessKey(), c, 1_700_000_000)
	pub := peer.WitnessKey().Public().(ed25519.PublicKey)
	if at, err := CheckCosignature(line, pub, c); err != nil || at != 1_700_000_000 {
		t.Error(at, err)
	}
	// A cosigned checkpoint is still the log's.
	if _, err := ParseCheckpoint(append(bytes.Clone(signed), line...), l.PublicKey()); err != nil {
		t.Error(err)
	}
	c.Size++
	if _, err := CheckCosignature(line, pub, c); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("another checkpoint: %v", err)
	}
	if _, err := ParseCheckpoint(signed, peer.PublicKey()); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("another log: %v", err)
	}
}

func TestRecordRules(t *testing.T) {
	t.Parallel()
	l := open(t, filepath.Join(t.TempDir(), "a"), NewKey())
	for name, change := range map[string]func(*Record){
		"action":  func(r *Record) { r.Action = 15 },
		"outcome": func(r *Record) { r.Outcome = 0 },
		"person":  func(r *Record) { r.Person = []byte{1} },
		"patient": func(r *Record) { r.Patient = []byte("John Doe") },
		"long":    func(r *Record) { r.Reason = string(make([]byte, textMax+1)) },
	} {
		r := record(1)
		change(&r)
		if _, err := l.Append(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if l.Len() != 0 {
		t.Error("a refused record was kept")
	}
	if tag := l.PatientTag("4711"); len(tag) != 16 || !bytes.Equal(tag, l.PatientTag("4711")) || bytes.Equal(tag, l.PatientTag("4712")) {
		t.Error("patient tags do not stand for patients")
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(encodeFrame(3, []leaf{{data: make([]byte, 20)}, {erased: true}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		first, leaves, err := decodeFrame(b)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeFrame(first, leaves), b) {
			t.Error("does not encode to itself")
		}
		for _, x := range leaves {
			if !x.erased {
				_, _ = decodeRecord(x.data[saltSize:])
			}
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	l, err := newLog(nil, f.TempDir(), make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(Checkpoint{Origin: l.origin, Size: 5}.encode())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := decodeCheckpoint(text)
		if err == nil && c.encode() != text {
			t.Error("does not encode to itself")
		}
		_, _ = ParseCheckpoint([]byte(text), l.public)
		_, _ = CheckCosignature(text, l.public, c)
	})
}

func BenchmarkAppend(b *testing.B) {
	l, err := Open(b.TempDir(), NewKey())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for b.Loop() {
		if _, err := l.Append(record(1)); err != nil {
			b.Fatal(err)
		}
	}
}
