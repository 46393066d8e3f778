package study

import (
	"math"
	"strings"
)

// readPixel reads what rendering and measuring need from the top level.
func (in *Instance) readPixel(o *Outline, tx *texts) {
	p := &in.Pixel
	p.Modality, p.BodyPart = in.Modality, in.BodyPart
	p.Slope, p.Intercept = 1, 0
	if s, i := o.decimals(0x00281053), o.decimals(0x00281052); len(s) == 1 && len(i) == 1 {
		p.Slope, p.Intercept = s[0], i[0]
		if s[0] == 0 {
			o.find("rescale slope is zero")
		}
	}
	p.RescaleType = o.code(0x00281054)
	p.Windows = windows(o.decimals(0x00281050), o.decimals(0x00281051), tx.list(0x00281055))
	p.BadWindow = lost(p.Windows, o.ascii(0x00281050), o.ascii(0x00281051))
	p.VOIFunction, p.Shape = o.code(0x00281056), o.code(0x20500020)
	p.Padding, p.FloatPadding = o.padding(p), o.floatPadding()
	in.readColour(o)
	in.readGeometry(o)
	p.CalibratedBy = tx.text(0x00280A04)
	p.Overlays, p.Shutter, p.PET = o.overlays(p, tx), o.shutter(), o.pet(p.Modality)
	p.LossyByCode = o.Syntax.Lossy
	p.Lossy = o.code(0x00282110) == "01" || o.Syntax.Lossy
	p.LossyRatio, p.LossyMethod = o.code(0x00282112), o.code(0x00282114)
	p.BurnedIn = o.code(0x00280301)
}

// windows pairs centres and widths; a bad one is left out (IMAGING.md §5.1).
func windows(c, w []float64, names []string) []Window {
	var out []Window
	for i := range min(len(c), len(w), WindowsMax) {
		if w[i] <= 0 { // PS3.3 C.11.2.1.2: never negative, never zero
			continue
		}
		win := Window{Centre: c[i], Width: w[i]}
		if i < len(names) {
			win.Explanation = names[i]
		}
		out = append(out, win)
	}
	return out
}

// lost reports whether what is written of windows gave fewer than it names.
func lost(got []Window, centres, widths string) bool {
	if centres == "" && widths == "" {
		return false
	}
	named := max(strings.Count(centres, "\\"), strings.Count(widths, "\\")) + 1
	return len(got) < min(named, WindowsMax)
}

// readColour reads the palette, of all pixels or of those above the grey range.
func (in *Instance) readColour(o *Outline) {
	p := &in.Pixel
	_, p.ICC = o.values[0x00282000]
	switch presented := o.code(0x00089205); {
	case p.Photometric == "PALETTE COLOR":
		p.Palette = o.palette()
	case p.Photometric == "MONOCHROME2" && (presented == "COLOR" || presented == "MIXED") && o.value(0x00281101) != nil:
		p.Palette = o.palette()
		p.Supplemental = p.Palette != nil
	}
}

func (in *Instance) readGeometry(o *Outline) {
	p := &in.Pixel
	p.PixelSpacing = spacing(o.decimals(0x00280030))
	p.ImagerSpacing = spacing(o.decimals(0x00181164))
	p.NominalSpacing = spacing(o.decimals(0x00182010))
	p.Calibration = o.code(0x00280A02)
	if m := o.decimals(0x00181114); len(m) == 1 && m[0] > 0 {
		p.Magnification = m[0]
	}
	if a := o.decimals(0x00280034); len(a) == 2 && a[0] > 0 && a[1] > 0 {
		p.AspectRatio = &[2]float64{a[0], a[1]}
	}
	if t := o.decimals(0x00180050); len(t) == 1 && t[0] > 0 {
		p.SliceThickness = t[0]
	}
	p.Position = position(o.decimals(0x00200032))
	p.Orientation = orientation(o.decimals(0x00200037))
	if row, col, ok := strings.Cut(o.code(0x00200020), "\\"); ok {
		p.PatientOrientation = [2]string{row, col}
	}
	kind := o.code(0x00102210)
	p.Quadruped = kind == "QUADRUPED"
	p.Animal = kind == "" && animal(in.Patient.Species)
	p.Laterality, p.FrameOfRef = in.Laterality, in.FrameOfRef
	p.SourceDetector, p.SourcePatient = o.length(0x00181110), o.length(0x00181111)
}

// animal reports whether a species is one and not ours.
func animal(species string) bool {
	s := strings.ToLower(species)
	return s != "" && !strings.Contains(s, "homo sapiens") && !strings.Contains(s, "human")
}

// length is one positive number.
func (o *Outline) length(t Tag) float64 {
	if v := o.decimals(t); len(v) == 1 && v[0] > 0 {
		return v[0]
	}
	return 0
}

// spacing refuses what measures nothing: zero, negative, absurd (> 10 mm).
func spacing(v []float64) *[2]float64 {
	const low, high = 1e-6, 10
	if len(v) != 2 || v[0] < low || v[1] < low || v[0] > high || v[1] > high {
		return nil
	}
	return &[2]float64{v[0], v[1]}
}

func position(v []float64) *[3]float64 {
	const far = 1e6 // a kilometre
	if len(v) != 3 || math.Abs(v[0]) > far || math.Abs(v[1]) > far || math.Abs(v[2]) > far {
		return nil
	}
	return &[3]float64{v[0], v[1], v[2]}
}

// orientation takes unit vectors (±1 %) that are orthogonal (±0.01), normalised.
func orientation(v []float64) *[6]float64 {
	if len(v) != 6 {
		return nil
	}
	r, c := math.Hypot(math.Hypot(v[0], v[1]), v[2]), math.Hypot(math.Hypot(v[3], v[4]), v[5])
	dot := v[0]*v[3] + v[1]*v[4] + v[2]*v[5]
	if math.Abs(r-1) > 0.01 || math.Abs(c-1) > 0.01 || math.Abs(dot) > 0.01 {
		return nil
	}
	return &[6]float64{v[0] / r, v[1] / r, v[2] / r, v[3] / c, v[4] / c, v[5] / c}
}

// padding is in stored value space, with the pixel's sign (PS3.3 C.7.5.1.1.2).
func (o *Outline) padding(p *Pixel) *Padding {
	read := func(t Tag) (int, bool) {
		b := o.value(t)
		if len(b) != 2 {
			return 0, false
		}
		v := o.order().Uint16(b)
		if p.Signed {
			return int(int16(v)), true
		}
		return int(v), true
	}
	low, ok := read(0x00280120)
	if !ok {
		return nil
	}
	high, ok := read(0x00280121)
	if !ok {
		high = low
	}
	return &Padding{Low: min(low, high), High: max(low, high)}
}

// floatPadding is the range of Float or Double Float Pixel Padding Value.
func (o *Outline) floatPadding() *[2]float64 {
	read := func(single, double Tag) (float64, bool) {
		v := math.NaN()
		if b := o.value(single); len(b) == 4 {
			v = float64(math.Float32frombits(o.order().Uint32(b)))
		} else if b := o.value(double); len(b) == 8 {
			v = math.Float64frombits(o.order().Uint64(b))
		}
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	low, ok := read(0x00280122, 0x00280123)
	if !ok {
		return nil
	}
	high, ok := read(0x00280124, 0x00280125)
	if !ok {
		high = low
	}
	return &[2]float64{min(low, high), max(low, high)}
}
