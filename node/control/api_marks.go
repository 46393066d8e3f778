package control

import (
	"time"

	"github.com/curbside-p2p/curbside/consult/render"
)

// Pictures, marks and what is exported of a case.
var (
	// Render draws a frame as a PNG of its own size: curbside render.
	Render = Op[RenderRequest, Rendered]("render")
	// MarkTools lists the types of marks, with what is asked for each.
	MarkTools = Op[None, []MarkTool]("mark/tools")
	// CaseAnnotate makes a mark, edits one or removes one.
	CaseAnnotate = Op[AnnotateRequest, Annotated]("case/annotate")
	// MarkList lists the marks of a case, or those of one series or image of it.
	MarkList = Op[MarkListRequest, []Mark]("case/marks")
	// PresentationList lists the presentation states and key-object selections in a study.
	PresentationList = Op[PresentationListRequest, []PresentationInfo]("study/presentations")
	// CaseExport writes what was made in a case to files: curbside case export.
	CaseExport = Op[CaseExportRequest, CaseExported]("case/export")
)

// RenderRequest names a frame as FrameRequest does, or by its place in reading order, and says how
// to draw it.
type RenderRequest struct {
	Study        string `json:"study,omitempty"`
	SeriesUID    string `json:"series_uid,omitempty"`
	Instance     string `json:"instance,omitempty"`     // SOP Instance UID, or place from 1; the first image when empty
	Frame        int    `json:"frame,omitempty"`        // from 0
	Window       string `json:"window,omitempty"`       // centre/width, a preset's name, or auto
	Invert       bool   `json:"invert,omitempty"`       // on top of what the file asks
	Marks        string `json:"marks,omitempty"`        // the case whose marks are drawn
	Presentation string `json:"presentation,omitempty"` // SOP Instance UID of a presentation state
	Overlays     *bool  `json:"overlays,omitempty"`     // overlays of the file; drawn unless false
}

// Rendered is a picture: 8-bit grey or colour, one pixel for each of the image.
type Rendered struct {
	Study     string `json:"study"`
	SeriesUID string `json:"series_uid"`
	SOPUID    string `json:"sop_uid"`
	Frame     int    `json:"frame"`
	Rows      int    `json:"rows"`
	Cols      int    `json:"cols"`
	// Window is centre/width as --window takes it; nil where none applies, as for colour.
	Window *string `json:"window"`
	// WindowFunction is LINEAR, LINEAR_EXACT or SIGMOID; WindowSource user, file, lut or automatic.
	WindowFunction string   `json:"window_function,omitempty"`
	WindowSource   string   `json:"window_source,omitempty"`
	Preview        bool     `json:"preview"`
	Lossy          bool     `json:"lossy"`
	Warnings       []string `json:"warnings"`
	PNG            []byte   `json:"png,omitempty"`
}

// MarkTool is one type of mark.
type MarkTool struct {
	Type      string   `json:"type"`
	Title     string   `json:"title"`
	Specialty string   `json:"specialty,omitempty"`
	Shape     string   `json:"shape"`
	Min       int      `json:"min"`
	Max       int      `json:"max"`
	Prompts   []string `json:"prompts"`
	Aliases   []string `json:"aliases"`
}

// AnnotateRequest makes a mark. With Edit it changes one of one's own, where what is not said stays;
// with Remove it takes one back.
type AnnotateRequest struct {
	Case   string       `json:"case"`
	Study  string       `json:"study,omitempty"` // only where several studies of the case hold the instance
	SOPUID string       `json:"sop_uid,omitempty"`
	Frame  int          `json:"frame,omitempty"` // from 0
	Type   string       `json:"type,omitempty"`  // of MarkTools
	Points [][2]float64 `json:"points,omitempty"`
	Text   *string      `json:"text,omitempty"` // the mark's label
	// Value is the true length in mm of a calibration.
	Value       *float64 `json:"value,omitempty"`
	DerivedFrom string   `json:"derived_from,omitempty"` // the mark of somebody that this one improves on
	Edit        string   `json:"edit,omitempty"`
	Remove      string   `json:"remove,omitempty"`
}

// Annotated is the entry that was made. Of what was removed nothing is measured.
type Annotated struct {
	Entry    string    `json:"entry"`
	Anchor   *Anchor   `json:"anchor"`
	Measured *Measured `json:"measured"`
	Warnings []string  `json:"warnings,omitempty"`
}

// MarkValue is one value of a mark.
type MarkValue struct {
	Name        string  `json:"name"`
	Value       float64 `json:"value"`
	Unit        string  `json:"unit"`
	Calibration string  `json:"calibration"`
}

// Measured is the leading value of a mark, and all of them; those of a region also by name.
type Measured struct {
	MarkValue
	Values []MarkValue `json:"values"`
	Mean   *float64    `json:"mean,omitempty"`
	SD     *float64    `json:"sd,omitempty"`
	Min    *float64    `json:"min,omitempty"`
	Max    *float64    `json:"max,omitempty"`
	Area   *float64    `json:"area,omitempty"`
	N      *float64    `json:"n,omitempty"`
}

// MarkListRequest names the case, and what of it is looked at.
type MarkListRequest struct {
	Case      string `json:"case"`
	Study     string `json:"study,omitempty"`
	SeriesUID string `json:"series_uid,omitempty"`
	SOPUID    string `json:"sop_uid,omitempty"`
	// Removed lists removed marks too.
	Removed bool `json:"removed,omitempty"`
}

// Checks of an author's values.
const (
	CheckSame    = "same"        // this node measures the same
	CheckDiffers = "differs"     // it does not: see Own
	CheckNot     = "not checked" // it cannot: see Why
	CheckNothing = "nothing"     // the mark has no values
)

// Mark is one mark in its acting form.
type Mark struct {
	Entry      string    `json:"entry"`
	Name       string    `json:"name"` // A1 for the first of the case: what a report cites as {{A1}}
	Author     string    `json:"author"`
	AuthorName string    `json:"author_name"`
	Mine       bool      `json:"mine"`
	Time       time.Time `json:"time"`
	Anchor     Anchor    `json:"anchor"`
	MarkState
	MarkHistory
	Replies int `json:"replies"` // messages in the threads below the mark
	Unread  int `json:"unread"`  // of those
}

// MarkHistory is what became of a mark.
type MarkHistory struct {
	DerivedFrom *string `json:"derived_from"`
	Removed     bool    `json:"removed"`
	// Edits are the acting edits. Where several did not know of each other all of them are here, and
	// the last is what the mark shows.
	Edits []MarkEdit `json:"edits"`
}

// EntryMark is what an entry says of a mark: the one it made in its acting form, or its edit.
type EntryMark struct {
	MarkState
	MarkHistory
}

// MarkState is how a mark is drawn and what it says.
type MarkState struct {
	Shape string `json:"shape"` // distance, angle, ellipse …; "unknown" needs a newer version
	Tool  string `json:"tool"`  // of MarkTools: the shape, or a named construct such as hallux-valgus
	Label string `json:"label"`
	// Values are the author's, Own this node's: of its own pixels. Nil: not measured here.
	Values []MarkValue `json:"values"`
	Own    []MarkValue `json:"own"`
	Check  string      `json:"check"` // a Check constant
	Why    string      `json:"why,omitempty"`
}

// MarkEdit is one acting edit of a mark.
type MarkEdit struct {
	Entry  string       `json:"entry"`
	Time   time.Time    `json:"time"`
	Points [][2]float64 `json:"points"`
	MarkState
}

// PresentationListRequest names a study; with SOPUID only what concerns that image is listed, and
// with it what to draw there.
type PresentationListRequest struct {
	Study  string `json:"study"`
	SOPUID string `json:"sop_uid,omitempty"`
	Frame  int    `json:"frame,omitempty"` // from 0
}

// PresentationInfo is a presentation state or a key-object selection of a study.
type PresentationInfo struct {
	SOPUID      string   `json:"sop_uid"`
	SeriesUID   string   `json:"series_uid"`
	Kind        string   `json:"kind"` // presentation or key-objects
	Label       string   `json:"label"`
	Description string   `json:"description"`
	Creator     string   `json:"creator"`
	Created     string   `json:"created"` // as written: YYYYMMDDHHMMSS
	Images      []string `json:"images"`  // SOP Instance UIDs it concerns
	// State is what it means to drawing the image that was asked for, Paths and Texts what it draws
	// on it, in pixels of the image as stored. Of key objects there is none.
	State *render.Presentation `json:"state,omitempty"`
	Paths []StatePath          `json:"paths,omitempty"`
	Texts []StateText          `json:"texts,omitempty"`
	// Findings are what it has and this version does not apply; Reason why it cannot be had at all.
	Findings []string `json:"findings,omitempty"`
	Reason   string   `json:"reason,omitempty"`
}

// StatePath is a line or an outline of a presentation state.
type StatePath struct {
	Points [][2]float64 `json:"points"`
	Closed bool         `json:"closed,omitempty"`
}

// StateText is a text of a presentation state, and where a line leads from it.
type StateText struct {
	Text   string      `json:"text"`
	At     [2]float64  `json:"at"`
	Anchor *[2]float64 `json:"anchor,omitempty"`
}

// CaseExportRequest names the folder to write to, an absolute path.
type CaseExportRequest struct {
	Case   string `json:"case"`
	Out    string `json:"out"`
	Format string `json:"format,omitempty"` // dicom when empty
	// Language of the reports as DICOM, as RFC 5646 names it; en if empty.
	Language string `json:"language,omitempty"`
}

// CaseExported lists the files that were written.
type CaseExported struct {
	Files    []string `json:"files"`
	Warnings []string `json:"warnings,omitempty"`
}
