package desk

import (
	"context"
	"io"
	"slices"
	"sync"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/storage/blobs"
)

// placedMax bounds the series whose slices are kept: what is on the screen, and its priors.
const placedMax = 8

// placedKey names a series as far as its heads are here.
type placedKey struct {
	study   holdingKey
	series  string
	version uint64
	listed  int
	here    int
}

// placedSeries keeps the last answers of SeriesSlices.
type placedSeries struct {
	mu   sync.Mutex // guards all below
	keys []placedKey
	of   map[placedKey][]study.Slice
}

func (c *placedSeries) get(k placedKey) []study.Slice {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[k]
}

func (c *placedSeries) put(k placedKey, s []study.Slice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[placedKey][]study.Slice{}
	}
	if c.of[k] == nil {
		c.keys = append(c.keys, k)
	}
	c.of[k] = s
	if len(c.keys) > placedMax {
		delete(c.of, c.keys[0])
		c.keys = slices.Delete(c.keys, 0, 1)
	}
}

// SeriesSlices says where the frames of a series lie, stack after stack in reading order: read from
// the heads, so frames that have not arrived are in it as soon as their heads have.
func (d *Desk) SeriesSlices(ctx context.Context, req control.SeriesRequest) ([]study.Slice, error) {
	key, rows, err := d.seriesRows(ctx, req)
	if err != nil {
		return nil, err
	}
	if out := d.placed.get(key); out != nil {
		return out, nil
	}
	parts := make([][]study.Slice, len(rows))
	each(eachWorth)(len(rows), func(i int) { // on all cores
		if ctx.Err() == nil {
			parts[i] = d.slicesOf(&rows[i])
		}
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	all := slices.Concat(parts...)
	if len(all) > study.SlicesMax {
		return nil, control.Errorf(control.Refused, "this series has more than %d frames", study.SlicesMax)
	}
	out := make([]study.Slice, 0, len(all))
	for _, s := range study.Stacks(all) {
		out = append(out, s.Slices...)
	}
	d.placed.put(key, out)
	return out, nil
}

// slicesOf describes the frames of an instance; none if its head is not here, or cannot be read,
// and then it cannot be shown either.
func (d *Desk) slicesOf(row *study.ManifestInstance) []study.Slice {
	if row.Rows == 0 || row.Cols == 0 || !d.blobs.Has(row.Head.Ref.ID) {
		return nil
	}
	in := d.frames.kept(headKey{row.Head.Ref.ID, row.UID})
	if in == nil {
		head, err := d.head(row)
		if err != nil {
			return nil
		}
		bulk := &lateBulk{d: d, row: row}
		in, err = study.ParseJoined(head, int64(row.Off), bulk, int64(row.BulkLen))
		bulk.close()
		if err != nil {
			return nil
		}
	}
	out := in.Slices()
	for i := range out {
		out[i].Kind, out[i].Time = text.Line(out[i].Kind), text.Line(out[i].Time)
	}
	return out
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
func (d *Desk) seriesRows(ctx context.Context, req control.SeriesRequest) (key placedKey, rows []study.ManifestInstance, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return key, nil, err
	}
	h, err := d.findStudy(p, req.Study)
	if err != nil {
		return key, nil, err
	}
	i := h.seriesAt(req.SeriesUID)
	if i < 0 {
		return key, nil, control.Errorf(control.NotFound, "no such series in this study")
	}
	rows = slices.Clone(h.manifest.Series[i].Instances)
	key = placedKey{study: h.key, series: req.SeriesUID, version: h.manifest.Version, listed: len(rows)}
	for k := range rows {
		if d.blobs.Has(rows[k].Head.Ref.ID) {
			key.here++
		}
	}
	return key, rows, nil
}
