package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// What codestreams of ITU-T T.81 and T.87 share: markers (T.81 Annex B).

// jpegComponent is one component of a frame header.
type jpegComponent struct {
	id    byte
	h, v  int  // sampling factors
	quant byte // quantisation table
	done  bool // a scan has given it
}

// jpegStream is what the marker segments have said so far.
type jpegStream struct {
	d         FrameDesc
	sof       byte // marker of the frame header
	precision int
	comps     []jpegComponent
	lines     bool // the frame header leaves the number of lines to DNL
	dc, ac    [4]*huffTable
	quant     [4]*[64]uint16 // in zigzag order
	interval  int
	jfif      bool
	adobe     int // transform of APP14, -1 without one
	warnings  []string
}

// scanComponent is one component of a scan header: its place in the frame and
// its table selectors (of a mapping table in JPEG-LS).
type scanComponent struct {
	index  int
	tables byte
}

// jpegScan is a scan header (T.81 §B.2.3): Ss, Se, Ah and Al have other
// meanings in lossless and JPEG-LS scans.
type jpegScan struct {
	comps []scanComponent
	tail  [3]byte
}

// jpegCoder is a process: what it does with a frame header, with a segment that
// only it knows, and with a scan. A scan returns how many bytes it took and
// whether those are all up to the next marker.
type jpegCoder interface {
	frame() error
	segment(marker byte, seg []byte) error
	scan(s jpegScan, data []byte) (used int, exact bool, err error)
}

// jpegProcesses names the frame headers (T.81 table B.1; SOF55 is of T.87).
var jpegProcesses = map[byte]string{
	0xC0: "JPEG baseline", 0xC1: "JPEG extended sequential", 0xC2: "JPEG progressive", 0xC3: "JPEG lossless",
	0xC5: "JPEG hierarchical", 0xC6: "JPEG hierarchical progressive", 0xC7: "JPEG hierarchical lossless",
	0xC9: "JPEG with arithmetic coding", 0xCA: "JPEG progressive with arithmetic coding", 0xCB: "JPEG lossless with arithmetic coding",
	0xCD: "JPEG hierarchical with arithmetic coding", 0xCE: "JPEG hierarchical progressive with arithmetic coding",
	0xCF: "JPEG hierarchical lossless with arithmetic coding", 0xF7: "JPEG-LS", 0xF9: "JPEG-LS extended",
}

// run walks the markers from SOI to EOI; bytes after EOI are padding. The frame
// header must be one of sofs.
func (j *jpegStream) run(data []byte, c jpegCoder, sofs ...byte) error {
	j.adobe = -1
	if len(data) < 4 || data[0] != 0xFF || data[1] != 0xD8 {
		return damaged("no JPEG start marker")
	}
	for at := 2; at+1 < len(data); {
		if data[at] != 0xFF {
			return damaged("JPEG marker")
		}
		marker := data[at+1]
		if marker == 0xFF { // a fill byte (§B.1.1.2)
			at++
			continue
		}
		if marker == 0xD9 { // EOI
			return j.complete()
		}
		if at+4 > len(data) || marker < 0xC0 || marker >= 0xD0 && marker <= 0xD8 {
			return damaged("JPEG marker")
		}
		n := int(binary.BigEndian.Uint16(data[at+2:]))
		if n < 2 || at+2+n > len(data) {
			return damaged("JPEG segment is longer than the frame")
		}
		seg := data[at+4 : at+2+n]
		at += 2 + n
		if marker != 0xDA {
			if err := j.segment(marker, seg, c, sofs); err != nil {
				return err
			}
			continue
		}
		used, err := j.scan(seg, data[at:], c)
		if err != nil {
			return err
		}
		at += used
	}
	return damaged("JPEG without an end marker")
}

// complete: every component is there, and the lines are counted.
func (j *jpegStream) complete() error {
	for _, c := range j.comps {
		if !c.done {
			return damaged("JPEG component is missing")
		}
	}
	if len(j.comps) == 0 || j.lines {
		return damaged("JPEG frame header is missing")
	}
	return nil
}

func (j *jpegStream) segment(marker byte, seg []byte, c jpegCoder, sofs []byte) error {
	if name := jpegProcesses[marker]; name != "" {
		if bytes.IndexByte(sofs, marker) < 0 {
			return &Unsupported{UID: j.d.Syntax, Name: name + " under this transfer syntax"}
		}
		j.sof = marker
		if err := j.header(seg); err != nil {
			return err
		}
		return c.frame()
	}
	switch marker {
	case 0xC4: // DHT
		return j.huffman(seg)
	case 0xCC: // DAC
		return &Unsupported{UID: j.d.Syntax, Name: "JPEG with arithmetic coding"}
	case 0xDB: // DQT
		return j.quantisation(seg)
	case 0xDC: // DNL (§B.2.5), only after the first scan
		if len(seg) != 2 || int(binary.BigEndian.Uint16(seg)) != j.d.Rows || len(j.comps) == 0 {
			return damaged("JPEG is not of the declared size")
		}
		j.lines = false
	case 0xDD: // DRI; T.87 §C.2.5 allows three and four bytes
		if len(seg) < 2 || len(seg) > 4 {
			return damaged("JPEG restart interval")
		}
		j.interval = 0
		for _, v := range seg {
			j.interval = j.interval<<8 | int(v)
		}
	case 0xE0: // APP0
		j.jfif = j.jfif || bytes.HasPrefix(seg, []byte("JFIF\x00"))
	case 0xEE: // APP14, T.872 §6.5.3; shorter ones say nothing
		if len(seg) >= 12 && bytes.HasPrefix(seg, []byte("Adobe")) {
			j.adobe = int(seg[11])
		}
	}
	return c.segment(marker, seg)
}

// header reads the frame header (T.81 §B.2.2, T.87 §C.2.2). Zero lines leave
// their number to DNL; the head has said it too.
func (j *jpegStream) header(seg []byte) error {
	if len(seg) < 6 || len(seg) != 6+3*int(seg[5]) || j.comps != nil {
		return damaged("JPEG frame header")
	}
	j.precision = int(seg[0])
	rows, cols, n := int(binary.BigEndian.Uint16(seg[1:])), int(binary.BigEndian.Uint16(seg[3:])), int(seg[5])
	j.lines = rows == 0
	if !j.lines && rows != j.d.Rows || cols != j.d.Cols {
		return damaged("JPEG is not of the declared size")
	}
	if n == 4 && j.d.Samples == 3 {
		return &Unsupported{UID: j.d.Syntax, Name: "JPEG with four components (CMYK)"}
	}
	if n != j.d.Samples || j.precision < 2 || j.precision > j.d.BitsAllocated {
		return damaged("JPEG has other samples than declared")
	}
	for s := seg[6:]; len(s) > 0; s = s[3:] {
		c := jpegComponent{id: s[0], h: int(s[1] >> 4), v: int(s[1] & 15), quant: s[2]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 {
			return damaged("JPEG sampling factors")
		}
		j.comps = append(j.comps, c)
	}
	return nil
}

// subsampled reports whether components differ in their sampling.
func (j *jpegStream) subsampled() bool {
	for _, c := range j.comps {
		if c.h != j.comps[0].h || c.v != j.comps[0].v {
			return true
		}
	}
	return false
}

// scan reads a scan header (T.81 §B.2.3) and has its components decoded.
func (j *jpegStream) scan(seg, data []byte, c jpegCoder) (int, error) {
	if j.comps == nil || len(seg) < 1 || seg[0] < 1 || seg[0] > 4 || len(seg) != 4+2*int(seg[0]) {
		return 0, damaged("JPEG scan header")
	}
	n := int(seg[0])
	s := jpegScan{tail: [3]byte(seg[1+2*n:])}
	for i := range n {
		index := j.component(seg[1+2*i])
		if index < 0 {
			return 0, damaged("JPEG scan header")
		}
		j.comps[index].done = true
		s.comps = append(s.comps, scanComponent{index, seg[2+2*i]})
	}
	used, exact, err := c.scan(s, data)
	if err != nil {
		return 0, err
	}
	if !exact {
		j.warn("JPEG has bytes after the last sample of a scan")
	}
	return used, nil
}

// component finds the component with an identifier that no scan has given.
func (j *jpegStream) component(id byte) int {
	for i, c := range j.comps {
		if c.id == id && !c.done {
			return i
		}
	}
	return -1
}

func (j *jpegStream) warn(format string, args ...any) {
	if len(j.warnings) < 8 {
		j.warnings = append(j.warnings, fmt.Sprintf(format, args...))
	}
}

// huffman reads DHT (T.81 §B.2.4.2).
func (j *jpegStream) huffman(seg []byte) error {
	for len(seg) >= 17 {
		class, id, total := seg[0]>>4, seg[0]&15, 0
		for _, n := range seg[1:17] {
			total += int(n)
		}
		if class > 1 || id > 3 || total > 256 || len(seg) < 17+total {
			return damaged("JPEG Huffman table")
		}
		t, ok := newHuffTable(seg[1:17], seg[17:17+total])
		if !ok {
			return damaged("JPEG Huffman table")
		}
		if class == 0 {
			j.dc[id] = t
		} else {
			j.ac[id] = t
		}
		seg = seg[17+total:]
	}
	if len(seg) != 0 {
		return damaged("JPEG Huffman table")
	}
	return nil
}

// quantisation reads DQT (T.81 §B.2.4.1), of 8 or 16 bits.
func (j *jpegStream) quantisation(seg []byte) error {
	for len(seg) > 0 {
		wide, id := int(seg[0]>>4), seg[0]&15
		if wide > 1 || id > 3 || len(seg) < 1+64*(1+wide) {
			return damaged("JPEG quantisation table")
		}
		q := new([64]uint16)
		for i := range q {
			if wide == 1 {
				q[i] = binary.BigEndian.Uint16(seg[1+2*i:])
			} else {
				q[i] = uint16(seg[1+i])
			}
		}
		j.quant[id] = q
		seg = seg[1+64*(1+wide):]
	}
	return nil
}

// native is the decoded frame with what was odd about it.
func (j *jpegStream) native(cells []byte) *Native {
	out := j.d.frame(cells)
	out.Warnings = j.warnings
	return out
}
