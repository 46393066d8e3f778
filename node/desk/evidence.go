package desk

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/node/control"
)

// markName is how the interface and reports call a mark: A1 is the first of the case, in display
// order. Late entries may shift it, so a report holds what it cited, not the name.
func markName(i int) string { return "A" + strconv.Itoa(i+1) }

// cite puts the marks that a text cites into it. What is kept and signed is what they measure on this
// node's pixels now; it does not change with the marks.
func (d *Desk) cite(ctx context.Context, said, text string) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	d.checkMarks(ctx, said)
	return hold(d, func() (string, error) {
		p, t, err := d.actingIn(ctx, said)
		if err != nil {
			return "", err
		}
		all := d.evidence(p, t)
		out, err := report.Expand(text, all)
		if err != nil {
			return "", control.Errorf(control.Refused, "%v", err).WithHint("the case has %s: see curbside case show", evidenceNames(all))
		}
		return out, nil
	})
}

func evidenceNames(all []report.Evidence) string {
	switch len(all) {
	case 0:
		return "no marks"
	case 1:
		return all[0].Label
	default:
		return all[0].Label + " to " + all[len(all)-1].Label
	}
}

// evidence is the marks of a case as reports cite them. Call with mu.
func (d *Desk) evidence(p *person, t *thread) []report.Evidence {
	v := d.marksView(p, t)
	out := make([]report.Evidence, 0, len(v.s.Marks))
	for i := range v.s.Marks {
		m := &v.s.Marks[i]
		fs := v.forms(m)
		shown := fs[len(fs)-1]
		e := report.Evidence{Label: markName(i), Where: d.whereOf(nil, v.s, anchorOf(shown))}
		switch row := v.state(m, shown); {
		case m.Removed:
			e.Value = "removed"
		case v.quarantined(m):
			e.Where, e.Value = "", "do not use: wrong patient"
		case row.Own != nil:
			e.Value = valueText(row.Own)
		case len(row.Values) > 0:
			e.Value = valueText(row.Values) + " by " + d.memberName(m.Author) + ", not checked"
		default:
			e.Value = row.Label
		}
		out = append(out, e)
	}
	return out
}

// valueText prints the values of a mark, with where its unit comes from.
func valueText(values []control.MarkValue) string {
	var parts []string
	calibration := ""
	for i, v := range values {
		s := strings.TrimSpace(strconv.FormatFloat(v.Value, 'f', decimals(v), 64) + " " + v.Unit)
		if i > 0 {
			s = v.Name + " " + s
		}
		parts = append(parts, s)
		if calibration == "" {
			calibration = v.Calibration
		}
	}
	out := strings.Join(parts, ", ")
	if calibration != "" && len(values) > 0 && values[0].Unit != "" {
		out += " [" + calibration + "]"
	}
	return out
}

func decimals(v control.MarkValue) int {
	switch {
	case v.Unit != "":
		return 1
	case v.Value == math.Trunc(v.Value):
		return 0 // counts
	default:
		return 2 // ratios and scores
	}
}

// whereOf names an image as p finds it; for nobody in particular as all members find it, who read
// what goes into a report. Call with mu.
func (d *Desk) whereOf(p *person, s *consult.State, a *consult.Anchor) string {
	for _, g := range s.Grants {
		h := d.studyAs(p, g)
		if h == nil || h.key.lineage != a.Lineage || h.manifest == nil {
			continue
		}
		at := h.places[a.SOPUID]
		if at == nil {
			continue
		}
		se := &h.manifest.Series[at.series]
		where := fmt.Sprintf("series %d, image %d", se.Number, at.index+1)
		if se.Instances[at.index].Frames > 1 {
			where += fmt.Sprintf(", frame %d", a.Frame+1)
		}
		if h.manifest.Study.Date != "" {
			where += ", " + h.manifest.Study.Date
		}
		return where
	}
	return ""
}
