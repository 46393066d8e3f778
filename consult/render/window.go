package render

import (
	"math"
	"slices"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Sources of the window in use.
const (
	FromUser  = "user"
	FromState = "presentation state"
	FromFile  = "file"
	FromLUT   = "lut"
	FromAuto  = "automatic"
)

// VOI functions (PS3.3 C.11.2.1.2, C.11.2.1.3).
const (
	Linear      = "LINEAR"
	LinearExact = "LINEAR_EXACT"
	Sigmoid     = "SIGMOID"
)

// Options choose how a frame is drawn. The zero value draws as the file says.
type Options struct {
	Window   *study.Window // the user's
	Function string        // of Window; empty is LINEAR
	Choice   int           // which window of the file, from 0
	LUT      int           // which VOI LUT of the file, from 1, instead of a window
	Auto     bool          // ignore the file's windows, and those of the state
	Invert   bool          // on top of what the photometric interpretation asks
	// State is a presentation state to apply; Window and Invert stand above it.
	State *Presentation
	// HideOverlays leaves overlay planes out, LiftShutter shows what a shutter hides.
	HideOverlays bool
	LiftShutter  bool
}

// Used is the window that a drawing uses.
type Used struct {
	study.Window
	Function string // LINEAR, LINEAR_EXACT, SIGMOID
	Source   string // FromUser, FromState, FromFile, FromLUT, FromAuto
}

// Used says which window Draw takes: the user's, else that of the state, else
// one of the file, else its VOI LUT, else automatic.
func (f *Frame) Used(o Options) Used {
	u, _ := f.choose(o)
	return u
}

func (f *Frame) choose(o Options) (Used, *study.LUT) {
	if o.Window != nil && sane(*o.Window, function(o.Function)) {
		return Used{Window: *o.Window, Function: function(o.Function), Source: FromUser}, nil
	}
	if !o.Auto && o.State != nil && (o.Window == nil) {
		if u, l, ok := f.chooseState(o.State); ok {
			return u, l
		}
	} else if !o.Auto && o.Window == nil {
		if u, l, ok := f.chooseFile(o); ok {
			return u, l
		}
	}
	return Used{Window: f.automatic(o.State), Function: LinearExact, Source: FromAuto}, nil
}

// chooseState: without a VOI transform of its own a state shows the whole range
// of the modality values (PS3.4 §N.2.1.2).
func (f *Frame) chooseState(s *Presentation) (Used, *study.LUT, bool) {
	if usable(s.VOILUT) {
		return ofLUT(s.VOILUT, FromState), s.VOILUT, true
	}
	if s.Window != nil {
		w, fn := *s.Window, function(s.Function)
		return Used{Window: w, Function: fn, Source: FromState}, nil, sane(w, fn)
	}
	low, high := f.span(s)
	w := study.Window{Centre: (low + high) / 2, Width: high - low}
	return Used{Window: w, Function: LinearExact, Source: FromState}, nil, w.Width > 0
}

func (f *Frame) chooseFile(o Options) (Used, *study.LUT, bool) {
	luts := f.px.VOILUTs
	if i := o.LUT - 1; i >= 0 && i < len(luts) && usable(&luts[i]) {
		return ofLUT(&luts[i], FromLUT), &luts[i], true
	}
	fn := function(f.px.VOIFunction)
	if i := o.Choice; i >= 0 && i < len(f.px.Windows) && sane(f.px.Windows[i], fn) {
		return Used{Window: f.px.Windows[i], Function: fn, Source: FromFile}, nil, true
	}
	for i := range luts {
		if usable(&luts[i]) {
			return ofLUT(&luts[i], FromLUT), &luts[i], true
		}
	}
	return Used{}, nil, false
}

func usable(l *study.LUT) bool { return l != nil && len(l.Data) > 0 }

func ofLUT(l *study.LUT, source string) Used {
	w := study.Window{Centre: float64(l.First) + float64(len(l.Data))/2, Width: float64(len(l.Data)), Explanation: l.Explanation}
	return Used{Window: w, Function: Linear, Source: source}
}

// function: PS3.3 C.11.2.1.3: absent is LINEAR; what is not known is taken so too.
func function(s string) string {
	if s == Sigmoid || s == LinearExact {
		return s
	}
	return Linear
}

// sane: PS3.3 C.11.2.1.2 wants a width of at least 1, above 0 for the others.
func sane(w study.Window, function string) bool {
	if math.IsNaN(w.Centre) || math.IsInf(w.Centre, 0) || math.IsNaN(w.Width) || math.IsInf(w.Width, 0) {
		return false
	}
	return w.Width >= 1 || function != Linear && w.Width > 0
}

// Level applies a VOI function, giving 0 to 1 (PS3.3 C.11.2.1.2 and .3).
func Level(x float64, w study.Window, function string) float64 {
	c, width := w.Centre, w.Width
	switch function {
	case Sigmoid:
		return 1 / (1 + math.Exp(-4*(x-c)/width))
	case LinearExact:
		switch {
		case x <= c-width/2:
			return 0
		case x > c+width/2:
			return 1
		}
		return (x-c)/width + 0.5
	}
	switch {
	case x <= c-0.5-(width-1)/2:
		return 0
	case x > c-0.5+(width-1)/2:
		return 1
	}
	return (x-(c-0.5))/(width-1) + 0.5
}

// span is the range that modality values can have.
func (f *Frame) span(s *Presentation) (low, high float64) {
	if t := stateTable(f, s); t != nil {
		return float64(slices.Min(t.Data)), float64(slices.Max(t.Data))
	}
	value := f.transform(s)
	if f.wide != nil {
		low, high = extremes(f.wide, f.blank)
		low, high = value(low), value(high)
	} else {
		bits := f.px.BitsStored
		if bits < 1 || bits > 16 {
			bits = 16
		}
		low, high = value(float64(-f.offset)), value(float64(1<<bits-1-f.offset))
	}
	return min(low, high), max(low, high)
}

// stateTable is the modality LUT in force, nil for a rescale.
func stateTable(f *Frame, s *Presentation) *study.LUT {
	t := f.px.ModalityLUT
	if s != nil && s.ModalityLUT != nil {
		t = s.ModalityLUT
	} else if s != nil && s.Rescale != nil {
		t = nil
	}
	if !usable(t) {
		return nil
	}
	return t
}

func extremes(values []float64, blank []bool) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for i, v := range values {
		if blank == nil || !blank[i] {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		return 0, 0
	}
	return low, high
}

// automatic is the 1st to 99th percentile of what is not padding.
func (f *Frame) automatic(s *Presentation) study.Window {
	var low, high float64
	if f.wide != nil {
		low, high = f.widePercentiles(f.transform(s))
	} else {
		low, high = f.percentiles(f.values(s))
	}
	if !(high > low) || math.IsInf(high-low, 0) {
		return study.Window{Centre: low + 0.5, Width: 1}
	}
	return study.Window{Centre: low/2 + high/2, Width: high - low}
}

// histogram counts the pixels that are not padding, by cell, and not those of a
// supplemental palette, which have colours.
func (f *Frame) histogram() []int {
	if f.counts != nil {
		return f.counts
	}
	f.counts = make([]int, len(f.modality))
	for _, c := range f.cells {
		f.counts[c]++
	}
	for i := range f.counts {
		if f.padding != nil && f.padding[i] || f.palette != nil && i-f.offset >= f.palette.first {
			f.counts[i] = 0
		}
	}
	return f.counts
}

func (f *Frame) percentiles(values []float64) (low, high float64) {
	counts := f.histogram()
	total := 0
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return 0, 0
	}
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	if !slices.IsSorted(values) { // a negative slope, or a LUT
		slices.SortStableFunc(order, func(a, b int) int { return compare(values[a], values[b]) })
	}
	at := func(rank int) float64 {
		for _, i := range order {
			if rank -= counts[i]; rank < 0 {
				return values[i]
			}
		}
		return values[order[len(order)-1]]
	}
	return at(total / 100), at(total - 1 - total/100)
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (f *Frame) widePercentiles(value func(float64) float64) (low, high float64) {
	values := make([]float64, 0, len(f.wide))
	for i, v := range f.wide {
		if f.blank == nil || !f.blank[i] {
			values = append(values, value(v))
		}
	}
	if len(values) == 0 {
		return 0, 0
	}
	slices.Sort(values)
	n := len(values)
	return values[n/100], values[n-1-n/100]
}
