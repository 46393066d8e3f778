package node

import (
	"context"
	"errors"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/desk"
	"github.com/curbside-p2p/curbside/node/gateway"
)

// archive is the gateway as the desk needs it.
type archive struct{ g *gateway.Gateway }

// File sends objects to a destination.
func (a archive) File(ctx context.Context, to string, files []desk.ArchiveFile) ([]desk.ArchiveResult, error) {
	dest, err := a.g.Destination(to)
	if errors.Is(err, gateway.ErrUnknown) {
		return nil, control.Errorf(control.NotFound, "no destination is called so").WithHint("list them with: curbside gateway status")
	}
	if err != nil {
		return nil, control.Errorf(control.Refused, "%v", err)
	}
	out := make([]gateway.File, len(files))
	for i, f := range files {
		out[i] = gateway.File{
			SOPClass: f.SOPClass, SOPUID: f.SOPUID, StudyUID: f.StudyUID, Syntax: codec.ExplicitLE, Size: int64(len(f.Bytes)),
			Read: func(context.Context) ([]byte, error) { return f.Bytes, nil },
		}
	}
	stored, _, err := dest.Store(ctx, out)
	results := make([]desk.ArchiveResult, 0, len(stored))
	for _, s := range stored {
		results = append(results, desk.ArchiveResult{
			SOPUID: s.SOPUID, Stored: s.State != gateway.Failed, Committed: s.State == gateway.Committed, Detail: detailOf(s),
		})
	}
	if err != nil {
		err = control.Errorf(control.Refused, "%v", err).WithHint("try the destination: curbside gateway echo NAME")
	}
	return results, err
}

// detailOf says how sure it is that an object stays.
func detailOf(s gateway.Stored) string {
	if s.Detail != "" {
		return string(s.State) + ": " + s.Detail
	}
	return string(s.State)
}
