package gateway

import (
	"context"
	"errors"
	"log/slog"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/protocol/dicomweb"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// What a caller is told, in at most commentMax characters.
const (
	sayUnlisted   = "not on the list"
	sayIdentifier = "not an identifier of this model and level"
	sayShelf      = "the studies cannot be read now"
	sayMatches    = "more matches than are answered: ask for fewer"
	sayPlace      = "no destination has this AE title"
)

var (
	errMatches  = errors.New("too many matches")
	errManyMore = errors.New("too many instances")
)

// find answers a caller's C-FIND from the studies that were taken in here.
func (l *listener) find(ctx context.Context, ask dimse.Ask, match func(dimse.Status, []byte) error) (dimse.Status, string) {
	shelf, set, status, why := l.query(ctx, ask)
	if why != "" {
		return status, why
	}
	q, err := readQuestion(ask.Class, set)
	if err != nil {
		return dimse.DoesNotMatch, sayIdentifier
	}
	n := 0
	var ended error
	err = shelf.Rows(ctx, q.level, q.in, func(row dicomweb.Dataset) bool {
		set, whole := q.answer(row, l.set.AETitle)
		if set == nil {
			return true
		}
		if n++; n > answersMax {
			ended = errMatches
			return false
		}
		status := dimse.Pending
		if !whole {
			status = dimse.PendingUnsupported
		}
		ended = match(status, encode(set, ask.Syntax))
		return ended == nil
	})
	switch {
	case errors.Is(ended, errMatches):
		return dimse.OutOfResources, sayMatches
	case ended != nil:
		return dimse.Cancelled, ""
	case err != nil && !errors.Is(err, dicomweb.ErrAbsent):
		return dimse.CannotUnderstand, sayShelf
	}
	return dimse.Success, ""
}

// query lets a caller of the list in, and reads its identifier. An empty why is good.
func (l *listener) query(ctx context.Context, ask dimse.Ask) (shelf Shelf, set object.Set, s dimse.Status, why string) {
	if !l.listed(ctx, ask.AETitle, ask.Remote) { // it was let in for something else
		l.note(ask.Remote, sayUnlisted)
		return nil, nil, dimse.NotAuthorized, sayUnlisted
	}
	set, err := decode(ask.Identifier, ask.Syntax)
	if err != nil {
		return nil, nil, dimse.DoesNotMatch, sayIdentifier
	}
	if shelf, err = l.door.Shelf(ctx); err != nil {
		l.note(ask.Remote, sayShelf)
		return nil, nil, dimse.CannotUnderstand, sayShelf
	}
	return shelf, set, dimse.Success, ""
}

// move answers a caller's C-MOVE: to a destination of ours that goes by the title it names.
func (l *listener) move(ctx context.Context, ask dimse.Ask, progress func(dimse.Progress) error) dimse.Moved {
	shelf, set, status, why := l.query(ctx, ask)
	if why != "" {
		return dimse.Moved{Status: status, Comment: why}
	}
	w, err := readWanted(ask.Class, set)
	if err != nil {
		return dimse.Moved{Status: dimse.DoesNotMatch, Comment: sayIdentifier}
	}
	to, ok := l.g.destinationOf(ask.Destination)
	if !ok {
		return dimse.Moved{Status: dimse.NoDestination, Comment: sayPlace}
	}
	files, err := filesOf(ctx, shelf, w)
	switch {
	case errors.Is(err, errManyMore):
		return dimse.Moved{Status: dimse.CannotCount, Comment: sayMatches}
	case err != nil:
		l.note(ask.Remote, sayShelf)
		return dimse.Moved{Status: dimse.CannotUnderstand, Comment: sayShelf}
	}
	s := newSending(to, files)
	s.originator, s.originatorID = ask.AETitle, ask.ID
	s.each = func() error { return progress(moved(s)) }
	err = s.run(ctx)
	p := moved(s)
	if errors.Is(err, errCalledOff) {
		s.out = s.out[:s.next] // the rest did not fail
	} else if err != nil {
		p.Failed, p.Remaining = p.Failed+p.Remaining, 0
		l.note(ask.Remote, "C-MOVE: the destination was not reached: "+err.Error())
	}
	l.g.cfg.Log.InfoContext(ctx, "C-MOVE", slog.String("remote", ask.Remote.String()), slog.Int("stored", p.Completed+p.Warning), slog.Int("failed", p.Failed))
	return dimse.Moved{Progress: p, Status: movedStatus(p), List: failedList(s, ask.Syntax)}
}

// moved counts what was sent.
func moved(s *sending) dimse.Progress {
	p := dimse.Progress{Remaining: len(s.files) - s.next}
	for _, o := range s.out[:s.next] {
		switch {
		case o.State == Failed:
			p.Failed++
		case dimse.Status(o.Status).Warned():
			p.Warning++
		default:
			p.Completed++
		}
	}
	return p
}

// movedStatus is that of PS3.4 table C.4-2.
func movedStatus(p dimse.Progress) dimse.Status {
	switch {
	case p.Failed > 0 && p.Completed+p.Warning == 0:
		return dimse.CannotPerform
	case p.Failed+p.Warning > 0:
		return dimse.CoercionWarning // B000H: complete, one or more failures or warnings
	}
	return dimse.Success
}

// failedList names what was not stored, PS3.4 §C.4.2.1.4.2; nil where all was.
func failedList(s *sending, syntax string) []byte {
	var uids []string
	for _, o := range s.out {
		if o.State == Failed && len(uids) < failedMax {
			uids = append(uids, o.SOPUID)
		}
	}
	if uids == nil {
		return nil
	}
	return encode(object.Set{object.Str(tagFailedList, "UI", uids...)}, syntax)
}

// filesOf lists the instances that are wanted and here.
func filesOf(ctx context.Context, shelf Shelf, w wanted) ([]File, error) {
	paths := w.paths
	if w.patient != "" {
		of, err := studiesOf(ctx, shelf, w.patient)
		if err != nil {
			return nil, err
		}
		var in []dicomweb.Path
		for _, p := range paths {
			if of[p.Study] {
				in = append(in, p)
			}
		}
		if paths == nil {
			for uid := range of {
				in = append(in, dicomweb.Path{Study: uid})
			}
		}
		paths = in
	}
	var out []File
	for _, p := range paths {
		list, err := shelf.Instances(ctx, p)
		if err != nil && !errors.Is(err, dicomweb.ErrAbsent) {
			return nil, err
		}
		if len(out)+len(list) > movedMax {
			return nil, errManyMore
		}
		for _, in := range list {
			out = append(out, File{
				SOPClass: in.Class, SOPUID: in.Instance, Syntax: in.Syntax, StudyUID: in.Study, Size: in.Size,
				Read: func(ctx context.Context) ([]byte, error) { return shelf.File(ctx, in) },
			})
		}
	}
	return out, nil
}

// studiesOf finds the studies of a patient.
func studiesOf(ctx context.Context, shelf Shelf, patient string) (map[string]bool, error) {
	of := map[string]bool{}
	err := shelf.Rows(ctx, dicomweb.Studies, dicomweb.Path{}, func(row dicomweb.Dataset) bool {
		if row.Text(uint32(tagID)) == patient {
			of[row.Text(uint32(tagStudyUID))] = true
		}
		return len(of) <= movedMax
	})
	if errors.Is(err, dicomweb.ErrAbsent) {
		err = nil
	}
	return of, err
}
