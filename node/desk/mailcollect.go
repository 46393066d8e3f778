package desk

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// inbox is what was collected of a box and is not safe yet: an item may rest on one that has
// not come. The mailbox keeps it until it is.
type inbox struct {
	after uint64
	stuck []stuckItem
	acked uint64
}

type stuckItem struct {
	mailbox.Item
	since time.Time
}

func textOf(p identity.PeerID) string { return peering.Text(p) }

// collectMail takes what waits in the boxes of the persons here.
func (d *Desk) collectMail(ctx context.Context) {
	type job struct {
		p   *person
		at  identity.PeerAddrs
		key *mailbox.Key
		in  *inbox
	}
	var jobs []job
	d.mu.Lock()
	for _, p := range d.persons {
		for _, at := range d.mail.At {
			row, err := d.ownBox(p, at.PeerID)
			if err != nil || row.OpenedMS == 0 {
				continue
			}
			k := boxKey{p.id, at.PeerID}
			if d.mail.inward[k] == nil {
				d.mail.inward[k] = &inbox{}
			}
			jobs = append(jobs, job{p, at, mailbox.NewKey(row.Seed), d.mail.inward[k]})
		}
	}
	d.mu.Unlock()
	for _, j := range jobs {
		if ctx.Err() != nil {
			return
		}
		err := d.visit(ctx, j.at, func(c *mailbox.Client) error { return d.collectBox(ctx, c, j.p, j.at, j.key, j.in) })
		if err != nil && ctx.Err() == nil {
			d.log.DebugContext(ctx, "mailbox not collected", slog.Any("error", err))
		}
	}
}

// collectBox takes new items and acknowledges what is safe, then fetches blobs.
func (d *Desk) collectBox(ctx context.Context, c *mailbox.Client, p *person, at identity.PeerAddrs, key *mailbox.Key, in *inbox) error {
	for more := true; more; {
		items, next, err := c.Collect(key, in.after)
		if err != nil {
			return err
		}
		now := d.now()
		for _, it := range items {
			in.after = it.Cursor
			if len(it.Item) > 0 {
				in.stuck = append(in.stuck, stuckItem{it, now})
			}
		}
		d.takeMail(p, at.PeerID, in)
		d.sendParcels(ctx) // an answer to a Join is there before the Join goes
		more = next
		if err := acknowledge(c, in); err != nil {
			return err
		}
	}
	return d.fetchMail(ctx, c, at.PeerID)
}

// acknowledge lets the mailbox delete what was collected up to the first item that waits.
func acknowledge(c *mailbox.Client, in *inbox) error {
	safe := in.after
	if len(in.stuck) > 0 {
		safe = in.stuck[0].Cursor - 1
	}
	if safe <= in.acked {
		return nil
	}
	if err := c.Acknowledge(safe); err != nil {
		return err
	}
	in.acked = safe
	return nil
}

// takeMail takes the items of an inbox that can be taken, and gives up what waited too long.
func (d *Desk) takeMail(p *person, at identity.PeerID, in *inbox) {
	for _, kind := range []byte{mailbox.ItemLetter, mailbox.ItemJoin, mailbox.ItemAccept} {
		in.stuck = slices.DeleteFunc(in.stuck, func(it stuckItem) bool {
			return it.Item.Item[0] == kind && d.takeLetter(p, it.Item.Item)
		})
	}
	for range roundsMax { // a packet opens what other items are under
		if !d.takeEntries(at, in) {
			break
		}
	}
	limit := d.now().Add(-stuckAge)
	size := 0
	for _, it := range in.stuck {
		size += len(it.Item.Item)
	}
	for len(in.stuck) > 0 && (len(in.stuck) > stuckMax || size > stuckBytesMax || in.stuck[0].since.Before(limit)) {
		size -= len(in.stuck[0].Item.Item)
		in.stuck = in.stuck[1:]
	}
}

// takeLetter takes an item that is of no thread; it always is done with it.
func (d *Desk) takeLetter(p *person, item []byte) bool {
	switch item[0] {
	case mailbox.ItemLetter:
		for _, k := range p.kems {
			if records, err := mailbox.OpenLetter(p.device.ID(), k, item); err == nil {
				d.mu.Lock()
				d.learn(records, true)
				d.mu.Unlock()
				break
			}
		}
	case mailbox.ItemJoin:
		d.joinByMail(p, item[1:])
	case mailbox.ItemAccept:
		if inv, join, ok := d.acceptFor(p, item[1:]); ok {
			if _, err := d.accepted(p, inv, join, item[1:]); err != nil {
				d.log.Info("an Accept from a mailbox was not taken", slog.Any("error", err))
			}
		}
	}
	return true
}

// joinByMail answers a Join that came through a mailbox in the joiner's own.
func (d *Desk) joinByMail(p *person, join []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	accept, id, err := d.join(join, []*person{p})
	if err != nil {
		d.log.Info("a Join from a mailbox was not accepted", slog.Any("error", err))
		return
	}
	prof := d.profiles[id]
	if prof == nil {
		return
	}
	for dev := range prof.Cards {
		for _, to := range d.placesOfDevice(dev) {
			d.mail.out = append(d.mail.out, parcel{to, append([]byte{mailbox.ItemAccept}, accept...)})
		}
	}
}

// acceptFor finds the pending invite that an Accept answers.
func (d *Desk) acceptFor(p *person, accept []byte) (inv identity.Invite, join []byte, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = p.vault.Each(tablePending, func(_ string, value []byte) error {
		var row pendingRow
		if wire.Unmarshal(value, &row) != nil {
			return nil //nolint:nilerr // a damaged row is passed over, the others count
		}
		i, err := identity.DecodeInvite(row.Invite)
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		if _, err := identity.OpenAccept(i, row.Join, accept); err == nil {
			inv, join, ok = i, row.Join, true
		}
		return nil
	})
	return inv, join, ok
}

// takeEntries hands packets and envelopes to their threads, and says whether that may have
// opened others. What rests on something that has not come stays in the inbox.
func (d *Desk) takeEntries(at identity.PeerID, in *inbox) (again bool) {
	groups, loose := d.sortMail(in)
	peer := exchange.Peer{ID: at}
	safe := map[int]bool{}
	for id, places := range groups {
		// What is known already costs nothing.
		if r := d.Receive(peer, &id, itemsAt(in, places)); r.Need == nil {
			for _, i := range places {
				safe[i] = true
			}
		}
	}
	if len(loose) > 0 && len(safe) == 0 {
		// A case that is new here: what its packets rest on is among the others.
		again = d.Receive(peer, nil, itemsAt(in, loose)).Known
	}
	kept := in.stuck[:0]
	for i, it := range in.stuck {
		kind := it.Item.Item[0]
		if !safe[i] && (kind == mailbox.ItemPacket || kind == mailbox.ItemEnvelope) {
			kept = append(kept, it)
		}
	}
	in.stuck = kept
	return again || len(safe) > 0
}

func itemsAt(in *inbox, places []int) [][]byte {
	out := make([][]byte, 0, len(places))
	for _, i := range places {
		out = append(out, in.stuck[i].Item.Item)
	}
	return out
}

// sortMail finds the threads of items by the epochs that are known; loose are the others.
func (d *Desk) sortMail(in *inbox) (groups map[ledger.ThreadID][]int, loose []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	groups = map[ledger.ThreadID][]int{}
	for i, it := range in.stuck {
		id, ok := d.threadOf(it.Item.Item)
		if ok {
			groups[id] = append(groups[id], i)
		} else {
			loose = append(loose, i)
		}
	}
	return groups, loose
}

// threadOf finds the thread of an item. The lock is held.
func (d *Desk) threadOf(item []byte) (ledger.ThreadID, bool) {
	for id, t := range d.threads {
		if t.ledger.Recognizes(item) {
			return id, true
		}
	}
	return ledger.ThreadID{}, false
}

// fetchMail fetches the blobs in the box that was proven which are wanted here, manifests
// first, since they say what else is.
func (d *Desk) fetchMail(ctx context.Context, c *mailbox.Client, at identity.PeerID) error {
	list, err := c.Blobs()
	if err != nil {
		return err
	}
	idle := 0
	for len(list) > 0 && idle < fetchIdleMax && ctx.Err() == nil {
		var here []blob.ID
		var wanted []mailbox.Blob
		for _, b := range list {
			if d.blobs.Has(b.ID) {
				here = append(here, b.ID)
			} else if _, _, ok := d.plan.Progress(b.ID); ok {
				wanted = append(wanted, b)
			}
		}
		if len(here) > 0 {
			if err := c.Forget(here); err != nil {
				return err
			}
			list = slices.DeleteFunc(list, func(b mailbox.Blob) bool { return slices.Contains(here, b.ID) })
		}
		if len(wanted) == 0 {
			idle++
			if len(list) > 0 {
				sleep(ctx, fetchIdle) // a manifest that came is being read
			}
			continue
		}
		idle = 0
		for _, b := range wanted {
			if err := d.fetchBlob(c, at, b); err != nil {
				return err
			}
		}
		if err := d.blobs.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// fetchIdle and fetchIdleMax are how long it may take until what came says what else is wanted.
const (
	fetchIdle    = 100 * time.Millisecond
	fetchIdleMax = 5
)

func sleep(ctx context.Context, t time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(t):
	}
}

// fetchBlob fetches what is missing of a blob.
func (d *Desk) fetchBlob(c *mailbox.Client, at identity.PeerID, b mailbox.Blob) error {
	p, err := d.blobs.Partial(b.ID, b.Length)
	if err != nil {
		return nil //nolint:nilerr // the box says another length than the manifest: it is not ours
	}
	var wants []mailbox.Want
	for _, s := range p.Missing(blob.LeafCount(b.Length)) {
		wants = append(wants, mailbox.Want{Blob: b, First: s.First, N: s.N})
	}
	peer := exchange.Peer{ID: at}
	return c.Fetch(wants, func(w mailbox.Want, data []byte, leaves [][32]byte) error {
		return d.Store(peer, exchange.Want{
			Blob: w.Blob.ID, Length: w.Blob.Length, First: w.First, N: w.N, Priority: priorityBulk,
		}, data, leaves)
	})
}
