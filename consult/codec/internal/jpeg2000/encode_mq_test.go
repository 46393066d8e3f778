package jpeg2000

// The encoder of these tests, written from T.800: arithmetic coder and passes
// on plain arrays. It shares the layout of tiles with the decoder, which
// OpenJPEG's streams hold, and the tables of contexts.

// mqEncoder is §C.2.
type mqEncoder struct {
	out   []byte // out[0] is a byte before the first
	a, c  uint32
	ct    int
	state [19]uint8
	sense [19]uint8
}

func (m *mqEncoder) reset() {
	m.state, m.sense = [19]uint8{}, [19]uint8{}
	m.state[0], m.state[ctxRun], m.state[ctxUniform] = 4, 3, 46
}

func (m *mqEncoder) start() {
	m.out, m.a, m.c, m.ct = []byte{0}, 0x8000, 0, 12
}

func (m *mqEncoder) byteOut() {
	last := &m.out[len(m.out)-1]
	if *last != 0xFF && m.c&0x8000000 != 0 {
		*last++
		if *last == 0xFF {
			m.c &= 0x7FFFFFF
		}
	}
	if *last == 0xFF {
		m.out = append(m.out, byte(m.c>>20))
		m.c &= 0xFFFFF
		m.ct = 7
		return
	}
	m.out = append(m.out, byte(m.c>>19))
	m.c &= 0x7FFFF
	m.ct = 8
}

func (m *mqEncoder) encode(cx, bit uint8) {
	s := mqStates[m.state[cx]]
	m.a -= s.qe
	if bit == m.sense[cx] {
		if m.a&0x8000 != 0 {
			m.c += s.qe
			return
		}
		if m.a < s.qe {
			m.a = s.qe
		} else {
			m.c += s.qe
		}
		m.state[cx] = s.mps
	} else {
		if m.a < s.qe {
			m.c += s.qe
		} else {
			m.a = s.qe
		}
		m.sense[cx] ^= s.switchFlag
		m.state[cx] = s.lps
	}
	for m.a&0x8000 == 0 {
		m.a <<= 1
		m.c <<= 1
		if m.ct--; m.ct == 0 {
			m.byteOut()
		}
	}
}

// flush is figure C.11; a last byte of FF is left away.
func (m *mqEncoder) flush() []byte {
	top := m.c + m.a
	m.c |= 0xFFFF
	if m.c >= top {
		m.c -= 0x8000
	}
	m.c <<= m.ct
	m.byteOut()
	m.c <<= m.ct
	m.byteOut()
	b := m.out[1:]
	if n := len(b); n > 0 && b[n-1] == 0xFF {
		b = b[:n-1]
	}
	return b
}

// rawWriter is the stuffing of §D.6.
type rawWriter struct {
	out []byte
	v   byte
	n   int
}

func (w *rawWriter) put(bit uint8) {
	room := 8
	if len(w.out) > 0 && w.out[len(w.out)-1] == 0xFF {
		room = 7
	}
	w.v, w.n = w.v<<1|bit, w.n+1
	if w.n == room {
		w.out, w.v, w.n = append(w.out, w.v), 0, 0
	}
}

func (w *rawWriter) flush() []byte {
	for fill := uint8(0); w.n > 0; fill ^= 1 {
		w.put(fill) // an alternating sequence, as for predictable termination
	}
	if n := len(w.out); n > 0 && w.out[n-1] == 0xFF {
		w.out = w.out[:n-1]
	}
	return w.out
}

// blockEncoder codes one block.
type blockEncoder struct {
	w, h                  int
	v                     []int32 // values with sign
	sig, visited, refined []bool
	kind                  int
	causal, lazy          bool
	mq                    mqEncoder
	raw                   rawWriter
}

func (e *blockEncoder) at(x, y, stripe int) (sig, neg int) {
	if x < 0 || y < 0 || x >= e.w || y >= e.h || e.causal && y >= stripe+4 || !e.sig[y*e.w+x] {
		return 0, 0
	}
	if e.v[y*e.w+x] < 0 {
		return 1, 1
	}
	return 1, 0
}

func (e *blockEncoder) near(x, y int) (h, v, d int) {
	s := y &^ 3
	get := func(dx, dy int) int { n, _ := e.at(x+dx, y+dy, s); return n }
	return get(-1, 0) + get(1, 0), get(0, -1) + get(0, 1), get(-1, -1) + get(1, -1) + get(-1, 1) + get(1, 1)
}

func (e *blockEncoder) emit(cx, bit uint8) {
	if e.lazy {
		e.raw.put(bit)
		return
	}
	e.mq.encode(cx, bit)
}

func (e *blockEncoder) bit(i, plane int) uint8 {
	return uint8(max(e.v[i], -e.v[i]) >> plane & 1)
}

func (e *blockEncoder) sign(x, y int) {
	s := y &^ 3
	part := func(dx, dy int) int { n, neg := e.at(x+dx, y+dy, s); return n * (1 - 2*neg) }
	h := max(-1, min(1, part(-1, 0)+part(1, 0)))
	v := max(-1, min(1, part(0, -1)+part(0, 1)))
	table := map[[2]int][2]uint8{ // table D.3
		{1, 1}: {13, 0}, {1, 0}: {12, 0}, {1, -1}: {11, 0}, {0, 1}: {10, 0}, {0, 0}: {9, 0},
		{0, -1}: {10, 1}, {-1, 1}: {11, 1}, {-1, 0}: {12, 1}, {-1, -1}: {13, 1},
	}[[2]int{h, v}]
	neg := uint8(0)
	if e.v[y*e.w+x] < 0 {
		neg = 1
	}
	if e.lazy {
		e.raw.put(neg)
	} else {
		e.mq.encode(table[0], neg^table[1])
	}
	e.sig[y*e.w+x] = true
}

func (e *blockEncoder) scan(do func(x, y int)) {
	for y0 := 0; y0 < e.h; y0 += 4 {
		for x := range e.w {
			for y := y0; y < min(y0+4, e.h); y++ {
				do(x, y)
			}
		}
	}
}

func (e *blockEncoder) significance(plane int) {
	e.scan(func(x, y int) {
		i := y*e.w + x
		h, v, d := e.near(x, y)
		if e.sig[i] || h+v+d == 0 {
			return
		}
		e.emit(zeroContext(e.kind, h, v, d), e.bit(i, plane))
		if e.visited[i] = true; e.bit(i, plane) == 1 {
			e.sign(x, y)
		}
	})
}

func (e *blockEncoder) refinement(plane int) {
	e.scan(func(x, y int) {
		i := y*e.w + x
		if !e.sig[i] || e.visited[i] {
			return
		}
		cx := uint8(ctxRefine)
		if h, v, d := e.near(x, y); h+v+d > 0 {
			cx++
		}
		if e.refined[i] {
			cx = ctxRefine + 2
		}
		e.refined[i] = true
		e.emit(cx, e.bit(i, plane))
	})
}

func (e *blockEncoder) cleanup(plane int) {
	for y0 := 0; y0 < e.h; y0 += 4 {
		for x := range e.w {
			y := y0
			if y0+4 <= e.h && e.quiet(x, y0) {
				for y < y0+4 && e.bit(y*e.w+x, plane) == 0 {
					y++
				}
				if y == y0+4 {
					e.mq.encode(ctxRun, 0)
					continue
				}
				e.mq.encode(ctxRun, 1)
				e.mq.encode(ctxUniform, uint8(y-y0)>>1)
				e.mq.encode(ctxUniform, uint8(y-y0)&1)
				e.sign(x, y)
				y++
			}
			for ; y < min(y0+4, e.h); y++ {
				i := y*e.w + x
				if e.sig[i] || e.visited[i] {
					continue
				}
				h, v, d := e.near(x, y)
				e.mq.encode(zeroContext(e.kind, h, v, d), e.bit(i, plane))
				if e.bit(i, plane) == 1 {
					e.sign(x, y)
				}
			}
		}
	}
	clear(e.visited)
}

func (e *blockEncoder) quiet(x, y0 int) bool {
	for y := y0; y < y0+4; y++ {
		if h, v, d := e.near(x, y); h+v+d > 0 || e.sig[y*e.w+x] || e.visited[y*e.w+x] {
			return false
		}
	}
	return true
}

// encode gives the codeword segments of a block and its missing bit-planes.
func (e *blockEncoder) encode(style byte, planes int) (segs []segment, zero int) {
	top := 0
	for _, v := range e.v {
		for max(v, -v)>>top != 0 {
			top++
		}
	}
	if top == 0 {
		return nil, planes
	}
	e.sig, e.visited, e.refined = make([]bool, len(e.v)), make([]bool, len(e.v)), make([]bool, len(e.v))
	e.causal = style&styleCausal != 0
	e.mq.reset()
	kind, done := 2, 0
	for plane := top - 1; plane >= 0; {
		n := min(capacity(done, style), 1+3*plane+2-kind)
		e.lazy = style&styleBypass != 0 && done >= 10 && kind != 2
		e.mq.start()
		e.raw = rawWriter{}
		for range n {
			switch kind {
			case 0:
				e.significance(plane)
			case 1:
				e.refinement(plane)
			default:
				e.cleanup(plane)
				if style&styleSymbols != 0 {
					for _, b := range []uint8{1, 0, 1, 0} {
						e.mq.encode(ctxUniform, b)
					}
				}
			}
			if style&styleReset != 0 {
				e.mq.reset()
			}
			if kind++; kind == 3 {
				kind = 0
				plane--
			}
			done++
		}
		var data []byte
		if e.lazy {
			data = e.raw.flush()
		} else {
			data = e.mq.flush()
		}
		segs = append(segs, segment{data: append([]byte{}, data...), passes: n})
	}
	return segs, planes - top
}
