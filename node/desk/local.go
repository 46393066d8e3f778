package desk

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// strangersMax bounds the cases that people who are nobody's contact may leave here.
const strangersMax = 100

// strangerEntriesMax bounds the entries of such a case: enough to see who asks what. The rest comes
// once somebody here makes a contact of them.
const strangerEntriesMax = 512

// strangeMax bounds the records of peers who are nobody here: a person's with attestations are a dozen.
const strangeMax = 64

// unplacedMax bounds the records that wait for a case to say whose they are: each is at most
// 64 KiB, and a thread's members have three or so each.
const unplacedMax = 256

// The methods of this file and of transfer.go make Desk an exchange.Local: what peers may ask.
var _ exchange.Local = (*Desk)(nil)

// Provers are the devices of the persons here.
func (d *Desk) Provers() []*identity.Device {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]*identity.Device, 0, len(d.persons))
	for _, p := range d.persons {
		out = append(out, p.device)
	}
	return out
}

// Key is the author key of a device whose certificate is held.
func (d *Desk) Key(dev identity.DeviceID) ([]byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if prof := d.profiles[d.devices[dev]]; prof != nil {
		if cert := prof.Devices[dev]; cert != nil && cert.Revoked == 0 {
			return cert.Public.Ed25519[:], true
		}
	}
	for _, t := range d.threads {
		if cert := t.ledger.Members().Certs[dev]; cert != nil {
			return cert.Public.Ed25519[:], true
		}
	}
	return nil, false
}

// Known says whether one of the devices is a contact's or a case member's.
func (d *Desk) Known(devs []identity.DeviceID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(devs, d.knownDevice)
}

func (d *Desk) knownDevice(dev identity.DeviceID) bool {
	id, ok := d.devices[dev]
	if ok {
		if prof := d.profiles[id]; prof != nil && prof.Devices[dev] != nil && prof.Devices[dev].Revoked == 0 {
			for _, p := range d.persons {
				if row, is := d.contact(p, id); is && row.Trust != trustBlocked {
					return true
				}
			}
		}
	}
	for _, t := range d.threads {
		if t.stranger {
			continue
		}
		if d.member(t, []identity.DeviceID{dev}) {
			return true
		}
	}
	return false
}

// member reports whether a person of the devices has rank 1 or more in a thread, by a device
// that is not cut, nor revoked by its person where the cut has not come yet.
func (d *Desk) member(t *thread, devs []identity.DeviceID) bool {
	members := t.ledger.Members().Devices
	return slices.ContainsFunc(devs, func(dev identity.DeviceID) bool {
		_, ok := members[dev]
		return ok && !d.revoked(dev)
	})
}

func (d *Desk) revoked(dev identity.DeviceID) bool {
	prof := d.profiles[d.devices[dev]]
	if prof == nil {
		return false
	}
	cert := prof.Devices[dev]
	return cert != nil && cert.Revoked != 0
}

// Greet gives a peer our records and those of the members of shared cases.
func (d *Desk) Greet(peer exchange.Peer) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.greeting(peer.Devices)
}

// greeting is what Greet gives to devices. The lock is held.
func (d *Desk) greeting(devs []identity.DeviceID) [][]byte {
	var out [][]byte
	given := map[identity.PersonID]bool{}
	give := func(id identity.PersonID, prof *identity.Profile) {
		if prof != nil && !given[id] {
			given[id] = true
			out = append(out, prof.Records()...)
			out = append(out, d.vouchRecords(id)...)
		}
	}
	for _, p := range d.persons {
		give(p.id, p.profile)
		out = append(out, d.ownList(p)...)
	}
	for _, dev := range devs {
		// What was attested of the peer is theirs to show.
		if id, ok := d.devices[dev]; ok && !given[id] {
			out = append(out, d.vouchRecords(id)...)
		}
	}
	for _, t := range d.threads {
		if !d.member(t, devs) {
			continue
		}
		for id, rank := range t.ledger.Members().Ranks {
			if rank > ledger.RankNone {
				give(id, d.profiles[id])
			}
		}
	}
	return out
}

// Learn takes a peer's records and keeps those of contacts and members.
func (d *Desk) Learn(peer exchange.Peer, records [][]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.learn(records, peer.Known)
	if !peer.Known {
		// A case of theirs may be on its way, and they say who they are but once a session.
		d.strange = append(d.strange, records...)
		d.strange = slices.Delete(d.strange, 0, max(0, len(d.strange)-strangeMax))
	}
}

// learn takes records. Those of somebody who is nobody here yet are put aside if a known peer sent
// them: a case that makes them a member is often on its way.
func (d *Desk) learn(records [][]byte, putAside bool) {
	touched := map[identity.PersonID]bool{}
	var parsed []identity.Record
	for _, b := range records {
		r, err := identity.ParseRecord(b)
		if err != nil {
			continue
		}
		parsed = append(parsed, r)
		if r.Attest != nil || r.RevList != nil {
			continue
		}
		id, ok := d.subject(r)
		if !ok {
			if putAside {
				if len(d.unplaced) >= unplacedMax { // the oldest go: nobody may fill this for good
					d.unplaced = slices.Delete(d.unplaced, 0, len(d.unplaced)-unplacedMax+1)
				}
				d.unplaced = append(d.unplaced, b)
			}
			continue
		}
		prof := d.profiles[id]
		if prof == nil {
			if prof = d.memberProfile(id); prof == nil {
				continue
			}
			d.profiles[id] = prof
		}
		if changed, err := prof.Add(b); err == nil && changed || errors.Is(err, identity.ErrFork) {
			touched[id] = true
		}
		for dev := range prof.Devices {
			d.devices[dev] = id
		}
	}
	if d.takeVouches(parsed, d.concerns) {
		d.reattested()
	}
	for id := range touched {
		if err := d.saveProfile(id); err != nil {
			d.log.Warn("a contact's records were not kept", slog.Any("error", err))
		}
		if d.profiles[id].Fork != nil {
			d.log.Warn("ALARM: a contact's keys contradict themselves; sending to them is blocked", slog.String("person", id.String()))
		}
	}
	if len(touched) > 0 {
		d.tell(func(n Network) { n.Renew() })
		d.publish(control.Event{Event: "contact"})
	}
}

// concerns says whether somebody's attestations are kept: a contact's, a fellow member's, one's own.
func (d *Desk) concerns(id identity.PersonID) bool {
	return slices.ContainsFunc(d.persons, func(p *person) bool {
		_, ok := d.contact(p, id)
		return ok || p.id == id || d.fellow(p.id, id)
	})
}

// subject says whose record it is, if that is somebody whose records are kept.
func (d *Desk) subject(r identity.Record) (identity.PersonID, bool) {
	var id identity.PersonID
	switch {
	case r.Person != nil:
		id = r.Person.ID()
	case r.Statement != nil:
		id = r.Statement.Person
	case r.Card != nil:
		known, ok := d.devices[r.Card.Device]
		if !ok {
			if known, ok = d.memberDevice(r.Card.Device); !ok {
				return id, false
			}
		}
		id = known
	default:
		return id, false
	}
	if d.personOf(id) != nil {
		return id, false // nobody tells us about ourselves
	}
	for _, p := range d.persons {
		if _, ok := d.contact(p, id); ok || d.fellow(p.id, id) {
			return id, true
		}
	}
	return id, false
}

func (d *Desk) memberDevice(dev identity.DeviceID) (identity.PersonID, bool) {
	for _, t := range d.threads {
		if cert := t.ledger.Members().Certs[dev]; cert != nil {
			return cert.Person, true
		}
	}
	return identity.PersonID{}, false
}

// memberProfile starts the profile of a member who is no contact from the case's own records.
func (d *Desk) memberProfile(id identity.PersonID) *identity.Profile {
	for _, t := range d.threads {
		person, ok := t.ledger.Members().Persons[id]
		if !ok {
			continue
		}
		prof, err := identity.NewProfile(person.Encode())
		if err != nil {
			return nil
		}
		return prof
	}
	return nil
}

// Shared lists the cases that a peer's person is a member of, and all others.
func (d *Desk) Shared(peer exchange.Peer) (shared, withheld []ledger.ThreadID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, t := range d.threads {
		if d.member(t, peer.Devices) {
			shared = append(shared, id)
		} else {
			withheld = append(withheld, id)
		}
	}
	return shared, withheld
}

// Rows is a case's version vector.
func (d *Desk) Rows(id ledger.ThreadID) []ledger.Row {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.threads[id]
	if t == nil {
		return nil
	}
	if t.rows == nil {
		t.rows = t.ledger.Rows()
	}
	return t.rows
}

// Missing gives what a copy with these rows lacks.
func (d *Desk) Missing(id ledger.ThreadID, theirs []ledger.Row) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.threads[id]; t != nil {
		return sealedOf(t.ledger.Missing(theirs))
	}
	return nil
}

// Answer gives what a peer's need asks for and it may have.
func (d *Desk) Answer(peer exchange.Peer, id ledger.ThreadID, need ledger.Need) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.threads[id]; t != nil && d.member(t, peer.Devices) {
		return sealedOf(t.ledger.Answer(need, d))
	}
	return nil
}

func sealedOf(items []ledger.Item) [][]byte {
	out := make([][]byte, 0, len(items))
	for _, it := range items {
		out = append(out, it.Sealed)
	}
	return out
}

// Receive takes entries of one case. What was admitted is in the journal when it returns.
func (d *Desk) Receive(peer exchange.Peer, id *ledger.ThreadID, items [][]byte) exchange.Received {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, found := d.receiver(peer, id, items)
	if !found || t.broken || t.stranger && len(t.items) >= strangerEntriesMax {
		return exchange.Received{Bad: len(items)}
	}
	out := exchange.Received{Thread: t.ledger.ID(), Known: true}
	var keep []ledger.Item
	locals := d.locals()
	for _, b := range items {
		res, err := t.ledger.Receive(b, locals)
		for _, lie := range res.Reports {
			d.log.Warn("a member's entry contradicts itself", slog.String("case", out.Thread.String()), slog.Any("error", lie))
		}
		if err != nil {
			out.Bad++
			continue
		}
		for _, a := range res.Admitted {
			keep = append(keep, a.Item)
		}
	}
	if len(keep) > 0 {
		t.changed()
		if d.threads[out.Thread] == nil {
			if d.fromStranger(t) && d.strangers() >= strangersMax {
				return exchange.Received{Bad: len(items)}
			}
			d.threads[out.Thread] = t
		}
		if err := d.keepItems(t, keep); err != nil {
			d.log.Error("entries not kept", slog.String("case", out.Thread.String()), slog.Any("error", err))
			d.reload(t)
			return exchange.Received{Bad: 0}
		}
		d.received(t, keep)
	}
	if len(t.items) == 0 {
		return exchange.Received{Bad: out.Bad}
	}
	// Every item that opened has its place in the rows now, so all rows may be credited to the peer
	// only as far as it sent them; the session compares by what it sent itself.
	out.Rows = d.rowsOf(t, keep)
	out.Need = t.ledger.Need()
	if t.stranger {
		t.ledger.Forget() // what waits costs memory, and a stranger gets none
	}
	return out
}

// rowsOf gives the places of entries that were just admitted.
func (d *Desk) rowsOf(t *thread, keep []ledger.Item) []ledger.Row {
	rows := make([]ledger.Row, 0, len(keep))
	for _, it := range keep {
		if e := t.ledger.Entry(it.Entry); e != nil {
			r := ledger.Row{Chain: e.Chain, Seq: e.Seq}
			copy(r.Device[:], e.Device[:])
			copy(r.Entry[:], e.ID[:])
			rows = append(rows, r)
		}
	}
	return rows
}

// receiver finds the thread that items belong to, or starts it.
func (d *Desk) receiver(peer exchange.Peer, id *ledger.ThreadID, items [][]byte) (*thread, bool) {
	if id != nil {
		t := d.threads[*id]
		return t, t != nil
	}
	locals := d.locals()
	for _, b := range items {
		tid, err := ledger.OpenPacket(b, locals)
		if err != nil {
			continue
		}
		if t := d.threads[tid]; t != nil {
			return t, true
		}
		if !peer.Known && d.strangers() >= strangersMax {
			return nil, false
		}
		t := d.newThread(tid)
		t.stranger = true // until the members are known
		return t, true
	}
	return nil, false
}

func (d *Desk) strangers() int {
	n := 0
	for _, t := range d.threads {
		if t.stranger {
			n++
		}
	}
	return n
}

// received does what new entries of others ask for: contacts' records, blobs, receipts, events.
func (d *Desk) received(t *thread, items []ledger.Item) {
	t.stranger = d.fromStranger(t)
	d.noteCame(t, items)
	d.adoptMembers(t)
	d.announce(t, items)
	if !t.stranger {
		d.follow(t)
		for _, it := range items {
			if e := t.ledger.Entry(it.Entry); e != nil && e.Kind != ledger.Receipt && e.Kind != ledger.Held {
				d.queueReceipt(t)
				break
			}
		}
	}
}

// adoptMembers makes the devices of a case's members known, so that their cards can be learnt.
func (d *Desk) adoptMembers(t *thread) {
	m := t.ledger.Members()
	renew := false
	for dev, cert := range m.Certs {
		if _, ok := d.devices[dev]; !ok {
			d.devices[dev] = cert.Person
			renew = true
		}
		if d.personOf(cert.Person) != nil {
			continue
		}
		if d.profiles[cert.Person] == nil {
			if prof := d.memberProfile(cert.Person); prof != nil {
				d.profiles[cert.Person] = prof
			}
		}
		if prof := d.profiles[cert.Person]; prof != nil && prof.Devices[dev] == nil {
			if prof.AddStatement(cert.Bytes) == nil {
				_ = d.saveProfile(cert.Person) // learnt again from the case at the next start
			}
		}
	}
	if renew {
		d.tell(func(n Network) { n.Renew() })
		aside, strange := d.unplaced, d.strange
		d.unplaced, d.strange = nil, nil
		d.learn(strange, false)
		d.learn(aside, true)
	}
}

// Targets are the peers wanted: contacts and fellow members, with the addresses of their cards
// and of the invites by which they came.
func (d *Desk) Targets() []identity.PeerAddrs {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []identity.PeerAddrs
	for id, prof := range d.profiles {
		if !d.wanted(id) {
			continue
		}
		for dev, c := range prof.Cards {
			if cert := prof.Devices[dev]; cert != nil && cert.Revoked == 0 {
				out = append(out, nodesOf(c.Boxes, c.Addrs)...)
			}
		}
		for _, p := range d.persons {
			row, _ := d.contact(p, id)
			out = append(out, row.Peers...)
		}
	}
	return out
}

func (d *Desk) wanted(id identity.PersonID) bool {
	for _, p := range d.persons {
		if row, ok := d.contact(p, id); ok && row.Trust != trustBlocked {
			return true
		}
		if d.fellow(p.id, id) {
			return true
		}
	}
	return false
}

// skewMin is less than which a clock counts as right: a session measures to within a round trip.
const skewMin = 5 * time.Second

// noteClock keeps by how much the clock of a peer's devices is ahead. The lock is held.
func (d *Desk) noteClock(peer exchange.Peer) {
	for _, dev := range peer.Devices {
		delete(d.ahead, dev)
		if peer.Skew.Abs() >= skewMin && len(d.ahead) < aheadMax {
			d.ahead[dev] = peer.Skew.Milliseconds()
		}
	}
}

// aheadMax bounds the clocks that are remembered.
const aheadMax = 4096

// Session notes that a session with a peer began or ended.
func (d *Desk) Session(peer exchange.Peer, up bool) {
	d.mu.Lock()
	o := d.online[peer.ID]
	if o == nil {
		o = &onlinePeer{since: d.now()}
		d.online[peer.ID] = o
	}
	if up {
		o.sessions++
		o.devices = peer.Devices
		d.noteClock(peer)
		d.plan.Up(peer, d.now())
	} else if o.sessions--; o.sessions <= 0 {
		delete(d.online, peer.ID)
		d.plan.Down(peer.ID)
	}
	d.mu.Unlock()
	d.publish(control.Event{Event: "peer"})
}
