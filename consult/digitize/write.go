package digitize

import (
	"bytes"
	"fmt"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/object"
)

// SOP classes that are written here.
const (
	ClassCapture      = "1.2.840.10008.5.1.4.1.1.7"
	classGreyByte     = "1.2.840.10008.5.1.4.1.1.7.2"
	classGreyWord     = "1.2.840.10008.5.1.4.1.1.7.3"
	classColour       = "1.2.840.10008.5.1.4.1.1.7.4"
	conversionPhoto   = "DI"
	conversionFilm    = "DF"
	modalityDocuments = "DOC"
)

// instances are the pages: frames of one instance where they are alike, else one each.
func (p *picture) instances(c *Capture) (*Made, error) {
	out := &Made{Warnings: p.warnings}
	frames := len(p.pages) > 1 && p.pages[0].stream == nil
	for i := range p.pages {
		frames = frames && p.pages[i].alike(&p.pages[0])
	}
	groups := [][]raster{}
	if frames {
		groups = append(groups, p.pages)
	} else {
		for i := range p.pages {
			groups = append(groups, p.pages[i:i+1])
		}
	}
	for _, pages := range groups {
		b, err := p.instance(pages, c)
		if err != nil {
			return nil, err
		}
		out.Files = append(out.Files, b)
	}
	return out, nil
}

func (p *picture) instance(pages []raster, c *Capture) ([]byte, error) {
	r := &pages[0]
	class := ClassCapture
	if len(pages) > 1 {
		class = classOf(r)
	}
	m := c.Next(false)
	s := object.Modules(c.Of, m, class, c.Modality)
	s = append(s, c.series()...)
	s = append(s, p.image(c, m)...)
	s = append(s, r.pixels()...)
	scale, err := c.Scale.attributes(r.rows, r.cols, c.Conversion)
	if err != nil {
		return nil, err
	}
	s = append(s, scale...)
	px := object.Pixels{}
	if r.stream != nil {
		px.Syntax, px.Frames = codec.JPEGBaseline, [][]byte{r.stream}
	}
	if len(pages) > 1 {
		s = append(s, frameAttributes(pages)...)
	}
	if r.stream == nil {
		for i := range pages {
			px.Native = append(px.Native, pages[i].cells...)
		}
	}
	out, err := object.WriteImage(s, px)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	return out, nil
}

// classOf is that of several frames (PS3.3 A.8.3 to A.8.5).
func classOf(r *raster) string {
	switch {
	case r.samples == 3:
		return classColour
	case r.bits == 16:
		return classGreyWord
	}
	return classGreyByte
}

// series is what is said of body part and side (PS3.3 C.7.3.1).
func (c *Capture) series() object.Set {
	s := object.Set{object.Str(0x00080064, "CS", c.Conversion)}
	if c.BodyPart != "" {
		s = append(s, object.Str(0x00180015, "CS", c.BodyPart))
	}
	if c.Description != "" {
		s = append(s, object.Str(0x0008103E, "LO", object.Line(c.Description, 64)))
	}
	switch {
	case c.Laterality == "B" || c.Laterality == "U":
		return append(s, object.Str(0x00200062, "CS", c.Laterality)) // which then speaks for the image alone
	case c.Laterality != "" || c.BodyPart == "" || Paired(c.BodyPart):
		return append(s, object.Str(0x00200060, "CS", c.Laterality)) // type 2C: empty where it should be known
	}
	return s
}

// image is the General Image module and the SC Image module (PS3.3 C.7.6.1, C.8.6.2).
func (p *picture) image(c *Capture, m object.Made) object.Set {
	value1, value2 := "DERIVED", "SECONDARY"
	if c.Conversion == conversionPhoto {
		value1, value2 = "ORIGINAL", "PRIMARY"
	}
	date, clock := c.Date, c.Time
	if date == "" && c.Conversion == conversionPhoto && len(p.taken) == 14 {
		date, clock = p.taken[:8], p.taken[8:]
	}
	s := object.Set{
		object.Str(0x00080008, "CS", value1, value2),
		object.Str(0x00080023, "DA", object.Date(date)),
		object.Str(0x00080033, "TM", object.Clock(clock)),
		object.Str(0x00181012, "DA", m.Date),
		object.Str(0x00181014, "TM", m.Time),
	}
	if c.Orientation == [2]string{} {
		s = append(s, object.Str(0x00200020, "CS", "")) // type 2C: not known
	} else {
		s = append(s, object.Str(0x00200020, "CS", c.Orientation[:]...))
		if c.Of.Patient.Species != "" {
			s = append(s, object.Str(0x00102210, "CS", "QUADRUPED"))
		}
	}
	if c.Conversion != conversionPhoto || len(p.pages) > 1 { // there it must be said
		s = append(s, object.Str(0x00280301, "CS", "YES")) // films, papers and screens carry names
	}
	return s
}

// pixels is the Image Pixel module (PS3.3 C.7.6.3), with the compression in the past.
func (r *raster) pixels() object.Set {
	s := object.Set{
		object.US(0x00280002, r.samples),
		object.Str(0x00280004, "CS", r.photometric),
		object.US(0x00280010, r.rows),
		object.US(0x00280011, r.cols),
		object.US(0x00280100, r.bits),
		object.US(0x00280101, r.bits),
		object.US(0x00280102, r.bits-1),
		object.US(0x00280103, 0),
	}
	if r.samples > 1 {
		s = append(s, object.US(0x00280006, 0))
	}
	if r.ratio > 0 {
		s = append(s,
			object.Str(0x00282110, "CS", "01"),
			object.Str(0x00282112, "DS", fmt.Sprintf("%.2f", max(r.ratio, 0.01))),
			object.Str(0x00282114, "CS", "ISO_10918_1"))
	}
	return s
}

// frameAttributes are those of an instance of several pages (PS3.3 C.7.6.6, C.8.6.3, C.8.6.4).
func frameAttributes(pages []raster) object.Set {
	var numbers []string
	for i := range pages {
		numbers = append(numbers, object.IS(i+1))
	}
	s := object.Set{
		object.Str(0x00280008, "IS", object.IS(len(pages))),
		{Tag: 0x00280009, VR: "AT", Value: []byte{0x18, 0x00, 0x01, 0x20}}, // Page Number Vector
		object.Str(0x00182001, "IS", numbers...),
	}
	if pages[0].samples == 1 {
		s = append(s,
			object.Str(0x20500020, "CS", "IDENTITY"),
			object.Str(0x00281052, "DS", "0"), object.Str(0x00281053, "DS", "1"), object.Str(0x00281054, "LO", "US"))
	}
	return s
}

// document is an Encapsulated PDF (PS3.3 A.45.1), the file as it is.
func document(file []byte, c *Capture) (*Made, error) {
	switch {
	case len(file) > DocumentMax:
		return nil, fmt.Errorf("document: %w", ErrLimit)
	case !bytes.Contains(file[max(0, len(file)-2048):], []byte("%%EOF")):
		return nil, fmt.Errorf("PDF: %w", ErrDamaged) // cut: ISO 32000 §7.5.5 wants it at the end
	}
	doc := *c
	doc.Conversion, doc.Modality = "SD", modalityDocuments
	doc.BodyPart, doc.Laterality = "", "" // of a picture
	m := c.Next(true)
	s := object.Modules(c.Of, m, object.ClassPDF, doc.Modality)
	s = append(s, doc.series()...)
	s = append(s, object.Document(file, c.Date, c.Time)...)
	s = append(s, object.Str(0x00420010, "ST", object.Line(c.Description, 64)), object.Seq(0x0040A043))
	b, err := object.Write(s)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	out := &Made{Files: [][]byte{b}}
	if bytes.Contains(file, []byte("/Encrypt")) {
		out.Warnings = append(out.Warnings, "the document is protected by a password, or forbids copying: whoever reads it needs its password")
	}
	return out, nil
}
