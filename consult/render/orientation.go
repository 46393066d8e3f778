package render

import (
	"math"
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Edges are the letters at the four edges of an image as stored.
type Edges struct {
	Left, Right, Top, Bottom string
}

// Known reports whether there is anything to draw.
func (e Edges) Known() bool { return e != Edges{} }

// Orientation gives the letters from Image Orientation (Patient), else from
// Patient Orientation as written, else none: never from a guess. An animal whose
// Anatomical Orientation Type is not said gets no letters of bipeds.
func Orientation(px study.Pixel) Edges {
	o := px.Orientation
	if o == nil || px.Animal {
		return written(px)
	}
	row, col := [3]float64{o[0], o[1], o[2]}, [3]float64{o[3], o[4], o[5]}
	return Edges{
		Left: letters(minus(row), px.Quadruped), Right: letters(row, px.Quadruped),
		Top: letters(minus(col), px.Quadruped), Bottom: letters(col, px.Quadruped),
	}
}

func minus(v [3]float64) [3]float64 { return [3]float64{-v[0], -v[1], -v[2]} }

// letters names a direction in LPS axes: the largest component, then the next
// if it is above 0.3.
func letters(v [3]float64, quadruped bool) string {
	names := [3][2]string{{"R", "L"}, {"A", "P"}, {"F", "H"}}
	if quadruped { // PS3.3 C.7.6.2.1.1: x to the left, y to the back, z to the head
		names = [3][2]string{{"RT", "LE"}, {"V", "D"}, {"CD", "CR"}}
	}
	var out strings.Builder
	used := [3]bool{}
	for range 2 {
		best := -1
		for i := range v {
			if !used[i] && (best < 0 || math.Abs(v[i]) > math.Abs(v[best])) {
				best = i
			}
		}
		if !(math.Abs(v[best]) > 0.3) {
			break
		}
		used[best] = true
		side := 0
		if v[best] > 0 {
			side = 1
		}
		out.WriteString(names[best][side])
	}
	return out.String()
}

// written takes Patient Orientation (0020,0020) as it is, where its terms are
// those of the patient's kind (PS3.3 C.7.6.1.1.1).
func written(px study.Pixel) Edges {
	row, col := px.PatientOrientation[0], px.PatientOrientation[1]
	if px.Animal && (!animalOnly(row) || !animalOnly(col)) {
		return Edges{}
	}
	quadruped := px.Quadruped || px.Animal
	var e Edges
	if known(row, quadruped) {
		e.Left, e.Right = opposite(row, quadruped), row
	}
	if known(col, quadruped) {
		e.Top, e.Bottom = opposite(col, quadruped), col
	}
	return e
}

// known: one to three terms.
func known(s string, quadruped bool) bool {
	list := strings.Split(s, "")
	if quadruped {
		list = terms(s)
	}
	if len(list) < 1 || len(list) > 3 {
		return false
	}
	for _, t := range list {
		if !quadruped && bipedOpposites[t] == "" {
			return false
		}
	}
	return true
}

// Terms of directions. Those of quadrupeds also name parts of limbs.
var (
	bipedOpposites = map[string]string{"R": "L", "L": "R", "A": "P", "P": "A", "F": "H", "H": "F"}
	animalTerms    = []string{"LE", "RT", "CR", "CD", "PR", "DI", "PA", "PL", "D", "V", "R", "M", "L"}
	// R is rostral, L lateral. On a limb the opposite of dorsal is palmar or
	// plantar, which the terms do not tell: it stays empty there.
	animalOpposites = map[string]string{
		"LE": "RT", "RT": "LE", "D": "V", "V": "D", "CR": "CD", "CD": "CR", "R": "CD",
		"M": "L", "L": "M", "PR": "DI", "DI": "PR", "PA": "D", "PL": "D",
	}
)

// terms parts a value of quadrupeds into its terms; nil if it has others.
func terms(s string) []string {
	var out []string
next:
	for s != "" {
		for _, t := range animalTerms {
			if strings.HasPrefix(s, t) {
				out, s = append(out, t), s[len(t):]
				continue next
			}
		}
		return nil
	}
	return out
}

// animalOnly: terms that cannot be meant as those of bipeds.
func animalOnly(s string) bool {
	list := terms(s)
	for _, t := range list {
		if t == "R" || t == "L" {
			return false
		}
	}
	return len(list) > 0
}

// opposite turns letters around; what is not known gives nothing.
func opposite(s string, quadruped bool) string {
	var out strings.Builder
	list, of := strings.Split(s, ""), bipedOpposites
	if quadruped {
		list, of = terms(s), animalOpposites
	}
	limb := quadruped && (strings.Contains(s, "PR") || strings.Contains(s, "DI"))
	for _, t := range list {
		o, ok := of[t]
		if !ok || limb && t == "D" {
			return ""
		}
		out.WriteString(o)
	}
	return out.String()
}
