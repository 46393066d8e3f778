package study

import (
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Formats of a preview image.
const (
	PreviewJPEG = 1
	PreviewPNG  = 2
)

// Preview is the preview pack of a study: small images, "preview, not for
// diagnosis", no measurements (FORMATS.md §3.5).
type Preview struct {
	Format uint64         `cbor:"1,keyasint"` // 1
	Images []PreviewImage `cbor:"2,keyasint"`
}

// PreviewImage is one image of a preview pack, at most 128 px on the long side.
type PreviewImage struct {
	_        struct{} `cbor:",toarray"`
	Series   uint64   // index in the manifest
	Instance uint64   // index in the series
	Frame    uint64   // from 0
	Format   uint64   // PreviewJPEG or PreviewPNG
	Width    uint64
	Height   uint64
	Bytes    []byte
}

// Rules of a preview pack; all are ErrPreview.
var (
	ErrPreview       = errors.New("preview pack breaks a rule")
	ErrPreviewSize   = fmt.Errorf("%w: over the size limit", ErrPreview)
	ErrPreviewForm   = fmt.Errorf("%w: not a preview pack", ErrPreview)
	ErrPreviewFormat = fmt.Errorf("%w: unknown format", ErrPreview)
	ErrPreviewLarge  = fmt.Errorf("%w: image over 128 pixels", ErrPreview)
	ErrPreviewIndex  = fmt.Errorf("%w: image of no listed frame", ErrPreview)
	ErrPreviewEmpty  = fmt.Errorf("%w: image without bytes", ErrPreview)
)

// Encode checks every rule and returns the canonical bytes.
func (p *Preview) Encode() ([]byte, error) {
	if p.Images == nil {
		p.Images = []PreviewImage{}
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	b, err := wire.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode preview pack: %w", err)
	}
	if len(b) > PreviewLenMax {
		return nil, ErrPreviewSize
	}
	return b, nil
}

// DecodePreview reads a preview pack; with a manifest it also checks that each
// image is of a frame that the manifest lists.
func DecodePreview(b []byte, m *Manifest) (*Preview, error) {
	if len(b) > PreviewLenMax {
		return nil, ErrPreviewSize
	}
	p := new(Preview)
	if err := wire.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPreviewForm, err)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if m == nil {
		return p, nil
	}
	for i := range p.Images {
		if !m.hasFrame(&p.Images[i]) {
			return nil, ErrPreviewIndex
		}
	}
	return p, nil
}

func (p *Preview) check() error {
	if p.Format != 1 {
		return ErrPreviewFormat
	}
	for i := range p.Images {
		im := &p.Images[i]
		switch {
		case im.Format != PreviewJPEG && im.Format != PreviewPNG:
			return ErrPreviewFormat
		case im.Width < 1 || im.Height < 1 || im.Width > PreviewSideMax || im.Height > PreviewSideMax:
			return ErrPreviewLarge
		case len(im.Bytes) == 0:
			return ErrPreviewEmpty
		}
	}
	return nil
}

func (m *Manifest) hasFrame(im *PreviewImage) bool {
	if im.Series >= uint64(len(m.Series)) {
		return false
	}
	rows := m.Series[im.Series].Instances
	return im.Instance < uint64(len(rows)) && im.Frame < max(1, rows[im.Instance].Frames)
}
