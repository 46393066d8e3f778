package consult

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// What can be due.
const (
	DueDelivered    = "delivered"
	DueAccepted     = "accepted"
	DueHandOver     = "hand-over" // to be accepted by who is assigned now; the one before has it until then
	DueReply        = "reply"     // to an ask: the requester's clock, while the consultant's rests
	DuePreliminary  = "preliminary"
	DueFinal        = "final"
	DueAcknowledged = "acknowledged"
	DueNeeded       = "needed" // the time the request names
	DueCritical     = "critical"
	DueOrphan       = "orphan" // nobody has the case: an alarm without a target
)

// Targets is within what time a step is wanted, in milliseconds; 0 is never.
type Targets struct{ Delivered, Accepted, Preliminary, Final, Acknowledged int64 }

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// DefaultTargets are those of FIELD §4.4. ProtocolTargets are for stroke and
// trauma: a stat request whose form names one, with a time it is needed by. A
// board has its times before the meeting, see [BoardTargets].
var (
	DefaultTargets = map[Priority]Targets{
		PriorityStat:    {Delivered: 15 * minute, Accepted: 15 * minute, Final: hour, Acknowledged: hour},
		PriorityUrgent:  {Delivered: hour, Accepted: 2 * hour, Final: 12 * hour, Acknowledged: day},
		PriorityRoutine: {Delivered: day, Accepted: day, Final: 3 * day, Acknowledged: 7 * day},
	}
	ProtocolTargets = Targets{Delivered: 5 * minute, Accepted: 5 * minute, Preliminary: 20 * minute, Final: hour, Acknowledged: 15 * minute}
	// BoardTargets count back from the meeting, but for the acknowledgement.
	BoardTargets = Targets{Delivered: 2 * day, Accepted: 2 * day, Preliminary: day, Final: 0, Acknowledged: 7 * day}
)

// Clock is what Fold does not know.
type Clock struct {
	NowMS    int64
	ImagesMS int64 // when the last image came; 0 if that is not known
	Targets  map[Priority]Targets

	// Device is the device that asks. Clocks of others that causality proves to
	// be off are put right by it.
	Device identity.DeviceID
	// Skew is by how much a device's clock is behind that of Device, as a session
	// with it measured; 0 if it is not known, and then causality has to do. May be nil.
	Skew func(identity.DeviceID) int64
	// Received is when an entry came here, 0 if that is not known; may be nil.
	Received func(ledger.EntryID) int64
	// Alternates are who is told of a critical finding next, in this order,
	// before owners and coordinators: an on-call roster.
	Alternates []identity.PersonID
}

// Due is a step with a time.
type Due struct {
	What   string
	FromMS int64
	AtMS   int64
	Share  float64 // of the time that has passed: overdue from 1 on
	Entry  *ledger.EntryID
}

// Times are when the acting round came to its steps; 0 is not yet.
type Times struct{ AskedMS, AcceptedMS, PreliminaryMS, AnsweredMS, HandedMS int64 }

// DueAt returns what a case waits for, with the times wanted of it. It is a
// pure function, to be asked on every change and once a minute.
func (s *State) DueAt(c Clock) []Due {
	d := dues{now: c.NowMS}
	t, ok := s.targets(c.Targets)
	at := s.TimesAt(c)
	opinionFrom := max(at.AcceptedMS, c.ImagesMS)
	if at.AcceptedMS == 0 {
		opinionFrom = 0
	}
	rest := s.rested(c, opinionFrom)
	board := ok && s.board()
	if board {
		t = s.beforeMeeting(at.AskedMS, opinionFrom)
	}
	switch s.State {
	case StateAsked:
		d.add(ok, DueDelivered, at.AskedMS, t.Delivered, nil)
		d.add(ok, DueAccepted, at.AskedMS, t.Accepted, nil)
	case StateDelivered, StateSeen:
		d.add(ok, DueAccepted, at.AskedMS, t.Accepted, nil)
	case StateAccepted, StateReading:
		d.add(ok, DuePreliminary, opinionFrom+rest, t.Preliminary, nil)
		d.add(ok, DueFinal, opinionFrom+rest, t.Final, nil)
	case StatePreliminary:
		d.add(ok, DueFinal, opinionFrom+rest, t.Final, nil)
	case StateQuestion:
		for _, a := range s.Asks {
			d.add(ok && a.Open, DueReply, s.clocks.moment(s, a.Entry, c), t.Accepted, &a.Entry)
		}
	case StateAnswered:
		d.add(ok, DueAcknowledged, at.AnsweredMS, t.Acknowledged, nil)
	case StateWithdrawn, StateClosed: // what is on record still wants acknowledging (G7)
		d.add(ok && at.AnsweredMS > 0, DueAcknowledged, at.AnsweredMS, t.Acknowledged, nil)
	}
	_, open := s.OpenRound()
	if open && s.State != StateAnswered && s.State != StateAcknowledged {
		d.add(ok && len(s.HandingTo) > 0, DueHandOver, at.HandedMS, t.Accepted, nil)
		d.add(s.NeededByMS > at.AskedMS, DueNeeded, at.AskedMS, s.NeededByMS-at.AskedMS, nil)
	}
	for _, x := range s.OpenCriticals() {
		from := s.clocks.moment(s, x.Entry, c)
		d.add(true, DueCritical, from, x.wait(from), &x.Entry)
	}
	return d.list
}

// wait is within what time a critical finding wants its acknowledgement.
func (x *Critical) wait(from int64) int64 {
	if x.DueMS > from {
		return x.DueMS - from
	}
	return tiers[x.Category].escalate[0]
}

// Overdue reports whether the time for something ran out.
func (s *State) Overdue(c Clock) bool {
	return slices.ContainsFunc(s.DueAt(c), func(d Due) bool { return d.Share >= 1 })
}

type dues struct {
	now  int64
	list []Due
}

func (d *dues) add(wanted bool, what string, from, wait int64, entry *ledger.EntryID) {
	if !wanted || wait <= 0 || from <= 0 {
		return
	}
	d.list = append(d.list, Due{What: what, FromMS: from, AtMS: from + wait, Share: float64(d.now-from) / float64(wait), Entry: entry})
}

// targets chooses the row of the table; teaching has none.
func (s *State) targets(table map[Priority]Targets) (Targets, bool) {
	if s.Request == nil || s.Request.Context.Form["type"] == "teaching" && s.NeededByMS == 0 {
		return Targets{}, false
	}
	if table == nil {
		table = DefaultTargets
	}
	p, _ := ParsePriority(s.Priority)
	protocol := s.Request.Context.Form["protocol"]
	if p == PriorityStat && s.NeededByMS > 0 && (protocol == "stroke" || protocol == "trauma") {
		return ProtocolTargets, true
	}
	t, ok := table[p]
	return t, ok
}

// board reports whether the case is for a meeting (FIELD §4.4).
func (s *State) board() bool {
	return s.Request.Context.Form["protocol"] == "board" && s.NeededByMS > 0 && s.Priority == PriorityRoutine.String()
}

// beforeMeeting are the targets of a board from when a case was asked and
// accepted. What should have been before that has half the time that is left.
func (s *State) beforeMeeting(asked, accepted int64) Targets {
	until := func(from, before int64) int64 {
		if left := s.NeededByMS - before - from; left > 0 {
			return left
		}
		return max(0, s.NeededByMS-from) / 2
	}
	return Targets{
		Delivered: until(asked, BoardTargets.Delivered), Accepted: until(asked, BoardTargets.Accepted),
		Preliminary: until(accepted, BoardTargets.Preliminary), Final: until(accepted, BoardTargets.Final), Acknowledged: BoardTargets.Acknowledged,
	}
}

// rested is for how long since a time questions held the consultant up. While
// they do, the consultant's clock rests.
func (s *State) rested(c Clock, from int64) int64 {
	type span struct{ from, to int64 }
	var spans []span
	for _, a := range s.Asks {
		x := span{max(from, s.clocks.moment(s, a.Entry, c)), c.NowMS}
		switch {
		case !a.holds: // by somebody who was not to answer, or in a round before
			continue
		case a.Answer != nil:
			x.to = s.clocks.moment(s, *a.Answer, c)
		case !a.Open: // taken back: when, does not matter any more
			continue
		case a.past != nil: // the reader went on without an answer
			x.to = s.clocks.moment(s, *a.past, c)
		}
		spans = append(spans, x)
	}
	slices.SortFunc(spans, func(x, y span) int { return int(min(max(x.from-y.from, -1), 1)) })
	var sum, end int64
	for _, x := range spans {
		if start := max(x.from, end); x.to > start {
			sum += x.to - start
		}
		end = max(end, x.to)
	}
	return sum
}

// step is an entry that a time is taken from.
type step struct {
	entry  ledger.EntryID
	device identity.DeviceID
	ms     int64
}

// steps are what the times of the acting round are made of: of some the
// earliest counts, of others the latest.
type steps struct{ asked, accepted, preliminary, answered, handed []step }

// foldTimes finds what the times of the acting round are made of.
func (f *fold) foldTimes() {
	f.foldClocks()
	if f.request == nil {
		return
	}
	to := &f.s.steps
	of := func(it *item) step { return step{it.e.ID, it.e.Device, it.e.ClaimedMS} }
	to.asked = append(to.asked, of(f.request))
	for _, o := range f.openers[f.s.Round] {
		to.asked = append(to.asked, of(o))
	}
	for _, it := range f.voices {
		if b, ok := it.body.(*StatusBody); ok && b.Stage == StageAccepted && f.ofRound(it, f.s.Round) && f.wasAssigned(it) && f.stances[it.e.Person] >= accepted {
			to.accepted = append(to.accepted, of(it))
		}
	}
	for _, o := range f.ofType(ReportOpinion) {
		to.preliminary = append(to.preliminary, of(o.it))
	}
	for _, o := range f.finals() {
		for _, v := range append([]*item{o.it}, o.addenda...) {
			if o.current() && !f.versionTaken(o, v) {
				to.answered = append(to.answered, of(v))
			}
		}
	}
	for _, it := range f.acting {
		to.handed = append(to.handed, of(it))
	}
	f.s.Times = f.s.TimesAt(Clock{})
}

// TimesAt returns when the acting round came to its steps, by a clock: the
// earlier of what authors claim and when it came here (FIELD §4.4). Without
// either, what authors claim.
func (s *State) TimesAt(c Clock) Times {
	latest := func(steps []step) (out int64) {
		for _, x := range steps {
			out = max(out, s.clocks.at(x, c))
		}
		return out
	}
	earliest := func(steps []step) (out int64) {
		for _, x := range steps {
			out = earlier(out, s.clocks.at(x, c))
		}
		return out
	}
	t := Times{
		AskedMS: latest(s.steps.asked), AcceptedMS: earliest(s.steps.accepted), PreliminaryMS: earliest(s.steps.preliminary),
		AnsweredMS: latest(s.steps.answered), HandedMS: latest(s.steps.handed),
	}
	if t.AcceptedMS == 0 { // signing implies accepting
		t.AcceptedMS = t.PreliminaryMS
	}
	return t
}

// earlier is the earlier of two times, of which the first may not be known.
func earlier(a, b int64) int64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}
