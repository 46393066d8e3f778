package exchange_test

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
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// link is two sessions over a pipe.
type link struct {
	a, b       *exchange.Session
	ctx        context.Context
	cancel     context.CancelFunc
	errA, errB error
	done       sync.WaitGroup
	ended      chan struct{}
	stalled    atomic.Pointer[exchange.Session] // to wake when b finds its peer stalled
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
func connect(tb testing.TB, la, lb *exchangetest.Local, cut int64) *link {
	tb.Helper()
	return connectTo(tb, la, lb, cut, func(sa, sb *exchange.Session) { la.OnChange, lb.OnChange = sa.Changed, sb.Changed })
}

// connectTo is connect for any Local; made sees the sessions before they run.
func connectTo(tb testing.TB, la, lb exchange.Local, cut int64, made func(sa, sb *exchange.Session)) *link {
	tb.Helper()
	ca, cb := net.Pipe()
	var sa, sb io.ReadWriteCloser = ca, cb
	if cut > 0 {
		var left atomic.Int64
		left.Store(cut)
		sa, sb = cutter{ca, &left}, cutter{cb, &left}
	}
	return runLink(tb, la, lb, sa, sb, made)
}

// runLink runs a session on each end.
func runLink(tb testing.TB, la, lb exchange.Local, sa, sb io.ReadWriteCloser, made func(sa, sb *exchange.Session)) *link {
	tb.Helper()
	return runNamed(tb, peerA, la, lb, sa, sb, made)
}

// connectAs is connect for a side a of that PeerID.
func connectAs(tb testing.TB, name identity.PeerID, la, lb *exchangetest.Local) *link {
	tb.Helper()
	ca, cb := net.Pipe()
	return runNamed(tb, name, la, lb, ca, cb, func(*exchange.Session, *exchange.Session) {})
}

func runNamed(tb testing.TB, name identity.PeerID, la, lb exchange.Local, sa, sb io.ReadWriteCloser, made func(sa, sb *exchange.Session)) *link {
	tb.Helper()
	l := &link{ended: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(tb.Context())
	l.a = exchange.New(exchange.Config{Initiator: true, Self: name, Peer: peerB, Local: la, Clock: exchangetest.Clock{}, Software: "test"})
	l.b = exchange.New(exchange.Config{
		Self: peerB, Peer: name, Local: lb, Clock: exchangetest.Clock{}, Software: "test",
		Stalled: func() {
			if s := l.stalled.Load(); s != nil {
				s.Wanted()
			}
		},
	})
	made(l.a, l.b)
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

func wantCount(t *testing.T, l *exchangetest.Local, id ledger.ThreadID, n int) {
	t.Helper()
	if got := l.Count(id); got != n {
		t.Errorf("entries: got %d, want %d", got, n)
	}
}

func TestLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := exchangetest.New(t), exchangetest.New(t)
		exchangetest.Befriend(a, b)
		id := a.Found("case", b)
		for i := range 20 {
			a.Say(id, fmt.Sprint("before ", i))
		}
		l := connect(t, a, b, 0)
		synctest.Wait()
		wantCount(t, b, id, 21)

		// What is new goes out at once, in both directions, and once.
		b.Say(id, "answer")
		synctest.Wait()
		wantCount(t, a, id, 22)
		a.Say(id, "and back")
		synctest.Wait()
		wantCount(t, b, id, 23)

		// A thread founded during the session.
		other := b.Found("second", a)
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
		a, b := exchangetest.New(t), exchangetest.New(t)
		exchangetest.Befriend(a, b)
		id := a.Found("case", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		l.close()
		for i := range 10 {
			a.Say(id, fmt.Sprint("a ", i))
			b.Say(id, fmt.Sprint("b ", i))
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
		a, b := exchangetest.New(t), exchangetest.New(t)
		exchangetest.Befriend(a, b)
		id := a.Found("case", b)
		for range 100 {
			a.Say(id, strings.Repeat("x", 1000))
		}
		l := connect(t, a, b, 0)
		synctest.Wait()
		l.close()
		l = connect(t, a, b, 0)
		synctest.Wait()
		if in := l.a.Stats().In; in > 9000 {
			t.Errorf("equal copies cost %d bytes", in)
		}
		b.Say(id, "more")
		synctest.Wait()
		wantCount(t, a, id, 102)
		l.close()
	})
}

func TestBlobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := exchangetest.New(t), exchangetest.New(t)
		exchangetest.Befriend(a, b)
		id := a.Found("case", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		var ids []blob.ID
		total := 0
		for i, n := range []uint64{0, 1, 3000, 16383, 16384, 65535, 65536, 70000, 1 << 20, 5 << 20} {
			bid, length := a.Offer(id, uint32(i), n)
			b.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: i % 5})
			ids = append(ids, bid)
			total += int(length)
		}
		l.b.Wanted()
		synctest.Wait()
		for i, bid := range ids {
			if !b.Has(bid) {
				t.Errorf("blob %d did not come", i)
			}
		}
		if b.StoredBytes() != total {
			t.Errorf("stored %d bytes of %d", b.StoredBytes(), total)
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
		a, b := exchangetest.New(t), exchangetest.New(t)
		exchangetest.Befriend(a, b)
		id := a.Found("case", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		before := l.a.Stats().In
		for i := range 300 {
			bid, length := a.Offer(id, uint32(i), 3000+uint64(i))
			b.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: 2})
		}
		l.b.Wanted()
		synctest.Wait()
		if n := b.Plan.Len(); n != 0 {
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
				a, b, c := exchangetest.New(t), exchangetest.New(t), exchangetest.New(t)
				b.Meet(a) // b knows everything about a
				if tc.contact {
					a.Meet(b)
				}
				id := a.Found("secret", c)
				bid, length := a.Offer(id, 1, 100_000)
				// b even holds a copy of the thread's name, and the blob's.
				b.Claim(id, a, b)
				b.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length})
				l := connect(t, a, b, 0)
				synctest.Wait()
				a.Say(id, "still secret")
				synctest.Wait()
				wantCount(t, b, id, 0)
				if b.StoredBytes() != 0 || b.Has(bid) {
					t.Error("the blob came")
				}
				if !tc.contact && b.Learned() != 0 {
					t.Error("a stranger was given records")
				}
				if got := b.DroppedBy(exchange.NotAllowed); got != 1 {
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
		a, b := exchangetest.New(t), exchangetest.New(t)
		a.Meet(b)
		id := a.Found("brought", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		wantCount(t, b, id, 1)
		b.Say(id, "who are you")
		synctest.Wait()
		wantCount(t, a, id, 2)
		l.close()
	})
}

// TestStrangerIsSentAway: a stranger without a case does not stay.
func TestStrangerIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := exchangetest.New(t), exchangetest.New(t)
		b.Meet(a)
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
		a := exchangetest.New(t)
		ca, cb := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, cb) }()
		begun := time.Now()
		err := exchange.New(exchange.Config{Self: peerA, Peer: peerB, Local: a, Clock: exchangetest.Clock{}}).Run(t.Context(), ca)
		if !errors.Is(err, exchange.ErrUnproven) {
			t.Errorf("got %v, want ErrUnproven", err)
		}
		if d := time.Since(begun); d < exchange.UnprovenTime || d > exchange.UnprovenTime+2*time.Second {
			t.Errorf("it took %v", d)
		}
		_ = cb.Close()
	})
}

// TestUnprovenBytes: a peer that only talks is cut off after 64 KiB.
func TestUnprovenBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := exchangetest.New(t)
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
		err := exchange.New(exchange.Config{Self: peerA, Peer: peerB, Local: a, Clock: exchangetest.Clock{}}).Run(t.Context(), ca)
		if !errors.Is(err, exchange.ErrUnproven) && !errors.Is(err, exchange.ErrFrameSize) {
			t.Errorf("got %v", err)
		}
		_ = cb.Close()
		synctest.Wait()
		if sent > 2*exchange.UnprovenMax+exchange.ReadBuffer {
			t.Errorf("%d bytes were taken", sent)
		}
	})
}

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, guest := exchangetest.New(t), exchangetest.New(t)
		host.Invites["please"] = "welcome"
		for _, tc := range []struct {
			join, want string
			err        error
		}{{"please", "welcome", nil}, {"let me in", "", exchange.ErrRefused}} {
			ca, cb := net.Pipe()
			done := make(chan error, 1)
			go func() {
				done <- exchange.New(exchange.Config{Self: peerA, Peer: peerB, Local: host, Clock: exchangetest.Clock{}}).Run(t.Context(), ca)
			}()
			got, err := exchange.Join(t.Context(), cb, exchange.Config{Initiator: true, Self: peerB, Peer: peerA, Local: guest, Clock: exchangetest.Clock{}}, []byte(tc.join))
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
		a, b := exchangetest.New(t), exchangetest.New(t)
		exchangetest.Befriend(a, b)
		id := a.Found("case", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		a.Spoil = func(w exchange.Want, data []byte) { data[len(data)/2] ^= 1 }
		for i := range 2 {
			bid, length := a.Offer(id, uint32(i), 10_000)
			b.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length})
		}
		l.b.Wanted()
		synctest.Wait()
		if b.StoredBytes() != 0 || b.DroppedBy(exchange.Corrupt) != 2 {
			t.Errorf("stored %d bytes, %d corrupt", b.StoredBytes(), b.DroppedBy(exchange.Corrupt))
		}
		select {
		case <-l.ended:
			t.Fatal("ended after two")
		default:
		}
		bid, length := a.Offer(id, 9, 10_000)
		b.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length})
		l.b.Wanted()
		<-l.ended
		if !errors.Is(l.errB, exchange.ErrProtocol) {
			t.Errorf("ended with %v", l.errB)
		}
		l.cancel()
	})
}

// TestSilent: a peer that owes a range and says nothing is given up.
func TestSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := exchangetest.New(t), exchangetest.New(t)
		exchangetest.Befriend(a, b)
		id := a.Found("case", b)
		l := connect(t, a, b, 0)
		synctest.Wait()
		time.Sleep(time.Hour)
		hang := make(chan struct{})
		a.Refuse = func(exchange.Want) error {
			<-hang
			return nil
		}
		bid, length := a.Offer(id, 1, 1000)
		b.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length})
		begun := time.Now()
		l.b.Wanted()
		time.AfterFunc(2*exchange.SilentTime, func() { close(hang) })
		<-l.ended
		if !errors.Is(l.errB, exchange.ErrSilent) {
			t.Errorf("ended with %v", l.errB)
		}
		if d := time.Since(begun); d > 3*exchange.SilentTime {
			t.Errorf("took %v", d)
		}
		if b.DroppedBy(exchange.Ended) != 1 {
			t.Errorf("wants given back: %d", b.DroppedBy(exchange.Ended))
		}
		l.cancel()
	})
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
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	a, b := exchangetest.New(t), exchangetest.New(t)
	exchangetest.Befriend(a, b)
	var ids []ledger.ThreadID
	for i := range 1 + r.IntN(3) {
		x, y := a, b
		if r.IntN(2) == 0 {
			x, y = b, a
		}
		ids = append(ids, x.Found(fmt.Sprint(seed, "case", i), y))
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
				x := []*exchangetest.Local{a, b}[r.IntN(2)]
				id := ids[r.IntN(len(ids))]
				if x.Count(id) > 0 {
					x.Say(id, strings.Repeat("text ", r.IntN(2000)))
					said++
				}
			}
			if id := ids[0]; r.IntN(2) == 0 && a.Count(id) > 0 && b.Count(id) > 0 {
				bid, length := a.Offer(id, uint32(round), r.Uint64N(400_000))
				if b.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: r.IntN(5)}) {
					bytesOffered += int(length)
					l.b.Wanted()
				}
			}
		}
		synctest.Wait()
		l.close()
		b.Plan.Again(peerA)
		a.Plan.Again(peerB)
		if round < 20 {
			continue
		}
		level := b.Plan.Len() == 0
		total := 0
		for _, id := range ids {
			total += a.Count(id)
			level = level && a.Count(id) == b.Count(id)
		}
		if level && total == said {
			break
		}
	}
	if b.StoredBytes() != bytesOffered {
		t.Errorf("seed %d: stored %d bytes of blobs of %d", seed, b.StoredBytes(), bytesOffered)
	}
}
