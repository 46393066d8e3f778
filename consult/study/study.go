// Package study reads DICOM: it guards, splits, describes and lists instances.
//
//   - [Guard] is a tokenizer over foreign bytes: bounded, iterative, blind to
//     values. Every file passes it before anything else looks at it.
//   - [Parse] turns a file that passed into an [Instance]: identity, geometry,
//     pixel facts, where the frames are. What it cannot accept is a [*Refusal].
//   - [Split] and [Join] part a file into head (all that identifies) and bulk
//     (the pixels), byte for byte: file = head[:off] || bulk || head[off:].
//   - [Manifest] and [Preview] are what a grant opens (FORMATS.md §3.5).
//   - [Stacks] brings a series into reading order by geometry.
//   - [ReadDICOMDIR] lists the files of a medium.
//
// Original bytes are the truth: nothing here re-serialises an instance. The
// metadata library sees only a safe view of nested sequences, under recover.
//
// Texts of an Instance are decoded but not cleaned: pass them through
// consult/text before they are shown. Errors and findings never hold a value
// of the file; a Refusal may name a well-formed UID.
//
// Fuzz: go test -fuzz FuzzGuard, FuzzParse, FuzzManifest, FuzzDICOMDIR, FuzzCharset ./consult/study
package study

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"github.com/curbside-p2p/curbside/consult/codec"
)

// Reasons of a Refusal, as SCRIPTING.md writes them.
const (
	NotDICOM      = "not-dicom"
	Damaged       = "damaged"
	Truncated     = "truncated"
	OverLimit     = "limit"
	UnknownSyntax = "unknown-transfer-syntax"
	MissingUID    = "missing-uid"
	Unreadable    = "unreadable"
	Conflict      = "conflict" // decided by the importer
	Directory     = "dicomdir"
	Empty         = "empty"
)

// Refusal says why a file is not taken in. Its text is safe to show and log.
type Refusal struct {
	Reason string // one of the constants above
	Offset int64  // in the file, or in the inflated data set
	Rule   string // which bound or which attribute; never a value
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: %s at byte %d", r.Reason, r.Rule, r.Offset)
}

func refuse(reason string, offset int64, rule string) *Refusal {
	return &Refusal{Reason: reason, Offset: offset, Rule: rule}
}

// Parse guards and describes a file. The result holds no part of file.
func Parse(file []byte) (*Instance, error) {
	in, err := ParseAt(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	in.SHA256 = sha256.Sum256(file)
	return in, nil
}

// ParseAt is Parse without the hash; native pixels are never read.
func ParseAt(r io.ReaderAt, size int64) (*Instance, error) {
	g := newGuard(size)
	err := g.run(r, size)
	if g.out.MetaClass == mediaDirectory {
		return nil, refuse(Directory, 0, "a media directory is not an instance")
	}
	if err != nil {
		return nil, err
	}
	return describe(g.out, r)
}

// ParseJoined is ParseAt of head[:off] || bulk || head[off:]. Bulk is read only
// where an encapsulated one has fragment headers; for a native one it may be nil.
func ParseJoined(head []byte, off int64, bulk io.ReaderAt, bulkLen int64) (*Instance, error) {
	if off < 0 || off > int64(len(head)) || bulkLen < 0 {
		return nil, refuse(Damaged, 0, "bulk offset beyond the head")
	}
	return ParseAt(&joined{head: head, off: off, bulk: bulk, bulkLen: bulkLen}, int64(len(head))+bulkLen)
}

// joined reads a split file without joining it. It stops short where head and
// bulk meet, so that reading on in the head never opens the bulk.
type joined struct {
	head    []byte
	off     int64
	bulk    io.ReaderAt
	bulkLen int64
}

func (j *joined) ReadAt(b []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, io.EOF
	case off < j.off:
		return short(copy(b, j.head[off:j.off]), len(b))
	case off < j.off+j.bulkLen:
		if j.bulk == nil {
			return 0, io.ErrUnexpectedEOF
		}
		n := min(int64(len(b)), j.off+j.bulkLen-off)
		m, err := j.bulk.ReadAt(b[:n], off-j.off)
		if int64(m) == n && err != nil {
			err = nil
		}
		if err != nil {
			return m, fmt.Errorf("read bulk: %w", err)
		}
		return short(m, len(b))
	case off-j.bulkLen >= int64(len(j.head)):
		return 0, io.EOF
	}
	return short(copy(b, j.head[off-j.bulkLen:]), len(b))
}

func short(n, want int) (int, error) {
	if n < want {
		return n, io.EOF
	}
	return n, nil
}

// Split parts a file. A nil instance, or one that is not split, is all head.
func Split(file []byte, in *Instance) (head, bulk []byte) {
	if in == nil || in.BulkLen == 0 || in.Off+in.BulkLen > int64(len(file)) {
		return file, nil
	}
	head = make([]byte, 0, int64(len(file))-in.BulkLen)
	head = append(head, file[:in.Off]...)
	head = append(head, file[in.Off+in.BulkLen:]...)
	return head, file[in.Off : in.Off+in.BulkLen : in.Off+in.BulkLen]
}

// ErrJoin says that a bulk offset is beyond the head it belongs to.
var ErrJoin = fmt.Errorf("bulk offset beyond the head")

// Join gives the file back.
func Join(head, bulk []byte, off int64) ([]byte, error) {
	if off < 0 || off > int64(len(head)) {
		return nil, ErrJoin
	}
	out := make([]byte, 0, len(head)+len(bulk))
	out = append(out, head[:off]...)
	out = append(out, bulk...)
	return append(out, head[off:]...), nil
}

// ValidUID reports whether s is a UID as PS3.5 §9.1 has it; components with a
// leading zero are let through, as old scanners write them.
func ValidUID(s string) bool {
	if len(s) == 0 || len(s) > UIDLenMax || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && s[i] != '.' {
			return false
		}
	}
	return true
}

// isSurrogate reports whether a UID is a UUID under 2.25 (PS3.5 §B.2).
func isSurrogate(uid string) bool {
	const uuidDigits = 39 // 2^128
	n, ok := strings.CutPrefix(uid, "2.25.")
	return ok && len(n) <= uuidDigits && !strings.Contains(n, ".")
}

// Layout is how codec.Pack is told of the bulk.
func (in *Instance) Layout() codec.Layout {
	s, _ := SyntaxOf(in.TransferSyntax)
	p := &in.Pixel
	l := codec.Layout{
		Rows: p.Rows, Cols: p.Cols, Samples: p.Samples, Bytes: p.BitsAllocated / 8, Signed: p.Signed && !p.Float,
		BigEndian: s.BigEndian && p.BitsAllocated == 16, Encapsulated: s.Encapsulated,
	}
	if p.BitsAllocated%8 != 0 || s.Encapsulated || in.BulkLen == 0 {
		return l
	}
	l.Unit = int64(p.Rows) * int64(p.Cols) * int64(p.storedSamples()) * int64(l.Bytes)
	if p.Planar == 1 && p.Samples > 1 && !p.subsampled() {
		l.Samples = 1
		l.Unit /= int64(p.Samples)
	}
	return l
}

// FrameDesc is how codec.Decode is told of frame k.
func (in *Instance) FrameDesc(k int) codec.FrameDesc {
	s, _ := SyntaxOf(in.TransferSyntax)
	p := &in.Pixel
	d := codec.FrameDesc{
		Syntax: in.TransferSyntax, Rows: p.Rows, Cols: p.Cols, Samples: p.Samples,
		BitsAllocated: p.BitsAllocated, BitsStored: p.BitsStored, HighBit: p.HighBit,
		Signed: p.Signed, Planar: p.Planar, Photometric: p.Photometric,
		Words: in.wordCells(),
	}
	if !s.Encapsulated {
		d.Bit = int(p.frameBits() * uint64(k) % in.alignment())
	}
	return d
}
