// Package exchangetest holds a Local in memory, for tests of what speaks the
// exchange. Its entries are opaque items in the clear, enough to be ordered and
// missed; membership is a list of devices. What a ledger decides is not decided here.
package exchangetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Clock is the time as it is.
type Clock struct{}

// Now is the time.
func (Clock) Now() time.Time { return time.Now() } //nolint:forbidigo // tests go by the real clock, or a bubble's

// AfterFunc is time.AfterFunc.
func (Clock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// item is an entry as the tests see it.
//
//	thread 32 || device 32 || chain 1 || seq 8 || parent 32 || text
type item struct {
	thread ledger.ThreadID
	device identity.DeviceID
	row    ledger.Row
	id     [32]byte
	parent [32]byte // zero: none
	bytes  []byte
}

func parseItem(b []byte) (item, bool) {
	if len(b) < 32+32+1+8+32 {
		return item{}, false
	}
	it := item{bytes: b, id: wire.Hash("entry", b)}
	copy(it.thread[:], b)
	copy(it.device[:], b[32:])
	copy(it.row.Device[:], b[32:])
	it.row.Chain = ledger.Chain(b[64])
	it.row.Seq = binary.BigEndian.Uint64(b[65:])
	copy(it.row.Entry[:], it.id[:])
	copy(it.parent[:], b[73:])
	return it, true
}

func makeItem(t ledger.ThreadID, d identity.DeviceID, seq uint64, parent [32]byte, text string) item {
	b := append(append([]byte{}, t[:]...), d[:]...)
	b = append(b, byte(ledger.Content))
	b = binary.BigEndian.AppendUint64(b, seq)
	it, _ := parseItem(append(append(b, parent[:]...), text...))
	return it
}

// thread is a set of items closed under parents, in order of arrival.
type thread struct {
	items   []item
	have    map[[32]byte]bool
	members []identity.DeviceID
}

func newThread(members ...identity.DeviceID) *thread {
	return &thread{have: map[[32]byte]bool{}, members: members}
}

func (t *thread) add(it item) {
	t.have[it.id] = true
	t.items = append(t.items, it)
}

// last is the highest number of a chain.
func (t *thread) last(k chainKey) (seq uint64) {
	for _, it := range t.items {
		if (chainKey{it.row.Device, it.row.Chain}) == k {
			seq = max(seq, it.row.Seq)
		}
	}
	return seq
}

type sealed struct {
	thread ledger.ThreadID
	data   []byte
	leaves [][32]byte
}

// Local is an exchange.Local in memory, of one person with one device.
type Local struct {
	Device  *identity.Device
	Plan    *exchange.Plan
	Records [][]byte
	Invites map[string]string // Join to Accept

	// Hooks, set before a session starts; Refuse and Spoil act on what is served.
	OnStore  func(blob.ID) // a blob is whole
	OnChange func(ledger.ThreadID)
	Refuse   func(exchange.Want) error
	Spoil    func(exchange.Want, []byte)

	mu       sync.Mutex // guards all below
	contacts []identity.DeviceID
	keys     map[identity.DeviceID][]byte
	threads  map[ledger.ThreadID]*thread
	blobs    map[blob.ID]*sealed
	partial  map[blob.ID][]byte
	learned  int
	dropped  map[exchange.Reason]int
	stored   int
	haves    []exchange.Have
	heard    int
	studies  map[blob.ID]study
}

// study is what a manifest lists: a blob is its own bulk, without heads.
type study struct {
	thread ledger.ThreadID
	blobs  []blob.ID
}

// New makes a person.
func New(tb testing.TB) *Local {
	tb.Helper()
	person := identity.NewRoot()
	d := identity.NewDevice(person.ID(), wire.NewSecret())
	cert, err := person.CertifyDevice(d.Public(), "", 1, nil, 1)
	if err != nil {
		tb.Fatal(err)
	}
	return &Local{
		Device: d, Plan: exchange.NewPlan(), Records: [][]byte{person.Person().Encode(), cert},
		Invites: map[string]string{}, OnStore: func(blob.ID) {}, OnChange: func(ledger.ThreadID) {},
		keys: map[identity.DeviceID][]byte{}, threads: map[ledger.ThreadID]*thread{}, blobs: map[blob.ID]*sealed{},
		partial: map[blob.ID][]byte{}, dropped: map[exchange.Reason]int{}, studies: map[blob.ID]study{},
	}
}

// Befriend makes two persons contacts of each other.
func Befriend(a, b *Local) {
	a.Meet(b)
	b.Meet(a)
}

// Meet makes o a contact.
func (l *Local) Meet(o *Local) {
	pub := o.Device.Public()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys[o.Device.ID()] = pub.Ed25519[:]
	l.contacts = append(l.contacts, o.Device.ID())
}

// Provers implements exchange.Local.
func (l *Local) Provers() []*identity.Device { return []*identity.Device{l.Device} }

// Key implements exchange.Local.
func (l *Local) Key(d identity.DeviceID) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.keys[d]
	return k, ok
}

// Known implements exchange.Local.
func (l *Local) Known(ds []identity.DeviceID) bool {
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

// Greet implements exchange.Local.
func (l *Local) Greet(exchange.Peer) [][]byte { return l.Records }

// Learn implements exchange.Local.
func (l *Local) Learn(_ exchange.Peer, records [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.learned += len(records)
}

var errNoInvite = errors.New("no such invite")

// Join implements exchange.Local.
func (l *Local) Join(join []byte) ([]byte, error) {
	if a, ok := l.Invites[string(join)]; ok {
		return []byte(a), nil
	}
	return nil, errNoInvite
}

func (t *thread) open(p exchange.Peer) bool {
	return slices.ContainsFunc(t.members, func(d identity.DeviceID) bool { return slices.Contains(p.Devices, d) })
}

// Shared implements exchange.Local.
func (l *Local) Shared(p exchange.Peer) (shared, withheld []ledger.ThreadID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, t := range l.threads {
		if t.open(p) {
			shared = append(shared, id)
		} else {
			withheld = append(withheld, id)
		}
	}
	return shared, withheld
}

type chainKey struct {
	device [16]byte
	chain  ledger.Chain
}

// Rows implements exchange.Local.
func (l *Local) Rows(id ledger.ThreadID) []ledger.Row {
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
	rows := make([]ledger.Row, 0, len(heads))
	for _, r := range heads {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b ledger.Row) int { return bytes.Compare(a.Device[:], b.Device[:]) })
	return rows
}

// Missing implements exchange.Local.
func (l *Local) Missing(id ledger.ThreadID, theirs []ledger.Row) [][]byte {
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

// Receive implements exchange.Local. A thread brought is taken from anybody.
func (l *Local) Receive(p exchange.Peer, id *ledger.ThreadID, items [][]byte) exchange.Received {
	var got exchange.Received
	changed := false
	l.mu.Lock()
	for _, b := range items {
		it, ok := parseItem(bytes.Clone(b))
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
			t = newThread(append([]identity.DeviceID{l.Device.ID()}, p.Devices...)...)
			l.threads[it.thread] = t
		}
		got.Thread, got.Known = it.thread, true
		switch {
		case t.have[it.id]:
			got.Rows = append(got.Rows, it.row)
		case it.parent != ([32]byte{}) && !t.have[it.parent]:
			need(&got).Entries = append(need(&got).Entries, it.parent)
		case it.row.Seq > t.last(chainKey{it.row.Device, it.row.Chain})+1:
			from := t.last(chainKey{it.row.Device, it.row.Chain}) + 1
			need(&got).Chains = append(need(&got).Chains, ledger.ChainNeed{Device: it.device, Chain: it.row.Chain, From: from})
		default:
			t.add(it)
			got.Rows = append(got.Rows, it.row)
			changed = true
		}
	}
	if id != nil {
		got.Thread, got.Known = *id, true
	}
	l.mu.Unlock()
	if changed {
		l.OnChange(got.Thread)
	}
	return got
}

func need(r *exchange.Received) *ledger.Need {
	if r.Need == nil {
		r.Need = &ledger.Need{}
	}
	return r.Need
}

// Answer implements exchange.Local.
func (l *Local) Answer(_ exchange.Peer, id ledger.ThreadID, need ledger.Need) [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out [][]byte
	t := l.threads[id]
	if t == nil {
		return nil
	}
	for _, it := range t.items {
		if slices.Contains(need.Entries, ledger.EntryID(it.id)) || slices.ContainsFunc(need.Chains, func(c ledger.ChainNeed) bool {
			return c.Device == it.device && c.Chain == it.row.Chain && it.row.Seq >= c.From
		}) {
			out = append(out, it.bytes)
		}
	}
	return out
}

// Haves implements exchange.Local.
func (l *Local) Haves(_ exchange.Peer, t ledger.ThreadID) []exchange.Have {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.haves)
	for m, s := range l.studies {
		if s.thread != t {
			continue
		}
		bits := make([]byte, (1+2*len(s.blobs)+7)/8)
		for i, id := range s.blobs {
			if _, ok := l.blobs[id]; ok {
				bits[(2+2*i)/8] |= 0x80 >> ((2 + 2*i) % 8)
			}
		}
		out = append(out, exchange.Have{Manifest: m, Bitmap: bits})
	}
	return out
}

// List says that a manifest lists blobs; those that are not here are wanted.
func (l *Local) List(t ledger.ThreadID, manifest blob.ID, blobs []blob.ID, lengths []uint64) {
	l.mu.Lock()
	l.studies[manifest] = study{t, blobs}
	l.mu.Unlock()
	for i, id := range blobs {
		if !l.Has(id) {
			l.Plan.Add(exchange.Goal{
				Thread: t, Blob: id, Length: lengths[i], Priority: 3, Order: uint64(i),
				Manifest: manifest, Bit: 2 + 2*i, Of: len(blobs),
			})
		}
	}
}

// listedIn is the thread whose study lists a blob. Call with mu.
func (l *Local) listedIn(id blob.ID) ledger.ThreadID {
	for _, s := range l.studies {
		if slices.Contains(s.blobs, id) {
			return s.thread
		}
	}
	return ledger.ThreadID{}
}

// PeerHas implements exchange.Local.
func (l *Local) PeerHas(p exchange.Peer, _ ledger.ThreadID, h exchange.Have) {
	l.mu.Lock()
	l.heard++
	l.mu.Unlock()
	l.Plan.Heard(p, h, time.Now()) //nolint:forbidigo // as Clock
}

// Unwanted implements exchange.Local.
func (l *Local) Unwanted(p exchange.Peer) []exchange.Want { return l.Plan.Unwanted(p.ID) }

// Wants implements exchange.Local.
func (l *Local) Wants(p exchange.Peer, ask exchange.Ask) []exchange.Want {
	return l.Plan.Wants(p, func(id ledger.ThreadID) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		t := l.threads[id]
		return t != nil && t.open(p)
	}, ask)
}

// Serve implements exchange.Local.
func (l *Local) Serve(p exchange.Peer, w exchange.Want, buf []byte) ([]byte, [][32]byte, error) {
	if l.Refuse != nil {
		if err := l.Refuse(w); err != nil {
			return nil, nil, err
		}
	}
	l.mu.Lock()
	b, ok := l.blobs[w.Blob]
	var t *thread
	if ok {
		t = l.threads[b.thread]
	}
	l.mu.Unlock()
	if !ok || w.Length != uint64(len(b.data)) {
		return nil, nil, exchange.ErrAbsent
	}
	if t == nil || !t.open(p) {
		return nil, nil, exchange.ErrNotAllowed
	}
	off, n := blob.RangeSpan(w.Length, w.First, w.First+w.N)
	data := buf[:copy(buf, b.data[off:off+n])]
	if l.Spoil != nil {
		l.Spoil(w, data)
	}
	return data, blob.Prove(b.leaves, w.First, w.First+w.N), nil
}

// Store implements exchange.Local.
func (l *Local) Store(p exchange.Peer, w exchange.Want, data []byte, _ [][32]byte) error {
	l.mu.Lock()
	buf, ok := l.partial[w.Blob]
	if !ok {
		buf = make([]byte, w.Length)
		l.partial[w.Blob] = buf
	}
	l.stored += len(data)
	l.mu.Unlock()
	off, _ := blob.LeafSpan(w.Length, w.First)
	copy(buf[off:], data) // ranges do not overlap
	if !l.Plan.Stored(p.ID, w) {
		return nil
	}
	l.mu.Lock()
	l.blobs[w.Blob] = &sealed{thread: l.listedIn(w.Blob), data: buf, leaves: blob.Leaves(buf)}
	delete(l.partial, w.Blob)
	l.mu.Unlock()
	l.OnStore(w.Blob)
	return nil
}

// Dropped implements exchange.Local.
func (l *Local) Dropped(p exchange.Peer, ws []exchange.Want, why exchange.Reason) {
	l.mu.Lock()
	l.dropped[why] += len(ws)
	l.mu.Unlock()
	l.Plan.Dropped(p, ws, why)
}

// Found starts a thread with members, with one item in it.
func (l *Local) Found(name string, members ...*Local) ledger.ThreadID {
	id := ledger.ThreadID(wire.Hash("test-thread", []byte(name)))
	l.Claim(id, append([]*Local{l}, members...)...)
	l.Say(id, "first")
	return id
}

// Claim makes a thread of that name with members and nothing in it.
func (l *Local) Claim(id ledger.ThreadID, members ...*Local) {
	t := newThread()
	for _, m := range members {
		t.members = append(t.members, m.Device.ID())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.threads[id] = t
}

// Say appends an item after everything here.
func (l *Local) Say(id ledger.ThreadID, text string) {
	l.mu.Lock()
	t := l.threads[id]
	var parent [32]byte
	var seq uint64
	d := l.Device.ID()
	for _, it := range t.items {
		parent = it.id
		if it.row.Device == [16]byte(d[:16]) {
			seq = max(seq, it.row.Seq)
		}
	}
	t.add(makeItem(id, d, seq+1, parent, text))
	l.mu.Unlock()
	l.OnChange(id)
}

// Count is the number of items in a thread.
func (l *Local) Count(id ledger.ThreadID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.threads[id]; t != nil {
		return len(t.items)
	}
	return 0
}

// Offer puts a blob of noise of n plain bytes into a thread.
func (l *Local) Offer(id ledger.ThreadID, seed uint32, n uint64) (blob.ID, uint64) {
	data := make([]byte, blob.SealedLen(n))
	x := seed*2654435761 + 1
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
	l.blobs[bid] = &sealed{thread: id, data: data, leaves: leaves}
	return bid, uint64(len(data))
}

// Has says whether a blob is here.
func (l *Local) Has(id blob.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.blobs[id]
	return ok
}

// Learned is the number of records heard, StoredBytes what Store took, DroppedBy the
// wants given back for a reason, Heard the haves.
func (l *Local) Learned() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.learned
}

// StoredBytes is what Store took.
func (l *Local) StoredBytes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stored
}

// DroppedBy is the number of wants given back for a reason.
func (l *Local) DroppedBy(r exchange.Reason) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped[r]
}

// SetHaves sets what Haves answers.
func (l *Local) SetHaves(h ...exchange.Have) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.haves = h
}

// Heard is the number of haves heard.
func (l *Local) Heard() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

// Text describes a local in failures, without anything secret.
func (l *Local) Text() string { return fmt.Sprintf("local %.8s", l.Device.ID().String()) }
