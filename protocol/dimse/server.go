package dimse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server answers associations. Its fields are set before Serve.
type Server struct {
	AETitle string
	// Syntaxes says which transfer syntaxes are known; all of them are taken as they come.
	Syntaxes func(uid string) bool
	// Allowed says whether a caller may do more than C-ECHO.
	Allowed func(ctx context.Context, calling string, remote net.Addr) bool
	// Store takes an instance and says what became of it. It reads data to its end, or the rest is
	// dropped. It is called by many goroutines at a time.
	Store func(ctx context.Context, in Incoming, data io.Reader) (Status, string)
	// Commit answers a request for storage commitment; nil offers none. The report is sent on the
	// same association, if the caller waits for it there, else deliver is called, if not nil.
	Commit func(ctx context.Context, from Caller, transaction []byte, syntax string) (Status, func(report func(event uint16, data []byte) error))
	// Report takes an answer to a commitment that we asked for; nil offers none.
	Report func(ctx context.Context, from Caller, event uint16, data []byte, syntax string) Status
	// Find answers a C-FIND; nil offers none. It hands each match over, with Pending or
	// PendingUnsupported, and ends when match fails: the caller called it off, or is gone.
	Find func(ctx context.Context, q Ask, match func(s Status, identifier []byte) error) (Status, string)
	// Move answers a C-MOVE; nil offers none. It says how far it is after each instance, and ends
	// when progress fails, as Find does.
	Move func(ctx context.Context, q Ask, progress func(Progress) error) Moved
	// Ended hears how each association ended: nil where it was released.
	Ended func(from Caller, err error)
	// Handshake is done on a new connection before anything is read, for TLS; nil does nothing.
	Handshake func(ctx context.Context, conn net.Conn) (net.Conn, error)

	// Times and places; 0 is what limits.go says.
	ARTIM, Idle, Turn    time.Duration
	AssocsMax, AssocsPer int

	once   sync.Once
	turns  *turns
	conns  atomic.Int32
	served sync.WaitGroup
}

// Caller is who is at the other end.
type Caller struct {
	AETitle string // as it says
	Remote  net.Addr
}

// Incoming is an instance that a caller stores.
type Incoming struct {
	Caller
	SOPClass, SOPUID, Syntax string
}

// Serve answers connections until ctx ends or the listener fails, and waits for all of them.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.once.Do(s.defaults)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	defer s.served.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				continue
			}
			if wait(ctx, acceptPause) { // out of file descriptors, or such
				continue
			}
			return nil
		}
		if s.conns.Add(1) > connsMax {
			s.conns.Add(-1)
			_ = conn.Close()
			continue
		}
		s.served.Go(func() {
			defer s.conns.Add(-1)
			s.ServeConn(ctx, conn)
		})
	}
}

const acceptPause = 50 * time.Millisecond

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (s *Server) defaults() {
	pick := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	pick(&s.ARTIM, artim)
	pick(&s.Idle, idleTime)
	pick(&s.Turn, turnTime)
	if s.AssocsMax == 0 {
		s.AssocsMax = assocsMax
	}
	if s.AssocsPer == 0 {
		s.AssocsPer = assocsPeerMax
	}
	s.turns = newTurns(s.AssocsMax, s.AssocsPer)
}

// ServeConn answers one connection until its end.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn) {
	s.once.Do(s.defaults)
	defer conn.Close()
	artimEnd := time.Now().Add(s.ARTIM)
	if s.Handshake != nil {
		_ = conn.SetDeadline(artimEnd)
		c, err := s.Handshake(ctx, conn)
		if err != nil {
			s.ended(Caller{Remote: conn.RemoteAddr()}, fmt.Errorf("TLS: %w", err))
			return
		}
		conn = c
		_ = conn.SetDeadline(time.Time{})
	}
	l := newLink(conn, false)
	l.idle, l.ctx = s.Idle, ctx
	l.linger = min(l.linger, s.ARTIM)
	_, _ = l.m.step(evIncoming)
	_ = conn.SetReadDeadline(artimEnd)
	defer l.close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	caller := Caller{Remote: conn.RemoteAddr()}
	ind, err := l.next()
	if err != nil {
		s.ended(caller, err)
		return
	}
	caller.AETitle = ind.rq.calling
	a, err := s.accept(ctx, l, ind.rq)
	if err == nil {
		err = s.serve(ctx, a, caller)
	}
	s.ended(caller, err)
}

func (s *Server) ended(c Caller, err error) {
	if s.Ended != nil {
		s.Ended(c, err)
	}
}

// accept answers an A-ASSOCIATE-RQ.
func (s *Server) accept(ctx context.Context, l *link, rq *associate) (*Assoc, error) {
	allowed := CheckAET(rq.calling) == nil && s.Allowed != nil && s.Allowed(ctx, rq.calling, l.conn.RemoteAddr())
	answers, contexts := s.negotiate(rq, allowed)
	switch {
	case rq.version&1 == 0: // PS3.8 §9.3.2: bit 0 is version 1
		return nil, l.reject(rejectPermanent, sourceACSE, reasonVersion)
	case rq.application != ApplicationContext:
		return nil, l.reject(rejectPermanent, sourceUser, reasonContext)
	case CheckAET(rq.called) != nil || !strings.EqualFold(rq.called, s.AETitle):
		return nil, l.reject(rejectPermanent, sourceUser, reasonCalled)
	case !allowed && len(contexts) == 0:
		return nil, l.reject(rejectPermanent, sourceUser, reasonCalling)
	}
	leave, ok := s.turns.take(ctx, host(l.conn.RemoteAddr()), s.Turn)
	if !ok {
		return nil, l.reject(rejectTransient, sourcePresentation, reasonLimit)
	}
	l.onClose = leave
	ac := &associate{
		called: rq.called, calling: rq.calling, application: ApplicationContext,
		contexts: answers, maxLength: MaxPDU, roles: rolesOf(rq, contexts),
	}
	if _, err := l.step(evAccept, 0); err != nil {
		return nil, err
	}
	if err := l.write(ac.encode(pduAssociateAC)); err != nil {
		return nil, l.closed(err)
	}
	return &Assoc{link: l, Calling: rq.calling, Called: rq.called, contexts: contexts, sendMax: sendMax(rq.maxLength)}, nil
}

// rolesOf answers role selections: for storage commitment the caller may take the SCP's part, to
// report what we asked for (PS3.4 §J.3.3).
func rolesOf(rq *associate, contexts map[byte]*Context) []role {
	var out []role
	for _, r := range rq.roles {
		if r.class != StorageCommitment {
			continue
		}
		for _, c := range contexts {
			c.scp = c.scp || c.Abstract == r.class && r.scp
		}
		out = append(out, r)
	}
	return out
}

// sendMax is what we send in a PDU to a peer that says what it takes; 0 is no limit.
func sendMax(said uint32) int {
	if said == 0 || said > pduSendMax {
		return pduSendMax
	}
	return max(int(said), pduSendMin)
}

// reject sends an A-ASSOCIATE-RJ.
func (l *link) reject(result, source, reason byte) error {
	if _, err := l.step(evReject, 0); err != nil {
		return err
	}
	if err := l.write(short(pduAssociateRJ, result, source, reason)); err != nil {
		return l.closed(err)
	}
	return l.end(&RejectError{Result: result, Source: source, Reason: reason})
}

// negotiate chooses a transfer syntax for each context that is taken.
func (s *Server) negotiate(rq *associate, allowed bool) ([]pcontext, map[byte]*Context) {
	var answers []pcontext
	taken := map[byte]*Context{}
	seen := map[byte]bool{}
	for _, c := range rq.contexts {
		ans := pcontext{id: c.id, result: contextNoAbstract, transfer: []string{ImplicitLE}}
		if seen[c.id] {
			continue // the first one counts
		}
		seen[c.id] = true
		switch syntax := s.choose(c.abstract, c.transfer); {
		case !s.offers(c.abstract, allowed):
			if !allowed && s.offers(c.abstract, true) {
				ans.result = contextRejected
			}
		case syntax == "":
			ans.result = contextNoTransfer
		default:
			ans.result, ans.transfer = contextAccepted, []string{syntax}
			taken[c.id] = &Context{ID: c.id, Abstract: c.abstract, Syntax: syntax}
		}
		answers = append(answers, ans)
	}
	return answers, taken
}

func (s *Server) offers(abstract string, allowed bool) bool {
	switch {
	case abstract == Verification:
		return true
	case !allowed:
		return false
	case abstract == StorageCommitment:
		return s.Commit != nil || s.Report != nil
	case findClasses[abstract]:
		return s.Find != nil
	case moveClasses[abstract]:
		return s.Move != nil
	}
	return s.Store != nil && Storage(abstract)
}

// storageClasses are those outside the arc of images, IMAGING §9.1.
var storageClasses = map[string]bool{
	"1.2.840.10008.5.1.4.34.7": true, "1.2.840.10008.5.1.4.34.10": true, "1.2.840.10008.5.1.4.38.1": true,
	"1.2.840.10008.5.1.4.39.1": true, "1.2.840.10008.5.1.4.43.1": true, "1.2.840.10008.5.1.4.44.1": true,
	"1.2.840.10008.5.1.4.45.1": true,
}

// Storage reports whether an abstract syntax is a storage class, or a private one that can be taken
// for one.
func Storage(abstract string) bool {
	const standard, images = "1.2.840.10008.", "1.2.840.10008.5.1.4.1.1."
	if !validUID(abstract) {
		return false
	}
	return strings.HasPrefix(abstract, images) || storageClasses[abstract] || !strings.HasPrefix(abstract, standard)
}

// choose takes the first proposed syntax that is known; Implicit and Big Endian yield to Explicit
// Little Endian. Identifiers are written here, and in these two alone.
func (s *Server) choose(abstract string, proposed []string) string {
	for _, uid := range proposed {
		if (findClasses[abstract] || moveClasses[abstract]) && uid != ImplicitLE && uid != ExplicitLE {
			continue
		}
		if s.Syntaxes != nil && !s.Syntaxes(uid) && uid != ImplicitLE {
			continue
		}
		if (uid == ImplicitLE || uid == ExplicitBE) && slices.Contains(proposed, ExplicitLE) {
			return ExplicitLE
		}
		return uid
	}
	return ""
}

func host(a net.Addr) string {
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return h
}

// turns hands out the places of associations, so many in all and so many for one address. Who finds
// none waits for a while, in no order.
type turns struct {
	mu       sync.Mutex // guards what follows
	free     int
	per      int
	by       map[string]int
	released chan struct{} // closed when a place is given back
}

func newTurns(all, per int) *turns {
	return &turns{free: all, per: per, by: map[string]int{}, released: make(chan struct{})}
}

func (t *turns) take(ctx context.Context, who string, patience time.Duration) (leave func(), ok bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		t.mu.Lock()
		if t.free > 0 && t.by[who] < t.per {
			t.free--
			t.by[who]++
			t.mu.Unlock()
			return func() { t.give(who) }, true
		}
		again := t.released
		t.mu.Unlock()
		select {
		case <-again:
		case <-timer.C:
			return nil, false
		case <-ctx.Done():
			return nil, false
		}
	}
}

func (t *turns) give(who string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free++
	if t.by[who]--; t.by[who] == 0 {
		delete(t.by, who)
	}
	close(t.released)
	t.released = make(chan struct{})
}
