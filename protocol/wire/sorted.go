package wire

import "bytes"

// Ascending reports whether keys rise bytewise without duplicates, the order
// of every array the formats call sorted. Fixed-length byte strings order alike
// with and without their CBOR head.
func Ascending[T any](xs []T, key func(*T) []byte) bool {
	for i := 1; i < len(xs); i++ {
		if bytes.Compare(key(&xs[i-1]), key(&xs[i])) >= 0 {
			return false
		}
	}
	return true
}
