package blobs

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"sync"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/storage/durable"
)

// Partial is a blob that arrives in ranges of leaves, in any order, from any
// number of writers at once. What Write took is on the medium after the next
// group sync, at the latest with Flush; when the last leaf is, the blob becomes
// whole. After a crash what was synced is still here and the rest is missing.
type Partial struct {
	s      *Store
	id     blob.ID
	length uint64
	path   string

	files sync.RWMutex // held for reading while data is written to, for writing to close it

	mu      sync.Mutex // guards what follows
	have    bitmap     // written
	safe    bitmap     // written and synced
	fresh   []run      // written, not yet synced
	data    *durable.File
	created bool // names in the folder may not be synced
	whole   bool
	gone    bool
}

// run is the leaf hashes of some leaves in a row.
type run struct {
	first  int
	leaves [][32]byte
}

// Span is a run of leaves.
type Span struct{ First, N int }

var (
	errGone   = errors.New("blob was removed")
	errLength = errors.New("blob is here with another length")
)

// Partial opens a blob of the given sealed length for writing, with the leaves
// that are here already. There is one Partial for a blob at any time. Nothing is
// created on disk before the first Write.
func (s *Store) Partial(id blob.ID, length uint64) (*Partial, error) {
	if err := checkLength(length); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.parts[id]; p != nil {
		if p.length == length {
			return p, nil
		}
		if have, _ := p.Progress(); have > 0 {
			return nil, fmt.Errorf("blob %s: %w", id, errLength)
		}
	}
	p := &Partial{s: s, id: id, length: length, path: s.path(id)}
	if err := p.load(); err != nil {
		return nil, fmt.Errorf("resume blob %s: %w", id, err)
	}
	if !p.whole {
		s.parts[id] = p
	}
	return p, nil
}

// openPartial returns the Partial of a blob that was begun, nil if none was.
func (s *Store) openPartial(id blob.ID) *Partial {
	s.mu.Lock()
	p := s.parts[id]
	s.mu.Unlock()
	if p != nil {
		return p
	}
	info, err := os.Stat(s.path(id) + partSuffix)
	if err != nil {
		return nil
	}
	p, err = s.Partial(id, uint64(info.Size()))
	if err != nil {
		return nil
	}
	return p
}

// load finds out which leaves are on the medium.
func (p *Partial) load() error {
	count := blob.LeafCount(p.length)
	p.have, p.safe = newBitmap(count), newBitmap(count)
	if size, ok := p.s.Size(p.id); ok {
		if size != p.length {
			return errLength
		}
		p.whole = true
		return nil
	}
	info, err := os.Stat(p.path + partSuffix)
	if errors.Is(err, os.ErrNotExist) || err == nil && uint64(info.Size()) != p.length {
		return nil // nothing of this blob; a table without its data says nothing
	}
	if err != nil {
		return err
	}
	leaves, err := readTable(p.path+leavesSuffix, p.length)
	if errors.Is(err, errTable) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range leaves {
		if leaves[i] != ([32]byte{}) {
			p.have.set(i)
			p.safe.set(i)
		}
	}
	return p.complete(leaves)
}

// complete makes a blob whole at start if a crash came after its last leaf was
// synced and before the rename.
func (p *Partial) complete(leaves [][32]byte) error {
	if p.safe.count() < len(leaves) {
		return nil
	}
	if blob.IDOf(p.length, leaves) != p.id {
		p.have, p.safe = newBitmap(len(leaves)), newBitmap(len(leaves))
		return nil
	}
	if err := os.Rename(p.path+partSuffix, p.path); err != nil {
		return err
	}
	p.whole = true
	return p.s.disk.SyncDir(filepath.Dir(p.path))
}

// ID is the name of the blob.
func (p *Partial) ID() blob.ID { return p.id }

// Length is the sealed length of the blob.
func (p *Partial) Length() uint64 { return p.length }

// Write stores leaves from first on, whose bytes and hashes the caller has
// verified against the blob's name. Leaves that are here already are ignored.
func (p *Partial) Write(first int, data []byte, leaves [][32]byte) error {
	if err := checkRange(p.length, first, len(leaves)); err != nil {
		return err
	}
	off, n := blob.RangeSpan(p.length, first, first+len(leaves))
	if int64(len(data)) != n {
		return fmt.Errorf("%d bytes for %d leaves: %w", len(data), len(leaves), errRange)
	}
	if p.Has(first, len(leaves)) {
		return nil
	}
	if err := p.write(off, data, run{first: first, leaves: leaves}); err != nil {
		return fmt.Errorf("write blob %s: %w", p.id, err)
	}
	return p.s.sync.add(p, len(data))
}

func (p *Partial) write(off int64, data []byte, r run) error {
	p.files.RLock()
	defer p.files.RUnlock()
	f, err := p.file()
	if f == nil {
		return err
	}
	if _, err := f.WriteAt(data, off); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fresh = append(p.fresh, r)
	for i := range r.leaves {
		p.have.set(r.first + i)
	}
	return nil
}

// file returns the open data file, nil without an error if the blob is whole.
func (p *Partial) file() (*durable.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil, errGone
	}
	if p.whole || p.data != nil {
		return p.data, nil
	}
	if err := p.s.makeDir(filepath.Dir(p.path)); err != nil {
		return nil, err
	}
	f, err := p.s.disk.Open(p.path+partSuffix, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if p.safe.count() == 0 {
		// Nothing synced yet: what the file or an old table may hold is not ours.
		p.created = true
		err = errors.Join(f.Truncate(int64(p.length)), removeIfThere(p.path+leavesSuffix))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	p.data = f
	return f, nil
}

// Flush makes everything written so far durable, for this and all other blobs.
func (p *Partial) Flush() error { return p.s.Flush() }

// Has reports whether the leaves [first,first+n) are here.
func (p *Partial) Has(first, n int) bool {
	if checkRange(p.length, first, n) != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.whole {
		return true
	}
	for i := first; i < first+n; i++ {
		if !p.have.get(i) {
			return false
		}
	}
	return true
}

// Whole reports whether the blob has become whole and durable.
func (p *Partial) Whole() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.whole
}

// Progress reports how many leaves are here and how many there are.
func (p *Partial) Progress() (have, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	total = blob.LeafCount(p.length)
	if p.whole {
		return total, total
	}
	return p.have.count(), total
}

// Missing returns the leaves that are not here, in rising order, in at most limit
// spans of at most blob.RangeMax leaves.
func (p *Partial) Missing(limit int) []Span {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.whole {
		return nil
	}
	return p.have.missing(blob.LeafCount(p.length), limit)
}

// Bitmap returns a bit for each leaf, the lowest bit of the first byte first.
func (p *Partial) Bitmap() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	total := blob.LeafCount(p.length)
	out := make([]byte, (total+7)/8)
	for i := range total {
		if p.whole || p.have.get(i) {
			out[i/8] |= 1 << (i % 8)
		}
	}
	return out
}

// ReadAt reads sealed bytes that are here; ErrAbsent if a leaf of them is not.
func (p *Partial) ReadAt(b []byte, off int64) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	first, last := leafAt(p.length, off), leafAt(p.length, off+int64(len(b))-1)
	if off < 0 || !p.Has(first, last-first+1) {
		return 0, ErrAbsent
	}
	name := p.path + partSuffix
	if p.Whole() {
		name = p.path
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) { // it became whole just now
		f, err = os.Open(p.path)
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	return f.ReadAt(b, off)
}

// leafAt is the leaf a byte lies in, for bytes inside the blob or just past it.
func leafAt(length uint64, off int64) int {
	if off < blob.HeaderSize {
		return 0
	}
	return min(1+int((off-blob.HeaderSize)/blob.LeafSize), blob.LeafCount(length)-1)
}

// finish notes that the blob is whole by other means.
func (p *Partial) finish() { p.end(func() { p.whole = true }) }

// abandon notes that the blob was removed.
func (p *Partial) abandon() { p.end(func() { p.gone = true }) }

func (p *Partial) end(mark func()) {
	p.files.Lock()
	defer p.files.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	mark()
	p.fresh = nil
	p.closeData()
}

func (p *Partial) closeData() {
	if p.data != nil {
		_ = p.data.Close()
		p.data = nil
	}
}

// bitmap is one bit for each leaf.
type bitmap []uint64

func newBitmap(n int) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bitmap) clear(i int)    { b[i/64] &^= 1 << (i % 64) }
func (b bitmap) get(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b bitmap) count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

func (b bitmap) missing(total, limit int) []Span {
	var out []Span
	for i := 0; i < total && len(out) < limit; i++ {
		if b[i/64] == ^uint64(0) {
			i |= 63 // the loop steps over the rest of a full word
			continue
		}
		if b.get(i) {
			continue
		}
		n := 1
		for n < blob.RangeMax && i+n < total && !b.get(i+n) {
			n++
		}
		out = append(out, Span{First: i, N: n})
		i += n - 1
	}
	return out
}
