package codec_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

var collect = flag.Bool("collect", false, "write testdata/streams again, with gdcmconv")

// streams are what gdcmconv makes of a phantom, by its options.
var streams = map[string]struct {
	args  string
	exact bool
}{
	"j2k":              {"--j2k", true},
	"j2k-tiles":        {"--j2k -t 24,40", true},
	"j2k-resolutions":  {"--j2k -n 2", true},
	"j2k-irreversible": {"--j2k --lossy --irreversible -r 4", false},
	"jpeg-lossless":    {"--jpeg", true},
	"jpeg-ls":          {"--jpegls", true},
	"jpeg-ls-near":     {"--jpegls --lossy -e 3", false},
	"rle":              {"--rle", true},
}

func small(seed uint64, side int) []byte {
	return phantom.CT(phantom.Options{Seed: seed, Slices: 1, Side: side}).Files[0]
}

func firstFrame(t testing.TB, file []byte) (codec.FrameDesc, []byte) {
	t.Helper()
	in, err := study.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := in.FrameOf(bytes.NewReader(file), in.Size, 0)
	if err != nil {
		t.Fatal(err)
	}
	return in.FrameDesc(0), raw
}

// compare decodes a stream and compares it with the cells it should give.
func compare(t *testing.T, name string, d codec.FrameDesc, stream, original []byte, most int) {
	t.Helper()
	f, err := codec.Decode(d, stream)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	worst := 0
	for i := 0; i+1 < len(original); i += 2 {
		d := int(f.Data[i]) | int(f.Data[i+1])<<8 - (int(original[i]) | int(original[i+1])<<8)
		worst = max(worst, d, -d)
	}
	if worst > most || len(f.Data) != len(original) {
		t.Errorf("%s: largest difference %d", name, worst)
	}
}

// Streams by another implementation, kept: they decode in a bare clone too.
func TestKeptStreams(t *testing.T) {
	if *collect {
		collectStreams(t)
	}
	_, original := firstFrame(t, small(3, 64))
	for name, s := range streams {
		b, err := os.ReadFile(filepath.Join("testdata", "streams", name+".dcm"))
		if err != nil {
			t.Fatal(err)
		}
		d, stream := firstFrame(t, b)
		most := 0
		if !s.exact {
			most = 200 // of 4,096: not another picture
		}
		compare(t, name, d, stream, original, most)
	}
}

func collectStreams(t *testing.T) {
	t.Helper()
	for name, s := range streams {
		if err := os.WriteFile(filepath.Join("testdata", "streams", name+".dcm"), convert(t, small(3, 64), s.args), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func convert(t *testing.T, file []byte, args string) []byte {
	t.Helper()
	tool, err := exec.LookPath("gdcmconv")
	if err != nil {
		t.Skip("SKIP gdcmconv is not installed: decoders not compared with it")
	}
	in, out := filepath.Join(t.TempDir(), "in.dcm"), filepath.Join(t.TempDir(), "out.dcm")
	if err := os.WriteFile(in, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command(tool, append(strings.Fields(args), in, out)...).CombinedOutput(); err != nil {
		t.Fatalf("gdcmconv %s: %v: %s", args, err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A stream that is cut anywhere is an error, never a plain frame.
func TestCutStreams(t *testing.T) {
	for name := range streams {
		b, err := os.ReadFile(filepath.Join("testdata", "streams", name+".dcm"))
		if err != nil {
			t.Fatal(err)
		}
		d, stream := firstFrame(t, b)
		end := len(bytes.TrimRight(stream, "\x00"))
		for n := 0; n < end-1; n += 1 + end/60 {
			if f, err := codec.Decode(d, stream[:n]); err == nil || f != nil {
				t.Errorf("%s cut at %d of %d: no error", name, n, end)
			}
		}
	}
}

// The same of HTJ2K, kept as bare codestreams.
func TestCutHTJ2K(t *testing.T) {
	for name, bits := range map[string]int{"htj2k.j2c": 8, "htj2k-refined.j2c": 16} {
		b, err := os.ReadFile(filepath.Join("testdata", "streams", name))
		if err != nil {
			t.Fatal(err)
		}
		d := codec.FrameDesc{Syntax: codec.HTJ2K, Rows: 33, Cols: 40, Samples: 1, BitsAllocated: bits, BitsStored: bits}
		if f, err := codec.Decode(d, b); err != nil || len(f.Data) != 33*40*bits/8 {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range b {
			if f, err := codec.Decode(d, b[:n]); err == nil || f != nil {
				t.Errorf("%s cut at %d of %d: no error", name, n, len(b))
			}
		}
	}
}

// Fresh streams of an odd size.
func TestAgainstGDCM(t *testing.T) {
	for _, side := range []int{67} {
		file := small(uint64(side), side)
		_, original := firstFrame(t, file)
		for name, s := range streams {
			made := convert(t, file, s.args)
			d, stream := firstFrame(t, made)
			want, most := original, 0
			if !s.exact { // what gdcm itself decodes
				_, want = firstFrame(t, convert(t, made, "--raw"))
				most = 1
			}
			compare(t, fmt.Sprintf("%s %d", name, side), d, stream, want, most)
		}
	}
}
