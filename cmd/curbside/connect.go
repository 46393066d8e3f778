package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/storage"
)

const (
	// lockWait is how long a command waits for another one that works on the same home.
	lockWait = 15 * time.Second
	// lockStep is between two tries: no system tells when a lock of another process ends.
	lockStep = 20 * time.Millisecond
)

// homeDir is --home, CURBSIDE_HOME, or the user's data folder + curbside; absolute.
func homeDir(flag string) (string, error) {
	dir := cmpOr(flag, os.Getenv("CURBSIDE_HOME"))
	if dir == "" {
		base, err := dataDir()
		if err != nil {
			return "", fmt.Errorf("find the data folder: %w", err)
		}
		dir = filepath.Join(base, "curbside")
	}
	return filepath.Abs(dir)
}

// dataDir is where programs keep a user's data.
func dataDir() (string, error) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return os.UserConfigDir() // AppData; Library/Application Support
	}
	// XDG Base Directory Specification: a relative path is to be ignored.
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share"), err
}

// connect returns a client of the running node, or of the home opened in process.
func (a *app) connect(ctx context.Context) (*control.Client, error) {
	if a.conn != nil {
		return a.conn, nil
	}
	if !a.find(ctx) {
		if !storage.Exists(a.home) {
			return nil, node.ErrNoPerson
		}
		if err := a.open(ctx); err != nil {
			return nil, err
		}
	}
	return a.conn, nil
}

// connectRunning is for commands that make no sense without a running node.
func (a *app) connectRunning(ctx context.Context) error {
	if a.conn == nil && !a.find(ctx) {
		return control.Errorf(control.NotRunning, "no node is running on this home").WithHint("start one with: curbside serve")
	}
	return nil
}

// find looks for a running node.
func (a *app) find(ctx context.Context) bool {
	c, ok := control.Find(ctx, a.home)
	if !ok {
		return false
	}
	a.use(c)
	a.running = true
	return true
}

// use tells the connection who acts and what unlocks.
func (a *app) use(c *control.Client) {
	c.As, c.Passphrase = a.as, a.pass
	a.conn = c
}

// open opens the home in this process. While another command has it, it waits.
func (a *app) open(ctx context.Context) error {
	n, err := a.openNode(ctx, node.Config{Home: a.home, Passphrase: a.pass, Offline: true, Log: a.logger(slog.LevelError)})
	if err != nil || a.conn != nil { // a node had just started
		return err
	}
	a.node = n
	a.use(control.InProcess(n.Handler()))
	return nil
}

// openNode opens a node; where another process has the home it waits for it to go, or to answer
// at its socket: then a.conn is set. A locked vault is asked about at a terminal.
func (a *app) openNode(ctx context.Context, cfg node.Config) (*node.Node, error) {
	cfg.Version = version()
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for said := false; ; said = true {
		n, err := node.Open(context.WithoutCancel(ctx), cfg)
		if isLocked(err) && len(cfg.Passphrase) == 0 && a.inTTY {
			if cfg.Passphrase, err = a.askPassphrase("passphrase: "); err != nil {
				return nil, err
			}
			a.pass = cfg.Passphrase
			n, err = node.Open(context.WithoutCancel(ctx), cfg)
		}
		if !errors.Is(err, storage.ErrLocked) {
			return n, err
		}
		if a.find(ctx) {
			return nil, nil
		}
		if !said && a.errTTY {
			a.say("waiting: %v", err)
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(lockStep):
		}
	}
}

// isLocked says that the passphrase is wanted.
func isLocked(err error) bool {
	e, ok := errors.AsType[*control.Error](err)
	return ok && e.Code == control.Locked
}

func (a *app) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
}

// disconnect gives the home back.
func (a *app) disconnect() error {
	if a.conn != nil {
		a.conn.Close()
	}
	if a.node == nil {
		return nil
	}
	n := a.node
	a.node = nil
	return n.Close()
}

// call runs a use case; where the vault is locked it unlocks it and tries once more.
func call[Req, Res any](ctx context.Context, a *app, op control.Op[Req, Res], req Req) (Res, error) {
	var res Res
	c, err := a.connect(ctx)
	if err != nil {
		return res, err
	}
	res, err = op.Call(ctx, c, req)
	if again, uerr := a.unlock(ctx, err); again {
		return op.Call(ctx, c, req)
	} else if uerr != nil {
		return res, uerr
	}
	return res, err
}

// stream is call for use cases with many events.
func stream[Req, Event any](ctx context.Context, a *app, op control.Stream[Req, Event], req Req, emit func(Event) error) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	err = op.Call(ctx, c, req, emit)
	if again, uerr := a.unlock(ctx, err); again {
		return op.Call(ctx, c, req, emit)
	} else if uerr != nil {
		return uerr
	}
	return err
}

// tracked calls a stream that shows its progress and ends with a result; show keeps it once it came.
func tracked[Req, Event, Res any](ctx context.Context, a *app, op control.Stream[Req, Event], req Req, show func(*bar, Event) *Res) (*Res, error) {
	var res *Res
	b := a.bar()
	err := stream(ctx, a, op, req, func(e Event) error {
		if r := show(b, e); r != nil {
			res = r
		}
		return nil
	})
	b.clear()
	if err == nil && res == nil {
		err = control.Errorf(control.Internal, "the node went away")
	}
	return res, err
}

// unlock answers a failure that says the vault is locked, or that a signature wants the
// passphrase: with the file, which went along already, or from the terminal.
func (a *app) unlock(ctx context.Context, err error) (again bool, _ error) {
	if !isLocked(err) || a.asked {
		return false, nil
	}
	a.asked = true
	if len(a.conn.Passphrase) == 0 {
		if !a.inTTY {
			return false, err
		}
		pass, err := a.askPassphrase("passphrase: ")
		if err != nil {
			return false, err
		}
		a.conn.Passphrase = pass
	}
	if _, err := control.Unlock.Call(ctx, a.conn, control.UnlockRequest{Passphrase: a.conn.Passphrase}); err != nil {
		return false, err
	}
	return true, nil
}
