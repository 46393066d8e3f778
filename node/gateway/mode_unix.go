//go:build !windows

package gateway

import "io/fs"

// tooOpen reports whether other accounts can read a file.
func tooOpen(m fs.FileMode) bool { return m.Perm()&0o077 != 0 }
