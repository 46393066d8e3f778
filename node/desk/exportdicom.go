package desk

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Series of what is made here get numbers beyond those of scanners.
const (
	stateSeries   = 9001
	reportSeries  = 9101
	measureSeries = 9201
	printedSeries = 9301
	keySeries     = 9501
)

// exportMark is a mark on its way into an object.
type exportMark struct {
	annot.Marked
	at     *located
	author identity.PersonID
	entry  ledger.EntryID
	timeMS int64
	key    bool
}

// exportMarks are the marks of a case as they act.
//
// An image that a mark lies on and that is not here is a warning, or where whole is wanted an error.
func (d *Desk) exportMarks(ctx context.Context, said string, whole bool) ([]exportMark, []string, error) {
	d.checkMarks(ctx, said)
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, said)
	if err != nil {
		return nil, nil, err
	}
	v := d.marksView(p, t)
	times := map[ledger.EntryID]int64{}
	for i := range v.s.Posts {
		times[v.s.Posts[i].Entry] = v.s.Posts[i].TimeMS
	}
	var out []exportMark
	absent, unread, differ, aside, wrong := 0, 0, 0, 0, 0
	for i := range v.s.Marks {
		m := &v.s.Marks[i]
		if m.Removed {
			continue
		}
		if v.quarantined(m) {
			wrong++
			continue
		}
		fs := v.forms(m)
		f := fs[len(fs)-1]
		at := v.image(m)
		if at != nil { // the archive knows the originals, and gets nothing that it does not know
			if at = d.originalOf(p, at); at == nil {
				return nil, nil, control.Errorf(control.Refused, "a mark lies on an image that was shared under a pseudonym, and the original is not here any more")
			}
		}
		switch {
		case f.geometry == nil:
			unread++
			continue
		case at == nil || !d.here(&at.row):
			absent++
			continue
		}
		if len(fs) > 1 {
			aside++
		}
		if v.state(m, f).Check == control.CheckDiffers {
			differ++
		}
		out = append(out, exportMark{
			Marked: annot.Marked{Frame: int(m.Place.Frame), Geometry: f.geometry, Label: text.Clean(f.label), Values: f.values, Author: d.memberName(m.Author)},
			at:     at, author: m.Author, entry: m.Entry, timeMS: max(times[m.Entry], times[f.entry]), key: f.geometry.Shape == consult.ShapeKey,
		})
	}
	if whole && absent > 0 {
		return nil, nil, control.Errorf(control.Refused, "%d of the marks lie on images that are not here, so that what they refer to would be unknown to the archive", absent).
			WithHint("import the study again")
	}
	var warnings []string
	for _, w := range []struct {
		n    int
		what string
	}{
		{absent, "left out: the image is not here"},
		{wrong, "left out: the study was reported as the wrong patient's"},
		{unread, "left out: it needs a newer curbside"},
		{differ, "written with its author's values, which this node does not measure"},
		{aside, "has edits that did not know of each other: the last is written"},
	} {
		if w.n > 0 {
			warnings = append(warnings, fmt.Sprintf("%d of the marks %s", w.n, w.what))
		}
	}
	return out, warnings, nil
}

// describeImages reads the heads of the images that marks lie on.
func (d *Desk) describeImages(ctx context.Context, marks []exportMark, warnings *[]string) ([]exportMark, error) {
	read := map[string]*study.Instance{}
	bad := 0
	out := marks[:0]
	for _, m := range marks {
		key := m.at.study + m.at.row.UID
		in, ok := read[key]
		if !ok {
			var err error
			if in, err = d.describe(ctx, &m.at.row); err != nil && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			read[key] = in
		}
		if in == nil {
			bad++
			continue
		}
		m.Image = in
		out = append(out, m)
	}
	if bad > 0 {
		*warnings = append(*warnings, fmt.Sprintf("%d of the marks left out: the image cannot be read", bad))
	}
	return out, nil
}

// describe reads what an instance that is here says of itself.
func (d *Desk) describe(ctx context.Context, row *study.ManifestInstance) (*study.Instance, error) {
	leave, err := d.frames.enter(ctx, row)
	if err != nil {
		return nil, err
	}
	defer leave()
	return readHead(d, row, study.Parse, study.ParseJoined)
}

// readHead reads the head of an instance that is here with one of two readers: of a whole file, or of
// one whose pixels lie apart and are not read.
func readHead[T any](d *Desk, row *study.ManifestInstance, whole func([]byte) (T, error), joined func([]byte, int64, io.ReaderAt, int64) (T, error)) (T, error) {
	var none T
	head, err := d.head(row)
	if err != nil {
		return none, err
	}
	if row.Bulk.Ref == nil {
		return whole(head)
	}
	f, err := d.blobs.Open(row.Bulk.Ref.ID)
	if err != nil {
		return none, err
	}
	defer f.Close()
	bulk, err := openBulk(row, f)
	if err != nil {
		return none, err
	}
	return joined(head, int64(row.Off), bulk, int64(row.BulkLen))
}

// byAuthor groups marks by their author, in the order of the case.
func byAuthor(marks []exportMark) [][]exportMark {
	var out [][]exportMark
	at := map[identity.PersonID]int{}
	for _, m := range marks {
		i, ok := at[m.author]
		if !ok {
			i = len(out)
			at[m.author] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], m)
	}
	return out
}

func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return object.UID(b)
}
