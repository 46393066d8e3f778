package jpeg2000

import "math"

// tilePlanes are the samples of a tile's components; each has one kind.
type tilePlanes struct {
	ints   []plane[int32]
	floats []plane[float32]
}

// reconstruct decodes the blocks, undoes the wavelets and the component
// transform, and writes the tile into the image.
func (d *decoder) reconstruct(t *tile, comps []*tileComponent) error {
	p := tilePlanes{make([]plane[int32], len(comps)), make([]plane[float32], len(comps))}
	for c, tc := range comps {
		cod, roi := &t.params.coding[c], t.params.roi[c]
		var err error
		if cod.reversible {
			p.ints[c], err = synthesize(&d.blocks, tc, cod.style, roi, filter53{})
		} else {
			p.floats[c], err = synthesize(&d.blocks, tc, cod.style, roi, filter97{})
		}
		if err != nil {
			return err
		}
		if !t.params.transform || c > 2 {
			d.store(c, &p)
			p.ints[c], p.floats[c] = plane[int32]{}, plane[float32]{} // no component waits for another
		}
	}
	if !t.params.transform {
		return nil
	}
	if err := p.untransform(t.params.coding[0].reversible); err != nil {
		return err
	}
	for c := range 3 {
		d.store(c, &p)
	}
	return nil
}

// synthesize builds resolution after resolution (§F.3); the bands of one are
// there only while it is built.
func synthesize[T sample](bd *blockDecoder, tc *tileComponent, style byte, roi int, f filter[T]) (plane[T], error) {
	bands := make([]plane[T], 4)
	var cur plane[T]
	for r := range tc.res {
		res := &tc.res[r]
		for i, b := range res.bands {
			bands[i] = newPlane[T](b.rect)
		}
		for _, p := range res.precincts {
			for i := range p.bands {
				if err := decodeBlocks(bd, &p.bands[i], style, roi, &bands[i]); err != nil {
					return cur, err
				}
			}
		}
		if r == 0 {
			cur = bands[0]
		} else {
			cur = level(res.rect, &cur, &bands[0], &bands[1], &bands[2], f)
		}
	}
	return cur, nil
}

func decodeBlocks[T sample](bd *blockDecoder, pb *precinctBand, style byte, roi int, to *plane[T]) error {
	for k := range pb.blocks {
		b := &pb.blocks[k]
		if !b.included || b.passes == 0 {
			continue
		}
		if err := bd.decode(b, pb.b.kind, pb.b.planes+roi, style); err != nil {
			return err
		}
		if roi > 0 {
			bd.unshift(roi)
		}
		write(bd, b, pb.b.step, to)
	}
	return nil
}

// unshift undoes the shift of a region of interest (§H.1).
func (d *blockDecoder) unshift(roi int) {
	for i, v := range d.mag {
		if m := v &^ negative; roi > 30 || m>>1>>roi == 0 {
			continue // of the background, which is not shifted
		}
		d.mag[i] = v&^negative>>roi | v&negative
	}
}

// write puts a block's values into its band: whole ones rounded towards zero,
// which takes the middle of the last bit away, or quantised ones (§E.1).
func write[T sample](d *blockDecoder, b *block, step float32, to *plane[T]) {
	x0 := b.x0 - to.x0
	switch data := any(to.data).(type) {
	case []int32:
		for y := range d.h {
			row := data[(b.y0-to.y0+y)*to.w()+x0:][:d.w]
			for x, v := range d.mag[y*d.w:][:d.w] {
				sign := int32(v) >> 31
				row[x] = (int32(v&^negative>>1) ^ sign) - sign
			}
		}
	case []float32:
		for y := range d.h {
			row := data[(b.y0-to.y0+y)*to.w()+x0:][:d.w]
			for x, v := range d.mag[y*d.w:][:d.w] {
				sign := int32(v) >> 31
				row[x] = float32((int32(v&^negative)^sign)-sign) * (step / 2)
			}
		}
	}
}

// untransform is RCT or ICT of the first three components (Annex G).
func (p *tilePlanes) untransform(reversible bool) error {
	if reversible {
		a, b, c := p.ints[0].data, p.ints[1].data, p.ints[2].data
		if len(a) != len(b) || len(a) != len(c) {
			return ErrDamaged
		}
		for i, y := range a {
			u, v := b[i], c[i]
			g := y - (u+v)>>2
			a[i], b[i], c[i] = v+g, g, u+g
		}
		return nil
	}
	a, b, c := p.floats[0].data, p.floats[1].data, p.floats[2].data
	if len(a) != len(b) || len(a) != len(c) || len(a) == 0 {
		return ErrDamaged
	}
	for i, y := range a {
		cb, cr := b[i], c[i]
		a[i], b[i], c[i] = y+1.402*cr, y-0.344136*cb-0.714136*cr, y+1.772*cb
	}
	return nil
}

// store rounds, shifts the level (§G.1) and clamps.
func (d *decoder) store(c int, p *tilePlanes) {
	comp := &d.comps[c]
	low, high, shift := int32(0), int32(1)<<comp.precision-1, int32(1)<<(comp.precision-1)
	if comp.signed {
		low, high, shift = -shift, shift-1, 0
	}
	ints, floats := &p.ints[c], &p.floats[c]
	from := ints.rect
	if floats.data != nil {
		from = floats.rect
	}
	for y := from.y0; y < from.y1; y++ {
		row := comp.out[((y-comp.y0)*comp.w()+from.x0-comp.x0)*comp.step:]
		if floats.data != nil {
			for x, v := range floats.row(y) {
				row[x*comp.step] = uint16(max(low, min(int32(math.RoundToEven(float64(v)))+shift, high)))
			}
			continue
		}
		for x, v := range ints.row(y) {
			row[x*comp.step] = uint16(max(low, min(v+shift, high)))
		}
	}
}

// targets gives each component the place of its samples: among the others, or
// where any is subsampled (§B.2) a plane of its own.
func (d *decoder) targets(out []uint16) (subsampled bool) {
	for _, c := range d.comps {
		subsampled = subsampled || c.dx != 1 || c.dy != 1
	}
	for i := range d.comps {
		c := &d.comps[i]
		c.rect = rect{ceilDiv(d.x0, c.dx), ceilDiv(d.y0, c.dy), ceilDiv(d.x1, c.dx), ceilDiv(d.y1, c.dy)}
		c.out, c.step = out[i:], len(d.comps)
		if subsampled {
			c.out, c.step = make([]uint16, max(0, c.w()*c.h())), 1
		}
	}
	return subsampled
}

// repeat fills the image from planes of subsampled components.
func (d *decoder) repeat(out []uint16) error {
	n := len(d.comps)
	for i := range d.comps {
		c := &d.comps[i]
		if c.empty() {
			return ErrDamaged
		}
		for y := d.y0; y < d.y1; y++ {
			line := c.out[(max(c.y0, y/c.dy)-c.y0)*c.w():]
			row := out[(y-d.y0)*(d.x1-d.x0)*n+i:]
			for x := range d.x1 - d.x0 {
				row[x*n] = line[max(c.x0, (d.x0+x)/c.dx)-c.x0]
			}
		}
	}
	return nil
}
