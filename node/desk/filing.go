package desk

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// What a case becomes for an archive: reports, measurements, presentation states, key images, a
// printed report. Each has a slot, which is what it is about. While what stands in a slot is the
// same, it is the same object, byte for byte, under the names that it got first; once it is
// another, it gets new names, and a document names the one before as its predecessor.

// tableFiled keeps these names in the vault: ThreadID -> filedRow.
const tableFiled = "filed"

// filedMax bounds what is read back of a case's row.
const filedMax = 100_000

type filedRow struct {
	Format  uint64        `cbor:"1,keyasint"` // 1
	Objects []filedObject `cbor:"2,keyasint"` // oldest first
	Sent    []filedSent   `cbor:"3,keyasint,omitempty"`
}

// filedObject is one object as it was named.
type filedObject struct {
	Slot      string   `cbor:"1,keyasint"`
	Digest    [32]byte `cbor:"2,keyasint"` // of the object without its names
	Class     string   `cbor:"3,keyasint"`
	SOPUID    string   `cbor:"4,keyasint"`
	SeriesUID string   `cbor:"5,keyasint"`
	Series    string   `cbor:"6,keyasint"` // what shares a series
	Number    uint64   `cbor:"7,keyasint"` // of the series
	Instance  uint64   `cbor:"8,keyasint"`
	StudyUID  string   `cbor:"9,keyasint"`
}

// filedSent is what a destination was sent.
type filedSent struct {
	To        string   `cbor:"1,keyasint"`
	Stored    []string `cbor:"2,keyasint"` // by SOP Instance UID
	Committed []string `cbor:"3,keyasint,omitempty"`
}

// filing gathers the objects of a case.
type filing struct {
	language string
	book     filedRow
	files    []filedFile
	warnings []string
	zone     *time.Location // of the study's times; nil: not said, the clocks are the node's
	// known reports whether an instance is one that the archive may know; nil where it need not.
	known func(uid string) bool
}

// filedFile is an object ready to leave.
type filedFile struct {
	filedObject
	what string
	b    []byte
}

// slotted is an object in the making.
type slotted struct {
	slot, what, class string
	study             string
	series            string // key of its series
	number            int    // of its series, if that is the first of its kind
	creator           string
	timeMS            int64
	document          bool // names its predecessor
	build             func(m object.Made, before []object.StudyRefs) ([]byte, error)
}

// Placeholders stand for names while an object is compared with what was named before.
const (
	noSOP    = "2.25.1"
	noSeries = "2.25.2"
)

// add makes an object, under the names that it had if it is the same.
func (f *filing) add(s slotted) error {
	m := f.made(s)
	m.SOPUID, m.SeriesUID, m.SeriesNumber, m.InstanceNumber = noSOP, noSeries, 1, 1
	bare, err := s.build(m, nil)
	if err != nil {
		return f.failed(s, err)
	}
	digest := sha256.Sum256(bare)
	named, before := f.book.named(s, digest)
	m.SOPUID, m.SeriesUID, m.SeriesNumber, m.InstanceNumber = named.SOPUID, named.SeriesUID, int(named.Number), int(named.Instance)
	var old []object.StudyRefs
	if before != nil && s.document {
		old = []object.StudyRefs{{StudyUID: before.StudyUID, Refs: []object.Ref{{SeriesUID: before.SeriesUID, Class: before.Class, SOPUID: before.SOPUID}}}}
	}
	b, err := s.build(m, old)
	if err == nil {
		var in *study.Instance // what leaves must be read
		if in, err = study.Parse(b); err == nil && (in.SOPUID != named.SOPUID || in.StudyUID != s.study) {
			err = errors.New("it came out as another instance")
		}
	}
	if err == nil {
		err = f.references(b)
	}
	if err != nil {
		return f.failed(s, err)
	}
	f.files = append(f.files, filedFile{filedObject: *named, what: s.what, b: b})
	return nil
}

func (f *filing) failed(s slotted, err error) error {
	return control.Errorf(control.Refused, "the %s cannot be written as DICOM: %v", s.what, err)
}

// named finds the names of what stands in a slot, or gives it new ones; before is what stood there
// then.
func (row *filedRow) named(s slotted, digest [32]byte) (named, before *filedObject) {
	for i := range row.Objects {
		o := &row.Objects[i]
		if o.Slot != s.slot {
			continue
		}
		if o.Digest == digest {
			return o, before
		}
		before = o
	}
	o := filedObject{Slot: s.slot, Digest: digest, Class: s.class, SOPUID: newUID(), Series: s.series, StudyUID: s.study, Number: uint64(s.number), Instance: 1}
	for _, x := range row.Objects {
		switch {
		case x.Series == s.series:
			o.SeriesUID, o.Number, o.Instance = x.SeriesUID, x.Number, max(o.Instance, x.Instance+1)
		case o.SeriesUID == "" && x.Number >= o.Number && x.Number < uint64(s.number)+100:
			o.Number = x.Number + 1
		}
	}
	if o.SeriesUID == "" {
		o.SeriesUID = newUID()
	}
	row.Objects = append(row.Objects, o)
	if before != nil {
		b := *before // the list has moved
		before = &b
	}
	return &row.Objects[len(row.Objects)-1], before
}

// made says when and by whom. Dates and times of an object are all in one zone, its study's.
func (f *filing) made(s slotted) object.Made {
	at := instant(s.timeMS)
	m := object.Made{Creator: strings.ReplaceAll(text.Line(s.creator), "^", " ")}
	if f.zone != nil {
		at = at.In(f.zone)
		m.Timezone = at.Format("-0700")
	} else {
		at = at.In(time.Local)
	}
	m.Date, m.Time = at.Format("20060102"), at.Format("150405")
	return m
}

// zoneOf reads Timezone Offset From UTC (PS3.3 C.12.1.1): &ZZXX.
func zoneOf(s string) *time.Location {
	at, err := time.Parse("-0700", s)
	if err != nil {
		return nil
	}
	_, offset := at.Zone()
	return time.FixedZone("", offset)
}

// marks adds what one author drew, measured and chose.
func (f *filing) marks(of []exportMark) error {
	newest := map[string]int64{} // by study
	image := map[string]*study.Instance{}
	var drawn, chosen []annot.Marked
	measured := map[string][]annot.Tracked{} // by study
	var studies []string
	for _, m := range of {
		uid := m.Image.StudyUID
		newest[uid] = max(newest[uid], m.timeMS)
		image[m.Image.SOPUID] = m.Image
		if m.key {
			chosen = append(chosen, m.Marked)
			continue
		}
		drawn = append(drawn, m.Marked)
		if m.Measures() {
			if measured[uid] == nil {
				studies = append(studies, uid)
			}
			measured[uid] = append(measured[uid], annot.Tracked{Marked: m.Marked, UID: trackingUID(m.entry)})
		}
	}
	who, name := of[0].author.String(), of[0].Author
	for i, p := range annot.Compose(drawn, nil) {
		err := f.add(slotted{
			slot: "state/" + who + "/" + p.Images[0].SeriesUID + "/" + strconv.Itoa(i), what: "presentation state", class: p.Class, study: p.StudyUID,
			series: "PR" + who + p.StudyUID, number: stateSeries, creator: name, timeMS: newest[p.StudyUID],
			build: func(m object.Made, _ []object.StudyRefs) ([]byte, error) {
				p.Made, p.Description = m, "Marks of a second opinion"
				return annot.WritePresentation(p, image[p.Images[0].SOPUID])
			},
		})
		if err != nil {
			return err
		}
	}
	for _, uid := range studies {
		if err := f.measured(who, name, newest[uid], measured[uid]); err != nil {
			return err
		}
	}
	for _, k := range annot.Keys(chosen) {
		err := f.add(slotted{
			slot: "keys/" + who + "/" + k.StudyUID, what: "key images", class: annot.ClassKeyObjects, study: k.StudyUID,
			series: "KO" + who + k.StudyUID, number: keySeries, creator: name, timeMS: newest[k.StudyUID],
			build: func(m object.Made, _ []object.StudyRefs) ([]byte, error) {
				k.Made, k.Title = m, annot.Titles()[0]
				return annot.WriteKeyObjects(k, image[k.Images[0].SOPUID])
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trackingUID names a mark in documents. Its entry's id is a hash with a random salt, so it is as
// random as a name should be, and it stays the same across edits.
func trackingUID(e ledger.EntryID) string { return object.UID([16]byte(e[:16])) }

func (f *filing) measured(who, name string, timeMS int64, marks []annot.Tracked) error {
	of := marks[0].Image
	return f.add(slotted{
		slot: "measure/" + who + "/" + of.StudyUID, what: "measurements", class: object.ClassComprehensive3D, study: of.StudyUID,
		series: "SM" + who + of.StudyUID, number: measureSeries, creator: name, timeMS: timeMS, document: true,
		build: func(m object.Made, before []object.StudyRefs) ([]byte, error) {
			return annot.WriteMeasurements(&object.Report{
				Made: m, Of: of, Author: name, Description: "Measurements of a second opinion", Language: "en", Predecessors: before,
			}, marks)
		},
	})
}

// signedOf is a report to be filed.
type signedOf struct {
	report.Signed
	root    ledger.EntryID // the first of those that it replaces
	checked bool           // its signature was
	timeMS  int64          // of its newest addendum, or its own
	key     []object.Ref   // what its author chose and marked until then
}

// report adds a signed report.
func (f *filing) report(of *study.Instance, r *signedOf, request *report.Request) error {
	d := r.Document
	head := object.Report{
		Of: of, Author: text.Line(d.Name), Organization: text.Line(d.Credentials), Preliminary: d.Status == report.Preliminary,
		Evidence: r.key, Description: "Second opinion", Language: f.language,
	}
	if r.checked {
		head.Verified = &object.Verified{
			Name: text.Line(d.Name), Organization: "curbside " + d.Author.String()[:idShown], DateTime: instant(d.SignedMS).Format("20060102150405-0700"),
		}
	}
	return f.add(slotted{
		slot: "report/" + r.root.String(), what: "report", class: object.ClassEnhancedSR, study: of.StudyUID,
		series: "SR" + of.StudyUID, number: reportSeries, creator: d.Name, timeMS: r.timeMS, document: true,
		build: func(m object.Made, before []object.StudyRefs) ([]byte, error) {
			h := head
			h.Made, h.Predecessors = m, before
			return report.Structured(&h, &r.Signed, request, r.key)
		},
	})
}

// idShown are the digits of an id that people compare.
const idShown = 16

// printed adds the case as a paper.
func (f *filing) printed(of *study.Instance, dossier *report.Dossier, sources []object.Ref) error {
	pdf, err := report.PDF(dossier)
	if err != nil {
		return internal("print case", err)
	}
	return f.add(slotted{
		slot: "printed", what: "document", class: object.ClassPDF, study: of.StudyUID,
		series: "DOC" + of.StudyUID, number: printedSeries, timeMS: dossier.AtMS,
		build: func(m object.Made, _ []object.StudyRefs) ([]byte, error) {
			return report.Encapsulated(&object.Report{Made: m, Of: of, Description: "Second opinion"}, pdf, sources)
		},
	})
}

// filedOf reads the names that a case has got.
func (p *person) filedOf(id ledger.ThreadID) (filedRow, error) {
	row := filedRow{Format: 1}
	value, ok := p.vault.Get(tableFiled, string(id[:]))
	if !ok {
		return row, nil
	}
	if err := wire.UnmarshalLimit(value, &row, filedMax); err != nil {
		return row, fmt.Errorf("read filed row: %w", err)
	}
	return row, nil
}

// keepFiled keeps them. The lock is held.
func (p *person) keepFiled(id ledger.ThreadID, row *filedRow) error {
	if err := p.vault.Put(tableFiled, string(id[:]), wire.MustMarshal(*row)); err != nil {
		return internal("keep the names of objects", err)
	}
	return nil
}

// sentTo is what a destination was sent, made if there is nothing yet.
func (row *filedRow) sentTo(to string) *filedSent {
	i := slices.IndexFunc(row.Sent, func(s filedSent) bool { return s.To == to })
	if i < 0 {
		row.Sent = append(row.Sent, filedSent{To: to})
		i = len(row.Sent) - 1
	}
	return &row.Sent[i]
}

// prepareFiling makes all objects of a case and keeps their names. Where whole is wanted, what cannot
// be said in full is an error.
func (d *Desk) prepareFiling(ctx context.Context, said, language string, whole bool) (*filing, *gathered, error) {
	g, err := hold(d, func() (*gathered, error) { return d.gather(ctx, said, whole) })
	if err != nil {
		return nil, nil, err
	}
	f := &filing{language: language, book: g.book}
	if whole {
		f.known = func(uid string) bool { return d.holds(g.p, uid) }
	}
	marks, warnings, err := d.exportMarks(ctx, said, whole)
	if err != nil {
		return nil, nil, err
	}
	f.warnings = append(f.warnings, warnings...)
	if marks, err = d.describeImages(ctx, marks, &f.warnings); err != nil {
		return nil, nil, err
	}
	if err := d.fileAll(ctx, f, g, marks); err != nil {
		return nil, nil, err
	}
	if len(f.files) == 0 {
		return nil, nil, control.Errorf(control.Refused, "there is no signed report in this case, and no mark whose image is here").
			WithHint("see what there is: curbside case show CASE")
	}
	if _, err := hold(d, func() (control.None, error) { return control.None{}, g.p.keepFiled(g.id, &f.book) }); err != nil {
		return nil, nil, err
	}
	return f, g, nil
}

// fileAll makes every object of a case.
func (d *Desk) fileAll(ctx context.Context, f *filing, g *gathered, marks []exportMark) error {
	var of *study.Instance
	if g.at != nil {
		var err error
		if of, err = d.describe(ctx, &g.at.row); err != nil {
			return control.Errorf(control.Refused, "the study cannot be read: %v", err)
		}
	} else if len(marks) > 0 {
		of = marks[0].Image
	}
	if of != nil {
		f.zone = zoneOf(of.Timezone)
	}
	if len(g.reports) > 0 && of == nil {
		f.warnings = append(f.warnings, "the report is left out: no image of its study is here to say whose it is")
	}
	for i := range g.reports {
		if r := &g.reports[i]; of != nil {
			r.key = keyRefs(marks, r, of.StudyUID)
			if err := f.report(of, r, g.dossier.Request); err != nil {
				return err
			}
		}
	}
	for _, by := range byAuthor(marks) {
		if err := f.marks(by); err != nil {
			return err
		}
	}
	if of == nil || len(g.reports) == 0 {
		return nil
	}
	warnings, err := d.pictures(ctx, g.dossier)
	if err != nil {
		return err
	}
	f.warnings = append(f.warnings, warnings...)
	return f.printed(of, g.dossier, pictureRefs(g.dossier, marks))
}

// keyRefs are the images of the report's study that its author chose or marked before signing.
func keyRefs(marks []exportMark, r *signedOf, studyUID string) []object.Ref {
	var of []annot.Marked
	for _, m := range marks {
		if m.author == r.Document.Author && m.Image.StudyUID == studyUID && m.timeMS <= r.timeMS {
			of = append(of, m.Marked)
		}
	}
	if len(of) == 0 {
		return nil
	}
	return annot.Keys(of)[0].Images
}

// pictureRefs are the images whose pixels are printed.
func pictureRefs(dossier *report.Dossier, marks []exportMark) []object.Ref {
	var out []object.Ref
	for _, pic := range dossier.Images {
		i := slices.IndexFunc(marks, func(m exportMark) bool { return m.Image.SOPUID == pic.SOPUID })
		if i < 0 || slices.ContainsFunc(out, func(r object.Ref) bool { return r.SOPUID == pic.SOPUID }) {
			continue
		}
		out = append(out, object.Ref{SeriesUID: marks[i].Image.SeriesUID, Class: marks[i].Image.SOPClass, SOPUID: pic.SOPUID})
	}
	return out
}
