package jpeg2000

import "math"

// reconstruct decodes the blocks, undoes the wavelets and the component
// transform, and writes the tile into the image.
func (d *decoder) reconstruct(t *tile, comps []*tileComponent, area rect) error {
	var bd blockDecoder
	ints := make([][]int32, len(comps))
	floats := make([][]float32, len(comps))
	for c, tc := range comps {
		if err := decodeBlocks(&bd, t, tc, c); err != nil {
			return err
		}
		if t.params.coding[c].reversible {
			ints[c] = synthesize(tc, func(b *band, i int) int32 { return half(b.data[i]) }, lift53)
		} else {
			floats[c] = synthesize(tc, func(b *band, i int) float32 { return float32(float64(b.data[i]) * 0.5 * b.step) }, lift97)
		}
	}
	if t.params.transform {
		if err := untransform(ints, floats); err != nil {
			return err
		}
	}
	for c := range comps {
		d.store(c, ints[c], floats[c], area)
	}
	return nil
}

// half rounds towards zero, which takes the middle of the last bit away.
func half(v int32) int32 { return v / 2 }

func decodeBlocks(bd *blockDecoder, t *tile, tc *tileComponent, c int) error {
	style, shift := t.params.coding[c].style, t.params.roi[c]
	for _, res := range tc.res {
		for _, p := range res.precincts {
			for i := range p.bands {
				pb := &p.bands[i]
				for k := range pb.blocks {
					b := &pb.blocks[k]
					if !b.included || b.passes == 0 {
						continue
					}
					if err := bd.decode(b, pb.b.kind, pb.b.planes+shift, style); err != nil {
						return err
					}
					bd.write(b, pb.b, shift)
				}
			}
		}
	}
	return nil
}

// write puts a block's values into its band; a region of interest is shifted
// back (§H.1).
func (d *blockDecoder) write(b *block, to *band, shift int) {
	for y := range d.h {
		row := to.data[(b.y0-to.y0+y)*to.w()+b.x0-to.x0:]
		for x := range d.w {
			v := d.mag[y*d.w+x]
			if shift > 0 && v >= 2<<shift {
				v >>= shift
			}
			if d.flags[(y+1)*d.stride+x+1]&negative != 0 {
				v = -v
			}
			row[x] = v
		}
	}
}

// synthesize builds resolution after resolution (§F.3).
func synthesize[T int32 | float32](tc *tileComponent, value func(*band, int) T, lift func([]T, int)) []T {
	ll := tc.res[0].bands[0]
	cur := make([]T, len(ll.data))
	for i := range cur {
		cur[i] = value(ll, i)
	}
	for r := 1; r < len(tc.res); r++ {
		cur = level(cur, &tc.res[r-1].rect, &tc.res[r], value, lift)
	}
	return cur
}

// level interleaves four bands and filters rows and columns (§F.3.2).
func level[T int32 | float32](low []T, lowRect *rect, res *resolution, value func(*band, int) T, lift func([]T, int)) []T {
	w, h := res.w(), res.h()
	if res.empty() {
		return nil
	}
	out := make([]T, w*h)
	put := func(b rect, xo, yo int, at func(i int) T) {
		for y := range b.h() {
			for x := range b.w() {
				out[(2*(b.y0+y)+yo-res.y0)*w+2*(b.x0+x)+xo-res.x0] = at(y*b.w() + x)
			}
		}
	}
	put(*lowRect, 0, 0, func(i int) T { return low[i] })
	for _, b := range res.bands {
		put(b.rect, b.kind&1, b.kind>>1, func(i int) T { return value(b, i) })
	}
	line := make([]T, max(w, h))
	for y := range h {
		lift(out[y*w:(y+1)*w], res.x0)
	}
	for x := range w {
		for y := range h {
			line[y] = out[y*w+x]
		}
		lift(line[:h], res.y0)
		for y := range h {
			out[y*w+x] = line[y]
		}
	}
	return out
}

// mirror is the symmetric extension of §F.3.7 for an index just outside.
func mirror(i, n int) int {
	if i < 0 {
		i = -i
	}
	if i >= n {
		i = 2*(n-1) - i
	}
	return i
}

// lift53 is the reversible filter in place (§F.3.8.2); from is the coordinate
// of the first sample.
func lift53(a []int32, from int) {
	n := len(a)
	odd := from & 1
	if n == 1 {
		if odd == 1 {
			a[0] /= 2
		}
		return
	}
	for i := odd; i < n; i += 2 { // even coordinates
		a[i] -= (a[mirror(i-1, n)] + a[mirror(i+1, n)] + 2) >> 2
	}
	for i := 1 - odd; i < n; i += 2 {
		a[i] += (a[mirror(i-1, n)] + a[mirror(i+1, n)]) >> 1
	}
}

// Constants of the 9/7 filter (table F.4).
const (
	alpha = -1.586134342059924
	beta  = -0.052980118572961
	gamma = 0.882911075530934
	delta = 0.443506852043971
	scale = 1.230174104914001
)

// lift97 is the irreversible filter in place (§F.3.8.1).
func lift97(a []float32, from int) {
	n := len(a)
	odd := from & 1
	if n == 1 {
		if odd == 1 {
			a[0] /= 2
		}
		return
	}
	for i := odd; i < n; i += 2 {
		a[i] *= scale
	}
	for i := 1 - odd; i < n; i += 2 {
		a[i] *= 1 / scale
	}
	step := func(first int, k float32) {
		for i := first; i < n; i += 2 {
			a[i] -= k * (a[mirror(i-1, n)] + a[mirror(i+1, n)])
		}
	}
	step(odd, delta)
	step(1-odd, gamma)
	step(odd, beta)
	step(1-odd, alpha)
}

// untransform is RCT or ICT of the first three components (Annex G).
func untransform(ints [][]int32, floats [][]float32) error {
	switch {
	case ints[0] != nil && ints[1] != nil && ints[2] != nil:
		for i, y := range ints[0] {
			u, v := ints[1][i], ints[2][i]
			g := y - (u+v)>>2
			ints[0][i], ints[1][i], ints[2][i] = v+g, g, u+g
		}
	case floats[0] != nil && floats[1] != nil && floats[2] != nil:
		for i, y := range floats[0] {
			cb, cr := floats[1][i], floats[2][i]
			floats[0][i], floats[1][i], floats[2][i] = y+1.402*cr, y-0.344136*cb-0.714136*cr, y+1.772*cb
		}
	default:
		return ErrDamaged
	}
	return nil
}

// store rounds, shifts the level (§G.1) and clamps.
func (d *decoder) store(c int, ints []int32, floats []float32, area rect) {
	comp := d.comps[c]
	low, high, shift := int32(0), int32(1)<<comp.precision-1, int32(1)<<(comp.precision-1)
	if comp.signed {
		low, high, shift = -shift, shift-1, 0
	}
	w := area.w()
	for y := range area.h() {
		row := d.out[c][(area.y0-d.y0+y)*(d.x1-d.x0)+area.x0-d.x0:]
		for x := range w {
			var v int32
			if ints != nil {
				v = ints[y*w+x]
			} else {
				v = int32(math.Round(float64(floats[y*w+x])))
			}
			row[x] = max(low, min(v+shift, high))
		}
	}
}
