package ledger

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// check decides whether an entry whose references are all admitted is admitted
// (FORMATS §4). The verdict rests on the entry and its past alone, so it is the
// same on every replica and never changes. It sets past and person.
func (t *Thread) check(p *parsed) error {
	if err := t.checkRefs(&p.Entry); err != nil {
		return err
	}
	p.past = t.pastOf(&p.Entry)
	if p.Chain == Content {
		return t.checkContent(p)
	}
	return t.checkControl(p)
}

func (t *Thread) checkRefs(e *Entry) error {
	if e.Kind == Create && ThreadID(e.ID) != t.id {
		return ErrThread
	}
	if e.Prev != nil {
		prev := t.entries[*e.Prev]
		if prev.Device != e.Device || prev.Chain != e.Chain || prev.Seq+1 != e.Seq {
			return ErrPrev
		}
	}
	for _, id := range e.Parents {
		if t.entries[id].Chain != e.Chain {
			return ErrParent
		}
	}
	for _, id := range e.Auth {
		if t.entries[id].Chain != Control {
			return ErrAuth
		}
	}
	if e.Lamport != t.lamportAfter(e) {
		return ErrLamport
	}
	return nil
}

// lamportAfter is 1 + the highest lamport that an entry rests on.
func (t *Thread) lamportAfter(e *Entry) uint64 {
	var top uint64
	for id := range e.refs {
		top = max(top, t.entries[id].Lamport)
	}
	return top + 1
}

// pastOf returns the control entries in an entry's past: what a control entry
// reaches; of a content entry, its auth heads and their past.
func (t *Thread) pastOf(e *Entry) set {
	from := e.Auth
	if e.Chain == Control {
		from = controlHeads(e)
	} else if e.Prev != nil && slices.Equal(t.entries[*e.Prev].Auth, e.Auth) {
		return t.entries[*e.Prev].past // shared; a set is not changed once it is here
	}
	var s set
	for _, id := range from {
		head := t.entries[id]
		s = s.join(head.past).add(head.place)
	}
	return s
}

// checkContent: auth heads must not go back, the author was a member with the
// rank and from a device that counted, and the epoch is of that device set (R4).
func (t *Thread) checkContent(p *parsed) error {
	back := func(id EntryID) bool { return !t.entries[id].past.within(p.past) }
	if !t.g.rules.noAuthBack && (p.Prev != nil && back(*p.Prev) || slices.ContainsFunc(p.Parents, back)) {
		return ErrAuthBack
	}
	if err := t.checkAuthor(p); err != nil {
		return err
	}
	v := t.g.view(p.past)
	if !v.authorized(p.post()) {
		return ErrUnauthorized
	}
	if !t.epochFits(p.Epoch, p.past, v) {
		return ErrEpoch
	}
	return nil
}

// post is what the rules see of a content entry.
func (e *Entry) post() post {
	return post{author: owner{e.Device, e.Person}, need: RankNeeded(e.Kind), past: e.past}
}

// epochFits is R4: the epoch is in the past, and for exactly the device set.
func (t *Thread) epochFits(id EpochID, past set, v *view) bool {
	s := t.epochs[id]
	if s == nil || !s.within(past) {
		return false
	}
	return t.g.rules.anyEpoch || s.body.hdr.lists(v.list)
}

// checkAuthor verifies the signatures of a device introduced in the entry's
// past, or by the entry itself where it may.
func (t *Thread) checkAuthor(p *parsed) error {
	cert := t.certIn(p.Device, p.past)
	for _, c := range p.certs {
		if cert == nil && c.ID == p.Device {
			cert = c
		}
	}
	if cert == nil {
		return ErrDevice
	}
	p.Person = cert.Person
	return cert.Verify(labelEntry, p.header, p.sigs, algs(p.Kind)...)
}

// certIn returns the certificate of a device introduced in a past, else nil.
func (t *Thread) certIn(d identity.DeviceID, past set) *identity.DeviceCert {
	if k := t.devices[d]; k != nil && k.by.meets(past) {
		return k.cert
	}
	return nil
}

// personIn returns the record of a person introduced in a past.
func (t *Thread) personIn(p identity.PersonID, past set) (identity.Person, error) {
	if k := t.persons[p]; k != nil && k.by.meets(past) {
		return k.record, nil
	}
	return identity.Person{}, ErrPerson
}

func (t *Thread) checkControl(p *parsed) error {
	if p.Kind == Create {
		return t.checkCreate(p)
	}
	if p.Kind == Device { // may introduce its own author
		if err := t.verifyCerts(p, p.control.device.Certs, nil); err != nil {
			return err
		}
	}
	if err := t.checkAuthor(p); err != nil {
		return err
	}
	v := t.g.view(p.past)
	a := p.act(t)
	if t.g.void(v, &a, -1) {
		return ErrUnauthorized
	}
	switch p.Kind {
	case Role:
		return t.checkRole(p, v, &a)
	case Device:
		return t.checkDevice(p, v)
	case Revoke:
		return t.checkRevoke(p, v)
	case Epoch:
		return t.checkEpoch(p, v)
	case Admit:
		return needRank(v, p, RankAdmin)
	case Fork:
		return t.checkFork(p, v)
	default:
		return ErrKind
	}
}

func needRank(v *view, p *parsed, rank Rank) error {
	if v.ranks[p.Person] < rank {
		return ErrUnauthorized
	}
	return nil
}

// checkCreate: the author is a device of the first founder.
func (t *Thread) checkCreate(p *parsed) error {
	b := p.control.create
	record := func(id identity.PersonID) (identity.Person, error) {
		for _, f := range b.Founders {
			if f.ID() == id {
				return f, nil
			}
		}
		return identity.Person{}, ErrPerson
	}
	if err := t.verifyCerts(p, b.Certs, record); err != nil {
		return err
	}
	if len(p.certs) > DevicesMax {
		return ErrTooMany
	}
	if err := t.checkAuthor(p); err != nil {
		return err
	}
	if p.Person != b.Founders[0].ID() {
		return ErrUnauthorized
	}
	return nil
}

// verifyCerts checks certificates under the roots of their persons, whom
// record finds; nil looks in the entry's past.
func (t *Thread) verifyCerts(p *parsed, raw []wire.Raw, record func(identity.PersonID) (identity.Person, error)) error {
	if record == nil {
		record = func(id identity.PersonID) (identity.Person, error) { return t.personIn(id, p.past) }
	}
	p.certs = nil
	for _, b := range raw {
		r, err := identity.ParseRecord(b)
		if err != nil {
			return wrapped("certificate", err)
		}
		if r.Statement == nil || r.Statement.Cert == nil {
			return wrapped("certificate", identity.ErrRecord)
		}
		person, err := record(r.Statement.Person)
		if err != nil {
			return err
		}
		c, err := t.verifyCert(person, b)
		if err != nil {
			return err
		}
		p.certs = append(p.certs, c)
	}
	return nil
}

// verifyCert remembers what it verified: certificates recur, and ML-DSA is slow.
func (t *Thread) verifyCert(person identity.Person, b []byte) (*identity.DeviceCert, error) {
	id := identity.RecordID(b)
	if c := t.verified[id]; c != nil && c.Person == person.ID() {
		return c, nil
	}
	c, err := identity.VerifyCert(person, b)
	if err != nil {
		return nil, err
	}
	if len(t.verified) >= RefusedMax {
		clear(t.verified)
	}
	t.verified[id] = c
	return c, nil
}

func (t *Thread) checkRole(p *parsed, v *view, a *act) error {
	b := p.control.role
	st := func(id identity.PersonID) Rank { return v.ranks[id] }
	founder := v.founders[p.Person]
	if founder && !t.g.founderMay(v, a) || !founder && !t.g.mayOther(a, st) {
		return ErrUnauthorized
	}
	record := func(id identity.PersonID) (identity.Person, error) {
		if id != b.Person {
			return identity.Person{}, identity.ErrWrongPerson
		}
		if b.Record != nil {
			return *b.Record, nil
		}
		return t.personIn(id, p.past)
	}
	if _, err := record(b.Person); err != nil {
		return err
	}
	if err := t.verifyCerts(p, b.Certs, record); err != nil {
		return err
	}
	if b.Rank > RankNone && v.ranks[b.Person] == RankNone {
		return t.checkRoom(p, v, b.Person)
	}
	return t.checkRoom(p, v, identity.PersonID{})
}

// checkRoom keeps a thread within the limits of persons and devices, as far as
// the past tells; joins is the person who becomes a member.
func (t *Thread) checkRoom(p *parsed, v *view, joins identity.PersonID) error {
	if joins != (identity.PersonID{}) && len(v.ranks) >= PersonsMax {
		return wrapped("persons", ErrTooMany)
	}
	fresh := map[identity.DeviceID]bool{}
	take := func(o owner) {
		_, isCut := v.cuts[o]
		_, in := v.devices[o.device]
		if !isCut && !in && (o.person == joins || v.ranks[o.person] > RankNone) {
			fresh[o.device] = true
		}
	}
	for _, c := range p.certs {
		take(owner{c.ID, c.Person})
	}
	for id, k := range t.devices {
		if k.cert.Person == joins && k.by.meets(p.past) {
			take(owner{id, joins})
		}
	}
	if len(fresh) > 0 && len(v.devices)+len(fresh) > DevicesMax {
		return wrapped("devices", ErrTooMany)
	}
	return nil
}

// checkDevice: devices of members, by any member. Who introduces their own
// device is a member of that past, too.
func (t *Thread) checkDevice(p *parsed, v *view) error {
	if err := needRank(v, p, RankReader); err != nil {
		return err
	}
	for _, c := range p.certs {
		if v.ranks[c.Person] == RankNone {
			return ErrUnauthorized
		}
	}
	return t.checkRoom(p, v, identity.PersonID{})
}

// checkRevoke: carried by any member; the authority is the root's signature.
// Whether the device is that person's own is seen when cuts are taken, for it
// may be introduced elsewhere.
func (t *Thread) checkRevoke(p *parsed, v *view) error {
	if err := needRank(v, p, RankReader); err != nil {
		return err
	}
	b := p.control.revoke
	r, err := identity.ParseRecord(b.Cut)
	if err != nil {
		return err
	}
	if r.Cut == nil {
		return identity.ErrRecord
	}
	person, err := t.personIn(r.Cut.Person, p.past)
	if err != nil {
		return err
	}
	c, err := identity.VerifyCut(person, b.Cut)
	if err != nil {
		return err
	}
	if ThreadID(c.Thread) != t.id {
		return ErrThread
	}
	rv, err := identity.VerifyRevoke(person, b.Revoke)
	if err != nil {
		return err
	}
	if rv.Device != c.Device {
		return ErrField
	}
	p.cut = &cut{DeviceCut: c, record: identity.RecordID(b.Cut)}
	return nil
}

// checkEpoch is R1: a writer, and exactly the device set.
func (t *Thread) checkEpoch(p *parsed, v *view) error {
	if err := needRank(v, p, RankWriter); err != nil {
		return err
	}
	h := &p.control.epoch.hdr
	for _, id := range h.Parents {
		s := t.epochs[id]
		if s == nil || !s.within(p.past) {
			return ErrEpochParents
		}
	}
	if !t.g.rules.oldDevices && !h.lists(v.list) {
		return ErrEpochDevices
	}
	return nil
}

func (t *Thread) checkFork(p *parsed, v *view) error {
	if err := needRank(v, p, RankReader); err != nil {
		return err
	}
	for _, s := range []SignedHeader{p.control.fork.A, p.control.fork.B} {
		h, err := parseHeader(s.Header)
		if err != nil {
			return err
		}
		cert := t.certIn(h.Device, p.past)
		if cert == nil {
			return ErrDevice
		}
		if err := cert.Verify(labelEntry, s.Header, s.Sigs, algs(h.Kind)...); err != nil {
			return err
		}
	}
	return nil
}

// act is what the rules know of a control entry; certs and cut must have been
// verified where the result goes into the graph.
func (p *parsed) act(t *Thread) act {
	a := act{id: p.ID, author: owner{p.Device, p.Person}, seq: p.Seq, prev: -1, kind: p.Kind, past: p.past, cut: p.cut}
	if p.Prev != nil {
		a.prev = t.entries[*p.Prev].place
	}
	switch c := p.control; {
	case c.create != nil:
		for _, f := range c.create.Founders {
			a.founders = append(a.founders, f.ID())
		}
	case c.role != nil:
		a.target, a.rank, a.cuts = c.role.Person, c.role.Rank, c.role.Cut
	case c.admit != nil:
		a.cuts = []ContentCut{{Device: c.admit.Device, Seq: c.admit.Seq, Entry: c.admit.Entry}}
	}
	for _, cert := range p.certs {
		a.intro = append(a.intro, owner{cert.ID, cert.Person})
	}
	return a
}
