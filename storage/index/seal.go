package index

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/durable"
)

// sealed reports whether the database is exactly as Close left it.
func (ix *Index) sealed() bool {
	want, err := durable.ReadLimited(ix.cleanPath(), cleanMax)
	if err != nil {
		return false
	}
	got, err := ix.mac()
	return err == nil && hmac.Equal(got, want)
}

// seal notes how the database is now.
func (ix *Index) seal() error {
	mac, err := ix.mac()
	if err != nil {
		return err
	}
	return (*durable.Disk)(nil).Replace(ix.cleanPath(), mac)
}

// mac covers names, lengths and bytes of all files, in order of names.
func (ix *Index) mac() ([]byte, error) {
	key := wire.KDF32(ix.key, "index/clean", nil)
	h := hmac.New(sha256.New, key[:])
	err := filepath.WalkDir(ix.dbPath(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(ix.dbPath(), path)
		if err != nil {
			return err
		}
		return addFile(h, rel, path)
	})
	if err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

func addFile(h hash.Hash, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	content := sha256.New()
	n, err := io.Copy(content, f)
	if err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint64(nil, uint64(len(name)))
	head = append(head, name...)
	head = binary.BigEndian.AppendUint64(head, uint64(n))
	h.Write(content.Sum(head))
	return nil
}
