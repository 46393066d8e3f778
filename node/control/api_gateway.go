package control

import "time"

// The hospital side: DICOM and DICOMweb.
var (
	GatewayStatus     = Op[None, GatewayReport]("gateway/status")
	DestinationAdd    = Op[Destination, GatewayDone]("gateway/destination/add")
	DestinationList   = Op[None, []Destination]("gateway/destination/list")
	DestinationRemove = Op[DestinationRequest, GatewayDone]("gateway/destination/remove")
	GatewayEcho       = Op[DestinationRequest, GatewayDone]("gateway/echo")
	GatewayFind       = Op[GatewayFindRequest, []FoundStudy]("gateway/find")
	GatewayFetch      = Stream[GatewayFetchRequest, GatewayFetchEvent]("gateway/fetch")
	GatewaySend       = Stream[GatewaySendRequest, GatewaySendEvent]("gateway/send")
	RequestDrafts     = Op[None, []DraftedRequest]("request/drafts")
	RequestDiscard    = Op[DraftRequest, DraftedRequest]("request/discard")
)

// DraftedRequest is what a rule drafted when a study settled. It waits until a person sends it, with
// NewCase.Draft, or discards it. To are contacts as the rule names them. A study has at most one
// draft, which goes by its id.
type DraftedRequest struct {
	Draft    string    `json:"draft"`
	Study    string    `json:"study"`
	To       []string  `json:"to"`
	Priority string    `json:"priority"`
	Question string    `json:"question"`
	Time     time.Time `json:"time"`
}

// DraftRequest names a draft.
type DraftRequest struct {
	Draft string `json:"draft"`
}

// GatewayReport is what curbside gateway status shows. A listener that does not run is null.
type GatewayReport struct {
	DICOM        *DICOMListener `json:"dicom"`
	Web          *Web           `json:"web"`
	Destinations []Destination  `json:"destinations"`
}

// DICOMListener is what the DICOM listener did since it began. Errors are the last ones, newest
// first: when, from where and why, never about whom.
type DICOMListener struct {
	Listen   string     `json:"listen"`
	AETitle  string     `json:"ae_title"`
	TLS      bool       `json:"tls"`
	Allow    []string   `json:"allow"`
	Received int        `json:"received"`
	Conflict int        `json:"conflict"`
	Refused  int        `json:"refused"`
	Rejected int        `json:"rejected"` // associations
	Aborted  int        `json:"aborted"`
	Last     *time.Time `json:"last"`
	Errors   []string   `json:"errors"`
}

// Destination is a PACS, archive or DICOMweb service, by the name that its user gave it.
type Destination struct {
	Name      string `json:"name"`
	AET       string `json:"aet,omitempty"`
	Host      string `json:"host,omitempty"`
	Port      int    `json:"port,omitempty"`
	Calling   string `json:"calling_aet,omitempty"`
	TLS       bool   `json:"tls,omitempty"`
	Cleartext bool   `json:"cleartext,omitempty"`
	CA        string `json:"tls_ca,omitempty"`
	Cert      string `json:"tls_cert,omitempty"`
	Key       string `json:"tls_key,omitempty"`
	Retrieve  string `json:"retrieve,omitempty"`
	Decode    bool   `json:"decode,omitempty"`
	STOW      string `json:"stow,omitempty"`
	Token     string `json:"token_file,omitempty"`
}

// DestinationRequest names a destination.
type DestinationRequest struct {
	Name string `json:"name"`
}

// GatewayDone says what became of something asked of a destination.
type GatewayDone struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// GatewayFindRequest asks a destination for studies.
type GatewayFindRequest struct {
	Name        string `json:"name"`
	PatientID   string `json:"patient_id,omitempty"`
	PatientName string `json:"patient_name,omitempty"`
	StudyUID    string `json:"study_uid,omitempty"`
	Accession   string `json:"accession,omitempty"`
	Date        string `json:"date,omitempty"`
	Modality    string `json:"modality,omitempty"`
	Limit       int    `json:"limit,omitempty"`
}

// FoundStudy is a study that a destination has.
type FoundStudy struct {
	StudyUID    string   `json:"study_uid"`
	PatientID   string   `json:"patient_id"`
	PatientName string   `json:"patient_name"`
	BirthDate   string   `json:"birth_date"`
	Sex         string   `json:"sex"`
	Accession   string   `json:"accession"`
	Date        string   `json:"date"`
	Time        string   `json:"time"`
	Description string   `json:"description"`
	Modalities  []string `json:"modalities"`
	Series      int      `json:"series"`
	Instances   int      `json:"instances"`
	// Here is the study of this node with the same UID, if there is one.
	Here string `json:"here,omitempty"`
}

// GatewayFetchRequest brings a study from a destination.
type GatewayFetchRequest struct {
	Name     string `json:"name"`
	StudyUID string `json:"study_uid"`
}

// GatewayFetchEvent is progress, and at last the result.
type GatewayFetchEvent struct {
	Done   int           `json:"done"`
	Bytes  int64         `json:"bytes"`
	Result *ImportResult `json:"result,omitempty"`
}

// GatewaySendRequest sends a study to a destination.
type GatewaySendRequest struct {
	Name  string `json:"name"`
	Study string `json:"study"`
}

// GatewaySendEvent is progress, and at last the result.
type GatewaySendEvent struct {
	Done   int          `json:"done"`
	Files  int          `json:"files"`
	Bytes  int64        `json:"bytes"`
	Total  int64        `json:"bytes_total"`
	Result *GatewaySent `json:"result,omitempty"`
}

// GatewaySent says of each instance what became of it: failed, stored, confirmed (a query found it
// afterwards) or committed (storage commitment); State is the least of them.
type GatewaySent struct {
	Name      string         `json:"name"`
	OK        bool           `json:"ok"`
	Detail    string         `json:"detail"`
	State     string         `json:"state"`
	Instances []SentInstance `json:"instances"`
	Seconds   float64        `json:"seconds"`
}

// SentInstance is one instance that was sent, or was not.
type SentInstance struct {
	SOPClass string `json:"sop_class"`
	SOPUID   string `json:"sop_uid"`
	State    string `json:"state"`
	Status   string `json:"status"` // as the destination gave it, such as 0000H
	Detail   string `json:"detail,omitempty"`
}
