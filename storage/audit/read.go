package audit

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/curbside-p2p/curbside/storage/durable"
)

// Entry is a record with its place in the log.
type Entry struct {
	Index  int64
	Record Record
	Erased bool   // the record is gone by intent
	Leaf   []byte // salt || record, what the tree hashes; nil if erased
}

// List calls f for every record from an index on. Records that rot took are left
// out; Verify tells of them.
func (l *Log) List(from int64, f func(Entry) error) error {
	l.mu.Lock()
	closed := l.records == nil
	l.mu.Unlock()
	if closed {
		return ErrClosed
	}
	_, err := durable.ScanLog(l.path("records"), recordSpec(), func(b []byte) error {
		first, leaves, err := decodeFrame(b)
		if err != nil {
			return err
		}
		for i, x := range leaves {
			e := Entry{Index: first + int64(i), Erased: x.erased, Leaf: x.data}
			if e.Index < from {
				continue
			}
			if !x.erased {
				if e.Record, err = decodeRecord(x.data[saltSize:]); err != nil {
					return err
				}
			}
			if err := f(e); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// Checkpoint signs the tree as it is, if anything was added since the last time,
// and returns the newest signed checkpoint.
func (l *Log) Checkpoint() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.records == nil {
		return nil, ErrClosed
	}
	if l.latest != nil && l.point.Size == l.size {
		return l.latest, nil
	}
	root, err := tlog.TreeHash(l.size, l.hashes)
	if err != nil {
		return nil, err
	}
	c := Checkpoint{Origin: l.origin, Size: l.size, Root: root}
	signed, err := note.Sign(&note.Note{Text: c.encode()}, l.signer)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	if err := l.points.Append(signed); err != nil {
		return nil, fmt.Errorf("keep checkpoint: %w", err)
	}
	l.latest, l.point = signed, c
	return signed, nil
}

// Latest is the newest signed checkpoint, nil if there is none.
func (l *Log) Latest() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest
}

// ProveRecord proves that the record at index is in the tree of a size.
func (l *Log) ProveRecord(size, index int64) (tlog.RecordProof, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if size < 1 || size > l.size || index < 0 || index >= size {
		return nil, errRange
	}
	return tlog.ProveRecord(size, index, l.hashes)
}

// ProveConsistency proves that the tree of the newer size continues the older.
func (l *Log) ProveConsistency(older, newer int64) ([]tlog.Hash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if older < 1 || newer < older || newer > l.size {
		return nil, errRange
	}
	return tlog.ProveTree(newer, older, l.hashes)
}

var errRange = errors.New("audit log has no such records")

// Erase takes a record away and leaves its hash, so that the tree stays as it is.
func (l *Log) Erase(index int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.records == nil {
		return ErrClosed
	}
	if index < 0 || index >= l.size {
		return errRange
	}
	tmp := l.path("records.erase")
	if err := l.copyWithout(index, tmp); err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("erase audit record: %w", err)
	}
	_ = l.records.Close() // Windows replaces no open file
	err := os.Rename(tmp, l.path("records"))
	log, _, openErr := l.disk.OpenLog(l.path("records"), recordSpec(), func([]byte) error { return nil })
	l.records = log
	if err = errors.Join(err, openErr); err != nil {
		return fmt.Errorf("erase audit record: %w", err)
	}
	return l.disk.SyncDir(l.dir)
}

func (l *Log) copyWithout(index int64, tmp string) error {
	out, err := l.disk.CreateLog(tmp, recordSpec())
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	_, err = l.records.Each(func(b []byte) error {
		first, leaves, err := decodeFrame(b)
		if err != nil {
			return err
		}
		if i := index - first; i >= 0 && i < int64(len(leaves)) {
			leaves[i].erased = true
		}
		return out.Write(encodeFrame(first, leaves))
	})
	if err != nil {
		return err
	}
	return out.Sync()
}

// Report is what Verify found.
type Report struct {
	Records     int64
	Erased      int64
	Lost        []int64 // indices of records that rot took; their hashes are left
	Checkpoints int
	Root        tlog.Hash
}

// Verify reads everything again: every record hashes to its leaf, and every
// checkpoint is signed and fits the tree. ErrInconsistent or ErrDamaged say that
// the log is not what it was; lost records are in the report.
func (l *Log) Verify() (Report, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.records == nil {
		return Report{}, ErrClosed
	}
	r := Report{Records: l.size}
	seen, err := l.verifyRecords(&r)
	if err != nil {
		return r, err
	}
	for i := range l.size {
		if !seen[i] {
			r.Lost = append(r.Lost, i)
		}
	}
	if r.Root, err = tlog.TreeHash(l.size, l.hashes); err != nil {
		return r, err
	}
	return r, l.verifyPoints(&r)
}

func (l *Log) verifyRecords(r *Report) (seen map[int64]bool, err error) {
	seen = map[int64]bool{}
	_, err = l.records.Each(func(b []byte) error {
		first, leaves, err := decodeFrame(b)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		for i, x := range leaves {
			at := first + int64(i)
			if at >= l.size || x.hash != l.leafHash(at) {
				return ErrInconsistent
			}
			seen[at] = true
			if x.erased {
				r.Erased++
			}
		}
		return nil
	})
	return seen, err
}

func (l *Log) verifyPoints(r *Report) error {
	_, err := l.points.Each(func(b []byte) error {
		c, err := ParseCheckpoint(b, l.public)
		if err != nil {
			return err
		}
		r.Checkpoints++
		return l.fits(c)
	})
	return err
}
