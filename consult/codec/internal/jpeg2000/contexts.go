package jpeg2000

// zeroContexts is table D.1 by band and the nine significances around and at a
// coefficient.
var zeroContexts = func() (t [4][512]uint8) {
	for kind := range 4 {
		for i := range 512 {
			bit := func(k int) int { return i >> k & 1 }
			t[kind][i] = zeroContext(kind, bit(3)+bit(5), bit(1)+bit(7), bit(0)+bit(2)+bit(6)+bit(8))
		}
	}
	return t
}()

// zeroContext by band and the counts of significant neighbours: horizontal,
// vertical, diagonal.
func zeroContext(kind, h, v, d int) uint8 {
	if kind == 1 { // HL
		h, v = v, h
	}
	if kind == 3 { // HH
		hv := h + v
		switch {
		case d >= 3:
			return 8
		case d == 2:
			return 6 + uint8(min(hv, 1))
		case d == 1:
			return 3 + uint8(min(hv, 2))
		}
		return uint8(min(hv, 2))
	}
	switch {
	case h == 2:
		return 8
	case h == 1 && v >= 1:
		return 7
	case h == 1:
		return 5 + uint8(min(d, 1))
	case v > 0:
		return 2 + uint8(v)
	}
	return uint8(min(d, 2))
}

// signContexts is tables D.2 and D.3: significance of N, W, E, S in bits 0 to 3,
// their signs in bits 4 to 7; the context, and whether its bit is flipped in bit 4.
var signContexts = func() (t [256]uint8) {
	for i := range t {
		part := func(k int) int {
			if i>>k&1 == 0 {
				return 0
			}
			return 1 - 2*(i>>(k+4)&1)
		}
		h, v := max(-1, min(part(1)+part(2), 1)), max(-1, min(part(0)+part(3), 1))
		n, flip := 3*h+v, 0 // symmetric: (h, v) and (-h, -v) share a context, with the bit flipped
		if n < 0 {
			n, flip = -n, 1
		}
		t[i] = uint8(ctxSign + n | flip<<4) // 0: (0,0), 1: (0,1), 2: (1,-1), 3: (1,0), 4: (1,1)
	}
	return t
}()
