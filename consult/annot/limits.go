package annot

import "errors"

// Limits of measuring.
const (
	// trueLengthMax bounds the known length of a calibration, in mm: ten metres are
	// more than any body.
	trueLengthMax = 10_000
	// spacingMax bounds the spacing that a calibration gives, in mm: as of an image's own.
	spacingMax = 10
)

// Limits of foreign objects. What is over them is left out and said.
const (
	// RefsMax bounds the images that one object names: a series of a study.
	RefsMax = 100_000
	// AnnotationsMax bounds graphic and text objects of a state: more than can be seen.
	AnnotationsMax = 20_000
	// GraphicPointsMax bounds the points of one graphic object.
	GraphicPointsMax = 10_000
	// graphicTotalMax bounds the points of all of them.
	graphicTotalMax = 1_000_000
	// textMax bounds one text: ST holds 1,024 characters.
	textMax = 1024
	// splinePointsMax bounds what is smoothed; longer ones are dense as they are.
	splinePointsMax = 2000
	// displayMax bounds coordinates: any image and what may be drawn beside it.
	displayMax = 1 << 20
	// depthMax bounds nested content items of a document.
	depthMax = 32
	// contentMax bounds content items of a document.
	contentMax = 100_000
)

// ErrClass means that the object is of a class that is not read here.
var ErrClass = errors.New("not a presentation state or key object selection that is read here")

// ErrSource means that the object is about no image, or about another study's.
var ErrSource = errors.New("object without images of its study")
