//go:build unix

package blobs

import (
	"io/fs"
	"syscall"
)

// allocated is what a file takes on the medium; a sparse one less than its size.
func allocated(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512 //nolint:unconvert // not int64 everywhere
	}
	return info.Size()
}
