package control

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestListenFind(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	short, err := os.MkdirTemp("", "cs") //nolint:usetesting // t.TempDir is too long for a socket on some systems
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	for name, home := range map[string]string{"short": short, "long": long} {
		t.Run(name, func(t *testing.T) {
			if _, ok := Find(t.Context(), home); ok {
				t.Fatal("found a node where none runs")
			}
			for range 2 { // the second one finds the first one's leavings
				serveOnce(t, home)
			}
		})
	}
}

func serveOnce(t *testing.T, home string) {
	t.Helper()
	l, err := Listen(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	GetStatus.Handle(mux, func(context.Context, None) (Status, error) { return Status{Name: "x"}, nil })
	srv := &http.Server{Handler: mux}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	c, ok := Find(t.Context(), home)
	if !ok {
		t.Fatal("found no node")
	}
	defer c.Close()
	got, err := GetStatus.Call(t.Context(), c, None{})
	if err != nil || got.Name != "x" {
		t.Fatalf("status: %+v, %v", got, err)
	}
	info, err := os.Stat(Socket(home))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("socket has mode %v", info.Mode())
	}
}

func TestSocketElsewhereOfOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes do not decide there")
	}
	home, open := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "run", "socket"), []byte(open), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := Socket(home), filepath.Join(home, "run", socketName); got != want {
		t.Errorf("socket is looked for at %s, want %s", got, want)
	}
}
