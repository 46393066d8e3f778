package study

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// with is a 4 × 4 image of 16 bits that also has the given elements.
func with(t *testing.T, parts ...[]byte) *Instance {
	t.Helper()
	return withShape(t, shape(4, 4, 16, "1"), 32, parts...)
}

func withShape(t *testing.T, shape []byte, pixels int, parts ...[]byte) *Instance {
	t.Helper()
	all := append([][]byte{identity(), shape}, parts...)
	in, err := Parse(file(le, append(all, el(tagPixelData, "OW", make([]byte, pixels)))...))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func seq(t Tag, items ...[]byte) []byte { return el(t, "SQ", bytes.Join(items, nil)) }

func it(parts ...[]byte) []byte {
	b := bytes.Join(parts, nil)
	return item(uint32(len(b)), b)
}

func words(v ...uint16) []byte {
	var out []byte
	for _, x := range v {
		out = binary.LittleEndian.AppendUint16(out, x)
	}
	return out
}

func doubles(v ...float64) []byte {
	var out []byte
	for _, x := range v {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	}
	return out
}

func longs(v ...uint32) []byte {
	var out []byte
	for _, x := range v {
		out = binary.LittleEndian.AppendUint32(out, x)
	}
	return out
}

// overlayOf is the group of a 3 × 3 overlay.
func overlayOf(g Tag, origin [2]int16, parts ...[]byte) []byte {
	base := g << 16
	head := [][]byte{
		us(base|0x10, 3), us(base|0x11, 3), str(base|0x40, "CS", "G"),
		el(base|0x50, "SS", words(uint16(origin[0]), uint16(origin[1]))),
	}
	return bytes.Join(append(head, parts...), nil)
}

func TestOverlays(t *testing.T) {
	// Two planes of 9 bits without a gap: the second begins in the second byte.
	planes := []byte{0b10101010, 0b00000011, 0b00000010, 0}
	in := withShape(t, shape(4, 4, 16, "3"), 96,
		overlayOf(0x6000, [2]int16{-1, 2}, str(0x60000015, "IS", "2"), us(0x60000051, 2), el(0x60003000, "OW", planes)),
		overlayOf(0x601E, [2]int16{1, 1}, el(0x601E3000, "OB", []byte{0xFF, 0x01})),
		overlayOf(0x6002, [2]int16{1, 1}, el(0x60023000, "OB", []byte{0xFF}))) // 3 × 3 bits in 8
	if len(in.Pixel.Overlays) != 2 || !slices.Contains(in.Findings, "overlay is damaged and left out") {
		t.Fatalf("got %+v, %v", in.Pixel.Overlays, in.Findings)
	}
	if o := in.Pixel.Overlays[0]; o.Top != -1 || o.Left != 2 || o.First != 2 || o.Planes != 2 || o.Type != "G" {
		t.Errorf("got %+v", o)
	}
	bits := func(k int) (out []string) {
		p := in.Pixel.Frame(k)
		for _, o := range p.Overlays {
			var b strings.Builder
			for i := range 9 {
				b.WriteByte("01"[map[bool]int{true: 1}[o.At(i%3, i/3)]])
			}
			out = append(out, b.String())
		}
		return out
	}
	for k, want := range [][]string{{"111111111"}, {"010101011", "111111111"}, {"100000001", "111111111"}} {
		if got := bits(k); !slices.Equal(got, want) {
			t.Errorf("frame %d: got %v, want %v", k, got, want)
		}
	}
}

// Retired overlays lie in the unused bits of the cells; in the used ones they cannot.
func TestEmbeddedOverlay(t *testing.T) {
	twelve := bytes.Join([][]byte{
		us(0x00280002, 1), str(0x00280004, "CS", "MONOCHROME2"), us(0x00280010, 3), us(0x00280011, 3),
		us(0x00280100, 16), us(0x00280101, 12), us(0x00280102, 11), us(0x00280103, 0),
	}, nil)
	in := withShape(t, twelve, 18,
		overlayOf(0x6000, [2]int16{1, 1}, us(0x60000100, 16), us(0x60000102, 13)),
		overlayOf(0x6002, [2]int16{1, 1}, us(0x60020100, 16), us(0x60020102, 11)))
	if o := in.Pixel.Overlays; len(o) != 1 || !o[0].Embedded || o[0].Bit != 13 {
		t.Errorf("got %+v", o)
	}
}

func TestShutters(t *testing.T) {
	in := with(t,
		str(0x00181600, "CS", "RECTANGULAR\\CIRCULAR\\POLYGONAL"), str(0x00181602, "IS", "2"), str(0x00181604, "IS", "30"),
		str(0x00181606, "IS", "1"), str(0x00181608, "IS", "40"), str(0x00181610, "IS", "10\\20"), str(0x00181612, "IS", "7"),
		str(0x00181620, "IS", "1\\1\\1\\9\\9\\5"), us(0x00181622, 0x8000))
	want := &Shutter{Rect: &[4]int{2, 30, 1, 40}, Circle: &[3]int{10, 20, 7}, Polygon: [][2]int{{1, 1}, {1, 9}, {9, 5}}, Value: 0x8000}
	if !reflect.DeepEqual(in.Pixel.Shutter, want) {
		t.Errorf("got %+v", in.Pixel.Shutter)
	}
	if s := with(t, str(0x00181600, "CS", "CIRCULAR"), str(0x00181610, "IS", "10\\x"), str(0x00181612, "IS", "7")).Pixel.Shutter; s != nil {
		t.Errorf("damaged: got %+v", s)
	}
}

func TestRegions(t *testing.T) {
	region := func(unit uint16, x1 uint32) []byte {
		return it(us(0x00186012, 1), us(0x00186014, 1), el(0x00186018, "UL", longs(10)), el(0x0018601A, "UL", longs(20)), el(0x0018601C, "UL", longs(x1)),
			el(0x0018601E, "UL", longs(60)), us(0x00186024, unit), us(0x00186026, unit), el(0x0018602C, "FD", doubles(0.02)), el(0x0018602E, "FD", doubles(-0.03)))
	}
	in := with(t, seq(0x00186011, region(3, 50), region(4, 50), region(3, 5)))
	want := Region{X0: 10, Y0: 20, X1: 50, Y1: 60, UnitX: 3, UnitY: 3, DeltaX: 0.02, DeltaY: 0.03, Format: 1, Type: 1}
	if r := in.Pixel.Regions; len(r) != 3 || r[0] != want || r[1].UnitX != 4 || r[2].UnitX != 0 {
		t.Errorf("got %+v", r)
	}
}

// lutItem is an item of a LUT sequence.
func lutItem(n, first, bits uint16, vr string, data []byte) []byte {
	return it(el(0x00283002, "US", words(n, first, bits)), str(0x00283003, "LO", "why"), el(0x00283006, vr, data))
}

// PS3.3 C.11.1.1, C.11.2.1.1: signed first mapped values, 65,536 entries, bytes in
// words, wrong numbers of bits.
func TestTables(t *testing.T) {
	signed := bytes.Replace(shape(4, 4, 16, "1"), us(0x00280103, 0), us(0x00280103, 1), 1)
	big := make([]byte, 131072)
	big[131070], big[131071] = 0xFF, 0xFF
	for name, c := range map[string]struct {
		shape, item []byte
		first, bits int
		entries     int
		repaired    bool
		last        uint16
	}{
		"signed first":        {signed, lutItem(2, 0xFFFE, 12, "US", words(0, 4095)), -2, 12, 2, false, 4095},
		"unsigned first":      {shape(4, 4, 16, "1"), lutItem(2, 0xFFFE, 12, "US", words(0, 4095)), 65534, 12, 2, false, 4095},
		"65536 entries":       {signed, lutItem(0, 0x8000, 16, "OW", big), -32768, 16, 65536, false, 0xFFFF},
		"bytes in words":      {signed, lutItem(4, 0, 8, "OW", []byte{1, 2, 3, 4}), 0, 8, 4, false, 4},
		"bytes, 16 bits said": {signed, lutItem(2, 0, 16, "OW", words(0, 255)), 0, 8, 2, true, 255},
		"more than the bits":  {signed, lutItem(2, 0, 8, "OW", words(0, 1023)), 0, 10, 2, true, 1023},
		"no bits":             {signed, lutItem(2, 0, 0, "OW", words(0, 4095)), 0, 12, 2, true, 4095},
	} {
		in := withShape(t, c.shape, 32, seq(tagVOILUT, c.item))
		if len(in.Pixel.VOILUTs) != 1 {
			t.Errorf("%s: no table; %v", name, in.Findings)
			continue
		}
		l := in.Pixel.VOILUTs[0]
		if l.First != c.first || l.Bits != c.bits || len(l.Data) != c.entries || l.Repaired != c.repaired || l.Data[len(l.Data)-1] != c.last || l.Explanation != "why" {
			t.Errorf("%s: got first %d bits %d entries %d repaired %v last %d", name, l.First, l.Bits, len(l.Data), l.Repaired, l.Data[len(l.Data)-1])
		}
	}
	if in := with(t, seq(tagModalityLUT, lutItem(4, 0, 12, "OW", words(1)))); in.Pixel.ModalityLUT != nil || !slices.Contains(in.Findings, "lookup table is damaged and left out") {
		t.Errorf("short table was taken: %v", in.Findings)
	}
}

// A table of 65,536 entries has no room in a US; in an implicit data set it has.
func TestTableImplicit(t *testing.T) {
	implicit := func(t Tag, v []byte) []byte {
		out := binary.LittleEndian.AppendUint16(nil, t.Group())
		out = binary.LittleEndian.AppendUint16(out, uint16(t))
		return append(binary.LittleEndian.AppendUint32(out, uint32(len(v))), v...)
	}
	lut := bytes.Join([][]byte{implicit(0x00283002, words(0, 0, 16)), implicit(tagLUTData, make([]byte, 131072))}, nil)
	var all []byte
	for _, e := range []struct {
		t Tag
		v []byte
	}{
		{tagSOPClass, []byte("1.2.840.10008.5.1.4.1.1.2\x00")},
		{tagSOPInstance, []byte("1.2.3.40")},
		{tagStudyUID, []byte("1.2.30")},
		{tagSeriesUID, []byte("1.2.3.10")},
		{0x00280002, words(1)},
		{0x00280004, []byte("MONOCHROME2 ")},
		{0x00280010, words(4)},
		{0x00280011, words(4)},
		{0x00280100, words(16)},
		{0x00280101, words(16)},
		{0x00280102, words(15)},
		{0x00280103, words(0)},
		{tagModalityLUT, item(uint32(len(lut)), lut)},
		{tagPixelData, make([]byte, 32)},
	} {
		all = append(all, implicit(e.t, e.v)...)
	}
	in, err := Parse(file("1.2.840.10008.1.2", all))
	if err != nil {
		t.Fatal(err)
	}
	if l := in.Pixel.ModalityLUT; l == nil || len(l.Data) != 65536 {
		t.Errorf("got no table: %v", in.Findings)
	}
}

// Nested metadata of a deflated data set.
func TestTableDeflated(t *testing.T) {
	body := deflate(bytes.Join([][]byte{
		identity(), shape(4, 4, 16, "1"), seq(tagVOILUT, lutItem(2, 0, 12, "US", words(0, 4095))), el(tagPixelData, "OW", make([]byte, 32)),
	}, nil))
	in, err := Parse(append(meta(deflated), body...))
	if err != nil || len(in.Pixel.VOILUTs) != 1 {
		t.Errorf("got %v, %+v", err, in)
	}
}

func TestPalettes(t *testing.T) {
	palette := func(desc [3]uint16, tag Tag, data []byte) (out [][]byte) {
		for i := range Tag(3) {
			out = append(out, el(0x00281101+i, "US", words(desc[:]...)), el(tag+i, "OW", data))
		}
		return out
	}
	coloured := bytes.Replace(shape(4, 4, 16, "1"), str(0x00280004, "CS", "MONOCHROME2"), str(0x00280004, "CS", "PALETTE COLOR"), 1)
	for name, c := range map[string]struct {
		parts [][]byte
		bits  int
		want  []uint16
	}{
		"bytes":         {palette([3]uint16{4, 0, 8}, 0x00281201, []byte{1, 2, 3, 4}), 8, []uint16{1, 2, 3, 4}},
		"words":         {palette([3]uint16{2, 0, 16}, 0x00281201, words(0x100, 0xFF00)), 16, []uint16{0x100, 0xFF00}},
		"bytes as word": {palette([3]uint16{2, 0, 16}, 0x00281201, words(1, 255)), 8, []uint16{1, 255}},
		// C.7.9.2: discrete of 2, linear of 4 to 0x500, indirect to both.
		"segments": {
			palette([3]uint16{12, 0, 16}, 0x00281221, words(0, 2, 0, 0x100, 1, 4, 0x500, 2, 2, 0, 0)), 16,
			[]uint16{0, 0x100, 0x200, 0x300, 0x400, 0x500, 0, 0x100, 0x200, 0x300, 0x400, 0x500},
		},
		// the same in bytes; the second target is that of the linear segment, at byte 4
		"segments of bytes": {
			palette([3]uint16{8, 0, 8}, 0x00281221, []byte{0, 2, 0, 10, 1, 2, 30, 2, 1, 4, 0, 0, 0, 0, 2, 7, 9, 0}), 8,
			[]uint16{0, 10, 20, 30, 30, 30, 7, 9},
		},
	} {
		in := withShape(t, coloured, 32, c.parts...)
		p := in.Pixel.Palette
		if p == nil {
			t.Errorf("%s: no palette; %v", name, in.Findings)
			continue
		}
		if p.Red.Bits != c.bits || !slices.Equal(p.Green.Data, c.want) {
			t.Errorf("%s: got %d bits %v", name, p.Red.Bits, p.Green.Data)
		}
	}
	for name, segments := range map[string][]uint16{
		"endless": {2, 0xFFFF, 0, 0}, "no start": {1, 4, 9}, "beyond": {0, 9, 1}, "unknown": {7, 1, 1}, "odd offset": {0, 1, 5, 2, 1, 1, 0}, "empty": {0, 0, 0, 0, 0, 0},
	} {
		if in := withShape(t, coloured, 32, palette([3]uint16{12, 0, 16}, 0x00281221, words(segments...))...); in.Pixel.Palette != nil {
			t.Errorf("%s: got a palette", name)
		}
	}
}

// A supplemental palette colours only what is above the grey range.
func TestSupplementalPalette(t *testing.T) {
	parts := [][]byte{str(0x00089205, "CS", "COLOR")}
	for i := range Tag(3) {
		parts = append(parts, el(0x00281101+i, "US", words(2, 4096, 16)), el(0x00281201+i, "OW", words(0x1000, 0xFF00)))
	}
	if p := with(t, parts...).Pixel; !p.Supplemental || p.Palette == nil || p.Palette.Red.First != 4096 {
		t.Errorf("got %+v", p.Palette)
	}
	if p := with(t, parts[1:]...).Pixel; p.Supplemental || p.Palette != nil {
		t.Error("a palette that is not presented was taken")
	}
}

func TestPaddingAndWindows(t *testing.T) {
	signed := bytes.Replace(shape(4, 4, 16, "1"), us(0x00280103, 0), us(0x00280103, 1), 1)
	in := withShape(t, signed, 32, us(0x00280120, 0xF830), us(0x00280121, 0xF834),
		str(0x00281050, "DS", "40\\0\\50"), str(0x00281051, "DS", "400\\0\\350"), str(0x00281055, "LO", "soft\\bad\\neck"))
	p := in.Pixel
	if p.Padding == nil || *p.Padding != (Padding{Low: -2000, High: -1996}) {
		t.Errorf("padding: got %+v", p.Padding)
	}
	if len(p.Windows) != 2 || p.Windows[1] != (Window{Centre: 50, Width: 350, Explanation: "neck"}) || !p.BadWindow {
		t.Errorf("windows: got %+v, bad %v", p.Windows, p.BadWindow)
	}
	if p := with(t, str(0x00281050, "DS", "NaN"), str(0x00281051, "DS", "400")).Pixel; !p.BadWindow || len(p.Windows) != 0 {
		t.Errorf("no number: got %+v, bad %v", p.Windows, p.BadWindow)
	}
	if p := with(t, str(0x00281050, "DS", "40"), str(0x00281051, "DS", "400")).Pixel; p.BadWindow {
		t.Error("a good window is said to be bad")
	}
}

// Every macro of functional groups: the frame's own before the shared one before
// the top level (PS3.3 C.7.6.16).
func TestFunctionalGroups(t *testing.T) {
	shared := it(
		seq(0x00289110, it(str(0x00180050, "DS", "3"), str(0x00280030, "DS", "0.5\\0.25"))),
		seq(0x00209116, it(str(0x00200037, "DS", "1\\0\\0\\0\\1\\0"))),
		seq(0x00209071, it(str(0x00209072, "CS", "L"))),
		seq(0x00289443, it(str(0x00181164, "DS", "0.15\\0.2"))),
		seq(0x00189472, it(str(0x00181600, "CS", "CIRCULAR"), str(0x00181610, "IS", "2\\3"), str(0x00181612, "IS", "1"), us(0x00181622, 9))),
		seq(0x00289132, it(str(0x00281050, "DS", "40"), str(0x00281051, "DS", "400"), str(0x00281055, "LO", "shared"))),
		seq(0x00289145, it(str(0x00281052, "DS", "-1024"), str(0x00281053, "DS", "1"), str(0x00281054, "LO", "HU"))))
	first := it(
		seq(0x00209113, it(str(0x00200032, "DS", "1\\2\\3"))),
		seq(0x00209111, it(str(0x00189074, "DT", "20200101120000"), str(0x00209056, "SH", "A"), el(0x00209057, "UL", longs(7)), el(0x00209157, "UL", longs(1, 7)))))
	second := it(
		seq(0x00209113, it(str(0x00200032, "DS", "1\\2\\9"))),
		seq(0x00289132, it(str(0x00281050, "DS", "50"), str(0x00281051, "DS", "60"), str(0x00281056, "CS", "SIGMOID"))),
		seq(0x00289145, it(str(0x00281052, "DS", "0"), str(0x00281053, "DS", "2"), str(0x00281054, "LO", "US"))),
		seq(0x00409096, it(
			seq(0x004008EA, it(str(0x00080100, "SH", "mm2/s"))), str(0x00409210, "SH", "ADC"), us(0x00409216, 0), us(0x00409211, 4095),
			el(0x00409224, "FD", doubles(0)), el(0x00409225, "FD", doubles(1e-6)))))
	parts := [][]byte{str(0x00281050, "DS", "1"), str(0x00281051, "DS", "2"), str(0x00280030, "DS", "9\\9"), seq(tagShared, shared)}
	in := withShape(t, shape(4, 4, 16, "2"), 64, append(parts, seq(tagPerFrame, first, second))...)
	a, b := in.Pixel.Frame(0), in.Pixel.Frame(1)
	if a.Slope != 1 || a.Intercept != -1024 || a.RescaleType != "HU" || a.Windows[0] != (Window{40, 400, "shared"}) || *a.PixelSpacing != [2]float64{0.5, 0.25} ||
		!a.Measured || a.SliceThickness != 3 || a.Laterality != "L" || a.Position[2] != 3 || a.Orientation == nil || a.VOIFunction != "" ||
		*a.ImagerSpacing != [2]float64{0.15, 0.2} || a.Shutter == nil || *a.Shutter.Circle != [3]int{2, 3, 1} || a.Shutter.Value != 9 {
		t.Errorf("frame 0: %+v", a)
	}
	if b.Slope != 2 || b.Intercept != 0 || b.RescaleType != "US" || b.Windows[0].Centre != 50 || b.VOIFunction != "SIGMOID" || b.Position[2] != 9 {
		t.Errorf("frame 1: %+v", b)
	}
	want := []RealWorld{{First: 0, Last: 4095, Slope: 1e-6, Unit: "mm2/s", Label: "ADC"}}
	if !reflect.DeepEqual(b.RealWorld, want) || a.RealWorld != nil {
		t.Errorf("real world: got %+v and %+v", a.RealWorld, b.RealWorld)
	}
	c := in.Pixel.PerFrame[0].Content
	if c == nil || c.Stack != "A" || c.InStack != 7 || !slices.Equal(c.Dimensions, []int{1, 7}) || c.Acquired != "20200101120000" {
		t.Errorf("content: got %+v", c)
	}
	// Groups that are not one a frame: shared alone, and said.
	odd := withShape(t, shape(4, 4, 16, "2"), 64, append(parts, seq(tagPerFrame, second))...)
	if len(odd.Pixel.PerFrame) != 0 || odd.Pixel.Slope != 1 || !slices.Contains(odd.Findings, "number of functional groups is not the number of frames") {
		t.Errorf("odd groups: %+v", odd.Findings)
	}
}

func TestDistancesAndOrientation(t *testing.T) {
	p := with(t, str(0x00181110, "DS", "1800"), str(0x00181111, "DS", "1500"), str(0x00181114, "DS", "1.2"), str(0x00280A02, "CS", "FIDUCIAL"),
		str(0x00280A04, "LO", "a coin"), str(0x00200060, "CS", "L"), str(0x00200062, "CS", "R"), str(0x00200052, "UI", "1.2.9"), str(0x00280301, "CS", "YES"),
		str(0x00282110, "CS", "01"), str(0x00282112, "DS", "12.5"), str(0x00282114, "CS", "ISO_15444_1")).Pixel
	if p.SourceDetector != 1800 || p.SourcePatient != 1500 || p.Magnification != 1.2 || p.CalibratedBy != "a coin" || p.Laterality != "R" || p.FrameOfRef != "1.2.9" ||
		p.BurnedIn != "YES" || !p.Lossy || p.LossyByCode || p.LossyRatio != "12.5" || p.LossyMethod != "ISO_15444_1" {
		t.Errorf("got %+v", p)
	}
	for name, c := range map[string]struct {
		parts             [][]byte
		quadruped, animal bool
	}{
		"human":            {nil, false, false},
		"dog, not said":    {[][]byte{str(0x00102201, "LO", "Canine")}, false, true},
		"dog, quadruped":   {[][]byte{str(0x00102201, "LO", "Canine"), str(0x00102210, "CS", "QUADRUPED")}, true, false},
		"ape, biped":       {[][]byte{str(0x00102201, "LO", "Gorilla"), str(0x00102210, "CS", "BIPED")}, false, false},
		"human, said":      {[][]byte{str(0x00102201, "LO", "Homo sapiens")}, false, false},
		"dog by code":      {[][]byte{seq(tagSpeciesCode, it(str(0x00080100, "SH", "448771007")))}, false, true},
		"human by code":    {[][]byte{seq(tagSpeciesCode, it(str(0x00080100, "SH", "337915000")))}, false, false},
		"quadruped, coded": {[][]byte{seq(tagSpeciesCode, it(str(0x00080100, "SH", "448771007"))), str(0x00102210, "CS", "QUADRUPED")}, true, false},
	} {
		if p := with(t, c.parts...).Pixel; p.Quadruped != c.quadruped || p.Animal != c.animal {
			t.Errorf("%s: quadruped %v animal %v", name, p.Quadruped, p.Animal)
		}
	}
}

func TestPET(t *testing.T) {
	in := with(t, str(0x00080060, "CS", "PT"), str(0x00541001, "CS", "BQML"), str(0x00541102, "CS", "START"), str(0x00101030, "DS", "70"),
		str(0x00080021, "DA", "20200101"), str(0x00080031, "TM", "120000"),
		seq(tagTracer, it(str(0x00181074, "DS", "3.7E8"), str(0x00181075, "DS", "6586.2"), str(0x00181078, "DT", "20200101110000"))))
	want := &PET{
		Units: "BQML", DecayCorrection: "START", Dose: 3.7e8, HalfLife: 6586.2, Injected: "20200101110000",
		SeriesDate: "20200101", SeriesTime: "120000", Weight: 70,
	}
	if !reflect.DeepEqual(in.Pixel.PET, want) {
		t.Errorf("got %+v", in.Pixel.PET)
	}
}
