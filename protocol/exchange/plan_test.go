package exchange_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

func anyThread(ledger.ThreadID) bool { return true }

// TestPlan: ranges come in reading order within a priority, urgent blobs first, none
// twice, and what is dropped comes again, but not from who did not have it.
func TestPlan(t *testing.T) {
	p := exchange.NewPlan()
	a, b := exchange.Peer{ID: peerA}, exchange.Peer{ID: peerB}
	length := blob.SealedLen(3 * 65_536)
	for i := range 4 {
		p.Add(exchange.Goal{Blob: blob.ID{byte(i)}, Length: length, Priority: 3, Order: uint64(10 - i)})
	}
	ask := exchange.Ask{Priority: 4, Count: 3, Bytes: 1 << 30, Leaves: 2}
	show := func(ws []exchange.Want) (s string) {
		for _, w := range ws {
			s += fmt.Sprintf("%d:%d+%d/%d ", w.Blob[0], w.First, w.N, w.Priority)
		}
		return s
	}
	first := p.Wants(a, anyThread, ask)
	if got := show(first); got != "3:0+2/3 3:2+2/3 3:4+1/3 " {
		t.Errorf("first: %s", got)
	}
	p.Raise(blob.ID{0}, 0)
	if got := show(p.Wants(b, anyThread, ask)); got != "0:0+2/0 0:2+2/0 0:4+1/0 " {
		t.Errorf("raised: %s", got)
	}
	p.Dropped(a, first[1:2], exchange.Absent)
	if got := show(p.Wants(a, anyThread, ask)); got != "2:0+2/3 2:2+2/3 2:4+1/3 " {
		t.Errorf("a again: %s", got)
	}
	if got := show(p.Wants(b, anyThread, exchange.Ask{Priority: 4, Count: 1, Bytes: 1, Leaves: 16})); got != "3:2+2/3 " {
		t.Errorf("b takes what a did not have: %s", got)
	}
	p.Again(peerA)
	for _, w := range first {
		if p.Stored("", w) != (w.First == 4) {
			t.Errorf("whole after %d", w.First)
		}
	}
	if _, _, wanted := p.Progress(blob.ID{3}); wanted || p.Len() != 3 {
		t.Errorf("a whole blob is still wanted, %d blobs", p.Len())
	}
	if p.Add(exchange.Goal{Blob: blob.ID{9}, Length: length, Has: []bool{true, true, true, true, true}}) {
		t.Error("a whole blob is wanted")
	}
	if got := show(p.Wants(a, func(ledger.ThreadID) bool { return false }, ask)); got != "" {
		t.Errorf("from somebody else's thread: %s", got)
	}
}

// TestPlanEverything: whatever is dropped and by whom, in the end every leaf is asked
// for, and never of two peers at once unless one is late.
func TestPlanEverything(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := exchange.NewPlan()
		left := map[string]bool{}
		for i := range 1 + r.IntN(30) {
			n := r.Uint64N(3_000_000)
			id := blob.ID{byte(i), byte(seed)}
			for leaf := range blob.LeafCount(blob.SealedLen(n)) {
				left[fmt.Sprint(id, leaf)] = true
			}
			p.Add(exchange.Goal{Blob: id, Length: blob.SealedLen(n), Priority: r.IntN(5), Order: r.Uint64N(4)})
		}
		peers := []exchange.Peer{{ID: "x"}, {ID: "y"}, {ID: "z"}}
		flying := map[string]bool{}
		now := time.Unix(0, 0)
		for round := 0; p.Len() > 0; round++ {
			if round > 100_000 {
				t.Fatalf("seed %d: %d blobs left", seed, p.Len())
			}
			peer := peers[r.IntN(3)]
			ws := p.Wants(peer, anyThread, exchange.Ask{Priority: r.IntN(5), Count: 1 + r.IntN(5), Bytes: 1 << 22, Leaves: 1 + r.IntN(16), Now: now})
			for _, w := range ws {
				for leaf := w.First; leaf < w.First+w.N; leaf++ {
					if k := fmt.Sprint(w.Blob, leaf); flying[k] || !left[k] {
						t.Fatalf("seed %d: leaf asked for twice", seed)
					} else {
						flying[k] = true
					}
				}
			}
			for _, w := range ws {
				stored := r.IntN(3) > 0
				for leaf := w.First; leaf < w.First+w.N; leaf++ {
					delete(flying, fmt.Sprint(w.Blob, leaf))
					if stored {
						delete(left, fmt.Sprint(w.Blob, leaf))
					}
				}
				if stored {
					p.Stored("", w)
				} else {
					p.Dropped(peer, []exchange.Want{w}, []exchange.Reason{exchange.Absent, exchange.Busy, exchange.Ended}[r.IntN(3)])
				}
			}
			p.Again(peer.ID)
		}
		if len(left) > 0 {
			t.Errorf("seed %d: %d leaves never stored", seed, len(left))
		}
	}
}

// TestStalledSource: what a source owes and does not send is asked of another one.
func TestStalledSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := exchangetest.New(t), exchangetest.New(t), exchangetest.New(t)
		exchangetest.Befriend(a, c)
		exchangetest.Befriend(b, c)
		id := a.Found("case", b, c)
		b.Claim(id, a, b, c)
		c.Claim(id, a, b, c)
		hang := make(chan struct{})
		a.Refuse = func(exchange.Want) error {
			<-hang
			return nil
		}
		got := make(chan blob.ID, 1)
		c.OnStore = func(x blob.ID) { got <- x }
		la := connectAs(t, "peer-of-a", a, c)
		synctest.Wait()
		bid, length := a.Offer(id, 7, 3_000_000)
		b.Offer(id, 7, 3_000_000)
		c.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: 3})
		la.b.Wanted()
		synctest.Wait()
		lb := connectAs(t, "peer-of-b", b, c)
		la.stalled.Store(lb.b)
		begun := time.Now()
		<-got
		if d := time.Since(begun); d > 10*time.Second {
			t.Errorf("it took %v", d)
		}
		close(hang)
		synctest.Wait()
		la.close()
		lb.close()
	})
}

// TestFalseLength: a member that names a blob with a false length first keeps nobody from fetching
// it by the true one, which ends both.
func TestFalseLength(t *testing.T) {
	p := exchange.NewPlan()
	id := blob.ID{7}
	untrue, length := blob.SealedLen(10*65_536), blob.SealedLen(10)
	p.Add(exchange.Goal{Blob: id, Length: untrue, Priority: 1})
	p.Add(exchange.Goal{Blob: id, Length: length, Priority: 1})
	ask := exchange.Ask{Priority: 4, Count: 100, Bytes: 1 << 30, Leaves: 16}
	wants := p.Wants(exchange.Peer{ID: peerA}, anyThread, ask)
	var sound []exchange.Want
	for _, w := range wants {
		if w.Length == untrue {
			p.Dropped(exchange.Peer{ID: peerA}, []exchange.Want{w}, exchange.Absent)
		} else {
			sound = append(sound, w)
		}
	}
	p.Raise(id, 0)
	if len(sound) != 1 || len(sound) == len(wants) {
		t.Fatalf("wants %+v", wants)
	}
	if !p.Stored("", sound[0]) || p.Len() != 0 {
		t.Errorf("the true blob came, %d are wanted", p.Len())
	}
	if w := p.Wants(exchange.Peer{ID: peerB}, anyThread, ask); len(w) != 0 {
		t.Errorf("still asks for %+v", w)
	}
}
