package desk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

// minutesADay ends the last span of a day.
const minutesADay = 24 * 60

// hoursMax bounds what is read as hours: a span or two a day.
const hoursMax = 512

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// errHours says how hours are written.
var errHours = errors.New(`want days, times and a zone such as "Mon-Fri 08:00-18:00, Sat 09:00-12:00 @ America/Lima", "always" or "off"`)

// ParseHours reads when somebody takes cases:
//
//	Mon-Fri 08:00-18:00, Sat 09:00-12:00 @ America/Lima
//	Mon-Sun 20:00-08:00 @ Europe/Madrid      a night ends on the next day
//	always                                   at any time
//	off                                      not accepting cases
//
// Nothing is nil: it is not known.
func ParseHours(s string) (*identity.Hours, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return nil, nil
	case len(s) > hoursMax:
		return nil, errHours
	case s == "off":
		return &identity.Hours{Zone: "UTC"}, nil
	case s == "always":
		s = "Mon-Sun 00:00-24:00 @ UTC"
	}
	days, zone, ok := strings.Cut(s, "@")
	zone = strings.TrimSpace(zone)
	if !ok || zone == "" || zone == "Local" {
		return nil, errHours
	}
	if _, err := time.LoadLocation(zone); err != nil {
		return nil, fmt.Errorf("time zone %q is not known: want an IANA name such as Europe/Vienna", zone)
	}
	h := &identity.Hours{Zone: zone}
	for part := range strings.SplitSeq(days, ",") {
		spans, err := parseSpans(part)
		if err != nil {
			return nil, err
		}
		h.Open = append(h.Open, spans...)
	}
	h.Open = mergeSpans(h.Open)
	return h, nil
}

// parseSpans reads "Mon-Fri 08:00-18:00" or "Sun 20:00-08:00".
func parseSpans(s string) ([]identity.Span, error) {
	words := strings.Fields(strings.ToLower(s))
	if len(words) != 2 {
		return nil, errHours
	}
	firstDay, lastDay, ranged := strings.Cut(words[0], "-")
	if !ranged {
		lastDay = firstDay
	}
	first, last := slices.Index(weekdays, firstDay), slices.Index(weekdays, lastDay)
	begin, end, ok := strings.Cut(words[1], "-")
	from, err1 := parseMinute(begin)
	to, err2 := parseMinute(end)
	if first < 0 || last < 0 || !ok || err1 != nil || err2 != nil || from == to || from == minutesADay {
		return nil, errHours
	}
	var out []identity.Span
	for day := first; ; day = (day + 1) % 7 {
		if from < to {
			out = append(out, identity.Span{Weekday: uint64(day + 1), From: from, To: to})
		} else {
			out = append(out, identity.Span{Weekday: uint64(day + 1), From: from, To: minutesADay})
			if to > 0 {
				out = append(out, identity.Span{Weekday: uint64((day+1)%7 + 1), From: 0, To: to})
			}
		}
		if day == last {
			return out, nil
		}
	}
}

func parseMinute(s string) (uint64, error) {
	var h, m uint64
	if n, err := fmt.Sscanf(s, "%d:%d", &h, &m); err != nil || n != 2 || m > 59 || h > 24 || h == 24 && m > 0 || fmt.Sprintf("%02d:%02d", h, m) != s {
		return 0, errHours
	}
	return h*60 + m, nil
}

// mergeSpans sorts spans and joins those that touch.
func mergeSpans(spans []identity.Span) []identity.Span {
	slices.SortFunc(spans, func(a, b identity.Span) int {
		return cmp.Or(cmp.Compare(a.Weekday, b.Weekday), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	var out []identity.Span
	for _, s := range spans {
		if n := len(out); n > 0 && out[n-1].Weekday == s.Weekday && s.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

// hoursText writes hours as ParseHours reads them, days with the same times together.
func hoursText(h *identity.Hours) string {
	if h == nil {
		return ""
	}
	if len(h.Open) == 0 {
		return "off"
	}
	daily := map[uint64]string{}
	for _, s := range h.Open {
		times := fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60)
		daily[s.Weekday] = strings.TrimPrefix(daily[s.Weekday]+"+"+times, "+")
	}
	var parts []string
	for day := uint64(1); day <= 7; {
		last := day
		for last < 7 && daily[last+1] == daily[day] {
			last++
		}
		for times := range strings.SplitSeq(daily[day], "+") {
			if times == "" {
				continue
			}
			name := dayName(day)
			if last > day {
				name += "-" + dayName(last)
			}
			parts = append(parts, name+" "+times)
		}
		day = last + 1
	}
	return strings.Join(parts, ", ") + " @ " + h.Zone
}

func dayName(day uint64) string { d := weekdays[day-1]; return strings.ToUpper(d[:1]) + d[1:] }

// openFrom is when somebody takes cases next, from a time on: that very time if they do now. It
// is false if they never do. Unknown hours, or a zone that is not known here, are always open:
// nothing is held back for want of a table.
func openFrom(h *identity.Hours, at time.Time) (time.Time, bool) {
	if h == nil {
		return at, true
	}
	zone, err := time.LoadLocation(h.Zone)
	if err != nil {
		return at, true
	}
	if len(h.Open) == 0 {
		return time.Time{}, false // they said so
	}
	next, ok := consult.HoursOf(h, zone).Next(at.UnixMilli())
	switch {
	case !ok:
		return time.Time{}, false
	case next <= at.UnixMilli():
		return at, true
	default:
		return time.UnixMilli(next).UTC(), true
	}
}
