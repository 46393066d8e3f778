package exchange_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// host is a node of a simulated group: a Local behind an uplink.
type host struct {
	*exchangetest.Local
	name identity.PeerID
	id   ledger.ThreadID
	up   *uplink

	mu       sync.Mutex // guards what follows
	sessions []*exchange.Session
	timer    *time.Timer
	whole    int
	aside    bool // it is not waited for
	doneAt   time.Time
}

// group is hosts that share a case and a study, which the first one has.
type group struct {
	t     *testing.T
	hosts []*host
	id    ledger.ThreadID
	blobs []blob.ID
	sizes []uint64
	bytes int
	begun time.Time
	links sync.WaitGroup
	ctx   context.Context
	stop  context.CancelFunc
	left  sync.WaitGroup // readers that lack something
}

// newGroup makes n readers and a source.
func newGroup(t *testing.T, n int, upSource, upReader float64, blobs int, size uint64) *group {
	g := &group{t: t}
	g.ctx, g.stop = context.WithCancel(t.Context())
	for i := range n + 1 {
		rate := upReader
		if i == 0 {
			rate = upSource
		}
		g.hosts = append(g.hosts, &host{
			Local: exchangetest.New(t), name: identity.PeerID(fmt.Sprintf("host-%d", i)), up: &uplink{rate: rate},
		})
	}
	locals := make([]*exchangetest.Local, 0, n+1)
	for _, h := range g.hosts {
		locals = append(locals, h.Local)
	}
	for _, h := range g.hosts {
		for _, o := range g.hosts {
			if h != o {
				h.Meet(o.Local)
			}
		}
	}
	g.id = g.hosts[0].Found("case", locals[1:]...)
	for i := range blobs {
		id, length := g.hosts[0].Offer(g.id, uint32(i), size)
		g.blobs, g.sizes, g.bytes = append(g.blobs, id), append(g.sizes, length), g.bytes+int(length)
	}
	var devices []identity.DeviceID
	for _, h := range g.hosts {
		devices = append(devices, h.Device.ID())
	}
	g.hosts[0].List(g.id, blob.ID{1}, g.blobs, g.sizes)
	for _, h := range g.hosts {
		h.id = g.id
	}
	for _, h := range g.hosts[1:] {
		h.Claim(g.id, locals...)
		h.Plan.Members(g.id, []identity.DeviceID{h.Device.ID()}, devices)
		h.OnStore = func(blob.ID) { g.stored(h) }
	}
	return g
}

// begin lets readers want the study.
func (g *group) begin(readers ...*host) {
	if g.begun.IsZero() {
		g.begun = time.Now()
	}
	for _, h := range readers {
		g.left.Add(1)
		h.List(g.id, blob.ID{1}, g.blobs, g.sizes)
		h.tell()
	}
}

// stored counts, and tells the others a little later, as the desk does.
func (g *group) stored(h *host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.whole++; h.whole == len(g.blobs) && !h.aside {
		h.doneAt = time.Now()
		g.left.Done()
	}
	if h.timer == nil {
		h.timer = time.AfterFunc(250*time.Millisecond, h.tell)
	}
}

func (h *host) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = nil
	for _, s := range h.sessions {
		s.Held(h.id)
		s.Wanted()
	}
}

// link connects two hosts.
func (g *group) link(a, b *host, rtt time.Duration) (cut func()) {
	ab, ba := newPathOn(a.up, rtt/2, sendBuffer), newPathOn(b.up, rtt/2, sendBuffer)
	ctx, cancel := context.WithCancel(g.ctx)
	run := func(h, o *host, initiator bool, stream io.ReadWriteCloser) {
		s := exchange.New(exchange.Config{
			Initiator: initiator, Self: h.name, Peer: o.name, Local: h.Local, Clock: exchangetest.Clock{}, Software: "test",
			Proven: func(p exchange.Peer, _ [32]byte) error {
				h.Plan.Up(p, time.Now())
				return nil
			},
		})
		h.mu.Lock()
		h.sessions = append(h.sessions, s)
		h.mu.Unlock()
		g.links.Go(func() {
			_ = s.Run(ctx, stream) // the test looks at what arrived
			h.Plan.Down(o.name)
		})
	}
	run(a, b, true, end{ba, ab})
	run(b, a, false, end{ab, ba})
	return cancel
}

// tick asks again where something is left to others, as the desk does.
func (g *group) tick() {
	g.links.Go(func() {
		for g.ctx.Err() == nil {
			time.Sleep(250 * time.Millisecond)
			for _, h := range g.hosts {
				if h.Plan.Waits() {
					h.mu.Lock()
					for _, s := range h.sessions {
						s.Wanted()
					}
					h.mu.Unlock()
				}
			}
		}
	})
}

func (g *group) close() {
	g.left.Wait()
	g.stop()
	g.links.Wait()
}

// times of the source's uplink: bytes out of it over the study's, and the time to the last reader
// over what one copy takes.
func (g *group) times() (bytes, last float64) {
	for _, h := range g.hosts[1:] {
		last = max(last, h.doneAt.Sub(g.begun).Seconds())
	}
	return float64(g.hosts[0].up.reset()) / float64(g.bytes), last / (float64(g.bytes) / g.hosts[0].up.rate)
}

// Eight readers of a source on a thin uplink: it sends each byte about once, and the last reader is
// not far behind what one copy takes. Readers find each other a little after the case came.
func TestFanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, 8, 10*mbit, 50*mbit, 100, 100_000)
		readers := g.hosts[1:]
		for _, r := range readers {
			g.link(g.hosts[0], r, 40*time.Millisecond)
		}
		time.Sleep(time.Second)
		g.hosts[0].up.reset()
		g.begin(readers...)
		g.tick()
		time.Sleep(700 * time.Millisecond)
		for i, a := range readers {
			for _, b := range readers[:i] {
				g.link(a, b, 40*time.Millisecond)
			}
		}
		g.close()
		bytes, last := g.times()
		t.Logf("uplink %.2f of the study, last reader at %.2f of one copy's time", bytes, last)
		if bytes > 1.2 || last > 1.5 {
			t.Errorf("uplink %.2f of the study (at most 1.2), last reader at %.2f (at most 1.5)", bytes, last)
		}
	})
}

// fan runs a small group: four readers of a source, all linked from the start.
func fan(t *testing.T, f func(g *group, cut []func())) (bytes, last float64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, 4, 10*mbit, 50*mbit, 60, 100_000)
		cuts := make([]func(), len(g.hosts))
		for i, a := range g.hosts {
			var own []func()
			for _, b := range g.hosts[:i] {
				own = append(own, g.link(b, a, 40*time.Millisecond))
			}
			cuts[i] = func() {
				for _, c := range own {
					c()
				}
			}
		}
		time.Sleep(time.Second)
		g.hosts[0].up.reset()
		g.tick()
		f(g, cuts)
		g.close()
		bytes, last = g.times()
		t.Logf("uplink %.2f of the study, last reader at %.2f of one copy's time", bytes, last)
	})
	return bytes, last
}

// A taker that goes away takes nothing with it but what it had asked for.
func TestTakerLeaves(t *testing.T) {
	bytes, last := fan(t, func(g *group, cut []func()) {
		g.begin(g.hosts[1:4]...)
		h := g.hosts[4] // takes part, and is not waited for
		h.mu.Lock()
		h.aside = true
		h.mu.Unlock()
		h.List(g.id, blob.ID{1}, g.blobs, g.sizes)
		h.tell()
		time.Sleep(1500 * time.Millisecond)
		cut[4]()
	})
	if bytes > 1.5 || last > 1.6 {
		t.Errorf("uplink %.2f, last reader at %.2f", bytes, last)
	}
}

// A member that is there and fetches nothing loses its share, and holds nobody up for long.
func TestTakerIdles(t *testing.T) {
	bytes, last := fan(t, func(g *group, _ []func()) { g.begin(g.hosts[1:4]...) })
	if bytes > 1.3 || last > 2.2 {
		t.Errorf("uplink %.2f, last reader at %.2f", bytes, last)
	}
}

// Who comes late gets what was sent before from those who have it, and takes a share of the rest.
func TestTakerComesLate(t *testing.T) {
	bytes, last := fan(t, func(g *group, _ []func()) {
		g.begin(g.hosts[1:4]...)
		time.Sleep(2 * time.Second)
		g.begin(g.hosts[4])
	})
	if bytes > 1.3 || last > 1.6 {
		t.Errorf("uplink %.2f, last reader at %.2f", bytes, last)
	}
}

// A taker that spoils what it passes on is dropped; the others get it elsewhere, once, and it has to
// fetch a copy of its own.
func TestTakerSpoils(t *testing.T) {
	bytes, _ := fan(t, func(g *group, _ []func()) {
		g.hosts[1].Spoil = func(_ exchange.Want, data []byte) { data[len(data)/2] ^= 1 }
		g.begin(g.hosts[1:]...)
	})
	if bytes > 2.4 {
		t.Errorf("uplink %.2f", bytes)
	}
}

// What came from elsewhere is cancelled; its range, already on the way, is no fault.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := exchangetest.New(t), exchangetest.New(t)
		exchangetest.Befriend(a, b)
		id := a.Found("case", b)
		b.Claim(id, a, b)
		hang := make(chan struct{})
		a.Refuse = func(exchange.Want) error { <-hang; return nil }
		l := connect(t, a, b, 0)
		synctest.Wait()
		bid, length := a.Offer(id, 7, 3_000_000)
		b.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: 3})
		l.b.Wanted()
		synctest.Wait()
		if l.b.Stats().Wanted == 0 {
			t.Fatal("nothing is wanted")
		}
		b.Plan.Stored("", exchange.Want{Blob: bid, Length: length, N: blob.LeafCount(length)})
		l.b.Wanted()
		synctest.Wait()
		if n := l.b.Stats().Wanted; n != 0 {
			t.Errorf("%d bytes are still wanted", n)
		}
		close(hang)
		synctest.Wait()
		if n := b.StoredBytes(); n != 0 {
			t.Errorf("%d bytes were stored that nobody wants any more", n)
		}
		// The session is as it was.
		got := make(chan blob.ID, 1)
		b.OnStore = func(x blob.ID) { got <- x }
		bid, length = a.Offer(id, 8, 100_000)
		b.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: 3})
		l.b.Wanted()
		<-got
		l.close()
	})
}
