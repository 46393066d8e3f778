package object

import (
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
)

// Classes of documents that are written here.
const (
	ClassEnhancedSR      = "1.2.840.10008.5.1.4.1.1.88.22"
	ClassComprehensive3D = "1.2.840.10008.5.1.4.1.1.88.34"
)

// Report is what documents say beside their content (PS3.3 C.17.2).
type Report struct {
	Made
	// Of is patient and study of the images that it is about.
	Of *study.Instance
	// Author wrote it; Organization is theirs, and Verified who vouches for the signature.
	Author       string
	Organization string
	Verified     *Verified
	Preliminary  bool
	// Evidence are the instances of its study that it rests on, Other those of others.
	Evidence []Ref
	Other    []StudyRefs
	// Predecessors are documents that this one corrects.
	Predecessors []StudyRefs
	Description  string // of the series
	Language     string // RFC 5646
}

// Verified says when an author's signature was made, once it was checked.
type Verified struct {
	Name, Organization string
	DateTime           string // DT
}

// StudyRefs are instances of one study.
type StudyRefs struct {
	StudyUID string
	Refs     []Ref
}

// DCM is a code of the DICOM controlled terminology.
func DCM(value, meaning string) Set { return Code(value, "DCM", meaning) }

// Head is all of a document but its root container, which comes last: title, template and
// content.
func (r *Report) Head(class, template string, title Set, content []Set) Set {
	s := Modules(r.Of, r.Made, class, "SR")
	if r.Description != "" {
		s = append(s, Str(0x0008103E, "LO", Line(r.Description, 64)))
	}
	flag := "FINAL"
	if r.Preliminary {
		flag = "PRELIMINARY"
	}
	s = append(s,
		Seq(0x00081111),
		Str(0x00080023, "DA", r.Date),
		Str(0x00080033, "TM", r.Time),
		Str(0x0040A491, "CS", "COMPLETE"),
		Str(0x0040A496, "CS", flag),
		Seq(0x0040A372),
		Seq(0x0040A370, r.request()),
		Str(0x0040A040, "CS", "CONTAINER"),
		Seq(0x0040A043, title),
		Str(0x0040A050, "CS", "SEPARATE"),
		Seq(0x0040A504, Set{Str(0x00080105, "CS", "DCMR"), Str(0x0040DB00, "CS", template)}),
		Seq(0x0040A730, append(r.context(), content...)...),
	)
	if r.Verified == nil {
		s = append(s, Str(0x0040A493, "CS", "UNVERIFIED"))
	} else {
		s = append(s, Str(0x0040A493, "CS", "VERIFIED"), Seq(0x0040A073, Set{
			Str(0x0040A027, "LO", Line(r.Verified.Organization, 64)),
			Str(0x0040A030, "DT", r.Verified.DateTime),
			Str(0x0040A075, "PN", Name(r.Verified.Name)),
			Seq(0x0040A088),
		}))
	}
	if len(r.Evidence) > 0 {
		s = append(s, Seq(0x0040A375, Evidence(r.Of.StudyUID, r.Evidence)))
	}
	s = append(s, studies(0x0040A385, r.Other)...)
	return append(s, studies(0x0040A360, r.Predecessors)...)
}

// studies is a sequence of instances by study, none where there are none.
func studies(t study.Tag, list []StudyRefs) Set {
	var items []Set
	for _, x := range list {
		items = append(items, Evidence(x.StudyUID, x.Refs))
	}
	if len(items) == 0 {
		return nil
	}
	return Set{Seq(t, items...)}
}

// request names the order that the document answers (PS3.3 table C.17-2, Referenced Request
// Sequence).
func (r *Report) request() Set {
	return Set{
		Str(0x0020000D, "UI", r.Of.StudyUID),
		Seq(0x00081110),
		Str(0x00080050, "SH", text.Line(r.Of.Accession)),
		Str(0x00402016, "LO", ""),
		Str(0x00402017, "LO", ""),
		Str(0x00401001, "SH", ""),
		Str(0x00321060, "LO", ""),
		Seq(0x00321064),
	}
}

// languages that have a name here; others are named by their code.
var languages = map[string]string{"en": "English", "es": "Spanish", "fr": "French", "de": "German", "pt": "Portuguese", "it": "Italian"}

// context is the language of a document (PS3.16 TID 1204) and who observed (TID 1001, 1002, 1003).
func (r *Report) context() []Set {
	lang := r.Language
	if lang == "" {
		lang = "en"
	}
	meaning := languages[lang]
	if meaning == "" {
		meaning = lang
	}
	out := []Set{
		Item("HAS CONCEPT MOD", "CODE", DCM("121049", "Language of Content Item and Descendants"), Seq(0x0040A168, Code(lang, "RFC5646", meaning))),
		Item("HAS OBS CONTEXT", "CODE", DCM("121005", "Observer Type"), Seq(0x0040A168, DCM("121006", "Person"))),
		Item("HAS OBS CONTEXT", "PNAME", DCM("121008", "Person Observer Name"), Str(0x0040A123, "PN", Name(r.Author))),
	}
	if r.Organization != "" {
		out = append(out, Item("HAS OBS CONTEXT", "TEXT", DCM("121009", "Person Observer's Organization Name"), UT(r.Organization)))
	}
	return out
}

// UT is the text of a content item, its lines ended as DICOM ends them (PS3.5 §6.1.3).
func UT(s string) Element {
	return Str(0x0040A160, "UT", strings.ReplaceAll(strings.TrimRight(text.Clean(s), "\n"), "\n", "\r\n"))
}

// Name is a name as PN: one that somebody goes by is the family name's group whole.
func Name(s string) string { return Line(strings.ReplaceAll(text.Line(s), "^", " "), 64) }

// Container is a section of a document.
func Container(name Set, content ...Set) Set {
	return Item("CONTAINS", "CONTAINER", name, Str(0x0040A050, "CS", "SEPARATE"), Seq(0x0040A730, content...))
}
