package desk

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/journal"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// thread is one case as it is held here.
type thread struct {
	ledger *ledger.Thread
	kept   map[ledger.EpochID]bool // secrets that the vaults have
	items  map[ledger.EntryID]bool // entries the journal has
	memory consult.Memory          // decoded bodies, so that folding again is cheap
	state  *consult.State          // nil when it must be folded again
	rows   []ledger.Row            // nil likewise
	// stranger: brought by somebody who is nobody's contact here; it waits apart and fetches nothing.
	stranger bool
	// broken: what is in memory is not what the journal has, so nothing may be built upon it.
	broken bool
}

func (d *Desk) newThread(id ledger.ThreadID) *thread {
	return &thread{memory: consult.Memory{Roles: d.roleOf}, ledger: ledger.NewThread(id), kept: map[ledger.EpochID]bool{}, items: map[ledger.EntryID]bool{}}
}

// fold returns the state of the case, folded once after each change.
func (t *thread) fold() *consult.State {
	if t.state == nil {
		t.state = t.memory.Fold(t.ledger)
	}
	return t.state
}

func (t *thread) changed() { t.state, t.rows = nil, nil }

// queued reports whether p has posted something that no other member has reported as delivered.
func (t *thread) queued(p *person) bool {
	if t.ledger.Members().Ranks[p.id] == ledger.RankNone {
		return false
	}
	s := t.fold()
	if s.Request == nil || s.Request.Author != p.id {
		return false
	}
	for _, m := range s.Members {
		if m.Person != p.id && m.Rank > ledger.RankNone && s.DeliveredTo(m.Person) {
			return false
		}
	}
	return len(s.Members) > 1
}

func (d *Desk) locals() []ledger.Local {
	out := make([]ledger.Local, 0, len(d.persons))
	for _, p := range d.persons {
		out = append(out, p.local())
	}
	return out
}

// Card finds the newest verified card of a device, for sealing epochs. The lock is held.
func (d *Desk) Card(dev identity.DeviceID) *identity.Card {
	if p := d.personOf(d.devices[dev]); p != nil {
		return p.profile.Cards[dev]
	}
	if prof := d.profiles[d.devices[dev]]; prof != nil {
		return prof.Cards[dev]
	}
	return nil
}

// loadThreads reads the journal: every entry is verified again.
func (d *Desk) loadThreads(ctx context.Context) error {
	locals := d.locals()
	bad := 0
	err := d.journal.Replay(func(r journal.Record) error {
		id := ledger.ThreadID(r.Thread)
		t := d.threads[id]
		if t == nil {
			t = d.newThread(id)
			d.restoreSecrets(id, t)
			d.threads[id] = t
		}
		if _, err := t.ledger.Receive(append([]byte(nil), r.Data...), locals); err != nil {
			bad++
			return ctx.Err()
		}
		t.items[ledger.EntryID(r.Entry)] = true
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	if bad > 0 {
		d.log.WarnContext(ctx, "journal has entries that do not verify", slog.Int("entries", bad))
	}
	d.unstrange()
	return nil
}

func (d *Desk) restoreSecrets(id ledger.ThreadID, t *thread) {
	secrets := map[ledger.EpochID]wire.Secret{}
	for _, p := range d.persons {
		value, ok := p.vault.Get(tableEpoch, string(id[:]))
		if !ok {
			continue
		}
		var rows []epochRow
		if wire.Unmarshal(value, &rows) != nil {
			continue // the packets are sealed to our keys as well
		}
		for _, r := range rows {
			secrets[r.Epoch] = r.Secret
			t.kept[r.Epoch] = true
		}
	}
	t.ledger.Restore(secrets)
}

type epochRow struct {
	_      struct{} `cbor:",toarray"`
	Epoch  ledger.EpochID
	Secret wire.Secret
}

// keepSecrets puts the secrets of a thread's epochs into the vaults of the members here, under the
// case's key, so that KEM keys may be deleted and the case may be shredded.
func (d *Desk) keepSecrets(t *thread) error {
	secrets := t.ledger.Secrets()
	fresh := false
	for e := range secrets {
		fresh = fresh || !t.kept[e]
	}
	if !fresh {
		return nil
	}
	rows := make([]epochRow, 0, len(secrets))
	for e, s := range secrets {
		rows = append(rows, epochRow{Epoch: e, Secret: s})
	}
	id := t.ledger.ID()
	value := wire.MustMarshal(rows)
	members := t.ledger.Members()
	for _, p := range d.persons {
		if members.Ranks[p.id] == ledger.RankNone {
			continue
		}
		err := p.vault.Batch([]vault.Row{{Table: tableEpoch, Key: string(id[:]), Value: value, Case: id}})
		if err != nil {
			return internal("keep epoch secrets", err)
		}
	}
	for e := range secrets {
		t.kept[e] = true
	}
	return nil
}

// post makes entries of a case durable: f appends to the ledger, what it made goes to the journal
// before anybody hears of it. The lock is held. Items that come with an error are kept as well,
// since the thread in memory has them.
func (d *Desk) post(t *thread, f func() ([]ledger.Item, error)) ([]ledger.Item, error) {
	if t.broken {
		return nil, control.Errorf(control.Internal, "this case could not be read back from disk").WithHint("restart the node; see: curbside doctor")
	}
	items, err := f()
	t.changed()
	if len(items) > 0 {
		if jerr := d.keepItems(t, items); jerr != nil {
			// Memory is ahead of the disk now: what was made must not be sent or built upon.
			d.reload(t)
			return nil, jerr
		}
		d.announce(t, items)
	}
	return items, err
}

func (d *Desk) keepItems(t *thread, items []ledger.Item) error {
	id := t.ledger.ID()
	records := make([]journal.Record, 0, len(items))
	for _, it := range items {
		records = append(records, journal.Record{Thread: id, Entry: it.Entry, Data: it.Sealed})
	}
	if err := d.journal.Append(records); err != nil {
		return internal("keep entries", err)
	}
	for _, it := range items {
		t.items[it.Entry] = true
	}
	return d.keepSecrets(t)
}

// reload replaces a thread whose newest entries could not be kept by what the journal has.
func (d *Desk) reload(t *thread) {
	id := t.ledger.ID()
	again := d.newThread(id)
	d.restoreSecrets(id, again)
	locals := d.locals()
	err := d.journal.Replay(func(r journal.Record) error {
		if ledger.ThreadID(r.Thread) == id {
			if _, err := again.ledger.Receive(append([]byte(nil), r.Data...), locals); err == nil {
				again.items[ledger.EntryID(r.Entry)] = true
			}
		}
		return nil
	})
	if err != nil {
		// An own entry written on less than we have signed would be a fork for ever.
		d.log.Error("case cannot be read back; it is closed to writing until a restart", slog.String("case", id.String()), slog.Any("error", err))
		t.broken = true
		return
	}
	if len(again.items) == 0 {
		delete(d.threads, id)
		t.broken = true
		return
	}
	again.stranger = t.stranger
	*t = *again
}

// announce tells peers and interfaces of new entries.
func (d *Desk) announce(t *thread, items []ledger.Item) {
	id := t.ledger.ID()
	for _, it := range items {
		e := t.ledger.Entry(it.Entry)
		if e == nil {
			continue
		}
		d.publish(control.Event{Event: "entry", Case: id.String(), Entry: it.Entry.String(), Kind: e.Kind.String()})
	}
	d.tell(func(n Network) { n.Changed(id) })
	d.mailSoon()
}

// append writes one content entry and returns its id. The lock is held.
func (d *Desk) append(t *thread, p *person, kind ledger.Kind, body any) (ledger.EntryID, error) {
	var none ledger.EntryID
	if err := d.maySend(p, t); err != nil {
		return none, err // also what is posted by itself: receipts, late images
	}
	if kind == ledger.Grant {
		if err := d.mayGrant(p, t); err != nil {
			return none, err
		}
	}
	if err := d.nameless(p, t, textsOf(body)...); err != nil {
		return none, err
	}
	if err := consult.Authorize(t.fold(), p.id, kind, body); err != nil {
		return none, refusal(err)
	}
	items, err := d.post(t, func() ([]ledger.Item, error) {
		return t.ledger.Append(p.local(), kind, body, d.nowMS(), d)
	})
	if err != nil {
		return none, ledgerError(err)
	}
	return items[len(items)-1].Entry, nil
}

// unstrange decides anew which cases were brought by strangers: those of which neither the requester
// nor who invited somebody here is a contact. One that no longer is begins to fetch.
func (d *Desk) unstrange() {
	for _, t := range d.threads {
		was := t.stranger
		t.stranger = d.fromStranger(t)
		if was && !t.stranger {
			d.follow(t)
			d.queueReceipt(t)
		}
	}
}

func (d *Desk) fromStranger(t *thread) bool {
	m := t.ledger.Members()
	for _, f := range m.Founders {
		if d.personOf(f) != nil {
			return false
		}
		if slices.ContainsFunc(d.persons, func(p *person) bool { return m.Ranks[p.id] > ledger.RankNone && d.trusts(p, f) }) {
			return false
		}
	}
	if slices.ContainsFunc(t.ledger.Entries(), d.vouched) {
		return false
	}
	// A case that somebody here takes part in stays where it is when the contact goes. A stranger's
	// gets no receipt.
	return !slices.ContainsFunc(t.ledger.Entries(), func(e *ledger.Entry) bool {
		return e.Kind == ledger.Receipt && d.personOf(e.Person) != nil
	})
}

func (d *Desk) trusts(p *person, id identity.PersonID) bool {
	return rankOfTrust(d.trustOf(p, id)) >= rankOfTrust(trustInvited)
}

// vouched says whether an entry is one by which a contact brought somebody of this node into a case.
func (d *Desk) vouched(e *ledger.Entry) bool {
	if e.Kind != ledger.Role {
		return false
	}
	var b ledger.RoleBody
	if wire.Unmarshal(e.Body, &b) != nil || b.Rank == ledger.RankNone {
		return false // the ledger has read it before
	}
	p := d.personOf(b.Person)
	return p != nil && d.trusts(p, e.Person)
}

// forgetWaiting drops what nobody completed within a day (FORMATS §12).
func (d *Desk) forgetWaiting() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.nowMS(); now-d.forgotMS > dayMS {
		if d.forgotMS != 0 {
			for _, t := range d.threads {
				t.ledger.Forget()
			}
		}
		d.forgetOnce()
		d.forgotMS = now
	}
}

// queueReceipt has a receipt posted soon, if one is due.
func (d *Desk) queueReceipt(t *thread) {
	select {
	case d.receipts <- t.ledger.ID():
	default: // the queue is long: the next entry or start queues it again
	}
}

func (d *Desk) queueReceipts() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.threads {
		d.queueReceipt(t)
	}
}

// postReceipts says for every member here what their device has: delivered, not seen.
func (d *Desk) postReceipts(due map[ledger.ThreadID]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range due {
		t := d.threads[id]
		if t == nil || t.stranger {
			continue
		}
		for _, p := range d.persons {
			if err := d.receipt(t, p, consult.ReceiptDelivered); err != nil {
				d.log.Info("receipt not posted", slog.String("case", id.String()), slog.Any("error", err))
			}
		}
	}
}

// receipt posts a receipt if there is something it would newly cover. Receipts never cover
// receipts, so a quiet case falls silent.
func (d *Desk) receipt(t *thread, p *person, kind uint64) error {
	if t.ledger.Members().Ranks[p.id] == ledger.RankNone {
		return nil
	}
	body, ok := consult.NewReceipt(t.fold(), t.ledger, p.device.ID(), kind)
	if !ok {
		return nil
	}
	_, err := d.append(t, p, ledger.Receipt, *body)
	return err
}
