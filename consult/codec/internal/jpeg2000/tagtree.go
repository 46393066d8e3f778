package jpeg2000

// tagTree is §B.10.2.
type tagTree struct {
	levels []tagLevel
}

type tagLevel struct {
	w, h  int
	value []int
	low   []int
	known []bool
}

func newTagTree(w, h int) *tagTree {
	t := &tagTree{}
	for {
		n := w * h
		t.levels = append(t.levels, tagLevel{w: w, h: h, value: make([]int, n), low: make([]int, n), known: make([]bool, n)})
		if n == 1 {
			return t
		}
		w, h = (w+1)/2, (h+1)/2
	}
}

// decode learns whether the value of leaf (x, y) is below threshold.
func (t *tagTree) decode(r *headerBits, x, y, threshold int) bool {
	low := 0
	for i := len(t.levels) - 1; i >= 0; i-- {
		l := &t.levels[i]
		n := (y>>i)*l.w + x>>i
		l.low[n] = max(l.low[n], low)
		for l.low[n] < threshold && !l.known[n] {
			if r.bit() == 1 {
				l.known[n], l.value[n] = true, l.low[n]
			} else {
				l.low[n]++
			}
		}
		low = l.low[n]
		if !l.known[n] && low >= threshold {
			// nothing more is coded below until the threshold rises
			for j := i - 1; j >= 0; j-- {
				k := (y>>j)*t.levels[j].w + x>>j
				t.levels[j].low[k] = max(t.levels[j].low[k], low)
			}
			return false
		}
	}
	l := &t.levels[0]
	return l.known[y*l.w+x] && l.value[y*l.w+x] < threshold
}
