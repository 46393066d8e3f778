package desk

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// What is for somebody who is away waits in their mailbox (FORMATS §8). Each device here has
// a box at each mailbox of the configuration, which its card names; what others left there is
// collected at start, now and then, and when something new was posted. What a member lacks
// who cannot be reached is deposited in the box of that member's device.
//
// Only what the recipient has shown to know is left out: their own entries rest on it. So a
// deposit is whole by itself, and the sender may be off when the recipient returns.

// MailConfig says where this node's persons have their boxes.
type MailConfig struct {
	At      []identity.PeerAddrs
	Studies bool // images wait there too, not only entries
}

const (
	tableBox     = "box"     // PeerID of the mailbox -> boxRow
	tableDeposit = "deposit" // BoxID || ThreadID, or BoxID -> depositRow

	// boxesMax is how many boxes a device has: its card has room for the node itself too.
	boxesMax = 4
	// mailEvery is how often boxes are looked at.
	mailEvery = 15 * time.Second
	// mailGrace is how long the network has to reach a recipient before their box is used.
	mailGrace = 3 * time.Second
	// mailAfter gathers what is posted in one go.
	mailAfter = 500 * time.Millisecond
	// mailTimeout bounds a visit without images.
	mailTimeout = 60 * time.Second
	// renewBoxEvery is how often a box is opened again: the mailbox may have lost it.
	renewBoxEvery = 24 * time.Hour
	// depositAgain is when what nobody has acknowledged is deposited once more, for the same reason.
	depositAgain = 7 * 24 * time.Hour
	// parcelsMax bounds the Accepts that wait for a mailbox: who asked asks again.
	parcelsMax = 64
	// rejoinEvery is when a Join that nobody answered is deposited again.
	rejoinEvery = 6 * time.Hour
	// roundsMax bounds how often what came is looked through: once for each case that is new.
	roundsMax = 64
	// stuckMax and stuckBytesMax bound the items that wait for what they rest on.
	stuckMax      = 1024
	stuckBytesMax = 16 << 20
	// stuckAge is when such an item is given up.
	stuckAge = 24 * time.Hour
)

// boxRow is a box of one's own at a mailbox.
type boxRow struct {
	Seed     wire.Secret `cbor:"1,keyasint"`
	OpenedMS int64       `cbor:"2,keyasint"` // 0: not open yet
}

// depositRow is what was left in a box: the thread's rows then, or what the letter held.
type depositRow struct {
	AtMS    int64        `cbor:"1,keyasint"`
	Rows    []ledger.Row `cbor:"2,keyasint,omitempty"`
	Letter  []byte       `cbor:"3,keyasint,omitempty"`
	Studies []blob.ID    `cbor:"4,keyasint,omitempty"` // manifests whose blobs are there, or which the device has
}

// mail is the state of mailboxes in memory. The desk's lock guards it.
type mail struct {
	MailConfig
	poke   chan struct{}
	since  time.Time                  // when the network came
	inward map[boxKey]*inbox          // what was collected and waits
	out    []parcel                   // items for boxes that no thread accounts for: Accepts
	there  map[mailedKey]string       // what waits in a mailbox, as transfers says it
	told   map[identity.PeerID]string // the last failure of each mailbox, logged once
}

// mailedKey is a person for whom a case waits in a mailbox.
type mailedKey struct {
	thread ledger.ThreadID
	person identity.PersonID
}

// boxKey is the box of one person here at one mailbox.
type boxKey struct {
	person identity.PersonID
	at     identity.PeerID
}

// place is a box of somebody else, with where it is.
type place struct {
	identity.PeerAddrs
	mailbox.Address
}

// parcel is an item on its way to a box.
type parcel struct {
	to   place
	item []byte
}

func newMail(cfg MailConfig) mail {
	cfg.At = cfg.At[:min(len(cfg.At), boxesMax)]
	return mail{
		MailConfig: cfg, poke: make(chan struct{}, 1), inward: map[boxKey]*inbox{},
		there: map[mailedKey]string{}, told: map[identity.PeerID]string{},
	}
}

// mailSoon looks at the boxes soon.
func (d *Desk) mailSoon() {
	select {
	case d.mail.poke <- struct{}{}:
	default:
	}
}

// mailLoop opens boxes, collects and deposits while the node serves.
func (d *Desk) mailLoop(ctx context.Context) {
	tick := time.NewTicker(mailEvery)
	defer tick.Stop()
	d.mu.Lock()
	d.mail.since = time.Now()
	d.mu.Unlock()
	first := time.After(mailGrace + mailAfter)
	for {
		d.openBoxes(ctx)
		d.collectMail(ctx)
		d.depositMail(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-first: // who is not here by now is not reached
		case <-d.mail.poke:
			select {
			case <-ctx.Done():
				return
			case <-time.After(mailAfter):
			}
		}
	}
}

// visit runs f with the mailbox at a node, and says once what goes wrong there.
func (d *Desk) visit(ctx context.Context, at identity.PeerAddrs, f func(*mailbox.Client) error) error {
	d.mu.Lock()
	net := d.net
	d.mu.Unlock()
	if net == nil {
		return mailbox.ErrFailed
	}
	err := net.Mailbox(ctx, at, f)
	text := ""
	if err != nil {
		text = err.Error()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if text != "" && d.mail.told[at.PeerID] == "" {
		d.log.InfoContext(ctx, "mailbox", slog.String("peer", textOf(at.PeerID)), slog.Any("error", err))
	}
	d.mail.told[at.PeerID] = text
	return err
}

// openBoxes opens the boxes of the persons here that are not open yet, or were not lately.
func (d *Desk) openBoxes(ctx context.Context) {
	type job struct {
		p   *person
		at  identity.PeerAddrs
		row boxRow
	}
	var jobs []job
	d.mu.Lock()
	for _, p := range d.persons {
		for _, at := range d.mail.At {
			row, err := d.ownBox(p, at.PeerID)
			if err != nil {
				d.log.WarnContext(ctx, "box not made", slog.Any("error", err))
				continue
			}
			if d.nowMS()-row.OpenedMS > renewBoxEvery.Milliseconds() {
				jobs = append(jobs, job{p, at, row})
			}
		}
	}
	d.mu.Unlock()
	for _, j := range jobs {
		visit, cancel := context.WithTimeout(ctx, mailTimeout)
		err := d.visit(visit, j.at, func(c *mailbox.Client) error { return c.Open(mailbox.NewKey(j.row.Seed)) })
		cancel()
		if err != nil {
			continue
		}
		d.mu.Lock()
		fresh := j.row.OpenedMS == 0
		j.row.OpenedMS = d.nowMS()
		err = j.p.vault.Put(tableBox, string(j.at.PeerID), wire.MustMarshal(j.row))
		if err == nil && fresh {
			err = d.refreshCards()
		}
		d.mu.Unlock()
		if err != nil {
			d.log.WarnContext(ctx, "box not kept", slog.Any("error", err))
		}
	}
}

// ownBox gives a person's box at a mailbox, made when first asked for. The lock is held.
func (d *Desk) ownBox(p *person, at identity.PeerID) (boxRow, error) {
	var row boxRow
	if value, ok := p.vault.Get(tableBox, string(at)); ok && wire.Unmarshal(value, &row) == nil {
		return row, nil
	}
	row = boxRow{Seed: wire.NewSecret()}
	if err := p.vault.Put(tableBox, string(at), wire.MustMarshal(row)); err != nil {
		return row, internal("keep box", err)
	}
	return row, nil
}

// boxes are a person's open boxes with where they are, for cards and invites. The lock is held.
func (d *Desk) boxes(p *person) (boxes []identity.Box, at []identity.PeerAddrs) {
	for _, m := range d.mail.At {
		var row boxRow
		value, ok := p.vault.Get(tableBox, string(m.PeerID))
		if !ok || wire.Unmarshal(value, &row) != nil || row.OpenedMS == 0 {
			continue
		}
		a := mailbox.NewKey(row.Seed).Address()
		boxes = append(boxes, identity.Box{PeerID: m.PeerID, ID: a.Box, Deposit: a.Deposit})
		at = append(at, m)
	}
	return boxes, at
}

// placesOf joins boxes with the addresses of their mailboxes, as a card or an invite has them.
func placesOf(boxes []identity.Box, peers []identity.PeerAddrs) []place {
	var out []place
	for _, b := range boxes {
		for _, p := range peers {
			if p.PeerID == b.PeerID {
				out = append(out, place{p, mailbox.Address{Box: b.ID, Deposit: b.Deposit}})
				break
			}
		}
	}
	return out
}

// nodesOf leaves the mailboxes out of the peers of a card or an invite: they are not the person's node.
func nodesOf(boxes []identity.Box, peers []identity.PeerAddrs) []identity.PeerAddrs {
	return slices.DeleteFunc(slices.Clone(peers), func(p identity.PeerAddrs) bool {
		return slices.ContainsFunc(boxes, func(b identity.Box) bool { return b.PeerID == p.PeerID })
	})
}

// peerHasStudy notes that a device has all of a study: it need not wait in a mailbox.
func (d *Desk) peerHasStudy(peer exchange.Peer, id ledger.ThreadID, h exchange.Have) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mail.Studies || d.threads[id] == nil {
		return
	}
	for _, held := range d.studies.held {
		if held.manifestID != h.Manifest || held.manifest == nil || !covers(h.Bitmap, held.listed()) {
			continue
		}
		for _, dev := range peer.Devices {
			for _, to := range d.placesOfDevice(dev) {
				row := d.depositRow(to.Box, id)
				if slices.Contains(row.Studies, h.Manifest) {
					continue
				}
				row.Studies = append(row.Studies, h.Manifest)
				d.keepDeposit(to.Box, id, row)
			}
		}
	}
}

// covers says whether a bitmap has the head and the bulk of every instance.
func covers(bitmap []byte, instances int) bool {
	for i := 1; i <= 2*instances; i++ {
		if i/8 >= len(bitmap) || bitmap[i/8]&(0x80>>(i%8)) == 0 {
			return false
		}
	}
	return true
}

// placesOfDevice are the boxes that the card of a device names. The lock is held.
func (d *Desk) placesOfDevice(dev identity.DeviceID) []place {
	prof := d.profiles[d.devices[dev]]
	if prof == nil || prof.Cards[dev] == nil || d.revoked(dev) {
		return nil
	}
	c := prof.Cards[dev]
	return placesOf(c.Boxes, c.Addrs)
}

// depositRow reads what was left in a box of a thread; it is in the vault of whoever of the
// persons here is a member first. The lock is held.
func (d *Desk) depositRow(box mailbox.BoxID, id ledger.ThreadID) depositRow {
	var row depositRow
	if p := d.mailer(); p != nil {
		if value, ok := p.vault.Get(tableDeposit, depositKey(box, id)); ok && wire.Unmarshal(value, &row) != nil {
			return depositRow{}
		}
	}
	return row
}

func (d *Desk) keepDeposit(box mailbox.BoxID, id ledger.ThreadID, row depositRow) {
	p := d.mailer()
	if p == nil {
		return
	}
	if err := p.vault.Put(tableDeposit, depositKey(box, id), wire.MustMarshal(row)); err != nil {
		d.log.Warn("deposit not noted: it is made again", slog.Any("error", err))
	}
}

// mailer is the person whose vault notes the node's deposits.
func (d *Desk) mailer() *person {
	if len(d.persons) == 0 {
		return nil
	}
	return d.persons[0]
}

func depositKey(box mailbox.BoxID, id ledger.ThreadID) string { return string(box[:]) + string(id[:]) }

// What transfers says of a case that waits in a mailbox for somebody.
const (
	allWaits     = "waiting in a mailbox"
	messagesWait = "messages wait in a mailbox, images are queued"
)

// waitsInMailbox says what of a case waits in a mailbox for a person. The lock is held.
func (d *Desk) waitsInMailbox(id ledger.ThreadID, who identity.PersonID) string {
	return d.mail.there[mailedKey{id, who}]
}

// isAnswer says that a mailbox said no, as opposed to not being there.
func isAnswer(err error) bool {
	return errors.Is(err, mailbox.ErrFull) || errors.Is(err, mailbox.ErrRefused) || errors.Is(err, mailbox.ErrNoBlobs) || errors.Is(err, mailbox.ErrAbsent)
}
