package render

import "image"

// shrink averages boxes of pixels; it never enlarges.
func shrink(src image.Image, side int) image.Image {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	if side < 1 || max(w, h) <= side {
		return src
	}
	long := max(w, h)
	nw, nh := max(1, w*side/long), max(1, h*side/long)
	switch src := src.(type) {
	case *image.Gray:
		out := image.NewGray(image.Rect(0, 0, nw, nh))
		boxes(out.Pix, out.Stride, src.Pix, src.Stride, w, h, nw, nh, 1)
		return out
	case *image.RGBA:
		out := image.NewRGBA(image.Rect(0, 0, nw, nh))
		boxes(out.Pix, out.Stride, src.Pix, src.Stride, w, h, nw, nh, 4)
		return out
	}
	return src
}

func boxes(dst []byte, dstStride int, src []byte, srcStride, w, h, nw, nh, channels int) {
	for y := range nh {
		y0, y1 := y*h/nh, (y+1)*h/nh
		for x := range nw {
			x0, x1 := x*w/nw, (x+1)*w/nw
			for c := range channels {
				sum := 0
				for sy := y0; sy < y1; sy++ {
					row := src[sy*srcStride:]
					for sx := x0; sx < x1; sx++ {
						sum += int(row[sx*channels+c])
					}
				}
				n := (y1 - y0) * (x1 - x0)
				dst[y*dstStride+x*channels+c] = byte((sum + n/2) / n)
			}
		}
	}
}
