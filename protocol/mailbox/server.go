package mailbox

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Store keeps boxes, items and blobs; storage/mailbox is one. What a method took is on the
// medium when it returns, except for Write, which Finish makes durable. It is safe for
// concurrent use, and returns the errors of this package where one fits.
type Store interface {
	// Open makes a box or renews it.
	Open(owner identity.PeerID, public [32]byte, deposit wire.Secret) error
	// Touch says that the owner came.
	Touch(box BoxID) error
	// Secret is the deposit secret of a box.
	Secret(box BoxID) (wire.Secret, bool)

	// Put keeps an item once, however often it comes.
	Put(box BoxID, by identity.PeerID, item []byte) error
	// Items gives items with cursors above after, in rising order, and whether there are more.
	Items(box BoxID, after uint64, maxBytes int) (items []Item, more bool, err error)
	// Acknowledge deletes items up to a cursor.
	Acknowledge(box BoxID, cursor uint64) error

	// Offer makes room for blobs and says which leaves of each are there.
	Offer(box BoxID, by identity.PeerID, blobs []Blob) (bitmaps [][]byte, err error)
	// Write keeps a range that was verified, of a blob that was offered.
	Write(b Blob, first int, data []byte, leaves [][32]byte) error
	// Finish makes what was written durable: ErrIncomplete if a blob is not whole.
	Finish(blobs []Blob) error
	// Blobs lists those of a box that are whole.
	Blobs(box BoxID) ([]Blob, error)
	// Read gives a range of a blob that the box has; the data may lie in buf.
	Read(box BoxID, w Want, buf []byte) (data []byte, proof [][32]byte, err error)
	// Forget takes blobs out of a box.
	Forget(box BoxID, ids []blob.ID) error
}

// Config is what a session of the mailbox's side is made of.
type Config struct {
	Ends
	Store    Store
	Clock    Clock
	Software string
	// MayOpen says that the client may have boxes here.
	MayOpen bool
	// Spend, if given, is told of bytes that came or went and says how long to wait
	// before more: a budget.
	Spend func(bytes int) time.Duration
}

// server is a session of the mailbox's side.
type server struct {
	*conn
	cfg      Config
	text     transcript
	box      *BoxID        // proven
	offered  map[Blob]bool // by the last offer
	refusals int
	buf      []byte
}

// Serve answers a client until it ends, ctx is cancelled or something breaks, and closes
// the stream. One frame is in memory at a time.
func Serve(ctx context.Context, stream io.ReadWriteCloser, cfg Config) error {
	s := &server{conn: newConn(stream, cfg.Clock), cfg: cfg}
	defer func() { _ = stream.Close() }()
	stop := s.until(ctx)
	defer stop()
	own, theirs, err := s.hello(cfg.Software)
	if err != nil {
		s.abort()
		return err
	}
	s.text = newTranscript(cfg.Client, cfg.Mailbox, theirs, own)
	for {
		err := s.next(ctx)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return nil
		default:
			s.abort()
			return err
		}
	}
}

// limit is how long a frame may be now.
func (s *server) limit() int {
	if len(s.offered) > 0 {
		return frameMax
	}
	return smallMax
}

// next answers one frame. io.EOF is the end.
func (s *server) next(ctx context.Context) error {
	t, b, err := s.read(s.limit(), idleTime)
	if err != nil {
		return err
	}
	if err := s.spend(ctx, len(b)); err != nil {
		return err
	}
	switch t {
	case frameOpen:
		return s.open(b)
	case frameDeposit:
		return s.deposit(b)
	case frameCollect:
		return s.collect(ctx, b)
	case frameAcknowledge:
		return s.acknowledge(b)
	case frameOffer:
		return s.offer(b)
	case frameRange:
		return s.take(b)
	case frameFinish:
		return s.finished(b)
	case frameList:
		return s.list(b)
	case frameWant:
		return s.want(ctx, b)
	case frameForget:
		return s.forget(b)
	case frameEnd:
		return io.EOF
	default:
		return nil // FORMATS §8: unknown types are skipped
	}
}

// spend waits as the budget says.
func (s *server) spend(ctx context.Context, n int) error {
	if s.cfg.Spend == nil {
		return nil
	}
	d := s.cfg.Spend(n)
	if d <= 0 {
		return nil
	}
	woken := make(chan struct{})
	stop := s.clock.AfterFunc(d, func() { close(woken) })
	defer stop()
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// done answers a request. Three refusals end the session: an honest client has none.
func (s *server) done(request uint64, err error) error {
	if werr := s.write(frameDone, doneBody{Request: request, Status: statusOf(err)}); werr != nil {
		return werr
	}
	if errors.Is(err, ErrRefused) {
		if s.refusals++; s.refusals >= refusalsMax {
			return err
		}
	}
	return nil
}

func (s *server) open(b []byte) error {
	m, err := decode[openBody](b, nil)
	if err != nil {
		return err
	}
	err = verify(labelOpen, s.text.with(m.Deposit[:]), m.Sigs, m.Public)
	if err == nil && !s.cfg.MayOpen {
		err = ErrRefused
	}
	if err == nil {
		err = s.cfg.Store.Open(s.cfg.Client, m.Public, m.Deposit)
	}
	if err == nil {
		s.proven(m.Public)
	}
	return s.done(m.Request, err)
}

func (s *server) proven(public [32]byte) {
	id := BoxIDOf(public)
	s.box = &id
}

// knows checks the proof of the deposit secret. A box that does not exist is answered as a
// wrong proof is, or anybody could ask which boxes there are.
func (s *server) knows(box BoxID, label string, b []byte, mac [16]byte) error {
	secret, ok := s.cfg.Store.Secret(box)
	want := s.text.mac(secret, label, b)
	if !ok || subtle.ConstantTimeCompare(want[:], mac[:]) != 1 {
		return ErrRefused
	}
	return nil
}

func (s *server) deposit(b []byte) error {
	m, err := decode(b, checkDeposit)
	if err != nil {
		return err
	}
	if err = s.knows(m.Box, "item", m.Item, m.MAC); err == nil {
		err = s.cfg.Store.Put(m.Box, s.cfg.Client, m.Item)
	}
	return s.done(m.Request, err)
}

func (s *server) collect(ctx context.Context, b []byte) error {
	m, err := decode[collectBody](b, nil)
	if err != nil {
		return err
	}
	if err := verify(labelCollect, s.text.collect(m.After), m.Sigs, m.Public); err != nil {
		return s.done(m.Request, err)
	}
	box := BoxIDOf(m.Public)
	if err := s.cfg.Store.Touch(box); err != nil {
		return s.done(m.Request, err)
	}
	s.proven(m.Public)
	items, more, err := s.cfg.Store.Items(box, m.After, itemsBytes)
	if err != nil {
		return s.done(m.Request, err)
	}
	out := itemsBody{Request: m.Request, Items: items, More: 1}
	if out.Items == nil {
		out.Items = []Item{}
	}
	if more {
		out.More = 2
	}
	n := 0
	for _, it := range items {
		n += len(it.Item)
	}
	if err := s.spend(ctx, n); err != nil {
		return err
	}
	return s.write(frameItems, out)
}

// owned runs f for the box that was proven.
func (s *server) owned(request uint64, f func(box BoxID) error) error {
	if s.box == nil {
		return s.done(request, ErrRefused)
	}
	return s.done(request, f(*s.box))
}

func (s *server) acknowledge(b []byte) error {
	m, err := decode[acknowledgeBody](b, nil)
	if err != nil {
		return err
	}
	return s.owned(m.Request, func(box BoxID) error { return s.cfg.Store.Acknowledge(box, m.Cursor) })
}

func (s *server) offer(b []byte) error {
	m, err := decode(b, checkOffer)
	if err != nil {
		return err
	}
	if err := s.knows(m.Box, "offer", wire.MustMarshal(m.Blobs), m.MAC); err != nil {
		return s.done(m.Request, err)
	}
	bitmaps, err := s.cfg.Store.Offer(m.Box, s.cfg.Client, m.Blobs)
	if err != nil {
		return s.done(m.Request, err)
	}
	s.offered = make(map[Blob]bool, len(m.Blobs))
	for _, x := range m.Blobs {
		s.offered[x] = true
	}
	return s.write(frameOffered, offeredBody{Request: m.Request, Bitmaps: bitmaps})
}

// take keeps a range of a blob that was offered, if it verifies.
func (s *server) take(b []byte) error {
	m, err := decode(b, checkRange)
	if err != nil {
		return err
	}
	x := Blob{ID: m.Blob, Length: m.Length}
	if !s.offered[x] {
		return errBody
	}
	first := int(m.First)
	n := leavesIn(x.Length, first, len(m.Data))
	if n < 1 || n > leavesMax {
		return errBody
	}
	leaves, err := blob.Verify(x.ID, x.Length, first, first+n, m.Data, m.Proof)
	if err != nil {
		return errBody
	}
	return s.cfg.Store.Write(x, first, m.Data, leaves)
}

// leavesIn is how many leaves from first on take exactly so many bytes; 0 if none do.
func leavesIn(length uint64, first, size int) int {
	count := blob.LeafCount(length)
	for n := 1; n <= leavesMax && first+n <= count; n++ {
		if _, span := blob.RangeSpan(length, first, first+n); int(span) == size {
			return n
		}
	}
	return 0
}

func (s *server) finished(b []byte) error {
	m, err := decode[requestBody](b, nil)
	if err != nil {
		return err
	}
	blobs := make([]Blob, 0, len(s.offered))
	for x := range s.offered {
		blobs = append(blobs, x)
	}
	s.offered = nil
	return s.done(m.Request, s.cfg.Store.Finish(blobs))
}

func (s *server) list(b []byte) error {
	m, err := decode[requestBody](b, nil)
	if err != nil {
		return err
	}
	if s.box == nil {
		return s.done(m.Request, ErrRefused)
	}
	blobs, err := s.cfg.Store.Blobs(*s.box)
	if err != nil {
		return s.done(m.Request, err)
	}
	if blobs == nil {
		blobs = []Blob{}
	}
	return s.write(frameListed, listedBody{Request: m.Request, Blobs: blobs[:min(len(blobs), listed)]})
}

// listed is how many blobs a frame lists; the client takes and forgets them, and asks again.
const listed = frameMax / 64

// want sends ranges, one after the other.
func (s *server) want(ctx context.Context, b []byte) error {
	ws, err := decode(b, checkWants)
	if err != nil {
		return err
	}
	for _, w := range ws {
		if s.box == nil {
			return errBody
		}
		if s.buf == nil {
			s.buf = make([]byte, leavesMax*blob.LeafSize+blob.HeaderSize)
		}
		x := Want{Blob: Blob{ID: w.Blob, Length: w.Length}, First: int(w.First), N: int(w.Leaves)}
		data, proof, err := s.cfg.Store.Read(*s.box, x, s.buf)
		if err != nil {
			if err := s.write(frameRefuse, refuseBody{Request: w.Request, Reason: reasonAbsent}); err != nil {
				return err
			}
			continue
		}
		if proof == nil {
			proof = [][32]byte{}
		}
		if err := s.spend(ctx, len(data)); err != nil {
			return err
		}
		err = s.write(frameRange, rangeBody{Request: w.Request, Blob: w.Blob, Length: w.Length, First: w.First, Data: data, Proof: proof})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *server) forget(b []byte) error {
	m, err := decode(b, checkForget)
	if err != nil {
		return err
	}
	return s.owned(m.Request, func(box BoxID) error { return s.cfg.Store.Forget(box, m.Blobs) })
}
