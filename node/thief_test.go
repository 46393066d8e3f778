package node_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// thief is a node with a program of its own: it claims to share every case it knows the id of, and
// asks for every blob it knows the name of, from everybody, again and again.
type thief struct {
	t       *testing.T
	device  *identity.Device
	records [][]byte
	net     *peering.Node
	thread  ledger.ThreadID
	blobs   map[blob.ID]uint64 // sealed lengths
	keys    map[identity.DeviceID][]byte

	mu       sync.Mutex // guards what follows
	targets  []identity.PeerAddrs
	answered map[identity.PeerID]bool
	items    int
	ranges   int
	refused  map[exchange.Reason]int
	haves    int
	shown    int // records that came
}

// somebody is a new person with a device and a card.
func somebody(t *testing.T, name string) (*identity.Device, [][]byte) {
	t.Helper()
	root := identity.NewRoot()
	person := root.Person()
	device := identity.NewDevice(person.ID(), wire.NewSecret())
	now := time.Now().UnixMilli()
	cert, err := root.CertifyDevice(device.Public(), "", 1, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	card, err := device.SignCard(identity.Card{Number: 1, IssuedMS: now, KEM: seal.NewKEM().Public(), Name: name, Kind: 1})
	if err != nil {
		t.Fatal(err)
	}
	return device, [][]byte{person.Encode(), cert, card}
}

func newThief(t *testing.T, thread ledger.ThreadID, blobs map[blob.ID]uint64) *thief {
	t.Helper()
	device, records := somebody(t, "Thief")
	x := &thief{
		t: t, device: device, records: records, thread: thread, blobs: blobs, keys: map[identity.DeviceID][]byte{},
		answered: map[identity.PeerID]bool{}, refused: map[exchange.Reason]int{},
	}
	var err error
	key, err := peering.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	x.net, err = peering.New(peering.Config{Key: key, Listen: []string{loopback}, NoDHT: true, Local: x, Targets: x.wanted})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- x.net.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatal("the thief's node does not run")
	}
	return x
}

func (x *thief) wanted() []identity.PeerAddrs {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.targets
}

// befriend uses up an invite, in whosever name.
func (x *thief) befriend(p *clinic, records [][]byte) {
	x.t.Helper()
	inv, err := identity.ParseInvite(p.invite())
	if err != nil {
		x.t.Fatal(err)
	}
	join, err := inv.Join(records)
	if err != nil {
		x.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(x.t.Context(), patience)
	defer cancel()
	accept, err := x.net.Join(ctx, inv.Peers, join)
	if err != nil {
		x.t.Fatal(err)
	}
	prof, err := identity.OpenAccept(inv, join, accept)
	if err != nil {
		x.t.Fatal(err)
	}
	for id, d := range prof.Devices {
		x.keys[id] = d.Public.Ed25519[:]
	}
}

// try has new sessions with nodes until each has answered its wants, and listens a while longer.
func (x *thief) try(at ...identity.PeerAddrs) {
	x.t.Helper()
	end := time.Now().Add(patience)
	x.aim(nil)
	for len(x.net.Peers()) > 0 && time.Now().Before(end) {
		time.Sleep(10 * time.Millisecond)
		x.net.Restart()
	}
	x.mu.Lock()
	clear(x.refused)
	clear(x.answered)
	x.items, x.ranges, x.haves = 0, 0, 0
	x.mu.Unlock()
	x.aim(at)
	for !x.heard(at) {
		if time.Now().After(end) {
			x.t.Fatal("the thief's wants are not even answered")
		}
		time.Sleep(10 * time.Millisecond)
		x.net.Changed(x.thread)
		x.net.Wanted()
	}
	time.Sleep(300 * time.Millisecond)
}

func (x *thief) aim(at []identity.PeerAddrs) {
	x.mu.Lock()
	x.targets = at
	x.mu.Unlock()
	x.net.Renew()
}

// heard reports whether each node has refused or served a range.
func (x *thief) heard(at []identity.PeerAddrs) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !slices.ContainsFunc(at, func(a identity.PeerAddrs) bool { return !x.answered[a.PeerID] })
}

func (x *thief) Provers() []*identity.Device { return []*identity.Device{x.device} }

func (x *thief) Key(d identity.DeviceID) ([]byte, bool)                { k, ok := x.keys[d]; return k, ok }
func (x *thief) Known([]identity.DeviceID) bool                        { return true }
func (x *thief) Greet(exchange.Peer) [][]byte                          { return x.records }
func (x *thief) Join([]byte) ([]byte, error)                           { return nil, nil }
func (x *thief) Rows(ledger.ThreadID) []ledger.Row                     { return []ledger.Row{{Seq: 1}} }
func (x *thief) Missing(ledger.ThreadID, []ledger.Row) [][]byte        { return nil }
func (x *thief) PeerHas(exchange.Peer, ledger.ThreadID, exchange.Have) { x.count(&x.haves, 1) }
func (x *thief) Haves(exchange.Peer, ledger.ThreadID) []exchange.Have  { return nil }
func (x *thief) Learn(_ exchange.Peer, r [][]byte)                     { x.count(&x.shown, len(r)) }
func (x *thief) Shared(exchange.Peer) (shared, not []ledger.ThreadID) {
	return []ledger.ThreadID{x.thread}, nil
}
func (x *thief) Answer(exchange.Peer, ledger.ThreadID, ledger.Need) [][]byte { return nil }

func (x *thief) count(n *int, by int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	*n += by
}

func (x *thief) Receive(_ exchange.Peer, _ *ledger.ThreadID, items [][]byte) exchange.Received {
	x.count(&x.items, len(items))
	return exchange.Received{}
}

func (x *thief) Wants(p exchange.Peer, ask exchange.Ask) []exchange.Want {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.answered[p.ID] {
		return nil
	}
	var out []exchange.Want
	for id, length := range x.blobs {
		if len(out) < min(ask.Count, 8) {
			out = append(out, exchange.Want{Blob: id, Length: length, First: 0, N: 1, Priority: 0})
		}
	}
	return out
}

func (x *thief) Store(p exchange.Peer, _ exchange.Want, _ []byte, _ [][32]byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ranges++
	x.answered[p.ID] = true
	return nil
}

func (x *thief) Dropped(p exchange.Peer, ws []exchange.Want, why exchange.Reason) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.refused[why] += len(ws)
	if why == exchange.NotAllowed {
		x.answered[p.ID] = true
	}
}

func (x *thief) Serve(exchange.Peer, exchange.Want, []byte) ([]byte, [][32]byte, error) {
	return nil, nil, exchange.ErrAbsent
}

// loot is what a node has: what the thief has heard of.
func (p *clinic) loot() map[blob.ID]uint64 {
	p.t.Helper()
	out := map[blob.ID]uint64{}
	files(p.t, filepath.Join(p.home, "blobs"), func(path string, data []byte) {
		if id, err := blob.ParseID(filepath.Base(path)); err == nil {
			out[id] = uint64(len(data))
		}
	})
	if len(out) < 5 {
		p.t.Fatalf("%d blobs", len(out))
	}
	return out
}

func (p *clinic) at() identity.PeerAddrs {
	p.t.Helper()
	inv, err := identity.ParseInvite(p.invite())
	if err != nil || len(inv.Peers) != 1 {
		p.t.Fatal(inv.Peers, err)
	}
	return inv.Peers[0]
}

// TestNoMember is issue 2: who is no member of a case gets neither its entries nor its blobs,
// whatever they know: as a stranger, and as a contact. The same program gets both as a member, so
// that the test is known to ask in the right way.
func TestNoMember(t *testing.T) {
	t.Parallel()
	a, b := serving(t, "Ask"), serving(t, "Answer")
	befriend(a, b)
	id := a.ask(a.take(small(4)), "what is it?", "Answer")
	b.complete(id)
	thread, err := ledger.ParseThreadID(id)
	if err != nil {
		t.Fatal(err)
	}
	x := newThief(t, thread, a.loot())
	// It knows whom it talks to, from an invite to somebody else.
	_, decoy := somebody(t, "Decoy")
	x.befriend(a, decoy)
	x.befriend(b, decoy)

	nothing := func(as string) {
		t.Helper()
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.items > 0 || x.ranges > 0 || x.haves > 0 {
			t.Errorf("%s got %d entries, %d ranges and heard of %d studies", as, x.items, x.ranges, x.haves)
		}
		if x.refused[exchange.NotAllowed] == 0 {
			t.Errorf("%s was not even refused: %v", as, x.refused)
		}
		clear(x.refused)
	}
	x.try(a.at(), b.at())
	nothing("a stranger")
	if x.shown > 0 {
		t.Error("a stranger was shown records")
	}

	x.befriend(a, x.records)
	x.befriend(b, x.records)
	x.try(a.at(), b.at())
	nothing("a contact")

	call(a, control.CaseInvite, control.CaseInviteRequest{Case: id, To: []string{"Thief"}, Role: "observer"})
	x.try(a.at())
	a.eventually(func() string {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.items == 0 || x.ranges == 0 {
			return fmt.Sprintf("as a member it got %d entries and %d ranges", x.items, x.ranges)
		}
		return ""
	})

	call(a, control.CaseRemove, control.CaseMemberRequest{Case: id, Member: "Thief"})
	b.eventually(func() string {
		for _, m := range b.show(id).Members {
			if m.Name == "Thief" && m.Role == "removed" {
				return ""
			}
		}
		return "not removed yet"
	})
	x.try(a.at(), b.at())
	nothing("a former member")
}

func (x *thief) Unwanted(exchange.Peer) []exchange.Want { return nil }
