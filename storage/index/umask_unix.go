//go:build unix

package index

import "golang.org/x/sys/unix"

// private keeps from others what badger creates as 0644. It changes the mask of
// the whole process, and on purpose: a process with a data directory open writes
// nothing that other accounts can read unless it says so.
func private() { unix.Umask(0o077) }
