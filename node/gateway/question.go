package gateway

import (
	"errors"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/dicomweb"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

const (
	tagRetrieveAET study.Tag = 0x00080054
	tagFailedList  study.Tag = 0x00080058

	wordPatient = "PATIENT"
	wordStudy   = "STUDY"
	wordSeries  = "SERIES"
	wordImage   = "IMAGE"
)

// errIdentifier says that an identifier is not one of its information model; it holds nothing of it.
var errIdentifier = errors.New("not an identifier of this model and level")

// question is what a C-FIND asks, PS3.4 §C.4.1.
type question struct {
	word  string // the level
	level dicomweb.Level
	in    dicomweb.Path   // by the unique keys above the level
	query dicomweb.Query  // by the other ones
	asked []study.Tag     // what is to come back
	known map[string]bool // patients that were answered, at their level
}

// levelOf reads the level of an identifier. Patients are a level of their root alone.
func levelOf(model string, set object.Set) (string, error) {
	root := model == dimse.PatientFind || model == dimse.PatientMove
	switch word := set.Text(tagLevel); word {
	case wordStudy, wordSeries, wordImage:
		// The patient root is walked from its top, PS3.4 §C.4.1.2.1.
		if root && !single(set.Text(tagID)) {
			return "", errIdentifier
		}
		return word, nil
	case wordPatient:
		if root {
			return word, nil
		}
	}
	return "", errIdentifier
}

func single(v string) bool { return v != "" && !strings.ContainsAny(v, "*?\\") }

// readQuestion reads the identifier of a C-FIND. Keys that are not supported are passed over.
func readQuestion(model string, set object.Set) (*question, error) {
	word, err := levelOf(model, set)
	if err != nil {
		return nil, err
	}
	q := &question{word: word, level: dicomweb.Studies, known: map[string]bool{}}
	if word == wordSeries || word == wordImage {
		q.level = dicomweb.Series
		if q.in.Study = set.UID(tagStudyUID); q.in.Study == "" {
			return nil, errIdentifier
		}
	}
	if word == wordImage {
		q.level = dicomweb.Instances
		if q.in.Series = set.UID(tagSeriesUID); q.in.Series == "" {
			return nil, errIdentifier
		}
	}
	for i := range set {
		if err := q.key(&set[i], set); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func (q *question) key(e *object.Element, set object.Set) error {
	switch {
	case e.Tag == tagLevel || e.Tag == tagCharset || e.Tag == tagRetrieveAET || uint16(e.Tag) == 0:
		return nil
	case q.word == wordPatient && e.Tag.Group() != tagID.Group():
		return nil // of a level below
	}
	q.asked = append(q.asked, e.Tag)
	if e.VR == "SQ" {
		return nil
	}
	if _, err := q.query.Want(uint32(e.Tag), set.Text(e.Tag)); err != nil {
		return errIdentifier
	}
	return nil
}

// answer makes the identifier of a match; nil where a row is none. Whole says that all keys are
// supported, PS3.4 §C.4.1.3.
func (q *question) answer(row dicomweb.Dataset, title string) (set object.Set, whole bool) {
	if q.word == wordPatient && !q.fresh(row) || !q.query.Matches(row) {
		return nil, false
	}
	whole = true
	set = object.Set{str(tagCharset, "CS", "ISO_IR 192"), str(tagLevel, "CS", q.word), str(tagRetrieveAET, "AE", title)}
	for _, t := range q.asked {
		e, ok := row[dicomweb.Key(uint32(t))]
		if !ok {
			whole = false
			continue
		}
		if e.VR == "US" {
			set = append(set, object.US(t, int(row.Int(uint32(t)))))
			continue
		}
		v := strings.Join(row.Texts(uint32(t)), "\\")
		set = append(set, str(t, e.VR, object.Clip(v, answerMax)))
	}
	return set, whole
}

// fresh reports whether a study's row is the first one of its patient, and makes it the patient's.
func (q *question) fresh(row dicomweb.Dataset) bool {
	for key := range row {
		if !strings.HasPrefix(key, "0010") {
			delete(row, key)
		}
	}
	who := row.Text(uint32(tagID)) + "\x00" + row.Text(0x00100021) + "\x00" + row.Text(uint32(tagName))
	if q.known[who] {
		return false
	}
	q.known[who] = true
	return true
}

// wanted is what a C-MOVE asks for: a patient, or paths to studies, series or instances.
type wanted struct {
	patient string
	paths   []dicomweb.Path
}

// readWanted reads the identifier of a C-MOVE: unique keys, a list of them at its level (PS3.4 §C.4.2).
func readWanted(model string, set object.Set) (w wanted, err error) {
	word, err := levelOf(model, set)
	if err != nil {
		return w, err
	}
	if model == dimse.PatientMove {
		w.patient = set.Text(tagID)
	}
	switch word {
	case wordPatient:
		if !single(w.patient) {
			err = errIdentifier
		}
		return w, err
	case wordStudy:
		err = w.list(set, tagStudyUID, func(uid string) dicomweb.Path { return dicomweb.Path{Study: uid} })
	case wordSeries:
		in := dicomweb.Path{Study: set.UID(tagStudyUID)}
		if in.Study == "" {
			return w, errIdentifier
		}
		err = w.list(set, tagSeriesUID, func(uid string) dicomweb.Path { in.Series = uid; return in })
	case wordImage:
		in := dicomweb.Path{Study: set.UID(tagStudyUID), Series: set.UID(tagSeriesUID)}
		if in.Study == "" || in.Series == "" {
			return w, errIdentifier
		}
		err = w.list(set, tagSOPUID, func(uid string) dicomweb.Path { in.Instance = uid; return in })
	}
	return w, err
}

func (w *wanted) list(set object.Set, t study.Tag, path func(uid string) dicomweb.Path) error {
	uids := set.Texts(t)
	if len(uids) == 0 || len(uids) > pathsMax {
		return errIdentifier
	}
	for _, uid := range uids {
		if !study.ValidUID(uid) {
			return errIdentifier
		}
		if p := path(uid); !slices.Contains(w.paths, p) {
			w.paths = append(w.paths, p)
		}
	}
	return nil
}
