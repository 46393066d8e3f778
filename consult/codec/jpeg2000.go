package codec

import (
	"errors"

	"github.com/curbside-p2p/curbside/consult/codec/internal/jpeg2000"
)

// decodeJPEG2000 decodes one JPEG 2000 frame. The codestream decides precision
// and sign; where the head says otherwise, the frame carries a warning.
func decodeJPEG2000(d FrameDesc, data []byte) (*Native, error) {
	if d.BitsAllocated > 16 {
		return nil, ErrFrameShape
	}
	// A frame of one value takes little more than its markers; still, what is
	// allocated follows the bytes at hand.
	if len(data) < 40 || d.cells() > len(data)*cellsPerByteMax {
		return nil, damaged("JPEG 2000 codestream is short")
	}
	im, err := jpeg2000.Decode(data, jpeg2000.Want{Rows: d.Rows, Cols: d.Cols, Components: d.Samples})
	if err != nil {
		if errors.Is(err, jpeg2000.ErrFeature) {
			return nil, &Unsupported{UID: d.Syntax, Name: "JPEG 2000 with wider samples or features of other parts"}
		}
		return nil, damaged("JPEG 2000 codestream")
	}
	if im.Precision > d.BitsAllocated {
		return nil, damaged("JPEG 2000 has other samples than declared")
	}
	out := d.frame(narrow(im.Samples, max(8, d.BitsAllocated))) // 1 bit: one byte a pixel
	if im.Colour {
		out.Photometric = "RGB"
	}
	if im.Subsampled {
		out.Warnings = append(out.Warnings, "JPEG 2000 components are subsampled; their samples are repeated")
	}
	if im.Boxed {
		out.Warnings = append(out.Warnings, "JPEG 2000 codestream is inside a file")
	}
	lossless := d.Syntax == JPEG2000Lossless || d.Syntax == HTJ2KLossless || d.Syntax == HTJ2KLosslessRPCL
	if im.HT != (d.Syntax != JPEG2000 && d.Syntax != JPEG2000Lossless) || im.Lossy && lossless {
		out.Warnings = append(out.Warnings, "JPEG 2000 coding is not the one the transfer syntax declares")
	}
	if im.Precision != d.BitsStored && d.BitsStored != 0 || im.Signed != d.Signed {
		out.Warnings = append(out.Warnings, "JPEG 2000 precision or sign is not the one declared")
	}
	return out, nil
}
