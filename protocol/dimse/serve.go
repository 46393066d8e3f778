package dimse

import (
	"context"
	"errors"
	"io"
)

// serve answers requests until the association ends; nil says that it was released.
func (s *Server) serve(ctx context.Context, a *Assoc, from Caller) error {
	for {
		m, err := a.receive()
		if errors.Is(err, errAskedRelease) {
			_, err = a.link.step(evReleaseAnswer, 0)
			return err
		}
		if err == nil {
			err = s.answer(ctx, a, from, m)
		}
		if err == nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		if err != nil {
			if ctx.Err() != nil {
				a.link.abort()
			}
			return err
		}
	}
}

// answer does one request.
func (s *Server) answer(ctx context.Context, a *Assoc, from Caller, m *message) error {
	rsp := &command{field: m.field | response, answers: m.id, class: m.class, instance: m.instance}
	switch m.field {
	case cEchoRQ:
		if m.context.Abstract != Verification {
			rsp.status = ClassNotSupported
		}
		if m.body != nil {
			return a.broken(invalid("C-ECHO with a data set"))
		}
	case cStoreRQ:
		if m.body == nil {
			return a.broken(invalid("C-STORE without a data set"))
		}
		rsp.status, rsp.comment = s.store(ctx, from, m)
		if a.link.ended != nil {
			return a.link.ended
		}
	case nActionRQ:
		return s.commit(ctx, a, from, m, rsp)
	case nEventRQ:
		return s.report(ctx, a, from, m, rsp)
	case cFindRQ:
		return s.find(ctx, a, from, m, rsp)
	case cMoveRQ:
		return s.move(ctx, a, from, m, rsp)
	case cCancelRQ:
		return nil // what it calls off is over; it has no answer
	default:
		if m.field&response != 0 {
			return a.broken(invalid("an answer to nothing"))
		}
		rsp.status = UnrecognizedOp
	}
	if err := a.drain(); err != nil {
		return err
	}
	return a.send(m.context, rsp, nil)
}

// drain reads what is left of a data set.
func (a *Assoc) drain() error {
	if a.body == nil {
		return nil
	}
	body := a.body
	a.body = nil
	_, err := io.Copy(io.Discard, body)
	return err
}

func (s *Server) store(ctx context.Context, from Caller, m *message) (Status, string) {
	switch {
	case s.Store == nil || !Storage(m.context.Abstract):
		return ClassNotSupported, ""
	case m.class != m.context.Abstract:
		return ClassNotSupported, "class differs from the context's"
	case m.instance == "":
		return CannotUnderstand, "no instance named"
	}
	in := Incoming{Caller: from, SOPClass: m.class, SOPUID: m.instance, Syntax: m.context.Syntax}
	return s.Store(ctx, in, m.body)
}

// commit answers an N-ACTION, and reports on the same association while the caller is there.
func (s *Server) commit(ctx context.Context, a *Assoc, from Caller, m *message, rsp *command) error {
	data, err := m.body.readAll()
	if err != nil {
		return err
	}
	rsp.action = m.action
	var then func(report func(uint16, []byte) error)
	switch {
	case s.Commit == nil || m.context.Abstract != StorageCommitment || m.class != StorageCommitment:
		rsp.status = ClassNotSupported
	case m.action != 1:
		rsp.status = NoSuchAction
	default:
		rsp.status, then = s.Commit(ctx, from, data, m.context.Syntax)
	}
	if err := a.send(m.context, rsp, nil); err != nil || then == nil {
		return err
	}
	var sent error
	then(func(event uint16, data []byte) error {
		sent = a.event(m.context, event, data)
		return sent
	})
	if a.link.ended != nil {
		return a.link.ended
	}
	return nil
}

// event sends an N-EVENT-REPORT and waits for the answer.
func (a *Assoc) event(c *Context, kind uint16, data []byte) error {
	a.lastID++
	rq := &command{field: nEventRQ, id: a.lastID, class: StorageCommitment, instance: commitmentInstance, event: kind}
	if err := a.send(c, rq, byteReader(data)); err != nil {
		return err
	}
	m, err := a.receive()
	switch {
	case errors.Is(err, errAskedRelease):
		if _, err := a.link.step(evReleaseAnswer, 0); err != nil {
			return err
		}
		return a.link.end(ErrReleased)
	case err != nil:
		return err
	case m.field != nEventRSP || m.answers != rq.id:
		return a.broken(invalid("an answer to something else"))
	case !m.status.Done():
		return &StatusError{Op: "N-EVENT-REPORT", Status: m.status, Comment: m.comment}
	}
	return a.drain()
}

// report answers an N-EVENT-REPORT: the answer to a commitment that we asked for.
func (s *Server) report(ctx context.Context, a *Assoc, from Caller, m *message, rsp *command) error {
	data, err := m.body.readAll()
	if err != nil {
		return err
	}
	rsp.event = m.event
	if s.Report == nil || m.context.Abstract != StorageCommitment {
		rsp.status = ClassNotSupported
	} else {
		rsp.status = s.Report(ctx, from, m.event, data, m.context.Syntax)
	}
	return a.send(m.context, rsp, nil)
}
