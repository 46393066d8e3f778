package desk

import (
	"context"
	"slices"
	"sync"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
)

// stacksMax bounds the series whose stacks are kept: what is on the screen, and its priors.
const stacksMax = 8

// stackedKey names a series as far as it is here.
type stackedKey struct {
	study   holdingKey
	series  string
	version uint64
	here    int
}

// stackCache keeps the last answers.
type stackCache struct {
	mu   sync.Mutex
	keys []stackedKey // the last made last
	of   map[stackedKey]control.SeriesStacked
}

func (c *stackCache) get(k stackedKey) (control.SeriesStacked, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.of[k]
	return s, ok
}

func (c *stackCache) put(k stackedKey, s control.SeriesStacked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[stackedKey]control.SeriesStacked{}
	}
	if _, ok := c.of[k]; !ok {
		c.keys = append(c.keys, k)
	}
	c.of[k] = s
	if len(c.keys) > stacksMax {
		delete(c.of, c.keys[0])
		c.keys = slices.Delete(c.keys, 0, 1)
	}
}

// SeriesStacks parts a series into stacks. It reads the heads of all instances that are here,
// outside the desk's lock.
func (d *Desk) SeriesStacks(ctx context.Context, req control.SeriesRequest) (control.SeriesStacked, error) {
	key, rows, err := d.toStack(ctx, req)
	if err != nil {
		return control.SeriesStacked{}, err
	}
	if out, ok := d.stacks.get(key); ok {
		return out, nil
	}
	parts := make([][]study.Slice, len(rows))
	each(eachWorth)(len(rows), func(i int) { // on all cores
		if ctx.Err() == nil {
			parts[i] = d.slicesOf(&rows[i])
		}
	})
	if ctx.Err() != nil {
		return control.SeriesStacked{}, ctx.Err()
	}
	out := control.SeriesStacked{Stacks: []control.Stack{}}
	list := []study.Slice{}
	for _, p := range parts {
		if len(p) == 0 {
			out.Absent++
		}
		list = append(list, p[:min(len(p), study.SlicesMax-len(list))]...)
	}
	for _, s := range study.Stacks(list) {
		out.Stacks = append(out.Stacks, control.Stack{Stack: s, Notes: append([]string{}, s.Notes()...), NotVolume: s.NotVolume()})
	}
	d.stacks.put(key, out)
	return out, nil
}

// toStack finds the series under the lock; the rows are copies.
func (d *Desk) toStack(ctx context.Context, req control.SeriesRequest) (key stackedKey, rows []study.ManifestInstance, err error) {
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
	key = stackedKey{study: h.key, series: req.SeriesUID, version: h.manifest.Version, here: len(rows) << 20}
	for k := range rows {
		if h.places[rows[k].UID].missing == 0 {
			key.here++
		}
	}
	return key, rows, nil
}

// slicesOf describes the frames of an instance; none if it is not here or cannot be read. Native
// pixels are not opened.
func (d *Desk) slicesOf(row *study.ManifestInstance) []study.Slice {
	if row.Rows == 0 || row.Cols == 0 || !d.here(row) {
		return nil
	}
	in, err := d.describe(row)
	if err != nil {
		return nil
	}
	out := in.Slices()
	for i := range out {
		out[i].Kind, out[i].Time = text.Line(out[i].Kind), text.Line(out[i].Time)
	}
	return out
}

// describe reads an instance's head, and of an encapsulated bulk where its frames are.
func (d *Desk) describe(row *study.ManifestInstance) (*study.Instance, error) {
	if in := d.frames.kept(headKey{row.Head.Ref.ID, row.UID}); in != nil {
		return in, nil
	}
	head, err := d.head(row)
	if err != nil {
		return nil, err
	}
	if row.Bulk.Ref == nil {
		return study.ParseAt(bytesAt(head), int64(len(head)))
	}
	if row.Codec != 0 { // only native bulks are packed: their bytes are not looked at
		return study.ParseJoined(head, int64(row.Off), nil, int64(row.BulkLen))
	}
	f, err := d.blobs.Open(row.Bulk.Ref.ID)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	bulk, err := openBulk(row, f)
	if err != nil {
		return nil, err
	}
	return study.ParseJoined(head, int64(row.Off), bulk, int64(row.BulkLen))
}
