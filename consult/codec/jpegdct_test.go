package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// dctEncoding is what the DCT encoder of these tests varies; it is written from
// T.81 Annex F, with flat Huffman tables.
type dctEncoding struct {
	rows, cols, samples, precision int
	h, v                           []int
	restart                        int // MCUs
	separate                       bool
	wide                           bool // 16-bit quantisation tables
	dnl, fill                      bool
	adobe                          int // -1 for none
	ids                            []byte
}

// dctQuant grows with the frequency.
func (e *dctEncoding) quant(k int) int {
	if e.wide {
		return 300 + 9*k
	}
	return 3 + k/2
}

func (e *dctEncoding) encode(planes [][]int) []byte {
	out := []byte{0xFF, 0xD8}
	if e.adobe >= 0 {
		out = append(out, segment(0xEE, append([]byte("Adobe\x00\x64\x00\x00\x00\x00"), byte(e.adobe)))...)
	}
	dqt := []byte{0}
	for k := range 64 {
		if e.wide {
			dqt[0] = 0x10
			dqt = binary.BigEndian.AppendUint16(dqt, uint16(e.quant(k)))
		} else {
			dqt = append(dqt, byte(e.quant(k)))
		}
	}
	out = append(out, segment(0xDB, dqt)...)
	rows := e.rows
	if e.dnl {
		rows = 0
	}
	sof := []byte{byte(e.precision), byte(rows >> 8), byte(rows), byte(e.cols >> 8), byte(e.cols), byte(e.samples)}
	for c := range e.samples {
		sof = append(sof, e.ids[c], byte(e.h[c]<<4|e.v[c]), 0)
	}
	process := map[bool]byte{true: 0xC0, false: 0xC1}[e.precision == 8 && !e.wide]
	out = append(out, segment(process, sof)...)
	dc := make([]byte, 17)
	dc[5] = 16
	ac := make([]byte, 17)
	ac[0], ac[8] = 0x10, 0
	for v := range 16 {
		dc = append(dc, byte(v))
	}
	for run := range 16 {
		for size := range 15 {
			if size == 0 && run != 0 && run != 15 {
				continue
			}
			ac = append(ac, byte(run<<4|size))
			ac[8]++
		}
	}
	out = append(append(out, segment(0xC4, dc)...), segment(0xC4, ac)...)
	if e.restart > 0 {
		out = append(out, segment(0xDD, binary.BigEndian.AppendUint16(nil, uint16(e.restart)))...)
	}
	scans := [][]int{{}}
	for c := range e.samples {
		if e.separate {
			scans = append(scans, []int{c})
		} else {
			scans[0] = append(scans[0], c)
		}
	}
	for _, scan := range scans {
		if len(scan) == 0 {
			continue
		}
		if e.fill {
			out = append(out, 0xFF, 0xFF, 0xFF)
		}
		out = append(out, e.scan(planes, scan)...)
		if e.dnl {
			out = append(out, segment(0xDC, binary.BigEndian.AppendUint16(nil, uint16(e.rows)))...)
			e.dnl = false
		}
	}
	if e.fill {
		out = append(out, 0xFF)
	}
	return append(out, 0xFF, 0xD9)
}

// size of a component (§A.1.1).
func (e *dctEncoding) size(c int) (w, h int) {
	hm, vm := 1, 1
	for i := range e.h {
		hm, vm = max(hm, e.h[i]), max(vm, e.v[i])
	}
	return ceilDiv(e.cols*e.h[c], hm), ceilDiv(e.rows*e.v[c], vm)
}

func (e *dctEncoding) scan(planes [][]int, scan []int) []byte {
	sos := []byte{byte(len(scan))}
	for _, c := range scan {
		sos = append(sos, e.ids[c], 0)
	}
	out := segment(0xDA, append(sos, 0, 63, 0))
	hm, vm := 1, 1
	for i := range e.h {
		hm, vm = max(hm, e.h[i]), max(vm, e.v[i])
	}
	mx, my := ceilDiv(e.cols, 8*hm), ceilDiv(e.rows, 8*vm)
	if len(scan) == 1 {
		w, h := e.size(scan[0])
		mx, my = ceilDiv(w, 8), ceilDiv(h, 8)
	}
	var w bitWriter
	pred := make([]int, e.samples)
	for i := range mx * my {
		if e.restart > 0 && i > 0 && i%e.restart == 0 {
			w.flush()
			w.out = append(w.out, 0xFF, byte(0xD0+(i/e.restart-1)%8))
			clear(pred)
		}
		for _, c := range scan {
			bh, bv := e.h[c], e.v[c]
			if len(scan) == 1 {
				bh, bv = 1, 1
			}
			for b := range bh * bv {
				e.block(&w, planes[c], c, (i%mx*bh+b%bh)*8, (i/mx*bv+b/bh)*8, &pred[c])
			}
		}
	}
	w.flush()
	return append(out, w.out...)
}

// block transforms, quantises and codes one block; outside the plane its edge
// is repeated.
func (e *dctEncoding) block(w *bitWriter, plane []int, c, x0, y0 int, pred *int) {
	pw, ph := e.size(c)
	var in [64]float64
	for i := range in {
		in[i] = float64(plane[min(y0+i/8, ph-1)*pw+min(x0+i%8, pw-1)] - 1<<(e.precision-1))
	}
	freq := forwardDCT(in)
	var z [64]int
	for k := range z {
		z[k] = int(math.Round(freq[zigzag[k]] / float64(e.quant(k))))
	}
	put := func(v int) { // §F.1.2.1: the bits after a category
		n := bits.Len(uint(max(v, -v)))
		if v < 0 {
			v += 1<<n - 1
		}
		w.put(uint32(v), n)
	}
	diff := z[0] - *pred
	*pred = z[0]
	w.put(uint32(bits.Len(uint(max(diff, -diff)))), 5)
	put(diff)
	run := 0
	for k := 1; k < 64; k++ {
		if z[k] == 0 {
			run++
			continue
		}
		for ; run > 15; run -= 16 {
			w.put(acCode(15, 0), 8)
		}
		w.put(acCode(run, bits.Len(uint(max(z[k], -z[k])))), 8)
		put(z[k])
		run = 0
	}
	if run > 0 {
		w.put(acCode(0, 0), 8)
	}
}

// acCode is the place in the flat table.
func acCode(run, size int) uint32 {
	n := uint32(0)
	for r := range 16 {
		for s := range 15 {
			if s == 0 && r != 0 && r != 15 {
				continue
			}
			if r == run && s == size {
				return n
			}
			n++
		}
	}
	panic("no code")
}

// dctBasis is C(u)/2 * cos((2x+1)uπ/16) by x and u (§A.3.3).
var dctBasis = func() (t [8][8]float64) {
	for x := range 8 {
		for u := range 8 {
			t[x][u] = math.Cos(float64((2*x+1)*u)*math.Pi/16) / 2
			if u == 0 {
				t[x][u] = math.Sqrt2 / 4
			}
		}
	}
	return t
}()

func forwardDCT(in [64]float64) (out [64]float64) {
	for v := range 8 {
		for u := range 8 {
			for y := range 8 {
				for x := range 8 {
					out[8*v+u] += in[8*y+x] * dctBasis[x][u] * dctBasis[y][v]
				}
			}
		}
	}
	return out
}

func (e *dctEncoding) planes(r *rand.Rand) [][]int {
	out := make([][]int, e.samples)
	top := 1<<e.precision - 1
	for c := range out {
		w, h := e.size(c)
		for i := range w * h {
			v := (i%w*(3+c) + i/w*2) * top / 400
			if i%w > w/2 && i/w > h/2 {
				v = r.IntN(top + 1)
			}
			out[c] = append(out[c], v%(top+1))
		}
	}
	return out
}

func randomDCT(i int, r *rand.Rand) dctEncoding {
	e := dctEncoding{rows: 1 + r.IntN(70), cols: 1 + r.IntN(70), samples: 1 + 2*r.IntN(2), precision: 8 + 4*(i%2), adobe: -1, ids: []byte{1, 2, 3}}
	e.h, e.v = []int{1 + r.IntN(2), 1, 1}[:e.samples], []int{1 + r.IntN(2), 1, 1}[:e.samples]
	if e.samples == 3 && r.IntN(4) == 0 {
		e.h[0], e.v[0] = 4, 1+r.IntN(2)
	}
	if e.samples == 3 && r.IntN(4) == 0 {
		e.h, e.v = []int{2, 1, 2}, []int{2, 2, 1}
	}
	e.separate, e.wide, e.dnl, e.fill = r.IntN(3) == 0, e.precision == 12 && r.IntN(2) == 0, r.IntN(4) == 0, r.IntN(4) == 0
	if r.IntN(2) == 0 {
		e.restart = 1 + r.IntN(9)
	}
	return e
}

// Where chroma is repeated and not filtered, the decoder gives what the inverse
// transform of the definition gives, within its rounding.
func TestJPEGRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(81, 10918))
	for i := range 120 {
		e := randomDCT(i, r)
		planes := e.planes(r)
		d := FrameDesc{Syntax: JPEGExtended, Rows: e.rows, Cols: e.cols, Samples: e.samples, BitsAllocated: 8 * ((e.precision + 7) / 8), Photometric: "YBR_FULL"}
		f, err := Decode(d, e.encode(planes))
		if err != nil || len(f.Warnings) > 0 {
			t.Fatalf("%+v: %v", e, err)
		}
		for c, plane := range planes {
			w, h := e.size(c)
			hs, vs := ceilDiv(max(e.h[0], e.h[e.samples-1]), e.h[c]), ceilDiv(max(e.v[0], e.v[e.samples/2]), e.v[c])
			if hs == 2 && w > 2 {
				continue // filtered: held by dcmdjpeg below
			}
			want := e.expected(plane, c)
			for k := range e.rows * e.cols {
				x, y := min(k%e.cols/hs, w-1), min(k/e.cols/vs, h-1)
				got := float64(f.Data[k*e.samples+c])
				if e.precision == 12 {
					got = float64(binary.LittleEndian.Uint16(f.Data[2*(k*e.samples+c):]))
				}
				if math.Abs(got-want[y*w+x]) > 1 {
					t.Fatalf("%+v: component %d at %d: %v, want %v", e, c, k, got, want[y*w+x])
				}
			}
		}
	}
}

// expected is what a plane becomes by quantisation.
func (e *dctEncoding) expected(plane []int, c int) []float64 {
	w, h := e.size(c)
	out := make([]float64, w*h)
	for y0 := 0; y0 < h; y0 += 8 {
		for x0 := 0; x0 < w; x0 += 8 {
			var in [64]float64
			for i := range in {
				in[i] = float64(plane[min(y0+i/8, h-1)*w+min(x0+i%8, w-1)] - 1<<(e.precision-1))
			}
			freq := forwardDCT(in)
			for k := range 64 {
				q := float64(e.quant(k))
				freq[zigzag[k]] = math.Round(freq[zigzag[k]]/q) * q
			}
			for y := y0; y < min(y0+8, h); y++ {
				for x := x0; x < min(x0+8, w); x++ {
					v := float64(int(1) << (e.precision - 1))
					for i, f := range freq {
						v += f * dctBasis[x-x0][i%8] * dctBasis[y-y0][i/8]
					}
					out[y*w+x] = max(0, min(v, float64(int(1)<<e.precision-1)))
				}
			}
		}
	}
	return out
}

// Every sample is that of dcmdjpeg, chroma of all samplings too.
func TestJPEGStreamsElsewhere(t *testing.T) {
	r := rand.New(rand.NewPCG(50, 51))
	for i := range 12 {
		e := randomDCT(i, r)
		e.wide, e.dnl = false, false // it does not read these
		d := FrameDesc{
			Syntax: JPEGExtended, Rows: e.rows, Cols: e.cols, Samples: e.samples, BitsAllocated: 8 * ((e.precision + 7) / 8),
			BitsStored: e.precision, Photometric: "YBR_FULL",
		}
		if e.precision == 8 {
			d.Syntax = JPEGBaseline
		}
		b := e.encode(e.planes(r))
		f, err := Decode(d, b)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := elsewhere(t, "dcmdjpeg +cn", d, b); ok && !bytes.Equal(got, f.Data) {
			t.Errorf("%+v: dcmdjpeg decodes other samples", e)
		}
	}
}

// A stream that is cut anywhere is an error, never a plain frame.
func TestJPEGCut(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for i := range 6 {
		e := randomDCT(i, r)
		b := e.encode(e.planes(r))
		d := FrameDesc{Syntax: JPEGExtended, Rows: e.rows, Cols: e.cols, Samples: e.samples, BitsAllocated: 8 * ((e.precision + 7) / 8)}
		for n := 0; n < len(b); n += 1 + len(b)/80 {
			if f, err := Decode(d, b[:n]); err == nil || f != nil {
				t.Errorf("%+v cut at %d of %d: no error", e, n, len(b))
			}
		}
	}
}

func TestJPEGColours(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	base := dctEncoding{rows: 16, cols: 16, samples: 3, precision: 8, h: []int{1, 1, 1}, v: []int{1, 1, 1}, adobe: -1, ids: []byte{1, 2, 3}}
	d := FrameDesc{Syntax: JPEGBaseline, Rows: 16, Cols: 16, Samples: 3, BitsAllocated: 8, Photometric: "YBR_FULL_422"}
	for _, c := range []struct {
		name        string
		change      func(*dctEncoding, *FrameDesc)
		photometric string
		warnings    int
	}{
		{"ids 1 2 3", func(*dctEncoding, *FrameDesc) {}, "YBR_FULL", 0},
		{"ids R G B", func(e *dctEncoding, _ *FrameDesc) { e.ids = []byte("RGB") }, "RGB", 0},
		{"APP14 transform 0", func(e *dctEncoding, _ *FrameDesc) { e.adobe = 0 }, "RGB", 0},
		{"APP14 transform 1", func(e *dctEncoding, d *FrameDesc) { e.adobe, e.ids = 1, []byte("RGB") }, "YBR_FULL", 0},
		{"header RGB, no marker", func(_ *dctEncoding, d *FrameDesc) { d.Photometric = "RGB" }, "RGB", 1},
		{"header RGB, transform 1", func(e *dctEncoding, d *FrameDesc) { e.adobe, d.Photometric = 1, "RGB" }, "YBR_FULL", 1},
	} {
		e, d := base, d
		c.change(&e, &d)
		f, err := Decode(d, e.encode(e.planes(r)))
		if err != nil || f.Photometric != c.photometric || len(f.Warnings) != c.warnings {
			t.Errorf("%s: %v %+v", c.name, err, f)
		}
	}
	e := base
	e.samples, e.ids, e.h, e.v = 4, []byte{1, 2, 3, 4}, []int{1, 1, 1, 1}, []int{1, 1, 1, 1}
	refusesByName(t, d, e.encode(e.planes(r)), "JPEG with four components (CMYK)")
}
