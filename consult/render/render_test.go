package render

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

func grey16(px study.Pixel, cells ...uint16) *codec.Native {
	n := &codec.Native{Rows: 1, Cols: len(cells), Samples: 1, BitsAllocated: 16, Signed: px.Signed, Photometric: px.Photometric}
	for _, c := range cells {
		n.Data = binary.LittleEndian.AppendUint16(n.Data, c)
	}
	return n
}

func ct() study.Pixel {
	return study.Pixel{
		Photometric: "MONOCHROME2", Modality: "CT", BitsAllocated: 16, BitsStored: 12, HighBit: 11,
		Slope: 1, Intercept: -1024, PixelSpacing: &[2]float64{0.7, 0.7},
	}
}

func mustNew(t testing.TB, n *codec.Native, px study.Pixel) *Frame {
	t.Helper()
	f, err := New(n, px)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func pix(im image.Image) []byte {
	switch im := im.(type) {
	case *image.Gray:
		return im.Pix
	case *image.RGBA:
		return im.Pix
	}
	return nil
}

// PS3.3 C.11.2.1.2.1: the examples and the edges of the three functions.
func TestLevel(t *testing.T) {
	for _, c := range []struct {
		x, centre, width float64
		function         string
		want             float64
	}{
		{0, 2048, 4096, "LINEAR", 0},
		{4095, 2048, 4096, "LINEAR", 1},
		{2047.5, 2048, 4096, "LINEAR", 0.5},
		{0, 2048, 1, "LINEAR", 0},
		{2047, 2048, 1, "LINEAR", 0},
		{2048, 2048, 1, "LINEAR", 1},
		{0, 0, 100, "LINEAR", 0.5 + 0.5/99},
		{0.5, 127.5, 255, "LINEAR_EXACT", 0.5 - 127.0/255},
		{-50, 0, 100, "LINEAR_EXACT", 0},
		{0, 0, 100, "LINEAR_EXACT", 0.5},
		{51, 0, 100, "LINEAR_EXACT", 1},
		{0, 0, 100, "SIGMOID", 0.5},
		{25, 0, 100, "SIGMOID", 1 / (1 + math.Exp(-1))},
	} {
		if got := Level(c.x, study.Window{Centre: c.centre, Width: c.width}, c.function); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s(%v; %v/%v) = %v, want %v", c.function, c.x, c.centre, c.width, got, c.want)
		}
	}
}

func TestDraw(t *testing.T) {
	full := []study.Window{{Centre: 1024, Width: 4096}}
	with := func(edit func(*study.Pixel)) study.Pixel {
		px := ct()
		px.Windows = full
		edit(&px)
		return px
	}
	for name, c := range map[string]struct {
		px   study.Pixel
		o    Options
		in   []uint16
		want []byte
	}{
		"plain":              {with(func(*study.Pixel) {}), Options{}, []uint16{0, 4095, 2048}, []byte{0, 255, 128}},
		"bits above masked":  {with(func(*study.Pixel) {}), Options{}, []uint16{0xF000, 0xFFFF}, []byte{0, 255}},
		"monochrome1":        {with(func(p *study.Pixel) { p.Photometric = "MONOCHROME1" }), Options{}, []uint16{0, 4095}, []byte{255, 0}},
		"one inversion":      {with(func(p *study.Pixel) { p.Photometric, p.Shape = "MONOCHROME1", "INVERSE" }), Options{}, []uint16{0, 4095}, []byte{255, 0}},
		"identity shape":     {with(func(p *study.Pixel) { p.Photometric, p.Shape = "MONOCHROME1", "IDENTITY" }), Options{}, []uint16{0, 4095}, []byte{0, 255}},
		"user inverts":       {with(func(*study.Pixel) {}), Options{Invert: true}, []uint16{0, 4095}, []byte{255, 0}},
		"user window":        {with(func(*study.Pixel) {}), Options{Window: &study.Window{Centre: -1000, Width: 2}}, []uint16{0, 1000}, []byte{0, 255}},
		"padding is black":   {with(func(p *study.Pixel) { p.Photometric, p.Padding = "MONOCHROME1", &study.Padding{Low: 0, High: 3} }), Options{}, []uint16{3, 4}, []byte{0, 255}},
		"bad window is auto": {with(func(p *study.Pixel) { p.Windows = []study.Window{{Centre: 0, Width: 0}} }), Options{}, []uint16{100, 200}, []byte{0, 255}},
		"voi lut": {with(func(p *study.Pixel) {
			p.Windows, p.VOILUTs = nil, []study.LUT{{First: -1024, Bits: 8, Data: []uint16{0, 10, 255}}}
		}), Options{}, []uint16{0, 1, 2, 9}, []byte{0, 10, 255, 255}},
		"modality lut": {with(func(p *study.Pixel) {
			p.ModalityLUT, p.Windows = &study.LUT{First: 5, Data: []uint16{0, 1000}}, []study.Window{{Centre: 500.5, Width: 1001}}
		}), Options{}, []uint16{0, 5, 6, 4000}, []byte{0, 0, 255, 255}},
	} {
		f := mustNew(t, grey16(c.px, c.in...), c.px)
		if got := pix(f.Draw(c.o)); !bytes.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestSigned(t *testing.T) {
	px := ct()
	px.Signed, px.Intercept, px.Windows = true, 0, []study.Window{{Centre: 0.5, Width: 4096}}
	f := mustNew(t, grey16(px, 0x0800, 0x0FFF, 0x0000, 0x07FF), px) // -2048 -1 0 2047 in 12 bits
	for x, want := range []float64{-2048, -1, 0, 2047} {
		if v, _ := f.Probe(x, 0); v.Stored != want || v.Value != want || v.Unit != "HU" {
			t.Errorf("x %d: got %+v, want %v", x, v, want)
		}
	}
	if got := pix(f.Draw(Options{})); got[0] != 0 || got[3] != 255 {
		t.Errorf("got %v", got)
	}
}

func TestProbeAndUnits(t *testing.T) {
	px := ct()
	px.Padding = &study.Padding{Low: 0, High: 0}
	f := mustNew(t, grey16(px, 0, 1064), px)
	if v, ok := f.Probe(1, 0); !ok || v.Value != 40 || v.Stored != 1064 || v.Unit != "HU" || v.Padding {
		t.Errorf("got %+v", v)
	}
	if v, _ := f.Probe(0, 0); !v.Padding {
		t.Error("padding is not said")
	}
	if _, ok := f.Probe(2, 0); ok {
		t.Error("outside answered")
	}
	px.Modality = "MR"
	if u := mustNew(t, grey16(px, 0), px).Unit(); u != "" {
		t.Errorf("MR has unit %q", u)
	}
}

func TestAutomaticWindow(t *testing.T) {
	px := ct()
	px.Padding = &study.Padding{Low: 0, High: 0}
	cells := make([]uint16, 1000)
	for i := range 500 { // half padding
		cells[500+i] = uint16(1024 + i)
	}
	u := mustNew(t, grey16(px, cells...), px).Used(Options{})
	if u.Source != FromAuto || math.Abs(u.Centre-249.5) > 2 || math.Abs(u.Width-489) > 3 {
		t.Errorf("got %+v", u)
	}
}

func TestColour(t *testing.T) {
	native := func(photometric string, data ...byte) *codec.Native {
		return &codec.Native{Rows: 1, Cols: 2, Samples: 3, BitsAllocated: 8, Photometric: photometric, Data: data}
	}
	px := study.Pixel{BitsStored: 8, BitsAllocated: 8}
	for name, c := range map[string]struct {
		n    *codec.Native
		want []byte
	}{
		"rgb":        {native("RGB", 1, 2, 3, 4, 5, 6), []byte{1, 2, 3, 255, 4, 5, 6, 255}},
		"ybr grey":   {native("YBR_FULL", 50, 128, 128, 255, 128, 128), []byte{50, 50, 50, 255, 255, 255, 255, 255}},
		"ybr red":    {native("YBR_FULL", 76, 85, 255, 0, 128, 128), []byte{254, 0, 0, 255, 0, 0, 0, 255}},
		"ybr packed": {native("YBR_FULL_422", 10, 20, 128, 128), []byte{10, 10, 10, 255, 20, 20, 20, 255}},
	} {
		if got := pix(mustNew(t, c.n, px).Draw(Options{})); !bytes.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	px.Palette = &study.Palette{
		Red: study.LUT{First: 1, Bits: 16, Data: []uint16{0x1000, 0xFF00}}, Green: study.LUT{First: 1, Bits: 8, Data: []uint16{5, 6}},
		Blue: study.LUT{First: 1, Bits: 8, Data: []uint16{7, 8}},
	}
	n := &codec.Native{Rows: 1, Cols: 3, Samples: 1, BitsAllocated: 8, Photometric: "PALETTE COLOR", Data: []byte{0, 1, 9}}
	if got := pix(mustNew(t, n, px).Draw(Options{})); !bytes.Equal(got, []byte{16, 5, 7, 255, 16, 5, 7, 255, 255, 6, 8, 255}) {
		t.Errorf("palette: got %v", got)
	}
	n.Photometric = "ESC[31m"
	if _, err := New(n, px); !errors.Is(err, ErrPhotometric) {
		t.Errorf("unknown photometric: %v", err)
	}
}

func TestWide(t *testing.T) {
	data := binary.LittleEndian.AppendUint32(nil, 0xFFFFFFFF)
	data = binary.LittleEndian.AppendUint32(data, 7)
	n := &codec.Native{Rows: 1, Cols: 2, Samples: 1, BitsAllocated: 32, Signed: true, Photometric: "MONOCHROME2", Data: data}
	px := study.Pixel{Slope: 2, BitsAllocated: 32, BitsStored: 32}
	f := mustNew(t, n, px)
	if v, _ := f.Probe(0, 0); v.Stored != -1 || v.Value != -2 {
		t.Errorf("got %+v", v)
	}
	if got := pix(f.Draw(Options{})); got[0] != 0 || got[1] != 255 {
		t.Errorf("got %v", got)
	}
}

// All 24 axis-aligned orientations: opposite edges have opposite letters, and
// the three axes are all named.
func TestOrientationLetters(t *testing.T) {
	axes := [][3]float64{{1, 0, 0}, {-1, 0, 0}, {0, 1, 0}, {0, -1, 0}, {0, 0, 1}, {0, 0, -1}}
	want := []string{"L", "R", "P", "A", "H", "F"}
	n := 0
	for i, r := range axes {
		for j, c := range axes {
			if i/2 == j/2 {
				continue
			}
			n++
			e := Orientation(study.Pixel{Orientation: &[6]float64{r[0], r[1], r[2], c[0], c[1], c[2]}})
			if e.Right != want[i] || e.Bottom != want[j] || e.Left != want[i^1] || e.Top != want[j^1] {
				t.Errorf("row %v column %v: %+v", r, c, e)
			}
		}
	}
	if n != 24 {
		t.Fatalf("%d orientations", n)
	}
	s := math.Sqrt(0.5)
	if e := Orientation(study.Pixel{Orientation: &[6]float64{s, s, 0, 0, 0, -1}}); e.Right != "LP" && e.Right != "PL" || e.Bottom != "F" {
		t.Errorf("oblique: %+v", e)
	}
	if e := Orientation(study.Pixel{PatientOrientation: [2]string{"A", "FR"}}); e != (Edges{Left: "P", Right: "A", Top: "HL", Bottom: "FR"}) {
		t.Errorf("patient orientation: %+v", e)
	}
	if Orientation(study.Pixel{}).Known() {
		t.Error("letters from nothing")
	}
	if e := Orientation(study.Pixel{Quadruped: true, Orientation: &[6]float64{1, 0, 0, 0, 1, 0}}); e.Right != "LE" || e.Bottom != "D" {
		t.Errorf("quadruped: %+v", e)
	}
}

func TestPresets(t *testing.T) {
	px := ct()
	px.BodyPart = "CHEST"
	list := Presets(px)
	if len(list) != 13 || list[0].Name != "lung" || list[0].Window.Width != 1500 {
		t.Errorf("got %d, first %+v", len(list), list[0])
	}
	if w, ok := PresetWindow("Bone-Head"); !ok || w.Centre != 600 {
		t.Errorf("got %+v %v", w, ok)
	}
	px.Modality = "MR"
	if Presets(px) != nil {
		t.Error("MR has presets")
	}
}

// The lesion of the phantom is where the patient coordinates say.
func TestPatientPoint(t *testing.T) {
	s := phantom.CT(phantom.Options{Seed: 2, Slices: 11})
	in, err := study.Parse(s.Files[s.Lesion.Slice])
	if err != nil {
		t.Fatal(err)
	}
	p, ok := PatientPoint(in.Pixel, s.Lesion.X, s.Lesion.Y)
	if !ok || math.Abs(p[0]-s.Lesion.MM[0]) > 1e-3 || math.Abs(p[1]-s.Lesion.MM[1]) > 1e-3 || math.Abs(p[2]-s.Lesion.MM[2]) > 1.25 {
		t.Errorf("got %v, want %v", p, s.Lesion.MM)
	}
}

func TestPreview(t *testing.T) {
	px := ct()
	n := &codec.Native{Rows: 300, Cols: 600, Samples: 1, BitsAllocated: 16, Photometric: "MONOCHROME2", Data: make([]byte, 2*300*600)}
	if b := mustNew(t, n, px).Preview(Options{}, 500).Bounds(); b.Dx() != 128 || b.Dy() != 64 {
		t.Errorf("got %v", b)
	}
}

func TestWarnings(t *testing.T) {
	px := ct()
	px.Lossy, px.PixelSpacing = true, nil
	n := grey16(px, 1, 2)
	n.Partial = true
	got := strings.Join(mustNew(t, n, px).Warnings(), "; ")
	if got != "preview: some rows are missing; lossy compression; uncalibrated; orientation not given" {
		t.Errorf("got %q", got)
	}
}

// Rendering does not panic, at three windows and more, for any file of the
// corpus, the hostile ones included, first and last frame.
func TestCorpusRenders(t *testing.T) {
	dir := corpusDir(t)
	drawn, withheld := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		const quick = 400_000
		if info, err := d.Info(); err != nil || info.Size() > quick && !*everything {
			return err
		}
		for k := range 2 {
			f, in, err := load(path, 0)
			if in == nil || in.Pixel.Rows == 0 {
				return nil
			}
			if k == 1 && in.Pixel.Frames > 1 {
				f, _, err = load(path, in.Pixel.Frames-1)
			} else if k == 1 {
				return nil
			}
			if err != nil {
				withheld++
				continue
			}
			exercise(t, f)
			drawn++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d frames drawn, %d withheld", drawn, withheld)
	if drawn < 200 {
		t.Errorf("only %d frames were drawn", drawn)
	}
}

// phantomFrame is a slice of side × side pixels, 12 bits in 16.
func phantomFrame(b *testing.B, side int) (*study.Instance, []byte) {
	b.Helper()
	s := phantom.CT(phantom.Options{Seed: 1, Slices: 1, Side: side})
	in, err := study.Parse(s.Files[0])
	if err != nil {
		b.Fatal(err)
	}
	raw, err := in.FrameOf(bytes.NewReader(s.Files[0]), in.Size, 0)
	if err != nil {
		b.Fatal(err)
	}
	return in, raw
}

// BenchmarkDraw is a window changed by the mouse: MB/s of cells.
func BenchmarkDraw(b *testing.B) {
	for _, side := range []int{512, 3000} {
		b.Run(strconv.Itoa(side), func(b *testing.B) {
			in, raw := phantomFrame(b, side)
			n, err := codec.Decode(in.FrameDesc(0), raw)
			if err != nil {
				b.Fatal(err)
			}
			f := mustNew(b, n, in.Pixel.Frame(0))
			b.SetBytes(int64(len(raw)))
			for i := 0; b.Loop(); i++ {
				f.Draw(Options{Window: &study.Window{Centre: float64(i % 400), Width: 400}})
			}
		})
	}
}

// BenchmarkDisplay goes from the native bytes of a frame to the picture: decode,
// prepare, draw.
func BenchmarkDisplay(b *testing.B) {
	for _, side := range []int{512, 3000} {
		b.Run(strconv.Itoa(side), func(b *testing.B) {
			in, raw := phantomFrame(b, side)
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				n, err := codec.Decode(in.FrameDesc(0), raw)
				if err != nil {
					b.Fatal(err)
				}
				mustNew(b, n, in.Pixel.Frame(0)).Draw(Options{})
			}
		})
	}
}
