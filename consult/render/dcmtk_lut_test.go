package render

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study"
)

// Builders of small files, Explicit VR Little Endian.

func element(tag uint32, vr string, v []byte) []byte {
	if len(v)%2 != 0 {
		v = append(bytes.Clone(v), ' ')
	}
	out := binary.LittleEndian.AppendUint16(nil, uint16(tag>>16))
	out = binary.LittleEndian.AppendUint16(out, uint16(tag))
	out = append(out, vr...)
	if vr == "OW" || vr == "OB" || vr == "SQ" {
		out = binary.LittleEndian.AppendUint32(append(out, 0, 0), uint32(len(v)))
	} else {
		out = binary.LittleEndian.AppendUint16(out, uint16(len(v)))
	}
	return append(out, v...)
}

func us(tag uint32, v ...uint16) []byte { return element(tag, "US", words(v...)) }

func words(v ...uint16) []byte {
	var out []byte
	for _, x := range v {
		out = binary.LittleEndian.AppendUint16(out, x)
	}
	return out
}

func sequence(tag uint32, parts ...[]byte) []byte {
	b := bytes.Join(parts, nil)
	head := binary.LittleEndian.AppendUint32([]byte{0xFE, 0xFF, 0x00, 0xE0}, uint32(len(b)))
	return element(tag, "SQ", append(head, b...))
}

// greyFile is a 16-bit image of 256 × 256 cells, each value of 16 bits once.
func greyFile(signed bool, bits uint16, photometric string, parts ...[]byte) []byte {
	pixels := make([]byte, 0, 131072)
	for i := range 65536 {
		pixels = binary.LittleEndian.AppendUint16(pixels, uint16(i)>>(16-bits))
	}
	uid := func(tag uint32, v string) []byte {
		return element(tag, "UI", []byte(v+strings.Repeat("\x00", len(v)%2)))
	}
	syntax := uid(0x00020010, "1.2.840.10008.1.2.1")
	head := [][]byte{
		make([]byte, 128), []byte("DICM"), element(0x00020000, "UL", binary.LittleEndian.AppendUint32(nil, uint32(len(syntax)))), syntax,
		uid(0x00080016, "1.2.840.10008.5.1.4.1.1.7"), uid(0x00080018, "1.2.3.4"), uid(0x0020000D, "1.2.3"), uid(0x0020000E, "1.2.3.1"),
		us(0x00280002, 1), element(0x00280004, "CS", []byte(photometric)), us(0x00280010, 256), us(0x00280011, 256),
		us(0x00280100, 16), us(0x00280101, bits), us(0x00280102, bits-1), us(0x00280103, map[bool]uint16{true: 1}[signed]),
	}
	return bytes.Join(append(append(head, parts...), element(0x7FE00010, "OW", pixels)), nil)
}

// ramp is a table of n entries from low to high.
func ramp(n, low, high int) []byte {
	var out []byte
	for i := range n {
		out = binary.LittleEndian.AppendUint16(out, uint16(low+(high-low)*i/max(1, n-1)))
	}
	return out
}

func lutSequence(tag uint32, n, first, bits int, data []byte) []byte {
	desc := us(0x00283002, uint16(n), uint16(first), uint16(bits))
	if tag == 0x00283000 {
		return sequence(tag, desc, element(0x00283004, "LO", []byte("US")), element(0x00283006, "OW", data))
	}
	return sequence(tag, desc, element(0x00283006, "OW", data))
}

func rescale(slope, intercept string) []byte {
	return append(element(0x00281052, "DS", []byte(intercept)), element(0x00281053, "DS", []byte(slope))...)
}

// Tables that the corpus has none of, over all 65,536 stored values, to ±1 of
// dcmtk: signed first mapped values, 65,536 entries, falling tables, after a
// rescale, MONOCHROME1.
func TestDCMTKTables(t *testing.T) {
	if _, err := exec.LookPath("dcm2pnm"); err != nil {
		t.Skip("SKIP dcm2pnm is not installed: tables are not compared with dcmtk")
	}
	const modality, voi = 0x00283000, 0x00283010
	window := []string{"+Ww", "1000", "3000"}
	w := Options{Window: &study.Window{Centre: 1000, Width: 3000}}
	lut, l := []string{"+Wl", "1"}, Options{LUT: 1}
	for name, c := range map[string]struct {
		file []byte
		args []string
		o    Options
	}{
		"modality, unsigned":         {greyFile(false, 16, "MONOCHROME2", lutSequence(modality, 4096, 1000, 12, ramp(4096, 0, 4095))), window, w},
		"modality, signed first":     {greyFile(true, 16, "MONOCHROME2", lutSequence(modality, 4096, -2000, 12, ramp(4096, 0, 4095))), window, w},
		"modality, falling":          {greyFile(false, 12, "MONOCHROME2", lutSequence(modality, 4096, 0, 12, ramp(4096, 4095, 0))), window, w},
		"modality, all entries":      {greyFile(false, 16, "MONOCHROME2", lutSequence(modality, 0, 0, 16, ramp(65536, 65535, 0))), window, w},
		"modality, monochrome1":      {greyFile(false, 12, "MONOCHROME1", lutSequence(modality, 4096, 0, 12, ramp(4096, 0, 4095))), window, w},
		"voi, unsigned":              {greyFile(false, 16, "MONOCHROME2", lutSequence(voi, 1024, 5000, 10, ramp(1024, 0, 1023))), lut, l},
		"voi, signed first":          {greyFile(true, 16, "MONOCHROME2", lutSequence(voi, 1024, -500, 12, ramp(1024, 0, 4095))), lut, l},
		"voi, after a rescale":       {greyFile(false, 12, "MONOCHROME2", rescale("1", "-1024"), lutSequence(voi, 2000, -1000, 16, ramp(2000, 0, 65535))), lut, l},
		"voi, falling":               {greyFile(false, 12, "MONOCHROME2", lutSequence(voi, 4096, 0, 8, ramp(4096, 255, 0))), lut, l},
		"voi, bytes in words":        {greyFile(false, 12, "MONOCHROME2", lutSequence(voi, 256, 1000, 8, bytes.Repeat([]byte{9, 200, 77, 255}, 64))), lut, l},
		"voi, 16 bits said for 8":    {greyFile(false, 12, "MONOCHROME2", lutSequence(voi, 256, 1000, 16, ramp(256, 0, 255))), append([]string{"+Mv"}, lut...), l},
		"voi, monochrome1":           {greyFile(false, 12, "MONOCHROME1", lutSequence(voi, 4096, 0, 12, ramp(4096, 0, 4095))), lut, l},
		"voi, all entries":           {greyFile(true, 16, "MONOCHROME2", lutSequence(voi, 0, -32768, 16, ramp(65536, 0, 65535))), lut, l},
		"voi after modality":         {greyFile(false, 12, "MONOCHROME2", lutSequence(modality, 4096, 0, 12, ramp(4096, 0, 4000)), lutSequence(voi, 2000, 1000, 12, ramp(2000, 0, 4095))), lut, l},
		"slope of two":               {greyFile(false, 12, "MONOCHROME2", rescale("2", "-1000")), window, w},
		"negative slope":             {greyFile(true, 16, "MONOCHROME2", rescale("-1", "7")), window, w},
		"negative slope monochrome1": {greyFile(true, 12, "MONOCHROME1", rescale("-3", "100")), window, w},
	} {
		path := filepath.Join(t.TempDir(), "table.dcm")
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		f, _, err := load(path, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := pnm(t, path, append([]string{"-O"}, c.args...)...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		most, count := differ(f, f.Draw(c.o).(*image.Gray).Pix, want)
		if most > 1 {
			t.Errorf("%s: %d grey levels in %d of %d pixels", name, most, count, len(want))
		}
	}
}

// From any bytes to pictures at three windows, marks and probes: no panic.
func FuzzRender(f *testing.F) {
	f.Add(greyFile(true, 12, "MONOCHROME1", rescale("-3", "100"), lutSequence(0x00283010, 16, -4, 8, ramp(16, 255, 0)))[:9000])
	small := func(parts ...[]byte) []byte {
		b := greyFile(false, 12, "MONOCHROME2", parts...)
		b = bytes.Replace(b, us(0x00280010, 256), us(0x00280010, 4), 1)
		b = bytes.Replace(b, us(0x00280011, 256), us(0x00280011, 4), 1)
		i := bytes.Index(b, element(0x7FE00010, "OW", nil)[:6])
		return append(b[:i:i], element(0x7FE00010, "OW", make([]byte, 32))...)
	}
	f.Add(small(rescale("1e300", "-1e308"), us(0x00280120, 3)))
	f.Add(small(lutSequence(0x00283000, 4, 1, 12, ramp(4, 0, 4095)), lutSequence(0x20500010, 4, 0, 12, ramp(4, 4095, 0))))
	f.Add(small(element(0x00281050, "DS", []byte("1e308\\5")), element(0x00281051, "DS", []byte("1e308\\1"))))
	f.Add(small(us(0x60000010, 4), us(0x60000011, 4), us(0x60000100, 16), us(0x60000102, 14), element(0x60000040, "CS", []byte("G"))))
	f.Add(small(element(0x00181600, "CS", []byte("POLYGONAL")), element(0x00181620, "IS", []byte("1\\1\\9\\9\\2147483647\\-2147483648"))))
	if dir, ok := corpustest.Find(); ok {
		for _, name := range []string{"pydicom/examples_palette.dcm", "pydicom-data/mlut_18.dcm", "pydicom-data/emri_small.dcm", "pydicom/rtdose_expb_1frame.dcm"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil && len(b) < 300_000 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := study.Parse(b)
		if err != nil || in.Pixel.Rows*in.Pixel.Cols > 1<<20 {
			return
		}
		for _, k := range []int{0, in.Pixel.Frames - 1} {
			raw, err := in.FrameOf(bytes.NewReader(b), int64(len(b)), k)
			if err != nil {
				return
			}
			n, err := codec.Decode(in.FrameDesc(k), raw)
			if err != nil {
				return
			}
			if fr, err := New(n, in.Pixel.Frame(k)); err == nil {
				exercise(t, fr)
			}
		}
	})
}

// exercise draws a frame in all ways and reads its facts.
func exercise(t *testing.T, f *Frame) {
	t.Helper()
	state := &Presentation{
		Rescale: &Rescale{Slope: 2, Intercept: -7}, Shape: "INVERSE", Turn: Turn{Quarters: 3, Flip: true},
		Area: &Area{X0: -1, Y0: 2, X1: 3, Y1: 900}, Shutter: f.px.Shutter, Overlays: f.px.Overlays, Activated: []int{0x6000},
	}
	ways := []Options{
		{}, {Auto: true, Invert: true}, {Window: &study.Window{Centre: 40, Width: 400}}, {State: state}, {LUT: 1}, {Choice: 1, LiftShutter: true, HideOverlays: true},
	}
	if f.rows*f.cols > 1<<18 {
		ways = ways[:3]
	}
	for _, o := range ways {
		im := f.Present(o)
		if b := im.Bounds(); b.Empty() {
			t.Fatalf("an empty picture: %v", b)
		}
		f.Preview(o, 64)
		_ = fmt.Sprint(f.Used(o), f.Marks(o, Setting{}))
	}
	for _, p := range [][2]int{{0, 0}, {f.cols - 1, f.rows - 1}, {-1, 0}, {f.cols, f.rows}} {
		_, ok := f.Probe(p[0], p[1])
		if inside := p[0] >= 0 && p[0] < f.cols && p[1] < f.rows; ok != inside {
			t.Fatalf("probe at %v: %v", p, ok)
		}
	}
	px := f.Pixel()
	_ = fmt.Sprint(Orientation(px), Calibrate(px, [2]float64{1, 1}), Aspect(px), Presets(px))
	if a := Aspect(px); !(a > 0) {
		t.Fatalf("aspect %v", a)
	}
}
