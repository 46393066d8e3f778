package desk

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/node/control"
)

// formatDicom is the format of objects for the archive that has the images; the others are papers.
const formatDicom = "dicom"

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
		_, t, err := d.actingIn(ctx, req.Case)
		if err != nil {
			return nil, err
		}
		return d.dossier(t), nil
	})
	if err != nil {
		return nil, nil, err
	}
	if err := d.recordExport(ctx, req.Case); err != nil {
		return nil, nil, err
	}
	files, err = papers(dossier, req.Format, req.Out)
	return files, nil, err
}

// writeObjects makes all objects before it writes the first.
func (d *Desk) writeObjects(ctx context.Context, req control.CaseExportRequest) (files, warnings []string, err error) {
	objects, warnings, err := d.exportDicom(ctx, req.Case)
	if err != nil {
		return nil, nil, err
	}
	if err := d.recordExport(ctx, req.Case); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(req.Out, 0o700); err != nil {
		return nil, nil, control.Errorf(control.Refused, "the folder cannot be made: %s", ioDetail(err))
	}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		path := filepath.Join(req.Out, name)
		if err := replaceFile(path, objects[name]); err != nil {
			return nil, nil, control.Errorf(control.Refused, "cannot write: %s", ioDetail(err))
		}
		files = append(files, path)
	}
	return files, warnings, nil
}
