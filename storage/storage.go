// Package storage opens a data directory: its layout, its lock, its version.
//
//	VERSION LOCK      format number; who has the directory open
//	config.toml       settings
//	node.key          libp2p key, readable while vaults are locked
//	credential        unlocks the vault where there is no passphrase
//	persons/ID/       vault and rows of one person (storage/vault)
//	blobs/ journal/   sealed bytes; entries (storage/blobs, storage/journal)
//	index/            may be deleted at any time (storage/index)
//	audit/            log, checkpoints and key of it (storage/audit)
//	tmp/              what was half-done; emptied at start
//	web/              keys of the web listener; memory of watched folders (node/gateway)
//	run/ log/         control socket; log file. Made when first asked for
//
// Everything is 0600, folders 0700, and no name says anything about a patient.
// The packages below keep what is in the folders; they share how they write
// (storage/durable) and how they are tested (storage/storagetest).
package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/storage/durable"
)

// Version is the format number of the data directory that this program writes.
const Version = 1

var (
	// ErrVersion says that a newer program wrote the directory. The user must
	// update; nothing was changed.
	ErrVersion = errors.New("data directory is from a newer version of curbside")
	// ErrForeign says that the directory is not empty and not ours. Nothing was
	// changed.
	ErrForeign = errors.New("directory holds other files and is not a curbside data directory")
	// ErrAbsent says that there is no data directory yet: the user must init.
	ErrAbsent = errors.New("no curbside data directory")
)

// Dir is an open data directory. This process alone has it until Close.
type Dir struct {
	home string
	lock *os.File
}

// Open opens the data directory home and makes it if need be. If another process
// has it, the error is an ErrLocked and says who.
func Open(home string) (*Dir, error) {
	home, err := filepath.Abs(home)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	if err := checkForeign(home); err != nil {
		return nil, err
	}
	var disk *durable.Disk // the real one
	if err := disk.MkdirAll(home); err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	lock, err := takeLock(filepath.Join(home, "LOCK"))
	if err != nil {
		return nil, err
	}
	d := &Dir{home: home, lock: lock}
	if err := d.prepare(); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// ours are the names that may be there before VERSION is.
var ours = []string{"LOCK", "config.toml", "credential", "node.key", "tmp", "run", "log", "VERSION" + durable.TempSuffix}

// checkForeign keeps us from moving into somebody's folder.
func checkForeign(home string) error {
	if Exists(home) {
		return nil
	}
	entries, err := os.ReadDir(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains(ours, e.Name()) {
			return ErrForeign
		}
	}
	return nil
}

// Exists reports whether home is a data directory.
func Exists(home string) bool {
	_, err := os.Stat(filepath.Join(home, "VERSION"))
	return err == nil
}

func (d *Dir) prepare() error {
	if err := d.checkVersion(); err != nil {
		return err
	}
	if err := os.Chmod(d.home, durable.DirMode); err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	if err := os.RemoveAll(d.Path("tmp")); err != nil {
		return fmt.Errorf("sweep tmp: %w", err)
	}
	for _, name := range []string{"tmp", "persons"} {
		if _, err := d.folder(name); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dir) checkVersion() error {
	b, err := durable.ReadLimited(d.Path("VERSION"), versionMax)
	if errors.Is(err, fs.ErrNotExist) {
		return (*durable.Disk)(nil).Replace(d.Path("VERSION"), []byte(strconv.Itoa(Version)+"\n"))
	}
	if err != nil {
		return fmt.Errorf("read VERSION: %w", err)
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || v < 1 {
		return errors.New("VERSION is not a number: data directory is damaged")
	}
	if v > Version {
		return fmt.Errorf("version %d: %w", v, ErrVersion)
	}
	return nil // migrations from older versions go here; there is none
}

// Home is the directory itself.
func (d *Dir) Home() string { return d.home }

// Path is a path below the directory; nothing is made.
func (d *Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.home}, elem...)...)
}

// folder is Path for a folder that is made if need be.
func (d *Dir) folder(elem ...string) (string, error) {
	path := d.Path(elem...)
	if err := (*durable.Disk)(nil).MkdirAll(path); err != nil {
		return "", fmt.Errorf("make %s: %w", filepath.Join(elem...), err)
	}
	return path, nil
}

// Run is the folder of the control socket, made if need be.
func (d *Dir) Run() (string, error) { return d.folder("run") }

// Log is the folder of the log file, made if need be.
func (d *Dir) Log() (string, error) { return d.folder("log") }

// Tmp is the folder for what is half-done. The next start empties it.
func (d *Dir) Tmp() string { return d.Path("tmp") }

// Blobs is the folder of storage/blobs.
func (d *Dir) Blobs() string { return d.Path("blobs") }

// Journal is the folder of storage/journal.
func (d *Dir) Journal() string { return d.Path("journal") }

// Index is the folder of storage/index.
func (d *Dir) Index() string { return d.Path("index") }

// Audit is the folder of storage/audit.
func (d *Dir) Audit() string { return d.Path("audit") }

// Config is the settings file.
func (d *Dir) Config() string { return d.Path("config.toml") }

// Credential is the file that unlocks vaults without a passphrase.
func (d *Dir) Credential() string { return d.Path("credential") }

// Person is the folder of a person's vault (storage/vault), named by the id.
func (d *Dir) Person(id string) string { return d.Path("persons", id) }

// Persons lists the ids of persons who have a vault here.
func (d *Dir) Persons() ([]string, error) {
	entries, err := os.ReadDir(d.Path("persons"))
	if err != nil {
		return nil, fmt.Errorf("list persons: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if _, err := os.Stat(d.Path("persons", e.Name(), "vault")); err == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// NodeKey returns the node's network key and makes it with create if there is
// none.
func (d *Dir) NodeKey(create func() []byte) ([]byte, error) {
	return keyFile(d.Path("node.key"), create)
}

// AuditKey is NodeKey for the key of the audit log.
func (d *Dir) AuditKey(create func() []byte) ([]byte, error) {
	if _, err := d.folder("audit"); err != nil {
		return nil, err
	}
	return keyFile(d.Path("audit", "key"), create)
}

func keyFile(path string, create func() []byte) ([]byte, error) {
	b, err := durable.ReadLimited(path, keyMax)
	if err == nil && len(b) == 0 {
		err = errors.New("file is empty")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
		}
		return b, os.Chmod(path, durable.FileMode)
	}
	b = create()
	if err := (*durable.Disk)(nil).Replace(path, b); err != nil {
		return nil, err
	}
	return b, nil
}

// Close gives the directory back.
func (d *Dir) Close() error { return dropLock(d.lock) }
