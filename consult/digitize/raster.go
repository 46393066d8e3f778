package digitize

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
)

const (
	photometricGrey = "MONOCHROME2"
	photometricRGB  = "RGB"
)

func readPNG(file []byte) (*picture, error) {
	cfg, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, ErrDamaged
	}
	if err := within(cfg.Height, cfg.Width, pixelCost(cfg.ColorModel)); err != nil {
		return nil, err
	}
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, ErrDamaged
	}
	r, warning := rasterOf(img)
	p := &picture{pages: []raster{r}}
	if warning != "" {
		p.warnings = append(p.warnings, warning)
	}
	return p, nil
}

// pixelCost is how many bytes a pixel takes while it is decoded and after.
func pixelCost(m color.Model) int {
	switch m {
	case color.GrayModel:
		return 2
	case color.Gray16Model:
		return 4
	case color.RGBA64Model, color.NRGBA64Model:
		return 11
	}
	return 7
}

const sixteenBits = "colours of 16 bits are kept with 8"

// rasterOf takes the cells of a decoded picture: grey as grey, all else as RGB over white.
func rasterOf(img image.Image) (raster, string) {
	b := img.Bounds()
	r := raster{rows: b.Dy(), cols: b.Dx(), samples: 1, bits: 8, photometric: photometricGrey}
	switch img := img.(type) {
	case *image.Gray:
		r.cells = make([]byte, 0, r.rows*r.cols)
		for y := range r.rows {
			r.cells = append(r.cells, img.Pix[y*img.Stride:y*img.Stride+r.cols]...)
		}
		return r, ""
	case *image.Gray16:
		r.bits, r.cells = 16, make([]byte, 0, 2*r.rows*r.cols)
		for y := range r.rows {
			row := img.Pix[y*img.Stride:]
			for x := range r.cols {
				r.cells = append(r.cells, row[2*x+1], row[2*x]) // little-endian
			}
		}
		return r, ""
	case *image.RGBA64, *image.NRGBA64:
		r.colours(img)
		return r, sixteenBits
	}
	r.colours(img)
	return r, ""
}

// colours are the RGB cells of any picture, over white.
func (r *raster) colours(img image.Image) {
	r.samples, r.photometric = 3, photometricRGB
	r.cells = make([]byte, 0, 3*r.rows*r.cols)
	at, ok := img.(image.RGBA64Image)
	if !ok {
		at = opaque{img}
	}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := at.RGBA64At(x, y) // premultiplied
			white := uint32(0xFFFF - c.A)
			r.cells = append(r.cells, byte((uint32(c.R)+white)>>8), byte((uint32(c.G)+white)>>8), byte((uint32(c.B)+white)>>8))
		}
	}
}

// opaque is a picture of a kind without a quick way to its colours.
type opaque struct{ image.Image }

func (o opaque) RGBA64At(x, y int) color.RGBA64 {
	c, _ := color.RGBA64Model.Convert(o.At(x, y)).(color.RGBA64)
	return c
}

// toRGB turns full-range YCbCr cells into RGB in place (PS3.3 C.7.6.3.1.2).
func toRGB(cells []byte) {
	for i := 0; i+2 < len(cells); i += 3 {
		cells[i], cells[i+1], cells[i+2] = color.YCbCrToRGB(cells[i], cells[i+1], cells[i+2])
	}
}

// turn brings a picture upright that lies as EXIF's orientation says: 2 and 4 mirrored, 3 upside
// down, 5 to 8 on a side.
func (r *raster) turn(how int) {
	if how == 1 {
		return
	}
	unit := r.samples * r.bits / 8
	out := make([]byte, len(r.cells))
	rows, cols := r.rows, r.cols
	if how >= 5 {
		rows, cols = cols, rows
	}
	for y := range rows {
		for x := range cols {
			sx, sy := r.source(how, x, y)
			copy(out[(y*cols+x)*unit:][:unit], r.cells[(sy*r.cols+sx)*unit:])
		}
	}
	r.cells, r.rows, r.cols = out, rows, cols
}

// source is where a pixel of the upright picture lies in the stored one.
func (r *raster) source(how, x, y int) (sx, sy int) {
	w, h := r.cols-1, r.rows-1
	switch how {
	case 2:
		return w - x, y
	case 3:
		return w - x, h - y
	case 4:
		return x, h - y
	case 5:
		return y, x
	case 6:
		return y, h - x
	case 7:
		return w - y, h - x
	default: // 8
		return w - y, x
	}
}
