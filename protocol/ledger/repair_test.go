package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Secrets that a damaged vault gives back do not cost the thread, as long as
// the KEM keys are there.
func TestWrongRestoredSecrets(t *testing.T) {
	c := newCrowd(t, 2)
	anna := c.replicas[0]
	c.say(anna, c.people[0].local(), "x")
	wrong := anna.Secrets()
	for id := range wrong {
		wrong[id] = wire.NewSecret()
	}
	th := NewThread(c.id)
	th.Restore(wrong)
	for _, it := range anna.Missing(nil) {
		_, err := th.Receive(it.Sealed, []Local{c.people[0].local()})
		must(t, err)
	}
	if th.Root() != anna.Root() {
		t.Fatal("the thread is lost")
	}
	for id, es := range anna.Secrets() {
		if !th.Secrets()[id].Equal(es) {
			t.Fatal("a wrong secret stayed")
		}
	}
}

// An epoch entry may come in an envelope and wait; its packet then takes the
// envelope's place, and its secret is known once it is admitted.
func TestEpochInEnvelope(t *testing.T) {
	c := newCrowd(t, 2)
	anna, ben := c.replicas[0], c.replicas[1]
	tip, _ := anna.newestEpoch()
	items := c.role(anna, c.people[0].local(), c.person(1).join(RankReader))
	post := c.say(anna, c.people[0].local(), "under the new epoch")
	box, _ := anna.keys.box(tip, Control)
	envelope := box.seal(anna.Entry(items[1].Entry).encode())

	feed(t, ben, []Item{{Sealed: envelope}, items[1], post[0]}, c.people[1].local())
	feed(t, ben, items[:1], c.people[1].local())
	if ben.Root() != anna.Root() || ben.ByID([]EntryID{items[1].Entry})[0].Sealed[0] != typePacket {
		t.Fatal("the packet was not taken for the envelope")
	}

	// Admitted in its envelope, its packet replaces it.
	late := NewThread(c.id)
	late.Restore(map[EpochID]wire.Secret{tip: anna.keys.secrets[tip]})
	feed(t, late, anna.Missing(nil)[:3], c.people[1].local())
	feed(t, late, anna.Missing(nil)[4:6])
	feed(t, late, anna.Missing(nil), c.people[1].local())
	if late.Root() != anna.Root() || late.waiting.bytes != 0 || late.waiting.locked != 0 || late.waiting.sealedOnly != 0 {
		t.Fatalf("%+v", late.Need())
	}
}

// What a remover saw of a forked chain counts, branch by branch.
func TestCutOfForkedChain(t *testing.T) {
	c := newCrowd(t, 3)
	ben, l := c.replicas[2], c.people[2].local()
	c.say(ben, l, "one")
	clone := copyOf(t, ben)
	a2, a3 := c.say(ben, l, "two"), c.say(ben, l, "three")
	b2, b3 := c.say(clone, l, "other two"), c.say(clone, l, "other three")
	c.meet(0, 2)
	anna := c.replicas[0]
	c.role(anna, c.people[0].local(), RoleBody{Person: c.people[2].id()})
	feed(t, anna, append(b2, b3...))
	force := func(it []Item) bool { return anna.InForce(anna.Entry(it[0].Entry)) }
	if !force(a2) || !force(a3) || force(b2) || force(b3) {
		t.Fatal("the branch that was not seen counts, or the other does not")
	}
	admit := AdmitBody{Device: l.Device.ID(), Seq: 2, Entry: b2[0].Entry}
	_, err := anna.Admit(c.people[0].local(), admit, c.tick(), c)
	must(t, err)
	if !force(a3) || !force(b2) || force(b3) {
		t.Fatal("an admit of one branch touched the other")
	}
	if len(anna.From(l.Device.ID(), Content, 2)) != 4 {
		t.Fatal("From does not give all branches")
	}
}

// Verdicts follow what cuts name, whenever it comes.
func TestCutNamesWhatComesLater(t *testing.T) {
	c := newCrowd(t, 3)
	ben, l := c.replicas[2], c.people[2].local()
	clone := copyOf(t, ben)
	a := c.say(ben, l, "seen by the remover")
	b := c.say(clone, l, "shown to others")
	c.meet(0, 2)
	remover := c.replicas[0]
	removal := c.role(remover, c.people[0].local(), RoleBody{Person: c.people[2].id()})
	other := c.replicas[1]
	feed(t, other, b)
	feed(t, other, removal, c.people[1].local())
	if !other.InForce(other.Entry(b[0].Entry)) {
		t.Fatal("while the entry named is not here, its number counts")
	}
	feed(t, other, a)
	if other.InForce(other.Entry(b[0].Entry)) || !other.InForce(other.Entry(a[0].Entry)) {
		t.Fatal("the entry named came, and decides nothing")
	}
}

func TestPrecedes(t *testing.T) {
	c := newCrowd(t, 3)
	one := c.say(c.replicas[0], c.people[0].local(), "one")[0].Entry
	two := c.say(c.replicas[1], c.people[1].local(), "two")[0].Entry
	c.meetAll()
	three := c.say(c.replicas[2], c.people[2].local(), "three")[0].Entry
	c.meetAll()
	th := c.replicas[0]
	create := EntryID(c.id)
	for _, x := range []struct {
		a, b EntryID
		want bool
	}{
		{one, three, true},
		{two, three, true},
		{one, two, false},
		{two, one, false},
		{three, one, false},
		{create, three, true},
		{three, create, false},
		{one, one, false},
		{EntryID{}, one, false},
	} {
		if got := th.Precedes(x.a, x.b); got != x.want {
			t.Errorf("%s before %s: got %v", x.a, x.b, got)
		}
	}
}

// Neither a thread nor what it returns prints a secret.
func TestPrintsNoSecret(t *testing.T) {
	c := newCrowd(t, 1)
	th := c.replicas[0]
	r, err := th.Receive([]byte{typeEnvelope}, []Local{c.people[0].local()})
	if err == nil {
		t.Fatal("taken")
	}
	text := fmt.Sprintf("%v %+v %#v %v %v", th, th, th, r, th.Secrets())
	for _, es := range th.keys.secrets {
		if strings.Contains(text, fmt.Sprintf("%x", [32]byte(es))) || strings.Contains(text, fmt.Sprint([32]byte(es))) {
			t.Fatal("a secret is printed")
		}
	}
	if text[:7] != "thread " {
		t.Fatal(text)
	}
}

func TestIDText(t *testing.T) {
	x := wire.Hash("x")
	a, b, d := ThreadID(x), EntryID(x), EpochID(x)
	var a2 ThreadID
	var b2 EntryID
	var d2 EpochID
	for _, m := range []struct {
		from interface{ MarshalText() ([]byte, error) }
		to   interface{ UnmarshalText([]byte) error }
	}{{a, &a2}, {b, &b2}, {d, &d2}} {
		text, err := m.from.MarshalText()
		must(t, err)
		must(t, m.to.UnmarshalText(text))
		if m.to.UnmarshalText(text[1:]) == nil || m.to.UnmarshalText(append([]byte("G"), text[1:]...)) == nil {
			t.Error("bad text parses")
		}
	}
	if a2 != a || b2 != b || d2 != d {
		t.Error("ids do not survive text")
	}
	if _, err := ParseThreadID(a.String()); err != nil {
		t.Error(err)
	}
	if _, err := ParseEpochID("x"); err == nil {
		t.Error("bad text parses")
	}
}
