package desk

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/node/control"
)

// formatDicom is the format of objects for the archive that has the images; the others are papers.
const (
	formatDicom = "dicom"
	formatPDF   = "pdf"
	formatFHIR  = "fhir"
)

// CaseExport writes what was made in a case to a folder.
func (d *Desk) CaseExport(ctx context.Context, req control.CaseExportRequest) (control.CaseExported, error) {
	out := control.CaseExported{Files: []string{}}
	if !filepath.IsAbs(req.Out) {
		return out, control.Errorf(control.Usage, "the folder must be an absolute path here")
	}
	write := d.writePapers
	if req.Format == "" || req.Format == formatDicom {
		write = d.writeObjects
	}
	var err error
	out.Files, out.Warnings, err = write(ctx, req)
	return out, err
}

// recordExport notes an export before anything is written.
func (d *Desk) recordExport(ctx context.Context, said string) error {
	_, err := hold(d, func() (control.None, error) {
		p, t, err := d.actingIn(ctx, said)
		if err != nil {
			return control.None{}, err
		}
		id := t.ledger.ID()
		return control.None{}, d.recordBefore(p, actionExport, "case", id[:])
	})
	return err
}

func (d *Desk) writePapers(ctx context.Context, req control.CaseExportRequest) (files, warnings []string, err error) {
	dossier, err := hold(d, func() (*report.Dossier, error) {
		p, t, err := d.actingIn(ctx, req.Case)
		if err != nil {
			return nil, err
		}
		return d.dossier(p, t), nil
	})
	if err != nil {
		return nil, nil, err
	}
	if err := d.recordExport(ctx, req.Case); err != nil {
		return nil, nil, err
	}
	if req.Format == formatPDF || req.Format == formatFHIR {
		warnings, err = d.pictures(ctx, dossier)
		if err != nil {
			return nil, nil, err
		}
	}
	files, err = papers(dossier, req.Format, req.Out)
	return files, warnings, err
}

// pictures draws the key images of a case with what is marked on them; where nobody chose any, the
// images with marks. One that cannot be drawn is said, not left out in silence.
func (d *Desk) pictures(ctx context.Context, dossier *report.Dossier) (warnings []string, err error) {
	id := dossier.Case.String()
	marks, err := d.MarkList(ctx, control.MarkListRequest{Case: id})
	if err != nil {
		return nil, err
	}
	wrong, err := hold(d, func() (map[[16]byte]bool, error) { return d.wrongStudies(ctx, id) })
	if err != nil {
		return nil, err
	}
	marks = slices.DeleteFunc(marks, func(m control.Mark) bool { return wrong[lineageOf(m.Anchor.Study)] })
	keys := slices.DeleteFunc(slices.Clone(marks), func(m control.Mark) bool { return m.Tool != "key" })
	if len(keys) == 0 {
		keys = marks
	}
	type place struct {
		sop   string
		frame int
	}
	seen := map[place]bool{}
	for _, m := range keys {
		at := place{m.Anchor.SOPUID, m.Anchor.Frame}
		if seen[at] {
			continue
		}
		seen[at] = true
		if len(dossier.Images) == picturesMax {
			return append(warnings, fmt.Sprintf("only the first %d key images are in it", picturesMax)), nil
		}
		pic, err := d.Render(ctx, control.RenderRequest{Study: m.Anchor.Study, Instance: at.sop, Frame: at.frame, Marks: id})
		if err != nil {
			warnings = append(warnings, "a key image is not in it: "+control.AsError(err).Message)
			continue
		}
		img, err := png.Decode(bytes.NewReader(pic.PNG))
		if err != nil {
			return nil, internal("draw key image", err)
		}
		dossier.Images = append(dossier.Images, report.Picture{Image: img, SOPUID: at.sop, Frame: at.frame, Caption: d.caption(ctx, id, marks, m, pic)})
	}
	return warnings, nil
}

// wrongStudies are the studies of a case that are another patient's: no picture of them leaves with it.
func (d *Desk) wrongStudies(ctx context.Context, id string) (map[[16]byte]bool, error) {
	p, t, err := d.actingIn(ctx, id)
	if err != nil {
		return nil, err
	}
	out := map[[16]byte]bool{}
	for _, g := range t.fold().Grants {
		lineage, _ := d.placeAs(p, g.Lineage, "")
		out[lineage] = out[lineage] || g.Quarantined
	}
	return out, nil
}

// picturesMax bounds the key images of one paper.
const picturesMax = 24

// caption says where a picture is from, what is marked on it and by whom, and what is not true of it.
func (d *Desk) caption(ctx context.Context, id string, marks []control.Mark, m control.Mark, pic control.Rendered) string {
	where, _ := hold(d, func() (string, error) { // without a place the caption is shorter
		p, t, err := d.actingIn(ctx, id)
		if err != nil {
			return "", err
		}
		return d.whereOf(p, t.fold(), &consult.Anchor{Lineage: lineageOf(m.Anchor.Study), SOPUID: m.Anchor.SOPUID, Frame: m.Anchor.Frame}), nil
	})
	lines := []string{where}
	for _, x := range marks {
		if x.Anchor.SOPUID != m.Anchor.SOPUID || x.Anchor.Frame != m.Anchor.Frame || x.Removed {
			continue
		}
		s := x.Name
		if x.Own != nil {
			s += " " + valueText(x.Own)
		} else if len(x.Values) > 0 {
			s += " " + valueText(x.Values) + ", not checked"
		}
		if x.Label != "" {
			s += " \u201c" + x.Label + "\u201d"
		}
		lines = append(lines, s+" ("+x.AuthorName+")")
	}
	if pic.Window != nil {
		lines = append(lines, "window "+*pic.Window)
	}
	return strings.Join(append(lines, pic.Warnings...), "\n")
}

func lineageOf(study string) (out [16]byte) {
	b, err := hex.DecodeString(study)
	if err == nil {
		copy(out[:], b)
	}
	return out
}

// writeObjects makes all objects before it writes the first.
func (d *Desk) writeObjects(ctx context.Context, req control.CaseExportRequest) (files, warnings []string, err error) {
	d.filing.Lock()
	defer d.filing.Unlock()
	f, _, err := d.prepareFiling(ctx, req.Case, req.Language, false)
	if err != nil {
		return nil, nil, err
	}
	if err := d.recordExport(ctx, req.Case); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(req.Out, 0o700); err != nil {
		return nil, nil, control.Errorf(control.Refused, "the folder cannot be made: %s", ioDetail(err))
	}
	for _, x := range f.files {
		path := filepath.Join(req.Out, x.SOPUID+".dcm")
		if err := replaceFile(path, x.b); err != nil {
			return nil, nil, control.Errorf(control.Refused, "cannot write: %s", ioDetail(err))
		}
		files = append(files, path)
	}
	slices.Sort(files)
	return files, f.warnings, nil
}
