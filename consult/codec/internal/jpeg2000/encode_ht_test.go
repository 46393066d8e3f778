package jpeg2000

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// The high-throughput encoder of these tests, written from T.814: plain arrays,
// codewords looked up in the tables of Annex C.

// htWriter is a forward stream, least significant bits first.
type htWriter struct {
	out []byte
	v   byte
	n   int
}

func (w *htWriter) put(v uint32, n int) {
	for i := range n {
		room := 8
		if len(w.out) > 0 && w.out[len(w.out)-1] == 0xFF {
			room = 7
		}
		w.v |= byte(v>>i&1) << w.n
		if w.n++; w.n == room {
			w.out, w.v, w.n = append(w.out, w.v), 0, 0
		}
	}
}

// flush fills with ones, and leaves a last byte of them away, or with zeros.
func (w *htWriter) flush(one uint32) []byte {
	for w.n > 0 {
		w.put(one, 1)
	}
	if n := len(w.out); n > 0 && w.out[n-1] == 0xFF {
		if one == 1 {
			return w.out[:n-1]
		}
		w.out = append(w.out, 0)
	}
	return w.out
}

// htBack is a stream that grows backwards.
type htBack struct {
	out []byte // in the order of writing
	v   int
	n   int
	big bool
}

func (w *htBack) put(v uint32, n int) {
	for i := range n {
		w.v |= int(v>>i&1) << w.n
		w.n++
		if w.n == 8 || w.n == 7 && w.big && w.v == 0x7F {
			w.big = w.v > 0x8F
			w.out, w.v, w.n = append(w.out, byte(w.v)), 0, 0
		}
	}
}

func (w *htBack) flush() []byte {
	if w.n > 0 {
		w.out = append(w.out, byte(w.v))
	}
	slices.Reverse(w.out)
	return w.out
}

// htMELWriter is §7.3.3 the other way.
type htMELWriter struct {
	w      headerWriter
	k, run int
}

func (m *htMELWriter) event(one bool) {
	e := melExponents[m.k]
	if !one {
		if m.run++; m.run == 1<<e {
			m.w.put(1)
			m.run, m.k = 0, min(m.k+1, 12)
		}
		return
	}
	m.w.put(0)
	m.w.bits(m.run, e)
	m.run, m.k = 0, max(m.k-1, 0)
}

func (m *htMELWriter) flush() []byte {
	if m.run > 0 {
		m.w.put(1)
	}
	return m.w.flush()
}

// htEncoder codes one block down to a plane.
type htEncoder struct {
	w, h, plane int
	v           []int32
	causal      bool
	mag         htWriter
	vlc         htBack
	mel         htMELWriter
}

// mu is the magnitude of a sample above the plane, 0 outside.
func (e *htEncoder) mu(x, y int) int {
	if x < 0 || y < 0 || x >= e.w || y >= e.h {
		return 0
	}
	v := e.v[y*e.w+x]
	return int(max(v, -v)) >> e.plane
}

func (e *htEncoder) exponent(x, y int) int {
	if e.mu(x, y) == 0 {
		return 0
	}
	return bits.Len(uint(2*e.mu(x, y) - 1))
}

// htQuad is what is said of a quad.
type htQuad struct{ rho, context, kappa, bound, u int }

func (e *htEncoder) quad(x, y int) htQuad {
	var q htQuad
	top := 0
	for n := range 4 {
		if k := e.exponent(x+n/2, y+n%2); k > 0 {
			q.rho |= 1 << n
			top = max(top, k)
		}
	}
	sig := func(dx, dy int) int { return min(e.mu(x+dx, y+dy), 1) }
	q.kappa = 1
	if y == 0 {
		q.context = (sig(-2, 0) | sig(-2, 1)) | sig(-1, 0)<<1 | sig(-1, 1)<<2
	} else {
		q.context = (sig(-1, -1) | sig(0, -1)) | (sig(-1, 0)|sig(-1, 1))<<1 | (sig(1, -1)|sig(2, -1))<<2
		if q.rho&(q.rho-1) != 0 {
			q.kappa = max(1, max(e.exponent(x-1, y-1), e.exponent(x, y-1), e.exponent(x+1, y-1), e.exponent(x+2, y-1))-1)
		}
	}
	q.bound = max(top, q.kappa)
	if q.rho != 0 {
		q.u = q.bound - q.kappa
	}
	return q
}

// codeword writes the first fitting one; the others would do as well.
func (e *htEncoder) codeword(q htQuad, x, y int) htCode {
	if q.context == 0 {
		e.mel.event(q.rho != 0)
		if q.rho == 0 {
			return htCode{}
		}
	}
	reach := 0
	for n := range 4 {
		if e.exponent(x+n/2, y+n%2) == q.bound {
			reach |= 1 << n
		}
	}
	for _, w := range htCodewords[min(y, 1)] {
		c := htCode{length: uint8(w & 7), e1: uint8(w >> 10 & 15), ek: uint8(w >> 14 & 15), u: uint8(w >> 18 & 1), rho: uint8(w >> 19 & 15)}
		if int(w>>23) == q.context && int(c.rho) == q.rho && int(c.u) == min(q.u, 1) && int(c.ek)&reach == int(c.e1) {
			e.vlc.put(w>>3&127, int(c.length))
			return c
		}
	}
	panic("no codeword")
}

func (e *htEncoder) prefix(u int) {
	switch {
	case u <= 2:
		e.vlc.put(1<<(u-1), u)
	case u <= 4:
		e.vlc.put(4, 3)
	default:
		e.vlc.put(0, 3)
	}
}

func (e *htEncoder) suffix(u int) {
	switch {
	case u > 4:
		e.vlc.put(uint32(u-5), 5)
	case u > 2:
		e.vlc.put(uint32(u-3), 1)
	}
}

func (e *htEncoder) offsets(a, b, y int) {
	if y == 0 && a > 0 && b > 0 {
		over := min(a, b) > 2
		e.mel.event(over)
		switch {
		case over:
			a, b = a-2, b-2
		case a > 2:
			e.prefix(a)
			e.vlc.put(uint32(b-1), 1)
			e.suffix(a)
			return
		}
	}
	for _, u := range []int{a, b} {
		if u > 0 {
			e.prefix(u)
		}
	}
	for _, u := range []int{a, b} {
		if u > 0 {
			e.suffix(u)
		}
	}
}

func (e *htEncoder) samples(c htCode, q htQuad, x, y int) {
	for n := range 4 {
		sx, sy := x+n/2, y+n%2
		if q.rho>>n&1 == 0 {
			continue
		}
		v := uint32(2 * (e.mu(sx, sy) - 1))
		if e.v[sy*e.w+sx] < 0 {
			v |= 1
		}
		e.mag.put(v, q.bound-int(c.ek>>n&1))
	}
}

// cleanup gives the segment of the cleanup pass (§7.1).
func (e *htEncoder) cleanup() []byte {
	e.vlc = htBack{v: 0xF, n: 4, big: true}
	for y := 0; y < e.h; y += 2 {
		for x := 0; x < e.w; x += 4 {
			a := e.quad(x, y)
			ca := e.codeword(a, x, y)
			var b htQuad
			var cb htCode
			if x+2 < e.w {
				b = e.quad(x+2, y)
				cb = e.codeword(b, x+2, y)
			}
			e.offsets(a.u, b.u, y)
			e.samples(ca, a, x, y)
			e.samples(cb, b, x+2, y)
		}
	}
	mag, mel, vlc := e.mag.flush(1), e.mel.flush(), e.vlc.flush()
	suffix := len(mel) + len(vlc) + 1
	vlc[len(vlc)-1] = vlc[len(vlc)-1]&0xF0 | byte(suffix&15)
	return append(append(append(mag, mel...), vlc...), byte(suffix>>4))
}

// refinement gives the segment of the passes that refine by a plane (§7.4,
// §7.5), and the magnitudes that are known then, doubled and with a half.
func (e *htEncoder) refinement(passes int) (seg []byte, known []uint32) {
	known = make([]uint32, len(e.v))
	half := uint32(1) << e.plane
	for i, v := range e.v {
		if m := uint32(max(v, -v)) >> e.plane; m > 0 {
			known[i] = (2*m+1)*half | uint32(v)&negative
		}
	}
	first := make([]bool, len(e.v))
	for i := range known {
		first[i] = known[i] != 0
	}
	bit := func(i int) uint32 { return uint32(max(e.v[i], -e.v[i])) >> (e.plane - 1) & 1 }
	var forward htWriter
	for y0 := 0; y0 < e.h; y0 += 4 {
		for x0 := 0; x0 < e.w; x0 += 4 {
			var signs []int
			for x := x0; x < min(x0+4, e.w); x++ {
				for y := y0; y < min(y0+4, e.h); y++ {
					i := y*e.w + x
					if known[i] != 0 || !e.touches(known, x, y, y0) {
						continue
					}
					forward.put(bit(i), 1)
					if bit(i) == 1 {
						known[i] = 3*half/2 | uint32(e.v[i])&negative
						signs = append(signs, i)
					}
				}
			}
			for _, i := range signs {
				forward.put(uint32(e.v[i])>>31, 1)
			}
		}
	}
	seg = forward.flush(0)
	if passes < 3 {
		return seg, known
	}
	back := htBack{big: true}
	for y0 := 0; y0 < e.h; y0 += 4 {
		for x := range e.w {
			for y := y0; y < min(y0+4, e.h); y++ {
				if i := y*e.w + x; first[i] {
					back.put(bit(i), 1)
					known[i] = known[i]&^half | bit(i)*half | half/2
				}
			}
		}
	}
	return append(seg, back.flush()...), known
}

func (e *htEncoder) touches(known []uint32, x, y, y0 int) bool {
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			sx, sy := x+dx, y+dy
			if sx < 0 || sy < 0 || sx >= e.w || sy >= e.h || e.causal && sy > y0+3 {
				continue
			}
			if known[sy*e.w+sx] != 0 {
				return true
			}
		}
	}
	return false
}

// Blocks of all shapes, densities and planes, with and without refinement.
func TestHTBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(814, 15))
	var d blockDecoder
	for i := range 1500 {
		e := htEncoder{w: 1 + r.IntN(40), h: 1 + r.IntN(40), plane: r.IntN(4), causal: r.IntN(2) == 0}
		depth, density := 1+i%16, 1+r.IntN(6)
		for range e.w * e.h {
			v := int32(0)
			if r.IntN(density) == 0 {
				v = int32(r.IntN(1<<(1+r.IntN(depth)))) * int32(1-2*r.IntN(2))
			}
			e.v = append(e.v, v)
		}
		planes := depth + r.IntN(3) + e.plane
		passes := 1
		if e.plane > 0 {
			passes += r.IntN(3)
		}
		b := &block{rect: rect{0, 0, e.w, e.h}, zero: uint8(planes - 1 - e.plane), segs: []segment{{e.cleanup(), 1}}}
		want := make([]uint32, len(e.v))
		if passes > 1 {
			seg, known := e.refinement(passes)
			b.segs, want = append(b.segs, segment{seg, passes - 1}), known
		}
		if passes == 1 {
			for k, v := range e.v {
				if m := uint32(max(v, -v)) >> e.plane; m > 0 {
					want[k] = (2*m+1)<<e.plane | uint32(v)&negative
				}
			}
		}
		style := byte(styleHT)
		if e.causal {
			style |= styleCausal
		}
		if err := d.decode(b, 0, planes, style); err != nil {
			t.Fatalf("%d: %d×%d, plane %d, depth %d, %d passes: %v", i, e.w, e.h, e.plane, depth, passes, err)
		}
		for k := range want {
			if d.mag[k] != want[k] {
				t.Fatalf("%d: %d×%d, plane %d, depth %d, %d passes: sample %d is %x, want %x", i, e.w, e.h, e.plane, depth, passes, k, d.mag[k], want[k])
			}
		}
	}
}
