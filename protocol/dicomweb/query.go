package dicomweb

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Query is a search (PS3.18 §8.3.4).
type Query struct {
	Match   []Match
	Include []string // tags or keywords, as asked; "all" among them is everything
	Fuzzy   bool     // asked for; matching is literal all the same
	Limit   int      // 1 to 1,000
	Offset  int
	// Unknown are parameters that name no attribute this package knows, and are not matched.
	Unknown []string
}

// Match is one attribute and what its value must be.
type Match struct {
	Tag   uint32
	Value string // wildcards, ranges and lists as PS3.4 §C.2.2.2 has them
}

// errQuery says what is wrong with a search, without its values.
var errQuery = errors.New("search not understood")

// keywords are the attributes that can be named by keyword: those of search results.
var keywords = map[string]uint32{
	"StudyDate": 0x00080020, "SeriesDate": 0x00080021, "StudyTime": 0x00080030, "SeriesTime": 0x00080031,
	"AccessionNumber": 0x00080050, "InstanceAvailability": 0x00080056, "Modality": 0x00080060,
	"ModalitiesInStudy": 0x00080061, "SOPClassesInStudy": 0x00080062, "SOPClassUID": 0x00080016,
	"SOPInstanceUID": 0x00080018, "ReferringPhysicianName": 0x00080090, "TimezoneOffsetFromUTC": 0x00080201,
	"StudyDescription": 0x00081030, "SeriesDescription": 0x0008103E, "RetrieveURL": 0x00081190,
	"PatientName": 0x00100010, "PatientID": 0x00100020, "IssuerOfPatientID": 0x00100021,
	"PatientBirthDate": 0x00100030, "PatientSex": 0x00100040, "PatientAge": 0x00101010,
	"BodyPartExamined": 0x00180015, "StudyInstanceUID": 0x0020000D, "SeriesInstanceUID": 0x0020000E,
	"StudyID": 0x00200010, "SeriesNumber": 0x00200011, "InstanceNumber": 0x00200013,
	"NumberOfStudyRelatedSeries": 0x00201206, "NumberOfStudyRelatedInstances": 0x00201208,
	"NumberOfSeriesRelatedInstances": 0x00201209, "NumberOfFrames": 0x00280008, "Rows": 0x00280010,
	"Columns": 0x00280011, "BitsAllocated": 0x00280100, "AvailableTransferSyntaxUID": 0x00083002,
	"PerformedProcedureStepStartDate": 0x00400244, "PerformedProcedureStepStartTime": 0x00400245,
	"RequestAttributesSequence": 0x00400275, "Laterality": 0x00200060,
}

// matchable are the tags whose value a row always says, so that a row without it does not match.
// Others are not known to a row: they are not matched, and the reply says so.
var matchable = map[uint32]bool{
	0x00080020: true, 0x00080030: true, 0x00080050: true, 0x00080060: true, 0x00080061: true,
	0x00080016: true, 0x00080018: true, 0x00081030: true, 0x0008103E: true, 0x00100010: true,
	0x00100020: true, 0x00100021: true, 0x00100030: true, 0x00100040: true, 0x00180015: true,
	0x0020000D: true, 0x0020000E: true, 0x00200011: true, 0x00200013: true,
	0x00201206: true, 0x00201208: true, 0x00201209: true, 0x00280008: true, 0x00280010: true, 0x00280011: true,
	0x00083002: true,
}

// attribute finds a tag by its digits or its keyword.
func attribute(name string) (uint32, bool) {
	if t, ok := keywords[name]; ok {
		return t, true
	}
	return parseTag(name)
}

// ParseQuery reads the parameters of a search.
func ParseQuery(raw string) (Query, error) {
	q := Query{Limit: resultsMax}
	values, err := url.ParseQuery(raw)
	if err != nil || len(values) > queryMax {
		return q, errQuery
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list := values[name]
		if len(list) > queryMax {
			return q, errQuery
		}
		for _, v := range list {
			if len(v) > queryValueMax {
				return q, errQuery
			}
			if err := q.take(name, v); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

func (q *Query) take(name, v string) error {
	switch name {
	case "limit", "offset":
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return errQuery
		}
		if name == "offset" {
			q.Offset = n
		} else if n > 0 {
			q.Limit = min(n, resultsMax)
		}
		return nil
	case "fuzzymatching":
		q.Fuzzy = v == "true"
		return nil
	case "includefield":
		for f := range strings.SplitSeq(v, ",") {
			if f = strings.TrimSpace(f); f != "" {
				q.Include = append(q.Include, f)
			}
		}
		return nil
	case "accept", "charset", "access_token", "orderby", "emptyvaluematching", "multiplevaluematching":
		return nil // PS3.18 §8.3.3: of the request, not of the search
	}
	tag, ok := attribute(name)
	if !ok {
		tag = 0
	}
	known, err := q.Want(tag, v)
	if !known {
		q.Unknown = append(q.Unknown, name)
	}
	return err
}

// Want adds an attribute and what its value must be; nothing, and stars alone, match all. known
// false says that rows do not tell the attribute: it is not matched.
func (q *Query) Want(tag uint32, v string) (known bool, err error) {
	switch {
	case strings.Trim(v, "*") == "":
		return true, nil // universal matching
	case !matchable[tag]:
		return false, nil
	case len(v) > queryValueMax || strings.Count(v, "*") > wildcardMax:
		return true, errQuery
	}
	q.Match = append(q.Match, Match{Tag: tag, Value: v})
	return true, nil
}

// Matches reports whether a row is what the search wants.
func (q *Query) Matches(row Dataset) bool {
	for _, m := range q.Match {
		e, ok := row[Key(m.Tag)]
		if !ok {
			continue // of another level: a study's row says nothing of a series' number
		}
		if !matches(e, m.Value) {
			return false
		}
	}
	return true
}

// matches applies PS3.4 §C.2.2.2: any value of an attribute may match.
func matches(e Element, want string) bool {
	one := func(have string) bool { return matchText(e.VR, have, want) }
	switch e.VR {
	case "UI", "CS", "IS", "US":
		list := strings.FieldsFunc(want, func(r rune) bool { return r == ',' || r == '\\' })
		one = func(have string) bool {
			return slices.ContainsFunc(list, func(w string) bool { return matchText(e.VR, have, w) })
		}
	case "DA", "TM":
		one = func(have string) bool { return inRange(have, want) }
	}
	if len(e.Value) == 0 {
		return false
	}
	return slices.ContainsFunc(e.Value, func(v any) bool { return one(textOf(v)) })
}

func matchText(vr, have, want string) bool {
	switch vr {
	case "UI", "IS", "US":
		return have == strings.TrimSpace(want)
	case "PN": // without regard to case, PS3.4 §C.2.2.2.1
		return wildcard(strings.ToLower(have), strings.ToLower(want)) ||
			wildcard(strings.ToLower(strings.TrimRight(have, "^= ")), strings.ToLower(strings.TrimRight(want, "^= ")))
	}
	return wildcard(have, want)
}

// wildcard matches * and ? over characters.
func wildcard(have, want string) bool {
	h, w := []rune(have), []rune(want)
	hi, wi, star, mark := 0, 0, -1, 0
	for hi < len(h) {
		switch {
		case wi < len(w) && w[wi] == '*':
			star, mark = wi, hi
			wi++
		case wi < len(w) && (w[wi] == '?' || w[wi] == h[hi]):
			hi, wi = hi+1, wi+1
		case star >= 0:
			mark++
			hi, wi = mark, star+1
		default:
			return false
		}
	}
	for wi < len(w) && w[wi] == '*' {
		wi++
	}
	return wi == len(w)
}

// inRange matches a date or time, or a range of them: the shorter one decides the precision.
func inRange(have, want string) bool {
	from, to, isRange := strings.Cut(want, "-")
	have = strings.ReplaceAll(strings.TrimSpace(have), ":", "")
	have, _, _ = strings.Cut(have, ".")
	clean := func(s string) string {
		s, _, _ = strings.Cut(strings.ReplaceAll(strings.TrimSpace(s), ":", ""), ".")
		return s
	}
	from, to = clean(from), clean(to)
	if have == "" {
		return false
	}
	if !isRange {
		return strings.HasPrefix(have, from)
	}
	if from != "" && have < from && !strings.HasPrefix(from, have) {
		return false
	}
	return to == "" || have <= to || strings.HasPrefix(have, to)
}
