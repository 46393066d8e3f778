package codec

import (
	"encoding/binary"
	"errors"
	"testing"
)

// The example of T.87 Annex H.3: 4 × 4, 8 bits, lossless.
var lsExample = []byte{
	0xFF, 0xD8, 0xFF, 0xF7, 0x00, 0x0B, 0x08, 0x00, 0x04, 0x00, 0x04, 0x01, 0x01, 0x11, 0x00,
	0xFF, 0xDA, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00,
	0xC0, 0x00, 0x00, 0x6C, 0x80, 0x20, 0x8E, 0x01, 0xC0, 0x00, 0x00, 0x57, 0x40, 0x00, 0x00, 0x6E, 0xE6, 0x00, 0x00, 0x01, 0xBC, 0x18, 0x00, 0x00, 0x05, 0xD8, 0x00, 0x00, 0x91, 0x60,
	0xFF, 0xD9,
}

func TestJPEGLSExample(t *testing.T) {
	d := FrameDesc{Syntax: JPEGLSLossless, Rows: 4, Cols: 4, Samples: 1, BitsAllocated: 8}
	f, err := Decode(d, lsExample)
	want := []byte{0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145}
	if err != nil || string(f.Data) != string(want) {
		t.Errorf("got %v (%v), want %v", f, err, want)
	}
}

func TestJPEGLSRejects(t *testing.T) {
	d := FrameDesc{Syntax: JPEGLSLossless, Rows: 4, Cols: 4, Samples: 1, BitsAllocated: 8}
	edit := func(at int, v byte) []byte {
		b := append([]byte(nil), lsExample...)
		b[at] = v
		return b
	}
	lse := binary.BigEndian.AppendUint16([]byte{0xFF, 0xD8, 0xFF, 0xF8}, 5)
	table := append(append(lse, 2, 1, 1), lsExample[2:]...)
	for name, b := range map[string][]byte{
		"empty": nil, "cut": lsExample[:45], "no end": lsExample[:len(lsExample)-2], "other size": edit(8, 5), "precision": edit(6, 17),
		"interleave": edit(23, 3), "near": edit(22, 200),
	} {
		if f, err := Decode(d, b); !errors.Is(err, ErrFrameData) {
			t.Errorf("%s: got %v, %v", name, f, err)
		}
	}
	refusesByName(t, d, table, "JPEG-LS with a mapping table")
}
