package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/storage/durable"
)

// ErrLocked is the class of LockedError: a command decides by it whether to talk
// to the process that has the directory open.
var ErrLocked = errors.New("data directory is in use")

// LockedError says who has the directory open.
type LockedError struct {
	PID     int    // 0 if unknown
	Program string // its name, without arguments: they may name files
}

// Error names the holder.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return ErrLocked.Error()
	}
	return fmt.Sprintf("%v by process %d (%s)", ErrLocked, e.PID, e.Program)
}

// Is makes errors.Is(err, ErrLocked) true.
func (*LockedError) Is(target error) bool { return target == ErrLocked }

// takeLock locks the file for as long as it is open. The kernel gives the lock
// back whatever ends the process, so a stale LOCK file locks nobody out.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, durable.FileMode)
	if err != nil {
		return nil, fmt.Errorf("open LOCK: %w", err)
	}
	held, err := flock(f)
	if err != nil || held {
		holder := readHolder(f)
		_ = f.Close()
		if held {
			return nil, holder
		}
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	who := fmt.Sprintf("%d %s\n", os.Getpid(), filepath.Base(os.Args[0]))
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(who), 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("write LOCK: %w", err)
	}
	return f, nil
}

func readHolder(f *os.File) *LockedError {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, holderMax))
	if err != nil {
		return &LockedError{}
	}
	pid, program, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	n, err := strconv.Atoi(pid)
	if err != nil || n < 1 {
		return &LockedError{}
	}
	return &LockedError{PID: n, Program: strings.Map(printable, program)}
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

func dropLock(f *os.File) error {
	if f == nil {
		return nil
	}
	err := errors.Join(f.Truncate(0), f.Close())
	if errors.Is(err, os.ErrClosed) {
		return nil // closed twice
	}
	return err
}
