package raster

import (
	"image"
	"math"
)

// Render draws the source through a view: *image.Gray stays grey, anything else
// comes out as *image.RGBA. What the source does not cover is black.
//
// Down-scaling is the box average, up-scaling bilinear, each axis by itself in
// 16.16 fixed point; x/image/draw has no fast path for image.Gray.
func Render(src image.Image, v View) image.Image {
	w, h := min(max(v.W, 0), sideMax), min(max(v.H, 0), sideMax)
	p := of(src)
	channels := 1
	if p.grey == nil {
		channels = 3
	}
	data := make([]byte, w*h*channels)
	if p.w > 0 && p.h > 0 && w > 0 && h > 0 {
		cells := p.grey
		if cells == nil {
			cells = p.rgb
		}
		xs := axis(p.w, w, v.ScaleX, v.CX)
		ys := axis(p.h, h, v.ScaleY, v.CY)
		resample(data, cells, p.w, w, channels, xs, ys)
	}
	if channels == 1 {
		return &image.Gray{Pix: data, Stride: w, Rect: image.Rect(0, 0, w, h)}
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		copy(out.Pix[4*i:4*i+3], data[3*i:3*i+3])
		out.Pix[4*i+3] = 255
	}
	return out
}

// span is what one canvas pixel takes of the source along one axis: weights of
// 65536 in all from first on; none where the source is not.
type span struct {
	first   int
	weights []uint32
}

func axis(n, out int, scale, centre float64) []span {
	spans := make([]span, out)
	if !(scale > 0) || math.IsInf(scale, 0) || math.IsNaN(centre) {
		return spans
	}
	for i := range spans {
		a := centre + (float64(i)-float64(out)/2)/scale
		b := centre + (float64(i)+1-float64(out)/2)/scale
		mid := (a + b) / 2
		if mid < 0 || mid >= float64(n) {
			continue
		}
		if scale >= 1 {
			spans[i] = linear(n, mid)
		} else {
			spans[i] = box(n, a, b)
		}
	}
	return spans
}

// linear takes the two source pixels whose centres enclose the point.
func linear(n int, mid float64) span {
	f := mid - 0.5
	i := int(math.Floor(f))
	t := uint32(math.Round((f - float64(i)) * 65536))
	switch {
	case i < 0:
		return span{0, []uint32{65536}}
	case i >= n-1:
		return span{n - 1, []uint32{65536}}
	case t == 0:
		return span{i, []uint32{65536}}
	case t == 65536:
		return span{i + 1, []uint32{65536}}
	}
	return span{i, []uint32{65536 - t, t}}
}

// box averages all that lies between a and b, parts of pixels as parts.
func box(n int, a, b float64) span {
	a, b = max(a, 0), min(b, float64(n))
	first, last := int(math.Floor(a)), int(math.Ceil(b))-1
	last = min(max(last, first), n-1)
	s := span{first: first, weights: make([]uint32, last-first+1)}
	total, biggest := uint32(0), 0
	for j := range s.weights {
		lo, hi := max(a, float64(first+j)), min(b, float64(first+j+1))
		s.weights[j] = uint32(max(0, hi-lo) / (b - a) * 65536)
		total += s.weights[j]
		if s.weights[j] > s.weights[biggest] {
			biggest = j
		}
	}
	s.weights[biggest] += 65536 - total // rounding down lost a little: white must stay white
	return s
}

// resample goes over the rows that are needed once, along x, and adds them up along y.
func resample(dst, src []byte, srcW, w, channels int, xs, ys []span) {
	rows := map[int][]uint32{} // source rows already scaled along x; a window of two or few
	acc := make([]uint64, w*channels)
	for y, sy := range ys {
		if len(sy.weights) == 0 {
			continue
		}
		for k := range rows {
			if k < sy.first {
				delete(rows, k)
			}
		}
		clear(acc)
		for j, wy := range sy.weights {
			if wy == 0 {
				continue
			}
			row, ok := rows[sy.first+j]
			if !ok {
				row = make([]uint32, w*channels)
				along(row, src[(sy.first+j)*srcW*channels:], channels, xs)
				rows[sy.first+j] = row
			}
			for i, v := range row {
				acc[i] += uint64(v) * uint64(wy)
			}
		}
		line := dst[y*w*channels : (y+1)*w*channels]
		for i, v := range acc {
			line[i] = byte(min((v+1<<31)>>32, 255))
		}
	}
}

func along(row []uint32, src []byte, channels int, xs []span) {
	if channels == 1 {
		for x, s := range xs {
			var sum uint32
			part := src[s.first : s.first+len(s.weights)]
			for j, wx := range s.weights {
				sum += uint32(part[j]) * wx
			}
			row[x] = sum
		}
		return
	}
	for x, s := range xs {
		for j, wx := range s.weights {
			p := src[3*(s.first+j):]
			row[3*x] += uint32(p[0]) * wx
			row[3*x+1] += uint32(p[1]) * wx
			row[3*x+2] += uint32(p[2]) * wx
		}
	}
}
