package ledger

import (
	"errors"
	"fmt"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// A device that forks its chain many times is shown in two rows, and copies
// that saw different branches still level.
func TestManyForks(t *testing.T) {
	c := newCrowd(t, 3)
	eve, l := copyOf(t, c.replicas[2]), c.people[2].local()
	for i := range 12 {
		clone := copyOf(t, eve)
		branch := c.say(clone, l, fmt.Sprint(i))
		feed(t, c.replicas[i%2], branch)
	}
	if c.replicas[0].Root() == c.replicas[1].Root() {
		t.Fatal("roots hide different branches")
	}
	c.meetAll()
	rows := 0
	for _, r := range c.replicas[0].Rows() {
		if r.Device == short(l) && r.Chain == Content {
			rows++
		}
	}
	if rows != rowsPerChain || len(c.replicas[1].chains[chainKey{l.Device.ID(), Content}][1]) != 12 {
		t.Fatalf("%d rows", rows)
	}
	if n := len(c.replicas[0].Missing(c.replicas[1].Rows())); n != 0 {
		t.Fatalf("%d items for a peer that has them", n)
	}
}

// A packet that came while the vault was locked is opened when keys come.
func TestUnlock(t *testing.T) {
	c := newCrowd(t, 2)
	dora := c.person(1)
	c.role(c.replicas[0], c.people[0].local(), dora.join(RankWriter))
	th := NewThread(c.id)
	items := c.replicas[0].Missing(nil)
	for _, it := range items {
		r, err := th.Receive(it.Sealed, nil)
		must(t, err)
		if !r.Waiting {
			t.Fatal("admitted without a key")
		}
	}
	if r := th.Unlock([]Local{dora.local()}); len(r.Admitted) != len(items) || th.Root() != c.replicas[0].Root() {
		t.Fatalf("admitted %d of %d", len(r.Admitted), len(items))
	}
}

// Who was a member for a while knows the secrets of before, so that an epoch of
// before is not used again although it is for the same devices.
func TestOldEpochIsNotReused(t *testing.T) {
	c := newCrowd(t, 2)
	anna, l := c.replicas[0], c.people[0].local()
	before, _ := anna.newestEpoch()
	guest := c.person(1)
	c.role(anna, l, guest.join(RankReader))
	// the removal alone, as if its writer had crashed before the epoch
	p := c.forge(anna, l, Role, RoleBody{Person: guest.id()}, nil)
	feed(t, anna, []Item{{Sealed: carry(t, anna, p)}})
	if !anna.epochs[before].body.hdr.lists(anna.now().list) {
		t.Fatal("the test proves nothing")
	}
	it := c.say(anna, l, "not for the guest")
	if e := anna.Entry(it[len(it)-1].Entry); e.Epoch == before || len(it) != 2 {
		t.Fatal("an epoch that the guest can open was used")
	}
}

// A flood of epochs that nobody may make does not keep a good one out.
func TestSecretFlood(t *testing.T) {
	c := newCrowd(t, 2)
	ben := c.replicas[1]
	var r Result
	for i := range SecretsMax + 10 {
		ben.learn(EpochID{byte(i), byte(i >> 8), 1}, wire.Secret{byte(i), byte(i >> 8)}, &r)
		ben.note(&epochBody{id: EpochID{byte(i), byte(i >> 8), 2}}, &r)
	}
	if len(ben.keys.secrets) > len(ben.epochs)+SecretsMax+1 {
		t.Fatal("not bounded")
	}
	_, err := c.replicas[0].Rekey(c.people[0].local(), c.tick(), c)
	must(t, err)
	c.say(c.replicas[0], c.people[0].local(), "under it")
	c.meet(0, 1)
}

// An own entry that somebody already built upon: what waited for it is admitted.
func TestOrphanOfOwnEntry(t *testing.T) {
	c := newCrowd(t, 2)
	anna, ben := c.replicas[0], c.replicas[1]
	one := c.say(anna, c.people[0].local(), "one")
	feed(t, ben, one)
	two := c.say(ben, c.people[1].local(), "two")
	fresh := NewThread(c.id)
	fresh.Restore(anna.Secrets())
	feed(t, fresh, two)
	feed(t, fresh, two)
	if len(fresh.waiting.orphans) != 1 {
		t.Fatal("not waiting")
	}
	feed(t, fresh, ben.Missing(nil))
	if fresh.Root() != ben.Root() || len(fresh.waiting.orphans) != 0 || fresh.waiting.bytes != 0 {
		t.Fatal("not released")
	}
}

// A coordinator cannot stock up on admits of its own for the day it is removed.
func TestNoSelfAdmit(t *testing.T) {
	c := newCrowd(t, 3)
	cora := c.people[1]
	old := c.replicas[1]
	_, err := old.Admit(cora.local(), AdmitBody{Device: cora.local().Device.ID(), Seq: 1 << 40}, c.tick(), c)
	must(t, err)
	c.meetAll()
	c.role(c.replicas[0], c.people[0].local(), RoleBody{Person: cora.id()})
	late := c.say(old, cora.local(), "backdated")
	feed(t, c.replicas[0], late)
	if c.replicas[0].InForce(c.replicas[0].Entry(late[0].Entry)) {
		t.Fatal("the removed lifted the quarantine")
	}
	_, err = c.replicas[0].Admit(c.people[0].local(), AdmitBody{Device: cora.local().Device.ID(), Seq: 1, Entry: late[0].Entry}, c.tick(), c)
	must(t, err)
	if !c.replicas[0].InForce(c.replicas[0].Entry(late[0].Entry)) {
		t.Fatal("an owner's admit did not count")
	}
}

// Who leaves keeps what it wrote, and stops.
func TestLeaving(t *testing.T) {
	c := newCrowd(t, 3)
	ben := c.people[2]
	it := c.say(c.replicas[2], ben.local(), "my opinion")
	c.role(c.replicas[2], ben.local(), RoleBody{Person: ben.id()})
	c.meet(0, 2)
	anna := c.replicas[0]
	if anna.Members().Ranks[ben.id()] != RankNone || !anna.InForce(anna.Entry(it[0].Entry)) {
		t.Fatal("leaving took the opinion along")
	}
	c.say(anna, c.people[0].local(), "after") // makes the epoch that ben could not
	if _, in := anna.Members().Devices[ben.local().Device.ID()]; in {
		t.Fatal("still in the device set")
	}
	if _, err := c.replicas[2].Append(ben.local(), Message, note{"x"}, c.tick(), c); !errors.Is(err, ErrNotMember) {
		t.Fatalf("got %v", err)
	}
}

// A second device of a person joins, reads everything, and posts.
func TestSecondDevice(t *testing.T) {
	c := newCrowd(t, 2)
	ben := c.people[1]
	c.say(c.replicas[0], c.people[0].local(), "before")
	c.meetAll()
	second := c.device(ben)
	_, err := c.replicas[1].AddDevices(ben.local(), ben.certs[1:], c.tick(), c)
	must(t, err)
	fresh := NewThread(c.id)
	feed(t, fresh, c.replicas[1].Missing(nil), second)
	if fresh.Root() != c.replicas[1].Root() {
		t.Fatal("the second device does not read everything")
	}
	c.say(fresh, second, "from the second")
	level(t, fresh, second, c.replicas[0], c.people[0].local())
	if len(c.replicas[0].Members().Devices) != 3 {
		t.Fatal("not in the device set")
	}
}

// Unknown cards do not stop an epoch: the device asks (R3).
func TestNoCard(t *testing.T) {
	c := newCrowd(t, 2)
	dora := c.person(1)
	card := c.cards[dora.local().Device.ID()]
	delete(c.cards, dora.local().Device.ID())
	c.role(c.replicas[0], c.people[0].local(), dora.join(RankReader))
	c.cards[card.Device] = card
	th := NewThread(c.id)
	for _, it := range c.replicas[0].Missing(nil) {
		_, err := th.Receive(it.Sealed, []Local{dora.local()})
		must(t, err)
	}
	n := th.Need()
	if n == nil || len(n.Seals) == 0 {
		t.Fatalf("%+v", n)
	}
	for _, it := range c.replicas[0].Answer(*n, c) {
		_, err := th.Receive(it.Sealed, []Local{dora.local()})
		must(t, err)
	}
	if th.Root() != c.replicas[0].Root() {
		t.Fatal("not repaired")
	}
}

// More heads than an entry can name are merged, first the control heads by
// epochs, then the content heads by posts.
func TestManyHeads(t *testing.T) {
	c := newCrowd(t, AuthMax+4)
	for i, r := range c.replicas[1:] {
		_, err := r.Rekey(c.people[i+1].local(), c.tick(), c)
		must(t, err)
		c.say(r, c.people[i+1].local(), "all at once")
	}
	all := c.replicas[0]
	for _, r := range c.replicas[1:] {
		feed(t, all, r.Missing(all.Rows()), c.people[0].local())
	}
	if len(all.heads[Control]) <= AuthMax || len(all.heads[Content]) <= ParentsMax {
		t.Fatal("the test proves nothing")
	}
	it := c.say(all, c.people[0].local(), "on top of it all")
	if e := all.Entry(it[len(it)-1].Entry); len(e.Auth) != 1 || len(e.Parents) != ParentsMax {
		t.Fatalf("%d auth heads, %d parents", len(e.Auth), len(e.Parents))
	}
	c.say(all, c.people[0].local(), "and the rest")
	if len(all.heads[Content]) != 1 {
		t.Fatalf("%d heads left", len(all.heads[Content]))
	}
	c.meet(0, 5)
}

// A thread does not take more members or devices than it may have.
func TestRoom(t *testing.T) {
	c := newCrowd(t, 2)
	anna, l := c.replicas[0], c.people[0].local()
	for range PersonsMax - 2 {
		feed(t, anna, []Item{{Sealed: carry(t, anna, c.forge(anna, l, Role, c.person(2).join(RankReader), nil))}})
	}
	c.refused(anna, c.forge(anna, l, Role, c.person(1).join(RankReader), nil), ErrTooMany)
	ben := c.people[1]
	for range 2 {
		c.device(ben)
	}
	feed(t, anna, []Item{{Sealed: carry(t, anna, c.forge(anna, l, Device, DeviceBody{Certs: raws(ben.certs[1:])}, nil))}})
	c.device(ben)
	c.refused(anna, c.forge(anna, l, Device, DeviceBody{Certs: raws(ben.certs[3:])}, nil), ErrTooMany)
	if n := len(anna.now().list); n != DevicesMax {
		t.Fatalf("%d devices", n)
	}
	it := c.say(anna, l, "to all of them")
	if len(it) != 2 || it[0].Sealed[1] != DevicesMax {
		t.Fatal("no epoch for all devices")
	}
	feed(t, c.replicas[1], anna.Missing(c.replicas[1].Rows()), ben.local())
	if c.replicas[1].Root() != anna.Root() {
		t.Fatal("not level")
	}
}

func TestKindNames(t *testing.T) {
	want := "create role device revoke epoch admit fork request message edit retract grant mark mark-edit mark-remove status assign " +
		"report addendum critical acknowledge receipt decline ask held taken triage attempt wrong-patient sealed-read vote consensus outcome archived "
	var got string
	for k := range Kind(60) {
		if k.Known() {
			got += k.String() + " "
		}
	}
	if got != want {
		t.Errorf("got %s", got)
	}
	for k, want := range map[Kind]Rank{Receipt: 1, Held: 1, Triage: 3, Message: 2, 99: 2} {
		if got := RankNeeded(k); got != want {
			t.Errorf("%s needs %d, want %d", k, got, want)
		}
	}
	id := EntryID(wire.Hash("x"))
	back, err := ParseEntryID(id.String())
	if err != nil || back != id {
		t.Error("id does not parse")
	}
}
