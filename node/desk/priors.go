package desk

import (
	"cmp"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
)

// priorsMax bounds what is suggested.
const priorsMax = 20

// bodyPart is what a study shows: as it says itself, or as its series do.
func bodyPart(h *holding) string {
	if p := h.manifest.Study.BodyPart; p != "" {
		return p
	}
	for i := range h.manifest.Series {
		if p := h.manifest.Series[i].BodyPart; p != "" {
			return p
		}
	}
	return ""
}

func newestStudy(all []*patient) *holding {
	var found *holding
	for _, x := range all {
		for _, h := range x.studies {
			if found == nil || h.manifest.Study.Date+h.manifest.Study.Time > found.manifest.Study.Date+found.manifest.Study.Time {
				found = h
			}
		}
	}
	return found
}

// suggestPriors lists the older studies of a patient: of the same body part and modality first,
// the newest first among equals. A study without a date may be older.
func suggestPriors(all []*patient, of *holding) []control.PriorSuggested {
	type scored struct {
		row   control.PriorSuggested
		score int
		date  string
	}
	var found []scored
	for _, x := range all {
		for _, h := range x.studies {
			st := h.manifest.Study
			if h == of || st.UID == of.manifest.Study.UID || st.Date > of.manifest.Study.Date && of.manifest.Study.Date != "" {
				continue
			}
			row := control.PriorSuggested{
				Study: h.id(), StudyUID: st.UID, Date: known(dateText(st.Date)), Modality: text.Line(strings.Join(st.Modalities, "\\")),
				BodyPart: text.Line(bodyPart(h)), Title: text.Line(st.Description), Why: []string{}, Patient: x.id,
			}
			score := 0
			if samePart(h, of) {
				row.Why, score = append(row.Why, "same body part"), score+2
			}
			if slices.ContainsFunc(st.Modalities, func(m string) bool { return slices.Contains(of.manifest.Study.Modalities, m) }) {
				row.Why, score = append(row.Why, "same modality"), score+1
			}
			found = append(found, scored{row, score, st.Date + st.Time})
		}
	}
	slices.SortStableFunc(found, func(a, b scored) int { return cmp.Or(-cmp.Compare(a.score, b.score), -strings.Compare(a.date, b.date)) })
	out := []control.PriorSuggested{}
	for _, s := range found[:min(len(found), priorsMax)] {
		out = append(out, s.row)
	}
	return out
}

// samePart compares body parts, or else what the studies are called, by word.
func samePart(a, b *holding) bool {
	x, y := strings.ToUpper(bodyPart(a)), strings.ToUpper(bodyPart(b))
	if x != "" && y != "" {
		return x == y
	}
	words := func(h *holding) []string {
		return slices.DeleteFunc(strings.Fields(strings.ToUpper(h.manifest.Study.Description+" "+bodyPart(h))), func(w string) bool { return len(w) < 4 })
	}
	mine := words(a)
	return slices.ContainsFunc(words(b), func(w string) bool { return slices.Contains(mine, w) })
}
