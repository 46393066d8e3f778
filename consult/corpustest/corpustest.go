// Package corpustest finds the shared corpus of real DICOM files for the tests of
// other packages: ../shared/corpus beside the repository, or $CURBSIDE_CORPUS.
// Where there is none they skip aloud, in words that .ci/run looks for.
package corpustest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Dir is the corpus, as an absolute path. Without one the test is skipped.
func Dir(t testing.TB) string {
	t.Helper()
	dir, ok := Find()
	if !ok {
		t.Skip("SKIP corpus absent: ../shared/corpus not present, real-file checks skipped")
	}
	return dir
}

// Find is Dir for who goes on without a corpus, such as a fuzz target that wants seeds.
func Find() (dir string, ok bool) {
	dir = os.Getenv("CURBSIDE_CORPUS")
	if dir == "" {
		dir = filepath.Join(moduleRoot(), "..", "shared", "corpus")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", false
	}
	_, err = os.Stat(filepath.Join(dir, "MANIFEST.tsv"))
	return dir, err == nil
}

// moduleRoot is the folder of go.mod, seen from a test's: its package's folder.
func moduleRoot() string {
	for up := "."; len(up) < 64; up = filepath.Join(up, "..") {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			return up
		}
	}
	return "."
}

// Rows reads a table of the corpus by its column names.
func Rows(t testing.TB, path string) []map[string]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	names := strings.Split(lines[0], "\t")
	var out []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, v := range strings.Split(line, "\t") {
			row[names[i]] = v
		}
		out = append(out, row)
	}
	return out
}
