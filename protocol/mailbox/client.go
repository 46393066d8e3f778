package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Client is a session of the depositor's or the owner's side. Its methods are called one
// at a time. An error that is none of the mailbox's answers ends the session.
type Client struct {
	*conn
	text    transcript
	request uint64
	stop    func() bool
}

// Dial says hello on a stream to a mailbox. The session ends with ctx or Close.
func Dial(ctx context.Context, stream io.ReadWriteCloser, ends Ends, clock Clock, software string) (*Client, error) {
	c := &Client{conn: newConn(stream, clock)}
	c.stop = c.until(ctx)
	own, theirs, err := c.hello(software)
	if err != nil {
		c.stop()
		c.abort()
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	c.text = newTranscript(ends.Client, ends.Mailbox, own, theirs)
	return c, nil
}

// Close ends the session.
func (c *Client) Close() error {
	c.stop()
	err := c.write(frameEnd, endBody{Why: endLevel})
	return errors.Join(err, c.stream.Close())
}

func (c *Client) next() uint64 {
	c.request++
	return c.request
}

// answer reads the next frame, which must be the answer to a request: one of the wanted
// type, or done.
func (c *Client) answer(want frameType) (frameType, []byte, error) {
	t, b, err := c.read(frameMax, idleTime)
	if err != nil {
		return 0, nil, unexpected(err)
	}
	if t != want && t != frameDone && t != frameRefuse {
		return 0, nil, fmt.Errorf("answer of type %d: %w", t, ErrProtocol)
	}
	return t, b, nil
}

// unexpected says that a session must not end while an answer is owed.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// done reads the answer to a request that is answered with done.
func (c *Client) done(request uint64) error {
	_, b, err := c.answer(frameDone)
	if err != nil {
		return err
	}
	return status(b, request)
}

func status(b []byte, request uint64) error {
	m, err := decode[doneBody](b, nil)
	if err != nil {
		return err
	}
	if m.Request != request {
		return errBody
	}
	return errorOf(m.Status)
}

// Open makes one's box or renews it, and proves it for the session.
func (c *Client) Open(k *Key) error {
	deposit := k.Address().Deposit
	r := c.next()
	err := c.write(frameOpen, openBody{Public: k.Public(), Sigs: k.sign(labelOpen, c.text.with(deposit[:])), Deposit: deposit, Request: r})
	if err != nil {
		return err
	}
	return c.done(r)
}

// Deposit leaves items in a box and says how many of them, from the first on, are kept.
// Requests run ahead of answers, so that many items cost no round trip each.
func (c *Client) Deposit(to Address, items [][]byte) (kept int, err error) {
	first := c.request + 1
	c.request += uint64(len(items))
	wrote := make(chan error, 1)
	go func() {
		for i, it := range items {
			m := depositBody{Box: to.Box, Item: it, MAC: c.text.mac(to.Deposit, "item", it), Request: first + uint64(i)}
			if err := c.write(frameDeposit, m); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	}()
	for i := range items {
		derr := c.done(first + uint64(i))
		switch {
		case derr == nil && err == nil:
			kept++
		case err == nil:
			err = derr
		}
		if derr != nil && !isAnswer(derr) {
			c.abort()
			<-wrote //nolint:errcheck // it fails too
			return kept, err
		}
	}
	return kept, errors.Join(err, <-wrote)
}

// isAnswer says whether an error is one that the mailbox gave, after which the session goes on.
func isAnswer(err error) bool {
	for _, e := range statuses {
		if e != nil && errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Collect takes items of one's box with cursors above after, and says whether there are more.
func (c *Client) Collect(k *Key, after uint64) (items []Item, more bool, err error) {
	r := c.next()
	err = c.write(frameCollect, collectBody{Public: k.Public(), Sigs: k.sign(labelCollect, c.text.collect(after)), After: after, Request: r})
	if err != nil {
		return nil, false, err
	}
	t, b, err := c.answer(frameItems)
	if err != nil {
		return nil, false, err
	}
	if t != frameItems {
		return nil, false, notDone(status(b, r))
	}
	m, err := decode(b, checkItems)
	if err != nil {
		return nil, false, err
	}
	last := after
	for _, it := range m.Items {
		if it.Cursor <= last || m.Request != r {
			return nil, false, errBody
		}
		last = it.Cursor
	}
	return m.Items, m.More == 2 && len(m.Items) > 0, nil
}

// notDone makes an error of a done where something else was due.
func notDone(err error) error {
	if err == nil {
		return errBody
	}
	return err
}

// Acknowledge lets the mailbox delete the items up to a cursor.
func (c *Client) Acknowledge(cursor uint64) error {
	r := c.next()
	if err := c.write(frameAcknowledge, acknowledgeBody{Cursor: cursor, Request: r}); err != nil {
		return err
	}
	return c.done(r)
}

// Ranger reads ranges of own blobs, as blobs.File does.
type Ranger func(b Blob, first, n int, buf []byte) (data []byte, proof [][32]byte, err error)

// Offer leaves blobs in a box: what the mailbox lacks of them is read and sent.
func (c *Client) Offer(to Address, all []Blob, read Ranger) error {
	for len(all) > 0 {
		n := 1
		for n < len(all) && fits(all[:n+1]) {
			n++
		}
		if err := c.offer(to, all[:n], read); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

func (c *Client) offer(to Address, blobs []Blob, read Ranger) error {
	if !fits(blobs) {
		return ErrTooLong
	}
	r := c.next()
	err := c.write(frameOffer, offerBody{Box: to.Box, Blobs: blobs, MAC: c.text.mac(to.Deposit, "offer", wire.MustMarshal(blobs)), Request: r})
	if err != nil {
		return err
	}
	t, b, err := c.answer(frameOffered)
	if err != nil {
		return err
	}
	if t != frameOffered {
		return notDone(status(b, r))
	}
	m, err := decode[offeredBody](b, nil)
	if err != nil {
		return err
	}
	if m.Request != r || len(m.Bitmaps) != len(blobs) {
		return errBody
	}
	if err := c.sendAll(blobs, m.Bitmaps, read); err != nil {
		return err
	}
	r = c.next()
	if err := c.write(frameFinish, requestBody{Request: r}); err != nil {
		return err
	}
	return c.done(r)
}

func (c *Client) sendAll(blobs []Blob, there [][]byte, read Ranger) error {
	buf := make([]byte, leavesMax*blob.LeafSize+blob.HeaderSize)
	for i, b := range blobs {
		count := blob.LeafCount(b.Length)
		if len(there[i]) != (count+7)/8 {
			return errBody
		}
		for first := 0; first < count; {
			n := 0
			for n < leavesMax && first+n < count && !bit(there[i], first+n) {
				n++
			}
			if n == 0 {
				first++
				continue
			}
			data, proof, err := read(b, first, n, buf)
			if err != nil {
				return err
			}
			if proof == nil {
				proof = [][32]byte{}
			}
			m := rangeBody{Request: c.request, Blob: b.ID, Length: b.Length, First: uint64(first), Data: data, Proof: proof}
			if err := c.write(frameRange, m); err != nil {
				return err
			}
			first += n
		}
	}
	return nil
}

func bit(b []byte, i int) bool { return b[i/8]&(1<<(i%8)) != 0 }

// Blobs lists the blobs of the box that was proven.
func (c *Client) Blobs() ([]Blob, error) {
	r := c.next()
	if err := c.write(frameList, requestBody{Request: r}); err != nil {
		return nil, err
	}
	t, b, err := c.answer(frameListed)
	if err != nil {
		return nil, err
	}
	if t != frameListed {
		return nil, notDone(status(b, r))
	}
	m, err := decode[listedBody](b, nil)
	if err != nil {
		return nil, err
	}
	if m.Request != r {
		return nil, errBody
	}
	return m.Blobs, nil
}

// Fetch gets ranges of blobs of the box that was proven; take is called for each that
// verifies, in their order. Ranges that are not there are passed over.
func (c *Client) Fetch(wants []Want, take func(w Want, data []byte, leaves [][32]byte) error) error {
	sent, first := 0, c.request+1
	c.request += uint64(len(wants))
	for i, w := range wants {
		for sent < len(wants) && sent < i+wantsAhead {
			n := min(wantsMax, len(wants)-sent)
			if err := c.want(wants[sent:sent+n], first+uint64(sent)); err != nil {
				return err
			}
			sent += n
		}
		if err := c.range1(w, first+uint64(i), take); err != nil {
			return err
		}
	}
	return nil
}

// wantsAhead is how many ranges may be asked for ahead of what came.
const wantsAhead = 2 * wantsMax

func (c *Client) want(ws []Want, request uint64) error {
	rows := make([]wantRow, 0, len(ws))
	for i, w := range ws {
		rows = append(rows, wantRow{
			Request: request + uint64(i), Priority: 3, Blob: w.Blob.ID, Length: w.Blob.Length,
			First: uint64(w.First), Leaves: uint64(w.N),
		})
	}
	return c.write(frameWant, rows)
}

func (c *Client) range1(w Want, request uint64, take func(Want, []byte, [][32]byte) error) error {
	t, b, err := c.answer(frameRange)
	if err != nil {
		return err
	}
	if t == frameRefuse {
		return nil
	}
	if t != frameRange {
		return notDone(status(b, request))
	}
	m, err := decode(b, checkRange)
	if err != nil {
		return err
	}
	if m.Request != request || m.Blob != w.Blob.ID || m.Length != w.Blob.Length || m.First != uint64(w.First) {
		return errBody
	}
	leaves, err := blob.Verify(w.Blob.ID, w.Blob.Length, w.First, w.First+w.N, m.Data, m.Proof)
	if err != nil {
		return err
	}
	return take(w, m.Data, leaves)
}

// Forget lets the mailbox delete blobs of the box that was proven.
func (c *Client) Forget(ids []blob.ID) error {
	r := c.next()
	if err := c.write(frameForget, forgetBody{Request: r, Blobs: ids}); err != nil {
		return err
	}
	return c.done(r)
}
