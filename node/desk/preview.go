package desk

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/seal"
)

// previewOf is the small picture of a frame that came with the manifest; nil where there is none.
func (d *Desk) previewOf(at *located, k int) *codec.Native {
	m := at.manifest
	if m.Preview == nil || !d.blobs.Has(m.Preview.ID) {
		return nil
	}
	b, err := d.openBlob(*m.Preview, seal.Preview)
	if err != nil {
		return nil
	}
	pack, err := study.DecodePreview(b, m)
	if err != nil {
		return nil
	}
	for i := range pack.Images {
		im := &pack.Images[i]
		if im.Series == uint64(at.seriesAt) && im.Instance == uint64(at.at) && im.Frame == uint64(k) {
			return decodePreview(im)
		}
	}
	return nil
}

// decodePreview gives 8-bit cells. It was written by others: nothing is decoded that is not of the
// size it says, which is at most 128 × 128.
func decodePreview(im *study.PreviewImage) *codec.Native {
	config, decode := jpeg.DecodeConfig, jpeg.Decode
	if im.Format == study.PreviewPNG {
		config, decode = png.DecodeConfig, png.Decode
	}
	c, err := config(bytes.NewReader(im.Bytes))
	if err != nil || uint64(c.Width) != im.Width || uint64(c.Height) != im.Height {
		return nil
	}
	img, err := decode(bytes.NewReader(im.Bytes))
	if err != nil {
		return nil
	}
	n := &codec.Native{Rows: c.Height, Cols: c.Width, Samples: 1, BitsAllocated: 8, Photometric: "MONOCHROME2"}
	if c.ColorModel != color.GrayModel {
		n.Samples, n.Photometric = 3, "RGB"
	}
	n.Data = make([]byte, 0, n.Rows*n.Cols*n.Samples)
	for y := range n.Rows {
		for x := range n.Cols {
			n.Data = appendPixel(n.Data, img, x, y, n.Samples)
		}
	}
	return n
}

func appendPixel(out []byte, img image.Image, x, y, samples int) []byte {
	p := img.Bounds().Min
	r, g, b, _ := img.At(p.X+x, p.Y+y).RGBA()
	if samples == 1 {
		return append(out, byte(r>>8))
	}
	return append(out, byte(r>>8), byte(g>>8), byte(b>>8))
}

// previewPixel describes a preview: it is shown as it is, and nothing is measured on it.
func previewPixel(n *codec.Native) study.Pixel {
	return study.Pixel{
		Rows: n.Rows, Cols: n.Cols, Frames: 1, Samples: n.Samples, BitsAllocated: 8, BitsStored: 8, HighBit: 7,
		Photometric: n.Photometric, Slope: 1, Windows: []study.Window{{Centre: 128, Width: 256}}, Lossy: true,
	}
}
