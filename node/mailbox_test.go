package node_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/node/relay"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/storage/mailbox"
)

// post is a relay with mailboxes, whose clock can be moved.
type post struct {
	t     *testing.T
	dir   string
	addr  string
	log   logBuffer
	store *mailbox.Store
	stop  func()

	mu   sync.Mutex
	late time.Duration
	seen bytes.Buffer // all that any stream of the relay's services carried
}

func (p *post) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.late)
}

func (p *post) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late += d
}

func (p *post) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.Write(b)
}

// office starts a relay.
func office(t *testing.T) *post {
	t.Helper()
	p := &post{t: t, dir: t.TempDir()}
	key, err := peering.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if p.store, err = mailbox.Open(p.dir, mailbox.Limits{}, p.now); err != nil {
		t.Fatal(err)
	}
	n, err := relay.New(relay.Config{
		Key: key, Listen: []string{loopback}, Private: true, NoDHT: true, Mailbox: p.store,
		Log:     slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Through: func(h host.Host) host.Host { return tapped{h, p} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan []string, 1), make(chan error, 1)
	go func() { done <- n.Run(ctx, func(addrs []string) { ready <- addrs }) }()
	select {
	case addrs := <-ready:
		p.addr = addrs[0]
	case err := <-done:
		t.Fatal(err)
	}
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// tapped is a host whose streams are recorded, both ways.
type tapped struct {
	host.Host
	to *post
}

func (h tapped) SetStreamHandler(id protocol.ID, f network.StreamHandler) {
	h.Host.SetStreamHandler(id, func(s network.Stream) { f(tappedStream{s, h.to}) })
}

func (h tapped) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	s, err := h.Host.NewStream(ctx, p, ids...)
	if err != nil {
		return nil, err
	}
	return tappedStream{s, h.to}, nil
}

type tappedStream struct {
	network.Stream
	to *post
}

func (s tappedStream) Read(b []byte) (int, error) {
	n, err := s.Stream.Read(b)
	_, _ = s.to.Write(b[:n])
	return n, err
}

func (s tappedStream) Write(b []byte) (int, error) {
	_, _ = s.to.Write(b)
	return s.Stream.Write(b)
}

// mailing makes a home whose node has its boxes at a relay, and serves.
func mailing(t *testing.T, name string, at *post) *clinic {
	t.Helper()
	p := found(t, name)
	p.down()
	p.config.Relays, p.config.MailboxStudies = []string{at.addr}, true
	p.serve()
	p.eventually(func() string {
		if !strings.Contains(string(p.log.bytes()), "reserved=true") || len(call(p, control.GetCard, control.CardRequest{NoInvite: true}).Addresses) < 2 {
			return "no reservation"
		}
		return ""
	})
	return p
}

// boxed waits until there are so many boxes.
func (p *post) boxed(n int) {
	p.t.Helper()
	for end := time.Now().Add(patience); p.store.Usage().Boxes < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%d boxes", p.store.Usage().Boxes)
		}
	}
}

// posted waits until a case waits in a mailbox, and its images too.
func (p *clinic) posted(id string, at *post, blobs int) {
	p.t.Helper()
	p.eventually(func() string {
		if n := at.store.Usage().Blobs; n < blobs {
			return fmt.Sprintf("%d blobs", n)
		}
		for _, tr := range call(p, control.TransferList, control.None{}) {
			if tr.Case == id && tr.State == "waiting in a mailbox" {
				return ""
			}
		}
		return "not in a mailbox"
	})
}

// TestMailbox: the recipient is down when the case is sent, the sender is down when the
// recipient returns; the case, its messages and all images come from the mailbox. The answer
// goes back the same way. What is left of it at the mailbox is nothing.
func TestMailbox(t *testing.T) {
	t.Parallel()
	at := office(t)
	a, b := mailing(t, "Ask", at), mailing(t, "Answer", at)
	at.boxed(2)
	befriend(a, b)
	knows(a, b)
	b.down()
	id := a.ask(a.take(small(21)), "what is it?", "Answer")
	a.says(id, "it hurts")
	a.posted(id, at, 9)
	a.down()

	b.serve()
	b.complete(id)
	b.reads(id, "it hurts")
	b.says(id, "a fracture")
	b.eventually(func() string { // its own answers and receipts wait for the sender
		if at.store.Usage().Blobs > 0 {
			return "images are still at the mailbox"
		}
		if at.store.Usage().Items == 0 {
			return "nothing waits"
		}
		return ""
	})
	b.eventually(func() string {
		if strings.Contains(string(b.log.bytes()), "ALARM") {
			return "alarm"
		}
		return ""
	})
	time.Sleep(2 * time.Second) // what follows the answer, receipts, is posted and deposited too
	b.down()

	a.serve()
	a.reads(id, "a fracture")
	a.eventually(func() string {
		if n := at.store.Usage().Items; n > 0 {
			return fmt.Sprintf("%d items are left", n)
		}
		return ""
	})
	b.serve()
	agree(id, a, b)
}

// knows waits until both know each other's boxes: a card says them.
func knows(a, b *clinic) {
	a.t.Helper()
	for _, p := range []*clinic{a, b} {
		p.eventually(func() string {
			for _, c := range call(p, control.ContactList, control.None{}) {
				if !c.Online {
					return "contact is not online"
				}
			}
			return ""
		})
	}
}

// TestMailboxJoin: an invite is used while its maker is away, and the contact comes about by
// mailbox alone.
func TestMailboxJoin(t *testing.T) {
	t.Parallel()
	at := office(t)
	a, b := mailing(t, "Ask", at), mailing(t, "Answer", at)
	at.boxed(2)
	link := ""
	b.eventually(func() string {
		link = b.invite()
		inv, err := identity.ParseInvite(link)
		if err != nil || len(inv.Boxes) != 1 {
			return "the invite names no box"
		}
		return ""
	})
	b.down()
	c, err := control.ContactAdd.Call(a.ctx(), a.c, control.ContactAddRequest{Link: link, Timeout: time.Second})
	if err != nil || c.Trust != "pending" {
		t.Fatalf("%+v, %v", c, err)
	}
	a.eventually(func() string {
		if at.store.Usage().Items == 0 {
			return "no Join waits"
		}
		return ""
	})
	a.down()
	hers := boxesWithItems(at)[0]
	b.serve()
	b.eventually(func() string {
		if l := call(b, control.ContactList, control.None{}); len(l) != 1 || l[0].Trust != "invited" || l[0].Name != "Ask" {
			return fmt.Sprintf("contacts %+v", l)
		}
		if len(boxesWithItems(at)) == 0 || boxesWithItems(at)[0] == hers {
			return "no Accept waits"
		}
		return ""
	})
	b.down()
	a.serve()
	a.eventually(func() string {
		if l := call(a, control.ContactList, control.None{}); len(l) != 1 || l[0].Trust != "invited" || l[0].Name != "Answer" {
			return fmt.Sprintf("contacts %+v", l)
		}
		return ""
	})
}

// boxesWithItems lists the boxes in which something waits.
func boxesWithItems(at *post) (out []string) {
	files, _ := filepath.Glob(filepath.Join(at.dir, "boxes", "*", strings.Repeat("[0-9a-f]", 16)))
	for _, f := range files {
		if box := filepath.Dir(f); !slices.Contains(out, box) {
			out = append(out, box)
		}
	}
	return out
}

// TestMailboxExpires: what nobody collected for 30 days is gone from the mailbox, and comes
// from the sender once both are there.
func TestMailboxExpires(t *testing.T) {
	t.Parallel()
	at := office(t)
	a, b := mailing(t, "Ask", at), mailing(t, "Answer", at)
	at.boxed(2)
	befriend(a, b)
	knows(a, b)
	b.down()
	id := a.ask(a.take(small(22)), "what is it?", "Answer")
	a.posted(id, at, 9)
	a.down()
	at.pass(31 * 24 * time.Hour)
	at.store.Sweep()
	if u := at.store.Usage(); u.Items != 0 || u.Blobs != 0 || u.Boxes != 2 {
		t.Errorf("after 31 days: %+v", u)
	}
	b.serve()
	a.serve()
	b.complete(id)
	agree(id, a, b)
}

// TestRelayView dumps what a relay sees and stores while a case goes through it, by mailbox
// and by circuit, and looks for everything that FORMATS §13 says it does not get.
func TestRelayView(t *testing.T) {
	t.Parallel()
	at := office(t)
	a, b := mailing(t, "Zanzibar Clinic", at), mailing(t, "Quito Reader", at)
	at.boxed(2)
	befriend(a, b)
	knows(a, b)
	b.down()
	o := small(23)
	o.PatientName, o.PatientID = "CANARY^PATIENT", "CANARY-ID-4711"
	id := a.ask(a.take(o), "CANARY question text", "Quito Reader")
	a.says(id, "CANARY message text")
	a.posted(id, at, 9)
	var stored bytes.Buffer
	_ = filepath.WalkDir(at.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			stored.WriteString(path)
		}
		if err == nil && !e.IsDir() {
			raw, _ := os.ReadFile(path)
			stored.Write(raw)
		}
		return nil
	})
	b.serve()
	b.complete(id)
	b.says(id, "CANARY answer text")
	a.reads(id, "CANARY answer text")
	me, you := call(a, control.GetCard, control.CardRequest{NoInvite: true}), call(b, control.GetCard, control.CardRequest{NoInvite: true})
	at.stop()

	view := map[string][]byte{"streams": at.seen.Bytes(), "disk": stored.Bytes(), "log": at.log.bytes()}
	if len(view["streams"]) < 10_000 || len(view["disk"]) < 10_000 || len(view["log"]) == 0 {
		t.Fatalf("the dump is too small to prove anything: %d, %d, %d bytes", len(view["streams"]), len(view["disk"]), len(view["log"]))
	}
	secrets := map[string]string{
		"patient's name": "CANARY^PATIENT", "patient's id": "CANARY-ID-4711", "question": "CANARY question", "message": "CANARY message",
		"answer": "CANARY answer", "any canary": "CANARY", "a name": "Zanzibar", "another name": "Quito", "case": id, "person": me.Person, "other person": you.Person,
	}
	for what, s := range secrets {
		forms := [][]byte{[]byte(s)}
		if raw, err := hex.DecodeString(s); err == nil {
			forms = append(forms, raw, raw[:16])
		}
		for _, f := range forms {
			for where, dump := range view {
				if bytes.Contains(dump, f) {
					t.Errorf("the relay's %s show the %s", where, what)
				}
			}
		}
	}
	// And what it does see is what the threat model says.
	if !bytes.Contains(view["log"], []byte("peer=12D3")) {
		t.Error("the log shows no PeerID: is it the relay's?")
	}
}

// TestMailboxAtColleague: an always-on colleague's node is the mailbox, no relay anywhere.
func TestMailboxAtColleague(t *testing.T) {
	t.Parallel()
	host := found(t, "Host")
	host.down()
	host.config.MailboxForContacts = true
	host.serve()
	a, b := serving(t, "Ask"), serving(t, "Answer")
	for _, p := range []*clinic{a, b} {
		befriend(p, host)
		addr := call(host, control.GetCard, control.CardRequest{NoInvite: true}).Addresses[0]
		p.down()
		p.config.Mailboxes, p.config.MailboxStudies = []string{addr}, true
		p.serve()
	}
	a.eventually(func() string {
		if n, _ := filepath.Glob(filepath.Join(host.home, "mailbox", "boxes", "*", "box")); len(n) < 2 {
			return fmt.Sprintf("%d boxes", len(n))
		}
		return ""
	})
	befriend(a, b)
	b.eventually(func() string {
		if c := call(b, control.ContactList, control.None{}); len(c) != 2 || !c[0].Online || !c[1].Online {
			return "not online"
		}
		return ""
	})
	b.down()
	id := a.ask(a.take(phantom.Options{Seed: 24, Slices: 2, Side: 64}), "what is it?", "Answer")
	a.eventually(func() string {
		for _, tr := range call(a, control.TransferList, control.None{}) {
			if tr.Case == id && tr.State == "waiting in a mailbox" {
				if n, _ := filepath.Glob(filepath.Join(host.home, "mailbox", "blobs", "*", "*")); len(n) >= 5 {
					return ""
				}
			}
		}
		return "not in the mailbox"
	})
	a.down()
	b.serve()
	b.complete(id)
}
