package render

// Value is what lies under the cursor.
type Value struct {
	Stored  float64     `json:"stored"`
	Value   float64     `json:"value"`
	Unit    string      `json:"unit,omitempty"` // HU, or that of a PET; else empty
	Padding bool        `json:"padding,omitempty"`
	Colour  bool        `json:"colour,omitempty"`
	RGB     [3]uint8    `json:"rgb"`
	Patient *[3]float64 `json:"patient,omitempty"` // of the pixel's centre, mm, where the plane is known
	SUV     *float64    `json:"suv,omitempty"`
	Real    []Real      `json:"real,omitempty"` // real world values
}

// Real is a real world value (PS3.3 C.7.6.16.2.11).
type Real struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"` // UCUM
	Label string  `json:"label,omitempty"`
}

// Probe reads the pixel at column x and row y, both from 0, with all that is
// known of it.
func (f *Frame) Probe(x, y int) (Value, bool) {
	v, ok := f.Value(x, y)
	if !ok {
		return v, false
	}
	if p, ok := PatientPoint(f.px, float64(x)+0.5, float64(y)+0.5); ok {
		v.Patient = &p
	}
	if v.Padding || v.Colour {
		return v, true
	}
	if k, err := Uptake(f.px); err == nil {
		suv := k * v.Value
		v.SUV = &suv
	}
	v.Real = f.real(v.Stored)
	return v, true
}

// Value is Probe without place, SUV and real world values: for whoever reads many
// pixels.
func (f *Frame) Value(x, y int) (v Value, ok bool) {
	if x < 0 || y < 0 || x >= f.cols || y >= f.rows {
		return v, false
	}
	i := y*f.cols + x
	if f.colour != nil {
		return Value{Colour: true, RGB: [3]uint8(f.colour[3*i : 3*i+3])}, true
	}
	v.Stored, v.Value, v.Padding = f.at(i)
	v.Unit = f.Unit()
	return v, true
}

// at is stored and modality value of a grey pixel.
func (f *Frame) at(i int) (stored, value float64, padding bool) {
	if f.wide != nil {
		return f.wide[i], f.modal(f.wide[i]), f.blank != nil && f.blank[i]
	}
	c := f.cells[i]
	return float64(int(c) - f.offset), f.modality[c], f.padding != nil && f.padding[c]
}

// real applies the mappings that hold for a stored value.
func (f *Frame) real(stored float64) []Real {
	var out []Real
	for i := range f.px.RealWorld {
		w := &f.px.RealWorld[i]
		if stored < w.First || stored > w.Last {
			continue
		}
		r := Real{Value: stored*w.Slope + w.Intercept, Unit: w.Unit, Label: w.Label}
		if len(w.Table) > 0 {
			r.Value = w.Table[min(int(stored-w.First), len(w.Table)-1)]
		}
		out = append(out, r)
	}
	return out
}

// petUnits are Units (0054,1001) as they are shown.
var petUnits = map[string]string{"BQML": "Bq/ml", "CNTS": "counts", "GML": "g/ml"}

// Unit of modality values: HU only where Rescale Type or Modality LUT Type says
// so, or for a CT without one (IMAGING.md §5.6). Unsigned values without an
// intercept cannot be HU, whatever the modality: air would have none.
func (f *Frame) Unit() string {
	kind := f.px.RescaleType
	if f.px.ModalityLUT != nil {
		kind = f.px.ModalityLUT.Type
	}
	switch {
	case f.Colour():
		return ""
	case f.px.Modality == "PT" && f.px.PET != nil:
		return petUnits[f.px.PET.Units]
	case kind == "HU":
		return "HU"
	case kind == "" && f.px.Modality == "CT" && (f.px.Signed || f.px.Intercept < 0):
		return "HU"
	}
	return ""
}
