package identity

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

const (
	halfGroups = 6
	halfDigits = halfGroups * 5
	halfWords  = 9
)

// HalfNumber is a person's half of a safety number, 6 groups of 5 digits.
func HalfNumber(id PersonID) [halfGroups]string {
	b := wire.KDF(id, "safety", nil, halfDigits)
	var out [halfGroups]string
	for j := range out {
		var u [8]byte
		copy(u[3:], b[5*j:5*j+5])
		out[j] = fmt.Sprintf("%05d", binary.BigEndian.Uint64(u[:])%100000)
	}
	return out
}

// SafetyNumber is a person's own half as one reads it aloud.
func SafetyNumber(id PersonID) string {
	h := HalfNumber(id)
	return strings.Join(h[:], " ")
}

// PairNumber is the safety number of two persons, 60 digits in 12 groups. The
// half that sorts lower comes first, so both see the same.
func PairNumber(a, b PersonID) string {
	x, y := SafetyNumber(a), SafetyNumber(b)
	if y < x {
		x, y = y, x
	}
	return x + " " + y
}

// HalfWords is a person's own half as 9 words.
func HalfWords(id PersonID) []string {
	return takeWords(wire.KDF(id, "safety/words", nil, 13), halfWords)
}

// MatchesNumber reports whether what was said is the other person's half, or
// the whole number of the two. Spaces and dashes do not matter; anything less
// than all digits does not match, nor does anyone match themselves.
func MatchesNumber(own, other PersonID, said string) bool {
	if own == other {
		return false
	}
	said = strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, said)
	switch len(said) {
	case halfDigits:
		return said == digits(SafetyNumber(other))
	case 2 * halfDigits:
		return said == digits(PairNumber(own, other))
	default:
		return false
	}
}

func digits(s string) string { return strings.ReplaceAll(s, " ", "") }

// MatchesWords reports whether what was said is the other person's half as
// words, in any case and with any spaces between.
func MatchesWords(other PersonID, said string) bool {
	return slices.Equal(strings.Fields(strings.ToLower(said)), HalfWords(other))
}
