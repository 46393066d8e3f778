package desk

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/dicomweb"
)

// ShelfFor opens the studies of a case, or those that are named, for a viewer, and records that they
// were opened. What is not here, or must not be used, is left out with a warning.
func (d *Desk) ShelfFor(ctx context.Context, req control.OpenRequest) (*Shelf, control.Opened, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := control.Opened{Studies: []control.OpenedStudy{}, Warnings: []string{}}
	p, err := d.acting(ctx)
	if err != nil {
		return nil, out, err
	}
	found, err := d.toOpen(p, req)
	if err != nil {
		return nil, out, err
	}
	s := &Shelf{d: d, person: p.id, only: map[holdingKey]bool{}}
	for _, c := range found {
		h, err := d.findStudy(p, c.Study)
		if err == nil {
			err = d.quarantined(h)
		}
		if err != nil {
			out.Warnings = append(out.Warnings, "a study is left out: "+control.AsError(err).Message)
			continue
		}
		if h.present() == 0 {
			out.Warnings = append(out.Warnings, "a study is left out: none of its images has arrived yet")
			continue
		}
		if n := h.listed(); h.present() < n {
			out.Warnings = append(out.Warnings, fmt.Sprintf("%d of %d images are here: the viewer shows no others", h.present(), n))
		}
		s.only[h.key] = true
		out.Studies = append(out.Studies, control.OpenedStudy{
			Study: h.id(), StudyUID: h.manifest.Study.UID, Prior: c.Prior, Present: h.present(), Listed: h.listed(),
		})
		if err := d.recordBefore(p, actionView, "study", h.key.lineage[:]); err != nil {
			return nil, out, err
		}
	}
	if len(out.Studies) == 0 {
		return nil, out, control.Errorf(control.Refused, "there is no study to open").WithHint("see what has arrived: curbside case show CASE")
	}
	return s, out, nil
}

// toOpen lists what was asked for: the studies of a case, its priors behind them, or named ones.
func (d *Desk) toOpen(p *person, req control.OpenRequest) ([]control.CaseStudy, error) {
	if req.Case == "" {
		var out []control.CaseStudy
		for _, said := range req.Studies {
			h, err := d.findStudy(p, said)
			if err != nil {
				return nil, err
			}
			out = append(out, control.CaseStudy{Study: h.id()})
		}
		return out, nil
	}
	t, err := d.findCase(p, req.Case)
	if err != nil {
		return nil, err
	}
	var now, before []control.CaseStudy
	for _, g := range t.fold().Grants {
		c := control.CaseStudy{Study: hex.EncodeToString(g.Lineage[:]), Prior: g.Prior}
		if o := d.studyAs(p, g); o != nil {
			c.Study = o.id()
		}
		if g.Prior {
			before = append(before, c)
		} else {
			now = append(now, c)
		}
	}
	return append(now, before...), nil
}

// errStudy says that an instance is of another study than it was sent to.
var errStudy = errors.New("of another study")

// TakeStored is Take for DICOMweb: what was sent to a study must be of it.
func (d *Desk) TakeStored(ctx context.Context, path, from string, into dicomweb.Path) dicomweb.Stored {
	var in study.Instance
	t, err := d.door.take(ctx, path, from, func(got *study.Instance) error {
		in = *got
		if into.Study != "" && got.StudyUID != into.Study {
			return errStudy
		}
		return nil
	})
	out := dicomweb.Stored{Class: in.SOPClass, Instance: in.SOPUID, Study: in.StudyUID, Series: in.SeriesUID}
	switch {
	case errors.Is(err, errStudy):
		out.Failure = dicomweb.FailMismatch
	case err != nil:
		out.Failure = dicomweb.FailProcessing
	case t.Status == TakenRefused:
		out.Failure = webReasons[t.Reason]
		if out.Failure == 0 {
			out.Failure = dicomweb.FailUnderstand
		}
	case t.Status == TakenConflict:
		out.Warning = dicomweb.WarnMismatch
	}
	return out
}

// webReasons are failure reasons for those of an import; others are not understood.
var webReasons = map[string]uint16{
	study.OverLimit: dicomweb.FailResources, study.UnknownSyntax: dicomweb.FailSyntax,
	study.MissingUID: dicomweb.FailMismatch, study.Unreadable: dicomweb.FailProcessing,
}
