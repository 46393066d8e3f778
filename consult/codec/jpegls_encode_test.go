package codec

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// lsEncoding is what the JPEG-LS encoder of these tests varies. It is written
// from T.87 Annex A and shares nothing with the decoder.
type lsEncoding struct {
	rows, cols, samples, precision, near int
	interleave                           int // 0 none, 1 line, 2 sample
	preset                               [5]int
	restart                              int // lines
}

// lsWriter stuffs a zero bit after FF (§A.1).
type lsWriter struct {
	out []byte
	v   int
	n   int
}

func (w *lsWriter) put(v, n int) {
	for i := n - 1; i >= 0; i-- {
		room := 8
		if len(w.out) > 0 && w.out[len(w.out)-1] == 0xFF {
			room = 7
		}
		w.v, w.n = w.v<<1|v>>i&1, w.n+1
		if w.n == room {
			w.out, w.v, w.n = append(w.out, byte(w.v)), 0, 0
		}
	}
}

func (w *lsWriter) flush() []byte {
	for w.n > 0 {
		w.put(0, 1)
	}
	if n := len(w.out); n > 0 && w.out[n-1] == 0xFF {
		w.out = append(w.out, 0)
	}
	return w.out
}

// lsState is the coder's state (§A.2.1), reset in every interval.
type lsState struct {
	e                           *lsEncoding
	w                           lsWriter
	max, t1, t2, t3, reset, rng int
	qbpp, limit                 int
	a, b, c, n                  [367]int
	run                         [4]int
	cur, prev                   [4][]int // reconstructed, one more on both sides
}

var lsJ = []int{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15}

func newLSState(e *lsEncoding) *lsState {
	s := &lsState{e: e, max: 1<<e.precision - 1, reset: 64}
	if e.preset[0] != 0 {
		s.max = e.preset[0]
	}
	s.t1, s.t2, s.t3 = lsDefaults(s.max, e.near)
	for i, to := range []*int{&s.t1, &s.t2, &s.t3, &s.reset} {
		if e.preset[i+1] != 0 {
			*to = e.preset[i+1]
		}
	}
	s.rng = (s.max+2*e.near)/(2*e.near+1) + 1
	for 1<<s.qbpp < s.rng {
		s.qbpp++
	}
	bpp := 2
	for 1<<bpp < s.max+1 {
		bpp++
	}
	s.limit = 2 * (bpp + max(8, bpp))
	s.begin()
	return s
}

// lsDefaults is §C.2.4.1.1.1.
func lsDefaults(most, near int) (t1, t2, t3 int) {
	clamp := func(i, j int) int {
		if i > most || i < j {
			return j
		}
		return i
	}
	if most >= 128 {
		f := (min(most, 4095) + 128) / 256
		t1 = clamp(f*(3-2)+2+3*near, near+1)
		t2 = clamp(f*(7-3)+3+5*near, t1)
		return t1, t2, clamp(f*(21-4)+4+7*near, t2)
	}
	f := 256 / (most + 1)
	t1 = clamp(max(2, 3/f+3*near), near+1)
	t2 = clamp(max(3, 7/f+5*near), t1)
	return t1, t2, clamp(max(4, 21/f+7*near), t2)
}

func (s *lsState) begin() {
	for i := range s.a {
		s.a[i], s.b[i], s.c[i], s.n[i] = max(2, (s.rng+32)/64), 0, 0, 1
	}
	s.run = [4]int{}
	for c := range s.cur {
		s.cur[c], s.prev[c] = make([]int, s.e.cols+2), make([]int, s.e.cols+2)
	}
}

func (s *lsState) quantise(d int) int {
	sign := 1
	if d < 0 {
		sign, d = -1, -d
	}
	switch {
	case d <= s.e.near:
		return 0
	case d < s.t1:
		return sign
	case d < s.t2:
		return 2 * sign
	case d < s.t3:
		return 3 * sign
	}
	return 4 * sign
}

func (s *lsState) context(k, x int) int {
	ra, rb, rc, rd := s.cur[k][x-1], s.prev[k][x], s.prev[k][x-1], s.prev[k][x+1]
	return 81*s.quantise(rd-rb) + 9*s.quantise(rb-rc) + s.quantise(rc-ra)
}

// golomb is §A.5.3.
func (s *lsState) golomb(v, k, limit int) {
	if v>>k < limit-s.qbpp-1 {
		s.w.put(0, v>>k)
		s.w.put(1, 1)
		s.w.put(v, k)
		return
	}
	s.w.put(0, limit-s.qbpp-1)
	s.w.put(1, 1)
	s.w.put(v-1, s.qbpp)
}

// errorOf quantises and reduces a prediction error (§A.4.4, §A.4.5), and gives
// the sample that the decoder will have.
func (s *lsState) errorOf(v, px, sign int) (e, rx int) {
	near := s.e.near
	e = sign * (v - px)
	if e > 0 {
		e = (e + near) / (2*near + 1)
	} else {
		e = -((near - e) / (2*near + 1))
	}
	rx = max(0, min(px+sign*e*(2*near+1), s.max))
	if e < 0 {
		e += s.rng
	}
	if e >= (s.rng+1)/2 {
		e -= s.rng
	}
	return e, rx
}

func (s *lsState) regular(k, x, v int) {
	q, sign := s.context(k, x), 1
	if q < 0 {
		q, sign = -q, -1
	}
	ra, rb, rc := s.cur[k][x-1], s.prev[k][x], s.prev[k][x-1]
	px := ra + rb - rc
	if rc >= max(ra, rb) {
		px = min(ra, rb)
	} else if rc <= min(ra, rb) {
		px = max(ra, rb)
	}
	px = max(0, min(px+sign*s.c[q], s.max))
	e, rx := s.errorOf(v, px, sign)
	s.cur[k][x] = rx
	kk := 0
	for s.n[q]<<kk < s.a[q] {
		kk++
	}
	var m int
	if s.e.near == 0 && kk == 0 && 2*s.b[q] <= -s.n[q] {
		if m = 2*e + 1; e < 0 {
			m = -2 * (e + 1)
		}
	} else if m = 2 * e; e < 0 {
		m = -2*e - 1
	}
	s.golomb(m, kk, s.limit)
	s.b[q] += e * (2*s.e.near + 1)
	s.a[q] += max(e, -e)
	if s.n[q] == s.reset {
		s.a[q] >>= 1
		if s.b[q] >= 0 {
			s.b[q] >>= 1
		} else {
			s.b[q] = -((1 - s.b[q]) >> 1)
		}
		s.n[q] >>= 1
	}
	s.n[q]++
	if s.b[q] <= -s.n[q] {
		s.c[q] = max(s.c[q]-1, -128)
		s.b[q] = max(s.b[q]+s.n[q], -s.n[q]+1)
	} else if s.b[q] > 0 {
		s.c[q] = min(s.c[q]+1, 127)
		s.b[q] = min(s.b[q]-s.n[q], 0)
	}
}

// runLength is §A.7.1.2; it returns the samples that are in the run.
func (s *lsState) runLength(k, n int, toEnd bool) {
	for n >= 1<<lsJ[s.run[k]] {
		s.w.put(1, 1)
		n -= 1 << lsJ[s.run[k]]
		s.run[k] = min(s.run[k]+1, 31)
	}
	if toEnd {
		if n > 0 {
			s.w.put(1, 1)
		}
		return
	}
	s.w.put(0, 1)
	s.w.put(n, lsJ[s.run[k]])
}

// interrupt is §A.7.2.
func (s *lsState) interrupt(k, index, x, v int, single bool) {
	ra, rb := s.cur[k][x-1], s.prev[k][x]
	kind := 0
	if single && max(ra-rb, rb-ra) <= s.e.near {
		kind = 1
	}
	px, sign := rb, 1
	if kind == 1 {
		px = ra
	} else if ra > rb {
		sign = -1
	}
	e, rx := s.errorOf(v, px, sign)
	s.cur[k][x] = rx
	q := 365 + kind
	temp := s.a[q]
	if kind == 1 {
		temp += s.n[q] >> 1
	}
	kk := 0
	for s.n[q]<<kk < temp {
		kk++
	}
	flip := 0 // b counts negatives
	if kk == 0 && e > 0 && 2*s.b[q] < s.n[q] || e < 0 && 2*s.b[q] >= s.n[q] || e < 0 && kk != 0 {
		flip = 1
	}
	m := 2*max(e, -e) - kind - flip
	s.golomb(m, kk, s.limit-lsJ[s.run[index]]-1)
	if e < 0 {
		s.b[q]++
	}
	s.a[q] += (m + 1 - kind) >> 1
	if s.n[q] == s.reset {
		s.a[q], s.b[q], s.n[q] = s.a[q]>>1, s.b[q]>>1, s.n[q]>>1
	}
	s.n[q]++
}

// line encodes one line of some components: together when sampled.
func (s *lsState) line(values [][]int, sampled bool) {
	for k := range values {
		s.cur[k], s.prev[k] = s.prev[k], s.cur[k]
		s.cur[k][0], s.prev[k][s.e.cols+1] = s.prev[k][1], s.prev[k][s.e.cols]
	}
	if sampled {
		s.together(values, 0)
		return
	}
	for k := range values {
		s.together(values[k:k+1], k)
	}
}

func (s *lsState) together(values [][]int, first int) {
	cols := s.e.cols
	flat := func(x int) bool {
		for i := range values {
			if s.context(first+i, x) != 0 {
				return false
			}
		}
		return true
	}
	same := func(x int) bool {
		for i := range values {
			if d := values[i][x-1] - s.cur[first+i][x-1]; max(d, -d) > s.e.near {
				return false
			}
		}
		return true
	}
	for x := 1; x <= cols; {
		if !flat(x) {
			for i := range values {
				s.regular(first+i, x, values[i][x-1])
			}
			x++
			continue
		}
		n := 0
		for x <= cols && same(x) {
			for i := range values {
				s.cur[first+i][x] = s.cur[first+i][x-1]
			}
			n++
			x++
		}
		s.runLength(first, n, x > cols)
		if x > cols {
			break
		}
		for i := range values {
			s.interrupt(first+i, first, x, values[i][x-1], len(values) == 1)
		}
		s.run[first] = max(s.run[first]-1, 0)
		x++
	}
}

func (e *lsEncoding) encode(cells []uint16) []byte {
	out := []byte{0xFF, 0xD8}
	sof := []byte{byte(e.precision), byte(e.rows >> 8), byte(e.rows), byte(e.cols >> 8), byte(e.cols), byte(e.samples)}
	for c := range e.samples {
		sof = append(sof, byte(c+1), 0x11, 0)
	}
	out = append(out, segment(0xF7, sof)...)
	if e.preset != [5]int{} {
		lse := []byte{1}
		for _, v := range e.preset {
			lse = binary.BigEndian.AppendUint16(lse, uint16(v))
		}
		out = append(out, segment(0xF8, lse)...)
	}
	if e.restart > 0 {
		out = append(out, segment(0xDD, binary.BigEndian.AppendUint16(nil, uint16(e.restart)))...)
	}
	scans := [][]int{[]int{0, 1, 2}[:e.samples]}
	if e.interleave == 0 {
		scans = [][]int{{0}, {1}, {2}}[:e.samples]
	}
	for _, scan := range scans {
		out = append(out, e.scan(cells, scan)...)
	}
	return append(out, 0xFF, 0xD9)
}

func (e *lsEncoding) scan(cells []uint16, scan []int) []byte {
	sos := []byte{byte(len(scan))}
	for _, c := range scan {
		sos = append(sos, byte(c+1), 0)
	}
	out := segment(0xDA, append(sos, byte(e.near), byte(e.interleave), 0))
	s := newLSState(e)
	for y := range e.rows {
		if e.restart > 0 && y > 0 && y%e.restart == 0 {
			out = append(append(out, s.w.flush()...), 0xFF, byte(0xD0+(y/e.restart-1)%8))
			s.w = lsWriter{}
			s.begin()
		}
		values := make([][]int, len(scan))
		for k, c := range scan {
			for x := range e.cols {
				values[k] = append(values[k], int(cells[(y*e.cols+x)*e.samples+c]))
			}
		}
		s.line(values, e.interleave == 2)
	}
	return append(out, s.w.flush()...)
}

// lsCells are flat areas, ramps and noise, so that runs of all lengths occur.
func lsCells(e *lsEncoding, r *rand.Rand) []uint16 {
	top := 1<<e.precision - 1
	if e.preset[0] != 0 {
		top = e.preset[0]
	}
	cells := make([]uint16, e.rows*e.cols*e.samples)
	flat := r.IntN(4)
	for i := range cells {
		x, y := i/e.samples%e.cols, i/e.samples/e.cols
		v := 0
		switch (x/9 + y/7 + flat) % 4 {
		case 0:
			v = top / 3
		case 1:
			v = (x*top/70 + y) % (top + 1)
		case 2:
			v = r.IntN(top + 1)
		case 3:
			v = top/2 + r.IntN(3)
		}
		cells[i] = uint16(min(v, top))
	}
	return cells
}

func TestJPEGLSRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(87, 14495))
	for i := range 600 {
		e := lsEncoding{rows: 1 + r.IntN(70), cols: 1 + r.IntN(70), samples: 1 + 2*r.IntN(2), precision: 2 + i%15, interleave: i / 15 % 3}
		if e.samples == 1 {
			e.interleave = 0
		}
		if r.IntN(2) == 0 {
			e.near = r.IntN(min(7, 1<<(e.precision-1)))
		}
		if r.IntN(4) == 0 {
			e.restart = 1 + r.IntN(e.rows)
		}
		if top := 1<<e.precision - 1; r.IntN(3) == 0 && top > 30+e.near {
			t1 := e.near + 1 + r.IntN(5)
			e.preset = [5]int{top - r.IntN(9), t1, t1 + r.IntN(5), t1 + 5 + r.IntN(5), 3 + r.IntN(200)}
		}
		cells := lsCells(&e, r)
		d := FrameDesc{Syntax: JPEGLSLossless, Rows: e.rows, Cols: e.cols, Samples: e.samples, BitsAllocated: 16}
		f, err := Decode(d, e.encode(cells))
		if err != nil || len(f.Warnings) > 0 {
			t.Fatalf("%+v: %v", e, err)
		}
		for k, want := range cells {
			got := int(binary.LittleEndian.Uint16(f.Data[2*k:]))
			if max(got-int(want), int(want)-got) > e.near {
				t.Fatalf("%+v: sample %d: %d, want %d", e, k, got, want)
			}
		}
	}
}

// The same streams decode alike with CharLS, through dcmdjpls and gdcmconv.
func TestJPEGLSStreamsElsewhere(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for i, e := range []lsEncoding{
		{rows: 40, cols: 33, samples: 1, precision: 12},
		{rows: 70, cols: 61, samples: 1, precision: 16, near: 3},
		{rows: 31, cols: 50, samples: 1, precision: 8, near: 1},
		{rows: 20, cols: 64, samples: 3, precision: 8, interleave: 2},
		{rows: 20, cols: 64, samples: 3, precision: 8, interleave: 1, near: 2},
		{rows: 33, cols: 33, samples: 1, precision: 10, preset: [5]int{1023, 5, 9, 20, 32}}, // CharLS ignores a lesser MAXVAL
	} {
		cells := lsCells(&e, r)
		b := e.encode(cells)
		d := FrameDesc{Syntax: JPEGLSLossless, Rows: e.rows, Cols: e.cols, Samples: e.samples, BitsAllocated: 8 * ((e.precision + 7) / 8), BitsStored: e.precision}
		if e.near > 0 {
			d.Syntax = JPEGLSNear
		}
		f, err := Decode(d, b)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range []string{"dcmdjpls", "gdcmconv --raw"} {
			if got, ok := elsewhere(t, tool, d, b); ok && !bytes.Equal(got, f.Data) {
				t.Errorf("%d: %s decodes other samples", i, tool)
			}
		}
	}
}
