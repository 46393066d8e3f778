// Package mailbox keeps the boxes of protocol/mailbox on disk.
//
//	boxes/<BoxID hex>/box        who opened it, its deposit secret, when its owner came last
//	boxes/<BoxID hex>/<cursor>   one item: u64 at_ms || depositor 8 || SHA-256[:16] || item
//	boxes/<BoxID hex>/blobs      which blobs the box has
//	blobs/                       the blobs of all boxes (storage/blobs)
//
// Every file is written whole, synced and renamed; a file that is deleted is gone, with
// nothing to compact. What is in an item nobody here can read: what the disk shows is which
// node opened a box, sizes, times, and which items came from one depositor.
//
// A Store is safe for concurrent use. One box's disk keeps no other box waiting.
package mailbox

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/blobs"
	"github.com/curbside-p2p/curbside/storage/durable"
)

const (
	boxFile   = "box"
	blobsFile = "blobs"
	headSize  = 8 + 8 + 16
	cursorLen = 16 // hex digits
)

// Store is an open folder of boxes.
type Store struct {
	dir    string
	disk   *durable.Disk
	limits Limits
	now    func() time.Time
	blobs  *blobs.Store

	mu     sync.Mutex // guards all below; held for no disk but where a box begins or ends
	boxes  map[mailbox.BoxID]*box
	owners map[mailbox.BoxID]identity.PeerID
	bytes  int64             // of items
	refs   map[blob.ID]int   // boxes that have a blob
	length map[blob.ID]int64 // of those
	study  int64             // their sum
}

// box is one box. Its mutex is taken before the store's.
type box struct {
	id  mailbox.BoxID
	dir string

	mu    sync.Mutex // guards all below
	gone  bool
	head  boxHead
	items []meta // by cursor
	bytes int64
	next  uint64
	blobs map[blob.ID]blobRow
}

type boxHead struct {
	Public  [32]byte    `cbor:"1,keyasint"`
	Deposit wire.Secret `cbor:"2,keyasint"`
	Owner   []byte      `cbor:"3,keyasint"` // PeerID
	SeenMS  int64       `cbor:"4,keyasint"`
}

type blobRow struct {
	_      struct{} `cbor:",toarray"`
	ID     blob.ID
	Length uint64
	AtMS   int64
	By     [8]byte
}

// meta is what is in memory of an item.
type meta struct {
	cursor uint64
	size   int64
	atMS   int64
	by     [8]byte
	sum    [16]byte
}

var _ mailbox.Store = (*Store)(nil)

// Open opens the store in dir and makes it if need be.
func Open(dir string, limits Limits, now func() time.Time) (*Store, error) {
	return OpenOn(nil, dir, limits, now)
}

// OpenOn is Open on a disk with faults, for tests.
func OpenOn(disk *durable.Disk, dir string, limits Limits, now func() time.Time) (*Store, error) {
	s := &Store{
		dir: dir, disk: disk, limits: limits.filled(), now: now,
		boxes: map[mailbox.BoxID]*box{}, owners: map[mailbox.BoxID]identity.PeerID{}, refs: map[blob.ID]int{}, length: map[blob.ID]int64{},
	}
	if err := disk.MkdirAll(filepath.Join(dir, "boxes")); err != nil {
		return nil, fmt.Errorf("open mailbox: %w", err)
	}
	var err error
	if s.blobs, err = blobs.OpenOn(disk, filepath.Join(dir, "blobs")); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open mailbox: %w", err), s.blobs.Close())
	}
	return s, nil
}

// Close makes everything durable.
func (s *Store) Close() error { return s.blobs.Close() }

func (s *Store) nowMS() int64 { return s.now().UnixMilli() }

// load reads what each box has.
func (s *Store) load() error {
	entries, err := os.ReadDir(filepath.Join(s.dir, "boxes"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		raw, err := hex.DecodeString(e.Name())
		if err != nil || len(raw) != len(mailbox.BoxID{}) {
			continue
		}
		b := s.newBox(mailbox.BoxID(raw))
		if err := s.loadBox(b); err != nil {
			_ = os.RemoveAll(b.dir) // it never came to be
			continue
		}
		s.boxes[b.id], s.owners[b.id] = b, identity.PeerID(b.head.Owner)
		s.bytes += b.bytes
		for id, r := range b.blobs {
			s.hold(id, int64(r.Length))
		}
	}
	_, _, err = s.blobs.Sweep(func(id blob.ID) bool { return s.refs[id] > 0 })
	return err
}

func (s *Store) newBox(id mailbox.BoxID) *box {
	return &box{id: id, dir: filepath.Join(s.dir, "boxes", hex.EncodeToString(id[:])), next: 1, blobs: map[blob.ID]blobRow{}}
}

func (s *Store) loadBox(b *box) error {
	raw, err := durable.ReadLimited(filepath.Join(b.dir, boxFile), boxFileMax)
	if err != nil {
		return err
	}
	if err := wire.Unmarshal(raw, &b.head); err != nil {
		return err
	}
	if raw, err := durable.ReadLimited(filepath.Join(b.dir, blobsFile), boxFileMax); err == nil {
		var rows []blobRow
		if wire.UnmarshalLimit(raw, &rows, blobsMax) == nil {
			for _, r := range rows {
				b.blobs[r.ID] = r
			}
		}
	}
	entries, err := os.ReadDir(b.dir) // sorted, as cursors have one length
	if err != nil {
		return err
	}
	for _, e := range entries {
		cursor, err := strconv.ParseUint(e.Name(), 16, 64)
		if err != nil || len(e.Name()) != cursorLen {
			if filepath.Ext(e.Name()) == durable.TempSuffix {
				_ = os.Remove(filepath.Join(b.dir, e.Name()))
			}
			continue
		}
		m, _, err := readItem(b.path(cursor), false)
		if err != nil {
			_ = os.Remove(b.path(cursor))
			continue
		}
		m.cursor = cursor
		b.add(m)
	}
	return nil
}

func (b *box) add(m meta) {
	b.items = append(b.items, m)
	b.bytes += m.size
	b.next = m.cursor + 1
}

func (b *box) path(cursor uint64) string { return filepath.Join(b.dir, fmt.Sprintf("%016x", cursor)) }

// readItem reads an item, or its head alone.
func readItem(path string, whole bool) (m meta, item []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return m, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return m, nil, err
	}
	m.size = info.Size() - headSize
	if m.size <= 0 || m.size > mailbox.ItemMax {
		return m, nil, durable.ErrTooLong
	}
	n := int64(headSize)
	if whole {
		n += m.size
	}
	raw := make([]byte, n)
	if _, err := f.ReadAt(raw, 0); err != nil {
		return m, nil, err
	}
	m.atMS = int64(binary.BigEndian.Uint64(raw))
	copy(m.by[:], raw[8:])
	copy(m.sum[:], raw[16:])
	return m, raw[headSize:], nil
}

// get gives a box, with its mutex held.
func (s *Store) get(id mailbox.BoxID) (*box, error) {
	s.mu.Lock()
	b := s.boxes[id]
	s.mu.Unlock()
	if b == nil {
		return nil, mailbox.ErrAbsent
	}
	b.mu.Lock()
	if b.gone {
		b.mu.Unlock()
		return nil, mailbox.ErrAbsent
	}
	return b, nil
}

// Open makes a box or renews it. The deposit secret of the last time counts.
func (s *Store) Open(owner identity.PeerID, public [32]byte, deposit wire.Secret) error {
	id := mailbox.BoxIDOf(public)
	if err := s.make(id, owner); err != nil {
		return err
	}
	b, err := s.get(id)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	b.head = boxHead{Public: public, Deposit: deposit, Owner: []byte(owner), SeenMS: s.nowMS()}
	if err := s.writeHead(b); err != nil {
		if len(b.items) == 0 && len(b.blobs) == 0 {
			s.drop(b) // else it would be there until the next start only
		}
		return fmt.Errorf("%w: %w", mailbox.ErrFailed, err)
	}
	return nil
}

// make makes a box in memory and its folder, within the quotas, unless it is there.
func (s *Store) make(id mailbox.BoxID, owner identity.PeerID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.boxes[id] != nil {
		return nil
	}
	own := 0
	for _, o := range s.owners {
		if o == owner {
			own++
		}
	}
	if len(s.boxes) >= s.limits.Boxes || own >= s.limits.BoxesPerPeer {
		return mailbox.ErrFull
	}
	b := s.newBox(id)
	if err := s.disk.MkdirAll(b.dir); err != nil {
		return fmt.Errorf("%w: %w", mailbox.ErrFailed, err)
	}
	s.boxes[id], s.owners[id] = b, owner
	return nil
}

func (s *Store) writeHead(b *box) error {
	return s.disk.Replace(filepath.Join(b.dir, boxFile), wire.MustMarshal(b.head))
}

// drop ends a box. Call with its mutex.
func (s *Store) drop(b *box) {
	b.gone = true
	s.remove(b, len(b.items))
	for id := range b.blobs {
		s.release(id)
	}
	s.mu.Lock()
	delete(s.boxes, b.id)
	delete(s.owners, b.id)
	s.mu.Unlock()
	_ = os.RemoveAll(b.dir)
}

// Touch says that the owner came. It is kept to the hour: a write each time helps nobody.
func (s *Store) Touch(id mailbox.BoxID) error {
	b, err := s.get(id)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	if now := s.nowMS(); now-b.head.SeenMS > time.Hour.Milliseconds() {
		b.head.SeenMS = now
		if err := s.writeHead(b); err != nil {
			return fmt.Errorf("%w: %w", mailbox.ErrFailed, err)
		}
	}
	return nil
}

// Secret is the deposit secret of a box.
func (s *Store) Secret(id mailbox.BoxID) (wire.Secret, bool) {
	b, err := s.get(id)
	if err != nil {
		return wire.Secret{}, false
	}
	defer b.mu.Unlock()
	return b.head.Deposit, true
}

// nameOf is what an item says of its depositor: enough to count what is theirs.
func nameOf(p identity.PeerID) (by [8]byte) {
	h := wire.Hash("mailbox/depositor", []byte(p))
	copy(by[:], h[:])
	return by
}

// Put keeps an item once.
func (s *Store) Put(id mailbox.BoxID, from identity.PeerID, item []byte) error {
	if len(item) == 0 || len(item) > mailbox.ItemMax {
		return mailbox.ErrTooLong
	}
	b, err := s.get(id)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	s.expire(b) // first, or what has waited too long would pass for what comes again
	sum := sha256.Sum256(item)
	m := meta{cursor: b.next, size: int64(len(item)), atMS: s.nowMS(), by: nameOf(from), sum: [16]byte(sum[:16])}
	if slices.ContainsFunc(b.items, func(o meta) bool { return o.sum == m.sum }) {
		return nil
	}
	if err := s.room(b, m); err != nil {
		return err
	}
	raw := binary.BigEndian.AppendUint64(make([]byte, 0, headSize+len(item)), uint64(m.atMS))
	raw = append(append(append(raw, m.by[:]...), m.sum[:]...), item...)
	if err := s.disk.Replace(b.path(m.cursor), raw); err != nil {
		s.spend(-m.size)
		return fmt.Errorf("%w: %w", mailbox.ErrFailed, err)
	}
	b.add(m)
	return nil
}

// room takes what an item needs of the quotas, or says that it is not there.
func (s *Store) room(b *box, m meta) error {
	theirs := int64(0)
	for _, o := range b.items {
		if o.by == m.by {
			theirs += o.size
		}
	}
	switch {
	case len(b.items) >= mailbox.ItemsMax, b.bytes+m.size > mailbox.BoxMax, theirs+m.size > mailbox.DepositorMax:
		return mailbox.ErrFull
	case !s.spend(m.size):
		return mailbox.ErrFull
	}
	return nil
}

// spend takes bytes from what all items may take, or gives them back.
func (s *Store) spend(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && s.bytes+n > s.limits.ItemBytes {
		return false
	}
	s.bytes += n
	return true
}

// Items gives items with cursors above after.
func (s *Store) Items(id mailbox.BoxID, after uint64, maxBytes int) ([]mailbox.Item, bool, error) {
	b, err := s.get(id)
	if err != nil {
		return nil, false, err
	}
	defer b.mu.Unlock()
	s.expire(b)
	var out []mailbox.Item
	total := 0
	from, _ := slices.BinarySearchFunc(b.items, after+1, func(m meta, c uint64) int { return cmp.Compare(m.cursor, c) })
	for _, m := range b.items[from:] {
		if len(out) > 0 && total+int(m.size) > maxBytes {
			return out, true, nil
		}
		_, item, err := readItem(b.path(m.cursor), true)
		if err != nil && len(out) > 0 {
			return out, true, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("%w: %w", mailbox.ErrFailed, err)
		}
		if sum := sha256.Sum256(item); [16]byte(sum[:16]) != m.sum {
			continue // rot: Check reports it, and whoever sent it sends it again
		}
		out = append(out, mailbox.Item{Cursor: m.cursor, Item: item})
		total += len(item)
	}
	return out, false, nil
}

// Acknowledge deletes items up to a cursor.
func (s *Store) Acknowledge(id mailbox.BoxID, cursor uint64) error {
	b, err := s.get(id)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	n := 0
	for n < len(b.items) && b.items[n].cursor <= cursor {
		n++
	}
	s.remove(b, n)
	return nil
}

// remove deletes the first n items. It is not synced: what comes back after a crash is
// collected again and known. Call with the box's mutex.
func (s *Store) remove(b *box, n int) {
	freed := int64(0)
	for _, m := range b.items[:n] {
		if err := os.Remove(b.path(m.cursor)); err == nil || errors.Is(err, fs.ErrNotExist) {
			freed += m.size
		}
	}
	b.items = slices.Delete(b.items, 0, n)
	b.bytes -= freed
	s.spend(-freed)
}

// expire drops what has waited too long. Call with the box's mutex.
func (s *Store) expire(b *box) {
	limit := s.nowMS() - mailbox.ItemAge.Milliseconds()
	n := 0
	for n < len(b.items) && b.items[n].atMS < limit {
		n++
	}
	s.remove(b, n)
	s.expireBlobs(b)
}

// Sweep drops what has waited too long, and boxes whose owner does not come any more. It is
// to be called now and then.
func (s *Store) Sweep() {
	limit := s.nowMS() - mailbox.BoxAge.Milliseconds()
	for _, b := range s.all() {
		b.mu.Lock()
		switch {
		case b.gone:
		case b.head.SeenMS < limit:
			s.drop(b)
		default:
			s.expire(b)
		}
		b.mu.Unlock()
	}
}

// all lists the boxes of the moment.
func (s *Store) all() []*box {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.boxes))
}

// Usage is what a mailbox holds.
type Usage struct {
	Boxes, Items, Blobs   int
	ItemBytes, StudyBytes int64
}

// Usage counts what is held.
func (s *Store) Usage() Usage {
	s.mu.Lock()
	u := Usage{Boxes: len(s.boxes), Blobs: len(s.refs), ItemBytes: s.bytes, StudyBytes: s.study}
	s.mu.Unlock()
	for _, b := range s.all() {
		b.mu.Lock()
		u.Items += len(b.items)
		b.mu.Unlock()
	}
	return u
}

// Check reads every item again and reports those that are not what came.
func (s *Store) Check(report func(id mailbox.BoxID, cursor uint64)) {
	for _, b := range s.all() {
		b.mu.Lock()
		for _, m := range b.items {
			_, item, err := readItem(b.path(m.cursor), true)
			if sum := sha256.Sum256(item); err != nil || [16]byte(sum[:16]) != m.sum {
				report(b.id, m.cursor)
			}
		}
		b.mu.Unlock()
	}
}
