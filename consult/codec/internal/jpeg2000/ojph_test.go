package jpeg2000_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ojph encodes with OpenJPH, whose input is PGM or PPM.
func ojph(t *testing.T, p picture, planes [][]int, args string) []byte {
	t.Helper()
	tool, err := exec.LookPath("ojph_compress")
	if err != nil {
		t.Skip("SKIP ojph_compress is not installed: HTJ2K not compared with OpenJPH's streams")
	}
	kind := map[int]string{1: "P5", 3: "P6"}[p.comps]
	raw := []byte(fmt.Sprintf("%s\n%d %d\n%d\n", kind, p.w, p.h, 1<<p.bits-1))
	for i := range p.w * p.h {
		for _, plane := range planes {
			if p.bits > 8 {
				raw = append(raw, byte(plane[i]>>8))
			}
			raw = append(raw, byte(plane[i]))
		}
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in."+map[int]string{1: "pgm", 3: "ppm"}[p.comps]), filepath.Join(dir, "out.j2c")
	if err := os.WriteFile(in, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command(tool, append([]string{"-i", in, "-o", out}, strings.Fields(args)...)...).CombinedOutput(); err != nil {
		t.Fatalf("ojph_compress %s: %v: %s", args, err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// OpenJPH's streams: reversible ones give every sample.
func TestOpenJPHReversible(t *testing.T) {
	for i, args := range []string{
		"", "-num_decomps 0", "-num_decomps 1", "-prog_order LRCP", "-prog_order RLCP", "-prog_order PCRL", "-prog_order CPRL",
		"-block_size {4,4}", "-block_size {32,128}", "-block_size {1024,4}", "-block_size {8,16}", "-precincts {64,64},{128,128}", "-tile_size {40,33}",
		"-tile_size {64,64} -prog_order RPCL",
	} {
		for k, p := range []picture{grey(93, 71, 12), grey(70, 51, 8), grey(64, 64, 16), grey(1, 37, 8), grey(53, 1, 8), rgb(67, 35, 8)} {
			planes := p.samples(uint64(i))
			same(t, fmt.Sprint("HT ", args, " ", k), p, planes, ojph(t, p, planes, "-reversible true "+args), 0)
		}
	}
}

// Irreversible ones, beside what OpenJPEG decodes of them.
func TestOpenJPHIrreversible(t *testing.T) {
	for i, args := range []string{"-qstep 0.001", "-qstep 0.02", "-qstep 0.2", "-qstep 0.01 -block_size {32,32} -num_decomps 3"} {
		for _, p := range []picture{grey(93, 71, 12), rgb(67, 35, 8)} {
			code := ojph(t, p, p.samples(uint64(i)), args)
			same(t, "HT "+args, p, opjDecoded(t, p, code), code, 1)
		}
	}
}
