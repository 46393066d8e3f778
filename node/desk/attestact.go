package desk

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/storage/vault"
)

const (
	attestDays   = 365
	revListDays  = 30 // until a list must be signed again; then it "could not be checked since"
	attestMaxDay = 10 * 365
)

// roots makes the root of the acting person from their words, uses it and forgets it.
func (d *Desk) root(p *person, words string) (*identity.Root, error) {
	if strings.TrimSpace(words) == "" {
		return nil, control.Errorf(control.Refused, "vouching wants your 24 words: the root signs, and it is not in the vault").
			WithHint("give them at the prompt, or with --words-file FILE")
	}
	root, err := identity.RootFromWords(strings.Fields(words))
	if err != nil {
		return nil, control.Errorf(control.Refused, "%v", err).WithHint("they were shown once, by curbside init")
	}
	if root.ID() != p.id {
		return nil, control.Errorf(control.Refused, "these are the words of somebody else").WithHint("say who acts with --as PERSON")
	}
	return root, nil
}

// AttestIssue has the acting person vouch for somebody.
func (d *Desk) AttestIssue(ctx context.Context, req control.AttestRequest) (control.Attestation, error) {
	var none control.Attestation
	role := uint64(0)
	for r, name := range roleNames {
		if name == req.Role {
			role = r
		}
	}
	if role == 0 {
		return none, control.Errorf(control.Usage, "role is clinician, technologist, coordinator, clinic or trainee")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p, id, err := d.actingOn(ctx, req.Contact)
	if err != nil {
		return none, err
	}
	switch trust := d.trustOf(p, id); {
	case trust == trustPending:
		return none, control.Errorf(control.Refused, "this contact is pending: its keys are not known yet")
	case trust == trustBlocked:
		return none, control.Errorf(control.Refused, "this contact is blocked").WithHint("verify it again before you vouch for it: curbside contact verify")
	case rankOfTrust(trust) < rankOfTrust(trustInvited):
		return none, control.Errorf(control.Refused, "this contact is %s to you: who vouches must be sure", trust).
			WithHint("compare words or number first: curbside contact verify P --live")
	}
	root, err := d.root(p, req.Words)
	if err != nil {
		return none, err
	}
	now := d.nowMS()
	until := now + attestDays*dayMS
	if req.Until != nil {
		until = req.Until.UnixMilli()
	}
	if until <= now || until > now+attestMaxDay*dayMS {
		return none, control.Errorf(control.Usage, "until must lie ahead, and not more than ten years")
	}
	claims := identity.Claims{
		Name: cmp.Or(d.memberName(id), id.String()[:shortID]), Role: role, LicenceAuthority: req.Authority, LicenceNumber: req.Licence,
		Specialties: req.Specialties, Organisation: req.Organisation,
	}
	serial := uint64(1)
	for _, list := range d.vouches.of {
		for _, v := range list {
			if v.Issuer == p.id {
				serial = max(serial, v.Serial+1)
			}
		}
	}
	b, err := root.Attest(id, serial, now, now, until, claims)
	if err != nil {
		return none, control.Errorf(control.Usage, "this cannot be attested: %v", err)
	}
	// What was withdrawn must be known with it, so a fresh list goes along.
	if err := d.signed(p, root, [][]byte{b}, nil); err != nil {
		return none, err
	}
	d.record(p, actionRole, "attestation", id[:])
	for _, v := range d.vouches.of[id] {
		if v.Issuer == p.id && v.Serial == serial {
			return d.attestation(v), nil
		}
	}
	return none, control.Errorf(control.Internal, "the attestation was not kept")
}

// AttestRevoke takes an attestation back; serial 0 only signs a fresh list.
func (d *Desk) AttestRevoke(ctx context.Context, req control.AttestRevokeRequest) (control.Attestation, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var none control.Attestation
	p, err := d.acting(ctx)
	if err != nil {
		return none, err
	}
	var v *vouch
	for _, list := range d.vouches.of {
		for _, o := range list {
			if o.Issuer == p.id && o.Serial == req.Serial {
				v = o
			}
		}
	}
	if v == nil && req.Serial != 0 {
		return none, control.Errorf(control.NotFound, "you have issued no attestation %d", req.Serial).WithHint("list them with: curbside attest list")
	}
	root, err := d.root(p, req.Words)
	if err != nil {
		return none, err
	}
	var revoke []identity.Revoked
	if v != nil {
		revoke = []identity.Revoked{{Serial: v.Serial, WhenMS: d.nowMS(), Reason: 1}}
	}
	if err := d.signed(p, root, nil, revoke); err != nil {
		return none, err
	}
	if v == nil {
		return none, nil
	}
	d.record(p, actionRole, "attestation", v.Subject[:])
	return d.attestation(v), nil
}

// signed signs a new list, with what is revoked now, and takes it and the records in: durable
// before anybody hears of it.
func (d *Desk) signed(p *person, root *identity.Root, records [][]byte, revoke []identity.Revoked) error {
	number, revoked := uint64(1), revoke
	if is := d.vouches.issuers[p.id]; is != nil && is.list != nil {
		number = is.list.Number + 1
		for _, r := range is.list.Revoked {
			if !slices.ContainsFunc(revoke, func(n identity.Revoked) bool { return n.Serial == r.Serial }) {
				revoked = append(revoked, r)
			}
		}
	}
	slices.SortFunc(revoked, func(a, b identity.Revoked) int { return cmp.Compare(a.Serial, b.Serial) })
	now := d.nowMS()
	list, err := root.RevList(number, now, now+revListDays*dayMS, revoked)
	if err != nil {
		return internal("sign revocation list", err)
	}
	var parsed []identity.Record
	for _, b := range append(records, list) {
		r, err := identity.ParseRecord(b)
		if err != nil {
			return internal("read own record", err)
		}
		parsed = append(parsed, r)
	}
	d.takeVouches(parsed, func(identity.PersonID) bool { return true })
	if err := d.saveVouches(); err != nil {
		return err
	}
	d.reattested()
	return nil
}

// AttestList lists what the acting person attested, and what was attested of them.
func (d *Desk) AttestList(ctx context.Context, _ control.None) ([]control.Attestation, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	out := []control.Attestation{}
	for subject, list := range d.vouches.of {
		for _, v := range list {
			if v.Issuer == p.id || subject == p.id {
				out = append(out, d.attestation(v))
			}
		}
	}
	slices.SortFunc(out, func(a, b control.Attestation) int {
		return cmp.Or(cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.Serial, b.Serial))
	})
	return out, nil
}

func (d *Desk) attestation(v *vouch) control.Attestation {
	a := control.Attestation{
		Serial: v.Serial, Person: v.Subject.String(), Name: text.Line(v.Claims.Name),
		Issuer: v.Issuer.String(), IssuerName: d.memberName(v.Issuer), Role: roleName(v.Claims.Role), Specialties: []string{},
		From: instant(v.FromMS), Until: instant(v.UntilMS),
	}
	for _, s := range v.Claims.Specialties {
		a.Specialties = append(a.Specialties, text.Line(s))
	}
	s := d.standing(v)
	a.Standing, a.Revoked = s.String(), s == identity.Withdrawn
	return a
}

// ContactPin pins an issuer, or takes the pin away: whether their word counts here.
func (d *Desk) ContactPin(ctx context.Context, req control.PinRequest) (control.Contact, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, id, err := d.actingOn(ctx, req.Contact)
	if err != nil {
		return control.Contact{}, err
	}
	row, ok := d.contact(p, id)
	if !ok || req.Pinned && row.Trust != trustVerified {
		return control.Contact{}, control.Errorf(control.Refused, "only a verified contact can be pinned: its word would count as yours").
			WithHint("verify it first: curbside contact verify P --live")
	}
	err = p.vault.Update(func(b *vault.Body) {
		b.Pinned = slices.DeleteFunc(b.Pinned, func(o [32]byte) bool { return o == [32]byte(id) })
		if req.Pinned {
			b.Pinned = append(b.Pinned, id)
		}
	})
	if err != nil {
		return control.Contact{}, internal("keep pin", err)
	}
	row.Unpinned = !req.Pinned
	if err := d.setContact(p, id, row); err != nil {
		return control.Contact{}, err
	}
	d.record(p, actionSettings, "issuer", id[:])
	d.reattested()
	return d.contactRowOf(p, id), nil
}
