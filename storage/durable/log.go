package durable

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
)

// A Log is a file of frames. One Append is one frame, one write and one fsync:
// it is there whole or not at all.
//
//	file   = head || head || frame || frame || ...
//	head   = magic 16 || salt 12 random || CRC-32C of the 28 bytes before; twice, so that no single fault loses the file
//	frame  = u32 n || u32 CRC-32C(salt || u64 offset of the frame || u32 n) || u32 CRC-32C(salt || payload) || payload n
//
// The offset in the sum makes a frame worthless at any other place, and the salt
// in any other file: a reordered, repeated or stale frame is damage. The sums
// find accidents, not attackers; what needs proof is sealed or signed inside.
//
// A bad frame with nothing good after it is the torn end of an append that was
// never acknowledged: it is cut off and reported. A bad frame with a good one
// after it is rot: it is stepped over and reported, and stays where it is.
type Log struct {
	disk *Disk
	f    *File
	spec LogSpec
	salt [saltSize]byte
	size int64
	// broken is set when a failed append could not be undone. Whatever came
	// next might be cut off at the next start, so nothing does.
	broken bool
}

// LogSpec is what kind of log a file is.
type LogSpec struct {
	Magic    string // 16 bytes
	FrameMax int    // longest payload
}

const (
	magicSize  = 16
	saltSize   = 12
	headSize   = magicSize + saltSize + 4
	framesAt   = 2 * headSize
	frameHead  = 12
	resyncSpan = 1 << 20 // of a file is in memory while a good frame is searched after a bad one
)

var (
	// ErrBroken says that a log takes no more appends until it is opened again.
	ErrBroken = errors.New("log is broken, open it again")
	// ErrNotLog says that a file is not a log of this kind, or that both its
	// heads are damaged.
	ErrNotLog = errors.New("not a log of this kind")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Gap is a part of a log that holds no good frame.
type Gap struct{ Off, Len int64 }

// LogState is what reading a log found.
type LogState struct {
	Frames  int
	Bytes   int64 // of good frames
	Torn    Gap   // the cut end, if Len > 0
	Lost    []Gap // rot
	BadHead bool  // one of the two heads was damaged
}

// Healthy reports whether nothing is wrong; a torn end is no damage.
func (s LogState) Healthy() bool { return len(s.Lost) == 0 && !s.BadHead }

// CreateLog makes a new, empty log in one step, replacing what is there.
func (d *Disk) CreateLog(path string, spec LogSpec) (*Log, error) {
	l := &Log{disk: d, spec: spec, size: framesAt}
	_, _ = rand.Read(l.salt[:]) // never fails since Go 1.24
	if err := d.Replace(path, append(l.head(), l.head()...)); err != nil {
		return nil, fmt.Errorf("create log: %w", err)
	}
	var err error
	if l.f, err = d.Open(path, os.O_RDWR); err != nil {
		return nil, fmt.Errorf("create log: %w", err)
	}
	return l, nil
}

// OpenLog opens a log, calls each for every good frame in order and cuts a torn
// end. The payload is valid until each returns; an error of each ends it all.
func (d *Disk) OpenLog(path string, spec LogSpec, each func(payload []byte) error) (*Log, LogState, error) {
	f, err := d.Open(path, os.O_RDWR)
	if err != nil {
		return nil, LogState{}, err
	}
	l := &Log{disk: d, f: f, spec: spec}
	state, err := l.open(each)
	if err != nil {
		_ = f.Close()
		return nil, state, fmt.Errorf("open log %s: %w", filepath.Base(path), err)
	}
	return l, state, nil
}

func (l *Log) open(each func([]byte) error) (LogState, error) {
	state, err := l.scan(each)
	if err != nil {
		return state, err
	}
	if state.BadHead {
		if _, err := l.f.WriteAt(append(l.head(), l.head()...), 0); err != nil {
			return state, err
		}
	}
	if state.Torn.Len > 0 {
		if err := l.f.Truncate(l.size); err != nil {
			return state, err
		}
	}
	if state.BadHead || state.Torn.Len > 0 {
		return state, l.f.Sync()
	}
	return state, nil
}

// ScanLog reads a log without changing it.
func ScanLog(path string, spec LogSpec, each func(payload []byte) error) (LogState, error) {
	f, err := (*Disk)(nil).Open(path, os.O_RDONLY)
	if err != nil {
		return LogState{}, err
	}
	defer func() { _ = f.Close() }()
	l := &Log{f: f, spec: spec}
	state, err := l.scan(each)
	if err != nil {
		return state, fmt.Errorf("read log %s: %w", filepath.Base(path), err)
	}
	return state, nil
}

// Append adds a frame and returns when it is on the medium. If it fails, the log
// is as it was before.
func (l *Log) Append(payload []byte) error {
	size := l.size
	err := l.Write(payload)
	if err == nil {
		err = l.Sync()
	}
	if err != nil && !l.broken {
		l.undo(size)
	}
	return err
}

// Write adds a frame that Sync brings to the medium: for a log that is being
// made and does not count before it is whole.
func (l *Log) Write(payload []byte) error {
	if l.broken {
		return ErrBroken
	}
	if len(payload) > l.spec.FrameMax {
		return fmt.Errorf("frame of %d bytes: %w", len(payload), ErrTooLong)
	}
	frame := l.frame(payload)
	if _, err := l.f.WriteAt(frame, l.size); err != nil {
		l.undo(l.size)
		return fmt.Errorf("append to log: %w", err)
	}
	l.size += int64(len(frame))
	return nil
}

// Sync brings to the medium what Write added.
func (l *Log) Sync() error {
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("sync log: %w", err)
	}
	return nil
}

// undo takes back a failed append, so that the next one follows the last good
// frame and an entry that was refused does not turn up later.
func (l *Log) undo(size int64) {
	l.size = size
	if l.f.Truncate(size) != nil || l.f.Sync() != nil {
		l.broken = true
	}
}

// Rename moves the log to another name in its folder, which the caller syncs. The
// file is closed meanwhile, as Windows wants it.
func (l *Log) Rename(path string) error {
	if err := l.f.Close(); err != nil {
		return err
	}
	err := os.Rename(l.f.path, path)
	if err != nil {
		path = l.f.path
	}
	f, openErr := l.disk.Open(path, os.O_RDWR)
	if openErr != nil {
		l.broken = true
		return errors.Join(err, openErr)
	}
	l.f = f
	return err
}

// Size is the length of the file.
func (l *Log) Size() int64 { return l.size }

// Close closes the file. Everything appended is on the medium already.
func (l *Log) Close() error { return l.f.Close() }

// Each reads all frames again.
func (l *Log) Each(each func(payload []byte) error) (LogState, error) {
	return (&Log{f: l.f, spec: l.spec}).scanTo(l.size, each)
}

func (l *Log) head() []byte {
	b := append(make([]byte, 0, framesAt), l.spec.Magic...)
	b = append(b, l.salt[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func (l *Log) frame(payload []byte) []byte {
	b := make([]byte, frameHead, frameHead+len(payload))
	binary.BigEndian.PutUint32(b, uint32(len(payload)))
	binary.BigEndian.PutUint32(b[4:], l.headSum(l.size, b[:4]))
	binary.BigEndian.PutUint32(b[8:], l.sum(payload))
	return append(b, payload...)
}

func (l *Log) headSum(off int64, n []byte) uint32 {
	var b [saltSize + 12]byte
	copy(b[:], l.salt[:])
	binary.BigEndian.PutUint64(b[saltSize:], uint64(off))
	copy(b[saltSize+8:], n)
	return crc32.Checksum(b[:], castagnoli)
}

func (l *Log) sum(payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(l.salt[:], castagnoli), castagnoli, payload)
}

// readHead takes the salt from the first head that is good.
func (l *Log) readHead(state *LogState) error {
	b := make([]byte, framesAt)
	n, _ := l.f.ReadAt(b, 0)
	b = b[:n]
	good := 0
	for i := range 2 {
		if len(b) < (i+1)*headSize {
			break
		}
		h := b[i*headSize : (i+1)*headSize]
		ok := bytes.HasPrefix(h, []byte(l.spec.Magic)) &&
			crc32.Checksum(h[:headSize-4], castagnoli) == binary.BigEndian.Uint32(h[headSize-4:])
		if ok {
			copy(l.salt[:], h[magicSize:])
			good++
		}
	}
	if good == 0 || n < framesAt {
		return ErrNotLog
	}
	state.BadHead = good == 1
	return nil
}

// Salt names this file among all logs; it is new when a log is made anew.
func (l *Log) Salt() []byte { return bytes.Clone(l.salt[:]) }
