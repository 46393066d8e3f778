package codec

import (
	"bytes"
	"image"
	"image/jpeg"
)

// decodeJPEG decodes sequential 8-bit JPEG (ITU-T T.81, processes 1 and 2).
// Entropy decoding and the transform are the standard library's; what its
// colour handling does otherwise than viewers do is done here: the codestream
// says whether components are RGB, subsampled chroma is interpolated as libjpeg
// does it, and YCbCr stays YCbCr (YBR_FULL), as coded.
func decodeJPEG(d FrameDesc, data []byte) (*Native, error) {
	sof, err := scanJPEG(data)
	if err != nil {
		return nil, err
	}
	if sof.rows != d.Rows || sof.cols != d.Cols {
		return nil, damaged("JPEG is not of the declared size")
	}
	if sof.precision != 8 || d.BitsAllocated != 8 || sof.components != d.Samples || d.Samples != 1 && d.Samples != 3 {
		return nil, damaged("JPEG has other samples than declared")
	}
	// A block takes at least a bit: bound the allocation by the bytes at hand.
	if (d.Rows+7)/8*((d.Cols+7)/8) > 8*len(data) {
		return nil, damaged("JPEG codestream is short")
	}
	img, err := jpeg.Decode(bytes.NewReader(sof.cut))
	if err != nil {
		return nil, damaged("JPEG codestream")
	}
	out := d.frame(make([]byte, d.cells()))
	switch img := img.(type) {
	case *image.Gray:
		for y := range d.Rows {
			copy(out.Data[y*d.Cols:(y+1)*d.Cols], img.Pix[y*img.Stride:])
		}
	case *image.RGBA: // the library saw an Adobe marker or ids R, G, B
		fromRGBA(out.Data, img)
		out.Photometric = "RGB"
	case *image.YCbCr:
		fromYCbCr(out.Data, img)
		out.Photometric = "YBR_FULL"
		if d.Photometric == "RGB" && !sof.adobe {
			out.Photometric = "RGB"
			out.Warnings = append(out.Warnings, "JPEG does not say its colours; the header says RGB")
		}
	default:
		return nil, damaged("JPEG colour model")
	}
	return out, nil
}

// jpegFrame is what the markers before the first scan say.
type jpegFrame struct {
	rows, cols, precision, components int
	adobe                             bool
	cut                               []byte // from SOI on
}

// scanJPEG walks marker segments (T.81 §B.1.1) up to the first scan.
func scanJPEG(data []byte) (jpegFrame, error) {
	var f jpegFrame
	if len(data) < 4 || data[0] != 0xFF || data[1] != 0xD8 {
		return f, damaged("no JPEG start marker")
	}
	f.cut = data
	for at := 2; at+4 <= len(data); {
		if data[at] != 0xFF {
			return f, damaged("JPEG marker")
		}
		marker := data[at+1]
		if marker == 0xFF { // fill byte
			at++
			continue
		}
		n := int(data[at+2])<<8 | int(data[at+3])
		if n < 2 || at+2+n > len(data) {
			return f, damaged("JPEG segment is longer than the frame")
		}
		seg := data[at+4 : at+2+n]
		switch {
		case marker == 0xC0 || marker == 0xC1: // SOF0 baseline, SOF1 extended sequential
			if len(seg) < 6 {
				return f, damaged("JPEG frame header")
			}
			f.precision, f.rows = int(seg[0]), int(seg[1])<<8|int(seg[2])
			f.cols, f.components = int(seg[3])<<8|int(seg[4]), int(seg[5])
		case marker >= 0xC2 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
			return f, damaged("JPEG process is not the one declared")
		case marker == 0xEE && len(seg) >= 12 && bytes.HasPrefix(seg, []byte("Adobe")): // T.872 §6.5.3; shorter ones say nothing
			f.adobe = true
		case marker == 0xDA:
			if f.components == 0 {
				return f, damaged("JPEG scan without a frame")
			}
			return f, nil
		}
		at += 2 + n
	}
	return f, damaged("JPEG without a scan")
}

func fromRGBA(out []byte, img *image.RGBA) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	for y := range h {
		row := img.Pix[y*img.Stride:]
		for x := range w {
			copy(out[(y*w+x)*3:], row[x*4:x*4+3])
		}
	}
}

// fromYCbCr interleaves the planes at full resolution.
func fromYCbCr(out []byte, img *image.YCbCr) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	hs, vs := ratio(img.SubsampleRatio)
	cw, ch := (w+hs-1)/hs, (h+vs-1)/vs
	cb, cr := newUpsampler(img.Cb, img.CStride, cw, ch, hs, vs), newUpsampler(img.Cr, img.CStride, cw, ch, hs, vs)
	for y := range h {
		luma := img.Y[y*img.YStride : y*img.YStride+w]
		b, r := cb.row(y, w), cr.row(y, w)
		dst := out[y*w*3 : (y+1)*w*3]
		for x, v := range luma {
			dst[3*x], dst[3*x+1], dst[3*x+2] = v, b[x], r[x]
		}
	}
}

func ratio(r image.YCbCrSubsampleRatio) (h, v int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	default:
		return 1, 1
	}
}

// upsampler gives full-width rows of a chroma plane, with libjpeg's triangle
// filter where it has one (2:1 horizontally) and replication elsewhere.
type upsampler struct {
	pix            []byte
	stride, cw, ch int
	hs, vs         int
	sums           []int
	out            []byte
}

func newUpsampler(pix []byte, stride, cw, ch, hs, vs int) *upsampler {
	return &upsampler{pix: pix, stride: stride, cw: cw, ch: ch, hs: hs, vs: vs, sums: make([]int, cw), out: make([]byte, cw*hs)}
}

func (u *upsampler) line(i int) []byte {
	i = max(0, min(i, u.ch-1))
	return u.pix[i*u.stride : i*u.stride+u.cw]
}

func (u *upsampler) row(y, w int) []byte {
	near := u.line(y / u.vs)
	switch {
	case u.hs == 1:
		return near[:w]
	case u.hs == 2 && u.vs == 1 && u.cw > 2:
		u.fancy(near, near, 2, 1, 2) // weights sum to 4 below
	case u.hs == 2 && u.vs == 2 && u.cw > 2:
		other := u.line(y/2 - 1 + 2*(y%2)) // the row above for even y, below for odd
		u.fancy(near, other, 4, 8, 7)
	default:
		for x := range u.out {
			u.out[x] = near[x/u.hs]
		}
	}
	return u.out[:w]
}

// fancy is libjpeg's h2v1 and h2v2 fancy upsampling: 3/4 near, 1/4 far, in
// each direction, with its alternating rounding.
func (u *upsampler) fancy(near, far []byte, shift uint, even, odd int) {
	scale := 1
	for i := range near {
		if shift == 4 {
			u.sums[i] = 3*int(near[i]) + int(far[i])
			scale = 4
		} else {
			u.sums[i] = int(near[i])
		}
	}
	last := len(near) - 1
	for i, s := range u.sums {
		left, right := s, s
		if i > 0 {
			left = u.sums[i-1]
		}
		if i < last {
			right = u.sums[i+1]
		}
		u.out[2*i] = byte((3*s + left + even) >> shift)
		u.out[2*i+1] = byte((3*s + right + odd) >> shift)
	}
	// The ends are not filtered horizontally.
	u.out[0] = byte((u.sums[0]*4 + even) / (4 * scale))
	u.out[2*last+1] = byte((u.sums[last]*4 + odd) / (4 * scale))
}
