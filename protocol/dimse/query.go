package dimse

import (
	"context"
	"errors"
	"time"
)

// Ask is a C-FIND or a C-MOVE of a caller.
type Ask struct {
	Caller
	ID          uint16 // of the message
	Class       string // the information model
	Identifier  []byte // in Syntax, at most IdentifierMax
	Syntax      string // Explicit or Implicit VR Little Endian
	Destination string // of C-MOVE
}

// Moved is how a C-MOVE ended.
type Moved struct {
	Progress
	Status  Status
	Comment string
	List    []byte // identifier with the list of what failed; nil for none
}

// ErrCancelled says that the caller called an operation off.
var ErrCancelled = errors.New("called off by the caller")

// What each information model is asked by, PS3.4 §C.6.
var (
	findClasses = map[string]bool{PatientFind: true, StudyFind: true}
	moveClasses = map[string]bool{PatientMove: true, StudyMove: true}
)

// ask reads a request that has an identifier. ok false says that it was answered.
func (s *Server) ask(a *Assoc, from Caller, m *message, rsp *command, served bool) (q Ask, ok bool, err error) {
	if m.body == nil {
		return q, false, a.broken(invalid("a query without an identifier"))
	}
	q = Ask{Caller: from, ID: m.id, Class: m.class, Syntax: m.context.Syntax, Destination: m.destination}
	if q.Identifier, err = m.body.readAll(); err != nil {
		return q, false, err
	}
	if !served || m.class != m.context.Abstract {
		rsp.status = ClassNotSupported
		return q, false, a.send(m.context, rsp, nil)
	}
	return q, true, nil
}

// find answers a C-FIND, PS3.4 §C.4.1.
func (s *Server) find(ctx context.Context, a *Assoc, from Caller, m *message, rsp *command) error {
	q, ok, err := s.ask(a, from, m, rsp, s.Find != nil && findClasses[m.context.Abstract])
	if !ok {
		return err
	}
	e := a.listen(m.id)
	rsp.status, rsp.comment = s.Find(ctx, q, func(st Status, identifier []byte) error {
		if err := e.check(); err != nil {
			return err
		}
		match := *rsp
		match.status = st
		return a.send(m.context, &match, byteReader(identifier))
	})
	e.stop()
	if a.link.ended != nil {
		return a.link.ended
	}
	if e.cancelled {
		rsp.status, rsp.comment = Cancelled, ""
	}
	return a.send(m.context, rsp, nil)
}

// move answers a C-MOVE, PS3.4 §C.4.2.
func (s *Server) move(ctx context.Context, a *Assoc, from Caller, m *message, rsp *command) error {
	q, ok, err := s.ask(a, from, m, rsp, s.Move != nil && moveClasses[m.context.Abstract])
	if !ok {
		return err
	}
	e := a.listen(m.id)
	done := s.Move(ctx, q, func(p Progress) error {
		if err := e.check(); err != nil {
			return err
		}
		pending := *rsp
		pending.status = Pending
		pending.count(p)
		return a.send(m.context, &pending, nil)
	})
	e.stop()
	if a.link.ended != nil {
		return a.link.ended
	}
	rsp.status, rsp.comment = done.Status, done.Comment
	if e.cancelled {
		rsp.status, rsp.comment = Cancelled, ""
	}
	rsp.count(done.Progress)
	if done.List == nil {
		return a.send(m.context, rsp, nil)
	}
	return a.send(m.context, rsp, byteReader(done.List))
}

func (c *command) count(p Progress) {
	fit := func(n int) uint16 { return uint16(min(max(n, 0), 1<<16-1)) }
	c.remaining, c.completed, c.failed, c.warning = fit(p.Remaining), fit(p.Completed), fit(p.Failed), fit(p.Warning)
}

// ear hears what comes while an operation is at work. Another goroutine waits for the first byte,
// and reads nothing; what it is the one that works reads, once the ear is at rest.
type ear struct {
	a         *Assoc
	id        uint16        // of the operation
	heard     chan struct{} // closed once something came, or the connection ended
	cancelled bool
}

func (a *Assoc) listen(id uint16) *ear {
	e := &ear{a: a, id: id}
	e.start()
	return e
}

func (e *ear) start() {
	heard := make(chan struct{})
	e.heard = heard
	_ = e.a.link.conn.SetReadDeadline(time.Time{}) // an operation may take long
	go func() {
		defer close(heard)
		_, _ = e.a.link.r.Peek(1) // whoever reads next is told of a failure
	}()
}

// stop brings the ear to rest: the association can be read again.
func (e *ear) stop() {
	if e.heard != nil {
		_ = e.a.link.conn.SetReadDeadline(e.a.link.now())
		<-e.heard
		e.heard = nil
	}
}

// check says whether the operation was called off, or the association is over. Nothing but C-CANCEL
// may come within an operation: asynchronous ones are not negotiated.
func (e *ear) check() error {
	if e.cancelled {
		return ErrCancelled
	}
	if len(e.a.pdvs) == 0 {
		select {
		case <-e.heard:
		default:
			return nil
		}
	}
	e.stop()
	m, err := e.a.receive()
	switch {
	case errors.Is(err, errAskedRelease):
		return e.a.broken(invalid("release within an operation"))
	case err != nil:
		return err
	case m.field != cCancelRQ:
		return e.a.broken(invalid("a request within an operation"))
	case m.answers == e.id:
		e.cancelled = true
		return ErrCancelled
	}
	e.start() // for another one, which is over
	return nil
}
