package jpeg2000

import "math/bits"

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

// reader reads the packets of a tile.
type reader struct {
	p       *params
	data    []byte
	headers []byte // from PPM or PPT, where packed
	packed  bool
	list    []contribution
	work    *int64 // blocks that may yet be looked at
}

// contribution is what a packet adds to a codeword segment.
type contribution struct {
	b       *block
	segment int
	length  int
}

// packet reads one packet (§B.9): markers that may stand around its header are
// known from it, as it never holds FF before 90 or more.
func (r *reader) packet(pr *precinct, layer int) error {
	if len(r.data) >= 6 && r.data[0] == 0xFF && r.data[1] == 0x91 { // SOP
		r.data = r.data[6:]
	}
	if !r.packed {
		r.headers = r.data
	}
	if len(r.headers) == 0 {
		return ErrDamaged
	}
	if err := r.header(pr, layer); err != nil {
		return err
	}
	if !r.packed {
		r.data = r.headers
	}
	for _, c := range r.list {
		if c.length > len(r.data) {
			return ErrDamaged
		}
		s := &c.b.segs[c.segment]
		if s.data == nil {
			s.data = r.data[:c.length:c.length]
		} else {
			s.data = append(s.data, r.data[:c.length]...)
		}
		r.data = r.data[c.length:]
	}
	return nil
}

// header reads a packet header with its end marker.
func (r *reader) header(pr *precinct, layer int) error {
	h := &headerBits{b: r.headers}
	r.list = r.list[:0]
	if h.bit() == 1 {
		style := r.p.coding[pr.comp].style
		for i := range pr.bands {
			if err := r.band(&pr.bands[i], h, layer, style); err != nil {
				return err
			}
		}
	}
	h.align()
	if h.bad || h.at > len(r.headers) {
		return ErrDamaged
	}
	r.headers = r.headers[h.at:]
	if len(r.headers) >= 2 && r.headers[0] == 0xFF && r.headers[1] == 0x92 { // EPH
		r.headers = r.headers[2:]
	}
	return nil
}

// band reads the part of a packet header for one band (§B.10).
func (r *reader) band(pb *precinctBand, h *headerBits, layer int, style byte) error {
	if *r.work -= int64(len(pb.blocks)); *r.work < 0 {
		return ErrDamaged
	}
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
					return ErrDamaged
				}
			}
			b.zero = uint8(z - 1)
		}
		passes := passCount(h)
		for h.bit() == 1 {
			if b.lblock++; b.lblock > 32 || h.bad {
				return ErrDamaged
			}
		}
		if err := r.lengths(b, h, passes, style); err != nil {
			return err
		}
	}
	return nil
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
func (r *reader) lengths(b *block, h *headerBits, passes int, style byte) error {
	if style&styleHT != 0 {
		return r.htLengths(b, h, passes)
	}
	done := int(b.passes)
	if done+passes > passesMax {
		return ErrDamaged
	}
	b.passes += uint8(passes)
	for passes > 0 {
		if len(b.segs) == 0 || b.segs[len(b.segs)-1].passes == capacity(done-b.segs[len(b.segs)-1].passes, style) {
			b.segs = append(b.segs, segment{})
		}
		k := len(b.segs) - 1
		s := &b.segs[k]
		n := min(passes, capacity(done-s.passes, style)-s.passes)
		length := h.bits(int(b.lblock) + bits.Len(uint(n)) - 1)
		s.passes += n
		done += n
		passes -= n
		r.list = append(r.list, contribution{b, k, length})
	}
	if h.bad {
		return ErrDamaged
	}
	return nil
}

// htLengths reads those of high-throughput passes (T.814 §B.3): a segment of the
// cleanup pass, and one of the two that refine it. Passes before it are of
// planes that are left out.
func (r *reader) htLengths(b *block, h *headerBits, passes int) error {
	if b.passes == 0 {
		skipped := (passes - 1) / 3 * 3
		b.zero += uint8(skipped / 3)
		passes -= skipped + 1
		b.passes = 1
		b.segs = append(b.segs, segment{passes: 1})
		r.list = append(r.list, contribution{b, 0, h.bits(int(b.lblock) + bits.Len(uint(skipped+1)) - 1)})
	}
	if int(b.passes)+passes > 3 {
		return ErrFeature // several sets of passes
	}
	if passes > 0 {
		if len(b.segs) == 1 {
			b.segs = append(b.segs, segment{})
		}
		b.segs[1].passes += passes
		b.passes += uint8(passes)
		r.list = append(r.list, contribution{b, 1, h.bits(int(b.lblock) + bits.Len(uint(passes)) - 1)})
	}
	if h.bad {
		return ErrDamaged
	}
	return nil
}

// capacity is how many passes a segment has that begins at pass first: one
// with termination on each pass; with selective bypass ten, then two raw and
// one coded in turn (table D.9); else all.
func capacity(first int, style byte) int {
	switch {
	case style&styleTerminate != 0:
		return 1
	case style&styleBypass == 0:
		return 1 << 20
	case first == 0:
		return 10
	case (first-10)%3 == 0:
		return 2
	}
	return 1
}
