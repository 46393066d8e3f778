package codec

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Encoders and decoders cost megabytes to make; both are kept, one user at a time.
var (
	// Plain bytes are worth a search for repeats. Residuals hardly have any: what
	// makes them small is the entropy coding, also of blocks without a match, so the
	// quickest search does as well (CT 3.35 against 3.33, DX 1.92 against 1.87) in
	// half the time. A small window keeps encoder and decoder in the cache.
	plainEncoders    = encoders(zstd.SpeedDefault, zstd.WithWindowSize(WindowMax))
	residualEncoders = encoders(zstd.SpeedFastest, zstd.WithWindowSize(1<<20), zstd.WithAllLitEntropyCompression(true))
	// tiny writes the content size of frames below 256 bytes too, which only a
	// single segment has (RFC 8878 §3.1.1.1.1.1).
	tinyEncoders = encoders(zstd.SpeedDefault, zstd.WithWindowSize(WindowMax), zstd.WithSingleSegment(true))

	decoders = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(WindowMax),
			zstd.WithDecoderMaxMemory(UnitMax), zstd.WithDecoderLowmem(true))
		if err != nil {
			panic("codec: " + err.Error())
		}
		return d
	}}
	scratch = sync.Pool{New: func() any { return new([]byte) }}
)

func encoders(level zstd.EncoderLevel, more ...zstd.EOption) *sync.Pool {
	more = append(more, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(false))
	return &sync.Pool{New: func() any {
		e, err := zstd.NewWriter(nil, more...)
		if err != nil {
			panic("codec: " + err.Error()) // options above contradict each other
		}
		return e
	}}
}

// compress returns src as one zstd frame with its content size.
func compress(src []byte, pool *sync.Pool) []byte {
	if len(src) < 256 {
		pool = tinyEncoders
	}
	e := pool.Get().(*zstd.Encoder)
	defer pool.Put(e)
	return e.EncodeAll(src, make([]byte, 0, len(src)/3+64))
}

// decompress fills dst from exactly one zstd frame that holds len(dst) bytes.
func decompress(dst, src []byte) error {
	if err := checkFrame(src, uint64(len(dst))); err != nil {
		return err
	}
	d := decoders.Get().(*zstd.Decoder)
	defer decoders.Put(d)
	got, err := d.DecodeAll(src, dst[:0:len(dst)])
	if err != nil {
		return ErrFrame
	}
	if len(got) != len(dst) {
		return ErrUnitSize
	}
	if len(dst) > 0 && &got[0] != &dst[0] {
		copy(dst, got)
	}
	return nil
}

// checkFrame reads the frame header and walks the block headers (RFC 8878
// §3.1.1) before anything is decoded: size and window are as promised, there
// is no dictionary, and nothing follows.
func checkFrame(src []byte, want uint64) error {
	var h zstd.Header
	if err := h.Decode(src); err != nil || h.Skippable || h.DictionaryID != 0 {
		return ErrFrame
	}
	if !h.HasFCS || h.FrameContentSize != want {
		return ErrUnitSize
	}
	// RFC 8878 §3.1.1.1.2: with a single segment the window is the content.
	if h.SingleSegment && want > WindowMax || h.WindowSize > WindowMax {
		return ErrWindow
	}
	rest := src[h.HeaderSize:]
	var most uint64 // RFC 8878 §3.1.1.2.3: a block holds at most 128 KiB
	for {
		if len(rest) < 3 {
			return ErrFrame
		}
		block := int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16
		n := block >> 3
		if block>>1&3 == 1 { // RLE: one byte repeated
			n = 1
		}
		if len(rest) < 3+n {
			return ErrFrame
		}
		rest = rest[3+n:]
		most += 128 << 10
		if block&1 == 1 {
			break
		}
	}
	if h.HasCheckSum {
		if len(rest) < 4 {
			return ErrFrame
		}
		rest = rest[4:]
	}
	if len(rest) != 0 {
		return ErrTrailing
	}
	if most < want {
		return ErrUnitSize
	}
	return nil
}

// borrow returns a scratch buffer of n bytes and how to give it back.
func borrow(n int) ([]byte, func()) {
	p := scratch.Get().(*[]byte)
	if cap(*p) < n {
		*p = make([]byte, n)
	}
	return (*p)[:n], func() { scratch.Put(p) }
}
