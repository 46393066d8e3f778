package blob

import "errors"

const (
	// LenMax is the longest content, 1 TiB: far above any single image and
	// small enough that no length computed from it overflows.
	LenMax = 1 << 40
	// RangeMax is how many leaves a transfer takes at a time: 1 MiB keeps a
	// frame small and an urgent range soon served.
	RangeMax = 16
)

// ErrTooLong says that a blob exceeds LenMax.
var ErrTooLong = errors.New("blob is too long")
