package annot

import (
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
)

// manufacturer of what is authored here.
const manufacturer = "curbside"

// modules are those that all authored objects share: patient and study of the
// images they are about, a new series, the equipment, the instance (PS3.3 C.7).
func modules(in *study.Instance, m Made, class, modality string) object.Set {
	s := patient(&in.Patient)
	s = append(s,
		object.Str(0x00080016, "UI", class),
		object.Str(0x00080018, "UI", m.SOPUID),
		object.Str(0x00080012, "DA", m.Date),
		object.Str(0x00080013, "TM", m.Time),
		object.Str(0x00080020, "DA", date(in.StudyDate)),
		object.Str(0x00080030, "TM", clock(in.StudyTime)),
		object.Str(0x00080050, "SH", text.Line(in.Accession)),
		object.Str(0x00080060, "CS", modality),
		object.Str(0x00080070, "LO", manufacturer),
		object.Str(0x00081090, "LO", manufacturer),
		object.Str(0x00080090, "PN", text.Line(in.Referrer)),
		object.Str(0x0020000D, "UI", in.StudyUID),
		object.Str(0x0020000E, "UI", m.SeriesUID),
		object.Str(0x00200010, "SH", text.Line(in.StudyID)),
		object.Str(0x00200011, "IS", object.IS(m.SeriesNumber)),
		object.Str(0x00200013, "IS", object.IS(m.InstanceNumber)),
	)
	if in.StudyDescription != "" {
		s = append(s, object.Str(0x00081030, "LO", line(text.Line(in.StudyDescription), 64)))
	}
	if m.Timezone != "" {
		s = append(s, object.Str(0x00080201, "SH", m.Timezone))
	}
	return s
}

// date is a DA as it may be written; what is none is left empty. The old form
// with dots (PS3.5 §6.2 note) becomes the new one.
func date(s string) string {
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

// clock is a TM as it may be written, like date.
func clock(s string) string {
	s = strings.ReplaceAll(s, ":", "")
	whole, part, _ := strings.Cut(s, ".")
	if len(whole)%2 != 0 || len(whole) > 6 || len(part) > 6 || strings.Trim(whole+part, digits) != "" {
		return ""
	}
	return strings.TrimSuffix(s, ".")
}

const digits = "0123456789"

// patient is who the images are of. Empty type 2 attributes are present.
func patient(p *study.Patient) object.Set {
	s := object.Set{
		object.Str(0x00100010, "PN", text.Line(p.Name)),
		object.Str(0x00100020, "LO", text.Line(p.ID)),
		object.Str(0x00100030, "DA", date(p.BirthDate)),
		object.Str(0x00100040, "CS", p.Sex),
	}
	if p.Issuer != "" {
		s = append(s, object.Str(0x00100021, "LO", text.Line(p.Issuer)))
	}
	if p.Species == "" {
		return s
	}
	// PS3.3 C.7.1.1: of an animal.
	s = append(s,
		object.Str(0x00102201, "LO", text.Line(p.Species)),
		object.Str(0x00102203, "CS", ""),
		object.Str(0x00102292, "LO", text.Line(p.Breed)),
		object.Seq(0x00102293),
		object.Seq(0x00102294),
		object.Str(0x00102297, "PN", text.Line(p.Responsible)),
		object.Str(0x00102299, "LO", ""),
	)
	if p.Responsible != "" {
		s = append(s, object.Str(0x00102298, "CS", p.Role))
	}
	return s
}

// sop names an instance, and frames of it where not all are meant.
func sop(r Ref) object.Set {
	s := object.Set{object.Str(0x00081150, "UI", r.Class), object.Str(0x00081155, "UI", r.SOPUID)}
	if len(r.Frames) > 0 {
		var list []string
		for _, f := range r.Frames {
			list = append(list, object.IS(f))
		}
		s = append(s, object.Str(0x00081160, "IS", list...))
	}
	return s
}

func sops(refs []Ref) []object.Set {
	var out []object.Set
	for _, r := range refs {
		out = append(out, sop(r))
	}
	return out
}

// bySeries groups references by their series, in order.
func bySeries(refs []Ref) (uids []string, of map[string][]Ref) {
	of = map[string][]Ref{}
	for _, r := range refs {
		if of[r.SeriesUID] == nil {
			uids = append(uids, r.SeriesUID)
		}
		of[r.SeriesUID] = append(of[r.SeriesUID], r)
	}
	return uids, of
}

// line is a text for one line of a VR that has no line ends, and where a backslash
// would part values.
func line(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/'
		case r < ' ' || r == 0x7f:
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(clip(strings.TrimSpace(s), n))
}

// person is a PN: a plain name is taken as the family name's group whole.
func person(s string) string { return line(s, 64) }
