package exchange_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// clinic is a Local with real threads of a ledger.
type clinic struct {
	*exchangetest.Local
	self     ledger.Local
	changed  func(ledger.ThreadID)
	mu       sync.Mutex // guards all below
	profiles map[identity.PersonID]*identity.Profile
	contacts map[identity.PersonID]bool
	threads  map[ledger.ThreadID]*ledger.Thread
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	root := identity.NewRoot()
	d := identity.NewDevice(root.ID(), wire.NewSecret())
	p, err := identity.NewProfile(root.Person().Encode())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := root.CertifyDevice(d.Public(), "", 1, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AddStatement(cert); err != nil {
		t.Fatal(err)
	}
	kem := seal.NewKEM()
	card, err := d.SignCard(identity.Card{Number: 1, IssuedMS: 1, KEM: kem.Public()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.AddCard(card); err != nil {
		t.Fatal(err)
	}
	return &clinic{
		Local: exchangetest.New(t), self: ledger.Local{Device: d, KEMs: []*seal.KEM{kem}}, changed: func(ledger.ThreadID) {},
		profiles: map[identity.PersonID]*identity.Profile{root.ID(): p}, contacts: map[identity.PersonID]bool{},
		threads: map[ledger.ThreadID]*ledger.Thread{},
	}
}

func (c *clinic) id() identity.PersonID { return c.self.Device.Person() }

// know makes o a contact.
func (c *clinic) know(o *clinic) {
	c.Learn(exchange.Peer{}, o.profiles[o.id()].Records())
	c.contacts[o.id()] = true
}

func (c *clinic) Card(d identity.DeviceID) *identity.Card {
	for _, p := range c.profiles {
		if card, ok := p.Cards[d]; ok {
			return card
		}
	}
	return nil
}

func (c *clinic) Provers() []*identity.Device { return []*identity.Device{c.self.Device} }

func (c *clinic) Key(d identity.DeviceID) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.profiles {
		if cert, ok := p.Devices[d]; ok {
			return cert.Public.Ed25519[:], true
		}
	}
	for _, t := range c.threads {
		if cert, ok := t.Members().Certs[d]; ok {
			return cert.Public.Ed25519[:], true
		}
	}
	return nil, false
}

func (c *clinic) Known(ds []identity.DeviceID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(ds, func(d identity.DeviceID) bool {
		for id := range c.contacts {
			if _, ok := c.profiles[id].Devices[d]; ok {
				return true
			}
		}
		for _, t := range c.threads {
			if _, ok := t.Members().Devices[d]; ok {
				return true
			}
		}
		return false
	})
}

func (c *clinic) Greet(p exchange.Peer) [][]byte {
	shared, _ := c.Shared(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.profiles[c.id()].Records()
	for _, id := range shared {
		for person := range c.threads[id].Members().Ranks {
			if pr, ok := c.profiles[person]; ok && person != c.id() {
				out = append(out, pr.Records()...)
			}
		}
	}
	return out
}

func (c *clinic) Learn(_ exchange.Peer, records [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var last *identity.Profile
	for _, b := range records {
		if p, err := identity.NewProfile(b); err == nil {
			if c.profiles[p.ID] == nil {
				c.profiles[p.ID] = p
			}
			last = c.profiles[p.ID]
		} else if last != nil {
			_, _ = last.Add(b)
		}
	}
}

func (c *clinic) Shared(p exchange.Peer) (shared, withheld []ledger.ThreadID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, t := range c.threads {
		m := t.Members()
		if slices.ContainsFunc(p.Devices, func(d identity.DeviceID) bool { _, ok := m.Devices[d]; return ok }) {
			shared = append(shared, id)
		} else {
			withheld = append(withheld, id)
		}
	}
	return shared, withheld
}

func (c *clinic) Rows(id ledger.ThreadID) []ledger.Row {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.threads[id]; t != nil {
		return t.Rows()
	}
	return nil
}

func sealedOf(items []ledger.Item) [][]byte {
	var out [][]byte
	for _, it := range items {
		out = append(out, it.Sealed)
	}
	return out
}

func (c *clinic) Missing(id ledger.ThreadID, theirs []ledger.Row) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sealedOf(c.threads[id].Missing(theirs))
}

func (c *clinic) Answer(_ exchange.Peer, id ledger.ThreadID, n ledger.Need) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sealedOf(c.threads[id].Answer(n, c))
}

func (c *clinic) Receive(_ exchange.Peer, id *ledger.ThreadID, items [][]byte) exchange.Received {
	var got exchange.Received
	c.mu.Lock()
	var t *ledger.Thread
	if id != nil {
		t = c.threads[*id]
	}
	for _, b := range items {
		if t == nil {
			name, err := ledger.OpenPacket(b, []ledger.Local{c.self})
			if err != nil {
				got.Bad++
				continue
			}
			if t = c.threads[name]; t == nil {
				t = ledger.NewThread(name)
				c.threads[name] = t
			}
		}
		r, err := t.Receive(b, []ledger.Local{c.self})
		if err != nil {
			got.Bad++
		}
		for _, a := range r.Admitted {
			row := ledger.Row{Chain: a.Chain, Seq: a.Seq, Entry: [8]byte(a.ID[:8])}
			copy(row.Device[:], a.Device[:])
			got.Rows = append(got.Rows, row)
		}
	}
	if t != nil {
		got.Thread, got.Known, got.Need = t.ID(), true, t.Need()
	}
	c.mu.Unlock()
	if got.Known {
		c.changed(got.Thread)
	}
	return got
}

func (c *clinic) say(t *testing.T, id ledger.ThreadID, text string) {
	t.Helper()
	c.mu.Lock()
	type body struct {
		Text string `cbor:"1,keyasint"`
	}
	_, err := c.threads[id].Append(c.self, ledger.Message, body{text}, 1000, c)
	c.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	c.changed(id)
}

func (c *clinic) add(t *testing.T, id ledger.ThreadID, o *clinic, rank ledger.Rank) {
	t.Helper()
	c.mu.Lock()
	p := o.profiles[o.id()]
	body := ledger.RoleBody{Person: p.ID, Rank: rank}
	if rank > 0 {
		body.Record = &p.Person
		for _, d := range p.Devices {
			body.Certs = append(body.Certs, d.Bytes)
		}
	}
	_, err := c.threads[id].Role(c.self, body, 1000, c)
	c.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	c.changed(id)
}

func (c *clinic) entries(id ledger.ThreadID) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.threads[id]; t != nil {
		return len(t.Entries())
	}
	return 0
}

func join(t *testing.T, a, b *clinic) *link {
	t.Helper()
	return connectTo(t, a, b, 0, func(sa, sb *exchange.Session) { a.changed, b.changed = sa.Changed, sb.Changed })
}

// TestMembersConverge: an owner and two members that are no contacts of each other.
// One hears of the case from the other member alone, and both directions level.
func TestMembersConverge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		owner, second, third := newClinic(t), newClinic(t), newClinic(t)
		owner.know(second)
		owner.know(third)
		second.know(owner)
		third.know(owner)
		p := owner.profiles[owner.id()]
		th, _, err := ledger.Found(owner.self, []identity.Person{p.Person}, [][]byte{p.Statements[0]}, 1, owner)
		if err != nil {
			t.Fatal(err)
		}
		id := th.ID()
		owner.threads[id] = th
		owner.say(t, id, "question")

		l := join(t, owner, second)
		synctest.Wait()
		if second.entries(id) != 0 {
			t.Fatal("a contact who is no member got the case")
		}
		owner.add(t, id, second, ledger.RankWriter)
		owner.add(t, id, third, ledger.RankWriter)
		for i := range 50 {
			owner.say(t, id, fmt.Sprint("more ", i))
		}
		synctest.Wait()
		if got, want := second.entries(id), owner.entries(id); got != want {
			t.Fatalf("second has %d entries of %d", got, want)
		}
		second.say(t, id, "opinion")
		synctest.Wait()
		l.close()

		l = join(t, second, third)
		synctest.Wait()
		third.say(t, id, "another opinion")
		synctest.Wait()
		l.close()
		l = join(t, third, owner)
		synctest.Wait()
		roots := map[[32]byte]int{owner.threads[id].Root(): 1, third.threads[id].Root(): 1}
		if len(roots) != 1 {
			t.Errorf("owner has %d entries, second %d, third %d", owner.entries(id), second.entries(id), third.entries(id))
		}

		// The removed member hears nothing more.
		owner.add(t, id, third, ledger.RankNone)
		had := third.entries(id)
		owner.say(t, id, "among us")
		synctest.Wait()
		if third.entries(id) != had {
			t.Error("a removed member was served")
		}
		l.close()
	})
}
