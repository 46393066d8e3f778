package desk

import (
	"net/http"

	"github.com/curbside-p2p/curbside/node/control"
)

// Register serves every use case of the desk on mux.
func (d *Desk) Register(mux *http.ServeMux) {
	control.PersonAdd.Handle(mux, d.PersonAdd)
	control.PersonList.Handle(mux, d.PersonList)
	control.Lock.Handle(mux, d.Lock)
	control.Unlock.Handle(mux, d.Unlock)
	control.GetStatus.Handle(mux, d.Status)
	control.GetCard.Handle(mux, d.GetCard)
	control.ContactAdd.Handle(mux, d.ContactAdd)
	control.ContactList.Handle(mux, d.ContactList)
	control.ContactShow.Handle(mux, d.ContactShow)
	control.ContactVerify.Handle(mux, d.ContactVerify)
	control.ContactRemove.Handle(mux, d.ContactRemove)

	control.Import.Handle(mux, d.Import)
	control.StudyList.Handle(mux, d.StudyList)
	control.StudyShow.Handle(mux, d.StudyShow)
	control.StudyVerify.Handle(mux, d.StudyVerify)
	control.StudyExport.Handle(mux, d.StudyExport)
	control.StudyRemove.Handle(mux, d.StudyRemove)
	control.SeriesShow.Handle(mux, d.SeriesShow)
	control.SeriesSlices.Handle(mux, d.SeriesSlices)
	control.PixelFrame.Handle(mux, d.PixelFrame)
	control.ImageFrame.Handle(mux, d.ImageFrame)
	control.Render.Handle(mux, d.Render)
	control.MarkTools.Handle(mux, d.MarkTools)
	control.CaseAnnotate.Handle(mux, d.CaseAnnotate)
	control.MarkList.Handle(mux, d.MarkList)
	control.PresentationList.Handle(mux, d.PresentationList)
	control.CaseExport.Handle(mux, d.CaseExport)

	control.Request.Handle(mux, d.Request)
	control.CaseList.Handle(mux, d.CaseList)
	control.CaseShow.Handle(mux, d.CaseShow)
	control.CaseWatch.Handle(mux, d.CaseWatch)
	control.CaseWait.Handle(mux, d.CaseWait)
	control.CaseHistory.Handle(mux, d.CaseHistory)
	control.CaseReply.Handle(mux, d.CaseReply)
	control.CaseReport.Handle(mux, d.CaseReport)
	control.CaseDraft.Handle(mux, d.CaseDraft)
	control.CaseSign.Handle(mux, d.CaseSign)
	control.CaseOpine.Handle(mux, d.CaseOpine)
	control.CaseAccept.Handle(mux, d.CaseAccept)
	control.CaseDecline.Handle(mux, d.CaseDecline)
	control.CaseInvite.Handle(mux, d.CaseInvite)
	control.CaseRemove.Handle(mux, d.CaseRemove)
	control.CaseClose.Handle(mux, d.CaseClose)
	d.registerClinical(mux)

	control.BundleWrite.Handle(mux, d.BundleWrite)
	control.BundleRead.Handle(mux, d.BundleRead)

	control.PeerList.Handle(mux, d.PeerList)
	control.TransferList.Handle(mux, d.TransferList)
	control.Events.Handle(mux, d.Events)
	control.AuditList.Handle(mux, d.AuditList)
	control.AuditVerify.Handle(mux, d.AuditVerify)
}
