package render

import "image"

// Turn is how an image lies on the screen: turned clockwise by Quarters, then
// flipped about the vertical axis, in this order (PS3.3 C.10.6).
type Turn struct {
	Quarters int  // 0 to 3, each 90° clockwise
	Flip     bool // left to right
}

// Right turns what is seen by 90° clockwise.
func (t Turn) Right() Turn { return t.by(1) }

// Left turns what is seen by 90° counter-clockwise.
func (t Turn) Left() Turn { return t.by(3) }

// by turns after the flip: a flip reverses the sense of the turn before it.
func (t Turn) by(quarters int) Turn {
	if t.Flip {
		quarters = 4 - quarters
	}
	return Turn{Quarters: mod4(t.Quarters + quarters), Flip: t.Flip}
}

// Horizontal flips what is seen from left to right.
func (t Turn) Horizontal() Turn { return Turn{Quarters: t.Quarters, Flip: !t.Flip} }

// Vertical flips what is seen upside down: half a turn and a horizontal flip.
func (t Turn) Vertical() Turn { return Turn{Quarters: mod4(t.Quarters + 2), Flip: !t.Flip} }

func mod4(n int) int { return (n%4 + 4) % 4 }

// None reports whether the image lies as it is stored.
func (t Turn) None() bool { return mod4(t.Quarters) == 0 && !t.Flip }

// Swaps reports whether rows have become columns.
func (t Turn) Swaps() bool { return t.Quarters%2 != 0 }

// Edges are the letters at the edges of what is seen.
func (t Turn) Edges(e Edges) Edges {
	for range mod4(t.Quarters) { // what was left comes to the top
		e = Edges{Top: e.Left, Right: e.Top, Bottom: e.Right, Left: e.Bottom}
	}
	if t.Flip {
		e.Left, e.Right = e.Right, e.Left
	}
	return e
}

// Point tells where the point (x, y) of a w × h image is seen, as in annotations:
// (0, 0) is the corner of the first pixel.
func (t Turn) Point(x, y, w, h float64) (seenX, seenY float64) {
	for range mod4(t.Quarters) {
		x, y, w, h = h-y, x, h, w
	}
	if t.Flip {
		x = w - x
	}
	return x, y
}

// Source is the inverse of Point: which point of the stored w × h image is seen at (x, y).
func (t Turn) Source(x, y, w, h float64) (storedX, storedY float64) {
	if t.Swaps() {
		w, h = h, w
	}
	if t.Flip {
		x = w - x
	}
	for range mod4(t.Quarters) {
		x, y, w, h = y, w-x, h, w
	}
	return x, y
}

// Image turns a drawn image. Others than *image.Gray and *image.RGBA come back
// as they are.
func (t Turn) Image(src image.Image) image.Image {
	if t.None() {
		return src
	}
	switch src := src.(type) {
	case *image.Gray:
		out := image.NewGray(t.bounds(src.Rect))
		t.copy(out.Pix, out.Stride, src.Pix, src.Stride, src.Rect, 1)
		return out
	case *image.RGBA:
		out := image.NewRGBA(t.bounds(src.Rect))
		t.copy(out.Pix, out.Stride, src.Pix, src.Stride, src.Rect, 4)
		return out
	}
	return src
}

func (t Turn) bounds(r image.Rectangle) image.Rectangle {
	if t.Swaps() {
		return image.Rect(0, 0, r.Dy(), r.Dx())
	}
	return image.Rect(0, 0, r.Dx(), r.Dy())
}

func (t Turn) copy(dst []byte, dstStride int, src []byte, srcStride int, r image.Rectangle, channels int) {
	w, h := r.Dx(), r.Dy()
	for y := range h {
		for x := range w {
			dx, dy := t.Point(float64(x)+0.5, float64(y)+0.5, float64(w), float64(h))
			to, from := int(dy)*dstStride+int(dx)*channels, y*srcStride+x*channels
			copy(dst[to:to+channels], src[from:from+channels])
		}
	}
}
