package study

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

const jpegSyntax = "1.2.840.10008.1.2.4.50"

// jpegPiece is a fragment of 16 bytes that begins as a codestream does, or not.
func jpegPiece(start bool, mark byte) []byte {
	b := bytes.Repeat([]byte{mark}, 16)
	if start {
		copy(b, []byte{0xFF, 0xD8, 0xFF, 0xE0})
	}
	return b
}

func table32(v ...uint32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

func table64(v ...uint64) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

func extendedTable(offsets, lengths []byte) []byte {
	return append(el(tagExtOffsets, "OV", offsets), el(tagExtLengths, "OV", lengths)...)
}

// Frames of fragments, in the order of trust of IMAGING.md §1.5. A piece of 16
// bytes takes 24 with its item; want is the marks of each frame's pieces.
func TestFramesByTrust(t *testing.T) {
	s, p := func(m byte) []byte { return jpegPiece(true, m) }, func(m byte) []byte { return jpegPiece(false, m) }
	rleStart := append(table32(1, 64), make([]byte, 72)...)
	for name, c := range map[string]struct {
		syntax, frames string
		extended       []byte
		offsets        []byte
		pieces         [][]byte
		want           string // marks of the last byte of each piece, frames apart; "" for mixed
		finding        string
	}{
		"one frame of three":             {jpegSyntax, "1", nil, nil, [][]byte{s('a'), p('b'), p('c')}, "abc", ""},
		"one each, no table":             {jpegSyntax, "2", nil, nil, [][]byte{s('a'), s('b')}, "a b", ""},
		"basic table":                    {jpegSyntax, "2", nil, table32(0, 48), [][]byte{s('a'), p('b'), s('c')}, "ab c", ""},
		"basic table, one each":          {jpegSyntax, "2", nil, table32(0, 24), [][]byte{s('a'), s('b')}, "a b", ""},
		"table not at an item, scanned":  {jpegSyntax, "2", nil, table32(0, 47), [][]byte{s('a'), p('b'), s('c')}, "ab c", "offset table is wrong"},
		"table from 8, one each":         {jpegSyntax, "2", nil, table32(8, 32), [][]byte{s('a'), s('b')}, "a b", "offset table is wrong"},
		"table descends":                 {jpegSyntax, "3", nil, table32(0, 48, 24), [][]byte{s('a'), s('b'), s('c')}, "a b c", "offset table is wrong"},
		"table twice the same":           {jpegSyntax, "2", nil, table32(0, 0), [][]byte{s('a'), s('b')}, "a b", "offset table is wrong"},
		"table too short":                {jpegSyntax, "3", nil, table32(0, 24), [][]byte{s('a'), s('b'), s('c')}, "a b c", "offset table is wrong"},
		"no table, scanned":              {jpegSyntax, "2", nil, nil, [][]byte{s('a'), p('b'), s('c'), p('d')}, "ab cd", ""},
		"no table, too many starts":      {jpegSyntax, "2", nil, nil, [][]byte{s('a'), s('b'), s('c')}, "", "frames cannot be separated"},
		"no table, first is no start":    {jpegSyntax, "2", nil, nil, [][]byte{p('a'), s('b'), s('c')}, "", "frames cannot be separated"},
		"fewer fragments than frames":    {jpegSyntax, "3", nil, nil, [][]byte{s('a'), s('b')}, "", "frames cannot be separated"},
		"RLE, scanned":                   {rle, "2", nil, nil, [][]byte{append(rleStart, 'a'), p('b'), append(rleStart, 'c')}, "ab c", ""},
		"extended table":                 {jpegSyntax, "2", extendedTable(table64(0, 24), table64(16, 16)), nil, [][]byte{s('a'), s('b')}, "a b", ""},
		"extended table, odd length":     {jpegSyntax, "2", extendedTable(table64(0, 24), table64(15, 16)), nil, [][]byte{s('a'), s('b')}, "a b", ""},
		"extended table, wrong length":   {jpegSyntax, "2", extendedTable(table64(0, 24), table64(16, 99)), nil, [][]byte{s('a'), s('b')}, "a b", "extended offset table is wrong"},
		"extended table, basic one does": {jpegSyntax, "2", extendedTable(table64(0, 23), table64(16, 16)), table32(0, 48), [][]byte{s('a'), p('b'), s('c')}, "ab c", "extended offset table is wrong"},
	} {
		b := file(c.syntax, identity(), shape(4, 4, 8, c.frames), c.extended, encapsulated(c.offsets, c.pieces...))
		in, err := Parse(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for k := range in.Pixel.Frames {
			ranges, err := in.FrameRanges(k)
			if err != nil {
				got = nil
				break
			}
			var marks []byte
			for _, r := range ranges {
				_, bulk := Split(b, in)
				piece := bytes.TrimRight(bulk[r.Off:r.Off+r.Len], "\x00")
				marks = append(marks, piece[len(piece)-1])
			}
			got = append(got, string(marks))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: frames %q, want %q", name, got, c.want)
		}
		if (c.finding == "") != (len(in.Findings) == 0) || c.finding != "" && !slices.Contains(in.Findings, c.finding) {
			t.Errorf("%s: findings %q, want %q", name, in.Findings, c.finding)
		}
	}
}

// FuzzFrameIndex: frames lie within the bulk, in order, and do not overlap.
func FuzzFrameIndex(f *testing.F) {
	f.Add("2", table32(0, 24), []byte{}, []byte{16, 16}, true)
	f.Add("3", []byte{}, table64(0, 24, 48), []byte{16, 16, 16}, false)
	f.Add("2", []byte{}, []byte{}, []byte{16, 8, 16}, true)
	f.Fuzz(func(t *testing.T, frames string, basic, extended, sizes []byte, starts bool) {
		if len(frames) > 12 || len(basic) > 4096 || len(extended) > 4096 || len(sizes) > 4096 {
			return
		}
		var pieces [][]byte
		for i, n := range sizes {
			piece := make([]byte, 2*int(n))
			if starts && i%2 == 0 {
				copy(piece, []byte{0xFF, 0xD8, 0xFF, 0xE0})
			}
			pieces = append(pieces, piece)
		}
		half := len(extended) / 2 &^ 1
		b := file(jpegSyntax, identity(), shape(4, 4, 8, frames), extendedTable(extended[:half], extended[half:len(extended)&^1]), encapsulated(basic[:len(basic)&^1], pieces...))
		in, err := Parse(b)
		if err != nil {
			return
		}
		end := int64(0)
		for k := range min(in.Pixel.Frames, 5000) {
			ranges, err := in.FrameRanges(k)
			if err != nil {
				return
			}
			for _, r := range ranges {
				if r.Off < end || r.Len < 0 || r.Off+r.Len > in.BulkLen {
					t.Fatalf("frame %d at %d, %d bytes, of %d", k, r.Off, r.Len, in.BulkLen)
				}
				end = r.Off + r.Len
			}
		}
	})
}
