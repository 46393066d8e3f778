package desk

import (
	"context"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/node/control"
)

func (d *Desk) applyPresentation(context.Context, control.RenderRequest, *located, *render.Options) ([]line, error) {
	return nil, control.Errorf(control.Refused, "not yet")
}
