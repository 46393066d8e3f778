// Package digitize makes DICOM instances of pictures and documents: photos, scans, films that
// were photographed, reports on paper.
//
//	JPEG, baseline, upright   Secondary Capture, the scan unchanged under .4.50
//	JPEG, any other; PNG      Secondary Capture, native grey or RGB, turned upright by its EXIF data
//	TIFF                      the same; its pages become frames where they are alike, else instances
//	PDF                       Encapsulated PDF
//
// Nothing of a picture's file but its pixels gets in: EXIF data with places and names, comments,
// thumbnails, what lies behind the end of a JPEG stream. The time that a camera noted is taken for
// a photo alone, since that of a photographed film is not the film's.
//
// A [Capture] is what a person says of the picture. Nothing is guessed: a side, an orientation or
// a size that nobody stated is not in the instance. Sizes are read before anything is decoded.
//
// Fuzz: go test -fuzz FuzzMake ./consult/digitize
package digitize

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
)

// Format is a kind of file.
type Format string

// The formats that become instances, and those that people have and that do not.
const (
	JPEG Format = "JPEG"
	PNG  Format = "PNG"
	TIFF Format = "TIFF"
	PDF  Format = "PDF"

	heic Format = "HEIC"
	webp Format = "WebP"
	gif  Format = "GIF"
	bmp  Format = "BMP"
)

// Why a file does not become an instance.
var (
	// ErrFormat: no picture or document of a format that is read here.
	ErrFormat = errors.New("no JPEG, PNG, TIFF or PDF file")
	// ErrLimit: larger than is decoded.
	ErrLimit = errors.New("picture is larger than 100 megapixels or its decoding needs too much memory")
	// ErrDamaged: not whole, or not what it says.
	ErrDamaged = errors.New("picture is damaged")
	// ErrUnsupported: of a kind of its format that is not read here.
	ErrUnsupported = errors.New("this kind of the format is not read here")
)

// Sniff tells the format by the first bytes of a file; empty for others.
func Sniff(begin []byte) Format {
	has := func(at int, magic string) bool {
		return len(begin) >= at+len(magic) && string(begin[at:at+len(magic)]) == magic
	}
	switch {
	case has(128, "DICM"): // whatever its preamble looks like (PS3.10 §7.1)
		return ""
	case has(0, "\xFF\xD8\xFF"):
		return JPEG
	case has(0, "\x89PNG\r\n\x1a\n"):
		return PNG
	case has(0, "II*\x00"), has(0, "MM\x00*"):
		return TIFF
	case bytes.Contains(begin[:min(len(begin), 1024)], []byte("%PDF-")): // as viewers accept it
		return PDF
	case has(4, "ftypheic"), has(4, "ftypheix"), has(4, "ftypmif1"), has(4, "ftyphevc"):
		return heic
	case has(0, "RIFF") && has(8, "WEBP"):
		return webp
	case has(0, "GIF8"):
		return gif
	case has(0, "BM") && len(begin) > 14 && begin[6]|begin[7]|begin[8]|begin[9] == 0:
		return bmp
	}
	return ""
}

// Reads reports whether files of the format become instances.
func (f Format) Reads() bool { return f == JPEG || f == PNG || f == TIFF || f == PDF }

// Conversion says how a picture came to be a file (PS3.3 C.8.6.1).
type Conversion struct {
	Name string // as scripts say it
	Code string
	What string
}

// Conversions are the ways there are.
func Conversions() []Conversion {
	return []Conversion{
		{"photo", "DI", "a photo of the patient"},
		{"film", "DF", "a film, scanned or photographed"},
		{"scan", "SI", "a scanned picture"},
		{"document", "SD", "a scanned document"},
		{"screen", "WSD", "what a screen showed"},
	}
}

// Capture is what a person says of a picture.
type Capture struct {
	// Of is patient and study, as an instance of the study would say them.
	Of          *study.Instance
	Conversion  string // DI, DF, SI, SD, WSD
	Modality    string
	BodyPart    string
	Laterality  string    // R, L, B, U or empty
	Orientation [2]string // of the rows and of the columns, empty if not given
	Description string
	Date, Time  string // when it was taken; empty: what a photo itself says
	// Scale is the size of a pixel; nil: not known.
	Scale *Scale
	// Next names the next instance, of a document or of a picture.
	Next func(document bool) object.Made
}

// Made are the instances of one file.
type Made struct {
	Files [][]byte
	// Warnings say what is not as in the file, without anything of the patient.
	Warnings []string
}

// Make makes instances of a file.
func Make(file []byte, c *Capture) (*Made, error) {
	format := Sniff(file)
	switch {
	case !format.Reads() && format != "":
		return nil, fmt.Errorf("%s: %w; save it as JPEG or PNG", format, ErrUnsupported)
	case format == "":
		return nil, ErrFormat
	case format == PDF:
		return document(file, c)
	case len(file) > FileMax:
		return nil, ErrLimit
	}
	p, err := read(file, format)
	if err != nil {
		return nil, err
	}
	return p.instances(c)
}

// Taken is when a photo says that it was taken, as DA and TM; empty where it says nothing.
func Taken(file []byte) (date, clock string) {
	if Sniff(file) != JPEG {
		return "", ""
	}
	if j, err := parseJPEG(file); err == nil && len(j.exif.taken) == 14 {
		return j.exif.taken[:8], j.exif.taken[8:]
	}
	return "", ""
}

// picture is a file read: pages, and what it says of its making.
type picture struct {
	pages    []raster
	taken    string // DT as the camera noted it, YYYYMMDDHHMMSS
	warnings []string
}

// raster is one page.
type raster struct {
	rows, cols  int
	samples     int // 1 or 3
	bits        int // allocated, all stored
	cells       []byte
	photometric string
	stream      []byte  // a baseline JPEG stream, instead of cells
	ratio       float64 // of a lossy compression in its past; 0: none known
}

func (r *raster) alike(o *raster) bool {
	return r.rows == o.rows && r.cols == o.cols && r.samples == o.samples && r.bits == o.bits && r.photometric == o.photometric
}

func read(file []byte, format Format) (*picture, error) {
	switch format {
	case JPEG:
		return readJPEG(file)
	case PNG:
		return readPNG(file)
	default: // TIFF
		return readTIFF(file)
	}
}

// within checks a size before it is decoded, at so many bytes a pixel.
func within(rows, cols, bytesPerPixel int) error {
	switch {
	case rows < 1 || cols < 1:
		return ErrDamaged
	case rows > sideMax || cols > sideMax, int64(rows)*int64(cols) > PixelsMax, int64(rows)*int64(cols)*int64(bytesPerPixel) > decodeBytesMax:
		return ErrLimit
	}
	return nil
}
