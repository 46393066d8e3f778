package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/storage"
	"github.com/curbside-p2p/curbside/tui"
)

// logBytesMax is when the log of the interface starts anew; one older one is kept.
const logBytesMax = 4 << 20

// show opens the interface on the connected node.
func (a *app) show(cmd *cobra.Command, how string) error {
	if !a.inTTY || !a.outTTY {
		return control.Errorf(control.Refused, "the interface needs a terminal").WithHint("in scripts: curbside case list --json")
	}
	if how == "" {
		s, err := node.LoadConfig(a.home)
		if err != nil {
			return err
		}
		how = s.Graphics
	}
	a.boundMemory()
	return tui.Run(cmd.Context(), tui.Config{Client: a.conn, Graphics: how, In: a.in, Out: a.out})
}

// What the interface may take, with its caches and a volume of 160 MB, and with a node of its own:
// garbage is collected before that, instead of at twice of what is in use.
const (
	memoryMax    = 256 << 20
	memoryOwnMax = 352 << 20
)

// boundMemory sets the limit unless the user has set another: GOMEMLIMIT.
func (a *app) boundMemory() {
	limit := int64(memoryMax)
	if a.node != nil {
		limit = memoryOwnMax
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(limit)
	}
}

// showOwn opens the interface on the running node, or on one of its own, set up first where there is none.
func (a *app) showOwn(cmd *cobra.Command) error {
	if a.find(cmd.Context()) {
		return a.show(cmd, "")
	}
	log, err := a.logFile()
	if err != nil {
		return err
	}
	defer log.Close()
	if !storage.Exists(a.home) {
		if err := a.wizard(cmd.Context(), log); err != nil {
			return err
		}
	}
	return a.showServing(cmd, log)
}

// wizard makes the first person. The node that serves opens the home again afterwards.
func (a *app) wizard(ctx context.Context, log *os.File) error {
	_, err := tui.Wizard(ctx, tui.Config{
		In: a.in, Out: a.out,
		Create: func(ctx context.Context, req control.PersonAddRequest) (control.PersonAdded, error) {
			n, err := a.openNode(ctx, node.Config{Home: a.home, Offline: true, Log: fileLogger(log)})
			if err != nil {
				return control.PersonAdded{}, err
			}
			c := control.InProcess(n.Handler())
			added, err := control.PersonAdd.Call(ctx, c, req)
			if err = errors.Join(err, n.Close()); err == nil {
				a.pass = bytes.Clone(req.Passphrase) // typed a moment ago: the node need not ask again
			}
			return added, err
		},
	})
	if errors.Is(err, tui.ErrStopped) {
		return control.Errorf(control.Refused, "stopped before there was a person").WithHint("curbside begins again; without questions: curbside init")
	}
	return err
}

// showServing runs a node and the interface on it; quitting the one stops the other.
func (a *app) showServing(cmd *cobra.Command, log *os.File) error {
	var flags netFlags
	cfg, err := flags.config(a, cmd)
	if err != nil {
		return err
	}
	cfg.Log = fileLogger(log)
	n, err := a.openNode(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	if n == nil { // one began to serve meanwhile
		return a.show(cmd, "")
	}
	a.node = n
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- n.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-done:
		return err
	}
	a.use(control.InProcess(n.Handler()))
	err = a.show(cmd, "")
	stop()
	if serr := waitStop(done); serr != nil && !errors.Is(serr, context.Canceled) {
		err = errors.Join(err, serr)
	}
	return err
}

// logFile is where the node logs while the interface has the terminal.
func (a *app) logFile() (*os.File, error) {
	dir := filepath.Join(a.home, "log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	path := filepath.Join(dir, "curbside.log")
	if info, err := os.Stat(path); err == nil && info.Size() > logBytesMax {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("turn the log over: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

func fileLogger(f *os.File) *slog.Logger {
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelInfo}))
}
