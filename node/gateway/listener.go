package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// Door is where what the hospital sends goes in; the desk is one.
type Door interface {
	// Take takes a Part 10 file in that was announced as an instance of a class. What it calls new or
	// a conflict is durable.
	Take(ctx context.Context, path, from, sopClass, sopUID string) (Taken, error)
	// Holds reports whether an instance is held, durably.
	Holds(sopClass, sopUID string) bool
	// Room reports whether another instance may come: there is a floor to free disk space.
	Room() bool
	// Shelf opens what callers on the list may query and retrieve.
	Shelf(ctx context.Context) (Shelf, error)
}

// Taken says what became of a file at the door: new, duplicate, conflict or refused.
type Taken struct {
	Status string
	Reason string // of a refusal, as import has it
	Detail string
}

// The words of [Taken.Status] and a reason of its own.
const (
	takenNew       = "new"
	takenDuplicate = "duplicate"
	takenConflict  = "conflict"
	// ReasonMismatch: the file is another instance than was announced.
	ReasonMismatch = "mismatch"
)

// Listen is what the DICOM listener is made of.
type Listen struct {
	Addr      string // HOST:PORT; empty: no listener
	AETitle   string
	Allow     []string // AET or AET@HOST; nobody but these may store, query and retrieve
	Cleartext bool     // without TLS beyond loopback
	Cert, Key string   // PEM files; with them it speaks TLS
	CA        string   // PEM file: callers show a certificate of it
}

var (
	errListenTLS = errors.New("beyond this machine the DICOM listener wants TLS (--dicom-tls-cert, --dicom-tls-key), or --dicom-cleartext if the network is yours")
	errAllow     = errors.New("want AET or AET@HOST")
	errAddr      = errors.New("want HOST:PORT")
)

// Check says what is wrong with it.
func (l Listen) Check() error {
	if l.Addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(l.Addr)
	switch {
	case err != nil:
		return fmt.Errorf("dicom %q: %w", l.Addr, errAddr)
	case (l.Cert == "") != (l.Key == "") || l.CA != "" && l.Cert == "":
		return errPair
	case l.Cert == "" && !l.Cleartext && !Loopback(host):
		return errListenTLS
	}
	if err := CheckAET(l.AETitle); err != nil {
		return fmt.Errorf("ae-title: %w", err)
	}
	for _, a := range l.Allow {
		aet, host, at := strings.Cut(a, "@")
		if CheckAET(aet) != nil || at && host == "" {
			return fmt.Errorf("dicom-allow %q: %w", a, errAllow)
		}
	}
	return nil
}

// ListenerStatus is what the DICOM listener has done since it began.
type ListenerStatus struct {
	Listen   string    `json:"listen"`
	AETitle  string    `json:"ae_title"`
	TLS      bool      `json:"tls"`
	Allow    []string  `json:"allow"`
	Received int       `json:"received"` // instances that are held now: new, or known before
	Conflict int       `json:"conflict"`
	Refused  int       `json:"refused"`
	Rejected int       `json:"rejected"` // associations
	Aborted  int       `json:"aborted"`
	Last     time.Time `json:"last"`
	// Errors are the last failures, newest first: addresses and reasons, nobody's data.
	Errors []string `json:"errors"`
}

// listener is the DICOM listener at work.
type listener struct {
	g     *Gateway
	door  Door
	set   Listen
	allow []allowed
	bound string

	mu     sync.Mutex // guards status
	status ListenerStatus
}

// allowed is one line of the list of callers.
type allowed struct {
	aet  string
	host string // "" is any
}

// Serve runs the DICOM listener until ctx ends. Ready is called once it accepts.
func (g *Gateway) Serve(ctx context.Context, set Listen, door Door, ready func(addr string)) error {
	if err := set.Check(); err != nil {
		return err
	}
	ln := &listener{g: g, door: door, set: set}
	for _, a := range set.Allow {
		aet, host, _ := strings.Cut(a, "@")
		ln.allow = append(ln.allow, allowed{aet: aet, host: host})
	}
	server := &dimse.Server{
		AETitle: set.AETitle, Allowed: ln.allowed, Store: ln.store, Ended: ln.ended,
		Syntaxes: func(uid string) bool { _, ok := study.SyntaxOf(uid); return ok },
		Commit:   ln.commit, Report: g.reported, Find: ln.find, Move: ln.move,
	}
	if set.Cert != "" {
		conf, err := serverTLS(set)
		if err != nil {
			return fmt.Errorf("DICOM listener: %w", err)
		}
		server.Handshake = func(ctx context.Context, conn net.Conn) (net.Conn, error) {
			c := tls.Server(conn, conf)
			return c, c.HandshakeContext(ctx)
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", set.Addr)
	if err != nil {
		return fmt.Errorf("DICOM listener: %w", err)
	}
	ln.bound = l.Addr().String()
	ln.status = ListenerStatus{Listen: ln.bound, AETitle: set.AETitle, TLS: set.Cert != "", Allow: set.Allow}
	g.setListener(ln)
	defer g.setListener(nil)
	g.cfg.Log.InfoContext(ctx, "DICOM listener", slog.String("addr", ln.bound), slog.String("ae_title", set.AETitle), slog.Bool("tls", set.Cert != ""), slog.Int("callers", len(set.Allow)))
	if ready != nil {
		ready(ln.bound)
	}
	return server.Serve(ctx, l)
}

func (g *Gateway) setListener(l *listener) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listener = l
}

// Listener says what the DICOM listener did; false where there is none.
func (g *Gateway) Listener() (ListenerStatus, bool) {
	g.mu.Lock()
	l := g.listener
	g.mu.Unlock()
	if l == nil {
		return ListenerStatus{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.Errors = append([]string{}, s.Errors...)
	return s, true
}

// allowed reports whether a caller may do more than C-ECHO: it is on the list, or brings what we
// asked it for.
func (l *listener) allowed(ctx context.Context, calling string, remote net.Addr) bool {
	return l.listed(ctx, calling, remote) || l.g.captureOf(ctx, calling, remote) != nil || l.g.expects(ctx, calling, remote)
}

// listed reports whether a caller is on the list: by its title, and by its address if one is named.
func (l *listener) listed(ctx context.Context, calling string, remote net.Addr) bool {
	for _, a := range l.allow {
		if a.aet != calling {
			continue
		}
		if a.host == "" || hostIs(ctx, a.host, remote) {
			return true
		}
	}
	return false
}

// hostIs reports whether an address is a host's. A name is looked up, and counts only if that works.
func hostIs(ctx context.Context, host string, remote net.Addr) bool {
	from, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		return false
	}
	ip := net.ParseIP(from)
	if want := net.ParseIP(host); want != nil {
		return want.Equal(ip)
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if a.IP.Equal(ip) {
			return true
		}
	}
	return false
}

// store takes one instance: to a temporary file as it comes, then through the door.
func (l *listener) store(ctx context.Context, in dimse.Incoming, data io.Reader) (dimse.Status, string) {
	if !l.door.Room() {
		return l.refuse(in, dimse.OutOfResources, "disk is full")
	}
	if c := l.g.captureOf(ctx, in.AETitle, in.Remote); c != nil {
		return c.store(l.g, in, data), ""
	}
	if !l.listed(ctx, in.AETitle, in.Remote) { // it was let in for something else
		return l.refuse(in, dimse.NotAuthorized, "not on the list")
	}
	path, err := spoolInstance(l.g.cfg.Tmp, in, data)
	defer removeFile(path)
	if err != nil {
		return l.refuse(in, dimse.OutOfResources, "cannot keep it")
	}
	// A caller that hangs up now may have its instance held without hearing so: it sends it again.
	t, err := l.door.Take(context.WithoutCancel(ctx), path, in.AETitle, in.SOPClass, in.SOPUID)
	if err != nil {
		l.g.cfg.Log.ErrorContext(ctx, "DICOM instance not kept", slog.Any("error", err))
		return l.refuse(in, dimse.OutOfResources, "cannot keep it")
	}
	switch t.Status {
	case takenNew, takenDuplicate:
		l.count(func(s *ListenerStatus) { s.Received++ })
		return dimse.Success, ""
	case takenConflict:
		l.count(func(s *ListenerStatus) { s.Conflict++ })
		l.note(in.Remote, "conflict: another instance of its UID is held, this one is kept apart")
		return dimse.CoercionWarning, "kept apart: another of this UID is held"
	}
	return l.refuse(in, statusOf(t.Reason), t.Reason+": "+t.Detail)
}

// statusOf says why in PS3.4 table B.2-1.
func statusOf(reason string) dimse.Status {
	switch reason {
	case ReasonMismatch, study.MissingUID:
		return dimse.DoesNotMatch
	case study.OverLimit:
		return dimse.OutOfResources
	}
	return dimse.CannotUnderstand
}

// spoolInstance writes a data set to a temporary Part 10 file.
func spoolInstance(tmp string, in dimse.Incoming, data io.Reader) (string, error) {
	f, err := os.CreateTemp(tmp, "dicom-*")
	if err != nil {
		return "", err
	}
	w := bufio.NewWriterSize(f, spoolBuffer)
	_, err = w.Write(dimse.Meta(in.SOPClass, in.SOPUID, in.Syntax, strings.TrimSpace(in.AETitle)))
	if err == nil {
		_, err = io.Copy(w, data)
	}
	if err == nil {
		err = w.Flush()
	}
	return f.Name(), errors.Join(err, f.Close())
}

func removeFile(path string) {
	if path != "" {
		_ = os.Remove(path) // the next start sweeps the folder
	}
}

func (l *listener) refuse(in dimse.Incoming, s dimse.Status, why string) (dimse.Status, string) {
	l.count(func(st *ListenerStatus) { st.Refused++ })
	l.note(in.Remote, why)
	return s, cut(why, commentMax)
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

func (l *listener) count(f func(*ListenerStatus)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.status)
	l.status.Last = l.g.cfg.Now().UTC()
}

// note keeps a failure for gateway status.
func (l *listener) note(remote net.Addr, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.g.cfg.Now().UTC().Format(time.DateTime) + " " + remote.String() + " " + text.Line(why)
	l.status.Errors = append([]string{line}, l.status.Errors[:min(len(l.status.Errors), errorsKept-1)]...)
}

// ended logs how an association ended: address and reason, never what was in it.
func (l *listener) ended(from dimse.Caller, err error) {
	if err == nil || errors.Is(err, dimse.ErrReleased) {
		return
	}
	_, rejected := errors.AsType[*dimse.RejectError](err)
	l.count(func(s *ListenerStatus) {
		if rejected {
			s.Rejected++
		} else {
			s.Aborted++
		}
	})
	l.note(from.Remote, err.Error())
	l.g.cfg.Log.Info("DICOM association ended early", slog.String("remote", from.Remote.String()), slog.String("reason", err.Error()))
}
