package dimse

import (
	"bytes"
	"context"
	"io"
	"net"
	"reflect"
	"testing"
	"time"
)

func FuzzPDU(f *testing.F) {
	f.Add(rq(nil)[pduHead:])
	f.Add((&associate{called: "A", calling: "B", application: ApplicationContext, roles: []role{{"1.2", true, true}}}).encode(pduAssociateAC)[pduHead:])
	f.Add(dataPDU(1, true, true, []byte("abcd"))[pduHead:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := parseAssociate(b); err == nil {
			// What was understood is written and understood again as the same.
			again, err := parseAssociate(a.encode(pduAssociateRQ)[pduHead:])
			if err != nil {
				t.Fatal(err)
			}
			again.version, again.maxLength = a.version, a.maxLength
			for i := range a.contexts {
				if len(a.contexts[i].abstract) == 0 {
					return // not written as it was read
				}
			}
			if len(a.called) <= aetMax && !reflect.DeepEqual(a.contexts, again.contexts) {
				t.Errorf("%+v became %+v", a.contexts, again.contexts)
			}
		}
		for rest, total := b, 0; len(rest) > 0; {
			v, more, err := nextPDV(rest)
			if err != nil {
				break
			}
			if total += len(v.data) + pdvHead; total > len(b) {
				t.Fatal("more data than there was")
			}
			rest = more
		}
	})
}

func FuzzCommand(f *testing.F) {
	f.Add(storeCommand(3))
	for field := range uses {
		f.Add((&command{field: field, id: 1, answers: 2, class: "1.2", instance: "1.2.3", destination: "AE", originator: "AE", comment: "no"}).encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCommand(b)
		if err != nil {
			return
		}
		if _, known := uses[c.field]; !known {
			return
		}
		once, err := parseCommand(c.encode())
		if err != nil {
			t.Fatalf("%+v is not read again: %v", c, err)
		}
		if twice, err := parseCommand(once.encode()); err != nil || *twice != *once {
			t.Errorf("%+v became %+v: %v", once, twice, err)
		}
	})
}

// memoryConn is a connection whose other side has said all it will.
type memoryConn struct {
	io.Reader
	wrote bytes.Buffer
}

func (c *memoryConn) Write(b []byte) (int, error) { return c.wrote.Write(b) }
func (*memoryConn) Close() error                  { return nil }
func (*memoryConn) LocalAddr() net.Addr           { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (*memoryConn) RemoteAddr() net.Addr               { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }
func (*memoryConn) SetDeadline(time.Time) error        { return nil }
func (*memoryConn) SetReadDeadline(t time.Time) error  { return nil }
func (*memoryConn) SetWriteDeadline(t time.Time) error { return nil }

// FuzzServer is the whole server on what a caller sends: whatever that is, every PDU that goes back
// is one, and an instance is called stored only where it came whole.
func FuzzServer(f *testing.F) {
	f.Add(rq(nil))
	whole := append(append(rq(nil), dataPDU(1, true, true, storeCommand(1))...), dataPDU(1, false, true, []byte("abcd"))...)
	f.Add(append(whole, short(pduReleaseRQ, 0, 0, 0)...))
	f.Add(append(rq(nil), dataPDU(3, true, true, (&command{field: cEchoRQ, id: 1, class: Verification}).encode())...))
	half := append(append(rq(nil), dataPDU(1, true, true, storeCommand(1))...), dataPDU(1, false, false, []byte("ab"))...)
	f.Add(append(half, short(pduReleaseRQ, 0, 0, 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		stored := 0
		s := &Server{
			AETitle: "SCP", Syntaxes: func(string) bool { return true }, Allowed: func(context.Context, string, net.Addr) bool { return true },
			Store: func(_ context.Context, _ Incoming, data io.Reader) (Status, string) {
				if _, err := io.Copy(io.Discard, data); err != nil {
					return CannotUnderstand, ""
				}
				stored++
				return Success, ""
			},
		}
		conn := &memoryConn{Reader: bytes.NewReader(b)}
		s.ServeConn(t.Context(), conn)
		said := 0
		for out := conn.wrote.Bytes(); len(out) > 0; {
			if len(out) < pduHead {
				t.Fatal("half a PDU went out")
			}
			n := pduHead + (int(out[2])<<24 | int(out[3])<<16 | int(out[4])<<8 | int(out[5]))
			if out[0] < pduAssociateRQ || out[0] > pduAbort || n > len(out) {
				t.Fatalf("no PDU: %x", out[:min(len(out), 16)])
			}
			if out[0] == pduData {
				v, _, err := nextPDV(out[pduHead:n])
				if err != nil {
					t.Fatal(err)
				}
				if c, err := parseCommand(v.data); err == nil && c.field == cStoreRSP && c.status == Success {
					said++
				}
			}
			out = out[n:]
		}
		if said > stored {
			t.Errorf("%d are called stored, %d were", said, stored)
		}
	})
}

// FuzzClient is the client on what a server answers.
func FuzzClient(f *testing.F) {
	ac := (&associate{called: "SCP", calling: "SCU", application: ApplicationContext, contexts: []pcontext{{id: 1, transfer: []string{ExplicitLE}}, {id: 3, transfer: []string{ExplicitLE}}}}).encode(pduAssociateAC)
	pending := dataPDU(1, true, true, (&command{field: cFindRSP, answers: 1, status: Pending}).encode())
	f.Add(append(append(ac, pending...), dataPDU(1, false, true, []byte("abcd"))...))
	f.Add(append(ac, dataPDU(1, true, true, (&command{field: cGetRSP, answers: 1, status: Success, dataSet: noData}).encode())...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, op := range []string{"find", "get", "store", "commit"} {
			conn := &memoryConn{Reader: bytes.NewReader(b)}
			a, err := Open(t.Context(), conn, Dial{Calling: "SCU", Called: "SCP", Proposals: []Proposal{
				{Abstract: map[string]string{"find": StudyFind, "get": StudyGet, "store": ctClass, "commit": StorageCommitment}[op], Syntaxes: []string{ExplicitLE}},
				{Abstract: ctClass, Syntaxes: []string{ExplicitLE}, Serve: true},
			}})
			if err != nil {
				continue
			}
			c := a.contexts[1]
			if c == nil {
				c = &Context{ID: 1}
			}
			switch op {
			case "find":
				_ = a.Find(c, []byte("ab"), func([]byte) bool { return true })
			case "get":
				_, _ = a.Get(c, []byte("ab"), func(_ Incoming, r io.Reader) (Status, string) {
					_, _ = io.Copy(io.Discard, r)
					return Success, ""
				}, nil)
			case "store":
				_, _ = a.Store(c, "1.2", []byte("ab"))
			case "commit":
				_ = a.AskCommitment([]byte("ab"))
			}
			_ = a.Release()
		}
	})
}
