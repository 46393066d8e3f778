package codec

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
)

// FrameDesc is what the head says about the frames of an instance.
type FrameDesc struct {
	Syntax        string // transfer syntax UID
	Rows, Cols    int
	Samples       int
	BitsAllocated int
	BitsStored    int
	HighBit       int
	Signed        bool
	Planar        int // Planar Configuration (0028,0006)
	Photometric   string
	// Bit is the first bit of the frame within its first byte, or word with Words
	// (PS3.5 §8.1.1: 1-bit frames are packed without padding).
	Bit int
	// Words says that 8-bit cells lie in 16-bit big-endian words (OW, Explicit VR Big Endian).
	Words bool
}

// Native is one decoded frame: little-endian cells as wide as BitsAllocated
// (1 bit: one byte a pixel), interleaved, as coded. Native 4:2:2 stays packed:
// Y Y Cb Cr for two pixels, Photometric YBR_FULL_422.
type Native struct {
	Rows          int    `json:"rows"`
	Cols          int    `json:"cols"`
	Samples       int    `json:"samples"`
	BitsAllocated int    `json:"bits_allocated"`
	Signed        bool   `json:"signed"`
	Photometric   string `json:"photometric"` // of Data, not of the head
	Data          []byte `json:"data,omitempty"`
	// Partial: some rows are missing; show it marked as a preview or not at all.
	Partial  bool     `json:"partial,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Errors of decoding, for callers that tell "damaged" from "not supported".
var (
	// ErrFrameData: the codestream is damaged, short, or not of the declared size.
	ErrFrameData = errors.New("frame is damaged")
	// ErrFrameShape: the head's description of the pixels cannot be decoded.
	ErrFrameShape = errors.New("frame description cannot be decoded")
)

// Unsupported names a transfer syntax that this version stores, forwards and
// cannot display.
type Unsupported struct {
	UID  string
	Name string
}

func (e *Unsupported) Error() string {
	return fmt.Sprintf("this version cannot display %s (%s); it is stored and forwarded intact", e.Name, e.UID)
}

// damaged wraps ErrFrameData with what is wrong; never with a value.
func damaged(what string) error { return fmt.Errorf("%w: %s", ErrFrameData, what) }

// Decode decodes one frame; data are the bytes of its ranges, joined. It may
// return data itself as the cells. Any bytes give a frame or an error.
func Decode(d FrameDesc, data []byte) (*Native, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	switch d.Syntax {
	case ImplicitLE, ExplicitLE, ExplicitBE, Deflated, Uncompressed:
		return decodeNative(d, data)
	case RLE:
		return decodeRLE(d, data)
	case JPEGBaseline, JPEGExtended:
		return decodeJPEG(d, data)
	case JPEGLossless, JPEGLosslessSV1:
		return decodeJPEGLossless(d, data)
	case JPEGLSLossless, JPEGLSNear:
		return decodeJPEGLS(d, data)
	case JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K:
		return decodeJPEG2000(d, data)
	case DeflatedFrame:
		return decodeDeflated(d, data)
	}
	return nil, unsupported(d.Syntax)
}

// check bounds what the decoders allocate.
func (d FrameDesc) check() error {
	if d.Rows < 1 || d.Cols < 1 || d.Rows > 65535 || d.Cols > 65535 || d.Samples < 1 || d.Samples > 4 {
		return ErrFrameShape
	}
	switch d.BitsAllocated {
	case 1, 8, 16, 32, 64:
	default:
		return ErrFrameShape
	}
	if d.Bit < 0 || d.Bit > 15 || int64(d.Rows)*int64(d.Cols)*int64(d.Samples*max(1, d.BitsAllocated/8)) > FrameMax {
		return ErrFrameShape
	}
	return nil
}

// cells is the number of samples of a frame.
func (d FrameDesc) cells() int { return d.Rows * d.Cols * d.Samples }

// frame is an empty result.
func (d FrameDesc) frame(data []byte) *Native {
	return &Native{
		Rows: d.Rows, Cols: d.Cols, Samples: d.Samples, BitsAllocated: d.BitsAllocated,
		Signed: d.Signed, Photometric: d.Photometric, Data: data,
	}
}

// decodeNative reorders the cells of a frame that is not compressed.
func decodeNative(d FrameDesc, data []byte) (*Native, error) {
	big := d.Syntax == ExplicitBE
	if d.BitsAllocated == 1 {
		return decodeBits(d, data)
	}
	width := d.BitsAllocated / 8
	if big && d.Words && width == 1 {
		data = swapped(data, 2)
		data = data[min(d.Bit/8, len(data)):]
	}
	n := d.cells() * width
	if d.Photometric == "YBR_FULL_422" && d.Samples == 3 && len(data) < n {
		n = d.Rows * d.Cols * 2 * width // PS3.3 C.7.6.3.1.2
	}
	if len(data) < n {
		return nil, damaged("native frame is short")
	}
	data = data[:n:n]
	if big && width > 1 {
		data = swapped(data, width)
	}
	if d.Planar == 1 && d.Samples > 1 && n == d.cells()*width {
		data = interleave(data, d.Samples, width)
	}
	return d.frame(data), nil
}

// decodeDeflated inflates one frame of native cells (PS3.5 §A.4.13).
func decodeDeflated(d FrameDesc, data []byte) (*Native, error) {
	n := (d.cells()*d.BitsAllocated + 7) / 8
	// RFC 1951 cannot exceed 1,032 : 1.
	if len(data)*1032 < n {
		return nil, damaged("deflated frame is short")
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(data)), raw); err != nil {
		return nil, damaged("deflated frame")
	}
	return decodeNative(d, raw)
}

// decodeBits gives one byte to each bit, least significant first (PS3.5 §8.1.1).
func decodeBits(d FrameDesc, data []byte) (*Native, error) {
	n := d.cells()
	if d.Words && d.Syntax == ExplicitBE {
		data = swapped(data, 2)
	}
	if len(data) < (d.Bit+n+7)/8 {
		return nil, damaged("native frame is short")
	}
	return d.frame(unpackCells(data, d.Bit, n)), nil
}

func unpackCells(data []byte, first, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		bit := first + i
		out[i] = data[bit>>3] >> (bit & 7) & 1
	}
	return out
}

// swapped reverses the bytes of each cell; a byte past the last whole cell stays.
func swapped(data []byte, width int) []byte {
	out := make([]byte, len(data))
	copy(out, data)
	for i := 0; i+width <= len(out); i += width {
		for a, b := i, i+width-1; a < b; a, b = a+1, b-1 {
			out[a], out[b] = out[b], out[a]
		}
	}
	return out
}

// interleave turns planes into pixels.
func interleave(data []byte, samples, width int) []byte {
	out := make([]byte, len(data))
	plane := len(data) / samples
	for s := range samples {
		from := data[s*plane : (s+1)*plane]
		for i := 0; i < plane; i += width {
			copy(out[i*samples+s*width:], from[i:i+width])
		}
	}
	return out
}
