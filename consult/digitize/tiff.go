package digitize

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/image/tiff"
)

// readTIFF reads every page. The decoder knows the first one alone: it gets the file with each
// directory as the first in turn.
func readTIFF(file []byte) (*picture, error) {
	starts, err := tiffPages(file)
	if err != nil {
		return nil, err
	}
	p := &picture{}
	total := 0
	for _, at := range starts {
		page := pageOf(file, at)
		cfg, err := tiff.DecodeConfig(bytes.NewReader(page))
		if err != nil {
			return nil, tiffError(err)
		}
		cost := pixelCost(cfg.ColorModel)
		if err := within(cfg.Height, cfg.Width, cost); err != nil {
			return nil, err
		}
		if total += cfg.Height * cfg.Width * cost; total > decodeBytesMax {
			return nil, ErrLimit // all pages are held at once
		}
		img, err := tiff.Decode(bytes.NewReader(page))
		if err != nil {
			return nil, tiffError(err)
		}
		r, warning := rasterOf(img)
		if warning != "" && len(p.warnings) == 0 {
			p.warnings = append(p.warnings, warning)
		}
		r.turn(tiffTurn(file, at))
		p.pages = append(p.pages, r)
	}
	return p, nil
}

func tiffError(err error) error {
	if _, ok := errors.AsType[tiff.UnsupportedError](err); ok {
		return fmt.Errorf("TIFF: %w", ErrUnsupported)
	}
	return ErrDamaged
}

func tiffOrder(file []byte) binary.ByteOrder {
	if file[0] == 'M' {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// tiffPages follows the chain of directories (TIFF 6.0 §2), each visited once.
func tiffPages(file []byte) ([]uint32, error) {
	if len(file) < 8 {
		return nil, ErrDamaged
	}
	order := tiffOrder(file)
	var out []uint32
	seen := map[uint32]bool{}
	for at := order.Uint32(file[4:]); at != 0; {
		if uint64(at)+2 > uint64(len(file)) || seen[at] {
			return nil, ErrDamaged
		}
		seen[at] = true
		if out = append(out, at); len(out) > PagesMax {
			return nil, ErrLimit
		}
		next := uint64(at) + 2 + 12*uint64(order.Uint16(file[at:]))
		if next+4 > uint64(len(file)) {
			return nil, ErrDamaged
		}
		at = order.Uint32(file[next:])
	}
	if len(out) == 0 {
		return nil, ErrDamaged
	}
	return out, nil
}

// pageOf is the file with another first directory. The copy lives as long as its decoding.
func pageOf(file []byte, at uint32) []byte {
	page := bytes.Clone(file)
	tiffOrder(file).PutUint32(page[4:], at)
	return page
}

// tiffTurn is the Orientation of a directory, which is that of EXIF.
func tiffTurn(file []byte, at uint32) int {
	var e exifData
	e.directory(file, tiffOrder(file), at, true)
	return e.turn()
}
