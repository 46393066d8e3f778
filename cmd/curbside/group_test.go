package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

// groupTime is how long the group consult may take on a loaded machine.
const groupTime = 3 * time.Minute

// TestGroupConsult runs testdata/group.sh, which a person can run as well: a clinic, a chair, two
// consultants and an observer, five processes, from the request to the signed consensus, with one
// consultant offline for half of it and the other removed half-way.
func TestGroupConsult(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs five processes for a while")
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell here")
	}
	dir := phantomDir(t, 6, 11)
	ctx, cancel := context.WithTimeout(t.Context(), groupTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, "testdata/group.sh", dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	t.Logf("%s\n%s", time.Since(begun).Round(time.Second), out)
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "done") {
		t.Fatalf("the group consult failed: %v", err)
	}
}

// phantomDir is a folder with a CT made in code.
func phantomDir(t *testing.T, slices int, seed uint64) string {
	t.Helper()
	dir := t.TempDir()
	for i, f := range phantom.CT(phantom.Options{Seed: seed, Slices: slices, Side: 64}).Files {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))), f, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
