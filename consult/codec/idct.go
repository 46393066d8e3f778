package codec

// The inverse DCT (T.81 §A.3.3) in integers: the algorithm of Loeffler,
// Ligtenberg and Moschytz with 13-bit constants, rounded as the Independent
// JPEG Group's accurate integer method does it, so that both give one picture.

const (
	fix0298 = 2446 // 0.298631336 * 2^13
	fix0390 = 3196
	fix0541 = 4433
	fix0765 = 6270
	fix0899 = 7373
	fix1175 = 9633
	fix1501 = 12299
	fix1847 = 15137
	fix1961 = 16069
	fix2053 = 16819
	fix2562 = 20995
	fix3072 = 25172
	fixBits = 13
)

// butterfly is one pass over eight values, scaled by 2^13.
func butterfly(a0, a1, a2, a3, a4, a5, a6, a7 int32) (b0, b1, b2, b3, b4, b5, b6, b7 int32) {
	z := (a2 + a6) * fix0541
	even2, even3 := z-a6*fix1847, z+a2*fix0765
	even0, even1 := (a0+a4)<<fixBits, (a0-a4)<<fixBits
	e0, e3, e1, e2 := even0+even3, even0-even3, even1+even2, even1-even2
	z1, z2, z3, z4 := a7+a1, a5+a3, a7+a3, a5+a1
	z5 := (z3 + z4) * fix1175
	z1, z2 = -z1*fix0899, -z2*fix2562
	z3, z4 = z5-z3*fix1961, z5-z4*fix0390
	o0, o1, o2, o3 := a7*fix0298+z1+z3, a5*fix2053+z2+z4, a3*fix3072+z2+z3, a1*fix1501+z1+z4
	return e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3
}

// transform undoes the DCT of a block and writes its samples. The first pass
// keeps 2 bits below the point, 1 for 12-bit samples, which need the room.
func transform[T dctCell](b *[64]int32, out []T, stride int) {
	level, top, keep := levels[T]()
	first, second := fixBits-keep, fixBits+keep+3
	half1, half2 := int32(1)<<(first-1), int32(1)<<(second-1)
	for x := range 8 {
		a := b[x : x+57]
		if a[8]|a[16]|a[24]|a[32]|a[40]|a[48]|a[56] == 0 {
			v := a[0] << keep
			a[0], a[8], a[16], a[24], a[32], a[40], a[48], a[56] = v, v, v, v, v, v, v, v
			continue
		}
		b0, b1, b2, b3, b4, b5, b6, b7 := butterfly(a[0], a[8], a[16], a[24], a[32], a[40], a[48], a[56])
		a[0], a[8], a[16], a[24] = (b0+half1)>>first, (b1+half1)>>first, (b2+half1)>>first, (b3+half1)>>first
		a[32], a[40], a[48], a[56] = (b4+half1)>>first, (b5+half1)>>first, (b6+half1)>>first, (b7+half1)>>first
	}
	for y := range 8 {
		a := b[8*y : 8*y+8]
		b0, b1, b2, b3, b4, b5, b6, b7 := butterfly(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7])
		row := out[y*stride : y*stride+8]
		row[0], row[1] = T(clamp((b0+half2)>>second+level, top)), T(clamp((b1+half2)>>second+level, top))
		row[2], row[3] = T(clamp((b2+half2)>>second+level, top)), T(clamp((b3+half2)>>second+level, top))
		row[4], row[5] = T(clamp((b4+half2)>>second+level, top)), T(clamp((b5+half2)>>second+level, top))
		row[6], row[7] = T(clamp((b6+half2)>>second+level, top)), T(clamp((b7+half2)>>second+level, top))
	}
}

// levels are the level shift (§A.3.1) and the largest sample.
func levels[T dctCell]() (level, top int32, keep uint) {
	if ^T(0) == T(0xFF) {
		return 128, 255, 2
	}
	return 2048, 4095, 1
}

func clamp(v, top int32) int32 {
	if uint32(v) > uint32(top) {
		return max(0, min(v, top))
	}
	return v
}

// flat is transform of a block with a DC coefficient alone.
func flat[T dctCell](dc int32, out []T, stride int) {
	level, top, keep := levels[T]()
	v := T(clamp((dc<<keep+int32(1)<<(keep+2))>>(keep+3)+level, top))
	for y := range 8 {
		row := out[y*stride : y*stride+8]
		for x := range row {
			row[x] = v
		}
	}
}
