package identity

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39/wordlists"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// The first three are test vectors of BIP-39 for 256 bits.
func TestWords(t *testing.T) {
	fill := func(b byte) (s [32]byte) { copy(s[:], bytes.Repeat([]byte{b}, 32)); return s }
	for _, c := range []struct {
		seed  [32]byte
		words string
	}{
		{fill(0), strings.Repeat("abandon ", 23) + "art"},
		{fill(0x7f), "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title"},
		{fill(0xff), strings.Repeat("zoo ", 23) + "vote"},
	} {
		if got := strings.Join(seedWords(c.seed), " "); got != c.words {
			t.Errorf("got %s, want %s", got, c.words)
		}
		if got, err := seedFromWords(strings.Fields(c.words)); err != nil || got != c.seed {
			t.Errorf("got %x, %v", got, err)
		}
	}
	root := RootFromSeed(counting(5))
	words := root.Words()
	again, err := RootFromWords(words)
	if err != nil || again.ID() != root.ID() {
		t.Fatalf("got %v", err)
	}
	shouted := make([]string, len(words))
	for i, w := range words {
		shouted[i] = " " + strings.ToUpper(w) + "\n"
	}
	if again, err := RootFromWords(shouted); err != nil || again.ID() != root.ID() {
		t.Errorf("capitals: %v", err)
	}
}

func TestWordsRefuse(t *testing.T) {
	words := RootFromSeed(counting(5)).Words()
	unknown, swapped := slices.Clone(words), slices.Clone(words)
	unknown[6] = "curbside"
	swapped[0], swapped[1] = swapped[1], swapped[0]
	for name, w := range map[string][]string{
		"none": nil, "23": words[:23], "25": append(slices.Clone(words), "zoo"), "unknown": unknown, "swapped": swapped,
	} {
		root, err := RootFromWords(w)
		if !errors.Is(err, ErrWords) || root != nil {
			t.Errorf("%s: got %v, want ErrWords", name, err)
		}
		for _, word := range w {
			if err != nil && len(word) > 4 && strings.Contains(err.Error(), word) {
				t.Errorf("%s: the error repeats a word", name)
			}
		}
	}
	if !slices.IsSorted(wordlists.English) || len(wordlists.English) != 2048 {
		t.Error("the list is not the one that binary search needs")
	}
}

func TestNumber(t *testing.T) {
	a, b := RootFromSeed(counting(0)).ID(), PersonID{1}
	pair := PairNumber(a, b)
	if pair != PairNumber(b, a) || len(digits(pair)) != 60 {
		t.Errorf("got %s and %s", pair, PairNumber(b, a))
	}
	half := SafetyNumber(b)
	if !strings.HasPrefix(pair, half) && !strings.HasSuffix(pair, half) {
		t.Errorf("%s is not in %s", half, pair)
	}
	for _, c := range []struct {
		said string
		want bool
	}{
		{half, true},
		{digits(half), true},
		{strings.ReplaceAll(half, " ", "-") + "\n", true},
		{pair, true},
		{strings.ReplaceAll(pair, " ", "\u00a0"), true},
		{SafetyNumber(a), false}, // one's own half proves nothing
		{half[:len(half)-1], false},
		{half + "0", false},
		{half[1:] + "x", false},
		{"", false},
	} {
		if got := MatchesNumber(a, b, c.said); got != c.want {
			t.Errorf("%q: got %v, want %v", c.said, got, c.want)
		}
	}
	if MatchesNumber(a, a, SafetyNumber(a)) {
		t.Error("someone matches themselves")
	}
	words := strings.Join(HalfWords(b), " ")
	if !MatchesWords(b, strings.ToUpper(words)+"\n") || MatchesWords(a, words) || MatchesWords(b, words+" zoo") || MatchesWords(b, "") {
		t.Errorf("words %q match the wrong person", words)
	}
	if len(HalfWords(b)) != 9 {
		t.Errorf("got %d words, want 9", len(HalfWords(b)))
	}
}

func FuzzWords(f *testing.F) {
	f.Add(strings.Join(RootFromSeed(counting(5)).Words(), " "))
	f.Add("abandon")
	f.Fuzz(func(t *testing.T, text string) {
		words := strings.Fields(text)
		seed, err := seedFromWords(words)
		if err != nil {
			if !errors.Is(err, ErrWords) || seed != (wire.Secret{}) {
				t.Errorf("got %v", err)
			}
			return
		}
		for i, w := range seedWords(seed) {
			if !strings.EqualFold(w, words[i]) {
				t.Errorf("word %d: %q read as %q", i, words[i], w)
			}
		}
	})
}
