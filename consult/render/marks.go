package render

import (
	"fmt"
	"strconv"
	"strings"
)

// Setting is what a viewer knows beside the frame.
type Setting struct {
	Turn     Turn
	Preview  bool // the frame is a small stand-in
	Loaded   int  // instances of the series that are here
	Expected int  // that it has; 0 if not known
	ByNumber bool // the series could not be ordered by position
}

// veterinary and visible light: what colours mean there depends on a profile
// (PS3.3 C.11.15), which is not applied.
var coloured = map[string]bool{
	"XC": true, "GM": true, "SM": true, "ES": true, "OP": true, "OPT": true, "DMS": true, "VL": true,
}

// Warnings are the marks of the image itself that must stay visible.
func (f *Frame) Warnings() []string {
	px := &f.px
	var out []string
	add := func(when bool, s string) {
		if when {
			out = append(out, s)
		}
	}
	add(f.partial, "preview: some rows are missing")
	add(px.Lossy, lossy(px.LossyRatio, px.LossyMethod))
	add(!Measurable(*px), "uncalibrated")
	add(!Orientation(*px).Known(), f.unoriented())
	add(f.Colour() && (coloured[px.Modality] || px.ICC), "colour not managed")
	add(!f.Colour() && f.badWindow(), "window of the file is invalid and ignored")
	add(f.repaired(), "lookup table repaired")
	if px.Modality == "PT" {
		if _, err := Uptake(*px); err != nil {
			out = append(out, "SUV not computable: "+err.Error())
		}
	}
	return append(out, f.found...)
}

// Marks are all that must stay visible: the warnings, and what the drawing and
// the viewer make of the image.
func (f *Frame) Marks(o Options, s Setting) []string {
	out := f.Warnings()
	add := func(when bool, mark string) {
		if when {
			out = append(out, mark)
		}
	}
	add(s.Preview, "preview, not for diagnosis")
	add(s.Expected > s.Loaded, fmt.Sprintf("incomplete: %d of %d images", s.Loaded, s.Expected))
	add(s.ByNumber, "order from instance numbers")
	add(s.Turn.Flip, "flipped by the viewer")
	add(o.State != nil && o.State.Turn.Flip, "flipped by the presentation state")
	add(o.State != nil && o.State.Window != nil && !sane(*o.State.Window, function(o.State.Function)),
		"window of the presentation state is invalid and ignored")
	add(o.LiftShutter && (f.shutterOf(o) != nil || o.State != nil && o.State.Hide != nil), "shutter lifted")
	add(o.HideOverlays && len(f.overlays) > 0, "overlays hidden")
	return out
}

// lossy names every step of a history with its ratio and method.
func lossy(ratio, method string) string {
	out := []string{"lossy compression"}
	ratios, methods := strings.Split(ratio, "\\"), strings.Split(method, "\\")
	for i := range max(len(ratios), len(methods)) {
		if i < len(ratios) && ratios[i] != "" {
			out = append(out, short(ratios[i])+":1")
		}
		if i < len(methods) && methods[i] != "" {
			out = append(out, methods[i])
		}
	}
	return strings.Join(out, " ")
}

// short is a number of three digits; what is none stays as it is.
func short(s string) string {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return s
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func (f *Frame) unoriented() string {
	if f.px.Animal && f.px.Orientation != nil {
		return "orientation not shown: the file does not say whether it is of a quadruped"
	}
	return "orientation not given"
}

// badWindow: one of the file's windows is no window for its function.
func (f *Frame) badWindow() bool {
	if f.px.BadWindow {
		return true
	}
	for _, w := range f.px.Windows {
		if !sane(w, function(f.px.VOIFunction)) {
			return true
		}
	}
	return false
}

func (f *Frame) repaired() bool {
	px := &f.px
	for i := range px.VOILUTs {
		if px.VOILUTs[i].Repaired {
			return true
		}
	}
	if p := px.Palette; p != nil && (p.Red.Repaired || p.Green.Repaired || p.Blue.Repaired) {
		return true
	}
	return px.ModalityLUT != nil && px.ModalityLUT.Repaired || px.PresentLUT != nil && px.PresentLUT.Repaired
}
