package blobs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/storage/durable"
)

// Batch stores many whole blobs with shared waits for the disk: while the caller
// seals the next blob, the ones before are being synced, many at once. Nothing
// in a batch is here before Commit returns nil. A Batch is safe for concurrent
// use and must be ended by Commit or Abort.
type Batch struct {
	s *Store

	jobs    chan *pending
	workers sync.WaitGroup
	start   sync.Once

	mu    sync.Mutex // guards what follows
	items map[blob.ID]*pending
	ended bool
	err   error // the first failed sync
}

// pending is a blob written to tmp/.
type pending struct {
	id     blob.ID
	leaves [][32]byte
	size   uint64
	file   *durable.File
	tmp    string
}

var (
	errEnded  = errors.New("batch has ended")
	errLeaves = errors.New("leaf hashes do not belong to this blob")
)

// NewBatch begins a batch.
func (s *Store) NewBatch() *Batch {
	return &Batch{s: s, jobs: make(chan *pending, syncers), items: map[blob.ID]*pending{}}
}

// Put adds a blob, with its leaf hashes as sealing returned them. A blob that is
// here already, or in this batch, costs nothing. The bytes are not kept.
func (b *Batch) Put(id blob.ID, sealed []byte, leaves [][32]byte) error {
	size := uint64(len(sealed))
	if err := checkLength(size); err != nil {
		return err
	}
	if len(leaves) != blob.LeafCount(size) || blob.IDOf(size, leaves) != id {
		return fmt.Errorf("put blob %s: %w", id, errLeaves)
	}
	if there, ok := b.s.Size(id); ok && there == size {
		return nil
	}
	p := &pending{id: id, leaves: leaves, size: size}
	if ok, err := b.claim(p); !ok {
		return err
	}
	if err := b.write(p, sealed); err != nil {
		b.mu.Lock()
		delete(b.items, id)
		b.mu.Unlock()
		return fmt.Errorf("put blob %s: %w", id, err)
	}
	b.start.Do(func() {
		for range syncers {
			b.workers.Go(b.work)
		}
	})
	b.jobs <- p
	return nil
}

// claim notes the blob as one of this batch, unless it is already.
func (b *Batch) claim(p *pending) (ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false, errEnded
	}
	if b.err != nil {
		return false, b.err
	}
	if _, dup := b.items[p.id]; dup {
		return false, nil
	}
	b.items[p.id] = p
	return true, nil
}

func (b *Batch) write(p *pending, sealed []byte) (err error) {
	p.tmp = filepath.Join(b.s.dir, "tmp", strconv.FormatUint(b.s.puts.Add(1), 10))
	if p.file, err = b.s.disk.Create(p.tmp); err != nil {
		return err
	}
	if _, err = p.file.Write(sealed); err != nil {
		_ = p.file.Close()
		_ = os.Remove(p.tmp)
	}
	return err
}

func (b *Batch) work() {
	for p := range b.jobs {
		if err := errors.Join(p.file.Sync(), p.file.Close()); err != nil {
			b.mu.Lock()
			if b.err == nil {
				b.err = fmt.Errorf("sync blob %s: %w", p.id, err)
			}
			b.mu.Unlock()
		}
	}
}

// end stops the workers; false if that was done before. No Put may be running.
func (b *Batch) end() bool {
	b.mu.Lock()
	was := b.ended
	b.ended = true
	b.mu.Unlock()
	if !was {
		close(b.jobs)
		b.workers.Wait()
	}
	return !was
}

// Commit makes every blob of the batch durable and visible. If it fails, some
// may be here and the others are not; putting them again is safe. No Put may be
// running.
func (b *Batch) Commit() error {
	if !b.end() {
		return errEnded
	}
	if b.err != nil {
		b.discard()
		return b.err
	}
	if err := b.publish(); err != nil {
		b.discard()
		return err
	}
	return nil
}

// publish moves the synced files to their names and syncs the folders.
func (b *Batch) publish() error {
	dirs := map[string]bool{}
	for _, p := range b.items {
		path := b.s.path(p.id)
		if err := b.s.makeDir(filepath.Dir(path)); err != nil {
			return fmt.Errorf("store blob %s: %w", p.id, err)
		}
		if err := os.Rename(p.tmp, path); err != nil {
			return fmt.Errorf("store blob %s: %w", p.id, err)
		}
		dirs[filepath.Dir(path)] = true
	}
	if err := b.s.syncDirs(dirs); err != nil {
		return err
	}
	for _, p := range b.items {
		b.s.settle(p.id, p.size, p.leaves)
	}
	return nil
}

// Abort drops the batch. After Commit it does nothing, so it can be deferred.
func (b *Batch) Abort() {
	if b.end() {
		b.discard()
	}
}

func (b *Batch) discard() {
	for _, p := range b.items {
		_ = os.Remove(p.tmp) // gone already if it was renamed
	}
}

// settle writes the leaf table of a blob that has just become whole and ends a
// partial copy of it. The table is a cache, so it is neither synced nor minded.
func (s *Store) settle(id blob.ID, size uint64, leaves [][32]byte) {
	s.mu.Lock()
	p := s.parts[id]
	delete(s.parts, id)
	s.mu.Unlock()
	if p != nil {
		p.finish()
	}
	path := s.path(id)
	_ = removeIfThere(path + partSuffix)
	if len(leaves) < leavesKept {
		_ = removeIfThere(path + leavesSuffix)
		return
	}
	f, err := s.disk.Open(path+leavesSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return
	}
	_, _ = f.Write(encodeTable(size, leaves))
	_ = f.Close()
}

// syncDirs brings the names in many folders to the medium, many at once, and the
// names of the folders if they are new.
func (s *Store) syncDirs(dirs map[string]bool) error {
	list := make([]string, 0, len(dirs)+1)
	fresh := false
	s.mu.Lock()
	for dir := range dirs {
		list = append(list, dir)
		fresh = fresh || !s.dirs[dir]
	}
	s.mu.Unlock()
	if fresh {
		list = append(list, s.dir)
	}
	if err := parallel(list, s.disk.SyncDir); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for dir := range dirs {
		s.dirs[dir] = true
	}
	return nil
}

// parallel runs f over all of list, at most syncers at once, and joins the errors.
func parallel[T any](list []T, f func(T) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(list))
	slots := make(chan struct{}, syncers)
	for i := range list {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = f(list[i])
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
