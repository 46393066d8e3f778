package relay

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/curbside-p2p/curbside/node/peering"
)

// TestGate: who is not listed holds no reservation, who has used up the budget is served
// again the next day, and private addresses are dialled only where that was asked for.
func TestGate(t *testing.T) {
	now := time.Unix(1e9, 0)
	cfg := Config{Budget: 1000, Now: func() time.Time { return now }}
	g := newGate(map[peer.ID]bool{"clinic": true}, cfg)
	over := 0
	g.onOver(func(peer.ID) { over++ })
	if !g.AllowReserve("clinic", nil) || g.AllowReserve("stranger", nil) {
		t.Error("reservations are not by the list")
	}
	if !g.AllowConnect("stranger", nil, "clinic") {
		t.Error("a stranger does not reach who is listed")
	}
	g.LogRecvMessageStream(600, "", "clinic")
	g.LogSentMessageStream(500, "", "clinic")
	g.LogSentMessageStream(500, "", "clinic")
	if g.AllowReserve("clinic", nil) || g.AllowConnect("clinic", nil, "x") || g.InterceptSecured(0, "clinic", nil) || over != 1 {
		t.Errorf("over the budget and served; told %d times", over)
	}
	if !g.AllowConnect("other", nil, "clinic") {
		t.Error("one peer's budget is another's")
	}
	now = now.Add(budgetSpan)
	if !g.AllowReserve("clinic", nil) {
		t.Error("not served the next day")
	}
	for addr, public := range map[string]bool{"/ip4/192.168.1.1/tcp/1": false, "/ip4/127.0.0.1/tcp/1": false, "/ip4/1.1.1.1/tcp/1": true} {
		if got := g.InterceptAddrDial("x", ma.StringCast(addr)); got != public {
			t.Errorf("dials %s: %v", addr, got)
		}
	}
	if _, err := New(Config{Key: testKey(t), Allow: []string{"nobody"}}); err == nil {
		t.Error("an unreadable list lets everybody in")
	}
}

// TestRates: whoever floods waits, the others do not.
func TestRates(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := newRates(1<<20, func() time.Time { return now })
	var wait time.Duration
	for range 1000 { // small deposits: each costs requestCost
		wait = r.spend("flooder", 10)
	}
	if wait < 10*time.Second {
		t.Errorf("a flood of 1,000 deposits waits %v", wait)
	}
	if d := r.spend("friend", 100<<10); d != 0 {
		t.Errorf("somebody else waits %v", d)
	}
	now = now.Add(time.Minute)
	if d := r.spend("flooder", 10); d != 0 {
		t.Errorf("after a minute it waits %v", d)
	}
}

func testKey(t *testing.T) []byte {
	t.Helper()
	key, err := peering.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}
