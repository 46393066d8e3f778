// Package durable writes so that what was acknowledged is still there after a
// crash, a torn write or a full disk.
//
// It has two parts: whole files that are replaced in one step (write a new file,
// fsync, rename, fsync the folder), and Log, an append-only file of checksummed
// frames whose torn tail is cut off when it is opened. Everything is created
// 0600, folders 0700.
//
// A Disk is where tests put faults: a full disk, a write that stops half-way, an
// fsync that fails, a crash between two of them. The nil *Disk is the real one.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// FileMode and DirMode keep other accounts of the machine out.
	FileMode fs.FileMode = 0o600
	// DirMode is FileMode for folders.
	DirMode fs.FileMode = 0o700
)

// Disk is the file system, with hooks for faults. A nil *Disk has none.
type Disk struct {
	// Write is asked before n bytes go to a file. It returns how many of them
	// are written and the error that then ends the write.
	Write func(path string, n int) (allowed int, err error)
	// Sync is called before a file or a folder is synced. If it returns an
	// error, that is the result and nothing is synced.
	Sync func(path string) error
}

// File is an *os.File whose writes and syncs pass the hooks of its disk.
type File struct {
	*os.File

	disk *Disk
	path string // where it is now
}

// Open opens a file for the given flags, 0600 if that creates it.
func (d *Disk) Open(path string, flag int) (*File, error) {
	f, err := os.OpenFile(path, flag, FileMode)
	if err != nil {
		return nil, err
	}
	return &File{File: f, disk: d, path: path}, nil
}

// Create makes a new file for writing; one that exists is an error.
func (d *Disk) Create(path string) (*File, error) {
	return d.Open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// Write writes at the current position.
func (f *File) Write(p []byte) (int, error) {
	return f.guard(p, f.File.Write)
}

// WriteAt writes at off.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	return f.guard(p, func(p []byte) (int, error) { return f.File.WriteAt(p, off) })
}

func (f *File) guard(p []byte, write func([]byte) (int, error)) (int, error) {
	if f.disk == nil || f.disk.Write == nil {
		return write(p)
	}
	allowed, fault := f.disk.Write(f.path, len(p))
	if fault == nil {
		return write(p)
	}
	n, err := write(p[:min(max(allowed, 0), len(p))])
	return n, errors.Join(err, fault)
}

// Sync brings the file to the medium.
func (f *File) Sync() error {
	if err := f.disk.hookSync(f.path); err != nil {
		return err
	}
	return f.File.Sync()
}

func (d *Disk) hookSync(path string) error {
	if d == nil || d.Sync == nil {
		return nil
	}
	return d.Sync(path)
}

// SyncDir brings the names in a folder to the medium.
func (d *Disk) SyncDir(dir string) error {
	if err := d.hookSync(dir); err != nil {
		return err
	}
	return syncDir(dir)
}

// Replace writes b as path in one step: after a crash the old bytes are there,
// or the new ones, and the new ones once Replace has returned nil.
func (d *Disk) Replace(path string, b []byte) error {
	if err := d.WriteNew(path+TempSuffix, b); err != nil {
		return err
	}
	if err := os.Rename(path+TempSuffix, path); err != nil {
		_ = os.Remove(path + TempSuffix)
		return err
	}
	return d.SyncDir(filepath.Dir(path))
}

// TempSuffix marks a file that Replace had not finished. Whoever owns the
// folder may remove such files at start.
const TempSuffix = ".new"

// WriteNew writes b to path and syncs the file but not its folder. On failure
// nothing is left at path.
func (d *Disk) WriteNew(path string, b []byte) error {
	f, err := d.Open(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// MkdirAll makes dir and its parents and brings the new names to the medium.
func (d *Disk) MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := d.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, DirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.SyncDir(parent)
}

// ReadLimited reads a whole file that must not be longer than limit.
func ReadLimited(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes: %w", filepath.Base(path), info.Size(), ErrTooLong)
	}
	return os.ReadFile(path)
}

// ErrTooLong says that a file or a frame is longer than its format allows.
var ErrTooLong = errors.New("longer than allowed")
