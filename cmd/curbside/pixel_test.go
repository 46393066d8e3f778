package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/node/control"
)

// expectedFrame is one row of the corpus' FRAMES.tsv.
type expectedFrame struct {
	frame      int
	head       control.Pixels // without bytes
	sum        string
	tolerance  string // "max N" or "mean N", against reference
	reference  string
	sopUID     string
	instanceOf string // the file
}

// expectedFrames are the rows of files that are to be imported, by file.
func expectedFrames(t *testing.T, files []*corpusFile) map[string][]expectedFrame {
	t.Helper()
	sops := map[string]string{}
	for _, f := range files {
		sops[f.name] = f.sopUID
	}
	table, err := os.ReadFile(filepath.Join(corpustest.Dir(t), "expected", "FRAMES.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]expectedFrame{}
	for line := range strings.Lines(string(table)) {
		c := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if c[0] == "file" || sops[c[0]] == "" {
			continue
		}
		n := func(i int) int { v, _ := strconv.Atoi(c[i]); return v }
		out[c[0]] = append(out[c[0]], expectedFrame{
			frame: n(1), sum: c[8], tolerance: c[10], reference: c[11], sopUID: sops[c[0]], instanceOf: c[0],
			head: control.Pixels{Rows: n(2), Cols: n(3), Samples: n(4), BitsAllocated: n(5), Signed: c[6] == "1", Photometric: c[7]},
		})
	}
	return out
}

// TestCorpusPixel asks for every frame that the corpus knows, without naming a study: of each file
// one by the command line, the others through the same use case. It prints what was exact.
func TestCorpusPixel(t *testing.T) {
	t.Parallel()
	files := corpus(t)
	rows := expectedFrames(t, files)
	if len(rows) == 0 {
		t.Fatal("the corpus expects no frame")
	}
	start := time.Now()
	for i, group := range apart(files) {
		t.Run(fmt.Sprintf("homes-%d", i+1), func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, "Reader")
			var paths []string
			var want [][]expectedFrame
			for _, f := range group {
				if r := rows[f.name]; r != nil {
					paths = append(paths, f.path)
					want = append(want, r)
				}
			}
			if len(paths) == 0 {
				return
			}
			importFiles(p, paths)
			var mu sync.Mutex
			counts := map[string]int{}
			each(want, func(list []expectedFrame) {
				for i, e := range list {
					px, err := pixelsOf(p, e, i == 0, t.TempDir())
					verdict := "failed"
					if err == nil {
						verdict, err = e.judge(corpustest.Dir(t), px)
					} else if _, name, ok := strings.Cut(err.Error(), "cannot be displayed here, stored and forwarded intact: "); ok {
						verdict, err = "refused by name: "+name, nil // which decoders there are is consult/codec's to test
					}
					if err != nil {
						t.Errorf("%s frame %d: %v", e.instanceOf, e.frame, err)
					}
					mu.Lock()
					counts[verdict]++
					mu.Unlock()
				}
			})
			for _, k := range slices.Sorted(maps.Keys(counts)) {
				t.Logf("%5d %s", counts[k], k)
			}
			t.Logf("%d files, %v", len(paths), time.Since(start).Round(time.Millisecond))
		})
	}
}

// pixelsOf is one frame, by command or by call.
func pixelsOf(p *process, e expectedFrame, byCommand bool, dir string) (control.Pixels, error) {
	if !byCommand {
		return control.PixelFrame.Call(p.t.Context(), p.client, control.FrameRequest{SOPUID: e.sopUID, Frame: e.frame})
	}
	var px control.Pixels
	raw := filepath.Join(dir, e.sopUID)
	err := p.ask(&px, "pixel", "--instance", e.sopUID, "--frame", strconv.Itoa(e.frame), "--raw", raw)
	if err == nil {
		px.Data, err = os.ReadFile(raw)
	}
	return px, err
}

// judge says how near the pixels are; an error is what is not allowed.
func (e *expectedFrame) judge(dir string, px control.Pixels) (string, error) {
	data := px.Data
	px.Data = nil
	sum := sha256.Sum256(data)
	if hex.EncodeToString(sum[:]) == e.sum {
		if fmt.Sprint(px) != fmt.Sprint(e.head) {
			return "described otherwise", fmt.Errorf("is described as %+v, expected %+v", px, e.head)
		}
		return "exact", nil
	}
	switch {
	case e.sum == "-":
		return "not asserted", nil
	case e.tolerance == "":
		return "other", fmt.Errorf("has other pixels (%d bytes, %+v)", len(data), px)
	case e.reference == "":
		return "tolerated, without a reference", nil
	}
	z, err := os.ReadFile(filepath.Join(dir, "expected", e.reference))
	if err != nil {
		return "other", err
	}
	r, err := gzip.NewReader(bytes.NewReader(z))
	if err != nil {
		return "other", err
	}
	ref, err := io.ReadAll(r)
	if err != nil {
		return "other", err
	}
	if len(ref) != len(data) {
		return "other", fmt.Errorf("has %d bytes, the reference %d", len(data), len(ref))
	}
	return "tolerated", e.within(data, ref)
}

func (e *expectedFrame) within(data, ref []byte) error {
	kind, limit, _ := strings.Cut(e.tolerance, " ")
	most, err := strconv.ParseFloat(limit, 64)
	if err != nil {
		return err
	}
	width := max(1, e.head.BitsAllocated/8)
	sum, top := 0.0, 0
	for i := 0; i+width <= len(data); i += width {
		d := e.cell(data[i:], width) - e.cell(ref[i:], width)
		top = max(top, d, -d)
		sum += float64(max(d, -d))
	}
	mean := sum / float64(len(data)/width)
	if kind == "max" && float64(top) > most || kind == "mean" && mean > most {
		return fmt.Errorf("differs by at most %d, in the mean %.3f; allowed is %s", top, mean, e.tolerance)
	}
	return nil
}

func (e *expectedFrame) cell(b []byte, width int) int {
	switch {
	case width == 1 && e.head.Signed:
		return int(int8(b[0]))
	case width == 1:
		return int(b[0])
	case width == 2 && e.head.Signed:
		return int(int16(binary.LittleEndian.Uint16(b)))
	case width == 2:
		return int(binary.LittleEndian.Uint16(b))
	case e.head.Signed:
		return int(int32(binary.LittleEndian.Uint32(b)))
	}
	return int(binary.LittleEndian.Uint32(b))
}
