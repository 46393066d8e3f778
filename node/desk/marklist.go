package desk

import (
	"context"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// MarkList lists the marks of a case, or of a part of it.
func (d *Desk) MarkList(ctx context.Context, req control.MarkListRequest) ([]control.Mark, error) {
	d.checkMarks(ctx, req.Case)
	return hold(d, func() ([]control.Mark, error) { return d.markList(ctx, req) })
}

func (d *Desk) markList(ctx context.Context, req control.MarkListRequest) ([]control.Mark, error) {
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return nil, err
	}
	v := d.marksView(p, t)
	threads := newReplies(v.s, p)
	times := map[ledger.EntryID]int64{}
	for i := range v.s.Posts {
		times[v.s.Posts[i].Entry] = v.s.Posts[i].TimeMS
	}
	out := []control.Mark{}
	for i := range v.s.Marks {
		m := &v.s.Marks[i]
		fs := v.forms(m)
		shown := fs[len(fs)-1]
		a := d.anchor(p, v.s, anchorOf(shown))
		if m.Removed && !req.Removed || req.SOPUID != "" && a.SOPUID != req.SOPUID ||
			req.SeriesUID != "" && a.SeriesUID != req.SeriesUID || req.Study != "" && !idMatches(a.Study, req.Study) {
			continue
		}
		out = append(out, control.Mark{
			Entry: m.Entry.String(), Name: markName(i), Author: m.Author.String(), AuthorName: d.memberName(m.Author), Mine: m.Author == p.id,
			Time: instant(times[m.Entry]), Anchor: *a,
			MarkState: v.state(m, shown), MarkHistory: v.history(m, fs),
			Replies: threads.count[m.Entry], Unread: threads.unread[m.Entry],
		})
	}
	return out, nil
}

// anchorOf is where a form of a mark lies, its frame counted from 0.
func anchorOf(f drawn) *consult.Anchor {
	a := &consult.Anchor{Lineage: f.place.Lineage, SOPUID: f.place.SOPUID, Points: [][2]float64{}}
	if n := f.place.Frame; n > 0 && n < 1<<31 {
		a.Frame = int(n - 1)
	}
	if f.geometry != nil {
		a.Points = f.geometry.Pixels()
	}
	return a
}

// entry is what an entry says of a mark; nil for other entries.
func (v *marksView) entry(post *consult.Post) *control.EntryMark {
	if m := v.byID[post.Entry]; m != nil {
		fs := v.forms(m)
		return &control.EntryMark{MarkState: v.state(m, fs[len(fs)-1]), MarkHistory: v.history(m, fs)}
	}
	if post.Kind != ledger.MarkEdit || post.ReplyTo == nil {
		return nil
	}
	m, e := v.byID[*post.ReplyTo], v.t.ledger.Entry(post.Entry)
	if m == nil || e == nil {
		return nil
	}
	f, ok := editForm(e, m.Place)
	if !ok {
		return nil
	}
	return &control.EntryMark{MarkState: v.state(m, f), MarkHistory: control.MarkHistory{Removed: m.Removed, Edits: []control.MarkEdit{}}}
}

func (v *marksView) history(m *consult.Mark, fs []drawn) control.MarkHistory {
	h := control.MarkHistory{Removed: m.Removed, Edits: []control.MarkEdit{}}
	if m.DerivedFrom != nil {
		id := m.DerivedFrom.String()
		h.DerivedFrom = &id
	}
	for _, f := range fs {
		if f.entry == m.Entry {
			continue
		}
		h.Edits = append(h.Edits, control.MarkEdit{
			Entry: f.entry.String(), Time: instant(f.time), Points: anchorOf(f).Points, MarkState: v.state(m, f),
		})
	}
	return h
}

// state shows one form of a mark with the author's values and one's own.
func (v *marksView) state(m *consult.Mark, f drawn) control.MarkState {
	row := control.MarkState{Shape: "unknown", Tool: "unknown", Label: text.Clean(f.label), Values: valueRows(f.values), Check: control.CheckNot}
	if f.geometry == nil {
		row.Why = "needs a newer curbside"
		return row
	}
	row.Shape = f.geometry.Shape.String()
	row.Tool = toolName(f.geometry)
	if len(f.values) == 0 {
		row.Check = control.CheckNothing
		return row
	}
	if c, ok := v.d.checks.get(checkKey{f.entry, len(v.scales[imageOf(m.Place)])}); ok {
		row.Own, row.Why = measuredRows(c.own), c.why
		switch {
		case c.own == nil && c.why != "":
		case c.same:
			row.Check = control.CheckSame
		default:
			row.Check = control.CheckDiffers
			row.Why = "measured here on the same pixels"
		}
		return row
	}
	switch at := v.image(m); {
	case at == nil:
		row.Why = "its image is not known here"
	case !v.d.here(&at.row):
		row.Why = errNotArrived.Message
	case m.Removed:
		row.Why = "removed"
	default:
		row.Why = "not measured yet"
	}
	return row
}

func toolName(g *consult.Geometry) string {
	if t, ok := annot.ToolOf(g); ok {
		return t.Name
	}
	if g.Tool != "" {
		return g.Tool
	}
	return g.Shape.String()
}

func valueRows(v consult.Values) []control.MarkValue {
	out := []control.MarkValue{}
	for _, x := range v {
		out = append(out, control.MarkValue{
			Name: text.Line(x.Name), Value: float64(x.Thousandths) / 1000, Unit: text.Line(x.Unit), Calibration: text.Line(x.Calibration),
		})
	}
	return out
}

func measuredRows(m []annot.Measured) []control.MarkValue {
	out := []control.MarkValue{}
	for _, x := range m {
		out = append(out, control.MarkValue{Name: x.Name, Value: x.Value, Unit: x.Unit, Calibration: x.Calibration})
	}
	return out
}

// measuredRow is what was measured of a new mark; nil if nothing was.
func measuredRow(m *marking) *control.Measured {
	rows := measuredRows(m.measured)
	if m.mm != nil || !m.measure { // what its author states, or what stays
		rows = valueRows(m.values)
	}
	if len(rows) == 0 {
		return nil
	}
	out := &control.Measured{MarkValue: rows[0], Values: rows}
	byName := map[string]**float64{"mean": &out.Mean, "sd": &out.SD, "min": &out.Min, "max": &out.Max, "area": &out.Area, "n": &out.N}
	for i := range rows {
		if to := byName[rows[i].Name]; to != nil {
			*to = &rows[i].Value
		}
	}
	return out
}

// replies counts the messages of the threads below marks.
type replies struct{ count, unread map[ledger.EntryID]int }

func newReplies(s *consult.State, p *person) replies {
	r := replies{map[ledger.EntryID]int{}, map[ledger.EntryID]int{}}
	unseen := map[ledger.EntryID]bool{}
	for _, id := range consult.Unseen(s, p.id) {
		unseen[id] = true
	}
	// Posts come in display order, what they reply to before them.
	below := map[ledger.EntryID]ledger.EntryID{}
	for i := range s.Marks {
		below[s.Marks[i].Entry] = s.Marks[i].Entry
	}
	for i := range s.Posts {
		post := &s.Posts[i]
		if post.Kind != ledger.Message || post.ReplyTo == nil {
			continue
		}
		mark, ok := below[*post.ReplyTo]
		if !ok {
			continue
		}
		below[post.Entry] = mark
		if post.Retracted || !post.InForce {
			continue
		}
		r.count[mark]++
		if unseen[post.Entry] {
			r.unread[mark]++
		}
	}
	return r
}
