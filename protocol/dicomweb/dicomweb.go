// Package dicomweb speaks DICOM over HTTP (PS3.18): as a client of a hospital's server, and as a
// handler for viewers and gateways.
//
//	STOW-RS  POST {root}/studies[/S]                        store instances
//	QIDO-RS  GET  {root}/studies?…, …/series?…, …/instances?…  search, DICOM JSON model (annex F)
//	WADO-RS  GET  {root}/studies/S[/series/E[/instances/I]]    files as they are stored
//	              …/metadata   …/bulkdata/TAG   …/frames/1,2   …/rendered   …/thumbnail
//
// Data sets are bytes here: a [Source] says what there is and hands it out, a [Handler] decides
// who may ask, reads requests and writes replies. Nothing is transcoded: a file or frame goes out
// in the transfer syntax it is stored in, and a request for another one alone is answered with 406.
//
// A Handler is meant for a loopback address or TLS. It answers nobody without a key, not even
// whether something exists; it checks the Host header, so that a web page cannot reach it by
// a name that it lets point here; it has no CORS but for named origins. Everything foreign is
// bounded: headers, parts, totals, and the time that a slow peer may take (limits.go).
//
// Fuzz: go test -fuzz FuzzQuery, FuzzStore, FuzzDataset, FuzzAccept ./protocol/dicomweb
package dicomweb

import (
	"context"
	"errors"
	"io"
)

// Level is what a search lists.
type Level int

// The levels of PS3.18 §10.6.
const (
	Studies Level = iota
	Series
	Instances
)

// Path names a study, a series of one, or an instance; what is empty is all of it.
type Path struct{ Study, Series, Instance string }

// Instance is one instance that a path named.
type Instance struct {
	Path
	Class, Syntax string // SOP Class and transfer syntax, as stored
	Frames        int    // 0 where there are no pixels
	Size          int64  // of the file
}

// Rendering says how a frame is drawn (PS3.18 §8.3.5); the zero value is as the frame says itself.
type Rendering struct {
	Frame         int         // from 1
	Window        *[2]float64 // centre, width
	Function      string      // of the window: linear, linear-exact, sigmoid or empty
	Width, Height int         // the picture fits into this, 0 for any size
}

// Sentinel failures of a Source, by which the handler chooses the status.
var (
	// ErrAbsent: there is no such thing, or it is not here yet.
	ErrAbsent = errors.New("not here")
	// ErrRefused: it is here and may not or cannot be given; the text around it may be shown.
	ErrRefused = errors.New("refused")
)

// Source is what a key opens. Its methods are called at the same time by many requests.
type Source interface {
	// Rows gives what a search of this level looks through, within path, until yield returns false.
	Rows(ctx context.Context, level Level, in Path, yield func(Dataset) bool) error
	// Instances lists the instances that a path names, in reading order; none is ErrAbsent.
	Instances(ctx context.Context, in Path) ([]Instance, error)
	// Metadata is an instance's data set; what is too long for it stands there as URI, made by
	// bulk from a path such as "7FE00010" or "00082112/1/00091010".
	Metadata(ctx context.Context, in Instance, bulk func(path string) string) (Dataset, error)
	// File is the Part 10 file of an instance.
	File(ctx context.Context, in Instance) ([]byte, error)
	// Bulk is a value that Metadata gave a URI.
	Bulk(ctx context.Context, in Instance, path string) ([]byte, error)
	// Frame is a frame, from 1: as coded, or, where the syntax is native, as little-endian cells.
	Frame(ctx context.Context, in Instance, n int) ([]byte, error)
	// Render draws a frame as PNG.
	Render(ctx context.Context, in Instance, r Rendering) ([]byte, error)
	// Take reads the file of an instance to its end and returns how to finish: finish returns
	// once the instance is durable, and may be called while the next is read. A failure of
	// Take itself ends the request.
	Take(ctx context.Context, file io.Reader, into Path) (finish func() Stored, err error)
}

// Stored is what became of one instance that was sent.
type Stored struct {
	Class, Instance, Study, Series string
	// Failure is a Failure Reason (0008,1197); 0 is success. Warning is a Warning Reason
	// (0008,1196) of one that was stored all the same.
	Failure, Warning uint16
	Detail           string // for a person, if the other side gave one
}

// Reasons of PS3.18 §I.2.2 and PS3.4 §B.2.3.
const (
	FailProcessing   uint16 = 0x0110
	FailClass        uint16 = 0x0122 // SOP class not supported
	FailResources    uint16 = 0xA700
	FailMismatch     uint16 = 0xA900 // data set does not match its class or UIDs
	FailUnderstand   uint16 = 0xC000
	FailSyntax       uint16 = 0xC122 // transfer syntax not supported
	FailNotMentioned uint16 = 0xFFFF // ours: the server said nothing about this instance

	WarnCoerced   uint16 = 0xB000
	WarnDiscarded uint16 = 0xB006
	WarnMismatch  uint16 = 0xB007 // ours: another instance of this UID is held, this one apart
)
