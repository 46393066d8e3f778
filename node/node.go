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
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/desk"
	"github.com/curbside-p2p/curbside/node/gateway"
	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/storage"
)

// ErrNoPerson says that the home has no person yet: curbside init makes one.
var ErrNoPerson = errors.New("no person here yet")

// drainTime is how long requests under way may take once the node stops.
const drainTime = 2 * time.Second

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
	// Mailboxes are nodes that keep what comes while this one is away; none: the relays.
	Mailboxes []string
	// MailboxStudies lets images wait in mailboxes, too; MailboxForContacts keeps boxes here for contacts.
	MailboxStudies, MailboxForContacts bool
	DICOM                              gateway.Listen // the hospital side's listener, none if it has no address
	Version                            string
	Log                                *slog.Logger
	Now                                func() time.Time // time.Now if nil
	// PassphraseKiB is the cost of new passphrases, 0 for the default; tests lower it.
	PassphraseKiB uint32
	Web           WebConfig
}

// Node is an open data directory with everything that works on it.
type Node struct {
	cfg     Config
	dir     *storage.Dir
	key     []byte // of libp2p
	desk    *desk.Desk
	gateway *gateway.Gateway
	web     *gateway.Web
	watch   *gateway.Watch // nil where nothing is watched
	handler http.Handler
	network atomic.Pointer[peering.Node] // while it runs, for doctor
}

// Open opens a node. A home without a person opens too: only person/add works there. A vault that
// wants a passphrase and gets none is a control.Error with code Locked.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := storage.Open(cfg.Home)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, dir: dir}
	if n.key, err = nodeKey(dir); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	id, err := peering.PeerOf(n.key)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	mail, err := cfg.mailConfig()
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	n.desk, err = desk.Open(ctx, desk.Config{
		Dir: dir, PeerID: id, Passphrase: cfg.Passphrase, Now: cfg.Now, Log: cfg.Log,
		Setting: n.setting, PassphraseKiB: cfg.PassphraseKiB, Mail: mail,
	})
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	n.gateway = n.newGateway()
	n.desk.AttachArchive(archive{n.gateway})
	if err := n.newWeb(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	mux := http.NewServeMux()
	n.desk.Register(mux)
	control.ConfigGet.Handle(mux, n.configGet)
	control.ConfigSet.Handle(mux, n.configSet)
	control.Doctor.Handle(mux, n.doctor)
	n.registerWeb(mux)
	n.registerGateway(mux)
	n.handler = mux
	return n, nil
}

// nodeKey reads the node's key; the first time it makes it.
func nodeKey(dir *storage.Dir) ([]byte, error) {
	var made error
	key, err := dir.NodeKey(func() []byte {
		var k []byte
		k, made = peering.NewKey()
		return k
	})
	if err = errors.Join(made, err); err != nil {
		return nil, fmt.Errorf("read node key: %w", err)
	}
	return key, nil
}

// setting reads one setting of the file as text; what cannot be read has its default.
func (n *Node) setting(key string) string {
	s, err := LoadConfig(n.cfg.Home)
	if err != nil {
		return ""
	}
	v, err := s.Get(key)
	if err != nil {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case []string:
		return strings.Join(v, "\n")
	}
	return ""
}

// Handler is the local front door.
func (n *Node) Handler() http.Handler { return n.handler }

// Run serves the network and the control socket and calls ready once both accept. It returns
// when ctx ends.
func (n *Node) Run(ctx context.Context, ready func()) error {
	config := peering.Config{
		Key: n.key, Listen: n.cfg.Listen, LANOnly: n.cfg.LANOnly, MDNS: !n.cfg.NoMDNS,
		NoDHT: n.cfg.NoDHT, Bootstrap: n.cfg.Bootstrap, Relays: n.cfg.Relays, Software: "curbside/" + n.cfg.Version,
		Local: n.desk, Targets: n.desk.Targets, Session: n.desk.Session, Directory: n.desk.Directory(), Verify: n.desk.Verify, Log: n.cfg.Log,
	}
	boxes, err := n.openMailboxes()
	if err != nil {
		return err
	}
	if boxes != nil {
		defer boxes.Close()
		config.Mailboxes = boxes
		var sweeping sync.WaitGroup
		defer sweeping.Wait()
		sweep, cancel := context.WithCancel(ctx)
		defer cancel()
		sweeping.Go(func() { sweepMailboxes(sweep, boxes) })
	}
	network, err := peering.New(config)
	if err != nil {
		return fmt.Errorf("open network: %w", err)
	}
	socket, err := control.Listen(ctx, n.cfg.Home)
	if err != nil {
		return err
	}
	if err := n.web.Open(ctx); err != nil {
		_ = socket.Close()
		return err
	}
	return n.run(ctx, network, socket, ready)
}

func (n *Node) run(ctx context.Context, network *peering.Node, socket net.Listener, ready func()) error {
	g, ctx := errgroup.WithContext(ctx)
	server := &http.Server{
		Handler: n.handler, ReadHeaderTimeout: drainTime,
		// Streams end when the node stops, so that Shutdown need not wait for them.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	g.Go(func() error {
		return network.Run(ctx, func() {
			n.network.Store(network)
			if err := n.desk.Attach(network); err != nil {
				g.Go(func() error { return err })
				return
			}
			g.Go(func() error { return n.desk.Run(ctx) })
			n.runWeb(ctx, g.Go)
			g.Go(func() error {
				if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
					return fmt.Errorf("serve control socket: %w", err)
				}
				return nil
			})
			n.serveHospital(ctx, g)
			ready()
		})
	})
	g.Go(func() error {
		<-ctx.Done()
		n.network.Store(nil)
		_ = n.desk.Attach(nil) // cannot fail
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		err := server.Shutdown(last)
		_ = socket.Close() // also where Serve never began
		n.web.Close()
		if errors.Is(err, context.DeadlineExceeded) {
			return server.Close()
		}
		return err
	})
	return g.Wait()
}

// Close gives the data directory back.
func (n *Node) Close() error {
	return errors.Join(n.desk.Close(), n.dir.Close())
}

func (n *Node) configGet(_ context.Context, req control.ConfigRequest) (map[string]any, error) {
	s, err := LoadConfig(n.cfg.Home)
	if err != nil {
		return nil, control.Errorf(control.Refused, "%v", err).WithHint("mend or remove HOME/config.toml")
	}
	if req.Key == "" {
		return s.Map(), nil
	}
	v, err := s.Get(req.Key)
	if err != nil {
		return nil, control.Errorf(control.Refused, "%v", err)
	}
	return map[string]any{req.Key: v}, nil
}

func (n *Node) configSet(ctx context.Context, req control.ConfigRequest) (map[string]any, error) {
	if err := SaveSetting(n.cfg.Home, req.Key, req.Value); err != nil {
		return nil, control.Errorf(control.Refused, "%v", err)
	}
	return n.configGet(ctx, control.ConfigRequest{Key: req.Key})
}
