// Package audit keeps the node's log of who did what: an append-only Merkle tree
// (RFC 6962, golang.org/x/mod/sumdb/tlog) with signed checkpoints (FORMATS §11).
//
//	audit/records      log of storage/durable; frame = u64 index of the first leaf || leaves
//	leaf               u8 kind || u32 length || bytes: kind 0 salt 16 || record, kind 1 hash 32 of one that was erased
//	audit/leaves       32-byte leaf hashes in order; a cache, made again from records
//	audit/checkpoints  log of storage/durable; a signed checkpoint in each frame
//
// Leaf data is salt || record, so a record can be erased with the tree intact and
// nobody can guess it from its hash. Append returns when the records are on the
// medium; what must be recorded before it happens waits for that. Open, and Verify
// again, check the tree against the newest checkpoint.
//
// A log that nobody else has seen proves nothing against its own administrator;
// peers who cosign checkpoints do. A Log is safe for concurrent use. It holds 64
// bytes of memory a record.
package audit

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/durable"
)

var (
	// ErrDamaged says that the tree cannot be made again from what is on disk.
	// The user decides: SetAside begins a new log and keeps the old one.
	ErrDamaged = errors.New("audit log is damaged")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("audit log is closed")
)

// Log is an open audit log.
type Log struct {
	dir     string
	disk    *durable.Disk
	origin  string
	public  ed25519.PublicKey
	signer  note.Signer
	witness ed25519.PrivateKey
	patient wire.Secret

	mu      sync.Mutex // guards what follows
	records *durable.Log
	points  *durable.Log
	hashes  hashes // of the whole tree
	size    int64
	latest  []byte     // newest signed checkpoint, nil if none
	point   Checkpoint // what it says
	lost    []int64    // leaves of which only the hash is left, not erased by us
	torn    bool       // a half-written append was cut
}

// NewKey returns a key for a new log, which Open takes.
func NewKey() []byte {
	k := wire.NewSecret()
	return k[:]
}

// hashes are the stored hashes of tlog, in its order.
type hashes []tlog.Hash

// ReadHashes makes hashes a tlog.HashReader.
func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(h)) {
			return nil, ErrDamaged
		}
		out[i] = h[x]
	}
	return out, nil
}

func recordSpec() durable.LogSpec {
	return durable.LogSpec{Magic: "curbside/audt/1\n", FrameMax: frameMax}
}

func pointSpec() durable.LogSpec {
	return durable.LogSpec{Magic: "curbside/ckpt/1\n", FrameMax: checkpointMax}
}

// Open opens the log in dir, or makes an empty one, with the 32-byte key of
// NewKey. ErrDamaged or ErrInconsistent say that it is not what it was.
func Open(dir string, key []byte) (*Log, error) { return OpenOn(nil, dir, key) }

// OpenOn is Open on a disk with faults, for tests.
func OpenOn(disk *durable.Disk, dir string, key []byte) (*Log, error) {
	l, err := newLog(disk, dir, key)
	if err == nil {
		err = l.load()
	}
	if err != nil {
		if l != nil {
			_ = l.close()
		}
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return l, nil
}

func newLog(disk *durable.Disk, dir string, key []byte) (*Log, error) {
	if len(key) != 32 {
		return nil, errors.New("key is not 32 bytes")
	}
	k := [32]byte(key)
	seed := wire.KDF32(k, "audit/ed25519", nil)
	witness := wire.KDF32(k, "audit/witness", nil)
	private := ed25519.NewKeyFromSeed(seed[:])
	l := &Log{
		dir: dir, disk: disk,
		public:  private.Public().(ed25519.PublicKey),
		witness: ed25519.NewKeyFromSeed(witness[:]),
		patient: wire.KDF32(k, "audit/patient", nil),
	}
	l.origin = Origin(l.public)
	var err error
	if l.signer, err = newSigner(l.origin, private); err != nil {
		return nil, err
	}
	return l, disk.MkdirAll(dir)
}

func (l *Log) path(name string) string { return filepath.Join(l.dir, name) }

// load reads checkpoints and records and makes the tree.
func (l *Log) load() error {
	if err := l.loadPoints(); err != nil {
		return err
	}
	cache, err := os.ReadFile(l.path("leaves"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	log, state, err := openOrCreate(l.disk, l.path("records"), recordSpec(), func(b []byte) error {
		return l.replay(b, cache)
	})
	if err != nil {
		return err
	}
	l.records, l.torn = log, state.Torn.Len > 0
	if len(state.Lost) > 0 || l.size < l.point.Size {
		if err := l.fill(l.point.Size, cache); err != nil { // rot may have taken the last frames
			return err
		}
	}
	if err := l.checkPoint(); err != nil {
		return err
	}
	return l.saveLeaves()
}

func openOrCreate(disk *durable.Disk, path string, spec durable.LogSpec, each func([]byte) error) (*durable.Log, durable.LogState, error) {
	log, state, err := disk.OpenLog(path, spec, each)
	if errors.Is(err, fs.ErrNotExist) {
		log, err = disk.CreateLog(path, spec)
	}
	if errors.Is(err, durable.ErrNotLog) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return log, state, err
}

func (l *Log) loadPoints() error {
	points, _, err := openOrCreate(l.disk, l.path("checkpoints"), pointSpec(), func(b []byte) error {
		c, err := ParseCheckpoint(b, l.public)
		if err != nil {
			return err
		}
		if c.Size >= l.point.Size {
			l.latest, l.point = append([]byte(nil), b...), c
		}
		return nil
	})
	l.points = points
	return err
}

// replay adds the leaves of a frame. Leaves that rot took before it are filled in
// from the cache of hashes.
func (l *Log) replay(b, cache []byte) error {
	first, leaves, err := decodeFrame(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if first < l.size {
		return ErrDamaged
	}
	if err := l.fill(first, cache); err != nil {
		return err
	}
	for _, x := range leaves {
		if err := l.grow(x.hash); err != nil {
			return err
		}
	}
	return nil
}

// fill grows the tree to n leaves from the cache.
func (l *Log) fill(n int64, cache []byte) error {
	if n > int64(len(cache)/tlog.HashSize) && n > l.size {
		return ErrDamaged
	}
	for l.size < n {
		l.lost = append(l.lost, l.size)
		at := l.size * tlog.HashSize
		if err := l.grow(tlog.Hash(cache[at : at+tlog.HashSize])); err != nil {
			return err
		}
	}
	return nil
}

// grow adds one leaf to the tree in memory.
func (l *Log) grow(h tlog.Hash) error {
	more, err := tlog.StoredHashesForRecordHash(l.size, h, l.hashes)
	if err != nil {
		return err
	}
	l.hashes = append(l.hashes, more...)
	l.size++
	return nil
}

// checkPoint compares the tree with the newest checkpoint.
func (l *Log) checkPoint() error {
	if l.latest == nil || l.point.Size == 0 {
		return nil
	}
	root, err := tlog.TreeHash(l.point.Size, l.hashes)
	if err != nil {
		return err
	}
	if root != l.point.Root {
		return ErrInconsistent
	}
	return nil
}

func (l *Log) leafHash(i int64) tlog.Hash { return l.hashes[tlog.StoredHashIndex(0, i)] }

// saveLeaves writes the cache of leaf hashes, which lets the tree outlive rot.
func (l *Log) saveLeaves() error {
	b := make([]byte, 0, l.size*tlog.HashSize)
	for i := range l.size {
		h := l.leafHash(i)
		b = append(b, h[:]...)
	}
	old, err := os.ReadFile(l.path("leaves"))
	if err == nil && string(old) == string(b) {
		return nil
	}
	return l.disk.Replace(l.path("leaves"), b)
}

// PatientTag stands for a patient in records: the same patient has the same tag,
// and nobody without the node's audit key can tell whose it is.
func (l *Log) PatientTag(patientID string) []byte {
	h := hmac.New(sha256.New, l.patient[:])
	h.Write([]byte(patientID))
	return h.Sum(nil)[:16]
}

// PublicKey verifies the log's checkpoints.
func (l *Log) PublicKey() ed25519.PublicKey { return l.public }

// WitnessKey is the key with which this node cosigns checkpoints of others.
func (l *Log) WitnessKey() ed25519.PrivateKey { return l.witness }

// Len is the number of records.
func (l *Log) Len() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size
}

// Append adds records and returns, when they are on the medium, the index of the
// first. All of them are added or none.
func (l *Log) Append(records ...Record) (first int64, err error) {
	leaves := make([]leaf, len(records))
	for i, r := range records {
		b, err := encodeRecord(r)
		if err != nil {
			return 0, err
		}
		data := make([]byte, saltSize, saltSize+len(b))
		_, _ = rand.Read(data) // never fails since Go 1.24
		data = append(data, b...)
		leaves[i] = leaf{data: data, hash: tlog.RecordHash(data)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.records == nil {
		return 0, ErrClosed
	}
	if len(leaves) == 0 {
		return l.size, nil
	}
	first = l.size
	if err := l.records.Append(encodeFrame(first, leaves)); err != nil {
		return 0, fmt.Errorf("audit: %w", err)
	}
	for _, x := range leaves {
		if err := l.grow(x.hash); err != nil {
			return 0, err
		}
	}
	l.cacheLeaves(first, leaves)
	return first, nil
}

// cacheLeaves adds to the cache. A failure costs nothing but the cache.
func (l *Log) cacheLeaves(first int64, leaves []leaf) {
	f, err := l.disk.Open(l.path("leaves"), os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return
	}
	b := make([]byte, 0, len(leaves)*tlog.HashSize)
	for _, x := range leaves {
		b = append(b, x.hash[:]...)
	}
	_, _ = f.WriteAt(b, first*tlog.HashSize)
	_ = f.Close()
}

// Close makes a last checkpoint and closes the log.
func (l *Log) Close() error {
	_, err := l.Checkpoint()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(err, l.close())
}

func (l *Log) close() error {
	var errs []error
	for _, log := range []*durable.Log{l.records, l.points} {
		if log != nil {
			errs = append(errs, log.Close())
		}
	}
	l.records, l.points = nil, nil
	return errors.Join(errs...)
}

// SetAside moves a damaged log out of the way, into a folder with this name
// beside it, so that a new one begins. Its checkpoints, seen by others, stay
// proof of what it was.
func SetAside(dir, name string) error {
	to := filepath.Join(dir, name)
	var disk *durable.Disk
	if err := disk.MkdirAll(to); err != nil {
		return fmt.Errorf("set audit log aside: %w", err)
	}
	for _, file := range []string{"records", "leaves", "checkpoints"} {
		if err := os.Rename(filepath.Join(dir, file), filepath.Join(to, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set audit log aside: %w", err)
		}
	}
	return errors.Join(disk.SyncDir(to), disk.SyncDir(dir))
}
