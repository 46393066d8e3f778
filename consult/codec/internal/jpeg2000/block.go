package jpeg2000

// Embedded block coding (Annex C and D).

// mqState is table C.2.
type mqState struct {
	qe         uint32
	mps, lps   uint8
	switchFlag uint8
}

var mqStates = [47]mqState{
	{0x5601, 1, 1, 1},
	{0x3401, 2, 6, 0},
	{0x1801, 3, 9, 0},
	{0x0AC1, 4, 12, 0},
	{0x0521, 5, 29, 0},
	{0x0221, 38, 33, 0},
	{0x5601, 7, 6, 1},
	{0x5401, 8, 14, 0},
	{0x4801, 9, 14, 0},
	{0x3801, 10, 14, 0},
	{0x3001, 11, 17, 0},
	{0x2401, 12, 18, 0},
	{0x1C01, 13, 20, 0},
	{0x1601, 29, 21, 0},
	{0x5601, 15, 14, 1},
	{0x5401, 16, 14, 0},
	{0x5101, 17, 15, 0},
	{0x4801, 18, 16, 0},
	{0x3801, 19, 17, 0},
	{0x3401, 20, 18, 0},
	{0x3001, 21, 19, 0},
	{0x2801, 22, 19, 0},
	{0x2401, 23, 20, 0},
	{0x2201, 24, 21, 0},
	{0x1C01, 25, 22, 0},
	{0x1801, 26, 23, 0},
	{0x1601, 27, 24, 0},
	{0x1401, 28, 25, 0},
	{0x1201, 29, 26, 0},
	{0x1101, 30, 27, 0},
	{0x0AC1, 31, 28, 0},
	{0x09C1, 32, 29, 0},
	{0x08A1, 33, 30, 0},
	{0x0521, 34, 31, 0},
	{0x0441, 35, 32, 0},
	{0x02A1, 36, 33, 0},
	{0x0221, 37, 34, 0},
	{0x0141, 38, 35, 0},
	{0x0111, 39, 36, 0},
	{0x0085, 40, 37, 0},
	{0x0049, 41, 38, 0},
	{0x0025, 42, 39, 0},
	{0x0015, 43, 40, 0},
	{0x0009, 44, 41, 0},
	{0x0005, 45, 42, 0},
	{0x0001, 45, 43, 0},
	{0x5601, 46, 46, 0},
}

// Contexts (table D.1 to D.5).
const (
	ctxSign    = 9
	ctxRefine  = 14
	ctxRun     = 17
	ctxUniform = 18
)

// mq is the arithmetic decoder (§C.3); past the end it reads FF.
type mq struct {
	b     []byte
	at    int
	a, c  uint32
	ct    int
	state [19]uint8
	sense [19]uint8
}

func (m *mq) reset() {
	m.state, m.sense = [19]uint8{}, [19]uint8{}
	m.state[0], m.state[ctxRun], m.state[ctxUniform] = 4, 3, 46
}

func (m *mq) byteAt(i int) uint32 {
	if i < len(m.b) {
		return uint32(m.b[i])
	}
	return 0xFF
}

func (m *mq) start(b []byte) {
	m.b, m.at = b, 0
	m.c = m.byteAt(0) << 16
	m.byteIn()
	m.c <<= 7
	m.ct -= 7
	m.a = 0x8000
}

func (m *mq) byteIn() {
	if m.byteAt(m.at) == 0xFF {
		if next := m.byteAt(m.at + 1); next > 0x8F {
			m.c += 0xFF00
			m.ct = 8
		} else {
			m.at++
			m.c += next << 9
			m.ct = 7
		}
		return
	}
	m.at++
	m.c += m.byteAt(m.at) << 8
	m.ct = 8
}

func (m *mq) decode(ctx int) uint8 {
	s := &mqStates[m.state[ctx]]
	d := m.sense[ctx]
	m.a -= s.qe
	if m.c>>16 < s.qe {
		if m.a < s.qe {
			m.state[ctx] = s.mps
		} else {
			d ^= 1
			m.sense[ctx] ^= s.switchFlag
			m.state[ctx] = s.lps
		}
		m.a = s.qe
	} else {
		m.c -= s.qe << 16
		if m.a&0x8000 != 0 {
			return d
		}
		if m.a < s.qe {
			d ^= 1
			m.sense[ctx] ^= s.switchFlag
			m.state[ctx] = s.lps
		} else {
			m.state[ctx] = s.mps
		}
	}
	for {
		if m.ct == 0 {
			m.byteIn()
		}
		m.a <<= 1
		m.c <<= 1
		m.ct--
		if m.a&0x8000 != 0 {
			return d
		}
	}
}

// raw reads bits of bypassed passes (§D.6).
type raw struct {
	b    []byte
	at   int
	v    byte
	n    int
	last byte
}

func (r *raw) bit() uint8 {
	if r.n == 0 {
		r.n = 8
		if r.last == 0xFF {
			r.n = 7
		}
		r.v = 0xFF
		if r.at < len(r.b) {
			r.v = r.b[r.at]
		}
		r.at++
		r.last = r.v
	}
	r.n--
	return r.v >> r.n & 1
}

// Flags of a coefficient.
const (
	significant = 1 << iota
	negative
	visited
	refined
)

// blockDecoder holds the state of one code-block; flags have a border of one.
type blockDecoder struct {
	w, h   int
	stride int
	flags  []uint8
	mag    []int32 // twice the magnitude, at the middle of what is known
	mq     mq
	raw    raw
	lazy   bool // the pass is raw
	kind   int
	causal bool
}

// decode runs the passes of a block (§D.3); planes is Mb, with the region's shift.
func (d *blockDecoder) decode(b *block, kind, planes int, style byte) error {
	d.w, d.h, d.kind, d.causal = b.w(), b.h(), kind, style&8 != 0
	d.stride = d.w + 2
	d.flags = grow(d.flags, d.stride*(d.h+2))
	d.mag = grow(d.mag, d.w*d.h)
	plane := planes - b.zero - 1
	if plane > 30 || plane < 0 {
		return ErrDamaged
	}
	d.mq.reset()
	pass, kindOfPass := 0, 2 // the first is a cleanup
	for i := range b.segs {
		s := &b.segs[i]
		d.lazy = style&1 != 0 && pass >= 10 && kindOfPass != 2
		if d.lazy {
			d.raw = raw{b: s.data}
		} else {
			d.mq.start(s.data)
		}
		for range s.passes {
			if plane < 0 {
				return ErrDamaged
			}
			switch kindOfPass {
			case 0:
				d.significance(plane)
			case 1:
				d.refinement(plane)
			default:
				d.cleanup(plane)
				if style&32 != 0 { // segmentation symbol (§D.5)
					v := d.mq.decode(ctxUniform)<<3 | d.mq.decode(ctxUniform)<<2 | d.mq.decode(ctxUniform)<<1 | d.mq.decode(ctxUniform)
					if v != 0xA {
						return ErrDamaged
					}
				}
			}
			if style&2 != 0 {
				d.mq.reset()
			}
			if kindOfPass++; kindOfPass == 3 {
				kindOfPass = 0
				plane--
			}
			pass++
		}
	}
	return nil
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// neighbours counts significant ones: horizontal, vertical, diagonal. With
// vertically causal contexts the row below a stripe counts as insignificant.
func (d *blockDecoder) neighbours(at int, below bool) (h, v, dd int) {
	f := d.flags
	h = int(f[at-1]&1 + f[at+1]&1)
	v = int(f[at-d.stride] & 1)
	dd = int(f[at-d.stride-1]&1 + f[at-d.stride+1]&1)
	if below {
		v += int(f[at+d.stride] & 1)
		dd += int(f[at+d.stride-1]&1 + f[at+d.stride+1]&1)
	}
	return h, v, dd
}

// zeroContexts is table D.1 by band kind, h, v, d.
var zeroContexts = func() (t [4][3][3][5]uint8) {
	for kind := range 4 {
		for h := range 3 {
			for v := range 3 {
				for d := range 5 {
					t[kind][h][v][d] = zeroContext(kind, h, v, d)
				}
			}
		}
	}
	return t
}()

func zeroContext(kind, h, v, d int) uint8 {
	if kind == 1 { // HL
		h, v = v, h
	}
	if kind == 3 { // HH
		hv := h + v
		switch {
		case d >= 3:
			return 8
		case d == 2:
			return 6 + uint8(min(hv, 1))
		case d == 1:
			return 3 + uint8(min(hv, 2))
		}
		return uint8(min(hv, 2))
	}
	switch {
	case h == 2:
		return 8
	case h == 1 && v >= 1:
		return 7
	case h == 1:
		return 5 + uint8(min(d, 1))
	case v > 0:
		return 2 + uint8(v)
	}
	return uint8(min(d, 2))
}

// sign decodes a sign (§D.3.2).
func (d *blockDecoder) sign(at int, below bool) uint8 {
	f := d.flags
	part := func(i int) int {
		switch f[i] & (significant | negative) {
		case significant:
			return 1
		case significant | negative:
			return -1
		}
		return 0
	}
	h := max(-1, min(part(at-1)+part(at+1), 1))
	v := part(at - d.stride)
	if below {
		v += part(at + d.stride)
	}
	v = max(-1, min(v, 1))
	if d.lazy {
		return d.raw.bit()
	}
	n := 3*h + v // symmetric: (h, v) and (-h, -v) share a context, with the bit flipped
	flip := uint8(0)
	if n < 0 {
		n, flip = -n, 1
	}
	ctx := [5]int{9, 10, 11, 12, 13}[n] // 0: (0,0), 1: (0,1), 2: (1,-1), 3: (1,0), 4: (1,1)
	return d.mq.decode(ctx) ^ flip
}

func (d *blockDecoder) become(at, i, plane int, below bool) {
	s := d.sign(at, below)
	d.flags[at] |= significant
	if s == 1 {
		d.flags[at] |= negative
	}
	d.mag[i] = 3 << plane
}

// stripes visits coefficients in scan order (§D.1): stripes of four rows,
// column by column.
func (d *blockDecoder) significance(plane int) {
	for y0 := 0; y0 < d.h; y0 += 4 {
		for x := range d.w {
			for y := y0; y < min(y0+4, d.h); y++ {
				at := (y+1)*d.stride + x + 1
				if d.flags[at]&significant != 0 {
					continue
				}
				below := !d.causal || y != y0+3
				h, v, dd := d.neighbours(at, below)
				if h+v+dd == 0 {
					continue
				}
				var bit uint8
				if d.lazy {
					bit = d.raw.bit()
				} else {
					bit = d.mq.decode(int(zeroContexts[d.kind][h][v][dd]))
				}
				if bit == 1 {
					d.become(at, y*d.w+x, plane, below)
				}
				d.flags[at] |= visited
			}
		}
	}
}

func (d *blockDecoder) refinement(plane int) {
	for y0 := 0; y0 < d.h; y0 += 4 {
		for x := range d.w {
			for y := y0; y < min(y0+4, d.h); y++ {
				at := (y+1)*d.stride + x + 1
				if d.flags[at]&(significant|visited) != significant {
					continue
				}
				var bit uint8
				if d.lazy {
					bit = d.raw.bit()
				} else {
					bit = d.mq.decode(d.refineContext(at, !d.causal || y != y0+3))
				}
				d.flags[at] |= refined
				if i := y*d.w + x; bit == 1 {
					d.mag[i] += 1 << plane
				} else {
					d.mag[i] -= 1 << plane
				}
			}
		}
	}
}

// refineContext is table D.4.
func (d *blockDecoder) refineContext(at int, below bool) int {
	if d.flags[at]&refined != 0 {
		return ctxRefine + 2
	}
	if h, v, dd := d.neighbours(at, below); h+v+dd > 0 {
		return ctxRefine + 1
	}
	return ctxRefine
}

func (d *blockDecoder) cleanup(plane int) {
	for y0 := 0; y0 < d.h; y0 += 4 {
		for x := range d.w {
			y := y0
			if y0+4 <= d.h && d.quiet(x, y0) {
				if d.mq.decode(ctxRun) == 0 {
					continue
				}
				y += int(d.mq.decode(ctxUniform)<<1 | d.mq.decode(ctxUniform))
				d.become((y+1)*d.stride+x+1, y*d.w+x, plane, !d.causal || y != y0+3)
				y++
			}
			for ; y < min(y0+4, d.h); y++ {
				at := (y+1)*d.stride + x + 1
				if d.flags[at]&(significant|visited) != 0 {
					continue
				}
				below := !d.causal || y != y0+3
				h, v, dd := d.neighbours(at, below)
				if d.mq.decode(int(zeroContexts[d.kind][h][v][dd])) == 1 {
					d.become(at, y*d.w+x, plane, below)
				}
			}
		}
	}
	for i := range d.flags {
		d.flags[i] &^= visited
	}
}

// quiet: four insignificant coefficients without significant neighbours, none
// visited (§D.3.4).
func (d *blockDecoder) quiet(x, y0 int) bool {
	for y := y0; y < y0+4; y++ {
		at := (y+1)*d.stride + x + 1
		if d.flags[at]&(significant|visited) != 0 {
			return false
		}
		if h, v, dd := d.neighbours(at, !d.causal || y != y0+3); h+v+dd != 0 {
			return false
		}
	}
	return true
}
