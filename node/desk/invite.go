package desk

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

const (
	invitesKept    = 64 // SCRIPTING, id: the oldest is dropped
	joinTimeout    = 10 * time.Second
	pendingTimeout = 5 * time.Second
)

// inviteRow is an invite that a person here handed out.
type inviteRow struct {
	Invite []byte   `cbor:"1,keyasint"`
	MadeMS int64    `cbor:"2,keyasint"`
	Joined [32]byte `cbor:"3,keyasint"` // JoinID of the Join that used it up; zero before
	Accept []byte   `cbor:"4,keyasint,omitempty"`
}

// pendingRow is an invite that a person here answered and that was not accepted yet.
type pendingRow struct {
	Invite []byte `cbor:"1,keyasint"`
	Join   []byte `cbor:"2,keyasint"`
	// MailedMS is when the Join was left in a mailbox.
	MailedMS int64 `cbor:"3,keyasint,omitempty"`
}

// GetCard is curbside id: it makes a fresh invite each time.
func (d *Desk) GetCard(ctx context.Context, req control.CardRequest) (control.Card, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return control.Card{}, err
	}
	c := control.Card{
		Person: p.id.String(), Name: p.self.Name, Kind: p.kind(),
		Specialties:  append([]string{}, p.self.Specialties...),
		SafetyNumber: identity.SafetyNumber(p.id), Words: identity.HalfWords(p.id), Addresses: []string{},
	}
	boxes, at := d.boxes(p)
	peers := append(d.selfAddrs(p), at...)
	if d.net != nil {
		c.Addresses = append(c.Addresses, d.net.Addrs()...)
	}
	if req.NoInvite {
		return c, nil
	}
	inv := identity.NewInvite(p.id, peers, d.nowMS())
	inv.Boxes = boxes
	if err := d.keepInvite(p, inv); err != nil {
		return control.Card{}, err
	}
	link := inv.Link()
	c.Invite = &link
	return c, nil
}

// selfAddrs is where this node may be reached: now if it serves, else as the last card said. One
// that never had an address has its PeerID: by that it is found on a LAN and in the DHT.
func (d *Desk) selfAddrs(p *person) []identity.PeerAddrs {
	if d.net != nil {
		if self := d.net.Self(); len(self.Addrs) > 0 {
			return []identity.PeerAddrs{self}
		}
	}
	if c := p.profile.Cards[p.device.ID()]; c != nil && len(c.Addrs) > 0 {
		return nodesOf(c.Boxes, c.Addrs)
	}
	return d.unaddressed()
}

// unaddressed is the node by its PeerID alone.
func (d *Desk) unaddressed() []identity.PeerAddrs {
	if d.peer == "" {
		return nil
	}
	return []identity.PeerAddrs{{PeerID: d.peer, Addrs: []string{}}}
}

func (d *Desk) keepInvite(p *person, inv identity.Invite) error {
	tag := inv.Tag()
	rows := []vault.Row{{
		Table: tableInvite, Key: string(tag[:]),
		Value: wire.MustMarshal(inviteRow{Invite: inv.Encode(), MadeMS: d.nowMS()}),
	}}
	n, oldest, oldestMS := 0, "", int64(0)
	err := p.vault.Each(tableInvite, func(key string, value []byte) error {
		var row inviteRow
		if wire.Unmarshal(value, &row) != nil {
			return nil //nolint:nilerr // a damaged row is passed over, the others count
		}
		n++
		if oldest == "" || row.MadeMS < oldestMS {
			oldest, oldestMS = key, row.MadeMS
		}
		return nil
	})
	if err != nil {
		return internal("read invites", err)
	}
	if n >= invitesKept {
		rows = append(rows, vault.Row{Table: tableInvite, Key: oldest, Delete: true})
	}
	if err := p.vault.Batch(rows); err != nil {
		return internal("keep invite", err)
	}
	return nil
}

// Join answers an invite's Join, from a stream or a file. The same Join gets the same answer; a
// second, different one is refused and raises an alarm (FORMATS §2.1).
func (d *Desk) Join(join []byte) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	accept, _, err := d.join(join, d.persons)
	return accept, err
}

var errNoInvite = errors.New("no such invite here")

// join answers a Join to an invite of one of the persons.
func (d *Desk) join(join []byte, persons []*person) ([]byte, identity.PersonID, error) {
	var none identity.PersonID
	tag := identity.JoinTag(join)
	for _, p := range persons {
		value, ok := p.vault.Get(tableInvite, string(tag[:]))
		if !ok {
			continue
		}
		var row inviteRow
		if err := wire.Unmarshal(value, &row); err != nil {
			return nil, none, err
		}
		inv, err := identity.DecodeInvite(row.Invite)
		if err != nil {
			return nil, none, err
		}
		prof, err := identity.OpenJoin(inv, join)
		if err != nil {
			return nil, none, err
		}
		id := identity.JoinID(join)
		if row.Joined == id {
			return row.Accept, prof.ID, nil
		}
		if row.Joined != [32]byte{} {
			d.log.Warn("ALARM: an invite that was used already was tried again by somebody else")
			d.publish(control.Event{Event: "contact", Kind: "alarm"})
			return nil, none, exchange.ErrRefused
		}
		if err := inv.Check(d.nowMS()); err != nil {
			return nil, none, err
		}
		accept, err := identity.Accept(inv, join, p.profile.Records())
		if err != nil {
			return nil, none, err
		}
		row.Joined, row.Accept = id, accept
		err = d.befriend(p, prof, nil, vault.Row{Table: tableInvite, Key: string(tag[:]), Value: wire.MustMarshal(row)})
		return accept, prof.ID, err
	}
	return nil, none, errNoInvite
}

// refreshed does what time asks of cards and listings. Call with mu.
func (d *Desk) refreshed() error {
	err := d.refreshCards()
	d.refreshListings()
	d.retime()
	return err
}

// befriend makes a contact of a profile whose invite was used, in one durable step with rows.
// Peers is where the invite said that they are.
func (d *Desk) befriend(p *person, prof *identity.Profile, peers []identity.PeerAddrs, rows ...vault.Row) error {
	row, known := d.contact(p, prof.ID)
	if !known || row.Trust == trustBlocked || row.Trust == trustUnverified {
		// An invite authenticates both ways, so it also ends a block (FORMATS §2.1, key change).
		row = contactRow{Trust: trustInvited, SinceMS: d.nowMS()}
	}
	if peers != nil {
		row.Peers = peers
	}
	return d.befriendAs(p, prof, row, rows...)
}

func (d *Desk) befriendAs(p *person, prof *identity.Profile, row contactRow, rows ...vault.Row) error {
	d.adopt(prof)
	key := string(prof.ID[:])
	rows = append(rows,
		vault.Row{Table: tableContact, Key: key, Value: wire.MustMarshal(row)},
		vault.Row{Table: tableProfile, Key: key, Value: wire.MustMarshal(d.profiles[prof.ID].Records())},
		vault.Row{Table: tablePending, Key: key, Delete: true})
	if err := p.vault.Batch(rows); err != nil {
		return internal("keep contact", err)
	}
	d.unstrange()
	d.tell(func(n Network) { n.Renew(); n.Wanted() })
	d.publish(control.Event{Event: "contact"})
	return nil
}

// ContactAdd adds a contact by link, Join file or Accept file (SCRIPTING, Invites).
func (d *Desk) ContactAdd(ctx context.Context, req control.ContactAddRequest) (control.Contact, error) {
	switch {
	case len(req.File) > 0:
		return d.addByFile(ctx, req)
	case req.Person != "":
		return d.addFound(ctx, req.Person)
	}
	inv, err := identity.ParseInvite(req.Link)
	if err != nil {
		return control.Contact{}, control.Errorf(control.Usage, "that is no invite link").
			WithHint("it begins with %s; the other person gets it from: curbside id", identity.LinkPrefix)
	}
	d.mu.Lock()
	p, err := d.acting(ctx)
	if err != nil {
		d.mu.Unlock()
		return control.Contact{}, err
	}
	if inv.Person == p.id {
		d.mu.Unlock()
		return control.Contact{}, control.Errorf(control.Refused, "that is your own invite").WithHint("give it to the other person")
	}
	if row, ok := d.contact(p, inv.Person); ok && row.Trust != trustBlocked {
		defer d.mu.Unlock()
		return d.contactRowOf(p, inv.Person), d.moved(p, inv, row)
	}
	if err := inv.Check(d.nowMS()); err != nil {
		d.mu.Unlock()
		return control.Contact{}, control.Errorf(control.Refused, "the invite has expired").WithHint("ask for a new one")
	}
	pending, err := d.keepPending(p, inv)
	net := d.net
	local := d.personOf(inv.Person)
	d.mu.Unlock()
	if err != nil {
		return control.Contact{}, err
	}
	if req.ToFile {
		return d.pendingContact(p, inv.Person, pending.Join, ""), nil
	}
	if local != nil {
		return d.joinLocal(p, inv, pending)
	}
	if net == nil {
		return d.pendingContact(p, inv.Person, nil, "no node is running: the contact is pending until one serves"), nil
	}
	if req.Timeout <= 0 {
		req.Timeout = joinTimeout
	}
	return d.joinNow(ctx, net, p, inv, pending.Join, req.Timeout)
}

// moved takes the newer addresses of somebody who is a contact already.
func (d *Desk) moved(p *person, inv identity.Invite, row contactRow) error {
	if err := inv.Check(d.nowMS()); err != nil || len(inv.Peers) == 0 {
		return nil //nolint:nilerr // an old link says nothing new of somebody who is a contact
	}
	row.Peers = nodesOf(inv.Boxes, inv.Peers)
	if err := d.setContact(p, inv.Person, row); err != nil {
		return err
	}
	d.tell(func(n Network) { n.Renew() })
	return nil
}

func (d *Desk) joinNow(ctx context.Context, net Network, p *person, inv identity.Invite, join []byte, timeout time.Duration) (control.Contact, error) {
	try, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	accept, err := net.Join(try, nodesOf(inv.Boxes, inv.Peers), join)
	switch {
	case errors.Is(err, exchange.ErrRefused):
		d.dropPending(p, inv.Person)
		return control.Contact{}, control.Errorf(control.Refused, "the invite was not accepted: it was used already, or replaced").
			WithHint("ask for a new one")
	case err != nil && d.mailPending(ctx, p, inv, join):
		return d.pendingContact(p, inv.Person, nil, "not reachable now: the contact is pending, and what makes it waits in their mailbox"), nil
	case err != nil:
		return d.pendingContact(p, inv.Person, nil, "not reachable now: the contact is pending, and is tried again while the node serves"), nil
	}
	return d.accepted(p, inv, join, accept)
}

func (d *Desk) joinLocal(p *person, inv identity.Invite, row pendingRow) (control.Contact, error) {
	accept, err := d.Join(row.Join)
	if err != nil {
		d.dropPending(p, inv.Person)
		return control.Contact{}, control.Errorf(control.Refused, "the invite was not accepted: it was used already, or replaced").WithHint("ask for a new one")
	}
	return d.accepted(p, inv, row.Join, accept)
}

func (d *Desk) accepted(p *person, inv identity.Invite, join, accept []byte) (control.Contact, error) {
	prof, err := identity.OpenAccept(inv, join, accept)
	if err != nil {
		return control.Contact{}, control.Errorf(control.Refused, "the answer to the invite does not verify").
			WithHint("ask for a new invite over another channel")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.befriend(p, prof, nodesOf(inv.Boxes, inv.Peers)); err != nil {
		return control.Contact{}, err
	}
	d.record(p, actionVerify, "invite", prof.ID[:])
	return d.contactRowOf(p, prof.ID), nil
}

func (d *Desk) keepPending(p *person, inv identity.Invite) (pendingRow, error) {
	key := string(inv.Person[:])
	var row pendingRow
	if value, ok := p.vault.Get(tablePending, key); ok && wire.Unmarshal(value, &row) == nil {
		if string(row.Invite) == string(inv.Encode()) {
			return row, nil // the same Join again, or the invite would seem used
		}
	}
	join, err := inv.Join(p.profile.Records())
	if err != nil {
		return row, internal("answer invite", err)
	}
	row = pendingRow{Invite: inv.Encode(), Join: join}
	if err := p.vault.Put(tablePending, key, wire.MustMarshal(row)); err != nil {
		return row, internal("keep pending contact", err)
	}
	d.publish(control.Event{Event: "contact"})
	return row, nil
}

func (d *Desk) dropPending(p *person, id identity.PersonID) {
	if err := p.vault.Delete(tablePending, string(id[:])); err != nil {
		d.log.Warn("pending contact not removed", slog.Any("error", err))
	}
}

func (d *Desk) pendingContact(p *person, id identity.PersonID, join []byte, warning string) control.Contact {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.contactRowOf(p, id)
	c.File, c.Warning = join, warning
	return c
}

// addByFile takes a Join (and answers with the Accept) or an Accept (and is done).
func (d *Desk) addByFile(ctx context.Context, req control.ContactAddRequest) (control.Contact, error) {
	d.mu.Lock()
	p, err := d.acting(ctx)
	if err != nil {
		d.mu.Unlock()
		return control.Contact{}, err
	}
	accept, id, err := d.join(req.File, []*person{p})
	if err == nil {
		defer d.mu.Unlock()
		c := d.contactRowOf(p, id)
		c.File = accept
		return c, nil
	}
	var inv identity.Invite
	var join []byte
	_ = p.vault.Each(tablePending, func(_ string, value []byte) error {
		var row pendingRow
		if wire.Unmarshal(value, &row) != nil {
			return nil //nolint:nilerr // a damaged row is passed over, the others count
		}
		i, decodeErr := identity.DecodeInvite(row.Invite)
		if decodeErr != nil {
			return nil //nolint:nilerr // a damaged row is passed over, the others count
		}
		if _, openErr := identity.OpenAccept(i, row.Join, req.File); openErr == nil {
			inv, join = i, row.Join
		}
		return nil
	})
	d.mu.Unlock()
	if join != nil {
		return d.accepted(p, inv, join, req.File)
	}
	if errors.Is(err, exchange.ErrRefused) || errors.Is(err, identity.ErrExpired) {
		return control.Contact{}, control.Errorf(control.Refused, "the invite of this file was used already or has expired").WithHint("make a new one with: curbside id")
	}
	return control.Contact{}, control.Errorf(control.Refused, "this file is no Join to an invite of yours, nor the Accept to a Join of yours").
		WithHint("a Join is made with: curbside contact add LINK --out FILE")
}

// retryPending tries the invites again that nobody answered yet, until they expire.
func (d *Desk) retryPending(ctx context.Context) {
	type try struct {
		p   *person
		inv identity.Invite
		row pendingRow
	}
	var tries []try
	d.mu.Lock()
	net := d.net
	for _, p := range d.persons {
		_ = p.vault.Each(tablePending, func(key string, value []byte) error {
			var row pendingRow
			if wire.Unmarshal(value, &row) != nil {
				return nil //nolint:nilerr // a damaged row is passed over, the others count
			}
			inv, err := identity.DecodeInvite(row.Invite)
			if err != nil || inv.Check(d.nowMS()) != nil {
				d.dropPending(p, identity.PersonID([]byte(key)))
				return nil //nolint:nilerr // a damaged row is passed over, the others count
			}
			tries = append(tries, try{p, inv, row})
			return nil
		})
	}
	d.mu.Unlock()
	if net == nil {
		return
	}
	for _, t := range tries {
		if _, err := d.joinNow(ctx, net, t.p, t.inv, t.row.Join, pendingTimeout); err != nil {
			d.log.InfoContext(ctx, "pending contact not made", slog.Any("error", err))
		}
	}
}

// refreshCards signs new cards where addresses, name or KEM key changed. Call with mu.
func (d *Desk) refreshCards() error {
	changed := false
	for _, p := range d.persons {
		if err := d.rotateKEM(p); err != nil {
			return internal("rotate key", err)
		}
		old := p.profile.Cards[p.device.ID()]
		boxes, at := d.boxes(p)
		next := identity.Card{
			IssuedMS: d.nowMS(), KEM: p.kems[0].Public(), Addrs: append(d.selfAddrs(p), at...), Boxes: boxes,
			Name: p.self.Name, Kind: p.self.Kind, Specialties: p.self.Specialties, Languages: d.ownLanguages(), Hours: d.ownHours(),
		}
		if old != nil && sameCard(old, &next) {
			continue
		}
		next.Number = p.vault.Body().CardNumber + 1
		signed, err := p.device.SignCard(next)
		if err != nil {
			return internal("sign card", err)
		}
		err = p.vault.Update(func(b *vault.Body) { b.CardNumber, b.Card = next.Number, signed })
		if err != nil {
			return internal("keep card", err)
		}
		if _, err := p.profile.AddCard(signed); err != nil {
			return internal("take own card", err)
		}
		changed = true
	}
	if changed {
		d.tell(func(n Network) { n.Renew() })
	}
	return nil
}

func sameCard(a, b *identity.Card) bool {
	x, y := *a, *b
	y.Version, y.Device, y.Number, y.IssuedMS = x.Version, x.Device, x.Number, x.IssuedMS
	return string(wire.MustMarshal(x)) == string(wire.MustMarshal(y))
}
