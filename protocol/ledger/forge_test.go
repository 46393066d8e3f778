package ledger

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// forge signs an entry as its author would write it on a replica, with whatever
// change to its header.
func (c *cast) forge(t *Thread, l Local, kind Kind, body any, change func(*header)) *parsed {
	c.tb.Helper()
	salted, err := saltedBody(body)
	must(c.tb, err)
	h := t.place(l, kind, c.tick())
	if h.Chain == Content {
		epoch, _ := t.writingEpoch(c.nowMS, false)
		h.Epoch = &epoch
	}
	if change != nil {
		change(&h)
	}
	p, err := sign(l.Device, h, salted)
	must(c.tb, err)
	return p
}

// carry puts an entry in an envelope under the newest epoch of a replica.
func carry(tb testing.TB, t *Thread, p *parsed) []byte {
	tb.Helper()
	epoch, ok := t.newestEpoch()
	if !ok {
		tb.Fatal("no epoch")
	}
	b, _ := t.keys.box(epoch, p.Chain)
	return b.seal(p.encode())
}

// refused gives an entry to a replica and wants an error.
func (c *cast) refused(t *Thread, p *parsed, want error) {
	c.tb.Helper()
	n := len(t.entries)
	_, err := t.Receive(carry(c.tb, t, p), nil)
	if !errors.Is(err, want) {
		c.tb.Errorf("got %v, want %v", err, want)
	}
	if len(t.entries) != n {
		c.tb.Error("a refused entry was admitted")
	}
}

// copyOf makes another replica with the same entries and secrets: what a
// member had at some time.
func copyOf(tb testing.TB, t *Thread) *Thread {
	tb.Helper()
	o := NewThread(t.id)
	o.Restore(t.Secrets())
	o.g.rules = t.g.rules
	feed(tb, o, t.Missing(nil))
	if o.Root() != t.Root() {
		tb.Fatal("copy differs")
	}
	return o
}

func TestRefusals(t *testing.T) {
	c := newCast(t)
	anna, ben, eve := c.person(1), c.person(1), c.person(1)
	ta, _ := c.found(anna)
	c.role(ta, anna.local(), ben.join(RankWriter))
	c.say(ta, anna.local(), "one")
	c.say(ta, anna.local(), "two")
	l := anna.local()
	first := ta.chains[chainKey{l.Device.ID(), Content}][1][0]
	create := EntryID(ta.id)
	other, _ := c.found(anna)

	for name, x := range map[string]struct {
		p    *parsed
		want error
	}{
		"other thread":      {c.forge(ta, l, Message, note{"x"}, func(h *header) { id := other.id; h.Thread = &id }), ErrThread},
		"prev skips":        {c.forge(ta, l, Message, note{"x"}, func(h *header) { h.Prev = &first.ID }), ErrPrev},
		"prev of control":   {c.forge(ta, l, Message, note{"x"}, func(h *header) { h.Prev, h.Seq = &create, 2 }), ErrPrev},
		"seq gap":           {c.forge(ta, l, Message, note{"x"}, func(h *header) { h.Seq++ }), ErrPrev},
		"control parent":    {c.forge(ta, l, Message, note{"x"}, func(h *header) { h.Parents = []EntryID{create} }), ErrParent},
		"content parent":    {c.forge(ta, l, Admit, AdmitBody{Device: l.Device.ID(), Seq: 1}, func(h *header) { h.Parents = []EntryID{first.ID} }), ErrParent},
		"content auth":      {c.forge(ta, l, Message, note{"x"}, func(h *header) { h.Auth = []EntryID{first.ID} }), ErrAuth},
		"lamport jumps":     {c.forge(ta, l, Message, note{"x"}, func(h *header) { h.Lamport++ }), ErrLamport},
		"lamport stays":     {c.forge(ta, l, Message, note{"x"}, func(h *header) { h.Lamport-- }), ErrLamport},
		"stranger":          {c.forge(ta, eve.local(), Message, note{"x"}, nil), ErrDevice},
		"stranger's device": {c.forge(ta, eve.local(), Device, DeviceBody{Certs: raws(eve.certs)}, nil), ErrPerson},
		"unknown epoch":     {c.forge(ta, l, Message, note{"x"}, func(h *header) { h.Epoch = &EpochID{1} }), ErrEpoch},
		"first epoch":       {c.forge(ta, l, Message, note{"x"}, func(h *header) { id := firstEpoch(ta); h.Epoch = &id }), ErrEpoch},
		"writer invites":    {c.forge(ta, ben.local(), Role, eve.join(RankReader), nil), ErrUnauthorized},
		"writer rises":      {c.forge(ta, ben.local(), Role, RoleBody{Person: ben.id(), Rank: RankAdmin}, nil), ErrUnauthorized},
		"founder leaves":    {c.forge(ta, l, Role, RoleBody{Person: anna.id()}, nil), ErrUnauthorized},
		"founder demoted":   {c.forge(ta, ben.local(), Role, RoleBody{Person: anna.id()}, nil), ErrUnauthorized},
		"unknown person":    {c.forge(ta, l, Role, RoleBody{Person: eve.id(), Rank: RankReader}, nil), ErrPerson},
		"writer admits":     {c.forge(ta, ben.local(), Admit, AdmitBody{Device: l.Device.ID(), Seq: 1}, nil), ErrUnauthorized},
		"writer triages":    {c.forge(ta, ben.local(), Triage, note{"x"}, nil), ErrUnauthorized},
		"another create":    {c.forge(ta, l, Create, CreateBody{Suite: 1, Founders: []identity.Person{anna.root.Person()}, Certs: raws(anna.certs)}, asCreate), ErrThread},
	} {
		t.Run(name, func(t *testing.T) {
			x.p.Thread = ta.id
			c.tb = t
			c.refused(ta, x.p, x.want)
		})
	}
}

func asCreate(h *header) { h.Thread, h.Prev, h.Parents, h.Seq, h.Lamport = nil, nil, nil, 1, 1 }

func firstEpoch(t *Thread) EpochID {
	for _, e := range t.Entries() {
		if e.Kind == Epoch {
			return e.own
		}
	}
	return EpochID{}
}

// A removed member who pretends not to know writes into quarantine, up to what
// the remover had seen; and opens nothing that comes after.
func TestRemovedMember(t *testing.T) {
	c := newCrowd(t, 3)
	anna, ben := c.replicas[0], c.replicas[2]
	c.say(ben, c.people[2].local(), "seen")
	c.meetAll()
	old := copyOf(t, ben)
	removal := c.role(anna, c.people[0].local(), RoleBody{Person: c.people[2].id()})
	after := c.say(anna, c.people[0].local(), "not for ben")

	late := c.say(ben, c.people[2].local(), "unseen")
	feed(t, anna, late)
	seen := ben.chains[chainKey{c.people[2].local().Device.ID(), Content}][1][0]
	if !anna.InForce(anna.Entry(seen.ID)) || anna.InForce(anna.Entry(late[0].Entry)) {
		t.Fatal("the cut is in the wrong place")
	}

	feed(t, ben, removal, c.people[2].local())
	feed(t, ben, after, c.people[2].local())
	if ben.Has(after[0].Entry) || len(ben.Secrets()) != len(old.Secrets()) || !ben.Has(removal[0].Entry) {
		t.Fatal("the removed opened what came after")
	}
	if n := ben.Need(); n != nil && len(n.Seals) != 0 {
		t.Fatal("the removed asks for seals")
	}
	if _, err := ben.Append(c.people[2].local(), Message, note{"x"}, c.tick(), c); !errors.Is(err, ErrNotMember) {
		t.Fatalf("got %v", err)
	}
	if _, err := anna.Reseal(anna.epochTips()[0].own, c.people[2].local().Device.ID(), c.Card(c.people[2].local().Device.ID())); !errors.Is(err, ErrNotMember) {
		t.Fatalf("resealed to the removed: %v", err)
	}

	// To use the old device set, auth heads would have to go back.
	feed(t, ben, c.say(old, c.people[1].local(), "from one who has not heard"), c.people[2].local())
	back := c.forge(anna, c.people[0].local(), Message, note{"x"}, func(h *header) {
		h.Auth = top(old.heads[Control], AuthMax)
		h.Epoch = &old.epochTips()[0].own
	})
	c.refused(anna, back, ErrAuthBack)
	anna.g.rules.noAuthBack = true
	anna.waiting.refused = map[EntryID]bool{}
	if _, err := anna.Receive(carry(t, anna, back), nil); err != nil {
		t.Fatalf("the mutation should let it pass: %v", err)
	}
}

// R2: one who hands different secrets to different members is found out by
// whoever got the wrong one, and a member with the right one repairs it (R3).
func TestLyingCreator(t *testing.T) {
	c := newCrowd(t, 3)
	eve, ben := c.replicas[1], c.replicas[2]
	it, err := eve.Rekey(c.people[1].local(), c.tick(), c)
	must(t, err)
	k, err := parsePacket(it[0].Sealed)
	must(t, err)
	body := eve.keys.bodies[k.epoch]
	var seals [][]byte
	for _, d := range body.hdr.Devices {
		es := eve.keys.secrets[k.epoch]
		if d.Device == c.people[2].local().Device.ID() {
			es = wire.NewSecret()
		}
		s, err := sealTo(c.Card(d.Device), k.epoch, es)
		must(t, err)
		seals = append(seals, s)
	}
	lie, err := sealPacket(k.epoch, eve.keys.secrets[k.epoch], seals, eve.Entry(it[0].Entry).encode())
	must(t, err)
	r, err := ben.Receive(lie, []Local{c.people[2].local()})
	must(t, err)
	if !r.Waiting || len(r.Reports) != 1 || !errors.Is(r.Reports[0], ErrPacket) || r.Need == nil || len(r.Need.Seals) != 1 {
		t.Fatalf("%+v", r)
	}
	feed(t, c.replicas[0], []Item{{Sealed: lie}}, c.people[0].local())
	n := ben.Need()
	if feed(t, ben, c.replicas[0].Answer(*n, c), c.people[2].local()) != 1 || ben.Need() != nil {
		t.Fatal("not repaired")
	}
	c.meet(0, 2)
}

func sealTo(card *identity.Card, epoch EpochID, es wire.Secret) ([]byte, error) {
	return seal.SealTo(card.KEM, sealInfo(epoch, card.Device, card.KeyID()), es)
}

// A secret in back that contradicts its epoch is reported and not used.
func TestLyingBack(t *testing.T) {
	c := newCrowd(t, 2)
	anna, l := c.replicas[0], c.people[0].local()
	tip := anna.epochTips()[0].own
	right := anna.keys.secrets[tip]
	anna.keys.secrets[tip] = wire.NewSecret()
	it, err := anna.Rekey(l, c.tick(), c)
	must(t, err)
	anna.keys.secrets[tip] = right
	r, err := c.replicas[1].Receive(it[0].Sealed, []Local{c.people[1].local()})
	must(t, err)
	if len(r.Reports) != 1 || !errors.Is(r.Reports[0], ErrCommit) || len(r.Admitted) != 1 {
		t.Fatalf("%+v", r)
	}
	if !c.replicas[1].keys.secrets[tip].Equal(right) {
		t.Fatal("the lie was believed")
	}
	// A new member gets it as a candidate first; the header decides.
	dora := c.person(1)
	c.role(anna, l, dora.join(RankReader))
	fresh := NewThread(c.id)
	reports := 0
	for _, it := range anna.Missing(nil) {
		r, err := fresh.Receive(it.Sealed, []Local{dora.local()})
		must(t, err)
		reports += len(r.Reports)
	}
	if reports == 0 {
		t.Fatal("the lie was not reported")
	}
	if fresh.Root() != anna.Root() || !fresh.keys.secrets[tip].Equal(right) {
		t.Fatal("a lie about the past keeps the past from new members")
	}
}

// An epoch without parents does not hide what came before from new members.
func TestHiddenHistory(t *testing.T) {
	c := newCrowd(t, 2)
	c.say(c.replicas[0], c.people[0].local(), "before")
	c.meetAll()
	eve, l := c.replicas[1], c.people[1].local()
	own := eve.keys.secrets
	eve.keys.secrets = map[EpochID]wire.Secret{}
	p, es, keys, err := eve.draftEpoch(l, c.tick(), c)
	must(t, err)
	eve.keys.secrets = own
	if len(p.control.epoch.hdr.Parents) != 0 {
		t.Fatal("the test proves nothing")
	}
	_, err = eve.postEpoch(p, es, keys)
	must(t, err)
	c.meetAll()
	dora := c.person(1)
	c.role(c.replicas[0], c.people[0].local(), dora.join(RankReader))
	fresh := NewThread(c.id)
	feed(t, fresh, c.replicas[0].Missing(nil), dora.local())
	if fresh.Root() != c.replicas[0].Root() {
		t.Fatal("history is hidden")
	}
}

// Two epochs made at once stay open; the next names both.
func TestConcurrentEpochs(t *testing.T) {
	c := newCrowd(t, 3)
	for i := range 2 {
		_, err := c.replicas[i].Rekey(c.people[i].local(), c.tick(), c)
		must(t, err)
		c.say(c.replicas[i], c.people[i].local(), "under my own")
	}
	c.meetAll()
	if tips := c.replicas[2].epochTips(); len(tips) != 2 {
		t.Fatalf("%d tips", len(tips))
	}
	c.say(c.replicas[2], c.people[2].local(), "fits as it is")
	dora := c.person(1)
	c.role(c.replicas[0], c.people[0].local(), dora.join(RankWriter))
	c.meetAll()
	tips := c.replicas[0].epochTips()
	if len(tips) != 1 || len(c.replicas[0].epochs[tips[0].own].body.hdr.Parents) != 2 {
		t.Fatal("the next epoch does not follow both")
	}
	fresh := NewThread(c.id)
	feed(t, fresh, c.replicas[2].Missing(nil), dora.local())
	if fresh.Root() != c.replicas[0].Root() {
		t.Fatal("a new member does not read everything")
	}
}

// Nothing moves from chain to chain or is taken without its body.
func TestWrongEnvelope(t *testing.T) {
	c := newCrowd(t, 2)
	anna, l := c.replicas[0], c.people[0].local()
	p := c.forge(anna, l, Message, note{"x"}, nil)
	epoch, _ := anna.newestEpoch()
	control, _ := anna.keys.box(epoch, Control)
	if _, err := anna.Receive(control.seal(p.encode()), nil); !errors.Is(err, ErrChain) {
		t.Fatalf("content under the control secret: %v", err)
	}
	a := c.forge(anna, l, Admit, AdmitBody{Device: l.Device.ID(), Seq: 1}, nil)
	bare := wire.MustMarshal(record{Header: a.header, Sigs: a.sigs})
	if _, err := anna.Receive(control.seal(bare), nil); !errors.Is(err, ErrNoBody) {
		t.Fatalf("control without body: %v", err)
	}
	if _, err := anna.Receive(control.seal(a.encode()), nil); err != nil {
		t.Fatalf("the entry itself is good: %v", err)
	}
	lie := wire.MustMarshal(record{Header: p.header, Sigs: p.sigs, Body: make([]byte, len(p.salted))})
	content, _ := anna.keys.box(epoch, Content)
	if _, err := anna.Receive(content.seal(lie), nil); !errors.Is(err, ErrBody) {
		t.Fatalf("another body: %v", err)
	}
	feed(t, anna, []Item{{Sealed: content.seal(p.encode())}})
	sealed := content.seal(p.encode())
	sealed[len(sealed)-1] ^= 1
	if _, err := anna.Receive(sealed, nil); !errors.Is(err, ErrEnvelope) {
		t.Fatalf("altered: %v", err)
	}
}

// An erased body does not come back, the entry stays, and one who never had
// the body takes it when it comes.
func TestDetachedBody(t *testing.T) {
	c := newCrowd(t, 2)
	anna, ben := c.replicas[0], c.replicas[1]
	it := c.say(anna, c.people[0].local(), "to be forgotten")
	full := it[len(it)-1]
	bare, err := copyOf(t, anna).Erase(full.Entry)
	must(t, err)
	feed(t, ben, []Item{bare})
	if e := ben.Entry(full.Entry); e == nil || e.Body != nil {
		t.Fatal("not admitted without its body")
	}
	if ben.Root() != anna.Root() {
		t.Fatal("a body changed the root")
	}
	r, err := ben.Receive(full.Sealed, nil)
	must(t, err)
	if len(r.Admitted) != 1 || ben.Entry(full.Entry).Body == nil {
		t.Fatal("the body was not taken")
	}
	_, err = ben.Erase(full.Entry)
	must(t, err)
	again, _ := ben.keys.box(ben.Entry(full.Entry).Epoch, Content)
	r, err = ben.Receive(again.seal(anna.Entry(full.Entry).encode()), nil)
	must(t, err)
	if !r.Duplicate || ben.Entry(full.Entry).Body != nil {
		t.Fatal("an erased body came back")
	}
}

// Honest equivocation: one disk, two machines. Both branches stay, the device
// is flagged, and it stops signing.
func TestFork(t *testing.T) {
	c := newCrowd(t, 3)
	clone, l := copyOf(t, c.replicas[2]), c.people[2].local()
	a := c.say(c.replicas[2], l, "from one machine")
	b := c.say(clone, l, "from the other")
	feed(t, c.replicas[2], b)
	c.meetAll()
	anna := c.replicas[0]
	if !anna.Members().Forked[l.Device.ID()] || !anna.InForce(anna.Entry(a[0].Entry)) || !anna.InForce(anna.Entry(b[0].Entry)) {
		t.Fatal("fork is not flagged, or changed authorization")
	}
	rows := slices.DeleteFunc(anna.Rows(), func(r Row) bool { return r.Device != short(l) || r.Chain != Content })
	if len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
	if _, err := c.replicas[2].Append(l, Message, note{"x"}, c.tick(), c); !errors.Is(err, ErrForked) {
		t.Fatalf("got %v", err)
	}
	_, err := anna.ReportFork(c.people[0].local(), a[0].Entry, b[0].Entry, c.tick(), c)
	must(t, err)
	c.meetAll()
	same := ForkBody{A: anna.Entry(a[0].Entry).Signed(), B: anna.Entry(a[0].Entry).Signed()}
	if _, err := anna.control(c.people[1].local(), Fork, same, c.tick(), c); !errors.Is(err, ErrFork) {
		t.Fatalf("an entry with itself: %v", err)
	}
	e1 := anna.Entry(a[0].Entry).Signed()
	e2 := anna.Entry(b[0].Entry).Signed()
	e2.Sigs = e1.Sigs
	c.refused(anna, c.forge(anna, c.people[1].local(), Fork, ForkBody{A: e1, B: e2}, nil), identity.ErrSignature)
}

// A stolen laptop: the root's cut voids what came after, whoever carries it.
func TestRevokedDevice(t *testing.T) {
	c := newCrowd(t, 3)
	victim := c.people[1] // a coordinator
	c.say(c.replicas[1], victim.local(), "mine")
	c.meetAll()
	control, content := c.replicas[0].LastOf(victim.local().Device.ID())
	thief := c.replicas[1]
	accomplice := c.person(1)
	c.role(thief, victim.local(), accomplice.join(RankWriter))
	stolen := c.say(thief, victim.local(), "not mine")
	c.meetAll()
	if c.replicas[0].Members().Ranks[accomplice.id()] != RankWriter {
		t.Fatal("before the cut it should work")
	}
	cut, err := victim.root.Cut(victim.local().Device.ID(), c.id, 1, control, content, c.tick())
	must(t, err)
	revoke, err := victim.root.RevokeDevice(victim.local().Device.ID(), identity.Lost, victim.number+1, victim.prev, c.tick())
	must(t, err)
	if _, err := c.replicas[2].Revoke(c.people[2].local(), cut, revoke, c.tick(), c); err != nil {
		t.Fatal(err)
	}
	c.meet(0, 2)
	m, anna := c.replicas[0].Members(), c.replicas[0]
	if m.Ranks[accomplice.id()] != RankNone || m.Cuts[victim.local().Device.ID()] == nil {
		t.Fatal("what the thief did still counts")
	}
	if _, in := m.Devices[victim.local().Device.ID()]; in {
		t.Fatal("the stolen device is in the device set")
	}
	mine := anna.Entry(content.Entry)
	if !anna.InForce(mine) || anna.InForce(anna.Entry(stolen[len(stolen)-1].Entry)) {
		t.Fatal("the content cut is in the wrong place")
	}
	// Another's root cannot cut it further down.
	bad, err := c.people[2].root.Cut(victim.local().Device.ID(), c.id, 9, nil, nil, c.tick())
	must(t, err)
	badRevoke, err := c.people[2].root.RevokeDevice(victim.local().Device.ID(), identity.Lost, 2, c.people[2].prev, c.tick())
	must(t, err)
	if _, err := anna.Revoke(c.people[0].local(), bad, badRevoke, c.tick(), c); err != nil {
		t.Fatal(err)
	}
	if !anna.InForce(mine) {
		t.Fatal("a stranger's root cut the device")
	}
}

// Parents may be lost on the way: need asks, Answer repairs, floods are bounded.
func TestNeed(t *testing.T) {
	c := newCrowd(t, 2)
	anna, ben := c.replicas[0], c.replicas[1]
	for range 5 {
		c.say(anna, c.people[0].local(), "x")
	}
	items := anna.Missing(ben.Rows())
	r, err := ben.Receive(items[4].Sealed, nil)
	must(t, err)
	if !r.Waiting || len(r.Need.Entries) == 0 {
		t.Fatalf("%+v", r)
	}
	n := ben.Need()
	if len(n.Chains) != 1 || n.Chains[0].From != 1 {
		t.Fatalf("%+v", n)
	}
	again := copyOf(t, ben)
	feed(t, ben, anna.Answer(*n, c), c.people[1].local())
	if ben.Root() != anna.Root() || ben.Need() != nil {
		t.Fatal("not repaired")
	}
	feed(t, again, items[3:])
	again.Forget()
	if again.Need() != nil {
		t.Fatal("not forgotten")
	}
	feed(t, again, items)
	if again.Root() != anna.Root() {
		t.Fatal("forgotten items are not taken again")
	}
}

func TestWaitingIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP in short mode: it fills the pool")
	}
	th := NewThread(ThreadID{1})
	var err error
	for range LockedMax + 1 {
		b := make([]byte, 100)
		_, _ = rand.Read(b)
		b[0] = typeEnvelope
		_, err = th.Receive(b, nil)
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	th.Forget()
	if th.waiting.bytes != 0 || th.waiting.locked != 0 || len(th.waiting.seen) != 0 {
		t.Fatal("not empty")
	}
}

func short(l Local) [16]byte {
	id := l.Device.ID()
	return [16]byte(id[:16])
}

// A member sends again what others wrote, as it was and signed with a key of their own. None of it is
// admitted and nothing changes.
func TestReplayedAndResigned(t *testing.T) {
	c := newCast(t)
	anna, ben := c.person(1), c.person(1)
	ta, _ := c.found(anna)
	c.role(ta, anna.local(), ben.join(RankWriter))
	c.say(ta, anna.local(), "one")
	c.say(ta, ben.local(), "two")
	root := ta.Root()
	for _, e := range ta.Entries() {
		res, err := ta.Receive(e.sealed, nil)
		if err != nil || !res.Duplicate || len(res.Admitted) > 0 {
			t.Errorf("kind %d again: %+v %v", e.Kind, res, err)
		}
		by := ben.local().Device
		if e.Device == by.ID() {
			by = anna.local().Device
		}
		forged := record{Header: e.header, Body: e.salted, Sigs: by.Sign(labelEntry, e.header, identity.AlgEd25519)}
		epoch, _ := ta.newestEpoch()
		b, _ := ta.keys.box(epoch, e.Chain)
		res, err = ta.Receive(b.seal(wire.MustMarshal(forged)), nil)
		if err == nil || len(res.Admitted) > 0 {
			t.Errorf("kind %d signed by another: %+v %v", e.Kind, res, err)
		}
	}
	if ta.Root() != root || ta.Need() != nil {
		t.Error("something changed")
	}
}
