package ledger

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
)

// drama is a random history with real keys: members come, go and come back,
// two coordinators act at once, everybody writes.
type drama struct {
	*crowd
	r *rand.Rand
}

// play runs a history in which members meet at random, and some not at all.
func play(tb testing.TB, seed uint64, steps int, rules rules) *drama {
	tb.Helper()
	d := &drama{crowd: newCrowd(tb, 4), r: rand.New(rand.NewPCG(seed, 5))}
	for _, t := range d.replicas {
		t.g.rules = rules
	}
	for range steps {
		who := d.r.IntN(len(d.people))
		t, l := d.replicas[who], d.people[who].local()
		switch d.r.IntN(6) {
		case 0:
			target := d.people[2+d.r.IntN(2)]
			body := RoleBody{Person: target.id(), Rank: Rank(d.r.IntN(3))}
			_, _ = t.Role(l, body, d.tick(), d) // those who may not are refused
		case 1, 2:
			d.carry(who, d.r.IntN(len(d.people)))
		default:
			_, _ = t.Append(l, Message, note{fmt.Sprint(seed)}, d.tick(), d)
		}
	}
	return d
}

// carry gives everything one replica has to another, wanted or not; what does
// not open there waits or is dropped.
func (d *drama) carry(from, to int) {
	for _, it := range d.replicas[from].Missing(nil) {
		_, _ = d.replicas[to].Receive(it.Sealed, []Local{d.people[to].local()})
	}
}

// gather gives everything to everybody, twice, and returns a replica that has
// all that is admitted anywhere.
func (d *drama) gather() *Thread {
	for range 2 {
		for i := range d.replicas {
			for j := range d.replicas {
				d.carry(i, j)
			}
		}
	}
	return d.replicas[0]
}

// opensExactly: a device has the secrets of the epochs made for a device set
// with it, and of their ancestors, and reads nothing that was written by
// somebody who knew it was removed and could know what it opens.
func opensExactly(tb testing.TB, seed uint64, rules rules) error {
	tb.Helper()
	d := play(tb, seed, 30, rules)
	all := d.gather()
	for i, p := range d.people {
		dev := p.local().Device.ID()
		may := mayOpen(all, dev)
		have := d.replicas[i].keys.secrets
		for id := range all.epochs {
			if _, has := have[id]; has != may[id] {
				return fmt.Errorf("person %d, epoch %s: has %v, may %v", i, id, has, may[id])
			}
		}
		for _, e := range all.Entries() {
			if e.Chain != Content {
				continue
			}
			_, member := all.MembersAt(e).Devices[dev]
			if _, opens := have[e.Epoch]; opens && !member && knewItOpens(all, e, dev) {
				return fmt.Errorf("person %d reads %s, written by one who knew of the removal", i, e.ID)
			}
		}
	}
	return nil
}

// mayOpen says which epochs a device may open: by the members at their heads,
// not by what their headers say.
func mayOpen(t *Thread, dev identity.DeviceID) map[EpochID]bool {
	may := map[EpochID]bool{}
	var take func(id EpochID)
	take = func(id EpochID) {
		if may[id] {
			return
		}
		may[id] = true
		for _, p := range t.epochs[id].body.hdr.Parents {
			take(p)
		}
	}
	for id, s := range t.epochs {
		if _, in := t.MembersAt(s.entries[0]).Devices[dev]; in {
			take(id)
		}
	}
	return may
}

// knewItOpens reports whether the author of a post could see that a device has
// the secret it writes under: an epoch for the device, which is that one or
// reaches back to it, is in the post's past. That the device was added again
// without the author's knowledge is another matter (R8).
func knewItOpens(t *Thread, e *Entry, dev identity.DeviceID) bool {
	for id, s := range t.epochs {
		at := s.entries[0]
		if _, in := t.MembersAt(at).Devices[dev]; !in || !e.past.has(at.place) {
			continue
		}
		if id == e.Epoch || t.leadsTo(id, e.Epoch) {
			return true
		}
	}
	return false
}

// leadsTo reports whether an epoch reaches back to another.
func (t *Thread) leadsTo(from, to EpochID) bool {
	for _, p := range t.epochs[from].body.hdr.Parents {
		if p == to || t.leadsTo(p, to) {
			return true
		}
	}
	return false
}

// dramas have real keys and cost a thousand times what a history of the
// properties costs.
var dramas = max(runs/100, 10)

func TestOpensExactly(t *testing.T) {
	t.Parallel()
	for seed := range dramas {
		if err := opensExactly(t, seed+1, rules{}); err != nil {
			t.Fatalf("seed %d: %v", seed+1, err)
		}
	}
}

func TestOpensExactlyMutations(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]rules{
		"sealed to the last epoch's devices": {oldDevices: true},
		"R4 off":                             {anyEpoch: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range 10 * dramas {
				if opensExactly(t, seed+1, m) != nil {
					return
				}
			}
			t.Fatalf("not caught in %d histories", 10*dramas)
		})
	}
}

// TestAnyOrder: real entries of a drama, in any order, the same state; and a
// restart from journal and vault gives it again.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range dramas / 2 {
		d := play(t, 1000+seed, 40, rules{})
		all := d.gather()
		want := state(all)
		for order := range uint64(2) {
			got := NewThread(d.id)
			got.Restore(all.Secrets())
			items := all.Missing(nil)
			rand.New(rand.NewPCG(seed, order)).Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
			feed(t, got, items)
			if !reflect.DeepEqual(state(got), want) {
				t.Fatalf("seed %d: state differs by order of arrival", 1000+seed)
			}
		}
	}
}

// TestAdmissionAgreesWithResolve: what is admitted is what is valid in its own
// past with itself, so both say the same of one entry.
func TestAdmissionAgreesWithResolve(t *testing.T) {
	t.Parallel()
	for seed := range dramas / 4 {
		all := play(t, 2000+seed, 40, rules{}).gather()
		for _, e := range all.Entries() {
			if e.Kind == Role || e.Kind == Admit {
				if !all.g.view(e.past.clone().add(e.place)).valid.has(e.place) {
					t.Fatalf("seed %d: %s is admitted, not valid in its own past", 2000+seed, e.ID)
				}
			}
		}
	}
}
