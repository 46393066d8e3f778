//go:build unix

package node

import "golang.org/x/sys/unix"

// diskFree is the room left for this user on the medium of path.
func diskFree(path string) (uint64, bool) {
	var s unix.Statfs_t
	if unix.Statfs(path, &s) != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
