package desk

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// MarkTools lists the types of marks.
func (d *Desk) MarkTools(context.Context, control.None) ([]control.MarkTool, error) {
	var out []control.MarkTool
	for _, t := range annot.Tools() {
		out = append(out, control.MarkTool{
			Type: t.Name, Title: t.Title, Specialty: t.Specialty, Shape: t.Shape.String(),
			Min: t.Min, Max: t.Max, Prompts: t.Prompts, Aliases: t.Aliases,
		})
	}
	return out, nil
}

// CaseAnnotate makes, edits or removes a mark.
func (d *Desk) CaseAnnotate(ctx context.Context, req control.AnnotateRequest) (control.Annotated, error) {
	if err := checkAnnotate(&req); err != nil {
		return control.Annotated{}, err
	}
	if req.Remove != "" {
		return d.removeMark(ctx, req)
	}
	m, err := hold(d, func() (*marking, error) { return d.beginMark(ctx, req) })
	if err != nil {
		return control.Annotated{}, err
	}
	if m.measure {
		if err := d.measureMark(ctx, m); err != nil {
			return control.Annotated{}, err
		}
	}
	return hold(d, func() (control.Annotated, error) { return d.postMark(ctx, req, m) })
}

// checkAnnotate refuses what makes no sense together.
func checkAnnotate(req *control.AnnotateRequest) error {
	place := req.SOPUID != "" || req.Study != "" || req.Frame != 0
	content := req.Type != "" || len(req.Points) > 0 || req.Text != nil || req.Value != nil
	switch {
	case req.Edit != "" && req.Remove != "":
		return control.Errorf(control.Usage, "a mark is edited or removed, not both")
	case req.Remove != "" && (place || content || req.DerivedFrom != ""):
		return control.Errorf(control.Usage, "to remove a mark nothing else is said")
	case req.Edit != "" && (place || req.DerivedFrom != ""):
		return control.Errorf(control.Usage, "a mark stays on its image").WithHint("remove it, and make another one there")
	case req.Edit != "" && !content:
		return control.Errorf(control.Usage, "nothing is said to change")
	case req.Edit == "" && req.Remove == "" && (req.SOPUID == "" || req.Type == ""):
		return control.Errorf(control.Usage, "a mark has an image and a type").WithHint("%s", typesHint())
	}
	return nil
}

func typesHint() string {
	var names []string
	for _, t := range annot.Tools() {
		names = append(names, t.Name)
	}
	return "types: " + strings.Join(names, ", ")
}

// marking is a mark in the making.
type marking struct {
	at      *located
	place   consult.Place
	tool    annot.Tool
	points  [][2]float64
	mm      *float64 // of a calibration
	name    string   // of its author
	label   string
	derived *ledger.EntryID
	edits   *ledger.EntryID
	measure bool        // geometry and values are made anew
	scales  []scaleMark // calibrations of the image, those of others first

	geometry *consult.Geometry
	values   consult.Values
	measured []annot.Measured
}

// beginMark finds what the mark is about. The lock is held.
func (d *Desk) beginMark(ctx context.Context, req control.AnnotateRequest) (*marking, error) {
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return nil, err
	}
	if t.ledger.Members().Ranks[p.id] < ledger.RankNeeded(ledger.Mark) {
		return nil, control.Errorf(control.Refused, "your role in this case does not allow marks").WithHint("ask the requester for another role")
	}
	m := &marking{points: req.Points, mm: req.Value, name: d.memberName(p.id), measure: true}
	if req.Edit != "" {
		err = d.beginEdit(p, t, req, m)
	} else {
		err = d.beginNew(p, t, req, m)
	}
	if err != nil {
		return nil, err
	}
	if req.Text != nil {
		m.label = *req.Text
	}
	if m.mm != nil && m.tool.Construct != annot.Scale {
		return nil, control.Errorf(control.Usage, "a true length belongs to the type calibration")
	}
	if m.mm == nil && m.tool.Construct == annot.Scale {
		return nil, control.Errorf(control.Usage, "a calibration wants its true length in mm")
	}
	for _, c := range d.marksView(p, t).scales[imageOf(m.place)] {
		if !c.removed {
			m.scales = append(m.scales, c)
		}
	}
	slices.SortStableFunc(m.scales, func(a, b scaleMark) int { return compareBool(a.author == p.id, b.author == p.id) })
	return m, nil
}

func (d *Desk) beginNew(p *person, t *thread, req control.AnnotateRequest, m *marking) error {
	if err := m.useTool(req.Type); err != nil {
		return err
	}
	if req.DerivedFrom != "" {
		of, err := findMark(t, req.DerivedFrom)
		if err != nil {
			return err
		}
		m.derived = &of.Entry
	}
	at, err := d.findInCase(p, t, req.Study, req.SOPUID)
	if err != nil {
		return err
	}
	if req.Frame < 0 || uint64(req.Frame) >= max(1, at.row.Frames) {
		return control.Errorf(control.NotFound, "no such frame").WithHint("this instance has frames 0 to %d", max(at.row.Frames, 1)-1)
	}
	m.at = at
	m.place = consult.Place{Lineage: at.h.key.lineage, SOPUID: at.row.UID, Frame: uint64(req.Frame) + 1}
	if len(m.points) == 0 && m.tool.Shape == consult.ShapeKey { // all of the image
		m.points = [][2]float64{{float64(at.row.Cols) / 2, float64(at.row.Rows) / 2}}
	}
	return nil
}

func (m *marking) useTool(name string) error {
	tool, ok := annot.FindTool(name)
	if !ok {
		return control.Errorf(control.Usage, "type %q is not known", name).WithHint("%s", typesHint())
	}
	m.tool = tool
	return nil
}

// beginEdit takes over what is not said anew.
func (d *Desk) beginEdit(p *person, t *thread, req control.AnnotateRequest, m *marking) error {
	old, err := findMark(t, req.Edit)
	if err != nil {
		return err
	}
	if err := ownMark(p, old); err != nil {
		return err
	}
	m.edits, m.place, m.label, m.geometry, m.values = &old.Entry, old.Place, old.Label, old.Geometry, old.Values
	if old.Geometry == nil {
		return control.Errorf(control.Refused, "this mark needs a newer curbside").WithHint("it can be removed with --remove")
	}
	tool, ok := annot.ToolOf(old.Geometry)
	switch {
	case req.Type != "":
		if err := m.useTool(req.Type); err != nil {
			return err
		}
	case !ok:
		return control.Errorf(control.Refused, "the tool of this mark is not known here").WithHint("%s", typesHint())
	default:
		m.tool = tool
	}
	if m.mm == nil && m.tool.Construct == annot.Scale {
		m.mm = annot.TrueLength(old.Values)
	}
	if req.Type == "" && len(req.Points) == 0 && req.Value == nil {
		m.measure = false // another text alone
		return nil
	}
	if len(m.points) == 0 {
		m.points = old.Geometry.Pixels()
	}
	m.at, err = d.findInCase(p, t, "", old.Place.SOPUID)
	if err == nil && m.at.h.key.lineage != old.Place.Lineage {
		err = control.Errorf(control.NotFound, "this image is not in the case any more")
	}
	return err
}

// ownMark says early what consult.Authorize would say later.
func ownMark(p *person, m *consult.Mark) error {
	switch {
	case m.Author != p.id:
		return control.Errorf(control.Refused, "only its author may change a mark").
			WithHint("make one of your own from it: --derived-from %s", m.Entry.String()[:12])
	case m.Removed:
		return control.Errorf(control.Refused, "the mark was removed")
	}
	return nil
}

func findMark(t *thread, said string) (*consult.Mark, error) {
	id, err := findEntry(t, said)
	if err != nil {
		return nil, err
	}
	s := t.fold()
	for i := range s.Marks {
		if s.Marks[i].Entry == id {
			return &s.Marks[i], nil
		}
	}
	return nil, control.Errorf(control.NotFound, "no mark of this case is named so").WithHint("list them with: curbside case show")
}

// findInCase finds an image in the studies that a case was granted.
func (d *Desk) findInCase(p *person, t *thread, said, uid string) (*located, error) {
	var found []*located
	coming := false
	for _, g := range t.fold().Grants {
		h := d.studies.held[holdingKey{g.Lineage, g.Author}]
		if h == nil || h.manifest == nil {
			coming = true
			continue
		}
		uid := uid
		if s := d.shareFor(p, g.Lineage, g.Author); s != nil { // marks lie on what was shared
			if o := d.studies.held[s.original]; o != nil && o.manifest != nil {
				if said != "" && !idMatches(o.id(), said) && o.manifest.Study.UID != said {
					continue
				}
				if o.places[uid] != nil {
					uid = s.row.Link.SurrogateUID(uid)
				}
			}
		} else if said != "" && !idMatches(h.id(), said) && h.manifest.Study.UID != said {
			continue
		}
		if h.places[uid] != nil {
			if g.Quarantined {
				return nil, control.Errorf(control.Refused, "this study was reported as the wrong patient's")
			}
			found = append(found, h.locate(p, h.places[uid]))
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		several := make([]*holding, 0, len(found))
		for _, at := range found {
			several = append(several, at.h)
		}
		return nil, severalStudies("several studies of this case hold this instance", several)
	case coming:
		return nil, control.Errorf(control.Refused, "no such image is known in this case: a study of it has not arrived yet")
	}
	return nil, control.Errorf(control.NotFound, "no such image in this case").WithHint("its studies: curbside case show %s", t.ledger.ID().String()[:12])
}

// measureMark draws and measures on the node's own pixels, without the lock.
func (d *Desk) measureMark(ctx context.Context, m *marking) error {
	f, err := d.frameOf(ctx, m.at, int(m.place.Frame-1))
	if err != nil {
		return err
	}
	if m.geometry, err = annot.New(m.tool, m.points, f.Rows(), f.Cols()); err != nil {
		return markError(err, m.tool, f)
	}
	if m.mm != nil {
		if m.values, err = annot.Calibration(m.geometry, f, *m.mm, m.name); err != nil {
			return control.Errorf(control.Refused, "this is no calibration: %v", err).WithHint("two points of a known length in mm")
		}
	}
	spacing := annot.SpacingOf(f, m.geometry.Pixels()...)
	if m.mm == nil {
		for _, c := range m.scales {
			if s, ok := annot.Calibrated(c.geometry, c.values, f, c.by); ok {
				spacing = s
			}
		}
	}
	if m.measured, err = annot.MeasureWith(m.geometry, f, spacing); err != nil {
		return markError(err, m.tool, f)
	}
	if m.mm == nil {
		m.values = annot.Values(m.measured)
	}
	if m.edits == nil { // an edit has no place of its own
		m.place.SHA256, err = d.bulkSum(ctx, &m.at.row)
	}
	return err
}

// frameOf decodes a frame for measuring.
func (d *Desk) frameOf(ctx context.Context, at *located, k int) (*render.Frame, error) {
	n, in, err := d.frame(ctx, at, k)
	if err != nil {
		return nil, err
	}
	f, err := render.New(n, in.Pixel.Frame(k))
	if err != nil {
		return nil, control.Errorf(control.Refused, "cannot be displayed here, stored and forwarded intact: %v", err)
	}
	return f, nil
}

func markError(err error, t annot.Tool, f *render.Frame) error {
	switch {
	case errors.Is(err, annot.ErrPoints):
		return control.Errorf(control.Usage, "%v", err).WithHint("in this order: %s", strings.Join(t.Prompts, "; "))
	case errors.Is(err, annot.ErrOutside):
		return control.Errorf(control.Refused, "%v", err).
			WithHint("x goes from 0 to %d and y from 0 to %d, from the top left corner", f.Cols(), f.Rows())
	default:
		return control.Errorf(control.Refused, "this mark cannot be made: %v", err)
	}
}

// postMark writes the entry. The lock is held.
func (d *Desk) postMark(ctx context.Context, req control.AnnotateRequest, m *marking) (control.Annotated, error) {
	var none control.Annotated
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return none, err
	}
	geometry, err := m.geometry.Encode()
	if err != nil {
		return none, control.Errorf(control.Refused, "this mark cannot be made: %v", err)
	}
	values, err := m.values.Encode()
	if err != nil {
		return none, control.Errorf(control.Refused, "this mark cannot be made: %v", err)
	}
	kind, body := ledger.Mark, any(consult.MarkBody{
		Place: m.place, Geometry: geometry, Label: m.label, Values: values, DerivedFrom: m.derived,
	})
	if m.edits != nil {
		kind, body = ledger.MarkEdit, consult.MarkEditBody{Mark: *m.edits, Geometry: geometry, Label: m.label, Values: values}
	}
	ref, err := d.actOn(t, p, kind, body)
	if err != nil {
		return none, err
	}
	a := &consult.Anchor{Lineage: m.place.Lineage, SOPUID: m.place.SOPUID, Frame: int(m.place.Frame - 1), Points: m.geometry.Pixels()}
	out := control.Annotated{Entry: ref.Entry, Anchor: d.anchor(p, t.fold(), a), Measured: measuredRow(m)}
	if m.at != nil && m.measure {
		out.Warnings = measureWarnings(out.Measured)
	}
	return out, nil
}

// measureWarnings says what a length without a calibration means.
func measureWarnings(m *control.Measured) []string {
	if m != nil && slices.ContainsFunc(m.Values, func(v control.MarkValue) bool { return v.Calibration == "uncalibrated" }) {
		return []string{"uncalibrated: lengths are in pixels, and no size in the patient follows from them"}
	}
	return nil
}

func (d *Desk) removeMark(ctx context.Context, req control.AnnotateRequest) (control.Annotated, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return control.Annotated{}, err
	}
	m, err := findMark(t, req.Remove)
	if err != nil {
		return control.Annotated{}, err
	}
	if err := ownMark(p, m); err != nil {
		return control.Annotated{}, err
	}
	ref, err := d.actOn(t, p, ledger.MarkRemove, consult.MarkRemoveBody{Mark: m.Entry})
	return control.Annotated{Entry: ref.Entry}, err
}
