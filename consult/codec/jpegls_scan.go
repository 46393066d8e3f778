package codec

import "math/bits"

// The sample coding of JPEG-LS (T.87 Annex A).

// runOrder is table J of §A.2.1.
var runOrder = [32]uint{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// lsContext holds the counters of one context (§A.2.1).
type lsContext struct{ a, b, c, n int32 }

// lsScan decodes the lines of a scan. Lines have a sample more on each side:
// cur[0] is Ra of the first sample, prev[cols+1] is Rd of the last.
type lsScan struct {
	p        *lsParams
	r        lsReader
	cols     int
	contexts [512]lsContext // 365, and room for an index without a check
	runs     [2]lsContext   // b counts negatives (Nn)
	index    []int          // RUNindex by component
	cur      [][]int32
	prev     [][]int32
	bad      bool
}

func newLSScan(p *lsParams, data []byte, cols, components int) *lsScan {
	s := &lsScan{p: p, r: lsReader{b: data}, cols: cols, index: make([]int, components)}
	for range components {
		s.cur = append(s.cur, make([]int32, cols+2))
		s.prev = append(s.prev, make([]int32, cols+2))
	}
	s.begin()
	return s
}

// begin sets the counters of a scan or a restart interval (§A.2.1).
func (s *lsScan) begin() {
	first := lsContext{a: int32(max(2, (s.p.rng+32)/64)), n: 1}
	for i := range s.contexts {
		s.contexts[i] = first
	}
	s.runs = [2]lsContext{first, first}
	clear(s.index)
	for c := range s.cur {
		clear(s.cur[c])
		clear(s.prev[c])
	}
}

func (s *lsScan) restart(k int) bool {
	s.begin()
	return s.r.restart(k)
}

// turn begins a line.
func (s *lsScan) turn() {
	s.cur, s.prev = s.prev, s.cur
	for c := range s.cur {
		s.cur[c][0] = s.prev[c][1]
		s.prev[c][s.cols+1] = s.prev[c][s.cols]
	}
}

// store writes the line of component k to every samples-th cell.
func (s *lsScan) store(row []uint16, k, samples int) {
	line := s.cur[k][1 : s.cols+1]
	if samples == 1 {
		row = row[:len(line)]
		for x, v := range line {
			row[x] = uint16(v)
		}
		return
	}
	for x, v := range line {
		row[x*samples] = uint16(v)
	}
}

// line decodes a line of one component. The gradient Rb - Rc of a sample is
// Rd - Rb of the one before.
func (s *lsScan) line(c int) {
	cur, prev := s.cur[c][:s.cols+2], s.prev[c][:s.cols+2]
	quantised, top := s.p.quantised, int32(s.p.max)
	ra, rb, rc := cur[0], prev[1], prev[0]
	q2 := int32(quantised[rb-rc+top])
	for x := 1; x < len(cur)-1; {
		rd := prev[x+1]
		q1 := int32(quantised[rd-rb+top])
		q := 81*q1 + 9*q2 + int32(quantised[rc-ra+top])
		if q != 0 {
			ra = s.regular(q, ra, rb, rc)
			cur[x] = ra
			rc, rb, q2 = rb, rd, q1
			x++
			continue
		}
		n, broken := s.run(c, s.cols+1-x)
		for range n {
			cur[x] = ra
			x++
		}
		if broken {
			cur[x] = s.interrupt(c, ra, prev[x], s.near(ra, prev[x]))
			s.shorten(c)
			x++
		}
		if s.bad || x > s.cols {
			return
		}
		ra, rb, rc = cur[x-1], prev[x], prev[x-1]
		q2 = int32(quantised[rb-rc+top])
	}
}

// sampleLine decodes a line of all components, sample by sample; a run is of
// all of them.
func (s *lsScan) sampleLine() {
	for x := 1; x <= s.cols && !s.bad; {
		var q [4]int32
		flat := true
		for c := range s.cur {
			q[c] = s.context(c, x)
			flat = flat && q[c] == 0
		}
		if !flat {
			for c := range s.cur {
				s.cur[c][x] = s.regular(q[c], s.cur[c][x-1], s.prev[c][x], s.prev[c][x-1])
			}
			x++
			continue
		}
		n, broken := s.run(0, s.cols+1-x)
		for range n {
			for c := range s.cur {
				s.cur[c][x] = s.cur[c][x-1]
			}
			x++
		}
		if broken {
			for c := range s.cur {
				s.cur[c][x] = s.interrupt(0, s.cur[c][x-1], s.prev[c][x], false)
			}
			s.shorten(0)
			x++
		}
	}
}

func (s *lsScan) context(c, x int) int32 {
	q, top := s.p.quantised, int32(s.p.max)
	ra, rb, rc, rd := s.cur[c][x-1], s.prev[c][x], s.prev[c][x-1], s.prev[c][x+1]
	return 81*int32(q[rd-rb+top]) + 9*int32(q[rb-rc+top]) + int32(q[rc-ra+top])
}

func (s *lsScan) near(a, b int32) bool { return max(a-b, b-a) <= int32(s.p.near) }

// regular decodes one sample in a context (§A.4 to §A.6).
func (s *lsScan) regular(q, ra, rb, rc int32) int32 {
	p := s.p
	sign := q >> 31 // 0 or -1
	ctx := &s.contexts[((q^sign)-sign)&511]
	px := med(ra, rb, rc) + (ctx.c ^ sign) - sign
	px = max(0, min(px, int32(p.max)))
	k := golomb(ctx.a, ctx.n)
	m := s.r.golomb(k, p.limit, p.qbpp)
	// §A.5.2: with k = 0 the signs are exchanged where the bias is negative.
	e := m>>1 ^ -(m & 1)
	if k == 0 && 2*ctx.b <= -ctx.n && p.near == 0 {
		e = -e - 1
	}
	if uint32(e+1<<16) > 1<<17 {
		s.bad = true
		return 0
	}
	ctx.update(e, int32(p.span), int32(p.reset))
	return p.reconstruct(px, (e^sign)-sign)
}

// update is code segments A.12 and A.13.
func (c *lsContext) update(e, span, reset int32) {
	a, b, n := c.a+max(e, -e), c.b+e*span, c.n
	if n == reset {
		a >>= 1
		b >>= 1 // arithmetic: -((1-b)>>1) for negatives
		n >>= 1
	}
	n++
	if b <= -n {
		b = max(b+n, 1-n)
		c.c = max(c.c-1, -128)
	} else if b > 0 {
		b = min(b-n, 0)
		c.c = min(c.c+1, 127)
	}
	c.a, c.b, c.n = a, b, n
}

// reconstruct adds an error modulo the range (§A.4.5, §A.5.3).
func (p *lsParams) reconstruct(px, e int32) int32 {
	v := px + e*int32(p.span)
	if v < -int32(p.near) {
		v += int32(p.rng * p.span)
	} else if v > int32(p.max+p.near) {
		v -= int32(p.rng * p.span)
	}
	return max(0, min(v, int32(p.max)))
}

// golomb is the coding variable k (code segment A.10): the least with n*2^k >= a.
func golomb(a, n int32) uint {
	k := bits.Len32(uint32(a)) - bits.Len32(uint32(n))
	if k < 0 {
		return 0
	}
	if n<<(k&31) < a {
		k++
	}
	return uint(k)
}

// run decodes a run length of at most left samples (§A.7.1); broken says that a
// sample follows that ends it.
func (s *lsScan) run(c, left int) (n int, broken bool) {
	for s.r.bits(1) == 1 {
		step := 1 << runOrder[s.index[c]]
		if step > left-n {
			return left, false
		}
		n += step
		if s.index[c] < 31 {
			s.index[c]++
		}
		if n == left {
			return n, false
		}
	}
	rest := int(s.r.bits(runOrder[s.index[c]]))
	if n+rest >= left {
		s.bad = true
		return 0, false
	}
	return n + rest, true
}

func (s *lsScan) shorten(c int) {
	if s.index[c] > 0 {
		s.index[c]--
	}
}

// interrupt decodes the sample that ends a run (§A.7.2); same is RItype 1.
func (s *lsScan) interrupt(c int, ra, rb int32, same bool) int32 {
	kind, px, sign := int32(0), rb, int32(1)
	if same {
		kind, px = 1, ra
	} else if ra > rb {
		sign = -1
	}
	ctx := &s.runs[kind]
	k := golomb(ctx.a+kind*(ctx.n>>1), ctx.n)
	m := s.r.golomb(k, s.p.limit-int(runOrder[s.index[c]])-1, s.p.qbpp)
	t := m + kind
	odd := t & 1
	e := (t + odd) / 2
	if (k != 0 || 2*ctx.b >= ctx.n) == (odd == 1) {
		e = -e
	}
	if e > 1<<16 || e < -1<<16 {
		s.bad = true
		return 0
	}
	if e < 0 {
		ctx.b++
	}
	ctx.a += (m + 1 - kind) >> 1
	if ctx.n == int32(s.p.reset) {
		ctx.a, ctx.b, ctx.n = ctx.a>>1, ctx.b>>1, ctx.n>>1
	}
	ctx.n++
	return s.p.reconstruct(px, sign*e)
}
