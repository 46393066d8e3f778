package desk

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
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

// Shares of a target at which somebody is told (FIELD §4.5).
var dueShares = []float64{0.5, 0.8, 1, 1.5}

const (
	levelHalf    = 1
	levelAmber   = 2
	levelOverdue = 3
	levelPhone   = 4
)

// remindEvery is how often an open critical finding is told again, by its tier (FIELD §4.6).
var remindEvery = [...]time.Duration{1: 5 * time.Minute, 2: time.Hour, 3: 24 * time.Hour}

// clock is what Fold does not know.
func (d *Desk) clock() consult.Clock {
	return consult.Clock{NowMS: d.nowMS(), Targets: d.targets()}
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
	out := map[consult.Priority]consult.Targets{}
	for p, t := range consult.DefaultTargets {
		out[p] = t
	}
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
func (d *Desk) dueRows(s *consult.State, c consult.Clock) []control.Due {
	out := []control.Due{}
	for _, x := range s.DueAt(c) {
		row := control.Due{
			What: x.What, From: time.UnixMilli(x.FromMS).UTC(), At: time.UnixMilli(x.AtMS).UTC(), Share: x.Share, Overdue: x.Share >= 1,
		}
		if x.Entry != nil {
			id := x.Entry.String()
			row.Entry = &id
		}
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(a, b control.Due) int { return a.At.Compare(b.At) })
	return out
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
	c := d.clock()
	for _, t := range d.threads {
		if t.stranger || t.broken || t.fold().Request == nil {
			continue
		}
		for _, p := range d.persons {
			if t.ledger.Members().Ranks[p.id] > ledger.RankNone {
				next = min(next, d.attendTo(ctx, p, t, c))
			}
		}
	}
	return max(next, dueSoon)
}

// attendTo looks at a case for one member here.
func (d *Desk) attendTo(ctx context.Context, p *person, t *thread, c consult.Clock) time.Duration {
	s := t.fold()
	next := dueEvery
	told := d.told(p, t)
	var now []toldRow
	for _, due := range s.DueAt(c) {
		row, verb, again := d.level(p, s, due, c.NowMS)
		next = min(next, again)
		if row.Level > 0 {
			now = append(now, row)
			if was := toldLevel(told, row); row.Level > was {
				d.notify(p, t, verb)
			}
		}
		if due.What == consult.DueAccepted {
			d.escalate(ctx, p, t, due, c.NowMS)
		}
		if due.What == consult.DueCritical {
			d.passOn(ctx, p, t, due)
		}
	}
	if orphan(p, s) {
		row := toldRow{What: noticeOrphan, FromMS: s.Times.AskedMS, Level: 1}
		if now = append(now, row); toldLevel(told, row) == 0 {
			d.notify(p, t, noticeOrphan)
		}
	}
	d.keepTold(ctx, p, t, told, now)
	return next
}

// level is how far a clock has run, if it concerns a person, with what to tell them, and when it
// will have run further.
func (d *Desk) level(p *person, s *consult.State, due consult.Due, nowMS int64) (row toldRow, verb string, again time.Duration) {
	row = toldRow{What: due.What, FromMS: due.FromMS}
	if due.Entry != nil {
		row.Entry = *due.Entry
	}
	if due.What == consult.DueCritical {
		return d.criticalLevel(p, s, due, nowMS, row)
	}
	again = dueEvery
	wait := due.AtMS - due.FromMS
	for i, share := range dueShares {
		at := due.FromMS + int64(share*float64(wait))
		if nowMS < at {
			again = min(again, time.Duration(at-nowMS)*time.Millisecond)
			break
		}
		row.Level = uint64(i + 1)
	}
	switch {
	case !concerns(p, s, due.What), row.Level == levelHalf && s.Request.Author == p.id: // half of the time is only the consultant's reminder
		row.Level = 0
	case row.Level == levelPhone:
		verb = noticePhone
	case row.Level == levelOverdue:
		verb = "overdue-" + due.What
	default:
		verb = "due-" + due.What
	}
	return row, verb, again
}

// concerns reports whether a step is to be told to a person: the requester's side of everything,
// a consultant of what they are to do.
func concerns(p *person, s *consult.State, what string) bool {
	m, _ := s.Member(p.id)
	if m.Rank >= ledger.RankAdmin {
		return true
	}
	switch what {
	case consult.DueAccepted, consult.DuePreliminary, consult.DueFinal, consult.DueNeeded:
		return m.Assigned && !m.Declined
	default:
		return false
	}
}

// criticalLevel counts reminders: for who must acknowledge at once and then in steps, for who
// found it each time that the time ran out.
func (d *Desk) criticalLevel(p *person, s *consult.State, due consult.Due, nowMS int64, row toldRow) (_ toldRow, verb string, again time.Duration) {
	x, ok := findCritical(s, row.Entry)
	if !ok {
		return row, "", dueEvery
	}
	passed := time.Duration(max(nowMS-due.FromMS, 0)) * time.Millisecond
	step := remindEvery[x.Category]
	if x.Author == p.id {
		step = time.Duration(due.AtMS-due.FromMS) * time.Millisecond
	}
	n := uint64(passed / step)
	again = min(dueEvery, step-passed%step)
	switch turn := criticalTurn(s, x, due, nowMS); {
	case x.Author == p.id:
		row.Level, verb = n, "overdue-"+consult.DueCritical
	case slices.Contains(turn, p.id):
		row.Level, verb = n+1, consult.DueCritical
		if due.Share >= 1 {
			verb = "overdue-" + consult.DueCritical
		}
	}
	return row, verb, again
}

// criticalTurn are those who are to be told: the first who is named and, each time that the time
// ran out, one more; the owners where nobody is named.
func criticalTurn(s *consult.State, x consult.Critical, due consult.Due, nowMS int64) []identity.PersonID {
	if len(x.Who) == 0 {
		var owners []identity.PersonID
		for _, m := range s.Members {
			if m.Rank == ledger.RankFounder {
				owners = append(owners, m.Person)
			}
		}
		return owners
	}
	return x.Who[:min(len(x.Who), 1+int(max(nowMS-due.FromMS, 0)/max(due.AtMS-due.FromMS, 1)))]
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

// passOn records, on the node of who found it, that a critical finding went to the next one named:
// who told whom when must not depend on anybody's memory.
func (d *Desk) passOn(ctx context.Context, p *person, t *thread, due consult.Due) {
	s := t.fold()
	x, ok := findCritical(s, *due.Entry)
	if !ok || x.Author != p.id || len(x.Who) < 2 {
		return
	}
	told := 0
	for _, id := range x.Attempts {
		if post, ok := s.Post(id); ok && post.Author == p.id && strings.Contains(post.Text, " by "+byNode+": ") {
			told++
		}
	}
	turn := criticalTurn(s, x, due, d.nowMS())
	for _, who := range turn[min(told+1, len(turn)):] {
		_, err := d.append(t, p, ledger.Attempt, consult.AttemptBody{
			Critical: x.Entry, Method: byNode, Whom: d.memberName(who), Result: "told, since nobody acknowledged in time",
		})
		if err != nil {
			d.log.WarnContext(ctx, "critical finding not passed on", slog.String("case", s.Case.String()), slog.Any("error", err))
			return
		}
		d.notify(p, t, noticeEscalated)
	}
}

// orphan reports whether nobody is to answer an open case of a person's (F16).
func orphan(p *person, s *consult.State) bool {
	if s.Request.Author != p.id || s.State == consult.StateDeclined || s.State == consult.StateAnswered || s.State == consult.StateAcknowledged {
		return false
	}
	_, open := s.OpenRound()
	return open && !slices.ContainsFunc(s.Members, func(m consult.Member) bool { return m.Assigned && !m.Declined })
}

// escalate asks the next reader of the requester's roster once nobody has accepted in time, or
// at once if nobody who was asked takes cases before that time is over.
func (d *Desk) escalate(ctx context.Context, p *person, t *thread, due consult.Due, nowMS int64) {
	s := t.fold()
	if s.Request.Author != p.id || t.ledger.Members().Ranks[p.id] != ledger.RankFounder {
		return
	}
	since := due.FromMS
	for i := range s.Posts { // who was asked last has the whole time as well
		if x := &s.Posts[i]; x.Kind == ledger.Assign && x.InForce {
			since = max(since, x.TimeMS)
		}
	}
	until := since + due.AtMS - due.FromMS
	if nowMS < until && d.anyAwake(s, until) {
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
func (d *Desk) criticalRows(p *person, s *consult.State, c consult.Clock) []control.Critical {
	out := []control.Critical{}
	for _, x := range s.Criticals {
		row := control.Critical{
			Entry: x.Entry.String(), Of: x.Of.String(), Author: x.Author.String(), AuthorName: d.memberName(x.Author), Category: int(x.Category),
			Text: text.Clean(x.Text), Time: time.UnixMilli(x.TimeMS).UTC(), Who: []string{}, Open: x.AcknowledgedBy == nil, Attempts: []control.Attempt{},
		}
		for _, id := range x.Who {
			row.Who = append(row.Who, d.memberName(id))
		}
		m, _ := s.Member(p.id)
		row.ForMe = row.Open && (slices.Contains(x.Who, p.id) || len(x.Who) == 0 && m.Rank == ledger.RankFounder)
		for _, due := range s.DueAt(c) {
			if due.Entry != nil && *due.Entry == x.Entry {
				at := time.UnixMilli(due.AtMS).UTC()
				row.Due = &at
			}
		}
		for _, id := range x.Attempts {
			if a, ok := s.Post(id); ok {
				row.Attempts = append(row.Attempts, control.Attempt{
					Entry: id.String(), By: d.memberName(a.Author), Time: time.UnixMilli(a.TimeMS).UTC(), Text: text.Clean(a.Text),
				})
			}
		}
		if x.AcknowledgedBy != nil {
			if a, ok := s.Post(*x.AcknowledgedBy); ok {
				row.Acknowledged = &control.Acknowledged{
					Entry: a.Entry.String(), By: a.Author.String(), ByName: d.memberName(a.Author),
					Time: time.UnixMilli(a.TimeMS).UTC(), Text: text.Clean(a.Text),
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
