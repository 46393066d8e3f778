package render

import (
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// IMAGING.md §5.5 row by row.
func TestCalibration(t *testing.T) {
	a, b, m, bad := &[2]float64{0.2, 0.3}, &[2]float64{0.1, 0.1}, math.NaN(), &[2]float64{0, 0.1}
	for name, c := range map[string]struct {
		px     study.Pixel
		label  string
		dx, dy float64 // 0: none
	}{
		"ct":                      {study.Pixel{Modality: "CT", PixelSpacing: a}, "mm", 0.3, 0.2},
		"mr":                      {study.Pixel{Modality: "MR", PixelSpacing: a}, "mm", 0.3, 0.2},
		"nm":                      {study.Pixel{Modality: "NM", PixelSpacing: a}, "mm", 0.3, 0.2},
		"pet":                     {study.Pixel{Modality: "PT", PixelSpacing: a}, "mm", 0.3, 0.2},
		"enhanced projection":     {study.Pixel{Modality: "MG", PixelSpacing: a, Measured: true}, "mm", 0.3, 0.2},
		"enhanced ultrasound":     {study.Pixel{Modality: "US", PixelSpacing: a, Measured: true}, "mm", 0.3, 0.2},
		"fiducial":                {study.Pixel{Modality: "DX", PixelSpacing: a, ImagerSpacing: b, Calibration: "FIDUCIAL"}, "mm calibrated: fiducial", 0.3, 0.2},
		"fiducial described":      {study.Pixel{Modality: "CR", PixelSpacing: a, Calibration: "FIDUCIAL", CalibratedBy: "a coin"}, "mm calibrated: fiducial (a coin)", 0.3, 0.2},
		"geometry":                {study.Pixel{Modality: "XA", PixelSpacing: a, ImagerSpacing: b, Calibration: "GEOMETRY"}, "mm calibrated: geometry", 0.3, 0.2},
		"same as imager":          {study.Pixel{Modality: "DX", PixelSpacing: b, ImagerSpacing: b}, "mm at detector, magnification not corrected", 0.1, 0.1},
		"imager only":             {study.Pixel{Modality: "CR", ImagerSpacing: b}, "mm at detector, magnification not corrected", 0.1, 0.1},
		"estimated":               {study.Pixel{Modality: "MG", ImagerSpacing: b, Magnification: 1.25}, "mm estimated ×1.25", 0.08, 0.08},
		"estimated by distances":  {study.Pixel{Modality: "XA", ImagerSpacing: b, SourceDetector: 1200, SourcePatient: 800}, "mm estimated ×1.50", 0.1 / 1.5, 0.1 / 1.5},
		"absurd factor":           {study.Pixel{Modality: "XA", ImagerSpacing: b, Magnification: 1e9}, "mm at detector, magnification not corrected", 0.1, 0.1},
		"both differ":             {study.Pixel{Modality: "DX", PixelSpacing: a, ImagerSpacing: b}, "mm calibrated, method not stated", 0.3, 0.2},
		"both differ, factor":     {study.Pixel{Modality: "DX", PixelSpacing: a, ImagerSpacing: b, Magnification: 1.1}, "mm calibrated, method not stated", 0.3, 0.2},
		"projection, one spacing": {study.Pixel{Modality: "CR", PixelSpacing: a}, "mm, calibration method not stated", 0.3, 0.2},
		"film":                    {study.Pixel{Modality: "OT", NominalSpacing: b}, "mm film scale", 0.1, 0.1},
		"film of a projection":    {study.Pixel{Modality: "CR", NominalSpacing: b, PixelSpacing: b}, "mm film scale", 0.1, 0.1},
		"nothing":                 {study.Pixel{Modality: "CR"}, "px, uncalibrated", 0, 0},
		"zero":                    {study.Pixel{Modality: "CT", PixelSpacing: bad}, "px, uncalibrated", 0, 0},
		"negative":                {study.Pixel{Modality: "CT", PixelSpacing: &[2]float64{-1, 1}}, "px, uncalibrated", 0, 0},
		"not a number":            {study.Pixel{Modality: "CT", PixelSpacing: &[2]float64{m, m}}, "px, uncalibrated", 0, 0},
		"absurd":                  {study.Pixel{Modality: "CT", PixelSpacing: &[2]float64{10.1, 10.1}}, "px, uncalibrated", 0, 0},
		"ultrasound, no region":   {study.Pixel{Modality: "US", PixelSpacing: a}, "px, uncalibrated", 0, 0},
	} {
		got := Calibrate(c.px)
		ok := c.dx > 0
		if got.Label != c.label || got.OK != ok || ok && (math.Abs(got.DX-c.dx) > 1e-12 || math.Abs(got.DY-c.dy) > 1e-12) {
			t.Errorf("%s: got %+v", name, got)
		}
		if Measurable(c.px) != ok {
			t.Errorf("%s: measurable %v", name, !ok)
		}
	}
	// A known object of 24 mm over 60 columns and 0 rows, pixels twice as high as wide.
	c := CalibrateBy(study.Pixel{AspectRatio: &[2]float64{2, 1}}, "Dr Adu", [2]float64{10, 5}, [2]float64{70, 5}, 24)
	if !c.OK || c.DX != 0.4 || c.DY != 0.8 || c.Label != "mm calibrated by Dr Adu" {
		t.Errorf("by a user: got %+v", c)
	}
	if CalibrateBy(study.Pixel{}, "x", [2]float64{1, 1}, [2]float64{1, 1}, 24).OK {
		t.Error("calibrated by a point")
	}
}

// Lengths inside one region that measures cm; none across, none in Doppler.
func TestUltrasound(t *testing.T) {
	tissue := study.Region{X0: 0, Y0: 0, X1: 99, Y1: 99, UnitX: 3, UnitY: 3, DeltaX: 0.01, DeltaY: 0.02}
	flow := study.Region{X0: 20, Y0: 20, X1: 40, Y1: 40, UnitX: 3, UnitY: 3, DeltaX: 0.01, DeltaY: 0.02, Type: 2}
	other := study.Region{X0: 100, Y0: 0, X1: 199, Y1: 99, UnitX: 3, UnitY: 3, DeltaX: 0.05, DeltaY: 0.05}
	doppler := study.Region{X0: 0, Y0: 100, X1: 199, Y1: 150, UnitX: 4, UnitY: 7, DeltaX: 0.01, DeltaY: 1}
	px := study.Pixel{Modality: "US", PixelSpacing: &[2]float64{1, 1}, Regions: []study.Region{tissue, flow, other, doppler}}
	for name, c := range map[string]struct {
		points [][2]float64
		dx     float64 // 0: no length
	}{
		"within":              {[][2]float64{{1, 1}, {99, 50}}, 0.1},
		"within both":         {[][2]float64{{25, 25}, {30, 30}}, 0.1},
		"from flow to tissue": {[][2]float64{{25, 25}, {80, 80}}, 0.1},
		"the last pixel":      {[][2]float64{{25, 25}, {99.5, 99.5}}, 0.1},
		"another scale":       {[][2]float64{{120, 10}, {150, 20}}, 0.5},
		"across":              {[][2]float64{{50, 50}, {150, 50}}, 0},
		"into doppler":        {[][2]float64{{50, 50}, {50, 120}}, 0},
		"in doppler":          {[][2]float64{{50, 110}, {50, 120}}, 0},
		"outside":             {[][2]float64{{500, 500}, {510, 510}}, 0},
		"half outside":        {[][2]float64{{50, 50}, {500, 500}}, 0},
		"nowhere":             {nil, 0},
	} {
		got := Calibrate(px, c.points...)
		if got.OK != (c.dx > 0) || c.dx > 0 && (got.DX != c.dx || got.Label != "mm ultrasound region") || c.dx == 0 && got.Label != "px, uncalibrated" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if !Measurable(px) || Measurable(study.Pixel{Modality: "US", Regions: []study.Region{doppler}}) {
		t.Error("measurable is wrong")
	}
	if a := Aspect(px); a != 2 {
		t.Errorf("aspect: got %v", a)
	}
}

func TestAspect(t *testing.T) {
	for _, c := range []struct {
		px   study.Pixel
		want float64
	}{
		{study.Pixel{PixelSpacing: &[2]float64{0.6, 0.3}, AspectRatio: &[2]float64{1, 9}}, 2},
		{study.Pixel{ImagerSpacing: &[2]float64{0.2, 0.4}}, 0.5},
		{study.Pixel{AspectRatio: &[2]float64{4, 3}}, 4.0 / 3},
		{study.Pixel{}, 1},
		{study.Pixel{AspectRatio: &[2]float64{1e9, 1}}, 1},
	} {
		if got := Aspect(c.px); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v: got %v, want %v", c.px, got, c.want)
		}
	}
}

// Obliques: a second letter from a component of 0.3 on, never a third.
func TestObliques(t *testing.T) {
	at := func(deg float64) (float64, float64) {
		return math.Cos(deg * math.Pi / 180), math.Sin(deg * math.Pi / 180)
	}
	for _, c := range []struct {
		deg         float64
		right, left string
	}{{0, "L", "R"}, {17, "L", "R"}, {18, "LP", "RA"}, {60, "PL", "AR"}, {73, "P", "A"}, {120, "PR", "AL"}, {180, "R", "L"}, {210, "RA", "LP"}} {
		x, y := at(c.deg)
		e := Orientation(study.Pixel{Orientation: &[6]float64{x, y, 0, 0, 0, -1}})
		if e.Right != c.right || e.Left != c.left || e.Top != "H" || e.Bottom != "F" {
			t.Errorf("%v°: got %+v", c.deg, e)
		}
	}
	third := math.Sqrt(1.0 / 3)
	half := math.Sqrt(0.5)
	if e := Orientation(study.Pixel{Orientation: &[6]float64{third, third, third, half, -half, 0}}); len(e.Right) != 2 || len(e.Bottom) != 2 {
		t.Errorf("got %+v", e)
	}
}

// Quadrupeds have their own letters in all 24 axis-aligned orientations, and
// terms of limbs as written; an animal of unknown kind has none of bipeds.
func TestQuadrupeds(t *testing.T) {
	axes := [][3]float64{{1, 0, 0}, {-1, 0, 0}, {0, 1, 0}, {0, -1, 0}, {0, 0, 1}, {0, 0, -1}}
	want := []string{"LE", "RT", "D", "V", "CR", "CD"}
	for i, r := range axes {
		for j, c := range axes {
			if i/2 == j/2 {
				continue
			}
			o := &[6]float64{r[0], r[1], r[2], c[0], c[1], c[2]}
			if e := Orientation(study.Pixel{Quadruped: true, Orientation: o}); e != (Edges{Right: want[i], Bottom: want[j], Left: want[i^1], Top: want[j^1]}) {
				t.Errorf("row %v column %v: %+v", r, c, e)
			}
			if e := Orientation(study.Pixel{Animal: true, Orientation: o}); e.Known() {
				t.Errorf("an animal of unknown kind has letters: %+v", e)
			}
		}
	}
	for _, c := range []struct {
		row, col          string
		quadruped, animal bool
		want              Edges
	}{
		{"CD", "V", true, false, Edges{Left: "CR", Right: "CD", Top: "D", Bottom: "V"}},
		{"CDRT", "V", true, false, Edges{Left: "CRLE", Right: "CDRT", Top: "D", Bottom: "V"}},
		{"M", "DI", true, false, Edges{Left: "L", Right: "M", Top: "PR", Bottom: "DI"}},
		{"PA", "DI", true, false, Edges{Left: "D", Right: "PA", Top: "PR", Bottom: "DI"}},
		{"DDI", "PR", true, false, Edges{Right: "DDI", Top: "DI", Bottom: "PR"}}, // palmar or plantar?
		{"LE", "CD", false, true, Edges{Left: "RT", Right: "LE", Top: "CR", Bottom: "CD"}},
		{"L", "F", false, true, Edges{}},
		{"A", "F", false, true, Edges{}},
		{"A", "FR", false, false, Edges{Left: "P", Right: "A", Top: "HL", Bottom: "FR"}},
		{"?", "F", false, false, Edges{Top: "H", Bottom: "F"}},
	} {
		px := study.Pixel{PatientOrientation: [2]string{c.row, c.col}, Quadruped: c.quadruped, Animal: c.animal}
		if got := Orientation(px); got != c.want {
			t.Errorf("%s\\%s: got %+v, want %+v", c.row, c.col, got, c.want)
		}
	}
}

// Letters, points and pixels turn alike, in all eight ways.
func TestTurn(t *testing.T) {
	const w, h = 3, 2
	src := image.NewGray(image.Rect(0, 0, w, h))
	for i := range src.Pix {
		src.Pix[i] = uint8(i)
	}
	colour := image.NewRGBA(src.Rect)
	for i := range src.Pix {
		colour.Pix[4*i] = uint8(i)
	}
	stored := Edges{Left: "R", Right: "L", Top: "A", Bottom: "P"}
	// On the page: rows of the picture, letters clockwise from the left.
	for _, c := range []struct {
		t       Turn
		pix     []uint8
		letters string
	}{
		{Turn{}, []uint8{0, 1, 2, 3, 4, 5}, "RALP"},
		{Turn{}.Right(), []uint8{3, 0, 4, 1, 5, 2}, "PRAL"},
		{Turn{}.Left(), []uint8{2, 5, 1, 4, 0, 3}, "ALPR"},
		{Turn{}.Right().Right(), []uint8{5, 4, 3, 2, 1, 0}, "LPRA"},
		{Turn{}.Horizontal(), []uint8{2, 1, 0, 5, 4, 3}, "LARP"},
		{Turn{}.Vertical(), []uint8{3, 4, 5, 0, 1, 2}, "RPLA"},
		{Turn{}.Right().Horizontal(), []uint8{0, 3, 1, 4, 2, 5}, "ARPL"},
		{Turn{}.Horizontal().Right(), []uint8{5, 2, 4, 1, 3, 0}, "PLAR"},
		{Turn{}.Horizontal().Horizontal(), []uint8{0, 1, 2, 3, 4, 5}, "RALP"},
		{Turn{}.Horizontal().Left().Right().Horizontal(), []uint8{0, 1, 2, 3, 4, 5}, "RALP"},
	} {
		if got := c.t.Image(src).(*image.Gray).Pix; !slices.Equal(got, c.pix) {
			t.Errorf("%+v: got %v, want %v", c.t, got, c.pix)
		}
		turned := c.t.Image(colour).(*image.RGBA)
		for i, v := range c.pix {
			if turned.Pix[4*i] != v {
				t.Errorf("%+v: colour differs", c.t)
			}
		}
		if e := c.t.Edges(stored); e.Left+e.Top+e.Right+e.Bottom != c.letters {
			t.Errorf("%+v: got %+v, want %s", c.t, e, c.letters)
		}
		for _, p := range [][2]float64{{0, 0}, {0.5, 1.5}, {3, 2}, {2.25, 0.75}} {
			x, y := c.t.Point(p[0], p[1], w, h)
			if x, y = c.t.Source(x, y, w, h); math.Abs(x-p[0])+math.Abs(y-p[1]) > 1e-12 {
				t.Errorf("%+v: %v comes back as %v, %v", c.t, p, x, y)
			}
		}
	}
}

func TestPresetTable(t *testing.T) {
	want := map[string][2]float64{
		"brain": {40, 80}, "stroke": {35, 35}, "subdural": {75, 215}, "bone head": {600, 2800}, "neck": {50, 350}, "lung": {-600, 1500},
		"mediastinum": {50, 350}, "abdomen": {50, 400}, "liver": {90, 150}, "pelvis": {40, 400}, "bone": {400, 1800}, "spine soft": {50, 250}, "CTA": {300, 600},
	}
	list := Presets(study.Pixel{Modality: "CT"})
	if len(list) != len(want) {
		t.Errorf("%d presets", len(list))
	}
	for _, p := range list {
		if w := want[p.Name]; p.Window.Centre != w[0] || p.Window.Width != w[1] {
			t.Errorf("%s: got %+v", p.Name, p.Window)
		}
	}
	for part, first := range map[string]string{
		"HEAD": "brain", "NECK": "neck", "CHEST": "lung", "ABDOMEN": "abdomen", "PELVIS": "pelvis", "FOOT": "bone", "LSPINE": "bone", "LIVER": "liver",
		"chest": "lung", "CORONARY": "CTA", "": "brain", "SOMETHING": "brain",
	} {
		if got := Presets(study.Pixel{Modality: "CT", BodyPart: part})[0].Name; got != first {
			t.Errorf("%s: got %s first", part, got)
		}
	}
}

// The formula of QIBA on round numbers: one half life gone.
func TestUptake(t *testing.T) {
	good := func() *study.PET {
		return &study.PET{
			Units: "BQML", DecayCorrection: "START", Dose: 4e8, HalfLife: 3600, Weight: 80, Injected: "20200101110000.00",
			SeriesDate: "20200101", SeriesTime: "120000", AcquisitionDate: "20200101", AcquisitionTime: "120001.5",
		}
	}
	for name, c := range map[string]struct {
		edit func(*study.PET)
		want float64 // 0: none
	}{
		"at the start":        {func(*study.PET) {}, 80000 / 2e8},
		"at the injection":    {func(p *study.PET) { p.DecayCorrection = "ADMIN" }, 80000 / 4e8},
		"time alone":          {func(p *study.PET) { p.Injected = "110000" }, 80000 / 2e8},
		"over midnight":       {func(p *study.PET) { p.Injected, p.SeriesTime, p.AcquisitionTime = "233000", "003000", "003000" }, 80000 / 2e8},
		"zone of the scan":    {func(p *study.PET) { p.Injected, p.Timezone = "20200101110000+0100", "+0100" }, 80000 / 2e8},
		"already SUV":         {func(p *study.PET) { p.Units = "GML" }, 1},
		"already, lean":       {func(p *study.PET) { p.Units, p.SUVType = "GML", "LBM" }, 0},
		"another zone":        {func(p *study.PET) { p.Injected = "20200101110000+0100" }, 0},
		"counts":              {func(p *study.PET) { p.Units = "CNTS" }, 0},
		"no weight":           {func(p *study.PET) { p.Weight = 0 }, 0},
		"no dose":             {func(p *study.PET) { p.Dose = 0 }, 0},
		"no half life":        {func(p *study.PET) { p.HalfLife = 0 }, 0},
		"no injection":        {func(p *study.PET) { p.Injected = "" }, 0},
		"after the scan":      {func(p *study.PET) { p.Injected = "20200101130000" }, 0},
		"another year":        {func(p *study.PET) { p.Injected = "19990101110000" }, 0},
		"derived series":      {func(p *study.PET) { p.SeriesTime = "150000" }, 0},
		"no decay correction": {func(p *study.PET) { p.DecayCorrection = "NONE" }, 0},
		"text":                {func(p *study.PET) { p.SeriesTime = "noon" }, 0},
	} {
		p := good()
		c.edit(p)
		px := study.Pixel{Modality: "PT", PET: p}
		got, err := Uptake(px)
		if (err == nil) != (c.want > 0) || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		if list := Presets(px); len(list) > 0 != (c.want > 0) || len(list) > 0 && (!list[0].Invert || math.Abs(list[0].Window.Width*got-7) > 1e-9) {
			t.Errorf("%s: presets %+v", name, list)
		}
	}
	px := study.Pixel{Photometric: "MONOCHROME2", Modality: "PT", BitsAllocated: 16, BitsStored: 16, HighBit: 15, Slope: 2, PET: good()}
	f := mustNew(t, grey16(px, 5000), px)
	if v, _ := f.Probe(0, 0); v.SUV == nil || math.Abs(*v.SUV-4) > 1e-12 || v.Unit != "Bq/ml" {
		t.Errorf("got %+v", v)
	}
	px.PET.Units = "CNTS"
	f = mustNew(t, grey16(px, 5000), px)
	if v, _ := f.Probe(0, 0); v.SUV != nil || v.Unit != "counts" || !slices.Contains(f.Warnings(), "SUV not computable: units are not Bq/ml") {
		t.Errorf("got %+v, %v", v, f.Warnings())
	}
}

func TestProbeOfPlaneAndWorld(t *testing.T) {
	px := ct()
	px.Orientation, px.Position = &[6]float64{0, 1, 0, 0, 0, -1}, &[3]float64{10, 20, 30}
	px.PixelSpacing = &[2]float64{0.5, 0.25}
	px.RealWorld = []study.RealWorld{{First: 0, Last: 10, Slope: 3, Intercept: 1, Unit: "mm2/s"}, {First: 11, Last: 12, Table: []float64{5, 6}, Label: "T"}}
	f := mustNew(t, grey16(px, 2, 12, 40), px)
	v, _ := f.Probe(2, 0)
	if v.Patient == nil || *v.Patient != [3]float64{10, 20.5, 30} || v.Real != nil {
		t.Errorf("got %+v", v)
	}
	if v, _ = f.Probe(0, 0); len(v.Real) != 1 || v.Real[0] != (Real{Value: 7, Unit: "mm2/s"}) {
		t.Errorf("got %+v", v.Real)
	}
	if v, _ = f.Probe(1, 0); len(v.Real) != 1 || v.Real[0] != (Real{Value: 6, Label: "T"}) {
		t.Errorf("got %+v", v.Real)
	}
}

func TestUnit(t *testing.T) {
	for name, c := range map[string]struct {
		px   study.Pixel
		want string
	}{
		"ct":                       {study.Pixel{Modality: "CT", Intercept: -1024}, "HU"},
		"ct, signed":               {study.Pixel{Modality: "CT", Signed: true}, "HU"},
		"ct without a rescale":     {study.Pixel{Modality: "CT"}, ""},
		"ct of another type":       {study.Pixel{Modality: "CT", Intercept: -1024, RescaleType: "US"}, ""},
		"said to be HU":            {study.Pixel{Modality: "OT", RescaleType: "HU"}, "HU"},
		"optical density":          {study.Pixel{Modality: "CR", RescaleType: "OD"}, ""},
		"mr":                       {study.Pixel{Modality: "MR", Intercept: -5}, ""},
		"modality LUT to HU":       {study.Pixel{Modality: "CT", ModalityLUT: &study.LUT{Type: "HU", Data: []uint16{1}}}, "HU"},
		"modality LUT to anything": {study.Pixel{Modality: "CT", Intercept: -1024, ModalityLUT: &study.LUT{Type: "US", Data: []uint16{1}}}, ""},
	} {
		c.px.Photometric, c.px.BitsAllocated, c.px.BitsStored, c.px.HighBit = "MONOCHROME2", 16, 12, 11
		if got := mustNew(t, grey16(c.px, 1), c.px).Unit(); got != c.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// Every mark of IMAGING.md §5.8 that is render's to say, and none where nothing is wrong.
func TestMarks(t *testing.T) {
	clean := ct()
	clean.Orientation, clean.Position = &[6]float64{1, 0, 0, 0, 1, 0}, &[3]float64{}
	clean.Windows = []study.Window{{Centre: 40, Width: 400}}
	f := mustNew(t, grey16(clean, 1, 2), clean)
	if m := f.Marks(Options{}, Setting{Loaded: 3, Expected: 3}); len(m) != 0 {
		t.Errorf("a good image has marks: %q", m)
	}
	px := clean
	px.Lossy, px.LossyRatio, px.LossyMethod = true, "10\\2.5", "ISO_10918_1\\ISO_15444_1"
	px.PixelSpacing, px.Orientation, px.BadWindow = nil, nil, true
	px.VOILUTs = []study.LUT{{Data: []uint16{1}, Repaired: true}}
	px.Shutter = &study.Shutter{Rect: &[4]int{1, 1, 1, 1}}
	px.Overlays = []study.Overlay{{Rows: 1, Cols: 1, Top: 1, Left: 1, Type: "G", Data: []byte{1}}}
	n := grey16(px, 1, 2)
	n.Partial, n.Warnings = true, []string{"said by the decoder"}
	bad := study.Window{Centre: 1, Width: -1}
	got := mustNew(t, n, px).Marks(
		Options{LiftShutter: true, HideOverlays: true, State: &Presentation{Turn: Turn{Flip: true}, Window: &bad, Shutter: px.Shutter}},
		Setting{Turn: Turn{Flip: true}, Preview: true, Loaded: 2, Expected: 9, ByNumber: true})
	want := []string{
		"preview: some rows are missing", "lossy compression 10:1 ISO_10918_1 2.5:1 ISO_15444_1", "uncalibrated", "orientation not given",
		"window of the file is invalid and ignored", "lookup table repaired", "said by the decoder", "preview, not for diagnosis",
		"incomplete: 2 of 9 images", "order from instance numbers", "flipped by the viewer", "flipped by the presentation state",
		"window of the presentation state is invalid and ignored", "shutter lifted", "overlays hidden",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	photo := study.Pixel{Modality: "XC", BitsStored: 8, PatientOrientation: [2]string{"L", "F"}}
	c := mustNew(t, &codec.Native{Rows: 1, Cols: 1, Samples: 3, BitsAllocated: 8, Photometric: "RGB", Data: []byte{1, 2, 3}}, photo)
	if !slices.Equal(c.Warnings(), []string{"uncalibrated", "colour not managed"}) {
		t.Errorf("photograph: %q", c.Warnings())
	}
	dog := clean
	dog.Animal = true
	if w := mustNew(t, grey16(dog, 1), dog).Warnings(); len(w) != 1 || !strings.Contains(w[0], "quadruped") {
		t.Errorf("dog: %q", w)
	}
	narrow := clean
	narrow.Windows = []study.Window{{Centre: 0.5, Width: 0.5}} // C.11.2.1.2: LINEAR wants 1 at least
	if w := mustNew(t, grey16(narrow, 1), narrow).Warnings(); !slices.Contains(w, "window of the file is invalid and ignored") {
		t.Errorf("narrow: %q", w)
	}
}
