package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
)

// commandTime is how long one command may take on a loaded machine before a test gives up on it.
const commandTime = 90 * time.Second

// process is a home with a node that serves it in a process of its own, at an address that stays.
// Nodes and commands are this test binary, run as curbside.
type process struct {
	t      *testing.T
	name   string
	home   string
	log    string // stderr of its nodes, one after another
	addr   string
	extra  []string // flags of serve
	cmd    *exec.Cmd
	ended  chan struct{}
	client *control.Client
}

func newProcess(t *testing.T, name string, extra ...string) *process {
	t.Helper()
	home, err := os.MkdirTemp("", "cs") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	p := &process{t: t, name: name, home: home, log: filepath.Join(t.TempDir(), "log"), addr: freeAddr(t), extra: extra}
	p.must(nil, "init", "--name", name, "--no-passphrase")
	p.start()
	t.Cleanup(func() { p.kill() })
	return p
}

// freeAddr is an address that nobody listens on at the moment.
func freeAddr(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *process) start() {
	p.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(p.t.Context()), "curbside", append([]string{"--home", p.home, "serve", "--listen", p.addr}, p.extra...)...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(errors.Join(err, log.Close()))
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	p.cmd, p.ended = cmd, ended
	go func() {
		defer close(ended)
		copyLog(log, pipe, ready)
		_ = cmd.Wait() // ProcessState says how it ended
		log.Close()
	}()
	select {
	case <-ready:
	case <-ended:
		p.t.Fatalf("%s: the node ended before it was ready: %v\n%s", p.name, cmd.ProcessState, p.tail())
	case <-time.After(readyTime):
		p.t.Fatalf("%s: the node was not ready in %v\n%s", p.name, readyTime, p.tail())
	}
	p.client = control.Dial(control.Socket(p.home))
}

// kill ends the process at once, SIGKILL, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
	p.client.Close()
}

// sound expects no panic and no race in what the nodes said.
func (p *process) sound() {
	p.t.Helper()
	log, err := os.ReadFile(p.log)
	if err != nil || strings.Contains(string(log), "panic") || strings.Contains(string(log), "DATA RACE") {
		p.t.Errorf("%s: %v\n%s", p.name, err, p.tail())
	}
}

// stop ends the node with SIGTERM and returns how much memory it had at most, in bytes; 0 where the
// system does not say.
func (p *process) stop() (peak int64) {
	p.t.Helper()
	peak = peakMemory(p.cmd.Process.Pid)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopPromise):
		p.t.Fatalf("%s: the node did not stop within %v\n%s", p.name, stopPromise, p.tail())
	}
	p.client.Close()
	if !p.cmd.ProcessState.Success() {
		p.t.Fatalf("%s: the node did not stop cleanly: %v\n%s", p.name, p.cmd.ProcessState, p.tail())
	}
	return peak
}

// peakMemory is the most memory a running process had, from /proc.
func peakMemory(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}

// run runs one command. A node that is killed meanwhile makes it fail; that is for the caller to judge.
func (p *process) run(args ...string) (stdout []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "curbside", append([]string{"--home", p.home}, args...)...)
	cmd.WaitDelay = time.Second
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%s: curbside %s: %w: %s", p.name, brief(args), err, strings.TrimSpace(said.String()))
	}
	return out.Bytes(), err
}

// brief is a command line without the tail of a long one.
func brief(args []string) string {
	line := strings.Join(args, " ")
	if len(line) > 200 {
		line = line[:200] + "…"
	}
	return line
}

// ask runs a command and decodes its JSON into v.
func (p *process) ask(v any, args ...string) error {
	out, err := p.run(append(args, "--json")...)
	if err != nil || v == nil {
		return err
	}
	if err := json.Unmarshal(out, v); err != nil {
		return fmt.Errorf("%s: curbside %s: %w", p.name, brief(args), err)
	}
	return nil
}

// must is ask for what has to work.
func (p *process) must(v any, args ...string) {
	p.t.Helper()
	if err := p.ask(v, args...); err != nil {
		p.t.Fatalf("%v\n%s", err, p.tail())
	}
}

// tail is the end of what the nodes said.
func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	return "… " + p.log + "\n" + string(b[max(0, len(b)-4000):])
}

func ask[Req, Res any](p *process, op control.Op[Req, Res], req Req) Res {
	p.t.Helper()
	res, err := op.Call(p.t.Context(), p.client, req)
	if err != nil {
		p.t.Fatalf("%s: %v", string(op), err)
	}
	return res
}

func meet(t *testing.T, a, b *process) {
	t.Helper()
	link := ask(b, control.GetCard, control.CardRequest{}).Invite
	if c := ask(a, control.ContactAdd, control.ContactAddRequest{Link: *link, Timeout: 20 * time.Second}); c.Trust != "invited" {
		t.Fatalf("contact is %s: %s", c.Trust, c.Warning)
	}
}

func importFiles(p *process, paths []string) control.ImportResult {
	p.t.Helper()
	var res *control.ImportResult
	err := control.Import.Call(p.t.Context(), p.client, control.ImportRequest{Paths: paths}, func(e control.ImportEvent) error {
		res = cmpResult(e.Result, res)
		return nil
	})
	if err != nil || res == nil {
		p.t.Fatalf("import: %v", err)
	}
	return *res
}

func cmpResult(a, b *control.ImportResult) *control.ImportResult {
	if a != nil {
		return a
	}
	return b
}
