package tui

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
)

// slices are where the phantom's images lie.
func (f *fake) slices(_ context.Context, r control.SeriesRequest) ([]study.Slice, error) {
	var out []study.Slice
	for i, sop := range f.of(r.SeriesUID) {
		if f.gap && i == 5 {
			continue
		}
		out = append(out, f.files[sop].Slices()...)
	}
	return out, nil
}

// marking keeps marks as the node does: what is measured is measured from the pixels.
func (f *fake) marking(mux *http.ServeMux) {
	handle(f, mux, control.MarkList, func(context.Context, control.MarkListRequest) ([]control.Mark, error) {
		return slices.Clone(f.marks), nil
	})
	handle(f, mux, control.PresentationList, func(context.Context, control.PresentationListRequest) ([]control.PresentationInfo, error) {
		return f.states, nil
	})
	handle(f, mux, control.CaseAnnotate, f.annotate)
}

func (f *fake) annotate(_ context.Context, r control.AnnotateRequest) (control.Annotated, error) {
	if r.Remove != "" {
		f.did("remove " + r.Remove)
		for i := range f.marks {
			f.marks[i].Removed = f.marks[i].Removed || f.marks[i].Entry == r.Remove
		}
		return control.Annotated{}, nil
	}
	i := slices.IndexFunc(f.marks, func(m control.Mark) bool { return m.Entry == r.Edit })
	if r.Edit != "" {
		f.did(fmt.Sprintf("move %s %v", r.Edit, r.Points))
		f.marks[i].Anchor.Points = r.Points
		f.measureMark(&f.marks[i])
		return control.Annotated{Entry: r.Edit, Anchor: &f.marks[i].Anchor}, nil
	}
	tool, ok := annot.FindTool(r.Type)
	if !ok {
		return control.Annotated{}, control.Errorf(control.Refused, "no such tool")
	}
	in := f.files[r.SOPUID]
	g, err := annot.New(tool, r.Points, in.Pixel.Rows, in.Pixel.Cols)
	if err != nil {
		return control.Annotated{}, control.Errorf(control.Refused, "%v", err)
	}
	m := control.Mark{
		Entry: fmt.Sprintf("m%d", len(f.marks)+1), Author: f.me.Person, AuthorName: f.me.Name, Mine: true, Time: fakeNow,
		Anchor:    control.Anchor{Study: r.Study, SeriesUID: f.studies[0].SeriesList[1].SeriesUID, SOPUID: r.SOPUID, Frame: r.Frame, Points: g.Pixels()},
		MarkState: control.MarkState{Shape: g.Shape.String(), Tool: tool.Name, Check: control.CheckSame},
	}
	if r.Text != nil {
		m.Label = *r.Text
	}
	f.measureMark(&m)
	m.Values = m.Own
	f.marks = append(f.marks, m)
	f.did(fmt.Sprintf("annotate %s %v %s", tool.Name, r.Points, m.Label))
	c, err := f.find(r.Case)
	if err == nil {
		c.Entries = append(c.Entries, control.Entry{Entry: m.Entry, Kind: "mark", AuthorName: f.me.Name, Mine: true, Text: m.Label, Time: fakeNow, InForce: true, Anchor: &m.Anchor})
	}
	return control.Annotated{Entry: m.Entry, Anchor: &m.Anchor}, nil
}

func (f *fake) measureMark(m *control.Mark) {
	img, err := f.frame(context.Background(), control.FrameRequest{SOPUID: m.Anchor.SOPUID, Frame: m.Anchor.Frame})
	if err != nil {
		return
	}
	fr, err := render.New(img.Native, img.Pixel)
	if err != nil {
		return
	}
	tool, _ := annot.FindTool(m.Tool)
	g, err := annot.New(tool, m.Anchor.Points, fr.Rows(), fr.Cols())
	if err != nil {
		return
	}
	m.Own = nil
	values, _ := annot.Measure(g, fr)
	for _, x := range values {
		m.Own = append(m.Own, control.MarkValue{Name: x.Name, Value: x.Value, Unit: x.Unit, Calibration: x.Calibration})
	}
}

// addMarks are those of the first case, by two people, one of which says another value.
func (f *fake) addMarks() {
	st, n := f.studies[0], float64(fakeSide)/128
	add := func(entry, author, name, tool, label string, slice int, points ...[2]float64) *control.Mark {
		for i := range points {
			points[i][0], points[i][1] = points[i][0]*n, points[i][1]*n
		}
		t, _ := annot.FindTool(tool)
		g, err := annot.New(t, points, fakeSide, fakeSide)
		if err != nil {
			panic(err)
		}
		m := control.Mark{
			Entry: entry, Author: author, AuthorName: name, Time: fakeNow,
			Anchor:    control.Anchor{Study: st.Study.Study, SeriesUID: st.SeriesList[1].SeriesUID, SOPUID: f.order[slice], Points: g.Pixels()},
			MarkState: control.MarkState{Shape: g.Shape.String(), Tool: tool, Label: label, Check: control.CheckSame},
		}
		f.measureMark(&m)
		m.Values = slices.Clone(m.Own)
		f.marks = append(f.marks, m)
		return &f.marks[len(f.marks)-1]
	}
	add("e2", "bb22cc", "Dr Amara Okafor", "point", "this one", 12, [2]float64{51, 59})
	m := add("m2", "cc33dd", "Dr Bengt Okafor", "length", "", 12, [2]float64{44, 64}, [2]float64{58, 52})
	m.Values[0].Value, m.Check = 42.1, control.CheckDiffers
	add("m3", "bb22cc", "Dr Amara Okafor", "ellipse", "heart", 12, [2]float64{62, 50}, [2]float64{86, 66}).Replies = 2
	add("m4", "bb22cc", "Dr Amara Okafor", "key", "", 14, [2]float64{64, 64})
}

// addPrior gives the first case an older study to compare with.
func (f *fake) addPrior() {
	ct := phantom.CT(phantom.Options{Seed: 9, Slices: 16, Side: fakeSide, StudyDate: "20250310"})
	for i, file := range ct.Files {
		in, err := study.Parse(file)
		if err != nil {
			panic(err)
		}
		f.files[ct.SOPUIDs[i]], f.raw[ct.SOPUIDs[i]] = in, file
	}
	f.series[ct.SeriesUID] = ct.SOPUIDs
	f.studies = append(f.studies, control.StudyDetail{
		Study:      control.Study{Study: "88aa01", StudyUID: ct.StudyUID, PatientName: "Moreau^Odile", PatientID: "P-1007", Modality: "CT", Description: "CT chest", Date: "20250310", Series: 1, Instances: 16, Present: 16},
		SeriesList: []control.Series{{SeriesUID: ct.SeriesUID, Number: new(int64(3)), Modality: "CT", Description: "Axial 2.5", BodyPart: "CHEST", Instances: 16, Present: 16, Expected: new(16)}},
	})
	f.cases[0].Studies = append(slices.Clone(f.cases[0].Studies), control.CaseStudy{Study: "88aa01", StudyUID: ct.StudyUID, Present: 16, Listed: 16, Prior: true})
}
