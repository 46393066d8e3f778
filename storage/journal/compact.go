package journal

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/curbside-p2p/curbside/storage/durable"
)

// Drop removes all records of a thread from the disk.
func (j *Journal) Drop(thread [32]byte) error {
	return j.Compact(func(r Record) bool { return r.Thread != thread })
}

// Compact rewrites each segment that holds a record keep does not want. Every
// rewritten segment replaces the old one in one step. Appends wait meanwhile.
func (j *Journal) Compact(keep func(Record) bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.last == nil {
		return ErrClosed
	}
	for _, n := range j.segments {
		if err := j.rewrite(n, keep); err != nil {
			return fmt.Errorf("compact journal: %w", err)
		}
	}
	return nil
}

func (j *Journal) rewrite(n uint64, keep func(Record) bool) error {
	all, err := j.wanted(n, keep)
	if err != nil || all {
		return err
	}
	tmp := j.path(n) + ".tmp" + durable.TempSuffix
	if err := j.copy(n, tmp, keep); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	last := n == j.segments[len(j.segments)-1]
	if last {
		_ = j.last.Close() // Windows replaces no open file
	}
	err = os.Rename(tmp, j.path(n))
	if last {
		l, _, openErr := j.disk.OpenLog(j.path(n), spec(), func([]byte) error { return nil })
		if openErr != nil {
			j.last = nil
			return errors.Join(err, openErr)
		}
		j.last = l
	}
	if err != nil {
		return err
	}
	return j.disk.SyncDir(j.dir)
}

// wanted reports whether keep wants all records of a segment.
func (j *Journal) wanted(n uint64, keep func(Record) bool) (all bool, err error) {
	all = true
	_, err = durable.ScanLog(j.path(n), spec(), func(b []byte) error {
		return eachRecord(b, func(r Record) error { all = all && keep(r); return nil })
	})
	if errors.Is(err, durable.ErrNotLog) {
		return true, nil // nothing in it can be read, nor be kept from being read
	}
	return all, err
}

func (j *Journal) copy(n uint64, tmp string, keep func(Record) bool) error {
	out, err := j.disk.CreateLog(tmp, spec())
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	_, err = durable.ScanLog(j.path(n), spec(), func(b []byte) error {
		var kept []Record
		err := eachRecord(b, func(r Record) error {
			if keep(r) {
				kept = append(kept, r)
			}
			return nil
		})
		if err != nil || len(kept) == 0 {
			return err
		}
		frames, err := encode(kept)
		for _, frame := range frames {
			if err == nil {
				err = out.Write(frame)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return out.Sync()
}

// Check reads every segment again and reports what is damaged.
func (j *Journal) Check(ctx context.Context) (Report, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.last == nil {
		return Report{}, ErrClosed
	}
	var r Report
	for _, n := range j.segments {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		r = r.merge(j.scan(n))
	}
	return r, nil
}

func (r Report) merge(o Report) Report {
	r.Records += o.Records
	r.Bytes += o.Bytes
	r.Damage = append(r.Damage, o.Damage...)
	return r
}

// scan reads one segment without changing it.
func (j *Journal) scan(n uint64) Report {
	var r Report
	state, err := durable.ScanLog(j.path(n), spec(), func(b []byte) error {
		return eachRecord(b, func(Record) error { r.Records++; return nil })
	})
	r = r.with(name(n), state)
	if err != nil {
		r.Damage = append(r.Damage, Damage{Segment: name(n), What: BadFile})
	}
	return r
}
