package annot

import "github.com/curbside-p2p/curbside/consult/study"

// regional is the spacing where the points are in an ultrasound image (PS3.3
// C.8.5.5): that of one region with centimetres on both axes. Outside of all
// regions nothing is known; across regions, and where an axis is time or velocity,
// there is nothing to measure.
func regional(px study.Pixel, points [][2]float64) Spacing {
	var of *study.Region
	for i, p := range points {
		r := governing(px.Regions, p)
		if i > 0 && !alike(of, r) {
			return Spacing{DX: 1, DY: 1, Label: uncalibrated, None: true}
		}
		of = r
	}
	switch {
	case of == nil:
		return Spacing{DX: 1, DY: 1, Label: uncalibrated}
	case !spatial(of):
		return Spacing{DX: 1, DY: 1, Label: uncalibrated, None: true}
	}
	const mm = 10
	return Spacing{MM: true, DX: of.DeltaX * mm, DY: of.DeltaY * mm, Label: "ultrasound region", Aspect: true}
}

// governing is the smallest region that holds the point: others lie below it.
func governing(regions []study.Region, p [2]float64) *study.Region {
	var of *study.Region
	size := func(r *study.Region) int { return (r.X1 - r.X0 + 1) * (r.Y1 - r.Y0 + 1) }
	for i := range regions {
		r := &regions[i]
		in := p[0] >= float64(r.X0) && p[0] <= float64(r.X1+1) && p[1] >= float64(r.Y0) && p[1] <= float64(r.Y1+1)
		if in && (of == nil || size(r) < size(of)) {
			of = r
		}
	}
	return of
}

// spatial reports whether both axes are centimetres of a sane size.
func spatial(r *study.Region) bool {
	const low, high = 1e-7, 1 // cm a pixel
	ok := func(d float64) bool { return d >= low && d <= high }
	return r.UnitX == study.RegionCM && r.UnitY == study.RegionCM && ok(r.DeltaX) && ok(r.DeltaY)
}

// alike reports whether two regions measure as one: the same, or one drawn over
// another at its scale, as colour flow is.
func alike(a, b *study.Region) bool {
	if a == nil || b == nil {
		return a == b
	}
	one := *a == *b
	return one || spatial(a) && spatial(b) && a.DeltaX == b.DeltaX && a.DeltaY == b.DeltaY && (within(a, b) || within(b, a))
}

func within(a, b *study.Region) bool {
	return a.X0 >= b.X0 && a.Y0 >= b.Y0 && a.X1 <= b.X1 && a.Y1 <= b.Y1
}
