package ledger

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Local is one local person's device with its KEM keys, the newest first.
type Local struct {
	Device *identity.Device
	KEMs   []*seal.KEM
}

// Cards finds the newest verified card of a device, nil if there is none.
type Cards interface {
	Card(identity.DeviceID) *identity.Card
}

// Item is a sealed entry: what the journal keeps and the wire carries. Sealed
// is not to be changed.
type Item struct {
	Entry  EntryID
	Sealed []byte
}

// Entry is an admitted entry. It is not to be changed.
type Entry struct {
	ID        EntryID
	Thread    ThreadID
	Device    identity.DeviceID
	Person    identity.PersonID
	Chain     Chain
	Seq       uint64
	Prev      *EntryID
	Parents   []EntryID
	Auth      []EntryID
	Epoch     EpochID // of content; an epoch entry's own is EpochOf
	Lamport   uint64
	ClaimedMS int64
	Kind      Kind
	Body      []byte // CBOR of the kind without the salt; nil if erased or not here

	header   []byte
	sigs     identity.Sigs
	bodyHash [32]byte
	bodyLen  uint64
	salted   []byte // salt || Body
	past     set    // control entries in its past
	place    int    // of a control entry, in the graph
	own      EpochID
	sealed   []byte
	force    verdict
}

// verdict is a remembered InForce.
type verdict struct {
	round uint64
	holds bool
}

// EpochOf returns the epoch that an Epoch entry makes.
func (e *Entry) EpochOf() EpochID { return e.own }

// Admitted is an entry that just became part of the thread, or whose body came.
type Admitted struct {
	*Entry
	Item Item
}

// Result says what came of a received item.
type Result struct {
	// Admitted holds the entry and what had waited for it, in causal order, for
	// the journal. An entry that was admitted before appears again when its
	// missing body came, or the packet of an epoch: the item replaces the old.
	Admitted []Admitted
	// Duplicate says that the item brought nothing new.
	Duplicate bool
	// Waiting says that the item waits for parents or a secret.
	Waiting bool
	// Need is what this item lacks; Thread.Need says it for all that waits.
	Need *Need
	// Reports tell of lies among members: secrets that contradict their
	// commitment, entries refused once what they waited for had come.
	Reports []error
}

// Members is who belongs, resolved over all control entries. It is shared and
// not to be changed.
type Members struct {
	Ranks    map[identity.PersonID]Rank              // of everybody introduced; RankNone once removed
	Devices  map[identity.DeviceID]identity.PersonID // the device set
	Persons  map[identity.PersonID]identity.Person   // records of everybody introduced
	Certs    map[identity.DeviceID]*identity.DeviceCert
	Founders []identity.PersonID
	Cuts     map[identity.DeviceID]*identity.DeviceCut
	Forked   map[identity.DeviceID]bool // devices caught with two entries of one number
}

// personKnown is a person's record with the control entries that introduce it.
type personKnown struct {
	record identity.Person
	by     set
}

// deviceKnown is a device's certificate with the entries that introduce it. Of
// several records of one device the lowest is kept, whatever the order.
type deviceKnown struct {
	cert *identity.DeviceCert
	by   set
}

// epochKnown is an admitted epoch. A forked chain may announce it twice.
type epochKnown struct {
	body    *epochBody
	entries []*Entry
	posts   int // content entries under it
}

type chainKey struct {
	device identity.DeviceID
	chain  Chain
}

// Thread is a replica of a thread in memory. It is not safe for concurrent use.
type Thread struct {
	id      ThreadID
	g       *graph
	entries map[EntryID]*Entry
	order   []*Entry // all entries; sorted says whether in display order
	sorted  bool
	persons map[identity.PersonID]*personKnown
	devices map[identity.DeviceID]*deviceKnown
	epochs  map[EpochID]*epochKnown
	chains  map[chainKey]map[uint64][]*Entry // by seq; two at one seq are a fork
	leaves  map[chainKey][]*Entry            // without a next on their chain
	heads   map[Chain]map[EntryID]*Entry     // without a child of the same chain kind
	forked  map[identity.DeviceID]bool
	erased  map[EntryID]bool
	named   map[EntryID]bool      // content entries that cuts name
	lines   map[EntryID][]EntryID // memo of line
	round   uint64                // rises when a remembered verdict may change
	full    *view                 // of all control entries, nil when outdated
	members *Members

	verified map[[32]byte]*identity.DeviceCert
	keys     keyring
	waiting  waiting
}

// NewThread makes an empty replica.
func NewThread(id ThreadID) *Thread {
	return &Thread{
		id: id, g: newGraph(), entries: map[EntryID]*Entry{},
		persons: map[identity.PersonID]*personKnown{}, devices: map[identity.DeviceID]*deviceKnown{},
		epochs: map[EpochID]*epochKnown{}, chains: map[chainKey]map[uint64][]*Entry{}, leaves: map[chainKey][]*Entry{},
		heads:  map[Chain]map[EntryID]*Entry{Control: {}, Content: {}},
		forked: map[identity.DeviceID]bool{}, erased: map[EntryID]bool{}, named: map[EntryID]bool{}, lines: map[EntryID][]EntryID{}, round: 1,
		verified: map[[32]byte]*identity.DeviceCert{},
		keys:     newKeyring(id), waiting: newWaiting(),
	}
}

// Format prints the thread's name for every verb: it holds secrets.
func (t *Thread) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "thread %s", t.id) }

// ID names the thread.
func (t *Thread) ID() ThreadID { return t.id }

// insert makes a checked entry part of the thread.
func (t *Thread) insert(p *parsed, sealed []byte) *Entry {
	e := &p.Entry
	e.sealed = sealed
	t.entries[e.ID] = e
	t.order, t.sorted = append(t.order, e), false
	t.link(e)
	if e.Chain == Control {
		t.insertControl(p)
		return e
	}
	e.place = -1
	t.epochs[e.Epoch].posts++
	return e
}

// link keeps heads, leaves and forks.
func (t *Thread) link(e *Entry) {
	heads, key := t.heads[e.Chain], chainKey{e.Device, e.Chain}
	for id := range e.refs {
		delete(heads, id) // auth heads are of the other chain kind
	}
	heads[e.ID] = e
	if e.Prev != nil {
		t.leaves[key] = slices.DeleteFunc(t.leaves[key], func(l *Entry) bool { return l.ID == *e.Prev })
	}
	t.leaves[key] = append(t.leaves[key], e)
	if t.chains[key] == nil {
		t.chains[key] = map[uint64][]*Entry{}
	}
	t.chains[key][e.Seq] = append(t.chains[key][e.Seq], e)
	if len(t.chains[key][e.Seq]) > 1 {
		t.forked[e.Device] = true
		t.members = nil
	}
	if t.named[e.ID] { // its coming may change verdicts
		t.round++
	}
}

func (t *Thread) insertControl(p *parsed) {
	e := &p.Entry
	a := p.act(t)
	e.place = t.g.add(a)
	t.full, t.members = nil, nil
	t.round++
	for _, c := range a.cuts {
		t.named[c.Entry] = true
	}
	switch c := p.control; {
	case c.create != nil:
		for _, f := range c.create.Founders {
			t.introduce(f, e.place)
		}
	case c.role != nil && c.role.Record != nil:
		t.introduce(*c.role.Record, e.place)
	case c.revoke != nil && p.cut.Content != nil:
		t.named[EntryID(p.cut.Content.Entry)] = true
	case c.epoch != nil:
		e.own = c.epoch.id
		if t.epochs[e.own] == nil {
			t.epochs[e.own] = &epochKnown{body: c.epoch}
		}
		t.epochs[e.own].entries = append(t.epochs[e.own].entries, e)
	case c.fork != nil:
		if h, err := parseHeader(c.fork.A.Header); err == nil {
			t.forked[h.Device] = true
		}
	}
	for _, c := range p.certs {
		k := t.devices[c.ID]
		if k == nil {
			k = &deviceKnown{cert: c}
			t.devices[c.ID] = k
		}
		if bytes.Compare(c.Bytes, k.cert.Bytes) < 0 {
			k.cert = c
		}
		k.by = k.by.add(e.place)
	}
}

func (t *Thread) introduce(p identity.Person, place int) {
	id := p.ID()
	if t.persons[id] == nil {
		t.persons[id] = &personKnown{record: p}
	}
	t.persons[id].by = t.persons[id].by.add(place)
}

// now resolves all control entries.
func (t *Thread) now() *view {
	if t.full == nil {
		t.full = t.g.view(firstN(len(t.g.acts)))
	}
	return t.full
}

// Entries returns all admitted entries in display order, (lamport, EntryID).
// The slice is shared until the next entry is admitted.
func (t *Thread) Entries() []*Entry {
	if !t.sorted {
		t.order = slices.SortedFunc(slices.Values(t.order), compareEntries)
		t.sorted = true
	}
	return slices.Clip(t.order)
}

func compareEntries(a, b *Entry) int {
	return cmp.Or(cmp.Compare(a.Lamport, b.Lamport), compareEntryID(a.ID, b.ID))
}

// Entry returns an admitted entry, nil if it is not here.
func (t *Thread) Entry(id EntryID) *Entry { return t.entries[id] }

// Has reports whether an entry is admitted.
func (t *Thread) Has(id EntryID) bool { return t.entries[id] != nil }

// Members resolves all control entries.
func (t *Thread) Members() *Members {
	if t.members != nil {
		return t.members
	}
	v := t.now()
	m := &Members{
		Ranks: map[identity.PersonID]Rank{}, Devices: maps.Clone(v.devices), Persons: map[identity.PersonID]identity.Person{},
		Certs: map[identity.DeviceID]*identity.DeviceCert{}, Cuts: map[identity.DeviceID]*identity.DeviceCut{},
		Forked: maps.Clone(t.forked),
	}
	for id, k := range t.persons {
		m.Persons[id], m.Ranks[id] = k.record, v.ranks[id]
	}
	for id, k := range t.devices {
		m.Certs[id] = k.cert
		if c, ok := v.cuts[owner{id, k.cert.Person}]; ok {
			m.Cuts[id] = c.DeviceCut
		}
	}
	if len(t.g.acts) > 0 {
		m.Founders = slices.Clone(t.g.acts[0].founders)
	}
	t.members = m
	return m
}

// MembersAt resolves the control entries in an entry's past: the members its
// author knew, with the effect of a control entry itself left out. Only ranks
// and device set are filled.
func (t *Thread) MembersAt(e *Entry) *Members {
	v := t.g.view(e.past)
	return &Members{Ranks: maps.Clone(v.ranks), Devices: maps.Clone(v.devices)}
}

// InForce reports whether an admitted entry has effect. Content that does not
// is quarantined: kept, carried, shown under a banner. A control entry has
// effect if it is valid.
func (t *Thread) InForce(e *Entry) bool {
	if e.force.round == t.round {
		return e.force.holds
	}
	v := t.now()
	var holds bool
	switch {
	case e.Chain == Content:
		holds = t.g.inForce(v, e.post(), func(seq uint64, id EntryID) bool { return t.upTo(e, seq, id) })
	case e.Kind == Role || e.Kind == Admit:
		holds = v.valid.has(e.place)
	default:
		holds = !t.g.void(v, &t.g.acts[e.place], e.place)
	}
	e.force = verdict{t.round, holds}
	return holds
}

// upTo reports whether a content entry lies at or before a number and, if the
// entry named there is here, on the chain that ends in it.
func (t *Thread) upTo(e *Entry, seq uint64, id EntryID) bool {
	if e.Seq > seq {
		return false
	}
	named := t.entries[id]
	if named == nil {
		return true
	}
	if named.Device != e.Device || named.Chain != e.Chain || named.Seq < e.Seq {
		return false
	}
	if len(t.chains[chainKey{e.Device, e.Chain}][e.Seq]) == 1 {
		return true // no other entry has this number, so named rests on it
	}
	return t.line(named)[e.Seq-1] == e.ID
}

// linesMax bounds the memo of line.
const linesMax = 64

// line returns the chain that ends in an entry, by seq from 1.
func (t *Thread) line(e *Entry) []EntryID {
	if l := t.lines[e.ID]; l != nil {
		return l
	}
	l := make([]EntryID, e.Seq)
	for at := e; ; at = t.entries[*at.Prev] {
		l[at.Seq-1] = at.ID
		if at.Prev == nil {
			break
		}
	}
	if len(t.lines) >= linesMax {
		clear(t.lines)
	}
	t.lines[e.ID] = l
	return l
}

// Precedes reports whether entry a is in the causal past of entry b, through
// prev, parents and auth. Both must be admitted.
func (t *Thread) Precedes(a, b EntryID) bool {
	x, y := t.entries[a], t.entries[b]
	if x == nil || y == nil || x == y {
		return false
	}
	if x.Chain == Control {
		return y.past.has(x.place)
	}
	seen := map[EntryID]bool{}
	for todo := []*Entry{y}; len(todo) > 0; {
		e := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for id := range e.refs {
			if id == a {
				return true
			}
			if r := t.entries[id]; !seen[id] && r.Chain == Content && r.Lamport > x.Lamport {
				seen[id] = true
				todo = append(todo, r)
			}
		}
	}
	return false
}

// Secrets returns the secrets of all admitted epochs, for the vault.
func (t *Thread) Secrets() map[EpochID]wire.Secret {
	out := map[EpochID]wire.Secret{}
	for id := range t.epochs {
		if es, ok := t.keys.secrets[id]; ok {
			out[id] = es
		}
	}
	return out
}
