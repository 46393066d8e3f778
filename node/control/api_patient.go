package control

import "time"

// The patient view: what is held of one patient, by issuer and identifier.
var (
	PatientList = Op[None, []Patient]("patient/list")
	PatientShow = Op[PatientRequest, PatientDetail]("patient/show")
	// PatientLink says that two are one, PatientUnlink takes it back. Nothing is merged: they are
	// shown together.
	PatientLink   = Op[PatientLinkRequest, PatientDetail]("patient/link")
	PatientUnlink = Op[PatientLinkRequest, PatientDetail]("patient/unlink")
)

// PatientRequest names a patient by id, by an identifier that only one has, or by a study.
type PatientRequest struct {
	Patient string `json:"patient"`
}

// PatientLinkRequest names two patients. A link wants a reason.
type PatientLinkRequest struct {
	Patient string `json:"patient"`
	Other   string `json:"other"`
	Reason  string `json:"reason,omitempty"`
}

// Patient is one patient as the studies here name them. Names are as written, dates as in DICOM
// turned to YYYY-MM-DD, in no time zone.
type Patient struct {
	Patient   string  `json:"patient"`
	Name      string  `json:"name"` // or the pseudonym
	PatientID string  `json:"patient_id"`
	Issuer    *string `json:"issuer"` // null where the studies do not say
	BirthDate *string `json:"birth_date"`
	Sex       *string `json:"sex"`
	Pseudonym bool    `json:"pseudonym"`
	Studies   int     `json:"studies"`
	Cases     int     `json:"cases"`
	Last      *string `json:"last"` // date of the newest study
	// Doubtful are others who may be the same; Linked are those that a person said are.
	Doubtful []PatientMatch `json:"doubtful"`
	Linked   []PatientMatch `json:"linked"`
}

// PatientMatch is another patient, and why they are named here.
type PatientMatch struct {
	Patient   string  `json:"patient"`
	Name      string  `json:"name"`
	PatientID string  `json:"patient_id"`
	BirthDate *string `json:"birth_date"`
	Why       string  `json:"why"`
}

// PatientDetail is a patient on a time line, the newest first.
type PatientDetail struct {
	Patient
	Timeline []PatientItem `json:"timeline"`
	// Priors are older studies to compare the newest one, or the one that was named, with.
	Priors   []PriorSuggested `json:"priors"`
	PriorsOf *string          `json:"priors_of"` // that study
}

// PatientItem is one thing on a time line: a study, case, opinion, report, addendum, critical
// finding or outcome.
type PatientItem struct {
	Kind     string     `json:"kind"`
	Date     *string    `json:"date"` // of studies: the day as written
	Time     *time.Time `json:"time"` // of entries; null for studies, whose time has no zone
	Title    string     `json:"title"`
	Study    string     `json:"study,omitempty"`
	StudyUID string     `json:"study_uid,omitempty"`
	Modality string     `json:"modality,omitempty"`
	BodyPart string     `json:"body_part,omitempty"`
	Case     string     `json:"case,omitempty"`
	Entry    string     `json:"entry,omitempty"`
	State    string     `json:"state,omitempty"` // of a case; of a report its status
	Author   string     `json:"author,omitempty"`
	// Patient is whose it is, where another patient is linked.
	Patient string `json:"patient"`
	// Quarantined: said to be of another patient in some case.
	Quarantined bool `json:"quarantined,omitempty"`
	Superseded  bool `json:"superseded,omitempty"`
}

// PriorSuggested is an older study of the same patient.
type PriorSuggested struct {
	Study    string   `json:"study"`
	StudyUID string   `json:"study_uid"`
	Date     *string  `json:"date"`
	Modality string   `json:"modality"`
	BodyPart string   `json:"body_part"`
	Title    string   `json:"title"`
	Why      []string `json:"why"` // same body part, same modality; empty: only the same patient
	Patient  string   `json:"patient"`
}
