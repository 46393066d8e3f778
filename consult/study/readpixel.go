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
	p.VOIFunction, p.Shape = o.code(0x00281056), o.code(0x20500020)
	p.Padding = o.padding(p)
	if p.Photometric == "PALETTE COLOR" {
		p.Palette = o.palette()
	}
	in.readGeometry(o)
	p.Lossy = o.code(0x00282110) == "01" || o.Syntax.Lossy
	p.LossyRatio, p.LossyMethod = o.code(0x00282112), o.code(0x00282114)
	p.BurnedIn = o.code(0x00280301)
}

// windows pairs centres and widths; a bad one is left out (IMAGING.md §5.1).
func windows(c, w []float64, names []string) []Window {
	var out []Window
	for i := range min(len(c), len(w), WindowsMax) {
		if w[i] <= 0 {
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
	p.Quadruped = o.code(0x00102210) == "QUADRUPED"
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

// palette reads the three tables of PALETTE COLOR (PS3.3 C.7.9).
func (o *Outline) palette() *Palette {
	var out Palette
	for i, to := range []*LUT{&out.Red, &out.Green, &out.Blue} {
		desc := o.value(Tag(0x00281101 + i))
		data := o.value(Tag(0x00281201 + i))
		segmented := o.value(Tag(0x00281221 + i))
		lut, ok := o.table(desc, data, segmented)
		if !ok {
			o.find("palette is missing or short")
			return nil
		}
		*to = lut
	}
	return &out
}

// table reads a descriptor (entries, first, bits) and its data.
func (o *Outline) table(desc, data, segmented []byte) (LUT, bool) {
	if len(desc) != 6 {
		return LUT{}, false
	}
	order := o.order()
	n, first, bits := int(order.Uint16(desc)), int(order.Uint16(desc[2:])), int(order.Uint16(desc[4:]))
	if n == 0 {
		n = 65536
	}
	if o.Facts.Signed {
		first = int(int16(first))
	}
	if len(segmented) > 0 && len(data) == 0 {
		return segments(o.words(segmented), n, first, bits)
	}
	switch {
	case bits == 8 && len(data) >= n && len(data) < 2*n:
		out := make([]uint16, n)
		for i := range out {
			// PS3.5 §8.1.1: 8-bit entries are packed into words.
			j := i
			if o.Syntax.BigEndian && i^1 < len(data) {
				j = i ^ 1
			}
			out[i] = uint16(data[j])
		}
		return LUT{First: first, Bits: 8, Data: out}, true
	case len(data) >= 2*n:
		return LUT{First: first, Bits: bits, Data: o.words(data)[:n]}, bits >= 8 && bits <= 16
	}
	return LUT{}, false
}

func (o *Outline) words(b []byte) []uint16 {
	out := make([]uint16, len(b)/2)
	for i := range out {
		out[i] = o.order().Uint16(b[2*i:])
	}
	return out
}

// segments expands a segmented table (PS3.3 C.7.9.2): discrete, linear, and
// indirect segments, the last not nested.
func segments(in []uint16, n, first, bits int) (LUT, bool) {
	out := make([]uint16, 0, n)
	var run func(from, count int, nested bool) bool
	run = func(at, count int, nested bool) bool {
		for ; count != 0 && at+1 < len(in) && len(out) < n; count-- {
			length := int(in[at+1])
			switch in[at] {
			case 0:
				if at+2+length > len(in) {
					return false
				}
				out = append(out, in[at+2:at+2+length]...)
				at += 2 + length
			case 1:
				if at+2 >= len(in) || len(out) == 0 {
					return false
				}
				from, to := int(out[len(out)-1]), int(in[at+2])
				for i := 1; i <= length; i++ {
					out = append(out, uint16(from+(to-from)*i/length))
				}
				at += 3
			case 2:
				if nested || at+3 >= len(in) {
					return false
				}
				if !run(int(in[at+2])|int(in[at+3])<<16, length, true) {
					return false
				}
				at += 4
			default:
				return false
			}
		}
		return true
	}
	if !run(0, -1, false) || len(out) < n {
		return LUT{}, false
	}
	return LUT{First: first, Bits: bits, Data: out[:n]}, bits == 8 || bits == 16
}
