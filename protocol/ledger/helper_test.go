package ledger

import (
	"fmt"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// actor is a person with one or more devices, made from fixed seeds.
type actor struct {
	root    *identity.Root
	devices []Local
	certs   [][]byte
	prev    *[32]byte
	number  uint64
}

// cast is everybody of a test with their cards.
type cast struct {
	tb    testing.TB
	cards map[identity.DeviceID]*identity.Card
	seed  uint32
	nowMS int64
}

func newCast(tb testing.TB) *cast {
	tb.Helper()
	return &cast{tb: tb, cards: map[identity.DeviceID]*identity.Card{}, nowMS: 1_700_000_000_000}
}

func (c *cast) Card(id identity.DeviceID) *identity.Card { return c.cards[id] }

func (c *cast) fresh() (s wire.Secret) {
	c.seed++
	return wire.Hash("test/seed", []byte(fmt.Sprint(c.seed)))
}

func (c *cast) tick() int64 { c.nowMS += 1000; return c.nowMS }

// person makes a person with n devices.
func (c *cast) person(n int) *actor {
	c.tb.Helper()
	a := &actor{root: identity.RootFromSeed(c.fresh())}
	for range n {
		c.device(a)
	}
	return a
}

func (c *cast) device(a *actor) Local {
	c.tb.Helper()
	d := identity.NewDevice(a.root.ID(), c.fresh())
	l := Local{Device: d, KEMs: []*seal.KEM{seal.KEMFromSeed(c.fresh())}}
	a.number++
	cert, err := a.root.CertifyDevice(d.Public(), "", a.number, a.prev, 1)
	must(c.tb, err)
	id := identity.RecordID(cert)
	a.prev = &id
	a.devices, a.certs = append(a.devices, l), append(a.certs, cert)
	c.cards[d.ID()] = &identity.Card{Version: 1, Device: d.ID(), Number: 1, KEM: l.KEMs[0].Public()}
	return l
}

func (a *actor) id() identity.PersonID { return a.root.ID() }
func (a *actor) local() Local          { return a.devices[0] }

func (a *actor) join(rank Rank) RoleBody {
	p := a.root.Person()
	return RoleBody{Person: a.id(), Rank: rank, Record: &p, Certs: raws(a.certs)}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// note is a body as content has one.
type note struct {
	Text string `cbor:"1,keyasint"`
}

// found starts a thread of one founder.
func (c *cast) found(a *actor) (*Thread, []Item) {
	c.tb.Helper()
	t, items, err := Found(a.local(), []identity.Person{a.root.Person()}, a.certs, c.tick(), c)
	must(c.tb, err)
	return t, items
}

func (c *cast) say(t *Thread, l Local, text string) []Item {
	c.tb.Helper()
	items, err := t.Append(l, Message, note{text}, c.tick(), c)
	must(c.tb, err)
	return items
}

func (c *cast) role(t *Thread, by Local, body RoleBody) []Item {
	c.tb.Helper()
	items, err := t.Role(by, body, c.tick(), c)
	must(c.tb, err)
	return items
}

// feed gives items to a replica and fails on refusals.
func feed(tb testing.TB, t *Thread, items []Item, locals ...Local) (admitted int) {
	tb.Helper()
	for _, it := range items {
		r, err := t.Receive(it.Sealed, locals)
		must(tb, err)
		for _, rep := range r.Reports {
			tb.Fatalf("report: %v", rep)
		}
		admitted += len(r.Admitted)
	}
	return admitted
}

// level exchanges until both have the same.
func level(tb testing.TB, a *Thread, la Local, b *Thread, lb Local) {
	tb.Helper()
	for range 5 {
		ra, rb := a.Rows(), b.Rows()
		feed(tb, b, a.Missing(rb), lb)
		feed(tb, a, b.Missing(ra), la)
		if a.Root() == b.Root() {
			return
		}
	}
	tb.Fatal("not level after five rounds")
}
