package render

import "github.com/curbside-p2p/curbside/consult/study"

// Presentation is what a presentation state means to drawing (PS3.3 C.11, C.10.4,
// C.10.6; PS3.4 §N.2). It stands before what the image says, the user's window
// before it. Its graphics are marks and not drawn here.
type Presentation struct {
	// Modality transform: a LUT, or a rescale; neither leaves the image's own.
	ModalityLUT *study.LUT
	Rescale     *Rescale
	// VOI: a window with its function, or a LUT; neither leaves the whole range
	// of the modality values (PS3.4 §N.2.1.2).
	Window   *study.Window
	Function string // empty, LINEAR, LINEAR_EXACT, SIGMOID
	VOILUT   *study.LUT
	// Presentation LUT: a table, or a shape: IDENTITY or INVERSE. The photometric
	// interpretation no longer inverts: P-values come out (PS3.3 C.11.6).
	Shape           string
	PresentationLUT *study.LUT

	Turn    Turn
	Area    *Area
	Shutter *study.Shutter
	// Hide is a bitmap shutter (PS3.3 C.7.6.15): its set bits are shown as HideValue,
	// a P-value of 16 bits.
	Hide      *study.Overlay
	HideValue uint16
	// Overlays of the state itself, and the groups of the image's overlays that it
	// activates; the others of the image are not drawn.
	Overlays  []study.Overlay
	Activated []int
}

// Rescale is a linear modality transform.
type Rescale struct {
	Slope     float64
	Intercept float64
	Type      string
}

// Area is the displayed area of an image (PS3.3 C.10.4): pixels as stored, from
// 1, both within; X is the column.
type Area struct {
	X0, Y0, X1, Y1 int
	Mode           string      // SCALE TO FIT, TRUE SIZE, MAGNIFY
	Spacing        *[2]float64 // Presentation Pixel Spacing, row and column, mm
	Aspect         *[2]float64 // Presentation Pixel Aspect Ratio, vertical and horizontal
	Magnification  float64     // of MAGNIFY
}
