package desk

import (
	"context"
	"io"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/storage/blobs"
)

// SeriesSlices says where the frames of a series lie, in reading order: read from the heads, so
// frames that have not arrived are in it as soon as their heads have.
func (d *Desk) SeriesSlices(ctx context.Context, req control.SeriesRequest) ([]study.Slice, error) {
	rows, err := d.seriesRows(ctx, req)
	if err != nil {
		return nil, err
	}
	var out []study.Slice
	for i := range rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		head, err := d.head(&rows[i])
		if err != nil {
			continue // not here yet
		}
		bulk := &lateBulk{d: d, row: &rows[i]}
		in, err := study.ParseJoined(head, int64(rows[i].Off), bulk, int64(rows[i].BulkLen))
		bulk.close()
		if err != nil {
			continue // it cannot be shown either
		}
		out = append(out, in.Slices()...)
		if len(out) > study.SlicesMax {
			return nil, control.Errorf(control.Refused, "this series has more than %d frames", study.SlicesMax)
		}
	}
	return out, nil
}

// lateBulk opens a bulk when something of it is read: native pixels never are,
// fragments of encapsulated ones may be counted.
type lateBulk struct {
	d   *Desk
	row *study.ManifestInstance
	f   *blobs.File
	r   io.ReaderAt
}

func (l *lateBulk) ReadAt(p []byte, off int64) (int, error) {
	if l.row.Bulk.Ref == nil {
		return 0, io.EOF
	}
	if l.r == nil {
		f, err := l.d.blobs.Open(l.row.Bulk.Ref.ID)
		if err != nil {
			return 0, err
		}
		l.f = f
		if l.r, err = openBulk(l.row, f); err != nil {
			return 0, err
		}
	}
	return l.r.ReadAt(p, off)
}

func (l *lateBulk) close() {
	if l.f != nil {
		_ = l.f.Close()
	}
}

// seriesRows copies what the manifest says, so that heads are read without the lock.
func (d *Desk) seriesRows(ctx context.Context, req control.SeriesRequest) ([]study.ManifestInstance, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	h, err := d.findStudy(p, req.Study)
	if err != nil {
		return nil, err
	}
	for i := range h.manifest.Series {
		if s := &h.manifest.Series[i]; s.UID == req.SeriesUID {
			return append([]study.ManifestInstance(nil), s.Instances...), nil
		}
	}
	return nil, control.Errorf(control.NotFound, "no such series in this study")
}
