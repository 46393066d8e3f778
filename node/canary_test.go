package node_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
)

// recorder stands between two nodes and keeps every byte.
type recorder struct {
	ln    net.Listener
	to    string
	mu    sync.Mutex
	bytes bytes.Buffer
	conns int
}

func record(t *testing.T, ln net.Listener, to string) *recorder {
	t.Helper()
	r := &recorder{ln: ln, to: to}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go r.carry(c)
		}
	}()
	return r
}

func (r *recorder) carry(c net.Conn) {
	defer c.Close()
	d, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer d.Close()
	r.mu.Lock()
	r.conns++
	r.mu.Unlock()
	go r.copy(d, c)
	r.copy(c, d)
}

func (r *recorder) copy(to io.WriteCloser, from io.Reader) {
	defer to.Close()
	_, _ = io.Copy(io.MultiWriter(to, r), from)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes.Write(p)
}

func (r *recorder) all() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.bytes.Bytes())
}

// through gives an invite whose only address is a recorder's: the node moves from there to another
// port, and the recorder takes its place. (An invite names its addresses to be opened at all.)
func (p *clinic) through() (string, *recorder) {
	p.t.Helper()
	link := p.invite()
	before := p.port()
	p.down()
	ln, err := net.Listen("tcp", "127.0.0.1:"+before)
	if err != nil {
		p.t.Fatal(err)
	}
	p.serve()
	return link, record(p.t, ln, "127.0.0.1:"+p.port())
}

// port is the TCP port the node listens at.
func (p *clinic) port() string {
	p.t.Helper()
	for _, a := range call(p, control.GetCard, control.CardRequest{NoInvite: true}).Addresses {
		if rest, ok := strings.CutPrefix(a, "/ip4/127.0.0.1/tcp/"); ok {
			port, _, _ := strings.Cut(rest, "/")
			return port
		}
	}
	p.t.Fatal("no TCP address")
	return ""
}

// TestCanary is issue 2: what a patient, a question and an image say is found in neither home, in
// no log and not in the bytes between the nodes.
func TestCanary(t *testing.T) {
	t.Parallel()
	canaries := map[string]string{
		"name": "CANARYPATIENT", "id": "CANARYID77", "institution": "CANARYHOUSE", "description": "CANARYSTUDY",
		"pixels": "CANARYPIXELCANARYPIXELCANARYPIXEL", "question": "CANARYQUESTION", "message": "CANARYMESSAGE",
		"report": "CANARYREPORT", "draft": "CANARYDRAFT", "path": "CANARYPATH", "decline": "CANARYDECLINE",
	}
	a, b := serving(t, "Ask"), serving(t, "Answer")
	link, wire := a.through()
	call(b, control.ContactAdd, control.ContactAddRequest{Link: link})

	o := small(3)
	o.PatientName, o.PatientID, o.Institution = canaries["name"]+"^A", canaries["id"], canaries["institution"]
	o.Description, o.Canary = canaries["description"], []byte(canaries["pixels"])
	study := a.take(o)
	id := a.ask(study, canaries["question"], "Answer")
	b.complete(id)
	b.says(id, canaries["message"])
	call(b, control.CaseReport, control.CaseReportRequest{Case: id, Text: canaries["report"]})
	call(b, control.CaseSign, control.CaseRequest{Case: id})
	call(b, control.CaseReport, control.CaseReportRequest{Case: id, Text: canaries["draft"]})
	a.eventually(func() string {
		if len(a.show(id).Reports) == 0 {
			return "no report"
		}
		return ""
	})
	second := a.ask(study, "again", "Answer")
	b.complete(second)
	call(b, control.CaseDecline, control.CaseDeclineRequest{Case: second, Reason: "other", Text: canaries["decline"]})
	// What goes wrong must not tell either.
	_, _ = control.PixelFrame.Call(b.ctx(), b.c, control.FrameRequest{SOPUID: "1.2.3"})
	refused(a, control.StudyRemove, control.StudyRequest{Study: study}, control.Refused)
	_ = control.Import.Call(a.ctx(), a.c, control.ImportRequest{Paths: []string{broken(t, o)}}, func(control.ImportEvent) error { return nil })
	agree(id, a, b)
	agree(second, a, b)

	seen := b.show(id)
	if seen.Question != canaries["question"] {
		t.Fatalf("the question came as %q", seen.Question)
	}
	if s := call(b, control.StudyList, control.None{}); len(s) == 0 || !strings.Contains(s[0].PatientName, canaries["name"]) {
		t.Fatalf("the canary did not arrive: %+v", s)
	}
	a.down()
	b.down()

	sent := wire.all()
	// Everything went through the recorder: one connection, and more than the sealed pixels.
	if wire.conns != 1 || len(sent) < 4*64*64/2 {
		t.Fatalf("%d connections with %d bytes", wire.conns, len(sent))
	}
	places := map[string][]byte{"the wire": sent, "log of Ask": a.log.bytes(), "log of Answer": b.log.bytes()}
	for _, p := range []*clinic{a, b} {
		files(t, p.home, func(path string, data []byte) { places[path] = data })
	}
	if len(places["log of Ask"]) == 0 || len(places) < 20 {
		t.Fatalf("only %d places were looked at", len(places))
	}
	for where, data := range places {
		for what, canary := range canaries {
			for _, form := range []string{canary, hex.EncodeToString([]byte(canary))} {
				if bytes.Contains(data, []byte(form)) {
					t.Errorf("the canary of the %s is found in %s", what, where)
				}
			}
			if strings.Contains(where, canary) {
				t.Errorf("the canary of the %s is in a file's name", what)
			}
		}
	}
}

// broken is a file that is refused, of the same patient.
func broken(t *testing.T, o phantom.Options) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "CANARYPATH.dcm") // folders are named after patients
	file := phantom.CT(o).Files[0]
	if err := os.WriteFile(path, file[:len(file)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func files(t *testing.T, dir string, f func(path string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			f(path, data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
