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
	for _, c := range [][2]string{
		{"native", "1.2.1"},
		{"rle", "1.2.5"},
		{"jpeg-baseline", "1.2.4.50"},
		{"jpeg-extended", "1.2.4.51"},
		{"jpeg-lossless", "1.2.4.57"},
		{"jpeg-lossless-sv1", "1.2.4.70"},
		{"jpeg-ls", "1.2.4.80"},
		{"jpeg-ls-near", "1.2.4.81"},
		{"jpeg-2000", "1.2.4.90"},
		{"jpeg-2000-irreversible", "1.2.4.91"},
	} {
		name, file := c[0], "cornerstone/CTImage_1.2.840.10008."+c[1]+".dcm"
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
			f, err := codec.Decode(in.FrameDesc(0), raw)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(f.Data)))
			for b.Loop() {
				if _, err := codec.Decode(in.FrameDesc(0), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
