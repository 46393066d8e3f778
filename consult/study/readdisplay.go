package study

import (
	"strconv"
	"strings"

	"github.com/suyashkumar/dicom"
)

// shutter reads the Display Shutter of the top level.
func (o *Outline) shutter() *Shutter {
	s := shutterOf(o.ascii)
	if v, present, ok := o.ushort(0x00181622); s != nil && present && ok {
		s.Value = uint16(v)
	}
	return s
}

// shutterItem reads that of a frame (PS3.3 C.8.19.6, Frame Display Shutter).
func shutterItem(m []*dicom.Element) *Shutter {
	s := shutterOf(func(t Tag) string { return strings.Join(stringsOf(m, t), "\\") })
	if s != nil {
		s.Value = uint16(numberOf(m, 0x00181622))
	}
	return s
}

// shutterOf reads the shapes of PS3.3 C.7.6.11; one that is damaged is left out.
func shutterOf(text func(Tag) string) *Shutter {
	read := func(t Tag) []int { return parseIntegers(text(t)) }
	shapes := "\\" + text(0x00181600) + "\\"
	var s Shutter
	if strings.Contains(shapes, "\\RECTANGULAR\\") {
		l, r, u, d := read(0x00181602), read(0x00181604), read(0x00181606), read(0x00181608)
		if len(l) == 1 && len(r) == 1 && len(u) == 1 && len(d) == 1 {
			s.Rect = &[4]int{l[0], r[0], u[0], d[0]}
		}
	}
	if strings.Contains(shapes, "\\CIRCULAR\\") {
		if c, r := read(0x00181610), read(0x00181612); len(c) == 2 && len(r) == 1 && r[0] > 0 {
			s.Circle = &[3]int{c[0], c[1], r[0]}
		}
	}
	if strings.Contains(shapes, "\\POLYGONAL\\") {
		v := read(0x00181620)
		for i := 0; i+1 < len(v) && len(v) >= 6; i += 2 {
			s.Polygon = append(s.Polygon, [2]int{v[i], v[i+1]})
		}
	}
	if s.Rect == nil && s.Circle == nil && s.Polygon == nil {
		return nil
	}
	return &s
}

// parseIntegers reads an IS; a value that is none makes all of it absent.
func parseIntegers(s string) []int {
	if s == "" {
		return nil
	}
	parts := strings.SplitN(s, "\\", 2*VerticesMax+1)
	if len(parts) > 2*VerticesMax {
		return nil
	}
	out := make([]int, 0, len(parts))
	for _, p := range parts {
		v, err := strconv.ParseInt(strings.TrimSpace(p), 10, 32)
		if err != nil {
			return nil
		}
		out = append(out, int(v))
	}
	return out
}

// pet reads the top level's part of what uptake values need; the tracer's is in
// a sequence.
func (o *Outline) pet(modality string) *PET {
	if modality != "PT" {
		return nil
	}
	return &PET{
		Units: o.code(0x00541001), SUVType: o.code(0x00541006), DecayCorrection: o.code(0x00541102),
		SeriesDate: o.code(0x00080021), SeriesTime: o.code(0x00080031),
		AcquisitionDate: o.code(0x00080022), AcquisitionTime: o.code(0x00080032),
		Timezone: o.code(0x00080201),
		Weight:   o.length(0x00101030),
	}
}
