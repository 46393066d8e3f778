package ledger

import (
	"testing"
)

func TestFoundInviteAnswer(t *testing.T) {
	c := newCast(t)
	anna, ben := c.person(1), c.person(1)
	ta, _ := c.found(anna)
	c.say(ta, anna.local(), "before")
	c.role(ta, anna.local(), ben.join(RankWriter))
	c.say(ta, anna.local(), "after")

	tb := NewThread(ta.ID())
	items := ta.Missing(nil)
	id, err := OpenPacket(items[1].Sealed, []Local{ben.local()})
	must(t, err)
	if id != ta.ID() {
		t.Fatalf("packet is of %s", id)
	}
	if n := feed(t, tb, items, ben.local()); n != len(items) {
		t.Fatalf("admitted %d of %d", n, len(items))
	}
	if ta.Root() != tb.Root() || tb.Need() != nil {
		t.Fatal("not level")
	}
	c.say(tb, ben.local(), "reply")
	level(t, ta, anna.local(), tb, ben.local())
	if len(ta.Entries()) != 7 {
		t.Fatalf("entries: %d", len(ta.Entries()))
	}

	// a restart from journal and vault
	again := NewThread(ta.ID())
	again.Restore(tb.Secrets())
	for _, e := range tb.Entries() {
		feed(t, again, tb.ByID([]EntryID{e.ID}))
	}
	if again.Root() != ta.Root() {
		t.Fatal("restored thread differs")
	}
}
