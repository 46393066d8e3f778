// Package gateway is the hospital side of a node: what comes from modalities and PACS, and what
// goes to them. It speaks DICOM and DICOMweb to the hospital, and hands files to the same door as
// an import; it knows no case and keeps nothing itself.
//
//	modality, PACS -> listener    -> Door           -> (desk: the one import path)
//	PACS, viewer  <-> listener   <-  Shelf of Door     C-FIND and C-MOVE of callers on the list;
//	                                                   a C-MOVE goes to a destination, by its AE title
//	desk, commands -> Destination -> PACS, archive
//
// A destination is a table of config.toml, named by its user. What it is asked for comes back
// instance by instance: nothing is called stored that the other side did not say it has.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrUnknown says that no destination has that name; a caller shows which there are.
var ErrUnknown = errors.New("no such destination")

// Destination is a place in the hospital: a PACS, an archive, a viewer's server.
type Destination interface {
	// Echo asks whether anybody answers.
	Echo(ctx context.Context) error
	// Find lists studies, at most the query's limit.
	Find(ctx context.Context, q Query) ([]FoundStudy, error)
	// Fetch brings a study and hands each instance over as a Part 10 file, which is gone once take
	// returns. It ends with the first failure of take.
	Fetch(ctx context.Context, studyUID string, take func(path string) error) error
	// Store sends instances and says of each what became of it. An error says that not all of them
	// could be tried; what was stored before stands in the results.
	Store(ctx context.Context, files []File) ([]Stored, Commitment, error)
}

// Query asks for studies. Empty parts ask nothing.
type Query struct {
	PatientID   string `json:"patient_id,omitempty"`
	PatientName string `json:"patient_name,omitempty"` // * and ? as wildcards
	StudyUID    string `json:"study_uid,omitempty"`
	Accession   string `json:"accession,omitempty"`
	Date        string `json:"date,omitempty"` // YYYYMMDD, or a range with -
	Modality    string `json:"modality,omitempty"`
	Limit       int    `json:"limit,omitempty"` // 0: matchesMax
}

// FoundStudy is a study that a destination has. Its texts are the other side's, in UTF-8.
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
	Series      int      `json:"series"`    // 0: not said
	Instances   int      `json:"instances"` // 0: not said
}

// File is an instance on its way out. Read gives the whole Part 10 file; it is called shortly
// before the file goes, and again for a retry.
type File struct {
	SOPClass, SOPUID, Syntax string
	StudyUID                 string
	Size                     int64
	Read                     func(ctx context.Context) ([]byte, error)
}

// Commitment is how sure it is that what was stored stays: the least of all instances.
type Commitment string

// The words of a commitment, and of [Stored.State].
const (
	Failed    Commitment = "failed"    // not stored
	StoredYes Commitment = "stored"    // accepted; the destination offers nothing more
	Confirmed Commitment = "confirmed" // a query found it afterwards
	Committed Commitment = "committed" // storage commitment was given
)

// Stored says what became of one instance.
type Stored struct {
	SOPClass string     `json:"sop_class"`
	SOPUID   string     `json:"sop_uid"`
	State    Commitment `json:"state"`
	Status   uint16     `json:"status"` // as the destination gave it; 0 is success
	Detail   string     `json:"detail,omitempty"`
}

// Settings are one destination in config.toml: [destination.NAME]. No secret is in them, a token
// is named by its file.
type Settings struct {
	AET       string `toml:"aet,omitempty" json:"aet,omitempty"`
	Host      string `toml:"host,omitempty" json:"host,omitempty"`
	Port      int    `toml:"port,omitempty" json:"port,omitempty"`
	Calling   string `toml:"calling-aet,omitempty" json:"calling_aet,omitempty"` // ours, where not the listener's
	TLS       bool   `toml:"tls,omitempty" json:"tls,omitempty"`
	Cleartext bool   `toml:"cleartext,omitempty" json:"cleartext,omitempty"`
	CA        string `toml:"tls-ca,omitempty" json:"tls_ca,omitempty"`     // PEM file that vouches for the other side
	Cert      string `toml:"tls-cert,omitempty" json:"tls_cert,omitempty"` // PEM files that vouch for us
	Key       string `toml:"tls-key,omitempty" json:"tls_key,omitempty"`
	// Retrieve is get, move, or empty for get and then move.
	Retrieve string `toml:"retrieve,omitempty" json:"retrieve,omitempty"`
	// Decode sends native pixels where the other side takes no compressed ones.
	Decode bool   `toml:"decode,omitempty" json:"decode,omitempty"`
	STOW   string `toml:"stow,omitempty" json:"stow,omitempty"` // URL of a DICOMweb service
	Token  string `toml:"token-file,omitempty" json:"token_file,omitempty"`
}

// Config is what a gateway is made of.
type Config struct {
	AETitle string // ours
	Tmp     string // folder for what is half-done
	// Destinations are read anew at each use, so that a change needs no restart.
	Destinations func() (map[string]Settings, error)
	Log          *slog.Logger
	Now          func() time.Time
}

// Gateway knows the destinations, and runs the listener.
type Gateway struct {
	cfg Config

	mu       sync.Mutex // guards what follows
	listener *listener
	captures []*capture       // retrievals that the listener takes for
	pending  map[string]asked // transactions of storage commitment that wait, by UID
}

// New makes a gateway. Nothing is dialled or listened on.
func New(cfg Config) *Gateway {
	return &Gateway{cfg: cfg, pending: map[string]asked{}}
}

// Names lists the destinations.
func (g *Gateway) Names() ([]string, error) {
	all, err := g.cfg.Destinations()
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// Destination finds a destination by its name.
func (g *Gateway) Destination(name string) (Destination, error) {
	all, err := g.cfg.Destinations()
	if err != nil {
		return nil, err
	}
	s, ok := all[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("destination %s: %w", name, err)
	}
	if s.STOW != "" {
		return g.web(s)
	}
	return g.dicom(s)
}
