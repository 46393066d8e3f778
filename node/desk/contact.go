package desk

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Tables of the vault's rows.
const (
	tableContact = "contact" // PersonID -> contactRow
	tableProfile = "profile" // PersonID -> [record]
	tableInvite  = "invite"  // invite tag -> inviteRow
	tablePending = "pending" // PersonID -> pendingRow
	tableStudy   = "study"   // lineage -> studyRow
	tableRemoved = "removed" // lineage of an own study that was removed -> nothing
	tableEpoch   = "epoch"   // ThreadID || EpochID -> secret
	tableCase    = "case"    // ThreadID -> caseRow
	tableDraft   = "draft"   // ThreadID -> draftRow
)

// Trust levels, FORMATS §2.1, in rising order. Blocked is apart.
const (
	trustPending    = "pending" // keys not known yet
	trustUnverified = "unverified"
	trustInvited    = "invited"
	trustVouched    = "vouched"
	trustVerified   = "verified"
	trustBlocked    = "blocked"
)

var trustOrder = []string{trustBlocked, trustPending, trustUnverified, trustInvited, trustVouched, trustVerified}

// contactRow is what one person here believes about another.
type contactRow struct {
	Trust      string `cbor:"1,keyasint"`
	How        string `cbor:"2,keyasint,omitempty"` // how it was verified
	SinceMS    int64  `cbor:"3,keyasint,omitempty"`
	BlockedWhy string `cbor:"4,keyasint,omitempty"`
	// Peers are where the invite said they are: their card may have been signed before they had an address.
	Peers []identity.PeerAddrs `cbor:"5,keyasint,omitempty"`
	// Unpinned: a verified clinic whose word is not to count.
	Unpinned bool `cbor:"6,keyasint,omitempty"`
}

// loadContacts reads the profiles of a person's contacts and of the members of their cases.
func (d *Desk) loadContacts(p *person) error {
	return p.vault.Each(tableProfile, func(key string, value []byte) error {
		var records [][]byte
		if err := wire.Unmarshal(value, &records); err != nil {
			d.log.Warn("a contact's records are damaged", slog.String("person", p.id.String()))
			return nil //nolint:nilerr // a damaged row is passed over, the others count
		}
		prof, err := identity.LoadProfile(records)
		if err != nil {
			d.log.Warn("a contact's records do not verify", slog.String("person", p.id.String()))
			return nil //nolint:nilerr // a damaged row is passed over, the others count
		}
		d.adopt(prof)
		return nil
	})
}

// adopt makes a profile the known one of its person, or adds what it brings to it. It reports
// whether anything changed.
func (d *Desk) adopt(prof *identity.Profile) bool {
	known := d.profiles[prof.ID]
	changed := known == nil
	if known == nil {
		d.profiles[prof.ID] = prof
		known = prof
	} else {
		for _, r := range prof.Records() {
			if c, err := known.Add(r); err == nil && c {
				changed = true
			}
		}
	}
	for dev := range known.Devices {
		d.devices[dev] = known.ID
	}
	return changed
}

// saveProfile keeps a profile in the vaults of those whose contact or fellow member it is.
func (d *Desk) saveProfile(id identity.PersonID) error {
	prof := d.profiles[id]
	value := wire.MustMarshal(prof.Records())
	for _, p := range d.persons {
		if _, ok := d.contact(p, id); !ok && !d.fellow(p.id, id) {
			continue
		}
		if err := p.vault.Put(tableProfile, string(id[:]), value); err != nil {
			return internal("keep contact", err)
		}
	}
	return nil
}

// fellow reports whether two persons are members of one case here.
func (d *Desk) fellow(a, b identity.PersonID) bool {
	for _, t := range d.threads {
		m := t.ledger.Members()
		if m.Ranks[a] > ledger.RankNone && m.Ranks[b] > ledger.RankNone {
			return true
		}
	}
	return false
}

func (d *Desk) contact(p *person, id identity.PersonID) (contactRow, bool) {
	var row contactRow
	value, ok := p.vault.Get(tableContact, string(id[:]))
	if !ok || wire.Unmarshal(value, &row) != nil {
		return row, false
	}
	if prof := d.profiles[id]; prof != nil && prof.Fork != nil {
		row.Trust = trustBlocked // FORMATS §2.1: a chain that forks
	}
	return row, true
}

func (d *Desk) setContact(p *person, id identity.PersonID, row contactRow) error {
	if err := p.vault.Put(tableContact, string(id[:]), wire.MustMarshal(row)); err != nil {
		return internal("keep contact", err)
	}
	d.publish(control.Event{Event: "contact"})
	return nil
}

// trustOf says what a person here believes about another, member or contact.
func (d *Desk) trustOf(p *person, id identity.PersonID) string {
	if d.personOf(id) != nil {
		return trustVerified // the keys are on this node
	}
	vouched := func(trust string) string {
		if (trust == trustUnverified || trust == trustInvited) && d.isVouched(p, id) {
			return trustVouched
		}
		return trust
	}
	if row, ok := d.contact(p, id); ok {
		return vouched(row.Trust)
	}
	if _, ok := p.vault.Get(tablePending, string(id[:])); ok {
		return trustPending
	}
	return vouched(trustUnverified)
}

// trustMin is the least trust that sending takes: invited, or what the setting asks for.
func (d *Desk) trustMin() string {
	if t := d.setting("trust"); slices.Contains(trustOrder, t) && t > "" && rankOfTrust(t) > rankOfTrust(trustInvited) {
		return t
	}
	return trustInvited
}

func rankOfTrust(t string) int { return slices.Index(trustOrder, t) }

// findContact finds a contact or pending one of p by id, prefix or unique name.
func (d *Desk) findContact(p *person, said string) (identity.PersonID, error) {
	var found []identity.PersonID
	see := func(key string, _ []byte) error {
		id := identity.PersonID([]byte(key))
		if (idMatches(id.String(), said) || d.nameOf(id) == said) && !slices.Contains(found, id) {
			found = append(found, id)
		}
		return nil
	}
	for _, table := range []string{tableContact, tablePending} {
		if err := p.vault.Each(table, see); err != nil {
			return identity.PersonID{}, internal("read contacts", err)
		}
	}
	for _, o := range d.persons { // colleagues on the same node need no invite
		if o != p && (idMatches(o.id.String(), said) || o.self.Name == said) && !slices.Contains(found, o.id) {
			found = append(found, o.id)
		}
	}
	switch len(found) {
	case 0:
		return identity.PersonID{}, control.Errorf(control.NotFound, "no such contact").
			WithHint("list them with: curbside contact list; add one with: curbside contact add LINK")
	case 1:
		return found[0], nil
	}
	return identity.PersonID{}, control.Errorf(control.Refused, "several contacts are named so").WithHint("use the person id from: curbside contact list")
}

// cardOf is the newest card of a person, nil if none is known.
func (d *Desk) cardOf(id identity.PersonID) *identity.Card {
	prof := d.profiles[id]
	if o := d.personOf(id); o != nil {
		prof = o.profile
	}
	if prof == nil {
		return nil
	}
	var best *identity.Card
	for dev, c := range prof.Cards {
		if cert := prof.Devices[dev]; cert == nil || cert.Revoked != 0 {
			continue
		}
		if best == nil || c.IssuedMS > best.IssuedMS {
			best = c
		}
	}
	return best
}

// nameOf is the name a person gives themselves, made showable.
func (d *Desk) nameOf(id identity.PersonID) string {
	if c := d.cardOf(id); c != nil {
		return text.Line(c.Name)
	}
	return ""
}

func (d *Desk) contactRowOf(p *person, id identity.PersonID) control.Contact {
	c := control.Contact{
		Person: id.String(), Kind: "clinician", Specialties: []string{}, Attestations: d.vouchLines(p, d.vouches.of[id]), Pinned: d.pinned(p, id),
		Trust: d.trustOf(p, id), Online: d.isOnline(id), SafetyNumber: identity.SafetyNumber(id),
	}
	if card := d.cardOf(id); card != nil {
		c.Name = text.Line(card.Name)
		if card.Kind == identity.RoleClinic {
			c.Kind = "clinic"
		}
		for _, s := range card.Specialties {
			c.Specialties = append(c.Specialties, text.Line(s))
		}
	}
	c.Hours, c.Accepting, c.OpensAt = d.availability(d.hoursOf(id))
	if row, ok := d.contact(p, id); ok && row.Trust == trustVerified {
		c.Verified = true
		c.VerifiedHow = &row.How
	}
	return c
}

func (d *Desk) isOnline(id identity.PersonID) bool {
	if d.personOf(id) != nil {
		return d.net != nil
	}
	for _, o := range d.online {
		for _, dev := range o.devices {
			if o.sessions > 0 && d.devices[dev] == id {
				return true
			}
		}
	}
	return false
}

// ContactList lists contacts and those that are pending.
func (d *Desk) ContactList(ctx context.Context, _ control.None) ([]control.Contact, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	out := []control.Contact{}
	seen := map[string]bool{}
	list := func(key string, _ []byte) error {
		if !seen[key] {
			seen[key] = true
			out = append(out, d.contactRowOf(p, identity.PersonID([]byte(key))))
		}
		return nil
	}
	for _, table := range []string{tableContact, tablePending} {
		if err := p.vault.Each(table, list); err != nil {
			return nil, internal("read contacts", err)
		}
	}
	slices.SortFunc(out, func(a, b control.Contact) int {
		return strings.Compare(a.Name+"\x00"+a.Person, b.Name+"\x00"+b.Person)
	})
	return out, nil
}

// ContactShow shows one contact.
func (d *Desk) ContactShow(ctx context.Context, req control.ContactRequest) (control.Contact, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, id, err := d.actingOn(ctx, req.Contact)
	if err != nil {
		return control.Contact{}, err
	}
	return d.contactRowOf(p, id), nil
}

func (d *Desk) actingOn(ctx context.Context, contact string) (*person, identity.PersonID, error) {
	p, err := d.acting(ctx)
	if err != nil {
		return nil, identity.PersonID{}, err
	}
	id, err := d.findContact(p, contact)
	return p, id, err
}

// ContactVerify compares what was read on the telephone with what is known.
func (d *Desk) ContactVerify(ctx context.Context, req control.ContactVerifyRequest) (control.Contact, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, id, err := d.actingOn(ctx, req.Contact)
	if err != nil {
		return control.Contact{}, err
	}
	row, ok := d.contact(p, id)
	if !ok {
		return control.Contact{}, control.Errorf(control.Refused, "the contact's keys are not known yet").
			WithHint("both nodes must meet once, or exchange Join and Accept files")
	}
	var same bool
	switch {
	case req.Number != "":
		same, row.How = identity.MatchesNumber(p.id, id, req.Number), "number"
	case req.Words != "":
		same, row.How = identity.MatchesWords(id, req.Words), "words"
	default:
		return control.Contact{}, control.Errorf(control.Usage, "give what the other person read out: --number or --words")
	}
	if !same {
		row.Trust, row.How, row.BlockedWhy = trustBlocked, "", "what was read out differs"
		if err := d.setContact(p, id, row); err != nil {
			return control.Contact{}, err
		}
		return control.Contact{}, control.Errorf(control.Refused, "they differ: this contact is blocked now").
			WithHint("somebody may be in between; add the contact again by an invite, or verify again once both read the same")
	}
	row.Trust, row.BlockedWhy, row.SinceMS = trustVerified, "", d.nowMS()
	if prof := d.profiles[id]; prof != nil && prof.Fork != nil {
		return control.Contact{}, control.Errorf(control.Refused, "this contact's keys contradict themselves").
			WithHint("they need a new identity; remove the contact and add the new one")
	}
	if err := d.setContact(p, id, row); err != nil {
		return control.Contact{}, err
	}
	d.record(p, actionVerify, "person", id[:])
	d.reattested() // a clinic's word counts from now on, and a case that waited begins to fetch
	return d.contactRowOf(p, id), nil
}

// ContactRemove forgets a contact. Cases with that person stay.
func (d *Desk) ContactRemove(ctx context.Context, req control.ContactRequest) (control.Contact, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, id, err := d.actingOn(ctx, req.Contact)
	if err != nil {
		return control.Contact{}, err
	}
	was := d.contactRowOf(p, id)
	for _, table := range []string{tableContact, tablePending} {
		if err := p.vault.Delete(table, string(id[:])); err != nil {
			return control.Contact{}, internal("remove contact", err)
		}
	}
	d.tell(func(n Network) { n.Renew() })
	d.publish(control.Event{Event: "contact"})
	return was, nil
}
