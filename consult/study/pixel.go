package study

import (
	"math/bits"
	"strconv"
	"strings"
)

// Pixel is all that rendering and measuring need to know of the pixels of an
// instance. It marshals to JSON.
type Pixel struct {
	Rows          int    `json:"rows"`
	Cols          int    `json:"cols"`
	Frames        int    `json:"frames"`
	Samples       int    `json:"samples"`
	BitsAllocated int    `json:"bits_allocated"`
	BitsStored    int    `json:"bits_stored"`
	HighBit       int    `json:"high_bit"`
	Signed        bool   `json:"signed,omitempty"`
	Float         bool   `json:"float,omitempty"` // Float or Double Float Pixel Data
	Planar        int    `json:"planar,omitempty"`
	Photometric   string `json:"photometric"`

	Modality    string   `json:"modality,omitempty"`
	BodyPart    string   `json:"body_part,omitempty"`
	Slope       float64  `json:"slope"`
	Intercept   float64  `json:"intercept"`
	RescaleType string   `json:"rescale_type,omitempty"`
	Windows     []Window `json:"windows,omitempty"`
	VOIFunction string   `json:"voi_function,omitempty"` // empty, LINEAR, LINEAR_EXACT, SIGMOID
	ModalityLUT *LUT     `json:"modality_lut,omitempty"`
	VOILUTs     []LUT    `json:"voi_luts,omitempty"`
	Shape       string   `json:"shape,omitempty"` // Presentation LUT Shape
	PresentLUT  *LUT     `json:"presentation_lut,omitempty"`
	Palette     *Palette `json:"palette,omitempty"`
	// Supplemental: Palette colours only the cells above the grey range (PS3.3
	// C.7.6.19); its tables begin there.
	Supplemental bool        `json:"supplemental,omitempty"`
	Padding      *Padding    `json:"padding,omitempty"`
	FloatPadding *[2]float64 `json:"float_padding,omitempty"`
	BadWindow    bool        `json:"bad_window,omitempty"` // a window of the file is no window and was left out
	ICC          bool        `json:"icc,omitempty"`        // has a colour profile, which is not applied

	Overlays   []Overlay   `json:"overlays,omitempty"`
	Shutter    *Shutter    `json:"shutter,omitempty"`
	Regions    []Region    `json:"regions,omitempty"`
	RealWorld  []RealWorld `json:"real_world,omitempty"`
	PET        *PET        `json:"pet,omitempty"`
	FrameOfRef string      `json:"frame_of_reference,omitempty"`

	PixelSpacing   *[2]float64 `json:"pixel_spacing,omitempty"` // row spacing (Δy), column spacing (Δx), mm
	ImagerSpacing  *[2]float64 `json:"imager_spacing,omitempty"`
	NominalSpacing *[2]float64 `json:"nominal_spacing,omitempty"`
	Measured       bool        `json:"measured,omitempty"`    // PixelSpacing is of a Pixel Measures group
	Calibration    string      `json:"calibration,omitempty"` // Pixel Spacing Calibration Type
	CalibratedBy   string      `json:"calibrated_by,omitempty"`
	Magnification  float64     `json:"magnification,omitempty"`
	SourceDetector float64     `json:"source_detector,omitempty"` // mm
	SourcePatient  float64     `json:"source_patient,omitempty"`  // mm
	AspectRatio    *[2]float64 `json:"aspect_ratio,omitempty"`    // vertical, horizontal
	SliceThickness float64     `json:"slice_thickness,omitempty"`
	Reformatted    bool        `json:"reformatted,omitempty"` // computed from a volume, no image of a file

	Orientation        *[6]float64 `json:"orientation,omitempty"` // row and column cosines, unit and orthogonal
	Position           *[3]float64 `json:"position,omitempty"`    // centre of the first pixel
	PatientOrientation [2]string   `json:"patient_orientation"`
	Quadruped          bool        `json:"quadruped,omitempty"`
	Animal             bool        `json:"animal,omitempty"` // and the type of orientation is not said: no letters of bipeds
	Laterality         string      `json:"laterality,omitempty"`

	Lossy       bool   `json:"lossy,omitempty"`
	LossyRatio  string `json:"lossy_ratio,omitempty"`
	LossyMethod string `json:"lossy_method,omitempty"`
	LossyByCode bool   `json:"lossy_by_code,omitempty"` // the transfer syntax itself is lossy
	BurnedIn    string `json:"burned_in,omitempty"`

	// PerFrame overrides the above frame by frame (enhanced multi-frame objects).
	PerFrame []FramePixel `json:"per_frame,omitempty"`
}

func (p *Pixel) subsampled() bool { return p.Photometric == "YBR_FULL_422" && p.Samples == 3 }

// storedSamples per pixel in a native frame (PS3.3 C.7.6.3.1.2: two chroma
// samples for two pixels of 4:2:2).
func (p *Pixel) storedSamples() int {
	if p.subsampled() {
		return 2
	}
	return p.Samples
}

// frameBits is the size of a native frame in bits.
func (p *Pixel) frameBits() uint64 {
	return uint64(p.Rows) * uint64(p.Cols) * uint64(p.storedSamples()) * uint64(p.BitsAllocated)
}

// frameCount is NumberOfFrames, 1 if absent or empty.
func (o *Outline) frameCount() (int, bool) {
	s := o.ascii(0x00280008)
	if s == "" {
		return 1, true
	}
	n, err := strconv.Atoi(strings.TrimPrefix(s, "+"))
	return n, err == nil && n >= 1 && n <= FramesMax
}

// checkPixels reads the shape of the pixels and compares it with their bytes.
func (o *Outline) checkPixels(end int64) error {
	p := &o.Facts
	_, hasRows, rowsOK := o.ushort(0x00280010)
	_, hasCols, colsOK := o.ushort(0x00280011)
	if !rowsOK || !colsOK {
		return refuse(Damaged, end, "rows or columns are not one number")
	}
	if o.Pixel == nil {
		if hasRows && hasCols {
			return refuse(Truncated, end, "pixels are missing")
		}
		return nil
	}
	if o.Pixels > 1 {
		return refuse(Damaged, o.Pixel.Start, "two pixel elements")
	}
	at := o.Pixel.Start
	if err := o.readShape(p, at); err != nil {
		return err
	}
	total, over := mulOver(p.frameBits(), uint64(p.Frames))
	if p.frameBits()/8 > FrameBytesMax || over || total/8 > InstanceBytesMax {
		if !o.Pixel.Undefined {
			return refuse(Truncated, at, "pixels are shorter than declared")
		}
		return refuse(OverLimit, at, "size of the pixels")
	}
	if o.Syntax.Encapsulated {
		if len(o.Fragments) == 0 {
			return refuse(Truncated, at, "no fragments")
		}
		return nil
	}
	if need := (total + 7) / 8; uint64(o.Pixel.Length) < need {
		return refuse(Truncated, at, "pixels are shorter than declared")
	} else if uint64(o.Pixel.Length) > need+1 {
		o.find("more pixel bytes than declared")
	}
	return nil
}

func mulOver(a, b uint64) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	return lo, hi != 0
}

// readShape reads the numbers; each must be one US of sane value.
func (o *Outline) readShape(p *Pixel, at int64) error {
	bad := false
	num := func(t Tag, absent, low, high int) int {
		v, present, ok := o.ushort(t)
		if !present && ok {
			v = absent
		}
		if !ok || v < low || v > high {
			bad = true
		}
		return v
	}
	p.Rows, p.Cols = num(0x00280010, 0, 1, 65535), num(0x00280011, 0, 1, 65535)
	p.Samples = num(0x00280002, 1, 1, 4)
	p.BitsAllocated = num(0x00280100, 0, 1, 64)
	p.Photometric = o.ascii(0x00280004)
	p.Planar = num(0x00280006, 0, 0, 1)
	p.Float = o.Pixel.Tag != tagPixelData
	if !p.Float {
		p.BitsStored = num(0x00280101, p.BitsAllocated, 1, max(1, p.BitsAllocated))
		p.HighBit = num(0x00280102, p.BitsStored-1, 0, max(0, p.BitsAllocated-1))
		p.Signed = num(0x00280103, 0, 0, 1) == 1
	} else {
		p.BitsStored, p.HighBit, p.Signed = p.BitsAllocated, p.BitsAllocated-1, true
	}
	switch p.BitsAllocated {
	case 1, 8, 16, 32, 64:
	default:
		bad = true
	}
	if bad {
		return refuse(Damaged, at, "description of the pixels")
	}
	var ok bool
	if p.Frames, ok = o.frameCount(); !ok {
		return refuse(Damaged, at, "number of frames")
	}
	return nil
}
