//go:build !unix

package index

// private does nothing: there are no file modes.
func private() {}
