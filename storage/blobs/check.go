package blobs

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/curbside-p2p/curbside/protocol/blob"
)

// Damage is one thing Check found.
type Damage struct {
	ID   blob.ID
	What Fault
	Leaf int // of BadLeaf
}

// Fault is a kind of damage.
type Fault uint8

// What can be wrong with a blob.
const (
	BadBlob   Fault = 1 // the bytes are not the blob: remove it and fetch it again
	BadLeaf   Fault = 2 // a leaf of a partial blob is not what its hash says; Check has dropped it
	BadTable  Fault = 3 // the leaf table was wrong or lost; Check has made it again
	BadRead   Fault = 4 // the medium does not give the bytes
	BadPart   Fault = 5 // a partial blob whose table cannot be used; it starts again from nothing
	faultsEnd Fault = 6
)

// String says it in words.
func (f Fault) String() string {
	if f == 0 || f >= faultsEnd {
		return "unknown damage"
	}
	return [...]string{
		"blob is corrupt", "leaf is corrupt", "leaf table was damaged", "blob cannot be read", "partial blob is not usable",
	}[f-1]
}

// Check re-hashes everything and reports what is damaged. Blobs are never
// removed by it; leaf tables are repaired and bad leaves of partial blobs
// dropped, for both can be had again.
func (s *Store) Check(ctx context.Context, report func(Damage)) error {
	if err := s.Flush(); err != nil {
		return fmt.Errorf("check blobs: %w", err)
	}
	return s.each(ctx, func(it item) error {
		if it.whole {
			s.checkWhole(it, report)
			return nil
		}
		return s.checkPartial(it, report)
	})
}

func (s *Store) checkWhole(it item, report func(Damage)) {
	path := s.path(it.id)
	f, err := os.Open(path)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) { // else it was removed just now
			report(Damage{ID: it.id, What: BadRead})
		}
		return
	}
	defer func() { _ = f.Close() }()
	if checkLength(it.size) != nil {
		report(Damage{ID: it.id, What: BadBlob})
		return
	}
	leaves, err := hashLeaves(f, it.size)
	switch {
	case err != nil && !errors.Is(err, blob.ErrCorrupt):
		report(Damage{ID: it.id, What: BadRead})
		return
	case err != nil || blob.IDOf(it.size, leaves) != it.id:
		report(Damage{ID: it.id, What: BadBlob})
		return
	case len(leaves) < leavesKept:
		return
	}
	if kept, err := readTable(path+leavesSuffix, it.size); err != nil || blob.IDOf(it.size, kept) != it.id {
		report(Damage{ID: it.id, What: BadTable})
		_ = s.disk.Replace(path+leavesSuffix, encodeTable(it.size, leaves))
	}
}

func (s *Store) checkPartial(it item, report func(Damage)) error {
	path := s.path(it.id)
	f, err := os.Open(path + partSuffix)
	if errors.Is(err, os.ErrNotExist) {
		return nil // only a stale table, or it became whole just now
	}
	if err != nil {
		report(Damage{ID: it.id, What: BadRead})
		return nil
	}
	defer func() { _ = f.Close() }()
	err = checkLength(it.size)
	var leaves [][32]byte
	if err == nil {
		leaves, err = readTable(path+leavesSuffix, it.size)
	}
	if err != nil {
		report(Damage{ID: it.id, What: BadPart})
		return nil
	}
	p, err := s.Partial(it.id, it.size)
	if err != nil {
		return err
	}
	for i, want := range leaves {
		if want == ([32]byte{}) {
			continue
		}
		off, n := blob.LeafSpan(it.size, i)
		buf := make([]byte, n)
		if _, err := f.ReadAt(buf, off); err == nil && blob.LeafHash(buf) == want {
			continue
		}
		report(Damage{ID: it.id, What: BadLeaf, Leaf: i})
		if err := p.drop(i); err != nil {
			return err
		}
	}
	return nil
}

// drop makes a leaf missing again.
func (p *Partial) drop(i int) error {
	p.s.sync.flushing.Lock()
	defer p.s.sync.flushing.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.whole {
		return nil
	}
	p.have.clear(i)
	p.safe.clear(i)
	f, err := p.s.disk.Open(p.path+leavesSuffix, os.O_RDWR)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, hashSize), tableHeader+hashSize*int64(i))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
