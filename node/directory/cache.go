package directory

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Store keeps the frames of a cache by person. It may lose them: they are found again.
type Store interface {
	Put(key string, value []byte) error
	Delete(key string) error
	Get(key string) (value []byte, ok bool)
	Each(f func(key string, value []byte) error) error
}

// Entry is one listing of the cache.
type Entry struct {
	Person  identity.PersonID
	Listing *identity.Listing
	// State is what the author said of now, at SaidMS; 0 if it was not asked.
	State  uint64
	SaidMS int64
	// Vouched says that it was attested by a pinned issuer when it was taken.
	Vouched bool
}

// kept is what a store keeps: a frame without the author's word on now.
type kept struct {
	Frame   []byte `cbor:"1,keyasint"`
	Vouched uint64 `cbor:"2,keyasint,omitempty"`
}

// Cache holds one listing a person, the newest, while it is valid. It is safe for concurrent use.
type Cache struct {
	store Store
	max   int

	mu      sync.Mutex // guards all below
	entries map[identity.PersonID]*Entry
}

// NewCache makes a cache of at most size listings and takes what the store has, without
// verifying it again: the store is trusted as the index is.
func NewCache(store Store, size int) *Cache {
	c := &Cache{store: store, max: size, entries: map[identity.PersonID]*Entry{}}
	_ = store.Each(func(key string, value []byte) error {
		var k kept
		if len(key) != len(identity.PersonID{}) || wire.Unmarshal(value, &k) != nil || len(c.entries) >= size {
			return nil //nolint:nilerr // a row that cannot be read is found again
		}
		f, err := ParseFound(k.Frame)
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		l, err := identity.ReadListing(f.Listing)
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		c.entries[identity.PersonID([]byte(key))] = &Entry{Person: identity.PersonID([]byte(key)), Listing: l, Vouched: k.Vouched == 1}
		return nil
	})
	return c
}

// Taken is what became of a frame.
type Taken struct {
	Entry   Entry
	Profile *identity.Profile
	Vouches []Vouch
	Changed bool // it is newer than what was held, or the author's word on now is another
}

// Take verifies a frame that a peer served and keeps its listing if it is the newest of its
// person. With passed it need not be the peer's own, and an old one is no lie. ErrLie says that it
// does not count.
func (c *Cache) Take(frame []byte, from identity.PeerID, passed bool, nowMS int64, vouched func(*identity.Profile, []Vouch) bool) (Taken, error) {
	f, err := ParseFound(frame)
	if err != nil {
		return Taken{}, fmt.Errorf("%w: %w", ErrLie, err)
	}
	prof, l, err := f.Verify(nowMS)
	if err != nil {
		return Taken{}, fmt.Errorf("%w: %w", ErrLie, err)
	}
	own := l.Names(from)
	if !own && !passed {
		return Taken{}, fmt.Errorf("%w: it does not name the peer that served it", ErrLie)
	}
	e := &Entry{Person: prof.ID, Listing: l, Vouched: vouched != nil && vouched(prof, f.Vouches)}
	if own {
		e.State, e.SaidMS = f.State, nowMS
	}
	f.State = 0
	out := Taken{Profile: prof, Vouches: f.Vouches}
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.entries[e.Person]
	switch newer(old, l) {
	case newest:
	case older:
		if !passed && old.Listing.Device == l.Device {
			return Taken{}, fmt.Errorf("%w: a newer one was seen", ErrLie)
		}
		out.Entry = *old
		return out, nil
	case same:
		if own {
			out.Changed = old.State != e.State
			old.State, old.SaidMS = e.State, e.SaidMS
		}
		if held, ok := c.frame(e.Person); own && ok && bytes.Equal(held.Listing, f.Listing) && !sameVouches(held.Vouches, f.Vouches) {
			out.Changed = true // attested anew, or a newer list
			c.put(old, f)
		}
		if old.Vouched != e.Vouched {
			out.Changed, old.Vouched = true, e.Vouched
		}
		out.Entry = *old
		return out, nil
	}
	if old == nil && !c.room(e.Vouched, nowMS) {
		out.Entry, out.Changed = *e, true // it is shown, but not kept
		return out, nil
	}
	c.put(e, f)
	out.Entry, out.Changed = *e, true
	return out, nil
}

func sameVouches(a, b []Vouch) bool {
	return slices.EqualFunc(a, b, func(x, y Vouch) bool { return bytes.Equal(x.Attest, y.Attest) && bytes.Equal(x.RevList, y.RevList) })
}

type order int

const (
	newest order = iota
	same
	older
)

// newer compares a listing with the one held of its person. Two of one device with one number
// that differ: the first stays.
func newer(old *Entry, l *identity.Listing) order {
	if old == nil {
		return newest
	}
	o := old.Listing
	by := cmp.Compare(l.Number, o.Number)
	if o.Device != l.Device {
		by = cmp.Or(cmp.Compare(l.FromMS, o.FromMS), bytes.Compare(l.Device[:], o.Device[:]))
	}
	switch {
	case by > 0:
		return newest
	case by < 0:
		return older
	}
	return same
}

// put keeps an entry. Call with mu. A store that fails only forgets it sooner.
func (c *Cache) put(e *Entry, f Found) {
	frame, err := wire.Marshal(f)
	if err != nil {
		return
	}
	k := kept{Frame: frame}
	if e.Vouched {
		k.Vouched = 1
	}
	if c.store.Put(string(e.Person[:]), wire.MustMarshal(k)) == nil {
		c.entries[e.Person] = e
	}
}

func (c *Cache) drop(id identity.PersonID) {
	delete(c.entries, id)
	_ = c.store.Delete(string(id[:])) // read again as expired, at worst
}

// room makes room for one more: what is over goes first, then the unattested one that ends first;
// an attested one goes only for another attested one. Call with mu.
func (c *Cache) room(vouched bool, nowMS int64) bool {
	if len(c.entries) < c.max {
		return true
	}
	c.expire(nowMS)
	if len(c.entries) < c.max {
		return true
	}
	var worst *Entry
	for _, e := range c.entries {
		if worst == nil || evictBefore(e, worst) {
			worst = e
		}
	}
	if worst == nil || worst.Vouched && !vouched {
		return false
	}
	c.drop(worst.Person)
	return true
}

func evictBefore(a, b *Entry) bool {
	if a.Vouched != b.Vouched {
		return b.Vouched
	}
	return a.Listing.UntilMS < b.Listing.UntilMS
}

func (c *Cache) expire(nowMS int64) {
	for id, e := range c.entries {
		if e.Listing.Check(nowMS) != nil {
			c.drop(id)
		}
	}
}

// Forget drops a person's listing.
func (c *Cache) Forget(id identity.PersonID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[id] != nil {
		c.drop(id)
	}
}

// Len is how many listings are held.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

// Query says who is looked for. Empty fields match everybody.
type Query struct {
	Specialty, Language, Species string
}

// Topics are what the network is asked for: the one lookup that says most.
func (q Query) Topics() [][32]byte {
	if q.Specialty == "" {
		return nil
	}
	return [][32]byte{identity.Topic(q.Specialty, q.Language)}
}

// Matches reports whether a listing is what is looked for. A tag matches its regions: pt finds pt-br.
func (q Query) Matches(l *identity.Listing) bool {
	has := func(list []string, code string) bool {
		return code == "" || slices.ContainsFunc(list, func(s string) bool { return s == code || strings.HasPrefix(s, code+"-") })
	}
	return (q.Specialty == "" || slices.Contains(l.Specialties, q.Specialty)) && has(l.Languages, q.Language) &&
		(q.Species == "" || slices.Contains(l.Species, q.Species) || q.Species == Human && len(l.Species) == 0)
}

// Human is the species of a listing that names none.
const Human = "human"

// Search lists the valid entries that match, attested first, then by name. What is over vanishes.
func (c *Cache) Search(q Query, nowMS int64) []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(nowMS)
	var out []Entry
	for _, e := range c.entries {
		if q.Matches(e.Listing) {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int {
		if a.Vouched != b.Vouched {
			if a.Vouched {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Listing.Name, b.Listing.Name), bytes.Compare(a.Person[:], b.Person[:]))
	})
	return out
}

// Get gives a person's valid listing with its records.
func (c *Cache) Get(id identity.PersonID, nowMS int64) (Entry, Found, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[id]
	if e == nil || e.Listing.Check(nowMS) != nil {
		return Entry{}, Found{}, false
	}
	f, ok := c.frame(id)
	return *e, f, ok
}

func (c *Cache) frame(id identity.PersonID) (Found, bool) {
	var k kept
	value, ok := c.store.Get(string(id[:]))
	if !ok || wire.Unmarshal(value, &k) != nil {
		return Found{}, false
	}
	f, err := ParseFound(k.Frame)
	return f, err == nil
}

// Pass gives frames to pass on: the valid ones that the asker does not have, attested ones first.
func (c *Cache) Pass(r *Request, most int, nowMS int64) [][]byte {
	var out [][]byte
	for _, e := range c.Search(Query{}, nowMS) {
		if len(out) >= most {
			break
		}
		if r.Has(e.Listing.Device, e.Listing.Number) {
			continue
		}
		c.mu.Lock()
		f, ok := c.frame(e.Person)
		c.mu.Unlock()
		if !ok {
			continue
		}
		if b, err := f.Encode(); err == nil {
			out = append(out, b)
		}
	}
	return out
}

// Known is what to tell a peer that is asked for the listings it holds.
func (c *Cache) Known(nowMS int64) []KnownKey {
	var out []KnownKey
	for _, e := range c.Search(Query{}, nowMS) {
		if len(out) == KnownMax {
			break
		}
		out = append(out, KnownKey{Device: [8]byte(e.Listing.Device[:8]), Number: e.Listing.Number})
	}
	slices.SortFunc(out, compareKnown)
	return out
}
