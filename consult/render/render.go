// Package render turns decoded frames into what is shown: display values,
// windows, orientation letters, calibration labels.
//
//	stored cell → mask, shift, sign → modality LUT or rescale → VOI window or LUT
//	→ presentation LUT or shape → 8-bit grey → shutter → overlays
//
// (PS3.3 C.11, PS3.4 §N.2.) A [Frame] keeps the 16-bit cells; [Frame.Draw] is
// one table of at most 65,536 entries and one pass, so that windowing follows
// the mouse. [Frame.Probe] answers from the cells, never from display values.
// A presentation state is applied as [Presentation]; [Turn] is how the picture
// lies on the screen and which letters stand at its edges then.
//
// Results are deterministic. Nothing is resampled or scaled here, except by
// [Frame.Preview]: unequal pixels are the raster's work, by [Aspect]. What is not
// certain is said by [Frame.Warnings] and [Frame.Marks].
//
// Fuzz: go test -fuzz FuzzRender ./consult/render
package render

import (
	"errors"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// ErrPhotometric says that the colour space is not one that is shown here. The
// frame is withheld, not guessed.
var ErrPhotometric = errors.New("photometric interpretation cannot be displayed")

// ErrCells says that the cells do not have the size that they should have.
var ErrCells = errors.New("frame has fewer cells than declared")

// Frame is one frame, ready to be drawn. It is not safe for concurrent use.
type Frame struct {
	px          study.Pixel
	photometric string // of the decoded cells
	partial     bool
	rows, cols  int

	colour []byte   // interleaved RGB, for colour frames
	cells  []uint16 // grey: stored value + offset
	offset int
	last   int       // highest cell
	wide   []float64 // grey frames over 16 bits: stored values
	blank  []bool    // by pixel of wide: padding or no number; nil if none

	modal    func(stored float64) float64 // the image's modality transform
	modality []float64                    // its value by cell
	padding  []bool                       // by cell; nil if none
	counts   []int                        // pixels by cell, once asked for

	overlays []study.Overlay
	hidden   []bool // by pixel: outside of the image's shutter, once asked for
	palette  *shades
	found    []string // what decoding found
}

// New prepares a frame. px is what holds for this frame: study.Pixel.Frame(k).
func New(n *codec.Native, px study.Pixel) (*Frame, error) {
	if n == nil || n.Rows < 1 || n.Cols < 1 || n.Rows > pixelsMax || n.Cols > pixelsMax {
		return nil, ErrCells
	}
	f := &Frame{
		px: px, rows: n.Rows, cols: n.Cols, photometric: n.Photometric, partial: n.Partial, found: n.Warnings,
	}
	f.modal = f.transform(nil)
	var err error
	switch n.Photometric {
	case "MONOCHROME1", "MONOCHROME2":
		err = f.grey(n)
	case "RGB", "YBR_FULL", "YBR_FULL_422":
		err = f.rgb(n)
	case "PALETTE COLOR":
		err = f.paletted(n)
	default:
		err = ErrPhotometric
	}
	if err != nil {
		return nil, err
	}
	f.planes(n)
	return f, nil
}

// Rows is the height in pixels.
func (f *Frame) Rows() int { return f.rows }

// Cols is the width in pixels.
func (f *Frame) Cols() int { return f.cols }

// Colour reports whether the frame has no window.
func (f *Frame) Colour() bool { return f.colour != nil }
