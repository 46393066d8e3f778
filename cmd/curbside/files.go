package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/curbside-p2p/curbside/consult/text"
)

const (
	// passphraseBytesMax and textBytesMax bound what is read for the two: FORMATS §12 gives a text 32 KiB.
	passphraseBytesMax = 4 << 10
	textBytesMax       = text.BytesMax
	// cardBytesMax bounds a Join, an Accept or a link in a file.
	cardBytesMax = 1 << 20
)

// passphraseFile reads --passphrase-file: the first line, without its end. Nil where there is no flag.
func (a *app) passphraseFile() ([]byte, error) {
	if a.passFile == "" {
		return nil, nil
	}
	b, err := readFile(a.passFile, passphraseBytesMax)
	if err != nil {
		return nil, fmt.Errorf("read the passphrase: %w", err)
	}
	b, _, _ = bytes.Cut(b, []byte("\n"))
	b = bytes.TrimSuffix(b, []byte("\r"))
	if len(b) == 0 {
		return nil, errors.New("the passphrase file is empty")
	}
	return b, nil
}

// readFile reads a whole file of a bounded size. Failures name the file, as its name is the user's own.
func readFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, path, limit)
}

func readAll(r io.Reader, name string, limit int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%s is longer than %s", name, size(int64(limit)))
	}
	return b, nil
}

// readText reads a text from a file or, with "-", from stdin.
func (a *app) readText(path string) (string, error) {
	if path == "-" {
		b, err := readAll(a.in, "the text on stdin", textBytesMax)
		return string(b), err
	}
	b, err := readFile(path, textBytesMax)
	return string(b), err
}

// writeFile replaces a file whole: a reader sees the old bytes or all of the new ones. Folders are made.
func writeFile(path string, b []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".curbside-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// vacant says that a file may be made at path, and that words of somebody else are not lost by it.
func vacant(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.IsDir() || info.Size() > 0:
		return fmt.Errorf("%s is there already", path)
	}
	return writable(path)
}

// writable tries whether a file can be made beside path, before anything happens that cannot be
// taken back.
func writable(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".curbside-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// absolute makes paths mean the same to a node that runs elsewhere.
func absolute(paths []string) ([]string, error) {
	out := make([]string, len(paths))
	for i, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		out[i] = abs
	}
	return out, nil
}
