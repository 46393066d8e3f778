package dimse

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

var findProposal = Proposal{Abstract: StudyFind, Syntaxes: []string{ImplicitLE + ".1.99", ImplicitLE}}

// TestFindCancelled: a query without an end of matches ends when it is called off, and the association is good
// for another one.
func TestFindCancelled(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(s *Server) {
		s.Find = func(ctx context.Context, q Ask, match func(Status, []byte) error) (Status, string) {
			for ctx.Err() == nil {
				if err := match(Pending, q.Identifier); err != nil {
					return CannotUnderstand, "" // not what is said
				}
			}
			return CannotUnderstand, ""
		}
	})
	a, err := s.open(t, "SCU", "SCP", findProposal)
	if err != nil {
		t.Fatal(err)
	}
	c := a.Context(StudyFind)
	if c == nil || c.Syntax != ImplicitLE {
		t.Fatalf("%+v: identifiers are written in plain syntaxes", c)
	}
	for range 3 {
		got := 0
		if err := a.Find(c, []byte("abcd"), func(b []byte) bool { got++; return got < 5 && string(b) == "abcd" }); err != nil || got != 5 {
			t.Fatalf("%d matches: %v", got, err)
		}
	}
	if err := a.Release(); err != nil {
		t.Error(err)
	}
}

// TestMoveCancelled: the numbers of what was done come with the cancellation.
func TestMoveCancelled(t *testing.T) {
	t.Parallel()
	seen := make(chan error, 1)
	s := newStand(t, func(s *Server) {
		s.Move = func(ctx context.Context, q Ask, progress func(Progress) error) Moved {
			p := Progress{Remaining: 9, Completed: 1}
			err := progress(p)
			for err == nil && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
				err = progress(p)
			}
			seen <- err
			return Moved{Progress: p, Status: Success}
		}
	})
	a, err := s.open(t, "SCU", "SCP", Proposal{Abstract: StudyMove, Syntaxes: []string{ExplicitLE}})
	if err != nil {
		t.Fatal(err)
	}
	once := false
	c := a.Context(StudyMove)
	last, err := a.Move(c, "PACS", []byte("abcd"), func(Progress) {
		if !once {
			once = true
			if err := a.send(c, &command{field: cCancelRQ, answers: a.lastID + 7}, nil); err != nil { // of another: nothing to us
				t.Error(err)
			}
			if err := a.send(c, &command{field: cCancelRQ, answers: a.lastID}, nil); err != nil {
				t.Error(err)
			}
		}
	})
	said, ok := errors.AsType[*StatusError](err)
	if !ok || said.Status != Cancelled || last.Remaining != 9 || last.Completed != 1 {
		t.Errorf("%+v %v", last, err)
	}
	if err := <-seen; !errors.Is(err, ErrCancelled) {
		t.Errorf("the operation heard %v", err)
	}
	if err := a.Release(); err != nil {
		t.Error(err)
	}
}

// TestQueryLeft: who asks and hangs up, or asks for something else meanwhile, ends the operation.
func TestQueryLeft(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(a *Assoc, c *Context){
		"gone": func(a *Assoc, _ *Context) { a.Abort() },
		"another": func(a *Assoc, c *Context) {
			_, _ = a.request(c, &command{field: cFindRQ, class: c.Abstract}, byteReader([]byte("abcd")))
		},
	} {
		ended := make(chan error, 1)
		s := newStand(t, func(s *Server) {
			s.Find = func(ctx context.Context, q Ask, match func(Status, []byte) error) (Status, string) {
				err := match(Pending, q.Identifier)
				for err == nil && ctx.Err() == nil {
					err = match(Pending, q.Identifier)
				}
				ended <- err
				return Success, ""
			}
		})
		a, err := s.open(t, "SCU", "SCP", findProposal)
		if err != nil {
			t.Fatal(err)
		}
		c := a.Context(StudyFind)
		if _, err := a.request(c, &command{field: cFindRQ, class: c.Abstract}, byteReader([]byte("abcd"))); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, a.link.conn) }() // until it is closed
		leave(a, c)
		select {
		case err := <-ended:
			if err == nil || errors.Is(err, ErrCancelled) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the query goes on", name)
		}
	}
}

// TestQueryRefused: who is not allowed gets no context for it, nor does anybody where nothing is served.
func TestQueryRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(s *Server) {
		s.Allowed = func(context.Context, string, net.Addr) bool { return false }
		s.Find = func(context.Context, Ask, func(Status, []byte) error) (Status, string) {
			t.Error("a stranger asked")
			return Success, ""
		}
	})
	a, err := s.open(t, "SCU", "SCP", echoProposal, findProposal)
	if err != nil {
		t.Fatal(err)
	}
	if a.Context(StudyFind) != nil {
		t.Error("a stranger may ask")
	}
	if err := a.Release(); err != nil {
		t.Error(err)
	}
}
