package dimse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// Context is a presentation context that both sides agreed on.
type Context struct {
	ID       byte
	Abstract string
	Syntax   string
	scp      bool // the other side may send requests here, and we serve them
}

// Assoc is an open association. One goroutine uses it at a time.
type Assoc struct {
	link    *link
	Calling string
	Called  string
	// Originator and OriginatorID are of the C-MOVE that causes what is stored here, if one does.
	Originator   string
	OriginatorID uint16

	contexts map[byte]*Context
	sendMax  int // length of a P-DATA-TF that the other side takes
	lastID   uint16
	pdvs     []byte // of the PDU that is being read
	body     *dataReader
	stop     func() bool
}

// Remote is the address of the other side.
func (a *Assoc) Remote() net.Addr { return a.link.conn.RemoteAddr() }

// Context finds a context for an abstract syntax and one of the transfer syntaxes; none named is any.
func (a *Assoc) Context(abstract string, syntaxes ...string) *Context {
	var found *Context
	for _, c := range a.contexts {
		if c.Abstract != abstract || len(syntaxes) > 0 && !slices.Contains(syntaxes, c.Syntax) {
			continue
		}
		if found == nil || c.ID < found.ID {
			found = c
		}
	}
	return found
}

// watch ends the association's waiting when ctx ends.
func (a *Assoc) watch(ctx context.Context) {
	a.stop = context.AfterFunc(ctx, func() { _ = a.link.conn.Close() })
}

// Release ends the association in order.
func (a *Assoc) Release() error {
	defer a.Close()
	if a.link.ended != nil {
		return a.link.ended
	}
	if _, err := a.link.step(evRelease, 0); err != nil {
		return err
	}
	for {
		ind, err := a.link.next()
		switch {
		case err != nil:
			return err
		case ind.effect&tellReleased != 0:
			return nil
		case ind.effect&tellRelease != 0: // both at once
			if a.link.m.state == sta9 {
				if _, err := a.link.step(evReleaseAnswer, 0); err != nil {
					return err
				}
			}
		}
	}
}

// Abort ends the association at once.
func (a *Assoc) Abort() { a.link.abort(); a.Close() }

// Close gives the connection back; an association that is open still is aborted.
func (a *Assoc) Close() {
	if a.stop != nil {
		a.stop()
	}
	a.link.close()
}

// errAskedRelease says that the other side wants to end the association.
var errAskedRelease = errors.New("the other side releases the association")

// nextPDV gives the next PDV, reading PDUs as need be.
func (a *Assoc) nextPDV() (pdv, error) {
	for len(a.pdvs) == 0 {
		ind, err := a.link.next()
		switch {
		case err != nil:
			return pdv{}, err
		case ind.effect&tellRelease != 0:
			return pdv{}, errAskedRelease
		case ind.effect&tellReleased != 0:
			return pdv{}, a.link.end(ErrReleased)
		case ind.effect&tellData != 0:
			a.pdvs = ind.body
			if len(a.pdvs) == 0 {
				return pdv{}, a.broken(invalid("P-DATA-TF without a value"))
			}
		}
	}
	v, rest, err := nextPDV(a.pdvs)
	if err != nil {
		return pdv{}, a.broken(err)
	}
	a.pdvs = rest
	return v, nil
}

// broken aborts over what the other side sent.
func (a *Assoc) broken(err error) error {
	if a.link.ended == nil {
		_, _ = a.link.step(evInvalid, abortInvalid)
		_ = a.link.end(err)
	}
	return err
}

// message is a command with the context that it came in; its data set, if it has one, is body.
type message struct {
	*command
	context *Context
	body    *dataReader
}

// receive reads the next command. What the data set before has left is read away first.
func (a *Assoc) receive() (*message, error) {
	if a.body != nil {
		if _, err := io.Copy(io.Discard, a.body); err != nil {
			return nil, err
		}
		a.body = nil
	}
	var b []byte
	var in *Context
	for {
		v, err := a.nextPDV()
		if err != nil {
			if errors.Is(err, errAskedRelease) && in != nil {
				return nil, a.broken(invalid("release within a message"))
			}
			return nil, err
		}
		c := a.contexts[v.context]
		switch {
		case c == nil:
			return nil, a.broken(invalid("data in a context that was not agreed on"))
		case !v.command || in != nil && in != c:
			return nil, a.broken(invalid("fragments of messages are mixed"))
		case len(b)+len(v.data) > commandMax:
			return nil, a.broken(invalid("command set is too long"))
		}
		in = c
		b = append(b, v.data...)
		if v.last {
			break
		}
	}
	cmd, err := parseCommand(b)
	if err != nil {
		return nil, a.broken(err)
	}
	m := &message{command: cmd, context: in}
	if cmd.hasData() {
		m.body = &dataReader{a: a, context: in, since: a.link.now()}
		a.body = m.body
	}
	return m, nil
}

// dataReader is the data set of a message, as it comes.
type dataReader struct {
	a       *Assoc
	context *Context
	rest    []byte
	last    bool
	total   int64
	since   time.Time // pace
	paced   int64
}

func (r *dataReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.last {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo spares io.Copy a buffer.
func (r *dataReader) WriteTo(w io.Writer) (int64, error) {
	var n int64
	for {
		if len(r.rest) > 0 {
			k, err := w.Write(r.rest)
			n += int64(k)
			r.rest = r.rest[k:]
			if err != nil {
				return n, err
			}
		}
		if r.last {
			return n, nil
		}
		if err := r.fill(); err != nil {
			return n, err
		}
	}
}

func (r *dataReader) fill() error {
	v, err := r.a.nextPDV()
	switch {
	case errors.Is(err, errAskedRelease):
		return r.a.broken(invalid("release within a message"))
	case err != nil:
		return err
	case v.command || r.a.contexts[v.context] != r.context:
		return r.a.broken(invalid("fragments of messages are mixed"))
	}
	r.rest, r.last = v.data, v.last
	r.total += int64(len(v.data))
	if r.total > InstanceMax {
		return r.a.broken(invalid("data set is too long"))
	}
	return r.pace()
}

// pace ends what comes too slowly to be meant.
func (r *dataReader) pace() error {
	now := r.a.link.now()
	if now.Sub(r.since) < r.a.link.idle {
		return nil
	}
	if r.total-r.paced < paceBytes && !r.last {
		r.a.link.abort()
		return r.a.link.end(ErrTimeout)
	}
	r.since, r.paced = now, r.total
	return nil
}

// readAll reads a data set that is to be held in memory.
func (r *dataReader) readAll() ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r, IdentifierMax+1))
	if err == nil && len(b) > IdentifierMax {
		err = r.a.broken(invalid("data set of an answer is too long"))
	}
	return b, err
}

// send writes a command and its data set, if data is not nil.
func (a *Assoc) send(c *Context, cmd *command, data io.Reader) error {
	if a.link.ended != nil {
		return a.link.ended
	}
	cmd.dataSet = noData
	if data != nil {
		cmd.dataSet = 0
	}
	if err := a.sendPart(c.ID, true, byteReader(cmd.encode())); err != nil {
		return err
	}
	if data == nil {
		return nil
	}
	return a.sendPart(c.ID, false, data)
}

// peeker is a data set that is in memory: it is sent from where it is.
type peeker interface {
	take(n int) (b []byte, last bool)
}

type bytesOf struct{ b []byte }

func byteReader(b []byte) *bytesOf { return &bytesOf{b} }

func (r *bytesOf) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

func (r *bytesOf) take(n int) (b []byte, last bool) {
	n = min(n, len(r.b))
	b, r.b = r.b[:n], r.b[n:]
	return b, len(r.b) == 0
}

// sendPart sends a command set or a data set as PDUs of one PDV each.
func (a *Assoc) sendPart(context byte, isCommand bool, data io.Reader) error {
	eff, err := a.link.step(evSend, 0)
	if err != nil {
		return err
	}
	if eff&doData == 0 {
		return fmt.Errorf("send: %w", ErrReleased)
	}
	chunk := (a.sendMax - pdvHead) &^ 1 // PS3.8 annex E: fragments of even length
	p, inMemory := data.(peeker)
	if !inMemory {
		p = &buffered{r: data, b: make([]byte, chunk), next: make([]byte, chunk)}
	}
	var bufs net.Buffers
	heads := make([]byte, 0, (pduHead+pdvHead)*buffersMax)
	size := 0
	flush := func() error {
		if err := a.link.conn.SetWriteDeadline(a.link.now().Add(writeTime)); err != nil {
			return a.link.closed(err)
		}
		if err := writeAll(a.link.conn, bufs, size); err != nil {
			return a.link.closed(err)
		}
		bufs, heads, size = bufs[:0:0], heads[:0], 0
		return nil
	}
	for {
		b, last := p.take(chunk)
		if f, ok := p.(*buffered); ok && f.err != nil {
			a.link.abort() // half a data set cannot be taken back
			return f.err
		}
		at := len(heads)
		heads = appendPDVHead(heads, context, isCommand, last, len(b))
		bufs = append(bufs, heads[at:], b)
		size += len(b)
		if last || !inMemory || len(bufs) >= 2*buffersMax || size >= writeBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// writeAll writes in one call: a TLS connection would make a record of each part.
func writeAll(conn net.Conn, bufs net.Buffers, size int) error {
	if _, plain := conn.(*net.TCPConn); plain {
		_, err := bufs.WriteTo(conn)
		return err
	}
	joined := make([]byte, 0, size+len(bufs)*(pduHead+pdvHead))
	for _, b := range bufs {
		joined = append(joined, b...)
	}
	_, err := conn.Write(joined)
	return err
}

const (
	buffersMax = 64 // PDUs that are handed to the system at once
	writeBytes = 1 << 20
)

// buffered reads one chunk ahead, to know which one is the last.
type buffered struct {
	r       io.Reader
	b, next []byte
	n       int
	begun   bool
	err     error
}

func (f *buffered) take(int) ([]byte, bool) {
	if !f.begun {
		f.begun = true
		f.fill()
	}
	f.b, f.next = f.next, f.b
	b := f.b[:f.n]
	f.fill()
	return b, f.n == 0
}

func (f *buffered) fill() {
	var err error
	f.n, err = io.ReadFull(f.r, f.next)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		f.err = err
	}
}
