package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
)

const loopback = "/ip4/127.0.0.1/tcp/0"

// patience bounds every wait: tests run beside others on two cores.
const patience = 30 * time.Second

// clinic is one home with, while it is up, a node.
type clinic struct {
	t      *testing.T
	name   string
	home   string
	config node.Config
	log    *logBuffer
	n      *node.Node
	c      *control.Client
	stop   context.CancelFunc
	done   chan error
}

// logBuffer keeps all that a node logs, at the lowest level.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// found makes a home with one person. Nothing runs yet.
func found(t *testing.T, name string) *clinic {
	t.Helper()
	p := empty(t, name)
	call(p, control.PersonAdd, control.PersonAddRequest{Name: name, NoPassphrase: true})
	return p
}

// empty makes a home with nobody in it.
func empty(t *testing.T, name string) *clinic {
	t.Helper()
	home := t.TempDir()
	log := &logBuffer{}
	p := &clinic{t: t, name: name, home: home, log: log, config: node.Config{
		Home: home, Listen: []string{loopback}, NoDHT: true, NoMDNS: true, Version: "test", PassphraseKiB: 64 << 10,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}}
	t.Cleanup(func() {
		p.down()
		if t.Failed() {
			b := log.bytes()
			t.Logf("log of %s, end:\n%s", name, b[max(0, len(b)-4000):])
		}
	})
	p.open()
	return p
}

// join makes a home and lets it serve.
func serving(t *testing.T, name string) *clinic {
	t.Helper()
	p := found(t, name)
	p.serve()
	return p
}

func (p *clinic) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p.t.Cleanup(cancel)
	return ctx
}

// open opens the home as a command without a node does.
func (p *clinic) open() {
	p.t.Helper()
	n, err := node.Open(p.ctx(), p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	p.n, p.c = n, control.InProcess(n.Handler())
}

// serve starts the network.
func (p *clinic) serve() {
	p.t.Helper()
	if p.n == nil {
		p.open()
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop, p.done = cancel, make(chan error, 1)
	ready := make(chan struct{})
	go func() { p.done <- p.n.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-p.done:
		p.t.Fatalf("%s does not run: %v", p.name, err)
	case <-time.After(patience):
		p.t.Fatalf("%s does not become ready", p.name)
	}
}

// down stops and closes the node.
func (p *clinic) down() {
	p.t.Helper()
	if p.stop != nil {
		p.stop()
		select {
		case err := <-p.done:
			if err != nil && !errors.Is(err, context.Canceled) {
				p.t.Errorf("%s stopped: %v", p.name, err)
			}
		case <-time.After(patience):
			p.t.Errorf("%s does not stop", p.name)
		}
		p.stop = nil
	}
	if p.n != nil {
		if err := p.n.Close(); err != nil {
			p.t.Errorf("%s closed: %v", p.name, err)
		}
		p.n = nil
	}
}

// call runs a use case that must succeed.
func call[Req, Res any](p *clinic, op control.Op[Req, Res], req Req) Res {
	p.t.Helper()
	res, err := op.Call(p.ctx(), p.c, req)
	if err != nil {
		e := control.AsError(err)
		p.t.Fatalf("%s: %s: %v (%s)", p.name, string(op), e.Message, e.Hint)
	}
	return res
}

// refused runs a use case that must fail with a code.
func refused[Req, Res any](p *clinic, op control.Op[Req, Res], req Req, code control.Code) *control.Error {
	p.t.Helper()
	_, err := op.Call(p.ctx(), p.c, req)
	if err == nil {
		p.t.Fatalf("%s: %s was not refused", p.name, string(op))
	}
	e := control.AsError(err)
	if e.Code != code {
		p.t.Fatalf("%s: %s: code %s, want %s: %s", p.name, string(op), e.Code, code, e.Message)
	}
	return e
}

// invite gives a fresh link.
func (p *clinic) invite() string {
	p.t.Helper()
	return *call(p, control.GetCard, control.CardRequest{}).Invite
}

// befriend makes contacts of two that serve.
func befriend(a, b *clinic) {
	a.t.Helper()
	c := call(a, control.ContactAdd, control.ContactAddRequest{Link: b.invite()})
	if c.Trust != "invited" || c.Name != b.name {
		a.t.Fatalf("%s has %s as %q, trust %s", a.name, b.name, c.Name, c.Trust)
	}
}

// take imports a phantom and gives the study's id.
func (p *clinic) take(o phantom.Options) string {
	p.t.Helper()
	dir := p.t.TempDir()
	for i, f := range phantom.CT(o).Files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.dcm", i)), f, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	var res *control.ImportResult
	err := control.Import.Call(p.ctx(), p.c, control.ImportRequest{Paths: []string{dir}}, func(e control.ImportEvent) error {
		if e.Result != nil {
			res = e.Result
		}
		return nil
	})
	if err != nil || res == nil || len(res.Studies) != 1 || len(res.Refused) > 0 {
		p.t.Fatalf("%s imports: %+v, %v", p.name, res, err)
	}
	return res.Studies[0].Study
}

// ask opens a case.
func (p *clinic) ask(study, question string, to ...string) string {
	p.t.Helper()
	return call(p, control.Request, control.NewCase{Studies: []string{study}, To: to, Question: question, Identified: true}).Case
}

// eventually waits until f holds; f says what is not so yet.
func (p *clinic) eventually(f func() string) {
	p.t.Helper()
	end := time.Now().Add(patience)
	why := f()
	for why != "" {
		if time.Now().After(end) {
			p.t.Fatalf("%s: not within %s: %s", p.name, patience, why)
		}
		time.Sleep(20 * time.Millisecond)
		why = f()
	}
}

// show gives a case, or nil where it is not there.
func (p *clinic) show(id string) *control.CaseDetail {
	c, err := control.CaseShow.Call(p.ctx(), p.c, control.CaseShowRequest{Case: id})
	if err != nil {
		return nil
	}
	return &c
}

// complete waits until the case and all its images are here.
func (p *clinic) complete(id string) {
	p.t.Helper()
	p.eventually(func() string {
		c := p.show(id)
		if c == nil {
			return "case not here"
		}
		if len(c.Studies) == 0 {
			return "no study"
		}
		for _, s := range c.Studies {
			if s.StudyUID == "" || s.Present < s.Listed || s.Listed == 0 {
				return fmt.Sprintf("%d of %d images", s.Present, s.Listed)
			}
		}
		return ""
	})
}

func (p *clinic) entry(id, text string) *control.Entry {
	c := p.show(id)
	if c == nil {
		return nil
	}
	for i := range c.Entries {
		if c.Entries[i].Text == text {
			return &c.Entries[i]
		}
	}
	return nil
}

// reads waits until a message is here.
func (p *clinic) reads(id, text string) control.Entry {
	p.t.Helper()
	var e *control.Entry
	p.eventually(func() string {
		if e = p.entry(id, text); e == nil {
			return "message " + text + " not here"
		}
		return ""
	})
	return *e
}

func (p *clinic) says(id, text string) string {
	p.t.Helper()
	return call(p, control.CaseReply, control.CaseReplyRequest{Case: id, Text: text}).Entry
}

// posts writes a message, unless this node knows that its person was removed.
func (p *clinic) posts(id, text string) (entry string, removed bool) {
	p.t.Helper()
	e, err := control.CaseReply.Call(p.ctx(), p.c, control.CaseReplyRequest{Case: id, Text: text})
	if err == nil {
		return e.Entry, false
	}
	for _, m := range p.show(id).Members {
		if m.Name == p.name && m.Role == "removed" {
			return "", true
		}
	}
	p.t.Fatalf("%s: case/reply: %v", p.name, err)
	return "", false
}

// hash is the state of a case.
func (p *clinic) hash(id string) string {
	p.t.Helper()
	hash := ""
	err := control.CaseHistory.Call(p.ctx(), p.c, control.CaseRequest{Case: id}, func(e control.HistoryEvent) error {
		if e.StateHash != nil {
			hash = *e.StateHash
		}
		return nil
	})
	if err != nil || hash == "" {
		p.t.Fatalf("%s: history: %v", p.name, err)
	}
	return hash
}

// agree waits until all have the same state of a case.
func agree(id string, all ...*clinic) {
	all[0].t.Helper()
	all[0].eventually(func() string {
		want := all[0].hash(id)
		for _, p := range all[1:] {
			if p.show(id) == nil {
				return p.name + " does not have it"
			}
			if p.hash(id) != want {
				return p.name + " differs"
			}
		}
		return ""
	})
}

// small is a study that is quick to make.
func small(seed uint64) phantom.Options {
	return phantom.Options{Seed: seed, Slices: 4, Side: 64}
}
