// Package codec changes pixel bytes: it packs the bulk of an instance without
// loss for transport, and decodes single frames for display.
//
// # Packing
//
// A bulk is stored in one of three ways (FORMATS.md §3.2):
//
//	codec 0   the bulk as it is (always for encapsulated bulks, and when packing saves less than 5 %)
//	codec 1   zstd
//	codec 2   MED prediction, zigzag, byte planes, zstd (8 and 16 bits allocated)
//
//	Packed = u8 codec | u8 bytes per sample | u8 samples per pixel | u8 flags (1 signed, 2 big-endian)
//	       | u32 rows | u32 cols | u32 N units | u64 U unit size | u64 T tail size
//	       | N * u32 packed sizes | N zstd frames | T tail bytes          integers big-endian
//
// Units are independent, so [Open] reads one frame without the others. The
// format does not change; a new one gets a new codec number.
//
// # Decoding
//
// [Decode] turns the bytes of one frame into a [Native] frame as coded: little
// endian cells as wide as Bits Allocated, samples interleaved, no modality or
// VOI transform. Syntaxes without a decoder give *[Unsupported]. A frame is
// exact, or marked by [Native.Partial] and warnings, or an error: never a guess.
//
// The package is pure: no goroutines. Work by unit is offered to the caller,
// who brings the parallelism (see [Each]).
//
// README.md lists the transfer syntaxes and what becomes of each.
//
// Fuzz: go test -fuzz F ./consult/codec, F one of FuzzUnpack, FuzzRoundTrip,
// FuzzNative, FuzzDeflatedFrame, FuzzRLE, FuzzJPEG, FuzzJPEGExtended,
// FuzzJPEGLossless, FuzzJPEGLS, FuzzJPEG2000, FuzzHTJ2K
package codec

import (
	"errors"
	"fmt"
)

// Each runs do(0) … do(n-1) in any order, perhaps at once, and returns when all
// are done. Nil means one after the other.
type Each func(n int, do func(i int))

func (e Each) run(n int, do func(i int)) {
	if e != nil {
		e(n, do)
		return
	}
	for i := range n {
		do(i)
	}
}

// Errors of damaged or foreign packed bytes. Each rule has its own, all are ErrPacked.
var (
	// ErrPacked is the class: these bytes are not a packed bulk of the length
	// asked for. Whoever sealed them is at fault.
	ErrPacked       = errors.New("packed bulk is damaged")
	ErrHeader       = fmt.Errorf("%w: bad header", ErrPacked)
	ErrSizes        = fmt.Errorf("%w: sizes do not add up", ErrPacked)
	ErrUnitSize     = fmt.Errorf("%w: a unit does not unpack to the unit size", ErrPacked)
	ErrWindow       = fmt.Errorf("%w: window larger than 8 MiB", ErrPacked)
	ErrTrailing     = fmt.Errorf("%w: bytes after the end", ErrPacked)
	ErrFrame        = fmt.Errorf("%w: not one zstd frame", ErrPacked)
	ErrLimit        = fmt.Errorf("%w: over a limit", ErrPacked)
	ErrWantLength   = fmt.Errorf("%w: not the length the manifest names", ErrPacked)
	ErrEncapsulated = fmt.Errorf("%w: encapsulated bulk is packed", ErrPacked)
)

// UnknownCodecError says that a bulk is stored in a way this version does not
// know. It is stored and forwarded, and cannot be shown.
type UnknownCodecError struct{ Codec byte }

func (e *UnknownCodecError) Error() string {
	return fmt.Sprintf("bulk codec %d is not known to this version", e.Codec)
}

// Layout says how the cells of a native bulk lie.
type Layout struct {
	Rows, Cols   int
	Samples      int   // per pixel within a unit: 1 for planar configuration 1
	Bytes        int   // per sample: 1 or 2; anything else packs as codec 1
	Signed       bool  // two's complement cells
	BigEndian    bool  // 16-bit cells in big-endian order
	Unit         int64 // bytes of one frame (of one plane when planar); 0 if frames are not whole bytes
	Encapsulated bool  // never packed
}

// predictable reports whether codec 2 applies.
func (l Layout) predictable() bool {
	if l.Bytes != 1 && l.Bytes != 2 || l.Samples < 1 || l.Samples > 4 || l.Rows < 1 || l.Cols < 1 {
		return false
	}
	return l.Unit == int64(l.Rows)*int64(l.Cols)*int64(l.Samples)*int64(l.Bytes)
}
