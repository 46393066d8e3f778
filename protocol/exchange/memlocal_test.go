package exchange

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// realClock is the time as it is.
type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }
func (realClock) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

// memItem is an entry as the tests see it: what the exchange needs to know, in the
// clear. The exchange itself never looks inside.
//
//	thread 32 || device 32 || chain 1 || seq 8 || parent 32 || text
type memItem struct {
	thread ledger.ThreadID
	row    ledger.Row
	id     [32]byte
	parent [32]byte // zero: none
	bytes  []byte
}

func parseMemItem(b []byte) (memItem, bool) {
	if len(b) < 32+32+1+8+32 {
		return memItem{}, false
	}
	it := memItem{bytes: b, id: wire.Hash("entry", b)}
	copy(it.thread[:], b)
	copy(it.row.Device[:], b[32:])
	it.row.Chain = ledger.Chain(b[64])
	it.row.Seq = binary.BigEndian.Uint64(b[65:])
	copy(it.row.Entry[:], it.id[:])
	copy(it.parent[:], b[73:])
	return it, true
}

func makeMemItem(t ledger.ThreadID, d identity.DeviceID, chain byte, seq uint64, parent [32]byte, text string) []byte {
	b := append(append([]byte{}, t[:]...), d[:]...)
	b = append(b, chain)
	b = binary.BigEndian.AppendUint64(b, seq)
	return append(append(b, parent[:]...), text...)
}

// memThread is a set of items closed under parents, in order of arrival.
type memThread struct {
	items   []memItem
	have    map[[32]byte]bool
	members []identity.DeviceID
}

// memBlob is a blob in memory.
type memBlob struct {
	thread ledger.ThreadID
	data   []byte
	leaves [][32]byte
}

// memLocal is a Local in memory, with opaque items for entries.
type memLocal struct {
	tb       testing.TB
	device   *identity.Device
	contacts []identity.DeviceID
	keys     map[identity.DeviceID][]byte
	records  [][]byte
	invites  map[string]string // Join to Accept
	onStore  func()            // after a blob is whole
	onChange func(ledger.ThreadID)

	mu      sync.Mutex // guards all below
	threads map[ledger.ThreadID]*memThread
	blobs   map[blob.ID]*memBlob
	partial map[blob.ID][]byte
	plan    *Plan
	learned [][]byte
	dropped map[Reason]int
	got     int            // range bytes stored
	stored  map[string]int // range to times stored
	haves   []Have
	serveIs func(Want) error
	spoil   func(Want, []byte)
}

func newMemLocal(tb testing.TB) *memLocal {
	tb.Helper()
	person := identity.NewRoot()
	d := identity.NewDevice(person.ID(), wire.NewSecret())
	l := &memLocal{
		tb: tb, device: d, keys: map[identity.DeviceID][]byte{}, invites: map[string]string{},
		threads: map[ledger.ThreadID]*memThread{}, blobs: map[blob.ID]*memBlob{}, partial: map[blob.ID][]byte{},
		plan: NewPlan(), dropped: map[Reason]int{}, stored: map[string]int{},
		onStore: func() {}, onChange: func(ledger.ThreadID) {},
	}
	cert, err := person.CertifyDevice(d.Public(), "", 1, nil, 1)
	if err != nil {
		tb.Fatal(err)
	}
	l.records = [][]byte{person.Person().Encode(), cert}
	return l
}

// befriend makes two locals contacts of each other.
func befriend(a, b *memLocal) {
	a.meet(b)
	b.meet(a)
}

func (l *memLocal) meet(o *memLocal) {
	pub := o.device.Public()
	l.keys[o.device.ID()] = pub.Ed25519[:]
	l.contacts = append(l.contacts, o.device.ID())
}

func (l *memLocal) Provers() []*identity.Device {
	if l.device == nil {
		return nil
	}
	return []*identity.Device{l.device}
}

func (l *memLocal) Key(d identity.DeviceID) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.keys[d]
	return k, ok
}

func (l *memLocal) Known(ds []identity.DeviceID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range ds {
		if slices.Contains(l.contacts, d) {
			return true
		}
		for _, t := range l.threads {
			if slices.Contains(t.members, d) {
				return true
			}
		}
	}
	return false
}

func (l *memLocal) Greet(Peer) [][]byte { return l.records }

func (l *memLocal) Learn(_ Peer, records [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		l.learned = append(l.learned, bytes.Clone(r))
	}
}

var errNoInvite = errors.New("no such invite")

func (l *memLocal) Join(join []byte) ([]byte, error) {
	if a, ok := l.invites[string(join)]; ok {
		return []byte(a), nil
	}
	return nil, errNoInvite
}

func (l *memLocal) mayShare(p Peer, t *memThread) bool {
	return slices.ContainsFunc(t.members, func(d identity.DeviceID) bool { return slices.Contains(p.Devices, d) })
}

func (l *memLocal) Shared(p Peer) (shared, withheld []ledger.ThreadID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, t := range l.threads {
		if l.mayShare(p, t) {
			shared = append(shared, id)
		} else {
			withheld = append(withheld, id)
		}
	}
	return shared, withheld
}

// Rows are the heads: items that no other item of their chain follows.
func (l *memLocal) Rows(id ledger.ThreadID) []ledger.Row {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.threads[id]
	if t == nil {
		return nil
	}
	heads := map[chainKey]ledger.Row{}
	for _, it := range t.items {
		k := chainKey{it.row.Device, it.row.Chain}
		if it.row.Seq > heads[k].Seq {
			heads[k] = it.row
		}
	}
	var rows []ledger.Row
	for _, r := range heads {
		rows = append(rows, r)
	}
	sortRows(rows)
	return rows
}

func (l *memLocal) Missing(id ledger.ThreadID, theirs []ledger.Row) [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.threads[id]
	if t == nil {
		return nil
	}
	has := map[chainKey]uint64{}
	for _, r := range theirs {
		k := chainKey{r.Device, r.Chain}
		has[k] = max(has[k], r.Seq)
	}
	var out [][]byte
	for _, it := range t.items {
		if it.row.Seq > has[chainKey{it.row.Device, it.row.Chain}] {
			out = append(out, it.bytes)
		}
	}
	return out
}

func (l *memLocal) Receive(p Peer, id *ledger.ThreadID, items [][]byte) Received {
	var got Received
	var changed []ledger.ThreadID
	l.mu.Lock()
	for _, b := range items {
		it, ok := parseMemItem(bytes.Clone(b))
		if !ok || (id != nil && it.thread != *id) {
			got.Bad++
			continue
		}
		t := l.threads[it.thread]
		if t == nil {
			if it.parent != ([32]byte{}) {
				got.Bad++
				continue
			}
			t = &memThread{have: map[[32]byte]bool{}, members: append([]identity.DeviceID{l.device.ID()}, p.Devices...)}
			l.threads[it.thread] = t
		}
		got.Thread, got.Known = it.thread, true
		switch {
		case t.have[it.id]:
			got.Rows = append(got.Rows, it.row)
		case it.parent != ([32]byte{}) && !t.have[it.parent]:
			if got.Need == nil {
				got.Need = &ledger.Need{}
			}
			got.Need.Entries = append(got.Need.Entries, it.parent)
		default:
			t.have[it.id] = true
			t.items = append(t.items, it)
			got.Rows = append(got.Rows, it.row)
			changed = append(changed, it.thread)
		}
	}
	if id != nil {
		got.Thread, got.Known = *id, true
	}
	l.mu.Unlock()
	for _, t := range slices.Compact(changed) {
		l.onChange(t)
	}
	return got
}

func (l *memLocal) Answer(_ Peer, id ledger.ThreadID, need ledger.Need) [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out [][]byte
	for _, it := range l.threads[id].items {
		if slices.ContainsFunc(need.Entries, func(e ledger.EntryID) bool { return e == ledger.EntryID(it.id) }) {
			out = append(out, it.bytes)
		}
	}
	return out
}

func (l *memLocal) Haves(Peer, ledger.ThreadID) []Have {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.haves
}

func (l *memLocal) PeerHas(p Peer, _ ledger.ThreadID, _ Have) { l.plan.Again(p.ID) }

func (l *memLocal) Wants(p Peer, ask Ask) []Want {
	return l.plan.Wants(p, func(id ledger.ThreadID) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		t := l.threads[id]
		return t != nil && l.mayShare(p, t)
	}, ask)
}

func (l *memLocal) Serve(p Peer, w Want, buf []byte) ([]byte, [][32]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.serveIs != nil {
		if err := l.serveIs(w); err != nil {
			return nil, nil, err
		}
	}
	b, ok := l.blobs[w.Blob]
	if !ok {
		return nil, nil, ErrAbsent
	}
	if t := l.threads[b.thread]; t == nil || !l.mayShare(p, t) {
		return nil, nil, ErrNotAllowed
	}
	off, n := blob.RangeSpan(uint64(len(b.data)), w.First, w.First+w.N)
	data := buf[:copy(buf, b.data[off:off+n])]
	if l.spoil != nil {
		l.spoil(w, data)
	}
	return data, blob.Prove(b.leaves, w.First, w.First+w.N), nil
}

func (l *memLocal) Store(_ Peer, w Want, data []byte, _ [][32]byte) error {
	l.mu.Lock()
	buf, ok := l.partial[w.Blob]
	if !ok {
		buf = make([]byte, w.Length)
		l.partial[w.Blob] = buf
	}
	off, _ := blob.LeafSpan(w.Length, w.First)
	copy(buf[off:], data)
	l.got += len(data)
	l.stored[w.Blob.String()+string(rune(w.First))]++
	l.mu.Unlock()
	if !l.plan.Stored(w) {
		return nil
	}
	l.mu.Lock()
	l.blobs[w.Blob] = &memBlob{data: buf, leaves: blob.Leaves(buf)}
	delete(l.partial, w.Blob)
	l.mu.Unlock()
	l.onStore()
	return nil
}

func (l *memLocal) Dropped(p Peer, ws []Want, why Reason) {
	l.mu.Lock()
	l.dropped[why] += len(ws)
	l.mu.Unlock()
	l.plan.Dropped(p, ws, why)
}

// found starts a thread here with members.
func (l *memLocal) found(name string, members ...*memLocal) ledger.ThreadID {
	id := ledger.ThreadID(wire.Hash("test-thread", []byte(name)))
	t := &memThread{have: map[[32]byte]bool{}, members: []identity.DeviceID{l.device.ID()}}
	for _, m := range members {
		t.members = append(t.members, m.device.ID())
	}
	l.mu.Lock()
	l.threads[id] = t
	l.mu.Unlock()
	l.say(id, "first")
	return id
}

// say appends an item of this device's, after everything here.
func (l *memLocal) say(id ledger.ThreadID, text string) {
	l.mu.Lock()
	t := l.threads[id]
	var parent [32]byte
	var seq uint64
	for _, it := range t.items {
		parent = it.id
		if d := l.device.ID(); it.row.Device == [16]byte(d[:16]) {
			seq = max(seq, it.row.Seq)
		}
	}
	it, _ := parseMemItem(makeMemItem(id, l.device.ID(), 2, seq+1, parent, text))
	t.items = append(t.items, it)
	t.have[it.id] = true
	l.mu.Unlock()
	l.onChange(id)
}

func (l *memLocal) count(id ledger.ThreadID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.threads[id]; t != nil {
		return len(t.items)
	}
	return 0
}

// offer puts a blob of n plain bytes into a thread. Its content is noise.
func (l *memLocal) offer(id ledger.ThreadID, seed byte, n uint64) (blob.ID, uint64) {
	data := make([]byte, blob.SealedLen(n))
	x := uint32(seed)*2654435761 + 1
	for i := 0; i+4 <= len(data); i += 4 {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		binary.LittleEndian.PutUint32(data[i:], x)
	}
	leaves := blob.Leaves(data)
	bid := blob.IDOf(uint64(len(data)), leaves)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blobs[bid] = &memBlob{thread: id, data: data, leaves: leaves}
	return bid, uint64(len(data))
}

func (l *memLocal) holds(id blob.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.blobs[id]
	return ok
}
