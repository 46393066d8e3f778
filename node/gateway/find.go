package gateway

import (
	"context"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// Attributes of queries, PS3.4 §C.6.2.
const (
	tagCharset      study.Tag = 0x00080005
	tagSOPClass     study.Tag = 0x00080016
	tagSOPUID       study.Tag = 0x00080018
	tagStudyDate    study.Tag = 0x00080020
	tagStudyTime    study.Tag = 0x00080030
	tagAccession    study.Tag = 0x00080050
	tagLevel        study.Tag = 0x00080052
	tagModality     study.Tag = 0x00080060
	tagModalities   study.Tag = 0x00080061
	tagDescription  study.Tag = 0x00081030
	tagName         study.Tag = 0x00100010
	tagID           study.Tag = 0x00100020
	tagBirthDate    study.Tag = 0x00100030
	tagSex          study.Tag = 0x00100040
	tagStudyUID     study.Tag = 0x0020000D
	tagSeriesUID    study.Tag = 0x0020000E
	tagSeriesCount  study.Tag = 0x00201206
	tagInstances    study.Tag = 0x00201208
	tagSeriesNumber study.Tag = 0x00201209
)

// Find is C-FIND of studies, study root.
func (d *dicom) Find(ctx context.Context, q Query) ([]FoundStudy, error) {
	a, err := d.open(ctx, dimse.Proposal{Abstract: dimse.StudyFind, Syntaxes: slices.Clone(plain)})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	limit := q.Limit
	if limit < 1 || limit > matchesMax {
		limit = matchesMax
	}
	out := []FoundStudy{}
	err = find(a, studyQuery(q), func(s object.Set) bool {
		if f := foundStudy(s); f.StudyUID != "" {
			out = append(out, f)
		}
		return len(out) < limit
	})
	if err != nil {
		return nil, err
	}
	return out, released(a)
}

// find asks, and reads each match. A match that cannot be read is passed over.
func find(a *dimse.Assoc, q object.Set, each func(object.Set) bool) error {
	c := a.Context(dimse.StudyFind)
	if c == nil {
		return dimse.ErrNoContext
	}
	return a.Find(c, encode(q, c.Syntax), func(b []byte) bool {
		s, err := decode(b, c.Syntax)
		return err != nil || each(s)
	})
}

func studyQuery(q Query) object.Set {
	set := object.Set{
		str(tagLevel, "CS", "STUDY"), str(tagStudyDate, "DA", q.Date), str(tagStudyTime, "TM", ""),
		str(tagAccession, "SH", q.Accession), str(tagModalities, "CS", q.Modality), str(tagDescription, "LO", ""),
		str(tagName, "PN", q.PatientName), str(tagID, "LO", q.PatientID), str(tagBirthDate, "DA", ""), str(tagSex, "CS", ""),
		str(tagStudyUID, "UI", q.StudyUID), str(tagSeriesCount, "IS", ""), str(tagInstances, "IS", ""),
	}
	if !ascii(q.PatientName + q.PatientID + q.Accession) {
		set = append(set, str(tagCharset, "CS", "ISO_IR 192"))
	}
	return set
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > '~' }) < 0
}

func foundStudy(s object.Set) FoundStudy {
	f := FoundStudy{
		StudyUID: s.UID(tagStudyUID), PatientID: s.Text(tagID), PatientName: s.Text(tagName), BirthDate: s.Text(tagBirthDate),
		Sex: s.Text(tagSex), Accession: s.Text(tagAccession), Date: s.Text(tagStudyDate), Time: s.Text(tagStudyTime),
		Description: s.Text(tagDescription), Modalities: s.Texts(tagModalities),
	}
	if f.Modalities == nil {
		f.Modalities = []string{}
	}
	f.Series, _ = s.Int(tagSeriesCount)
	f.Instances, _ = s.Int(tagInstances)
	return f
}

// seriesOf lists the series of a study, by UID.
func seriesOf(a *dimse.Assoc, studyUID string) ([]string, error) {
	var out []string
	q := object.Set{
		str(tagLevel, "CS", "SERIES"), str(tagModality, "CS", ""), str(tagStudyUID, "UI", studyUID),
		str(tagSeriesUID, "UI", ""), str(tagSeriesNumber, "IS", ""),
	}
	err := find(a, q, func(s object.Set) bool {
		if uid := s.UID(tagSeriesUID); uid != "" {
			out = append(out, uid)
		}
		return len(out) < seriesMax
	})
	return out, err
}

// instancesOf lists the instances of a series.
func instancesOf(a *dimse.Assoc, studyUID, seriesUID string) ([]reference, error) {
	var out []reference
	q := object.Set{
		str(tagLevel, "CS", "IMAGE"), str(tagSOPClass, "UI", ""), str(tagSOPUID, "UI", ""),
		str(tagStudyUID, "UI", studyUID), str(tagSeriesUID, "UI", seriesUID),
	}
	err := find(a, q, func(s object.Set) bool {
		if uid := s.UID(tagSOPUID); uid != "" {
			out = append(out, reference{class: s.UID(tagSOPClass), instance: uid})
		}
		return len(out) < instancesMax
	})
	return out, err
}
