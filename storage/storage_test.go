package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/storage/storagetest"
)

func TestMain(m *testing.M) {
	if home := os.Getenv("CURBSIDE_TEST_HOME"); home != "" {
		_, err := Open(home)
		fmt.Println(err)
		_, _ = io.Copy(io.Discard, os.Stdin) // hold the lock until killed
	}
	os.Exit(m.Run())
}

func open(t *testing.T, home string) *Dir {
	t.Helper()
	d, err := Open(home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestLayout(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "a", "home")
	d := open(t, home)
	if b, err := os.ReadFile(d.Path("VERSION")); err != nil || string(b) != "1\n" {
		t.Errorf("VERSION %q, %v", b, err)
	}
	if err := os.WriteFile(filepath.Join(d.Tmp(), "half-done"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"run", "log", "blobs", "journal", "index", "audit"} {
		if _, err := os.Stat(d.Path(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is made before it is asked for", name)
		}
	}
	run, err := d.Run()
	if err != nil || run != d.Path("run") {
		t.Error(run, err)
	}
	if err := os.MkdirAll(d.Person("ab"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Person("ab"), "vault"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if ids, err := d.Persons(); err != nil || fmt.Sprint(ids) != "[ab]" {
		t.Error(ids, err)
	}
	n := 0
	for range 2 {
		key, err := d.NodeKey(func() []byte { n++; return []byte("key") })
		if err != nil || string(key) != "key" || n != 1 {
			t.Error(key, n, err)
		}
	}
	if _, err := d.AuditKey(func() []byte { return []byte("k") }); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o755); err != nil {
		t.Fatal(err)
	}
	d = open(t, home)
	if left, err := os.ReadDir(d.Tmp()); err != nil || len(left) > 0 {
		t.Error("tmp was not swept", err)
	}
	storagetest.Private(t, filepath.Dir(home))
}

func TestRefused(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "thesis.doc"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(home); !errors.Is(err, ErrForeign) {
		t.Errorf("somebody's folder: %v", err)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 1 {
		t.Error("a foreign folder was changed", err)
	}
	for content, want := range map[string]error{"2\n": ErrVersion, "x": nil, "": nil} {
		home := t.TempDir()
		if err := os.WriteFile(filepath.Join(home, "VERSION"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(home)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("VERSION %q: %v", content, err)
		}
	}
}

func TestLockedInProcess(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	d := open(t, home)
	_, err := Open(home)
	var locked *LockedError
	if !errors.As(err, &locked) || !errors.Is(err, ErrLocked) || locked.PID != os.Getpid() {
		t.Fatalf("got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	open(t, home)
}

// Another process holds the lock until it is killed, and is named.
func TestLockedByOther(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CURBSIDE_TEST_HOME="+home)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	_, err = Open(home)
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != cmd.Process.Pid {
		t.Errorf("got %v, want process %d", err, cmd.Process.Pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	open(t, home)
}
