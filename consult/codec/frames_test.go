package codec_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study"
)

func corpus(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP with -short: the real files are for runs without the race detector")
	}
	return corpustest.Dir(t)
}

func read(t testing.TB, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tally counts what became of the frames of one syntax.
type tally struct {
	files                                map[string]bool
	exact, tolerated, refused, odd, most int
}

func TestKnownAnswers(t *testing.T) {
	dir := corpus(t)
	counts := map[string]*tally{}
	var file string
	var in *study.Instance
	var data []byte
	var parseErr error
	for _, row := range corpustest.Rows(t, filepath.Join(dir, "expected", "FRAMES.tsv")) {
		if row["file"] != file {
			file = row["file"]
			data = read(t, dir, file)
			in, parseErr = study.Parse(data)
		}
		if parseErr != nil { // a codec sample that an importer refuses
			d, raw, ok := sample(data)
			if !ok {
				count(counts, "no image for the guard", file).refused++
				t.Logf("%s: %v", file, parseErr)
				continue
			}
			decode(t, dir, row, d, raw, count(counts, d.Syntax, file))
			continue
		}
		check(t, dir, row, in, data, count(counts, in.TransferSyntax, file))
	}
	t.Logf("%-44s %5s %6s %9s %-13s %7s %s", "transfer syntax", "files", "exact", "tolerated", "(largest by)", "refused", "undecided by the standard")
	for _, ts := range slices.Sorted(maps.Keys(counts)) {
		c := counts[ts]
		t.Logf("%-44s %5d %6d %9d %-13d %7d %d", ts, len(c.files), c.exact, c.tolerated, c.most, c.refused, c.odd)
	}
}

func count(m map[string]*tally, ts, file string) *tally {
	if m[ts] == nil {
		m[ts] = &tally{files: map[string]bool{}}
	}
	m[ts].files[file] = true
	return m[ts]
}

func check(t *testing.T, dir string, row map[string]string, in *study.Instance, file []byte, c *tally) {
	t.Helper()
	k, _ := strconv.Atoi(row["frame"])
	name := row["file"] + "#" + row["frame"]
	raw, err := in.FrameOf(bytes.NewReader(file), int64(len(file)), k)
	if err != nil {
		t.Errorf("%s: frame bytes: %v", name, err)
		return
	}
	decode(t, dir, row, in.FrameDesc(k), raw, c)
}

// sample finds the first frame of a file that lacks UIDs or a header.
func sample(file []byte) (codec.FrameDesc, []byte, bool) {
	if len(file) < 132 || string(file[128:132]) != "DICM" {
		file = append(append(make([]byte, 128), "DICM"...), file...)
	}
	o, err := study.Guard(bytes.NewReader(file), int64(len(file)))
	if err != nil || o.Pixel == nil || o.Facts.Frames != 1 {
		return codec.FrameDesc{}, nil, false
	}
	p := o.Facts
	d := codec.FrameDesc{
		Syntax: o.Syntax.UID, Rows: p.Rows, Cols: p.Cols, Samples: p.Samples, BitsAllocated: p.BitsAllocated,
		BitsStored: p.BitsStored, HighBit: p.HighBit, Signed: p.Signed, Planar: p.Planar, Photometric: p.Photometric,
	}
	bulk := file[o.Pixel.Value : o.Pixel.Value+o.Pixel.Length]
	if !o.Syntax.Encapsulated {
		return d, bulk, true
	}
	var raw []byte
	for _, f := range o.Fragments {
		raw = append(raw, bulk[f.Off:f.Off+f.Len]...)
	}
	return d, raw, true
}

func decode(t *testing.T, dir string, row map[string]string, d codec.FrameDesc, raw []byte, c *tally) {
	t.Helper()
	name := row["file"] + "#" + row["frame"]
	f, err := codec.Decode(d, raw)
	if u, ok := errors.AsType[*codec.Unsupported](err); ok {
		c.refused++
		suffix := strings.TrimPrefix(d.Syntax, "1.2.840.10008.1.2.")
		if codec.Displayable(d.Syntax) || u.Name != codec.EncapsulatedNames[suffix] {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	if row["sha256_of_frame_bytes"] == "-" { // tools disagree, and the standard does not decide
		c.odd++
		return
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	shape := fmt.Sprintf("%d %d %d %d %s", f.Rows, f.Cols, f.Samples, f.BitsAllocated, f.Photometric)
	if want := strings.Join([]string{row["rows"], row["cols"], row["samples"], row["bitsAllocated"], row["photometric"]}, " "); shape != want {
		t.Errorf("%s: got %s, want %s", name, shape, want)
	}
	sum := sha256.Sum256(f.Data)
	switch {
	case hex.EncodeToString(sum[:]) == row["sha256_of_frame_bytes"]:
		c.exact++
	case row["reference"] != "":
		c.tolerated++
		largest, wrong := difference(t, filepath.Join(dir, "expected", row["reference"]), f, row["tolerance"])
		if c.most = max(c.most, largest); wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
	case row["tolerance"] != "": // lossy, and no reference for this frame
		c.tolerated++
	default:
		t.Errorf("%s: not the known pixels", name)
	}
}

// difference compares samples with a reference.
func difference(t *testing.T, path string, f *codec.Native, tolerance string) (largest int, wrong string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(z)
	if err != nil || len(want) != len(f.Data) {
		return 0, fmt.Sprintf("%d bytes, want %d (%v)", len(f.Data), len(want), err)
	}
	width := f.BitsAllocated / 8
	value := func(b []byte, i int) int {
		switch {
		case width == 1:
			return int(b[i])
		case f.Signed:
			return int(int16(binary.LittleEndian.Uint16(b[2*i:])))
		}
		return int(binary.LittleEndian.Uint16(b[2*i:]))
	}
	sum := 0
	n := len(f.Data) / width
	for i := range n {
		d := value(f.Data, i) - value(want, i)
		d = max(d, -d)
		largest, sum = max(largest, d), sum+d
	}
	mean := float64(sum) / float64(n)
	kind, limit, _ := strings.Cut(tolerance, " ")
	most, _ := strconv.ParseFloat(limit, 64)
	if kind == "max" && float64(largest) > most || kind == "mean" && mean > most {
		return largest, fmt.Sprintf("max %d, mean %.2f, tolerance %s", largest, mean, tolerance)
	}
	return largest, ""
}
