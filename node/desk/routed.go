package desk

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// tableRouted keeps the requests that rules drafted: lineage -> routedRow. A row stays when its
// draft was discarded or sent, or a late image would draft it again; it goes with the study.
const tableRouted = "routed"

// routedRow is a drafted request. Nothing sends it but a person.
type routedRow struct {
	Format    uint64   `cbor:"1,keyasint"` // 1
	TimeMS    int64    `cbor:"2,keyasint"`
	To        []string `cbor:"3,keyasint"`
	Priority  string   `cbor:"4,keyasint,omitempty"`
	Question  string   `cbor:"5,keyasint"`
	Discarded bool     `cbor:"6,keyasint,omitempty"`
}

// routed is a draft and its study.
type routed struct {
	h   *holding
	row routedRow
}

func (r *routed) info() control.DraftedRequest {
	return control.DraftedRequest{
		Draft: r.h.id(), Study: r.h.id(), To: r.row.To, Priority: cmp.Or(r.row.Priority, "routine"), Question: r.row.Question, Time: instant(r.row.TimeMS),
	}
}

// routedOf gives the draft of an own study that was not discarded; it may have been sent.
func (d *Desk) routedOf(p *person, h *holding) *routed {
	value, ok := p.vault.Get(tableRouted, string(h.key.lineage[:]))
	out := &routed{h: h}
	if !ok || h.row == nil || h.key.owner != p.id || wire.Unmarshal(value, &out.row) != nil || out.row.Discarded {
		return nil
	}
	return out
}

// findRouted finds a draft by the id of its study.
func (d *Desk) findRouted(p *person, said string) (*routed, error) {
	var found []*routed
	for _, h := range d.studies.held {
		if idMatches(h.id(), said) {
			if r := d.routedOf(p, h); r != nil {
				found = append(found, r)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, control.Errorf(control.NotFound, "no such draft").WithHint("list them with: curbside request drafts")
	case 1:
		return found[0], nil
	}
	return nil, control.Errorf(control.Refused, "several drafts are named so").WithHint("use more of the id from: curbside request drafts")
}

// waiting refuses a draft whose study is in a case: it was sent, or somebody asked by themselves.
func (d *Desk) waiting(r *routed) error {
	for id := range d.casesWith(r.h) {
		return control.Errorf(control.Refused, "the study of this draft is in a case already").WithHint("see: curbside case show %s", id.String()[:shortID])
	}
	return nil
}

// useDraft fills in what a request does not say. The draft's study is always one of it.
func (d *Desk) useDraft(plan *newCase, req *control.NewCase) error {
	var err error
	if plan.routed, err = d.findRouted(plan.p, req.Draft); err != nil {
		return err
	}
	req.Studies = append([]string{plan.routed.h.id()}, req.Studies...)
	if len(req.To) == 0 {
		req.To = plan.routed.row.To
	}
	return nil
}

// RequestDrafts lists the drafts that wait for the acting person, the oldest first.
func (d *Desk) RequestDrafts(ctx context.Context, _ control.None) ([]control.DraftedRequest, error) {
	return hold(d, func() ([]control.DraftedRequest, error) {
		p, err := d.acting(ctx)
		if err != nil {
			return nil, err
		}
		out := []control.DraftedRequest{}
		for _, h := range d.studies.held {
			if r := d.routedOf(p, h); r != nil && d.waiting(r) == nil {
				out = append(out, r.info())
			}
		}
		slices.SortFunc(out, func(a, b control.DraftedRequest) int {
			return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Draft, b.Draft))
		})
		return out, nil
	})
}

// RequestDiscard drops a draft. Its study stays, and is not drafted again.
func (d *Desk) RequestDiscard(ctx context.Context, req control.DraftRequest) (control.DraftedRequest, error) {
	return hold(d, func() (control.DraftedRequest, error) {
		var none control.DraftedRequest
		p, err := d.acting(ctx)
		if err != nil {
			return none, err
		}
		r, err := d.findRouted(p, req.Draft)
		if err != nil {
			return none, err
		}
		if err := d.waiting(r); err != nil {
			return none, err
		}
		out := r.info()
		r.row = routedRow{Format: 1, TimeMS: r.row.TimeMS, Discarded: true}
		if err := p.vault.Batch([]vault.Row{r.h.routedRow(r.row)}); err != nil {
			return none, internal("discard draft", err)
		}
		d.publish(control.Event{Event: "study", Study: r.h.id(), Kind: noticeDiscarded})
		return out, nil
	})
}

func (h *holding) routedRow(row routedRow) vault.Row {
	return vault.Row{Table: tableRouted, Key: string(h.key.lineage[:]), Value: wire.MustMarshal(row)}
}
