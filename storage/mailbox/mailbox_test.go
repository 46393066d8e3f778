package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/durable"
	store "github.com/curbside-p2p/curbside/storage/mailbox"
)

const day = 24 * time.Hour

// real is the clock of sessions; the store's is the test's.
type real struct{}

func (real) Now() time.Time                                         { return time.Now() }
func (real) AfterFunc(d time.Duration, f func()) (stop func() bool) { return time.AfterFunc(d, f).Stop }

// desk is a mailbox under test, with a clock that moves when told.
type desk struct {
	tb     testing.TB
	dir    string
	limits store.Limits
	disk   *durable.Disk
	*store.Store

	mu  sync.Mutex
	now time.Time
}

func newDesk(tb testing.TB, limits store.Limits) *desk {
	tb.Helper()
	d := &desk{tb: tb, dir: tb.TempDir(), limits: limits, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	d.open()
	tb.Cleanup(func() { _ = d.Close() })
	return d
}

func (d *desk) open() {
	d.tb.Helper()
	s, err := store.OpenOn(d.disk, d.dir, d.limits, func() time.Time {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.now
	})
	if err != nil {
		d.tb.Fatal(err)
	}
	d.Store = s
}

func (d *desk) restart() {
	d.tb.Helper()
	if err := d.Close(); err != nil {
		d.tb.Fatal(err)
	}
	d.open()
}

func (d *desk) pass(t time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(t)
}

// visit is a session of a peer with the mailbox.
func (d *desk) visit(who identity.PeerID, f func(c *mailbox.Client) error) error {
	d.tb.Helper()
	return d.visitAs(who, true, f)
}

func (d *desk) visitAs(who identity.PeerID, mayOpen bool, f func(c *mailbox.Client) error) error {
	d.tb.Helper()
	here, there := net.Pipe()
	ends := mailbox.Ends{Client: who, Mailbox: "mailbox"}
	served := make(chan error, 1)
	go func() {
		served <- mailbox.Serve(context.Background(), there, mailbox.Config{Ends: ends, Store: d.Store, Clock: real{}, MayOpen: mayOpen})
	}()
	c, err := mailbox.Dial(d.tb.Context(), here, ends, real{}, "test")
	if err != nil {
		return err
	}
	err = f(c)
	_ = c.Close()
	<-served
	return err
}

func (d *desk) opened(who identity.PeerID) *mailbox.Key {
	d.tb.Helper()
	k := mailbox.NewKey(wire.NewSecret())
	if err := d.visit(who, func(c *mailbox.Client) error { return c.Open(k) }); err != nil {
		d.tb.Fatal(err)
	}
	return k
}

func (d *desk) deposit(who identity.PeerID, to mailbox.Address, items ...string) (kept int, err error) {
	d.tb.Helper()
	var bs [][]byte
	for _, it := range items {
		bs = append(bs, []byte(it))
	}
	err = d.visit(who, func(c *mailbox.Client) error {
		kept, err = c.Deposit(to, bs)
		return err
	})
	return kept, err
}

// collect takes and acknowledges all that is in a box.
func (d *desk) collect(who identity.PeerID, k *mailbox.Key, acknowledge bool) []string {
	d.tb.Helper()
	var got []string
	err := d.visit(who, func(c *mailbox.Client) error {
		after, more := uint64(0), true
		for more {
			items, m, err := c.Collect(k, after)
			if err != nil {
				return err
			}
			for _, it := range items {
				got, after = append(got, string(it.Item)), it.Cursor
			}
			more = m
		}
		if acknowledge {
			return c.Acknowledge(after)
		}
		return nil
	})
	if err != nil {
		d.tb.Fatal(err)
	}
	return got
}

func same(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func TestJourney(t *testing.T) {
	d := newDesk(t, store.Limits{})
	k := d.opened("owner")
	to := k.Address()
	if n, err := d.deposit("friend", to, "\x02one", "\x01two", "\x01three"); n != 3 || err != nil {
		t.Fatalf("kept %d, %v", n, err)
	}
	d.restart()
	if got := d.collect("owner", k, false); !same(got, []string{"\x02one", "\x01two", "\x01three"}) {
		t.Errorf("collected %q", got)
	}
	if n, err := d.deposit("friend", to, "\x01two", "\x01four"); n != 2 || err != nil {
		t.Errorf("kept %d, %v", n, err)
	}
	if got := d.collect("owner", k, true); !same(got, []string{"\x02one", "\x01two", "\x01three", "\x01four"}) {
		t.Errorf("collected %q", got)
	}
	d.restart()
	if got := d.collect("owner", k, true); len(got) != 0 {
		t.Errorf("acknowledged items came again: %q", got)
	}
	if u := d.Usage(); u.Items != 0 || u.ItemBytes != 0 || u.Boxes != 1 {
		t.Errorf("usage %+v", u)
	}
}

func TestExpiry(t *testing.T) {
	d := newDesk(t, store.Limits{})
	k := d.opened("owner")
	_, _ = d.deposit("friend", k.Address(), "\x01old")
	d.pass(29 * day)
	_, _ = d.deposit("friend", k.Address(), "\x01young")
	d.pass(2 * day)
	d.Sweep()
	if got := d.collect("owner", k, false); !same(got, []string{"\x01young"}) {
		t.Errorf("collected %q", got)
	}
	d.pass(89 * day)
	d.Sweep()
	if n, err := d.deposit("friend", k.Address(), "\x01x"); n != 1 || err != nil {
		t.Errorf("the box ended early: %v", err)
	}
	d.pass(2 * day)
	d.Sweep()
	if n, err := d.deposit("friend", k.Address(), "\x01y"); n != 0 || !errors.Is(err, mailbox.ErrRefused) {
		t.Errorf("a box that nobody uses is there after 91 days: %v", err)
	}
	if u := d.Usage(); u != (store.Usage{}) {
		t.Errorf("usage %+v", u)
	}
}

// TestProofs: none of these is kept, shown or deleted.
func TestProofs(t *testing.T) {
	d := newDesk(t, store.Limits{})
	k, other := d.opened("owner"), d.opened("other")
	to := k.Address()
	_, _ = d.deposit("friend", to, "\x01hers")
	refused := func(what string, f func(c *mailbox.Client) error) {
		t.Helper()
		if err := d.visit("eve", f); !errors.Is(err, mailbox.ErrRefused) {
			t.Errorf("%s: got %v, want ErrRefused", what, err)
		}
	}
	refused("wrong secret", func(c *mailbox.Client) error {
		_, err := c.Deposit(mailbox.Address{Box: to.Box, Deposit: wire.NewSecret()}, [][]byte{{1}})
		return err
	})
	refused("unknown box", func(c *mailbox.Client) error {
		_, err := c.Deposit(mailbox.NewKey(wire.NewSecret()).Address(), [][]byte{{1}})
		return err
	})
	refused("secret of another box", func(c *mailbox.Client) error {
		_, err := c.Deposit(mailbox.Address{Box: to.Box, Deposit: other.Address().Deposit}, [][]byte{{1}})
		return err
	})
	refused("acknowledge without a box", func(c *mailbox.Client) error { return c.Acknowledge(100) })
	refused("list without a box", func(c *mailbox.Client) error { _, err := c.Blobs(); return err })
	refused("offer with a wrong secret", func(c *mailbox.Client) error {
		return c.Offer(mailbox.Address{Box: to.Box}, []mailbox.Blob{{Length: 100}}, nil)
	})
	if err := d.visit("other", func(c *mailbox.Client) error {
		if _, _, err := c.Collect(other, 0); err != nil {
			return err
		}
		return c.Acknowledge(1 << 40) // its own box only
	}); err != nil {
		t.Error(err)
	}
	if err := d.visitAs("uninvited", false, func(c *mailbox.Client) error { return c.Open(mailbox.NewKey(wire.NewSecret())) }); !errors.Is(err, mailbox.ErrRefused) {
		t.Errorf("a box for somebody not allowed: %v", err)
	}
	if got := d.collect("owner", k, false); !same(got, []string{"\x01hers"}) {
		t.Errorf("collected %q", got)
	}
}

// TestReplay: what one session said is worth nothing in another.
func TestReplay(t *testing.T) {
	d := newDesk(t, store.Limits{})
	k := d.opened("owner")
	var said bytes.Buffer
	record := func(f func(c *mailbox.Client) error) []byte {
		said.Reset()
		here, there := net.Pipe()
		ends := mailbox.Ends{Client: "friend", Mailbox: "mailbox"}
		served := make(chan error, 1)
		go func() {
			served <- mailbox.Serve(context.Background(), there, mailbox.Config{Ends: ends, Store: d.Store, Clock: real{}, MayOpen: true})
		}()
		c, err := mailbox.Dial(t.Context(), tee{here, &said}, ends, real{}, "test")
		if err != nil {
			t.Fatal(err)
		}
		if err := f(c); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		<-served
		return bytes.Clone(said.Bytes())
	}
	deposit := record(func(c *mailbox.Client) error {
		_, err := c.Deposit(k.Address(), [][]byte{[]byte("\x01once")})
		return err
	})
	take := record(func(c *mailbox.Client) error {
		items, _, err := c.Collect(k, 0)
		if err != nil || len(items) != 1 {
			return fmt.Errorf("%d items, %w", len(items), err)
		}
		return c.Acknowledge(items[0].Cursor)
	})
	_, _ = d.deposit("friend", k.Address(), "\x01later")
	for _, b := range [][]byte{deposit, take} {
		here, there := net.Pipe()
		served := make(chan error, 1)
		go func() {
			served <- mailbox.Serve(context.Background(), there, mailbox.Config{
				Ends: mailbox.Ends{Client: "friend", Mailbox: "mailbox"}, Store: d.Store, Clock: real{}, MayOpen: true,
			})
		}()
		go func() { _, _ = io.Copy(io.Discard, here) }()
		_, _ = here.Write(b) // its last frame ends the session
		<-served
		_ = here.Close()
	}
	if got := d.collect("owner", k, false); !same(got, []string{"\x01later"}) {
		t.Errorf("collected %q", got)
	}
}

type tee struct {
	io.ReadWriteCloser
	w io.Writer
}

func (t tee) Write(b []byte) (int, error) {
	_, _ = t.w.Write(b)
	return t.ReadWriteCloser.Write(b)
}

func TestQuotas(t *testing.T) {
	d := newDesk(t, store.Limits{Boxes: 3, BoxesPerPeer: 2, ItemBytes: 40 << 20})
	k := d.opened("owner")
	d.opened("owner")
	open := func(who identity.PeerID) error {
		return d.visit(who, func(c *mailbox.Client) error { return c.Open(mailbox.NewKey(wire.NewSecret())) })
	}
	if err := open("owner"); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("a third box for one peer: %v", err)
	}
	if err := open("other"); err != nil {
		t.Error(err)
	}
	if err := open("another"); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("a fourth box: %v", err)
	}
	flood := func(who identity.PeerID, n int) int {
		kept := 0
		for i := range n {
			b := bytes.Repeat([]byte{1}, mailbox.ItemMax)
			copy(b[1:], fmt.Sprint(who, i))
			if d.Put(k.Address().Box, who, b) == nil {
				kept++
			}
		}
		return kept
	}
	each := mailbox.DepositorMax / mailbox.ItemMax
	if n := flood("flooder", each+10); n != each {
		t.Errorf("%d items of one depositor are kept, want %d", n, each)
	}
	if n, err := d.deposit("friend", k.Address(), "\x01small"); n != 1 || err != nil {
		t.Errorf("the flood keeps others out: %v", err)
	}
	if n := flood("second", each); n != each {
		t.Errorf("a second depositor: %d", n)
	}
	if n := flood("third", each); n >= each {
		t.Errorf("more than all boxes may take: %d", n)
	}
	if u := d.Usage(); u.ItemBytes > 40<<20 {
		t.Errorf("usage %+v", u)
	}
	if n := len(d.collect("owner", k, true)); n < 2*each {
		t.Errorf("collected %d", n)
	}
	if n, err := d.deposit("flooder", k.Address(), "\x01again"); n != 1 || err != nil {
		t.Errorf("no room after collecting: %v", err)
	}
	if err := d.visit("x", func(c *mailbox.Client) error {
		_, err := c.Deposit(k.Address(), [][]byte{make([]byte, mailbox.ItemMax+1)})
		return err
	}); err == nil {
		t.Error("an item of 192 KiB + 2 is kept")
	}
}

// study makes a sealed blob.
func study(seed uint64, size int) (mailbox.Blob, mailbox.Ranger) {
	plain := make([]byte, size)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range plain {
		plain[i] = byte(r.Uint32())
	}
	sealed, ref, leaves := seal.BlobRandom(seal.Document, plain)
	return mailbox.Blob{ID: ref.ID, Length: uint64(len(sealed))}, func(b mailbox.Blob, first, n int, _ []byte) ([]byte, [][32]byte, error) {
		off, span := blob.RangeSpan(b.Length, first, first+n)
		return sealed[off : off+span], blob.Prove(leaves, first, first+n), nil
	}
}

func TestBlobs(t *testing.T) {
	d := newDesk(t, store.Limits{BoxStudyBytes: 16 << 20, StudyBytes: 20 << 20})
	k := d.opened("owner")
	x, read := study(1, 3<<20)
	sent := 0
	count := func(b mailbox.Blob, first, n int, buf []byte) ([]byte, [][32]byte, error) {
		if sent++; sent > 1 {
			return nil, nil, errors.New("the cable is out")
		}
		return read(b, first, n, buf)
	}
	if err := d.visit("friend", func(c *mailbox.Client) error { return c.Offer(k.Address(), []mailbox.Blob{x}, count) }); err == nil {
		t.Fatal("half an offer is kept")
	}
	list := func() (out []mailbox.Blob) {
		err := d.visit("owner", func(c *mailbox.Client) error {
			if _, _, err := c.Collect(k, 0); err != nil {
				return err
			}
			var err error
			out, err = c.Blobs()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := list(); len(got) != 0 {
		t.Errorf("a half blob is listed: %v", got)
	}
	d.restart()
	ranges := 0
	resumed := func(b mailbox.Blob, first, n int, buf []byte) ([]byte, [][32]byte, error) {
		ranges++
		return read(b, first, n, buf)
	}
	if err := d.visit("friend", func(c *mailbox.Client) error { return c.Offer(k.Address(), []mailbox.Blob{x}, resumed) }); err != nil {
		t.Fatal(err)
	}
	if ranges > 3 {
		t.Errorf("%d ranges were sent for what was missing", ranges)
	}
	if got := list(); len(got) != 1 || got[0] != x {
		t.Errorf("listed %v", got)
	}
	fetched := 0
	err := d.visit("owner", func(c *mailbox.Client) error {
		if _, _, err := c.Collect(k, 0); err != nil {
			return err
		}
		var ws []mailbox.Want
		for first := 0; first < blob.LeafCount(x.Length); first += 16 {
			ws = append(ws, mailbox.Want{Blob: x, First: first, N: min(16, blob.LeafCount(x.Length)-first)})
		}
		if err := c.Fetch(ws, func(_ mailbox.Want, data []byte, _ [][32]byte) error { fetched += len(data); return nil }); err != nil {
			return err
		}
		return c.Forget([]blob.ID{x.ID})
	})
	if err != nil || fetched != int(x.Length) {
		t.Errorf("fetched %d of %d, %v", fetched, x.Length, err)
	}
	if u := d.Usage(); u.Blobs != 0 || u.StudyBytes != 0 {
		t.Errorf("usage %+v", u)
	}
	// Quotas: a depositor has half of a box, all boxes have their sum.
	big, _ := study(2, 9<<20)
	if err := d.visit("friend", func(c *mailbox.Client) error { return c.Offer(k.Address(), []mailbox.Blob{big}, read) }); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("more than half of a box: %v", err)
	}
	// Another's blob is not read by who owns some box.
	y, readY := study(3, 100)
	if err := d.visit("friend", func(c *mailbox.Client) error { return c.Offer(k.Address(), []mailbox.Blob{y}, readY) }); err != nil {
		t.Fatal(err)
	}
	other := d.opened("other")
	err = d.visit("other", func(c *mailbox.Client) error {
		if _, _, err := c.Collect(other, 0); err != nil {
			return err
		}
		return c.Fetch([]mailbox.Want{{Blob: y, N: 1}}, func(mailbox.Want, []byte, [][32]byte) error { t.Error("read another's blob"); return nil })
	})
	if err != nil {
		t.Error(err)
	}
	// A lie about a length bars nobody, and room that is not used comes back.
	z, readZ := study(4, 200<<10)
	lie := mailbox.Blob{ID: z.ID, Length: blob.SealedLen(1 << 20)}
	zeros := func(b mailbox.Blob, first, n int, _ []byte) ([]byte, [][32]byte, error) {
		_, span := blob.RangeSpan(b.Length, first, first+n)
		return make([]byte, span), nil, nil
	}
	if err := d.visit("liar", func(c *mailbox.Client) error { return c.Offer(other.Address(), []mailbox.Blob{lie}, zeros) }); err == nil {
		t.Error("a wrong length is kept")
	}
	if err := d.visit("friend", func(c *mailbox.Client) error { return c.Offer(k.Address(), []mailbox.Blob{z}, readZ) }); err != nil {
		t.Errorf("after a lie: %v", err)
	}
	d.pass(25 * time.Hour)
	d.Sweep()
	d.restart()
	if got := list(); len(got) != 2 {
		t.Errorf("listed %v", got)
	}
	d.pass(30 * day)
	d.Sweep()
	if u := d.Usage(); u.Blobs != 0 || u.StudyBytes != 0 {
		t.Errorf("usage %+v", u)
	}
}

// TestCrash: at every write and sync the medium may stop. What was answered as kept is
// there after it, and nothing that was not deposited.
func TestCrash(t *testing.T) {
	for stop := 1; stop < 40; stop++ {
		d := &desk{tb: t, dir: t.TempDir(), now: time.Unix(1e9, 0)}
		ops := 0
		boom := errors.New("power cut")
		fails := func() error {
			if ops++; ops >= stop {
				return boom
			}
			return nil
		}
		d.disk = &durable.Disk{
			Write: func(_ string, n int) (int, error) { return n / 2, fails() },
			Sync:  func(string) error { return fails() },
		}
		s, err := store.OpenOn(d.disk, d.dir, d.limits, func() time.Time { return d.now })
		k := mailbox.NewKey(wire.NewSecret())
		opened, kept := false, []string{}
		if err == nil {
			opened = s.Open("owner", k.Public(), k.Address().Deposit) == nil
			for i := range 4 {
				it := fmt.Sprint("\x01item", i)
				if s.Put(k.Address().Box, "friend", []byte(it)) == nil {
					kept = append(kept, it)
				}
			}
			_ = s.Close()
		}
		d.disk = nil
		d.open()
		if _, ok := d.Secret(k.Address().Box); opened && !ok {
			t.Errorf("stop at %d: an opened box is gone", stop)
		}
		items, _, err := d.Items(k.Address().Box, 0, 1<<20)
		if len(kept) > 0 && err != nil {
			t.Errorf("stop at %d: %v", stop, err)
		}
		for i, it := range kept {
			if i >= len(items) || string(items[i].Item) != it {
				t.Errorf("stop at %d: kept %q, there is %d", stop, it, len(items))
				break
			}
		}
		_ = d.Close()
	}
}

func TestRot(t *testing.T) {
	d := newDesk(t, store.Limits{})
	k := d.opened("owner")
	_, _ = d.deposit("friend", k.Address(), "\x01first", "\x01second")
	files, err := filepath.Glob(filepath.Join(d.dir, "boxes", "*", "000*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(files[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	rotten := 0
	d.Check(func(mailbox.BoxID, uint64) { rotten++ })
	if rotten != 1 {
		t.Errorf("Check reports %d", rotten)
	}
	if got := d.collect("owner", k, false); !same(got, []string{"\x01second"}) {
		t.Errorf("collected %q", got)
	}
}
