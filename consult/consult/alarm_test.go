package consult

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones of both sides of the date line, wherever the test runs

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// said puts alarms in a line: what, level, acts, for whom.
func (p play) said(alarms []Alarm) string {
	names := map[identity.PersonID]string{}
	for _, a := range p.all {
		names[a.id()] = a.name
	}
	var out []string
	for _, a := range alarms {
		var who []string
		for _, x := range a.For {
			who = append(who, names[x])
		}
		out = append(out, fmt.Sprintf("%s %d %s: %s", a.What, a.Level, strings.Join(a.Acts, "+"), strings.Join(who, " ")))
	}
	return strings.Join(out, "; ")
}

// TestAlarms is the table of FIELD §4.5 for an accept wanted within 24 h.
func TestAlarms(t *testing.T) {
	p := newPlay(t)
	p.ben.receipt(ReceiptDelivered)
	s := p.anna.fold()
	for _, tt := range []struct {
		percent int64
		want    string
	}{
		{0, ""},
		{49, ""},
		{50, "accepted 50 remind: ben cleo"},
		{80, "accepted 80 amber: anna dora; accepted 80 remind+amber: ben cleo"},
		{100, "accepted 100 red+offer: anna dora; accepted 100 red+top: ben cleo"},
		{149, "accepted 100 red+offer: anna dora; accepted 100 red+top: ben cleo"},
		{150, "accepted 150 red+offer+phone: anna dora; accepted 150 red+top+decline: ben cleo"},
		{900, "accepted 150 red+offer+phone: anna dora; accepted 150 red+top+decline: ben cleo"},
	} {
		if got := p.said(s.Alarms(Clock{NowMS: s.Times.AskedMS + day*tt.percent/100})); got != tt.want {
			t.Errorf("%d %%: %q, want %q", tt.percent, got, tt.want)
		}
	}
	// an acknowledgement is the requester's to do, and the consultant waits
	p.ben.final("No.")
	s = p.anna.fold()
	if got, want := p.said(s.Alarms(Clock{NowMS: s.Times.AnsweredMS + 7*day})), "acknowledged 100 red+offer: ben cleo; acknowledged 100 red+top: anna dora"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestF05CriticalTiers: reminders and alternates of T1, T2 and T3, again until
// it is acknowledged; closing is refused; nothing is lost by asking late.
func TestF05CriticalTiers(t *testing.T) {
	p := newPlay(t)
	r := p.ben.final("Aneurysm.")
	raise := func(tier uint64, due int64, who ...*actor) ledger.EntryID {
		b := CriticalBody{Of: r, Category: tier, Text: "6 cm", List: "clinic 3", FoundMS: p.nowMS - 60_000, DueMS: due}
		for _, a := range who {
			b.Who = append(b.Who, a.id())
		}
		return p.ben.post(ledger.Critical, b)
	}
	for _, tt := range []struct {
		tier  uint64
		after int64
		want  string
	}{
		{1, 0, "critical 0 top+waiting: anna"},
		{1, 5 * minute, "critical 0 top+waiting+remind: anna"},
		{1, 14 * minute, "critical 0 top+waiting+remind: anna"},
		{1, 15 * minute, "critical 1 top+waiting+remind+red+offer+phone: anna cleo"},
		{1, 30 * minute, "critical 2 top+waiting+remind+red+offer+phone: anna cleo dora"},
		{1, 60 * minute, "critical 3 top+waiting+remind+red+offer+phone: anna cleo dora"},
		{1, 90 * minute, "critical 4 top+waiting+remind+red+offer+phone: anna cleo dora"},
		{2, hour, "critical 0 top+waiting+remind: anna"},
		{2, 4 * hour, "critical 1 top+waiting+remind+red+offer: anna cleo"},
		{2, 8 * hour, "critical 2 top+waiting+remind+red+offer: anna cleo dora"},
		{3, day, "critical 0 top+waiting+remind: anna"},
		{3, 3 * day, "critical 1 top+waiting+remind+red+offer: anna cleo"},
	} {
		id := raise(tt.tier, 0, p.anna)
		s := p.anna.fold()
		x, _ := s.Post(id)
		c := Clock{NowMS: x.TimeMS + tt.after, Alternates: []identity.PersonID{p.cleo.id()}}
		alarms := slices.DeleteFunc(s.Alarms(c), func(a Alarm) bool { return a.Entry == nil || *a.Entry != id })
		if got := p.said(alarms); got != tt.want {
			t.Errorf("T%d after %d min: %q, want %q", tt.tier, tt.after/minute, got, tt.want)
		}
		if len(alarms) == 1 && (alarms[0].Next <= c.NowMS || alarms[0].Next > c.NowMS+tiers[tt.tier].remind) {
			t.Errorf("T%d after %d min: next reminder at %d", tt.tier, tt.after/minute, alarms[0].Next-c.NowMS)
		}
		allowed(t, p.anna.may(ledger.Status, status(1, StageClosed)), "critical finding is not acknowledged")
		p.anna.post(ledger.Acknowledge, AcknowledgeBody{Critical: id, ReadBack: "6 cm", Action: "surgery"})
		if got := p.anna.fold().OpenCriticals(); len(got) > 0 {
			t.Fatalf("still open: %+v", got)
		}
	}
	// a due time of its own comes first, and then the steps of the tier
	id := raise(1, p.nowMS+2*hour)
	s := p.anna.fold()
	x, _ := s.Post(id)
	if d := s.DueAt(Clock{NowMS: x.TimeMS}); d[len(d)-1].AtMS != p.anna.fold().Criticals[len(s.Criticals)-1].DueMS {
		t.Error("its own due time does not count")
	}
	p.ben.post(ledger.Attempt, AttemptBody{Critical: id, Method: "telephone", Whom: "Dr. A", Result: "no answer"})
	p.ben.post(ledger.Addendum, AddendumBody{Report: id, Type: AddendumCorrection, Text: "it was another patient's"})
	p.cleo.post(ledger.Acknowledge, AcknowledgeBody{Critical: id, ReadBack: "x", Action: "y"}) // not named, no owner
	s = p.anna.fold()
	if n := len(s.OpenCriticals()); n != 1 || s.Criticals[len(s.Criticals)-1].Error == nil {
		t.Error("an error of its raiser still needs the read-back, and is marked")
	}
	p.anna.post(ledger.Acknowledge, AcknowledgeBody{Critical: id, ReadBack: "6 cm", Action: "surgery called"})
	rec, ok := p.anna.fold().CriticalRecord(id)
	if !ok || rec.Finding != "6 cm" || rec.List != "clinic 3" || rec.FoundMS == 0 || rec.ToldBy != p.ben.id() || !slices.Equal(rec.Told, []identity.PersonID{p.anna.id()}) ||
		rec.ReceivedBy == nil || *rec.ReceivedBy != p.anna.id() || rec.ReceivedMS == 0 || !rec.Error {
		t.Errorf("record %+v", rec)
	}
}

// TestCriticalNamedLeft: when all who were named are gone, an owner acknowledges.
func TestCriticalNamedLeft(t *testing.T) {
	p := newPlay(t)
	r := p.ben.final("Aneurysm.")
	id := p.ben.post(ledger.Critical, CriticalBody{Of: r, Category: 1, Text: "6 cm", Who: []identity.PersonID{p.cleo.id()}})
	ack := AcknowledgeBody{Critical: id, ReadBack: "6 cm", Action: "surgery"}
	allowed(t, p.anna.may(ledger.Acknowledge, ack), "somebody else")
	p.anna.invite(p.cleo, ledger.RankNone)
	allowed(t, p.anna.may(ledger.Acknowledge, ack), "")
	p.anna.post(ledger.Acknowledge, ack)
	p.want(StateAnswered)
}

// TestQuestionRestsClock: the time of a question is the requester's, not the
// consultant's.
func TestQuestionRestsClock(t *testing.T) {
	p := newPlay(t)
	p.ben.stage(1, StageAccepted)
	final := func() int64 {
		for _, d := range p.anna.fold().DueAt(Clock{NowMS: p.nowMS}) {
			if d.What == DueFinal {
				return d.AtMS
			}
		}
		return 0
	}
	before := final()
	x := p.ben.post(ledger.Ask, AskBody{Text: "side?"})
	y := p.ben.post(ledger.Ask, AskBody{Text: "since when?"})
	p.nowMS += 5 * hour
	p.anna.post(ledger.Message, MessageBody{Text: "left", ReplyTo: &x})
	p.nowMS += 2 * hour
	p.anna.post(ledger.Message, MessageBody{Text: "May", ReplyTo: &y})
	if got := final() - before; got < 7*hour || got > 7*hour+minute {
		t.Errorf("the target moved by %d min, want the 7 hours that the questions took together", got/minute)
	}
}

// TestBoardTargets: two days before the meeting, reads the day before.
func TestBoardTargets(t *testing.T) {
	p := newPlay(t)
	ctx, err := Context{Form: map[string]string{"protocol": "board"}}.Encode()
	p.must(err)
	b := RequestBody{Question: "Is it?", Priority: PriorityRoutine, Consent: ConsentTreatment, Context: ctx, NeededByMS: p.nowMS + 7*day}
	p.anna.post(ledger.Request, b)
	due := func() string {
		var out []string
		for _, d := range p.anna.fold().DueAt(Clock{NowMS: p.nowMS}) {
			out = append(out, fmt.Sprintf("%s %d", d.What, (b.NeededByMS-d.AtMS)/hour))
		}
		return strings.Join(out, " ")
	}
	if got := due(); got != "delivered 48 accepted 48 needed 0" {
		t.Errorf("hours before the meeting: %s", got)
	}
	p.ben.stage(1, StageAccepted)
	if got := due(); got != "preliminary 24 final 0 needed 0" {
		t.Errorf("hours before the meeting: %s", got)
	}
	if tt, ok := TargetsFor(b, b.NeededByMS-day, nil); !ok || tt.Accepted != 12*hour || tt.Preliminary != 12*hour || tt.Final != day {
		t.Errorf("a day before: %+v", tt)
	}
}

// TestHours looks at hours on both sides of the date line, and over changes of
// the clocks.
func TestHours(t *testing.T) {
	zone := func(name string) *time.Location {
		l, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	var office []identity.Span
	for d := range uint64(5) {
		office = append(office, identity.Span{Weekday: d + 1, From: 8 * 60, To: 17 * 60})
	}
	hours := func(name string) Hours { return HoursOf(&identity.Hours{Zone: name, Open: office}, zone(name)) }
	at := func(s string) int64 {
		x, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return x.UnixMilli()
	}
	for _, tt := range []struct {
		zone, at string
		open     bool
		next     string
	}{
		{"Pacific/Auckland", "2026-01-30T10:00:00+13:00", true, ""}, // a Friday there
		{"Pacific/Honolulu", "2026-01-30T10:00:00+13:00", true, ""}, // 11:00 on Thursday in Honolulu
		{"Pacific/Auckland", "2026-01-30T18:00:00+13:00", false, "2026-02-02T08:00:00+13:00"},
		{"Pacific/Honolulu", "2026-01-31T10:00:00+13:00", true, ""}, // Saturday there, Friday here
		{"Pacific/Kiritimati", "2026-02-01T23:00:00+14:00", false, "2026-02-02T08:00:00+14:00"},
		{"Europe/Berlin", "2026-03-29T12:00:00+02:00", false, "2026-03-30T08:00:00+02:00"}, // the clocks changed that night
		{"Europe/Berlin", "2026-10-25T12:00:00+01:00", false, "2026-10-26T08:00:00+01:00"},
		{"Europe/Berlin", "2026-03-27T16:59:00+01:00", true, ""},
		{"Europe/Berlin", "2026-03-27T17:00:00+01:00", false, "2026-03-30T08:00:00+02:00"},
	} {
		h, ms := hours(tt.zone), at(tt.at)
		next, ok := h.Next(ms)
		want := ms
		if tt.next != "" {
			want = at(tt.next)
		}
		if h.Open(ms) != tt.open || !ok || next != want {
			t.Errorf("%s at %s: open %v, next %s", tt.zone, tt.at, h.Open(ms), time.UnixMilli(next).In(h.Zone))
		}
	}
	if h := (Hours{}); !h.Open(0) || len(OutsideHours(h, DefaultTargets[PriorityStat], 0)) > 0 {
		t.Error("without hours one is always there")
	}
	sunday := Hours{Zone: time.UTC, Spans: []Span{{Weekday: time.Sunday, From: 60, To: 60}}}
	if _, ok := sunday.Next(at("2026-01-30T10:00:00Z")); ok {
		t.Error("hours of no minute are met")
	}
	friday := at("2026-01-30T18:00:00+13:00")
	out := OutsideHours(hours("Pacific/Auckland"), DefaultTargets[PriorityUrgent], friday)
	if len(out) != 2 || out[0].What != DueAccepted || out[1].What != DueFinal || out[0].Next != at("2026-02-02T08:00:00+13:00") {
		t.Errorf("urgent on a Friday evening: %+v", out)
	}
	if out := OutsideHours(hours("Pacific/Auckland"), DefaultTargets[PriorityRoutine], friday); len(out) != 1 || out[0].What != DueAccepted {
		t.Errorf("routine on a Friday evening: %+v", out)
	}
	people := []Reader{
		{Person: p1, Hours: hours("Pacific/Auckland"), Accepting: true},
		{Person: p2, Hours: hours("Europe/Berlin"), Accepting: true},
		{Person: identity.PersonID{9}, Hours: hours("Europe/Berlin")},
		{Person: identity.PersonID{8}, Hours: hours("Pacific/Auckland"), OnCall: true},
	}
	var got []byte
	for _, r := range Awake(people, friday) { // 06:00 on Friday in Berlin
		got = append(got, r.Person[0])
	}
	if !slices.Equal(got, []byte{8, p2[0], p1[0], 9}) {
		t.Errorf("who is awake: %v", got)
	}
}
