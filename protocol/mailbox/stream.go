package mailbox

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Clock is the time a session goes by.
type Clock interface {
	Now() time.Time
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// conn is a stream with deadlines: a peer that is silent too long finds it broken.
type conn struct {
	stream  io.ReadWriteCloser
	r       *bufio.Reader
	clock   Clock
	expired atomic.Bool
}

func newConn(stream io.ReadWriteCloser, clock Clock) *conn {
	return &conn{stream: stream, r: bufio.NewReaderSize(stream, 64<<10), clock: clock}
}

// abort breaks a stream that closing would not: libp2p's waits for what was written.
func (c *conn) abort() {
	if a, ok := c.stream.(interface{ Abort() }); ok {
		a.Abort()
		return
	}
	_ = c.stream.Close()
}

func (c *conn) expire() {
	c.expired.Store(true)
	c.abort()
}

func (c *conn) fault(doing string, err error) error {
	if c.expired.Load() {
		return fmt.Errorf("%w: %s", ErrSilent, doing)
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// read reads a frame of at most limit bytes that comes within d.
func (c *conn) read(limit int, d time.Duration) (frameType, []byte, error) {
	stop := c.clock.AfterFunc(d, c.expire)
	defer stop()
	t, body, err := readFrame(c.r, limit)
	if err != nil {
		return 0, nil, c.fault("read", err)
	}
	return t, body, nil
}

func (c *conn) write(t frameType, body any) error {
	f, err := wire.EncodeFrame(byte(t), body, frameMax)
	if err != nil {
		return err
	}
	return c.writeFrame(f)
}

func (c *conn) writeFrame(f []byte) error {
	stop := c.clock.AfterFunc(writeTime, c.expire)
	defer stop()
	if _, err := c.stream.Write(f); err != nil {
		return c.fault("write", err)
	}
	return nil
}

const version = 1

// hello says hello and hears the peer's. It gives both nonces.
func (c *conn) hello(software string) (own, theirs [32]byte, err error) {
	_, _ = rand.Read(own[:]) // never fails since Go 1.24
	said := make(chan error, 1)
	go func() {
		said <- c.write(frameHello, helloBody{Versions: []uint64{version}, Nonce: own, Software: software})
	}()
	t, b, err := c.read(smallMax, firstTime)
	if err != nil {
		c.abort()
		<-said //nolint:errcheck // it fails too
		return own, theirs, err
	}
	if err := <-said; err != nil {
		return own, theirs, err
	}
	if t != frameHello {
		return own, theirs, fmt.Errorf("no hello: %w", ErrProtocol)
	}
	h, err := decode(b, checkHello)
	if err != nil {
		return own, theirs, err
	}
	if slices.Contains(h.Versions, version) {
		return own, h.Nonce, nil
	}
	return own, theirs, fmt.Errorf("no common version: %w", ErrProtocol)
}

// until ends the stream with ctx.
func (c *conn) until(ctx context.Context) (stop func() bool) { return context.AfterFunc(ctx, c.abort) }

// Ends are the two PeerIDs of a session, as the transport proved them.
type Ends struct {
	Client, Mailbox identity.PeerID
}
