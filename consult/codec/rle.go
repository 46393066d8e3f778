package codec

import "encoding/binary"

// decodeRLE reads one RLE frame (PS3.5 Annex G): a header of 64 bytes with the
// offsets of up to 15 segments, each one byte plane of one sample, most
// significant byte first, in PackBits.
func decodeRLE(d FrameDesc, data []byte) (*Native, error) {
	if d.BitsAllocated == 1 {
		return decodeRLEBits(d, data)
	}
	width := d.BitsAllocated / 8
	want := d.Samples * width
	if want > SegmentsMax {
		return nil, ErrFrameShape
	}
	segments, err := rleSegments(data, want)
	if err != nil {
		return nil, err
	}
	// A segment cannot hold more than 128 bytes for two: bound the allocation
	// by the bytes at hand.
	pixels := d.Rows * d.Cols
	for _, s := range segments {
		if len(s)*64 < pixels {
			return nil, damaged("RLE segment is short")
		}
	}
	out := make([]byte, pixels*want)
	for i, s := range segments {
		sample, plane := i/width, i%width
		at := sample*width + (width - 1 - plane) // §G.2: most significant plane first
		if !unpackBits(out, at, want, pixels, s) {
			return nil, damaged("RLE segment does not fill its plane")
		}
	}
	f := d.frame(out)
	return f, nil
}

// decodeRLEBits: one segment of packed bits, each frame from bit 0.
func decodeRLEBits(d FrameDesc, data []byte) (*Native, error) {
	if d.Samples != 1 {
		return nil, ErrFrameShape
	}
	segments, err := rleSegments(data, 1)
	if err != nil {
		return nil, err
	}
	n := (d.cells() + 7) / 8
	packed := make([]byte, n)
	if len(segments[0])*64 < n || !unpackBits(packed, 0, 1, n, segments[0]) {
		return nil, damaged("RLE segment does not fill its plane")
	}
	return d.frame(unpackCells(packed, 0, d.cells())), nil
}

// rleSegments checks the header and cuts the frame.
func rleSegments(data []byte, want int) ([][]byte, error) {
	const headerBytes = 64
	if len(data) < headerBytes {
		return nil, damaged("RLE header is short")
	}
	if n := binary.LittleEndian.Uint32(data); int64(n) != int64(want) {
		return nil, damaged("number of RLE segments")
	}
	out := make([][]byte, want)
	from := uint32(headerBytes)
	for i := range out {
		at := binary.LittleEndian.Uint32(data[4+4*i:])
		end := uint32(len(data))
		if i+1 < want {
			end = binary.LittleEndian.Uint32(data[8+4*i:])
		}
		if at < from || end < at || int64(end) > int64(len(data)) {
			return nil, damaged("RLE segment offset")
		}
		out[i], from = data[at:end], end
	}
	return out, nil
}

// unpackBits writes n bytes of one plane to out[at], out[at+step], … (§G.3.2).
// What follows the last byte is padding.
func unpackBits(out []byte, at, step, n int, in []byte) bool {
	for n > 0 {
		if len(in) < 2 {
			return false
		}
		c := int(int8(in[0]))
		in = in[1:]
		switch {
		case c >= 0: // c+1 bytes as they are
			k := min(c+1, n)
			if len(in) < k {
				return false
			}
			if step == 1 {
				copy(out[at:], in[:k])
				at += k
			} else {
				for _, v := range in[:k] {
					out[at] = v
					at += step
				}
			}
			in, n = in[min(c+1, len(in)):], n-k
		case c > -128: // the next byte 1-c times
			k := min(1-c, n)
			v := in[0]
			for range k {
				out[at] = v
				at += step
			}
			in, n = in[1:], n-k
		}
	}
	return true
}
