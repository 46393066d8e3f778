package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"strings"
	"testing"
)

// encodeRLE is written from PS3.5 Annex G for these tests.
func encodeRLE(data []byte, samples, width int) []byte {
	segments := samples * width
	out := make([]byte, 64)
	binary.LittleEndian.PutUint32(out, uint32(segments))
	for i := range segments {
		binary.LittleEndian.PutUint32(out[4+4*i:], uint32(len(out)))
		sample, plane := i/width, i%width
		var bytePlane []byte
		for at := sample*width + width - 1 - plane; at < len(data); at += segments {
			bytePlane = append(bytePlane, data[at])
		}
		out = append(out, packBits(bytePlane)...)
	}
	return out
}

func packBits(b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		run := 1
		for run < len(b) && run < 128 && b[run] == b[0] {
			run++
		}
		if run > 1 {
			out = append(out, byte(1-run), b[0])
			b = b[run:]
			continue
		}
		n := 1
		for n < len(b) && n < 128 && (n+1 >= len(b) || b[n] != b[n+1]) {
			n++
		}
		out = append(append(out, byte(n-1)), b[:n]...)
		b = b[n:]
	}
	if len(out)%2 != 0 {
		out = append(out, 0)
	}
	return out
}

func TestRLERoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 300 {
		d := FrameDesc{Syntax: RLE, Rows: 1 + r.IntN(70), Cols: 1 + r.IntN(70), Samples: 1 + 2*r.IntN(2), BitsAllocated: 8 << r.IntN(3)}
		data := smooth(d.cells()*d.BitsAllocated/8, r)
		f, err := Decode(d, encodeRLE(data, d.Samples, d.BitsAllocated/8))
		if err != nil || !bytes.Equal(f.Data, data) {
			t.Fatalf("%+v: %v", d, err)
		}
	}
}

func TestRLEStreamsElsewhere(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 4 {
		d := FrameDesc{Syntax: RLE, Rows: 1 + r.IntN(70), Cols: 1 + r.IntN(70), Samples: 1 + 2*(i%2), BitsAllocated: 16 - 8*(i%2)}
		d.BitsStored = d.BitsAllocated
		data := smooth(d.cells()*d.BitsAllocated/8, r)
		b := encodeRLE(data, d.Samples, d.BitsAllocated/8)
		for _, tool := range []string{"dcmdrle", "gdcmconv --raw"} {
			if got, ok := elsewhere(t, tool, d, b); ok && !bytes.Equal(got, data) {
				t.Errorf("%+v: %s decodes other samples", d, tool)
			}
		}
	}
}

func TestRLERejects(t *testing.T) {
	d := FrameDesc{Syntax: RLE, Rows: 4, Cols: 4, Samples: 1, BitsAllocated: 8}
	good := encodeRLE(make([]byte, 16), 1, 1)
	for name, b := range map[string][]byte{
		"empty": nil, "header cut": good[:60], "segment cut": good[:65],
		"two segments":   encodeRLE(make([]byte, 16), 2, 1),
		"offset outside": append(append(bytes.Clone(good[:4]), 0xFF, 0xFF, 0xFF, 0x7F), good[8:]...),
	} {
		if _, err := Decode(d, b); !errors.Is(err, ErrFrameData) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestNativeShapes(t *testing.T) {
	for name, c := range map[string]struct {
		d        FrameDesc
		in, want []byte
	}{
		"little":      {FrameDesc{Syntax: ExplicitLE, Rows: 1, Cols: 2, Samples: 1, BitsAllocated: 16}, []byte{1, 2, 3, 4, 9}, []byte{1, 2, 3, 4}},
		"big":         {FrameDesc{Syntax: ExplicitBE, Rows: 1, Cols: 2, Samples: 1, BitsAllocated: 16}, []byte{1, 2, 3, 4}, []byte{2, 1, 4, 3}},
		"big 32":      {FrameDesc{Syntax: ExplicitBE, Rows: 1, Cols: 1, Samples: 1, BitsAllocated: 32}, []byte{1, 2, 3, 4}, []byte{4, 3, 2, 1}},
		"big words":   {FrameDesc{Syntax: ExplicitBE, Rows: 1, Cols: 3, Samples: 1, BitsAllocated: 8, Words: true}, []byte{1, 2, 3, 4}, []byte{2, 1, 4}},
		"odd frame":   {FrameDesc{Syntax: ExplicitBE, Rows: 1, Cols: 3, Samples: 1, BitsAllocated: 8, Words: true, Bit: 8}, []byte{1, 2, 3, 4}, []byte{1, 4, 3}},
		"planar":      {FrameDesc{Syntax: ExplicitLE, Rows: 1, Cols: 2, Samples: 3, BitsAllocated: 8, Planar: 1}, []byte{1, 2, 3, 4, 5, 6}, []byte{1, 3, 5, 2, 4, 6}},
		"1 bit":       {FrameDesc{Syntax: ExplicitLE, Rows: 1, Cols: 4, Samples: 1, BitsAllocated: 1}, []byte{0b1101}, []byte{1, 0, 1, 1}},
		"1 bit later": {FrameDesc{Syntax: ExplicitLE, Rows: 1, Cols: 4, Samples: 1, BitsAllocated: 1, Bit: 6}, []byte{0b01000000, 0b10}, []byte{1, 0, 0, 1}},
		"422":         {FrameDesc{Syntax: ExplicitLE, Rows: 1, Cols: 2, Samples: 3, BitsAllocated: 8, Photometric: "YBR_FULL_422"}, []byte{1, 2, 3, 4}, []byte{1, 2, 3, 4}},
	} {
		f, err := Decode(c.d, c.in)
		if err != nil || !bytes.Equal(f.Data, c.want) {
			t.Errorf("%s: got %v (%v), want %v", name, f, err, c.want)
		}
	}
	short := FrameDesc{Syntax: ExplicitLE, Rows: 2, Cols: 2, Samples: 1, BitsAllocated: 16}
	if _, err := Decode(short, make([]byte, 7)); !errors.Is(err, ErrFrameData) {
		t.Errorf("short: %v", err)
	}
	if _, err := Decode(FrameDesc{Syntax: ExplicitLE, Rows: 1, Cols: 1, Samples: 1, BitsAllocated: 24}, nil); !errors.Is(err, ErrFrameShape) {
		t.Errorf("24 bits: %v", err)
	}
}

func TestUnsupportedNamesTheSyntax(t *testing.T) {
	d := FrameDesc{Rows: 1, Cols: 1, Samples: 1, BitsAllocated: 8}
	for suffix, name := range EncapsulatedNames {
		d.Syntax = syntaxRoot + suffix
		if Displayable(d.Syntax) {
			continue
		}
		_, err := Decode(d, []byte{1})
		u, ok := errors.AsType[*Unsupported](err)
		if !ok || u.UID != d.Syntax || u.Name != name {
			t.Errorf("%s: got %v", suffix, err)
		}
	}
}

func encodeJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gradient(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{uint8(x * 255 / w), uint8(y * 255 / h), 100, 255})
		}
	}
	return img
}

func TestJPEG(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {64, 64}, {65, 47}, {47, 65}} {
		img := gradient(size[0], size[1])
		d := FrameDesc{Syntax: JPEGBaseline, Rows: size[1], Cols: size[0], Samples: 3, BitsAllocated: 8, Photometric: "YBR_FULL_422"}
		f, err := Decode(d, append(encodeJPEG(t, img), 0)) // a pad byte after EOI
		if err != nil || f.Photometric != "YBR_FULL" {
			t.Fatalf("%v: %+v %v", size, f, err)
		}
		for i := range size[0] * size[1] {
			r, g, b := color.YCbCrToRGB(f.Data[3*i], f.Data[3*i+1], f.Data[3*i+2])
			want := img.Pix[4*i:]
			if far(r, want[0]) || far(g, want[1]) || far(b, want[2]) {
				t.Fatalf("%v: pixel %d: %d %d %d, want %v", size, i, r, g, b, want[:3])
			}
		}
	}
}

func far(a, b uint8) bool { return max(a, b)-min(a, b) > 24 }

func TestJPEGRejects(t *testing.T) {
	d := FrameDesc{Syntax: JPEGBaseline, Rows: 16, Cols: 16, Samples: 3, BitsAllocated: 8}
	good := encodeJPEG(t, gradient(16, 16))
	other := d
	other.Rows = 17
	grey := d
	grey.Samples = 1
	progressive := bytes.Replace(good, []byte{0xFF, 0xC0}, []byte{0xFF, 0xC2}, 1)
	for name, c := range map[string]struct {
		d FrameDesc
		b []byte
	}{
		"empty": {d, nil}, "not jpeg": {d, make([]byte, 100)}, "cut": {d, good[:len(good)/2]}, "no end": {d, good[:len(good)-2]},
		"other size": {other, good}, "other samples": {grey, good},
	} {
		if f, err := Decode(c.d, c.b); !errors.Is(err, ErrFrameData) {
			t.Errorf("%s: got %v, %v", name, f != nil, err)
		}
	}
	refusesByName(t, d, progressive, "JPEG progressive")
	refusesByName(t, d, bytes.Replace(good, []byte{0xFF, 0xC0}, []byte{0xFF, 0xC9}, 1), "JPEG with arithmetic coding")
}

// refusesByName: a stream that is sound, and of a process that is not decoded.
func refusesByName(t *testing.T, d FrameDesc, b []byte, name string) {
	t.Helper()
	f, err := Decode(d, b)
	if u, ok := errors.AsType[*Unsupported](err); !ok || f != nil || !strings.HasPrefix(u.Name, name) {
		t.Errorf("%s: got %v", name, err)
	}
}

func BenchmarkRLE(b *testing.B) {
	bulk, l := ctLike(1)
	enc := encodeRLE(bulk, 1, 2)
	d := FrameDesc{Syntax: RLE, Rows: l.Rows, Cols: l.Cols, Samples: 1, BitsAllocated: 16}
	b.SetBytes(int64(len(bulk)))
	for b.Loop() {
		if _, err := Decode(d, enc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJPEG(b *testing.B) {
	enc := encodeJPEG(b, gradient(512, 512))
	d := FrameDesc{Syntax: JPEGBaseline, Rows: 512, Cols: 512, Samples: 3, BitsAllocated: 8}
	b.SetBytes(512 * 512 * 3)
	for b.Loop() {
		if _, err := Decode(d, enc); err != nil {
			b.Fatal(err)
		}
	}
}
