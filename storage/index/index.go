// Package index keeps rows that can be made again: worklist, search, what was
// folded from the journal. It may be deleted at any time.
//
//	index/db/     badger, encrypted with the index key
//	index/clean   HMAC over all files of db, written by Close and removed by Open
//
// badger's encryption has no authentication: an altered or an old copy would be
// read as if it were ours, and some damage makes it panic (FORMATS §9). So a
// database is used only if Close sealed it and nothing has changed since, every
// value is sealed as well, and every call runs where a panic is caught. Whatever
// is wrong, the index wipes itself, is empty from then on, and says so: Fresh
// after Open, ErrRebuild from any other call. The caller then fills it again
// from the journal. Open sets the umask of the process to 077, as badger asks for
// files that anybody may read. An Index is safe for concurrent use.
package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/durable"
)

var (
	// ErrRebuild says that the index was damaged and is empty now: the caller
	// fills it again from the journal.
	ErrRebuild = errors.New("index was damaged and must be rebuilt")
	// ErrClosed says that the index was closed.
	ErrClosed = errors.New("index is closed")
	// ErrTooLong says that a name or a value exceeds its limit.
	ErrTooLong = errors.New("too long for the index")
)

// Row is one change.
type Row struct {
	Table, Key string // Table has no NUL byte
	Value      []byte
	Delete     bool
}

// Index is an open index.
type Index struct {
	dir string
	key wire.Secret

	mu    sync.RWMutex // held for writing while the database is replaced
	db    *badger.DB   // nil: closed
	fresh bool
}

// Open opens the index in dir or makes an empty one. Fresh tells which.
func Open(dir string, key wire.Secret) (*Index, error) {
	private()
	ix := &Index{dir: dir, key: key}
	clean := ix.sealed()
	// From here on the database changes, so the seal no longer holds.
	if err := os.Remove(ix.cleanPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open index: %w", err)
	}
	if clean && ix.open() == nil {
		return ix, nil
	}
	ix.fresh = true
	if err := ix.replace(); err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	return ix, nil
}

func (ix *Index) dbPath() string    { return filepath.Join(ix.dir, "db") }
func (ix *Index) cleanPath() string { return filepath.Join(ix.dir, "clean") }

// Fresh reports whether the index was empty or damaged when it was opened, so
// that the caller must fill it.
func (ix *Index) Fresh() bool {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.fresh
}

// options are small: the index of a clinic has some MB, and memory is for images.
func (ix *Index) options() badger.Options {
	key := wire.KDF32(ix.key, "index/badger", nil)
	return badger.DefaultOptions(ix.dbPath()).
		WithLogger(nil).
		WithMetricsEnabled(false).
		WithDetectConflicts(false).
		WithNumGoroutines(2).
		WithMemTableSize(memTable).WithNumMemtables(2).
		WithBlockCacheSize(blockCache).WithIndexCacheSize(indexCache).
		WithValueLogFileSize(valueLogFile).WithValueThreshold(valueThreshold).
		WithNumCompactors(2).WithNumLevelZeroTables(2).WithNumLevelZeroTablesStall(6).
		WithBaseTableSize(1 << 20).WithBaseLevelSize(4 << 20).
		WithCompression(options.None). // sealed values do not compress
		WithVerifyValueChecksum(true).
		WithChecksumVerificationMode(options.OnTableAndBlockRead).
		WithEncryptionKey(key[:])
}

// open opens the database; a panic is an error.
func (ix *Index) open() (err error) {
	defer catch(&err)
	if err := (*durable.Disk)(nil).MkdirAll(ix.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(ix.dbPath(), durable.DirMode); err != nil {
		return err
	}
	db, err := badger.Open(ix.options())
	if err != nil {
		return err
	}
	ix.db = db
	return nil
}

// catch turns a panic into an error. What it says may hold keys, so it is not
// repeated.
func catch(err *error) {
	if r := recover(); r != nil {
		*err = errPanic
	}
}

var errPanic = errors.New("badger panicked")

// replace removes the database and opens an empty one.
func (ix *Index) replace() error {
	_ = ix.closeDB()
	if err := os.RemoveAll(ix.dbPath()); err != nil {
		return err
	}
	return ix.open()
}

// closeDB closes the database. A damaged one may never come back from that; it
// is left behind after closeMax, with its files, which replace removes.
func (ix *Index) closeDB() error {
	if ix.db == nil {
		return nil
	}
	db := ix.db
	ix.db = nil
	done := make(chan error, 1)
	go func() { done <- guarded(db, (*badger.DB).Close) }()
	select {
	case err := <-done:
		return err
	case <-time.After(closeMax):
		return errStuck
	}
}

var errStuck = errors.New("badger does not close")

// Wipe empties the index.
func (ix *Index) Wipe() error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.db == nil {
		return ErrClosed
	}
	if err := ix.replace(); err != nil {
		return fmt.Errorf("wipe index: %w", err)
	}
	return nil
}

// Close closes the index and seals it, so that the next Open can use it.
func (ix *Index) Close() error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.db == nil {
		return nil
	}
	if err := ix.closeDB(); err != nil {
		return nil // not sealed: the next Open begins anew
	}
	if err := ix.seal(); err != nil {
		return fmt.Errorf("close index: %w", err)
	}
	return nil
}

// do runs one use of the database. If that finds damage, the index is wiped and
// the error is ErrRebuild.
func (ix *Index) do(use func(*badger.DB) error) error {
	ix.mu.RLock()
	db := ix.db
	if db == nil {
		ix.mu.RUnlock()
		return ErrClosed
	}
	err := guarded(db, use)
	ix.mu.RUnlock()
	if err == nil || errors.Is(err, badger.ErrKeyNotFound) {
		return err
	}
	return ix.damaged(db)
}

func guarded(db *badger.DB, use func(*badger.DB) error) (err error) {
	defer catch(&err)
	return use(db)
}

func (ix *Index) damaged(seen *badger.DB) error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.db != seen {
		return ErrRebuild // somebody else has wiped it already
	}
	if err := ix.replace(); err != nil {
		return fmt.Errorf("%w: %w", ErrRebuild, err)
	}
	return ErrRebuild
}
