package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/digitize"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
)

// Series of pictures and papers get numbers beyond those of scanners.
const (
	pictureSeries = 8001
	paperSeries   = 8501
)

// capturing is what a person says of the pictures of one import, and how these are named.
type capturing struct {
	digitize.Capture
	pictures, papers series
	now              time.Time
	warnings         []string
}

// series names the instances of one series in turn.
type series struct {
	uid    string
	number int
	last   int
}

// newCapturing reads what is said of pictures; nil where nothing is.
func (d *Desk) newCapturing(ctx context.Context, p *person, said *control.Capture) (*capturing, error) {
	if said == nil {
		return nil, nil //nolint:nilnil // nothing is said, which is not wrong
	}
	c := &capturing{now: d.now()}
	if err := c.read(said, d.personName(p)); err != nil {
		return nil, wrongWord(err)
	}
	of, used, err := d.captureOf(ctx, p, said)
	if err != nil {
		return nil, err
	}
	if err := c.orient(said.Orientation, of.Patient.Species != ""); err != nil {
		return nil, wrongWord(err)
	}
	c.Of = of
	c.pictures = series{uid: newUID(), number: free(used, pictureSeries)}
	c.papers = series{uid: newUID(), number: free(used, paperSeries)}
	c.Next = c.next
	c.unsaid()
	return c, nil
}

func wrongWord(err error) error { return control.Errorf(control.Usage, "%v", err) }

// personName is how a person here is called.
func (d *Desk) personName(p *person) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.memberName(p.id)
}

func free(used []int64, number int) int {
	for slices.Contains(used, int64(number)) {
		number++
	}
	return number
}

// read reads the words on the picture itself.
func (c *capturing) read(said *control.Capture, by string) (err error) {
	c.Description = said.Description
	conversion := said.Conversion
	if conversion == "" {
		conversion = "photo"
	}
	if c.Conversion, err = digitize.ParseConversion(conversion); err != nil {
		return err
	}
	if c.Modality, err = digitize.ParseCode("modality", said.Modality); err != nil {
		return err
	}
	if c.Modality == "" {
		c.Modality = defaultModality[c.Conversion]
	}
	if c.BodyPart, err = digitize.ParseCode("body part", said.BodyPart); err != nil {
		return err
	}
	if c.Laterality, err = digitize.ParseLaterality(said.Laterality); err != nil {
		return err
	}
	if c.Date, c.Time, err = digitize.ParseDate("date", said.Date); err != nil {
		return err
	}
	c.Scale, err = scaleOf(said, by)
	return err
}

// defaultModality where none is said: a photo is of an external camera, what was on film or paper
// is of a kind that nobody said (PS3.3 C.7.3.1.1.1).
var defaultModality = map[string]string{"DI": "XC", "DF": "OT", "SI": "OT", "SD": "OT", "WSD": "OT"}

func scaleOf(said *control.Capture, by string) (*digitize.Scale, error) {
	s := &digitize.Scale{DPI: said.DPI, By: by}
	n := 0
	var err error
	if said.DPI != 0 {
		n++
	}
	if said.PixelSpacing != "" {
		n++
		if s.Spacing, err = digitize.ParseSpacing(said.PixelSpacing); err != nil {
			return nil, err
		}
	}
	if said.KnownLength != "" {
		n++
		if s.Known, err = digitize.ParseKnown(said.KnownLength); err != nil {
			return nil, err
		}
	}
	switch {
	case n > 1:
		return nil, errors.New("the size of a pixel is stated in one way, not in several")
	case n == 0:
		return nil, nil //nolint:nilnil // no size is stated
	}
	return s, nil
}

func (c *capturing) orient(said string, animal bool) (err error) {
	c.Orientation, err = digitize.ParseOrientation(said, animal)
	return err
}

// captureOf is patient and study of new instances, with the numbers of the series that there are.
func (d *Desk) captureOf(ctx context.Context, p *person, said *control.Capture) (*study.Instance, []int64, error) {
	if said.Study != "" {
		return d.joined(ctx, p, said)
	}
	if strings.TrimSpace(said.PatientName) == "" || strings.TrimSpace(said.PatientID) == "" {
		return nil, nil, control.Errorf(control.Refused, "a picture says nothing of its patient: name and identifier are needed").
			WithHint("--patient-name NAME --patient-id ID, or --study STUDY to join one")
	}
	in := &study.Instance{
		StudyUID: newUID(), StudyDescription: said.Description, Accession: said.Accession, Referrer: said.Referrer,
		Patient: study.Patient{
			Name: said.PatientName, ID: said.PatientID, Issuer: said.Issuer, Species: said.Species, Breed: said.Breed, Responsible: said.Owner,
		},
	}
	if said.Owner != "" {
		in.Patient.Role = "OWNER"
	}
	if (said.Owner != "" || said.Breed != "") && said.Species == "" {
		return nil, nil, control.Errorf(control.Usage, "breed and owner are of an animal: its species is missing").WithHint("--species Canine")
	}
	var err error
	if in.Patient.BirthDate, _, err = digitize.ParseDate("birth date", said.BirthDate); err != nil {
		return nil, nil, wrongWord(err)
	}
	if in.Patient.Sex, err = digitize.ParseSex(said.Sex); err != nil {
		return nil, nil, wrongWord(err)
	}
	if in.StudyDate, in.StudyTime, err = digitize.ParseDate("date", said.Date); err != nil {
		return nil, nil, wrongWord(err)
	}
	return in, nil, nil
}

// joined takes patient and study of an existing one. Who is named all the same must be the same
// (FIELD §6, F1).
func (d *Desk) joined(ctx context.Context, p *person, said *control.Capture) (*study.Instance, []int64, error) {
	var used []int64
	row, err := hold(d, func() (*study.ManifestInstance, error) {
		h, err := d.findStudy(p, said.Study)
		if err != nil {
			return nil, err
		}
		if h.row == nil || h.key.owner != p.id {
			return nil, control.Errorf(control.Refused, "only a study that was taken in here can be joined")
		}
		for i := range h.manifest.Series {
			used = append(used, h.manifest.Series[i].Number)
		}
		return &h.manifest.Series[0].Instances[0], nil
	})
	if err != nil {
		return nil, nil, err
	}
	in, err := d.describe(ctx, row)
	if err != nil {
		return nil, nil, control.Errorf(control.Refused, "the study to join cannot be read: %v", err)
	}
	same := func(a, b string) bool { return a == "" || strings.TrimSpace(a) == strings.TrimSpace(b) }
	if !same(said.PatientName, in.Patient.Name) || !same(said.PatientID, in.Patient.ID) {
		return nil, nil, control.Errorf(control.Refused, "the study to join is another patient's").WithHint("leave name and identifier out, or begin a study of its own")
	}
	return in, used, nil
}

// next names the next instance.
func (c *capturing) next(document bool) object.Made {
	s := &c.pictures
	if document {
		s = &c.papers
	}
	s.last++
	return object.Made{
		SOPUID: newUID(), SeriesUID: s.uid, SeriesNumber: s.number, InstanceNumber: s.last,
		Date: c.now.Format("20060102"), Time: c.now.Format("150405"), Timezone: c.now.Format("-0700"),
	}
}

// unsaid warns of what a reader will miss.
func (c *capturing) unsaid() {
	if c.BodyPart == "" {
		c.warn("the body part is not given")
	}
	if c.Laterality == "" && (c.BodyPart == "" || digitize.Paired(c.BodyPart)) {
		c.warn("the side is not given")
	}
	if c.Orientation == [2]string{} {
		c.warn("the orientation is not given: no letters stand at the edges")
	}
}

func (c *capturing) warn(s string) {
	if !slices.Contains(c.warnings, s) {
		c.warnings = append(c.warnings, s)
	}
}

// said are the warnings of an import; there are none without pictures.
func (c *capturing) said() []string {
	if c == nil || c.pictures.last+c.papers.last == 0 {
		return nil
	}
	if c.pictures.last == 0 { // a paper has no side
		return slices.DeleteFunc(c.warnings, func(s string) bool { return strings.HasPrefix(s, "the ") && s != noDate })
	}
	return c.warnings
}

const noDate = "the date is not given"

// digitize makes instances of a picture or a document, and seals them.
func (r *importRun) digitize(s source, f io.ReaderAt, format digitize.Format, out outcome) outcome {
	refuse := func(reason, detail string) outcome {
		out.reason, out.detail = reason, detail
		return out
	}
	if r.capture == nil || !format.Reads() {
		return refuse(study.NotDICOM, pictureHint(format))
	}
	if s.size > digitize.FileMax {
		return refuse(study.OverLimit, "larger than 256 MiB")
	}
	file := make([]byte, s.size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, s.size), file); err != nil {
		return refuse(study.Unreadable, "changed or cut while it was read")
	}
	made, err := r.capture.make(file)
	switch {
	case errors.Is(err, digitize.ErrLimit):
		return refuse(study.OverLimit, err.Error())
	case errors.Is(err, digitize.ErrDamaged):
		return refuse(study.Damaged, err.Error())
	case errors.Is(err, digitize.ErrUnsupported), errors.Is(err, digitize.ErrFormat):
		return refuse(study.NotDICOM, err.Error())
	case errors.Is(err, digitize.ErrScale):
		out.err = control.Errorf(control.Refused, "%v", err).WithHint("nothing of this picture was taken in")
		return out
	case err != nil:
		out.err = internal("make an instance of a picture", err)
		return out
	}
	for _, b := range made.Files {
		in, err := study.Parse(b)
		if err != nil {
			out.err = internal("read what was made of a picture", err)
			return out
		}
		sealed, err := r.seal(s, b, in)
		if err != nil {
			out.err = err
			return out
		}
		out.made = append(out.made, sealed)
	}
	return out
}

// make dates the study by its first photo where nobody said a date: the camera's clock is all that
// there is.
func (c *capturing) make(file []byte) (*digitize.Made, error) {
	if c.Of.StudyDate == "" && c.Conversion == "DI" {
		if c.Of.StudyDate, c.Of.StudyTime = digitize.Taken(file); c.Of.StudyDate != "" {
			c.warn("the date is the camera's")
		}
	}
	if c.Of.StudyDate == "" {
		c.warn(noDate)
	}
	made, err := digitize.Make(file, &c.Capture)
	if err == nil {
		for _, w := range made.Warnings {
			c.warn(w)
		}
	}
	return made, err
}

// pictureHint says what to do with a picture.
func pictureHint(f digitize.Format) string {
	if !f.Reads() {
		return fmt.Sprintf("a picture as %s is not read here: save it as JPEG or PNG", f)
	}
	return fmt.Sprintf("a %s file says nothing of its patient: name and identifier must be given with it", f)
}
