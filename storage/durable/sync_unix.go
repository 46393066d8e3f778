//go:build !windows

package durable

import "os"

// syncDir fsyncs a folder, without which a rename may be forgotten.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
