package digitize

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image/jpeg"

	"github.com/curbside-p2p/curbside/consult/codec"
)

// Markers of T.81 table B.1.
const (
	markerSOF0 = 0xC0 // baseline
	markerSOF2 = 0xC2 // progressive
	markerSOI  = 0xD8
	markerEOI  = 0xD9
	markerSOS  = 0xDA
	markerAPP0 = 0xE0
	markerAPP1 = 0xE1
	markerAdob = 0xEE // APP14
	markerCOM  = 0xFE
)

// jpegFile is a JPEG stream without what is no picture.
type jpegFile struct {
	stream     []byte // SOI to EOI: no EXIF data, no comments, nothing behind
	sof        byte
	precision  int
	rows, cols int
	components int
	subsampled bool
	rgb        bool // the components are red, green and blue
	exif       exifData
}

func readJPEG(file []byte) (*picture, error) {
	j, err := parseJPEG(file)
	if err != nil {
		return nil, err
	}
	// RGB, the cells it is made of, and for a progressive stream its coefficients.
	cost := 8
	if j.sof == markerSOF2 {
		cost = 6 + 4*j.components
		if j.subsampled {
			cost = 12
		}
	}
	if err := within(j.rows, j.cols, cost); err != nil {
		return nil, err
	}
	r, err := j.raster()
	if err != nil {
		return nil, err
	}
	p := &picture{taken: j.exif.taken, pages: []raster{r}}
	if r.stream == nil {
		p.warnings = append(p.warnings, "decoded and kept without compression: a JPEG of this kind, or one that lies turned, has no place in DICOM as it is")
	}
	return p, nil
}

// raster keeps an upright baseline stream, and decodes all others.
func (j *jpegFile) raster() (raster, error) {
	r := raster{rows: j.rows, cols: j.cols, samples: j.components, bits: 8}
	r.ratio = float64(j.rows) * float64(j.cols) * float64(min(j.components, 3)) / float64(len(j.stream))
	if j.sof != markerSOF0 || j.precision != 8 || j.components != 1 && j.components != 3 {
		return j.decodeOther(r)
	}
	r.photometric = j.photometric()
	native, err := codec.Decode(codec.FrameDesc{
		Syntax: codec.JPEGBaseline, Rows: j.rows, Cols: j.cols, Samples: j.components, BitsAllocated: 8, BitsStored: 8, HighBit: 7, Photometric: r.photometric,
	}, j.stream)
	if err != nil || native.Partial {
		return r, ErrDamaged
	}
	if j.exif.turn() == 1 {
		r.stream = j.stream
		return r, nil
	}
	r.cells = native.Data
	if native.Photometric == "YBR_FULL" {
		toRGB(r.cells)
	}
	if r.samples == 3 {
		r.photometric = photometricRGB
	}
	r.turn(j.exif.turn())
	return r, nil
}

// photometric of the stream as DICOM names it (PS3.5 §8.2.1).
func (j *jpegFile) photometric() string {
	switch {
	case j.components == 1:
		return photometricGrey
	case j.rgb:
		return photometricRGB
	case j.subsampled:
		return "YBR_FULL_422"
	}
	return "YBR_FULL"
}

// decodeOther decodes what DICOM has no syntax for: progressive and four-component streams.
func (j *jpegFile) decodeOther(r raster) (raster, error) {
	img, err := jpeg.Decode(bytes.NewReader(j.stream))
	if err != nil {
		if _, ok := errors.AsType[jpeg.UnsupportedError](err); ok {
			return r, fmt.Errorf("JPEG: %w", ErrUnsupported)
		}
		return r, ErrDamaged
	}
	ratio := r.ratio
	r, _ = rasterOf(img)
	r.ratio = ratio
	r.turn(j.exif.turn())
	return r, nil
}

// parseJPEG walks the markers of a stream and leaves out what is no picture: EXIF and XMP data
// (APP1), colour profiles and further pictures (APP2), captions (APP13), comments, thumbnails,
// and all that follows its end.
func parseJPEG(file []byte) (*jpegFile, error) {
	j := &jpegFile{stream: make([]byte, 0, len(file))}
	j.stream = append(j.stream, 0xFF, markerSOI)
	at := 2
	for range segmentsMax {
		marker, next := nextMarker(file, at)
		if marker == 0 {
			return nil, ErrDamaged
		}
		if marker == markerEOI {
			j.stream = append(j.stream, 0xFF, markerEOI)
			return j, j.complete()
		}
		seg, end := segmentAt(file, next)
		if seg == nil {
			return nil, ErrDamaged
		}
		if err := j.segment(marker, seg); err != nil {
			return nil, err
		}
		at = end
		if marker == markerSOS {
			at = scanEnd(file, end)
			j.stream = append(j.stream, file[end:at]...)
		}
	}
	return nil, ErrLimit
}

// nextMarker finds the marker at a place, with its fill bytes (T.81 §B.1.1.2).
func nextMarker(file []byte, at int) (marker byte, next int) {
	if at >= len(file) || file[at] != 0xFF {
		return 0, at
	}
	for at < len(file) && file[at] == 0xFF {
		at++
	}
	if at >= len(file) || file[at] == 0 {
		return 0, at
	}
	return file[at], at + 1
}

// segmentAt is what a marker segment holds behind its length.
func segmentAt(file []byte, at int) (seg []byte, end int) {
	if at+2 > len(file) {
		return nil, at
	}
	n := int(binary.BigEndian.Uint16(file[at:]))
	if n < 2 || at+n > len(file) {
		return nil, at
	}
	return file[at+2 : at+n : at+n], at + n
}

// scanEnd is where entropy-coded data end: at a marker that is no restart (T.81 §B.1.1.5).
func scanEnd(file []byte, at int) int {
	for {
		i := bytes.IndexByte(file[at:], 0xFF)
		if i < 0 || at+i+1 >= len(file) {
			return len(file)
		}
		at += i
		if m := file[at+1]; m == 0 || m >= 0xD0 && m <= 0xD7 {
			at += 2
			continue
		} else if m == 0xFF {
			at++
			continue
		}
		return at
	}
}

func (j *jpegFile) segment(marker byte, seg []byte) error {
	keep := true
	switch {
	case marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
		return j.frame(marker, seg)
	case marker == markerAPP0:
		if len(seg) < 14 || string(seg[:5]) != "JFIF\x00" {
			return nil
		}
		seg = append(append([]byte{}, seg[:12]...), 0, 0) // without a thumbnail
	case marker == markerAdob:
		if keep = len(seg) >= 12 && string(seg[:5]) == "Adobe"; keep {
			seg = seg[:12]
			j.rgb = j.rgb || seg[11] == 0
		}
	case marker == markerAPP1:
		j.exif.read(seg)
		keep = false
	case marker >= 0xE0 && marker <= 0xEF, marker == markerCOM, marker >= 0xF0 && marker < markerCOM, marker < 0xC0:
		keep = false
	case marker == markerSOI, marker >= 0xD0 && marker <= 0xD7:
		return ErrDamaged
	}
	if keep {
		j.keep(marker, seg)
	}
	return nil
}

func (j *jpegFile) keep(marker byte, seg []byte) {
	j.stream = append(j.stream, 0xFF, marker)
	j.stream = binary.BigEndian.AppendUint16(j.stream, uint16(len(seg)+2))
	j.stream = append(j.stream, seg...)
}

// frame reads a frame header (T.81 §B.2.2).
func (j *jpegFile) frame(marker byte, seg []byte) error {
	if j.sof != 0 || len(seg) < 6 || len(seg) < 6+3*int(seg[5]) {
		return ErrDamaged
	}
	j.sof, j.precision, j.components = marker, int(seg[0]), int(seg[5])
	j.rows, j.cols = int(binary.BigEndian.Uint16(seg[1:])), int(binary.BigEndian.Uint16(seg[3:]))
	ids := []byte{}
	for i := range j.components {
		c := seg[6+3*i:]
		ids = append(ids, c[0])
		j.subsampled = j.subsampled || c[1] != seg[7]
	}
	j.rgb = j.rgb || string(ids) == "RGB"
	j.keep(marker, seg)
	return nil
}

func (j *jpegFile) complete() error {
	if j.sof == 0 || j.components < 1 || j.components > 4 {
		return ErrDamaged
	}
	if j.sof > markerSOF2 || j.precision != 8 {
		return fmt.Errorf("JPEG: %w", ErrUnsupported)
	}
	return nil
}
