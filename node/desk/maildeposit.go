package desk

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// delivery is all that goes into one box at a time.
type delivery struct {
	to      place
	person  identity.PersonID
	letter  []byte // the item, if the records in it are new
	sum     []byte // of those records
	threads []threadMail
}

// threadMail is what a device lacks of a thread.
type threadMail struct {
	id      ledger.ThreadID
	items   [][]byte
	rows    []ledger.Row // the thread's, with these items
	studies []studyMail  // to go along
	state   string       // what is there already
	after   string       // what is once the items are
}

// studyMail is the blobs of one manifest, itself first.
type studyMail struct {
	manifest blob.ID
	blobs    []mailbox.Blob
}

// depositMail leaves in boxes what members lack who cannot be reached.
func (d *Desk) depositMail(ctx context.Context) {
	d.sendParcels(ctx)
	for _, x := range d.deliveries() {
		if ctx.Err() != nil {
			return
		}
		if err := d.deliver(ctx, x); err != nil && ctx.Err() == nil {
			d.log.DebugContext(ctx, "not deposited", slog.Any("error", err))
		}
	}
}

// sendParcels deposits the Accepts that wait to be; what fails waits on.
func (d *Desk) sendParcels(ctx context.Context) {
	d.mu.Lock()
	parcels := d.mail.out
	d.mail.out = nil
	d.mu.Unlock()
	for _, x := range parcels {
		visit, cancel := context.WithTimeout(ctx, mailTimeout)
		err := d.visit(visit, x.to.PeerAddrs, func(c *mailbox.Client) error {
			_, err := c.Deposit(x.to.Address, [][]byte{x.item})
			return err
		})
		cancel()
		d.mu.Lock()
		if err != nil && !isAnswer(err) && len(d.mail.out) < parcelsMax {
			d.mail.out = append(d.mail.out, x)
		}
		d.mu.Unlock()
	}
}

// deliveries plans what goes where.
func (d *Desk) deliveries() []delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.net == nil || time.Since(d.mail.since) < mailGrace {
		return nil
	}
	at := map[mailbox.BoxID]int{}
	var out []delivery
	for id, prof := range d.profiles {
		if d.personOf(id) != nil || d.isOnline(id) || !d.wanted(id) {
			continue
		}
		for dev := range prof.Cards {
			for _, to := range d.placesOfDevice(dev) {
				if _, twice := at[to.Box]; twice {
					continue
				}
				if x, ok := d.delivery(to, id, dev); ok {
					at[to.Box] = len(out)
					out = append(out, x)
				}
			}
		}
	}
	return out
}

// delivery plans what a device lacks. The lock is held.
func (d *Desk) delivery(to place, id identity.PersonID, dev identity.DeviceID) (delivery, bool) {
	x := delivery{to: to, person: id}
	for tid, t := range d.threads {
		if t.stranger || t.broken || !d.member(t, []identity.DeviceID{dev}) || !d.memberHere(t) {
			continue
		}
		m := d.threadMail(t, to.Box, dev)
		d.mail.there[mailedKey{tid, id}] = m.state
		if len(m.items) == 0 && len(m.studies) == 0 {
			continue
		}
		m.id = tid
		x.threads = append(x.threads, m)
	}
	if len(x.threads) == 0 {
		return x, false // a letter alone is not worth a visit
	}
	d.addLetter(&x, dev)
	return x, true
}

func (d *Desk) memberHere(t *thread) bool {
	ranks := t.ledger.Members().Ranks
	return slices.ContainsFunc(d.persons, func(p *person) bool { return ranks[p.id] > ledger.RankNone })
}

// threadMail is what a device lacks of a thread, as far as is known here: not what its own
// entries rest on, nor what is in its box.
func (d *Desk) threadMail(t *thread, box mailbox.BoxID, dev identity.DeviceID) threadMail {
	row := d.depositRow(box, t.ledger.ID())
	if d.nowMS()-row.AtMS > depositAgain.Milliseconds() {
		row.Rows, row.Studies = nil, nil
	}
	rows := t.ledger.Rows()
	shown := slices.DeleteFunc(slices.Clone(rows), func(r ledger.Row) bool { return r.Device != [16]byte(dev[:16]) })
	m := threadMail{rows: rows, items: sealedOf(t.ledger.Missing(append(shown, row.Rows...)))}
	m.studies, m.after = d.studyMail(t, row.Studies), allWaits
	if len(m.studies) > 0 {
		m.after = messagesWait
	}
	if len(row.Rows) > 0 && len(m.items) == 0 {
		m.state = m.after
	}
	if !d.mail.Studies {
		m.studies = nil
	}
	return m
}

// studyMail lists the blobs that were granted to a case by persons here.
func (d *Desk) studyMail(t *thread, done []blob.ID) []studyMail {
	var out []studyMail
	for _, g := range t.fold().AllGrants {
		if d.personOf(g.Author) == nil || slices.Contains(done, g.Manifest.ID) || !d.blobs.Has(g.Manifest.ID) {
			continue
		}
		m, err := d.readManifest(g)
		if err != nil {
			continue // follow has said so
		}
		out = append(out, studyMail{g.Manifest.ID, blobsOfManifest(g.Manifest, m)})
	}
	return out
}

// blobsOfManifest lists a manifest and its blobs in reading order, each once.
func blobsOfManifest(ref blob.Ref, m *study.Manifest) []mailbox.Blob {
	var out []mailbox.Blob
	seen := map[blob.ID]bool{}
	add := func(r blob.Ref) {
		if !seen[r.ID] {
			seen[r.ID] = true
			out = append(out, mailbox.Blob{ID: r.ID, Length: r.SealedLen()})
		}
	}
	add(ref)
	if m.Preview != nil {
		add(*m.Preview)
	}
	for _, s := range m.Series {
		for i := range s.Instances {
			add(s.Instances[i].Head.Ref)
		}
	}
	for _, s := range m.Series {
		for i := range s.Instances {
			if r := s.Instances[i].Bulk.Ref; r != nil {
				add(*r)
			}
		}
	}
	return out
}

// addLetter adds the records that the device needs to answer, if they changed. The lock is held.
func (d *Desk) addLetter(x *delivery, dev identity.DeviceID) {
	card := d.Card(dev)
	records := d.greeting([]identity.DeviceID{dev})
	slices.SortFunc(records, slices.Compare)
	sum := wire.Hash("mailbox/letter", records...)
	if card == nil || slices.Equal(d.depositRow(x.to.Box, ledger.ThreadID{}).Letter, sum[:]) {
		return
	}
	item, err := mailbox.SealLetter(dev, card.KEM, records)
	if err != nil {
		d.log.Warn("letter not sealed", slog.Any("error", err))
		return
	}
	x.letter, x.sum = item, sum[:]
}

// deliver makes one delivery, entries first.
func (d *Desk) deliver(ctx context.Context, x delivery) error {
	visit := ctx
	if !slices.ContainsFunc(x.threads, func(m threadMail) bool { return len(m.studies) > 0 }) {
		var cancel context.CancelFunc
		visit, cancel = context.WithTimeout(ctx, mailTimeout)
		defer cancel()
	}
	return d.visit(visit, x.to.PeerAddrs, func(c *mailbox.Client) error {
		if x.letter != nil {
			if _, err := c.Deposit(x.to.Address, [][]byte{x.letter}); err != nil {
				return err
			}
			d.noteLetter(x)
		}
		for _, m := range x.threads {
			if _, err := c.Deposit(x.to.Address, m.items); err != nil {
				return err
			}
			d.noteThread(x, m)
		}
		return d.deliverStudies(c, x)
	})
}

func (d *Desk) noteLetter(x delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keepDeposit(x.to.Box, ledger.ThreadID{}, depositRow{AtMS: d.nowMS(), Letter: x.sum})
}

func (d *Desk) noteThread(x delivery, m threadMail) {
	d.mu.Lock()
	defer d.mu.Unlock()
	row := d.depositRow(x.to.Box, m.id)
	row.AtMS, row.Rows = d.nowMS(), m.rows
	d.keepDeposit(x.to.Box, m.id, row)
	d.mail.there[mailedKey{m.id, x.person}] = m.after
}

// deliverStudies leaves blobs in a box. A mailbox that takes no more images has the entries.
func (d *Desk) deliverStudies(c *mailbox.Client, x delivery) error {
	for _, m := range x.threads {
		for _, s := range m.studies {
			err := c.Offer(x.to.Address, s.blobs, d.readRange)
			if isAnswer(err) {
				d.log.Info("images do not wait in the mailbox", slog.String("case", m.id.String()), slog.Any("error", err))
				return nil
			}
			if err != nil {
				return err
			}
			d.mu.Lock()
			row := d.depositRow(x.to.Box, m.id)
			row.Studies = append(row.Studies, s.manifest)
			d.keepDeposit(x.to.Box, m.id, row)
			d.mu.Unlock()
		}
		if len(m.studies) > 0 {
			d.mu.Lock()
			d.mail.there[mailedKey{m.id, x.person}] = allWaits
			d.mu.Unlock()
		}
	}
	return nil
}

// readRange reads a range of a blob here.
func (d *Desk) readRange(b mailbox.Blob, first, n int, buf []byte) ([]byte, [][32]byte, error) {
	f, err := d.blobs.Open(b.ID)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if uint64(f.Size()) != b.Length {
		return nil, nil, exchange.ErrAbsent
	}
	return f.ReadRange(first, n, buf)
}

// mailPending leaves the Join to an invite in the boxes of its maker, who cannot be reached.
// It says whether it waits in one.
func (d *Desk) mailPending(ctx context.Context, p *person, inv identity.Invite, join []byte) bool {
	key := string(inv.Person[:])
	d.mu.Lock()
	var row pendingRow
	value, ok := p.vault.Get(tablePending, key)
	ok = ok && wire.Unmarshal(value, &row) == nil
	d.mu.Unlock()
	if !ok || d.nowMS()-row.MailedMS < rejoinEvery.Milliseconds() {
		return ok && row.MailedMS != 0
	}
	done := false
	for _, to := range placesOf(inv.Boxes, inv.Peers) {
		visit, cancel := context.WithTimeout(ctx, joinTimeout)
		err := d.visit(visit, to.PeerAddrs, func(c *mailbox.Client) error {
			_, err := c.Deposit(to.Address, [][]byte{append([]byte{mailbox.ItemJoin}, join...)})
			return err
		})
		cancel()
		done = done || err == nil
	}
	if !done {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, still := p.vault.Get(tablePending, key); still {
		row.MailedMS = d.nowMS()
		if err := p.vault.Put(tablePending, key, wire.MustMarshal(row)); err != nil {
			d.log.WarnContext(ctx, "deposit not noted: it is made again", slog.Any("error", err))
		}
	}
	return true
}
