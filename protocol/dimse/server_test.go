package dimse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const ctClass = "1.2.840.10008.5.1.4.1.1.2"

// stand is a server with what it was given.
type stand struct {
	*Server
	addr string
	mu   sync.Mutex // guards got and ends
	got  map[string][]byte
	ends []error
}

func newStand(t testing.TB, change func(*Server)) *stand {
	t.Helper()
	s := &stand{got: map[string][]byte{}}
	s.Server = &Server{
		AETitle:  "SCP",
		Syntaxes: func(uid string) bool { return strings.HasPrefix(uid, ImplicitLE) },
		Allowed:  func(_ context.Context, calling string, _ net.Addr) bool { return calling == "SCU" },
		Store: func(_ context.Context, in Incoming, data io.Reader) (Status, string) {
			b, err := io.ReadAll(data)
			if err != nil {
				return OutOfResources, ""
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.got[in.SOPUID+" "+in.Syntax] = b
			if bytes.HasPrefix(b, []byte("twin")) {
				return CoercionWarning, "kept apart"
			}
			return Success, ""
		},
		Ended: func(_ Caller, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ends = append(s.ends, err)
		},
	}
	if change != nil {
		change(s.Server)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *stand) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (s *stand) open(t testing.TB, calling, called string, p ...Proposal) (*Assoc, error) {
	t.Helper()
	return Open(t.Context(), s.dial(t), Dial{Calling: calling, Called: called, Proposals: p})
}

var (
	ctProposal   = Proposal{Abstract: ctClass, Syntaxes: []string{ExplicitLE}}
	echoProposal = Proposal{Abstract: Verification, Syntaxes: []string{ImplicitLE}}
)

func TestStore(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	a, err := s.open(t, "SCU", "SCP", echoProposal, ctProposal, Proposal{Abstract: ctClass, Syntaxes: []string{ImplicitLE + ".4.90"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Echo(); err != nil {
		t.Fatal(err)
	}
	// Sizes around the borders of PDUs and of what is written at once.
	for i, n := range []int{2, MaxPDU - pdvHead, MaxPDU - pdvHead + 2, 3*MaxPDU + 10, writeBytes + 3*MaxPDU} {
		data := bytes.Repeat([]byte{byte(i), 7}, n/2)
		for _, syntax := range []string{ExplicitLE, ImplicitLE + ".4.90"} {
			uid := fmt.Sprintf("1.2.%d", i)
			out, err := a.Store(a.Context(ctClass, syntax), uid, data)
			if err != nil || out.Status != Success {
				t.Fatalf("%d bytes: %v %v", n, out, err)
			}
			s.mu.Lock()
			got := s.got[uid+" "+syntax]
			s.mu.Unlock()
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes came as %d", n, len(got))
			}
		}
	}
	if out, err := a.Store(a.Context(ctClass), "1.9", []byte("twin")); err != nil || !out.Status.Warned() || out.Comment != "kept apart" {
		t.Errorf("%+v %v", out, err)
	}
	if err := a.Release(); err != nil {
		t.Error(err)
	}
}

func TestReject(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	for _, c := range []struct {
		name, calling, called string
		proposals             []Proposal
		want                  RejectError
	}{
		{"called", "SCU", "OTHER", []Proposal{echoProposal}, RejectError{1, 1, 7}},
		{"calling", "NOBODY", "SCP", []Proposal{ctProposal}, RejectError{1, 1, 3}},
	} {
		_, err := s.open(t, c.calling, c.called, c.proposals...)
		got, ok := errors.AsType[*RejectError](err)
		if !ok || *got != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// Who is not on the list still gets C-ECHO, and nothing else.
	a, err := s.open(t, "NOBODY", "SCP", echoProposal, ctProposal)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Echo(); err != nil || a.Context(ctClass) != nil {
		t.Errorf("echo: %v, store offered: %v", err, a.Context(ctClass) != nil)
	}
	if err := a.Release(); err != nil {
		t.Error(err)
	}
}

// rq is an A-ASSOCIATE-RQ that is taken.
func rq(change func(*associate)) []byte {
	a := &associate{
		called: "SCP", calling: "SCU", application: ApplicationContext, maxLength: MaxPDU,
		contexts: []pcontext{{id: 1, abstract: ctClass, transfer: []string{ExplicitLE}}, {id: 3, abstract: Verification, transfer: []string{ImplicitLE}}},
	}
	if change != nil {
		change(a)
	}
	return a.encode(pduAssociateRQ)
}

func dataPDU(context byte, command, last bool, v []byte) []byte {
	return append(appendPDVHead(nil, context, command, last, len(v)), v...)
}

func storeCommand(id uint16) []byte {
	return (&command{field: cStoreRQ, id: id, class: ctClass, instance: "1.2.3", dataSet: 0}).encode()
}

var abortOf = func(source, reason byte) []byte { return short(pduAbort, 0, source, reason) }

// TestBroken sends what breaks the protocol, and expects the very PDU that PS3.8 answers with.
func TestBroken(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(s *Server) { s.AssocsPer, s.AssocsMax = 64, 64 })
	head := func(kind byte, n uint32) []byte {
		return []byte{kind, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	}
	cut := rq(nil)
	cut[76] = 0xFF // an item's length
	version := rq(nil)
	version[7] = 2
	accepted := []byte{pduAssociateAC}
	for _, c := range []struct {
		name string
		send [][]byte
		want [][]byte // beginnings of the PDUs that come back
	}{
		{"garbage", [][]byte{[]byte("GET / HTTP/1.1\r\n\r\n")}, [][]byte{abortOf(0, 0)}},
		{"data first", [][]byte{dataPDU(1, true, true, storeCommand(1))}, [][]byte{abortOf(0, 0)}},
		{"4 GiB request", [][]byte{head(pduAssociateRQ, 0xFFFFFFFF)}, [][]byte{abortOf(0, 0)}},
		{"cut item", [][]byte{cut}, [][]byte{abortOf(0, 0)}},
		{"version", [][]byte{version}, [][]byte{short(pduAssociateRJ, 1, 2, 2)}},
		{"application", [][]byte{rq(func(a *associate) { a.application = "1.2.3" })}, [][]byte{short(pduAssociateRJ, 1, 1, 2)}},
		{"request twice", [][]byte{rq(nil), rq(nil)}, [][]byte{accepted, abortOf(2, 2)}},
		{"even context", [][]byte{rq(func(a *associate) { a.contexts[0].id = 2 })}, [][]byte{abortOf(0, 0)}},
		{"4 GiB data", [][]byte{rq(nil), head(pduData, 0xFFFFFFFF)}, [][]byte{accepted, abortOf(2, 6)}},
		{"a byte too long", [][]byte{rq(nil), head(pduData, MaxPDU+1)}, [][]byte{accepted, abortOf(2, 6)}},
		{"unknown PDU", [][]byte{rq(nil), head(0x42, 4)}, [][]byte{accepted, abortOf(2, 1)}},
		{"long release", [][]byte{rq(nil), head(pduReleaseRQ, 5)}, [][]byte{accepted, abortOf(2, 6)}},
		{"lying value", [][]byte{rq(nil), {pduData, 0, 0, 0, 0, 8, 0, 0, 0xFF, 0, 1, 3, 0, 0}}, [][]byte{accepted, abortOf(2, 6)}},
		{"other context", [][]byte{rq(nil), dataPDU(99, true, true, storeCommand(1))}, [][]byte{accepted, abortOf(2, 6)}},
		{"data without command", [][]byte{rq(nil), dataPDU(1, false, true, []byte("ab"))}, [][]byte{accepted, abortOf(2, 6)}},
		{"mixed contexts", [][]byte{rq(nil), dataPDU(1, true, true, storeCommand(1)), dataPDU(3, false, true, []byte("ab"))}, [][]byte{accepted, abortOf(2, 6)}},
		{"command in data", [][]byte{rq(nil), dataPDU(1, true, true, storeCommand(1)), dataPDU(1, true, true, storeCommand(2))}, [][]byte{accepted, abortOf(2, 6)}},
		{"bad command", [][]byte{rq(nil), dataPDU(1, true, true, []byte("nothing at all"))}, [][]byte{accepted, abortOf(2, 6)}},
		{"long command", [][]byte{rq(nil), dataPDU(1, true, false, make([]byte, 60<<10)), dataPDU(1, true, false, make([]byte, 60<<10))}, [][]byte{accepted, abortOf(2, 6)}},
		{"release within a store", [][]byte{rq(nil), dataPDU(1, true, true, storeCommand(1)), dataPDU(1, false, false, []byte("ab")), short(pduReleaseRQ, 0, 0, 0)}, [][]byte{accepted, abortOf(2, 6)}},
		{"an answer to nothing", [][]byte{rq(nil), dataPDU(1, true, true, (&command{field: cStoreRSP}).encode())}, [][]byte{accepted, abortOf(2, 6)}},
		{"release", [][]byte{rq(nil), short(pduReleaseRQ, 0, 0, 0)}, [][]byte{accepted, short(pduReleaseRP, 0, 0, 0)}},
		{"same id twice", [][]byte{
			rq(nil), dataPDU(1, true, true, storeCommand(7)), dataPDU(1, false, true, []byte("ab")),
			dataPDU(1, true, true, storeCommand(7)), dataPDU(1, false, true, []byte("ab")), short(pduReleaseRQ, 0, 0, 0),
		}, [][]byte{accepted, {pduData}, {pduData}, short(pduReleaseRP, 0, 0, 0)}},
		{"abort", [][]byte{rq(nil), abortOf(0, 0)}, [][]byte{accepted}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := s.dial(t)
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			go func() {
				for _, b := range c.send {
					if _, err := conn.Write(b); err != nil {
						return
					}
				}
			}()
			for i, want := range c.want {
				h := make([]byte, pduHead)
				if _, err := io.ReadFull(conn, h); err != nil {
					t.Fatalf("PDU %d: %v, want %x", i, err, want)
				}
				body := make([]byte, int(h[4])<<8|int(h[5]))
				if _, err := io.ReadFull(conn, body); err != nil {
					t.Fatal(err)
				}
				if got := append(h, body...); !bytes.HasPrefix(got, want) {
					t.Fatalf("PDU %d is %x, want %x", i, got[:min(len(got), 16)], want)
				}
			}
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				t.Error("something more came")
			}
		})
	}
}

// TestStalled has callers that hold the server up: it lets go of each in its time.
func TestStalled(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(s *Server) { s.ARTIM, s.Idle = 300*time.Millisecond, 300*time.Millisecond })
	for name, b := range map[string][]byte{
		"nothing": nil, "half a request": rq(nil)[:40], "an association": rq(nil),
		"half a store": append(append(rq(nil), dataPDU(1, true, true, storeCommand(1))...), dataPDU(1, false, false, []byte("ab"))...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := s.dial(t)
			if _, err := conn.Write(b); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("it was not let go: %v", err)
			}
		})
	}
	// One byte at a time never ends a PDU in time.
	t.Run("drip", func(t *testing.T) {
		t.Parallel()
		conn := s.dial(t)
		ended := make(chan struct{})
		go func() { defer close(ended); _, _ = io.Copy(io.Discard, conn) }()
		_, _ = conn.Write(rq(nil))
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		late := time.After(20 * time.Second)
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				_, _ = conn.Write([]byte{pduData})
			case <-late:
				t.Fatal("it goes on for ever")
			}
		}
	})
	// Whole PDUs of a byte or two keep no association for long.
	t.Run("crumbs", func(t *testing.T) {
		t.Parallel()
		conn := s.dial(t)
		ended := make(chan struct{})
		go func() { defer close(ended); _, _ = io.Copy(io.Discard, conn) }()
		_, _ = conn.Write(append(rq(nil), dataPDU(1, true, true, storeCommand(1))...))
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		late := time.After(20 * time.Second)
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				_, _ = conn.Write(dataPDU(1, false, false, []byte("ab")))
			case <-late:
				t.Fatal("it goes on for ever")
			}
		}
	})
}

// TestCrowd has 100 callers at a time, a third of them hostile: the others are served, and memory
// stays bounded.
func TestCrowd(t *testing.T) {
	s := newStand(t, func(s *Server) { s.ARTIM, s.Idle, s.Turn = time.Second, 400*time.Millisecond, 30*time.Second })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	served := make([]bool, 100)
	for i := range served {
		wg.Go(func() {
			conn := s.dial(t)
			_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
			switch i % 3 {
			case 0:
				lie := append(rq(nil), pduData, 0, 0, 1, 0xFF, 0xFF) // nearly 128 KiB that never come
				_, _ = conn.Write([][]byte{lie, []byte("garbage garbage garbage"), rq(nil)[:30]}[i/3%3])
				_, _ = io.Copy(io.Discard, conn)
				served[i] = true
			default:
				a, err := Open(t.Context(), conn, Dial{Calling: "SCU", Called: "SCP", Proposals: []Proposal{ctProposal}})
				if err != nil {
					t.Errorf("caller %d: %v", i, err)
					return
				}
				out, err := a.Store(a.Context(ctClass), fmt.Sprintf("1.3.%d", i), make([]byte, 100<<10))
				served[i] = err == nil && out.Status == Success && a.Release() == nil
			}
		})
	}
	wg.Wait()
	for i, ok := range served {
		if !ok {
			t.Errorf("caller %d was not served", i)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 64<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
}

// TestStop ends the server while a caller stores: the caller hears an abort.
func TestStop(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{AETitle: "SCP", Allowed: func(context.Context, string, net.Addr) bool { return true }}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), conn, Dial{Calling: "SCU", Called: "SCP", Proposals: []Proposal{echoProposal}})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = a.link.next()
	if got, ok := errors.AsType[*AbortError](err); !ok || got.Local {
		t.Errorf("the caller hears %v", err)
	}
	a.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
