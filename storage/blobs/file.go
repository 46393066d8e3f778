package blobs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/curbside-p2p/curbside/protocol/blob"
)

// File is an open, whole blob. It is safe for concurrent use.
type File struct {
	f    *os.File
	id   blob.ID
	size uint64
	path string
	s    *Store

	once   sync.Once
	leaves [][32]byte
	err    error
}

// Open opens a whole blob for reading; ErrAbsent if it is not here.
func (s *Store) Open(id blob.ID) (*File, error) {
	f, err := os.Open(s.path(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		err = checkLength(uint64(info.Size()))
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open blob %s: %w", id, err)
	}
	return &File{f: f, id: id, size: uint64(info.Size()), path: s.path(id), s: s}, nil
}

// Read returns all bytes of a whole blob that must not be longer than limit,
// unverified: opening it with its key verifies them.
func (s *Store) Read(id blob.ID, limit uint64) ([]byte, error) {
	f, err := s.Open(id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if f.size > limit {
		return nil, fmt.Errorf("blob %s has %d bytes: %w", id, f.size, blob.ErrTooLong)
	}
	b := make([]byte, f.size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, f.Size()), b); err != nil {
		return nil, fmt.Errorf("read blob %s: %w", id, err)
	}
	return b, nil
}

// ReadAt reads sealed bytes as they are on disk.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

// Size is the sealed length.
func (f *File) Size() int64 { return int64(f.size) }

// ID is the name of the blob.
func (f *File) ID() blob.ID { return f.id }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// Leaves returns the leaf hashes, which together give the blob's name. They come
// from the leaf table or, if that is lost or wrong, from the blob itself; then
// blob.ErrCorrupt says that the blob is damaged. Do not change the slice.
func (f *File) Leaves() ([][32]byte, error) {
	f.once.Do(func() {
		var ok bool
		if f.leaves, ok = f.s.leaf.get(f.id); ok && len(f.leaves) == blob.LeafCount(f.size) {
			return
		}
		if f.leaves, f.err = f.load(); f.err == nil {
			f.s.leaf.put(f.id, f.leaves)
		}
	})
	return f.leaves, f.err
}

func (f *File) load() ([][32]byte, error) {
	keep := blob.LeafCount(f.size) >= leavesKept
	if keep {
		leaves, err := readTable(f.path+leavesSuffix, f.size)
		if err == nil && blob.IDOf(f.size, leaves) == f.id {
			return leaves, nil
		}
	}
	leaves, err := hashLeaves(f.f, f.size)
	if err != nil {
		return nil, fmt.Errorf("hash blob %s: %w", f.id, err)
	}
	if blob.IDOf(f.size, leaves) != f.id {
		return nil, fmt.Errorf("blob %s: %w", f.id, blob.ErrCorrupt)
	}
	if keep { // a cache: without it the next reader hashes again
		_ = f.s.disk.Replace(f.path+leavesSuffix, encodeTable(f.size, leaves))
	}
	return leaves, nil
}

// ReadRange reads the leaves [first,first+n) and checks them against the leaf
// hashes, so that damage on disk is never served: blob.ErrCorrupt. The bytes are
// in buf if that is long enough.
func (f *File) ReadRange(first, n int, buf []byte) (data []byte, proof [][32]byte, err error) {
	if err := checkRange(f.size, first, n); err != nil {
		return nil, nil, err
	}
	if n == blob.LeafCount(f.size) { // most blobs fit a range: one pass over them, and no table
		data, err = f.readWhole(buf)
		return data, nil, err
	}
	leaves, err := f.Leaves()
	if err != nil {
		return nil, nil, err
	}
	if data, err = f.readRange(leaves, first, n, buf); err != nil {
		return nil, nil, err
	}
	return data, blob.Prove(leaves, first, first+n), nil
}

func (f *File) readWhole(buf []byte) ([]byte, error) {
	data, err := f.read(buf, 0, int64(f.size))
	if err != nil {
		return nil, err
	}
	leaves := blob.Leaves(data)
	if blob.IDOf(f.size, leaves) != f.id {
		return nil, fmt.Errorf("blob %s: %w", f.id, blob.ErrCorrupt)
	}
	return data, nil
}

func (f *File) readRange(leaves [][32]byte, first, n int, buf []byte) ([]byte, error) {
	off, length := blob.RangeSpan(f.size, first, first+n)
	data, err := f.read(buf, off, length)
	if err != nil {
		return nil, err
	}
	for i := first; i < first+n; i++ {
		at, span := blob.LeafSpan(f.size, i)
		if blob.LeafHash(data[at-off:at-off+span]) != leaves[i] {
			return nil, fmt.Errorf("blob %s leaf %d: %w", f.id, i, blob.ErrCorrupt)
		}
	}
	return data, nil
}

func (f *File) read(buf []byte, off, n int64) ([]byte, error) {
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if got, err := f.f.ReadAt(buf, off); int64(got) < n {
		return nil, fmt.Errorf("read blob %s: %w", f.id, err)
	}
	return buf, nil
}

// errRange says that a caller asked for leaves a blob does not have.
var errRange = errors.New("no such leaves")

func checkRange(size uint64, first, n int) error {
	count := blob.LeafCount(size)
	if first < 0 || n < 1 || first >= count || n > count-first {
		return fmt.Errorf("leaves %d+%d of %d: %w", first, n, count, errRange)
	}
	return nil
}
