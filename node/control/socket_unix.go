//go:build unix

package control

import (
	"io/fs"
	"os"
	"syscall"
)

// private says that a folder is this user's and nobody else may enter it.
func private(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid() && info.Mode().Perm()&0o077 == 0
}
