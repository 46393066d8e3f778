package deid

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study"
)

func testCase() *Case {
	o, _ := ProfileOptions(ProfileDefault)
	return &Case{Key: [32]byte{1, 2, 3}, Options: o}
}

// opened splits and guards a file.
func opened(tb testing.TB, file []byte) (*Source, *study.Instance, []byte) {
	tb.Helper()
	in, err := study.Parse(file)
	if err != nil {
		tb.Fatal(err)
	}
	head, bulk := study.Split(file, in)
	off := int64(0)
	if len(bulk) > 0 {
		off = in.Off
	}
	s, err := Open(head, off, bytes.NewReader(bulk), int64(len(bulk)))
	if err != nil {
		tb.Fatal(err)
	}
	return s, in, bulk
}

// TestOrdinary measures how many ordinary images of the corpus are refused by mistake: images that
// no rule holds back for their kind, and that are left out or would be asked about all the same.
func TestOrdinary(t *testing.T) {
	dir := corpustest.Dir(t)
	total, refused, asked, ordinary := 0, 0, 0, 0
	reasons := map[string]int{}
	for _, row := range corpustest.Rows(t, filepath.Join(dir, "MANIFEST.tsv")) {
		if row["expect"] != "ok" || strings.HasPrefix(row["file"], "hostile/") || strings.Contains(row["file"], "DICOMDIR") {
			continue
		}
		file, err := os.ReadFile(filepath.Join(dir, row["file"]))
		if err != nil {
			t.Fatal(err)
		}
		in, err := study.Parse(file)
		if err != nil || in.Pixel.Rows == 0 || Excluded(in.SOPClass) != "" || in.NotSplit {
			continue
		}
		s, in, bulk := opened(t, file)
		risky := Risk(in, s.Outline) != ""
		if risky {
			asked++
		}
		total++
		if why := mistake(s, in, bulk, !risky); why != "" {
			refused++
			if !risky {
				ordinary++
			}
			reasons[why]++
			t.Logf("%s: %s", row["file"], why)
		}
	}
	t.Logf("ordinary images: %d, refused by mistake: %d; images that a person is asked about for their kind: %d, refused by mistake: %d %v",
		total-asked, ordinary, asked, refused-ordinary, reasons)
	if total == 0 || ordinary*100 > total-asked || refused*20 > total {
		t.Errorf("%d of %d images are refused by mistake, %d ordinary ones", refused, total, ordinary)
	}
}

func mistake(s *Source, in *study.Instance, bulk []byte, look bool) string {
	c := testCase()
	out, err := c.Head(s, "k", nil)
	if err != nil {
		return "head: " + err.Error()
	}
	again, err := Open(out.Bytes, out.Off, bytes.NewReader(bulk), int64(len(bulk)))
	if err != nil {
		return "rewritten head: " + err.Error()
	}
	joined, err := study.Join(out.Bytes, bulk, out.Off)
	if err != nil {
		return err.Error()
	}
	in2, err := study.Parse(joined)
	if err != nil {
		return "joined: " + err.Error()
	}
	if in2.Pixel.Rows != in.Pixel.Rows || in2.Pixel.Photometric != in.Pixel.Photometric || in2.Pixel.Frames != in.Pixel.Frames || in2.Modality != in.Modality {
		return "pixels are described otherwise"
	}
	if h := NeedlesOf(s, c.Options).Check(again); h != nil {
		return "needle: " + h.Error() + " " + NameOf(h.Tag)
	}
	if _, err := CleanBulk(in, s.Outline, bytes.NewReader(bulk)); err != nil {
		return "bulk: " + err.Error()
	}
	for k := range min(max(in.Pixel.Frames, 1), 3) {
		if !look {
			break
		}
		if n, err := decode(in, bytes.NewReader(bulk), k); err == nil && Glyphs(n) {
			return "glyphs"
		}
	}
	return ""
}
