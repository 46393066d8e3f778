package digitize

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// SayError is a word about a picture that is none.
type SayError struct {
	Field string // such as "laterality"
	Want  string
}

func (e *SayError) Error() string { return fmt.Sprintf("%s: want %s", e.Field, e.Want) }

// ParseConversion finds a way by its name or code.
func ParseConversion(s string) (string, error) {
	var names []string
	for _, c := range Conversions() {
		if strings.EqualFold(s, c.Name) || strings.EqualFold(s, c.Code) {
			return c.Code, nil
		}
		names = append(names, c.Name)
	}
	return "", &SayError{"conversion", "one of " + strings.Join(names, ", ")}
}

var codeString = regexp.MustCompile(`^[A-Z0-9 _]{1,16}$`)

// ParseCode reads a code string such as a modality or a body part (PS3.5 §6.2: CS).
func ParseCode(field, s string) (string, error) {
	s = strings.ToUpper(strings.Join(strings.Fields(s), " "))
	if s != "" && !codeString.MatchString(s) {
		return "", &SayError{field, "up to 16 letters and digits, such as " + map[string]string{"modality": "XC or DX"}[field] + map[string]string{"body part": "FOOT"}[field]}
	}
	return s, nil
}

// paired are the body parts of which there are two (PS3.16 annex L).
var paired = strings.Fields(`ACJOINT ADRENAL ANKLE ARM AXILLA BREAST BRONCHUS BUTTOCK CALCANEUS CALF CAROTID CHEEK CLAVICLE CORNEA EAR ELBOW
	EXTREMITY EYE EYELID FEMUR FIBULA FINGER FOOT FOREARM HAND HIP HUMERUS KIDNEY KNEE LEG LOWERLIMB LUNG METACARPUS METATARSUS
	ORBIT OVARY PAROTID PATELLA RADIUS RETINA RIB SCAPULA SHOULDER SIJOINT TESTIS THIGH THUMB TIBIA TMJ TOE ULNA UPPERLIMB WRIST ZYGOMA`)

// Paired reports whether a side belongs to a body part.
func Paired(bodyPart string) bool { return slices.Contains(paired, bodyPart) }

// ParseLaterality reads a side.
func ParseLaterality(s string) (string, error) {
	switch strings.ToUpper(s) {
	case "":
		return "", nil
	case "R", "RIGHT":
		return "R", nil
	case "L", "LEFT":
		return "L", nil
	case "B", "BOTH":
		return "B", nil
	case "U", "UNPAIRED", "NONE":
		return "U", nil
	}
	return "", &SayError{"laterality", "left, right, both or unpaired"}
}

// axes of a person, each of which a direction names once; and the terms of a quadruped (PS3.3
// C.7.6.1.1.1).
var (
	personAxes     = []string{"RL", "AP", "HF"}
	quadrupedTerms = []string{"LE", "RT", "D", "V", "CR", "CD", "R", "M", "L", "PR", "DI", "PA", "PL"}
)

// ParseOrientation reads where rows and columns go to, such as "L/F": along a row to the patient's
// left, down a column to the feet. Animals have words of their own: "LE/CD".
func ParseOrientation(s string, animal bool) (out [2]string, err error) {
	if s == "" {
		return out, nil
	}
	parts := strings.FieldsFunc(strings.ToUpper(s), func(r rune) bool { return strings.ContainsRune(`\/,; `, r) })
	want := &SayError{"orientation", "where rows and columns go to, such as L/F (letters R L A P H F)"}
	check := person
	if animal {
		want.Want, check = "where rows and columns go to, such as LE/CD (LE RT D V CR CD, limbs PR DI PA PL M L R)", quadruped
	}
	if len(parts) != 2 || !check(parts[0]) || !check(parts[1]) || parts[0] == parts[1] {
		return out, want
	}
	return [2]string{parts[0], parts[1]}, nil
}

func person(s string) bool {
	if len(s) == 0 || len(s) > 3 {
		return false
	}
	used := map[string]bool{}
	for _, r := range s {
		i := slices.IndexFunc(personAxes, func(a string) bool { return strings.ContainsRune(a, r) })
		if i < 0 || used[personAxes[i]] {
			return false
		}
		used[personAxes[i]] = true
	}
	return true
}

// quadruped takes a word apart into terms, the longest first.
func quadruped(s string) bool {
	for range 3 {
		if len(s) >= 2 && slices.Contains(quadrupedTerms, s[:2]) {
			s = s[2:]
		} else if len(s) >= 1 && slices.Contains(quadrupedTerms, s[:1]) {
			s = s[1:]
		} else {
			return false
		}
		if s == "" {
			return true
		}
	}
	return false
}

// ParseDate reads a day, such as 2026-03-02, and perhaps a time, 2026-03-02T08:15.
func ParseDate(field, s string) (date, clock string, err error) {
	if s == "" {
		return "", "", nil
	}
	for _, form := range []struct{ in, clock string }{
		{time.DateOnly, ""}, {"20060102", ""}, {"2006-01-02T15:04", "1504"}, {"2006-01-02 15:04", "1504"}, {"2006-01-02T15:04:05", "150405"},
	} {
		if t, err := time.Parse(form.in, s); err == nil {
			if form.clock != "" {
				clock = t.Format(form.clock)
			}
			return t.Format("20060102"), clock, nil
		}
	}
	return "", "", &SayError{field, "a day such as 2026-03-02"}
}

// ParseSex reads a sex as DICOM writes it.
func ParseSex(s string) (string, error) {
	switch strings.ToUpper(s) {
	case "":
		return "", nil
	case "F", "FEMALE":
		return "F", nil
	case "M", "MALE":
		return "M", nil
	case "O", "OTHER":
		return "O", nil
	}
	return "", &SayError{"sex", "F, M or O"}
}
