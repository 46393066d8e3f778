package desk

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Limits of what is imported (IMAGING §1.7).
const (
	fileMax       = 4 << 30 // an instance is packed in memory; larger ones are refused by name
	zipEntriesMax = 200_000
	zipRatioMax   = 1_100
	zipTotalMax   = 1 << 40
)

// source is one file to import: in a folder, or in an archive. It is opened once, or never where
// an import ends early.
type source struct {
	path string
	size int64
	open func() (readerAtCloser, error)
	// check refuses an instance that is not what was announced; nil asks nothing.
	check func(*study.Instance) error
}

type readerAtCloser interface {
	io.ReaderAt
	io.Closer
}

// walk finds the files under paths, in sorted order, without following links.
func walk(ctx context.Context, paths []string, found func(source) error, refuse func(path, reason, detail string)) error {
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			refuse(p, study.Unreadable, ioDetail(err))
			continue
		}
		root := p
		if !info.IsDir() && strings.EqualFold(filepath.Base(p), "DICOMDIR") {
			root = filepath.Dir(p) // files that it does not list are imported too
			info, err = os.Stat(root)
			if err != nil {
				refuse(p, study.Unreadable, ioDetail(err))
				continue
			}
		}
		if !info.IsDir() {
			if err := file(root, info, found, refuse); err != nil {
				return err
			}
			continue
		}
		if err := folder(ctx, root, found, refuse); err != nil {
			return err
		}
	}
	return nil
}

func folder(ctx context.Context, root string, found func(source) error, refuse func(path, reason, detail string)) error {
	return filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			refuse(p, study.Unreadable, ioDetail(err))
			return nil
		case e.IsDir() || !e.Type().IsRegular():
			return nil
		}
		info, err := e.Info()
		if err != nil {
			refuse(p, study.Unreadable, ioDetail(err))
			return nil
		}
		return file(p, info, found, refuse)
	})
}

func file(p string, info fs.FileInfo, found func(source) error, refuse func(path, reason, detail string)) error {
	if !info.Mode().IsRegular() {
		refuse(p, study.Unreadable, "not a regular file")
		return nil
	}
	if isZip(p) {
		return archive(p, found, refuse)
	}
	return found(source{path: p, size: info.Size(), open: func() (readerAtCloser, error) { return os.Open(p) }})
}

func isZip(p string) bool {
	f, err := os.Open(p)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && string(magic[:]) == "PK\x03\x04"
}

// archive offers the entries of a zip file. Their names are never used as paths.
func archive(p string, found func(source) error, refuse func(path, reason, detail string)) error {
	z, err := zip.OpenReader(p)
	if err != nil {
		refuse(p, study.Damaged, "zip archive cannot be read")
		return nil
	}
	shared := &sharedArchive{z: z}
	shared.users.Store(1)
	defer shared.release()
	if len(z.File) > zipEntriesMax {
		refuse(p, study.OverLimit, fmt.Sprintf("more than %d entries in the archive", zipEntriesMax))
		return nil
	}
	var total uint64
	for _, e := range z.File {
		name := p + "!" + path.Clean("/" + e.Name)[1:]
		size := e.UncompressedSize64
		total += size
		switch {
		case e.FileInfo().IsDir():
			continue
		case size > fileMax || total > zipTotalMax:
			refuse(name, study.OverLimit, "too large")
			continue
		case e.CompressedSize64 > 0 && size/e.CompressedSize64 > zipRatioMax:
			refuse(name, study.OverLimit, "compressed too far to be real")
			continue
		}
		shared.users.Add(1)
		err := found(source{path: name, size: int64(size), open: func() (readerAtCloser, error) {
			defer shared.release()
			data, err := readEntry(e)
			return memory{bytes.NewReader(data)}, err
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// sharedArchive is closed once its last entry was read. Where an import ends early the runtime
// closes the file with the garbage.
type sharedArchive struct {
	z     *zip.ReadCloser
	users atomic.Int64
}

func (s *sharedArchive) release() {
	if s.users.Add(-1) == 0 {
		_ = s.z.Close() // only read from
	}
}

func readEntry(e *zip.File) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, int64(e.UncompressedSize64)+1))
	if err == nil && uint64(len(data)) != e.UncompressedSize64 {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// ioDetail says what is wrong with a file without naming it again.
func ioDetail(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
