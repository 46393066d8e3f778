package codec

// Limits on packed bulks and codestreams, all of them foreign bytes.
const (
	// UnitsMax bounds the units of a packed bulk: 2^20 frames of a cine is
	// nine hours at 30 a second (FORMATS.md §12).
	UnitsMax = 1 << 20
	// UnitMax is the largest unit: one frame of 2 GiB (FORMATS.md §12).
	UnitMax = 2 << 30
	// BulkMax is the largest bulk, as for instances (IMAGING.md §1.2).
	BulkMax = 64 << 30
	// WindowMax bounds what a zstd decoder keeps behind (FORMATS.md §3.2).
	WindowMax = 8 << 20
	// SavingMin: packing that saves less than 1/20 is not worth opening costs.
	SavingMin = 20
	// FrameMax is the largest frame that is decoded for display: 2 GiB cells
	// (IMAGING.md §1.2).
	FrameMax = 2<<30 - 1 // and fits an int of 32 bits
	// SegmentsMax of an RLE frame (PS3.5 §G.3.1): the header holds 15 offsets.
	SegmentsMax = 15
	// cellsPerByteMax of JPEG 2000: a black frame of 16 million cells takes 150
	// bytes, 110,000 cells a byte.
	cellsPerByteMax = 1 << 18
	// headerLen is the fixed part of Packed.
	headerLen = 32
)
