package jpeg2000

import "math/bits"

// The high-throughput block coder (T.814 clause 7). A cleanup pass codes all
// bit-planes down to one at once, in quads of 2 × 2 samples; two passes more may
// refine by one plane.

// ht decodes the passes of a block into d.mag.
func (d *blockDecoder) ht(b *block, plane int) error {
	if len(b.segs) == 0 || plane < 0 {
		return ErrDamaged
	}
	h := htDecoder{blockDecoder: d, plane: plane, most: b.zero + 2}
	data := b.segs[0].data
	if len(data) < 2 {
		return ErrDamaged
	}
	suffix := int(data[len(data)-1])<<4 | int(data[len(data)-2]&15) // §7.1.1
	if suffix < 2 || suffix > len(data) || suffix > 4079 {
		return ErrDamaged
	}
	h.mag, h.mel, h.vlc = htForward{b: data[:len(data)-suffix], pad: 0xFF}, newMEL(data, suffix), newVLC(data, suffix)
	h.above, h.below = make([]uint8, d.w+6), make([]uint8, d.w+6)
	for y := 0; y < d.h; y += 2 {
		if !h.row(y) {
			return ErrDamaged
		}
		h.above, h.below = h.below, h.above
	}
	if len(b.segs) == 1 || len(b.segs[1].data) == 0 || plane == 0 {
		return nil
	}
	h.significant()
	h.propagate(htForward{b: b.segs[1].data})
	if b.segs[1].passes > 1 {
		h.refine(htBackward{b: b.segs[1].data, big: true})
	}
	return nil
}

// htDecoder is the state of a block. Exponents are those of the lower row of
// quads above and of this one, with two columns more on the left and four on
// the right; 0 where a sample is not significant.
type htDecoder struct {
	*blockDecoder
	plane        int
	most         uint8 // the largest exponent bound
	mag          htForward
	mel          htMEL
	vlc          htBackward
	above, below []uint8
	sig          []uint8 // significant in the cleanup pass 1, in the next 2; border of one
}

// row decodes a row of quads, in pairs.
func (h *htDecoder) row(y int) bool {
	clear(h.below)
	var left htCode
	for x := 0; x < h.w; x += 4 {
		first := y == 0
		a, ok := h.quad(h.context(left, x, first), first)
		if !ok {
			return false
		}
		b := htCode{}
		if x+2 < h.w {
			if b, ok = h.quad(h.context(a, x+2, first), first); !ok {
				return false
			}
		}
		left = b
		ua, ub := h.offsets(a, b, first)
		if !h.samples(a, ua, x, y) || x+2 < h.w && !h.samples(b, ub, x+2, y) {
			return false
		}
	}
	return true
}

// context of a quad: equations 1 and 2.
func (h *htDecoder) context(left htCode, x int, first bool) int {
	r := int(left.rho)
	if first {
		return r&1 | r>>1
	}
	e := h.above[x+1 : x+5] // NW, N, NE, NF
	c := (r>>2 | r>>3) & 1 << 1
	if e[0]|e[1] != 0 {
		c |= 1
	}
	if e[2]|e[3] != 0 {
		c |= 4
	}
	return c
}

// quad decodes a codeword; in context 0 an event says whether there is one.
func (h *htDecoder) quad(context int, first bool) (htCode, bool) {
	if context == 0 && h.mel.event() == 0 {
		return htCode{}, true
	}
	table := &htCodes[1]
	if first {
		table = &htCodes[0]
	}
	c := table[context<<7|int(h.vlc.peek()&127)]
	h.vlc.skip(uint(c.length))
	return c, c.length > 0
}

// offsets decodes u of a pair of quads (§7.3.6): prefixes, then suffixes.
func (h *htDecoder) offsets(a, b htCode, first bool) (ua, ub int) {
	switch {
	case a.u == 0 && b.u == 0:
		return 0, 0
	case b.u == 0:
		p := h.prefix()
		return p + h.suffix(p), 0
	case a.u == 0:
		p := h.prefix()
		return 0, p + h.suffix(p)
	case !first:
		pa, pb := h.prefix(), h.prefix()
		ua = pa + h.suffix(pa)
		return ua, pb + h.suffix(pb)
	}
	if h.mel.event() == 1 { // both are over 2
		pa, pb := h.prefix(), h.prefix()
		ua = pa + h.suffix(pa) + 2
		return ua, pb + h.suffix(pb) + 2
	}
	pa := h.prefix()
	if pa > 2 { // the other is 1 or 2
		ub = 1 + int(h.vlc.take(1))
		return pa + h.suffix(pa), ub
	}
	pb := h.prefix()
	ua = pa + h.suffix(pa)
	return ua, pb + h.suffix(pb)
}

// prefix is table 3: 1, 01, 001, 000.
func (h *htDecoder) prefix() int {
	switch {
	case h.vlc.take(1) == 1:
		return 1
	case h.vlc.take(1) == 1:
		return 2
	case h.vlc.take(1) == 1:
		return 3
	}
	return 5
}

func (h *htDecoder) suffix(prefix int) int {
	switch prefix {
	case 3:
		return int(h.vlc.take(1))
	case 5:
		return int(h.vlc.take(5))
	}
	return 0
}

// samples decodes the magnitudes and signs of a quad (§7.3.7): sample 0 and 1
// in its left column, 2 and 3 in its right one.
func (h *htDecoder) samples(c htCode, u, x, y int) bool {
	bound := u + 1
	if y > 0 && c.rho&(c.rho-1) != 0 { // equations 5 and 6
		e := h.above[x+1 : x+5]
		bound = u + max(1, int(max(e[0], e[1], e[2], e[3]))-1)
	}
	if c.rho == 0 {
		return true
	}
	if bound > int(h.most) {
		return false
	}
	for n := range 4 {
		if c.rho>>n&1 == 0 {
			continue
		}
		sx, sy := x+n>>1, y+n&1
		if sx >= h.w || sy >= h.h {
			return false
		}
		k := uint(bound) - uint(c.ek>>n&1)
		v := h.mag.peek()
		h.mag.skip(k)
		m := uint32(v)&(1<<k-1) | uint32(c.e1>>n&1)<<k | 1 // 2µ - 1, as the sign's bit is under it
		if n&1 == 1 {
			h.below[sx+2] = uint8(bits.Len32(m))
		}
		h.blockDecoder.mag[sy*h.w+sx] = (m+2)<<h.plane | uint32(v)<<31
	}
	return true
}

// significant notes the samples of the cleanup pass.
func (h *htDecoder) significant() {
	h.sig = make([]uint8, (h.w+2)*(h.h+2))
	for y := range h.h {
		for x := range h.w {
			if h.blockDecoder.mag[y*h.w+x] != 0 {
				h.sig[(y+1)*(h.w+2)+x+1] = 1
			}
		}
	}
}

// propagate is the significance propagation pass (§7.4): stripes of four rows,
// in which groups of four columns have their bits and then their signs.
func (h *htDecoder) propagate(r htForward) {
	for y0 := 0; y0 < h.h; y0 += 4 {
		for x0 := 0; x0 < h.w; x0 += 4 {
			var list [16]int
			n := 0
			for x := x0; x < min(x0+4, h.w); x++ {
				for y := y0; y < min(y0+4, h.h); y++ {
					at := (y+1)*(h.w+2) + x + 1
					if h.sig[at] != 0 || !h.near(at, y == y0+3) {
						continue
					}
					if r.take(1) == 1 {
						h.sig[at] = 2
						list[n] = y*h.w + x
						n++
					}
				}
			}
			for _, i := range list[:n] {
				h.blockDecoder.mag[i] = 3<<(h.plane-1) | r.take(1)<<31
			}
		}
	}
}

// near reports whether a sample has a significant neighbour.
func (h *htDecoder) near(at int, last bool) bool {
	s, w := h.sig, h.w+2
	around := s[at-w-1] | s[at-w] | s[at-w+1] | s[at-1] | s[at+1]
	if !last || !h.causal {
		around |= s[at+w-1] | s[at+w] | s[at+w+1]
	}
	return around != 0
}

// refine is the magnitude refinement pass (§7.5).
func (h *htDecoder) refine(r htBackward) {
	for y0 := 0; y0 < h.h; y0 += 4 {
		for x := range h.w {
			for y := y0; y < min(y0+4, h.h); y++ {
				if h.sig[(y+1)*(h.w+2)+x+1] != 1 {
					continue
				}
				m := &h.blockDecoder.mag[y*h.w+x]
				*m = *m&^(1<<h.plane) | r.take(1)<<h.plane | 1<<(h.plane-1)
			}
		}
	}
}
