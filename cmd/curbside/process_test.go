package main

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
)

// process is a home with a node that serves it in a process of its own, at an address that stays.
type process struct {
	t      *testing.T
	home   string
	addr   string
	cmd    *exec.Cmd
	ended  chan struct{}
	client *control.Client
}

func newProcess(t *testing.T, name string) *process {
	t.Helper()
	home, err := os.MkdirTemp("", "cs") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	if out, err := exec.CommandContext(t.Context(), "curbside", "--home", home, "init", "--name", name, "--no-passphrase").CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	p := &process{t: t, home: home, addr: freeAddr(t)}
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
	p.cmd = exec.CommandContext(context.WithoutCancel(p.t.Context()), "curbside", "--home", p.home, "serve", "--listen", p.addr)
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd, ready, ended := p.cmd, make(chan struct{}), make(chan struct{})
	p.ended = ended
	go func() {
		defer close(ended)
		copyLog(io.Discard, pipe, ready)
		_ = cmd.Wait() // it is killed
	}()
	select {
	case <-ready:
	case <-ended:
		p.t.Fatal("the node ended before it was ready")
	case <-time.After(readyTime):
		p.t.Fatal("the node was not ready in time")
	}
	p.client = control.Dial(control.Socket(p.home))
}

// kill ends the process at once, SIGKILL, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
	p.client.Close()
}
