package study

import (
	"cmp"
	"math"
	"strconv"
)

// Reading orders of a stack.
const (
	ByPosition = "position"         // along the normal of the slices
	ByNumber   = "instance numbers" // said aloud: position or orientation is missing
)

// Slice is what reading order needs of one frame. An enhanced multi-frame
// object gives one for each frame, a single-frame instance one; afterwards
// nobody needs to know which it was.
type Slice struct {
	SOPUID      string      `json:"sop_uid"`
	Frame       int         `json:"frame"` // from 0
	Number      *int64      `json:"number,omitempty"`
	FrameOfRef  string      `json:"frame_of_reference,omitempty"`
	Rows        int         `json:"rows"`
	Cols        int         `json:"cols"`
	Orientation *[6]float64 `json:"orientation,omitempty"`
	Position    *[3]float64 `json:"position,omitempty"`
	Spacing     *[2]float64 `json:"spacing,omitempty"` // Δy, Δx, mm
	Time        string      `json:"time,omitempty"`    // of acquisition, TM
	Phase
}

// Phase parts what one SeriesInstanceUID mixes (IMAGING.md §2.3). Zero values
// are absent ones.
type Phase struct {
	Kind        string  `json:"kind,omitempty"` // Image Type value 3
	Temporal    int64   `json:"temporal,omitempty"`
	BValue      float64 `json:"b_value,omitempty"` // s/mm²
	Echo        float64 `json:"echo,omitempty"`    // ms
	Trigger     float64 `json:"trigger,omitempty"` // ms
	Acquisition int64   `json:"acquisition,omitempty"`
}

// Slices describes the frames of an instance, at most [SlicesMax] of them.
func (in *Instance) Slices() []Slice {
	n := min(max(in.Pixel.Frames, 1), SlicesMax)
	out := make([]Slice, 0, n)
	first := in.slice()
	for k := range n {
		s := first
		s.Frame = k
		if k < len(in.Pixel.PerFrame) {
			s.merge(&in.Pixel.PerFrame[k])
		}
		out = append(out, s)
	}
	return out
}

// slice is what holds for all frames.
func (in *Instance) slice() Slice {
	p := &in.Pixel
	s := Slice{
		SOPUID: in.SOPUID, Number: in.Number, FrameOfRef: in.FrameOfRef, Rows: p.Rows, Cols: p.Cols,
		Orientation: p.Orientation, Position: p.Position, Spacing: p.PixelSpacing, Time: in.AcquisitionTime,
	}
	if len(in.ImageType) > 2 {
		s.Kind = in.ImageType[2]
	}
	if in.TemporalPosition != nil {
		s.Temporal = *in.TemporalPosition
	}
	if in.AcquisitionNumber != nil {
		s.Acquisition = *in.AcquisitionNumber
	}
	s.Echo, s.Trigger, s.BValue = number(in.EchoTime), number(in.TriggerTime), in.BValue
	return s
}

// merge sets what a frame has of its own.
func (s *Slice) merge(f *FramePixel) {
	if f.Orientation != nil {
		s.Orientation = f.Orientation
	}
	if f.Position != nil {
		s.Position = f.Position
	}
	if f.PixelSpacing != nil {
		s.Spacing = f.PixelSpacing
	}
	if p := f.Phase; p != nil {
		s.Kind = cmp.Or(p.Kind, s.Kind)
		s.Temporal, s.Acquisition = cmp.Or(p.Temporal, s.Temporal), cmp.Or(p.Acquisition, s.Acquisition)
		s.BValue, s.Echo, s.Trigger = cmp.Or(p.BValue, s.BValue), cmp.Or(p.Echo, s.Echo), cmp.Or(p.Trigger, s.Trigger)
	}
}

// number reads a DS that passed as text; 0 if it is none.
func number(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// placed reports whether a slice has a place in the patient. Whoever wrote the
// values, what is computed from them is finite.
func (s *Slice) placed() bool {
	if s.Orientation == nil || s.Position == nil {
		return false
	}
	return orientation(s.Orientation[:]) != nil && position(s.Position[:]) != nil
}

// Normal is row × column; ok is false without an orientation.
func (s *Slice) Normal() (n [3]float64, ok bool) {
	if s.Orientation == nil || orientation(s.Orientation[:]) == nil {
		return n, false
	}
	o := s.Orientation
	return [3]float64{o[1]*o[5] - o[2]*o[4], o[2]*o[3] - o[0]*o[5], o[0]*o[4] - o[1]*o[3]}, true
}

// compare orders by Instance Number, those without one last, then by UID and
// frame.
func (s *Slice) compare(o *Slice) int {
	n := func(s *Slice) int64 {
		if s.Number == nil {
			return math.MaxInt64
		}
		return *s.Number
	}
	return cmp.Or(cmp.Compare(n(s), n(o)), cmp.Compare(s.SOPUID, o.SOPUID), cmp.Compare(s.Frame, o.Frame))
}

// CompareSeries orders series: by number, those without one last, then by date
// and time, then by UID.
func CompareSeries(a, b *Instance) int {
	number := func(i *Instance) int64 {
		if i.SeriesNumber == nil {
			return math.MaxInt64
		}
		return *i.SeriesNumber
	}
	return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a.SeriesDate, b.SeriesDate),
		cmp.Compare(a.SeriesTime, b.SeriesTime), cmp.Compare(a.SeriesUID, b.SeriesUID))
}
