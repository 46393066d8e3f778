package study

import (
	"cmp"
	"math"
	"slices"
)

// Reading orders of a stack.
const (
	ByPosition = "position"         // along the normal of the slices
	ByNumber   = "instance numbers" // said aloud: position or orientation is missing
)

// A Stack is one run of images of a series in reading order: what one series
// mixes (phases, orientations) is parted first.
type Stack struct {
	Instances []*Instance
	Order     string  // ByPosition or ByNumber
	Spacing   float64 // mm, median of the differences; 0 if unknown
	Irregular bool    // a difference is more than 5 % off
	Gaps      bool    // a difference is at least 1.5 times the median
}

// Sort brings a series into reading order, stack after stack. The order does
// not depend on that of the argument.
func Sort(series []*Instance) []Stack {
	groups := map[stackKey][]*Instance{}
	acquisitions := perSlice(series)
	for _, in := range series {
		k := keyOf(in)
		if acquisitions {
			k.acquisition = 0
		}
		groups[k] = append(groups[k], in)
	}
	var out []Stack
	for _, g := range groups {
		out = append(out, stackOf(g))
	}
	slices.SortFunc(out, func(a, b Stack) int { return a.first().compare(b.first()) })
	return out
}

// perSlice reports whether acquisitions number slices, as step-and-shoot
// scanners do, rather than phases.
func perSlice(series []*Instance) bool {
	seen := map[int64]bool{}
	for _, in := range series {
		if in.AcquisitionNumber != nil {
			seen[*in.AcquisitionNumber] = true
		}
	}
	return 2*len(seen) > len(series)
}

// Ordered is Sort without the seams.
func Ordered(series []*Instance) []*Instance {
	var out []*Instance
	for _, s := range Sort(series) {
		out = append(out, s.Instances...)
	}
	return out
}

// first is the instance that places a stack among its series.
func (s Stack) first() *Instance {
	return slices.MinFunc(s.Instances, (*Instance).compare)
}

// stackKey parts what a SeriesInstanceUID mixes (IMAGING.md §2.3).
type stackKey struct {
	orientation [6]int16 // rounded to the tolerance of ±0.01 and a little more
	oriented    bool
	frameOfRef  string
	temporal    int64
	acquisition int64
	echo        string
	kind        string // Image Type value 3
	rows, cols  int
}

func keyOf(in *Instance) stackKey {
	k := stackKey{frameOfRef: in.FrameOfRef, echo: in.EchoTime, rows: in.Pixel.Rows, cols: in.Pixel.Cols}
	if o := in.Pixel.Orientation; o != nil {
		k.oriented = true
		for i, v := range o {
			k.orientation[i] = int16(math.Round(v * 25))
		}
	}
	if in.TemporalPosition != nil {
		k.temporal = *in.TemporalPosition
	}
	if in.AcquisitionNumber != nil {
		k.acquisition = *in.AcquisitionNumber
	}
	if len(in.ImageType) > 2 {
		k.kind = in.ImageType[2]
	}
	return k
}

// stackOf orders one stack: by position along the normal where all have one,
// else by number. Ties go by acquisition time, number and UID, so that the
// order is total whatever the values.
func stackOf(list []*Instance) Stack {
	s := Stack{Instances: slices.Clone(list), Order: ByNumber}
	slices.SortFunc(s.Instances, (*Instance).compare)
	depth := map[*Instance]float64{}
	for _, in := range s.Instances {
		d, ok := in.Depth()
		if !ok {
			return s
		}
		depth[in] = d
	}
	s.Order = ByPosition
	slices.SortStableFunc(s.Instances, func(a, b *Instance) int {
		return cmp.Or(cmp.Compare(depth[a], depth[b]), cmp.Compare(a.AcquisitionTime, b.AcquisitionTime), a.compare(b))
	})
	s.measure(depth)
	return s
}

// measure finds spacing, irregular steps and gaps.
func (s *Stack) measure(depth map[*Instance]float64) {
	var steps []float64
	for i := 1; i < len(s.Instances); i++ {
		if d := depth[s.Instances[i]] - depth[s.Instances[i-1]]; d > 1e-3 {
			steps = append(steps, d)
		}
	}
	if len(steps) == 0 {
		return
	}
	sorted := slices.Sorted(slices.Values(steps))
	s.Spacing = sorted[len(sorted)/2]
	for _, d := range steps {
		s.Irregular = s.Irregular || math.Abs(d-s.Spacing) > 0.05*s.Spacing
		s.Gaps = s.Gaps || d >= 1.5*s.Spacing
	}
}

// Depth is the place of a slice along its normal, in mm: IPP · (row × column).
func (in *Instance) Depth() (float64, bool) {
	o, p := in.Pixel.Orientation, in.Pixel.Position
	if o == nil || p == nil {
		return 0, false
	}
	normal := [3]float64{o[1]*o[5] - o[2]*o[4], o[2]*o[3] - o[0]*o[5], o[0]*o[4] - o[1]*o[3]}
	return p[0]*normal[0] + p[1]*normal[1] + p[2]*normal[2], true
}

// compare orders by Instance Number, those without one last, then by UID.
func (in *Instance) compare(o *Instance) int {
	number := func(i *Instance) int64 {
		if i.Number == nil {
			return math.MaxInt64
		}
		return *i.Number
	}
	return cmp.Or(cmp.Compare(number(in), number(o)), cmp.Compare(in.SOPUID, o.SOPUID))
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
