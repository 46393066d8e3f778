package study

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Tags of identity.
const (
	tagSOPClass    Tag = 0x00080016
	tagSOPInstance Tag = 0x00080018
	tagPatientName Tag = 0x00100010
	tagPatientID   Tag = 0x00100020
	tagIssuer      Tag = 0x00100021
	tagBirthDate   Tag = 0x00100030
	tagStudyUID    Tag = 0x0020000D
	tagSeriesUID   Tag = 0x0020000E

	// mediaDirectory is the class of a DICOMDIR (PS3.10 §8.6).
	mediaDirectory = "1.2.840.10008.1.3.10"
)

// Patient is who an instance says it is of.
type Patient struct {
	Name        string `json:"name"`
	ID          string `json:"id"`
	Issuer      string `json:"issuer,omitempty"`
	BirthDate   string `json:"birth_date,omitempty"`
	Sex         string `json:"sex,omitempty"`
	Age         string `json:"age,omitempty"`
	Species     string `json:"species,omitempty"`
	Breed       string `json:"breed,omitempty"`
	Responsible string `json:"responsible,omitempty"` // owner of an animal, parent of a child
	Role        string `json:"role,omitempty"`
}

// Key tells patients apart: issuer and ID, the issuer defaulting to the
// clinic's. Without an ID there is no key, and two such are never the same.
func (p Patient) Key(clinic string) (string, bool) {
	issuer := p.Issuer
	if issuer == "" {
		issuer = clinic
	}
	return issuer + "\x00" + p.ID, p.ID != ""
}

// Instance is one DICOM instance, described.
type Instance struct {
	SOPClass       string `json:"sop_class"`
	SOPUID         string `json:"sop_uid"`
	StudyUID       string `json:"study_uid"`
	SeriesUID      string `json:"series_uid"`
	FrameOfRef     string `json:"frame_of_reference,omitempty"`
	TransferSyntax string `json:"transfer_syntax"`

	Patient Patient `json:"patient"`

	StudyDate        string `json:"study_date,omitempty"`
	StudyTime        string `json:"study_time,omitempty"`
	Timezone         string `json:"timezone,omitempty"`
	StudyDescription string `json:"study_description,omitempty"`
	StudyID          string `json:"study_id,omitempty"`
	Accession        string `json:"accession,omitempty"`
	Referrer         string `json:"referrer,omitempty"`
	Institution      string `json:"institution,omitempty"`

	Modality          string `json:"modality,omitempty"`
	SeriesNumber      *int64 `json:"series_number,omitempty"`
	SeriesDate        string `json:"series_date,omitempty"`
	SeriesTime        string `json:"series_time,omitempty"`
	SeriesDescription string `json:"series_description,omitempty"`
	BodyPart          string `json:"body_part,omitempty"`
	Laterality        string `json:"laterality,omitempty"`
	Protocol          string `json:"protocol,omitempty"`
	Manufacturer      string `json:"manufacturer,omitempty"`
	Model             string `json:"model,omitempty"`

	Number            *int64   `json:"number,omitempty"`
	AcquisitionNumber *int64   `json:"acquisition_number,omitempty"`
	AcquisitionTime   string   `json:"acquisition_time,omitempty"`
	ContentTime       string   `json:"content_time,omitempty"`
	ImageType         []string `json:"image_type,omitempty"`
	TemporalPosition  *int64   `json:"temporal_position,omitempty"`
	EchoTime          string   `json:"echo_time,omitempty"`
	TriggerTime       string   `json:"trigger_time,omitempty"`
	BValue            float64  `json:"b_value,omitempty"` // s/mm²

	// RelatedSeries and RelatedInstances are counts by the source system, 0 if
	// it gave none.
	StudyInstances  int `json:"study_instances,omitempty"`
	SeriesInstances int `json:"series_instances,omitempty"`

	Pixel Pixel `json:"pixel"`

	Size     int64    `json:"size"`
	SHA256   [32]byte `json:"-"` // set by Parse alone
	Off      int64    `json:"off"`
	BulkLen  int64    `json:"bulk_len"`
	NotSplit bool     `json:"not_split,omitempty"` // has pixels and is all head
	// Findings are oddities, without values.
	Findings []string `json:"findings,omitempty"`
	// TextDamaged: some text could not be decoded as declared.
	TextDamaged bool `json:"text_damaged,omitempty"`

	encapsulated  bool
	words         bool
	fragments     []Fragment
	frameStarts   []int64
	inflatedPixel *Range
	metaEnd       int64
}

// describe reads metadata from an outline. Only UIDs can make it refuse.
func describe(o *Outline, r io.ReaderAt) (*Instance, error) {
	in := &Instance{TransferSyntax: o.Syntax.UID, Size: o.Size, Pixel: o.Facts, metaEnd: o.MetaEnd}
	if err := in.readUIDs(o); err != nil {
		return nil, err
	}
	tx := newTexts(o)
	in.readPatient(o, tx)
	in.readStudy(o, tx)
	in.readSeries(o, tx)
	in.readImage(o, tx)
	in.placePixels(o, r)
	if o.Pixel != nil {
		in.readPixel(o, tx)
		in.readNested(o, r)
	}
	in.TextDamaged = tx.damaged
	in.Findings = o.Findings
	return in, nil
}

func (in *Instance) readUIDs(o *Outline) error {
	for _, u := range []struct {
		t    Tag
		name string
		to   *string
	}{
		{tagSOPClass, "SOP Class UID", &in.SOPClass},
		{tagSOPInstance, "SOP Instance UID", &in.SOPUID},
		{tagStudyUID, "Study Instance UID", &in.StudyUID},
		{tagSeriesUID, "Series Instance UID", &in.SeriesUID},
	} {
		v := o.uid(u.t)
		if v == "" {
			return refuse(MissingUID, 0, u.name)
		}
		if !ValidUID(v) {
			return refuse(MissingUID, 0, u.name+" is not a uid")
		}
		if strings.HasPrefix(v, "0") && len(v) > 1 && v[1] != '.' || hasLeadingZero(v) {
			o.find("uid component with a leading zero")
		}
		*u.to = v
	}
	if v := o.uid(0x00200052); ValidUID(v) {
		in.FrameOfRef = v
	}
	return nil
}

func hasLeadingZero(uid string) bool {
	for i := 0; i+2 < len(uid); i++ {
		if uid[i] == '.' && uid[i+1] == '0' && uid[i+2] != '.' {
			return true
		}
	}
	return false
}

func (in *Instance) readPatient(o *Outline, tx *texts) {
	in.Patient = Patient{
		Name: tx.name(tagPatientName), ID: tx.text(tagPatientID), Issuer: tx.text(tagIssuer),
		BirthDate: o.ascii(tagBirthDate), Sex: o.code(0x00100040), Age: o.code(0x00101010),
		Species: tx.text(0x00102201), Breed: tx.text(0x00102292),
		Responsible: tx.name(0x00102297), Role: o.code(0x00102298),
	}
}

func (in *Instance) readStudy(o *Outline, tx *texts) {
	in.StudyDate, in.StudyTime, in.Timezone = o.code(0x00080020), o.code(0x00080030), o.code(0x00080201)
	in.StudyDescription, in.StudyID, in.Accession = tx.text(0x00081030), tx.text(0x00200010), tx.text(0x00080050)
	in.Referrer, in.Institution = tx.name(0x00080090), tx.text(0x00080080)
	in.StudyInstances, in.SeriesInstances = o.count(0x00201208), o.count(0x00201209)
}

func (in *Instance) readSeries(o *Outline, tx *texts) {
	in.Modality, in.SeriesNumber = o.code(0x00080060), o.integer(0x00200011)
	in.SeriesDate, in.SeriesTime = o.code(0x00080021), o.code(0x00080031)
	in.SeriesDescription, in.BodyPart, in.Protocol = tx.text(0x0008103E), o.code(0x00180015), tx.text(0x00181030)
	if in.Laterality = o.code(0x00200062); in.Laterality == "" {
		in.Laterality = o.code(0x00200060)
	}
	in.Manufacturer, in.Model = tx.text(0x00080070), tx.text(0x00081090)
}

func (in *Instance) readImage(o *Outline, _ *texts) {
	in.Number, in.AcquisitionNumber = o.integer(0x00200013), o.integer(0x00200012)
	in.AcquisitionTime, in.ContentTime = o.code(0x00080032), o.code(0x00080033)
	in.TemporalPosition, in.EchoTime = o.integer(0x00200100), o.code(0x00180081)
	in.TriggerTime, in.BValue = o.code(0x00181060), o.bValue()
	if v := o.ascii(0x00080008); v != "" && len(v) < 1024 {
		in.ImageType = strings.Split(v, "\\")
	}
}

// placePixels decides what is bulk (FORMATS.md §3.1).
func (in *Instance) placePixels(o *Outline, r io.ReaderAt) {
	e := o.Pixel
	if e == nil {
		return
	}
	in.words = e.VR == [2]byte{'O', 'W'}
	if o.Syntax.Deflated {
		in.NotSplit = true
		in.inflatedPixel = &Range{Off: e.Value, Len: e.Length}
		return
	}
	in.Off, in.BulkLen = e.Value, e.Length
	if o.Syntax.Encapsulated {
		in.index(o, &section{r: r, from: e.Value})
	}
}

// section is the bulk within its file.
type section struct {
	r    io.ReaderAt
	from int64
}

func (s *section) ReadAt(b []byte, off int64) (int, error) { return s.r.ReadAt(b, s.from+off) }

// BulkOf is the bulk within a whole file.
func (in *Instance) BulkOf(file io.ReaderAt) io.ReaderAt {
	return io.NewSectionReader(file, in.Off, in.BulkLen)
}

// FrameOf reads the bytes of frame k from a whole file; it inflates a deflated one.
func (in *Instance) FrameOf(file io.ReaderAt, size int64, k int) ([]byte, error) {
	if in.inflatedPixel == nil {
		return in.ReadFrame(in.BulkOf(file), k)
	}
	ranges, err := in.FrameRanges(k)
	if err != nil {
		return nil, err
	}
	c := newInflateCursor(file, in.metaEnd, size)
	if err := c.skip(in.inflatedPixel.Off + ranges[0].Off); err != nil {
		return nil, readErr(err)
	}
	b, err := c.next(int(ranges[0].Len))
	if err != nil {
		return nil, readErr(err)
	}
	return b, nil
}

func readErr(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read frame: %w", err)
}

// code is a short ASCII value without controls; anything else is empty.
func (o *Outline) code(t Tag) string {
	return printable(o.ascii(t))
}

func (o *Outline) integer(t Tag) *int64 {
	first, _, _ := strings.Cut(o.ascii(t), "\\")
	n, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	if err != nil || n > math.MaxInt32 || n < math.MinInt32 { // PS3.5 §6.2: IS is 32 bits
		return nil
	}
	return &n
}

func (o *Outline) count(t Tag) int {
	if n := o.integer(t); n != nil && *n > 0 && *n <= InstancesMax {
		return int(*n)
	}
	return 0
}

// decimals reads a DS; values that are not finite numbers make all of it absent.
func (o *Outline) decimals(t Tag) []float64 {
	return parseDecimals(o.ascii(t))
}

func parseDecimals(s string) []float64 {
	if s == "" {
		return nil
	}
	parts := strings.SplitN(s, "\\", 2*WindowsMax)
	out := make([]float64, 0, len(parts))
	for _, p := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || strings.ContainsAny(p, "xXpP_") {
			return nil
		}
		out = append(out, v)
	}
	return out
}
