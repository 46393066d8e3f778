package annot

import (
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf16"
)

// inputProfile is an ICC profile of class scnr for the colours of sRGB (IEC
// 61966-2-1), as a colour presentation state must have one (PS3.3 C.11.15.1).
// ICC.1:2010 §8.3.3: three-component matrix-based input profile, PCS XYZ, D50.
func inputProfile() []byte {
	be := binary.BigEndian
	fixed := func(v float64) []byte { return be.AppendUint32(nil, uint32(int32(math.Round(v*65536)))) }
	xyz := func(v ...float64) []byte {
		b := append([]byte("XYZ "), 0, 0, 0, 0)
		for _, x := range v {
			b = append(b, fixed(x)...)
		}
		return b
	}
	text := func(s string) []byte { // §10.13 multiLocalizedUnicodeType
		b := append([]byte("mluc"), 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 12)
		u := utf16.Encode([]rune(s))
		b = append(b, "enUS"...)
		b = be.AppendUint32(be.AppendUint32(b, uint32(2*len(u))), 28)
		for _, c := range u {
			b = be.AppendUint16(b, c)
		}
		return b
	}
	// §10.16 parametricCurveType 3: the curve of sRGB.
	curve := append([]byte("para"), 0, 0, 0, 0, 0, 3, 0, 0)
	for _, v := range []float64{2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045} {
		curve = append(curve, fixed(v)...)
	}
	adapt := append([]byte("sf32"), 0, 0, 0, 0) // D65 to D50, Bradford
	for _, v := range []float64{1.047882, 0.022919, -0.050201, 0.029587, 0.990479, -0.017059, -0.009232, 0.015076, 0.751678} {
		adapt = append(adapt, fixed(v)...)
	}
	tags := []struct {
		name string
		data []byte
	}{
		{"desc", text("sRGB input")},
		{"cprt", text("CC0")},
		{"wtpt", xyz(0.9642, 1, 0.8249)},
		{"chad", adapt},
		{"rXYZ", xyz(0.436065, 0.222488, 0.013916)},
		{"gXYZ", xyz(0.385147, 0.716873, 0.097076)},
		{"bXYZ", xyz(0.143066, 0.060608, 0.714096)},
		{"rTRC", curve},
		{"gTRC", curve},
		{"bTRC", curve},
	}
	const headLen = 128
	list := be.AppendUint32(nil, uint32(len(tags)))
	var body []byte
	from := headLen + 4 + 12*len(tags)
	for _, t := range tags {
		list = append(list, t.name...)
		list = be.AppendUint32(be.AppendUint32(list, uint32(from+len(body))), uint32(len(t.data)))
		body = append(body, t.data...)
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
	}
	h := make([]byte, headLen) // §7.2
	be.PutUint32(h, uint32(from+len(body)))
	be.PutUint32(h[8:], 0x04300000)
	copy(h[12:], "scnrRGB XYZ ")
	for i, v := range []uint16{2026, 1, 1} {
		be.PutUint16(h[24+2*i:], v)
	}
	copy(h[36:], "acsp")
	copy(h[68:], xyz(0.9642, 1, 0.8249)[8:]) // the illuminant
	return slices.Concat(h, list, body)
}
