// Package media writes the directory of a medium, DICOMDIR (PS3.3 annex F, PS3.10 §8): a patient's
// studies on a disc or a stick, as viewers everywhere open them.
//
//	DICOMDIR
//	IMAGES/ST000001/SE000001/IM000001      one file an instance, byte for byte as it came
//
// A record says of its file what a list needs, copied from it. Numbers that a file lacks are
// counted; dates and identifiers never are made up: they stay empty, and [Directory] says so.
package media

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
)

// DirectoryName is the file's name on the medium.
const DirectoryName = "DICOMDIR"

// FilesMax bounds a medium: file ids count in six digits, and a directory stays below what is read
// whole.
const FilesMax = 50_000

var (
	// ErrMany means more instances than a medium holds.
	ErrMany = errors.New("more instances than one medium holds")
	// ErrPatients means studies of several patients: a medium that somebody carries is of one.
	ErrPatients = errors.New("the studies are of more than one patient")
)

// Entry is one instance for a medium.
type Entry struct {
	In *study.Instance
	// Set is the data set of what is no image; nil for images.
	Set object.Set

	id []string
}

// FileID are the parts of the entry's path on the medium, once [Arrange] gave it one.
func (e *Entry) FileID() []string { return e.id }

// Arrange sorts entries by study, series and number, and gives each its path: components of up to
// eight capitals and digits (PS3.10 §8.2).
func Arrange(entries []Entry) error {
	if len(entries) > FilesMax {
		return ErrMany
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		x, y := a.In, b.In
		return cmp.Or(
			cmp.Compare(x.StudyDate+x.StudyTime, y.StudyDate+y.StudyTime), cmp.Compare(x.StudyUID, y.StudyUID),
			cmp.Compare(number(x.SeriesNumber), number(y.SeriesNumber)), cmp.Compare(x.SeriesUID, y.SeriesUID),
			cmp.Compare(number(x.Number), number(y.Number)), cmp.Compare(x.SOPUID, y.SOPUID))
	})
	st, se, im := 0, 0, 0
	for i := range entries {
		e := &entries[i]
		switch {
		case i == 0 || entries[i-1].In.StudyUID != e.In.StudyUID:
			st, se, im = st+1, 1, 1
		case entries[i-1].In.SeriesUID != e.In.SeriesUID:
			se, im = se+1, 1
		default:
			im++
		}
		if i > 0 && (e.In.Patient.ID != entries[0].In.Patient.ID || e.In.Patient.Issuer != entries[0].In.Patient.Issuer || e.In.Patient.Name != entries[0].In.Patient.Name) {
			return ErrPatients
		}
		e.id = []string{"IMAGES", fmt.Sprintf("ST%06d", st), fmt.Sprintf("SE%06d", se), fmt.Sprintf("IM%06d", im)}
	}
	return nil
}

func number(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// Directory writes the directory of arranged entries. uid names the file-set. Findings say what a
// record should say and its file does not, without values.
func Directory(entries []Entry, uid string) (file []byte, findings []string, err error) {
	b := &builder{}
	for i := range entries {
		b.add(entries, i)
	}
	set := func() object.Set {
		items := make([]object.Set, len(b.records))
		for i := range b.records {
			items[i] = b.records[i].set
		}
		return object.Set{
			object.Str(0x00041130, "CS", "CURBSIDE"),
			object.UL(0x00041200, int(b.first)), object.UL(0x00041202, int(b.first)),
			object.US(0x00041212, 0),
			object.Seq(0x00041220, items...),
		}
	}
	if file, err = object.WriteDirectory(set(), uid); err != nil {
		return nil, nil, err
	}
	// Offsets are of fixed length: where the records stand does not depend on them.
	if err := b.place(file); err != nil {
		return nil, nil, err
	}
	file, err = object.WriteDirectory(set(), uid)
	return file, b.findings, err
}

// record is one item of the directory.
type record struct {
	set         object.Set
	next, lower int // records, -1: none
	start       uint32
}

type builder struct {
	records                []record
	first                  uint32
	patient, study, series int // the last record of each level
	leaf                   int
	findings               []string
}

// add puts the records of an entry in: of its file, and of a series, a study and the patient where
// these begin.
func (b *builder) add(entries []Entry, i int) {
	e := &entries[i]
	var before *study.Instance
	if i > 0 {
		before = entries[i-1].In
	} else {
		b.patient = b.put("PATIENT", -1, -1, b.patientKeys(e.In))
	}
	newStudy := before == nil || before.StudyUID != e.In.StudyUID
	newSeries := newStudy || before.SeriesUID != e.In.SeriesUID
	if newStudy {
		b.study = b.put("STUDY", b.patient, b.previous(before == nil, b.study), b.studyKeys(e.In))
	}
	if newSeries {
		b.series = b.put("SERIES", b.study, b.previous(newStudy, b.series), b.seriesKeys(e))
	}
	kind, keys := b.leafKeys(e)
	keys = append(keys,
		object.Str(0x00041500, "CS", e.id...), object.Str(0x00041510, "UI", e.In.SOPClass),
		object.Str(0x00041511, "UI", e.In.SOPUID), object.Str(0x00041512, "UI", e.In.TransferSyntax))
	b.leaf = b.put(kind, b.series, b.previous(newSeries, b.leaf), keys)
}

// previous is the sibling before, none where a level begins.
func (b *builder) previous(begins bool, last int) int {
	if begins {
		return -1
	}
	return last
}

// put appends a record and hangs it on its parent, or behind its sibling.
func (b *builder) put(kind string, parent, sibling int, keys object.Set) int {
	at := len(b.records)
	s := object.Set{
		object.UL(0x00041400, 0), object.US(0x00041410, 0xFFFF), object.UL(0x00041420, 0), object.Str(0x00041430, "CS", kind),
		object.Str(0x00080005, "CS", "ISO_IR 192"),
	}
	b.records = append(b.records, record{set: append(s, keys...), next: -1, lower: -1})
	switch {
	case sibling >= 0:
		b.records[sibling].next = at
	case parent >= 0:
		b.records[parent].lower = at
	}
	return at
}

// place finds where the records stand, and links them.
func (b *builder) place(file []byte) error {
	o, err := study.Guard(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return fmt.Errorf("read the directory back: %w", err)
	}
	n := 0
	for _, e := range o.Elements {
		if e.Tag == 0xFFFEE000 && e.Depth == 0 {
			if n < len(b.records) {
				b.records[n].start = uint32(e.Start)
			}
			n++
		}
	}
	if n != len(b.records) {
		return fmt.Errorf("the directory has %d records, not %d: %w", n, len(b.records), object.ErrWrite)
	}
	if n > 0 {
		b.first = b.records[0].start
	}
	for i := range b.records {
		r := &b.records[i]
		if r.next >= 0 {
			binary.LittleEndian.PutUint32(r.set.Find(0x00041400).Value, b.records[r.next].start)
		}
		if r.lower >= 0 {
			binary.LittleEndian.PutUint32(r.set.Find(0x00041420).Value, b.records[r.lower].start)
		}
	}
	return nil
}

func (b *builder) missing(what string) {
	if !slices.Contains(b.findings, what) {
		b.findings = append(b.findings, what)
	}
}

func (b *builder) patientKeys(in *study.Instance) object.Set {
	if in.Patient.ID == "" {
		b.missing("patient id")
	}
	return object.Set{object.Str(0x00100010, "PN", text.Line(in.Patient.Name)), object.Str(0x00100020, "LO", text.Line(in.Patient.ID))}
}

func (b *builder) studyKeys(in *study.Instance) object.Set {
	date, clock, id := object.Date(in.StudyDate), object.Clock(in.StudyTime), text.Line(in.StudyID)
	if date == "" || clock == "" {
		b.missing("study date or time")
	}
	if id == "" {
		id = "1" // type 1 there, and a number that counts (PS3.3 F.5.2)
	}
	return object.Set{
		object.Str(0x00080020, "DA", date), object.Str(0x00080030, "TM", clock), object.Str(0x00081030, "LO", object.Line(text.Line(in.StudyDescription), 64)),
		object.Str(0x0020000D, "UI", in.StudyUID), object.Str(0x00200010, "SH", id), object.Str(0x00080050, "SH", text.Line(in.Accession)),
	}
}

func (b *builder) seriesKeys(e *Entry) object.Set {
	modality := strings.ToUpper(e.In.Modality)
	if modality == "" {
		modality = "OT"
		b.missing("modality")
	}
	return object.Set{
		object.Str(0x00080060, "CS", modality), object.Str(0x0020000E, "UI", e.In.SeriesUID),
		object.Str(0x00200011, "IS", object.IS(int(number(e.In.SeriesNumber)))),
	}
}

// key is an attribute that a record copies from its file.
type key struct {
	tag study.Tag
	vr  string
}

// kinds are the records of what is no image (PS3.3 F.5), by class, with what they copy.
var kinds = map[string]struct {
	name string
	keys []key
}{
	"document":     {"SR DOCUMENT", []key{{0x0040A491, "CS"}, {0x0040A493, "CS"}, {0x00080023, "DA"}, {0x00080033, "TM"}, {0x0040A043, "SQ"}, {0x0040A730, "mod"}}},
	"keys":         {"KEY OBJECT DOC", []key{{0x00080023, "DA"}, {0x00080033, "TM"}, {0x0040A043, "SQ"}, {0x0040A730, "mod"}}},
	"presentation": {"PRESENTATION", []key{{0x00700080, "CS"}, {0x00700081, "LO"}, {0x00700082, "DA"}, {0x00700083, "TM"}, {0x00700084, "PN"}, {0x00081115, "SQ"}}},
	"pdf":          {"ENCAP DOC", []key{{0x00080023, "DA"}, {0x00080033, "TM"}, {0x00420010, "ST"}, {0x0040A043, "SQ"}, {0x00420012, "LO"}}},
	"waveform":     {"WAVEFORM", []key{{0x00080023, "DA"}, {0x00080033, "TM"}}},
	"structures":   {"RT STRUCTURE SET", []key{{0x30060002, "SH"}, {0x30060008, "DA"}, {0x30060009, "TM"}}},
	"plan":         {"RT PLAN", []key{{0x300A0002, "SH"}, {0x300A0006, "DA"}, {0x300A0007, "TM"}}},
	"raw":          {"RAW DATA", []key{{0x00080023, "DA"}, {0x00080033, "TM"}}},
}

const storage = "1.2.840.10008.5.1.4.1.1."

// kindOf is the kind of a class that is no image.
func kindOf(class string) string {
	c := strings.TrimPrefix(class, storage)
	switch {
	case c == "88.59":
		return "keys"
	case strings.HasPrefix(c, "88."):
		return "document"
	case c == "11" || strings.HasPrefix(c, "11."):
		return "presentation"
	case strings.HasPrefix(c, "104."):
		return "pdf"
	case strings.HasPrefix(c, "9."):
		return "waveform"
	case c == "481.3":
		return "structures"
	case c == "481.5", c == "481.8":
		return "plan"
	}
	return "raw"
}

// leafKeys are those of a file's own record.
func (b *builder) leafKeys(e *Entry) (string, object.Set) {
	n := number(e.In.Number)
	if e.In.Number == nil {
		n = int64(len(b.records)) // counted: it only orders
	}
	s := object.Set{object.Str(0x00200013, "IS", object.IS(int(n)))}
	if e.Set == nil {
		return "IMAGE", s
	}
	k := kinds[kindOf(e.In.SOPClass)]
	for _, key := range k.keys {
		s = append(s, copied(e.Set, key)...)
	}
	return k.name, s
}

// copied is an attribute as a record has it: an empty one where the file lacks it.
func copied(from object.Set, k key) object.Set {
	switch x := from.Find(k.tag); {
	case k.vr == "mod": // of the title alone
		mods := slices.DeleteFunc(slices.Clone(from.Items(k.tag)), func(s object.Set) bool { return s.Text(0x0040A010) != "HAS CONCEPT MOD" })
		if len(mods) == 0 {
			return nil
		}
		return object.Set{object.Seq(k.tag, mods...)}
	case x == nil && k.vr == "SQ":
		return object.Set{object.Seq(k.tag)}
	case x == nil:
		return object.Set{object.Str(k.tag, k.vr)}
	case k.vr == "SQ":
		return object.Set{object.Seq(k.tag, x.Items...)}
	default:
		return object.Set{object.Str(k.tag, k.vr, object.Line(text.Line(from.Text(k.tag)), 64))}
	}
}
