package exchange_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// hostile is a contact and fellow member that has proven its device, and speaks by hand.
type hostile struct {
	t      *testing.T
	victim *exchangetest.Local
	conn   net.Conn
	id     ledger.ThreadID
	tag    [16]byte
	blob   blob.ID
	length uint64
	err    error         // how the victim's session ended
	ended  chan struct{} // err is there
}

// send writes until the victim has had enough.
func (h *hostile) send(frame []byte) bool {
	_, err := h.conn.Write(frame)
	return err == nil
}

// flood sends a frame over and over, at most so many bytes.
func (h *hostile) flood(bytes int, frame func(i int) []byte) {
	for i, sent := 0, 0; sent < bytes/floodShare; i++ {
		f := frame(i)
		if !h.send(f) {
			return
		}
		sent += len(f)
	}
}

// Attacks of a member, one each: the node stays up, memory stays bounded, and somebody else is
// served meanwhile. Deaf ones do not read what they are answered.
var attacks = []struct {
	name string
	deaf bool
	do   func(h *hostile)
	ends error // what ends the session; nil: it may go on
}{
	{"oversized frame", false, func(h *hostile) { h.send([]byte{0xff, 0xff, 0xff, 0xff, 9}) }, exchange.ErrProtocol},
	{"frame a byte too long", false, func(h *hostile) {
		n := exchange.FrameMax + 1
		h.send([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 9})
	}, exchange.ErrProtocol},
	{"frames that are no frames", false, func(h *hostile) {
		h.flood(1<<20, func(i int) []byte { return []byte{0, 0, 0, 3, byte(1 + i%17), 0xff, 0xff} })
	}, exchange.ErrProtocol},
	{"unknown frames", false, func(h *hostile) {
		h.flood(32<<20, func(int) []byte { return append([]byte{0, 0x10, 0, 0, 200}, make([]byte, 1<<20-1)...) })
	}, nil},
	{"wants", false, func(h *hostile) { h.flood(1<<20, h.wants) }, nil},
	{"wants, deaf", true, func(h *hostile) { h.flood(24<<20, h.wants) }, errAny},
	{"wants of what is not there", false, func(h *hostile) {
		h.flood(256<<10, func(i int) []byte {
			return exchange.Encode(exchange.FrameWant, []exchange.WantRow{{Request: uint64(i + 1), Blob: blob.ID{byte(i)}, Length: h.length, Leaves: 1}})
		})
	}, nil},
	{"wants and cancels", true, func(h *hostile) {
		h.flood(8<<20, func(i int) []byte {
			w := exchange.Encode(exchange.FrameWant, []exchange.WantRow{{Request: uint64(i + 1), Blob: h.blob, Length: h.length, Leaves: 1}})
			return append(w, exchange.Encode(exchange.FrameCancel, []uint64{uint64(i + 1)})...)
		})
	}, errAny},
	{"wants beyond the blob", false, func(h *hostile) {
		h.send(exchange.Encode(exchange.FrameWant, slices.Repeat([]exchange.WantRow{{Request: 1, Blob: h.blob, Length: h.length, First: 1 << 40, Leaves: 16}}, 4)))
	}, exchange.ErrProtocol},
	{"needs, deaf", true, func(h *hostile) {
		h.flood(2<<20, func(i int) []byte {
			n := exchange.NeedBody{Tag: h.tag}
			for j := range 512 {
				n.Entries = append(n.Entries, ledger.EntryID{byte(i), byte(j), byte(j >> 8)})
			}
			n.Chains = []ledger.ChainNeed{{Device: h.victim.Device.ID(), Chain: ledger.Content, From: 1}}
			return exchange.Encode(exchange.FrameNeed, n)
		})
	}, errAny},
	{"rows", false, func(h *hostile) {
		h.flood(64<<10, func(int) []byte {
			return exchange.Encode(exchange.FrameRows, exchange.RowsBody{Tag: h.tag, Rows: []ledger.Row{}})
		})
	}, nil},
	{"rows, deaf", true, func(h *hostile) {
		h.flood(128<<10, func(int) []byte {
			return exchange.Encode(exchange.FrameRows, exchange.RowsBody{Tag: h.tag, Rows: []ledger.Row{}})
		})
	}, errAny},
	{"rows of nobody", false, func(h *hostile) {
		h.flood(1<<20, func(i int) []byte {
			return exchange.Encode(exchange.FrameRows, exchange.RowsBody{Tag: [16]byte{byte(i)}, Rows: []ledger.Row{}})
		})
	}, exchange.ErrProtocol},
	{"threads", false, func(h *hostile) {
		h.flood(32<<20, func(i int) []byte {
			var as []exchange.Announcement
			for j := range 4000 {
				as = append(as, exchange.Announcement{Tag: [16]byte{byte(i), byte(i >> 8), byte(j), byte(j >> 8)}})
			}
			return exchange.Encode(exchange.FrameThreads, as)
		})
	}, exchange.ErrProtocol},
	{"haves", false, func(h *hostile) {
		h.flood(64<<20, func(i int) []byte {
			return exchange.Encode(exchange.FrameHave, exchange.HaveBody{Tag: h.tag, Manifest: blob.ID{byte(i), byte(i >> 8)}, Bitmap: make([]byte, 20_000)})
		})
	}, nil},
	{"haves of threads to come", false, func(h *hostile) {
		h.flood(64<<20, func(i int) []byte {
			g := [16]byte{byte(i), byte(i >> 8), 7}
			return append(exchange.Encode(exchange.FrameThreads, []exchange.Announcement{{Tag: g}}),
				exchange.Encode(exchange.FrameHave, exchange.HaveBody{Tag: g, Manifest: blob.ID{1}, Bitmap: make([]byte, 20_000)})...)
		})
	}, nil},
	{"entries that are none", false, func(h *hostile) {
		h.flood(1<<20, func(int) []byte {
			return exchange.Encode(exchange.FrameEntries, exchange.EntriesBody{Tag: h.tag, Items: slices.Repeat([][]byte{make([]byte, 1000)}, 100), More: 1})
		})
	}, nil},
	{"entries replayed", false, func(h *hostile) {
		again := h.victim.Missing(h.id, nil)
		h.flood(1<<20, func(int) []byte {
			return exchange.Encode(exchange.FrameEntries, exchange.EntriesBody{Tag: h.tag, Items: slices.Repeat(again, 20), More: 1})
		})
	}, nil},
	{"ranges nobody asked for", false, func(h *hostile) {
		h.flood(64<<20, func(i int) []byte {
			return exchange.EncodeRange(uint64(i+1), exchange.Want{Blob: h.blob, Length: h.length, N: 1}, make([]byte, 56), nil)
		})
	}, exchange.ErrProtocol},
	{"ranges unasked", false, func(h *hostile) {
		h.flood(32<<20, func(int) []byte {
			return exchange.EncodeRange(0, exchange.Want{Blob: h.blob, Length: h.length, N: 1}, make([]byte, 1<<20), nil)
		})
	}, nil},
	{"slow reads", true, func(h *hostile) {
		h.flood(1<<20, h.wants)
		one := make([]byte, 1)
		for {
			time.Sleep(time.Second)
			if _, err := h.conn.Read(one); err != nil {
				return
			}
		}
	}, errAny},
}

// wants asks for all of the blob, a frame at a time.
func (h *hostile) wants(i int) []byte {
	var rows []exchange.WantRow
	for j := range 256 {
		rows = append(rows, exchange.WantRow{Request: uint64(i*256 + j + 1), Priority: 3, Blob: h.blob, Length: h.length, First: 1, Leaves: 16})
	}
	return exchange.Encode(exchange.FrameWant, rows)
}

// errAny stands for whatever ends a session with a peer that does not read.
var errAny = errors.New("any")

func TestHostile(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testHostile(t, a.deaf, a.do, a.ends) })
		})
	}
}

// attackMemory is what one attack may cost, the garbage collector's leisure included.
const attackMemory = 48 << 20

func testHostile(t *testing.T, deaf bool, attack func(*hostile), ends error) {
	victim, bad, good := exchangetest.New(t), exchangetest.New(t), exchangetest.New(t)
	exchangetest.Befriend(victim, bad)
	exchangetest.Befriend(victim, good)
	h := &hostile{t: t, victim: victim, id: victim.Found("case", bad, good), ended: make(chan struct{})}
	good.Claim(h.id, victim, bad, good)
	h.blob, h.length = victim.Offer(h.id, 1, 2<<20)
	for range 50 {
		victim.Say(h.id, "of everybody")
	}
	mine, theirs := net.Pipe()
	h.conn = theirs
	cfg := exchange.Config{Self: peerA, Peer: "hostile", Local: victim, Clock: exchangetest.Clock{}}
	s := exchange.New(cfg)
	go func() {
		h.err = s.Run(t.Context(), mine)
		close(h.ended)
	}()
	text, err := exchange.Greet(theirs, exchange.Config{Initiator: true, Self: "hostile", Peer: peerA}, bad.Device)
	if err != nil {
		t.Fatal(err)
	}
	h.tag = exchange.TagOf(text, h.id)
	before := heap()
	if deaf {
		// It reads until it has the thread, or it could not do much.
		for range 3 {
			if _, _, err := exchange.ReadRaw(theirs); err != nil {
				t.Fatal(err)
			}
		}
	} else {
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
	}
	synctest.Wait()
	done := make(chan struct{})
	go func() {
		defer close(done)
		attack(h)
	}()

	// Meanwhile somebody honest gets a blob and says something.
	l := connectAs(t, identity.PeerID("honest"), victim, good)
	begun := time.Now()
	got := make(chan blob.ID, 1)
	good.OnStore = func(x blob.ID) { got <- x }
	good.Plan.Add(exchange.Goal{Thread: h.id, Blob: h.blob, Length: h.length, Priority: 3})
	l.b.Wanted()
	<-got
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("somebody else waited %v", d)
	}
	if grown := heap() - before; grown > attackMemory {
		t.Errorf("%d MB more in use during the attack", grown>>20)
	}
	if ends != nil {
		<-h.ended
		if h.err == nil || !errors.Is(ends, errAny) && !errors.Is(h.err, ends) {
			t.Errorf("ended with %v", h.err)
		}
	} else {
		<-done
		synctest.Wait()
	}
	if grown := heap() - before; grown > attackMemory {
		t.Errorf("%d MB more in use after it", grown>>20)
	}
	if n := victim.Count(h.id); n != 51 {
		t.Errorf("%d entries", n)
	}
	_ = theirs.Close()
	<-done
	<-h.ended
	l.close()
}

// heap is what is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestHeardIsBounded: a peer's haves cost no more than is said, whatever it announces.
func TestHeardIsBounded(t *testing.T) {
	p := exchange.NewPlan()
	peer := exchange.Peer{ID: peerA}
	before := heap()
	for i := range 4000 {
		p.Heard(peer, exchange.Have{Manifest: blob.ID{byte(i), byte(i >> 8)}, Bitmap: bytes.Repeat([]byte{255}, 20_000)}, time.Time{})
	}
	if grown := heap() - before; grown > 2*exchange.HeardMax {
		t.Errorf("%d bytes", grown)
	}
	p.Down(peerA)
	if grown := heap() - before; grown > exchange.HeardMax/2 {
		t.Errorf("%d bytes after it went", grown)
	}
}
