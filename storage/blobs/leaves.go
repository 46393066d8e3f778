package blobs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/storage/durable"
)

// The leaf table, <hex>.leaves:
//
//	"curbside/leaf/1\n" 16 || u64 sealed length || u32 leaf count || u32 CRC-32C of the 28 bytes before
//	|| one 32-byte hash for each leaf, zero where the leaf is not here
//
// It is at once the bitmap of a partial blob and the leaf hashes of a whole one.
// An entry never crosses a sector, so no crash tears it.
const (
	tableMagic  = "curbside/leaf/1\n"
	tableHeader = 32
	hashSize    = 32
)

// errTable says that a leaf table is not usable. The hashes can be made again
// from the blob, so it never leaves this package.
var errTable = errors.New("leaf table is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeHeader(length uint64) []byte {
	b := append(make([]byte, 0, tableHeader), tableMagic...)
	b = binary.BigEndian.AppendUint64(b, length)
	b = binary.BigEndian.AppendUint32(b, uint32(blob.LeafCount(length)))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeHeader returns the sealed length a leaf table is for.
func decodeHeader(b []byte) (length uint64, err error) {
	if len(b) < tableHeader || string(b[:len(tableMagic)]) != tableMagic {
		return 0, errTable
	}
	if crc32.Checksum(b[:tableHeader-4], castagnoli) != binary.BigEndian.Uint32(b[tableHeader-4:tableHeader]) {
		return 0, errTable
	}
	length = binary.BigEndian.Uint64(b[len(tableMagic):])
	if checkLength(length) != nil || binary.BigEndian.Uint32(b[24:]) != uint32(blob.LeafCount(length)) {
		return 0, errTable
	}
	return length, nil
}

// encodeTable is the whole table of a whole blob.
func encodeTable(length uint64, leaves [][32]byte) []byte {
	b := make([]byte, 0, tableHeader+hashSize*len(leaves))
	b = append(b, encodeHeader(length)...)
	for i := range leaves {
		b = append(b, leaves[i][:]...)
	}
	return b
}

// decodeTable reads a table for a blob of the given length. A table that is too
// short is filled up with leaves that are not here.
func decodeTable(b []byte, length uint64) ([][32]byte, error) {
	got, err := decodeHeader(b)
	if err != nil {
		return nil, err
	}
	count := blob.LeafCount(length)
	if got != length || len(b) > tableHeader+hashSize*count {
		return nil, errTable
	}
	leaves := make([][32]byte, count)
	for i := range leaves {
		at := tableHeader + hashSize*i
		if at+hashSize > len(b) {
			break
		}
		copy(leaves[i][:], b[at:])
	}
	return leaves, nil
}

func readTable(path string, length uint64) ([][32]byte, error) {
	b, err := durable.ReadLimited(path, tableHeader+hashSize*int64(blob.LeafCount(length)))
	if errors.Is(err, durable.ErrTooLong) {
		return nil, errTable
	}
	if err != nil {
		return nil, err
	}
	return decodeTable(b, length)
}

// checkLength refuses lengths no sealing gives, before anything is computed or
// allocated from them.
func checkLength(length uint64) error {
	if length > blob.SealedLen(blob.LenMax) {
		return fmt.Errorf("blob of %d bytes: %w", length, blob.ErrTooLong)
	}
	if length < blob.HeaderSize {
		return fmt.Errorf("blob of %d bytes is shorter than its header: %w", length, blob.ErrCorrupt)
	}
	return nil
}

// hashLeaves hashes a whole blob, one leaf in memory at a time.
func hashLeaves(r io.ReaderAt, length uint64) ([][32]byte, error) {
	leaves := make([][32]byte, blob.LeafCount(length))
	buf := make([]byte, blob.LeafSize)
	for i := range leaves {
		off, n := blob.LeafSpan(length, i)
		got, err := r.ReadAt(buf[:n], off)
		switch {
		case int64(got) == n: // io.EOF with the last byte is no error
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("leaf %d is cut: %w", i, blob.ErrCorrupt)
		default:
			return nil, err
		}
		leaves[i] = blob.LeafHash(buf[:n])
	}
	return leaves, nil
}

// removeIfThere removes a file and does not mind its absence.
func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
