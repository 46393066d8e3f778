package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// flock reports whether another open file holds the lock, or takes it. The
// locked byte lies far behind the text, so that a waiting command can read that.
func flock(f *os.File) (held bool, err error) {
	at := windows.Overlapped{OffsetHigh: 1}
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	err = windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return true, nil
	}
	return false, err
}
