package ledger

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"
)

// set is a set of control entries by their place in the graph. Control entries
// are few, so pasts of everything fit in memory and are compared by words.
type set []uint64

func (s set) has(i int) bool { return i>>6 < len(s) && s[i>>6]&(1<<(i&63)) != 0 }

// add returns s with i; s may be written to.
func (s set) add(i int) set {
	for i>>6 >= len(s) {
		s = append(s, 0)
	}
	s[i>>6] |= 1 << (i & 63)
	return s
}

// join returns s with all of o; s may be written to.
func (s set) join(o set) set {
	for len(s) < len(o) {
		s = append(s, 0)
	}
	for i, w := range o {
		s[i] |= w
	}
	return s
}

// meet returns s with only what is in o, too; s is written to.
func (s set) meet(o set) set {
	for i := range s {
		if i < len(o) {
			s[i] &= o[i]
		} else {
			s[i] = 0
		}
	}
	return s
}

// without returns s without o; s is written to.
func (s set) without(o set) set {
	for i := range min(len(s), len(o)) {
		s[i] &^= o[i]
	}
	return s
}

// top is the highest member, -1 if there is none.
func (s set) top() int {
	for i, w := range slices.Backward(s) {
		if w != 0 {
			return i<<6 + bits.Len64(w) - 1
		}
	}
	return -1
}

func (s set) clone() set { return append(set(nil), s...) }

// within reports whether all of s is in o.
func (s set) within(o set) bool {
	for i, w := range s {
		if i < len(o) {
			w &^= o[i]
		}
		if w != 0 {
			return false
		}
	}
	return true
}

func (s set) meets(o set) bool {
	for i := range min(len(s), len(o)) {
		if s[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// all yields the members in ascending order.
func (s set) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// key is equal for equal sets.
func (s set) key() string {
	for len(s) > 0 && s[len(s)-1] == 0 {
		s = s[:len(s)-1]
	}
	b := make([]byte, 0, 8*len(s))
	for _, w := range s {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return string(b)
}

// firstN is the set of 0 to n-1.
func firstN(n int) set {
	var s set
	for i := range n {
		s = s.add(i)
	}
	return s
}
