package object

import "errors"

const (
	// FileMax bounds a file that is read whole: overlays and encapsulated documents
	// are what makes such an object long.
	FileMax = 64 << 20
	// TextValueMax bounds a text that is decoded; longer ones are cut.
	TextValueMax = 1 << 20
)

// ErrSize means that the file is longer than an object that is read whole.
var ErrSize = errors.New("object is longer than its limit")

// ErrWrite means that an object cannot be written as it is meant. It is a fault of this
// program, not of its user.
var ErrWrite = errors.New("object cannot be written as meant")
