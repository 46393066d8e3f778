// Package blobs keeps sealed bytes on disk under the name of their content.
//
//	ab/<hex>          a whole blob, exactly its sealed bytes; ab are the first two digits
//	ab/<hex>.leaves   the leaf table: leaf hashes, zero where a leaf is not here (leaves.go); absent for small blobs
//	ab/<hex>.part     a blob of which some leaves are here, sparse, as long as the whole
//	tmp/              what was being written; emptied by Open
//
// A blob appears under its name whole and synced, by a rename, or not at all. A
// leaf counts as here only after its bytes were synced; what is on the medium is
// never more than the table says. The leaf table of a whole blob is a cache: if
// it is lost or wrong it is made again from the blob.
//
// The store holds no key and learns nothing of what it keeps. It does not verify
// what it is given (senders' ranges are verified by the exchange, own blobs were
// just sealed), but everything it hands out can be: File.ReadRange checks leaves,
// Check re-hashes all. A Store is safe for concurrent use.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/storage/durable"
)

// ErrAbsent says that a blob, or the leaves asked for, are not here. An exchange
// answers with it and asks somebody else.
var ErrAbsent = errors.New("blob is not here")

const (
	partSuffix   = ".part"
	leavesSuffix = ".leaves"
)

// Store is an open folder of blobs.
type Store struct {
	dir  string
	disk *durable.Disk
	sync *group
	puts atomic.Uint64 // names of files in tmp/
	leaf leafCache

	mu    sync.Mutex // guards parts and dirs
	parts map[blob.ID]*Partial
	dirs  map[string]bool // folders that exist; true: their names are on the medium
	whole func(blob.ID)
	lost  func(blob.ID)
}

// Open opens the store in dir, makes it if need be, and sweeps what was half
// written. Partial blobs stay and can be resumed.
func Open(dir string) (*Store, error) { return OpenOn(nil, dir) }

// OpenOn is Open on a disk with faults, for tests.
func OpenOn(disk *durable.Disk, dir string) (*Store, error) {
	if err := disk.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	tmp := filepath.Join(dir, "tmp")
	if err := os.RemoveAll(tmp); err != nil {
		return nil, fmt.Errorf("sweep blob store: %w", err)
	}
	if err := disk.MkdirAll(tmp); err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	s := &Store{dir: dir, disk: disk, parts: map[blob.ID]*Partial{}, dirs: map[string]bool{}}
	s.sync = newGroup(s)
	return s, nil
}

// OnWhole sets what is called, from a goroutine of the store, when a partial
// blob has become whole. Set it before the first Partial; it must not block.
func (s *Store) OnWhole(f func(blob.ID)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole = f
}

// OnLost sets what is called, like OnWhole, when leaves that Write had taken are
// missing again because the medium did not take them: the disk is full, or bad.
// Whoever plans transfers asks the Partial what it has and wants the rest again.
func (s *Store) OnLost(f func(blob.ID)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = f
}

// Close makes all received leaves durable and ends the store's goroutine.
func (s *Store) Close() error { return s.sync.close() }

// Flush makes every leaf that was written so far durable.
func (s *Store) Flush() error { return s.sync.flush() }

// Hurry starts the next group sync now, for somebody who waits for what was
// written. It does not wait for it.
func (s *Store) Hurry() { s.sync.wake() }

func (s *Store) path(id blob.ID) string {
	name := id.String()
	return filepath.Join(s.dir, name[:2], name)
}

// makeDir makes the folder of a blob once. syncDirs brings its name to the medium.
func (s *Store) makeDir(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.dirs[dir]; known {
		return nil
	}
	if err := os.Mkdir(dir, durable.DirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	s.dirs[dir] = false
	return nil
}

// Has reports whether the blob is here, whole.
func (s *Store) Has(id blob.ID) bool {
	_, ok := s.Size(id)
	return ok
}

// Size is the sealed length of a whole blob.
func (s *Store) Size(id blob.ID) (uint64, bool) {
	info, err := os.Stat(s.path(id))
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return uint64(info.Size()), true
}

// Progress reports how many leaves of a blob are here and how many it has. Of a
// blob that is quite unknown it reports 0, 0.
func (s *Store) Progress(id blob.ID) (have, total int) {
	if size, ok := s.Size(id); ok {
		n := blob.LeafCount(size)
		return n, n
	}
	if p := s.openPartial(id); p != nil {
		return p.Progress()
	}
	return 0, 0
}

// Remove deletes a blob, whole or partial. Nobody may be writing it.
func (s *Store) Remove(id blob.ID) error {
	s.mu.Lock()
	p := s.parts[id]
	delete(s.parts, id)
	s.mu.Unlock()
	if p != nil {
		p.abandon()
	}
	path := s.path(id)
	// The table first: data without a table is nothing, a table without data would lie.
	err := errors.Join(removeIfThere(path+leavesSuffix), removeIfThere(path+partSuffix), removeIfThere(path))
	if err != nil {
		return fmt.Errorf("remove blob %s: %w", id, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil //nolint:nilerr // no folder, nothing was there
	}
	return s.disk.SyncDir(filepath.Dir(path))
}

// Sweep removes every blob that keep does not want and reports what that freed.
func (s *Store) Sweep(keep func(blob.ID) bool) (removed int, bytes int64, err error) {
	err = s.each(context.Background(), func(it item) error {
		if keep(it.id) {
			return nil
		}
		if err := s.Remove(it.id); err != nil {
			return err
		}
		removed++
		bytes += it.bytes
		return nil
	})
	return removed, bytes, err
}

// Usage is what the store holds.
type Usage struct {
	Blobs    int   // whole
	Partials int   // begun
	Bytes    int64 // on the medium, without folders
}

// Usage counts blobs and the bytes they take.
func (s *Store) Usage() (Usage, error) {
	var u Usage
	err := s.each(context.Background(), func(it item) error {
		if it.whole {
			u.Blobs++
		} else {
			u.Partials++
		}
		u.Bytes += it.bytes
		return nil
	})
	return u, err
}

// List calls f for every whole blob, in order of names.
func (s *Store) List(f func(id blob.ID, size uint64) error) error {
	return s.each(context.Background(), func(it item) error {
		if !it.whole {
			return nil
		}
		return f(it.id, it.size)
	})
}

// item is one blob on disk, with everything that belongs to it.
type item struct {
	id    blob.ID
	whole bool
	size  uint64 // of the blob
	bytes int64  // taken, leaf table included
}

// each walks the store one folder at a time.
func (s *Store) each(ctx context.Context, f func(item) error) error {
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	for _, folder := range folders {
		if !folder.IsDir() || len(folder.Name()) != 2 {
			continue
		}
		items, err := readFolder(filepath.Join(s.dir, folder.Name()))
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		for _, it := range items {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(it); err != nil {
				return err
			}
		}
	}
	return nil
}

func readFolder(dir string) ([]item, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var items []item // entries are sorted, so files of one blob are neighbours
	for _, e := range entries {
		base, suffix, _ := strings.Cut(e.Name(), ".")
		id, err := blob.ParseID(base)
		if err != nil || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(items) == 0 || items[len(items)-1].id != id {
			items = append(items, item{id: id})
		}
		it := &items[len(items)-1]
		it.bytes += allocated(info)
		switch suffix {
		case "":
			it.whole, it.size = true, uint64(info.Size())
		case "part":
			it.size = max(it.size, uint64(info.Size()))
		}
	}
	return items, nil
}
