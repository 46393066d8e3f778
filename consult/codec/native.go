package codec

import (
	"errors"
	"fmt"
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
	// Bit is the first bit of a 1-bit frame within its first byte (PS3.5 §8.1.1:
	// frames are packed without padding).
	Bit int
	// Words says that 8-bit cells lie in 16-bit big-endian words (OW, Explicit VR Big Endian).
	Words bool
}

// Native is one decoded frame: little-endian cells as wide as BitsAllocated
// (1 bit: one byte a pixel), interleaved, as coded.
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

// DecodeFrame decodes one frame; data are the bytes of its ranges, joined.
func Decode(d FrameDesc, data []byte) (*Native, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return nil, unsupported(d.Syntax)
}

func (d FrameDesc) check() error {
	if d.Rows < 1 || d.Cols < 1 || d.Rows > 65535 || d.Cols > 65535 || d.Samples < 1 || d.Samples > 4 {
		return ErrFrameShape
	}
	return nil
}
