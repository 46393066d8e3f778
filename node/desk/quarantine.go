package desk

import (
	"github.com/curbside-p2p/curbside/node/control"
)

// quarantined refuses the pixels of a study that was said, in any case here, to be another
// patient's (FIELD §4.3, G9). Who imported it keeps it: there it may be the right study in the wrong
// case, and its case says what is wrong. The lock is held.
func (d *Desk) quarantined(h *holding) error {
	if h.row != nil {
		return nil
	}
	for id := range h.threads {
		t := d.threads[id]
		if t == nil {
			continue
		}
		for _, g := range t.fold().Grants {
			if g.Quarantined && g.Lineage == h.key.lineage && g.Author == h.key.owner {
				return control.Errorf(control.Refused, "do not use: this study was said to be of the wrong patient").
					WithHint("see why: curbside case show %s", id.String()[:shortID])
			}
		}
	}
	return nil
}
