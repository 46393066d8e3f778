// Package render turns decoded frames into what is shown: display values,
// windows, orientation letters, calibration labels.
//
//	stored cell → mask, shift, sign → modality LUT or rescale → VOI window or LUT → 8-bit grey
//
// (PS3.3 C.11, PS3.4 §N.2.) A [Frame] keeps the 16-bit cells; [Frame.Draw] is
// one table of at most 65,536 entries and one pass, so that windowing follows
// the mouse. [Frame.Probe] answers from the cells, never from display values.
//
// Results are deterministic. Nothing is resampled or scaled here, except by
// [Frame.Preview]. What is not certain is said by [Frame.Warnings].
package render

import (
	"encoding/binary"
	"errors"
	"math"

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
	px         study.Pixel
	rows, cols int
	colour     []byte   // interleaved RGB, for colour frames
	cells      []uint16 // grey: stored value + offset
	offset     int
	wide       []float64 // grey frames over 16 bits: stored values
	modality   []float64 // modality value by cell
	padding    []bool    // by cell; nil if none
	warnings   []string
}

// New prepares a frame. px is what holds for this frame: study.Pixel.Frame(k).
func New(n *codec.Native, px study.Pixel) (*Frame, error) {
	if n == nil || n.Rows < 1 || n.Cols < 1 || n.Rows > 65535 || n.Cols > 65535 {
		return nil, ErrCells
	}
	f := &Frame{px: px, rows: n.Rows, cols: n.Cols}
	f.warn(n)
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
	return f, nil
}

// Rows and Cols are the size in pixels.
func (f *Frame) Rows() int { return f.rows }

// Cols is the width in pixels.
func (f *Frame) Cols() int { return f.cols }

// Colour reports whether the frame has no window.
func (f *Frame) Colour() bool { return f.colour != nil }

// Warnings are the marks that must stay visible: lossy, partial, uncalibrated
// and what decoding found.
func (f *Frame) Warnings() []string { return f.warnings }

func (f *Frame) warn(n *codec.Native) {
	if n.Partial {
		f.warnings = append(f.warnings, "preview: some rows are missing")
	}
	if f.px.Lossy {
		f.warnings = append(f.warnings, "lossy compression")
	}
	if c := Calibrate(f.px); !c.OK {
		f.warnings = append(f.warnings, "uncalibrated")
	}
	f.warnings = append(f.warnings, n.Warnings...)
}

// grey reads stored values. Up to 16 bits stored they index tables.
func (f *Frame) grey(n *codec.Native) error {
	cells := n.Rows * n.Cols
	if n.Samples != 1 {
		return ErrPhotometric
	}
	width := max(1, n.BitsAllocated/8)
	if len(n.Data) < cells*width {
		return ErrCells
	}
	if f.px.Float || n.BitsAllocated > 16 {
		f.wide = wideCells(n, f.px.Float, cells)
		return nil
	}
	bits := f.px.BitsStored
	if bits < 1 || bits > n.BitsAllocated {
		bits = n.BitsAllocated
	}
	// PS3.5 §8.1.1: the stored bits end at High Bit; what is above or below is not pixel.
	shift := max(0, min(f.px.HighBit+1-bits, n.BitsAllocated-bits))
	if f.px.HighBit < bits-1 {
		shift = 0
	}
	mask := uint16(1<<bits - 1)
	flip := uint16(0)
	if n.Signed && bits > 1 {
		f.offset = 1 << (bits - 1)
		flip = uint16(f.offset) // two's complement + offset = top bit flipped
	}
	f.cells = make([]uint16, cells)
	if width == 1 {
		for i, v := range n.Data[:cells] {
			f.cells[i] = uint16(v)>>shift&mask ^ flip
		}
	} else {
		data := n.Data[:2*cells]
		for i := range f.cells {
			f.cells[i] = binary.LittleEndian.Uint16(data[2*i:])>>shift&mask ^ flip
		}
	}
	f.tables(1 << bits)
	return nil
}

// tables precomputes modality values and padding by cell.
func (f *Frame) tables(n int) {
	f.modality = make([]float64, n)
	for i := range f.modality {
		f.modality[i] = f.value(float64(i - f.offset))
	}
	if p := f.px.Padding; p != nil {
		f.padding = make([]bool, n)
		for i := max(0, p.Low+f.offset); i <= min(n-1, p.High+f.offset); i++ {
			f.padding[i] = true
		}
	}
}

// value is the modality transform (PS3.3 C.11.1): LUT or rescale, exclusive.
func (f *Frame) value(stored float64) float64 {
	if l := f.px.ModalityLUT; l != nil && len(l.Data) > 0 {
		return lookup(l, stored)
	}
	return stored*f.px.Slope + f.px.Intercept
}

func lookup(l *study.LUT, v float64) float64 {
	i := int(math.Round(v)) - l.First
	return float64(l.Data[max(0, min(i, len(l.Data)-1))])
}

// wideCells reads cells over 16 bits and floats.
func wideCells(n *codec.Native, float bool, cells int) []float64 {
	out := make([]float64, cells)
	for i := range out {
		var v float64
		if n.BitsAllocated == 64 {
			u := binary.LittleEndian.Uint64(n.Data[8*i:])
			v = float64(u)
			if float {
				v = math.Float64frombits(u)
			} else if n.Signed {
				v = float64(int64(u))
			}
		} else {
			u := binary.LittleEndian.Uint32(n.Data[4*i:])
			v = float64(u)
			if float {
				v = float64(math.Float32frombits(u))
			} else if n.Signed {
				v = float64(int32(u))
			}
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			v = 0
		}
		out[i] = v
	}
	return out
}

// Value is what lies under the cursor.
type Value struct {
	Stored  float64  `json:"stored"`
	Value   float64  `json:"value"`
	Unit    string   `json:"unit,omitempty"` // HU or empty
	Padding bool     `json:"padding,omitempty"`
	Colour  bool     `json:"colour,omitempty"`
	RGB     [3]uint8 `json:"rgb"`
}

// Probe reads the pixel at column x and row y, both from 0.
func (f *Frame) Probe(x, y int) (Value, bool) {
	if x < 0 || y < 0 || x >= f.cols || y >= f.rows {
		return Value{}, false
	}
	i := y*f.cols + x
	switch {
	case f.colour != nil:
		return Value{Colour: true, RGB: [3]uint8(f.colour[3*i : 3*i+3])}, true
	case f.wide != nil:
		return Value{Stored: f.wide[i], Value: f.value(f.wide[i]), Unit: f.Unit()}, true
	}
	c := f.cells[i]
	v := Value{Stored: float64(int(c) - f.offset), Value: f.modality[c], Unit: f.Unit()}
	v.Padding = f.padding != nil && f.padding[c]
	return v, true
}

// Unit of modality values: HU only where Rescale Type says so, or for a CT
// without one (IMAGING.md §5.6).
func (f *Frame) Unit() string {
	if f.Colour() {
		return ""
	}
	if f.px.RescaleType == "HU" || f.px.RescaleType == "" && f.px.Modality == "CT" {
		return "HU"
	}
	return ""
}
