package gateway

import (
	"testing"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/protocol/dicomweb"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// FuzzQuestion reads what a caller sends as the identifier of a C-FIND and of a C-MOVE: what is
// answered is a match that can be read again, and what is moved has a whole path.
//
//	go test ./node/gateway -fuzz FuzzQuestion -fuzztime 20s
func FuzzQuestion(f *testing.F) {
	for _, word := range []string{wordPatient, wordStudy, wordSeries, wordImage} {
		set := object.Set{
			str(tagLevel, "CS", word), str(tagID, "LO", "P1"), str(tagName, "PN", "d*"), str(tagStudyUID, "UI", "1.2"),
			str(tagSeriesUID, "UI", "1.3"), object.Str(tagSOPUID, "UI", "1.4", "1.5"), str(tagStudyDate, "DA", "2020-"),
		}
		f.Add(encode(set, dimse.ExplicitLE), true, true)
		f.Add(encode(set, dimse.ImplicitLE), false, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, patients, explicit bool) {
		syntax, findModel, moveModel := dimse.ImplicitLE, dimse.StudyFind, dimse.StudyMove
		if explicit {
			syntax = dimse.ExplicitLE
		}
		if patients {
			findModel, moveModel = dimse.PatientFind, dimse.PatientMove
		}
		if len(b) > dimse.IdentifierMax {
			return
		}
		set, err := decode(b, syntax)
		if err != nil {
			return
		}
		if w, err := readWanted(moveModel, set); err == nil {
			if patients != (w.patient != "") || len(w.paths) == 0 && w.patient == "" || len(w.paths) > pathsMax {
				t.Errorf("%+v", w)
			}
			for _, p := range w.paths {
				if p.Study == "" || p.Instance != "" && p.Series == "" {
					t.Errorf("half a path: %+v", p)
				}
			}
		}
		q, err := readQuestion(findModel, set)
		if err != nil {
			return
		}
		if q.level > dicomweb.Studies && q.in.Study == "" || q.level > dicomweb.Series && q.in.Series == "" || q.word == wordPatient && !patients {
			t.Errorf("%+v", q)
		}
		row := dicomweb.Dataset{}
		row.Set(uint32(tagName), "PN", "Doe^Jörg")
		row.Set(uint32(tagID), "LO", "P1")
		row.Set(uint32(tagStudyUID), "UI", "1.2")
		row.Set(uint32(tagStudyDate), "DA", "20200102")
		row.SetInt(0x00280010, "US", 512)
		match, _ := q.answer(row, "CURBSIDE")
		if match == nil {
			return
		}
		again, err := decode(encode(match, syntax), syntax)
		if err != nil || again.Text(tagLevel) != q.word || len(again) != len(match) {
			t.Errorf("a match of %d elements is read as %d: %v", len(match), len(again), err)
		}
	})
}

// TestMovedStatus: what a C-MOVE ends with, PS3.4 table C.4-2, and what it names as failed.
func TestMovedStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want dimse.Status
		out  []Stored
	}{
		{dimse.Success, []Stored{{SOPUID: "1.1", State: StoredYes}, {SOPUID: "1.2", State: StoredYes}}},
		{dimse.CoercionWarning, []Stored{{SOPUID: "1.1", State: StoredYes}, {SOPUID: "1.2", State: Failed}}},
		{dimse.CoercionWarning, []Stored{{SOPUID: "1.1", State: StoredYes}, {SOPUID: "1.2", State: StoredYes, Status: 0xB007}}},
		{dimse.CannotPerform, []Stored{{SOPUID: "1.1", State: Failed}, {SOPUID: "1.2", State: Failed}}},
	} {
		s := &sending{files: make([]File, 2), out: c.out, next: 2}
		p, want := moved(s), c.want
		if got := movedStatus(p); got != want || p.Remaining != 0 || p.Completed+p.Warning+p.Failed != 2 {
			t.Errorf("%+v: %v, want %v", p, got, want)
		}
		set, err := decode(failedList(s, dimse.ImplicitLE), dimse.ImplicitLE)
		if p.Failed > 0 && (err != nil || len(set.Texts(tagFailedList)) != p.Failed || set.Texts(tagFailedList)[p.Failed-1] != "1.2") {
			t.Errorf("%+v: %v %v", p, set, err)
		}
	}
}
