package render

import (
	"fmt"
	"math"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Calibration says what a length on this image means (IMAGING.md §5.5).
type Calibration struct {
	OK    bool    // lengths may be given in mm
	DX    float64 // mm per column
	DY    float64 // mm per row
	Label string  // stands beside every length, area and scale bar
}

const uncalibrated = "px, uncalibrated"

// projection modalities have a magnification that spacing does not tell.
var projection = map[string]bool{"CR": true, "DX": true, "RG": true, "MG": true, "XA": true, "RF": true, "IO": true, "PX": true}

// Calibrate chooses the spacing and its label (PS3.3 §10.7.1.3). An ultrasound
// image has a spacing by region: points are those of the measurement, as in
// annotations, and must all lie within one. Without points it has none.
func Calibrate(px study.Pixel, points ...[2]float64) Calibration {
	switch {
	case px.PixelSpacing != nil && px.Reformatted:
		return mm(px.PixelSpacing, "mm reformatted")
	case px.PixelSpacing != nil && px.Measured: // an enhanced object says so itself
		return mm(px.PixelSpacing, "mm")
	case ultrasound(px):
		return calibrateRegion(px.Regions, points)
	case px.PixelSpacing != nil && px.Calibration == "FIDUCIAL":
		return mm(px.PixelSpacing, "mm calibrated: fiducial"+described(px))
	case px.PixelSpacing != nil && px.Calibration == "GEOMETRY":
		return mm(px.PixelSpacing, "mm calibrated: geometry"+described(px))
	case projection[px.Modality]:
		return calibrateProjection(px)
	case px.PixelSpacing != nil:
		return mm(px.PixelSpacing, "mm")
	case px.ImagerSpacing != nil:
		return calibrateProjection(px)
	case px.NominalSpacing != nil:
		return mm(px.NominalSpacing, "mm film scale")
	}
	return Calibration{DX: 1, DY: 1, Label: uncalibrated}
}

// calibrateProjection: Pixel Spacing that equals another spacing is that one.
func calibrateProjection(px study.Pixel) Calibration {
	ps, is, film := px.PixelSpacing, px.ImagerSpacing, px.NominalSpacing
	switch {
	case is != nil && (ps == nil || *ps == *is):
		if m := magnification(px); m > 0 {
			return mm(&[2]float64{is[0] / m, is[1] / m}, fmt.Sprintf("mm estimated ×%.2f", m))
		}
		return mm(is, "mm at detector, magnification not corrected")
	case is != nil:
		return mm(ps, "mm calibrated, method not stated")
	case film != nil && (ps == nil || *ps == *film):
		return mm(film, "mm film scale")
	case ps != nil:
		return mm(ps, "mm, calibration method not stated")
	}
	return Calibration{DX: 1, DY: 1, Label: uncalibrated}
}

// mm is a spacing, unless it measures nothing.
func mm(s *[2]float64, label string) Calibration {
	if !measures(s[0]) || !measures(s[1]) {
		return Calibration{DX: 1, DY: 1, Label: uncalibrated}
	}
	return Calibration{OK: true, DY: s[0], DX: s[1], Label: label}
}

// measures refuses zero, negative, non-finite and absurd (> 10 mm) spacings.
func measures(v float64) bool { return v > 0 && v <= spacingMax }

func described(px study.Pixel) string {
	if px.CalibratedBy == "" {
		return ""
	}
	return " (" + px.CalibratedBy + ")"
}

// magnification is the estimated one, else that of the distances; 0 if neither
// makes sense. An image is never smaller than what it shows.
func magnification(px study.Pixel) float64 {
	m := px.Magnification
	if m <= 0 && px.SourcePatient > 0 {
		m = px.SourceDetector / px.SourcePatient
	}
	if !(m > 0 && m <= magnificationMax) {
		return 0
	}
	return m
}

// calibrateRegion: every region that a point lies in measures centimetres on
// both axes, to the same scale, and one of them holds all points (PS3.3
// C.8.5.5.1). Doppler and M-mode, and what crosses a border, have no length.
func calibrateRegion(regions []study.Region, points [][2]float64) Calibration {
	none := Calibration{DX: 1, DY: 1, Label: uncalibrated}
	var of *study.Region
	for i := range regions {
		r := &regions[i]
		inside := 0
		for _, p := range points {
			if within(r, p) {
				inside++
			}
		}
		if inside == 0 {
			continue
		}
		if !spatial(r) || of != nil && !alike(r, of) {
			return none
		}
		if of == nil || inside == len(points) {
			of = r
		}
	}
	if of == nil || !holdsAll(of, points) {
		return none
	}
	return mm(&[2]float64{of.DeltaY * 10, of.DeltaX * 10}, "mm ultrasound region")
}

// ultrasound images, intravascular ones too, and whatever else is calibrated by
// region.
func ultrasound(px study.Pixel) bool {
	return px.Modality == "US" || px.Modality == "IVUS" || len(px.Regions) > 0
}

func spatial(r *study.Region) bool {
	return r.UnitX == study.RegionCM && r.UnitY == study.RegionCM && measures(r.DeltaX*10) && measures(r.DeltaY*10)
}

func alike(a, b *study.Region) bool {
	const part = 1e-3
	return math.Abs(a.DeltaX-b.DeltaX) <= part*b.DeltaX && math.Abs(a.DeltaY-b.DeltaY) <= part*b.DeltaY
}

// within: the last pixel of a region belongs to it.
func within(r *study.Region, p [2]float64) bool {
	return p[0] >= float64(r.X0) && p[0] <= float64(r.X1+1) && p[1] >= float64(r.Y0) && p[1] <= float64(r.Y1+1)
}

func holdsAll(r *study.Region, points [][2]float64) bool {
	for _, p := range points {
		if !within(r, p) {
			return false
		}
	}
	return len(points) > 0
}

// Measurable reports whether lengths in mm exist anywhere on the image.
func Measurable(px study.Pixel) bool {
	if ultrasound(px) && !px.Measured {
		for i := range px.Regions {
			if spatial(&px.Regions[i]) {
				return true
			}
		}
		return false
	}
	return Calibrate(px).OK
}

// CalibrateBy is the calibration by a known object: its two ends, as in
// annotations, and its true length in mm, stated by name.
func CalibrateBy(px study.Pixel, name string, a, b [2]float64, length float64) Calibration {
	aspect := Aspect(px)
	pixels := math.Hypot(b[0]-a[0], (b[1]-a[1])*aspect)
	if !(pixels > 0) || !(length > 0) {
		return Calibration{DX: 1, DY: 1, Label: uncalibrated}
	}
	dx := length / pixels
	return mm(&[2]float64{dx * aspect, dx}, "mm calibrated by "+name)
}

// Aspect is the height of a pixel over its width, for the raster: of the
// spacing, else Pixel Aspect Ratio (0028,0034), else 1. Cells are never
// resampled for it.
func Aspect(px study.Pixel) float64 {
	list := []*[2]float64{px.PixelSpacing, px.ImagerSpacing, px.NominalSpacing, px.AspectRatio}
	if ultrasound(px) {
		for i := range px.Regions {
			if r := &px.Regions[i]; spatial(r) {
				list = append([]*[2]float64{{r.DeltaY, r.DeltaX}}, list...)
				break
			}
		}
	}
	for _, s := range list {
		if s == nil || !(s[0] > 0) || !(s[1] > 0) {
			continue
		}
		if a := s[0] / s[1]; a >= 1/aspectMax && a <= aspectMax {
			return a
		}
	}
	return 1
}
