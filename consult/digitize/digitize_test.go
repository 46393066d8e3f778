package digitize

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
)

// capture is what a person says; instances are numbered, so that the bytes are the same each time.
func capture() *Capture {
	n := 0
	return &Capture{
		Of: &study.Instance{
			StudyUID: "2.25.7", StudyID: "S1", StudyDate: "20260301", Accession: "A-17",
			Patient: study.Patient{Name: "Doe^Jane", ID: "P1", BirthDate: "19700102", Sex: "F"},
		},
		Conversion: "DI", Modality: "XC", BodyPart: "FOOT", Laterality: "L", Orientation: [2]string{"L", "F"}, Description: "sole",
		Next: func(document bool) object.Made {
			n++
			m := object.Made{SOPUID: fmt.Sprintf("2.25.100%d", n), SeriesUID: "2.25.8", SeriesNumber: 1, InstanceNumber: n, Date: "20260302", Time: "101112"}
			if document {
				m.SeriesUID = "2.25.9"
			}
			return m
		},
	}
}

// marked is a picture whose corners can be told apart: red, green, blue, white from the top left
// clockwise, over a ramp.
func marked(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{uint8(40 + x*100/w), uint8(40 + y*100/h), 60, 255})
		}
	}
	for i, c := range []color.RGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}} {
		x0, y0 := 0, 0
		if i == 1 || i == 2 {
			x0 = w - w/4
		}
		if i >= 2 {
			y0 = h - h/4
		}
		for y := range h / 4 {
			for x := range w / 4 {
				img.SetRGBA(x0+x, y0+y, c)
			}
		}
	}
	return img
}

func encodeJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 92}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// canary stands for a place, a name, a serial number.
const canary = "CANARY-17-48.8584N-2.2945E"

// withSegments puts EXIF data, a caption, a comment and more into a JPEG file, and something behind it.
func withSegments(jpegFile []byte, orientation int, big bool) []byte {
	seg := func(marker byte, body string) []byte {
		out := []byte{0xFF, marker}
		out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
		return append(out, body...)
	}
	out := append([]byte{}, jpegFile[:2]...)
	out = append(out, seg(0xE0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x02\x02"+strings.Repeat("T", 12))...) // a thumbnail
	out = append(out, seg(0xE1, exif(orientation, big))...)
	out = append(out, seg(0xE1, "http://ns.adobe.com/xap/1.0/\x00<x>"+canary+"</x>")...)
	out = append(out, seg(0xE2, "MPF\x00"+canary)...)
	out = append(out, seg(0xED, "Photoshop 3.0\x00"+canary)...)
	out = append(out, seg(0xFE, canary)...)
	out = append(out, jpegFile[2:]...)
	return append(out, canary...)
}

// exif is EXIF data with an orientation, a time, a place and a maker's note.
func exif(orientation int, big bool) string {
	var order binary.AppendByteOrder = binary.LittleEndian
	out := []byte("II*\x00")
	if big {
		order, out = binary.BigEndian, []byte("MM\x00*")
	}
	put16 := func(v uint16) { out = order.AppendUint16(out, v) }
	put32 := func(v uint32) { out = order.AppendUint32(out, v) }
	entry := func(tag, typ uint16, n, value uint32) {
		put16(tag)
		put16(typ)
		put32(n)
		if typ == 3 {
			put16(uint16(value))
			put16(0)
			return
		}
		put32(value)
	}
	put32(8)
	put16(3) // entries at 10, the next directory at 46
	entry(0x010F, 2, uint32(len(canary)), 88)
	entry(exifOrientation, 3, 1, uint32(orientation))
	entry(exifIFD, 4, 1, 50)
	put32(0)
	put16(1)
	entry(exifOriginal, 2, 20, 68)
	put32(0)
	out = append(out, "2025:12:24 17:30:05\x00"...)
	return "Exif\x00\x00" + string(out) + canary
}

func instance(t testing.TB, file []byte) *study.Instance {
	t.Helper()
	in, err := study.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Findings) > 0 {
		t.Errorf("findings: %v", in.Findings)
	}
	return in
}

func pixels(t testing.TB, file []byte, k int) *codec.Native {
	t.Helper()
	in := instance(t, file)
	b, err := in.FrameOf(bytes.NewReader(file), int64(len(file)), k)
	if err != nil {
		t.Fatal(err)
	}
	n, err := codec.Decode(in.FrameDesc(k), b)
	if err != nil || n.Partial {
		t.Fatal(err)
	}
	return n
}

// colourAt is a pixel as red, green and blue.
func colourAt(n *codec.Native, x, y int) [3]int {
	i := (y*n.Cols + x) * n.Samples
	if n.Samples == 1 {
		return [3]int{int(n.Data[i]), int(n.Data[i]), int(n.Data[i])}
	}
	r, g, b := n.Data[i], n.Data[i+1], n.Data[i+2]
	if n.Photometric == "YBR_FULL" {
		r, g, b = color.YCbCrToRGB(r, g, b)
	}
	return [3]int{int(r), int(g), int(b)}
}

func near(a, b [3]int, d int) bool {
	for i := range a {
		if a[i]-b[i] > d || b[i]-a[i] > d {
			return false
		}
	}
	return true
}

// TestJPEGUnchanged: an upright baseline JPEG gets in with its scan as it is and without anything
// else of its file.
func TestJPEGUnchanged(t *testing.T) {
	plain := encodeJPEG(t, marked(64, 48))
	made, err := Make(withSegments(plain, 1, false), capture())
	if err != nil || len(made.Files) != 1 || len(made.Warnings) > 0 {
		t.Fatalf("%v %+v", err, made)
	}
	file := made.Files[0]
	in := instance(t, file)
	if in.SOPClass != ClassCapture || in.TransferSyntax != codec.JPEGBaseline || in.Pixel.Rows != 48 || in.Pixel.Cols != 64 ||
		in.Patient.Name != "Doe^Jane" || in.Accession != "A-17" || in.BodyPart != "FOOT" || in.Laterality != "L" || in.Pixel.PatientOrientation != [2]string{"L", "F"} {
		t.Errorf("%+v", in)
	}
	if !in.Pixel.Lossy || in.Pixel.LossyMethod != "ISO_10918_1" || in.Pixel.PixelSpacing != nil {
		t.Errorf("%+v", in.Pixel)
	}
	scan := plain[bytes.Index(plain, []byte{0xFF, 0xDA}):]
	if !bytes.Contains(file, scan) {
		t.Error("the scan was changed")
	}
	for _, word := range []string{canary, "Exif", "adobe", "Photoshop", "TTTT", "MPF"} {
		if bytes.Contains(file, []byte(word)) {
			t.Errorf("%s is in the instance", word)
		}
	}
	o := read0(t, file)
	if o.Text(0x00080023) != "20251224" || o.Text(0x00080033) != "173005" || o.Text(0x00080064) != "DI" {
		t.Errorf("taken %s %s", o.Text(0x00080023), o.Text(0x00080033))
	}
	if n := pixels(t, file, 0); !near(colourAt(n, 4, 4), [3]int{255, 0, 0}, 12) || !near(colourAt(n, 60, 4), [3]int{0, 255, 0}, 12) {
		t.Errorf("corners %v %v", colourAt(n, 4, 4), colourAt(n, 60, 4))
	}
	film := capture()
	film.Conversion = "DF"
	made, err = Make(withSegments(plain, 1, true), film)
	if err != nil || read0(t, made.Files[0]).Text(0x00080023) != "" {
		t.Errorf("when a film was photographed is not when it was taken: %v", err)
	}
}

// read0 reads the set of a small image whole.
func read0(t testing.TB, file []byte) *object.File {
	t.Helper()
	o, err := object.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestUpright: a picture that lies in any of the eight ways comes out upright.
func TestUpright(t *testing.T) {
	want := marked(64, 48)
	for how := 1; how <= 8; how++ {
		stored := lay(want, how)
		for _, big := range []bool{false, true} {
			made, err := Make(withSegments(encodeJPEG(t, stored), how, big), capture())
			if err != nil {
				t.Fatal(err)
			}
			n := pixels(t, made.Files[0], 0)
			if n.Rows != 48 || n.Cols != 64 {
				t.Fatalf("orientation %d: %d rows, %d columns", how, n.Rows, n.Cols)
			}
			for _, at := range [][2]int{{4, 4}, {60, 4}, {60, 44}, {4, 44}, {32, 24}} {
				w := want.RGBAAt(at[0], at[1])
				if got := colourAt(n, at[0], at[1]); !near(got, [3]int{int(w.R), int(w.G), int(w.B)}, 16) {
					t.Errorf("orientation %d at %v: %v, want %v", how, at, got, w)
				}
			}
			if in := instance(t, made.Files[0]); !in.Pixel.Lossy || bytes.Contains(made.Files[0], []byte(canary)) {
				t.Error("turned, it was lossy all the same, and has no more of its file")
			}
		}
	}
}

// lay lays an upright picture down as a camera stores it, by the words of the standard: where row 0
// and column 0 of what is stored are in the picture as seen (CIPA DC-008 §4.6.4 Orientation).
func lay(img *image.RGBA, how int) *image.RGBA {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	sides := map[int][2]string{ // of row 0, of column 0
		1: {"top", "left"}, 2: {"top", "right"}, 3: {"bottom", "right"}, 4: {"bottom", "left"},
		5: {"left", "top"}, 6: {"right", "top"}, 7: {"right", "bottom"}, 8: {"left", "bottom"},
	}[how]
	ow, oh := w, h
	if how >= 5 {
		ow, oh = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, ow, oh))
	for r := range oh {
		for c := range ow {
			x, y := 0, 0
			for i, side := range sides {
				n := [2]int{r, c}[i]
				switch side {
				case "top":
					y = n
				case "bottom":
					y = h - 1 - n
				case "left":
					x = n
				case "right":
					x = w - 1 - n
				}
			}
			out.SetRGBA(c, r, img.RGBAAt(x, y))
		}
	}
	return out
}

func TestPNG(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 5, 3))
	deep := image.NewGray16(image.Rect(0, 0, 5, 3))
	glass := image.NewNRGBA(image.Rect(0, 0, 5, 3))
	wide := image.NewNRGBA64(image.Rect(0, 0, 5, 3))
	palette := image.NewPaletted(image.Rect(0, 0, 5, 3), color.Palette{color.RGBA{10, 20, 30, 255}, color.RGBA{200, 100, 50, 255}})
	for y := range 3 {
		for x := range 5 {
			grey.SetGray(x, y, color.Gray{uint8(10*x + y)})
			deep.SetGray16(x, y, color.Gray16{uint16(10000*x + y)})
			glass.SetNRGBA(x, y, color.NRGBA{200, 100, 0, uint8(51 * x)})
			wide.SetNRGBA64(x, y, color.NRGBA64{0x1234, 0x5678, 0x9ABC, 0xFFFF})
			palette.SetColorIndex(x, y, uint8(x%2))
		}
	}
	for name, c := range map[string]struct {
		img                     image.Image
		samples, bits, warnings int
		at                      func(n *codec.Native) bool
	}{
		"grey": {grey, 1, 8, 0, func(n *codec.Native) bool { return n.Data[2*5+4] == 42 }},
		"deep": {deep, 1, 16, 0, func(n *codec.Native) bool { return binary.LittleEndian.Uint16(n.Data[2*(2*5+4):]) == 40002 }},
		"glass": {glass, 3, 8, 0, func(n *codec.Native) bool {
			return near(colourAt(n, 0, 0), [3]int{255, 255, 255}, 0) && near(colourAt(n, 5-1, 0), [3]int{211, 131, 51}, 1)
		}},
		"wide":    {wide, 3, 8, 1, func(n *codec.Native) bool { return colourAt(n, 1, 1) == [3]int{0x12, 0x56, 0x9A} }},
		"palette": {palette, 3, 8, 0, func(n *codec.Native) bool { return colourAt(n, 1, 1) == [3]int{200, 100, 50} }},
	} {
		var b bytes.Buffer
		if err := png.Encode(&b, c.img); err != nil {
			t.Fatal(err)
		}
		made, err := Make(b.Bytes(), capture())
		if err != nil || len(made.Warnings) != c.warnings {
			t.Fatalf("%s: %v %v", name, err, made)
		}
		in := instance(t, made.Files[0])
		if in.Pixel.Samples != c.samples || in.Pixel.BitsAllocated != c.bits || in.Pixel.Lossy || in.TransferSyntax != codec.ExplicitLE {
			t.Errorf("%s: %+v", name, in.Pixel)
		}
		if n := pixels(t, made.Files[0], 0); !c.at(n) {
			t.Errorf("%s: %v", name, n.Data)
		}
	}
}

// pages are TIFF pictures in one file, chained.
func pages(t testing.TB, imgs ...image.Image) []byte {
	t.Helper()
	var out []byte
	link := 4
	for _, img := range imgs {
		var b bytes.Buffer
		if err := tiff.Encode(&b, img, nil); err != nil {
			t.Fatal(err)
		}
		one := b.Bytes()
		base := uint32(len(out))
		ifd := binary.LittleEndian.Uint32(one[4:])
		n := int(binary.LittleEndian.Uint16(one[ifd:]))
		for i := range n { // offsets are from the beginning of the file
			e := one[int(ifd)+2+12*i:]
			tag, typ, count := binary.LittleEndian.Uint16(e), binary.LittleEndian.Uint16(e[2:]), binary.LittleEndian.Uint32(e[4:])
			width := map[uint16]uint32{3: 2, 4: 4, 5: 8}[typ]
			if tag == 273 && count == 1 || count*width > 4 {
				binary.LittleEndian.PutUint32(e[8:], binary.LittleEndian.Uint32(e[8:])+base)
			}
		}
		if base > 0 {
			binary.LittleEndian.PutUint32(out[link:], base+ifd)
		}
		link = int(base+ifd) + 2 + 12*n
		out = append(out, one...)
	}
	return out
}

func TestTIFF(t *testing.T) {
	a, b, c := image.NewGray(image.Rect(0, 0, 9, 7)), image.NewGray(image.Rect(0, 0, 9, 7)), marked(9, 7)
	a.Pix[5], b.Pix[5] = 11, 22
	made, err := Make(pages(t, a, b), capture())
	if err != nil || len(made.Files) != 1 {
		t.Fatal(err)
	}
	in := instance(t, made.Files[0])
	if in.SOPClass != classGreyByte || in.Pixel.Frames != 2 || pixels(t, made.Files[0], 0).Data[5] != 11 || pixels(t, made.Files[0], 1).Data[5] != 22 {
		t.Errorf("%+v", in)
	}
	if made, err = Make(pages(t, a, c), capture()); err != nil || len(made.Files) != 2 {
		t.Fatalf("pages that are not alike are instances: %v", err)
	}
	if in := instance(t, made.Files[1]); in.Pixel.Samples != 3 || *in.Number != 2 {
		t.Errorf("%+v", in)
	}
	loop := pages(t, a)
	at := binary.LittleEndian.Uint32(loop[4:])
	binary.LittleEndian.PutUint32(loop[int(at)+2+12*int(binary.LittleEndian.Uint16(loop[at:])):], at)
	if _, err := Make(loop, capture()); !errors.Is(err, ErrDamaged) {
		t.Errorf("pages in a ring: %v", err)
	}
}

func TestPDF(t *testing.T) {
	pdf := []byte("%PDF-1.4\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n")
	made, err := Make(pdf, capture())
	if err != nil {
		t.Fatal(err)
	}
	o := read0(t, made.Files[0])
	if o.Class != object.ClassPDF || o.Text(0x00080060) != "DOC" || o.Series != "2.25.9" || o.Text(0x00420012) != "application/pdf" {
		t.Errorf("%+v", o)
	}
	if got := o.Find(0x00420011).Value; !bytes.Equal(got[:len(pdf)], pdf) {
		t.Error("the document was changed")
	}
	if n, _ := o.Int(0x00420015); n != len(pdf) {
		t.Errorf("%d bytes long", n)
	}
	if _, err := Make(pdf[:20], capture()); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut: %v", err)
	}
}

// TestRefused: what is too large, damaged or of another kind says so before it costs anything.
func TestRefused(t *testing.T) {
	header := func(w, h uint32) []byte {
		var b bytes.Buffer
		_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)))
		out := b.Bytes()
		binary.BigEndian.PutUint32(out[16:], w)
		binary.BigEndian.PutUint32(out[20:], h)
		binary.BigEndian.PutUint32(out[29:], crc(out[12:29]))
		return out
	}
	huge := encodeJPEG(t, marked(16, 16))
	i := bytes.Index(huge, []byte{0xFF, 0xC0})
	binary.BigEndian.PutUint16(huge[i+5:], 65000)
	binary.BigEndian.PutUint16(huge[i+7:], 65000)
	whole := encodeJPEG(t, marked(16, 16))
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"huge png":    {header(20_000, 20_000), ErrLimit},
		"long png":    {header(70_000, 10), ErrLimit},
		"huge jpeg":   {huge, ErrLimit},
		"cut jpeg":    {whole[:len(whole)-40], ErrDamaged},
		"jpeg header": {whole[:30], ErrDamaged},
		"cut png":     {header(5, 5)[:40], ErrDamaged},
		"text":        {[]byte("hello"), ErrFormat},
		"dicom":       {append(make([]byte, 128), "DICM"...), ErrFormat},
		"heic":        {[]byte("\x00\x00\x00\x18ftypheic\x00\x00"), ErrUnsupported},
		"empty tiff":  {[]byte("II*\x00\x00\x00\x00\x00"), ErrDamaged},
	} {
		if _, err := Make(c.file, capture()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func crc(b []byte) uint32 {
	const poly = 0xEDB88320
	c := ^uint32(0)
	for _, x := range b {
		c ^= uint32(x)
		for range 8 {
			if c&1 == 1 {
				c = c>>1 ^ poly
			} else {
				c >>= 1
			}
		}
	}
	return ^c
}

// TestScale: a known length and a stated size calibrate, a film scanner's resolution is the film's.
func TestScale(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, marked(64, 48)); err != nil {
		t.Fatal(err)
	}
	make1 := func(s *Scale, conversion string) (*study.Instance, error) {
		c := capture()
		c.Scale, c.Conversion = s, conversion
		m, err := Make(b.Bytes(), c)
		if err != nil {
			return nil, err
		}
		return instance(t, m.Files[0]), nil
	}
	known, err := ParseKnown("10,10; 40,50=25mm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := make1(&Scale{Known: known, By: "Clinic"}, "DI"); !errors.Is(err, ErrScale) {
		t.Errorf("outside the picture: %v", err)
	}
	known.B = [2]float64{40, 10 + 40}
	known.A[1] -= 4
	known.B[1] -= 4
	in, err := make1(&Scale{Known: known, By: "Clinic"}, "DI")
	if err != nil || in.Pixel.Calibration != "FIDUCIAL" || math.Abs(in.Pixel.PixelSpacing[0]-0.5) > 1e-9 || in.Pixel.CalibratedBy != "known length of 25 mm stated by Clinic" {
		t.Errorf("%v %+v", err, in)
	}
	spacing, err := ParseSpacing("0.2,0.1")
	if err != nil {
		t.Fatal(err)
	}
	if in, err = make1(&Scale{Spacing: spacing}, "DI"); err != nil || in.Pixel.PixelSpacing[0] != 0.2 || in.Pixel.PixelSpacing[1] != 0.1 {
		t.Errorf("%v %+v", err, in)
	}
	if in, err = make1(&Scale{DPI: 254}, "DF"); err != nil || in.Pixel.NominalSpacing[0] != 0.1 || in.Pixel.PixelSpacing != nil {
		t.Errorf("%v %+v", err, in)
	}
	if _, err = make1(&Scale{DPI: 254}, "DI"); !errors.Is(err, ErrScale) {
		t.Errorf("a photo has no resolution: %v", err)
	}
	for _, s := range []string{"", "1,2=5", "1,2;3=x", "nan,1;2,3=5"} {
		if k, err := ParseKnown(s); err == nil && s != "1,2;3=x" {
			t.Errorf("%q is %+v", s, k)
		}
	}
}

func TestSays(t *testing.T) {
	for _, c := range []struct {
		said   string
		animal bool
		want   [2]string
		ok     bool
	}{
		{"L/F", false, [2]string{"L", "F"}, true},
		{`a\fl`, false, [2]string{"A", "FL"}, true},
		{"LR/F", false, [2]string{}, false},
		{"L", false, [2]string{}, false},
		{"L/L", false, [2]string{}, false},
		{"LE/CD", true, [2]string{"LE", "CD"}, true},
		{"LECR/V", true, [2]string{"LECR", "V"}, true},
		{"H/F", true, [2]string{}, false},
		{"", false, [2]string{}, true},
	} {
		got, err := ParseOrientation(c.said, c.animal)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %v %v", c.said, got, err)
		}
	}
	if s, err := ParseLaterality("Left"); s != "L" || err != nil {
		t.Error(s, err)
	}
	if _, err := ParseLaterality("sideways"); err == nil {
		t.Error("no side is taken for one")
	}
	if s, err := ParseCode("body part", "left foot, big"); err == nil {
		t.Error(s)
	}
	if d, c, err := ParseDate("date", "2026-03-02T08:15"); d != "20260302" || c != "0815" || err != nil {
		t.Error(d, c, err)
	}
	if _, _, err := ParseDate("date", "2.3.2026"); err == nil {
		t.Error("which is the month?")
	}
}

// samples are one instance of every kind that is made here.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	add := func(name string, file []byte, change func(*Capture)) {
		c := capture()
		if change != nil {
			change(c)
		}
		m, err := Make(file, c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, b := range m.Files {
			out[fmt.Sprintf("%s-%d", name, i)] = b
		}
	}
	photo := encodeJPEG(t, marked(64, 48))
	grey := image.NewGray(image.Rect(0, 0, 9, 7))
	deep := image.NewGray16(image.Rect(0, 0, 9, 7))
	pngOf := func(img image.Image) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	add("photo", withSegments(photo, 1, false), nil)
	add("turned", withSegments(photo, 6, false), nil)
	add("film", encodeJPEG(t, grey), func(c *Capture) { c.Conversion, c.Scale = "DF", &Scale{DPI: 300} })
	add("deep", pngOf(deep), func(c *Capture) { c.Scale = &Scale{Spacing: &[2]float64{0.1, 0.2}, By: "x"} })
	add("colour", pngOf(marked(20, 10)), func(c *Capture) { c.Laterality, c.Orientation, c.Conversion = "", [2]string{}, "WSD" })
	add("pages", pages(t, grey, grey), func(c *Capture) { c.Conversion = "SI" })
	add("wide", pages(t, deep, deep), nil)
	add("colours", pages(t, marked(8, 8), marked(8, 8)), nil)
	add("both", photo, func(c *Capture) { c.Laterality, c.BodyPart = "B", "" })
	add("unsaid", photo, func(c *Capture) { c.Laterality, c.BodyPart, c.Description = "", "CHEST", "" })
	add("bare", photo, func(c *Capture) { c.Laterality, c.BodyPart, c.Orientation = "", "", [2]string{} })
	add("paper", []byte("%PDF-1.4\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF"), nil)
	add("animal", photo, func(c *Capture) {
		c.Of.Patient.Species, c.Of.Patient.Breed, c.Of.Patient.Responsible, c.Of.Patient.Role = "Canine", "Beagle", "Roe^Rita", "OWNER"
		c.Orientation = [2]string{"LE", "CD"}
	})
	return out
}

// TestValid: dciodvfy finds no error in anything that is made here.
func TestValid(t *testing.T) {
	if _, err := exec.LookPath("dciodvfy"); err != nil {
		t.Skip("dciodvfy is not installed")
	}
	dir := t.TempDir()
	for name, b := range samples(t) {
		path := filepath.Join(dir, name+".dcm")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.CommandContext(t.Context(), "dciodvfy", path).CombinedOutput() // its status says nothing
		for l := range strings.Lines(string(out)) {
			if strings.HasPrefix(l, "Error") {
				t.Errorf("%s: %s", name, l)
			}
		}
		if len(out) == 0 {
			t.Errorf("%s: no word of dciodvfy", name)
		}
	}
}

func FuzzMake(f *testing.F) {
	f.Add(withSegments(encodeJPEG(f, marked(16, 16)), 6, false))
	f.Add(pages(f, image.NewGray(image.Rect(0, 0, 3, 3)), marked(3, 3)))
	var b bytes.Buffer
	_ = png.Encode(&b, marked(4, 4))
	f.Add(b.Bytes())
	f.Add([]byte("%PDF-1.4\n%%EOF"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 1<<16 {
			return
		}
		m, err := Make(file, capture())
		if err != nil {
			return
		}
		if len(m.Files) == 0 {
			t.Fatal("made nothing")
		}
		for _, out := range m.Files {
			if _, err := study.Parse(out); err != nil {
				t.Fatalf("what was made is refused: %v", err)
			}
		}
	})
}
