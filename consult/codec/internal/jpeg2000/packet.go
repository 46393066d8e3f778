package jpeg2000

import "math/bits"

// tagTree is §B.10.2.
type tagTree struct {
	levels []tagLevel
}

type tagLevel struct {
	w, h  int
	value []int
	low   []int
	known []bool
}

func newTagTree(w, h int) *tagTree {
	t := &tagTree{}
	for {
		n := w * h
		t.levels = append(t.levels, tagLevel{w: w, h: h, value: make([]int, n), low: make([]int, n), known: make([]bool, n)})
		if n == 1 {
			return t
		}
		w, h = (w+1)/2, (h+1)/2
	}
}

// decode learns whether the value of leaf (x, y) is below threshold.
func (t *tagTree) decode(r *headerBits, x, y, threshold int) bool {
	low := 0
	for i := len(t.levels) - 1; i >= 0; i-- {
		l := &t.levels[i]
		n := (y>>i)*l.w + x>>i
		l.low[n] = max(l.low[n], low)
		for l.low[n] < threshold && !l.known[n] {
			if r.bit() == 1 {
				l.known[n], l.value[n] = true, l.low[n]
			} else {
				l.low[n]++
			}
		}
		low = l.low[n]
		if !l.known[n] && low >= threshold {
			// nothing more is coded below until the threshold rises
			for j := i - 1; j >= 0; j-- {
				k := (y>>j)*t.levels[j].w + x>>j
				t.levels[j].low[k] = max(t.levels[j].low[k], low)
			}
			return false
		}
	}
	l := &t.levels[0]
	return l.known[y*l.w+x] && l.value[y*l.w+x] < threshold
}

// headerBits reads packet headers: after FF the next byte has seven bits (§B.10.1).
type headerBits struct {
	b    []byte
	at   int
	v    byte
	n    int
	last byte
	bad  bool
}

func (r *headerBits) bit() int {
	if r.n == 0 {
		if r.at >= len(r.b) {
			r.bad = true
			return 0
		}
		r.n = 8
		if r.last == 0xFF {
			r.n = 7
		}
		r.v = r.b[r.at]
		r.last = r.v
		r.at++
	}
	r.n--
	return int(r.v>>r.n) & 1
}

func (r *headerBits) bits(n int) int {
	v := 0
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

// align ends a header; a stuffed byte after FF belongs to it.
func (r *headerBits) align() {
	r.n = 0
	if r.last == 0xFF {
		r.at++
	}
	r.last = 0
}

// readPackets walks all packets of a tile (§B.12).
func readPackets(t *tile, comps []*tileComponent) error {
	p := &t.params
	list := order(comps, p.progression)
	r := &reader{p: p, data: t.data}
	switch p.progression {
	case 0: // LRCP
		for l := range p.layers {
			for _, pr := range list {
				if err := r.packet(pr, l); err != nil {
					return err
				}
			}
		}
	case 1: // RLCP
		for from := 0; from < len(list); {
			to := from
			for to < len(list) && list[to].res == list[from].res {
				to++
			}
			for l := range p.layers {
				for _, pr := range list[from:to] {
					if err := r.packet(pr, l); err != nil {
						return err
					}
				}
			}
			from = to
		}
	default:
		for _, pr := range list {
			for l := range p.layers {
				if err := r.packet(pr, l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

type reader struct {
	p    *params
	data []byte
}

// inclusionOf is one code-block's share of a packet.
type inclusionOf struct {
	b    *block
	segs []int // lengths, by segment
	at   []int // index of the segment
}

func (r *reader) packet(pr *precinct, layer int) error {
	if len(r.data) >= 6 && r.p.sop && r.data[0] == 0xFF && r.data[1] == 0x91 {
		r.data = r.data[6:]
	}
	if len(r.data) == 0 {
		return ErrDamaged
	}
	h := &headerBits{b: r.data}
	style := r.p.coding[pr.comp].style
	var list []inclusionOf
	if h.bit() == 1 {
		for i := range pr.bands {
			got, err := pr.bands[i].header(h, layer, style)
			if err != nil {
				return err
			}
			list = append(list, got...)
		}
	}
	h.align()
	if h.bad || h.at > len(r.data) {
		return ErrDamaged
	}
	r.data = r.data[h.at:]
	if r.p.eph && len(r.data) >= 2 && r.data[0] == 0xFF && r.data[1] == 0x92 {
		r.data = r.data[2:]
	}
	for _, in := range list {
		for k, n := range in.segs {
			if n > len(r.data) {
				return ErrDamaged
			}
			s := &in.b.segs[in.at[k]]
			s.data = append(s.data, r.data[:n]...)
			r.data = r.data[n:]
		}
	}
	return nil
}

// header reads the part of a packet header for one band (§B.10).
func (pb *precinctBand) header(h *headerBits, layer int, style byte) ([]inclusionOf, error) {
	var out []inclusionOf
	for i := range pb.blocks {
		b := &pb.blocks[i]
		x, y := i%pb.w, i/pb.w
		if b.included {
			if h.bit() == 0 {
				continue
			}
		} else {
			if !pb.inclusion.decode(h, x, y, layer+1) {
				continue
			}
			b.included = true
			z := 1
			for !pb.zeros.decode(h, x, y, z) {
				if z++; h.bad || z > 64+38 {
					return nil, ErrDamaged
				}
			}
			b.zero = z - 1
		}
		passes := passCount(h)
		for h.bit() == 1 {
			if b.lblock++; b.lblock > 32 || h.bad {
				return nil, ErrDamaged
			}
		}
		in, err := b.lengths(h, passes, style)
		if err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, nil
}

// passCount is table B.4.
func passCount(h *headerBits) int {
	if h.bit() == 0 {
		return 1
	}
	if h.bit() == 0 {
		return 2
	}
	if n := h.bits(2); n < 3 {
		return 3 + n
	}
	if n := h.bits(5); n < 31 {
		return 6 + n
	}
	return 37 + h.bits(7)
}

// lengths reads the segment lengths of one block's passes (§B.10.7).
func (b *block) lengths(h *headerBits, passes int, style byte) (inclusionOf, error) {
	in := inclusionOf{b: b}
	if b.passes += passes; b.passes > 3*64 {
		return in, ErrDamaged
	}
	done := b.passes - passes
	for passes > 0 {
		if len(b.segs) == 0 || b.segs[len(b.segs)-1].passes == capacity(done-b.segs[len(b.segs)-1].passes, style) {
			b.segs = append(b.segs, segment{})
		}
		k := len(b.segs) - 1
		s := &b.segs[k]
		n := min(passes, capacity(done-s.passes, style)-s.passes)
		length := h.bits(b.lblock + bits.Len(uint(n)) - 1)
		s.passes += n
		done += n
		passes -= n
		in.segs, in.at = append(in.segs, length), append(in.at, k)
	}
	if h.bad {
		return in, ErrDamaged
	}
	return in, nil
}

// capacity is how many passes a segment has that begins at pass first: one
// with termination on each pass; with selective bypass ten, then two raw and
// one coded in turn (table D.9); else all.
func capacity(first int, style byte) int {
	switch {
	case style&4 != 0:
		return 1
	case style&1 == 0:
		return 1 << 20
	case first == 0:
		return 10
	case (first-10)%3 == 0:
		return 2
	}
	return 1
}
