// Package journal keeps the entries of all threads as they came: sealed, in
// order of arrival. It is the truth; everything else that is known about cases
// is computed from it.
//
//	journal/00000001.seg, 00000002.seg, ...   logs of storage/durable; new records go to the last
//	frame  = record || record || ...          of one Append, whole or not at all
//	record = u32 length of data || thread 32 || entry 32 || data
//
// Append returns when its records are on the medium. A torn end, left by a crash
// in an append that had not returned, is cut off by Open and reported; rot in the
// middle costs the records of one append and is reported by Open and Check. The
// journal holds no key and does not verify entries: whoever loads them does.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/curbside-p2p/curbside/storage/durable"
)

// Record is one sealed entry of a thread.
type Record struct {
	Thread, Entry [32]byte
	Data          []byte
}

var (
	// ErrClosed says that the journal was closed.
	ErrClosed = errors.New("journal is closed")
	// ErrTooLong says that a record exceeds DataMax.
	ErrTooLong = errors.New("record is too long")
	errRecord  = errors.New("frame does not hold whole records")
)

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	dir   string
	disk  *durable.Disk
	found Report

	mu       sync.Mutex // guards what follows
	segments []uint64   // rising; the last is open
	last     *durable.Log
}

// Damage is one thing wrong with a segment.
type Damage struct {
	Segment string
	What    Fault
	Off     int64
	Len     int64
}

// Fault is a kind of damage.
type Fault uint8

// What can be wrong with a segment.
const (
	Torn    Fault = 1 // a half-written append at the end; harmless, it was never acknowledged
	Rot     Fault = 2 // an append that was acknowledged cannot be read any more
	BadHead Fault = 3 // one of two heads was damaged; repaired when the segment is written next
	BadFile Fault = 4 // the segment cannot be read at all
)

// String says it in words.
func (f Fault) String() string {
	switch f {
	case Torn:
		return "torn end"
	case Rot:
		return "records damaged"
	case BadHead:
		return "segment head damaged"
	case BadFile:
		return "segment not readable"
	default:
		return "unknown damage"
	}
}

// Report is what Open or Check found.
type Report struct {
	Records int
	Bytes   int64
	Damage  []Damage
}

// Healthy reports whether nothing that was acknowledged is lost.
func (r Report) Healthy() bool {
	return !slices.ContainsFunc(r.Damage, func(d Damage) bool { return d.What == Rot || d.What == BadFile })
}

func (r Report) with(segment string, s durable.LogState) Report {
	r.Bytes += s.Bytes
	if s.BadHead {
		r.Damage = append(r.Damage, Damage{Segment: segment, What: BadHead})
	}
	for _, g := range s.Lost {
		r.Damage = append(r.Damage, Damage{Segment: segment, What: Rot, Off: g.Off, Len: g.Len})
	}
	if s.Torn.Len > 0 {
		r.Damage = append(r.Damage, Damage{Segment: segment, What: Torn, Off: s.Torn.Off, Len: s.Torn.Len})
	}
	return r
}

func spec() durable.LogSpec {
	return durable.LogSpec{Magic: "curbside/jrnl/1\n", FrameMax: frameMax}
}

// Open opens the journal in dir, makes it if need be and cuts a torn end. What
// was found is in Found.
func Open(dir string) (*Journal, error) { return OpenOn(nil, dir) }

// OpenOn is Open on a disk with faults, for tests.
func OpenOn(disk *durable.Disk, dir string) (*Journal, error) {
	if err := disk.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{dir: dir, disk: disk}
	var err error
	if j.segments, err = listSegments(dir); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := j.openLast(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}

// listSegments sweeps unfinished files and returns the numbers of the others.
func listSegments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []uint64
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), durable.TempSuffix) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
		}
		base, ok := strings.CutSuffix(e.Name(), ".seg")
		if n, err := strconv.ParseUint(base, 10, 64); ok && err == nil {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list, nil
}

// openLast opens the newest segment for appending; one that cannot be read stays
// as it is and a new one is begun.
func (j *Journal) openLast() error {
	for i, n := range j.segments {
		if i < len(j.segments)-1 {
			j.found = j.found.merge(j.scan(n))
			continue
		}
		l, state, err := j.disk.OpenLog(j.path(n), spec(), func(b []byte) error {
			return eachRecord(b, func(Record) error { j.found.Records++; return nil })
		})
		if errors.Is(err, durable.ErrNotLog) || errors.Is(err, errRecord) {
			j.found.Damage = append(j.found.Damage, Damage{Segment: name(n), What: BadFile})
			break
		}
		if err != nil {
			return err
		}
		j.found = j.found.with(name(n), state)
		j.last = l
		return nil
	}
	return j.roll()
}

// roll begins a new segment.
func (j *Journal) roll() error {
	n := uint64(1)
	if len(j.segments) > 0 {
		n = j.segments[len(j.segments)-1] + 1
	}
	l, err := j.disk.CreateLog(j.path(n), spec())
	if err != nil {
		return err
	}
	if j.last != nil {
		_ = j.last.Close() // all of it is synced
	}
	j.last = l
	j.segments = append(j.segments, n)
	return nil
}

func name(n uint64) string { return fmt.Sprintf("%08d.seg", n) }

func (j *Journal) path(n uint64) string { return filepath.Join(j.dir, name(n)) }

// Found is what Open found: a torn end, rot.
func (j *Journal) Found() Report { return j.found }

// Append adds records and returns when they are on the medium, all of them. If
// it fails none counts as added; some may turn up if they filled several frames.
func (j *Journal) Append(records []Record) error {
	if len(records) == 0 {
		return nil
	}
	frames, err := encode(records)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.last == nil {
		return ErrClosed
	}
	for _, frame := range frames {
		if err := j.append(frame); err != nil {
			return fmt.Errorf("append to journal: %w", err)
		}
	}
	return nil
}

func (j *Journal) append(frame []byte) error {
	if j.last.Size()+int64(len(frame)) > segmentMax {
		if err := j.roll(); err != nil {
			return err
		}
	}
	err := j.last.Append(frame)
	if errors.Is(err, durable.ErrBroken) { // a new file is a new start
		if err = j.roll(); err == nil {
			err = j.last.Append(frame)
		}
	}
	return err
}

// encode packs records into as few frames as may be.
func encode(records []Record) ([][]byte, error) {
	var frames [][]byte
	var frame []byte
	for _, r := range records {
		if len(r.Data) > DataMax {
			return nil, fmt.Errorf("record of %d bytes: %w", len(r.Data), ErrTooLong)
		}
		if len(frame) > 0 && len(frame)+recordHead+len(r.Data) > frameMax {
			frames, frame = append(frames, frame), nil
		}
		frame = binary.BigEndian.AppendUint32(frame, uint32(len(r.Data)))
		frame = append(frame, r.Thread[:]...)
		frame = append(frame, r.Entry[:]...)
		frame = append(frame, r.Data...)
	}
	return append(frames, frame), nil
}

// eachRecord decodes a frame. Data points into it.
func eachRecord(frame []byte, f func(Record) error) error {
	for len(frame) > 0 {
		if len(frame) < recordHead {
			return errRecord
		}
		n := binary.BigEndian.Uint32(frame)
		var r Record
		copy(r.Thread[:], frame[4:])
		copy(r.Entry[:], frame[36:])
		frame = frame[recordHead:]
		if n > DataMax || int(n) > len(frame) {
			return errRecord
		}
		r.Data, frame = frame[:n:n], frame[n:]
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// Replay calls f for every record in order of arrival. Data is valid until f
// returns. Damaged parts are stepped over; Found and Check tell of them. Records
// appended meanwhile may or may not be seen.
func (j *Journal) Replay(f func(Record) error) error {
	j.mu.Lock()
	segments := slices.Clone(j.segments)
	closed := j.last == nil
	j.mu.Unlock()
	if closed {
		return ErrClosed
	}
	for _, n := range segments {
		_, err := durable.ScanLog(j.path(n), spec(), func(b []byte) error {
			err := eachRecord(b, f)
			if errors.Is(err, errRecord) {
				return nil
			}
			return err
		})
		if err != nil && !errors.Is(err, durable.ErrNotLog) && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("replay journal: %w", err)
		}
	}
	return nil
}

// Close closes the journal. Everything appended is on the medium already.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.last == nil {
		return nil
	}
	err := j.last.Close()
	j.last = nil
	return err
}
