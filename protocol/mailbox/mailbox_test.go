package mailbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// memory is a Store of a few lines; storage/mailbox is the one that is tested as a store.
type memory struct {
	mu    sync.Mutex
	boxes map[BoxID]*memoryBox
	taken int // ranges
}

type memoryBox struct {
	deposit wire.Secret
	items   []Item
	next    uint64
}

func newMemory() *memory { return &memory{boxes: map[BoxID]*memoryBox{}} }

func (m *memory) Open(_ identity.PeerID, public [32]byte, deposit wire.Secret) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := BoxIDOf(public)
	if m.boxes[id] == nil {
		m.boxes[id] = &memoryBox{}
	}
	m.boxes[id].deposit = deposit
	return nil
}

func (m *memory) Touch(id BoxID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boxes[id] == nil {
		return ErrAbsent
	}
	return nil
}

func (m *memory) Secret(id BoxID) (wire.Secret, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.boxes[id]; b != nil {
		return b.deposit, true
	}
	return wire.Secret{}, false
}

func (m *memory) Put(id BoxID, _ identity.PeerID, item []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.boxes[id]
	if b == nil {
		return ErrAbsent
	}
	b.next++
	b.items = append(b.items, Item{Cursor: b.next, Item: bytes.Clone(item)})
	return nil
}

func (m *memory) Items(id BoxID, after uint64, _ int) ([]Item, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.boxes[id]
	if b == nil {
		return nil, false, ErrAbsent
	}
	return slices.DeleteFunc(slices.Clone(b.items), func(it Item) bool { return it.Cursor <= after }), false, nil
}

func (m *memory) Acknowledge(id BoxID, cursor uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.boxes[id]
	b.items = slices.DeleteFunc(b.items, func(it Item) bool { return it.Cursor <= cursor })
	return nil
}

func (m *memory) Offer(_ BoxID, _ identity.PeerID, blobs []Blob) ([][]byte, error) {
	var out [][]byte
	for _, b := range blobs {
		out = append(out, make([]byte, (blob.LeafCount(b.Length)+7)/8))
	}
	return out, nil
}

func (m *memory) Write(Blob, int, []byte, [][32]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken++
	return nil
}

func (m *memory) Finish([]Blob) error           { return nil }
func (m *memory) Blobs(BoxID) ([]Blob, error)   { return nil, nil }
func (m *memory) Forget(BoxID, []blob.ID) error { return nil }

func (m *memory) Read(BoxID, Want, []byte) ([]byte, [][32]byte, error) { return nil, nil, ErrAbsent }

// clock goes by the real time, as streams do.
type clock struct{}

func (clock) Now() time.Time { return time.Now() }

func (clock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

var ends = Ends{Client: "client", Mailbox: "mailbox"}

// session runs f as the client of a mailbox, and gives what the mailbox said of it.
func session(tb testing.TB, store Store, f func(c *Client) error) (client, server error) {
	tb.Helper()
	here, there := net.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- Serve(context.Background(), there, Config{Ends: ends, Store: store, Clock: clock{}, MayOpen: true})
	}()
	c, err := Dial(tb.Context(), here, ends, clock{}, "test")
	if err != nil {
		tb.Fatal(err)
	}
	err = f(c)
	_ = c.Close()
	return err, <-served
}

func opened(tb testing.TB, store Store) *Key {
	tb.Helper()
	k := NewKey(wire.NewSecret())
	if err, _ := session(tb, store, func(c *Client) error { return c.Open(k) }); err != nil {
		tb.Fatal(err)
	}
	return k
}

// TestForgedOwner: who signs with another key than the box's gets nothing of it.
func TestForgedOwner(t *testing.T) {
	store := newMemory()
	k := opened(t, store)
	_, _ = session(t, store, func(c *Client) error { _, err := c.Deposit(k.Address(), [][]byte{{1, 2}}); return err })
	forged := &Key{secret: NewKey(wire.NewSecret()).secret, public: k.public}
	err, _ := session(t, store, func(c *Client) error {
		items, _, err := c.Collect(forged, 0)
		if len(items) > 0 {
			t.Error("a forged signature collects")
		}
		return err
	})
	if !errors.Is(err, ErrRefused) {
		t.Errorf("collect: got %v, want ErrRefused", err)
	}
	if err, _ := session(t, store, func(c *Client) error { return c.Open(forged) }); !errors.Is(err, ErrRefused) {
		t.Errorf("open: got %v, want ErrRefused", err)
	}
	if s, _ := store.Secret(k.Address().Box); !s.Equal(k.Address().Deposit) {
		t.Error("a forged signature changes the deposit secret")
	}
}

// TestRefusalsEnd: guessing costs a session after three tries.
func TestRefusalsEnd(t *testing.T) {
	store := newMemory()
	k := opened(t, store)
	bad := Address{Box: k.Address().Box, Deposit: wire.NewSecret()}
	items := make([][]byte, 50)
	for i := range items {
		items[i] = []byte{1, byte(i)}
	}
	err, served := session(t, store, func(c *Client) error { _, err := c.Deposit(bad, items); return err })
	if !errors.Is(err, ErrRefused) || !errors.Is(served, ErrRefused) {
		t.Errorf("client %v, mailbox %v", err, served)
	}
}

// TestHostileBlobs: ranges that were not offered, do not verify or lie end the session, and
// nothing of them is kept.
func TestHostileBlobs(t *testing.T) {
	plain := make([]byte, 300<<10)
	sealed, ref, leaves := seal.BlobRandom(seal.Document, plain)
	good := Blob{ID: ref.ID, Length: uint64(len(sealed))}
	off, n := blob.RangeSpan(good.Length, 0, 2)
	data, proof := sealed[off:off+n], blob.Prove(leaves, 0, 2)
	flipped := bytes.Clone(data)
	flipped[100] ^= 1
	for _, tc := range []struct {
		name  string
		offer bool
		r     rangeBody
	}{
		{"not offered", false, rangeBody{Blob: good.ID, Length: good.Length, Data: data, Proof: proof}},
		{"flipped bit", true, rangeBody{Blob: good.ID, Length: good.Length, Data: flipped, Proof: proof}},
		{"another place", true, rangeBody{Blob: good.ID, Length: good.Length, First: 1, Data: data, Proof: proof}},
		{"another length", true, rangeBody{Blob: good.ID, Length: good.Length + 1, Data: data, Proof: proof}},
		{"no proof", true, rangeBody{Blob: good.ID, Length: good.Length, Data: data, Proof: [][32]byte{}}},
		{"half a leaf", true, rangeBody{Blob: good.ID, Length: good.Length, Data: data[:1000], Proof: proof}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := newMemory()
			k := opened(t, store)
			_, served := session(t, store, func(c *Client) error {
				if tc.offer {
					blobs := []Blob{good}
					to := k.Address()
					m := offerBody{Box: to.Box, Blobs: blobs, MAC: c.text.mac(to.Deposit, "offer", wire.MustMarshal(blobs)), Request: c.next()}
					if err := c.write(frameOffer, m); err != nil {
						return err
					}
					if _, _, err := c.answer(frameOffered); err != nil {
						return err
					}
				}
				if err := c.write(frameRange, tc.r); err != nil {
					return err
				}
				_, _, err := c.answer(frameDone)
				return err
			})
			if !errors.Is(served, ErrProtocol) {
				t.Errorf("mailbox: got %v, want ErrProtocol", served)
			}
			if store.taken != 0 {
				t.Error("kept")
			}
		})
	}
}

// TestHostileFrames: each of these ends its session at once.
func TestHostileFrames(t *testing.T) {
	for name, b := range map[string][]byte{
		"no hello":        {0, 0, 0, 2, byte(frameList), 0xa0},
		"too long":        {0, 0x10, 0, 0, byte(frameHello)},
		"empty":           {0, 0, 0, 0},
		"not CBOR":        {0, 0, 0, 3, byte(frameHello), 0xff, 0xff},
		"half a frame":    {0, 0, 1, 0, byte(frameHello), 0xa3},
		"nothing at all":  {},
		"another version": mustFrame(frameHello, helloBody{Versions: []uint64{9}}),
		"long deposit":    append(mustFrame(frameHello, helloBody{Versions: []uint64{1}}), 0, 0x04, 0, 0, byte(frameDeposit)),
		"many versions":   mustFrame(frameHello, helloBody{Versions: make([]uint64, versionsMax+1)}),
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			served := make(chan error, 1)
			go func() {
				served <- Serve(context.Background(), there, Config{Ends: ends, Store: newMemory(), Clock: clock{}})
			}()
			go func() { _, _ = io.Copy(io.Discard, here) }()
			_, _ = here.Write(b)
			if name == "half a frame" || name == "nothing at all" {
				_ = here.Close()
			}
			select {
			case <-served:
			case <-time.After(10 * time.Second):
				t.Fatal("the session goes on")
			}
			_ = here.Close()
		})
	}
}

func mustFrame(t frameType, body any) []byte {
	f, err := wire.EncodeFrame(byte(t), body, frameMax)
	if err != nil {
		panic(err)
	}
	return f
}

// FuzzServe feeds a mailbox raw bytes after a true hello: it neither panics nor keeps
// anything, as no secret is known.
func FuzzServe(f *testing.F) {
	k := NewKey(wire.Secret{1})
	for _, s := range samples() {
		f.Add(mustFrame(s.typ, s.body))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		store := newMemory()
		_ = store.Open("owner", k.Public(), k.Address().Deposit)
		hello := mustFrame(frameHello, helloBody{Versions: []uint64{1}})
		_ = Serve(context.Background(), &script{r: bytes.NewReader(append(hello, b...))}, Config{Ends: ends, Store: store, Clock: clock{}})
		if len(store.boxes) != 1 || len(store.boxes[k.Address().Box].items) != 0 || store.taken != 0 {
			t.Error("something was kept without a proof")
		}
	})
}

// script is a stream whose peer says what is written and hears nothing.
type script struct{ r io.Reader }

func (s *script) Read(b []byte) (int, error)  { return s.r.Read(b) }
func (s *script) Write(b []byte) (int, error) { return len(b), nil }
func (s *script) Close() error                { return nil }
