package node_test

import (
	"testing"

	"github.com/curbside-p2p/curbside/node/control"
)

// as calls as one of several persons of a node.
func (p *clinic) as(name string) *clinic {
	q := *p
	q.c = control.InProcess(p.n.Handler())
	q.c.As = name
	q.name = name
	return &q
}

// TestSeveralPersons: five clinicians on one server are five persons. None sees the studies,
// contacts and cases of another, or acts for them.
func TestSeveralPersons(t *testing.T) {
	t.Parallel()
	server, far := serving(t, "Ada"), serving(t, "Far")
	call(server, control.PersonAdd, control.PersonAddRequest{Name: "Ben", NoPassphrase: true})
	ada, ben := server.as("Ada"), server.as("Ben")
	refused(server, control.CaseList, control.None{}, control.Refused)
	refused(server.as("Nobody"), control.CaseList, control.None{}, control.NotFound)

	befriend(far, ben)
	if l := call(ada, control.ContactList, control.None{}); len(l) != 0 {
		t.Errorf("Ada has Ben's contacts: %+v", l)
	}
	// A Join to Ben's invite is not Ada's to answer.
	third := found(t, "Third")
	join := call(third, control.ContactAdd, control.ContactAddRequest{Link: ben.invite(), ToFile: true})
	refused(ada, control.ContactAdd, control.ContactAddRequest{File: join.File}, control.Refused)
	call(ben, control.ContactAdd, control.ContactAddRequest{File: join.File})

	study := far.take(small(11))
	id := far.ask(study, "for Ben", "Ben")
	ben.complete(id)
	if ada.show(id) != nil || len(call(ada, control.StudyList, control.None{})) != 0 {
		t.Error("Ada sees what was sent to Ben")
	}
	sop := ben.anySOP(study)
	refused(ada, control.PixelFrame, control.FrameRequest{SOPUID: sop}, control.NotFound)
	refused(ada, control.PixelFrame, control.FrameRequest{SOPUID: sop, Study: study}, control.NotFound)
	refused(ada, control.StudyExport, control.StudyExportRequest{Study: study, Out: t.TempDir()}, control.NotFound)
	refused(ada, control.StudyRemove, control.StudyRequest{Study: study}, control.NotFound)
	refused(ada, control.StudyVerify, control.StudyVerifyRequest{Study: study}, control.NotFound)
	refused(ada, control.CaseReply, control.CaseReplyRequest{Case: id, Text: "as if Ben"}, control.NotFound)

	// Colleagues need no invite; a case between them stays on the server.
	own := ada.take(small(12))
	within := ada.ask(own, "within the house", "Ben")
	ben.complete(within)
	ben.says(within, "looking")
	ada.reads(within, "looking")
	if far.show(within) != nil {
		t.Error("a case between colleagues left the house")
	}
	call(ben, control.CaseReport, control.CaseReportRequest{Case: id, Text: "nothing to see"})
	call(ben, control.CaseSign, control.CaseRequest{Case: id})
	far.eventually(func() string {
		if c := far.show(id); len(c.Reports) == 1 && c.Reports[0].AuthorName == "Ben" && c.Reports[0].Valid {
			return ""
		}
		return "no report of Ben's"
	})
	agree(id, far, ben)
}
