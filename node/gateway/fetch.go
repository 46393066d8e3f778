package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

var (
	errNotThere   = errors.New("the destination has no such study")
	errNoRetrieve = errors.New("the destination offers neither C-GET nor C-MOVE")
	errNoListener = errors.New("C-MOVE sends to the DICOM listener, and there is none here: run curbside serve --dicom, or say retrieve get")
)

// Fetch brings a study by C-GET, or else by C-MOVE to the listener.
func (d *dicom) Fetch(ctx context.Context, studyUID string, take func(path string) error) error {
	if d.set.Retrieve == "move" {
		return d.move(ctx, studyUID, take)
	}
	err := d.get(ctx, studyUID, take)
	if d.set.Retrieve == "" && errors.Is(err, dimse.ErrNoContext) {
		if err = d.move(ctx, studyUID, take); errors.Is(err, dimse.ErrNoContext) {
			return errNoRetrieve
		}
	}
	return err
}

func retrieveQuery(studyUID string) object.Set {
	return object.Set{str(tagLevel, "CS", "STUDY"), str(tagStudyUID, "UI", studyUID)}
}

// get is C-GET. The classes of the study are asked for before, as they must be proposed.
func (d *dicom) get(ctx context.Context, studyUID string, take func(path string) error) error {
	classes, err := d.classes(ctx, studyUID)
	if err != nil {
		return err
	}
	proposals := append([]dimse.Proposal{{Abstract: dimse.StudyGet, Syntaxes: slices.Clone(plain)}}, storageProposals(classes)...)
	a, err := d.open(ctx, proposals...)
	if err != nil {
		return err
	}
	defer a.Close()
	c := a.Context(dimse.StudyGet)
	if c == nil {
		return dimse.ErrNoContext
	}
	var failed error
	last, err := a.Get(c, encode(retrieveQuery(studyUID), c.Syntax), func(in dimse.Incoming, data io.Reader) (dimse.Status, string) {
		if failed == nil {
			failed = d.g.hand(in, data, take)
		}
		if failed != nil {
			return dimse.OutOfResources, ""
		}
		return dimse.Success, ""
	}, nil)
	switch {
	case failed != nil:
		return failed
	case err != nil:
		return err
	}
	return retrieved(a, last)
}

// hand writes an instance to a file and hands it over.
func (g *Gateway) hand(in dimse.Incoming, data io.Reader, take func(path string) error) error {
	path, err := spoolInstance(g.cfg.Tmp, in, data)
	defer removeFile(path)
	if err != nil {
		return err
	}
	return take(path)
}

// classes asks which SOP classes a study holds; nil where the destination does not say.
func (d *dicom) classes(ctx context.Context, studyUID string) ([]string, error) {
	a, err := d.open(ctx, dimse.Proposal{Abstract: dimse.StudyFind, Syntaxes: slices.Clone(plain)})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	series, err := seriesOf(a, studyUID)
	switch {
	case errors.Is(err, dimse.ErrNoContext):
		return nil, nil // a server that only retrieves
	case err != nil:
		return nil, err
	case len(series) == 0:
		return nil, errNotThere
	}
	var classes []string
	for _, uid := range series {
		list, err := instancesOf(a, studyUID, uid)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			if r.class == "" {
				return nil, released(a)
			}
			if !slices.Contains(classes, r.class) {
				classes = append(classes, r.class)
			}
		}
	}
	return classes, released(a)
}

// usualClasses are proposed where nobody says what a study holds: suffixes of the storage arc.
var usualClasses = []string{
	"1", "1.1", "1.2", "1.3", "2", "2.1", "2.2", "3.1", "4", "4.1", "4.3", "6.1", "6.2", "7", "7.1", "7.2", "7.3", "7.4",
	"11.1", "12.1", "12.1.1", "12.2", "13.1.3", "20", "30", "66", "66.4", "77.1.1", "77.1.4", "77.1.5.1", "77.1.5.4",
	"88.11", "88.22", "88.33", "88.34", "88.59", "88.67", "104.1", "128", "130", "481.2", "481.3", "481.5",
}

const storageArc = "1.2.840.10008.5.1.4.1.1."

// storageProposals asks the other side to store here. Each class is proposed with each syntax apart,
// as far as there is room: a server sends an instance as it has it only where that very syntax was
// accepted.
func storageProposals(classes []string) []dimse.Proposal {
	if len(classes) == 0 {
		for _, c := range usualClasses {
			classes = append(classes, storageArc+c)
		}
	}
	classes = classes[:min(len(classes), proposalsMax)]
	likely, rest := likelySyntaxes()
	var out []dimse.Proposal
	for i, c := range classes {
		each := (proposalsMax - len(out)) / (len(classes) - i)
		if each <= len(likely) {
			out = append(out, dimse.Proposal{Abstract: c, Syntaxes: slices.Clone(plain), Serve: true})
			if each > 1 {
				out = append(out, dimse.Proposal{Abstract: c, Syntaxes: slices.Concat(likely, rest), Serve: true})
			}
			continue
		}
		for _, s := range likely {
			out = append(out, dimse.Proposal{Abstract: c, Syntaxes: []string{s}, Serve: true})
		}
		out = append(out, dimse.Proposal{Abstract: c, Syntaxes: rest, Serve: true})
	}
	return out
}

// likelySyntaxes are those that archives keep: plain, deflated, RLE, the JPEG family, and apart all
// others.
func likelySyntaxes() (likely, rest []string) {
	usual := []string{".1.99", ".2", ".4.50", ".4.51", ".4.57", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91", ".4.201", ".4.202", ".4.203", ".5"}
	for _, s := range study.SyntaxUIDs() {
		if slices.Contains(plain, s) || slices.Contains(usual, strings.TrimPrefix(s, dimse.ImplicitLE)) {
			likely = append(likely, s)
		} else {
			rest = append(rest, s)
		}
	}
	return likely, rest
}

// capture is a C-MOVE under way: what comes for it goes to who asked, not through the door.
type capture struct {
	from string // AE title of the destination
	host string

	mu   sync.Mutex // one at a time; guards err
	take func(path string) error
	err  error
}

func (c *capture) store(g *Gateway, in dimse.Incoming, data io.Reader) dimse.Status {
	path, err := spoolInstance(g.cfg.Tmp, in, data)
	defer removeFile(path)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.err == nil {
		err = c.take(path)
	}
	if c.err == nil {
		c.err = err
	}
	if c.err != nil {
		return dimse.OutOfResources
	}
	return dimse.Success
}

// captureOf finds the C-MOVE that a caller may be sending for: by its address, and where it says so
// by the title that asked.
func (g *Gateway) captureOf(ctx context.Context, calling string, remote net.Addr) *capture {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.captures {
		if c.from == calling && hostIs(ctx, c.host, remote) {
			return c
		}
	}
	return nil
}

// move is C-MOVE to our own listener.
func (d *dicom) move(ctx context.Context, studyUID string, take func(path string) error) error {
	g := d.g
	c := &capture{from: d.set.AET, host: d.set.Host, take: take}
	g.mu.Lock()
	if g.listener == nil {
		g.mu.Unlock()
		return errNoListener
	}
	title := g.listener.set.AETitle
	g.captures = append(g.captures, c)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.captures = slices.DeleteFunc(g.captures, func(o *capture) bool { return o == c })
	}()
	a, err := d.open(ctx, dimse.Proposal{Abstract: dimse.StudyMove, Syntaxes: slices.Clone(plain)})
	if err != nil {
		return err
	}
	defer a.Close()
	ctxMove := a.Context(dimse.StudyMove)
	if ctxMove == nil {
		return dimse.ErrNoContext
	}
	last, err := a.Move(ctxMove, strings.TrimSpace(title), encode(retrieveQuery(studyUID), ctxMove.Syntax), nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case err != nil:
		return err
	}
	return retrieved(a, last)
}

// retrieved says what came of a retrieval that ended, and ends its association.
func retrieved(a *dimse.Assoc, last dimse.Progress) error {
	switch {
	case last.Failed > 0:
		return fmt.Errorf("%d of %d instances could not be fetched", last.Failed, last.Failed+last.Completed+last.Warning)
	case last.Completed+last.Warning == 0:
		return errNotThere
	}
	return released(a)
}
