package render

import (
	"image"
	"math"
	"slices"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Sources of the window in use.
const (
	FromUser = "user"
	FromFile = "file"
	FromLUT  = "lut"
	FromAuto = "automatic"
)

// Options choose how a frame is drawn. The zero value draws as the file says.
type Options struct {
	Window *study.Window // the user's; LINEAR
	Choice int           // which window of the file, from 0
	Auto   bool          // ignore the file's windows
	Invert bool          // on top of what the photometric interpretation asks
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
	Source   string // FromUser, FromFile, FromLUT, FromAuto
}

// Used says which window Draw takes: the user's, else one of the file, else its
// VOI LUT, else automatic.
func (f *Frame) Used(o Options) Used {
	u, _ := f.choose(o)
	return u
}

func (f *Frame) choose(o Options) (Used, *study.LUT) {
	if o.Window != nil && sane(*o.Window, "LINEAR") {
		return Used{Window: *o.Window, Function: "LINEAR", Source: FromUser}, nil
	}
	function := f.px.VOIFunction
	if function != "SIGMOID" && function != "LINEAR_EXACT" {
		function = "LINEAR"
	}
	if !o.Auto && o.Window == nil {
		if i := o.Choice; i >= 0 && i < len(f.px.Windows) && sane(f.px.Windows[i], function) {
			return Used{Window: f.px.Windows[i], Function: function, Source: FromFile}, nil
		}
		for i := range f.px.VOILUTs {
			l := &f.px.VOILUTs[i]
			if len(l.Data) > 0 {
				w := study.Window{Centre: float64(l.First) + float64(len(l.Data))/2, Width: float64(len(l.Data)), Explanation: l.Explanation}
				return Used{Window: w, Function: "LINEAR", Source: FromLUT}, l
			}
		}
	}
	return Used{Window: f.automatic(), Function: "LINEAR_EXACT", Source: FromAuto}, nil
}

// sane: PS3.3 C.11.2.1.2 wants a width of at least 1, above 0 for the others.
func sane(w study.Window, function string) bool {
	if math.IsNaN(w.Centre) || math.IsInf(w.Centre, 0) || math.IsNaN(w.Width) || math.IsInf(w.Width, 0) {
		return false
	}
	return w.Width >= 1 || function != "LINEAR" && w.Width > 0
}

// Level applies a VOI function, giving 0 to 1 (PS3.3 C.11.2.1.2 and .3).
func Level(x float64, w study.Window, function string) float64 {
	c, width := w.Centre, w.Width
	switch function {
	case "SIGMOID":
		return 1 / (1 + math.Exp(-4*(x-c)/width))
	case "LINEAR_EXACT":
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

// automatic is the 1st to 99th percentile of what is not padding.
func (f *Frame) automatic() study.Window {
	var low, high float64
	if f.wide != nil {
		low, high = f.widePercentiles()
	} else {
		low, high = f.percentiles()
	}
	if high <= low {
		return study.Window{Centre: low + 0.5, Width: 1}
	}
	return study.Window{Centre: (low + high) / 2, Width: high - low}
}

func (f *Frame) percentiles() (low, high float64) {
	counts := make([]int, len(f.modality))
	for _, c := range f.cells {
		counts[c]++
	}
	total := 0
	for i, n := range counts {
		if f.padding != nil && f.padding[i] {
			counts[i] = 0
			continue
		}
		total += n
	}
	if total == 0 {
		return 0, 0
	}
	at := func(rank int) float64 {
		for i, n := range counts {
			if rank -= n; rank < 0 {
				return f.modality[i]
			}
		}
		return f.modality[len(f.modality)-1]
	}
	a, b := at(total/100), at(total-1-total/100)
	return min(a, b), max(a, b) // a negative slope inverts
}

func (f *Frame) widePercentiles() (low, high float64) {
	values := make([]float64, len(f.wide))
	for i, v := range f.wide {
		values[i] = f.value(v)
	}
	slices.Sort(values)
	n := len(values)
	return values[n/100], values[n-1-n/100]
}

// inverted: MONOCHROME1 without a shape, or the shape INVERSE: one inversion.
func (f *Frame) inverted(o Options) bool {
	inverse := f.px.Shape == "INVERSE" || f.px.Shape == "" && f.px.Photometric == "MONOCHROME1"
	return inverse != o.Invert
}

// Draw gives an *image.Gray, or an *image.RGBA for colour. Padding is black.
func (f *Frame) Draw(o Options) image.Image {
	if f.colour != nil {
		return f.drawColour(o)
	}
	out := image.NewGray(image.Rect(0, 0, f.cols, f.rows))
	shade := f.shader(o)
	if f.wide != nil {
		for i, v := range f.wide {
			out.Pix[i] = shade(f.value(v))
		}
		return out
	}
	table := make([]uint8, 1<<16) // of all cells, so that the loop below checks nothing
	for i, v := range f.modality {
		if f.padding == nil || !f.padding[i] {
			table[i] = shade(v)
		}
	}
	pix := out.Pix[:len(f.cells)]
	lut := (*[1 << 16]uint8)(table)
	for i, c := range f.cells {
		pix[i] = lut[c]
	}
	return out
}

// shader maps modality values to grey.
func (f *Frame) shader(o Options) func(float64) uint8 {
	used, lut := f.choose(o)
	invert := f.inverted(o)
	top := 1.0
	if lut != nil {
		top = float64(slices.Max(lut.Data)) // wrong bit counts exist
	}
	return func(v float64) uint8 {
		var y float64
		if lut != nil {
			y = lookup(lut, v) / max(1, top)
		} else {
			y = Level(v, used.Window, used.Function)
		}
		if invert {
			y = 1 - y
		}
		return uint8(math.Round(255 * y))
	}
}

func (f *Frame) drawColour(o Options) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, f.cols, f.rows))
	var flip uint8
	if o.Invert {
		flip = 255
	}
	for i, j := 0, 0; i+2 < len(f.colour); i, j = i+3, j+4 {
		p := out.Pix[j : j+4 : j+4]
		p[0], p[1], p[2], p[3] = f.colour[i]^flip, f.colour[i+1]^flip, f.colour[i+2]^flip, 255
	}
	return out
}

// Preview is the frame drawn with at most side pixels on the long side, by box
// averages. It is for previews alone and must be marked so.
func (f *Frame) Preview(o Options, side int) image.Image {
	return shrink(f.Draw(o), min(side, study.PreviewSideMax))
}
