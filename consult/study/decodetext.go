package study

import "strings"

// DecodeText decodes the value of a text attribute in a data set of this Specific
// Character Set (0008,0005); ok is false if some of it could not be decoded.
func DecodeText(charset string, b []byte) (s string, ok bool) {
	tx := &texts{o: &Outline{}, known: true}
	first, _, _ := strings.Cut(charset, "\\")
	tx.choose(strings.TrimSpace(first))
	s = tx.decode(b)
	return s, !tx.damaged
}
