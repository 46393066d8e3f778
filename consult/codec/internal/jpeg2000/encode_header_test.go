package jpeg2000

import "slices"

// headerWriter stuffs bits (§B.10.1).
type headerWriter struct {
	out []byte
	v   int
	n   int
}

func (w *headerWriter) put(bit int) {
	room := 8
	if len(w.out) > 0 && w.out[len(w.out)-1] == 0xFF {
		room = 7
	}
	w.v, w.n = w.v<<1|bit, w.n+1
	if w.n == room {
		w.out, w.v, w.n = append(w.out, byte(w.v)), 0, 0
	}
}

func (w *headerWriter) bits(v, n int) {
	for i := n - 1; i >= 0; i-- {
		w.put(v >> i & 1)
	}
}

func (w *headerWriter) flush() []byte {
	for w.n > 0 {
		w.put(0)
	}
	if n := len(w.out); n > 0 && w.out[n-1] == 0xFF {
		w.out = append(w.out, 0)
	}
	return w.out
}

// passes is table B.4.
func (w *headerWriter) passes(n int) {
	switch {
	case n == 1:
		w.put(0)
	case n == 2:
		w.bits(2, 2)
	case n <= 5:
		w.bits(3, 2)
		w.bits(n-3, 2)
	case n <= 36:
		w.bits(15, 4)
		w.bits(n-6, 5)
	default:
		w.bits(511, 9)
		w.bits(n-37, 7)
	}
}

// tagEncoder is §B.10.2: each node holds the least of those below it.
type tagEncoder struct {
	w, h  []int
	value [][]int
	low   [][]int
	known [][]bool
}

func newTagEncoder(pb *precinctBand, value func(*block) int) *tagEncoder {
	t := &tagEncoder{}
	w, h := pb.w, pb.h
	var leaves []int
	for k := range pb.blocks {
		leaves = append(leaves, value(&pb.blocks[k]))
	}
	for {
		t.w, t.h, t.value = append(t.w, w), append(t.h, h), append(t.value, leaves)
		t.low, t.known = append(t.low, make([]int, w*h)), append(t.known, make([]bool, w*h))
		if w*h == 1 {
			return t
		}
		nw, nh := (w+1)/2, (h+1)/2
		up := make([]int, nw*nh)
		for i := range up {
			up[i] = 1 << 30
		}
		for y := range h {
			for x := range w {
				up[y/2*nw+x/2] = min(up[y/2*nw+x/2], leaves[y*w+x])
			}
		}
		w, h, leaves = nw, nh, up
	}
}

func (t *tagEncoder) encode(w *headerWriter, x, y, threshold int) {
	low := 0
	for i, wide := range slices.Backward(t.w) {
		k := (y>>i)*wide + x>>i
		low = max(low, t.low[i][k])
		for low < threshold && !t.known[i][k] {
			if low >= t.value[i][k] {
				w.put(1)
				t.known[i][k] = true
				break
			}
			w.put(0)
			low++
		}
		t.low[i][k] = low
	}
}
