package jpeg2000

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Streams with refinement passes of Part 15, as OpenJPEG decodes them.
func TestHTRefinementElsewhere(t *testing.T) {
	tool, err := exec.LookPath("opj_decompress")
	if err != nil {
		t.Skip("SKIP opj_decompress is not installed: HTJ2K refinement not compared with it")
	}
	r := rand.New(rand.NewPCG(2, 2))
	for i := range 12 {
		e := plain(20+r.IntN(60), 20+r.IntN(60), 1, 8+8*(i%2))
		e.style, e.htPlane, e.layers = styleHT, i%4, 1
		if i%3 == 0 {
			e.style |= styleCausal
		}
		code := e.encode(e.samples(r))
		dir := t.TempDir()
		in, out := filepath.Join(dir, "in.j2k"), filepath.Join(dir, "out.rawl")
		if err := os.WriteFile(in, code, 0o600); err != nil {
			t.Fatal(err)
		}
		if msg, err := exec.Command(tool, "-i", in, "-o", out).CombinedOutput(); err != nil {
			t.Fatalf("opj_decompress: %v: %s", err, msg)
		}
		want, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		im, err := Decode(code, Want{e.h, e.w, 1})
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range im.Samples {
			w := int(want[k*e.bits/8])
			if e.bits == 16 {
				w |= int(want[2*k+1]) << 8
			}
			if int(v) != w {
				t.Fatalf("stream %d, plane %d: sample %d is %d, OpenJPEG has %d", i, e.htPlane, k, v, w)
			}
		}
	}
}
