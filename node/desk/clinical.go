package desk

import (
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// registerClinical serves the clinical acts.
func (d *Desk) registerClinical(mux *http.ServeMux) {
	control.CaseAsk.Handle(mux, d.CaseAsk)
	control.CaseWithdraw.Handle(mux, d.CaseWithdraw)
	control.CaseReopen.Handle(mux, d.CaseReopen)
	control.CaseReading.Handle(mux, d.CaseReading)
	control.CaseAcknowledge.Handle(mux, d.CaseAcknowledge)
	control.CaseCritical.Handle(mux, d.CaseCritical)
	control.CaseAttempt.Handle(mux, d.CaseAttempt)
	control.CaseTriage.Handle(mux, d.CaseTriage)
	control.CaseOutcome.Handle(mux, d.CaseOutcome)
	control.CaseQuarantine.Handle(mux, d.CaseQuarantine)
	control.CaseAssign.Handle(mux, d.CaseAssign)
	control.CaseAttach.Handle(mux, d.CaseAttach)
	control.DeidPreview.Handle(mux, d.DeidPreview)
	control.CaseSeal.Handle(mux, d.CaseSeal)
	control.CaseReveal.Handle(mux, d.CaseReveal)
	control.CaseConsensus.Handle(mux, d.CaseConsensus)
	control.CaseVote.Handle(mux, d.CaseVote)
	control.CaseAgreement.Handle(mux, d.CaseAgreement)
	control.RosterSet.Handle(mux, d.RosterSet)
	control.RosterList.Handle(mux, d.RosterList)
	control.PatientList.Handle(mux, d.PatientList)
	control.PatientShow.Handle(mux, d.PatientShow)
	control.PatientLink.Handle(mux, d.PatientLink)
	control.PatientUnlink.Handle(mux, d.PatientUnlink)
}

// CaseAsk asks the owners, or those named, a question that the case waits for.
func (d *Desk) CaseAsk(ctx context.Context, req control.CaseAskRequest) (control.EntryRef, error) {
	return d.act(ctx, req.Case, ledger.Ask, func(p *person, t *thread) (any, error) {
		who, err := d.membersOf(p, t, req.To)
		return consult.AskBody{Who: who, Text: req.Text}, err
	})
}

// membersOf finds members by what the caller said of them.
func (d *Desk) membersOf(p *person, t *thread, said []string) ([]identity.PersonID, error) {
	var out []identity.PersonID
	for _, s := range said {
		id, err := d.findMember(p, t, s)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// CaseWithdraw takes the request back (FIELD §4.3, G7).
func (d *Desk) CaseWithdraw(ctx context.Context, req control.CaseTextRequest) (control.EntryRef, error) {
	return d.staged(ctx, req, func(s *consult.State) consult.StatusBody {
		return consult.StatusBody{Round: s.Round, Stage: consult.StageWithdrawn}
	})
}

// CaseReopen opens a new round (G8). What was said before stays.
func (d *Desk) CaseReopen(ctx context.Context, req control.CaseTextRequest) (control.EntryRef, error) {
	return d.staged(ctx, req, func(s *consult.State) consult.StatusBody {
		return consult.StatusBody{Round: s.Round + 1, Stage: consult.StageAsked}
	})
}

// CaseReading says that the acting person reads the images.
func (d *Desk) CaseReading(ctx context.Context, req control.CaseRequest) (control.EntryRef, error) {
	return d.status(ctx, req, consult.StageReading)
}

// staged posts a status with its reason, which goes before it: who sees the status can read why.
func (d *Desk) staged(ctx context.Context, req control.CaseTextRequest, body func(*consult.State) consult.StatusBody) (control.EntryRef, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return control.EntryRef{}, err
	}
	b := body(t.fold())
	if err := consult.Authorize(t.fold(), p.id, ledger.Status, b); err != nil {
		return control.EntryRef{}, refusal(err)
	}
	if strings.TrimSpace(req.Text) != "" {
		if _, err := d.append(t, p, ledger.Message, consult.MessageBody{Text: req.Text}); err != nil {
			return control.EntryRef{}, err
		}
	}
	return d.actOn(t, p, ledger.Status, b)
}

// CaseAcknowledge takes note of a critical finding (FIELD §4.6) or of a report (G5).
func (d *Desk) CaseAcknowledge(ctx context.Context, req control.CaseAcknowledgeRequest) (control.EntryRef, error) {
	if req.Critical != "" {
		return d.act(ctx, req.Case, ledger.Acknowledge, func(_ *person, t *thread) (any, error) {
			id, err := findEntry(t, req.Critical)
			return consult.AcknowledgeBody{Critical: id, ReadBack: req.ReadBack, Action: req.Action}, err
		})
	}
	if req.ReadBack != "" {
		return control.EntryRef{}, control.Errorf(control.Usage, "a read-back belongs to a critical finding: say which")
	}
	return d.act(ctx, req.Case, ledger.Taken, func(_ *person, t *thread) (any, error) {
		if req.Report != "" {
			id, err := findEntry(t, req.Report)
			return consult.TakenBody{Report: id, Action: req.Action}, err
		}
		r, ok := t.fold().Newest()
		if !ok {
			return nil, control.Errorf(control.Refused, "there is no final report to acknowledge").
				WithHint("wait for one: curbside case wait CASE --for report")
		}
		return consult.TakenBody{Report: r.Entry, Action: req.Action}, nil
	})
}

// CaseCritical reports a critical finding, which asks for a person's read-back.
func (d *Desk) CaseCritical(ctx context.Context, req control.CaseCriticalRequest) (control.EntryRef, error) {
	if req.Category < 1 || req.Category > 3 {
		return control.EntryRef{}, control.Errorf(control.Usage, "category is 1 (minutes), 2 (hours) or 3 (days)")
	}
	return d.act(ctx, req.Case, ledger.Critical, func(p *person, t *thread) (any, error) {
		body := consult.CriticalBody{Category: uint64(req.Category), Text: req.Text}
		var err error
		if body.Of, err = criticalOf(t, p, req.Of); err != nil {
			return nil, err
		}
		if body.Who, err = d.membersOf(p, t, req.Who); err != nil {
			return nil, err
		}
		if r := t.fold().Request; len(body.Who) == 0 && r != nil && r.Author != p.id {
			body.Who = []identity.PersonID{r.Author} // a named person, not "somebody" (FIELD §4.6)
		}
		if req.Due != nil {
			if body.DueMS = req.Due.UnixMilli(); body.DueMS <= d.nowMS() {
				return nil, control.Errorf(control.Usage, "the time until which it must be acknowledged is over")
			}
		}
		return body, nil
	})
}

// criticalOf is what a finding is seen in: what was said, or one's own newest report.
func criticalOf(t *thread, p *person, said string) (ledger.EntryID, error) {
	if said != "" {
		return findEntry(t, said)
	}
	for _, r := range slices.Backward(t.fold().Reports) {
		if r.Author == p.id && r.Valid && r.SupersededBy == nil {
			return r.Entry, nil
		}
	}
	return ledger.EntryID{}, control.Errorf(control.Refused, "a critical finding is about a report or a mark, and there is none by you").
		WithHint("mark it (case annotate) or say what you think (case opine), or name an entry with --of")
}

// CaseAttempt records an attempt to reach somebody.
func (d *Desk) CaseAttempt(ctx context.Context, req control.CaseAttemptRequest) (control.EntryRef, error) {
	return d.act(ctx, req.Case, ledger.Attempt, func(_ *person, t *thread) (any, error) {
		id, err := openCritical(t, req.Critical)
		return consult.AttemptBody{Critical: id, Method: req.Method, Whom: req.Whom, Result: req.Result}, err
	})
}

// openCritical is the finding that was named, or the only open one.
func openCritical(t *thread, said string) (ledger.EntryID, error) {
	if said != "" {
		return findEntry(t, said)
	}
	open := t.fold().OpenCriticals()
	if len(open) == 1 {
		return open[0].Entry, nil
	}
	return ledger.EntryID{}, control.Errorf(control.Refused, "%d critical findings are open in this case", len(open)).
		WithHint("name one with --critical ENTRY, from: curbside case show")
}

// CaseTriage sets the priority, as a coordinator does.
func (d *Desk) CaseTriage(ctx context.Context, req control.CaseTriageRequest) (control.EntryRef, error) {
	priority, ok := consult.ParsePriority(req.Priority)
	if !ok {
		return control.EntryRef{}, control.Errorf(control.Usage, "priority is stat, urgent or routine")
	}
	return d.act(ctx, req.Case, ledger.Triage, func(*person, *thread) (any, error) {
		return consult.TriageBody{Priority: priority, Reason: req.Reason}, nil
	})
}

var outcomeSources = map[string]uint64{"pathology": 1, "surgery": 2, "follow-up": 3, "other": 4}

// CaseOutcome gives the outcome to everybody who helped.
func (d *Desk) CaseOutcome(ctx context.Context, req control.CaseOutcomeRequest) (control.EntryRef, error) {
	source, ok := outcomeSources[req.Source]
	if !ok {
		return control.EntryRef{}, control.Errorf(control.Usage, "source is pathology, surgery, follow-up or other")
	}
	return d.act(ctx, req.Case, ledger.Outcome, func(*person, *thread) (any, error) {
		return consult.OutcomeBody{Result: req.Result, Source: source, Date: req.Date}, nil
	})
}

// CaseQuarantine locks a study of the case on every node that hears it (FIELD §4.3, G9).
func (d *Desk) CaseQuarantine(ctx context.Context, req control.CaseQuarantineRequest) (control.EntryRef, error) {
	return d.act(ctx, req.Case, ledger.WrongPatient, func(p *person, t *thread) (any, error) {
		var found [][16]byte
		for _, g := range t.fold().Grants {
			id, uid := hex.EncodeToString(g.Lineage[:]), ""
			if h := d.studyAs(p, g); h != nil && h.manifest != nil {
				id, uid = h.id(), h.manifest.Study.UID
			}
			if req.Study == "" && !g.Quarantined || req.Study != "" && (idMatches(id, req.Study) || req.Study == uid) {
				found = append(found, g.Lineage)
			}
		}
		if len(found) != 1 {
			return nil, control.Errorf(control.NotFound, "no single study of this case is named so").WithHint("name it with --study, from: curbside case show")
		}
		return consult.WrongPatientBody{Lineage: found[0], Text: req.Text}, nil
	})
}

// CaseAssign says who is to answer. Until one of them accepts, who accepted before has it (F16).
func (d *Desk) CaseAssign(ctx context.Context, req control.CaseAssignRequest) (control.EntryRef, error) {
	if len(req.To) == 0 {
		return control.EntryRef{}, control.Errorf(control.Usage, "say who is to answer with --to")
	}
	return d.act(ctx, req.Case, ledger.Assign, func(p *person, t *thread) (any, error) {
		who, err := d.membersOf(p, t, req.To)
		return consult.AssignBody{Persons: who}, err
	})
}
