package control

// What goes into the hospital's archive, and what comes from no scanner.
var (
	// CaseArchive files what was made in a case where the original study is; Archived says of each
	// object what became of it.
	CaseArchive = Op[CaseArchiveRequest, CaseArchived]("case/archive")
	// MediaExport writes studies as a medium with its directory.
	MediaExport = Op[MediaExportRequest, MediaExported]("study/media")
)

// Capture is what a person says of pictures and documents that become DICOM instances. Words are as
// a person types them; the node reads and refuses them.
type Capture struct {
	// Study is an existing study that they join; then patient and study are its.
	Study string `json:"study,omitempty"`

	PatientName string `json:"patient_name,omitempty"`
	PatientID   string `json:"patient_id,omitempty"`
	Issuer      string `json:"issuer,omitempty"`
	BirthDate   string `json:"birth_date,omitempty"`
	Sex         string `json:"sex,omitempty"`
	Species     string `json:"species,omitempty"`
	Breed       string `json:"breed,omitempty"`
	Owner       string `json:"owner,omitempty"` // of an animal

	Date        string `json:"date,omitempty"` // of the study
	Description string `json:"description,omitempty"`
	Accession   string `json:"accession,omitempty"`
	Referrer    string `json:"referrer,omitempty"`

	Conversion  string `json:"conversion,omitempty"` // photo, film, scan, document, screen
	Modality    string `json:"modality,omitempty"`
	BodyPart    string `json:"body_part,omitempty"`
	Laterality  string `json:"laterality,omitempty"`
	Orientation string `json:"orientation,omitempty"` // L/F

	DPI          float64 `json:"dpi,omitempty"`
	PixelSpacing string  `json:"pixel_spacing,omitempty"` // mm, or rows,columns
	KnownLength  string  `json:"known_length,omitempty"`  // x1,y1;x2,y2=mm
}

// CaseArchiveRequest names a case and a destination of the gateway.
type CaseArchiveRequest struct {
	Case string `json:"case"`
	To   string `json:"to"`
	// Language of the reports, as RFC 5646 names it; en if empty.
	Language string `json:"language,omitempty"`
}

// CaseArchived says what became of each object.
type CaseArchived struct {
	Archived []ArchivedObject `json:"archived"`
	// Committed: the destination took over the keeping of all of them.
	Committed bool     `json:"committed"`
	Entry     *string  `json:"entry,omitempty"` // that records it in the case
	Warnings  []string `json:"warnings,omitempty"`
}

// ArchivedObject is one object.
type ArchivedObject struct {
	SOPUID string `json:"sop_uid"`
	Class  string `json:"class"`
	What   string `json:"what"` // "report", "measurements", "presentation state", "key images", "document"
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// MediaExportRequest names studies of one patient and a folder, an absolute path.
type MediaExportRequest struct {
	Studies []string `json:"studies"`
	Out     string   `json:"out"`
}

// MediaExported counts what was written.
type MediaExported struct {
	Files    int      `json:"files"` // DICOMDIR not counted
	Bytes    int64    `json:"bytes"`
	Studies  int      `json:"studies"`
	Missing  int      `json:"missing"`
	Warnings []string `json:"warnings,omitempty"`
}
