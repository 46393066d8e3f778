package jpeg2000

// Embedded block coding (Annex D).

// A flag word holds what is known of the four coefficients of one column of a
// stripe and of those around them. Bit 3*r+c, r from 0 to 5 and c from 0 to 2,
// says that the coefficient in row r-1 of the stripe and column c-1 is
// significant; then come the signs of rows -1 to 4 of the column itself, and
// for rows 0 to 3 whether they were refined, and visited in this plane.
const (
	signShift    = 18
	refinedShift = 24
	visitedShift = 28
	anyNear      = 1<<18 - 1                   // significance of all
	ownAny       = 1<<4 | 1<<7 | 1<<10 | 1<<13 // of the four themselves
	visitedAny   = uint32(0xF) << visitedShift //
	own          = 1 << 4                      // after a shift by 3*row
	around       = 1<<9 - 1 - own              // after a shift by 3*row
	negative     = uint32(1) << 31             // in a magnitude
)

// planeMax is the highest bit-plane of magnitudes: bit 31 is the sign, bit 0 a half.
const planeMax = 29

// blockDecoder holds the state of one code-block; flags have a border of one
// stripe and one column.
type blockDecoder struct {
	w, h   int
	stride int
	flags  []uint32
	mag    []uint32 // twice the magnitude, at the middle of what is known, and the sign
	data   []byte   // of a segment, with FF FF behind
	mq     mq
	raw    raw
	lazy   bool // the pass is raw
	zero   *[512]uint8
	causal bool
}

// decode runs the passes of a block (§D.3); planes is Mb, with the region's shift.
func (d *blockDecoder) decode(b *block, kind, planes int, style byte) error {
	d.w, d.h, d.zero, d.causal = b.w(), b.h(), &zeroContexts[kind], style&styleCausal != 0
	d.stride = d.w + 2
	d.flags = grow(d.flags, d.stride*((d.h+3)/4+2))
	d.mag = grow(d.mag, d.w*d.h)
	plane := planes - int(b.zero) - 1
	if plane > planeMax {
		return ErrFeature
	}
	if style&styleHT != 0 {
		return d.ht(b, plane)
	}
	d.mq.reset()
	pass, kindOfPass := 0, 2 // the first is a cleanup
	for i := range b.segs {
		s := &b.segs[i]
		d.lazy = style&styleBypass != 0 && pass >= 10 && kindOfPass != 2
		if d.lazy {
			d.raw = raw{b: s.data}
		} else {
			d.data = append(append(d.data[:0], s.data...), 0xFF, 0xFF)
			d.mq.start(d.data)
		}
		for range s.passes {
			if plane < 0 {
				return ErrDamaged
			}
			if err := d.pass(kindOfPass, plane, style); err != nil {
				return err
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

func (d *blockDecoder) pass(kind, plane int, style byte) error {
	switch kind {
	case 0:
		d.significance(plane)
	case 1:
		d.refinement(plane)
	default:
		d.cleanup(plane)
		if style&styleSymbols != 0 { // §D.5
			v := d.mq.decode(&d.mq.cx[ctxUniform])<<3 | d.mq.decode(&d.mq.cx[ctxUniform])<<2 | d.mq.decode(&d.mq.cx[ctxUniform])<<1 | d.mq.decode(&d.mq.cx[ctxUniform])
			if v != 0xA {
				return ErrDamaged
			}
		}
	}
	if style&styleReset != 0 {
		d.mq.reset()
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

// become makes the coefficient in a row of a stripe's column significant: its
// sign is decoded (§D.3.2) and told to all around it. The column's own flags
// are f, which is returned.
func (d *blockDecoder) become(f uint32, at, row, i, plane int) uint32 {
	flags := d.flags
	west, east := &flags[at-1], &flags[at+1]
	near := f >> (3 * row)
	var s uint32
	if d.lazy {
		s = uint32(d.raw.bit())
	} else {
		signs := f >> (signShift + row)                          // of the one above, itself and below
		index := near>>1&1 | near>>2&2 | near>>3&4 | near>>4&8 | // N, W, E, S
			signs&1<<4 | *west>>(signShift+1+row)&1<<5 | *east>>(signShift+1+row)&1<<6 | signs>>2&1<<7
		cx := signContexts[index&255]
		s = uint32(d.mq.decode(&d.mq.cx[cx&15]) ^ cx>>4)
	}
	d.mag[i] = 3<<plane | s<<31
	bit := uint32(1) << (3 * (row + 1))
	*west |= bit << 2
	*east |= bit
	f |= bit<<1 | s<<(signShift+1+row)
	if row == 0 && !d.causal { // with causal contexts a stripe does not see the next
		above := flags[at-d.stride-1 : at-d.stride+2]
		above[0] |= 1 << 17
		above[1] |= 1<<16 | s<<(signShift+5)
		above[2] |= 1 << 15
	}
	if row == 3 {
		below := flags[at+d.stride-1 : at+d.stride+2]
		below[0] |= 1 << 2
		below[1] |= 1<<1 | s<<signShift
		below[2] |= 1
	}
	return f
}

// significance is the significance propagation pass (§D.3.1). Coefficients are
// visited in stripes of four rows, column by column (§D.1).
func (d *blockDecoder) significance(plane int) {
	for y := 0; y < d.h; y += 4 {
		rows := min(4, d.h-y)
		at := (y/4+1)*d.stride + 1
		for x := range d.w {
			f := d.flags[at+x]
			if f&anyNear == 0 {
				continue
			}
			for row := range rows {
				near := f >> (3 * row)
				if near&own != 0 || near&around == 0 {
					continue
				}
				var bit uint8
				if d.lazy {
					bit = d.raw.bit()
				} else {
					bit = d.mq.decode(&d.mq.cx[d.zero[near&511]&31])
				}
				if bit == 1 {
					f = d.become(f, at+x, row, (y+row)*d.w+x, plane)
				}
				f |= 1 << (visitedShift + row)
			}
			d.flags[at+x] = f
		}
	}
}

// refinement is the magnitude refinement pass (§D.3.3).
func (d *blockDecoder) refinement(plane int) {
	half := uint32(1) << plane
	for y := 0; y < d.h; y += 4 {
		rows := min(4, d.h-y)
		at := (y/4+1)*d.stride + 1
		for x := range d.w {
			f := d.flags[at+x]
			if f&ownAny == 0 {
				continue
			}
			for row := range rows {
				near := f >> (3 * row)
				if near&own == 0 || f>>(visitedShift+row)&1 != 0 {
					continue
				}
				var bit uint8
				if d.lazy {
					bit = d.raw.bit()
				} else {
					bit = d.mq.decode(&d.mq.cx[refineContext(f>>(refinedShift+row)&1, near)&31])
				}
				f |= 1 << (refinedShift + row)
				m := &d.mag[(y+row)*d.w+x]
				*m += (uint32(bit)<<1 - 1) * half
			}
			d.flags[at+x] = f
		}
	}
}

// refineContext is table D.4.
func refineContext(refined, near uint32) uint8 {
	switch {
	case refined != 0:
		return ctxRefine + 2
	case near&around != 0:
		return ctxRefine + 1
	}
	return ctxRefine
}

// cleanup is the cleanup pass (§D.3.4).
func (d *blockDecoder) cleanup(plane int) {
	for y := 0; y < d.h; y += 4 {
		rows := min(4, d.h-y)
		at := (y/4+1)*d.stride + 1
		for x := range d.w {
			f := d.flags[at+x]
			row := 0
			if rows == 4 && f&anyNear == 0 { // none visited either
				if d.mq.decode(&d.mq.cx[ctxRun]) == 0 {
					continue
				}
				row = int(d.mq.decode(&d.mq.cx[ctxUniform])<<1 | d.mq.decode(&d.mq.cx[ctxUniform]))
				f = d.become(f, at+x, row, (y+row)*d.w+x, plane)
				row++
			}
			for ; row < rows; row++ {
				near := f >> (3 * row)
				if near&own != 0 || f>>(visitedShift+row)&1 != 0 {
					continue
				}
				if d.mq.decode(&d.mq.cx[d.zero[near&511]&31]) == 1 {
					f = d.become(f, at+x, row, (y+row)*d.w+x, plane)
				}
			}
			d.flags[at+x] = f &^ visitedAny
		}
	}
}
