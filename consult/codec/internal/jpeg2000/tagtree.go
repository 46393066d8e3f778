package jpeg2000

// tagTree is §B.10.2, leaves first.
type tagTree struct {
	levels []tagLevel
}

// tagLevel holds twice the least value that each node may have, and 1 where
// that is known to be its value.
type tagLevel struct {
	w    int
	node []int32
}

func newTagTree(w, h int) *tagTree {
	t := &tagTree{}
	for {
		n := w * h
		t.levels = append(t.levels, tagLevel{w, make([]int32, n)})
		if n == 1 {
			return t
		}
		w, h = (w+1)/2, (h+1)/2
	}
}

// decode learns whether the value of leaf (x, y) is below threshold.
func (t *tagTree) decode(r *headerBits, x, y, threshold int) bool {
	low := int32(0)
	end := int32(threshold) * 2
	for i := len(t.levels) - 1; i >= 0; i-- {
		l := &t.levels[i]
		node := &l.node[(y>>i)*l.w+x>>i]
		if *node&1 == 0 {
			for *node = max(*node, low); *node < end; *node += 2 {
				if r.bit() == 1 {
					*node |= 1
					break
				}
			}
		}
		low = *node &^ 1
	}
	return low < end && t.levels[0].node[y*t.levels[0].w+x]&1 == 1
}
