package peering

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	mocknet "github.com/libp2p/go-libp2p/p2p/net/mock"
	"github.com/libp2p/go-msgio"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/curbside-p2p/curbside/node/directory"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// TestDirectorySimulated is a DHT in one process: of its nodes a fifth are listed, one in twenty
// lies, both as a node of the DHT and as a provider, and after everybody has announced a fifth go.
// Then listings of authors who are still there are looked up by specialty, or specialty and
// language.
//
// It runs with 30 nodes always. With more, by hand (README.md of this folder has the numbers):
//
//	CURBSIDE_DHT_NODES=1000 CURBSIDE_DHT_LOOKUPS=1000 go test ./node/peering -run TestDirectorySimulated -v -timeout 60m
func TestDirectorySimulated(t *testing.T) {
	nodes, lookups := 30, 8
	if s := os.Getenv("CURBSIDE_DHT_NODES"); s != "" {
		nodes = atoi(t, s)
		lookups = 200
	}
	if s := os.Getenv("CURBSIDE_DHT_LOOKUPS"); s != "" {
		lookups = atoi(t, s)
	}
	seed := uint64(1)
	if s := os.Getenv("CURBSIDE_DHT_SEED"); s != "" {
		seed = uint64(atoi(t, s))
	}
	s := newSim(t, nodes, seed)
	s.join()
	s.memory("joined")
	s.announce()
	s.memory("announced")
	s.leave(nodes / 5)
	got := s.lookUp(lookups)
	if got*100 < lookups*99 {
		t.Errorf("%d of %d look-ups found what was there, want 99 %%", got, lookups)
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%q is no number", s)
	}
	return n
}

type sim struct {
	t     *testing.T
	rng   *rand.Rand
	net   mocknet.Mocknet
	nodes []*simNode
	begun time.Time
	heap  uint64                  // before anything
	named atomic.Pointer[[]named] // whom no message may name; set once all are there
}

// named is an author as watch looks for it.
type named struct {
	dev    identity.DeviceID
	person identity.PersonID
	name   []byte
	topics [][32]byte
}

// simNode is a node of the simulation; it is its own Directory.
type simNode struct {
	h       host.Host
	dht     *dht.IpfsDHT
	lister  *lister
	cache   *directory.Cache
	liar    bool
	gone    bool
	author  *simAuthor // nil if it is not listed
	frames  [][]byte
	topics  [][32]byte
	answers atomic.Int64 // requests of the DHT it got

	mu   sync.Mutex
	seen map[identity.PersonID]bool // taken since it was cleared
}

// simAuthor is somebody with real keys: what is served is verified as it is outside.
type simAuthor struct {
	dev     *identity.Device
	records [][]byte
	listing identity.Listing
	frame   []byte
}

func (n *simNode) Own() [][]byte                         { return n.frames }
func (n *simNode) Topics() [][32]byte                    { return n.topics }
func (n *simNode) Pass(*directory.Request, int) [][]byte { return nil }
func (n *simNode) Known() []directory.KnownKey           { return nil }

func (n *simNode) Take(frame []byte, from identity.PeerID, passed bool) (*identity.Listing, error) {
	taken, err := n.cache.Take(frame, from, passed, time.Now().UnixMilli(), nil)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen[taken.Entry.Person] = true
	return taken.Entry.Listing, nil
}

// watch sees to it that the DHT is asked for topics and peers only, and that no message holds
// anything of a person.
func (s *sim) watch(req *pb.Message) {
	all := s.named.Load()
	if all == nil {
		return
	}
	b, err := proto.Marshal(req)
	if err != nil {
		return
	}
	for _, x := range *all {
		if bytes.Contains(b, x.dev[:]) || bytes.Contains(b, x.person[:]) || bytes.Contains(b, x.name) {
			s.t.Error("a message of the DHT names a person")
		}
		for _, topic := range x.topics {
			if bytes.Equal(req.GetKey(), topic[:]) {
				s.t.Error("a topic goes out unhashed")
			}
		}
	}
}

// memStore is a Store in memory.
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

func simHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func newSim(t *testing.T, n int, seed uint64) *sim {
	t.Helper()
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, uint64(n))), net: mocknet.New(), begun: time.Now(), heap: simHeap()}
	t.Cleanup(func() {
		for _, x := range s.nodes {
			_ = x.dht.Close()
		}
		_ = s.net.Close()
	})
	var hosts []host.Host
	for range n {
		h, err := s.host()
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, h)
	}
	if err := s.net.LinkAll(); err != nil {
		t.Fatal(err)
	}
	for i, h := range hosts {
		s.nodes = append(s.nodes, s.node(h, i, hosts))
	}
	// The first three are bootstrap nodes and stay; one in twenty of the others lies.
	for _, i := range s.rng.Perm(n - 3)[:n/20] {
		s.nodes[3+i].liar = true
	}
	return s
}

// host is one at a random public address: many share a /16 with others, as outside.
func (s *sim) host() (host.Host, error) {
	key, _, err := crypto.GenerateEd25519Key(crand.Reader)
	if err != nil {
		return nil, err
	}
	at := fmt.Sprintf("/ip4/%d.%d.%d.%d/tcp/4242", 41+s.rng.IntN(50), s.rng.IntN(256), s.rng.IntN(256), 1+s.rng.IntN(254))
	return s.net.AddPeer(key, ma.StringCast(at))
}

func (s *sim) node(h host.Host, i int, hosts []host.Host) *simNode {
	s.t.Helper()
	x := &simNode{h: h, cache: directory.NewCache(memStore{}, directory.CacheMax), seen: map[identity.PersonID]bool{}}
	var boot []peer.AddrInfo
	for _, b := range hosts[:3] {
		if b != h {
			boot = append(boot, peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()})
		}
	}
	m := newMeter(time.Now)
	d, err := newDHT(h, dht.ModeServer, m, filter, func() []peer.AddrInfo { return boot },
		dht.OnRequestHook(func(ctx context.Context, st network.Stream, req *pb.Message) {
			x.answers.Add(1)
			s.watch(req)
			m.hook(ctx, st, req)
		}))
	if err != nil {
		s.t.Fatal(err)
	}
	x.dht = d
	x.lister = newLister(h, d, x, slog.New(slog.DiscardHandler), time.Now)
	h.SetStreamHandler(directoryID, x.lister.serve)
	return x
}

// join connects everybody to a bootstrap node and lets tables fill.
func (s *sim) join() {
	ctx := s.t.Context()
	s.all(func(x *simNode, i int) {
		if i > 0 {
			b := s.nodes[i%min(3, i)]
			if _, err := s.net.ConnectPeers(x.h.ID(), b.h.ID()); err != nil && x != b {
				s.t.Error(err)
			}
		}
	})
	s.all(func(x *simNode, _ int) {
		deadline := time.Now().Add(patience)
		for x.dht.RoutingTable().Size() == 0 && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond) // identify fills the table and tells nobody
		}
		// Whom a node looks for first is itself; tables fill from that, and from the look-ups of others.
		_, _ = x.dht.GetClosestPeers(ctx, string(x.h.ID()))
	})
	table, conns := []int{}, []int{}
	for _, x := range s.nodes {
		table = append(table, x.dht.RoutingTable().Size())
		conns = append(conns, len(x.h.Network().Conns()))
		if x.liar {
			s.corrupt(x)
		}
	}
	s.logf("joined: table p50 %d, connections p50 %d", quantile(table, 50), quantile(conns, 50))
}

// all runs f for every node, a few at a time.
func (s *sim) all(f func(*simNode, int)) {
	var work sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, x := range s.nodes {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			f(x, i)
		})
	}
	work.Wait()
}

// corrupt makes a node of the DHT that names peers which do not exist, near every key and as
// providers of everything.
func (s *sim) corrupt(x *simNode) {
	rng := rand.New(rand.NewPCG(s.rng.Uint64(), 1))
	var mu sync.Mutex
	made := func(n int) []*pb.Message_Peer {
		mu.Lock()
		defer mu.Unlock()
		var out []*pb.Message_Peer
		for range n {
			var seed [32]byte
			for i := range seed {
				seed[i] = byte(rng.Uint32())
			}
			id := append([]byte{0x12, 0x20}, seed[:]...)
			out = append(out, &pb.Message_Peer{Id: id, Addrs: [][]byte{ma.StringCast(fmt.Sprintf("/ip4/41.%d.%d.7/tcp/4242", rng.IntN(256), rng.IntN(256))).Bytes()}})
		}
		return out
	}
	x.h.SetStreamHandler(kadID, func(st network.Stream) {
		defer st.Reset()
		r, w := msgio.NewVarintReaderSize(st, network.MessageSizeMax), msgio.NewVarintWriter(st)
		for {
			b, err := r.ReadMsg()
			var m pb.Message
			if err != nil || proto.Unmarshal(b, &m) != nil {
				return
			}
			x.answers.Add(1)
			if m.GetType() == pb.Message_ADD_PROVIDER {
				continue
			}
			answer := pb.NewMessage(m.GetType(), m.GetKey(), 0)
			answer.CloserPeers = made(20)
			if m.GetType() == pb.Message_GET_PROVIDERS {
				answer.ProviderPeers = made(200)
			}
			if b, err = proto.Marshal(answer); err != nil || w.WriteMsg(b) != nil {
				return
			}
		}
	})
}

func simCode(kind string, i int) string { return fmt.Sprintf("%s%d", kind, i) }

func newSimAuthor(t testing.TB, rng *rand.Rand, specialty, language string, at peer.ID) *simAuthor {
	t.Helper()
	secret := func() (b [32]byte) {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	root := identity.RootFromSeed(secret())
	a := &simAuthor{dev: identity.NewDevice(root.ID(), wire.Secret(secret()))}
	cert, err := root.CertifyDevice(a.dev.Public(), "", 1, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	card, err := a.dev.SignCard(identity.Card{Number: 1, IssuedMS: 1, KEM: seal.KEMFromSeed(wire.Secret(secret())).Public(), Name: "Dr. Sim"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UnixMilli()
	a.records = [][]byte{root.Person().Encode(), cert, card}
	a.listing = identity.Listing{
		Number: 5, FromMS: now, UntilMS: now + identity.ListingMaxMS, Name: "Dr. Sim", Specialties: []string{specialty},
		Languages: []string{language}, Addrs: []identity.PeerAddrs{{PeerID: identity.PeerID(at), Addrs: []string{"/ip4/41.2.3.4/tcp/4242"}}},
	}
	a.frame = a.signed(t, nil)
	return a
}

// signed is a frame with a listing that was changed before it was signed.
func (a *simAuthor) signed(t testing.TB, change func(*identity.Listing)) []byte {
	t.Helper()
	l := a.listing
	l.Addrs = slices.Clone(l.Addrs)
	if change != nil {
		change(&l)
	}
	b, err := a.dev.SignListing(l)
	if err != nil {
		t.Fatal(err)
	}
	f, err := directory.Found{Listing: b, Records: a.records}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// announce lists a fifth of the honest nodes and lets the liars announce what is not theirs.
func (s *sim) announce() {
	n := len(s.nodes)
	topics := max(1, n/25)
	for i, x := range s.nodes {
		if x.liar || i%5 != 0 {
			continue
		}
		x.author = newSimAuthor(s.t, s.rng, simCode("specialty", s.rng.IntN(topics)), simCode("lang", s.rng.IntN(3)), x.h.ID())
		x.frames, x.topics = [][]byte{x.author.frame}, x.author.listing.Topics()
	}
	authors := s.authors()
	for _, x := range s.nodes {
		if x.liar {
			for range 2 {
				x.topics = append(x.topics, authors[s.rng.IntN(len(authors))].topics...)
			}
			x.frames = [][]byte{s.lie(x, authors[s.rng.IntN(len(authors))].author)}
		}
	}
	if n <= 50 { // more take a second and longer
		var all []named
		for _, x := range authors {
			dev := x.author.dev
			all = append(all, named{dev.ID(), dev.Person(), []byte(x.author.listing.Name), x.topics})
		}
		s.named.Store(&all)
	}
	var mu sync.Mutex
	var took []time.Duration
	sent := s.requests()
	s.all(func(x *simNode, _ int) {
		for _, topic := range x.topics {
			ctx, cancel := context.WithTimeout(s.t.Context(), provideTime)
			began := time.Now()
			err := x.dht.Provide(ctx, topicCID(topic), true)
			cancel()
			if err != nil && !x.liar {
				s.t.Errorf("provide: %v", err)
			}
			mu.Lock()
			took = append(took, time.Since(began))
			mu.Unlock()
		}
	})
	s.logf("announced %d topics of %d authors and %d liars: p50 %v, p95 %v, %d requests each", len(took), len(authors), n/20,
		quantile(took, 50).Round(time.Millisecond), quantile(took, 95).Round(time.Millisecond), int(s.requests()-sent)/max(1, len(took)))
}

func (s *sim) authors() []*simNode {
	var out []*simNode
	for _, x := range s.nodes {
		if x.author != nil && !x.gone {
			out = append(out, x)
		}
	}
	return out
}

// lie is what a liar serves: somebody else's listing, its own over or of another specialty, or a
// changed one.
func (s *sim) lie(x *simNode, of *simAuthor) []byte {
	own := newSimAuthor(s.t, s.rng, "something-else", "lang0", x.h.ID())
	switch s.rng.IntN(5) {
	case 0:
		return of.frame
	case 1:
		return own.signed(s.t, func(l *identity.Listing) {
			l.FromMS -= 2 * identity.ListingMaxMS
			l.UntilMS -= 2 * identity.ListingMaxMS
		})
	case 2:
		return own.frame
	case 3:
		f := slices.Clone(of.frame)
		f[len(f)/2] ^= 1
		return f
	}
	return []byte("nothing at all")
}

func (s *sim) requests() (n int64) {
	for _, x := range s.nodes {
		n += x.answers.Load()
	}
	return n
}

// leave takes nodes away, without a word.
func (s *sim) leave(n int) {
	for _, i := range s.rng.Perm(len(s.nodes) - 3)[:n] {
		x := s.nodes[3+i]
		x.gone = true
		_ = x.dht.Close()
		_ = x.h.Close()
	}
	s.logf("%d nodes went", n)
}

// lookUp looks listings up that are there and says how many were found.
func (s *sim) lookUp(n int) int {
	var askers []*simNode
	for _, x := range s.nodes {
		if !x.gone && !x.liar {
			askers = append(askers, x)
		}
	}
	authors := s.authors()
	type job struct {
		asker, author *simNode
		topic         [32]byte
	}
	jobs := make(chan job, n)
	for range n {
		j := job{asker: askers[s.rng.IntN(len(askers))], author: authors[s.rng.IntN(len(authors))]}
		j.topic = j.author.topics[s.rng.IntN(len(j.author.topics))]
		jobs <- j
	}
	close(jobs)
	var found, lies, gone atomic.Int64
	var mu sync.Mutex
	var queries, fetches, hops []int
	var took []time.Duration
	var work sync.WaitGroup
	busy := map[*simNode]*sync.Mutex{}
	for _, x := range askers {
		busy[x] = new(sync.Mutex)
	}
	for range 4 {
		work.Go(func() {
			for j := range jobs {
				busy[j.asker].Lock() // what is seen is told apart by asker
				r := s.one(j.asker, j.author, j.topic)
				busy[j.asker].Unlock()
				if r.ok {
					found.Add(1)
				}
				lies.Add(int64(r.Lied))
				gone.Add(int64(r.Gone))
				mu.Lock()
				queries, hops, took = append(queries, r.queries), append(hops, r.hops), append(took, r.took)
				fetches = append(fetches, r.Found+r.Lied+r.Gone)
				mu.Unlock()
			}
		})
	}
	work.Wait()
	s.logf("look-ups: %d of %d found (%.2f %%)", found.Load(), n, 100*float64(found.Load())/float64(n))
	s.logf("requests to the DHT a look-up: p50 %d, p95 %d; hops: p50 %d, p95 %d", quantile(queries, 50), quantile(queries, 95), quantile(hops, 50), quantile(hops, 95))
	s.logf("providers asked for their listing: p50 %d, p95 %d; lies met %d, not reached %d", quantile(fetches, 50), quantile(fetches, 95), lies.Load(), gone.Load())
	s.logf("time a look-up, no latency, four at once: p50 %v, p95 %v", quantile(took, 50).Round(time.Millisecond), quantile(took, 95).Round(time.Millisecond))
	return int(found.Load())
}

type simResult struct {
	Search
	ok            bool
	queries, hops int
	took          time.Duration
}

func (s *sim) one(asker, author *simNode, topic [32]byte) simResult {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	asker.mu.Lock()
	clear(asker.seen)
	asker.mu.Unlock()
	watched, events := routing.RegisterForQueryEvents(ctx)
	depth := map[peer.ID]int{}
	var r simResult
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range events {
			switch e.Type {
			case routing.SendingQuery:
				r.queries++
				r.hops = max(r.hops, depth[e.ID]+1)
			case routing.PeerResponse:
				for _, p := range e.Responses {
					if _, ok := depth[p.ID]; !ok {
						depth[p.ID] = depth[e.ID] + 1
					}
				}
			default:
			}
		}
	}()
	began := time.Now()
	search, err := asker.lister.find(watched, [][32]byte{topic})
	took := time.Since(began)
	cancel()
	<-done
	if err != nil && !errors.Is(err, context.Canceled) {
		s.t.Logf("look-up: %v", err)
	}
	r.Search, r.took = search, took
	r.queries += search.Queries
	asker.mu.Lock()
	defer asker.mu.Unlock()
	r.ok = asker == author || asker.seen[author.author.dev.Person()]
	return r
}

func (s *sim) memory(when string) {
	now := simHeap()
	s.logf("%s: %.2f MB a node on the heap, %d goroutines a node", when, float64(now-s.heap)/1e6/float64(len(s.nodes)), runtime.NumGoroutine()/len(s.nodes))
}

func (s *sim) logf(format string, args ...any) {
	s.t.Helper()
	s.t.Logf("%6.1f s  "+format, append([]any{time.Since(s.begun).Seconds()}, args...)...)
}

func quantile[T int | time.Duration](of []T, p int) T {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[min(len(of)-1, len(of)*p/100)]
}
