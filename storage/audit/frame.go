package audit

import (
	"encoding/binary"
	"errors"

	"golang.org/x/mod/sumdb/tlog"
)

// leaf is one leaf of the tree: salt and record, or what is left of them.
type leaf struct {
	data   []byte    // salt 16 || record; nil if erased
	hash   tlog.Hash // of data
	erased bool
}

const (
	saltSize   = 16
	kindRecord = 0
	kindErased = 1
)

var errFrame = errors.New("audit frame is not valid")

// encodeFrame is u64 index of the first leaf || leaves, each u8 kind || u32 length || bytes.
func encodeFrame(first int64, leaves []leaf) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(first))
	for _, l := range leaves {
		kind, data := byte(kindRecord), l.data
		if l.erased {
			kind, data = kindErased, l.hash[:]
		}
		b = append(b, kind)
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
		b = append(b, data...)
	}
	return b
}

// decodeFrame reads a frame. Data points into it.
func decodeFrame(b []byte) (first int64, leaves []leaf, err error) {
	if len(b) < 8 {
		return 0, nil, errFrame
	}
	u := binary.BigEndian.Uint64(b)
	if u > sizeMax {
		return 0, nil, errFrame
	}
	for b = b[8:]; len(b) > 0; {
		if len(b) < 5 {
			return 0, nil, errFrame
		}
		kind, n := b[0], binary.BigEndian.Uint32(b[1:])
		b = b[5:]
		if int64(n) > int64(len(b)) || n > saltSize+RecordMax {
			return 0, nil, errFrame
		}
		l := leaf{}
		switch {
		case kind == kindRecord && n >= saltSize:
			l.data = b[:n:n]
			l.hash = tlog.RecordHash(l.data)
		case kind == kindErased && n == tlog.HashSize:
			l.hash, l.erased = tlog.Hash(b[:n]), true
		default:
			return 0, nil, errFrame
		}
		leaves = append(leaves, l)
		b = b[n:]
	}
	return int64(u), leaves, nil
}
