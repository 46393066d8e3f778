package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// Why an instance was not stored, with what its user can do.
const (
	hintClass  = "the destination does not take this kind of object"
	hintSyntax = "the destination does not take this compression; set decode for it to send plain pixels: curbside gateway destination add --decode"
)

// sending is one Store at work.
type sending struct {
	d      *dicom
	files  []File
	out    []Stored
	next   int // the first file that was not tried to its end
	failed int // tries since one went through

	// Of the C-MOVE that asks for it, if one does; each hears of every file, and ends it all by failing.
	originator   string
	originatorID uint16
	each         func() error
}

func newSending(d *dicom, files []File) *sending {
	s := &sending{d: d, files: files}
	for _, f := range files {
		s.out = append(s.out, Stored{SOPClass: f.SOPClass, SOPUID: f.SOPUID, State: Failed, Detail: "not sent"})
	}
	return s
}

// Store is C-STORE of instances, each in its own transfer syntax. A broken association is opened
// again, with growing pauses, and goes on where it was; at the end the destination is asked to
// commit to what it took.
func (d *dicom) Store(ctx context.Context, files []File) ([]Stored, Commitment, error) {
	s := newSending(d, files)
	err := s.run(ctx)
	if err == nil {
		err = d.secured(ctx, files, s.out)
	}
	return s.out, least(s.out), err
}

// run sends all there is, over as many associations as it takes.
func (s *sending) run(ctx context.Context) (err error) {
	for s.next < len(s.files) {
		before := s.next
		if err = s.association(ctx); err == nil {
			continue
		}
		if s.next > before {
			s.failed = 0
		}
		if s.failed++; ctx.Err() != nil || s.failed > triesMax || !transient(err) {
			break
		}
		s.d.g.cfg.Log.WarnContext(ctx, "sending again", slog.Int("try", s.failed), slog.Any("error", err))
		if !pause(ctx, time.Second<<(s.failed-1)) {
			break
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return err
}

// transient reports whether another try may go better.
func transient(err error) bool {
	if r, ok := errors.AsType[*dimse.RejectError](err); ok {
		return r.Transient()
	}
	return !errors.Is(err, dimse.ErrProtocol) && !errors.Is(err, errRead) && !errors.Is(err, errCalledOff)
}

// errCalledOff says that who wants it wants no more.
var errCalledOff = errors.New("called off")

// errRead says that a file of ours could not be read: nothing to try again.
var errRead = errors.New("read instance")

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// kind is what a context is for.
type kind struct{ class, syntax string }

// propose gives the contexts of as many of the next files as one association can have: each class
// with each syntax of its files, and once with the plain ones.
func (s *sending) propose() (proposals []dimse.Proposal, until int) {
	seen := map[kind]bool{}
	classes := map[string]bool{}
	for until = s.next; until < len(s.files); until++ {
		f := s.files[until]
		k := kind{f.SOPClass, f.Syntax}
		if seen[k] {
			continue
		}
		more := 1
		if !classes[f.SOPClass] {
			more++
		}
		if len(proposals)+more > proposalsMax {
			break
		}
		seen[k] = true
		proposals = append(proposals, dimse.Proposal{Abstract: f.SOPClass, Syntaxes: []string{f.Syntax}})
		if !classes[f.SOPClass] {
			classes[f.SOPClass] = true
			proposals = append(proposals, dimse.Proposal{Abstract: f.SOPClass, Syntaxes: slices.Clone(plain)})
		}
	}
	return proposals, until
}

// association sends what one association can.
func (s *sending) association(ctx context.Context) error {
	proposals, until := s.propose()
	a, err := s.d.open(ctx, proposals...)
	if err != nil {
		return err
	}
	defer a.Close()
	a.Originator, a.OriginatorID = s.originator, s.originatorID
	ctx, cancel := context.WithCancel(ctx)
	ahead := readAhead(ctx, s.files[s.next:until])
	defer func() { cancel(); ahead.wait() }()
	for s.next < until {
		if err := s.one(ctx, a, ahead); err != nil {
			return err
		}
		s.next++
		if s.each == nil {
			continue
		}
		if err := s.each(); err != nil {
			_ = released(a) // what was stored is
			return fmt.Errorf("%w: %w", errCalledOff, err)
		}
	}
	return released(a)
}

// one sends the next file. An error says that the association is over, or the file cannot be read.
func (s *sending) one(ctx context.Context, a *dimse.Assoc, ahead *reads) error {
	f, out := s.files[s.next], &s.out[s.next]
	file, err := ahead.take(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errRead, err)
	}
	c, data, why := s.shape(a, f, file)
	if why != "" {
		out.Detail = why
		return nil
	}
	got, err := a.Store(c, f.SOPUID, data)
	if err != nil {
		return err
	}
	s.failed = 0
	out.Status, out.Detail = uint16(got.Status), text.Line(got.Comment)
	switch {
	case got.Status.Done():
		out.State = StoredYes
	case out.Detail == "":
		out.Detail = "status " + got.Status.String()
	}
	return nil
}

// shape finds the context for a file and its data set in that context's syntax, or says why there
// is none.
func (s *sending) shape(a *dimse.Assoc, f File, file []byte) (c *dimse.Context, data []byte, why string) {
	at := dimse.DataSet(file)
	if at == 0 {
		return nil, nil, "not a DICOM file"
	}
	if c := a.Context(f.SOPClass, f.Syntax); c != nil {
		return c, file[at:], ""
	}
	c = a.Context(f.SOPClass, plain...)
	if c == nil {
		return nil, nil, hintClass
	}
	data, err := reshape(file, f.Syntax, c.Syntax, s.d.set.Decode)
	if err != nil {
		return nil, nil, err.Error()
	}
	return c, data, ""
}

// reads reads files ahead of their sending, in order, a few at a time.
type reads struct {
	slots chan chan read
	done  sync.WaitGroup
}

type read struct {
	file []byte
	err  error
}

func readAhead(ctx context.Context, files []File) *reads {
	r := &reads{slots: make(chan chan read, aheadFiles)}
	r.done.Go(func() {
		defer close(r.slots)
		for _, f := range files {
			slot := make(chan read, 1)
			select {
			case r.slots <- slot:
			case <-ctx.Done():
				return
			}
			get := func() {
				b, err := f.Read(ctx)
				slot <- read{b, err}
			}
			if f.Size > aheadBytes {
				get() // one at a time
				continue
			}
			r.done.Go(get)
		}
	})
	return r
}

func (r *reads) take(ctx context.Context) ([]byte, error) {
	select {
	case slot := <-r.slots:
		select {
		case got := <-slot:
			return got.file, got.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *reads) wait() { r.done.Wait() }
