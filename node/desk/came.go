package desk

import (
	"log/slog"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// tableCame is when entries of a case came here whose authors' clocks are ahead: ThreadID -> [cameRow].
// A critical finding dated tomorrow is one of today: its clock starts when it came (FIELD §4.5),
// also after a restart.
const tableCame = "came"

const (
	cameAheadMS = 60_000 // less is within what clocks differ by, and a deadline is not that exact
	cameMax     = 1024   // rows kept for a case; a member who posts more of them has a broken clock
)

type cameRow struct {
	_      struct{} `cbor:",toarray"`
	Entry  ledger.EntryID
	CameMS int64
}

// noteCame keeps when entries came that claim a later time. The lock is held.
func (d *Desk) noteCame(t *thread, items []ledger.Item) {
	now := d.nowMS()
	var fresh []cameRow
	for _, it := range items {
		e := t.ledger.Entry(it.Entry)
		if e != nil && e.ClaimedMS > now+cameAheadMS && d.came[e.ID] == 0 {
			d.came[e.ID] = now
			fresh = append(fresh, cameRow{Entry: e.ID, CameMS: now})
		}
	}
	if len(fresh) == 0 {
		return
	}
	id := t.ledger.ID()
	for _, p := range d.persons {
		rows := append(cameRows(p.vault.Get(tableCame, string(id[:]))), fresh...)
		rows = rows[:min(len(rows), cameMax)]
		row := vault.Row{Table: tableCame, Key: string(id[:]), Value: wire.MustMarshal(rows), Case: id}
		if err := p.vault.Batch([]vault.Row{row}); err != nil {
			d.log.Warn("when entries came is not kept", slog.String("case", id.String()), slog.Any("error", err))
		}
	}
}

// loadCame reads what noteCame kept.
func (d *Desk) loadCame() error {
	for _, p := range d.persons {
		err := p.vault.Each(tableCame, func(_ string, value []byte) error {
			for _, r := range cameRows(value, true) {
				d.came[r.Entry] = r.CameMS
			}
			return nil
		})
		if err != nil {
			return internal("read when entries came", err)
		}
	}
	return nil
}

func cameRows(value []byte, ok bool) []cameRow {
	var rows []cameRow
	if !ok || wire.Unmarshal(value, &rows) != nil {
		return nil
	}
	return slices.Clip(rows)
}
