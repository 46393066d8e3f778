package codec

// JPEG lossless (ITU-T T.81 Annex H): Huffman-coded differences to one of
// seven predictors, 2 to 16 bits, point transform, restart intervals.

// losslessCoder is the state of decoding one frame.
type losslessCoder struct {
	jpegStream
	cells []uint16 // interleaved
	diffs []uint16 // of one row
	above uint16   // all bits that samples have
}

func decodeJPEGLossless(d FrameDesc, data []byte) (*Native, error) {
	if d.BitsAllocated != 8 && d.BitsAllocated != 16 {
		return nil, ErrFrameShape
	}
	f := &losslessCoder{jpegStream: jpegStream{d: d}}
	if err := f.run(data, f, 0xC3); err != nil {
		return nil, err
	}
	if int(f.above)>>f.precision != 0 {
		if f.precision == d.BitsAllocated || d.BitsAllocated == 8 {
			return nil, damaged("JPEG lossless sample is over its precision")
		}
		f.warn("JPEG lossless samples are over their precision")
	}
	return f.native(narrow(f.cells, d.BitsAllocated)), nil
}

func (f *losslessCoder) frame() error {
	if f.subsampled() {
		return &Unsupported{UID: f.d.Syntax, Name: "JPEG lossless with subsampling"}
	}
	return nil
}

func (f *losslessCoder) segment(byte, []byte) error { return nil }

// scan decodes components from a scan: Ss is the predictor, Al the point
// transform (T.81 table B.3).
func (f *losslessCoder) scan(s jpegScan, data []byte) (int, bool, error) {
	var tables []*huffTable
	for _, c := range s.comps {
		if c.tables>>4 > 3 || f.dc[c.tables>>4] == nil {
			return 0, false, damaged("JPEG scan header")
		}
		t := f.dc[c.tables>>4]
		t.prepare()
		tables = append(tables, t)
	}
	selection, transform := s.tail[0], int(s.tail[2]&15)
	if selection < 1 || selection > 7 || transform >= f.precision {
		return 0, false, damaged("JPEG lossless predictor")
	}
	if f.d.Syntax == JPEGLosslessSV1 && selection != 1 && len(f.warnings) == 0 {
		f.warn("JPEG lossless predictor is not the one the transfer syntax declares")
	}
	// A sample takes at least one bit: bound the allocation by the bytes at hand.
	if f.cells == nil {
		if len(data)*8 < f.d.Rows*f.d.Cols {
			return 0, false, damaged("JPEG codestream is short")
		}
		f.cells = make([]uint16, f.d.cells())
	}
	f.diffs = make([]uint16, f.d.Cols*len(tables))
	return f.entropy(s.comps, tables, data, selection, transform)
}

// entropy decodes the rows. A restart interval is a whole number of rows
// (T.81 §H.1.1); prediction begins anew after each.
func (f *losslessCoder) entropy(list []scanComponent, tables []*huffTable, data []byte, selection byte, transform int) (int, bool, error) {
	cols := f.d.Cols
	if f.interval%cols != 0 {
		return 0, false, damaged("JPEG restart interval")
	}
	every := f.interval / cols
	r := &bitReader{b: data}
	restarts := 0
	first := true
	for y := range f.d.Rows {
		if every > 0 && y > 0 && y%every == 0 {
			if !r.restart(restarts) {
				return 0, false, damaged("JPEG restart marker")
			}
			restarts++
			first = true
		}
		if !r.differences(f.diffs, tables) || r.overrun() {
			return 0, false, damaged("JPEG codestream")
		}
		for k, c := range list {
			f.predict(f.diffs[k:], len(list), y, c.index, first, selection, transform)
		}
		first = false
	}
	if transform > 0 {
		for _, c := range list {
			for i := c.index; i < len(f.cells); i += f.d.Samples {
				f.cells[i] <<= transform
			}
		}
	}
	at, exact := r.end()
	return at, exact, nil
}

// predict adds the prediction to the differences of one component's row, which
// lie step apart.
func (f *losslessCoder) predict(diffs []uint16, step, y, c int, first bool, selection byte, transform int) {
	s := f.d.Samples
	stride := f.d.Cols * s
	cur := f.cells[y*stride+c : (y+1)*stride]
	p := uint16(1) << (f.precision - transform - 1)
	var prev []uint16
	if first {
		selection = 1 // §H.1.2.1: the first line is predicted from the left
	} else {
		prev = f.cells[(y-1)*stride+c:][:len(cur)]
		p = prev[0]
	}
	var all uint16
	if selection == 1 {
		for i, k := 0, 0; i < len(cur); i, k = i+s, k+step {
			p += diffs[k]
			cur[i] = p
			all |= p
		}
	} else {
		all = predictRow(cur, prev, diffs, s, step, selection)
	}
	f.above |= all << transform
}

// predictRow is a row below another; its first sample is predicted from above.
func predictRow(cur, prev, diffs []uint16, s, step int, selection byte) uint16 {
	v := prev[0] + diffs[0]
	cur[0] = v
	all := v
	prev = prev[:len(cur)]
	for i, k := s, step; i < len(cur); i, k = i+s, k+step {
		a, b, c := int32(v), int32(prev[i]), int32(prev[i-s])
		var p int32
		switch selection { // table H.1: a left, b above, c above left
		case 2:
			p = b
		case 3:
			p = c
		case 4:
			p = a + b - c
		case 5:
			p = a + (b-c)>>1
		case 6:
			p = b + (a-c)>>1
		default:
			p = (a + b) >> 1
		}
		v = uint16(p) + diffs[k]
		cur[i] = v
		all |= v
	}
	return all
}
