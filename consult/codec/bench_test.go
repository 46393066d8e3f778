package codec_test

import (
	"bytes"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// BenchmarkDecode decodes a CT slice of the corpus in each syntax.
func BenchmarkDecode(b *testing.B) {
	dir := corpus(b)
	for name, file := range map[string]string{
		"jpeg-lossless": "cornerstone/CTImage_1.2.840.10008.1.2.4.70.dcm",
		"jpeg-ls":       "cornerstone/CTImage_1.2.840.10008.1.2.4.80.dcm",
		"rle":           "cornerstone/CTImage_1.2.840.10008.1.2.5.dcm",
		"native":        "cornerstone/CTImage_1.2.840.10008.1.2.1.dcm",
	} {
		data := read(b, dir, file)
		in, err := study.Parse(data)
		if err != nil {
			b.Fatal(err)
		}
		raw, err := in.FrameOf(bytes.NewReader(data), in.Size, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(in.Pixel.Rows) * int64(in.Pixel.Cols) * 2)
			for b.Loop() {
				if _, err := codec.Decode(in.FrameDesc(0), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
