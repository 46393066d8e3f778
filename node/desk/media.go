package desk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/curbside-p2p/curbside/consult/media"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
)

// MediaExport writes studies of one patient with a DICOMDIR, for the patient to carry.
func (d *Desk) MediaExport(ctx context.Context, req control.MediaExportRequest) (control.MediaExported, error) {
	var out control.MediaExported
	if !filepath.IsAbs(req.Out) {
		return out, control.Errorf(control.Usage, "the folder must be an absolute path here")
	}
	list, p, err := d.mediaRows(ctx, req.Studies, &out)
	if err != nil {
		return out, err
	}
	entries, err := d.mediaEntries(ctx, list, &out)
	if err != nil {
		return out, err
	}
	switch err := media.Arrange(entries); {
	case errors.Is(err, media.ErrPatients):
		return out, control.Errorf(control.Refused, "%v: a medium that somebody carries has one", err)
	case err != nil:
		return out, control.Errorf(control.Refused, "%v", err).WithHint("write fewer studies at a time")
	case len(entries) == 0:
		return out, control.Errorf(control.Refused, "no image of these studies is here yet")
	}
	if err := emptyFolder(req.Out); err != nil {
		return out, err
	}
	for _, id := range req.Studies {
		if err := d.recordBefore(p, actionExport, "study", []byte(id)); err != nil {
			return out, err
		}
	}
	rows := map[string]*study.ManifestInstance{}
	for i := range list {
		rows[list[i].UID] = &list[i]
	}
	var mu sync.Mutex
	err = d.forEach(ctx, len(entries), func(i int) error {
		n, err := d.writeMedia(req.Out, &entries[i], rows[entries[i].In.SOPUID])
		mu.Lock()
		defer mu.Unlock()
		out.Files++
		out.Bytes += n
		return err
	})
	if err != nil {
		return out, err
	}
	return out, writeDirectory(req.Out, entries, &out)
}

// mediaRows lists what goes on the medium.
func (d *Desk) mediaRows(ctx context.Context, studies []string, out *control.MediaExported) ([]study.ManifestInstance, *person, error) {
	var list []study.ManifestInstance
	seen := map[string]bool{}
	p, err := hold(d, func() (*person, error) {
		p, err := d.acting(ctx)
		if err != nil {
			return nil, err
		}
		for _, said := range studies {
			h, err := d.findStudy(p, said)
			if err != nil {
				return nil, err
			}
			if err := d.quarantined(h); err != nil {
				return nil, err
			}
			if h.row != nil && len(h.row.Conflicts) > 0 {
				out.Warnings = append(out.Warnings, fmt.Sprintf("%d conflicting instances are kept apart and not on the medium", len(h.row.Conflicts)))
			}
			out.Studies++
			for s := range h.manifest.Series {
				for i := range h.manifest.Series[s].Instances {
					row := h.manifest.Series[s].Instances[i]
					switch {
					case seen[row.UID]:
					case !d.here(&row):
						out.Missing++
					default:
						seen[row.UID] = true
						list = append(list, row)
					}
				}
			}
		}
		return p, nil
	})
	return list, p, err
}

// mediaEntries reads what the records say.
func (d *Desk) mediaEntries(ctx context.Context, list []study.ManifestInstance, out *control.MediaExported) ([]media.Entry, error) {
	entries := make([]media.Entry, len(list))
	err := d.forEach(ctx, len(list), func(i int) error {
		row := &list[i]
		in, err := d.describe(ctx, row)
		if err != nil {
			return control.Errorf(control.Refused, "instance %s cannot be read: %v", row.UID, err).WithHint("see: curbside study verify")
		}
		entries[i].In = in
		if row.Bulk.Ref != nil {
			return nil
		}
		file, err := d.rebuild(row)
		if err != nil {
			return control.Errorf(control.Refused, "instance %s is damaged: %v", row.UID, err).WithHint("see: curbside study verify")
		}
		if f, err := object.Read(file); err == nil && in.Pixel.Rows == 0 {
			entries[i].Set = f.Set
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if out.Missing > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d images are not here yet and not on the medium", out.Missing))
	}
	return entries, nil
}

// emptyFolder makes a folder, or takes one that holds nothing: what lay there before would be taken
// for a part of the medium.
func emptyFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return control.Errorf(control.Refused, "the folder cannot be made: %s", ioDetail(err))
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return control.Errorf(control.Refused, "the folder cannot be read: %s", ioDetail(err))
	}
	for _, e := range found {
		if !strings.HasPrefix(e.Name(), ".") && !strings.EqualFold(e.Name(), "System Volume Information") && e.Name() != "lost+found" {
			return control.Errorf(control.Refused, "the folder is not empty: what lies there would be taken for this patient's").WithHint("name a new folder, or an empty stick")
		}
	}
	return nil
}

func (d *Desk) writeMedia(dir string, e *media.Entry, row *study.ManifestInstance) (int64, error) {
	file, err := d.rebuild(row)
	if err != nil {
		return 0, control.Errorf(control.Refused, "instance %s is damaged: %v", row.UID, err).WithHint("see: curbside study verify")
	}
	path := filepath.Join(append([]string{dir}, e.FileID()...)...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, control.Errorf(control.Refused, "cannot write: %s", ioDetail(err))
	}
	if err := replaceFile(path, file); err != nil {
		return 0, control.Errorf(control.Refused, "cannot write: %s", ioDetail(err))
	}
	return int64(len(file)), nil
}

// writeDirectory writes the directory last: a medium without one is seen to be unfinished.
func writeDirectory(dir string, entries []media.Entry, out *control.MediaExported) error {
	b, findings, err := media.Directory(entries, newUID())
	if err != nil {
		return control.Errorf(control.Refused, "the directory of the medium cannot be written: %v", err)
	}
	if len(findings) > 0 {
		out.Warnings = append(out.Warnings, "some viewers want what these studies do not say: "+strings.Join(findings, ", "))
	}
	if err := replaceFile(filepath.Join(dir, media.DirectoryName), b); err != nil {
		return control.Errorf(control.Refused, "cannot write: %s", ioDetail(err))
	}
	return nil
}
