package desk

import (
	"context"

	"github.com/curbside-p2p/curbside/consult/deid"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// CaseAttach shares one more own study in a case (FIELD §4.3, 19 and 20): of the same patient as the
// studies that are there and not quarantined, unless a person typed that it is (F1).
func (d *Desk) CaseAttach(ctx context.Context, req control.CaseAttachRequest) (control.EntryRef, error) {
	var none control.EntryRef
	plan, err := hold(d, func() (*newCase, error) { return d.planAttach(ctx, req) })
	if err != nil {
		return none, err
	}
	h := plan.holdings[len(plan.holdings)-1]
	if plan.cast != nil {
		return d.attachCast(ctx, plan, req.Case)
	}
	if err := d.seal(ctx, plan.p, h); err != nil {
		return none, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return none, err
	}
	if err := d.recordBefore(p, actionGrant, "study", h.key.lineage[:]); err != nil {
		return none, err
	}
	ref, err := d.actOn(t, p, ledger.Grant, h.grant())
	if err != nil {
		return none, err
	}
	d.follow(t)
	ref.Warnings = plan.warnings
	return ref, nil
}

// attachCast shares a study under the pseudonyms of its case.
func (d *Desk) attachCast(ctx context.Context, plan *newCase, said string) (control.EntryRef, error) {
	var none control.EntryRef
	d.importing.Lock()
	defer d.importing.Unlock()
	h := plan.holdings[len(plan.holdings)-1]
	plan.holdings = []*holding{h}
	if err := d.castAll(ctx, plan, false); err != nil {
		return none, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, said)
	if err != nil {
		return none, err
	}
	if err := d.recordBefore(p, actionGrant, "study", h.key.lineage[:]); err != nil {
		return none, err
	}
	if err := d.keepShares(p, plan.shares, t.ledger.ID()); err != nil {
		return none, err
	}
	ref, err := d.actOn(t, p, ledger.Grant, plan.shares[0].grant())
	if err != nil {
		return none, err
	}
	d.follow(t)
	ref.Warnings = plan.warnings
	return ref, nil
}

func (d *Desk) planAttach(ctx context.Context, req control.CaseAttachRequest) (*newCase, error) {
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return nil, err
	}
	plan := &newCase{p: p}
	if plan.choices, plan.release, err = readChoices(req.Choices); err != nil {
		return nil, err
	}
	for _, g := range t.fold().Grants {
		if h := d.studyAs(p, g); h != nil && h.row != nil && !g.Quarantined {
			plan.holdings = append(plan.holdings, h)
			if s := d.shareFor(p, g.Lineage, g.Author); s != nil { // what comes later goes as what is there
				options, ok := deid.ProfileOptions(s.row.Link.Profile)
				if !ok {
					return nil, control.Errorf(control.Refused, "the profile of this case is not known to this version")
				}
				plan.profile, plan.cast = s.row.Link.Profile, &deid.Case{Key: s.row.Link.Key, Options: options}
			}
		}
	}
	there := len(plan.holdings)
	if err := d.attach(plan, []string{req.Study}); err != nil {
		return nil, err
	}
	if len(plan.holdings) == there {
		return nil, control.Errorf(control.Refused, "the study is in this case already")
	}
	return plan, plan.onePatient(req.OtherPatient)
}
