package desk

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// What an author measured is measured again here, on this node's own pixels (IMAGING §6). What was
// measured is kept by the entry that drew the mark, since entries never change.

const (
	// checkTime is how long showing a case may wait for marks that were not measured yet; the next
	// time goes on where this one ended.
	checkTime = 3 * time.Second
	// checkedMax bounds what is kept of marks that were measured, sumsMax of bulks that were hashed.
	checkedMax = 20_000
	sumsMax    = 20_000
	// sumBytesMax is up to where a bulk is hashed only to check a mark of somebody else.
	sumBytesMax = 64 << 20
)

// checkKey is a mark's acting form, and how many calibrations its image had then.
type checkKey struct {
	entry  ledger.EntryID
	scales int
}

type checked struct {
	own  []annot.Measured
	same bool
	why  string
}

// checks keeps what was measured.
type checks struct {
	mu    sync.Mutex // guards all below
	marks map[checkKey]checked
	sums  map[blob.ID][32]byte
}

func newChecks() *checks {
	return &checks{marks: map[checkKey]checked{}, sums: map[blob.ID][32]byte{}}
}

func (c *checks) get(k checkKey) (checked, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.marks[k]
	return v, ok
}

func (c *checks) put(k checkKey, v checked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.marks) >= checkedMax {
		clear(c.marks)
	}
	c.marks[k] = v
}

// scaleMark is a calibration that somebody drew on an image.
type scaleMark struct {
	author   identity.PersonID
	by       string
	removed  bool
	geometry *consult.Geometry
	values   consult.Values
}

// marksView is what is asked again and again of the marks of a case. It holds while the lock does.
type marksView struct {
	d      *Desk
	p      *person
	t      *thread
	s      *consult.State
	byID   map[ledger.EntryID]*consult.Mark
	scales map[consult.Place][]scaleMark // calibrations of an image, the newest last; with those removed
}

func (d *Desk) marksView(p *person, t *thread) *marksView {
	v := &marksView{d: d, p: p, t: t, s: t.fold(), byID: map[ledger.EntryID]*consult.Mark{}, scales: map[consult.Place][]scaleMark{}}
	for i := range v.s.Marks {
		m := &v.s.Marks[i]
		v.byID[m.Entry] = m
		if m.Geometry == nil {
			continue
		}
		if tool, ok := annot.ToolOf(m.Geometry); ok && tool.Construct == annot.Scale {
			at := imageOf(m.Place)
			v.scales[at] = append(v.scales[at], scaleMark{m.Author, d.memberName(m.Author), m.Removed, m.Geometry, m.Values})
		}
	}
	return v
}

// imageOf is a place without what its author saw there.
func imageOf(p consult.Place) consult.Place {
	p.SHA256 = [32]byte{}
	return p
}

func compareBool(a, b bool) int {
	n := map[bool]int{true: 1}
	return cmp.Compare(n[a], n[b])
}

// drawn is one form of a mark: as it was made, or as an edit has it.
type drawn struct {
	entry    ledger.EntryID // that drew it
	time     int64
	place    consult.Place
	geometry *consult.Geometry // nil if it cannot be read
	label    string
	values   consult.Values
}

// forms are the forms of a mark that count: itself, or its acting edits. The last one is shown.
func (v *marksView) forms(m *consult.Mark) []drawn {
	var out []drawn
	for _, id := range m.Edits {
		e := v.t.ledger.Entry(id)
		if e == nil {
			continue
		}
		if f, ok := editForm(e, m.Place); ok {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		out = append(out, drawn{entry: m.Entry, place: m.Place, geometry: m.Geometry, label: m.Label, values: m.Values})
	}
	return out
}

func editForm(e *ledger.Entry, place consult.Place) (drawn, bool) {
	b, err := consult.Decode(e.Kind, e.Body)
	edit, ok := b.(*consult.MarkEditBody)
	if err != nil || !ok {
		return drawn{}, false
	}
	f := drawn{entry: e.ID, time: e.ClaimedMS, place: place, label: edit.Label}
	if g, err := consult.DecodeGeometry(edit.Geometry); err == nil {
		f.geometry = g
	}
	if v, err := consult.DecodeValues(edit.Values); err == nil {
		f.values = v
	}
	return f, true
}

// markJob is one form to measure.
type markJob struct {
	key    checkKey
	form   drawn
	at     *located
	scales []scaleMark
}

// checkMarks measures what was not measured yet of a case's marks, within checkTime. It takes the
// lock for a moment only.
func (d *Desk) checkMarks(ctx context.Context, said string) {
	jobs, err := hold(d, func() ([]markJob, error) { return d.unchecked(ctx, said) })
	if err != nil || len(jobs) == 0 {
		return // the caller asks again, and says why not
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	byFrame := map[consult.Place][]markJob{}
	for _, j := range jobs {
		p := imageOf(j.form.place)
		byFrame[p] = append(byFrame[p], j)
	}
	groups := make([][]markJob, 0, len(byFrame))
	for _, g := range byFrame {
		groups = append(groups, g)
	}
	_ = d.forEach(ctx, len(groups), func(i int) error {
		d.checkFrame(ctx, groups[i])
		return nil
	})
}

// unchecked lists the forms that can be measured now. The lock is held.
func (d *Desk) unchecked(ctx context.Context, said string) ([]markJob, error) {
	p, t, err := d.actingIn(ctx, said)
	if err != nil {
		return nil, err
	}
	v := d.marksView(p, t)
	var out []markJob
	for i := range v.s.Marks {
		m := &v.s.Marks[i]
		if m.Removed {
			continue
		}
		at := v.image(m)
		if at == nil || !d.here(&at.row) {
			continue
		}
		scales := v.scales[imageOf(m.Place)]
		for _, f := range v.forms(m) {
			k := checkKey{f.entry, len(scales)}
			if _, done := d.checks.get(k); !done && f.geometry != nil && len(f.values) > 0 {
				out = append(out, markJob{k, f, at, scales})
			}
		}
	}
	return out, nil
}

// quarantined reports whether a mark lies on a study that was reported as the wrong patient's.
func (v *marksView) quarantined(m *consult.Mark) bool {
	return slices.ContainsFunc(v.s.Grants, func(g consult.Grant) bool { return g.Lineage == m.Place.Lineage && g.Quarantined })
}

// image is the image of a mark as the case's grants give it; nil where it is not known here.
func (v *marksView) image(m *consult.Mark) *located {
	for _, g := range v.s.Grants {
		h := v.d.studies.held[holdingKey{g.Lineage, g.Author}]
		if g.Lineage != m.Place.Lineage || h == nil || h.manifest == nil {
			continue
		}
		if in := h.places[m.Place.SOPUID]; in != nil {
			return h.locate(v.p, in)
		}
	}
	return nil
}

// checkFrame measures the marks of one frame. A failure to open the frame is not kept: it may be
// here whole the next time.
func (d *Desk) checkFrame(ctx context.Context, jobs []markJob) {
	at, k := jobs[0].at, jobs[0].form.place.Frame
	if k < 1 || k > max(1, at.row.Frames) {
		for _, j := range jobs {
			d.checks.put(j.key, checked{why: "the image has no such frame"})
		}
		return
	}
	f, err := d.frameOf(ctx, at, int(k-1))
	if err != nil {
		if control.AsError(err).Code == control.Refused && !errors.Is(err, errNotArrived) && ctx.Err() == nil {
			for _, j := range jobs {
				d.checks.put(j.key, checked{why: "this version cannot read the image"})
			}
		}
		return
	}
	var sum [32]byte
	if at.row.BulkLen <= sumBytesMax {
		if sum, err = d.bulkSum(ctx, &at.row); err != nil {
			return
		}
	}
	for _, j := range jobs {
		if sum != ([32]byte{}) && sum != j.form.place.SHA256 {
			d.checks.put(j.key, checked{why: "it was drawn on other pixels than those here"})
			continue
		}
		spacings := []annot.Spacing{annot.SpacingOf(f, j.form.geometry.Pixels()...)}
		if annot.ByHand(j.form.values) {
			for _, c := range j.scales {
				if s, ok := annot.Calibrated(c.geometry, c.values, f, c.by); ok {
					spacings = append(spacings, s)
				}
			}
		}
		var c checked
		// The newest calibration counts, unless an earlier one is the author's.
		for i := len(spacings) - 1; i >= 0 && !c.same; i-- {
			own, err := annot.MeasureWith(j.form.geometry, f, spacings[i])
			if err != nil {
				c = checked{why: "this version cannot measure it"}
				break
			}
			if same := !annot.Differs(j.form.values, own); same || c.own == nil {
				c = checked{own: own, same: same}
			}
		}
		d.checks.put(j.key, c)
	}
}

// bulkSum hashes the unpacked bulk of an instance that is here.
func (d *Desk) bulkSum(ctx context.Context, row *study.ManifestInstance) ([32]byte, error) {
	if row.Bulk.Ref == nil {
		return sha256.Sum256(nil), nil
	}
	id := row.Bulk.Ref.ID
	d.checks.mu.Lock()
	sum, ok := d.checks.sums[id]
	d.checks.mu.Unlock()
	if ok {
		return sum, nil
	}
	leave, err := d.frames.enter(ctx, row)
	if err != nil {
		return sum, err
	}
	defer leave()
	f, err := d.blobs.Open(id)
	if err != nil {
		return sum, internal("open the image", err)
	}
	defer f.Close()
	bulk, err := openBulk(row, f)
	if err != nil {
		return sum, internal("open the image", err)
	}
	h := sha256.New()
	if _, err := io.CopyBuffer(h, &ctxReader{ctx, io.NewSectionReader(bulk, 0, int64(row.BulkLen))}, make([]byte, 1<<20)); err != nil {
		return sum, internal("read the image", err)
	}
	h.Sum(sum[:0])
	d.checks.mu.Lock()
	if len(d.checks.sums) >= sumsMax {
		clear(d.checks.sums)
	}
	d.checks.sums[id] = sum
	d.checks.mu.Unlock()
	return sum, nil
}

// ctxReader stops when nobody waits any more.
type ctxReader struct {
	ctx context.Context //nolint:containedctx // for the one call that makes it
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
