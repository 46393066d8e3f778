package desk

import (
	"context"
	"errors"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
)

// Outgoing is an instance on its way to the hospital, as the gateway sends it.
type Outgoing struct {
	SOPClass, SOPUID, Syntax string
	StudyUID                 string
	Size                     int64
	// Read gives the very file that came in.
	Read func(ctx context.Context) ([]byte, error)
}

// Outgoing lists the instances of a study for a destination that the acting person names. The
// audit log has it before the first of them leaves.
func (d *Desk) Outgoing(ctx context.Context, said string) ([]Outgoing, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	h, err := d.findStudy(p, said)
	if err != nil {
		return nil, err
	}
	if err := d.quarantined(h); err != nil {
		return nil, err
	}
	var out []Outgoing
	for i := range h.manifest.Series {
		for n := range h.manifest.Series[i].Instances {
			out = append(out, d.outgoingFile(h, h.manifest.Series[i].Instances[n]))
		}
	}
	return out, d.recordBefore(p, actionExport, "study", h.key.lineage[:])
}

func (d *Desk) outgoingFile(h *holding, row study.ManifestInstance) Outgoing {
	return Outgoing{
		SOPClass: row.SOPClass, SOPUID: row.UID, Syntax: row.TransferSyntax, StudyUID: h.manifest.Study.UID, Size: int64(row.FileSize),
		Read: func(ctx context.Context) ([]byte, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			file, err := d.rebuild(&row)
			if errors.Is(err, errNotHere) {
				return nil, control.Errorf(control.Refused, "an image of the study is not here yet").WithHint("see: curbside transfers")
			}
			return file, err
		},
	}
}
