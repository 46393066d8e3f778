package codec

import (
	"bytes"
	"encoding/binary"
	"image"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/corpustest"
)

// fuzzCells bounds the frames of a fuzz run, so that it is of many inputs.
const fuzzCells = 1 << 18

const decodeMax = 20 * time.Second

// seedMax keeps the engine from minimising long inputs all the time.
const seedMax = 8 << 10

// fuzzDecoder fuzzes one transfer syntax; what has been added before are its seeds.
func fuzzDecoder(f *testing.F, syntax string, streams ...string) {
	for _, pattern := range streams {
		seedStreams(f, pattern)
	}
	f.Fuzz(func(t *testing.T, b []byte, rows, cols uint16, samples, bits uint8) {
		d := FrameDesc{Syntax: syntax, Rows: int(rows), Cols: int(cols), Samples: int(samples), BitsAllocated: int(bits), BitsStored: int(bits)}
		if d.cells() > fuzzCells {
			d.Rows, d.Cols = d.Rows&255, d.Cols&255
		}
		decodeAny(t, d, b)
	})
}

// decodeAny checks what holds for every frame: all cells, or an error and
// nothing; memory within 8 frames and 64 MiB. The slowest frame of fuzzCells takes
// a tenth of a second; decodeMax is for a machine that does much else.
func decodeAny(t *testing.T, d FrameDesc, b []byte) {
	t.Helper()
	from, before := time.Now(), allocated()
	f, err := Decode(d, b)
	frame := uint64(d.cells() * max(1, d.BitsAllocated/8))
	if used := allocated() - before; used > 8*frame+64<<20 {
		t.Fatalf("%d bytes allocated for a frame of %d", used, frame)
	}
	if took := time.Since(from); took > decodeMax {
		t.Fatalf("%v for %d pixels", took, d.Rows*d.Cols)
	}
	if err != nil {
		if f != nil {
			t.Fatal("pixels beside an error")
		}
		return
	}
	if packed := f.Photometric == "YBR_FULL_422" && len(f.Data) == int(frame)/3*2; !packed && len(f.Data) != int(frame) {
		t.Fatalf("%d bytes", len(f.Data))
	}
}

// allocated is all that has been taken from the heap so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// seedStreams adds the first frames of DICOM files, found by their item tags,
// with the size that the file declares.
func seedStreams(f *testing.F, pattern string) {
	f.Helper()
	real, _ := corpustest.Find() // without one there are fewer seeds
	for _, dir := range []string{"testdata/streams", filepath.Join(real, "hostile"), real} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if s := fragment(b); len(s) > 0 && len(s) < seedMax {
				f.Add(s, short(b, 0x10), short(b, 0x11), uint8(short(b, 0x02)), uint8(short(b, 0x100)))
			}
		}
	}
}

// fragment is the value of the second item: the first is the offset table.
func fragment(file []byte) []byte {
	item := []byte{0xFE, 0xFF, 0x00, 0xE0}
	at := bytes.Index(file, []byte{0xE0, 0x7F, 0x10, 0x00})
	if at < 0 || at+12+8 > len(file) {
		return nil
	}
	rest := file[at+12:]
	if !bytes.HasPrefix(rest, item) {
		return nil
	}
	n := int(binary.LittleEndian.Uint32(rest[4:]))
	if n < 0 || 8+n+8 > len(rest) || !bytes.HasPrefix(rest[8+n:], item) {
		return nil
	}
	rest = rest[8+n:]
	n = int(binary.LittleEndian.Uint32(rest[4:]))
	return rest[8:min(len(rest), 8+max(n, 0))]
}

// short is an explicit US of group 0028.
func short(file []byte, element uint16) uint16 {
	tag := []byte{0x28, 0, byte(element), byte(element >> 8), 'U', 'S', 2, 0}
	if at := bytes.Index(file, tag); at >= 0 && at+10 <= len(file) {
		return binary.LittleEndian.Uint16(file[at+8:])
	}
	return 8
}

func FuzzNative(f *testing.F) {
	f.Add(make([]byte, 64), uint16(4), uint16(8), uint8(1), uint8(16), uint8(0))
	f.Add(make([]byte, 64), uint16(4), uint16(5), uint8(3), uint8(8), uint8(7))
	f.Fuzz(func(t *testing.T, b []byte, rows, cols uint16, samples, bits, flags uint8) {
		d := FrameDesc{Syntax: ExplicitLE, Rows: int(rows), Cols: int(cols), Samples: int(samples), BitsAllocated: int(bits), Planar: int(flags & 1), Bit: int(flags >> 4)}
		if flags&2 != 0 {
			d.Syntax = ExplicitBE
		}
		d.Words = flags&4 != 0
		if flags&8 != 0 {
			d.Photometric = "YBR_FULL_422"
		}
		decodeAny(t, d, b)
	})
}

func FuzzDeflatedFrame(f *testing.F) {
	f.Add([]byte{0x63, 0x60, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF}, uint16(2), uint16(2), uint8(1), uint8(8))
	fuzzDecoder(f, DeflatedFrame)
}

func FuzzRLE(f *testing.F) {
	f.Add(encodeRLE(make([]byte, 32), 1, 2), uint16(4), uint16(4), uint8(1), uint8(16))
	f.Add(encodeRLE(make([]byte, 16*12), 3, 4), uint16(4), uint16(4), uint8(3), uint8(32))
	fuzzDecoder(f, RLE, "rle*.dcm", "codec_rle*.dcm", "cornerstone/*1.2.5.dcm")
}

func FuzzJPEG(f *testing.F) {
	f.Add(encodeJPEG(f, gradient(16, 16)), uint16(16), uint16(16), uint8(3), uint8(8))
	f.Add(encodeJPEG(f, image.NewGray(image.Rect(0, 0, 9, 9))), uint16(9), uint16(9), uint8(1), uint8(8))
	fuzzDecoder(f, JPEGBaseline, "codec_jpeg*.dcm", "codec_size*.dcm", "cornerstone/*.4.50.dcm")
}

func FuzzJPEGExtended(f *testing.F) {
	// A 12-bit stream of one grey block: DC 0, end of block.
	b := []byte{0xFF, 0xD8}
	b = append(b, segment(0xDB, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...))...)
	b = append(b, segment(0xC1, []byte{12, 0, 8, 0, 8, 1, 1, 0x11, 0})...)
	b = append(b, segment(0xC4, append([]byte{0x00, 1}, make([]byte, 16)...))...)
	b = append(b, segment(0xC4, append([]byte{0x10, 1}, make([]byte, 16)...))...)
	b = append(append(b, segment(0xDA, []byte{1, 1, 0, 0, 63, 0})...), 0x3F, 0xFF, 0xD9)
	f.Add(b, uint16(8), uint16(8), uint8(1), uint8(16))
	fuzzDecoder(f, JPEGExtended, "cornerstone/*.4.51.dcm")
}

func FuzzJPEGLossless(f *testing.F) {
	f.Add(encodeLossless(losslessParams{rows: 8, cols: 8, samples: 1, precision: 12, selection: 7, restartRows: 2}, make([]uint16, 64)), uint16(8), uint16(8), uint8(1), uint8(16))
	f.Add(encodeLossless(losslessParams{rows: 4, cols: 5, samples: 3, precision: 8, selection: 1}, make([]uint16, 60)), uint16(4), uint16(5), uint8(3), uint8(8))
	fuzzDecoder(f, JPEGLossless, "jpeg-lossless.dcm", "cornerstone/*.4.57.dcm", "cornerstone/*.4.70.dcm")
}

func FuzzJPEGLS(f *testing.F) {
	f.Add(lsExample, uint16(4), uint16(4), uint8(1), uint8(8))
	fuzzDecoder(f, JPEGLSLossless, "jpeg-ls*.dcm", "cornerstone/*.4.8?.dcm")
}

// FuzzHTJ2K has two seeds: what OpenJPH makes of a 40 × 33 picture of 8 bits, and
// one of 12 bits with refinement passes by the encoder of internal/jpeg2000.
func FuzzHTJ2K(f *testing.F) {
	for name, bits := range map[string]uint8{"htj2k.j2c": 8, "htj2k-refined.j2c": 16} {
		b, err := os.ReadFile(filepath.Join("testdata/streams", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(33), uint16(40), uint8(1), bits)
	}
	fuzzDecoder(f, HTJ2K)
}

func FuzzJPEG2000(f *testing.F) {
	fuzzDecoder(f, JPEG2000, "j2k*.dcm", "codec_j2k*.dcm", "cornerstone/*.4.9?.dcm")
}
