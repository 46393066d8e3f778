package render

import (
	"fmt"
	"math"
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Calibration says what a length on this image means (IMAGING.md §5.5).
type Calibration struct {
	OK    bool    // lengths may be given in mm
	DX    float64 // mm per column
	DY    float64 // mm per row
	Label string  // stands beside every length, area and scale bar
}

// projection modalities have a magnification that spacing does not tell.
var projection = map[string]bool{"CR": true, "DX": true, "RG": true, "MG": true, "XA": true, "RF": true, "IO": true, "PX": true}

// Calibrate chooses the spacing and its label.
func Calibrate(px study.Pixel) Calibration {
	mm := func(s *[2]float64, label string) Calibration {
		return Calibration{OK: true, DY: s[0], DX: s[1], Label: label}
	}
	ps, is := px.PixelSpacing, px.ImagerSpacing
	switch {
	case !projection[px.Modality] && px.Modality != "US" && ps != nil:
		return mm(ps, "mm")
	case ps != nil && px.Calibration == "FIDUCIAL":
		return mm(ps, "mm calibrated: fiducial")
	case ps != nil && px.Calibration == "GEOMETRY":
		return mm(ps, "mm calibrated: geometry")
	case is != nil && px.Magnification > 0 && (ps == nil || *ps == *is):
		m := px.Magnification
		return mm(&[2]float64{is[0] / m, is[1] / m}, fmt.Sprintf("mm estimated ×%.2f", m))
	case is != nil && (ps == nil || *ps == *is):
		return mm(is, "mm at detector, magnification not corrected")
	case ps != nil && is != nil:
		return mm(ps, "mm calibrated, method not stated")
	case px.NominalSpacing != nil:
		return mm(px.NominalSpacing, "mm film scale")
	}
	return Calibration{DX: 1, DY: 1, Label: "px, uncalibrated"}
}

// Edges are the letters at the four edges of an image as stored.
type Edges struct {
	Left, Right, Top, Bottom string
}

// Known reports whether there is anything to draw.
func (e Edges) Known() bool { return e != Edges{} }

// Orientation gives the letters from Image Orientation (Patient), else from
// Patient Orientation as written, else none: never from a guess.
func Orientation(px study.Pixel) Edges {
	o := px.Orientation
	if o == nil {
		row, col := px.PatientOrientation[0], px.PatientOrientation[1]
		return Edges{Left: opposite(row), Right: row, Top: opposite(col), Bottom: col}
	}
	row, col := [3]float64{o[0], o[1], o[2]}, [3]float64{o[3], o[4], o[5]}
	return Edges{
		Left: letters(minus(row), px.Quadruped), Right: letters(row, px.Quadruped),
		Top: letters(minus(col), px.Quadruped), Bottom: letters(col, px.Quadruped),
	}
}

func minus(v [3]float64) [3]float64 { return [3]float64{-v[0], -v[1], -v[2]} }

// letters names a direction in LPS axes: the largest component, then those
// above 0.3.
func letters(v [3]float64, quadruped bool) string {
	names := [3][2]string{{"R", "L"}, {"A", "P"}, {"F", "H"}}
	if quadruped { // PS3.3 C.7.6.1.1.1
		names = [3][2]string{{"RT", "LE"}, {"V", "D"}, {"CD", "CR"}}
	}
	var out strings.Builder
	used := [3]bool{}
	for range 3 {
		best := -1
		for i := range v {
			if !used[i] && (best < 0 || math.Abs(v[i]) > math.Abs(v[best])) {
				best = i
			}
		}
		if math.Abs(v[best]) <= 0.3 {
			break
		}
		used[best] = true
		side := 0
		if v[best] > 0 {
			side = 1
		}
		out.WriteString(names[best][side])
	}
	return out.String()
}

var opposites = map[string]string{
	"R": "L", "L": "R", "A": "P", "P": "A", "F": "H", "H": "F",
	"RT": "LE", "LE": "RT", "V": "D", "D": "V", "CD": "CR", "CR": "CD",
}

// opposite turns letters around; what is not known gives nothing.
func opposite(s string) string {
	if o, ok := opposites[s]; ok {
		return o
	}
	var out strings.Builder
	for _, r := range s {
		o, ok := opposites[string(r)]
		if !ok {
			return ""
		}
		out.WriteString(o)
	}
	return out.String()
}

// PatientPoint is where the point (x, y) of an image is in the patient, in mm.
// x and y are as in annotations: (0.5, 0.5) is the centre of the first pixel
// (IMAGING.md §6).
func PatientPoint(px study.Pixel, x, y float64) ([3]float64, bool) {
	if px.Orientation == nil || px.Position == nil || px.PixelSpacing == nil {
		return [3]float64{}, false
	}
	o, p, s := px.Orientation, px.Position, px.PixelSpacing
	var out [3]float64
	for i := range out {
		out[i] = p[i] + s[1]*(x-0.5)*o[i] + s[0]*(y-0.5)*o[3+i]
	}
	return out, true
}
