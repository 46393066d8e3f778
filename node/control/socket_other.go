//go:build !unix

package control

import "io/fs"

// private: access lists of the user's profile decide there, not modes.
func private(fs.FileInfo) bool { return true }
