package study

// Window is one VOI window of the file.
type Window struct {
	Centre      float64 `json:"centre"`
	Width       float64 `json:"width"`
	Explanation string  `json:"explanation,omitempty"`
}

// LUT is a lookup table; values below First take the first entry, above the last.
type LUT struct {
	First       int      `json:"first"`
	Bits        int      `json:"bits"` // of an entry: the highest stands for white
	Data        []uint16 `json:"data"`
	Explanation string   `json:"explanation,omitempty"`
	Type        string   `json:"type,omitempty"` // Modality LUT Type: HU, OD, US …
	// Repaired: the descriptor said something else than what the data are.
	Repaired bool `json:"repaired,omitempty"`
}

// Palette holds the three tables of PALETTE COLOR.
type Palette struct {
	Red   LUT `json:"red"`
	Green LUT `json:"green"`
	Blue  LUT `json:"blue"`
}

// Padding is a range of stored values that are background.
type Padding struct {
	Low  int `json:"low"`
	High int `json:"high"`
}

// Overlay is one overlay plane, or one for each of several frames (PS3.3 C.9.2).
type Overlay struct {
	Group       int    `json:"group"` // 0x6000 to 0x601E
	Rows        int    `json:"rows"`
	Cols        int    `json:"cols"`
	Top         int    `json:"top"`  // row of its first pixel, the image's first being 1; may lie outside
	Left        int    `json:"left"` // column of the same
	Type        string `json:"type"` // G graphics, R region of interest
	Subtype     string `json:"subtype,omitempty"`
	Label       string `json:"label,omitempty"`
	Description string `json:"description,omitempty"`
	Planes      int    `json:"planes"`
	// First is the frame of the image, from 1, that the first plane is of; 0: the
	// one plane is of all frames.
	First int `json:"first,omitempty"`
	// Embedded overlays (retired) lie in bit Bit of the image's own cells.
	Embedded bool   `json:"embedded,omitempty"`
	Bit      int    `json:"bit,omitempty"`
	Data     []byte `json:"data,omitempty"` // bits, the lowest first, planes without a gap
}

// At tells the bit at column x and row y of the first plane, both from 0.
func (o *Overlay) At(x, y int) bool {
	i := y*o.Cols + x
	return x >= 0 && y >= 0 && x < o.Cols && y < o.Rows && i/8 < len(o.Data) && o.Data[i/8]>>(i%8)&1 == 1
}

// Shutter hides what is outside of it (PS3.3 C.7.6.11). What is given combines:
// a pixel is seen where every part lets it be seen. Rows and columns from 1.
type Shutter struct {
	Rect    *[4]int  `json:"rect,omitempty"`    // left and right column, upper and lower row, seen themselves
	Circle  *[3]int  `json:"circle,omitempty"`  // row and column of the centre, radius in columns
	Polygon [][2]int `json:"polygon,omitempty"` // row, column
	Value   uint16   `json:"value,omitempty"`   // what is shown instead: a P-value, 0 black to 65535 white
}

// Region is a calibrated region of an ultrasound image (PS3.3 C.8.5.5). Pixels
// from 0, the last ones within it.
type Region struct {
	X0     int     `json:"x0"`
	Y0     int     `json:"y0"`
	X1     int     `json:"x1"`
	Y1     int     `json:"y1"`
	UnitX  int     `json:"unit_x"` // RegionCM and others
	UnitY  int     `json:"unit_y"`
	DeltaX float64 `json:"delta_x"` // units a pixel
	DeltaY float64 `json:"delta_y"`
	Format int     `json:"format,omitempty"` // 1 2D, 2 M-mode, 3 spectral, 4 waveform, 5 graphics
	Type   int     `json:"type,omitempty"`   // 1 tissue, 2 colour flow …
}

// RegionCM is the unit centimetre of a Region (PS3.3 C.8.5.5.1.15).
const RegionCM = 3

// RealWorld maps stored values to what was measured (PS3.3 C.7.6.16.2.11).
type RealWorld struct {
	First     float64   `json:"first"` // stored values that it holds for
	Last      float64   `json:"last"`
	Slope     float64   `json:"slope"`
	Intercept float64   `json:"intercept"`
	Table     []float64 `json:"table,omitempty"` // instead of slope and intercept
	Unit      string    `json:"unit,omitempty"`  // UCUM code
	Label     string    `json:"label,omitempty"`
}

// PET is what standardised uptake values need (PS3.3 C.8.9). Absent numbers are 0.
type PET struct {
	Units           string  `json:"units,omitempty"` // BQML, GML, CNTS …
	SUVType         string  `json:"suv_type,omitempty"`
	DecayCorrection string  `json:"decay_correction,omitempty"` // NONE, START, ADMIN
	Dose            float64 `json:"dose,omitempty"`             // Bq
	HalfLife        float64 `json:"half_life,omitempty"`        // s
	Injected        string  `json:"injected,omitempty"`         // Radiopharmaceutical Start DateTime, else Time
	SeriesDate      string  `json:"series_date,omitempty"`
	SeriesTime      string  `json:"series_time,omitempty"`
	AcquisitionDate string  `json:"acquisition_date,omitempty"`
	AcquisitionTime string  `json:"acquisition_time,omitempty"`
	Timezone        string  `json:"timezone,omitempty"`
	Weight          float64 `json:"weight,omitempty"` // kg
}

// FramePixel is what one frame has of its own; nil and empty fields fall back.
type FramePixel struct {
	Slope         *float64      `json:"slope,omitempty"`
	Intercept     *float64      `json:"intercept,omitempty"`
	RescaleType   string        `json:"rescale_type,omitempty"`
	Windows       []Window      `json:"windows,omitempty"`
	VOIFunction   string        `json:"voi_function,omitempty"`
	VOILUTs       []LUT         `json:"voi_luts,omitempty"`
	BadWindow     bool          `json:"bad_window,omitempty"`
	PixelSpacing  *[2]float64   `json:"pixel_spacing,omitempty"`
	Thickness     float64       `json:"thickness,omitempty"`
	Orientation   *[6]float64   `json:"orientation,omitempty"`
	Position      *[3]float64   `json:"position,omitempty"`
	Laterality    string        `json:"laterality,omitempty"`
	Shutter       *Shutter      `json:"shutter,omitempty"`
	ImagerSpacing *[2]float64   `json:"imager_spacing,omitempty"`
	RealWorld     []RealWorld   `json:"real_world,omitempty"`
	Content       *FrameContent `json:"content,omitempty"`
	Phase         *Phase        `json:"phase,omitempty"` // for Stacks
}

// FrameContent says where a frame belongs (PS3.3 C.7.6.16.2.2). Numbers from 1,
// 0 if absent.
type FrameContent struct {
	Dimensions []int  `json:"dimensions,omitempty"` // Dimension Index Values
	Stack      string `json:"stack,omitempty"`
	InStack    int    `json:"in_stack,omitempty"`
	Temporal   int    `json:"temporal,omitempty"`
	Acquired   string `json:"acquired,omitempty"` // Frame Acquisition DateTime
}

// Frame is Pixel as it holds for frame k, counted from 0.
func (p *Pixel) Frame(k int) Pixel {
	out := *p
	out.PerFrame = nil
	out.Overlays = overlaysOf(p.Overlays, k)
	if k < 0 || k >= len(p.PerFrame) {
		return out
	}
	out.take(&p.PerFrame[k])
	return out
}

// take lets what a functional group says stand before what was known.
func (p *Pixel) take(f *FramePixel) {
	if f.Slope != nil && f.Intercept != nil {
		p.Slope, p.Intercept, p.RescaleType = *f.Slope, *f.Intercept, f.RescaleType
	}
	if len(f.Windows) > 0 || len(f.VOILUTs) > 0 || f.BadWindow {
		p.Windows, p.VOIFunction, p.VOILUTs, p.BadWindow = f.Windows, f.VOIFunction, f.VOILUTs, f.BadWindow
	}
	if f.PixelSpacing != nil {
		p.PixelSpacing, p.Measured = f.PixelSpacing, true
	}
	if f.ImagerSpacing != nil {
		p.ImagerSpacing = f.ImagerSpacing
	}
	if f.Shutter != nil {
		p.Shutter = f.Shutter
	}
	if f.Thickness > 0 {
		p.SliceThickness = f.Thickness
	}
	if f.Orientation != nil {
		p.Orientation = f.Orientation
	}
	if f.Position != nil {
		p.Position = f.Position
	}
	if f.Laterality != "" {
		p.Laterality = f.Laterality
	}
	if len(f.RealWorld) > 0 {
		p.RealWorld = f.RealWorld
	}
}
