package annot

import (
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
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
		object.Str(0x00080020, "DA", in.StudyDate),
		object.Str(0x00080030, "TM", in.StudyTime),
		object.Str(0x00080050, "SH", in.Accession),
		object.Str(0x00080060, "CS", modality),
		object.Str(0x00080070, "LO", manufacturer),
		object.Str(0x00081090, "LO", manufacturer),
		object.Str(0x00080090, "PN", in.Referrer),
		object.Str(0x0020000D, "UI", in.StudyUID),
		object.Str(0x0020000E, "UI", m.SeriesUID),
		object.Str(0x00200010, "SH", in.StudyID),
		object.Str(0x00200011, "IS", object.IS(m.SeriesNumber)),
		object.Str(0x00200013, "IS", object.IS(m.InstanceNumber)),
	)
	if in.StudyDescription != "" {
		s = append(s, object.Str(0x00081030, "LO", in.StudyDescription))
	}
	if m.Timezone != "" {
		s = append(s, object.Str(0x00080201, "SH", m.Timezone))
	}
	return s
}

// patient is who the images are of. Empty type 2 attributes are present.
func patient(p *study.Patient) object.Set {
	s := object.Set{
		object.Str(0x00100010, "PN", p.Name),
		object.Str(0x00100020, "LO", p.ID),
		object.Str(0x00100030, "DA", p.BirthDate),
		object.Str(0x00100040, "CS", p.Sex),
	}
	if p.Issuer != "" {
		s = append(s, object.Str(0x00100021, "LO", p.Issuer))
	}
	if p.Species == "" {
		return s
	}
	// PS3.3 C.7.1.1: of an animal.
	s = append(s,
		object.Str(0x00102201, "LO", p.Species),
		object.Str(0x00102203, "CS", ""),
		object.Str(0x00102292, "LO", p.Breed),
		object.Seq(0x00102293),
		object.Seq(0x00102294),
		object.Str(0x00102297, "PN", p.Responsible),
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
