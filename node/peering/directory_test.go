package peering

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/curbside-p2p/curbside/node/directory"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

// TestMeter: a full topic, a peer with too many keys and a fast one are refused; what was kept may
// be renewed, and after its time there is room again.
func TestMeter(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := newMeter(func() time.Time { return now })
	name := func(i int) peer.ID { return peer.ID(rune(i + 256)) }
	for i := range providersPerKey {
		if !m.allow("topic", name(i), "") {
			t.Fatalf("provider %d is refused", i)
		}
	}
	if m.allow("topic", name(providersPerKey), "") {
		t.Error("a full topic takes one more")
	}
	if !m.allow("topic", name(0), "") {
		t.Error("a provider that is there cannot renew")
	}
	now = now.Add(provideValid + meterSweep)
	if !m.allow("topic", name(providersPerKey), "") || m.all != 1 {
		t.Errorf("after their time %d records are counted", m.all)
	}
	got := 0
	for i := range 2 * keysPerPeer {
		now = now.Add(time.Second)
		if m.allow(string(rune(i)), "one", "") {
			got++
		}
	}
	if got != keysPerPeer {
		t.Errorf("a peer keeps %d keys, want %d", got, keysPerPeer)
	}
	got = 0
	for i := range 100 { // many peers of one network at once
		if m.allow("other", peer.ID(rune(i+5000)), "net") {
			got++
		}
	}
	if got != provideBurst {
		t.Errorf("a network gave %d records at once, want %d", got, provideBurst)
	}
}

// shelf is a Directory of one author, or of a liar.
type shelf struct {
	cache  *directory.Cache
	mu     sync.Mutex // guards all below
	frames [][]byte
	topics [][32]byte
	served int
}

func newShelf() *shelf { return &shelf{cache: directory.NewCache(memStore{}, directory.CacheMax)} }

func (s *shelf) Own() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served++
	return s.frames
}

func (s *shelf) Topics() [][32]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.topics
}

// list puts up what its node serves from now on.
func (s *shelf) list(frames [][]byte, topics [][32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames, s.topics = frames, topics
}

func (s *shelf) Pass(r *directory.Request, most int) [][]byte {
	return s.cache.Pass(r, most, time.Now().UnixMilli())
}
func (s *shelf) Known() []directory.KnownKey { return s.cache.Known(time.Now().UnixMilli()) }
func (s *shelf) Take(frame []byte, from identity.PeerID, passed bool) (*identity.Listing, error) {
	taken, err := s.cache.Take(frame, from, passed, time.Now().UnixMilli(), nil)
	return taken.Entry.Listing, err
}

func (s *shelf) holds(a *simAuthor) bool {
	_, _, ok := s.cache.Get(a.dev.Person(), time.Now().UnixMilli())
	return ok
}

// on starts a node of the DHT with a shelf.
func (s *shelf) on(t *testing.T, boot ...string) *tester {
	t.Helper()
	return start(t, func(c *Config) { c.NoDHT, c.LANOnly, c.Directory, c.Bootstrap = false, true, s, boot })
}

// TestDirectoryLAN: a listing reaches a node of the LAN whose author it never met, from one that
// holds it, and one that lies is asked no more for an hour.
func TestDirectoryLAN(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	root, asker := newShelf(), newShelf()
	hub := root.on(t)
	author := newShelf()
	x := author.on(t, hub.Addrs()...)
	a := newSimAuthor(t, rng, "neuro", "en", x.id)
	author.list([][]byte{a.frame}, a.listing.Topics())
	x.Relist()
	if _, err := hub.Find(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the hub holds the listing", func() bool { _, _ = hub.Find(t.Context(), nil); return root.holds(a) })
	x.stop()
	y := asker.on(t, hub.Addrs()...)
	eventually(t, "it is passed on", func() bool { return asker.holds(a) })

	liar := newShelf()
	z := liar.on(t, hub.Addrs()...)
	liar.list([][]byte{[]byte("no frame"), []byte("nor"), []byte("nor this"), []byte("nor that")}, nil)
	if err := y.host.Connect(t.Context(), peer.AddrInfo{ID: z.id, Addrs: z.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the liar is remembered", func() bool { return y.lister.lied(z.id) || !asks(t, y) })
	liar.mu.Lock()
	before := liar.served
	liar.mu.Unlock()
	if s, err := y.Find(t.Context(), nil); err != nil || s.Lied != 0 {
		t.Errorf("asked again: %+v, %v", s, err)
	}
	liar.mu.Lock()
	defer liar.mu.Unlock()
	if liar.served != before {
		t.Error("a liar was asked again")
	}
}

func asks(t *testing.T, x *tester) bool {
	t.Helper()
	_, err := x.Find(t.Context(), nil)
	return err == nil
}

// TestSwitchedOff: without a DHT a search says so, and asks the LAN all the same.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	s := newShelf()
	x := start(t, func(c *Config) { c.Directory = s })
	if _, err := x.Find(context.Background(), [][32]byte{identity.Topic("neuro", "")}); err == nil {
		t.Error("a search without anybody to ask found an end")
	}
}
