package desk

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// What notices say of studies that come from the hospital. C-STORE has no end mark: a study is
// arriving until nothing came for a while, then settled; what comes later reopens it (IMAGING §2.4).
const (
	noticeSettled  = "settled"
	noticeReopened = "reopened"
	// A rule drafted a request, which waits for a person; or that person wants none.
	noticeDrafted   = "drafted"
	noticeDiscarded = "discarded"

	settleEvery = 500 * time.Millisecond
)

// tableArriving keeps which studies have not settled: lineage -> arrivingRow. A study that came
// just before the node ended settles after it began again, and rules see it then.
const tableArriving = "arriving"

const sendersMax = 16 // AE titles that are kept of who sends one study

type arrivingRow struct {
	_    struct{} `cbor:",toarray"`
	From []string
}

// quiet is how a study that came in stands.
type quiet struct {
	last    time.Time
	settled bool
	from    []string // who sent images of it
}

// arrived notes that instances came.
func (o *door) arrived(visitors []*visitor) {
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	for _, v := range visitors {
		f := v.file
		if f.as == TakenDuplicate || f.h.row == nil || f.h.row.Origin != originDicom {
			continue
		}
		q, fresh := o.quiet[f.h.key], false
		if q == nil {
			q, fresh = &quiet{}, true
			o.quiet[f.h.key] = q
		}
		q.last = o.d.now()
		if !slices.Contains(q.from, v.from) && len(q.from) < sendersMax {
			q.from, fresh = append(q.from, v.from), true
		}
		if q.settled {
			q.settled, fresh = false, true
			o.tell(f.h, noticeReopened)
		}
		if !fresh {
			continue
		}
		if err := v.run.p.vault.Put(tableArriving, string(f.h.key.lineage[:]), wire.MustMarshal(arrivingRow{From: q.from})); err != nil {
			o.d.log.Warn("that a study arrives is not kept", slog.Any("error", err))
		}
	}
}

// load reads which studies had not settled when the node ended.
func (o *door) load() error {
	for _, p := range o.d.persons {
		err := p.vault.Each(tableArriving, func(key string, value []byte) error {
			var row arrivingRow
			k := holdingKey{owner: p.id}
			if copy(k.lineage[:], key) != len(key) || wire.Unmarshal(value, &row) != nil {
				return fmt.Errorf("row of %d bytes is damaged", len(value))
			}
			o.quiet[k] = &quiet{last: o.d.now(), from: row.From}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read what arrives: %w", err)
		}
	}
	return nil
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
			if err := o.rest(h, q); err != nil {
				q.last = o.d.now() // tried again after as long
				o.d.log.Warn("a study did not settle", slog.Any("error", err))
			}
		}
	}
}

// rest settles a study, and drafts what rules say. The lock is held.
func (o *door) rest(h *holding, q *quiet) error {
	rows := []vault.Row{{Table: tableArriving, Key: string(h.key.lineage[:]), Delete: true}}
	draft := o.d.route(h, q.from)
	if draft != nil {
		rows = append(rows, h.routedRow(*draft))
	}
	if p := o.d.personOf(h.key.owner); p != nil {
		if err := p.vault.Batch(rows); err != nil {
			return err
		}
	}
	q.settled = true
	o.tell(h, noticeSettled)
	if draft != nil {
		o.tell(h, noticeDrafted)
	}
	return nil
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
