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
