package desk

import (
	"context"

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

func (d *Desk) planAttach(ctx context.Context, req control.CaseAttachRequest) (*newCase, error) {
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return nil, err
	}
	plan := &newCase{p: p}
	for _, g := range t.fold().Grants {
		if h := d.studyAs(p, g); h != nil && h.row != nil && !g.Quarantined {
			plan.holdings = append(plan.holdings, h)
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
