package render

import (
	"bytes"
	"encoding/binary"
	"image"
	"math"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// plain is an 8-bit grey image that is shown as it is.
func plain(rows, cols int, cells ...byte) (*codec.Native, study.Pixel) {
	n := &codec.Native{Rows: rows, Cols: cols, Samples: 1, BitsAllocated: 8, Photometric: "MONOCHROME2", Data: cells}
	return n, study.Pixel{
		Photometric: "MONOCHROME2", BitsAllocated: 8, BitsStored: 8, HighBit: 7, Slope: 1,
		Windows: []study.Window{{Centre: 128, Width: 256}},
	}
}

func drawn(t *testing.T, n *codec.Native, px study.Pixel, o Options) []byte {
	t.Helper()
	return pix(mustNew(t, n, px).Draw(o))
}

// PS3.3 C.11.2.1.2: windows that are none are ignored, and the next choice counts.
func TestBadWindows(t *testing.T) {
	n, px := plain(1, 3, 0, 128, 255)
	for name, c := range map[string]struct {
		o      Options
		source string
	}{
		"zero":            {Options{Window: &study.Window{Centre: 1, Width: 0}}, FromAuto},
		"negative":        {Options{Window: &study.Window{Centre: 1, Width: -3}}, FromAuto},
		"not a number":    {Options{Window: &study.Window{Centre: math.NaN(), Width: 3}}, FromAuto},
		"infinite":        {Options{Window: &study.Window{Centre: 1, Width: math.Inf(1)}}, FromAuto},
		"below one":       {Options{Window: &study.Window{Centre: 1, Width: 0.5}}, FromAuto},
		"below one exact": {Options{Window: &study.Window{Centre: 1, Width: 0.5}, Function: LinearExact}, FromUser},
		"one":             {Options{Window: &study.Window{Centre: 1, Width: 1}}, FromUser},
		"no such choice":  {Options{Choice: 7}, FromAuto},
		"less than none":  {Options{Choice: -1}, FromAuto},
		"of the file":     {Options{}, FromFile},
		"not of the file": {Options{Auto: true}, FromAuto},
	} {
		if got := mustNew(t, n, px).Used(c.o).Source; got != c.source {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// A threshold: w = 1 divides by nothing.
func TestThreshold(t *testing.T) {
	n, px := plain(1, 4, 0, 9, 10, 255)
	if got := drawn(t, n, px, Options{Window: &study.Window{Centre: 10, Width: 1}}); !bytes.Equal(got, []byte{0, 0, 255, 255}) {
		t.Errorf("got %v", got)
	}
}

// Every way to invert, and none twice.
func TestInversion(t *testing.T) {
	for _, c := range []struct {
		photometric, shape string
		state              *Presentation
		present            *study.LUT
		inverted           bool
	}{
		{"MONOCHROME2", "", nil, nil, false},
		{"MONOCHROME1", "", nil, nil, true},
		{"MONOCHROME1", "INVERSE", nil, nil, true},
		{"MONOCHROME2", "INVERSE", nil, nil, true},
		{"MONOCHROME1", "IDENTITY", nil, nil, false},
		{"MONOCHROME1", "", &Presentation{}, nil, false},
		{"MONOCHROME1", "INVERSE", &Presentation{Shape: "IDENTITY"}, nil, false},
		{"MONOCHROME2", "", &Presentation{Shape: "INVERSE"}, nil, true},
		{"MONOCHROME1", "", nil, &study.LUT{Bits: 8, Data: []uint16{0, 255}}, false},
	} {
		for _, user := range []bool{false, true} {
			n, px := plain(1, 2, 0, 255)
			n.Photometric, px.Photometric, px.Shape, px.PresentLUT = c.photometric, c.photometric, c.shape, c.present
			got := drawn(t, n, px, Options{State: c.state, Invert: user})
			want := []byte{0, 255}
			if c.inverted != user {
				want = []byte{255, 0}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%+v, user %v: got %v", c, user, got)
			}
		}
	}
}

func TestStateTransforms(t *testing.T) {
	n, px := plain(1, 4, 0, 10, 20, 255)
	px.Slope, px.Intercept = 2, -100
	for name, c := range map[string]struct {
		o    Options
		want []byte
	}{
		"whole range":     {Options{State: &Presentation{}}, []byte{0, 10, 20, 255}},
		"rescale":         {Options{State: &Presentation{Rescale: &Rescale{Slope: 10}, Window: &study.Window{Centre: 100.5, Width: 201}}}, []byte{0, 128, 255, 255}},
		"modality lut":    {Options{State: &Presentation{ModalityLUT: &study.LUT{First: 10, Bits: 8, Data: []uint16{0, 255}}}}, []byte{0, 0, 255, 255}},
		"voi lut":         {Options{State: &Presentation{VOILUT: &study.LUT{First: -80, Bits: 8, Data: []uint16{7, 9}}}}, []byte{7, 7, 9, 9}},
		"function":        {Options{State: &Presentation{Window: &study.Window{Centre: -80, Width: 40}, Function: Sigmoid}}, []byte{30, 128, 225, 255}},
		"user above it":   {Options{State: &Presentation{VOILUT: &study.LUT{Bits: 8, Data: []uint16{7, 9}}}, Window: &study.Window{Centre: -79, Width: 1}}, []byte{0, 0, 255, 255}},
		"bad window":      {Options{State: &Presentation{Window: &study.Window{Width: -1}}}, []byte{0, 10, 20, 255}}, // automatic: −100 to 410
		"presentation":    {Options{State: &Presentation{PresentationLUT: &study.LUT{Bits: 8, Data: []uint16{255, 100, 0}}}}, []byte{255, 255, 255, 0}},
		"automatic":       {Options{State: &Presentation{VOILUT: &study.LUT{Data: []uint16{7}}}, Auto: true}, []byte{0, 10, 20, 255}},
		"presented twice": {Options{State: &Presentation{PresentationLUT: &study.LUT{Bits: 8, Data: []uint16{255, 100, 0}}, Shape: "INVERSE"}}, []byte{0, 0, 0, 255}},
	} {
		got := drawn(t, n, px, c.o)
		if !bytes.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// Displayed area, then turn, then flip (PS3.3 C.10.4, C.10.6).
func TestPresent(t *testing.T) {
	n, px := plain(2, 3, 1, 2, 3, 4, 5, 6)
	px.Windows = []study.Window{{Centre: 128, Width: 256}}
	f := mustNew(t, n, px)
	w := &study.Window{Centre: 128, Width: 256}
	for name, c := range map[string]struct {
		s      Presentation
		want   []byte
		dx, dy int
	}{
		"nothing":            {Presentation{Window: w}, []byte{1, 2, 3, 4, 5, 6}, 3, 2},
		"area":               {Presentation{Window: w, Area: &Area{X0: 2, Y0: 1, X1: 3, Y1: 2}}, []byte{2, 3, 5, 6}, 2, 2},
		"area named by turn": {Presentation{Window: w, Area: &Area{X0: 3, Y0: 2, X1: 2, Y1: 1}}, []byte{2, 3, 5, 6}, 2, 2},
		"area and turn":      {Presentation{Window: w, Area: &Area{X0: 2, Y0: 1, X1: 3, Y1: 2}, Turn: Turn{Quarters: 1}}, []byte{5, 2, 6, 3}, 2, 2},
		"turn, then flip":    {Presentation{Window: w, Turn: Turn{Quarters: 1, Flip: true}}, []byte{1, 4, 2, 5, 3, 6}, 2, 3},
		"beyond the image":   {Presentation{Window: w, Area: &Area{X0: -5, Y0: -5, X1: 1, Y1: 9}}, []byte{1, 4}, 1, 2},
		"outside of it":      {Presentation{Window: w, Area: &Area{X0: 9, Y0: 9, X1: 12, Y1: 12}}, []byte{1, 2, 3, 4, 5, 6}, 3, 2},
	} {
		im := f.Present(Options{State: &c.s}).(*image.Gray)
		if !bytes.Equal(im.Pix, c.want) || im.Rect.Dx() != c.dx || im.Rect.Dy() != c.dy {
			t.Errorf("%s: got %v %v", name, im.Rect, im.Pix)
		}
	}
	if got := pix(f.Present(Options{})); !bytes.Equal(got, []byte{1, 2, 3, 4, 5, 6}) {
		t.Errorf("no state: got %v", got)
	}
}

func picture(t *testing.T, rows, cols int, edit func(*study.Pixel), o Options) string {
	t.Helper()
	n, px := plain(rows, cols, bytes.Repeat([]byte{100}, rows*cols)...)
	edit(&px)
	out := ""
	for i, v := range drawn(t, n, px, o) {
		if i%cols == 0 && i > 0 {
			out += "/"
		}
		out += map[byte]string{0: ".", 100: "x", 255: "#", 128: "+"}[v]
	}
	return out
}

func TestShutter(t *testing.T) {
	with := func(s study.Shutter) func(*study.Pixel) { return func(p *study.Pixel) { p.Shutter = &s } }
	square := [][2]int{{1, 1}, {1, 4}, {3, 4}, {3, 1}}
	for name, c := range map[string]struct {
		edit func(*study.Pixel)
		o    Options
		want string
	}{
		"rectangle":     {with(study.Shutter{Rect: &[4]int{2, 3, 1, 2}}), Options{}, ".xx./.xx./..../...."},
		"circle":        {with(study.Shutter{Circle: &[3]int{2, 2, 1}}), Options{}, ".x../xxx./.x../...."},
		"polygon":       {with(study.Shutter{Polygon: square}), Options{}, "xxx./xxx./..../...."},
		"all of them":   {with(study.Shutter{Rect: &[4]int{2, 3, 1, 2}, Circle: &[3]int{2, 2, 1}}), Options{}, ".x../.xx./..../...."},
		"grey":          {with(study.Shutter{Rect: &[4]int{2, 3, 1, 2}, Value: 0x8000}), Options{}, "+xx+/+xx+/++++/++++"},
		"lifted":        {with(study.Shutter{Rect: &[4]int{2, 3, 1, 2}}), Options{LiftShutter: true}, "xxxx/xxxx/xxxx/xxxx"},
		"of the state":  {with(study.Shutter{Rect: &[4]int{2, 3, 1, 2}}), Options{State: &Presentation{Shutter: &study.Shutter{Rect: &[4]int{1, 4, 4, 4}}}}, "..../..../..../xxxx"},
		"none by state": {with(study.Shutter{Rect: &[4]int{2, 3, 1, 2}}), Options{State: &Presentation{}}, "xxxx/xxxx/xxxx/xxxx"},
		"bitmap":        {func(*study.Pixel) {}, Options{State: &Presentation{Hide: &study.Overlay{Rows: 1, Cols: 3, Top: 2, Left: 2, Data: []byte{5}}}}, "xxxx/x.x./xxxx/xxxx"},
		"tall pixels": {func(p *study.Pixel) {
			p.Shutter, p.AspectRatio = &study.Shutter{Circle: &[3]int{2, 2, 1}}, &[2]float64{2, 1}
		}, Options{}, "..../xxx./..../...."},
		"whole image":    {with(study.Shutter{Rect: &[4]int{0, 4, 0, 4}}), Options{}, "xxxx/xxxx/xxxx/xxxx"},
		"nothing inside": {with(study.Shutter{Rect: &[4]int{3, 2, 1, 4}}), Options{}, "..../..../..../...."},
	} {
		if got := picture(t, 4, 4, c.edit, c.o); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestOverlayDrawing(t *testing.T) {
	all := func(kind string, top, left int) study.Overlay {
		return study.Overlay{Group: 0x6002, Rows: 2, Cols: 2, Top: top, Left: left, Type: kind, Data: []byte{0b1101}}
	}
	with := func(list ...study.Overlay) func(*study.Pixel) { return func(p *study.Pixel) { p.Overlays = list } }
	for name, c := range map[string]struct {
		edit func(*study.Pixel)
		o    Options
		want string
	}{
		"graphics":       {with(all("G", 1, 1)), Options{}, "#xx/##x/xxx"},
		"region":         {with(all("R", 1, 1)), Options{}, "xxx/xxx/xxx"},
		"hidden":         {with(all("G", 1, 1)), Options{HideOverlays: true}, "xxx/xxx/xxx"},
		"partly outside": {with(all("G", 0, 0), all("G", 3, 3)), Options{}, "#xx/xxx/xx#"},
		"not activated":  {with(all("G", 1, 1)), Options{State: &Presentation{}}, "xxx/xxx/xxx"},
		"activated":      {with(all("R", 1, 1)), Options{State: &Presentation{Activated: []int{0x6002}}}, "#xx/##x/xxx"},
		"of the state":   {with(), Options{State: &Presentation{Overlays: []study.Overlay{all("G", 2, 2)}}}, "xxx/x#x/x##"},
		"no bits":        {with(study.Overlay{Rows: 2, Cols: 2, Top: 1, Left: 1}), Options{}, "xxx/xxx/xxx"},
		"above shutters": {func(p *study.Pixel) {
			p.Overlays, p.Shutter = []study.Overlay{all("G", 1, 1)}, &study.Shutter{Rect: &[4]int{3, 3, 3, 3}}
		}, Options{}, "#../##./..x"},
	} {
		if got := picture(t, 3, 3, c.edit, c.o); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	n, px := plain(1, 2, 0b0000_0101, 0b1000_0011) // 4 bits stored, an overlay in bit 7
	px.BitsStored, px.HighBit = 4, 3
	px.Windows = []study.Window{{Centre: 8, Width: 16}}
	px.Overlays = []study.Overlay{{Rows: 1, Cols: 2, Top: 1, Left: 1, Type: "G", Embedded: true, Bit: 7}}
	if got := drawn(t, n, px, Options{}); !bytes.Equal(got, []byte{85, 255}) {
		t.Errorf("embedded: got %v", got)
	}
	if got := drawn(t, n, px, Options{HideOverlays: true}); !bytes.Equal(got, []byte{85, 51}) {
		t.Errorf("embedded, hidden: got %v", got)
	}
}

// Padding is in stored values with their sign, from value to limit.
func TestPaddingRange(t *testing.T) {
	px := ct()
	px.Signed, px.BitsStored, px.HighBit, px.Padding = true, 16, 15, &study.Padding{Low: -2000, High: -1998}
	px.Windows = []study.Window{{Centre: -4000, Width: 1}}
	v := func(i int) uint16 { return uint16(int16(i)) }
	n := grey16(px, v(-2001), v(-2000), v(-1999), v(-1998), v(-1997), v(100))
	n.Signed = true
	f := mustNew(t, n, px)
	if got := pix(f.Draw(Options{})); !bytes.Equal(got, []byte{255, 0, 0, 0, 255, 255}) {
		t.Errorf("got %v", got)
	}
	for x, want := range []bool{false, true, true, true, false, false} {
		if p, _ := f.Probe(x, 0); p.Padding != want {
			t.Errorf("x %d: padding %v", x, p.Padding)
		}
	}
}

// Floats: what is no number, and padding, is background and in no window.
func TestFloat(t *testing.T) {
	var data []byte
	for _, v := range []float32{float32(math.NaN()), 1, 2, float32(math.Inf(1)), -5} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	n := &codec.Native{Rows: 1, Cols: 5, Samples: 1, BitsAllocated: 32, Photometric: "MONOCHROME2", Data: data}
	px := study.Pixel{Float: true, Slope: 1, BitsAllocated: 32, BitsStored: 32, FloatPadding: &[2]float64{-6, -4}}
	f := mustNew(t, n, px)
	if u := f.Used(Options{}); u.Centre != 1.5 || u.Width != 1 {
		t.Errorf("window: got %+v", u)
	}
	if got := pix(f.Draw(Options{Invert: true})); !bytes.Equal(got, []byte{0, 255, 0, 0, 0}) {
		t.Errorf("got %v", got)
	}
	if v, _ := f.Probe(0, 0); !v.Padding {
		t.Error("not a number is a value")
	}
	px.FloatPadding, px.Float = nil, false
	px.BitsStored, px.HighBit = 20, 19
	n.Data, n.Signed, n.Cols = binary.LittleEndian.AppendUint32(nil, 0xFFF<<20|0x80001), true, 1
	if v, _ := mustNew(t, n, px).Probe(0, 0); v.Stored != -0x7FFFF {
		t.Errorf("20 bits signed: got %v", v.Stored)
	}
}

func TestSupplemental(t *testing.T) {
	n, px := plain(1, 4, 0, 255, 0, 1)
	n.BitsAllocated, n.Data = 16, binary.LittleEndian.AppendUint16(nil, 0)
	for _, v := range []uint16{255, 4096, 4097} {
		n.Data = binary.LittleEndian.AppendUint16(n.Data, v)
	}
	px.BitsAllocated, px.BitsStored, px.HighBit, px.Supplemental = 16, 16, 15, true
	lut := func(a, b uint16) study.LUT { return study.LUT{First: 4096, Bits: 16, Data: []uint16{a << 8, b << 8}} }
	px.Palette = &study.Palette{Red: lut(1, 2), Green: lut(3, 4), Blue: lut(5, 6)}
	f := mustNew(t, n, px)
	want := []byte{0, 0, 0, 255, 255, 255, 255, 255, 1, 3, 5, 255, 2, 4, 6, 255}
	if got := pix(f.Draw(Options{})); !bytes.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if u := f.Used(Options{Auto: true}); u.Centre != 127.5 || u.Width != 255 {
		t.Errorf("colours count in the window: %+v", u)
	}
}

func TestColourBits(t *testing.T) {
	n := &codec.Native{Rows: 1, Cols: 1, Samples: 3, BitsAllocated: 16, Photometric: "RGB"}
	for _, v := range []uint16{0xFFF, 0x800, 0} {
		n.Data = binary.LittleEndian.AppendUint16(n.Data, v)
	}
	if got := drawn(t, n, study.Pixel{BitsStored: 12, HighBit: 11}, Options{}); !bytes.Equal(got, []byte{255, 128, 0, 255}) {
		t.Errorf("12 bits: got %v", got)
	}
	n = &codec.Native{Rows: 1, Cols: 1, Samples: 3, BitsAllocated: 8, Photometric: "RGB", Data: []byte{15, 8, 0}}
	if got := drawn(t, n, study.Pixel{BitsStored: 4, HighBit: 3}, Options{}); !bytes.Equal(got, []byte{255, 136, 0, 255}) {
		t.Errorf("4 bits: got %v", got)
	}
	n.Data = []byte{0, 100, 255}
	bright := Options{Window: &study.Window{Centre: 100, Width: 1}}
	if got := drawn(t, n, study.Pixel{BitsStored: 8, HighBit: 7}, bright); !bytes.Equal(got, []byte{0, 255, 255, 255}) {
		t.Errorf("brightness: got %v", got)
	}
}
