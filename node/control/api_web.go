package control

import "time"

// OpenStudies makes a key for a viewer on this machine. It needs a running node.
var OpenStudies = Op[OpenRequest, Opened]("web/open")

// OpenRequest names a case, or studies.
type OpenRequest struct {
	Case    string   `json:"case,omitempty"`
	Studies []string `json:"studies,omitempty"`
}

// Opened is what a viewer is given.
type Opened struct {
	Root     string        `json:"root"`  // of the DICOMweb services, the key in its path
	Until    time.Time     `json:"until"` // later while it is used
	Studies  []OpenedStudy `json:"studies"`
	Viewer   string        `json:"viewer"` // the setting
	Warnings []string      `json:"warnings"`
}

// OpenedStudy is one study of it.
type OpenedStudy struct {
	Study    string `json:"study"`
	StudyUID string `json:"study_uid"`
	Prior    bool   `json:"prior"`
	Present  int    `json:"present"`
	Listed   int    `json:"listed"`
}

// Web is the web listener and the watched folders of a node: serve --web, serve --watch.
type Web struct {
	Listen     *string    `json:"listen"` // URL of the services; null where only folders are watched
	ReadToken  string     `json:"read_token_file,omitempty"`
	WriteToken string     `json:"write_token_file,omitempty"`
	Received   int64      `json:"received"`
	Refused    int64      `json:"refused"`
	Denied     int64      `json:"denied"` // requests with a wrong key
	LastError  string     `json:"last_error,omitempty"`
	LastTime   *time.Time `json:"last_time,omitempty"`
	Watch      *Watched   `json:"watch"` // null where nothing is watched
}

// Watched is a watch of folders.
type Watched struct {
	Dirs    []string      `json:"dirs"`
	Done    string        `json:"done,omitempty"`
	Waiting int           `json:"waiting"`
	Taken   int           `json:"taken"`
	Refused []RefusedFile `json:"refused"`
	Error   string        `json:"error,omitempty"`
}
