package annot

// Limits of measuring.
const (
	// trueLengthMax bounds the known length of a calibration, in mm: ten metres are
	// more than any body.
	trueLengthMax = 10_000
	// spacingMax bounds the spacing that a calibration gives, in mm: as of an image's own.
	spacingMax = 10
)
