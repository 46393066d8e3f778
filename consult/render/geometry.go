package render

import "github.com/curbside-p2p/curbside/consult/study"

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
