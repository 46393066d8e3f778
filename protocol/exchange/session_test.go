package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// link is two sessions over a pipe.
type link struct {
	a, b       *Session
	ctx        context.Context
	cancel     context.CancelFunc
	errA, errB error
	done       sync.WaitGroup
	ended      chan struct{}
}

// cutter is a stream that breaks after so many bytes written.
type cutter struct {
	io.ReadWriteCloser
	left *atomic.Int64
}

var errCut = errors.New("cut")

func (c cutter) Write(p []byte) (int, error) {
	if left := c.left.Add(-int64(len(p))); left < 0 {
		n := max(0, int(left)+len(p))
		n, _ = c.ReadWriteCloser.Write(p[:n])
		_ = c.Close()
		return n, errCut
	}
	return c.ReadWriteCloser.Write(p)
}

const (
	peerA = identity.PeerID("peer-a")
	peerB = identity.PeerID("peer-b")
)

// connect runs two sessions over a pipe that breaks after cut bytes (0: never).
func connect(t testing.TB, la, lb *memLocal, cut int64) *link {
	t.Helper()
	ca, cb := net.Pipe()
	var sa, sb io.ReadWriteCloser = ca, cb
	if cut > 0 {
		var left atomic.Int64
		left.Store(cut)
		sa, sb = cutter{ca, &left}, cutter{cb, &left}
	}
	l := &link{ended: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(t.Context())
	l.a = New(Config{Initiator: true, Self: peerA, Peer: peerB, Local: la, Clock: realClock{}, Software: "test"})
	l.b = New(Config{Self: peerB, Peer: peerA, Local: lb, Clock: realClock{}, Software: "test"})
	la.onChange, lb.onChange = l.a.Changed, l.b.Changed
	l.done.Go(func() { l.errA = l.a.Run(l.ctx, sa) })
	l.done.Go(func() { l.errB = l.b.Run(l.ctx, sb) })
	go func() {
		l.done.Wait()
		close(l.ended)
	}()
	return l
}

func (l *link) close() {
	l.cancel()
	<-l.ended
}

func wantCount(t *testing.T, l *memLocal, id ledger.ThreadID, n int) {
	t.Helper()
	if got := l.count(id); got != n {
		t.Errorf("entries: got %d, want %d", got, n)
	}
}

func TestLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemLocal(t), newMemLocal(t)
		befriend(a, b)
		id := a.found("case", b)
		for i := range 20 {
			a.say(id, fmt.Sprint("before ", i))
		}
		l := connect(t, a, b, 0)
		synctest.Wait()
		wantCount(t, b, id, 21)

		// What is new goes out at once, in both directions, and once.
		b.say(id, "answer")
		synctest.Wait()
		wantCount(t, a, id, 22)
		a.say(id, "and back")
		synctest.Wait()
		wantCount(t, b, id, 23)

		// A thread founded during the session.
		other := b.found("second", a)
		l.b.Renew()
		synctest.Wait()
		wantCount(t, a, other, 1)

		// Then silence, for a day.
		in := l.a.Stats().In + l.b.Stats().In
		time.Sleep(24 * time.Hour)
		if now := l.a.Stats().In + l.b.Stats().In; now != in {
			t.Errorf("a level session sent %d bytes", now-in)
		}
		l.close()
		if l.errA != nil || l.errB != nil {
			t.Errorf("ended with %v and %v", l.errA, l.errB)
		}
	})
}

// TestLevelBothAhead: both copies have what the other lacks.
func TestLevelBothAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemLocal(t), newMemLocal(t)
		befriend(a, b)
		id := a.found("case", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		l.close()
		for i := range 10 {
			a.say(id, fmt.Sprint("a ", i))
			b.say(id, fmt.Sprint("b ", i))
		}
		l = connect(t, a, b, 0)
		synctest.Wait()
		wantCount(t, a, id, 21)
		wantCount(t, b, id, 21)
		l.close()
	})
}

// TestEqualCopiesCostLittle: equal roots end a thread in one round trip.
func TestEqualCopiesCostLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemLocal(t), newMemLocal(t)
		befriend(a, b)
		id := a.found("case", b)
		for range 100 {
			a.say(id, strings.Repeat("x", 1000))
		}
		l := connect(t, a, b, 0)
		synctest.Wait()
		l.close()
		l = connect(t, a, b, 0)
		synctest.Wait()
		if in := l.a.Stats().In; in > 9000 {
			t.Errorf("equal copies cost %d bytes", in)
		}
		b.say(id, "more")
		synctest.Wait()
		wantCount(t, a, id, 102)
		l.close()
	})
}

func TestBlobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemLocal(t), newMemLocal(t)
		befriend(a, b)
		id := a.found("case", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		var ids []blob.ID
		total := 0
		for i, n := range []uint64{0, 1, 3000, 16383, 16384, 65535, 65536, 70000, 1 << 20, 5 << 20} {
			bid, length := a.offer(id, byte(i), n)
			b.plan.Add(Goal{Thread: id, Blob: bid, Length: length, Priority: i % 5})
			ids = append(ids, bid)
			total += int(length)
		}
		l.b.Wanted()
		synctest.Wait()
		for i, bid := range ids {
			if !b.holds(bid) {
				t.Errorf("blob %d did not come", i)
			}
		}
		if b.got != total {
			t.Errorf("stored %d bytes of %d", b.got, total)
		}
		if st := l.b.Stats(); st.Wanted != 0 {
			t.Errorf("%d bytes still wanted", st.Wanted)
		}
		l.close()
	})
}

// TestManySmallBlobs: 300 heads cost no round trip each. The pipe has none, so
// frames are counted: all wants fit a few.
func TestManySmallBlobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemLocal(t), newMemLocal(t)
		befriend(a, b)
		id := a.found("case", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		before := l.a.Stats().In
		for i := range 300 {
			bid, length := a.offer(id, byte(i), 3000+uint64(i))
			b.plan.Add(Goal{Thread: id, Blob: bid, Length: length, Priority: 2})
		}
		l.b.Wanted()
		synctest.Wait()
		if n := b.plan.Len(); n != 0 {
			t.Fatalf("%d of 300 missing", n)
		}
		if cost := l.a.Stats().In - before; cost > 300*64 {
			t.Errorf("asking cost %d bytes", cost)
		}
		l.close()
	})
}

// TestStranger: whoever is neither contact nor member gets hello and prove, and
// nothing else; a contact who is no member gets no entry and no blob.
func TestStranger(t *testing.T) {
	for _, tc := range []struct {
		name    string
		contact bool
	}{{"stranger", false}, {"contact", true}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, c := newMemLocal(t), newMemLocal(t), newMemLocal(t)
				b.meet(a) // b knows everything about a
				if tc.contact {
					a.meet(b)
				}
				id := a.found("secret", c)
				bid, length := a.offer(id, 1, 100_000)
				// b even holds a copy of the thread's name, and the blob's.
				b.threads[id] = &memThread{have: map[[32]byte]bool{}, members: []identity.DeviceID{a.device.ID(), b.device.ID()}}
				b.plan.Add(Goal{Thread: id, Blob: bid, Length: length})
				l := connect(t, a, b, 0)
				synctest.Wait()
				a.say(id, "still secret")
				synctest.Wait()
				wantCount(t, b, id, 0)
				if b.got != 0 || b.holds(bid) {
					t.Error("the blob came")
				}
				if !tc.contact && len(b.learned) != 0 {
					t.Error("a stranger was given records")
				}
				if got := b.dropped[NotAllowed]; got != 1 {
					t.Errorf("refused wants: got %d, want 1", got)
				}
				l.close()
			})
		})
	}
}

// TestStrangerBringsCase: a case of somebody unknown may be received, and from
// then on it is shared.
func TestStrangerBringsCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemLocal(t), newMemLocal(t)
		a.meet(b)
		id := a.found("brought", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		wantCount(t, b, id, 1)
		b.say(id, "who are you")
		synctest.Wait()
		wantCount(t, a, id, 2)
		l.close()
	})
}

// TestStrangerIsSentAway: a stranger without a case does not stay.
func TestStrangerIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemLocal(t), newMemLocal(t)
		b.meet(a)
		l := connect(t, a, b, 0)
		<-l.ended
		if l.errA != nil {
			t.Errorf("ended with %v", l.errA)
		}
		l.cancel()
	})
}

func TestUnproven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newMemLocal(t)
		ca, cb := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, cb) }()
		begun := time.Now()
		err := New(Config{Self: peerA, Peer: peerB, Local: a, Clock: realClock{}}).Run(t.Context(), ca)
		if !errors.Is(err, ErrUnproven) {
			t.Errorf("got %v, want ErrUnproven", err)
		}
		if d := time.Since(begun); d < unprovenTime || d > unprovenTime+2*time.Second {
			t.Errorf("it took %v", d)
		}
		_ = cb.Close()
	})
}

// TestUnprovenBytes: a peer that only talks is cut off after 64 KiB.
func TestUnprovenBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newMemLocal(t)
		ca, cb := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, cb) }()
		sent := 0
		go func() {
			junk := append([]byte{0, 0, 16, 1, 200}, make([]byte, 4096)...)
			for {
				n, err := cb.Write(junk)
				sent += n
				if err != nil {
					return
				}
			}
		}()
		err := New(Config{Self: peerA, Peer: peerB, Local: a, Clock: realClock{}}).Run(t.Context(), ca)
		if !errors.Is(err, ErrUnproven) && !errors.Is(err, errFrameSize) {
			t.Errorf("got %v", err)
		}
		_ = cb.Close()
		synctest.Wait()
		if sent > 2*unprovenMax+readBuffer {
			t.Errorf("%d bytes were taken", sent)
		}
	})
}

// TestProofIsBound: a proof recorded from one session opens no other, since other
// nonces and other PeerIDs make another transcript.
func TestProofIsBound(t *testing.T) {
	cfg := Config{Initiator: true, Self: peerA, Peer: peerB}
	base := transcript(cfg, [32]byte{1}, [32]byte{2})
	mirror := transcript(Config{Self: peerB, Peer: peerA}, [32]byte{2}, [32]byte{1})
	if base != mirror {
		t.Error("the two sides disagree")
	}
	for name, other := range map[string][32]byte{
		"own nonce":   transcript(cfg, [32]byte{3}, [32]byte{2}),
		"their nonce": transcript(cfg, [32]byte{1}, [32]byte{3}),
		"peer":        transcript(Config{Initiator: true, Self: peerA, Peer: "x"}, [32]byte{1}, [32]byte{2}),
		"self":        transcript(Config{Initiator: true, Self: "x", Peer: peerB}, [32]byte{1}, [32]byte{2}),
		"role":        transcript(Config{Self: peerA, Peer: peerB}, [32]byte{1}, [32]byte{2}),
	} {
		if other == base {
			t.Errorf("%s does not change the transcript", name)
		}
	}
}

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, guest := newMemLocal(t), newMemLocal(t)
		host.invites["please"] = "welcome"
		for _, tc := range []struct {
			join, want string
			err        error
		}{{"please", "welcome", nil}, {"let me in", "", ErrRefused}} {
			ca, cb := net.Pipe()
			done := make(chan error, 1)
			go func() {
				done <- New(Config{Self: peerA, Peer: peerB, Local: host, Clock: realClock{}}).Run(t.Context(), ca)
			}()
			got, err := Join(t.Context(), cb, Config{Initiator: true, Self: peerB, Peer: peerA, Local: guest, Clock: realClock{}}, []byte(tc.join))
			if string(got) != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("%s: got %q, %v", tc.join, got, err)
			}
			<-done
		}
	})
}

// TestSpoiled: ranges that do not verify are not stored, end that source for the
// blob, and the third ends the session.
func TestSpoiled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemLocal(t), newMemLocal(t)
		befriend(a, b)
		id := a.found("case", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		a.spoil = func(w Want, data []byte) { data[len(data)/2] ^= 1 }
		for i := range 2 {
			bid, length := a.offer(id, byte(i), 10_000)
			b.plan.Add(Goal{Thread: id, Blob: bid, Length: length})
		}
		l.b.Wanted()
		synctest.Wait()
		if b.got != 0 || b.dropped[Corrupt] != 2 {
			t.Errorf("stored %d bytes, %d corrupt", b.got, b.dropped[Corrupt])
		}
		select {
		case <-l.ended:
			t.Fatal("ended after two")
		default:
		}
		bid, length := a.offer(id, 9, 10_000)
		b.plan.Add(Goal{Thread: id, Blob: bid, Length: length})
		l.b.Wanted()
		<-l.ended
		if !errors.Is(l.errB, ErrProtocol) {
			t.Errorf("ended with %v", l.errB)
		}
		l.cancel()
	})
}

// TestSilent: a peer that owes a range and says nothing is given up.
func TestSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemLocal(t), newMemLocal(t)
		befriend(a, b)
		id := a.found("case", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		time.Sleep(time.Hour)
		hang := make(chan struct{})
		a.serveIs = func(Want) error {
			a.mu.Unlock()
			<-hang
			a.mu.Lock()
			return nil
		}
		bid, length := a.offer(id, 1, 1000)
		b.plan.Add(Goal{Thread: id, Blob: bid, Length: length})
		begun := time.Now()
		l.b.Wanted()
		time.AfterFunc(2*silentTime, func() { close(hang) })
		<-l.ended
		if !errors.Is(l.errB, ErrSilent) {
			t.Errorf("ended with %v", l.errB)
		}
		if d := time.Since(begun); d > 3*silentTime {
			t.Errorf("took %v", d)
		}
		if b.dropped[Ended] != 1 {
			t.Errorf("wants given back: %d", b.dropped[Ended])
		}
		l.cancel()
	})
}

// TestViewerOvertakes: a want of priority 0 is answered before queued bulk.
func TestViewerOvertakes(t *testing.T) {
	o := newOutbox()
	want := func(req uint64, prio int) {
		t.Helper()
		if why, err := o.want(req, Want{Blob: blob.ID{byte(req)}, Length: blob.SealedLen(100), N: 1, Priority: prio}); why != 0 || err != nil {
			t.Fatal(why, err)
		}
	}
	for i := range 5 {
		want(uint64(1+i), 4-i)
	}
	o.entries(&entriesJob{})
	if err := o.talk([]byte{1}); err != nil {
		t.Fatal(err)
	}
	want(9, 3)
	o.cancel(3)
	var got []string
	for {
		j, ok, _ := o.next()
		if !ok {
			break
		}
		switch {
		case j.frame != nil:
			got = append(got, "talk")
		case j.entries != nil:
			got = append(got, "entries")
		default:
			got = append(got, fmt.Sprint(j.rng.request))
		}
	}
	if s := strings.Join(got, " "); s != "talk 5 entries 4 2 9 1" {
		t.Errorf("order: %s", s)
	}
}

func TestWantLimits(t *testing.T) {
	o := newOutbox()
	w := Want{Length: blob.SealedLen(1 << 30), N: leavesMax, Priority: 3}
	for i := range uint64(70) {
		why, err := o.want(i+1, w)
		if err != nil {
			t.Fatal(err)
		}
		if over := int(i+1)*w.Bytes() > wantBytesMax; (why == Busy) != over {
			t.Fatalf("want %d: %v", i, why)
		}
	}
	if _, err := o.want(1, w); !errors.Is(err, ErrProtocol) {
		t.Errorf("a request used twice: %v", err)
	}
}

// TestCuts levels two copies over streams that break at random places, with blobs
// under way: FORMATS §14, "exchange levels two copies whatever is lost, repeated or
// cut; no verified leaf is sent twice".
func TestCuts(t *testing.T) {
	runs := 60
	if testing.Short() {
		runs = 10
	}
	for run := range runs {
		seed := uint64(run) + 1
		synctest.Test(t, func(t *testing.T) { testCut(t, seed) })
	}
}

func testCut(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	a, b := newMemLocal(t), newMemLocal(t)
	befriend(a, b)
	var ids []ledger.ThreadID
	for i := range 1 + r.IntN(3) {
		x, y := a, b
		if r.IntN(2) == 0 {
			x, y = b, a
		}
		ids = append(ids, x.found(fmt.Sprint(seed, "case", i), y))
	}
	said := len(ids)
	bytesOffered := 0
	for round := 0; ; round++ {
		if round > 60 {
			t.Fatalf("seed %d: not level after %d streams", seed, round)
		}
		cut := int64(0)
		if round < 20 {
			cut = 1 + r.Int64N(200_000)
		}
		l := connect(t, a, b, cut)
		if round < 20 {
			for range r.IntN(6) {
				x := []*memLocal{a, b}[r.IntN(2)]
				id := ids[r.IntN(len(ids))]
				if x.count(id) > 0 {
					x.say(id, strings.Repeat("text ", r.IntN(2000)))
					said++
				}
			}
			if id := ids[0]; r.IntN(2) == 0 && a.count(id) > 0 && b.count(id) > 0 {
				bid, length := a.offer(id, byte(round), r.Uint64N(400_000))
				if b.plan.Add(Goal{Thread: id, Blob: bid, Length: length, Priority: r.IntN(5)}) {
					bytesOffered += int(length)
					l.b.Wanted()
				}
			}
		}
		synctest.Wait()
		l.close()
		b.plan.Again(peerA)
		a.plan.Again(peerB)
		if round < 20 {
			continue
		}
		level := b.plan.Len() == 0
		total := 0
		for _, id := range ids {
			total += a.count(id)
			level = level && a.count(id) == b.count(id)
		}
		if level && total == said {
			break
		}
	}
	if b.got != bytesOffered {
		t.Errorf("seed %d: stored %d bytes of blobs of %d", seed, b.got, bytesOffered)
	}
}
