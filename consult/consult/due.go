package consult

import "github.com/curbside-p2p/curbside/protocol/ledger"

// What can be due.
const (
	DueDelivered    = "delivered"
	DueAccepted     = "accepted"
	DueReply        = "reply" // to an ask: the requester's clock, while the consultant's rests
	DuePreliminary  = "preliminary"
	DueFinal        = "final"
	DueAcknowledged = "acknowledged"
	DueNeeded       = "needed" // the time the request names
	DueCritical     = "critical"
)

// Targets is within what time a step is wanted, in milliseconds; 0 is never.
type Targets struct{ Delivered, Accepted, Preliminary, Final, Acknowledged int64 }

const (
	minute = 60 * 1000
	hour   = 60 * minute
	day    = 24 * hour
)

// DefaultTargets are those of FIELD §4.4. ProtocolTargets are for stroke and
// trauma: a stat request whose form names one, with a time it is needed by.
var (
	DefaultTargets = map[Priority]Targets{
		PriorityStat:    {Delivered: 15 * minute, Accepted: 15 * minute, Final: hour, Acknowledged: hour},
		PriorityUrgent:  {Delivered: hour, Accepted: 2 * hour, Final: 12 * hour, Acknowledged: day},
		PriorityRoutine: {Delivered: day, Accepted: day, Final: 3 * day, Acknowledged: 7 * day},
	}
	ProtocolTargets = Targets{Delivered: 5 * minute, Accepted: 5 * minute, Preliminary: 20 * minute, Final: hour, Acknowledged: 15 * minute}
)

// criticalTargets is when a critical finding without a due time is passed on,
// by its tier (FIELD §4.6).
var criticalTargets = [...]int64{1: 15 * minute, 2: 4 * hour, 3: 3 * day}

// Clock is what Fold does not know.
type Clock struct {
	NowMS    int64
	ImagesMS int64 // when the last image came; 0 if that is not known
	Targets  map[Priority]Targets
}

// Due is a step with a time.
type Due struct {
	What   string
	FromMS int64
	AtMS   int64
	Share  float64 // of the time that has passed: overdue from 1 on
	Entry  *ledger.EntryID
}

// Times are when the acting round came to its steps, as authors claim; 0 is not
// yet.
type Times struct{ AskedMS, AcceptedMS, PreliminaryMS, AnsweredMS int64 }

// DueAt returns what a case waits for, with the times wanted of it. It is a
// pure function, to be asked on every change and once a minute.
func (s *State) DueAt(c Clock) []Due {
	d := dues{now: c.NowMS}
	t, ok := s.targets(c.Targets)
	opinionFrom := max(s.Times.AcceptedMS, c.ImagesMS)
	switch s.State {
	case StateAsked:
		d.add(ok, DueDelivered, s.Times.AskedMS, t.Delivered, nil)
		d.add(ok, DueAccepted, s.Times.AskedMS, t.Accepted, nil)
	case StateDelivered, StateSeen:
		d.add(ok, DueAccepted, s.Times.AskedMS, t.Accepted, nil)
	case StateAccepted, StateReading:
		d.add(ok, DuePreliminary, opinionFrom, t.Preliminary, nil)
		d.add(ok, DueFinal, opinionFrom, t.Final, nil)
	case StatePreliminary:
		d.add(ok, DueFinal, opinionFrom, t.Final, nil)
	case StateQuestion:
		for _, a := range s.Asks {
			d.add(ok && a.Open, DueReply, a.TimeMS, t.Accepted, &a.Entry)
		}
	case StateAnswered:
		d.add(ok, DueAcknowledged, s.Times.AnsweredMS, t.Acknowledged, nil)
	}
	_, open := s.OpenRound()
	if open && s.State != StateAnswered && s.State != StateAcknowledged && s.NeededByMS > s.Times.AskedMS {
		d.add(true, DueNeeded, s.Times.AskedMS, s.NeededByMS-s.Times.AskedMS, nil)
	}
	for _, x := range s.OpenCriticals() {
		wait := criticalTargets[x.Category]
		if x.DueMS > x.TimeMS {
			wait = x.DueMS - x.TimeMS
		}
		d.add(true, DueCritical, x.TimeMS, wait, &x.Entry)
	}
	return d.list
}

// Overdue reports whether the time for something ran out.
func (s *State) Overdue(c Clock) bool {
	for _, d := range s.DueAt(c) {
		if d.Share >= 1 {
			return true
		}
	}
	return false
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
	if s.Request == nil || s.Request.Context.Form["type"] == "teaching" {
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

// foldTimes finds when the acting round came to its steps.
func (f *fold) foldTimes() {
	if f.request == nil {
		return
	}
	t := &f.s.Times
	t.AskedMS = f.request.e.ClaimedMS
	for _, o := range f.openers[f.s.Round] {
		t.AskedMS = max(t.AskedMS, o.e.ClaimedMS)
	}
	for _, it := range f.of[ledger.Status] {
		if b := it.body.(*StatusBody); b.Stage == StageAccepted && f.ofRound(it) && f.stances[it.e.Person] >= accepted {
			t.AcceptedMS = earlier(t.AcceptedMS, it.e.ClaimedMS)
		}
	}
	for _, o := range f.ofType(ReportOpinion) {
		t.PreliminaryMS = earlier(t.PreliminaryMS, o.it.e.ClaimedMS)
	}
	for _, o := range f.finals() {
		for _, v := range append([]*item{o.it}, o.addenda...) {
			if o.current() && !f.versionTaken(o, v) {
				t.AnsweredMS = max(t.AnsweredMS, v.e.ClaimedMS)
			}
		}
	}
	if t.AcceptedMS == 0 { // signing implies accepting
		t.AcceptedMS = t.PreliminaryMS
	}
}

// earlier is the earlier of two times, of which the first may not be known.
func earlier(a, b int64) int64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}
