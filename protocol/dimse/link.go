package dimse

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// link drives a connection by the machine: it reads PDUs, turns them into events, and does what
// the machine says. One goroutine uses it.
type link struct {
	conn    net.Conn
	r       *bufio.Reader
	m       machine
	now     func() time.Time
	buf     []byte // body of the last PDU
	ended   error  // why the association is over
	idle    time.Duration
	linger  time.Duration
	ctx     context.Context //nolint:containedctx // the server's: what it ends, a deadline set after it must not revive
	onClose func()          // the association's place is free before we linger
}

// indication is what the other side sent that the user is told of.
type indication struct {
	effect effect
	rq     *associate // A-ASSOCIATE-RQ or -AC
	body   []byte     // of P-DATA-TF; valid until the next one
}

func newLink(conn net.Conn, requestor bool) *link {
	return &link{
		conn: conn, r: bufio.NewReaderSize(conn, 64<<10), m: machine{state: sta1, requestor: requestor},
		now: time.Now, idle: idleTime, linger: lingerTime,
	}
}

// next reads PDUs until there is something to tell, or the association is over.
func (l *link) next() (indication, error) {
	for l.ended == nil {
		ind, err := l.read()
		if err != nil || ind.effect != 0 {
			return ind, err
		}
	}
	return indication{}, l.ended
}

// read reads one PDU.
func (l *link) read() (indication, error) {
	if l.m.state != sta2 { // there ARTIM runs from the beginning
		if err := l.conn.SetReadDeadline(l.now().Add(l.idle)); err != nil {
			return indication{}, l.closed(err)
		}
	}
	if l.ctx != nil && l.ctx.Err() != nil {
		_ = l.conn.SetReadDeadline(l.now())
	}
	var head [pduHead]byte
	if _, err := io.ReadFull(l.r, head[:]); err != nil {
		return indication{}, l.closed(err)
	}
	n := binary.BigEndian.Uint32(head[2:])
	if reason := checkLength(head[0], n); reason != 0 {
		return l.invalid(reason)
	}
	if err := l.body(int(n)); err != nil {
		return indication{}, l.closed(err)
	}
	return l.pdu(head[0])
}

// checkLength compares a PDU's length with what its type may have, before anything is read for it.
// 0 is good, else the reason of an abort.
func checkLength(kind byte, n uint32) byte {
	switch kind {
	case pduAssociateRQ, pduAssociateAC:
		if n > associateMax {
			return abortInvalid
		}
	case pduData:
		if n > MaxPDU {
			return abortInvalid
		}
	case pduAssociateRJ, pduReleaseRQ, pduReleaseRP, pduAbort:
		if n != 4 {
			return abortInvalid
		}
	default:
		return abortUnrecognized
	}
	return 0
}

// bodyStep is how much a PDU's length alone makes us hold.
const bodyStep = 16 << 10

// body reads n bytes. The buffer grows with what has come, not with what was announced.
func (l *link) body(n int) error {
	l.buf = l.buf[:0]
	for len(l.buf) < n {
		step := min(n-len(l.buf), max(bodyStep, len(l.buf)))
		if cap(l.buf) < len(l.buf)+step {
			l.buf = append(make([]byte, 0, len(l.buf)+step), l.buf...)
		}
		at := len(l.buf)
		l.buf = l.buf[:at+step]
		if _, err := io.ReadFull(l.r, l.buf[at:]); err != nil {
			return err
		}
	}
	return nil
}

// pdu turns a PDU into its event.
func (l *link) pdu(kind byte) (indication, error) {
	var ind indication
	e := map[byte]event{
		pduAssociateRQ: evRQ, pduAssociateAC: evAC, pduAssociateRJ: evRJ, pduData: evData,
		pduReleaseRQ: evReleaseRQ, pduReleaseRP: evReleaseRP, pduAbort: evAbortPDU,
	}[kind]
	switch kind {
	case pduAssociateRQ, pduAssociateAC:
		var err error
		if ind.rq, err = parseAssociate(l.buf); err != nil {
			return l.invalid(abortInvalid)
		}
	case pduData:
		ind.body = l.buf
	}
	eff, err := l.step(e, abortUnexpected)
	if err != nil {
		return ind, err
	}
	switch {
	case eff&tellAbort != 0:
		if eff&doAbortProvider != 0 {
			return ind, l.end(&AbortError{Local: true, Source: sourceProvider, Reason: abortUnexpected})
		}
		return ind, l.end(&AbortError{Source: l.buf[2], Reason: l.buf[3]})
	case kind == pduAssociateRJ && eff&tellAssociate != 0:
		return ind, l.end(&RejectError{Result: l.buf[1], Source: l.buf[2], Reason: l.buf[3]})
	case eff&(doAbortUser|doAbortProvider) != 0:
		return ind, l.end(&AbortError{Local: true})
	case l.m.state == sta1 && eff&tellReleased == 0:
		return ind, l.end(&AbortError{Source: l.buf[2], Reason: l.buf[3]})
	}
	ind.effect = eff & (tellAssociate | tellData | tellRelease | tellReleased | doCheck)
	return ind, nil
}

// invalid ends the association over a PDU that is none.
func (l *link) invalid(reason byte) (indication, error) {
	if _, err := l.step(evInvalid, reason); err != nil {
		return indication{}, err
	}
	return indication{}, l.end(&AbortError{Local: true, Source: sourceProvider, Reason: reason})
}

// closed notes that the connection ended, or that nothing came in time.
func (l *link) closed(err error) error {
	if l.ended != nil {
		return l.ended
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if l.m.state == sta2 {
			_, _ = l.step(evTimer, 0) // closes
			return l.end(ErrTimeout)
		}
		_, _ = l.step(evAbort, 0) // an abort that does not arrive changes nothing
		return l.end(ErrTimeout)
	}
	_, _ = l.step(evClosed, 0)
	_ = l.conn.Close()
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return l.end(&AbortError{})
	}
	return l.end(err)
}

// end notes why it is over, the first reason only.
func (l *link) end(err error) error {
	if l.ended == nil {
		l.ended = err
	}
	return l.ended
}

// step asks the machine and does what can be done without more to say.
func (l *link) step(e event, reason byte) (effect, error) {
	eff, ok := l.m.step(e)
	if !ok {
		return 0, l.end(ErrReleased)
	}
	var pdu []byte
	switch {
	case eff&doReleaseRQ != 0:
		pdu = short(pduReleaseRQ, 0, 0, 0)
	case eff&doReleaseRP != 0:
		pdu = short(pduReleaseRP, 0, 0, 0)
	case eff&doAbortUser != 0:
		pdu = short(pduAbort, 0, 0, 0)
	case eff&doAbortProvider != 0:
		pdu = short(pduAbort, 0, sourceProvider, reason)
	}
	if pdu != nil {
		if err := l.write(pdu); err != nil && eff&doReleaseRQ != 0 {
			return eff, l.closed(err)
		}
	}
	if eff&doClose != 0 {
		_ = l.conn.Close()
	}
	return eff, nil
}

func (l *link) write(b []byte) error {
	if err := l.conn.SetWriteDeadline(l.now().Add(writeTime)); err != nil {
		return err
	}
	_, err := l.conn.Write(b)
	return err
}

// abort ends the association from our side.
func (l *link) abort() {
	if l.ended == nil {
		_, _ = l.step(evAbort, 0)
		_ = l.end(&AbortError{Local: true})
	}
}

// close gives the connection back. Where the other side is to close first (sta13), it has a moment
// for it: closing over what it still sends would take our last word from it.
func (l *link) close() {
	if l.ended == nil && l.m.state != sta13 && l.m.state != sta1 {
		l.abort()
	}
	_ = l.end(ErrReleased)
	if l.onClose != nil {
		l.onClose()
		l.onClose = nil
	}
	if l.m.state == sta13 {
		if c, ok := l.conn.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite()
		}
		_ = l.conn.SetReadDeadline(l.now().Add(l.linger))
		_, _ = io.CopyN(io.Discard, l.conn, lingerBytes)
		_, _ = l.m.step(evClosed)
	}
	_ = l.conn.Close()
}
