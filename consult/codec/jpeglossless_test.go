package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// An encoder written from T.81 Annex H for these tests: one flat Huffman table
// of 17 codes of 5 bits.

type bitWriter struct {
	out []byte
	acc uint32
	n   int
}

func (w *bitWriter) put(v uint32, n int) {
	for i := n - 1; i >= 0; i-- {
		w.acc, w.n = w.acc<<1|v>>i&1, w.n+1
		if w.n == 8 {
			w.out = append(w.out, byte(w.acc))
			if byte(w.acc) == 0xFF {
				w.out = append(w.out, 0)
			}
			w.acc, w.n = 0, 0
		}
	}
}

func (w *bitWriter) flush() {
	for w.n != 0 {
		w.put(1, 1)
	}
}

// predict is table H.1: a left, b above, c above left.
func predict(selection byte, a, b, c int32) uint16 {
	return uint16([...]int32{0, a, b, c, a + b - c, a + (b-c)>>1, b + (a-c)>>1, (a + b) >> 1}[selection])
}

type losslessParams struct {
	rows, cols, samples, precision, selection, transform, restartRows int
	separate                                                          bool // one scan a component
}

func segment(marker byte, b []byte) []byte {
	out := []byte{0xFF, marker}
	out = binary.BigEndian.AppendUint16(out, uint16(len(b)+2))
	return append(out, b...)
}

func encodeLossless(p losslessParams, cells []uint16) []byte {
	out := []byte{0xFF, 0xD8}
	sof := []byte{byte(p.precision), byte(p.rows >> 8), byte(p.rows), byte(p.cols >> 8), byte(p.cols), byte(p.samples)}
	for c := range p.samples {
		sof = append(sof, byte(c+1), 0x11, 0)
	}
	out = append(out, segment(0xC3, sof)...)
	dht := make([]byte, 17)
	dht[5] = 17
	for v := range 17 {
		dht = append(dht, byte(v))
	}
	out = append(out, segment(0xC4, dht)...)
	if p.restartRows > 0 {
		out = append(out, segment(0xDD, binary.BigEndian.AppendUint16(nil, uint16(p.restartRows*p.cols)))...)
	}
	scans := [][]int{{}}
	for c := range p.samples {
		if p.separate {
			scans = append(scans, []int{c})
		} else {
			scans[0] = append(scans[0], c)
		}
	}
	for _, scan := range scans {
		if len(scan) > 0 {
			out = append(out, losslessScan(p, cells, scan)...)
		}
	}
	return append(out, 0xFF, 0xD9)
}

func losslessScan(p losslessParams, cells []uint16, scan []int) []byte {
	sos := []byte{byte(len(scan))}
	for _, c := range scan {
		sos = append(sos, byte(c+1), 0)
	}
	out := segment(0xDA, append(sos, byte(p.selection), 0, byte(p.transform)))
	var w bitWriter
	first, restarts := true, 0
	at := func(x, y, c int) int32 { return int32(cells[(y*p.cols+x)*p.samples+c] >> p.transform) }
	for y := range p.rows {
		if p.restartRows > 0 && y > 0 && y%p.restartRows == 0 {
			w.flush()
			w.out = append(w.out, 0xFF, byte(0xD0+restarts%8))
			restarts++
			first = true
		}
		for x := range p.cols {
			for _, c := range scan {
				var pred uint16
				switch {
				case x > 0 && first:
					pred = uint16(at(x-1, y, c))
				case x > 0:
					pred = predict(byte(p.selection), at(x-1, y, c), at(x, y-1, c), at(x-1, y-1, c))
				case first:
					pred = 1 << (p.precision - p.transform - 1)
				default:
					pred = uint16(at(x, y-1, c))
				}
				d := int32(int16(uint16(at(x, y, c)) - pred))
				if d == -32768 {
					w.put(16, 5)
					continue
				}
				abs := max(d, -d)
				ssss := bits.Len32(uint32(abs))
				w.put(uint32(ssss), 5)
				if d < 0 {
					d += 1<<ssss - 1
				}
				w.put(uint32(d), ssss)
			}
		}
		first = false
	}
	w.flush()
	return append(out, w.out...)
}

func TestJPEGLosslessRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for i := range 420 {
		p := losslessParams{
			rows: 1 + r.IntN(70), cols: 1 + r.IntN(70), samples: 1 + 2*r.IntN(2), precision: 2 + i%15, selection: 1 + i%7,
			restartRows: r.IntN(4), separate: r.IntN(2) == 0,
		}
		p.transform = r.IntN(min(3, p.precision))
		cells := make([]uint16, p.rows*p.cols*p.samples)
		want := make([]byte, 2*len(cells))
		for k := range cells {
			cells[k] = uint16(r.IntN(1<<p.precision)) >> p.transform << p.transform
			binary.LittleEndian.PutUint16(want[2*k:], cells[k])
		}
		d := FrameDesc{Syntax: JPEGLossless, Rows: p.rows, Cols: p.cols, Samples: p.samples, BitsAllocated: 16}
		f, err := Decode(d, encodeLossless(p, cells))
		if err != nil || !bytes.Equal(f.Data, want) {
			t.Fatalf("%+v: %v", p, err)
		}
	}
}

// The same streams decode alike with dcmdjpeg and gdcmconv.
func TestJPEGLosslessStreamsElsewhere(t *testing.T) {
	r := rand.New(rand.NewPCG(57, 70))
	for i := range 7 {
		p := losslessParams{rows: 1 + r.IntN(70), cols: 1 + r.IntN(70), samples: 1 + 2*(i%2), precision: 16 - 8*(i%2), selection: 1 + i, restartRows: r.IntN(4)}
		cells := make([]uint16, p.rows*p.cols*p.samples)
		for k := range cells {
			cells[k] = uint16(r.IntN(1 << p.precision))
		}
		d := FrameDesc{Syntax: JPEGLossless, Rows: p.rows, Cols: p.cols, Samples: p.samples, BitsAllocated: p.precision, BitsStored: p.precision}
		b := encodeLossless(p, cells)
		f, err := Decode(d, b)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range []string{"dcmdjpeg +cn", "gdcmconv --raw"} {
			if got, ok := elsewhere(t, tool, d, b); ok && !bytes.Equal(got, f.Data) {
				t.Errorf("%+v: %s decodes other samples", p, tool)
			}
		}
	}
}

// DNL, fill bytes, and bytes after the last sample.
func TestJPEGLosslessOddities(t *testing.T) {
	p := losslessParams{rows: 8, cols: 9, samples: 1, precision: 12, selection: 4}
	b := encodeLossless(p, make([]uint16, 72))
	d := FrameDesc{Syntax: JPEGLossless, Rows: 8, Cols: 9, Samples: 1, BitsAllocated: 16}
	sof := bytes.Index(b, []byte{0xFF, 0xC3})
	unsaid := bytes.Clone(b)
	unsaid[sof+6] = 0
	dnl := append(bytes.Clone(unsaid[:len(b)-2]), append(segment(0xDC, []byte{0, 8}), 0xFF, 0xD9)...)
	fill := append(bytes.Clone(b[:len(b)-2]), 0xFF, 0xFF, 0xFF, 0xD9)
	for name, stream := range map[string][]byte{"DNL": dnl, "fill bytes": fill} {
		if f, err := Decode(d, stream); err != nil || len(f.Warnings) > 0 {
			t.Errorf("%s: %v, %+v", name, err, f)
		}
	}
	dnl[len(dnl)-3] = 9
	for name, stream := range map[string][]byte{"no DNL": unsaid, "DNL of other lines": dnl} {
		if _, err := Decode(d, stream); !errors.Is(err, ErrFrameData) {
			t.Errorf("%s: %v", name, err)
		}
	}
	more := append(bytes.Clone(b[:len(b)-2]), 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xFF, 0xD9)
	if f, err := Decode(d, more); err != nil || len(f.Warnings) != 1 {
		t.Errorf("bytes after the last sample: %v, %+v", err, f)
	}
}

func TestJPEGLosslessRejects(t *testing.T) {
	p := losslessParams{rows: 8, cols: 8, samples: 1, precision: 12, selection: 2, restartRows: 2}
	good := encodeLossless(p, make([]uint16, 64))
	d := FrameDesc{Syntax: JPEGLosslessSV1, Rows: 8, Cols: 8, Samples: 1, BitsAllocated: 16}
	f, err := Decode(d, good)
	if err != nil || len(f.Warnings) != 1 {
		t.Errorf("predictor 2 under .70: %v, %+v", err, f)
	}
	narrow, other := d, d
	narrow.BitsAllocated, other.Cols = 8, 9
	for name, c := range map[string]struct {
		d FrameDesc
		b []byte
	}{
		"empty": {d, nil}, "cut": {d, good[:len(good)-12]}, "no end": {d, good[:len(good)-2]}, "12 bits in 8": {narrow, good}, "other size": {other, good},
		"restart missing": {d, bytes.Replace(good, []byte{0xFF, 0xD1}, []byte{0x11, 0x11}, 1)},
	} {
		if _, err := Decode(c.d, c.b); !errors.Is(err, ErrFrameData) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	refusesByName(t, d, bytes.Replace(good, []byte{0xFF, 0xC3}, []byte{0xFF, 0xC0}, 1), "JPEG baseline")
}

func BenchmarkJPEGLossless(b *testing.B) {
	bulk, l := ctLike(1)
	cells := make([]uint16, len(bulk)/2)
	for i := range cells {
		cells[i] = binary.LittleEndian.Uint16(bulk[2*i:]) & 4095
	}
	enc := encodeLossless(losslessParams{rows: l.Rows, cols: l.Cols, samples: 1, precision: 12, selection: 1}, cells)
	d := FrameDesc{Syntax: JPEGLosslessSV1, Rows: l.Rows, Cols: l.Cols, Samples: 1, BitsAllocated: 16}
	b.SetBytes(int64(len(bulk)))
	for b.Loop() {
		if _, err := Decode(d, enc); err != nil {
			b.Fatal(err)
		}
	}
}
