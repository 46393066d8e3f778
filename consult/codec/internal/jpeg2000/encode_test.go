package jpeg2000

import (
	"encoding/binary"
	"math/bits"
)

// encoding is what the test encoder varies.
type encoding struct {
	w, h, comps, bits int
	signed            bool
	dx, dy            []int // of each component
	levels            int
	xcb, ycb          int
	style             byte
	precincts         []byte
	progression       byte
	changes           []change
	layers            int
	sop, eph, mct     bool
	x0, y0, tx0, ty0  int
	tw, th            int
	roi               int
	parts             int // tile-parts of a tile, sent in turn with those of others
	ppt, ppm          bool
	htSkip            bool // planes before the high-throughput cleanup pass are left out
	htPlane           int  // plane of the high-throughput cleanup pass; two passes more follow when over 0
}

func be16(b []byte, v int) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }
func be32(b []byte, v int) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

func marker(code int, body []byte) []byte {
	return append(be16(be16(nil, code), len(body)+2), body...)
}

// header is SOC and the main header but for PPM.
func (e *encoding) header() []byte {
	out := be16(nil, 0xFF4F)
	siz := be16(nil, 0)
	for _, v := range []int{e.x0 + e.w, e.y0 + e.h, e.x0, e.y0, e.tw, e.th, e.tx0, e.ty0} {
		siz = be32(siz, v)
	}
	siz = be16(siz, e.comps)
	depth := byte(e.bits - 1)
	if e.signed {
		depth |= 0x80
	}
	for c := range e.comps {
		siz = append(siz, depth, byte(e.dx[c]), byte(e.dy[c]))
	}
	out = append(out, marker(0xFF51, siz)...)
	if e.style&styleHT != 0 {
		out = append(out, marker(0xFF50, be16(be32(nil, capHT), 0))...)
	}
	flag := func(on bool, v byte) byte {
		if on {
			return v
		}
		return 0
	}
	cod := []byte{flag(e.precincts != nil, 1) | flag(e.sop, 2) | flag(e.eph, 4), e.progression}
	cod = append(be16(cod, e.layers), flag(e.mct, 1), byte(e.levels), byte(e.xcb-2), byte(e.ycb-2), e.style, 1)
	for r := range e.levels + 1 {
		if e.precincts != nil {
			cod = append(cod, e.precincts[min(r, len(e.precincts)-1)])
		}
	}
	out = append(out, marker(0xFF52, cod)...)
	qcd := []byte{2 << 5}
	for i := range 3*e.levels + 1 {
		gain := []int{0, 1, 1, 2}[0]
		if i > 0 {
			gain = []int{1, 1, 2}[(i-1)%3]
		}
		qcd = append(qcd, byte(e.bits+gain+1)<<3)
	}
	out = append(out, marker(0xFF5C, qcd)...)
	for c := range e.comps {
		if e.roi > 0 {
			out = append(out, marker(0xFF5E, []byte{byte(c), 0, byte(e.roi)})...)
		}
	}
	var poc []byte
	for _, c := range e.changes {
		poc = append(poc, byte(c.resFrom), byte(c.compFrom))
		poc = append(be16(poc, c.layers), byte(c.resTo), byte(c.compTo), c.order)
	}
	if poc != nil {
		out = append(out, marker(0xFF5F, poc)...)
	}
	return out
}

// coded is one packet.
type coded struct{ header, body []byte }

// encode gives the codestream of samples by component.
func (e *encoding) encode(planes [][]int) []byte {
	main := e.header()
	d := &decoder{tiles: map[int]*tile{}}
	if err := d.read(append(append([]byte{}, main...), 0xFF, 0xD9), Want{e.h, e.w, e.comps}); err != nil {
		panic(err)
	}
	tiles := make([][]coded, d.tilesX*d.tilesY)
	for i := range tiles {
		tiles[i] = e.tile(d, i, planes)
	}
	var body, ppm []byte
	for part := range e.parts {
		for k := range tiles {
			i := len(tiles) - 1 - k
			n := len(tiles[i])
			list := tiles[i][n*part/e.parts : n*(part+1)/e.parts]
			head, data := []byte{}, []byte{}
			for _, c := range list {
				if e.ppt || e.ppm {
					head = append(head, c.header...)
				} else {
					data = append(data, c.header...)
				}
				data = append(data, c.body...)
			}
			var segs []byte
			if e.ppt {
				for z := 0; len(head) > 0 || z == 0; z++ { // small segments, so that there are several
					n := min(len(head), 300)
					segs = append(segs, marker(0xFF61, append([]byte{byte(z)}, head[:n]...))...)
					head = head[n:]
				}
			}
			if e.ppm {
				ppm = append(be32(ppm, len(head)), head...)
			}
			sot := be32(be16(nil, i), 12+len(segs)+2+len(data))
			body = append(body, marker(0xFF90, append(sot, byte(part), byte(e.parts)))...)
			body = append(append(append(body, segs...), 0xFF, 0x93), data...)
		}
	}
	for z := 0; len(ppm) > 0; z++ {
		n := min(len(ppm), 5000)
		main = append(main, marker(0xFF60, append([]byte{byte(z)}, ppm[:n]...))...)
		ppm = ppm[n:]
	}
	return append(append(main, body...), 0xFF, 0xD9)
}

// tile gives the packets of a tile in their order.
func (e *encoding) tile(d *decoder, index int, planes [][]int) []coded {
	t := &tile{params: d.main.clone()}
	comps, err := d.layout(index, t)
	if err != nil {
		panic(err)
	}
	var values [][]int32
	for c, tc := range comps {
		values = append(values, e.shifted(planes[c], c, tc.rect))
	}
	if e.mct {
		forwardRCT(values)
	}
	p := &packetWriter{e: e, states: map[*block]*blockState{}, trees: map[*precinctBand]*[2]*tagEncoder{}}
	for c, tc := range comps {
		p.component(tc, values[c])
	}
	w := &walker{visit: p.packet}
	if err := w.run(&t.params, comps); err != nil {
		panic(err)
	}
	return p.out
}

// shifted are a component's samples of a tile after the level shift.
func (e *encoding) shifted(plane []int, c int, area rect) []int32 {
	cx0, cy0, stride := ceilDiv(e.x0, e.dx[c]), ceilDiv(e.y0, e.dy[c]), ceilDiv(e.x0+e.w, e.dx[c])-ceilDiv(e.x0, e.dx[c])
	var out []int32
	for y := area.y0; y < area.y1; y++ {
		for x := area.x0; x < area.x1; x++ {
			v := plane[(y-cy0)*stride+x-cx0]
			if !e.signed {
				v -= 1 << (e.bits - 1)
			}
			out = append(out, int32(v))
		}
	}
	return out
}

func forwardRCT(v [][]int32) {
	for i, r := range v[0] {
		g, b := v[1][i], v[2][i]
		v[0][i], v[1][i], v[2][i] = (r+2*g+b)>>2, b-g, r-g
	}
}

// analyse is one level of the forward 5/3 transform (§F.4) of one line.
func analyse(a []int32, odd int) (low, high []int32) {
	n := len(a)
	if n == 1 {
		if odd == 1 {
			return nil, []int32{2 * a[0]}
		}
		return a, nil
	}
	b := append([]int32{}, a...)
	for i := 1 - odd; i < n; i += 2 {
		b[i] -= (b[mirror(i-1, n)] + b[mirror(i+1, n)]) >> 1
	}
	for i := odd; i < n; i += 2 {
		b[i] += (b[mirror(i-1, n)] + b[mirror(i+1, n)] + 2) >> 2
	}
	for i, v := range b {
		if (i+odd)%2 == 0 {
			low = append(low, v)
		} else {
			high = append(high, v)
		}
	}
	return low, high
}

// split is one level of the transform: LL, HL, LH, HH.
func split(v []int32, r rect) [4][]int32 {
	w, h := r.w(), r.h()
	var cols [2][][]int32 // by column: low and high rows
	for x := range w {
		var column []int32
		for y := range h {
			column = append(column, v[y*w+x])
		}
		low, high := analyse(column, r.y0&1)
		cols[0], cols[1] = append(cols[0], low), append(cols[1], high)
	}
	var out [4][]int32
	for k := range 2 {
		if w == 0 || len(cols[k]) == 0 {
			continue
		}
		for y := range len(cols[k][0]) {
			var row []int32
			for x := range w {
				row = append(row, cols[k][x][y])
			}
			low, high := analyse(row, r.x0&1)
			out[2*k], out[2*k+1] = append(out[2*k], low...), append(out[2*k+1], high...)
		}
	}
	return out
}

// blockState is a block as it is sent.
type blockState struct {
	segs   []segment
	zero   int
	passes int
	sent   int // passes
	bytes  int // of the segment under way
	lblock int
}

type packetWriter struct {
	e      *encoding
	out    []coded
	states map[*block]*blockState
	trees  map[*precinctBand]*[2]*tagEncoder
	count  int
}

// component transforms and codes all blocks.
func (p *packetWriter) component(tc *tileComponent, v []int32) {
	for r := len(tc.res) - 1; r >= 0; r-- {
		res := &tc.res[r]
		bands := [4][]int32{v}
		if r > 0 && !res.empty() {
			bands = split(v, res.rect)
		}
		v = bands[0]
		for _, pr := range res.precincts {
			for i := range pr.bands {
				pb := &pr.bands[i]
				for k := range pb.blocks {
					p.block(pb, &pb.blocks[k], bands[pb.b.kind])
				}
			}
		}
	}
}

func (p *packetWriter) block(pb *precinctBand, b *block, band []int32) {
	enc := blockEncoder{w: b.w(), h: b.h(), kind: pb.b.kind}
	for y := b.y0; y < b.y1; y++ {
		for x := b.x0; x < b.x1; x++ {
			v := band[(y-pb.b.y0)*pb.b.w()+x-pb.b.x0]
			if p.e.roi > 0 && (x/3+y/2)%3 == 0 { // in the region
				v *= 1 << p.e.roi
			}
			enc.v = append(enc.v, v)
		}
	}
	s := &blockState{lblock: 3}
	if p.e.style&styleHT != 0 {
		s.ht(&enc, p.e, pb.b.planes+p.e.roi)
	} else {
		s.segs, s.zero = enc.encode(p.e.style, pb.b.planes+p.e.roi)
	}
	for _, seg := range s.segs {
		s.passes += seg.passes
	}
	p.states[b] = s
}

// ht codes a block with the coder of Part 15; some have passes of planes that
// are left out before the cleanup pass.
func (s *blockState) ht(enc *blockEncoder, e *encoding, planes int) {
	s.zero = planes
	any := int32(0)
	for _, v := range enc.v {
		any |= v
	}
	if any == 0 {
		return
	}
	h := htEncoder{w: enc.w, h: enc.h, v: enc.v, plane: min(e.htPlane, planes-1), causal: e.style&styleCausal != 0}
	s.zero = planes - 1 - h.plane
	skip := 0
	if e.htSkip {
		skip = min(s.zero, (enc.w+enc.h)%3)
	}
	s.zero -= skip
	s.segs = []segment{{h.cleanup(), 1 + 3*skip}}
	if h.plane > 0 {
		seg, _ := h.refinement(3)
		s.segs = append(s.segs, segment{seg, 2})
	}
}

// share is how many passes of a block the layers up to this one hold.
func (p *packetWriter) share(s *blockState, layer int) int {
	if layer == p.e.layers-1 {
		return s.passes
	}
	if p.e.style&styleHT != 0 { // the cleanup pass as a whole, and what refines it later
		if layer < s.zero%p.e.layers || s.passes == 0 {
			return 0
		}
		return s.segs[0].passes
	}
	return s.passes * (layer + s.zero%2) / p.e.layers // some begin late
}

// packet writes one packet.
func (p *packetWriter) packet(pr *precinct, layer int) error {
	var c coded
	w := &headerWriter{}
	any := false
	for i := range pr.bands {
		for k := range pr.bands[i].blocks {
			s := p.states[&pr.bands[i].blocks[k]]
			any = any || p.share(s, layer) > s.sent
		}
	}
	if !any {
		w.put(0)
	} else {
		w.put(1)
		for i := range pr.bands {
			p.band(w, &pr.bands[i], layer, &c)
		}
	}
	c.header = w.flush()
	if p.e.eph {
		c.header = append(c.header, 0xFF, 0x92)
	}
	if p.e.sop {
		sop := marker(0xFF91, be16(nil, p.count))
		if p.e.ppt || p.e.ppm {
			c.body = append(sop, c.body...)
		} else {
			c.header = append(sop, c.header...)
		}
	}
	p.count++
	p.out = append(p.out, c)
	return nil
}

// first is the layer in which a block is included first.
func (p *packetWriter) first(s *blockState) int {
	for l := range p.e.layers {
		if p.share(s, l) > 0 {
			return l
		}
	}
	return p.e.layers
}

func (p *packetWriter) band(w *headerWriter, pb *precinctBand, layer int, c *coded) {
	if len(pb.blocks) == 0 {
		return
	}
	if p.trees[pb] == nil {
		p.trees[pb] = &[2]*tagEncoder{newTagEncoder(pb, func(b *block) int { return p.first(p.states[b]) }), newTagEncoder(pb, func(b *block) int { return p.states[b].zero })}
	}
	trees := p.trees[pb]
	for k := range pb.blocks {
		s := p.states[&pb.blocks[k]]
		n := p.share(s, layer) - s.sent
		x, y := k%pb.w, k/pb.w
		if s.sent > 0 {
			w.put(map[bool]int{true: 1}[n > 0])
		} else {
			trees[0].encode(w, x, y, layer+1)
			if n > 0 {
				for z := 1; z <= s.zero+1; z++ {
					trees[1].encode(w, x, y, z)
				}
			}
		}
		if n > 0 {
			w.passes(n)
			p.contribution(w, s, n, c)
		}
	}
}

// contribution writes the lengths of n passes and adds their bytes.
func (p *packetWriter) contribution(w *headerWriter, s *blockState, n int, c *coded) {
	type piece struct{ passes, bytes int }
	var list []piece
	at := 0 // first pass of the segment
	from, to := s.sent, s.sent+n
	for _, seg := range s.segs {
		lo, hi := max(from, at), min(to, at+seg.passes)
		if lo < hi {
			end := len(seg.data) * (hi - at) / seg.passes
			list = append(list, piece{hi - lo, end - s.bytes})
			c.body = append(c.body, seg.data[s.bytes:end]...)
			if s.bytes = end; hi == at+seg.passes {
				s.bytes = 0
			}
		}
		at += seg.passes
	}
	need := 0
	for _, q := range list {
		need = max(need, bits.Len(uint(q.bytes))-(bits.Len(uint(q.passes))-1))
	}
	for ; s.lblock < need; s.lblock++ {
		w.put(1)
	}
	w.put(0)
	for _, q := range list {
		w.bits(q.bytes, s.lblock+bits.Len(uint(q.passes))-1)
	}
	s.sent = to
}
