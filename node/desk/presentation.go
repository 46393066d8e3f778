package desk

import (
	"context"
	"image"
	"image/draw"
	"slices"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
)

const (
	// statesMax bounds the presentation states and selections that are read of one study, stateBytesMax
	// each of them: pages of annotations, and overlays of their own.
	statesMax     = 500
	stateBytesMax = 16 << 20
)

var stateKinds = map[string]string{
	annot.ClassGrayscaleState: "presentation", annot.ClassColourState: "presentation", annot.ClassKeyObjects: "key-objects",
}

// stateRow is a presentation state or a selection that a study has.
type stateRow struct {
	series string
	row    study.ManifestInstance
}

// PresentationList lists the presentation states and key-object selections in a study.
func (d *Desk) PresentationList(ctx context.Context, req control.PresentationListRequest) ([]control.PresentationInfo, error) {
	var target *located
	rows, err := hold(d, func() ([]stateRow, error) {
		p, err := d.acting(ctx)
		if err != nil {
			return nil, err
		}
		h, err := d.findStudy(p, req.Study)
		if err != nil {
			return nil, err
		}
		if req.SOPUID != "" {
			if target, err = d.find(p, req.Study, req.SOPUID); err != nil {
				return nil, err
			}
		}
		return h.states(), nil
	})
	if err != nil {
		return nil, err
	}
	return d.stateInfos(ctx, rows, target, req.Frame)
}

// states are the instances of a study that say how others are shown. The lock is held.
func (h *holding) states() []stateRow {
	var out []stateRow
	for s := range h.manifest.Series {
		for i := range h.manifest.Series[s].Instances {
			in := &h.manifest.Series[s].Instances[i]
			if stateKinds[in.SOPClass] != "" && len(out) < statesMax {
				out = append(out, stateRow{h.manifest.Series[s].UID, *in})
			}
		}
	}
	return out
}

// stateInfos reads states; with a target only those that concern it, and what they mean there.
func (d *Desk) stateInfos(ctx context.Context, rows []stateRow, target *located, frame int) ([]control.PresentationInfo, error) {
	out := []control.PresentationInfo{}
	for i := range rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		info, p := d.stateInfo(&rows[i])
		if target != nil {
			uid := target.row.UID
			switch {
			case p != nil && p.Touches(uid, frame+1):
				applyState(&info, p, target, frame)
			case p == nil && info.Reason == "" && slices.Contains(info.Images, uid):
			case info.Reason != "": // it may be of this image
			default:
				continue
			}
		}
		out = append(out, info)
	}
	return out, nil
}

func (d *Desk) stateInfo(r *stateRow) (control.PresentationInfo, *annot.Presentation) {
	info := control.PresentationInfo{SOPUID: r.row.UID, SeriesUID: r.series, Kind: stateKinds[r.row.SOPClass], Images: []string{}}
	file, why := d.stateFile(&r.row)
	if why != "" {
		info.Reason = why
		return info, nil
	}
	var made annot.Made
	var images []annot.Ref
	var p *annot.Presentation
	var err error
	if r.row.SOPClass == annot.ClassKeyObjects {
		var k *annot.KeyObjects
		if k, err = annot.ReadKeyObjects(file); err == nil {
			made, images, info.Findings = k.Made, k.Images, k.Findings
			info.Label, info.Description = text.Line(k.Title.Meaning), text.Clean(k.Description)
		}
	} else if p, err = annot.ReadPresentation(file); err == nil {
		made, images, info.Findings = p.Made, p.Images, p.Findings
		info.Label, info.Description = text.Line(p.Label), text.Line(p.Description)
	}
	if err != nil {
		info.Reason = "cannot be read by this version"
		return info, nil
	}
	info.Creator, info.Created = text.Line(made.Creator), text.Line(made.Date+made.Time)
	for _, ref := range images {
		info.Images = append(info.Images, ref.SOPUID)
	}
	return info, p
}

// stateFile is the file of a state that is here, else why there is none.
func (d *Desk) stateFile(row *study.ManifestInstance) (file []byte, why string) {
	switch {
	case !d.here(row):
		return nil, "has not arrived yet"
	case row.FileSize > stateBytesMax:
		return nil, "is too large to be read here"
	}
	file, err := d.rebuild(row)
	if err != nil {
		return nil, "is damaged"
	}
	return file, ""
}

func applyState(info *control.PresentationInfo, p *annot.Presentation, target *located, frame int) {
	uid := target.row.UID
	info.State = p.Render(uid, frame+1)
	drawing := p.Drawing(uid, frame+1, int(target.row.Rows), int(target.row.Cols))
	for _, path := range drawing.Paths {
		info.Paths = append(info.Paths, control.StatePath{Points: path.Points, Closed: path.Closed})
	}
	for _, t := range drawing.Texts {
		info.Texts = append(info.Texts, control.StateText{Text: text.Clean(t.Text), At: t.At, Anchor: t.Anchor})
	}
}

// stateToApply reads the state that a picture is asked for with.
func (d *Desk) stateToApply(said string, target *located, frame int) (*control.PresentationInfo, error) {
	r, err := hold(d, func() (*stateRow, error) {
		for _, r := range target.h.states() {
			if r.row.UID == said {
				return &r, nil
			}
		}
		return nil, control.Errorf(control.NotFound, "no such presentation state in the study of this image").
			WithHint("list them with: curbside study show %s", target.study[:8])
	})
	if err != nil {
		return nil, err
	}
	info, p := d.stateInfo(r)
	switch {
	case info.Reason != "":
		return nil, control.Errorf(control.Refused, "the presentation state %s", info.Reason)
	case p == nil || !p.Touches(target.row.UID, frame+1):
		return nil, control.Errorf(control.Refused, "that does not say how this image is shown")
	}
	applyState(&info, p, target, frame)
	return &info, nil
}

// seen cuts a picture to the area that a state displays, and turns it.
func seen(p image.Image, s *render.Presentation) image.Image {
	if a := s.Area; a != nil {
		r := image.Rect(min(a.X0, a.X1)-1, min(a.Y0, a.Y1)-1, max(a.X0, a.X1), max(a.Y0, a.Y1)).Intersect(p.Bounds())
		if !r.Empty() && r != p.Bounds() {
			var to draw.Image = image.NewRGBA(image.Rect(0, 0, r.Dx(), r.Dy()))
			if _, grey := p.(*image.Gray); grey {
				to = image.NewGray(to.Bounds())
			}
			draw.Draw(to, to.Bounds(), p, r.Min, draw.Src)
			p = to
		}
	}
	return s.Turn.Image(p)
}
