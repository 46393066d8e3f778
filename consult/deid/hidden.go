package deid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"regexp"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Cleaned is a bulk from which what could hide text was taken; nil if there was nothing, and the
// sealed bulk goes as it is.
type Cleaned struct {
	Bulk []byte
	// Rebuilt: fragments moved, so that an extended offset table is not true any more.
	Rebuilt bool
}

// ErrHidden says that a bulk has places that cannot be cleaned: the instance is left out.
var ErrHidden = errors.New("the pixel data has places that cannot be cleaned")

// CleanBulk looks into the places of a bulk where text hides: segments and comments of JPEG and
// JPEG 2000, what lies behind the pixels, bits above the stored ones (IMAGING.md §8.4).
func CleanBulk(in *study.Instance, o *study.Outline, bulk io.ReaderAt) (*Cleaned, error) {
	if in.BulkLen == 0 {
		return nil, nil
	}
	if s, _ := study.SyntaxOf(in.TransferSyntax); s.Encapsulated {
		return cleanFragments(in, o, bulk)
	}
	return cleanNative(in, o, bulk)
}

// cleanNative finds bytes behind the last frame, and embedded overlays.
func cleanNative(in *study.Instance, o *study.Outline, bulk io.ReaderAt) (*Cleaned, error) {
	used := usedBytes(in)
	tail := make([]byte, min(max(in.BulkLen-used, 0), tailMax))
	if in.BulkLen-used > tailMax {
		return nil, ErrHidden
	}
	if _, err := bulk.ReadAt(tail, used); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	dirty := len(bytes.Trim(tail, "\x00")) > 0 && len(tail) > 0
	mask := in.Pixel.BitsAllocated == 16 && in.Pixel.BitsStored < 16 && in.Pixel.HighBit == in.Pixel.BitsStored-1 && embedded(o)
	if embedded(o) && !mask && in.Pixel.BitsStored < in.Pixel.BitsAllocated {
		return nil, ErrHidden // overlay bits at places that are not known to be free
	}
	if !dirty && !mask {
		return nil, nil
	}
	if in.BulkLen > nativeMax {
		return nil, ErrHidden
	}
	out := make([]byte, in.BulkLen)
	if _, err := bulk.ReadAt(out, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	clear(out[used:])
	if mask {
		s, _ := study.SyntaxOf(in.TransferSyntax)
		maskBits(out[:used], in.Pixel.BitsStored, in.Pixel.Signed, s.BigEndian)
	}
	return &Cleaned{Bulk: out}, nil
}

// tailMax: more than this behind the pixels is no padding.
const tailMax = 64 << 20

func usedBytes(in *study.Instance) int64 {
	var used int64
	for k := range max(in.Pixel.Frames, 1) {
		rs, err := in.FrameRanges(k)
		if err != nil {
			return in.BulkLen
		}
		for _, r := range rs {
			used = max(used, r.Off+r.Len)
		}
	}
	return min(used, in.BulkLen)
}

// embedded reports whether overlays lie in unused bits of the pixels (PS3.3 C.9.2, retired).
func embedded(o *study.Outline) bool {
	for g := uint32(0x6000); g <= 0x601E; g += 2 {
		position := o.Raw(study.Tag(g<<16 | 0x0102))
		if len(position) == 2 && (position[0] != 0 || position[1] != 0) {
			return true
		}
	}
	return false
}

// maskBits gives the bits above the stored ones what the sign says.
func maskBits(b []byte, stored int, signed, big bool) {
	order := binary.ByteOrder(binary.LittleEndian)
	if big {
		order = binary.BigEndian
	}
	low := uint16(1)<<stored - 1
	for i := 0; i+1 < len(b); i += 2 {
		v := order.Uint16(b[i:]) & low
		if signed && v>>(stored-1) != 0 {
			v |= ^low
		}
		order.PutUint16(b[i:], v)
	}
}

// cleanFragments rebuilds an encapsulated bulk where one of its fragments holds text.
func cleanFragments(in *study.Instance, o *study.Outline, bulk io.ReaderAt) (*Cleaned, error) {
	if in.BulkLen > nativeMax {
		return nil, ErrHidden
	}
	frames := make([][]byte, 0, len(o.Fragments))
	changed := false
	for _, f := range o.Fragments {
		b := make([]byte, f.Len)
		if _, err := bulk.ReadAt(b, f.Off); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		out, did, err := cleanCodestream(b, in)
		if err != nil {
			return nil, err
		}
		changed = changed || did
		frames = append(frames, out)
	}
	if !changed {
		return nil, nil
	}
	return &Cleaned{Bulk: encapsulate(frames), Rebuilt: true}, nil
}

// encapsulate writes fragments after an empty offset table (PS3.5 §A.4).
func encapsulate(fragments [][]byte) []byte {
	out := []byte{0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0}
	for _, f := range fragments {
		if len(f)%2 == 1 {
			f = append(bytes.Clone(f), 0)
		}
		out = append(out, 0xFE, 0xFF, 0x00, 0xE0)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(f)))
		out = append(out, f...)
	}
	return append(out, 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0)
}

// cleanCodestream cleans a fragment that begins a codestream; what goes on with one has only
// entropy-coded data, in which no marker of a beginning can stand.
func cleanCodestream(b []byte, in *study.Instance) ([]byte, bool, error) {
	switch {
	case bytes.HasPrefix(b, []byte{0xFF, 0xD8}):
		return cleanJPEG(b)
	case bytes.HasPrefix(b, []byte{0xFF, 0x4F, 0xFF, 0x51}):
		return cleanJ2K(b)
	case bytes.HasPrefix(b, []byte{0, 0, 0, 12, 'j', 'P'}): // boxes: XML, UUID
		return nil, false, ErrHidden
	case in.TransferSyntax == "1.2.840.10008.1.2.5":
		return cleanRLE(b, in)
	}
	return b, false, nil
}

// harmless are comments that encoders sign with.
var harmless = regexp.MustCompile(`^(?:Created by OpenJPEG version [0-9.]{1,12}|Kakadu-[v0-9.]{1,12}|(?:LEAD Technologies Inc\. V[0-9.]{1,8})|Lavc[0-9.]{0,16}|OpenJPH Ver [0-9.]{1,12}\.?|Kdu-Layer-Info:[-+0-9a-zA-Z(),./:=\n ]{0,400}|AccuSoft Corp\.?|CREATOR: gd-jpeg v[0-9.]{1,6} \(using IJG JPEG v[0-9]{1,3}\), (?:default )?quality(?: = [0-9]{1,3})?\n?|Intel\(R\) IPP JPEG encoder[-\[\]0-9a-zA-Z., ]{0,60}|Aware|J2K codestream|JasPer Version [0-9.]{1,12})\x00?$`)

// cleanJPEG takes comments and application segments out, but for JFIF's and Adobe's, and what
// lies behind the end of the image.
func cleanJPEG(b []byte) ([]byte, bool, error) {
	out := append(make([]byte, 0, len(b)), b[:2]...)
	changed := false
	i := 2
	for i+4 <= len(b) {
		if b[i] != 0xFF {
			return nil, false, ErrHidden
		}
		m := b[i+1]
		if m == 0xFF { // fill
			i++
			continue
		}
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		if n < 2 || i+2+n > len(b) {
			return nil, false, ErrHidden
		}
		body := b[i+4 : i+2+n]
		drop := false
		switch {
		case m == 0xFE:
			drop = !harmless.Match(body)
		case m == 0xE0:
			drop = !bytes.HasPrefix(body, []byte("JFIF\x00")) || len(body) > 14
		case m == 0xEE:
			drop = !bytes.HasPrefix(body, []byte("Adobe")) || len(body) != 12
		case m == 0xE8: // the SPIFF header, and JPEG-LS colour transforms
			drop = !bytes.HasPrefix(body, []byte("mrfx")) || len(body) != 5
		case m > 0xE0 && m <= 0xEF:
			drop = true
		}
		if drop {
			changed = true
		} else {
			out = append(out, b[i:i+2+n]...)
		}
		i += 2 + n
		if m == 0xDA { // the scan, further scans, and the end
			rest, cut := untilEnd(b[i:])
			return append(out, rest...), changed || cut, nil
		}
	}
	return nil, false, ErrHidden
}

// untilEnd cuts what lies behind the last end-of-image marker; padding is no text.
func untilEnd(b []byte) ([]byte, bool) {
	end := bytes.LastIndex(b, []byte{0xFF, 0xD9})
	if end < 0 {
		return b, false
	}
	if first := bytes.Index(b, []byte{0xFF, 0xD9}); first >= 0 {
		end = first
	}
	rest := b[end+2:]
	if len(bytes.Trim(rest, "\x00\xff\xd9")) == 0 {
		return b, false
	}
	return b[:end+2], true
}

// cleanJ2K takes comments out of the main header of a JPEG 2000 codestream (T.800 §A.9.2), and
// what lies behind its end. A comment in a tile-part's header cannot be taken out without
// rewriting lengths.
func cleanJ2K(b []byte) ([]byte, bool, error) {
	out := append(make([]byte, 0, len(b)), b[:2]...)
	changed := false
	i := 2
	for i+4 <= len(b) {
		if b[i] != 0xFF {
			return nil, false, ErrHidden
		}
		m := b[i+1]
		if m == 0x90 { // start of the first tile-part
			if tileComment(b[i:]) {
				return nil, false, ErrHidden
			}
			end := endOfTiles(b, i)
			tail := len(bytes.Trim(b[end:], "\x00\xff\xd9")) > 0
			if !tail {
				end = len(b)
			}
			return append(out, b[i:end]...), changed || tail, nil
		}
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		if n < 2 || i+2+n > len(b) {
			return nil, false, ErrHidden
		}
		if m == 0x64 && n >= 4 && !harmless.Match(b[i+6:i+2+n]) {
			changed = true
		} else {
			out = append(out, b[i:i+2+n]...)
		}
		i += 2 + n
	}
	return nil, false, ErrHidden
}

// tileComment reports whether a tile-part has a comment in its header.
func tileComment(b []byte) bool {
	for len(b) >= 12 && b[0] == 0xFF && b[1] == 0x90 {
		size := int(binary.BigEndian.Uint32(b[6:]))
		for i := 12; i+4 <= len(b) && b[i] == 0xFF && b[i+1] != 0x93; i += 2 + int(binary.BigEndian.Uint16(b[i+2:])) {
			if b[i+1] == 0x64 {
				return true
			}
		}
		if size == 0 || size > len(b) {
			return false
		}
		b = b[size:]
	}
	return false
}

// endOfTiles is where a codestream ends: behind the end marker that follows its tile-parts. Where
// the last tile-part does not say how long it is, that is the last end marker.
func endOfTiles(b []byte, i int) int {
	for i+12 <= len(b) && b[i] == 0xFF && b[i+1] == 0x90 {
		size := int(binary.BigEndian.Uint32(b[i+6:]))
		if size < 12 || size > len(b)-i {
			if end := bytes.LastIndex(b, []byte{0xFF, 0xD9}); end >= i {
				return end + 2
			}
			return len(b)
		}
		i += size
	}
	if i+2 <= len(b) && b[i] == 0xFF && b[i+1] == 0xD9 {
		i += 2
	}
	return min(i, len(b))
}

// cleanRLE cuts what lies behind the last segment's data, and between the header's words that are
// used and the first segment (PS3.5 §G).
func cleanRLE(b []byte, in *study.Instance) ([]byte, bool, error) {
	if len(b) < 64 {
		return b, false, nil
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n < 1 || n > 15 {
		return nil, false, ErrHidden
	}
	last := int64(binary.LittleEndian.Uint32(b[4*n:]))
	if last < 64 || last > int64(len(b)) {
		return nil, false, ErrHidden
	}
	end := last + packed(b[last:], in.Pixel.Rows*in.Pixel.Cols)
	if len(bytes.Trim(b[end:], "\x00\x80")) == 0 {
		return b, false, nil
	}
	return b[:end], true, nil
}

// packed is how many bytes of a segment give n bytes (PS3.5 §G.3.2).
func packed(b []byte, n int) int64 {
	i := 0
	for n > 0 && i < len(b) {
		switch c := int(int8(b[i])); {
		case c >= 0:
			i, n = i+2+c, n-c-1
		case c == -128:
			i++
		default:
			i, n = i+2, n+c-1
		}
	}
	return int64(min(i, len(b)))
}
