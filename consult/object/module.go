package object

import (
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
)

// Ref names an image, or frames of one.
type Ref struct {
	SeriesUID string
	Class     string
	SOPUID    string
	Frames    []int // from 1; none: all
}

// Made is what an object says of its making.
type Made struct {
	SOPUID         string // of [UID]
	SeriesUID      string
	SeriesNumber   int
	InstanceNumber int
	Date           string // YYYYMMDD
	Time           string // HHMMSS
	Timezone       string // &ZZXX, empty if not said
	Creator        string // PN
}

// Manufacturer of what is authored here.
const Manufacturer = "curbside"

// Modules are those that all authored objects share: patient and study of the
// images they are about, a new series, the equipment, the instance (PS3.3 C.7).
func Modules(in *study.Instance, m Made, class, modality string) Set {
	s := PatientModule(&in.Patient)
	s = append(s,
		Str(0x00080016, "UI", class),
		Str(0x00080018, "UI", m.SOPUID),
		Str(0x00080012, "DA", m.Date),
		Str(0x00080013, "TM", m.Time),
		Str(0x00080020, "DA", Date(in.StudyDate)),
		Str(0x00080030, "TM", Clock(in.StudyTime)),
		Str(0x00080050, "SH", text.Line(in.Accession)),
		Str(0x00080060, "CS", modality),
		Str(0x00080070, "LO", Manufacturer),
		Str(0x00081090, "LO", Manufacturer),
		Str(0x00080090, "PN", text.Line(in.Referrer)),
		Str(0x0020000D, "UI", in.StudyUID),
		Str(0x0020000E, "UI", m.SeriesUID),
		Str(0x00200010, "SH", text.Line(in.StudyID)),
		Str(0x00200011, "IS", IS(m.SeriesNumber)),
		Str(0x00200013, "IS", IS(m.InstanceNumber)),
	)
	if in.StudyDescription != "" {
		s = append(s, Str(0x00081030, "LO", Line(text.Line(in.StudyDescription), 64)))
	}
	if m.Timezone != "" {
		s = append(s, Str(0x00080201, "SH", m.Timezone))
	}
	return s
}

// Date is a DA as it may be written; what is none is left empty. The old form
// with dots (PS3.5 §6.2 note) becomes the new one.
func Date(s string) string {
	if len(s) == 10 && s[4] == '.' && s[7] == '.' {
		s = s[:4] + s[5:7] + s[8:]
	}
	if len(s) != 8 || strings.Trim(s, digits) != "" {
		return ""
	}
	month, day := s[4:6], s[6:]
	if s[:4] == "0000" || month < "01" || month > "12" || day < "01" || day > "31" {
		return ""
	}
	return s
}

// Clock is a TM as it may be written, like Date.
func Clock(s string) string {
	s = strings.ReplaceAll(s, ":", "")
	whole, part, _ := strings.Cut(s, ".")
	if len(whole)%2 != 0 || len(whole) > 6 || len(part) > 6 || strings.Trim(whole+part, digits) != "" {
		return ""
	}
	return strings.TrimSuffix(s, ".")
}

const digits = "0123456789"

// PatientModule is who the images are of. Empty type 2 attributes are present.
func PatientModule(p *study.Patient) Set {
	s := Set{
		Str(0x00100010, "PN", text.Line(p.Name)),
		Str(0x00100020, "LO", text.Line(p.ID)),
		Str(0x00100030, "DA", Date(p.BirthDate)),
		Str(0x00100040, "CS", p.Sex),
	}
	if p.Issuer != "" {
		s = append(s, Str(0x00100021, "LO", text.Line(p.Issuer)))
	}
	if p.Species == "" {
		return s
	}
	// PS3.3 C.7.1.1: of an animal.
	s = append(s,
		Str(0x00102201, "LO", text.Line(p.Species)),
		Str(0x00102203, "CS", ""),
		Str(0x00102292, "LO", text.Line(p.Breed)),
		Seq(0x00102293),
		Seq(0x00102294),
		Str(0x00102297, "PN", text.Line(p.Responsible)),
		Str(0x00102299, "LO", ""),
	)
	if p.Responsible != "" {
		s = append(s, Str(0x00102298, "CS", p.Role))
	}
	return s
}

// SOP names an instance, and frames of it where not all are meant.
func SOP(r Ref) Set {
	s := Set{Str(0x00081150, "UI", r.Class), Str(0x00081155, "UI", r.SOPUID)}
	if len(r.Frames) > 0 {
		var list []string
		for _, f := range r.Frames {
			list = append(list, IS(f))
		}
		s = append(s, Str(0x00081160, "IS", list...))
	}
	return s
}

// SOPs names several.
func SOPs(refs []Ref) []Set {
	var out []Set
	for _, r := range refs {
		out = append(out, SOP(r))
	}
	return out
}

// BySeries groups references by their series, in order.
func BySeries(refs []Ref) (uids []string, of map[string][]Ref) {
	of = map[string][]Ref{}
	for _, r := range refs {
		if of[r.SeriesUID] == nil {
			uids = append(uids, r.SeriesUID)
		}
		of[r.SeriesUID] = append(of[r.SeriesUID], r)
	}
	return uids, of
}

// Line is a text for one line of a VR that has no line ends, and where a backslash
// would part values.
func Line(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/'
		case r < ' ' || r == 0x7f:
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(Clip(strings.TrimSpace(s), n))
}

// Person is a PN: a plain name is taken as the family name's group whole.
func Person(s string) string { return Line(s, 64) }

// Clip cuts a text to so many characters.
func Clip(s string, n int) string {
	i := 0
	for at := range s {
		if i++; i > n {
			return s[:at]
		}
	}
	return s
}

// Item is a content item of a document (PS3.3 C.17.3). The root has no relation.
func Item(relation, valueType string, name Set, value ...Element) Set {
	s := Set{Str(0x0040A040, "CS", valueType)}
	if relation != "" {
		s = append(s, Str(0x0040A010, "CS", relation))
	}
	if name != nil {
		s = append(s, Seq(0x0040A043, name))
	}
	return append(s, value...)
}

// Evidence lists every instance of a study that a document refers to (PS3.3 C.17.2.3).
func Evidence(studyUID string, refs []Ref) Set {
	var series []Set
	uids, of := BySeries(refs)
	for _, uid := range uids {
		var list []Set
		seen := map[string]bool{}
		for _, r := range of[uid] {
			if !seen[r.SOPUID] {
				list = append(list, SOP(Ref{Class: r.Class, SOPUID: r.SOPUID}))
			}
			seen[r.SOPUID] = true
		}
		series = append(series, Set{Str(0x0020000E, "UI", uid), Seq(0x00081199, list...)})
	}
	return Set{Str(0x0020000D, "UI", studyUID), Seq(0x00081115, series...)}
}

// ClassPDF is Encapsulated PDF Storage.
const ClassPDF = "1.2.840.10008.5.1.4.1.1.104.1"

// Document is the Encapsulated Document module of a PDF (PS3.3 C.24.2), but for its title and
// concept.
func Document(pdf []byte, date, clock string) Set {
	return Set{
		Str(0x00080023, "DA", Date(date)),
		Str(0x00080033, "TM", Clock(clock)),
		Str(0x0008002A, "DT", ""),
		Str(0x00280301, "CS", "YES"),
		Str(0x00420012, "LO", "application/pdf"),
		Bytes(0x00420011, "OB", pdf),
		UL(0x00420015, len(pdf)),
	}
}
