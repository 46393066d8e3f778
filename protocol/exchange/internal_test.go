package exchange

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

const (
	peerA = identity.PeerID("peer-a")
	peerB = identity.PeerID("peer-b")
)

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

// fixed is a clock that stands still.
type fixed struct{ at time.Time }

func (c fixed) Now() time.Time { return c.at }

func (c fixed) AfterFunc(time.Duration, func()) func() bool { return func() bool { return true } }

// TestSkew: what a hello says of the peer's clock is measured, and nonsense is nothing.
func TestSkew(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_800_000_000_000)
	for _, tc := range []struct {
		says uint64
		want time.Duration
	}{
		{1_800_000_090_000, 90 * time.Second},
		{1_799_996_400_000, -time.Hour},
		{0, 0},
		{skewMax + 1, 0},
		{1<<64 - 1, 0},
	} {
		s := New(Config{Clock: fixed{at}})
		s.measure(tc.says)
		if got := s.Peer().Skew; got != tc.want {
			t.Errorf("%d: %v, want %v", tc.says, got, tc.want)
		}
	}
}
