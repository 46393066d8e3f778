package study

// overlaysOf takes the planes that belong to frame k, counted from 0.
func overlaysOf(list []Overlay, k int) []Overlay {
	var out []Overlay
	for _, o := range list {
		if o.First > 0 {
			plane := k + 1 - o.First
			if plane < 0 || plane >= o.Planes {
				continue
			}
			o.Data = o.plane(plane)
			o.First, o.Planes = 0, 1
		}
		out = append(out, o)
	}
	return out
}

// plane cuts one plane out; planes are bits without a gap (PS3.3 C.9.2.1.1).
func (o *Overlay) plane(n int) []byte {
	size := o.Rows * o.Cols
	if n == 0 && o.Planes == 1 || o.Embedded {
		return o.Data
	}
	out := make([]byte, (size+7)/8)
	for i := range size {
		if at := n*size + i; at/8 < len(o.Data) && o.Data[at/8]>>(at%8)&1 == 1 {
			out[i/8] |= 1 << (i % 8)
		}
	}
	return out
}

// overlayGroup: every even group 6000 to 601E (PS3.3 C.9.2).
func overlayGroup(g uint16) bool { return g >= 0x6000 && g <= 0x601E && g%2 == 0 }

// overlays reads the overlay planes; one that does not fit its bits is left out.
func (o *Outline) overlays(p *Pixel, tx *texts) []Overlay {
	var out []Overlay
	for g := 0x6000; g <= 0x601E; g += 2 {
		base := Tag(g) << 16
		rows, hasRows, ok1 := o.ushort(base | 0x0010)
		cols, hasCols, ok2 := o.ushort(base | 0x0011)
		if !hasRows || !hasCols {
			continue
		}
		ov := Overlay{
			Group: g, Rows: rows, Cols: cols, Top: 1, Left: 1, Planes: 1, Type: o.code(base | 0x0040), Subtype: o.code(base | 0x0045),
			Label: tx.text(base | 0x1500), Description: tx.text(base | 0x0022),
		}
		if !ok1 || !ok2 || rows < 1 || cols < 1 || !o.placeOverlay(&ov, base, p) {
			o.find("overlay is damaged and left out")
			continue
		}
		out = append(out, ov)
	}
	return out
}

// placeOverlay reads where an overlay lies, over which frames, and its bits.
func (o *Outline) placeOverlay(ov *Overlay, base Tag, p *Pixel) bool {
	if b := o.value(base | 0x0050); len(b) == 4 { // SS: may lie outside of the image
		ov.Top, ov.Left = int(int16(o.order().Uint16(b))), int(int16(o.order().Uint16(b[2:])))
	}
	origin, hasOrigin, _ := o.ushort(base | 0x0051)
	n := o.integer(base | 0x0015)
	if n != nil || hasOrigin { // PS3.3 C.9.2.1.4: else it is of all frames
		ov.First = max(1, origin)
	}
	if n != nil {
		if *n < 1 || *n > FramesMax {
			return false
		}
		ov.Planes = int(*n)
	}
	data := o.overlayBits(base | 0x3000)
	if data == nil {
		return o.embedded(ov, base, p)
	}
	ov.Data = data
	total, over := mulOver(uint64(ov.Rows)*uint64(ov.Cols), uint64(ov.Planes))
	return !over && uint64(len(data))*8 >= total
}

// embedded is an overlay in the unused bits of the cells, retired in 2004 and
// still met (PS3.3-2003 C.9.2: Overlay Bits Allocated is the image's, Overlay
// Bit Position is outside the stored bits).
func (o *Outline) embedded(ov *Overlay, base Tag, p *Pixel) bool {
	bit, _, ok := o.ushort(base | 0x0102)
	low := p.HighBit + 1 - p.BitsStored
	if !ok || p.Float || p.Samples != 1 || bit >= p.BitsAllocated || bit >= low && bit <= p.HighBit {
		return false
	}
	ov.Embedded, ov.Bit, ov.First, ov.Planes = true, bit, 0, 1 // it is in the cells of every frame
	return ov.Rows == p.Rows && ov.Cols == p.Cols
}

// overlayBits copies the bits of an overlay; in big-endian words the bytes are swapped.
func (o *Outline) overlayBits(t Tag) []byte {
	s, ok := o.values[t]
	if !ok || s.to == s.from {
		return nil
	}
	out := append([]byte(nil), o.arena[s.from:s.to]...)
	if o.Syntax.BigEndian && s.vr == [2]byte{'O', 'W'} {
		for i := 0; i+1 < len(out); i += 2 {
			out[i], out[i+1] = out[i+1], out[i]
		}
	}
	return out
}
