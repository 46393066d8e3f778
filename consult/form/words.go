package form

import (
	"slices"
	"strings"
	"unicode"
)

// words is what Lint knows, words.json.
type words struct {
	Version int      `json:"version"`
	Left    []string `json:"left"`
	Right   []string `json:"right"`
	Male    []string `json:"male"`
	Female  []string `json:"female"`
	Paired  []string `json:"paired"`
	Common  []string `json:"common"`
}

// wordsOf parts a text into its words in lower case.
func wordsOf(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// anyWord reports whether a text has one of some words, which may be of several.
func anyWord(s string, any []string) bool {
	has := wordsOf(s)
	return slices.ContainsFunc(any, func(w string) bool { return contains(has, wordsOf(w)) })
}

// contains reports whether words come in a row.
func contains(has, want []string) bool {
	for i := 0; len(want) > 0 && i+len(want) <= len(has); i++ {
		if slices.Equal(has[i:i+len(want)], want) {
			return true
		}
	}
	return false
}

// sides of a text: left, right.
func sides(s string) (left, right bool) {
	w := loaded().words
	return anyWord(s, w.Left), anyWord(s, w.Right)
}
