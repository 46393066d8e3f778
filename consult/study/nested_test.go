package study

import (
	"bytes"
	"log"
	"os"
	"path/filepath"
	"testing"

	"github.com/curbside-p2p/curbside/consult/corpustest"
)

// Real files with LUTs and functional groups.
func TestNestedOfCorpus(t *testing.T) {
	dir := corpustest.Dir(t)
	groups, luts := 0, 0
	for _, row := range corpustest.Rows(t, filepath.Join(dir, "MANIFEST.tsv")) {
		if row["expect"] != "ok" {
			continue
		}
		in, err := Parse(readCorpus(t, dir, row["file"]))
		if err != nil {
			continue
		}
		for _, f := range in.Findings {
			if f == "nested metadata is not readable" {
				t.Logf("%s: %s", row["file"], f)
			}
		}
		if len(in.Pixel.PerFrame) > 0 {
			groups++
		}
		if in.Pixel.ModalityLUT != nil || len(in.Pixel.VOILUTs) > 0 {
			luts++
			t.Logf("%s: modality %v voi %d", row["file"], in.Pixel.ModalityLUT != nil, len(in.Pixel.VOILUTs))
		}
	}
	t.Logf("%d files with frame groups, %d with LUTs", groups, luts)
	if groups == 0 || luts == 0 {
		t.Error("nothing nested was read")
	}
}

// The metadata library prints to the global logger on odd items; the view that
// it gets has none.
func TestLibraryIsSilent(t *testing.T) {
	dir := corpustest.Dir(t)
	var out bytes.Buffer
	log.SetOutput(&out)
	defer log.SetOutput(os.Stderr)
	for _, row := range corpustest.Rows(t, filepath.Join(dir, "MANIFEST.tsv")) {
		_, _ = Parse(readCorpus(t, dir, row["file"]))
	}
	if out.Len() > 0 {
		t.Errorf("it printed %d bytes", out.Len())
	}
}
