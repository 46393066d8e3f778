package consult

import (
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/protocol/identity"
)

// Hours are when a person takes cases, as their card says (FIELD §4.5), in
// their own zone: the caller looks the zone up, for that reads files.
type Hours struct {
	Zone  *time.Location
	Spans []Span // none: at any time
}

// Span is a part of a day of the week, in minutes since midnight by the clock
// on the wall.
type Span struct {
	Weekday time.Weekday
	From    int
	To      int
}

// HoursOf takes the hours of a card. Weekday 7 is Sunday there.
func HoursOf(h *identity.Hours, zone *time.Location) Hours {
	out := Hours{Zone: zone}
	if h == nil {
		return out
	}
	for _, s := range h.Open {
		out.Spans = append(out.Spans, Span{Weekday: time.Weekday(s.Weekday % 7), From: int(s.From), To: int(s.To)})
	}
	return out
}

// Open reports whether a time is within the hours.
func (h Hours) Open(ms int64) bool {
	if len(h.Spans) == 0 || h.Zone == nil {
		return true
	}
	t := time.UnixMilli(ms).In(h.Zone)
	now := t.Hour()*60 + t.Minute()
	return slices.ContainsFunc(h.Spans, func(s Span) bool { return s.Weekday == t.Weekday() && s.From <= now && now < s.To })
}

// Next returns the first time from ms on that is within the hours. It is false
// if there is none within a week.
func (h Hours) Next(ms int64) (int64, bool) {
	if h.Open(ms) {
		return ms, true
	}
	var found int64
	t := time.UnixMilli(ms).In(h.Zone)
	for d := range 8 {
		for _, s := range h.Spans {
			// made by the calendar, so that a change of the clocks moves nothing
			at := time.Date(t.Year(), t.Month(), t.Day()+d, s.From/60, s.From%60, 0, 0, h.Zone)
			if ms2 := at.UnixMilli(); at.Weekday() == s.Weekday && ms2 > ms && h.Open(ms2) && (found == 0 || ms2 < found) {
				found = ms2
			}
		}
	}
	return found, found > 0
}

// Outside is a target that falls where nobody looks.
type Outside struct {
	What string // a Due constant
	AtMS int64  // when the target is over
	Next int64  // when the person is there again; 0 if that cannot be said
}

// OutsideHours returns the targets of a request that fall outside a person's
// hours, to be said before it is sent. A target is outside if the person is not
// there at any time until then.
func OutsideHours(h Hours, t Targets, fromMS int64) []Outside {
	var out []Outside
	for _, x := range []struct {
		what string
		wait int64
	}{{DueAccepted, t.Accepted}, {DuePreliminary, t.Preliminary}, {DueFinal, t.Final}} {
		next, ok := h.Next(fromMS)
		if at := fromMS + x.wait; x.wait > 0 && (!ok || next >= at) {
			out = append(out, Outside{What: x.what, AtMS: at, Next: next})
		}
	}
	return out
}

// TargetsFor are the targets that a request will have if it is sent now. It is
// false if it will have none.
func TargetsFor(b RequestBody, nowMS int64, table map[Priority]Targets) (Targets, bool) {
	ctx, err := DecodeContext(b.Context)
	if err != nil {
		return Targets{}, false
	}
	s := State{Request: &Request{Context: ctx}, Priority: b.Priority.String(), NeededByMS: b.NeededByMS}
	t, ok := s.targets(table)
	if ok && s.board() {
		t = s.beforeMeeting(nowMS, nowMS)
	}
	return t, ok
}

// Reader is somebody who could take a case.
type Reader struct {
	Person    identity.PersonID
	Hours     Hours
	OnCall    bool
	Accepting bool // takes cases at present
}

// Awake orders readers by who can take a case now: who is accepting, on call
// first, then who is within their hours, then by who is there next. Who takes
// no cases comes last.
func Awake(readers []Reader, nowMS int64) []Reader {
	rank := func(r Reader) int64 {
		next, ok := r.Hours.Next(nowMS)
		const never = 1 << 60
		switch {
		case !r.Accepting && !r.OnCall:
			return never + 1
		case r.OnCall:
			return -1
		case !ok:
			return never
		default:
			return next - nowMS
		}
	}
	out := slices.Clone(readers)
	slices.SortStableFunc(out, func(a, b Reader) int {
		x, y := rank(a), rank(b)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		default:
			return 0
		}
	})
	return out
}
