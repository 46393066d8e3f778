package desk

import (
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
)

// TestClockAhead: what a member with a clock that is a day ahead asks is due from when it came, not
// a day later, and a restart does not put it off.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	friend := newOther(t, "Friend")
	friend.ahead = 24 * time.Hour
	var id, due string
	var at time.Time
	for again := range 2 {
		d, closeDesk := openDeskOnce(t, home)
		if again == 0 {
			lt, items := friend.found(friend.befriend(d))
			if got := d.Receive(friend.peer(), nil, items); got.Bad > 0 {
				t.Fatalf("%d bad entries", got.Bad)
			}
			id = lt.ID().String()
		}
		c, err := d.CaseShow(t.Context(), control.CaseShowRequest{Case: id})
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Due) == 0 {
			t.Fatal("nothing is due")
		}
		if ahead := time.Until(c.Due[0].From); ahead > time.Minute {
			t.Errorf("%s counts from %v on", c.Due[0].What, ahead)
		}
		if again > 0 && (c.Due[0].What != due || !c.Due[0].From.Equal(at)) {
			t.Errorf("after a restart %s counts from %v, before %s from %v", c.Due[0].What, c.Due[0].From, due, at)
		}
		due, at = c.Due[0].What, c.Due[0].From
		closeDesk()
	}
}
