package desk

import (
	"context"
	"log/slog"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
)

// What notices say of studies that come from the hospital. C-STORE has no end mark: a study is
// arriving until nothing came for a while, then settled; what comes later reopens it (IMAGING §2.4).
const (
	noticeSettled  = "settled"
	noticeReopened = "reopened"

	settleEvery = 500 * time.Millisecond
)

// quiet is how a study that came in since the node began stands.
type quiet struct {
	last    time.Time
	settled bool
}

// arrived notes that instances came.
func (o *door) arrived(files []*sealedFile) {
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	for _, f := range files {
		if f.as == TakenDuplicate || f.h.row == nil || f.h.row.Origin != originDicom {
			continue
		}
		q := o.quiet[f.h.key]
		if q == nil {
			q = &quiet{}
			o.quiet[f.h.key] = q
		}
		q.last = o.d.now()
		if q.settled {
			q.settled = false
			o.tell(f.h, noticeReopened)
		}
	}
}

// arriving reports whether a study may have more to come. The lock is held.
func (o *door) arriving(h *holding) bool {
	q := o.quiet[h.key]
	return q != nil && !q.settled
}

// settleLoop tells of studies that have come to rest.
func (o *door) settleLoop(ctx context.Context) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			o.settle()
		}
	}
}

func (o *door) settle() {
	after, err := time.ParseDuration(o.d.setting("settle"))
	if err != nil {
		after = SettleAfter
	}
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	for key, q := range o.quiet {
		h := o.d.studies.held[key]
		switch {
		case h == nil: // removed
			delete(o.quiet, key)
		case !q.settled && o.d.now().Sub(q.last) >= after:
			q.settled = true
			o.tell(h, noticeSettled)
		}
	}
}

// tell says so to interfaces and hooks, by the study's short id. The lock is held.
func (o *door) tell(h *holding, verb string) {
	o.d.publish(control.Event{Event: "notice", Study: h.id(), Kind: verb, Person: h.key.owner.String()})
	o.d.publish(control.Event{Event: "study", Study: h.id(), Kind: verb})
	select {
	case o.d.notes <- note{short: h.id()[:shortID], verb: verb}:
	default:
		o.d.log.Warn("a notice was dropped: hooks are slow", slog.String("verb", verb))
	}
}
