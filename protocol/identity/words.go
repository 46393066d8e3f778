package identity

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tyler-smith/go-bip39/wordlists"
)

const (
	wordBits  = 11
	seedCount = 24 // 256 + 8 checksum bits
)

// ErrWords says that words are not those of a seed: a wrong word, count or
// order. Whoever typed them is asked again. It never repeats a word.
var ErrWords = errors.New("these are not recovery words")

// wordAt reads the n-th group of 11 bits, most significant bit first.
func wordAt(b []byte, n int) string {
	v := 0
	for i := n * wordBits; i < (n+1)*wordBits; i++ {
		v = v<<1 | int(b[i/8]>>(7-i%8)&1)
	}
	return wordlists.English[v]
}

func takeWords(b []byte, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = wordAt(b, i)
	}
	return out
}

// seedWords is the BIP-39 mnemonic of 32 bytes: the bytes, then the first byte
// of their SHA-256.
func seedWords(seed [32]byte) []string {
	sum := sha256.Sum256(seed[:])
	return takeWords(append(seed[:], sum[0]), seedCount)
}

func seedFromWords(words []string) (seed [32]byte, err error) {
	if len(words) != seedCount {
		return seed, fmt.Errorf("%d words instead of %d: %w", len(words), seedCount, ErrWords)
	}
	var bits [33]byte
	for i, w := range words {
		v, ok := slices.BinarySearch(wordlists.English, strings.ToLower(strings.TrimSpace(w)))
		if !ok {
			return seed, fmt.Errorf("word %d is not in the list: %w", i+1, ErrWords)
		}
		for j := range wordBits {
			at := i*wordBits + j
			bits[at/8] |= byte(v>>(wordBits-1-j)&1) << (7 - at%8)
		}
	}
	seed = [32]byte(bits[:32])
	if sum := sha256.Sum256(seed[:]); sum[0] != bits[32] {
		return [32]byte{}, fmt.Errorf("checksum: %w", ErrWords)
	}
	return seed, nil
}
