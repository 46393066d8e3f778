package dimse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"
)

// Proposal is a presentation context that a client asks for.
type Proposal struct {
	Abstract string
	Syntaxes []string // the best first
	// Serve asks for the SCP's part: C-GET has the other side store to us, PS3.7 §D.3.3.4.
	Serve bool
}

// Dial is what an association is asked for with.
type Dial struct {
	Calling, Called string
	Proposals       []Proposal    // at most 128
	Answer          time.Duration // how long the other side may take; 0 is limits.go's
}

// Open makes an association over a connection, which is its own from then on. It ends when ctx does.
func Open(ctx context.Context, conn net.Conn, d Dial) (*Assoc, error) {
	if err := errors.Join(CheckAET(d.Calling), CheckAET(d.Called)); err != nil {
		_ = conn.Close()
		return nil, err
	}
	l := newLink(conn, true)
	if d.Answer != 0 {
		l.idle = d.Answer
	}
	a := &Assoc{link: l, Calling: d.Calling, Called: d.Called, contexts: map[byte]*Context{}}
	a.watch(ctx)
	ac, err := l.associate(d)
	if err != nil {
		a.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	a.agree(d, ac)
	return a, nil
}

// associate sends an A-ASSOCIATE-RQ and waits for the answer.
func (l *link) associate(d Dial) (*associate, error) {
	rq := &associate{called: d.Called, calling: d.Calling, application: ApplicationContext, maxLength: MaxPDU}
	if len(d.Proposals) == 0 || len(d.Proposals) > contextsMax {
		return nil, fmt.Errorf("%d presentation contexts: want 1 to %d", len(d.Proposals), contextsMax)
	}
	asked := map[string]bool{}
	for i, p := range d.Proposals {
		rq.contexts = append(rq.contexts, pcontext{id: byte(2*i + 1), abstract: p.Abstract, transfer: p.Syntaxes})
		if p.Serve && !asked[p.Abstract] {
			asked[p.Abstract] = true
			rq.roles = append(rq.roles, role{class: p.Abstract, scp: true})
		}
	}
	if _, ok := l.m.step(evRequest); !ok {
		return nil, ErrReleased
	}
	if _, ok := l.m.step(evConnected); !ok {
		return nil, ErrReleased
	}
	if err := l.write(rq.encode(pduAssociateRQ)); err != nil {
		return nil, l.closed(err)
	}
	ind, err := l.next()
	if err != nil {
		return nil, err
	}
	return ind.rq, nil
}

// agree notes what the other side accepted.
func (a *Assoc) agree(d Dial, ac *associate) {
	a.sendMax = sendMax(ac.maxLength)
	for _, c := range ac.contexts {
		i := int(c.id-1) / 2
		if c.result != contextAccepted || i >= len(d.Proposals) || len(c.transfer) != 1 || !slices.Contains(d.Proposals[i].Syntaxes, c.transfer[0]) {
			continue
		}
		a.contexts[c.id] = &Context{ID: c.id, Abstract: d.Proposals[i].Abstract, Syntax: c.transfer[0], scp: d.Proposals[i].Serve}
	}
}

// request sends a request, and gives its id.
func (a *Assoc) request(c *Context, cmd *command, data io.Reader) (uint16, error) {
	a.lastID++
	cmd.id = a.lastID
	return cmd.id, a.send(c, cmd, data)
}

// answer waits for the response to a request. Another side that wants to release within an
// operation breaks the protocol.
func (a *Assoc) answer(field, id uint16) (*message, error) {
	m, err := a.receive()
	switch {
	case errors.Is(err, errAskedRelease):
		return nil, a.broken(invalid("release instead of an answer"))
	case err != nil:
		return nil, err
	case m.field != field|response || m.answers != id:
		return nil, a.broken(invalid("an answer to something else"))
	}
	return m, nil
}

// Echo is C-ECHO.
func (a *Assoc) Echo() error {
	c := a.Context(Verification)
	if c == nil {
		return ErrNoContext
	}
	id, err := a.request(c, &command{field: cEchoRQ, class: Verification}, nil)
	if err != nil {
		return err
	}
	m, err := a.answer(cEchoRQ, id)
	if err != nil {
		return err
	}
	if m.status != Success {
		return &StatusError{Op: "C-ECHO", Status: m.status, Comment: m.comment}
	}
	return nil
}

// Outcome is the answer to a C-STORE.
type Outcome struct {
	Status  Status
	Comment string
}

// Store is C-STORE of a data set in the context's transfer syntax. An error says that the
// association is over.
func (a *Assoc) Store(c *Context, sopUID string, dataSet []byte) (Outcome, error) {
	cmd := &command{field: cStoreRQ, class: c.Abstract, instance: sopUID, originator: a.Originator, originatorID: a.OriginatorID}
	id, err := a.request(c, cmd, byteReader(dataSet))
	if err != nil {
		return Outcome{}, err
	}
	m, err := a.answer(cStoreRQ, id)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Status: m.status, Comment: m.comment}, a.drain()
}

// Find is C-FIND: each match is handed to found, in the context's transfer syntax. A false from it
// calls the query off.
func (a *Assoc) Find(c *Context, identifier []byte, found func(dataSet []byte) bool) error {
	id, err := a.request(c, &command{field: cFindRQ, class: c.Abstract}, byteReader(identifier))
	if err != nil {
		return err
	}
	enough := false
	for after := 0; ; {
		m, err := a.answer(cFindRQ, id)
		if err != nil {
			return err
		}
		data, err := m.body.readAll()
		switch {
		case err != nil:
			return err
		case m.status.Pending() && enough:
			if after++; after > pendingMax {
				return a.broken(invalid("no end of answers to a query that was called off"))
			}
		case m.status.Pending():
			if enough = !found(data); enough {
				if err := a.send(c, &command{field: cCancelRQ, answers: id}, nil); err != nil {
					return err
				}
			}
		case m.status == Success || m.status == Cancelled && enough:
			return nil
		default:
			return &StatusError{Op: "C-FIND", Status: m.status, Comment: m.comment}
		}
	}
}

// Progress is how far a C-GET or C-MOVE is.
type Progress struct{ Remaining, Completed, Failed, Warning int }

// Move is C-MOVE: the other side sends to the AE title destination.
func (a *Assoc) Move(c *Context, destination string, identifier []byte, progress func(Progress)) (Progress, error) {
	if err := CheckAET(destination); err != nil {
		return Progress{}, err
	}
	id, err := a.request(c, &command{field: cMoveRQ, class: c.Abstract, destination: destination}, byteReader(identifier))
	if err != nil {
		return Progress{}, err
	}
	var last Progress
	for {
		m, err := a.answer(cMoveRQ, id)
		if err != nil {
			return last, err
		}
		if err := a.drain(); err != nil {
			return last, err
		}
		if done, err := a.retrieved("C-MOVE", m, &last, progress); done {
			return last, err
		}
	}
}

// retrieved reads a response of a retrieval; done says that it was the last one.
func (a *Assoc) retrieved(op string, m *message, last *Progress, progress func(Progress)) (done bool, err error) {
	*last = Progress{Remaining: int(m.remaining), Completed: int(m.completed), Failed: int(m.failed), Warning: int(m.warning)}
	if m.status.Pending() {
		if progress != nil {
			progress(*last)
		}
		return false, nil
	}
	// A warning says that some of them failed: the numbers say how many.
	if !m.status.Done() {
		return true, &StatusError{Op: op, Status: m.status, Comment: m.comment}
	}
	return true, nil
}

// Get is C-GET: the other side stores here, on this association.
func (a *Assoc) Get(c *Context, identifier []byte, take func(in Incoming, data io.Reader) (Status, string), progress func(Progress)) (Progress, error) {
	id, err := a.request(c, &command{field: cGetRQ, class: c.Abstract}, byteReader(identifier))
	if err != nil {
		return Progress{}, err
	}
	var last Progress
	for {
		m, err := a.receive()
		switch {
		case errors.Is(err, errAskedRelease):
			return last, a.broken(invalid("release instead of an answer"))
		case err != nil:
			return last, err
		case m.field == cStoreRQ:
			if err := a.stored(m, take); err != nil {
				return last, err
			}
			continue
		case m.field != cGetRSP || m.answers != id:
			return last, a.broken(invalid("an answer to something else"))
		}
		if err := a.drain(); err != nil {
			return last, err
		}
		if done, err := a.retrieved("C-GET", m, &last, progress); done {
			return last, err
		}
	}
}

// stored answers a C-STORE within a C-GET.
func (a *Assoc) stored(m *message, take func(in Incoming, data io.Reader) (Status, string)) error {
	rsp := &command{field: cStoreRSP, answers: m.id, class: m.class, instance: m.instance}
	switch {
	case m.body == nil:
		return a.broken(invalid("C-STORE without a data set"))
	case !m.context.scp || m.class != m.context.Abstract || m.instance == "":
		rsp.status = CannotUnderstand
	default:
		in := Incoming{
			Caller:   Caller{AETitle: a.Called, Remote: a.Remote()},
			SOPClass: m.class, SOPUID: m.instance, Syntax: m.context.Syntax,
		}
		rsp.status, rsp.comment = take(in, m.body)
	}
	if a.link.ended != nil {
		return a.link.ended
	}
	if err := a.drain(); err != nil {
		return err
	}
	return a.send(m.context, rsp, nil)
}

// AskCommitment is N-ACTION of the storage commitment push model: data names a transaction and its
// instances. The answer comes as a report: on this association ([Assoc.AwaitReport]), or on one
// that the other side opens.
func (a *Assoc) AskCommitment(data []byte) error {
	c := a.Context(StorageCommitment)
	if c == nil {
		return ErrNoContext
	}
	cmd := &command{field: nActionRQ, class: StorageCommitment, instance: commitmentInstance, action: 1}
	id, err := a.request(c, cmd, byteReader(data))
	if err != nil {
		return err
	}
	m, err := a.answer(nActionRQ, id)
	if err != nil {
		return err
	}
	if m.status != Success {
		return &StatusError{Op: "N-ACTION", Status: m.status, Comment: m.comment}
	}
	return a.drain()
}

// Readable waits until the other side says something. The association stays as it is if it does not.
func (a *Assoc) Readable(patience time.Duration) bool {
	if len(a.pdvs) > 0 {
		return true
	}
	if a.link.conn.SetReadDeadline(a.link.now().Add(patience)) != nil {
		return true // reading will say why
	}
	_, err := a.link.r.Peek(1)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// AwaitReport waits for a report on this association, for a while. The association is over
// afterwards if none came.
func (a *Assoc) AwaitReport(patience time.Duration) (event uint16, data []byte, syntax string, err error) {
	idle := a.link.idle
	a.link.idle = patience
	defer func() { a.link.idle = idle }()
	m, err := a.receive()
	switch {
	case errors.Is(err, errAskedRelease):
		_, err = a.link.step(evReleaseAnswer, 0)
		return 0, nil, "", errors.Join(ErrReleased, err)
	case err != nil:
		return 0, nil, "", err
	case m.field != nEventRQ:
		return 0, nil, "", a.broken(invalid("not a report"))
	}
	if data, err = m.body.readAll(); err != nil {
		return 0, nil, "", err
	}
	rsp := &command{field: nEventRSP, answers: m.id, class: m.class, instance: m.instance, event: m.event}
	return m.event, data, m.context.Syntax, a.send(m.context, rsp, nil)
}

// Report sends a report on an association that we opened for it.
func (a *Assoc) Report(event uint16, data []byte) error {
	c := a.Context(StorageCommitment)
	if c == nil {
		return ErrNoContext
	}
	return a.event(c, event, data)
}
