package codec

import "strings"

// Transfer syntaxes with a decoder here.
const (
	ImplicitLE   = "1.2.840.10008.1.2"
	ExplicitLE   = "1.2.840.10008.1.2.1"
	ExplicitBE   = "1.2.840.10008.1.2.2"
	Deflated     = "1.2.840.10008.1.2.1.99"
	Uncompressed = "1.2.840.10008.1.2.1.98" // encapsulated, not compressed
	JPEGBaseline = "1.2.840.10008.1.2.4.50"
	JPEGExtended = "1.2.840.10008.1.2.4.51"
	RLE          = "1.2.840.10008.1.2.5"
	// JPEGLossless allows any predictor, JPEGLosslessSV1 the first alone.
	JPEGLossless    = "1.2.840.10008.1.2.4.57"
	JPEGLosslessSV1 = "1.2.840.10008.1.2.4.70"
	// JPEGLSLossless and JPEGLSNear are one coder; NEAR is in the scan.
	JPEGLSLossless = "1.2.840.10008.1.2.4.80"
	JPEGLSNear     = "1.2.840.10008.1.2.4.81"
	// JPEG2000Lossless is reversible alone, JPEG2000 either.
	JPEG2000Lossless = "1.2.840.10008.1.2.4.90"
	JPEG2000         = "1.2.840.10008.1.2.4.91"
	// HTJ2K syntaxes are JPEG 2000 with the block coder of Part 15.
	HTJ2KLossless     = "1.2.840.10008.1.2.4.201"
	HTJ2KLosslessRPCL = "1.2.840.10008.1.2.4.202"
	HTJ2K             = "1.2.840.10008.1.2.4.203"
	DeflatedFrame     = "1.2.840.10008.1.2.8.1"
)

const syntaxRoot = "1.2.840.10008.1.2."

// EncapsulatedNames names the encapsulated syntaxes by what follows
// 1.2.840.10008.1.2. (PS3.6 table A-1).
var EncapsulatedNames = map[string]string{
	"1.98":  "Encapsulated Uncompressed Explicit VR Little Endian",
	"4.50":  "JPEG Baseline (Process 1)",
	"4.51":  "JPEG Extended (Process 2 and 4)",
	"4.52":  "JPEG Extended (Process 3 and 5)",
	"4.53":  "JPEG Spectral Selection (Process 6 and 8)",
	"4.54":  "JPEG Spectral Selection (Process 7 and 9)",
	"4.55":  "JPEG Full Progression (Process 10 and 12)",
	"4.56":  "JPEG Full Progression (Process 11 and 13)",
	"4.57":  "JPEG Lossless (Process 14)",
	"4.58":  "JPEG Lossless (Process 15)",
	"4.59":  "JPEG Extended, Hierarchical (Process 16 and 18)",
	"4.60":  "JPEG Extended, Hierarchical (Process 17 and 19)",
	"4.61":  "JPEG Spectral Selection, Hierarchical (Process 20 and 22)",
	"4.62":  "JPEG Spectral Selection, Hierarchical (Process 21 and 23)",
	"4.63":  "JPEG Full Progression, Hierarchical (Process 24 and 26)",
	"4.64":  "JPEG Full Progression, Hierarchical (Process 25 and 27)",
	"4.65":  "JPEG Lossless, Hierarchical (Process 28)",
	"4.66":  "JPEG Lossless, Hierarchical (Process 29)",
	"4.70":  "JPEG Lossless, First-Order Prediction",
	"4.80":  "JPEG-LS Lossless",
	"4.81":  "JPEG-LS Near-Lossless",
	"4.90":  "JPEG 2000 (Lossless Only)",
	"4.91":  "JPEG 2000",
	"4.92":  "JPEG 2000 Part 2 Multi-component (Lossless Only)",
	"4.93":  "JPEG 2000 Part 2 Multi-component",
	"4.94":  "JPIP Referenced",
	"4.95":  "JPIP Referenced Deflate",
	"4.100": "MPEG2 Main Profile / Main Level",
	"4.101": "MPEG2 Main Profile / High Level",
	"4.102": "MPEG-4 AVC/H.264 High Profile / Level 4.1",
	"4.103": "MPEG-4 AVC/H.264 BD-compatible",
	"4.104": "MPEG-4 AVC/H.264 High Profile 4.2 for 2D Video",
	"4.105": "MPEG-4 AVC/H.264 High Profile 4.2 for 3D Video",
	"4.106": "MPEG-4 AVC/H.264 Stereo High Profile",
	"4.107": "HEVC/H.265 Main Profile",
	"4.108": "HEVC/H.265 Main 10 Profile",
	"4.110": "JPEG XL Lossless",
	"4.111": "JPEG XL JPEG Recompression",
	"4.112": "JPEG XL",
	"4.201": "HTJ2K (Lossless Only)",
	"4.202": "HTJ2K with RPCL (Lossless Only)",
	"4.203": "HTJ2K",
	"4.204": "JPIP HTJ2K Referenced",
	"4.205": "JPIP HTJ2K Referenced Deflate",
	"5":     "RLE Lossless",
	"8.1":   "Deflated Image Frame Compression",
}

// lossless syntaxes among the encapsulated ones.
var lossless = map[string]bool{
	"1.98": true, "4.57": true, "4.58": true, "4.65": true, "4.66": true, "4.70": true, "4.80": true,
	"4.90": true, "4.92": true, "4.110": true, "4.201": true, "4.202": true, "5": true, "8.1": true,
	"4.94": true, "4.95": true, "4.204": true, "4.205": true,
	"4.91": true, "4.93": true, "4.203": true, "4.112": true, // either: the head says (0028,2110)
}

// LossySyntax reports whether pixels in this syntax are lossy by its nature.
func LossySyntax(uid string) bool {
	suffix, ok := strings.CutPrefix(uid, syntaxRoot)
	_, known := EncapsulatedNames[suffix]
	return ok && known && !lossless[suffix]
}

// Video reports whether a syntax holds one stream over all frames.
func Video(uid string) bool {
	suffix, _ := strings.CutPrefix(uid, syntaxRoot)
	name := EncapsulatedNames[suffix]
	return strings.HasPrefix(name, "MPEG") || strings.HasPrefix(name, "HEVC")
}

// Displayable reports whether Decode knows the syntax.
func Displayable(uid string) bool {
	switch uid {
	case ImplicitLE, ExplicitLE, ExplicitBE, Deflated, Uncompressed, JPEGBaseline, JPEGExtended, RLE, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNear,
		JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K, DeflatedFrame:
		return true
	}
	return false
}

func unsupported(uid string) error {
	suffix, _ := strings.CutPrefix(uid, syntaxRoot)
	name := EncapsulatedNames[suffix]
	if name == "" {
		name, uid = "this transfer syntax", "unknown"
	}
	return &Unsupported{UID: uid, Name: name}
}
