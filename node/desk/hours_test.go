package desk

import (
	"testing"
	"time"
)

// TestHours: what is written is read, written again the same, and open at the right instants on
// both sides of the date line and over a change of the clocks.
func TestHours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, again string
		at, open    string // RFC 3339; open is empty for never
	}{
		{"Mon-Fri 08:00-18:00 @ America/Lima", "", "2026-03-04T13:00:00Z", "2026-03-04T13:00:00Z"}, // a Wednesday, 08:00 there
		{"Mon-Fri 08:00-18:00 @ America/Lima", "", "2026-03-04T12:59:59Z", "2026-03-04T13:00:00Z"},
		{"Mon-Fri 08:00-18:00 @ America/Lima", "", "2026-03-06T23:00:00Z", "2026-03-09T13:00:00Z"}, // Friday 18:00 there
		{"Mon-Sun 20:00-08:00 @ Europe/Madrid", "Mon-Sun 00:00-08:00, Mon-Sun 20:00-24:00 @ Europe/Madrid", "2026-03-04T02:00:00Z", "2026-03-04T02:00:00Z"},
		{"Sun 20:00-08:00 @ UTC", "Mon 00:00-08:00, Sun 20:00-24:00 @ UTC", "2026-03-09T07:59:00Z", "2026-03-09T07:59:00Z"},
		{"Sat-Mon 09:00-10:00 @ Pacific/Kiritimati", "Mon 09:00-10:00, Sat-Sun 09:00-10:00 @ Pacific/Kiritimati", "2026-03-06T19:00:00Z", "2026-03-06T19:00:00Z"}, // Saturday 09:00 there
		{"Fri 12:00-13:00 @ Pacific/Midway", "", "2026-03-07T00:30:00Z", "2026-03-13T23:00:00Z"},                                                                  // Friday 13:30 there
		{"Sun 09:00-17:00 @ Europe/Vienna", "", "2026-03-29T06:30:00Z", "2026-03-29T07:00:00Z"},                                                                   // 09:00 in summer time, since that night
		{"always", "Mon-Sun 00:00-24:00 @ UTC", "2026-03-04T02:00:00Z", "2026-03-04T02:00:00Z"},
		{"off", "", "2026-03-04T02:00:00Z", ""},
		{"Mon 08:00-12:00, Mon 11:00-14:00 @ UTC", "Mon 08:00-14:00 @ UTC", "2026-03-09T13:59:00Z", "2026-03-09T13:59:00Z"},
	} {
		h, err := ParseHours(c.text)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		want := c.again
		if want == "" {
			want = c.text
		}
		if got := hoursText(h); got != want {
			t.Errorf("%s is written as %s, want %s", c.text, got, want)
		}
		if again, err := ParseHours(want); err != nil || hoursText(again) != want {
			t.Errorf("%s: %v", want, err)
		}
		at, _ := time.Parse(time.RFC3339, c.at)
		got := ""
		if open, ok := openFrom(h, at); ok {
			got = open.UTC().Format(time.RFC3339)
		}
		if got != c.open {
			t.Errorf("%s at %s: open from %q, want %q", c.text, c.at, got, c.open)
		}
	}
	for _, bad := range []string{
		"Mon", "Mon-Fri", "08:00-18:00 @ UTC", "Mon 8-18 @ UTC", "Mon 08:00-18:00", "Mon 08:00-18:00 @ Nowhere/Else", "Mon 08:00-18:00 @ Local",
		"Mon 08:00-08:00 @ UTC", "Mon 24:00-08:00 @ UTC", "Mon 25:00-26:00 @ UTC", "Tag 08:00-18:00 @ UTC", "Mon 08:61-18:00 @ UTC",
	} {
		if h, err := ParseHours(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, h)
		}
	}
}
