package deid

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// Rect is what is blackened of every frame of an image: from its top left corner, in pixels.
type Rect struct {
	_          struct{} `cbor:",toarray"`
	X, Y, W, H uint64
}

// Errors of blackening, for who asked for it.
var (
	ErrRect    = errors.New("the rectangle is not within the image")
	ErrBlacken = errors.New("these pixels cannot be blackened")
)

// nativeMax bounds the pixels that are unpacked to be blackened.
const nativeMax = 1 << 30

// Blacken makes the bulk of an image whose rectangles are black in every frame. Native pixels are
// changed in their places; encapsulated ones are decoded, and stored native.
func Blacken(in *study.Instance, bulk io.ReaderAt, rects []Rect) ([]byte, *Native, error) {
	p := &in.Pixel
	for _, r := range rects {
		if r.W == 0 || r.H == 0 || r.X >= uint64(p.Cols) || r.Y >= uint64(p.Rows) || r.W > uint64(p.Cols)-r.X || r.H > uint64(p.Rows)-r.Y {
			return nil, nil, ErrRect
		}
	}
	if len(rects) > RectsMax {
		return nil, nil, fmt.Errorf("%w: more than %d rectangles", ErrBlacken, RectsMax)
	}
	syntax, _ := study.SyntaxOf(in.TransferSyntax)
	if !syntax.Encapsulated {
		return blackenNative(in, bulk, rects)
	}
	var out []byte
	var first *codec.Native
	for k := range max(p.Frames, 1) {
		n, err := decode(in, bulk, k)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrBlacken, err)
		}
		if n.Partial || n.BitsAllocated != p.BitsAllocated || n.Samples != p.Samples || len(out)+len(n.Data) > nativeMax {
			return nil, nil, ErrBlacken
		}
		if first == nil {
			first = n
		}
		g := grid{rows: n.Rows, cols: n.Cols, samples: n.Samples, width: n.BitsAllocated / 8, photometric: n.Photometric}
		g.blacken(n.Data, rects, n.Signed)
		out = append(out, n.Data...)
	}
	if len(out)%2 == 1 {
		out = append(out, 0)
	}
	return out, &Native{Bytes: int64(len(out)), Samples: first.Samples, Photometric: first.Photometric, BitsAllocated: first.BitsAllocated, Encapsulated: true}, nil
}

func decode(in *study.Instance, bulk io.ReaderAt, k int) (*codec.Native, error) {
	b, err := in.ReadFrame(bulk, k)
	if err != nil {
		return nil, err
	}
	return codec.Decode(in.FrameDesc(k), b)
}

func blackenNative(in *study.Instance, bulk io.ReaderAt, rects []Rect) ([]byte, *Native, error) {
	p := &in.Pixel
	if p.BitsAllocated%8 != 0 || p.Photometric == "YBR_FULL_422" || p.Float || in.BulkLen > nativeMax {
		return nil, nil, ErrBlacken
	}
	out := make([]byte, in.BulkLen)
	if _, err := bulk.ReadAt(out, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%w: %w", ErrBlacken, err)
	}
	syntax, _ := study.SyntaxOf(in.TransferSyntax)
	g := grid{rows: p.Rows, cols: p.Cols, samples: p.Samples, width: p.BitsAllocated / 8, photometric: p.Photometric, planar: p.Planar == 1, big: syntax.BigEndian && p.BitsAllocated > 8}
	size := p.Rows * p.Cols * p.Samples * g.width
	for k := range max(p.Frames, 1) {
		if (k+1)*size > len(out) {
			return nil, nil, ErrBlacken
		}
		g.blacken(out[k*size:(k+1)*size], rects, p.Signed)
	}
	return out, &Native{Bytes: int64(len(out)), Samples: p.Samples, Photometric: p.Photometric, BitsAllocated: p.BitsAllocated}, nil
}

// grid is how the samples of one frame lie.
type grid struct {
	rows, cols, samples, width int
	photometric                string
	planar, big                bool
}

func (g *grid) offset(y, x, s int) int {
	if g.planar {
		return ((s*g.rows+y)*g.cols + x) * g.width
	}
	return ((y*g.cols+x)*g.samples + s) * g.width
}

// blacken fills rectangles with what the frame has that is darkest, or with black of its colours.
func (g *grid) blacken(frame []byte, rects []Rect, signed bool) {
	fill := make([][]byte, g.samples)
	for s := range fill {
		fill[s] = make([]byte, g.width)
	}
	switch {
	case g.samples == 1 && g.photometric != "PALETTE COLOR":
		fill[0] = g.darkest(frame, signed)
	case g.photometric == "YBR_FULL" && g.samples == 3 && g.width == 1:
		fill[1][0], fill[2][0] = 128, 128
	}
	for _, r := range rects {
		for y := int(r.Y); y < int(r.Y+r.H); y++ {
			for x := int(r.X); x < int(r.X+r.W); x++ {
				for s := range g.samples {
					copy(frame[g.offset(y, x, s):], fill[s])
				}
			}
		}
	}
}

// darkest is the cell of a grey frame that is shown darkest.
func (g *grid) darkest(frame []byte, signed bool) []byte {
	best := frame[:g.width]
	for i := g.width; i+g.width <= len(frame); i += g.width {
		c := g.less(frame[i:i+g.width], best, signed)
		if g.photometric == "MONOCHROME1" {
			c = g.less(best, frame[i:i+g.width], signed)
		}
		if c {
			best = frame[i : i+g.width]
		}
	}
	return bytes.Clone(best)
}

func (g *grid) less(a, b []byte, signed bool) bool {
	for i := range g.width {
		k := i
		if !g.big {
			k = g.width - 1 - i
		}
		x, y := a[k], b[k]
		if i == 0 && signed {
			x, y = x^0x80, y^0x80
		}
		if x != y {
			return x < y
		}
	}
	return false
}
