package consult

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// stop is what one node sees due at one point of a case: by what, the minutes
// from the start to the deadline, put right by what its own clock is wrong.
type stop struct {
	node string
	due  map[string]int64
}

// skewed plays a case in which one member's clock is wrong, with a stop at each
// step. Measured tells every node by how much.
func skewed(t *testing.T, who int, skew int64, measured bool) (order string, stops []stop) {
	t.Helper()
	w, anna, ben, cleo, dora, _ := newWorld(t, true)
	start := w.nowMS
	w.all[who].skew = skew
	came := map[ledger.EntryID]int64{}
	settle := func() {
		for range 2 {
			for _, a := range w.all {
				a.receipt(ReceiptDelivered)
			}
		}
		for _, e := range anna.t.Entries() {
			if came[e.ID] == 0 {
				came[e.ID] = w.nowMS
			}
		}
		for _, a := range w.all {
			at := stop{a.name, map[string]int64{}}
			for _, d := range a.fold().DueAt(w.clockOf(a, came, measured)) {
				if d.What == DueNeeded { // an instant, not counted from anything
					at.due[d.What] = (d.AtMS - start) / minute
				} else {
					at.due[d.What] = (d.AtMS - a.skew - start) / minute
				}
			}
			stops = append(stops, at)
		}
		w.nowMS += hour
	}
	anna.post(ledger.Request, RequestBody{Question: "Is it?", Priority: PriorityUrgent, Consent: ConsentTreatment, NeededByMS: start + 3*day})
	anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{ben.id(), cleo.id()}})
	settle()
	dora.post(ledger.Triage, TriageBody{Priority: PriorityRoutine, Reason: "stable"})
	settle()
	ben.stage(1, StageAccepted)
	settle()
	ask := ben.post(ledger.Ask, AskBody{Text: "Which side?"})
	settle()
	anna.post(ledger.Message, MessageBody{Text: "left", ReplyTo: &ask})
	settle()
	r := ben.final("No.")
	settle()
	ben.post(ledger.Critical, CriticalBody{Of: r, Category: 2, Text: "6 cm"})
	settle()
	var lines []string
	for _, p := range anna.fold().Posts {
		if counts(p.Kind) {
			lines = append(lines, fmt.Sprint(p.Kind, p.Author == anna.id()))
		}
	}
	return strings.Join(lines, " "), stops
}

// clockOf is the clock of an actor's node.
func (w *world) clockOf(a *actor, came map[ledger.EntryID]int64, measured bool) Clock {
	c := Clock{NowMS: w.nowMS + a.skew, Device: a.device(), Received: func(id ledger.EntryID) int64 { return came[id] + a.skew }}
	if measured {
		c.Skew = func(d identity.DeviceID) int64 {
			if i := slices.IndexFunc(w.all, func(x *actor) bool { return x.device() == d }); i >= 0 {
				return a.skew - w.all[i].skew
			}
			return 0
		}
	}
	return c
}

// TestF15Skew: a member's clock that is a day ahead or behind changes the order
// of no entries, and no deadline on any node if a session measured it. If nobody
// did, it changes none on nodes for which it is ahead; where it is behind, a
// deadline comes early until the member answers somebody, and then by what the
// answer took at most. None ever comes late.
func TestF15Skew(t *testing.T) {
	order, base := skewed(t, 0, 0, false)
	for _, who := range []int{0, 2} {
		for _, skew := range []int64{-day, day} {
			for _, measured := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d %d %v", who, skew/day, measured), func(t *testing.T) {
					o, stops := skewed(t, who, skew, measured)
					if o != order {
						t.Errorf("order %s, want %s", o, order)
					}
					for i, want := range base {
						ahead := (skew > 0) != (want.node == []string{"anna", "dora", "ben", "cleo", "otto"}[who])
						exact := ahead || measured
						compareStops(t, i, stops[i], want, exact)
					}
				})
			}
		}
	}
}

func compareStops(t *testing.T, i int, got, want stop, exact bool) {
	t.Helper()
	if len(got.due) != len(want.due) {
		t.Errorf("stop %d, %s: %v, want %v", i/5, want.node, got.due, want.due)
	}
	for what, at := range want.due {
		by := got.due[what] - at
		early := int64(1) // for seconds
		switch {
		case exact, what == DueNeeded:
		case i < 10: // two stops, before an answer
			early += day / minute
		default:
			early += hour / minute
		}
		if by > 1 || by < -early {
			t.Errorf("stop %d, %s: %s is due %d minutes off", i/5, want.node, what, by)
		}
	}
}

// TestF15Zones: a deadline is an instant, the same on both sides of the date
// line, and is shown in the zone of who reads it.
func TestF15Zones(t *testing.T) {
	_, anna, _, _, _, _ := asked(t, true)
	deadline := time.Date(2026, 1, 31, 9, 0, 0, 0, time.FixedZone("NZDT", 13*3600))
	anna.post(ledger.Request, RequestBody{Question: "Is it?", Priority: PriorityUrgent, Consent: ConsentTreatment, NeededByMS: deadline.UnixMilli()})
	s := anna.fold()
	var seen []string
	for _, zone := range []*time.Location{time.FixedZone("NZDT", 13*3600), time.FixedZone("HST", -10*3600), time.UTC} {
		now := time.UnixMilli(anna.w.nowMS).In(zone)
		i := slices.IndexFunc(s.DueAt(Clock{NowMS: now.UnixMilli()}), func(d Due) bool { return d.What == DueNeeded })
		if i < 0 {
			t.Fatal("no deadline")
		}
		at := time.UnixMilli(s.DueAt(Clock{NowMS: now.UnixMilli()})[i].AtMS)
		if !at.Equal(deadline) {
			t.Errorf("%s: %s", zone, at)
		}
		seen = append(seen, at.In(zone).Format("Mon 15:04"))
		for _, before := range []time.Duration{-time.Minute, time.Minute} {
			over := s.Overdue(Clock{NowMS: deadline.Add(before).In(zone).UnixMilli(), Targets: map[Priority]Targets{}})
			if over != (before > 0) {
				t.Errorf("%s, %s from the deadline: overdue %v", zone, before, over)
			}
		}
	}
	if !slices.Equal(seen, []string{"Sat 09:00", "Fri 10:00", "Fri 20:00"}) {
		t.Errorf("shown as %v", seen)
	}
}
