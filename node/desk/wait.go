package desk

import (
	"context"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
)

const waitTimeout = time.Minute

// CaseWatch streams the events of a case, or of all.
func (d *Desk) CaseWatch(ctx context.Context, req control.CaseWatchRequest, emit func(control.Event) error) error {
	if _, err := d.network(); err != nil {
		return err
	}
	d.mu.Lock()
	id, err := "", error(nil)
	if req.Case != "" {
		var t *thread
		if _, t, err = d.actingIn(ctx, req.Case); err == nil {
			id = t.ledger.ID().String()
		}
	}
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.stream(ctx, func(e control.Event) bool { return e.Case != "" && (id == "" || e.Case == id) }, emit)
}

// CaseWait returns a case once something holds of it.
func (d *Desk) CaseWait(ctx context.Context, req control.CaseWaitRequest) (control.CaseDetail, error) {
	var none control.CaseDetail
	if _, err := d.network(); err != nil {
		return none, err
	}
	holds, err := condition(req.For)
	if err != nil {
		return none, err
	}
	if req.Timeout <= 0 {
		req.Timeout = waitTimeout
	}
	events, stop := d.events.listen()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, req.Timeout)
	defer cancel()
	for {
		c, err := d.CaseShow(ctx, control.CaseShowRequest{Case: req.Case})
		if err == nil && holds(c) {
			return c, nil
		}
		if err != nil && !notYet(err, req.Case) {
			return none, err
		}
		if !nextOf(ctx, events) {
			return none, control.Errorf(control.Refused, "not so within %s: %s", req.Timeout, req.For).
				WithHint("see what is under way: curbside transfers; who is reachable: curbside peers")
		}
	}
}

// nextOf waits for an event and takes those that came with it; false at the end of ctx.
func nextOf(ctx context.Context, events <-chan control.Event) bool {
	select {
	case <-ctx.Done():
		return false
	case <-events:
	}
	for {
		select {
		case <-events:
		default:
			return true
		}
	}
}

// notYet reports whether a case may still come: a full id that was not seen yet.
func notYet(err error, said string) bool {
	return control.AsError(err).Code == control.NotFound && len(said) == 64
}

func condition(what string) (func(control.CaseDetail) bool, error) {
	name, arg, _ := strings.Cut(what, ":")
	switch {
	case what == "arrived":
		return func(control.CaseDetail) bool { return true }, nil
	case what == "complete":
		return whole, nil
	case what == "report":
		return func(c control.CaseDetail) bool {
			for _, r := range c.Reports {
				if r.Valid && r.Status == "final" {
					return true
				}
			}
			return false
		}, nil
	case name == "entry" && arg != "":
		return func(c control.CaseDetail) bool {
			for _, e := range c.Entries {
				if e.Kind == arg {
					return true
				}
			}
			return false
		}, nil
	case name == "state" && arg != "":
		return func(c control.CaseDetail) bool { return c.State == arg }, nil
	}
	return nil, control.Errorf(control.Usage, "wait for arrived, complete, entry:KIND, report or state:S")
}

// whole reports whether all that the newest manifests list is here. A case without a study has
// not arrived whole: its grants are still on their way.
func whole(c control.CaseDetail) bool {
	for _, s := range c.Studies {
		if s.StudyUID == "" || s.Present < s.Listed {
			return false
		}
	}
	return len(c.Studies) > 0
}
