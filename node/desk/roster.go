package desk

import (
	"context"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// tableRoster holds the on-call roster of a person: one row.
const tableRoster = "roster"

// rosterMax bounds a roster, as a thread bounds its members.
const rosterMax = 64

// rosterRow is one person of the roster. Hours are as ParseHours reads them; empty: those of the card.
type rosterRow struct {
	_      struct{} `cbor:",toarray"`
	Person identity.PersonID
	Hours  string
}

func (d *Desk) roster(p *person) []rosterRow {
	var rows []rosterRow
	value, ok := p.vault.Get(tableRoster, tableRoster)
	if !ok || wire.Unmarshal(value, &rows) != nil {
		return nil
	}
	return rows
}

// RosterSet replaces the roster of the acting person. To be on it is to be sent cases that nobody
// accepts in time, so only who may be sent any is taken.
func (d *Desk) RosterSet(ctx context.Context, req control.RosterRequest) ([]control.RosterEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	if len(req.Members) > rosterMax {
		return nil, control.Errorf(control.Refused, "a roster has at most %d persons", rosterMax)
	}
	rows := []rosterRow{}
	seen := map[identity.PersonID]bool{}
	for _, m := range req.Members {
		id, err := d.findContact(p, m.Contact)
		if err != nil {
			return nil, err
		}
		if err := d.mayReceive(p, id); err != nil {
			return nil, err
		}
		h, err := ParseHours(m.Hours)
		if err != nil {
			return nil, control.Errorf(control.Usage, "hours %q: %v", m.Hours, err)
		}
		if seen[id] {
			return nil, control.Errorf(control.Usage, "a person is on the roster twice")
		}
		seen[id] = true
		rows = append(rows, rosterRow{Person: id, Hours: hoursText(h)})
	}
	if err := d.recordBefore(p, actionSettings, "roster", p.id[:]); err != nil {
		return nil, err
	}
	if err := p.vault.Put(tableRoster, tableRoster, wire.MustMarshal(rows)); err != nil {
		return nil, internal("keep roster", err)
	}
	d.publish(control.Event{Event: "status"})
	return d.rosterRows(p), nil
}

// RosterList lists the roster of the acting person.
func (d *Desk) RosterList(ctx context.Context, _ control.None) ([]control.RosterEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	return d.rosterRows(p), nil
}

func (d *Desk) rosterRows(p *person) []control.RosterEntry {
	out := []control.RosterEntry{}
	for _, r := range d.roster(p) {
		e := control.RosterEntry{Person: r.Person.String(), Name: d.memberName(r.Person), Trust: d.trustOf(p, r.Person)}
		e.Hours, e.Accepting, e.OpensAt = d.availability(d.rosterHours(r))
		out = append(out, e)
	}
	return out
}

// rosterHours are when a person of the roster takes cases: as the roster says, else their card.
func (d *Desk) rosterHours(r rosterRow) *identity.Hours {
	if h, err := ParseHours(r.Hours); err == nil && h != nil {
		return h
	}
	return d.hoursOf(r.Person)
}

// hoursOf are the hours of a person's card; nil where it has none.
func (d *Desk) hoursOf(id identity.PersonID) *identity.Hours {
	if c := d.cardOf(id); c != nil {
		return c.Hours
	}
	return nil
}

// availability puts hours in the words of the scripting contract.
func (d *Desk) availability(h *identity.Hours) (hours *string, accepting bool, opens *time.Time) {
	if h != nil {
		s := hoursText(h)
		hours = &s
	}
	now := d.now().UTC()
	at, ok := openFrom(h, now)
	if ok && h != nil {
		opens = &at
	}
	return hours, ok && !at.After(now), opens
}

// ownHours are the hours that one's card says, from the setting.
func (d *Desk) ownHours() *identity.Hours {
	h, err := ParseHours(d.setting("availability"))
	if err != nil {
		return nil // the setting is checked where it is set
	}
	return h
}
