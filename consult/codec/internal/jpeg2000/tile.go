package jpeg2000

// rect is a half-open area.
type rect struct{ x0, y0, x1, y1 int }

func (r rect) w() int      { return r.x1 - r.x0 }
func (r rect) h() int      { return r.y1 - r.y0 }
func (r rect) empty() bool { return r.x1 <= r.x0 || r.y1 <= r.y0 }

// band is one subband of a resolution (§B.5).
type band struct {
	rect
	kind   int // 0 LL, 1 HL, 2 LH, 3 HH
	planes int // Mb
	step   float32
}

// block is one code-block.
type block struct {
	rect
	included bool
	zero     uint8 // missing bit-planes
	lblock   uint8
	passes   uint8
	segs     []segment
}

// segment is a codeword segment: passes that share a termination.
type segment struct {
	data   []byte
	passes int
}

// precinctBand is the part of a precinct in one band.
type precinctBand struct {
	b         *band
	blocks    []block
	w, h      int
	inclusion *tagTree
	zeros     *tagTree
}

// precinct is one precinct of a resolution.
type precinct struct {
	comp, res, index int
	x, y             int64 // on the reference grid
	layers           int   // read so far
	bands            []precinctBand
}

// resolution of a tile-component.
type resolution struct {
	rect
	bands     []*band
	precincts []*precinct
}

type tileComponent struct {
	rect
	res []resolution
}

// tile decodes one tile into the image.
func (d *decoder) tile(i int, t *tile) error {
	comps, err := d.layout(i, t)
	if err != nil {
		return err
	}
	if err := readPackets(t, comps, &d.work); err != nil {
		return err
	}
	return d.reconstruct(t, comps)
}

// layout lays out the components of a tile (§B.3).
func (d *decoder) layout(i int, t *tile) ([]*tileComponent, error) {
	p, q := i%d.tilesX, i/d.tilesX
	area := rect{max(d.tx0+p*d.tw, d.x0), max(d.ty0+q*d.th, d.y0), min(d.tx0+(p+1)*d.tw, d.x1), min(d.ty0+(q+1)*d.th, d.y1)}
	if area.empty() {
		return nil, ErrDamaged
	}
	budget := blocksMax + area.w()*area.h()*len(d.comps)/12
	comps := make([]*tileComponent, len(d.comps))
	for c := range comps {
		tc, err := d.component(t, c, area, &budget)
		if err != nil {
			return nil, err
		}
		comps[c] = tc
	}
	return comps, nil
}

// component lays out resolutions, bands, precincts and code-blocks (§B.5 to §B.7).
func (d *decoder) component(t *tile, c int, tile rect, budget *int) (*tileComponent, error) {
	cod, q := &t.params.coding[c], &t.params.quant[c]
	dx, dy := d.comps[c].dx, d.comps[c].dy
	area := rect{ceilDiv(tile.x0, dx), ceilDiv(tile.y0, dy), ceilDiv(tile.x1, dx), ceilDiv(tile.y1, dy)} // (B-12)
	tc := &tileComponent{rect: area}
	if q.style != 1 && len(q.steps) < 3*cod.levels+1 {
		return nil, ErrDamaged
	}
	for r := range cod.levels + 1 {
		n := cod.levels - r
		res := resolution{rect: rect{ceilShift(area.x0, n), ceilShift(area.y0, n), ceilShift(area.x1, n), ceilShift(area.y1, n)}}
		kinds := []int{1, 2, 3}
		nb := n + 1
		if r == 0 {
			kinds, nb = []int{0}, n
		}
		for _, kind := range kinds {
			res.bands = append(res.bands, d.band(t, c, area, kind, nb, r))
		}
		if err := d.partition(&res, cod, c, r, tile, budget); err != nil {
			return nil, err
		}
		tc.res = append(tc.res, res)
	}
	return tc, nil
}

func (d *decoder) band(t *tile, c int, area rect, kind, nb, r int) *band {
	cod, q := &t.params.coding[c], &t.params.quant[c]
	coord := func(v, o int) int {
		if nb == 0 {
			return v
		}
		return ceilShift(v-o<<(nb-1), nb) // (B-15); o is 0 or 1
	}
	xo, yo := kind&1, kind>>1
	b := &band{kind: kind, rect: rect{coord(area.x0, xo), coord(area.y0, yo), coord(area.x1, xo), coord(area.y1, yo)}}
	index := 0
	if r > 0 {
		index = 3*(r-1) + kind
	}
	step := q.steps[0]
	exponent := int(step >> 11)
	if q.style == 1 { // derived (E-5): relative to the LL band
		if r > 0 {
			exponent -= r - 1
		}
	} else {
		step = q.steps[index]
		exponent = int(step >> 11)
	}
	gain := xo + yo
	b.planes = q.guard + exponent - 1
	b.step = 1
	if !cod.reversible && q.style != 0 {
		b.step = exp2(d.comps[c].precision+gain-exponent) * (1 + float32(step&0x7FF)/2048) // (E-3)
	}
	return b
}

func exp2(n int) float32 {
	v := float32(1)
	for ; n > 0; n-- {
		v *= 2
	}
	for ; n < 0; n++ {
		v /= 2
	}
	return v
}

// partition cuts a resolution into precincts and code-blocks.
func (d *decoder) partition(res *resolution, cod *coding, c, r int, tile rect, budget *int) error {
	ppx, ppy := int(cod.precincts[r]&15), int(cod.precincts[r]>>4)
	if r > 0 && (ppx == 0 || ppy == 0) {
		return ErrDamaged // §B.7: a precinct of 2^0 has no half
	}
	if res.empty() {
		return nil
	}
	px0, py0 := res.x0>>ppx, res.y0>>ppy
	nw, nh := ceilShift(res.x1, ppx)-px0, ceilShift(res.y1, ppy)-py0
	if int64(nw)*int64(nh)*precinctCost > int64(*budget) {
		return ErrDamaged
	}
	*budget -= nw * nh * precinctCost
	half := 0
	if r > 0 {
		half = 1
	}
	xcb, ycb := min(cod.xcb, ppx-half), min(cod.ycb, ppy-half)
	n := cod.levels - r
	for i := range nw * nh {
		px, py := px0+i%nw, py0+i/nw
		p := &precinct{comp: c, res: r, index: i}
		p.x = max(int64(tile.x0), int64(px)<<ppx<<n*int64(d.comps[c].dx))
		p.y = max(int64(tile.y0), int64(py)<<ppy<<n*int64(d.comps[c].dy))
		for _, b := range res.bands {
			cell := rect{px << (ppx - half), py << (ppy - half), (px + 1) << (ppx - half), (py + 1) << (ppy - half)}
			pb, err := newPrecinctBand(b, intersect(cell, b.rect), xcb, ycb, budget)
			if err != nil {
				return err
			}
			p.bands = append(p.bands, pb)
		}
		res.precincts = append(res.precincts, p)
	}
	return nil
}

func intersect(a, b rect) rect {
	return rect{max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)}
}

func newPrecinctBand(b *band, area rect, xcb, ycb int, budget *int) (precinctBand, error) {
	pb := precinctBand{b: b}
	if area.empty() {
		return pb, nil
	}
	bx, by := area.x0>>xcb, area.y0>>ycb
	pb.w, pb.h = ceilShift(area.x1, xcb)-bx, ceilShift(area.y1, ycb)-by
	if int64(pb.w)*int64(pb.h) > int64(*budget) {
		return pb, ErrDamaged
	}
	*budget -= pb.w * pb.h
	pb.blocks = make([]block, pb.w*pb.h)
	for i := range pb.blocks {
		x, y := bx+i%pb.w, by+i/pb.w
		pb.blocks[i] = block{rect: intersect(rect{x << xcb, y << ycb, (x + 1) << xcb, (y + 1) << ycb}, area), lblock: 3}
	}
	pb.inclusion, pb.zeros = newTagTree(pb.w, pb.h), newTagTree(pb.w, pb.h)
	return pb, nil
}
