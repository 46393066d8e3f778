package form

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Scheme is a scoring scheme: a list of categories, a pattern of codes, or a
// range of numbers.
type Scheme struct {
	Name    string      `json:"name"`
	Title   string      `json:"title"`
	Edition string      `json:"edition"`
	Prefix  string      `json:"prefix"` // written before a category, may be left out
	Suffix  string      `json:"suffix"` // a modifier that may follow a category
	Values  [][2]string `json:"values"` // category and what it is called
	Ordered bool        `json:"ordered"`
	Pattern string      `json:"pattern"`
	Example string      `json:"example"`
	Unit    string      `json:"unit"`
	Min     float64     `json:"min"`
	Max     float64     `json:"max"`
	Step    float64     `json:"step"`
	Version int         `json:"-"`

	pattern *regexp.Regexp
}

type schemeFile struct {
	Version int      `json:"version"`
	Schemes []Scheme `json:"schemes"`
}

func (s Scheme) prepared() Scheme {
	if s.Pattern != "" {
		s.pattern = regexp.MustCompile("^(?:" + s.Pattern + ")$")
	}
	return s
}

// Schemes returns all scoring schemes.
func Schemes() []Scheme { return slices.Clone(loaded().schemes) }

// GetScheme returns the scheme of a name.
func GetScheme(name string) (Scheme, bool) {
	for _, s := range loaded().schemes {
		if s.Name == name {
			return s, true
		}
	}
	return Scheme{}, false
}

// Value reads a category, code or number of the scheme, and returns it as it is
// written: what is outside the scheme is refused.
func (s Scheme) Value(said string) (string, error) {
	said = strings.TrimSpace(said)
	switch {
	case s.pattern != nil:
		if code := strings.ReplaceAll(said, " ", ""); s.pattern.MatchString(code) {
			return code, nil
		}
		return "", fmt.Errorf("is not in %s, such as %s", s.Title, s.Example)
	case len(s.Values) == 0:
		return s.number(said)
	}
	for _, v := range s.Values {
		for _, written := range []string{v[0], s.Prefix + v[0], s.Title + " " + v[0], s.Title + " " + s.Prefix + v[0]} {
			if strings.EqualFold(said, written) {
				return s.Prefix + v[0], nil
			}
			if s.Suffix != "" && strings.EqualFold(said, written+s.Suffix) {
				return s.Prefix + v[0] + s.Suffix, nil
			}
		}
	}
	return "", fmt.Errorf("is not in %s: one of %s", s.Title, strings.Join(s.Categories(), ", "))
}

// number wants a value in the range, on a step of the scheme.
func (s Scheme) number(said string) (string, error) {
	x, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(said, s.Unit)), 64)
	if err != nil || !(x >= s.Min && x <= s.Max) {
		return "", fmt.Errorf("is not in %s: a number from %g to %g", s.Title, s.Min, s.Max)
	}
	n := math.Round(x / s.Step)
	if math.Abs(x-n*s.Step) > s.Step/1000 {
		return "", fmt.Errorf("is finer than %s: in steps of %g", s.Title, s.Step)
	}
	return strings.TrimSpace(strconv.FormatFloat(n*s.Step, 'f', decimals(s.Step), 64) + " " + s.Unit), nil
}

// decimals is how many decimals a step has.
func decimals(step float64) int { return max(0, int(math.Ceil(-math.Log10(step)))) }

// Categories returns the categories as they are written; none for codes and
// numbers.
func (s Scheme) Categories() []string {
	var out []string
	for _, v := range s.Values {
		out = append(out, s.Prefix+v[0])
	}
	return out
}

// Called returns what a category is called, "" if it has no name beside itself.
func (s Scheme) Called(category string) string {
	for _, v := range s.Values {
		if c := s.Prefix + v[0]; category == c || s.Suffix != "" && category == c+s.Suffix {
			return v[1]
		}
	}
	return ""
}
