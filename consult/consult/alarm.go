package consult

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// What to do about an alarm (FIELD §4.5, §4.6).
const (
	ActRemind  = "remind"
	ActAmber   = "amber"
	ActRed     = "red"
	ActTop     = "top"     // at the top of the list
	ActOffer   = "offer"   // the next recipient or the coordinator is offered
	ActPhone   = "phone"   // "nobody has taken this: phone", with the numbers
	ActDecline = "decline" // declining is one key away
	ActWaiting = "waiting" // on the list of what must be acknowledged, from the first moment on
)

// Alarm is what is due for somebody now.
type Alarm struct {
	What  string // a Due constant
	For   []identity.PersonID
	Level int      // 50, 80, 100 or 150 % of a target; of a critical finding how often it was passed on
	Acts  []string // what to do, Act constants
	AtMS  int64    // when the time is or was over
	Since int64    // when this level began
	Next  int64    // when to remind again; 0 if not
	Entry *ledger.EntryID
}

// Has reports whether an alarm asks for something to be done.
func (a Alarm) Has(act string) bool { return slices.Contains(a.Acts, act) }

// shares is the table of FIELD §4.5: the side that waits, and the side that has
// to do it. For an answer the requester waits; for an acknowledgement or a
// reply the consultant does.
var shares = []struct {
	percent        int
	waiting, doing []string
}{
	{150, []string{ActRed, ActOffer, ActPhone}, []string{ActRed, ActTop, ActDecline}},
	{100, []string{ActRed, ActOffer}, []string{ActRed, ActTop}},
	{80, []string{ActAmber}, []string{ActRemind, ActAmber}},
	{50, nil, []string{ActRemind}},
}

// Alarms returns what is due now, and for whom, critical findings first. It is
// a pure function: who asks again after a restart loses nothing.
func (s *State) Alarms(c Clock) []Alarm {
	var out []Alarm
	for _, x := range s.OpenCriticals() {
		out = append(out, s.criticalAlarm(x, c))
	}
	if s.Orphan() {
		at := s.TimesAt(c)
		out = append(out, Alarm{What: DueOrphan, For: s.owners(), Level: 100, Acts: []string{ActRed, ActOffer}, AtMS: at.AskedMS, Since: at.AskedMS})
	}
	for _, d := range s.DueAt(c) {
		if d.What != DueCritical {
			out = append(out, s.sides(d)...)
		}
	}
	return out
}

// sides makes the alarms of a target, for each side that has one.
func (s *State) sides(d Due) []Alarm {
	for _, row := range shares {
		if d.Share*100 < float64(row.percent) {
			continue
		}
		waiting, doing := s.requesters(), s.readers(d)
		if d.What == DueAcknowledged || d.What == DueReply {
			waiting, doing = doing, waiting
		}
		a := Alarm{What: d.What, Level: row.percent, AtMS: d.AtMS, Since: d.FromMS + (d.AtMS-d.FromMS)*int64(row.percent)/100, Entry: d.Entry}
		var out []Alarm
		for _, side := range []struct {
			who  []identity.PersonID
			acts []string
		}{{waiting, row.waiting}, {doing, row.doing}} {
			if len(side.who) > 0 && len(side.acts) > 0 {
				x := a
				x.For, x.Acts = side.who, side.acts
				out = append(out, x)
			}
		}
		return out
	}
	return nil
}

// requesters are the owners and coordinators.
func (s *State) requesters() []identity.PersonID {
	return append(s.owners(), s.ranked(ledger.RankAdmin)...)
}

func (s *State) owners() []identity.PersonID { return s.ranked(ledger.RankFounder) }

func (s *State) ranked(r ledger.Rank) []identity.PersonID {
	var out []identity.PersonID
	for _, m := range s.Members {
		if m.Rank == r {
			out = append(out, m.Person)
		}
	}
	return out
}

// readers are the assignees whom a target is for: an accept is wanted of those
// who are silent, a hand-over of those to whom it goes.
func (s *State) readers(d Due) []identity.PersonID {
	panel := s.Panel()
	switch d.What {
	case DueHandOver:
		return slices.DeleteFunc(panel, func(p identity.PersonID) bool { return !slices.Contains(s.HandingTo, p) })
	case DueReply:
		if i := slices.IndexFunc(s.Asks, func(a Ask) bool { return a.Entry == *d.Entry }); i >= 0 {
			return []identity.PersonID{s.Asks[i].Author}
		}
	}
	return panel
}

// Orphan reports whether nobody has an open case that waits for an answer: all
// declined, or nobody who may write is assigned (FIELD §6, F16).
func (s *State) Orphan() bool {
	_, open := s.OpenRound()
	return open && s.State != StateAnswered && s.State != StateAcknowledged && len(s.Panel()) == 0
}

// tier is how soon a critical finding is reminded of and passed on.
type tier struct {
	remind   int64
	escalate []int64 // since it was raised; then again after the last step
	phone    bool    // spoken contact: telephone numbers full screen
}

// tiers are those of FIELD §4.6.
var tiers = [...]tier{
	1: {remind: 5 * minute, escalate: []int64{15 * minute, 30 * minute, 60 * minute}, phone: true},
	2: {remind: hour, escalate: []int64{4 * hour}},
	3: {remind: day, escalate: []int64{3 * day}},
}

// passedOn returns how often a critical finding was to be passed on by now, and
// when the last of these times was. A due time of its own moves all of them.
func (t tier) passedOn(from, wait, now int64) (times int, last int64) {
	shift := wait - t.escalate[0]
	gap := t.escalate[0]
	for i := 0; ; i++ {
		var at int64
		switch {
		case i < len(t.escalate):
			at = from + t.escalate[i] + shift
			if i > 0 {
				gap = t.escalate[i] - t.escalate[i-1]
			}
		default: // again until it is acknowledged
			n := (now - last) / gap
			if n > 0 {
				times, last = times+int(min(n, 1<<20)), last+n*gap
			}
			return times, last
		}
		if now < at {
			return times, last
		}
		times, last = times+1, at
	}
}

// criticalAlarm says who is to be told of an open critical finding: those who
// must acknowledge it, and with each step that passes one more alternate.
func (s *State) criticalAlarm(x Critical, c Clock) Alarm {
	t := tiers[x.Category]
	from := s.clocks.moment(s, x.Entry, c)
	wait := x.wait(from)
	a := Alarm{What: DueCritical, AtMS: from + wait, Since: from, Entry: &x.Entry, Acts: []string{ActTop, ActWaiting}}
	if past := c.NowMS - from; past >= t.remind {
		a.Acts = append(a.Acts, ActRemind)
	}
	a.Next = from + (max(0, c.NowMS-from)/t.remind+1)*t.remind
	a.For = s.writing(x.Who)
	if len(a.For) == 0 {
		a.For = s.owners()
	}
	times, last := t.passedOn(from, wait, c.NowMS)
	if times == 0 {
		return a
	}
	a.Level, a.Since = times, last
	a.Acts = append(a.Acts, ActRed, ActOffer)
	if t.phone {
		a.Acts = append(a.Acts, ActPhone)
	}
	// Who cannot see the case cannot be told by it, and takes nobody's turn.
	for _, p := range slices.Concat(s.writing(c.Alternates), s.owners(), s.ranked(ledger.RankAdmin)) {
		if times > 0 && p != x.Author && !slices.Contains(a.For, p) {
			a.For, times = append(a.For, p), times-1
		}
	}
	return a
}

// Record is what a printed critical finding says (FIELD §4.6), beside its
// attempts.
type Record struct {
	Finding    string
	List       string // of findings, with its version
	Tier       uint64
	FoundMS    int64 // when it was identified: when it was raised, if not said
	ToldBy     identity.PersonID
	Told       []identity.PersonID // who must acknowledge
	ReceivedBy *identity.PersonID
	ReceivedMS int64
	ReadBack   string
	Error      bool
}

// CriticalRecord returns the record of a critical finding.
func (s *State) CriticalRecord(id ledger.EntryID) (Record, bool) {
	i := slices.IndexFunc(s.Criticals, func(c Critical) bool { return c.Entry == id })
	if i < 0 {
		return Record{}, false
	}
	x := s.Criticals[i]
	r := Record{Finding: x.Text, List: x.List, Tier: x.Category, FoundMS: x.FoundMS, ToldBy: x.Author, Told: x.Who, Error: x.Error != nil}
	if r.FoundMS == 0 {
		r.FoundMS = x.TimeMS
	}
	if len(r.Told) == 0 {
		r.Told = s.owners()
	}
	if x.AcknowledgedBy != nil {
		if p, ok := s.Post(*x.AcknowledgedBy); ok {
			r.ReceivedBy, r.ReceivedMS, r.ReadBack = &p.Author, p.TimeMS, p.Text
		}
	}
	return r, true
}
