package blobs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
)

// group syncs received leaves together: after groupBytes, groupFiles or
// groupTime, whatever comes first. It owns one goroutine.
type group struct {
	s    *Store
	kick chan struct{}
	stop chan struct{}
	done chan struct{}

	flushing sync.Mutex // one flush at a time

	mu     sync.Mutex // guards what follows
	dirty  map[*Partial]bool
	bytes  int
	timer  *time.Timer
	err    error // of a flush nobody waited for
	closed bool
}

var errClosed = errors.New("blob store is closed")

func newGroup(s *Store) *group {
	g := &group{
		s: s, dirty: map[*Partial]bool{},
		kick: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go g.run()
	return g
}

func (g *group) run() {
	defer close(g.done)
	for {
		select {
		case <-g.stop:
			return
		case <-g.kick:
			if err := g.sync(); err != nil {
				g.mu.Lock()
				g.err = errors.Join(g.err, err)
				g.mu.Unlock()
			}
		}
	}
}

// add notes n bytes written to p. A writer that is far ahead of the disk waits.
func (g *group) add(p *Partial, n int) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return errClosed
	}
	g.dirty[p] = true
	g.bytes += n
	full := g.bytes >= groupBytes || len(g.dirty) >= groupFiles
	over := g.bytes >= 4*groupBytes || len(g.dirty) >= 4*groupFiles
	if g.timer == nil {
		g.timer = time.AfterFunc(groupTime, g.wake)
	}
	g.mu.Unlock()
	switch {
	case over:
		return g.flush()
	case full:
		g.wake()
	}
	return nil
}

func (g *group) wake() {
	select {
	case g.kick <- struct{}{}:
	default: // a flush is about to start
	}
}

// flush syncs all that is dirty and reports what failed since the last report.
func (g *group) flush() error {
	err := g.sync()
	g.mu.Lock()
	defer g.mu.Unlock()
	err = errors.Join(g.err, err)
	g.err = nil
	return err
}

func (g *group) take() []*Partial {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]*Partial, 0, len(g.dirty))
	for p := range g.dirty {
		list = append(list, p)
	}
	g.dirty, g.bytes = map[*Partial]bool{}, 0
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	return list
}

func (g *group) close() error {
	g.mu.Lock()
	was := g.closed
	g.closed = true
	g.mu.Unlock()
	if was {
		return nil
	}
	close(g.stop)
	<-g.done
	return g.flush()
}

// sync brings all dirty partials to the medium: data first, then the leaf tables
// or the final names, then the folders. Only then are leaves counted as safe.
func (g *group) sync() error {
	g.flushing.Lock()
	defer g.flushing.Unlock()
	list := g.take()
	if len(list) == 0 {
		return nil
	}
	steps := make([]*step, len(list))
	for i, p := range list {
		steps[i] = &step{p: p}
	}
	errs := []error{parallel(steps, (*step).sync)}
	dirs := map[string]bool{}
	for _, st := range steps {
		if st.renamed || st.created {
			dirs[filepath.Dir(st.p.path)] = true
		}
	}
	dirErr := g.s.syncDirs(dirs)
	errs = append(errs, dirErr)
	for _, st := range steps {
		st.settle(dirErr)
	}
	return errors.Join(errs...)
}

// step is one partial in one group sync.
type step struct {
	p       *Partial
	runs    []run
	leaves  [][32]byte // all of them, if the blob is whole
	created bool
	renamed bool
	failed  bool
}

func (st *step) sync() error {
	err := st.try()
	if err != nil {
		st.failed = true
		return fmt.Errorf("sync blob %s: %w", st.p.id, err)
	}
	return nil
}

func (st *step) try() error {
	p := st.p
	p.mu.Lock()
	f := p.data
	st.runs, p.fresh = p.fresh, nil
	st.created = p.created
	p.mu.Unlock()
	if f == nil || len(st.runs) == 0 {
		return nil
	}
	if err := f.Sync(); err != nil {
		return err
	}
	whole, err := st.assemble()
	if err != nil {
		return err
	}
	if !whole {
		return st.writeTable()
	}
	err = os.Rename(p.path+partSuffix, p.path)
	st.renamed = err == nil || errors.Is(err, os.ErrNotExist) && p.s.Has(p.id) // a batch was faster
	if !st.renamed {
		return err
	}
	return nil
}

// assemble finds out whether all leaves are synced now and the blob has its name.
func (st *step) assemble() (whole bool, err error) {
	p := st.p
	count := blob.LeafCount(p.length)
	p.mu.Lock()
	here := append(bitmap(nil), p.safe...)
	p.mu.Unlock()
	old := here.count() > 0
	for _, r := range st.runs {
		for i := range r.leaves {
			here.set(r.first + i)
		}
	}
	if here.count() < count {
		return false, nil
	}
	leaves := make([][32]byte, count)
	if old {
		if leaves, err = readTable(p.path+leavesSuffix, p.length); err != nil {
			return false, errors.Join(err, p.forget())
		}
	}
	for _, r := range st.runs {
		copy(leaves[r.first:], r.leaves)
	}
	if blob.IDOf(p.length, leaves) != p.id {
		return false, errors.Join(blob.ErrCorrupt, p.forget())
	}
	st.leaves = leaves
	return true, nil
}

// forget drops all leaves: their hashes do not give the blob's name, so a leaf
// that is not what its writer said it was is among them.
func (p *Partial) forget() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := blob.LeafCount(p.length)
	p.have, p.safe = newBitmap(n), newBitmap(n)
	return removeIfThere(p.path + leavesSuffix)
}

// writeTable enters the synced leaves into the leaf table.
func (st *step) writeTable() error {
	f, err := st.p.s.disk.Open(st.p.path+leavesSuffix, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	if st.created {
		_, err = f.WriteAt(encodeHeader(st.p.length), 0)
	}
	for _, r := range st.runs {
		if err != nil {
			break
		}
		b := make([]byte, 0, hashSize*len(r.leaves))
		for i := range r.leaves {
			b = append(b, r.leaves[i][:]...)
		}
		_, err = f.WriteAt(b, tableHeader+hashSize*int64(r.first))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// settle notes the outcome after the folders were synced, and tells of it.
func (st *step) settle(dirErr error) {
	p := st.p
	p.s.mu.Lock()
	whole, lost := p.s.whole, p.s.lost
	p.s.mu.Unlock()
	if st.renamed {
		p.s.settle(p.id, p.length, st.leaves)
		if whole != nil && dirErr == nil {
			whole(p.id)
		}
		return
	}
	failed := st.failed || dirErr != nil
	st.note(failed)
	if failed && lost != nil {
		lost(p.id)
	}
}

// note enters what is safe now, or gives up what may not be.
func (st *step) note(failed bool) {
	p := st.p
	p.files.Lock()
	defer p.files.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if failed {
		p.retreat()
	} else {
		p.created = false
		for _, r := range st.runs {
			for i := range r.leaves {
				p.safe.set(r.first + i)
			}
		}
	}
	if len(p.fresh) == 0 {
		p.closeData()
	}
}

// retreat goes back to what is on the medium for sure. After a failed fsync the
// kernel may have dropped what was written, so those leaves are asked for again.
func (p *Partial) retreat() {
	p.fresh = nil
	p.have = append(bitmap(nil), p.safe...)
	p.closeData()
}
