package render

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"image"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study"
)

// Grey by grey beside dcmtk: go test -run DCMTK -v ./consult/render -all
// compares every image of the corpus; without -all every twentieth.
var everything = flag.Bool("all", false, "every image of the corpus, where else a part of it is taken")

// corpusDir is ../shared/corpus beside the repository, or CURBSIDE_CORPUS.
func corpusDir(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP with -short: the real files are for runs without the race detector")
	}
	return corpustest.Dir(t)
}

// corpusFiles are the paths that MANIFEST.tsv lists, without the hostile ones.
func corpusFiles(t testing.TB) []string {
	t.Helper()
	dir := corpusDir(t)
	b, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, line := range strings.Split(string(b), "\n")[1:] {
		if name, _, ok := strings.Cut(line, "\t"); ok && !strings.HasPrefix(name, "hostile/") {
			out = append(out, filepath.Join(dir, name))
		}
	}
	return out
}

// load decodes frame k of a file.
func load(path string, k int) (*Frame, *study.Instance, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	in, err := study.Parse(b)
	if err != nil {
		return nil, nil, err
	}
	raw, err := in.FrameOf(bytes.NewReader(b), int64(len(b)), k)
	if err != nil {
		return nil, in, err
	}
	n, err := codec.Decode(in.FrameDesc(k), raw)
	if err != nil {
		return nil, in, err
	}
	f, err := New(n, in.Pixel.Frame(k))
	return f, in, err
}

// deviations are where dcmtk 3.6.7 does something else than the standard says,
// by file and window, or by file; the files stay in the table.
var deviations = map[string]string{
	"highdicom/dx_image.dcm +Wm":     "dcmtk counts the byte that pads the value to even length (PS3.5 §8.1.1) as a pixel",
	"pydicom/rtdose_expb.dcm":        wordsOnly,
	"pydicom/rtdose_expb_1frame.dcm": wordsOnly,
	"pydicom-data/SC_ybr_full_uncompressed.dcm": "dcmtk's integer tables turn grey 64, 128, 128 to 64, 63, 64 " +
		"(PS3.3 C.7.6.3.1.2: without chroma R = G = B = Y)",
}

// wordsOnly: the same image in little endian agrees.
const wordsOnly = "dcmtk swaps the bytes of 32-bit cells in big endian by words of 16 bits only (PS3.5 §7.3: the most significant byte comes first)"

// A trial is one way to window an image.
type trial struct {
	name string
	args []string
	o    Options
}

func trials(f *Frame) []trial {
	var out []trial
	if u := f.Used(Options{}); u.Source == FromFile && u.Function == Linear {
		out = append(out, trial{name: "+Wi 1", args: []string{"+Wi", "1"}})
	}
	if len(f.px.VOILUTs) > 0 {
		out = append(out, trial{name: "+Wl 1", args: []string{"+Wl", "1"}, o: Options{LUT: 1}})
	}
	low, high := f.range1()
	for _, w := range []study.Window{
		{Centre: 40, Width: 400},
		{Centre: math.Round((low + high) / 2), Width: max(1, math.Round((high-low)/3))},
		{Centre: math.Round(low + (high-low)/4), Width: 1},
	} {
		out = append(out, trial{
			name: "+Ww", args: []string{"+Ww", strconv.FormatFloat(w.Centre, 'f', -1, 64), strconv.FormatFloat(w.Width, 'f', -1, 64)},
			o: Options{Window: &w},
		})
	}
	// dcmtk takes the extremes of all pixels, padding with them.
	return append(out, trial{name: "+Wm", args: []string{"+Wm"}, o: Options{Window: &study.Window{Centre: (low + high + 1) / 2, Width: high - low + 1}}})
}

// range1 is the range of the modality values.
func (f *Frame) range1() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for i := range f.rows * f.cols {
		_, v, _ := f.at(i)
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

// native gives a file that dcm2pnm reads, and that both render: lossy streams
// decode to cells a step apart, which is not what is compared here.
func native(t *testing.T, path, syntax string) (string, error) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "native.dcm")
	var c *exec.Cmd
	switch strings.TrimPrefix(syntax, "1.2.840.10008.1.2") {
	case "", ".1", ".2", ".5", ".1.99":
		return path, nil
	case ".4.50", ".4.51", ".4.57", ".4.70":
		c = exec.Command("dcmdjpeg", "-q", path, to)
	case ".4.80", ".4.81":
		c = exec.Command("dcmdjpls", "-q", path, to)
	case ".4.90", ".4.91":
		c = exec.Command("gdcmconv", "--raw", path, to)
	default:
		return "", fmt.Errorf("no reference decoder for %s", syntax)
	}
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s does not decode it", c.Args[0])
	}
	return to, nil
}

// pnm runs dcmtk and reads its 8-bit binary PGM or PPM.
func pnm(t *testing.T, path string, args ...string) ([]byte, error) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.pgm")
	all := append(append([]string{"-q", "+op"}, args...), path, out)
	if b, err := exec.Command("dcm2pnm", all...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("dcm2pnm: %s", bytes.TrimSpace(b))
	}
	b, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	var kind, w, h, top int
	if _, err := fmt.Sscanf(string(b[:min(len(b), 40)]), "P%d\n%d %d\n%d\n", &kind, &w, &h, &top); err != nil {
		return nil, fmt.Errorf("no image: %w", err)
	}
	if kind == 6 { // PPM: three samples a pixel
		w *= 3
	}
	if top != 255 || len(b) < w*h {
		return nil, fmt.Errorf("%d × %d to %d in %d bytes", w, h, top, len(b))
	}
	return b[len(b)-w*h:], nil
}

// differ is the largest difference, and how many pixels have it.
func differ(f *Frame, got, want []byte) (most, count int) {
	for i := range want {
		if _, _, padding := f.at(i); padding {
			continue
		}
		d := int(got[i]) - int(want[i])
		if d = max(d, -d); d > most {
			most, count = d, 0
		}
		if d == most && d > 0 {
			count++
		}
	}
	return most, count
}

// rounded draws as dcmtk does, which keeps modality values as whole numbers,
// where the standard has no rounding (PS3.3 C.11.1.1.2).
func rounded(f *Frame, o Options) []byte {
	g := *f
	g.modality = make([]float64, len(f.modality))
	for i, v := range f.modality {
		g.modality[i] = math.Trunc(v)
	}
	return g.Draw(o).(*image.Gray).Pix
}

type tally struct{ compared, exact, within, integers, off int }

// table sums up what was compared with dcmtk.
type table struct {
	sums    map[string]*tally
	skipped map[string]int
	files   map[string]bool // photometric interpretation is MONOCHROME1
	frames  int
}

// ±1 grey level on the grayscale images of the corpus that dcmtk reads: the
// file's window, its VOI LUT, given windows, and the whole range.
func TestDCMTK(t *testing.T) {
	if _, err := exec.LookPath("dcm2pnm"); err != nil {
		t.Skip("SKIP dcm2pnm is not installed: windows are not compared with dcmtk")
	}
	tb := &table{sums: map[string]*tally{}, skipped: map[string]int{}, files: map[string]bool{}}
	for i, path := range corpusFiles(t) {
		if *everything || i%20 == 0 {
			tb.file(t, path)
		}
	}
	mono1 := 0
	for _, inverse := range tb.files {
		if inverse {
			mono1++
		}
	}
	t.Logf("%d files (%d MONOCHROME1), %d frames beside dcmtk", len(tb.files), mono1, tb.frames)
	t.Logf("%-6s %9s %6s %9s %14s %4s", "window", "compared", "exact", "within 1", "dcmtk integers", "off")
	for _, k := range slices.Sorted(maps.Keys(tb.sums)) {
		s := tb.sums[k]
		t.Logf("%-6s %9d %6d %9d %14d %4d", k, s.compared, s.exact, s.within, s.integers, s.off)
	}
	for _, k := range slices.Sorted(maps.Keys(tb.skipped)) {
		t.Logf("skipped %3d: %s", tb.skipped[k], k)
	}
	if len(tb.files) == 0 {
		t.Error("nothing was compared")
	}
}

// file compares the first and the last frame of a file.
func (tb *table) file(t *testing.T, path string) {
	t.Helper()
	name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
	f, in, err := load(path, 0)
	reason := ""
	switch {
	case in == nil:
		reason = "not to be imported"
	case in.BulkLen == 0 && !in.NotSplit:
		reason = "no image"
	case err != nil:
		reason = "not decoded here"
	case f.px.Supplemental:
		reason = "supplemental palette: colour"
	case f.px.Float:
		reason = "float pixels, which dcm2pnm does not read"
	}
	if reason != "" {
		tb.skipped[reason]++
		return
	}
	from, err := native(t, path, in.TransferSyntax)
	if err != nil {
		tb.skipped[err.Error()]++
		t.Logf("skipped %s: %v", name, err)
		return
	}
	for _, k := range slices.Compact([]int{0, in.Pixel.Frames - 1}) {
		f, _, err := load(from, k)
		if err != nil {
			t.Logf("skipped %s: %v", name, err)
			continue
		}
		tb.frames++
		if f.Colour() {
			tb.colour(t, f, from, name, k)
			continue
		}
		for _, c := range trials(f) {
			if err := tb.compare(t, f, c, from, name, k); err != nil {
				tb.skipped[err.Error()]++
				t.Logf("skipped %s %v: %v", name, c.args, err)
			}
		}
		if f.photometric == "MONOCHROME1" {
			tb.files[name] = true
		}
	}
}

// colour compares what has no window.
func (tb *table) colour(t *testing.T, f *Frame, path, name string, k int) {
	t.Helper()
	want, err := pnm(t, path, "-O", "+F", strconv.Itoa(k+1))
	if err == nil && len(want) != len(f.colour) {
		err = errors.New("dcm2pnm gives another size")
	}
	if err != nil {
		tb.skipped[err.Error()]++
		t.Logf("skipped %s: %v", name, err)
		return
	}
	most, count := 0, 0
	for i, v := range f.Draw(Options{HideOverlays: true}).(*image.RGBA).Pix {
		if i%4 == 3 {
			continue
		}
		d := int(v) - int(want[i/4*3+i%4])
		if d = max(d, -d); d > 1 {
			count++
		}
		most = max(most, d)
	}
	s := tb.sums["colour"]
	if s == nil {
		s = new(tally)
		tb.sums["colour"] = s
	}
	tb.files[name] = tb.files[name] || false
	s.compared++
	switch why := deviations[name]; {
	case most == 0:
		s.exact++
	case most == 1:
		s.within++
	case why != "":
		s.off++
		t.Logf("%s frame %d (%s): %d levels, %d of %d samples by more than 1: %s", name, k, f.photometric, most, count, len(want), why)
	default:
		s.off++
		t.Errorf("%s frame %d (%s): %d levels, %d of %d samples by more than 1", name, k, f.photometric, most, count, len(want))
	}
}

func (tb *table) compare(t *testing.T, f *Frame, c trial, path, name string, k int) error {
	t.Helper()
	want, err := pnm(t, path, append([]string{"-O", "+F", strconv.Itoa(k + 1)}, c.args...)...)
	if err != nil {
		return err
	}
	if len(want) != f.rows*f.cols {
		return errors.New("dcm2pnm gives another size")
	}
	c.o.HideOverlays, c.o.LiftShutter = true, true
	most, count := differ(f, f.Draw(c.o).(*image.Gray).Pix, want)
	s := tb.sums[c.name]
	if s == nil {
		s = new(tally)
		tb.sums[c.name] = s
	}
	tb.files[name] = tb.files[name] || f.photometric == "MONOCHROME1"
	s.compared++
	switch most {
	case 0:
		s.exact++
		return nil
	case 1:
		s.within++
		return nil
	}
	if f.wide == nil {
		if again, _ := differ(f, rounded(f, c.o), want); again <= 1 {
			s.integers++
			t.Logf("%s frame %d %v: %d levels in %d pixels, as dcmtk rounds modality values (PS3.3 C.11.1.1.2: rescale does not)", name, k, c.args, most, count)
			return nil
		}
	}
	s.off++
	report := t.Errorf
	if why := cmp.Or(deviations[name], deviations[name+" "+c.name]); why != "" {
		report = func(s string, args ...any) { t.Helper(); t.Logf(s+": "+why, args...) }
	}
	report("%s frame %d %v (%s): %d grey levels in %d of %d pixels", name, k, c.args, f.Used(c.o).Function, most, count, len(want))
	return nil
}
