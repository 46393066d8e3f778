package desk

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

const (
	dueEvery  = time.Minute            // how long a look at what is due may be late
	dueSoon   = 50 * time.Millisecond  // how long after the moment that something is due it is looked at
	newsAfter = 300 * time.Millisecond // changes that come together are told together
)

// tableTold is what a person was told of a case's clocks: ThreadID -> [toldRow]. Clocks themselves
// are computed anew each time, so that they survive a restart.
const tableTold = "told"

type toldRow struct {
	_      struct{} `cbor:",toarray"`
	What   string
	Entry  ledger.EntryID // of what has one; zero otherwise
	FromMS int64
	Level  uint64
}

// dueShares are the parts of a target at which somebody is told (FIELD §4.5).
var dueShares = []float64{0.5, 0.8, 1, 1.5}

// clock is what Fold does not know. The lock is held.
func (d *Desk) clock(p *person) consult.Clock {
	c := consult.Clock{
		NowMS: d.nowMS(), Targets: d.targets(), Device: p.device.ID(),
		Received: func(id ledger.EntryID) int64 { return d.came[id] },
		Skew:     func(dev identity.DeviceID) int64 { return -d.ahead[dev] },
	}
	for _, r := range d.roster(p) {
		c.Alternates = append(c.Alternates, r.Person)
	}
	return c
}

// targets are those of FIELD §4.4, as the setting changes them. The lock is held. The setting is
// read once a second: a worklist asks for every case.
func (d *Desk) targets() map[consult.Priority]consult.Targets {
	now := time.Now()
	if d.inTime.of != nil && now.Sub(d.inTime.read) < time.Second {
		return d.inTime.of
	}
	t, err := ParseTargets(strings.Split(d.setting("targets"), settingSeparator))
	if err != nil {
		t = consult.DefaultTargets // the setting is checked where it is set
	}
	d.inTime = targetsRead{of: t, read: now}
	return t
}

// targetsRead are the targets as the settings had them at a moment.
type targetsRead struct {
	of   map[consult.Priority]consult.Targets
	read time.Time
}

// settingSeparator stands between the parts of a setting that is a list.
const settingSeparator = "\n"

// ParseTargets reads turn-around targets such as "stat.accepted=10m", over the defaults; 0s is never.
func ParseTargets(list []string) (map[consult.Priority]consult.Targets, error) {
	out := maps.Clone(consult.DefaultTargets)
	for _, s := range list {
		if s == "" {
			continue
		}
		name, value, ok := strings.Cut(s, "=")
		priority, step, ok2 := strings.Cut(name, ".")
		p, ok3 := consult.ParsePriority(priority)
		within, err := time.ParseDuration(value)
		if !ok || !ok2 || !ok3 || err != nil || within < 0 {
			return nil, fmt.Errorf("target %q: want PRIORITY.STEP=TIME such as stat.accepted=10m", s)
		}
		t := out[p]
		at := map[string]*int64{
			consult.DueDelivered: &t.Delivered, consult.DueAccepted: &t.Accepted, consult.DuePreliminary: &t.Preliminary,
			consult.DueFinal: &t.Final, consult.DueAcknowledged: &t.Acknowledged,
		}[step]
		if at == nil {
			return nil, fmt.Errorf("target %q: the step is delivered, accepted, preliminary, final or acknowledged", s)
		}
		*at = within.Milliseconds()
		out[p] = t
	}
	return out, nil
}

// dueRows says what a case waits for, the next first.
func (d *Desk) dueRows(s *consult.State, due []consult.Due) []control.Due {
	out := []control.Due{}
	for _, x := range due {
		row := control.Due{
			What: x.What, From: instant(x.FromMS), At: instant(x.AtMS), Share: x.Share, Overdue: x.Share >= 1,
		}
		if x.Entry != nil {
			id := x.Entry.String()
			row.Entry = &id
		}
		if row.Overdue {
			row.Hint = known(d.dueHint(s, x))
		}
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(a, b control.Due) int { return a.At.Compare(b.At) })
	return out
}

// dueHint says in words what has not happened, how far it got and what to try next: silence is the
// worst failure (F8).
func (d *Desk) dueHint(s *consult.State, due consult.Due) string {
	switch due.What {
	case consult.DueDelivered:
		if who, how := d.unreachedOf(s, s.Panel()); who != "" {
			return who + " has not been reached: " + how + ". Leave this node running, telephone, or ask another colleague: curbside case invite"
		}
	case consult.DueAccepted:
		return "nobody has accepted it: telephone, or ask another colleague: curbside case invite"
	case consult.DueCritical:
		x, _ := findCritical(s, *due.Entry)
		if who, how := d.unreachedOf(s, x.Who); who != "" {
			return who + " may not know of it: " + how + ". Telephone, and record it: curbside case attempt"
		}
		return "telephone, and record it: curbside case attempt"
	case consult.DueAcknowledged:
		return "read the newest report and say so: curbside case acknowledge"
	}
	return ""
}

// unreachedOf is the first of some members whose device has not said that it has everything, and how
// their node stands.
func (d *Desk) unreachedOf(s *consult.State, people []identity.PersonID) (who, how string) {
	for _, id := range people {
		switch {
		case d.personOf(id) != nil || s.DeliveredTo(id) || s.SeenBy(id):
		case d.net == nil:
			return d.memberName(id), "no node is running here"
		case d.isOnline(id):
			return d.memberName(id), "their node is connected, but has not confirmed"
		default:
			return d.memberName(id), "their node is offline"
		}
	}
	return "", ""
}

// attendLoop tells what comes in and what is due, and passes on what nobody takes. It looks on
// every change, and at the latest once a minute.
func (d *Desk) attendLoop(ctx context.Context) {
	events, stop := d.events.listen()
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var quiet <-chan time.Time
	news := newsOf{}
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if e.Event == "entry" && d.hear(news, e) && quiet == nil {
				quiet = time.After(newsAfter)
			}
			continue
		case <-quiet:
			quiet = nil
			d.tellNews(news)
			clear(news)
		case <-timer.C:
		}
		timer.Reset(d.attend(ctx))
	}
}

// attend looks at every case once and returns when to look again.
func (d *Desk) attend(ctx context.Context) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := dueEvery
	for _, p := range d.persons {
		c := d.clock(p)
		for _, t := range d.threads {
			if !t.stranger && !t.broken && t.fold().Request != nil && t.ledger.Members().Ranks[p.id] > ledger.RankNone {
				next = min(next, d.attendTo(ctx, p, t, c))
			}
		}
	}
	return max(next, dueSoon)
}

// attendTo looks at a case for one member here, and returns when to look again.
func (d *Desk) attendTo(ctx context.Context, p *person, t *thread, c consult.Clock) time.Duration {
	if err := d.openRead(t, p); err != nil {
		d.log.WarnContext(ctx, "sealed read not opened", slog.String("case", t.ledger.ID().String()), slog.Any("error", err))
	}
	told := d.told(p, t)
	var now []toldRow
	var critical []consult.Alarm
	for _, a := range t.fold().Alarms(c) {
		if a.What == consult.DueCritical {
			critical = append(critical, a)
		}
		if !slices.Contains(a.For, p.id) {
			continue
		}
		row := toldOf(a)
		if now = append(now, row); row.Level > toldLevel(told, row) {
			d.notify(p, t, verbOf(a))
		}
	}
	d.keepTold(ctx, p, t, told, now)
	for _, a := range critical {
		d.passOn(ctx, p, t, a)
	}
	due := t.fold().DueAt(c)
	for _, x := range due {
		if x.What == consult.DueAccepted {
			d.escalate(ctx, p, t, x, c)
		}
	}
	return lookAgain(due, critical, c.NowMS)
}

// toldOf is how far an alarm has gone. A critical finding is told again with each reminder.
func toldOf(a consult.Alarm) toldRow {
	row := toldRow{What: a.What, FromMS: a.AtMS, Level: uint64(a.Level)}
	if a.Entry != nil {
		row.Entry = *a.Entry
	}
	if a.What == consult.DueCritical {
		row.Level += uint64(max(a.Next, 0))
	}
	return row
}

// verbOf is what an alarm says in a notice.
func verbOf(a consult.Alarm) string {
	switch {
	case a.What == consult.DueOrphan:
		return noticeOrphan
	case a.What == consult.DueCritical && a.Level == 0:
		return consult.DueCritical
	case a.What != consult.DueCritical && a.Has(consult.ActPhone):
		return noticePhone
	case a.What == consult.DueCritical || a.Level >= overdueLevel:
		return "overdue-" + a.What
	default:
		return "due-" + a.What
	}
}

// overdueLevel is the level of an alarm whose time is over.
const overdueLevel = 100

// lookAgain is when the next alarm may come.
func lookAgain(due []consult.Due, critical []consult.Alarm, nowMS int64) time.Duration {
	next := nowMS + dueEvery.Milliseconds()
	for _, x := range due {
		for _, share := range dueShares {
			if at := x.FromMS + int64(share*float64(x.AtMS-x.FromMS)); at > nowMS {
				next = min(next, at)
			}
		}
	}
	for _, a := range critical {
		if a.Next > nowMS {
			next = min(next, a.Next)
		}
	}
	return time.Duration(next-nowMS) * time.Millisecond
}

func findCritical(s *consult.State, id ledger.EntryID) (consult.Critical, bool) {
	for _, x := range s.Criticals {
		if x.Entry == id {
			return x, true
		}
	}
	return consult.Critical{}, false
}

// byNode is the method of an attempt that a node made by itself.
const byNode = "curbside"

// passOn records, on the node of who found it, who was told of a critical finding beside those who
// must acknowledge it: who told whom when must not depend on anybody's memory.
func (d *Desk) passOn(ctx context.Context, p *person, t *thread, a consult.Alarm) {
	s := t.fold()
	x, ok := findCritical(s, *a.Entry)
	if !ok || x.Author != p.id || a.Level == 0 {
		return
	}
	said := map[string]bool{}
	for _, id := range x.Attempts {
		by, _ := s.Post(id)
		if b, ok := bodyOf(t, id).(*consult.AttemptBody); ok && by.Author == p.id && b.Method == byNode {
			said[b.Whom] = true
		}
	}
	for _, who := range a.For {
		m, _ := s.Member(who)
		body := consult.AttemptBody{Critical: x.Entry, Method: byNode, Whom: d.memberName(who), Result: "told, since nobody acknowledged in time"}
		if slices.Contains(x.Who, who) || m.Rank < ledger.RankWriter || said[body.Whom] {
			continue
		}
		if _, err := d.append(t, p, ledger.Attempt, body); err != nil {
			d.log.WarnContext(ctx, "critical finding not passed on", slog.String("case", s.Case.String()), slog.Any("error", err))
			return
		}
		d.notify(p, t, noticeEscalated)
	}
}

// escalate asks the next reader of the requester's roster once nobody has accepted in time, or
// at once if nobody who was asked takes cases before that time is over.
func (d *Desk) escalate(ctx context.Context, p *person, t *thread, due consult.Due, c consult.Clock) {
	s := t.fold()
	if s.Request.Author != p.id || t.ledger.Members().Ranks[p.id] != ledger.RankFounder {
		return
	}
	// Who was asked last has the whole time as well, but for an assignment that does not count, or
	// a clock that is ahead.
	since := max(due.FromMS, min(s.TimesAt(c).HandedMS, c.NowMS))
	until := since + due.AtMS - due.FromMS
	if c.NowMS < until && d.anyAwake(s, until) {
		return
	}
	next, ok := d.nextReader(p, t)
	if !ok {
		return
	}
	if err := d.assignNext(p, t, next); err != nil {
		d.log.WarnContext(ctx, "case not passed on", slog.String("case", s.Case.String()), slog.Any("error", err))
		return
	}
	d.notify(p, t, noticeEscalated)
}

// anyAwake reports whether somebody who was asked takes cases before a time.
func (d *Desk) anyAwake(s *consult.State, untilMS int64) bool {
	until := time.UnixMilli(untilMS)
	return slices.ContainsFunc(s.Members, func(m consult.Member) bool {
		at, ok := openFrom(d.hoursOf(m.Person), d.now())
		return m.Assigned && !m.Declined && ok && at.Before(until)
	})
}

// nextReader is the first of the roster who takes cases now, may be sent this one and is not asked yet.
func (d *Desk) nextReader(p *person, t *thread) (identity.PersonID, bool) {
	s := t.fold()
	now := d.now()
	for _, r := range d.roster(p) {
		m, known := s.Member(r.Person)
		if known && (m.Rank == ledger.RankNone || m.Rank == ledger.RankFounder || m.Assigned || m.Declined) || d.mayReceive(p, r.Person) != nil {
			continue // who was removed, or has it already
		}
		if at, ok := openFrom(d.rosterHours(r), now); ok && !at.After(now) {
			return r.Person, true
		}
	}
	return identity.PersonID{}, false
}

// assignNext brings a person in and makes them the primary; those who were asked may still take it.
func (d *Desk) assignNext(p *person, t *thread, id identity.PersonID) error {
	if err := d.maySend(p, t); err != nil {
		return err
	}
	if err := d.recordBefore(p, actionRole, "person", id[:]); err != nil {
		return err
	}
	if t.ledger.Members().Ranks[id] < ledger.RankWriter {
		if _, err := d.post(t, func() ([]ledger.Item, error) { return d.addMember(t, p, id, ledger.RankWriter) }); err != nil {
			return ledgerError(err)
		}
		d.tell(func(n Network) { n.Renew() })
	}
	persons := []identity.PersonID{id}
	for _, m := range t.fold().Members {
		if m.Assigned && m.Person != id {
			persons = append(persons, m.Person)
		}
	}
	_, err := d.append(t, p, ledger.Assign, consult.AssignBody{Persons: persons})
	return err
}

func (d *Desk) told(p *person, t *thread) []toldRow {
	id := t.ledger.ID()
	var rows []toldRow
	value, ok := p.vault.Get(tableTold, string(id[:]))
	if !ok || wire.Unmarshal(value, &rows) != nil {
		return nil
	}
	return rows
}

func toldLevel(told []toldRow, row toldRow) uint64 {
	for _, r := range told {
		if r.What == row.What && r.Entry == row.Entry && r.FromMS == row.FromMS {
			return r.Level
		}
	}
	return 0
}

// keepTold remembers what was told. Where that fails it is told again, which is better than not at all.
func (d *Desk) keepTold(ctx context.Context, p *person, t *thread, was, now []toldRow) {
	if slices.Equal(was, now) {
		return
	}
	id := t.ledger.ID()
	var err error
	if len(now) == 0 {
		err = p.vault.Delete(tableTold, string(id[:]))
	} else {
		err = p.vault.Batch([]vault.Row{{Table: tableTold, Key: string(id[:]), Value: wire.MustMarshal(now), Case: id}})
	}
	if err != nil {
		d.log.WarnContext(ctx, "what was told is not kept", slog.String("case", id.String()), slog.Any("error", err))
	}
}

// criticalRows lists critical findings with who told whom when, the open ones first.
func (d *Desk) criticalRows(p *person, s *consult.State, due []consult.Due) []control.Critical {
	out := []control.Critical{}
	for _, x := range s.Criticals {
		row := control.Critical{
			Entry: x.Entry.String(), Of: x.Of.String(), Author: x.Author.String(), AuthorName: d.memberName(x.Author), Category: int(x.Category),
			Text: text.Clean(x.Text), Time: instant(x.TimeMS), Who: []string{}, Open: x.AcknowledgedBy == nil, Attempts: []control.Attempt{},
		}
		for _, id := range x.Who {
			row.Who = append(row.Who, d.memberName(id))
		}
		row.ForMe = s.MustAcknowledge(x, p.id)
		for _, y := range due {
			if y.Entry != nil && *y.Entry == x.Entry {
				at := instant(y.AtMS)
				row.Due = &at
			}
		}
		for _, id := range x.Attempts {
			if a, ok := s.Post(id); ok {
				row.Attempts = append(row.Attempts, control.Attempt{
					Entry: id.String(), By: d.memberName(a.Author), Time: instant(a.TimeMS), Text: text.Clean(a.Text),
				})
			}
		}
		if x.AcknowledgedBy != nil {
			if a, ok := s.Post(*x.AcknowledgedBy); ok {
				row.Acknowledged = &control.Acknowledged{
					Entry: a.Entry.String(), By: a.Author.String(), ByName: d.memberName(a.Author),
					Time: instant(a.TimeMS), Text: text.Clean(a.Text),
				}
			}
		}
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(a, b control.Critical) int {
		open := func(c control.Critical) int { return map[bool]int{true: 0, false: 1}[c.Open] }
		return cmp.Or(cmp.Compare(open(a), open(b)), cmp.Compare(a.Category, b.Category))
	})
	return out
}
