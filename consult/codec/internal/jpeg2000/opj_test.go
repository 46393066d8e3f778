package jpeg2000_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec/internal/jpeg2000"
)

// picture is what is encoded: samples of each component, subsampled by dx, dy.
type picture struct {
	w, h, comps, bits int
	signed            bool
	dx, dy            []int
}

func (p picture) size(c int) (w, h int) {
	return (p.w + p.dx[c] - 1) / p.dx[c], (p.h + p.dy[c] - 1) / p.dy[c]
}

// samples are smooth with noise and an edge, so that all passes occur.
func (p picture) samples(seed uint64) [][]int {
	r := rand.New(rand.NewPCG(seed, 4))
	out := make([][]int, p.comps)
	for c := range out {
		w, h := p.size(c)
		for y := range h {
			for x := range w {
				v := (x*3+y*2+c*40)<<max(p.bits-8, 0)>>max(8-p.bits, 0) + r.IntN(1<<max(p.bits-4, 1))
				if x > w/2 && y > h/3 {
					v = v/8 + (1<<p.bits)/2
				}
				v &= 1<<p.bits - 1
				if p.signed {
					v -= 1 << (p.bits - 1)
				}
				out[c] = append(out[c], v)
			}
		}
	}
	return out
}

// opj encodes with OpenJPEG.
func opj(t *testing.T, p picture, planes [][]int, ext, args string) []byte {
	t.Helper()
	tool, err := exec.LookPath("opj_compress")
	if err != nil {
		t.Skip("SKIP opj_compress is not installed: JPEG 2000 not compared with OpenJPEG's streams")
	}
	var raw []byte
	var sub []string
	for c, plane := range planes {
		sub = append(sub, fmt.Sprintf("%dx%d", p.dx[c], p.dy[c]))
		for _, v := range plane {
			raw = append(raw, byte(v))
			if p.bits > 8 {
				raw = append(raw, byte(v>>8))
			}
		}
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.rawl"), filepath.Join(dir, "out."+ext)
	if err := os.WriteFile(in, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	sign := map[bool]string{true: "s", false: "u"}[p.signed]
	format := fmt.Sprintf("%d,%d,%d,%d,%s@%s", p.w, p.h, p.comps, p.bits, sign, strings.Join(sub, ":"))
	cmd := append([]string{"-i", in, "-o", out, "-F", format}, strings.Fields(args)...)
	if msg, err := exec.Command(tool, cmd...).CombinedOutput(); err != nil {
		t.Logf("opj_compress %s: %v: %s", args, err, msg)
		return nil // it has limits of its own
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func grey(w, h, bits int) picture {
	return picture{w: w, h: h, comps: 1, bits: bits, dx: []int{1}, dy: []int{1}}
}

func rgb(w, h, bits int) picture {
	return picture{w: w, h: h, comps: 3, bits: bits, dx: []int{1, 1, 1}, dy: []int{1, 1, 1}}
}

// same compares with what was encoded; most is the largest difference allowed.
func same(t *testing.T, name string, p picture, planes [][]int, code []byte, most int) {
	t.Helper()
	im, err := jpeg2000.Decode(code, jpeg2000.Want{Rows: p.h, Cols: p.w, Components: p.comps})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if im.Precision != p.bits || im.Signed != p.signed {
		t.Errorf("%s: precision %d, signed %v", name, im.Precision, im.Signed)
	}
	worst := 0
	for c, plane := range planes {
		w, h := p.size(c)
		for y := range p.h {
			for x := range p.w {
				want := plane[min(y/p.dy[c], h-1)*w+min(x/p.dx[c], w-1)]
				got := int(im.Samples[(y*p.w+x)*p.comps+c])
				if p.signed {
					got = int(int16(got))
				}
				worst = max(worst, got-want, want-got)
			}
		}
	}
	if worst > most {
		t.Errorf("%s: largest difference %d", name, worst)
	}
}

// Every option of OpenJPEG's encoder that changes how a stream is read.
func TestOpenJPEGOptions(t *testing.T) {
	encoded, refused := 0, 0
	for i, args := range []string{
		"", "-n 1", "-n 2", "-n 4", "-p LRCP", "-p RLCP", "-p RPCL", "-p PCRL", "-p CPRL",
		"-b 4,4", "-b 64,16", "-b 4,256", "-c [32,32],[16,16],[8,8]", "-c [64,64] -p RPCL", "-c [32,16] -p PCRL", "-c [16,32] -p CPRL -SOP -EPH",
		"-SOP", "-EPH", "-SOP -EPH -p RLCP", "-M 1", "-M 2", "-M 4", "-M 8", "-M 16", "-M 32", "-M 63", "-M 5", "-M 13", "-M 37", "-M 9 -n 3",
		"-t 33,39 -n 3", "-t 64,64 -TP R", "-t 40,40 -n 3 -TP L -r 20,5,1", "-t 35,77 -n 3 -TP C -p CPRL", "-r 40,20,10,1", "-r 30,10,1 -p RPCL -M 4", "-r 9,3,1 -p PCRL -t 50,50 -n 3",
		"-ROI c=0,U=12", "-ROI c=0,U=7 -n 3 -M 8",
		"-POC T1=0,0,1,3,3,RLCP/T1=3,0,1,6,3,CPRL", "-POC T1=0,0,1,6,3,LRCP", "-r 20,5,1 -POC T1=0,0,3,3,3,RLCP/T1=3,0,3,6,3,CPRL",
		"-d 13,7", "-d 5,3 -t 40,40 -T 3,2", "-d 17,9 -c [32,32] -p RPCL -t 64,64 -T 11,5",
	} {
		for k, p := range []picture{grey(93, 71, 12), rgb(70, 51, 8), grey(64, 64, 16), grey(45, 127, 8)} {
			if strings.Contains(args, "ROI") && p.bits > 12 {
				continue // more than 30 bit-planes: refused
			}
			planes := p.samples(uint64(i))
			code := opj(t, p, planes, "j2k", args)
			if code == nil {
				refused++
				continue
			}
			encoded++
			same(t, fmt.Sprint(args, " ", k), p, planes, code, 0)
		}
	}
	t.Logf("%d streams, %d refused by the encoder", encoded, refused)
	if encoded < 10*refused {
		t.Error("few streams were compared")
	}
}

// Signed samples, subsampled components, few bits, and a JP2 file around.
func TestOpenJPEGPictures(t *testing.T) {
	for bits := 2; bits <= 16; bits += 2 { // it refuses odd ones
		p := grey(57, 43, bits)
		p.signed = bits%4 == 0
		planes := p.samples(uint64(bits))
		same(t, fmt.Sprint(bits, " bits"), p, planes, opj(t, p, planes, "j2k", "-n 3"), 0)
	}
	for _, sub := range [][2]int{{2, 1}, {2, 2}, {1, 2}, {4, 1}, {3, 2}, {1, 4}} {
		p := rgb(60, 52, 8)
		p.dx, p.dy = []int{1, sub[0], sub[0]}, []int{1, sub[1], sub[1]}
		for _, args := range []string{"-n 3", "-n 3 -p RPCL -c [32,32]", "-n 3 -p PCRL -c [16,32] -b 16,16", "-n 3 -p CPRL -c [32,16]"} {
			planes := p.samples(7)
			same(t, fmt.Sprint(sub, args), p, planes, opj(t, p, planes, "j2k", args+" -mct 0"), 0)
		}
	}
	p := rgb(80, 60, 8)
	planes := p.samples(3)
	same(t, "JP2", p, planes, opj(t, p, planes, "jp2", ""), 0)
}

// The irreversible path, beside what OpenJPEG decodes.
func TestOpenJPEGIrreversible(t *testing.T) {
	for i, args := range []string{"-I", "-I -r 10", "-I -r 20,5,2 -M 63", "-I -n 1", "-I -t 50,50 -n 3 -r 5", "-I -n 4 -d 9,3 -r 4"} {
		for _, p := range []picture{grey(93, 71, 12), rgb(70, 51, 8), grey(64, 65, 16)} {
			code := opj(t, p, p.samples(uint64(i)), "j2k", args)
			same(t, args, p, opjDecoded(t, p, code), code, 1)
		}
	}
}

func opjDecoded(t *testing.T, p picture, code []byte) [][]int {
	t.Helper()
	tool, err := exec.LookPath("opj_decompress")
	if err != nil {
		t.Skip("SKIP opj_decompress is not installed")
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.j2k"), filepath.Join(dir, "out.rawl")
	if err := os.WriteFile(in, code, 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command(tool, "-i", in, "-o", out).CombinedOutput(); err != nil {
		t.Fatalf("opj_decompress: %v: %s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	planes := make([][]int, p.comps)
	for i := range p.w * p.h * p.comps {
		v := int(b[i])
		if p.bits > 8 {
			v = int(b[2*i]) | int(b[2*i+1])<<8
		}
		c := i / (p.w * p.h)
		planes[c] = append(planes[c], v)
	}
	return planes
}
