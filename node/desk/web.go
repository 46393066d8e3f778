package desk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/dicomweb"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

// Shelf is what a key of the web listener opens: the studies of one person, all of them or some. It
// decrypts what is asked for as it is asked for, and records that a person's key looked.
//
// It is the reading half of a dicomweb.Source; what is sent in goes through Take.
type Shelf struct {
	d      *Desk
	person identity.PersonID
	only   map[holdingKey]bool // nil for all
	own    bool                // none that was received in a case
}

// Shelf opens all studies of the person who gets what the hospital sends.
func (d *Desk) Shelf(ctx context.Context) (*Shelf, error) {
	p, err := hold(d, func() (*person, error) { return d.receiving(ctx) })
	if err != nil {
		return nil, err
	}
	return &Shelf{d: d, person: p.id}, nil
}

// OwnShelf is Shelf without what was received in cases: a PACS that asks must not get the patients
// of others among its own.
func (d *Desk) OwnShelf(ctx context.Context) (*Shelf, error) {
	s, err := d.Shelf(ctx)
	if err == nil {
		s.own = true
	}
	return s, err
}

// shelved is a study as it was when a request asked: manifests are replaced, never changed.
type shelved struct {
	h   *holding
	m   *study.Manifest
	own bool
}

// open gives the person, who must not be locked, and the studies of this UID; all for none.
func (s *Shelf) open(ctx context.Context, uid string) (*person, []shelved, error) {
	d := s.d
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(control.WithAs(ctx, s.person.String()))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", dicomweb.ErrRefused, err)
	}
	var out []shelved
	for key, h := range d.studies.held {
		if s.only != nil && !s.only[key] || s.own && h.row == nil || !d.visible(p, h) || uid != "" && h.manifest.Study.UID != uid || d.quarantined(h) != nil {
			continue
		}
		out = append(out, shelved{h, h.manifest, h.row != nil})
	}
	slices.SortFunc(out, func(a, b shelved) int {
		return strings.Compare(b.m.Study.Date+"\x00"+b.h.id(), a.m.Study.Date+"\x00"+a.h.id())
	})
	return p, out, nil
}

// one finds the study that a path is in. Who has it and was sent it as well is given their own; two
// patients' studies under one UID are never shown as one, though their series and instances are.
func (s *Shelf) one(ctx context.Context, in dicomweb.Path) (*person, shelved, error) {
	p, found, err := s.open(ctx, in.Study)
	if err != nil {
		return nil, shelved{}, err
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, func(x shelved) bool { return !x.has(in) })
	}
	if len(found) > 1 {
		own := slices.DeleteFunc(slices.Clone(found), func(x shelved) bool { return !x.own })
		if len(own) == 1 {
			found = own
		}
	}
	switch len(found) {
	case 0:
		return nil, shelved{}, dicomweb.ErrAbsent
	case 1:
		return p, found[0], nil
	}
	return nil, shelved{}, fmt.Errorf("%w: several studies have this UID", dicomweb.ErrRefused)
}

// has reports whether a series and an instance are of the study.
func (x shelved) has(in dicomweb.Path) bool {
	return in.Series == "" && in.Instance == "" || slices.ContainsFunc(x.m.Series, func(s study.ManifestSeries) bool {
		return (in.Series == "" || s.UID == in.Series) &&
			(in.Instance == "" || slices.ContainsFunc(s.Instances, func(i study.ManifestInstance) bool { return i.UID == in.Instance }))
	})
}

// Rows lists studies, series or instances for a search; of instances those that are here.
func (s *Shelf) Rows(ctx context.Context, level dicomweb.Level, in dicomweb.Path, yield func(dicomweb.Dataset) bool) error {
	_, found, err := s.open(ctx, in.Study)
	if err != nil {
		return err
	}
	for _, x := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !x.rows(s.d, level, in, yield) {
			return nil
		}
	}
	return nil
}

func (x shelved) rows(d *Desk, level dicomweb.Level, in dicomweb.Path, yield func(dicomweb.Dataset) bool) bool {
	if level == dicomweb.Studies {
		return yield(studyRowOfWeb(x.m, d))
	}
	for i := range x.m.Series {
		series := &x.m.Series[i]
		if in.Series != "" && series.UID != in.Series {
			continue
		}
		if level == dicomweb.Series {
			if row, n := seriesRowOfWeb(x.m, series, d); n > 0 && !yield(row) {
				return false
			}
			continue
		}
		for n := range series.Instances {
			if d.here(&series.Instances[n]) && !yield(instanceRowOfWeb(x.m, series, &series.Instances[n])) {
				return false
			}
		}
	}
	return true
}

func identityRow(m *study.Manifest) dicomweb.Dataset {
	row := dicomweb.Dataset{}
	st := &m.Study
	row.Set(0x00080005, "CS", "ISO_IR 192")
	row.Set(0x00080020, "DA", text.Line(st.Date))
	row.Set(0x00080030, "TM", text.Line(st.Time))
	row.Set(0x00080050, "SH", text.Line(st.Accession))
	row.Set(0x00080056, "CS", "ONLINE")
	row.Set(0x00080090, "PN")
	row.Set(0x00081030, "LO", text.Line(st.Description))
	name, id, issuer, born := st.Pseudonym, st.Pseudonym, "", ""
	if p := st.Patient; p != nil {
		name, id, issuer, born = p.Name, p.ID, p.Issuer, p.BirthDate
	}
	row.Set(0x00100010, "PN", text.Line(name))
	row.Set(0x00100020, "LO", text.Line(id))
	row.Set(0x00100021, "LO", text.Line(issuer))
	row.Set(0x00100030, "DA", text.Line(born))
	row.Set(0x00100040, "CS", text.Line(st.Sex))
	row.Set(0x00101010, "AS", text.Line(st.Age))
	row.Set(0x0020000D, "UI", st.UID)
	row.Set(0x00200010, "SH")
	return row
}

func studyRowOfWeb(m *study.Manifest, d *Desk) dicomweb.Dataset {
	row := identityRow(m)
	modalities := make([]string, 0, len(m.Study.Modalities))
	for _, v := range m.Study.Modalities {
		modalities = append(modalities, text.Line(v))
	}
	row.Set(0x00080061, "CS", modalities...)
	series, instances := 0, 0
	for i := range m.Series {
		if n := presentOf(&m.Series[i], d); n > 0 {
			series, instances = series+1, instances+n
		}
	}
	row.SetInt(0x00201206, "IS", int64(series))
	row.SetInt(0x00201208, "IS", int64(instances))
	return row
}

func presentOf(s *study.ManifestSeries, d *Desk) int {
	n := 0
	for i := range s.Instances {
		if d.here(&s.Instances[i]) {
			n++
		}
	}
	return n
}

func seriesRowOfWeb(m *study.Manifest, s *study.ManifestSeries, d *Desk) (dicomweb.Dataset, int) {
	row := identityRow(m)
	row.Set(0x00080060, "CS", text.Line(s.Modality))
	row.Set(0x0008103E, "LO", text.Line(s.Description))
	row.Set(0x00180015, "CS", text.Line(s.BodyPart))
	row.Set(0x0020000E, "UI", s.UID)
	row.SetInt(0x00200011, "IS", s.Number)
	n := presentOf(s, d)
	row.SetInt(0x00201209, "IS", int64(n))
	return row, n
}

func instanceRowOfWeb(m *study.Manifest, s *study.ManifestSeries, in *study.ManifestInstance) dicomweb.Dataset {
	row := identityRow(m)
	row.Set(0x00080060, "CS", text.Line(s.Modality))
	row.Set(0x0020000E, "UI", s.UID)
	row.SetInt(0x00200011, "IS", s.Number)
	row.Set(0x00080016, "UI", in.SOPClass)
	row.Set(0x00080018, "UI", in.UID)
	row.SetInt(0x00200013, "IS", in.Number)
	row.Set(0x00083002, "UI", in.TransferSyntax)
	if in.Rows > 0 && in.Cols > 0 {
		row.SetInt(0x00280010, "US", int64(in.Rows))
		row.SetInt(0x00280011, "US", int64(in.Cols))
		row.SetInt(0x00280008, "IS", int64(max(in.Frames, 1)))
	}
	return row
}

// Instances lists what a path names, in reading order, of what is here.
func (s *Shelf) Instances(ctx context.Context, in dicomweb.Path) ([]dicomweb.Instance, error) {
	_, x, err := s.one(ctx, in)
	if err != nil {
		return nil, err
	}
	var out []dicomweb.Instance
	for i := range x.m.Series {
		series := &x.m.Series[i]
		if in.Series != "" && series.UID != in.Series {
			continue
		}
		for n := range series.Instances {
			row := &series.Instances[n]
			if in.Instance != "" && row.UID != in.Instance || !s.d.here(row) {
				continue
			}
			out = append(out, dicomweb.Instance{
				Path:  dicomweb.Path{Study: in.Study, Series: series.UID, Instance: row.UID},
				Class: row.SOPClass, Syntax: row.TransferSyntax, Frames: framesOf(row), Size: int64(row.FileSize),
			})
		}
	}
	if len(out) == 0 {
		return nil, dicomweb.ErrAbsent
	}
	return out, nil
}

func framesOf(row *study.ManifestInstance) int {
	if row.Rows == 0 || row.Cols == 0 {
		return 0
	}
	return int(max(row.Frames, 1))
}

// locate finds an instance that Instances listed, and records that somebody looks.
func (s *Shelf) locate(ctx context.Context, in dicomweb.Instance) (*located, error) {
	p, x, err := s.one(ctx, in.Path)
	if err != nil {
		return nil, err
	}
	at, err := hold(s.d, func() (*located, error) {
		if place := x.h.places[in.Instance]; place != nil {
			return x.h.locate(p, place), nil
		}
		return nil, dicomweb.ErrAbsent
	})
	if err != nil {
		return nil, err
	}
	if !s.d.here(&at.row) {
		return nil, dicomweb.ErrAbsent
	}
	s.d.viewed(at)
	return at, nil
}

// File gives the file of an instance back.
func (s *Shelf) File(ctx context.Context, in dicomweb.Instance) ([]byte, error) {
	at, err := s.locate(ctx, in)
	if err != nil {
		return nil, err
	}
	b, err := s.d.rebuild(&at.row)
	if errors.Is(err, errNotHere) {
		return nil, dicomweb.ErrAbsent
	}
	return b, err
}

// Frame gives a frame as it is coded; cells are little-endian.
func (s *Shelf) Frame(ctx context.Context, in dicomweb.Instance, n int) ([]byte, error) {
	at, err := s.locate(ctx, in)
	if err != nil {
		return nil, err
	}
	leave, err := s.d.frames.enter(ctx, &at.row)
	if err != nil {
		return nil, err
	}
	defer leave()
	b, got, err := s.d.codedFrame(&at.row, n-1)
	switch {
	case errors.Is(err, study.ErrNoFrame):
		return nil, dicomweb.ErrAbsent
	case errors.Is(err, study.ErrFramesMixed):
		return nil, fmt.Errorf("%w: %w", dicomweb.ErrRefused, err)
	case err != nil:
		return nil, err
	}
	if syntax, _ := study.SyntaxOf(got.TransferSyntax); !syntax.Encapsulated {
		b = got.PlainFrame(b, n-1)
	}
	return b, nil
}

// Render draws a frame as PNG, as it is windowed by itself or as asked.
func (s *Shelf) Render(ctx context.Context, in dicomweb.Instance, r dicomweb.Rendering) ([]byte, error) {
	at, err := s.locate(ctx, in)
	if err != nil {
		return nil, err
	}
	img, err := s.d.image(ctx, at, r.Frame-1)
	if err != nil {
		return nil, err
	}
	if img.Native == nil {
		return nil, fmt.Errorf("%w: %s", dicomweb.ErrRefused, img.Reason)
	}
	f, err := render.New(img.Native, img.Pixel)
	if err != nil {
		return nil, fmt.Errorf("%w: cannot be displayed", dicomweb.ErrRefused)
	}
	var o render.Options
	if r.Window != nil {
		o.Window = &study.Window{Centre: r.Window[0], Width: r.Window[1]}
		o.Function = windowFunctions[r.Function]
	}
	picture := f.Draw(o)
	if b := picture.Bounds(); r.Width > 0 && (b.Dx() > r.Width || b.Dy() > r.Height) {
		// It fits into the viewport with its proportions, PS3.18 §8.3.5.1.3.
		side := min(r.Width*max(b.Dx(), b.Dy())/b.Dx(), r.Height*max(b.Dx(), b.Dy())/b.Dy())
		picture = f.Preview(o, max(side, 1))
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, picture); err != nil {
		return nil, internal("encode the picture", err)
	}
	return buf.Bytes(), nil
}

// windowFunctions are the words of PS3.18 §8.3.5.1.4 for those of the VOI LUT Function.
var windowFunctions = map[string]string{"linear": render.Linear, "linear-exact": render.LinearExact, "sigmoid": render.Sigmoid}

// Metadata reads the data set of an instance without its bulk.
func (s *Shelf) Metadata(ctx context.Context, in dicomweb.Instance, bulk func(path string) string) (dicomweb.Dataset, error) {
	f, err := s.set(ctx, in)
	if err != nil {
		return nil, err
	}
	out := webDataset(f.Set, "", bulk)
	out.Set(0x00080005, "CS", "ISO_IR 192") // JSON is UTF-8, PS3.18 §F.2.3
	out.Set(0x00083002, "UI", f.Syntax)     // what viewers choose their decoder by
	return out, nil
}

func (s *Shelf) set(ctx context.Context, in dicomweb.Instance) (*object.File, error) {
	at, err := s.locate(ctx, in)
	if err != nil {
		return nil, err
	}
	leave, err := s.d.frames.enter(ctx, &at.row)
	if err != nil {
		return nil, err
	}
	defer leave()
	return readHead(s.d, &at.row, object.Read, object.ReadJoined)
}

// Bulk gives a value that Metadata named by path.
func (s *Shelf) Bulk(ctx context.Context, in dicomweb.Instance, path string) ([]byte, error) {
	if path == pixelPath {
		return s.pixels(ctx, in)
	}
	f, err := s.set(ctx, in)
	if err != nil {
		return nil, err
	}
	e := findBulk(f.Set, strings.Split(path, "/"))
	if e == nil {
		return nil, dicomweb.ErrAbsent
	}
	return e.Value, nil
}

const pixelPath = "7FE00010"

// pixels are native pixels, frame after frame.
func (s *Shelf) pixels(ctx context.Context, in dicomweb.Instance) ([]byte, error) {
	if in.Frames == 0 {
		return nil, dicomweb.ErrAbsent
	}
	if in.Size > int64(object.FileMax)*8 {
		return nil, fmt.Errorf("%w: too long as one value: ask for its frames", dicomweb.ErrRefused)
	}
	var out []byte
	for n := 1; n <= in.Frames; n++ {
		b, err := s.Frame(ctx, in, n)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}
