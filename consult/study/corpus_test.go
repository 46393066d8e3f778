package study

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/corpustest"
)

func readCorpus(t testing.TB, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// importDirectory does what an importer does with a DICOMDIR.
func importDirectory(path string, file []byte) error {
	ids, err := ReadDICOMDIR(file)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash(id))); err != nil {
			return errors.New("a listed file is missing")
		}
	}
	return nil
}

func TestCorpusVerdicts(t *testing.T) {
	dir := corpustest.Dir(t)
	for _, row := range corpustest.Rows(t, filepath.Join(dir, "MANIFEST.tsv")) {
		name := row["file"]
		file := readCorpus(t, dir, name)
		start := time.Now()
		in, err := Parse(file)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		var r *Refusal
		if err != nil && !errors.As(err, &r) {
			t.Errorf("%s: error is no refusal: %v", name, err)
			continue
		}
		if r != nil && r.Reason == Directory {
			err = importDirectory(filepath.Join(dir, name), file)
		}
		if got := err == nil; got != (row["expect"] == "ok") {
			t.Errorf("%s: got %v, want %s (%s)", name, err, row["expect"], row["good_for"])
		}
		if in != nil {
			head, bulk := Split(file, in)
			back, err := Join(head, bulk, in.Off)
			if err != nil || !bytes.Equal(back, file) {
				t.Errorf("%s: split and join differ: %v", name, err)
			}
		}
	}
}
