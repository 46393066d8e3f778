package desk

import (
	"context"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// What was filed of a case whose study turned out to be another patient's is taken back as archives
// understand it: by a key object selection that rejects it (IHE IOCM; FIELD §5, R23).

var patientSafety = annot.Title{Name: "rejected-patient-safety", Code: "113037", Meaning: "Rejected for Patient Safety Reasons"}

// rejectSlot begins the slots of rejections: these are not rejected themselves.
const rejectSlot = "reject/"

// toReject is what a destination holds of a case that was quarantined; nil where the case was not.
type toReject struct {
	gathered

	timeMS  int64
	by      string
	objects []filedObject
	at      map[string]*located // an image of each study, by its UID
}

// rejecting gathers what is to be rejected. The lock is held.
func (d *Desk) rejecting(ctx context.Context, req control.CaseArchiveRequest) (*toReject, error) {
	p, t, err := d.actingIn(ctx, req.Case)
	if err != nil {
		return nil, err
	}
	s := t.fold()
	if s.State != consult.StateQuarantined {
		return nil, nil //nolint:nilnil // there is nothing to reject
	}
	x := &toReject{gathered: gathered{p: p, id: t.ledger.ID()}, by: d.memberName(p.id), at: map[string]*located{}}
	if x.book, err = p.filedOf(x.id); err != nil {
		return nil, internal("file case", err)
	}
	for i := range s.Posts {
		if s.Posts[i].Kind == ledger.WrongPatient {
			x.timeMS = max(x.timeMS, s.Posts[i].TimeMS)
		}
	}
	stored := x.book.sentTo(req.To).Stored
	for _, o := range x.book.Objects {
		if slices.Contains(stored, o.SOPUID) && !strings.HasPrefix(o.Slot, rejectSlot) {
			x.objects = append(x.objects, o)
		}
	}
	if len(x.objects) == 0 {
		return nil, control.Errorf(control.Refused, "the study of this case was reported as the wrong patient's: nothing of it is filed")
	}
	for _, h := range d.studies.held {
		if h.row != nil && h.key.owner == p.id && h.manifest != nil {
			x.at[h.manifest.Study.UID] = h.locate(p, &instance{})
		}
	}
	return x, nil
}

// prepareRejection makes a note for each study that something was filed with.
func (d *Desk) prepareRejection(ctx context.Context, to string, x *toReject) (*filing, error) {
	f := &filing{book: x.book}
	byStudy := map[string][]object.Ref{}
	var studies []string
	for _, o := range x.objects {
		if byStudy[o.StudyUID] == nil {
			studies = append(studies, o.StudyUID)
		}
		byStudy[o.StudyUID] = append(byStudy[o.StudyUID], object.Ref{SeriesUID: o.SeriesUID, Class: o.Class, SOPUID: o.SOPUID})
	}
	for _, uid := range studies {
		at := x.at[uid]
		if at == nil {
			return nil, control.Errorf(control.Refused, "no image of a study that something was filed with is here")
		}
		of, err := d.describe(ctx, &at.row)
		if err != nil {
			return nil, control.Errorf(control.Refused, "the study cannot be read: %v", err)
		}
		f.zone = zoneOf(of.Timezone)
		if err := f.reject(to, of, byStudy[uid], x); err != nil {
			return nil, err
		}
	}
	f.warnings = append(f.warnings, "the study is the wrong patient's: what was filed of the case is rejected")
	_, err := hold(d, func() (control.None, error) { return control.None{}, x.p.keepFiled(x.id, &f.book) })
	return f, err
}

func (f *filing) reject(to string, of *study.Instance, refs []object.Ref, x *toReject) error {
	return f.add(slotted{
		slot: rejectSlot + to + "/" + of.StudyUID, what: "rejection note", class: annot.ClassKeyObjects, study: of.StudyUID,
		series: "KO" + rejectSlot + of.StudyUID, number: keySeries, creator: x.by, timeMS: x.timeMS,
		build: func(m object.Made, _ []object.StudyRefs) ([]byte, error) {
			return annot.WriteKeyObjects(&annot.KeyObjects{StudyUID: of.StudyUID, Made: m, Title: patientSafety, Images: refs}, of)
		},
	})
}
