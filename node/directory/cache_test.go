package directory

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

const hour = 60 * 60 * 1000

type memStore map[string][]byte

func (m memStore) Put(key string, value []byte) error { m[key] = value; return nil }
func (m memStore) Delete(key string) error            { delete(m, key); return nil }
func (m memStore) Get(key string) ([]byte, bool)      { v, ok := m[key]; return v, ok }
func (m memStore) Each(f func(string, []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if err := f(k, m[k]); err != nil {
			return err
		}
	}
	return nil
}

type author struct {
	dev     *identity.Device
	records [][]byte
	peer    identity.PeerID
}

func newAuthor(tb testing.TB, n byte) author {
	tb.Helper()
	root := identity.RootFromSeed([32]byte{n})
	a := author{dev: identity.NewDevice(root.ID(), wire.Secret{n, 1}), peer: identity.PeerID("peer" + string(rune('a'+n)))}
	cert, err := root.CertifyDevice(a.dev.Public(), "", 1, nil, 1)
	if err != nil {
		tb.Fatal(err)
	}
	card, err := a.dev.SignCard(identity.Card{Number: 1, IssuedMS: 1, KEM: seal.KEMFromSeed(wire.Secret{n, 2}).Public(), Name: "A"})
	if err != nil {
		tb.Fatal(err)
	}
	a.records = [][]byte{root.Person().Encode(), cert, card}
	return a
}

func (a author) person() identity.PersonID { return a.dev.Person() }

// frame is a listing of a number, valid from a time on for a day.
func (a author) frame(tb testing.TB, number uint64, from int64, change func(*identity.Listing)) []byte {
	tb.Helper()
	l := identity.Listing{
		Number: number, FromMS: from, UntilMS: from + identity.ListingMaxMS, Name: fmt.Sprintf("Dr. %d", number), Specialties: []string{"neuro"},
		Addrs: []identity.PeerAddrs{{PeerID: a.peer, Addrs: []string{"/ip4/192.0.2.1/tcp/1"}}},
	}
	if change != nil {
		change(&l)
	}
	b, err := a.dev.SignListing(l)
	if err != nil {
		tb.Fatal(err)
	}
	f, err := Found{Listing: b, Records: a.records, State: StateAwake}.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// TestLies: what does not count is a lie of the peer that served it; what is passed on old is none.
func TestLies(t *testing.T) {
	a, b := newAuthor(t, 1), newAuthor(t, 2)
	const now = 100 * hour
	good, other := a.frame(t, 7, now-hour, nil), b.frame(t, 1, now-hour, nil)
	flipped := slices.Clone(good)
	flipped[bytes.Index(flipped, []byte("Dr. 7"))] ^= 1
	mixed, err := ParseFound(good)
	if err != nil {
		t.Fatal(err)
	}
	mixed.Records = b.records
	swapped, err := mixed.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		frame  []byte
		from   identity.PeerID
		passed bool
		lie    bool
	}{
		"own":                           {good, a.peer, false, false},
		"passed on":                     {good, b.peer, true, false},
		"served by another":             {good, b.peer, false, true},
		"a letter changed":              {flipped, a.peer, false, true},
		"under another person":          {swapped, a.peer, false, true},
		"expired":                       {a.frame(t, 8, now-25*hour, nil), a.peer, false, true},
		"expired, passed on":            {a.frame(t, 8, now-25*hour, nil), b.peer, true, true},
		"to come":                       {a.frame(t, 8, now+3*hour, nil), a.peer, false, true},
		"replayed":                      {a.frame(t, 6, now-2*hour, nil), a.peer, false, true},
		"replayed, passed on":           {a.frame(t, 6, now-2*hour, nil), b.peer, true, false},
		"another of the number":         {a.frame(t, 7, now-hour, func(l *identity.Listing) { l.Name = "Dr. X" }), a.peer, false, false},
		"of the other, whom it names":   {other, b.peer, false, false},
		"nothing":                       {nil, a.peer, false, true},
		"too long":                      {make([]byte, FrameMax+1), a.peer, false, true},
		"its own, said to be passed on": {good, a.peer, true, false},
	} {
		cache := NewCache(memStore{}, 10)
		if _, err := cache.Take(good, a.peer, false, now, nil); err != nil {
			t.Fatal(err)
		}
		_, err := cache.Take(c.frame, c.from, c.passed, now, nil)
		if errors.Is(err, ErrLie) != c.lie || !c.lie && err != nil {
			t.Errorf("%s: got %v", name, err)
		}
		e, _, ok := cache.Get(a.person(), now)
		if !ok || e.Listing.Name != "Dr. 7" {
			t.Errorf("%s: what is held is now %v", name, e.Listing)
		}
	}
}

// TestNewestWins: whatever comes in whatever order, of each person the valid listing with the
// highest number is held, and nothing that its author did not sign; a store that is read again
// gives the same.
func TestNewestWins(t *testing.T) {
	const now = 100 * hour
	var authors []author
	type frame struct {
		b      []byte
		author int
		number uint64
		valid  bool
	}
	var frames []frame
	for i := range 4 {
		a := newAuthor(t, byte(10+i))
		authors = append(authors, a)
		for n := uint64(1); n <= 5; n++ {
			from := int64(now - hour)
			if n == 5 && i%2 == 0 {
				from = now - 30*hour // the highest of some is over
			}
			b := a.frame(t, n, from, nil)
			frames = append(frames, frame{b, i, n, from == now-hour})
			forged := slices.Clone(b)
			forged[bytes.Index(forged, []byte("Dr. "))+4] = '9'
			frames = append(frames, frame{forged, i, 9, false})
		}
	}
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 1))
		store := memStore{}
		cache := NewCache(store, 100)
		want := map[int]uint64{}
		for range 40 {
			f := frames[rng.IntN(len(frames))]
			passed := rng.IntN(2) == 0
			_, err := cache.Take(f.b, authors[f.author].peer, passed, now, nil)
			if f.valid {
				want[f.author] = max(want[f.author], f.number)
			} else if err == nil {
				t.Fatalf("seed %d: listing %d counts", seed, f.number)
			}
			if rng.IntN(10) == 0 {
				cache = NewCache(store, 100)
			}
		}
		for i, a := range authors {
			e, _, ok := cache.Get(a.person(), now)
			if ok != (want[i] != 0) || ok && e.Listing.Number != want[i] {
				t.Fatalf("seed %d: of author %d %v is held, want number %d", seed, i, e.Listing, want[i])
			}
		}
	}
}

// TestFull: at the bound what is over goes first, then unattested ones; attested ones only for others.
func TestFull(t *testing.T) {
	const now = 100 * hour
	yes := func(*identity.Profile, []Vouch) bool { return true }
	cache := NewCache(memStore{}, 4)
	take := func(n byte, from int64, vouched func(*identity.Profile, []Vouch) bool) identity.PersonID {
		a := newAuthor(t, 20+n)
		if _, err := cache.Take(a.frame(t, 1, from, nil), a.peer, false, from, vouched); err != nil {
			t.Fatal(err)
		}
		return a.person()
	}
	held := func(id identity.PersonID) bool { _, _, ok := cache.Get(id, now); return ok }
	over := take(0, now-30*hour, yes)
	first, second, third := take(1, now-3*hour, yes), take(2, now-2*hour, nil), take(3, now-hour, nil)
	if fourth := take(4, now, nil); held(over) || !held(fourth) || !held(second) {
		t.Error("what is over did not go first")
	}
	if fifth := take(5, now, yes); held(second) || !held(fifth) || !held(first) || !held(third) {
		t.Error("the unattested one that ends first did not go")
	}
	for n := range byte(4) {
		take(6+n, now, yes)
	}
	if cache.Len() != 4 {
		t.Errorf("%d are held", cache.Len())
	}
	if noise := take(11, now, nil); held(noise) {
		t.Error("an unattested one replaced an attested one")
	}
	if got := cache.Search(Query{}, now+25*hour); len(got) != 0 || cache.Len() != 0 {
		t.Errorf("%d expired ones are found", len(got))
	}
}

func TestQuery(t *testing.T) {
	l := &identity.Listing{Specialties: []string{"neuro", "thoracic"}, Languages: []string{"en", "pt-br"}}
	vet := &identity.Listing{Specialties: []string{"neuro"}, Species: []string{"dog"}}
	for _, c := range []struct {
		q         Query
		person    bool
		ofAnimals bool
	}{
		{Query{}, true, true},
		{Query{Specialty: "thoracic"}, true, false},
		{Query{Language: "pt"}, true, false},
		{Query{Language: "pt-br"}, true, false},
		{Query{Language: "p"}, false, false},
		{Query{Species: "dog"}, false, true},
		{Query{Species: Human}, true, false},
	} {
		if c.q.Matches(l) != c.person || c.q.Matches(vet) != c.ofAnimals {
			t.Errorf("%+v: got %v, %v", c.q, c.q.Matches(l), c.q.Matches(vet))
		}
	}
}

// TestPass: what the asker has is not passed on again.
func TestPass(t *testing.T) {
	const now = 100 * hour
	cache := NewCache(memStore{}, 10)
	for n := range byte(3) {
		a := newAuthor(t, 40+n)
		if _, err := cache.Take(a.frame(t, 5, now, nil), a.peer, false, now, nil); err != nil {
			t.Fatal(err)
		}
	}
	all := cache.Pass(&Request{}, 10, now)
	if len(all) != 3 || len(cache.Pass(&Request{}, 2, now)) != 2 {
		t.Fatalf("passes %d on", len(all))
	}
	other := NewCache(memStore{}, 10)
	if _, err := other.Take(all[0], "somebody", true, now, nil); err != nil {
		t.Fatal(err)
	}
	req := Request{Version: 1, What: Held, Known: other.Known(now)}
	b, err := req.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if req, err = ParseRequest(b); err != nil || len(cache.Pass(&req, 10, now)) != 2 {
		t.Errorf("got %v", err)
	}
	if e, f, ok := other.Get(other.Search(Query{}, now)[0].Person, now); !ok || e.State != 0 || f.State != 0 {
		t.Error("an author's word on now is passed on")
	}
}

// FuzzFound feeds frames as strangers send them: only what was signed counts.
func FuzzFound(f *testing.F) {
	a := newAuthor(f, 60)
	const now = 100 * hour
	good := a.frame(f, 3, now, nil)
	f.Add(good)
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, b []byte) {
		taken, err := NewCache(memStore{}, 4).Take(b, a.peer, false, now, nil)
		if err == nil && (taken.Entry.Person != a.person() || taken.Entry.Listing.Name != "Dr. 3") {
			t.Error("a forged frame counts")
		}
		if r, err := ParseRequest(b); err == nil {
			if again, err := r.Encode(); err != nil || !bytes.Equal(again, b) {
				t.Error("a request that encodes differently")
			}
		}
	})
}
