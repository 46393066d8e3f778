package deid

// Rect is what is blackened of every frame of an image: from its top left corner, in pixels.
type Rect struct {
	_          struct{} `cbor:",toarray"`
	X, Y, W, H uint64
}
