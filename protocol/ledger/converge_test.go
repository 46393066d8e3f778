package ledger

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// crowd is a thread with a replica for each of its members.
type crowd struct {
	*cast
	id       ThreadID
	people   []*actor
	replicas []*Thread
}

func newCrowd(tb testing.TB, n int) *crowd {
	tb.Helper()
	c := &crowd{cast: newCast(tb)}
	for range n {
		c.people = append(c.people, c.person(1))
	}
	first, _ := c.found(c.people[0])
	c.id = first.ID()
	for _, p := range c.people[1:] {
		rank := RankWriter
		if p == c.people[1] {
			rank = RankAdmin
		}
		c.role(first, c.people[0].local(), p.join(rank))
	}
	c.replicas = []*Thread{first}
	for _, p := range c.people[1:] {
		t := NewThread(c.id)
		feed(tb, t, first.Missing(nil), p.local())
		c.replicas = append(c.replicas, t)
	}
	return c
}

// meet levels two replicas.
func (c *crowd) meet(i, j int) {
	c.tb.Helper()
	level(c.tb, c.replicas[i], c.people[i].local(), c.replicas[j], c.people[j].local())
}

func (c *crowd) meetAll() {
	c.tb.Helper()
	for i := range c.replicas[1:] {
		c.meet(0, i+1)
	}
	for i := range c.replicas[1:] {
		c.meet(0, i+1)
	}
}

// busy makes a thread of about n entries, written by everybody at once, with
// the odd meeting between.
func busy(tb testing.TB, n int) *crowd {
	tb.Helper()
	c := newCrowd(tb, 3)
	r := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		who := r.IntN(len(c.people))
		c.say(c.replicas[who], c.people[who].local(), "a finding, or a question about one")
		if i%100 == 0 {
			c.meet(who, (who+1)%len(c.people))
		}
		if i%(n/4+1) == n/8 { // an observer comes, made by whoever is there
			c.role(c.replicas[i%2], c.people[i%2].local(), c.person(1).join(RankReader))
		}
	}
	c.meetAll()
	return c
}

// state is everything that must not depend on the order of arrival.
func state(t *Thread) any {
	type seen struct {
		ID      EntryID
		Person  any
		InForce bool
	}
	var all []seen
	for _, e := range t.Entries() {
		all = append(all, seen{e.ID, e.Person, t.InForce(e)})
	}
	m := *t.Members()
	m.Certs = nil // compared by what they certify: Devices
	return []any{t.Root(), t.Rows(), m, all, len(t.Secrets())}
}

// TestConverge: 5,000 entries in random order with duplicates, given to two
// members in different orders: the same root and state.
func TestConverge(t *testing.T) {
	c := busy(t, 5000)
	want := state(c.replicas[0])
	items := c.replicas[0].Missing(nil)
	for _, i := range []int{1, 2} {
		got := NewThread(c.id)
		r := rand.New(rand.NewPCG(uint64(i), 3))
		order := append(append([]Item{}, items...), items[:len(items)/2]...)
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		admitted, duplicates := 0, 0
		for _, it := range order {
			res, err := got.Receive(it.Sealed, []Local{c.people[i].local()})
			must(t, err)
			admitted += len(res.Admitted)
			if res.Duplicate {
				duplicates++
			}
		}
		if admitted != len(items) || duplicates != len(items)/2 {
			t.Fatalf("admitted %d of %d, %d duplicates", admitted, len(items), duplicates)
		}
		if !reflect.DeepEqual(state(got), want) {
			t.Fatal("state differs by order of arrival")
		}
	}
	for _, o := range c.replicas[1:] {
		if !reflect.DeepEqual(state(o), want) {
			t.Fatal("replicas differ after they met")
		}
	}
}

func BenchmarkReceive5000(b *testing.B) {
	c := busy(b, 5000)
	items := c.replicas[0].Missing(nil)
	r := rand.New(rand.NewPCG(1, 3))
	r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	for b.Loop() {
		t := NewThread(c.id)
		for _, it := range items {
			if _, err := t.Receive(it.Sealed, []Local{c.people[1].local()}); err != nil {
				b.Fatal(err)
			}
		}
		if t.Root() != c.replicas[0].Root() {
			b.Fatal("not level")
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	c := newCrowd(b, 4)
	for b.Loop() {
		c.say(c.replicas[0], c.people[0].local(), "a finding")
	}
}

func BenchmarkMissing5000(b *testing.B) {
	c := busy(b, 5000)
	rows := c.replicas[1].Rows()
	c.say(c.replicas[0], c.people[0].local(), "one more")
	for b.Loop() {
		if n := len(c.replicas[0].Missing(rows)); n != 1 {
			b.Fatalf("missing %d", n)
		}
	}
}

func BenchmarkEpoch30(b *testing.B) {
	c := newCrowd(b, 30)
	for b.Loop() {
		if _, err := c.replicas[0].Rekey(c.people[0].local(), c.tick(), c); err != nil {
			b.Fatal(err)
		}
	}
}
