package codec

import "math/bits"

// The sample coding of JPEG-LS (T.87 Annex A).

// runOrder is table J of §A.2.1.
var runOrder = [32]int{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// lsContext holds the counters of one context (§A.2.1).
type lsContext struct{ a, b, c, n int }

// lsScan decodes the lines of a scan. Lines have a sample more on each side:
// cur[0] is Ra of the first sample, prev[cols+1] is Rd of the last.
type lsScan struct {
	p        *lsParams
	r        lsReader
	cols     int
	contexts [365]lsContext
	runs     [2]lsContext // b counts negatives (Nn)
	index    []int        // RUNindex by component
	cur      [][]int32
	prev     [][]int32
	bad      bool
}

func newLSScan(p *lsParams, data []byte, cols, components int) *lsScan {
	s := &lsScan{p: p, r: lsReader{b: data}, cols: cols, index: make([]int, components)}
	a := max(2, (p.rng+32)/64)
	for i := range s.contexts {
		s.contexts[i] = lsContext{a: a, n: 1}
	}
	s.runs[0], s.runs[1] = lsContext{a: a, n: 1}, lsContext{a: a, n: 1}
	for range components {
		s.cur = append(s.cur, make([]int32, cols+2))
		s.prev = append(s.prev, make([]int32, cols+2))
	}
	return s
}

// turn begins a line.
func (s *lsScan) turn() {
	s.cur, s.prev = s.prev, s.cur
	for c := range s.cur {
		s.cur[c][0] = s.prev[c][1]
		s.prev[c][s.cols+1] = s.prev[c][s.cols]
	}
}

func (s *lsScan) store(row []uint16, list []int, samples int) {
	for k, c := range list {
		for x, v := range s.cur[k][1 : s.cols+1] {
			row[x*samples+c] = uint16(v)
		}
	}
}

// line decodes a line of one component.
func (s *lsScan) line(c int) {
	cur, prev := s.cur[c], s.prev[c]
	quantised, top := s.p.quantised, int32(s.p.max)
	for x := 1; x <= s.cols && !s.bad; {
		ra, rb, rc, rd := cur[x-1], prev[x], prev[x-1], prev[x+1]
		q := 81*int(quantised[rd-rb+top]) + 9*int(quantised[rb-rc+top]) + int(quantised[rc-ra+top])
		if q != 0 {
			cur[x] = s.regular(q, ra, rb, rc)
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
	}
}

// sampleLine decodes a line of all components, sample by sample; a run is of
// all of them.
func (s *lsScan) sampleLine() {
	for x := 1; x <= s.cols && !s.bad; {
		flat := true
		for c := range s.cur {
			flat = flat && s.context(c, x) == 0
		}
		if !flat {
			for c := range s.cur {
				s.cur[c][x] = s.regular(s.context(c, x), s.cur[c][x-1], s.prev[c][x], s.prev[c][x-1])
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

func (s *lsScan) context(c, x int) int {
	q, top := s.p.quantised, int32(s.p.max)
	ra, rb, rc, rd := s.cur[c][x-1], s.prev[c][x], s.prev[c][x-1], s.prev[c][x+1]
	return 81*int(q[rd-rb+top]) + 9*int(q[rb-rc+top]) + int(q[rc-ra+top])
}

func (s *lsScan) near(a, b int32) bool { return max(a-b, b-a) <= int32(s.p.near) }

// regular decodes one sample in a context (§A.4 to §A.6).
func (s *lsScan) regular(q int, ra, rb, rc int32) int32 {
	sign := 1
	if q < 0 {
		q, sign = -q, -1
	}
	ctx := &s.contexts[q]
	px := max(0, min(int(med(ra, rb, rc))+sign*ctx.c, s.p.max))
	k := golomb(ctx.a, ctx.n)
	m := s.r.golomb(k, s.p.limit, s.p.qbpp)
	// §A.5.2: with k = 0 the signs are exchanged where the bias is negative.
	e := m>>1 ^ -(m & 1)
	if s.p.near == 0 && k == 0 && 2*ctx.b <= -ctx.n {
		e = -e - 1
	}
	if e > 1<<16 || e < -1<<16 {
		s.bad = true
		return 0
	}
	ctx.update(e, s.p)
	return s.reconstruct(px, sign*e)
}

// update is code segments A.12 and A.13.
func (c *lsContext) update(e int, p *lsParams) {
	c.b += e * p.span
	c.a += max(e, -e)
	if c.n == p.reset {
		c.a >>= 1
		c.b >>= 1 // arithmetic: -((1-b)>>1) for negatives
		c.n >>= 1
	}
	c.n++
	if c.b <= -c.n {
		c.b += c.n
		if c.c > -128 {
			c.c--
		}
		c.b = max(c.b, -c.n+1)
	} else if c.b > 0 {
		c.b -= c.n
		if c.c < 127 {
			c.c++
		}
		c.b = min(c.b, 0)
	}
}

// reconstruct adds an error modulo the range (§A.4.5, §A.5.3).
func (s *lsScan) reconstruct(px, e int) int32 {
	p := s.p
	v := px + e*p.span
	if v < -p.near {
		v += p.rng * p.span
	} else if v > p.max+p.near {
		v -= p.rng * p.span
	}
	return int32(max(0, min(v, p.max)))
}

// golomb is the coding variable k (code segment A.10): the least with n*2^k >= a.
func golomb(a, n int) int {
	k := 0
	for n<<k < a && k < 24 {
		k++
	}
	return k
}

// run decodes a run length of at most left samples (§A.7.1); broken says that a
// sample follows that ends it.
func (s *lsScan) run(c, left int) (n int, broken bool) {
	for s.r.bit() == 1 {
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
	rest := s.r.bits(runOrder[s.index[c]])
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
	kind, px, sign := 0, int(rb), 1
	if same {
		kind, px = 1, int(ra)
	} else if ra > rb {
		sign = -1
	}
	ctx := &s.runs[kind]
	k := golomb(ctx.a+kind*(ctx.n>>1), ctx.n)
	m := s.r.golomb(k, s.p.limit-runOrder[s.index[c]]-1, s.p.qbpp)
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
	if ctx.n == s.p.reset {
		ctx.a, ctx.b, ctx.n = ctx.a>>1, ctx.b>>1, ctx.n>>1
	}
	ctx.n++
	return s.reconstruct(px, sign*e)
}

// lsReader reads bits; after a byte of FF the next has seven (§A.1).
type lsReader struct {
	b    []byte
	at   int
	acc  uint64
	n    int
	over int
	ff   bool
}

func (r *lsReader) fill() {
	for r.n <= 48 {
		if r.at >= len(r.b) || r.ff && r.b[r.at] >= 0x80 || r.b[r.at] == 0xFF && (r.at+1 >= len(r.b) || r.b[r.at+1] >= 0x80) {
			r.acc <<= 8 // the end, or a marker
			r.n += 8
			r.over += 8
			continue
		}
		v := r.b[r.at]
		r.at++
		if r.ff {
			r.acc, r.n = r.acc<<7|uint64(v&0x7F), r.n+7
		} else {
			r.acc, r.n = r.acc<<8|uint64(v), r.n+8
		}
		r.ff = v == 0xFF
	}
}

func (r *lsReader) bit() int {
	if r.n < 1 {
		r.fill()
	}
	r.n--
	return int(r.acc >> r.n & 1)
}

func (r *lsReader) bits(n int) int {
	if r.n < n {
		r.fill()
	}
	r.n -= n
	return int(r.acc >> r.n & (1<<n - 1))
}

// golomb decodes a limited-length Golomb code (§A.5.3).
func (r *lsReader) golomb(k, limit, qbpp int) int {
	most := limit - qbpp - 1
	zeros := 0
	for {
		if r.n < 32 {
			r.fill()
		}
		window := r.acc << (64 - r.n)
		lead := min(bits.LeadingZeros64(window), r.n)
		zeros += lead
		r.n -= lead
		if zeros > most+32 {
			return 1 << 20 // more zeros than any code has
		}
		if r.n > 0 {
			r.n-- // the one
			break
		}
	}
	if zeros < most {
		return zeros<<k | r.bits(k)
	}
	return r.bits(qbpp) + 1
}

// overrun reports whether bits were used that the stream does not have.
func (r *lsReader) overrun() bool { return r.over > r.n }

// end is where the marker after the scan begins.
func (r *lsReader) end() int {
	at := r.at
	// Bytes read ahead of a marker are never of the marker: what is left in acc
	// beyond invented bits is padding of the last byte. A byte after FF may be
	// one of padding too.
	for at < len(r.b) && r.b[at] != 0xFF {
		at++
	}
	return at
}
