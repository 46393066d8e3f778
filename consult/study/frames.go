package study

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/curbside-p2p/curbside/consult/codec"
)

// Range is a run of bytes within the bulk.
type Range struct{ Off, Len int64 }

// ErrFramesMixed says that a bulk is intact but its frames cannot be told
// apart: it is stored and forwarded, not shown.
var ErrFramesMixed = errors.New("frames cannot be separated")

// ErrNoFrame says that there is no such frame.
var ErrNoFrame = errors.New("no such frame")

// FrameRanges says where frame k (from 0) lies within the bulk, in the order of
// trust of IMAGING.md §1.5. For 1-bit pixels the first bit is FrameDesc(k).Bit.
func (in *Instance) FrameRanges(k int) ([]Range, error) {
	p := &in.Pixel
	if k < 0 || k >= p.Frames || in.BulkLen == 0 && in.inflatedPixel == nil {
		return nil, ErrNoFrame
	}
	if in.encapsulated {
		return in.fragmentRanges(k)
	}
	bits, a := p.frameBits(), in.alignment()
	from, to := bits*uint64(k)/a*a/8, (bits*uint64(k+1)+a-1)/a*a/8
	if in.inflatedPixel == nil {
		to = min(to, uint64(in.BulkLen))
	}
	return []Range{{Off: int64(from), Len: int64(to - from)}}, nil
}

// wordCells: cells below 16 bits lie in big-endian words (PS3.5 §8.1.1 and
// annex A.3, OW), so that pairs of bytes are swapped.
func (in *Instance) wordCells() bool {
	s, _ := SyntaxOf(in.TransferSyntax)
	return s.BigEndian && in.words && in.Pixel.BitsAllocated <= 8
}

// alignment in bits of what a frame is cut from: a byte, or a word.
func (in *Instance) alignment() uint64 {
	if in.wordCells() {
		return 16
	}
	return 8
}

// fragmentRanges maps fragments to frames.
func (in *Instance) fragmentRanges(k int) ([]Range, error) {
	n := in.Pixel.Frames
	switch {
	case in.frameStarts != nil:
		to := int64(len(in.fragments))
		if k+1 < n {
			to = in.frameStarts[k+1]
		}
		return join(in.fragments[in.frameStarts[k]:to]), nil
	case n == 1 || codec.Video(in.TransferSyntax):
		return join(in.fragments), nil
	case n == len(in.fragments):
		return join(in.fragments[k : k+1]), nil
	}
	return nil, ErrFramesMixed
}

func join(list []Fragment) []Range {
	out := make([]Range, len(list))
	for i, f := range list {
		out[i] = Range(f)
	}
	return out
}

// index chooses how fragments make frames. An offset table that is wrong is
// reported and not followed.
func (in *Instance) index(o *Outline, bulk io.ReaderAt) {
	in.fragments, in.encapsulated = o.Fragments, true
	n := in.Pixel.Frames
	if codec.Video(in.TransferSyntax) {
		return
	}
	if n == 1 {
		if len(o.Offsets) > 4 {
			o.find("offset table of the wrong length")
		}
		return
	}
	if len(o.value(tagExtOffsets)) > 0 {
		if starts, ok := o.extended(n); ok {
			in.frameStarts = starts
			return
		}
		o.find("extended offset table is wrong")
	}
	if len(o.Offsets) > 0 {
		if starts, ok := o.basic(n); ok {
			in.frameStarts = starts
			return
		}
		o.find("offset table is wrong")
	}
	if n == len(o.Fragments) {
		return
	}
	if starts, ok := scanStarts(o.Fragments, bulk, n); ok {
		in.frameStarts = starts
		return
	}
	o.find("frames cannot be separated")
}

// basic follows a Basic Offset Table (PS3.5 §A.4): 4 bytes a frame, the first
// 0, ascending, each the start of an item.
func (o *Outline) basic(n int) ([]int64, bool) {
	if len(o.Offsets) != 4*n {
		return nil, false
	}
	return o.starts(n, func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(o.Offsets[4*i:])) })
}

// extended follows an Extended Offset Table (PS3.3 C.7.6.3.1.8) whose lengths
// are those of the fragments.
func (o *Outline) extended(n int) ([]int64, bool) {
	table, lengths := o.value(tagExtOffsets), o.value(tagExtLengths)
	if len(table) != 8*n || len(lengths) != 8*n || len(o.Fragments) != n {
		return nil, false
	}
	for i, f := range o.Fragments {
		want := binary.LittleEndian.Uint64(lengths[8*i:])
		if uint64(f.Len) != want && uint64(f.Len) != want+want%2 {
			return nil, false
		}
	}
	return o.starts(n, func(i int) uint64 { return binary.LittleEndian.Uint64(table[8*i:]) })
}

// starts finds the fragment at each offset, counted from the first fragment's
// item tag.
func (o *Outline) starts(n int, at func(int) uint64) ([]int64, bool) {
	if len(o.Fragments) == 0 || at(0) != 0 {
		return nil, false
	}
	base := o.Fragments[0].Off
	out := make([]int64, n)
	f := 0
	for i := 1; i < n; i++ {
		for f < len(o.Fragments) && uint64(o.Fragments[f].Off-base) < at(i) {
			f++
		}
		if f == len(o.Fragments) || uint64(o.Fragments[f].Off-base) != at(i) || int64(f) == out[i-1] {
			return nil, false
		}
		out[i] = int64(f)
	}
	return out, true
}

// scanStarts looks for the codestream start that the first fragment has; it
// counts only if there are as many as frames.
func scanStarts(list []Fragment, bulk io.ReaderAt, n int) ([]int64, bool) {
	if bulk == nil || len(list) < n {
		return nil, false
	}
	var out []int64
	for i, f := range list {
		var b [8]byte
		if f.Len < 8 {
			continue
		}
		if m, _ := bulk.ReadAt(b[:], f.Off); m < len(b) {
			return nil, false
		}
		if isStart(b) {
			out = append(out, int64(i))
		}
	}
	return out, len(out) == n && out[0] == 0
}

// isStart knows the starts of JPEG, JPEG-LS and JPEG 2000 codestreams, and of RLE
// frames (PS3.5 §G.5): up to 15 segments, the first right behind the header.
func isStart(b [8]byte) bool {
	jpeg := b[0] == 0xFF && b[1] == 0xD8 && b[2] == 0xFF
	jpeg2000 := b[0] == 0xFF && b[1] == 0x4F && b[2] == 0xFF && b[3] == 0x51
	n, first := binary.LittleEndian.Uint32(b[:]), binary.LittleEndian.Uint32(b[4:])
	return jpeg || jpeg2000 || n >= 1 && n <= 15 && first == 64
}

// ReadFrame joins the ranges of frame k from the bulk.
func (in *Instance) ReadFrame(bulk io.ReaderAt, k int) ([]byte, error) {
	ranges, err := in.FrameRanges(k)
	if err != nil {
		return nil, err
	}
	var n int64
	for _, r := range ranges {
		n += r.Len
	}
	if n > FrameBytesMax {
		return nil, refuse(OverLimit, 0, "size of a frame")
	}
	out := make([]byte, n)
	at := int64(0)
	for _, r := range ranges {
		if m, err := bulk.ReadAt(out[at:at+r.Len], r.Off); int64(m) < r.Len {
			return nil, readErr(err)
		}
		at += r.Len
	}
	return out, nil
}

// PlainFrame is frame k of native pixels, as ReadFrame gave it, the way Explicit VR Little Endian
// has it: cells little-endian, the first one from the first bit on. It works in b.
func (in *Instance) PlainFrame(b []byte, k int) []byte {
	p := &in.Pixel
	width := p.BitsAllocated / 8
	if in.wordCells() {
		width = 2
	} else if s, _ := SyntaxOf(in.TransferSyntax); !s.BigEndian {
		width = 1
	}
	for i := 0; width > 1 && i+width <= len(b); i += width {
		slices.Reverse(b[i : i+width])
	}
	bit := int(p.frameBits() * uint64(k) % in.alignment())
	b = b[min(bit/8, len(b)):]
	if bit %= 8; bit > 0 { // PS3.5 §8.1.1: the first pixel is the lowest bit
		for i := range b {
			b[i] >>= bit
			if i+1 < len(b) {
				b[i] |= b[i+1] << (8 - bit)
			}
		}
	}
	return b[:min(int64(p.frameBits()+7)/8, int64(len(b)))]
}
